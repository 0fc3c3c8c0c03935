//! Hand-made typed bodies, lowered, verified, counted and run by the interpreter.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::Span;
use reml_semantics::typed::{
    Arm, BinaryOp, Body, Dsls, Expr, ExprId, ExprKind, FieldDef, FnDef, FnId, FnKind, InlineHint, LangItems, Local,
    LocalId, Module, ModuleId, ParamDef, Pattern, PatternId, PatternKind, Place, PlaceStep, Program, Stmt, TypeDef,
    TypeDefId, TypeDefKind, VariantDef,
};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use reml_syntax::names::Names;

use crate::core_verify::{Form, verify};
use crate::lower::{LowerOptions, lower};
use crate::testing::interpret;

/// A typed program under construction.
struct Make {
    program: Program,
    names: Names,
    module: ModuleId,
    list: TypeDefId,
}

/// One body under construction.
#[derive(Default)]
struct Code {
    locals: PrimaryMap<LocalId, Local>,
    exprs: PrimaryMap<ExprId, Expr>,
    patterns: PrimaryMap<PatternId, Pattern>,
    params: Vec<PatternId>,
}

impl Code {
    fn expr(&mut self, ty: TypeId, kind: ExprKind) -> ExprId {
        self.exprs.push(Expr { kind, ty, span: Span::NONE })
    }

    fn local(&mut self, ty: TypeId) -> LocalId {
        self.locals.push(Local { name: None, ty, span: Span::NONE, mutable: false, boxed: false, global: None })
    }

    fn var(&mut self, ty: TypeId) -> LocalId {
        self.locals.push(Local { name: None, ty, span: Span::NONE, mutable: true, boxed: false, global: None })
    }

    fn get(&mut self, local: LocalId) -> ExprId {
        let ty = self.locals[local].ty;
        self.expr(ty, ExprKind::Local(local))
    }

    fn pat(&mut self, ty: TypeId, kind: PatternKind) -> PatternId {
        self.patterns.push(Pattern { kind, ty, span: Span::NONE })
    }

    fn bind(&mut self, local: LocalId) -> PatternId {
        let ty = self.locals[local].ty;
        self.pat(ty, PatternKind::Bind(local, None))
    }

    fn let_(&mut self, local: LocalId, value: ExprId) -> Stmt {
        Stmt::Let { pattern: self.bind(local), value }
    }

    fn finish(self, root: ExprId) -> Body {
        Body {
            locals: self.locals,
            exprs: self.exprs,
            patterns: self.patterns,
            params: self.params,
            root,
            escapes: Vec::new(),
        }
    }
}

impl Make {
    fn new() -> Make {
        let mut names = Names::new();
        let types = TypeStore::new();
        let mut modules = PrimaryMap::new();
        let module = modules.push(Module { name: "main".into(), parent: None, is_core: false });
        let mut type_defs: PrimaryMap<TypeDefId, TypeDef> = PrimaryMap::new();
        let list = type_defs.next_key();
        let mut types_ = types;
        let param = types_.intern(Type::Param(0));
        let tail = types_.intern(Type::Adt(list, [param].into()));
        let variant = |name: &str, fields: Vec<TypeId>, names: &mut Names| VariantDef {
            name: names.intern(name),
            fields: fields.into_iter().map(|ty| FieldDef { name: None, ty }).collect(),
            span: Span::NONE,
        };
        let variants = vec![variant("Nil", vec![], &mut names), variant("Cons", vec![param, tail], &mut names)];
        type_defs.push(TypeDef {
            name: names.intern("List"),
            module,
            span: Span::NONE,
            arity: 1,
            kind: TypeDefKind::Sum(variants),
        });
        let program = Program {
            types: types_,
            modules,
            library: Vec::new(),
            dsls: Dsls::default(),
            type_defs,
            fns: PrimaryMap::new(),
            globals: PrimaryMap::new(),
            traits: PrimaryMap::new(),
            impls: PrimaryMap::new(),
            effects: PrimaryMap::new(),
            lang: LangItems { list: Some(list), ..LangItems::default() },
            main: None,
            init_order: Vec::new(),
            tests: Vec::new(),
        };
        Make { program, names, module, list }
    }

    fn int(&self) -> TypeId {
        self.program.types.prim(Prim::I64)
    }

    fn bool(&self) -> TypeId {
        self.program.types.prim(Prim::Bool)
    }

    fn unit(&self) -> TypeId {
        self.program.types.unit()
    }

    fn list(&mut self, element: TypeId) -> TypeId {
        let list = self.list;
        self.program.types.intern(Type::Adt(list, [element].into()))
    }

