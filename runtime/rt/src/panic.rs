//! What happens when a Reml program panics?
//!
//! Standard output is flushed, then the message, its code, its place and the backtrace go to standard error, then deferred
//! closures run, and the program ends with status 101 by going back to its host. Functions that may panic are
//! entered through stubs ([`traced`]) that note who called, since Rust code does not keep frame pointers.

use std::fmt::{self, Write};

use crate::abi::{self, Context, INT_TYPES, PANIC_EXIT};
use crate::context::Cx;
use crate::defer;
use crate::entry;
use crate::frames::{self, Walk};
use crate::stack::Bounds;
use crate::string::StrRef;

/// Defines C functions that record the caller's frame pointer and return address in the context before they go on to
/// a body of the same signature. The context is the first argument.
#[cfg(target_arch = "x86_64")]
macro_rules! traced {
    ($($(#[$doc:meta])* $name:ident = $body:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// To be called from compiled code with the arguments of its body; the signature here is only a name for the address.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "mov [rdi + {frame}], rbp",
                "mov rax, [rsp]",
                "mov [rdi + {code}], rax",
                "jmp {body}",
                frame = const core::mem::offset_of!($crate::abi::Context, caller_frame),
                code = const core::mem::offset_of!($crate::abi::Context, caller_code),
                body = sym $body,
            )
        }
    )*};
}

#[cfg(target_arch = "aarch64")]
macro_rules! traced {
    ($($(#[$doc:meta])* $name:ident = $body:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// To be called from compiled code with the arguments of its body; the signature here is only a name for the address.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "str x29, [x0, #{frame}]",
                "str x30, [x0, #{code}]",
                "b {body}",
                frame = const core::mem::offset_of!($crate::abi::Context, caller_frame),
                code = const core::mem::offset_of!($crate::abi::Context, caller_code),
                body = sym $body,
            )
        }
    )*};
}

pub(crate) use traced;

/// Standard error without allocation: a small buffer, written when full and at the end.
pub struct StderrWriter {
    buffer: [u8; 512],
    len: usize,
}

impl StderrWriter {
    pub fn new() -> StderrWriter {
        StderrWriter { buffer: [0; 512], len: 0 }
    }

    pub fn flush(&mut self) {
        crate::io::write_fd(libc::STDERR_FILENO, &self.buffer[..self.len]).ok();
        self.len = 0;
    }
}

impl Drop for StderrWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Write for StderrWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(self.buffer.len()) {
            if self.len + part.len() > self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len..self.len + part.len()].copy_from_slice(part);
            self.len += part.len();
        }
        Ok(())
    }
}

/// Writes a whole panic report.
pub fn write_report(
    out: &mut dyn Write,
    cx: Cx,
    code: &str,
    message: fmt::Arguments<'_>,
    walk: Option<Walk>,
) -> fmt::Result {
    writeln!(out, "panic: {message}")?;
    if !code.is_empty() {
        writeln!(out, "  code: {code}")?;
    }
    match (walk, cx.runtime().frames.try_borrow()) {
        (Some(walk), Ok(frames)) => frames::write_trace(out, &frames, walk),
        _ => Ok(()),
    }
}

/// The calls in progress when compiled code last entered a runtime function that may panic.
pub fn caller(cx: Cx) -> Walk {
    // SAFETY: a context is alive while its program runs.
    let (code, frame) = unsafe { ((*cx.as_ptr()).caller_code.addr(), (*cx.as_ptr()).caller_frame.addr()) };
    Walk::new(code, frame, Bounds::of(cx))
}

/// Panics on behalf of the compiled code that called a [`traced`] function. `code` may be empty.
pub fn raise(cx: Cx, code: &str, message: fmt::Arguments<'_>) -> ! {
    report_and_end(cx, code, message, Some(caller(cx)), true)
}

/// The code of panics for want of memory.
pub const OUT_OF_MEMORY: &str = "runtime.out_of_memory";

/// Ends the program for want of memory, with a report that knows no place, from anywhere in the runtime. Deferred code would need memory.
#[cold]
pub fn out_of_memory(cx: Cx, message: fmt::Arguments<'_>) -> ! {
    report_and_end(cx, OUT_OF_MEMORY, format_args!("out of memory: {message}"), None, false)
}

