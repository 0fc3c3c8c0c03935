//! Headers in, declarations out.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::parse;
use crate::c::model::*;
use crate::c::show::{declaration, type_text};
use crate::c::token::Source;

/// Symbols and records of a header, or what is wrong with it.
fn check(header: &str, expected: Expect) {
    let source = Source::new(header.to_owned());
    let (unit, problems) = parse(&source);
    let mut text = String::new();
    for problem in problems {
        let line = header[..problem.start as usize].matches('\n').count() + 1;
        let _ = writeln!(text, "{line}: {}", problem.message);
        if let Some(help) = problem.help {
            let _ = writeln!(text, "   help: {help}");
        }
    }
    for record in &unit.records {
        let Some(body) = &record.body else { continue };
        let name = type_text(&unit, Qualified { ty: record.ty, quals: Quals::NONE });
        let layout = body.layout.map_or("?".to_owned(), |it| format!("{} bytes, aligned to {}", it.size, it.align));
        let _ = writeln!(text, "{name}: {layout}");
        for member in &body.members {
            let shown = declaration(&unit, member.ty, member.name.as_deref().unwrap_or(""));
            let bits = member.bits.map(|bits| format!(" : {bits}")).unwrap_or_default();
            let (byte, bit) = (member.place / 8, member.place % 8);
            let bit = if bit > 0 || member.bits.is_some() { format!(".{bit}") } else { String::new() };
            let _ = writeln!(text, "  {byte}{bit}: {shown}{bits}");
        }
    }
    for symbol in &unit.symbols {
        let shown = declaration(&unit, symbol.ty, &symbol.name);
        let label = symbol.label.as_ref().map(|label| format!(" = {label}")).unwrap_or_default();
        let note = match &symbol.kind {
            SymbolKind::Function { only_here: true } => " (only here)".to_owned(),
            SymbolKind::Variable { value: Some(value) } => format!(" = {value:?}"),
            _ => String::new(),
        };
        let _ = writeln!(text, "{shown}{label}{note}");
    }
    expected.assert_eq(&text);
}

