//! Where do counts change? Inserts `Dup`, `Drop` and `Release` into one function.
//!
//! A forward walk keeps, for every counted variable in scope that is still needed, whether it is *owned* or *borrowed*.
//! A variable read out of another one (a field, an array element, the contents of a mutable cell) starts as a borrow of it:
//! its base stays alive, as a *zombie* if nothing else mentions it, until the borrow ends. Only when such a variable is
//! consumed does it get an owner of its own:
//! - its base is a zombie cell: `Release` ends the cell and moves its live fields out (no counting at all when the cell is
//!   unique);
//! - otherwise: `Dup`.
//!
//! A variable whose last mention has passed is dropped at once, on entry to a branch if need be: lifetimes end where the
//! liveness says, so objects are unique as early as possible. Contents of mutable cells get an owner before
//! anything that may write.
//!
//! At a join point each free variable has one agreed status, decided where the join is defined; jumps
//! bring variables to it. Blocks that end in `Unreachable` (panics) drop nothing.

use std::hash::BuildHasherDefault;

use cranelift_entity::{EntitySet, SecondaryMap};
use indexmap::IndexMap;
use reml_diagnostics::Span;
use rustc_hash::{FxHashMap, FxHasher};

use super::borrow::JoinModes;
use super::liveness::{Live, Liveness, liveness};
use super::source::{Signatures, Source};
use super::types::{Kind, Types};
use crate::core::{Atom, Block, Callee, Case, End, Function, JoinId, Mode, Op, Stmt, Var, VarInfo};

pub fn insert(function: &mut Function, join_modes: &JoinModes, signatures: Signatures, types: &Types) {
    let counted = counted_vars(function, types);
    let Liveness { body: live, join_needs } = liveness(function, &counted);
    let body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    let mut inserter = Inserter {
        signatures,
        types,
        vars: &mut function.vars,
        ret: function.ret,
        join_modes,
        join_needs,
        counted,
        sources: SecondaryMap::with_default(Source::Owned),
        readers: SecondaryMap::new(),
        variants: FxHashMap::default(),
        plans: SecondaryMap::new(),
        cold: false,
        at: Point::default(),
        roots: FxHashMap::default(),
    };
    let mut state = State::default();
    for (&param, &mode) in function.params.iter().zip(&function.modes) {
        if inserter.counted.contains(param) {
            if mode == Mode::Borrowed {
                inserter.sources[param] = Source::Static;
            }
            state.insert(param, Status { owned: mode == Mode::Owned, dead: false });
        }
    }
    let body = inserter.block(body, live, state);
    let roots = inserter.roots;
    function.body = body;
    function.roots = roots;
}

pub fn counted_vars(function: &Function, types: &Types) -> EntitySet<Var> {
    let mut counted = EntitySet::with_capacity(function.vars.len());
    for (var, info) in &function.vars {
        if types.counted(info.ty) {
            counted.insert(var);
        }
    }
    counted
}

#[derive(Clone, Copy, Debug)]
struct Status {
    owned: bool,
    /// Not mentioned any more: kept for what is borrowed from it.
    dead: bool,
}

type State = IndexMap<Var, Status, BuildHasherDefault<FxHasher>>;

/// The code being written and the variables at that point.
#[derive(Default)]
struct Point {
    out: Vec<Stmt>,
    state: State,
}

struct Inserter<'a> {
    signatures: Signatures<'a>,
    types: &'a Types,
    vars: &'a mut cranelift_entity::PrimaryMap<Var, VarInfo>,
    ret: reml_semantics::types::TypeId,
    join_modes: &'a JoinModes,
    join_needs: SecondaryMap<JoinId, Vec<Var>>,
    counted: EntitySet<Var>,
    sources: SecondaryMap<Var, Source>,
    /// What was read out of a variable.
    readers: SecondaryMap<Var, Vec<Var>>,
    /// Variants known here.
    variants: FxHashMap<Var, u32>,
    /// The agreed statuses of each join's free variables.
    plans: SecondaryMap<JoinId, Vec<(Var, Status)>>,
    /// The block ends in a panic: drop nothing.
    cold: bool,
    at: Point,
    /// See [`Function::roots`].
    roots: FxHashMap<Var, Box<[Var]>>,
}

