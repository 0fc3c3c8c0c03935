//! How does a program read and write: standard streams, files, arguments, the environment?
//!
//! Standard output is buffered and flushed when the program ends or panics, when it writes to standard error, and before it
//! waits for standard input; on a terminal also at every line. Calls that can fail return 0 or an errno (or its negative,
//! where positive numbers have a meaning); the text or bytes they produce are fetched by `take_str` or `take_bytes`.

use std::cell::RefMut;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::abi::Array;
use crate::array::{self, BytesRef, StrArray};
use crate::context::Cx;
use crate::entry;
use crate::heap;
use crate::panic;
use crate::string::{StrOwned, StrRef, empty, new_lossy, new_str};

const OUTPUT_BUFFER: usize = 64 << 10;
const INPUT_BUFFER: usize = 64 << 10;

/// Buffered standard output.
#[derive(Default)]
pub struct Output {
    buffer: Vec<u8>,
    /// Known after the first write.
    terminal: Option<bool>,
}

impl Output {
    /// The error is an errno.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), i32> {
        if self.buffer.len() + bytes.len() > OUTPUT_BUFFER {
            self.flush()?;
            if bytes.len() >= OUTPUT_BUFFER {
                return write_fd(libc::STDOUT_FILENO, bytes);
            }
        }
        self.buffer.reserve(OUTPUT_BUFFER);
        self.buffer.extend_from_slice(bytes);
        // SAFETY: isatty has no preconditions.
        let terminal = *self.terminal.get_or_insert_with(|| unsafe { libc::isatty(libc::STDOUT_FILENO) } == 1);
        if terminal && bytes.contains(&b'\n') { self.flush() } else { Ok(()) }
    }

    /// Empties the buffer, also when it cannot be written.
    pub fn flush(&mut self) -> Result<(), i32> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = write_fd(libc::STDOUT_FILENO, &self.buffer);
        self.buffer.clear();
        result
    }
}

/// Writes everything, waiting where the descriptor does not block. The error is an errno.
pub fn write_fd(fd: i32, mut bytes: &[u8]) -> Result<(), i32> {
    while !bytes.is_empty() {
        // SAFETY: the buffer has `len` bytes.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => wait_or_fail(fd, libc::POLLOUT)?,
        }
    }
    Ok(())
}

/// After a failed call: returns when it should be tried again.
fn wait_or_fail(fd: i32, events: i16) -> Result<(), i32> {
    match last_errno() {
        libc::EINTR => Ok(()),
        libc::EAGAIN => {
            let mut poll = libc::pollfd { fd, events, revents: 0 };
            // SAFETY: one valid entry.
            unsafe { libc::poll(&mut poll, 1, -1) };
            Ok(())
        }
        errno => Err(errno),
    }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn errno_of(error: &io::Error) -> i64 {
    let errno = error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput => libc::EINVAL,
        io::ErrorKind::InvalidData => libc::EILSEQ,
        _ => libc::EIO,
    });
    i64::from(errno)
}

fn status(result: io::Result<()>) -> i64 {
    result.map_or_else(|error| errno_of(&error), |()| 0)
}

/// Buffered standard input.
#[derive(Default)]
pub struct Input {
    buffer: Vec<u8>,
    /// What has been consumed of the buffer.
    start: usize,
}

impl Input {
    /// Reads more into the buffer; 0 at the end of input.
    fn fill(&mut self) -> Result<usize, i32> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let len = self.buffer.len();
        self.buffer.reserve(INPUT_BUFFER);
        loop {
            let spare = self.buffer.spare_capacity_mut();
            // SAFETY: the spare capacity is ours to write.
            let count = unsafe { libc::read(libc::STDIN_FILENO, spare.as_mut_ptr().cast(), spare.len()) };
            match usize::try_from(count) {
                Ok(count) => {
                    // SAFETY: `read` has initialised that many bytes more.
                    unsafe { self.buffer.set_len(len + count) };
                    return Ok(count);
                }
                Err(_) => wait_or_fail(libc::STDIN_FILENO, libc::POLLIN)?,
            }
        }
    }

    /// The next line without its terminator; `None` at the end of input.
    fn line(&mut self) -> Result<Option<Vec<u8>>, i32> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start..];
            if let Some(found) = memchr::memchr(b'\n', &rest[searched..]) {
                let end = searched + found;
                let mut line = rest[..end].to_vec();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.start += end + 1;
                return Ok(Some(line));
            }
            searched = rest.len();
            if self.fill()? == 0 {
                let line = std::mem::take(&mut self.buffer);
                return Ok(if line.is_empty() { None } else { Some(line) });
            }
        }
    }

    fn all(&mut self) -> Result<Vec<u8>, i32> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }
}

