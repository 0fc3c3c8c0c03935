//! How is a path used so that what was judged is what is read or changed?
//!
//! A path is a text, and where it leads can change at any time, also between a judgement and a deed. So the gate judges the path of what is
//! held open: the file itself, if it exists, else the folder in which a name is to be made or removed. It is opened by `openat2`, which refuses symbolic
//! links anywhere on the way; only when it does are they resolved one by one. What is done then goes through the descriptor
//! (`/proc/self/fd/7`, `/proc/self/fd/7/name`), whatever becomes of the path. The same call finds out that there are no links, in place of a
//! look at each folder.
//!
//! Where the system has no such call, the resolved path is used, and only its last name is sure not to be a link.

use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use reml_capability::policy::resolve;

/// What stands at the end of a path that is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// A symbolic link there is followed.
    Followed,
    /// A link there is meant itself.
    Itself,
}

/// Where something is done.
#[derive(Debug)]
pub struct FilePlace<'p> {
    /// By which the system finds it.
    reach: Cow<'p, Path>,
    kind: Kind,
    /// What `reach` begins with is open for so long.
    _held: Option<OwnedFd>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A path as the program has written it: links are followed.
    AsWritten,
    /// What is there itself.
    Object,
    /// A name in a folder, which is not followed if it is a link.
    Name,
    /// Nothing can be there, because a folder before it is missing or closed. There is only the path, for whoever makes folders.
    Nowhere { errno: i32 },
    /// A path that was resolved, on systems that cannot hold what is there.
    Resolved,
}

