//! The grammars in chumsky, for any type of errors. A recogniser is the same parser, run by `check`, which makes no values.

use chumsky::extra::ParserExtra;
use chumsky::prelude::*;

use crate::Answer;
use crate::trees::{Expr, Json, Operator, arithmetic_totals, csv_totals, json_totals};

pub fn parse<'a, E>(grammar: &str, source: &'a str, tree: bool) -> Option<Answer>
where
    E: ParserExtra<'a, &'a str, State = (), Context = ()> + 'a,
    E::Error: chumsky::label::LabelError<'a, &'a str, chumsky::text::TextExpected<&'a str>>,
{
    Some(match grammar {
        "json" => answer(json::<E>(), source, tree, |value| json_totals(&value)),
        "csv" => answer(csv::<E>(), source, tree, |value| csv_totals(&value)),
        "arithmetic" => answer(arithmetic::<E>(), source, tree, |value| arithmetic_totals(&value)),
        _ => return None,
    })
}

fn answer<'a, T, E>(
    parser: impl Parser<'a, &'a str, T, E>,
    source: &'a str,
    tree: bool,
    totals: impl Fn(T) -> String,
) -> Answer
where
    E: ParserExtra<'a, &'a str, State = (), Context = ()>,
{
    if tree {
        parser.parse(source).into_output().map_or(Answer::Rejected, |value| Answer::Totals(totals(value)))
    } else if parser.check(source).has_errors() {
        Answer::Rejected
    } else {
        Answer::Accepted
    }
}

fn blank<'a, E: ParserExtra<'a, &'a str>>() -> impl Parser<'a, &'a str, (), E> + Copy {
    any().filter(|c: &char| matches!(c, ' ' | '\n' | '\r' | '\t')).repeated()
}

fn digits<'a, E: ParserExtra<'a, &'a str>>() -> impl Parser<'a, &'a str, (), E> + Copy {
    any().filter(char::is_ascii_digit).repeated().at_least(1)
}

fn json<'a, E: ParserExtra<'a, &'a str> + 'a>() -> impl Parser<'a, &'a str, Json<'a>, E> {
    let value = recursive(|value| {
        let more = any().filter(char::is_ascii_digit).repeated();
        let whole = just('0').ignored().or(any().filter(|c| matches!(c, '1'..='9')).then(more).ignored());
        let exponent = just('e').or(just('E')).then(just('+').or(just('-')).or_not()).then(digits());
        let number = just('-').or_not().then(whole).then(just('.').then(digits()).or_not()).then(exponent.or_not());

        let plain = any().filter(|&c: &char| c != '"' && c != '\\' && c >= ' ').ignored();
        let simple = any().filter(|c| matches!(c, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')).ignored();
        let unicode = just('u').then(any().filter(char::is_ascii_hexdigit).repeated().exactly(4)).ignored();
        let escape = just('\\').then(simple.or(unicode)).ignored();
        let text = plain.or(escape).repeated().to_slice().delimited_by(just('"'), just('"'));

        let comma = just(',').then(blank());
        let items = value.clone().separated_by(comma).collect().delimited_by(just('[').then(blank()), just(']'));
        let colon = just(':').then(blank());
        let fields = text
            .then_ignore(blank())
            .then_ignore(colon)
            .then(value)
            .separated_by(comma)
            .collect()
            .delimited_by(just('{').then(blank()), just('}'));

        choice((
            text.map(Json::Text),
            number.to_slice().map(|digits: &str| Json::Number(digits.parse().unwrap_or(0.0))),
            fields.map(Json::Fields),
            items.map(Json::Items),
            just("true").map(|_| Json::Truth(true)),
            just("false").map(|_| Json::Truth(false)),
            just("null").map(|_| Json::Null),
        ))
        .then_ignore(blank())
    });
    blank().ignore_then(value)
}

fn csv<'a, E: ParserExtra<'a, &'a str> + 'a>() -> impl Parser<'a, &'a str, Vec<Vec<&'a str>>, E> {
    let plain = any().filter(|&c: &char| c != '"').ignored();
    let quoted = plain.or(just("\"\"").ignored()).repeated().to_slice().delimited_by(just('"'), just('"'));
    let bare = any().filter(|c| !matches!(c, ',' | '\n' | '\r' | '"')).repeated().to_slice();
    let line_end = just("\n").or(just("\r\n"));
    let record = quoted.or(bare).separated_by(just(',')).at_least(1).collect().then_ignore(line_end);
    record.repeated().collect()
}

fn arithmetic<'a, E: ParserExtra<'a, &'a str> + 'a>() -> impl Parser<'a, &'a str, Vec<Expr>, E> {
    let sum = recursive(|sum| {
        let factor = recursive(|factor| {
            let number =
                digits().to_slice().then_ignore(blank()).map(|digits: &str| Expr::Number(digits.parse().unwrap_or(0)));
            let nested = sum.delimited_by(just('(').then(blank()), just(')').then(blank()));
            let sign = just('-').then(blank());
            choice((number, nested, sign.ignore_then(factor).map(|inner| Expr::Negative(Box::new(inner)))))
        });
        let binary = |a, (operator, b)| Expr::Binary(operator, Box::new(a), Box::new(b));
        let times = just('*').then(blank()).to(Operator::Times);
        let product = factor.clone().foldl(times.then(factor).repeated(), binary).boxed();
        let plus = just('+').to(Operator::Plus).or(just('-').to(Operator::Minus)).then_ignore(blank());
        product.clone().foldl(plus.then(product).repeated(), binary)
    });
    blank().ignore_then(sum.then_ignore(just(';').then(blank())).repeated().collect())
}
