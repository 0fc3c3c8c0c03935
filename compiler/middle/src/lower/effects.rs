//! What do operations and handlers become?
//!
//! A handler in force is an object with a closure for each operation, `(arguments .., handler) -> result`; performing an operation
//! finds the innermost handler of the effect, at these type arguments, and calls the closure. What the closure does is up to its clause:
//! - *tail*: calls the clause, with what is around the handler in force;
//! - *never*: hands the arguments over and gives up the computation;
//! - *general*: hands the arguments over and stops the computation, which runs on a fiber.
//!
//! A computation that may be given up or stopped ends with a status: it has returned, or operation `n` wants its clause. The `step`
//! function of the handler takes what was handed over and calls the clause; the `resume` of a general clause goes on with the fiber
//! and comes to the next step. Types are those of the handler all the way: the operation and its clause agree on them.

use reml_diagnostics::Span;
use reml_semantics::typed::{Clause, ClauseKind, EffectId, ExprId, ExprKind, Handle, Perform};
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use super::build::FunctionBuilder;
use super::closure::closure_modes;
use super::function::FnLower;
use super::instances::Signature;
use crate::core::{Atom, Callee, Case, End, FuncId, Inline, Mode, Op, Var};
use crate::prim::PrimOp;

/// An effect at concrete type arguments.
pub struct EffectInstance {
    /// Operations by their number in handlers: the ones without generics of their own in order, then every instance of the others that
    /// has been met, with the tuple of its type arguments.
    slots: Vec<(u32, TypeId)>,
    /// How many of the slots the handlers lowered so far have.
    handled: Option<usize>,
}

/// What is known of an operation in a handler.
struct Slot {
    params: Vec<TypeId>,
    ret: TypeId,
    kind: ClauseKind,
    reentrant: bool,
    clause: Callable,
}

impl Slot {
    /// Does it leave even a fiber at once? What the clause captures, if anything, is in the handler, which the computation owns.
    fn aborts(&self) -> bool {
        self.kind == ClauseKind::Never && self.clause.atoms.is_empty()
    }
}

/// A function value, taken apart where it is a lambda: glue code that puts it together again calls known code.
struct Callable {
    func: Option<FuncId>,
    /// What the lambda captures, or the closure itself.
    atoms: Vec<Atom>,
    types: Vec<TypeId>,
    ty: TypeId,
}

impl Callable {
    /// The closure over these captures.
    fn closure(&self, atoms: &[Atom], code: &mut FunctionBuilder, span: Span) -> Atom {
        match self.func {
            Some(func) => Atom::Var(code.emit(self.ty, Op::Closure(func, atoms.to_vec()), span)),
            None => atoms[0],
        }
    }
}

/// How a computation runs with its handler.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// All clauses resume last.
    InPlace,
    /// Some give up the computation.
    Abortable,
    /// Some resume it otherwise.
    Fiber,
}

