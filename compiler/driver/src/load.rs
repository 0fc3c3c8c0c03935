//! Which modules does a program consist of? Reads the file or package it was given, and everything that `use`
//! declarations reach from there: sibling modules, dependencies, the standard library.
//!
//! A path may name a module, an item in one, or an item in the module it stands in; only name resolution can tell. So
//! loading is generous: for every prefix of every path, each file that the prefix could mean is loaded, and what turns
//! out to be no module at all is left for name resolution to report.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use reml_capability::stage::Stages;
use reml_diagnostics::{Diagnostic, FileId, SourceMap, Span, codes};
use reml_semantics::{ManifestDsl, SourceModule};
use reml_syntax::ast;
use reml_syntax::names::Names;
use rustc_hash::FxHashSet;

use crate::config::tree::Node;
use crate::contract;
use crate::package::{self, MANIFEST, Manifest};
use crate::permissions::Permissions;
use crate::stdlib;
use crate::system::{System, normal};
use crate::target::Setting;

const PRELUDE: &str = "Core.Prelude";

/// Library modules that every program needs, whether or not it names them: the prelude, and what syntax desugars to.
const ALWAYS: &[&str] = &[
    PRELUDE,
    "Core.Lang",
    "Core.Ops",
    "Core.Option",
    "Core.Result",
    "Core.List",
    "Core.Iter",
    "Core.Range",
    "Core.Array",
    "Core.Int",
    "Core.Float",
    "Core.Str",
    "Core.Char",
    "Core.Bool",
];

/// Modules that a library module gives whoever uses it a name of, but that few programs need: they are loaded, with all that they use, where a
/// program's text asks for them.
const ON_DEMAND: &[OnDemand] = &[
    OnDemand { user: PRELUDE, module: "Core.IO", asks: |text| text.contains("IO") },
    OnDemand { user: PRELUDE, module: "Core.Data.Json", asks: may_mention_json },
    OnDemand { user: "Core.Env", module: "Core.Env.Target", asks: |text| text.contains("arget") },
    OnDemand {
        user: "Core.Runtime",
        module: "Core.Runtime.Gc",
        asks: |text| text.contains("gc_profile") || text.contains("Gc"),
    },
    OnDemand { user: "Core.Config", module: "Core.Config.Manifest", asks: |text| text.contains("manifest") },
    OnDemand { user: "Core.Env", module: "Core.Env.Profiles", asks: |text| text.contains("_profile") },
];

struct OnDemand {
    /// The module that names it.
    user: &'static str,
    module: &'static str,
    /// Does a text ask for it?
    asks: fn(&str) -> bool,
}

/// The modules of a program, parsed.
pub struct Loaded {
    pub modules: Vec<SourceModule>,
    /// The file of each module.
    pub files: Vec<FileId>,
    /// Index of the module whose `main` runs; absent when its file could not be read.
    pub root: Option<usize>,
    /// The name of the package the program belongs to.
    pub package_name: Option<String>,
    /// What the program's own manifest says about capabilities.
    pub stages: Stages,
    pub permissions: Permissions,
    /// What it expects of exports.
    pub dsls: Vec<ManifestDsl>,
    /// What that package says of the target.
    pub target: Vec<Setting>,
    /// What the program's own manifest says that conductors require.
    pub contract: Vec<contract::Entry>,
    /// All that the manifests say which were read; absent for one that is not TOML.
    pub manifests: Vec<(FileId, Option<Node>)>,
    /// Where the program's own modules may lie.
    pub folders: Vec<Folder>,
    /// The folders of the packages that the program's depends on.
    pub dependencies: Vec<PathBuf>,
}

/// A folder with modules of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    pub path: PathBuf,
    /// The folders in it are part of it: those of a package's sources, but not those beside a script.
    pub whole: bool,
}

/// A package, as the loader sees it.
struct Package {
    /// What the names of its modules start with: nothing for the program's own.
    prefix: Option<Box<str>>,
    /// Where its modules lie.
    src: PathBuf,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Index into the loader's packages.
    package: usize,
}

/// A module that is wanted.
struct Wanted {
    name: Box<str>,
    path: PathBuf,
    package: usize,
}

