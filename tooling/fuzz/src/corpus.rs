//! What mutations start from: the library, the examples, and the blocks of the specification.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All sources of the repository, in a fixed order. Large files are cut into items.
pub fn sources() -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["stdlib", "examples", "spec", "tooling/fuzz/reproducers"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if file.extension().is_some_and(|extension| extension == "md") {
            sources.extend(blocks(&text));
        } else if text.len() > 4_000 {
            sources.extend(pieces(&text));
        } else {
            sources.push(text);
        }
    }
    sources
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "reml" || extension == "md") {
            files.push(path);
        }
    }
}

/// The blocks marked `reml` of a document.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```reml") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

/// A file cut at empty lines into pieces of some size.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for paragraph in text.split_inclusive("\n\n") {
        piece.push_str(paragraph);
        if piece.len() > 1_500 {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces.push(piece);
    pieces
}
