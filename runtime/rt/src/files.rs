//! What is there in the file system, and how is it changed? Whole files, folders, links, names.
//!
//! Functions return 0 or an errno unless they say otherwise.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use reml_capability::policy::Power;

use crate::array::{BytesRef, StrArray};
use crate::context::Cx;
use crate::file_place::{FilePlace, Last};
use crate::gate;
use crate::io::{errno_of, errno_status, status};
use crate::panic::traced;
use crate::resource::{Content, give_resource};
use crate::string::{StrRef, new_lossy};
use crate::taken::{Taken, give, give_ints, give_text};
use crate::whole::{give_all_bytes, give_all_text};

/// What metadata and listings call the kinds of entries.
const FILE: i64 = 0;
const FOLDER: i64 = 1;
const LINK: i64 = 2;
const OTHER: i64 = 3;

fn kind(file_type: fs::FileType) -> i64 {
    if file_type.is_file() {
        FILE
    } else if file_type.is_dir() {
        FOLDER
    } else if file_type.is_symlink() {
        LINK
    } else {
        OTHER
    }
}

traced! {
    /// The text of a file through `take_str`. A file that is not UTF-8 gives EILSEQ.
    reml_file_read = file_read;
    /// The bytes of a file through `take_bytes`.
    reml_file_read_bytes = file_read_bytes;
    reml_file_write = file_write;
    reml_file_write_bytes = file_write_bytes;
    /// Follows symbolic links; a link that leads nowhere does not exist.
    reml_file_exists = file_exists;
    /// Removes files and links, not folders.
    reml_file_remove = file_remove;
    /// A file is not copied onto itself, by whatever name: it would be emptied before it is read.
    reml_file_copy = file_copy;
    /// Renames a file or folder; what has the new name already is replaced in one step.
    reml_file_rename = file_rename;
    reml_file_set_permissions = file_set_permissions;
    /// Waits until a file, or the names in a folder, are on the disk.
    reml_file_sync = file_sync;
    /// Through `take_ints`: kind, size, permissions, then seconds and nanoseconds of the last change and of creation (seconds and -1
    /// where that is not known).
    reml_file_metadata = file_metadata;
    /// The entries of a folder through `take_strs`, sorted by name: the digit of the kind, then the name. Links are not followed.
    reml_folder_list = folder_list;
    /// Makes a folder, with the folders around it when `all` is set; then it may be there already.
    reml_folder_create = folder_create;
    /// Removes a folder, with everything in it when `all` is set. Links in it are removed, not followed.
    reml_folder_remove = folder_remove;
    /// Makes `link` a symbolic link to `target`.
    reml_link_create = link_create;
    /// What a symbolic link leads to, as written in it, through `take_str`.
    reml_link_read = link_read;
    /// The absolute path without links, through `take_str`; the file must exist.
    reml_path_canonical = path_canonical;
    /// Makes a file, or a folder, of a name that nobody else has, in `folder` (empty: where the system keeps such things); it is removed when
    /// the resource is closed. The permissions are as the process's mask leaves them. The resource through `take_resource`.
    reml_temp_create = temp_create;
}

extern "C" fn file_read(cx: Cx, path: StrRef) -> i64 {
    read_file(cx, path, |file| give_all_text(cx, &[], file))
}

extern "C" fn file_read_bytes(cx: Cx, path: StrRef) -> i64 {
    read_file(cx, path, |file| give_all_bytes(cx, file))
}

