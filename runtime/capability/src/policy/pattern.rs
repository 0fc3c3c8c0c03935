//! What is a rule about? Patterns, read for the power that they belong to.
//!
//! A path covers itself and what lies below it; `parser_tests.*` all that begins so, in its folder. A name may begin or end with `*`. An address is a host and perhaps a
//! port, a library, by any of its names, perhaps has a symbol; commands and libraries are given by name or by path. `$TMP` begins a path in the folder for temporary files, wherever
//! the system of the run has it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use reml_audit::visible;

use super::host;
use super::library::library_name;
use super::power::{Form, Power};
use super::resolve::{Resolver, resolve};

/// What a rule is about. Equal patterns cover the same subjects, however they are written.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    pub(super) shape: Shape,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Shape {
    /// Whatever the power is used on.
    Any,
    /// Without a slash at its end: the root is empty. Ends perhaps with `*`, never begins.
    Path { path: Name, symbol: Option<Name> },
    /// `second` is the port or the symbol.
    Name { first: Name, second: Option<Name> },
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Name {
    pub literal: Vec<u8>,
    pub star: Star,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Star {
    None,
    Front,
    Back,
}

/// Why a text is not a pattern, and what to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PatternError {
    pub text: String,
    pub why: String,
}

impl Pattern {
    /// Covers all that the power is used on.
    pub fn any() -> Pattern {
        Pattern { text: "*".to_owned(), shape: Shape::Any }
    }

    /// Reads what a rule for `power` is about. Relative paths start at `base`, which is absolute, and symbolic links in
    /// them are followed now: later links lead elsewhere, and what they lead to is what is asked about.
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn parse(power: Power, text: &str, base: &Path) -> Result<Pattern, PatternError> {
        Pattern::read(power, text, &mut |path| resolve(path, base))
    }

    /// The same for one of many patterns.
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn parse_among(power: Power, text: &str, resolver: &mut Resolver) -> Result<Pattern, PatternError> {
        Pattern::read(power, text, &mut |path| resolver.resolve(path))
    }

    /// Is this a pattern, wherever its paths lead?
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn check(power: Power, text: &str) -> Result<(), PatternError> {
        Pattern::read(power, text, &mut |path| Ok(path.to_owned())).map(|_| ())
    }

    fn read(power: Power, text: &str, resolve: Resolve<'_>) -> Result<Pattern, PatternError> {
        let fail = |why: String| PatternError { text: text.to_owned(), why };
        if text.is_empty() {
            return Err(fail("it is empty".to_owned()));
        }
        if text == "*" {
            return Ok(Pattern::any());
        }
        // Policies are texts in executables, where such characters separate their parts.
        if text.contains(char::is_control) {
            return Err(fail(
                "it has a control character; a pattern for the folder, or one that ends with `*`, can do without"
                    .to_owned(),
            ));
        }
        if matches!(power, Power::EnvRead | Power::EnvWrite) && text.contains('=') {
            return Err(fail("the name of a variable has no `=`".to_owned()));
        }
        let shape = match power.form() {
            Form::Path => Shape::Path { path: path(text, resolve).map_err(fail)?, symbol: None },
            Form::Name => {
                let first = name(text).map_err(fail)?;
                let subjects = power.subjects();
                if !subjects.is_empty() && !subjects.iter().any(|subject| first.covers(subject.as_bytes())) {
                    let known: Vec<String> = subjects.iter().map(|subject| format!("`{subject}`")).collect();
                    return Err(fail(format!("the power `{power}` is about {} and nothing else", known.join(", "))));
                }
                Shape::Name { first, second: None }
            }
            Form::Address => address(text).map_err(fail)?,
            Form::Command => file(text, resolve, None).map_err(fail)?,
            Form::Library => match text.rsplit_once(':') {
                Some((library, symbol)) if !symbol.contains('/') => {
                    let symbol = name(symbol).map_err(|why| fail(format!("the symbol after `:`: {why}")))?;
                    file(linker_name(library).map_err(fail)?, resolve, Some(symbol)).map_err(fail)?
                }
                _ => file(linker_name(text).map_err(fail)?, resolve, None).map_err(fail)?,
            },
        };
        Ok(Pattern { text: text.to_owned(), shape })
    }

    #[cfg(test)]
    pub(super) fn of_path(key: Vec<u8>) -> Pattern {
        let text = String::from_utf8_lossy(&key).into_owned();
        Pattern { text, shape: Shape::Path { path: Name { literal: key, star: Star::None }, symbol: None } }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.shape == other.shape
    }
}

impl Eq for Pattern {}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a pattern: {}", visible(&self.text), self.why)
    }
}

impl std::error::Error for PatternError {}

/// To what paths lead.
type Resolve<'r> = &'r mut dyn FnMut(&Path) -> io::Result<PathBuf>;

impl Name {
    fn covers(&self, name: &[u8]) -> bool {
        match self.star {
            Star::None => name == self.literal,
            Star::Front => name.ends_with(&self.literal),
            Star::Back => name.starts_with(&self.literal),
        }
    }
}

