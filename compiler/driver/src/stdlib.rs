//! The standard library's sources, which travel inside the compiler.

use std::borrow::Cow;
use std::path::Path;

use crate::system::System;

/// Name, path below `stdlib/`, text; sorted by name. Made by the build script.
static MODULES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// Names a directory to take the library from instead, for work on the library itself.
pub const OVERRIDE: &str = "REML_STDLIB";

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
