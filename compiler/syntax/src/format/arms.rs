//! `match`, `if` and `handle`: constructs whose parts have lines of their own.

use crate::ast::*;
use crate::token::Kind;

use super::Formatter;
use super::cursor::Behind;
use super::doc::*;
use super::exprs::Place;
use super::flat::Style;
use super::list::Trailing;
use super::render::STEP;

impl<'a> Formatter<'a> {
    pub fn match_(&mut self, scrutinee: &Expr, arms: &[Arm], place: Place) -> Doc<'a> {
        let mut parts = vec![self.cursor.next(), text(" "), self.expr(scrutinee, Place::Inline), text(" ")];
        let mut braced = self.cursor.kind() == Kind::LBrace;
        if !braced {
            parts.push(self.cursor.next());
            braced = self.cursor.kind() == Kind::LBrace && self.encloses(arms);
            if braced {
                parts.push(text(" "));
            }
        }
        if braced {
            parts.push(self.braced_arms(arms));
            return concat(parts);
        }
        let broken = arms.iter().any(|arm| self.starts_line_at(arm.span.start));
        let bars = self.cursor.kind() == Kind::Bar;
        let mut lines = Vec::new();
        for (i, arm) in arms.iter().enumerate() {
            let comma = if i > 0 { self.kept_comma() } else { Doc::nil() };
            let comma = concat([comma, self.skip_separators()]);
            if broken && i > 0 && self.cursor.blank_before() {
                lines.extend([comma, blank()]);
            } else {
                lines.extend([comma, line()]);
            }
            lines.push(self.arm(arm));
        }
        // Arms without bars would take the following statements for arms in the column of the `match`.
        let step = if place == Place::Start && bars { 0 } else { STEP };
        let lines = indent(step, concat(lines));
        parts.push(if broken { broken_group(lines) } else { group(lines) });
        concat(parts)
    }

    fn starts_line_at(&self, position: u32) -> bool {
        let at = self.cursor.index_of(position);
        self.cursor.tokens[at].has(crate::token::LINE_START)
    }

    /// Between arms in one line, a separator of the source is kept: `return` would take what follows for its value.
    fn kept_comma(&self) -> Doc<'a> {
        match self.cursor.kind() {
            Kind::Comma | Kind::Semi => if_break(Doc::nil(), text(",")),
            _ => Doc::nil(),
        }
    }

    fn starts_with_bar(&self, arm: &Arm) -> bool {
        self.cursor.tokens[self.cursor.index_of(arm.span.start)].kind == Kind::Bar
    }

    /// Whether the brace that comes next is around the arms, and no pattern's.
    fn encloses(&self, arms: &[Arm]) -> bool {
        let close = self.cursor.tokens[self.cursor.mate(self.cursor.at)];
        arms.first().is_none_or(|arm| arm.span.start > self.cursor.start())
            && arms.last().is_none_or(|arm| arm.span.end <= close.start)
    }

    /// Passes `,` and `;` between arms or members; what is left are their comments.
    pub fn skip_separators(&mut self) -> Doc<'a> {
        let mut parts = Vec::new();
        while matches!(self.cursor.kind(), Kind::Comma | Kind::Semi) {
            parts.push(self.cursor.skip());
        }
        concat(parts)
    }

    fn braced_arms(&mut self, arms: &[Arm]) -> Doc<'a> {
        let close = self.cursor.mate(self.cursor.at);
        let open = self.cursor.next();
        let first = self.cursor.starts_line() && self.cursor.at < close;
        let mut broken = first || arms.iter().any(|arm| self.starts_line_at(arm.span.start));
        let bars = self.cursor.kind() == Kind::Bar;
        let mut lines = Vec::new();
        for (i, arm) in arms.iter().enumerate() {
            lines.push(if i > 0 && broken && self.cursor.blank_before() { blank() } else { line() });
            lines.push(self.arm(arm));
            // Several separators end the arms of a `match` that ends the arm; a line break does, too.
            let separators = [self.cursor.kind(), self.cursor.kind_at(1)];
            broken |= separators.iter().all(|kind| matches!(kind, Kind::Comma | Kind::Semi));
            match arms.get(i + 1) {
                Some(next) if self.starts_with_bar(arm) && self.starts_with_bar(next) => lines.push(self.kept_comma()),
                Some(_) => lines.push(text(",")),
                None if bars => {}
                None => lines.push(if_break(text(","), Doc::nil())),
            }
            lines.push(self.skip_separators());
        }
        if let Some(comments) = self.cursor.dangling() {
            lines.push(comments);
        }
        if lines.is_empty() {
            return concat([open, self.cursor.next()]);
        }
        let all = concat([open, indent(STEP, concat(lines)), line(), self.cursor.next()]);
        if broken { broken_group(all) } else { group(all) }
    }

    fn arm(&mut self, arm: &Arm) -> Doc<'a> {
        let comments = self.cursor.take_comments().unwrap_or_else(Doc::nil);
        let mut head = Vec::new();
        let bar = self.cursor.kind() == Kind::Bar;
        if bar {
            head.extend([self.cursor.next(), text(" ")]);
        }
        let end = self.pattern_end();
        head.push(self.alternatives(end));
        // Alternatives stand below each other where they have bars.
        let pattern = if bar { concat(std::mem::take(&mut head)) } else { Doc::nil() };
        let mut guard = arm.guard.as_ref();
        while !matches!(self.cursor.kind(), Kind::Arrow | Kind::FatArrow | Kind::Eof) {
            let at = self.cursor.at;
            head.extend([text(" "), self.cursor.next()]);
            if self.cursor.tokens[at].kind == Kind::As {
                head.extend([text(" "), self.cursor.next()]);
            } else if let Some(guard) = guard.take() {
                head.extend([text(" "), self.expr(&guard.cond, Place::Inline)]);
            } else {
                // A guard that is overruled by a later one is not in the tree.
                let end = self.pattern_end();
                head.extend([text(" "), self.flat_until(end, Style::Pattern)]);
            }
        }
        head.extend([text(" "), self.cursor.next()]);
        let head = concat(head);
        let block = matches!(*arm.body.kind, ExprKind::Block(_)) && !self.is_unbraced(&arm.body);
        let own_line = self.cursor.starts_line();
        let body = self.body(&arm.body, Place::Start);
        let head = concat([pattern, indent(STEP, head)]);
        if own_line || block && !bar {
            return concat([comments, head, body]);
        }
        concat([comments, head, indent(STEP, body.without_step())])
    }

    /// Where the pattern that comes next ends: before an arrow, a guard or an alias behind a guard.
    fn pattern_end(&self) -> usize {
        let mut at = self.cursor.at;
        let last = self.cursor.tokens.len() - 1;
        let mut first = true;
        while at < last {
            let kind = self.cursor.tokens[at].kind;
            let guard = kind == Kind::If || self.is_word(at, "when");
            if matches!(kind, Kind::Arrow | Kind::FatArrow) || guard && !first {
                break;
            }
            at = self.cursor.mate(at).max(at) + 1;
            first = false;
        }
        at.min(last)
    }

    /// `if`, with a chain of `else if` in a loop. The blocks of one `if` break together, unless one of them has lines of
    /// its own in the source.
    pub fn if_(&mut self, expr: &Expr) -> Doc<'a> {
        let mut parts = Vec::new();
        let mut blocks: Vec<usize> = Vec::new();
        let mut columns = false;
        let mut next = Some(expr);
        while let Some(expr) = next.take() {
            let ExprKind::If { cond, then, els } = &*expr.kind else { break };
            parts.extend([self.cursor.next(), text(" "), self.head(cond)]);
            let braced = self.cursor.kind() != Kind::Then;
            let mut then_own_line = false;
            if braced {
                blocks.push(parts.len());
                parts.push(self.branch_block(then));
            } else {
                parts.push(self.cursor.next());
                then_own_line = self.cursor.starts_line();
                parts.push(self.then_body(then));
            }
            let Some(els) = els else { break };
            if braced {
                // Short branches may stand below each other, each in its line.
                let column = self.cursor.starts_line() && parts.last().is_some_and(|block| !block.is_forced());
                let block = parts.pop().unwrap_or_else(Doc::nil);
                columns |= column;
                let gap = match () {
                    () if block.ends_line() => hard(),
                    () if column => if_break(text(" "), hard()),
                    () => text(" "),
                };
                parts.push(concat([block, gap]));
            } else if self.cursor.starts_line() && !then_own_line && !self.cursor.starts_line_at(1) {
                let then = parts.pop().unwrap_or_else(Doc::nil);
                columns = true;
                parts.extend([group(then), hard()]);
            } else {
                parts.push(line());
            }
            parts.push(self.cursor.next());
            let here = self.cursor.starts_line();
            if self.cursor.kind() == Kind::If && matches!(*els.kind, ExprKind::If { .. }) && !here {
                parts.push(text(" "));
                next = Some(els);
            } else if self.cursor.kind() == Kind::LBrace && !here && !self.is_unbraced(els) {
                parts.push(text(" "));
                blocks.push(parts.len());
                parts.push(self.branch_block(els));
            } else {
                let els = self.then_body(els);
                parts.push(if columns { group(els) } else { els });
            }
        }
        let forced = columns || parts.iter().any(Doc::is_forced);
        if forced {
            for at in blocks {
                parts[at] = group(parts[at].clone());
            }
        }
        if forced { broken_group(concat(parts)) } else { group(concat(parts)) }
    }

    fn branch_block(&mut self, value: &Expr) -> Doc<'a> {
        match &*value.kind {
            ExprKind::Block(block) if self.cursor.kind() == Kind::LBrace => self.braced_in_group(block),
            _ => self.expr(value, Place::Inline),
        }
    }

    fn then_body(&mut self, value: &Expr) -> Doc<'a> {
        if self.cursor.starts_line() {
            return indent(STEP, concat([hard(), self.indented(value)]));
        }
        // They are in lines of their own when the value is, as they would be in the source.
        let comments = self.cursor.take_comments_with(Behind::Line).unwrap_or_else(Doc::nil);
        let open_arms = self.has_open_arms(value);
        let doc = if self.is_unbraced(value) { self.indented(value) } else { self.expr(value, Place::Inline) };
        if doc.is_forced() && !comments.has_comment() {
            return concat([text(" "), doc]);
        }
        // In a line of its own, it stands as it would if the source had it there.
        let doc = if open_arms { doc.without_last_indent() } else { doc };
        indent(STEP, concat([line(), comments, doc]))
    }

    /// Whether a value, which comes next, is a `match` whose arms have bars and no braces around them.
    fn has_open_arms(&self, value: &Expr) -> bool {
        let ExprKind::Match { arms, .. } = &*value.kind else { return false };
        let Some(first) = arms.first() else { return false };
        let at = self.cursor.index_of(first.span.start);
        self.starts_with_bar(first)
            && self.cursor.tokens[at - 1].kind == Kind::With
            && !self.cursor.wraps(self.cursor.at, value)
    }

    pub fn handle(&mut self, body: &Expr, handler: &HandlerExpr) -> Doc<'a> {
        let mut parts = vec![self.cursor.next(), text(" ")];
        match handler {
            HandlerExpr::Value(value) if value.span.start < body.span.start => {
                parts.extend([self.expr(value, Place::Inline), text(" "), self.cursor.next()]);
                parts.push(self.body(body, Place::Inline));
            }
            HandlerExpr::Value(value) => {
                parts.extend([self.expr(body, Place::Inline), text(" "), self.cursor.next(), text(" ")]);
                parts.push(self.expr(value, Place::Inline));
            }
            HandlerExpr::Inline { effect, body: clauses } => {
                parts.extend([self.expr(body, Place::Inline), text(" "), self.cursor.next(), text(" ")]);
                parts.extend([self.cursor.next(), text(" ")]);
                if effect.is_some() {
                    let brace = self.cursor.index_of(clauses.span.start);
                    parts.extend([self.flat_until(brace, Style::Type), text(" ")]);
                }
                parts.push(self.handler_body(clauses));
            }
            HandlerExpr::Missing => parts.push(self.expr(body, Place::Inline)),
        }
        concat(parts)
    }

    pub fn handler_body(&mut self, body: &HandlerBody) -> Doc<'a> {
        let clauses = body.clauses.iter();
        self.members(|f| {
            let start = f.cursor.start();
            if let Some(stmt) = body.state.iter().find(|stmt| stmt.span.start == start) {
                return f.stmt(stmt);
            }
            if let Some(clause) = clauses.clone().find(|clause| clause.span.start == start) {
                let mut parts = f.attrs(&clause.attrs, false);
                parts.extend([f.cursor.next(), text(" "), f.path(&clause.name)]);
                parts.push(f.parameters(&clause.params, Trailing::Broken));
                parts.push(f.clause_body(&clause.body));
                return concat(parts);
            }
            let mut parts = vec![f.cursor.next()];
            if let Some(ret) = &body.ret {
                let end = f.clause_start(&ret.body);
                if f.cursor.at < end {
                    if f.cursor.kind() != Kind::LParen || f.cursor.is_joined(f.cursor.at) {
                        parts.push(if f.cursor.kind() == Kind::LParen { Doc::nil() } else { text(" ") });
                    } else {
                        parts.push(text(" "));
                    }
                    parts.push(f.flat_until(end, Style::Pattern));
                }
                parts.push(f.clause_body(&ret.body));
            }
            concat(parts)
        })
    }

    /// The token with which a clause's body begins: its brace, or the arrow or `=` before it.
    fn clause_start(&self, body: &Expr) -> usize {
        let at = self.cursor.index_of(body.span.start);
        match self.cursor.tokens[at - 1].kind {
            Kind::Arrow | Kind::FatArrow | Kind::Eq => at - 1,
            _ => at,
        }
    }

    fn clause_body(&mut self, body: &Expr) -> Doc<'a> {
        if matches!(self.cursor.kind(), Kind::Arrow | Kind::FatArrow | Kind::Eq) {
            let arrow = self.cursor.next();
            return concat([text(" "), arrow, self.body(body, Place::Inline)]);
        }
        concat([text(" "), self.expr(body, Place::Inline)])
    }
}