/// The product of the last call that had one.
#[derive(Default)]
pub enum Taken {
    #[default]
    Nothing,
    Text(StrOwned),
    Bytes(*mut Array),
}

impl Taken {
    pub fn drop(self, cx: Cx) {
        match self {
            Taken::Nothing => {}
            Taken::Text(text) => text.drop(cx),
            // SAFETY: nobody else has the bytes.
            Taken::Bytes(bytes) => unsafe { heap::reml_free(cx, bytes.cast()) },
        }
    }
}

fn give(cx: Cx, product: Taken) {
    cx.runtime().taken.replace(product).drop(cx);
}

/// Hands out text that must be UTF-8; 0 or EILSEQ.
fn give_text(cx: Cx, bytes: Vec<u8>) -> i64 {
    match std::str::from_utf8(&bytes) {
        Ok(text) => {
            give(cx, Taken::Text(new_str(cx, text)));
            0
        }
        Err(_) => i64::from(libc::EILSEQ),
    }
}

fn output<'a>(cx: Cx) -> RefMut<'a, Output> {
    cx.runtime().output.borrow_mut()
}

fn print(cx: Cx, bytes: &[u8]) {
    let result = output(cx).write(bytes);
    if let Err(errno) = result {
        entry::end_on_output_error(cx, errno);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_stdout_write(cx: Cx, text: StrRef) {
    print(cx, text.as_bytes());
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_stdout_write_bytes(cx: Cx, bytes: BytesRef) {
    print(cx, bytes.as_slice());
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_stdout_flush(cx: Cx) {
    let result = output(cx).flush();
    if let Err(errno) = result {
        entry::end_on_output_error(cx, errno);
    }
}

/// Flushes standard output first, so that the two keep their order. Errors are ignored: there is nowhere to report them.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stderr_write(cx: Cx, text: StrRef) {
    reml_stdout_flush(cx);
    write_fd(libc::STDERR_FILENO, text.as_bytes()).ok();
}

/// 1: a line is ready for `take_str`, without its terminator; 0: end of input; negative: -errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stdin_read_line(cx: Cx) -> i64 {
    reml_stdout_flush(cx);
    let line = cx.runtime().input.borrow_mut().line();
    match line {
        Ok(None) => 0,
        Ok(Some(line)) => match give_text(cx, line) {
            0 => 1,
            errno => -errno,
        },
        Err(errno) => -i64::from(errno),
    }
}

/// 0 or errno; the text through `take_str`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stdin_read_all(cx: Cx) -> i64 {
    reml_stdout_flush(cx);
    let all = cx.runtime().input.borrow_mut().all();
    match all {
        Ok(bytes) => give_text(cx, bytes),
        Err(errno) => i64::from(errno),
    }
}

/// 0 or errno; the text through `take_str`. A file that is not UTF-8 gives EILSEQ.
#[unsafe(no_mangle)]
pub extern "C" fn reml_file_read(cx: Cx, path: StrRef) -> i64 {
    match std::fs::read(path.as_str()) {
        Ok(bytes) => give_text(cx, bytes),
        Err(error) => errno_of(&error),
    }
}

/// 0 or errno; the bytes through `take_bytes`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_file_read_bytes(cx: Cx, path: StrRef) -> i64 {
    match std::fs::read(path.as_str()) {
        Ok(bytes) => {
            give(cx, Taken::Bytes(array::new_bytes(cx, &bytes)));
            0
        }
        Err(error) => errno_of(&error),
    }
}

