//! Which counted variables are needed after each point?
//!
//! A join point's free variables are needed at every jump to it. They are found first, over the whole function;
//! then one backward walk gives, for every statement, the variables that it is the last to mention.

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};
use rustc_hash::FxHashSet;

use crate::core::{Atom, Block, End, Function, JoinId, Stmt, Var};
use crate::walk;

/// The liveness of a block, in the shape of the block.
pub struct Live {
    /// Needed on some other branch of the switch, but not on this one.
    pub dead_on_entry: Vec<Var>,
    /// By statement: variables mentioned (or defined) there and not needed after.
    pub deaths: Vec<Vec<Var>>,
    /// Variables mentioned by the end.
    pub end_deaths: Vec<Var>,
    /// Of the join points of the block, in order, then of the branches of its switch.
    pub inner: Vec<Live>,
}

pub struct Liveness {
    pub body: Live,
    /// Variables from outside that each join point needs, sorted.
    pub join_needs: SecondaryMap<JoinId, Vec<Var>>,
}

/// The variables from outside that each join point needs, sorted.
pub fn join_needs(function: &Function, counted: &EntitySet<Var>) -> SecondaryMap<JoinId, Vec<Var>> {
    let mut needs = Needs {
        counted,
        home: SecondaryMap::new(),
        context: SecondaryMap::new(),
        uses: SecondaryMap::new(),
        jumps: SecondaryMap::new(),
        order: Vec::new(),
    };
    needs.block(&function.body, None);
    needs.close()
}

pub fn liveness(function: &Function, counted: &EntitySet<Var>) -> Liveness {
    let join_needs = join_needs(function, counted);
    let mut walker = Walker { counted, join_needs };
    let (mut body, live) = walker.block(&function.body);
    body.dead_on_entry =
        function.params.iter().copied().filter(|param| counted.contains(*param) && !live.contains(param)).collect();
    Liveness { body, join_needs: walker.join_needs }
}

/// Finds the free variables of join points.
struct Needs<'a> {
    counted: &'a EntitySet<Var>,
    /// The innermost join body that defines a variable.
    home: SecondaryMap<Var, Option<JoinId>>,
    /// The innermost join body around a join point.
    context: SecondaryMap<JoinId, Option<JoinId>>,
    uses: SecondaryMap<JoinId, FxHashSet<Var>>,
    jumps: SecondaryMap<JoinId, Vec<JoinId>>,
    order: Vec<JoinId>,
}

impl Needs<'_> {
    fn block(&mut self, block: &Block, inside: Option<JoinId>) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, op) => {
                    walk::op_atoms(op, &mut |atom| self.mention(atom, inside));
                    self.home[*var] = inside;
                }
                Stmt::Join(join) => {
                    self.context[join.id] = inside;
                    self.order.push(join.id);
                    for &param in &join.params {
                        self.home[param] = Some(join.id);
                    }
                    self.block(&join.body, Some(join.id));
                }
                Stmt::Fill { addr, value } => {
                    self.mention(Atom::Var(*addr), inside);
                    self.mention(*value, inside);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        walk::end_atoms(&block.end, &mut |atom| self.mention(atom, inside));
        match &block.end {
            End::Jump(target, _) => {
                let outside = self.context[*target];
                let mut at = inside;
                while at != outside {
                    let Some(join) = at else { break };
                    if join != *target && !self.jumps[join].contains(target) {
                        self.jumps[join].push(*target);
                    }
                    at = self.context[join];
                }
            }
            End::Switch(switch) => walk::switch_blocks(switch).for_each(|block| self.block(block, inside)),
            End::Return(_) | End::TailCall { .. } | End::Unreachable => {}
        }
    }

    fn mention(&mut self, atom: Atom, inside: Option<JoinId>) {
        let Atom::Var(var) = atom else { return };
        if !self.counted.contains(var) {
            return;
        }
        let home = self.home[var];
        let mut at = inside;
        while at != home {
            let Some(join) = at else { break };
            if !self.uses[join].insert(var) {
                break;
            }
            at = self.context[join];
        }
    }

    /// Adds what a join point's body needs because it jumps to joins around it. Those come earlier in the
    /// order, so each is complete when it is asked for.
    fn close(mut self) -> SecondaryMap<JoinId, Vec<Var>> {
        let mut needs: SecondaryMap<JoinId, Vec<Var>> = SecondaryMap::new();
        for &join in &self.order {
            let mut set = std::mem::take(&mut self.uses[join]);
            for &target in &self.jumps[join] {
                set.extend(needs[target].iter().copied());
            }
            let mut list: Vec<Var> = set.into_iter().collect();
            list.sort_unstable_by_key(|var| var.index());
            needs[join] = list;
        }
        needs
    }
}

