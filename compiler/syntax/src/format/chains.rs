//! Chains: operators of one precedence, pipes, and what is appended to an operand with dots and brackets.

use crate::ast::*;
use crate::token::{Kind, LINE_START};

use super::Formatter;
use super::doc::*;
use super::exprs::Place;
use super::list::Trailing;
use super::render::STEP;

fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Eq | BinaryOp::Ne => 3,
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 4,
        BinaryOp::Shl | BinaryOp::Shr => 6,
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Concat => 7,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 8,
        BinaryOp::Pow => 9,
    }
}

/// A line that starts with one of these would be a statement of its own.
fn can_start_statement(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Sub | BinaryOp::Mul)
}

impl<'a> Formatter<'a> {
    pub fn binary(&mut self, expr: &Expr) -> Doc<'a> {
        // From the outermost operator down the left side, as long as the operators bind equally.
        let mut links: Vec<(BinaryOp, &Expr)> = Vec::new();
        let mut first = expr;
        let mut power = None;
        while let ExprKind::Binary { op, left, right, .. } = &*first.kind {
            let same = power.is_none_or(|power| power == precedence(*op));
            if !same || power.is_some() && self.cursor.is_wrapped(first) {
                break;
            }
            power = Some(precedence(*op));
            links.push((*op, right));
            first = left;
        }
        let trailing = links.iter().any(|(op, _)| can_start_statement(*op));
        let open = self.ends_in_lines(first);
        let mut head = self.expr(first, Place::Inline);
        if open {
            head = concat([text("("), head, text(")")]);
        }
        let mut operands = Vec::new();
        // The source has an operand in a line of its own.
        let mut in_lines = false;
        for (op, right) in links.into_iter().rev() {
            in_lines |= self.cursor.starts_line();
            let mut operator = if trailing { self.cursor.operator() } else { self.cursor.next() };
            if op == BinaryOp::Shr {
                operator = concat([operator, self.cursor.next()]);
            }
            in_lines |= self.cursor.starts_line();
            operands.push((operator, self.expr(right, Place::Inline)));
        }
        // Operands that have line breaks inside keep their operators beside them, where they have them.
        let close = !in_lines
            && !head.ends_line()
            && operands.iter().all(|(operator, operand)| !operator.has_comment() && !operand.ends_line())
            && (head.is_forced() || operands.iter().any(|(_, operand)| operand.is_forced()));
        let gap = || if close { text(" ") } else { line() };
        let mut rest = Vec::new();
        for (operator, operand) in operands {
            if trailing {
                rest.extend([text(" "), operator, gap(), operand]);
            } else {
                let after = if operator.ends_line() { line() } else { text(" ") };
                rest.extend([gap(), operator, after, operand]);
            }
        }
        group(concat([head, indent(STEP, concat(rest))]))
    }

    /// Whether an operand ends with the indented body of a lambda, which the operator would become a part of.
    fn ends_in_lines(&self, operand: &Expr) -> bool {
        let mut expr = operand;
        while !self.cursor.is_wrapped(expr) {
            expr = match &*expr.kind {
                ExprKind::Lambda { body, .. } if self.is_first_in_line(body) => return true,
                ExprKind::Lambda { body, .. } => body,
                ExprKind::Binary { right, .. } => right,
                ExprKind::Unary { operand, .. } => operand,
                _ => return false,
            };
        }
        false
    }

    fn is_first_in_line(&self, expr: &Expr) -> bool {
        self.cursor.tokens[self.cursor.index_of(expr.span.start)].has(LINE_START)
    }

    pub fn pipes(&mut self, expr: &Expr) -> Doc<'a> {
        let mut links: Vec<&Expr> = Vec::new();
        let mut first = expr;
        while let ExprKind::Pipe { left, right } = &*first.kind {
            if !links.is_empty() && self.cursor.is_wrapped(first) {
                break;
            }
            links.push(right);
            first = left;
        }
        let head = self.expr(first, Place::Inline);
        let mut broken = false;
        let mut steps = Vec::new();
        let hugs = links.first().is_some_and(|last| hugs_last(last));
        for right in links.into_iter().rev() {
            broken |= self.cursor.starts_line();
            let operator = self.cursor.next();
            steps.push(concat([operator, text(" "), self.expr(right, Place::Inline)]));
        }
        chain(head, steps, Chain { broken, hugs, gap: line })
    }

    /// Fields, calls, indices, `?`: everything that is appended.
    pub fn postfix(&mut self, expr: &Expr, place: Place) -> Doc<'a> {
        let mut links: Vec<&Expr> = Vec::new();
        let mut base = expr;
        loop {
            if !links.is_empty() && self.cursor.is_wrapped(base) {
                break;
            }
            let inner = match &*base.kind {
                ExprKind::Field { base, .. } | ExprKind::TupleField { base, .. } | ExprKind::Index { base, .. } => base,
                ExprKind::Call { callee, .. } => callee,
                ExprKind::Try(inner) => inner,
                ExprKind::Await(inner) if self.is_postfix_await(base, inner) => inner,
                _ => break,
            };
            links.push(base);
            base = inner;
        }
        let upper = matches!(&*base.kind, ExprKind::Path(path) if self.starts_upper(path));
        let mut head = vec![self.expr(base, place)];
        // Each segment is a name and what follows it up to the next dot.
        let mut segments: Vec<Segment<'a>> = Vec::new();
        let mut broken = false;
        for link in links.into_iter().rev() {
            match &*link.kind {
                ExprKind::Field { .. } | ExprKind::TupleField { .. } | ExprKind::Await(_) => {
                    let starts_line = self.cursor.starts_line();
                    // `3 .0` is no number.
                    let number = self.cursor.kind_before() == Some(Kind::Int) && self.cursor.kind_at(1) == Kind::Int;
                    let dot = self.cursor.next();
                    let dot = if number { concat([text(" "), dot]) } else { dot };
                    let name = self.cursor.next();
                    let call = self.cursor.kind() == Kind::LParen;
                    broken |= starts_line;
                    segments.push(Segment { doc: vec![dot, name], call });
                }
                kind => {
                    let part = match kind {
                        ExprKind::Call { args, .. } => self.args(args),
                        ExprKind::Index { index, .. } => {
                            let list = self.list(|f| f.expr(index, Place::Inline));
                            list.plain(Trailing::None)
                        }
                        _ => self.cursor.next(),
                    };
                    match segments.last_mut() {
                        Some(segment) => segment.doc.push(part),
                        None => head.push(part),
                    }
                }
            }
        }
        // What is no call stays with what is before it; so does the function of a module.
        let called = head.len() > 1;
        let mut own = segments.iter().take_while(|segment| !segment.call).count();
        if upper && !called && own < segments.len() {
            own += 1;
        }
        let rest = segments.split_off(own);
        head.extend(segments.into_iter().flat_map(|segment| segment.doc));
        let head = concat(head);
        // Fields behind a call stay with it.
        let mut steps: Vec<Vec<Doc<'a>>> = Vec::new();
        for segment in rest {
            match steps.last_mut() {
                Some(step) if !segment.call => step.extend(segment.doc),
                _ => steps.push(segment.doc),
            }
        }
        let steps: Vec<Doc<'a>> = steps.into_iter().map(concat).collect();
        if steps.is_empty() {
            return head;
        }
        if steps.len() == 1 && !broken {
            return concat([head, concat(steps)]);
        }
        chain(head, steps, Chain { broken, hugs: false, gap: soft })
    }

    /// Whether it is written `e.await`, not `await e`; `await().await` starts with the word, too.
    pub fn is_postfix_await(&self, expr: &Expr, operand: &Expr) -> bool {
        let last = self.cursor.index_of(expr.span.end) - 1;
        self.is_word(last, "await") && self.cursor.tokens[last].start >= operand.span.end
    }

    fn starts_upper(&self, path: &Path) -> bool {
        let at = self.cursor.index_of(path.span.start);
        self.cursor.slice(at).starts_with(|c: char| c.is_uppercase())
    }
}

