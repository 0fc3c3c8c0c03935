//! `remlc test`: finds the tests of files and packages, and runs each in a process of its own.
//!
//! A program is checked once. Then the process forks for every test; the child lowers, compiles and runs what this one
//! test reaches, so that a panic, a stack overflow or `exit` ends that test alone, and no test sees what another has done
//! to memory. Examples in documentation are programs of their own, and their children check them, too.
//!
//! Each test has a gate of its own. An audit log has one writer, so where decisions are recorded, one test runs at a time, and its process
//! opens and closes the log.

mod examples;
pub mod process;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reml_capability::gate::Gate;
use reml_capability::policy::{Power, Subject};
use reml_diagnostics::render::{Human, Renderer};
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};

use crate::format::source_files;
use crate::overlay::Overlay;
use crate::package::{self, MANIFEST, Parsed};
use crate::permissions::Asked;
use crate::pipeline::{Compilation, Options, RunOptions, Test, audit_log};
use crate::stdlib;
use crate::system::System;
use examples::Example;
use process::{Child, Ended};

#[derive(Clone, Default, Debug)]
pub struct TestOptions {
    pub release: bool,
    /// Only tests with this in their name.
    pub filter: Option<String>,
    /// How many tests run at a time.
    pub jobs: usize,
    /// Whether snapshots that differ are replaced.
    pub update_snapshots: bool,
    /// What the command line lets tests do.
    pub permissions: Asked,
    /// The audit log of what they do.
    pub audit: Option<PathBuf>,
}

/// What became of one test.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub name: String,
    pub file: String,
    pub line: u32,
    /// `None`: it passed. Otherwise why not, in a few words.
    pub failure: Option<String>,
    pub time: Duration,
    pub stdout: String,
    pub stderr: String,
}

/// Diagnostics of one program, and the sources they lie in.
pub struct Problems {
    pub input: PathBuf,
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
}

/// What is to be tested.
pub struct Suite<'s> {
    system: &'s dyn System,
    options: TestOptions,
    programs: Vec<Compilation<'s>>,
    cases: Vec<Case>,
    /// How many tests the filter left out.
    pub filtered: usize,
    /// What is wrong with programs that have errors, and what is worth a warning.
    pub problems: Vec<Problems>,
    /// What is wrong with the permissions, in words.
    pub refusals: Vec<String>,
}

struct Case {
    name: String,
    file: String,
    line: u32,
    kind: CaseKind,
}

enum CaseKind {
    Function { program: usize, test: Test },
    Example(Example),
}

/// A file that only `use`s the modules of a package, so that all of them are checked as one program.
const ROOT: &str = "remlc_tests.reml";