impl Lower<'_> {
    /// The number of an effect at these source types.
    fn effect_instance(&mut self, effect: EffectId, args: &[TypeId]) -> usize {
        let key = (effect, self.types.intern(Type::Tuple(args.into())));
        if let Some(position) = self.effects.get_index_of(&key) {
            return position;
        }
        let empty = self.types.intern(Type::Tuple(Box::default()));
        let operations = self.src.effects[effect].operations.iter().enumerate();
        let slots = operations.filter(|(_, operation)| operation.arity == 0).map(|(index, _)| (index as u32, empty));
        let instance = EffectInstance { slots: slots.collect(), handled: None };
        self.effects.insert_full(key, instance).0
    }

    /// The number of an operation in handlers of the instance.
    fn operation_slot(&mut self, instance: usize, operation: u32, args: &[TypeId]) -> usize {
        let args = self.types.intern(Type::Tuple(args.into()));
        let slots = &mut self.effects[instance].slots;
        slots.iter().position(|&slot| slot == (operation, args)).unwrap_or_else(|| {
            slots.push((operation, args));
            slots.len() - 1
        })
    }

    /// Has every handler a slot for all instances of its operations?
    pub fn handlers_complete(&self) -> bool {
        self.effects.values().all(|instance| instance.handled.is_none_or(|count| count == instance.slots.len()))
    }

    /// Forgets which handlers have been lowered, so that lowering can start again with all instances known.
    pub fn known_effects(&mut self) -> super::Effects {
        self.effects.values_mut().for_each(|instance| instance.handled = None);
        std::mem::take(&mut self.effects)
    }

    /// What stands for an effect at run time.
    fn effect_number(&self, instance: usize) -> i64 {
        let Some(numbers) = &self.numbers else { return instance as i64 };
        let (&(effect, args), _) = self.effects.get_index(instance).expect("an instance that has been asked for");
        numbers.of(&self.effect_description(effect, args)).into()
    }

    /// The effects of the program, at which types, and the instances of their generic operations.
    pub fn effects_in_use(&self) -> impl Iterator<Item = (EffectId, TypeId, Vec<(u32, TypeId)>)> {
        self.effects.iter().map(|(&(effect, args), instance)| {
            let operations = &self.src.effects[effect].operations;
            let generic = |&&(operation, _): &&(u32, TypeId)| operations[operation as usize].arity > 0;
            (effect, args, instance.slots.iter().filter(generic).copied().collect())
        })
    }

    /// Core types of an operation's parameters and result.
    fn operation_types(&mut self, effect: EffectId, args: &[TypeId], operation: u32) -> (Vec<TypeId>, TypeId) {
        let def = &self.src.effects[effect].operations[operation as usize];
        let mut core = |ty| {
            let source = self.types.substitute(ty, args);
            self.core_type(source)
        };
        (def.params.iter().map(|param| core(param.ty)).collect(), core(def.ret))
    }

    fn handler_type(&mut self) -> TypeId {
        let ret = self.types.unit();
        self.types.intern(Type::Fn { params: Box::default(), ret })
    }

    fn continuation_type(&mut self) -> TypeId {
        crate::layout::continuation_type(&mut self.types)
    }

    /// The type of an operation's closure in a handler.
    fn operation_type(&mut self, params: &[TypeId], ret: TypeId) -> TypeId {
        let params = params.iter().copied().chain([self.types.prim(Prim::I64)]).collect();
        self.types.intern(Type::Fn { params, ret })
    }

    /// The type that arguments are handed over as.
    fn packed_type(&mut self, params: &[TypeId]) -> TypeId {
        match params {
            [only] => *only,
            _ => self.types.intern(Type::Tuple(params.into())),
        }
    }

    /// A function whose first `captures` parameters are a closure's.
    fn glue(
        &mut self,
        name: &str,
        span: Span,
        captures: usize,
        params: &[TypeId],
        ret: TypeId,
        write: impl FnOnce(&mut Self, &mut FunctionBuilder, &[Atom]),
    ) -> FuncId {
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&ty| code.var(ty, span)).collect();
        let unit = self.types.unit();
        let atoms: Vec<Atom> =
            vars.iter().zip(params).map(|(&var, &ty)| if ty == unit { Atom::Unit } else { Atom::Var(var) }).collect();
        write(self, &mut code, &atoms);
        let modes = closure_modes(captures, params.len());
        let signature = Signature { params: params.iter().map(|&ty| (ty, Mode::Owned)).collect(), ret };
        let func = self.reserve(name, span, signature, Inline::Auto);
        self.fill(func, vars, captures, modes, code);
        func
    }

    fn result(&self, code: &mut FunctionBuilder, ty: TypeId, op: Op, span: Span) -> Atom {
        let var = code.emit(ty, op, span);
        if self.types.is_unit(ty) { Atom::Unit } else { Atom::Var(var) }
    }

    /// Returns the result of an operation, if it has one.
    fn return_result(&self, code: &mut FunctionBuilder, ty: TypeId, op: Op, span: Span) {
        let result = self.result(code, ty, op, span);
        code.end(if self.types.is_never(ty) { End::Unreachable } else { End::Return(result) });
    }

    /// Calls a clause with what is around its handler in force.
    fn tail_operation(&mut self, name: &str, slot: &Slot, span: Span) -> FuncId {
        let i64 = self.types.prim(Prim::I64);
        let mut params = slot.clause.types.clone();
        params.extend(&slot.params);
        params.push(i64);
        let (captures, ret) = (slot.clause.types.len(), slot.ret);
        self.glue(name, span, captures, &params, ret, |l, code, atoms| {
            let (captured, rest) = atoms.split_at(captures);
            let [args @ .., handler] = rest else { unreachable!("the handler comes last") };
            let unit = l.types.unit();
            let outside = code.emit(i64, Op::Prim(PrimOp::HandlerEnter, vec![*handler]), span);
            let clause = slot.clause.closure(captured, code, span);
            let result = l.result(code, ret, Op::Call(Callee::Closure(clause), args.to_vec()), span);
            if l.types.is_never(ret) {
                return code.end(End::Unreachable);
            }
            code.emit(unit, Op::Prim(PrimOp::HandlerLeave, vec![Atom::Var(outside)]), span);
            code.end(End::Return(result));
        })
    }

    /// Hands its arguments over and leaves the computation, or stops it.
    fn leaving_operation(&mut self, name: &str, number: usize, slot: &Slot, style: Style, span: Span) -> FuncId {
        let i64 = self.types.prim(Prim::I64);
        let mut params = slot.params.clone();
        params.push(i64);
        let packed = self.packed_type(&slot.params);
        let (ret, reentrant, aborts) = (slot.ret, slot.reentrant, slot.aborts());
        self.glue(name, span, 0, &params, ret, |l, code, atoms| {
            let [args @ .., handler] = atoms else { unreachable!("the handler comes last") };
            let args = l.pack(code, packed, args, span);
            let number = Atom::Int(number as i128, i64);
            if style == Style::Fiber && !aborts {
                let reentrant = Atom::Int(i128::from(reentrant), i64);
                let op = Op::Prim(PrimOp::FiberSuspend, vec![*handler, number, reentrant, args]);
                return l.return_result(code, ret, op, span);
            }
            let never = l.types.prim(Prim::Never);
            code.emit(never, Op::Prim(PrimOp::HandlerAbort, vec![*handler, number, args]), span);
            code.end(End::Unreachable);
        })
    }

    /// Runs the computation, then the `return` clause outside of the handler.
    fn computation(
        &mut self,
        name: &str,
        span: Span,
        body: &Callable,
        last: Option<&Callable>,
        value: TypeId,
        ret: TypeId,
    ) -> FuncId {
        let mut types = vec![self.handler_type()];
        types.extend(&body.types);
        types.extend(last.iter().flat_map(|last| &last.types));
        self.glue(name, span, types.len(), &types, ret, |l, code, atoms| {
            let unit = l.types.unit();
            let (captured, rest) = atoms[1..].split_at(body.types.len());
            let body = body.closure(captured, code, span);
            let result = l.result(code, value, Op::Call(Callee::Closure(body), Vec::new()), span);
            if l.types.is_never(value) {
                return code.end(End::Unreachable);
            }
            code.emit(unit, Op::Prim(PrimOp::HandlerPop, vec![atoms[0]]), span);
            match last {
                Some(last) => {
                    let callee = Callee::Closure(last.closure(rest, code, span));
                    code.end(End::TailCall { callee, args: vec![result], span });
                }
                None => code.end(End::Return(result)),
            }
        })
    }

    /// Takes what a computation ended with: its result, or a request for a clause. Its parameters are the status, and what the
    /// clauses of a computation that is aborted capture. A fiber's are in the handler: a continuation owns them only as long as it can be
    /// resumed.
    fn step(&mut self, name: &str, span: Span, slots: &[Slot], style: Style, ret: TypeId) -> FuncId {
        let i64 = self.types.prim(Prim::I64);
        let leaving = || slots.iter().enumerate().filter(|(_, slot)| slot.kind != ClauseKind::Tail);
        let mut params = vec![i64];
        if style == Style::Abortable {
            params.extend(leaving().flat_map(|(_, slot)| &slot.clause.types));
        }
        let signature = Signature { params: params.iter().map(|&ty| (ty, Mode::Owned)).collect(), ret };
        let step = self.reserve(name, span, signature, Inline::Auto);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&ty| code.var(ty, span)).collect();
        let mut captured = vars[1..].iter().map(|&var| Atom::Var(var));
        let mut cases = Vec::new();
        let returned = code.in_block(|code| {
            let op = Op::Prim(PrimOp::PayloadTake, Vec::new());
            self.return_result(code, ret, op, span);
        });
        cases.push((Some(Case::Int(0)), returned));
        let mut environments = 0;
        for (at, slot) in leaving() {
            let resume = (slot.kind == ClauseKind::General)
                .then(|| self.resume(&format!("{name}.resume#{at}"), span, step, slot.ret, ret));
            let case = code.in_block(|code| {
                let continuation = (style == Style::Fiber && !slot.aborts()).then(|| {
                    let ty = self.continuation_type();
                    let again = Atom::Int(i128::from(slot.reentrant), i64);
                    Atom::Var(code.emit(ty, Op::Prim(PrimOp::ContinuationTake, vec![again]), span))
                });
                let taken = Op::Prim(PrimOp::PayloadTake, Vec::new());
                let mut args = self.unpack(code, taken, &slot.params, span);
                let clause = match continuation {
                    None if style == Style::Fiber => slot.clause.closure(&[], code, span),
                    None => {
                        let captured: Vec<Atom> = captured.by_ref().take(slot.clause.types.len()).collect();
                        slot.clause.closure(&captured, code, span)
                    }
                    Some(_) if slot.clause.atoms.is_empty() => slot.clause.closure(&[], code, span),
                    Some(continuation) => {
                        let number = slots.len() + environments;
                        environments += 1;
                        self.kept_clause(code, continuation, number, &slot.clause, span)
                    }
                };
                if let (Some((func, ty)), Some(continuation)) = (resume, continuation) {
                    args.push(Atom::Var(code.emit(ty, Op::Closure(func, vec![continuation]), span)));
                }
                if self.types.is_never(ret) {
                    code.emit(ret, Op::Call(Callee::Closure(clause), args), span);
                    return code.end(End::Unreachable);
                }
                code.end(End::TailCall { callee: Callee::Closure(clause), args, span });
            });
            cases.push((Some(Case::Int(at as i128 + 1)), case));
        }
        let mut none = super::build::Builder::default();
        none.end(End::Unreachable);
        cases.push((None, none));
        code.cursor.switch(Atom::Var(vars[0]), cases);
        self.fill(step, vars, 0, vec![Mode::Owned; params.len()], code);
        step
    }

    /// A clause of a handler whose computation is stopped, put together from what the handler keeps.
    fn kept_clause(
        &mut self,
        code: &mut FunctionBuilder,
        continuation: Atom,
        number: usize,
        clause: &Callable,
        span: Span,
    ) -> Atom {
        let i64 = self.types.prim(Prim::I64);
        let kept = Op::Prim(PrimOp::ContinuationClause, vec![continuation, Atom::Int(number as i128, i64)]);
        if clause.func.is_none() {
            return Atom::Var(code.emit(clause.ty, kept, span));
        }
        let packed = self.packed_type(&clause.types);
        let ty = self.types.intern(Type::Fn { params: Box::default(), ret: packed });
        let environment = Atom::Var(code.emit(ty, kept, span));
        let op = Op::Call(Callee::Closure(environment), Vec::new());
        let captured = self.unpack(code, op, &clause.types, span);
        clause.closure(&captured, code, span)
    }

    /// Several values as one.
    fn pack(&self, code: &mut FunctionBuilder, packed: TypeId, atoms: &[Atom], span: Span) -> Atom {
        match atoms {
            [] => Atom::Unit,
            [only] => *only,
            _ => Atom::Var(code.emit(packed, Op::Construct { variant: 0, args: atoms.to_vec(), token: None }, span)),
        }
    }

    /// The values of these types that `op` gives as one.
    fn unpack(&mut self, code: &mut FunctionBuilder, op: Op, params: &[TypeId], span: Span) -> Vec<Atom> {
        let packed = self.packed_type(params);
        let taken = self.result(code, packed, op, span);
        match params {
            [] => Vec::new(),
            [_] => vec![taken],
            _ => {
                let field = |(index, &ty): (usize, &TypeId)| {
                    self.result(code, ty, Op::Field { base: taken, variant: 0, index: index as u32 }, span)
                };
                params.iter().enumerate().map(field).collect()
            }
        }
    }

    /// The code of a `resume`, and its type.
    fn resume(&mut self, name: &str, span: Span, step: FuncId, answer: TypeId, ret: TypeId) -> (FuncId, TypeId) {
        let i64 = self.types.prim(Prim::I64);
        let params = [self.continuation_type(), answer];
        let func = self.glue(name, span, 1, &params, ret, |_, code, atoms| {
            let status = code.emit(i64, Op::Prim(PrimOp::FiberResume, atoms.to_vec()), span);
            code.end(End::TailCall { callee: Callee::Func(step), args: vec![Atom::Var(status)], span });
        });
        (func, self.types.intern(Type::Fn { params: [answer].into(), ret }))
    }
}

