//! What compiled code can refer to, and how that is spelt in Cranelift's numeric external names.
//!
//! Functions are compiled on several threads before any of them is placed in a module, so they name each other by what
//! they are (`Drop` of this type, closure entry of that function) and not by module ids. Helpers exist only because
//! some compiled function mentions them: the set of helpers to generate is read off the relocations.

use cranelift_codegen::ir::UserExternalName;
use cranelift_entity::EntityRef;
use reml_middle::core::{CallbackId, ForeignId, FuncId, GlobalId, RuntimeId, StrId};
use reml_semantics::types::TypeId;
use smallvec::{SmallVec, smallvec};

use crate::plan::Plan;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Symbol {
    /// A Core function, all its parameters passed in order.
    Func(FuncId),
    /// The same function as the code of a closure: own parameters, then the closure object.
    ClosureEntry(FuncId),
    /// Drops the captures of a closure over the function, and frees it.
    ClosureDrop(FuncId),
    /// Like the closure entry, but ends the closure object: for calls that nothing can follow.
    ClosureConsume(FuncId),
    /// One owner less of a value of the type, given as its slots.
    Drop(TypeId),
    /// The last owner of an object of the (pointer-shaped) type is gone: drops what it holds, frees it.
    Free(TypeId),
    /// One owner more of a value of the type.
    Dup(TypeId),
    /// `(xs, room) -> xs`: a unique copy of an owned array with room for at least `room` elements.
    ArrayCopy(TypeId),
    /// `(xs, n) -> xs`
    ArrayTruncate(TypeId),
    /// `(&xs, start, end) -> copy`
    ArraySlice(TypeId),
    /// `(xs, &ys) -> xs ++ ys`
    ArrayAppend(TypeId),
    /// `(n, slots of v) -> xs`
    ArrayFilled(TypeId),
    /// `(xs) -> xs`: a unique copy of a boxed fixed array.
    FixedCopy(TypeId),
    /// Takes an object from the free list of the class: for code that should stay small.
    Alloc(u32),
    /// Puts an object into the empty free list of the class. Keeps all registers, so that the callers' fast paths need
    /// not save any.
    Refill(u32),
    /// `(&mut [xs, room])`: `ArrayCopy` for cold paths: the result replaces `xs`. Keeps all registers.
    ColdCopy(TypeId),
    /// `(&mut [xs, room])` with the element's stride: grows a unique array. Keeps all registers.
    ColdGrow(u32),
    /// `(&[operands])`: reports the error. Operands come through memory, since fixed argument registers in a cold block would
    /// cost moves in the hot code around it.
    Panic(PanicStub),
    /// Drops the clauses of a handler with this many, and frees it.
    HandlerDrop(u32),
    /// Drops a continuation.
    ContinuationDrop,
    /// `(handler, id) -> handler`: the nearest one of the effect.
    HandlerSearch,
    /// `fn(context, closure)` in the platform's convention: calls a closure of the type and leaves its result in the payload.
    RunEntry(TypeId),
    /// `fn(context, slots)` in the platform's convention: one owner less of the value of the type that lies there.
    RootDrop(TypeId),
    /// One owner more.
    RootDup(TypeId),
    /// `fn(context, closure)` in the platform's convention: one owner less of a closure.
    DropClosure,
    /// The last owner of a resource is gone: the runtime closes it.
    ResourceDrop,
    /// What C calls for callbacks of a signature, once the runtime has set the pinned register.
    CallbackEntry(CallbackId),
    /// The platform-convention entry point, `fn(context) -> i32`.
    Main,
    /// The platform-convention caller of `() -> ()` closures, `fn(context, closure)`.
    Invoke,
    /// `main` of an executable.
    CMain,
    /// `reml_start`, which it calls.
    Start,
    /// A function of `reml_rt::abi::CODEGEN_FUNCTIONS`, by index.
    Runtime(u32),
    /// A runtime function that the library declares.
    Library(RuntimeId),
    Foreign(ForeignId),
    /// C's `fmod` and `fmodf`.
    FloatRem(bool),

    /// A string literal's object.
    Str(StrId),
    /// The static object of a function without captures.
    StaticClosure(FuncId),
    /// What every closure over the function shares: `reml_rt::abi::ClosureInfo`.
    ClosureInfo(FuncId),
    /// The same for handlers of that many operations, and for continuations: they are dropped like closures.
    HandlerInfo(u32),
    ContinuationInfo,
    Global(GlobalId),
    /// Where stack traces and panics look up return addresses.
    FrameTable,
    /// What `reml_start` is given.
    ProgramInfo,
}

