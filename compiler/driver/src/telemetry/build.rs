//! From what the checker has noted to the graph: constraints that are alike in a function become one node.

use std::collections::{BTreeSet, HashMap};

use reml_diagnostics::{SourceMap, Span};
use reml_semantics::constraints::{Answer, Bound, Constrained, Constraint};

use super::graph::{Edge, EdgeKind, Graph, Node, NodeKind, State};
use super::{Function, Place, Report, Resolution};

impl Report {
    /// The graph of `constraints`, which the checker has noted of `input`.
    pub fn of(constraints: &[Constrained], sources: &SourceMap, input: &str, generated_at: &str) -> Report {
        let mut builder = Builder::new(sources);
        for definition in constraints {
            builder.definition(definition);
        }
        let graph = Graph { nodes: builder.nodes, edges: builder.edges.into_iter().collect() };
        let (functions, resolutions) = (builder.functions, builder.resolutions);
        Report { input: input.to_owned(), generated_at: generated_at.to_owned(), functions, graph, resolutions }
    }
}

/// What makes two nodes the same.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: NodeKind,
    /// The node of the function; 0 for what all share.
    function: usize,
    label: String,
    at: Option<String>,
    state: Option<State>,
}

struct Builder<'s> {
    sources: &'s SourceMap,
    nodes: Vec<Node>,
    known: HashMap<Key, usize>,
    /// How many there are of each kind, for their ids.
    counts: HashMap<NodeKind, usize>,
    edges: BTreeSet<Edge>,
    functions: Vec<Function>,
    resolutions: Vec<Resolution>,
}

impl<'s> Builder<'s> {
    fn new(sources: &'s SourceMap) -> Builder<'s> {
        Builder {
            sources,
            nodes: Vec::new(),
            known: HashMap::new(),
            counts: HashMap::new(),
            edges: BTreeSet::new(),
            functions: Vec::new(),
            resolutions: Vec::new(),
        }
    }

    fn definition(&mut self, definition: &Constrained) {
        let function = self.push(NodeKind::Function, &definition.name, None, None, Some(definition.span));
        let mut bounds = Vec::new();
        let mut ids: Vec<usize> = Vec::with_capacity(definition.constraints.len());
        for constraint in &definition.constraints {
            let bound = constraint.bound.text();
            let node = self.shared(NodeKind::Constraint, &bound, Some(function), Some(state(&constraint.answer)), None);
            let above = constraint.premise_of.map(|index| ids[index]);
            ids.push(node);
            match above {
                Some(above) => self.edge(above, node, EdgeKind::DependsOn),
                None => self.edge(function, node, EdgeKind::Requires),
            }
            let subject = self.shared(NodeKind::Type, &constraint.bound.subject, Some(function), None, None);
            self.edge(node, subject, EdgeKind::About);
            let by = self.answer(constraint, function, &mut bounds);
            if let Some(by) = by {
                self.edge(node, by, EdgeKind::SolvedBy);
            }
            self.resolutions.push(Resolution {
                constraint: self.nodes[node].id.clone(),
                function: self.nodes[function].id.clone(),
                bound,
                place: self.place(constraint.span),
                callee: constraint.callee.clone(),
                premise_of: above.map(|above| self.nodes[above].id.clone()),
                state: state(&constraint.answer),
                by: by.map(|by| self.nodes[by].id.clone()),
            });
        }
        self.functions.push(Function {
            id: self.nodes[function].id.clone(),
            name: definition.name.clone(),
            place: self.place(definition.span),
            constraints: definition.constraints.len(),
            bounds,
        });
    }

    /// The node of what answers a constraint.
    fn answer(&mut self, constraint: &Constraint, function: usize, bounds: &mut Vec<String>) -> Option<usize> {
        match &constraint.answer {
            Answer::Impl(found) => Some(self.shared(NodeKind::Impl, &found.header, None, None, Some(found.span))),
            Answer::Assumed(bound, span) => Some(self.assumption(bound, *span, function, bounds)),
            Answer::Inferred => Some(self.assumption(&constraint.bound, constraint.span, function, bounds)),
            Answer::Structural => {
                let label = format!("{} of data", constraint.bound.trait_);
                Some(self.shared(NodeKind::Builtin, &label, None, None, None))
            }
            Answer::Uninhabited => Some(self.shared(NodeKind::Builtin, "Never has no values", None, None, None)),
            Answer::Missing | Answer::Ambiguous | Answer::Untold | Answer::Endless | Answer::Undecided => None,
        }
    }

    fn assumption(&mut self, bound: &Bound, span: Span, function: usize, bounds: &mut Vec<String>) -> usize {
        let text = bound.text();
        let before = self.nodes.len();
        let node = self.shared(NodeKind::Assumption, &text, Some(function), None, Some(span));
        if self.nodes.len() > before {
            bounds.push(text);
            self.edge(function, node, EdgeKind::Assumes);
        }
        node
    }

    /// The node with these properties.
    fn shared(
        &mut self,
        kind: NodeKind,
        label: &str,
        function: Option<usize>,
        state: Option<State>,
        span: Option<Span>,
    ) -> usize {
        let at = span.and_then(|span| self.place(span)).map(|place| place.to_string());
        let key = Key { kind, function: function.map_or(0, |index| index + 1), label: label.to_owned(), at, state };
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let made = self.push(kind, label, function, state, span);
        self.known.insert(key, made);
        made
    }

    fn push(
        &mut self,
        kind: NodeKind,
        label: &str,
        function: Option<usize>,
        state: Option<State>,
        span: Option<Span>,
    ) -> usize {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let id = format!("{}-{count}", kind.word());
        let at = span.and_then(|span| self.place(span)).map(|place| place.to_string());
        let function = function.map(|index| self.nodes[index].id.clone());
        self.nodes.push(Node { id, label: label.to_owned(), kind, function, state, at });
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, kind: EdgeKind) {
        self.edges.insert(Edge { from, to, kind });
    }

    fn place(&self, span: Span) -> Option<Place> {
        let (file, at) = self.sources.position(span)?;
        Some(Place { file: self.sources.file(file).name.to_string(), line: at.line, column: at.column })
    }
}

fn state(answer: &Answer) -> State {
    match answer {
        Answer::Impl(_) | Answer::Assumed(..) | Answer::Inferred | Answer::Structural | Answer::Uninhabited => {
            State::Resolved
        }
        Answer::Missing => State::Unresolved,
        Answer::Ambiguous => State::Ambiguous,
        Answer::Untold => State::UnresolvedTypevar,
        Answer::Endless => State::Cyclic,
        Answer::Undecided => State::Pending,
    }
}