impl FnLower<'_, '_> {
    pub fn perform(&mut self, perform: &Perform, span: Span) -> Option<Atom> {
        let Perform { effect, effect_args, operation, type_args, args } = perform;
        let (effect, operation) = (*effect, *operation);
        let mut atoms = self.values(args)?;
        let effect_args: Vec<TypeId> = effect_args.iter().map(|&arg| self.source(arg)).collect();
        let type_args: Vec<TypeId> = type_args.iter().map(|&arg| self.source(arg)).collect();
        let instance = self.l.effect_instance(effect, &effect_args);
        let slot = self.l.operation_slot(instance, operation, &type_args);
        let all: Vec<TypeId> = effect_args.into_iter().chain(type_args).collect();
        let (params, ret) = self.l.operation_types(effect, &all, operation);
        let closure = self.l.operation_type(&params, ret);
        let i64 = self.i64();
        let handler =
            self.emit(i64, Op::Prim(PrimOp::HandlerFind, vec![self.int(self.l.effect_number(instance))]), span);
        let number = self.int(slot as i64);
        let clause = self.emit(closure, Op::Prim(PrimOp::HandlerClause, vec![handler, number]), span);
        atoms.push(handler);
        self.emitted(ret, Op::Call(Callee::Closure(clause), atoms), span)
    }

