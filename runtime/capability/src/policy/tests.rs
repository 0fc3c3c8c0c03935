//! Decisions: of single policies, and of random ones against an implementation that looks at each rule in turn.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::pattern::{Name, Shape, Star};
use super::*;

fn policy(flags: &[&str]) -> Grants {
    let rules = flags.iter().flat_map(|flag| flags::parse(flag, Path::new("/app")).unwrap()).collect();
    Grants::new(rules).unwrap()
}

/// `+` and the rule that allows, `-` and the one that denies, `?` for nothing, `!` for what is malformed.
fn decided(grants: &Grants, power: Power, subject: Subject<'_>) -> String {
    match grants.decide(power, &subject) {
        Decision::Allowed(rule) => format!("+{}", rule.pattern),
        Decision::Denied(rule) => format!("-{}", rule.pattern),
        Decision::Ungranted => "?".to_owned(),
        Decision::Malformed | Decision::TooOften { .. } => "!".to_owned(),
    }
}

#[test]
fn the_narrowest_path_decides() {
    let grants = policy(&["--allow-read=/", "--deny-read=/etc", "--allow-read=/etc/hosts", "--allow-write=out"]);
    let read = |path: &str| decided(&grants, Power::Read, Subject::Path(Path::new(path)));
    assert_eq!(read("/"), "+/");
    assert_eq!(read("/home/x"), "+/");
    assert_eq!(read("/etc"), "-/etc");
    assert_eq!(read("/etc/passwd"), "-/etc");
    assert_eq!(read("/etcetera"), "+/");
    assert_eq!(read("/etc/hosts"), "+/etc/hosts");
    let write = |path: &str| decided(&grants, Power::Write, Subject::Path(Path::new(path)));
    assert_eq!(write("/app/out/a"), "+out");
    assert_eq!(write("/app"), "?");
}

#[test]
fn paths_that_are_not_resolved_are_malformed_even_where_all_is_allowed() {
    let grants = policy(&["--allow-read"]);
    let read = |path: &str| decided(&grants, Power::Read, Subject::Path(Path::new(path)));
    assert_eq!(read("/a/..b/.c"), "+*");
    for path in ["", "a", "./a", "/a/../b", "/a/./b", "/a//b", "/a/", "//", "/..", "/a\0b"] {
        assert_eq!(read(path), "!", "{path}");
    }
    assert_eq!(decided(&grants, Power::Read, Subject::Name("/a")), "!");
}

#[test]
fn names_match_from_both_ends_and_denying_wins_a_tie() {
    let grants = policy(&["--allow-env=AWS_*,HOME,AWS_XX_TOKEN", "--deny-env=*_TOKEN"]);
    let env = |name: &str| decided(&grants, Power::EnvRead, Subject::Name(name));
    assert_eq!(env("AWS_REGION"), "+AWS_*");
    assert_eq!(env("AWS_X_TOKEN"), "-*_TOKEN");
    assert_eq!(env("AWS_XX_TOKEN"), "+AWS_XX_TOKEN");
    assert_eq!(env("HOMES"), "?");
    let tie = policy(&["--allow-env=ABC*", "--deny-env=*XYZ"]);
    assert_eq!(decided(&tie, Power::EnvRead, Subject::Name("ABCXYZ")), "-*XYZ");
}

#[test]
fn hosts_have_ports_and_networks() {
    let grants = policy(&[
        "--allow-net=*.example.com:443,10.0.*,[::1]:80,plain",
        "--deny-net=bad.example.com,10.0.0.1,*:22",
        "--allow-listen=127.0.0.1",
    ]);
    let net = |host: &str, port| decided(&grants, Power::Connect, Subject::Address { host, port });
    assert_eq!(net("a.b.EXAMPLE.com.", 443), "+*.example.com:443");
    assert_eq!(net("example.com", 443), "?");
    assert_eq!(net("evilexample.com", 443), "?");
    assert_eq!(net("a.example.com", 80), "?");
    assert_eq!(net("bad.example.com", 443), "-bad.example.com");
    assert_eq!(net("10.0.3.4", 1), "+10.0.*");
    assert_eq!(net("::ffff:10.0.3.4", 1), "+10.0.*");
    assert_eq!(net("10.0.0.1", 1), "-10.0.0.1");
    assert_eq!(net("10.0.evil.com", 1), "?");
    assert_eq!(net("0::1", 80), "+[::1]:80");
    assert_eq!(net("::1", 81), "?");
    // The host counts first: `plain` says more than `*`.
    assert_eq!(net("plain", 22), "+plain");
    assert_eq!(net("other", 22), "-*:22");
    assert_eq!(net("not a host", 22), "!");
}

