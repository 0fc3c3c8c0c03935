//! `@repr(C)`, `@repr(C, packed)`, `@repr(u8)`: how a declared type looks to C.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, TypeDeclKind};

use crate::cx::*;
use crate::typed::{CRepr, TypeDefId};
use crate::types::Prim;

/// What the arguments of the attribute say.
#[derive(Default)]
struct Words {
    c: bool,
    packed: bool,
    union: bool,
    base: Option<Prim>,
}

impl<'a> Checker<'a> {
    /// Reads the attribute of a type whose fields are declared.
    pub fn declare_repr(&mut self, id: TypeDefId) {
        let attrs = self.adts[id].attrs;
        let Some(attr) = attrs.iter().find(|attr| self.names.text(attr.name.name) == "repr") else { return };
        let Some(words) = self.repr_words(attr) else { return };
        let decl = self.adts[id].decl;
        let repr = match &decl.kind {
            TypeDeclKind::Record(fields) => {
                if words.base.is_some() {
                    return self.invalid_repr(attr.span, "a record has no integer type", "write `@repr(C)`");
                }
                if fields.is_empty() {
                    return self.invalid_repr(
                        attr.span,
                        "C has no structs without fields",
                        "leave `@repr(C)` out; pointers to values that only C knows need none",
                    );
                }
                let AdtKind::Record(stored) = &self.adts[id].kind else { return };
                let position = |field: &ast::Field| stored.iter().position(|f| f.name == Some(field.name.name));
                let order = fields.iter().filter_map(position).map(|index| index as u32).collect();
                CRepr::Record { order, packed: words.packed }
            }
            TypeDeclKind::Sum(variants) if variants.iter().all(|v| v.payload == ast::VariantPayload::None) => {
                if words.packed {
                    return self.invalid_repr(attr.span, "an enumeration has nothing to pack", "write `@repr(C)`");
                }
                let base = words.base.unwrap_or(Prim::I32);
                let room = 1u128 << (base.bits().unwrap_or(64) - u32::from(base.is_signed()));
                if variants.len() as u128 > room {
                    let message = format!("`{}` cannot tell {} variants apart", base.name(), variants.len());
                    return self.invalid_repr(attr.span, &message, "choose a larger integer type");
                }
                CRepr::Enum(base)
            }
            TypeDeclKind::Newtype(_) if words.union && self.is_core(self.adts[id].module) => CRepr::Union,
            TypeDeclKind::Newtype(_) => {
                return self.invalid_repr(
                    attr.span,
                    "a `new` type looks to C like what it is made of",
                    "leave the attribute out",
                );
            }
            TypeDeclKind::Sum(_) => {
                return self.invalid_repr(
                    attr.span,
                    "C has no counterpart to variants with payloads",
                    "describe the tag and the union of the payloads as C does: a record with a `Union<{ .. }>`",
                );
            }
            TypeDeclKind::Unit | TypeDeclKind::Alias(_) => {
                return self.invalid_repr(
                    attr.span,
                    "there is nothing to lay out here",
                    "leave the attribute out; a type without fields can stand behind a pointer",
                );
            }
        };
        self.adts[id].repr = Some(repr);
    }

    fn repr_words(&mut self, attr: &ast::Attr) -> Option<Words> {
        let mut words = Words::default();
        for arg in &attr.args {
            let text = match &*arg.value.kind {
                ast::ExprKind::Path(path) if path.segments.len() == 1 => self.names.text(path.segments[0].name),
                _ => "",
            };
            match text {
                "C" => words.c = true,
                "packed" => words.packed = true,
                "union" => words.union = true,
                name => match Prim::ALL.into_iter().find(|prim| prim.is_integer() && prim.name() == name) {
                    Some(prim) => words.base = Some(prim),
                    None => {
                        self.invalid_repr(
                            arg.value.span,
                            "this says nothing about a layout",
                            "write `@repr(C)`, `@repr(C, packed)`, or an integer type for an enumeration: `@repr(u8)`",
                        );
                        return None;
                    }
                },
            }
        }
        if !words.c && words.base.is_none() && !words.union {
            self.invalid_repr(attr.span, "this does not say whose layout", "write `@repr(C)` or `@repr(C, packed)`");
            return None;
        }
        Some(words)
    }

    fn invalid_repr(&mut self, span: Span, message: &str, help: &str) {
        self.report(Diagnostic::error(codes::FFI_REPR_INVALID, span, message).with_help(help));
    }
}
