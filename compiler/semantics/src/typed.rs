//! The typed tree: the program after names, types, effects and contracts have been checked.
//!
//! Everything later stages need is written down here; none of them looks at the AST again. Sugar is gone:
//! pipes, named and default arguments, method calls, field punning, operators on library types and
//! function-style `let` have all become plain calls, constructions and blocks, with evaluation order made
//! explicit by temporaries. Definitions are generic; `Type::Param(i)` refers to the definition's generics
//! (for a method, the impl's or trait's generics first, then its own; for a trait, `Param(0..)` are the trait's
//! parameters).

use cranelift_entity::{PrimaryMap, entity_impl};
use reml_capability::stage::{Stage, StageRequirement};
use reml_diagnostics::Span;
use reml_syntax::names::Symbol;

use crate::types::{Prim, TypeId, TypeStore};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);
        entity_impl!($name, $prefix);
    )*};
}

ids! {
    ModuleId = "mod";
    TypeDefId = "adt";
    FnId = "fn";
    GlobalId = "global";
    TraitId = "trait";
    ImplId = "impl";
    EffectId = "effect";
    /// A local variable of one body.
    LocalId = "local";
    ExprId = "expr";
    PatternId = "pat";
}

pub struct Program {
    pub types: TypeStore,
    pub modules: PrimaryMap<ModuleId, Module>,
    pub type_defs: PrimaryMap<TypeDefId, TypeDef>,
    pub fns: PrimaryMap<FnId, FnDef>,
    pub globals: PrimaryMap<GlobalId, GlobalDef>,
    pub traits: PrimaryMap<TraitId, TraitDef>,
    pub impls: PrimaryMap<ImplId, ImplDef>,
    pub effects: PrimaryMap<EffectId, EffectDef>,
    /// Definitions the compiler itself refers to.
    pub lang: LangItems,
    /// `main` of the root module, when there is one.
    pub main: Option<FnId>,
    /// Globals in the order they must be initialised (dependencies first).
    pub init_order: Vec<GlobalId>,
    /// Functions marked `@test`, in source order.
    pub tests: Vec<FnId>,
    /// The files of the standard library, in the order of their places.
    pub library: Vec<Span>,
    /// What manifests and tools want to know of the program's DSLs.
    pub dsls: Dsls,
}

/// Conductors and exports, as they are declared and checked.
#[derive(Default)]
pub struct Dsls {
    pub conductors: Vec<ConductorDef>,
    /// In source order.
    pub exports: Vec<DslExport>,
}

pub struct ConductorDef {
    pub global: GlobalId,
    pub dsls: Vec<DslDef>,
    pub channels: Vec<ChannelDef>,
    /// What running it does, in display order.
    pub effects: Vec<Box<str>>,
}

/// `id: Kind = value |> tail(..)`.
pub struct DslDef {
    pub id: Symbol,
    /// As written: `Core.Parse.Parser`.
    pub kind: Box<str>,
    pub depends_on: Vec<Symbol>,
    pub embedded: Vec<Symbol>,
    pub capabilities: Vec<CapabilityRequirement>,
}

pub struct CapabilityRequirement {
    pub id: Box<str>,
    pub stage: StageRequirement,
    /// Ascending.
    pub declared_effects: Vec<Box<str>>,
    pub source_span: Span,
}

pub struct ChannelDef {
    /// `source.out`
    pub from: Box<str>,
    pub to: Box<str>,
}

/// The signature that `@dsl_export` gives a parser or a conductor.
pub struct DslExport {
    pub name: Box<str>,
    pub kind: ExportKind,
    pub category: Box<str>,
    /// Ascending.
    pub allows_effects: Vec<Box<str>>,
    /// Ascending, each once.
    pub requires_capabilities: Vec<Box<str>>,
    pub stage_bounds: StageBounds,
    pub version: Option<Box<str>>,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportKind {
    Parser,
    Conductor,
}

/// How settled an export is, and between which stages it may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StageBounds {
    pub minimum: Stage,
    pub current: Stage,
    pub maximum: Stage,
}

