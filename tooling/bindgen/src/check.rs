//! Does the compiler put members where this crate thinks that it does? A file of C that says so, for the compiler to refuse if not.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::bindings::Bindings;
use crate::c::layout::layout;
use crate::c::model::*;

/// Assertions about the size and the alignment of each record that is written, and about where its members are.
pub fn assertions(unit: &Unit, bindings: &Bindings) -> String {
    let ids: Vec<RecordId> = bindings.records.iter().map(|record| record.id).collect();
    assertions_about(unit, &ids)
}

/// The same for any records. Those without a name cannot be asked about by themselves; their members are members of others.
pub fn assertions_about(unit: &Unit, ids: &[RecordId]) -> String {
    let mut text = String::new();
    let mut names = BTreeSet::new();
    for &id in ids {
        let record = unit.record(id);
        let (Some(body), Some(name)) = (&record.body, c_name(unit, record)) else { continue };
        let Some(whole) = body.layout else { continue };
        let Layout { size, align } = whole;
        let _ = writeln!(text, "_Static_assert(sizeof({name}) == {size}, \"the size of {name} is {size}\");");
        let _ = writeln!(text, "_Static_assert(_Alignof({name}) == {align}, \"the alignment of {name} is {align}\");");
        members(unit, &name, "", 0, body, &mut text, &mut names);
    }
    // The C library has macros with the names of members, such as `sa_handler`.
    let free: String = names.iter().map(|name| format!("#undef {name}\n")).collect();
    free + &text
}

fn members<'a>(
    unit: &'a Unit,
    name: &str,
    path: &str,
    base: u64,
    body: &'a Body,
    text: &mut String,
    names: &mut BTreeSet<&'a str>,
) {
    for member in &body.members {
        let place = base + member.place;
        let record = match unit.ty(unit.resolve(member.ty.ty)) {
            Type::Record(id) => unit.record(*id).body.as_ref(),
            _ => None,
        };
        match &member.name {
            // Where bits are has no name in C.
            Some(_) if member.bits.is_some() => {}
            Some(own) => {
                names.insert(own);
                let path = format!("{path}{own}");
                let place = place / 8;
                let _ = writeln!(
                    text,
                    "_Static_assert(__builtin_offsetof({name}, {path}) == {place}, \"{path} of {name} is at {place}\");"
                );
                if let Some(it) = layout(unit, member.ty.ty).filter(|it| it.size > 0) {
                    let size = it.size;
                    let _ = writeln!(
                        text,
                        "_Static_assert(sizeof((({name}*)0)->{path}) == {size}, \"{path} of {name} has {size} bytes\");"
                    );
                }
                if let Some(inner) = record {
                    members(unit, name, &format!("{path}."), base + member.place, inner, text, names);
                }
            }
            None => {
                if let Some(inner) = record {
                    members(unit, name, path, place, inner, text, names);
                }
            }
        }
    }
}

fn c_name(unit: &Unit, record: &Record) -> Option<String> {
    let word = match record.kind {
        RecordKind::Struct => "struct",
        RecordKind::Union => "union",
    };
    match (&record.tag, unit.typedef_of.get(&record.ty)) {
        (Some(tag), _) => Some(format!("{word} {tag}")),
        // A typedef may be aligned in another way than the record that it names.
        (None, Some(&typedef)) => {
            let typedef = unit.typedef(typedef);
            typedef.aligned.is_none().then(|| typedef.name.clone())
        }
        (None, None) => None,
    }
}
