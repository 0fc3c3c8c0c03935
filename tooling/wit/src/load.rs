//! Where is the WIT? In a file, or in all files of a folder, with the packages that these depend on in the folder `deps`.

use std::path::{Path, PathBuf};

use reml_bindgen::files;
use reml_diagnostics::{Diagnostic, Span, codes};
use wit_parser::{PackageId, ParseError, Resolve, ResolveError, ResolveErrorKind, SourceMap, UnresolvedPackageGroup};

use crate::report::Report;

/// All packages, and which of them is the one that was asked for.
pub struct Loaded {
    pub resolve: Resolve,
    pub package: PackageId,
    /// As they are recorded, with what is in them.
    pub files: Vec<(String, String)>,
}

/// Reads and resolves. What is wrong is in the report, with its place.
pub fn load(path: &Path, report: &mut Report) -> Option<Loaded> {
    let mut loaded = Vec::new();
    let (main, deps) = match path.is_dir() {
        true => (wit_files(path, report)?, path.join("deps")),
        false => (vec![path.to_owned()], path.parent().unwrap_or(Path::new("")).join("deps")),
    };
    if main.is_empty() {
        let shown = files::displayed(path);
        report.add(
            Diagnostic::error(
                codes::WIT_PARSE,
                Span::NONE,
                format!("`{shown}` has no files whose names end with `.wit`"),
            )
            .with_help("name a file, or the folder of a package"),
        );
        return None;
    }
    let main = group(&main, &mut loaded, report)?;
    let mut others = Vec::new();
    for entry in entries(&deps, report)? {
        let found = match entry.is_dir() {
            true => wit_files(&entry, report)?,
            false if is_wit(&entry) => vec![entry],
            false => continue,
        };
        if !found.is_empty() {
            others.push(group(&found, &mut loaded, report)?);
        }
    }
    let mut resolve = Resolve::new();
    match resolve.push_groups(main, others) {
        Ok(package) => Some(Loaded { resolve, package, files: loaded }),
        Err(error) => {
            unresolved(&error, &resolve.source_map, &deps, report);
            None
        }
    }
}

/// A text as a package of its own, for what is made elsewhere.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(text: &str) -> Result<(Resolve, PackageId), String> {
    let mut resolve = Resolve::new();
    match resolve.push_source("exported.wit", text) {
        Ok(package) => Ok((resolve, package)),
        Err(error) => Err(resolve.render_error(&error)),
    }
}

/// The place of a span of WIT.
pub fn place(span: wit_parser::Span, map: &SourceMap, report: &Report) -> Span {
    let Some(location) = map.resolve_span(span) else { return Span::NONE };
    let Some((_, file)) = report.sources.files().find(|(_, file)| *file.name == *location.path) else {
        return Span::NONE;
    };
    let at = |offset: usize| file.base + offset.min(file.text.len()) as u32;
    Span::new(at(location.range.start), at(location.range.end))
}

/// The files of one package, parsed.
fn group(paths: &[PathBuf], loaded: &mut Vec<(String, String)>, report: &mut Report) -> Option<UnresolvedPackageGroup> {
    let mut map = SourceMap::new();
    for path in paths {
        let shown = files::displayed(path);
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(why) => {
                report.error(codes::WIT_PARSE, Span::NONE, format!("`{shown}` {why}"));
                return None;
            }
        };
        if report.sources.add(shown.as_str(), text.as_str()).is_err() {
            report.error(codes::WIT_PARSE, Span::NONE, format!("`{shown}` is too large"));
            return None;
        }
        map.push_str(&shown, text.as_str());
        loaded.push((files::recorded(path), text));
    }
    match map.parse() {
        Ok(group) => Some(group),
        Err((map, error)) => {
            unparsed(&error, &map, report);
            None
        }
    }
}

fn unparsed(error: &ParseError, map: &SourceMap, report: &mut Report) {
    let at = place(error.kind().span(), map, report);
    report.add(told(at, &error.kind().to_string()));
}

fn unresolved(error: &ResolveError, map: &SourceMap, deps: &Path, report: &mut Report) {
    let at = place(error.kind().span(), map, report);
    let mut diagnostic = told(at, &error.kind().to_string());
    match error.kind() {
        ResolveErrorKind::PackageNotFound { requested, .. } => {
            let deps = files::displayed(deps);
            diagnostic = told(at, &format!("there is no package `{requested}`"))
                .with_help(format!("put the files of `{requested}` into a folder of `{deps}`, or into one file there"));
        }
        ResolveErrorKind::DuplicatePackage { span2, .. } => {
            diagnostic = diagnostic.with_label(place(*span2, map, report), "the other definition");
        }
        _ => {}
    }
    report.add(diagnostic);
}

/// The parser's words: what is wrong on the first line, and then what there is to say about it.
fn told(at: Span, message: &str) -> Diagnostic {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("this is no WIT").replace('\'', "`");
    let rest: Vec<&str> = lines.collect();
    let diagnostic = Diagnostic::error(codes::WIT_PARSE, at, first);
    if rest.is_empty() { diagnostic } else { diagnostic.with_note(rest.join(" ")) }
}

fn is_wit(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wit")
}

fn wit_files(folder: &Path, report: &mut Report) -> Option<Vec<PathBuf>> {
    let all = entries(folder, report)?;
    Some(all.into_iter().filter(|path| is_wit(path) && !path.is_dir()).collect())
}

/// What is in a folder, in the order of names. A folder that does not exist has nothing in it.
fn entries(folder: &Path, report: &mut Report) -> Option<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut all: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            all.push(entry?.path());
        }
        all.sort();
        Ok(all)
    };
    match read() {
        Ok(all) => Some(all),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Some(Vec::new()),
        Err(problem) => {
            let message = format!("`{}` cannot be read: {}", files::displayed(folder), files::described(&problem));
            report.error(codes::WIT_PARSE, Span::NONE, message);
            None
        }
    }
}