/// Where the compiler's own vocabulary lives in `stdlib/Core`. Each is found by its canonical path when
/// the prelude is loaded; `None` only while checking a program without the standard library.
#[derive(Default, Clone)]
pub struct LangItems {
    pub option: Option<TypeDefId>,
    pub result: Option<TypeDefId>,
    pub list: Option<TypeDefId>,
    pub ordering: Option<TypeDefId>,
    pub range: Option<TypeDefId>,
    pub json: Option<TypeDefId>,
    pub duration: Option<TypeDefId>,
    /// Of `Core.Async`, in programs that wait.
    pub future: Option<TypeDefId>,
    /// Of `Core.Unsafe.Foreign`, in programs that use it.
    pub foreign_ptr: Option<TypeDefId>,
    pub task: Option<TypeDefId>,
    /// Types whose variables live until the end of their block: what C knows of them is not seen.
    pub scoped: Vec<TypeDefId>,
    /// `Add Sub Mul Div Rem Pow Neg Eq Ord Index Hash Display Debug From IntoIterator FromArray` by name.
    pub traits: std::collections::BTreeMap<&'static str, TraitId>,
    /// Functions the compiler calls, by name (see `semantics::lang`).
    pub fns: std::collections::BTreeMap<&'static str, FnId>,
}

pub struct Module {
    /// `Core.List`, `main`.
    pub name: Box<str>,
    pub parent: Option<ModuleId>,
    /// Part of the standard library.
    pub is_core: bool,
}

// ---------------------------------------------------------------------------------------------------
// Definitions

#[derive(Clone)]
pub struct TypeDef {
    pub name: Symbol,
    pub module: ModuleId,
    pub span: Span,
    /// How many generics it has.
    pub arity: u32,
    pub kind: TypeDefKind,
    /// `@repr(..)`, on types whose values C can be given.
    pub repr: Option<CRepr>,
}

/// How values of a type look to C.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CRepr {
    /// A record: its fields as C orders them, by their position in the stored order; without gaps?
    Record { order: Vec<u32>, packed: bool },
    /// A sum without payloads: the integer type of its tags.
    Enum(Prim),
    /// The library's union: bytes, laid out by its type argument.
    Union,
}

#[derive(Clone)]
pub enum TypeDefKind {
    /// Tags are declaration order, from 0.
    Sum(Vec<VariantDef>),
    /// A nominal record; fields in stored order (sorted by name).
    Record(Vec<FieldDef>),
    /// Same representation as the inner type.
    Newtype(TypeId),
    /// A type of the runtime with no Reml definition (`Table`'s storage, file handles): one counted pointer.
    Opaque,
}

#[derive(Clone)]
pub struct VariantDef {
    pub name: Symbol,
    /// Declaration order, which is also the order of construction arguments.
    pub fields: Vec<FieldDef>,
    pub span: Span,
}

#[derive(Clone)]
pub struct FieldDef {
    /// `None` for positional payloads.
    pub name: Option<Symbol>,
    pub ty: TypeId,
}

pub struct FnDef {
    pub name: Symbol,
    /// What a backtrace and `--emit` print: `Core.List.map`, `main.<lambda>`, `Show for Point.show`.
    pub path: Box<str>,
    pub module: ModuleId,
    pub span: Span,
    /// How many generics it has, counting those of an enclosing impl or trait.
    pub arity: u32,
    pub params: Vec<ParamDef>,
    pub ret: TypeId,
    /// Every effect tag it may perform, sorted; what the manifest reports. Row variables are not listed.
    pub effects: Vec<Box<str>>,
    pub inline: InlineHint,
    pub kind: FnKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InlineHint {
    Auto,
    /// `@inline`
    Always,
    /// `@inline(never)`
    Never,
    /// `@inline(once)`, which only the library may say: never inlined, and what it makes of constants is made once.
    Once,
}

pub struct ParamDef {
    pub name: Option<Symbol>,
    pub ty: TypeId,
}

pub enum FnKind {
    /// Has a body. `Body::params` are its parameters.
    Reml(Box<Body>),
    /// `extern "prim" fn name`: an operation of the compiler (`middle::prim`), standard library only.
    Primitive(Box<str>),
    /// `extern "rt" fn name`: a function of the Reml runtime, standard library only. `&T` parameters are
    /// borrowed, others are consumed; the result is owned.
    Runtime(Box<str>),
    /// `extern "C" fn name`.
    Foreign(Box<ForeignDef>),
    /// A required trait method without a body; only reached through `Method`.
    Required,
}

/// A foreign function.
#[derive(Clone, Debug)]
pub struct ForeignDef {
    /// What the linker calls it.
    pub symbol: Box<str>,
    /// Where it is, if the declaration says so.
    pub library: Option<ForeignLibrary>,
    /// It may be missing as long as nobody calls it.
    pub weak: bool,
    pub variadic: bool,
    pub ownership: Ownership,
    /// The function that gives back what the result points to.
    pub release: Option<FnId>,
    /// What the declaration states besides the types.
    pub contract: Option<ForeignContract>,
}

/// Who owns what the pointers point to that pass the border.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ownership {
    /// Whoever gave it.
    Borrowed,
    /// Whoever got it.
    Transferred,
    /// Both, and nobody changes it.
    Reference,
}

