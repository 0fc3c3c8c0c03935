//! What the tests share: a folder with headers, and running the generator on it.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

use reml_bindgen::{Options, Outcome, Overrides};
use reml_diagnostics::render::{self, Human, Renderer};
use serde_json::Value;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository exists")
}

/// A folder that counts as a repository, so that paths in outputs are the same everywhere.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub fn new(files: &[(&str, &str)]) -> Project {
        let folder =
            tempfile::Builder::new().prefix("bindgen-test-").tempdir().expect("the temporary folder is writable");
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let project = Project { folder };
        for (name, text) in files {
            project.write(name, text.as_bytes());
        }
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The header `lib.h`, bound as `lib.reml`.
    pub fn overrides(&self) -> Overrides {
        let path = |name: &str| self.path(name).display().to_string();
        Overrides {
            headers: vec![path("lib.h")],
            include_paths: vec![path("")],
            output: Some(path("lib.reml")),
            manifest: Some(path("lib.json")),
            ..Overrides::default()
        }
    }

    /// Runs with the layout checked by the compiler.
    pub fn run(&self, overrides: Overrides) -> Ran {
        self.run_with(overrides, true)
    }

    pub fn run_with(&self, overrides: Overrides, check_layout: bool) -> Ran {
        let options =
            Options { overrides, target: "test".to_owned(), version: reml_bindgen::VERSION.to_owned(), check_layout };
        let mut log = Vec::new();
        let outcome = reml_bindgen::run(&options, &mut |event| log.push(event.clone()));
        Ran { outcome, log, folder: self.folder.path().to_owned() }
    }
}

pub struct Ran {
    pub outcome: Outcome,
    pub log: Vec<Value>,
    folder: PathBuf,
}

impl Ran {
    /// The generated text; a failure is shown.
    pub fn source(&self) -> &str {
        match &self.outcome.made {
            Some(made) => &made.source,
            None => panic!("{}", self.shown()),
        }
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_str(&self.outcome.made.as_ref().expect("it succeeded").manifest).unwrap()
    }

    /// What people are told, without the name of the folder.
    pub fn shown(&self) -> String {
        let report = &self.outcome.report;
        let mut diagnostics = report.diagnostics.clone();
        render::arrange(&mut diagnostics);
        let mut out = Vec::new();
        Human { color: false }.render(&diagnostics, &report.sources, &mut out).unwrap();
        String::from_utf8(out).unwrap().replace(&format!("{}/", self.folder.display()), "")
    }
}

/// Generates from the text of one header.
pub fn bind(header: &str) -> Ran {
    let project = Project::new(&[("lib.h", header)]);
    project.run(project.overrides())
}
