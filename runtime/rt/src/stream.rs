//! How are files and standard input read and written piece by piece?
//!
//! Readers have no buffer here: the library reads into arrays of its own. Writers have one, so that what a program has written is
//! sent on whichever way the writer ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;

use reml_capability::policy::Power;

use crate::abi::{Array, Resource};
use crate::array::{self, BytesRef};
use crate::context::Cx;
use crate::file_place::Last;
use crate::gate;
use crate::heap;
use crate::io::{errno_of, errno_status, read_fd, reml_stdout_flush, write_fd};
use crate::panic::traced;
use crate::resource::{Content, give_resource};
use crate::string::StrRef;
use crate::taken::{Taken, give, give_text};

const WRITE_BUFFER: usize = 64 << 10;

/// Flags of [`reml_stream_create`].
const APPEND: i64 = 1;
const TRUNCATE: i64 = 2;
const NEW: i64 = 4;

/// A file that is written.
pub struct Writer {
    file: File,
    buffer: Vec<u8>,
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), i32> {
        if self.buffer.len() + bytes.len() > WRITE_BUFFER {
            self.flush()?;
            if bytes.len() >= WRITE_BUFFER {
                return write_fd(self.file.as_raw_fd(), bytes).map_err(|(errno, _)| errno);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// What could not be sent on stays in the buffer, so that it can be tried again.
    pub fn flush(&mut self) -> Result<(), i32> {
        match write_fd(self.file.as_raw_fd(), &self.buffer) {
            Ok(()) => {
                self.buffer.clear();
                Ok(())
            }
            Err((errno, written)) => {
                self.buffer.drain(..written);
                Err(errno)
            }
        }
    }
}

fn io_status(result: io::Result<()>) -> Result<(), i32> {
    result.map_err(|error| errno_of(&error) as i32)
}

traced! {
    /// Opens a file for reading; 0 or errno, the resource through `take_resource`. A folder is EISDIR.
    reml_stream_open = stream_open;
}

extern "C" fn stream_open(cx: Cx, path: StrRef) -> i64 {
    let place = match gate::place(cx, Power::Read, path.as_str(), Last::Followed) {
        Ok(place) => place,
        Err(errno) => return errno,
    };
    match place.open(OpenOptions::new().read(true)).and_then(|file| Ok((file.metadata()?, file))) {
        Ok((metadata, _)) if metadata.is_dir() => i64::from(libc::EISDIR),
        Ok((_, file)) => {
            give_resource(cx, Content::Reader(file), path.as_bytes().to_vec());
            0
        }
        Err(error) => errno_of(&error),
    }
}

traced! {
    /// Opens a file for writing and creates it when needed; 0 or errno, the resource through `take_resource`. The permissions of a new file are
    /// as the process's mask leaves them.
    reml_stream_create = stream_create;
}

extern "C" fn stream_create(cx: Cx, path: StrRef, flags: i64, permissions: i64) -> i64 {
    let mut options = OpenOptions::new();
    options.create(true).mode(u32::try_from(permissions).unwrap_or(0o666) & 0o7777);
    if flags & APPEND != 0 {
        options.append(true);
    } else {
        options.write(true).truncate(flags & TRUNCATE != 0);
    }
    options.create_new(flags & NEW != 0);
    let place = match gate::place(cx, Power::Write, path.as_str(), Last::Followed) {
        Ok(place) => place,
        Err(errno) => return errno,
    };
    match place.open(&mut options) {
        Ok(file) => {
            let writer = Writer { file, buffer: Vec::new() };
            give_resource(cx, Content::Writer(writer), path.as_bytes().to_vec());
            0
        }
        Err(error) => errno_of(&error),
    }
}

/// Reads into `bytes` from `at` on, `count` bytes at most: how many there were, 0 at the end, or a negative errno. The array comes back
/// through `take_bytes`.
fn read_into(
    cx: Cx,
    bytes: *mut Array,
    at: i64,
    count: i64,
    read: impl FnOnce(&mut [u8]) -> Result<usize, i32>,
) -> i64 {
    let bytes = owned(cx, bytes);
    // SAFETY: the array is ours alone, and has `len` bytes.
    let room = unsafe { std::slice::from_raw_parts_mut(array::data(bytes), (*bytes).len as usize) };
    let start = usize::try_from(at).unwrap_or(0).min(room.len());
    let count = usize::try_from(count).unwrap_or(0).min(room.len() - start);
    let result = read(&mut room[start..start + count]);
    cx.runtime().io_effects.has_read(result.unwrap_or(0));
    give(cx, Taken::Bytes(bytes));
    result.map_or_else(|errno| -i64::from(errno), |count| count as i64)
}

/// The same bytes, in an array with one owner.
fn owned(cx: Cx, bytes: *mut Array) -> *mut Array {
    // SAFETY: the array is alive, and the caller gives up an ownership.
    unsafe {
        if (*bytes).header.count == 1 {
            return bytes;
        }
        let len = (*bytes).len as usize;
        let copy = array::new_bytes(cx, std::slice::from_raw_parts(array::data(bytes), len));
        // Not the last owner: the count was not 1.
        heap::release(bytes.cast());
        copy
    }
}

fn read_room(fd: i32, room: &mut [u8]) -> Result<usize, i32> {
    // SAFETY: `room` is ours to write.
    unsafe { read_fd(fd, room.as_mut_ptr(), room.len()) }
}

/// Reads from an open file; see [`read_into`].
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_read(cx: Cx, stream: &Resource, bytes: *mut Array, at: i64, count: i64) -> i64 {
    read_into(cx, bytes, at, count, |room| {
        cx.runtime().resources.with(stream.id, |entry| match &entry.content {
            Content::Reader(file) => read_room(file.as_raw_fd(), room),
            _ => Err(libc::EBADF),
        })
    })
}

/// Reads from standard input, what was read ahead first; see [`read_into`].
#[unsafe(no_mangle)]
pub extern "C" fn reml_stdin_read(cx: Cx, bytes: *mut Array, at: i64, count: i64) -> i64 {
    reml_stdout_flush(cx);
    read_into(cx, bytes, at, count, |room| match cx.runtime().input.borrow_mut().take_buffered(room) {
        0 => read_room(libc::STDIN_FILENO, room),
        count => Ok(count),
    })
}

fn with_writer(cx: Cx, stream: &Resource, act: impl FnOnce(&mut Writer) -> Result<(), i32>) -> i64 {
    errno_status(cx.runtime().resources.with(stream.id, |entry| match &mut entry.content {
        Content::Writer(writer) => act(writer),
        _ => Err(libc::EBADF),
    }))
}

fn write(cx: Cx, stream: &Resource, bytes: &[u8]) -> i64 {
    let errno = with_writer(cx, stream, |writer| writer.write(bytes));
    if errno == 0 {
        cx.runtime().io_effects.has_written(bytes.len());
    }
    errno
}

/// 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_write(cx: Cx, stream: &Resource, bytes: BytesRef) -> i64 {
    write(cx, stream, bytes.as_slice())
}

/// 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_write_str(cx: Cx, stream: &Resource, text: StrRef) -> i64 {
    write(cx, stream, text.as_bytes())
}