/// Reports, runs what is deferred when `deferred` says so, and ends the program.
pub fn report_and_end(cx: Cx, code: &str, message: fmt::Arguments<'_>, walk: Option<Walk>, deferred: bool) -> ! {
    let runtime = cx.runtime();
    runtime.cut_short.set(true);
    runtime.reloading.note_panic();
    let expected = runtime.expected_panic.take();
    if let Some(expected) = &expected
        && message.to_string().contains(expected.as_str())
    {
        defer::run_all(cx);
        flush_output(cx);
        entry::leave(cx, 0)
    }
    // Whether or not somebody still reads the output, the panic is worth a report.
    flush_output(cx);
    if runtime.mail.is_hosted() {
        let mut report = String::new();
        write_report(&mut report, cx, code, message, walk).ok();
        runtime.mail.keep_report(report);
    } else {
        let mut out = StderrWriter::new();
        write_report(&mut out, cx, code, message, walk).ok();
        if let Some(expected) = expected {
            writeln!(out, "note: a panic was expected, but with a message that contains {expected:?}").ok();
        }
    }
    if deferred {
        defer::run_all(cx);
        flush_output(cx);
    }
    entry::leave(cx, PANIC_EXIT)
}

/// Whether a panic was expected that has not come, now that the program ends in another way. Says so.
pub fn is_missing(cx: Cx) -> bool {
    let Some(expected) = cx.runtime().expected_panic.take() else { return false };
    writeln!(
        StderrWriter::new(),
        "error: expected a panic with a message that contains {expected:?}, but there was none"
    )
    .ok();
    true
}

/// Flushes unless output was being written when the program was interrupted.
fn flush_output(cx: Cx) {
    if let Ok(mut output) = cx.runtime().output.try_borrow_mut() {
        output.flush().ok();
    }
}

traced! {
    /// `(context, index, length)`
    reml_panic_index = panic_index;
    /// `(context, operation, type, left, right)`
    reml_panic_overflow = panic_overflow;
    /// `(context, 0 for division, 1 for remainder)`
    reml_panic_div_zero = panic_div_zero;
    /// `(context, value, from, to)`
    reml_panic_cast_int = panic_cast_int;
    /// `(context, value, to)`
    reml_panic_cast_float = panic_cast_float;
    /// `(context, value, from)`
    reml_panic_cast_char = panic_cast_char;
    /// `(context)`
    reml_panic_match = panic_match;
    /// `(context, &Str)`
    reml_panic_str = panic_str;
    /// `(context, code, code_len, text, text_len)`
    reml_panic_text = panic_text;
}

extern "C" fn panic_index(cx: Cx, index: i64, len: i64) -> ! {
    raise(cx, "", format_args!("index out of bounds: the length is {len} but the index is {index}"))
}

/// An operand passed as 64 bits, shown as its type says.
struct Operand {
    bits: u64,
    ty: u64,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Extended again: it costs nothing here, and a caller that left the upper bits open is understood.
        match type_name(self.ty) {
            "i8" => write!(f, "{}", self.bits as i8),
            "i16" => write!(f, "{}", self.bits as i16),
            "i32" => write!(f, "{}", self.bits as i32),
            "i64" | "isize" => write!(f, "{}", self.bits as i64),
            "u8" => write!(f, "{}", self.bits as u8),
            "u16" => write!(f, "{}", self.bits as u16),
            "u32" => write!(f, "{}", self.bits as u32),
            _ => write!(f, "{}", self.bits),
        }
    }
}

fn type_name(ty: u64) -> &'static str {
    INT_TYPES.get(ty as usize).copied().unwrap_or("u64")
}

struct OverflowMessage {
    op: u64,
    ty: u64,
    left: u64,
    right: u64,
}