impl<'p> FilePlace<'p> {
    /// A place that nobody judges.
    pub fn as_written(path: &'p Path) -> FilePlace<'p> {
        FilePlace { reach: Cow::Borrowed(path), kind: Kind::AsWritten, _held: None }
    }

    /// The place that a path leads to, and its path to be judged: absolute, without `..` and links.
    ///
    /// # Errors
    ///
    /// Links that lead in a circle, or that change meanwhile; too many open files.
    pub fn find(path: &Path, last: Last) -> io::Result<(PathBuf, FilePlace<'static>)> {
        if !can_hold() {
            let path = resolved(path, last)?;
            let place = FilePlace { reach: Cow::Owned(path.clone()), kind: Kind::Resolved, _held: None };
            return Ok((path, place));
        }
        if let Some(written) = plain(path) {
            match held(&written, last) {
                Ok(place) => return Ok((written, place)),
                Err(libc::ELOOP) => {}
                Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        let path = resolved(path, last)?;
        let place = held(&path, last).map_err(io::Error::from_raw_os_error)?;
        Ok((path, place))
    }

    /// For functions that do not follow a link at the end of a path.
    ///
    /// # Errors
    ///
    /// There is no such folder.
    pub fn entry(&self) -> io::Result<&Path> {
        match self.kind {
            Kind::Nowhere { errno } => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(&self.reach),
        }
    }

    /// For functions that follow one: only what was there when the place was found.
    ///
    /// # Errors
    ///
    /// There was nothing.
    pub fn object(&self) -> io::Result<&Path> {
        match self.kind {
            Kind::Name => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            _ => self.entry(),
        }
    }

    /// Opens a file, which may be made.
    pub fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        if matches!(self.kind, Kind::Name | Kind::Resolved) {
            options.custom_flags(libc::O_NOFOLLOW);
        }
        options.open(self.entry()?)
    }

    pub fn exists(&self) -> bool {
        matches!(self.kind, Kind::Object) || self.object().is_ok_and(Path::exists)
    }

    pub fn metadata(&self, last: Last) -> io::Result<Metadata> {
        match last {
            Last::Itself => fs::symlink_metadata(self.entry()?),
            Last::Followed => fs::metadata(self.object()?),
        }
    }

    /// Makes a folder, and those around it.
    pub fn create_folders(&self) -> io::Result<()> {
        if !matches!(self.kind, Kind::Nowhere { .. }) {
            return fs::create_dir_all(&self.reach);
        }
        let mut missing: Vec<&Path> = Vec::new();
        for folder in self.reach.ancestors() {
            match open_at(folder, libc::O_DIRECTORY) {
                Ok(_) => break,
                Err(libc::ENOENT) => missing.push(folder),
                Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        for folder in missing.into_iter().rev() {
            let place = held(folder, Last::Followed).map_err(io::Error::from_raw_os_error)?;
            fs::create_dir_all(place.entry()?)?;
        }
        Ok(())
    }
}

/// A path without `..`, absolute and without `.`. Where there are no links, it is the resolved one.
fn plain(path: &Path) -> Option<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let whole =
        if path.is_absolute() { Cow::Borrowed(path) } else { Cow::Owned(std::env::current_dir().ok()?.join(path)) };
    let parts = whole.components().filter(|part| *part != Component::CurDir);
    Some(parts.collect::<PathBuf>()).filter(|path| path.is_absolute())
}

fn resolved(path: &Path, last: Last) -> io::Result<PathBuf> {
    let base = std::env::current_dir()?;
    match (last, path.parent(), path.file_name()) {
        (Last::Itself, Some(parent), Some(name)) => Ok(resolve(parent, &base)?.join(name)),
        _ => resolve(path, &base),
    }
}

/// Holds what is at a path, or the folder where it could be. The error is an errno, ELOOP if there is a link on the way.
fn held(path: &Path, last: Last) -> Result<FilePlace<'static>, i32> {
    if last == Last::Followed || path.file_name().is_none() {
        match open_at(path, 0) {
            Ok(object) => {
                let reach = Cow::Owned(descriptor(&object));
                return Ok(FilePlace { reach, kind: Kind::Object, _held: Some(object) });
            }
            Err(libc::ENOENT) => {}
            Err(errno) => return nowhere(path, errno),
        }
    }
    let (parent, name) = path.parent().zip(path.file_name()).ok_or(libc::ENOENT)?;
    match open_at(parent, libc::O_DIRECTORY) {
        Ok(folder) => {
            let reach = Cow::Owned(descriptor(&folder).join(name));
            Ok(FilePlace { reach, kind: Kind::Name, _held: Some(folder) })
        }
        Err(errno) => nowhere(path, errno),
    }
}

/// For errors that are about what is in the file system. A link before it would have been found first.
fn nowhere(path: &Path, errno: i32) -> Result<FilePlace<'static>, i32> {
    match errno {
        libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ENAMETOOLONG => {
            Ok(FilePlace { reach: Cow::Owned(path.to_owned()), kind: Kind::Nowhere { errno }, _held: None })
        }
        _ => Err(errno),
    }
}

/// How the system finds what a descriptor holds.
fn descriptor(held: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
}

/// Is there `openat2`, and what leads from a descriptor back to a path?
#[cfg(target_os = "linux")]
fn can_hold() -> bool {
    static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *ANSWER.get_or_init(|| open_at(Path::new("/"), libc::O_DIRECTORY).is_ok_and(|root| descriptor(&root).is_dir()))
}

#[cfg(not(target_os = "linux"))]
fn can_hold() -> bool {
    false
}

/// Holds what is at an absolute path without following links; an errno, if that cannot be.
#[cfg(target_os = "linux")]
fn open_at(path: &Path, flags: i32) -> Result<OwnedFd, i32> {
    use std::ffi::CString;
    use std::os::fd::FromRawFd;
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| libc::EINVAL)?;
    // SAFETY: all zeros is a value of the structure, which is made to grow.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | flags) as u64;
    how.resolve = libc::RESOLVE_NO_SYMLINKS;
    loop {
        // SAFETY: the path ends with NUL, and the structure is as long as is said.
        let fd = unsafe {
            libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &how, size_of::<libc::open_how>())
        };
        if fd >= 0 {
            // SAFETY: the system has just given it to us.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) => {}
            errno => return Err(errno.unwrap_or(libc::EIO)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn open_at(_: &Path, _: i32) -> Result<OwnedFd, i32> {
    Err(libc::ENOSYS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("real/deep")).unwrap();
        fs::write(path.join("real/file"), "inside").unwrap();
        symlink("real", path.join("link")).unwrap();
        symlink("real/file", path.join("to-file")).unwrap();
        symlink("circle", path.join("circle")).unwrap();
        symlink("nowhere", path.join("dangling")).unwrap();
        (folder, path)
    }

    fn found(path: &Path, last: Last) -> (PathBuf, FilePlace<'static>) {
        FilePlace::find(path, last).unwrap()
    }

    fn text(place: &FilePlace<'_>) -> String {
        io::read_to_string(place.open(OpenOptions::new().read(true)).unwrap()).unwrap()
    }

    #[test]
    fn a_path_is_judged_as_what_it_leads_to() {
        let (_folder, base) = folder();
        let judged = |path: &str, last| found(&base.join(path), last).0;
        for (path, followed) in [
            ("real/file", "real/file"),
            ("./real//./file", "real/file"),
            ("link/file", "real/file"),
            ("to-file", "real/file"),
            ("link/../x", "x"),
            ("dangling", "nowhere"),
            ("no/such/file", "no/such/file"),
            ("real/file/x", "real/file/x"),
        ] {
            assert_eq!(judged(path, Last::Followed), base.join(followed), "{path}");
        }
        assert_eq!(judged("link/file", Last::Itself), base.join("real/file"));
        assert_eq!(judged("to-file", Last::Itself), base.join("to-file"));
        assert!(FilePlace::find(&base.join("circle/x"), Last::Followed).is_err());
        assert_eq!(found(Path::new("/"), Last::Itself).0, Path::new("/"));
        assert_eq!(found(Path::new("."), Last::Followed).0, std::env::current_dir().unwrap());
    }

    #[test]
    fn what_was_judged_is_what_is_used() {
        let (_folder, base) = folder();
        fs::create_dir(base.join("secret")).unwrap();
        fs::write(base.join("secret/file"), "secret").unwrap();
        let (path, name) = (base.join("real/file"), base.join("real/new"));
        let (_, read) = found(&path, Last::Followed);
        let (_, made) = found(&name, Last::Followed);
        let (_, removed) = found(&path, Last::Itself);
        // The folder on the way becomes a link to another one.
        fs::rename(base.join("real"), base.join("away")).unwrap();
        symlink("secret", base.join("real")).unwrap();
        assert_eq!(text(&read), "inside");
        assert!(read.exists() && read.metadata(Last::Followed).unwrap().len() == 6);
        drop(made.open(OpenOptions::new().write(true).create(true)).unwrap());
        assert!(base.join("away/new").exists() && !base.join("secret/new").exists());
        fs::remove_file(removed.entry().unwrap()).unwrap();
        assert!(base.join("secret/file").exists() && !base.join("away/file").exists());
    }

    #[test]
    fn a_link_that_comes_to_stand_at_a_name_is_not_followed() {
        let (_folder, base) = folder();
        let (_, place) = found(&base.join("new"), Last::Followed);
        symlink("real/file", base.join("new")).unwrap();
        let error = place.open(OpenOptions::new().write(true).create(true).truncate(true)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(!place.exists() && place.metadata(Last::Followed).is_err());
        assert_eq!(fs::read_to_string(base.join("real/file")).unwrap(), "inside");
    }

    #[test]
    fn folders_are_made_where_they_were_judged_to_be() {
        let (_folder, base) = folder();
        found(&base.join("link/a/b/c"), Last::Followed).1.create_folders().unwrap();
        assert!(base.join("real/a/b/c").is_dir());
        found(&base.join("real/a/b"), Last::Followed).1.create_folders().unwrap();
        let errno = |path: &str| {
            found(&base.join(path), Last::Followed).1.create_folders().unwrap_err().raw_os_error().unwrap()
        };
        assert_eq!(errno("real/file"), libc::EEXIST);
        assert_eq!(errno("real/file/x/y"), libc::ENOTDIR);
        // Somebody puts a link in the place of a folder that is still to be made.
        let (_, place) = found(&base.join("later/x/y"), Last::Followed);
        symlink("real", base.join("later")).unwrap();
        assert_eq!(place.create_folders().unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert!(!base.join("real/x").exists());
    }

    #[test]
    fn errors_are_those_of_the_system() {
        let (_folder, base) = folder();
        let errno = |path: &str| {
            let (_, place) = found(&base.join(path), Last::Followed);
            place.open(OpenOptions::new().read(true)).unwrap_err().raw_os_error().unwrap()
        };
        assert_eq!(errno("missing"), libc::ENOENT);
        assert_eq!(errno("no/such/file"), libc::ENOENT);
        assert_eq!(errno("real/file/x"), libc::ENOTDIR);
        assert_eq!(errno(&"x".repeat(300)), libc::ENAMETOOLONG);
        assert!(FilePlace::find(Path::new("a\0b"), Last::Followed).is_err());
    }
}
