//! The checker's state: every definition of the program, and the tables that find them.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::{Code, Diagnostic, Span};
use reml_syntax::ast;
use reml_syntax::names::{Names, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::CheckOptions;
use crate::conductors::Conductor;
use crate::effects::Closed;
use crate::effects::arguments::Signature;
use crate::effects::tags::Tags;
use crate::infer::body::{Binding, BodyCx};
use crate::infer::groups::PendingGroup;
use crate::infer::ty::{Row, Ty, Types};
use crate::typed::{self, EffectId, FnId, GlobalId, ImplId, LangItems, ModuleId, TraitId, TypeDefId};
use crate::types::{Prim, TypeStore};

/// What a name means in the namespace of types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TypeItem {
    Adt(TypeDefId),
    Alias(u32),
    Trait(TraitId),
    Effect(EffectId),
    /// An import that failed; reported already.
    Error,
}

/// What a name means in the namespace of values. `Ctors` indexes [`Checker::ctor_sets`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Fn(FnId),
    Global(GlobalId),
    Ctors(u32),
    /// An active pattern, and whether it is partial.
    Pattern(FnId, bool),
    /// An import that failed; reported already.
    Error,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<T> {
    pub item: T,
    pub public: bool,
    pub span: Span,
    /// The `use` that brought it, by index in its module.
    pub via: Option<u32>,
}

pub(crate) struct UseItem {
    pub anchor: ast::PathAnchor,
    pub segments: Vec<ast::Ident>,
    pub name: ast::Ident,
    pub public: bool,
    pub span: Span,
    pub resolved: bool,
    pub used: bool,
}

pub(crate) struct ModuleInfo<'a> {
    pub name: Box<str>,
    pub parent: Option<ModuleId>,
    pub is_core: bool,
    pub package: u32,
    pub ast: Option<&'a ast::Module>,
    pub children: FxHashMap<Symbol, ModuleId>,
    pub modules: FxHashMap<Symbol, Entry<ModuleId>>,
    pub types: FxHashMap<Symbol, Entry<TypeItem>>,
    pub values: FxHashMap<Symbol, Entry<Value>>,
    pub uses: Vec<UseItem>,
    /// Unannotated functions and globals, in source order: checked in dependency order.
    pub inferred: Vec<Def>,
}

/// A definition with a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Def {
    Fn(FnId),
    Global(GlobalId),
}

pub(crate) struct Alias<'a> {
    pub module: ModuleId,
    pub generics: &'a [ast::GenericParam],
    pub target: AliasTarget<'a>,
    pub name: Symbol,
    pub expanding: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum AliasTarget<'a> {
    Type(&'a ast::Type),
    /// `type X = Name`, read as a variant by the parser.
    Name(ast::Ident),
}

pub(crate) struct AdtInfo<'a> {
    pub name: Symbol,
    pub module: ModuleId,
    pub span: Span,
    pub decl: &'a ast::TypeDecl,
    pub attrs: &'a [ast::Attr],
    pub arity: u32,
    pub kind: AdtKind,
    /// Has a hidden row parameter: some field holds a function whose effects are not written.
    pub has_row: bool,
    /// How it looks to C.
    pub repr: Option<typed::CRepr>,
    /// The type without arguments, when it needs none.
    pub plain: Option<Ty>,
}

pub(crate) enum AdtKind {
    Sum(Vec<VariantInfo>),
    Record(Vec<FieldInfo>),
    Newtype(Ty),
    Opaque,
}

pub(crate) struct VariantInfo {
    pub name: Symbol,
    pub fields: Vec<FieldInfo>,
    pub span: Span,
}

#[derive(Clone, Copy)]
pub(crate) struct FieldInfo {
    pub name: Option<Symbol>,
    pub ty: Ty,
    pub span: Span,
    /// The function that computes the default value.
    pub default: Option<FnId>,
}

#[derive(Clone, Debug)]
pub(crate) struct TraitRefTy {
    pub trait_: TraitId,
    pub args: Vec<Ty>,
    pub span: Span,
}

