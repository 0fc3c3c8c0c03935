//! May a path of `reml.json` lead there? What is written relative to the project has to stay in it, through symbolic links, too.

use std::path::{Component, Path, PathBuf};

use crate::system::normal;

/// A path that leads out of the project, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outside {
    /// By `..`.
    Climbs,
    /// By a link, to here.
    Links(PathBuf),
    /// It is absolute, and lies elsewhere.
    Absolute,
}

/// Where a path leads. Absolute paths may lead anywhere if they are `foreign`: then they are about what the system has.
///
/// # Errors
///
/// How it leaves the project.
pub fn resolve(root: &Path, text: &str, foreign: bool) -> Result<PathBuf, Outside> {
    let written = normal(Path::new(text));
    if written.is_absolute() && foreign {
        return Ok(written);
    }
    let real_root = real(root);
    if written.is_absolute() {
        return if real(&written).starts_with(&real_root) { Ok(written) } else { Err(Outside::Absolute) };
    }
    if written.components().next() == Some(Component::ParentDir) {
        return Err(Outside::Climbs);
    }
    let path = root.join(&written);
    let leads_to = real(&path);
    if leads_to.starts_with(&real_root) { Ok(path) } else { Err(Outside::Links(leads_to)) }
}

/// A path from the root of the file system on; an empty one is the current directory.
pub fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    normal(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// A path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let path = absolute(path);
    for above in path.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return found.join(path.strip_prefix(above).unwrap_or(Path::new("")));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        std::fs::create_dir_all(root.join("include")).unwrap();
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let inside = |text: &str| resolve(&root, text, false);
        assert_eq!(inside("include/../include/a.h"), Ok(root.join("include/a.h")));
        assert_eq!(inside("not/yet/there.h"), Ok(root.join("not/yet/there.h")));
        assert_eq!(inside("."), Ok(root.join("")));
        for text in ["..", "../app2/a.h", "include/../../other/a.h"] {
            assert_eq!(inside(text), Err(Outside::Climbs), "{text}");
        }
        assert_eq!(inside("/usr/include/zlib.h"), Err(Outside::Absolute));
        assert_eq!(resolve(&root, "/usr/include/zlib.h", true), Ok("/usr/include/zlib.h".into()));
        assert_eq!(inside(&root.join("a.h").display().to_string()), Ok(root.join("a.h")));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("app"), folder.path().join("other"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink("../other", root.join("vendor")).unwrap();
        std::os::unix::fs::symlink(".", root.join("self")).unwrap();
        let real = other.canonicalize().unwrap();
        assert_eq!(resolve(&root, "vendor/a.h", true), Err(Outside::Links(real.join("a.h"))));
        assert_eq!(resolve(&root, "vendor", true), Err(Outside::Links(real)));
        assert_eq!(resolve(&root, "self/a.h", true), Ok(root.join("self/a.h")));
    }
}
