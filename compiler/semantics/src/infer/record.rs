//! Record literals and updates, structural and nominal.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::body::{Want, Why};
use super::call::Instantiated;
use super::ty::{Node, Ty};
use crate::cx::*;
use crate::modules::Container;
use crate::resolve::Target;
use crate::typed::*;

impl<'a> Checker<'a> {
    pub fn record_expr(
        &mut self,
        path: Option<&ast::Path>,
        fields: &[ast::FieldInit],
        base: Option<&ast::Expr>,
        want: Want,
        span: Span,
    ) -> ExprId {
        if let Some(path) = path {
            return self.nominal_literal(path, fields, base, want, span);
        }
        if let Some(base) = base {
            return self.update(base, fields, want, span);
        }
        match want.ty.map(|ty| self.t.head(ty)) {
            Some(Node::Adt(def, ..)) if matches!(self.adts[def].kind, AdtKind::Record(_)) => {
                self.construct_record(def, 0, fields, None, want, span)
            }
            Some(Node::Record { shape, fields: types }) => {
                let names = self.t.shape(shape).to_vec();
                let expected: Vec<(Symbol, Ty)> =
                    names.iter().enumerate().map(|(i, &name)| (name, self.t.at(types, i))).collect();
                self.structural_literal(fields, Some(&expected), span)
            }
            _ => self.structural_literal(fields, None, span),
        }
    }

    fn field_value(&mut self, init: &ast::FieldInit, expected: Option<(Ty, Why)>) -> ExprId {
        match (&init.value, expected) {
            (Some(value), Some((ty, why))) => {
                let id = self.expr(value, Want::of(ty, why));
                let id = self.deref(id);
                self.coerce(id, ty, why)
            }
            (Some(value), None) => self.value(value, Want::NOTHING),
            (None, expected) => {
                let (target, _) = self.resolve_chain(ast::PathAnchor::Relative, &[init.name]);
                let id = self.target_value(target, Want::NOTHING, init.name.span);
                let id = self.deref(id);
                match expected {
                    Some((ty, why)) => self.coerce(id, ty, why),
                    None => id,
                }
            }
        }
    }

    fn structural_literal(
        &mut self,
        fields: &[ast::FieldInit],
        expected: Option<&[(Symbol, Ty)]>,
        span: Span,
    ) -> ExprId {
        let mut given: Vec<(Symbol, ExprId)> = Vec::with_capacity(fields.len());
        for init in fields {
            let hint = expected
                .and_then(|e| e.iter().find(|(name, _)| *name == init.name.name))
                .map(|&(_, ty)| (ty, Why::None));
            let value = self.field_value(init, hint);
            if given.iter().any(|&(name, _)| name == init.name.name) {
                self.duplicate_field(init.name);
                continue;
            }
            given.push((init.name.name, value));
        }
        if let Some(expected) = expected {
            let missing: Vec<Symbol> =
                expected.iter().map(|e| e.0).filter(|name| !given.iter().any(|g| g.0 == *name)).collect();
            let unknown: Vec<ast::Ident> =
                fields.iter().map(|f| f.name).filter(|n| !expected.iter().any(|e| e.0 == n.name)).collect();
            let names: Vec<Symbol> = expected.iter().map(|e| e.0).collect();
            if !missing.is_empty() || !unknown.is_empty() {
                for name in unknown {
                    self.unknown_init(name, &names, "this record");
                }
                if !missing.is_empty() {
                    self.missing_fields(&missing, "the record", span, None);
                }
                return self.b.error(span);
            }
        }
        let (stmts, mut values) = self.keep_order(given, |names, a, b| names.text(a).cmp(names.text(b)));
        let types: Vec<(Symbol, Ty)> = values.iter().map(|&(name, id)| (name, self.b.ty(id))).collect();
        let ty = match expected {
            Some(expected) => self.record_type(expected.to_vec()),
            None => self.record_type(types),
        };
        let record = ExprKind::Record(values.drain(..).map(|(_, id)| id).collect());
        let made = self.b.expr(record, ty, span);
        self.block_of(stmts, made)
    }

