//! Handlers and fibers on hand-written Core, as lowering writes it; ownership is made explicit by the counting pass.

mod support;

use reml_middle::core::*;
use reml_middle::prim::PrimOp;
use reml_semantics::types::{Prim, Type, TypeId};
use support::*;

struct Effects {
    b: Builder,
    handler: TypeId,
    continuation: TypeId,
}

/// A function whose first `captures` parameters are a closure's.
fn closure_fn(
    b: &mut Builder,
    name: &str,
    captures: usize,
    params: &[TypeId],
    ret: TypeId,
    body: impl FnOnce(&mut Body, &[Var]) -> End,
) -> FuncId {
    let id = b.declare(name, ret);
    b.define(id, params, body);
    let function = &mut b.program.funcs[id];
    function.captures = captures;
    function.modes[..captures].fill(Mode::Borrowed);
    id
}

impl Effects {
    fn new() -> Effects {
        let mut b = Builder::new();
        let unit = b.unit;
        let handler = b.ty(Type::Fn { params: Box::default(), ret: unit });
        let continuation = reml_middle::layout::continuation_type(&mut b.program.types);
        Effects { b, handler, continuation }
    }

    fn fn_type(&mut self, params: &[TypeId], ret: TypeId) -> TypeId {
        self.b.ty(Type::Fn { params: params.into(), ret })
    }

    /// Performs operation 0 of effect 0: `(int) -> int`.
    fn perform(&self, b: &mut Body, op_ty: TypeId, arg: Atom) -> Atom {
        let int = self.b.int;
        let handler = b.prim(int, PrimOp::HandlerFind, &[Atom::Int(0, int)]);
        let clause = b.prim(op_ty, PrimOp::HandlerClause, &[handler, Atom::Int(0, int)]);
        b.op(int, Op::Call(Callee::Closure(clause), vec![arg, handler]))
    }

    /// The closure of an operation `(int) -> int` that leaves its computation.
    fn leaving(&mut self, fiber: Option<bool>) -> FuncId {
        let (int, never) = (self.b.int, self.b.prim(Prim::Never));
        closure_fn(&mut self.b, "main.op", 0, &[int, int], int, |b, params| {
            let (arg, handler, number) = (var(params[0]), var(params[1]), Atom::Int(0, int));
            match fiber {
                None => {
                    b.prim(never, PrimOp::HandlerAbort, &[handler, number, arg]);
                    End::Unreachable
                }
                Some(reentrant) => {
                    let reentrant = Atom::Int(reentrant.into(), int);
                    End::Return(b.prim(int, PrimOp::FiberSuspend, &[handler, number, reentrant, arg]))
                }
            }
        })
    }

    fn expect(mut self, exit_code: i32) {
        reml_middle::rc::count(&mut self.b.program);
        self.b.expect(exit_code);
    }
}

/// Holds an array and a string while it performs; the result is the answer plus the array's length.
fn owner(e: &mut Effects, op_ty: TypeId) -> FuncId {
    let int = e.b.int;
    let array = e.b.ty(Type::Array(int));
    let id = e.b.declare("main.owner", int);
    let depth = {
        let mut function = Body { vars: Default::default(), joins: Default::default(), stmts: Vec::new(), line: 0 };
        let n = function.var(int);
        let xs = function.op(array, Op::Array(vec![var(n), var(n), var(n)]));
        let more = function.prim(e.b.bool, PrimOp::Gt, &[var(n), Atom::Int(0, int)]);
        let deeper = function.block(|b| {
            let less = b.prim(int, PrimOp::IntSub, &[var(n), Atom::Int(1, int)]);
            let inner = b.call(int, id, &[less]);
            let len = b.prim(int, PrimOp::ArrayLen, &[xs]);
            End::Return(b.prim(int, PrimOp::IntAdd, &[inner, len]))
        });
        let end = function.block(|b| {
            let answer = e.perform(b, op_ty, Atom::Int(5, int));
            let len = b.prim(int, PrimOp::ArrayLen, &[xs]);
            End::Return(b.prim(int, PrimOp::IntAdd, &[answer, len]))
        });
        (n, function, branch(more, deeper, end))
    };
    let (n, function, end) = depth;
    let target = &mut e.b.program.funcs[id];
    target.params = vec![n];
    target.modes = vec![Mode::Owned];
    target.vars = function.vars;
    target.joins = function.joins;
    target.body = Block::new(function.stmts, end);
    id
}

