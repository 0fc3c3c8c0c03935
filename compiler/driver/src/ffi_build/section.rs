//! What does the `ffi` section of a `reml.json` say, and is it right in itself?
//!
//! ```json
//! { "ffi": {
//!   "libraries": ["ring"],
//!   "headers": ["include/ring.h"],
//!   "bindgen": { "enabled": true, "output": "src/ring.reml" },
//!   "linker": { "search_paths": ["lib"], "frameworks": [], "extra_args": [] }
//! } }
//! ```
//!
//! Every rule is asked of every value, so that one look at the diagnostics is enough.

use std::path::{Path, PathBuf};

use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceMap, Span, suggest};

use super::place::{self, Outside};
use super::platform::Platform;
use crate::config;
use crate::config::tree::{Data, Entry, Node};
use crate::system::System;

/// The file that has the section.
pub const FILE: &str = "reml.json";
/// The configuration of `reml-bindgen` where none is named.
const CONFIG: &str = "reml-bindgen.toml";
/// The manifest of bindings where none is named; it lies beside them.
const MANIFEST: &str = "bindings.manifest.json";

/// A checked section. Paths begin at the project, unless they are absolute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The `reml.json`, as it is to be shown.
    pub file: PathBuf,
    /// The folder of the project; empty when it is the current one.
    pub root: PathBuf,
    pub libraries: Vec<Library>,
    pub headers: Vec<Header>,
    /// What is to be generated, if something is.
    pub bindgen: Option<Bindgen>,
    pub search_paths: Vec<SearchPath>,
    pub frameworks: Vec<String>,
    pub extra_args: Vec<String>,
}

/// A library, as linkers call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Library {
    pub name: String,
    pub span: Span,
}

/// A header, as it is written: `<zlib.h>` is one of the system's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub text: String,
    /// Absent for those of the system.
    pub path: Option<PathBuf>,
}

/// A folder with libraries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchPath {
    pub text: String,
    pub path: PathBuf,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bindgen {
    pub output: PathBuf,
    pub manifest: PathBuf,
    /// Absent when there is none and none is named.
    pub config: Option<PathBuf>,
    /// Where `output` is written.
    pub span: Span,
}

/// What was read.
pub struct Read {
    /// The file was read and is JSON.
    pub loaded: bool,
    /// It has a section `ffi`.
    pub present: bool,
    /// Absent when there are errors.
    pub section: Option<Section>,
}

/// Reads a `reml.json`.
pub fn read(path: &Path, system: &dyn System, sources: &mut SourceMap, diagnostics: &mut Vec<Diagnostic>) -> Read {
    let mut found = Vec::new();
    let node = config::open(path, system, sources, &mut found)
        .and_then(|file| config::parse_json(sources.file(file), &mut found));
    let shown = path.display().to_string();
    // Whatever is wrong with the text is one kind of mistake here, and what `reml.toml` says of JSON is not about this file.
    diagnostics.extend(found.into_iter().map(|problem| {
        let Diagnostic { primary, message, .. } = problem;
        Diagnostic::error(codes::FFI_BUILD_CONFIG, primary, message).with_fact("ffi.build.path", shown.as_str())
    }));
    let Some(node) = node else { return Read { loaded: false, present: false, section: None } };
    let root = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader { shown, root, system, diagnostics: Vec::new() };
    let section = reader.file(&node, path);
    let failed = reader.diagnostics.iter().any(Diagnostic::is_error);
    config::limit(&mut reader.diagnostics, 0, node.span);
    diagnostics.append(&mut reader.diagnostics);
    Read { loaded: true, present: section.is_some(), section: section.filter(|_| !failed) }
}

struct Reader<'a> {
    shown: String,
    root: &'a Path,
    system: &'a dyn System,
    diagnostics: Vec<Diagnostic>,
}

/// A text of a list: its place in the list, and in the file.
struct Item<'n> {
    text: &'n str,
    field: String,
    span: Span,
}