#[test]
fn a_name_is_allowed_as_such_and_denied_everywhere() {
    let grants = policy(&["--allow-run=git,/opt,/opt/x/sh", "--deny-run=sh,vim.basic"]);
    let run = |asked: &str, path: Option<&str>| {
        decided(&grants, Power::Run, Subject::Command { asked, path: path.map(Path::new) })
    };
    assert_eq!(run("git", Some("/usr/bin/git")), "+git");
    assert_eq!(run("git", None), "+git");
    assert_eq!(run("/tmp/git", Some("/tmp/git")), "?");
    assert_eq!(run("./tool", Some("/opt/tool")), "+/opt");
    assert_eq!(run("./sh", Some("/opt/sh")), "-sh");
    // The very file is narrower than its name.
    assert_eq!(run("./sh", Some("/opt/x/sh")), "+/opt/x/sh");
    assert_eq!(run("git", Some("/usr/bin/vim.basic")), "-vim.basic");
    assert_eq!(run("./tool", None), "!");
    assert_eq!(run("", None), "!");
}

#[test]
fn symbols_of_libraries() {
    let grants = policy(&["--allow-ffi=libm.so.6:cos,libm.so.6:sin*,/opt/x.so", "--deny-ffi=/opt/x.so:evil"]);
    let call = |asked: &str, path: Option<&str>, symbol: Option<&str>| {
        decided(&grants, Power::Ffi, Subject::Library { asked, path: path.map(Path::new), symbol })
    };
    assert_eq!(call("libm.so.6", None, Some("cos")), "+libm.so.6:cos");
    assert_eq!(call("libm.so.6", None, Some("sinh")), "+libm.so.6:sin*");
    assert_eq!(call("libm.so.6", None, Some("tan")), "?");
    // A rule about one symbol does not allow to load the library, whose code runs when it is loaded.
    assert_eq!(call("libm.so.6", None, None), "?");
    // However it is spelled.
    for name in ["m", "libm", "libm.so"] {
        assert_eq!(call(name, Some("/lib/libm.so.6"), Some("cos")), "+libm.so.6:cos");
    }
    assert_eq!(call("/opt/x.so", Some("/opt/x.so"), Some("good")), "+/opt/x.so");
    assert_eq!(call("/opt/x.so", Some("/opt/x.so"), Some("evil")), "-/opt/x.so:evil");
    let grants = policy(&["--allow-ffi", "--deny-ffi=m"]);
    let load = |asked: &str, path: &str| {
        decided(&grants, Power::Ffi, Subject::Library { asked, path: Some(Path::new(path)), symbol: None })
    };
    assert_eq!(load("/opt/libm.so.6", "/opt/libm.so.6"), "-m");
    assert_eq!(load("math", "/opt/libm.so"), "-m");
    assert_eq!(load("mm", "/opt/libmm.so"), "+*");
}

#[test]
fn one_text_does_not_contradict_itself_and_two_may() {
    let flag = |text: &str| flags::parse(text, Path::new("/app")).unwrap().remove(0);
    let error = Grants::new(vec![flag("--deny-read=b"), flag("--allow-read=a/../b")]).unwrap_err();
    assert_eq!(error.len(), 1);
    assert_eq!(
        error[0].to_string(),
        "`a/../b` of `read` is allowed by `--allow-read=a/../b` and denied by `--deny-read=b`; remove one of them"
    );
    let section = std::sync::Arc::new(Section { file: "reml.toml".into(), name: None });
    let manifest = Rule { source: Source::Manifest(section, 2), ..flag("--allow-read=b") };
    let grants = Grants::new(vec![manifest, flag("--deny-read=b")]).unwrap();
    assert_eq!(decided(&grants, Power::Read, Subject::Path(Path::new("/app/b"))), "-b");
}

#[test]
fn ten_thousand_contradictions_are_found() {
    let rules = (0..20_000).map(|number| {
        let effect = if number % 2 == 0 { "allow" } else { "deny" };
        flags::parse(&format!("--{effect}-env=N{}", number / 2), Path::new("/")).unwrap().remove(0)
    });
    assert_eq!(Grants::new(rules.collect()).unwrap_err().len(), 10_000);
}