/// What a `Symbol::Panic` reports; the types are indices into `reml_rt::abi::INT_TYPES`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum PanicStub {
    /// Operands: index, length.
    Index,
    /// Operands: left, right.
    Overflow { what: u8, ty: u8 },
    /// Operand: the value.
    CastInt { from: u8, to: u8 },
    /// Operand: the `f64`.
    CastFloat { to: u8 },
    /// Operand: the value.
    CastChar { from: u8 },
}

impl PanicStub {
    fn encode(self) -> u32 {
        let (kind, a, b) = match self {
            PanicStub::Index => (0, 0, 0),
            PanicStub::Overflow { what, ty } => (1, what, ty),
            PanicStub::CastInt { from, to } => (2, from, to),
            PanicStub::CastFloat { to } => (3, to, 0),
            PanicStub::CastChar { from } => (4, from, 0),
        };
        u32::from_le_bytes([kind, a, b, 0])
    }

    fn decode(code: u32) -> PanicStub {
        let [kind, a, b, _] = code.to_le_bytes();
        match kind {
            0 => PanicStub::Index,
            1 => PanicStub::Overflow { what: a, ty: b },
            2 => PanicStub::CastInt { from: a, to: b },
            3 => PanicStub::CastFloat { to: a },
            _ => PanicStub::CastChar { from: a },
        }
    }
}

impl Symbol {
    pub fn is_data(self) -> bool {
        use Symbol::*;
        matches!(
            self,
            Str(_)
                | StaticClosure(_)
                | ClosureInfo(_)
                | HandlerInfo(_)
                | ContinuationInfo
                | Global(_)
                | FrameTable
                | ProgramInfo
        )
    }

    /// Defined outside the compiled program.
    pub fn is_import(self) -> bool {
        use Symbol::*;
        matches!(self, Start | Runtime(_) | Library(_) | Foreign(_) | FloatRem(_))
    }

    /// The functions that stand in a data object.
    pub fn functions_inside(self, plan: &Plan) -> SmallVec<[Symbol; 2]> {
        match self {
            Symbol::StaticClosure(id) => smallvec![Symbol::ClosureEntry(id)],
            Symbol::ClosureInfo(id) if plan.program.funcs[id].captures == 0 => smallvec![Symbol::ClosureEntry(id)],
            Symbol::ClosureInfo(id) if plan.consumes => smallvec![plan.closure_drop(id), Symbol::ClosureConsume(id)],
            Symbol::ClosureInfo(id) => smallvec![plan.closure_drop(id)],
            Symbol::HandlerInfo(count) => smallvec![Symbol::HandlerDrop(count)],
            Symbol::ContinuationInfo => smallvec![Symbol::ContinuationDrop],
            _ => SmallVec::new(),
        }
    }

