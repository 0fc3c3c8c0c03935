//! Which new cell takes the memory of which dying one?
//!
//! Every `Release` of a boxed cell looks ahead, within the function, for a `Construct` of the same size class.
//! If some path has one, the release keeps the memory in a token: each path then either builds with the token or
//! frees it. A token may pass a join point in one of two ways: branches use it before they jump (`Branches`), or they leave it
//! alone and the joined code uses it (`Joined`); whichever serves more paths is taken. Tokens do not enter loops.

use cranelift_entity::{EntitySet, PrimaryMap};
use rustc_hash::FxHashMap;

use super::types::{Kind, Types};
use crate::core::{Block, End, Function, JoinId, Op, Stmt, Var, VarInfo};
use crate::walk;

/// How many statements a token looks ahead: keeps the pass linear on long straight code.
const HORIZON: usize = 600;

pub fn reuse(function: &mut Function, types: &Types) {
    let mut reuse = Reuse { vars: &mut function.vars, roots: &function.roots, types };
    reuse.block(&mut function.body);
}

struct Reuse<'a> {
    vars: &'a mut PrimaryMap<Var, VarInfo>,
    /// Calls that may be unwound: no token is alive during them.
    roots: &'a FxHashMap<Var, Box<[Var]>>,
    types: &'a Types,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Strategy {
    Branches,
    Joined,
}

/// One token on its way through the code after its release.
struct Token {
    var: Var,
    class: u32,
    strategy: Strategy,
    /// Joins that are entered with the token alive.
    carrying: EntitySet<JoinId>,
}

/// Ends of paths, and how many of them come by a use of the token.
#[derive(Clone, Copy, Default)]
struct Paths {
    all: u32,
    served: u32,
}

