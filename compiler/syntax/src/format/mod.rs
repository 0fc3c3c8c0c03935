//! `remlc fmt`: the one layout of Reml source.
//!
//! In: text. Out: the same tokens and comments with other white space between them; the tree that the parser makes of
//! it stays the same, which is checked before it is handed out. The syntax tree says what a token is part of, and the
//! tokens say how it is written, since the tree has one form for several spellings. A [`doc::Doc`] is built from both,
//! and [`render`] decides which of its lines break.
//!
//! Line breaks that carry a decision of the author are kept: a block, a list or a body that starts in a new line goes on
//! doing so, and one empty line between things stays. All others are decided by the width. Line breaks have a meaning
//! (section 1.1), so lines break only where the language lets them: behind an operator that cannot end a statement,
//! before one that cannot begin one, inside of brackets, and where a body may be indented.

mod arms;
mod blocks;
mod chains;
mod cursor;
mod doc;
mod exprs;
mod flat;
mod items;
mod list;
mod render;
mod types;

use reml_diagnostics::Diagnostic;

use crate::ast_print;
use crate::layout;
use crate::lex;
use crate::names::Names;
use crate::parse::parse;
use cursor::Cursor;

/// Why a text was not formatted.
pub enum FormatError {
    /// It does not parse. Positions are relative to the `base` that was given.
    Syntax(Vec<Diagnostic>),
    /// The formatter would have changed the meaning of the text; a mistake of the formatter, not of the text.
    Unstable { why: &'static str, formatted: String },
}

struct Formatter<'a> {
    cursor: Cursor<'a>,
}

/// How often a text is formatted until its layout stays as it is.
const ROUNDS: usize = 6;

/// Formats a file whose first byte stands at `base` of the source space.
///
/// The result is a layout that formatting does not change. Most texts have it at once. A comment in an unlikely place can make
/// a line break that moves other things when the text is formatted next, so the result is formatted until it settles.
pub fn format(text: &str, base: u32) -> Result<String, FormatError> {
    let mut settled = format_once(text, base)?;
    for _ in 1..ROUNDS {
        let again = format_once(&settled, base)?;
        if again == settled {
            break;
        }
        settled = again;
    }
    Ok(settled)
}

fn format_once(text: &str, base: u32) -> Result<String, FormatError> {
    let mut names = Names::new();
    let parsed = parse(text, 0, &mut names);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        let at_base = parse(text, base, &mut Names::new());
        return Err(FormatError::Syntax(at_base.diagnostics));
    }
    let mut lexed = lex::lex(text, 0, &mut names);
    layout::mark(&mut lexed.tokens);
    let mut formatter = Formatter { cursor: Cursor::new(text, &lexed.tokens, &parsed.angles) };
    let doc = formatter.module(&parsed.module);
    let formatted = render::render(&doc);
    let unstable = |why| Err(FormatError::Unstable { why, formatted: formatted.clone() });
    let again = parse(&formatted, 0, &mut names);
    if again.diagnostics.iter().any(Diagnostic::is_error) {
        return unstable("the result does not parse");
    }
    if ast_print::flat(&parsed.module, &names) != ast_print::flat(&again.module, &names) {
        return unstable("the result means something else");
    }
    let lexed_again = lex::lex(&formatted, 0, &mut names);
    if !cursor::comments(text, &lexed.tokens).eq(&cursor::comments(&formatted, &lexed_again.tokens)) {
        return unstable("the result has other comments");
    }
    Ok(formatted)
}

#[cfg(test)]
mod tests;
