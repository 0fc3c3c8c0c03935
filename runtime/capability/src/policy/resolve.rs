//! To what does a path lead?

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// The path that is meant: absolute, without `.` and `..`, and with symbolic links followed, also one whose target does
/// not exist. `base` is absolute; relative paths start there. What does not exist is kept as it is written.
///
/// Between this and the use of the path the file system can change. Whoever needs certainty opens the file, and asks
/// about what was opened.
///
/// # Errors
///
/// Links that lead in a circle.
pub fn resolve(path: &Path, base: &Path) -> io::Result<PathBuf> {
    let mut open: VecDeque<Part> = VecDeque::new();
    prepend(&mut open, path);
    if !path.is_absolute() {
        prepend(&mut open, base);
    }
    let mut done = PathBuf::new();
    let mut links = 0;
    while let Some(part) = open.pop_front() {
        let name = match part {
            Part::Root(root) => {
                done = root;
                continue;
            }
            Part::Parent => {
                done.pop();
                continue;
            }
            Part::Name(name) => name,
        };
        done.push(name);
        if fs::symlink_metadata(&done).is_ok_and(|found| found.is_symlink()) {
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("`{}` leads in a circle of symbolic links", path.display()),
                ));
            }
            let target = fs::read_link(&done)?;
            done.pop();
            prepend(&mut open, &target);
        }
    }
    Ok(done)
}

/// Resolves many paths. A folder that was met before is not looked at again, and nothing is looked for in one that does not exist.
pub struct Resolver {
    /// Where relative paths start; absolute.
    base: PathBuf,
    /// Folders, as they were written.
    folders: HashMap<PathBuf, Folder>,
}

struct Folder {
    path: PathBuf,
    exists: bool,
}

impl Resolver {
    pub fn new(base: &Path) -> Resolver {
        Resolver { base: base.to_owned(), folders: HashMap::new() }
    }

    /// As [`resolve`].
    ///
    /// # Errors
    ///
    /// Links that lead in a circle.
    pub fn resolve(&mut self, path: &Path) -> io::Result<PathBuf> {
        let (Some(parent), Some(Component::Normal(name))) = (path.parent(), path.components().next_back()) else {
            return resolve(path, &self.base);
        };
        if !self.folders.contains_key(parent) {
            let found = resolve(parent, &self.base)?;
            let exists = fs::symlink_metadata(&found).is_ok();
            self.folders.insert(parent.to_owned(), Folder { path: found, exists });
        }
        let folder = &self.folders[parent];
        let place = folder.path.join(name);
        if folder.exists && fs::symlink_metadata(&place).is_ok_and(|found| found.is_symlink()) {
            return resolve(path, &self.base);
        }
        Ok(place)
    }
}

enum Part {
    Root(PathBuf),
    Parent,
    Name(OsString),
}

fn prepend(open: &mut VecDeque<Part>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Prefix(_) | Component::RootDir => {
                // Both belong to the root, `C:\`, which is put together again.
                let root = path.components().take_while(|c| matches!(c, Component::Prefix(_) | Component::RootDir));
                open.push_front(Part::Root(root.collect()));
                break;
            }
            Component::CurDir => {}
            Component::ParentDir => open.push_front(Part::Parent),
            Component::Normal(name) => open.push_front(Part::Name(name.to_owned())),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn resolved(path: &str, base: &Path) -> String {
        let shown = resolve(Path::new(path), base).unwrap().display().to_string();
        shown.replace(&base.display().to_string(), "BASE")
    }

    #[test]
    fn paths_lead_where_the_system_would_go() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("real/deep")).unwrap();
        symlink("real/deep", base.join("link")).unwrap();
        symlink("nowhere", base.join("dangling")).unwrap();
        symlink("circle", base.join("circle")).unwrap();

        assert_eq!(resolved("a/./b//c", &base), "BASE/a/b/c");
        assert_eq!(resolved("a/../b", &base), "BASE/b");
        assert_eq!(resolved("/../../etc", &base), "/etc");
        // The parent of what the link leads to, not of the link.
        assert_eq!(resolved("link/../x", &base), "BASE/real/x");
        assert_eq!(resolved("dangling", &base), "BASE/nowhere");
        assert_eq!(resolved("", &base), "BASE");
        let circle = resolve(Path::new("circle/x"), &base).unwrap_err().to_string();
        assert_eq!(circle, "`circle/x` leads in a circle of symbolic links");

        let mut resolver = Resolver::new(&base);
        for _ in 0..2 {
            for path in
                ["a/b", "link/x", "link", "link/..", "dangling", "dangling/x", "real/deep/.", "/etc/x", "/", "", "."]
            {
                let together = resolver.resolve(Path::new(path)).unwrap();
                assert_eq!(together, resolve(Path::new(path), &base).unwrap(), "{path}");
            }
            for path in ["circle", "circle/x"] {
                assert!(resolver.resolve(Path::new(path)).is_err(), "{path}");
            }
        }
    }
}