struct Segment<'a> {
    doc: Vec<Doc<'a>>,
    /// A call follows the name.
    call: bool,
}

/// How a chain is written and may break.
struct Chain<'a> {
    /// The source has a link in a line of its own.
    broken: bool,
    /// The last link may go over several lines beside the others.
    hugs: bool,
    gap: fn() -> Doc<'a>,
}

/// Whether the last argument of a call has lines of its own.
fn hugs_last(expr: &Expr) -> bool {
    match &*expr.kind {
        ExprKind::Call { args, .. } => args.last().is_some_and(|last| {
            matches!(*last.value.kind, ExprKind::Lambda { .. } | ExprKind::Record { .. } | ExprKind::Array(_))
        }),
        ExprKind::Try(inner) => hugs_last(inner),
        _ => false,
    }
}

/// Links in one line, or each in its own. A chain that the source has in one line stays there as long as its first line
/// fits, when its last link goes over several lines.
fn chain<'a>(head: Doc<'a>, steps: Vec<Doc<'a>>, how: Chain<'a>) -> Doc<'a> {
    let links = steps.iter().flat_map(|step| [(how.gap)(), step.clone()]);
    let in_lines = broken_group(concat([head.clone(), indent(STEP, concat(links))]));
    let comments = head.ends_line() || steps[..steps.len() - 1].iter().any(Doc::ends_line);
    if how.broken || comments {
        return in_lines;
    }
    let spaced = matches!(*(how.gap)().kind, super::doc::Kind::Line);
    let mut close = vec![flat(head.clone())];
    for (i, step) in steps.iter().enumerate() {
        close.push(if spaced { text(" ") } else { Doc::nil() });
        close.push(if i + 1 < steps.len() { flat(step.clone()) } else { step.clone() });
    }
    let close = concat(close);
    let (_, before) = steps.split_last().expect("a chain has links");
    let last_only = !head.is_forced() && !before.iter().any(Doc::is_forced);
    match () {
        () if close.is_forced() && last_only => choice(close.clone(), close, in_lines),
        () if close.is_forced() => close,
        () if how.hugs && steps.len() == 1 => choice(close.clone(), close, in_lines),
        () => choice(close, in_lines.clone(), in_lines),
    }
}
