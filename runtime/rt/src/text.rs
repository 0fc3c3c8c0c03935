//! What can be asked of text, in the terms of Unicode?
//!
//! Strings are equal, ordered and hashed by their NFC form, so that `"é"` is one text however it is encoded. Nearly all
//! text is ASCII or in NFC already, which is found out without normalising. Offsets are bytes.

use std::cmp::Ordering;

use memchr::memmem;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc, is_nfc_quick, is_nfd, is_nfkc, is_nfkd};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::abi::Array;
use crate::array::{self, BytesRef, StrArray, StrsRef};
use crate::chars;
use crate::context::Cx;
use crate::string::{StrOwned, StrRef, empty, new_lossy, new_str, with_capacity};

/// Is this text its own NFC form, as far as can be told quickly?
fn surely_nfc(text: &str) -> bool {
    text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes
}

fn compare(left: &str, right: &str) -> Ordering {
    if let Some(order) = compare_plainly(left.as_bytes(), right.as_bytes()) {
        order
    } else if surely_nfc(left) && surely_nfc(right) {
        left.cmp(right)
    } else {
        left.nfc().cmp(right.nfc())
    }
}

/// The order when the bytes tell it. Where two texts first differ, an ASCII character that is followed by another, or by
/// the end, stands for itself in every normal form, and so does what comes before it.
fn compare_plainly(left: &[u8], right: &[u8]) -> Option<Ordering> {
    let at = first_difference(left, right);
    let stable = |text: &[u8]| text.get(at).is_none_or(u8::is_ascii) && text.get(at + 1).is_none_or(u8::is_ascii);
    (stable(left) && stable(right)).then(|| left.get(at).cmp(&right.get(at)))
}

/// The first offset at which two byte sequences differ, or the length of the shorter one.
fn first_difference(left: &[u8], right: &[u8]) -> usize {
    let common = left.len().min(right.len());
    let mut at = 0;
    for (a, b) in left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0) {
        let different = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if different != 0 {
            return at + (different.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < common && left[at] == right[at] {
        at += 1;
    }
    at
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_eq(_: Cx, left: StrRef, right: StrRef) -> bool {
    compare(left.as_str(), right.as_str()) == Ordering::Equal
}

/// 1 or 0: whether the bytes of `wanted` stand at `offset` of a text, which has as many from there on.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_matches(_: Cx, text: StrRef, offset: i64, wanted: StrRef) -> i64 {
    text.as_bytes()[offset as usize..].starts_with(wanted.as_bytes()).into()
}

/// -1, 0 or 1: the order of the code points of the NFC forms.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_compare(_: Cx, left: StrRef, right: StrRef) -> i64 {
    compare(left.as_str(), right.as_str()) as i64
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_hash(_: Cx, text: StrRef, state: u64) -> u64 {
    let text = text.as_str();
    if surely_nfc(text) {
        hash_bytes(text.as_bytes(), state)
    } else {
        hash_bytes(text.nfc().collect::<String>().as_bytes(), state)
    }
}

/// Multiplies to 128 bits and folds, eight bytes at a time.
fn hash_bytes(bytes: &[u8], state: u64) -> u64 {
    const K0: u64 = 0x9E37_79B9_7F4A_7C15;
    const K1: u64 = 0xD128_2C95_14F3_5C8D;
    fn mix(left: u64, right: u64) -> u64 {
        let product = u128::from(left) * u128::from(right);
        product as u64 ^ (product >> 64) as u64
    }
    let mut hash = state ^ (bytes.len() as u64).wrapping_mul(K0);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mix(hash ^ u64::from_le_bytes(*word), K1);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(last), K0)
}

/// The character at a byte offset; the caller knows that one starts there.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_char_at(_: Cx, text: StrRef, offset: i64) -> u32 {
    let found = usize::try_from(offset).ok().and_then(|offset| text.as_str().get(offset..)?.chars().next());
    found.unwrap_or(char::REPLACEMENT_CHARACTER) as u32
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_char_count(_: Cx, text: StrRef) -> i64 {
    text.as_str().chars().count() as i64
}

/// Offset of the first occurrence at or after `from`; -1 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_find(_: Cx, text: StrRef, pattern: StrRef, from: i64) -> i64 {
    let from = usize::try_from(from).unwrap_or(0);
    let Some(rest) = text.as_bytes().get(from..) else { return -1 };
    let found = match pattern.as_bytes() {
        &[byte] => memchr::memchr(byte, rest),
        pattern => memmem::find(rest, pattern),
    };
    found.map_or(-1, |offset| (from + offset) as i64)
}

