//! How is a decision tree written out?
//!
//! Parts of the matched value are read where they are first needed, once per path. The body of an arm that several
//! leaves reach is a join point over what its pattern binds; of all others it stands at its leaf.

use reml_diagnostics::Span;
use reml_semantics::typed::{Arm, ExprId, ExprKind, LocalId, PatternId, PatternKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::build::Builder;
use super::decision::{Decisions, FloatRange, Occ, OccId, Step, Test, Tree};
use super::function::{Binding, FnLower};
use crate::core::{Atom, Case, End, Join, JoinId, Op, Stmt, Var};
use crate::prim::PrimOp;

/// What follows a successful pattern.
#[derive(Clone, Copy)]
enum Body {
    Expr(ExprId),
    /// The code after a `let`.
    Continue,
}

struct ArmState {
    guard: Option<ExprId>,
    body: Body,
    leaves: u32,
    /// What the pattern binds, in a fixed order.
    locals: Vec<LocalId>,
    join: Option<JoinId>,
}

/// Where the values of arms go.
enum Exit {
    /// They are the function's result.
    Return,
    /// To a join point with these parameters.
    Join { id: JoinId, has_result: bool, jumps: u32 },
    /// At most one arm goes on; the cursor stays open in it.
    Open(Option<(Atom, Vec<Atom>)>),
}

struct Emit<'e> {
    occs: Vec<Occ>,
    atoms: Vec<Option<Atom>>,
    /// Positions read on the current path.
    trail: Vec<OccId>,
    arms: Vec<ArmState>,
    assigned: &'e [LocalId],
    /// What guards may have assigned when the body of an arm begins.
    carried: Vec<LocalId>,
    exit: Exit,
    span: Span,
}

impl FnLower<'_, '_> {
    /// Is a regex pattern for text, and not for bytes?
    fn matches_text(&self, pattern: PatternId) -> bool {
        self.l.prim_of(self.body.patterns[pattern].ty) == Some(Prim::Str)
    }

    /// `match`.
    pub fn match_expr(&mut self, expr: ExprId, tail: bool) -> Option<Atom> {
        let body = self.body;
        let ExprKind::Match { scrutinee, arms } = &body.exprs[expr].kind else { return self.value(expr) };
        let info = self.info.clone();
        let ty = self.expr_source(*scrutinee);
        // The parts of `match (a, b)` are known without building the tuple.
        let (root, parts) = match &body.exprs[*scrutinee].kind {
            ExprKind::Tuple(items) if items.len() > 1 => (None, self.values(items)?),
            _ => (Some(self.value(*scrutinee)?), Vec::new()),
        };
        let states = arms.iter().map(|arm| (arm.pattern, arm.guard, Body::Expr(arm.body))).collect();
        let exit = if tail {
            Exit::Return
        } else if arms.iter().filter(|arm| self.goes_on(arm)).count() <= 1 {
            Exit::Open(None)
        } else {
            let result = self.expr_core(expr);
            Exit::Join { id: self.cx.code.join(), has_result: !self.is_void(result), jumps: 0 }
        };
        let result = self.expr_core(expr);
        let span = body.exprs[expr].span;
        self.decide(root, parts, ty, states, info.assigned(expr), exit, result, span)
    }

    fn goes_on(&self, arm: &Arm) -> bool {
        !self.l.types.is_never(self.body.exprs[arm.body].ty)
    }

    /// Binds the variables of a pattern of a `let` or parameter; panics when it does not match.
    pub fn bind_pattern(&mut self, pattern: PatternId, value: Atom) {
        if self.bind_simple(pattern, value) {
            return;
        }
        let span = self.body.patterns[pattern].span;
        let ty = self.source(self.body.patterns[pattern].ty);
        let arms = vec![(pattern, None, Body::Continue)];
        let unit = self.unit();
        self.decide(Some(value), Vec::new(), ty, arms, &[], Exit::Open(None), unit, span);
    }

