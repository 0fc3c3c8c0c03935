//! What does the text of a preprocessed header consist of?
//!
//! In: the output of `cc -E -dD -C`. Out: tokens without white space, comments and directives; and beside them what those
//! said: where lines come from, which macros are defined, how structs are packed, and what is documentation.

use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Word,
    Number,
    /// `"text"`, with its prefix.
    Text,
    /// `'c'`, with its prefix.
    Char,
    Mark,
    /// A character that C has no use for.
    Stray,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub kind: Kind,
    /// Byte offsets into the preprocessed text.
    pub start: u32,
    pub end: u32,
}

/// From this offset on, lines are those of a file.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    pub offset: u32,
    pub file: usize,
    /// Of the line that starts at `offset`, from 1 on.
    pub line: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    pub name: String,
    /// The compiler counts it among the headers of the system.
    pub system: bool,
    /// The file that includes it, where it is included first.
    pub includer: Option<usize>,
}

/// A macro without parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Macro {
    pub name: String,
    pub body: String,
    pub offset: u32,
    pub doc: Option<String>,
}

/// A preprocessed text, cut into tokens. The last one is [`Kind::End`].
#[derive(Default, Debug)]
pub struct Source {
    pub text: String,
    pub tokens: Vec<Token>,
    pub markers: Vec<Marker>,
    pub files: Vec<File>,
    /// Those that are defined at the end, in the order of their definitions.
    pub macros: Vec<Macro>,
    /// Documentation in front of a token.
    pub docs: HashMap<u32, String>,
    /// Documentation behind a token, `/**< .. */`.
    pub docs_behind: HashMap<u32, String>,
    /// For each opening bracket the token that closes it, if one does; brackets of other shapes count as well.
    closing: Vec<Option<u32>>,
    /// From which token on which alignment is the largest; `None` is without a limit.
    packs: Vec<(u32, Option<u64>)>,
}

impl Source {
    pub fn new(text: String) -> Source {
        let mut lexer =
            Lexer { at: 0, out: Source::default(), pack_stack: Vec::new(), doc: None, defined: HashMap::new() };
        lexer.run(text.as_bytes());
        let mut source = lexer.out;
        source.text = text;
        source.match_brackets();
        source
    }

    pub fn slice(&self, token: Token) -> &str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn match_brackets(&mut self) {
        let mut open = Vec::new();
        self.closing = vec![None; self.tokens.len()];
        for (index, token) in self.tokens.iter().enumerate() {
            if token.kind != Kind::Mark {
                continue;
            }
            match self.slice(*token) {
                "(" | "[" | "{" => open.push(index),
                ")" | "]" | "}" => {
                    if let Some(opening) = open.pop() {
                        self.closing[opening] = Some(index as u32);
                    }
                }
                _ => {}
            }
        }
    }

    /// The token that closes a bracket.
    pub fn closing(&self, opening: usize) -> Option<usize> {
        self.closing[opening].map(|index| index as usize)
    }

    /// What `#pragma pack` says where a token stands.
    pub fn pack_at(&self, token: usize) -> Option<u64> {
        let index = self.packs.partition_point(|&(from, _)| from as usize <= token);
        index.checked_sub(1).and_then(|i| self.packs[i].1)
    }

    /// The file that an offset comes from, and the line there.
    pub fn origin(&self, offset: u32) -> Option<(usize, u32)> {
        let marker = self.marker(offset)?;
        let newlines = self.text.as_bytes()[marker.offset as usize..offset as usize].iter().filter(|&&b| b == b'\n');
        Some((marker.file, marker.line + newlines.count() as u32))
    }

    /// The file that an offset comes from.
    pub fn file_at(&self, offset: u32) -> Option<usize> {
        self.marker(offset).map(|marker| marker.file)
    }

    fn marker(&self, offset: u32) -> Option<Marker> {
        let index = self.markers.partition_point(|marker| marker.offset <= offset);
        index.checked_sub(1).map(|i| self.markers[i])
    }
}