#[test]
fn a_tail_operation_is_a_call() {
    let mut e = Effects::new();
    let int = e.b.int;
    let unit = e.b.unit;
    let op_ty = e.fn_type(&[int, int], int);
    let handler_ty = e.handler;
    let op = closure_fn(&mut e.b, "main.op", 0, &[int, int], int, |b, params| {
        let outside = b.prim(int, PrimOp::HandlerEnter, &[var(params[1])]);
        let doubled = b.prim(int, PrimOp::IntMul, &[var(params[0]), Atom::Int(2, int)]);
        b.prim(unit, PrimOp::HandlerLeave, &[outside]);
        End::Return(doubled)
    });
    let owner = owner(&mut e, op_ty);
    e.b.entry(|b| {
        let op = b.op(op_ty, Op::Closure(op, Vec::new()));
        let handler = b.prim(handler_ty, PrimOp::HandlerNew, &[Atom::Int(0, int), op]);
        b.prim(unit, PrimOp::HandlerPush, &[handler]);
        let result = b.call(int, owner, &[Atom::Int(9, int)]);
        b.prim(unit, PrimOp::HandlerPop, &[handler]);
        result
    });
    e.expect(40);
}

/// `handler` around `owner(9)`, as a closure that pops its handler.
fn computation(e: &mut Effects, owner: FuncId) -> FuncId {
    let (int, unit, handler) = (e.b.int, e.b.unit, e.handler);
    closure_fn(&mut e.b, "main.computation", 1, &[handler], int, |b, params| {
        let result = b.call(int, owner, &[Atom::Int(9, int)]);
        b.prim(unit, PrimOp::HandlerPop, &[var(params[0])]);
        End::Return(result)
    })
}

#[test]
fn an_aborted_computation_leaves_nothing_behind() {
    let mut e = Effects::new();
    let (int, handler_ty) = (e.b.int, e.handler);
    let op_ty = e.fn_type(&[int, int], int);
    let run_ty = e.fn_type(&[], int);
    let op = e.leaving(None);
    let owner = owner(&mut e, op_ty);
    let computation = computation(&mut e, owner);
    e.b.entry(|b| {
        let op = b.op(op_ty, Op::Closure(op, Vec::new()));
        let handler = b.prim(handler_ty, PrimOp::HandlerNew, &[Atom::Int(0, int), op]);
        let run = b.op(run_ty, Op::Closure(computation, vec![handler]));
        let status = b.prim(int, PrimOp::HandlerRun, &[handler, run]);
        let payload = b.prim(int, PrimOp::PayloadTake, &[]);
        let status = b.prim(int, PrimOp::IntMul, &[status, Atom::Int(10, int)]);
        b.prim(int, PrimOp::IntAdd, &[status, payload])
    });
    e.expect(15);
}

/// Starts `owner(9)` on a fiber, answers its request with `answers` in turn, each time through the same continuation, and adds up
/// the statuses and payloads.
fn on_a_fiber(answers: &[i128], reentrant: bool) -> Effects {
    let mut e = Effects::new();
    let (int, handler_ty, continuation_ty) = (e.b.int, e.handler, e.continuation);
    let op_ty = e.fn_type(&[int, int], int);
    let run_ty = e.fn_type(&[], int);
    let op = e.leaving(Some(reentrant));
    let owner = owner(&mut e, op_ty);
    let computation = computation(&mut e, owner);
    e.b.entry(|b| {
        let op = b.op(op_ty, Op::Closure(op, Vec::new()));
        let handler = b.prim(handler_ty, PrimOp::HandlerNew, &[Atom::Int(0, int), op]);
        let run = b.op(run_ty, Op::Closure(computation, vec![handler]));
        let status = b.prim(int, PrimOp::FiberStart, &[handler, run]);
        let continuation = b.prim(continuation_ty, PrimOp::ContinuationTake, &[Atom::Int(reentrant.into(), int)]);
        let payload = b.prim(int, PrimOp::PayloadTake, &[]);
        let mut total = b.prim(int, PrimOp::IntAdd, &[status, payload]);
        for &answer in answers {
            let status = b.prim(int, PrimOp::FiberResume, &[continuation, Atom::Int(answer, int)]);
            let payload = b.prim(int, PrimOp::PayloadTake, &[]);
            total = b.prim(int, PrimOp::IntAdd, &[total, status]);
            total = b.prim(int, PrimOp::IntAdd, &[total, payload]);
        }
        total
    });
    e
}

#[test]
fn an_abandoned_computation_leaves_nothing_behind() {
    on_a_fiber(&[], false).expect(6);
}

#[test]
fn a_stopped_computation_goes_on_with_the_answer() {
    on_a_fiber(&[7], false).expect(6 + 37);
}

#[test]
fn a_reentrant_computation_goes_on_again_and_again() {
    on_a_fiber(&[], true).expect(6);
    on_a_fiber(&[7], true).expect(6 + 37);
    on_a_fiber(&[7, 8, 9], true).expect(6 + 37 + 38 + 39);
}

#[test]
fn a_second_resume_is_a_panic() {
    let mut e = on_a_fiber(&[7, 8], false);
    reml_middle::rc::count(&mut e.b.program);
    assert_eq!(e.b.run(), reml_codegen::RunOutcome { exit_code: 101, live_objects: None });
}
