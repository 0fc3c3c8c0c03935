//! Patterns: typed against the value they match, binding names as they go (section 5.1).

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, PatternKind as Ast, PatternLiteral};
use reml_syntax::names::Symbol;

use super::body::{LocalBinding, Why};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::resolve::Target;
use crate::typed::*;

impl<'a> Checker<'a> {
    /// A name bound by the pattern being checked.
    pub fn bind_name(&mut self, name: ast::Ident, ty: Ty, mutable: bool) -> LocalId {
        if let Some(index) = self.b.shared.iter().position(|s| s.0 == name.name) {
            // Another alternative of the or-pattern binds it too.
            let local = self.b.shared[index].1;
            let shared = self.b.local_ty(local);
            if let Err(clash) = self.t.unify(ty, shared) {
                let at = self.b.locals[local].span;
                self.mismatch(ty, shared, name.span, Why::Branch { first: at, tail: false }, clash);
            }
            self.b.bound.push((name.name, local, name.span));
            return local;
        }
        let local = self.b.local(Some(name.name), ty, name.span, mutable);
        self.b.bound.push((name.name, local, name.span));
        self.bind_local(name.name, LocalBinding::Local(local));
        local
    }

    /// A whole pattern: names are collected and checked for duplicates.
    pub fn pattern(&mut self, pattern: &ast::Pattern, ty: Ty, mutable: bool) -> PatternId {
        let bound = std::mem::take(&mut self.b.bound);
        let shared = std::mem::take(&mut self.b.shared);
        let id = self.part(pattern, ty, mutable);
        if !self.check_duplicates() {
            self.b.patterns[id].kind = PatternKind::Error;
        }
        self.b.bound = bound;
        self.b.shared = shared;
        id
    }

    /// Answers whether all names are different.
    fn check_duplicates(&mut self) -> bool {
        let bound = std::mem::take(&mut self.b.bound);
        let mut fine = true;
        for (index, &(name, local, span)) in bound.iter().enumerate() {
            if let Some(&(_, _, first)) = bound[..index].iter().find(|b| b.0 == name && b.1 != local) {
                fine = false;
                let text = self.names.text(name).to_owned();
                self.error_once(
                    Diagnostic::error(
                        codes::PATTERN_DUPLICATE_BINDING,
                        span,
                        format!("the pattern binds `{text}` twice"),
                    )
                    .with_label(first, "first bound here")
                    .with_help("use another name, and compare the two in a guard"),
                );
            }
        }
        self.b.bound = bound;
        fine
    }

    /// The pattern of a parameter; references are read through unless it is just a name.
    pub fn param_pattern(&mut self, pattern: &ast::Pattern, ty: Ty) -> PatternId {
        if let Node::Ref { inner, .. } = self.t.head(ty)
            && !matches!(&*pattern.kind, Ast::Bind(_) | Ast::Wildcard)
        {
            let _ = inner;
            return self.pattern(pattern, self.t.peel(ty), false);
        }
        self.pattern(pattern, ty, false)
    }