/// Offset of the last occurrence; -1 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_rfind(_: Cx, text: StrRef, pattern: StrRef) -> i64 {
    memmem::rfind(text.as_bytes(), pattern.as_bytes()).map_or(-1, |offset| offset as i64)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_starts_with(_: Cx, text: StrRef, start: StrRef) -> bool {
    text.as_bytes().starts_with(start.as_bytes())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_ends_with(_: Cx, text: StrRef, end: StrRef) -> bool {
    text.as_bytes().ends_with(end.as_bytes())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_trim(cx: Cx, text: StrRef) -> StrOwned {
    text.slice_of(cx, text.as_str().trim())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_trim_start(cx: Cx, text: StrRef) -> StrOwned {
    text.slice_of(cx, text.as_str().trim_start())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_trim_end(cx: Cx, text: StrRef) -> StrOwned {
    text.slice_of(cx, text.as_str().trim_end())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_to_upper(cx: Cx, text: StrRef) -> StrOwned {
    let content = text.as_str();
    if content.is_ascii() && !content.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return text.share();
    }
    new_str(cx, &content.to_uppercase())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_to_lower(cx: Cx, text: StrRef) -> StrOwned {
    let content = text.as_str();
    if content.is_ascii() && !content.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return text.share();
    }
    new_str(cx, &content.to_lowercase())
}

/// All occurrences of `pattern` replaced; an empty pattern occurs nowhere.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_replace(cx: Cx, text: StrRef, pattern: StrRef, replacement: StrRef) -> StrOwned {
    let (bytes, pattern) = (text.as_bytes(), pattern.as_bytes());
    if pattern.is_empty() {
        return text.share();
    }
    let mut found = memmem::find_iter(bytes, pattern).peekable();
    if found.peek().is_none() {
        return text.share();
    }
    let mut result = with_capacity(cx, bytes.len());
    let mut done = 0;
    for offset in found {
        result = result.append(cx, &bytes[done..offset]).append(cx, replacement.as_bytes());
        done = offset + pattern.len();
    }
    result.append(cx, &bytes[done..])
}

/// The graphemes in reverse.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_reverse(cx: Cx, text: StrRef) -> StrOwned {
    let content = text.as_str();
    if content.len() <= 1 {
        return text.share();
    }
    let mut result = with_capacity(cx, content.len());
    for grapheme in content.graphemes(true).rev() {
        result = result.append(cx, grapheme.as_bytes());
    }
    result
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_is_char_boundary(_: Cx, text: StrRef, offset: i64) -> bool {
    usize::try_from(offset).is_ok_and(|offset| text.as_str().is_char_boundary(offset))
}

/// Offset of the end of the grapheme that starts at `offset`; the length at and after the end.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_next_grapheme(_: Cx, text: StrRef, offset: i64) -> i64 {
    let content = text.as_str();
    let bytes = content.as_bytes();
    let start = usize::try_from(offset).unwrap_or(0);
    match bytes.get(start..) {
        None | Some([]) => return bytes.len() as i64,
        // Nothing ASCII extends an ASCII character, except the newline a carriage return.
        Some(&[first, next, ..]) if first < 0x80 && next < 0x80 && first != b'\r' => return start as i64 + 1,
        _ => {}
    }
    // The text before is of no account; in a row of flags it would be read once per flag.
    match content.get(start..).and_then(|rest| rest.graphemes(true).next()) {
        Some(grapheme) => (start + grapheme.len()) as i64,
        None => start as i64 + 1,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_grapheme_count(_: Cx, text: StrRef) -> i64 {
    let content = text.as_str();
    if content.is_ascii() {
        return (content.len() - memmem::find_iter(content.as_bytes(), "\r\n").count()) as i64;
    }
    content.graphemes(true).count() as i64
}

/// Columns on a terminal; control characters take none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_display_width(_: Cx, text: StrRef) -> i64 {
    let content = text.as_str();
    if content.is_ascii() {
        return content.bytes().filter(|byte| !byte.is_ascii_control()).count() as i64;
    }
    content.split(char::is_control).map(|part| part.width() as i64).sum()
}

/// Forms: 0 NFC, 1 NFD, 2 NFKC, 3 NFKD.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_normalize(cx: Cx, text: StrRef, form: i64) -> StrOwned {
    let content = text.as_str();
    if content.is_ascii() || form == 0 && surely_nfc(content) {
        return text.share();
    }
    let normalized: String = match form {
        0 => content.nfc().collect(),
        1 => content.nfd().collect(),
        2 => content.nfkc().collect(),
        _ => content.nfkd().collect(),
    };
    new_str(cx, &normalized)
}

/// Is the text in this form? Forms as in `reml_str_normalize`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_is_normalized(_: Cx, text: StrRef, form: i64) -> bool {
    let content = text.as_str();
    content.is_ascii()
        || match form {
            0 => is_nfc(content),
            1 => is_nfd(content),
            2 => is_nfkc(content),
            _ => is_nfkd(content),
        }
}

/// What texts that differ only in case have in common: Unicode's full case folding.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_fold_case(cx: Cx, text: StrRef) -> StrOwned {
    match text.as_str() {
        content if content.is_ascii() => reml_str_to_lower(cx, text),
        content => new_str(cx, &caseless::default_case_fold_str(content)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_to_bytes(cx: Cx, text: StrRef) -> *mut Array {
    array::new_bytes(cx, text.as_bytes())
}

/// Offset of the first byte that is not UTF-8; -1 when all are.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_utf8_error(_: Cx, bytes: BytesRef) -> i64 {
    std::str::from_utf8(bytes.as_slice()).map_or_else(|error| error.valid_up_to() as i64, |_| -1)
}

/// Where the bytes that are not UTF-8 at `reml_bytes_utf8_error` end: behind what could have begun a character.
#[unsafe(no_mangle)]
pub extern "C" fn reml_bytes_utf8_error_end(_: Cx, bytes: BytesRef) -> i64 {
    let bytes = bytes.as_slice();
    std::str::from_utf8(bytes).map_or_else(
        |error| error.error_len().map_or(bytes.len(), |length| error.valid_up_to() + length) as i64,
        |_| -1,
    )
}

/// The text of UTF-8 bytes; U+FFFD where they are not.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_from_utf8(cx: Cx, bytes: BytesRef) -> StrOwned {
    new_lossy(cx, bytes.as_slice())
}

/// The text as a string literal.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_show(cx: Cx, text: StrRef) -> StrOwned {
    let content = text.as_str();
    let mut shown = String::with_capacity(content.len() + 2);
    shown.push('"');
    for char in content.chars() {
        chars::push_escaped(&mut shown, char, '"');
    }
    shown.push('"');
    new_str(cx, &shown)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_join(cx: Cx, parts: StrsRef, separator: StrRef) -> StrOwned {
    match parts.as_slice() {
        [] => empty(),
        [only] => only.share(),
        [first, rest @ ..] => {
            let separator = separator.as_bytes();
            let total: usize = rest.iter().map(|part| separator.len() + part.as_bytes().len()).sum();
            let mut result = with_capacity(cx, first.as_bytes().len() + total).append(cx, first.as_bytes());
            for part in rest {
                result = result.append(cx, separator).append(cx, part.as_bytes());
            }
            result
        }
    }
}

/// The parts between separators, empty ones too; an empty separator gives the characters.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_split(cx: Cx, text: StrRef, separator: StrRef) -> *mut Array {
    let content = text.as_str();
    let mut parts = StrArray::new(cx);
    let width = separator.as_bytes().len();
    if width == 0 {
        for (start, char) in content.char_indices() {
            parts.push(text.slice(cx, start, start + char.len_utf8()));
        }
        return parts.finish();
    }
    let mut start = 0;
    for end in memmem::find_iter(content.as_bytes(), separator.as_bytes()) {
        parts.push(text.slice(cx, start, end));
        start = end + width;
    }
    parts.push(text.slice(cx, start, content.len()));
    parts.finish()
}

