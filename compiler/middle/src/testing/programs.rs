//! Small programs with known costs: how often they allocate, count and nest after optimisation.

use reml_diagnostics::Span;

use super::interpret::{Options, Outcome, run};
use super::world::{World, bind, construct, field};
use crate::core::{Atom, Block, Callee, Case, End, FuncId, Function, Global, Inline, Op, Stmt, Switch, Var};
use crate::core_verify::{Form, verify};
use crate::opt::{OptLevel, optimise};
use crate::prim::PrimOp;

fn compiled(mut world: World) -> Outcome {
    optimise(&mut world.program, OptLevel::Release);
    verify(&world.program, Form::Optimised).unwrap();
    crate::rc::count(&mut world.program);
    verify(&world.program, Form::Counted).unwrap();
    if std::env::var("REML_SHOW").is_ok() {
        println!("{}", crate::core_print::dump(&world.program));
    }
    run(&world.program, Options { counted: true, wrapping: true, steps: 1_000_000 }).unwrap()
}

fn call(func: u32, args: Vec<Atom>) -> Op {
    Op::Call(Callee::Func(FuncId::from_u32(func)), args)
}

fn tail(func: u32, args: Vec<Atom>) -> End {
    End::TailCall { callee: Callee::Func(FuncId::from_u32(func)), args, span: Span::NONE }
}

/// `switch xs { Nil -> nil, Cons(head, tail) -> cons }`
fn match_list(
    function: &mut Function,
    world: &World,
    list: Var,
    nil: End,
    cons: impl FnOnce(&mut Function, &mut Vec<Stmt>, Var, Var) -> End,
) -> End {
    let mut stmts = Vec::new();
    let head = bind(function, &mut stmts, world.int, field(list, 1, 0));
    let tail = bind(function, &mut stmts, world.list, field(list, 1, 1));
    let end = cons(function, &mut stmts, head, tail);
    End::Switch(Switch {
        scrutinee: Atom::Var(list),
        cases: vec![(Case::Variant(0), Block::new(Vec::new(), nil)), (Case::Variant(1), Block::new(stmts, end))],
        default: None,
    })
}

/// `f1: upto(n, acc) = if n <= 0 { acc } else { upto(n - 1, Cons(n, acc)) }`
fn upto(world: &World) -> Function {
    let mut function = world.function("upto", &[world.int, world.list], 0, world.list);
    let (n, acc) = (function.params[0], function.params[1]);
    let mut stmts = Vec::new();
    let zero = world.int_atom(0);
    let stop = bind(&mut function, &mut stmts, world.bool, Op::Prim(PrimOp::Le, vec![Atom::Var(n), zero]));
    let mut more = Vec::new();
    let one = world.int_atom(1);
    let less = bind(&mut function, &mut more, world.int, Op::Prim(PrimOp::WrappingSub, vec![Atom::Var(n), one]));
    let cell = bind(&mut function, &mut more, world.list, construct(1, vec![Atom::Var(n), Atom::Var(acc)]));
    let again = tail(1, vec![Atom::Var(less), Atom::Var(cell)]);
    function.body = Block::new(
        stmts,
        End::Switch(Switch {
            scrutinee: Atom::Var(stop),
            cases: vec![
                (Case::Bool(true), Block::new(Vec::new(), End::Return(Atom::Var(acc)))),
                (Case::Bool(false), Block::new(more, again)),
            ],
            default: None,
        }),
    );
    function
}

/// `f2: map(xs, f) = match xs { Nil -> Nil, Cons(h, t) -> Cons(f(h)'s sum, map(t, f)) }` with `f` a closure `i64 -> List`
/// whose result is the tail's head cell count; `f3` is the lambda.
fn map(world: &World) -> Function {
    let mut function = world.function("map", &[world.list], 0, world.list);
    let list = function.params[0];
    function.body = Block::new(Vec::new(), End::Unreachable);
    let mut nil = Vec::new();
    let empty = bind(&mut function, &mut nil, world.list, construct(0, Vec::new()));
    let end = match_list(&mut function, world, list, End::Return(Atom::Var(empty)), |function, out, head, rest| {
        let one = world.int_atom(1);
        let more = bind(function, out, world.int, Op::Prim(PrimOp::WrappingAdd, vec![Atom::Var(head), one]));
        let mapped = bind(function, out, world.list, call(2, vec![Atom::Var(rest)]));
        let cell = bind(function, out, world.list, construct(1, vec![Atom::Var(more), Atom::Var(mapped)]));
        End::Return(Atom::Var(cell))
    });
    function.body = Block::new(nil, end);
    function
}