pub struct Loader<'a> {
    system: &'a dyn System,
    sources: &'a mut SourceMap,
    names: &'a mut Names,
    diagnostics: &'a mut Vec<Diagnostic>,
    packages: Vec<Package>,
    /// Directories of packages, to load each once.
    package_roots: Vec<PathBuf>,
    seen: FxHashSet<Box<str>>,
    seen_files: FxHashSet<PathBuf>,
    queue: VecDeque<Wanted>,
    core_queue: VecDeque<Box<str>>,
    loaded: Loaded,
}

/// `package` of library modules.
const CORE_PACKAGE: u32 = u32::MAX;

/// Reads the program that `input` names: a source file, or a directory with a manifest.
pub fn load(
    input: &Path,
    system: &dyn System,
    sources: &mut SourceMap,
    names: &mut Names,
    diagnostics: &mut Vec<Diagnostic>,
) -> Loaded {
    let mut loader = Loader {
        system,
        sources,
        names,
        diagnostics,
        packages: Vec::new(),
        package_roots: Vec::new(),
        seen: FxHashSet::default(),
        seen_files: FxHashSet::default(),
        queue: VecDeque::new(),
        core_queue: VecDeque::new(),
        loaded: Loaded {
            modules: Vec::new(),
            files: Vec::new(),
            root: None,
            package_name: None,
            stages: Stages::default(),
            permissions: Permissions::default(),
            dsls: Vec::new(),
            target: Vec::new(),
            contract: Vec::new(),
            manifests: Vec::new(),
            folders: Vec::new(),
            dependencies: Vec::new(),
        },
    };
    loader.program(input);
    loader.find_folders(input);
    loader.loaded.dependencies = loader.package_roots.iter().skip(1).cloned().collect();
    loader.loaded
}

