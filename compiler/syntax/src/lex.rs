//! From text to tokens: drives the logos rules and completes what they only open (comments, strings, characters,
//! identifiers beyond ASCII). Never fails: what cannot be read becomes [`Kind::Error`] and a diagnostic.

use logos::Logos;
use reml_diagnostics::{Diagnostic, Span, codes};
use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

use crate::literal::{self, NumberError};
use crate::names::Names;
use crate::token::{ESCAPES, HAS_DOCS, JOINED, Kind, LINE_START, Token, UNCLOSED};
use crate::unicode;

/// A documentation comment: the token it stands before, and where its text is.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    pub token: u32,
    pub start: u32,
    pub end: u32,
}

/// The tokens of one file. The last one is [`Kind::Eof`].
pub struct Lexed {
    pub tokens: Vec<Token>,
    /// `///` comments in order.
    pub docs: Vec<Doc>,
    /// `//!` comments in order.
    pub module_docs: Vec<Doc>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `text`, whose first byte stands at `base` of the source space.
pub fn lex(text: &str, base: u32, names: &mut Names) -> Lexed {
    let mut lexer = Lexer {
        text,
        base,
        names,
        ascii: text.is_ascii(),
        out: Lexed {
            tokens: Vec::with_capacity(text.len() / 5 + 2),
            docs: Vec::new(),
            module_docs: Vec::new(),
            diagnostics: Vec::new(),
        },
        line: 0,
        line_extra: 0,
        fresh_line: true,
        has_docs: false,
        unclosed: None,
    };
    lexer.run();
    lexer.out
}

struct Lexer<'a> {
    text: &'a str,
    base: u32,
    names: &'a mut Names,
    ascii: bool,
    out: Lexed,
    /// Where the current line starts, and how many of its bytes so far are not the first of a character.
    line: usize,
    line_extra: usize,
    fresh_line: bool,
    has_docs: bool,
    /// Where the last string starts that is never closed.
    unclosed: Option<usize>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        let text = self.text;
        if !self.ascii {
            self.reject_bidi_controls();
        }
        let mut rules = Kind::lexer(text);
        if text.starts_with('\u{FEFF}') {
            rules.bump(3);
            self.line = 3;
        } else if text.starts_with("#!") {
            // A script's interpreter line.
            rules.bump(text.find('\n').unwrap_or(text.len()));
        }
        while let Some(kind) = rules.next() {
            let start = rules.span().start;
            match kind {
                Ok(Kind::LineBreak) => {
                    self.line = start + 1;
                    self.line_extra = 0;
                    self.fresh_line = true;
                }
                Ok(Kind::LineComment) => {
                    let length = rules.remainder().find('\n').unwrap_or(rules.remainder().len());
                    rules.bump(length);
                    self.line_comment(start, rules.span().end);
                }
                Ok(Kind::BlockComment) => {
                    let length = self.block_comment(start, rules.remainder());
                    rules.bump(length);
                    self.advance_lines(start, rules.span().end);
                }
                Ok(Kind::Ident) => {
                    if !self.ascii && rules.remainder().as_bytes().first().is_some_and(|b| *b >= 0x80) {
                        rules.bump(identifier_tail(rules.remainder()));
                    }
                    let end = rules.span().end;
                    if rules.remainder().starts_with('\'') {
                        let primes = rules.remainder().bytes().take_while(|b| *b == b'\'').count();
                        rules.bump(primes);
                        self.prime_identifier(start, end, rules.span().end);
                    } else {
                        self.identifier(start, end);
                    }
                }
                Ok(Kind::NonAscii) => {
                    let c = text[start..].chars().next().unwrap_or('\u{FFFD}');
                    if unicode::starts_identifier(c) {
                        rules.bump(identifier_tail(rules.remainder()));
                        self.identifier(start, rules.span().end);
                    } else if c.is_whitespace() || unicode::is_bidi_control(c) || c == '\u{FEFF}' {
                        self.line_extra += c.len_utf8() - 1;
                    } else {
                        self.unknown(start, rules.span().end);
                    }
                }
                Ok(Kind::Int | Kind::Float) => {
                    let rest = rules.remainder();
                    let tail = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                    rules.bump(tail);
                    self.number(kind == Ok(Kind::Float), start, rules.span().end, tail);
                }
                Ok(kind @ (Kind::Str | Kind::TripleStr | Kind::RawStr)) => {
                    let length = self.string(kind, start, rules.slice().len(), rules.remainder());
                    rules.bump(length);
                    let end = rules.span().end;
                    self.string_token(kind, start, end);
                }
                Ok(Kind::Char) => {
                    let length = self.character(start, rules.remainder());
                    rules.bump(length);
                }
                Ok(kind) => self.push(kind, start, rules.span().end, 0, 0),
                Err(()) => self.unknown(start, rules.span().end),
            }
        }
        self.fresh_line = true;
        self.push(Kind::Eof, text.len(), text.len(), 0, 0);
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.base + start as u32, self.base + end as u32)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, flags: u8, symbol: u32) {
        let mut flags = flags;
        if self.fresh_line {
            flags |= LINE_START;
            self.fresh_line = false;
        } else if self.out.tokens.last().is_some_and(|last| last.end as usize == start) {
            flags |= JOINED;
        }
        if self.has_docs {
            flags |= HAS_DOCS;
            self.has_docs = false;
        }
        let column = (start - self.line).saturating_sub(self.line_extra);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        self.out.tokens.push(Token { kind, flags, column, start: start as u32, end: end as u32, symbol });
    }

    /// Accounts for the lines and the wide characters of a token or comment that has been consumed.
    fn advance_lines(&mut self, start: usize, end: usize) {
        let slice = &self.text[start..end];
        let mut counted_from = 0;
        if let Some(last) = slice.rfind('\n') {
            self.line = start + last + 1;
            self.line_extra = 0;
            counted_from = last + 1;
        }
        if !self.ascii {
            self.line_extra += slice.as_bytes()[counted_from..].iter().filter(|b| (**b & 0xC0) == 0x80).count();
        }
    }

    fn line_comment(&mut self, start: usize, end: usize) {
        let text = self.text[start..end].trim_end_matches('\r');
        let end = start + text.len();
        let doc = Doc { token: self.out.tokens.len() as u32, start: (start + 3) as u32, end: end as u32 };
        if text.starts_with("//!") {
            self.out.module_docs.push(doc);
        } else if text.starts_with("///") && !text.starts_with("////") {
            self.out.docs.push(doc);
            self.has_docs = true;
        }
    }

    /// The length of the rest of a block comment after its opening.
    fn block_comment(&mut self, start: usize, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        let mut depth = 1;
        let mut at = 0;
        while at < bytes.len() {
            match (bytes[at], bytes.get(at + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => at += 1,
            }
        }
        let span = self.span(start, start + 2);
        self.out.diagnostics.push(
            Diagnostic::error(codes::LEX_UNTERMINATED_COMMENT, span, "this comment is never closed")
                .with_help("close it with `*/`; comments nest, so each `/*` needs one"),
        );
        rest.len()
    }

    fn identifier(&mut self, start: usize, end: usize) {
        let slice = &self.text[start..end];
        let symbol = if self.ascii || is_nfc_quick(slice.chars()) == unicode_normalization::IsNormalized::Yes {
            self.names.intern(slice)
        } else {
            self.names.intern(&slice.nfc().collect::<String>())
        };
        self.push(Kind::Ident, start, end, 0, symbol.0);
        self.advance_wide(start, end);
    }

    fn advance_wide(&mut self, start: usize, end: usize) {
        if !self.ascii {
            self.advance_lines(start, end);
        }
    }

    /// `x'`: primes are not Reml; read as `x_prime`.
    fn prime_identifier(&mut self, start: usize, name_end: usize, end: usize) {
        let mut spelling = self.text[start..name_end].to_string();
        for _ in name_end..end {
            spelling.push_str("_prime");
        }
        let symbol = self.names.intern(&spelling);
        let span = self.span(start, end);
        self.out.diagnostics.push(
            Diagnostic::error(codes::PARSE_FOREIGN_SYNTAX, span, "a name cannot contain `'`")
                .with_help(format!("rename it, for example to `{spelling}`"))
                .with_fix(span, spelling, "write the prime as a word"),
        );
        self.push(Kind::Ident, start, end, 0, symbol.0);
        self.advance_wide(start, end);
    }

    fn number(&mut self, is_float: bool, start: usize, end: usize, tail: usize) {
        let slice = &self.text[start..end];
        if tail > 0 {
            let suffix = &slice[slice.len() - tail..];
            let before = self.span(end - tail, end).shrink_to_start();
            let diagnostic = match literal::integer(slice) {
                Err(NumberError::BadDigit) if slice.starts_with('0') && slice.len() > 1 => self.bad_number(start, end),
                _ => {
                    let message = format!("`{slice}` is not a number");
                    let diagnostic = Diagnostic::error(codes::LEX_INVALID_NUMBER, self.span(start, end), message)
                        .with_primary_label(format!("`{suffix}` cannot follow a number"));
                    match suffix {
                        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" | "f32"
                        | "f64" => diagnostic.with_fix(before, " as ", "convert it"),
                        "ns" | "us" | "ms" | "s" | "min" | "h" => {
                            diagnostic.with_fix(before, ".", "write the unit with a dot")
                        }
                        _ => diagnostic,
                    }
                }
            };
            self.out.diagnostics.push(diagnostic);
            return self.push(Kind::Error, start, end, 0, 0);
        }
        if is_float {
            // In `x.0.1` both numbers are fields.
            let after_dot = self.out.tokens.last().is_some_and(|t| t.kind == Kind::Dot && t.end as usize == start);
            if let (true, Some(dot)) = (after_dot && !slice.contains(['e', 'E']), slice.find('.')) {
                self.push(Kind::Int, start, start + dot, 0, 0);
                self.push(Kind::Dot, start + dot, start + dot + 1, 0, 0);
                return self.push(Kind::Int, start + dot + 1, end, 0, 0);
            }
            if literal::float(slice).is_infinite() {
                let message = "this number is larger than any floating-point type can hold";
                let diagnostic = Diagnostic::error(codes::LEX_NUMBER_OUT_OF_RANGE, self.span(start, end), message)
                    .with_help("`Float.INFINITY` is infinite");
                self.out.diagnostics.push(diagnostic);
                return self.push(Kind::Error, start, end, 0, 0);
            }
            return self.push(Kind::Float, start, end, 0, 0);
        }
        let plain = slice.len() <= 30 && slice.bytes().all(|b| b.is_ascii_digit());
        if !plain && literal::integer(slice).is_err() {
            let diagnostic = self.bad_number(start, end);
            self.out.diagnostics.push(diagnostic);
            return self.push(Kind::Error, start, end, 0, 0);
        }
        self.push(Kind::Int, start, end, 0, 0);
    }

    fn bad_number(&self, start: usize, end: usize) -> Diagnostic {
        let slice = &self.text[start..end];
        let span = self.span(start, end);
        match literal::integer(slice) {
            Err(NumberError::TooLarge) => Diagnostic::error(
                codes::LEX_NUMBER_OUT_OF_RANGE,
                span,
                "this number is larger than any integer type can hold",
            ),
            Err(NumberError::NoDigits) => {
                Diagnostic::error(codes::LEX_INVALID_NUMBER, span, format!("`{slice}` has no digits"))
            }
            _ => {
                let digits = match slice.as_bytes().get(1) {
                    Some(b'b' | b'B') => "binary digits `0` and `1`",
                    Some(b'o' | b'O') => "octal digits `0` to `7`",
                    _ => "hexadecimal digits",
                };
                Diagnostic::error(codes::LEX_INVALID_NUMBER, span, format!("`{slice}` is not a number"))
                    .with_help(format!("after `{}` only {digits} may follow", &slice[..2]))
            }
        }
    }

    /// The length of the rest of a string after its opening.
    fn string(&mut self, kind: Kind, start: usize, opening: usize, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        let mut at = 0;
        match kind {
            Kind::Str => {
                while at < bytes.len() {
                    match bytes[at] {
                        b'"' => return at + 1,
                        b'\\' => at += 2,
                        b'\n' => break,
                        _ => at += 1,
                    }
                }
            }
            Kind::TripleStr => {
                while at < bytes.len() {
                    if bytes[at] == b'\\' {
                        at += 2;
                    } else if bytes[at..].starts_with(b"\"\"\"") {
                        return at + 3;
                    } else {
                        at += 1;
                    }
                }
            }
            _ => {
                let hashes = opening - 2;
                while let Some(quote) = rest[at..].find('"') {
                    at += quote + 1;
                    let found = bytes[at..].iter().take(hashes).take_while(|b| **b == b'#').count();
                    if found == hashes {
                        return at + hashes;
                    }
                }
                at = rest.len();
            }
        }
        // An escaped character may have been the last one, or longer than a byte.
        let mut at = at.min(rest.len());
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let at = at - usize::from(at > 0 && kind == Kind::Str && bytes[at - 1] == b'\r');
        let span = self.span(start, start + opening);
        let mut diagnostic = Diagnostic::error(codes::LEX_UNTERMINATED_STRING, span, "this string is never closed");
        diagnostic = match kind {
            Kind::Str => diagnostic
                .with_fix(self.span(start + opening + at, start + opening + at), "\"", "close the string here")
                .with_help("a string over several lines is written between `\"\"\"`"),
            Kind::TripleStr => diagnostic.with_help("close it with `\"\"\"`"),
            _ => diagnostic.with_help(format!("close it with `\"{}`", "#".repeat(opening - 2))),
        };
        self.out.diagnostics.push(diagnostic);
        self.unclosed = Some(start);
        at
    }

    fn string_token(&mut self, kind: Kind, start: usize, end: usize) {
        let mut flags = if self.unclosed == Some(start) { UNCLOSED } else { 0 };
        if kind != Kind::RawStr {
            let body = string_body(&self.text[start..end], kind);
            if body.contains('\\') {
                flags |= ESCAPES;
                // The body may start behind a dropped newline.
                let offset = body.as_ptr() as usize - self.text.as_ptr() as usize;
                self.check_escapes(body, offset);
            }
        }
        self.push(kind, start, end, flags, 0);
        self.advance_lines(start, end);
    }

    fn check_escapes(&mut self, body: &str, offset: usize) {
        let base = self.base as usize + offset;
        let diagnostics = &mut self.out.diagnostics;
        literal::unescape(body, |_, c| {
            if let Err(bad) = c {
                let span = Span::new((base + bad.start) as u32, (base + bad.end) as u32);
                let mut diagnostic = Diagnostic::error(
                    codes::LEX_INVALID_ESCAPE,
                    span,
                    format!("invalid escape `{}`: {}", &body[bad.start..bad.end], bad.reason),
                );
                if bad.end - bad.start == 2 {
                    diagnostic = diagnostic
                        .with_fix(span.shrink_to_start(), "\\", "write the backslash twice")
                        .with_help("a raw string, `r\"..\"`, keeps backslashes as they are");
                }
                diagnostics.push(diagnostic);
            }
        });
    }

    /// Reads the rest of a character literal and pushes its token.
    fn character(&mut self, start: usize, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        if bytes.first() == Some(&b'\'') {
            let span = self.span(start, start + 2);
            self.out.diagnostics.push(
                Diagnostic::error(codes::LEX_UNTERMINATED_CHAR, span, "a character literal cannot be empty")
                    .with_help("an empty text is written `\"\"`"),
            );
            self.push(Kind::Error, start, start + 2, 0, 0);
            return 1;
        }
        let mut at = 0;
        let closed = loop {
            match bytes.get(at) {
                None | Some(b'\n') => break false,
                Some(b'\'') if at > 0 => break true,
                Some(b'\\') => at += 2,
                // Nothing that is one character is this long: the quote was meant otherwise.
                _ if at > 16 => break false,
                _ => at += 1,
            }
        };
        if !closed {
            let span = self.span(start, start + 1);
            self.out.diagnostics.push(
                Diagnostic::error(codes::LEX_UNTERMINATED_CHAR, span, "this character literal is never closed")
                    .with_help("a character is written `'c'`, a text `\"text\"`"),
            );
            self.push(Kind::Error, start, start + 1, 0, 0);
            return 0;
        }
        let body = &rest[..at];
        let end = start + at + 2;
        let mut count = 0;
        let mut bad = false;
        literal::unescape(body, |_, c| match c {
            Ok(_) => count += 1,
            Err(_) => bad = true,
        });
        if bad {
            self.check_escapes(body, start + 1);
        } else if count != 1 {
            let span = self.span(start, end);
            let mut diagnostic = Diagnostic::error(
                codes::LEX_UNTERMINATED_CHAR,
                span,
                format!("a character literal holds one Unicode scalar value, this one holds {count}"),
            );
            if !body.contains(['"', '\\']) {
                diagnostic = diagnostic.with_fix(span, format!("\"{body}\""), "write it as a string");
            }
            self.out.diagnostics.push(diagnostic);
        }
        let kind = if bad || count != 1 { Kind::Error } else { Kind::Char };
        self.push(kind, start, end, if body.contains('\\') { ESCAPES } else { 0 }, 0);
        self.advance_wide(start, end);
        at + 1
    }

    fn unknown(&mut self, start: usize, end: usize) {
        // A run of unreadable characters is one mistake.
        let previous = self.out.tokens.last().copied();
        if previous.is_some_and(|t| t.kind == Kind::Error && t.end as usize == start && !self.fresh_line) {
            self.out.tokens.last_mut().expect("just seen").end = end as u32;
            return self.advance_wide(start, end);
        }
        let slice = &self.text[start..end];
        let span = self.span(start, end);
        let mut diagnostic = Diagnostic::error(
            codes::LEX_UNKNOWN_TOKEN,
            span,
            format!("`{}` has no meaning in Reml", slice.escape_debug()),
        );
        if let Some(meant) = look_alike(slice) {
            diagnostic = diagnostic.with_fix(span, meant, format!("write `{meant}`"));
        }
        self.out.diagnostics.push(diagnostic);
        self.push(Kind::Error, start, end, 0, 0);
        self.advance_wide(start, end);
    }

    fn reject_bidi_controls(&mut self) {
        for (at, c) in self.text.char_indices().filter(|(_, c)| unicode::is_bidi_control(*c)) {
            let span = self.span(at, at + c.len_utf8());
            self.out.diagnostics.push(
                Diagnostic::error(
                    codes::LEX_BIDI_CONTROL,
                    span,
                    format!("the invisible direction control U+{:04X} is not allowed in source text", u32::from(c)),
                )
                .with_note("it would make the program read differently from what is compiled")
                .with_help("inside a string write it as an escape, `\\u{..}`")
                .with_fix(span, "", "remove it"),
            );
        }
    }
}

