//! Diagnostics as data: where something is (spans and the source map), what is wrong (one `Diagnostic` type, with a
//! registry of stable codes), and how it is shown (renderers behind one trait).
mod span;
pub use span::Span;
