//! From source text to syntax tree: tokens, layout, parser. In: text. Out: an [`ast::Module`] and diagnostics.
pub mod ast;
pub mod ast_print;
pub mod ast_walk;
mod layout;
mod lex;
mod literal;
pub mod names;
mod parse;
pub mod token;
pub mod tokens;
mod unicode;

pub use parse::{Parsed, ParsedExpression, parse, parse_expression};
