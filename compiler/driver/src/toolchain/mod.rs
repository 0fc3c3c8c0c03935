//! Do this compiler, its library, its runtime and the linker agree with a target? What a profile asks for is compared with what there is, and a small
//! program is compiled, linked and run, which shows what no comparison can.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use reml_capability::platform::PlatformInfo;
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceMap, Span};
use reml_semantics::cfg::Target;
use serde_json::{Value, json};

use crate::link::describe;
use crate::overlay::Overlay;
use crate::permissions::Asked;
use crate::pipeline::{Compilation, Options};
use crate::stdlib;
use crate::system::System;
use crate::target::{self, Setting, metadata, profile};

const PROBE: &str = include_str!("probe.reml");
/// What the probe computes with functions of the C library.
const COMPUTED: &str = "7 24.0";
/// Calling conventions are capabilities that begin so.
const CALLING: &str = "ffi.callconv.";

/// The parts of this toolchain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Toolchain {
    pub version: &'static str,
    pub triple: String,
    pub data_layout: Option<&'static str>,
    /// Where the library comes from; `None` for the one inside of remlc.
    pub library: Option<PathBuf>,
    pub linker: String,
}

/// One thing that has to agree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    /// What the target asks for.
    pub requested: Option<String>,
    /// What there is.
    pub detected: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Passed,
    Failed,
    /// Nothing is known that could be compared.
    Skipped,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        }
    }
}

/// What a verification has found.
pub struct Report {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    pub toolchain: Toolchain,
    /// The target, as `remlc target show` describes it.
    pub target: Value,
    pub checks: Vec<Check>,
}

impl Report {
    /// Everything agrees.
    pub fn verified(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error) && self.checks.iter().all(|it| it.outcome != Outcome::Failed)
    }
}

/// The toolchain that this compiler is.
pub fn this(system: &dyn System) -> Toolchain {
    let machine = target::of_machine();
    Toolchain {
        version: target::VERSION,
        triple: metadata::code_triple(),
        data_layout: metadata::data_layout(&machine),
        library: system.env(stdlib::OVERRIDE).map(PathBuf::from),
        linker: crate::link::compiler(system),
    }
}

/// The profiles that this compiler makes code for.
pub fn profiles(system: &dyn System) -> Vec<profile::Known> {
    let triple = metadata::code_triple();
    profile::known(system).into_iter().filter(|known| known.triple == triple).collect()
}

/// Compares the toolchain with a profile, or with what the environment says; without either it has to agree with this machine.
pub fn verify(id: Option<&str>, system: &dyn System) -> Report {
    let setting = |id: &str| Setting { key: "profile_id".to_owned(), value: id.to_owned(), span: Span::NONE };
    let settings: Vec<Setting> = id.map(setting).into_iter().collect();
    let (mut sources, mut diagnostics) = (SourceMap::new(), Vec::new());
    let target = target::resolve(&settings, &[], system, &mut sources, &mut diagnostics);
    // Told below, and more exactly.
    diagnostics.retain(|it| it.code != codes::TARGET_MISMATCH);
    let toolchain = this(system);
    let mut verifier = Verifier { target: &target, checks: Vec::new(), diagnostics };
    verifier.profile();
    verifier.triple(&toolchain);
    verifier.data_layout(&toolchain);
    verifier.calling_conventions();
    verifier.version("stdlib_version");
    verifier.version("runtime_revision");
    verifier.probe(&toolchain, system);
    let Verifier { checks, mut diagnostics, .. } = verifier;
    target::annotate(&mut diagnostics, &target);
    Report { sources, diagnostics, toolchain, target: metadata::describe(&target), checks }
}

struct Verifier<'t> {
    target: &'t Target,
    checks: Vec<Check>,
    diagnostics: Vec<Diagnostic>,
}

