//! What a literal's spelling stands for: escapes in strings and characters, digits of numbers.

/// Why an escape sequence is wrong; the range is relative to the text that was given.
pub struct BadEscape {
    pub start: usize,
    pub end: usize,
    pub reason: &'static str,
}

/// Walks over the inside of a string or character literal and hands out its characters and its bad escapes, each with
/// where it starts.
pub fn unescape(body: &str, mut each: impl FnMut(usize, Result<char, BadEscape>)) {
    let mut rest = body;
    let offset = |rest: &str| body.len() - rest.len();
    while let Some(c) = rest.chars().next() {
        let start = offset(rest);
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            each(start, Ok(c));
            continue;
        }
        let Some(code) = rest.chars().next() else {
            each(start, Err(BadEscape { start, end: body.len(), reason: "a backslash needs something to escape" }));
            return;
        };
        rest = &rest[code.len_utf8()..];
        let simple = match code {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            '0' => Some('\0'),
            '\\' | '"' | '\'' => Some(code),
            _ => None,
        };
        if let Some(c) = simple {
            each(start, Ok(c));
            continue;
        }
        match code {
            // A backslash at the end of a line joins it with the next one, without its indentation.
            '\n' | '\r' => rest = rest.trim_start_matches([' ', '\t', '\r', '\n']),
            'x' => {
                let digits = hex_digits(rest, 2);
                rest = &rest[digits.len()..];
                match u8::from_str_radix(digits, 16) {
                    Ok(byte) if digits.len() == 2 => each(start, Ok(char::from(byte))),
                    _ => each(
                        start,
                        Err(BadEscape { start, end: offset(rest), reason: "`\\x` needs two hexadecimal digits" }),
                    ),
                }
            }
            'u' if rest.starts_with('{') => {
                let digits = hex_digits(&rest[1..], usize::MAX);
                rest = &rest[1 + digits.len()..];
                let closed = rest.starts_with('}');
                if closed {
                    rest = &rest[1..];
                }
                match u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) {
                    Some(c) if closed => each(start, Ok(c)),
                    _ if !closed => {
                        each(
                            start,
                            Err(BadEscape {
                                start,
                                end: offset(rest),
                                reason: "`\\u{` needs hexadecimal digits and `}`",
                            }),
                        );
                    }
                    _ => each(
                        start,
                        Err(BadEscape { start, end: offset(rest), reason: "this is not a Unicode scalar value" }),
                    ),
                }
            }
            'u' => {
                let digits = hex_digits(rest, 4);
                rest = &rest[digits.len()..];
                let value = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4);
                match value.and_then(char::from_u32) {
                    Some(c) => each(start, Ok(c)),
                    None => each(start, Err(BadEscape { start, end: offset(rest), reason: "write `\\u{HEX}`" })),
                }
            }
            _ => each(start, Err(BadEscape { start, end: offset(rest), reason: "there is no such escape" })),
        }
    }
}

fn hex_digits(text: &str, limit: usize) -> &str {
    let count = text.bytes().take(limit).take_while(u8::is_ascii_hexdigit).count();
    &text[..count]
}

/// The characters a literal stands for; bad escapes have been reported by the lexer and are left out.
pub fn unescaped(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    unescape(body, |_, c| {
        if let Ok(c) = c {
            out.push(c);
        }
    });
    out
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberError {
    NoDigits,
    BadDigit,
    TooLarge,
}

/// The value of an integer literal.
pub fn integer(text: &str) -> Result<u128, NumberError> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        _ => (10, text),
    };
    let mut value: u128 = 0;
    let mut any = false;
    for c in digits.chars().filter(|c| *c != '_') {
        let digit = c.to_digit(radix).ok_or(NumberError::BadDigit)?;
        any = true;
        value = value
            .checked_mul(u128::from(radix))
            .and_then(|v| v.checked_add(u128::from(digit)))
            .ok_or(NumberError::TooLarge)?;
    }
    if any { Ok(value) } else { Err(NumberError::NoDigits) }
}

/// The value of a float literal.
pub fn float(text: &str) -> f64 {
    if text.contains('_') { text.replace('_', "").parse() } else { text.parse() }.unwrap_or(f64::NAN)
}
