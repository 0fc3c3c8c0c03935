//! What becomes of join points and of jumps to them?

use std::rc::Rc;

use cranelift_entity::SecondaryMap;
use reml_semantics::types::Type;
use rustc_hash::FxHashMap;

use super::{Next, Simplifier, Treatment, UNROLLED};
use crate::core::{Atom, Block, Case, End, Join, JoinId, JoinInfo, Op, Stmt, Switch, Var, VarInfo};
use crate::opt::OptLevel;
use crate::opt::copy::{Copier, substitute};
use crate::opt::facts::{Dispatch, JoinFacts, Meet, dispatch, size};
use crate::prim::PrimOp;
use crate::walk;

/// Joins are repeated that have no more ways through them: each of a chain of joins could double the code.
const HEAVIEST: u32 = 16;
/// Loops through known arrays and texts are unrolled up to this size of their body.
const LARGEST_UNROLLED: usize = 60;

impl Simplifier<'_, '_> {
    pub(super) fn join(&mut self, mut join: Box<Join>, out: &mut Vec<Stmt>, todo: &mut Vec<Stmt>) {
        if let Some(dispatch) = self.dispatching[join.id] {
            self.joins[join.id] = Treatment::Dispatch(join.clone(), dispatch);
            self.keep(join, out);
            return;
        }
        let facts = std::mem::take(&mut self.facts.joins[join.id]);
        if facts.jumps == 0 {
            self.changed = true;
            return;
        }
        if !join.recursive {
            if facts.jumps == 1 {
                self.changed = true;
                let id = join.id;
                self.joins[id] = Treatment::Once(Some(join));
                return;
            }
            let weight = self.weight(&join.body);
            if facts.small && weight <= HEAVIEST && !self.ends_in_once(&join.body) {
                let id = join.id;
                self.weights[id] = weight;
                self.joins[id] = Treatment::Repeat(join);
                self.changed = true;
                return;
            }
        }
        let mut removed = vec![false; join.params.len()];
        for (index, fact) in facts.args.iter().enumerate().take(join.params.len()) {
            let param = join.params[index];
            if let Meet::Same(atom) = fact.meet {
                let atom = self.resolve(atom);
                let in_scope = match atom {
                    Atom::Var(var) => self.bound[var],
                    _ => true,
                };
                if in_scope && atom != Atom::Var(param) {
                    self.atoms[param] = Some(atom);
                    removed[index] = true;
                    continue;
                }
            }
            removed[index] = fact.dead;
        }
        let known: Vec<bool> =
            facts.args.iter().zip(&removed).filter_map(|(fact, &removed)| (!removed).then_some(fact.known)).collect();
        if removed.contains(&true) {
            self.changed = true;
            let mut keep = removed.iter();
            join.params.retain(|_| !keep.next().is_some_and(|&removed| removed));
            self.removed[join.id] = removed;
        }
        if let Some(dispatch) = dispatch(&join)
            && match dispatch {
                Dispatch::Param(index) => known.get(index) == Some(&true),
                Dispatch::Outer(_) => facts.outer_known,
            }
            && !self.branches_to_once(&join.body.end)
        {
            self.split(join, dispatch, todo);
            return;
        }
        if self.removed[join.id].is_empty() && !matches!(self.joins[join.id], Treatment::Unroll(..)) {
            self.spread(&mut join, &known);
        }
        if let Some((index, times)) = self.unrolled(&join) {
            self.joins[join.id] = Treatment::Unroll(Rc::new((*join).clone()), index, times);
        }
        self.keep(join, out);
    }

    fn weight(&self, block: &Block) -> u32 {
        match &block.end {
            End::Switch(switch) => {
                walk::switch_blocks(switch).fold(0, |sum: u32, block| sum.saturating_add(self.weight(block)))
            }
            End::Jump(join, _) if matches!(self.joins[*join], Treatment::Repeat(_)) => self.weights[*join],
            _ => 1,
        }
    }

    /// Writes a join point.
    fn keep(&mut self, mut join: Box<Join>, out: &mut Vec<Stmt>) {
        for &param in &join.params {
            self.bound[param] = true;
        }
        let before = self.jumps[join.id];
        join.body = self.block(join.body);
        self.own_jumps[join.id] = self.jumps[join.id] - before;
        if join.recursive && self.own_jumps[join.id] == 0 {
            join.recursive = false;
            self.changed = true;
        }
        out.push(Stmt::Join(join));
    }

