//! The syntax tree: what the parser saw, before any name has a meaning.
//!
//! Plain data; every node carries its [`Span`]. The tree is complete even for broken source: what could
//! not be parsed is an `Error` node, and a diagnostic has been emitted for it. Both spellings of one
//! construct (`Named({..})` / `Named {..}`, `:` / `=` in records, `.` / `::` in paths, `with` / `{}` in
//! `match`, `!{..}` / `with ..` for effects) give the same tree. Section numbers refer to the language
//! specification in `spec/`.

use crate::names::Symbol;
use reml_diagnostics::Span;

/// An identifier where it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ident {
    pub name: Symbol,
    pub span: Span,
}

/// `a.b.C`, `::Core.List`, `self.x`, `super.super.y`. The anchor is the part before the first name.
#[derive(Clone, PartialEq, Debug)]
pub struct Path {
    pub anchor: PathAnchor,
    pub segments: Vec<Ident>,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathAnchor {
    /// Looked up from the current scope outwards.
    Relative,
    /// Leading `::`.
    Root,
    /// Leading `self.`.
    SelfModule,
    /// Leading `super.`, with how many.
    Super(u32),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Module {
    /// `module a.b.c`.
    pub header: Option<Path>,
    /// `//!` lines, joined by newlines.
    pub docs: Option<Box<str>>,
    pub items: Vec<Item>,
    /// Some attribute is `@cfg`.
    pub has_cfg: bool,
    /// Some block declares types, traits, impls, ..
    pub has_local_items: bool,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    pub attrs: Vec<Attr>,
    /// `///` lines before the item, joined by newlines.
    pub docs: Option<Box<str>>,
    pub public: bool,
    pub kind: ItemKind,
    pub span: Span,
}

/// `@name` or `@name(arg, key = arg)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Attr {
    pub name: Ident,
    pub args: Vec<Arg>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ItemKind {
    Use(UseDecl),
    Let(LetDecl),
    Fn(FnDecl),
    ActivePattern(ActivePatternDecl),
    Type(TypeDecl),
    Trait(TraitDecl),
    Impl(ImplDecl),
    Extern(ExternDecl),
    Effect(EffectDecl),
    Handler(HandlerDecl),
    Conductor(ConductorDecl),
    /// A top-level expression; legal only with `--allow-top-level-expr`.
    Expr(Expr),
    Error,
}

// ---------------------------------------------------------------------------------------------------
// Items

#[derive(Clone, PartialEq, Debug)]
pub struct UseDecl {
    pub tree: UseTree,
}

/// One level of a `use`: a path, then what to take from it.
#[derive(Clone, PartialEq, Debug)]
pub struct UseTree {
    pub path: Path,
    pub kind: UseKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum UseKind {
    /// `use A.b` or `use A.b as c`.
    Simple { alias: Option<Ident> },
    /// `use A.{b, C.{D}, self}`; nested paths are relative to the outer one.
    Group(Vec<UseTree>),
}

/// `let p: T = e`, `var x = e`, `const N: T = e`, at the top level or in a block.
#[derive(Clone, PartialEq, Debug)]
pub struct LetDecl {
    pub kind: LetKind,
    pub pattern: Pattern,
    pub ty: Option<Type>,
    pub value: Expr,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LetKind {
    Let,
    Var,
    Const,
}

/// A function, method, or function-style `let f(x) = ..`.
#[derive(Clone, PartialEq, Debug)]
pub struct FnDecl {
    pub is_async: bool,
    pub sig: FnSig,
    /// `None` for required trait methods and extern functions.
    pub body: Option<Expr>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FnSig {
    /// Usually one segment; `Type.method` declares an inherent method.
    pub name: Path,
    pub generics: Vec<GenericParam>,
    pub self_param: Option<SelfParam>,
    pub params: Vec<Param>,
    /// `...` after the last parameter of an extern function.
    pub variadic: bool,
    pub ret: Option<Type>,
    /// `! {io, panic}` or `with State<Int>`; `None` when omitted (inferred).
    pub effects: Option<EffectRow>,
    pub wheres: Vec<WherePredicate>,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelfParam {
    pub mode: SelfMode,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SelfMode {
    Value,
    Ref,
    RefMut,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    pub pattern: Pattern,
    pub ty: Option<Type>,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct GenericParam {
    pub name: Ident,
    /// `T: A + B`.
    pub bounds: Vec<TraitRef>,
}

/// `Add<A, B, C>`, `Show`.
#[derive(Clone, PartialEq, Debug)]
pub struct TraitRef {
    pub path: Path,
    pub args: Vec<Type>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum WherePredicate {
    /// `where T: Show + Eq`.
    Bound { ty: Type, bounds: Vec<TraitRef> },
    /// `where Add<A, B, C>`: the trait's first argument is its subject.
    Trait(TraitRef),
}

#[derive(Clone, PartialEq, Debug)]
pub struct EffectRow {
    pub tags: Vec<EffectTag>,
    pub span: Span,
}

/// `io`, `io.async`, `Console`, `State<Int>`.
#[derive(Clone, PartialEq, Debug)]
pub struct EffectTag {
    pub path: Path,
    pub args: Vec<Type>,
    pub span: Span,
}

/// `pattern (|Name|_|) (params) = body`.
#[derive(Clone, PartialEq, Debug)]
pub struct ActivePatternDecl {
    pub name: Ident,
    /// `(|Name|_|)`: returns `Option`, and `None` falls through.
    pub partial: bool,
    pub params: Vec<Param>,
    pub ret: Option<Type>,
    pub body: Expr,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TypeDecl {
    pub name: Ident,
    pub generics: Vec<GenericParam>,
    pub kind: TypeDeclKind,
}

#[derive(Clone, PartialEq, Debug)]
pub enum TypeDeclKind {
    /// A sum, also of one variant.
    Sum(Vec<Variant>),
    /// `type P = { x: Int }` and `struct P { x: Int }`: a nominal record.
    Record(Vec<Field>),
    /// `type T = new U`.
    Newtype(Type),
    /// `type alias A = T`, and `type A = T` where `T` cannot be a variant (section 5.2). A single
    /// unqualified name without arguments is parsed as `Sum` with one variant; name resolution turns it
    /// into an alias when that name is a known type.
    Alias(Type),
    /// `struct S;`
    Unit,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    pub name: Ident,
    pub docs: Option<Box<str>>,
    pub payload: VariantPayload,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum VariantPayload {
    None,
    /// `Circle(Float)`.
    Positional(Vec<Type>),
    /// `Let(name: Str, value: Expr)`, `Named { name: Str }`, `Named({ name: Str })`.
    Named(Vec<Field>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    pub name: Ident,
    pub ty: Type,
    /// What the field is when a construction leaves it out.
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TraitDecl {
    pub name: Ident,
    pub generics: Vec<GenericParam>,
    pub supertraits: Vec<TraitRef>,
    pub wheres: Vec<WherePredicate>,
    /// Every item is `ItemKind::Fn`.
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ImplDecl {
    pub generics: Vec<GenericParam>,
    /// `None` for an inherent `impl Type`.
    pub of_trait: Option<TraitRef>,
    pub subject: Type,
    pub wheres: Vec<WherePredicate>,
    /// Every item is `ItemKind::Fn` or `ItemKind::Let`.
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ExternDecl {
    pub abi: Box<str>,
    /// Every item is `ItemKind::Fn` without a body.
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct EffectDecl {
    pub name: Ident,
    pub generics: Vec<GenericParam>,
    pub base: Option<EffectTag>,
    pub operations: Vec<OperationDecl>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct OperationDecl {
    pub attrs: Vec<Attr>,
    pub name: Ident,
    pub generics: Vec<GenericParam>,
    pub params: Vec<Param>,
    pub ret: Option<Type>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct HandlerDecl {
    pub name: Ident,
    pub generics: Vec<GenericParam>,
    pub params: Vec<Param>,
    pub ret: Option<Type>,
    pub effect: Option<EffectTag>,
    pub body: HandlerBody,
}

#[derive(Clone, PartialEq, Debug)]
pub struct HandlerBody {
    /// `let` and `var` before the clauses: evaluated when the handler is installed, in scope of all clauses.
    pub state: Vec<Stmt>,
    pub clauses: Vec<OperationClause>,
    pub ret: Option<Box<ReturnClause>>,
    pub span: Span,
}

/// `operation ask(x, resume) { .. }`; the last parameter is the continuation.
#[derive(Clone, PartialEq, Debug)]
pub struct OperationClause {
    pub attrs: Vec<Attr>,
    pub name: Path,
    pub params: Vec<Param>,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ReturnClause {
    pub param: Option<Pattern>,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConductorDecl {
    pub name: Ident,
    pub sections: Vec<ConductorSection>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ConductorSection {
    /// `@cfg` is the only one with a meaning here.
    pub attrs: Vec<Attr>,
    pub kind: SectionKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum SectionKind {
    /// `id: Kind = value |> depends_on([..]) |> ..`; the tails are kept in written order.
    Dsl {
        id: Ident,
        kind: Path,
        value: Option<Expr>,
        tails: Vec<(Path, Vec<Arg>)>,
    },
    Channels(Vec<Channel>),
    Execution(Expr),
    Monitoring {
        target: Option<MonitorTarget>,
        body: Option<Expr>,
    },
}

/// What a `monitoring` section is about, other than the run as a whole.
#[derive(Clone, PartialEq, Debug)]
pub enum MonitorTarget {
    /// `monitoring with Core.Metrics`.
    Module(Path),
    /// `monitoring a.out`.
    Port(Path),
}

/// `a.out ~> b.in : T`.
#[derive(Clone, PartialEq, Debug)]
pub struct Channel {
    pub from: Path,
    pub to: Path,
    pub ty: Type,
    pub span: Span,
}

// ---------------------------------------------------------------------------------------------------
// Statements and expressions

#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    pub attrs: Vec<Attr>,
    pub stmts: Vec<Stmt>,
    /// The value of the block; `None` means `()`.
    pub result: Option<Box<Expr>>,
    /// The scope of the items that a pass before the checker took out of the block; the parser leaves it open.
    pub scope: Option<u32>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Stmt {
    pub attrs: Vec<Attr>,
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum StmtKind {
    Let(Box<LetDecl>),
    /// Local `fn` or function-style `let`.
    Fn(Box<FnDecl>),
    /// A local `use`, `type`, ..
    Item(Box<Item>),
    /// `place := value`. `legacy` marks the tolerated plain `=` (section 4), which warns.
    Assign {
        place: Expr,
        value: Expr,
        legacy: bool,
    },
    Defer(Expr),
    Expr(Expr),
    Error,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    pub kind: Box<ExprKind>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// Value of an integer literal; range-checked against its type by the checker.
    Int(u128),
    Float(f64),
    Bool(bool),
    Char(char),
    Str(Box<str>),
    /// `r"..."` in expression position is the same as `Str`.
    Unit,
    /// A possibly qualified name: variable, function, constructor. `a.b` on an expression whose head may
    /// be a variable is parsed as `Field` with a `Path` head; name resolution decides (section 2.4).
    /// Paths written with `::` or starting with an anchor are `Path` as a whole.
    Path(Path),
    Tuple(Vec<Expr>),
    Array(Vec<Expr>),
    /// `{ x: 1, ..base }` (no path) or `Point { x: 1 }`.
    Record {
        path: Option<Path>,
        fields: Vec<FieldInit>,
        base: Option<Expr>,
    },
    /// `{ "k": v }` and `json!( .. )`: a Json literal; values are ordinary expressions.
    JsonObject(Vec<(Box<str>, Expr)>),
    JsonArray(Vec<Expr>),
    /// `json!(expr)` leaf: convert with `IntoJson`.
    JsonValue(Expr),
    /// Field access or method name: `e.name`.
    Field {
        base: Expr,
        name: Ident,
    },
    /// `e.0`.
    TupleField {
        base: Expr,
        index: u32,
        index_span: Span,
    },
    Index {
        base: Expr,
        index: Expr,
    },
    /// Calls; `f(a)(b)`, `x.m(a)` has a `Field` callee.
    Call {
        callee: Expr,
        args: Vec<Arg>,
    },
    /// `f::<T>` is not Reml; type arguments on calls do not exist.
    /// `e?`
    Try(Expr),
    /// `await e`, `e.await`.
    Await(Expr),
    Unary {
        op: UnaryOp,
        operand: Expr,
    },
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Expr,
        right: Expr,
    },
    /// `a .. b`, `a ..= b`, `a ..`, `.. b`.
    Range {
        start: Option<Expr>,
        end: Option<Expr>,
        inclusive: bool,
    },
    /// `x |> f(a)`: the right side is kept as written.
    Pipe {
        left: Expr,
        right: Expr,
    },
    /// `e as T`.
    Cast {
        operand: Expr,
        ty: Type,
    },
    Lambda {
        params: Vec<Param>,
        ret: Option<Type>,
        body: Expr,
    },
    If {
        cond: Expr,
        then: Expr,
        els: Option<Expr>,
    },
    Match {
        scrutinee: Expr,
        arms: Vec<Arm>,
    },
    While {
        cond: Expr,
        body: Expr,
    },
    For {
        pattern: Pattern,
        iterable: Expr,
        body: Expr,
    },
    Loop(Expr),
    Block(Block),
    Unsafe(Block),
    /// `effect {ffi, unsafe} { .. }`.
    EffectBlock {
        tags: EffectRow,
        body: Block,
    },
    Async {
        is_move: bool,
        body: Block,
    },
    Return(Option<Expr>),
    Break(Option<Expr>),
    Continue,
    Perform {
        operation: Path,
        args: Vec<Arg>,
    },
    Handle {
        body: Expr,
        handler: HandlerExpr,
    },
    InlineAsm(Vec<Arg>),
    /// `llvm_ir!(T) { "template", inputs(..) }`.
    LlvmIr {
        ty: Type,
        template: Box<str>,
        inputs: Vec<Expr>,
    },
    /// `_` in an argument list: the slot of a pipe.
    Placeholder,
    Error,
}

#[derive(Clone, PartialEq, Debug)]
pub enum HandlerExpr {
    /// `with handler { .. }` or `with handler State<Int> { .. }`.
    Inline { effect: Option<EffectTag>, body: HandlerBody },
    /// `with expr` or `handle h(args) do e`.
    Value(Expr),
    /// `handle e` without `with`: `effects.handler.missing_with` has been reported.
    Missing,
}

/// `a`, `name = a`, `name: a`.
#[derive(Clone, PartialEq, Debug)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FieldInit {
    pub name: Ident,
    /// `None` is punning: `{ x, y }`.
    pub value: Option<Expr>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Arm {
    pub pattern: Pattern,
    pub guard: Option<Guard>,
    /// `Some(n) as whole -> ..` after the guard.
    pub alias: Option<Ident>,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Guard {
    pub cond: Expr,
    /// Written `if` instead of `when` (deprecated).
    pub deprecated_if: bool,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    Neg,
    Not,
    /// `&e`
    Ref,
    /// `&mut e`
    RefMut,
    /// `*e`
    Deref,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Shl,
    Shr,
    /// `++`
    Concat,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}

// ---------------------------------------------------------------------------------------------------
// Patterns (section 5.1)

#[derive(Clone, PartialEq, Debug)]
pub struct Pattern {
    pub kind: Box<PatternKind>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum PatternKind {
    Wildcard,
    /// A lower-case name binds. (Whether an upper-case single name is a constructor is for resolution.)
    Bind(Ident),
    Literal(PatternLiteral),
    Tuple(Vec<Pattern>),
    /// `{ x, y: p, .. }`.
    Record {
        fields: Vec<FieldPattern>,
        rest: bool,
    },
    /// `Some(p)`, `Expr.Num(n)`, `None`.
    Constructor {
        path: Path,
        args: Vec<Pattern>,
    },
    /// `Point { x, .. }`, `Named({ name, .. })`.
    ConstructorRecord {
        path: Path,
        fields: Vec<FieldPattern>,
        rest: bool,
    },
    /// `[a, ..rest, z]`.
    Slice(Vec<SliceElement>),
    /// `h :: t`.
    Cons(Pattern, Pattern),
    /// At least one bound is present, each a literal.
    Range {
        start: Option<PatternLiteral>,
        end: Option<PatternLiteral>,
        inclusive: bool,
    },
    /// `r"^\d+$"`.
    Regex(Box<str>),
    /// `(|Name|_|) p`, `(|Name|) p`.
    Active {
        name: Ident,
        partial: bool,
        arg: Option<Pattern>,
    },
    Or(Vec<Pattern>),
    /// `p as x` and `x @ p`.
    Alias {
        pattern: Pattern,
        name: Ident,
    },
    Error,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FieldPattern {
    pub name: Ident,
    /// `None` is punning: binds the field's name.
    pub pattern: Option<Pattern>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum SliceElement {
    Pattern(Pattern),
    /// `..` or `..name`.
    Rest {
        name: Option<Ident>,
        span: Span,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub enum PatternLiteral {
    Int { value: u128, negative: bool },
    Float { value: f64 },
    Bool(bool),
    Char(char),
    Str(Box<str>),
    Unit,
}

// ---------------------------------------------------------------------------------------------------
// Types

#[derive(Clone, PartialEq, Debug)]
pub struct Type {
    pub kind: Box<TypeKind>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub enum TypeKind {
    /// `Int`, `List<T>`, `Core.Parse.Parser<T>`.
    Path {
        path: Path,
        args: Vec<Type>,
    },
    /// `(A, B) -> C ! {e}`, `fn(A) -> C`, `A -> B`. `effects: None` when omitted.
    Fn {
        params: Vec<Type>,
        ret: Type,
        effects: Option<EffectRow>,
    },
    /// Two or more elements.
    Tuple(Vec<Type>),
    Unit,
    Record(Vec<Field>),
    /// `[T]` or `[T; N]`.
    Array {
        element: Type,
        len: Option<u64>,
    },
    Ref {
        mutable: bool,
        inner: Type,
    },
    /// `_`: inferred.
    Hole,
    Error,
}
