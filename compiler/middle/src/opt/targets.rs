//! Which function is called through a closure? If all closures of a type are made of one function, that one.
//!
//! The program is closed, so all places where closures of a type are made are known. Where they agree on the function, calls name it, and
//! can be inlined; a value of the type is what the function captures, without an object around it, as long as that is
//! small. This is defunctionalisation [Reynolds 1972], of the types that need no tag.

use std::collections::BTreeMap;

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_diagnostics::Span;
use reml_semantics::typed::TypeDefKind;
use reml_semantics::types::{Type, TypeId, TypeStore};
use rustc_hash::FxHashSet;

use crate::core::{Atom, Block, Callee, End, FuncId, Function, Mode, Op, Program, Stmt, Var, VarInfo};
use crate::layout::{Layouts, MAX_SUM_SLOTS, RecursiveDefs, field_types};
use crate::prim::PrimOp;
use crate::walk;

/// Calls the functions that closures must be of by name; `true` if there were any.
pub fn resolve(program: &mut Program) -> bool {
    let mut resolved: BTreeMap<TypeId, FuncId> = BTreeMap::new();
    for (ty, func) in Makers::of(program).agreed() {
        if program.funcs[func].captures == 0 || unwrap(program, ty, func) {
            resolved.insert(ty, func);
        }
    }
    for function in program.funcs.values_mut() {
        let mut rewriter = Rewriter { resolved: &resolved, types: &program.types, vars: &mut function.vars };
        rewriter.block(&mut function.body);
    }
    !resolved.is_empty()
}

/// Who makes the closures of a type.
enum Maker {
    Only(FuncId),
    /// Several functions, or the runtime.
    Various,
}

/// What is known of closures by their types.
#[derive(Default)]
struct Makers {
    makers: BTreeMap<TypeId, Maker>,
    /// Types of closures that are called.
    called: FxHashSet<TypeId>,
    /// The type of the closures made of a function.
    made_as: SecondaryMap<FuncId, Option<TypeId>>,
}

impl Makers {
    fn of(program: &Program) -> Makers {
        let mut makers = Makers::default();
        for function in program.funcs.values() {
            makers.block(&function.body, function, program);
        }
        makers
    }

    fn agreed(self) -> impl Iterator<Item = (TypeId, FuncId)> {
        let called = self.called;
        self.makers.into_iter().filter_map(move |(ty, maker)| match maker {
            Maker::Only(func) if called.contains(&ty) => Some((ty, func)),
            _ => None,
        })
    }

    fn block(&mut self, block: &Block, function: &Function, program: &Program) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, op) => self.op(*var, op, function, program),
                Stmt::Join(join) => self.block(&join.body, function, program),
                _ => {}
            }
        }
        match &block.end {
            End::TailCall { callee: Callee::Closure(closure), .. } => self.called.extend(type_of(*closure, function)),
            End::Switch(switch) => {
                walk::switch_blocks(switch).for_each(|block| self.block(block, function, program));
            }
            _ => {}
        }
    }

    fn op(&mut self, var: Var, op: &Op, function: &Function, program: &Program) {
        match op {
            Op::Closure(func, _) => {
                let ty = function.vars[var].ty;
                match self.made_as[*func].replace(ty) {
                    Some(before) if before != ty => {
                        self.various(before);
                        self.various(ty);
                    }
                    _ => {}
                }
                match self.makers.get(&ty) {
                    None => {
                        self.makers.insert(ty, Maker::Only(*func));
                    }
                    Some(Maker::Only(other)) if other == func => {}
                    Some(_) => self.various(ty),
                }
            }
            Op::Call(Callee::Closure(closure), _) => self.called.extend(type_of(*closure, function)),
            Op::Prim(prim, _) if moves_values(*prim) => {}
            // These make closures of their own, or look at them.
            Op::Prim(..) | Op::CallRuntime(..) | Op::CallForeign(..) => {
                let mut closures = vec![function.vars[var].ty];
                walk::op_atoms(op, &mut |atom| closures.extend(type_of(atom, function)));
                for ty in closures {
                    if matches!(program.types.get(ty), Type::Fn { .. }) {
                        self.various(ty);
                    }
                }
            }
            _ => {}
        }
    }

    fn various(&mut self, ty: TypeId) {
        self.makers.insert(ty, Maker::Various);
    }
}

fn type_of(atom: Atom, function: &Function) -> Option<TypeId> {
    match atom {
        Atom::Var(var) => Some(function.vars[var].ty),
        _ => None,
    }
}

