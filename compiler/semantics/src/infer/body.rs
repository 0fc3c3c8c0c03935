//! The body under construction: typed-tree nodes whose types are still inference types.
//!
//! Nodes are built once, in their final shape; only their types are filled in at the end (`zonk`). What cannot be
//! decided yet, because a receiver's or operand's type is unknown, is a [`Deferred`] item that overwrites its node
//! when the type is known.

use cranelift_entity::{EntityRef, EntitySet, PrimaryMap};
use reml_diagnostics::Span;
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::ty::{List, Ty, Types};
use crate::cx::{Def, Reference, TraitRefTy};
use crate::native::Gates;
use crate::traits::{NoteId, Notes};
use crate::typed::*;

/// Why a type is expected; shown as a secondary label when it is not met.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Why {
    None,
    Annotation(Span),
    Param(FnId, u32),
    Field(Span),
    Return(Span),
    /// The branches of an `if` or `match` agree; `tail`: it is the result of a function without a written one.
    Branch {
        first: Span,
        tail: bool,
    },
    Condition,
    NoElse,
    Operand(Span),
    Element(Span),
    Assigned(Span),
    Break(Span),
    /// The clauses of a handler give what the handled computation gives.
    Answer(Span),
    Operation(EffectId, u32, u32),
}

/// What the surroundings expect of an expression: a hint, except through `check`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    pub ty: Option<Ty>,
    pub why: Why,
    /// The value is the result of a function whose result type is not written.
    pub tail: bool,
}

impl Want {
    pub const NOTHING: Want = Want { ty: None, why: Why::None, tail: false };

    pub fn of(ty: Ty, why: Why) -> Want {
        Want { ty: Some(ty), why, tail: false }
    }
}