/// Sends what is buffered to the system: 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_flush(cx: Cx, stream: &Resource) -> i64 {
    with_writer(cx, stream, Writer::flush)
}

/// Waits until what was written is on the disk: 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_sync(cx: Cx, stream: &Resource) -> i64 {
    with_writer(cx, stream, |writer| {
        writer.flush()?;
        io_status(writer.file.sync_all())
    })
}

/// Goes to a place of the file, counted from its start: 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stream_seek(cx: Cx, stream: &Resource, offset: i64) -> i64 {
    let Ok(offset) = u64::try_from(offset) else { return i64::from(libc::EINVAL) };
    errno_status(cx.runtime().resources.with(stream.id, |entry| match &mut entry.content {
        Content::Reader(file) => io_status(file.seek(SeekFrom::Start(offset)).map(|_| ())),
        Content::Writer(writer) => {
            writer.flush()?;
            io_status(writer.file.seek(SeekFrom::Start(offset)).map(|_| ()))
        }
        _ => Err(libc::EBADF),
    }))
}

/// The offset of a byte in `bytes[start..end]`, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_find(_: Cx, bytes: BytesRef, byte: u32, start: i64, end: i64) -> i64 {
    let bytes = part(bytes, start, end);
    // Only the lowest byte of a `u8` argument is defined.
    memchr::memchr(byte as u8, bytes).map_or(-1, |found| start.max(0) + found as i64)
}

/// 0 or EILSEQ; the text of `bytes[start..end]` through `take_str`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_to_str(cx: Cx, bytes: BytesRef, start: i64, end: i64) -> i64 {
    give_text(cx, part(bytes, start, end))
}