impl Loader<'_> {
    fn program(&mut self, input: &Path) {
        let file = if self.system.is_dir(input) {
            if !self.system.is_file(&input.join(MANIFEST)) {
                self.diagnostics.push(
                    Diagnostic::error(
                        codes::SOURCE_UNREADABLE,
                        Span::NONE,
                        format!("`{}` is a directory without a `{MANIFEST}`", input.display()),
                    )
                    .with_help("name a source file, or give the directory a manifest"),
                );
                return;
            }
            match self.package(input, None, Span::NONE) {
                Some(package) => self.packages[package].src.join("main.reml"),
                None => return,
            }
        } else {
            input.to_owned()
        };
        let Some(text) = self.read(&file, Span::NONE) else { return };
        let Some(id) = self.add(&file.display().to_string(), text) else { return };
        let module = self.parse(id);

        let package = match self.packages.is_empty() {
            false => 0,
            true => self.package_of(&file, &module),
        };
        let name = self.module_name(&file, package, &module);
        self.seen.insert(name.clone());
        self.seen_files.insert(normal(&file));
        self.loaded.root = Some(0);
        self.accept(name, id, module, package);
        for name in ALWAYS {
            self.want_core(name);
        }
        self.drain();
        self.trim();
    }

    /// Notes where the modules of the program may lie, whether or not they are there.
    fn find_folders(&mut self, input: &Path) {
        let mut folders: Vec<Folder> = Vec::new();
        let mut add = |path: &Path, whole: bool| {
            let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
            if !folders.iter().any(|folder| folder.path == path || folder.whole && path.starts_with(&folder.path)) {
                folders.push(Folder { path, whole });
            }
        };
        for (package, root) in self.packages.iter().zip(&self.package_roots) {
            if !root.as_os_str().is_empty() {
                add(&package.src, true);
                add(root, false);
            }
        }
        let own = self.loaded.modules.iter().zip(&self.loaded.files).filter(|(module, _)| !module.is_core);
        let files = own.map(|(_, &file)| PathBuf::from(&*self.sources.file(file).name));
        for file in files.chain((!self.system.is_dir(input)).then(|| input.to_owned())) {
            add(file.parent().unwrap_or(Path::new("")), false);
        }
        self.loaded.folders = folders;
    }

    /// Takes out of library modules the names of what has not been loaded.
    fn trim(&mut self) {
        let names = &*self.names;
        let seen = &self.seen;
        let is_user = |name: &str| ON_DEMAND.iter().any(|it| it.user == name);
        for module in self.loaded.modules.iter_mut().filter(|module| module.is_core && is_user(&module.name)) {
            let name = module.name.clone();
            module.ast.items.retain(|item| match &item.kind {
                ast::ItemKind::Use(use_) => on_demand(&name, &use_.tree, names).is_none_or(|it| seen.contains(it)),
                _ => true,
            });
        }
    }

    /// The package a file belongs to: that of the nearest manifest when the file lies in its source directory; else
    /// the file stands alone, with its siblings.
    fn package_of(&mut self, file: &Path, module: &ast::Module) -> usize {
        let folder = file.parent().unwrap_or(Path::new(""));
        if let Some(root) = package::find_root(folder, self.system) {
            let current = self.system.current_dir().unwrap_or_default();
            let before = self.diagnostics.len();
            if let Some(package) = self.package(&root, None, Span::NONE)
                && normal(&current.join(file)).starts_with(normal(&current.join(&self.packages[package].src)))
            {
                return package;
            }
            // A broken manifest above a script is none of its business, unless the script lies in its sources.
            if self.packages.is_empty()
                && !normal(&current.join(file)).starts_with(normal(&current.join(&root)).join("src"))
            {
                self.diagnostics.truncate(before);
            }
        }
        // `module a.b.c` in `x/a/b/c.reml`: modules are found from `x`.
        let mut src = folder.to_owned();
        if let Some(header) = &module.header {
            let parts: Vec<&str> = header.segments.iter().map(|segment| self.names.text(segment.name)).collect();
            let tail: PathBuf = parts.iter().collect::<PathBuf>().with_extension("reml");
            if file.ends_with(&tail) {
                src = file.ancestors().nth(parts.len()).unwrap_or(Path::new("")).to_owned();
            }
        }
        self.packages.push(Package { prefix: None, src, dependencies: Vec::new() });
        self.package_roots.push(PathBuf::new());
        self.packages.len() - 1
    }

    /// Loads a package's manifest, and those of its dependencies. `prefix`: the name under which it is depended on.
    fn package(&mut self, root: &Path, prefix: Option<&str>, from: Span) -> Option<usize> {
        let key = normal(&self.system.current_dir().unwrap_or_default().join(root));
        if let Some(known) = self.package_roots.iter().position(|other| *other == key) {
            return Some(known);
        }
        let path = root.join(MANIFEST);
        let text = self.read(&path, from)?;
        let file = self.add(&path.display().to_string(), text)?;
        let parsed = package::parse(self.sources.file(file));
        self.diagnostics.extend(parsed.diagnostics);
        self.loaded.manifests.push((file, parsed.tree));
        let Manifest { name, src, dependencies, stages, permissions, dsls, target, contract, .. } = parsed.manifest?;
        let index = self.packages.len();
        if index == 0 {
            self.loaded.package_name = Some(name);
            self.loaded.stages = stages;
            self.loaded.permissions = Permissions { file: path, sets: permissions };
            self.loaded.dsls = dsls;
            self.loaded.target = target;
            self.loaded.contract = contract;
        }
        self.packages.push(Package { prefix: prefix.map(Into::into), src: root.join(src), dependencies: Vec::new() });
        self.package_roots.push(key);
        for dependency in dependencies {
            let Some(path) = &dependency.path else {
                let name = &dependency.name;
                self.diagnostics.push(
                    Diagnostic::error(
                        codes::PACKAGE_DEPENDENCY_MISSING,
                        dependency.span,
                        format!("the dependency `{name}` has no `path`"),
                    )
                    .with_help(format!("packages are found by path so far: `{name} = {{ path = \"../{name}\" }}`")),
                );
                continue;
            };
            let directory = root.join(path);
            if !self.system.is_file(&directory.join(MANIFEST)) {
                self.diagnostics.push(Diagnostic::error(
                    codes::PACKAGE_DEPENDENCY_MISSING,
                    dependency.span,
                    format!("there is no package at `{}`: no `{MANIFEST}` there", directory.display()),
                ));
                continue;
            }
            let name = match prefix {
                Some(prefix) => format!("{prefix}.{}", dependency.name),
                None => dependency.name.clone(),
            };
            if let Some(package) = self.package(&directory, Some(&name), dependency.span) {
                self.packages[index].dependencies.push(Dependency { name: dependency.name, package });
            }
        }
        Some(index)
    }

    /// A module's full name: its header, or the path below its package's sources.
    fn module_name(&self, file: &Path, package: usize, module: &ast::Module) -> Box<str> {
        let package = &self.packages[package];
        let own = match &module.header {
            Some(header) if package.prefix.is_none() => {
                let parts: Vec<&str> = header.segments.iter().map(|segment| self.names.text(segment.name)).collect();
                parts.join(".")
            }
            _ => {
                let current = self.system.current_dir().unwrap_or_default();
                let src = normal(&current.join(&package.src));
                let file = normal(&current.join(file)).with_extension("");
                let relative = file.strip_prefix(&src).unwrap_or(&file);
                let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy().replace('.', "_")).collect();
                parts.join(".")
            }
        };
        match &package.prefix {
            None => own.into(),
            Some(prefix) => format!("{prefix}.{own}").into(),
        }
    }

    fn drain(&mut self) {
        loop {
            if let Some(Wanted { name, path, package }) = self.queue.pop_front() {
                let Some(text) = self.read(&path, Span::NONE) else { continue };
                let Some(id) = self.add(&path.display().to_string(), text) else { return };
                let module = self.parse(id);
                self.accept(name, id, module, package);
            } else if let Some(name) = self.core_queue.pop_front() {
                let Some(library) = stdlib::find(&name, self.system) else { continue };
                let Some(id) = self.add(&library.file_name, library.text.into_owned()) else { return };
                let module = self.parse(id);
                for item in &module.items {
                    if let ast::ItemKind::Use(use_) = &item.kind
                        && on_demand(&name, &use_.tree, self.names).is_none()
                    {
                        let mut paths = Vec::new();
                        flatten(&use_.tree, ast::PathAnchor::Relative, &[], &mut paths);
                        paths.iter().for_each(|path| self.want_core_path(&name, path));
                    }
                }
                self.loaded.files.push(id);
                self.loaded.modules.push(SourceModule { name, ast: module, is_core: true, package: CORE_PACKAGE });
            } else {
                return;
            }
        }
    }

    fn accept(&mut self, name: Box<str>, id: FileId, module: ast::Module, package: usize) {
        let text = self.sources.file(id).text.clone();
        for path in use_paths(&module).into_iter().chain(local_use_paths(&text, self.names)) {
            self.want(&name, package, &path);
        }
        for path in library_paths(&text) {
            self.want_core(&path);
        }
        for OnDemand { user, module, asks } in ON_DEMAND {
            // The prelude is used without being named.
            let is_used = *user == PRELUDE || user.rsplit('.').next().is_some_and(|name| text.contains(name));
            if is_used && asks(&text) {
                self.want_core(module);
            }
        }
        // Conductors are made of what is there. Reading the text finds those inside of functions, too.
        if text.contains("conductor") {
            self.want_core("Core.Dsl");
        }
        // What `async` and `await` mean. The words elsewhere only cost time.
        if text.contains("async") || text.contains("await") {
            self.want_core("Core.Async");
        }
        self.loaded.files.push(id);
        self.loaded.modules.push(SourceModule { name, ast: module, is_core: false, package: package as u32 });
    }

    /// Queues every module a path in module `from` could go through.
    fn want(&mut self, from: &str, package: usize, path: &UsePath) {
        let segments: Vec<String> = path.segments.iter().map(|&name| self.names.text(name).to_owned()).collect();
        // The modules a path may start from, outermost last; as parts of a full name.
        let own: Vec<&str> = from.split('.').collect();
        let starts: Vec<&[&str]> = match path.anchor {
            ast::PathAnchor::Root => vec![&[]],
            ast::PathAnchor::SelfModule => vec![&own],
            ast::PathAnchor::Super(levels) => vec![&own[..own.len().saturating_sub(levels as usize)]],
            ast::PathAnchor::Relative => (0..=own.len()).rev().map(|length| &own[..length]).collect(),
        };
        for start in starts {
            for length in 1..=segments.len() {
                let parts: Vec<&str> =
                    start.iter().copied().chain(segments[..length].iter().map(String::as_str)).collect();
                if parts[0] == "Core" {
                    self.want_core(&parts.join("."));
                } else {
                    self.want_module(&parts, package);
                }
            }
        }
    }

    fn want_core_path(&mut self, from: &str, path: &UsePath) {
        let segments: Vec<&str> = path.segments.iter().map(|&name| self.names.text(name)).collect();
        let own: Vec<&str> = from.split('.').collect();
        let mut wanted = Vec::new();
        let levels = match path.anchor {
            ast::PathAnchor::Super(levels) => levels as usize,
            _ => 0,
        };
        for start in [&own[..0], &own[..own.len().saturating_sub(levels)]] {
            for length in 1..=segments.len() {
                let parts: Vec<&str> = start.iter().chain(&segments[..length]).copied().collect();
                if parts[0] == "Core" {
                    wanted.push(parts.join("."));
                }
            }
        }
        for name in wanted {
            self.want_core(&name);
        }
    }

    fn want_core(&mut self, name: &str) {
        if !self.seen.contains(name) {
            self.seen.insert(name.into());
            self.core_queue.push_back(name.into());
        }
    }

    /// Queues the file of the module with the full name `parts`, if there is one, as seen from a package.
    fn want_module(&mut self, parts: &[&str], package: usize) {
        // In the package itself: the name without the package's own prefix.
        let prefix_length = self.packages[package].prefix.as_ref().map_or(0, |prefix| prefix.split('.').count());
        let inside = match &self.packages[package].prefix {
            None => Some(parts),
            Some(prefix) if parts.join(".").starts_with(&format!("{prefix}.")) => Some(&parts[prefix_length..]),
            Some(_) => None,
        };
        if let Some(inside) = inside {
            let path = self.packages[package].src.join(inside.iter().collect::<PathBuf>()).with_extension("reml");
            self.want_file(&parts.join("."), path, package);
        }
        // In a dependency: its name is the first part after the package's own prefix.
        let Some(inside) = inside else { return };
        let Some(dependency) = self.packages[package].dependencies.iter().find(|it| it.name == inside[0]) else {
            return;
        };
        let target = dependency.package;
        let src = &self.packages[target].src;
        let path = match &inside[1..] {
            [] => src.join("lib.reml"),
            rest => src.join(rest.iter().collect::<PathBuf>()).with_extension("reml"),
        };
        // The name the dependency goes by, which another package may have given it.
        let prefix = self.packages[target].prefix.clone().unwrap_or_default();
        let name: Vec<&str> = prefix.split('.').chain(inside[1..].iter().copied()).collect();
        self.want_file(&name.join("."), path, target);
    }

    fn want_file(&mut self, name: &str, path: PathBuf, package: usize) {
        if self.seen.contains(name) || !self.system.is_file(&path) {
            return;
        }
        self.seen.insert(name.into());
        // The root file may go by another name, that of its header.
        if self.seen_files.insert(normal(&path)) {
            self.queue.push_back(Wanted { name: name.into(), path, package });
        }
    }

    /// A file's text, or a diagnostic.
    fn read(&mut self, path: &Path, from: Span) -> Option<String> {
        match read_text(path, self.system) {
            Ok(text) => Some(text),
            Err(mut diagnostic) => {
                diagnostic.primary = from;
                self.diagnostics.push(*diagnostic);
                None
            }
        }
    }

    fn add(&mut self, name: &str, text: String) -> Option<FileId> {
        match self.sources.add(name, text) {
            Ok(id) => Some(id),
            Err(_) => {
                self.diagnostics.push(Diagnostic::error(
                    codes::SOURCE_TOO_LARGE,
                    Span::NONE,
                    format!("`{name}` makes the program's sources larger than 4 GiB"),
                ));
                None
            }
        }
    }

    fn parse(&mut self, id: FileId) -> ast::Module {
        let file = self.sources.file(id);
        let parsed = reml_syntax::parse(&file.text, file.base, self.names);
        self.diagnostics.extend(parsed.diagnostics);
        parsed.module
    }
}

