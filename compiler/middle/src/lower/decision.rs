//! In which order are the parts of a matched value tested?
//!
//! A match is a list of rows, each a set of tests that must all hold (Jacobs 2021, after Maranget 2008). The tree tests
//! the position that the first row needs and most rows mention, and splits the rows by the outcome: rows that
//! passed lose the test, rows that cannot hold any more are dropped. So no test is ever repeated. Integers, characters
//! and lengths of sequences keep the interval of values still possible. Lists written with brackets are their cells.

use std::rc::Rc;

use reml_semantics::typed::{Body, ExprId, ExprKind, LocalId, PatternId, PatternKind};
use reml_semantics::types::{Prim, Type, TypeId};
use rustc_hash::FxHashMap;

use super::function::FnLower;
use crate::core::Case;

pub type OccId = usize;

/// How a position is reached from its parent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    Root,
    Field {
        variant: u32,
        index: u32,
    },
    /// Inner value of a newtype.
    Unwrap,
    /// Element of an array, from the start.
    Element(u32),
    /// Element of an array, from the end; 1 is the last.
    FromEnd(u32),
    /// Elements of an array from the first number up to, not including, the last so many.
    Slice(u32, u32),
    /// Length of an array.
    Len,
    /// The elements of a list as an array.
    ListItems,
    /// A part of an array as a list.
    ListSlice(u32, u32),
    /// Result of an active pattern's function.
    View(ExprId),
    /// Group of a regular expression that matched.
    Group(PatternId, u32),
}

/// A position inside the matched value.
pub struct Occ {
    pub parent: OccId,
    pub step: Step,
    /// Source type.
    pub ty: TypeId,
}

#[derive(Clone, Copy, Debug)]
enum Sub {
    Pattern(PatternId),
    /// A bracket pattern on a list, from this item on.
    ListFrom(PatternId, u32),
    /// `Some(pattern)`, of an active pattern's result.
    SomeOf(PatternId),
}

#[derive(Clone, Debug)]
struct Row {
    tests: Vec<(OccId, Sub)>,
    binds: Vec<(LocalId, OccId)>,
    arm: usize,
}

/// What a test asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Head {
    Variant(u32),
    Bool(bool),
    /// Of the value, or of an array's length.
    Range(i128, i128),
    Float(FloatRange),
    Str(PatternId),
    Regex(PatternId),
    Or,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FloatRange {
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub inclusive: bool,
}

/// A test with two outcomes.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    Is(i128),
    AtLeast(i128),
    AtMost(i128),
    Float(FloatRange),
    Str(PatternId),
    Regex(PatternId),
}

pub enum Tree {
    /// No row is left.
    Fail,
    Leaf {
        arm: usize,
        binds: Vec<(LocalId, OccId)>,
    },
    Guard {
        arm: usize,
        binds: Vec<(LocalId, OccId)>,
        otherwise: Box<Tree>,
    },
    Switch {
        occ: OccId,
        cases: Vec<(Case, Tree)>,
        default: Option<Box<Tree>>,
    },
    Test {
        occ: OccId,
        test: Test,
        yes: Box<Tree>,
        no: Box<Tree>,
    },
}

/// The intervals still possible of the positions tested so far.
type Known = Vec<(OccId, i128, i128)>;

pub struct Decisions<'x, 'l, 'a> {
    f: &'x mut FnLower<'l, 'a>,
    body: &'a Body,
    pub occs: Vec<Occ>,
    index: FxHashMap<(OccId, Step), OccId>,
    field_types: FxHashMap<(TypeId, u32), Rc<[TypeId]>>,
    guards: Vec<bool>,
}

