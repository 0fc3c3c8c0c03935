//! What is the value of a constant? Literals, and arithmetic in the types that C gives it. Overflow, division by zero and shifts too far
//! have no value, since C gives them none.

use super::model::IntKind;
use super::target::Target;

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Int {
        value: i128,
        kind: IntKind,
    },
    Float {
        value: f64,
        single: bool,
    },
    /// Bytes of a narrow string, without the zero at its end.
    Text(Vec<u8>),
}

impl Value {
    pub fn int(value: i128) -> Value {
        Value::Int { value, kind: IntKind::Int }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self {
            Value::Int { value, .. } => Some(*value),
            _ => None,
        }
    }

    pub fn is_true(&self) -> bool {
        match self {
            Value::Int { value, .. } => *value != 0,
            Value::Float { value, .. } => *value != 0.0,
            Value::Text(_) => true,
        }
    }
}

/// The value as another integer type has it.
pub fn to_int(value: &Value, kind: IntKind, target: &Target) -> Option<Value> {
    let whole = match value {
        Value::Int { value, .. } => *value,
        Value::Float { value, .. } if value.abs() < 9.3e18 => value.trunc() as i128,
        _ => return None,
    };
    Some(Value::Int { value: target.wrap(whole, kind)?, kind })
}

pub fn to_float(value: &Value, single: bool) -> Option<Value> {
    let float = match value {
        Value::Int { value, .. } => *value as f64,
        Value::Float { value, .. } => *value,
        Value::Text(_) => return None,
    };
    Some(Value::Float { value: if single { f64::from(float as f32) } else { float }, single })
}

/// The integer promotions.
pub fn promoted(kind: IntKind, target: &Target) -> IntKind {
    if target.int_layout(kind).size < target.int_layout(IntKind::Int).size { IntKind::Int } else { kind }
}

fn rank(kind: IntKind) -> u8 {
    match kind {
        IntKind::Char | IntKind::SChar | IntKind::UChar => 0,
        IntKind::Short | IntKind::UShort => 1,
        IntKind::Int | IntKind::UInt => 2,
        IntKind::Long | IntKind::ULong => 3,
        IntKind::LongLong | IntKind::ULongLong => 4,
        IntKind::Int128 | IntKind::UInt128 => 5,
    }
}

fn unsigned(kind: IntKind) -> IntKind {
    match kind {
        IntKind::Char | IntKind::SChar => IntKind::UChar,
        IntKind::Short => IntKind::UShort,
        IntKind::Int => IntKind::UInt,
        IntKind::Long => IntKind::ULong,
        IntKind::LongLong => IntKind::ULongLong,
        IntKind::Int128 => IntKind::UInt128,
        other => other,
    }
}

/// The usual arithmetic conversions.
fn common(a: IntKind, b: IntKind, target: &Target) -> IntKind {
    let (a, b) = (promoted(a, target), promoted(b, target));
    if a == b {
        return a;
    }
    if target.is_signed(a) == target.is_signed(b) {
        return if rank(a) >= rank(b) { a } else { b };
    }
    let (signed, other) = if target.is_signed(a) { (a, b) } else { (b, a) };
    if rank(other) >= rank(signed) {
        other
    } else if target.int_layout(signed).size > target.int_layout(other).size {
        signed
    } else {
        unsigned(signed)
    }
}

pub fn binary(operator: &str, a: &Value, b: &Value, target: &Target) -> Option<Value> {
    match (a, b) {
        (Value::Int { value: x, kind: k }, Value::Int { value: y, kind: l }) => {
            int_binary(operator, (*x, *k), (*y, *l), target)
        }
        (Value::Text(_), _) | (_, Value::Text(_)) => None,
        _ => {
            let single = |value: &Value| !matches!(value, Value::Float { single: false, .. });
            let single = single(a) && single(b);
            let (Value::Float { value: x, .. }, Value::Float { value: y, .. }) =
                (to_float(a, single)?, to_float(b, single)?)
            else {
                return None;
            };
            float_binary(operator, x, y, single)
        }
    }
}

fn truth(value: bool) -> Option<Value> {
    Some(Value::int(i128::from(value)))
}