/// The text of a source file. The errors say what is wrong with the file as a whole.
pub(crate) fn read_text(path: &Path, system: &dyn System) -> Result<String, Box<Diagnostic>> {
    let name = path.display();
    let error = |code, message| Box::new(Diagnostic::error(code, Span::NONE, message));
    let bytes = system.read(path).map_err(|problem| match problem.kind() {
        io::ErrorKind::NotFound => error(codes::SOURCE_NOT_FOUND, format!("there is no file `{name}`")),
        io::ErrorKind::IsADirectory => {
            error(codes::SOURCE_UNREADABLE, format!("`{name}` is a directory, not a source file"))
        }
        _ => error(codes::SOURCE_UNREADABLE, format!("`{name}` cannot be read: {problem}")),
    })?;
    if u32::try_from(bytes.len()).is_err() {
        return Err(error(codes::SOURCE_TOO_LARGE, format!("`{name}` is larger than 4 GiB")));
    }
    if bytes[..bytes.len().min(8_000)].contains(&0) {
        return Err(error(codes::SOURCE_BINARY, format!("`{name}` is a binary file, not source text")));
    }
    String::from_utf8(bytes).map_err(|problem| {
        let offset = problem.utf8_error().valid_up_to();
        let bytes = problem.as_bytes();
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        let mut diagnostic = error(
            codes::SOURCE_INVALID_UTF8,
            format!("`{name}` is not UTF-8: byte 0x{:02X} at offset {offset}, in line {line}", bytes[offset]),
        );
        diagnostic.helps.push("save the file with the encoding UTF-8".into());
        diagnostic
    })
}

