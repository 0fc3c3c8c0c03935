//! Are the bindings of a project there, and as its headers want them? A build makes them, or takes them from the cache; everybody else
//! only looks, and says what is to be done.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use reml_bindgen::report::Report;
use reml_bindgen::{Dependencies, Made, Overrides, Request};
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceMap, Span};
use serde_json::Value;

use super::cache::{Cache, Files, Found, Known};
use super::place::absolute;
use super::record::{self, Generated, Record, Status};
use super::section::{Bindgen, Section};
use crate::files;
use crate::link::describe;
use crate::system::System;

/// What bindings are for and made with, besides their section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    pub target: String,
    /// The version of `reml-bindgen`; one that an environment names is as good as another tool.
    pub version: String,
}

impl Setting {
    /// `profile`: the target profile that was asked for.
    pub fn new(profile: Option<&str>, system: &dyn System) -> Setting {
        let named = |name: &str| system.env(name).filter(|value| !value.is_empty());
        let profile = profile.map(str::to_owned).or_else(|| named("REML_TARGET_PROFILE"));
        Setting {
            target: profile.unwrap_or_else(reml_bindgen::default_target),
            version: named("REML_BINDGEN_VERSION").unwrap_or_else(|| reml_bindgen::VERSION.to_owned()),
        }
    }

    fn options(&self, section: &Section, bindgen: &Bindgen) -> reml_bindgen::Options {
        let text = |path: &Path| Some(path.strip_prefix(&section.root).unwrap_or(path).display().to_string());
        // Without a configuration, headers are looked for where paths of the section begin.
        let include_paths = if bindgen.config.is_none() { vec![".".to_owned()] } else { Vec::new() };
        let overrides = Overrides {
            config: bindgen.config.clone(),
            headers: section.headers.iter().map(|header| header.text.clone()).collect(),
            include_paths,
            output: text(&bindgen.output),
            manifest: text(&bindgen.manifest),
            folder: Some(absolute(&section.root)),
            ..Overrides::default()
        };
        reml_bindgen::Options {
            overrides,
            target: self.target.clone(),
            version: self.version.clone(),
            check_layout: false,
        }
    }

    /// What an event is known by before headers have been read: a hash over those that are named, and the configuration.
    fn declared_hash(&self, section: &Section) -> String {
        let bindgen = section.bindgen.as_ref();
        let paths = section.headers.iter().map(|header| header.path.as_deref());
        let config = std::iter::once(bindgen.and_then(|bindgen| bindgen.config.as_deref()));
        let contents =
            paths.chain(config).map(|path| path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default());
        record::hash(contents.chain([self.target.clone().into_bytes(), self.version.clone().into_bytes()]))
    }
}

/// Sees to it that the bindings of a section are there, and tells the event. `None` for the cache: it is not to be used.
pub fn provide(
    section: &Section,
    setting: &Setting,
    cache: Option<&Cache>,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Record {
    let start = Instant::now();
    let report = Report { sources: std::mem::take(sources), ..Report::default() };
    let mut run = Run { section, setting, cache, report, input_hash: None };
    let status = match &section.bindgen {
        None => Status::Skipped,
        Some(bindgen) => match run.provide(bindgen) {
            Ok(status) => status,
            Err(()) => run.failed(bindgen),
        },
    };
    let input_hash = run.input_hash.take().unwrap_or_else(|| setting.declared_hash(section));
    let cache_path = cache.filter(|_| section.bindgen.is_some()).map(|cache| cache.entry_path(&input_hash));
    *sources = std::mem::take(&mut run.report.sources);
    diagnostics.append(&mut run.report.diagnostics);
    record::bindgen(&Generated {
        section,
        status: &status,
        input_hash: &input_hash,
        cache_path: cache_path.map(|path| path.display().to_string()),
        duration: start.elapsed(),
        tool_version: &setting.version,
    })
}

struct Run<'a> {
    section: &'a Section,
    setting: &'a Setting,
    cache: Option<&'a Cache>,
    report: Report,
    input_hash: Option<String>,
}

