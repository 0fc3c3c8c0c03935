//! Where does a text match a regular expression, and what do its groups match?
//!
//! Patterns are compiled once per program run, and found again by their text and options. Whole matches are anchored in the
//! syntax tree, not in the pattern's text, so that alternatives and flags in a pattern cannot escape the anchors. A
//! search takes time linear in the text, whatever the pattern.

use std::collections::HashMap;
use std::rc::Rc;

use regex_automata::meta::{self, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input};
use regex_syntax::ast::{self, Ast, Span};
use regex_syntax::hir::{self, Hir, Look};

use crate::abi::Array;
use crate::array::{self, BytesRef, StrArray};
use crate::context::Cx;
use crate::string::{StrOwned, StrRef, empty, new_str};

/// What can be asked for when a pattern is compiled: bits, as `Core.Regex` sets them.
mod options {
    pub const CASE_INSENSITIVE: i64 = 1;
    pub const MULTI_LINE: i64 = 2;
    pub const DOT_MATCHES_NEWLINE: i64 = 4;
    pub const IGNORE_WHITESPACE: i64 = 8;
    /// Matches bytes, whether they are UTF-8 or not.
    pub const BYTES: i64 = 16;
    /// Matches the whole text or nothing.
    pub const WHOLE: i64 = 32;
}

/// What has been compiled.
#[derive(Default)]
struct Patterns {
    /// By options, then by pattern; `None` for patterns that are not valid.
    compiled: HashMap<i64, HashMap<Box<str>, Option<Rc<Regex>>>>,
    /// About how many bytes they take.
    bytes: usize,
}

/// Programs that build patterns at run time must not fill the memory with them.
const MAX_BYTES: usize = 64 << 20;

impl Patterns {
    fn get(&self, options: i64, pattern: &str) -> Option<&Option<Rc<Regex>>> {
        self.compiled.get(&options)?.get(pattern)
    }

    fn insert(&mut self, options: i64, pattern: &str, regex: Option<Rc<Regex>>) {
        let bytes = size_of::<Regex>() + pattern.len() + regex.as_ref().map_or(0, |regex| regex.memory_usage());
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            self.compiled.clear();
            self.bytes = bytes;
        }
        self.compiled.entry(options).or_default().insert(pattern.into(), regex);
    }
}

/// Why a pattern cannot be compiled.
struct Refusal {
    /// As `Core.Regex` knows it.
    kind: &'static str,
    message: String,
    /// Where in the pattern, in bytes.
    start: usize,
    end: usize,
}

impl Refusal {
    fn at(kind: &'static str, message: impl ToString, span: &Span) -> Refusal {
        Refusal { kind, message: message.to_string(), start: span.start.offset, end: span.end.offset }
    }
}

impl From<ast::Error> for Refusal {
    fn from(error: ast::Error) -> Refusal {
        Refusal::at("syntax", error.kind(), error.span())
    }
}

impl From<hir::Error> for Refusal {
    fn from(error: hir::Error) -> Refusal {
        let kind = match error.kind() {
            hir::ErrorKind::UnicodePropertyNotFound | hir::ErrorKind::UnicodePropertyValueNotFound => "class",
            _ => "syntax",
        };
        Refusal::at(kind, error.kind(), error.span())
    }
}

/// Counts the nodes of a syntax tree, up to a limit.
struct NodeCount {
    left: usize,
}

impl NodeCount {
    fn one(&mut self) -> Result<(), ()> {
        self.left = self.left.checked_sub(1).ok_or(())?;
        Ok(())
    }
}

impl ast::Visitor for NodeCount {
    type Output = ();
    type Err = ();

    fn finish(self) -> Result<(), ()> {
        Ok(())
    }

    fn visit_pre(&mut self, _: &Ast) -> Result<(), ()> {
        self.one()
    }

    fn visit_class_set_item_pre(&mut self, _: &ast::ClassSetItem) -> Result<(), ()> {
        self.one()
    }
}

