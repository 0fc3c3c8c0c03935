//! Where are the libraries that foreign functions come from?
//!
//! `@link(name = "z")` names a library as linkers do. It is looked for in the folders of `REML_LIBRARY_PATH`, in those that `pkg-config` tells, and
//! where the system keeps its libraries ([`reml_ffi::search`]). Before those of the system come the folders that a `reml.json` names (`ffi_build`). To run a
//! program, libraries are loaded into this process; to build one, the linker is given what was found.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::NonNull;

use reml_capability::policy::Subject;
use reml_diagnostics::{Diagnostic, codes};
use reml_ffi::Library;
use reml_ffi::search::{self, Files, Form, PATH_VARIABLE, SYSTEM_FOLDERS};
use reml_middle::core::{ForeignCallee, ForeignSymbol, Program};
use reml_semantics::typed::{ForeignLibrary, LibraryKind};

use crate::ffi_build::Linkage;
use crate::system::System;

/// Foreign functions by name, in this process.
pub type Symbols = BTreeMap<Box<str>, usize>;

/// The symbols that a program mentions.
fn symbols(program: &Program) -> impl Iterator<Item = &ForeignSymbol> {
    program.foreign.values().filter_map(|foreign| match &foreign.callee {
        ForeignCallee::Symbol(symbol) => Some(symbol),
        ForeignCallee::Pointer => None,
    })
}

/// The libraries that a program names, each once, in the order of their names.
fn libraries(program: &Program) -> Vec<&ForeignLibrary> {
    let mut found: Vec<&ForeignLibrary> = symbols(program).filter_map(|symbol| symbol.library.as_ref()).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name).then(a.span.start.cmp(&b.span.start)));
    found.dedup_by(|a, b| a.name == b.name);
    found
}

/// The files that the compiler sees.
struct Seen<'s>(&'s dyn System);

impl Files for Seen<'_> {
    fn is_file(&self, path: &Path) -> bool {
        self.0.is_file(path)
    }

    fn entries(&self, folder: &Path) -> Vec<PathBuf> {
        self.0.entries(folder).unwrap_or_default()
    }
}

/// A library, and the folders to look for it in.
pub struct Search<'l> {
    library: &'l ForeignLibrary,
    folders: Vec<PathBuf>,
    /// An archive serves as well, as `reml.json` does not say which it is.
    either: bool,
}

impl<'l> Search<'l> {
    pub fn new(library: &'l ForeignLibrary, linkage: &Linkage, system: &dyn System) -> Result<Self, Box<Diagnostic>> {
        let mut folders = search::named_folders(&system.env(PATH_VARIABLE).unwrap_or_default());
        folders.extend(linkage.folders.iter().cloned());
        if let Some(package) = &library.pkg_config {
            folders.extend(pkg_config(library, package)?);
        }
        folders.extend(search::system_folders());
        Ok(Search { library, folders, either: linkage.has(library) })
    }

    /// The files that it may be, the best first.
    pub fn candidates(&self, system: &dyn System) -> Vec<PathBuf> {
        let forms: &[Form] = match self.library.kind {
            _ if self.either => &[Form::Shared, Form::Archive],
            LibraryKind::Static => &[Form::Archive],
            LibraryKind::Dynamic => &[Form::Shared],
        };
        search::candidates(&self.library.name, forms, &self.folders, &Seen(system))
    }

    fn missing(&self, tried: &[String]) -> Box<Diagnostic> {
        let kind = match self.library.kind {
            LibraryKind::Static => "static library",
            LibraryKind::Dynamic => "library",
        };
        let message = format!("the {kind} `{}` cannot be found", self.library.name);
        let folders: Vec<String> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let help = match self.either {
            true => "build or install it, or name its folder in `ffi.linker.search_paths`".to_owned(),
            false => format!("install it, or name its folder in the environment variable `{PATH_VARIABLE}`"),
        };
        let mut diagnostic = Diagnostic::error(codes::FFI_LIBRARY_MISSING, self.library.span, message)
            .with_primary_label("a function of it is called")
            .with_help(help)
            .with_note(format!("looked in {}", folders.join(", ")));
        for problem in tried {
            diagnostic = diagnostic.with_note(problem.clone());
        }
        Box::new(diagnostic)
    }
}

