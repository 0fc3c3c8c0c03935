//! Which declarations belong to the binding? Those of the headers that were asked for, and of what is part of these.

use std::path::Path;

use regex::Regex;

use crate::c::token::Source;
use crate::config::{Config, Header};
use crate::files;

/// For each file of a source whether its declarations are bound.
///
/// These are the headers themselves, and those that the compiler does not count among the headers of the system. Of the latter, only those
/// that `follow` names, and what a C library keeps in `bits` for the headers that are bound: nobody includes that by itself.
pub fn files_in_scope(source: &Source, config: &Config) -> Vec<bool> {
    let mut scope: Vec<bool> = Vec::with_capacity(source.files.len());
    let mut found = vec![false; config.headers.len()];
    for file in &source.files {
        let path = Path::new(&file.name);
        let header = config.headers.iter().position(|header| match header {
            Header::File { path: header, .. } => files::absolute(header) == files::absolute(path),
            Header::System(name) => path.ends_with(name),
        });
        // The first file of this name is the one that was meant.
        let asked = header.is_some_and(|index| matches!(config.headers[index], Header::File { .. }) || !found[index]);
        if let Some(index) = header {
            found[index] = true;
        }
        let inner = path.parent().is_some_and(|folder| folder.ends_with("bits"));
        let included = file.includer.and_then(|includer| scope.get(includer)).copied().unwrap_or(false);
        let own = !file.name.starts_with('<') && !file.system;
        scope.push(asked || own || inner && included || config.follow.iter().any(|it| it.is_match(&file.name)));
    }
    scope
}

/// The paths of the headers, as the compiler has found them.
pub fn resolved(source: &Source, header: &Header) -> String {
    match header {
        Header::File { path, .. } => files::recorded(path),
        Header::System(name) => {
            let file = source.files.iter().find(|file| Path::new(&file.name).ends_with(name));
            file.map_or_else(|| name.clone(), |file| file.name.clone())
        }
    }
}

/// Whether a symbol is wanted by its name.
pub fn is_wanted(name: &str, config: &Config) -> bool {
    let matches = |list: &[Regex]| list.iter().any(|pattern| pattern.is_match(name));
    !matches(&config.exclude) && (config.allow.is_empty() || matches(&config.allow))
}

/// Whether it was said that a name shall not be bound.
pub fn is_excluded(name: &str, config: &Config) -> bool {
    config.exclude.iter().any(|pattern| pattern.is_match(name))
}
