//! How does a program load a library that it names while it runs?
//!
//! The gate is asked before anything of a library is loaded, because that runs code of it, and again for each function. C's own library and its parts are in
//! every program, so only their functions are asked for. A function may come from a library that the named one is linked with; then the gate is asked about that, too. Libraries
//! stay loaded: function pointers are plain values.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use reml_capability::policy::{Power, Subject, library_name, resolve};
use reml_ffi::Library;
use reml_ffi::search::{self, Form, Machine, PATH_VARIABLE};

use crate::context::Cx;
use crate::gate;
use crate::panic::traced;
use crate::string::{StrOwned, StrRef, new_str};
use crate::taken::{self, Taken, give};

/// The libraries that a program has loaded, by number, and where it looks for more.
pub struct Libraries {
    loaded: RefCell<Vec<Loaded>>,
    /// As the environment had it at the beginning: the program can change that, and must not lead itself astray.
    named_folders: Vec<PathBuf>,
}

impl Default for Libraries {
    fn default() -> Libraries {
        let folders = std::env::var(PATH_VARIABLE).map(|value| search::named_folders(&value));
        Libraries { loaded: RefCell::default(), named_folders: folders.unwrap_or_default() }
    }
}

#[derive(Clone, PartialEq)]
struct Loaded {
    library: Library,
    /// `libz`, or a path.
    asked: String,
    /// Resolved; unless the loader of the system has found the library.
    path: Option<PathBuf>,
}

/// What stands where the number of a library or the address of a function would: there is none.
const MISSING: i64 = -1;
/// It is there, and may not be used.
const FORBIDDEN: i64 = -2;

/// Why there is no library or function: [`MISSING`] or [`FORBIDDEN`], and the reason for a person.
struct Refusal(i64, String);

fn missing(why: String) -> Refusal {
    Refusal(MISSING, why)
}

/// The parts of C's library, by which names loaders know them. Executables are linked with them.
#[cfg(target_os = "linux")]
const OF_C: &[(&str, &str)] = &[
    ("c", "libc.so.6"),
    ("m", "libm.so.6"),
    ("dl", "libdl.so.2"),
    ("pthread", "libpthread.so.0"),
    ("rt", "librt.so.1"),
];
#[cfg(not(target_os = "linux"))]
const OF_C: &[(&str, &str)] =
    &[("c", "libc.dylib"), ("m", "libm.dylib"), ("System", "libSystem.dylib"), ("pthread", "libpthread.dylib")];

traced! {
    /// `(context, name) -> i64`: loads a library. Its number, from 0, or [`MISSING`] or [`FORBIDDEN`]; its path, or why, is told by `reml_library_said`.
    reml_library_open = library_open;
    /// `(context, library, name) -> i64`: the address of a function, or as above.
    reml_library_symbol = library_symbol;
}

/// The path of the library that was loaded last, or why there is none, or no function.
#[unsafe(no_mangle)]
pub extern "C" fn reml_library_said(cx: Cx) -> StrOwned {
    taken::reml_take_str(cx)
}

extern "C" fn library_open(cx: Cx, name: StrRef) -> i64 {
    let (number, said) = match open(cx, name.as_str()) {
        Ok(loaded) => {
            let path = loaded.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            let mut known = cx.runtime().libraries.loaded.borrow_mut();
            let number = known.iter().position(|one| *one == loaded).unwrap_or_else(|| {
                known.push(loaded);
                known.len() - 1
            });
            (number as i64, path)
        }
        Err(Refusal(kind, why)) => (kind, why),
    };
    give(cx, Taken::Text(new_str(cx, &said)));
    number
}

extern "C" fn library_symbol(cx: Cx, library: i64, name: StrRef) -> i64 {
    let loaded = usize::try_from(library).ok().and_then(|number| {
        let known = cx.runtime().libraries.loaded.borrow();
        known.get(number).cloned()
    });
    let found = match loaded {
        Some(loaded) => symbol(cx, &loaded, name.as_str()),
        None => Err(missing("it belongs to a library that was not loaded".to_owned())),
    };
    found.unwrap_or_else(|Refusal(kind, why)| {
        give(cx, Taken::Text(new_str(cx, &why)));
        kind
    })
}

fn ask(cx: Cx, asked: &str, path: Option<&Path>, symbol: Option<&str>) -> Result<(), Refusal> {
    let allowed = gate::ask(cx, Power::Ffi, &Subject::Library { asked, path, symbol });
    allowed.map_err(|_| Refusal(FORBIDDEN, gate::denial(cx)))
}

/// What the gate calls a library: as people do, whichever of its names the program uses.
fn called(name: &str) -> String {
    format!("lib{}", library_name(name))
}

fn open(cx: Cx, name: &str) -> Result<Loaded, Refusal> {
    if name.trim().is_empty() || name.contains('\0') {
        return Err(missing("a library needs a name".to_owned()));
    }
    if name.contains('/') {
        return open_path(cx, name);
    }
    let asked = called(name);
    if let Some((_, file)) = OF_C.iter().find(|(part, _)| *part == library_name(name)) {
        let library = Library::open(Path::new(file)).map_err(missing)?;
        return Ok(Loaded { library, asked, path: None });
    }
    let mut folders = cx.runtime().libraries.named_folders.clone();
    folders.extend(search::system_folders());
    let mut tried = Vec::new();
    for candidate in search::candidates(name, Form::Shared, &folders, &Machine) {
        // What is gone by now, or leads nowhere, is none.
        let Ok(path) = std::fs::canonicalize(&candidate) else { continue };
        ask(cx, &asked, Some(&path), None)?;
        match Library::open(&path) {
            Ok(library) => return Ok(Loaded { library, asked, path: Some(path) }),
            Err(why) => tried.push(why),
        }
    }
    // The loader has folders of its own.
    ask(cx, &asked, None, None)?;
    for file in search::file_names(name, Form::Shared) {
        if let Ok(library) = Library::open(Path::new(&file)) {
            return Ok(Loaded { library, asked, path: None });
        }
    }
    Err(missing(not_found(name, &folders, &tried)))
}

