//! How does a record of C lie in a record of Reml?
//!
//! As its members, when those come to lie where C has them by the rules that `@repr(C)` and `Union` follow; bit-fields then share integers. Otherwise as
//! integers that are as large and aligned alike. Either way what is no member of its own gets functions that read and replace it. A record that not
//! even this fits is only ever pointed to.

use std::collections::HashMap;

use crate::c::layout::layout;
use crate::c::model::*;
use crate::c::show::declaration;
use crate::names::{Taken, type_name, value_name};
use crate::types::{BOOL, Named, Reml, Scalar, Types, integer};

/// A record that is written.
#[derive(Debug)]
pub struct Written {
    pub id: RecordId,
    pub name: String,
    pub shape: Shape,
    pub fields: Vec<Field>,
    pub accessors: Vec<Accessor>,
    pub doc: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Struct,
    /// Without gaps.
    Packed,
    /// All fields lie at the beginning.
    Union,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Reml,
    /// In bytes.
    pub place: u64,
    pub doc: Option<String>,
    /// The member that it is, if it is one.
    pub member: Option<usize>,
}

/// Functions that read and replace some bits.
#[derive(Debug)]
pub struct Accessor {
    pub name: String,
    pub setter: String,
    pub ty: &'static Scalar,
    pub width: u64,
    /// The first bit in the word that the cells make up together.
    pub from: u64,
    /// Neighbours, from the lowest bits on; at most 64 bits.
    pub cells: Vec<Cell>,
    pub doc: Option<String>,
}

/// An integer of the record.
#[derive(Clone, Debug)]
pub struct Cell {
    /// A field, or an element of the one field that there is.
    pub field: String,
    pub index: Option<u64>,
    pub place: u64,
    pub size: u64,
}

/// What came of looking at a record.
pub struct Form {
    shape: Shape,
    fields: Vec<Field>,
    cells: Vec<Cell>,
    /// Whether members that are whole bytes need functions, too.
    blob: bool,
    /// Why it cannot be passed by value.
    pub refused: Option<&'static str>,
}

/// The one field of a record whose members have no place of their own.
const STORAGE: &str = "storage";

/// Decides on the form of a record. `None`: it is only pointed to. The records inside have been decided on.
pub fn form(types: &Types<'_>, id: RecordId) -> Option<Form> {
    let record = types.unit.record(id);
    let body = record.body.as_ref()?;
    let whole = body.layout.filter(|whole| whole.size > 0)?;
    let as_members = match record.kind {
        RecordKind::Struct => fields(types, body, whole),
        RecordKind::Union => union(types, body, whole),
    };
    if let Some(form) = as_members {
        return Some(form);
    }
    let element = integer(whole.align, false)?;
    let count = whole.size / whole.align;
    let ty = Reml::Array(Box::new(Reml::Scalar(element)), count);
    let cells = (0..count.min(MOST_CELLS)).map(|index| Cell {
        field: STORAGE.to_owned(),
        index: Some(index),
        place: index * whole.align,
        size: whole.align,
    });
    let refused = match record.kind {
        RecordKind::Union => "unsupported_union",
        RecordKind::Struct if body.members.iter().any(|member| member.bits.is_some()) => "unsupported_bitfield",
        RecordKind::Struct => "unsupported_type",
    };
    let field = Field { name: STORAGE.to_owned(), ty, place: 0, doc: None, member: None };
    Some(Form { shape: Shape::Struct, fields: vec![field], cells: cells.collect(), blob: true, refused: Some(refused) })
}

/// Members that lie further behind have no functions.
const MOST_CELLS: u64 = 4096;

