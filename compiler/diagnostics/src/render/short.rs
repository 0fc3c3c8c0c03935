//! One line per diagnostic, `file:line:col: error[code]: message`, for editors and `grep`.

use std::io::{self, Write};

use super::{Renderer, severity_word};
use crate::{Diagnostic, SourceMap};

pub struct Short;

impl Renderer for Short {
    fn render(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap, out: &mut dyn Write) -> io::Result<()> {
        for diagnostic in diagnostics {
            if let Some((file, at)) = sources.position(diagnostic.primary) {
                write!(out, "{}:{}:{}: ", sources.file(file).name, at.line, at.column)?;
            }
            // A message of several lines would break the one promise of this format.
            let message = diagnostic.message.replace('\n', " ");
            writeln!(out, "{}[{}]: {message}", severity_word(diagnostic.severity), diagnostic.code)?;
        }
        Ok(())
    }
}