impl<'x, 'l, 'a> Decisions<'x, 'l, 'a> {
    /// The tree for patterns (and whether each has a guard) over a value of source type `ty`.
    pub fn compile(f: &'x mut FnLower<'l, 'a>, ty: TypeId, arms: &[(PatternId, bool)]) -> (Tree, Vec<Occ>) {
        let body = f.body;
        let root = Occ { parent: 0, step: Step::Root, ty };
        let mut this = Decisions {
            f,
            body,
            occs: vec![root],
            index: FxHashMap::default(),
            field_types: FxHashMap::default(),
            guards: arms.iter().map(|&(_, guard)| guard).collect(),
        };
        let mut rows = Vec::with_capacity(arms.len());
        for (arm, &(pattern, _)) in arms.iter().enumerate() {
            let row = Row { tests: vec![(0, Sub::Pattern(pattern))], binds: Vec::new(), arm };
            rows.extend(this.simplify(row, &Vec::new()));
        }
        let tree = this.tree(rows, Vec::new());
        (tree, this.occs)
    }

    pub fn occ(&mut self, parent: OccId, step: Step, ty: TypeId) -> OccId {
        if let Some(&known) = self.index.get(&(parent, step)) {
            return known;
        }
        let id = self.occs.len();
        self.occs.push(Occ { parent, step, ty });
        self.index.insert((parent, step), id);
        id
    }

    fn fields(&mut self, ty: TypeId, variant: u32) -> Rc<[TypeId]> {
        if let Some(fields) = self.field_types.get(&(ty, variant)) {
            return fields.clone();
        }
        let fields: Rc<[TypeId]> = self.f.l.field_types(ty, variant).into();
        self.field_types.insert((ty, variant), fields.clone());
        fields
    }

    fn is_list(&self, ty: TypeId) -> bool {
        match self.f.l.types.get(self.f.l.deref(ty)) {
            Type::Adt(def, _) => Some(*def) == self.f.l.src.lang.list,
            _ => false,
        }
    }

    fn element_type(&mut self, ty: TypeId) -> TypeId {
        let core_like = self.f.l.deref(ty);
        match self.f.l.types.get(core_like).clone() {
            Type::Array(element) | Type::FixedArray(element, _) => element,
            Type::Adt(_, args) if self.is_list(core_like) => args[0],
            // `Vec<T>` and other newtypes of arrays.
            Type::Adt(..) => match self.f.l.field_types(core_like, 0).first().copied() {
                Some(inner) => self.element_type(inner),
                None => core_like,
            },
            _ => core_like,
        }
    }

    // Rows ----------------------------------------------------------------------------------------