impl Run<'_> {
    fn error(&mut self, code: Code, message: String) -> &mut Diagnostic {
        let at = self.section.bindgen.as_ref().map_or(Span::NONE, |bindgen| bindgen.span);
        self.report.add(Diagnostic::error(code, at, message));
        self.report.diagnostics.last_mut().expect("just added")
    }

    /// Something has been reported; the event is about that it came to nothing.
    fn failed(&mut self, bindgen: &Bindgen) -> Status {
        let own = [codes::BINDGEN_GENERATE, codes::BINDGEN_OVERWRITE];
        let said = |it: &Diagnostic| it.is_error() && own.contains(&it.code);
        if let Some(problem) = self.report.diagnostics.iter().find(|it| said(it)) {
            return Status::Failed(problem.code, problem.message.clone());
        }
        let message = format!("the bindings `{}` were not generated", bindgen.output.display());
        let path = bindgen.output.display().to_string();
        let problem = self.error(codes::BINDGEN_GENERATE, message.clone());
        problem.facts.push(("ffi.bindgen.path", path.into()));
        Status::Failed(codes::BINDGEN_GENERATE, message)
    }

    /// Held while a build looks at the bindings of a project and replaces them: they are two files, of which another build would see one. Where there are no such locks, that
    /// build fails.
    fn alone(&self) -> Option<File> {
        let folder = File::open(absolute(&self.section.root)).ok()?;
        folder.lock().ok()?;
        Some(folder)
    }

    fn provide(&mut self, bindgen: &Bindgen) -> Result<Status, ()> {
        let _alone = self.alone();
        let request = Request::new(&self.setting.options(self.section, bindgen), &mut self.report).ok_or(())?;
        let key = request.key();
        if let Some(Known::Same { input_hash, dependencies }) = self.cache.map(|cache| cache.known(&key))
            && let Some(status) = self.kept(bindgen, &input_hash, &dependencies)?
        {
            return Ok(status);
        }
        let mut headers = request.read(&mut self.report).ok_or(())?;
        let (input_hash, dependencies) = (headers.input_hash.clone(), headers.dependencies());
        self.input_hash = Some(input_hash.clone());
        if let Some(status) = self.kept(bindgen, &input_hash, &dependencies)? {
            self.note(&key, &dependencies, &input_hash);
            return Ok(status);
        }
        let made = headers.bind(&mut self.report).ok_or(())?;
        if !headers.write(&made, &mut self.report) {
            return Err(());
        }
        // What others find in the cache is in its place already.
        if let Some(cache) = self.cache {
            let Made { source, manifest, .. } = made;
            let files = files_of(bindgen, source.into_bytes(), manifest.into_bytes());
            if let Err(why) = cache.store(&input_hash, &dependencies, &files) {
                let folder = cache.entry_path(&input_hash);
                let message = format!("the bindings cannot be kept in the cache `{}`: {why}", folder.display());
                let warning = Diagnostic::warning(codes::BINDGEN_GENERATE, bindgen.span, message);
                self.report.add(warning.with_help("name another with `--cache-dir`, or do without with `--no-cache`"));
            }
            self.note(&key, &dependencies, &input_hash);
        }
        Ok(Status::Success)
    }

    fn note(&self, key: &str, dependencies: &Dependencies, input_hash: &str) {
        if let Some(cache) = self.cache {
            cache.note(key, dependencies, input_hash);
        }
    }

    /// Takes the bindings from the cache, if it has them.
    fn kept(&mut self, bindgen: &Bindgen, input_hash: &str, dependencies: &Dependencies) -> Result<Option<Status>, ()> {
        let Some(cache) = self.cache else { return Ok(None) };
        let names = files_of(bindgen, Vec::new(), Vec::new());
        let found = cache.find(input_hash, dependencies, &names.output.0, &names.manifest.0);
        let kept = match found {
            Found::Nothing | Found::Other => return Ok(None),
            Found::Whole(kept) => kept,
            Found::Damaged(why) => {
                self.input_hash = Some(input_hash.to_owned());
                let folder = cache.entry_path(input_hash).display().to_string();
                let problem = self.error(codes::BINDGEN_GENERATE, format!("the cache `{folder}` is damaged: {why}"));
                problem.helps.push("remove this folder, or do without the cache: `--no-cache`".to_owned());
                problem.facts.push(("ffi.bindgen.path", folder.into()));
                return Err(());
            }
        };
        self.input_hash = Some(input_hash.to_owned());
        self.restore(bindgen, cache, &kept)?;
        Ok(Some(Status::CacheHit))
    }

    /// Copies files of the cache to where they belong. What somebody has changed there is left alone.
    fn restore(&mut self, bindgen: &Bindgen, cache: &Cache, kept: &Files) -> Result<(), ()> {
        let places = [(&bindgen.output, &kept.output.1), (&bindgen.manifest, &kept.manifest.1)];
        let present = places.map(|(path, _)| std::fs::read(path).ok());
        let differing = |index: usize| present[index].as_ref().is_some_and(|bytes| bytes != places[index].1);
        if let Some(index) = (0..places.len()).find(|&index| differing(index)) {
            let path = places[index].0.display().to_string();
            let mut diagnostic = match self.is_of_another(bindgen, cache, &present) {
                true => {
                    let message = format!("`{path}` exists, and is overwritten");
                    Diagnostic::warning(codes::BINDGEN_OVERWRITE, Span::NONE, message)
                        .with_fact("ffi.bindgen.reason", "output_exists")
                }
                false => {
                    let message = format!("`{path}` exists, and differs from what was generated");
                    Diagnostic::error(codes::BINDGEN_OVERWRITE, bindgen.span, message)
                        .with_fact("ffi.bindgen.reason", "output_differs")
                        .with_help("remove it to have it generated; what is written by hand belongs in another file")
                }
            };
            diagnostic.facts.push(("ffi.bindgen.path", path.into()));
            let refused = diagnostic.is_error();
            self.report.add(diagnostic);
            if refused {
                return Err(());
            }
        }
        for (index, (path, bytes)) in places.into_iter().enumerate() {
            if present[index].as_ref() == Some(bytes) {
                continue;
            }
            let folder = absolute(path.parent().unwrap_or(Path::new("")));
            if let Err(problem) = std::fs::create_dir_all(folder).and_then(|()| files::write(path, bytes)) {
                let message = format!("`{}` cannot be written: {}", path.display(), describe(&problem));
                let fact = path.display().to_string();
                self.error(codes::BINDGEN_GENERATE, message).facts.push(("ffi.bindgen.path", fact.into()));
                return Err(());
            }
        }
        Ok(())
    }

    /// Are the files that are there what was generated of other headers, and still in the cache? Then they are nobody's work.
    fn is_of_another(&self, bindgen: &Bindgen, cache: &Cache, present: &[Option<Vec<u8>>; 2]) -> bool {
        let [Some(output), Some(manifest)] = present else { return false };
        let told: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let hash = told["input_hash"].as_str().unwrap_or_default();
        cache.keeps(hash, &files_of(bindgen, output.clone(), manifest.clone()))
    }
}