    fn arrow(&mut self, params: &[TypeId], ret: TypeId) -> TypeId {
        self.program.types.intern(Type::Fn { params: params.into(), ret })
    }

    fn number(&self, code: &mut Code, value: i128) -> ExprId {
        code.expr(self.int(), ExprKind::Int(value))
    }

    fn binary(&self, code: &mut Code, op: BinaryOp, left: ExprId, right: ExprId) -> ExprId {
        let ty = match op {
            BinaryOp::Lt | BinaryOp::Eq | BinaryOp::Gt => self.bool(),
            _ => self.int(),
        };
        code.expr(ty, ExprKind::Binary { op, left, right })
    }

    fn assign(&self, code: &mut Code, local: LocalId, value: ExprId) -> Stmt {
        let place = Place { local, path: Vec::new() };
        Stmt::Expr(code.expr(self.unit(), ExprKind::Assign { place, value }))
    }

    fn function(&mut self, name: &str, params: &[TypeId], ret: TypeId, body: Body) -> FnId {
        let name = self.names.intern(name);
        let path = format!("main.{}", self.names.text(name)).into();
        self.program.fns.push(FnDef {
            name,
            path,
            module: self.module,
            span: Span::NONE,
            arity: 0,
            params: params.iter().map(|&ty| ParamDef { name: None, ty }).collect(),
            ret,
            effects: Vec::new(),
            inline: InlineHint::Auto,
            kind: FnKind::Reml(Box::new(body)),
        })
    }

    /// Lowers `main`, a function without parameters, counts and runs it.
    fn run(mut self, ret: TypeId, body: Body) -> String {
        let unit = self.unit();
        let mut start = Code::default();
        let callee_ty = self.arrow(&[], ret);
        let main = self.function("answer", &[], ret, body);
        let callee = start.expr(callee_ty, ExprKind::Fn(main, Vec::new()));
        let call = start.expr(ret, ExprKind::Call { callee, args: Vec::new() });
        let root = start.expr(unit, ExprKind::Block { stmts: vec![Stmt::Expr(call)], result: None });
        let entry = self.function("main", &[], unit, start.finish(root));
        self.program.main = Some(entry);
        let mut program = lower(&self.program, &self.names, &LowerOptions::default()).expect("lowers");
        verify(&program, Form::Lowered).expect("is well formed");
        program.entry = program.funcs.iter().find(|(_, f)| &*f.name == "main.answer").expect("is there").0;
        let options = |counted| interpret::Options { counted, wrapping: true, steps: 5_000_000 };
        let plain = interpret::run(&program, options(false)).unwrap().result;
        crate::rc::count(&mut program);
        verify(&program, Form::Counted).expect("is well formed when counted");
        assert_eq!(plain, interpret::run(&program, options(true)).unwrap().result);
        plain.trim_start_matches("Int(").trim_end_matches(')').to_owned()
    }
}

/// `var i = 0; var sum = 0; loop { if i > 9 { break sum }; i := i + 1; sum := sum + i }`
#[test]
fn loops_carry_their_variables() {
    let make = Make::new();
    let (int, unit) = (make.int(), make.unit());
    let never = make.program.types.prim(Prim::Never);
    let mut code = Code::default();
    let (i, sum) = (code.var(int), code.var(int));
    let zero = make.number(&mut code, 0);
    let zero2 = make.number(&mut code, 0);
    let mut stmts = vec![code.let_(i, zero), code.let_(sum, zero2)];
    let (read, nine) = (code.get(i), make.number(&mut code, 9));
    let cond = make.binary(&mut code, BinaryOp::Gt, read, nine);
    let result = code.get(sum);
    let then = code.expr(never, ExprKind::Break(Some(result)));
    let els = code.expr(unit, ExprKind::Tuple(Vec::new()));
    let test = code.expr(unit, ExprKind::If { cond, then, els });
    let (read, one) = (code.get(i), make.number(&mut code, 1));
    let next = make.binary(&mut code, BinaryOp::Add, read, one);
    let (a, b) = (code.get(sum), code.get(i));
    let step = make.assign(&mut code, i, next);
    let add = make.binary(&mut code, BinaryOp::Add, a, b);
    let add = make.assign(&mut code, sum, add);
    let body = code.expr(unit, ExprKind::Block { stmts: vec![Stmt::Expr(test), step, add], result: None });
    let loop_ = code.expr(int, ExprKind::Loop { body });
    let x = code.local(int);
    stmts.push(code.let_(x, loop_));
    let x = code.get(x);
    let root = code.expr(int, ExprKind::Block { stmts, result: Some(x) });
    assert_eq!(make.run(int, code.finish(root)), "55");
}

