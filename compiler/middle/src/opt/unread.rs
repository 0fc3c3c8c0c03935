//! Which parts of a result does the caller not look at? A function that makes them has a second version for such calls, which does not.
//!
//! `digits().map(|_| ())` asks a rule for a text and drops it. In the version for this call the text that is returned is the empty one, so that
//! nothing needs the slice any more. Results that are passed on, or are those of further calls, are followed: so a recogniser
//! made of a parser of trees makes no trees.

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use reml_semantics::typed::{TypeDef, TypeDefId, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use rustc_hash::FxHashMap;

use crate::core::{Atom, Block, Callee, End, FuncId, Function, Inline, JoinId, Op, Program, Stmt, StrId, Var, VarInfo};
use crate::layout::field_types;
use crate::walk;

/// Calls versions that do not make what nobody reads. The functions that have changed, and the versions; some of these may not be called in the end.
pub fn drop_unread(program: &mut Program) -> EntitySet<FuncId> {
    let known = program.strings.iter().find(|(_, text)| text.is_empty()).map(|(id, _)| id);
    let empty = known.unwrap_or_else(|| program.strings.push("".into()));
    let mut versions = Versions { known: FxHashMap::default(), open: Vec::new(), changed: EntitySet::new(), empty };
    for func in program.funcs.keys().collect::<Vec<_>>() {
        versions.rewrite(program, func, &Reads::All);
    }
    versions.changed
}

/// What is read of a value: fields by variant and index, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Reads {
    Fields(Vec<(u32, u32)>),
    All,
}

impl Default for Reads {
    fn default() -> Reads {
        Reads::Fields(Vec::new())
    }
}

impl Reads {
    /// Adds what is read; `true` if that was more than before.
    fn add(&mut self, more: &Reads) -> bool {
        match (self, more) {
            (Reads::All, _) => false,
            (reads, Reads::All) => {
                *reads = Reads::All;
                true
            }
            (Reads::Fields(fields), Reads::Fields(more)) => {
                let before = fields.len();
                for field in more {
                    if let Err(at) = fields.binary_search(field) {
                        fields.insert(at, *field);
                    }
                }
                fields.len() > before
            }
        }
    }

    fn has(&self, variant: u32, index: u32) -> bool {
        match self {
            Reads::All => true,
            Reads::Fields(fields) => fields.binary_search(&(variant, index)).is_ok(),
        }
    }
}

/// What a function reads of its variables, if `returned` is read of its result.
struct Uses<'a> {
    returned: &'a Reads,
    reads: SecondaryMap<Var, Reads>,
    /// A variable, and a name that a jump or a copy gives it.
    names: Vec<(Var, Var)>,
    params: FxHashMap<JoinId, &'a [Var]>,
}

impl<'a> Uses<'a> {
    fn of(function: &'a Function, returned: &'a Reads) -> SecondaryMap<Var, Reads> {
        let mut uses = Uses { returned, reads: SecondaryMap::new(), names: Vec::new(), params: FxHashMap::default() };
        uses.block(&function.body);
        let mut changed = true;
        while changed {
            changed = false;
            for &(var, name) in uses.names.iter().rev() {
                let more = uses.reads[name].clone();
                changed |= uses.reads[var].add(&more);
            }
        }
        uses.reads
    }

    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::Field { base: Atom::Var(base), variant, index }) => {
                    self.reads[*base].add(&Reads::Fields(vec![(*variant, *index)]));
                }
                Stmt::Let(_, Op::Tag(_)) => {}
                Stmt::Let(var, Op::Copy(Atom::Var(copied))) => self.names.push((*copied, *var)),
                Stmt::Let(_, op) => walk::op_atoms(op, &mut |atom| self.read(atom, &Reads::All)),
                Stmt::Join(join) => {
                    self.params.insert(join.id, &join.params);
                    self.block(&join.body);
                }
                Stmt::Fill { value, .. } => self.read(*value, &Reads::All),
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        match &block.end {
            End::Return(atom) => self.read(*atom, self.returned),
            End::Jump(join, args) => {
                let params = self.params[join];
                for (&arg, &param) in args.iter().zip(params) {
                    if let Atom::Var(var) = arg {
                        self.names.push((var, param));
                    }
                }
            }
            End::Switch(switch) => walk::switch_blocks(switch).for_each(|block| self.block(block)),
            end => walk::end_atoms(end, &mut |atom| self.read(atom, &Reads::All)),
        }
    }

    fn read(&mut self, atom: Atom, reads: &Reads) {
        if let Atom::Var(var) = atom {
            self.reads[var].add(reads);
        }
    }
}