    /// Values sorted into stored order; those that must keep the written order are bound first.
    fn keep_order(
        &mut self,
        given: Vec<(Symbol, ExprId)>,
        order: impl Fn(&reml_syntax::names::Names, Symbol, Symbol) -> std::cmp::Ordering,
    ) -> (Vec<Stmt>, Vec<(Symbol, ExprId)>) {
        let mut sorted = given.clone();
        sorted.sort_by(|a, b| order(self.names, a.0, b.0));
        let complex = given.iter().filter(|&&(_, id)| !self.is_simple(id)).count();
        if sorted == given || complex <= 1 {
            return (Vec::new(), sorted);
        }
        let mut stmts = Vec::new();
        let mut bound = Vec::with_capacity(given.len());
        for (name, id) in given {
            if self.is_simple(id) {
                bound.push((name, id));
                continue;
            }
            let span = self.b.span(id);
            let (bind, local) = self.temporary(id);
            stmts.push(bind);
            bound.push((name, self.b.use_local(local, span)));
        }
        bound.sort_by(|a, b| order(self.names, a.0, b.0));
        (stmts, bound)
    }

    pub fn block_of(&mut self, stmts: Vec<Stmt>, result: ExprId) -> ExprId {
        if stmts.is_empty() {
            return result;
        }
        let (ty, span) = (self.b.ty(result), self.b.span(result));
        self.b.expr(ExprKind::Block { stmts, result: Some(result) }, ty, span)
    }

    fn nominal_literal(
        &mut self,
        path: &ast::Path,
        fields: &[ast::FieldInit],
        base: Option<&ast::Expr>,
        want: Want,
        span: Span,
    ) -> ExprId {
        let target = self.construction_target(path, want.ty, path.span);
        match target {
            Some((def, variant)) => self.construct_record(def, variant, fields, base, want, span),
            None => {
                for init in fields {
                    if let Some(value) = &init.value {
                        self.expr(value, Want::NOTHING);
                    }
                }
                self.b.error(span)
            }
        }
    }

    /// The type and variant that `Path { .. }` builds or matches.
    pub fn construction_target(&mut self, path: &ast::Path, want: Option<Ty>, span: Span) -> Option<(TypeDefId, u32)> {
        if let [name] = path.segments[..]
            && path.anchor == ast::PathAnchor::Relative
        {
            // The expected type's own constructor first, whatever is in scope.
            if let Some(Node::Adt(def, ..)) = want.map(|ty| self.t.head(ty))
                && let Some(variant) = self.variant_named(def, name.name)
            {
                // An import of the name has had its use.
                self.lookup_value(self.b.module, name.name);
                return Some((def, variant));
            }
            if name.name == self.sym.self_type
                && let Some(Node::Adt(def, ..)) = self.b.self_ty.map(|ty| self.t.head(ty))
            {
                return Some((def, 0));
            }
            // An alias of a record type constructs it.
            if self.lookup_value(self.b.module, name.name).is_none() {
                let container: Container = self.head_container(self.b.module, name.name);
                if let Some(found) = self.alias_target(container) {
                    return Some(found);
                }
            }
        }
        let (target, used) = self.resolve_chain(path.anchor, &path.segments);
        if used < path.segments.len() {
            return None;
        }
        match target {
            Target::Ctor(def, variant) => Some((def, variant)),
            Target::Ctors(set) => self.pick_ctor(set, want, None, span),
            Target::Error => None,
            _ => {
                let text = path.segments.last().map_or("", |s| self.names.text(s.name)).to_owned();
                self.error(codes::NAME_UNKNOWN, span, format!("`{text}` is not a constructor"));
                None
            }
        }
    }

