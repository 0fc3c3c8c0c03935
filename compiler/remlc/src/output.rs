//! How does remlc itself write: to standard output, and to files that were asked for besides the program?

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::process;

use reml_driver::link::describe;

use crate::FAILURE;
use crate::report;

/// Writes all of it. Ends remlc when that cannot be done, except when the reader is gone, which is the reader's choice.
pub fn write(bytes: &[u8]) {
    let _ = goes_on(open().and_then(|mut out| out.write_all(bytes)));
}

/// The same for what is written piece by piece.
pub struct Stream {
    out: BufWriter<File>,
}

impl Stream {
    pub fn open() -> Stream {
        match open() {
            Ok(file) => Stream { out: BufWriter::new(file) },
            Err(problem) => fail(&problem),
        }
    }

    /// Breaks off when the reader is gone.
    pub fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        goes_on(self.out.write_all(bytes))
    }

    pub fn finish(mut self) {
        let _ = goes_on(self.out.flush());
    }
}

/// Rust's own standard output takes a closed one for a place where nothing is wanted.
fn open() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

fn goes_on(written: io::Result<()>) -> ControlFlow<()> {
    match written {
        Ok(()) => ControlFlow::Continue(()),
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => ControlFlow::Break(()),
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &io::Error) -> ! {
    report::plain_error(&format!("cannot write to standard output: {problem}"));
    process::exit(i32::from(FAILURE));
}

/// Writes a file about the program that was read from `input`. Says so, and answers false, when that cannot be done.
pub fn write_file(path: &Path, bytes: &[u8], input: &Path) -> bool {
    let written = if same_file(path, input) {
        Err("it is the file that was read".to_owned())
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
