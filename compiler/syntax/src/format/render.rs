//! From documents to text: decides what breaks.

use super::doc::{Doc, Kind};

/// How wide a line may become where it can be broken.
pub const WIDTH: usize = 100;
/// What is inside something is indented by this.
pub const STEP: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Flat,
    Break,
}

struct Printer<'d, 'a> {
    out: String,
    column: usize,
    /// Line breaks that have been asked for, and the indentation of what follows. They are written with the next text,
    /// so that several in a row make one and none ends the file.
    pending: Option<(usize, usize)>,
    /// Comments that wait for the end of the line. All but the first get lines of their own.
    suffixes: Vec<&'d str>,
    /// The first of them came behind a line break.
    alone: bool,
    stack: Vec<(usize, Mode, &'d Doc<'a>)>,
}

/// Prints a document; the text ends with a line break unless it is empty.
pub fn render(doc: &Doc<'_>) -> String {
    let mut printer =
        Printer { out: String::new(), column: 0, pending: None, suffixes: Vec::new(), alone: false, stack: Vec::new() };
    printer.stack.push((0, Mode::Break, doc));
    while let Some((indent, mode, doc)) = printer.stack.pop() {
        printer.step(indent, mode, doc);
    }
    printer.finish()
}

fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

impl<'d, 'a> Printer<'d, 'a> {
    fn finish(mut self) -> String {
        self.flush_suffixes(0);
        self.trim_end();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    fn step(&mut self, indent: usize, mode: Mode, doc: &'d Doc<'a>) {
        match &*doc.kind {
            Kind::Text(text) => self.text(text),
            Kind::Remark(text) if self.suffixes.is_empty() || self.pending.is_some() => self.text(text),
            Kind::Suffix(text) | Kind::Remark(text) => self.suffix(text),
            Kind::Hard => self.newline(1, indent),
            Kind::Blank => self.newline(2, indent),
            Kind::Line if mode == Mode::Flat => self.text(" "),
            Kind::Soft if mode == Mode::Flat => {}
            Kind::Line | Kind::Soft => self.newline(1, indent),
            Kind::Concat(parts) => self.stack.extend(parts.iter().rev().map(|part| (indent, mode, part))),
            Kind::Indent(columns, doc) => self.stack.push((indent + columns, mode, doc)),
            Kind::Group(inner) => {
                let fits = !doc.is_forced() && (mode == Mode::Flat || self.fits(indent, Mode::Flat, inner));
                self.stack.push((indent, if fits { Mode::Flat } else { Mode::Break }, inner));
            }
            Kind::Flat(inner) => self.stack.push((indent, Mode::Flat, inner)),
            Kind::IfBreak(broken, flat) => {
                self.stack.push((indent, mode, if mode == Mode::Flat { flat } else { broken }));
            }
            Kind::Fill(parts) if mode == Mode::Flat => {
                self.stack.extend(parts.iter().rev().map(|part| (indent, mode, part)));
            }
            Kind::Fill(parts) => self.fill(indent, parts),
            Kind::Body { doc, hugs, step } => self.body(indent, mode, doc, *hugs, *step),
            Kind::Choice { flat, hugged, broken } => {
                if !flat.is_forced() && (mode == Mode::Flat || self.fits(indent, Mode::Flat, flat)) {
                    self.stack.push((indent, Mode::Flat, flat));
                } else if self.fits(indent, Mode::Break, hugged) {
                    self.stack.push((indent, Mode::Break, hugged));
                } else {
                    self.stack.push((indent, Mode::Break, broken));
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // A space before what has gone to the next line.
        if text == " " && self.pending.is_some() {
            return;
        }
        if let Some((lines, indent)) = self.pending.take() {
            let closes = text.starts_with([')', ']', '}']);
            self.flush_suffixes(if closes { indent + STEP } else { indent });
            self.break_line(lines, indent);
        }
        self.out.push_str(text);
        match text.rfind('\n') {
            Some(last) => self.column = width(&text[last + 1..]),
            None => self.column += width(text),
        }
    }

    fn break_line(&mut self, lines: usize, indent: usize) {
        if !self.out.is_empty() {
            self.trim_end();
            self.out.extend(std::iter::repeat_n('\n', lines));
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// A line ends: the space that separates its last token from the next one is not needed.
    fn trim_end(&mut self) {
        let length = self.out.trim_end_matches(' ').len();
        self.out.truncate(length);
    }

    fn suffix(&mut self, comment: &'d str) {
        self.alone |= self.suffixes.is_empty() && (self.pending.is_some() || self.out.is_empty());
        self.suffixes.push(comment);
    }

    /// Writes the comments that waited. `indent` is that of those that do not fit into the line.
    fn flush_suffixes(&mut self, indent: usize) {
        let alone = std::mem::take(&mut self.alone);
        for (at, comment) in std::mem::take(&mut self.suffixes).into_iter().enumerate() {
            if at == 0 && !alone {
                self.trim_end();
                self.out.push_str(comment);
            } else {
                self.break_line(1, indent);
                self.out.push_str(comment.trim());
            }
        }
    }

    fn newline(&mut self, lines: usize, indent: usize) {
        let lines = self.pending.map_or(lines, |(before, _)| before.max(lines));
        self.pending = Some((lines, indent));
    }

    fn fill(&mut self, indent: usize, parts: &'d [Doc<'a>]) {
        let Some((first, rest)) = parts.split_first() else { return };
        // Separators are decided one by one; what is not yet decided waits on the stack behind the first element.
        let mut work: Vec<(usize, Mode, &'d Doc<'a>)> = Vec::new();
        let start = self.column_now();
        let mut column = start + flat_width(first);
        work.push((indent, Mode::Break, first));
        for pair in rest.chunks(2) {
            let [separator, element] = pair else { break };
            let size = flat_width(element);
            let breaks = separator.is_forced() || column + 1 + size + 1 > WIDTH || element.is_forced();
            let mode = if breaks { Mode::Break } else { Mode::Flat };
            column = if breaks { indent + size } else { column + 1 + size };
            work.push((indent, mode, separator));
            work.push((indent, Mode::Break, element));
        }
        self.stack.extend(work.into_iter().rev());
    }

    fn body(&mut self, indent: usize, mode: Mode, doc: &'d Doc<'a>, hugs: bool, step: usize) {
        if mode == Mode::Flat {
            self.text(" ");
            self.stack.push((indent, Mode::Flat, doc));
            return;
        }
        if !doc.is_forced() {
            let column = self.column_now();
            if self.fits_from(column + 1, indent, Mode::Flat, doc) {
                self.text(" ");
                self.stack.push((indent, Mode::Flat, doc));
                return;
            }
            if self.fits_from(indent + step, indent + step, Mode::Flat, doc) {
                self.newline(1, indent + step);
                self.stack.push((indent + step, Mode::Flat, doc));
                return;
            }
        }
        if hugs {
            self.text(" ");
            self.stack.push((indent, Mode::Break, doc));
        } else {
            self.newline(1, indent + step);
            self.stack.push((indent + step, Mode::Break, doc));
        }
    }

    fn column_now(&self) -> usize {
        self.pending.map_or(self.column, |(_, indent)| indent)
    }

    fn fits(&self, indent: usize, mode: Mode, doc: &'d Doc<'a>) -> bool {
        self.fits_from(self.column_now(), indent, mode, doc)
    }

    /// Whether everything up to the next line break that is or may be made fits into the line.
    fn fits_from(&self, column: usize, indent: usize, mode: Mode, doc: &'d Doc<'a>) -> bool {
        let mut left = WIDTH.checked_sub(column);
        let mut work = vec![(indent, mode, doc)];
        let mut rest = self.stack.iter().rev();
        let mut own = true;
        loop {
            let Some(room) = left else { return false };
            let (indent, mode, doc) = match work.pop() {
                Some(next) => next,
                None => match rest.next() {
                    Some(next) => {
                        own = false;
                        *next
                    }
                    None => return true,
                },
            };
            match &*doc.kind {
                Kind::Text(text) | Kind::Remark(text) => match text.find('\n') {
                    Some(end) => return width(&text[..end]) <= room,
                    None => left = room.checked_sub(width(text)),
                },
                Kind::Suffix(_) => {}
                Kind::Hard | Kind::Blank => return true,
                Kind::Line | Kind::Soft if mode == Mode::Break => return true,
                Kind::Line => left = room.checked_sub(1),
                Kind::Soft => {}
                Kind::Concat(parts) => work.extend(parts.iter().rev().map(|part| (indent, mode, part))),
                Kind::Indent(columns, doc) => work.push((indent + columns, mode, doc)),
                Kind::Group(inner) => {
                    let mode = match mode {
                        Mode::Break if own && !doc.is_forced() => Mode::Flat,
                        mode => mode,
                    };
                    work.push((indent, mode, inner));
                }
                Kind::Flat(inner) => work.push((indent, Mode::Flat, inner)),
                Kind::IfBreak(broken, flat) => {
                    work.push((indent, mode, if mode == Mode::Flat { flat } else { broken }));
                }
                Kind::Fill(parts) => work.extend(parts.iter().rev().map(|part| (indent, mode, part))),
                Kind::Body { doc, hugs, .. } => {
                    if mode == Mode::Break && (!doc.is_forced() || !hugs) {
                        return true;
                    }
                    left = room.checked_sub(1);
                    work.push((indent, mode, doc));
                }
                Kind::Choice { flat, hugged, .. } => {
                    work.push((indent, mode, if mode == Mode::Flat { flat } else { hugged }));
                }
            }
        }
    }
}

/// How wide a document is in one line; more than any line when it cannot be.
pub fn flat_width(doc: &Doc<'_>) -> usize {
    let mut total = 0;
    let mut work = vec![doc];
    while let Some(doc) = work.pop() {
        if total > WIDTH {
            break;
        }
        match &*doc.kind {
            Kind::Text(text) | Kind::Remark(text) => total += width(text),
            Kind::Line => total += 1,
            Kind::Soft | Kind::Suffix(_) => {}
            Kind::Hard | Kind::Blank => return WIDTH + 1,
            Kind::Concat(parts) | Kind::Fill(parts) => work.extend(parts.iter().rev()),
            Kind::Indent(_, doc) | Kind::Group(doc) | Kind::Flat(doc) => work.push(doc),
            Kind::IfBreak(_, flat) => work.push(flat),
            Kind::Body { doc, .. } => {
                total += 1;
                work.push(doc);
            }
            Kind::Choice { flat, .. } => work.push(flat),
        }
    }
    total
}