fn compile(pattern: &str, options: i64, max_nodes: usize) -> Result<Regex, Refusal> {
    let has = |option| options & option != 0;
    let mut parser = ast::parse::ParserBuilder::new().ignore_whitespace(has(options::IGNORE_WHITESPACE)).build();
    let tree = parser.parse(pattern)?;
    if ast::visit(&tree, NodeCount { left: max_nodes }).is_err() {
        let message = format!("the pattern has more than {max_nodes} nodes");
        return Err(Refusal { kind: "nodes", message, start: 0, end: pattern.len() });
    }
    let mut translator = hir::translate::TranslatorBuilder::new()
        .case_insensitive(has(options::CASE_INSENSITIVE))
        .multi_line(has(options::MULTI_LINE))
        .dot_matches_new_line(has(options::DOT_MATCHES_NEWLINE))
        .utf8(!has(options::BYTES))
        .build();
    let mut hir = translator.translate(pattern, &tree)?;
    if has(options::WHOLE) {
        hir = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
    }
    let config = meta::Config::new().utf8_empty(!has(options::BYTES));
    Regex::builder().configure(config).build_from_hir(&hir).map_err(|error| {
        let message = match error.size_limit() {
            Some(limit) => format!("the pattern takes more than {limit} bytes when it is compiled"),
            None => error.to_string(),
        };
        Refusal { kind: "size", message, start: 0, end: pattern.len() }
    })
}

fn with_patterns<T>(cx: Cx, work: impl FnOnce(&mut Patterns) -> T) -> Option<T> {
    let mut slot = cx.runtime().patterns.borrow_mut();
    let patterns = slot.get_or_insert_with(|| Box::new(Patterns::default()));
    patterns.downcast_mut::<Patterns>().map(work)
}

fn compiled(cx: Cx, pattern: StrRef, options: i64) -> Option<Rc<Regex>> {
    with_patterns(cx, |patterns| {
        let pattern = pattern.as_str();
        if let Some(found) = patterns.get(options, pattern) {
            return found.clone();
        }
        let regex = compile(pattern, options, usize::MAX).ok().map(Rc::new);
        patterns.insert(options, pattern, regex.clone());
        regex
    })?
}

/// Compiles a pattern. `[Str]`: for a valid one `""` and the name of each group, `""` for those without; otherwise the kind of
/// mistake, a message, and where it begins and ends in the pattern, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_compile(cx: Cx, pattern: StrRef, options: i64, max_nodes: i64) -> *mut Array {
    let mut answer = StrArray::new(cx);
    match compile(pattern.as_str(), options, usize::try_from(max_nodes).unwrap_or(0)) {
        Ok(regex) => {
            answer.push(empty());
            for name in regex.group_info().pattern_names(PatternID::ZERO) {
                answer.push(name.map_or_else(empty, |name| new_str(cx, name)));
            }
            with_patterns(cx, |patterns| patterns.insert(options, pattern.as_str(), Some(Rc::new(regex))));
        }
        Err(refusal) => {
            for part in [refusal.kind, &refusal.message, &refusal.start.to_string(), &refusal.end.to_string()] {
                answer.push(new_str(cx, part));
            }
        }
    }
    answer.finish()
}

/// Does the whole text match? Never, when the pattern is not valid.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_is_match(cx: Cx, pattern: StrRef, text: StrRef) -> bool {
    compiled(cx, pattern, options::WHOLE).is_some_and(|regex| regex.is_match(text.as_str()))
}

/// What a group matches when the whole text matches the pattern; empty when it takes no part. Group 0 is the whole text.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_group(cx: Cx, pattern: StrRef, text: StrRef, group: i64) -> StrOwned {
    let regex = compiled(cx, pattern, options::WHOLE);
    let (Some(regex), Ok(group)) = (regex, usize::try_from(group)) else { return empty() };
    let mut captures = regex.create_captures();
    regex.captures(text.as_str(), &mut captures);
    captures.get_group(group).map_or_else(empty, |span| text.slice(cx, span.start, span.end))
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_valid(cx: Cx, pattern: StrRef) -> bool {
    compiled(cx, pattern, options::WHOLE).is_some()
}

