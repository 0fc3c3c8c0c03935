//! The C compiler: it finds headers, expands macros, decides on conditions, and checks layouts.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use reml_diagnostics::{Diagnostic, Span, codes};

use crate::c::token::Macro;
use crate::config::{Config, Header};
use crate::report::Report;
use crate::{compile_commands, files};

/// A compiler, with everything that it has to be told about the headers.
#[derive(Clone, Debug)]
pub struct Compiler {
    tool: String,
    /// The words of `CC`.
    words: Vec<String>,
    /// What `compile_commands.json` adds.
    pub commands: Vec<String>,
    /// Arguments of `CC`, then include paths and macros, then the headers.
    args: Vec<std::ffi::OsString>,
}

/// What changes the meaning of headers besides arguments.
const VARIABLES: &[&str] =
    &["CPATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET"];

/// The flags in front of a folder with headers.
const FOLDERS: &[&str] = &["-iquote", "-I", "-isystem", "-idirafter"];

/// In front of each line of the second run: the macro follows.
const PROBE: &str = "__reml_bindgen_probe_";

impl Compiler {
    /// Looks for the headers. `None`: one is missing, and the report says so.
    pub fn new(config: &Config, report: &mut Report) -> Option<Compiler> {
        // `CC` may hold arguments: "ccache gcc".
        let said = std::env::var("CC").ok().filter(|cc| !cc.trim().is_empty()).unwrap_or_else(|| "cc".to_owned());
        let words: Vec<String> = said.split_whitespace().map(str::to_owned).collect();
        let tool = words[0].clone();
        let mut args: Vec<std::ffi::OsString> = words[1..].iter().map(Into::into).collect();
        let mut all_commands = Vec::new();
        let mut includes: Vec<std::ffi::OsString> = Vec::new();
        for header in &config.headers {
            let file = match header {
                Header::File { written, path } => find(written, path, config, report)?,
                Header::System(name) => PathBuf::from(name),
            };
            if let Some(commands) = &config.compile_commands {
                let flags = compile_commands::flags_for(commands, &file, report)?;
                args.extend(flags.iter().map(Into::into));
                all_commands.extend(flags);
            }
            includes.extend(["-include".into(), file.into()]);
        }
        for path in &config.include_paths {
            args.extend(["-I".into(), files::absolute(path).into()]);
        }
        args.extend(config.defines.iter().map(|define| format!("-D{define}").into()));
        args.extend(includes);
        Some(Compiler { tool, words, commands: all_commands, args })
    }

