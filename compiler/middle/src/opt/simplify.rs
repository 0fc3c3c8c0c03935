//! What is left of a function when everything known is made use of?
//!
//! One forward walk that rewrites a function, then does it again while it pays:
//! - copies and literals are propagated, primitives folded, pure ones computed once;
//! - a field of a known constructor is its argument; a switch on a known one takes its arm; an arm knows the variant of
//!   the scrutinee; rebuilding a value from its own fields gives the value;
//! - a join point that is jumped to once moves to the jump; a small one is repeated at its jumps; one that switches on
//!   something that some jump knows is split into a join per branch, so that such jumps go straight to theirs (case of case, jump
//!   threading); a loop through a known array or text is unrolled;
//! - parameters of join points that always get the same value, or on which nothing depends, disappear; tuples become their parts;
//! - a call of a known closure is a direct call; calls that [`super::inline`] favours are replaced by the body;
//! - tests of one value for several constants, one after the other, become one switch;
//! - what nothing uses is removed.
//!
//! Atoms stay in scope wherever the variable that stood for them was: scopes nest, and a definition's operands are
//! defined before it.

mod calls;
mod comparisons;
mod joins;

use std::rc::Rc;

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_semantics::types::{TypeId, TypeStore};

use super::copy::return_to;
use super::facts::{Dispatch, Facts, literal_case};
use super::fold::{Texts, fold};
use super::inline::Inliner;
use super::known::Knowledge;
use super::removal::Removal;
use crate::core::{Atom, Block, Case, End, FuncId, Function, Join, JoinId, JoinInfo, Op, Stmt, Switch, Var, VarInfo};
use crate::prim::PrimOp;
use crate::walk;

/// Loops through known arrays and texts are unrolled up to this length.
const UNROLLED: usize = 32;

/// Rewrites the function; `true` if another round may find more.
pub fn simplify(
    function: &mut Function,
    funcs: &PrimaryMap<FuncId, Function>,
    types: &mut TypeStore,
    texts: &Texts,
    variants: &super::Variants,
    inliner: &mut Inliner,
    removal: Removal,
) -> bool {
    let mut facts = Facts::default();
    facts.scan(&function.body, removal);
    let body = std::mem::replace(&mut function.body, Block::new(Vec::new(), End::Unreachable));
    let mut simplifier = Simplifier {
        funcs,
        types,
        texts,
        variants,
        inliner,
        removal,
        vars: &mut function.vars,
        join_table: &mut function.joins,
        facts,
        atoms: SecondaryMap::new(),
        knowledge: Knowledge::default(),
        uses: SecondaryMap::new(),
        jumps: SecondaryMap::new(),
        own_jumps: SecondaryMap::new(),
        joins: SecondaryMap::new(),
        removed: SecondaryMap::new(),
        spread: SecondaryMap::new(),
        weights: SecondaryMap::new(),
        dispatching: SecondaryMap::new(),
        bound: SecondaryMap::new(),
        changed: false,
    };
    for &param in &function.params {
        simplifier.bound[param] = true;
    }
    let body = simplifier.block(body);
    let changed = simplifier.changed;
    function.body = body;
    changed
}

#[derive(Clone, Default)]
enum Treatment {
    /// A join point of the result.
    #[default]
    Keep,
    /// The body moves to the only jump.
    Once(Option<Box<Join>>),
    /// The body is repeated at every jump.
    Repeat(Box<Join>),
    /// The body switches on this: repeated at jumps that know its value.
    Dispatch(Box<Join>, Dispatch),
    /// A loop through something known, by this parameter: repeated at jumps that pass a literal for it, so many times.
    Unroll(Rc<Join>, usize, usize),
}

struct Simplifier<'a, 'p> {
    funcs: &'a PrimaryMap<FuncId, Function>,
    types: &'a mut TypeStore,
    texts: &'a Texts,
    variants: &'a super::Variants,
    inliner: &'a mut Inliner<'p>,
    removal: Removal<'a>,
    vars: &'a mut PrimaryMap<Var, VarInfo>,
    join_table: &'a mut PrimaryMap<JoinId, JoinInfo>,
    facts: Facts,
    /// What a variable of the input has become.
    atoms: SecondaryMap<Var, Option<Atom>>,
    knowledge: Knowledge,
    /// Mentions in the code written so far.
    uses: SecondaryMap<Var, u32>,
    jumps: SecondaryMap<JoinId, u32>,
    /// Those of a join's own body.
    own_jumps: SecondaryMap<JoinId, u32>,
    joins: SecondaryMap<JoinId, Treatment>,
    /// The parameters of a join that were removed, if any were.
    removed: SecondaryMap<JoinId, Vec<bool>>,
    /// How many parameters have taken the place of each, if any were spread; 0 for those that were not.
    spread: SecondaryMap<JoinId, Vec<usize>>,
    /// How many ways there are through the body of a join that is repeated, those through what it jumps to included.
    weights: SecondaryMap<JoinId, u32>,
    /// Joins that have been split, and what they switch on.
    dispatching: SecondaryMap<JoinId, Option<Dispatch>>,
    /// Defined already: in scope at a join whose jumps all mention it.
    bound: SecondaryMap<Var, bool>,
    changed: bool,
}