/// Stands for the folder for temporary files.
const TEMPORARY: &str = "$TMP";

/// The bytes of a resolved path, without the slash that only the root has.
pub(super) fn path_key(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes == b"/" { b"" } else { bytes }
}

fn path(text: &str, resolve: Resolve<'_>) -> Result<Name, String> {
    if let Some(folder) = text.strip_suffix("/*").or_else(|| text.strip_suffix("/**")) {
        return Err(format!("a path covers all that lies below it, without `*`; write `{folder}`"));
    }
    // Links are followed as far as names are whole.
    if let Some((folder, beginning)) = text.strip_suffix('*').map(|text| text.rsplit_once('/').unwrap_or((".", text)))
        && !beginning.is_empty()
        && !text[..text.len() - 1].contains('*')
    {
        let folder = path(if folder.is_empty() { "/" } else { folder }, resolve)?;
        return Ok(Name { literal: [&folder.literal, &b"/"[..], beginning.as_bytes()].concat(), star: Star::Back });
    }
    if text.contains('*') {
        return Err(
            "`*` can only end the last name of a path; name the folder, which covers all that lies below it".to_owned()
        );
    }
    if text == "~" || text.starts_with("~/") {
        return Err("`~` has no meaning here; write the path out".to_owned());
    }
    let mut place = PathBuf::from(text);
    if let Ok(rest) = place.strip_prefix(TEMPORARY) {
        place = std::env::temp_dir().join(rest);
    }
    let path = resolve(&place).map_err(|error| error.to_string())?;
    Ok(Name { literal: path_key(&path).to_vec(), star: Star::None })
}

fn name(text: &str) -> Result<Name, String> {
    let (literal, star) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (_, Some(front)) => (front, Star::Back),
        (Some(back), None) => (back, Star::Front),
        (None, None) => (text, Star::None),
    };
    if literal.contains('*') {
        return Err("only its beginning or its end can be `*`".to_owned());
    }
    if literal.is_empty() && star == Star::None {
        return Err("it is empty".to_owned());
    }
    Ok(Name { literal: literal.as_bytes().to_vec(), star })
}

/// What the names of ways below the language begin with.
const NATIVE: &str = "native.";

/// The part of a pattern that is about a library, as libraries are asked about.
fn linker_name(text: &str) -> Result<&str, String> {
    if text.contains('/') {
        return Ok(text);
    }
    match text.strip_suffix('*') {
        Some(beginning) => match beginning.strip_prefix("lib") {
            // Ways below the language are no libraries.
            Some(rest) if NATIVE.starts_with(rest) || rest.starts_with(NATIVE) => Err(format!(
                "names of libraries are compared without `lib`, and `{rest}*` is about `{NATIVE}*` as well; write the names out"
            )),
            Some(rest) => Ok(&text[text.len() - rest.len() - 1..]),
            None => Ok(text),
        },
        None => Ok(library_name(text)),
    }
}

/// A command or a library, with the symbol that was split off.
fn file(text: &str, resolve: Resolve<'_>, symbol: Option<Name>) -> Result<Shape, String> {
    let symbol = symbol.filter(|symbol| !symbol.literal.is_empty());
    if text.contains('/') {
        return Ok(Shape::Path { path: path(text, resolve)?, symbol });
    }
    Ok(Shape::Name { first: name(text)?, second: symbol })
}

fn address(text: &str) -> Result<Shape, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("the `[` of the address has no `]`")?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or("after `]` comes `:` and a port")?),
            };
            (host, port)
        }
        // More than one colon is an address of IPv6, which has its port after brackets.
        None if text.matches(':').count() == 1 => {
            let (host, port) = text.split_once(':').expect("it has one");
            (host, Some(port))
        }
        None => (text, None),
    };
    let second = match port {
        None | Some("*") => None,
        Some(port) => {
            let number: u16 = port.parse().map_err(|_| format!("`{port}` is not a port; ports are 0 to 65535"))?;
            Some(Name { literal: number.to_string().into_bytes(), star: Star::None })
        }
    };
    if host == "*" && second.is_none() {
        return Ok(Shape::Any);
    }
    Ok(Shape::Name { first: host_pattern(host)?, second })
}

