//! Which files would have to change for headers to be read otherwise?
//!
//! Those that the compiler has read, of the system's, too. And those that it has looked for: a header that appears in a folder which is searched
//! earlier is read instead. What was looked for is found in the texts, where directives name files; conditions are not decided, so more files
//! are listed than count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::c::token::Source;
use crate::compiler::Compiler;
use crate::files;
use crate::manifest::digest;

/// The files behind a text of the preprocessor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependencies {
    /// The digests of the files that were read, in the order in which they were.
    pub files: Vec<(PathBuf, String)>,
    /// Other files that directives may mean, and whether they were there.
    pub probes: BTreeMap<PathBuf, bool>,
    /// The text is not a matter of files alone: it has the time in it.
    pub volatile: bool,
    /// The compiler, by its file and the variables that it reads.
    pub compiler: Vec<String>,
    /// A digest of the preprocessed text, which also depends on files that are only asked for.
    pub text: String,
}

impl Dependencies {
    pub(crate) fn of(source: &Source, compiler: &Compiler) -> Dependencies {
        let folders = compiler.folders();
        let mut found = Dependencies {
            files: Vec::new(),
            probes: BTreeMap::new(),
            volatile: false,
            compiler: compiler.identity(),
            text: without_places(&source.text),
        };
        let mut names: BTreeSet<(PathBuf, String)> = BTreeSet::new();
        for file in source.files.iter().filter(|file| !file.name.starts_with('<')) {
            let path = files::absolute(Path::new(&file.name));
            // A file that is gone already is another one than was read.
            let bytes = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let own = path.parent().unwrap_or(Path::new("/")).to_owned();
            names.extend(mentioned(&text).map(|name| (own.clone(), name.to_owned())));
            // A name may also come out of a macro: then it is the file's, as a folder that is searched has it.
            names.extend(folders.iter().filter_map(|folder| {
                let inner = path.strip_prefix(files::absolute(folder)).ok()?;
                Some((own.clone(), inner.to_str()?.to_owned()))
            }));
            found.volatile |= !file.system && CLOCKS.iter().any(|word| text.contains(word));
            found.files.push((path, digest(&bytes)));
        }
        for (own, name) in names {
            for folder in std::iter::once(&own).chain(&folders) {
                let path = files::absolute(&folder.join(&name));
                if !found.files.iter().any(|(known, _)| *known == path) {
                    let exists = path.exists();
                    found.probes.insert(path, exists);
                }
            }
        }
        found
    }

    /// A digest of what was read, wherever it lies, of the compiler that read it, and of what it made of it.
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for part in self.files.iter().map(|(_, digest)| digest).chain(&self.compiler).chain([&self.text]) {
            text.push_str(part);
            text.push('\n');
        }
        digest(text.as_bytes())
    }

    /// Is everything still as it was?
    pub fn hold(&self) -> bool {
        let same = |(path, known): &(PathBuf, String)| std::fs::read(path).is_ok_and(|bytes| digest(&bytes) == *known);
        !self.volatile
            && self.probes.iter().all(|(path, existed)| path.exists() == *existed)
            && self.files.iter().all(same)
    }
}

/// Macros that mean something else each time.
const CLOCKS: &[&str] = &["__DATE__", "__TIME__", "__TIMESTAMP__"];

/// A digest of a preprocessed text without the lines that say where the others come from.
fn without_places(text: &str) -> String {
    let is_place =
        |line: &str| line.strip_prefix("# ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let lines: Vec<&str> = text.lines().filter(|line| !is_place(line)).collect();
    digest(lines.join("\n").as_bytes())
}

/// What files ask about others with `__has_include`, and whether there are such in the folders that the compiler was told of. The system's are a
/// matter of the system.
pub(crate) fn answers<'a>(
    texts: impl Iterator<Item = (&'a Path, &'a str)>,
    compiler: &Compiler,
) -> Vec<(String, bool)> {
    let folders = compiler.folders();
    let mut found = Vec::new();
    for (path, text) in texts {
        let own = path.parent().unwrap_or(Path::new("/"));
        for name in text.lines().flat_map(asked) {
            let exists =
                std::iter::once(own).chain(folders.iter().map(PathBuf::as_path)).any(|it| it.join(name).exists());
            found.push((name.to_owned(), exists));
        }
    }
    found
}

/// The names of files in `#include <name>`, `#import`, `#include_next` and `__has_include("name")`.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| {
        let directive = line.trim_start().strip_prefix('#').map(str::trim_start);
        let included = directive.and_then(|it| it.strip_prefix("include").or_else(|| it.strip_prefix("import")));
        let included = included.map(|it| it.strip_prefix("_next").unwrap_or(it));
        included.and_then(named).into_iter().chain(asked(line))
    })
}

/// The names in `__has_include(<name>)`.
fn asked(line: &str) -> impl Iterator<Item = &str> {
    line.split("__has_include")
        .skip(1)
        .filter_map(|rest| named(rest.strip_prefix("_next").unwrap_or(rest).trim_start().strip_prefix('(')?))
}

/// The name that `"name"` or `<name>` is at the beginning of a text.
fn named(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let close = match text.chars().next()? {
        '"' => '"',
        '<' => '>',
        _ => return None,
    };
    let name = text[1..].split(close).next()?;
    (!name.is_empty() && text.len() > name.len() + 1).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_name_files() {
        let text = "#include \"a.h\"\n #  include<b/c.h>\n#include_next <d.h> // x\n#if __has_include(\"e.h\") && __has_include ( <f.h> )\n\
            #include MACRO\n#include \"unfinished\n#import <g.h>\n#define X \"h.h\"\n";
        assert_eq!(mentioned(text).collect::<Vec<_>>(), ["a.h", "b/c.h", "d.h", "e.h", "f.h", "g.h"]);
    }
}
