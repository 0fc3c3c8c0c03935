//! What do the counting passes need to know of a type? Whether it is counted, boxed, and how large its cells are.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::typed::{TypeDef, TypeDefId, TypeDefKind};
use reml_semantics::types::{Type, TypeId, TypeStore};

use crate::layout::{Layouts, Pointer, Shape, field_types};

/// Cells beyond this come from the system allocator and are not reused.
const MAX_REUSED: u32 = 512;
/// Cells of the same multiple of this are interchangeable (`reml_rt::abi::CLASS_UNIT`).
const CLASS_UNIT: u32 = 16;

pub struct Types<'a> {
    store: &'a mut TypeStore,
    defs: &'a PrimaryMap<TypeDefId, TypeDef>,
    layouts: Layouts,
    kinds: SecondaryMap<TypeId, Option<Kind>>,
}

/// How values of a type are owned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Owns nothing.
    Plain,
    /// A cell with fields of its own.
    BoxedProduct,
    BoxedSum,
    /// Fields in registers.
    UnboxedProduct,
    UnboxedSum,
    /// The value of field 0.
    Newtype,
    /// An object whose parts are not fields: array, string, closure, mutable cell.
    Object,
}

impl<'a> Types<'a> {
    pub fn new(store: &'a mut TypeStore, defs: &'a PrimaryMap<TypeDefId, TypeDef>) -> Self {
        let layouts = Layouts::new(store, defs);
        Types { store, defs, layouts, kinds: SecondaryMap::new() }
    }

    pub fn kind(&mut self, ty: TypeId) -> Kind {
        if let Some(kind) = self.kinds[ty] {
            return kind;
        }
        let layout = self.layouts.of(self.store, self.defs, ty);
        let newtype = match self.store.get(ty) {
            Type::Adt(def, _) => {
                matches!(self.defs[*def].kind, TypeDefKind::Newtype(_)) && !self.layouts.is_recursive(*def)
            }
            _ => false,
        };
        let kind = match layout.shape {
            _ if !layout.counted => Kind::Plain,
            _ if newtype => Kind::Newtype,
            Shape::Pointer(Pointer::Product) => Kind::BoxedProduct,
            Shape::Pointer(Pointer::Sum { .. }) => Kind::BoxedSum,
            Shape::Pointer(_) => Kind::Object,
            Shape::Product(_) => Kind::UnboxedProduct,
            Shape::Nullable { .. } | Shape::Sum(_) => Kind::UnboxedSum,
            Shape::Empty | Shape::Scalar => Kind::Plain,
        };
        self.kinds[ty] = Some(kind);
        kind
    }

    pub fn counted(&mut self, ty: TypeId) -> bool {
        self.kind(ty) != Kind::Plain
    }

    /// Do values of this variant own anything?
    pub fn variant_counted(&mut self, ty: TypeId, variant: u32) -> bool {
        match self.kind(ty) {
            Kind::Plain => false,
            Kind::BoxedProduct | Kind::Object | Kind::Newtype => true,
            Kind::BoxedSum => !self.fields(ty, variant).is_empty(),
            Kind::UnboxedProduct | Kind::UnboxedSum => {
                self.fields(ty, variant).into_iter().any(|field| self.counted(field))
            }
        }
    }

    pub fn fields(&mut self, ty: TypeId, variant: u32) -> Vec<TypeId> {
        field_types(self.store, self.defs, ty, variant)
    }

    /// The size class of the cell that a value of this variant occupies, when its memory can be reused.
    pub fn cell_class(&mut self, ty: TypeId, variant: u32) -> Option<u32> {
        let boxed = match self.kind(ty) {
            Kind::BoxedProduct => true,
            Kind::BoxedSum => !self.fields(ty, variant).is_empty(),
            // Uncounted types are never boxed.
            _ => false,
        };
        if !boxed {
            return None;
        }
        let size = self.layouts.cell(self.store, self.defs, ty, variant).size;
        (size <= MAX_REUSED).then(|| size.div_ceil(CLASS_UNIT))
    }
}
