//! How does remlc itself write to standard output?

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::process;

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
