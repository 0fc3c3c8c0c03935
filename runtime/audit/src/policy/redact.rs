//! What in a text tells who somebody is, and how is it made unrecognisable?
//!
//! Texts are searched for the shapes of addresses and numbers. Shapes are not proof: what looks like a number of a card must have its check digit, and a
//! telephone number must have its country's prefix or be grouped like one, so that times, hashes and counts stay.

use std::ops::Range;

use regex_automata::meta::Regex;
use serde_json::Value;

use crate::policy::SettingError;

/// Something that tells who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pii {
    Email,
    PhoneNumber,
    CreditCard,
    SocialSecurityNumber,
    /// What a regular expression finds.
    Custom(String),
}

/// What is made unrecognisable, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactPolicy {
    pub types: Vec<Pii>,
    pub replacement: String,
    /// Letters become `a` and digits `0`, and everything else stays, instead of the replacement.
    pub preserve_structure: bool,
}

impl Default for RedactPolicy {
    fn default() -> RedactPolicy {
        RedactPolicy {
            types: vec![Pii::Email, Pii::CreditCard, Pii::SocialSecurityNumber, Pii::PhoneNumber],
            replacement: "[redacted]".to_owned(),
            preserve_structure: false,
        }
    }
}

impl Pii {
    fn shape(&self) -> &str {
        match self {
            Pii::Email => r"[\w.%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}",
            Pii::PhoneNumber => r"\+[0-9]([ .()/-]{0,2}[0-9]){7,14}\b|\(?\b[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}\b",
            Pii::CreditCard => r"\b[0-9]([ -]?[0-9]){12,18}\b",
            Pii::SocialSecurityNumber => r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
            Pii::Custom(shape) => shape,
        }
    }

    fn is_plausible(&self, text: &str) -> bool {
        match self {
            Pii::CreditCard => has_check_digit(text),
            _ => true,
        }
    }
}

/// The sum of Luhn, which the numbers of cards end with.
fn has_check_digit(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A policy whose expressions are compiled.
#[derive(Debug)]
pub struct Redactor {
    types: Vec<(Pii, Regex)>,
    replacement: String,
    preserve_structure: bool,
}

impl Redactor {
    /// Fails if a custom expression is none.
    pub fn new(policy: &RedactPolicy) -> Result<Redactor, SettingError> {
        let compile = |pii: &Pii| match Regex::new(pii.shape()) {
            Ok(regex) => Ok((pii.clone(), regex)),
            Err(_) => Err(SettingError::BadValue {
                key: "pii_types",
                value: pii.shape().to_owned(),
                expected: "a regular expression",
            }),
        };
        Ok(Redactor {
            types: policy.types.iter().map(compile).collect::<Result<_, _>>()?,
            replacement: policy.replacement.clone(),
            preserve_structure: policy.preserve_structure,
        })
    }

    /// Where in a text something is that tells who somebody is, and what. In order; of two that overlap, the first.
    pub fn detect(&self, text: &str) -> Vec<(Range<usize>, &Pii)> {
        let mut found: Vec<(Range<usize>, &Pii)> = Vec::new();
        for (pii, regex) in &self.types {
            let matches = regex.find_iter(text).map(|found| found.range());
            found.extend(
                matches
                    .filter(|range| !range.is_empty() && pii.is_plausible(&text[range.clone()]))
                    .map(|range| (range, pii)),
            );
        }
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|(range, _)| {
            let apart = range.start >= end;
            end = end.max(range.end);
            apart
        });
        found
    }

    /// The text without it, if there is any.
    pub fn redact(&self, text: &str) -> Option<String> {
        self.redact_with(text, (!self.preserve_structure).then_some(self.replacement.as_str()))
    }

    /// The same with another replacement than that of the policy; without one, letters and digits are made alike.
    pub fn redact_with(&self, text: &str, replacement: Option<&str>) -> Option<String> {
        let found = self.detect(text);
        if found.is_empty() {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        for (range, _) in found {
            out.push_str(&text[kept..range.start]);
            kept = range.end;
            match replacement {
                Some(replacement) => out.push_str(replacement),
                None => out.extend(text[range].chars().map(|char| match char {
                    _ if char.is_numeric() => '0',
                    _ if char.is_alphabetic() => 'a',
                    _ => char,
                })),
            }
        }
        out.push_str(&text[kept..]);
        Some(out)
    }

    /// Redacts all texts in a value; says whether there was something.
    pub fn redact_value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.redact(text) {
                Some(redacted) => {
                    *text = redacted;
                    true
                }
                None => false,
            },
            Value::Array(values) => values.iter_mut().fold(false, |any, value| self.redact_value(value) | any),
            Value::Object(members) => members.values_mut().fold(false, |any, value| self.redact_value(value) | any),
            _ => false,
        }
    }
}

/// Where the default policy finds something in a text, and what.
///
/// ```
/// use reml_audit::policy::{Pii, detect_pii};
/// assert_eq!(detect_pii("write to ada@example.org"), [(9..24, Pii::Email)]);
/// ```
pub fn detect_pii(text: &str) -> Vec<(Range<usize>, Pii)> {
    let redactor = Redactor::new(&RedactPolicy::default()).expect("the shapes of this file are expressions");
    redactor.detect(text).into_iter().map(|(range, pii)| (range, pii.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        Redactor::new(&RedactPolicy::default()).unwrap().redact(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn shapes_of_personal_data_are_found() {
        for (text, expected) in [
            ("a.b+c@mail.example.org.", "[redacted]."),
            ("4111 1111 1111 1111", "[redacted]"),
            ("call +49 (30) 1234-5678 now", "call [redacted] now"),
            ("(555) 123-4567", "[redacted]"),
            ("078-05-1120", "[redacted]"),
            ("müller@example.org", "[redacted]"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn times_hashes_and_counts_stay() {
        for text in [
            "2025-07-01T10:31:55.123456Z",
            "c6cdebe5-2a50-4b2b-96c6-0f74f1fa0f11",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "4111 1111 1111 1112",
            "1234567890",
            "src/main.reml:120:17",
            "exact:beta@x",
            "127.0.0.1:8080",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn the_structure_can_stay_and_expressions_be_added() {
        let policy = RedactPolicy {
            types: vec![Pii::Custom("K-[0-9]+".to_owned()), Pii::Email],
            preserve_structure: true,
            ..RedactPolicy::default()
        };
        let redactor = Redactor::new(&policy).unwrap();
        assert_eq!(redactor.redact("K-77, é9@example.org").unwrap(), "a-00, a0@aaaaaaa.aaa");
        let broken = RedactPolicy { types: vec![Pii::Custom("(".to_owned())], ..RedactPolicy::default() };
        assert!(Redactor::new(&broken).is_err());
    }
}
