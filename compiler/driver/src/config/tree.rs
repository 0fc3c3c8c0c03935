//! A configuration as a tree: what TOML and JSON have in common, with the place of everything in its file.

use std::cmp::Ordering;

use reml_diagnostics::Span;
use serde_json::{Map, Number, Value};

#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    pub span: Span,
    pub data: Data,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Data {
    Null,
    Bool(bool),
    /// As it is written, in decimal: neither digits of large numbers nor those of fractions get lost.
    Number(Box<str>),
    /// Also the dates of TOML.
    Text(Box<str>),
    List(Vec<Node>),
    /// In the order of the file. No key comes twice.
    Map(Vec<Entry>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub key: Box<str>,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    /// The value of a key; `None` also when this has no keys.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| *entry.key == *key).map(|entry| &entry.value)
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// What kind of value it is, as sentences have it.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a truth value",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a table",
        }
    }

    /// An empty table or list.
    pub fn is_empty(&self) -> bool {
        match &self.data {
            Data::Map(entries) => entries.is_empty(),
            Data::List(items) => items.is_empty(),
            _ => false,
        }
    }

    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(text) => number(text),
            Data::Text(text) => Value::String(text.to_string()),
            Data::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Data::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The numbers that [`to_json`](Node::to_json) does not keep as they are.
    pub fn inexact(&self) -> Vec<Span> {
        let (mut found, mut pending) = (Vec::new(), vec![self]);
        while let Some(node) = pending.pop() {
            match &node.data {
                Data::Number(text) if !is_exact(text) => found.push(node.span),
                Data::List(items) => pending.extend(items),
                Data::Map(entries) => pending.extend(entries.iter().map(|entry| &entry.value)),
                _ => {}
            }
        }
        found.sort();
        found
    }

    /// Whether two values without parts mean the same.
    pub fn same_leaf(&self, other: &Node) -> bool {
        match (&self.data, &other.data) {
            (Data::Number(a), Data::Number(b)) => same_number(a, b),
            (Data::List(a), Data::List(b)) => a.is_empty() && b.is_empty(),
            (Data::Map(a), Data::Map(b)) => a.is_empty() && b.is_empty(),
            (a, b) => a == b,
        }
    }
}

/// JSON has neither infinities nor NaN; those stay texts. Numbers that nothing holds exactly become the nearest there is.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    match text.parse::<f64>().ok().and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

/// Is a number in JSON the one that its digits say?
fn is_exact(text: &str) -> bool {
    match number(text) {
        Value::Number(number) => decimal(&number.to_string()) == decimal(text),
        _ => false,
    }
}

/// The digits of a number without zeros around them, and the exponent that goes with these; `None` for what is no decimal number.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let exponent =
        exponent.checked_sub(fraction.len() as i64)?.checked_add((digits.len() - significant.len()) as i64)?;
    let significant = significant.trim_start_matches('0');
    Some(if significant.is_empty() { (false, String::new(), 0) } else { (negative, significant.to_owned(), exponent) })
}

/// Whole numbers are compared by their digits, however many; others as floats.
fn same_number(a: &str, b: &str) -> bool {
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if a == b {
        return true;
    }
    if is_whole(a) && is_whole(b) {
        return a.trim_start_matches('-') == "0" && b.trim_start_matches('-') == "0";
    }
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.partial_cmp(&b) == Some(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::{is_exact, same_number};

    #[test]
    fn numbers_are_the_same_when_they_mean_the_same() {
        assert!(same_number("1", "1.0") && same_number("100", "1e2") && same_number("-0", "0"));
        // As floats, these are one number.
        assert!(!same_number("9007199254740993", "9007199254740992"));
        assert!(!same_number("1", "-1"));
    }

    #[test]
    fn digits_that_would_be_lost_are_noticed() {
        for text in
            ["0", "-0.0", "1", "1.50", "1e2", "100.0", "0.1", "1E-7", "18446744073709551615", "1e300", "-2.5e-3"]
        {
            assert!(is_exact(text), "{text}");
        }
        for text in ["18446744073709551617", "0.1000000000000000055", "1e400", "123456789012345678901234567890"] {
            assert!(!is_exact(text), "{text}");
        }
    }
}
