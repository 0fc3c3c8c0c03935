//! The order of the stages. A [`Compilation`] starts from a path and goes as far as it is asked to: checked, lowered,
//! run, or written as an executable. Each step collects diagnostics, timings, and the printed stages that were asked for.

use std::path::{Path, PathBuf};
use std::time::Instant;

use reml_capability::policy::{Policy, portable};
pub use reml_capability::stage::{Stage as CapabilityStage, Stages};
pub use reml_codegen::RunOptions;
use reml_codegen::jit;
pub use reml_codegen::versions::{Event, Ticket, Versions};
use reml_codegen::{CodeSummary, CodegenError, CodegenOptions};
use reml_diagnostics::render;
use reml_diagnostics::{Diagnostic, FileId, SourceMap, Span, codes};
use reml_middle::core;
use reml_middle::core_verify::Form;
use reml_middle::lower::LowerOptions;
use reml_middle::opt::OptLevel;
pub use reml_middle::version::{Changes, Lineage};
pub use reml_rt::{AUDIT_VARIABLE, audit_log};
use reml_semantics::cfg::Target;
use reml_semantics::constraints::Constrained;
pub use reml_semantics::native;
use reml_semantics::typed::{DslExport, FnId};
use reml_semantics::{CheckOptions, typed};
use reml_syntax::names::Names;

use crate::admission;
use crate::config::key_path::{self, Origin};
use crate::contract;
use crate::ffi_build::record::{self, Record};
use crate::ffi_build::{self, Asked as FfiBuild, Linkage, Project, Uses};
use crate::libraries::{self, Permits};
use crate::link::{Failure, Refusal, describe};
pub use crate::load::Folder;
use crate::load::{self, Loaded};
use crate::permissions::{self, Asked, Permissions};
use crate::profile::{self, Count, Profile, StageProfile};
use crate::system::{self, System};
use crate::target::{self, Setting, metadata};

/// What can be printed along the way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    Tokens,
    Ast,
    Typed,
    Dsl,
    Core,
    Opt,
    Rc,
    Clif,
    Asm,
}

#[derive(Clone, Default, Debug)]
pub struct Options {
    pub release: bool,
    pub allow_top_level_expr: bool,
    /// A missing `main` is an error.
    pub require_main: bool,
    /// Check library functions that the program does not reach, too.
    pub check_library: bool,
    /// Warnings end the compilation as errors do.
    pub fail_on_warning: bool,
    /// Stages of capabilities, and what the run admits, before what the manifest says.
    pub stages: Stages,
    pub emit: Vec<Stage>,
    /// Count what each stage makes.
    pub measure: bool,
    /// The whole program knows that some of the effects it declares are experimental.
    pub algebraic_effects: bool,
    /// Note what is required of types, and what answers it.
    pub constraints: bool,
    /// What is said of the target on the command line.
    pub target: Vec<Setting>,
    /// The program is going to run on this machine, so that a target which is another one is an error.
    pub runs_here: bool,
    /// Make the program one that can be replaced while it runs, or that replaces what runs.
    pub lineage: Option<Lineage>,
    /// What is asked about native libraries and bindings.
    pub ffi: FfiBuild,
}

pub struct Compilation<'s> {
    system: &'s dyn System,
    options: Options,
    pub sources: SourceMap,
    names: Names,
    pub diagnostics: Vec<Diagnostic>,
    /// How long each stage took, and what it made.
    pub profile: Profile,
    /// The printed stages, in order.
    pub emitted: String,
    /// What was required of types in the program's own definitions, if that was asked for; known after `check`.
    pub constraints: Vec<Constrained>,
    /// The conductors and the exported DSLs of the program, by their paths; known after `check`.
    pub dsls: Vec<String>,
    /// The last phase that was entered, in the words of the JSON envelope.
    pub phase: &'static str,
    /// What was done for native libraries: bindings generated, libraries linked.
    pub records: Vec<Record>,
    project: Option<Project>,
    /// What the packages that the program's depends on are linked with.
    linkages: Vec<Linkage>,
    target: Target,
    package_name: Option<String>,
    /// The name of the module that the program begins with; known after `check`.
    root: Option<Box<str>>,
    permissions: Permissions,
    own_files: Vec<FileId>,
    /// Where the program's own modules may lie.
    folders: Vec<Folder>,
    typed: Option<typed::Program>,
    /// What runs instead of `main`: a test, or what answers a host.
    entry: Option<FnId>,
    /// It calls functions for a host.
    dispatches: bool,
    core: Option<core::Program>,
}

