//! What must be known about a body before it is lowered?
//!
//! One walk over the tree finds, for every branching construct, the `var`s assigned inside it that were declared
//! outside (they become parameters of its join points), for every lambda the locals it captures, and which local
//! functions are only ever called (they need no closure). Bodies are generic, so the result is shared by all instances.

use cranelift_entity::{EntitySet, SecondaryMap};
use reml_semantics::typed::{Body, ExprId, ExprKind, LocalId, PatternId, PatternKind, Place, PlaceStep, Stmt};
use reml_semantics::types::{Type, TypeStore};
use rustc_hash::FxHashMap;

#[derive(Default)]
pub struct BodyInfo {
    /// By branching expression (`if`, `&&`, `||`, `match`, `loop`): unboxed locals of the surroundings that it assigns.
    assigned: FxHashMap<ExprId, Box<[LocalId]>>,
    /// By lambda: locals of the surroundings that it mentions, in order of declaration.
    captures: FxHashMap<ExprId, Box<[LocalId]>>,
    /// By deferred expression: the same.
    deferred: FxHashMap<ExprId, Box<[LocalId]>>,
    /// Locals mentioned other than as the callee of a call.
    escaping: EntitySet<LocalId>,
}

impl BodyInfo {
    pub fn of(body: &Body, types: &TypeStore) -> BodyInfo {
        let mut walk = Walk {
            body,
            types,
            info: BodyInfo::default(),
            order: SecondaryMap::new(),
            next: 1,
            assigned: Vec::new(),
            used: Vec::new(),
            lambdas: 0,
        };
        for &param in &body.params {
            walk.pattern(param);
        }
        walk.expr(body.root);
        walk.info
    }

    pub fn assigned(&self, expr: ExprId) -> &[LocalId] {
        self.assigned.get(&expr).map_or(&[], |locals| locals)
    }

    pub fn captures(&self, lambda: ExprId) -> &[LocalId] {
        self.captures.get(&lambda).map_or(&[], |locals| locals)
    }

    pub fn deferred_captures(&self, expr: ExprId) -> &[LocalId] {
        self.deferred.get(&expr).map_or(&[], |locals| locals)
    }

    pub fn escapes(&self, local: LocalId) -> bool {
        self.escaping.contains(local)
    }
}

struct Walk<'a> {
    body: &'a Body,
    types: &'a TypeStore,
    info: BodyInfo,
    /// When each local was declared, counting from 1.
    order: SecondaryMap<LocalId, u32>,
    next: u32,
    assigned: Vec<LocalId>,
    used: Vec<LocalId>,
    lambdas: usize,
}