    pub(super) fn part(&mut self, pattern: &ast::Pattern, ty: Ty, mutable: bool) -> PatternId {
        let span = pattern.span;
        match &*pattern.kind {
            Ast::Wildcard => self.b.pattern(PatternKind::Wildcard, ty, span),
            Ast::Bind(name) => {
                if self.names.text(name.name).starts_with(char::is_uppercase)
                    && let Some((def, variant)) = self.bare_constructor(*name, ty)
                {
                    return self.constructor(def, variant, &[], ty, mutable, span);
                }
                let local = self.bind_name(*name, ty, mutable);
                self.b.pattern(PatternKind::Bind(local, None), ty, span)
            }
            Ast::Literal(literal) => self.literal_pattern(literal, ty, span),
            Ast::Tuple(items) => {
                let list = match self.t.head(ty) {
                    Node::Tuple(list) if list.len as usize == items.len() => {
                        list.range().map(|i| self.t.at(list, i)).collect::<Vec<_>>()
                    }
                    Node::Error => vec![Types::ERROR; items.len()],
                    _ => {
                        let fresh: Vec<Ty> = items.iter().map(|_| self.t.fresh()).collect();
                        let tuple = self.t.tuple(&fresh);
                        self.expect_pattern(tuple, ty, span);
                        fresh
                    }
                };
                let parts = items.iter().zip(list).map(|(item, ty)| self.part(item, ty, mutable)).collect();
                self.b.pattern(PatternKind::Product(parts), ty, span)
            }
            Ast::Record { fields, rest } => self.record_pattern(fields, *rest, ty, mutable, span),
            Ast::Constructor { path, args } => match self.pattern_target(path, ty, Some(args.len())) {
                Some((def, variant)) => self.constructor(def, variant, args, ty, mutable, span),
                None => {
                    for arg in args {
                        self.part(arg, Types::ERROR, mutable);
                    }
                    self.b.pattern(PatternKind::Error, ty, span)
                }
            },
            Ast::ConstructorRecord { path, fields, rest } => match self.pattern_target(path, ty, None) {
                Some((def, variant)) => self.constructor_record(def, variant, fields, *rest, ty, mutable, span),
                None => {
                    for field in fields {
                        match &field.pattern {
                            Some(inner) => {
                                self.part(inner, Types::ERROR, mutable);
                            }
                            None => {
                                self.bind_name(field.name, Types::ERROR, mutable);
                            }
                        }
                    }
                    self.b.pattern(PatternKind::Error, ty, span)
                }
            },
            Ast::Slice(elements) => self.slice_pattern(elements, ty, mutable, span),
            Ast::Cons(head, tail) => {
                let Some(def) = self.lang.list else {
                    self.error(codes::PATTERN_SLICE_TYPE, span, "`::` patterns need the standard library's `List`");
                    return self.b.pattern(PatternKind::Error, ty, span);
                };
                let list = self.open_adt(def);
                if !self.expect_pattern(list, ty, span) {
                    return self.b.pattern(PatternKind::Error, ty, span);
                }
                let Node::Adt(_, args, _) = self.t.get(list) else {
                    return self.b.pattern(PatternKind::Error, ty, span);
                };
                let element = self.t.at(args, 0);
                let head = self.part(head, element, mutable);
                let tail = self.part(tail, ty, mutable);
                let variant = self.variant_named(def, self.sym.cons).unwrap_or(1);
                self.b.pattern(PatternKind::Variant { variant, fields: vec![head, tail] }, ty, span)
            }
            Ast::Range { start, end, inclusive } => {
                self.range_pattern(start.as_ref(), end.as_ref(), *inclusive, ty, span)
            }
            Ast::Regex(source) => self.regex_pattern(source, ty, span),
            Ast::Active { name, partial, arg } => self.active_pattern(*name, *partial, arg.as_ref(), ty, mutable, span),
            Ast::Or(items) => self.or_pattern(items, ty, mutable, span),
            Ast::Alias { pattern: inner, name } => {
                let inner = self.part(inner, ty, mutable);
                let local = self.bind_name(*name, ty, mutable);
                self.b.pattern(PatternKind::Bind(local, Some(inner)), ty, span)
            }
            Ast::Error => self.b.pattern(PatternKind::Error, ty, span),
        }
    }

    /// The pattern's own type against the type of the value.
    pub(super) fn expect_pattern(&mut self, pattern: Ty, value: Ty, span: Span) -> bool {
        if self.t.can_unify(pattern, value) {
            let _ = self.t.unify(pattern, value);
            return true;
        }
        let (p, v) = (self.show(pattern), self.show(value));
        self.report(
            Diagnostic::error(
                codes::TYPE_MISMATCH,
                span,
                format!("this pattern matches `{p}`, but the value is `{v}`"),
            )
            .with_primary_label(format!("the value is `{v}`")),
        );
        false
    }