fn files_of(bindgen: &Bindgen, output: Vec<u8>, manifest: Vec<u8>) -> Files {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Files { output: (name(&bindgen.output), output), manifest: (name(&bindgen.manifest), manifest) }
}

/// What makes bindings.
const COMMAND: &str = "remlc build --emit-bindgen";

/// Looks whether the bindings of a section are there, and whether its headers have changed since, as far as the cache knows.
pub fn inspect(
    section: &Section,
    setting: &Setting,
    cache: &Cache,
    system: &dyn System,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(bindgen) = &section.bindgen else { return };
    let shown = bindgen.output.display();
    let default = section.file == Path::new(super::section::FILE);
    let config = if default { String::new() } else { format!(" --config {}", section.file.display()) };
    let help = format!("generate them: `{COMMAND}{config}`");
    if !system.is_file(&bindgen.output) {
        let message = format!("the bindings `{shown}` have not been generated");
        let path = shown.to_string();
        let diagnostic = Diagnostic::error(codes::BINDGEN_MISSING, bindgen.span, message);
        diagnostics.push(diagnostic.with_help(help).with_fact("ffi.bindgen.path", path));
        return;
    }
    // What is wrong with the configuration is a matter of the build.
    let Some(request) = Request::new(&setting.options(section, bindgen), &mut Report::default()) else { return };
    let told = system.read(&bindgen.manifest).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let is_stale = match cache.known(&request.key()) {
        Known::Never => false,
        Known::Changed => true,
        Known::Same { input_hash, .. } => told.is_some_and(|told| told["input_hash"] != input_hash),
    };
    if is_stale {
        let message = format!("the bindings `{shown}` are older than what they were generated from");
        let path = shown.to_string();
        let diagnostic = Diagnostic::warning(codes::BINDGEN_STALE, bindgen.span, message);
        diagnostics.push(diagnostic.with_help(help).with_fact("ffi.bindgen.path", path));
    }
}