impl Reader<'_> {
    fn report(&mut self, code: Code, at: Span, field: &str, message: String) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, at, message)
            .with_fact("ffi.build.path", self.shown.as_str())
            .with_fact("ffi.build.field", field);
        self.diagnostics.push(diagnostic);
        self.diagnostics.last_mut().expect("just pushed")
    }

    fn invalid(&mut self, at: Span, field: &str, message: String) -> &mut Diagnostic {
        self.report(codes::FFI_BUILD_CONFIG, at, field, message)
    }

    fn file(&mut self, node: &Node, path: &Path) -> Option<Section> {
        self.keys(node, "", &["ffi"]);
        let ffi = node.get("ffi")?;
        self.keys(ffi, "ffi", &["libraries", "headers", "bindgen", "linker"]);
        let libraries = self.libraries(ffi.get("libraries"));
        let enabled = self.is_enabled(ffi.get("bindgen"));
        let headers = self.headers(ffi, enabled);
        let bindgen = self.bindgen(ffi.get("bindgen"), enabled);
        if let Some(bindgen) = &bindgen {
            self.overlaps(ffi, bindgen, &headers, path);
        }
        let linker = ffi.get("linker");
        if let Some(linker) = linker {
            self.keys(linker, "ffi.linker", &["search_paths", "frameworks", "extra_args"]);
        }
        let of_linker = |key: &str| linker.and_then(|linker| linker.get(key));
        let mut search_paths: Vec<SearchPath> = Vec::new();
        for item in self.texts(of_linker("search_paths"), "ffi.linker.search_paths") {
            let path = self.place(item.text, item.span, &item.field, true);
            search_paths.extend(path.map(|path| SearchPath { text: item.text.to_owned(), path }));
        }
        let mut frameworks: Vec<String> = Vec::new();
        for item in self.texts(of_linker("frameworks"), "ffi.linker.frameworks") {
            if !Platform::this().has_frameworks() {
                let message =
                    format!("{} has no frameworks, so `{}` is not linked", Platform::this().name(), item.text);
                let diagnostic = Diagnostic::warning(codes::FFI_BUILD_FRAMEWORK, item.span, message);
                self.diagnostics.push(
                    diagnostic
                        .with_fact("ffi.build.path", self.shown.as_str())
                        .with_fact("ffi.build.field", item.field.as_str())
                        .with_note("frameworks are macOS's; the rest of the section is in force"),
                );
            }
            frameworks.push(item.text.to_owned());
        }
        let extra = self.texts(of_linker("extra_args"), "ffi.linker.extra_args");
        let extra_args = extra.iter().map(|item| item.text.to_owned()).collect();
        let (file, root) = (path.to_owned(), self.root.to_owned());
        Some(Section { file, root, libraries, headers, bindgen, search_paths, frameworks, extra_args })
    }

    /// Keys that nothing reads are mistakes of spelling here: a section that is not in force would go unnoticed.
    fn keys(&mut self, node: &Node, field: &str, known: &[&str]) {
        let Data::Map(entries) = &node.data else {
            let what = if field.is_empty() { "`reml.json`".to_owned() } else { format!("`{field}`") };
            self.invalid(node.span, field, format!("{what} must be a table, and this is {}", node.kind()));
            return;
        };
        for Entry { key, key_span, .. } in entries.iter().filter(|entry| !known.contains(&&*entry.key)) {
            let path = if field.is_empty() { key.to_string() } else { format!("{field}.{key}") };
            let near = suggest::closest(key, known.iter().copied());
            // Other tools may have sections of their own.
            if field.is_empty() && near.is_none() {
                continue;
            }
            let what = if field.is_empty() { "`reml.json`".to_owned() } else { format!("`{field}`") };
            let listed = known.join("`, `");
            let diagnostic = self.invalid(*key_span, &path, format!("{what} has no key `{key}`"));
            match near {
                Some(near) => {
                    *diagnostic =
                        diagnostic.clone().with_fix(*key_span, format!("{near:?}"), format!("did you mean `{near}`?"))
                }
                None => diagnostic.helps.push(format!("the keys are `{listed}`")),
            }
        }
    }

    /// The texts of a list. Each is something.
    fn texts<'n>(&mut self, list: Option<&'n Node>, field: &str) -> Vec<Item<'n>> {
        let Some(list) = list else { return Vec::new() };
        let Data::List(items) = &list.data else {
            self.invalid(list.span, field, format!("`{field}` must be a list of texts, and this is {}", list.kind()));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let field = format!("{field}[{index}]");
            if let Some(text) = self.text(item, &field) {
                found.push(Item { text, field, span: item.span });
            }
        }
        found
    }

    fn text<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n str> {
        let problem = match node.as_text() {
            None => format!("`{field}` must be a text, and this is {}", node.kind()),
            Some(text) if text.trim().is_empty() => format!("`{field}` is blank"),
            Some(text) if text.contains('\0') => format!("`{field}` has a zero byte"),
            Some(text) => return Some(text),
        };
        self.invalid(node.span, field, problem);
        None
    }

    fn libraries(&mut self, list: Option<&Node>) -> Vec<Library> {
        let mut found: Vec<Library> = Vec::new();
        for Item { text, field, span } in self.texts(list, "ffi.libraries") {
            let help = if text.contains(['/', '\\']) {
                "name the library alone, and its folder in `ffi.linker.search_paths`".to_owned()
            } else if let Some(name) = Platform::library_of(text) {
                format!("write `{name}`: each system has its own beginning and end of the file's name")
            } else {
                if !found.iter().any(|known| known.name == text) {
                    found.push(Library { name: text.to_owned(), span });
                }
                continue;
            };
            let message = format!("`{text}` is a file, not the name of a library");
            self.invalid(span, &field, message).helps.push(help);
        }
        found
    }

    fn is_enabled(&mut self, bindgen: Option<&Node>) -> bool {
        let Some(enabled) = bindgen.and_then(|node| node.get("enabled")) else { return false };
        if enabled.as_bool().is_none() {
            let message = format!("`ffi.bindgen.enabled` must be `true` or `false`, and this is {}", enabled.kind());
            self.invalid(enabled.span, "ffi.bindgen.enabled", message);
        }
        enabled.as_bool() == Some(true)
    }

    fn headers(&mut self, ffi: &Node, enabled: bool) -> Vec<Header> {
        let list = ffi.get("headers");
        let mut found: Vec<Header> = Vec::new();
        for Item { text, field, span } in self.texts(list, "ffi.headers") {
            if text.starts_with('<') && text.ends_with('>') {
                found.push(Header { text: text.to_owned(), path: None });
                continue;
            }
            let Some(path) = self.place(text, span, &field, true) else { continue };
            if self.system.is_dir(&path) {
                self.invalid(span, &field, format!("`{text}` is a folder, not a header"));
            } else if enabled && !self.system.is_file(&path) {
                let diagnostic = self.invalid(span, &field, format!("there is no header `{text}`"));
                diagnostic.notes.push(format!("it was looked for as `{}`", path.display()));
                diagnostic.helps.push(format!("a header of the system is written `<{text}>`"));
            }
            if !found.iter().any(|known| known.path.as_ref() == Some(&path)) {
                found.push(Header { text: text.to_owned(), path: Some(path) });
            }
        }
        if enabled && list.is_none_or(|list| matches!(&list.data, Data::List(items) if items.is_empty())) {
            let message = "`ffi.bindgen` is enabled, but `ffi.headers` names none".to_owned();
            let at = list.map(|list| list.span).or_else(|| key_span(ffi, "bindgen")).unwrap_or(ffi.span);
            self.invalid(at, "ffi.headers", message)
                .helps
                .push("list the headers to bind: `\"headers\": [\"include/name.h\"]`".to_owned());
        }
        found
    }

    fn bindgen(&mut self, node: Option<&Node>, enabled: bool) -> Option<Bindgen> {
        let node = node?;
        self.keys(node, "ffi.bindgen", &["enabled", "output", "config", "manifest"]);
        let mut path = |key: &str, field: &str, foreign: bool| {
            let value = node.get(key)?;
            let text = self.text(value, field)?;
            Some((text.to_owned(), self.place(text, value.span, field, foreign)?, value.span))
        };
        let output = path("output", "ffi.bindgen.output", false);
        let config = path("config", "ffi.bindgen.config", true);
        let manifest = path("manifest", "ffi.bindgen.manifest", false);
        if let Some((text, _, span)) = output.as_ref().filter(|(text, ..)| !text.ends_with(".reml")) {
            let message = format!("`{text}` is no Reml file: its name has to end with `.reml`");
            self.invalid(*span, "ffi.bindgen.output", message);
        }
        if !enabled {
            return None;
        }
        if node.get("output").is_none() {
            let at = key_span(node, "enabled").unwrap_or(node.span);
            let message = "`ffi.bindgen` is enabled, but has no `output`".to_owned();
            self.invalid(at, "ffi.bindgen.output", message)
                .helps
                .push("name the file to write: `\"output\": \"src/name.reml\"`".to_owned());
        }
        if let Some((text, path, span)) = config.as_ref().filter(|(_, path, _)| !self.system.is_file(path)) {
            let message = format!("there is no configuration `{text}`");
            let note = format!("it was looked for as `{}`", path.display());
            self.invalid(*span, "ffi.bindgen.config", message).notes.push(note);
        }
        let config = match (node.get("config"), config) {
            (None, _) => Some(self.root.join(CONFIG)).filter(|path| self.system.is_file(path)),
            (Some(_), config) => config.map(|(_, path, _)| path),
        };
        let (_, output, span) = output?;
        let manifest = match manifest {
            Some((_, path, _)) => path,
            None => output.with_file_name(MANIFEST),
        };
        Some(Bindgen { output, manifest, config, span })
    }

    /// What is generated must not take the place of something else.
    fn overlaps(&mut self, ffi: &Node, bindgen: &Bindgen, headers: &[Header], own: &Path) {
        let Some(node) = ffi.get("bindgen") else { return };
        let same =
            |a: &Path, b: &Path| a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
        for (key, path) in [("output", &bindgen.output), ("manifest", &bindgen.manifest)] {
            let field = format!("ffi.bindgen.{key}");
            let at = node.get(key).map_or(node.span, |value| value.span);
            let is_header = headers.iter().filter_map(|header| header.path.as_ref()).any(|header| same(header, path));
            let taken = if is_header {
                "a header"
            } else if same(path, own) {
                "the `reml.json` itself"
            } else if bindgen.config.as_ref().is_some_and(|config| same(config, path)) {
                "the configuration of `reml-bindgen`"
            } else if self.system.is_dir(path) {
                "a folder"
            } else {
                continue;
            };
            self.invalid(at, &field, format!("`{}` cannot be written: it is {taken}", path.display()));
        }
        if bindgen.output.file_name() == bindgen.manifest.file_name() {
            let at = node.get("manifest").map_or(node.span, |value| value.span);
            let message = "`ffi.bindgen.output` and `ffi.bindgen.manifest` have the same name".to_owned();
            self.invalid(at, "ffi.bindgen.manifest", message);
        }
    }

    fn place(&mut self, text: &str, at: Span, field: &str, foreign: bool) -> Option<PathBuf> {
        let outside = match place::resolve(self.root, text, foreign) {
            Ok(path) => return Some(path),
            Err(outside) => outside,
        };
        let diagnostic = self.report(codes::FFI_BUILD_OUTSIDE, at, field, format!("`{text}` leads out of the project"));
        match outside {
            Outside::Links(to) => diagnostic.notes.push(format!("by a symbolic link, to `{}`", to.display())),
            Outside::Climbs => diagnostic.notes.push("paths begin at the folder of `reml.json`".to_owned()),
            Outside::Absolute => diagnostic.notes.push("what is generated belongs to the project".to_owned()),
        }
        if foreign {
            diagnostic.helps.push("what lies elsewhere is named by its absolute path".to_owned());
        }
        None
    }
}

fn key_span(node: &Node, key: &str) -> Option<Span> {
    node.entries().iter().find(|entry| *entry.key == *key).map(|entry| entry.key_span)
}