fn fields(types: &Types<'_>, body: &Body, whole: Layout) -> Option<Form> {
    let mut taken = Taken::default();
    let mut fields: Vec<Field> = Vec::new();
    let mut cells = Vec::new();
    let mut refused = None;
    let mut anonymous = 0;
    let mut index = 0;
    while let Some(member) = body.members.get(index) {
        if member.bits.is_some() {
            let run = body.members[index..].iter().take_while(|member| member.bits.is_some()).count();
            let next = body.members.get(index + run).map_or(whole.size, |member| member.place / 8);
            let first = body.members[index..index + run].iter().find(|member| member.bits != Some(0));
            if let Some(first) = first {
                units(first.place / 8, next, whole.align, &mut taken, &mut fields, &mut cells)?;
            }
            index += run;
            continue;
        }
        if member.name.is_none() {
            anonymous += 1;
        }
        if let Some(field) = field(types, member, index, anonymous, &mut taken)? {
            refused = refused.or_else(|| refused_inside(types, member.ty.ty));
            fields.push(field);
        }
        index += 1;
    }
    for shape in [Shape::Struct, Shape::Packed] {
        let (layout, places) = natural(types, &fields, shape)?;
        if layout == whole && places.iter().zip(&fields).all(|(place, field)| *place == field.place) {
            // A member that is not aligned changes how the whole is passed.
            let refused = refused.or((shape == Shape::Packed).then_some("unsupported_type"));
            return Some(Form { shape, fields, cells, blob: false, refused });
        }
    }
    None
}

/// The members of a union, if they are all it takes. One that points to a union that is not complete before might come back to itself, which the
/// names of types cannot.
fn union(types: &Types<'_>, body: &Body, whole: Layout) -> Option<Form> {
    let mut taken = Taken::default();
    let mut fields: Vec<Field> = Vec::new();
    let mut refused = None;
    let mut anonymous = 0;
    for (index, member) in body.members.iter().enumerate() {
        if member.bits.is_some() {
            return None;
        }
        if member.name.is_none() {
            anonymous += 1;
        }
        let Some(field) = field(types, member, index, anonymous, &mut taken)? else { continue };
        let mut circular = false;
        field.ty.each(&mut |ty| {
            let Reml::Named(name) = ty else { return };
            let other = types.by_name.get(name).map(|id| types.unit.record(*id));
            circular |= other.is_some_and(|other| {
                other.kind == RecordKind::Union && other.body.as_ref().is_none_or(|other| other.order >= body.order)
            });
        });
        if circular {
            return None;
        }
        refused = refused.or_else(|| refused_inside(types, member.ty.ty));
        fields.push(field);
    }
    let (layout, _) = natural(types, &fields, Shape::Union)?;
    (layout == whole).then_some(Form { shape: Shape::Union, fields, cells: Vec::new(), blob: false, refused })
}

/// A member as a field. Nothing, when it has no size, such as a flexible array, which lies behind the record; `None`, when it has no type.
fn field(types: &Types<'_>, member: &Member, index: usize, anonymous: u32, taken: &mut Taken) -> Option<Option<Field>> {
    if layout(types.unit, member.ty.ty)?.size == 0 {
        return Some(None);
    }
    let ty = types.member(member.ty).ok()?;
    let name = member.name.as_ref().map_or_else(|| format!("anonymous_{anonymous}"), |name| value_name(name));
    let (name, place, doc) = (taken.fresh(name), member.place / 8, member.doc.clone());
    Some(Some(Field { name, ty, place, doc, member: Some(index) }))
}

/// Integers that cover the bytes from `start` to `end`.
fn units(
    start: u64,
    end: u64,
    align: u64,
    taken: &mut Taken,
    fields: &mut Vec<Field>,
    cells: &mut Vec<Cell>,
) -> Option<()> {
    let mut place = start;
    while place < end {
        let size = [8, 4, 2, 1]
            .into_iter()
            .find(|&size| size <= align && place.is_multiple_of(size) && place + size <= end)?;
        let name = taken.fresh(format!("bits_{}", cells.len()));
        cells.push(Cell { field: name.clone(), index: None, place, size });
        fields.push(Field { name, ty: Reml::Scalar(integer(size, false)?), place, doc: None, member: None });
        place += size;
    }
    Some(())
}

