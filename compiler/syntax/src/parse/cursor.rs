//! How rules look at the tokens: lookahead, expectations, nesting, and what a line break means where the rule stands.
//!
//! Every rule of the grammar is a function over chumsky's input, `fn rule(p: &mut In) -> R<T>`, which is what
//! [`chumsky::primitive::custom`] wraps: a rule is chosen by its first token instead of by trying alternatives, so
//! parsing is linear and nothing is built at start-up. No rule backtracks; should one have to, chumsky's checkpoints do
//! it, and [`State`] is the inspector that rolls back with them.
//!
//! Layout: a rule that opens an indented body, arms or brackets runs its parts under a [`Layout`]; [`peek`] then shows
//! virtual [`Kind::Newline`] and [`Kind::Dedent`] tokens. They have no width; a `Newline` is taken by
//! [`pass_line_break`], a `Dedent` disappears with the layout that it ends.

use chumsky::extra;
use chumsky::input::{Checkpoint, Cursor, InputRef};
use chumsky::inspector::Inspector;
use reml_diagnostics::{Diagnostic, Span, codes};

use super::error::{Cause, Failure, KindSet};
use crate::ast::Ident;
use crate::lex::Doc;
use crate::names::{Names, Symbol};
use crate::token::{BREAK, HAS_DOCS, Kind, LINE_START, Token};

pub type Extra<'s> = extra::Full<Failure, State<'s>, ()>;
pub type In<'s, 'p> = InputRef<'s, 'p, &'s [Token], Extra<'s>>;
pub type R<T> = Result<T, Failure>;

/// How deep expressions, patterns and types may nest in the source.
pub const NESTING_LIMIT: u32 = 4_000;
/// How deep a tree may become through long chains (`a + b + ..`, `x.f().g()..`, `else if ..`).
pub const HEIGHT_LIMIT: u32 = 10_000;

/// What a line break means where a rule stands.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// A newline ends statements (not so inside `( )` and `[ ]`).
    pub newlines: bool,
    /// A line that starts left of this column ends the block.
    pub column: u16,
    /// Where the current statement, arm or item starts; an indented body starts right of it.
    pub statement: u16,
    /// Inside brackets of an item.
    pub inside: bool,
}

/// The names of contextual keywords.
#[derive(Clone, Copy)]
pub struct Words {
    pub when: Symbol,
    pub mutable: Symbol,
    pub async_: Symbol,
    pub await_: Symbol,
    pub move_: Symbol,
    pub enum_: Symbol,
    pub struct_: Symbol,
    pub const_: Symbol,
    pub pattern: Symbol,
    pub cfg: Symbol,
    pub intrinsic: Symbol,
    pub inline_asm: Symbol,
    pub llvm_ir: Symbol,
    pub json: Symbol,
    pub inputs: Symbol,
    pub not: Symbol,
    pub rec: Symbol,
    pub end: Symbol,
}

impl Words {
    fn new(names: &mut Names) -> Words {
        Words {
            when: names.intern("when"),
            mutable: names.intern("mut"),
            async_: names.intern("async"),
            await_: names.intern("await"),
            move_: names.intern("move"),
            enum_: names.intern("enum"),
            struct_: names.intern("struct"),
            const_: names.intern("const"),
            pattern: names.intern("pattern"),
            cfg: names.intern("cfg"),
            intrinsic: names.intern("intrinsic"),
            inline_asm: names.intern("inline_asm"),
            llvm_ir: names.intern("llvm_ir"),
            json: names.intern("json"),
            inputs: names.intern("inputs"),
            not: names.intern("not"),
            rec: names.intern("rec"),
            end: names.intern("end"),
        }
    }
}

