//! Final types: what every expression has once inference is done.
//!
//! Types are hash-consed in a [`TypeStore`], so `TypeId` equality is type equality and a type costs four
//! bytes wherever it is mentioned. Effect rows are *not* part of these types: they are checked by the
//! front end, recorded per function in [`crate::typed::FnDef::effects`], and erased. Inference variables
//! live in `infer` and never reach this store; `Error` stands where a diagnostic has been reported.

use cranelift_entity::{PrimaryMap, entity_impl};
use reml_syntax::names::Symbol;
use rustc_hash::FxHashMap;

use crate::typed::TypeDefId;

/// A hash-consed type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);
entity_impl!(TypeId, "ty");

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    Prim(Prim),
    /// `()` is the empty tuple.
    Tuple(Box<[TypeId]>),
    /// Structural record; fields sorted by name text (Unicode scalar order).
    Record(Box<[(Symbol, TypeId)]>),
    Fn {
        params: Box<[TypeId]>,
        ret: TypeId,
    },
    /// A declared sum, record or newtype, applied to as many arguments as it has generics.
    Adt(TypeDefId, Box<[TypeId]>),
    /// `[T]`: growable, value semantics.
    Array(TypeId),
    /// `[T; N]`.
    FixedArray(TypeId, u64),
    /// `&T`, `&mut T`. Second-class: only parameters and locals have it.
    Ref {
        mutable: bool,
        inner: TypeId,
    },
    /// `Ref`-cell of a captured `var`; made by lowering, never written by a user.
    VarCell(TypeId),
    /// The n-th generic of the enclosing definition (an impl's generics come before its method's own).
    Param(u32),
    /// Reported already; unifies with anything.
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Prim {
    I8,
    I16,
    I32,
    I64,
    Isize,
    U8,
    U16,
    U32,
    U64,
    Usize,
    F32,
    F64,
    Bool,
    Char,
    Str,
    Never,
    /// Raw pointer of `extern` signatures.
    RawPtr,
}

impl Prim {
    pub fn is_integer(self) -> bool {
        use Prim::*;
        matches!(self, I8 | I16 | I32 | I64 | Isize | U8 | U16 | U32 | U64 | Usize)
    }

    pub fn is_signed(self) -> bool {
        use Prim::*;
        matches!(self, I8 | I16 | I32 | I64 | Isize)
    }

    pub fn is_float(self) -> bool {
        matches!(self, Prim::F32 | Prim::F64)
    }

    /// Width in bits of an integer or float type; `None` for the others.
    pub fn bits(self) -> Option<u32> {
        use Prim::*;
        Some(match self {
            I8 | U8 => 8,
            I16 | U16 => 16,
            I32 | U32 | F32 => 32,
            I64 | U64 | Isize | Usize | F64 => 64,
            Bool | Char | Str | Never | RawPtr => return None,
        })
    }

    /// The canonical spelling: `i64`, `Bool`, `Str`.
    pub fn name(self) -> &'static str {
        use Prim::*;
        match self {
            I8 => "i8",
            I16 => "i16",
            I32 => "i32",
            I64 => "i64",
            Isize => "isize",
            U8 => "u8",
            U16 => "u16",
            U32 => "u32",
            U64 => "u64",
            Usize => "usize",
            F32 => "f32",
            F64 => "f64",
            Bool => "Bool",
            Char => "Char",
            Str => "Str",
            Never => "Never",
            RawPtr => "RawPtr",
        }
    }

    pub const ALL: [Prim; 17] = {
        use Prim::*;
        [I8, I16, I32, I64, Isize, U8, U16, U32, U64, Usize, F32, F64, Bool, Char, Str, Never, RawPtr]
    };
}

/// All types of a program, each once.
#[derive(Clone)]
pub struct TypeStore {
    types: PrimaryMap<TypeId, Type>,
    index: FxHashMap<Type, TypeId>,
    prims: [TypeId; 17],
    unit: TypeId,
    error: TypeId,
}

impl Default for TypeStore {
    fn default() -> Self {
        Self::new()
    }
}

impl TypeStore {
    pub fn new() -> Self {
        let mut store = TypeStore {
            types: PrimaryMap::new(),
            index: FxHashMap::default(),
            prims: [TypeId::from_u32(0); 17],
            unit: TypeId::from_u32(0),
            error: TypeId::from_u32(0),
        };
        for prim in Prim::ALL {
            store.prims[prim as usize] = store.intern(Type::Prim(prim));
        }
        store.unit = store.intern(Type::Tuple(Box::new([])));
        store.error = store.intern(Type::Error);
        store
    }

    pub fn intern(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.index.get(&ty) {
            return id;
        }
        let id = self.types.push(ty.clone());
        self.index.insert(ty, id);
        id
    }

    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id]
    }

    pub fn prim(&self, prim: Prim) -> TypeId {
        self.prims[prim as usize]
    }

    pub fn unit(&self) -> TypeId {
        self.unit
    }

    pub fn error(&self) -> TypeId {
        self.error
    }

    pub fn is_unit(&self, id: TypeId) -> bool {
        id == self.unit
    }

    pub fn is_never(&self, id: TypeId) -> bool {
        id == self.prim(Prim::Never)
    }

    /// `ty` with `Param(i)` replaced by `args[i]`.
    pub fn substitute(&mut self, ty: TypeId, args: &[TypeId]) -> TypeId {
        if args.is_empty() {
            return ty;
        }
        let substituted = match self.get(ty).clone() {
            Type::Param(i) => return args[i as usize],
            Type::Prim(_) | Type::Error => return ty,
            Type::Tuple(items) => Type::Tuple(items.iter().map(|&t| self.substitute(t, args)).collect()),
            Type::Record(fields) => {
                Type::Record(fields.iter().map(|&(name, t)| (name, self.substitute(t, args))).collect())
            }
            Type::Fn { params, ret } => Type::Fn {
                params: params.iter().map(|&t| self.substitute(t, args)).collect(),
                ret: self.substitute(ret, args),
            },
            Type::Adt(def, items) => Type::Adt(def, items.iter().map(|&t| self.substitute(t, args)).collect()),
            Type::Array(t) => Type::Array(self.substitute(t, args)),
            Type::FixedArray(t, n) => Type::FixedArray(self.substitute(t, args), n),
            Type::Ref { mutable, inner } => Type::Ref { mutable, inner: self.substitute(inner, args) },
            Type::VarCell(t) => Type::VarCell(self.substitute(t, args)),
        };
        if *self.get(ty) == substituted {
            return ty;
        }
        self.intern(substituted)
    }

    /// Makes `ty`, and so every type that mentions it, stand for `meaning` from now on: for passes that change how values look.
    pub fn redefine(&mut self, ty: TypeId, meaning: Type) {
        self.types[ty] = meaning;
    }
}

impl TypeId {
    /// A valid id to be overwritten; what it stands for is not meaningful.
    pub(crate) const PENDING: TypeId = TypeId(0);
}