struct Versions {
    /// The version of a function of whose result only so much is read; `None` if it would make as much.
    known: FxHashMap<(FuncId, Reads), Option<FuncId>>,
    /// Versions that are being made: it is not known yet whether they save anything.
    open: Vec<FuncId>,
    changed: EntitySet<FuncId>,
    empty: StrId,
}

impl Versions {
    /// Leaves out of a function what is not read, if `returned` is read of its result; `true` if that saves anything.
    fn rewrite(&mut self, program: &mut Program, func: FuncId, returned: &Reads) -> bool {
        let reads = Uses::of(&program.funcs[func], returned);
        let mut calls = Vec::new();
        calls_of(&program.funcs[func].body, &mut |var, callee| {
            let reads = var.map_or(returned, |var| &reads[var]);
            if *reads != Reads::All {
                calls.push((callee, reads.clone()));
            }
        });
        let mut saves = false;
        for (callee, reads) in &calls {
            let version = self.version(program, *callee, reads);
            saves |= version.is_some_and(|version| !self.open.contains(&version));
        }
        let Program { funcs, types, type_defs, .. } = program;
        let mut body = std::mem::replace(&mut funcs[func].body, Block::new(Vec::new(), End::Unreachable));
        let vars = &mut funcs[func].vars;
        let mut stand_in = |ty: TypeId| stand_in(types, type_defs, self.empty, ty);
        let known = &self.known;
        let mut version = |var: Option<Var>, callee: FuncId| {
            let reads = var.map_or(returned, |var| &reads[var]);
            known.get(&(callee, reads.clone())).copied().flatten()
        };
        saves |= rewrite_block(&mut body, vars, &reads, &mut stand_in, &mut version);
        funcs[func].body = body;
        if saves {
            self.changed.insert(func);
        }
        saves
    }

    /// The version of a function of whose result so much is read, if it saves anything.
    fn version(&mut self, program: &mut Program, func: FuncId, reads: &Reads) -> Option<FuncId> {
        let key = (func, reads.clone());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let original = &program.funcs[func];
        if original.captures > 0 || original.inline == Inline::Never || func == program.entry {
            return None;
        }
        if !has_unread(program, program.funcs[func].ret, reads, self.empty) {
            return None;
        }
        let mut copy = program.funcs[func].clone();
        let number = self.known.keys().filter(|(other, _)| *other == func).count();
        copy.name = match number {
            0 => format!("{}.part", copy.name),
            number => format!("{}.part{}", copy.name, number + 1),
        }
        .into();
        let version = program.funcs.push(copy);
        // For calls in a circle, until it is known.
        self.known.insert(key.clone(), Some(version));
        self.open.push(version);
        let saves = self.rewrite(program, version, reads);
        self.open.pop();
        let known = saves.then_some(version);
        self.known.insert(key, known);
        known
    }
}

/// What stands for a value that nobody reads.
enum StandIn {
    Atom(Atom),
    EmptyArray,
}