struct Walker<'a> {
    counted: &'a EntitySet<Var>,
    join_needs: SecondaryMap<JoinId, Vec<Var>>,
}

impl Walker<'_> {
    /// What a mention keeps alive.
    fn counted_var(&self, atom: Atom) -> Option<Var> {
        let Atom::Var(var) = atom else { return None };
        self.counted.contains(var).then_some(var)
    }

    /// The liveness of a block and what is live at its start.
    fn block(&mut self, block: &Block) -> (Live, FxHashSet<Var>) {
        let mut branches = Vec::new();
        let mut live: FxHashSet<Var> = FxHashSet::default();
        let mut end_deaths = Vec::new();
        match &block.end {
            End::Jump(join, _) => live.extend(self.join_needs[*join].iter().copied()),
            End::Switch(switch) => {
                let mut sets = Vec::new();
                for branch in walk::switch_blocks(switch) {
                    let (inner, set) = self.block(branch);
                    branches.push(inner);
                    sets.push(set);
                }
                live = self.union(&mut branches, sets, switch.scrutinee);
            }
            End::Return(_) | End::TailCall { .. } | End::Unreachable => {}
        }
        walk::end_atoms(&block.end, &mut |atom| {
            if let Some(var) = self.counted_var(atom)
                && live.insert(var)
            {
                end_deaths.push(var);
            }
        });
        let mut deaths = vec![Vec::new(); block.stmts.len()];
        let mut joins = Vec::new();
        for (at, stmt) in block.stmts.iter().enumerate().rev() {
            let dying = &mut deaths[at];
            let mut mention = |atom: Atom, live: &mut FxHashSet<Var>| {
                if let Some(var) = self.counted_var(atom)
                    && live.insert(var)
                {
                    dying.push(var);
                }
            };
            match stmt {
                Stmt::Let(var, op) => {
                    let used = live.remove(var);
                    walk::op_atoms(op, &mut |atom| mention(atom, &mut live));
                    if !used && self.counted.contains(*var) {
                        dying.push(*var);
                    }
                }
                Stmt::Fill { addr, value } => {
                    mention(*value, &mut live);
                    mention(Atom::Var(*addr), &mut live);
                }
                Stmt::Join(join) => {
                    let (mut inner, at_start) = self.block(&join.body);
                    inner.dead_on_entry = join
                        .params
                        .iter()
                        .copied()
                        .filter(|param| self.counted.contains(*param) && !at_start.contains(param))
                        .collect();
                    joins.push(inner);
                }
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        joins.reverse();
        joins.extend(branches);
        (Live { dead_on_entry: Vec::new(), deaths, end_deaths, inner: joins }, live)
    }

    /// What is live before a switch; notes in each branch what dies on the way into it.
    fn union(&self, branches: &mut [Live], sets: Vec<FxHashSet<Var>>, scrutinee: Atom) -> FxHashSet<Var> {
        let mut all: FxHashSet<Var> = FxHashSet::default();
        for set in &sets {
            all.extend(set.iter().copied());
        }
        let scrutinee = match scrutinee {
            Atom::Var(var) if self.counted.contains(var) => Some(var),
            _ => None,
        };
        let mut sorted: Vec<Var> = all.iter().copied().chain(scrutinee).collect();
        sorted.sort_unstable_by_key(|var| var.index());
        sorted.dedup();
        for (branch, set) in branches.iter_mut().zip(&sets) {
            branch.dead_on_entry = sorted.iter().copied().filter(|var| !set.contains(var)).collect();
        }
        all
    }
}
