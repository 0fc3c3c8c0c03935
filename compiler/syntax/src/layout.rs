//! What line breaks mean, seen from the tokens alone (section 1.1 of the language): which lines go on with the line
//! before, and whether the brackets of the file pair up.
//!
//! The other half depends on the construct a token stands in (an indented body, the arms of a `match`, the inside of
//! parentheses). It is decided where the construct is parsed: see `parse::cursor`, which turns the marks made here into
//! virtual `Newline` and `Dedent` tokens.

use crate::token::{BREAK, JOINED, Kind, LINE_START, Token};

/// Marks every token whose line starts a new statement, and tells whether all brackets pair up.
pub fn mark(tokens: &mut [Token]) -> bool {
    let mut open: Vec<Kind> = Vec::new();
    let mut balanced = true;
    for at in 0..tokens.len() {
        let token = tokens[at];
        if token.has(LINE_START) && at > 0 {
            let next = tokens.get(at + 1);
            if !goes_on_before(&token, next) && !goes_on_after(&tokens[..at], &token) {
                tokens[at].flags |= BREAK;
            }
        }
        if token.kind.opens() {
            open.push(token.kind.closer());
        } else if token.kind.closes() && balanced {
            balanced = open.pop() == Some(token.kind);
        }
    }
    balanced && open.is_empty()
}

/// A line that starts with this goes on with the line before: it cannot start a statement.
pub fn goes_on_before(token: &Token, next: Option<&Token>) -> bool {
    use Kind::*;
    match token.kind {
        RParen | RBracket | RBrace | Dot | PipeGt | AndAnd | OrOr | EqEq | Ne | Lt | Le | Gt | Ge | Plus | PlusPlus
        | Slash | Percent | Caret | Shl | Then | Else | With | Where | Eq | ColonEq | Arrow | FatArrow | Comma
        | Question | As | In | Colon | TildeGt | PlusEq | MinusEq | StarEq | SlashEq | Semi => true,
        // `!{io}` at the start of a line.
        Bang => next.is_some_and(|next| next.kind == LBrace && next.has(JOINED)),
        _ => false,
    }
}

/// Whether the line that ends with these tokens goes on in the next one, because something must follow.
fn goes_on_after(tokens: &[Token], next: &Token) -> bool {
    use Kind::*;
    let [before @ .., token] = tokens else { return false };
    // The name of a member, whatever else its word would mean.
    if token.kind.is_keyword() && before.last().is_some_and(|token| matches!(token.kind, Dot | ColonColon)) {
        return false;
    }
    match token.kind {
        LParen | LBracket | LBrace | Comma | Dot | Eq | ColonEq | Arrow | FatArrow | PipeGt | TildeGt | Plus
        | PlusPlus | Minus | Star | Slash | Percent | Caret | Shl | EqEq | Ne | Lt | Le | Ge | AndAnd | OrOr | Amp
        | Bang | Colon | ColonColon | With | Then | Else | Do | In | As | If | While | Match | For | Perform | Let
        | Var | Pub | Where | PlusEq | MinusEq | StarEq | SlashEq => true,
        // `let h = handle` is a name.
        Handle => next.kind == LBrace,
        // `a >` goes on, `List<Int>` does not.
        Gt => !token.has(JOINED),
        _ => false,
    }
}
