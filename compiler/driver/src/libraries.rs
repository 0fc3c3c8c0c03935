//! Where are the libraries that foreign functions come from?
//!
//! `@link(name = "z")` names a library as linkers do. It is looked for in the folders of `REML_LIBRARY_PATH`, in those that `pkg-config` tells, and
//! where the system keeps its libraries; there also under a name with a version, `libz.so.1`, because the plain name is only installed with
//! headers. To run a program, libraries are loaded into this process; to build one, the linker is given what was found.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use reml_capability::policy::Subject;
use reml_diagnostics::{Diagnostic, codes};
use reml_middle::core::{ForeignCallee, ForeignSymbol, Program};
use reml_semantics::typed::{ForeignLibrary, LibraryKind};

use crate::system::System;

/// The folders in which libraries are looked for first, separated by `:`.
const PATH_VARIABLE: &str = "REML_LIBRARY_PATH";

/// Where Linux distributions and macOS keep libraries.
const SYSTEM_FOLDERS: &[&str] = &[
    "/usr/local/lib",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/opt/homebrew/lib",
];

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

/// A library, and the folders to look for it in.
struct Search<'l> {
    library: &'l ForeignLibrary,
    folders: Vec<PathBuf>,
}

impl<'l> Search<'l> {
    fn new(library: &'l ForeignLibrary, system: &dyn System) -> Result<Self, Box<Diagnostic>> {
        let path = system.env(PATH_VARIABLE).unwrap_or_default();
        let mut folders: Vec<PathBuf> = path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect();
        if let Some(package) = &library.pkg_config {
            folders.extend(pkg_config(library, package)?);
        }
        folders.extend(SYSTEM_FOLDERS.iter().map(PathBuf::from));
        Ok(Search { library, folders })
    }

    /// The files that it may be, the best first.
    fn candidates(&self, system: &dyn System) -> Vec<PathBuf> {
        let name = &*self.library.name;
        if name.contains('/') {
            return vec![PathBuf::from(name)];
        }
        let stem = name.strip_prefix("lib").filter(|_| name.contains(".so") || name.contains(".dylib"));
        let exact = stem.map(|_| name.to_owned());
        let (prefix, extension) = match self.library.kind {
            LibraryKind::Static => (format!("lib{name}.a"), "a"),
            LibraryKind::Dynamic if cfg!(target_os = "macos") => (format!("lib{name}.dylib"), "dylib"),
            LibraryKind::Dynamic => (format!("lib{name}.so"), "so"),
        };
        let mut found = Vec::new();
        for folder in &self.folders {
            let plain = folder.join(exact.as_ref().unwrap_or(&prefix));
            if system.is_file(&plain) {
                found.push(plain);
            }
            if extension == "so" && exact.is_none() {
                found.extend(self.versions(folder, &format!("{prefix}."), system));
            }
        }
        found
    }

    /// `libz.so.1`, `libz.so.1.3`: the newest first.
    fn versions(&self, folder: &Path, prefix: &str, system: &dyn System) -> Vec<PathBuf> {
        let version = |path: &PathBuf| -> Option<Vec<u64>> {
            let rest = path.file_name()?.to_str()?.strip_prefix(prefix)?;
            rest.split('.').map(|part| part.parse().ok()).collect()
        };
        let entries = system.entries(folder).unwrap_or_default();
        let mut found: Vec<(Vec<u64>, PathBuf)> =
            entries.into_iter().filter_map(|path| Some((version(&path)?, path))).collect();
        found.sort_by(|a, b| b.cmp(a));
        found.into_iter().map(|(_, path)| path).collect()
    }

