//! What was required of types while a program was checked, and what answered it: plain data beside the typed tree.
//!
//! It is collected only for those who ask for it (`CheckOptions::constraints`), of the program's own definitions. Types are written as messages show
//! them, because the types of inference are gone when a body is done.

use reml_diagnostics::Span;

/// A definition and the constraints of its body, in the order in which they came up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constrained {
    /// `app.shapes.largest`, or `impl Ord for Card`, whose supertraits must hold.
    pub name: String,
    pub span: Span,
    pub constraints: Vec<Constraint>,
}

/// A type that must have a trait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constraint {
    pub bound: Bound,
    /// The expression that needs it.
    pub span: Span,
    /// The function whose signature asks for it; otherwise the language does, for an operator, a literal, a loop or a placeholder of `format`.
    pub callee: Option<String>,
    /// The constraint of the same body whose answer asks for this one.
    pub premise_of: Option<usize>,
    pub answer: Answer,
}

/// `List<T>: Ord`; `Int: Add<Int>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Bound {
    pub subject: String,
    pub trait_: String,
    /// The arguments of the trait behind the subject.
    pub args: Vec<String>,
}

/// What became of a constraint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Impl(ImplRef),
    /// A bound of the signature, or what follows from one, with the place of the bound.
    Assumed(Bound, Span),
    /// The constraint was made a bound of the signature, which nobody has written.
    Inferred,
    /// The trait holds for all data, and the parts of this are data.
    Structural,
    /// `Never` has no values, so whatever is said of them holds.
    Uninhabited,
    /// No impl fits.
    Missing,
    /// Several impls fit.
    Ambiguous,
    /// Nothing tells the type.
    Untold,
    /// The impls ask for each other without end.
    Endless,
    /// Another mistake has kept it from being decided.
    Undecided,
}

/// `impl<T: Ord> Ord for List<T>`, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImplRef {
    pub header: String,
    pub span: Span,
    /// Of the standard library.
    pub library: bool,
}

impl Bound {
    /// The subject, then what it must be.
    pub fn text(&self) -> String {
        match &self.args[..] {
            [] => format!("{}: {}", self.subject, self.trait_),
            args => format!("{}: {}<{}>", self.subject, self.trait_, args.join(", ")),
        }
    }
}