/// Does it match anywhere?
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_found(cx: Cx, pattern: StrRef, options: i64, text: StrRef) -> bool {
    compiled(cx, pattern, options).is_some_and(|regex| regex.is_match(text.as_str()))
}

/// Appends start and end of each group; -1 for those that take no part.
fn push_groups(found: &mut Vec<i64>, captures: &Captures) {
    for span in captures.iter() {
        let (start, end) = span.map_or((-1, -1), |span| (span.start as i64, span.end as i64));
        found.extend([start, end]);
    }
}

/// Up to `limit` matches from `start` on.
fn find(cx: Cx, regex: Option<Rc<Regex>>, text: &[u8], start: i64, limit: i64, groups: bool) -> *mut Array {
    let mut found = Vec::new();
    let start = usize::try_from(start).unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(0);
    if let Some(regex) = regex.filter(|_| start <= text.len()) {
        let input = Input::new(text).range(start..);
        if groups {
            for captures in regex.captures_iter(input).take(limit) {
                push_groups(&mut found, &captures);
            }
        } else {
            for place in regex.find_iter(input).take(limit) {
                found.extend([place.start() as i64, place.end() as i64]);
            }
        }
    }
    array::new_ints(cx, &found)
}

/// Where it matches, from the byte `start` on, at most `limit` times: start and end of each match or, with `groups`, of each
/// group of each match, the match itself being group 0.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_find(
    cx: Cx,
    pattern: StrRef,
    options: i64,
    text: StrRef,
    start: i64,
    limit: i64,
    groups: bool,
) -> *mut Array {
    find(cx, compiled(cx, pattern, options), text.as_bytes(), start, limit, groups)
}

/// The same for bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_find_bytes(
    cx: Cx,
    pattern: StrRef,
    options: i64,
    bytes: BytesRef,
    start: i64,
    limit: i64,
    groups: bool,
) -> *mut Array {
    find(cx, compiled(cx, pattern, options), bytes.as_slice(), start, limit, groups)
}

/// The text at and behind an offset, as the only place for a match to begin.
fn anchored<'a>(text: StrRef<'a>, offset: i64) -> Option<Input<'a>> {
    let offset = usize::try_from(offset).ok().filter(|&offset| offset <= text.as_bytes().len())?;
    Some(Input::new(text.as_bytes()).range(offset..).anchored(Anchored::Yes))
}

/// Where a match that begins at `offset` ends; -1 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_end_at(cx: Cx, pattern: StrRef, options: i64, text: StrRef, offset: i64) -> i64 {
    let (Some(regex), Some(input)) = (compiled(cx, pattern, options), anchored(text, offset)) else { return -1 };
    regex.search_half(&input).map_or(-1, |end| end.offset() as i64)
}

