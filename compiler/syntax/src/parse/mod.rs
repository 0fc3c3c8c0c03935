//! From tokens to the syntax tree, with chumsky. [`cursor`] says how the rules work together; `item`, `stmt`, `expr`,
//! `pattern` and `ty` hold the grammar of section 3; `recover` says where parsing goes on after a mistake.

mod control;
mod cursor;
mod effects;
mod error;
mod expr;
mod item;
mod pattern;
mod primary;
mod recover;
mod stmt;
mod ty;
mod value;

use chumsky::Parser;
use chumsky::primitive::custom;
use reml_diagnostics::{Diagnostic, Span};

use crate::ast::{Expr, ExprKind, Module};
use crate::layout;
use crate::lex::{self, Lexed};
use crate::names::Names;
use crate::token::Kind;
use cursor::{Extra, In, Layout, R, State};

/// A parsed file. The tree is complete even for broken source; see [`crate::ast`].
pub struct Parsed {
    pub module: Module,
    pub diagnostics: Vec<Diagnostic>,
    /// Indices of the tokens `<` and `>` that are brackets, in pairs; elsewhere they compare.
    pub(crate) angles: Vec<(u32, u32)>,
}

/// A parsed expression.
pub struct ParsedExpression {
    pub expr: Expr,
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file whose first byte stands at `base` of the source space.
pub fn parse(text: &str, base: u32, names: &mut Names) -> Parsed {
    let lexed = lex::lex(text, base, names);
    let module_docs = (!lexed.module_docs.is_empty()).then(|| cursor::join_docs(text, lexed.module_docs.iter()));
    let Output { parsed, diagnostics, angles } = run(text, base, names, lexed, item::module);
    let span = Span::new(base, base + text.len() as u32);
    let empty = || Module { header: None, docs: None, items: Vec::new(), has_cfg: false, has_local_items: false, span };
    let module = Module { docs: module_docs, ..parsed.unwrap_or_else(empty) };
    Parsed { module, diagnostics, angles }
}

/// Parses one expression that takes up all of `text`: a `{placeholder}` of a format string.
pub fn parse_expression(text: &str, base: u32, names: &mut Names) -> ParsedExpression {
    let lexed = lex::lex(text, base, names);
    let Output { parsed, diagnostics, .. } = run(text, base, names, lexed, |p| {
        let state = p.state();
        state.layout = Layout { newlines: false, ..state.layout };
        let result = expr::expr(p).and_then(|expr| cursor::expect(p, Kind::Eof).map(|_| expr));
        if let Err(failure) = result {
            error::report(p, failure);
        }
        result
    });
    let span = Span::new(base, base + text.len() as u32);
    let expr = parsed.unwrap_or(Expr { kind: Box::new(ExprKind::Error), span });
    ParsedExpression { expr, diagnostics }
}

/// What the rules made of a text.
struct Output<T> {
    parsed: Option<T>,
    diagnostics: Vec<Diagnostic>,
    angles: Vec<(u32, u32)>,
}

fn run<T>(text: &str, base: u32, names: &mut Names, mut lexed: Lexed, rule: impl Fn(&mut In) -> R<T>) -> Output<T> {
    let balanced = layout::mark(&mut lexed.tokens);
    let mut diagnostics = lexed.diagnostics;
    let mut state = State::new(text, base, &lexed.tokens, &lexed.docs, names, balanced);
    let grammar = custom::<_, &[crate::token::Token], T, Extra>(rule);
    let result = grammar.lazy().parse_with_state(&lexed.tokens, &mut state);
    let parsed = result.into_output();
    diagnostics.append(&mut state.diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary);
    Output { parsed, diagnostics, angles: state.angles }
}

#[cfg(test)]
mod tests;
