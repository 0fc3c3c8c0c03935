//! Examples in documentation: blocks marked `reml` in the `///` and `//!` comments of a module.
//!
//! A block is the body of a `main`, or a whole program when it has a `main` of its own. It sees the public names of its
//! module; those of the library are `use`d by the block, as readers have to. It has to end without a panic and, when a block marked `output` follows, print exactly that.

use std::path::{Path, PathBuf};

use reml_syntax::ast;
use reml_syntax::names::Names;

use crate::package::{self, MANIFEST};
use crate::stdlib;
use crate::system::System;

#[derive(Clone, Debug)]
pub struct Example {
    pub module: String,
    /// Of the opening fence, from 1.
    pub line: u32,
    /// Where the program stands, beside its module; no such file exists.
    pub path: PathBuf,
    pub text: String,
    pub output: Option<String>,
}

/// The name of the module in a file below `src`.
pub fn module_name(file: &Path, src: &Path) -> Option<String> {
    let relative = file.strip_prefix(src).ok()?.with_extension("");
    let parts: Vec<String> =
        relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    Some(parts.join("."))
}

/// The examples in a file that belongs to the program that starts at `root`.
pub fn find(file: &Path, text: &str, root: &Path, system: &dyn System) -> Vec<Example> {
    let blocks = blocks(text);
    if blocks.is_empty() {
        return Vec::new();
    }
    let folder = root.parent().unwrap_or(Path::new(""));
    let src = sources_of(folder, system).unwrap_or_else(|| folder.to_owned());
    let Some(module) = module_name(file, &src) else { return Vec::new() };
    let names = if stdlib::is_library(&module) { Vec::new() } else { public_names(text) };
    let import = match names.as_slice() {
        [] => format!("use {module}\n"),
        names => format!("use {module}\nuse {module}.{{{}}}\n", names.join(", ")),
    };
    let example = |block: Block| {
        let path = src.join(format!("remlc_example_{}.reml", block.line));
        Example {
            module: module.clone(),
            line: block.line,
            path,
            text: program(&import, &block.text),
            output: block.output,
        }
    };
    blocks.into_iter().map(example).collect()
}

/// The source directory of the package that a folder lies in.
fn sources_of(folder: &Path, system: &dyn System) -> Option<PathBuf> {
    let root = package::find_root(folder, system)?;
    let mut sources = reml_diagnostics::SourceMap::new();
    let text = String::from_utf8(system.read(&root.join(MANIFEST)).ok()?).ok()?;
    let file = sources.add("", text).ok()?;
    let src = root.join(package::parse(sources.file(file)).manifest?.src);
    folder.starts_with(&src).then_some(src)
}

fn program(import: &str, block: &str) -> String {
    let (uses, rest): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with("use "));
    let uses: String = uses
        .iter()
        .filter(|line| !import.lines().any(|other| other == **line))
        .map(|line| format!("{line}\n"))
        .collect();
    if rest.iter().any(|line| line.starts_with("fn main(")) {
        return format!("{import}{uses}{}\n", rest.join("\n"));
    }
    let body: String = rest.iter().map(|line| format!("  {line}\n")).collect();
    format!("{import}{uses}fn main() {{\n{body}}}\n")
}

/// What another module may name.
fn public_names(text: &str) -> Vec<String> {
    let mut names = Names::new();
    let module = reml_syntax::parse(text, 1, &mut names).module;
    let mut found = Vec::new();
    for item in module.items.iter().filter(|item| item.public) {
        let mut add = |ident: &ast::Ident| found.push(names.text(ident.name).to_owned());
        match &item.kind {
            ast::ItemKind::Fn(decl) if decl.sig.name.segments.len() == 1 => add(&decl.sig.name.segments[0]),
            ast::ItemKind::Type(decl) => {
                add(&decl.name);
                if let ast::TypeDeclKind::Sum(variants) = &decl.kind {
                    variants.iter().for_each(|variant| add(&variant.name));
                }
            }
            ast::ItemKind::Let(ast::LetDecl { pattern, .. }) => {
                if let ast::PatternKind::Bind(name) = &*pattern.kind {
                    add(name);
                }
            }
            ast::ItemKind::Trait(decl) => add(&decl.name),
            ast::ItemKind::Effect(decl) => add(&decl.name),
            _ => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

struct Block {
    line: u32,
    text: String,
    output: Option<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    // Whether an output block here would belong to the block before.
    let mut adjacent = false;
    while let Some((index, line)) = lines.next() {
        let Some(doc) = doc_text(line) else {
            adjacent = false;
            continue;
        };
        let Some(info) = doc.strip_prefix("```") else {
            adjacent &= doc.trim().is_empty();
            continue;
        };
        let mut body = String::new();
        for (_, line) in lines.by_ref() {
            match doc_text(line) {
                Some("```") | None => break,
                Some(line) => body.extend([line, "\n"]),
            }
        }
        match (info.trim(), blocks.last_mut()) {
            ("output", Some(block)) if adjacent => {
                block.output = Some(body);
                adjacent = false;
            }
            ("reml", _) => {
                blocks.push(Block { line: index as u32 + 1, text: body, output: None });
                adjacent = true;
            }
            _ => adjacent = false,
        }
    }
    blocks
}

/// What a line of documentation says.
fn doc_text(line: &str) -> Option<&str> {
    let line = line.trim();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}
