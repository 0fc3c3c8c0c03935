//! The command line of `reml-bindgen`, and how a run is shown: events to standard output, diagnostics to standard error.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use reml_diagnostics::Diagnostic;
use reml_diagnostics::render::{self, ColorChoice, Counts, Human, Renderer, Short};

use crate::config::Overrides;
use crate::{Options, VERSION, default_target, run};

/// What `reml-bindgen` can be told. It wins over `reml-bindgen.toml`: lists are appended to, other values replaced.
#[derive(Args, Clone, Default, Debug)]
pub struct Arguments {
    /// The configuration [default: reml-bindgen.toml, if there is one]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// A header to bind; `<NAME>` is one of the system's
    #[arg(long = "header", value_name = "PATH")]
    pub headers: Vec<String>,
    /// Where headers are looked for
    #[arg(short = 'I', long = "include-path", value_name = "PATH")]
    pub include_paths: Vec<String>,
    /// Take include paths and macros from a `compile_commands.json`
    #[arg(long, value_name = "PATH")]
    pub compile_commands: Option<String>,
    /// Define a macro
    #[arg(short = 'D', long = "define", value_name = "NAME[=VALUE]")]
    pub defines: Vec<String>,
    /// The file of Reml to write
    #[arg(long, value_name = "PATH")]
    pub output: Option<String>,
    /// The manifest to write
    #[arg(long, value_name = "PATH")]
    pub manifest: Option<String>,
    /// Do not bind symbols whose name matches
    #[arg(long, value_name = "REGEX")]
    pub exclude: Vec<String>,
    /// Bind only symbols whose name matches
    #[arg(long, value_name = "REGEX")]
    pub allow: Vec<String>,
    /// Bind what headers of the system declare whose path matches
    #[arg(long, value_name = "REGEX")]
    pub follow: Vec<String>,
    /// Give a symbol another name in Reml
    #[arg(long, value_name = "C_NAME=NAME")]
    pub rename: Vec<String>,
    /// How pointers to types of which only the name is known are written: `unit` for `Ptr<()>`, `named` for `Ptr<Name>`
    #[arg(long, value_name = "HOW")]
    pub opaque_types: Option<String>,
    /// How pointers are written: `ptr` for `Ptr<T>`, `mut` for `MutPtr<T>` where C does not say `const`
    #[arg(long, value_name = "HOW")]
    pub pointers: Option<String>,
    /// The library that the functions are in, for `@link`
    #[arg(long, value_name = "NAME")]
    pub link: Option<String>,
    /// The target that the bindings are for, as a part of their hash
    #[arg(long, value_name = "PROFILE")]
    pub target: Option<String>,
    /// Have the C compiler confirm how records lie in memory
    #[arg(long)]
    pub check_layout: bool,
}

/// More warnings than this are shown without the text that they are about.
const MOST_EXCERPTS: usize = 10;

/// Does what the command line says; the exit status.
pub fn execute(arguments: Arguments, color: ColorChoice) -> u8 {
    let Arguments { target, check_layout, .. } = arguments.clone();
    let overrides = Overrides {
        config: arguments.config,
        headers: arguments.headers,
        include_paths: arguments.include_paths,
        compile_commands: arguments.compile_commands,
        defines: arguments.defines,
        output: arguments.output,
        manifest: arguments.manifest,
        exclude: arguments.exclude,
        allow: arguments.allow,
        follow: arguments.follow,
        rename: arguments.rename,
        opaque_types: arguments.opaque_types,
        pointers: arguments.pointers,
        link: arguments.link,
        folder: None,
    };
    let target = target.unwrap_or_else(default_target);
    let mut stdout = io::stdout();
    let options = Options { overrides, target, version: VERSION.to_owned(), check_layout };
    let outcome = run(&options, &mut |event| {
        // Whoever has closed the log does not want it.
        let _ = writeln!(stdout, "{event}");
    });
    let mut report = outcome.report;
    render::arrange(&mut report.diagnostics);
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let counts = Counts::of(&report.diagnostics);
    let (mut errors, mut warnings): (Vec<_>, Vec<_>) = report.diagnostics.into_iter().partition(Diagnostic::is_error);
    // Many things that are not bound are a line each; the manifest has the details.
    if warnings.len() > MOST_EXCERPTS {
        let _ = Short.render(&warnings, &report.sources, &mut io::stderr());
        warnings.clear();
    }
    warnings.append(&mut errors);
    let mut renderer = Human { color: color.enabled(io::stderr().is_terminal(), no_color) };
    let _ = renderer.render(&warnings, &report.sources, &mut io::stderr());
    if outcome.made.is_none() {
        eprintln!("error: no bindings were generated: {counts}");
        return 1;
    }
    0
}