    pub fn handle(&mut self, expr: ExprId, handle: &Handle) -> Option<Atom> {
        let span = self.body.exprs[expr].span;
        let effect_args: Vec<TypeId> = handle.effect_args.iter().map(|&arg| self.source(arg)).collect();
        let instance = self.l.effect_instance(handle.effect, &effect_args);
        let numbers = self.l.effects[instance].slots.clone();
        self.l.effects[instance].handled = Some(numbers.len());

        let body = self.callable(handle.body)?;
        let last = match handle.ret {
            Some(ret) => Some(self.callable(ret)?),
            None => None,
        };
        let mut slots = Vec::with_capacity(numbers.len());
        for (operation, type_args) in numbers {
            let Type::Tuple(type_args) = self.l.types.get(type_args).clone() else { unreachable!("a tuple of types") };
            let all: Vec<TypeId> = effect_args.iter().chain(&type_args).copied().collect();
            let (params, ret) = self.l.operation_types(handle.effect, &all, operation);
            let clause = &handle.clauses[operation as usize];
            slots.push(self.clause(clause, &type_args, params, ret)?);
        }
        let style = if slots.iter().any(|slot| slot.kind == ClauseKind::General) {
            Style::Fiber
        } else if slots.iter().any(|slot| slot.kind == ClauseKind::Never) {
            Style::Abortable
        } else {
            Style::InPlace
        };

        let names = self.l.names;
        let name = format!("{}.{{handler {}}}", self.name, names.text(self.l.src.effects[handle.effect].name));
        let mut parts = vec![self.int(self.l.effect_number(instance))];
        for (number, slot) in slots.iter().enumerate() {
            let name = format!("{name}.op#{number}");
            let ty = self.l.operation_type(&slot.params, slot.ret);
            let op = if slot.kind == ClauseKind::Tail {
                Op::Closure(self.l.tail_operation(&name, slot, span), slot.clause.atoms.clone())
            } else {
                Op::Closure(self.l.leaving_operation(&name, number, slot, style, span), Vec::new())
            };
            parts.push(self.emit(ty, op, span));
        }
        let leaving: Vec<&Slot> = slots.iter().filter(|slot| slot.kind != ClauseKind::Tail).collect();
        if style == Style::Fiber {
            for slot in leaving.iter().filter(|slot| !slot.clause.atoms.is_empty()) {
                parts.push(self.environment(&format!("{name}.environment"), &slot.clause, span));
            }
        }
        let handler_ty = self.l.handler_type();
        let handler = self.emit(handler_ty, Op::Prim(PrimOp::HandlerNew, parts), span);

        let ret = self.expr_core(expr);
        let Type::Fn { ret: value, .. } = *self.l.types.get(body.ty) else { unreachable!("a computation") };
        let unit = self.unit();
        if style == Style::InPlace {
            self.emit(unit, Op::Prim(PrimOp::HandlerPush, vec![handler]), span);
            let computation = body.closure(&body.atoms, &mut self.cx.code, span);
            let result = self.emitted(value, Op::Call(Callee::Closure(computation), Vec::new()), span)?;
            self.emit(unit, Op::Prim(PrimOp::HandlerPop, vec![handler]), span);
            let Some(last) = last else { return Some(result) };
            let last = last.closure(&last.atoms, &mut self.cx.code, span);
            return self.emitted(ret, Op::Call(Callee::Closure(last), vec![result]), span);
        }

        let func = self.l.computation(&format!("{name}.computation"), span, &body, last.as_ref(), value, ret);
        let mut captures = vec![handler];
        captures.extend(body.atoms);
        captures.extend(last.into_iter().flat_map(|last| last.atoms));
        let whole_ty = self.l.types.intern(Type::Fn { params: Box::default(), ret });
        let whole = self.emit(whole_ty, Op::Closure(func, captures), span);
        let start = if style == Style::Fiber { PrimOp::FiberStart } else { PrimOp::HandlerRun };
        let i64 = self.i64();
        let mut args = vec![self.emit(i64, Op::Prim(start, vec![handler, whole]), span)];
        if style == Style::Abortable {
            args.extend(leaving.iter().flat_map(|slot| &slot.clause.atoms));
        }
        let step = self.l.step(&format!("{name}.step"), span, &slots, style, ret);
        self.emitted(ret, Op::Call(Callee::Func(step), args), span)
    }

