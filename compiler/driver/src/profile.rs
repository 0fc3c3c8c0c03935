//! What did a compilation cost, and what did it make? Times of each stage, and counts for those who asked for them.

use std::time::Duration;

use reml_codegen::CodeSummary;
use reml_diagnostics::SourceMap;
use reml_middle::{core, measure};
use reml_semantics::typed::{self, FnKind};

use crate::load::Loaded;

/// The stages of one compilation, in order.
#[derive(Clone, Default, Debug)]
pub struct Profile {
    pub stages: Vec<StageProfile>,
    /// The files that were read, in the order of reading.
    pub files: Vec<FileSize>,
    /// The largest functions in bytes of machine code, largest first.
    pub largest: Vec<(String, usize)>,
    /// The most memory that the compiler has had at a time, in bytes.
    pub peak_memory: u64,
}

#[derive(Clone, Debug)]
pub struct StageProfile {
    pub name: &'static str,
    pub wall: Duration,
    /// Of all threads, and of the linker.
    pub cpu: Duration,
    /// What the stage has made.
    pub counts: Vec<Count>,
}

/// `12 modules`: the noun is a plural.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub value: usize,
    pub what: &'static str,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSize {
    pub name: String,
    pub library: bool,
    pub lines: usize,
    pub bytes: usize,
}

impl Profile {
    pub fn wall(&self) -> Duration {
        self.stages.iter().map(|stage| stage.wall).sum()
    }

    pub fn cpu(&self) -> Duration {
        self.stages.iter().map(|stage| stage.cpu).sum()
    }

    /// Says what the latest stage has made.
    pub(crate) fn made(&mut self, counts: Vec<Count>) {
        if let Some(stage) = self.stages.last_mut() {
            stage.counts = counts;
        }
    }
}

fn count(value: usize, what: &'static str) -> Count {
    Count { value, what }
}

pub(crate) fn file_sizes(loaded: &Loaded, sources: &SourceMap) -> Vec<FileSize> {
    let size = |(module, &file): (&reml_semantics::SourceModule, _)| {
        let file = sources.file(file);
        FileSize {
            name: file.name.to_string(),
            library: module.is_core,
            lines: file.text.lines().count(),
            bytes: file.text.len(),
        }
    };
    loaded.modules.iter().zip(&loaded.files).map(size).collect()
}

pub(crate) fn of_files(files: &[FileSize]) -> Vec<Count> {
    let of = |library: bool| files.iter().filter(move |file| file.library == library);
    let lines = |library| of(library).map(|file| file.lines).sum();
    vec![
        count(of(false).count(), "modules"),
        count(lines(false), "lines"),
        count(of(true).count(), "library modules"),
        count(lines(true), "library lines"),
    ]
}

pub(crate) fn of_typed(program: &typed::Program) -> Vec<Count> {
    let bodies = program.fns.values().filter(|def| matches!(def.kind, FnKind::Reml(_))).count();
    vec![
        count(bodies, "functions"),
        count(program.globals.len(), "globals"),
        count(program.type_defs.len(), "types"),
        count(program.impls.len(), "impls"),
    ]
}

pub(crate) fn of_core(program: &core::Program) -> Vec<Count> {
    let size = measure::size(program);
    vec![count(size.functions, "functions"), count(size.statements, "statements")]
}

pub(crate) fn of_code(code: &CodeSummary) -> Vec<Count> {
    vec![count(code.functions, "functions"), count(code.bytes, "bytes of code")]
}

pub(crate) fn of_executable(bytes: u64) -> Vec<Count> {
    vec![count(bytes as usize, "bytes in the executable")]
}
