//! What does the `ffi` section of a `reml.json` make of a build? It names libraries, where they lie, and the headers that bindings are generated of.
//!
//! [`section`] reads and checks it, [`bindings`] sees to what is generated, with the [`cache`]; what is linked with and loaded is a [`Linkage`],
//! which `libraries` and `link` follow. [`record`] is what the audit log gets.

pub mod bindings;
pub mod cache;
mod linkage;
mod place;
pub mod platform;
pub mod record;
pub mod section;
mod unresolved;

use std::path::{Path, PathBuf};

use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};

use self::bindings::Setting;
use self::cache::Cache;
use self::record::Record;
use self::section::{FILE, Read, Section};
use crate::link::Refusal;
use crate::package;
use crate::system::System;

pub use linkage::Linkage;
pub(crate) use unresolved::Uses;

/// What is asked about native libraries, besides what `reml.json` says.
#[derive(Clone, Default, Debug)]
pub struct Asked {
    /// Another file than the `reml.json` of the program.
    pub config: Option<PathBuf>,
    pub bindings: Bindings,
    /// The cache that bindings are taken from, and kept in.
    pub cache_dir: Option<PathBuf>,
    pub no_cache: bool,
    /// More arguments for the linker.
    pub link_args: Vec<String>,
}

/// What is to be done about generated bindings.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Bindings {
    /// Nothing: only the section is checked.
    Leave,
    /// They have to be there.
    #[default]
    Expect,
    /// They are generated, or taken from the cache, unless they are there.
    Generate,
}

/// The section that a program is built with.
#[derive(Clone, Debug)]
pub struct Project {
    pub section: Section,
    pub setting: Setting,
}

/// What has become of a `reml.json`.
#[derive(Default)]
pub struct Opened {
    /// The file was read and is JSON.
    pub loaded: bool,
    /// It has a section `ffi`.
    pub present: bool,
    /// Absent when there is no section, and when it is not right.
    pub project: Option<Project>,
    /// What was generated, if that was asked for.
    pub records: Vec<Record>,
}

/// The `reml.json` of a program: beside the manifest of its package, or else beside its file.
pub fn find(input: &Path, system: &dyn System) -> Option<PathBuf> {
    let folder = match system.is_dir(input) {
        true => input.to_owned(),
        false => {
            let folder = input.parent().unwrap_or(Path::new(""));
            package::find_root(folder, system).unwrap_or_else(|| folder.to_owned())
        }
    };
    // `./reml.json` would be shown as such.
    let path = if folder == Path::new(".") { PathBuf::from(FILE) } else { folder.join(FILE) };
    system.is_file(&path).then_some(path)
}

/// Reads a `reml.json`, and generates bindings or looks for them.
pub fn open(
    path: &Path,
    asked: &Asked,
    profile: Option<&str>,
    system: &dyn System,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Opened {
    let Read { loaded, present, section } = section::read(path, system, sources, diagnostics);
    let mut opened = Opened { loaded, present, ..Opened::default() };
    if let Some(mut section) = section {
        section.extra_args.extend(asked.link_args.iter().cloned());
        let setting = Setting::new(profile, system);
        let cache = Cache::at(asked.cache_dir.as_deref(), &section.root, system);
        match asked.bindings {
            Bindings::Leave => {}
            Bindings::Expect => bindings::inspect(&section, &setting, &cache, system, diagnostics),
            Bindings::Generate => {
                let cache = Some(&cache).filter(|_| !asked.no_cache);
                opened.records.push(bindings::provide(&section, &setting, cache, sources, diagnostics));
            }
        }
        opened.project = Some(Project { section, setting });
    }
    opened
}

impl Project {
    /// What is linked with.
    pub fn linkage(&self) -> Linkage {
        Linkage::of(&self.section)
    }

    /// The hash of what is linked.
    pub fn link_hash(&self) -> String {
        record::link_hash(&self.section, &self.setting.target)
    }

    /// What to say when the linker has failed.
    pub(crate) fn link_failed(&self, refusal: &Refusal) -> Diagnostic {
        let missing: Vec<&section::Library> =
            self.section.libraries.iter().filter(|library| is_missing(&refusal.said, &library.name)).collect();
        let at = missing.first().map_or(Span::NONE, |library| library.span);
        let names: Vec<String> = missing.iter().map(|library| format!("`{}`", library.name)).collect();
        let message = match names.as_slice() {
            [] => refusal.message.clone(),
            [name] => format!("{}: the library {name} cannot be found", refusal.message),
            names => format!("{}: the libraries {} cannot be found", refusal.message, names.join(", ")),
        };
        // What decides stands at the end.
        let from = refusal.said.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
        let tail = &refusal.said[from..];
        let mut diagnostic = Diagnostic::error(codes::FFI_BUILD_LINK, at, message)
            .with_fact("ffi.build.input_hash", self.link_hash())
            .with_fact("ffi.build.libraries", record::library_names(&self.section))
            .with_fact("ffi.build.linker_paths", record::linker_paths(&self.section))
            .with_fact("ffi.build.stderr_tail", tail);
        if !missing.is_empty() {
            diagnostic = diagnostic
                .with_help("build or install it, or name the folder that it is in in `ffi.linker.search_paths`");
        }
        if tail.is_empty() { diagnostic } else { diagnostic.with_note(tail.to_owned()) }
    }
}

/// How much of what a linker has said is told.
const TAIL: usize = 2_000;

/// Does a linker say that it has not found a library? GNU's, LLVM's and Apple's call it by its name or by its flag.
fn is_missing(said: &str, name: &str) -> bool {
    let marks = [
        format!("cannot find -l{name}"),
        format!("unable to find library -l{name}"),
        format!("library '{name}' not found"),
    ];
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "_-.+".contains(c));
    marks.iter().any(|mark| said.match_indices(mark.as_str()).any(|(at, _)| ends(&said[at + mark.len()..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linkers_name_the_libraries_that_they_miss() {
        let gnu = "/usr/bin/ld: cannot find -lring-two: No such file or directory\n/usr/bin/ld: cannot find -lbuf\n";
        assert!(is_missing(gnu, "ring-two") && is_missing(gnu, "buf") && !is_missing(gnu, "ring"));
        assert!(is_missing("ld.lld: error: unable to find library -lring", "ring"));
        assert!(is_missing("ld: library 'ring' not found", "ring"));
    }
}
