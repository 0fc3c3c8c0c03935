//! `--emit tokens`: the tokens of a file as text, one per line.

use std::fmt::Write;

use crate::layout;
use crate::lex;
use crate::names::Names;
use crate::token::BREAK;

/// Lists the tokens of `text`. A leading `>` marks a line that starts a new statement where newlines count.
pub fn dump(text: &str) -> String {
    let mut lexed = lex::lex(text, 0, &mut Names::new());
    layout::mark(&mut lexed.tokens);
    let mut out = String::new();
    for token in &lexed.tokens {
        let mark = if token.has(BREAK) { '>' } else { ' ' };
        let slice = &text[token.start as usize..token.end as usize];
        let kind = format!("{:?}", token.kind);
        // A string buffer does not fail.
        let _ = writeln!(out, "{mark} {:>5}..{:<5} {kind:<12} {}", token.start, token.end, slice.escape_debug());
    }
    out
}

/// Lexes and marks line breaks; how many tokens there are. For measuring.
pub fn count(text: &str, names: &mut Names) -> usize {
    let mut lexed = lex::lex(text, 0, names);
    layout::mark(&mut lexed.tokens);
    lexed.tokens.len()
}
