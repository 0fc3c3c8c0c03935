//! What each code means, with an example that fails and one that works: the text behind `remlc explain`.
//!
//! The entries are Markdown, one file per family: a heading with the code, a paragraph that is the title, the
//! explanation, then fences. `reml fails` must report the code when checked (`reml fails run`: when run), `reml panics`
//! must end in a panic with that code, `reml reports` must print it when run, `reml works` must check without it; `toml`
//! fences hold manifests.
//! `cfg(feature=name)` behind these words is what the target is given with `--cfg`. An entry without examples says why
//! in a paragraph that starts with "No example:". The driver's tests compile all of them.

use crate::codes::{self, Code};

/// Everything there is to say about a code.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub code: Code,
    /// One sentence.
    pub title: &'static str,
    /// Markdown paragraphs.
    pub explanation: &'static str,
    pub examples: Vec<Example>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Example {
    pub kind: ExampleKind,
    pub language: ExampleLanguage,
    pub text: &'static str,
    /// What the target is given with `--cfg`: a key and its value.
    pub cfg: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExampleKind {
    /// Checking it reports the code.
    Fails,
    /// Compiling it to run reports the code.
    FailsToRun,
    /// Running it panics with the code.
    Panics,
    /// Running it prints a diagnostic of the library's with the code.
    Reports,
    /// Checking it does not report the code.
    Works,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExampleLanguage {
    Reml,
    /// A `reml.toml`.
    Manifest,
}

const FILES: &[&str] = &[
    include_str!("input.md"),
    include_str!("lexer.md"),
    include_str!("parser.md"),
    include_str!("names.md"),
    include_str!("configuration.md"),
    include_str!("bridges.md"),
    include_str!("target.md"),
    include_str!("control.md"),
    include_str!("types.md"),
    include_str!("traits.md"),
    include_str!("patterns.md"),
    include_str!("effects.md"),
    include_str!("conductors.md"),
    include_str!("native.md"),
    include_str!("building.md"),
    include_str!("foreign.md"),
    include_str!("bindings.md"),
    include_str!("library.md"),
];

/// The entry of a code, by its text or an alias.
pub fn explain(code: &str) -> Option<Entry> {
    let code = Code::named(code)?;
    sections().find(|(name, _)| *name == code.0).and_then(|(name, body)| entry(name, body))
}

/// All entries, in the order of the files.
pub fn entries() -> impl Iterator<Item = Entry> {
    sections().filter_map(|(name, body)| entry(name, body))
}

/// Each heading with the text below it.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().flat_map(|file| {
        // The part before the first heading says what the file holds.
        file.split("\n# ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, "")))
    })
}

fn entry(name: &str, body: &'static str) -> Option<Entry> {
    let code = *codes::ALL.iter().find(|code| code.0 == name)?;
    let (title, rest) = body.trim_start().split_once("\n\n").unwrap_or((body.trim(), ""));
    let prose_end = rest.find("```").unwrap_or(rest.len());
    let mut examples = Vec::new();
    let mut fences = rest[prose_end..].split("```");
    fences.next();
    while let (Some(fence), Some(_after)) = (fences.next(), fences.next()) {
        let (info, text) = fence.split_once('\n').unwrap_or((fence, ""));
        let (language, kind) = info.split_once(' ').unwrap_or((info, ""));
        let (kind, cfg) = match kind.split_once(" cfg(") {
            Some((kind, cfg)) => (kind, Some(cfg.strip_suffix(')')?.split_once('=')?)),
            None => (kind, None),
        };
        let language = match language {
            "reml" => ExampleLanguage::Reml,
            "toml" => ExampleLanguage::Manifest,
            _ => return None,
        };
        let kind = match kind {
            "fails" => ExampleKind::Fails,
            "fails run" => ExampleKind::FailsToRun,
            "panics" => ExampleKind::Panics,
            "reports" => ExampleKind::Reports,
            "works" => ExampleKind::Works,
            _ => return None,
        };
        examples.push(Example { kind, language, text, cfg });
    }
    Some(Entry { code, title: title.trim(), explanation: rest[..prose_end].trim(), examples })
}

impl Entry {
    /// The entry as `remlc explain` prints it.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n\n{}\n", self.code, self.title.trim_end_matches('.'), self.explanation);
        for example in &self.examples {
            let heading = match example.kind {
                ExampleKind::Fails | ExampleKind::FailsToRun => "This does not compile, or is warned about",
                ExampleKind::Panics => "This panics",
                ExampleKind::Reports => "This reports it",
                ExampleKind::Works => "This works",
            };
            let given = example.cfg.map(|(key, value)| format!(" with `--cfg {key}={value}`")).unwrap_or_default();
            text.push_str(&format!("\n{heading}{given}:\n\n"));
            for line in example.text.trim_end().lines() {
                text.push_str(if line.is_empty() { "" } else { "    " });
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_exactly_one_entry() {
        let headings: Vec<&str> = sections().map(|(name, _)| name).collect();
        let known: BTreeSet<&str> = codes::ALL.iter().map(|code| code.0).collect();
        let explained: BTreeSet<&str> = headings.iter().copied().collect();
        assert_eq!(headings.len(), explained.len(), "a code is explained twice");
        assert_eq!(known.difference(&explained).collect::<Vec<_>>(), Vec::<&&str>::new(), "codes without an entry");
        assert_eq!(explained.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "entries without a code");
        assert_eq!(entries().count(), codes::ALL.len(), "an entry has a fence that cannot be read");
    }

    #[test]
    fn every_entry_has_prose_and_a_pair_of_examples_or_a_reason() {
        for entry in entries() {
            assert!(entry.title.len() > 10 && entry.title.ends_with('.'), "{}: {:?}", entry.code, entry.title);
            assert!(entry.explanation.len() > 60, "{}", entry.code);
            let works = entry.examples.iter().filter(|example| example.kind == ExampleKind::Works).count();
            match entry.examples.len() {
                0 => assert!(entry.explanation.contains("No example: "), "{}", entry.code),
                2 => assert_eq!(works, 1, "{}", entry.code),
                other => panic!("{} has {other} examples", entry.code),
            }
        }
    }

    #[test]
    fn explaining_shows_everything() {
        let text = explain("parser.syntax.chained_comparison").unwrap().to_text();
        assert!(text.starts_with("parser.syntax.chained_comparison: Comparisons do not chain\n\n`a < b < c` would"));
        assert!(text.contains("\nThis works:\n\n    fn between(a: Int, b: Int, c: Int) -> Bool = a < b && b < c\n"));
        assert_eq!(explain("no.such.code"), None);
    }
}
