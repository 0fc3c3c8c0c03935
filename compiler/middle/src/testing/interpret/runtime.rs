//! What do the functions of the runtime library do? Those that programs print and compute with; what depends on the world outside is
//! not known here.

use std::cmp::Ordering;
use std::rc::Rc;

use super::number::{show_float, show_general};
use super::value::{Contents, Value};
use super::{Eval, Machine, Stop, broken, panics, unknown};
use crate::core::{Mode, RuntimeId};

impl Machine<'_> {
    /// Calls a function of the runtime library, which consumes what its signature says.
    pub fn call_runtime(&mut self, id: RuntimeId, args: Vec<Value>) -> Eval<Value> {
        let function = &self.program.runtime[id];
        let result = self.runtime_value(&function.symbol, &args)?;
        for ((_, mode), arg) in function.params.iter().zip(&args) {
            if *mode == Mode::Owned {
                self.heap.drop(arg)?;
            }
        }
        Ok(result)
    }

    pub fn text(&mut self, value: &Value) -> Eval<Rc<str>> {
        match *value {
            Value::Text(id) => Ok(Rc::from(&*self.program.strings[id])),
            ref other => match self.heap.contents(other)? {
                Contents::Text(text) => Ok(text.clone()),
                other => broken(format!("{other:?} is no text")),
            },
        }
    }

    fn new_text(&mut self, text: &str) -> Eval<Value> {
        self.charge(text.len() / 8)?;
        Ok(self.heap.allocate(Contents::Text(text.into())))
    }

    fn new_texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> Eval<Value> {
        let items: Vec<Value> = texts.map(|text| self.new_text(text)).collect::<Eval<_>>()?;
        Ok(self.heap.allocate(Contents::Array(items)))
    }

    fn bytes(&mut self, value: &Value) -> Eval<Vec<u8>> {
        self.heap.array(value)?.iter().map(|byte| Ok(byte.int()? as u8)).collect()
    }

    fn runtime_value(&mut self, symbol: &str, args: &[Value]) -> Eval<Value> {
        if let Some(value) = float_function(symbol, args)? {
            return Ok(value);
        }
        let int = |value: i64| Ok(Value::Int(value.into()));
        match (symbol, args) {
            // For tests of Core that have no library.
            ("emit", [value]) => {
                self.stdout.extend(format!("{}\n", value.int()?).bytes());
                Ok(Value::Unit)
            }
            ("reml_stdout_write", [text]) => {
                let text = self.text(text)?;
                self.stdout.extend(text.bytes());
                Ok(Value::Unit)
            }
            ("reml_stderr_write", [text]) => {
                let text = self.text(text)?;
                self.stderr.extend(text.bytes());
                Ok(Value::Unit)
            }
            ("reml_stdout_write_bytes", [bytes]) => {
                let bytes = self.bytes(bytes)?;
                self.stdout.extend(bytes);
                Ok(Value::Unit)
            }
            ("reml_stdout_flush", []) => Ok(Value::Unit),
            ("reml_args_count", []) => int(0),
            // The stack is data here: there is enough of it.
            ("reml_stack_left", []) => int(i64::MAX),
            ("reml_process_exit", [status]) => Err(Stop::Exit(status.int()? as i32)),

            ("reml_int_to_str" | "reml_uint_to_str", [value]) => {
                let shown = value.int()?.to_string();
                self.new_text(&shown)
            }
            ("reml_int_to_radix", [value, radix, upper]) => {
                let radix = radix.int()?.clamp(2, 36) as u32;
                let mut rest = value.int()? as u64;
                let mut digits = Vec::new();
                loop {
                    digits.extend(char::from_digit((rest % u64::from(radix)) as u32, radix));
                    rest /= u64::from(radix);
                    if rest == 0 {
                        break;
                    }
                }
                let text: String = digits.iter().rev().collect();
                let text = if upper.bool()? { text.to_ascii_uppercase() } else { text };
                self.new_text(&text)
            }
            ("reml_float_to_str", [value]) => {
                let shown = show_float(value.float()?);
                self.new_text(&shown)
            }
            ("reml_float_to_general", [value]) => {
                let shown = show_general(value.float()?);
                self.new_text(&shown)
            }
            ("reml_float_to_fixed", [value, digits]) if value.float()?.is_finite() => {
                let digits = digits.int()?.clamp(0, 1_100) as usize;
                let shown = format!("{:.digits$}", value.float()?);
                self.new_text(&shown)
            }
            ("reml_float_parse", [text]) => Ok(Value::Float(self.text(text)?.parse().unwrap_or(0.0))),
            ("reml_float_parse_ok", [text]) => Ok(Value::Bool(self.text(text)?.parse::<f64>().is_ok())),

            (symbol, [char]) if symbol.starts_with("reml_char_") => {
                let Some(char) = u32::try_from(char.int()?).ok().and_then(char::from_u32) else {
                    return broken(format!("{char:?} is no character"));
                };
                match char_function(symbol, char) {
                    Some(value) => Ok(value),
                    None if symbol == "reml_char_show" => {
                        let shown = escaped(&char.to_string(), '\'');
                        self.new_text(&shown)
                    }
                    None => unknown(format!("runtime function `{symbol}`")),
                }
            }
            ("reml_str_from_char", [char]) => {
                let char = u32::try_from(char.int()?).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
                self.new_text(&char.to_string())
            }
            ("reml_str_push_char", [text, char]) => {
                let mut text = self.text(text)?.to_string();
                text.extend(u32::try_from(char.int()?).ok().and_then(char::from_u32));
                self.new_text(&text)
            }
            (symbol, [text, rest @ ..]) if symbol.starts_with("reml_str_") => {
                // `reml_str_join` takes the array first.
                if symbol == "reml_str_join" {
                    let parts = self.heap.array(text)?.clone();
                    let parts: Vec<Rc<str>> = parts.iter().map(|part| self.text(part)).collect::<Eval<_>>()?;
                    let separator = self.text(&rest[0])?;
                    return self.new_text(&parts.join(&*separator));
                }
                if symbol == "reml_str_with_capacity" {
                    return self.new_text("");
                }
                if symbol == "reml_str_from_utf8" {
                    let bytes = self.bytes(text)?;
                    return self.new_text(&String::from_utf8_lossy(&bytes));
                }
                let text = self.text(text)?;
                self.text_function(symbol, &text, rest)
            }
            ("reml_bytes_utf8_error", [bytes]) => {
                let bytes = self.bytes(bytes)?;
                int(std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to() as i64, |_| -1))
            }
            _ => unknown(format!("runtime function `{symbol}`")),
        }
    }

    fn text_function(&mut self, symbol: &str, text: &str, rest: &[Value]) -> Eval<Value> {
        let int = |value: i64| Ok(Value::Int(value.into()));
        let place = |found: Option<usize>| int(found.map_or(-1, |at| at as i64));
        match (symbol, rest) {
            ("reml_str_concat", [other]) => {
                let other = self.text(other)?;
                self.new_text(&format!("{text}{other}"))
            }
            ("reml_str_eq", [other]) => {
                let other = self.text(other)?;
                Ok(Value::Bool(compare(text, &other)? == Ordering::Equal))
            }
            ("reml_str_compare", [other]) => {
                let other = self.text(other)?;
                int(compare(text, &other)? as i64)
            }
            // Any function of the text will do: tables are walked in the order of insertion.
            ("reml_str_hash", [state]) => {
                let hash = text.bytes().fold(state.int()? as u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
                });
                Ok(Value::Int(hash.into()))
            }
            ("reml_str_show", []) => self.new_text(&escaped(text, '"')),
            ("reml_str_slice", [start, end]) => self.slice(text, start.int()?, end.int()?),
            ("reml_str_repeat", [count]) => {
                let count = count.int()?;
                let Ok(times) = usize::try_from(count) else {
                    return panics("", format!("cannot repeat a string {count} times"));
                };
                self.charge(text.len().saturating_mul(times))?;
                self.new_text(&text.repeat(times))
            }
            ("reml_str_char_at", [offset]) => {
                let rest = usize::try_from(offset.int()?).ok().and_then(|offset| text.get(offset..));
                int((rest.and_then(|rest| rest.chars().next()).unwrap_or('\u{fffd}') as u32).into())
            }
            ("reml_str_char_count", []) => int(text.chars().count() as i64),
            ("reml_str_is_ascii", []) => Ok(Value::Bool(text.is_ascii())),
            ("reml_str_is_char_boundary", [offset]) => {
                Ok(Value::Bool(usize::try_from(offset.int()?).is_ok_and(|offset| text.is_char_boundary(offset))))
            }
            ("reml_str_find", [needle, from]) => {
                let (needle, from) = (self.text(needle)?, usize::try_from(from.int()?).unwrap_or(0));
                // Offsets may lie within a character.
                let found = text.as_bytes().get(from..).and_then(|bytes| find(bytes, needle.as_bytes()));
                place(found.map(|at| from + at))
            }
            ("reml_str_rfind", [needle]) => {
                let needle = self.text(needle)?;
                place(text.rfind(&*needle))
            }
            ("reml_str_starts_with", [start]) => Ok(Value::Bool(text.starts_with(&*self.text(start)?))),
            ("reml_str_ends_with", [end]) => Ok(Value::Bool(text.ends_with(&*self.text(end)?))),
            ("reml_str_trim", []) => self.new_text(text.trim()),
            ("reml_str_trim_start", []) => self.new_text(text.trim_start()),
            ("reml_str_trim_end", []) => self.new_text(text.trim_end()),
            ("reml_str_to_upper", []) => self.new_text(&text.to_uppercase()),
            ("reml_str_to_lower", []) => self.new_text(&text.to_lowercase()),
            ("reml_str_replace", [needle, replacement]) => {
                let (needle, replacement) = (self.text(needle)?, self.text(replacement)?);
                let replaced = if needle.is_empty() { text.to_owned() } else { text.replace(&*needle, &replacement) };
                self.new_text(&replaced)
            }
            ("reml_str_split", [separator]) => {
                let separator = self.text(separator)?;
                if separator.is_empty() {
                    let chars: Vec<String> = text.chars().map(String::from).collect();
                    return self.new_texts(chars.iter().map(String::as_str));
                }
                self.new_texts(text.split(&*separator))
            }
            ("reml_str_lines", []) => self.new_texts(text.lines()),
            ("reml_str_split_whitespace", []) => self.new_texts(text.split_whitespace()),
            ("reml_str_to_bytes", []) => {
                self.charge(text.len())?;
                let bytes = text.bytes().map(|byte| Value::Int(byte.into())).collect();
                Ok(self.heap.allocate(Contents::Array(bytes)))
            }
            ("reml_str_grapheme_count", []) if text.is_ascii() => {
                int((text.len() - text.matches("\r\n").count()) as i64)
            }
            ("reml_str_next_grapheme", [from]) if text.is_ascii() => {
                let from = usize::try_from(from.int()?).unwrap_or(0).min(text.len());
                int((from + if text[from..].starts_with("\r\n") { 2 } else { 1 }).min(text.len()) as i64)
            }
            ("reml_str_display_width", []) if text.is_ascii() => {
                int(text.bytes().filter(|byte| !byte.is_ascii_control()).count() as i64)
            }
            ("reml_str_reverse", []) if text.is_ascii() && !text.contains('\r') => {
                let reversed: String = text.chars().rev().collect();
                self.new_text(&reversed)
            }
            ("reml_str_grapheme_count" | "reml_str_display_width" | "reml_str_reverse", []) => {
                unknown(format!("runtime function `{symbol}` beyond ASCII"))
            }
            _ => unknown(format!("runtime function `{symbol}`")),
        }
    }

    fn slice(&mut self, text: &str, start: i128, end: i128) -> Eval<Value> {
        let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
            return panics("", format!("string slice out of bounds: the range is {start}..{end}"));
        };
        if from > to || to > text.len() {
            let len = text.len();
            let message = format!("string slice out of bounds: the length is {len} but the range is {start}..{end}");
            return panics("", message);
        }
        if let Some(offset) = [from, to].into_iter().find(|&offset| !text.is_char_boundary(offset)) {
            let message = format!("string slice inside a character: byte {offset} is not a character boundary");
            return panics("", message);
        }
        self.new_text(&text[from..to])
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// Texts are compared by the code points of their normal forms. Below U+0300 a text is its own.
fn compare(left: &str, right: &str) -> Eval<Ordering> {
    let plain = |text: &str| text.chars().all(|char| char < '\u{300}');
    if left == right || plain(left) && plain(right) {
        Ok(left.cmp(right))
    } else {
        unknown("the order of texts that may have to be normalised")
    }
}

