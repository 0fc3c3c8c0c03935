//! Makes inputs from sources: changes of bytes, of tokens, and splices of two sources.

use crate::random::Random;

/// Words and signs of the language, and what often breaks readers of text.
const TOKENS: &[&str] = &[
    "fn",
    "let",
    "var",
    "match",
    "with",
    "if",
    "then",
    "else",
    "for",
    "in",
    "while",
    "loop",
    "return",
    "break",
    "type",
    "trait",
    "impl",
    "use",
    "pub",
    "extern",
    "effect",
    "handler",
    "handle",
    "perform",
    "do",
    "operation",
    "conductor",
    "where",
    "unsafe",
    "defer",
    "async",
    "await",
    "pattern",
    "when",
    "as",
    "new",
    "struct",
    "enum",
    "const",
    "self",
    "super",
    "true",
    "false",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "|",
    "||",
    "|>",
    "->",
    "=>",
    "=",
    ":=",
    ":",
    "::",
    ";",
    ",",
    ".",
    "..",
    "..=",
    "...",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "<<",
    ">>",
    "==",
    "!=",
    "<=",
    ">=",
    "&&",
    "!",
    "?",
    "&",
    "&mut",
    "_",
    "@",
    "@inline",
    "@test",
    "0",
    "1",
    "1.5",
    "0xFF",
    "1e9",
    "18446744073709551616",
    "\"\"",
    "\"x\"",
    "\"\"\"",
    "r\"",
    "r#\"",
    "'a'",
    "'",
    "\\",
    "//",
    "///",
    "//!",
    "/*",
    "*/",
    "\n",
    "\n\n",
    "\n  ",
    "\n    ",
    "\t",
    "Int",
    "Str",
    "List",
    "Option",
    "Some",
    "None",
    "Ok",
    "Cons",
    "Nil",
    "T",
    "x",
    "f",
    "main",
    "json!",
    "\u{202E}",
    "é",
    "\u{301}",
    "😀",
    "\u{FEFF}",
    "\0",
    "\r\n",
    "#!",
    "~>",
    "++",
    "+=",
    "not",
    "rec",
    "end",
];

/// An input made from the corpus.
pub fn input(random: &mut Random, corpus: &[String]) -> String {
    let mut text = random.pick(corpus).clone();
    if random.chance(1, 3) {
        text = another(random, &text, corpus);
    }
    for _ in 0..1 + random.below(6) {
        text = match random.below(10) {
            0..=2 => change_bytes(random, text),
            3 => truncate(random, text),
            4 => another(random, &text, corpus),
            _ => change_tokens(random, &text),
        };
    }
    text
}

/// A source cut off somewhere, or without some of its lines: what parses often parses still.
pub fn shortened(random: &mut Random, corpus: &[String]) -> String {
    let mut text = random.pick(corpus).clone();
    for _ in 0..1 + random.below(3) {
        text = match random.below(5) {
            0 => truncate(random, text),
            1 => reindent(random, &text),
            2 => swap_space(random, &text),
            3 => commented(random, &text),
            _ => without_lines(random, &text),
        };
    }
    text
}

fn boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn position(random: &mut Random, text: &str) -> usize {
    boundary(text, random.below(text.len() + 1))
}

fn change_bytes(random: &mut Random, text: String) -> String {
    let mut bytes = text.into_bytes();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, random.word() as u8),
            _ => {
                let end = (at + random.below(12)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn truncate(random: &mut Random, mut text: String) -> String {
    let at = position(random, &text);
    text.truncate(at);
    text
}

fn another(random: &mut Random, text: &str, corpus: &[String]) -> String {
    let at = random.below(corpus.len());
    splice(random, text, &corpus[at])
}

fn splice(random: &mut Random, a: &str, b: &str) -> String {
    let (end, start) = (position(random, a), position(random, b));
    format!("{}{}", &a[..end], &b[start..])
}

fn without_lines(random: &mut Random, text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return String::new();
    }
    let from = random.below(lines.len());
    let to = (from + 1 + random.below(3)).min(lines.len());
    lines[..from].iter().chain(&lines[to..]).map(|line| format!("{line}\n")).collect()
}

/// Some lines further left or right.
fn reindent(random: &mut Random, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match random.below(12) {
            0 => out.push_str(line.strip_prefix("  ").unwrap_or(line)),
            1 => out.extend(["  ", line]),
            2 => out.extend([line, " // c"]),
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// A space or line break for another.
fn swap_space(random: &mut Random, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' if random.chance(1, 40) => out.push_str(["\n", "  ", " /* c */ ", " // c\n"][random.below(4)]),
            '\n' if random.chance(1, 20) => out.push_str([" ", "\n\n\n", " // c\n", "\n// c\n"][random.below(4)]),
            c => out.push(c),
        }
    }
    out
}

/// Comments between tokens, several of them close together.
fn commented(random: &mut Random, text: &str) -> String {
    const COMMENTS: &[&str] = &["/**/", " /* c */ ", "//\n", " // c\n", "\n// c\n", "/* a\n b */", "\n/**/\n", "\n"];
    let mut list = tokens(text);
    for _ in 0..1 + random.below(3) {
        let start = random.below(list.len() + 1);
        for _ in 0..1 + random.below(4) {
            let at = (start + random.below(12)).min(list.len());
            list.insert(at, COMMENTS[random.below(COMMENTS.len())]);
        }
    }
    list.concat()
}

/// Roughly the tokens of a text, with what stands between them.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| {
            if first.is_alphanumeric() || first == '_' {
                c.is_alphanumeric() || c == '_'
            } else if first.is_whitespace() {
                c.is_whitespace()
            } else {
                false
            }
        };
        let length = rest.char_indices().skip(1).find(|(_, c)| !same(*c)).map_or(rest.len(), |(at, _)| at);
        tokens.push(&rest[..length]);
        rest = &rest[length..];
    }
    tokens
}

fn change_tokens(random: &mut Random, text: &str) -> String {
    let mut list = tokens(text);
    for _ in 0..1 + random.below(3) {
        let at = random.below(list.len() + 1);
        match random.below(6) {
            0 if at < list.len() => {
                list.remove(at);
            }
            1 if at < list.len() => list[at] = TOKENS[random.below(TOKENS.len())],
            2 if !list.is_empty() => {
                let other = random.below(list.len());
                let at = at.min(list.len() - 1);
                list.swap(at, other);
            }
            3 if !list.is_empty() => {
                let from = random.below(list.len());
                let to = (from + 1 + random.below(20)).min(list.len());
                let copy = list[from..to].to_vec();
                list.splice(at..at, copy);
            }
            4 if at < list.len() => {
                let end = (at + 1 + random.below(10)).min(list.len());
                list.drain(at..end);
            }
            _ => list.insert(at, TOKENS[random.below(TOKENS.len())]),
        }
    }
    list.concat()
}