    pub fn to_name(self) -> UserExternalName {
        let (namespace, index) = match self {
            Symbol::Func(id) => (0, id.index() as u32),
            Symbol::ClosureEntry(id) => (1, id.index() as u32),
            Symbol::ClosureDrop(id) => (2, id.index() as u32),
            Symbol::Drop(ty) => (3, ty.index() as u32),
            Symbol::Free(ty) => (4, ty.index() as u32),
            Symbol::Dup(ty) => (5, ty.index() as u32),
            Symbol::ArrayCopy(ty) => (6, ty.index() as u32),
            Symbol::ArrayTruncate(ty) => (7, ty.index() as u32),
            Symbol::ArraySlice(ty) => (8, ty.index() as u32),
            Symbol::ArrayAppend(ty) => (9, ty.index() as u32),
            Symbol::ArrayFilled(ty) => (10, ty.index() as u32),
            Symbol::FixedCopy(ty) => (11, ty.index() as u32),
            Symbol::Alloc(class) => (12, class),
            Symbol::Main => (13, 0),
            Symbol::Invoke => (14, 0),
            Symbol::Runtime(index) => (15, index),
            Symbol::Library(id) => (16, id.index() as u32),
            Symbol::Foreign(id) => (17, id.index() as u32),
            Symbol::FloatRem(double) => (18, double.into()),
            Symbol::Str(id) => (19, id.index() as u32),
            Symbol::StaticClosure(id) => (20, id.index() as u32),
            Symbol::Global(id) => (21, id.index() as u32),
            Symbol::FrameTable => (22, 0),
            Symbol::CMain => (23, 0),
            Symbol::Start => (24, 0),
            Symbol::ProgramInfo => (25, 0),
            Symbol::Refill(class) => (26, class),
            Symbol::ColdCopy(ty) => (27, ty.index() as u32),
            Symbol::ColdGrow(stride) => (28, stride),
            Symbol::Panic(stub) => (29, stub.encode()),
            Symbol::ClosureConsume(id) => (30, id.index() as u32),
            Symbol::ClosureInfo(id) => (31, id.index() as u32),
            Symbol::HandlerDrop(count) => (32, count),
            Symbol::ContinuationDrop => (33, 0),
            Symbol::HandlerSearch => (34, 0),
            Symbol::RunEntry(ty) => (35, ty.index() as u32),
            Symbol::RootDrop(ty) => (36, ty.index() as u32),
            Symbol::RootDup(ty) => (37, ty.index() as u32),
            Symbol::DropClosure => (38, 0),
            Symbol::HandlerInfo(count) => (39, count),
            Symbol::ContinuationInfo => (40, 0),
            Symbol::ResourceDrop => (41, 0),
            Symbol::CallbackEntry(id) => (42, id.index() as u32),
        };
        UserExternalName { namespace, index }
    }

    pub fn from_name(name: &UserExternalName) -> Option<Symbol> {
        let index = name.index as usize;
        Some(match name.namespace {
            0 => Symbol::Func(FuncId::new(index)),
            1 => Symbol::ClosureEntry(FuncId::new(index)),
            2 => Symbol::ClosureDrop(FuncId::new(index)),
            3 => Symbol::Drop(TypeId::new(index)),
            4 => Symbol::Free(TypeId::new(index)),
            5 => Symbol::Dup(TypeId::new(index)),
            6 => Symbol::ArrayCopy(TypeId::new(index)),
            7 => Symbol::ArrayTruncate(TypeId::new(index)),
            8 => Symbol::ArraySlice(TypeId::new(index)),
            9 => Symbol::ArrayAppend(TypeId::new(index)),
            10 => Symbol::ArrayFilled(TypeId::new(index)),
            11 => Symbol::FixedCopy(TypeId::new(index)),
            12 => Symbol::Alloc(name.index),
            13 => Symbol::Main,
            14 => Symbol::Invoke,
            15 => Symbol::Runtime(name.index),
            16 => Symbol::Library(RuntimeId::new(index)),
            17 => Symbol::Foreign(ForeignId::new(index)),
            18 => Symbol::FloatRem(name.index != 0),
            19 => Symbol::Str(StrId::new(index)),
            20 => Symbol::StaticClosure(FuncId::new(index)),
            21 => Symbol::Global(GlobalId::new(index)),
            22 => Symbol::FrameTable,
            23 => Symbol::CMain,
            24 => Symbol::Start,
            25 => Symbol::ProgramInfo,
            26 => Symbol::Refill(name.index),
            27 => Symbol::ColdCopy(TypeId::new(index)),
            28 => Symbol::ColdGrow(name.index),
            29 => Symbol::Panic(PanicStub::decode(name.index)),
            30 => Symbol::ClosureConsume(FuncId::new(index)),
            31 => Symbol::ClosureInfo(FuncId::new(index)),
            32 => Symbol::HandlerDrop(name.index),
            33 => Symbol::ContinuationDrop,
            34 => Symbol::HandlerSearch,
            35 => Symbol::RunEntry(TypeId::new(index)),
            36 => Symbol::RootDrop(TypeId::new(index)),
            37 => Symbol::RootDup(TypeId::new(index)),
            38 => Symbol::DropClosure,
            39 => Symbol::HandlerInfo(name.index),
            40 => Symbol::ContinuationInfo,
            41 => Symbol::ResourceDrop,
            42 => Symbol::CallbackEntry(CallbackId::new(index)),
            _ => return None,
        })
    }
}
