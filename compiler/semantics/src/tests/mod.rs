//! Whole programs through the checker, against a small library of the tests' own.

mod conditions;
mod conductors;
mod constraints;
mod contracts;
mod effects;
mod foreign;
mod futures;
mod handlers;
mod inference;
mod mistakes;
mod modules;
mod patterns;
mod scopes;
mod traits;

use expect_test::Expect;
use reml_diagnostics::{Severity, SourceMap};
use reml_syntax::names::Names;

use crate::typed::{FnKind, Program};
use crate::types::{Type, TypeId};
use crate::{CheckOptions, Checked, SourceModule};

const CORE: &str = include_str!("core.txt");

/// Modules follow each other in one text, each after a line `--- name`.
fn split(text: &str) -> Vec<(String, String)> {
    let mut modules: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("--- "), modules.last_mut()) {
            (Some(name), _) => modules.push((name.trim().to_owned(), String::new())),
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => modules.push(("main".to_owned(), format!("{line}\n"))),
        }
    }
    modules
}

/// Checks a program; gives what was reported, one line each, and the program.
fn run(text: &str) -> (String, Checked, Names) {
    let (lines, checked, names, _) = run_with(CheckOptions::default(), text);
    (lines, checked, names)
}

fn run_with(options: CheckOptions, text: &str) -> (String, Checked, Names, SourceMap) {
    let core = split(CORE);
    let user = split(text);
    let mut map = SourceMap::new();
    let mut names = Names::new();
    let mut modules = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, (name, text)) in core.iter().chain(&user).enumerate() {
        let id = map.add(name.as_str(), text.as_str()).expect("tests are small");
        let parsed = reml_syntax::parse(text, map.file(id).base, &mut names);
        diagnostics.extend(parsed.diagnostics);
        modules.push(SourceModule {
            name: name.as_str().into(),
            ast: parsed.module,
            is_core: index < core.len(),
            package: 0,
        });
    }
    let options = CheckOptions { root: Some("main".into()), ..options };
    let checked = crate::check(modules, &mut names, &options);
    let mut lines = String::new();
    for diagnostic in diagnostics.iter().chain(&checked.diagnostics) {
        let at = match map.position(diagnostic.primary) {
            Some((file, at)) if user.len() > 1 => format!("{}:{}:{}", map.file(file).name, at.line, at.column),
            Some((_, at)) => format!("{}:{}", at.line, at.column),
            None => "?".to_owned(),
        };
        let kind = if diagnostic.severity == Severity::Warning { "warning " } else { "" };
        lines.push_str(&format!("{at} {kind}[{}] {}\n", diagnostic.code, diagnostic.message));
        for fix in &diagnostic.fixes {
            lines.push_str(&format!("    fix: {} `{}`\n", fix.title, fix.replacement));
        }
    }
    (lines, checked, names, map)
}

/// What is reported about a program.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&run(text).0);
}

fn check_with(options: CheckOptions, text: &str, expected: Expect) {
    expected.assert_eq(&run_with(options, text).0);
}

/// What is reported about a program, with labels, notes and helps.
fn report(text: &str, expected: Expect) {
    let (_, checked, _, map) = run_with(CheckOptions::default(), text);
    let mut out = String::new();
    let at = |span| map.position(span).map_or("?".to_owned(), |(_, at)| format!("{}:{}", at.line, at.column));
    for diagnostic in &checked.diagnostics {
        out.push_str(&format!("{} [{}] {}\n", at(diagnostic.primary), diagnostic.code, diagnostic.message));
        for label in &diagnostic.labels {
            out.push_str(&format!("    {} {}\n", at(label.span), label.text));
        }
        for note in &diagnostic.notes {
            out.push_str(&format!("    note: {note}\n"));
        }
        for help in &diagnostic.helps {
            out.push_str(&format!("    help: {help}\n"));
        }
    }
    expected.assert_eq(&out);
}

/// The signatures of a program without mistakes, effects included.
fn signatures(text: &str, expected: Expect) {
    let (lines, checked, names) = run(text);
    assert_eq!(lines, "", "the program should be fine");
    let program = &checked.program;
    let mut out = String::new();
    for def in program.fns.values() {
        if program.modules[def.module].is_core || !matches!(def.kind, FnKind::Reml(_)) {
            continue;
        }
        let params: Vec<String> = def.params.iter().map(|p| show(program, &names, p.ty)).collect();
        let path = def.path.strip_prefix("main.").unwrap_or(&def.path);
        out.push_str(&format!("{path}({}) -> {}", params.join(", "), show(program, &names, def.ret)));
        if !def.effects.is_empty() {
            out.push_str(&format!(" ! {{{}}}", def.effects.join(", ")));
        }
        out.push('\n');
    }
    for def in program.globals.values() {
        if !program.modules[def.module].is_core {
            out.push_str(&format!("let {}: {}\n", names.text(def.name), show(program, &names, def.ty)));
        }
    }
    expected.assert_eq(&out);
}

/// The typed tree of a program without mistakes.
fn typed(text: &str, expected: Expect) {
    let (lines, checked, names) = run(text);
    assert_eq!(lines, "", "the program should be fine");
    let program = &checked.program;
    expected.assert_eq(&crate::typed_print::dump(program, &names, |module| !program.modules[module].is_core));
}

fn show(program: &Program, names: &Names, ty: TypeId) -> String {
    let list = |items: &[TypeId]| {
        let items: Vec<String> = items.iter().map(|&t| show(program, names, t)).collect();
        items.join(", ")
    };
    match program.types.get(ty) {
        Type::Prim(prim) => prim.name().to_owned(),
        Type::Tuple(items) => format!("({})", list(items)),
        Type::Record(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|&(name, t)| format!("{}: {}", names.text(name), show(program, names, t))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Type::Fn { params, ret } => format!("(({}) -> {})", list(params), show(program, names, *ret)),
        Type::Adt(def, args) if args.is_empty() => names.text(program.type_defs[*def].name).to_owned(),
        Type::Adt(def, args) => format!("{}<{}>", names.text(program.type_defs[*def].name), list(args)),
        Type::Array(element) => format!("[{}]", show(program, names, *element)),
        Type::FixedArray(element, len) => format!("[{}; {len}]", show(program, names, *element)),
        Type::Ref { mutable: true, inner } => format!("&mut {}", show(program, names, *inner)),
        Type::Ref { inner, .. } => format!("&{}", show(program, names, *inner)),
        Type::VarCell(inner) => format!("__Cell<{}>", show(program, names, *inner)),
        Type::Param(index) => format!("T{index}"),
        Type::Error => "?".to_owned(),
    }
}