    /// Replaces parameters that are tuples, of which only the parts are used, by those parts. What is known of the parts is known again then.
    fn spread(&mut self, join: &mut Join, known: &[bool]) {
        let mut counts = vec![0; join.params.len()];
        let mut params = Vec::new();
        for (index, &param) in join.params.iter().enumerate() {
            let Type::Tuple(items) = self.types.get(self.vars[param].ty) else { continue };
            if known.get(index) == Some(&true) && items.len() > 1 && only_read(&join.body, param) {
                counts[index] = items.len();
            }
        }
        if counts.iter().all(|&count| count == 0) {
            return;
        }
        self.changed = true;
        let mut stmts = Vec::new();
        for (&param, &count) in join.params.iter().zip(&counts) {
            if count == 0 {
                params.push(param);
                continue;
            }
            let Type::Tuple(items) = self.types.get(self.vars[param].ty).clone() else { continue };
            let VarInfo { span, .. } = self.vars[param];
            let parts: Vec<Var> = items.iter().map(|&ty| self.vars.push(VarInfo { ty, name: None, span })).collect();
            let args = parts.iter().map(|&part| Atom::Var(part)).collect();
            stmts.push(Stmt::Let(param, Op::Construct { variant: 0, args, token: None }));
            params.extend(parts);
        }
        join.params = params;
        stmts.append(&mut join.body.stmts);
        join.body.stmts = stmts;
        self.spread[join.id] = counts;
    }

    /// A jump to a join whose parameters were spread.
    fn spread_args(&mut self, join: JoinId, args: &[Atom]) -> Next {
        let counts = self.spread[join].clone();
        let mut stmts = Vec::new();
        let mut all = Vec::new();
        for (&arg, &count) in args.iter().zip(&counts) {
            let Atom::Var(tuple) = arg else {
                all.push(arg);
                continue;
            };
            if count == 0 {
                all.push(arg);
                continue;
            }
            let Type::Tuple(items) = self.types.get(self.vars[tuple].ty).clone() else { continue };
            let VarInfo { span, .. } = self.vars[tuple];
            for (index, &ty) in (0..).zip(&items) {
                let part = self.vars.push(VarInfo { ty, name: None, span });
                stmts.push(Stmt::Let(part, Op::Field { base: arg, variant: 0, index }));
                all.push(Atom::Var(part));
            }
        }
        Next::Continue(Block::new(stmts, End::Jump(join, all)))
    }

    /// Gives each branch of a join that begins with a switch a join of its own.
    fn split(&mut self, mut join: Box<Join>, dispatch: Dispatch, todo: &mut Vec<Stmt>) {
        self.changed = true;
        let param = match dispatch {
            Dispatch::Param(index) => Some(join.params[index]),
            Dispatch::Outer(_) => None,
        };
        let (joins, lets): (Vec<Stmt>, Vec<Stmt>) =
            join.body.stmts.drain(..).partition(|stmt| matches!(stmt, Stmt::Join(_)));
        let defined = lets.iter().filter_map(|stmt| match stmt {
            Stmt::Let(var, _) => Some(*var),
            _ => None,
        });
        let shared: Vec<Var> = defined.chain(join.params.iter().copied()).collect();
        let mut branches = Vec::new();
        let End::Switch(switch) = &mut join.body.end else { unreachable!("a dispatching join switches") };
        let inner = self.move_out(joins, &shared, switch);
        join.body.stmts = lets;
        for (case, block) in &mut switch.cases {
            branches.push(self.outline(block, param.map(|param| (param, *case)), &shared));
        }
        if let Some(block) = &mut switch.default {
            branches.push(self.outline(block, None, &shared));
        }
        self.dispatching[join.id] = Some(dispatch);
        // A stack: the branches come before the join that jumps to them.
        todo.push(Stmt::Join(join));
        todo.extend(branches.into_iter().flatten().map(|branch| Stmt::Join(Box::new(branch))));
        todo.extend(inner.into_iter().rev().map(|inner| Stmt::Join(Box::new(inner))));
    }

