//! The standard library's sources, which travel inside the compiler.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::system::{System, normal};

/// Name, path below `stdlib/`, text; sorted by name. Made by the build script.
static MODULES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// Names a directory to take the library from instead, for work on the library itself.
pub const OVERRIDE: &str = "REML_STDLIB";

/// The file of a library module relative to the library's directory, if `path` is one of the library that is worked on.
pub fn relative(path: &Path, system: &dyn System) -> Option<PathBuf> {
    let here = system.current_dir().ok()?;
    let directory = normal(&here.join(system.env(OVERRIDE)?));
    normal(&here.join(path)).strip_prefix(directory).ok().map(Path::to_owned)
}

/// Whether a module of that full name is one of the library's.
pub fn is_library(name: &str) -> bool {
    name == "Core" || name.starts_with("Core.")
}

/// A module of the library.
pub struct LibraryModule {
    /// `Core/List.reml`
    pub file_name: String,
    pub text: Cow<'static, str>,
}

/// The module of that full name, `Core.List`.
pub fn find(name: &str, system: &dyn System) -> Option<LibraryModule> {
    if let Some(directory) = system.env(OVERRIDE) {
        let file_name = format!("{}.reml", name.replace('.', "/"));
        let bytes = system.read(&Path::new(&directory).join(&file_name)).ok()?;
        return Some(LibraryModule { file_name, text: Cow::Owned(String::from_utf8(bytes).ok()?) });
    }
    let index = MODULES.binary_search_by(|(other, ..)| (*other).cmp(name)).ok()?;
    let (_, file_name, text) = MODULES[index];
    Some(LibraryModule { file_name: file_name.to_owned(), text: Cow::Borrowed(text) })
}
