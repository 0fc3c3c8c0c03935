//! How is a point in time written on a line?
//!
//! As RFC 3339 in UTC, to the microsecond; whole seconds without a fraction. All events of a second share the first part, which
//! each thread therefore keeps.

use std::cell::Cell;
use std::io::Write;

use jiff::Timestamp;

const SECONDS_WIDTH: usize = "2025-07-01T10:31:55".len();

thread_local! {
    static LAST: Cell<(i64, [u8; SECONDS_WIDTH])> = const { Cell::new((i64::MIN, [0; SECONDS_WIDTH])) };
}

/// Appends a time.
pub fn write(out: &mut Vec<u8>, time: Timestamp) {
    let micros = time.as_microsecond();
    let (second, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (last, text) = LAST.get();
    if last == second {
        out.extend_from_slice(&text);
    } else {
        let start = out.len();
        let whole = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        // Writing to a vector does not fail.
        let _ = write!(out, "{whole}");
        out.truncate(out.len() - "Z".len());
        // Years before 0 and after 9999 are wider.
        if let Ok(text) = out[start..].try_into() {
            LAST.set((second, text));
        }
    }
    if fraction != 0 {
        let mut digits = *b".000000";
        let mut rest = fraction;
        for digit in digits[1..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text.parse().unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keeps_microseconds_and_no_empty_fractions() {
        for text in [
            "2025-07-01T10:31:55Z",
            "2025-07-01T10:31:55.000042Z",
            "1969-12-31T23:59:59.999999Z",
            "2025-07-01T10:31:55.500000Z",
        ] {
            assert_eq!(written(text), text);
        }
        assert_eq!(written("2025-07-01T10:31:55.123456789Z"), "2025-07-01T10:31:55.123456Z");
    }

    #[test]
    fn any_time_can_be_read_again() {
        for time in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
            let mut out = Vec::new();
            write(&mut out, time);
            let again: Timestamp = std::str::from_utf8(&out).unwrap().parse().unwrap();
            assert_eq!(again.as_microsecond(), time.as_microsecond());
        }
    }
}
