//! How is a type written in C? One canonical spelling: qualifiers first where they can be, no space before `*`.

use super::model::{FnType, IntKind, Length, Qualified, Quals, RecordKind, Type, TypeId, Unit};

pub fn int_name(kind: IntKind) -> &'static str {
    match kind {
        IntKind::Char => "char",
        IntKind::SChar => "signed char",
        IntKind::UChar => "unsigned char",
        IntKind::Short => "short",
        IntKind::UShort => "unsigned short",
        IntKind::Int => "int",
        IntKind::UInt => "unsigned int",
        IntKind::Long => "long",
        IntKind::ULong => "unsigned long",
        IntKind::LongLong => "long long",
        IntKind::ULongLong => "unsigned long long",
        IntKind::Int128 => "__int128",
        IntKind::UInt128 => "unsigned __int128",
    }
}

/// `const char*`, `int (*)(void*)`.
pub fn type_text(unit: &Unit, ty: Qualified) -> String {
    declaration(unit, ty, "")
}

/// A declaration of a name: `int (*f)(void*)`, `char name[4]`. Without a name, the type.
pub fn declaration(unit: &Unit, ty: Qualified, name: &str) -> String {
    // From the name outwards; `pending` is what has been written around it so far.
    let mut pending = name.to_owned();
    let mut current = ty;
    let mut after_pointer = false;
    loop {
        match unit.ty(current.ty) {
            Type::Pointer(inner) => {
                let quals = qualifiers(current.quals);
                let gap = if quals.is_empty() || pending.is_empty() { "" } else { " " };
                let space = if quals.is_empty() { "" } else { " " };
                pending = format!("*{space}{quals}{gap}{pending}");
                current = *inner;
                after_pointer = true;
            }
            Type::Array(inner, length) => {
                let length = match length {
                    Length::Known(n) => n.to_string(),
                    Length::Open | Length::Variable => String::new(),
                };
                let inside = if after_pointer { format!("({pending})") } else { pending };
                pending = format!("{inside}[{length}]");
                current = Qualified { ty: inner.ty, quals: inner.quals.union(current.quals) };
                after_pointer = false;
            }
            Type::Function(function) => {
                let inside = if after_pointer { format!("({pending})") } else { pending };
                pending = format!("{inside}({})", parameters(unit, function));
                current = function.result;
                after_pointer = false;
            }
            _ => break,
        }
    }
    let quals = qualifiers(current.quals);
    let space = if quals.is_empty() { "" } else { " " };
    let base = base_name(unit, current.ty);
    // `char*` is a type, `char *name` a declaration.
    let gap = if pending.is_empty() || pending.starts_with('*') && name.is_empty() { "" } else { " " };
    format!("{quals}{space}{base}{gap}{pending}")
}

fn parameters(unit: &Unit, function: &FnType) -> String {
    if function.params.is_empty() && !function.variadic {
        return if function.prototype { "void".to_owned() } else { String::new() };
    }
    let mut list: Vec<String> = function.params.iter().map(|param| type_text(unit, param.ty)).collect();
    if function.variadic {
        list.push("...".to_owned());
    }
    list.join(", ")
}

fn qualifiers(quals: Quals) -> String {
    quals.iter().map(|qual| qual.text()).collect::<Vec<_>>().join(" ")
}

fn base_name(unit: &Unit, ty: TypeId) -> String {
    match unit.ty(ty) {
        Type::Void => "void".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int(kind) => int_name(*kind).to_owned(),
        Type::Float => "float".to_owned(),
        Type::Double => "double".to_owned(),
        Type::LongDouble => "long double".to_owned(),
        Type::Exotic { name, .. } => name.clone(),
        Type::VaList => "va_list".to_owned(),
        Type::Typedef(id) => unit.typedef(*id).name.clone(),
        Type::Record(id) => {
            let record = unit.record(*id);
            let word = match record.kind {
                RecordKind::Struct => "struct",
                RecordKind::Union => "union",
            };
            tagged(unit, ty, word, record.tag.as_deref())
        }
        Type::Enum(id) => tagged(unit, ty, "enum", unit.enumeration(*id).tag.as_deref()),
        Type::Unknown => "?".to_owned(),
        Type::Pointer(_) | Type::Array(..) | Type::Function(_) => String::new(),
    }
}

fn tagged(unit: &Unit, ty: TypeId, word: &str, tag: Option<&str>) -> String {
    match (tag, unit.typedef_of.get(&ty)) {
        (Some(tag), _) => format!("{word} {tag}"),
        (None, Some(&typedef)) => unit.typedef(typedef).name.clone(),
        (None, None) => format!("{word} {{..}}"),
    }
}
