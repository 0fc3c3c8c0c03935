//! From tokens to declarations. In: a [`Source`]. Out: a [`Unit`] of what is declared, and what was not understood.
//!
//! The parser reads declarations only: bodies of functions and initialisers that are no constants are passed over. After a mistake it
//! goes on with the next declaration, so that one mistake hides no other.

mod attributes;
mod constant;
mod declarator;
mod records;
mod specifiers;

use super::expr::Value;
use super::model::*;
use super::target::Target;
use super::token::{Kind, Source, Token};
use attributes::Attributes;
use specifiers::{Specifiers, Storage};

/// What is wrong with a header, and where.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    pub start: u32,
    pub end: u32,
    pub message: String,
    pub help: Option<String>,
    /// Another place that has to do with it, and why.
    pub related: Option<(u32, String)>,
    /// The symbol that is declared there.
    pub symbol: Option<String>,
}

type R<T> = Result<T, Box<Problem>>;

/// How deeply brackets and declarators may be nested.
const DEEPEST: u32 = 400;

/// A header that is wrong everywhere is not searched for what each mistake might have meant.
const MOST_SUGGESTIONS: u32 = 50;

pub struct Parser<'a> {
    source: &'a Source,
    /// The next token.
    at: usize,
    /// What has been read so far.
    pub unit: &'a mut Unit,
    depth: u32,
    /// How often a name that is near may still be looked for.
    suggestions: u32,
}

/// Everything that a source declares.
pub fn parse(source: &Source) -> (Unit, Vec<Problem>) {
    let mut unit = Unit::new(Target::of_macros(&source.macros));
    let mut problems = Vec::new();
    let mut parser = Parser { source, at: 0, unit: &mut unit, depth: 0, suggestions: MOST_SUGGESTIONS };
    while parser.kind() != Kind::End {
        let start = parser.at;
        if let Err(problem) = parser.external_declaration() {
            problems.push(*problem);
            parser.depth = 0;
            parser.recover(start);
            parser.poison(start);
        }
    }
    (unit, problems)
}

/// The value of an expression that is all of a source, such as what a macro stands for.
pub fn evaluate(source: &Source, unit: &mut Unit) -> Option<Value> {
    let mut parser = Parser { source, at: 0, unit, depth: 0, suggestions: 0 };
    let value = parser.constant().ok().flatten();
    value.filter(|_| parser.kind() == Kind::End)
}