/// As it is written in a literal.
fn escaped(text: &str, quote: char) -> String {
    let mut shown = String::from(quote);
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            '\0' => shown.push_str("\\0"),
            '\\' => shown.push_str("\\\\"),
            _ if char == quote => shown.extend(['\\', quote]),
            _ if char.is_control() => shown.push_str(&format!("\\u{{{:x}}}", char as u32)),
            _ => shown.push(char),
        }
    }
    shown.push(quote);
    shown
}

fn char_function(symbol: &str, char: char) -> Option<Value> {
    let single = |mut mapped: Box<dyn Iterator<Item = char>>| match (mapped.next(), mapped.next()) {
        (Some(only), None) => Value::Int((only as u32).into()),
        _ => Value::Int((char as u32).into()),
    };
    Some(match symbol {
        "reml_char_is_alphabetic" => Value::Bool(char.is_alphabetic()),
        "reml_char_is_numeric" => Value::Bool(char.is_numeric()),
        "reml_char_is_alphanumeric" => Value::Bool(char.is_alphanumeric()),
        "reml_char_is_whitespace" => Value::Bool(char.is_whitespace()),
        "reml_char_is_uppercase" => Value::Bool(char.is_uppercase()),
        "reml_char_is_lowercase" => Value::Bool(char.is_lowercase()),
        "reml_char_is_control" => Value::Bool(char.is_control()),
        "reml_char_is_punctuation" if char.is_ascii() => {
            Value::Bool(char.is_ascii_punctuation() && !"$+<=>^`|~".contains(char))
        }
        "reml_char_is_xid_start" if char.is_ascii() => Value::Bool(char.is_ascii_alphabetic()),
        "reml_char_is_xid_continue" if char.is_ascii() => Value::Bool(char.is_ascii_alphanumeric() || char == '_'),
        "reml_char_to_upper" => single(Box::new(char.to_uppercase())),
        "reml_char_to_lower" => single(Box::new(char.to_lowercase())),
        _ => return None,
    })
}

fn float_function(symbol: &str, args: &[Value]) -> Eval<Option<Value>> {
    let Some(name) = symbol.strip_prefix("reml_math_") else { return Ok(None) };
    let x = args[0].float()?;
    let y = if args.len() > 1 { args[1].float()? } else { 0.0 };
    Ok(Some(Value::Float(match name {
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "atan" => x.atan(),
        "sinh" => x.sinh(),
        "cosh" => x.cosh(),
        "tanh" => x.tanh(),
        "exp" => x.exp(),
        "exp2" => x.exp2(),
        "exp_m1" => x.exp_m1(),
        "ln" => x.ln(),
        "ln_1p" => x.ln_1p(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "cbrt" => x.cbrt(),
        "atan2" => x.atan2(y),
        "pow" => x.powf(y),
        "hypot" => x.hypot(y),
        _ => return unknown(format!("runtime function `{symbol}`")),
    })))
}