/// How many bytes of `rest` continue an identifier.
fn identifier_tail(rest: &str) -> usize {
    rest.char_indices().find(|(_, c)| !unicode::continues_identifier(*c)).map_or(rest.len(), |(at, _)| at)
}

/// Characters that word processors and other languages put in place of ASCII ones.
fn look_alike(text: &str) -> Option<&'static str> {
    Some(match text {
        "\u{201C}" | "\u{201D}" | "\u{201E}" => "\"",
        "\u{2018}" | "\u{2019}" => "'",
        "\u{2013}" | "\u{2014}" | "\u{2212}" => "-",
        "\u{2192}" => "->",
        "\u{21D2}" => "=>",
        "\u{2260}" => "!=",
        "\u{2264}" => "<=",
        "\u{2265}" => ">=",
        "\u{00D7}" => "*",
        "\u{00F7}" => "/",
        "\u{FF08}" => "(",
        "\u{FF09}" => ")",
        "\u{FF0C}" => ",",
        "\u{FF1B}" => ";",
        "\u{FF1A}" => ":",
        "\u{2026}" => "..",
        _ => return None,
    })
}

/// The inside of a string token, without its delimiters. Works for unterminated ones too.
pub fn string_body(slice: &str, kind: Kind) -> &str {
    match kind {
        Kind::RawStr => {
            let opening = slice.find('"').map_or(slice.len(), |at| at + 1);
            let closing = format!("\"{}", "#".repeat(opening.saturating_sub(2)));
            let body = &slice[opening..];
            body.strip_suffix(closing.as_str()).unwrap_or(body)
        }
        Kind::TripleStr => {
            let body = slice.get(3..).unwrap_or("");
            let body = body.strip_suffix("\"\"\"").unwrap_or(body);
            body.strip_prefix("\r\n").or_else(|| body.strip_prefix('\n')).unwrap_or(body)
        }
        _ => {
            let body = slice.get(1..).unwrap_or("");
            body.strip_suffix('"').unwrap_or(body)
        }
    }
}

#[cfg(test)]
mod tests;
