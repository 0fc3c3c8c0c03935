//! `remlc new`: a directory to start from.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::report::plain_error;
use crate::{FAILURE, USAGE};

#[derive(clap::Args)]
pub struct Args {
    /// The directory; it must not exist, or be empty
    path: PathBuf,
    /// The package's name [default: the directory's]
    #[arg(long)]
    name: Option<String>,
}

pub fn execute(args: Args) -> ExitCode {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => default_name(&args.path),
    };
    if !reml_driver::package::is_package_name(&name) {
        plain_error(&format!(
            "`{name}` cannot be a package name (lower-case letters, digits and `_`, a letter first); choose one with `--name`"
        ));
        return ExitCode::from(USAGE);
    }
    match create(&args.path, &name) {
        Ok(()) => {
            let path = args.path.display();
            let _ = writeln!(io::stderr().lock(), "created the package `{name}`; try: remlc run {path}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            plain_error(&format!("`{}` cannot be created: {problem}", args.path.display()));
            ExitCode::from(FAILURE)
        }
    }
}

/// `My-App` becomes `my_app`.
fn default_name(path: &Path) -> String {
    // `remlc new .` names it after the directory.
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let last = full.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    last.replace(['-', ' ', '.'], "_")
}

fn create(path: &Path, name: &str) -> io::Result<()> {
    if path.is_dir() && fs::read_dir(path)?.next().is_some() {
        return Err(io::Error::other("the directory is not empty"));
    }
    fs::create_dir_all(path.join("src"))?;
    fs::write(path.join("reml.toml"), format!("[project]\nname = \"{name}\"\nversion = \"0.1.0\"\n"))?;
    fs::write(path.join("src/main.reml"), "fn main() {\n  println(\"Hello, Reml!\")\n}\n")
}