fn write_file(path: StrRef, bytes: &[u8], append: u32) -> i64 {
    use io::Write;
    let mut options = std::fs::OpenOptions::new();
    // Only the lowest byte of a Bool argument is defined.
    if append & 1 != 0 {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    status(options.create(true).open(path.as_str()).and_then(|mut file| file.write_all(bytes)))
}

/// 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_file_write(_: Cx, path: StrRef, text: StrRef, append: u32) -> i64 {
    write_file(path, text.as_bytes(), append)
}

/// 0 or errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_file_write_bytes(_: Cx, path: StrRef, bytes: BytesRef, append: u32) -> i64 {
    write_file(path, bytes.as_slice(), append)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_file_exists(_: Cx, path: StrRef) -> bool {
    Path::new(path.as_str()).exists()
}

/// 0 or errno. Removes files, not directories.
#[unsafe(no_mangle)]
pub extern "C" fn reml_file_remove(_: Cx, path: StrRef) -> i64 {
    status(std::fs::remove_file(path.as_str()))
}

/// The text that the last call has produced; empty when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_str(cx: Cx) -> StrOwned {
    match cx.runtime().taken.take() {
        Taken::Text(text) => text,
        other => {
            other.drop(cx);
            empty()
        }
    }
}

/// The bytes that the last call has produced; empty when there are none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_bytes(cx: Cx) -> *mut Array {
    match cx.runtime().taken.take() {
        Taken::Bytes(bytes) => bytes,
        other => {
            other.drop(cx);
            array::new_bytes(cx, &[])
        }
    }
}

/// What an errno means, in words.
pub fn errno_text(errno: i32) -> String {
    if errno == libc::EILSEQ {
        return "invalid UTF-8".to_string();
    }
    let text = io::Error::from_raw_os_error(errno).to_string();
    // std adds ` (os error 2)`.
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_error_text(cx: Cx, errno: i64) -> StrOwned {
    new_str(cx, &errno_text(i32::try_from(errno).unwrap_or(libc::EIO)))
}

/// Number of program arguments; the program's own name is not one.
#[unsafe(no_mangle)]
pub extern "C" fn reml_args_count(cx: Cx) -> i64 {
    cx.runtime().args.borrow().len() as i64
}

/// An argument from 0; empty out of range.
#[unsafe(no_mangle)]
pub extern "C" fn reml_args_get(cx: Cx, index: i64) -> StrOwned {
    let args = cx.runtime().args.borrow();
    let arg = usize::try_from(index).ok().and_then(|index| args.get(index));
    new_str(cx, arg.map_or("", String::as_str))
}

/// Is the variable set? Its text is then ready for `take_str`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_env_get(cx: Cx, name: StrRef) -> bool {
    let name = name.as_str();
    if name.is_empty() || name.contains(['=', '\0']) {
        return false;
    }
    let Some(value) = std::env::var_os(name) else { return false };
    give(cx, Taken::Text(new_lossy(cx, value.as_bytes())));
    true
}

/// All variables as `NAME=value`, sorted by name.
#[unsafe(no_mangle)]
pub extern "C" fn reml_env_vars(cx: Cx) -> *mut Array {
    let mut vars: Vec<_> = std::env::vars_os().collect();
    vars.sort();
    let mut result = StrArray::new(cx);
    for (name, value) in vars {
        let text = [name.as_os_str(), OsStr::new("="), value.as_os_str()].map(OsStrExt::as_bytes).concat();
        result.push(new_lossy(cx, &text));
    }
    result.finish()
}

/// The program is a test that has to end in a panic whose message contains this text.
#[unsafe(no_mangle)]
pub extern "C" fn reml_test_expect_panic(cx: Cx, message: StrRef) {
    *cx.runtime().expected_panic.borrow_mut() = Some(message.as_str().to_owned());
}