impl<'s> Suite<'s> {
    pub fn new(system: &'s dyn System, options: TestOptions) -> Self {
        Suite {
            system,
            options,
            programs: Vec::new(),
            cases: Vec::new(),
            filtered: 0,
            problems: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// How many tests there are to run.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Whether every program that was added is fit to be run.
    pub fn is_fine(&self) -> bool {
        self.refusals.is_empty()
            && self.problems.iter().all(|problems| !problems.diagnostics.iter().any(Diagnostic::is_error))
    }

    /// Adds the tests of a file, a package, or every file below a directory.
    pub fn add(&mut self, path: &Path) {
        if !self.system.is_dir(path) {
            return self.add_file(path);
        }
        let mut files = Vec::new();
        if let Err(problem) = source_files(path, true, self.system, &mut files) {
            let message = format!("`{}` cannot be read: {problem}", path.display());
            let diagnostic = Diagnostic::error(codes::SOURCE_UNREADABLE, Span::NONE, message);
            self.problems.push(Problems {
                input: path.to_owned(),
                sources: SourceMap::new(),
                diagnostics: vec![diagnostic],
            });
        }
        let Some(src) = self.package_sources(path) else {
            files.iter().for_each(|file| self.add_file(file));
            return;
        };
        let (modules, others): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().partition(|file| file.starts_with(&src));
        if !modules.is_empty() {
            let root = src.join(ROOT);
            let uses = modules.iter().filter_map(|file| examples::module_name(file, &src));
            let text: String = uses.map(|name| format!("use {name}\n")).collect();
            self.add_program(&root, Some(text), &modules);
        }
        others.iter().for_each(|file| self.add_file(file));
    }

    /// Adds the tests of a program, or those of a module of the library: as part of the library, where others know it.
    fn add_file(&mut self, file: &Path) {
        match stdlib::relative(file, self.system) {
            Some(module) => {
                let uses = examples::module_name(&module, Path::new("")).map(|name| format!("use {name}\n"));
                self.add_program(Path::new(ROOT), uses, &[module]);
            }
            None => self.add_program(file, None, &[file.to_owned()]),
        }
    }

    /// Where the modules of the package in a directory lie.
    fn package_sources(&mut self, directory: &Path) -> Option<PathBuf> {
        let path = directory.join(MANIFEST);
        let text = String::from_utf8(self.system.read(&path).ok()?).ok()?;
        let mut sources = SourceMap::new();
        let file = sources.add(path.display().to_string(), text).ok()?;
        let Parsed { manifest, diagnostics, .. } = package::parse(sources.file(file));
        let src = manifest.map(|manifest| directory.join(manifest.src));
        if src.is_none() {
            self.problems.push(Problems { input: directory.to_owned(), sources, diagnostics });
        }
        let plain = src.as_ref().and_then(|src| src.strip_prefix(".").ok().map(Path::to_owned));
        plain.or(src)
    }

    /// Checks the program that `root` starts, and adds the tests that lie in `files`.
    fn add_program(&mut self, root: &Path, text: Option<String>, files: &[PathBuf]) {
        let synthetic = text.is_some();
        let system: &'s dyn System = match text {
            // A test run is short; what it allocates for the whole run may stay.
            Some(text) => Box::leak(Box::new(Overlay::new(self.system, root, text))),
            None => self.system,
        };
        let options = Options { release: self.options.release, ..Options::default() };
        let mut program = Compilation::new(system, options);
        let fine = program.check(root);
        let own = root.display().to_string();
        let kept = |diagnostic: &Diagnostic| {
            let file = program.sources.file_of(diagnostic.primary).map(|id| &*program.sources.file(id).name);
            !(synthetic && file == Some(own.as_str()))
        };
        let diagnostics: Vec<Diagnostic> =
            program.diagnostics.iter().filter(|diagnostic| !fine || kept(diagnostic)).cloned().collect();
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        if fine {
            if let Err(problem) = program.policy_of_test(&self.options.permissions, root)
                && !self.refusals.contains(&problem)
            {
                self.refusals.push(problem);
            }
            for test in program.tests() {
                let Some((file, at)) = program.sources.position(test.span) else { continue };
                let file = program.sources.file(file).name.to_string();
                if names.contains(&file) {
                    let kind = CaseKind::Function { program: self.programs.len(), test: test.clone() };
                    self.case(Case { name: test.name, file, line: at.line, kind });
                }
            }
            for (_, file) in program.sources.files() {
                let path = Path::new(&*file.name);
                let Some(path) = files.iter().find(|other| other.as_path() == path) else { continue };
                for example in examples::find(path, &file.text, root, self.system) {
                    let case = Case {
                        name: format!("{} (line {})", example.module, example.line),
                        file: file.name.to_string(),
                        line: example.line,
                        kind: CaseKind::Example(example),
                    };
                    self.case(case);
                }
            }
        }
        if !diagnostics.is_empty() {
            self.problems.push(Problems { input: root.to_owned(), sources: program.sources.clone(), diagnostics });
        }
        self.programs.push(program);
    }

    fn case(&mut self, case: Case) {
        if self.options.filter.as_ref().is_none_or(|filter| case.name.contains(filter.as_str())) {
            self.cases.push(case);
        } else {
            self.filtered += 1;
        }
    }

    fn jobs(&self) -> usize {
        if self.options.audit.is_some() { 1 } else { self.options.jobs.max(1) }
    }

    /// Runs all tests. `each` sees them as they end, the answer has them in order.
    pub fn run(mut self, mut each: impl FnMut(&Verdict)) -> std::io::Result<Vec<Verdict>> {
        let cases = std::mem::take(&mut self.cases);
        let mut verdicts: Vec<Option<Verdict>> = cases.iter().map(|_| None).collect();
        let mut running: Vec<(usize, Instant, Child)> = Vec::new();
        let mut next = 0;
        while next < cases.len() || !running.is_empty() {
            while next < cases.len() && running.len() < self.jobs() {
                let child = Child::start(|| self.run_case(&cases[next]))?;
                running.push((next, Instant::now(), child));
                next += 1;
            }
            let (at, ended) = process::wait_any(running.iter_mut().map(|(_, _, child)| child))?;
            let (index, start, child) = running.swap_remove(at);
            let verdict = verdict(&cases[index], start.elapsed(), ended, child)?;
            each(&verdict);
            verdicts[index] = Some(verdict);
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Lets the library know, in a test's own process, whose test it is and what snapshots are for (`Core.Test.Snapshot`).
    fn tell(&self, case: &Case) {
        // SAFETY: after the fork, this is the only thread.
        unsafe {
            std::env::set_var("REML_TEST_FILE", &case.file);
            if self.options.update_snapshots {
                std::env::set_var("REML_SNAPSHOTS", "update");
            }
        }
    }

    /// In a process of its own: the exit status of the test.
    fn run_case(&mut self, case: &Case) -> i32 {
        self.tell(case);
        let run = AssertUnwindSafe(|| match &case.kind {
            CaseKind::Function { program, test } => {
                let program = &mut self.programs[*program];
                program.select(test);
                // What has been said about the program has been said.
                program.diagnostics.clear();
                execute(program, case, &self.options)
            }
            CaseKind::Example(example) => {
                let system = Overlay::new(self.system, &example.path, example.text.clone());
                let options = Options { release: self.options.release, require_main: true, ..Options::default() };
                let mut program = Compilation::new(&system, options);
                if program.check(&example.path) {
                    execute(&mut program, case, &self.options)
                } else {
                    rejected(&program)
                }
            }
        });
        // The hook has said what is wrong with remlc.
        std::panic::catch_unwind(run).unwrap_or(101)
    }
}

fn execute(program: &mut Compilation<'_>, case: &Case, options: &TestOptions) -> i32 {
    let gate = match gate(program, case, options) {
        Ok(gate) => gate,
        Err(problem) => {
            eprintln!("error: {problem}");
            return 1;
        }
    };
    let permits = |subject: &Subject<'_>| gate.permits(Power::Ffi, subject);
    let loaded = if program.lower() { program.load(&permits) } else { None };
    let Some(loaded) = loaded else { return rejected(program) };
    let outcome = loaded.run_with(&[], &RunOptions { gate: Some(Arc::clone(&gate)), ..RunOptions::default() });
    match gate.sink().map(|sink| sink.flush()) {
        Some(Err(problem)) => {
            eprintln!("error: the audit log is not complete: {problem}");
            1
        }
        _ => outcome.exit_code,
    }
}

fn gate(program: &Compilation<'_>, case: &Case, options: &TestOptions) -> Result<Arc<Gate>, String> {
    let policy = program.policy_of_test(&options.permissions, Path::new(&case.file))?;
    let sink = options.audit.as_deref().map(audit_log).transpose()?;
    Ok(Arc::new(Gate::new(policy, sink)))
}

fn rejected(program: &Compilation<'_>) -> i32 {
    let errors: Vec<Diagnostic> = program.diagnostics.iter().filter(|one| one.is_error()).cloned().collect();
    let mut out = std::io::stderr().lock();
    let _ = Human { color: false }.render(&errors, &program.sources, &mut out);
    1
}

fn verdict(case: &Case, time: Duration, ended: Ended, child: Child) -> std::io::Result<Verdict> {
    let (stdout, stderr) = child.output()?;
    let expected = match &case.kind {
        CaseKind::Example(example) => example.output.as_deref(),
        CaseKind::Function { .. } => None,
    };
    let failure = match ended {
        Ended::Exit(0) => match expected {
            Some(expected) if expected != stdout => {
                Some(format!("the output differs from the expected one:\n{expected}"))
            }
            _ => None,
        },
        Ended::Exit(101) => Some("it panicked".into()),
        Ended::Exit(status) => Some(format!("it ended with exit status {status}")),
        Ended::Signal(signal) => Some(format!("it was ended by signal {signal}")),
    };
    Ok(Verdict { name: case.name.clone(), file: case.file.clone(), line: case.line, failure, time, stdout, stderr })
}