impl Ownership {
    /// As attributes and audit records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Ownership::Borrowed => "borrowed",
            Ownership::Transferred => "transferred",
            Ownership::Reference => "reference",
        }
    }
}

/// What a declaration states about the border, for the audit log: each as it is written, or as it follows from the target.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ForeignContract {
    pub target: Box<str>,
    /// That of the block, if the block says so.
    pub block_target: Box<str>,
    pub arch: Box<str>,
    pub os: Box<str>,
    pub callconv: Box<str>,
    /// The convention that is declared, and that of the target.
    pub abi: Box<str>,
    pub expected_abi: Box<str>,
    pub ownership: &'static str,
    /// What becomes of the result: `none`, when it is no pointer; `raw`; `wrapped`.
    pub result: &'static str,
    /// The function that gives it back, or nothing.
    pub release: Box<str>,
}

/// A library that foreign functions come from: `@link(..)`.
#[derive(Clone, Debug)]
pub struct ForeignLibrary {
    /// As the linker wants it, `z`, or a path.
    pub name: Box<str>,
    pub kind: LibraryKind,
    /// The name by which `pkg-config` knows where it is.
    pub pkg_config: Option<Box<str>>,
    /// The attribute.
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LibraryKind {
    Dynamic,
    Static,
}

pub struct GlobalDef {
    pub name: Symbol,
    pub path: Box<str>,
    pub module: ModuleId,
    pub span: Span,
    pub ty: TypeId,
    /// Run once; no parameters.
    pub body: Body,
}

pub struct TraitDef {
    pub name: Symbol,
    pub module: ModuleId,
    /// How many parameters the trait has (`Show` has one: its subject).
    pub arity: u32,
    /// Each a trait applied to types over this trait's parameters.
    pub supertraits: Vec<TraitRef>,
    pub methods: Vec<TraitMethod>,
}

pub struct TraitMethod {
    pub name: Symbol,
    /// The signature, and the default body when there is one. Its generics: the trait's, then its own.
    pub def: FnId,
    pub has_default: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TraitRef {
    pub trait_: TraitId,
    pub args: Vec<TypeId>,
}

pub struct ImplDef {
    pub trait_: TraitId,
    /// How many generics the impl has.
    pub arity: u32,
    /// The trait's arguments, over `Param(0..arity)`.
    pub args: Vec<TypeId>,
    /// Conditions on the impl's generics.
    pub wheres: Vec<TraitRef>,
    /// One per trait method, in the trait's order; `None` uses the default. A method's generics: the impl's,
    /// then its own.
    pub methods: Vec<Option<FnId>>,
    pub span: Span,
}

/// A declared effect.
pub struct EffectDef {
    pub name: Symbol,
    /// `main.State`.
    pub path: Box<str>,
    pub module: ModuleId,
    pub span: Span,
    /// How many generics it has.
    pub arity: u32,
    /// In the order of their declaration.
    pub operations: Vec<OperationDef>,
}

pub struct OperationDef {
    pub name: Symbol,
    pub span: Span,
    /// How many generics it has of its own. Its types count the effect's first.
    pub arity: u32,
    pub params: Vec<ParamDef>,
    pub ret: TypeId,
    /// `@reentrant`: its continuation may be resumed more than once.
    pub reentrant: bool,
}

// ---------------------------------------------------------------------------------------------------
// Bodies

/// The code of one function or global. Lambdas and local functions are nested in it and share its ids.
pub struct Body {
    pub locals: PrimaryMap<LocalId, Local>,
    pub exprs: PrimaryMap<ExprId, Expr>,
    pub patterns: PrimaryMap<PatternId, Pattern>,
    /// One irrefutable pattern per parameter.
    pub params: Vec<PatternId>,
    pub root: ExprId,
    /// Where it goes below the language. What has become of that are ordinary expressions.
    pub escapes: Vec<Escape>,
}

/// A place where code goes below the language.
pub struct Escape {
    /// Which way, as a capability: `native.inline_asm`.
    pub capability: &'static str,
    pub span: Span,
}

pub struct Local {
    /// `None` for temporaries made by desugaring.
    pub name: Option<Symbol>,
    pub ty: TypeId,
    pub span: Span,
    /// Declared with `var`.
    pub mutable: bool,
    /// A `var` some lambda captures: it lives in a heap cell.
    pub boxed: bool,
    /// Stands for a `var` of a module where that is changed in place; `boxed`, and declared nowhere.
    pub global: Option<GlobalId>,
}

pub struct Expr {
    pub kind: ExprKind,
    pub ty: TypeId,
    pub span: Span,
}

pub enum ExprKind {
    /// Value of an integer type; the bits, sign-extended.
    Int(i128),
    /// `f32` or `f64`.
    Float(f64),
    Bool(bool),
    Char(char),
    Str(Box<str>),
    Local(LocalId),
    Global(GlobalId),
    /// The same where initialisation may not have got there yet, which is a panic.
    InitialisedGlobal(GlobalId),
    /// A function as callee or value, at these type arguments.
    Fn(FnId, Vec<TypeId>),
    /// A trait's method, as callee or value, at the trait's arguments then its own. Resolved to an impl
    /// (or to a structural derivation) by monomorphisation.
    Method {
        trait_: TraitId,
        method: u32,
        args: Vec<TypeId>,
    },
    /// A constructor used as a function value; `ty` is the function type. Saturated uses are `Construct`.
    ConstructorFn {
        variant: u32,
    },
    Call {
        callee: ExprId,
        args: Vec<ExprId>,
    },
    /// A built-in operation on machine types whose operand types are known; operands have equal types,
    /// save shifts.
    Binary {
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
    },
    /// Negation of a number, `!` of a `Bool`.
    Unary {
        op: UnaryOp,
        operand: ExprId,
    },
    /// Short-circuit.
    And(ExprId, ExprId),
    Or(ExprId, ExprId),
    /// `ty` is an `Adt` (sum: `variant` picks; record and newtype: 0). Arguments in field order.
    Construct {
        variant: u32,
        args: Vec<ExprId>,
    },
    /// Structural record; values in the type's field order.
    Record(Vec<ExprId>),
    Tuple(Vec<ExprId>),
    /// `[T]` or `[T; N]`.
    Array(Vec<ExprId>),
    /// Field of a structural or nominal record (index in stored order), or of a tuple.
    Field {
        base: ExprId,
        index: u32,
    },
    /// A copy of `base` with some fields replaced.
    Update {
        base: ExprId,
        fields: Vec<(u32, ExprId)>,
    },
    /// The inner value of a newtype (no code), as pattern or `.0`.
    Unwrap(ExprId),
    /// Bounds-checked element of `[T]` or `[T; N]`.
    Index {
        base: ExprId,
        index: ExprId,
    },
    /// Checked conversion between primitive types (section 4.1).
    Cast(ExprId),
    /// A closure. Its parameters and body share the enclosing `Body`'s ids; captures are found by lowering.
    Lambda {
        params: Vec<PatternId>,
        body: ExprId,
    },
    /// Local, possibly mutually recursive, monomorphic functions; each local is bound to its lambda, in scope
    /// of all of them and of `rest`. (Generalised local functions are lifted to `FnDef`s when they capture
    /// nothing; else they are duplicated per instance by the checker.)
    LetRec {
        bindings: Vec<(LocalId, ExprId)>,
        rest: ExprId,
    },
    Block {
        stmts: Vec<Stmt>,
        result: Option<ExprId>,
    },
    If {
        cond: ExprId,
        then: ExprId,
        els: ExprId,
    },
    Match {
        scrutinee: ExprId,
        arms: Vec<Arm>,
    },
    /// `loop`, and `while`/`for` after desugaring. `ty` is the type of its breaks.
    Loop {
        body: ExprId,
    },
    Break(Option<ExprId>),
    Continue,
    /// From the enclosing function or lambda.
    Return(Option<ExprId>),
    /// `place := value`.
    Assign {
        place: Place,
        value: ExprId,
    },
    /// `&e` / `&mut place`: an argument passed as a borrow.
    Borrow(ExprId),
    BorrowMut(Place),
    /// `*r` of a reference.
    Deref(ExprId),
    /// Panics with a compile-time known message; `ty` is `Never`.
    Panic {
        code: &'static str,
        message: Box<str>,
    },
    /// Asks the innermost handler of the effect.
    Perform(Box<Perform>),
    /// Runs a computation with a handler in force.
    Handle(Box<Handle>),
    /// Reported already.
    Error,
}

pub struct Perform {
    pub effect: EffectId,
    pub effect_args: Vec<TypeId>,
    /// Index into the effect's operations.
    pub operation: u32,
    /// For the operation's own generics.
    pub type_args: Vec<TypeId>,
    pub args: Vec<ExprId>,
}

/// `handle body with handler { .. }`. A named handler is a function that takes the computation and contains this, so
/// there is no other form. `A` below is the type of the computation, `B` that of the whole.
pub struct Handle {
    pub effect: EffectId,
    pub effect_args: Vec<TypeId>,
    /// An expression of type `() -> A`, most often a lambda.
    pub body: ExprId,
    /// One per operation of the effect, in the effect's order.
    pub clauses: Vec<Clause>,
    /// A lambda `(A) -> B`; without one, `A` and `B` are the same.
    pub ret: Option<ExprId>,
}

pub struct Clause {
    pub kind: ClauseKind,
    /// A lambda; its type depends on the kind. `P` are the operation's parameters, `R` is its result.
    pub function: ExprId,
    /// The continuation may be resumed more than once: the operation, the clause or the handler says `@reentrant`.
    pub reentrant: bool,
    /// The operation's own generics are `Param(first_generic..)` in the types of `function`, after those of the
    /// definition around it; each instance of the operation needs an instance of the function.
    pub first_generic: u32,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClauseKind {
    /// `(P) -> R`: it resumed last, on every path. `resume(v)` has become `v`.
    Tail,
    /// `(P) -> B`: it never resumes.
    Never,
    /// `(P, resume: (R) -> B) -> B`.
    General,
}

pub enum Stmt {
    /// Irrefutable, or refutable with a panic when the checker only warned.
    Let {
        pattern: PatternId,
        value: ExprId,
    },
    Expr(ExprId),
    /// Runs when control leaves the enclosing block.
    Defer(ExprId),
}

/// Something assignable: a `var`, then a path into it. `&mut` parameters deref implicitly.
pub struct Place {
    pub local: LocalId,
    pub path: Vec<PlaceStep>,
}

pub enum PlaceStep {
    /// Field of a record or tuple, by stored index; `ty` is the field's type.
    Field {
        index: u32,
        ty: TypeId,
    },
    Index {
        index: ExprId,
        ty: TypeId,
        span: Span,
    },
}

pub struct Arm {
    pub pattern: PatternId,
    pub guard: Option<ExprId>,
    pub body: ExprId,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    Neg,
    Not,
}

// ---------------------------------------------------------------------------------------------------
// Patterns

pub struct Pattern {
    pub kind: PatternKind,
    /// The type of the value matched.
    pub ty: TypeId,
    pub span: Span,
}

pub enum PatternKind {
    Wildcard,
    /// Binds, then matches the inner pattern when there is one. Alternatives of an or-pattern bind the same
    /// locals.
    Bind(LocalId, Option<PatternId>),
    Int(i128),
    Float(f64),
    Bool(bool),
    Char(char),
    Str(Box<str>),
    /// Tuples, structural and nominal records, and newtypes: one pattern per field in stored order (absent
    /// fields are wildcards).
    Product(Vec<PatternId>),
    Variant {
        variant: u32,
        fields: Vec<PatternId>,
    },
    /// On arrays and `List`s; at most one rest, after which `suffix` matches from the end.
    Slice {
        prefix: Vec<PatternId>,
        rest: Option<Option<LocalId>>,
        suffix: Vec<PatternId>,
    },
    /// Inclusive bounds after normalisation; `None` is open. Characters use their scalar values.
    IntRange {
        start: Option<i128>,
        end: Option<i128>,
    },
    FloatRange {
        start: Option<f64>,
        end: Option<f64>,
        inclusive: bool,
    },
    /// Matches the whole text; named groups bind text locals.
    Regex {
        source: Box<str>,
        groups: Vec<(u32, LocalId)>,
    },
    /// Calls `view` (a one-argument function expression) on the value. Partial: it returns `Option`, and
    /// `None` falls through.
    Active {
        view: ExprId,
        partial: bool,
        arg: PatternId,
    },
    Or(Vec<PatternId>),
    Error,
}
