//! Are members, bit-fields included, where the C compiler puts them? Random records are asked about in C.

use std::fmt::Write;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reml_bindgen::c::model::*;
use reml_bindgen::c::parse::parse;
use reml_bindgen::c::token::Source;
use reml_bindgen::check::assertions_about;

const TYPES: &[&str] = &[
    "char",
    "unsigned char",
    "short",
    "int",
    "unsigned",
    "long",
    "long long",
    "_Bool",
    "float",
    "double",
    "void *",
    "enum size",
    "long double",
    "wide_t",
    "small_t",
];

/// Where a type may be one of bits, and how many it has.
const BITS: &[(&str, u32)] = &[
    ("unsigned char", 8),
    ("short", 16),
    ("int", 32),
    ("unsigned", 32),
    ("long", 64),
    ("unsigned long", 64),
    ("_Bool", 1),
];

const BEFORE: &str = "enum size { SMALL, LARGE };\ntypedef int wide_t __attribute__((aligned(16)));\n\
    typedef struct { char a; short b; } small_t;\n";

fn member() -> impl Strategy<Value = String> {
    let plain = (0..TYPES.len(), 0..6u8, 0..4u32).prop_map(|(ty, attribute, length)| {
        // C has no arrays of what is aligned to more than its size.
        let array = if length > 1 && TYPES[ty] != "wide_t" { format!("[{length}]") } else { String::new() };
        let attribute = match attribute {
            0 => " __attribute__((packed))",
            1 => " __attribute__((aligned(8)))",
            _ => "",
        };
        format!("{} NAME{array}{attribute};", TYPES[ty])
    });
    let bits = (0..BITS.len(), any::<u32>(), any::<bool>()).prop_map(|(ty, width, named)| {
        let (ty, most) = BITS[ty];
        let width = if named { 1 + width % most } else { width % (most + 1) };
        format!("{ty} {} : {width};", if named { "NAME" } else { "" })
    });
    prop_oneof![plain, bits.clone(), bits]
}

/// Members of a record, its attributes and whether it is a union.
fn record() -> impl Strategy<Value = (Vec<String>, u8, bool)> {
    (prop::collection::vec(member(), 1..8), 0..10u8, prop::bool::weighted(0.2))
}

fn definition(index: usize, (members, attribute, union): &(Vec<String>, u8, bool)) -> String {
    let mut text = String::new();
    let word = if *union { "union" } else { "struct" };
    let attribute = match attribute {
        0 => " __attribute__((packed))",
        1 => " __attribute__((aligned(16)))",
        2 => " __attribute__((packed, aligned(4)))",
        _ => "",
    };
    let _ = write!(text, "{word}{attribute} r{index} {{");
    for (member, member_text) in members.iter().enumerate() {
        let _ = write!(text, " {}", member_text.replace("NAME", &format!("m{member}")));
    }
    text.push_str(" };\n");
    text
}

/// A program that prints the bytes of a record of which one bit-field has only ones.
fn probe(unit: &Unit) -> (String, Vec<(String, u64, u64, u64)>) {
    let mut text = String::from(
        "#include <stdio.h>\n#include <string.h>\n#define SHOW(R, M, V) { R r; memset(&r, 0, sizeof r); r.M = V; \
         for (unsigned i = 0; i < sizeof r; i++) printf(\"%02x\", ((unsigned char *)&r)[i]); puts(\"\"); }\nint main(void) {\n",
    );
    let mut asked = Vec::new();
    for record in &unit.records {
        let (Some(body), Some(tag)) = (&record.body, &record.tag) else { continue };
        let Some(layout) = body.layout else { continue };
        let word = if record.kind == RecordKind::Union { "union" } else { "struct" };
        for member in &body.members {
            let (Some(width), Some(name)) = (member.bits, &member.name) else { continue };
            let ones = if matches!(unit.ty(member.ty.ty), Type::Bool) { "1" } else { "-1" };
            let _ = writeln!(text, "SHOW({word} {tag}, {name}, {ones})");
            asked.push((format!("{tag}.{name}"), layout.size, member.place, u64::from(width)));
        }
    }
    text.push_str("}\n");
    (text, asked)
}

#[test]
fn random_records_lie_as_the_compiler_lays_them_out() {
    let mut runner = runner();
    let strategy = prop::collection::vec(record(), 150);
    let result = runner.run(&strategy, |records| {
        let mut header = BEFORE.to_owned();
        for (index, record) in records.iter().enumerate() {
            header.push_str(&definition(index, record));
        }
        let (unit, problems) = parse(&Source::new(header.clone()));
        prop_assert!(problems.is_empty(), "{problems:?}");
        let ids: Vec<RecordId> = (0..unit.records.len() as u32).map(RecordId).collect();
        let (program, asked) = probe(&unit);
        prop_assert!(asked.len() > 100);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probe.c");
        std::fs::write(&path, format!("{header}{}{program}", assertions_about(&unit, &ids))).unwrap();
        let executable = folder.path().join("probe");
        let compiled = Command::new("cc").args(["-w", "-o"]).arg(&executable).arg(&path).output().unwrap();
        prop_assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let printed = String::from_utf8(Command::new(&executable).output().unwrap().stdout).unwrap();
        prop_assert_eq!(printed.lines().count(), asked.len());
        for (line, (name, size, place, width)) in printed.lines().zip(&asked) {
            let mut bytes = vec![0u8; *size as usize];
            for bit in *place..place + width {
                bytes[bit as usize / 8] |= 1 << (bit % 8);
            }
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(line, expected, "{} in {}", name, &header);
        }
        Ok(())
    });
    result.unwrap();
}

/// The same records in every run.
fn runner() -> TestRunner {
    let config = Config { cases: 3, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
