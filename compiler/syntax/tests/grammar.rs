//! Does the parser take what the grammar of the specification allows, and does the formatter leave it what it is?
//!
//! The rules of `spec/grammar.md` are read and programs are derived from them at random, the same ones in every run.

use std::collections::HashMap;
use std::fmt::Write as _;

use reml_syntax::format::{FormatError, format};
use reml_syntax::names::Names;

/// The right side of a rule.
enum Form {
    Choice(Vec<Form>),
    Sequence(Vec<Form>),
    Token(String),
    Rule(String),
    Optional(Box<Form>),
    Many {
        element: Box<Form>,
        at_least_one: bool,
    },
    /// With commas between the elements, and perhaps one behind the last.
    List(Box<Form>),
}

#[derive(PartialEq, Clone, Debug)]
enum Symbol {
    Quoted(String),
    Word(String),
    Mark(char),
}

fn symbols(text: &str) -> Vec<Symbol> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' {
            found.push(Symbol::Quoted(chars.by_ref().take_while(|&c| c != '"').collect()));
        } else if c.is_alphabetic() {
            let mut word = String::from(c);
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric()) {
                word.push(c);
            }
            found.push(Symbol::Word(word));
        } else if !c.is_whitespace() {
            found.push(Symbol::Mark(c));
        }
    }
    found
}

struct Reader {
    symbols: Vec<Symbol>,
    at: usize,
}

impl Reader {
    fn eat(&mut self, mark: char) -> bool {
        let found = self.symbols.get(self.at) == Some(&Symbol::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn rules(mut self) -> HashMap<String, Form> {
        let mut rules = HashMap::new();
        while let Some(Symbol::Word(name)) = self.symbols.get(self.at).cloned() {
            self.at += 1;
            assert!(self.eat('='), "rule `{name}` has no `=`");
            let form = self.choice();
            assert!(rules.insert(name.clone(), form).is_none(), "`{name}` has two rules");
        }
        assert_eq!(self.at, self.symbols.len(), "the rules end with {:?}", &self.symbols[self.at..]);
        rules
    }

    fn choice(&mut self) -> Form {
        let mut forms = vec![self.sequence()];
        while self.eat('|') {
            forms.push(self.sequence());
        }
        if forms.len() == 1 { forms.remove(0) } else { Form::Choice(forms) }
    }

    fn sequence(&mut self) -> Form {
        let mut forms = Vec::new();
        while let Some(symbol) = self.symbols.get(self.at).cloned() {
            let mut form = match symbol {
                // The next rule.
                Symbol::Word(_) if self.symbols.get(self.at + 1) == Some(&Symbol::Mark('=')) => break,
                Symbol::Word(name) => {
                    self.at += 1;
                    Form::Rule(name)
                }
                Symbol::Quoted(text) => {
                    self.at += 1;
                    Form::Token(text)
                }
                Symbol::Mark('(') => {
                    self.at += 1;
                    let inner = self.choice();
                    assert!(self.eat(')'), "a bracket is not closed");
                    inner
                }
                Symbol::Mark(_) => break,
            };
            loop {
                form = match () {
                    _ if self.eat('?') => Form::Optional(form.into()),
                    _ if self.eat('*') => Form::Many { element: form.into(), at_least_one: false },
                    _ if self.eat('+') => Form::Many { element: form.into(), at_least_one: true },
                    _ if self.eat('%') => Form::List(form.into()),
                    _ => break,
                };
            }
            forms.push(form);
        }
        Form::Sequence(forms)
    }
}

fn grammar() -> HashMap<String, Form> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/grammar.md");
    let text = std::fs::read_to_string(path).expect("the specification is there");
    let blocks = text.split("```ebnf").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    Reader { symbols: symbols(&blocks.collect::<String>()), at: 0 }.rules()
}

/// What stands for a class of tokens.
fn samples(class: &str) -> Option<&'static [&'static str]> {
    Some(match class {
        "name" => &["a", "b", "xs", "_c"],
        "Name" => &["A", "Foo", "Bar"],
        "any" => &["a", "Foo"],
        "int" => &["0", "42", "0xFF"],
        "float" => &["1.5", "2e-3"],
        "char" => &["'x'", r"'\n'"],
        "string" => &["\"\"", "\"text\"", "\"\"\"long\"\"\""],
        "raw" => &["r\"a+\""],
        "sep" => &[";"],
        _ => return None,
    })
}

/// How deep the shallowest derivation of each rule is.
fn depths(rules: &HashMap<String, Form>) -> HashMap<&str, u32> {
    let mut depths = HashMap::new();
    loop {
        let before = depths.len();
        let mut changed = false;
        for (name, form) in rules {
            if let Some(depth) = depth(form, &depths)
                && depths.get(name.as_str()).is_none_or(|&old| depth + 1 < old)
            {
                depths.insert(name.as_str(), depth + 1);
                changed = true;
            }
        }
        if !changed && before == depths.len() {
            return depths;
        }
    }
}

fn depth(form: &Form, known: &HashMap<&str, u32>) -> Option<u32> {
    match form {
        Form::Choice(forms) => forms.iter().filter_map(|form| depth(form, known)).min(),
        Form::Sequence(forms) => forms.iter().try_fold(0, |most, form| Some(most.max(depth(form, known)?))),
        Form::Token(_) | Form::Optional(_) | Form::List(_) | Form::Many { at_least_one: false, .. } => Some(0),
        Form::Many { element, .. } => depth(element, known),
        Form::Rule(name) if samples(name).is_some() => Some(0),
        Form::Rule(name) => known.get(name.as_str()).copied(),
    }
}

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

struct Derivation<'a> {
    rules: &'a HashMap<String, Form>,
    depths: &'a HashMap<&'a str, u32>,
    random: Random,
    text: String,
}

