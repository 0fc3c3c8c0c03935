//! How do rows become a tree? By choosing a position and splitting the rows by what it may hold.

use reml_semantics::typed::{PatternId, PatternKind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Decisions, Head, Known, OccId, Row, Step, Sub, Test, Tree};
use crate::core::Case;

impl<'a> Decisions<'_, '_, 'a> {
    pub(super) fn tree(&mut self, mut rows: Vec<Row>, known: Known) -> Tree {
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
            Head::Str(_) if self.worth_a_length_switch(occ, &rows) => self.by_length(occ, rows, known),
            head => self.binary(occ, head, rows, known),
        }
    }

    /// Do the rows ask for enough texts of different lengths that telling lengths apart first pays?
    fn worth_a_length_switch(&mut self, occ: OccId, rows: &[Row]) -> bool {
        let mut lengths = Vec::new();
        let mut texts = 0;
        for row in rows {
            if let Some((_, sub)) = test_at(row, occ)
                && let Head::Str(pattern) = self.head(occ, sub)
            {
                texts += 1;
                lengths.push(self.text(pattern).len());
            }
        }
        lengths.sort_unstable();
        lengths.dedup();
        texts >= 4 && lengths.len() >= 2
    }

    /// A switch over the byte length of a text, in front of comparisons.
    fn by_length(&mut self, occ: OccId, rows: Vec<Row>, known: Known) -> Tree {
        let i64 = self.f.i64();
        let len = self.occ(occ, Step::Len, i64);
        let mut buckets: std::collections::BTreeMap<usize, Vec<Row>> = Default::default();
        for row in &rows {
            if let Some((_, sub)) = test_at(row, occ)
                && let Head::Str(pattern) = self.head(occ, sub)
            {
                buckets.entry(self.text(pattern).len()).or_default();
            }
        }
        let mut others = Vec::new();
        for row in rows {
            let head = test_at(&row, occ).map(|(_, sub)| self.head(occ, sub));
            match head {
                Some(Head::Str(pattern)) => buckets.entry(self.text(pattern).len()).or_default().push(row),
                _ => {
                    buckets.values_mut().for_each(|rows| rows.push(row.clone()));
                    others.push(row);
                }
            }
        }
        let mut cases = Vec::with_capacity(buckets.len());
        for (length, rows) in buckets {
            cases.push((Case::Int(length as i128), self.tree(rows, known.clone())));
        }
        Tree::Switch { occ: len, cases, default: Some(Box::new(self.tree(others, known))) }
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
            let mut seen = FxHashSet::default();
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
        let taken: FxHashSet<i128> = points.iter().copied().collect();
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

    pub(super) fn text(&self, pattern: PatternId) -> &'a str {
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
