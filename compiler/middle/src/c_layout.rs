//! How does a value look in memory that C sees?
//!
//! The layout that C gives a type: fields in declared order, each aligned as its type wants, `@repr(C, packed)` without gaps. It is asked of
//! source types, where newtypes and the members of a union are still to be seen, and has nothing to do with how compiled Reml code
//! keeps the same value ([`crate::layout`]): values are taken apart and put together at the border (`lower::foreign`). Which types have a C
//! layout has been decided by the checker.

use std::sync::Arc;

use cranelift_entity::PrimaryMap;
use reml_semantics::typed::{CRepr, TypeDef, TypeDefId, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};

#[derive(Clone, PartialEq, Debug)]
pub struct CLayout {
    /// Bytes, a multiple of the alignment: the stride in arrays.
    pub size: u32,
    pub align: u32,
    pub shape: CShape,
}

#[derive(Clone, PartialEq, Debug)]
pub enum CShape {
    /// `()`: nothing, as a result.
    Void,
    Scalar(Prim),
    /// A sum without payloads as an integer: the type, and how many variants there are.
    Enum(Prim, u32),
    /// In C's order.
    Record(Vec<CField>),
    Array(Arc<CLayout>, u64),
    /// Bytes that are one of these.
    Union(Vec<Arc<CLayout>>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct CField {
    /// Its position in Reml's order of the fields.
    pub index: u32,
    pub offset: u32,
    /// The source type.
    pub ty: TypeId,
    pub layout: Arc<CLayout>,
}

/// Bytes of a scalar at the C border.
pub fn scalar_size(prim: Prim) -> u32 {
    match prim {
        Prim::Bool | Prim::I8 | Prim::U8 => 1,
        Prim::I16 | Prim::U16 => 2,
        Prim::I32 | Prim::U32 | Prim::F32 | Prim::Char => 4,
        Prim::I64 | Prim::U64 | Prim::Isize | Prim::Usize | Prim::F64 | Prim::RawPtr | Prim::Str | Prim::Never => 8,
    }
}

impl CLayout {
    /// `None` for types that C does not know.
    pub fn of(types: &mut TypeStore, defs: &PrimaryMap<TypeDefId, TypeDef>, ty: TypeId) -> Option<CLayout> {
        match types.get(ty).clone() {
            Type::Prim(Prim::Str | Prim::Never | Prim::Char) => None,
            Type::Prim(prim) => Some(CLayout::scalar(prim)),
            Type::Tuple(items) if items.is_empty() => Some(CLayout { size: 0, align: 1, shape: CShape::Void }),
            Type::FixedArray(element, len) => {
                let element = CLayout::of(types, defs, element)?;
                let size = u64::from(element.size).checked_mul(len).and_then(|size| u32::try_from(size).ok())?;
                Some(CLayout { size, align: element.align, shape: CShape::Array(Arc::new(element), len) })
            }
            Type::Adt(def, args) => {
                let def = &defs[def];
                match (&def.kind, &def.repr) {
                    (TypeDefKind::Newtype(_), Some(CRepr::Union)) => CLayout::union(types, defs, *args.first()?),
                    (TypeDefKind::Newtype(inner), _) => {
                        let inner = types.substitute(*inner, &args);
                        CLayout::of(types, defs, inner)
                    }
                    (TypeDefKind::Sum(variants), Some(CRepr::Enum(base))) => {
                        let layout = CLayout::scalar(*base);
                        Some(CLayout { shape: CShape::Enum(*base, variants.len() as u32), ..layout })
                    }
                    (TypeDefKind::Record(fields), Some(CRepr::Record { order, packed })) => {
                        let mut laid_out = Vec::with_capacity(order.len());
                        for &index in order {
                            let ty = types.substitute(fields[index as usize].ty, &args);
                            laid_out.push((index, ty, Arc::new(CLayout::of(types, defs, ty)?)));
                        }
                        Some(CLayout::record(laid_out, *packed))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn scalar(prim: Prim) -> CLayout {
        let size = scalar_size(prim);
        CLayout { size, align: size, shape: CShape::Scalar(prim) }
    }

    fn record(fields: Vec<(u32, TypeId, Arc<CLayout>)>, packed: bool) -> CLayout {
        let (mut size, mut align) = (0u32, 1u32);
        let mut placed = Vec::with_capacity(fields.len());
        for (index, ty, layout) in fields {
            let wanted = if packed { 1 } else { layout.align };
            let offset = size.next_multiple_of(wanted);
            size = offset + layout.size;
            align = align.max(wanted);
            placed.push(CField { index, offset, ty, layout });
        }
        CLayout { size: size.next_multiple_of(align), align, shape: CShape::Record(placed) }
    }

    /// `members` is the record or tuple of a union's members.
    fn union(types: &mut TypeStore, defs: &PrimaryMap<TypeDefId, TypeDef>, members: TypeId) -> Option<CLayout> {
        let members: Vec<TypeId> = match types.get(members).clone() {
            Type::Record(fields) => fields.iter().map(|&(_, ty)| ty).collect(),
            Type::Tuple(items) => items.to_vec(),
            _ => vec![members],
        };
        let (mut size, mut align) = (0, 1);
        let mut laid_out = Vec::with_capacity(members.len());
        for member in members {
            let layout = CLayout::of(types, defs, member)?;
            size = size.max(layout.size);
            align = align.max(layout.align);
            laid_out.push(Arc::new(layout));
        }
        Some(CLayout { size: size.next_multiple_of(align), align, shape: CShape::Union(laid_out) })
    }

    /// Does C pass it in one register, as it is?
    pub fn is_scalar(&self) -> bool {
        matches!(self.shape, CShape::Void | CShape::Scalar(_) | CShape::Enum(..))
    }

    /// How many scalars it consists of.
    pub fn scalar_count(&self) -> u64 {
        match &self.shape {
            CShape::Void => 0,
            CShape::Scalar(_) | CShape::Enum(..) => 1,
            CShape::Record(fields) => fields.iter().map(|field| field.layout.scalar_count()).sum(),
            CShape::Array(element, len) => element.scalar_count() * len,
            CShape::Union(_) => u64::from(self.size.div_ceil(8)),
        }
    }

    /// What C sees of the type, in the words of `Core.Ffi.Types`: pointers are `Ptr`, whatever they point to, and an array inside of a struct is its
    /// elements.
    pub fn description(&self) -> String {
        match &self.shape {
            CShape::Void => String::from("Void"),
            CShape::Scalar(prim) | CShape::Enum(prim, _) => String::from(match prim {
                Prim::Bool => "Bool",
                Prim::I8 => "I8",
                Prim::U8 => "U8",
                Prim::I16 => "I16",
                Prim::U16 => "U16",
                Prim::I32 => "I32",
                Prim::U32 => "U32",
                Prim::I64 | Prim::Isize => "I64",
                Prim::U64 | Prim::Usize => "U64",
                Prim::F32 => "F32",
                Prim::F64 => "F64",
                Prim::RawPtr => "Ptr",
                Prim::Char | Prim::Str | Prim::Never => unreachable!("C has no such type"),
            }),
            CShape::Record(fields) => {
                let packed = fields.iter().any(|field| field.offset % field.layout.align != 0);
                let fields: Vec<String> = fields.iter().map(|field| field.layout.description()).collect();
                format!("{}{{{}}}", if packed { "Packed" } else { "" }, fields.join(","))
            }
            CShape::Array(element, len) => vec![element.description(); *len as usize].join(","),
            CShape::Union(_) => format!("Union({},{})", self.size, self.align),
        }
    }

    /// Calls `f` with the offset and the type of each scalar; those of a union's members all.
    pub fn each_scalar(&self, offset: u32, f: &mut impl FnMut(u32, Prim)) {
        match &self.shape {
            CShape::Void => {}
            CShape::Scalar(prim) | CShape::Enum(prim, _) => f(offset, *prim),
            CShape::Record(fields) => {
                fields.iter().for_each(|field| field.layout.each_scalar(offset + field.offset, f))
            }
            CShape::Array(element, len) => {
                (0..*len as u32).for_each(|index| element.each_scalar(offset + index * element.size, f));
            }
            CShape::Union(members) => members.iter().for_each(|member| member.each_scalar(offset, f)),
        }
    }
}
