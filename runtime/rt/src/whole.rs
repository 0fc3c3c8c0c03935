//! How does all that a file has become one object?
//!
//! Bytes are read to where they stay: behind the fields of an object as large as the file is said to be. It grows with files that do,
//! and with those that do not tell their size, such as pipes.

use std::fs::File;
use std::io::Seek;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};

use crate::abi::{ARRAY_DATA, Array, Header, MAX_SMALL};
use crate::array;
use crate::context::Cx;
use crate::heap;
use crate::io::read_fd;
use crate::string::{self, LARGE_TEXT};
use crate::taken::{Taken, give, give_text};

/// The least that is read at once where the size is not known.
const PIECE: usize = 64 << 10;

/// A large object while it is filled. What is in its fields behind the header is written at the end.
struct Filling {
    object: *mut Header,
    /// The size of the fields: where the bytes begin.
    fields: usize,
    len: usize,
    capacity: usize,
}

impl Filling {
    /// Takes what was read `ahead`, and then all that the file has.
    fn read(cx: Cx, fields: usize, ahead: &[u8], file: &File) -> Result<Filling, i32> {
        // With one byte more, the end is found without growing.
        let capacity = ahead.len().saturating_add(remaining(file)).saturating_add(1);
        let size = fields.checked_add(capacity).ok_or(libc::ENOMEM)?;
        let object = heap::try_alloc_large(cx, size).ok_or(libc::ENOMEM)?;
        let mut filling = Filling { object, fields, len: ahead.len(), capacity };
        // SAFETY: there is room for what was read ahead.
        unsafe { filling.start().copy_from_nonoverlapping(ahead.as_ptr(), ahead.len()) };
        match filling.fill(file.as_raw_fd()) {
            Ok(()) => {
                cx.runtime().io_effects.has_read(filling.len - ahead.len());
                Ok(filling)
            }
            Err(errno) => {
                filling.free(cx);
                Err(errno)
            }
        }
    }

    fn fill(&mut self, fd: i32) -> Result<(), i32> {
        loop {
            if self.len == self.capacity {
                self.resize(self.capacity.saturating_mul(2).max(PIECE))?;
            }
            // SAFETY: the place lies in the object, and there is so much room behind it.
            match unsafe { read_fd(fd, self.start().add(self.len), self.capacity - self.len) }? {
                0 => return Ok(()),
                count => self.len += count,
            }
        }
    }

    fn resize(&mut self, capacity: usize) -> Result<(), i32> {
        let size = self.fields.checked_add(capacity).ok_or(libc::ENOMEM)?;
        // SAFETY: the object is ours alone.
        self.object = unsafe { heap::try_resize_large(self.object, size) }.ok_or(libc::ENOMEM)?;
        self.capacity = capacity;
        Ok(())
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: the bytes are a part of the object.
        unsafe { self.object.cast::<u8>().add(self.fields) }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were written.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    fn is_small(&self) -> bool {
        self.fields + self.len <= MAX_SMALL
    }

    /// The object without the room that was not needed.
    fn fitted(mut self) -> (*mut Header, usize) {
        // An object that cannot be made smaller stays as it is.
        self.resize(self.len).ok();
        (self.object, self.capacity)
    }

    fn free(self, cx: Cx) {
        // SAFETY: the object is ours alone.
        unsafe { heap::reml_free_large(cx, self.object) };
    }
}

/// How many bytes are left of a file from where it is; 0 if it does not tell.
fn remaining(mut file: &File) -> usize {
    let size = file.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
    let place = if size > 0 { file.stream_position().unwrap_or(0) } else { 0 };
    usize::try_from(size.saturating_sub(place)).unwrap_or(usize::MAX)
}

/// Hands out what was read `ahead` and all that the file has as text, which must be UTF-8. The error is an errno.
pub fn give_all_text(cx: Cx, ahead: &[u8], file: &File) -> Result<(), i32> {
    let filling = Filling::read(cx, LARGE_TEXT, ahead, file)?;
    if filling.is_small() || std::str::from_utf8(filling.bytes()).is_err() {
        let status = give_text(cx, filling.bytes());
        filling.free(cx);
        return if status == 0 { Ok(()) } else { Err(libc::EILSEQ) };
    }
    let len = filling.len;
    let (object, capacity) = filling.fitted();
    // SAFETY: a large object of ours, with valid text where a large string has it.
    give(cx, Taken::Text(unsafe { string::from_large(object, len, capacity) }));
    Ok(())
}

/// Hands out all bytes that the file has. The error is an errno.
pub fn give_all_bytes(cx: Cx, file: &File) -> Result<(), i32> {
    let filling = Filling::read(cx, ARRAY_DATA, &[], file)?;
    if filling.is_small() {
        give(cx, Taken::Bytes(array::new_bytes(cx, filling.bytes())));
        filling.free(cx);
        return Ok(());
    }
    let len = filling.len;
    let (object, capacity) = filling.fitted();
    let array = object.cast::<Array>();
    // SAFETY: a large object of ours, with `len` bytes where an array has its elements.
    unsafe {
        (*array).len = len as u64;
        (*array).capacity = capacity as u64;
    }
    give(cx, Taken::Bytes(array));
    Ok(())
}

/// Standard input, which nobody closes.
pub fn standard_input() -> ManuallyDrop<File> {
    // SAFETY: the descriptor stays open: the file is not dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDIN_FILENO) })
}

#[cfg(test)]
mod tests {
    use std::io::{SeekFrom, Write};