struct Lexer {
    at: usize,
    out: Source,
    pack_stack: Vec<Option<u64>>,
    /// Documentation that waits for a token.
    doc: Option<String>,
    /// Places in `out.macros`.
    defined: HashMap<String, usize>,
}

/// Longest first.
const MARKS: &[&str] = &[
    "...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "##", "::",
];

impl Lexer {
    fn run(&mut self, text: &[u8]) {
        let mut line_start = true;
        while let Some(&byte) = text.get(self.at) {
            match byte {
                b'\n' => {
                    line_start = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'#' if line_start => self.directive(text),
                b'/' if text.get(self.at + 1) == Some(&b'*') => self.block_comment(text),
                b'/' if text.get(self.at + 1) == Some(&b'/') => self.line_comment(text),
                _ => {
                    line_start = false;
                    self.token(text);
                }
            }
        }
        self.push(Kind::End, text.len());
        let mut kept = std::mem::take(&mut self.out.macros);
        kept.retain(|it| !it.name.is_empty());
        self.out.macros = kept;
    }

    fn push(&mut self, kind: Kind, end: usize) {
        if let Some(doc) = self.doc.take() {
            self.out.docs.insert(self.out.tokens.len() as u32, doc);
        }
        self.out.tokens.push(Token { kind, start: self.at as u32, end: end as u32 });
        self.at = end;
    }

    fn token(&mut self, text: &[u8]) {
        let rest = &text[self.at..];
        let quote = rest.iter().take(3).position(|&b| b == b'"' || b == b'\'');
        let prefixed = quote.is_some_and(|at| matches!(&rest[..at], b"" | b"L" | b"u" | b"U" | b"u8"));
        if let (true, Some(at)) = (prefixed, quote) {
            let kind = if rest[at] == b'"' { Kind::Text } else { Kind::Char };
            return self.quoted(text, self.at + at, kind);
        }
        let first = rest[0];
        if is_word(first) {
            let length = rest.iter().take_while(|&&b| is_word(b) || b.is_ascii_digit()).count();
            return self.push(Kind::Word, self.at + length);
        }
        if first.is_ascii_digit() || first == b'.' && rest.get(1).is_some_and(u8::is_ascii_digit) {
            let mut length = 1;
            while let Some(&byte) = rest.get(length) {
                let exponent = matches!(byte, b'+' | b'-') && matches!(rest[length - 1], b'e' | b'E' | b'p' | b'P');
                let hexadecimal = rest.len() > 1 && matches!(rest[1], b'x' | b'X');
                let exponent = exponent && (!hexadecimal || matches!(rest[length - 1], b'p' | b'P'));
                let separator = byte == b'\'' && rest.get(length + 1).is_some_and(u8::is_ascii_alphanumeric);
                if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || exponent || separator) {
                    break;
                }
                length += 1;
            }
            return self.push(Kind::Number, self.at + length);
        }
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(mark.as_bytes())) {
            return self.push(Kind::Mark, self.at + mark.len());
        }
        let kind = if first.is_ascii_punctuation() && !matches!(first, b'@' | b'`' | b'\\') {
            Kind::Mark
        } else {
            Kind::Stray
        };
        self.push(kind, self.at + 1);
    }

    /// A text ends at its quote, or where its line does.
    fn quoted(&mut self, text: &[u8], open: usize, kind: Kind) {
        let quote = text[open];
        let mut end = open + 1;
        while let Some(&byte) = text.get(end) {
            match byte {
                b'\n' => break,
                b'\\' if text.get(end + 1).is_some_and(|&b| b != b'\n') => end += 2,
                _ if byte == quote => {
                    end += 1;
                    break;
                }
                _ => end += 1,
            }
        }
        self.push(kind, end.min(text.len()));
    }

    fn block_comment(&mut self, text: &[u8]) {
        let start = self.at;
        let end = find(text, start + 2, b"*/").map_or(text.len(), |at| at + 2);
        self.at = end;
        // `/**/` and boxes of stars say nothing.
        if end - start > 4 && matches!(text[start + 2], b'*' | b'!') && text[start + 3] != b'*' {
            let inner = &text[start + 3..end.saturating_sub(2).max(start + 3)];
            self.note(&String::from_utf8_lossy(inner), false);
        }
    }

    fn line_comment(&mut self, text: &[u8]) {
        let start = self.at;
        let end = line_end(text, start);
        self.at = end;
        if end - start > 3 && matches!(text[start + 2], b'/' | b'!') && text[start + 3] != b'/' {
            self.note(&String::from_utf8_lossy(&text[start + 3..end]), true);
        }
    }

    /// Keeps documentation for the token that it is about. Lines of `///` belong together.
    fn note(&mut self, text: &str, joins: bool) {
        if let Some(behind) = text.strip_prefix('<') {
            if let Some(last) = self.out.tokens.len().checked_sub(1) {
                let doc = self.out.docs_behind.entry(last as u32).or_default();
                if !doc.is_empty() {
                    doc.push('\n');
                }
                doc.push_str(behind);
            }
            return;
        }
        match &mut self.doc {
            Some(doc) if joins => {
                doc.push('\n');
                doc.push_str(text);
            }
            _ => self.doc = Some(text.to_owned()),
        }
    }

    fn directive(&mut self, text: &[u8]) {
        let start = self.at;
        let end = line_end(text, start);
        self.at = end;
        let line = String::from_utf8_lossy(&text[start + 1..end]).into_owned();
        let line = line.trim();
        let (word, rest) = split_word(line);
        match word {
            "define" => self.define(rest, start),
            "undef" => {
                if let Some(index) = self.defined.remove(rest.trim()) {
                    self.out.macros[index].name.clear();
                }
            }
            "pragma" => self.pragma(rest),
            "line" => self.marker(rest, end),
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => self.marker(line, end),
            _ => {}
        }
    }

    /// `# 12 "stdio.h" 1 3`: the next line is line 12 of a header of the system.
    fn marker(&mut self, text: &str, end: usize) {
        let (number, rest) = split_word(text);
        let Ok(line) = number.parse::<u32>() else { return };
        let rest = rest.trim_start();
        let (name, flags) = match rest.strip_prefix('"').and_then(|rest| Some((rest, closing_quote(rest)?))) {
            Some((rest, close)) => (unescape(&rest[..close]), &rest[close + 1..]),
            // The same file.
            None => match self.out.markers.last() {
                Some(last) => (self.out.files[last.file].name.clone(), ""),
                None => return,
            },
        };
        let system = flags.split_whitespace().any(|flag| flag == "3");
        let known = self.out.files.iter().position(|file| file.name == name);
        let file = known.unwrap_or_else(|| {
            let entered = flags.split_whitespace().any(|flag| flag == "1");
            let includer = self.out.markers.last().filter(|_| entered).map(|last| last.file);
            self.out.files.push(File { name, system, includer });
            self.out.files.len() - 1
        });
        // Behind the line's end.
        self.out.markers.push(Marker { offset: end as u32 + 1, file, line });
        self.doc = None;
    }

    fn define(&mut self, text: &str, offset: usize) {
        let text = text.trim_start();
        let length = text.bytes().take_while(|&b| is_word(b) || b.is_ascii_digit()).count();
        let (name, rest) = text.split_at(length);
        if let Some(index) = self.defined.remove(name) {
            self.out.macros[index].name.clear();
        }
        let doc = self.doc.take();
        if rest.starts_with('(') || name.is_empty() {
            return;
        }
        self.defined.insert(name.to_owned(), self.out.macros.len());
        self.out.macros.push(Macro { name: name.to_owned(), body: rest.trim().to_owned(), offset: offset as u32, doc });
    }

    /// `pack(push, 1)`, `pack(1)`, `pack()`, `pack(pop)`.
    fn pragma(&mut self, text: &str) {
        let Some(arguments) = text.trim_start().strip_prefix("pack") else { return };
        let Some(inner) = arguments.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return };
        let current = self.out.packs.last().and_then(|&(_, pack)| pack);
        let mut next = if inner.trim().is_empty() { None } else { current };
        for argument in inner.split(',').map(str::trim) {
            match argument {
                "push" => self.pack_stack.push(current),
                "pop" => next = self.pack_stack.pop().flatten(),
                _ => {
                    if let Ok(number) = argument.parse::<u64>() {
                        next = number.is_power_of_two().then_some(number);
                    }
                }
            }
        }
        self.out.packs.push((self.out.tokens.len() as u32, next));
    }
}

