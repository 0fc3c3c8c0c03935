//! Effect rows: which effects a piece of code may have.
//!
//! A row is a set of tags plus whatever flows into it. Rows form a graph: variables (merged where types are
//! unified), inclusion edges, lower bounds with the place that caused them, and instantiated callee signatures.
//! Inference only records the graph; [`solve`] computes the sets once all bodies are known, callees first.

pub(crate) mod solve;
pub(crate) mod tags;

use reml_diagnostics::Span;

use crate::cx::Head;
use crate::infer::ty::{Row, RowKind, Ty};
use crate::typed::{FnId, TraitId};

/// A set of effect tags, by index into [`tags::Tags`].
pub(crate) type TagSet = u128;

/// Where a lower bound of a row comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub row: u32,
    pub tags: TagSet,
    pub span: Span,
    pub what: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Callee {
    Fn(FnId),
    /// A trait's method on a subject that is not known to be of one impl.
    Method(TraitId, u32),
    /// A trait's method on a subject of known head.
    MethodOn(TraitId, u32, Head),
}

/// A use of a function's signature; `rows` are what its signature rows became.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub callee: Callee,
    /// Whose method it is; meaningful for methods.
    pub subject: Ty,
    pub span: Span,
    pub first_row: u32,
    pub row_count: u32,
}

/// An upper bound that a row must stay below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub row: u32,
    pub allowed: TagSet,
    pub span: Span,
}

/// The row graph of the group of definitions being checked.
#[derive(Default)]
pub(crate) struct Rows {
    parents: Vec<u32>,
    constants: Vec<TagSet>,
    pub edges: Vec<(u32, u32)>,
    pub events: Vec<Event>,
    pub uses: Vec<Use>,
    pub use_rows: Vec<u32>,
    pub bounds: Vec<Bound>,
}

impl Rows {
    pub fn fresh(&mut self) -> u32 {
        self.parents.push(self.parents.len() as u32);
        self.parents.len() as u32 - 1
    }

    pub fn find(&mut self, row: u32) -> u32 {
        let mut root = row;
        while self.parents[root as usize] != root {
            root = self.parents[root as usize];
        }
        let mut at = row;
        while self.parents[at as usize] != root {
            at = std::mem::replace(&mut self.parents[at as usize], root);
        }
        root
    }

    /// A closed set of tags, as written in a signature.
    pub fn constant(&mut self, tags: TagSet) -> Row {
        let index = self.constants.iter().position(|&known| known == tags).unwrap_or_else(|| {
            self.constants.push(tags);
            self.constants.len() - 1
        });
        Row::constant(index as u32)
    }

    pub fn constant_tags(&self, index: u32) -> TagSet {
        self.constants[index as usize]
    }

    /// A variable that has at least the tags of a closed set.
    pub fn open(&mut self, constant: u32) -> Row {
        let row = self.fresh();
        let tags = self.constants[constant as usize];
        if tags != 0 {
            self.events.push(Event { row, tags, span: Span::NONE, what: "the function's type" });
        }
        Row::var(row)
    }

    pub fn unify(&mut self, a: Row, b: Row) {
        match (a.kind(), b.kind()) {
            (RowKind::Var(x), RowKind::Var(y)) => {
                let (x, y) = (self.find(x), self.find(y));
                if x != y {
                    self.parents[x.max(y) as usize] = x.min(y);
                }
            }
            (RowKind::Var(x), RowKind::Const(c)) | (RowKind::Const(c), RowKind::Var(x)) => {
                let tags = self.constants[c as usize];
                if tags != 0 {
                    self.events.push(Event { row: x, tags, span: Span::NONE, what: "the function's type" });
                }
            }
            _ => {}
        }
    }

    pub fn flow(&mut self, from: u32, to: u32) {
        if from != to {
            self.edges.push((from, to));
        }
    }

    pub fn clear(&mut self) {
        self.parents.clear();
        self.edges.clear();
        self.events.clear();
        self.uses.clear();
        self.use_rows.clear();
        self.bounds.clear();
    }
}
