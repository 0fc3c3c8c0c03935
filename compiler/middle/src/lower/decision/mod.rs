//! In which order are the parts of a matched value tested?
//!
//! A match is a list of rows, each a set of tests that must all hold (Jacobs 2021, after Maranget 2008). The tree tests
//! the position that the first row needs and most rows mention, and splits the rows by the outcome: rows that
//! passed lose the test, rows that cannot hold any more are dropped. So no test is ever repeated. Integers, characters
//! and lengths of sequences keep the interval of values still possible. Lists written with brackets are their cells.

mod rows;
mod split;

use std::rc::Rc;

use reml_semantics::typed::{Body, ExprId, LocalId, PatternId};
use reml_semantics::types::{Type, TypeId};
use rustc_hash::FxHashMap;

use super::function::FnLower;
use crate::core::Case;

pub type OccId = usize;

/// How a position is reached from its parent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    Root,
    Field {
        variant: u32,
        index: u32,
    },
    /// Inner value of a newtype.
    Unwrap,
    /// Element of an array, from the start.
    Element(u32),
    /// Element of an array, from the end; 1 is the last.
    FromEnd(u32),
    /// Elements of an array from the first number up to, not including, the last so many.
    Slice(u32, u32),
    /// Length of an array.
    Len,
    /// The elements of a list as an array.
    ListItems,
    /// A part of an array as a list.
    ListSlice(u32, u32),
    /// Result of an active pattern's function.
    View(ExprId),
    /// Group of a regular expression that matched.
    Group(PatternId, u32),
}

/// A position inside the matched value.
pub struct Occ {
    pub parent: OccId,
    pub step: Step,
    /// Source type.
    pub ty: TypeId,
}

#[derive(Clone, Copy, Debug)]
enum Sub {
    Pattern(PatternId),
    /// A bracket pattern on a list, from this item on.
    ListFrom(PatternId, u32),
    /// `Some(pattern)`, of an active pattern's result.
    SomeOf(PatternId),
}

#[derive(Clone, Debug)]
struct Row {
    tests: Vec<(OccId, Sub)>,
    binds: Vec<(LocalId, OccId)>,
    arm: usize,
}

/// What a test asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Head {
    Variant(u32),
    Bool(bool),
    /// Of the value, or of an array's length.
    Range(i128, i128),
    Float(FloatRange),
    Str(PatternId),
    Regex(PatternId),
    Or,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FloatRange {
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub inclusive: bool,
}

/// A test with two outcomes.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    Is(i128),
    AtLeast(i128),
    AtMost(i128),
    Float(FloatRange),
    Str(PatternId),
    Regex(PatternId),
}

pub enum Tree {
    /// No row is left.
    Fail,
    Leaf {
        arm: usize,
        binds: Vec<(LocalId, OccId)>,
    },
    Guard {
        arm: usize,
        binds: Vec<(LocalId, OccId)>,
        otherwise: Box<Tree>,
    },
    Switch {
        occ: OccId,
        cases: Vec<(Case, Tree)>,
        default: Option<Box<Tree>>,
    },
    Test {
        occ: OccId,
        test: Test,
        yes: Box<Tree>,
        no: Box<Tree>,
    },
}

/// The intervals still possible of the positions tested so far.
type Known = Vec<(OccId, i128, i128)>;

pub struct Decisions<'x, 'l, 'a> {
    f: &'x mut FnLower<'l, 'a>,
    body: &'a Body,
    pub occs: Vec<Occ>,
    index: FxHashMap<(OccId, Step), OccId>,
    field_types: FxHashMap<(TypeId, u32), Rc<[TypeId]>>,
    guards: Vec<bool>,
}

impl<'x, 'l, 'a> Decisions<'x, 'l, 'a> {
    /// The tree for patterns (and whether each has a guard) over a value of source type `ty`.
    pub fn compile(f: &'x mut FnLower<'l, 'a>, ty: TypeId, arms: &[(PatternId, bool)]) -> (Tree, Vec<Occ>) {
        let body = f.body;
        let root = Occ { parent: 0, step: Step::Root, ty };
        let mut this = Decisions {
            f,
            body,
            occs: vec![root],
            index: FxHashMap::default(),
            field_types: FxHashMap::default(),
            guards: arms.iter().map(|&(_, guard)| guard).collect(),
        };
        let mut rows = Vec::with_capacity(arms.len());
        for (arm, &(pattern, _)) in arms.iter().enumerate() {
            let row = Row { tests: vec![(0, Sub::Pattern(pattern))], binds: Vec::new(), arm };
            rows.extend(this.simplify(row, &Vec::new()));
        }
        let tree = this.tree(rows, Vec::new());
        (tree, this.occs)
    }

    pub fn occ(&mut self, parent: OccId, step: Step, ty: TypeId) -> OccId {
        if let Some(&known) = self.index.get(&(parent, step)) {
            return known;
        }
        let id = self.occs.len();
        self.occs.push(Occ { parent, step, ty });
        self.index.insert((parent, step), id);
        id
    }

    fn fields(&mut self, ty: TypeId, variant: u32) -> Rc<[TypeId]> {
        if let Some(fields) = self.field_types.get(&(ty, variant)) {
            return fields.clone();
        }
        let fields: Rc<[TypeId]> = self.f.l.field_types(ty, variant).into();
        self.field_types.insert((ty, variant), fields.clone());
        fields
    }

    fn is_list(&self, ty: TypeId) -> bool {
        match self.f.l.types.get(self.f.l.deref(ty)) {
            Type::Adt(def, _) => Some(*def) == self.f.l.src.lang.list,
            _ => false,
        }
    }

    fn element_type(&mut self, ty: TypeId) -> TypeId {
        let core_like = self.f.l.deref(ty);
        match self.f.l.types.get(core_like).clone() {
            Type::Array(element) | Type::FixedArray(element, _) => element,
            Type::Adt(_, args) if self.is_list(core_like) => args[0],
            // `Vec<T>` and other newtypes of arrays.
            Type::Adt(..) => match self.f.l.field_types(core_like, 0).first().copied() {
                Some(inner) => self.element_type(inner),
                None => core_like,
            },
            _ => core_like,
        }
    }
}
