//! The languages compared, and how each turns a source file into something to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A language that may be installed.
pub struct Peer {
    pub name: &'static str,
    pub extension: &'static str,
    /// A tool whose presence says that the peer is installed, with an argument that makes it exit at once.
    pub probe: [&'static str; 2],
    pub kind: Kind,
}

pub enum Kind {
    /// `tool args.. source -o output trailing..` or the like: `{in}` and `{out}` are replaced. With a source `NAME.ml` goes `NAME_ocaml.c`, if
    /// there is one: stubs in C for what the language cannot call by itself.
    Compiled(&'static [&'static str]),
    /// Run by a tool.
    Interpreted(&'static str),
}

/// C comes first: the others are ratios to it.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "c",
        extension: "c",
        probe: ["gcc", "--version"],
        kind: Kind::Compiled(&["gcc", "-O2", "{in}", "-o", "{out}", "-lm"]),
    },
    Peer {
        name: "ocaml",
        extension: "ml",
        probe: ["ocamlopt", "-version"],
        kind: Kind::Compiled(&["ocamlopt", "-w", "-a", "-O3", "{in}", "-o", "{out}"]),
    },
    Peer {
        name: "go",
        extension: "go",
        probe: ["go", "version"],
        kind: Kind::Compiled(&["go", "build", "-o", "{out}", "{in}"]),
    },
    Peer { name: "node", extension: "js", probe: ["node", "--version"], kind: Kind::Interpreted("node") },
    Peer { name: "luajit", extension: "lua", probe: ["luajit", "-v"], kind: Kind::Interpreted("luajit") },
];

/// Compared where the library is: its collections.
pub const RUST: Peer = Peer {
    name: "rust",
    extension: "rs",
    probe: ["rustc", "--version"],
    kind: Kind::Compiled(&["rustc", "-O", "--edition", "2024", "{in}", "-o", "{out}"]),
};

/// A tool: that of the folder that `install-peers.sh` has filled, where there is one.
fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("REML_BENCH_PEERS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| crate::home().join("../../target/peers"));
    let own = folder.join("bin").join(name);
    if own.exists() { own } else { name.into() }
}

impl Peer {
    pub fn installed(&self) -> bool {
        let [name, argument] = self.probe;
        Command::new(tool(name))
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// The command that runs `source`, built into `scratch` where needed. `None` when building fails.
    pub fn prepare(&self, source: &Path, scratch: &Path) -> Option<Command> {
        match &self.kind {
            Kind::Interpreted(name) => {
                let mut command = Command::new(tool(name));
                command.arg(source);
                Some(command)
            }
            Kind::Compiled(template) => {
                // Compilers that write beside their input get a copy of it.
                let stem = source.file_stem()?.to_str()?;
                let input = scratch.join(format!("{stem}.{}", self.extension));
                std::fs::copy(source, &input).ok()?;
                let mut inputs = vec![input];
                let stubs = source.with_file_name(format!("{stem}_{}.c", self.name));
                if stubs.exists() {
                    let copy = scratch.join(stubs.file_name()?);
                    std::fs::copy(&stubs, &copy).ok()?;
                    inputs.push(copy);
                }
                let output = scratch.join(format!("{stem}-{}", self.name));
                let fill = |word: &str| match word {
                    "{in}" => inputs.clone(),
                    "{out}" => vec![output.clone()],
                    word => vec![word.into()],
                };
                let status = Command::new(tool(template[0]))
                    .args(template[1..].iter().flat_map(|word| fill(word)))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .ok()?;
                status.success().then(|| Command::new(output))
            }
        }
    }
}