/// A function marked `@test`.
#[derive(Clone, Debug)]
pub struct Test {
    /// `app.shapes.area_of_a_square`
    pub name: String,
    pub span: Span,
    id: FnId,
}

fn dsl_names(program: &typed::Program) -> Vec<String> {
    let conductors = program.dsls.conductors.iter().map(|it| program.globals[it.global].path.to_string());
    let mut found: Vec<String> = conductors.collect();
    for export in &program.dsls.exports {
        if !found.iter().any(|path| path.rsplit('.').next() == Some(&*export.name)) {
            found.push(export.name.to_string());
        }
    }
    found
}

impl<'s> Compilation<'s> {
    pub fn new(system: &'s dyn System, options: Options) -> Self {
        Compilation {
            system,
            options,
            sources: SourceMap::new(),
            names: Names::new(),
            diagnostics: Vec::new(),
            profile: Profile::default(),
            emitted: String::new(),
            constraints: Vec::new(),
            dsls: Vec::new(),
            phase: "Parsing",
            records: Vec::new(),
            project: None,
            linkages: Vec::new(),
            target: Target::default(),
            package_name: None,
            root: None,
            permissions: Permissions::default(),
            own_files: Vec::new(),
            folders: Vec::new(),
            typed: None,
            entry: None,
            dispatches: false,
            core: None,
        }
    }

