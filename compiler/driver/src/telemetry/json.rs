//! How does the graph look as JSON, and what can be wrong with what somebody else gives as such?
//!
//! The shape is in `tooling/json-schema/constraint-graph.schema.json`. Reading takes a whole report, or only its `graph`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::graph::{Edge, EdgeKind, Graph, Node, NodeKind, State};
use super::{Function, Place, Report, Resolution, SCHEMA_VERSION, dot};

/// The report with a line break at its end.
pub fn print(report: &Report) -> String {
    let functions: Vec<Value> = report.functions.iter().map(function_json).collect();
    let resolutions: Vec<Value> = report.resolutions.iter().map(resolution_json).collect();
    let value = json!({
        "schema_version": SCHEMA_VERSION,
        "generated_at": report.generated_at,
        "input": report.input,
        "functions": functions,
        "metrics": metrics(report),
        "graph": graph_json(&report.graph),
        "resolutions": resolutions,
    });
    format!("{value:#}\n")
}

fn function_json(function: &Function) -> Value {
    let mut fields = fields([("id", json!(function.id)), ("name", json!(function.name))]);
    put_place(&mut fields, function.place.as_ref());
    fields.insert("constraints".to_owned(), json!(function.constraints));
    fields.insert("bounds".to_owned(), json!(function.bounds));
    Value::Object(fields)
}

fn resolution_json(resolution: &Resolution) -> Value {
    let mut fields = fields([
        ("constraint", json!(resolution.constraint)),
        ("function", json!(resolution.function)),
        ("bound", json!(resolution.bound)),
    ]);
    put_place(&mut fields, resolution.place.as_ref());
    fields.insert("callee".to_owned(), json!(resolution.callee));
    fields.insert("premise_of".to_owned(), json!(resolution.premise_of));
    fields.insert("state".to_owned(), json!(resolution.state.word()));
    fields.insert("by".to_owned(), json!(resolution.by));
    Value::Object(fields)
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn put_place(fields: &mut Map<String, Value>, place: Option<&Place>) {
    if let Some(Place { file, line, column }) = place {
        fields.extend(self::fields([("file", json!(file)), ("line", json!(line)), ("column", json!(column))]));
    }
}

/// Counts, for dashboards and for a first look.
fn metrics(report: &Report) -> Value {
    let mut states: BTreeMap<&str, usize> = State::ALL.iter().map(|state| (state.word(), 0)).collect();
    let answers = [NodeKind::Impl, NodeKind::Assumption, NodeKind::Builtin];
    let mut solved_by: BTreeMap<&str, usize> = answers.iter().map(|kind| (kind.word(), 0)).collect();
    let kinds: HashMap<&str, NodeKind> = report.graph.nodes.iter().map(|node| (&*node.id, node.kind)).collect();
    for resolution in &report.resolutions {
        *states.entry(resolution.state.word()).or_default() += 1;
        if let Some(kind) = resolution.by.as_deref().and_then(|id| kinds.get(id)) {
            *solved_by.entry(kind.word()).or_default() += 1;
        }
    }
    let distinct = report.graph.nodes.iter().filter(|node| node.kind == NodeKind::Constraint).count();
    json!({
        "functions": report.functions.len(),
        "constraints": report.resolutions.len(),
        "distinct_constraints": distinct,
        "states": states,
        "solved_by": solved_by,
    })
}

fn graph_json(graph: &Graph) -> Value {
    let nodes: Vec<Value> = graph.nodes.iter().map(node_json).collect();
    let edge = |edge: &Edge| {
        let id = |index: usize| &graph.nodes[index].id;
        json!({ "from": id(edge.from), "to": id(edge.to), "kind": edge.kind.word() })
    };
    json!({
        "nodes": nodes,
        "edges": graph.edges.iter().map(edge).collect::<Vec<_>>(),
        "export_dot": dot::print(graph, dot::DEFAULT_NAME),
        "node_count": graph.nodes.len(),
        "edge_count": graph.edges.len(),
    })
}

fn node_json(node: &Node) -> Value {
    let mut fields = fields([("id", json!(node.id)), ("label", json!(node.label)), ("kind", json!(node.kind.word()))]);
    let more =
        [("function", node.function.as_deref()), ("state", node.state.map(State::word)), ("at", node.at.as_deref())];
    for (key, value) in more {
        if let Some(value) = value {
            fields.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(fields)
}

/// Reads the graph out of a report, or one that stands alone.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn read(text: &str) -> Result<Graph, String> {
    let root: Value = serde_json::from_str(text).map_err(|problem| format!("it is not JSON: {problem}"))?;
    let root = root.as_object().ok_or("it is not a JSON object")?;
    match root.get("schema_version") {
        None => {}
        Some(version) if *version == SCHEMA_VERSION => {}
        Some(version) => {
            return Err(format!("its `schema_version` is {version}; this remlc reads \"{SCHEMA_VERSION}\""));
        }
    }
    match root.get("graph") {
        Some(graph) => read_graph(graph.as_object().ok_or("`graph` is not an object")?, "graph."),
        None if root.contains_key("nodes") => read_graph(root, ""),
        None => Err("it has neither `graph` nor `nodes`".to_owned()),
    }
}

fn read_graph(object: &Map<String, Value>, prefix: &str) -> Result<Graph, String> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut ids: HashMap<String, usize> = HashMap::new();
    for (index, value) in list(object, prefix, "nodes")?.iter().enumerate() {
        let at = Reading { value, place: format!("{prefix}nodes[{index}]") };
        let node = Node {
            id: at.text("id")?.to_owned(),
            label: at.text("label")?.to_owned(),
            kind: at.word("kind", NodeKind::parse, NodeKind::ALL, NodeKind::word)?,
            function: at.optional("function")?.map(str::to_owned),
            state: match at.optional("state")? {
                Some(_) => Some(at.word("state", State::parse, State::ALL, State::word)?),
                None => None,
            },
            at: at.optional("at")?.map(str::to_owned),
        };
        if let Some(first) = ids.insert(node.id.clone(), index) {
            return Err(format!(
                "`{prefix}nodes[{index}]` and `{prefix}nodes[{first}]` have the same id `{}`",
                node.id
            ));
        }
        nodes.push(node);
    }
    let mut edges = Vec::new();
    for (index, value) in list(object, prefix, "edges")?.iter().enumerate() {
        let at = Reading { value, place: format!("{prefix}edges[{index}]") };
        let end = |key: &str| {
            let id = at.text(key)?;
            ids.get(id).copied().ok_or_else(|| format!("`{}.{key}` is `{id}`, but no node has this id", at.place))
        };
        let kind = at.word("kind", EdgeKind::parse, EdgeKind::ALL, EdgeKind::word)?;
        edges.push(Edge { from: end("from")?, to: end("to")?, kind });
    }
    Ok(Graph { nodes, edges })
}

fn list<'v>(object: &'v Map<String, Value>, prefix: &str, key: &str) -> Result<&'v [Value], String> {
    match object.get(key) {
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("`{prefix}{key}` is not a list")),
        None => Err(format!("`{prefix}{key}` is missing")),
    }
}