/// The paths of `use`s inside of functions: indented lines that start with `use`. Reading the lines finds them without a
/// walk over every expression of the tree.
fn local_use_paths(text: &str, names: &mut Names) -> Vec<UsePath> {
    let mut paths = Vec::new();
    for line in text.lines() {
        let Some(path) = line.trim_start().strip_prefix("use ").filter(|_| line.starts_with([' ', '\t'])) else {
            continue;
        };
        let (outer, group) = path.split_once('{').unwrap_or((path, ""));
        for inner in group.split(['{', ',', '}']) {
            let words = outer.split(['.', ':']).chain(inner.split(['.', ':']));
            let mut anchor = ast::PathAnchor::Relative;
            let mut segments = Vec::new();
            for word in words {
                match word.split_whitespace().next() {
                    None => {}
                    Some("self") => anchor = ast::PathAnchor::SelfModule,
                    Some("super") => {
                        let levels = if let ast::PathAnchor::Super(levels) = anchor { levels } else { 0 };
                        anchor = ast::PathAnchor::Super(levels + 1);
                    }
                    Some(name) => segments.push(names.intern(name)),
                }
            }
            if !segments.is_empty() {
                paths.push(UsePath { anchor, segments });
            }
        }
    }
    paths
}

/// Every prefix of every `Core.a.b` in a text: library modules may be named in full, without a `use`, and by a `use`
/// inside a function. Matches in comments and texts only cost time.
fn library_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("Core") {
        let mut path = String::from("Core");
        let mut rest = &text[at + "Core".len()..];
        while let Some(after) = rest.strip_prefix("::").or_else(|| rest.strip_prefix('.')) {
            let length = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
            if length == 0 {
                break;
            }
            path = format!("{path}.{}", &after[..length]);
            paths.push(path.clone());
            rest = &after[length..];
        }
    }
    paths
}

