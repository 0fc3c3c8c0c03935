//! Core: the typed intermediate language between the checker and the machine.
//!
//! Monomorphic, strict, first order except for closures, in A-normal form with join points [Maurer et al.
//! 2017]. A function body is a [`Block`]: straight-line statements, then one [`End`]. Branches nest; code
//! shared by branches, and every loop, is a join point. There are no mutable variables: a Reml `var` has
//! been turned into join-point parameters, or into a heap cell where a lambda captures it. References are
//! gone too: a `&T` parameter is a `T` passed as a borrow, and a `&mut T` parameter is passed in and
//! returned out (`f(&mut a, b) -> r` has Core type `(a, b) -> (r, a)`).
//!
//! The same data carries the program through three forms, each printable and verified:
//! 1. *lowered* (`lower`): no reference counting statements;
//! 2. *optimised* (`opt`): the same vocabulary;
//! 3. *counted* (`rc`): `Dup`/`Drop`/`Release` made explicit, parameter modes decided; what codegen takes.
//!
//! Everything a variable needs (type, name, span) is in the function's variable table.

use cranelift_entity::{PrimaryMap, entity_impl};
use reml_diagnostics::Span;
use reml_semantics::typed::{ForeignContract, ForeignLibrary, TypeDef, TypeDefId};
use reml_semantics::types::{TypeId, TypeStore};
use rustc_hash::FxHashMap;

use crate::c_abi::CSignature;
use crate::prim::PrimOp;
use crate::version::Version;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncId(u32);
entity_impl!(FuncId, "f");

/// A variable of one function; assigned exactly once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(u32);
entity_impl!(Var, "v");

/// A join point of one function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JoinId(u32);
entity_impl!(JoinId, "j");

/// A top-level value: a slot filled by its initialiser before `main` runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalId(u32);
entity_impl!(GlobalId, "g");

/// A string literal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StrId(u32);
entity_impl!(StrId, "str");

/// A runtime function by its link name (`runtime/rt/src/abi.rs` lists them with their signatures).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuntimeId(u32);
entity_impl!(RuntimeId, "rt");

/// How C sees a callback.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallbackId(u32);
entity_impl!(CallbackId, "cb");

/// A C function called directly.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForeignId(u32);
entity_impl!(ForeignId, "c");

#[derive(Clone)]
pub struct Program {
    pub types: TypeStore,
    /// The declared types, for layouts and printing.
    pub type_defs: PrimaryMap<TypeDefId, TypeDef>,
    /// Printable names of the declared types, `Option`, `Shape`.
    pub type_names: cranelift_entity::SecondaryMap<TypeDefId, Box<str>>,
    pub funcs: PrimaryMap<FuncId, Function>,
    pub globals: PrimaryMap<GlobalId, Global>,
    pub strings: PrimaryMap<StrId, Box<str>>,
    pub runtime: PrimaryMap<RuntimeId, RuntimeFn>,
    pub foreign: PrimaryMap<ForeignId, ForeignFn>,
    /// The signatures of callbacks, which `PrimOp::CallbackEntry` names.
    pub callbacks: PrimaryMap<CallbackId, CSignature>,
    /// What the program, without its library, has that is not of the language; by place.
    pub native: Vec<NativeUse>,
    /// `() -> i32`: initialises globals, runs `main`, prints its result, drops globals; the exit status.
    pub entry: FuncId,
    /// A function that calls those of the program for its host. As in the entry, calls stay calls there, so that denials and backtraces name who was called.
    pub dispatcher: Option<FuncId>,
    /// The files of the standard library, in the order of their places. Code inlined from them is reported at the call.
    pub library: Vec<Span>,
    /// Set when the program may be replaced, or replaces what runs: what other versions will do is not known then.
    pub version: Option<Version>,
}

#[derive(Clone)]
pub struct Global {
    pub name: Box<str>,
    pub ty: TypeId,
}

/// A function of the runtime library.
#[derive(Clone)]
pub struct RuntimeFn {
    pub symbol: Box<str>,
    pub params: Vec<(TypeId, Mode)>,
    pub ret: TypeId,
    /// It does nothing but give its result: it need not be called when nobody uses that.
    pub pure: bool,
}