fn int_binary(operator: &str, a: (i128, IntKind), b: (i128, IntKind), target: &Target) -> Option<Value> {
    if let "<<" | ">>" = operator {
        let kind = promoted(a.1, target);
        let bits = i128::from(target.int_layout(kind).size) * 8;
        if !(0..bits).contains(&b.0) {
            return None;
        }
        let value = if operator == "<<" { a.0.checked_shl(b.0 as u32)? } else { a.0 >> b.0 };
        return Some(Value::Int { value: target.wrap(value, kind)?, kind });
    }
    let kind = common(a.1, b.1, target);
    let (x, y) = (target.wrap(a.0, kind)?, target.wrap(b.0, kind)?);
    let value = match operator {
        "+" => x + y,
        "-" => x - y,
        "*" => x.checked_mul(y)?,
        "/" => x.checked_div(y)?,
        "%" => x.checked_rem(y)?,
        "&" => x & y,
        "|" => x | y,
        "^" => x ^ y,
        "==" => return truth(x == y),
        "!=" => return truth(x != y),
        "<" => return truth(x < y),
        ">" => return truth(x > y),
        "<=" => return truth(x <= y),
        ">=" => return truth(x >= y),
        _ => return None,
    };
    let wrapped = target.wrap(value, kind)?;
    if target.is_signed(kind) && wrapped != value {
        return None;
    }
    Some(Value::Int { value: wrapped, kind })
}

fn float_binary(operator: &str, x: f64, y: f64, single: bool) -> Option<Value> {
    let value = match operator {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" => x / y,
        "==" => return truth(x == y),
        "!=" => return truth(x != y),
        "<" => return truth(x < y),
        ">" => return truth(x > y),
        "<=" => return truth(x <= y),
        ">=" => return truth(x >= y),
        _ => return None,
    };
    to_float(&Value::Float { value, single }, single)
}

pub fn unary(operator: &str, a: &Value, target: &Target) -> Option<Value> {
    match (operator, a) {
        ("!", a) => truth(!a.is_true()),
        ("+", Value::Float { .. }) => Some(a.clone()),
        ("-", Value::Float { value, single }) => Some(Value::Float { value: -value, single: *single }),
        (_, Value::Int { value, kind }) => {
            let kind = promoted(*kind, target);
            let value = match operator {
                "+" => *value,
                "-" => -*value,
                "~" => !*value,
                _ => return None,
            };
            let wrapped = target.wrap(value, kind)?;
            (!target.is_signed(kind) || wrapped == value).then_some(Value::Int { value: wrapped, kind })
        }
        _ => None,
    }
}

/// A number as it is written: `0x10ul`, `1'000`, `1.5e3f`, `0x1p-3`.
pub fn number(text: &str, target: &Target) -> Option<Value> {
    let text: String = text.chars().filter(|&c| c != '\'').collect::<String>().to_ascii_lowercase();
    let hexadecimal = text.starts_with("0x");
    let is_float =
        text.contains('.') || text.contains('p') || !hexadecimal && !text.starts_with("0b") && text.contains('e');
    if is_float { float_literal(&text, hexadecimal) } else { int_literal(&text, target) }
}

fn int_literal(text: &str, target: &Target) -> Option<Value> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x', ..] => (16, &text[2..]),
        [b'0', b'b', ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    let length = digits.bytes().take_while(|b| (*b as char).is_digit(radix)).count();
    let (digits, suffix) = digits.split_at(length);
    let value = if digits.is_empty() && radix == 8 { 0 } else { i128::from_str_radix(digits, radix).ok()? };
    let unsigned_asked = suffix.contains('u');
    let longs = suffix.matches('l').count();
    if suffix.chars().any(|c| c != 'u' && c != 'l') || longs > 2 {
        return None;
    }
    use IntKind::{Int, Long, LongLong, UInt, ULong, ULongLong};
    let candidates = [(Int, UInt), (Long, ULong), (LongLong, ULongLong)];
    candidates.into_iter().skip(longs).find_map(|(signed, unsigned)| {
        let fits = |kind: IntKind| target.wrap(value, kind) == Some(value);
        if !unsigned_asked && fits(signed) {
            return Some(Value::Int { value, kind: signed });
        }
        // Decimal literals become unsigned only where that is written.
        (fits(unsigned) && (unsigned_asked || radix != 10)).then_some(Value::Int { value, kind: unsigned })
    })
}

fn float_literal(text: &str, hexadecimal: bool) -> Option<Value> {
    let (digits, single) = match text.as_bytes().last()? {
        b'f' if !hexadecimal || text.contains('p') => (&text[..text.len() - 1], true),
        // A `long double` has digits that are lost here.
        b'l' => return None,
        _ => (text, false),
    };
    let value = if hexadecimal { hex_float(&digits[2..])? } else { digits.parse().ok()? };
    to_float(&Value::Float { value, single }, single)
}

fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() > 30 {
        return None;
    }
    let digits = u128::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(4 * fraction.len() as i32)?;
    // In two steps, so that what is small in the end is not 0 on the way.
    let half = exponent / 2;
    Some(digits as f64 * 2f64.powi(half) * 2f64.powi(exponent - half))
}

/// What stands between quotes, as bytes; `None` for an escape that C does not have.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        let numeric = |rest: &mut &[u8], limit: usize, radix: u32, first: Option<u8>| {
            let length = rest.iter().take(limit).take_while(|b| (**b as char).is_digit(radix)).count();
            let mut digits: Vec<u8> = first.into_iter().collect();
            digits.extend_from_slice(&rest[..length]);
            *rest = &rest[length..];
            u32::from_str_radix(std::str::from_utf8(&digits).ok()?, radix).ok()
        };
        match escape {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'v' => bytes.push(11),
            b'e' => bytes.push(27),
            b'\\' | b'\'' | b'"' | b'?' => bytes.push(escape),
            b'0'..=b'7' => bytes.push(u8::try_from(numeric(&mut rest, 2, 8, Some(escape))?).ok()?),
            b'x' => bytes.push(u8::try_from(numeric(&mut rest, 8, 16, None)?).ok()?),
            b'u' | b'U' => {
                let code = numeric(&mut rest, if escape == b'u' { 4 } else { 8 }, 16, None)?;
                bytes.extend(char::from_u32(code)?.to_string().bytes());
            }
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Option<(i128, IntKind)> {
        match number(text, &Target::default())? {
            Value::Int { value, kind } => Some((value, kind)),
            _ => None,
        }
    }

    #[test]
    fn integers_have_the_first_type_that_holds_them() {
        assert_eq!(int("0"), Some((0, IntKind::Int)));
        assert_eq!(int("017"), Some((15, IntKind::Int)));
        assert_eq!(int("0xFFFFFFFF"), Some((0xFFFF_FFFF, IntKind::UInt)));
        assert_eq!(int("4294967295"), Some((4294967295, IntKind::Long)));
        assert_eq!(int("1'000ULL"), Some((1000, IntKind::ULongLong)));
        assert_eq!(int("0b101"), Some((5, IntKind::Int)));
        assert_eq!(int("18446744073709551615u"), Some((u64::MAX.into(), IntKind::ULong)));
        assert_eq!((int("0x1g"), int("12abc"), int("18446744073709551616")), (None, None, None));
    }

    #[test]
    fn floats_are_decimal_or_hexadecimal() {
        let float = |text: &str| number(text, &Target::default());
        assert_eq!(float("1.5e3"), Some(Value::Float { value: 1500.0, single: false }));
        assert_eq!(float("0x1.8p1"), Some(Value::Float { value: 3.0, single: false }));
        assert_eq!(float("0x1p-1074"), Some(Value::Float { value: 5e-324, single: false }));
        assert_eq!(float(".1f"), Some(Value::Float { value: f64::from(0.1f32), single: true }));
        assert_eq!(float("3.14L"), None);
    }

    #[test]
    fn arithmetic_is_that_of_the_common_type() {
        let target = Target::default();
        let uint = Value::Int { value: 1, kind: IntKind::UInt };
        let minus = binary("-", &uint, &Value::int(2), &target);
        assert_eq!(minus, Some(Value::Int { value: 0xFFFF_FFFF, kind: IntKind::UInt }));
        assert_eq!(minus, binary("+", &Value::int(-2), &uint, &target));
        let long = Value::Int { value: -1, kind: IntKind::Long };
        assert_eq!(binary("<", &long, &uint, &target), Some(Value::int(1)));
        assert_eq!(binary("/", &Value::int(1), &Value::int(0), &target), None);
        assert_eq!(binary("<<", &Value::int(1), &Value::int(32), &target), None);
        assert_eq!(binary("+", &Value::int(i32::MAX.into()), &Value::int(1), &target), None);
        assert_eq!(unary("~", &Value::int(0), &target), Some(Value::int(-1)));
    }

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(unescape("a\\n\\x41\\101\\u00e9"), Some("a\nAA\u{e9}".into()));
        assert_eq!(unescape("\\q"), None);
    }
}