/// One path of a `use`, flattened.
struct UsePath {
    anchor: ast::PathAnchor,
    segments: Vec<reml_syntax::names::Symbol>,
}

/// All paths that a module's `use`s mention.
/// The module of [`ON_DEMAND`] that a `use` in `user` is about.
fn on_demand(user: &str, tree: &ast::UseTree, names: &Names) -> Option<&'static str> {
    let mut of_user = ON_DEMAND.iter().filter(|it| it.user == user).peekable();
    of_user.peek()?;
    let path: Vec<&str> = tree.path.segments.iter().map(|segment| names.text(segment.name)).collect();
    let path = path.join(".");
    of_user.map(|it| it.module).find(|module| *module == path)
}

/// Does a text name JSON, or could it contain an object `{ "key": value }`?
fn may_mention_json(text: &str) -> bool {
    let key = |(at, _): (usize, &str)| text[at + 1..].trim_start().starts_with([':', '/']);
    text.contains("Json") || text.contains("json") || text.match_indices('"').any(key)
}

fn use_paths(module: &ast::Module) -> Vec<UsePath> {
    let mut paths = Vec::new();
    for item in &module.items {
        if let ast::ItemKind::Use(use_) = &item.kind {
            flatten(&use_.tree, ast::PathAnchor::Relative, &[], &mut paths);
        }
    }
    paths
}