/// `fn bump(xs: &mut [Int], i: Int) { xs[i] := xs[i] + 1 }`, twice on a local array.
#[test]
fn mutable_parameters_come_back() {
    let mut make = Make::new();
    let (int, unit) = (make.int(), make.unit());
    let array = make.program.types.intern(Type::Array(int));
    let by_ref = make.program.types.intern(Type::Ref { mutable: true, inner: array });
    let mut code = Code::default();
    let (xs, i) = (code.local(by_ref), code.local(int));
    code.params = vec![code.bind(xs), code.bind(i)];
    let base = code.expr(array, ExprKind::Local(xs));
    let index = code.get(i);
    let old = code.expr(int, ExprKind::Index { base, index });
    let one = make.number(&mut code, 1);
    let value = make.binary(&mut code, BinaryOp::Add, old, one);
    let index = code.get(i);
    let place = Place { local: xs, path: vec![PlaceStep::Index { index, ty: int, span: Span::NONE }] };
    let root = code.expr(unit, ExprKind::Assign { place, value });
    let bump = make.function("bump", &[by_ref, int], unit, code.finish(root));

    let callee_ty = make.arrow(&[by_ref, int], unit);
    let mut code = Code::default();
    let xs = code.var(array);
    let items = (0..3).map(|n| make.number(&mut code, n)).collect();
    let items = code.expr(array, ExprKind::Array(items));
    let mut stmts = vec![code.let_(xs, items)];
    for _ in 0..2 {
        let callee = code.expr(callee_ty, ExprKind::Fn(bump, Vec::new()));
        let place = code.expr(by_ref, ExprKind::BorrowMut(Place { local: xs, path: Vec::new() }));
        let two = make.number(&mut code, 2);
        stmts.push(Stmt::Expr(code.expr(unit, ExprKind::Call { callee, args: vec![place, two] })));
    }
    let (base, index) = (code.get(xs), make.number(&mut code, 2));
    let result = code.expr(int, ExprKind::Index { base, index });
    let root = code.expr(int, ExprKind::Block { stmts, result: Some(result) });
    assert_eq!(make.run(int, code.finish(root)), "4");
}

/// `match [5, 6, 7] { [] -> 0, [x] -> x, [a, b, ..rest] when a > b -> 1, [a, _, c] -> a + c, _ -> 2 }`
#[test]
fn bracket_patterns_walk_lists() {
    let mut make = Make::new();
    let int = make.int();
    let list = make.list(int);
    let mut code = Code::default();
    let mut value = code.expr(list, ExprKind::Construct { variant: 0, args: Vec::new() });
    for n in [7, 6, 5] {
        let head = make.number(&mut code, n);
        value = code.expr(list, ExprKind::Construct { variant: 1, args: vec![head, value] });
    }
    let slice = |code: &mut Code, prefix: Vec<PatternId>, rest| {
        code.pat(list, PatternKind::Slice { prefix, rest, suffix: Vec::new() })
    };
    let mut arms = Vec::new();
    let arm = |pattern, guard, body| Arm { pattern, guard, body, span: Span::NONE };
    let empty = slice(&mut code, Vec::new(), None);
    arms.push(arm(empty, None, make.number(&mut code, 0)));
    let x = code.local(int);
    let bound = code.bind(x);
    let one = slice(&mut code, vec![bound], None);
    arms.push(arm(one, None, code.get(x)));
    let (a, b, rest) = (code.local(int), code.local(int), code.local(list));
    let items = vec![code.bind(a), code.bind(b)];
    let two = slice(&mut code, items, Some(Some(rest)));
    let (left, right) = (code.get(a), code.get(b));
    let guard = make.binary(&mut code, BinaryOp::Gt, left, right);
    arms.push(arm(two, Some(guard), make.number(&mut code, 1)));
    let (a, c) = (code.local(int), code.local(int));
    let wild = code.pat(int, PatternKind::Wildcard);
    let items = vec![code.bind(a), wild, code.bind(c)];
    let three = slice(&mut code, items, None);
    let (left, right) = (code.get(a), code.get(c));
    let sum = make.binary(&mut code, BinaryOp::Add, left, right);
    arms.push(arm(three, None, sum));
    let wild = code.pat(list, PatternKind::Wildcard);
    arms.push(arm(wild, None, make.number(&mut code, 2)));
    let root = code.expr(int, ExprKind::Match { scrutinee: value, arms });
    assert_eq!(make.run(int, code.finish(root)), "12");
}

