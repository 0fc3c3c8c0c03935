//! Conductors and exports: what is wrong with them, what they do to effects, and what is told of them.

use super::{check, check_with, report, run_with};
use crate::typed::DslExport;
use crate::{CheckOptions, ManifestDsl, ManifestExport, ManifestSignature};
use expect_test::expect;
use reml_capability::stage::{Stage, Stages};
use reml_diagnostics::Span;

#[test]
fn names_are_looked_up_in_the_conductor() {
    report(
        "conductor flow {
  source: Int = 1 |> depends_on([sauce, source, 1 + 1])
  sink: Sauce |> with_embedded(source)
  source: Str = \"x\"
  count: Int = \"x\" |> dependz_on([source])
  channels {
    source.out ~> snk.in : Int
    source ~> sink.in : Int
    source.out ~> sink.in : Int
    source.out ~> sink.in : Int
    sink.in ~> count.in : Int
    source.out ~> count.in : Str
    source.value ~> sink.in : Int
  }
  execution { source.out.send(\"x\"); sink.in.send(1); source.oot.send(1) }
  execution { }
  monitoring sink.inn { println(\"{value}\") }
  monitoring source.out
  monitoring
}
fn main() { flow.run() }",
        expect![[r#"
            2:34 [conductor.dsl_id.unknown] this conductor has no definition `sauce`
                help: its definitions are `source`, `sink`, `count`
            2:41 [conductor.dependency.cycle] `source` cannot come before itself
                help: remove it from the list
            2:49 [conductor.tail.invalid] `depends_on` takes the names of definitions, written out
                note: the compiler reads them before the program runs
                help: write `depends_on([first, second])`
            3:9 [language.type.unknown] there is no type `Sauce`
            4:3 [conductor.dsl_id.duplicate] this conductor already has a definition `source`
                2:3 the first one
                help: give one of them another name
            5:16 [type.mismatch] expected `Int`, found `Str`
                5:10 expected `Int` because of this
            5:23 [language.name.unknown] `DslSpec<_>` has no method `dependz_on`
            7:19 [conductor.dsl_id.unknown] this conductor has no definition `snk`
            8:5 [conductor.channel.conflict] the end of a channel is a definition and a port
                help: write `source.out`
            10:5 [conductor.channel.duplicate] there already is a channel from `source.out` to `sink.in`
                help: remove one of the two
            11:5 [conductor.channel.conflict] this channel comes out of `sink.in`, but another one goes into it
                9:19 the other one
                help: a port has one direction: use two ports
            12:30 [conductor.channel.conflict] `source.out` carries `Str` here, but `Int` in another channel
                9:29 the other channel
                help: a port has one type: use two ports
            13:12 [conductor.channel.conflict] a port cannot be called `value`: every definition has a field of this name
                help: give the port another name
            15:31 [type.mismatch] function `send` expects `Int` for `value`, found `Str`
                15:35 the parameter is declared here
            15:37 [type.mismatch] function `send` expects `Outlet<_>` for `outlet`, found `Inlet<Int>`
                15:16 the parameter is declared here
            15:61 [type.record.access.unknown_field] `{ out: Outlet<Int>, spec: DslSpec<Int>, value: Int }` has no field `oot`
            16:3 [conductor.section.duplicate] this conductor already has an `execution`
                15:3 the first one
                help: join the two blocks
            17:19 [conductor.port.unknown] no channel leads to or from a port `inn` of `sink`
            18:3 [conductor.monitoring.empty] nothing says what this `monitoring` does
                help: give it a block: `monitoring { .. }`
            19:3 [conductor.monitoring.empty] nothing says what this `monitoring` does
                help: give it a block: `monitoring { .. }`
        "#]],
    );
}

#[test]
fn circles_are_shown() {
    report(
        "conductor flow {
  a: Int = 1 |> depends_on([b])
  b: Int = 2 |> with_embedded([c])
  c: Int = 3 |> depends_on([a])
  d: Int = 4 |> depends_on([a])
}
conductor one { execution { two.run() } }
conductor two { execution { helper() } }
fn helper() { one.run() }",
        expect![[r#"
            2:29 [conductor.dependency.cycle] `a` has to be made before itself: `a` needs `b` needs `c` needs `a`
                3:32 `b` needs `c`
                4:29 `c` needs `a`
                help: remove one of the dependencies
            7:11 [conductor.cycle] `one` runs itself: one -> two -> helper -> one
                8:11 through `two`
                9:4 through `helper`
                help: take one of them out of the circle
        "#]],
    );
}

#[test]
fn effects_of_a_conductor_are_those_of_running_it() {
    report(
        "conductor quiet { source: Int = 1 execution { source.value + 1 } }
conductor loud { source: Int = { println(\"x\"); 1 } execution { source.value } }
conductor watched {
  source: Int
  channels { source.out ~> source.in : Int }
  execution { source.out.send(1); source.in.receive() }
  monitoring source.out { println(\"{value}\") }
}
@pure
fn a() -> Int = quiet.run()
@pure
fn b() -> Int = loud.run()
fn c() -> Option<Int> ! {mut} = watched.run()",
        expect![[r#"
            12:17 [effects.purity.violated] `b` is `@pure`, but `loud` has the effect `{io}`
                11:1 promised here
                2:34 through `println` here
                note: the body compared with the promise: +io
                note: the effect `{io}` comes in by `b` -> `loud` -> `println`
            13:33 [effects.contract.exceeded] `c` declares `! {mut}`, but `watched` has the effect `{io, panic}`
                13:23 promised here
                7:27 through `println` here
                note: the body compared with the promise: +io +panic
                note: the effect `{io}` comes in by `c` -> `watched` -> `println`
        "#]],
    );
}

#[test]
fn requirements_are_held_against_the_stage_table() {
    let stages = Stages { of: [("core.config".to_owned(), Stage::Beta)].into(), ..Stages::default() };
    let text = "effect Ask { operation ask : () -> Int }
conductor flow {
  a: Int = 1 |> with_capabilities([\"io\", \"core.config\", \"core.confi\", \"ask\", { id: \"io\", stage: \"beta\" }])
  b: Int = 1 |> with_capabilities([{ id: \"core.config\", stage: \"beta\" }, { id: \"ask\", stage: \"at_least:experimental\" }])
  c: Int = 1 |> with_capabilities([{ id: \"ask\", stage: \"soon\" }, { name: \"io\" }, 3, {}])
  d: Int = 1 |> with_capabilities() |> with_capabilities(\"io\")
  e: Int = 1 |> with_capabilities([{ id: \"io\", declared_effects: [\"io\", \"oi\"] }])
}";
    check_with(
        CheckOptions { stages, ..CheckOptions::default() },
        text,
        expect![[r#"
        3:57 [dsl.capability.unsatisfied] `a` requires the capability `core.confi`, which nothing provides
        3:71 [dsl.capability.stage_mismatch] `a` requires the capability `ask` at `at_least:stable`, but it is experimental
        3:78 [dsl.conductor.incompatible] `a` requires `io` both at `at_least:stable` and at `exact:beta`
        4:36 [dsl.conductor.incompatible] `b` requires `core.config` at `exact:beta`, but `a` requires it at `at_least:stable`
        5:56 [language.attribute.invalid] `soon` is not a stage
        5:68 [conductor.tail.invalid] `with_capabilities` takes the capabilities that it needs, written out
        5:82 [conductor.tail.invalid] `with_capabilities` takes the capabilities that it needs, written out
        5:85 [conductor.tail.invalid] `with_capabilities` takes the capabilities that it needs, written out
        6:17 [conductor.tail.invalid] `with_capabilities` takes the capabilities that it needs, written out
        7:36 [effects.tag.unknown] there is no effect `oi`
    "#]],
    );
}

#[test]
fn what_a_conductor_performs_has_to_be_admitted() {
    let of = [("io".to_owned(), Stage::Beta)].into();
    let stages = Stages { of, admitted: Some(Stage::Beta), ..Stages::default() };
    let text = "effect Ask { operation ask : () -> Int }
conductor flow {
  a: Int = do Ask.ask()
  execution { println(\"x\"); a.value }
}
@requires_capability(\"io\", stage = \"beta\")
conductor fine { execution { println(\"x\") } }
fn main() {
  let n = handle flow.run() with handler Ask { operation ask(resume) { resume(1) } }
  fine.run()
}";
    check_with(
        CheckOptions { stages, ..CheckOptions::default() },
        text,
        expect![[r#"
        3:15 [effects.contract.stage_mismatch] `Ask.ask` needs the capability `ask`, which is experimental, but this run admits beta ones only
        4:15 [effects.contract.stage_mismatch] `println` needs the capability `io`, which is beta
        8:4 [effects.contract.stage_mismatch] its handler needs the capability `ask`, which is experimental, but this run admits beta ones only
    "#]],
    );
}

#[test]
fn only_parsers_and_conductors_are_exported() {
    check(
        "use Core.Parse.{Parser}
@dsl_export
fn number() -> Int = 1
@dsl_export
let text = \"x\"
@dsl_export
type T = { x: Int }
@dsl_export
fn fine() -> Parser<Int> = Parser(|text| Some(1))
@dsl_export
let value: Parser<Int> = fine()
@dsl_export
conductor flow { execution { 1 } }",
        expect![[r#"
            2:1 [E1301] only a parser or a conductor can be exported as a DSL, and `number` gives `Int`, which is neither
            4:1 [E1301] only a parser or a conductor can be exported as a DSL, and `text` of type `Str` is neither
            6:1 [E1301] only a parser or a conductor can be exported as a DSL, and this declaration is neither
        "#]],
    );
}

#[test]
fn exports_keep_to_what_they_allow() {
    report(
        "use Core.Parse.{Parser}
@dsl_export(allows_effects = [\"mut\"])
fn loud() -> Parser<Int> = Parser(|text| { println(text); Some(1) })
@dsl_export(allows_effects = [\"io\"])
fn fine() -> Parser<Int> = loud()
@dsl_export(allows_effects = [\"oi\"])
fn odd() -> Parser<Int> = loud()
@dsl_export(allows_effects = [])
conductor flow {
  a: Int = 1 |> with_capabilities([{ id: \"io\", declared_effects: [\"io\"] }])
  execution { a.value }
}
@dsl_export(\"x\", allow_effects = [\"io\"], category = \"\", capabilities = \"io\", stage_bounds = 1)
fn settings() -> Parser<Int> = loud()
@dsl_export(stage_bounds = { minimum: \"stable\", current: Stage.Beta, least: \"beta\", maximum: \"soon\" })
fn stages() -> Parser<Int> = loud()",
        expect![[r#"
            2:30 [E1303] `loud` is exported with the effects `{mut}`, but it also has `{io}`
                3:44 `println` has the effect
                help: add `{io}` to `allows_effects`, or handle it
            6:30 [effects.tag.unknown] there is no effect `oi`
                help: did you mean `io`?
            10:36 [dsl.export.effect_violation] `a` declares the effects `{io}`, which the export of `flow` does not allow
                8:30 `{}` are allowed
                help: allow them, or declare less
            13:13 [E1304] `@dsl_export` takes named settings
                help: write `category = "config"`
            13:18 [E1304] `@dsl_export` has no setting `allow_effects`
            13:53 [E1304] `category` is a text that is not empty
                help: write `category = ".."`
            13:72 [E1304] `capabilities` is a list of texts
                help: write `capabilities = [".."]`
            13:93 [E1304] `stage_bounds` is a record of stages
                help: write `stage_bounds = { minimum: "beta", current: "beta", maximum: "stable" }`
            15:28 [E1304] the stages of an export have to go up: `minimum`, `current`, `maximum`
                help: write `stage_bounds = { minimum: "beta", current: "beta", maximum: "stable" }`
            15:70 [E1304] `stage_bounds` has no field `least`
                help: write `stage_bounds = { minimum: "beta", current: "beta", maximum: "stable" }`
            15:94 [E1304] this is not a stage
                help: the stages are `experimental`, `beta` and `stable`
        "#]],
    );
}

const EXPORTS: &str = "use Core.Parse.{Parser}
@dsl_export(category = \"config\", requires_capabilities = [\"b\", \"a\", \"b\"], allows_effects = [\"io\"], version = \"1.0.0\",
  stage_bounds = { minimum: Stage::Beta, maximum: \"stable\" })
fn query() -> Parser<Int> = Parser(|text| { println(text); Some(1) })
@dsl_export(name = \"flow2\")
conductor flow { a: Int execution { println(\"x\") } }";

#[test]
fn exports_are_held_against_the_manifest() {
    let section = |name: &str, exports: &[&str], effects: &[&str], stage| ManifestDsl {
        name: name.to_owned(),
        exports: exports
            .iter()
            .map(|&name| ManifestExport { name: name.to_owned(), ..ManifestExport::default() })
            .collect(),
        expect_effects: Some((effects.iter().map(|&name| name.to_owned()).collect(), Span::NONE)),
        expect_effects_stage: Some((stage, Span::NONE)),
        capabilities: None,
        allow_prerelease: None,
    };
    let check = |dsls, expected| check_with(CheckOptions { dsls, ..CheckOptions::default() }, EXPORTS, expected);
    check(
        vec![section("query", &[], &["io"], Stage::Beta), section("any", &["flow2"], &["io"], Stage::Stable)],
        expect![[""]],
    );
    check(
        vec![section("any", &["query", "flow2"], &["mut"], Stage::Stable)],
        expect![[r#"
            2:1 [E1302] the export `query` has the effects `{io}`, which the manifest does not expect of `any`
            2:1 [manifest.dsl.stage_mismatch] the manifest expects `any` to be stable, but the export `query` is beta, between beta and stable
            5:1 [E1302] the export `flow2` has the effects `{io}`, which the manifest does not expect of `any`
        "#]],
    );
    check(
        vec![section("any", &["query", "flow2"], &["io"], Stage::Experimental)],
        expect![[r#"
        2:1 [manifest.dsl.stage_mismatch] the manifest expects `any` to be experimental, but the export `query` is beta, between beta and stable
    "#]],
    );
}

#[test]
fn what_a_manifest_repeats_of_a_signature_has_to_be_so() {
    let at = |names: &[&str]| Some((names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), Span::NONE));
    let section = |signature, capabilities| ManifestDsl {
        name: "any".to_owned(),
        exports: vec![ManifestExport { name: "query".to_owned(), signature }],
        expect_effects: None,
        expect_effects_stage: None,
        capabilities,
        allow_prerelease: Some((false, Span::NONE)),
    };
    let check =
        |dsl, expected| check_with(CheckOptions { dsls: vec![dsl], ..CheckOptions::default() }, EXPORTS, expected);
    let right = ManifestSignature {
        category: Some(("config".to_owned(), Span::NONE)),
        allows_effects: at(&["io"]),
        requires_capabilities: at(&["a", "b"]),
        minimum: Some((Stage::Beta, Span::NONE)),
        current: Some((Stage::Beta, Span::NONE)),
        maximum: Some((Stage::Stable, Span::NONE)),
    };
    check(
        ManifestDsl { allow_prerelease: Some((true, Span::NONE)), ..section(right, at(&["a", "b", "c"])) },
        expect![[""]],
    );
    let wrong = ManifestSignature {
        category: Some(("language".to_owned(), Span::NONE)),
        allows_effects: at(&["io", "mut"]),
        requires_capabilities: at(&["a", "c"]),
        minimum: None,
        current: Some((Stage::Stable, Span::NONE)),
        maximum: None,
    };
    check(
        section(wrong, at(&["a"])),
        expect![[r#"
        ? [manifest.dsl.capability_missing] the export `query` requires `b`, which `dsl.any.capabilities` in the manifest lacks
        ? [manifest.dsl.category_mismatch] the export `query` is of the category `config`, not `language`
        ? [manifest.dsl.effect_mismatch] the export `query` allows the effects `{io}`, not `{mut, io}`
        ? [manifest.dsl.capability_missing] the export `query` requires `b`, which the signature of `query` in the manifest lacks
        ? [manifest.dsl.capability_missing] the export `query` does not require the capability `c`
        ? [manifest.dsl.stage_mismatch] the current stage of the export `query` is beta, not stable
        2:1 [manifest.dsl.stage_prerelease_conflict] the export `query` is beta, but the manifest allows nothing of `any` that is not stable
    "#]],
    );
    let unknown = ManifestSignature { allows_effects: at(&["oi"]), ..ManifestSignature::default() };
    check(
        ManifestDsl { allow_prerelease: None, ..section(unknown, None) },
        expect![[r#"
        ? [manifest.dsl.unknown_effect] the manifest names the effect `oi`, which does not exist
    "#]],
    );
}

#[test]
fn signatures_and_requirements_are_told() {
    let text = format!(
        "{EXPORTS}
conductor parts {{
  b: Parser = query() |> depends_on([a]) |> with_capabilities([\"io\", {{ id: \"io\", stage: \"stable\", declared_effects: [\"io\"] }}])
  a: Int
  channels {{ a.out ~> b.in : Int }}
}}"
    );
    let (lines, checked, names, _) = run_with(CheckOptions::default(), &text);
    assert_eq!(lines, "");
    let dsls = &checked.program.dsls;
    let export = |it: &DslExport| {
        format!(
            "{} {:?} {} allows {:?} requires {:?} {:?} {:?}\n",
            it.name, it.kind, it.category, it.allows_effects, it.requires_capabilities, it.stage_bounds, it.version
        )
    };
    let mut out: String = dsls.exports.iter().map(export).collect();
    for conductor in &dsls.conductors {
        let name = names.text(checked.program.globals[conductor.global].name);
        out.push_str(&format!("{name} {:?}\n", conductor.effects));
        for dsl in &conductor.dsls {
            let before: Vec<&str> = dsl.depends_on.iter().map(|&id| names.text(id)).collect();
            out.push_str(&format!("  {}: {} after {before:?}\n", names.text(dsl.id), dsl.kind));
            for it in &dsl.capabilities {
                out.push_str(&format!("    {} {} {:?}\n", it.id, it.stage, it.declared_effects));
            }
        }
        conductor.channels.iter().for_each(|it| out.push_str(&format!("  {} ~> {}\n", it.from, it.to)));
    }
    expect![[r#"
        query Parser config allows ["io"] requires ["a", "b"] StageBounds { minimum: Beta, current: Beta, maximum: Stable } Some("1.0.0")
        flow2 Conductor conductor allows ["io"] requires [] StageBounds { minimum: Experimental, current: Stable, maximum: Stable } None
        flow ["io"]
          a: Int after []
        parts []
          b: Parser after ["a"]
            io exact:stable ["io"]
          a: Int after []
          a.out ~> b.in
    "#]]
    .assert_eq(&out);
}

#[test]
fn parts_may_depend_on_the_target() {
    check(
        "conductor flow {
  @cfg(target_os = \"windows\")
  a: Int = \"x\"
  b: Int = 2 |> depends_on([a])
  @cfg(target_os = \"windows\")
  execution { b.value + \"x\" }
  @cfg(not(target_os = \"windows\"))
  execution { b.value }
  @inline
  monitoring { 1 }
}
fn main() {
  conductor inner { a: Int = helper() execution { a.value } }
  inner.run()
}
fn helper() = flow.run()",
        expect![[r#"
            4:29 [unresolved.symbol.cfg] `a` is not there for this target
            9:3 [language.attribute.invalid] `@inline` cannot stand before a part of a conductor
        "#]],
    );
}
