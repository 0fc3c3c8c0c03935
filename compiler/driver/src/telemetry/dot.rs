//! The graph in the language of Graphviz, for `dot` and its like: what belongs to a function stands in a box.

use std::collections::HashMap;
use std::fmt::Write;

use super::graph::{EdgeKind, Graph, Node, NodeKind, State};

/// The name of a graph that nobody has named.
pub const DEFAULT_NAME: &str = "constraint_graph";

/// `digraph "name" { .. }`.
pub fn print(graph: &Graph, name: &str) -> String {
    let mut text = format!("digraph {} {{\n", quoted(name));
    text.push_str("  graph [rankdir=LR, fontname=\"monospace\"];\n");
    text.push_str("  node [fontname=\"monospace\", fontsize=11];\n");
    text.push_str("  edge [fontname=\"monospace\", fontsize=9];\n");
    let functions = graph.nodes.iter().filter(|node| node.kind == NodeKind::Function);
    let mut members: HashMap<&str, Vec<&Node>> = functions.clone().map(|node| (&*node.id, vec![node])).collect();
    let mut alone = Vec::new();
    for node in graph.nodes.iter().filter(|node| node.kind != NodeKind::Function) {
        match node.function.as_deref().and_then(|id| members.get_mut(id)) {
            Some(of_function) => of_function.push(node),
            None => alone.push(node),
        }
    }
    for function in functions {
        let _ = writeln!(text, "  subgraph {} {{", quoted(&format!("cluster_{}", function.id)));
        let _ = writeln!(text, "    label={};", quoted(&function.label));
        for node in &members[&*function.id] {
            let _ = writeln!(text, "    {}", declaration(node));
        }
        text.push_str("  }\n");
    }
    for node in alone {
        let _ = writeln!(text, "  {}", declaration(node));
    }
    for edge in &graph.edges {
        let id = |index: usize| quoted(&graph.nodes[index].id);
        let _ = writeln!(text, "  {} -> {} [{}];", id(edge.from), id(edge.to), edge_style(edge.kind));
    }
    text.push_str("}\n");
    text
}

fn declaration(node: &Node) -> String {
    let label = match &node.at {
        Some(at) => format!("{}\n{at}", node.label),
        None => node.label.clone(),
    };
    format!("{} [label={}, {}];", quoted(&node.id), quoted(&label), node_style(node))
}

fn node_style(node: &Node) -> &'static str {
    match (node.kind, node.state) {
        (NodeKind::Function, _) => "shape=box, style=\"rounded,bold\", color=\"#1d4ed8\"",
        (NodeKind::Type, _) => "shape=ellipse, color=\"#64748b\"",
        (NodeKind::Constraint, None | Some(State::Resolved)) => "shape=box, color=\"#475569\"",
        (NodeKind::Constraint, Some(_)) => "shape=box, style=\"dashed,bold\", color=\"#b91c1c\"",
        (NodeKind::Impl, _) => "shape=component, color=\"#047857\"",
        (NodeKind::Assumption, _) => "shape=parallelogram, color=\"#7c3aed\"",
        (NodeKind::Builtin, _) => "shape=hexagon, color=\"#b45309\"",
    }
}

fn edge_style(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Requires => "label=\"requires\"",
        EdgeKind::DependsOn => "label=\"depends on\", style=dashed",
        EdgeKind::SolvedBy => "label=\"solved by\", style=bold",
        EdgeKind::About => "label=\"about\", style=dotted, arrowhead=none",
        EdgeKind::Assumes => "label=\"assumes\", style=dotted",
    }
}

/// A text in quotation marks. `\n` begins a new line in labels, and is not in ids.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
