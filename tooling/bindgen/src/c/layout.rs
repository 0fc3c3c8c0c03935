//! Where do the members of a record lie? The rules of the System V ABI, with packing and alignment as GCC and Clang take them.

use super::model::{Layout, Length, Member, RecordKind, Type, TypeId, Unit};

/// Size and alignment of a type; `None` for those that have none, and those that are not known.
pub fn layout(unit: &Unit, ty: TypeId) -> Option<Layout> {
    let mut count: u64 = 1;
    let mut current = ty;
    let mut typedef_align = None;
    loop {
        let element = match unit.ty(current) {
            Type::Array(element, Length::Known(n)) => {
                count = count.checked_mul(*n)?;
                current = element.ty;
                continue;
            }
            // A flexible array member takes nothing.
            Type::Array(element, Length::Open) => {
                count = 0;
                current = element.ty;
                continue;
            }
            Type::Typedef(id) => {
                let typedef = unit.typedef(*id);
                typedef_align = typedef_align.or(typedef.aligned);
                current = typedef.ty.ty;
                continue;
            }
            Type::Bool => unit.target.scalar(1),
            Type::Int(kind) => unit.target.int_layout(*kind),
            Type::Float => unit.target.scalar(4),
            Type::Double => unit.target.scalar(8),
            Type::LongDouble => unit.target.long_double(),
            Type::Exotic { layout, .. } => (*layout)?,
            Type::VaList => unit.target.va_list,
            Type::Pointer(_) => unit.target.scalar(unit.target.pointer),
            Type::Enum(id) => unit.target.int_layout(unit.enumeration(*id).base),
            Type::Record(id) => unit.record(*id).body.as_ref()?.layout?,
            Type::Array(_, Length::Variable) | Type::Void | Type::Function(_) | Type::Unknown => return None,
        };
        let align = typedef_align.unwrap_or(element.align);
        return Some(Layout { size: element.size.checked_mul(count)?, align });
    }
}

/// What a record asks for as a whole.
#[derive(Clone, Copy, Default, Debug)]
pub struct Packing {
    /// `__attribute__((packed))`.
    pub packed: bool,
    /// `__attribute__((aligned(n)))`, the largest.
    pub aligned: Option<u64>,
    /// `#pragma pack(n)`.
    pub limit: Option<u64>,
}

/// Places the members, and tells how large the whole is.
pub fn place(unit: &Unit, kind: RecordKind, members: &mut [Member], packing: Packing) -> Option<Layout> {
    let mut end: u64 = 0;
    let mut largest: u64 = 0;
    let mut align: u64 = 1;
    for member in members.iter_mut() {
        let whole = layout(unit, member.ty.ty)?;
        let packed = packing.packed || member.packed;
        let mut natural = if packed { 1 } else { whole.align };
        if let Some(limit) = packing.limit {
            natural = natural.min(limit);
        }
        let member_align = natural.max(member.aligned.unwrap_or(1));
        let at = if kind == RecordKind::Union { 0 } else { end };
        let (start, size) = match member.bits {
            Some(0) => {
                // Ends the unit that is being filled.
                let unit_align = whole.align.max(member.aligned.unwrap_or(1));
                (round_up(at, unit_align.checked_mul(8)?)?, 0)
            }
            Some(width) => {
                let at = round_up(at, member.aligned.map_or(Some(1), |align| align.checked_mul(8))?)?;
                (place_bits(at, u64::from(width), whole, packed, member_align)?, u64::from(width))
            }
            None => (round_up(at, member_align.checked_mul(8)?)?, whole.size.checked_mul(8)?),
        };
        // Bit-fields without a name do not align the record.
        if member.bits.is_none() || member.name.is_some() {
            align = align.max(member_align);
        }
        member.place = start;
        end = start.checked_add(size)?;
        largest = largest.max(end);
    }
    let align = align.max(packing.aligned.unwrap_or(1));
    let size = round_up(largest, align.checked_mul(8)?)? / 8;
    Some(Layout { size, align })
}

/// A bit-field lies in one unit of its type, unless it is packed.
fn place_bits(at: u64, width: u64, whole: Layout, packed: bool, align: u64) -> Option<u64> {
    if packed {
        return round_up(at, if align > 1 { align * 8 } else { 1 });
    }
    let (unit, align) = (whole.size * 8, align * 8);
    let spans = (at % align + width).div_ceil(align) > unit / align;
    if spans { round_up(at, align) } else { Some(at) }
}

fn round_up(value: u64, to: u64) -> Option<u64> {
    value.checked_next_multiple_of(to.max(1))
}
