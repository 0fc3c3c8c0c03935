//! How values of each type look in registers and in memory.
//!
//! In registers a value is a list of machine *slots* (none for `()`); everywhere else it is those slots one after
//! the other, each naturally aligned. Three ideas decide the shape of a declared type:
//! - payload-free sums are integers; newtypes vanish;
//! - small, non-recursive products (at most [`MAX_TUPLE_SLOTS`] / [`MAX_RECORD_SLOTS`] slots) and sums (a tag and at most
//!   [`MAX_SUM_SLOTS`] payload slots) stay in registers, `Option` of a pointer being a nullable pointer;
//! - the rest is a pointer to a counted cell: a header whose tag names the variant, then the fields. Variants without
//!   fields are the odd immediates `2 * tag + 1` and own no memory.

use std::sync::Arc;

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use reml_semantics::typed::{TypeDef, TypeDefId, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use rustc_hash::FxHashMap;

use crate::components::components;

/// Largest unboxed tuple, in slots: also what a function returns in registers.
pub const MAX_TUPLE_SLOTS: usize = 6;
/// Largest unboxed record or single-variant sum.
pub const MAX_RECORD_SLOTS: usize = 4;
/// Largest payload of an unboxed sum; its tag comes on top.
pub const MAX_SUM_SLOTS: usize = 3;
/// Bytes before a cell's first field.
pub const CELL_HEADER: u32 = 8;

/// A machine type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Machine {
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Machine {
    pub fn bytes(self) -> u32 {
        match self {
            Machine::I8 => 1,
            Machine::I16 => 2,
            Machine::I32 | Machine::F32 => 4,
            Machine::I64 | Machine::F64 => 8,
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    pub slots: Vec<Machine>,
    /// Offset of each slot when the value lies in memory.
    pub offsets: Vec<u32>,
    /// Bytes in memory, rounded up to the alignment: the stride in arrays.
    pub size: u32,
    pub align: u32,
    /// Does it own anything counted?
    pub counted: bool,
    pub shape: Shape,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Shape {
    /// No slots: `()`, `Never`, empty products.
    Empty,
    /// One machine value that is not counted; also payload-free sums (the tag).
    Scalar,
    /// One counted pointer.
    Pointer(Pointer),
    /// Unboxed tuple, record, single-variant sum or short fixed array: which slots each field takes.
    Product(Vec<SlotRange>),
    /// `Option`-like: null is the empty variant, else the pointer payload of the other.
    Nullable { empty: u32, full: u32 },
    /// Slot 0 is the tag (`I8`, or `I16` beyond 256 variants); for each variant, where each field's slots are. Payload slots that variants do not agree on
    /// are `I64`: narrower integers zero-extended, floats bit-cast (through `I32` for `f32`).
    Sum(Vec<Vec<SlotRange>>),
}

/// Fields of an unboxed value: slots `first .. first + len`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotRange {
    pub first: usize,
    pub len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pointer {
    Str,
    Array,
    Closure,
    /// A captured variable, `Ref` or `Cell`.
    Cell,
    /// Boxed product: always a cell, of variant 0.
    Product,
    /// Boxed sum. `immediates`: some variant has no fields and is an odd immediate.
    Sum {
        immediates: bool,
    },
    /// An object of the runtime.
    Opaque,
}

/// A heap cell of one variant: offsets from the start of the object, header included.
#[derive(Clone, PartialEq, Debug)]
pub struct CellLayout {
    pub fields: Vec<CellField>,
    /// Bytes with the header.
    pub size: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CellField {
    pub ty: TypeId,
    pub offset: u32,
}

/// Layouts by type, computed on demand and kept.
pub struct Layouts {
    layouts: FxHashMap<TypeId, Arc<Layout>>,
    cells: FxHashMap<(TypeId, u32), Arc<CellLayout>>,
    recursive: RecursiveDefs,
}

impl Layouts {
    pub fn new(recursive: RecursiveDefs) -> Self {
        Layouts { layouts: FxHashMap::default(), cells: FxHashMap::default(), recursive }
    }

    /// Does a value of this declared type contain another one inline? Then it is boxed, even as a newtype.
    pub fn is_recursive(&self, def: TypeDefId) -> bool {
        self.recursive.contains(def)
    }

    /// The layout of a closed type.
    pub fn of(&mut self, types: &mut TypeStore, defs: &PrimaryMap<TypeDefId, TypeDef>, ty: TypeId) -> Arc<Layout> {
        if let Some(layout) = self.layouts.get(&ty) {
            return layout.clone();
        }
        let layout = Arc::new(self.compute(types, defs, ty));
        self.layouts.insert(ty, layout.clone());
        layout
    }

    /// The heap cell of one variant of a boxed type (variant 0 of a boxed product).
    pub fn cell(
        &mut self,
        types: &mut TypeStore,
        defs: &PrimaryMap<TypeDefId, TypeDef>,
        ty: TypeId,
        variant: u32,
    ) -> Arc<CellLayout> {
        if let Some(cell) = self.cells.get(&(ty, variant)) {
            return cell.clone();
        }
        let mut size = CELL_HEADER;
        let mut fields = Vec::new();
        for field in field_types(types, defs, ty, variant) {
            let layout = self.of(types, defs, field);
            let offset = size.next_multiple_of(layout.align);
            size = offset + layout.size;
            fields.push(CellField { ty: field, offset });
        }
        let cell = Arc::new(CellLayout { fields, size });
        self.cells.insert((ty, variant), cell.clone());
        cell
    }

    fn compute(&mut self, types: &mut TypeStore, defs: &PrimaryMap<TypeDefId, TypeDef>, ty: TypeId) -> Layout {
        match types.get(ty).clone() {
            Type::Prim(prim) => match prim {
                Prim::Never => empty(),
                Prim::Str => pointer(Pointer::Str),
                Prim::Bool | Prim::I8 | Prim::U8 => scalar(Machine::I8),
                Prim::I16 | Prim::U16 => scalar(Machine::I16),
                Prim::I32 | Prim::U32 | Prim::Char => scalar(Machine::I32),
                Prim::I64 | Prim::U64 | Prim::Isize | Prim::Usize | Prim::RawPtr => scalar(Machine::I64),
                Prim::F32 => scalar(Machine::F32),
                Prim::F64 => scalar(Machine::F64),
            },
            Type::Tuple(_) => self.product(types, defs, ty, MAX_TUPLE_SLOTS),
            Type::Record(_) => self.product(types, defs, ty, MAX_RECORD_SLOTS),
            Type::FixedArray(_, len) if len <= MAX_RECORD_SLOTS as u64 => {
                self.product(types, defs, ty, MAX_RECORD_SLOTS)
            }
            Type::FixedArray(..) => pointer(Pointer::Product),
            Type::Fn { .. } => pointer(Pointer::Closure),
            Type::Array(_) => pointer(Pointer::Array),
            Type::VarCell(_) => pointer(Pointer::Cell),
            Type::Ref { inner, .. } => (*self.of(types, defs, inner)).clone(),
            Type::Adt(def, args) => self.declared(types, defs, ty, def, &args),
            // Poisoned programs are not lowered; a parameter here is a missing substitution.
            Type::Param(_) | Type::Error => unreachable!("layout of an open or erroneous type"),
        }
    }

    fn declared(
        &mut self,
        types: &mut TypeStore,
        defs: &PrimaryMap<TypeDefId, TypeDef>,
        ty: TypeId,
        def: TypeDefId,
        args: &[TypeId],
    ) -> Layout {
        let boxed = self.recursive.contains(def);
        match &defs[def].kind {
            TypeDefKind::Opaque => pointer(Pointer::Opaque),
            TypeDefKind::Newtype(_) | TypeDefKind::Record(_) if boxed => pointer(Pointer::Product),
            TypeDefKind::Newtype(inner) => {
                let inner = types.substitute(*inner, args);
                (*self.of(types, defs, inner)).clone()
            }
            TypeDefKind::Record(_) => self.product(types, defs, ty, MAX_RECORD_SLOTS),
            TypeDefKind::Sum(variants) => {
                let immediates = variants.iter().any(|variant| variant.fields.is_empty());
                if variants.iter().all(|variant| variant.fields.is_empty()) {
                    return match variants.len() {
                        0 => empty(),
                        1..=256 => scalar(Machine::I8),
                        _ => scalar(Machine::I16),
                    };
                }
                let count = variants.len();
                if boxed {
                    return pointer(Pointer::Sum { immediates });
                }
                if count == 1 {
                    return self.product(types, defs, ty, MAX_RECORD_SLOTS);
                }
                self.sum(types, defs, ty, count).unwrap_or_else(|| pointer(Pointer::Sum { immediates }))
            }
        }
    }

    /// Unboxed when it fits in `limit` slots.
    fn product(
        &mut self,
        types: &mut TypeStore,
        defs: &PrimaryMap<TypeDefId, TypeDef>,
        ty: TypeId,
        limit: usize,
    ) -> Layout {
        let mut slots = Vec::new();
        let mut ranges = Vec::new();
        let mut counted = false;
        for field in field_types(types, defs, ty, 0) {
            let layout = self.of(types, defs, field);
            ranges.push(SlotRange { first: slots.len(), len: layout.slots.len() });
            slots.extend_from_slice(&layout.slots);
            counted |= layout.counted;
            if slots.len() > limit {
                return pointer(Pointer::Product);
            }
        }
        if slots.is_empty() {
            // Keeps the field ranges, so that projections need no special case.
            return Layout { shape: Shape::Product(ranges), ..empty() };
        }
        in_memory(slots, counted, Shape::Product(ranges))
    }

    /// Unboxed, or `None` when the payload is too large.
    fn sum(
        &mut self,
        types: &mut TypeStore,
        defs: &PrimaryMap<TypeDefId, TypeDef>,
        ty: TypeId,
        variants: usize,
    ) -> Option<Layout> {
        let mut payload: Vec<Machine> = Vec::new();
        let mut ranges = Vec::new();
        let mut counted = false;
        let mut only_pointer = None;
        let mut empty_variant = None;
        for variant in 0..variants as u32 {
            let mut next = 0;
            let mut fields = Vec::new();
            let field_types = field_types(types, defs, ty, variant);
            for &field in &field_types {
                let layout = self.of(types, defs, field);
                counted |= layout.counted;
                fields.push(SlotRange { first: 1 + next, len: layout.slots.len() });
                for &slot in &layout.slots {
                    match payload.get_mut(next) {
                        None => payload.push(slot),
                        Some(seen) if *seen == slot => {}
                        Some(seen) => *seen = Machine::I64,
                    }
                    next += 1;
                }
                if matches!(layout.shape, Shape::Pointer(_)) {
                    only_pointer = Some(variant);
                }
            }
            if next == 0 {
                empty_variant = Some(variant);
            }
            ranges.push(fields);
        }
        if payload.len() > MAX_SUM_SLOTS {
            return None;
        }
        if let (2, Some(empty), Some(full), [_]) = (variants, empty_variant, only_pointer, payload.as_slice()) {
            return Some(in_memory(vec![Machine::I64], true, Shape::Nullable { empty, full }));
        }
        let tag = if variants <= 256 { Machine::I8 } else { Machine::I16 };
        let slots = std::iter::once(tag).chain(payload).collect();
        Some(in_memory(slots, counted, Shape::Sum(ranges)))
    }
}

/// The type of continuations: a function type that no program can mention. A closure over a continuation alone is the continuation
/// itself, with the closure's code.
pub fn continuation_type(types: &mut TypeStore) -> TypeId {
    let never = types.prim(Prim::Never);
    let nothing = types.intern(Type::VarCell(never));
    types.intern(Type::Fn { params: Box::new([nothing]), ret: never })
}

/// The field types of a product (variant 0) or of a sum's variant, in field order.
pub fn field_types(
    types: &mut TypeStore,
    defs: &PrimaryMap<TypeDefId, TypeDef>,
    ty: TypeId,
    variant: u32,
) -> Vec<TypeId> {
    match types.get(ty).clone() {
        Type::Tuple(items) => items.to_vec(),
        Type::Record(fields) => fields.iter().map(|&(_, ty)| ty).collect(),
        Type::FixedArray(element, len) => vec![element; len as usize],
        Type::Adt(def, args) => {
            let open: Vec<TypeId> = match &defs[def].kind {
                TypeDefKind::Sum(variants) => variants[variant as usize].fields.iter().map(|field| field.ty).collect(),
                TypeDefKind::Record(fields) => fields.iter().map(|field| field.ty).collect(),
                TypeDefKind::Newtype(inner) => vec![*inner],
                TypeDefKind::Opaque => Vec::new(),
            };
            open.into_iter().map(|ty| types.substitute(ty, &args)).collect()
        }
        _ => Vec::new(),
    }
}

fn empty() -> Layout {
    Layout { slots: Vec::new(), offsets: Vec::new(), size: 0, align: 1, counted: false, shape: Shape::Empty }
}

fn scalar(machine: Machine) -> Layout {
    in_memory(vec![machine], false, Shape::Scalar)
}

fn pointer(kind: Pointer) -> Layout {
    in_memory(vec![Machine::I64], true, Shape::Pointer(kind))
}

fn in_memory(slots: Vec<Machine>, counted: bool, shape: Shape) -> Layout {
    let mut offsets = Vec::with_capacity(slots.len());
    let mut size = 0u32;
    let mut align = 1;
    for slot in &slots {
        let bytes = slot.bytes();
        size = size.next_multiple_of(bytes);
        offsets.push(size);
        size += bytes;
        align = align.max(bytes);
    }
    Layout { slots, offsets, size: size.next_multiple_of(align), align, counted, shape }
}

/// The declared types that can reach themselves without passing through a pointer type, hence must be boxed.
#[derive(Clone)]
pub struct RecursiveDefs(Arc<SecondaryMap<TypeDefId, bool>>);

impl RecursiveDefs {
    pub fn of(types: &TypeStore, defs: &PrimaryMap<TypeDefId, TypeDef>) -> Self {
        let inline = |def: &TypeDef| {
            let mut targets = Vec::new();
            match &def.kind {
                TypeDefKind::Sum(variants) => {
                    variants.iter().flat_map(|v| &v.fields).for_each(|f| inline_defs(types, f.ty, &mut targets))
                }
                TypeDefKind::Record(fields) => fields.iter().for_each(|f| inline_defs(types, f.ty, &mut targets)),
                TypeDefKind::Newtype(inner) => inline_defs(types, *inner, &mut targets),
                TypeDefKind::Opaque => {}
            }
            targets
        };
        let edges: Vec<Vec<TypeDefId>> = defs.values().map(inline).collect();
        let component = components(&edges);
        let mut members = vec![0u32; component.len()];
        component.iter().for_each(|&number| members[number as usize] += 1);
        let mut recursive = SecondaryMap::with_capacity(defs.len());
        for (id, number) in defs.keys().zip(component) {
            recursive[id] = members[number as usize] > 1 || edges[id.index()].contains(&id);
        }
        RecursiveDefs(Arc::new(recursive))
    }

    pub fn contains(&self, def: TypeDefId) -> bool {
        self.0[def]
    }
}

/// Declared types that a value of `ty` may contain inline; type arguments count as contained.
fn inline_defs(types: &TypeStore, ty: TypeId, out: &mut Vec<TypeDefId>) {
    match types.get(ty) {
        Type::Tuple(items) => items.iter().for_each(|&item| inline_defs(types, item, out)),
        Type::Record(fields) => fields.iter().for_each(|&(_, field)| inline_defs(types, field, out)),
        Type::FixedArray(element, _) => inline_defs(types, *element, out),
        Type::Ref { inner, .. } => inline_defs(types, *inner, out),
        Type::Adt(def, args) => {
            out.push(*def);
            args.iter().for_each(|&arg| inline_defs(types, arg, out));
        }
        Type::Prim(_) | Type::Fn { .. } | Type::Array(_) | Type::VarCell(_) | Type::Param(_) | Type::Error => {}
    }
}
