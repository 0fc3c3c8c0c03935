//! From source text to syntax tree: tokens, layout, parser. In: text. Out: an [`ast::Module`] and diagnostics.
pub mod ast;
pub mod names;
