//! Do the snippets of the language's founding documents compile as they are printed there?
//!
//! Each `tests/seeds/X.reml` holds a snippet between `// snippet` and `// end`, to the letter, in the middle of the
//! declarations that it presupposes. It must run, and print what is in `X.stdout`. `REML_BLESS=1` rewrites those.

mod support;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{compare_golden, programs, remlc, root, run};

fn main() {
    let arguments = Arguments::from_args();
    let trials = programs(&root().join("compiler/remlc/tests/seeds"))
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || test(&path))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn test(program: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(program)?;
    if !text.contains("\n// snippet\n") || !text.contains("\n// end\n") {
        return Err("it has no snippet".into());
    }
    let mut problems = Vec::new();
    for options in [&["run"][..], &["run", "--release"]] {
        let ran = run(remlc().args(options).arg(program), "")?;
        if ran.exit != Some(0) {
            return Err(ran.stderr.into());
        }
        compare_golden(&program.with_extension("stdout"), &ran.stdout, "", &mut problems);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}