pub(crate) struct TraitInfo<'a> {
    pub name: Symbol,
    pub module: ModuleId,
    pub span: Span,
    pub decl: &'a ast::TraitDecl,
    /// `Self`, then the declared generics.
    pub generics: Vec<Symbol>,
    pub supertraits: Vec<TraitRefTy>,
    pub methods: Vec<TraitMethodInfo>,
}

pub(crate) struct TraitMethodInfo {
    pub name: Symbol,
    pub def: FnId,
    pub has_default: bool,
}

pub(crate) struct ImplInfo<'a> {
    /// `None`: its header is broken, or it is inherent.
    pub trait_: Option<TraitId>,
    pub module: ModuleId,
    pub span: Span,
    pub decl: &'a ast::ImplDecl,
    pub generics: Vec<Symbol>,
    /// The trait's arguments, subject first; for an inherent impl just the subject.
    pub args: Vec<Ty>,
    pub wheres: Vec<TraitRefTy>,
    pub methods: Vec<Option<FnId>>,
    pub row_count: u32,
}

/// Where a function's syntax is.
#[derive(Clone, Copy)]
pub(crate) enum FnSource<'a> {
    Decl(&'a ast::FnDecl),
    Active(&'a ast::ActivePatternDecl),
    /// The default value of a parameter of another function.
    Default(&'a ast::Expr),
    /// `let f = |x| ..`, or another polymorphic value, at the top level.
    Let(&'a ast::LetDecl),
    /// A named handler: a function whose last parameter is the computation.
    Handler(&'a ast::HandlerDecl),
    /// Made while checking a body; its body has been built already.
    Local,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Container {
    Module,
    Trait(TraitId, u32),
    Impl(ImplId),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FnState {
    /// The signature is complete.
    Known,
    /// The signature awaits the check of the body.
    Inferred,
    /// Being checked: uses are monomorphic.
    InProgress,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linkage {
    Reml,
    Prim,
    Rt,
    Foreign,
    Required,
}

pub(crate) struct ParamInfo {
    pub name: Option<Symbol>,
    pub ty: Ty,
    pub span: Span,
    /// The function that computes the default value.
    pub default: Option<FnId>,
}

pub(crate) struct FnInfo<'a> {
    pub name: Symbol,
    pub path: Box<str>,
    pub module: ModuleId,
    pub span: Span,
    pub source: FnSource<'a>,
    pub attrs: &'a [ast::Attr],
    pub container: Container,
    pub linkage: Linkage,
    pub state: FnState,
    pub public: bool,
    pub has_self: bool,
    pub variadic: bool,
    /// Of a foreign function, once it has been checked.
    pub foreign: Option<Box<typed::ForeignDef>>,
    /// Names of the generics in scope, those of the container first.
    pub generics: Vec<Symbol>,
    pub arity: u32,
    pub params: Vec<ParamInfo>,
    pub ret: Ty,
    pub wheres: Vec<TraitRefTy>,
    /// Rows of the signature; row 0 is the function's own.
    pub row_count: u32,
    /// `! {..}` as written.
    pub declared: Option<Declared>,
    /// What generic effects of its rows are applied to; `None` while nothing is known, or needs to be.
    pub generic_effects: Option<Box<Signature>>,
    /// Of the pending group, while in progress.
    pub own_row: Row,
    /// Of a function that is checked with others: the rows of its signature.
    pub checked_rows: Vec<u32>,
}

pub(crate) struct GlobalInfo<'a> {
    pub name: Symbol,
    pub path: Box<str>,
    pub module: ModuleId,
    pub span: Span,
    pub source: GlobalSource<'a>,
    pub attrs: &'a [ast::Attr],
    /// `None` until known.
    pub ty: Option<Ty>,
    pub mutable: bool,
    /// The function that stands for a value of general type.
    pub polymorphic: Option<FnId>,
    /// Row 0 is that of its initialiser, the others are those of its type.
    pub row_count: u32,
    /// What generic effects of these rows are applied to.
    pub generic_effects: Option<Box<Signature>>,
    /// A name of its pattern has been checked, and the pattern's errors reported.
    pub projected: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum GlobalSource<'a> {
    Let(&'a ast::LetDecl),
    /// The variable of this name in the pattern of another global.
    Projection(GlobalId, &'a ast::Pattern),
    /// A top-level expression, run for its effects.
    Expr(&'a ast::Expr),
    /// By index into [`Checker::conductors`].
    Conductor(u32),
}

/// The head of a type, by which methods and impls are found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Head {
    Prim(Prim),
    Tuple(u32),
    Record,
    Fn,
    Adt(TypeDefId),
    Array,
    Cell,
    /// A blanket impl.
    Any,
}

/// A written row of a signature.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// With the arguments of generic effects.
    pub closed: Closed,
    pub span: Span,
}

pub(crate) struct EffectInfo<'a> {
    pub name: Symbol,
    pub module: ModuleId,
    pub span: Span,
    pub decl: &'a ast::EffectDecl,
    pub attrs: &'a [ast::Attr],
    /// Its tag in rows.
    pub tag: u32,
    /// Generic effects: where its arguments are found.
    pub family: Option<u32>,
    pub generics: Vec<Symbol>,
    pub operations: Vec<OperationInfo>,
}

pub(crate) struct OperationInfo {
    pub name: Symbol,
    pub span: Span,
    /// Names of its own generics, which come after the effect's.
    pub generics: Vec<Symbol>,
    pub params: Vec<ParamInfo>,
    pub ret: Ty,
    pub row_count: u32,
    pub reentrant: bool,
}

pub(crate) struct Checker<'a> {
    pub names: &'a mut Names,
    pub options: &'a CheckOptions,
    pub diagnostics: Vec<Diagnostic>,
    pub store: TypeStore,
    pub t: Types,
    pub modules: PrimaryMap<ModuleId, ModuleInfo<'a>>,
    pub module_names: FxHashMap<Box<str>, ModuleId>,
    pub root: ModuleId,
    pub prelude: Option<ModuleId>,
    pub aliases: Vec<Alias<'a>>,
    pub ctor_sets: Vec<Vec<(TypeDefId, u32)>>,
    pub adts: PrimaryMap<TypeDefId, AdtInfo<'a>>,
    pub traits: PrimaryMap<TraitId, TraitInfo<'a>>,
    pub impls: PrimaryMap<ImplId, ImplInfo<'a>>,
    pub fns: PrimaryMap<FnId, FnInfo<'a>>,
    pub globals: PrimaryMap<GlobalId, GlobalInfo<'a>>,
    pub effect_decls: PrimaryMap<EffectId, EffectInfo<'a>>,
    pub conductors: Vec<Conductor<'a>>,
    /// Foreign functions, with the attributes of their blocks and what these name as the convention.
    pub externs: Vec<(FnId, &'a [ast::Attr], &'a str, Span)>,
    pub tags: Tags,
    pub builtins: FxHashMap<Symbol, Builtin>,
    /// Inherent functions and methods by type head and name.
    pub inherent: FxHashMap<(Head, Symbol), Vec<FnId>>,
    /// Impls of a trait by the head of their subject.
    pub impl_index: FxHashMap<(TraitId, Head), Vec<ImplId>>,
    /// Every trait method of a name.
    pub trait_methods: FxHashMap<Symbol, Vec<(TraitId, u32)>>,
    pub lang: LangItems,
    pub lang_traits: LangTraits,
    /// How `return` leaves a handled computation.
    pub lang_exit: Option<EffectId>,
    /// `Core.Parse.Parser`, where the program has it.
    pub lang_parser: Option<TypeDefId>,
    /// What waiting is.
    pub lang_async: Option<EffectId>,
    pub sym: Symbols,
    /// Finished bodies.
    pub fn_bodies: FxHashMap<FnId, typed::Body>,
    pub global_bodies: FxHashMap<GlobalId, typed::Body>,
    /// What each finished body mentions.
    pub references: FxHashMap<Def, Vec<Reference>>,
    /// Core definitions that are used but not yet checked.
    pub queue: Vec<Def>,
    pub queued: FxHashSet<Def>,
    pub used_traits: FxHashSet<TraitId>,
    pub structural_cache: FxHashMap<(TypeDefId, TraitId), bool>,
    /// The body being built.
    pub b: BodyCx,
    /// Local names, innermost last, and the innermost of each name.
    pub scope: Vec<Binding>,
    pub scope_heads: Vec<u32>,
    /// How many lifted local functions are being checked, one inside the other.
    pub body_depth: u32,
    /// How many impls are asking for each other.
    pub trait_depth: u32,
    /// Groups that wait for later definitions of their module.
    pub pending: Vec<PendingGroup>,
    /// Conditions that the group being concluded has inferred, and its next type parameter.
    pub group_where: Vec<TraitRefTy>,
    pub next_inferred: u32,
    pub lifted_where: Vec<TraitRefTy>,
    /// The rows of the signature being checked; of all definitions since the last reset.
    pub sig_rows: Vec<Row>,
    pub group_rows: Vec<(Def, Vec<u32>)>,
    /// Local functions that cannot be lifted, by their names' places.
    pub lift_failures: FxHashSet<Span>,
    pub zonked_perm: Vec<Option<crate::types::TypeId>>,
    pub zonked_temp: Vec<Option<crate::types::TypeId>>,
    /// How many generics the definition has whose body is being finished.
    pub rigid_base: u32,
    pub effects: crate::effects::solve::EffectFacts,
    /// What is required of types, as far as bodies are done.
    pub constraints: Vec<crate::constraints::Constrained>,
    pub error_spans: FxHashSet<(Span, &'static str)>,
    /// What `@cfg` has taken out.
    pub removed: crate::cfg::Removed,
    /// The modules of blocks with declarations, by `ast::Block::scope`.
    pub local_modules: Vec<ModuleId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Reference {
    Fn(FnId),
    Global(GlobalId),
    Trait(TraitId),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Builtin {
    Prim(Prim),
    Unit,
    Array,
    Bytes,
    Cell,
}

macro_rules! lang_traits {
    ($($field:ident = $name:literal;)*) => {
        /// Traits the checker refers to.
        #[derive(Default, Clone, Copy)]
        pub(crate) struct LangTraits { $(pub $field: Option<TraitId>,)* }

        impl LangTraits {
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            pub fn set(&mut self, name: &str, id: TraitId) {
                match name { $($name => self.$field = Some(id),)* _ => {} }
            }
        }
    };
}

lang_traits! {
    add = "Add"; sub = "Sub"; mul = "Mul"; div = "Div"; rem = "Rem"; pow = "Pow"; neg = "Neg";
    shl = "Shl"; shr = "Shr"; not = "Not";
    eq = "Eq"; ord = "Ord"; hash = "Hash"; display = "Display"; debug = "Debug";
    index = "Index"; from = "From"; into_iterator = "IntoIterator"; from_array = "FromArray";
    into_json = "IntoJson"; delay = "Delay"; c_type = "CType"; c_function = "CFunction";
    c_arguments = "CArguments"; c_result = "CResult"; ffi_arguments = "FfiArguments"; ffi_function = "FfiFunction";
}

macro_rules! symbols {
    ($($field:ident = $text:literal;)*) => {
        /// Names the checker compares with.
        pub(crate) struct Symbols { $(pub $field: Symbol,)* }

        impl Symbols {
            pub fn new(names: &mut Names) -> Self {
                Symbols { $($field: names.intern($text),)* }
            }
        }
    };
}

symbols! {
    null = "null"; json_null = "Null"; self_value = "self"; self_type = "Self"; main = "main"; some = "Some"; none = "None"; ok = "Ok"; err = "Err";
    nil = "Nil"; cons = "Cons"; less = "Less"; greater = "Greater"; next = "next"; format = "format"; print = "print"; println = "println";
    eprint = "eprint"; eprintln = "eprintln"; panic = "panic"; assert = "assert"; lambda = "<lambda>";
    call = "call";
}

impl<'a> Checker<'a> {
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    /// One report per place and code; for errors found again by a second look.
    pub fn error_once(&mut self, diagnostic: Diagnostic) {
        if self.error_spans.insert((diagnostic.primary, diagnostic.code.0)) {
            self.report(diagnostic);
        }
    }

    pub fn is_core(&self, module: ModuleId) -> bool {
        self.modules[module].is_core
    }
}