/// What the rules share.
pub struct State<'s> {
    pub text: &'s str,
    pub base: u32,
    pub tokens: &'s [Token],
    pub docs: &'s [Doc],
    pub names: &'s mut Names,
    pub words: Words,
    pub diagnostics: Vec<Diagnostic>,
    pub layout: Layout,
    /// Columns of the arms of the open matches of the current bracket, outermost first.
    pub arm_columns: Vec<u16>,
    /// What closes the open brackets, outermost first.
    pub closers: Vec<Kind>,
    /// `Path { .. }` is not a record here: the head of `if`, `while`, `match`, `for`.
    pub head: bool,
    /// A lambda's body ends at `|>` here.
    pub piped: bool,
    /// In a guard, `as name ->` belongs to the arm.
    pub guard: bool,
    /// In attribute arguments, where `not(..)` is a call.
    pub attribute: bool,
    /// Some attribute so far is `@cfg`.
    pub has_cfg: bool,
    /// Some block so far declares more than values and imports.
    pub has_local_items: bool,
    /// All brackets of the file pair up.
    pub balanced: bool,
    pub depth: u32,
    /// Height of the tree built by the innermost expression so far.
    pub height: u32,
    pub too_deep: bool,
    pub reported_at: Option<u32>,
    /// Indices of the tokens `<` and `>` that are brackets, in pairs.
    pub angles: Vec<(u32, u32)>,
    /// How many diagnostics there were when the current item of the file began.
    pub item_start: usize,
    /// The token whose line break has been taken as a separator.
    passed: usize,
    expected: KindSet,
    expected_at: usize,
}

impl<'s> State<'s> {
    pub fn new(
        text: &'s str,
        base: u32,
        tokens: &'s [Token],
        docs: &'s [Doc],
        names: &'s mut Names,
        balanced: bool,
    ) -> Self {
        let words = Words::new(names);
        State {
            text,
            base,
            tokens,
            docs,
            names,
            words,
            diagnostics: Vec::new(),
            layout: Layout { newlines: true, column: 0, statement: 0, inside: false },
            arm_columns: Vec::new(),
            closers: Vec::new(),
            head: false,
            piped: false,
            guard: false,
            attribute: false,
            has_cfg: false,
            has_local_items: false,
            balanced,
            depth: 0,
            height: 0,
            too_deep: false,
            reported_at: None,
            angles: Vec::new(),
            item_start: 0,
            passed: usize::MAX,
            expected: KindSet::EMPTY,
            expected_at: 0,
        }
    }

    /// Whether something in the current item of the file has been reported.
    pub fn item_is_broken(&self) -> bool {
        self.diagnostics.len() > self.item_start
    }

    pub fn span(&self, token: Token) -> Span {
        Span::new(self.base + token.start, self.base + token.end)
    }

    pub fn text_of(&self, token: Token) -> &'s str {
        &self.text[token.start as usize..token.end as usize]
    }
}

/// Rolls the diagnostics back when chumsky rewinds.
impl<'s> Inspector<'s, &'s [Token]> for State<'s> {
    type Checkpoint = usize;

    fn on_token(&mut self, _: &Token) {}

    fn on_save<'p>(&self, _: &Cursor<'s, 'p, &'s [Token]>) -> usize {
        self.diagnostics.len()
    }

    fn on_rewind<'p>(&mut self, marker: &Checkpoint<'s, 'p, &'s [Token], usize>) {
        self.diagnostics.truncate(*marker.inspector());
    }
}

/// The index of the next token.
#[inline]
pub fn index(p: &In) -> usize {
    *p.cursor().inner()
}

/// The next token as it is written.
#[inline]
pub fn token(p: &mut In) -> Token {
    let at = index(p);
    p.state().tokens[at]
}

/// The token `ahead` places behind the next one, as it is written.
#[inline]
pub fn token_at(p: &mut In, ahead: usize) -> Token {
    let at = index(p) + ahead;
    let tokens = p.state().tokens;
    tokens[at.min(tokens.len() - 1)]
}

/// The kind of the next token as the layout shows it.
#[inline]
pub fn peek(p: &mut In) -> Kind {
    let token = token(p);
    if token.flags & LINE_START == 0 { token.kind } else { peek_line_start(p, token) }
}

fn peek_line_start(p: &mut In, token: Token) -> Kind {
    let at = index(p);
    let state = p.state();
    if token.kind == Kind::Eof || state.passed == at {
        return token.kind;
    }
    // With a bracket missing somewhere, the next item of the file ends everything that is open.
    if !state.balanced && state.layout.inside && token.column == 0 && (token.kind.starts_item()) {
        return Kind::Dedent;
    }
    if !state.layout.newlines {
        return token.kind;
    }
    if token.column < state.layout.column {
        return Kind::Dedent;
    }
    if token.has(BREAK) { Kind::Newline } else { token.kind }
}