    /// Whether the diagnostics so far stop the program.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.is_error() || self.options.fail_on_warning)
    }

    /// The name of the package the program belongs to; known after `check`.
    pub fn package_name(&self) -> Option<&str> {
        self.package_name.as_deref()
    }

    /// The texts of the program's own modules, by the paths of their files; known after `check`.
    pub fn own_texts(&self) -> Vec<(PathBuf, String)> {
        let file = |&id: &FileId| (PathBuf::from(&*self.sources.file(id).name), self.sources.file(id).text.to_string());
        self.own_files.iter().map(file).collect()
    }

    /// Where files may lie whose change makes another program; known after `check`.
    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// The policy that the program runs under; known after `check`.
    ///
    /// # Errors
    ///
    /// As [`permissions::policy`].
    pub fn policy(&self, asked: &Asked) -> Result<Policy, String> {
        permissions::policy(asked, &self.permissions, self.system)
    }

    /// The policy of the tests in a file of the program; known after `check`.
    ///
    /// # Errors
    ///
    /// As [`permissions::policy`].
    pub fn policy_of_test(&self, asked: &Asked, file: &Path) -> Result<Policy, String> {
        permissions::policy_of_test(asked, &self.permissions, file, self.system)
    }

    fn wants(&self, stage: Stage) -> bool {
        self.options.emit.contains(&stage)
    }

    fn timed<T>(&mut self, stage: &'static str, work: impl FnOnce(&mut Self) -> T) -> T {
        let (start, before) = (Instant::now(), self.system.usage());
        let result = work(self);
        let (wall, after) = (start.elapsed(), self.system.usage());
        let cpu = after.cpu.saturating_sub(before.cpu);
        self.profile.stages.push(StageProfile { name: stage, wall, cpu, counts: Vec::new() });
        self.profile.peak_memory = after.peak_memory;
        result
    }

    /// Notes what the latest stage has made, where somebody wants to know.
    fn made(&mut self, counts: impl FnOnce() -> Vec<Count>) {
        if self.options.measure {
            self.profile.made(counts());
        }
    }

    fn emit(&mut self, stage: &str, text: &str) {
        // Headings only where there is something to tell apart.
        if self.options.emit.len() > 1 {
            self.emitted.push_str(&format!("=== {stage} ===\n"));
        }
        self.emitted.push_str(text);
        if !text.ends_with('\n') {
            self.emitted.push('\n');
        }
    }

    /// Loads, parses and checks. Answers whether the program is fit for the later stages.
    pub fn check(&mut self, input: &Path) -> bool {
        if !self.find_project(input) {
            render::arrange(&mut self.diagnostics);
            return false;
        }
        let loaded = self.timed("load and parse", |this| {
            load::load(input, this.system, &mut this.sources, &mut this.names, &mut this.diagnostics)
        });
        if self.options.measure {
            self.profile.files = profile::file_sizes(&loaded, &self.sources);
            self.profile.made(profile::of_files(&self.profile.files));
        }
        let Loaded {
            modules,
            files,
            root,
            package_name,
            stages,
            permissions,
            dsls,
            target,
            contract,
            manifests,
            folders,
            dependencies,
        } = loaded;
        let own = modules.iter().zip(&files).filter(|(module, _)| !module.is_core);
        self.own_files = own.map(|(_, &file)| file).collect();
        self.folders = folders;
        self.find_linkages(&dependencies);
        self.package_name = package_name;
        self.permissions = permissions;
        if let Some(root) = root {
            self.root = Some(modules[root].name.clone());
            if self.wants(Stage::Tokens) {
                let text = reml_syntax::tokens::dump(&self.sources.file(files[root]).text);
                self.emit("tokens", &text);
            }
            if self.wants(Stage::Ast) {
                let text = reml_syntax::ast_print::dump(&modules[root].ast, &self.names);
                self.emit("ast", &text);
            }
            self.phase = "TypeCheck";
            let (settings, system) = (&self.options.target, self.system);
            let target = target::resolve(settings, &target, system, &mut self.sources, &mut self.diagnostics);
            self.target.clone_from(&target);
            if self.options.runs_here {
                target::refuse_other_machine(&mut self.diagnostics);
            }
            let triple = target.values.get("target").map_or("", String::as_str);
            let stages = admission::stages(&self.options.stages, stages, triple, system, &mut self.diagnostics);
            let options = CheckOptions {
                root: Some(modules[root].name.clone()),
                // What did not parse may well have been `main`.
                require_main: self.options.require_main && !self.failed(),
                allow_top_level_expr: self.options.allow_top_level_expr,
                check_all_core: self.options.check_library,
                stages,
                algebraic_effects: self.options.algebraic_effects,
                dsls,
                target,
                constraints: self.options.constraints,
            };
            let checked = self.timed("check", |this| reml_semantics::check(modules, &mut this.names, &options));
            self.made(|| profile::of_typed(&checked.program));
            self.diagnostics.extend(checked.diagnostics);
            contract::check(&checked.program, &self.names, &contract, &self.sources, &mut self.diagnostics);
            self.constraints = checked.constraints;
            self.dsls = dsl_names(&checked.program);
            let fine = !self.diagnostics.iter().any(Diagnostic::is_error);
            if fine && self.wants(Stage::Typed) {
                let program = &checked.program;
                let own = |module| !program.modules[module].is_core;
                let text = reml_semantics::typed_print::dump(program, &self.names, own);
                self.emit("typed", &text);
            }
            if fine && self.wants(Stage::Dsl) {
                let text = crate::signatures::dump(&checked.program, &self.names, &self.sources);
                self.emit("dsl", &text);
            }
            self.typed = Some(checked.program);
            target::annotate(&mut self.diagnostics, &self.target);
            if self.target.diagnostics {
                target::explain_conditions(&mut self.diagnostics, &checked.decisions, &self.sources);
            }
        }
        let origins: Vec<Origin<'_>> = manifests
            .iter()
            .map(|(file, root)| Origin { file: *file, root: root.as_ref(), source: "manifest" })
            .collect();
        key_path::annotate(&mut self.diagnostics, &origins, &self.sources);
        render::arrange(&mut self.diagnostics);
        !self.failed()
    }

    /// Reads the `reml.json` of the program, if it has one, and generates bindings if that is asked for: they are among the modules. Answers whether
    /// they are there.
    fn find_project(&mut self, input: &Path) -> bool {
        let path = self.options.ffi.config.clone().or_else(|| ffi_build::find(input, self.system));
        let Some(path) = path else { return true };
        let opened = self.timed("native libraries", |this| {
            let asked = this.options.target.iter().rev().find(|setting| setting.key == "profile_id");
            let profile = asked.map(|setting| setting.value.as_str());
            let (ffi, system) = (&this.options.ffi, this.system);
            ffi_build::open(&path, ffi, profile, system, &mut this.sources, &mut this.diagnostics)
        });
        self.project = opened.project;
        self.records.extend(opened.records);
        !self.diagnostics.iter().any(|problem| problem.is_error() && problem.code.0.starts_with("ffi.bindgen."))
    }

    /// Reads the `reml.json` of each package that the program's depends on. Their bindings are theirs: they have to be there.
    fn find_linkages(&mut self, dependencies: &[PathBuf]) {
        for folder in dependencies {
            let Some(path) = ffi_build::find(folder, self.system) else { continue };
            let (asked, system) = (FfiBuild::default(), self.system);
            let opened = ffi_build::open(&path, &asked, None, system, &mut self.sources, &mut self.diagnostics);
            self.linkages.extend(opened.project.as_ref().map(Project::linkage));
        }
    }

    /// What the program is linked with: first what its own section says, which its libraries may be made of.
    fn linkage(&self) -> Linkage {
        let alone = || Linkage { extra_args: self.options.ffi.link_args.clone(), ..Linkage::default() };
        let mut linkage = self.project.as_ref().map_or_else(alone, Project::linkage);
        self.linkages.iter().for_each(|other| linkage.extend(other));
        linkage
    }

    /// The functions marked `@test`, with their full names; known after `check`.
    pub fn tests(&self) -> Vec<Test> {
        let Some(program) = &self.typed else { return Vec::new() };
        let test = |&id: &FnId| Test { name: program.fns[id].path.to_string(), span: program.fns[id].span, id };
        program.tests.iter().map(test).collect()
    }

    /// What the program exports as a DSL; known after `check`.
    pub fn exports(&self) -> &[DslExport] {
        self.typed.as_ref().map_or(&[], |program| &program.dsls.exports)
    }

    /// The checked program, until it is lowered.
    pub(crate) fn program(&self) -> Option<&typed::Program> {
        self.typed.as_ref()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The functions at the top level of the module that the program begins with, in the order of its text; known after `check`.
    pub(crate) fn functions(&self) -> Vec<(String, FnId)> {
        let (Some(program), Some(root)) = (&self.typed, &self.root) else { return Vec::new() };
        let named = |(id, def): (FnId, &typed::FnDef)| {
            let name = self.names.text(def.name);
            let at_the_top = def.path.strip_prefix(&**root).and_then(|rest| rest.strip_prefix('.')) == Some(name);
            (program.modules[def.module].name == *root && at_the_top).then(|| (name.to_owned(), id))
        };
        program.fns.iter().filter_map(named).collect()
    }

    /// Lowers this function at the top level, which calls others for a host, instead of `main`.
    pub(crate) fn enter(&mut self, name: &str) {
        self.entry = self.functions().into_iter().find(|(function, _)| function == name).map(|(_, id)| id);
        self.dispatches = true;
    }

    /// Lowers this test instead of `main`.
    pub fn select(&mut self, test: &Test) {
        self.entry = Some(test.id);
    }

    /// Takes the checked program to counted Core.
    pub fn lower(&mut self) -> bool {
        self.lower_observed(&mut |_, _| {})
    }

    /// The same; `observe` sees each form of Core.
    pub fn lower_observed(&mut self, observe: &mut dyn FnMut(Form, &core::Program)) -> bool {
        let Some(mut typed) = self.typed.take() else { return false };
        self.phase = "Codegen";
        self.linkage().attribute(&mut typed, self.system);
        let release = self.options.release;
        let options = LowerOptions {
            entry: self.entry,
            dispatches: self.dispatches,
            target: metadata::describe(&self.target).to_string(),
            lineage: self.options.lineage.clone(),
        };
        let lowered = self.timed("lower", |this| reml_middle::lower::lower(&typed, &this.names, &options));
        let mut program = match lowered {
            Ok(program) => program,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                render::arrange(&mut self.diagnostics);
                return false;
            }
        };
        self.made(|| profile::of_core(&program));
        self.verify(&program, Form::Lowered, "lower");
        observe(Form::Lowered, &program);
        if self.wants(Stage::Core) {
            self.emit("core", &reml_middle::core_print::dump(&program));
        }
        let level = if release { OptLevel::Release } else { OptLevel::Debug };
        self.timed("optimise", |_| reml_middle::opt::optimise(&mut program, level));
        self.made(|| profile::of_core(&program));
        self.verify(&program, Form::Optimised, "opt");
        observe(Form::Optimised, &program);
        if self.wants(Stage::Opt) {
            self.emit("opt", &reml_middle::core_print::dump(&program));
        }
        self.timed("count references", |_| reml_middle::rc::count(&mut program));
        self.made(|| profile::of_core(&program));
        self.verify(&program, Form::Counted, "rc");
        observe(Form::Counted, &program);
        if self.wants(Stage::Rc) {
            self.emit("rc", &reml_middle::core_print::dump(&program));
        }
        self.core = Some(program);
        true
    }

    /// Debug builds of the compiler check its own work between stages.
    fn verify(&self, program: &core::Program, form: Form, stage: &str) {
        if cfg!(debug_assertions)
            && let Err(problem) = reml_middle::core_verify::verify(program, form)
        {
            panic!("Core is malformed after {stage}: {problem}");
        }
    }

    fn codegen_options(&self) -> CodegenOptions {
        CodegenOptions { release: self.options.release, verify: cfg!(debug_assertions), ..CodegenOptions::default() }
    }

    /// Prints the stages of code generation that were asked for.
    pub fn emit_code(&mut self) {
        let options = self.codegen_options();
        for (stage, name) in [(Stage::Clif, "clif"), (Stage::Asm, "asm")] {
            if let Some(program) = &self.core
                && self.options.emit.contains(&stage)
            {
                let text = match stage {
                    Stage::Clif => reml_codegen::emit_clif(program, &options),
                    _ => reml_codegen::emit_asm(program, &options),
                };
                let text = text.unwrap_or_else(|problem| panic!("{problem}"));
                self.emit(name, &text);
            }
        }
    }

    /// Compiles the lowered program into this process, ready to run. Libraries are loaded if the program's run `permits` all of its native code.
    pub fn load(&mut self, permits: Permits<'_>) -> Option<jit::Loaded> {
        let loaded = self.placed_in_memory(permits, jit::load)?;
        self.generated(&loaded.code);
        Some(loaded)
    }

    /// The same for the first version of a program that is replaced while it runs.
    pub fn load_first(&mut self, permits: Permits<'_>, versions: &Versions) -> Option<jit::Loaded> {
        let first = |program: &_, sources: &_, options: &_| versions.first(program, sources, options);
        let loaded = self.placed_in_memory(permits, first)?;
        self.generated(&loaded.code);
        Some(loaded)
    }

    /// The same for a later version, which was lowered for the lineage of the ticket. `Some(false)`: it has to be compiled for another one.
    pub fn offer(&mut self, permits: Permits<'_>, versions: &Versions, ticket: &Ticket) -> Option<bool> {
        self.placed_in_memory(permits, |program, sources, options| versions.offer(ticket, program, sources, options))
    }

    fn placed_in_memory<T>(
        &mut self,
        permits: Permits<'_>,
        load: impl FnOnce(&core::Program, &SourceMap, &CodegenOptions) -> Result<T, CodegenError>,
    ) -> Option<T> {
        let program = self.core.take().expect("loading comes after lowering");
        let linkage = self.linkage();
        let (project, sources) = (self.project.as_ref(), &self.sources);
        let uses = project.map(|_| Uses::of(&program)).unwrap_or_default();
        let unresolved = |symbol: &core::ForeignSymbol| uses.unresolved(&symbol.name, &project?.section, sources);
        let foreign = match libraries::load(&program, &linkage, self.system, permits, &unresolved) {
            Ok(foreign) => foreign,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                return None;
            }
        };
        let options = CodegenOptions { foreign, ..self.codegen_options() };
        match self.timed("generate code", |this| load(&program, &this.sources, &options)) {
            Ok(loaded) => Some(loaded),
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Compiles the lowered program to an executable file, which runs under `policy`.
    pub fn build(&mut self, output: &Path, policy: &Policy) -> bool {
        let options = CodegenOptions { policy: Some(portable::print(policy)), ..self.codegen_options() };
        let program = self.core.take().expect("building comes after lowering");
        let linkage = self.linkage();
        let uses = self.project.as_ref().map(|_| Uses::of(&program)).unwrap_or_default();
        let libraries = match libraries::link_arguments(&program, &linkage, self.system) {
            Ok(libraries) => libraries,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                return false;
            }
        };
        let object = self.timed("generate code", |this| reml_codegen::object::emit(&program, &this.sources, &options));
        drop(program);
        let object = match object {
            Ok(object) => {
                self.generated(&object.code);
                object.bytes
            }
            Err(problem) => {
                panic!("{problem}")
            }
        };
        let start = Instant::now();
        let folder = linkage.root.as_deref();
        let linked = self.timed("link", |this| crate::link::link(&object, &libraries, folder, output, this.system));
        if let Some(project) = &self.project {
            let record = record::build(&project.section, &project.link_hash(), linked.is_ok(), start.elapsed());
            self.records.push(record);
        }
        match linked {
            Ok(()) => {
                self.made(|| profile::of_executable(std::fs::metadata(output).map_or(0, |found| found.len())));
                true
            }
            Err(Failure::Other(diagnostic)) => {
                self.diagnostics.push(*diagnostic);
                false
            }
            Err(Failure::Linker(refusal)) => {
                self.refused(&refusal, &uses);
                false
            }
        }
    }

    /// Says what the linker minds, and which functions of generated bindings it has missed.
    fn refused(&mut self, refusal: &Refusal, uses: &Uses) {
        let Some(project) = &self.project else {
            self.diagnostics.push(refusal.diagnostic());
            return;
        };
        self.diagnostics.push(project.link_failed(refusal));
        let missed = refusal.undefined.iter();
        self.diagnostics.extend(missed.filter_map(|symbol| uses.unresolved(symbol, &project.section, &self.sources)));
        render::arrange(&mut self.diagnostics);
    }

    /// What other tools want to know of the executable that `build` has written, as JSON. Code is made for this machine, so a target with another
    /// triple is an error.
    pub fn metadata(&mut self, executable: &Path) -> Option<String> {
        let (asked, made) = (self.target.values.get("target").cloned().unwrap_or_default(), metadata::code_triple());
        let bytes = match self.system.read(executable) {
            _ if asked != made => Err(Diagnostic::error(
                codes::TARGET_MISMATCH,
                Span::NONE,
                format!("the target is `{asked}`, but the code is made for `{made}`"),
            )
            .with_help("build without a target, or with a profile of this machine")),
            Ok(bytes) => Ok(bytes),
            Err(problem) => {
                let message = format!("`{}` cannot be read: {}", executable.display(), describe(&problem));
                Err(Diagnostic::error(codes::OUTPUT_UNWRITABLE, Span::NONE, message))
            }
        };
        match bytes {
            Ok(bytes) => {
                let now = system::timestamp(self.system.now());
                Some(format!("{:#}\n", metadata::of_artifact(&self.target, &bytes, &now)))
            }
            Err(problem) => {
                self.diagnostics.push(problem);
                None
            }
        }
    }

    fn generated(&mut self, code: &CodeSummary) {
        self.made(|| profile::of_code(code));
        if self.options.measure {
            self.profile.largest.clone_from(&code.largest);
        }
    }
}