impl Inserter<'_> {
    fn block(&mut self, block: Block, live: Live, state: State) -> Block {
        let outer = std::mem::replace(&mut self.at, Point { out: Vec::with_capacity(block.stmts.len()), state });
        // A call that is unwound instead of returning is not the end of the program.
        let cold = matches!(block.end, End::Unreachable)
            && !block
                .stmts
                .iter()
                .any(|stmt| matches!(stmt, Stmt::Let(_, op) if self.signatures.unwinds.may_leave(op, self.vars)));
        let outer_cold = std::mem::replace(&mut self.cold, cold);
        self.bury(&live.dead_on_entry);
        let mut inner = live.inner.into_iter();
        for (stmt, deaths) in block.stmts.into_iter().zip(live.deaths) {
            match stmt {
                Stmt::Join(mut join) => {
                    let Some(join_live) = inner.next() else { unreachable!("liveness has the shape of the block") };
                    let state = self.plan(join.id, &join.params);
                    join.body = self.block(join.body, join_live, state);
                    self.at.out.push(Stmt::Join(join));
                }
                Stmt::Let(var, op) => self.define(var, op, &deaths),
                Stmt::Fill { addr, value } => {
                    self.take(&[(value, Mode::Owned)], &deaths);
                    self.at.out.push(Stmt::Fill { addr, value });
                    self.bury(&deaths);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        let end = self.end(block.end, &live.end_deaths, inner);
        self.cold = outer_cold;
        let done = std::mem::replace(&mut self.at, outer);
        Block::new(done.out, end)
    }

    fn define(&mut self, var: Var, op: Op, deaths: &[Var]) {
        if self.signatures.may_write(&op) {
            self.own_mutable_reads();
        }
        if let Op::Construct { variant, .. } = &op {
            self.make_room(var, *variant);
        }
        let mut operands = Vec::new();
        self.signatures.operands(&op, &mut |atom, mode| operands.push((atom, mode)));
        self.take(&operands, deaths);
        if self.signatures.unwinds.may_leave(&op, self.vars) {
            let owned = self.at.state.iter().filter(|(_, status)| status.owned).map(|(&var, _)| var);
            let mut owned: Vec<Var> = owned.collect();
            owned.sort_unstable();
            self.roots.insert(var, owned.into_boxed_slice());
        }
        if self.counted.contains(var) {
            let source = Source::of(&op);
            self.sources[var] = source;
            if let Some(base) = source.base() {
                self.readers[base].push(var);
            }
            if let Op::Construct { variant, .. } = &op {
                self.variants.insert(var, *variant);
            }
            self.at.state.insert(var, Status { owned: source == Source::Owned, dead: false });
        }
        self.at.out.push(Stmt::Let(var, op));
        self.bury(deaths);
    }

    fn end(&mut self, end: End, deaths: &[Var], mut inner: std::vec::IntoIter<Live>) -> End {
        match end {
            End::Return(atom) => {
                self.take(&[(atom, Mode::Owned)], deaths);
                self.bury(deaths);
                End::Return(atom)
            }
            End::Jump(join, args) => {
                self.jump(join, &args, deaths);
                End::Jump(join, args)
            }
            End::TailCall { callee, args, span } => self.tail_call(callee, args, span, deaths),
            End::Switch(mut switch) => {
                let state = std::mem::take(&mut self.at.state);
                let scrutinee = match switch.scrutinee {
                    Atom::Var(var) => Some(var),
                    _ => None,
                };
                let default = switch.default.take();
                for (case, block) in &mut switch.cases {
                    let Some(live) = inner.next() else { unreachable!("liveness has the shape of the block") };
                    let known = match (*case, scrutinee) {
                        (Case::Variant(variant), Some(var)) => Some((var, self.variants.insert(var, variant))),
                        _ => None,
                    };
                    let body = std::mem::replace(block, Block::new(Vec::new(), End::Unreachable));
                    *block = self.block(body, live, state.clone());
                    if let Some((var, before)) = known {
                        match before {
                            Some(variant) => self.variants.insert(var, variant),
                            None => self.variants.remove(&var),
                        };
                    }
                }
                switch.default = default.map(|block| {
                    let Some(live) = inner.next() else { unreachable!("liveness has the shape of the block") };
                    Box::new(self.block(*block, live, state))
                });
                End::Switch(switch)
            }
            End::Unreachable => End::Unreachable,
        }
    }

    /// A call in tail position stays one unless a borrowed argument has to be dropped after it.
    fn tail_call(&mut self, callee: Callee, args: Vec<Atom>, span: Span, deaths: &[Var]) -> End {
        if self.signatures.callee_writes(callee) {
            self.own_mutable_reads();
        }
        let mut borrowed = args
            .iter()
            .enumerate()
            .filter(|&(index, _)| self.signatures.callee_mode(callee, index) == Mode::Borrowed)
            .map(|(_, &arg)| arg)
            .collect::<Vec<_>>();
        if let Callee::Closure(closure) = callee {
            borrowed.push(closure);
        }
        if borrowed.into_iter().all(|atom| self.outlives_function(atom)) {
            let operands: Vec<(Atom, Mode)> = args
                .iter()
                .enumerate()
                .map(|(index, &arg)| (arg, self.signatures.callee_mode(callee, index)))
                .collect();
            self.take(&operands, deaths);
            self.bury(deaths);
            return End::TailCall { callee, args, span };
        }
        let result = self.vars.push(VarInfo { ty: self.ret, name: None, span });
        let counted = self.types.counted(self.ret);
        if counted {
            self.counted.insert(result);
        }
        self.define(result, Op::Call(callee, args), deaths);
        // The result is owned and nothing else: it moves into the return.
        self.at.state.swap_remove(&result);
        End::Return(Atom::Var(result))
    }

    fn outlives_function(&self, atom: Atom) -> bool {
        let Atom::Var(mut var) = atom else { return true };
        if !self.counted.contains(var) {
            return true;
        }
        loop {
            match self.at.state.get(&var) {
                Some(status) if !status.owned => {}
                _ => return false,
            }
            match self.sources[var] {
                Source::Static => return true,
                Source::Owned | Source::Mutable(_) => return false,
                Source::Field { base, .. } | Source::Element(base) => var = base,
            }
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Joins

    /// Decides the status of a join's free variables; the state its body starts in.
    fn plan(&mut self, join: JoinId, params: &[Var]) -> State {
        let needs = std::mem::take(&mut self.join_needs[join]);
        let mut state = State::default();
        let mut plan = Vec::with_capacity(needs.len());
        for &var in &needs {
            let Some(&status) = self.at.state.get(&var) else { continue };
            let owned = status.owned || !self.borrow_holds(var, &needs);
            plan.push((var, Status { owned, dead: false }));
            state.insert(var, Status { owned, dead: false });
        }
        // What lies between a borrowed variable and its owner comes along.
        for &(var, status) in &plan {
            let mut at = var;
            let mut owned = status.owned;
            while !owned && let Some(base) = self.sources[at].base() {
                if state.contains_key(&base) {
                    break;
                }
                let Some(&status) = self.at.state.get(&base) else { break };
                owned = status.owned;
                state.insert(base, Status { owned, dead: true });
                at = base;
            }
        }
        self.plans[join] = plan;
        let modes = self.join_modes.modes.get(&join);
        for (index, &param) in params.iter().enumerate() {
            if self.counted.contains(param) {
                let borrowed = modes.is_some_and(|modes| modes[index] == Mode::Borrowed);
                if borrowed {
                    self.sources[param] = match self.join_modes.bases.get(&param) {
                        Some(&base) if state.contains_key(&base) => {
                            self.readers[base].push(param);
                            Source::Element(base)
                        }
                        _ => Source::Static,
                    };
                }
                state.insert(param, Status { owned: !borrowed, dead: false });
            }
        }
        self.join_needs[join] = needs;
        state
    }

    /// Is a borrowed variable still one at every jump to a join that needs these variables?
    fn borrow_holds(&self, var: Var, needs: &[Var]) -> bool {
        let mut at = var;
        loop {
            let base = match self.sources[at] {
                Source::Static => return true,
                Source::Owned | Source::Mutable(_) => return false,
                Source::Field { base, .. } | Source::Element(base) => base,
            };
            match self.at.state.get(&base) {
                Some(status) if status.owned => return needs.contains(&base),
                Some(_) => at = base,
                None => return false,
            }
        }
    }

    fn jump(&mut self, join: JoinId, args: &[Atom], deaths: &[Var]) {
        let modes = self.join_modes.modes.get(&join);
        let operands: Vec<(Atom, Mode)> = args
            .iter()
            .enumerate()
            .map(|(index, &arg)| (arg, modes.map_or(Mode::Owned, |modes| modes[index])))
            .collect();
        self.take(&operands, deaths);
        let plan = std::mem::take(&mut self.plans[join]);
        for &(var, status) in &plan {
            if status.owned && self.at.state.get(&var).is_some_and(|now| !now.owned) {
                self.give_owner(var);
            }
        }
        self.plans[join] = plan;
        self.bury(deaths);
    }

    // -----------------------------------------------------------------------------------------------
    // Ownership

    /// Gives the consumed operands away. `deaths`: what is not mentioned after.
    fn take(&mut self, operands: &[(Atom, Mode)], deaths: &[Var]) {
        for (at, &(atom, mode)) in operands.iter().enumerate() {
            let Atom::Var(var) = atom else { continue };
            if mode == Mode::Borrowed || !self.counted.contains(var) {
                continue;
            }
            let again = operands
                .iter()
                .enumerate()
                .any(|(other, &(atom, mode))| atom == Atom::Var(var) && (mode == Mode::Borrowed || other > at));
            self.consume(var, !again && deaths.contains(&var));
        }
    }

    /// Consumes one owner of the variable; `last`: it is not mentioned any more.
    fn consume(&mut self, var: Var, last: bool) {
        let Some(&status) = self.at.state.get(&var) else { return };
        if !last || !(status.owned || self.unwrap_zombies(var)) {
            self.at.out.push(Stmt::Dup(var));
            if last {
                self.bury(&[var]);
            }
            return;
        }
        for at in 0..self.readers[var].len() {
            let reader = self.readers[var][at];
            if self.at.state.get(&reader).is_some_and(|status| !status.owned) {
                self.dup_to_own(reader);
            }
        }
        self.at.state.swap_remove(&var);
    }

    /// Makes a borrowed variable owned.
    fn give_owner(&mut self, var: Var) {
        if !self.unwrap_zombies(var) {
            self.dup_to_own(var);
            self.settle_base(var);
        }
    }

    fn dup_to_own(&mut self, var: Var) {
        self.at.out.push(Stmt::Dup(var));
        if let Some(status) = self.at.state.get_mut(&var) {
            status.owned = true;
        }
    }

    /// If a borrowed variable is a field of a cell that only lives for such borrows, ends the cell: the variable is
    /// owned then.
    fn unwrap_zombies(&mut self, var: Var) -> bool {
        let Source::Field { base, .. } = self.sources[var] else { return false };
        let Some(&status) = self.at.state.get(&base) else { return false };
        if !status.dead || !(status.owned || self.unwrap_zombies(base)) {
            return false;
        }
        self.release(base);
        true
    }

    /// Ends a dead, owned variable; what was read from it becomes owned.
    fn release(&mut self, var: Var) {
        let mut moved: Vec<(u32, Var)> = Vec::new();
        let mut variant_read = 0;
        for at in 0..self.readers[var].len() {
            let reader = self.readers[var][at];
            if self.at.state.get(&reader).is_none_or(|status| status.owned) {
                continue;
            }
            match self.sources[reader] {
                Source::Field { variant, index, .. } if moved.iter().all(|&(seen, _)| seen != index) => {
                    variant_read = variant;
                    moved.push((index, reader));
                    if let Some(status) = self.at.state.get_mut(&reader) {
                        status.owned = true;
                    }
                }
                _ => self.dup_to_own(reader),
            }
        }
        self.at.state.swap_remove(&var);
        let ty = self.vars[var].ty;
        let everything_moved = match self.types.kind(ty) {
            Kind::Newtype => true,
            Kind::UnboxedProduct | Kind::UnboxedSum => {
                let fields = self.types.fields(ty, variant_read);
                fields.iter().enumerate().all(|(index, &field)| {
                    !self.types.counted(field) || moved.iter().any(|&(seen, _)| seen as usize == index)
                })
            }
            _ => false,
        };
        if !everything_moved {
            self.at.out.push(Stmt::Release { var, variant: variant_read, moved, token: None });
        }
    }

    /// Before a cell is built: ends a cell of the same size that only lives for what was read from it, so that its memory can
    /// be used.
    fn make_room(&mut self, var: Var, variant: u32) {
        let ty = self.vars[var].ty;
        let Some(class) = self.types.cell_class(ty, variant) else { return };
        for at in (0..self.at.state.len()).rev() {
            let Some((&zombie, &status)) = self.at.state.get_index(at) else { continue };
            if !status.dead || !status.owned {
                continue;
            }
            let variant = self.readers[zombie].iter().find_map(|&reader| match self.sources[reader] {
                Source::Field { variant, .. } if self.at.state.get(&reader).is_some_and(|status| !status.owned) => {
                    Some(variant)
                }
                _ => None,
            });
            if let Some(variant) = variant
                && self.types.cell_class(self.vars[zombie].ty, variant) == Some(class)
            {
                self.release(zombie);
                return;
            }
        }
    }

    /// Contents of mutable cells get an owner before something writes.
    fn own_mutable_reads(&mut self) {
        let reads: Vec<Var> = self
            .at
            .state
            .iter()
            .filter(|(var, status)| !status.owned && matches!(self.sources[**var], Source::Mutable(_)))
            .map(|(var, _)| *var)
            .collect();
        for var in reads {
            self.dup_to_own(var);
            self.settle_base(var);
        }
    }

    /// The variables are not mentioned any more.
    fn bury(&mut self, vars: &[Var]) {
        for var in vars {
            if let Some(status) = self.at.state.get_mut(var) {
                status.dead = true;
            }
        }
        for &var in vars {
            self.settle(var);
        }
    }

    /// Ends a dead variable unless something borrows from it.
    fn settle(&mut self, var: Var) {
        let Some(&status) = self.at.state.get(&var) else { return };
        if !status.dead {
            return;
        }
        let borrowed_from =
            self.readers[var].iter().any(|reader| self.at.state.get(reader).is_some_and(|status| !status.owned));
        if borrowed_from {
            return;
        }
        self.at.state.swap_remove(&var);
        if status.owned {
            self.drop_var(var);
        } else {
            self.settle_base(var);
        }
    }

    fn settle_base(&mut self, var: Var) {
        if let Some(base) = self.sources[var].base() {
            self.settle(base);
        }
    }

    fn drop_var(&mut self, var: Var) {
        if self.cold {
            return;
        }
        let ty = self.vars[var].ty;
        let stmt = match self.variants.get(&var) {
            Some(&variant) if matches!(self.types.kind(ty), Kind::BoxedSum | Kind::UnboxedSum) => {
                if !self.types.variant_counted(ty, variant) {
                    return;
                }
                Stmt::Release { var, variant, moved: Vec::new(), token: None }
            }
            _ => Stmt::Drop(var),
        };
        self.at.out.push(stmt);
    }
}
