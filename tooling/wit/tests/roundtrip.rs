//! Bindings, exported again, are the interface that they were made of. Nothing that is given to the tools makes them panic.

mod support;

use proptest::prelude::*;
use support::{exported, folder, interface};

/// A type where it is used, made of the types before.
fn ty(known: Vec<String>) -> BoxedStrategy<String> {
    let plain = ["bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string"];
    let mut leaves: Vec<String> = plain.iter().map(|&name| name.to_owned()).collect();
    leaves.extend(known);
    proptest::sample::select(leaves)
        .prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|it| format!("list<{it}>")),
                inner.clone().prop_map(|it| format!("option<{it}>")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("result<{a}, {b}>")),
                inner.clone().prop_map(|it| format!("result<_, {it}>")),
                inner.clone().prop_map(|it| format!("result<{it}>")),
                proptest::collection::vec(inner, 2..5).prop_map(|all| format!("tuple<{}>", all.join(", "))),
            ]
        })
        .boxed()
}

/// The body of an interface: types, each of those before it, and a function that takes and gives the last.
fn body() -> impl Strategy<Value = String> {
    (proptest::collection::vec((0..5u8, 1..5usize), 1..6), any::<u64>()).prop_flat_map(|(kinds, _)| {
        let mut parts: Vec<BoxedStrategy<String>> = Vec::new();
        let mut known = Vec::new();
        let mut flags = Vec::new();
        for (index, (kind, count)) in kinds.into_iter().enumerate() {
            let name = format!("t{index}-x");
            let fields = proptest::collection::vec(ty(known.clone()), count);
            parts.push(match kind {
                0 => {
                    let name = name.clone();
                    fields
                        .prop_map(move |types| {
                            let list: Vec<String> =
                                types.iter().enumerate().map(|(i, ty)| format!("    f{i}: {ty},\n")).collect();
                            format!("  record {name} {{\n{}  }}\n", list.concat())
                        })
                        .boxed()
                }
                1 => {
                    let name = name.clone();
                    fields
                        .prop_map(move |types| {
                            let list: Vec<String> =
                                types.iter().enumerate().map(|(i, ty)| format!("    c{i}({ty}),\n")).collect();
                            format!("  variant {name} {{\n    nothing,\n{}  }}\n", list.concat())
                        })
                        .boxed()
                }
                2 => Just(format!(
                    "  enum {name} {{\n{}  }}\n",
                    (0..count).map(|i| format!("    e{i},\n")).collect::<String>()
                ))
                .boxed(),
                3 => {
                    flags.push(name.clone());
                    Just(format!(
                        "  flags {name} {{\n{}  }}\n",
                        (0..count).map(|i| format!("    b{i},\n")).collect::<String>()
                    ))
                    .boxed()
                }
                _ => {
                    let name = name.clone();
                    ty(known.clone()).prop_map(move |ty| format!("  type {name} = {ty};\n")).boxed()
                }
            });
            known.push(name);
        }
        // So that they are known to be flags, and not enums.
        let uses: String = flags.iter().enumerate().map(|(i, it)| format!("  flags{i}: func(arg1: {it});\n")).collect();
        let last = known.last().cloned().unwrap_or_default();
        (parts, ty(vec![last.clone()])).prop_map(move |(parts, ty)| {
            format!("{}{uses}  call: func(arg1: {last}, arg2: {ty}) -> {ty};\n", parts.concat())
        })
    })
}

/// Without documentation and blank lines.
fn bare(wit: &str) -> String {
    let (_, rest) = wit.split_once("interface it {\n").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    body.lines().filter(|line| !line.trim_start().starts_with("///")).map(|line| line.to_owned() + "\n").collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_imported_is_exported_as_it_was(body in body()) {
        let imported = interface(&body);
        prop_assert_eq!(imported.shown(), "");
        let source = imported.made.unwrap();
        let back = exported(&source);
        prop_assert_eq!(back.shown(), "");
        prop_assert_eq!(bare(&back.made.unwrap()), body);
    }

    #[test]
    fn no_text_makes_the_tools_panic(text in "\\PC{0,200}") {
        let _ = folder(&[("it.wit", &text)], None);
        let _ = exported(&text);
    }

    #[test]
    fn no_words_of_wit_make_the_tools_panic(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "package", "a:b", ";", "interface", "it", "{", "}", "world", "w", "import", "export", "func", "(", ")", ":",
            "->", "record", "variant", "enum", "flags", "resource", "constructor", "static", "use", ".", ",", "<", ">",
            "list", "option", "result", "tuple", "own", "borrow", "u8", "string", "type", "=", "include", "%", "@", "0.1.0",
            "///", "x", "future", "stream", "as", "_", "async",
        ]),
        0..80,
    )) {
        let text = words.join(" ");
        let _ = folder(&[("it.wit", &text)], None);
        let _ = interface(&text);
    }
}
