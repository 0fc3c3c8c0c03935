//! Where are libraries?
//!
//! A library is named as linkers do, `z`, or as its file, `libz.so.1`. It is looked for in folders, the first of which the user names; there also
//! under a name with a version, because the plain name is only installed with headers. A name with a slash is a path.

use std::path::{Path, PathBuf};

/// The environment variable with the folders in which libraries are looked for first, separated by `:`.
pub const PATH_VARIABLE: &str = "REML_LIBRARY_PATH";

/// Where Linux distributions and macOS keep libraries.
pub const SYSTEM_FOLDERS: &[&str] = &[
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

/// The files among which libraries are looked for.
pub trait Files {
    fn is_file(&self, path: &Path) -> bool;
    /// What lies in a folder; nothing, if it cannot be read.
    fn entries(&self, folder: &Path) -> Vec<PathBuf>;
}

/// Those of the machine.
pub struct Machine;

impl Files for Machine {
    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn entries(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
    }
}

/// What kind of file is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Can be loaded.
    Shared,
    /// Can only be linked.
    Archive,
}

impl Form {
    /// What the file of a library ends with.
    fn extension(self) -> &'static str {
        match self {
            Form::Archive => "a",
            Form::Shared if cfg!(target_os = "macos") => "dylib",
            Form::Shared => "so",
        }
    }
}

/// The folders that a value of [`PATH_VARIABLE`] names.
pub fn named_folders(value: &str) -> Vec<PathBuf> {
    value.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect()
}

/// The folders of the system.
pub fn system_folders() -> impl Iterator<Item = PathBuf> {
    SYSTEM_FOLDERS.iter().map(PathBuf::from)
}

/// The names that the file of a library may have, the likeliest first: `libz.so` for `z`, and for `libz`.
///
/// ```
/// use reml_ffi::search::{Form, file_names};
/// assert_eq!(file_names("z", Form::Archive), ["libz.a"]);
/// assert_eq!(file_names("libz", Form::Archive), ["liblibz.a", "libz.a"]);
/// assert_eq!(file_names("libz.so.1", Form::Archive), ["libz.so.1"]);
/// ```
pub fn file_names(name: &str, form: Form) -> Vec<String> {
    let is_file =
        |extension: &str| name.split_once(extension).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('.'));
    if is_file(".so") || is_file(".dylib") || is_file(".a") {
        return vec![name.to_owned()];
    }
    let extension = form.extension();
    let mut names = vec![format!("lib{name}.{extension}")];
    if name.starts_with("lib") {
        names.push(format!("{name}.{extension}"));
    }
    names
}

/// The files that a library may be, the best first. In each folder, `forms` have their order.
pub fn candidates(name: &str, forms: &[Form], folders: &[PathBuf], files: &dyn Files) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    let mut names: Vec<String> = forms.iter().flat_map(|&form| file_names(name, form)).collect();
    names.dedup();
    let mut found = Vec::new();
    for folder in folders {
        for name in &names {
            let plain = folder.join(name);
            if files.is_file(&plain) {
                found.push(plain);
            }
            if name.ends_with(".so") {
                found.extend(versions(folder, name, files));
            }
        }
    }
    found
}

/// `libz.so.1`, `libz.so.1.3`: the newest first.
fn versions(folder: &Path, name: &str, files: &dyn Files) -> Vec<PathBuf> {
    let version = |path: &PathBuf| -> Option<Vec<u64>> {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        rest.split('.').map(|part| part.parse().ok()).collect()
    };
    let entries = files.entries(folder);
    let mut found: Vec<(Vec<u64>, PathBuf)> =
        entries.into_iter().filter_map(|path| Some((version(&path)?, path))).collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    struct Listed(&'static [&'static str]);

    impl Files for Listed {
        fn is_file(&self, path: &Path) -> bool {
            self.0.iter().any(|file| Path::new(file) == path)
        }

        fn entries(&self, folder: &Path) -> Vec<PathBuf> {
            self.0.iter().map(PathBuf::from).filter(|file| file.parent() == Some(folder)).collect()
        }
    }

    fn found(name: &str, form: Form) -> String {
        let files = Listed(&[
            "/a/libz.so.1.2",
            "/a/libz.so.1.10",
            "/a/libz.so.txt",
            "/b/libz.so",
            "/b/libz.a",
            "/b/liblibx.so",
        ]);
        let found = candidates(name, &[form], &named_folders("/a::/b"), &files);
        found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_newest_version_of_the_first_folder_is_best() {
        assert_eq!(found("z", Form::Shared), "/a/libz.so.1.10 /a/libz.so.1.2 /b/libz.so");
        assert_eq!(found("libz", Form::Shared), found("z", Form::Shared));
        assert_eq!(found("libz.so", Form::Shared), "/a/libz.so.1.10 /a/libz.so.1.2 /b/libz.so");
        assert_eq!(found("z", Form::Archive), "/b/libz.a");
    }

    #[test]
    fn names_are_taken_as_they_are_written_first() {
        assert_eq!(found("libz.so.1.2", Form::Shared), "/a/libz.so.1.2");
        assert_eq!(found("libx", Form::Shared), "/b/liblibx.so");
        assert_eq!(found("./z", Form::Shared), "./z");
        assert_eq!(found("", Form::Shared), "");
        assert_eq!(found("zz", Form::Shared), "");
    }
}
