//! JSON as a tree. What departs from the standard is accepted as far as the compatibility says, and reported otherwise.

use std::borrow::Cow;

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, SourceFile, Span};
use rustc_hash::FxHashMap;

use super::compat::{Compat, Duplicates, Keys, Numbers};
use super::tree::{Data, Entry, Node};
use super::{SHOWN, span};

/// All that a compatibility may accept; what it does not is found in the tree.
const READABLE: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: true,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: true,
    allow_unary_plus_numbers: true,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub fn parse(file: &SourceFile, compat: &Compat, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut fail = |at: Span, problem: String| {
        let message = format!("`{}` is not valid JSON: {problem}", file.name);
        diagnostics.push(Diagnostic::error(codes::CONFIG_PARSE, at, message));
    };
    // The byte order mark that some editors write. As blanks, it leaves everything else where it is.
    let text: Cow<'_, str> = match file.text.strip_prefix('\u{feff}') {
        Some(rest) => format!("   {rest}").into(),
        None => Cow::Borrowed(&*file.text),
    };
    let collect = CollectOptions { comments: CommentCollectionStrategy::Separate, tokens: false };
    let parsed = match parse_to_ast(&text, &collect, &READABLE) {
        Ok(parsed) => parsed,
        Err(error) => {
            let kind = error.kind().to_string();
            fail(place(file, error.range()), lower_first(&kind));
            return None;
        }
    };
    let Some(value) = parsed.value else {
        fail(span(file, 0..0), "it is empty".to_owned());
        return None;
    };
    let mut reader = Reader { file, compat, departures: Vec::new(), more: 0 };
    if !compat.comments {
        // Each comment is known both by what is before it and by what is behind.
        let comments = parsed.comments.iter().flat_map(|map| map.values()).flat_map(|some| some.iter());
        let mut places: Vec<(usize, usize)> = comments.map(|it| (it.start(), it.end())).collect();
        places.sort_unstable();
        places.dedup();
        for (start, end) in places {
            let help = "comments are accepted with `trivia = \"json_relaxed\"`";
            reader.depart(
                codes::CONFIG_TRIVIA,
                start..end,
                "the standard of JSON knows no comments".to_owned(),
                help,
                true,
            );
        }
    }
    let root = reader.node(value);
    let Reader { departures, more, .. } = reader;
    let fine = !departures.iter().any(Diagnostic::is_error);
    diagnostics.extend(departures);
    if more > 0 {
        let message = format!("`{}` departs from the standard in {more} more places", file.name);
        diagnostics.push(Diagnostic::error(codes::CONFIG_PARSE, span(file, 0..0), message));
    }
    (fine && more == 0).then_some(root)
}

fn place(file: &SourceFile, range: Range) -> Span {
    span(file, range.start..range.end)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

struct Reader<'a> {
    file: &'a SourceFile,
    compat: &'a Compat,
    departures: Vec<Diagnostic>,
    more: usize,
}