    fn alias_target(&mut self, container: Container) -> Option<(TypeDefId, u32)> {
        let Some(TypeItem::Alias(alias)) = container.ty else { return None };
        let AliasTarget::Type(target) = self.aliases[alias as usize].target else { return None };
        let ast::TypeKind::Path { path, .. } = &*target.kind else { return None };
        let name = path.segments.last()?;
        let module = self.aliases[alias as usize].module;
        match self.lookup_type(module, name.name)? {
            TypeItem::Adt(def) if !matches!(self.adts[def].kind, AdtKind::Sum(_)) => Some((def, 0)),
            _ => None,
        }
    }

    pub fn construct_record(
        &mut self,
        def: TypeDefId,
        variant: u32,
        inits: &[ast::FieldInit],
        base: Option<&ast::Expr>,
        want: Want,
        span: Span,
    ) -> ExprId {
        let owner = match &self.adts[def].kind {
            AdtKind::Sum(variants) => self.names.text(variants[variant as usize].name),
            _ => self.names.text(self.adts[def].name),
        }
        .to_owned();
        if let Some(base) = base {
            let adt = self.open_adt(def);
            if let Some(want) = want.ty
                && self.t.can_unify(adt, want)
            {
                let _ = self.t.unify(adt, want);
            }
            if !matches!(self.adts[def].kind, AdtKind::Record(_)) {
                self.error(codes::TYPE_MISMATCH, span, format!("`{owner}` is not a record, so `..` cannot fill it"));
                self.expr(base, Want::NOTHING);
                return self.b.error(span);
            }
            return self.update(base, inits, Want::of(adt, Why::None), span);
        }
        let adt = self.open_adt(def);
        if let Some(want) = want.ty
            && self.t.can_unify(adt, want)
        {
            let _ = self.t.unify(adt, want);
        }
        let Node::Adt(_, args, row) = self.t.get(adt) else { return self.b.error(span) };
        // A newtype of a record, or a variant with one record inside: `T { .. }` builds the inner record.
        let declared = self.variant_fields(def, variant);
        if let [FieldInfo { name: None, ty, span: field_span, .. }] = declared[..] {
            let inner_ty = self.field_type(ty, args, row);
            let inner = self.record_expr(None, inits, None, Want::of(inner_ty, Why::Field(field_span)), span);
            let inner = self.coerce(inner, inner_ty, Why::Field(field_span));
            return self.b.expr(ExprKind::Construct { variant, args: vec![inner] }, adt, span);
        }
        let names: Vec<Symbol> = declared.iter().filter_map(|f| f.name).collect();
        let mut given: Vec<(Symbol, ExprId)> = Vec::with_capacity(inits.len());
        let mut failed = false;
        for init in inits {
            let field = declared.iter().find(|f| f.name == Some(init.name.name)).copied();
            let hint = field.map(|field| (self.field_type(field.ty, args, row), Why::Field(field.span)));
            if hint.is_none() {
                self.unknown_init(init.name, &names, &owner);
                failed = true;
            }
            let value = self.field_value(init, hint);
            if given.iter().any(|&(name, _)| name == init.name.name) {
                self.duplicate_field(init.name);
                continue;
            }
            given.push((init.name.name, value));
        }
        let with = Instantiated { args: self.t.items(args).to_vec(), rows: Vec::new(), monomorphic: false };
        let mut missing = Vec::new();
        for field in &declared {
            let Some(name) = field.name.filter(|&name| !given.iter().any(|g| g.0 == name)) else { continue };
            match field.default {
                Some(default) => {
                    let ty = self.field_type(field.ty, args, row);
                    given.push((name, self.default_value(default, ty, &with, span)));
                }
                None => missing.push(name),
            }
        }
        // A misspelt field is not also a missing one.
        if !missing.is_empty() && !failed {
            let declared_at = self.adts[def].span;
            self.missing_fields(&missing, &owner, span, Some(declared_at));
            failed = true;
        }
        if failed {
            return self.b.expr(ExprKind::Error, adt, span);
        }
        let position = |name: Symbol| names.iter().position(|&n| n == name).unwrap_or(0);
        let (stmts, values) = self.keep_order(given, |_, a, b| position(a).cmp(&position(b)));
        let kind = ExprKind::Construct { variant, args: values.into_iter().map(|(_, id)| id).collect() };
        let made = self.b.expr(kind, adt, span);
        self.block_of(stmts, made)
    }