pub(crate) struct LoopFrame {
    /// The type of `break`s; `None` for `while` and `for`.
    pub result: Option<Ty>,
    pub broken: bool,
    pub first: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameKind {
    /// A function or lambda: `return` and `?` leave it.
    Function,
    /// A handled computation: `return` and `?` leave the function around the `handle`.
    Handled,
    /// A clause of a handler.
    Clause,
}

/// A function, lambda or handled computation around the code being checked.
pub(crate) struct Frame {
    pub kind: FrameKind,
    pub ret: Ty,
    pub why: Why,
    pub row: u32,
    pub loops: Vec<LoopFrame>,
    /// Some `return` has been seen, here.
    pub returned: Option<Span>,
    pub tail: bool,
    /// Some `return` leaves the function around from here.
    pub left: bool,
}

impl Frame {
    pub fn new(ret: Ty, why: Why, row: u32) -> Frame {
        let (loops, returned) = (Vec::new(), None);
        Frame { kind: FrameKind::Function, ret, why, row, loops, returned, tail: false, left: false }
    }
}

/// Type parameters of the operations that clauses answer are `Param(RIGID + n)` while a body is checked.
pub(crate) const RIGID: u32 = 1 << 24;

/// The clause that such type parameters belong to, by the expressions and locals made while it was checked.
pub(crate) struct RigidScope {
    pub first: u32,
    pub count: u32,
    pub exprs: (usize, usize),
    pub locals: (usize, usize),
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LocalBinding {
    Local(LocalId),
    /// A local function that captures nothing.
    Fn(FnId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub name: Symbol,
    pub previous: u32,
    pub what: LocalBinding,
    /// How many bodies are around the one that binds it.
    pub body: u32,
}

pub(crate) struct Deferred {
    pub expr: ExprId,
    pub span: Span,
    pub row: u32,
    pub unsafe_ok: bool,
    pub kind: DeferredKind,
}

#[derive(Clone)]
pub(crate) enum DeferredKind {
    Field {
        base: ExprId,
        name: ast::Ident,
    },
    TupleField {
        base: ExprId,
        index: u32,
    },
    Method {
        receiver: ExprId,
        name: ast::Ident,
        args: Vec<(Option<ast::Ident>, ExprId)>,
    },
    Binary {
        op: ast::BinaryOp,
        left: ExprId,
        right: ExprId,
    },
    Compare {
        op: ast::BinaryOp,
        left: ExprId,
        right: ExprId,
    },
    Negate {
        operand: ExprId,
    },
    Index {
        base: ExprId,
        index: ExprId,
    },
    Cast {
        operand: ExprId,
    },
    /// `Display.to_string` or `Debug.show` of a value, for `format`.
    Text {
        operand: ExprId,
        debug: bool,
    },
    /// Format conversions by the operand's type: `{:x}`, `{:.2}`, `%g`.
    FormatNumber {
        operand: ExprId,
        spec: super::format::Spec,
    },
    /// The failure of `?`, converted to the type that the function fails with.
    ErrorConversion {
        operand: ExprId,
    },
    /// `json!` leaf.
    Json {
        operand: ExprId,
    },
    Trait(TraitRefTy, Option<NoteId>),
}

/// State of one body.
pub(crate) struct BodyCx {
    pub def: Option<Def>,
    pub module: ModuleId,
    pub generics: Vec<(Symbol, Ty)>,
    pub self_ty: Option<Ty>,
    /// What may be assumed of the generics, supertraits included.
    pub assumptions: Vec<TraitRefTy>,
    pub exprs: PrimaryMap<ExprId, Expr>,
    pub tys: Vec<Ty>,
    pub patterns: PrimaryMap<PatternId, Pattern>,
    pub pattern_tys: Vec<Ty>,
    pub locals: PrimaryMap<LocalId, Local>,
    pub local_tys: Vec<Ty>,
    /// Those that a `let` of one name declared.
    pub lets: EntitySet<LocalId>,
    /// How many lambdas were around its declaration.
    pub local_depths: Vec<u32>,
    pub type_args: Vec<(ExprId, List)>,
    /// Uses of functions of the group being inferred, whose type arguments are its own parameters.
    pub group_uses: Vec<ExprId>,
    pub place_tys: Vec<(ExprId, u32, Ty)>,
    pub deferred: Vec<Deferred>,
    /// The constraints of the body, where somebody wants to see them.
    pub notes: Notes,
    pub frames: Vec<Frame>,
    pub references: Vec<Reference>,
    pub empty_arrays: Vec<(Ty, Span)>,
    pub unsafe_depth: u32,
    /// What native code is admitted here.
    pub native: Gates,
    pub escapes: Vec<Escape>,
    pub lambda_depth: u32,
    /// How many locals there were before the innermost deferred code around.
    pub locals_before_defer: usize,
    /// How many lambdas are around the innermost deferred code around.
    pub defer_depth: Option<u32>,
    /// Type parameters from here on are inferred: conditions on them go into the signature.
    pub first_inferred: Option<u32>,
    /// The type of the deferred node that is being decided.
    pub waiting: Option<Ty>,
    /// `handle` expressions, whose clauses are settled at the end.
    pub handles: Vec<ExprId>,
    /// The continuations of clauses.
    pub resumes: Vec<LocalId>,
    /// Handled computations that code leaves by `return`, and whose `handle` does not know yet.
    pub departures: u32,
    /// Names of rigid type parameters, and where they may occur.
    pub rigid: Vec<Symbol>,
    pub rigid_scopes: Vec<RigidScope>,
    /// The row last known to allocate.
    pub allocates: Option<u32>,
    pub params: Vec<PatternId>,
    pub root: Option<ExprId>,
    /// Names bound by the pattern being checked.
    pub bound: Vec<(Symbol, LocalId, Span)>,
    /// Names that the alternatives of an or-pattern share.
    pub shared: Vec<(Symbol, LocalId)>,
}

impl Default for BodyCx {
    fn default() -> Self {
        BodyCx {
            def: None,
            module: ModuleId::new(0),
            generics: Vec::new(),
            self_ty: None,
            assumptions: Vec::new(),
            exprs: PrimaryMap::new(),
            tys: Vec::new(),
            patterns: PrimaryMap::new(),
            pattern_tys: Vec::new(),
            locals: PrimaryMap::new(),
            local_tys: Vec::new(),
            lets: EntitySet::new(),
            local_depths: Vec::new(),
            type_args: Vec::new(),
            group_uses: Vec::new(),
            place_tys: Vec::new(),
            deferred: Vec::new(),
            notes: Notes::default(),
            frames: Vec::new(),
            references: Vec::new(),
            empty_arrays: Vec::new(),
            unsafe_depth: 0,
            native: Gates::default(),
            escapes: Vec::new(),
            lambda_depth: 0,
            locals_before_defer: 0,
            defer_depth: None,
            first_inferred: None,
            waiting: None,
            handles: Vec::new(),
            resumes: Vec::new(),
            departures: 0,
            rigid: Vec::new(),
            rigid_scopes: Vec::new(),
            allocates: None,
            params: Vec::new(),
            root: None,
            bound: Vec::new(),
            shared: Vec::new(),
        }
    }
}

impl BodyCx {
    pub fn expr(&mut self, kind: ExprKind, ty: Ty, span: Span) -> ExprId {
        let id = self.exprs.push(Expr { kind, ty: PENDING, span });
        self.tys.push(ty);
        id
    }

    pub fn ty(&self, id: ExprId) -> Ty {
        self.tys[id.index()]
    }

    pub fn set(&mut self, id: ExprId, kind: ExprKind) {
        self.exprs[id].kind = kind;
    }

    pub fn span(&self, id: ExprId) -> Span {
        self.exprs[id].span
    }

    pub fn pattern(&mut self, kind: PatternKind, ty: Ty, span: Span) -> PatternId {
        let id = self.patterns.push(Pattern { kind, ty: PENDING, span });
        self.pattern_tys.push(ty);
        id
    }

    pub fn local(&mut self, name: Option<Symbol>, ty: Ty, span: Span, mutable: bool) -> LocalId {
        let id = self.locals.push(Local { name, ty: PENDING, span, mutable, boxed: false, global: None });
        self.local_tys.push(ty);
        self.local_depths.push(self.lambda_depth);
        id
    }

    /// A local that stands for a `var` of a module.
    pub fn global_local(&mut self, global: GlobalId, ty: Ty, span: Span) -> LocalId {
        let id = self.local(None, ty, span, true);
        self.locals[id].boxed = true;
        self.locals[id].global = Some(global);
        id
    }

    /// Shares the variable with a lambda or deferred code that outlives this mention. A panic runs deferred code from
    /// outside of the function, and it must see the latest value.
    pub fn share(&mut self, local: LocalId) {
        self.locals[local].boxed |= self.is_outside_lambda(local) || local.index() < self.locals_before_defer;
    }

    /// Does the local belong to a function around the lambda that is being checked?
    pub fn is_outside_lambda(&self, local: LocalId) -> bool {
        self.local_depths[local.index()] < self.lambda_depth
    }

    pub fn local_ty(&self, id: LocalId) -> Ty {
        self.local_tys[id.index()]
    }

    pub fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a body has a frame while it is checked")
    }

    /// The frame that `return` leaves.
    pub fn return_frame(&mut self) -> &mut Frame {
        let index = self.frames.iter().rposition(|frame| frame.kind != FrameKind::Handled).unwrap_or(0);
        &mut self.frames[index]
    }

    pub fn row(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.row)
    }

    // Shorthands for desugared code.

    pub fn use_local(&mut self, local: LocalId, span: Span) -> ExprId {
        let ty = self.local_ty(local);
        self.expr(ExprKind::Local(local), ty, span)
    }

    pub fn bind_pattern(&mut self, local: LocalId, span: Span) -> PatternId {
        let ty = self.local_ty(local);
        self.pattern(PatternKind::Bind(local, None), ty, span)
    }

    pub fn unit(&mut self, span: Span) -> ExprId {
        self.expr(ExprKind::Tuple(Vec::new()), Types::UNIT, span)
    }

    pub fn error(&mut self, span: Span) -> ExprId {
        self.expr(ExprKind::Error, Types::ERROR, span)
    }

    pub fn is_error(&self, id: ExprId) -> bool {
        matches!(self.exprs[id].kind, ExprKind::Error)
    }
}

/// Stands for a type until `zonk` fills it in; the id of a primitive, so that it is valid in every store.
pub(crate) const PENDING: crate::types::TypeId = crate::types::TypeId::PENDING;
