//! Do the laws of the library hold? Each program of `laws/` checks some, by assertions, and prints `all hold`.

mod support;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let folder = support::root().join("compiler/remlc/tests/laws");
    let trials = support::programs(&folder).into_iter().map(|program| {
        let name = program.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::test(name, move || {
            for mode in [&["run", "-q"][..], &["run", "-q", "--release"]] {
                let ran = support::run(support::remlc().args(mode).arg(&program), "")?;
                if ran.exit != Some(0) || ran.stdout != "all hold\n" {
                    return Err(Failed::from(format!("{mode:?}: {:?}\n{}{}", ran.exit, ran.stdout, ran.stderr)));
                }
            }
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
