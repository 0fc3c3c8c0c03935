//! TOML as a tree.

use reml_diagnostics::{Diagnostic, SourceFile, codes};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::span;
use super::tree::{Data, Entry, Node};

/// Duplicate keys are syntax errors in TOML.
pub fn parse(file: &SourceFile, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    match DeTable::parse(&file.text) {
        Ok(root) => Some(tree(file, root.get_ref())),
        Err(error) => {
            let at = span(file, error.span().unwrap_or(0..0));
            let message = format!("`{}` is not valid TOML: {}", file.name, error.message());
            diagnostics.push(Diagnostic::error(codes::CONFIG_PARSE, at, message));
            None
        }
    }
}

/// The tree of a file that has been read.
pub fn tree(file: &SourceFile, root: &DeTable<'_>) -> Node {
    Node { span: file.span(), data: table(file, root) }
}

fn table(file: &SourceFile, table: &DeTable<'_>) -> Data {
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let text: &str = key.get_ref();
        Entry { key: text.into(), key_span: span(file, key.span()), value: node(file, value) }
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.key_span);
    Data::Map(entries)
}

fn node(file: &SourceFile, value: &Spanned<DeValue<'_>>) -> Node {
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text((&**text).into()),
        DeValue::Boolean(value) => Data::Bool(*value),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Data::Number(number.to_string().into()),
            Err(_) => Data::Number(number.as_str().into()),
        },
        DeValue::Float(number) => Data::Number(number.as_str().into()),
        DeValue::Datetime(time) => Data::Text(time.to_string().into()),
        DeValue::Array(items) => Data::List(items.iter().map(|item| node(file, item)).collect()),
        DeValue::Table(inner) => table(file, inner),
    };
    Node { span: span(file, value.span()), data }
}