    fn missing(&self, tried: &[String]) -> Box<Diagnostic> {
        let kind = match self.library.kind {
            LibraryKind::Static => "static library",
            LibraryKind::Dynamic => "library",
        };
        let message = format!("the {kind} `{}` cannot be found", self.library.name);
        let folders: Vec<String> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let mut diagnostic = Diagnostic::error(codes::FFI_LIBRARY_MISSING, self.library.span, message)
            .with_primary_label("a function of it is called")
            .with_help(format!("install it, or name its folder in the environment variable `{PATH_VARIABLE}`"))
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

/// A library in this process, for good: what the program has been given may be used until the end.
#[derive(Clone, Copy)]
struct Handle(*mut libc::c_void);

impl Handle {
    fn open(path: &Path) -> Result<Handle, String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| "a name with a zero byte".to_owned())?;
        // SAFETY: loading a library runs its initialisers, which is what the program asks for, and what the gate will grant.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: `dlerror` gives a C string after a failure, or null.
            let said = unsafe { libc::dlerror() };
            return Err(match said.is_null() {
                true => "it cannot be loaded".to_owned(),
                // SAFETY: not null, so a C string.
                false => unsafe { CStr::from_ptr(said) }.to_string_lossy().into_owned(),
            });
        }
        Ok(Handle(handle))
    }

    fn symbol(self, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: the handle is open, or stands for the process; the name is a C string.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!address.is_null()).then_some(address.addr())
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
/// the program is going to be denied some of its native code: then it does not begin.
pub fn load(program: &Program, system: &dyn System, permits: Permits<'_>) -> Result<Symbols, Vec<Diagnostic>> {
    if !may_begin(program, permits) {
        let address = not_loaded as *const () as usize;
        return Ok(symbols(program).map(|symbol| (symbol.name.clone(), address)).collect());
    }
    let mut diagnostics = Vec::new();
    let mut handles = BTreeMap::new();
    for library in libraries(program) {
        match load_library(library, system) {
            Ok(handle) => {
                handles.insert(&*library.name, handle);
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    let mut found = Symbols::new();
    if diagnostics.is_empty() {
        for symbol in symbols(program) {
            let own = symbol.library.as_ref().and_then(|library| handles.get(&*library.name).copied());
            let everywhere = std::iter::once(Handle(libc::RTLD_DEFAULT)).chain(handles.values().copied());
            let address = own.into_iter().chain(everywhere).find_map(|handle| handle.symbol(&symbol.name));
            match address {
                Some(address) => {
                    found.insert(symbol.name.clone(), address);
                }
                None if symbol.weak => {
                    found.insert(symbol.name.clone(), 0);
                }
                None => diagnostics.push(missing_symbol(symbol)),
            }
        }
    }
    if diagnostics.is_empty() { Ok(found) } else { Err(diagnostics) }
}

fn load_library(library: &ForeignLibrary, system: &dyn System) -> Result<Handle, Box<Diagnostic>> {
    let search = Search::new(library, system)?;
    let mut tried = Vec::new();
    for path in search.candidates(system) {
        let loaded = match library.kind {
            LibraryKind::Static => load_static(&path, system),
            LibraryKind::Dynamic => Handle::open(&path),
        };
        match loaded {
            Ok(handle) => return Ok(handle),
            Err(problem) => tried.push(problem),
        }
    }
    // The loader has folders of its own.
    if library.kind == LibraryKind::Dynamic
        && let Ok(handle) = Handle::open(Path::new(&format!("lib{}.so", library.name)))
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
fn load_static(archive: &Path, system: &dyn System) -> Result<Handle, String> {
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
    Handle::open(&shared)
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

/// What the linker is told of the libraries of a program.
pub fn link_arguments(program: &Program, system: &dyn System) -> Result<Vec<String>, Vec<Diagnostic>> {
    let mut arguments = Vec::new();
    let mut diagnostics = Vec::new();
    for library in libraries(program) {
        match Search::new(library, system) {
            Ok(search) => match search.candidates(system).into_iter().find(|path| is_library(path, system)) {
                Some(path) => {
                    let folder = path.parent().unwrap_or(Path::new("."));
                    if library.kind == LibraryKind::Dynamic
                        && !SYSTEM_FOLDERS.iter().any(|known| folder == Path::new(known))
                    {
                        let folder = std::fs::canonicalize(folder).unwrap_or(folder.to_owned());
                        arguments.push(format!("-Wl,-rpath,{}", folder.display()));
                    }
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
