//! JSON as a tree. Nothing but what the standard allows is accepted.

use jsonc_parser::ast::Value;
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use reml_diagnostics::{Diagnostic, SourceFile, Span, codes};
use rustc_hash::FxHashMap;

use super::span;
use super::tree::{Data, Entry, Node};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub fn parse(file: &SourceFile, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut fail = |at: Span, problem: String| {
        let message = format!("`{}` is not valid JSON: {problem}", file.name);
        diagnostics.push(Diagnostic::error(codes::CONFIG_PARSE, at, message));
    };
    let parsed = match parse_to_ast(&file.text, &CollectOptions::default(), &STRICT) {
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
    let before = diagnostics.len();
    let root = Reader { file, diagnostics }.node(value);
    (diagnostics.len() == before).then_some(root)
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
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn node(&mut self, value: Value<'_>) -> Node {
        let span = place(self.file, value.range());
        let data = match value {
            Value::NullKeyword(_) => Data::Null,
            Value::BooleanLit(literal) => Data::Bool(literal.value),
            Value::NumberLit(literal) => Data::Number(literal.value.into()),
            Value::StringLit(literal) => Data::Text(literal.value.into()),
            Value::Array(array) => Data::List(array.elements.into_iter().map(|item| self.node(item)).collect()),
            Value::Object(object) => {
                let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
                let mut seen: FxHashMap<Box<str>, Span> = FxHashMap::default();
                for property in object.properties {
                    let key_span = place(self.file, property.name.range());
                    let key: Box<str> = property.name.into_string().into();
                    if let Some(&first) = seen.get(&key) {
                        self.diagnostics.push(
                            Diagnostic::error(
                                codes::CONFIG_DUPLICATE_KEY,
                                key_span,
                                format!("the key `{key}` comes twice in one object"),
                            )
                            .with_label(first, "first here"),
                        );
                        continue;
                    }
                    seen.insert(key.clone(), key_span);
                    entries.push(Entry { key, key_span, value: self.node(property.value) });
                }
                Data::Map(entries)
            }
        };
        Node { span, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reml_diagnostics::SourceMap;

    fn problems(text: &str) -> Vec<String> {
        let mut sources = SourceMap::new();
        let id = sources.add("a.json", text).unwrap();
        let mut diagnostics = Vec::new();
        parse(sources.file(id), &mut diagnostics);
        diagnostics
            .iter()
            .map(|it| format!("{}: {}", sources.text(it.primary).unwrap_or_default(), it.message))
            .collect()
    }

    #[test]
    fn only_the_standard_is_accepted() {
        assert_eq!(problems("{\"a\": [1, -2.5e3, null, true, \"\\u00e4\"]}"), Vec::<String>::new());
        for text in
            ["{\"a\": 1,}", "{a: 1}", "[1 2]", "[0x1]", "['a']", "[+1]", "// c\n1", "", "[01]", "[1] 2", "[NaN]"]
        {
            assert_eq!(problems(text).len(), 1, "{text}");
        }
        assert_eq!(problems(&"[".repeat(100_000)).len(), 1);
        assert_eq!(problems("{\"a\": 1, \"b\": 2, \"a\": 3}"), ["\"a\": the key `a` comes twice in one object"]);
    }
}
