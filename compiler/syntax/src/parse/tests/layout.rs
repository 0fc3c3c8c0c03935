//! Line breaks, indented bodies, and the arms of `match` (section 1.1).

use expect_test::expect;

use super::check;

#[test]
fn lines_go_on() {
    check(
        "fn f() {
  let a = 1 +
    2
  let b = xs
    .map(g)
    .filter(h)
  let c = x
    |> f
    |> g
  let d = a
    && b
    || c
  let e = a
  -b
  let g =
    1
  let h = if a
    then b
    else c
  foo(
    1,
    2
  )
  [1
   , 2]
}",
        expect![[r#"
            (fn
              f
              (params)
              (block
                (let a (+ 1 2))
                (let b (call (. (call (. xs map) g) filter) h))
                (let c (|> (|> x f) g))
                (let d (|| (&& a b) c))
                (let e a)
                (do (neg b))
                (let g 1)
                (let h (if a b c))
                (do (call foo 1 2))
                (array 1 2)))
        "#]],
    );
}

#[test]
fn an_indented_body_is_a_block() {
    check(
        "fn hyp(a: f64, b: f64) -> f64 =
  let sum = a * a + b * b
  Math.sqrt(sum)

let x =
  let y = 1
  y + 1

fn g(c) =
  if c then
    let a = 1
    a
  else
    let b = 2
    b

fn one() =
  1
",
        expect![[r#"
            (fn hyp (params (: a f64) (: b f64)) (-> f64) (block (let sum (+ (* a a) (* b b))) (call (. Math sqrt) sum)))
            (let x (block (let y 1) (+ y 1)))
            (fn g (params c) (if c (block (let a 1) a) (block (let b 2) b)))
            (fn one (params) 1)
        "#]],
    );
}

#[test]
fn a_lambda_body_may_start_on_a_new_line() {
    check(
        "let p = a.andThen(|x|
    let y = x
    y + 1
  ).skipR(b)

let q = f(|x|
  let y = x
  y, 3)

let r = xs.map(|x|
  x + 1)

let s = f(||
  let y = 1
  y)
",
        expect![[r#"
            (let p (call (. (call (. a andThen) (lambda (params x) (block (let y x) (+ y 1)))) skipR) b))
            (let q (call f (lambda (params x) (block (let y x) y)) 3))
            (let r (call (. xs map) (lambda (params x) (+ x 1))))
            (let s (call f (lambda (params) (block (let y 1) y))))
        "#]],
    );
}

#[test]
fn arms_with_and_without_bars() {
    check(
        "fn f(x) {
  match x with
  | A -> 1
  | B -> 2
  let y = match x with
    A -> 1
    B ->
      let z = 2
      z
  y
}

fn g(x) = match x { A -> 1, B -> 2 }
fn h(x) = match x { | A -> 1 | B -> 2 }
fn i(x) = match x with | A -> 1 | B -> 2
fn j(x) = match x {
  A -> 1
  B => 2,
  C -> {
    3
  }
}
fn k(x) = match x with {
  | A -> 1
  | B -> 2
}
",
        expect![[r#"
            (fn
              f
              (params x)
              (block (do (match x (arm A 1) (arm B 2))) (let y (match x (arm A 1) (arm B (block (let z 2) z)))) y))
            (fn g (params x) (match x (arm A 1) (arm B 2)))
            (fn h (params x) (match x (arm A 1) (arm B 2)))
            (fn i (params x) (match x (arm A 1) (arm B 2)))
            (fn j (params x) (match x (arm A 1) (arm B 2) (arm C (block 3))))
            (fn k (params x) (match x (arm A 1) (arm B 2)))
        "#]],
    );
}

#[test]
fn a_dedent_closes_the_inner_match() {
    check(
        "fn f(x, y) =
  match x with
  | A ->
    match y with
    | P -> 1
    | Q -> 2
  | B -> match y with
    | P -> 3
    | Q -> 4
  | C -> 5

fn g(x, y) =
  match x with
  | A -> match y with | P -> 1 | Q -> 2
  | B -> 3
",
        expect![[r#"
            (fn
              f
              (params x y)
              (match x (arm A (match y (arm P 1) (arm Q 2))) (arm B (match y (arm P 3) (arm Q 4))) (arm C 5)))
            (fn g (params x y) (match x (arm A (match y (arm P 1) (arm Q 2))) (arm B 3)))
        "#]],
    );
}

#[test]
fn arms_may_follow_further_left_than_the_first() {
    check(
        "fn f(x) {
  let r = match x with | A -> 1
    | B -> 2
  r
}
fn g(x) =
  match x with
    | A -> 1 | B -> 2
    | C -> 3
",
        expect![[r#"
            (fn f (params x) (block (let r (match x (arm A 1) (arm B 2))) r))
            (fn g (params x) (match x (arm A 1) (arm B 2) (arm C 3)))
        "#]],
    );
}

#[test]
fn a_match_in_parentheses() {
    check(
        "let a = f(match x with
  | A -> 1
  | B -> 2, y)
let b = xs.map(|x| match x with
  | A -> 1
  | B -> 2
)
let c = g(match x with | A -> 1 | B -> 2, y)
let d = xs.map(|x|
  match x with
  | A ->
    let y = 1
    y
  | B -> 2
)
",
        expect![[r#"
            (let a (call f (match x (arm A 1) (arm B 2)) y))
            (let b (call (. xs map) (lambda (params x) (match x (arm A 1) (arm B 2)))))
            (let c (call g (match x (arm A 1) (arm B 2)) y))
            (let d (call (. xs map) (lambda (params x) (match x (arm A (block (let y 1) y)) (arm B 2)))))
        "#]],
    );
}

#[test]
fn pipes_after_arms_belong_to_the_match_when_further_left() {
    check(
        "fn f(x) =
  match x with
    | A -> a
        |> g
    | B -> b
  |> h
",
        expect![[r#"
            (fn f (params x) (|> (match x (arm A (|> a g)) (arm B b)) h))
        "#]],
    );
}

#[test]
fn statements_after_a_match() {
    check(
        "fn f(x) {
  match x with
  | A -> g()
  | B -> h()
  k()
}
fn g(x) =
  match x with
    A -> 1
    B -> 2
fn h() = 3
",
        expect![[r#"
            (fn f (params x) (block (do (match x (arm A (call g)) (arm B (call h)))) (call k)))
            (fn g (params x) (match x (arm A 1) (arm B 2)))
            (fn h (params) 3)
        "#]],
    );
}

#[test]
fn then_and_else_bodies() {
    check(
        "fn f(x) {
  if a then
    g()
    h()
  if a then return 1
  if a then x := 1 else x := 2
  let y = if a
    then 1
    else 2
  if c
  {
    d
  }
  else
  {
    e
  }
  if a then b else
    c
    d
}
",
        expect![[r#"
            (fn
              f
              (params x)
              (block
                (do (if a (block (do (call g)) (call h))))
                (do (if a (return 1)))
                (do (if a (block (:= x 1) ()) (block (:= x 2) ())))
                (let y (if a 1 2))
                (do (if c (block d) (block e)))
                (if a b (block (do c) d))))
        "#]],
    );
}

#[test]
fn a_where_block_holds_local_definitions() {
    check(
        "fn f(x) = g(x) + y
  where
    fn g(a) = a + 1
    let y = 2

fn h(x) =
  k(x)
  where
    k(a) = a * c
    c = 3
",
        expect![[r#"
            (fn f (params x) (block (fn g (params a) (+ a 1)) (let y 2) (+ (call g x) y)))
            (fn h (params x) (block (fn k (params a) (* a c)) (let c 3) (call k x)))
        "#]],
    );
}

#[test]
fn do_blocks() {
    check(
        "fn f() = do {
  a
  b
}
fn g() = do
  a
  b
",
        expect![[r#"
            (fn f (params) (block (do a) b))
            (fn g (params) (block (do a) b))
        "#]],
    );
}

#[test]
fn a_body_brace_may_stand_on_the_next_line() {
    check(
        "fn f()
{
  1
}
impl A
{
  fn g(self)
  {
    2
  }
}
",
        expect![[r#"
            (fn f (params) (block 1))
            (impl A (fn g (params self) (block 2)))
        "#]],
    );
}

#[test]
fn parsers_in_the_house_style() {
    check(
        r#"fn expr() -> Parser<Expr> =
  rule("expr",
    term().andThen(|first|
      many(addOp().then(term()))
        .map(|rest|
          List.fold(rest, first, |acc, (op, rhs)|
            match op with
            | "+" -> Add(acc, rhs)
            | _ -> Sub(acc, rhs)
          )
        )
    )
  )

fn value(lex) =
  choice([
    lex.symbol("(").skipR(expr()).skipL(lex.symbol(")")),
    number()
      .map(Num),
    attempt(ident().andThen(|name|
      if is_keyword(name) then
        fail("keyword")
      else
        ok(Var(name))
    )),
  ])
"#,
        expect![[r#"
            (fn
              expr
              (params)
              (-> (Parser Expr))
              (call
                rule
                "expr"
                (call
                  (. (call term) andThen)
                  (lambda
                    (params first)
                    (call
                      (. (call many (call (. (call addOp) then) (call term))) map)
                      (lambda
                        (params rest)
                        (call
                          (. List fold)
                          rest
                          first
                          (lambda
                            (params acc (tuple op rhs))
                            (match op (arm "+" (call Add acc rhs)) (arm _ (call Sub acc rhs)))))))))))
            (fn
              value
              (params lex)
              (call
                choice
                (array
                  (call (. (call (. (call (. lex symbol) "(") skipR) (call expr)) skipL) (call (. lex symbol) ")"))
                  (call (. (call number) map) Num)
                  (call
                    attempt
                    (call
                      (. (call ident) andThen)
                      (lambda (params name) (if (call is_keyword name) (call fail "keyword") (call ok (call Var name)))))))))
        "#]],
    );
}

#[test]
fn a_member_with_the_name_of_a_keyword_ends_its_line() {
    check(
        "fn f() {
  let c = self.handle
  let d = self.if
  g(self.with)
  x.in := self.do
  Tool::match
  c
}",
        expect![[r#"
            (fn
              f
              (params)
              (block
                (let c (. self handle))
                (let d (. self if))
                (do (call g (. self with)))
                (:= (. x in) (. self do))
                (do Tool::match)
                c))
        "#]],
    );
}

#[test]
fn handle_is_a_name_unless_an_operand_follows() {
    check(
        "fn f() {
  let h = handle
  g(h)
  handle
  {
    g(h)
  } with log()
  handle
}",
        expect![[r#"
            (fn
              f
              (params)
              (block (let h handle) (do (call g h)) (do (handle (block (call g h)) (with (call log)))) handle))
        "#]],
    );
}