/// A function of C's.
#[derive(Clone)]
pub struct ForeignFn {
    pub callee: ForeignCallee,
    pub signature: CSignature,
    /// There may be more arguments, all of them scalars.
    pub variadic: bool,
}

#[derive(Clone, Debug)]
pub enum ForeignCallee {
    /// What a library has under a name.
    Symbol(ForeignSymbol),
    /// The first argument of the call is its address.
    Pointer,
}

/// A name for the linker.
#[derive(Clone, Debug)]
pub struct ForeignSymbol {
    pub name: Box<str>,
    pub library: Option<ForeignLibrary>,
    /// Null where there is no such symbol.
    pub weak: bool,
    /// Where it is declared.
    pub span: Span,
}

/// The library of declarations that name none: what every executable is linked with, C's library and its parts, as libm.
const LIBC: &str = "libc";

impl ForeignSymbol {
    /// How policies and reports call the library.
    pub fn library_name(&self) -> &str {
        self.library.as_ref().map_or(LIBC, |library| &library.name)
    }
}

impl ForeignFn {
    /// How messages and listings call it.
    pub fn name(&self) -> &str {
        match &self.callee {
            ForeignCallee::Symbol(symbol) => &symbol.name,
            ForeignCallee::Pointer => "(pointer)",
        }
    }

    /// The types of its arguments, and of its result.
    pub fn arguments(&self, raw: TypeId) -> Vec<TypeId> {
        let mut types = Vec::with_capacity(self.signature.params.len() + 2);
        if matches!(self.callee, ForeignCallee::Pointer) {
            types.push(raw);
        }
        types.extend(self.signature.params.iter().map(|param| param.ty));
        if self.signature.ret.by_value.is_some() {
            types.push(raw);
        }
        types
    }
}

/// Code from below or outside of the language. The gate decides about each before the program starts.
#[derive(Clone, PartialEq, Eq)]
pub struct NativeUse {
    /// A library, or the capability of a way below the language: `native.inline_asm`.
    pub library: Box<str>,
    /// The function of the library.
    pub symbol: Option<Box<str>>,
    /// The function that is declared, or that goes below the language.
    pub function: Box<str>,
    pub span: Span,
    /// What a declaration states of the border.
    pub contract: Option<ForeignContract>,
}

#[derive(Clone)]
pub struct Function {
    /// Unique, readable: `main.fib`, `Core.List.map<i64, Str>`, `main.run.{lambda#2}`.
    pub name: Box<str>,
    pub span: Span,
    /// For a closure body, the captured values come first: `captures` of them.
    pub params: Vec<Var>,
    pub captures: usize,
    /// Filled by `rc`; before that all `Owned`. A closure body's captures are always `Borrowed` (they belong to the
    /// closure object), its own parameters always `Owned` (its callers do not know it).
    /// A parameter that was `&T` in the source starts as `Borrowed`, and only becomes `Owned` where a tail call would
    /// otherwise have to drop an argument when it is back.
    pub modes: Vec<Mode>,
    pub ret: TypeId,
    pub vars: PrimaryMap<Var, VarInfo>,
    /// How many join points the body has used.
    pub joins: PrimaryMap<JoinId, JoinInfo>,
    pub body: Block,
    pub inline: Inline,
    /// Counted form only, for the code of closures: the same function with the captures as owned parameters, for calls
    /// that consume the closure.
    pub consuming: Option<FuncId>,
    /// Counted form only: what the function owns during a call that effects may unwind, by the variable that the call
    /// defines. Such a call may never return; then its frame's owned values are dropped by the runtime.
    pub roots: FxHashMap<Var, Box<[Var]>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inline {
    Auto,
    Always,
    Never,
    /// Never; and a call whose arguments are constants is made once, when the program starts. It does nothing but give its result, and
    /// always does.
    Once,
}

impl Inline {
    /// May there be other versions of the function: inlined, or specialised for what it is given?
    pub fn may_be_cloned(self) -> bool {
        matches!(self, Inline::Auto | Inline::Always)
    }
}

/// Who releases the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The callee consumes it.
    Owned,
    /// The caller keeps it alive during the call.
    Borrowed,
}

#[derive(Clone, Debug)]
pub struct VarInfo {
    pub ty: TypeId,
    /// The source name, for printing; `None` for temporaries.
    pub name: Option<Box<str>>,
    /// Where the operation that defines it is written: panics and backtraces report it.
    pub span: Span,
}

