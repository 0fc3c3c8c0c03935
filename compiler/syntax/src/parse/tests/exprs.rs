//! Operators, operands, records and blocks.

use expect_test::expect;

use super::{check, check_expr};
use crate::names::Names;

#[test]
fn operators_bind_by_precedence() {
    check_expr(
        "a || b && c == d < e .. f << g + h * i ^ j",
        expect![[r#"
        (|| a (&& b (== c (< d (.. e (<< f (+ g (* h (^ i j)))))))))
    "#]],
    );
    check_expr(
        "-a ^ b as Int * c",
        expect![[r#"
        (* (^ (neg a) (as b Int)) c)
    "#]],
    );
    check_expr(
        "a + b - c ++ d",
        expect![[r#"
        (++ (- (+ a b) c) d)
    "#]],
    );
    check_expr(
        "a ^ b ^ c",
        expect![[r#"
        (^ a (^ b c))
    "#]],
    );
    check_expr(
        "!a && -b.c(d)? == *e",
        expect![[r#"
        (&& (! a) (== (neg (? (call (. b c) d))) (* e)))
    "#]],
    );
    check_expr(
        "a >> b > c",
        expect![[r#"
        (> (>> a b) c)
    "#]],
    );
    check_expr(
        "&x + &mut y",
        expect![[r#"
        (+ (& x) (&mut y))
    "#]],
    );
    check_expr(
        "a <= b || c >= d || e != f",
        expect![[r#"
        (|| (|| (<= a b) (>= c d)) (!= e f))
    "#]],
    );
}

#[test]
fn pipes_group_to_the_left_and_end_lambdas() {
    check_expr(
        "a |> f |> g(b, _)",
        expect![[r#"
        (|> (|> a f) (call g b _))
    "#]],
    );
    check_expr(
        "a |> |x| x + 1 |> g",
        expect![[r#"
        (|> (|> a (lambda (params x) (+ x 1))) g)
    "#]],
    );
    check_expr(
        "a |> List.map(|x| x |> f)",
        expect![[r#"
        (|> a (call (. List map) (lambda (params x) (|> x f))))
    "#]],
    );
}

#[test]
fn ranges_may_be_open() {
    check_expr(
        "1..10",
        expect![[r#"
        (.. 1 10)
    "#]],
    );
    check_expr(
        "a..=b + 1",
        expect![[r#"
        (..= a (+ b 1))
    "#]],
    );
    check_expr(
        "xs[1..]",
        expect![[r#"
        (index xs (.. 1 _))
    "#]],
    );
    check_expr(
        "xs[..n]",
        expect![[r#"
        (index xs (.. _ n))
    "#]],
    );
}

#[test]
fn numbers_and_dots() {
    check_expr(
        "(16.ms, x.0.1, 2_048.0, 2E+2, 1e-9, 0xFF, 0b10_10, 0o17)",
        expect![[r#"
        (tuple (. 16 ms) (. (. x 0) 1) 2048.0 200.0 1e-9 255 10 15)
    "#]],
    );
}

#[test]
fn strings_and_characters() {
    check_expr(
        r#"("a\n\u{41}\x42\"", 'x', '\'', '\u{1F600}', r"a\d", "")"#,
        expect![[r#"
        (tuple "a\nAB\"" 'x' '\'' '😀' "a\\d" "")
    "#]],
    );
    check_expr(
        "r#\"a \"quoted\" b\"#",
        expect![[r#"
        "a \"quoted\" b"
    "#]],
    );
    check_expr(
        "\"\"\"\nfirst\n  \"second\"\n\"\"\"",
        expect![[r#"
        "first\n  \"second\"\n"
    "#]],
    );
    check_expr(
        "\"joined \\\n   line\"",
        expect![[r#"
        "joined line"
    "#]],
    );
}

#[test]
fn postfix_chains() {
    check_expr(
        "a.b(c)[d]?.e.await.0(f = 1, g: 2)",
        expect![[r#"
        (call (. (await (. (? (index (call (. a b) c) d)) e)) 0) (f: 1) (g: 2))
    "#]],
    );
    check_expr(
        "p.then(q).match.type",
        expect![[r#"
        (. (. (call (. p then) q) match) type)
    "#]],
    );
}

#[test]
fn paths_with_colons_are_paths_as_a_whole() {
    check_expr(
        "Vec::new()",
        expect![[r#"
        (call Vec::new)
    "#]],
    );
    check_expr(
        "Core.List::map",
        expect![[r#"
        Core::List::map
    "#]],
    );
    check_expr(
        "::Core.List.map(f)",
        expect![[r#"
        (call ::Core::List::map f)
    "#]],
    );
    check_expr(
        "super.x.y(1)",
        expect![[r#"
        (call super::x::y 1)
    "#]],
    );
    check_expr(
        "self.x",
        expect![[r#"
        (. self x)
    "#]],
    );
    check_expr(
        "TokenClass::Statement { a: 1 }",
        expect![[r#"
        (record TokenClass::Statement (a: 1))
    "#]],
    );
}

#[test]
fn braces_are_records_or_blocks_by_their_first_tokens() {
    check_expr(
        "{ x: 1, y = 2, z }",
        expect![[r#"
        (record (x: 1) (y: 2) z)
    "#]],
    );
    check_expr(
        "{ x, y }",
        expect![[r#"
        (record x y)
    "#]],
    );
    check_expr(
        "{ x, }",
        expect![[r#"
        (record x)
    "#]],
    );
    check_expr(
        "{ x }",
        expect![[r#"
        (block x)
    "#]],
    );
    check_expr(
        "{}",
        expect![[r#"
        (block ())
    "#]],
    );
    check_expr(
        "{ ..base }",
        expect![[r#"
        (record (.. base))
    "#]],
    );
    check_expr(
        "{ x: 1, ..base }",
        expect![[r#"
        (record (x: 1) (.. base))
    "#]],
    );
    check_expr(
        "{ ..a, x: 1, ..b }",
        expect![[r#"
        (record (x: 1) (.. a))
        1:14 type.record.literal.second_base: this record has a base already
            1:3 all fields that are not written come from here
            help: write the fields that are to come from another record, each with its name
    "#]],
    );
    check_expr(
        "{ type: 1 }",
        expect![[r#"
        (record (type: 1))
    "#]],
    );
    check_expr(
        "{ f(x); y }",
        expect![[r#"
        (block (do (call f x)) y)
    "#]],
    );
}

#[test]
fn constructors_take_records_except_in_heads() {
    check_expr(
        "Point { x: 1, y }",
        expect![[r#"
        (record Point (x: 1) y)
    "#]],
    );
    check_expr(
        "geo.Point { x: 1 }",
        expect![[r#"
        (record geo::Point (x: 1))
    "#]],
    );
    check_expr(
        "if Empty { a } else { b }",
        expect![[r#"
        (if Empty (block a) (block b))
    "#]],
    );
    check_expr(
        "if (Point { x: 1 }).ok { a }",
        expect![[r#"
        (if (. (record Point (x: 1)) ok) (block a))
    "#]],
    );
    check_expr(
        "match Foo { A -> 1 }",
        expect![[r#"
        (match Foo (arm A 1))
    "#]],
    );
    check_expr(
        "while f(P { x: 1 }) { a }",
        expect![[r#"
        (while (call f (record P (x: 1))) (block a))
    "#]],
    );
}

#[test]
fn json_literals() {
    check_expr(
        r#"log({ "k": v, "n": { "a": 1 } })"#,
        expect![[r#"
        (call log (json-object ("k": v) ("n": (json-object ("a": 1)))))
    "#]],
    );
    check_expr(
        r#"json!({ "pid": handle.pid, "args": [1, null, {}] })"#,
        expect![[r#"
        (json-object ("pid": (. handle pid)) ("args": (json-array 1 null (json-object))))
    "#]],
    );
    check_expr(
        "json!(x + 1)",
        expect![[r#"
        (json (+ x 1))
    "#]],
    );
    check_expr(
        "json != x",
        expect![[r#"
        (!= json x)
    "#]],
    );
}

#[test]
fn lambdas() {
    check_expr(
        "|x| x + 1",
        expect![[r#"
        (lambda (params x) (+ x 1))
    "#]],
    );
    check_expr(
        "|| 3",
        expect![[r#"
        (lambda (params) 3)
    "#]],
    );
    check_expr(
        "| | 3",
        expect![[r#"
        (lambda (params) 3)
    "#]],
    );
    check_expr(
        "|(a, b), c: Int| -> Int { a + c }",
        expect![[r#"
        (lambda (params (tuple a b) (: c Int)) (-> Int) (block (+ a c)))
    "#]],
    );
    check_expr(
        "|_| (|a, b| a)",
        expect![[r#"
        (lambda (params _) (lambda (params a b) a))
    "#]],
    );
    check_expr(
        "|x| |y| x || y",
        expect![[r#"
        (lambda (params x) (lambda (params y) (|| x y)))
    "#]],
    );
    check_expr(
        "f(|x| x, || y, a || b)",
        expect![[r#"
        (call f (lambda (params x) x) (lambda (params) y) (|| a b))
    "#]],
    );
    check_expr(
        "fn(x) { x }",
        expect![[r#"
        (lambda (params x) (block x))
    "#]],
    );
    check_expr(
        "fn (x: Int) => x + 1",
        expect![[r#"
        (lambda (params (: x Int)) (+ x 1))
    "#]],
    );
    check_expr(
        "fn(x) -> Int { x }",
        expect![[r#"
        (lambda (params x) (-> Int) (block x))
    "#]],
    );
    check_expr(
        "|x| count := count + x",
        expect![[r#"
        (lambda (params x) (block (:= count (+ count x)) ()))
    "#]],
    );
    check_expr(
        "|x| { a: x }",
        expect![[r#"
        (lambda (params x) (record (a: x)))
    "#]],
    );
}

#[test]
fn conditionals() {
    check_expr(
        "if a then b else c",
        expect![[r#"
        (if a b c)
    "#]],
    );
    check_expr(
        "if a then { b } else { c }",
        expect![[r#"
        (if a (block b) (block c))
    "#]],
    );
    check_expr(
        "if a { b } else if c { d } else { e }",
        expect![[r#"
        (if a (block b) (if c (block d) (block e)))
    "#]],
    );
    check_expr(
        "if a then b else if c then d else e",
        expect![[r#"
        (if a b (if c d e))
    "#]],
    );
    check_expr(
        "if a { b }",
        expect![[r#"
        (if a (block b))
    "#]],
    );
    check_expr(
        "f(if a then b else c, d)",
        expect![[r#"
        (call f (if a b c) d)
    "#]],
    );
}

#[test]
fn loops_and_jumps() {
    check(
        "fn f() {
  for (i, x) in xs.iter() { continue }
  while i < 3 { i := i + 1 }
  let r = loop { if done { break 3 } }
  for i in 0..n { return }
  return r + 1
}",
        expect![[r#"
            (fn
              f
              (params)
              (block
                (do (for (tuple i x) (call (. xs iter)) (block (continue))))
                (do (while (< i 3) (block (:= i (+ i 1)) ())))
                (let r (loop (block (if done (block (break 3))))))
                (do (for i (.. 0 n) (block (return))))
                (return (+ r 1))))
        "#]],
    );
}

#[test]
fn statements() {
    check(
        "fn f() {
  let x: Int = 1; var y = 2
  y := y + 1; p.x := 1
  xs[i] := v
  a.b = c
  defer close(file)
  let g(n) = if n == 0 then 1 else n * g(n - 1)
  let id<A>(x: A) -> A = x
  fn local(x) = x
  type T = { a: Int }
  use Core.List
  const N: Int = 3
  @cfg(debug) println(\"x\")
  @cfg(target = \"cli\") { f() }
}",
        expect![[r#"
            (fn
              f
              (params)
              (block
                (let x (: Int) 1)
                (var y 2)
                (:= y (+ y 1))
                (:= (. p x) 1)
                (:= (index xs i) v)
                (= (. a b) c)
                (defer (call close file))
                (fn g (params n) (if (== n 0) 1 (* n (call g (- n 1)))))
                (fn id (generics A) (params (: x A)) (-> A) x)
                (fn local (params x) x)
                (record-type T (a: Int))
                (use Core::List)
                (const N (: Int) 3)
                (stmt (@cfg debug) (do (call println "x")))
                (block (@cfg (target: "cli")) (call f))))
        "#]],
    );
}

#[test]
fn a_semicolon_discards_the_value_of_a_braced_block() {
    check(
        "fn f() { a; b }\nfn g() { a; b; }\nfn h() {\n  a\n  b\n}",
        expect![[r#"
        (fn f (params) (block (do a) b))
        (fn g (params) (block (do a) (do b) ()))
        (fn h (params) (block (do a) b))
    "#]],
    );
}

#[test]
fn soft_keywords_are_names() {
    check_expr(
        "handle.pid + effect + operation(new, module)",
        expect![[r#"
        (+ (+ (. handle pid) effect) (call operation new module))
    "#]],
    );
    check(
        "fn f(handle: H, handler: G) -> Int {\n  let handle = 1\n  handle(x)\n  Ok(handle)\n}",
        expect![[r#"
        (fn
          f
          (params (: handle H) (: handler G))
          (-> Int)
          (block (let handle 1) (do (call handle x)) (call Ok handle)))
    "#]],
    );
}

#[test]
fn arguments_may_be_named_and_trail_a_comma() {
    check_expr(
        "f(a, b = 1, c: 2, _, )",
        expect![[r#"
        (call f a (b: 1) (c: 2) _)
    "#]],
    );
    check_expr(
        "(a,)",
        expect![[r#"
        (tuple a)
    "#]],
    );
    check_expr(
        "(a)",
        expect![[r#"
        a
    "#]],
    );
    check_expr(
        "()",
        expect![[r#"
        ()
    "#]],
    );
    check_expr(
        "[1, 2, ]",
        expect![[r#"
        (array 1 2)
    "#]],
    );
}

#[test]
fn escapes_of_native_code() {
    check_expr(
        r#"inline_asm("rdtsc", outputs("=a", lo), options("volatile"))"#,
        expect![[r#"
        (inline_asm "rdtsc" (call outputs "=a" lo) (call options "volatile"))
    "#]],
    );
    check_expr(
        r#"llvm_ir!(i32) { "%r = add i32 $0, $1", inputs(a, b + 1) }"#,
        expect![[r#"
        (llvm_ir i32 "%r = add i32 $0, $1" a (+ b 1))
    "#]],
    );
}

#[test]
fn an_active_pattern_is_a_function() {
    check_expr(
        "(|Even|_|)(3) + (|Twice|)(x)",
        expect![[r#"
        (+ (call Even 3) (call Twice x))
    "#]],
    );
    check_expr(
        "(|x| x)(3)",
        expect![[r#"
        (call (lambda (params x) x) 3)
    "#]],
    );
}

#[test]
fn in_a_line_with_arms_a_bar_begins_an_arm_or_a_lambda() {
    check_expr(
        "match o with | None -> return | Some(v) -> v",
        expect![[r#"
        (match o (arm None (return)) (arm (Some v) v))
    "#]],
    );
    check_expr(
        "match o with | None -> return |x| x + 1 | Some(f) -> f",
        expect![[r#"
            (match o (arm None (return (lambda (params x) (+ x 1)))) (arm (Some f) f))
        "#]],
    );
    check_expr(
        "apply(match o with | None -> 1 | Some(n) -> n, |a| a)",
        expect![[r#"
        (call apply (match o (arm None 1) (arm (Some n) n)) (lambda (params a) a))
    "#]],
    );
    check_expr(
        "apply(match o with | None -> 1, | Some(n) when n > 1 -> n, |a| -> Int { a })",
        expect![[r#"
        (call apply (match o (arm None 1) (arm (Some n) (when (> n 1)) n)) (lambda (params a) (-> Int) (block a)))
    "#]],
    );
}

/// Where each line of a template was written, whatever literal it is in.
#[test]
fn templates_know_where_they_were_written() {
    let source = "let x = llvm_ir!(i32) { \"a\\n\\u{62}c\", r\"d\ne\", \"\"\"\nf\"\"\" }\n";
    let mut names = Names::new();
    let parsed = super::super::parse(source, 100, &mut names);
    let crate::ast::ItemKind::Let(decl) = &parsed.module.items[0].kind else { panic!("not a `let`") };
    let crate::ast::ExprKind::LlvmIr { template, .. } = &*decl.value.kind else { panic!("not `llvm_ir!`") };
    assert_eq!(&*template.text, "a\nbc\nd\ne\nf");
    let written = |part: &str| {
        let at = template.text.find(part).expect("it is in the template");
        let span = template.span(at..at + part.len());
        &source[span.start as usize - 100..span.end as usize - 100]
    };
    assert_eq!(written("a"), "a");
    assert_eq!(written("bc"), "\\u{62}c");
    assert_eq!(written("c"), "c");
    assert_eq!(written("e"), "e");
    assert_eq!(written("f"), "f");
}
