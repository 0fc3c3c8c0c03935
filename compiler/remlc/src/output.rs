//! How does remlc itself write to standard output?

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::process;

use crate::FAILURE;
use crate::report;

/// Writes all of it. Ends remlc when that cannot be done, except when the reader is gone, which is the reader's choice.
pub fn write(bytes: &[u8]) {
    // Rust's own standard output takes a closed one for a place where nothing is wanted.
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    match descriptor.and_then(|descriptor| File::from(descriptor).write_all(bytes)) {
        Ok(()) => {}
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => {}
        Err(problem) => {
            report::plain_error(&format!("cannot write to standard output: {problem}"));
            process::exit(i32::from(FAILURE));
        }
    }
}
