//! What is wrong with a state or a difference, and where does it stand? Reads both for `remlc reload`, which hands them to the bridge.

use std::path::Path;

use reml_bridge::config::Misshapen;
use reml_bridge::config::change::ChangeSet;
use reml_bridge::config::review::{Problem, Validate, Violation};
use reml_bridge::config::state::StateDocument;
use reml_bridge::reload::Refusal;
use reml_diagnostics::codes::Code;
use reml_diagnostics::{Diagnostic, FileId, SourceMap, Span, codes};
use serde_json::Value;

use crate::config::place::Places;
use crate::config::schema::Schema;
use crate::config::{self, tree::Node};
use crate::system::System;

/// A state that was understood.
pub struct State {
    pub document: StateDocument,
    /// The schema in its standard form, and what applies it.
    pub schema: Option<Value>,
    pub validate: Box<Validate<'static>>,
    file: FileId,
    places: Places,
}

/// A difference that was understood.
pub struct Difference {
    pub set: ChangeSet,
    /// The change set as it is written in the file.
    pub change_set: Value,
    places: Places,
    file: FileId,
}

/// Reads the bytes of a state. What is wrong with them goes to `diagnostics`.
pub fn state(path: &Path, bytes: Vec<u8>, sources: &mut SourceMap, diagnostics: &mut Vec<Diagnostic>) -> Option<State> {
    let before = diagnostics.len();
    let (file, root) = json(path, bytes, codes::BRIDGE_STATE, sources, diagnostics)?;
    let places = Places::of(&root);
    let document = match StateDocument::from_json(&root.to_json()) {
        Ok(document) => document,
        Err(problems) => {
            diagnostics
                .extend(problems.into_iter().map(|it| misshapen(codes::BRIDGE_STATE, it, &places, file, sources)));
            return None;
        }
    };
    exact(codes::BRIDGE_STATE, &root, diagnostics);
    let schema = match (&document.schema, root.get("schema")) {
        (Some(_), Some(node)) => Some(Schema::new(node, |_| true, diagnostics)?),
        _ => None,
    };
    if diagnostics.len() > before {
        return None;
    }
    let standard = schema.as_ref().map(|schema| schema.standard().clone());
    let validate = move |values: &Value| -> Vec<Violation> {
        let found = schema.iter().flat_map(|schema| schema.violations(values));
        found.map(|it| Violation { pointer: it.pointer, message: it.message }).collect()
    };
    Some(State { document, schema: standard, validate: Box::new(validate), file, places })
}

/// Reads a difference in a format. What is wrong with it goes to `diagnostics`, under the code of the bridge.
pub fn difference(
    path: &Path,
    format: &str,
    system: &dyn System,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Difference> {
    let code = codes::BRIDGE_DIFF_INVALID;
    let file = config::open(path, system, sources, diagnostics)?;
    let before = diagnostics.len();
    let root = config::parse_json(sources.file(file), diagnostics);
    diagnostics[before..].iter_mut().for_each(|diagnostic| diagnostic.code = code);
    let root = root.filter(|_| diagnostics.len() == before)?;
    let places = Places::of(&root);
    exact(code, &root, diagnostics);
    let value = root.to_json();
    match ChangeSet::from_json(&value, format) {
        Ok(_) if diagnostics.len() > before => None,
        Ok(set) => Some(Difference { set, change_set: value["change_set"].clone(), places, file }),
        Err(problems) => {
            diagnostics.extend(problems.into_iter().map(|it| misshapen(code, it, &places, file, sources)));
            None
        }
    }
}

impl Difference {
    /// Why the difference is refused, at the change that is to blame.
    pub fn refused(&self, problem: &Problem, state: &State, sources: &SourceMap) -> Diagnostic {
        let code = match problem.refusal {
            Refusal::Invalid(_) => codes::BRIDGE_DIFF_INVALID,
            Refusal::Rejected(_) => codes::BRIDGE_DIFF_REJECTED,
        };
        let pointer = |index: usize| format!("/change_set/items/{index}/key");
        let at = problem.change.and_then(|index| self.places.get(&pointer(index)));
        let at = at.map_or_else(|| start(self.file, sources), |place| place.value);
        let mut diagnostic = Diagnostic::error(code, at, problem.refusal.detail());
        let change = problem.change.and_then(|index| self.set.changes.get(index));
        if let Some(value) = change.and_then(|change| state.places.get(&format!("/values{}", change.path.pointer()))) {
            diagnostic = diagnostic.with_label(value.value, "the state has this");
        }
        match &problem.help {
            Some(help) => diagnostic.with_help(help.clone()),
            None => diagnostic,
        }
    }
}

impl State {
    /// Where the state names its bridge.
    pub fn bridge_span(&self, sources: &SourceMap) -> Span {
        self.places.get("/bridge").map_or_else(|| start(self.file, sources), |place| place.value)
    }
}

fn json(
    path: &Path,
    bytes: Vec<u8>,
    code: Code,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(FileId, Node)> {
    let shown = path.display().to_string();
    let mut fail = |message: String| diagnostics.push(Diagnostic::error(code, Span::NONE, message));
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(problem) => {
            fail(format!("`{shown}` is not a text: byte {} is not UTF-8", problem.utf8_error().valid_up_to()));
            return None;
        }
    };
    let Ok(file) = sources.add(shown.clone(), text) else {
        fail(format!("`{shown}` is too large"));
        return None;
    };
    let before = diagnostics.len();
    let root = config::parse_json(sources.file(file), diagnostics);
    diagnostics[before..].iter_mut().for_each(|diagnostic| diagnostic.code = code);
    root.filter(|_| diagnostics.len() == before).map(|root| (file, root))
}

/// Numbers of more digits than are kept would be changed by a reload that does not mention them.
fn exact(code: Code, root: &Node, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.extend(root.inexact().into_iter().map(|at| {
        Diagnostic::error(code, at, "this number has more digits than can be kept")
            .with_help("write it as a text, or with as many digits as a 64-bit number has")
    }));
}

fn misshapen(code: Code, problem: Misshapen, places: &Places, file: FileId, sources: &SourceMap) -> Diagnostic {
    let Misshapen { pointer, of_key, problem } = problem;
    // What is about a whole object is told at its beginning.
    let inner = places.get(&pointer).filter(|_| !pointer.is_empty());
    Diagnostic::error(
        code,
        inner.map_or_else(|| start(file, sources), |place| if of_key { place.key } else { place.value }),
        problem,
    )
}

fn start(file: FileId, sources: &SourceMap) -> Span {
    let base = sources.file(file).base;
    Span::new(base, base)
}
