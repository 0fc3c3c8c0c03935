//! What does a pattern ask for, and what is left of it once that is known?

use super::{Decisions, FloatRange, Head, Known, OccId, Row, Step, Sub};
use reml_semantics::typed::{ExprId, ExprKind, PatternId, PatternKind};
use reml_semantics::types::{Prim, Type, TypeId};

impl<'a> Decisions<'_, '_, 'a> {
    /// Splits a row's patterns into tests and bindings; `None` when it cannot hold.
    pub(super) fn simplify(&mut self, mut row: Row, known: &Known) -> Option<Row> {
        let mut pending = std::mem::take(&mut row.tests);
        pending.reverse();
        while let Some((occ, sub)) = pending.pop() {
            let ty = self.occs[occ].ty;
            if let Sub::Pattern(pattern) = sub {
                let body = self.body;
                match &body.patterns[pattern].kind {
                    PatternKind::Wildcard | PatternKind::Error => continue,
                    PatternKind::Bind(local, inner) => {
                        row.binds.push((*local, occ));
                        pending.extend(inner.map(|inner| (occ, Sub::Pattern(inner))));
                        continue;
                    }
                    PatternKind::Product(fields) => {
                        self.push_fields(occ, ty, 0, fields, &mut pending);
                        continue;
                    }
                    PatternKind::Variant { variant, fields }
                        if self.f.l.variants_of(ty).is_none_or(|variants| variants.len() == 1) =>
                    {
                        self.push_fields(occ, ty, *variant, fields, &mut pending);
                        continue;
                    }
                    PatternKind::Active { view, partial, arg } => {
                        let result = self.view(occ, *view);
                        let sub = if *partial { Sub::SomeOf(*arg) } else { Sub::Pattern(*arg) };
                        pending.push((result, sub));
                        continue;
                    }
                    PatternKind::Slice { .. } if self.is_list(ty) => {
                        pending.push((occ, Sub::ListFrom(pattern, 0)));
                        continue;
                    }
                    PatternKind::Slice { prefix, rest, suffix }
                        if matches!(self.f.l.types.get(self.f.l.deref(ty)), Type::FixedArray(..)) =>
                    {
                        let element = self.element_type(ty);
                        let len = self.fields(ty, 0).len() as u32;
                        let count = suffix.len() as u32;
                        for (i, &item) in prefix.iter().enumerate() {
                            let index = i as u32;
                            let part = self.occ(occ, Step::Field { variant: 0, index }, element);
                            pending.push((part, Sub::Pattern(item)));
                        }
                        for (i, &item) in suffix.iter().enumerate() {
                            let index = len.saturating_sub(count) + i as u32;
                            let part = self.occ(occ, Step::Field { variant: 0, index }, element);
                            pending.push((part, Sub::Pattern(item)));
                        }
                        if let Some(Some(local)) = rest {
                            let local_ty = self.f.source(self.body.locals[*local].ty);
                            let part = self.occ(occ, Step::Slice(prefix.len() as u32, count), local_ty);
                            row.binds.push((*local, part));
                        }
                        continue;
                    }
                    _ => {}
                }
            }
            // Once its items are an array, a bracket pattern is like any other on an array.
            if let Sub::ListFrom(pattern, from) = sub
                && self.is_list(ty)
            {
                match self.list_step(occ, pattern, from, &mut row, &mut pending) {
                    Some(true) => continue,
                    Some(false) => return None,
                    None => {}
                }
            }
            let head = self.head(occ, sub);
            if let Head::Range(lo, hi) = head {
                let (low, high) = self.interval(occ, known);
                if lo > high || hi < low {
                    return None;
                }
                if lo <= low && high <= hi {
                    self.satisfied(occ, sub, &mut row, &mut pending);
                    continue;
                }
            }
            row.tests.push((occ, sub));
        }
        Some(row)
    }

    /// Handles the parts of a bracket pattern on a list that need no test. `None`: a test is needed.
    fn list_step(
        &mut self,
        occ: OccId,
        pattern: PatternId,
        from: u32,
        row: &mut Row,
        pending: &mut Vec<(OccId, Sub)>,
    ) -> Option<bool> {
        let PatternKind::Slice { prefix, rest, suffix } = &self.body.patterns[pattern].kind else { return Some(true) };
        if (from as usize) < prefix.len() || !self.is_list(self.occs[occ].ty) {
            return None;
        }
        if suffix.is_empty() {
            let rest = rest.as_ref()?;
            if let Some(local) = rest {
                row.binds.push((*local, occ));
            }
            return Some(true);
        }
        // Items counted from the end: look at the remaining list as an array.
        let ty = self.occs[occ].ty;
        let element = self.element_type(ty);
        let array = self.f.l.types.intern(Type::Array(element));
        let items = self.occ(occ, Step::ListItems, array);
        pending.push((items, Sub::ListFrom(pattern, from)));
        Some(true)
    }

