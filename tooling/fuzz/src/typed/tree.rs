//! The programs that are generated: a typed tree of a part of Reml, and its text.
//!
//! The types and functions of [`PRELUDE`] are in every program.

use std::fmt::Write as _;
use std::rc::Rc;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ty {
    Int,
    I16,
    I32,
    U8,
    U32,
    U64,
    Bool,
    Str,
    Tree,
    Shape,
    Rec,
    Opt(Box<Ty>),
    /// `Result<T, Str>`
    Res(Box<Ty>),
    List(Box<Ty>),
    Arr(Box<Ty>),
    Pair(Box<Ty>, Box<Ty>),
    Fun(Box<Ty>, Box<Ty>),
}

pub type VarId = usize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Ge,
}

/// What a named operation does when the result does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Explicit {
    Wrapping,
    Saturating,
    /// Gives an option.
    Checked,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bits {
    And,
    Or,
    Xor,
    /// By an `Int`, as the next one.
    Shl,
    Shr,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Int(i64, Ty),
    Bool(bool),
    Str(String),
    Var(VarId),
    Arith(Arith, Ty, Box<Expr>, Box<Expr>),
    Explicit(Explicit, Arith, Ty, Box<Expr>, Box<Expr>),
    Bits(Bits, Ty, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Block(Vec<Stmt>, Box<Expr>),
    Cast(Box<Expr>, Ty),
    Concat(Box<Expr>, Box<Expr>),
    Show(Box<Expr>),
    Len(Box<Expr>),
    Pair(Box<Expr>, Box<Expr>),
    Part(Box<Expr>, u8),
    Some(Box<Expr>),
    None(Ty),
    MatchOpt(Box<Expr>, VarId, Box<Expr>, Box<Expr>),
    Ok(Box<Expr>),
    Err(Box<Expr>),
    /// With the variables of both variants.
    MatchRes(Box<Expr>, [VarId; 2], Box<Expr>, Box<Expr>),
    /// What is in an option or a result, or else the end of the function.
    Try(Box<Expr>),
    List(Vec<Expr>, Ty),
    Cons(Box<Expr>, Box<Expr>),
    MatchList(Box<Expr>, VarId, VarId, Box<Expr>, Box<Expr>),
    Array(Vec<Expr>, Ty),
    Index(Box<Expr>, Box<Expr>),
    Rec(Box<Expr>, Box<Expr>, Box<Expr>),
    Field(Box<Expr>, usize),
    With(Box<Expr>, usize, Box<Expr>),
    Leaf,
    Node(Box<Expr>, Box<Expr>, Box<Expr>),
    MatchTree(Box<Expr>, [VarId; 3], Box<Expr>, Box<Expr>),
    Dot,
    Circle(Box<Expr>),
    Rect(Box<Expr>, Box<Expr>),
    Named(Box<Expr>, Box<Expr>),
    /// With the variables of each variant; a guard on the circle.
    MatchShape(Box<Expr>, [VarId; 5], [Box<Expr>; 5]),
    /// Of an `Option<(Int, List<T>)>`: patterns within patterns, with a guard on the first arm.
    MatchDeep(Box<Expr>, [VarId; 7], [Box<Expr>; 5]),
    /// Of a tree: whether it has branches on the left.
    MatchBranch(Box<Expr>, [VarId; 4], [Box<Expr>; 3]),
    MatchInt(Box<Expr>, Vec<(i64, Expr)>, Box<Expr>),
    Lambda(VarId, Ty, Box<Expr>),
    Apply(Box<Expr>, Box<Expr>),
    Call(usize, Vec<Expr>),
    /// `size` of the trait `Sized2`.
    Size(Box<Expr>),
    /// `twice`, its default method.
    Twice(Box<Expr>),
    Pick(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `total`, generic over what is `Sized2`.
    Total(Box<Expr>, Box<Expr>),
    /// `mix`, generic over what can be poured into what: a number or a text into a tree or a list.
    Mix(Box<Expr>, Box<Expr>),
    Loop(Box<Loop>),
    Map(Box<Expr>, VarId, Ty, Box<Expr>),
    Filter(Box<Expr>, VarId, Ty, Box<Expr>),
    Fold(Box<Expr>, Box<Expr>, [VarId; 2], Box<Expr>),
    /// The operation of the effect with this number, `(Int) -> Int`.
    Perform(usize, Box<Expr>),
    Handle(Rc<Handle>),
    Drive(Rc<Drive>),
}

/// A loop whose value is that of its `break`s: of the last one when a variable has counted down to 0.
#[derive(Clone, Debug)]
pub struct Loop {
    pub counter: VarId,
    pub from: i64,
    pub ty: Ty,
    pub result: VarId,
    pub body: Vec<Stmt>,
    pub last: Expr,
}

/// A computation that is stopped at its operations. Its `resume` is kept in a value, and called from a loop.
#[derive(Clone, Debug)]
pub struct Drive {
    pub handle: Rc<Handle>,
    /// The variable of the loop.
    pub step: VarId,
    /// It is resumed so many times.
    pub fuel: i64,
    pub answer: Expr,
    /// What the computation came to, and what the whole comes to.
    pub value: VarId,
    pub done: Expr,
    pub instead: Expr,
    pub result: VarId,
}

#[derive(Clone, Debug)]
pub struct Handle {
    pub effect: usize,
    pub body: Expr,
    pub ret: Option<(VarId, Expr)>,
    pub ty: Ty,
    /// The operation's argument.
    pub arg: VarId,
    pub clause: Clause,
}

/// What a handler does with an operation.
#[derive(Clone, Debug)]
pub enum Clause {
    /// Resumes last, with this.
    Tail(Box<Expr>),
    /// Ends the computation, which is worth this.
    Abort(Box<Expr>),
    /// Ends it under a condition, resumes last with a number under another one, else resumes and makes something of what comes of it.
    Resume {
        unless: Box<Expr>,
        instead: Box<Expr>,
        plainly: Box<Expr>,
        answer: Box<Expr>,
        result: VarId,
        then: Box<Expr>,
    },
    /// The same of a reentrant operation: resumes twice.
    Branch {
        unless: Box<Expr>,
        instead: Box<Expr>,
        plainly: Box<Expr>,
        answers: [Box<Expr>; 2],
        results: [VarId; 2],
        then: Box<Expr>,
    },
    /// Gives the argument and `resume` to a [`Drive`], as they are or in a lambda.
    Store { in_lambda: bool },
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(VarId, Ty, Expr),
    Var(VarId, Ty, Expr),
    Assign(VarId, Expr),
    AssignIndex(VarId, Expr, Expr),
    AssignField(VarId, usize, Expr),
    Push(VarId, Expr),
    For(VarId, i64, i64, Vec<Stmt>),
    ForIn(VarId, Expr, Vec<Stmt>),
    /// A variable that counts down to 0.
    While(VarId, i64, Vec<Stmt>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    Print(Expr),
    ReturnIf(Expr, Expr),
    BreakIf(Expr),
    BreakWith(Expr, Expr),
    ContinueIf(Expr),
    Defer(Expr),
}

#[derive(Clone, Debug)]
pub struct Function {
    pub params: Vec<(VarId, Ty)>,
    pub ret: Ty,
    pub body: Expr,
    /// The first parameter counts down; the function calls itself with one less, and answers this at 0.
    pub base: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct Program {
    pub functions: Vec<Function>,
    pub main: Vec<Stmt>,
}

/// Names of the fields of `Rec`.
pub const FIELDS: [&str; 3] = ["count", "flag", "label"];

pub const PRELUDE: &str = r#"type Tree = Leaf | Node(Tree, Int, Tree)
type Shape = Dot | Circle(Int) | Rect { w: Int, h: Int } | Named(Str, Tree)
type Rec = { count: Int, flag: Bool, label: Str }

trait Sized2 {
  fn size(&self) -> Int;
  fn twice(&self) -> Int = self.size() * 2
}
impl Sized2 for Tree {
  fn size(&self) -> Int = match self with
    | Leaf -> 0
    | Node(l, _, r) -> l.size() + 1 + r.size()
}
impl Sized2 for Rec { fn size(&self) -> Int = self.label.len() + 1 }
impl<T> Sized2 for List<T> { fn size(&self) -> Int = self.len() }
impl<T> Sized2 for Option<T> {
  fn size(&self) -> Int = if self.is_some() { 1 } else { 0 }
  fn twice(&self) -> Int = 7
}
impl<A: Sized2, B: Sized2> Sized2 for (A, B) { fn size(&self) -> Int = self.0.size() + self.1.size() }
trait Pour<T> { fn pour(&self, more: T) -> Int; }
impl Pour<Int> for Tree { fn pour(&self, more: Int) -> Int = self.size() - more }
impl Pour<Str> for Tree { fn pour(&self, more: Str) -> Int = self.size() + more.len() }
impl<T> Pour<Int> for List<T> { fn pour(&self, more: Int) -> Int = more - self.len() }
impl<T> Pour<Str> for List<T> { fn pour(&self, more: Str) -> Int = self.len() * 2 + more.len() }
fn total<T: Sized2>(a: T, b: T) -> Int = a.twice() - b.size()
fn mix<A, B>(a: A, b: B) -> Int where A: Pour<B> = a.pour(b)
fn pick<T>(first: Bool, a: T, b: T) -> T = if first { a } else { b }
effect E0 { operation op0(n: Int) -> Int }
effect E1 { operation op1(n: Int) -> Int }
effect E2 { @reentrant operation op2(n: Int) -> Int }
effect E3 { operation op3(n: Int) -> Int }
type Step<T> = Done(T) | Paused(Int, (Int) -> Step<T>)

"#;

/// How many effects there are.
pub const EFFECTS: usize = 4;
/// Its operation is reentrant; its clauses are [`Clause::Branch`].
pub const REENTRANT: usize = 2;
/// Its clauses are [`Clause::Store`].
pub const STORED: usize = 3;

impl Ty {
    pub fn text(&self) -> String {
        match self {
            Ty::Int => "Int".into(),
            Ty::I16 => "i16".into(),
            Ty::I32 => "i32".into(),
            Ty::U8 => "u8".into(),
            Ty::U32 => "u32".into(),
            Ty::U64 => "u64".into(),
            Ty::Bool => "Bool".into(),
            Ty::Str => "Str".into(),
            Ty::Tree => "Tree".into(),
            Ty::Shape => "Shape".into(),
            Ty::Rec => "Rec".into(),
            Ty::Opt(ty) => format!("Option<{}>", ty.text()),
            Ty::Res(ty) => format!("Result<{}, Str>", ty.text()),
            Ty::List(ty) => format!("List<{}>", ty.text()),
            Ty::Arr(ty) => format!("[{}]", ty.text()),
            Ty::Pair(a, b) => format!("({}, {})", a.text(), b.text()),
            Ty::Fun(a, b) => format!("({}) -> {}", a.text(), b.text()),
        }
    }
}

/// The program as Reml source.
pub fn print(program: &Program) -> String {
    let mut out = String::from(PRELUDE);
    for (at, function) in program.functions.iter().enumerate() {
        let params: Vec<String> = function.params.iter().map(|(id, ty)| format!("v{id}: {}", ty.text())).collect();
        let body = expr(&function.body);
        let body = match &function.base {
            Some(base) => format!("if v{} <= 0 {{ {} }} else {{ {body} }}", function.params[0].0, expr(base)),
            None => body,
        };
        // Writing to memory does not fail.
        let _ = writeln!(out, "fn f{at}({}) -> {} = {body}\n", params.join(", "), function.ret.text());
    }
    let _ = writeln!(out, "fn main() {}", block(&program.main));
    out
}

fn block(stmts: &[Stmt]) -> String {
    let lines: String = stmts.iter().map(|one| format!("{}\n", stmt(one))).collect();
    format!("{{\n{lines}}}")
}

fn stmt(stmt: &Stmt) -> String {
    match stmt {
        Stmt::Let(id, ty, value) => format!("let v{id}: {} = {}", ty.text(), expr(value)),
        Stmt::Var(id, ty, value) => format!("var v{id}: {} = {}", ty.text(), expr(value)),
        Stmt::Assign(id, value) => format!("v{id} := {}", expr(value)),
        Stmt::AssignIndex(id, at, value) => format!("v{id}[{}] := {}", expr(at), expr(value)),
        Stmt::AssignField(id, field, value) => format!("v{id}.{} := {}", FIELDS[*field], expr(value)),
        Stmt::Push(id, value) => format!("v{id}.push({})", expr(value)),
        Stmt::For(id, from, to, body) => format!("for v{id} in {from}..{to} {}", block(body)),
        Stmt::ForIn(id, list, body) => format!("for v{id} in {} {}", postfix(list), block(body)),
        Stmt::While(id, from, body) => {
            format!(
                "var v{id} = {from}\nwhile v{id} > 0 {{\nv{id} := v{id} - 1\n{}}}",
                &block(body)[2..].trim_end_matches('}')
            )
        }
        Stmt::If(cond, yes, no) => format!("if {} {} else {}", postfix(cond), block(yes), block(no)),
        Stmt::Print(value) => format!("println(\"{{:?}}\", {})", expr(value)),
        Stmt::ReturnIf(cond, value) => format!("if {} {{ return {} }}", postfix(cond), expr(value)),
        Stmt::BreakIf(cond) => format!("if {} {{ break }}", postfix(cond)),
        Stmt::BreakWith(cond, value) => format!("if {} {{ break {} }}", postfix(cond), expr(value)),
        Stmt::ContinueIf(cond) => format!("if {} {{ continue }}", postfix(cond)),
        Stmt::Defer(value) => format!("defer println(\"deferred {{:?}}\", {})", expr(value)),
    }
}

fn exprs(list: &[Expr]) -> String {
    list.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn expr(e: &Expr) -> String {
    match e {
        Expr::Int(value, ty) => match ty {
            Ty::Int if *value == i64::MIN => "(Int.MIN)".into(),
            Ty::Int if *value < 0 => format!("({value})"),
            Ty::Int => format!("{value}"),
            _ => format!("({value} as {})", ty.text()),
        },
        Expr::Bool(value) => value.to_string(),
        Expr::Str(text) => format!("{text:?}"),
        Expr::Var(id) => format!("v{id}"),
        Expr::Arith(op, _, a, b) => {
            let op = match op {
                Arith::Add => "+",
                Arith::Sub => "-",
                Arith::Mul => "*",
                Arith::Div => "/",
                Arith::Rem => "%",
            };
            format!("({} {op} {})", expr(a), expr(b))
        }
        Expr::Explicit(kind, op, _, a, b) => {
            let kind = match kind {
                Explicit::Wrapping => "wrapping",
                Explicit::Saturating => "saturating",
                Explicit::Checked => "checked",
            };
            let op = match op {
                Arith::Add => "add",
                Arith::Sub => "sub",
                _ => "mul",
            };
            format!("Int.{kind}_{op}({}, {})", expr(a), expr(b))
        }
        Expr::Bits(op, _, a, b) => match op {
            Bits::And => format!("Int.bit_and({}, {})", expr(a), expr(b)),
            Bits::Or => format!("Int.bit_or({}, {})", expr(a), expr(b)),
            Bits::Xor => format!("Int.bit_xor({}, {})", expr(a), expr(b)),
            Bits::Shl => format!("({} << {})", expr(a), expr(b)),
            Bits::Shr => format!("({} >> {})", expr(a), expr(b)),
        },
        Expr::Compare(op, a, b) => {
            let op = match op {
                Compare::Eq => "==",
                Compare::Ne => "!=",
                Compare::Lt => "<",
                Compare::Ge => ">=",
            };
            format!("({} {op} {})", expr(a), expr(b))
        }
        Expr::And(a, b) => format!("({} && {})", expr(a), expr(b)),
        Expr::Or(a, b) => format!("({} || {})", expr(a), expr(b)),
        Expr::Not(a) => format!("!{}", expr(a)),
        Expr::If(c, a, b) => format!("(if {} {{ {} }} else {{ {} }})", postfix(c), expr(a), expr(b)),
        Expr::Block(stmts, value) => {
            let lines: String = stmts.iter().map(|one| format!("{}\n", stmt(one))).collect();
            format!("{{\n{lines}({})\n}}", expr(value))
        }
        Expr::Cast(value, ty) => format!("({} as {})", expr(value), ty.text()),
        Expr::Concat(a, b) => format!("({} + {})", expr(a), expr(b)),
        Expr::Show(value) => format!("format(\"{{}}\", {})", expr(value)),
        Expr::Len(value) => format!("{}.len()", postfix(value)),
        Expr::Pair(a, b) => format!("({}, {})", expr(a), expr(b)),
        Expr::Part(pair, at) => format!("{}.{at}", postfix(pair)),
        Expr::Some(value) => format!("Some({})", expr(value)),
        Expr::None(_) => "None".into(),
        Expr::MatchOpt(value, id, some, none) => {
            format!("(match {} {{ Some(v{id}) -> {}, None -> {} }})", postfix(value), expr(some), expr(none))
        }
        Expr::Ok(value) => format!("Ok({})", expr(value)),
        Expr::Err(value) => format!("Err({})", expr(value)),
        Expr::MatchRes(value, [a, b], ok, err) => {
            format!("(match {} {{ Ok(v{a}) -> {}, Err(v{b}) -> {} }})", postfix(value), expr(ok), expr(err))
        }
        Expr::Try(value) => format!("({}?)", postfix(value)),
        Expr::List(items, ty) => format!("({{ let list: List<{}> = [{}]; list }})", ty.text(), exprs(items)),
        Expr::Cons(head, tail) => format!("Cons({}, {})", expr(head), expr(tail)),
        Expr::MatchList(value, head, tail, cons, nil) => {
            format!("(match {} {{ [v{head}, ..v{tail}] -> {}, [] -> {} }})", postfix(value), expr(cons), expr(nil))
        }
        Expr::Array(items, ty) => format!("({{ let items: [{}] = [{}]; items }})", ty.text(), exprs(items)),
        Expr::Index(array, at) => format!("{}[{}]", postfix(array), expr(at)),
        Expr::Rec(a, b, c) => format!("(Rec {{ count: {}, flag: {}, label: {} }})", expr(a), expr(b), expr(c)),
        Expr::Field(value, field) => format!("{}.{}", postfix(value), FIELDS[*field]),
        Expr::With(base, field, value) => {
            format!("(Rec {{ {}: {}, ..{} }})", FIELDS[*field], expr(value), expr(base))
        }
        Expr::Leaf => "Leaf".into(),
        Expr::Node(l, v, r) => format!("Node({}, {}, {})", expr(l), expr(v), expr(r)),
        Expr::MatchTree(value, [l, v, r], node, leaf) => {
            format!("(match {} {{ Node(v{l}, v{v}, v{r}) -> {}, Leaf -> {} }})", postfix(value), expr(node), expr(leaf))
        }
        Expr::Dot => "Dot".into(),
        Expr::Circle(a) => format!("Circle({})", expr(a)),
        Expr::Rect(a, b) => format!("(Rect {{ w: {}, h: {} }})", expr(a), expr(b)),
        Expr::Named(a, b) => format!("Named({}, {})", expr(a), expr(b)),
        Expr::MatchShape(value, [r, w, h, n, t], [big, circle, rect, named, dot]) => format!(
            "(match {} {{ Circle(v{r}) when v{r} > 10 -> {}, Circle(v{r}) -> {}, Rect {{ w: v{w}, h: v{h} }} -> {}, Named(v{n}, v{t}) -> {}, Dot -> {} }})",
            postfix(value),
            expr(big),
            expr(circle),
            expr(rect),
            expr(named),
            expr(dot)
        ),
        Expr::MatchDeep(value, [n, h, t, z, e, f, r], [first, second, third, fourth, fifth]) => format!(
            "(match {} {{ Some((v{n}, [v{h}, ..v{t}])) when v{n} > 2 -> {}, Some((0, v{z})) -> {}, Some((v{e}, [])) -> {}, \
             Some((_, [v{f}, ..v{r}])) -> {}, None -> {} }})",
            postfix(value),
            expr(first),
            expr(second),
            expr(third),
            expr(fourth),
            expr(fifth)
        ),
        Expr::MatchBranch(value, [a, b, c, d], [deep, flat, leaf]) => format!(
            "(match {} {{ Node(Node(_, v{a}, v{b}), _, _) -> {}, Node(Leaf, v{c}, v{d}) -> {}, Leaf -> {} }})",
            postfix(value),
            expr(deep),
            expr(flat),
            expr(leaf)
        ),
        Expr::MatchInt(value, arms, other) => {
            let arms: String = arms.iter().map(|(at, arm)| format!("{at} -> {}, ", expr(arm))).collect();
            format!("(match {} {{ {arms}_ -> {} }})", postfix(value), expr(other))
        }
        Expr::Lambda(id, ty, value) => format!("(|v{id}: {}| {})", ty.text(), expr(value)),
        Expr::Apply(function, arg) => format!("{}({})", postfix(function), expr(arg)),
        Expr::Call(at, args) => format!("f{at}({})", exprs(args)),
        Expr::Size(value) => format!("{}.size()", postfix(value)),
        Expr::Twice(value) => format!("{}.twice()", postfix(value)),
        Expr::Pick(c, a, b) => format!("pick({}, {}, {})", expr(c), expr(a), expr(b)),
        Expr::Total(a, b) => format!("total({}, {})", expr(a), expr(b)),
        Expr::Mix(a, b) => format!("mix({}, {})", expr(a), expr(b)),
        Expr::Loop(of) => {
            let Loop { counter, from, ty, result, body, last } = &**of;
            let body: String = body.iter().map(|one| format!("{}\n", stmt(one))).collect();
            format!(
                "{{\nvar v{counter} = {from}\nlet v{result}: {} = loop {{\nif v{counter} <= 0 {{ break {} }}\n\
                 v{counter} := v{counter} - 1\n{body}}}\n(v{result})\n}}",
                ty.text(),
                expr(last)
            )
        }
        Expr::Map(list, id, ty, value) => format!("List.map({}, |v{id}: {}| {})", expr(list), ty.text(), expr(value)),
        Expr::Filter(list, id, ty, value) => {
            format!("List.filter({}, |v{id}: {}| {})", expr(list), ty.text(), expr(value))
        }
        Expr::Fold(list, init, [state, item], value) => {
            format!("List.fold({}, {}, |v{state}, v{item}| {})", expr(list), expr(init), expr(value))
        }
        Expr::Perform(effect, arg) => format!("(do E{effect}.op{effect}({}))", expr(arg)),
        Expr::Handle(handle) => handled(handle),
        Expr::Drive(drive) => driven(drive),
    }
}

fn handled(handle: &Handle) -> String {
    let Handle { effect, body, ret, ty, arg, clause } = handle;
    let stored = matches!(clause, Clause::Store { .. });
    let clause = match clause {
        Clause::Tail(answer) => format!("resume({})", expr(answer)),
        Clause::Abort(value) => expr(value),
        Clause::Resume { unless, instead, plainly, answer, result, then } => format!(
            "if {} {{ {} }} else if {} {{ resume({answer}) }} else {{\nlet v{result}: {} = resume({answer})\n{}\n}}",
            postfix(unless),
            expr(instead),
            postfix(plainly),
            ty.text(),
            expr(then),
            answer = expr(answer),
        ),
        Clause::Branch { unless, instead, plainly, answers: [first, second], results: [a, b], then } => format!(
            "if {} {{ {} }} else if {} {{ resume({first}) }} else {{\nlet v{a}: {ty} = resume({first})\n\
             let v{b}: {ty} = resume({})\n{}\n}}",
            postfix(unless),
            expr(instead),
            postfix(plainly),
            expr(second),
            expr(then),
            first = expr(first),
            ty = ty.text(),
        ),
        Clause::Store { in_lambda: false } => format!("Paused(v{arg}, resume)"),
        Clause::Store { in_lambda: true } => format!("Paused(v{arg}, |answer: Int| resume(answer))"),
    };
    let ret = match (ret, stored) {
        (Some((id, value)), _) => format!("return v{id} {{ {} }}\n", expr(value)),
        (None, true) => "return value { Done(value) }\n".into(),
        (None, false) => String::new(),
    };
    format!(
        "(handle {} with handler E{effect} {{\noperation op{effect}(v{arg}, resume) {{\n{clause}\n}}\n{ret}}})",
        postfix(body)
    )
}

fn driven(drive: &Drive) -> String {
    let Drive { handle, step, fuel, answer, value, done, instead, result } = drive;
    let (ty, arg) = (handle.ty.text(), handle.arg);
    format!(
        "{{\nvar v{step}: Step<{ty}> = {}\nvar fuel{step} = {fuel}\nlet v{result}: {ty} = loop {{\nmatch v{step} {{\n\
         Paused(v{arg}, rest{step}) -> {{\nif fuel{step} <= 0 {{ break {} }}\nfuel{step} := fuel{step} - 1\n\
         v{step} := rest{step}({})\n}}\nDone(v{value}) -> {{ break {} }}\n}}\n}}\n(v{result})\n}}",
        handled(handle),
        expr(instead),
        expr(answer),
        expr(done)
    )
}

/// An operand that something can be appended to.
fn postfix(e: &Expr) -> String {
    match e {
        Expr::Var(_) => expr(e),
        _ => format!("({})", expr(e)),
    }
}
