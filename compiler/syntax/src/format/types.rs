//! Type declarations.

use crate::ast::*;
use crate::token::Kind;

use super::Formatter;
use super::doc::*;
use super::flat::Style;
use super::list::{List, Trailing};
use super::render::STEP;

impl<'a> Formatter<'a> {
    pub fn type_decl(&mut self, decl: &TypeDecl) -> Doc<'a> {
        match &decl.kind {
            TypeDeclKind::Sum(variants) => {
                let end = self.cursor.find_before(&[Kind::Eq, Kind::LBrace], usize::MAX);
                let head = self.flat_until(end, Style::Type);
                if self.cursor.kind() == Kind::LBrace {
                    let mut variants = variants.iter();
                    let list = self.list(|f| variants.next().map_or_else(Doc::nil, |variant| f.variant(variant)));
                    return concat([head, text(" "), list.plain(Trailing::Broken)]);
                }
                let eq = self.cursor.next();
                concat([head, text(" "), eq, self.variants(variants)])
            }
            TypeDeclKind::Record(fields) => {
                let end = self.cursor.find(Kind::LBrace);
                let head = self.flat_until(end, Style::Type);
                concat([head, text(" "), self.fields(fields).plain(Trailing::Broken)])
            }
            TypeDeclKind::Newtype(ty) | TypeDeclKind::Alias(ty) => {
                let end = self.closed_end(self.cursor.index_of(ty.span.end));
                self.flat_until(end, Style::Type)
            }
            TypeDeclKind::Unit => {
                let mut parts = vec![self.cursor.next(), text(" "), self.cursor.next()];
                if self.cursor.kind() == Kind::Lt {
                    let end = self.cursor.mate(self.cursor.at) + 1;
                    parts.push(self.flat_until(end, Style::Type));
                }
                if self.cursor.kind() == Kind::Semi {
                    parts.push(self.cursor.next());
                }
                concat(parts)
            }
        }
    }

    /// `A | B(T)`: in one line, or each behind a bar in a line of its own.
    fn variants(&mut self, variants: &[Variant]) -> Doc<'a> {
        let broken = self.cursor.starts_line();
        let mut parts = Vec::new();
        for (i, variant) in variants.iter().enumerate() {
            let gap = if i > 0 && self.cursor.blank_before() && broken { blank() } else { line() };
            parts.push(gap);
            if self.cursor.kind() == Kind::Bar {
                let bar = self.cursor.next();
                let needed = i > 0 || bar.has_comment();
                parts.push(if needed {
                    concat([bar, text(" ")])
                } else {
                    if_break(concat([bar, text(" ")]), Doc::nil())
                });
            } else {
                parts.push(if_break(text("| "), Doc::nil()));
            }
            parts.push(self.variant(variant));
        }
        let all = indent(STEP, concat(parts));
        if broken { broken_group(all) } else { group(all) }
    }

    fn variant(&mut self, variant: &Variant) -> Doc<'a> {
        let name = self.cursor.next();
        let fields = match &variant.payload {
            VariantPayload::Named(fields) => fields.as_slice(),
            _ => &[],
        };
        match self.cursor.kind() {
            // What starts a line is no part of the variant.
            _ if self.cursor.starts_line() => name,
            Kind::LBrace => concat([name, text(" "), self.fields(fields).plain(Trailing::Broken)]),
            // `Named({ x: Int })`
            Kind::LParen if self.cursor.kind_at(1) == Kind::LBrace && !fields.is_empty() => {
                let list = self.list(|f| f.fields(fields).plain(Trailing::Broken));
                concat([name, list.plain(Trailing::None)])
            }
            Kind::LParen => concat([name, self.fields(fields).plain(Trailing::None)]),
            _ => name,
        }
    }

    fn fields(&mut self, fields: &[Field]) -> List<'a> {
        self.list(|f| {
            let start = f.cursor.start();
            let field = fields.iter().find(|field| field.span.start == start);
            f.declared(field.and_then(|field| field.default.as_ref()))
        })
    }
}
