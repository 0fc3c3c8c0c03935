//! The options that several subcommands share.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use reml_diagnostics::render::ColorChoice;
use reml_diagnostics::{Span, suggest};
use reml_driver::pipeline::{CapabilityStage, Options, Stage, Stages, native};
use reml_driver::target::Setting;

/// What to compile.
#[derive(Args)]
pub struct Input {
    /// A source file, or a directory with a `reml.toml` [default: the current directory]
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Input {
    /// Is it said what?
    pub fn is_named(&self) -> bool {
        self.path.is_some()
    }

    pub fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(|| ".".into())
    }
}

/// How to compile.
#[derive(Args)]
pub struct Compile {
    /// Optimise; integer overflow wraps instead of panicking
    #[arg(long)]
    pub release: bool,

    /// Print what a stage of the compiler makes, to standard output
    #[arg(long, value_name = "STAGE", value_delimiter = ',', value_enum)]
    pub emit: Vec<EmitStage>,

    /// Write what the compiler found out on the way, as JSON: `constraint_graph` tells which traits were required of which types, and what
    /// answered that [default without FILE: to standard output]
    #[arg(long, value_name = "KIND[=FILE]", value_parser = telemetry)]
    pub emit_telemetry: Vec<Telemetry>,

    /// Treat warnings as errors
    #[arg(long)]
    pub fail_on_warning: bool,

    /// Allow expressions outside of functions
    #[arg(long)]
    pub allow_top_level_expr: bool,

    /// Admit only capabilities that are at least this settled: `experimental`, `beta`, `stable`
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    pub effect_stage: Option<CapabilityStage>,

    /// How settled a capability is, as `console=beta`; an effect is experimental unless it is said here or in `reml.toml`
    #[arg(long, value_name = "ID=STAGE", value_parser = staged)]
    pub capability_stage: Vec<(String, CapabilityStage)>,

    /// Use what is experimental: `algebraic-effects`, for effects that the manifest calls so, or `native-unstable`, for inline assembly and the like
    #[arg(short = 'Z', value_name = "FEATURE", value_parser = unstable)]
    pub unstable: Vec<Unstable>,

    /// The target profile that `@cfg` conditions see
    #[arg(long, value_name = "ID")]
    pub target_profile: Option<String>,

    /// A property of the target for `@cfg` conditions, such as `feature=fast`; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub cfg: Vec<Setting>,
}

/// What `--emit-telemetry` asks for, and the file that it goes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Telemetry {
    ConstraintGraph(Option<PathBuf>),
}

fn telemetry(text: &str) -> Result<Telemetry, String> {
    let (kind, file) = match text.split_once('=') {
        Some((_, "")) => return Err("the name of the file is missing behind `=`".to_owned()),
        Some((kind, file)) => (kind, Some(PathBuf::from(file))),
        None => (text, None),
    };
    match kind {
        "constraint_graph" => Ok(Telemetry::ConstraintGraph(file)),
        _ => Err("there is only `constraint_graph`".to_owned()),
    }
}

pub fn stage(text: &str) -> Result<CapabilityStage, String> {
    CapabilityStage::parse(text).ok_or_else(|| "a stage is `experimental`, `beta` or `stable`".to_owned())
}

fn staged(text: &str) -> Result<(String, CapabilityStage), String> {
    let (id, text) = text.split_once('=').ok_or_else(|| "write it as `console=beta`".to_owned())?;
    Ok((id.to_owned(), stage(text)?))
}

/// What has to be asked for with `-Z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unstable {
    /// Declared effects that are said to be experimental.
    AlgebraicEffects,
    /// Native code, as `--cfg feature=native-unstable` asks for it.
    Native,
}

/// The words after `-Z`.
const UNSTABLE: [(&str, Unstable); 2] =
    [("algebraic-effects", Unstable::AlgebraicEffects), (native::FEATURE, Unstable::Native)];

fn unstable(text: &str) -> Result<Unstable, String> {
    if let Some((_, feature)) = UNSTABLE.iter().find(|(word, _)| *word == text) {
        return Ok(*feature);
    }
    let words = UNSTABLE.map(|(word, _)| word);
    Err(suggest::did_you_mean(text, words)
        .unwrap_or_else(|| format!("there are {}", words.map(|it| format!("`{it}`")).join(" and "))))
}

fn setting(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("it has the form KEY=VALUE")?;
    let value = value.trim().trim_matches('"');
    Ok(Setting { key: key.trim().to_owned(), value: value.to_owned(), span: Span::NONE })
}

impl Compile {
    pub fn options(&self, require_main: bool, output: &Output) -> Options {
        let mut emit: Vec<Stage> = self.emit.iter().map(|stage| stage.stage()).collect();
        emit.sort_unstable();
        emit.dedup();
        let mut target = self.cfg.clone();
        if let Some(id) = &self.target_profile {
            target.push(Setting { key: "profile_id".to_owned(), value: id.clone(), span: Span::NONE });
        }
        if self.unstable.contains(&Unstable::Native) {
            target.push(Setting { key: "feature".to_owned(), value: native::FEATURE.to_owned(), span: Span::NONE });
        }
        Options {
            release: self.release,
            allow_top_level_expr: self.allow_top_level_expr,
            require_main,
            fail_on_warning: self.fail_on_warning,
            stages: Stages {
                of: self.capability_stage.iter().cloned().collect(),
                admitted: self.effect_stage,
                ..Stages::default()
            },
            emit,
            algebraic_effects: self.unstable.contains(&Unstable::AlgebraicEffects),
            constraints: !self.emit_telemetry.is_empty(),
            target,
            measure: output.timings.is_some(),
            ..Options::default()
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmitStage {
    /// Tokens with their positions
    Tokens,
    /// The syntax tree
    Ast,
    /// The tree with types and effects
    Typed,
    /// The signatures of exported DSLs and of conductors, as JSON
    Dsl,
    /// The intermediate language, as lowered
    Core,
    /// The same, optimised
    Opt,
    /// The same, with reference counting
    Rc,
    /// Cranelift's intermediate language
    Clif,
    /// Machine code, disassembled
    Asm,
}

impl EmitStage {
    fn stage(self) -> Stage {
        match self {
            EmitStage::Tokens => Stage::Tokens,
            EmitStage::Ast => Stage::Ast,
            EmitStage::Typed => Stage::Typed,
            EmitStage::Dsl => Stage::Dsl,
            EmitStage::Core => Stage::Core,
            EmitStage::Opt => Stage::Opt,
            EmitStage::Rc => Stage::Rc,
            EmitStage::Clif => Stage::Clif,
            EmitStage::Asm => Stage::Asm,
        }
    }

    /// Whether the stage needs more than a checked program.
    pub fn is_late(self) -> bool {
        !matches!(self, EmitStage::Tokens | EmitStage::Ast | EmitStage::Typed | EmitStage::Dsl)
    }
}

/// How to talk about it.
#[derive(Args, Clone, Default)]
pub struct Output {
    /// How diagnostics are shown [default: human]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// When human output is coloured; `NO_COLOR` switches `auto` off
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,

    /// Show errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Say what is being done
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Show how long each stage took and what it made: on standard error, or as a page for browsers in FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub timings: Option<Option<PathBuf>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Excerpts of the source with labels
    #[default]
    Human,
    /// One line each: `file:line:col: error[code]: message`
    Short,
    /// One JSON object for the whole run
    Json,
}

/// How a subcommand prints what it has found, where that is no list of diagnostics.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Lines for people
    Human,
    /// One JSON value
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub fn choice(self) -> ColorChoice {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}
