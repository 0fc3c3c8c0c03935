//! Patterns: typed against the value they match, binding names as they go (section 5.1).

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, PatternKind as Ast, PatternLiteral};
use reml_syntax::names::Symbol;

use super::body::{LocalBinding, Why};
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::resolve::Target;
use crate::typed::*;
use crate::types::Prim;

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
        self.check_duplicates();
        self.b.bound = bound;
        self.b.shared = shared;
        id
    }

    fn check_duplicates(&mut self) {
        let bound = std::mem::take(&mut self.b.bound);
        for (index, &(name, local, span)) in bound.iter().enumerate() {
            if let Some(&(_, _, first)) = bound[..index].iter().find(|b| b.0 == name && b.1 != local) {
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

    fn part(&mut self, pattern: &ast::Pattern, ty: Ty, mutable: bool) -> PatternId {
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
    fn expect_pattern(&mut self, pattern: Ty, value: Ty, span: Span) -> bool {
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
            if !only_wildcard || fields.is_empty() {
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

    // -----------------------------------------------------------------------------------------------
    // Sequences, ranges, texts

    fn slice_pattern(&mut self, elements: &[ast::SliceElement], ty: Ty, mutable: bool, span: Span) -> PatternId {
        self.force(ty);
        let (element, rest_ty) = match self.t.head(ty) {
            Node::Array(element) => (element, ty),
            Node::Fixed(element, _) => {
                let rest = self.t.array(element);
                (element, rest)
            }
            Node::Adt(def, args, _) if Some(def) == self.lang.list => (self.t.at(args, 0), ty),
            Node::Var(_) => {
                let element = self.t.fresh();
                let array = self.t.array(element);
                let _ = self.t.unify(array, ty);
                (element, ty)
            }
            Node::Error => (Types::ERROR, Types::ERROR),
            _ => {
                let text = self.show(ty);
                self.error(
                    codes::PATTERN_SLICE_TYPE,
                    span,
                    format!("a slice pattern matches an array or a list, but the value is `{text}`"),
                );
                (Types::ERROR, Types::ERROR)
            }
        };
        let (mut prefix, mut suffix) = (Vec::new(), Vec::new());
        let mut rest: Option<Option<LocalId>> = None;
        let mut rest_span = span;
        for part in elements {
            match part {
                ast::SliceElement::Pattern(p) => {
                    let id = self.part(p, element, mutable);
                    if rest.is_some() { suffix.push(id) } else { prefix.push(id) }
                }
                ast::SliceElement::Rest { name, span: at } => {
                    if rest.is_some() {
                        self.report(
                            Diagnostic::error(
                                codes::PATTERN_MULTIPLE_REST,
                                *at,
                                "a slice pattern can have only one `..`",
                            )
                            .with_label(rest_span, "the first one"),
                        );
                        continue;
                    }
                    rest_span = *at;
                    rest = Some(name.map(|name| self.bind_name(name, rest_ty, mutable)));
                }
            }
        }
        self.b.pattern(PatternKind::Slice { prefix, rest, suffix }, ty, span)
    }

    fn range_pattern(
        &mut self,
        start: Option<&PatternLiteral>,
        end: Option<&PatternLiteral>,
        inclusive: bool,
        ty: Ty,
        span: Span,
    ) -> PatternId {
        enum Bound {
            Int(i128),
            Char(i128),
            Float(f64),
            Other,
        }
        let bound = |literal: &PatternLiteral| match literal {
            PatternLiteral::Int { value, negative } => {
                let value = i128::try_from(*value).unwrap_or(i128::MAX);
                Bound::Int(if *negative { -value } else { value })
            }
            PatternLiteral::Char(c) => Bound::Char(i128::from(u32::from(*c))),
            PatternLiteral::Float { value } => Bound::Float(*value),
            _ => Bound::Other,
        };
        let (start, end) = (start.map(bound), end.map(bound));
        let wrong = |checker: &mut Self, found: &str| {
            checker.report(
                Diagnostic::error(
                    codes::PATTERN_RANGE_TYPE,
                    span,
                    format!("a range pattern compares numbers or characters, {found}"),
                )
                .with_primary_label("not comparable"),
            );
        };
        let floats = [&start, &end].into_iter().flatten().any(|b| matches!(b, Bound::Float(_)));
        let chars = [&start, &end].into_iter().flatten().any(|b| matches!(b, Bound::Char(_)));
        let ints = [&start, &end].into_iter().flatten().any(|b| matches!(b, Bound::Int(_)));
        let others = [&start, &end].into_iter().flatten().any(|b| matches!(b, Bound::Other));
        if others || (chars && (floats || ints)) {
            wrong(self, "all bounds of one kind");
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        let own = if chars {
            Types::CHAR
        } else if floats {
            self.t.var(VarKind::Float)
        } else {
            self.t.var(VarKind::Int)
        };
        if !self.t.can_unify(own, ty) {
            let text = self.show(ty);
            wrong(self, &format!("but the value is `{text}`"));
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        let _ = self.t.unify(own, ty);
        let is_float = floats || matches!(self.t.head(ty), Node::Prim(p) if p.is_float());
        let inverted = |checker: &mut Self| {
            checker.report(
                Diagnostic::error(
                    codes::PATTERN_RANGE_INVERTED,
                    span,
                    "this range is empty: its start is after its end",
                )
                .with_help("swap the bounds"),
            );
        };
        if is_float {
            let value = |bound: &Option<Bound>| match bound {
                Some(Bound::Float(v)) => Some(*v),
                Some(Bound::Int(v)) => Some(*v as f64),
                _ => None,
            };
            let (start, end) = (value(&start), value(&end));
            if let (Some(a), Some(b)) = (start, end)
                && (a > b || (a == b && !inclusive))
            {
                inverted(self);
                return self.b.pattern(PatternKind::Error, ty, span);
            }
            return self.b.pattern(PatternKind::FloatRange { start, end, inclusive }, ty, span);
        }
        let value = |bound: &Option<Bound>| match bound {
            Some(Bound::Int(v) | Bound::Char(v)) => Some(*v),
            _ => None,
        };
        let (start, end) = (value(&start), value(&end));
        let end = if inclusive { end } else { end.map(|e| e - 1) };
        if let (Some(a), Some(b)) = (start, end)
            && a > b
        {
            inverted(self);
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        self.b.pattern(PatternKind::IntRange { start, end }, ty, span)
    }

    fn regex_pattern(&mut self, source: &str, ty: Ty, span: Span) -> PatternId {
        let byte = self.t.prim(Prim::U8);
        let is_bytes = matches!(self.t.head(ty), Node::Array(element) if self.t.resolve(element) == byte);
        if !is_bytes && !self.t.can_unify(ty, Types::STR) {
            let text = self.show(ty);
            self.error(
                codes::PATTERN_REGEX_TARGET,
                span,
                format!("a regex pattern matches text, but the value is `{text}`"),
            );
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        if is_bytes {
            self.not_supported(span, "regex patterns on bytes");
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        let _ = self.t.unify(ty, Types::STR);
        match regex_groups(source) {
            Ok(groups) => {
                let mut typed = Vec::new();
                for (index, name) in groups {
                    let symbol = self.names.intern(&name);
                    let local = self.bind_name(ast::Ident { name: symbol, span }, Types::STR, false);
                    typed.push((index, local));
                }
                for name in ["regex_match", "regex_group"] {
                    if let Some(id) = self.lang_fn(name) {
                        self.reference(Reference::Fn(id));
                    }
                }
                self.b.pattern(PatternKind::Regex { source: source.into(), groups: typed }, ty, span)
            }
            Err(message) => {
                self.error(codes::PATTERN_REGEX_SYNTAX, span, format!("invalid regex: {message}"));
                self.b.pattern(PatternKind::Error, ty, span)
            }
        }
    }

    fn active_pattern(
        &mut self,
        name: ast::Ident,
        partial: bool,
        arg: Option<&ast::Pattern>,
        ty: Ty,
        mutable: bool,
        span: Span,
    ) -> PatternId {
        let found = match self.lookup_value(self.b.module, name.name) {
            Some(Value::Pattern(id, declared)) => Some((id, declared)),
            Some(Value::Error) => {
                if let Some(arg) = arg {
                    self.part(arg, Types::ERROR, mutable);
                }
                return self.b.pattern(PatternKind::Error, ty, span);
            }
            _ => None,
        };
        let Some((id, declared)) = found else {
            let text = self.names.text(name.name).to_owned();
            self.error_once(Diagnostic::error(
                codes::NAME_UNKNOWN,
                name.span,
                format!("there is no active pattern `{text}`"),
            ));
            if let Some(arg) = arg {
                self.part(arg, Types::ERROR, mutable);
            }
            return self.b.pattern(PatternKind::Error, ty, span);
        };
        if declared != partial {
            let text = self.names.text(name.name).to_owned();
            let (right, at) = (if declared { "(|..|_|)" } else { "(|..|)" }, self.fns[id].span);
            self.report(
                Diagnostic::error(
                    codes::PATTERN_ACTIVE_CONTRACT,
                    span,
                    format!("the active pattern `{text}` is declared as `{}`", right.replace("..", &text)),
                )
                .with_label(at, "declared here"),
            );
        }
        let row = self.b.row();
        let with = self.instantiate_fn(id, span, row);
        if self.fns[id].params.len() != 1 {
            let text = self.names.text(name.name).to_owned();
            self.error(
                codes::ARITY_MISMATCH,
                span,
                format!(
                    "the active pattern `{text}` takes {} values, but a pattern gives it one",
                    self.fns[id].params.len()
                ),
            );
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        let param = self.instance_type(self.fns[id].params[0].ty, &with);
        let ret = self.instance_type(self.fns[id].ret, &with);
        let view_ty = self.t.func(&[param], ret, super::ty::Row::NONE);
        let inner = self.t.peel(param);
        if !self.expect_pattern(inner, ty, span) {
            if let Some(arg) = arg {
                self.part(arg, Types::ERROR, mutable);
            }
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        let node = self.fn_node(id, &with, view_ty, span);
        // The view takes the value itself; a pattern on `&T` borrows it.
        let wanted = self.t.func(&[inner], ret, super::ty::Row::NONE);
        let view = self.coerce(node, wanted, Why::None);
        let result = if declared {
            match (self.t.head(ret), self.lang.option) {
                (Node::Adt(def, args, _), Some(option)) if def == option => self.t.at(args, 0),
                (Node::Var(_), Some(option)) => {
                    let value = self.t.fresh();
                    let wrapped = self.t.adt(option, &[value], super::ty::Row::NONE);
                    let _ = self.t.unify(ret, wrapped);
                    value
                }
                // Reported at the declaration.
                _ => Types::ERROR,
            }
        } else {
            ret
        };
        let arg = match arg {
            Some(arg) => self.part(arg, result, mutable),
            None => self.b.pattern(PatternKind::Wildcard, result, span),
        };
        self.b.pattern(PatternKind::Active { view, partial: declared, arg }, ty, span)
    }

    // -----------------------------------------------------------------------------------------------
    // Alternatives

    fn or_pattern(&mut self, items: &[ast::Pattern], ty: Ty, mutable: bool, span: Span) -> PatternId {
        // `"a" | "b" as x` names the whole, unless the other alternatives bind `x` themselves.
        if let Some((last, before)) = items.split_last()
            && let Ast::Alias { pattern: inner, name } = &*last.kind
            && inner.span.start < name.span.start
            && !before.iter().any(|item| binds(item, name.name))
        {
            let mut alternatives = before.to_vec();
            alternatives.push(inner.clone());
            let inner = self.or_pattern(&alternatives, ty, mutable, span);
            let local = self.bind_name(*name, ty, mutable);
            return self.b.pattern(PatternKind::Bind(local, Some(inner)), ty, span);
        }
        let outer_shared = self.b.shared.len();
        let mut parts = Vec::with_capacity(items.len());
        let mut first: Vec<(Symbol, LocalId, Span)> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let mark = self.b.bound.len();
            let mut part = self.part(item, ty, mutable);
            let mine = self.b.bound[mark..].to_vec();
            if index == 0 {
                first = mine;
                self.b.shared.extend(first.iter().map(|&(name, local, _)| (name, local)));
                parts.push(part);
                continue;
            }
            // Names of this alternative are those of the first; they count as bound once.
            self.b.bound.truncate(mark);
            for &(name, local, at) in &mine {
                if !first.iter().any(|f| f.0 == name) {
                    let text = self.names.text(name).to_owned();
                    let _ = local;
                    self.or_mismatch(&text, at, items[0].span);
                }
            }
            for &(name, local, _) in &first {
                if mine.iter().any(|m| m.0 == name) {
                    continue;
                }
                if matches!(*item.kind, Ast::Literal(_)) && matches!(*items[0].kind, Ast::Active { .. }) {
                    // A literal beside an active pattern binds the value itself.
                    let local_ty = self.b.local_ty(local);
                    if self.t.unify(local_ty, ty).is_ok() {
                        part = self.b.pattern(PatternKind::Bind(local, Some(part)), ty, item.span);
                        continue;
                    }
                }
                let text = self.names.text(name).to_owned();
                self.or_mismatch(&text, item.span, items[0].span);
            }
            parts.push(part);
        }
        self.b.shared.truncate(outer_shared);
        self.b.pattern(PatternKind::Or(parts), ty, span)
    }

    fn or_mismatch(&mut self, name: &str, at: Span, first: Span) {
        self.error_once(
            Diagnostic::error(codes::PATTERN_OR_BINDINGS, at, format!("the alternatives do not all bind `{name}`"))
                .with_label(first, "the first alternative")
                .with_help("alternatives bind the same names, with the same types"),
        );
    }
}

fn binds(pattern: &ast::Pattern, name: Symbol) -> bool {
    let mut names = Vec::new();
    crate::modules::pattern_names(pattern, &mut names);
    names.iter().any(|n| n.name == name)
}

/// The named groups of a regex, with their numbers; an error when its brackets or repetitions are malformed.
fn regex_groups(source: &str) -> Result<Vec<(u32, String)>, String> {
    let chars: Vec<char> = source.chars().collect();
    let mut groups = Vec::new();
    let (mut depth, mut count) = (0u32, 0u32);
    let mut can_repeat = false;
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '\\' => {
                if i + 1 >= chars.len() {
                    return Err("it ends in a backslash".to_owned());
                }
                i += 1;
                can_repeat = true;
            }
            '(' => {
                depth += 1;
                can_repeat = false;
                if chars.get(i + 1) == Some(&'?') {
                    let named = match chars.get(i + 2) {
                        Some('<') if !matches!(chars.get(i + 3), Some('=' | '!')) => Some(i + 3),
                        Some('P') if chars.get(i + 3) == Some(&'<') => Some(i + 4),
                        _ => None,
                    };
                    if let Some(start) = named {
                        count += 1;
                        let name: String = chars[start..].iter().take_while(|&&c| c != '>').collect();
                        if name.is_empty() || chars.get(start + name.chars().count()) != Some(&'>') {
                            return Err("a group name is not closed with `>`".to_owned());
                        }
                        i = start + name.chars().count();
                        groups.push((count, name));
                    } else {
                        // `(?:`, `(?i)`: up to the `:` or before the `)`.
                        i += 1;
                        while i + 1 < chars.len() && !matches!(chars[i + 1], ':' | ')' | '=' | '!') {
                            i += 1;
                        }
                        if chars.get(i + 1) != Some(&')') {
                            i += 1;
                        }
                    }
                } else {
                    count += 1;
                }
            }
            ')' => {
                if depth == 0 {
                    return Err("`)` without `(`".to_owned());
                }
                depth -= 1;
                can_repeat = true;
            }
            '[' => {
                i += 1;
                if chars.get(i) == Some(&'^') {
                    i += 1;
                }
                let first = i;
                while i < chars.len() && (chars[i] != ']' || i == first) {
                    if chars[i] == '\\' {
                        i += 1;
                    }
                    i += 1;
                }
                if i >= chars.len() {
                    return Err("`[` without `]`".to_owned());
                }
                can_repeat = true;
            }
            '*' | '+' | '?' => {
                if !can_repeat && chars[i] != '?' {
                    return Err(format!("`{}` repeats nothing", chars[i]));
                }
                if !can_repeat && (i == 0 || !matches!(chars[i - 1], '*' | '+' | '?' | '}')) {
                    return Err(format!("`{}` repeats nothing", chars[i]));
                }
                can_repeat = false;
            }
            '|' => can_repeat = false,
            '^' => can_repeat = false,
            _ => can_repeat = true,
        }
        i += 1;
    }
    if depth > 0 {
        return Err("`(` without `)`".to_owned());
    }
    Ok(groups)
}