impl Verifier<'_> {
    fn requested(&self, key: &str) -> Option<String> {
        self.target.values.get(key).filter(|value| !value.is_empty()).cloned()
    }

    fn note(&mut self, name: &'static str, outcome: Outcome, requested: Option<String>, detected: Option<String>) {
        self.checks.push(Check { name, outcome, requested, detected });
    }

    fn report(&mut self, code: Code, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, Span::NONE, message).with_help(help));
    }

    /// Is there such a profile, and is it right in itself?
    fn profile(&mut self) {
        let outcome = match self.diagnostics.iter().any(Diagnostic::is_error) {
            true => Outcome::Failed,
            false => Outcome::Passed,
        };
        self.note("profile", outcome, self.requested("profile_id"), None);
    }

    fn triple(&mut self, toolchain: &Toolchain) {
        let requested = self.requested("target");
        let same = requested.as_deref() == Some(&toolchain.triple);
        if !same {
            let asked = requested.clone().unwrap_or_default();
            let message = format!("the target is `{asked}`, but this compiler makes code for `{}`", toolchain.triple);
            self.report(
                codes::TARGET_MISMATCH,
                message,
                "`remlc toolchain list` shows the profiles that it makes code for",
            );
        }
        self.note("triple", outcome(same), requested, Some(toolchain.triple.clone()));
    }

    fn data_layout(&mut self, toolchain: &Toolchain) {
        let (requested, detected) = (metadata::data_layout(self.target), toolchain.data_layout);
        let result = match (requested, detected) {
            (Some(asked), Some(here)) => {
                if asked != here {
                    let message = format!("the target lays out data as `{asked}`, but this compiler as `{here}`");
                    self.report(codes::TARGET_MISMATCH, message, "link with the tools of the same target");
                }
                outcome(asked == here)
            }
            _ => Outcome::Skipped,
        };
        self.note("data_layout", result, requested.map(str::to_owned), detected.map(str::to_owned));
    }

    /// A target says how C is called, and code calls it like that.
    fn calling_conventions(&mut self) {
        let of = |capabilities: &BTreeSet<String>| -> Vec<String> {
            capabilities.iter().filter(|name| name.starts_with(CALLING)).cloned().collect()
        };
        let (requested, detected) = (of(&self.target.capabilities), of(&PlatformInfo::host().target_capabilities));
        let foreign: Vec<&String> = requested.iter().filter(|name| !detected.contains(name)).collect();
        if requested.is_empty() {
            let message = "the target has no calling convention".to_owned();
            self.report(codes::TARGET_UNKNOWN_VALUE, message, "name one in its `capabilities`: `ffi.callconv.c`");
        }
        for name in &foreign {
            let message = format!("the target calls C functions by `{name}`, which this compiler cannot");
            let help = format!("it can `{}`", detected.join("`, `"));
            self.report(codes::TARGET_UNKNOWN_VALUE, message, &help);
        }
        let result = outcome(!requested.is_empty() && foreign.is_empty());
        self.note("calling_conventions", result, Some(requested.join(" ")), Some(detected.join(" ")));
    }

    /// That a profile asks for another one has been reported where it was read.
    fn version(&mut self, name: &'static str) {
        let requested = self.requested(name);
        let same = requested.as_deref() == Some(target::VERSION);
        self.note(name, outcome(same), requested, Some(target::VERSION.to_owned()));
    }

    /// Compiles, links and runs the probe.
    fn probe(&mut self, toolchain: &Toolchain, system: &dyn System) {
        let names = ["compiles", "links", "runs"];
        let found = match tempfile::Builder::new().prefix("remlc-").tempdir() {
            Ok(folder) => build_and_run(folder.path(), system),
            Err(problem) => {
                let message = format!("there is no folder for temporary files: {}", describe(&problem));
                Err((1, vec![Diagnostic::error(codes::OUTPUT_UNWRITABLE, Span::NONE, message)]))
            }
        };
        let (passed, told) = match found {
            Ok(printed) => (names.len(), Some(printed)),
            Err((passed, diagnostics)) => {
                self.diagnostics.extend(diagnostics);
                (passed, None)
            }
        };
        for (index, name) in names.into_iter().enumerate() {
            let result = match index.cmp(&passed) {
                std::cmp::Ordering::Less => Outcome::Passed,
                std::cmp::Ordering::Equal => Outcome::Failed,
                std::cmp::Ordering::Greater => Outcome::Skipped,
            };
            let detected = (name == "links").then(|| toolchain.linker.clone());
            self.note(name, result, None, detected);
        }
        if let Some(printed) = told {
            self.compare(&printed);
        }
    }

    /// What the probe has found, compared with what the compiler believes.
    fn compare(&mut self, printed: &str) {
        let found: BTreeMap<&str, &str> = printed.lines().filter_map(|line| line.split_once('=')).collect();
        for (key, name, expected) in [
            ("os", "program_os", std::env::consts::OS),
            ("arch", "program_arch", std::env::consts::ARCH),
            ("stdlib_version", "program_stdlib", target::VERSION),
            ("runtime_revision", "program_runtime", target::VERSION),
            ("c", "calls_c", COMPUTED),
        ] {
            let actual = found.get(key).copied().unwrap_or_default();
            if actual != expected {
                let message = format!("a program that was built finds `{key}` to be `{actual}`, not `{expected}`");
                self.report(
                    codes::TARGET_ABI_MISMATCH,
                    message,
                    "install remlc anew: its parts do not belong together",
                );
            }
            self.note(name, outcome(actual == expected), Some(expected.to_owned()), Some(actual.to_owned()));
        }
    }
}