impl Walk<'_> {
    fn declare(&mut self, local: LocalId) {
        if self.order[local] == 0 {
            self.order[local] = self.next;
            self.next += 1;
        }
    }

    fn mention(&mut self, local: LocalId) {
        if self.lambdas > 0 {
            self.used.push(local);
        }
    }

    fn assign(&mut self, place: &Place) {
        for step in &place.path {
            if let PlaceStep::Index { index, .. } = step {
                self.expr(*index);
            }
        }
        self.mention(place.local);
        self.info.escaping.insert(place.local);
        if !self.body.locals[place.local].boxed {
            self.assigned.push(place.local);
        }
    }

    /// Walks a branching construct and keeps what it assigns outside itself.
    fn branching(&mut self, expr: ExprId, walk: impl FnOnce(&mut Self)) {
        let first = self.next;
        let start = self.assigned.len();
        walk(self);
        let locals = self.outer(start, first, |this| &mut this.assigned);
        if !locals.is_empty() {
            self.info.assigned.insert(expr, locals);
        }
    }

    /// Cuts `log[start..]` down to the locals declared before `first`, each once, in order of declaration.
    fn outer(&mut self, start: usize, first: u32, log: fn(&mut Self) -> &mut Vec<LocalId>) -> Box<[LocalId]> {
        let mut tail = log(self).split_off(start);
        tail.retain(|&local| self.order[local] != 0 && self.order[local] < first);
        tail.sort_unstable_by_key(|&local| self.order[local]);
        tail.dedup();
        log(self).extend_from_slice(&tail);
        tail.into_boxed_slice()
    }

    fn lambda(&mut self, expr: ExprId, params: &[PatternId], body: ExprId) {
        let first = self.next;
        let start = self.used.len();
        let assigned = self.assigned.len();
        self.lambdas += 1;
        for &param in params {
            self.pattern(param);
        }
        self.expr(body);
        self.lambdas -= 1;
        let captures = self.outer(start, first, |this| &mut this.used);
        if self.lambdas == 0 {
            self.used.truncate(start);
        }
        if !captures.is_empty() {
            self.info.captures.insert(expr, captures);
        }
        // An unboxed local assigned in a lambda is the lambda's own.
        self.assigned.truncate(assigned);
    }

    /// Deferred code runs in place, so its assignments count; a panic runs it as a closure, so it has captures too.
    fn deferred(&mut self, expr: ExprId) {
        let first = self.next;
        let start = self.used.len();
        self.lambdas += 1;
        self.expr(expr);
        self.lambdas -= 1;
        let captures = self.outer(start, first, |this| &mut this.used);
        if self.lambdas == 0 {
            self.used.truncate(start);
        }
        self.info.deferred.insert(expr, captures);
    }

    fn exprs(&mut self, exprs: &[ExprId]) {
        for &expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, id: ExprId) {
        let body = self.body;
        match &body.exprs[id].kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Str(_)
            | ExprKind::Global(_)
            | ExprKind::InitialisedGlobal(_)
            | ExprKind::Fn(..)
            | ExprKind::Method { .. }
            | ExprKind::ConstructorFn { .. }
            | ExprKind::Continue
            | ExprKind::Panic { .. }
            | ExprKind::Error => {}
            ExprKind::Local(local) => {
                self.mention(*local);
                self.info.escaping.insert(*local);
                // A `&mut` parameter that is passed on comes back changed, unless it is a cell that is passed on.
                let declared = &body.locals[*local];
                if !declared.boxed && matches!(self.types.get(declared.ty), Type::Ref { mutable: true, .. }) {
                    self.assigned.push(*local);
                }
            }
            ExprKind::Call { callee, args } => {
                match body.exprs[*callee].kind {
                    ExprKind::Local(local) => self.mention(local),
                    _ => self.expr(*callee),
                }
                self.exprs(args);
            }
            ExprKind::Binary { left, right, .. } | ExprKind::Index { base: left, index: right } => {
                self.expr(*left);
                self.expr(*right);
            }
            ExprKind::And(left, right) | ExprKind::Or(left, right) => self.branching(id, |this| {
                this.expr(*left);
                this.expr(*right);
            }),
            ExprKind::Perform(perform) => self.exprs(&perform.args),
            ExprKind::Handle(handle) => {
                self.expr(handle.body);
                for clause in &handle.clauses {
                    self.expr(clause.function);
                }
                if let Some(ret) = handle.ret {
                    self.expr(ret);
                }
            }
            ExprKind::Unary { operand, .. } => self.expr(*operand),
            ExprKind::Construct { args, .. }
            | ExprKind::Record(args)
            | ExprKind::Tuple(args)
            | ExprKind::Array(args) => self.exprs(args),
            ExprKind::Field { base, .. } => self.expr(*base),
            ExprKind::Update { base, fields } => {
                self.expr(*base);
                for &(_, value) in fields {
                    self.expr(value);
                }
            }
            ExprKind::Unwrap(inner) | ExprKind::Cast(inner) | ExprKind::Borrow(inner) | ExprKind::Deref(inner) => {
                self.expr(*inner);
            }
            ExprKind::Lambda { params, body } => self.lambda(id, params, *body),
            ExprKind::LetRec { bindings, rest } => {
                for &(local, _) in bindings {
                    self.declare(local);
                }
                for &(_, lambda) in bindings {
                    self.expr(lambda);
                }
                self.expr(*rest);
            }
            ExprKind::Block { stmts, result } => {
                for stmt in stmts {
                    match stmt {
                        Stmt::Let { pattern, value } => {
                            self.expr(*value);
                            self.pattern(*pattern);
                        }
                        Stmt::Expr(expr) => self.expr(*expr),
                        Stmt::Defer(expr) => self.deferred(*expr),
                    }
                }
                if let Some(result) = result {
                    self.expr(*result);
                }
            }
            ExprKind::If { cond, then, els } => self.branching(id, |this| {
                this.expr(*cond);
                this.expr(*then);
                this.expr(*els);
            }),
            ExprKind::Match { scrutinee, arms } => self.branching(id, |this| {
                this.expr(*scrutinee);
                for arm in arms {
                    this.pattern(arm.pattern);
                    if let Some(guard) = arm.guard {
                        this.branching(guard, |this| this.expr(guard));
                    }
                    this.expr(arm.body);
                }
            }),
            ExprKind::Loop { body } => self.branching(id, |this| this.expr(*body)),
            ExprKind::Break(value) | ExprKind::Return(value) => {
                if let Some(value) = value {
                    self.expr(*value);
                }
            }
            ExprKind::Assign { place, value } => {
                self.expr(*value);
                self.assign(place);
            }
            ExprKind::BorrowMut(place) => self.assign(place),
        }
    }

    fn pattern(&mut self, id: PatternId) {
        let body = self.body;
        match &body.patterns[id].kind {
            PatternKind::Wildcard
            | PatternKind::Int(_)
            | PatternKind::Float(_)
            | PatternKind::Bool(_)
            | PatternKind::Char(_)
            | PatternKind::Str(_)
            | PatternKind::IntRange { .. }
            | PatternKind::FloatRange { .. }
            | PatternKind::Error => {}
            PatternKind::Bind(local, inner) => {
                self.declare(*local);
                if let Some(inner) = inner {
                    self.pattern(*inner);
                }
            }
            PatternKind::Product(fields) | PatternKind::Variant { fields, .. } | PatternKind::Or(fields) => {
                for &field in fields {
                    self.pattern(field);
                }
            }
            PatternKind::Slice { prefix, rest, suffix } => {
                for &item in prefix {
                    self.pattern(item);
                }
                if let Some(Some(local)) = rest {
                    self.declare(*local);
                }
                for &item in suffix {
                    self.pattern(item);
                }
            }
            PatternKind::Regex { groups, .. } => {
                for &(_, local) in groups {
                    self.declare(local);
                }
            }
            PatternKind::Active { view, arg, .. } => {
                self.expr(*view);
                self.pattern(*arg);
            }
        }
    }
}
