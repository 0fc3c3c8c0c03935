//! Which type of Reml is a type of C? The one table, and what has no entry in it.

use std::collections::HashMap;

use crate::c::model::*;
use crate::c::show::type_text;
use crate::config::{OpaqueTypes, Pointers};

/// A type of Reml, as far as C has a use for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reml {
    Unit,
    Scalar(&'static Scalar),
    Ptr(Box<Reml>),
    /// To something that may be written.
    MutPtr(Box<Reml>),
    FnPtr(Vec<Reml>, Box<Reml>),
    Array(Box<Reml>, u64),
    Named(String),
}

/// The two spellings of a scalar.
#[derive(PartialEq, Eq, Debug)]
pub struct Scalar {
    /// In source.
    pub source: &'static str,
    /// In `bindings.manifest.json`.
    pub manifest: &'static str,
}

macro_rules! scalars {
    ($($name:ident = $source:literal, $manifest:literal;)*) => {
        $(pub static $name: Scalar = Scalar { source: $source, manifest: $manifest };)*
    };
}

scalars! {
    BOOL = "bool", "Bool";
    I8 = "i8", "I8";
    U8 = "u8", "U8";
    I16 = "i16", "I16";
    U16 = "u16", "U16";
    I32 = "i32", "I32";
    U32 = "u32", "U32";
    I64 = "i64", "I64";
    U64 = "u64", "U64";
    ISIZE = "isize", "ISize";
    USIZE = "usize", "USize";
    F32 = "f32", "F32";
    F64 = "f64", "F64";
}

/// Names of C that mean a number as wide as a pointer, whatever they stand for.
fn pointer_sized(name: &str) -> Option<&'static Scalar> {
    Some(match name {
        "size_t" | "uintptr_t" | "rsize_t" => &USIZE,
        "ssize_t" | "intptr_t" | "ptrdiff_t" => &ISIZE,
        _ => return None,
    })
}

/// The integer of this size. `char` has a sign wherever it is, so that bindings are the same for all machines.
pub fn integer(size: u64, signed: bool) -> Option<&'static Scalar> {
    Some(match (size, signed) {
        (1, true) => &I8,
        (1, false) => &U8,
        (2, true) => &I16,
        (2, false) => &U16,
        (4, true) => &I32,
        (4, false) => &U32,
        (8, true) => &I64,
        (8, false) => &U64,
        _ => return None,
    })
}

impl Reml {
    pub fn source(&self) -> String {
        self.spelled(|scalar| scalar.source, "()")
    }

    pub fn manifest(&self) -> String {
        self.spelled(|scalar| scalar.manifest, "Unit")
    }

    /// Calls a function for this type and all that it is made of.
    pub fn each(&self, visit: &mut impl FnMut(&Reml)) {
        visit(self);
        match self {
            Reml::Ptr(inner) | Reml::MutPtr(inner) | Reml::Array(inner, _) => inner.each(visit),
            Reml::FnPtr(params, result) => {
                params.iter().for_each(|param| param.each(visit));
                result.each(visit);
            }
            Reml::Unit | Reml::Scalar(_) | Reml::Named(_) => {}
        }
    }

    fn spelled(&self, scalar: fn(&Scalar) -> &'static str, unit: &str) -> String {
        match self {
            Reml::Unit => unit.to_owned(),
            Reml::Scalar(it) => scalar(it).to_owned(),
            Reml::Ptr(to) => format!("Ptr<{}>", to.spelled(scalar, unit)),
            Reml::MutPtr(to) => format!("MutPtr<{}>", to.spelled(scalar, unit)),
            Reml::Array(of, length) => format!("[{}; {length}]", of.spelled(scalar, unit)),
            Reml::Named(name) => name.clone(),
            Reml::FnPtr(params, result) => {
                let list: Vec<String> = params.iter().map(|param| param.spelled(scalar, unit)).collect();
                let params = match &*list {
                    [] => "()".to_owned(),
                    [only] => format!("({only},)"),
                    _ => format!("({})", list.join(", ")),
                };
                format!("FnPtr<{params}, {}>", result.spelled(scalar, unit))
            }
        }
    }
}

