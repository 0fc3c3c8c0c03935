//! What kind of character is this?

use std::fmt::Write;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::context::Cx;
use crate::string::{StrOwned, new_str, scalar};

macro_rules! predicates {
    ($($name:ident = $test:expr;)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(_: Cx, char: u32) -> bool {
            let test: fn(char) -> bool = $test;
            test(scalar(char))
        }
    )*};
}

predicates! {
    reml_char_is_alphabetic = char::is_alphabetic;
    reml_char_is_numeric = char::is_numeric;
    reml_char_is_alphanumeric = char::is_alphanumeric;
    reml_char_is_whitespace = char::is_whitespace;
    reml_char_is_uppercase = char::is_uppercase;
    reml_char_is_lowercase = char::is_lowercase;
    reml_char_is_control = char::is_control;
    reml_char_is_punctuation = |char| char.general_category_group() == GeneralCategoryGroup::Punctuation;
    reml_char_is_symbol = |char| char.general_category_group() == GeneralCategoryGroup::Symbol;
    reml_char_is_xid_start = unicode_ident::is_xid_start;
    reml_char_is_xid_continue = unicode_ident::is_xid_continue;
}

/// The only character of a case mapping; the character itself when it maps to several (`ß` to `SS`).
fn only(char: char, mut mapped: impl Iterator<Item = char>) -> u32 {
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single as u32,
        _ => char as u32,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_char_to_upper(_: Cx, char: u32) -> u32 {
    let char = scalar(char);
    only(char, char.to_uppercase())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_char_to_lower(_: Cx, char: u32) -> u32 {
    let char = scalar(char);
    only(char, char.to_lowercase())
}

/// Appends a character as it is written in a literal between `quote`s.
pub fn push_escaped(text: &mut String, char: char, quote: char) {
    match char {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        '\0' => text.push_str("\\0"),
        '\\' => text.push_str("\\\\"),
        _ if char == quote => text.extend(['\\', quote]),
        // What cannot be seen, or makes its surroundings look like something else.
        _ if char.is_control() || is_format(char) => {
            write!(text, "\\u{{{:x}}}", char as u32).ok();
        }
        _ => text.push(char),
    }
}

/// Line separators and bidirectional controls.
fn is_format(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The character as a literal.
#[unsafe(no_mangle)]
pub extern "C" fn reml_char_show(cx: Cx, char: u32) -> StrOwned {
    let mut shown = String::from('\'');
    push_escaped(&mut shown, scalar(char), '\'');
    shown.push('\'');
    new_str(cx, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    #[test]
    fn kinds() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let kinds = |char: char| {
            let char = char as u32;
            [
                reml_char_is_alphabetic(cx, char),
                reml_char_is_numeric(cx, char),
                reml_char_is_whitespace(cx, char),
                reml_char_is_punctuation(cx, char),
                reml_char_is_symbol(cx, char),
                reml_char_is_xid_start(cx, char),
            ]
        };
        assert_eq!(kinds('ß'), [true, false, false, false, false, true]);
        assert_eq!(kinds('٣'), [false, true, false, false, false, false]);
        assert_eq!(kinds('\u{3000}'), [false, false, true, false, false, false]);
        assert_eq!(kinds('!'), [false, false, false, true, false, false]);
        assert_eq!(kinds('€'), [false, false, false, false, true, false]);
        assert!(!reml_char_is_alphabetic(cx, 0xd800));
    }

    #[test]
    fn cases_and_literals() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(reml_char_to_upper(cx, 'ä' as u32), 'Ä' as u32);
        assert_eq!(reml_char_to_upper(cx, 'ß' as u32), 'ß' as u32);
        assert_eq!(reml_char_to_lower(cx, 'Σ' as u32), 'σ' as u32);
        for (char, shown) in [('a', "'a'"), ('\'', "'\\''"), ('"', "'\"'"), ('\u{202e}', "'\\u{202e}'")] {
            let text = reml_char_show(cx, char as u32);
            assert_eq!(text.borrow().as_str(), shown);
            text.drop(cx);
        }
    }
}