fn open_path(cx: Cx, name: &str) -> Result<Loaded, Refusal> {
    let here = std::env::current_dir().map_err(|error| missing(error.to_string()))?;
    let path = resolve(Path::new(name), &here).map_err(|error| missing(error.to_string()))?;
    ask(cx, name, Some(&path), None)?;
    if !path.is_file() {
        return Err(missing(format!("there is no file `{}`", path.display())));
    }
    let library = Library::open(&path).map_err(missing)?;
    Ok(Loaded { library, asked: name.to_owned(), path: Some(path) })
}

/// Where a library was looked for, and what was wrong with files that it might have been.
fn not_found(name: &str, folders: &[PathBuf], tried: &[String]) -> String {
    let folders: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    let mut text = format!(
        "there is no library `{name}`; looked for `{}` in {}, and where the loader of the system looks",
        search::file_names(name, Form::Shared).join("` and `"),
        folders.join(", ")
    );
    for why in tried {
        text.push_str("\n  note: ");
        text.push_str(why);
    }
    text.push_str("\n  help: install it, or name its folder in the environment variable `");
    text.push_str(PATH_VARIABLE);
    text.push('`');
    text
}

fn symbol(cx: Cx, loaded: &Loaded, name: &str) -> Result<i64, Refusal> {
    let Loaded { library, asked, path } = loaded;
    if name.trim().is_empty() {
        return Err(missing("a function needs a name".to_owned()));
    }
    ask(cx, asked, path.as_deref(), Some(name))?;
    let Some(found) = library.symbol(name) else {
        return Err(missing(format!("the library `{asked}` has no function `{name}`; mind its spelling")));
    };
    if let Some(file) = &found.file
        && let Some(owner) = file.file_name().and_then(|owner| owner.to_str())
        && path.as_ref().is_none_or(|path| std::fs::canonicalize(file).is_ok_and(|file| file != *path))
        && library_name(owner) != library_name(asked)
    {
        let place = std::fs::canonicalize(file).ok();
        ask(cx, &called(owner), place.as_deref(), Some(name))?;
    }
    Ok(found.address.as_ptr().addr() as i64)
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::context::Program;
    use reml_capability::gate::Gate;
    use reml_capability::policy::{Grants, Mode, Policy, flags};
    use std::sync::Arc;

    fn program(rules: &[&str]) -> Program {
        let rules = rules.iter().flat_map(|flag| flags::parse(flag, Path::new("/")).unwrap()).collect();
        let policy = Policy::new(Grants::new(rules).unwrap(), Mode::Enforce, false);
        Program::new(Vec::new(), Some(Arc::new(Gate::new(policy, None))))
    }

    /// `+` and where a function is, or why it is not.
    fn found(program: &mut Program, library: &str, function: &str) -> String {
        let cx = program.cx();
        let found = open(cx, library).and_then(|loaded| symbol(cx, &loaded, function));
        found.map_or_else(|Refusal(kind, why)| format!("{kind} {why}"), |_| "+".to_owned())
    }

    #[test]
    fn the_gate_is_asked_about_functions_of_c_by_any_name() {
        let mut program = program(&["--allow-ffi=libm:cos"]);
        for name in ["m", "libm", "libm.so", "libm.so.6"] {
            assert_eq!(found(&mut program, name, "cos"), "+", "{name}");
        }
        let denied = found(&mut program, "m", "sin");
        assert!(denied.starts_with("-2 ") && denied.contains("--allow-ffi=libm:sin"), "{denied}");
    }

    #[test]
    fn functions_of_other_libraries_are_theirs() {
        let mut program = program(&["--allow-ffi", "--deny-ffi=libc:system"]);
        let denied = found(&mut program, "m", "system");
        assert!(
            denied.starts_with("-2 ") && denied.contains("libc.so.6:system") || denied.contains("libc:system"),
            "{denied}"
        );
        assert_eq!(found(&mut program, "m", "malloc"), "+");
    }

    #[test]
    fn loading_is_asked_for_before_it_is_done() {
        let mut program = program(&["--allow-ffi=libz:crc32"]);
        let denied = found(&mut program, "/no/such/libz.so", "crc32");
        assert!(denied.starts_with("-2 "), "{denied}");
    }

    #[test]
    fn what_is_not_there_says_where_it_was_looked_for() {
        let mut program = program(&["--allow-ffi"]);
        let said = found(&mut program, "no_such_library_anywhere", "f");
        assert!(said.starts_with("-1 there is no library `no_such_library_anywhere`"), "{said}");
        assert!(
            said.contains("libno_such_library_anywhere.so")
                && said.contains("/usr/lib")
                && said.contains(PATH_VARIABLE)
        );
        assert!(found(&mut program, "./no/such.so", "f").contains("there is no file"));
        assert!(found(&mut program, " ", "f").starts_with("-1 "));
        assert!(found(&mut program, "m", "no_such_function").contains("has no function `no_such_function`"));
        assert!(found(&mut program, "m", "").starts_with("-1 "));
        assert_eq!(library_symbol(program.cx(), 99, crate::string::empty().borrow()), MISSING);
    }
}
