//! Where do words, sentences and lines of text end?
//!
//! Each answer is a `[Int]` of byte offsets, made in one pass: these boundaries depend on what comes before them, so that
//! finding the next one from an offset alone could be wrong.

use unicode_linebreak::{BreakOpportunity, linebreaks};
use unicode_segmentation::UnicodeSegmentation;

use crate::abi::Array;
use crate::array;
use crate::context::Cx;
use crate::string::StrRef;

/// The ends of parts that make up a text.
fn ends<'a>(cx: Cx, parts: impl Iterator<Item = &'a str>) -> *mut Array {
    let mut end = 0;
    let ends: Vec<i64> = parts
        .map(|part| {
            end += part.len() as i64;
            end
        })
        .collect();
    array::new_ints(cx, &ends)
}

/// The ends of words, and of what is between them (UAX #29).
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_word_bounds(cx: Cx, text: StrRef) -> *mut Array {
    ends(cx, text.as_str().split_word_bounds())
}

/// The ends of sentences, with the white space behind them (UAX #29).
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_sentence_bounds(cx: Cx, text: StrRef) -> *mut Array {
    ends(cx, text.as_str().split_sentence_bounds())
}

/// Where a line may end (UAX #14): twice the offset, plus one where it must. The end of the text is the last.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_line_breaks(cx: Cx, text: StrRef) -> *mut Array {
    let breaks: Vec<i64> = linebreaks(text.as_str())
        .map(|(offset, opportunity)| 2 * offset as i64 + i64::from(opportunity == BreakOpportunity::Mandatory))
        .collect();
    array::new_ints(cx, &breaks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::ARRAY_DATA;
    use crate::context::Program;
    use crate::heap::{self, live_objects};
    use crate::string::new_str;

    fn offsets(find: extern "C" fn(Cx, StrRef) -> *mut Array, text: &str) -> Vec<i64> {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let text = new_str(cx, text);
        let array = find(cx, text.borrow());
        // SAFETY: an array of integers that is ours alone.
        let found = unsafe {
            let start = array.byte_add(ARRAY_DATA).cast::<i64>();
            let found = std::slice::from_raw_parts(start, (*array).len as usize).to_vec();
            heap::reml_free(cx, array.cast());
            found
        };
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
        found
    }

    #[test]
    fn words_and_sentences() {
        assert_eq!(offsets(reml_str_word_bounds, "It can't."), [2, 3, 8, 9]);
        assert_eq!(offsets(reml_str_word_bounds, ""), [0; 0]);
        assert_eq!(offsets(reml_str_sentence_bounds, "Is it? Yes, 3.5 m."), [7, 18]);
    }

    #[test]
    fn lines() {
        assert_eq!(offsets(reml_str_line_breaks, "a b-c\nd"), [4, 8, 13, 15]);
        assert_eq!(offsets(reml_str_line_breaks, "a\u{a0}b"), [9]);
    }
}
