//! Texts to parse: deterministic, of any size, in the style of real ones.

use std::fmt::Write;

/// The generator of Marsaglia [2003]: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

const WORDS: &[&str] = &[
    "parser", "text", "of", "a", "language", "with", "effects", "and", "values", "reply", "place", "naïve", "grammar",
    "in", "the", "machine", "Zürich", "rule", "token", "is", "accepted",
];

/// An array of records, nested two or three levels deep, with blanks and line ends.
pub fn json(size: usize) -> String {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut out = String::with_capacity(size + 1024);
    out.push_str("[\n");
    let mut id = 0;
    while out.len() < size {
        if id > 0 {
            out.push_str(",\n");
        }
        json_record(&mut out, id, &mut numbers);
        id += 1;
    }
    out.push_str("\n]\n");
    out
}

fn json_record(out: &mut String, id: u64, numbers: &mut Numbers) {
    let _ = write!(out, "  {{\"id\": {id}, \"name\": \"");
    for word in 0..numbers.below(4) + 1 {
        if word > 0 {
            out.push(' ');
        }
        out.push_str(numbers.pick(WORDS));
    }
    if numbers.below(8) == 0 {
        out.push_str(" \\\"quoted\\\" \\u00e9\\n");
    }
    let _ = write!(
        out,
        "\", \"active\": {}, \"parent\": {},\n   \"position\": {{\"x\": {}.{:03}, \"y\": -{}.5, \"scale\": {}e-2}}, \"tags\": [",
        numbers.pick(&["true", "false"]),
        numbers.pick(&["null", "17", "{}"]),
        numbers.below(1000),
        numbers.below(1000),
        numbers.below(500),
        numbers.below(100),
    );
    for tag in 0..numbers.below(5) {
        if tag > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "\"{}\"", numbers.pick(WORDS));
    }
    out.push_str("], \"history\": [");
    for step in 0..numbers.below(6) {
        if step > 0 {
            out.push(',');
        }
        let _ = write!(out, "{}", numbers.below(1_000_000));
    }
    out.push_str("]}");
}

/// Ten columns; some fields are quoted, few of them have quotes or line ends inside.
pub fn csv(size: usize) -> String {
    let mut numbers = Numbers(0xD1B5_4A32_D192_ED03);
    let mut out = String::with_capacity(size + 1024);
    while out.len() < size {
        for column in 0..10 {
            if column > 0 {
                out.push(',');
            }
            match numbers.below(10) {
                0 => {}
                1..=3 => {
                    let _ = write!(out, "{}", numbers.below(10_000_000));
                }
                4..=7 => out.push_str(numbers.pick(WORDS)),
                8 => {
                    let _ = write!(out, "\"{}, {}\"", numbers.pick(WORDS), numbers.pick(WORDS));
                }
                _ => {
                    let _ = write!(
                        out,
                        "\"{} \"\"{}\"\"\n{}\"",
                        numbers.pick(WORDS),
                        numbers.pick(WORDS),
                        numbers.pick(WORDS)
                    );
                }
            }
        }
        out.push_str(numbers.pick(&["\n", "\n", "\n", "\r\n"]));
    }
    out
}

/// Expressions of some ten to hundred operators, one a line.
pub fn arithmetic(size: usize) -> String {
    let mut numbers = Numbers(0xA076_1D64_78BD_642F);
    let mut out = String::with_capacity(size + 1024);
    while out.len() < size {
        for term in 0..numbers.below(12) + 1 {
            if term > 0 {
                out.push_str(numbers.pick(&[" + ", " - ", "+"]));
            }
            product(&mut out, 4, &mut numbers);
        }
        out.push_str(";\n");
    }
    out
}

fn product(out: &mut String, depth: u32, numbers: &mut Numbers) {
    for factor in 0..numbers.below(3) + 1 {
        if factor > 0 {
            out.push_str(numbers.pick(&["*", " * "]));
        }
        match numbers.below(8) {
            0..=1 if depth > 0 => {
                out.push('(');
                for term in 0..numbers.below(3) + 1 {
                    if term > 0 {
                        out.push_str(numbers.pick(&[" + ", "-"]));
                    }
                    product(out, depth - 1, numbers);
                }
                out.push(')');
            }
            2 => {
                let _ = write!(out, "-{}", numbers.below(100));
            }
            _ => {
                let _ = write!(out, "{}", numbers.below(100_000));
            }
        }
    }
}