/// Consumes the next token.
#[inline]
pub fn bump(p: &mut In) -> Token {
    let token = token(p);
    if token.kind != Kind::Eof {
        p.skip();
    }
    token
}

/// Whether the next token is of this kind; if not, it is remembered as expected.
#[inline]
pub fn at(p: &mut In, kind: Kind) -> bool {
    if peek(p) == kind {
        return true;
    }
    want(p, kind);
    false
}

/// Remembers that this kind would have fitted here.
#[inline]
pub fn want(p: &mut In, kind: Kind) {
    let at = index(p);
    let state = p.state();
    if state.expected_at != at {
        state.expected_at = at;
        state.expected = KindSet::EMPTY;
    }
    state.expected.insert(kind);
}

#[inline]
pub fn eat(p: &mut In, kind: Kind) -> bool {
    if at(p, kind) {
        bump(p);
        return true;
    }
    false
}

#[inline]
pub fn expect(p: &mut In, kind: Kind) -> R<Token> {
    if at(p, kind) { Ok(bump(p)) } else { Err(fail(p)) }
}

/// The failure at the next token, with everything that was remembered as expected there.
#[cold]
pub fn fail(p: &mut In) -> Failure {
    let at = index(p);
    let state = p.state();
    let expected = if state.expected_at == at { state.expected } else { KindSet::EMPTY };
    Failure { at: at as u32, expected, opening: None, cause: Cause::Expected }
}

/// The failure at the next token when a `kind` had to come.
#[cold]
pub fn fail_wanting(p: &mut In, kind: Kind) -> Failure {
    want(p, kind);
    fail(p)
}

/// Whether the next token is this contextual keyword.
#[inline]
pub fn at_word(p: &mut In, word: Symbol) -> bool {
    peek(p) == Kind::Ident && token(p).symbol == word.0
}

pub fn is_word(token: Token, word: Symbol) -> bool {
    token.kind == Kind::Ident && token.symbol == word.0
}

/// The span from a token's start to the end of the last consumed token.
#[inline]
pub fn span_from(p: &mut In, start: Token) -> Span {
    let at = index(p);
    let state = p.state();
    let end = if at == 0 { start.end } else { state.tokens[at - 1].end.max(start.start) };
    Span::new(state.base + start.start, state.base + end.max(start.start))
}

/// The same from a span.
#[inline]
pub fn span_since(p: &mut In, start: Span) -> Span {
    let at = index(p);
    let state = p.state();
    let end = if at == 0 { start.end } else { state.base + state.tokens[at - 1].end };
    Span::new(start.start, end.max(start.start))
}

pub fn span_of(p: &mut In, token: Token) -> Span {
    p.state().span(token)
}

/// The identifier that a token is; keywords count by their spelling.
pub fn ident_of(p: &mut In, token: Token) -> Ident {
    let state = p.state();
    let span = state.span(token);
    if token.kind == Kind::Ident {
        return Ident { name: Symbol(token.symbol), span };
    }
    let text = state.text_of(token);
    Ident { name: state.names.intern(text), span }
}

/// A name; soft keywords are names too.
pub fn name(p: &mut In) -> R<Ident> {
    let kind = peek(p);
    if kind == Kind::Ident || kind.is_soft_keyword() {
        let token = bump(p);
        return Ok(ident_of(p, token));
    }
    Err(fail_wanting(p, Kind::Name))
}

/// A name where no keyword could mean anything else: after `.`, after `fn`, as a field.
pub fn any_name(p: &mut In) -> R<Ident> {
    let kind = peek(p);
    if kind == Kind::Ident || kind.is_keyword() {
        let token = bump(p);
        return Ok(ident_of(p, token));
    }
    Err(fail_wanting(p, Kind::Name))
}

/// Runs `rule` under another layout.
#[inline]
pub fn with_layout<T>(p: &mut In, layout: Layout, rule: impl FnOnce(&mut In) -> T) -> T {
    let outer = std::mem::replace(&mut p.state().layout, layout);
    let result = rule(p);
    p.state().layout = outer;
    result
}