fn is_word(byte: u8) -> bool {
    // Letters beyond ASCII may stand in names, too.
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

fn line_end(text: &[u8], from: usize) -> usize {
    text[from..].iter().position(|&b| b == b'\n').map_or(text.len(), |at| from + at)
}

fn find(text: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    text.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at)
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(text.len()))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// The path of a line marker: compilers put a backslash before quotes and backslashes, and write other bytes in octal.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let octal = rest.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
        if octal == 3 {
            let value = rest[..3].iter().fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            bytes.push(value as u8);
            rest = &rest[3..];
        } else if let Some((&literal, after)) = rest.split_first() {
            bytes.push(literal);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &Source) -> Vec<&str> {
        source.tokens.iter().map(|&token| source.slice(token)).collect()
    }

    #[test]
    fn tokens_are_as_long_as_they_can_be() {
        let source = Source::new("a->b...0x1p-3f+.5e+1 u8\"x\\\"y\" L'\\'' $d".to_owned());
        assert_eq!(
            words(&source),
            ["a", "->", "b", "...", "0x1p-3f", "+", ".5e+1", "u8\"x\\\"y\"", "L'\\''", "$d", ""]
        );
    }

    #[test]
    fn line_markers_say_where_a_token_comes_from() {
        let source = Source::new("# 1 \"a \\\"b\\\".h\" 1\nint\nx;\n# 7 \"c.h\" 2 3\n\ny".to_owned());
        let origin = |token: usize| source.origin(source.tokens[token].start).unwrap();
        assert_eq!((origin(0), origin(1), origin(3)), ((0, 1), (0, 2), (1, 8)));
        assert_eq!(source.files[0], File { name: "a \"b\".h".to_owned(), system: false, includer: None });
        assert!(source.files[1].system);
    }

    #[test]
    fn only_macros_that_stay_defined_and_take_nothing_are_kept() {
        let source =
            Source::new("#define A 1\n#define B(x) x\n#define C 2\n#undef C\n#define A (3)\n#define D\n".to_owned());
        let kept: Vec<_> = source.macros.iter().map(|it| (&*it.name, &*it.body)).collect();
        assert_eq!(kept, [("A", "(3)"), ("D", "")]);
    }

    #[test]
    fn pragmas_change_the_packing_until_it_is_popped() {
        let source = Source::new("a\n#pragma pack(push, 1)\nb\n#pragma pack(4)\nc\n#pragma pack(pop)\nd".to_owned());
        let packs: Vec<_> = (0..4).map(|token| source.pack_at(token)).collect();
        assert_eq!(packs, [None, Some(1), Some(4), None]);
    }

    #[test]
    fn documentation_belongs_to_the_next_or_the_last_token() {
        let source = Source::new("/** one */ a; ///< two\n/// three\n/// four\nb; /* no */ c /****/".to_owned());
        assert_eq!(source.docs[&0], " one ");
        assert_eq!(source.docs_behind[&1], " two");
        assert_eq!(source.docs[&2], " three\n four");
        assert_eq!(source.docs.len(), 2);
    }
}
