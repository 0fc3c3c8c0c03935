//! What is noted of constraints and their answers.

use expect_test::{Expect, expect};

use super::run_with;
use crate::CheckOptions;
use crate::constraints::{Answer, Constrained};

/// The constraints of a program, a line each: premises stand below what asks for them.
fn constraints(text: &str, expected: Expect) {
    let options = CheckOptions { constraints: true, ..CheckOptions::default() };
    let (_, checked, _, map) = run_with(options, text);
    let place = |span| map.position(span).map_or("?".to_owned(), |(_, at)| format!("{}:{}", at.line, at.column));
    let mut out = String::new();
    for Constrained { name, constraints, .. } in &checked.constraints {
        out.push_str(&format!("{name}\n"));
        let mut depths = Vec::new();
        for it in constraints {
            let depth = it.premise_of.map_or(1, |above| depths[above] + 1);
            depths.push(depth);
            let answer = match &it.answer {
                Answer::Impl(found) => found.header.clone(),
                Answer::Assumed(bound, span) => format!("bound {} at {}", bound.text(), place(*span)),
                other => format!("{other:?}"),
            };
            let callee = it.callee.as_ref().map_or(String::new(), |name| format!(" of {name}"));
            let indent = "  ".repeat(depth);
            out.push_str(&format!("{indent}{}{callee} at {} <- {answer}\n", it.bound.text(), place(it.span)));
        }
    }
    expected.assert_eq(&out);
}

const SHAPES: &str = "\
trait Area { fn area(&self) -> Int }
struct Square { side: Int }
struct Box2<T> { of: T }
impl Area for Square { fn area(&self) -> Int = self.side * self.side }
impl<T: Area> Area for Box2<T> { fn area(&self) -> Int = self.of.area() }
";

#[test]
fn premises_lead_to_the_bounds_and_impls_that_answer() {
    constraints(
        &format!(
            "{SHAPES}fn twice<T: Area>(x: T) -> Int = Box2 {{ of: x }}.area()\n\
             fn main() {{ let n = twice(Box2 {{ of: Square {{ side: 1 }} }}) }}\n"
        ),
        expect![[r#"
            Area for Box2.area
              T: Area of Area.area at 5:58 <- bound T: Area at 5:9
            main.twice
              Box2<T>: Area of Area.area at 6:34 <- impl Area for Box2<T> where T: Area
                T: Area at 6:34 <- bound T: Area at 6:13
            main.main
              Box2<Square>: Area of main.twice at 7:21 <- impl Area for Box2<T> where T: Area
                Square: Area at 7:21 <- impl Area for Square
        "#]],
    );
}

#[test]
fn inferred_bounds_and_what_nothing_answers() {
    constraints(
        &format!("{SHAPES}fn size(x) = x.area()\nfn wrong() = size(1)\nfn same<T>(a: T, b: T) = [a] == [b]\n"),
        expect![[r#"
            Area for Box2.area
              T: Area of Area.area at 5:58 <- bound T: Area at 5:9
            main.size
              A: Area of Area.area at 6:14 <- Inferred
            main.wrong
              Int: Area of main.size at 7:14 <- Missing
            main.same
              [T]: Eq at 8:26 <- Structural
                T: Eq at 8:26 <- Missing
        "#]],
    );
}

#[test]
fn nothing_is_noted_unless_it_is_asked_for() {
    let (_, checked, ..) = run_with(CheckOptions::default(), &format!("{SHAPES}fn main() {{ }}\n"));
    assert!(checked.constraints.is_empty());
}
