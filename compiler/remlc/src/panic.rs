//! What the user sees when remlc itself fails: an apology, and what to send along with a report.

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

/// Replaces Rust's message.
pub fn install_hook() {
    std::panic::set_hook(Box::new(report));
}

/// The thread whose panics end the process, if not all do.
static ENDS: OnceLock<ThreadId> = OnceLock::new();

/// From now on a panic elsewhere is reported and caught by whoever is responsible: a program runs, which is not to blame for it.
pub fn end_only(thread: ThreadId) {
    // It is set once in a process.
    ENDS.set(thread).ok();
}

fn report(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown");
    let place = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let args: Vec<String> = std::env::args().collect();
    let _ = writeln!(
        io::stderr().lock(),
        "error: remlc has failed; this is a bug in remlc, not in your program\n\
         \n\
         Please report it with the program that causes it, and this:\n\
         \x20 version:  remlc {} ({} {})\n\
         \x20 command:  {}\n\
         \x20 place:    {place}\n\
         \x20 message:  {message}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        args.join(" "),
    );
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        let _ = writeln!(io::stderr().lock(), "\n{}", std::backtrace::Backtrace::force_capture());
    }
    if ENDS.get().is_none_or(|&thread| thread == thread::current().id()) {
        std::process::exit(i32::from(crate::PANIC));
    }
}
