//! What the parsers make of texts, and what that amounts to: the same as in the other languages.

/// Text is as it is written, without quotes.
pub enum Json<'a> {
    Null,
    Truth(bool),
    Number(f64),
    Text(&'a str),
    Items(Vec<Json<'a>>),
    Fields(Vec<(&'a str, Json<'a>)>),
}

pub fn json_totals(json: &Json) -> String {
    let mut totals = Totals::default();
    totals.add(json);
    format!("{} {} {}", totals.values, totals.letters, totals.sum as i64)
}

#[derive(Default)]
struct Totals {
    values: usize,
    letters: usize,
    sum: f64,
}

impl Totals {
    fn add(&mut self, json: &Json) {
        self.values += 1;
        match json {
            Json::Null => {}
            Json::Truth(truth) => self.letters += usize::from(*truth),
            Json::Number(x) => self.sum += x,
            Json::Text(text) => self.letters += text.len(),
            Json::Items(items) => items.iter().for_each(|item| self.add(item)),
            Json::Fields(fields) => {
                for (name, value) in fields {
                    self.letters += name.len();
                    self.add(value);
                }
            }
        }
    }
}

pub fn csv_totals(table: &[Vec<&str>]) -> String {
    let fields: usize = table.iter().map(Vec::len).sum();
    let letters: usize = table.iter().flatten().map(|field| field.len()).sum();
    format!("{} {fields} {letters}", table.len())
}

pub enum Expr {
    Number(i64),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy)]
pub enum Operator {
    Plus,
    Minus,
    Times,
}

impl Expr {
    fn value(&self) -> i64 {
        match self {
            Expr::Number(n) => *n,
            Expr::Negative(inner) => inner.value().wrapping_neg(),
            Expr::Binary(Operator::Plus, a, b) => a.value().wrapping_add(b.value()),
            Expr::Binary(Operator::Minus, a, b) => a.value().wrapping_sub(b.value()),
            Expr::Binary(Operator::Times, a, b) => a.value().wrapping_mul(b.value()),
        }
    }
}

pub fn arithmetic_totals(lines: &[Expr]) -> String {
    let total = lines.iter().fold(0i64, |total, line| total.wrapping_mul(31).wrapping_add(line.value()));
    format!("{} {total}", lines.len())
}
