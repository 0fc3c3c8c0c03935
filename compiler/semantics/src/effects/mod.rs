//! Effect rows: which effects a piece of code may have.
//!
//! A row is a set of tags plus whatever flows into it. Rows form a graph: variables (merged where types are
//! unified), inclusion edges, lower bounds with the place that caused them, and instantiated callee signatures.
//! Inference only records the graph; [`solve`] computes the sets once all bodies are known, callees first. What
//! generic effects are applied to is known earlier: see [`arguments`].

pub(crate) mod arguments;
pub(crate) mod console;
pub(crate) mod solve;
pub(crate) mod tags;

use reml_diagnostics::Span;

use crate::cx::{Def, Head};
use crate::infer::ty::{List, Row, RowKind, Ty};
use crate::typed::{EffectId, FnId, GlobalId, TraitId};
use arguments::Families;
pub(crate) use tags::TagSet;

/// What brings an effect in, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Text(&'static str),
    Operation(EffectId, u32),
}

/// Where a lower bound of a row comes from.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub row: u32,
    pub tags: TagSet,
    pub span: Span,
    pub what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Callee {
    Fn(FnId),
    /// A value whose type has rows: what its functions do is done by whoever calls them.
    Global(GlobalId),
    /// A trait's method on a subject that is not known to be of one impl.
    Method(TraitId, u32),
    /// A trait's method on a subject of known head.
    MethodOn(TraitId, u32, Head),
}

impl Callee {
    /// The one definition that is meant, where it is known.
    pub fn def(self) -> Option<Def> {
        match self {
            Callee::Fn(id) => Some(Def::Fn(id)),
            Callee::Global(id) => Some(Def::Global(id)),
            Callee::Method(..) | Callee::MethodOn(..) => None,
        }
    }
}

/// A use of a function's signature, or of a value's type; `rows` are what its signature rows became.
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
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub row: u32,
    pub allowed: TagSet,
    pub span: Span,
}

/// What flows from a handled computation outwards: everything but the handled effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handled {
    pub from: u32,
    pub to: u32,
    /// The tag of the effect.
    pub tag: u32,
}

/// A closed row, as written: its tags, and the arguments of generic effects among them.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Closed {
    pub tags: TagSet,
    /// By family, ascending.
    pub args: Vec<(u32, List)>,
}

/// The row graph of the group of definitions being checked.
#[derive(Default)]
pub(crate) struct Rows {
    parents: Vec<u32>,
    constants: Vec<Closed>,
    pub edges: Vec<(u32, u32)>,
    pub handled: Vec<Handled>,
    pub events: Vec<Event>,
    pub uses: Vec<Use>,
    pub use_rows: Vec<u32>,
    pub bounds: Vec<Bound>,
    pub families: Families,
}

impl Rows {
    pub fn fresh(&mut self) -> u32 {
        self.parents.push(self.parents.len() as u32);
        self.parents.len() as u32 - 1
    }

    pub fn find(&mut self, row: u32) -> u32 {
        find(&mut self.parents, row)
    }

    /// A closed row, as written in a signature.
    pub fn constant(&mut self, closed: Closed) -> Row {
        let index = self.constants.iter().position(|known| *known == closed).unwrap_or_else(|| {
            self.constants.push(closed);
            self.constants.len() - 1
        });
        Row::constant(index as u32)
    }

    pub fn closed(&self, index: u32) -> &Closed {
        &self.constants[index as usize]
    }

    pub fn constant_tags(&self, index: u32) -> &TagSet {
        &self.constants[index as usize].tags
    }

    /// A variable that has at least the tags of a closed set.
    pub fn open(&mut self, constant: u32) -> u32 {
        let row = self.fresh();
        self.at_least(row, constant);
        row
    }

    fn at_least(&mut self, row: u32, constant: u32) {
        let tags = self.constants[constant as usize].tags.clone();
        if !tags.is_empty() {
            self.events.push(Event { row, tags, span: Span::NONE, what: What::Text("the function's type") });
        }
    }

    pub fn unify(&mut self, a: Row, b: Row) {
        match (a.kind(), b.kind()) {
            (RowKind::Var(x), RowKind::Var(y)) => {
                let (x, y) = (self.find(x), self.find(y));
                if x != y {
                    self.parents[x.max(y) as usize] = x.min(y);
                }
            }
            (RowKind::Var(row), RowKind::Const(c)) | (RowKind::Const(c), RowKind::Var(row)) => self.at_least(row, c),
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
        self.handled.clear();
        self.events.clear();
        self.uses.clear();
        self.use_rows.clear();
        self.bounds.clear();
        self.families.clear();
    }
}

/// The representative of a class of a union-find.
fn find(parents: &mut [u32], row: u32) -> u32 {
    let mut root = row;
    while parents[root as usize] != root {
        root = parents[root as usize];
    }
    let mut at = row;
    while parents[at as usize] != root {
        at = std::mem::replace(&mut parents[at as usize], root);
    }
    root
}
