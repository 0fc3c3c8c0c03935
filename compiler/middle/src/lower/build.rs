//! How is a function body put together while its end is not known yet?
//!
//! Core blocks nest: the code after an `if` lives *inside* the join point that precedes the branch. A [`Builder`]
//! lets lowering write in source order all the same. It is a cursor: the statements so far, and a stack of
//! enclosing pieces ([`Frame`]) whose missing part is the code to come. Ending the cursor folds the frames,
//! innermost first, into one [`Block`]. Every step is constant time, so bodies are built in linear time.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::Span;
use reml_semantics::types::TypeId;

use crate::core::{Atom, Block, Case, End, FuncId, Join, JoinId, JoinInfo, Op, Stmt, Switch, Var, VarInfo};

/// A piece of code with one hole: where the rest of the code goes.
enum Frame {
    /// `stmts; join id(params) { HOLE }; after; end`
    Join { stmts: Vec<Stmt>, id: JoinId, params: Vec<Var>, after: Vec<Stmt>, end: End },
    /// `stmts; switch`, the hole being the case at `position` (the default when `None`).
    Case { stmts: Vec<Stmt>, switch: Switch, position: Option<usize> },
}

/// A block under construction. Open until [`Builder::end`].
#[derive(Default)]
pub struct Builder {
    stmts: Vec<Stmt>,
    frames: Vec<Frame>,
    closed: Option<Block>,
}

impl Builder {
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub fn push(&mut self, stmt: Stmt) {
        debug_assert!(self.is_open());
        self.stmts.push(stmt);
    }

    /// Takes back the making of a closure, if that was the last thing written: its code, and what it captures.
    pub fn take_closure(&mut self, made: Atom) -> Option<(FuncId, Vec<Atom>)> {
        match self.stmts.last() {
            Some(Stmt::Let(var, Op::Closure(..))) if Atom::Var(*var) == made => match self.stmts.pop() {
                Some(Stmt::Let(_, Op::Closure(func, captures))) => Some((func, captures)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Ends the block: control does not get past this point.
    pub fn end(&mut self, end: End) {
        debug_assert!(self.is_open());
        let mut block = Block::new(std::mem::take(&mut self.stmts), end);
        while let Some(frame) = self.frames.pop() {
            block = match frame {
                Frame::Join { mut stmts, id, params, after, end } => {
                    stmts.push(Stmt::Join(Box::new(Join { id, params, recursive: false, body: block })));
                    stmts.extend(after);
                    Block::new(stmts, end)
                }
                Frame::Case { stmts, mut switch, position } => {
                    match position {
                        Some(position) => switch.cases[position].1 = block,
                        None => switch.default = Some(Box::new(block)),
                    }
                    Block::new(stmts, End::Switch(switch))
                }
            };
        }
        self.closed = Some(block);
    }

    /// The finished block.
    ///
    /// # Panics
    /// When the block is still open.
    pub fn finish(self) -> Block {
        self.closed.expect("every block is ended before it is taken")
    }

    /// The finished block, or one that says control never gets here.
    pub fn finish_or_unreachable(mut self) -> Block {
        if self.is_open() {
            self.end(End::Unreachable);
        }
        self.finish()
    }

    /// What follows becomes the body of the join point `id`; what is written now is `after; end`.
    pub fn continue_in_join(&mut self, id: JoinId, params: Vec<Var>, after: Vec<Stmt>, end: End) {
        let stmts = std::mem::take(&mut self.stmts);
        self.frames.push(Frame::Join { stmts, id, params, after, end });
    }

    /// Ends with `scrutinee` switched over `cases` (the last without a case is the default). When exactly one of them is
    /// open, writing goes on inside it; several open ones are a mistake of the caller.
    pub fn switch(&mut self, scrutinee: crate::core::Atom, cases: Vec<(Option<Case>, Builder)>) {
        let mut switch = Switch { scrutinee, cases: Vec::with_capacity(cases.len()), default: None };
        let mut open: Option<(Option<usize>, Builder)> = None;
        for (case, builder) in cases {
            let placeholder = Block::new(Vec::new(), End::Unreachable);
            let (block, still_open) = match builder.closed {
                Some(block) => (block, None),
                None => (placeholder, Some(builder)),
            };
            let position = case.map(|_| switch.cases.len());
            match case {
                Some(case) => switch.cases.push((case, block)),
                None => switch.default = Some(Box::new(block)),
            }
            if let Some(builder) = still_open {
                debug_assert!(open.is_none(), "two branches of one switch are open");
                open = Some((position, builder));
            }
        }
        match open {
            None => self.end(End::Switch(switch)),
            Some((position, builder)) => {
                let stmts = std::mem::take(&mut self.stmts);
                self.frames.push(Frame::Case { stmts, switch, position });
                self.frames.extend(builder.frames);
                self.stmts = builder.stmts;
            }
        }
    }

    /// Goes on where `inner`, which must be open, stopped: `inner` was written as if in the body of the join point
    /// `id`, and what is written so far ends with `after; end`.
    pub fn continue_join_with(&mut self, id: JoinId, params: Vec<Var>, inner: Builder, after: Vec<Stmt>, end: End) {
        self.continue_in_join(id, params, after, end);
        self.frames.extend(inner.frames);
        self.stmts = inner.stmts;
    }
}

/// The variable table and the cursor of one function.
#[derive(Default)]
pub struct FunctionBuilder {
    pub vars: PrimaryMap<Var, VarInfo>,
    pub joins: PrimaryMap<JoinId, JoinInfo>,
    pub cursor: Builder,
}

impl FunctionBuilder {
    pub fn var(&mut self, ty: TypeId, span: Span) -> Var {
        self.vars.push(VarInfo { ty, name: None, span })
    }

    pub fn named(&mut self, ty: TypeId, name: &str, span: Span) -> Var {
        self.vars.push(VarInfo { ty, name: Some(name.into()), span })
    }

    pub fn join(&mut self) -> JoinId {
        self.joins.push(JoinInfo::default())
    }

    /// `let v = op`, as the last statement so far.
    pub fn emit(&mut self, ty: TypeId, op: Op, span: Span) -> Var {
        let var = self.var(ty, span);
        self.cursor.push(Stmt::Let(var, op));
        var
    }

    pub fn end(&mut self, end: End) {
        self.cursor.end(end);
    }

    /// Runs `write` on a fresh block and gives that block back, open or closed.
    pub fn in_block(&mut self, write: impl FnOnce(&mut Self)) -> Builder {
        let outer = std::mem::take(&mut self.cursor);
        write(self);
        std::mem::replace(&mut self.cursor, outer)
    }
}
