//! What are the things of C called in Reml? As they are, where that is a name; types begin with a capital.

use std::collections::HashSet;

use reml_diagnostics::Diagnostic;
use reml_syntax::names::Names;

/// Whether functions, constants, parameters and fields can have this name. The parser of Reml knows.
pub fn is_value_name(text: &str) -> bool {
    // A parameter of this name would make a method.
    if text == "self" || !is_identifier(text) {
        return false;
    }
    // What the lexer takes for a word of the language might still be a name where one is expected.
    if reml_syntax::tokens::dump(text).contains(" Ident ") {
        return true;
    }
    parses(&format!("extern \"C\" fn {text}({text}: i32) -> i32\nstruct S {{ {text}: i32 }}\n"))
}

fn is_identifier(text: &str) -> bool {
    text != "_" && !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn parses(text: &str) -> bool {
    !reml_syntax::parse(text, 1, &mut Names::new()).diagnostics.iter().any(Diagnostic::is_error)
}

/// Types that generated code mentions by these names.
const TAKEN_TYPES: &[&str] = &["Ptr", "MutPtr", "FnPtr", "Union", "Str", "Self"];

/// Names that have been given, so that no two things have the same.
#[derive(Default, Debug)]
pub struct Taken {
    names: HashSet<String>,
}

impl Taken {
    /// The name, with `_` behind it as often as it takes to be new.
    pub fn fresh(&mut self, name: String) -> String {
        let mut name = name;
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// The name of a function, constant, parameter or field.
pub fn value_name(c_name: &str) -> String {
    let mut name: String = c_name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    // A word of the language.
    if !is_value_name(&name) {
        name.push('_');
    }
    // A name of underscores only.
    if !is_value_name(&name) {
        name = format!("c{name}");
    }
    name
}

/// Names of parameters are for people: the underscores of the C library's say nothing.
pub fn parameter_name(c_name: &str) -> String {
    let bare = c_name.trim_start_matches('_');
    value_name(if bare.starts_with(|c: char| c.is_alphabetic()) { bare } else { c_name })
}

/// `ring_buffer` becomes `RingBuffer`.
pub fn type_name(c_name: &str) -> String {
    let mut name = String::new();
    for part in c_name.split(|c: char| !c.is_alphanumeric()) {
        let mut chars = part.chars();
        name.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(chars.as_str());
    }
    if !name.starts_with(|c: char| c.is_uppercase()) {
        name.insert(0, 'C');
    }
    if TAKEN_TYPES.contains(&&*name) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_get_an_underscore() {
        let names: Vec<_> = ["open", "match", "type", "XOpenDisplay", "__sin", "a$b", "_"].map(value_name).into();
        assert_eq!(names, ["open", "match_", "type_", "XOpenDisplay", "__sin", "a_b", "__"]);
        assert_eq!(parameter_name("__restrict_in"), "restrict_in");
        assert_eq!(parameter_name("__in"), "in_");
    }

    #[test]
    fn types_begin_with_a_capital() {
        let names: Vec<_> = ["ring_buffer", "FILE", "_IO_FILE", "__3d", "ptr", "z_stream_s"].map(type_name).into();
        assert_eq!(names, ["RingBuffer", "FILE", "IOFILE", "C3d", "Ptr_", "ZStreamS"]);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut taken = Taken::default();
        assert_eq!(["a", "a", "a"].map(|name| taken.fresh(name.to_owned())), ["a", "a_", "a__"]);
    }
}