/// Runs `rule` inside brackets: other matches' arms and the restrictions of a head do not reach inside.
pub fn inside<T>(p: &mut In, newlines: bool, closer: Kind, rule: impl FnOnce(&mut In) -> T) -> T {
    let state = p.state();
    let outer = state.layout;
    state.layout = Layout { newlines, column: 0, statement: outer.statement, inside: true };
    let arm_columns = std::mem::take(&mut state.arm_columns);
    let head = std::mem::replace(&mut state.head, false);
    let piped = std::mem::replace(&mut state.piped, false);
    let guard = std::mem::replace(&mut state.guard, false);
    state.closers.push(closer);
    let result = rule(p);
    let state = p.state();
    state.closers.pop();
    state.layout = outer;
    state.arm_columns = arm_columns;
    state.head = head;
    state.piped = piped;
    state.guard = guard;
    result
}

/// Runs a rule that can contain itself: counts nesting and keeps the stack from running out.
#[inline]
pub fn nested<T>(p: &mut In, rule: impl FnOnce(&mut In) -> R<T>) -> R<T> {
    let state = p.state();
    if state.depth >= NESTING_LIMIT {
        return Err(too_deep(p));
    }
    state.depth += 1;
    let height = std::mem::replace(&mut state.height, 0);
    let result = stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || rule(p));
    let state = p.state();
    state.depth -= 1;
    state.height = height.max(state.height + 1);
    result
}

/// Accounts for one more level on top of the tree that the current expression has built.
#[inline]
pub fn taller(p: &mut In) -> R<()> {
    let state = p.state();
    state.height += 1;
    if state.height > HEIGHT_LIMIT { Err(too_deep(p)) } else { Ok(()) }
}

#[cold]
fn too_deep(p: &mut In) -> Failure {
    let here = token(p);
    let at = index(p) as u32;
    let state = p.state();
    if !state.too_deep {
        state.too_deep = true;
        let span = state.span(here);
        state.diagnostics.push(
            Diagnostic::error(codes::PARSE_NESTING_LIMIT, span, "this is nested too deeply")
                .with_note(format!(
                    "expressions nest at most {NESTING_LIMIT} levels deep, chains have at most {HEIGHT_LIMIT} links"
                ))
                .with_help("name an inner part with `let`, or move it to a function"),
        );
    }
    Failure { at, expected: KindSet::EMPTY, opening: None, cause: Cause::TooDeep }
}

/// Takes the line break before the next token as a separator: from now on the token is seen as it is.
#[inline]
pub fn pass_line_break(p: &mut In) {
    let at = index(p);
    p.state().passed = at;
}

/// Whether the line break before a token has been taken as a separator.
pub fn is_passed(state: &State, at: u32) -> bool {
    state.passed == at as usize
}

/// Skips line breaks and `;`. Tells whether there was any.
pub fn skip_separators(p: &mut In) -> bool {
    let mut any = false;
    loop {
        match peek(p) {
            Kind::Semi => {
                bump(p);
                any = true;
            }
            Kind::Newline => {
                pass_line_break(p);
                any = true;
            }
            _ => return any,
        }
    }
}

/// The same in a list whose elements commas may separate too.
pub fn skip_separators_and_commas(p: &mut In) {
    loop {
        let separated = skip_separators(p);
        if peek(p) == Kind::Comma {
            bump(p);
        } else if !separated {
            return;
        }
    }
}

/// Whether a closing bracket closes nothing that is open.
pub fn is_stray(p: &mut In, kind: Kind) -> bool {
    kind.closes() && !p.state().closers.contains(&kind)
}

/// The kind of the next token, looking through a line break but not out of the block.
pub fn peek_next_line(p: &mut In) -> Kind {
    match peek(p) {
        Kind::Newline => token(p).kind,
        kind => kind,
    }
}

/// The `///` comments before the next token, joined by newlines.
pub fn docs(p: &mut In) -> Option<Box<str>> {
    if !token(p).has(HAS_DOCS) {
        return None;
    }
    let at = index(p) as u32;
    let state = p.state();
    let first = state.docs.partition_point(|doc| doc.token < at);
    let lines = state.docs[first..].iter().take_while(|doc| doc.token == at);
    Some(join_docs(state.text, lines))
}

pub fn join_docs<'a>(text: &str, lines: impl Iterator<Item = &'a Doc>) -> Box<str> {
    let mut out = String::new();
    for (i, doc) in lines.enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let line = &text[doc.start as usize..doc.end as usize];
        out.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
    }
    out.into()
}