    /// What it is told, in order.
    pub fn arguments(&self) -> Vec<String> {
        self.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    /// Which compiler it is, without running it: its files as they are now, and the variables that it reads.
    pub fn identity(&self) -> Vec<String> {
        // `CC` may be "ccache gcc": the second is as much the compiler as the first.
        let tools = self.words.iter().filter_map(|word| executable(word));
        let variables = VARIABLES.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
        self.words.iter().cloned().chain(tools).chain(variables).collect()
    }

    /// The folders that it was told to look for headers in, in order.
    pub fn folders(&self) -> Vec<PathBuf> {
        let flags = self.args.iter().zip(self.args.iter().skip(1));
        let named = flags.filter(|(flag, _)| FOLDERS.iter().any(|known| flag.as_os_str() == *known));
        let of_variables = VARIABLES.iter().filter(|name| name.ends_with("PATH")).filter_map(std::env::var_os);
        let listed: Vec<PathBuf> =
            of_variables.flat_map(|list| std::env::split_paths(&list).collect::<Vec<_>>()).collect();
        named.map(|(_, folder)| PathBuf::from(folder)).chain(listed).collect()
    }

    fn run(&self, mode: &[&str], input: &str) -> io::Result<Output> {
        let mut command = Command::new(&self.tool);
        // The messages are read here, so they have to be in English.
        command.args(mode).args(["-x", "c"]).args(&self.args).arg("-").env("LC_ALL", "C");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // While it is written to, the compiler writes, too; so that happens beside.
        let stdin = child.stdin.take();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            // A compiler that has failed reads no further; its messages say why.
            let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
        });
        let output = child.wait_with_output();
        let _ = writer.join();
        output
    }

    /// The headers with all that they include, and the macros that are defined.
    pub fn preprocess(&self, report: &mut Report) -> Option<String> {
        self.checked(&["-E", "-dD", "-C"], "", report)
    }

    /// What macros without parameters stand for, where that is not nothing.
    pub fn expand(&self, macros: &[&Macro], report: &mut Report) -> Option<Vec<(Macro, String)>> {
        if macros.is_empty() {
            return Some(Vec::new());
        }
        let lines: Vec<String> =
            macros.iter().enumerate().map(|(index, it)| format!("{PROBE}{index} {}\n", it.name)).collect();
        // With line markers, GCC would put one in front of what a header of the system has defined.
        let text = self.checked(&["-E", "-P"], &lines.concat(), report)?;
        let mut expansions = Vec::new();
        for line in text.lines() {
            let Some((index, expansion)) = line.strip_prefix(PROBE).and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            let it = index.parse::<usize>().ok().and_then(|index| macros.get(index));
            if let Some(it) = it.filter(|_| !expansion.trim().is_empty()) {
                expansions.push(((*it).clone(), expansion.to_owned()));
            }
        }
        Some(expansions)
    }

    /// Whether assertions hold behind the headers; else the report says which does not, or what else the compiler minds.
    pub fn asserts(&self, assertions: &str, report: &mut Report) -> bool {
        let stderr = match self.run(&["-fsyntax-only", "-w"], assertions) {
            Ok(output) if output.status.success() => return true,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(problem) => files::described(&problem),
        };
        let failed: Vec<&str> =
            stderr.lines().filter(|line| line.contains("static assertion failed")).take(5).collect();
        if failed.is_empty() {
            self.explain(&stderr, report);
        } else {
            let message = "the C compiler lays out a record in another way than was worked out here";
            let diagnostic = Diagnostic::error(codes::BINDGEN_GENERATE, Span::NONE, message);
            report.add(diagnostic.with_note(failed.join("\n")));
        }
        false
    }

    fn checked(&self, mode: &[&str], input: &str, report: &mut Report) -> Option<String> {
        match self.run(mode, input) {
            Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                self.explain(&String::from_utf8_lossy(&output.stderr), report);
                None
            }
            Err(problem) => {
                let message = match problem.kind() {
                    io::ErrorKind::NotFound => format!("there is no C compiler: `{}` cannot be found", self.tool),
                    _ => format!("the C compiler `{}` cannot be started: {}", self.tool, files::described(&problem)),
                };
                let help = "headers are preprocessed by the C compiler; install one, or name one in the environment variable `CC`";
                report.add(Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message).with_help(help));
                None
            }
        }
    }

    /// Makes diagnostics of the compiler's: `ring.h:3:10: fatal error: nothing.h: No such file or directory`.
    fn explain(&self, stderr: &str, report: &mut Report) {
        let mut found = false;
        for line in stderr.lines() {
            let Some((place, message)) = ["fatal error: ", "error: "].iter().find_map(|mark| line.split_once(mark))
            else {
                continue;
            };
            found = true;
            let place = place.trim_end().trim_end_matches(':');
            let mut parts = place.rsplitn(3, ':');
            let (column, line, file) = (parts.next(), parts.next(), parts.next());
            let at = match (file, line.and_then(|it| it.parse().ok()), column.and_then(|it| it.parse::<u32>().ok())) {
                (Some(file), Some(line), Some(_)) => report.line(file, line, missing_file(message).unwrap_or_default()),
                _ => Span::NONE,
            };
            let mut diagnostic =
                Diagnostic::error(codes::BINDGEN_PARSE, at, format!("the C compiler cannot read this: {message}"));
            if missing_file(message).is_some() {
                diagnostic = diagnostic.with_help("add the folder that it is in to `include_paths`");
            }
            report.add(diagnostic);
        }
        if !found {
            let message = format!("the C compiler `{}` failed", self.tool);
            report
                .add(Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message).with_note(stderr.trim().to_owned()));
        }
    }
}

/// The file of a command, and when it was last changed.
fn executable(word: &str) -> Option<String> {
    let candidates: Vec<PathBuf> = match word.contains('/') {
        true => vec![PathBuf::from(word)],
        false => std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(word)).collect(),
    };
    let file = candidates.into_iter().find(|path| path.is_file())?.canonicalize().ok()?;
    let metadata = std::fs::metadata(&file).ok()?;
    let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", file.display(), metadata.len(), changed.as_nanos()))
}

/// The header that a message calls missing.
fn missing_file(message: &str) -> Option<&str> {
    let clang = message.strip_suffix(" file not found").map(|name| name.trim_matches('\''));
    message.strip_suffix(": No such file or directory").or(clang)
}

/// A header is where it is said to be, or in one of the include paths.
fn find(written: &str, path: &Path, config: &Config, report: &mut Report) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = std::iter::once(path.to_owned())
        .chain(config.include_paths.iter().map(|folder| folder.join(written)))
        .collect();
    let Some(found) = candidates.iter().find(|candidate| candidate.exists()) else {
        let mut tried: Vec<String> = Vec::new();
        for path in &candidates {
            let shown = format!("`{}`", files::displayed(path));
            if !tried.contains(&shown) {
                tried.push(shown);
            }
        }
        let message = format!("there is no header `{written}`");
        let diagnostic = Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message)
            .with_note(format!("it was looked for as {}", tried.join(", ")))
            .with_help(format!("a header of the system is written `<{written}>`"));
        report.add(diagnostic);
        return None;
    };
    if found.is_dir() {
        let message = format!("`{}` is a folder, not a header", files::displayed(found));
        report.add(Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message));
        return None;
    }
    Some(files::absolute(found))
}