fn host_pattern(host: &str) -> Result<Name, String> {
    if host == "*" {
        return Ok(Name { literal: Vec::new(), star: Star::Back });
    }
    if let Some((address, length)) = host.split_once('/') {
        let length = length.parse().map_err(|_| format!("`{length}` is not a number of bits"))?;
        let literal = host::subnet(address, length)
            .ok_or("a network is an address, `/` and how many of its bits count; the others are zero")?;
        return Ok(Name { literal, star: Star::Back });
    }
    let mut buffer = host::EMPTY;
    let invalid = || "hosts are names of letters, digits, `-` and `.`, or addresses".to_owned();
    if let Some(beginning) = host.strip_suffix('*') {
        let literal = host::network(beginning).ok_or_else(|| {
            "`*` can end an address, after `.` or `:`, as in `10.0.*`; names are in the hand of whoever owns their end, \
             as in `*.example.com`"
                .to_owned()
        })?;
        return Ok(Name { literal, star: Star::Back });
    }
    if let Some(end) = host.strip_prefix('*') {
        let domain = end.strip_prefix('.').ok_or_else(|| {
            format!("`*` stands before a dot, else others could own what is covered; write `*.{end}`")
        })?;
        let normal = host::normal(domain, &mut buffer).ok_or_else(invalid)?;
        if normal.starts_with(b"[") {
            return Err("an address is given from its beginning, as in `10.0.*`".to_owned());
        }
        let literal = [b".", normal].concat();
        return Ok(Name { literal, star: Star::Front });
    }
    let literal = host::normal(host, &mut buffer).ok_or_else(invalid)?.to_vec();
    Ok(Name { literal, star: Star::None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(power: Power, text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(power, text, Path::new("/base"))
    }

    fn why(power: Power, text: &str) -> String {
        parsed(power, text).unwrap_err().why
    }

    #[test]
    fn patterns_that_cover_the_same_are_equal() {
        for (power, a, b) in [
            (Power::Read, "x/../y/", "/base/y"),
            (Power::Read, ".", "/base"),
            (Power::Read, "x/../y*", "/base/y*"),
            (Power::Read, "/y*", "../y*"),
            (Power::Connect, "EXAMPLE.com", "example.com."),
            (Power::Connect, "10.0.*:80", "10.0.0.0/16:80"),
            (Power::Connect, "*:*", "*"),
            (Power::Connect, "[::1]", "0:0::1"),
            (Power::Run, "./tool", "/base/tool"),
            (Power::Ffi, "./x.so:cos", "/base/x.so:cos"),
            (Power::Ffi, "libz.so.1:crc32", "z:crc32"),
            (Power::Ffi, "libsql*", "sql*"),
        ] {
            assert_eq!(parsed(power, a), parsed(power, b), "{a} and {b}");
        }
        assert_ne!(parsed(Power::Run, "git"), parsed(Power::Run, "./git"));
        assert_ne!(parsed(Power::Ffi, "libm.so"), parsed(Power::Ffi, "libm.so:cos"));
        assert_ne!(parsed(Power::Connect, "example.com"), parsed(Power::Connect, "example.com:80"));
    }

    #[test]
    fn the_folder_for_temporary_files_has_a_name_everywhere() {
        let place = std::env::temp_dir();
        let at = |path: &str| parsed(Power::Read, &place.join(path).display().to_string());
        assert_eq!(parsed(Power::Read, "$TMP"), at(""));
        assert_eq!(parsed(Power::Read, "$TMP/a/b*"), at("a/b*"));
        assert_eq!(parsed(Power::Read, "$TMPX"), parsed(Power::Read, "/base/$TMPX"));
    }

    #[test]
    fn what_is_not_a_pattern_says_what_to_write() {
        assert_eq!(why(Power::Read, "src/*"), "a path covers all that lies below it, without `*`; write `src`");
        assert!(why(Power::Read, "s*c").starts_with("`*` can only end the last name of a path"));
        assert!(why(Power::Read, "s*/c*").starts_with("`*` can only end the last name of a path"));
        assert_eq!(why(Power::Read, "~/x*"), "`~` has no meaning here; write the path out");
        assert_eq!(why(Power::Read, "~/x"), "`~` has no meaning here; write the path out");
        assert_eq!(why(Power::EnvRead, "A*B"), "only its beginning or its end can be `*`");
        assert_eq!(why(Power::EnvRead, "*A*"), "only its beginning or its end can be `*`");
        assert_eq!(why(Power::EnvRead, ""), "it is empty");
        assert_eq!(why(Power::EnvRead, "A=B"), "the name of a variable has no `=`");
        for text in ["a\0b", "a\u{1}b", "a\nb", "\u{1b}[31m"] {
            assert!(why(Power::Read, text).starts_with("it has a control character"));
        }
        assert_eq!(why(Power::Connect, "a:99999"), "`99999` is not a port; ports are 0 to 65535");
        assert!(why(Power::Connect, "*example.com").ends_with("write `*.example.com`"));
        assert!(why(Power::Connect, "db-*").starts_with("`*` can end an address"));
        assert!(why(Power::Connect, "*.1.2.3.4").starts_with("an address is given from its beginning"));
        assert_eq!(why(Power::Connect, "[::1"), "the `[` of the address has no `]`");
        assert_eq!(
            why(Power::Ffi, "lib*:f"),
            "names of libraries are compared without `lib`, and `*` is about `native.*` as well; write the names out"
        );
        assert_eq!(why(Power::Ffi, "x.so:"), "the symbol after `:`: it is empty");
        assert_eq!(why(Power::Clock, "moon"), "the power `clock` is about `wall` and nothing else");
        assert_eq!(why(Power::Random, "o"), "the power `random` is about `os` and nothing else");
        assert!(parsed(Power::Clock, "w*").is_ok() && parsed(Power::Random, "*s").is_ok());
    }
}
