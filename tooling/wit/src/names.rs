//! What are the things of WIT called in Reml? `line-item` is `LineItem` as a type or a case, and `line_item` as a field or a function. And back.

use std::collections::HashSet;

use reml_bindgen::names::is_value_name;

/// Names that generated code or the prelude has for types.
const TAKEN_TYPES: &[&str] = &[
    "Any",
    "Array",
    "Bool",
    "Borrow",
    "Bytes",
    "Char",
    "Component",
    "Debug",
    "Display",
    "Eq",
    "Flagged",
    "Float",
    "Hash",
    "Int",
    "Iter",
    "Layout",
    "Lifting",
    "List",
    "Lowering",
    "Map",
    "Named",
    "Never",
    "Option",
    "Ord",
    "Ordering",
    "Owned",
    "Place",
    "Result",
    "Self",
    "Set",
    "Shaped",
    "Sized",
    "Str",
    "String",
    "Text",
    "UInt",
    "Unit",
    "Vec",
    "WitError",
    "WitFlags",
    "WitResource",
    "WitShape",
    "WitType",
];

/// Constructors that generated code uses for values of the prelude.
const TAKEN_CASES: &[&str] = &["Err", "None", "Ok", "Some"];

/// Names that have been given, so that no two things have the same.
#[derive(Clone, Default, Debug)]
pub struct Taken {
    names: HashSet<String>,
}

impl Taken {
    pub fn of(names: &[&str]) -> Taken {
        Taken { names: names.iter().map(|&name| name.to_owned()).collect() }
    }

    /// The names of types that a module of bindings cannot give.
    pub fn types() -> Taken {
        Taken::of(TAKEN_TYPES)
    }

    /// Adds the names that cases cannot have.
    pub fn add_cases(&mut self) {
        self.names.extend(TAKEN_CASES.iter().map(|&name| name.to_owned()));
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The name, with `_` behind it as often as it takes to be new.
    pub fn fresh(&mut self, mut name: String) -> String {
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// `line-item` as a type or a case. Words in capitals stay so: `HTTP-code` is `HTTPCode`.
pub fn type_name(kebab: &str) -> String {
    let mut name = String::new();
    for word in kebab.split('-') {
        let mut chars = word.chars();
        name.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(chars.as_str());
    }
    name
}

/// `line-item` as a field, a parameter or a function. Words of the language get `_` behind them.
pub fn value_name(kebab: &str) -> String {
    let mut name = kebab.replace('-', "_").to_lowercase();
    if !is_value_name(&name) {
        name.push('_');
    }
    name
}

/// `line-item` as a constant.
pub fn constant_name(kebab: &str) -> String {
    kebab.replace('-', "_").to_uppercase()
}

/// `LineItem` and `line_item` are `line-item`. What was escaped with `_` is what it was.
pub fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.trim_end_matches('_').chars().collect();
    let mut out = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| chars[before]);
        let behind = chars.get(index + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && behind.is_some_and(|it| it.is_lowercase())
            });
        if begins {
            out.push('-');
        }
        match c {
            '_' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// The name in WIT, if it has one.
pub fn wit_name(reml: &str) -> Result<String, String> {
    let name = kebab(reml);
    match wit_parser::validate_id(&name) {
        Ok(()) => Ok(name),
        Err(_) => Err(
            "its name has no form in WIT, whose names are words of ASCII letters and digits that begin with a letter"
                .to_owned(),
        ),
    }
}

/// Words of WIT are names with `%` before them.
pub fn escaped(name: &str) -> String {
    const WORDS: &[&str] = &[
        "as",
        "async",
        "bool",
        "borrow",
        "char",
        "constructor",
        "enum",
        "error-context",
        "export",
        "f32",
        "f64",
        "flags",
        "from",
        "func",
        "future",
        "import",
        "include",
        "interface",
        "list",
        "map",
        "option",
        "own",
        "package",
        "record",
        "resource",
        "result",
        "s16",
        "s32",
        "s64",
        "s8",
        "static",
        "stream",
        "string",
        "tuple",
        "type",
        "u16",
        "u32",
        "u64",
        "u8",
        "use",
        "variant",
        "with",
        "world",
    ];
    if WORDS.contains(&name) { format!("%{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_becomes_what_reml_writes() {
        assert_eq!(["line-item", "x", "HTTP-code", "a1-b2"].map(type_name), ["LineItem", "X", "HTTPCode", "A1B2"]);
        assert_eq!(
            ["line-item", "match", "HTTP-code", "self"].map(value_name),
            ["line_item", "match_", "http_code", "self_"]
        );
        assert_eq!(constant_name("line-item"), "LINE_ITEM");
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut taken = Taken::types();
        assert_eq!(["Item", "Item", "List"].map(|name| taken.fresh(name.to_owned())), ["Item", "Item_", "List_"]);
    }

    #[test]
    fn names_of_reml_become_words() {
        let names = ["LineItem", "line_item", "HTTPCode", "A1B2", "match_", "x"].map(kebab);
        assert_eq!(names, ["line-item", "line-item", "http-code", "a1-b2", "match", "x"]);
    }
}