    /// `{ x: 1, ..base }`.
    fn update(&mut self, base: &ast::Expr, inits: &[ast::FieldInit], want: Want, span: Span) -> ExprId {
        let base = self.expr(base, want);
        let base = self.deref(base);
        let base = match want.ty {
            Some(ty) if !self.t.is_var(ty) => self.coerce(base, ty, want.why),
            _ => base,
        };
        let ty = self.b.ty(base);
        self.force(ty);
        let fields: Vec<(Symbol, Ty)> = match self.t.head(ty) {
            Node::Record { shape, fields } => {
                let names = self.t.shape(shape).to_vec();
                names.iter().enumerate().map(|(i, &name)| (name, self.t.at(fields, i))).collect()
            }
            Node::Adt(def, args, row) if matches!(self.adts[def].kind, AdtKind::Record(_)) => {
                let declared = self.variant_fields(def, 0);
                declared
                    .iter()
                    .filter_map(|f| Some((f.name?, f.ty)))
                    .map(|(name, ty)| (name, self.field_type(ty, args, row)))
                    .collect()
            }
            Node::Error => Vec::new(),
            Node::Var(_) => {
                self.error(codes::TYPE_AMBIGUOUS, span, "the type of the record after `..` is not known here");
                return self.b.error(span);
            }
            _ => {
                let text = self.show(ty);
                let at = self.b.span(base);
                self.error(
                    codes::TYPE_MISMATCH,
                    at,
                    format!("`..` takes the other fields from a record, found `{text}`"),
                );
                return self.b.error(span);
            }
        };
        let names: Vec<Symbol> = fields.iter().map(|f| f.0).collect();
        let known_error = matches!(self.t.head(ty), Node::Error);
        let mut updates: Vec<(u32, ExprId)> = Vec::new();
        for init in inits {
            let Some(index) = names.iter().position(|&n| n == init.name.name) else {
                if !known_error {
                    let owner = self.show(ty);
                    self.unknown_init(init.name, &names, &owner);
                }
                continue;
            };
            let value = self.field_value(init, Some((fields[index].1, Why::None)));
            if updates.iter().any(|u| u.0 == index as u32) {
                self.duplicate_field(init.name);
                continue;
            }
            updates.push((index as u32, value));
        }
        self.b.expr(ExprKind::Update { base, fields: updates }, ty, span)
    }

    fn duplicate_field(&mut self, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        self.error(codes::RECORD_DUPLICATE_FIELD, name.span, format!("field `{text}` is given twice"));
    }

    fn unknown_init(&mut self, name: ast::Ident, known: &[Symbol], owner: &str) {
        let text = self.names.text(name.name).to_owned();
        let suggestion = crate::suggest::closest(&text, known.iter().map(|&k| self.names.text(k))).map(str::to_owned);
        let mut diagnostic =
            Diagnostic::error(codes::RECORD_UNKNOWN_FIELD, name.span, format!("`{owner}` has no field `{text}`"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() {
            let known: Vec<&str> = known.iter().map(|&k| self.names.text(k)).collect();
            diagnostic = diagnostic.with_help(format!("its fields are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
    }

    fn missing_fields(&mut self, missing: &[Symbol], owner: &str, span: Span, declared: Option<Span>) {
        let names: Vec<&str> = missing.iter().map(|&name| self.names.text(name)).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        let mut diagnostic = Diagnostic::error(
            codes::RECORD_MISSING_FIELD,
            span,
            format!("`{owner}` lacks the field{plural} `{}`", names.join("`, `")),
        );
        if let Some(declared) = declared {
            diagnostic = diagnostic.with_label(declared, "declared here");
        }
        self.report(diagnostic);
    }
}