/// Ends the program with this status; nothing deferred runs.
#[unsafe(no_mangle)]
pub extern "C" fn reml_process_exit(cx: Cx, status: i32) -> ! {
    cx.runtime().cut_short.set(true);
    let status = if panic::is_missing(cx) { status.max(1) } else { status };
    entry::leave(cx, status)
}

/// 0 or errno; the path through `take_str`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_current_dir(cx: Cx) -> i64 {
    match std::env::current_dir() {
        Ok(path) => give_text(cx, path.into_os_string().into_encoded_bytes()),
        Err(error) => errno_of(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    fn taken(cx: Cx) -> String {
        let text = reml_take_str(cx);
        let copy = text.borrow().as_str().to_string();
        text.drop(cx);
        copy
    }

    #[test]
    fn files_are_written_appended_read_and_removed() {
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        let path = std::env::temp_dir().join(format!("reml-rt-io-{}", std::process::id()));
        let path = new_str(cx, path.to_str().unwrap());
        let text = new_str(cx, "grüße\n");
        assert_eq!(reml_file_read(cx, path.borrow()), i64::from(libc::ENOENT));
        assert_eq!(reml_file_write(cx, path.borrow(), text.borrow(), 0), 0);
        assert_eq!(reml_file_write(cx, path.borrow(), text.borrow(), 0xff01), 0);
        assert!(reml_file_exists(cx, path.borrow()));
        assert_eq!(reml_file_read(cx, path.borrow()), 0);
        assert_eq!(taken(cx), "grüße\ngrüße\n");
        assert_eq!(taken(cx), "");
        assert_eq!(reml_file_write_bytes(cx, path.borrow(), bytes(cx, &[0xff, 0x00]), 0), 0);
        assert_eq!(reml_file_read(cx, path.borrow()), i64::from(libc::EILSEQ));
        assert_eq!(reml_file_read_bytes(cx, path.borrow()), 0);
        let read = reml_take_bytes(cx);
        // SAFETY: a live array of bytes.
        unsafe {
            assert_eq!((*read).len, 2);
            heap::reml_free(cx, read.cast());
        }
        assert_eq!(reml_file_remove(cx, path.borrow()), 0);
        assert_eq!(reml_file_remove(cx, path.borrow()), i64::from(libc::ENOENT));
        path.drop(cx);
        text.drop(cx);
        // Only the array of bytes made by `bytes` is left.
        assert_eq!(heap::live_objects(cx), 1);
    }

    fn bytes(cx: Cx, bytes: &[u8]) -> BytesRef<'static> {
        // SAFETY: a reference to a live array, which the test leaks.
        unsafe { std::mem::transmute(array::new_bytes(cx, bytes)) }
    }

    #[test]
    fn an_unfetched_product_is_replaced() {
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        assert_eq!(reml_current_dir(cx), 0);
        assert_eq!(reml_current_dir(cx), 0);
        assert!(taken(cx).starts_with('/'));
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn arguments_and_variables() {
        let mut program = Program::new(vec!["one".to_string(), "two".to_string()]);
        let cx = program.cx();
        assert_eq!(reml_args_count(cx), 2);
        let arg = reml_args_get(cx, 1);
        assert_eq!(arg.borrow().as_str(), "two");
        arg.drop(cx);
        assert_eq!(reml_args_get(cx, -1).borrow().as_str(), "");
        let name = new_str(cx, "PATH");
        assert!(reml_env_get(cx, name.borrow()));
        assert_eq!(taken(cx), std::env::var("PATH").unwrap());
        name.drop(cx);
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn lines_of_input() {
        let mut input = Input { buffer: b"xone\r\n\ntwo".to_vec(), start: 1 };
        assert_eq!(input.line(), Ok(Some(b"one".to_vec())));
        assert_eq!(input.line(), Ok(Some(b"".to_vec())));
        assert_eq!(input.start, 7);
    }

    #[test]
    fn errors_in_words() {
        assert_eq!(errno_text(libc::ENOENT), "No such file or directory");
        assert_eq!(errno_text(libc::EILSEQ), "invalid UTF-8");
    }
}
