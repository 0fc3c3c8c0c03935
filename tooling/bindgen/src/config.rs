//! What shall be bound, and whereto? `reml-bindgen.toml` and the command line, put together.
//!
//! The command line wins: its lists are appended, its single values replace. Paths in the file are relative to the file, those of the
//! command line to the current directory. Whether something is missing is asked after that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;
use reml_diagnostics::{Diagnostic, SourceFile, Span, codes, suggest};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::Report;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "reml-bindgen.toml";

/// What the command line says.
#[derive(Clone, Default, Debug)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub headers: Vec<String>,
    pub include_paths: Vec<String>,
    pub compile_commands: Option<String>,
    pub defines: Vec<String>,
    pub output: Option<String>,
    pub manifest: Option<String>,
    pub exclude: Vec<String>,
    pub allow: Vec<String>,
    pub follow: Vec<String>,
    /// `C_NAME=reml_name`.
    pub rename: Vec<String>,
    pub opaque_types: Option<String>,
    pub pointers: Option<String>,
    pub link: Option<String>,
    /// Where these paths start, and where the configuration lies unless it is named: the current directory when nothing is said.
    pub folder: Option<PathBuf>,
}

/// How pointers are written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Pointers {
    /// `Ptr<T>`, whatever C says of writing.
    #[default]
    Ptr,
    /// `MutPtr<T>` where C does not say `const`.
    Mut,
}

/// How a pointer to a type of which only the name is known is written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OpaqueTypes {
    /// `Ptr<()>`.
    #[default]
    Unit,
    /// `Ptr<Name>`, with an empty struct `Name`.
    Named,
}

/// A header as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Header {
    File {
        written: String,
        path: PathBuf,
    },
    /// `<stdio.h>`: the compiler knows where.
    System(String),
}

impl Header {
    /// Do both mean one file, however it is written?
    fn is_same(&self, other: &Header) -> bool {
        match (self, other) {
            (Header::File { path, .. }, Header::File { path: other, .. }) => {
                crate::files::absolute(path) == crate::files::absolute(other)
            }
            _ => self == other,
        }
    }

    /// How it is recorded before the compiler has said where it is.
    pub fn declared(&self) -> String {
        match self {
            Header::File { path, .. } => crate::files::recorded(path),
            Header::System(name) => name.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    pub headers: Vec<Header>,
    pub include_paths: Vec<PathBuf>,
    pub compile_commands: Option<PathBuf>,
    pub defines: Vec<String>,
    pub output: PathBuf,
    pub manifest: PathBuf,
    pub exclude: Vec<Regex>,
    /// When there are some, only what one of them matches is bound.
    pub allow: Vec<Regex>,
    /// Headers of the system whose declarations belong to the binding, too.
    pub follow: Vec<Regex>,
    pub rename: BTreeMap<String, String>,
    pub opaque_types: OpaqueTypes,
    pub pointers: Pointers,
    /// The library that the functions are in.
    pub link: Option<String>,
    /// Everything that was said, in one form whoever said it.
    pub canonical: Value,
}

/// A text, and where it stands in the file.
type Said = (String, Span);

/// The keys of the file. Lists are appended to, texts are replaced.
const LISTS: &[&str] = &["headers", "include_paths", "defines", "exclude", "allow", "follow"];
const TEXTS: &[&str] = &["compile_commands", "output", "manifest", "opaque_types", "pointers", "link"];
const TABLES: &[&str] = &["rename"];

#[derive(Default)]
struct Read {
    lists: BTreeMap<&'static str, Vec<Said>>,
    texts: BTreeMap<&'static str, Said>,
    rename: BTreeMap<String, Said>,
}

/// Reads the file, adds what the command line says, and looks whether that is enough. `None`: the report says why.
pub fn load(overrides: &Overrides, report: &mut Report) -> Option<Config> {
    let folder = overrides.folder.as_deref().unwrap_or(Path::new(""));
    let path = overrides.config.clone().unwrap_or_else(|| folder.join(DEFAULT_FILE));
    // Everything may be on the command line.
    let wanted = overrides.config.is_some() || path.exists();
    let read = if wanted { read(&path, report)? } else { Read::default() };
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let config = merge(read, &base, overrides, report);
    config.filter(|_| !report.failed())
}

fn read(path: &Path, report: &mut Report) -> Option<Read> {
    let invalid = |span: Span, message: String| Diagnostic::error(codes::BINDGEN_CONFIG, span, message);
    let text = match crate::files::read_text(path) {
        Ok(text) => text,
        Err(why) => {
            report.add(invalid(Span::NONE, format!("the configuration `{}` {why}", path.display())));
            return None;
        }
    };
    let file = report.sources.add(path.display().to_string(), text).ok()?;
    let file = report.sources.file(file).clone();
    let root = match DeTable::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            let at = span(&file, error.span().unwrap_or(0..0));
            report.add(invalid(at, format!("`{}` is not valid TOML: {}", file.name, error.message())));
            return None;
        }
    };
    let mut read = Read::default();
    let mut keys: Vec<_> = root.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let (name, at): (&str, Span) = (key.get_ref(), span(&file, key.span()));
        if let Some(list) = LISTS.iter().find(|it| **it == name) {
            let items = texts(&file, value, name, report);
            read.lists.insert(list, items);
        } else if let Some(key) = TEXTS.iter().find(|it| **it == name) {
            match value.get_ref() {
                DeValue::String(text) => {
                    read.texts.insert(key, (text.to_string(), span(&file, value.span())));
                }
                _ => report.add(invalid(span(&file, value.span()), format!("`{name}` is a text"))),
            }
        } else if let (true, DeValue::Table(table)) = (TABLES.contains(&name), value.get_ref()) {
            for (from, to) in table {
                let at = span(&file, to.span());
                match to.get_ref() {
                    DeValue::String(text) => {
                        read.rename.insert(from.get_ref().to_string(), (text.to_string(), at));
                    }
                    _ => report.add(invalid(at, "a name is a text".to_owned())),
                }
            }
        } else if TABLES.contains(&name) {
            report.add(invalid(
                span(&file, value.span()),
                format!("`{name}` is a table: `[rename]`, then `c_name = \"name\"`"),
            ));
        } else {
            let known = || LISTS.iter().chain(TEXTS).chain(TABLES).copied();
            let unknown = invalid(at, format!("there is no key `{name}`"));
            report.add(match suggest::closest(name, known()) {
                Some(near) => unknown.with_fix(at, near, format!("did you mean `{near}`?")),
                None => unknown.with_help(format!("the keys are `{}`", known().collect::<Vec<_>>().join("`, `"))),
            });
        }
    }
    Some(read)
}

