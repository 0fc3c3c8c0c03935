//! Does a text match a regular expression as a whole, and what do its groups match?
//!
//! Patterns are compiled once per program run. They are anchored in the syntax tree, not in their text, so that
//! alternatives and flags in a pattern cannot escape the anchors.

use std::collections::HashMap;
use std::rc::Rc;

use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, Look};

use crate::context::Cx;
use crate::string::{StrOwned, StrRef, empty};

/// `None` for patterns that are not valid.
type Patterns = HashMap<Box<str>, Option<Rc<Regex>>>;

/// Programs that build patterns at run time must not fill the memory with them.
const MAX_PATTERNS: usize = 1_000;

fn compile(pattern: &str) -> Option<Regex> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
    Regex::builder().build_from_hir(&whole).ok()
}

fn compiled(cx: Cx, pattern: StrRef) -> Option<Rc<Regex>> {
    let mut slot = cx.runtime().patterns.borrow_mut();
    let patterns = slot.get_or_insert_with(|| Box::new(Patterns::new())).downcast_mut::<Patterns>()?;
    if let Some(found) = patterns.get(pattern.as_str()) {
        return found.clone();
    }
    if patterns.len() == MAX_PATTERNS {
        patterns.clear();
    }
    let regex = compile(pattern.as_str()).map(Rc::new);
    patterns.insert(pattern.as_str().into(), regex.clone());
    regex
}

/// Does the whole text match? Never, when the pattern is not valid.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_is_match(cx: Cx, pattern: StrRef, text: StrRef) -> bool {
    compiled(cx, pattern).is_some_and(|regex| regex.is_match(text.as_str()))
}

/// What a group matches when the whole text matches the pattern; empty when it takes no part. Group 0 is the whole text.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_group(cx: Cx, pattern: StrRef, text: StrRef, group: i64) -> StrOwned {
    let (Some(regex), Ok(group)) = (compiled(cx, pattern), usize::try_from(group)) else { return empty() };
    let mut captures = regex.create_captures();
    regex.captures(text.as_str(), &mut captures);
    captures.get_group(group).map_or_else(empty, |span| text.slice(cx, span.start, span.end))
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_valid(cx: Cx, pattern: StrRef) -> bool {
    compiled(cx, pattern).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap::live_objects;
    use crate::string::new_str;

    fn matches(pattern: &str, text: &str) -> bool {
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        let (pattern, text) = (new_str(cx, pattern), new_str(cx, text));
        let first = reml_regex_is_match(cx, pattern.borrow(), text.borrow());
        assert_eq!(first, reml_regex_is_match(cx, pattern.borrow(), text.borrow()));
        pattern.drop(cx);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
        first
    }

    #[test]
    fn the_whole_text_has_to_match() {
        assert!(matches("[a-z]+", "abc"));
        assert!(!matches("[a-z]+", "abc1"));
        assert!(matches("a|ab", "ab"));
        assert!(matches("(?x) a b # comment", "ab"));
        assert!(matches(r"\d+\p{Greek}", "١٢λ"));
        assert!(!matches("a)(b", "ab"));
    }

    #[test]
    fn groups_and_validity() {
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        let (pattern, text) = (new_str(cx, r"(\d+)-(\d+)(x)?"), new_str(cx, "12-2024"));
        let groups = [0, 1, 2, 3, 4, -1].map(|group| {
            let found = reml_regex_group(cx, pattern.borrow(), text.borrow(), group);
            let copy = found.borrow().as_str().to_string();
            found.drop(cx);
            copy
        });
        assert_eq!(groups, ["12-2024", "12", "2024", "", "", ""]);
        assert!(reml_regex_valid(cx, pattern.borrow()));
        let broken = new_str(cx, "a(");
        assert!(!reml_regex_valid(cx, broken.borrow()));
        for text in [pattern, text, broken] {
            text.drop(cx);
        }
        assert_eq!(live_objects(cx), 0);
    }
}