fn outcome(fine: bool) -> Outcome {
    if fine { Outcome::Passed } else { Outcome::Failed }
}

/// What the probe prints; or how many of compiling, linking and running went well, and what is wrong with the next.
fn build_and_run(folder: &Path, system: &dyn System) -> Result<String, (usize, Vec<Diagnostic>)> {
    let (source, executable) = (folder.join("probe.reml"), folder.join("probe"));
    let overlay = Overlay::new(system, &source, PROBE.to_owned());
    let mut compilation = Compilation::new(&overlay, Options { require_main: true, ..Options::default() });
    // Nobody sees the file that spans point into.
    let told = |compilation: &mut Compilation<'_>| -> Vec<Diagnostic> {
        let own = std::mem::take(&mut compilation.diagnostics);
        own.into_iter().filter(Diagnostic::is_error).map(|it| Diagnostic { primary: Span::NONE, ..it }).collect()
    };
    if !(compilation.check(&source) && compilation.lower()) {
        return Err((0, told(&mut compilation)));
    }
    // The probe calls functions of C, and does nothing else that would have to be allowed.
    let asked = Asked { flags: vec!["--allow-ffi".to_owned()], ..Asked::default() };
    let policy = match compilation.policy(&asked) {
        Ok(policy) => policy,
        Err(problem) => return Err((1, vec![Diagnostic::error(codes::TARGET_PROFILE_INVALID, Span::NONE, problem)])),
    };
    if !compilation.build(&executable, &policy) {
        return Err((1, told(&mut compilation)));
    }
    let mut command = Command::new(&executable);
    // What these say is about the programs of whoever calls.
    system.env_starting_with("REML_").keys().for_each(|name| _ = command.env_remove(name));
    let problem = match command.output() {
        Ok(output) if output.status.success() => return Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => output.status.to_string(),
        Err(problem) => describe(&problem),
    };
    let message = format!("a program that was built does not run: {problem}");
    Err((2, vec![Diagnostic::error(codes::TARGET_ABI_MISMATCH, Span::NONE, message)]))
}

impl Toolchain {
    pub fn to_json(&self) -> Value {
        json!({
            "version": self.version,
            "triple": self.triple,
            "data_layout": self.data_layout,
            "stdlib_version": self.version,
            "stdlib_path": self.library.as_ref().map(|path| path.display().to_string()),
            "runtime_revision": self.version,
            "linker": self.linker,
        })
    }
}

impl Report {
    /// The report without diagnostics, as the audit log keeps it.
    pub fn to_json(&self) -> Value {
        let check = |it: &Check| json!({ "name": it.name, "result": it.outcome.name(), "requested": it.requested, "detected": it.detected });
        json!({
            "profile_id": self.target.get("profile_id"),
            "verified": self.verified(),
            "toolchain": self.toolchain.to_json(),
            "target": self.target,
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "codes": self.diagnostics.iter().map(|it| it.code.0).collect::<Vec<_>>(),
        })
    }
}