enum Result {
    Atom(Atom),
    Op(Op),
    /// Does not return.
    Diverges(Op),
    Inline(Block),
}

impl Simplifier<'_, '_> {
    fn resolve(&self, atom: Atom) -> Atom {
        let mut atom = atom;
        while let Atom::Var(var) = atom {
            match self.atoms[var] {
                Some(next) => atom = next,
                None => return self.knowledge.refined(var),
            }
        }
        atom
    }

    fn block(&mut self, block: Block) -> Block {
        let mark = self.knowledge.mark();
        let mut out: Vec<Stmt> = Vec::with_capacity(block.stmts.len());
        let mut todo = stack(block.stmts);
        let mut end = block.end;
        let end = loop {
            while let Some(stmt) = todo.pop() {
                self.stmt(stmt, &mut out, &mut todo, &mut end);
            }
            match self.end(end) {
                Next::Done(end) => break end,
                Next::Continue(block) => {
                    todo = stack(block.stmts);
                    end = block.end;
                }
            }
        };
        self.knowledge.undo(mark);
        self.sweep(&mut out);
        Block::new(out, end)
    }

    fn stmt(&mut self, stmt: Stmt, out: &mut Vec<Stmt>, todo: &mut Vec<Stmt>, end: &mut End) {
        match stmt {
            Stmt::Let(var, op) => match self.op(var, op) {
                Result::Atom(atom) => {
                    self.atoms[var] = Some(atom);
                    self.changed = true;
                }
                Result::Op(op) => self.emit(var, op, out),
                Result::Diverges(op) => {
                    self.emit(var, op, out);
                    todo.clear();
                    *end = End::Unreachable;
                }
                Result::Inline(mut body) => {
                    self.changed = true;
                    let rest: Vec<Stmt> = todo.drain(..).rev().collect();
                    let rest = Block::new(rest, std::mem::replace(end, End::Unreachable));
                    let id = self.join_table.push(JoinInfo::default());
                    let info = self.vars[var].clone();
                    return_to(&mut body, id, &info, self.vars);
                    self.facts.scan(&body, self.removal);
                    let join = Box::new(Join { id, params: vec![var], recursive: false, body: rest });
                    *todo = stack(body.stmts);
                    // The body's own joins may jump there.
                    let lets = todo.iter().rev().take_while(|stmt| !matches!(stmt, Stmt::Join(_))).count();
                    todo.insert(todo.len() - lets, Stmt::Join(join));
                    *end = body.end;
                }
            },
            Stmt::Join(join) => self.join(join, out, todo),
            Stmt::Fill { addr, value } => {
                let value = self.resolve(value);
                let Atom::Var(addr) = self.resolve(Atom::Var(addr)) else { unreachable!("an address is a variable") };
                self.mention(Atom::Var(addr));
                self.mention(value);
                out.push(Stmt::Fill { addr, value });
            }
            other => out.push(other),
        }
    }

