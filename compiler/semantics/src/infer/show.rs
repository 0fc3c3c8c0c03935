//! Types as messages show them: in the user's names.

use reml_syntax::names::Symbol;

use super::body::RIGID;
use super::ty::{List, Node, RowKind, Ty, VarKind};
use crate::cx::Checker;
use crate::effects::Closed;
use crate::typed::{EffectId, FnId};

impl<'a> Checker<'a> {
    /// A type, with parameters named as in the body being checked.
    pub fn show(&self, ty: Ty) -> String {
        let names: Vec<Symbol> = self.b.generics.iter().map(|g| g.0).collect();
        let mut out = String::new();
        self.write_type(ty, &names, &mut out, false, 0);
        out
    }

    /// A type of a function's signature, with that function's parameter names.
    pub fn show_in(&self, ty: Ty, owner: FnId) -> String {
        let mut out = String::new();
        self.write_type(ty, &self.fns[owner].generics, &mut out, false, 0);
        out
    }

    pub fn show_named(&self, ty: Ty, names: &[Symbol]) -> String {
        let mut out = String::new();
        self.write_type(ty, names, &mut out, false, 0);
        out
    }

    /// The outermost name of a type.
    pub fn show_head(&self, ty: Ty) -> String {
        match self.t.head(ty) {
            Node::Adt(def, ..) => self.names.text(self.adts[def].name).to_owned(),
            _ => self.show(ty),
        }
    }

    /// `State<Int>`
    pub fn show_effect(&self, effect: EffectId, args: List) -> String {
        let names: Vec<Symbol> = self.b.generics.iter().map(|g| g.0).collect();
        let mut out = self.names.text(self.effect_decls[effect].name).to_owned();
        out.push('<');
        self.write_list(args, &names, &mut out, 0);
        out.push('>');
        out
    }

    /// `{io, State<Int>}`
    pub fn show_closed(&self, closed: &Closed, names: &[Symbol], depth: u32) -> String {
        let mut text = self.tags.show(&closed.tags);
        for &(family, args) in &closed.args {
            let Some(effect) = self.t.rows.families.effect(family) else { continue };
            let name = self.names.text(self.effect_decls[effect].name);
            let mut with = format!("{name}<");
            self.write_list(args, names, &mut with, depth);
            with.push('>');
            text = text
                .split_inclusive([',', '}', '{'])
                .map(|part| {
                    if part.trim_matches([' ', ',', '}']) == name {
                        part.replacen(name, &with, 1)
                    } else {
                        part.to_owned()
                    }
                })
                .collect();
        }
        text
    }

    fn write_list(&self, list: List, names: &[Symbol], out: &mut String, depth: u32) {
        for i in list.range() {
            if i > 0 {
                out.push_str(", ");
            }
            self.write_type(self.t.at(list, i), names, out, false, depth + 1);
        }
    }

    fn write_type(&self, ty: Ty, names: &[Symbol], out: &mut String, nested: bool, depth: u32) {
        if depth > 8 || out.len() > 400 {
            out.push_str("..");
            return;
        }
        match self.t.head(ty) {
            Node::Var(_) => match self.t.var_kind(ty) {
                Some(VarKind::Int) => out.push_str("{integer}"),
                Some(VarKind::Float) => out.push_str("{float}"),
                Some(VarKind::Seq(element)) => {
                    out.push('[');
                    self.write_type(element, names, out, false, depth + 1);
                    out.push(']');
                }
                _ => out.push('_'),
            },
            Node::Prim(prim) => out.push_str(match prim {
                crate::types::Prim::I64 => "Int",
                crate::types::Prim::F64 => "Float",
                other => other.name(),
            }),
            Node::Tuple(list) if list.len == 0 => out.push_str("()"),
            Node::Tuple(list) => {
                out.push('(');
                self.write_list(list, names, out, depth);
                out.push(')');
            }
            Node::Record { shape, fields } => {
                out.push_str("{ ");
                for i in fields.range() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(self.names.text(self.t.shape(shape)[i]));
                    out.push_str(": ");
                    self.write_type(self.t.at(fields, i), names, out, false, depth + 1);
                }
                out.push_str(" }");
            }
            Node::Fn { sig, row } => {
                if nested {
                    out.push('(');
                }
                out.push('(');
                let params = sig.len as usize - 1;
                for i in 0..params {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.write_type(self.t.at(sig, i), names, out, false, depth + 1);
                }
                out.push_str(") -> ");
                self.write_type(self.t.at(sig, params), names, out, false, depth + 1);
                if let RowKind::Const(index) = row.kind() {
                    out.push_str(" ! ");
                    out.push_str(&self.show_closed(self.t.rows.closed(index), names, depth));
                }
                if nested {
                    out.push(')');
                }
            }
            Node::Adt(def, args, _) => {
                out.push_str(self.names.text(self.adts[def].name));
                if args.len > 0 {
                    out.push('<');
                    self.write_list(args, names, out, depth);
                    out.push('>');
                }
            }
            Node::Array(element) => {
                out.push('[');
                self.write_type(element, names, out, false, depth + 1);
                out.push(']');
            }
            Node::Fixed(element, len) => {
                out.push('[');
                self.write_type(element, names, out, false, depth + 1);
                out.push_str(&format!("; {len}]"));
            }
            Node::Ref { mutable, inner } => {
                out.push_str(if mutable { "&mut " } else { "&" });
                self.write_type(inner, names, out, true, depth + 1);
            }
            Node::Cell(inner) => {
                out.push_str("__Cell<");
                self.write_type(inner, names, out, false, depth + 1);
                out.push('>');
            }
            Node::Param(index) if index >= RIGID => match self.b.rigid.get((index - RIGID) as usize) {
                Some(&name) => out.push_str(self.names.text(name)),
                None => out.push('_'),
            },
            Node::Param(index) => match names.get(index as usize) {
                Some(&name) => out.push_str(self.names.text(name)),
                None => out.push_str(&format!("T{index}")),
            },
            Node::Error => out.push('?'),
        }
    }
}
