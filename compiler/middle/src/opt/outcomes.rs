//! Which variants can a value have where it is looked at? Branches for the others are removed.
//!
//! The program is closed, so what every function can give is known: a scanner that never fails, a parser that nobody cuts. A variant that is
//! made nowhere in the program does not occur at all, which is what is known of values that come out of memory, and of parameters.
//! Both are found together, from nothing upwards: only code that can be reached makes anything, and a branch is reached
//! when its variant can occur. This is sparse conditional constant propagation [Wegman and Zadeck 1991] of variants,
//! across functions.

use std::collections::VecDeque;

use cranelift_entity::{EntitySet, SecondaryMap};
use reml_semantics::typed::TypeDefKind;
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Variants;
use super::targets::moves_values;
use crate::core::{Atom, Block, Callee, Case, End, FuncId, Function, Join, JoinId, Op, Program, Stmt, Switch, Var};
use crate::layout::field_types;
use crate::walk;

/// Variants, a bit for each; `false` and `true` are the variants of `Bool`.
type Set = u64;

const ALL: Set = Set::MAX;

fn truth(value: bool) -> Set {
    1 << u32::from(value)
}

/// Removes branches that are never taken; the functions that had some.
pub fn prune(program: &mut Program, variants: &Variants) -> EntitySet<FuncId> {
    let mut types = std::mem::take(&mut program.types);
    let mut outcomes = Outcomes::new(program, &mut types, variants);
    outcomes.reach(program.entry);
    while let Some(func) = outcomes.queue.pop_front() {
        outcomes.queued.remove(func);
        outcomes.function(func);
    }
    let seen = outcomes.seen;
    program.types = types;
    let mut pruned = EntitySet::new();
    for (id, function) in program.funcs.iter_mut() {
        if remove_branches(&mut function.body, &seen[id]) {
            pruned.insert(id);
        }
    }
    pruned
}

/// What is known of the program so far. All of it only grows.
struct Outcomes<'a> {
    program: &'a Program,
    types: &'a mut TypeStore,
    variants: &'a Variants,
    /// What a function can give.
    returned: SecondaryMap<FuncId, Set>,
    /// What closures of a type can give.
    given: FxHashMap<TypeId, Set>,
    /// What is made of a type anywhere.
    made: FxHashMap<TypeId, Set>,
    /// What was found at switches, by what they look at.
    seen: SecondaryMap<FuncId, FxHashMap<Var, Set>>,
    reached: EntitySet<FuncId>,
    /// Types that code outside of the program makes values of.
    foreign: FxHashSet<TypeId>,
    /// Types of closures that others than `Op::Closure` make, or pass off as something else.
    various: FxHashSet<TypeId>,
    /// As closures of which types a function is called.
    closure_types: SecondaryMap<FuncId, Vec<TypeId>>,
    // Who has to be looked at again when something grows.
    callers: SecondaryMap<FuncId, Vec<FuncId>>,
    closure_callers: FxHashMap<TypeId, Vec<FuncId>>,
    readers: FxHashMap<TypeId, Vec<FuncId>>,
    queue: VecDeque<FuncId>,
    queued: EntitySet<FuncId>,
}

impl<'a> Outcomes<'a> {
    fn new(program: &'a Program, types: &'a mut TypeStore, variants: &'a Variants) -> Self {
        Outcomes {
            program,
            types,
            variants,
            returned: SecondaryMap::new(),
            given: FxHashMap::default(),
            made: FxHashMap::default(),
            seen: SecondaryMap::new(),
            reached: EntitySet::new(),
            foreign: FxHashSet::default(),
            various: FxHashSet::default(),
            closure_types: SecondaryMap::new(),
            callers: SecondaryMap::new(),
            closure_callers: FxHashMap::default(),
            readers: FxHashMap::default(),
            queue: VecDeque::new(),
            queued: EntitySet::new(),
        }
    }

