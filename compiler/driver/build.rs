//! Makes what the compiler carries along: the standard library's sources as a table, and the runtime as a static
//! library for `remlc build` to link programs with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest_dir.join("../..").canonicalize().expect("the workspace exists");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    library_table(&root.join("stdlib"), &out);
    runtime_archive(&root, &out);
}

/// Writes `library.rs`: `&[("Core.List", "Core/List.reml", include_str!(..)), ..]`, sorted by name.
fn library_table(library: &Path, out: &Path) {
    println!("cargo::rerun-if-changed={}", library.display());
    let mut files = Vec::new();
    collect(library, &mut files);
    let mut modules: Vec<(String, String, PathBuf)> = files
        .into_iter()
        .map(|file| {
            let relative = file.strip_prefix(library).expect("found below it").to_str().expect("names are ASCII");
            let relative = relative.replace('\\', "/");
            (relative.trim_end_matches(".reml").replace('/', "."), relative, file)
        })
        .collect();
    modules.sort();
    let mut table = String::from("&[\n");
    for (name, relative, file) in modules {
        println!("cargo::rerun-if-changed={}", file.display());
        writeln!(table, "    ({name:?}, {relative:?}, include_str!({:?})),", file.display().to_string())
            .expect("writing to memory");
    }
    table.push_str("]\n");
    fs::write(out.join("library.rs"), table).expect("OUT_DIR is writable");
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "reml") {
            files.push(path);
        }
    }
}

/// Compiles `reml_rt` with a cargo of its own: the outer one builds it only as a Rust library. Always optimised, since
/// it is part of every program built. The target directory is private, so the outer cargo's lock is not waited for.
fn runtime_archive(root: &Path, out: &Path) {
    // The runtime and the crates of the house that it consists of: executables must not keep an older gate.
    for part in ["audit", "capability", "ffi", "rt"] {
        let part = root.join("runtime").join(part);
        println!("cargo::rerun-if-changed={}", part.join("src").display());
        println!("cargo::rerun-if-changed={}", part.join("Cargo.toml").display());
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    let target = out.join("runtime");
    let build = |offline: bool| {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The outer build's settings (flags of the coverage or check run, job server, profile) are not ours.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if (text.starts_with("CARGO_") && text != "CARGO_HOME")
                || matches!(&*text, "RUSTFLAGS" | "RUSTC_WRAPPER" | "RUSTC_WORKSPACE_WRAPPER" | "MAKEFLAGS" | "MFLAGS")
                || matches!(&*text, "TARGET" | "HOST" | "PROFILE" | "OPT_LEVEL" | "DEBUG" | "NUM_JOBS" | "OUT_DIR")
            {
                cargo.env_remove(&name);
            }
        }
        cargo
            .current_dir(root)
            .args([
                "rustc",
                "--quiet",
                "--locked",
                "--package",
                "reml_rt",
                "--lib",
                "--release",
                "--crate-type",
                "staticlib",
            ])
            .args(["--config", "profile.release.debug=false", "--config", "profile.release.strip=\"debuginfo\""])
            .arg("--target-dir")
            .arg(&target);
        if offline {
            cargo.arg("--offline");
        }
        cargo.output().expect("cargo can be started")
    };
    let mut output = build(true);
    if !output.status.success() {
        output = build(false);
    }
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        panic!("the runtime could not be compiled as a static library");
    }
    let archive = out.join("libreml_rt.a");
    fs::copy(target.join("release/libreml_rt.a"), &archive).expect("cargo made it, and OUT_DIR is writable");
    // The Rust library inside comes with debug information, half of the size. Where there is no `strip`, so be it.
    let _ = Command::new("strip").arg("--strip-debug").arg(&archive).output();
    println!("cargo::rustc-env=REML_RUNTIME_ARCHIVE={}", archive.display());
}
