//! Patterns on sequences, ranges, texts and views, and alternatives of patterns.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, PatternKind as Ast, PatternLiteral};
use reml_syntax::names::Symbol;

use super::body::Why;
use super::ty::{Node, Ty, Types, VarKind};
use crate::cx::*;
use crate::typed::*;
use crate::types::Prim;

impl<'a> Checker<'a> {
    pub(super) fn slice_pattern(
        &mut self,
        elements: &[ast::SliceElement],
        ty: Ty,
        mutable: bool,
        span: Span,
    ) -> PatternId {
        self.force(ty);
        let mut fine = true;
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
                fine = false;
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
        let kind = if fine { PatternKind::Slice { prefix, rest, suffix } } else { PatternKind::Error };
        self.b.pattern(kind, ty, span)
    }

    pub(super) fn range_pattern(
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

    pub(super) fn regex_pattern(&mut self, source: &str, ty: Ty, span: Span) -> PatternId {
        let byte = self.t.prim(Prim::U8);
        let is_bytes = matches!(self.t.head(ty), Node::Array(element) if self.t.resolve(element) == byte);
        if !is_bytes && !self.t.can_unify(ty, Types::STR) {
            let text = self.show(ty);
            self.error(
                codes::PATTERN_REGEX_TARGET,
                span,
                format!("a regex pattern matches text or bytes, but the value is `{text}`"),
            );
            return self.b.pattern(PatternKind::Error, ty, span);
        }
        if !is_bytes {
            let _ = self.t.unify(ty, Types::STR);
        }
        match regex_groups(source) {
            Ok(groups) => {
                let mut typed = Vec::new();
                for (index, name) in groups {
                    let symbol = self.names.intern(&name);
                    let local = self.bind_name(ast::Ident { name: symbol, span }, Types::STR, false);
                    typed.push((index, local));
                }
                let functions = match is_bytes {
                    true => ["regex_match_bytes", "regex_group_bytes"],
                    false => ["regex_match", "regex_group"],
                };
                for name in functions {
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

    pub(super) fn active_pattern(
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

    pub(super) fn or_pattern(&mut self, items: &[ast::Pattern], ty: Ty, mutable: bool, span: Span) -> PatternId {
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