/// The folders of a package, as `pkg-config` knows them.
fn pkg_config(library: &ForeignLibrary, package: &str) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let failed = |why: String| {
        Box::new(
            Diagnostic::error(
                codes::FFI_LIBRARY_MISSING,
                library.span,
                format!("`pkg-config` does not know the package `{package}`"),
            )
            .with_note(why)
            .with_help("install the package's headers, or leave `pkg_config` out"),
        )
    };
    let output = Command::new("pkg-config").args(["--libs-only-L", package]).output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(text.split_whitespace().filter_map(|word| word.strip_prefix("-L")).map(PathBuf::from).collect())
        }
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(problem) => Err(failed(format!("`pkg-config` cannot be run: {}", crate::link::describe(&problem)))),
    }
}

/// Whether the gate of a run will grant the use of native code.
pub type Permits<'p> = &'p dyn Fn(&Subject<'_>) -> bool;

/// Whether a program will begin, as far as its native code is concerned.
fn may_begin(program: &Program, permits: Permits<'_>) -> bool {
    program
        .native
        .iter()
        .all(|used| permits(&Subject::Library { asked: &used.library, path: None, symbol: used.symbol.as_deref() }))
}

/// Stands for the foreign functions of a program that does not begin.
extern "C" fn not_loaded() {
    unreachable!("a program that may not use its native code does not begin");
}

/// Loads the libraries of a program, and finds its foreign functions. Loading runs what a library does when it is loaded, so none is where
/// the program is going to be denied some of its native code: then it does not begin. `unresolved` may know more of a function that nobody has than its
/// declaration says.
pub fn load(
    program: &Program,
    linkage: &Linkage,
    system: &dyn System,
    permits: Permits<'_>,
    unresolved: &dyn Fn(&ForeignSymbol) -> Option<Diagnostic>,
) -> Result<Symbols, Vec<Diagnostic>> {
    if !may_begin(program, permits) {
        let address = not_loaded as *const () as usize;
        return Ok(symbols(program).map(|symbol| (symbol.name.clone(), address)).collect());
    }
    let mut opened = Opened { linkage, system, handles: BTreeMap::new(), diagnostics: Vec::new() };
    libraries(program).into_iter().for_each(|library| opened.open(library));
    let mut found = Symbols::new();
    if opened.diagnostics.is_empty() {
        for symbol in symbols(program) {
            // A library of the section that could not be read has been given no functions.
            let address = opened.address(symbol).or_else(|| {
                linkage.libraries.iter().for_each(|library| opened.open(library));
                opened.address(symbol)
            });
            match address {
                Some(address) => {
                    found.insert(symbol.name.clone(), address.as_ptr().addr());
                }
                None if symbol.weak => {
                    found.insert(symbol.name.clone(), 0);
                }
                // What has it may be a library that could not be opened.
                None if linkage.libraries.iter().any(|library| !opened.handles.contains_key(&*library.name)) => break,
                None => {
                    let diagnostic = unresolved(symbol).unwrap_or_else(|| missing_symbol(symbol));
                    opened.diagnostics.push(diagnostic);
                }
            }
        }
    }
    if opened.diagnostics.is_empty() { Ok(found) } else { Err(opened.diagnostics) }
}

/// Libraries that have been loaded, and what was wrong with others.
struct Opened<'a> {
    linkage: &'a Linkage,
    system: &'a dyn System,
    handles: BTreeMap<&'a str, Library>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Opened<'a> {
    fn open(&mut self, library: &'a ForeignLibrary) {
        if self.handles.contains_key(&*library.name) {
            return;
        }
        match load_library(library, self.linkage, self.system) {
            Ok(handle) => {
                self.handles.insert(&library.name, handle);
            }
            Err(diagnostic) => self.diagnostics.push(*diagnostic),
        }
    }

    fn address(&self, symbol: &ForeignSymbol) -> Option<NonNull<c_void>> {
        let own = symbol.library.as_ref().and_then(|library| self.handles.get(&*library.name).copied());
        let everywhere = std::iter::once(Library::everywhere()).chain(self.handles.values().copied());
        own.into_iter().chain(everywhere).find_map(|library| library.address(&symbol.name))
    }
}

fn load_library(library: &ForeignLibrary, linkage: &Linkage, system: &dyn System) -> Result<Library, Box<Diagnostic>> {
    let search = Search::new(library, linkage, system)?;
    let mut tried = Vec::new();
    for path in search.candidates(system) {
        let loaded = match path.extension().is_some_and(|extension| extension == "a") {
            true => load_static(&path, system),
            false => Library::open(&path),
        };
        match loaded {
            Ok(handle) => return Ok(handle),
            Err(problem) => tried.push(problem),
        }
    }
    // The loader has folders of its own.
    if library.kind == LibraryKind::Dynamic
        && let Ok(handle) = Library::open(Path::new(&format!("lib{}.so", library.name)))
    {
        return Ok(handle);
    }
    Err(search.missing(&tried))
}

/// The C compiler, with the arguments that it may come with.
fn compiler(system: &dyn System) -> Command {
    let words = crate::link::compiler(system);
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("cc"));
    command.args(words);
    command
}