    /// Patterns without any test. Gives false, having done nothing, for others.
    fn bind_simple(&mut self, pattern: PatternId, value: Atom) -> bool {
        if !self.is_simple(pattern) {
            return false;
        }
        let body = self.body;
        let span = body.patterns[pattern].span;
        match &body.patterns[pattern].kind {
            PatternKind::Bind(local, inner) => {
                self.bind_local(*local, value);
                if let Some(inner) = inner {
                    self.bind_simple(*inner, value);
                }
            }
            PatternKind::Product(fields) => {
                let source = self.source(body.patterns[pattern].ty);
                let erased = self.l.is_erased_newtype(source);
                for (i, &field) in fields.iter().enumerate() {
                    if matches!(body.patterns[field].kind, PatternKind::Wildcard) {
                        continue;
                    }
                    let part = if erased {
                        value
                    } else {
                        let ty = self.core(body.patterns[field].ty);
                        self.emit(ty, Op::Field { base: value, variant: 0, index: i as u32 }, span)
                    };
                    self.bind_simple(field, part);
                }
            }
            _ => {}
        }
        true
    }

    fn is_simple(&self, pattern: PatternId) -> bool {
        match &self.body.patterns[pattern].kind {
            PatternKind::Wildcard => true,
            PatternKind::Bind(_, inner) => inner.is_none_or(|inner| self.is_simple(inner)),
            PatternKind::Product(fields) => fields.iter().all(|&field| self.is_simple(field)),
            _ => false,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn decide(
        &mut self,
        root: Option<Atom>,
        parts: Vec<Atom>,
        ty: TypeId,
        arms: Vec<(PatternId, Option<ExprId>, Body)>,
        assigned: &[LocalId],
        exit: Exit,
        result: TypeId,
        span: Span,
    ) -> Option<Atom> {
        let rows: Vec<(PatternId, bool)> = arms.iter().map(|&(pattern, guard, _)| (pattern, guard.is_some())).collect();
        let (tree, occs) = Decisions::compile(self, ty, &rows);
        let mut states: Vec<ArmState> = arms
            .into_iter()
            .map(|(_, guard, body)| ArmState { guard, body, leaves: 0, locals: Vec::new(), join: None })
            .collect();
        count_leaves(&tree, &mut states);
        let mut atoms = vec![None; occs.len()];
        atoms[0] = root;
        for (id, occ) in occs.iter().enumerate().skip(1) {
            if let (0, Step::Field { index, .. }, true) = (occ.parent, occ.step, root.is_none()) {
                atoms[id] = parts.get(index as usize).copied();
            }
        }
        if root.is_none() && tree_needs_root(&tree, &occs) {
            let core = self.l.core_type(ty);
            let whole = self.emit(core, Op::Construct { variant: 0, args: parts, token: None }, span);
            atoms[0] = Some(whole);
        }
        let guarded = rows.iter().any(|&(_, guard)| guard);
        let is_value = |local: &LocalId| matches!(self.binding(*local), Binding::Value(_));
        let carried = if guarded { assigned.iter().copied().filter(is_value).collect() } else { Vec::new() };
        let entry = self.bindings(assigned);
        let mut emit = Emit { occs, atoms, trail: Vec::new(), arms: states, assigned, carried, exit, span };

        // Shared bodies first: they are join points in front of the tree.
        let mut joins: Vec<Stmt> = Vec::new();
        let mut open_join: Option<(JoinId, Vec<Var>, Builder)> = None;
        for arm in 0..emit.arms.len() {
            if emit.arms[arm].leaves < 2 {
                continue;
            }
            let id = self.cx.code.join();
            emit.arms[arm].join = Some(id);
            let locals = emit.arms[arm].locals.clone();
            let mut params = Vec::with_capacity(locals.len());
            let outer = std::mem::take(&mut self.cx.code.cursor);
            for &local in &locals {
                let var = self.local_param(local);
                params.push(var);
                self.bind_local(local, Atom::Var(var));
            }
            for &local in &emit.carried {
                let var = self.local_param(local);
                params.push(var);
                self.rebind(local, Binding::Value(Atom::Var(var)));
            }
            emit.body(self, arm);
            self.restore(assigned, &entry);
            let body = std::mem::replace(&mut self.cx.code.cursor, outer);
            if body.is_open() {
                open_join = Some((id, params, body));
            } else {
                joins.push(Stmt::Join(Box::new(Join { id, params, recursive: false, body: body.finish() })));
            }
        }

        let detached = open_join.is_some() || matches!(emit.exit, Exit::Join { .. });
        let outer = if detached { Some(std::mem::take(&mut self.cx.code.cursor)) } else { None };
        for join in joins {
            self.push(join);
        }
        emit.tree(self, &tree);
        if let Some(outer) = outer {
            let block = std::mem::replace(&mut self.cx.code.cursor, outer).finish_or_unreachable();
            if let Some((id, params, body)) = open_join {
                self.cx.code.cursor.continue_join_with(id, params, body, block.stmts, block.end);
            } else if let Exit::Join { id, has_result, jumps: 1.. } = emit.exit {
                let mut params = Vec::new();
                let mut value = Atom::Unit;
                if has_result {
                    let var = self.cx.code.var(result, span);
                    params.push(var);
                    value = Atom::Var(var);
                }
                for &local in assigned {
                    let var = self.local_param(local);
                    params.push(var);
                    self.rebind(local, Binding::Value(Atom::Var(var)));
                }
                self.cx.code.cursor.continue_in_join(id, params, block.stmts, block.end);
                return Some(value);
            } else {
                for stmt in block.stmts {
                    self.push(stmt);
                }
                self.end(block.end);
                return None;
            }
        }
        match emit.exit {
            Exit::Open(Some((value, values))) => {
                for (&local, value) in assigned.iter().zip(values) {
                    if matches!(self.binding(local), Binding::Value(_)) {
                        self.rebind(local, Binding::Value(value));
                    }
                }
                Some(value)
            }
            _ => None,
        }
    }
}

impl Emit<'_> {
    fn tree(&mut self, f: &mut FnLower<'_, '_>, tree: &Tree) {
        match tree {
            Tree::Fail => f.panic("no pattern matches this value", self.span),
            Tree::Leaf { arm, binds } => self.leaf(f, *arm, binds),
            Tree::Guard { arm, binds, otherwise } => {
                if self.bind(f, binds).is_none() {
                    return;
                }
                let test = match self.arms[*arm].guard {
                    Some(guard) => match f.value(guard) {
                        Some(test) => test,
                        None => return,
                    },
                    None => Atom::Bool(true),
                };
                let yes = self.block(f, |this, f| {
                    if this.arms[*arm].join.is_some() {
                        this.leaf(f, *arm, binds);
                    } else {
                        this.body(f, *arm);
                    }
                });
                let no = self.block(f, |this, f| this.tree(f, otherwise));
                f.cx.code.cursor.switch(test, vec![(Some(Case::Bool(true)), yes), (Some(Case::Bool(false)), no)]);
            }
            Tree::Switch { occ, cases, default } => {
                let Some(scrutinee) = self.subject(f, *occ) else { return };
                let mut blocks = Vec::with_capacity(cases.len() + 1);
                for (case, tree) in cases {
                    blocks.push((Some(*case), self.block(f, |this, f| this.tree(f, tree))));
                }
                if let Some(default) = default {
                    blocks.push((None, self.block(f, |this, f| this.tree(f, default))));
                }
                f.cx.code.cursor.switch(scrutinee, blocks);
            }
            Tree::Test { occ, test, yes, no } => {
                let Some(test) = self.test(f, *occ, *test) else { return };
                let yes = self.block(f, |this, f| this.tree(f, yes));
                let no = self.block(f, |this, f| this.tree(f, no));
                f.cx.code.cursor.switch(test, vec![(Some(Case::Bool(true)), yes), (Some(Case::Bool(false)), no)]);
            }
        }
    }

    /// Writes a branch: what it reads is not known outside, and what it assigns is not the value of other branches.
    fn block(&mut self, f: &mut FnLower<'_, '_>, write: impl FnOnce(&mut Self, &mut FnLower<'_, '_>)) -> Builder {
        let mark = self.trail.len();
        let before = f.bindings(self.assigned);
        let outer = std::mem::take(&mut f.cx.code.cursor);
        write(self, f);
        f.restore(self.assigned, &before);
        for occ in self.trail.drain(mark..) {
            self.atoms[occ] = None;
        }
        std::mem::replace(&mut f.cx.code.cursor, outer)
    }

    fn bind(&mut self, f: &mut FnLower<'_, '_>, binds: &[(LocalId, OccId)]) -> Option<()> {
        for &(local, occ) in binds {
            let atom = self.read(f, occ)?;
            f.bind_local(local, atom);
        }
        Some(())
    }

    fn leaf(&mut self, f: &mut FnLower<'_, '_>, arm: usize, binds: &[(LocalId, OccId)]) {
        let Some(join) = self.arms[arm].join else {
            if self.bind(f, binds).is_some() {
                self.body(f, arm);
            }
            return;
        };
        let locals = self.arms[arm].locals.clone();
        let mut args = Vec::with_capacity(locals.len());
        for local in locals {
            let Some(&(_, occ)) = binds.iter().find(|&&(bound, _)| bound == local) else {
                args.push(Atom::Unit);
                continue;
            };
            match self.read(f, occ) {
                Some(atom) => args.push(atom),
                None => return,
            }
        }
        args.extend(f.current(&self.carried));
        f.end(End::Jump(join, args));
    }

    /// The code of an arm whose variables are bound.
    fn body(&mut self, f: &mut FnLower<'_, '_>, arm: usize) {
        let scoped = match self.arms[arm].body {
            Body::Expr(_) => f.scoped_among(&self.arms[arm].locals),
            Body::Continue => Vec::new(),
        };
        let value = match self.arms[arm].body {
            Body::Expr(expr) if matches!(self.exit, Exit::Return) && scoped.is_empty() => return f.tail(expr),
            Body::Expr(expr) => f.value(expr),
            Body::Continue => Some(Atom::Unit),
        };
        let Some(value) = value else { return };
        f.end_scope(&scoped, self.span);
        let values = f.current(self.assigned);
        match &mut self.exit {
            Exit::Return => f.return_value(value, self.span),
            Exit::Join { id, has_result, jumps } => {
                *jumps += 1;
                let mut args = Vec::with_capacity(values.len() + 1);
                if *has_result {
                    args.push(value);
                }
                args.extend(values);
                f.end(End::Jump(*id, args));
            }
            Exit::Open(result) => *result = Some((value, values)),
        }
    }

    /// The value that a switch looks at: the part itself, or an array's length.
    fn subject(&mut self, f: &mut FnLower<'_, '_>, occ: OccId) -> Option<Atom> {
        let atom = self.read(f, occ)?;
        let core = f.l.core_type(self.occs[occ].ty);
        match f.l.types.get(core) {
            Type::Array(_) => self.length(f, occ),
            _ => Some(atom),
        }
    }

    fn length(&mut self, f: &mut FnLower<'_, '_>, array: OccId) -> Option<Atom> {
        // Lengths are positions too, so that they are read once per path.
        let known = self.occs.iter().position(|occ| occ.parent == array && occ.step == Step::Len);
        let len = known.unwrap_or_else(|| {
            self.occs.push(Occ { parent: array, step: Step::Len, ty: f.i64() });
            self.atoms.push(None);
            self.occs.len() - 1
        });
        self.read(f, len)
    }

    /// Reads a part of the matched value, unless this path has it.
    fn read(&mut self, f: &mut FnLower<'_, '_>, occ: OccId) -> Option<Atom> {
        if let Some(atom) = self.atoms[occ] {
            return Some(atom);
        }
        let Occ { parent, step, ty } = self.occs[occ];
        let span = self.span;
        let base = self.read(f, parent)?;
        let core = f.l.core_type(ty);
        let i64 = f.i64();
        let atom = match step {
            Step::Root | Step::Unwrap => base,
            Step::Field { variant, index } => f.emit(core, Op::Field { base, variant, index }, span),
            Step::Element(index) => {
                let index = f.int(i64::from(index));
                f.emit(core, Op::Prim(PrimOp::ArrayGetUnchecked, vec![base, index]), span)
            }
            Step::FromEnd(back) => {
                let len = self.length(f, parent)?;
                let back = f.int(i64::from(back));
                let index = f.emit(i64, Op::Prim(PrimOp::WrappingSub, vec![len, back]), span);
                f.emit(core, Op::Prim(PrimOp::ArrayGetUnchecked, vec![base, index]), span)
            }
            Step::Len => {
                let text = f.l.prim_of(self.occs[parent].ty) == Some(Prim::Str);
                let op = if text { PrimOp::StrLen } else { PrimOp::ArrayLen };
                f.emit(i64, Op::Prim(op, vec![base]), span)
            }
            Step::Slice(0, 0) => base,
            Step::Slice(first, last)
                if matches!(f.l.types.get(f.l.deref(self.occs[parent].ty)), Type::FixedArray(..)) =>
            {
                self.fixed_slice(f, parent, base, (first, last), core)?
            }
            Step::Slice(first, last) => self.slice(f, parent, base, (first, last), core)?,
            Step::ListItems => {
                let element = match f.l.types.get(ty) {
                    Type::Array(element) => *element,
                    _ => ty,
                };
                let op = f.l.list_to_array(element, base);
                f.emit(core, op, span)
            }
            Step::ListSlice(first, last) => {
                let element = match f.l.types.get(f.l.deref(ty)) {
                    Type::Adt(_, args) => args[0],
                    _ => ty,
                };
                let core_element = f.l.core_type(element);
                let array = f.l.types.intern(Type::Array(core_element));
                let part = self.slice(f, parent, base, (first, last), array)?;
                let op = f.l.lang_op_at("list_from_array", &[element], vec![part], span)?;
                f.emit(core, op, span)
            }
            Step::View(view) => f.apply(view, base)?,
            Step::Group(pattern, group) => {
                let source = match &f.body.patterns[pattern].kind {
                    PatternKind::Regex { source, .. } => f.l.string(source),
                    _ => f.l.string(""),
                };
                let group = f.int(i64::from(group));
                let function = if f.matches_text(pattern) { "regex_group" } else { "regex_group_bytes" };
                f.call_lang(function, vec![Atom::Str(source), base, group], core, span)
            }
        };
        self.atoms[occ] = Some(atom);
        self.trail.push(occ);
        Some(atom)
    }

    fn slice(
        &mut self,
        f: &mut FnLower<'_, '_>,
        array: OccId,
        base: Atom,
        (first, last): (u32, u32),
        ty: TypeId,
    ) -> Option<Atom> {
        let len = self.length(f, array)?;
        let i64 = f.i64();
        let first = f.int(i64::from(first));
        let end = if last == 0 {
            len
        } else {
            let last = f.int(i64::from(last));
            f.emit(i64, Op::Prim(PrimOp::WrappingSub, vec![len, last]), self.span)
        };
        Some(f.emit(ty, Op::Prim(PrimOp::ArraySlice, vec![base, first, end]), self.span))
    }

    /// The middle of a `[T; N]`, as whatever array type the variable has.
    fn fixed_slice(
        &mut self,
        f: &mut FnLower<'_, '_>,
        array: OccId,
        base: Atom,
        (first, last): (u32, u32),
        ty: TypeId,
    ) -> Option<Atom> {
        let fields = f.l.field_types(self.occs[array].ty, 0);
        let mut items = Vec::new();
        for index in first..(fields.len() as u32).saturating_sub(last) {
            let item = f.l.core_type(fields[index as usize]);
            items.push(f.emit(item, Op::Field { base, variant: 0, index }, self.span));
        }
        let op = match f.l.types.get(ty) {
            Type::FixedArray(..) => Op::Construct { variant: 0, args: items, token: None },
            _ => Op::Array(items),
        };
        Some(f.emit(ty, op, self.span))
    }

    fn test(&mut self, f: &mut FnLower<'_, '_>, occ: OccId, test: Test) -> Option<Atom> {
        let subject = self.subject(f, occ)?;
        let bool = f.bool();
        let span = self.span;
        let core = f.l.core_type(self.occs[occ].ty);
        let number_type = if matches!(f.l.types.get(core), Type::Array(_)) { f.i64() } else { core };
        let compare = |f: &mut FnLower<'_, '_>, op, bound| f.emit(bool, Op::Prim(op, vec![subject, bound]), span);
        Some(match test {
            Test::Is(value) => compare(f, PrimOp::Eq, Atom::Int(value, number_type)),
            Test::AtLeast(value) => compare(f, PrimOp::Ge, Atom::Int(value, number_type)),
            Test::AtMost(value) => compare(f, PrimOp::Le, Atom::Int(value, number_type)),
            Test::Float(FloatRange { start, end, inclusive }) => {
                if start == end && inclusive {
                    return Some(compare(f, PrimOp::Eq, Atom::Float(start.unwrap_or(0.0), core)));
                }
                let upper = if inclusive { PrimOp::Le } else { PrimOp::Lt };
                let lower = start.map(|start| compare(f, PrimOp::Ge, Atom::Float(start, core)));
                let upper = end.map(|end| compare(f, upper, Atom::Float(end, core)));
                match (lower, upper) {
                    (Some(lower), Some(upper)) => f.emit(bool, Op::Prim(PrimOp::IntAnd, vec![lower, upper]), span),
                    (Some(one), None) | (None, Some(one)) => one,
                    (None, None) => Atom::Bool(true),
                }
            }
            Test::Str(pattern) => {
                let text = match &f.body.patterns[pattern].kind {
                    PatternKind::Str(text) => f.l.string(text),
                    _ => f.l.string(""),
                };
                f.call_lang("str_eq", vec![subject, Atom::Str(text)], bool, span)
            }
            Test::Regex(pattern) => {
                let source = match &f.body.patterns[pattern].kind {
                    PatternKind::Regex { source, .. } => f.l.string(source),
                    _ => f.l.string(""),
                };
                let function = if f.matches_text(pattern) { "regex_match" } else { "regex_match_bytes" };
                let whole = self.read(f, occ)?;
                f.call_lang(function, vec![Atom::Str(source), whole], bool, span)
            }
        })
    }
}

/// Counts the leaves of each arm and notes what they bind.
fn count_leaves(tree: &Tree, arms: &mut [ArmState]) {
    let leaf = |arm: usize, binds: &[(LocalId, OccId)], arms: &mut [ArmState]| {
        let state = &mut arms[arm];
        state.leaves += 1;
        if state.leaves == 1 {
            state.locals = binds.iter().map(|&(local, _)| local).collect();
            state.locals.sort_unstable();
            state.locals.dedup();
        }
    };
    match tree {
        Tree::Fail => {}
        Tree::Leaf { arm, binds } => leaf(*arm, binds, arms),
        Tree::Guard { arm, binds, otherwise } => {
            leaf(*arm, binds, arms);
            count_leaves(otherwise, arms);
        }
        Tree::Switch { cases, default, .. } => {
            cases.iter().for_each(|(_, tree)| count_leaves(tree, arms));
            default.iter().for_each(|tree| count_leaves(tree, arms));
        }
        Tree::Test { yes, no, .. } => {
            count_leaves(yes, arms);
            count_leaves(no, arms);
        }
    }
}

/// Is the matched value itself looked at, or only its parts?
fn tree_needs_root(tree: &Tree, occs: &[Occ]) -> bool {
    let binds_root = |binds: &[(LocalId, OccId)]| binds.iter().any(|&(_, occ)| reaches_root(occ, occs));
    match tree {
        Tree::Fail => false,
        Tree::Leaf { binds, .. } => binds_root(binds),
        Tree::Guard { binds, otherwise, .. } => binds_root(binds) || tree_needs_root(otherwise, occs),
        Tree::Switch { occ, cases, default } => {
            reaches_root(*occ, occs)
                || cases.iter().any(|(_, tree)| tree_needs_root(tree, occs))
                || default.iter().any(|tree| tree_needs_root(tree, occs))
        }
        Tree::Test { occ, yes, no, .. } => {
            reaches_root(*occ, occs) || tree_needs_root(yes, occs) || tree_needs_root(no, occs)
        }
    }
}

/// Does reading this position read the whole, other than through one of its fields?
fn reaches_root(mut occ: OccId, occs: &[Occ]) -> bool {
    while occ != 0 {
        if occs[occ].parent == 0 {
            return !matches!(occs[occ].step, Step::Field { .. });
        }
        occ = occs[occ].parent;
    }
    true
}