impl Reuse<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut at = 0;
        while at < block.stmts.len() {
            if let Some((var, class)) = self.dying_cell(&block.stmts[at]) {
                self.serve(block, at, var, class);
            }
            if let Stmt::Join(join) = &mut block.stmts[at] {
                self.block(&mut join.body);
            }
            at += 1;
        }
        if let End::Switch(switch) = &mut block.end {
            walk::switch_blocks_mut(switch).for_each(|block| self.block(block));
        }
    }

    /// The cell that ends here with its memory free to use.
    fn dying_cell(&mut self, stmt: &Stmt) -> Option<(Var, u32)> {
        let (var, variant) = match stmt {
            Stmt::Release { var, variant, token: None, .. } => (*var, *variant),
            Stmt::Drop(var) if self.types.kind(self.vars[*var].ty) == Kind::BoxedProduct => (*var, 0),
            _ => return None,
        };
        let class = self.types.cell_class(self.vars[var].ty, variant)?;
        Some((var, class))
    }

    fn serve(&mut self, block: &mut Block, at: usize, var: Var, class: u32) {
        let none = EntitySet::new();
        let branches = self.paths(block, at + 1, class, Strategy::Branches, &none, &mut HORIZON.clone());
        let strategy = if branches.served == branches.all || !self.roots.is_empty() {
            Strategy::Branches
        } else {
            let joined = self.paths(block, at + 1, class, Strategy::Joined, &none, &mut HORIZON.clone());
            if joined.served > branches.served { Strategy::Joined } else { Strategy::Branches }
        };
        if strategy == Strategy::Branches && branches.served == 0 {
            return;
        }
        let info = &self.vars[var];
        let token = self.vars.push(VarInfo { ty: info.ty, name: None, span: info.span });
        block.stmts[at] = match std::mem::replace(&mut block.stmts[at], Stmt::FreeToken(token)) {
            Stmt::Release { var, variant, moved, .. } => Stmt::Release { var, variant, moved, token: Some(token) },
            _ => Stmt::Release { var, variant: 0, moved: Vec::new(), token: Some(token) },
        };
        let mut token = Token { var: token, class, strategy, carrying: EntitySet::new() };
        self.place(block, at + 1, &mut token);
    }

    fn builds(&mut self, stmt: &Stmt, class: u32) -> bool {
        match stmt {
            Stmt::Let(var, Op::Construct { variant, token: None, .. }) => {
                self.types.cell_class(self.vars[*var].ty, *variant) == Some(class)
            }
            _ => false,
        }
    }

    fn may_be_unwound(&self, stmt: &Stmt) -> bool {
        matches!(stmt, Stmt::Let(var, _) if self.roots.contains_key(var))
    }

    /// Counts the paths from a statement on. `known`: joins whose body has a use.
    fn paths(
        &mut self,
        block: &Block,
        from: usize,
        class: u32,
        strategy: Strategy,
        known: &EntitySet<JoinId>,
        horizon: &mut usize,
    ) -> Paths {
        let mut known = known.clone();
        for stmt in &block.stmts[from..] {
            if *horizon == 0 {
                return Paths { all: 1, served: 0 };
            }
            *horizon -= 1;
            if self.builds(stmt, class) {
                return Paths { all: 1, served: 1 };
            }
            if self.may_be_unwound(stmt) {
                return Paths { all: 1, served: 0 };
            }
            if let Stmt::Join(join) = stmt
                && strategy == Strategy::Joined
                && !join.recursive
                && self.paths(&join.body, 0, class, strategy, &known, horizon).served > 0
                && !loops_jump_to(block, join.id)
            {
                known.insert(join.id);
            }
        }
        match &block.end {
            End::Unreachable => Paths::default(),
            End::Return(_) | End::TailCall { .. } => Paths { all: 1, served: 0 },
            End::Jump(join, _) => Paths { all: 1, served: known.contains(*join).into() },
            End::Switch(switch) => {
                let mut sum = Paths::default();
                for branch in walk::switch_blocks(switch) {
                    let paths = self.paths(branch, 0, class, strategy, &known, horizon);
                    sum.all += paths.all;
                    sum.served += paths.served;
                }
                sum
            }
        }
    }

    /// Uses or frees the token on every path from a statement on.
    fn place(&mut self, block: &mut Block, from: usize, token: &mut Token) {
        if token.strategy == Strategy::Joined {
            for at in from..block.stmts.len() {
                let Stmt::Join(join) = &block.stmts[at] else { continue };
                if !join.recursive && self.wants(&join.body, 0, token) && !loops_jump_to(block, join.id) {
                    token.carrying.insert(join.id);
                    if let Stmt::Join(join) = &mut block.stmts[at] {
                        self.place(&mut join.body, 0, token);
                    }
                }
            }
        }
        if !reaches(block, &token.carrying) {
            for at in from..block.stmts.len() {
                if self.builds(&block.stmts[at], token.class) {
                    if let Stmt::Let(_, Op::Construct { token: slot, .. }) = &mut block.stmts[at] {
                        *slot = Some(token.var);
                    }
                    return;
                }
                if self.may_be_unwound(&block.stmts[at]) {
                    block.stmts.insert(from, Stmt::FreeToken(token.var));
                    return;
                }
            }
        }
        match &mut block.end {
            End::Jump(join, _) if token.carrying.contains(*join) => {}
            End::Unreachable => {}
            End::Switch(switch) if walk::switch_blocks(switch).any(|branch| self.wants(branch, 0, token)) => {
                for branch in walk::switch_blocks_mut(switch) {
                    self.place(branch, 0, token);
                }
            }
            _ => block.stmts.insert(from, Stmt::FreeToken(token.var)),
        }
    }

    /// Does some path from here use the token, or pass it on to a join that does?
    fn wants(&mut self, block: &Block, from: usize, token: &Token) -> bool {
        reaches(block, &token.carrying)
            || self.paths(block, from, token.class, token.strategy, &token.carrying, &mut HORIZON.clone()).served > 0
    }
}

/// Does a block jump to one of the joins?
fn reaches(block: &Block, joins: &EntitySet<JoinId>) -> bool {
    if joins.is_empty() {
        return false;
    }
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                blocks.push(&join.body);
            }
        }
        match &block.end {
            End::Jump(join, _) if joins.contains(*join) => return true,
            End::Switch(switch) => blocks.extend(walk::switch_blocks(switch)),
            _ => {}
        }
    }
    false
}

/// Does a loop in this block jump to the join, be it by way of others? It would have to carry the token around.
fn loops_jump_to(block: &Block, target: JoinId) -> bool {
    let mut joins = Vec::new();
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                joins.push(join);
                blocks.push(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            blocks.extend(walk::switch_blocks(switch));
        }
    }
    let mut on_the_way = EntitySet::new();
    on_the_way.insert(target);
    loop {
        let before = joins.len();
        let mut loops = false;
        joins.retain(|join| {
            let reaches = reaches(&join.body, &on_the_way);
            if reaches {
                on_the_way.insert(join.id);
                loops |= join.recursive;
            }
            !reaches
        });
        if loops || joins.len() == before {
            return loops;
        }
    }
}
