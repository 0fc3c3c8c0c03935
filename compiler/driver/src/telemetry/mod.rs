//! Why was a trait required of a type, and what answered it? The constraints of a program as a graph that can be printed, read again and drawn.
//!
//! [`Report::of`] makes the graph of what the checker has noted. [`json`] writes and reads it, [`dot`] prints it for Graphviz, [`svg`] draws it.

mod build;
pub mod dot;
pub mod graph;
pub mod json;
mod layout;
pub mod svg;

pub use graph::Graph;
use graph::State;

/// The version of the JSON.
pub const SCHEMA_VERSION: &str = "3.0.0-alpha";

/// All that is told of the constraints of one program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What was checked, as it was given.
    pub input: String,
    /// In UTC, to the second.
    pub generated_at: String,
    /// In the order of their places.
    pub functions: Vec<Function>,
    pub graph: Graph,
    /// Every constraint that came up. Nodes of the graph stand for all that are alike in a function.
    pub resolutions: Vec<Resolution>,
}

/// A function, a global or an impl whose constraints were solved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Of its node.
    pub id: String,
    pub name: String,
    pub place: Option<Place>,
    /// How many came up in it.
    pub constraints: usize,
    /// The bounds that it assumes of its type parameters, as far as they were needed.
    pub bounds: Vec<String>,
}

/// One constraint, and what became of it. Ids are those of nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    pub constraint: String,
    pub function: String,
    /// `List<T>: Ord`
    pub bound: String,
    pub place: Option<Place>,
    /// The function whose signature asks for it.
    pub callee: Option<String>,
    /// The constraint whose answer asks for it.
    pub premise_of: Option<String>,
    pub state: State,
    /// What has answered it.
    pub by: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