/// Does it treat values of all types alike?
pub fn moves_values(prim: PrimOp) -> bool {
    use PrimOp::*;
    matches!(
        prim,
        ArrayGet
            | ArrayGetUnchecked
            | ArraySet
            | ArraySetUnchecked
            | ArrayPush
            | ArrayFilled
            | ArrayTake
            | ArrayPut
            | FixedGet
            | FixedSet
            | CellNew
            | CellGet
            | CellSet
            | CellTake
            | FiberSuspend
            | FiberResume
            | FiberResumeLast
            | FiberContinue
            | HandlerAbort
            | PayloadTake
    )
}

/// Turns the closures of a type into tuples of what they capture; `false` if they should stay closures.
fn unwrap(program: &mut Program, ty: TypeId, func: FuncId) -> bool {
    let function = &program.funcs[func];
    let captured: Vec<TypeId> =
        function.params[..function.captures].iter().map(|&param| function.vars[param].ty).collect();
    let mut seen = FxHashSet::default();
    if captured.iter().any(|&part| contains(program, part, ty, &mut seen)) {
        return false;
    }
    let mut layouts = Layouts::new(RecursiveDefs::of(&program.types, &program.type_defs));
    let slots: usize =
        captured.iter().map(|&part| layouts.of(&mut program.types, &program.type_defs, part).slots.len()).sum();
    if slots > MAX_SUM_SLOTS {
        return false;
    }
    program.types.redefine(ty, Type::Tuple(captured.into()));
    let function = &mut program.funcs[func];
    function.modes[..function.captures].fill(Mode::Owned);
    function.captures = 0;
    true
}

/// Does a value of type `outer` hold values of type `inner`, other than in closures?
fn contains(program: &mut Program, outer: TypeId, inner: TypeId, seen: &mut FxHashSet<TypeId>) -> bool {
    if outer == inner {
        return true;
    }
    if !seen.insert(outer) {
        return false;
    }
    let parts = match program.types.get(outer) {
        Type::Array(element) | Type::VarCell(element) => vec![*element],
        Type::Adt(def, args) => {
            let mut parts = args.to_vec();
            let variants = match &program.type_defs[*def].kind {
                TypeDefKind::Sum(variants) => variants.len() as u32,
                _ => 1,
            };
            for variant in 0..variants {
                parts.extend(field_types(&mut program.types, &program.type_defs, outer, variant));
            }
            parts
        }
        Type::FixedArray(element, _) => vec![*element],
        _ => field_types(&mut program.types, &program.type_defs, outer, 0),
    };
    parts.into_iter().any(|part| contains(program, part, inner, seen))
}

struct Rewriter<'a> {
    resolved: &'a BTreeMap<TypeId, FuncId>,
    types: &'a TypeStore,
    vars: &'a mut PrimaryMap<Var, VarInfo>,
}

impl Rewriter<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut out = Vec::with_capacity(block.stmts.len());
        for mut stmt in std::mem::take(&mut block.stmts) {
            match &mut stmt {
                Stmt::Let(var, op @ Op::Closure(..)) => {
                    if let Op::Closure(_, captures) = op
                        && let Type::Tuple(_) = self.types.get(self.vars[*var].ty)
                    {
                        *op = Op::Construct { variant: 0, args: std::mem::take(captures), token: None };
                    }
                }
                Stmt::Let(var, Op::Call(callee, args)) => {
                    let span = self.vars[*var].span;
                    self.call(callee, args, span, &mut out);
                }
                Stmt::Join(join) => self.block(&mut join.body),
                _ => {}
            }
            out.push(stmt);
        }
        match &mut block.end {
            End::TailCall { callee, args, span } => self.call(callee, args, *span, &mut out),
            End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| self.block(block)),
            _ => {}
        }
        block.stmts = out;
    }

    fn call(&mut self, callee: &mut Callee, args: &mut Vec<Atom>, span: Span, out: &mut Vec<Stmt>) {
        let Callee::Closure(Atom::Var(closure)) = *callee else { return };
        let ty = self.vars[closure].ty;
        let Some(&func) = self.resolved.get(&ty) else { return };
        if let Type::Tuple(captured) = self.types.get(ty) {
            let mut all = Vec::with_capacity(captured.len() + args.len());
            for (index, &ty) in captured.iter().enumerate() {
                let var = self.vars.push(VarInfo { ty, name: None, span });
                let base = Atom::Var(closure);
                out.push(Stmt::Let(var, Op::Field { base, variant: 0, index: index as u32 }));
                all.push(Atom::Var(var));
            }
            all.append(args);
            *args = all;
        }
        *callee = Callee::Func(func);
    }
}