#[derive(Clone, Debug, Default)]
pub struct JoinInfo {}

#[derive(Clone, Debug)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub end: End,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(Var, Op),
    /// A join point; in scope in the rest of the block (and of nested blocks), and, when `recursive`, in its own
    /// body. Its parameters are owned by the body.
    Join(Box<Join>),
    /// Writes a hole left by a `Construct` (tail recursion modulo cons): `*addr = value`. Consumes `value`.
    Fill {
        addr: Var,
        value: Atom,
    },
    /// Counted form only: one more owner.
    Dup(Var),
    /// Counted form only: one owner less; frees at zero.
    Drop(Var),
    /// Counted form only: ends the life of the boxed cell `var` (of variant `variant`) whose fields `moved` have been
    /// read into variables that live on.
    /// Unique: drops the other fields and frees the cell, or keeps its memory in `token`. Shared: dups
    /// the moved fields, decrements, and `token` becomes null.
    Release {
        var: Var,
        variant: u32,
        moved: Vec<(u32, Var)>,
        token: Option<Var>,
    },
    /// Counted form only: frees the memory of an unused token.
    FreeToken(Var),
}

#[derive(Clone, Debug)]
pub struct Join {
    pub id: JoinId,
    pub params: Vec<Var>,
    pub recursive: bool,
    pub body: Block,
}

#[derive(Clone, Debug)]
pub enum End {
    Return(Atom),
    Jump(JoinId, Vec<Atom>),
    /// A call in tail position: never grows the stack.
    TailCall {
        callee: Callee,
        args: Vec<Atom>,
        span: Span,
    },
    Switch(Switch),
    /// Control cannot get here (after a call of type `Never`, or an impossible tag).
    Unreachable,
}

#[derive(Clone, Debug)]
pub struct Switch {
    pub scrutinee: Atom,
    pub cases: Vec<(Case, Block)>,
    /// `None` when the cases are exhaustive.
    pub default: Option<Box<Block>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Tag of the scrutinee's sum type.
    Variant(u32),
    /// Value of an integer or `Char`.
    Int(i128),
    Bool(bool),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Atom {
    Var(Var),
    /// An integer, `Char` (its scalar value) or payload-free constructor is written with its type.
    Int(i128, TypeId),
    Float(f64, TypeId),
    Bool(bool),
    Unit,
    Str(StrId),
    /// The field to be written later by `Fill`; only as an argument of `Construct`.
    Hole,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Callee {
    Func(FuncId),
    /// A closure value; it is borrowed.
    Closure(Atom),
    /// Counted form only, in tail position: a closure value that the callee consumes, since nobody could drop it after.
    Consumed(Atom),
}

#[derive(Clone, Debug)]
pub enum Op {
    /// Another name for a value.
    Copy(Atom),
    Prim(PrimOp, Vec<Atom>),
    Call(Callee, Vec<Atom>),
    CallRuntime(RuntimeId, Vec<Atom>),
    CallForeign(ForeignId, Vec<Atom>),
    /// Allocates a closure over the captured values (static when there are none).
    Closure(FuncId, Vec<Atom>),
    /// A value of the variable's type, which is a tuple, record, fixed array (variant 0) or declared type. `token` (counted
    /// form only) is memory to reuse.
    Construct {
        variant: u32,
        args: Vec<Atom>,
        token: Option<Var>,
    },
    /// Reads a field of a value known to be of `variant`; the result is borrowed from `base`.
    Field {
        base: Atom,
        variant: u32,
        index: u32,
    },
    /// The tag of a sum value, as `i64`.
    Tag(Atom),
    /// `[T]` with these elements.
    Array(Vec<Atom>),
    /// Reads a global; borrowed from it.
    GlobalGet(GlobalId),
    /// Fills a global (entry function only). Consumes.
    GlobalSet(GlobalId, Atom),
    /// Moves the value out of a global, owned, and leaves it empty (entry function only, after `main`): how globals
    /// are released at exit.
    GlobalTake(GlobalId),
    /// The address of a field of a freshly built cell, for `Fill`.
    FieldAddr {
        base: Var,
        variant: u32,
        index: u32,
    },
}

impl Block {
    pub fn new(stmts: Vec<Stmt>, end: End) -> Self {
        Block { stmts, end }
    }
}