/// Why a type has no entry: what is said in the manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub reason: &'static str,
    pub c_type: String,
    pub hint: Option<String>,
}

/// How records are written, as far as that has been decided.
pub struct Types<'a> {
    pub unit: &'a Unit,
    /// Those that are written.
    pub records: HashMap<RecordId, Named>,
    pub by_name: HashMap<String, RecordId>,
    /// Those that exist as names only.
    pub opaque: HashMap<RecordId, String>,
    pub opaque_types: OpaqueTypes,
    pub pointers: Pointers,
}

#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    /// Why it cannot be passed by value, if so.
    pub refused: Option<&'static str>,
}

/// Pointers to pointers, and pointers to functions that take such, go no deeper than this.
const DEEPEST: u32 = 32;

impl Types<'_> {
    /// What a function takes or gives.
    pub fn value(&self, ty: Qualified) -> Result<Reml, Refusal> {
        self.value_at(ty, 0)
    }

    fn value_at(&self, ty: Qualified, depth: u32) -> Result<Reml, Refusal> {
        let refuse = |reason, hint: Option<&str>| {
            Err(Refusal { reason, c_type: type_text(self.unit, ty), hint: hint.map(str::to_owned) })
        };
        if let Some(jump) = self.named(ty.ty, &["jmp_buf", "sigjmp_buf"]) {
            let hint = format!(
                "`{jump}` is for jumps across the functions of Reml, which would not be unwound; catch them in C"
            );
            return refuse("unsupported_type", Some(&hint));
        }
        if let Some(scalar) = self.pointer_sized(ty.ty) {
            return Ok(Reml::Scalar(scalar));
        }
        let wrapper = "write a function of C that takes other types and calls this one";
        match self.unit.ty(self.unit.resolve(ty.ty)) {
            Type::Void => Ok(Reml::Unit),
            Type::Bool => Ok(Reml::Scalar(&BOOL)),
            Type::Float => Ok(Reml::Scalar(&F32)),
            Type::Double => Ok(Reml::Scalar(&F64)),
            Type::Int(kind) => match self.integer(*kind) {
                Some(scalar) => Ok(Reml::Scalar(scalar)),
                None => refuse("unsupported_type", Some(wrapper)),
            },
            Type::Enum(id) => match self.enumeration(*id) {
                Some(scalar) => Ok(Reml::Scalar(scalar)),
                None => refuse("unsupported_type", Some(wrapper)),
            },
            Type::Pointer(to) => Ok(self.pointer(*to, depth)),
            // As a parameter, an array of a named type is a pointer.
            Type::Array(of, _) => Ok(self.pointer(*of, depth)),
            Type::VaList => refuse("unsupported_type", Some("bind the function with `...` that this one belongs to")),
            Type::LongDouble | Type::Exotic { .. } => refuse("unsupported_type", Some(wrapper)),
            Type::Record(id) => match self.records.get(id) {
                Some(Named { name, refused: None }) => Ok(Reml::Named(name.clone())),
                Some(Named { refused: Some(reason), .. }) => {
                    refuse(reason, Some("write a function of C that takes a pointer to it"))
                }
                None => refuse("unsupported_type", Some("only a pointer to it can be passed")),
            },
            Type::Function(_) | Type::Unknown | Type::Typedef(_) => refuse("unsupported_type", Some(wrapper)),
        }
    }

    /// What a pointer to this is. Everything has one: what Reml has no type for is passed on as it is.
    fn pointer(&self, to: Qualified, depth: u32) -> Reml {
        let written = self.pointers == Pointers::Mut && !to.quals.contains(Qual::Const);
        let pointer_to = |inner: Reml| if written { Reml::MutPtr(Box::new(inner)) } else { Reml::Ptr(Box::new(inner)) };
        if depth >= DEEPEST {
            return pointer_to(Reml::Unit);
        }
        match self.unit.ty(self.unit.resolve(to.ty)) {
            Type::Function(function) => {
                self.function_pointer(function, depth + 1).unwrap_or_else(|| pointer_to(Reml::Unit))
            }
            Type::Record(id) => match (self.records.get(id), self.opaque.get(id)) {
                (Some(named), _) => pointer_to(Reml::Named(named.name.clone())),
                (None, Some(name)) if self.opaque_types == OpaqueTypes::Named => pointer_to(Reml::Named(name.clone())),
                _ => pointer_to(Reml::Unit),
            },
            // A pointer to an array is one to its first element.
            Type::Array(of, _) => self.pointer(Qualified { ty: of.ty, quals: of.quals.union(to.quals) }, depth + 1),
            _ => {
                let inner = self.value_at(Qualified { ty: to.ty, quals: Quals::NONE }, depth + 1);
                pointer_to(inner.unwrap_or(Reml::Unit))
            }
        }
    }

    /// `None`: it takes or gives something that Reml has no type for, or any number of arguments.
    fn function_pointer(&self, function: &FnType, depth: u32) -> Option<Reml> {
        if function.variadic {
            return None;
        }
        let params = function.params.iter().map(|param| self.value_at(param.ty, depth).ok());
        let params = params.collect::<Option<Vec<_>>>()?;
        let result = self.value_at(function.result, depth).ok()?;
        Some(Reml::FnPtr(params, Box::new(result)))
    }

    /// What a member of a record is. Arrays are arrays there.
    pub fn member(&self, ty: Qualified) -> Result<Reml, Refusal> {
        let mut lengths = Vec::new();
        let mut current = ty;
        loop {
            match self.unit.ty(current.ty) {
                Type::Typedef(id) if self.pointer_sized(current.ty).is_none() => current = self.unit.typedef(*id).ty,
                Type::Array(of, Length::Known(length)) => {
                    lengths.push(*length);
                    current = *of;
                }
                _ => break,
            }
        }
        let element = match self.unit.ty(current.ty) {
            // As a member it may be a record that cannot be passed alone.
            Type::Record(id) if self.records.contains_key(id) => Ok(Reml::Named(self.records[id].name.clone())),
            Type::Array(..) => {
                Err(Refusal { reason: "unsupported_array", c_type: type_text(self.unit, ty), hint: None })
            }
            _ => self.value(current),
        }?;
        Ok(lengths.into_iter().rev().fold(element, |element, length| Reml::Array(Box::new(element), length)))
    }

    pub fn integer(&self, kind: IntKind) -> Option<&'static Scalar> {
        let signed = kind == IntKind::Char || self.unit.target.is_signed(kind);
        integer(self.unit.target.int_layout(kind).size, signed)
    }

    /// `i32`, unless another type is written or some value needs it.
    pub fn enumeration(&self, id: EnumId) -> Option<&'static Scalar> {
        let it = self.unit.enumeration(id);
        let fits = |constant: &Enumerator| i32::try_from(constant.value).is_ok();
        if !it.fixed && it.base == IntKind::UInt && it.constants.iter().flatten().all(fits) {
            return Some(&I32);
        }
        self.integer(it.base)
    }

    /// The first of these names that the type has, or one that it stands for.
    fn named(&self, mut ty: TypeId, names: &[&'static str]) -> Option<&'static str> {
        while let Type::Typedef(id) = self.unit.ty(ty) {
            let typedef = self.unit.typedef(*id);
            if let Some(name) = names.iter().find(|name| **name == typedef.name) {
                return Some(name);
            }
            ty = typedef.ty.ty;
        }
        None
    }

    fn pointer_sized(&self, mut ty: TypeId) -> Option<&'static Scalar> {
        while let Type::Typedef(id) = self.unit.ty(ty) {
            let typedef = self.unit.typedef(*id);
            let is_number = matches!(self.unit.ty(self.unit.resolve(ty)), Type::Int(kind)
                if self.unit.target.int_layout(*kind).size == self.unit.target.pointer);
            if let (Some(scalar), true) = (pointer_sized(&typedef.name), is_number) {
                return Some(scalar);
            }
            ty = typedef.ty.ty;
        }
        None
    }
}