#[test]
fn a_million_rules_are_made_and_asked() {
    let rules: Vec<Rule> = (0..1_000_000u32)
        .map(|number| {
            let folder = format!("/srv/{}/{}", number % 1000, number / 1000);
            let key = folder.into_bytes();
            let pattern = Pattern::of_path(key);
            Rule { effect: Effect::Allow, power: Power::Read, pattern, source: Source::Default("a test".into()) }
        })
        .collect();
    let grants = Grants::new(rules).unwrap();
    let read = |path: &str| grants.decide(Power::Read, &Subject::Path(Path::new(path))).is_allowed();
    assert!(read("/srv/17/999/deep/file"));
    assert!(!read("/srv/17/1000"));
    assert!(!read("/srv/17"));
}

// The naive implementation.

/// As narrow as the documentation of `Grants` says: the class, then how much of each part is given.
type NaiveRank = (u8, (bool, usize), Option<(bool, usize)>);

fn covers_name(pattern: &Name, text: &[u8]) -> Option<(bool, usize)> {
    let literal = &pattern.literal[..];
    match pattern.star {
        Star::None => (text == literal).then_some((true, 0)),
        Star::Back => text.starts_with(literal).then_some((false, literal.len())),
        Star::Front => text.ends_with(literal).then_some((false, literal.len())),
    }
}

fn covers_second(pattern: &Option<Name>, second: Option<&[u8]>) -> Option<Option<(bool, usize)>> {
    match (pattern, second) {
        (None, _) => Some(None),
        (Some(pattern), Some(second)) => covers_name(pattern, second).map(Some),
        (Some(_), None) => None,
    }
}

fn covers(rule: &Rule, subject: &Subject<'_>) -> Option<NaiveRank> {
    let (shape, deny) = (&rule.pattern.shape, rule.effect == Effect::Deny);
    let path_covers = |path: &Path, second: Option<&[u8]>| {
        let Shape::Path { path: Name { literal: key, star }, symbol } = shape else { return None };
        let second = covers_second(symbol, second)?;
        if *star == Star::Back {
            let covered = path.as_os_str().as_encoded_bytes().starts_with(key);
            return covered.then_some((1, (false, key.len()), second));
        }
        let folder = PathBuf::from(format!("/{}", String::from_utf8(key.clone()).unwrap()));
        match path.strip_prefix(&folder).ok()? {
            rest if rest == Path::new("") => Some((3, (true, 0), second)),
            _ => Some((1, (false, key.len()), second)),
        }
    };
    let name_covers = |name: &[u8], second: Option<&[u8]>| {
        let Shape::Name { first, second: pattern } = shape else { return None };
        Some((2, covers_name(first, name)?, covers_second(pattern, second)?))
    };
    let file_covers = |asked: &str, path: Option<&Path>, second: Option<&[u8]>| {
        let name = Path::new(asked).file_name()?.to_str()?;
        let asked_name = name_covers(name.as_bytes(), second).filter(|_| deny || !asked.contains('/'));
        let found_name = path
            .and_then(|path| path.file_name()?.to_str())
            .and_then(|found| name_covers(found.as_bytes(), second))
            .filter(|_| deny);
        [asked_name, found_name, path.and_then(|path| path_covers(path, second))].into_iter().flatten().max()
    };
    if *shape == Shape::Any {
        return Some((0, (false, 0), None));
    }
    match *subject {
        Subject::Path(path) => path_covers(path, None),
        Subject::Name(name) => name_covers(name.as_bytes(), None),
        Subject::Address { host, port } => {
            let mut buffer = super::host::EMPTY;
            name_covers(super::host::normal(host, &mut buffer)?, Some(port.to_string().as_bytes()))
        }
        Subject::Command { asked, path } => file_covers(asked, path, None),
        Subject::Library { asked, path, symbol } => file_covers(asked, path, symbol.map(str::as_bytes)),
    }
}

fn naive(rules: &[Rule], power: Power, subject: &Subject<'_>) -> Option<(NaiveRank, Effect)> {
    let of_power = rules.iter().filter(|rule| rule.power == power);
    of_power.filter_map(|rule| Some((covers(rule, subject)?, rule.effect))).max()
}