impl fmt::Display for OverflowMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = type_name(self.ty);
        let left = Operand { bits: self.left, ty: self.ty };
        let right = Operand { bits: self.right, ty: self.ty };
        let operator = match self.op {
            abi::OVERFLOW_ADD => "+",
            abi::OVERFLOW_SUB => "-",
            abi::OVERFLOW_MUL => "*",
            abi::OVERFLOW_DIV => "/",
            abi::OVERFLOW_REM => "%",
            abi::OVERFLOW_NEG => return write!(f, "integer overflow: -({left}) does not fit in {name}"),
            shift => {
                let operator = if shift == abi::OVERFLOW_SHL { "<<" } else { ">>" };
                let width = &name[1..];
                let width = if width == "size" { "64" } else { width };
                return write!(f, "shift out of range: {left} {operator} {right}, but {name} has {width} bits");
            }
        };
        write!(f, "integer overflow: {left} {operator} {right} does not fit in {name}")
    }
}

extern "C" fn panic_overflow(cx: Cx, op: u64, ty: u64, left: u64, right: u64) -> ! {
    raise(cx, "E7100", format_args!("{}", OverflowMessage { op, ty, left, right }))
}

extern "C" fn panic_div_zero(cx: Cx, remainder: u64) -> ! {
    let what = if remainder == 0 { "division" } else { "remainder of a division" };
    raise(cx, "", format_args!("{what} by zero"))
}

extern "C" fn panic_cast_int(cx: Cx, value: u64, from: u64, to: u64) -> ! {
    let value = Operand { bits: value, ty: from };
    raise(
        cx,
        "E7101",
        format_args!("cast out of range: {value} ({}) does not fit in {}", type_name(from), type_name(to)),
    )
}

extern "C" fn panic_cast_float(cx: Cx, value: f64, to: u64) -> ! {
    let to = type_name(to);
    if value.is_finite() {
        raise(cx, "E7102", format_args!("cast out of range: {value:?} does not fit in {to}"))
    } else {
        raise(cx, "E7102", format_args!("cast of {} to {to}", crate::number::Shortest(value)))
    }
}

extern "C" fn panic_cast_char(cx: Cx, value: u64, from: u64) -> ! {
    let value = Operand { bits: value, ty: from };
    raise(cx, "E7103", format_args!("cast out of range: {value} is not a Unicode scalar value"))
}

extern "C" fn panic_match(cx: Cx) -> ! {
    raise(cx, "", format_args!("no arm of the match applies"))
}

extern "C" fn panic_str(cx: Cx, message: StrRef) -> ! {
    raise(cx, "", format_args!("{}", message.as_str()))
}

extern "C" fn panic_text(cx: Cx, code: *const u8, code_len: usize, text: *const u8, text_len: usize) -> ! {
    let part = |start: *const u8, len: usize| {
        if len == 0 {
            return "";
        }
        // SAFETY: compiled code passes static UTF-8 text with its length.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(start, len)) }
    };
    raise(cx, part(code, code_len), format_args!("{}", part(text, text_len)))
}

const _: () = assert!(std::mem::offset_of!(Context, caller_code) < 4096, "reachable by the stubs' addressing mode");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    fn overflow(op: u64, ty: &str, left: i64, right: i64) -> String {
        let ty = INT_TYPES.iter().position(|&name| name == ty).unwrap() as u64;
        OverflowMessage { op, ty, left: left as u64, right: right as u64 }.to_string()
    }

    #[test]
    fn overflow_messages_show_the_operands() {
        assert_eq!(
            overflow(abi::OVERFLOW_ADD, "i64", i64::MAX, 1),
            "integer overflow: 9223372036854775807 + 1 does not fit in i64"
        );
        assert_eq!(overflow(abi::OVERFLOW_SUB, "u8", 3, 200), "integer overflow: 3 - 200 does not fit in u8");
        assert_eq!(overflow(abi::OVERFLOW_NEG, "i8", -128, 0), "integer overflow: -(-128) does not fit in i8");
        assert_eq!(overflow(abi::OVERFLOW_SHL, "isize", 1, 64), "shift out of range: 1 << 64, but isize has 64 bits");
        assert_eq!(overflow(abi::OVERFLOW_SHR, "u32", 1, 40), "shift out of range: 1 >> 40, but u32 has 32 bits");
    }

    #[test]
    fn report_without_frames() {
        let mut program = Program::new(Vec::new(), None);
        let mut out = String::new();
        write_report(&mut out, program.cx(), "E7100", format_args!("two\nlines"), None).unwrap();
        assert_eq!(out, "panic: two\nlines\n  code: E7100\n");
    }
}
