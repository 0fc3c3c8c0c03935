//! Checks files against the real library and prints diagnostics: `checkfile STDLIB FILE..`.
use reml_diagnostics::SourceMap;
use reml_semantics::{CheckOptions, SourceModule, check};
use reml_syntax::names::Names;
use std::time::Instant;

fn collect(dir: &std::path::Path, prefix: &str, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(&path, &format!("{prefix}.{stem}"), out);
        } else if path.extension().is_some_and(|e| e == "reml") {
            out.push((format!("{prefix}.{stem}"), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn main() {
    std::thread::Builder::new().stack_size(1 << 30).spawn(run).unwrap().join().unwrap();
}

fn run() {
    let mut args = std::env::args().skip(1);
    let std = args.next().unwrap();
    let mut all_core = false;
    let mut sources = Vec::new();
    if std != "-" {
        collect(std::path::Path::new(&std).join("Core").as_path(), "Core", &mut sources);
    }
    let cores = sources.len();
    for file in args {
        if file == "--all" {
            all_core = true;
            continue;
        }
        let stem = std::path::Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
        sources.push((stem, std::fs::read_to_string(&file).unwrap()));
    }
    let mut map = SourceMap::new();
    let mut names = Names::new();
    let mut modules = Vec::new();
    let mut diagnostics = Vec::new();
    let t = Instant::now();
    for (i, (name, text)) in sources.iter().enumerate() {
        let id = map.add(name.as_str(), text.as_str()).unwrap();
        let parsed = reml_syntax::parse(text, map.file(id).base, &mut names);
        diagnostics.extend(parsed.diagnostics);
        modules.push(SourceModule { name: name.as_str().into(), ast: parsed.module, is_core: i < cores, package: 0 });
    }
    let parse = t.elapsed();
    let root = sources.last().map(|s| s.0.as_str().into());
    let options = CheckOptions { root, require_main: false, allow_top_level_expr: true, check_all_core: all_core };
    let t = Instant::now();
    let checked = check(modules, &mut names, &options);
    let time = t.elapsed();
    diagnostics.extend(checked.diagnostics);
    let mut errors = 0;
    for d in &diagnostics {
        let at = map.position(d.primary).map(|(f, p)| format!("{}:{}:{}", map.file(f).name, p.line, p.column));
        println!("{} {:?} [{}] {}", at.unwrap_or_default(), d.severity, d.code, d.message);
        errors += u32::from(d.is_error());
    }
    let lines: usize = sources.iter().map(|s| s.1.lines().count()).sum();
    println!("{errors} errors, {} diagnostics, {lines} lines, parse {parse:?}, check {time:?}", diagnostics.len());
    let bodies =
        checked.program.fns.values().filter(|f| matches!(f.kind, reml_semantics::typed::FnKind::Reml(_))).count();
    println!(
        "{} fns, {bodies} bodies, {} types",
        checked.program.fns.len(),
        cranelift_entity::EntityRef::index(
            checked.program.types.clone().intern(reml_semantics::types::Type::Param(9999))
        )
    );
}