    fn function(&mut self, id: FuncId) {
        let program = self.program;
        let function = &program.funcs[id];
        let mut walker = Walker {
            all: self,
            id,
            function,
            sets: SecondaryMap::new(),
            passed: SecondaryMap::new(),
            joins: FxHashMap::default(),
            pending: Vec::new(),
        };
        for &param in &function.params {
            walker.sets[param] = walker.all.any(function.vars[param].ty, id);
        }
        walker.block(&function.body);
        while let Some(join) = walker.pending.pop() {
            for &param in &join.params {
                walker.sets[param] = walker.passed[param];
            }
            walker.block(&join.body);
        }
    }

    fn reach(&mut self, func: FuncId) {
        if self.reached.insert(func) {
            self.enqueue(func);
        }
    }

    fn enqueue(&mut self, func: FuncId) {
        if self.queued.insert(func) {
            self.queue.push_back(func);
        }
    }

    fn enqueue_all(&mut self, funcs: &[FuncId]) {
        funcs.iter().for_each(|&func| self.enqueue(func));
    }

    /// How many variants values of the type have, where that is looked at.
    fn count(&self, ty: TypeId) -> Option<u32> {
        match self.types.get(ty) {
            Type::Adt(def, _) if matches!(self.program.type_defs[*def].kind, TypeDefKind::Sum(_)) => {
                self.variants.count(self.types, ty)
            }
            Type::Prim(Prim::Bool) => Some(2),
            _ => None,
        }
    }

    fn bit(&self, ty: TypeId, variant: u32) -> Set {
        match self.count(ty) {
            Some(count) if count <= Set::BITS => 1 << variant,
            _ => ALL,
        }
    }

    /// A value of this variant is made.
    fn make(&mut self, ty: TypeId, set: Set) {
        let made = self.made.entry(ty).or_default();
        if *made | set != *made {
            *made |= set;
            let readers = self.readers.get(&ty).cloned().unwrap_or_default();
            self.enqueue_all(&readers);
        }
    }

    /// What a value of the type can be, if nothing else is known; `reader` wants to know.
    fn any(&mut self, ty: TypeId, reader: FuncId) -> Set {
        if self.count(ty).is_none() || matches!(self.types.get(ty), Type::Prim(_)) {
            return ALL;
        }
        let readers = self.readers.entry(ty).or_default();
        if readers.last() != Some(&reader) {
            readers.push(reader);
        }
        self.made.get(&ty).copied().unwrap_or(0)
    }

    fn returns(&mut self, func: FuncId, set: Set) {
        if self.returned[func] | set == self.returned[func] || self.count(self.program.funcs[func].ret).is_none() {
            return;
        }
        self.returned[func] |= set;
        let callers = self.callers[func].clone();
        self.enqueue_all(&callers);
        for ty in self.closure_types[func].clone() {
            self.gives(ty, set);
        }
    }

    fn gives(&mut self, closure: TypeId, set: Set) {
        let given = self.given.entry(closure).or_default();
        if *given | set != *given {
            *given |= set;
            let callers = self.closure_callers.get(&closure).cloned().unwrap_or_default();
            self.enqueue_all(&callers);
        }
    }

    /// Other code makes closures of this type.
    fn vary(&mut self, ty: TypeId) {
        if matches!(self.types.get(ty), Type::Fn { .. }) && self.various.insert(ty) {
            let callers = self.closure_callers.get(&ty).cloned().unwrap_or_default();
            self.enqueue_all(&callers);
        }
    }

    /// Code outside of the program has to do with values of this type: it may make any.
    fn escape(&mut self, ty: TypeId) {
        if !self.foreign.insert(ty) {
            return;
        }
        self.vary(ty);
        let parts: Vec<TypeId> = match self.types.get(ty) {
            Type::Array(element) | Type::VarCell(element) | Type::FixedArray(element, _) => vec![*element],
            Type::Ref { inner, .. } => vec![*inner],
            Type::Fn { params, ret } => params.iter().copied().chain([*ret]).collect(),
            Type::Adt(_, args) => {
                let mut parts = args.to_vec();
                let count = self.count(ty);
                for variant in 0..count.unwrap_or(1) {
                    parts.extend(field_types(self.types, &self.program.type_defs, ty, variant));
                }
                if count.is_some() {
                    self.make(ty, ALL);
                }
                parts
            }
            _ => field_types(self.types, &self.program.type_defs, ty, 0),
        };
        parts.into_iter().for_each(|part| self.escape(part));
    }
}