/// An element, and what it is called in messages.
struct Reading<'v> {
    value: &'v Value,
    place: String,
}

impl<'v> Reading<'v> {
    fn optional(&self, key: &str) -> Result<Option<&'v str>, String> {
        let object = self.value.as_object().ok_or_else(|| format!("`{}` is not an object", self.place))?;
        match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{}.{key}` is not a text", self.place)),
        }
    }

    fn text(&self, key: &str) -> Result<&'v str, String> {
        self.optional(key)?.ok_or_else(|| format!("`{}.{key}` is missing", self.place))
    }

    /// One of a few words.
    fn word<T: Copy>(
        &self,
        key: &str,
        parse: fn(&str) -> Option<T>,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Result<T, String> {
        let text = self.text(key)?;
        parse(text).ok_or_else(|| {
            let known: Vec<String> = all.iter().map(|&it| format!("`{}`", word(it))).collect();
            format!("`{}.{key}` is `{text}`; there are {}", self.place, known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Value {
        json!({
            "nodes": [
                { "id": "f", "label": "app.f", "kind": "function" },
                { "id": "c", "label": "T: Ord", "kind": "constraint", "function": "f", "state": "unresolved", "at": "a:1:2" },
            ],
            "edges": [{ "from": "f", "to": "c", "kind": "requires" }],
        })
    }

    #[test]
    fn a_graph_is_read_with_and_without_what_is_around_it() {
        let alone = read(&graph().to_string()).unwrap();
        let inside = json!({ "schema_version": SCHEMA_VERSION, "graph": graph() });
        assert_eq!(read(&inside.to_string()), Ok(alone.clone()));
        assert_eq!(alone.nodes[1].state, Some(State::Unresolved));
        assert_eq!(alone.edges, [Edge { from: 0, to: 1, kind: EdgeKind::Requires }]);
        assert_eq!(read(&graph_json(&alone).to_string()), Ok(alone));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |pointer: &str, value: Value| {
            let mut root = json!({ "graph": graph() });
            *root.pointer_mut(pointer).unwrap() = value;
            read(&root.to_string()).unwrap_err()
        };
        assert_eq!(
            wrong("/graph/nodes/1/kind", json!("trait")),
            "`graph.nodes[1].kind` is `trait`; there are `function`, `type`, `constraint`, `impl`, `assumption`, `builtin`"
        );
        assert_eq!(wrong("/graph/edges/0/to", json!("x")), "`graph.edges[0].to` is `x`, but no node has this id");
        assert_eq!(
            wrong("/graph/nodes/1/id", json!("f")),
            "`graph.nodes[1]` and `graph.nodes[0]` have the same id `f`"
        );
        assert_eq!(wrong("/graph/nodes/0/label", json!(7)), "`graph.nodes[0].label` is not a text");
        assert_eq!(wrong("/graph/nodes/0", json!(7)), "`graph.nodes[0]` is not an object");
        assert_eq!(wrong("/graph/edges", json!({})), "`graph.edges` is not a list");
        assert_eq!(wrong("/graph", json!(null)), "`graph` is not an object");
        let read = |text| read(text).unwrap_err();
        assert!(read("{").starts_with("it is not JSON: "));
        assert_eq!(read("[]"), "it is not a JSON object");
        assert_eq!(read("{}"), "it has neither `graph` nor `nodes`");
        assert_eq!(read(r#"{"nodes": []}"#), "`edges` is missing");
        assert_eq!(
            read(r#"{"schema_version": "2"}"#),
            "its `schema_version` is \"2\"; this remlc reads \"3.0.0-alpha\""
        );
    }
}