    use super::*;
    use crate::context::Program;
    use crate::taken::reml_take_bytes;
    use crate::taken::testing::text_taken;

    fn file_of(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    #[test]
    fn texts_of_all_sizes_are_read_from_where_the_file_is() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for size in [0, 1, 2, 100, 10_000, 1_000_000] {
            let content = "aé".repeat(size).into_bytes();
            let mut file = file_of(&content);
            assert_eq!(give_all_text(cx, b"ahead ", &file), Ok(()));
            assert_eq!(text_taken(cx).as_bytes(), [b"ahead ", &*content].concat());
            assert_eq!(give_all_text(cx, b"", &file), Ok(()));
            assert_eq!(text_taken(cx), "");
            file.seek(SeekFrom::Start(size as u64 * 3 / 2 / 3 * 3)).unwrap();
            assert_eq!(give_all_text(cx, b"", &file), Ok(()));
            assert_eq!(text_taken(cx).as_bytes(), &content[size * 3 / 2 / 3 * 3..]);
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn a_text_that_was_read_can_be_appended_to() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let content = "0123456789".repeat(10_000);
        give_all_text(cx, b"", &file_of(content.as_bytes())).unwrap();
        let text = crate::taken::reml_take_str(cx).append(cx, content.as_bytes());
        assert_eq!(text.borrow().as_str(), content.repeat(2));
        text.drop(cx);
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn files_that_do_not_tell_their_size_are_read_to_the_end() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for size in [3, PIECE, 5 * PIECE + 1] {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let thread = std::thread::spawn(move || writer.write_all(&vec![b'x'; size]).unwrap());
            give_all_text(cx, b"", &File::from(std::os::fd::OwnedFd::from(reader))).unwrap();
            thread.join().unwrap();
            assert_eq!(text_taken(cx), "x".repeat(size));
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn bytes_are_read_whatever_they_are_and_text_must_be_valid() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for size in [0, 10, 100_000] {
            let content = vec![0xff; size];
            assert_eq!(give_all_bytes(cx, &file_of(&content)), Ok(()));
            let bytes = reml_take_bytes(cx);
            // SAFETY: the array is ours, and has `len` bytes.
            unsafe {
                assert_eq!(std::slice::from_raw_parts(array::data(bytes), (*bytes).len as usize), content);
                heap::reml_free(cx, bytes.cast());
            }
            let text = give_all_text(cx, b"", &file_of(&content));
            assert_eq!(text, if size == 0 { Ok(()) } else { Err(libc::EILSEQ) });
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn what_cannot_be_read_leaves_nothing_behind() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let folder = File::open(".").unwrap();
        assert_eq!(give_all_text(cx, b"", &folder), Err(libc::EISDIR));
        assert_eq!(give_all_bytes(cx, &folder), Err(libc::EISDIR));
        assert_eq!(heap::live_objects(cx), 0);
    }
}
