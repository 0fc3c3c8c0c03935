//! How is a missing value written down? As the pattern that would match it.

use reml_syntax::names::Names;

use super::Tables;
use super::pat::Ctor;
use crate::typed::TypeDefKind;
use crate::types::{Prim, Type, TypeId};

#[derive(Clone, Debug)]
pub enum Witness {
    Wild,
    Ctor(TypeId, Ctor, Vec<Witness>),
}

pub fn texts(witnesses: Vec<Witness>, tables: &Tables<'_>, names: &Names) -> Vec<String> {
    let mut texts: Vec<String> = Vec::with_capacity(witnesses.len());
    for witness in witnesses {
        let mut text = String::new();
        write(&witness, tables, names, &mut text);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// "`A`, `B` and `C`"; long lists are cut.
pub fn listed(shapes: &[String]) -> String {
    const SHOWN: usize = 4;
    let quoted: Vec<String> = shapes.iter().take(SHOWN).map(|shape| format!("`{shape}`")).collect();
    match (quoted.as_slice(), shapes.len().saturating_sub(SHOWN)) {
        ([], _) => String::new(),
        ([one], 0) => one.clone(),
        ([init @ .., last], 0) => format!("{} and {last}", init.join(", ")),
        (all, more) => format!("{} and {more} more", all.join(", ")),
    }
}

fn write(witness: &Witness, tables: &Tables<'_>, names: &Names, out: &mut String) {
    let Witness::Ctor(ty, ctor, args) = witness else { return out.push('_') };
    match ctor {
        Ctor::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Ctor::Float(bits) => out.push_str(&format!("{:?}", f64::from_bits(*bits))),
        Ctor::Str(text) => out.push_str(&format!("{text:?}")),
        Ctor::Range(low, high) => range(*ty, *low, *high, tables, out),
        Ctor::Slice { open, .. } => {
            out.push('[');
            list(args, tables, names, out);
            if *open {
                out.push_str(if args.is_empty() { ".." } else { ", .." });
            }
            out.push(']');
        }
        Ctor::Variant(variant) => {
            let Type::Adt(def, _) = tables.types.get(*ty) else { return out.push('_') };
            let TypeDefKind::Sum(variants) = &tables.type_defs[*def].kind else { return out.push('_') };
            if Some(*def) == tables.list {
                return list_cells(witness, tables, names, out);
            }
            let variant = &variants[*variant as usize];
            out.push_str(names.text(variant.name));
            if !args.is_empty() {
                out.push('(');
                list(args, tables, names, out);
                out.push(')');
            }
        }
        Ctor::Single => match tables.types.get(*ty) {
            Type::Record(fields) => {
                let labels: Vec<&str> = fields.iter().map(|&(name, _)| names.text(name)).collect();
                record("", &labels, args, tables, names, out);
            }
            Type::Adt(def, _) => {
                let def = &tables.type_defs[*def];
                let name = names.text(def.name);
                match &def.kind {
                    TypeDefKind::Record(fields) => {
                        let labels: Vec<&str> =
                            fields.iter().map(|field| field.name.map_or("_", |name| names.text(name))).collect();
                        record(name, &labels, args, tables, names, out);
                    }
                    _ => {
                        out.push_str(name);
                        out.push('(');
                        list(args, tables, names, out);
                        out.push(')');
                    }
                }
            }
            Type::FixedArray(..) => {
                out.push('[');
                list(args, tables, names, out);
                out.push(']');
            }
            _ => {
                out.push('(');
                list(args, tables, names, out);
                out.push(')');
            }
        },
    }
}

fn list(items: &[Witness], tables: &Tables<'_>, names: &Names, out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { ", " });
        write(item, tables, names, out);
    }
}

/// Only the fields that matter.
fn record(name: &str, labels: &[&str], args: &[Witness], tables: &Tables<'_>, names: &Names, out: &mut String) {
    if !name.is_empty() {
        out.push_str(name);
        out.push(' ');
    }
    out.push_str("{ ");
    let mut shown = 0;
    for (label, arg) in labels.iter().zip(args) {
        if matches!(arg, Witness::Wild) {
            continue;
        }
        out.push_str(if shown == 0 { "" } else { ", " });
        out.push_str(label);
        out.push_str(": ");
        write(arg, tables, names, out);
        shown += 1;
    }
    if shown < labels.len() {
        out.push_str(if shown == 0 { ".." } else { ", .." });
    }
    out.push_str(" }");
}

/// Cells of a list, in brackets.
fn list_cells(witness: &Witness, tables: &Tables<'_>, names: &Names, out: &mut String) {
    let mut rest = witness;
    let mut first = true;
    out.push('[');
    loop {
        match rest {
            Witness::Ctor(_, Ctor::Variant(_), args) => match args.as_slice() {
                [head, tail] => {
                    out.push_str(if first { "" } else { ", " });
                    write(head, tables, names, out);
                    rest = tail;
                    first = false;
                }
                _ => break,
            },
            _ => {
                out.push_str(if first { ".." } else { ", .." });
                break;
            }
        }
    }
    out.push(']');
}

fn range(ty: TypeId, low: i128, high: i128, tables: &Tables<'_>, out: &mut String) {
    let prim = match tables.types.get(ty) {
        Type::Prim(prim) => *prim,
        _ => Prim::I64,
    };
    let (least, most) = match prim {
        Prim::Char => (0, 0x10_FFFF),
        prim if prim.is_signed() => {
            let bits = prim.bits().unwrap_or(64);
            (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
        }
        prim => (0, (1i128 << prim.bits().unwrap_or(64)) - 1),
    };
    let text = |value: i128| match prim {
        Prim::Char => match u32::try_from(value).ok().and_then(char::from_u32) {
            Some(c) => format!("{c:?}"),
            None => "'\\u{FFFD}'".into(),
        },
        _ => value.to_string(),
    };
    if low == high {
        out.push_str(&text(low));
        return;
    }
    if low > least {
        out.push_str(&text(low));
    }
    out.push_str("..");
    if high < most || low <= least {
        out.push('=');
        out.push_str(&text(high));
    }
}
