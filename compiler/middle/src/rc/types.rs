//! What do the counting passes need to know of a type? Whether it is counted, boxed, and how large its cells are.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::typed::{TypeDef, TypeDefId, TypeDefKind};
use reml_semantics::types::{Type, TypeId, TypeStore};

use crate::core::{FuncId, Function};
use crate::layout::{Layouts, Pointer, RecursiveDefs, Shape, field_types};

/// Cells beyond this come from the system allocator and are not reused.
const MAX_REUSED: u32 = 512;
/// Cells of the same multiple of this are interchangeable (`reml_rt::abi::CLASS_UNIT`).
const CLASS_UNIT: u32 = 16;

/// What is known of every type that a function of the program has a variable of. Immutable, so that threads share it.
pub struct Types {
    kinds: SecondaryMap<TypeId, Option<Kind>>,
    variants: SecondaryMap<TypeId, Box<[Variant]>>,
}

/// A product has one variant, a sum its own, other types none.
#[derive(Clone)]
struct Variant {
    fields: Box<[TypeId]>,
    /// The size class of the cell that a value occupies, when its memory can be reused.
    cell_class: Option<u32>,
    counted: bool,
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

impl Types {
    pub fn of(
        store: &mut TypeStore,
        defs: &PrimaryMap<TypeDefId, TypeDef>,
        functions: &PrimaryMap<FuncId, Function>,
    ) -> Self {
        let layouts = Layouts::new(RecursiveDefs::of(store, defs));
        let mut types = Types { kinds: SecondaryMap::new(), variants: SecondaryMap::new() };
        let mut scan = Scan { types: &mut types, store, defs, layouts };
        let mut seen: SecondaryMap<TypeId, bool> = SecondaryMap::new();
        for function in functions.values() {
            for ty in function.vars.values().map(|info| info.ty).chain([function.ret]) {
                if !std::mem::replace(&mut seen[ty], true) {
                    scan.describe(ty);
                }
            }
        }
        types
    }

    pub fn kind(&self, ty: TypeId) -> Kind {
        self.kinds[ty].expect("a variable or a field has the type")
    }

    /// The kind of a type that perhaps only a constant has.
    #[cfg(any(test, feature = "testing"))]
    pub fn known_kind(&self, ty: TypeId) -> Option<Kind> {
        self.kinds[ty]
    }

    pub fn counted(&self, ty: TypeId) -> bool {
        self.kind(ty) != Kind::Plain
    }

    /// Do values of this variant own anything?
    pub fn variant_counted(&self, ty: TypeId, variant: u32) -> bool {
        match self.kind(ty) {
            Kind::Plain => false,
            Kind::BoxedProduct | Kind::Object | Kind::Newtype => true,
            Kind::BoxedSum | Kind::UnboxedProduct | Kind::UnboxedSum => self.variants[ty][variant as usize].counted,
        }
    }

    pub fn fields(&self, ty: TypeId, variant: u32) -> &[TypeId] {
        self.variants[ty].get(variant as usize).map_or(&[], |variant| &variant.fields)
    }

    /// The size class of the cell that a value of this variant occupies, when its memory can be reused.
    pub fn cell_class(&self, ty: TypeId, variant: u32) -> Option<u32> {
        self.variants[ty].get(variant as usize)?.cell_class
    }
}

struct Scan<'a> {
    types: &'a mut Types,
    store: &'a mut TypeStore,
    defs: &'a PrimaryMap<TypeDefId, TypeDef>,
    layouts: Layouts,
}

impl Scan<'_> {
    fn describe(&mut self, ty: TypeId) {
        let kind = self.kind(ty);
        let count = match self.store.get(ty) {
            Type::Tuple(_) | Type::Record(_) | Type::FixedArray(..) => 1,
            Type::Adt(def, _) => match &self.defs[*def].kind {
                TypeDefKind::Sum(variants) => variants.len() as u32,
                TypeDefKind::Record(_) | TypeDefKind::Newtype(_) => 1,
                TypeDefKind::Opaque => 0,
            },
            _ => 0,
        };
        self.types.variants[ty] = (0..count).map(|variant| self.variant(ty, kind, variant)).collect();
    }

    fn variant(&mut self, ty: TypeId, kind: Kind, variant: u32) -> Variant {
        let fields = field_types(self.store, self.defs, ty, variant).into_boxed_slice();
        let any_counted = fields.iter().fold(false, |any, &field| (self.kind(field) != Kind::Plain) | any);
        let boxed = match kind {
            Kind::BoxedProduct => true,
            Kind::BoxedSum => !fields.is_empty(),
            // Uncounted types are never boxed.
            _ => false,
        };
        let cell_class = boxed.then(|| self.layouts.cell(self.store, self.defs, ty, variant).size);
        Variant {
            counted: if kind == Kind::BoxedSum { boxed } else { any_counted },
            cell_class: cell_class.filter(|&size| size <= MAX_REUSED).map(|size| size.div_ceil(CLASS_UNIT)),
            fields,
        }
    }

    fn kind(&mut self, ty: TypeId) -> Kind {
        if let Some(kind) = self.types.kinds[ty] {
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
        self.types.kinds[ty] = Some(kind);
        kind
    }
}