#[test]
fn number_types_have_their_words_in_any_order() {
    check(
        "long int unsigned a(short int, int long long signed, char signed);
         double long b(unsigned, _Bool, long double _Complex, _Float32, unsigned __int128);",
        expect![[r#"
            unsigned long a(short, long long, signed char)
            long double b(unsigned int, bool, _Complex long double, float, unsigned __int128)
        "#]],
    );
}

#[test]
fn declarators_are_read_from_the_name_outwards() {
    check(
        "char *(*(*x(void))[4])(int, ...);
         int (*const handlers[3])(const char *restrict, void *volatile *);
         void sort(int n, int a[static n], int grid[][4], int compare(const void *, const void *));
         int (f)(int (g)(int));
         extern const char *const names[], **more;",
        expect![[r#"
            char *(*(*x(void))[4])(int, ...)
            int (* const handlers[3])(const char* restrict, void* volatile *)
            void sort(int, int*, int (*)[4], int (*)(const void*, const void*))
            int f(int (*)(int))
            const char * const names[]
            const char **more
        "#]],
    );
}

#[test]
fn extensions_of_compilers_are_read_or_passed_over() {
    check(
        "__extension__ typedef long long __attribute__((aligned(16))) wide;
         extern int open_it(const char *__restrict s) __asm__(\"\" \"open64\") __attribute__((nothrow, nonnull(1)));
         [[nodiscard]] int c23(int * _Nonnull p);
         __declspec(dllimport) int __stdcall win(void);
         static __inline int body(int x) { return ({ int y = x; \"}\"[0] + y; }); }
         inline int both(void) { return 1; }
         extern int both(void);
         _Static_assert(sizeof(int) == 4, \"size; of int\");
         asm(\".globl x\");
         typedef unsigned int byte __attribute__((__mode__(__QI__)));
         byte narrow(__typeof__(unsigned long) a, _Atomic(int) b, _BitInt(7) c);
         int old(a, b) int a; char *b; { return a; }
         constexpr int three = 3;
         typedef enum : unsigned char { TINY = 200 } tiny;
         struct holds_tiny { tiny t[3]; };
         static const double half = 1.0 / 2;",
        expect![[r#"
            struct holds_tiny: 3 bytes, aligned to 1
              0: tiny t[3]
            int open_it(const char* restrict) = open64
            int c23(int*)
            int win(void)
            int body(int) (only here)
            int both(void)
            byte narrow(unsigned long, _Atomic int, _BitInt(7))
            int old()
            int three = Int { value: 3, kind: Int }
            const double half = Float { value: 0.5, single: false }
        "#]],
    );
}

#[test]
fn members_are_where_the_abi_puts_them() {
    check(
        "struct a { char c; double d; short s[3]; struct { int x; union { char y; long z; }; }; };
         struct b { unsigned r : 1; int l : 5; unsigned : 0; unsigned m : 9; long w : 40; char c; };
         struct __attribute__((packed)) c { char k; int n; int b : 3; _Alignas(8) char m; };
         union u { int i; char bytes[7]; };
         struct tail { int n; int data[]; };
         #pragma pack(push, 2)
         struct d { char c; int i; };
         #pragma pack(pop)
         struct e { struct a a[2]; enum { ONE } e; } __attribute__((aligned(32)));",
        expect![[r#"
            struct a: 40 bytes, aligned to 8
              0: char c
              8: double d
              16: short s[3]
              24: struct {..}
            struct {..}: 16 bytes, aligned to 8
              0: int x
              8: union {..}
            union {..}: 8 bytes, aligned to 8
              0: char y
              0: long z
            struct b: 16 bytes, aligned to 8
              0.0: unsigned int r : 1
              0.1: int l : 5
              4.0: unsigned int : 0
              4.0: unsigned int m : 9
              8.0: long w : 40
              13: char c
            struct c: 16 bytes, aligned to 8
              0: char k
              1: int n
              5.0: int b : 3
              8: char m
            union u: 8 bytes, aligned to 4
              0: int i
              0: char bytes[7]
            struct tail: 4 bytes, aligned to 4
              0: int n
              4: int data[]
            struct d: 6 bytes, aligned to 2
              0: char c
              2: int i
            struct e: 96 bytes, aligned to 32
              0: struct a a[2]
              80: enum {..} e
        "#]],
    );
}

#[test]
fn mistakes_are_told_where_they_are_and_hide_no_others() {
    check(
        "typedef unsigned int count_t;
         cuont_t size(void);
         struct node { struct node next; };
         struct twice { int a; char a; };
         int f(int);
         long f(int);
         typedef int f_t; typedef char f_t;
         enum { A, B = 1 / 0 };
         int a[-1];
         struct open { int x
         ",
        expect![[r#"
            2: there is no type `cuont_t`
               help: did you mean `count_t`?
            3: `next` cannot have the type `struct node`: it would contain itself
               help: a pointer to it can be a member
            4: `a` is a member already
            6: `f` has been declared with another type before
            7: `f_t` has been declared with another type before
            8: the value of `B` is no constant integer
            9: an array cannot have -1 elements
            10: expected `;` behind `x`, found the end
            int f(int)
        "#]],
    );
}

#[test]
fn a_type_whose_declaration_is_wrong_is_not_missed_as_well() {
    check(
        "typedef struct { int 1; } broken;
         broken *get(void);
         node_t *other(void);",
        expect![[r#"
            1: expected the name of a member, found `1`
            3: there is no type `node_t`
               help: include the header that declares it; a header has to compile when nothing stands before it
            broken *get(void)
        "#]],
    );
}

#[test]
fn nesting_has_a_limit_that_is_told() {
    let deep = |open: &str, close: &str| {
        let header = format!("int {}x{};\nint after;\n", open.repeat(100_000), close.repeat(100_000));
        let (unit, problems) = parse(&Source::new(header));
        assert_eq!(problems.len(), 1, "{:?}", problems.first());
        assert!(problems[0].message.contains("nested more than"), "{}", problems[0].message);
        assert_eq!(unit.symbols.len(), 1);
    };
    deep("(", ")");
    deep("(*", ")(void)");
    let (_, problems) = parse(&Source::new(format!("int a[{}1{}];", "(".repeat(100_000), ")".repeat(100_000))));
    assert!(problems.is_empty());
    let (_, problems) =
        parse(&Source::new(format!("{} int x; {}", "struct {".repeat(100_000), "} m;".repeat(100_000))));
    assert!(problems[0].message.contains("nested more than"));
    // Pointers are a chain, and take no stack.
    let (unit, problems) = parse(&Source::new(format!("int {}x;", "*".repeat(10_000))));
    assert!(problems.is_empty() && type_text(&unit, unit.symbols[0].ty).len() > 10_000);
    // What is never closed is not looked for again and again.
    let (_, problems) = parse(&Source::new("int f(".repeat(100_000)));
    assert!(!problems.is_empty());
}
