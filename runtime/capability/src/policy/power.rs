//! What kinds of deeds does the gate know, and on what is each of them done?
//!
//! One table says everything about a power: the word for it in flags and manifests, how what it is used on looks, and
//! the capability that stands for it in the audit log. A power is added by one line of it.

use std::fmt;
use std::path::Path;

/// Something a program can only do through the gate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Power {
    Read,
    Write,
    EnvRead,
    EnvWrite,
    Connect,
    Listen,
    Run,
    Ffi,
    Memory,
    Signal,
    Hardware,
    Realtime,
    Syscall,
    Clock,
    Random,
}

/// How the subjects of a power look, and so its patterns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A resolved, absolute path; a pattern covers what lies below it.
    Path,
    /// `HOME`, `SIGTERM`; patterns may begin or end with `*`.
    Name,
    /// `example.com:443`, `10.0.*`, `*.example.com`, `*:80`.
    Address,
    /// A command by its name, as `git`, or by its path.
    Command,
    /// A library by its name or path, and a symbol of it: `libm.so.6:cos`. Ways below the language go by their capabilities, as
    /// `native.inline_asm`.
    Library,
}

struct Facts {
    power: Power,
    key: &'static str,
    form: Form,
    capability: &'static str,
    /// Goes on with what it is done to: "may not read `/etc/passwd`".
    deed: &'static str,
}

const fn facts(power: Power, key: &'static str, form: Form, capability: &'static str, deed: &'static str) -> Facts {
    Facts { power, key, form, capability, deed }
}

const TABLE: [Facts; Power::COUNT] = [
    facts(Power::Read, "read", Form::Path, "io.fs.read", "read"),
    facts(Power::Write, "write", Form::Path, "io.fs.write", "write"),
    facts(Power::EnvRead, "env", Form::Name, "core.env.read", "read the environment variable"),
    facts(Power::EnvWrite, "env-write", Form::Name, "core.env.write", "change the environment variable"),
    facts(Power::Connect, "net", Form::Address, "net.tcp.connect", "connect to"),
    facts(Power::Listen, "listen", Form::Address, "net.tcp.listen", "listen on"),
    facts(Power::Run, "run", Form::Command, "core.process", "run"),
    facts(Power::Ffi, "ffi", Form::Library, "runtime.ffi.default", "use the native code"),
    facts(Power::Memory, "memory", Form::Name, "core.memory", "use the memory operation"),
    facts(Power::Signal, "signal", Form::Name, "core.signal", "use the signal"),
    facts(Power::Hardware, "hardware", Form::Name, "core.hardware", "use the hardware operation"),
    facts(Power::Realtime, "realtime", Form::Name, "core.realtime", "use the real-time operation"),
    facts(Power::Syscall, "syscall", Form::Name, "core.system", "make the system call"),
    facts(Power::Clock, "clock", Form::Name, "core.time.clock", "read the clock"),
    facts(Power::Random, "random", Form::Name, "core.random", "take entropy from"),
];

impl Power {
    pub const COUNT: usize = Power::Random as usize + 1;

    /// All powers, in the order of the table.
    pub fn all() -> impl ExactSizeIterator<Item = Power> + Clone {
        TABLE.iter().map(|facts| facts.power)
    }

    /// From the word in a flag or a manifest.
    pub fn from_key(key: &str) -> Option<Power> {
        TABLE.iter().find(|facts| facts.key == key).map(|facts| facts.power)
    }

    fn facts(self) -> &'static Facts {
        &TABLE[self as usize]
    }

    /// `read` of `--allow-read` and of `read = [..]`.
    pub fn key(self) -> &'static str {
        self.facts().key
    }

    pub fn form(self) -> Form {
        self.facts().form
    }

    /// The capability that the power belongs to.
    pub fn capability(self) -> &'static str {
        self.facts().capability
    }

    /// All that there is to use the power on, where that is few things.
    pub fn subjects(self) -> &'static [&'static str] {
        match self {
            Power::Clock => &["wall"],
            Power::Random => &["os"],
            _ => &[],
        }
    }

    /// What the program does with it, to be followed by the subject.
    pub fn deed(self) -> &'static str {
        self.facts().deed
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// On what a power is used. Nothing in it is owned, so that asking costs no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject<'a> {
    /// Absolute, without `.`, `..` and symbolic links, as [`resolve`](super::resolve) makes it. Any other path is
    /// refused, because what it leads to is not known.
    Path(&'a Path),
    Name(&'a str),
    /// The host as the program wrote it: a name or an address.
    Address {
        host: &'a str,
        port: u16,
    },
    /// `asked` is what the program wrote, `path` the file that it was found to be. Names are looked up with the
    /// environment that the process began with, since the program may change its own.
    Command {
        asked: &'a str,
        path: Option<&'a Path>,
    },
    /// As a command, and the symbol that is called; `None` for loading the library, which runs code of it already.
    Library {
        asked: &'a str,
        path: Option<&'a Path>,
        symbol: Option<&'a str>,
    },
}

impl Subject<'_> {
    pub fn form(&self) -> Form {
        match self {
            Subject::Path(_) => Form::Path,
            Subject::Name(_) => Form::Name,
            Subject::Address { .. } => Form::Address,
            Subject::Command { .. } => Form::Command,
            Subject::Library { .. } => Form::Library,
        }
    }
}

/// In the form of the pattern that covers it and little else.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Subject::Path(path) => write!(f, "{}", path.display()),
            Subject::Name(name) => f.write_str(name),
            Subject::Address { host, port } if host.contains(':') && !host.starts_with('[') => {
                write!(f, "[{host}]:{port}")
            }
            Subject::Address { host, port } => write!(f, "{host}:{port}"),
            Subject::Command { asked, path } => file(f, asked, path),
            Subject::Library { asked, path, symbol } => {
                file(f, asked, path)?;
                symbol.map_or(Ok(()), |symbol| write!(f, ":{symbol}"))
            }
        }
    }
}

/// What was asked for by name is shown by its name.
fn file(f: &mut fmt::Formatter<'_>, asked: &str, path: Option<&Path>) -> fmt::Result {
    match path {
        Some(path) if asked.contains('/') => write!(f, "{}", path.display()),
        _ => f.write_str(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_its_powers_in_order_and_each_key_once() {
        for (index, power) in Power::all().enumerate() {
            assert_eq!(power as usize, index);
            assert_eq!(Power::from_key(power.key()), Some(power));
        }
        assert_eq!(Power::from_key("reed"), None);
    }

    #[test]
    fn subjects_are_shown_as_patterns() {
        let path = Path::new("/usr/bin/git");
        let shown = |subject: Subject<'_>| subject.to_string();
        assert_eq!(shown(Subject::Address { host: "::1", port: 80 }), "[::1]:80");
        assert_eq!(shown(Subject::Command { asked: "git", path: Some(path) }), "git");
        assert_eq!(shown(Subject::Command { asked: "./git", path: Some(path) }), "/usr/bin/git");
        let cos = Subject::Library { asked: "libm.so.6", path: None, symbol: Some("cos") };
        assert_eq!(shown(cos), "libm.so.6:cos");
    }
}
