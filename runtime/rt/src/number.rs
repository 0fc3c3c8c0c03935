//! How are numbers written and read?
//!
//! Floats print the shortest digits that read back as the same number; integral values keep `.0`, very large and
//! very small magnitudes use an exponent (`1e16`, `1e-7`).

use std::fmt;

use crate::context::Cx;
use crate::string::{StrOwned, StrRef, new_str};

#[unsafe(no_mangle)]
pub extern "C" fn reml_int_to_str(cx: Cx, value: i64) -> StrOwned {
    new_str(cx, itoa::Buffer::new().format(value))
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_uint_to_str(cx: Cx, value: u64) -> StrOwned {
    new_str(cx, itoa::Buffer::new().format(value))
}

/// The 64 bits as an unsigned number in a radix from 2 to 36 (brought into that range), without prefix.
#[unsafe(no_mangle)]
pub extern "C" fn reml_int_to_radix(cx: Cx, bits: i64, radix: i64, upper: u32) -> StrOwned {
    let radix = radix.clamp(2, 36) as u64;
    // Only the lowest byte of a Bool argument is defined.
    let letters = if upper & 1 != 0 { b'A' } else { b'a' };
    let mut digits = [0; 64];
    let mut start = digits.len();
    let mut rest = bits as u64;
    loop {
        let digit = (rest % radix) as u8;
        start -= 1;
        digits[start] = if digit < 10 { b'0' + digit } else { letters + digit - 10 };
        rest /= radix;
        if rest == 0 {
            break;
        }
    }
    new_str(cx, std::str::from_utf8(&digits[start..]).unwrap_or("0"))
}

/// Shows a float as `float_to_str` does.
pub struct Shortest(pub f64);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match special(self.0) {
            Some(text) => f.write_str(text),
            None => f.write_str(ryu::Buffer::new().format_finite(self.0)),
        }
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        None
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_float_to_str(cx: Cx, value: f64) -> StrOwned {
    match special(value) {
        Some(text) => new_str(cx, text),
        None => new_str(cx, ryu::Buffer::new().format_finite(value)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_f32_to_str(cx: Cx, value: f32) -> StrOwned {
    match special(f64::from(value)) {
        Some(text) => new_str(cx, text),
        None => new_str(cx, ryu::Buffer::new().format_finite(value)),
    }
}

/// More digits than any double has.
const MAX_PRECISION: i64 = 1_100;

fn precision(digits: i64) -> usize {
    digits.clamp(0, MAX_PRECISION) as usize
}

/// `precision` digits after the point, correctly rounded.
#[unsafe(no_mangle)]
pub extern "C" fn reml_float_to_fixed(cx: Cx, value: f64, digits: i64) -> StrOwned {
    match special(value) {
        Some(text) => new_str(cx, text),
        None => new_str(cx, &format!("{value:.*}", precision(digits))),
    }
}

/// `1.5e3`; a negative precision means the shortest digits.
#[unsafe(no_mangle)]
pub extern "C" fn reml_float_to_exp(cx: Cx, value: f64, digits: i64) -> StrOwned {
    match special(value) {
        Some(text) => new_str(cx, text),
        None if digits < 0 => new_str(cx, &format!("{value:e}")),
        None => new_str(cx, &format!("{value:.*e}", precision(digits))),
    }
}

/// C's `%g`: six significant digits without trailing zeros, an exponent when it is below -4 or above 5.
fn general(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_string();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => digits.to_string(),
    };
    if (-4..6).contains(&exponent) {
        trimmed(&format!("{value:.*}", (5 - exponent) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_float_to_general(cx: Cx, value: f64) -> StrOwned {
    new_str(cx, &general(value))
}

/// The float that a text says; 0 when it says none, which `float_parse_ok` tells.
#[unsafe(no_mangle)]
pub extern "C" fn reml_float_parse(_: Cx, text: StrRef) -> f64 {
    text.as_str().parse().unwrap_or(0.0)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_float_parse_ok(_: Cx, text: StrRef) -> bool {
    text.as_str().parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap::live_objects;

    fn with(cx: Cx, text: StrOwned) -> String {
        let copy = text.borrow().as_str().to_string();
        text.drop(cx);
        copy
    }

    #[test]
    fn integers() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(with(cx, reml_int_to_str(cx, i64::MIN)), "-9223372036854775808");
        assert_eq!(with(cx, reml_uint_to_str(cx, u64::MAX)), "18446744073709551615");
        assert_eq!(with(cx, reml_int_to_radix(cx, 255, 16, 0)), "ff");
        assert_eq!(with(cx, reml_int_to_radix(cx, 255, 16, 1)), "FF");
        assert_eq!(with(cx, reml_int_to_radix(cx, 0, 2, 0)), "0");
        assert_eq!(with(cx, reml_int_to_radix(cx, -1, 2, 0)), "1".repeat(64));
        assert_eq!(with(cx, reml_int_to_radix(cx, 35, 99, 0)), "z");
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn floats_read_back() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e16"),
            (1.5e300, "1.5e300"),
            (1e-7, "1e-7"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in cases {
            let text = reml_float_to_str(cx, value);
            assert_eq!(text.borrow().as_str(), expected);
            assert!(reml_float_parse_ok(cx, text.borrow()));
            let back = reml_float_parse(cx, text.borrow());
            assert!(back.to_bits() == value.to_bits() || value.is_nan() && back.is_nan());
            text.drop(cx);
        }
        assert_eq!(with(cx, reml_f32_to_str(cx, 0.1)), "0.1");
        let mut bits = 0x9E37_79B9_7F4A_7C15u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(0xD128_2C95_14F3_5C8D).wrapping_add(1);
            let value = f64::from_bits(bits);
            let text = reml_float_to_str(cx, value);
            let back = reml_float_parse(cx, text.borrow());
            assert!(back == value || value.is_nan());
            text.drop(cx);
        }
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn floats_with_precision() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(with(cx, reml_float_to_fixed(cx, 2.675, 2)), "2.67");
        assert_eq!(with(cx, reml_float_to_fixed(cx, 1e21, 1)), "1000000000000000000000.0");
        assert_eq!(with(cx, reml_float_to_fixed(cx, 1.5, -3)), "2");
        assert_eq!(with(cx, reml_float_to_exp(cx, 1500.0, -1)), "1.5e3");
        assert_eq!(with(cx, reml_float_to_exp(cx, 1500.0, 3)), "1.500e3");
        assert_eq!(with(cx, reml_float_to_exp(cx, f64::NAN, 3)), "NaN");
    }

    #[test]
    fn general_format_is_that_of_c() {
        let cases = [
            (0.0, "0"),
            (100000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (1.23456789, "1.23457"),
            (999999.5, "1e+06"),
            (-2.5, "-2.5"),
            (1e100, "1e+100"),
        ];
        for (value, expected) in cases {
            assert_eq!(general(value), expected);
        }
    }

    #[test]
    fn texts_that_are_no_numbers() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for text in ["", "1,5", "0x10", " 1", "one"] {
            let text = new_str(cx, text);
            assert!(!reml_float_parse_ok(cx, text.borrow()));
            assert_eq!(reml_float_parse(cx, text.borrow()), 0.0);
            text.drop(cx);
        }
    }
}
