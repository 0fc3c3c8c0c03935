//! Where are the fields of a cell read? All at once, at the first read of a block: the cell is dead the earlier, and what was
//! read from it can be updated in place.
//!
//! `r.xs := f(r.xs)` reads `xs`, calls `f`, then reads the other fields to build the new record. If those reads stayed
//! behind the call, the record would live through it and hold `xs`: `f` would have to copy it. Once `f` is inlined, they
//! may even lie in another block. So:
//! - the fields that the statements of one block read are read together;
//! - those that blocks inside it read come along if nothing else is done with the cell, and something read here is
//!   consumed, so that it pays to let the cell die.

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;

use super::types::{Kind, Types};
use crate::core::{Atom, Block, Callee, End, Function, Op, Stmt, Var, VarInfo};
use crate::prim::ArgModes;
use crate::walk;

pub fn gather(function: &mut Function, types: &Types) {
    lets_first(&mut function.body);
    let mut survey = Survey {
        vars: &function.vars,
        types,
        mentions: SecondaryMap::new(),
        consumed: EntitySet::new(),
        ends: Vec::new(),
    };
    survey.block(&function.body);
    let Survey { mentions, mut consumed, ends, .. } = survey;
    part_consumed(&function.body, &mut consumed);
    let mut gather = Gather { mentions, consumed, ends, number: 0, hoisted: SecondaryMap::new() };
    gather.block(&mut function.body);
}

/// Puts the join points of a block behind its other statements: nothing can jump to them before.
fn lets_first(block: &mut Block) {
    block.stmts.sort_by_key(|stmt| matches!(stmt, Stmt::Join(_)));
    for stmt in &mut block.stmts {
        if let Stmt::Join(join) = stmt {
            lets_first(&mut join.body);
        }
    }
    if let End::Switch(switch) = &mut block.end {
        walk::switch_blocks_mut(switch).for_each(lets_first);
    }
}

/// A mention of a cell, in a block by its number in preorder.
#[derive(Clone, Copy)]
struct Mention {
    block: u32,
    /// The field, its variant, and the variable it is read into; `None` if something else is done with the cell.
    read: Option<(u32, u32, Var)>,
}

struct Survey<'a> {
    vars: &'a PrimaryMap<Var, VarInfo>,
    types: &'a Types,
    /// Of boxed products and sums; in preorder.
    mentions: SecondaryMap<Var, Vec<Mention>>,
    /// What is given away somewhere.
    consumed: EntitySet<Var>,
    /// For each block, the number of the first one that does not lie inside it.
    ends: Vec<u32>,
}

impl Survey<'_> {
    fn block(&mut self, block: &Block) {
        let number = self.ends.len() as u32;
        self.ends.push(0);
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let(var, Op::Field { base: Atom::Var(base), variant, index }) => {
                    self.mention(*base, number, Some((*index, *variant, *var)));
                }
                Stmt::Let(_, op) => {
                    walk::op_atoms(op, &mut |atom| self.other(atom, number));
                    self.consume(op);
                }
                Stmt::Fill { addr, value } => {
                    self.other(Atom::Var(*addr), number);
                    self.other(*value, number);
                    self.give(*value);
                }
                _ => {}
            }
        }
        walk::end_atoms(&block.end, &mut |atom| self.other(atom, number));
        if !matches!(block.end, End::Switch(_)) {
            walk::end_atoms(&block.end, &mut |atom| self.give(atom));
        }
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                self.block(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            walk::switch_blocks(switch).for_each(|block| self.block(block));
        }
        self.ends[number as usize] = self.ends.len() as u32;
    }

    fn mention(&mut self, var: Var, block: u32, read: Option<(u32, u32, Var)>) {
        if matches!(self.types.kind(self.vars[var].ty), Kind::BoxedProduct | Kind::BoxedSum) {
            self.mentions[var].push(Mention { block, read });
        }
    }

    fn other(&mut self, atom: Atom, block: u32) {
        if let Atom::Var(var) = atom {
            self.mention(var, block, None);
        }
    }

    fn give(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.consumed.insert(var);
        }
    }

    /// Callees are assumed to consume.
    fn consume(&mut self, op: &Op) {
        match op {
            Op::Prim(prim, args) => match prim.args() {
                ArgModes::Borrow | ArgModes::BorrowFresh => {}
                ArgModes::Consume => args.iter().for_each(|&arg| self.give(arg)),
                ArgModes::BorrowFirst => args.iter().skip(1).for_each(|&arg| self.give(arg)),
            },
            Op::Call(Callee::Func(_) | Callee::Closure(_), args)
            | Op::Construct { args, .. }
            | Op::Closure(_, args)
            | Op::Array(args) => args.iter().for_each(|&arg| self.give(arg)),
            Op::Copy(atom) | Op::GlobalSet(_, atom) => self.give(*atom),
            Op::CallRuntime(..)
            | Op::CallForeign(..)
            | Op::Field { .. }
            | Op::Tag(_)
            | Op::GlobalGet(_)
            | Op::GlobalTake(_)
            | Op::FieldAddr { .. } => {}
        }
    }
}