    fn push_fields(
        &mut self,
        occ: OccId,
        ty: TypeId,
        variant: u32,
        fields: &[PatternId],
        pending: &mut Vec<(OccId, Sub)>,
    ) {
        let types = self.fields(ty, variant);
        let erased = self.f.l.is_erased_newtype(ty);
        let body = self.body;
        for (i, &field) in fields.iter().enumerate().rev() {
            if matches!(body.patterns[field].kind, PatternKind::Wildcard) {
                continue;
            }
            let step = if erased { Step::Unwrap } else { Step::Field { variant, index: i as u32 } };
            let ty = types.get(i).copied().unwrap_or(ty);
            let part = self.occ(occ, step, ty);
            pending.push((part, Sub::Pattern(field)));
        }
    }

    /// The position of an active pattern's result; the same function on the same value is called once.
    fn view(&mut self, occ: OccId, view: ExprId) -> OccId {
        let body = self.body;
        if let ExprKind::Fn(id, args) = &body.exprs[view].kind {
            let same = self.occs.iter().position(|other| match other.step {
                Step::View(expr) if other.parent == occ => {
                    matches!(&body.exprs[expr].kind, ExprKind::Fn(other, other_args) if other == id && other_args == args)
                }
                _ => false,
            });
            if let Some(same) = same {
                return same;
            }
        }
        let ty = self.f.expr_source(view);
        let ret = match *self.f.l.types.get(ty) {
            Type::Fn { ret, .. } => ret,
            _ => ty,
        };
        self.occ(occ, Step::View(view), ret)
    }

    /// What a simplified test asks for.
    pub(super) fn head(&mut self, occ: OccId, sub: Sub) -> Head {
        let ty = self.occs[occ].ty;
        match sub {
            Sub::SomeOf(_) => {
                let variants = self.f.l.variants_of(ty).unwrap_or(&[]);
                let full = variants.iter().position(|variant| !variant.fields.is_empty());
                Head::Variant(full.unwrap_or(0) as u32)
            }
            Sub::ListFrom(pattern, from) => match &self.body.patterns[pattern].kind {
                PatternKind::Slice { prefix, rest, suffix } if !self.is_list(ty) => {
                    let least = (prefix.len() - from as usize + suffix.len()) as i128;
                    Head::Range(least, if rest.is_some() { i128::from(i64::MAX) } else { least })
                }
                PatternKind::Slice { prefix, .. } => {
                    // `Nil | Cons(head, tail)`, whatever their order.
                    let variants = self.f.l.variants_of(ty).unwrap_or(&[]);
                    let wanted = (from as usize) < prefix.len();
                    let variant = variants.iter().position(|variant| variant.fields.is_empty() != wanted);
                    Head::Variant(variant.unwrap_or(0) as u32)
                }
                _ => Head::Or,
            },
            Sub::Pattern(pattern) => match &self.body.patterns[pattern].kind {
                PatternKind::Variant { variant, .. } => Head::Variant(*variant),
                PatternKind::Bool(value) => Head::Bool(*value),
                PatternKind::Int(value) => match self.f.l.prim_of(ty) {
                    Some(prim) if prim.is_float() => {
                        let value = Some(*value as f64);
                        Head::Float(FloatRange { start: value, end: value, inclusive: true })
                    }
                    _ => Head::Range(*value, *value),
                },
                PatternKind::Char(value) => Head::Range(i128::from(u32::from(*value)), i128::from(u32::from(*value))),
                PatternKind::IntRange { start, end } => {
                    let (low, high) = self.domain(ty);
                    Head::Range(start.unwrap_or(low), end.unwrap_or(high))
                }
                PatternKind::Float(value) => {
                    Head::Float(FloatRange { start: Some(*value), end: Some(*value), inclusive: true })
                }
                PatternKind::FloatRange { start, end, inclusive } => {
                    Head::Float(FloatRange { start: *start, end: *end, inclusive: *inclusive })
                }
                PatternKind::Str(_) => Head::Str(pattern),
                PatternKind::Regex { .. } => Head::Regex(pattern),
                PatternKind::Slice { prefix, rest, suffix } => {
                    let least = (prefix.len() + suffix.len()) as i128;
                    Head::Range(least, if rest.is_some() { i128::from(i64::MAX) } else { least })
                }
                _ => Head::Or,
            },
        }
    }

