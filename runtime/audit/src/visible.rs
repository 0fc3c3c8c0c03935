//! How is a text shown that somebody else has chosen?

/// With everything escaped that would let a text move the cursor of a terminal, begin a new line, or turn the order of what is read.
///
/// ```
/// assert_eq!(reml_audit::visible("a\u{1b}[2J\nb é"), "a\\u{1b}[2J\\nb é");
/// ```
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        let turns = matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || turns || matches!(char, '\u{2028}' | '\u{2029}') {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}
