//! Number literals and Json literals.

use reml_diagnostics::{Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::body::{DeferredKind, Want, Why};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::typed::*;
use crate::types::Prim;

impl<'a> Checker<'a> {
    /// The type of a literal: the expected one when that is a number's, else a variable with a default.
    pub fn number_type(&mut self, kind: VarKind, want: Want) -> Ty {
        if let Some(ty) = want.ty {
            let ty = self.t.resolve(ty);
            match self.t.get(ty) {
                Node::Prim(p) if p.is_float() || (p.is_integer() && kind == VarKind::Int) => return ty,
                Node::Var(_) if self.t.var_kind(ty) == Some(kind) => return ty,
                _ => {}
            }
        }
        self.t.var(kind)
    }

    pub fn int_literal(&mut self, value: u128, negative: bool, want: Want, span: Span) -> ExprId {
        let ty = self.number_type(VarKind::Int, want);
        // Anything past 65 bits is out of range of every type; it is reported when the type is known.
        let value = i128::try_from(value).unwrap_or(i128::MAX);
        let value = if negative { -value } else { value };
        self.b.expr(ExprKind::Int(value), ty, span)
    }

    /// Does the value fit the type?
    pub fn literal_fits(value: i128, prim: Prim) -> bool {
        let Some(bits) = prim.bits() else { return true };
        if prim.is_float() {
            return true;
        }
        if prim.is_signed() {
            let limit = 1i128 << (bits - 1);
            (-limit..limit).contains(&value)
        } else {
            (0..1i128 << bits).contains(&value)
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Json

    fn json_type(&mut self, span: Span) -> Option<Ty> {
        match self.lang.json {
            Some(def) => Some(self.open_adt(def)),
            None => {
                self.error(codes::NOT_SUPPORTED, span, "Json literals need the standard library");
                None
            }
        }
    }

    pub fn json_object(&mut self, fields: &[(Box<str>, ast::Expr)], span: Span) -> ExprId {
        let Some(json) = self.json_type(span) else { return self.b.error(span) };
        let pair = self.t.tuple(&[Types::STR, json]);
        let mut items = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            let key = self.b.expr(ExprKind::Str(key.clone()), Types::STR, value.span);
            let value = self.json_value(value);
            items.push(self.b.expr(ExprKind::Tuple(vec![key, value]), pair, span));
        }
        let ty = self.t.array(pair);
        let array = self.b.expr(ExprKind::Array(items), ty, span);
        self.lang_call("json_object", vec![array], span)
    }

    pub fn json_array(&mut self, values: &[ast::Expr], span: Span) -> ExprId {
        let Some(json) = self.json_type(span) else { return self.b.error(span) };
        let items = values.iter().map(|value| self.json_value(value)).collect();
        let ty = self.t.array(json);
        let array = self.b.expr(ExprKind::Array(items), ty, span);
        self.lang_call("json_array", vec![array], span)
    }

    /// A value inside a Json literal: converted with `IntoJson` unless it is Json already.
    pub fn json_value(&mut self, value: &ast::Expr) -> ExprId {
        match &*value.kind {
            Ast::JsonObject(_) | Ast::JsonArray(_) | Ast::JsonValue(_) => self.value(value, Want::NOTHING),
            // Elements of an array in a Json literal need not be of one type.
            Ast::Array(items) => self.json_array(items, value.span),
            Ast::Path(path) if self.is_json_null(path) => {
                let Some(json) = self.json_type(value.span) else { return self.b.error(value.span) };
                let null = self.lang.json.and_then(|def| self.variant_named(def, self.sym.json_null));
                let Some(variant) = null else { return self.b.error(value.span) };
                self.b.expr(ExprKind::Construct { variant, args: Vec::new() }, json, value.span)
            }
            _ => {
                let Some(json) = self.json_type(value.span) else { return self.b.error(value.span) };
                let operand = self.value(value, Want::NOTHING);
                let id = self.b.expr(ExprKind::Error, json, value.span);
                self.defer(id, DeferredKind::Json { operand });
                id
            }
        }
    }

    /// `null` inside a Json literal, unless something of the program has that name.
    fn is_json_null(&mut self, path: &ast::Path) -> bool {
        let [name] = &*path.segments else { return false };
        path.anchor == ast::PathAnchor::Relative
            && name.name == self.sym.null
            && self.lookup_local(name.name).is_none()
            && self.lookup_value(self.b.module, name.name).is_none()
    }

    pub fn try_json(&mut self, operand: ExprId, span: Span, last: bool) -> Option<ExprId> {
        let ty = self.t.resolve(self.b.ty(operand));
        match self.t.get(ty) {
            Node::Error => Some(operand),
            Node::Adt(def, ..) if Some(def) == self.lang.json => Some(operand),
            Node::Var(_) if !last => None,
            _ => {
                let Some(trait_) = self.lang_traits.into_json else {
                    self.error(codes::NOT_SUPPORTED, span, "Json literals need the trait `IntoJson`");
                    return Some(self.b.error(span));
                };
                let json = self.json_type(span)?;
                self.require(TraitRefTy { trait_, args: vec![ty], span }, span);
                let made = self.method_call_on(trait_, 0, vec![ty], vec![operand], json, span);
                Some(self.coerce(made, json, Why::None))
            }
        }
    }
}