/// A local recursive function with a capture, called and used as a value.
#[test]
fn local_functions_pass_their_captures() {
    let mut make = Make::new();
    let int = make.int();
    let arrow = make.arrow(&[int], int);
    let mut code = Code::default();
    let (step, f, n) = (code.local(int), code.local(arrow), code.local(int));
    let ten = make.number(&mut code, 10);
    let minus = make.number(&mut code, 4);
    let first = make.binary(&mut code, BinaryOp::Sub, ten, minus);
    let capture = code.let_(step, first);
    // |n| if n < 1 { 0 } else { step + f(n - 1) }
    let (read, one) = (code.get(n), make.number(&mut code, 1));
    let cond = make.binary(&mut code, BinaryOp::Lt, read, one);
    let then = make.number(&mut code, 0);
    let (read, one) = (code.get(n), make.number(&mut code, 1));
    let less = make.binary(&mut code, BinaryOp::Sub, read, one);
    let callee = code.get(f);
    let again = code.expr(int, ExprKind::Call { callee, args: vec![less] });
    let read = code.get(step);
    let els = make.binary(&mut code, BinaryOp::Add, read, again);
    let body = code.expr(int, ExprKind::If { cond, then, els });
    let params = vec![code.bind(n)];
    let lambda = code.expr(arrow, ExprKind::Lambda { params, body });
    // let g = f; g(3) + f(2)
    let g = code.local(arrow);
    let value = code.get(f);
    let alias = code.let_(g, value);
    let (callee, three) = (code.get(g), make.number(&mut code, 3));
    let left = code.expr(int, ExprKind::Call { callee, args: vec![three] });
    let (callee, two) = (code.get(f), make.number(&mut code, 2));
    let right = code.expr(int, ExprKind::Call { callee, args: vec![two] });
    let sum = make.binary(&mut code, BinaryOp::Add, left, right);
    let rest = code.expr(int, ExprKind::Block { stmts: vec![alias], result: Some(sum) });
    let rec_ = code.expr(int, ExprKind::LetRec { bindings: vec![(f, lambda)], rest });
    let root = code.expr(int, ExprKind::Block { stmts: vec![capture], result: Some(rec_) });
    assert_eq!(make.run(int, code.finish(root)), "30");
}

/// `match (3, true) { (1 | 2, _) -> 0, (1..=5, false) -> 1, (2..=9, true) | (_, false) -> 2, _ -> 3 }`
#[test]
fn ranges_and_alternatives_share_their_arms() {
    for (number, flag, expected) in
        [(1, true, "0"), (3, false, "1"), (3, true, "2"), (12, false, "2"), (12, true, "3"), (1, false, "0")]
    {
        let mut make = Make::new();
        let (int, bool) = (make.int(), make.bool());
        let pair = make.program.types.intern(Type::Tuple([int, bool].into()));
        let mut code = Code::default();
        let items = vec![make.number(&mut code, number), code.expr(bool, ExprKind::Bool(flag))];
        let scrutinee = code.expr(pair, ExprKind::Tuple(items));
        let mut arms = Vec::new();
        let mut arm = |code: &mut Code, pattern, result| {
            let body = code.expr(int, ExprKind::Int(result));
            arms.push(Arm { pattern, guard: None, body, span: Span::NONE });
        };
        let range =
            |code: &mut Code, start, end| code.pat(int, PatternKind::IntRange { start: Some(start), end: Some(end) });
        let one = code.pat(int, PatternKind::Int(1));
        let two = code.pat(int, PatternKind::Int(2));
        let small = code.pat(int, PatternKind::Or(vec![one, two]));
        let any = code.pat(bool, PatternKind::Wildcard);
        let first = code.pat(pair, PatternKind::Product(vec![small, any]));
        arm(&mut code, first, 0);
        let low = range(&mut code, 1, 5);
        let no = code.pat(bool, PatternKind::Bool(false));
        let second = code.pat(pair, PatternKind::Product(vec![low, no]));
        arm(&mut code, second, 1);
        let mid = range(&mut code, 2, 9);
        let yes = code.pat(bool, PatternKind::Bool(true));
        let left = code.pat(pair, PatternKind::Product(vec![mid, yes]));
        let any = code.pat(int, PatternKind::Wildcard);
        let no = code.pat(bool, PatternKind::Bool(false));
        let right = code.pat(pair, PatternKind::Product(vec![any, no]));
        let third = code.pat(pair, PatternKind::Or(vec![left, right]));
        arm(&mut code, third, 2);
        let rest = code.pat(pair, PatternKind::Wildcard);
        arm(&mut code, rest, 3);
        let root = code.expr(int, ExprKind::Match { scrutinee, arms });
        assert_eq!(make.run(int, code.finish(root)), expected, "({number}, {flag})");
    }
}