    /// All values that a type with integer tests can have.
    pub(super) fn domain(&self, ty: TypeId) -> (i128, i128) {
        match self.f.l.prim_of(ty) {
            Some(Prim::Char) => (0, 0x10_FFFF),
            Some(prim) if prim.is_integer() => {
                let bits = prim.bits().unwrap_or(64);
                if prim.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
            }
            _ => (0, i128::from(i64::MAX)),
        }
    }

    pub(super) fn interval(&self, occ: OccId, known: &Known) -> (i128, i128) {
        match known.iter().rev().find(|&&(other, ..)| other == occ) {
            Some(&(_, low, high)) => (low, high),
            None => self.domain(self.occs[occ].ty),
        }
    }

    /// A test has been passed: what its pattern says about the parts becomes pending.
    pub(super) fn satisfied(&mut self, occ: OccId, sub: Sub, row: &mut Row, pending: &mut Vec<(OccId, Sub)>) {
        let ty = self.occs[occ].ty;
        let body = self.body;
        match sub {
            Sub::SomeOf(arg) => {
                let Head::Variant(variant) = self.head(occ, sub) else { return };
                self.push_fields(occ, ty, variant, &[arg], pending);
            }
            Sub::ListFrom(pattern, from) => {
                let PatternKind::Slice { prefix, .. } = &body.patterns[pattern].kind else { return };
                if !self.is_list(ty) {
                    self.push_items(occ, pattern, from, row, pending);
                } else if let Some(&item) = prefix.get(from as usize) {
                    let Head::Variant(variant) = self.head(occ, sub) else { return };
                    let types = self.fields(ty, variant);
                    let [head, tail] = *types else { return };
                    let head = self.occ(occ, Step::Field { variant, index: 0 }, head);
                    let tail = self.occ(occ, Step::Field { variant, index: 1 }, tail);
                    pending.push((tail, Sub::ListFrom(pattern, from + 1)));
                    pending.push((head, Sub::Pattern(item)));
                }
            }
            Sub::Pattern(pattern) => match &body.patterns[pattern].kind {
                PatternKind::Variant { variant, fields } => self.push_fields(occ, ty, *variant, fields, pending),
                PatternKind::Slice { .. } => self.push_items(occ, pattern, 0, row, pending),
                PatternKind::Regex { groups, .. } => {
                    for &(group, local) in groups {
                        let part = self.occ(occ, Step::Group(pattern, group), body.locals[local].ty);
                        row.binds.push((local, part));
                    }
                }
                _ => {}
            },
        }
    }

    /// The items of a bracket pattern on an array of fitting length. `from` items have been matched already.
    fn push_items(
        &mut self,
        occ: OccId,
        pattern: PatternId,
        from: u32,
        row: &mut Row,
        pending: &mut Vec<(OccId, Sub)>,
    ) {
        let PatternKind::Slice { prefix, rest, suffix } = &self.body.patterns[pattern].kind else { return };
        let element = self.element_type(self.occs[occ].ty);
        let prefix = &prefix[from as usize..];
        let count = suffix.len() as u32;
        for (i, &item) in suffix.iter().enumerate().rev() {
            let step = match rest {
                Some(_) => Step::FromEnd(count - i as u32),
                None => Step::Element((prefix.len() + i) as u32),
            };
            let part = self.occ(occ, step, element);
            pending.push((part, Sub::Pattern(item)));
        }
        for (i, &item) in prefix.iter().enumerate().rev() {
            let part = self.occ(occ, Step::Element(i as u32), element);
            pending.push((part, Sub::Pattern(item)));
        }
        if let Some(Some(local)) = rest {
            let ty = self.f.source(self.body.locals[*local].ty);
            let first = prefix.len() as u32;
            let step = if self.is_list(ty) { Step::ListSlice(first, count) } else { Step::Slice(first, count) };
            let part = self.occ(occ, step, ty);
            row.binds.push((*local, part));
        }
    }
}
