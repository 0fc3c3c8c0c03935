//! Are the examples in the documents true?
//!
//! In `README.md` and `spec/*.md`, but for the guides: a block marked `reml` must check; one marked `reml error(CODE)` must be rejected, or
//! warned about, with that code; `cfg(KEY=VALUE)` is given to remlc with `--cfg`; a block followed by an `output` block is run under `run` and `run --release` and must
//! print exactly that. So is a block at the head of a library module. Programs may do everything, but for those with `flag(FLAG)`, once or more often, which may do what
//! these flags of remlc say (`flag()`: nothing). In the library's `///` comments: a block marked `reml` is the
//! body of a `main` and must run without panicking; all blocks of a module are run as one program.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{diff, remlc, root, run, scratch};

fn main() {
    let arguments = Arguments::from_args();
    let root = root();
    let mut trials = Vec::new();
    let mut documents = vec![root.join("README.md")];
    let mut spec: Vec<_> =
        std::fs::read_dir(root.join("spec")).into_iter().flatten().flatten().map(|e| e.path()).collect();
    spec.sort();
    // What guides have are files of packages; `guide.rs` follows them.
    let is_chapter = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.ends_with(".md") && !name.starts_with("guide-"))
    };
    documents.extend(spec.into_iter().filter(|path| is_chapter(path)));
    for document in documents {
        let name = document.strip_prefix(&root).unwrap_or(&document).display().to_string();
        let text = std::fs::read_to_string(&document).unwrap_or_default();
        for block in blocks(&text) {
            trials.push(Trial::test(format!("{name}:{}", block.line), move || test_block(&block)));
        }
    }
    for module in support::programs(&root.join("stdlib")) {
        let name = module.strip_prefix(root.join("stdlib")).unwrap_or(&module).display().to_string();
        let text = std::fs::read_to_string(&module).unwrap_or_default();
        for block in blocks(&head(&text)) {
            trials.push(Trial::test(format!("stdlib/{name}:{}", block.line), move || test_block(&block)));
        }
        if text.contains("/// ```reml") {
            trials.push(Trial::test(format!("stdlib/{name}"), move || test_module(&name, &text)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A fenced block of Reml.
struct Block {
    /// Of the opening fence, from 1.
    line: usize,
    text: String,
    /// `error(CODE)`
    code: Option<String>,
    /// `cfg(KEY=VALUE)`
    cfg: Option<String>,
    /// `flag(FLAG)`
    flags: Vec<String>,
    output: Option<String>,
}

/// What a module says of itself: the text of its `//!` comments, which are its first lines.
fn head(module: &str) -> String {
    let lines = module.lines().map_while(|line| line.strip_prefix("//!"));
    lines.fold(String::new(), |head, line| head + line.strip_prefix(' ').unwrap_or(line) + "\n")
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = document.lines().enumerate();
    // Whether an output block here would belong to the block before.
    let mut adjacent = false;
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            adjacent &= line.trim().is_empty();
            continue;
        };
        let text: String = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .fold(String::new(), |text, line| text + line + "\n");
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        match (language, blocks.last_mut()) {
            ("output", Some(block)) if adjacent => {
                block.output = Some(text);
                adjacent = false;
            }
            ("reml", _) => {
                let words = |name: &str| -> Vec<String> {
                    let inside = |word: &str| Some(word.strip_prefix(name)?.strip_suffix(')')?.to_owned());
                    rest.split(' ').filter_map(inside).collect()
                };
                let mut flags = words("flag(");
                if flags.is_empty() {
                    flags.push("--allow-all".to_owned());
                }
                flags.retain(|flag| !flag.is_empty());
                let (code, cfg) = (words("error(").pop(), words("cfg(").pop());
                blocks.push(Block { line: index + 1, text, code, cfg, flags, output: None });
                adjacent = true;
            }
            _ => adjacent = false,
        }
    }
    blocks
}

fn test_block(block: &Block) -> Result<(), Failed> {
    let directory = scratch();
    let file = directory.path().join("block.reml");
    std::fs::write(&file, &block.text)?;
    let cfg: Vec<&str> = block.cfg.iter().flat_map(|cfg| ["--cfg", cfg]).collect();
    let checked = run(remlc().args(["check", "--format", "short"]).args(&cfg).arg(&file), "")?;
    if let Some(code) = &block.code {
        if !checked.stderr.contains(&format!("[{code}]")) {
            return Err(format!("expected `{code}`, got:\n{}", checked.stderr).into());
        }
        return Ok(());
    }
    if checked.exit != Some(0) {
        return Err(checked.stderr.into());
    }
    let Some(output) = &block.output else { return Ok(()) };
    for flags in [&["run", "-q"][..], &["run", "-q", "--release"]] {
        let ran = run(remlc().args(flags).args(&cfg).args(&block.flags).arg(&file), "")?;
        if &ran.stdout != output || ran.exit != Some(0) {
            let text = format!(
                "remlc {}: exit status {:?}\n{}{}",
                flags.join(" "),
                ran.exit,
                diff(output, &ran.stdout),
                ran.stderr
            );
            return Err(text.into());
        }
    }
    Ok(())
}

/// `use A.{b, c}`, a name at a time: examples that stand in one program may want the same ones.
fn single_uses(line: &str) -> Vec<String> {
    match line.split_once(".{") {
        None => vec![format!("{line}\n")],
        Some((path, names)) => {
            let names = names.trim_end().trim_end_matches('}').split(',');
            names.map(|name| format!("{path}.{{{}}}\n", name.trim())).collect()
        }
    }
}

fn test_module(name: &str, text: &str) -> Result<(), Failed> {
    let module = name.trim_end_matches(".reml").replace('/', ".");
    let mut uses = vec![format!("use {module}\n")];
    let mut functions = String::new();
    let mut calls = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() != "/// ```reml" {
            continue;
        }
        let line = index + 1;
        let _ = write!(functions, "\n// {name}:{line}\nfn example_{line}() {{\n");
        for (_, line) in lines.by_ref() {
            let line = line.trim_start().trim_start_matches("///");
            let line = line.strip_prefix(' ').unwrap_or(line);
            match line {
                "```" => break,
                _ if line.starts_with("use ") => uses.extend(single_uses(line)),
                _ => {
                    let _ = writeln!(functions, "  {line}");
                }
            }
        }
        functions.push_str("}\n");
        let _ = writeln!(calls, "  println(\"line {line}\")\n  example_{line}()");
    }
    uses.sort();
    uses.dedup();
    let program = format!("{}{functions}\nfn main() {{\n{calls}}}\n", uses.concat());
    let directory = scratch();
    let file = directory.path().join("library_examples.reml");
    std::fs::write(&file, &program)?;
    let ran = run(remlc().args(["run", "-q", "--allow-all"]).arg(&file), "")?;
    if ran.exit == Some(0) {
        return Ok(());
    }
    let last = ran.stdout.lines().rev().find(|line| line.starts_with("line ")).unwrap_or("before the first example");
    let mut message = format!("{name}, {last}: exit status {:?}\n{}", ran.exit, ran.stderr);
    if std::env::var_os("REML_KEEP").is_some() {
        let kept = Path::new(&std::env::temp_dir()).join(format!("{module}.reml"));
        std::fs::write(&kept, &program)?;
        let _ = write!(message, "\nthe program: {}", kept.display());
    }
    Err(message.into())
}
