//! How does remlc itself write: to standard output, and to files that were asked for besides the program?

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process;

use reml_driver::link::describe;

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

/// Writes a file about the program that was read from `input`. Says so, and answers false, when that cannot be done.
pub fn write_file(path: &Path, bytes: &[u8], input: &Path) -> bool {
    let written = if same_file(path, input) {
        Err("it is the source file".to_owned())
    } else {
        std::fs::write(path, bytes).map_err(|problem| describe(&problem))
    };
    if let Err(problem) = &written {
        report::plain_error(&format!("`{}` cannot be written: {problem}", path.display()));
    }
    written.is_ok()
}

pub fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