fn texts(file: &SourceFile, value: &Spanned<DeValue<'_>>, name: &str, report: &mut Report) -> Vec<Said> {
    let mut said = Vec::new();
    let mut wrong = |at: Span| {
        let message = format!("`{name}` is a list of texts");
        report.add(Diagnostic::error(codes::BINDGEN_CONFIG, at, message));
    };
    match value.get_ref() {
        DeValue::Array(items) => {
            for item in items {
                match item.get_ref() {
                    DeValue::String(text) => said.push((text.to_string(), span(file, item.span()))),
                    _ => wrong(span(file, item.span())),
                }
            }
        }
        _ => wrong(span(file, value.span())),
    }
    said
}

fn span(file: &SourceFile, range: std::ops::Range<usize>) -> Span {
    let limit = file.text.len();
    let start = range.start.min(limit);
    Span::new(file.base + start as u32, file.base + range.end.clamp(start, limit) as u32)
}

fn merge(read: Read, base: &Path, overrides: &Overrides, report: &mut Report) -> Option<Config> {
    let here = |text: &String| (text.clone(), Span::NONE);
    let list = |key: &str, more: &[String]| -> Vec<Said> {
        read.lists.get(key).into_iter().flatten().cloned().chain(more.iter().map(here)).collect()
    };
    let text = |key: &str, other: &Option<String>| other.as_ref().map(here).or_else(|| read.texts.get(key).cloned());
    // What has a span stands in the file.
    let folder = overrides.folder.as_deref().unwrap_or(Path::new(""));
    let path = |(text, at): &Said| if at.is_none() { folder.join(text) } else { base.join(text) };

    let headers = list("headers", &overrides.headers);
    let include_paths = list("include_paths", &overrides.include_paths);
    let defines = list("defines", &overrides.defines);
    let output = text("output", &overrides.output);
    let manifest = text("manifest", &overrides.manifest);
    let compile_commands = text("compile_commands", &overrides.compile_commands);
    // An empty list of headers asks for nothing, but an empty list of folders says that the compiler knows them all.
    let has_folders = !include_paths.is_empty() || read.lists.contains_key("include_paths");
    for (key, found, flag) in [
        ("headers", !headers.is_empty(), "--header"),
        ("include_paths", has_folders, "--include-path"),
        ("output", output.is_some(), "--output"),
        ("manifest", manifest.is_some(), "--manifest"),
    ] {
        if !found {
            let message = format!("`{key}` is missing");
            let help = format!("write it in `{DEFAULT_FILE}`, or give `{flag}`");
            report.add(Diagnostic::error(codes::BINDGEN_CONFIG, Span::NONE, message).with_help(help));
        }
    }
    let link = text("link", &overrides.link);
    let single = [&output, &manifest, &compile_commands, &link];
    for (text, at) in single.into_iter().flatten().chain(&headers).chain(&include_paths).chain(&defines) {
        if text.trim().is_empty() {
            report.add(Diagnostic::error(codes::BINDGEN_CONFIG, *at, "this text is empty"));
        }
    }
    for (text, at) in &defines {
        let name = text.split('=').next().unwrap_or_default();
        let name = name.split('(').next().unwrap_or_default();
        if !is_c_name(name) && !text.trim().is_empty() {
            let message = format!("`{text}` defines no macro: `NAME` or `NAME=VALUE` does");
            report.add(Diagnostic::error(codes::BINDGEN_CONFIG, *at, message));
        }
    }
    if let Some((text, at)) = output.as_ref().filter(|(text, _)| !text.ends_with(".reml") && !text.trim().is_empty()) {
        let message = format!("`{text}` is no Reml file: its name has to end with `.reml`");
        report.add(Diagnostic::error(codes::BINDGEN_CONFIG, *at, message));
    }
    let opaque_types = choice(
        "opaque_types",
        text("opaque_types", &overrides.opaque_types),
        &[("unit", OpaqueTypes::Unit), ("named", OpaqueTypes::Named)],
        report,
    );
    let pointers = text("pointers", &overrides.pointers);
    let pointers = choice("pointers", pointers, &[("ptr", Pointers::Ptr), ("mut", Pointers::Mut)], report);
    let mut rename: BTreeMap<String, Said> = read.rename.clone();
    for said in &overrides.rename {
        match said.split_once('=') {
            Some((from, to)) => {
                rename.insert(from.to_owned(), (to.to_owned(), Span::NONE));
            }
            None => {
                let message = format!("`--rename {said}` lacks a name: write `C_NAME=name`");
                report.add(Diagnostic::error(codes::BINDGEN_CONFIG, Span::NONE, message));
            }
        }
    }
    for (to, at) in rename.values() {
        if !crate::names::is_value_name(to) {
            let message = format!("`{to}` is no name in Reml");
            report.add(Diagnostic::error(codes::BINDGEN_CONFIG, *at, message));
        }
    }
    let (exclude, allow, follow) =
        (list("exclude", &overrides.exclude), list("allow", &overrides.allow), list("follow", &overrides.follow));
    let said = |list: &[Said]| list.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
    let canonical = json!({
        "headers": said(&headers), "include_paths": said(&include_paths), "defines": said(&defines),
        "exclude": said(&exclude), "allow": said(&allow), "follow": said(&follow),
        "rename": rename.iter().map(|(from, (to, _))| (from.clone(), to.clone())).collect::<BTreeMap<_, _>>(),
        "opaque_types": match opaque_types { OpaqueTypes::Unit => "unit", OpaqueTypes::Named => "named" },
        "pointers": match pointers { Pointers::Ptr => "ptr", Pointers::Mut => "mut" },
        "link": link.as_ref().map(|(text, _)| text),
    });
    let mut unique: Vec<Header> = Vec::new();
    for header in headers.iter().map(|said| header(said, &path)) {
        if !unique.iter().any(|known| known.is_same(&header)) {
            unique.push(header);
        }
    }
    Some(Config {
        headers: unique,
        include_paths: include_paths.iter().map(path).collect(),
        compile_commands: compile_commands.as_ref().map(path),
        defines: said(&defines),
        exclude: patterns(&exclude, report),
        allow: patterns(&allow, report),
        follow: patterns(&follow, report),
        rename: rename.into_iter().map(|(from, (to, _))| (from, to)).collect(),
        output: output.as_ref().map(path)?,
        manifest: manifest.as_ref().map(path)?,
        opaque_types,
        pointers,
        link: link.map(|(text, _)| text),
        canonical,
    })
}

/// The value of a key that has only some; the first when it is not given.
fn choice<T: Copy>(key: &str, said: Option<Said>, values: &[(&str, T)], report: &mut Report) -> T {
    let Some((text, at)) = said else { return values[0].1 };
    if let Some((_, value)) = values.iter().find(|(name, _)| *name == text) {
        return *value;
    }
    let names: Vec<String> = values.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = format!("`{key}` is {}, not `{text}`", names.join(" or "));
    report.add(Diagnostic::error(codes::BINDGEN_CONFIG, at, message));
    values[0].1
}

fn header(said: &Said, path: &impl Fn(&Said) -> PathBuf) -> Header {
    match said.0.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(name) => Header::System(name.to_owned()),
        None => Header::File { written: said.0.clone(), path: path(said) },
    }
}

fn patterns(list: &[Said], report: &mut Report) -> Vec<Regex> {
    let mut patterns = Vec::new();
    for (text, at) in list {
        match Regex::new(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                // The last line says what is wrong, those before show where.
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = format!("`{text}` is no regular expression: {why}");
                report.add(Diagnostic::error(codes::BINDGEN_CONFIG, *at, message));
            }
        }
    }
    patterns
}

fn is_c_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}