fn refused_inside(types: &Types<'_>, ty: TypeId) -> Option<&'static str> {
    let mut ty = types.unit.resolve(ty);
    while let Type::Array(of, _) = types.unit.ty(ty) {
        ty = types.unit.resolve(of.ty);
    }
    match types.unit.ty(ty) {
        Type::Record(id) => types.records.get(id).and_then(|named| named.refused),
        _ => None,
    }
}

/// Where fields of this shape lie, and how large the whole is.
fn natural(types: &Types<'_>, fields: &[Field], shape: Shape) -> Option<(Layout, Vec<u64>)> {
    let mut places = Vec::new();
    let (mut end, mut largest, mut align) = (0u64, 0u64, 1u64);
    for field in fields {
        let it = reml_layout(types, &field.ty)?;
        let wanted = if shape == Shape::Packed { 1 } else { it.align };
        let place = if shape == Shape::Union { 0 } else { end.checked_next_multiple_of(wanted)? };
        places.push(place);
        end = place.checked_add(it.size)?;
        largest = largest.max(end);
        align = align.max(wanted);
    }
    Some((Layout { size: largest.checked_next_multiple_of(align)?, align }, places))
}

fn reml_layout(types: &Types<'_>, ty: &Reml) -> Option<Layout> {
    let target = &types.unit.target;
    Some(match ty {
        Reml::Unit => return None,
        Reml::Scalar(scalar) => target.scalar(match scalar.source {
            "bool" | "i8" | "u8" => 1,
            "i16" | "u16" => 2,
            "i32" | "u32" | "f32" => 4,
            "isize" | "usize" => target.pointer,
            _ => 8,
        }),
        Reml::Ptr(_) | Reml::MutPtr(_) | Reml::FnPtr(..) => target.scalar(target.pointer),
        Reml::Array(of, length) => {
            let of = reml_layout(types, of)?;
            Layout { size: of.size.checked_mul(*length)?, align: of.align }
        }
        Reml::Named(name) => types.unit.record(*types.by_name.get(name)?).body.as_ref()?.layout?,
    })
}

/// Writes a record down in the form that was decided on.
pub fn write(types: &Types<'_>, id: RecordId, form: Form) -> Written {
    let record = types.unit.record(id);
    let members = record.body.as_ref().map_or(&[][..], |body| &body.members);
    let mut taken = Taken::default();
    let mut accessors = Vec::new();
    // Bits are counted from the low end; elsewhere, C counts them from the high one.
    let members_of_bits = members.iter().filter(|_| types.unit.target.little_endian);
    for member in members_of_bits {
        let Some(name) = &member.name else { continue };
        if member.bits.is_none() && !form.blob {
            continue;
        }
        let Some(scalar) = bits_type(types, member.ty.ty) else { continue };
        let Some(size) = layout(types.unit, member.ty.ty).map(|it| it.size) else { continue };
        let width = member.bits.map_or(size * 8, u64::from);
        let Some(cells) = covering(&form.cells, member.place, width) else { continue };
        let name = taken.fresh(value_name(name));
        let setter = taken.fresh(format!("with_{name}"));
        let from = member.place - cells[0].place * 8;
        accessors.push(Accessor { name, setter, ty: scalar, width, from, cells, doc: member.doc.clone() });
    }
    let mut doc: Vec<String> = record.doc.iter().cloned().collect();
    let is_behind =
        |member: &Member| member.bits.is_none() && layout(types.unit, member.ty.ty).is_some_and(|it| it.size == 0);
    if form.blob || members.iter().any(is_behind) {
        let word = if record.kind == RecordKind::Union { "A union" } else { "A struct" };
        let list: Vec<String> = members
            .iter()
            .map(|member| {
                let text = declaration(types.unit, member.ty, member.name.as_deref().unwrap_or_default());
                let width = member.bits.map(|bits| format!(" : {bits}")).unwrap_or_default();
                format!("`{text}{width}`")
            })
            .collect();
        doc.push(format!("{word} of C with {}.", list.join(", ")));
    }
    Written { id, name: types.records[&id].name.clone(), shape: form.shape, fields: form.fields, accessors, doc }
}

fn bits_type(types: &Types<'_>, ty: TypeId) -> Option<&'static Scalar> {
    match types.unit.ty(types.unit.resolve(ty)) {
        Type::Bool => Some(&BOOL),
        Type::Int(kind) => types.integer(*kind),
        // Constants of an enum that has no negative ones fill the field.
        Type::Enum(id) => types.integer(types.unit.enumeration(*id).base),
        _ => None,
    }
}

/// The cells that some bits lie in, if they are not too many for one word.
fn covering(cells: &[Cell], place: u64, width: u64) -> Option<Vec<Cell>> {
    if width == 0 {
        return None;
    }
    let (start, end) = (place / 8, (place + width).div_ceil(8));
    let cells: Vec<Cell> =
        cells.iter().filter(|cell| cell.place < end && start < cell.place + cell.size).cloned().collect();
    let bytes = cells.last()?.place + cells.last()?.size - cells.first()?.place;
    let whole = cells.first()?.place <= start && cells.iter().map(|cell| cell.size).sum::<u64>() == bytes;
    (whole && bytes <= 8).then_some(cells)
}

/// The records that are written, with the names and forms that they get: those inside come before those around them.
pub fn choose(
    types: &mut Types<'_>,
    wanted: &[RecordId],
    taken: &mut Taken,
    rename: &impl Fn(&str) -> Option<String>,
) -> Vec<Written> {
    let mut names: HashMap<RecordId, String> = HashMap::new();
    let mut order: Vec<RecordId> = Vec::new();
    // From the outside in, for the names; what is needed inside is written, too.
    let mut queue: Vec<(RecordId, Option<String>)> = wanted.iter().rev().map(|&id| (id, None)).collect();
    while let Some((id, derived)) = queue.pop() {
        if names.contains_key(&id) {
            continue;
        }
        let own = own_name(types.unit, id);
        let Some(name) = own.map(|own| rename(&own).unwrap_or_else(|| type_name(&own))).or(derived) else { continue };
        let name = taken.fresh(name);
        names.insert(id, name.clone());
        order.push(id);
        let members = types.unit.record(id).body.as_ref().map_or(&[][..], |body| &body.members);
        let mut anonymous = 0;
        let mut inside = Vec::new();
        for member in members {
            if member.name.is_none() && member.bits.is_none() {
                anonymous += 1;
            }
            let Some(inner) = record_inside(types.unit, member.ty.ty) else { continue };
            let part = member.name.as_deref().map_or_else(|| format!("Anonymous{anonymous}"), type_name);
            inside.push((inner, Some(format!("{name}{part}"))));
        }
        queue.extend(inside.into_iter().rev());
    }
    // From the inside out, for the forms. Pointers have the names already.
    for id in &order {
        types.records.insert(*id, Named { name: names[id].clone(), refused: None });
        types.by_name.insert(names[id].clone(), *id);
    }
    let mut inside_out = order.clone();
    inside_out.sort_by_key(|id| types.unit.record(*id).body.as_ref().map(|body| body.order));
    loop {
        let mut forms = HashMap::new();
        for &id in &inside_out {
            if let Some(form) = form(types, id) {
                if let Some(named) = types.records.get_mut(&id) {
                    named.refused = form.refused;
                }
                forms.insert(id, form);
            }
        }
        if forms.len() == inside_out.len() {
            return order.into_iter().filter_map(|id| forms.remove(&id).map(|form| write(types, id, form))).collect();
        }
        // What has no form is not written; so others cannot contain it, nor point to it by name.
        inside_out.retain(|id| forms.contains_key(id));
        order.retain(|id| forms.contains_key(id));
        types.records.retain(|id, _| forms.contains_key(id));
    }
}

/// The record that something is, or is an array of.
pub fn record_inside(unit: &Unit, ty: TypeId) -> Option<RecordId> {
    let mut ty = unit.resolve(ty);
    while let Type::Array(of, _) = unit.ty(ty) {
        ty = unit.resolve(of.ty);
    }
    match unit.ty(ty) {
        Type::Record(id) => Some(*id),
        _ => None,
    }
}

/// The name that C has for a record: that of a `typedef`, or its tag.
pub fn own_name(unit: &Unit, id: RecordId) -> Option<String> {
    let tag = unit.record(id).tag.clone();
    let typedef = unit.typedef_of.get(&unit.record(id).ty);
    typedef.map(|&typedef| unit.typedef(typedef).name.clone()).or(tag)
}
