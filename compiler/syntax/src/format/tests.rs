//! What does the formatter make of each construct, and does it leave its own layout alone?

use expect_test::{Expect, expect};

use super::{FormatError, format};

fn formatted(text: &str) -> String {
    match format(text, 1) {
        Ok(formatted) => formatted,
        Err(FormatError::Syntax(diagnostics)) => panic!("{}", diagnostics[0].message),
        Err(FormatError::Unstable { why, formatted }) => panic!("{why}:\n{formatted}"),
    }
}

/// Formats; formatting again changes nothing.
fn check(text: &str, expected: Expect) {
    let once = formatted(text);
    expected.assert_eq(&once);
    assert_eq!(formatted(&once), once, "the second time gives another layout");
}

#[test]
fn spaces() {
    check(
        "use A.{b,C as D,E.{F}};use ::X  as Y\nfn f<T:Show+Eq>(x:T,y:&mut [Int;3],z:Int=1+2)->Map<Str,List<T>>!{io,panic}{-x^2+!y*(*p)}\n",
        expect![[r#"
            use A.{b, C as D, E.{F}}
            use ::X as Y
            fn f<T: Show + Eq>(x: T, y: &mut [Int; 3], z: Int = 1 + 2) -> Map<Str, List<T>> ! {io, panic} {
              -x ^ 2 + !y * (*p)
            }
        "#]],
    );
    check(
        "let a=(0..n,..=3,1..,a+1..b,x as f64,(1,),{x,},{x:1,..b},[1,2],P{x},&mut q,f(_,n=1,m:2),e?.0[i].await)",
        expect![[r#"
            let a = (
              0..n,
              ..=3,
              1..,
              a + 1..b,
              x as f64,
              (1,),
              { x, },
              { x: 1, ..b },
              [1, 2],
              P { x },
              &mut q,
              f(_, n = 1, m: 2),
              e?.0[i].await,
            )
        "#]],
    );
    check(
        "let f=|a,(b,c):(Int,Int)|->Int a+b\nlet g=||1\nlet k=fn(x:Int)=>x\nlet h=a<b>>c<<2",
        expect![[r#"
        let f = |a, (b, c): (Int, Int)| -> Int a + b
        let g = || 1
        let k = fn(x: Int) => x
        let h = a < b >> c << 2
    "#]],
    );
    check(
        "fn f()=match p with|{x,y:1..=3,..}->1|[h,..t]->2|-1|(|Even|_|)(n,m)->3|x@Some(_) when x>1->4",
        expect![[r#"
        fn f() = match p with
          | { x, y: 1..=3, .. } -> 1
          | [h, ..t] -> 2
          | -1 | (|Even|_|) (n, m) -> 3
          | x @ Some(_) when x > 1 -> 4
    "#]],
    );
    check(
        "type S=|A(Int)|B{x:Int}\ntype N=new(()->Int)\nstruct U;\nenum E{A,B(Int)}\ntype F=fn(Int)->Str!{io}",
        expect![[r#"
            type S = A(Int) | B { x: Int }
            type N = new (() -> Int)
            struct U;
            enum E { A, B(Int) }
            type F = fn(Int) -> Str ! {io}
        "#]],
    );
}

#[test]
fn a_long_file_takes_its_length() {
    let declarations =
        |count: usize| "extern \"C\" fn f(a: Int) -> Int\nstruct S {a: Int}\nenum T { A, B }\n".repeat(count);
    let text = format!("extern \"C\" {{\n{}}}\n{}", "fn f(a: Int) -> Int;\n".repeat(40_000), declarations(40_000));
    let start = std::time::Instant::now();
    formatted(&text);
    // Quadratic time is minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn members_may_be_called_as_keywords() {
    check(
        "fn f(){let c=self.handle\nlet d=self\n.if\ng(self.with,K{in:1,do=2})\nhandle}\n",
        expect![[r#"
            fn f() {
              let c = self.handle
              let d = self.if
              g(self.with, K { in: 1, do = 2 })
              handle
            }
        "#]],
    );
}

#[test]
fn members_have_lines_of_their_own() {
    check(
        "trait T<A>:Eq where A:Ord{fn a(&self)->Str;fn b(self)->Int=1}\nimpl T for X{fn a(&self)->Str=\"\"}\neffect S<A>:io{operation get:()->A;operation put(a:A)->()}\nhandler h(i:Int) for S<Int>{operation get(resume){resume(i)} return x{x}}",
        expect![[r#"
            trait T<A>: Eq where A: Ord {
              fn a(&self) -> Str;
              fn b(self) -> Int = 1
            }
            impl T for X { fn a(&self) -> Str = "" }
            effect S<A> : io {
              operation get: () -> A
              operation put(a: A) -> ()
            }
            handler h(i: Int) for S<Int> {
              operation get(resume) { resume(i) }
              return x { x }
            }
        "#]],
    );
}

#[test]
fn arms_align_with_their_match() {
    check(
        "fn f(x)=\n      match x with\n      | A->{\n    let y=1\n    y\n    }\n      | B->match y with | C->1 | D->2\n      | E ->\n        1\nfn g(x){\n let a=match x with\n  |A->1\n  |B->2\n match a{A->1,\n B->2}\n}\n",
        expect![[r#"
            fn f(x) =
              match x with
              | A -> {
                  let y = 1
                  y
                }
              | B -> match y with | C -> 1 | D -> 2
              | E ->
                1
            fn g(x) {
              let a = match x with
                | A -> 1
                | B -> 2
              match a {
                A -> 1,
                B -> 2,
              }
            }
        "#]],
    );
    check(
        "fn f()=match aaaaaaaaaaaaaaaaaaaaaaaaa with | Bbbbbbbbbbbbbbbbbbbbbbb -> ccccccccccccccccccccc | D -> e | F -> g\n",
        expect![[r#"
        fn f() = match aaaaaaaaaaaaaaaaaaaaaaaaa with
          | Bbbbbbbbbbbbbbbbbbbbbbb -> ccccccccccccccccccccc
          | D -> e
          | F -> g
    "#]],
    );
}

#[test]
fn bodies_break_behind_equals() {
    check(
        "fn long_function_name(parameter_number_one: Int, parameter_number_two: Str) -> Result<Int, Str> = something(1)\nlet value = first_operand_of_the_sum + second_operand_of_the_sum + third_operand_of_the_sum + fourth_one\nlet record = Point { xxxxxxxxxxxxxxxxxxxx: 11111111111, yyyyyyyyyyyyyyyyyyyyyyy: 222222222222, zzzzzzzzzzzz: 333333333 }\n",
        expect![[r#"
            fn long_function_name(parameter_number_one: Int, parameter_number_two: Str) -> Result<Int, Str> =
              something(1)
            let value =
              first_operand_of_the_sum + second_operand_of_the_sum + third_operand_of_the_sum + fourth_one
            let record = Point {
              xxxxxxxxxxxxxxxxxxxx: 11111111111,
              yyyyyyyyyyyyyyyyyyyyyyy: 222222222222,
              zzzzzzzzzzzz: 333333333,
            }
        "#]],
    );
    check(
        "fn f(a) =\n        let b = a\n        b\n",
        expect![[r#"
        fn f(a) =
          let b = a
          b
    "#]],
    );
}

#[test]
fn operators_break_where_a_line_may_start() {
    check(
        "fn f() = aaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb && ccccccccccccccccccccccccccccccccc\nfn g() = aaaaaaaaaaaaaaaaaaaaaaaaaaaaa - bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb - ccccccccccccccccccccccccccccccccc\n",
        expect![[r#"
            fn f() = aaaaaaaaaaaaaaaaaaaaaaaaaaaaa
              && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
              && ccccccccccccccccccccccccccccccccc
            fn g() = aaaaaaaaaaaaaaaaaaaaaaaaaaaaa -
              bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb -
              ccccccccccccccccccccccccccccccccc
        "#]],
    );
    check(
        "fn f() { if aaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb && ccccccccccccccccccccccccccccc { d } }",
        expect![[r#"
            fn f() {
              if aaaaaaaaaaaaaaaaaaaaaaaaaaaaa
                && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
                && ccccccccccccccccccccccccccccc
              {
                d
              }
            }
        "#]],
    );
}

#[test]
fn operands_with_lines_inside_keep_theirs() {
    check(
        "let a = first_of_the_terms_of_the_sum\n  + second_of_the_terms(\n    argument,\n  )\nlet b = c + d(\n  e)\nfn f() { if xs.any(\n  p)\n{ a } }\n",
        expect![[r#"
            let a = first_of_the_terms_of_the_sum
              + second_of_the_terms(
                argument,
              )
            let b = c + d(
                e,
              )
            fn f() {
              if xs.any(
                p,
              )
              { a }
            }
        "#]],
    );
}

#[test]
fn defaults_are_expressions() {
    check(
        "type T={x:Int=1>>2,y:Bool=a<b}\ntype U=|A(x:Int=match n{1->2})|B({y:Int=1,z:Int})\nhandler h(x:Int=1>>2)->Int for E<{a:Int}>{return r{r}}\nlet f=fn(x:Int=1>>2)=>x\n",
        expect![[r#"
            type T = { x: Int = 1 >> 2, y: Bool = a < b }
            type U = A(x: Int = match n { 1 -> 2 }) | B({ y: Int = 1, z: Int })
            handler h(x: Int = 1 >> 2) -> Int for E<{ a: Int }> { return r { r } }
            let f = fn(x: Int = 1 >> 2) => x
        "#]],
    );
}

#[test]
fn separators_stay_where_they_are_needed() {
    check("fn f(){@a do{b};c}", expect![["fn f() { @a do { b }; c }\n"]]);
    check(
        "fn f() { a; || b; &&c\nif d then e; }\nlet g = match h { | A -> return, | B -> 1 }\n",
        expect![[r#"
        fn f() {
          a;
          || b;
          &&c
          if d then e;
        }
        let g = match h { | A -> return, | B -> 1 }
    "#]],
    );
}

#[test]
fn braces_between_type_brackets_are_no_body() {
    check(
        "type S<A:B<{x:Int}>> =|C\nfn f<A:B<{x:Int},(Int)->Int>>(x:&&A)where A:C<{}>{x}\nimpl<A:B<{x:Int}>>C<{y:Int}> for D<A>{}\n",
        expect![[r#"
            type S<A: B<{ x: Int }>> = C
            fn f<A: B<{ x: Int }, (Int) -> Int>>(x: &&A) where A: C<{}> { x }
            impl<A: B<{ x: Int }>> C<{ y: Int }> for D<A> {}
        "#]],
    );
}

#[test]
fn chains() {
    check(
        "let a = xs |> List.map(|x| x * 2) |> List.filter(|x| x > 2)\nlet b = xs\n |> f |> g\nlet c = xs.iter().map(|x| something_long(x)).filter(|x| x > 1000).take_while(|x| x < 100000).collect_list()\nlet d = xs |> List.map(|x|\n  let y = x\n  y)\nlet e = xs.map(|x| {\n y })\n.filter(p)\n",
        expect![[r#"
            let a = xs |> List.map(|x| x * 2) |> List.filter(|x| x > 2)
            let b = xs
              |> f
              |> g
            let c = xs
              .iter()
              .map(|x| something_long(x))
              .filter(|x| x > 1000)
              .take_while(|x| x < 100000)
              .collect_list()
            let d = xs |> List.map(|x|
              let y = x
              y)
            let e = xs
              .map(|x| {
                y
              })
              .filter(p)
        "#]],
    );
}

#[test]
fn lists_hug_their_last_element() {
    check(
        "let a = call(first, |x| {\n  x\n})\nlet b = Err(ParseError { line: at.line, column: at.column, message: describe(wanted, at.token, source) })\nlet c = call(\n  a, b)\nlet d = call(first_argument_of_the_call, second_argument_of_the_call, third_argument_of_the_call, fourth)\nlet e = [\n  1, 2,\n  3, 4]\n",
        expect![[r#"
            let a = call(first, |x| {
              x
            })
            let b =
              Err(ParseError { line: at.line, column: at.column, message: describe(wanted, at.token, source) })
            let c = call(
              a,
              b,
            )
            let d =
              call(first_argument_of_the_call, second_argument_of_the_call, third_argument_of_the_call, fourth)
            let e = [
              1, 2,
              3, 4,
            ]
        "#]],
    );
}

#[test]
fn branches() {
    check(
        "fn f() { if a {b} else if c {d} else {e}\n if a {\nb} else {c}\n let x = if a then b else c\n if a then b\n else c\n let y = if aaaaaaaaaaaaaaaaaaaaaaaaaaa then bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb else ccccccccccccccccccccccccccccc }\n",
        expect![[r#"
            fn f() {
              if a { b } else if c { d } else { e }
              if a {
                b
              } else { c }
              let x = if a then b else c
              if a then b
              else c
              let y =
                if aaaaaaaaaaaaaaaaaaaaaaaaaaa then
                  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
                else
                  ccccccccccccccccccccccccccccc
            }
        "#]],
    );
}

#[test]
fn comments_stay() {
    check(
        "// first\n\n\n\n// second\nfn f() { // behind the brace\n  // alone\n  a // behind a\n  /* before b */ b\n\n\n  // at the end\n}\nlet xs = [ // why\n  1, // one\n  // before two\n  2\n  // after two\n]\nfn g(a /* first */, b) = a /* then */ + b\nmatch x with // arms\n| A -> 1 // a\n// before b\n| B -> 2\n// the end\n",
        expect![[r#"
            // first

            // second
            fn f() { // behind the brace
              // alone
              a // behind a
              /* before b */
              b

              // at the end
            }
            let xs = [ // why
              1, // one
              // before two
              2,
              // after two
            ]
            fn g(a /* first */, b) = a /* then */ + b
            match x with // arms
            | A -> 1 // a
            // before b
            | B -> 2
            // the end
        "#]],
    );
    check(
        "//! Module.\n\n/// Docs.\n/// More.\n@inline\npub fn f() = 1 // x\n\n\n",
        expect![[r#"
        //! Module.

        /// Docs.
        /// More.
        @inline
        pub fn f() = 1 // x
    "#]],
    );
}

#[test]
fn layout_of_effects_and_conductors() {
    check(
        "fn f()={let v=handle e with handler Foo{operation ask(x,resume){resume(x)}\n return r{r}}\nlet w=handle state(0) do e\nunsafe{g()}\neffect {ffi,unsafe}{h()}\ndefer close(x)\nperform C.log(\"x\")}\nconductor p{a:Kind=value|>depends_on([b])\nchannels{a.out~>b.in:Int}\nexecution{run()}\nmonitoring with M{log()}}\n",
        expect![[r#"
            fn f() = {
              let v = handle e with handler Foo {
                operation ask(x, resume) { resume(x) }
                return r { r }
              }
              let w = handle state(0) do e
              unsafe { g() }
              effect {ffi, unsafe} { h() }
              defer close(x)
              perform C.log("x")
            }
            conductor p {
              a: Kind = value |> depends_on([b])
              channels { a.out ~> b.in : Int }
              execution { run() }
              monitoring with M { log() }
            }
        "#]],
    );
}

#[test]
fn what_does_not_parse_is_left_alone() {
    for text in ["fn f( = 1", "\u{1}\u{2}garbage", "let x = \"open", "fn f() { ) }"] {
        assert!(matches!(format(text, 1), Err(FormatError::Syntax(_))), "{text}");
    }
}

#[test]
fn empty_files_and_line_ends() {
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\n\n  \n"), "");
    assert_eq!(formatted("\u{FEFF}let a=1\r\nlet b=2\r\n"), "let a = 1\nlet b = 2\n");
    assert_eq!(formatted("// only a comment"), "// only a comment\n");
    assert_eq!(formatted("#!/usr/bin/env remlc\nlet a=1"), "#!/usr/bin/env remlc\nlet a = 1\n");
}

/// All source files below a directory of the repository.
fn sources(directory: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "reml") {
            found.push(path);
        }
    }
}

#[test]
fn real_programs_keep_their_meaning() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    sources(&root.join("stdlib"), &mut files);
    sources(&root.join("examples"), &mut files);
    assert!(files.len() > 30, "the library is there");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        match format(&text, 1) {
            Ok(once) => assert_eq!(formatted(&once), once, "{}", file.display()),
            Err(FormatError::Syntax(diagnostics)) => panic!("{}: {}", file.display(), diagnostics[0].message),
            Err(FormatError::Unstable { why, .. }) => panic!("{}: {why}", file.display()),
        }
    }
}

#[test]
fn attributes_keep_their_spelling() {
    check(
        "#[ link ( name=\"z\" ) ]\nextern \"C\" {\n  #[weak] fn a() -> i32\n  @weak   fn b()\n}\n",
        expect![[r##"
            #[link(name = "z")]
            extern "C" {
              #[weak]
              fn a() -> i32
              @weak
              fn b()
            }
        "##]],
    );
}

#[test]
fn arms_of_an_inner_match_end_where_they_did() {
    check(
        "const a = match b { | C -> match d with | E -> 1 , ; | F -> 2 }\n",
        expect![[r#"
            const a = match b {
              | C -> match d with | E -> 1
              | F -> 2
            }
        "#]],
    );
}