impl Reader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        if self.departures.len() < SHOWN {
            let diagnostic = diagnostic
                .with_fact("config.profile", self.compat.profile)
                .with_fact("config.compatibility.format", "json");
            self.departures.push(diagnostic);
        } else {
            self.more += 1;
        }
    }

    /// Something is not as the standard has it, and the compatibility does not accept it either.
    /// `in_profile`: the profile `json-relaxed` would.
    fn depart(&mut self, code: Code, at: std::ops::Range<usize>, message: String, help: &str, in_profile: bool) {
        let profile = if in_profile { ", or with `--config-compat json-relaxed`" } else { "" };
        let help = format!("{help} in `[config.compatibility.json]` of `reml.toml`{profile}");
        self.report(Diagnostic::error(code, span(self.file, at), message).with_help(help));
    }

    fn node(&mut self, value: Value<'_>) -> Node {
        let span = place(self.file, value.range());
        let data = match value {
            Value::NullKeyword(_) => Data::Null,
            Value::BooleanLit(literal) => Data::Bool(literal.value),
            Value::NumberLit(literal) => Data::Number(self.number(literal.value, literal.range)),
            Value::StringLit(literal) => {
                self.control_characters(literal.range);
                Data::Text(literal.value.into())
            }
            Value::Array(array) => {
                let last = array.elements.last().map(|it| it.range().end);
                self.trailing_comma(last, array.range, self.compat.comma_in_arrays, "`]`", "arrays");
                Data::List(array.elements.into_iter().map(|item| self.node(item)).collect())
            }
            Value::Object(object) => {
                let last = object.properties.last().map(|it| it.range.end);
                self.trailing_comma(last, object.range, self.compat.comma_in_objects, "`}`", "objects");
                let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
                let mut seen: FxHashMap<Box<str>, usize> = FxHashMap::default();
                for property in object.properties {
                    let key_span = place(self.file, property.name.range());
                    match &property.name {
                        ObjectPropName::Word(word) => self.unquoted(word.value, word.range),
                        ObjectPropName::String(text) => self.control_characters(text.range),
                    }
                    let key: Box<str> = property.name.into_string().into();
                    let value = self.node(property.value);
                    match seen.get(&key) {
                        Some(&first) => self.duplicate(&mut entries[first], Entry { key, key_span, value }),
                        None => {
                            seen.insert(key.clone(), entries.len());
                            entries.push(Entry { key, key_span, value });
                        }
                    }
                }
                Data::Map(entries)
            }
        };
        Node { span, data }
    }

    /// In decimal, without `+`.
    fn number(&mut self, text: &str, at: Range) -> Box<str> {
        let unsigned = text.trim_start_matches(['+', '-']);
        let hex = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
        let form = match (hex, text.starts_with('+')) {
            (Some(_), _) => Numbers::Hex,
            (None, true) => Numbers::Plus,
            (None, false) => Numbers::Standard,
        };
        if form > self.compat.numbers {
            let setting = if form == Numbers::Hex { "allow_hex_float" } else { "allow_leading_plus" };
            let help = format!("such numbers are accepted with `number = \"{setting}\"`");
            let message = format!("the standard of JSON does not write numbers like `{text}`");
            self.depart(codes::CONFIG_NUMBER_FORMAT, at.start..at.end, message, &help, form == Numbers::Plus);
        }
        match hex.map(|digits| i128::from_str_radix(digits, 16)) {
            Some(Ok(value)) if text.starts_with('-') => (-value).to_string().into(),
            Some(Ok(value)) => value.to_string().into(),
            // More digits than any number of JSON is read with.
            Some(Err(_)) => text.into(),
            None => text.trim_start_matches('+').into(),
        }
    }

    /// Texts have escapes instead.
    fn control_characters(&mut self, at: Range) {
        let text = &self.file.text[at.start..at.end];
        if let Some(found) = text.bytes().position(|byte| byte < b' ') {
            let message = format!("a text cannot have a control character; write `\\u{:04x}`", text.as_bytes()[found]);
            let span = span(self.file, at.start + found..at.start + found + 1);
            self.report(Diagnostic::error(codes::CONFIG_PARSE, span, message));
        }
    }

    /// `last`: where the last element ends.
    fn trailing_comma(&mut self, last: Option<usize>, whole: Range, accepted: bool, bracket: &str, setting: &str) {
        let Some(last) = last.filter(|_| !accepted) else { return };
        let rest = &self.file.text[last..whole.end.saturating_sub(1).max(last)];
        let Some(at) = comma(rest) else { return };
        let message = format!("the standard of JSON has no comma before {bracket}");
        let help = format!("it is accepted with `trailing_comma = \"{setting}\"`");
        self.depart(codes::CONFIG_TRAILING_COMMA, last + at..last + at + 1, message, &help, true);
    }

    fn unquoted(&mut self, key: &str, at: Range) {
        let is = |more: &[u8]| key.bytes().all(|byte| byte.is_ascii_alphabetic() || more.contains(&byte));
        let accepted = match self.compat.keys {
            Keys::Quoted => false,
            Keys::Alpha => is(b"_"),
            Keys::AlphaNumeric => is(b"_-0123456789"),
        };
        if !accepted {
            let is_alpha = is(b"_");
            let setting = if is_alpha { "allow_alpha" } else { "allow_alpha_numeric" };
            let message = format!("the key `{key}` needs quotation marks");
            let help = format!("keys without them are accepted with `unquoted_key = \"{setting}\"`");
            self.depart(codes::CONFIG_UNQUOTED_KEY, at.start..at.end, message, &help, is_alpha);
        }
    }

    fn duplicate(&mut self, first: &mut Entry, second: Entry) {
        let message = format!("the key `{}` comes twice in one object", second.key);
        let (span, before) = (second.key_span, first.key_span);
        match self.compat.duplicates {
            Duplicates::LastWins => first.value = second.value,
            Duplicates::Refused => self
                .report(Diagnostic::error(codes::CONFIG_DUPLICATE_KEY, span, message).with_label(before, "first here")),
            Duplicates::Collected => {
                self.report(
                    Diagnostic::warning(codes::CONFIG_DUPLICATE_KEY, span, message)
                        .with_label(before, "first here")
                        .with_note("its values become one list"),
                );
                collect(first, second.value);
            }
        }
    }
}