/// Start and end of each group of a match that begins at `offset`; empty when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_regex_groups_at(cx: Cx, pattern: StrRef, options: i64, text: StrRef, offset: i64) -> *mut Array {
    let mut found = Vec::new();
    if let (Some(regex), Some(input)) = (compiled(cx, pattern, options), anchored(text, offset)) {
        let mut captures = regex.create_captures();
        regex.search_captures(&input, &mut captures);
        if captures.is_match() {
            push_groups(&mut found, &captures);
        }
    }
    array::new_ints(cx, &found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{ARRAY_DATA, Str};
    use crate::context::Program;
    use crate::heap::{self, live_objects};
    use crate::string::new_str;

    fn matches(pattern: &str, text: &str) -> bool {
        let mut program = Program::new(Vec::new(), None);
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
        let mut program = Program::new(Vec::new(), None);
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

    /// The elements of an array of `T`, which is freed.
    fn elements<T>(cx: Cx, array: *mut Array) -> Vec<T> {
        // SAFETY: the array is ours alone, and the caller knows its type.
        unsafe {
            let start = array.byte_add(ARRAY_DATA).cast::<T>();
            let elements = (0..(*array).len).map(|index| start.add(index as usize).read()).collect();
            heap::reml_free(cx, array.cast());
            elements
        }
    }

    fn compiling(pattern: &str, options: i64, max_nodes: i64) -> Vec<String> {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let pattern = new_str(cx, pattern);
        let parts = elements::<*mut Str>(cx, reml_regex_compile(cx, pattern.borrow(), options, max_nodes));
        // SAFETY: the array owned its strings.
        let parts: Vec<StrOwned> = parts.into_iter().map(|part| unsafe { StrOwned::from_raw(part) }).collect();
        let texts = parts.iter().map(|part| part.borrow().as_str().to_string()).collect();
        parts.into_iter().for_each(|part| part.drop(cx));
        pattern.drop(cx);
        assert_eq!(live_objects(cx), 0);
        texts
    }

    #[test]
    fn what_cannot_be_compiled() {
        assert_eq!(compiling(r"(?P<year>\d+)-(\d+)", 0, 100), ["", "", "year", ""]);
        assert_eq!(compiling("ab(c", 0, 100), ["syntax", "unclosed group", "2", "3"]);
        assert_eq!(compiling(r"x\p{Klingon}", 0, 100)[0], "class");
        assert_eq!(compiling("abc", 0, 3)[0], "nodes");
        assert_eq!(compiling("(?-u)[^a]", 0, 100)[0], "syntax");
        assert_eq!(compiling("(?-u)[^a]", options::BYTES, 100), ["", ""]);
        assert_eq!(compiling(r"\w{5000}", 0, 100)[0], "size");
    }

    fn spans(pattern: &str, options: i64, text: &str, start: i64, groups: bool) -> Vec<i64> {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let (pattern, text) = (new_str(cx, pattern), new_str(cx, text));
        let found =
            elements(cx, reml_regex_find(cx, pattern.borrow(), options, text.borrow(), start, i64::MAX, groups));
        pattern.drop(cx);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
        found
    }

    #[test]
    fn all_places() {
        assert_eq!(spans("a+", 0, "aa b a", 0, false), [0, 2, 5, 6]);
        assert_eq!(spans("a(b)?", 0, "ab a", 0, true), [0, 2, 1, 2, 3, 4, -1, -1]);
        assert_eq!(spans("^a", options::MULTI_LINE, "a\na", 0, false), [0, 1, 2, 3]);
        assert_eq!(spans("A", options::CASE_INSENSITIVE, "xa", 0, false), [1, 2]);
        assert_eq!(spans("a.b", options::DOT_MATCHES_NEWLINE, "a\nb", 0, false), [0, 3]);
        assert_eq!(spans("a b", options::IGNORE_WHITESPACE, "ab", 0, false), [0, 2]);
        // Never inside of a character.
        assert_eq!(spans("", 0, "é", 0, false), [0, 0, 2, 2]);
        assert_eq!(spans("", 0, "é", 1, false), [2, 2]);
        assert_eq!(spans("a", 0, "a", 9, false), [0; 0]);
    }

    #[test]
    fn patterns_are_forgotten_before_they_fill_the_memory() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for number in 0..16 {
            let pattern = new_str(cx, &format!(r"\w{{200}}{number}"));
            assert!(!reml_regex_found(cx, pattern.borrow(), 0, pattern.borrow()));
            pattern.drop(cx);
            let bytes = with_patterns(cx, |patterns| patterns.bytes).unwrap();
            assert!(0 < bytes && bytes <= MAX_BYTES);
        }
        let kept = with_patterns(cx, |patterns| patterns.compiled[&0].len()).unwrap();
        assert!(0 < kept && kept < 16);
    }

    #[test]
    fn at_a_place() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let (pattern, text) = (new_str(cx, r"\b(\d+)"), new_str(cx, "x 12"));
        let end = |offset| reml_regex_end_at(cx, pattern.borrow(), 0, text.borrow(), offset);
        assert_eq!([0, 1, 2, 3, 99, -1].map(end), [-1, -1, 4, -1, -1, -1]);
        let groups = reml_regex_groups_at(cx, pattern.borrow(), 0, text.borrow(), 2);
        assert_eq!(elements::<i64>(cx, groups), [2, 4, 2, 4]);
        pattern.drop(cx);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }
}