/// Makes a library that can be loaded of one that can only be linked.
fn load_static(archive: &Path, system: &dyn System) -> Result<Library, String> {
    let folder = tempfile::tempdir().map_err(|problem| crate::link::describe(&problem))?;
    let shared = folder.path().join("library.so");
    let output = compiler(system)
        .args(["-shared", "-o"])
        .arg(&shared)
        .arg("-Wl,--whole-archive")
        .arg(archive)
        .arg("-Wl,--no-whole-archive")
        .output()
        .map_err(|problem| crate::link::describe(&problem))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().next().unwrap_or("the linker failed").to_owned());
    }
    Library::open(&shared)
}

fn missing_symbol(symbol: &ForeignSymbol) -> Diagnostic {
    let place = match &symbol.library {
        Some(library) => format!("the library `{}` has no function `{}`", library.name, symbol.name),
        None => format!("no library has the foreign function `{}`", symbol.name),
    };
    let help = match &symbol.library {
        Some(_) => "mind the spelling of the `extern` declaration",
        None => "mind the spelling of the `extern` declaration, or name its library: `@link(name = \"..\")`",
    };
    Diagnostic::error(codes::FOREIGN_SYMBOL_MISSING, symbol.span, place)
        .with_primary_label("declared here")
        .with_help(help)
}

/// What the linker is told of the libraries of a program, and then of those of its section.
pub fn link_arguments(
    program: &Program,
    linkage: &Linkage,
    system: &dyn System,
) -> Result<Vec<String>, Vec<Diagnostic>> {
    let mut arguments = Vec::new();
    let mut diagnostics = Vec::new();
    for library in libraries(program).into_iter().filter(|library| !linkage.has(library)) {
        match Search::new(library, linkage, system) {
            Ok(search) => match search.candidates(system).into_iter().find(|path| is_library(path, system)) {
                Some(path) => {
                    let folder = path.parent().unwrap_or(Path::new("."));
                    if library.kind == LibraryKind::Dynamic
                        && !SYSTEM_FOLDERS.iter().any(|known| folder == Path::new(known))
                    {
                        let folder = std::fs::canonicalize(folder).unwrap_or(folder.to_owned());
                        arguments.push(format!("-Wl,-rpath,{}", folder.display()));
                    }
                    // The linker may run elsewhere.
                    let path = std::path::absolute(&path).unwrap_or(path);
                    arguments.push(path.display().to_string());
                }
                None if library.kind == LibraryKind::Dynamic && linker_knows(library, system) => {
                    arguments.push(format!("-l{}", library.name));
                }
                None => diagnostics.push(*search.missing(&[])),
            },
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    if !arguments.is_empty() && cfg!(target_os = "linux") {
        // Also those of which only weak symbols are mentioned.
        arguments.insert(0, "-Wl,--no-as-needed".to_owned());
        arguments.push("-Wl,--as-needed".to_owned());
    }
    arguments.extend(linkage.arguments(system));
    Ok(arguments)
}

/// Is it a library, and not a script of the linker's?
fn is_library(path: &Path, system: &dyn System) -> bool {
    let bytes = system.read(path).unwrap_or_default();
    bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"!<arch>") || cfg!(target_os = "macos") && !bytes.is_empty()
}

/// Does the linker find it in folders of its own?
fn linker_knows(library: &ForeignLibrary, system: &dyn System) -> bool {
    let name = format!("lib{}.so", library.name);
    let output = compiler(system).arg(format!("-print-file-name={name}")).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() != name)
}