/// Adds a value to those that a key has. Only lists that were made here get elements, and those begin with the first value.
fn collect(first: &mut Entry, value: Node) {
    let made_here =
        |node: &Node| matches!(&node.data, Data::List(items) if items.first().is_some_and(|it| it.span == node.span));
    if !made_here(&first.value) {
        let old = std::mem::replace(&mut first.value, Node { span: value.span, data: Data::Null });
        first.value = Node { span: old.span, data: Data::List(vec![old]) };
    }
    if let Data::List(items) = &mut first.value.data {
        items.push(value);
    }
}

/// Where a comma stands in what separates an element from a bracket: white space and comments besides.
fn comma(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        at += match rest.as_bytes() {
            [b',', ..] => return Some(at),
            [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use reml_diagnostics::SourceMap;

    fn problems(text: &str) -> Vec<String> {
        let mut sources = SourceMap::new();
        let id = sources.add("a.json", text).unwrap();
        let mut diagnostics = Vec::new();
        parse(sources.file(id), &Compat::strict(), &mut diagnostics);
        diagnostics
            .iter()
            .map(|it| format!("{}: {}", sources.text(it.primary).unwrap_or_default(), it.message))
            .collect()
    }

    #[test]
    fn only_the_standard_is_accepted() {
        assert_eq!(problems("{\"a\": [1, -2.5e3, null, true, \"\\u00e4\"]}"), Vec::<String>::new());
        for text in [
            "{\"a\": 1,}",
            "{a: 1}",
            "[1 2]",
            "[0x1]",
            "['a']",
            "[+1]",
            "// c\n1",
            "",
            "[01]",
            "[1] 2",
            "[NaN]",
            "[\"\t\"]",
            "{\"\u{1}\": 1}",
        ] {
            assert_eq!(problems(text).len(), 1, "{text}");
        }
        assert_eq!(problems(&"[".repeat(100_000)).len(), 1);
        assert_eq!(problems("\u{feff}{\"a\": 1}"), Vec::<String>::new());
        assert_eq!(problems("\u{feff}{\"a\": 1,}"), [",: the standard of JSON has no comma before `}`"]);
        assert_eq!(problems("{\"a\": 1, \"b\": 2, \"a\": 3}"), ["\"a\": the key `a` comes twice in one object"]);
    }

    /// The tree as JSON, and what was reported.
    fn read(text: &str, compat: &Compat) -> (String, Vec<String>) {
        let mut sources = SourceMap::new();
        let id = sources.add("a.json", text).unwrap();
        let mut diagnostics = Vec::new();
        let root = parse(sources.file(id), compat, &mut diagnostics);
        let codes = diagnostics.iter().map(|it| it.code.0.to_owned()).collect();
        (root.map_or_else(String::new, |root| root.to_json().to_string()), codes)
    }

    #[test]
    fn a_compatibility_accepts_what_it_says() {
        let text = "{ // people write this\n a: [1, 2,], \"b\": +3, \"b\": -0x1F, /* , */ }";
        let all = Compat {
            comments: true,
            comma_in_arrays: true,
            comma_in_objects: true,
            keys: Keys::Alpha,
            duplicates: Duplicates::LastWins,
            numbers: Numbers::Hex,
            ..Compat::strict()
        };
        assert_eq!(read(text, &all), (r#"{"a":[1,2],"b":-31}"#.to_owned(), Vec::new()));
        let codes = |compat: Compat| read(text, &compat).1;
        assert_eq!(codes(Compat { comma_in_arrays: false, ..all.clone() }), ["config.compat.trailing_comma"]);
        assert_eq!(codes(Compat { comma_in_objects: false, ..all.clone() }), ["config.compat.trailing_comma"]);
        assert_eq!(codes(Compat { keys: Keys::Quoted, ..all.clone() }), ["config.compat.unquoted_key"]);
        assert_eq!(codes(Compat { numbers: Numbers::Plus, ..all.clone() }), ["config.compat.number_format"]);
        assert_eq!(codes(Compat { comments: false, ..all.clone() }), ["config.trivia.invalid"; 2]);
        assert_eq!(codes(Compat { duplicates: Duplicates::Refused, ..all.clone() }), ["config.compat.duplicate_key"]);
        let collected = Compat { duplicates: Duplicates::Collected, ..all };
        let text = r#"{"a": [1], "a": 2, "a": [3]}"#;
        assert_eq!(
            read(text, &collected),
            (r#"{"a":[[1],2,[3]]}"#.to_owned(), vec!["config.compat.duplicate_key".to_owned(); 2])
        );
    }

    #[test]
    fn many_departures_are_counted() {
        let text = format!("[{}1]", "+1, ".repeat(5_000));
        assert_eq!(read(&text, &Compat::strict()).1.len(), SHOWN + 1);
    }
}