    /// The result of an operation, unless it has none.
    fn emitted(&mut self, ty: TypeId, op: Op, span: Span) -> Option<Atom> {
        if self.l.types.is_never(ty) {
            self.cx.code.emit(ty, op, span);
            self.end(End::Unreachable);
            return None;
        }
        Some(self.emit(ty, op, span))
    }

    /// What a clause captures, as a closure that gives it: handlers hold closures. A clause that is none of ours is its own.
    fn environment(&mut self, name: &str, clause: &Callable, span: Span) -> Atom {
        if clause.func.is_none() {
            return clause.atoms[0];
        }
        let packed = self.l.packed_type(&clause.types);
        let func = self.l.glue(name, span, clause.types.len(), &clause.types, packed, |l, code, atoms| {
            let value = l.pack(code, packed, atoms, span);
            code.end(End::Return(value));
        });
        let ty = self.l.types.intern(Type::Fn { params: Box::default(), ret: packed });
        self.emit(ty, Op::Closure(func, clause.atoms.clone()), span)
    }

    /// A function value, taken apart if it is a lambda.
    fn callable(&mut self, expr: ExprId) -> Option<Callable> {
        let body = self.body;
        let ty = self.expr_core(expr);
        if let ExprKind::Lambda { params, body } = &body.exprs[expr].kind {
            let (func, atoms) = self.lambda_parts(expr, params, *body);
            let types = atoms.iter().map(|&atom| self.atom_type(atom)).collect();
            return Some(Callable { func: Some(func), atoms, types, ty });
        }
        let value = self.value(expr)?;
        Some(Callable { func: None, atoms: vec![value], types: vec![ty], ty })
    }

    /// A clause at one instance of its operation.
    fn clause(&mut self, clause: &Clause, type_args: &[TypeId], params: Vec<TypeId>, ret: TypeId) -> Option<Slot> {
        let outer = (!type_args.is_empty()).then(|| self.with_generics(clause.first_generic, type_args));
        let function = self.callable(clause.function);
        if let Some(outer) = outer {
            self.restore_generics(outer);
        }
        Some(Slot { params, ret, kind: clause.kind, reentrant: clause.reentrant, clause: function? })
    }
}
