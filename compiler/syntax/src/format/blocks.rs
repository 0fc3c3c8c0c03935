//! Blocks and statements.

use crate::ast::*;
use crate::token::Kind;

use super::Formatter;
use super::doc::*;
use super::exprs::Place;
use super::flat::Style;
use super::render::STEP;

impl<'a> Formatter<'a> {
    /// A block in braces, which may have attributes.
    pub fn braced(&mut self, block: &Block) -> Doc<'a> {
        let mut parts = self.attrs(&block.attrs, false);
        // `@allow(x) do { .. }`
        if self.cursor.kind() == Kind::Do {
            parts.extend([self.cursor.next(), text(" ")]);
        }
        parts.push(group(self.braced_in_group(block)));
        concat(parts)
    }

    /// The same without a group of its own. A block whose first line is its opening brace stays so.
    pub fn braced_in_group(&mut self, block: &Block) -> Doc<'a> {
        let close = self.cursor.mate(self.cursor.at);
        let open = self.cursor.next();
        let mut broken = self.cursor.starts_line() && self.cursor.at < close;
        let mut inner = Vec::new();
        broken |= self.statements(block, true, &mut inner);
        while self.cursor.kind() == Kind::Semi {
            inner.extend(Some(self.cursor.skip()).filter(|comments| !comments.is_nil()));
        }
        if let Some(comments) = self.cursor.dangling() {
            inner.push(comments);
        }
        let close = self.cursor.next();
        if inner.is_empty() {
            return concat([open, close]);
        }
        let all = concat([open, indent(STEP, concat([line(), concat(inner)])), line(), close]);
        if broken { broken_group(all) } else { all }
    }

    /// Statements that indentation holds together.
    pub fn unbraced(&mut self, block: &Block) -> Doc<'a> {
        let mut parts = Vec::new();
        self.statements(block, false, &mut parts);
        concat(parts)
    }

    /// Answers whether a statement behind the first starts its line in the source.
    fn statements(&mut self, block: &Block, braced: bool, parts: &mut Vec<Doc<'a>>) -> bool {
        let mut in_lines = false;
        let count = block.stmts.len() + usize::from(block.result.is_some());
        for i in 0..count {
            let mut separators = Vec::new();
            while self.cursor.kind() == Kind::Semi {
                separators.push(self.cursor.skip());
            }
            if i > 0 {
                in_lines |= self.cursor.starts_line();
                let separator = if braced { line() } else { hard() };
                parts.push(match () {
                    () if self.cursor.goes_on() => text(";"),
                    () if braced => if_break(Doc::nil(), text(";")),
                    () => Doc::nil(),
                });
                parts.extend(separators);
                parts.push(if self.cursor.blank_before() { blank() } else { separator });
            } else {
                parts.extend(separators);
            }
            parts.extend(self.cursor.take_comments());
            match block.stmts.get(i) {
                Some(stmt) => {
                    let wrapped =
                        matches!(&stmt.kind, StmtKind::Expr(value) if self.cursor.wraps(self.cursor.at, value));
                    let doc = self.stmt(stmt);
                    // Behind the last expression, `;` discards its value.
                    let discards = braced && i + 1 == count && self.cursor.kind() == Kind::Semi;
                    match &stmt.kind {
                        StmtKind::Expr(value) if discards && !wrapped => parts.push(self.discarded(value, doc)),
                        _ if discards && wrapped => parts.extend([doc, self.cursor.next()]),
                        _ => parts.push(doc),
                    }
                }
                None => parts.extend(block.result.as_ref().map(|result| self.expr(result, Place::Start))),
            }
        }
        in_lines
    }

    /// An expression with the `;` that comes next. When it ends in a body that gets a line of its own, the `;` would
    /// belong to the body.
    fn discarded(&mut self, value: &Expr, doc: Doc<'a>) -> Doc<'a> {
        let semi = self.cursor.next();
        let close = concat([doc.clone(), semi.clone()]);
        if doc.is_forced() || !ends_in_body(value) {
            return close;
        }
        let closed = concat([text("("), doc, text(")"), semi]);
        choice(close, closed.clone(), closed)
    }

    pub fn stmt(&mut self, stmt: &Stmt) -> Doc<'a> {
        let mut parts = self.attrs(&stmt.attrs, false);
        parts.push(match &stmt.kind {
            StmtKind::Let(decl) => self.let_decl(decl),
            StmtKind::Fn(decl) => self.fn_decl(decl),
            StmtKind::Item(item) => self.item(item, false),
            StmtKind::Assign { place, value, .. } => {
                let place = self.expr(place, Place::Inline);
                let operator = self.cursor.next();
                concat([place, text(" "), operator, self.body(value, Place::Inline)])
            }
            StmtKind::Defer(value) => {
                let word = self.cursor.next();
                let value =
                    if self.is_unbraced(value) { self.indented(value) } else { self.expr(value, Place::Inline) };
                concat([word, text(" "), value])
            }
            StmtKind::Expr(value) => self.expr(value, Place::Start),
            StmtKind::Error => Doc::nil(),
        });
        concat(parts)
    }

    /// `let p: T = e`, at the top level and in blocks.
    pub fn let_decl(&mut self, decl: &LetDecl) -> Doc<'a> {
        let end = self.cursor.find(Kind::Eq);
        let value_at = self.cursor.index_of(decl.value.span.start);
        // In a `where` block the word is left out, and the name stands alone.
        let word = (decl.pattern.span.start != self.cursor.start()).then(|| concat([self.cursor.next(), text(" ")]));
        let head = self.flat_until(end.min(value_at), Style::Type);
        let eq = self.cursor.next();
        concat(
            [word, Some(head), Some(text(" ")), Some(eq), Some(self.body(&decl.value, Place::Inline))]
                .into_iter()
                .flatten(),
        )
    }

    /// `@name(args)` or `#[name(args)]`, each in its line where the source has it so. Attributes of items always have their lines, unless
    /// they are `members` of something that stands in one line.
    pub fn attrs(&mut self, attrs: &[Attr], item: bool) -> Vec<Doc<'a>> {
        let mut parts = Vec::new();
        for attr in attrs {
            parts.push(self.attr(attr));
            parts.push(match () {
                () if self.cursor.starts_line() => hard(),
                () if item => line(),
                () => text(" "),
            });
        }
        parts
    }

    fn attr(&mut self, attr: &Attr) -> Doc<'a> {
        let bracketed = self.cursor.kind() == Kind::HashBracket;
        let at = self.cursor.next();
        let name = self.cursor.next();
        let called = self.cursor.kind() == Kind::LParen && self.cursor.start() < attr.span.end;
        let args = called.then(|| self.args(&attr.args));
        let end = bracketed.then(|| self.cursor.next());
        concat([Some(at), Some(name), args, end].into_iter().flatten())
    }
}

/// Whether an expression ends in a body that may move to a line of its own.
fn ends_in_body(expr: &Expr) -> bool {
    let mut expr = expr;
    loop {
        expr = match &*expr.kind {
            ExprKind::If { then, els, .. } => {
                return !matches!(&*els.as_ref().unwrap_or(then).kind, ExprKind::Block(_));
            }
            ExprKind::Lambda { .. } | ExprKind::Handle { .. } => return true,
            ExprKind::Binary { right, .. } | ExprKind::Pipe { right, .. } => right,
            ExprKind::Unary { operand, .. } => operand,
            ExprKind::Return(Some(value)) | ExprKind::Break(Some(value)) => value,
            _ => return false,
        };
    }
}