    fn literal_pattern(&mut self, literal: &PatternLiteral, ty: Ty, span: Span) -> PatternId {
        let (kind, own) = match literal {
            PatternLiteral::Int { value, negative } => {
                let value = i128::try_from(*value).unwrap_or(i128::MAX);
                let value = if *negative { -value } else { value };
                (PatternKind::Int(value), self.t.var(VarKind::Int))
            }
            PatternLiteral::Float { value } => (PatternKind::Float(*value), self.t.var(VarKind::Float)),
            PatternLiteral::Bool(value) => (PatternKind::Bool(*value), Types::BOOL),
            PatternLiteral::Char(value) => (PatternKind::Char(*value), Types::CHAR),
            PatternLiteral::Str(text) => (PatternKind::Str(text.clone()), Types::STR),
            PatternLiteral::Unit => (PatternKind::Product(Vec::new()), Types::UNIT),
        };
        if !self.expect_pattern(own, ty, span) {
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        self.b.pattern(kind, ty, span)
    }

    // -----------------------------------------------------------------------------------------------
    // Constructors

    /// A single upper-case name that is a constructor without arguments.
    fn bare_constructor(&mut self, name: ast::Ident, ty: Ty) -> Option<(TypeDefId, u32)> {
        if let Node::Adt(def, ..) = self.t.head(ty)
            && let Some(variant) = self.variant_named(def, name.name)
        {
            // Counts as a use of the import that brings it.
            let _ = self.lookup_value(self.b.module, name.name);
            return Some((def, variant));
        }
        match self.lookup_value(self.b.module, name.name)? {
            Value::Ctors(set) => self.pick_ctor(set, Some(ty), Some(0), name.span),
            _ => None,
        }
    }

    /// Which constructor a pattern names: the value's type decides first.
    fn pattern_target(&mut self, path: &ast::Path, ty: Ty, args: Option<usize>) -> Option<(TypeDefId, u32)> {
        let last = *path.segments.last()?;
        let value_type = match self.t.head(ty) {
            Node::Adt(def, ..) => Some(def),
            _ => None,
        };
        if path.segments.len() == 1 && path.anchor == ast::PathAnchor::Relative {
            if let Some(def) = value_type
                && let Some(variant) = self.variant_named(def, last.name)
            {
                // Counts as a use of the import that brings it.
                let _ = self.lookup_value(self.b.module, last.name);
                return Some((def, variant));
            }
            return match self.lookup_value(self.b.module, last.name) {
                Some(Value::Ctors(set)) => self.pick_ctor(set, Some(ty), args, path.span),
                Some(Value::Error) => None,
                Some(_) => {
                    self.not_a_constructor(last);
                    None
                }
                None => {
                    let mut candidates = Vec::new();
                    if let Some(def) = value_type
                        && let AdtKind::Sum(variants) = &self.adts[def].kind
                    {
                        candidates.extend(variants.iter().map(|v| v.name));
                    }
                    let suggestion = self.suggest_value(self.b.module, last.name, &candidates);
                    if self.t.resolve(ty) == Types::ERROR && suggestion.is_none() {
                        return None;
                    }
                    let text = self.names.text(last.name).to_owned();
                    let message = match value_type {
                        Some(def) => {
                            format!("`{}` has no constructor `{text}`", self.names.text(self.adts[def].name))
                        }
                        None => format!("there is no constructor `{text}` in scope"),
                    };
                    let mut diagnostic = Diagnostic::error(codes::NAME_UNKNOWN, path.span, message);
                    if let Some(suggestion) = suggestion {
                        let title = format!("did you mean `{suggestion}`?");
                        diagnostic = diagnostic.with_fix(path.span, suggestion, title);
                    }
                    self.error_once(diagnostic);
                    None
                }
            };
        }
        let (target, used) = self.resolve_chain(path.anchor, &path.segments);
        if used < path.segments.len() {
            self.not_a_constructor(last);
            return None;
        }
        match target {
            Target::Ctor(def, variant) => Some((def, variant)),
            Target::Ctors(set) => self.pick_ctor(set, Some(ty), args, path.span),
            Target::Error => None,
            _ => {
                self.not_a_constructor(last);
                None
            }
        }
    }

    fn not_a_constructor(&mut self, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        self.error_once(
            Diagnostic::error(codes::NAME_UNKNOWN, name.span, format!("`{text}` is not a constructor"))
                .with_help("to compare with a value, bind a name and use a guard: `x when x == ..`"),
        );
    }

    fn open_pattern_adt(&mut self, def: TypeDefId, ty: Ty, span: Span) -> Option<(super::ty::List, super::ty::Row)> {
        if let Node::Adt(found, args, row) = self.t.head(ty)
            && found == def
        {
            return Some((args, row));
        }
        let adt = self.open_adt(def);
        if !self.expect_pattern(adt, ty, span) {
            return None;
        }
        match self.t.get(adt) {
            Node::Adt(_, args, row) => Some((args, row)),
            _ => None,
        }
    }

    fn constructor(
        &mut self,
        def: TypeDefId,
        variant: u32,
        args: &[ast::Pattern],
        ty: Ty,
        mutable: bool,
        span: Span,
    ) -> PatternId {
        let Some((list, row)) = self.open_pattern_adt(def, ty, span) else {
            for arg in args {
                self.part(arg, Types::ERROR, mutable);
            }
            return self.b.pattern(PatternKind::Error, ty, span);
        };
        let fields = self.variant_fields(def, variant);
        // `Named({ name, .. })` on a variant with named fields.
        if let [only] = args
            && fields.first().is_some_and(|f| f.name.is_some())
            && let Ast::Record { fields: inner, rest } = &*only.kind
        {
            return self.constructor_record(def, variant, inner, *rest, ty, mutable, span);
        }
        if args.len() != fields.len() {
            let only_wildcard = matches!(args, [p] if matches!(*p.kind, Ast::Wildcard));
            let alone = args.is_empty() && self.stands_alone(def, variant);
            if !alone && (!only_wildcard || fields.is_empty()) {
                let name = match &self.adts[def].kind {
                    AdtKind::Sum(variants) => variants[variant as usize].name,
                    _ => self.adts[def].name,
                };
                let declared = match &self.adts[def].kind {
                    AdtKind::Sum(variants) => variants[variant as usize].span,
                    _ => self.adts[def].span,
                };
                let text = self.names.text(name).to_owned();
                let plural = if fields.len() == 1 { "" } else { "s" };
                self.report(
                    Diagnostic::error(
                        codes::PATTERN_ARITY,
                        span,
                        format!("`{text}` has {} field{plural}, but the pattern has {}", fields.len(), args.len()),
                    )
                    .with_label(declared, "declared here")
                    .with_help("write `_` for fields that do not matter"),
                );
                for arg in args {
                    self.part(arg, Types::ERROR, mutable);
                }
                return self.b.pattern(PatternKind::Error, ty, span);
            }
            let parts = fields
                .iter()
                .map(|field| {
                    let field_ty = self.field_type(field.ty, list, row);
                    self.b.pattern(PatternKind::Wildcard, field_ty, span)
                })
                .collect();
            return self.variant_pattern(def, variant, parts, ty, span);
        }
        let mut parts = Vec::with_capacity(args.len());
        for (arg, field) in args.iter().zip(&fields) {
            let field_ty = self.field_type(field.ty, list, row);
            parts.push(self.part(arg, field_ty, mutable));
        }
        self.variant_pattern(def, variant, parts, ty, span)
    }

    fn variant_pattern(
        &mut self,
        def: TypeDefId,
        variant: u32,
        parts: Vec<PatternId>,
        ty: Ty,
        span: Span,
    ) -> PatternId {
        let kind = match self.adts[def].kind {
            AdtKind::Sum(_) => PatternKind::Variant { variant, fields: parts },
            _ => PatternKind::Product(parts),
        };
        self.b.pattern(kind, ty, span)
    }

    #[allow(clippy::too_many_arguments)]
    fn constructor_record(
        &mut self,
        def: TypeDefId,
        variant: u32,
        fields: &[ast::FieldPattern],
        rest: bool,
        ty: Ty,
        mutable: bool,
        span: Span,
    ) -> PatternId {
        let Some((list, row)) = self.open_pattern_adt(def, ty, span) else {
            return self.b.pattern(PatternKind::Error, ty, span);
        };
        let declared = self.variant_fields(def, variant);
        if let [FieldInfo { name: None, ty: inner, .. }] = declared[..] {
            let inner = self.field_type(inner, list, row);
            let part = self.record_pattern(fields, rest, inner, mutable, span);
            return self.variant_pattern(def, variant, vec![part], ty, span);
        }
        let owner = match &self.adts[def].kind {
            AdtKind::Sum(variants) => variants[variant as usize].name,
            _ => self.adts[def].name,
        };
        let owner = self.names.text(owner).to_owned();
        let known: Vec<(Symbol, Ty)> = declared
            .iter()
            .filter_map(|f| Some((f.name?, f.ty)))
            .map(|(name, ty)| (name, self.field_type(ty, list, row)))
            .collect();
        match self.field_patterns(fields, rest, &known, &owner, mutable, span) {
            Some(parts) => self.variant_pattern(def, variant, parts, ty, span),
            None => self.b.pattern(PatternKind::Error, ty, span),
        }
    }

    fn record_pattern(
        &mut self,
        fields: &[ast::FieldPattern],
        rest: bool,
        ty: Ty,
        mutable: bool,
        span: Span,
    ) -> PatternId {
        self.force(ty);
        let known: Vec<(Symbol, Ty)> = match self.t.head(ty) {
            Node::Record { shape, fields } => {
                let names = self.t.shape(shape).to_vec();
                names.iter().enumerate().map(|(i, &name)| (name, self.t.at(fields, i))).collect()
            }
            Node::Adt(def, list, row) if matches!(self.adts[def].kind, AdtKind::Record(_)) => {
                let declared = self.variant_fields(def, 0);
                declared
                    .iter()
                    .filter_map(|f| Some((f.name?, f.ty)))
                    .map(|(name, ty)| (name, self.field_type(ty, list, row)))
                    .collect()
            }
            Node::Adt(def, list, row) if matches!(self.adts[def].kind, AdtKind::Newtype(_)) => {
                let AdtKind::Newtype(inner) = self.adts[def].kind else {
                    return self.b.pattern(PatternKind::Error, ty, span);
                };
                let inner = self.field_type(inner, list, row);
                let part = self.record_pattern(fields, rest, inner, mutable, span);
                return self.b.pattern(PatternKind::Product(vec![part]), ty, span);
            }
            Node::Var(_) if !rest => {
                // The fields written are all there are.
                let typed: Vec<(Symbol, Ty)> = fields.iter().map(|f| (f.name.name, self.t.fresh())).collect();
                let record = self.record_type(typed.clone());
                let _ = self.t.unify(record, ty);
                let mut typed = typed;
                typed.sort_by(|a, b| self.names.text(a.0).cmp(self.names.text(b.0)));
                typed
            }
            Node::Error => {
                for field in fields {
                    match &field.pattern {
                        Some(inner) => {
                            self.part(inner, Types::ERROR, mutable);
                        }
                        None => {
                            self.bind_name(field.name, Types::ERROR, mutable);
                        }
                    }
                }
                return self.b.pattern(PatternKind::Error, ty, span);
            }
            Node::Var(_) => {
                self.report(
                    Diagnostic::error(
                        codes::TYPE_AMBIGUOUS,
                        span,
                        "the type of the record is not known here, and `..` leaves its other fields open",
                    )
                    .with_help("annotate the value"),
                );
                for field in fields {
                    if field.pattern.is_none() {
                        self.bind_name(field.name, Types::ERROR, mutable);
                    }
                }
                return self.b.pattern(PatternKind::Error, ty, span);
            }
            _ => {
                let text = self.show(ty);
                self.error(
                    codes::TYPE_MISMATCH,
                    span,
                    format!("this pattern matches a record, but the value is `{text}`"),
                );
                for field in fields {
                    if field.pattern.is_none() {
                        self.bind_name(field.name, Types::ERROR, mutable);
                    }
                }
                return self.b.pattern(PatternKind::Error, ty, span);
            }
        };
        let owner = self.show(ty);
        match self.field_patterns(fields, rest, &known, &owner, mutable, span) {
            Some(parts) => self.b.pattern(PatternKind::Product(parts), ty, span),
            None => self.b.pattern(PatternKind::Error, ty, span),
        }
    }

    fn field_patterns(
        &mut self,
        fields: &[ast::FieldPattern],
        rest: bool,
        known: &[(Symbol, Ty)],
        owner: &str,
        mutable: bool,
        span: Span,
    ) -> Option<Vec<PatternId>> {
        let mut parts: Vec<Option<PatternId>> = vec![None; known.len()];
        let mut failed = false;
        for field in fields {
            let index = known.iter().position(|k| k.0 == field.name.name);
            let ty = index.map_or(Types::ERROR, |i| known[i].1);
            let part = match &field.pattern {
                Some(inner) => self.part(inner, ty, mutable),
                None => {
                    let local = self.bind_name(field.name, ty, mutable);
                    self.b.pattern(PatternKind::Bind(local, None), ty, field.name.span)
                }
            };
            match index {
                Some(i) if parts[i].is_none() => parts[i] = Some(part),
                Some(_) => {
                    let text = self.names.text(field.name.name).to_owned();
                    self.error(
                        codes::RECORD_DUPLICATE_FIELD,
                        field.name.span,
                        format!("field `{text}` is matched twice"),
                    );
                    failed = true;
                }
                None => {
                    let text = self.names.text(field.name.name).to_owned();
                    let suggestion =
                        crate::suggest::closest(&text, known.iter().map(|k| self.names.text(k.0))).map(str::to_owned);
                    let mut diagnostic = Diagnostic::error(
                        codes::RECORD_UNKNOWN_FIELD,
                        field.name.span,
                        format!("`{owner}` has no field `{text}`"),
                    );
                    if let Some(suggestion) = suggestion {
                        let title = format!("did you mean `{suggestion}`?");
                        diagnostic = diagnostic.with_fix(field.name.span, suggestion, title);
                    }
                    self.report(diagnostic);
                    failed = true;
                }
            }
        }
        let missing: Vec<&str> =
            known.iter().zip(&parts).filter(|(_, part)| part.is_none()).map(|(k, _)| self.names.text(k.0)).collect();
        if !rest && !missing.is_empty() && !failed {
            let plural = if missing.len() == 1 { "" } else { "s" };
            let message = format!("the pattern leaves out the field{plural} `{}`", missing.join("`, `"));
            self.report(
                Diagnostic::error(codes::RECORD_MISSING_FIELD, span, message)
                    .with_help("end the pattern with `..` when the others do not matter"),
            );
            return None;
        }
        if failed {
            return None;
        }
        let parts = parts
            .into_iter()
            .zip(known)
            .map(|(part, &(_, ty))| match part {
                Some(part) => part,
                None => self.b.pattern(PatternKind::Wildcard, ty, span),
            })
            .collect();
        Some(parts)
    }
}
