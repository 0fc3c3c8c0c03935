//! WIT that is imported and modules that are exported, in temporary folders.

#![allow(dead_code, reason = "no test uses all of it")]

use reml_diagnostics::render::{Renderer, Short};
use reml_wit::{Export, Import, Report, export, import};

/// What came of it.
pub struct Ran {
    pub made: Option<String>,
    report: Report,
    /// Where it was.
    root: String,
}

impl Ran {
    /// The diagnostics, a line each, without the folder.
    pub fn shown(&self) -> String {
        let mut text = Vec::new();
        Short.render(&self.report.diagnostics, &self.report.sources, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        match &*self.root {
            "" => text,
            root => text.replace(&format!("{root}/"), "").replace(root, "the folder"),
        }
    }
}

/// Imports the folder of these files.
pub fn folder(files: &[(&str, &str)], world: Option<&str>) -> Ran {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("wit");
    std::fs::create_dir(&root).unwrap();
    for (name, text) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut report = Report::default();
    let shown = root.display().to_string();
    let options = Import { wit: root, world: world.map(str::to_owned), output: None, manifest: None };
    let made = import(&options, &mut report).map(|made| made.source);
    Ran { made, report, root: shown }
}

/// Imports the interface `it` with this in it.
pub fn interface(body: &str) -> Ran {
    folder(&[("it.wit", &format!("package a:b;\ninterface it {{\n{body}\n}}\nworld w {{ import it; }}\n"))], None)
}

/// Exports a module.
pub fn exported(text: &str) -> Ran {
    let mut report = Report::default();
    let made = export(text, "it", "it.reml", &Export::default(), &mut report);
    Ran { made, report, root: String::new() }
}
