//! How does a program reach the standard streams, its arguments and the environment, and what do errors mean?
//!
//! Standard output is buffered and flushed when the program ends or panics, when it writes to standard error, and before it
//! waits for standard input; on a terminal also at every line.

use std::cell::RefMut;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use reml_capability::policy::{Power, Subject};

use crate::abi::Array;
use crate::array::{BytesRef, StrArray};
use crate::context::Cx;
use crate::entry;
use crate::gate;
use crate::panic::{self, traced};
use crate::string::{StrOwned, StrRef, new_lossy, new_str};
use crate::taken::{Taken, give, give_text};
use crate::whole::{give_all_text, standard_input};

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
                return write_fd(libc::STDOUT_FILENO, bytes).map_err(|(errno, _)| errno);
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
        let result = write_fd(libc::STDOUT_FILENO, &self.buffer).map_err(|(errno, _)| errno);
        self.buffer.clear();
        result
    }
}

/// Reads as much as there is now, waiting where the descriptor does not block: how many bytes, 0 at the end.
///
/// # Safety
/// There must be `count` bytes at `to` to be written.
pub unsafe fn read_fd(fd: i32, to: *mut u8, count: usize) -> Result<usize, i32> {
    loop {
        // SAFETY: as promised to us.
        let count = unsafe { libc::read(fd, to.cast(), count) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) => wait_or_fail(fd, libc::POLLIN)?,
        }
    }
}

/// Opens something in the place of standard streams that are closed: else the first file that a program opens would become one of them. A closed
/// input has ended; what is written to a closed output is an error, not lost.
pub extern "C" fn hold_standard_streams() {
    for fd in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: the first call only asks; the second opens the lowest number that is free, which is this one.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
            }
        }
    }
}

/// Writes everything, waiting where the descriptor does not block. The error is an errno and how many bytes were written before it.
pub fn write_fd(fd: i32, bytes: &[u8]) -> Result<(), (i32, usize)> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        // SAFETY: the buffer has `len` bytes.
        let written = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) => done += written,
            Err(_) => wait_or_fail(fd, libc::POLLOUT).map_err(|errno| (errno, done))?,
        }
    }
    Ok(())
}

/// After a failed call: returns when it should be tried again.
pub fn wait_or_fail(fd: i32, events: i16) -> Result<(), i32> {
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

pub fn errno_of(error: &io::Error) -> i64 {
    let errno = error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput => libc::EINVAL,
        io::ErrorKind::InvalidData => libc::EILSEQ,
        _ => libc::EIO,
    });
    i64::from(errno)
}

pub fn status(result: io::Result<()>) -> i64 {
    result.map_or_else(|error| errno_of(&error), |()| 0)
}

/// 0 or errno.
pub fn errno_status(result: Result<(), i32>) -> i64 {
    result.map_or_else(i64::from, |()| 0)
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
        let spare = self.buffer.spare_capacity_mut();
        // SAFETY: the spare capacity is ours to write.
        let count = unsafe { read_fd(libc::STDIN_FILENO, spare.as_mut_ptr().cast(), spare.len()) }?;
        // SAFETY: that many bytes more were written.
        unsafe { self.buffer.set_len(len + count) };
        Ok(count)
    }

    /// Where the next line is in the buffer, without its terminator; `None` at the end of input.
    fn line(&mut self) -> Result<Option<Range<usize>>, i32> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start..];
            if let Some(found) = memchr::memchr(b'\n', &rest[searched..]) {
                let end = searched + found;
                let shorter = end > 0 && rest[end - 1] == b'\r';
                let line = self.start..self.start + end - usize::from(shorter);
                self.start += end + 1;
                return Ok(Some(line));
            }
            searched = rest.len();
            if self.fill()? == 0 {
                let line = self.start..self.buffer.len();
                self.start = self.buffer.len();
                return Ok(if line.is_empty() { None } else { Some(line) });
            }
        }
    }

    /// What was read ahead; from now on it counts as consumed.
    fn take_all_buffered(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.buffer);
        all.drain(..std::mem::take(&mut self.start));
        all
    }

    /// Moves what has been read ahead to `room`, as much as fits: how many bytes.
    pub fn take_buffered(&mut self, room: &mut [u8]) -> usize {
        let ahead = &self.buffer[self.start..];
        let count = ahead.len().min(room.len());
        room[..count].copy_from_slice(&ahead[..count]);
        self.start += count;
        count
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

/// The same for bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stderr_write_bytes(cx: Cx, bytes: BytesRef) {
    reml_stdout_flush(cx);
    write_fd(libc::STDERR_FILENO, bytes.as_slice()).ok();
}