/// `sum(xs, acc)`
fn sum(world: &World) -> Function {
    let mut function = world.function("sum", &[world.list, world.int], 0, world.int);
    let (list, acc) = (function.params[0], function.params[1]);
    let end = match_list(&mut function, world, list, End::Return(Atom::Var(acc)), |function, out, head, rest| {
        let args = vec![Atom::Var(acc), Atom::Var(head)];
        let total = bind(function, out, world.int, Op::Prim(PrimOp::WrappingAdd, args));
        tail(3, vec![Atom::Var(rest), Atom::Var(total)])
    });
    function.body = Block::new(Vec::new(), end);
    function
}

/// `main = { xs = upto(1000, Nil); ys = map(xs); emit(sum(ys, 0)); emit(sum(ys, 0)) }`
fn map_and_sum() -> World {
    let mut world = World::new();
    let mut main = world.function("main", &[], 0, world.int);
    let mut out = Vec::new();
    let nil = bind(&mut main, &mut out, world.list, construct(0, Vec::new()));
    let xs = bind(&mut main, &mut out, world.list, call(1, vec![world.int_atom(1000), Atom::Var(nil)]));
    let ys = bind(&mut main, &mut out, world.list, call(2, vec![Atom::Var(xs)]));
    for _ in 0..2 {
        let total = bind(&mut main, &mut out, world.int, call(3, vec![Atom::Var(ys), world.int_atom(0)]));
        bind(&mut main, &mut out, world.unit, Op::CallRuntime(world.emit, vec![Atom::Var(total)]));
    }
    main.body = Block::new(out, End::Return(world.int_atom(0)));
    for function in [main, upto(&world), map(&world), sum(&world)] {
        world.program.funcs.push(function);
    }
    world
}

/// A unique list is mapped in place, in constant stack, and summed without a change of counts.
#[test]
fn mapping_a_unique_list_allocates_nothing() {
    let outcome = compiled(map_and_sum());
    assert_eq!(outcome.stdout, "501500\n501500\n");
    assert_eq!(outcome.stats.allocations, 1000);
    assert_eq!(outcome.stats.reused, 1000);
    assert_eq!(outcome.stats.dups, 0);
    assert!(outcome.stats.max_depth <= 3, "{:?}", outcome.stats);
}

/// What a function marked `@inline(once)` makes of constants is made once, however often the code with the call runs, and after the
/// globals that it is made of.
#[test]
fn constants_are_made_once() {
    let mut world = World::new();
    let length = world.program.globals.push(Global { name: "length".into(), ty: world.int });

    // `f2: table(n) = upto(n, Nil)`, once; `f3` is `sum`; `f4: total() = sum(table(length), 0)`.
    let mut table = world.function("table", &[world.int], 0, world.list);
    table.inline = Inline::Once;
    let mut out = Vec::new();
    let nil = bind(&mut table, &mut out, world.list, construct(0, Vec::new()));
    table.body = Block::new(out, tail(1, vec![Atom::Var(table.params[0]), Atom::Var(nil)]));

    let mut total = world.function("total", &[], 0, world.int);
    total.inline = Inline::Never;
    let mut out = Vec::new();
    let count = bind(&mut total, &mut out, world.int, Op::GlobalGet(length));
    let numbers = bind(&mut total, &mut out, world.list, call(2, vec![Atom::Var(count)]));
    total.body = Block::new(out, tail(3, vec![Atom::Var(numbers), world.int_atom(0)]));

    let mut main = world.function("main", &[], 0, world.int);
    let mut out = Vec::new();
    bind(&mut main, &mut out, world.unit, Op::GlobalSet(length, world.int_atom(1000)));
    for _ in 0..3 {
        let sum = bind(&mut main, &mut out, world.int, call(4, Vec::new()));
        bind(&mut main, &mut out, world.unit, Op::CallRuntime(world.emit, vec![Atom::Var(sum)]));
    }
    main.body = Block::new(out, End::Return(world.int_atom(0)));
    for function in [main, upto(&world), table, sum(&world), total] {
        world.program.funcs.push(function);
    }
    let outcome = compiled(world);
    assert_eq!(outcome.stdout, "500500\n500500\n500500\n");
    assert_eq!(outcome.stats.allocations, 1000);
}