fn parts_of<'a>(cx: Cx, text: StrRef, parts: impl Iterator<Item = &'a str>) -> *mut Array {
    let mut array = StrArray::new(cx);
    for part in parts {
        array.push(text.slice_of(cx, part));
    }
    array.finish()
}

/// The lines without `\n` or `\r\n`; a newline at the end starts no line.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_lines(cx: Cx, text: StrRef) -> *mut Array {
    parts_of(cx, text, text.as_str().lines())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_split_whitespace(cx: Cx, text: StrRef) -> *mut Array {
    parts_of(cx, text, text.as_str().split_whitespace())
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_is_ascii(_: Cx, text: StrRef) -> bool {
    text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{ARRAY_DATA, Str};
    use crate::context::Program;
    use crate::heap::{self, live_objects};

    fn with(cx: Cx, text: StrOwned) -> String {
        let copy = text.borrow().as_str().to_string();
        text.drop(cx);
        copy
    }

    #[test]
    fn order_is_that_of_the_normal_forms() {
        let alphabet = ["", "a", "e", "f", "\u{301}", "é", "\u{212A}", "padding!"];
        let mut texts = Vec::new();
        for a in alphabet {
            for b in alphabet {
                for c in alphabet {
                    texts.push([a, b, c].concat());
                }
            }
        }
        for left in &texts {
            for right in &texts {
                assert_eq!(compare(left, right), left.nfc().cmp(right.nfc()), "{left:?} {right:?}");
            }
        }
    }

    /// The texts of a `[Str]`, which is dropped.
    fn list(cx: Cx, array: *mut Array) -> Vec<String> {
        // SAFETY: an array of strings that is ours alone.
        unsafe {
            let start = array.byte_add(ARRAY_DATA).cast::<*mut Str>();
            let texts =
                (0..(*array).len).map(|index| with(cx, StrOwned::from_raw(*start.add(index as usize)))).collect();
            heap::reml_free(cx, array.cast());
            texts
        }
    }

    /// Runs a test on strings of these texts and checks that nothing leaks.
    fn on<const N: usize>(texts: [&str; N], test: impl FnOnce(Cx, [StrRef; N])) {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let strings = texts.map(|text| new_str(cx, text));
        test(cx, strings.each_ref().map(|string| string.borrow()));
        strings.into_iter().for_each(|string| string.drop(cx));
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn equality_order_and_hash_ignore_the_encoding_of_accents() {
        on(
            ["caf\u{e9}", "cafe\u{301}", "cafe", "caff", "\u{212a}", "K"],
            |cx, [composed, decomposed, cafe, caff, kelvin, k]| {
                assert!(reml_str_eq(cx, composed, decomposed));
                assert!(reml_str_eq(cx, kelvin, k));
                assert!(!reml_str_eq(cx, cafe, decomposed) && !reml_str_eq(cx, cafe, caff));
                assert_eq!(reml_str_hash(cx, composed, 1), reml_str_hash(cx, decomposed, 1));
                assert_eq!(reml_str_hash(cx, kelvin, 1), reml_str_hash(cx, k, 1));
                assert_ne!(reml_str_hash(cx, k, 1), reml_str_hash(cx, k, 2));
                assert_eq!(reml_str_compare(cx, composed, decomposed), 0);
                assert_eq!(reml_str_compare(cx, cafe, caff), -1);
                // By bytes, the decomposed form would come first.
                assert_eq!(reml_str_compare(cx, decomposed, caff), 1);
            },
        );
    }

    #[test]
    fn hashes_differ_for_texts_that_differ_in_length_only() {
        let hashes: std::collections::HashSet<u64> = (0..100).map(|len| hash_bytes(&vec![0; len], 0)).collect();
        assert_eq!(hashes.len(), 100);
    }

    #[test]
    fn finding() {
        on(["a-b--a", "a", "--", "", "x"], |cx, [text, a, dashes, nothing, x]| {
            assert_eq!(reml_str_find(cx, text, a, 0), 0);
            assert_eq!(reml_str_find(cx, text, a, 1), 5);
            assert_eq!(reml_str_find(cx, text, dashes, 0), 3);
            assert_eq!(reml_str_find(cx, text, nothing, 2), 2);
            assert_eq!(reml_str_find(cx, text, x, 0), -1);
            assert_eq!(reml_str_find(cx, text, a, 99), -1);
            assert_eq!(reml_str_rfind(cx, text, a), 5);
            assert!(reml_str_starts_with(cx, text, a) && reml_str_ends_with(cx, text, nothing));
        });
    }

    #[test]
    fn parts() {
        on(["a,b,,c", ",", "", "one\r\ntwo\n\nthree\n", " x  y\t"], |cx, [text, comma, nothing, lines, spaced]| {
            assert_eq!(list(cx, reml_str_split(cx, text, comma)), ["a", "b", "", "c"]);
            assert_eq!(list(cx, reml_str_split(cx, nothing, comma)), [""]);
            assert_eq!(list(cx, reml_str_split(cx, text, nothing)), ["a", ",", "b", ",", ",", "c"]);
            assert_eq!(list(cx, reml_str_lines(cx, lines)), ["one", "two", "", "three"]);
            assert_eq!(list(cx, reml_str_split_whitespace(cx, spaced)), ["x", "y"]);
            let array = reml_str_split(cx, text, comma);
            // SAFETY: a reference to a live array of strings.
            let parts = unsafe { std::mem::transmute::<&Array, StrsRef>(&*array) };
            assert_eq!(with(cx, reml_str_join(cx, parts, spaced)), "a x  y\tb x  y\t x  y\tc");
            list(cx, array);
        });
    }

    #[test]
    fn graphemes() {
        let flag = "\u{1f1e9}\u{1f1ea}";
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        let text = format!("ae\u{301}{flag}{flag}\r\n{family}");
        on([&text, "plain\r\n"], |cx, [text, plain]| {
            let mut ends = Vec::new();
            let mut at = 0;
            while at < text.as_bytes().len() as i64 {
                at = reml_str_next_grapheme(cx, text, at);
                ends.push(at);
            }
            assert_eq!(ends, [1, 4, 12, 20, 22, 40]);
            assert_eq!(reml_str_grapheme_count(cx, text), 6);
            assert_eq!(reml_str_grapheme_count(cx, plain), 6);
            assert_eq!(reml_str_next_grapheme(cx, plain, 5), 7);
            assert_eq!(reml_str_next_grapheme(cx, plain, 7), 7);
            // One that starts between the halves of a flag, or inside a character.
            assert_eq!([8, 9].map(|offset| reml_str_next_grapheme(cx, text, offset)), [16, 10]);
            let reversed = with(cx, reml_str_reverse(cx, text));
            assert_eq!(reversed, format!("{family}\r\n{flag}{flag}e\u{301}a"));
        });
    }

    #[test]
    fn widths() {
        on(["abc\n", "日本", "e\u{301}x", "日\n本"], |cx, texts| {
            assert_eq!(texts.map(|text| reml_str_display_width(cx, text)), [3, 4, 2, 4]);
        });
    }

    #[test]
    fn case_trim_replace_show() {
        on(
            ["Straße", " \u{2003}x ", "a.b.c", ".", "->", "q\"\n\u{7}é"],
            |cx, [strasse, spaced, text, dot, arrow, odd]| {
                assert_eq!(with(cx, reml_str_to_upper(cx, strasse)), "STRASSE");
                assert_eq!(with(cx, reml_str_to_lower(cx, strasse)), "straße");
                assert_eq!(with(cx, reml_str_trim(cx, spaced)), "x");
                assert_eq!(with(cx, reml_str_trim_start(cx, spaced)), "x ");
                assert_eq!(with(cx, reml_str_trim_end(cx, spaced)), " \u{2003}x");
                assert_eq!(with(cx, reml_str_replace(cx, text, dot, arrow)), "a->b->c");
                assert_eq!(with(cx, reml_str_replace(cx, text, arrow, dot)), "a.b.c");
                assert_eq!(with(cx, reml_str_show(cx, odd)), "\"q\\\"\\n\\u{7}é\"");
            },
        );
    }

    #[test]
    fn normal_forms() {
        on(["ﬁe\u{301}"], |cx, [text]| {
            let forms = [0, 1, 2, 3].map(|form| with(cx, reml_str_normalize(cx, text, form)));
            assert_eq!(forms, ["ﬁé", "ﬁe\u{301}", "fié", "fie\u{301}"]);
        });
        on(["é", "e\u{301}", "ﬁ", "plain"], |cx, texts| {
            let forms = |form| texts.map(|text| reml_str_is_normalized(cx, text, form));
            assert_eq!(forms(0), [true, false, true, true]);
            assert_eq!(forms(1), [false, true, true, true]);
            assert_eq!(forms(2), [true, false, false, true]);
            assert_eq!(forms(3), [false, true, false, true]);
        });
    }

    #[test]
    fn case_folding() {
        on(["Straße", "ΣΊΣΥΦΟΣ", "Plain"], |cx, texts| {
            let folded = texts.map(|text| with(cx, reml_str_fold_case(cx, text)));
            assert_eq!(folded, ["strasse", "σίσυφοσ", "plain"]);
        });
    }

    #[test]
    fn bytes_and_characters() {
        on(["aé日"], |cx, [text]| {
            assert_eq!(reml_str_char_at(cx, text, 1), 'é' as u32);
            assert_eq!(reml_str_char_count(cx, text), 3);
            assert!(reml_str_is_char_boundary(cx, text, 3) && !reml_str_is_char_boundary(cx, text, 2));
            assert!(!reml_str_is_char_boundary(cx, text, -1));
            let array = reml_str_to_bytes(cx, text);
            // SAFETY: a reference to a live array of bytes.
            let bytes = unsafe { std::mem::transmute::<&Array, BytesRef>(&*array) };
            assert_eq!(reml_bytes_utf8_error(cx, bytes), -1);
            assert_eq!(with(cx, reml_str_from_utf8(cx, bytes)), "aé日");
            // SAFETY: ours alone.
            unsafe {
                array.cast::<u8>().add(ARRAY_DATA + 3).write(0xff);
                assert_eq!(reml_bytes_utf8_error(cx, bytes), 3);
                assert_eq!(reml_bytes_utf8_error_end(cx, bytes), 4);
                heap::reml_free(cx, array.cast());
            }
        });
    }
}