/// Does something to a file if the program may.
fn permitted(cx: Cx, power: Power, path: StrRef, last: Last, act: impl FnOnce(&FilePlace<'_>) -> i64) -> i64 {
    match gate::place(cx, power, path.as_str(), last) {
        Ok(place) => act(&place),
        Err(errno) => errno,
    }
}

fn read_file(cx: Cx, path: StrRef, read: impl FnOnce(&fs::File) -> Result<(), i32>) -> i64 {
    permitted(cx, Power::Read, path, Last::Followed, |place| match place.open(OpenOptions::new().read(true)) {
        Ok(file) => errno_status(read(&file)),
        Err(error) => errno_of(&error),
    })
}

fn write_file(cx: Cx, path: StrRef, bytes: &[u8], append: u32) -> i64 {
    use io::Write;
    let mut options = OpenOptions::new();
    // Only the lowest byte of a Bool argument is defined.
    if append & 1 != 0 {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    options.create(true);
    permitted(cx, Power::Write, path, Last::Followed, |place| {
        let written = place.open(&mut options).and_then(|mut file| file.write_all(bytes));
        if written.is_ok() {
            cx.runtime().io_effects.has_written(bytes.len());
        }
        status(written)
    })
}

extern "C" fn file_write(cx: Cx, path: StrRef, text: StrRef, append: u32) -> i64 {
    write_file(cx, path, text.as_bytes(), append)
}

extern "C" fn file_write_bytes(cx: Cx, path: StrRef, bytes: BytesRef, append: u32) -> i64 {
    write_file(cx, path, bytes.as_slice(), append)
}

extern "C" fn file_exists(cx: Cx, path: StrRef) -> bool {
    gate::demand_place(cx, Power::Read, path.as_str(), Last::Followed).is_some_and(|place| place.exists())
}

extern "C" fn file_remove(cx: Cx, path: StrRef) -> i64 {
    permitted(cx, Power::Write, path, Last::Itself, |place| status(place.entry().and_then(fs::remove_file)))
}

extern "C" fn file_copy(cx: Cx, from: StrRef, to: StrRef) -> i64 {
    permitted(cx, Power::Read, from, Last::Followed, |from| {
        permitted(cx, Power::Write, to, Last::Followed, |to| status(copy(from, to)))
    })
}

fn copy(from: &FilePlace<'_>, to: &FilePlace<'_>) -> io::Result<()> {
    let is_same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    let mut source = from.open(OpenOptions::new().read(true))?;
    let found = source.metadata()?;
    if !found.is_file() || to.metadata(Last::Followed).is_ok_and(|target| is_same(&found, &target)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut target =
        to.open(OpenOptions::new().write(true).create(true).truncate(true).mode(found.permissions().mode()))?;
    io::copy(&mut source, &mut target)?;
    match target.metadata()?.is_file() {
        true => target.set_permissions(found.permissions()),
        false => Ok(()),
    }
}

extern "C" fn file_rename(cx: Cx, from: StrRef, to: StrRef) -> i64 {
    permitted(cx, Power::Write, from, Last::Itself, |from| {
        permitted(cx, Power::Write, to, Last::Itself, |to| {
            status(from.entry().and_then(|from| fs::rename(from, to.entry()?)))
        })
    })
}

extern "C" fn file_set_permissions(cx: Cx, path: StrRef, mode: i64) -> i64 {
    let mode = u32::try_from(mode).unwrap_or(0) & 0o7777;
    permitted(cx, Power::Write, path, Last::Followed, |place| {
        status(place.object().and_then(|path| fs::set_permissions(path, fs::Permissions::from_mode(mode))))
    })
}

extern "C" fn file_sync(cx: Cx, path: StrRef) -> i64 {
    permitted(cx, Power::Write, path, Last::Followed, |place| {
        status(place.open(OpenOptions::new().read(true)).and_then(|file| file.sync_all()))
    })
}

extern "C" fn file_metadata(cx: Cx, path: StrRef, follow: u32) -> i64 {
    let follow = follow & 1 != 0;
    let last = if follow { Last::Followed } else { Last::Itself };
    permitted(cx, Power::Read, path, last, |place| match place.metadata(last) {
        Ok(metadata) => {
            give_metadata(cx, &metadata);
            0
        }
        Err(error) => errno_of(&error),
    })
}

fn give_metadata(cx: Cx, metadata: &Metadata) {
    let (created, created_nanos) = creation(metadata).unwrap_or((0, -1));
    give_ints(
        cx,
        &[
            kind(metadata.file_type()),
            metadata.len() as i64,
            i64::from(metadata.mode() & 0o7777),
            metadata.mtime(),
            metadata.mtime_nsec(),
            created,
            created_nanos,
        ],
    );
}

fn creation(metadata: &Metadata) -> Option<(i64, i64)> {
    let since = metadata.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((since.as_secs() as i64, i64::from(since.subsec_nanos())))
}

extern "C" fn folder_list(cx: Cx, path: StrRef) -> i64 {
    permitted(cx, Power::Read, path, Last::Followed, |place| match place.object().and_then(entries) {
        Ok(names) => {
            let mut array = StrArray::new(cx);
            for name in names {
                array.push(new_lossy(cx, &name));
            }
            give(cx, Taken::Texts(array.finish()));
            0
        }
        Err(error) => errno_of(&error),
    })
}

/// Sorted by name, behind the digit of the kind.
fn entries(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let mut name = vec![b'0' + kind(entry.file_type()?) as u8];
        name.extend_from_slice(entry.file_name().as_bytes());
        names.push(name);
    }
    names.sort_by(|a, b| a[1..].cmp(&b[1..]));
    Ok(names)
}

extern "C" fn folder_create(cx: Cx, path: StrRef, all: u32) -> i64 {
    permitted(cx, Power::Write, path, Last::Followed, |place| {
        status(if all & 1 != 0 { place.create_folders() } else { place.entry().and_then(fs::create_dir) })
    })
}

extern "C" fn folder_remove(cx: Cx, path: StrRef, all: u32) -> i64 {
    permitted(cx, Power::Write, path, Last::Itself, |place| {
        let remove = if all & 1 != 0 { fs::remove_dir_all } else { fs::remove_dir };
        status(place.entry().and_then(remove))
    })
}

extern "C" fn link_create(cx: Cx, target: StrRef, link: StrRef) -> i64 {
    permitted(cx, Power::Write, link, Last::Itself, |place| {
        status(place.entry().and_then(|link| symlink(target.as_str(), link)))
    })
}

extern "C" fn link_read(cx: Cx, path: StrRef) -> i64 {
    permitted(cx, Power::Read, path, Last::Itself, |place| match place.entry().and_then(fs::read_link) {
        Ok(target) => give_text(cx, target.as_os_str().as_bytes()),
        Err(error) => errno_of(&error),
    })
}

extern "C" fn path_canonical(cx: Cx, path: StrRef) -> i64 {
    permitted(cx, Power::Read, path, Last::Followed, |place| match place.object().and_then(fs::canonicalize) {
        Ok(path) => give_text(cx, path.as_os_str().as_bytes()),
        Err(error) => errno_of(&error),
    })
}

extern "C" fn temp_create(cx: Cx, folder: StrRef, prefix: StrRef, is_folder: u32, permissions: i64) -> i64 {
    let system = std::env::temp_dir();
    let folder = match folder.as_str() {
        "" => &*system.to_string_lossy(),
        folder => folder,
    };
    let made = gate::place(cx, Power::Write, folder, Last::Followed);
    // It is removed by its path, which the program sees, too.
    let place = match made.map(|place| place.object().and_then(fs::canonicalize)) {
        Ok(Ok(place)) => place,
        Ok(Err(error)) => return errno_of(&error),
        Err(errno) => return errno,
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix.as_str());
    builder.permissions(fs::Permissions::from_mode(u32::try_from(permissions).unwrap_or(0) & 0o7777));
    let made = if is_folder & 1 != 0 {
        builder.tempdir_in(&place).map(|folder| (folder.path().to_owned(), Content::TempFolder(folder)))
    } else {
        builder.tempfile_in(&place).map(|file| {
            let path = file.into_temp_path();
            (path.to_path_buf(), Content::TempFile(path))
        })
    };
    match made {
        Ok((path, content)) => {
            give_resource(cx, content, path.into_os_string().into_encoded_bytes());
            0
        }
        Err(error) => errno_of(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array;
    use crate::context::Program;
    use crate::heap;
    use crate::resource::{close_remaining, reml_resource_free, reml_resource_path};
    use crate::string::new_str;
    use crate::taken::testing::text_taken;
    use crate::taken::{reml_take_bytes, reml_take_resource};

    fn bytes(cx: Cx, bytes: &[u8]) -> BytesRef<'static> {
        // SAFETY: a reference to a live array, which the test leaks.
        unsafe { std::mem::transmute(array::new_bytes(cx, bytes)) }
    }

    #[test]
    fn files_are_written_appended_read_and_removed() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let folder = tempfile::tempdir().unwrap();
        let path = new_str(cx, folder.path().join("file").to_str().unwrap());
        let text = new_str(cx, "grüße\n");
        assert_eq!(file_read(cx, path.borrow()), i64::from(libc::ENOENT));
        assert_eq!(file_write(cx, path.borrow(), text.borrow(), 0), 0);
        assert_eq!(file_write(cx, path.borrow(), text.borrow(), 0xff01), 0);
        assert!(file_exists(cx, path.borrow()));
        assert_eq!(file_read(cx, path.borrow()), 0);
        assert_eq!(text_taken(cx), "grüße\ngrüße\n");
        assert_eq!(text_taken(cx), "");
        assert_eq!(file_write_bytes(cx, path.borrow(), bytes(cx, &[0xff, 0x00]), 0), 0);
        assert_eq!(file_read(cx, path.borrow()), i64::from(libc::EILSEQ));
        assert_eq!(file_read_bytes(cx, path.borrow()), 0);
        let read = reml_take_bytes(cx);
        // SAFETY: a live array of bytes.
        unsafe {
            assert_eq!((*read).len, 2);
            heap::reml_free(cx, read.cast());
        }
        assert_eq!(file_remove(cx, path.borrow()), 0);
        assert_eq!(file_remove(cx, path.borrow()), i64::from(libc::ENOENT));
        path.drop(cx);
        text.drop(cx);
        // Only the array of bytes made by `bytes` is left.
        assert_eq!(heap::live_objects(cx), 1);
    }

    #[test]
    fn temporary_things_go_with_their_resource() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let folder = tempfile::tempdir().unwrap();
        let place = new_str(cx, folder.path().to_str().unwrap());
        let prefix = new_str(cx, "part-");
        for is_folder in [0, 1] {
            assert_eq!(temp_create(cx, place.borrow(), prefix.borrow(), is_folder, 0o700), 0);
            let resource = reml_take_resource(cx);
            // SAFETY: the resource is alive until it is freed.
            unsafe {
                let path = reml_resource_path(cx, &*resource);
                assert!(Path::new(path.borrow().as_str()).exists());
                reml_resource_free(cx, resource);
                assert!(!Path::new(path.borrow().as_str()).exists());
                path.drop(cx);
            }
        }
        place.drop(cx);
        prefix.drop(cx);
        assert!(close_remaining(cx));
        assert_eq!(heap::live_objects(cx), 0);
    }
}
