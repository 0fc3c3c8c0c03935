//! Types and declarations of C. Types live in one arena and are named by numbers, so chains of any length cost no stack.

use std::collections::HashMap;

use super::target::Target;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TypeId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RecordId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EnumId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TypedefId(pub u32);

/// The integer types of C.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntKind {
    Char,
    SChar,
    UChar,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    LongLong,
    ULongLong,
    Int128,
    UInt128,
}

/// Qualifiers, in the order in which they are written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Quals {
    list: [Option<Qual>; 4],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Qual {
    Const,
    Volatile,
    Restrict,
    Atomic,
}

impl Qual {
    pub fn text(self) -> &'static str {
        match self {
            Qual::Const => "const",
            Qual::Volatile => "volatile",
            Qual::Restrict => "restrict",
            Qual::Atomic => "_Atomic",
        }
    }
}

impl Quals {
    pub const NONE: Quals = Quals { list: [None; 4] };

    pub fn add(&mut self, qual: Qual) {
        if let Some(free) = self.list.iter_mut().find(|slot| slot.is_none_or(|it| it == qual)) {
            *free = Some(qual);
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Qual> {
        self.list.into_iter().flatten()
    }

    pub fn contains(self, qual: Qual) -> bool {
        self.iter().any(|it| it == qual)
    }

    pub fn union(mut self, other: Quals) -> Quals {
        other.iter().for_each(|qual| self.add(qual));
        self
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Qualified {
    pub ty: TypeId,
    pub quals: Quals,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Type {
    Void,
    Bool,
    Int(IntKind),
    Float,
    Double,
    LongDouble,
    /// A scalar that only C has: `_Float128`, `_Complex double`, `__m128`. With its size and alignment, where they are known.
    Exotic {
        name: String,
        layout: Option<Layout>,
    },
    /// `__builtin_va_list`.
    VaList,
    Pointer(Qualified),
    Array(Qualified, Length),
    Function(FnType),
    Record(RecordId),
    Enum(EnumId),
    Typedef(TypedefId),
    /// A type that was not understood; a diagnostic has said so, or `typeof` asks for more than is known here.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    Known(u64),
    /// `[]`.
    Open,
    /// `[n]`, where `n` is no constant.
    Variable,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FnType {
    pub result: Qualified,
    pub params: Vec<Param>,
    pub variadic: bool,
    /// Whether it says what it takes; `f()` does not.
    pub prototype: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    pub name: Option<String>,
    pub ty: Qualified,
}

/// Size and alignment in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    pub size: u64,
    pub align: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKind {
    Struct,
    Union,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub kind: RecordKind,
    pub tag: Option<String>,
    /// The type that it is.
    pub ty: TypeId,
    /// `None`: it is declared, but not defined.
    pub body: Option<Body>,
    /// Where it is defined, or first mentioned.
    pub offset: u32,
    pub doc: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Body {
    pub members: Vec<Member>,
    /// `None`: a member's layout is not known.
    pub layout: Option<Layout>,
    /// How many records have been completed before. Those inside of one come before it.
    pub order: u32,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: Option<String>,
    pub ty: Qualified,
    /// The width of a bit-field.
    pub bits: Option<u32>,
    /// Its own alignment, when one is asked for.
    pub aligned: Option<u64>,
    pub packed: bool,
    /// In bits from the start of the record.
    pub place: u64,
    pub doc: Option<String>,
    pub offset: u32,
}

#[derive(Clone, Debug)]
pub struct Enum {
    pub tag: Option<String>,
    /// The type that is written, or the one that holds all values.
    pub base: IntKind,
    pub fixed: bool,
    /// `None`: not defined.
    pub constants: Option<Vec<Enumerator>>,
    pub offset: u32,
    pub doc: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Enumerator {
    pub name: String,
    pub value: i128,
    pub doc: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Typedef {
    pub name: String,
    pub ty: Qualified,
    pub aligned: Option<u64>,
    pub offset: u32,
    pub doc: Option<String>,
}

/// A function or variable that a header declares.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub name: String,
    pub ty: Qualified,
    pub kind: SymbolKind,
    pub offset: u32,
    pub doc: Option<String>,
    pub marks: Marks,
    /// The name by which the linker knows it, if another.
    pub label: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum SymbolKind {
    /// `only_here`: no object file has it, as of functions that are `static`.
    Function { only_here: bool },
    /// With its value, where that is a constant.
    Variable { value: Option<super::expr::Value> },
}

/// What attributes say of a function.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Marks {
    pub returns_twice: bool,
    pub deprecated: bool,
    /// Another convention than the platform's.
    pub convention: Option<&'static str>,
}

/// Everything that the headers declare.
#[derive(Debug)]
pub struct Unit {
    pub target: Target,
    types: Vec<Type>,
    pub records: Vec<Record>,
    pub enums: Vec<Enum>,
    pub typedefs: Vec<Typedef>,
    /// In the order of their first declarations; each name once.
    pub symbols: Vec<Symbol>,
    pub typedef_names: HashMap<String, TypedefId>,
    pub tags: HashMap<String, TypeId>,
    pub constants: HashMap<String, (i128, IntKind)>,
    pub symbol_names: HashMap<String, usize>,
    /// How many records have bodies.
    pub completed: u32,
    /// The name of a record or enum without a tag: `typedef struct { .. } name`.
    pub typedef_of: HashMap<TypeId, TypedefId>,
}

impl Unit {
    pub const VOID: TypeId = TypeId(0);
    pub const UNKNOWN: TypeId = TypeId(1);

    pub fn new(target: Target) -> Unit {
        Unit {
            target,
            types: vec![Type::Void, Type::Unknown],
            records: Vec::new(),
            enums: Vec::new(),
            typedefs: Vec::new(),
            symbols: Vec::new(),
            typedef_names: HashMap::new(),
            tags: HashMap::new(),
            constants: HashMap::new(),
            symbol_names: HashMap::new(),
            completed: 0,
            typedef_of: HashMap::new(),
        }
    }

    pub fn add(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId(self.types.len() as u32 - 1)
    }

    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    pub fn record(&self, id: RecordId) -> &Record {
        &self.records[id.0 as usize]
    }

    pub fn enumeration(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }

    pub fn typedef(&self, id: TypedefId) -> &Typedef {
        &self.typedefs[id.0 as usize]
    }

    /// The type behind all names.
    pub fn resolve(&self, mut ty: TypeId) -> TypeId {
        while let Type::Typedef(id) = self.ty(ty) {
            ty = self.typedef(*id).ty.ty;
        }
        ty
    }

    /// Whether two types are the same to a caller, whatever they are called. Qualifiers are not looked at.
    pub fn same(&self, a: TypeId, b: TypeId) -> bool {
        let mut pairs = vec![(a, b)];
        while let Some((a, b)) = pairs.pop() {
            let (a, b) = (self.resolve(a), self.resolve(b));
            if a == b {
                continue;
            }
            match (self.ty(a), self.ty(b)) {
                (Type::Unknown, _) | (_, Type::Unknown) => {}
                (Type::Pointer(a), Type::Pointer(b)) => pairs.push((a.ty, b.ty)),
                (Type::Array(a, n), Type::Array(b, m)) => {
                    if matches!((n, m), (Length::Known(n), Length::Known(m)) if n != m) {
                        return false;
                    }
                    pairs.push((a.ty, b.ty));
                }
                (Type::Function(a), Type::Function(b)) => {
                    pairs.push((a.result.ty, b.result.ty));
                    if a.prototype && b.prototype {
                        if a.params.len() != b.params.len() || a.variadic != b.variadic {
                            return false;
                        }
                        pairs.extend(a.params.iter().zip(&b.params).map(|(a, b)| (a.ty.ty, b.ty.ty)));
                    }
                }
                // An enum and its integer type are compatible.
                (Type::Enum(id), Type::Int(kind)) | (Type::Int(kind), Type::Enum(id)) => {
                    let base = self.enumeration(*id).base;
                    if self.target.int_layout(base).size != self.target.int_layout(*kind).size {
                        return false;
                    }
                }
                (a, b) => {
                    if a != b {
                        return false;
                    }
                }
            }
        }
        true
    }
}