/// Few letters, so that random patterns cover random subjects; the same in paths and names, which are names of files, too.
const PATH: &str = "(/[AB]{1,2}){1,4}";
const PATHS: &str = r"(/[AB]{1,2}){1,4}\*?";
const NAME: &str = "[AB]{1,4}";
const NAMES: &str = r"[AB]{1,3}\*|\*[AB]{1,3}|[AB]{1,4}";
const HOST: &str = r"[ab]\.[ab]|[ab]\.[ab]\.[ab]|10\.[01]\.[01]\.[01]|::[12]";
const HOSTS: &str = r"\*\.[ab]\.[ab]|[ab]\.[ab]|10\.\*|10\.[01]\.\*|10\.[01]\.0\.0/16|10\.0\.0\.[01]|\[::[12]\]|\*";

fn patterns() -> impl Strategy<Value = (Power, String)> {
    let second = |strategy: &'static str, second: &'static str| {
        (strategy, proptest::option::of(second))
            .prop_map(|(first, second)| second.map_or(first.clone(), |second| format!("{first}:{second}")))
    };
    prop_oneof![
        PATHS.prop_map(|text| (Power::Read, text)),
        NAMES.prop_map(|text| (Power::EnvRead, text)),
        second(HOSTS, "8[01]").prop_map(|text| (Power::Connect, text)),
        prop_oneof![NAMES, PATHS].prop_map(|text| (Power::Run, text)),
        prop_oneof![second(NAMES, NAMES), second(PATHS, NAMES)].prop_map(|text| (Power::Ffi, text)),
        prop_oneof![Just(Power::Read), Just(Power::Run), Just(Power::Ffi)].prop_map(|power| (power, "*".to_owned())),
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (patterns(), any::<bool>(), 0u32..3).prop_map(|((power, text), deny, set)| {
        let section = Section { file: "reml.toml".into(), name: Some(format!("set{set}{deny}")) };
        Rule {
            effect: if deny { Effect::Deny } else { Effect::Allow },
            power,
            pattern: Pattern::parse(power, &text, Path::new("/")).unwrap(),
            source: Source::Manifest(section.into(), 1),
        }
    });
    proptest::collection::vec(rule, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decides_as_looking_at_each_rule_does(
        rules in rules(),
        path in PATH, other in PATH, name in NAME, symbol in NAME, host in HOST, port in 80u16..83,
        by_path: bool,
    ) {
        let grants = Grants::new(rules).unwrap();
        let asked = if by_path { &other } else { &name };
        let file = Path::new(&path);
        let path = Some(file);
        for (power, subject) in [
            (Power::Read, Subject::Path(file)),
            (Power::EnvRead, Subject::Name(&name)),
            (Power::Connect, Subject::Address { host: &host, port }),
            (Power::Run, Subject::Command { asked, path }),
            (Power::Ffi, Subject::Library { asked, path, symbol: None }),
            (Power::Ffi, Subject::Library { asked, path, symbol: Some(&symbol) }),
        ] {
            let decision = grants.decide(power, &subject);
            let expected = naive(grants.rules(), power, &subject);
            prop_assert_eq!(decision.rule().map(|rule| rule.effect), expected.map(|(_, effect)| effect));
            // The rule that is said to have decided is one of the narrowest.
            if let (Some(rule), Some((rank, _))) = (decision.rule(), expected) {
                prop_assert_eq!(covers(rule, &subject), Some(rank));
            }
        }
    }

    #[test]
    fn no_text_makes_reading_or_deciding_fail(flag in ".{0,40}", text in ".{0,40}", power in 0..Power::COUNT) {
        let power = Power::all().nth(power).unwrap();
        let _ = flags::parse(&flag, Path::new("/app"));
        if let Ok(pattern) = Pattern::parse(power, &text, Path::new("/app")) {
            let rule = Rule { effect: Effect::Allow, power, pattern, source: Source::Default("a test".into()) };
            let grants = Grants::new(vec![rule]).unwrap();
            for subject in [
                Subject::Path(Path::new(&text)),
                Subject::Name(&text),
                Subject::Address { host: &text, port: 0 },
                Subject::Command { asked: &text, path: None },
                Subject::Library { asked: &text, path: Some(Path::new(&text)), symbol: Some(&text) },
            ] {
                grants.decide(power, &subject);
            }
        }
    }
}