/// What has a part that is consumed counts as consumed: definitions come before uses, so one walk from the end does.
fn part_consumed(block: &Block, consumed: &mut EntitySet<Var>) {
    if let End::Switch(switch) = &block.end {
        walk::switch_blocks(switch).for_each(|block| part_consumed(block, consumed));
    }
    for stmt in block.stmts.iter().rev() {
        match stmt {
            Stmt::Join(join) => part_consumed(&join.body, consumed),
            Stmt::Let(var, Op::Field { base: Atom::Var(base), .. }) if consumed.contains(*var) => {
                consumed.insert(*base);
            }
            _ => {}
        }
    }
}

struct Gather {
    mentions: SecondaryMap<Var, Vec<Mention>>,
    consumed: EntitySet<Var>,
    ends: Vec<u32>,
    /// Of the next block.
    number: u32,
    /// Reads that moved to a block further out, and the variable that holds the field there.
    hoisted: SecondaryMap<Var, Option<Var>>,
}

impl Gather {
    fn block(&mut self, block: &mut Block) {
        let number = self.number;
        self.number += 1;
        let mut groups: FxHashMap<(Var, u32), Vec<(u32, Var)>> = FxHashMap::default();
        for stmt in &mut block.stmts {
            walk::stmt_atoms_mut(stmt, &mut |atom| self.rename(atom));
            if let Stmt::Let(var, Op::Field { base: Atom::Var(base), variant, index }) = stmt
                && self.hoisted[*var].is_none()
            {
                groups.entry((*base, *variant)).or_default().push((*index, *var));
            }
        }
        walk::end_atoms_mut(&mut block.end, &mut |atom| self.rename(atom));
        let mut out = Vec::with_capacity(block.stmts.len());
        for stmt in std::mem::take(&mut block.stmts) {
            let Stmt::Let(var, Op::Field { base: Atom::Var(base), variant, .. }) = stmt else {
                out.push(stmt);
                continue;
            };
            if self.hoisted[var].is_some() {
                continue;
            }
            let Some(mut group) = groups.remove(&(base, variant)) else { continue };
            self.come_along(base, variant, number, &mut group);
            out.extend(group.into_iter().map(|(index, var)| {
                let base = Atom::Var(base);
                Stmt::Let(var, Op::Field { base, variant, index })
            }));
        }
        block.stmts = out;
        for stmt in &mut block.stmts {
            if let Stmt::Join(join) = stmt {
                self.block(&mut join.body);
            }
        }
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.block(block));
        }
    }

    /// Adds the reads of blocks inside this one to those of the block itself.
    fn come_along(&mut self, base: Var, variant: u32, number: u32, group: &mut Vec<(u32, Var)>) {
        if !group.iter().any(|&(_, var)| self.consumed.contains(var)) {
            return;
        }
        let mentions = &self.mentions[base];
        let from = mentions.partition_point(|mention| mention.block < number);
        let to = mentions.partition_point(|mention| mention.block < self.ends[number as usize]);
        let mut started = false;
        for mention in &mentions[from..to] {
            match mention.read {
                Some((_, read, _)) if read == variant => started = true,
                // What is done with the cell before its fields are read does no harm.
                _ if !started => {}
                _ => return,
            }
        }
        for mention in &mentions[from..to] {
            let Some((index, _, var)) = mention.read else { continue };
            if mention.block == number {
                continue;
            }
            let holder = match group.iter().find(|&&(seen, _)| seen == index) {
                Some(&(_, holder)) => holder,
                None => {
                    group.push((index, var));
                    var
                }
            };
            self.hoisted[var] = Some(holder);
        }
    }

    fn rename(&self, atom: &mut Atom) {
        if let Atom::Var(var) = atom
            && let Some(holder) = self.hoisted[*var]
        {
            *atom = Atom::Var(holder);
        }
    }
}