/// Only for values that memory may be needed for: others cost nothing.
fn stand_in(
    types: &mut TypeStore,
    type_defs: &PrimaryMap<TypeDefId, TypeDef>,
    empty: StrId,
    ty: TypeId,
) -> Option<StandIn> {
    match types.get(ty).clone() {
        Type::Prim(Prim::Str) => Some(StandIn::Atom(Atom::Str(empty))),
        Type::Array(_) => Some(StandIn::EmptyArray),
        Type::Adt(def, _) => {
            let TypeDefKind::Sum(variants) = &type_defs[def].kind else { return None };
            let constant =
                (0..variants.len() as u32).find(|&variant| field_types(types, type_defs, ty, variant).is_empty())?;
            Some(StandIn::Atom(Atom::Int(i128::from(constant), ty)))
        }
        _ => None,
    }
}

/// Is there a part of a result that something could stand in for, since it is not read?
fn has_unread(program: &mut Program, result: TypeId, reads: &Reads, empty: StrId) -> bool {
    let Program { types, type_defs, .. } = program;
    let variants = match types.get(result) {
        Type::Adt(def, _) => match &type_defs[*def].kind {
            TypeDefKind::Sum(variants) => variants.len() as u32,
            _ => 1,
        },
        _ => 1,
    };
    (0..variants).any(|variant| {
        let fields = field_types(types, type_defs, result, variant);
        fields.into_iter().enumerate().any(|(index, field)| {
            !reads.has(variant, index as u32) && stand_in(types, type_defs, empty, field).is_some()
        })
    })
}

/// Every call of a function that is known, with the variable of its result; `None` where that is returned.
fn calls_of(block: &Block, f: &mut impl FnMut(Option<Var>, FuncId)) {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let(var, Op::Call(Callee::Func(func), _)) => f(Some(*var), *func),
            Stmt::Join(join) => calls_of(&join.body, f),
            _ => {}
        }
    }
    match &block.end {
        End::TailCall { callee: Callee::Func(func), .. } => f(None, *func),
        End::Switch(switch) => walk::switch_blocks(switch).for_each(|block| calls_of(block, f)),
        _ => {}
    }
}

/// `true` if a part of a value was left out.
fn rewrite_block(
    block: &mut Block,
    vars: &mut PrimaryMap<Var, VarInfo>,
    reads: &SecondaryMap<Var, Reads>,
    stand_in: &mut impl FnMut(TypeId) -> Option<StandIn>,
    version: &mut impl FnMut(Option<Var>, FuncId) -> Option<FuncId>,
) -> bool {
    let mut saves = false;
    let mut out = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts) {
        match &mut stmt {
            Stmt::Let(var, Op::Call(Callee::Func(func), _)) => {
                if let Some(version) = version(Some(*var), *func) {
                    *func = version;
                }
            }
            Stmt::Let(var, Op::Construct { variant, args, .. }) => {
                for (index, arg) in args.iter_mut().enumerate() {
                    let Atom::Var(part) = *arg else { continue };
                    if reads[*var].has(*variant, index as u32) {
                        continue;
                    }
                    let VarInfo { ty, span, .. } = vars[part];
                    match stand_in(ty) {
                        Some(StandIn::Atom(atom)) => *arg = atom,
                        Some(StandIn::EmptyArray) => {
                            let empty = vars.push(VarInfo { ty, name: None, span });
                            out.push(Stmt::Let(empty, Op::Array(Vec::new())));
                            *arg = Atom::Var(empty);
                        }
                        None => continue,
                    }
                    saves = true;
                }
            }
            Stmt::Join(join) => saves |= rewrite_block(&mut join.body, vars, reads, stand_in, version),
            _ => {}
        }
        out.push(stmt);
    }
    block.stmts = out;
    match &mut block.end {
        End::TailCall { callee: Callee::Func(func), .. } => {
            if let Some(version) = version(None, *func) {
                *func = version;
            }
        }
        End::Switch(switch) => {
            for block in walk::switch_blocks_mut(switch) {
                saves |= rewrite_block(block, vars, reads, stand_in, version);
            }
        }
        _ => {}
    }
    saves
}