    fn mention(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.uses[var] += 1;
        }
    }

    fn emit(&mut self, var: Var, op: Op, out: &mut Vec<Stmt>) {
        walk::op_atoms(&op, &mut |atom| {
            if let Atom::Var(used) = atom {
                self.uses[used] += 1;
            }
        });
        self.bound[var] = true;
        self.knowledge.define(var, &op, self.vars[var].ty);
        out.push(Stmt::Let(var, op));
    }

    // -----------------------------------------------------------------------------------------------
    // Operations

    fn op(&mut self, var: Var, mut op: Op) -> Result {
        walk::op_atoms_mut(&mut op, &mut |atom| *atom = self.resolve(*atom));
        let ty = self.vars[var].ty;
        match op {
            Op::Copy(atom) => match atom {
                Atom::Var(source) if self.vars[source].ty != ty => Result::Op(op),
                Atom::Int(value, from) if from != ty => Result::Atom(Atom::Int(value, ty)),
                _ => Result::Atom(atom),
            },
            Op::Field { base: Atom::Var(base), variant, index } => match self.knowledge.field(base, variant, index) {
                Some(atom) => Result::Atom(atom),
                None => Result::Op(op),
            },
            Op::Tag(atom) => match self.variant(atom) {
                Some(variant) => Result::Atom(Atom::Int(variant.into(), ty)),
                None => Result::Op(op),
            },
            Op::Construct { variant, ref args, .. } => {
                match self.knowledge.rebuilt(variant, args, ty, |var| self.vars[var].ty) {
                    Some(same) => Result::Atom(Atom::Var(same)),
                    None => Result::Op(op),
                }
            }
            Op::Prim(prim, ref args) => {
                if let Some(atom) =
                    fold(self.types, self.texts, prim, args, ty).or_else(|| self.knowledge.prim(prim, args, ty))
                {
                    return Result::Atom(atom);
                }
                if self.types.is_never(ty) && prim == PrimOp::Panic { Result::Diverges(op) } else { Result::Op(op) }
            }
            Op::Call(callee, args) => match self.call(callee, args, self.vars[var].span) {
                Ok(body) => Result::Inline(body),
                Err((callee, args)) => {
                    let op = Op::Call(callee, args);
                    if self.types.is_never(ty) { Result::Diverges(op) } else { Result::Op(op) }
                }
            },
            Op::CallRuntime(..) | Op::CallForeign(..) if self.types.is_never(ty) => Result::Diverges(op),
            other => Result::Op(other),
        }
    }

    fn variant(&self, atom: Atom) -> Option<u32> {
        match atom {
            Atom::Var(var) => self.knowledge.variant(var),
            Atom::Int(value, _) => u32::try_from(value).ok(),
            _ => None,
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Ends

    fn end(&mut self, mut end: End) -> Next {
        walk::end_atoms_mut(&mut end, &mut |atom| *atom = self.resolve(*atom));
        match end {
            End::Return(atom) => {
                self.mention(atom);
                Next::Done(End::Return(atom))
            }
            End::Unreachable => Next::Done(End::Unreachable),
            End::Jump(join, args) => self.jump(join, args),
            End::TailCall { callee, args, span } => {
                let (callee, args) = match self.call(callee, args, span) {
                    Ok(body) => {
                        self.changed = true;
                        self.facts.scan(&body, self.removal);
                        return Next::Continue(body);
                    }
                    Err(call) => call,
                };
                let end = End::TailCall { callee, args, span };
                walk::end_atoms(&end, &mut |atom| {
                    if let Atom::Var(var) = atom {
                        self.uses[var] += 1;
                    }
                });
                Next::Done(end)
            }
            End::Switch(switch) => self.switch(switch),
        }
    }

    fn switch(&mut self, mut switch: Switch) -> Next {
        let scrutinee = switch.scrutinee;
        if let Some(taken) = self.taken(&mut switch) {
            self.changed = true;
            return Next::Continue(taken);
        }
        // `if !c`: swap the branches.
        if let Atom::Var(var) = scrutinee
            && let Some(inner) = self.knowledge.negated(var)
            && switch.cases.iter().all(|(case, _)| matches!(case, Case::Bool(_)))
        {
            self.changed = true;
            switch.scrutinee = self.resolve(inner);
            for (case, _) in &mut switch.cases {
                if let Case::Bool(value) = case {
                    *value = !*value;
                }
            }
            return self.switch(switch);
        }
        self.mention(scrutinee);
        let var = match scrutinee {
            Atom::Var(var) => Some(var),
            _ => None,
        };
        let mut cases = Vec::with_capacity(switch.cases.len());
        for (case, block) in switch.cases {
            let mark = self.knowledge.mark();
            if let Some(var) = var {
                self.knowledge.learn(var, case, self.vars[var].ty);
            }
            let block = self.block(block);
            self.knowledge.undo(mark);
            cases.push((case, block));
        }
        let default = switch.default.map(|block| {
            let mark = self.knowledge.mark();
            if let Some(var) = var
                && let Some(case) = self.only_other(&cases, self.vars[var].ty)
            {
                self.knowledge.learn(var, case, self.vars[var].ty);
            }
            let block = self.block(*block);
            self.knowledge.undo(mark);
            Box::new(block)
        });
        let mut switch = Switch { scrutinee, cases, default };
        comparisons::merge(self, &mut switch);
        match self.collapsed(switch) {
            Ok(end) => Next::Done(end),
            Err(switch) => Next::Done(End::Switch(switch)),
        }
    }

    /// The branch of a switch whose scrutinee is known.
    fn taken(&mut self, switch: &mut Switch) -> Option<Block> {
        let only = switch.cases.len() == 1 && switch.default.is_none();
        if switch.cases.is_empty() {
            return switch.default.take().map(|block| *block);
        }
        if only {
            let (case, block) = switch.cases.pop()?;
            if let Atom::Var(var) = switch.scrutinee {
                self.knowledge.learn(var, case, self.vars[var].ty);
            }
            return Some(block);
        }
        let variant = match switch.scrutinee {
            Atom::Var(var) => Some(self.knowledge.variant(var)?),
            _ => None,
        };
        let position = switch.cases.iter().position(|&(case, _)| match variant {
            Some(variant) => case == Case::Variant(variant),
            None => literal_case(switch.scrutinee, case) == Some(true),
        });
        match position {
            Some(position) => Some(switch.cases.swap_remove(position).1),
            None => switch.default.take().map(|block| *block),
        }
    }

    /// The case that a default branch stands for, when it is a single one.
    fn only_other(&mut self, cases: &[(Case, Block)], ty: TypeId) -> Option<Case> {
        match cases.first()?.0 {
            Case::Bool(value) => (cases.len() == 1).then_some(Case::Bool(!value)),
            Case::Variant(_) => {
                let count = self.variants.count(self.types, ty)?;
                let mut others =
                    (0..count).filter(|&other| cases.iter().all(|&(case, _)| case != Case::Variant(other)));
                let only = others.next()?;
                others.next().is_none().then_some(Case::Variant(only))
            }
            Case::Int(_) => None,
        }
    }

    /// A switch whose branches all jump to the same place.
    fn collapsed(&mut self, mut switch: Switch) -> std::result::Result<End, Switch> {
        let Some(end) = common_end(&switch) else { return Err(switch) };
        self.changed = true;
        for branch in walk::switch_blocks_mut(&mut switch) {
            self.discount(branch);
        }
        self.unmention(switch.scrutinee);
        if let End::Jump(join, _) = &end {
            self.jumps[*join] += 1;
        }
        walk::end_atoms(&end, &mut |atom| {
            if let Atom::Var(var) = atom {
                self.uses[var] += 1;
            }
        });
        Ok(end)
    }

    // -----------------------------------------------------------------------------------------------
    // Dead code

    fn unmention(&mut self, atom: Atom) {
        if let Atom::Var(var) = atom {
            self.uses[var] -= 1;
        }
    }

    /// Removes unused definitions and joins from a written block, last first.
    fn sweep(&mut self, out: &mut Vec<Stmt>) {
        let mut kept = Vec::with_capacity(out.len());
        while let Some(mut stmt) = out.pop() {
            let unused = match &mut stmt {
                Stmt::Let(var, op) => self.uses[*var] == 0 && self.removal.allows(op),
                Stmt::Join(join) => self.jumps[join.id] == self.own_jumps[join.id],
                _ => false,
            };
            if !unused {
                kept.push(stmt);
                continue;
            }
            self.changed |= matches!(stmt, Stmt::Join(_));
            match &mut stmt {
                Stmt::Let(_, op) => walk::op_atoms(op, &mut |atom| {
                    if let Atom::Var(var) = atom {
                        self.uses[var] -= 1;
                    }
                }),
                Stmt::Join(join) => self.discount(&mut join.body),
                _ => {}
            }
        }
        kept.reverse();
        *out = kept;
    }

    /// Takes back the mentions of code that is removed.
    fn discount(&mut self, block: &mut Block) {
        for stmt in &mut block.stmts {
            walk::stmt_atoms_mut(stmt, &mut |atom| {
                if let Atom::Var(var) = atom {
                    self.uses[*var] = self.uses[*var].saturating_sub(1);
                }
            });
            if let Stmt::Join(join) = stmt {
                self.discount(&mut join.body);
            }
        }
        walk::end_atoms(&block.end, &mut |atom| {
            if let Atom::Var(var) = atom {
                self.uses[var] = self.uses[var].saturating_sub(1);
            }
        });
        match &mut block.end {
            End::Jump(join, _) => self.jumps[*join] -= 1,
            End::Switch(switch) => walk::switch_blocks_mut(switch).for_each(|block| self.discount(block)),
            _ => {}
        }
    }
}

enum Next {
    Done(End),
    Continue(Block),
}

/// Statements as a stack, the first on top. Join points come after everything else: nothing can jump to them before,
/// and what is computed before them is known in their bodies.
fn stack(stmts: Vec<Stmt>) -> Vec<Stmt> {
    let (mut joins, mut others): (Vec<Stmt>, Vec<Stmt>) =
        stmts.into_iter().partition(|stmt| matches!(stmt, Stmt::Join(_)));
    joins.reverse();
    others.reverse();
    joins.append(&mut others);
    joins
}

/// How all branches end, when they do nothing else and end alike.
fn common_end(switch: &Switch) -> Option<End> {
    let mut common: Option<&End> = None;
    for branch in walk::switch_blocks(switch) {
        if !branch.stmts.is_empty() {
            return None;
        }
        match (&branch.end, common) {
            (end @ (End::Jump(..) | End::Return(_)), None) => common = Some(end),
            (End::Jump(join, args), Some(End::Jump(first, expected))) if join == first && args == expected => {}
            (End::Return(atom), Some(End::Return(expected))) if atom == expected => {}
            _ => return None,
        }
    }
    common.cloned()
}