/// `to` followed by `from[start..end]`; in place when `to` has no other owner and room.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_extend(cx: Cx, to: *mut Array, from: BytesRef, start: i64, end: i64) -> *mut Array {
    let from = part(from, start, end);
    let mut to = owned(cx, to);
    // SAFETY: `to` is ours alone, which `from` is not; there is room behind its elements after growing.
    unsafe {
        let len = (*to).len;
        let total = len + from.len() as u64;
        if total > (*to).capacity {
            to = array::reml_array_grow(cx, to, 1, total);
        }
        ptr::copy_nonoverlapping(from.as_ptr(), array::data(to).add(len as usize), from.len());
        (*to).len = total;
    }
    to
}

/// `to` with `from[start..end]` in the place of what is there from `at` on, as far as it reaches; in place when `to` has no other owner.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_put(cx: Cx, to: *mut Array, at: i64, from: BytesRef, start: i64, end: i64) -> *mut Array {
    let from = part(from, start, end);
    let to = owned(cx, to);
    // SAFETY: `to` is ours alone, which `from` is not; no more is copied than there is room for behind `at`.
    unsafe {
        let len = (*to).len as usize;
        let at = usize::try_from(at).unwrap_or(0).min(len);
        ptr::copy_nonoverlapping(from.as_ptr(), array::data(to).add(at), from.len().min(len - at));
    }
    to
}

/// `bytes[start..end]`, as far as there is such a part.
fn part(bytes: BytesRef<'_>, start: i64, end: i64) -> &[u8] {
    let bytes = bytes.as_slice();
    let end = usize::try_from(end).unwrap_or(0).min(bytes.len());
    let start = usize::try_from(start).unwrap_or(0).min(end);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::resource::{close_remaining, reml_resource_close, reml_resource_free};
    use crate::string::new_str;
    use crate::taken::{reml_take_bytes, reml_take_resource};

    #[test]
    fn a_writer_sends_on_what_it_holds_and_a_reader_gets_it_in_pieces() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let folder = tempfile::tempdir().unwrap();
        let path = new_str(cx, folder.path().join("file").to_str().unwrap());
        let text = new_str(cx, "0123456789");
        assert_eq!(stream_create(cx, path.borrow(), TRUNCATE, 0o600), 0);
        let writer = reml_take_resource(cx);
        // SAFETY: the resources are alive until they are freed, which ends their use here.
        unsafe {
            assert_eq!(reml_stream_write_str(cx, &*writer, text.borrow()), 0);
            assert_eq!(std::fs::read(path.borrow().as_str()).unwrap(), b"");
            reml_resource_free(cx, writer);
            assert_eq!(stream_open(cx, path.borrow()), 0);
            let reader = reml_take_resource(cx);
            let mut bytes = array::new_bytes(cx, &[0; 6]);
            assert_eq!(reml_stream_read(cx, &*reader, bytes, 2, 10), 4);
            bytes = reml_take_bytes(cx);
            assert_eq!(std::slice::from_raw_parts(array::data(bytes), 6), b"\0\x000123");
            assert_eq!(reml_stream_seek(cx, &*reader, 9), 0);
            assert_eq!(reml_stream_read(cx, &*reader, bytes, 0, 6), 1);
            assert_eq!(reml_resource_close(cx, &*reader), 0);
            assert_eq!(reml_stream_read(cx, &*reader, reml_take_bytes(cx), 0, 6), -i64::from(libc::EBADF));
            heap::reml_free(cx, reml_take_bytes(cx).cast());
            reml_resource_free(cx, reader);
        }
        let folder = new_str(cx, folder.path().to_str().unwrap());
        assert_eq!(stream_open(cx, folder.borrow()), i64::from(libc::EISDIR));
        for text in [path, text, folder] {
            text.drop(cx);
        }
        assert!(close_remaining(cx));
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn what_cannot_be_written_is_kept_for_another_try() {
        let Ok(file) = OpenOptions::new().write(true).open("/dev/full") else { return };
        let mut writer = Writer { file, buffer: Vec::new() };
        assert_eq!(writer.write(b"abc"), Ok(()));
        assert_eq!(writer.flush(), Err(libc::ENOSPC));
        assert_eq!(writer.buffer, b"abc");
    }

    #[test]
    fn shared_bytes_are_copied_before_they_change() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let shared = array::new_bytes(cx, b"ab");
        // SAFETY: alive; the second ownership is given to the call.
        unsafe {
            heap::dup(shared.cast());
            let from: BytesRef = std::mem::transmute(shared);
            let longer = reml_bytes_extend(cx, shared, from, 1, 9);
            assert_eq!(std::slice::from_raw_parts(array::data(longer), 3), b"abb");
            assert_eq!((*shared).len, 2);
            heap::reml_free(cx, longer.cast());
            heap::reml_free(cx, shared.cast());
        }
        assert_eq!(heap::live_objects(cx), 0);
    }
}