    /// The join points inside of one that is split, to stand beside it: they get what they use of `shared` as parameters.
    fn move_out(&mut self, joins: Vec<Stmt>, shared: &[Var], switch: &mut Switch) -> Vec<Join> {
        let mut more: FxHashMap<JoinId, Vec<Atom>> = FxHashMap::default();
        let mut moved = Vec::with_capacity(joins.len());
        for stmt in joins {
            let Stmt::Join(mut join) = stmt else { continue };
            pass_more(&mut join.body, &more);
            let (params, args) = self.parameters(&mut join.body, shared);
            if !params.is_empty() {
                if join.recursive {
                    let own = params.iter().map(|&param| Atom::Var(param)).collect();
                    pass_more(&mut join.body, &FxHashMap::from_iter([(join.id, own)]));
                }
                join.params.extend(params);
                more.insert(join.id, args);
            }
            // The switch that jumps there will be repeated.
            let facts = &mut self.facts.joins[join.id];
            facts.jumps = facts.jumps.saturating_mul(2);
            moved.push(*join);
        }
        walk::switch_blocks_mut(switch).for_each(|block| pass_more(block, &more));
        moved
    }

    /// Makes a block use parameters of its own for what it uses of `shared`: these, and what to pass for them.
    fn parameters(&mut self, block: &mut Block, shared: &[Var]) -> (Vec<Var>, Vec<Atom>) {
        let mut used: SecondaryMap<Var, bool> = SecondaryMap::new();
        walk::block_atoms_mut(block, &mut |atom| {
            if let Atom::Var(var) = atom {
                used[*var] = true;
            }
        });
        let mut renamed: SecondaryMap<Var, Option<Atom>> = SecondaryMap::new();
        let mut params = Vec::new();
        let mut args = Vec::new();
        for &var in shared.iter().filter(|var| used[**var]) {
            let info = self.vars[var].clone();
            let local = self.vars.push(info);
            renamed[var] = Some(Atom::Var(local));
            params.push(local);
            args.push(Atom::Var(var));
        }
        if !params.is_empty() {
            substitute(block, &renamed);
        }
        (params, args)
    }

    /// Moves a branch into a join whose parameters are the fields it reads of the scrutinee and what else it
    /// uses of `shared`; the branch becomes a jump there.
    fn outline(&mut self, block: &mut Block, arm: Option<(Var, Case)>, shared: &[Var]) -> Option<Join> {
        if block.stmts.is_empty() && !matches!(block.end, End::Switch(_)) {
            return None;
        }
        let mut body = std::mem::replace(block, Block::new(Vec::new(), End::Unreachable));
        let mut params = Vec::new();
        let mut args = Vec::new();
        if let Some((scrutinee, Case::Variant(variant))) = arm {
            // Fields of the scrutinee read first thing in the branch become parameters.
            body.stmts.retain(|stmt| match stmt {
                Stmt::Let(var, op @ Op::Field { base: Atom::Var(base), variant: read, .. })
                    if *base == scrutinee && *read == variant =>
                {
                    let info = self.vars[*var].clone();
                    let local = self.vars.push(info);
                    block.stmts.push(Stmt::Let(local, op.clone()));
                    params.push(*var);
                    args.push(Atom::Var(local));
                    false
                }
                _ => true,
            });
        }
        let (more, passed) = self.parameters(&mut body, shared);
        params.extend(more);
        args.extend(passed);
        let id = self.join_table.push(JoinInfo::default());
        self.facts.joins[id] = JoinFacts { jumps: 2, ..Default::default() };
        block.end = End::Jump(id, args);
        Some(Join { id, params, recursive: false, body })
    }

    /// Whether a loop goes through a known array or text, from one element to the next: by which parameter, and how often.
    fn unrolled(&self, join: &Join) -> Option<(usize, usize)> {
        if !join.recursive || self.removal.level == OptLevel::Debug || self.ends_in_once(&join.body) {
            return None;
        }
        let through = Through::of(&join.body, join.id);
        if through.jumps != 1 {
            return None;
        }
        through.indexed.iter().find_map(|&(of, by)| {
            let index = join.params.iter().position(|&param| param == by)?;
            let length = match self.resolve(of) {
                Atom::Str(text) => self.texts[text].len(),
                Atom::Var(array) => self.knowledge.array(array)?.len(),
                _ => return None,
            };
            (length <= UNROLLED && size(&join.body) <= LARGEST_UNROLLED).then_some((index, length + 1))
        })
    }

