//! Which target profiles are there, and what is in one? A profile is a TOML file with a section `[profile]`, or comes with the compiler.

use std::path::{Path, PathBuf};

use reml_capability::platform::PROFILES;
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes, suggest};
use toml::de::DeTable;

use super::{Setting, section, section_keys};
use crate::link::describe;
use crate::system::System;

/// A profile that can be chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    pub id: String,
    pub triple: String,
    /// `None` for those that come with the compiler.
    pub file: Option<PathBuf>,
}

/// All profiles, by name. One in a file stands for the compiler's of that name.
pub fn known(system: &dyn System) -> Vec<Known> {
    let mut found: Vec<Known> = Vec::new();
    for file in files(system) {
        let Some(settings) = read(&file, system, &mut SourceMap::new(), &mut Vec::new()) else { continue };
        let value = |key: &str| settings.iter().find(|it| it.key == key).map(|it| it.value.clone());
        let Some(id) = value("profile_id") else { continue };
        if found.iter().all(|known| known.id != id) {
            found.push(Known { id, triple: value("target").unwrap_or_default(), file: Some(file) });
        }
    }
    for (id, triple) in PROFILES {
        if found.iter().all(|known| known.id != *id) {
            found.push(Known { id: (*id).to_owned(), triple: (*triple).to_owned(), file: None });
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

/// The settings of a profile: from a file of that name, or one that comes with the compiler.
pub fn find(id: &str, system: &dyn System, sources: &mut SourceMap) -> Option<Vec<Setting>> {
    for file in files(system) {
        // What is wrong with other profiles is no concern of whoever chooses this one.
        let Some(settings) = read(&file, system, sources, &mut Vec::new()) else { continue };
        if settings.iter().any(|setting| setting.key == "profile_id" && setting.value == id) {
            return Some(settings);
        }
    }
    let (_, triple) = PROFILES.iter().find(|(known, _)| *known == id)?;
    Some(vec![Setting { key: "target".to_owned(), value: (*triple).to_owned(), span: Span::NONE }])
}

/// The files that may be profiles: what `REML_TARGET_PROFILE_PATH` names, or lies in there, and what lies in `profiles` of
/// `REML_TOOLCHAIN_HOME`.
fn files(system: &dyn System) -> Vec<PathBuf> {
    let named = system.env("REML_TARGET_PROFILE_PATH").map(PathBuf::from);
    let home = system.env("REML_TOOLCHAIN_HOME").map(|home| Path::new(&home).join("profiles"));
    let mut files = Vec::new();
    for place in named.into_iter().chain(home) {
        if system.is_dir(&place) {
            let inside = system.entries(&place).unwrap_or_default();
            files.extend(inside.into_iter().filter(|file| file.extension().is_some_and(|it| it == "toml")));
        } else if system.is_file(&place) {
            files.push(place);
        }
    }
    files
}

/// The settings in a profile's file; what is wrong with it as a file is reported.
pub fn read(
    path: &Path,
    system: &dyn System,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Setting>> {
    let name = path.display().to_string();
    let mut problem =
        |span, message: String| diagnostics.push(Diagnostic::error(codes::TARGET_PROFILE_INVALID, span, message));
    let text = match system.read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        Err(why) => Err(describe(&why)),
    };
    let text = match text {
        Ok(text) => text,
        Err(why) => {
            problem(Span::NONE, format!("the profile `{name}` cannot be read: {why}"));
            return None;
        }
    };
    let Ok(file) = sources.add(name.clone(), text) else {
        problem(Span::NONE, format!("the profile `{name}` is too large"));
        return None;
    };
    let file = sources.file(file);
    let place = |range: std::ops::Range<usize>| Span::new(file.base + range.start as u32, file.base + range.end as u32);
    let root = match DeTable::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            let span = error.span().map_or(Span::new(file.base, file.base), place);
            problem(span, format!("the profile is not TOML: {}", error.message()));
            return None;
        }
    };
    let Some(table) = root.get_ref().get("profile").and_then(|profile| profile.get_ref().as_table()) else {
        problem(Span::new(file.base, file.base), "a profile has a section `[profile]`".to_owned());
        return None;
    };
    let mut unknown = Vec::new();
    let settings = section(table, file.base, &mut |key, span| unknown.push((key.to_owned(), span)));
    for (key, span) in unknown {
        let diagnostic = Diagnostic::error(
            codes::TARGET_UNKNOWN_KEY,
            span,
            format!("profiles have no key `{key}`, or not with such a value"),
        );
        diagnostics.push(match suggest::closest(&key, section_keys()).filter(|near| *near != key) {
            Some(near) => diagnostic.with_fix(span, near, format!("did you mean `{near}`?")),
            None => diagnostic.with_help("other properties belong into a section `[profile.extra]`"),
        });
    }
    let start = Span::new(file.base, file.base);
    for (key, property) in [("id", "profile_id"), ("triple", "target")] {
        if settings.iter().all(|setting| setting.key != property) {
            let message = format!("the profile has no `{key}`");
            diagnostics.push(Diagnostic::error(codes::TARGET_PROFILE_INVALID, start, message));
        }
    }
    Some(settings)
}
