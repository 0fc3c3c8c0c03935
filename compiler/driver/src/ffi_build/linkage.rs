//! Which libraries does a section link a program with, where are they, and which of its foreign functions come from them?

use std::path::PathBuf;

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol};
use reml_ffi::Library;
use reml_semantics::typed::{FnKind, ForeignLibrary, LibraryKind, Program};
use rustc_hash::FxHashSet;

use super::place::absolute;
use super::platform::Platform;
use super::section::Section;
use crate::libraries::Search;
use crate::system::System;

/// What is linked with besides what a program names itself. Nothing, unless a section says something.
#[derive(Clone, Default, Debug)]
pub struct Linkage {
    /// Where the linker runs, so that relative paths mean the same as elsewhere in the section.
    pub root: Option<PathBuf>,
    pub folders: Vec<PathBuf>,
    pub libraries: Vec<ForeignLibrary>,
    pub frameworks: Vec<String>,
    pub extra_args: Vec<String>,
}

impl Linkage {
    pub fn of(section: &Section) -> Linkage {
        let library = |library: &super::section::Library| ForeignLibrary {
            name: library.name.as_str().into(),
            kind: LibraryKind::Dynamic,
            pkg_config: None,
            span: library.span,
        };
        Linkage {
            root: Some(absolute(&section.root)),
            folders: section.search_paths.iter().map(|folder| folder.path.clone()).collect(),
            libraries: section.libraries.iter().map(library).collect(),
            frameworks: section.frameworks.clone(),
            extra_args: section.extra_args.clone(),
        }
    }

    /// Adds what another package is linked with.
    pub fn extend(&mut self, other: &Linkage) {
        self.folders.extend(other.folders.iter().cloned());
        self.libraries.extend(other.libraries.iter().filter(|library| !self.has(library)).cloned().collect::<Vec<_>>());
        self.frameworks.extend(other.frameworks.iter().cloned());
        self.extra_args.extend(other.extra_args.iter().cloned());
    }

    /// Is it one of the section's?
    pub fn has(&self, library: &ForeignLibrary) -> bool {
        self.libraries.iter().any(|known| known.name == library.name)
    }

    /// Notes of foreign functions whose declaration names no library which of these has them. The first one counts, as it does to the linker. So the
    /// gate is asked about the library that is called. What neither they nor C's library have is expected of one that cannot be found, else of the first.
    pub fn attribute(&self, program: &mut Program, system: &dyn System) {
        let (modules, fns) = (&program.modules, &mut program.fns);
        let nameless = |kind: &FnKind| matches!(kind, FnKind::Foreign(foreign) if foreign.library.is_none());
        if self.libraries.is_empty() || !fns.values().any(|def| nameless(&def.kind) && !modules[def.module].is_core) {
            return;
        }
        let known: Vec<(&ForeignLibrary, Option<FxHashSet<Box<str>>>)> =
            self.libraries.iter().map(|library| (library, self.symbols(library, system))).collect();
        let expected = known.iter().find(|(_, symbols)| symbols.is_none()).unwrap_or(&known[0]);
        for def in fns.values_mut().filter(|def| !modules[def.module].is_core) {
            let FnKind::Foreign(foreign) = &mut def.kind else { continue };
            if foreign.library.is_none() {
                let has =
                    |symbols: &Option<FxHashSet<_>>| symbols.as_ref().is_some_and(|all| all.contains(&foreign.symbol));
                let owner = known.iter().find(|(_, symbols)| has(symbols));
                let is_of_system = || Library::everywhere().address(&foreign.symbol).is_some();
                let owner = owner.or_else(|| (!is_of_system()).then_some(expected));
                foreign.library = owner.map(|(library, _)| (*library).clone());
            }
        }
    }

    /// What a library defines, read from its file without loading it. `None`, if it cannot be found.
    fn symbols(&self, library: &ForeignLibrary, system: &dyn System) -> Option<FxHashSet<Box<str>>> {
        let search = Search::new(library, self, system).ok()?;
        // The plain name may be a script of the linker's; then one with a version is the library.
        search.candidates(system).iter().find_map(|path| defined(&system.read(path).ok()?))
    }

    /// What the linker is told.
    pub fn arguments(&self, system: &dyn System) -> Vec<String> {
        let mut arguments = Vec::new();
        for folder in &self.folders {
            let folder = absolute(folder);
            arguments.push(format!("-L{}", folder.display()));
            // The program finds there what the linker has found.
            arguments.push(format!("-Wl,-rpath,{}", folder.display()));
        }
        for library in &self.libraries {
            arguments.push(self.linked(library, system));
        }
        if Platform::this().has_frameworks() {
            arguments.extend(self.frameworks.iter().flat_map(|name| ["-framework".to_owned(), name.clone()]));
        }
        arguments.extend(self.extra_args.iter().cloned());
        arguments
    }

    /// `-lz`. Where a system has only `libz.so.1`, because the plain name comes with headers, it is that file.
    fn linked(&self, library: &ForeignLibrary, system: &dyn System) -> String {
        let plain = Platform::this().library_files(&library.name);
        let found = Search::new(library, self, system).map(|search| search.candidates(system)).unwrap_or_default();
        let is_plain = |path: &PathBuf| path.file_name().is_some_and(|name| plain.iter().any(|plain| name == &**plain));
        match found.first() {
            Some(versioned) if !found.iter().any(is_plain) => versioned.display().to_string(),
            _ => format!("-l{}", library.name),
        }
    }
}

/// The symbols that a library defines; `None` for what is no library.
fn defined(bytes: &[u8]) -> Option<FxHashSet<Box<str>>> {
    // Mach-O puts a `_` in front of the names of C.
    let name = |name: &[u8], underscored: bool| {
        let text = std::str::from_utf8(name).ok()?;
        Some(text.strip_prefix('_').filter(|_| underscored).unwrap_or(text).into())
    };
    if let Ok(archive) = ArchiveFile::parse(bytes) {
        let symbols = archive.symbols().ok()??;
        let names = symbols.flatten().filter_map(|symbol| name(symbol.name(), cfg!(target_os = "macos")));
        return Some(names.collect());
    }
    let file = object::File::parse(bytes).ok()?;
    let underscored = file.format() == object::BinaryFormat::MachO;
    let symbols = file.dynamic_symbols().filter(|symbol| !symbol.is_undefined());
    let mut names: FxHashSet<Box<str>> =
        symbols.filter_map(|symbol| name(symbol.name_bytes().ok()?, underscored)).collect();
    let exports = file.exports().unwrap_or_default();
    names.extend(exports.iter().filter_map(|export| name(export.name(), underscored)));
    Some(names)
}
