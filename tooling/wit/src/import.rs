//! What does `remlc wit import` do? It makes bindings of a world, and writes them as a whole or not at all.

use std::path::{Path, PathBuf};

use reml_bindgen::files;
use reml_diagnostics::{Diagnostic, Span, codes};
use wit_parser::{Resolve, WorldId};

use crate::load::{Loaded, load};
use crate::manifest::{self, Manifest};
use crate::report::Report;
use crate::{bindings, emit};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Import {
    /// A file, or the folder of a package.
    pub wit: PathBuf,
    /// Needed where the package has several.
    pub world: Option<String>,
    /// Where the bindings come; without it they are only made.
    pub output: Option<PathBuf>,
    pub manifest: Option<PathBuf>,
}

/// Bindings, and what there is to say of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    pub source: String,
    pub manifest: String,
}

/// Makes bindings. Nothing is written if there is an error.
pub fn import(options: &Import, report: &mut Report) -> Option<Imported> {
    let loaded = load(&options.wit, report)?;
    let world = world(&loaded, options.world.as_deref(), report)?;
    let bindings = bindings::build(&loaded.resolve, world, report);
    if report.failed() {
        return None;
    }
    let module = match &options.output {
        Some(output) => reml_bindgen::module_name(output),
        None => crate::names::value_name(&loaded.resolve.worlds[world].name),
    };
    let source = match emit::source(&module, &bindings) {
        Ok(source) => source,
        Err(why) => {
            let message = format!("the bindings are not Reml, which is a mistake of remlc: {why}");
            report.error(codes::WIT_GENERATE, Span::NONE, message);
            return None;
        }
    };
    let manifest = manifest::text(&Manifest {
        files: &loaded.files,
        bindings: &bindings,
        generated: options.output.as_deref().map(files::recorded),
        left: &report.left,
    });
    let made = Imported { source, manifest };
    let outputs: Vec<(&Path, &str, &str)> = [
        (options.output.as_deref(), &*made.source, emit::MARK),
        (options.manifest.as_deref(), &*made.manifest, "\"input_hash\""),
    ]
    .into_iter()
    .filter_map(|(path, text, own)| Some((path?, text, own)))
    .collect();
    write(&outputs, report).then_some(made)
}

/// The world that is asked for, or the only one.
fn world(loaded: &Loaded, wanted: Option<&str>, report: &mut Report) -> Option<WorldId> {
    let Loaded { resolve, package, .. } = loaded;
    match resolve.select_world(&[*package], wanted) {
        Ok(world) => Some(world),
        Err(_) => {
            report.add(no_world(resolve, loaded, wanted));
            None
        }
    }
}

fn no_world(resolve: &Resolve, loaded: &Loaded, wanted: Option<&str>) -> Diagnostic {
    let package = &resolve.packages[loaded.package];
    let names: Vec<&str> = package.worlds.keys().map(String::as_str).collect();
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let error = |message: String| Diagnostic::error(codes::WIT_WORLD, Span::NONE, message);
    match (wanted, names.is_empty()) {
        (_, true) => error(format!("the package `{}` has no world", package.name))
            .with_help("bindings are those of a world; write `world NAME { import INTERFACE; }`"),
        (Some(wanted), false) => {
            let diagnostic = error(format!("the package `{}` has no world `{wanted}`", package.name));
            match reml_diagnostics::suggest::did_you_mean(wanted, names.iter().copied()) {
                Some(help) => diagnostic.with_help(help),
                None => diagnostic.with_note(format!("it has {}", listed())),
            }
        }
        (None, false) => error(format!("the package `{}` has several worlds: {}", package.name, listed()))
            .with_help("choose one with `--world`"),
    }
}

/// Writes all files, or none. What is there already is replaced, with a warning, unless somebody has written it by hand. `own` is what a generated file has in it.
pub fn write(outputs: &[(&Path, &str, &str)], report: &mut Report) -> bool {
    let mut staged = Vec::new();
    for &(path, text, own) in outputs {
        let before = std::fs::read(path).ok();
        if before.as_deref() == Some(text.as_bytes()) {
            continue;
        }
        let shown = files::displayed(path);
        if let Some(before) = before {
            if !String::from_utf8_lossy(&before).contains(own) {
                let message = format!("`{shown}` exists, and remlc wit has not generated it");
                report.add(
                    Diagnostic::error(codes::WIT_OVERWRITE, Span::NONE, message)
                        .with_help("remove it, or choose another place"),
                );
                return false;
            }
            let message = format!("`{shown}` exists, and is overwritten");
            report.add(Diagnostic::warning(codes::WIT_OVERWRITE, Span::NONE, message));
        }
        match files::stage(path, text) {
            Ok(file) => staged.push((shown, file)),
            Err(why) => {
                report.error(codes::WIT_GENERATE, Span::NONE, format!("`{shown}` cannot be written: {why}"));
                return false;
            }
        }
    }
    for (shown, file) in staged {
        if let Err(why) = file.publish() {
            report.error(codes::WIT_GENERATE, Span::NONE, format!("`{shown}` cannot be written: {why}"));
            return false;
        }
    }
    true
}