impl Parser<'_> {
    fn token(&self) -> Token {
        self.source.tokens[self.at]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn text(&self) -> &str {
        self.source.slice(self.token())
    }

    /// The token after the next `n` ones.
    fn ahead(&self, n: usize) -> &str {
        let index = (self.at + n).min(self.source.tokens.len() - 1);
        self.source.slice(self.source.tokens[index])
    }

    fn is(&self, text: &str) -> bool {
        self.text() == text && !matches!(self.kind(), Kind::Text | Kind::Char | Kind::End)
    }

    fn bump(&mut self) {
        // The last token stays.
        self.at = (self.at + 1).min(self.source.tokens.len() - 1);
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.bump();
        }
        found
    }

    fn expect(&mut self, text: &str) -> R<()> {
        if self.eat(text) { Ok(()) } else { Err(self.wanting(&format!("`{text}`"))) }
    }

    /// A name that is no keyword.
    fn name(&mut self) -> Option<String> {
        if self.kind() != Kind::Word || specifiers::is_keyword(self.text()) {
            return None;
        }
        let name = self.text().to_owned();
        self.bump();
        Some(name)
    }

    fn problem(&self, message: impl Into<String>) -> Box<Problem> {
        self.problem_at(self.at, message)
    }

    fn problem_at(&self, token: usize, message: impl Into<String>) -> Box<Problem> {
        let Token { start, end, .. } = self.source.tokens[token];
        Box::new(Problem { start, end, message: message.into(), help: None, related: None, symbol: None })
    }

    /// What is missing is missed at the end of a line, where the next token is in another.
    fn wanting(&self, what: &str) -> Box<Problem> {
        let found = match self.kind() {
            Kind::End => "the end".to_owned(),
            _ => format!("`{}`", shortened(self.text())),
        };
        if let Some(before) = self.at.checked_sub(1) {
            let last = self.source.tokens[before];
            let between = &self.source.text[last.end as usize..self.token().start as usize];
            if between.contains('\n') {
                let behind = shortened(self.source.slice(last));
                return self.problem_at(before, format!("expected {what} behind `{behind}`, found {found}"));
            }
        }
        self.problem(format!("expected {what}, found {found}"))
    }

    /// Runs a part that may contain itself.
    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.depth >= DEEPEST {
            return Err(self.problem(format!("this is nested more than {DEEPEST} levels deep")));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// Passes over a bracket and all up to the one that closes it; the opening one comes next.
    fn skip_brackets(&mut self) -> R<()> {
        match self.source.closing(self.at) {
            Some(closing) => {
                self.at = closing;
                self.bump();
                Ok(())
            }
            None => Err(self.problem(format!("`{}` is never closed", self.text()))),
        }
    }

    /// Passes over all up to one of these tokens, outside of brackets.
    fn skip_to(&mut self, ends: &[&str]) -> R<()> {
        loop {
            if self.kind() == Kind::End || ends.iter().any(|end| self.is(end)) {
                return Ok(());
            }
            match self.text() {
                "(" | "[" | "{" if self.kind() == Kind::Mark => self.skip_brackets()?,
                ")" | "]" | "}" if self.kind() == Kind::Mark => return Ok(()),
                _ => self.bump(),
            }
        }
    }

    /// Goes to the next declaration: behind the `;` or the closing brace that ends the one that began at `start`.
    fn recover(&mut self, start: usize) {
        let reached = self.at;
        self.at = start;
        loop {
            match self.text() {
                _ if self.kind() == Kind::End => return,
                ";" => {
                    self.bump();
                    if self.at > reached {
                        return;
                    }
                }
                "(" | "[" | "{" if self.kind() == Kind::Mark => {
                    let brace = self.is("{");
                    if self.skip_brackets().is_err() {
                        // Never closed: the next line that starts like a declaration is as good a place as any.
                        self.bump();
                        continue;
                    }
                    let ends =
                        brace && self.at > reached && !self.is(";") && !self.is(",") && self.kind() != Kind::Word;
                    if ends {
                        return;
                    }
                }
                _ => self.bump(),
            }
        }
    }

    /// A type whose declaration is wrong still is one, so that its uses are not wrong as well.
    fn poison(&mut self, start: usize) {
        let tokens = &self.source.tokens[start..self.at];
        let [first, .., name, _] = tokens else { return };
        if self.source.slice(*first) != "typedef" || name.kind != Kind::Word {
            return;
        }
        let (name, offset) = (self.source.slice(*name).to_owned(), name.start);
        let ty = Qualified { ty: Unit::UNKNOWN, quals: Quals::NONE };
        let id = TypedefId(self.unit.typedefs.len() as u32);
        self.unit.typedefs.push(Typedef { name: name.clone(), ty, aligned: None, offset, doc: None });
        self.unit.typedef_names.entry(name).or_insert(id);
    }

    fn external_declaration(&mut self) -> R<()> {
        if self.eat(";") || self.eat("__extension__") {
            return Ok(());
        }
        if matches!(self.text(), "asm" | "__asm__" | "__asm") {
            self.bump();
            self.eat("volatile");
            self.skip_brackets_if("(")?;
            self.eat(";");
            return Ok(());
        }
        if self.static_assertion()? {
            return Ok(());
        }
        // What C++ would see of a header is in `extern "C" { .. }`, which some write without asking for C++.
        if self.is("extern") && self.ahead(1).starts_with('"') {
            self.bump();
            self.bump();
            if self.eat("{") {
                return Ok(());
            }
        }
        if self.eat("}") {
            return Ok(());
        }
        let doc = self.doc();
        let start = self.at;
        let specifiers = self.specifiers()?;
        if self.eat(";") {
            return Ok(());
        }
        let mut first = true;
        loop {
            let name_at = self.at;
            let declared = self.declarator(specifiers.ty)?;
            let Some(name) = declared.name.clone() else {
                return Err(self.wanting("a name"));
            };
            let name_at = declared.name_at.unwrap_or(name_at);
            let mut attributes = specifiers.attributes.clone();
            attributes.merge(declared.attributes.clone());
            let label = self.label(&mut attributes)?;
            let is_function = matches!(self.unit.ty(self.unit.resolve(declared.ty.ty)), Type::Function(_));
            let has_body = first && is_function && (self.is("{") || self.at_old_parameters());
            let offset = self.source.tokens[name_at].start;
            let doc = doc.clone();
            match specifiers.storage {
                Some(Storage::Typedef) => {
                    let ty = self.with_mode(declared.ty, &attributes);
                    self.declare_typedef(name, ty, attributes.aligned, offset, doc, name_at)?;
                }
                _ => {
                    let value = if self.eat("=") { self.initial_value(&specifiers, declared.ty)? } else { None };
                    let kind = if is_function {
                        let hidden = specifiers.storage == Some(Storage::Static);
                        let inline = has_body && specifiers.inline && specifiers.storage != Some(Storage::Extern);
                        SymbolKind::Function { only_here: hidden || inline }
                    } else {
                        SymbolKind::Variable { value }
                    };
                    let symbol = Symbol { name, ty: declared.ty, kind, offset, doc, marks: attributes.marks, label };
                    self.declare(symbol, name_at)?;
                }
            }
            if has_body {
                while !self.is("{") && self.kind() != Kind::End {
                    self.bump();
                }
                return self.skip_brackets();
            }
            if self.eat(";") {
                self.doc_behind(start);
                return Ok(());
            }
            if !self.eat(",") {
                return Err(self.wanting("`;`"));
            }
            first = false;
        }
    }

    /// Declarations of parameters between a function of old style and its body.
    fn at_old_parameters(&self) -> bool {
        let mut index = self.at;
        while let Some(token) = self.source.tokens.get(index) {
            match self.source.slice(*token) {
                "{" => return index > self.at && self.source.slice(self.source.tokens[index - 1]) == ";",
                "(" | ")" | "=" | "}" => return false,
                ";" if index == self.at => return false,
                _ if token.kind == Kind::End => return false,
                _ => index += 1,
            }
        }
        false
    }

    fn skip_brackets_if(&mut self, opening: &str) -> R<()> {
        if self.is(opening) { self.skip_brackets() } else { Ok(()) }
    }

    fn static_assertion(&mut self) -> R<bool> {
        if !matches!(self.text(), "_Static_assert" | "static_assert") || self.ahead(1) != "(" {
            return Ok(false);
        }
        self.bump();
        self.skip_brackets()?;
        self.eat(";");
        Ok(true)
    }

    /// The documentation in front of the next token.
    fn doc(&self) -> Option<String> {
        self.source.docs.get(&(self.at as u32)).cloned()
    }

    /// Gives documentation behind a `;` to the symbol that it is about, if that has none.
    fn doc_behind(&mut self, start: usize) {
        let Some(doc) = self.source.docs_behind.get(&(self.at as u32 - 1)) else { return };
        if let Some(symbol) = self.unit.symbols.last_mut()
            && symbol.doc.is_none()
            && symbol.offset >= self.source.tokens[start].start
        {
            symbol.doc = Some(doc.clone());
        }
    }

    /// What a constant variable begins with; the `=` has been read.
    fn initial_value(&mut self, specifiers: &Specifiers, ty: Qualified) -> R<Option<Value>> {
        let start = self.at;
        let fixed =
            ty.quals.contains(Qual::Const) && specifiers.storage == Some(Storage::Static) || specifiers.constant;
        let value = if fixed { self.constant().ok().flatten() } else { None };
        let value = value.filter(|_| self.is(",") || self.is(";"));
        self.at = start;
        self.skip_to(&[",", ";"])?;
        Ok(value.and_then(|value| self.converted(value, ty.ty)))
    }

    fn declare_typedef(
        &mut self,
        name: String,
        ty: Qualified,
        aligned: Option<u64>,
        offset: u32,
        doc: Option<String>,
        token: usize,
    ) -> R<()> {
        if let Some(&known) = self.unit.typedef_names.get(&name) {
            let before = self.unit.typedef(known);
            if self.unit.same(before.ty.ty, ty.ty) {
                return Ok(());
            }
            return Err(self.conflict(&name, token, before.offset));
        }
        let id = TypedefId(self.unit.typedefs.len() as u32);
        self.unit.typedefs.push(Typedef { name: name.clone(), ty, aligned, offset, doc });
        self.unit.typedef_names.insert(name, id);
        self.unit.typedef_of.entry(ty.ty).or_insert(id);
        Ok(())
    }

    fn declare(&mut self, symbol: Symbol, token: usize) -> R<()> {
        let Some(&known) = self.unit.symbol_names.get(&symbol.name) else {
            self.unit.symbol_names.insert(symbol.name.clone(), self.unit.symbols.len());
            self.unit.symbols.push(symbol);
            return Ok(());
        };
        let before = &self.unit.symbols[known];
        if !self.unit.same(before.ty.ty, symbol.ty.ty) {
            return Err(self.conflict(&symbol.name, token, before.offset));
        }
        let named = |symbol: &Symbol| match self.unit.ty(symbol.ty.ty) {
            Type::Function(function) => function.params.iter().filter(|param| param.name.is_some()).count(),
            _ => 0,
        };
        // The better description of the parameters wins.
        let better = (named(&symbol) > named(before)).then_some(symbol.ty);
        let before = &mut self.unit.symbols[known];
        if let Some(ty) = better {
            before.ty = ty;
        }
        before.doc = before.doc.take().or(symbol.doc);
        before.label = before.label.take().or(symbol.label);
        before.marks.returns_twice |= symbol.marks.returns_twice;
        before.marks.deprecated |= symbol.marks.deprecated;
        before.marks.convention = before.marks.convention.or(symbol.marks.convention);
        match (&mut before.kind, symbol.kind) {
            // A declaration that is not inline makes a definition that others can call.
            (SymbolKind::Function { only_here }, SymbolKind::Function { only_here: again }) => *only_here &= again,
            (SymbolKind::Variable { value }, SymbolKind::Variable { value: again }) => *value = value.take().or(again),
            _ => {}
        }
        Ok(())
    }

    fn conflict(&self, name: &str, token: usize, before: u32) -> Box<Problem> {
        let mut problem = self.problem_at(token, format!("`{name}` has been declared with another type before"));
        problem.related = Some((before, "here".to_owned()));
        problem.symbol = Some(name.to_owned());
        problem
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
