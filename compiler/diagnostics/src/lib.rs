//! Diagnostics as data: where something is (spans and the source map), what is wrong (one `Diagnostic` type, with a
//! registry of stable codes), and how it is shown (renderers behind one trait).

pub mod codes;
mod diagnostic;
mod excerpt;
pub mod registry;
pub mod render;
mod source_map;
mod span;
pub mod suggest;

pub use codes::Code;
pub use diagnostic::{Alternative, Diagnostic, Expectation, Fix, Label, Severity, StageMismatch};
pub use source_map::{FileId, LineColumn, SourceFile, SourceMap, SourceSpaceFull};
pub use span::Span;