/// Goes through the code of one function that can be reached.
struct Walker<'o, 'a> {
    all: &'o mut Outcomes<'a>,
    id: FuncId,
    function: &'a Function,
    /// What the variables can be that have been defined.
    sets: SecondaryMap<Var, Set>,
    /// What is passed for the parameters of join points.
    passed: SecondaryMap<Var, Set>,
    /// Those in scope, and whether their bodies have been reached.
    joins: FxHashMap<JoinId, (&'a Join, bool)>,
    pending: Vec<&'a Join>,
}

impl<'a> Walker<'_, 'a> {
    fn type_of(&self, var: Var) -> TypeId {
        self.function.vars[var].ty
    }

    /// What an operand can be.
    fn operand(&mut self, atom: Atom) -> Set {
        match atom {
            Atom::Var(var) => self.sets[var],
            Atom::Bool(value) => truth(value),
            Atom::Int(value, ty) if self.all.count(ty).is_some() => {
                let set = u32::try_from(value).map_or(ALL, |variant| self.all.bit(ty, variant));
                self.all.make(ty, set);
                set
            }
            _ => ALL,
        }
    }

    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, op) => self.sets[*var] = self.op(*var, op),
                Stmt::Join(join) => {
                    // What the body finds in scope may have grown since it was reached.
                    self.joins.insert(join.id, (&**join, false));
                }
                Stmt::Fill { value, .. } => {
                    self.operand(*value);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        match &block.end {
            End::Return(atom) => {
                let set = self.operand(*atom);
                self.all.returns(self.id, set);
            }
            End::Jump(join, args) => self.jump(*join, args),
            End::TailCall { callee, args, .. } => {
                let set = self.call(*callee, args, self.function.ret);
                self.all.returns(self.id, set);
            }
            End::Switch(switch) => self.switch(switch),
            End::Unreachable => {}
        }
    }

    fn jump(&mut self, id: JoinId, args: &[Atom]) {
        let (join, reached) = self.joins[&id];
        let mut grown = !reached;
        for (&param, &arg) in join.params.iter().zip(args) {
            let set = self.operand(arg);
            grown |= self.passed[param] | set != self.passed[param];
            self.passed[param] |= set;
        }
        if grown {
            self.joins.insert(id, (join, true));
            self.pending.push(join);
        }
    }

    fn switch(&mut self, switch: &'a Switch) {
        let (Atom::Var(var), Some((Case::Variant(_) | Case::Bool(_), _))) = (switch.scrutinee, switch.cases.first())
        else {
            return walk::switch_blocks(switch).for_each(|block| self.block(block));
        };
        let set = self.sets[var];
        *self.all.seen[self.id].entry(var).or_default() |= set;
        let ty = self.type_of(var);
        let mut others = set;
        for (case, block) in &switch.cases {
            let case = match *case {
                Case::Variant(variant) => self.all.bit(ty, variant),
                Case::Bool(value) => truth(value),
                Case::Int(_) => ALL,
            };
            if set & case != 0 {
                self.sets[var] = set & case;
                self.block(block);
            }
            others &= !case;
        }
        if let Some(block) = &switch.default
            && (others != 0 || self.all.count(ty).is_none_or(|count| count > Set::BITS))
        {
            self.sets[var] = others;
            self.block(block);
        }
        self.sets[var] = set;
    }

    fn op(&mut self, var: Var, op: &'a Op) -> Set {
        let ty = self.type_of(var);
        if let Op::Call(callee, args) = op {
            return self.call(*callee, args, ty);
        }
        let mut first = None;
        walk::op_atoms(op, &mut |atom| {
            let set = self.operand(atom);
            first.get_or_insert(set);
        });
        match op {
            Op::Construct { variant, .. } if self.all.count(ty).is_some() => {
                let set = self.all.bit(ty, *variant);
                self.all.make(ty, set);
                set
            }
            Op::Copy(Atom::Var(source)) if self.type_of(*source) == ty => first.unwrap_or(ALL),
            Op::Copy(Atom::Int(value, _)) => self.operand(Atom::Int(*value, ty)),
            Op::Copy(_) if self.all.count(ty).is_some() => {
                self.all.make(ty, ALL);
                ALL
            }
            Op::Closure(func, _) => {
                self.all.reach(*func);
                if !self.all.closure_types[*func].contains(&ty) {
                    self.all.closure_types[*func].push(ty);
                }
                let set = self.all.returned[*func];
                self.all.gives(ty, set);
                ALL
            }
            Op::Prim(prim, _) => {
                if !moves_values(*prim) {
                    self.each_type(var, op, &mut |all, ty| all.vary(ty));
                }
                self.all.any(ty, self.id)
            }
            Op::CallRuntime(..) | Op::CallForeign(..) => {
                self.each_type(var, op, &mut |all, ty| all.escape(ty));
                ALL
            }
            _ => self.all.any(ty, self.id),
        }
    }

    /// Calls `f` with the type of the result and of each operand.
    fn each_type(&mut self, var: Var, op: &Op, f: &mut impl FnMut(&mut Outcomes, TypeId)) {
        f(self.all, self.type_of(var));
        walk::op_atoms(op, &mut |atom| {
            if let Atom::Var(arg) = atom {
                f(self.all, self.type_of(arg));
            }
        });
    }

    fn call(&mut self, callee: Callee, args: &[Atom], ty: TypeId) -> Set {
        for &arg in args {
            self.operand(arg);
        }
        match callee {
            Callee::Func(func) => {
                self.all.reach(func);
                let callers = &mut self.all.callers[func];
                if callers.last() != Some(&self.id) {
                    callers.push(self.id);
                }
                match self.all.count(ty) {
                    Some(_) => self.all.returned[func],
                    None => ALL,
                }
            }
            Callee::Closure(Atom::Var(closure)) | Callee::Consumed(Atom::Var(closure)) => {
                let closure = self.type_of(closure);
                let callers = self.all.closure_callers.entry(closure).or_default();
                if callers.last() != Some(&self.id) {
                    callers.push(self.id);
                }
                match self.all.count(ty) {
                    Some(_) if !self.all.various.contains(&closure) => {
                        self.all.given.get(&closure).copied().unwrap_or(0)
                    }
                    _ => self.all.any(ty, self.id),
                }
            }
            Callee::Closure(_) | Callee::Consumed(_) => ALL,
        }
    }
}

/// Removes the branches of switches for variants that do not occur. What is never looked at, or looked at what never comes about, stays
/// as it is.
fn remove_branches(block: &mut Block, seen: &FxHashMap<Var, Set>) -> bool {
    let mut changed = false;
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            changed |= remove_branches(&mut join.body, seen);
        }
    }
    let End::Switch(switch) = &mut block.end else { return changed };
    if let Atom::Var(var) = switch.scrutinee
        && let Some(&set) = seen.get(&var)
        && set != 0
        && set != ALL
    {
        let before = switch.cases.len();
        let mut others = set;
        switch.cases.retain(|(case, _)| {
            let case = match *case {
                Case::Variant(variant) => 1 << variant,
                Case::Bool(value) => truth(value),
                Case::Int(_) => ALL,
            };
            others &= !case;
            set & case != 0
        });
        changed |= switch.cases.len() < before;
        if others == 0 && switch.default.take().is_some() {
            changed = true;
        }
    }
    walk::switch_blocks_mut(switch).fold(changed, |changed, block| remove_branches(block, seen) | changed)
}
