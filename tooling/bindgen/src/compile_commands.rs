//! How does a project compile the source that a header belongs to? `compile_commands.json` says so.

use std::path::Path;

use reml_diagnostics::{Diagnostic, Span, codes};
use serde_json::Value;

use crate::files;
use crate::report::Report;

/// The include paths and macros of the entry for a header: of its own, or of the source of its name. Nothing, when there is no such entry.
pub fn flags_for(commands: &Path, header: &Path, report: &mut Report) -> Option<Vec<String>> {
    let invalid = |why: String| {
        Diagnostic::error(codes::BINDGEN_CONFIG, Span::NONE, format!("`{}` {why}", files::displayed(commands)))
    };
    let text = match files::read_text(commands) {
        Ok(text) => text,
        Err(why) => {
            report.add(invalid(why));
            return None;
        }
    };
    let entries = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(entries)) => entries,
        Ok(_) => {
            report.add(invalid("is no list of commands".to_owned()));
            return None;
        }
        Err(error) => {
            report.add(invalid(format!("is not valid JSON: {error}")));
            return None;
        }
    };
    let folder = commands.parent().unwrap_or(Path::new(""));
    let file_of = |entry: &Value| {
        let directory = folder.join(entry["directory"].as_str().unwrap_or_default());
        entry["file"].as_str().map(|file| files::absolute(&directory.join(file)))
    };
    let header = files::absolute(header);
    let own = entries.iter().find(|entry| file_of(entry).is_some_and(|file| file == header));
    let same_stem =
        || entries.iter().find(|entry| file_of(entry).is_some_and(|file| file.file_stem() == header.file_stem()));
    let Some(entry) = own.or_else(same_stem) else { return Some(Vec::new()) };
    let words: Vec<String> = match (&entry["arguments"], entry["command"].as_str()) {
        (Value::Array(words), _) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (_, Some(command)) => shlex::split(command).unwrap_or_default(),
        _ => Vec::new(),
    };
    let directory = folder.join(entry["directory"].as_str().unwrap_or_default());
    Some(kept(&words, &directory))
}

/// What is about paths, macros and the language; paths are made to mean the same from here.
fn kept(words: &[String], directory: &Path) -> Vec<String> {
    const PATHS: &[&str] = &["-isystem", "-iquote", "-idirafter", "-I"];
    const VALUES: &[&str] = &["-D", "-U"];
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let apart = |flag: &str, words: &mut std::slice::Iter<'_, String>| match word.strip_prefix(flag) {
            Some("") => words.next().cloned(),
            Some(rest) => Some(rest.to_owned()),
            None => None,
        };
        if let Some(flag) = PATHS.iter().find(|flag| word.starts_with(**flag)) {
            if let Some(path) = apart(flag, &mut words) {
                flags.push((*flag).to_owned());
                flags.push(files::absolute(&directory.join(path)).display().to_string());
            }
        } else if let Some(flag) = VALUES.iter().find(|flag| word.starts_with(**flag)) {
            flags.extend(apart(flag, &mut words).map(|value| format!("{flag}{value}")));
        } else if word.starts_with("-std=") {
            flags.push(word.clone());
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_macros_are_kept() {
        let words = shlex::split("cc -I include -Isrc -DNAME=\\\"x\\\" -D A -O2 -c -o ring.o -std=c11 ring.c").unwrap();
        let flags = kept(&words, Path::new("/project"));
        assert_eq!(flags, ["-I", "/project/include", "-I", "/project/src", "-DNAME=\"x\"", "-DA", "-std=c11"]);
    }
}