    /// Splits a row's patterns into tests and bindings; `None` when it cannot hold.
    fn simplify(&mut self, mut row: Row, known: &Known) -> Option<Row> {
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
            if let Sub::ListFrom(pattern, from) = sub {
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
        if (from as usize) < prefix.len() {
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
    fn head(&mut self, occ: OccId, sub: Sub) -> Head {
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
    fn domain(&self, ty: TypeId) -> (i128, i128) {
        match self.f.l.prim_of(ty) {
            Some(Prim::Char) => (0, 0x10_FFFF),
            Some(prim) if prim.is_integer() => {
                let bits = prim.bits().unwrap_or(64);
                if prim.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
            }
            _ => (0, i128::from(i64::MAX)),
        }
    }

    fn interval(&self, occ: OccId, known: &Known) -> (i128, i128) {
        match known.iter().rev().find(|&&(other, ..)| other == occ) {
            Some(&(_, low, high)) => (low, high),
            None => self.domain(self.occs[occ].ty),
        }
    }

    /// A test has been passed: what its pattern says about the parts becomes pending.
    fn satisfied(&mut self, occ: OccId, sub: Sub, row: &mut Row, pending: &mut Vec<(OccId, Sub)>) {
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
                        let part = self.occ(occ, Step::Group(pattern, group), ty);
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

    // Trees ---------------------------------------------------------------------------------------

    fn tree(&mut self, mut rows: Vec<Row>, known: Known) -> Tree {
        loop {
            let Some(first) = rows.first() else { return Tree::Fail };
            let or = first.tests.iter().position(|&(_, sub)| self.alternatives(sub).is_some());
            let Some(position) = or else { break };
            let expanded = self.expand(&rows[0], position, &known);
            rows.splice(0..1, expanded);
        }
        if rows[0].tests.is_empty() {
            let Row { binds, arm, .. } = rows.remove(0);
            if !self.guards[arm] {
                return Tree::Leaf { arm, binds };
            }
            return Tree::Guard { arm, binds, otherwise: Box::new(self.tree(rows, known)) };
        }
        let occ = choose(&rows);
        // Or-patterns at the position are split up, so that each row asks for one thing there.
        if rows.iter().any(|row| test_at(row, occ).is_some_and(|(_, sub)| self.alternatives(sub).is_some())) {
            let mut split = Vec::with_capacity(rows.len());
            for row in rows {
                match test_at(&row, occ) {
                    Some((position, sub)) if self.alternatives(sub).is_some() => {
                        split.extend(self.expand_at(&row, position, occ, &known));
                    }
                    _ => split.push(row),
                }
            }
            rows = split;
        }
        let Some((_, sub)) = test_at(&rows[0], occ) else { return self.tree(rows, known) };
        match self.head(occ, sub) {
            Head::Variant(_) | Head::Bool(_) => self.switch(occ, rows, known),
            Head::Range(lo, hi) => self.range(occ, (lo, hi), rows, known),
            head => self.binary(occ, head, rows, known),
        }
    }

    fn alternatives(&self, sub: Sub) -> Option<&'a [PatternId]> {
        let body = self.body;
        match sub {
            Sub::Pattern(pattern) => match &body.patterns[pattern].kind {
                PatternKind::Or(alternatives) => Some(alternatives),
                _ => None,
            },
            _ => None,
        }
    }

    /// One row per alternative of the or-pattern at `position`.
    fn expand(&mut self, row: &Row, position: usize, known: &Known) -> Vec<Row> {
        let (occ, sub) = row.tests[position];
        let alternatives = self.alternatives(sub).unwrap_or(&[]);
        let mut rows = Vec::with_capacity(alternatives.len());
        for &alternative in alternatives {
            let mut row = row.clone();
            row.tests[position] = (occ, Sub::Pattern(alternative));
            rows.extend(self.simplify(row, known));
        }
        rows
    }

    /// The same until no or-pattern is left at `occ`.
    fn expand_at(&mut self, row: &Row, position: usize, occ: OccId, known: &Known) -> Vec<Row> {
        let mut done = Vec::new();
        for row in self.expand(row, position, known) {
            match test_at(&row, occ) {
                Some((position, sub)) if self.alternatives(sub).is_some() => {
                    done.extend(self.expand_at(&row, position, occ, known));
                }
                _ => done.push(row),
            }
        }
        done
    }

    /// The row after its test at `position` was passed.
    fn pass(&mut self, row: &Row, position: usize, known: &Known) -> Option<Row> {
        let mut row = row.clone();
        let (occ, sub) = row.tests.remove(position);
        let mut pending = Vec::new();
        self.satisfied(occ, sub, &mut row, &mut pending);
        pending.reverse();
        let tests = std::mem::replace(&mut row.tests, pending);
        let before = row.tests.len();
        // New tests come first; the others are as simple as they can be already.
        let mut passed = if before == 0 { row } else { self.simplify(row, known)? };
        passed.tests.extend(tests);
        Some(passed)
    }

    /// A switch over variants or truth values.
    fn switch(&mut self, occ: OccId, rows: Vec<Row>, known: Known) -> Tree {
        let mut heads: Vec<(Head, Vec<Row>)> = Vec::new();
        let mut positions: FxHashMap<u32, usize> = FxHashMap::default();
        let key = |head: Head| match head {
            Head::Variant(variant) => variant,
            Head::Bool(value) => u32::from(value),
            _ => 0,
        };
        for row in &rows {
            if let Some((_, sub)) = test_at(row, occ) {
                let head = self.head(occ, sub);
                positions.entry(key(head)).or_insert_with(|| {
                    heads.push((head, Vec::new()));
                    heads.len() - 1
                });
            }
        }
        let possible = match self.f.l.variants_of(self.occs[occ].ty) {
            Some(variants) => variants.len(),
            None => 2,
        };
        let complete = heads.len() >= possible;
        let mut default = Vec::new();
        for row in rows {
            match test_at(&row, occ) {
                Some((position, sub)) => {
                    let at = positions[&key(self.head(occ, sub))];
                    let passed = self.pass(&row, position, &known);
                    heads[at].1.extend(passed);
                }
                None => {
                    for (_, rows) in &mut heads {
                        rows.push(row.clone());
                    }
                    if !complete {
                        default.push(row);
                    }
                }
            }
        }
        let mut cases = Vec::with_capacity(heads.len());
        for (head, rows) in heads {
            let case = match head {
                Head::Bool(value) => Case::Bool(value),
                head => Case::Variant(key(head)),
            };
            cases.push((case, self.tree(rows, known.clone())));
        }
        let default = (!complete).then(|| Box::new(self.tree(default, known)));
        Tree::Switch { occ, cases, default }
    }

    /// Tests on integers, characters and lengths.
    fn range(&mut self, occ: OccId, (lo, hi): (i128, i128), rows: Vec<Row>, known: Known) -> Tree {
        let (low, high) = self.interval(occ, &known);
        if lo == hi {
            let mut points: Vec<i128> = Vec::new();
            let mut seen = rustc_hash::FxHashSet::default();
            for row in &rows {
                if let Some((_, sub)) = test_at(row, occ)
                    && let Head::Range(a, b) = self.head(occ, sub)
                    && a == b
                    && seen.insert(a)
                {
                    points.push(a);
                }
            }
            return self.points(occ, points, rows, known);
        }
        // One bound at a time: the other one is tested next, if it is needed at all.
        let (test, yes, no) = if lo > low {
            (Test::AtLeast(lo), (lo, high), (low, lo - 1))
        } else {
            (Test::AtMost(hi), (low, hi), (hi + 1, high))
        };
        let yes_tree = self.within(occ, yes, &rows, &known);
        let no_tree = self.within(occ, no, &rows, &known);
        Tree::Test { occ, test, yes: Box::new(yes_tree), no: Box::new(no_tree) }
    }

    /// The tree when the value at `occ` is known to be in an interval.
    fn within(&mut self, occ: OccId, (low, high): (i128, i128), rows: &[Row], known: &Known) -> Tree {
        let mut known = known.clone();
        known.retain(|&(other, ..)| other != occ);
        known.push((occ, low, high));
        let mut kept = Vec::new();
        for row in rows {
            match test_at(row, occ) {
                Some(_) => kept.extend(self.simplify(row.clone(), &known)),
                None => kept.push(row.clone()),
            }
        }
        self.tree(kept, known)
    }

    /// A switch over single values.
    fn points(&mut self, occ: OccId, points: Vec<i128>, rows: Vec<Row>, known: Known) -> Tree {
        let (mut low, mut high) = self.interval(occ, &known);
        // Rows that ask for one value go to its bucket; those that ask for a range or nothing go to several.
        let mut buckets: FxHashMap<i128, Vec<Row>> = points.iter().map(|&point| (point, Vec::new())).collect();
        let mut others = Vec::new();
        for row in rows {
            match test_at(&row, occ) {
                Some((position, sub)) => match self.head(occ, sub) {
                    Head::Range(a, b) if a == b => {
                        let passed = self.pass(&row, position, &known);
                        buckets.entry(a).or_default().extend(passed);
                    }
                    Head::Range(a, b) => {
                        for &point in points.iter().filter(|&&point| a <= point && point <= b) {
                            let passed = self.pass(&row, position, &known);
                            buckets.entry(point).or_default().extend(passed);
                        }
                        others.push(row);
                    }
                    _ => others.push(row),
                },
                None => {
                    for rows in buckets.values_mut() {
                        rows.push(row.clone());
                    }
                    others.push(row);
                }
            }
        }
        let taken: rustc_hash::FxHashSet<i128> = points.iter().copied().collect();
        while low <= high && taken.contains(&low) {
            low += 1;
        }
        while low <= high && taken.contains(&high) {
            high -= 1;
        }
        let mut cases = Vec::with_capacity(points.len());
        for point in &points {
            let mut known = known.clone();
            known.retain(|&(other, ..)| other != occ);
            known.push((occ, *point, *point));
            let rows = buckets.remove(point).unwrap_or_default();
            cases.push((*point, self.tree(rows, known)));
        }
        let default = (low <= high).then(|| self.within(occ, (low, high), &others, &known));
        match (cases.len(), default) {
            (1, Some(default)) => {
                let (point, yes) = cases.swap_remove(0);
                Tree::Test { occ, test: Test::Is(point), yes: Box::new(yes), no: Box::new(default) }
            }
            (1, None) => cases.swap_remove(0).1,
            (_, default) => Tree::Switch {
                occ,
                cases: cases.into_iter().map(|(point, tree)| (Case::Int(point), tree)).collect(),
                default: default.map(Box::new),
            },
        }
    }

    /// Floats, text and regular expressions: one test at a time.
    fn binary(&mut self, occ: OccId, head: Head, rows: Vec<Row>, known: Known) -> Tree {
        let test = match head {
            Head::Float(range) => Test::Float(range),
            Head::Str(pattern) => Test::Str(pattern),
            Head::Regex(pattern) => Test::Regex(pattern),
            _ => return Tree::Fail,
        };
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for row in rows {
            let Some((position, sub)) = test_at(&row, occ) else {
                yes.push(row.clone());
                no.push(row);
                continue;
            };
            let other = self.head(occ, sub);
            if self.same(head, other) {
                yes.extend(self.pass(&row, position, &known));
            } else if self.exclude(head, other) {
                no.push(row);
            } else {
                yes.push(row.clone());
                no.push(row);
            }
        }
        let yes = Box::new(self.tree(yes, known.clone()));
        let no = Box::new(self.tree(no, known));
        Tree::Test { occ, test, yes, no }
    }

    fn text(&self, pattern: PatternId) -> &'a str {
        let body = self.body;
        match &body.patterns[pattern].kind {
            PatternKind::Str(text) | PatternKind::Regex { source: text, .. } => text,
            _ => "",
        }
    }

    fn same(&self, a: Head, b: Head) -> bool {
        match (a, b) {
            (Head::Float(a), Head::Float(b)) => a == b,
            (Head::Str(a), Head::Str(b)) | (Head::Regex(a), Head::Regex(b)) => self.text(a) == self.text(b),
            _ => false,
        }
    }

    /// Does passing `a` rule `b` out?
    fn exclude(&self, a: Head, b: Head) -> bool {
        match (a, b) {
            (Head::Str(a), Head::Str(b)) => self.text(a) != self.text(b),
            (Head::Float(a), Head::Float(b)) => {
                a.start == a.end && b.start == b.end && a.start.is_some() && a.start != b.start
            }
            _ => false,
        }
    }
}

/// The test of a row at a position.
fn test_at(row: &Row, occ: OccId) -> Option<(usize, Sub)> {
    row.tests.iter().position(|&(other, _)| other == occ).map(|position| (position, row.tests[position].1))
}

/// The position to test: of those the first row needs, the one most rows mention.
fn choose(rows: &[Row]) -> OccId {
    let first = &rows[0].tests;
    if first.len() == 1 {
        return first[0].0;
    }
    let count = |occ: OccId| rows.iter().filter(|row| test_at(row, occ).is_some()).count();
    let mut best = (first[0].0, count(first[0].0));
    for &(occ, _) in &first[1..] {
        let count = count(occ);
        if count > best.1 {
            best = (occ, count);
        }
    }
    best.0
}