fn flatten(
    tree: &ast::UseTree,
    anchor: ast::PathAnchor,
    outer: &[reml_syntax::names::Symbol],
    paths: &mut Vec<UsePath>,
) {
    let anchor = if outer.is_empty() { tree.path.anchor } else { anchor };
    let mut segments = outer.to_vec();
    segments.extend(tree.path.segments.iter().map(|segment| segment.name));
    match &tree.kind {
        ast::UseKind::Simple { .. } => paths.push(UsePath { anchor, segments }),
        ast::UseKind::Group(trees) => {
            for tree in trees {
                flatten(tree, anchor, &segments, paths);
            }
            paths.push(UsePath { anchor, segments });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    /// The names of the modules that are not the library's, and the codes of all diagnostics.
    fn loaded(system: &MemorySystem, input: &str) -> (Vec<String>, Vec<&'static str>) {
        let (mut sources, mut names, mut diagnostics) = (SourceMap::new(), Names::new(), Vec::new());
        let loaded = load(Path::new(input), system, &mut sources, &mut names, &mut diagnostics);
        let modules = loaded.modules.iter().filter(|module| !module.is_core);
        let codes = diagnostics.iter().map(|diagnostic| diagnostic.code.0);
        (modules.map(|module| module.name.to_string()).collect(), codes.collect())
    }

    #[test]
    fn a_file_finds_its_siblings() {
        let system = MemorySystem::new()
            .with("d/main.reml", "use util.text.{trim, pad as p}\nuse ::other\nuse nothing\n")
            .with("d/util/text.reml", "use super.number\nuse self.deep.x\n")
            .with("d/util/number.reml", "fn f() {\n  use ::local.{a, b as c}\n}\n")
            .with("d/local.reml", "")
            .with("d/util/text/deep.reml", "")
            .with("d/other.reml", "use main.f\n")
            .with("d/unrelated.reml", "");
        let (modules, codes) = loaded(&system, "d/main.reml");
        assert_eq!(modules, ["main", "util.text", "other", "util.number", "util.text.deep", "local"]);
        assert_eq!(codes, Vec::<&str>::new());
    }

    #[test]
    fn a_header_names_the_module_and_the_source_root() {
        let system = MemorySystem::new()
            .with("src/app/start.reml", "module app.start\nuse app.other\n")
            .with("src/app/other.reml", "");
        assert_eq!(loaded(&system, "src/app/start.reml").0, ["app.start", "app.other"]);
    }

    #[test]
    fn packages_see_their_dependencies() {
        let manifest = |name: &str, rest: &str| format!("[project]\nname = \"{name}\"\nversion = \"1.0.0\"\n{rest}");
        let system = MemorySystem::new()
            .with("a/reml.toml", manifest("a", "[dependencies]\nb = { path = \"../b\" }\n"))
            .with("a/src/main.reml", "use b.shapes.area\nuse b.f\n")
            .with("b/reml.toml", manifest("b", "[dependencies]\nc = { path = \"../c\" }\n"))
            .with("b/src/lib.reml", "use c.deep\nuse inner.x\n")
            .with("b/src/shapes.reml", "")
            .with("b/src/inner.reml", "")
            .with("c/reml.toml", manifest("c", ""))
            .with("c/src/deep.reml", "");
        for input in ["a", "a/src/main.reml"] {
            let (modules, codes) = loaded(&system, input);
            assert_eq!(modules, ["main", "b", "b.shapes", "b.c.deep", "b.inner"]);
            assert_eq!(codes, Vec::<&str>::new());
        }
    }

    #[test]
    fn a_script_below_a_package_stands_alone() {
        let system = MemorySystem::new()
            .with("reml.toml", "[project]")
            .with("scripts/a.reml", "use b\n")
            .with("scripts/b.reml", "");
        assert_eq!(loaded(&system, "scripts/a.reml"), (vec!["a".into(), "b".into()], vec![]));
    }

    #[test]
    fn library_modules_are_found_by_their_full_names() {
        assert_eq!(library_paths("x = Core.Map.insert(Core::Set)"), ["Core.Map", "Core.Map.insert", "Core.Set"]);
    }
}
