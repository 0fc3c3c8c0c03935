//! The grammars in winnow, as its examples write them: functions, `dispatch!` on the first character, the error type that
//! keeps nothing.

use winnow::Parser;
use winnow::combinator::{alt, delimited, dispatch, fail, opt, peek, preceded, repeat, separated, terminated};
use winnow::error::EmptyError;
use winnow::stream::Accumulate;
use winnow::token::{any, one_of, take_while};

use crate::Answer;
use crate::trees::{Expr, Json, Operator, arithmetic_totals, csv_totals, json_totals};

type Result<T> = winnow::Result<T, EmptyError>;

pub fn parse(grammar: &str, source: &str, tree: bool) -> Option<Answer> {
    Some(match (grammar, tree) {
        ("json", true) => totals(terminated(preceded(blank, json), blank).parse(source), |json| json_totals(&json)),
        ("json", false) => accepted(terminated(preceded(blank, value), blank).parse(source)),
        ("csv", true) => totals(repeat(0.., record::<Vec<&str>>).parse(source), |table: Vec<_>| csv_totals(&table)),
        ("csv", false) => accepted(repeat::<_, _, (), _, _>(0.., record::<()>).parse(source)),
        ("arithmetic", true) => {
            let lines = preceded(blank, repeat(0.., terminated(sum::<Tree>, (';', blank)))).parse(source);
            totals(lines, |lines: Vec<_>| arithmetic_totals(&lines))
        }
        ("arithmetic", false) => accepted(
            preceded(blank, repeat::<_, _, (), _, _>(0.., terminated(sum::<Nothing>, (';', blank)))).parse(source),
        ),
        _ => return None,
    })
}

fn accepted<E>(result: std::result::Result<(), E>) -> Answer {
    if result.is_ok() { Answer::Accepted } else { Answer::Rejected }
}

fn totals<T, E>(result: std::result::Result<T, E>, totals: impl Fn(T) -> String) -> Answer {
    result.map_or(Answer::Rejected, |value| Answer::Totals(totals(value)))
}

fn blank(input: &mut &str) -> Result<()> {
    take_while(0.., (' ', '\n', '\r', '\t')).void().parse_next(input)
}

fn digits<'a>(input: &mut &'a str) -> Result<&'a str> {
    take_while(1.., '0'..='9').parse_next(input)
}

// -------------------------------------------------------------------------------------------------------------------
// JSON

fn number<'a>(input: &mut &'a str) -> Result<&'a str> {
    let whole = alt(('0'.void(), (one_of('1'..='9'), take_while(0.., '0'..='9')).void()));
    (opt('-'), whole, opt(('.', digits)), opt((one_of(['e', 'E']), opt(one_of(['+', '-'])), digits)))
        .take()
        .parse_next(input)
}

fn text<'a>(input: &mut &'a str) -> Result<&'a str> {
    let plain = take_while(1.., |c| c != '"' && c != '\\' && c >= ' ').void();
    let unicode = ('u', take_while(4..=4, ('0'..='9', 'a'..='f', 'A'..='F'))).void();
    let escape = ('\\', alt((one_of(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']).void(), unicode))).void();
    delimited('"', repeat::<_, _, (), _, _>(0.., alt((plain, escape))).take(), '"').parse_next(input)
}

fn json<'a>(input: &mut &'a str) -> Result<Json<'a>> {
    dispatch! { peek(any);
        '"' => text.map(Json::Text),
        '{' => fields(json).map(Json::Fields),
        '[' => items(json).map(Json::Items),
        't' => "true".map(|_| Json::Truth(true)),
        'f' => "false".map(|_| Json::Truth(false)),
        'n' => "null".map(|_| Json::Null),
        '-' | '0'..='9' => number.map(|digits| Json::Number(digits.parse().unwrap_or(0.0))),
        _ => fail,
    }
    .parse_next(input)
}

fn value(input: &mut &str) -> Result<()> {
    dispatch! { peek(any);
        '"' => text.void(),
        '{' => fields::<_, ()>(value),
        '[' => items::<_, ()>(value),
        't' => "true".void(),
        'f' => "false".void(),
        'n' => "null".void(),
        '-' | '0'..='9' => number.void(),
        _ => fail,
    }
    .parse_next(input)
}

fn items<'a, T, C: Accumulate<T>>(item: fn(&mut &'a str) -> Result<T>) -> impl Parser<&'a str, C, EmptyError> {
    delimited(('[', blank), separated(0.., terminated(item, blank), (',', blank)), ']')
}

fn fields<'a, T, C: Accumulate<(&'a str, T)>>(
    item: fn(&mut &'a str) -> Result<T>,
) -> impl Parser<&'a str, C, EmptyError> {
    let field = (terminated(text, (blank, ':', blank)), terminated(item, blank));
    delimited(('{', blank), separated(0.., field, (',', blank)), '}')
}

// -------------------------------------------------------------------------------------------------------------------
// CSV

fn record<'a, C: Accumulate<&'a str>>(input: &mut &'a str) -> Result<C> {
    terminated(separated(1.., field, ','), alt(("\n", "\r\n"))).parse_next(input)
}

fn field<'a>(input: &mut &'a str) -> Result<&'a str> {
    let plain = take_while(1.., |c| c != '"').void();
    let quoted = delimited('"', repeat::<_, _, (), _, _>(0.., alt((plain, "\"\"".void()))).take(), '"');
    let bare = take_while(0.., |c| c != ',' && c != '\n' && c != '\r' && c != '"');
    alt((quoted, bare)).parse_next(input)
}

// -------------------------------------------------------------------------------------------------------------------
// Arithmetic

/// What expressions become.
trait Build {
    type Expr;
    fn number(digits: &str) -> Self::Expr;
    fn negative(inner: Self::Expr) -> Self::Expr;
    fn binary(operator: Operator, a: Self::Expr, b: Self::Expr) -> Self::Expr;
}

struct Tree;

impl Build for Tree {
    type Expr = Expr;

    fn number(digits: &str) -> Expr {
        Expr::Number(digits.parse().unwrap_or(0))
    }

    fn negative(inner: Expr) -> Expr {
        Expr::Negative(Box::new(inner))
    }

    fn binary(operator: Operator, a: Expr, b: Expr) -> Expr {
        Expr::Binary(operator, Box::new(a), Box::new(b))
    }
}

struct Nothing;

impl Build for Nothing {
    type Expr = ();
    fn number(_: &str) {}
    fn negative(_: ()) {}
    fn binary(_: Operator, _: (), _: ()) {}
}

fn sum<B: Build>(input: &mut &str) -> Result<B::Expr> {
    let mut left = product::<B>(input)?;
    while let Some(operator) = opt(operator).parse_next(input)? {
        left = B::binary(operator, left, product::<B>(input)?);
    }
    Ok(left)
}

fn operator(input: &mut &str) -> Result<Operator> {
    terminated(alt(('+'.value(Operator::Plus), '-'.value(Operator::Minus))), blank).parse_next(input)
}

fn product<B: Build>(input: &mut &str) -> Result<B::Expr> {
    let mut left = factor::<B>(input)?;
    while opt(('*', blank)).parse_next(input)?.is_some() {
        left = B::binary(Operator::Times, left, factor::<B>(input)?);
    }
    Ok(left)
}

fn factor<B: Build>(input: &mut &str) -> Result<B::Expr> {
    dispatch! { peek(any);
        '0'..='9' => terminated(digits, blank).map(B::number),
        '(' => delimited(('(', blank), sum::<B>, (')', blank)),
        '-' => preceded(('-', blank), factor::<B>).map(B::negative),
        _ => fail,
    }
    .parse_next(input)
}