impl Derivation<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit)
    }

    /// Once `fuel` is used up, or the program long enough, the derivation ends as soon as it can.
    fn derive(&mut self, form: &Form, fuel: u32) {
        let fuel = if self.text.len() > 400 { 0 } else { fuel };
        match form {
            Form::Choice(forms) if fuel == 0 => {
                let shallowest = forms.iter().min_by_key(|form| depth(form, self.depths).unwrap_or(u32::MAX));
                self.derive(shallowest.expect("a choice has alternatives"), fuel);
            }
            Form::Choice(forms) => {
                let at = self.below(forms.len());
                self.derive(&forms[at], fuel);
            }
            Form::Sequence(forms) => forms.iter().for_each(|form| self.derive(form, fuel)),
            Form::Token(text) => self.emit(text),
            Form::Rule(name) => match samples(name) {
                Some(samples) => {
                    let at = self.below(samples.len());
                    self.emit(samples[at]);
                }
                // In a head, some expressions stand in brackets.
                None if name == "head" => {
                    self.emit("(");
                    self.derive(&self.rules["expression"], fuel.saturating_sub(1));
                    self.emit(")");
                }
                // An expression that begins with a bracket would be taken for Json.
                None if name == "jsonValue" => {
                    let Form::Choice(forms) = &self.rules[name] else { panic!("Json is a choice") };
                    let (begin, at) = (self.text.len(), if fuel == 0 { 0 } else { self.below(forms.len()) });
                    self.derive(&forms[at], fuel.saturating_sub(1));
                    if at + 1 == forms.len() && self.text[begin..].starts_with(['{', '[']) {
                        self.text.insert_str(begin, "( ");
                        self.emit(")");
                    }
                }
                None => self.derive(&self.rules[name], fuel.saturating_sub(1)),
            },
            Form::Optional(inner) => {
                if fuel > 0 && self.below(3) == 0 {
                    self.derive(inner, fuel);
                }
            }
            Form::Many { element, at_least_one } => {
                // Seldom, as each operator of the language is such a rule.
                let more = if fuel > 0 { self.below(6) / 4 } else { 0 };
                (0..more + usize::from(*at_least_one)).for_each(|_| self.derive(element, fuel));
            }
            Form::List(element) => {
                let count = if fuel > 0 { self.below(4) } else { 0 };
                for at in 0..count {
                    self.derive(element, fuel);
                    if at + 1 < count || self.below(4) == 0 {
                        self.emit(",");
                    }
                }
            }
        }
    }

    fn emit(&mut self, token: &str) {
        let _ = write!(self.text, "{token} ");
    }
}

#[test]
fn rules_are_complete() {
    let rules = grammar();
    let depths = depths(&rules);
    fn uses(form: &Form, found: &mut Vec<String>) {
        match form {
            Form::Choice(forms) | Form::Sequence(forms) => forms.iter().for_each(|form| uses(form, found)),
            Form::Optional(inner) | Form::List(inner) | Form::Many { element: inner, .. } => uses(inner, found),
            Form::Rule(name) => found.push(name.clone()),
            Form::Token(_) => {}
        }
    }
    let mut used = vec!["file".to_owned()];
    rules.values().for_each(|form| uses(form, &mut used));
    for name in &used {
        assert!(rules.contains_key(name) || samples(name).is_some(), "`{name}` has no rule");
    }
    for name in rules.keys() {
        assert!(used.contains(name), "nothing uses the rule `{name}`");
        assert!(depths.contains_key(name.as_str()), "`{name}` derives nothing");
    }
}

/// The program of a seed.
fn program(rules: &HashMap<String, Form>, depths: &HashMap<&str, u32>, seed: u64) -> String {
    let mut derivation = Derivation { rules, depths, random: Random(seed), text: String::new() };
    derivation.derive(&rules["file"], 10 + (seed % 30) as u32);
    derivation.text
}

/// Of all programs that something is wrong with, the report on the shortest.
fn report_shortest(seeds: u64, wrong: impl Fn(&str) -> Option<String>) {
    let rules = grammar();
    let depths = depths(&rules);
    let mut shortest: Option<(usize, String)> = None;
    for seed in 0..seeds {
        let text = program(&rules, &depths, seed);
        if shortest.as_ref().is_none_or(|(length, _)| text.len() < *length)
            && let Some(report) = wrong(&text)
        {
            shortest = Some((text.len(), format!("seed {seed}: {report}")));
        }
    }
    if let Some((_, report)) = shortest {
        panic!("{report}");
    }
}

#[test]
fn the_parser_takes_what_the_grammar_allows() {
    report_shortest(50_000, |text| {
        let parsed = reml_syntax::parse(text, 0, &mut Names::new());
        let error = parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error())?;
        let (before, behind) = text.split_at((error.primary.start as usize).min(text.len()));
        Some(format!("{} {}\n{before}<HERE>{behind}", error.code, error.message))
    });
}

/// What is wrong with what the formatter makes of a program, if it has one to format.
fn unsettled(text: &str) -> Option<String> {
    let once = match format(text, 0) {
        Ok(once) => once,
        Err(FormatError::Syntax(_)) => return None,
        Err(FormatError::Unstable { why, formatted }) => return Some(format!("{why}\n{text}\n{formatted}")),
    };
    match format(&once, 0) {
        Ok(twice) if twice == once => None,
        Ok(twice) => Some(format!("formatting twice changes it\n{text}\n{once}\n{twice}")),
        Err(_) => Some(format!("the result cannot be formatted\n{text}\n{once}")),
    }
}

#[test]
fn the_formatter_settles() {
    report_shortest(10_000, unsettled);
}