/// 1: a line is ready for `take_str`, without its terminator; 0: end of input; negative: -errno.
#[unsafe(no_mangle)]
pub extern "C" fn reml_stdin_read_line(cx: Cx) -> i64 {
    reml_stdout_flush(cx);
    let mut input = cx.runtime().input.borrow_mut();
    match input.line() {
        Ok(None) => 0,
        Ok(Some(line)) => match give_text(cx, &input.buffer[line]) {
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
    let ahead = cx.runtime().input.borrow_mut().take_all_buffered();
    errno_status(give_all_text(cx, &ahead, &standard_input()))
}

/// What an errno means, in words that can follow a colon.
pub fn errno_text(errno: i32) -> String {
    if errno == libc::EILSEQ {
        return "invalid UTF-8".to_string();
    }
    let text = io::Error::from_raw_os_error(errno).to_string();
    // std adds ` (os error 2)`.
    let text = text.rfind(" (os error").map_or(&*text, |end| &text[..end]);
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// The kinds of errors that programs tell apart, in the order in which `Core.IO.Error` lists them; the last stands for all others.
const ERROR_KINDS: &[&[i32]] = &[
    &[libc::ENOENT],
    &[libc::EACCES, libc::EPERM, libc::EROFS],
    &[libc::EEXIST],
    &[libc::EISDIR],
    &[libc::ENOTDIR],
    &[libc::ENOTEMPTY],
    &[libc::ELOOP],
    &[libc::EINVAL, libc::ENAMETOOLONG, libc::EXDEV, libc::ESPIPE],
    &[libc::EILSEQ],
    &[libc::ENOSPC, libc::EDQUOT, libc::EFBIG],
    &[libc::EPIPE],
    &[libc::EBADF],
    &[libc::EINTR],
    &[libc::ETIMEDOUT],
    &[libc::ECONNREFUSED],
    &[libc::ENOMEM, libc::EMFILE, libc::ENFILE],
    &[libc::ENOSYS, libc::EOPNOTSUPP],
    &[gate::DENIED],
];

/// The place of an errno in [`ERROR_KINDS`].
#[unsafe(no_mangle)]
pub extern "C" fn reml_error_kind(_: Cx, errno: i64) -> i64 {
    let found = ERROR_KINDS.iter().position(|kind| kind.iter().any(|&known| i64::from(known) == errno));
    found.unwrap_or(ERROR_KINDS.len()) as i64
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_error_text(cx: Cx, errno: i64) -> StrOwned {
    match i32::try_from(errno).unwrap_or(libc::EIO) {
        gate::DENIED => new_str(cx, &gate::denial(cx)),
        errno => new_str(cx, &errno_text(errno)),
    }
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

traced! {
    /// Is the variable set? Its text is then ready for `take_str`.
    reml_env_get = env_get;
}

extern "C" fn env_get(cx: Cx, name: StrRef) -> bool {
    let name = name.as_str();
    if name.is_empty() || name.contains(['=', '\0']) {
        return false;
    }
    gate::demand(cx, Power::EnvRead, &Subject::Name(name));
    let Some(value) = std::env::var_os(name) else { return false };
    give(cx, Taken::Text(new_lossy(cx, value.as_bytes())));
    true
}

traced! {
    /// Sets a variable, or removes it when `present` is not set; false when the name or value cannot be one.
    reml_env_set = env_set;
}

extern "C" fn env_set(cx: Cx, name: StrRef, value: StrRef, present: u32) -> bool {
    let (name, value) = (name.as_str(), value.as_str());
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return false;
    }
    gate::demand(cx, Power::EnvWrite, &Subject::Name(name));
    // SAFETY: a program and its runtime are on one thread, and nothing else in the process touches the environment meanwhile.
    unsafe { if present & 1 != 0 { std::env::set_var(name, value) } else { std::env::remove_var(name) } }
    true
}

traced! {
    /// All variables that the program may read as `NAME=value`, sorted by name.
    reml_env_vars = env_vars;
}

extern "C" fn env_vars(cx: Cx) -> *mut Array {
    let mut vars: Vec<_> = std::env::vars_os().collect();
    vars.sort();
    let mut result = StrArray::new(cx);
    for (name, value) in vars {
        if gate::ask(cx, Power::EnvRead, &Subject::Name(&name.to_string_lossy())).is_err() {
            continue;
        }
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
        Ok(path) => give_text(cx, path.as_os_str().as_bytes()),
        Err(error) => errno_of(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;
    use crate::taken::testing::text_taken;

    #[test]
    fn an_unfetched_product_is_replaced() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(reml_current_dir(cx), 0);
        assert_eq!(reml_current_dir(cx), 0);
        assert!(text_taken(cx).starts_with('/'));
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn arguments_and_variables() {
        let mut program = Program::new(vec!["one".to_string(), "two".to_string()], None);
        let cx = program.cx();
        assert_eq!(reml_args_count(cx), 2);
        let arg = reml_args_get(cx, 1);
        assert_eq!(arg.borrow().as_str(), "two");
        arg.drop(cx);
        assert_eq!(reml_args_get(cx, -1).borrow().as_str(), "");
        let name = new_str(cx, "PATH");
        assert!(env_get(cx, name.borrow()));
        assert_eq!(text_taken(cx), std::env::var("PATH").unwrap());
        name.drop(cx);
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn lines_of_input() {
        let mut input = Input { buffer: b"xone\r\n\ntwo".to_vec(), start: 1 };
        assert_eq!(input.line(), Ok(Some(1..4)));
        assert_eq!(input.line(), Ok(Some(6..6)));
        assert_eq!(input.start, 7);
    }

    #[test]
    fn errors_in_words() {
        assert_eq!(errno_text(libc::ENOENT), "no such file or directory");
        assert_eq!(errno_text(libc::EILSEQ), "invalid UTF-8");
    }
}