    pub(super) fn jump(&mut self, join: JoinId, mut args: Vec<Atom>) -> Next {
        let mut removed = self.removed[join].iter();
        args.retain(|_| !removed.next().is_some_and(|&removed| removed));
        if self.spread[join].len() == args.len() && !args.is_empty() {
            return self.spread_args(join, &args);
        }
        match &mut self.joins[join] {
            Treatment::Keep => {}
            Treatment::Once(body) => {
                let Some(body) = body.take() else { unreachable!("two jumps to a join that is jumped to once") };
                for (&param, &arg) in body.params.iter().zip(&args) {
                    self.atoms[param] = Some(arg);
                }
                return Next::Continue(body.body);
            }
            Treatment::Repeat(body) => {
                let body = body.clone();
                return self.repeat(&body, &args);
            }
            Treatment::Dispatch(body, dispatch) => {
                let body = body.clone();
                let on = match *dispatch {
                    Dispatch::Param(index) => args[index],
                    Dispatch::Outer(var) => self.resolve(Atom::Var(var)),
                };
                let known = match on {
                    Atom::Var(var) => self.knowledge.variant(var).is_some(),
                    _ => true,
                };
                if known {
                    return self.repeat(&body, &args);
                }
            }
            Treatment::Unroll(body, index, times) => {
                if *times > 0 && matches!(args[*index], Atom::Int(..)) {
                    *times -= 1;
                    let body = body.clone();
                    let next = self.repeat(&body, &args);
                    if let Next::Continue(block) = &next {
                        self.facts.scan(block, self.removal);
                    }
                    return next;
                }
            }
        }
        self.jumps[join] += 1;
        args.iter().for_each(|&arg| self.mention(arg));
        Next::Done(End::Jump(join, args))
    }

    /// Whether the block jumps to a join outside that is to be moved to its only jump: there can be no copy of the block then.
    fn ends_in_once(&self, block: &Block) -> bool {
        let inner = block.stmts.iter().any(|stmt| matches!(stmt, Stmt::Join(join) if self.ends_in_once(&join.body)));
        inner
            || match &block.end {
                End::Jump(join, _) => matches!(self.joins[*join], Treatment::Once(_)),
                End::Switch(switch) => walk::switch_blocks(switch).any(|block| self.ends_in_once(block)),
                _ => false,
            }
    }

    /// The same for a switch whose branches do not go with it, save those that are nothing but a jump.
    fn branches_to_once(&self, end: &End) -> bool {
        let End::Switch(switch) = end else { return false };
        walk::switch_blocks(switch).any(|block| {
            block.stmts.is_empty()
                && matches!(block.end, End::Jump(join, _) if matches!(self.joins[join], Treatment::Once(_)))
        })
    }

    fn repeat(&mut self, join: &Join, args: &[Atom]) -> Next {
        self.changed = true;
        let mut copier = Copier::new(None, self.vars, self.join_table);
        for (&param, &arg) in join.params.iter().zip(args) {
            copier.replace(param, arg);
        }
        Next::Continue(copier.block(&join.body))
    }
}

/// Whether a block does nothing with a variable but read its fields.
fn only_read(block: &Block, var: Var) -> bool {
    let mut whole = false;
    let mut see = |atom| whole |= atom == Atom::Var(var);
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(_, Op::Field { .. }) => {}
                Stmt::Let(_, op) => walk::op_atoms(op, &mut see),
                Stmt::Join(join) => blocks.push(&join.body),
                Stmt::Fill { value, .. } => see(*value),
                Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
            }
        }
        walk::end_atoms(&block.end, &mut see);
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
    !whole
}

/// What a loop reads elements of, and by which variable; how many jumps go back to its start.
#[derive(Default)]
struct Through {
    indexed: Vec<(Atom, Var)>,
    jumps: usize,
}

impl Through {
    fn of(body: &Block, join: JoinId) -> Through {
        let mut through = Through::default();
        let mut blocks = vec![body];
        while let Some(block) = blocks.pop() {
            for stmt in &block.stmts {
                match stmt {
                    Stmt::Let(_, Op::Prim(PrimOp::ArrayGetUnchecked | PrimOp::ArrayGet | PrimOp::StrByte, args)) => {
                        if let [of, Atom::Var(by)] = args[..] {
                            through.indexed.push((of, by));
                        }
                    }
                    Stmt::Join(join) => blocks.push(&join.body),
                    _ => {}
                }
            }
            match &block.end {
                End::Jump(target, _) => through.jumps += usize::from(*target == join),
                End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
                _ => {}
            }
        }
        through
    }
}

/// Makes jumps pass more arguments.
fn pass_more(block: &mut Block, more: &FxHashMap<JoinId, Vec<Atom>>) {
    if more.is_empty() {
        return;
    }
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            pass_more(&mut join.body, more);
        }
    }
    match &mut block.end {
        End::Jump(join, args) => args.extend(more.get(join).into_iter().flatten()),
        End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| pass_more(block, more)),
        _ => {}
    }
}
