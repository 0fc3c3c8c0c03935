//! What the gate answers, records and counts, and that what it suggests is enough and no more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use reml_audit::sinks::Memory;
use reml_audit::{AuditError, Event, Sink};

use super::*;
use crate::policy::{Effect, Grants, Pattern, Rule, Section, Source, flags};

const ORIGIN: Origin<'static> = Origin { file: "src/app.reml", line: 12, column: 5, function: "app.load" };

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().flat_map(|flag| flags::parse(flag, Path::new("/app")).unwrap()).collect()
}

fn policy(texts: &[&str], mode: Mode) -> Policy {
    Policy::new(Grants::new(rules(texts)).unwrap(), mode, false)
}

fn denial(texts: &[&str], power: Power, subject: Subject<'_>) -> String {
    let gate = Gate::new(policy(texts, Mode::Enforce), None);
    gate.request(power, &subject, &ORIGIN).unwrap_err().to_string()
}

#[test]
fn a_denial_says_what_where_why_and_what_to_do() {
    let passwd = Subject::Path(Path::new("/etc/passwd"));
    assert_eq!(
        denial(&[], Power::Read, passwd),
        "`app.load` may not read `/etc/passwd`: nothing allows it\n  \
         at app.load (src/app.reml:12:5)\n  \
         help: to allow it, give `remlc` the flag `--allow-read=/etc/passwd`, or write `read = [\"/etc/passwd\"]` in \
         `[permissions]` of `reml.toml`"
    );
    // A narrower rule helps against one for the folder, and only removing the rule against one for the file.
    assert!(
        denial(&["--deny-read=/etc"], Power::Read, passwd).contains("give `remlc` the flag `--allow-read=/etc/passwd`")
    );
    assert_eq!(
        denial(&["--allow-read", "--deny-read=/etc/passwd,/x"], Power::Read, passwd),
        "`app.load` may not read `/etc/passwd`: `--deny-read=/etc/passwd,/x` denies it\n  \
         at app.load (src/app.reml:12:5)\n  \
         help: to allow it, take `/etc/passwd` out of `--deny-read=/etc/passwd,/x`"
    );
    assert!(
        denial(&["--allow-net"], Power::Connect, Subject::Address { host: "a b", port: 1 })
            .starts_with("`app.load` may not connect to `a b:1`: this is not a host\n")
    );
    let section = Arc::new(Section { file: "reml.toml".into(), name: None });
    let rule = Rule { source: Source::Manifest(section, 7), ..rules(&["--deny-env=*_TOKEN"]).remove(0) };
    let gate = Gate::new(Policy::new(Grants::new(vec![rule]).unwrap(), Mode::Enforce, false), None);
    let denial = gate.request(Power::EnvRead, &Subject::Name("API_TOKEN"), &ORIGIN).unwrap_err();
    assert_eq!(
        denial.message(),
        "`app.load` may not read the environment variable `API_TOKEN`: `[permissions]` (reml.toml, line 7) denies it"
    );
}

#[test]
fn decisions_are_recorded_and_counted() {
    let sink = Arc::new(Memory::default());
    let gate = Gate::new(policy(&["--allow-read=data"], Mode::Enforce), Some(sink.clone()));
    let ask = |path: &str| gate.request(Power::Read, &Subject::Path(Path::new(path)), &ORIGIN);
    assert!(ask("/app/data/x").is_ok());
    assert!(ask("/etc/passwd").is_err());
    let shown: Vec<String> = sink
        .events()
        .iter()
        .map(|event| {
            let fields = event.metadata.iter().filter(|(key, _)| key.starts_with("gate."));
            fields.map(|(key, value)| format!("{}={value}", &key[5..])).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "column=5 decision=\"allowed\" file=\"src/app.reml\" function=\"app.load\" line=12 power=\"read\" \
             rule=\"data\" source=\"`--allow-read=data`\" subject=\"/app/data/x\"",
            "column=5 decision=\"denied\" file=\"src/app.reml\" function=\"app.load\" line=12 power=\"read\" \
             rule=null source=null subject=\"/etc/passwd\"",
        ]
    );
    assert_eq!(sink.events()[0].capability.as_deref(), Some("io.fs.read"));
    assert_eq!(sink.events()[0].metadata["policy_digest"], gate.policies()[0].digest());
    let counts: Vec<_> = gate.counts().filter(|(_, count)| *count != Count::default()).collect();
    assert_eq!(counts, [(Power::Read, Count { allowed: 1, denied: 1, unrecorded: 0 })]);
}

#[test]
fn what_is_allowed_by_default_alone_is_counted_but_not_recorded() {
    let sink = Arc::new(Memory::default());
    let by_default = Rule {
        effect: Effect::Allow,
        power: Power::Clock,
        pattern: Pattern::any(),
        source: Source::Default("a test".into()),
    };
    let policy = Policy::new(Grants::new(vec![by_default]).unwrap(), Mode::Enforce, false);
    // An executable's policy has been text meanwhile.
    let policy = crate::policy::portable::read(&crate::policy::portable::print(&policy), "", Path::new("/")).unwrap();
    let gate = Gate::new(policy, Some(sink.clone()));
    for _ in 0..1_000 {
        gate.request(Power::Clock, &Subject::Name("wall"), &ORIGIN).unwrap();
    }
    assert!(sink.events().is_empty());
    gate.request(Power::Random, &Subject::Name("system"), &ORIGIN).unwrap_err();
    gate.enforce(self::policy(&["--deny-clock"], Mode::Enforce));
    gate.request(Power::Clock, &Subject::Name("wall"), &ORIGIN).unwrap_err();
    assert_eq!(sink.events().len(), 2);
    let counts: Vec<_> = gate.counts().filter(|(_, count)| *count != Count::default()).collect();
    let of_clock = Count { allowed: 1_000, denied: 1, unrecorded: 0 };
    assert_eq!(counts, [(Power::Clock, of_clock), (Power::Random, Count { denied: 1, ..Count::default() })]);
}

#[test]
fn a_policy_that_reports_lets_happen_what_it_would_deny() {
    let sink = Arc::new(Memory::default());
    let gate = Gate::new(policy(&[], Mode::Report), Some(sink.clone()));
    assert!(gate.request(Power::Clock, &Subject::Name("wall"), &ORIGIN).is_ok());
    assert_eq!(sink.events()[0].metadata["gate.decision"], "reported");
}

#[test]
fn policies_of_the_program_only_take_away() {
    let gate = Gate::new(policy(&["--allow-env=A,B"], Mode::Enforce), None);
    let ask = |name| gate.request(Power::EnvRead, &Subject::Name(name), &ORIGIN);
    let program = |text: &str| Rule { source: Source::Program("sandbox".into()), ..rules(&[text]).remove(0) };
    gate.enforce(Policy::new(Grants::new(vec![program("--allow-env=B,C")]).unwrap(), Mode::Enforce, false));
    assert_eq!(
        ask("A").unwrap_err().help().as_deref(),
        Some("the program has denied it to itself; to allow it, change its policy")
    );
    assert!(ask("C").is_err());
    gate.enforce(Policy::new(Grants::new(vec![program("--deny-env=B")]).unwrap(), Mode::Enforce, false));
    let denial = ask("B").unwrap_err();
    assert_eq!(
        denial.help().as_deref(),
        Some("the program has denied it to itself; to allow it, change its policy `sandbox`")
    );
}

struct Broken;

impl Sink for Broken {
    fn log(&self, _: &Event) -> Result<(), AuditError> {
        Err(AuditError::Closed)
    }
}

#[test]
fn what_cannot_be_recorded_happens_only_if_it_need_not_be() {
    for require_audit in [false, true] {
        let policy = Policy::new(Grants::new(rules(&["--allow-all"])).unwrap(), Mode::Report, require_audit);
        let gate = Gate::new(policy, Some(Arc::new(Broken)));
        let answer = gate.request(Power::Clock, &Subject::Name("wall"), &ORIGIN);
        assert_eq!(answer.is_err(), require_audit);
        if let Err(denial) = answer {
            assert!(denial.message().ends_with("the audit log has to have it, but the audit log is closed"));
            assert_eq!(denial.help(), None);
        }
        let count = Count { allowed: (!require_audit).into(), denied: require_audit.into(), unrecorded: 1 };
        assert_eq!(gate.counts().find(|(power, _)| *power == Power::Clock), Some((Power::Clock, count)));
    }
}

#[test]
fn the_process_has_one_gate_and_without_it_all_is_allowed() {
    assert!(request(Power::Clock, &Subject::Name("wall"), &ORIGIN).is_ok());
    install(Gate::new(policy(&[], Mode::Enforce), None)).unwrap();
    assert_eq!(install(Gate::new(policy(&[], Mode::Enforce), None)), Err(AlreadyInstalled));
    assert!(request(Power::Clock, &Subject::Name("wall"), &ORIGIN).is_err());
}

#[test]
fn threads_ask_while_policies_are_added() {
    let gate = Gate::new(policy(&["--allow-env"], Mode::Enforce), None);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut denied = false;
                for _ in 0..2_000 {
                    let answer = gate.request(Power::EnvRead, &Subject::Name("X"), &ORIGIN);
                    assert!(!denied || answer.is_err(), "what was taken away came back");
                    denied |= answer.is_err();
                }
            });
        }
        for number in 0..20 {
            let deny = format!("--deny-env={}", if number == 10 { "X" } else { "Y" });
            gate.enforce(policy(&["--allow-env", &deny], Mode::Enforce));
        }
    });
    let total: u64 = gate.counts().map(|(_, count)| count.allowed + count.denied).sum();
    assert_eq!(total, 16_000);
    assert_eq!(gate.policies().len(), 21);
}

#[test]
fn suggestions_are_flags_and_a_section() {
    let asked = |power, subject: &str| Asked { power, subject: subject.to_owned() };
    let all = [
        asked(Power::Read, "/app/data/a"),
        asked(Power::Read, "/app/data/b"),
        asked(Power::Read, "/etc/hosts"),
        asked(Power::Read, "/app/data/a"),
        asked(Power::Connect, "example.com:443"),
    ];
    let exact = suggest(all.clone(), None);
    assert_eq!(exact.flags(), ["--allow-read=/app/data/a,/app/data/b,/etc/hosts", "--allow-net=example.com:443"]);
    assert_eq!(
        suggest(all, Some(2)).section(None),
        "[permissions]\nread = [\"/app/data\", \"/etc/hosts\"]\nnet = [\"example.com:443\"]\n"
    );
    assert!(suggest([], None).is_empty());
}

fn path() -> impl Strategy<Value = String> {
    "(/[ab]){1,4}"
}

proptest! {
    #[test]
    fn what_is_suggested_is_enough_and_each_pattern_is_needed(
        paths in proptest::collection::vec(path(), 1..20),
        names in proptest::collection::vec("[AB]{1,3}", 0..5),
        merge in proptest::option::of(1usize..4),
    ) {
        let asked = paths.iter().map(|path| (Power::Read, path)).chain(names.iter().map(|name| (Power::EnvRead, name)));
        let suggestion = suggest(asked.map(|(power, subject)| Asked { power, subject: subject.clone() }), merge);
        let allows = |suggestion: &Suggestion| {
            let flags = suggestion.flags();
            let grants = Grants::new(rules(&flags.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
            let reads = paths.iter().all(|path| {
                grants.decide(Power::Read, &Subject::Path(&PathBuf::from(path))).is_allowed()
            });
            reads && names.iter().all(|name| grants.decide(Power::EnvRead, &Subject::Name(name)).is_allowed())
        };
        prop_assert!(allows(&suggestion));
        for (power, patterns) in &suggestion.patterns {
            for pattern in patterns {
                let mut less = suggestion.clone();
                let rest = less.patterns.get_mut(power).unwrap();
                rest.remove(pattern);
                if rest.is_empty() {
                    less.patterns.remove(power);
                }
                prop_assert!(!allows(&less), "{pattern} is not needed");
            }
        }
    }

    #[test]
    fn a_denial_that_offers_a_rule_is_lifted_by_it(
        deny in "(/[ab]){1,3}", path in "(/[ab]){1,4}",
    ) {
        let mut all = rules(&["--allow-read", &format!("--deny-read={deny}")]);
        let gate = Gate::new(Policy::new(Grants::new(all.clone()).unwrap(), Mode::Enforce, false), None);
        let subject = Subject::Path(Path::new(&path));
        if let Err(denial) = gate.request(Power::Read, &subject, &ORIGIN) {
            let offered = denial.help().unwrap().contains("give `remlc`");
            let pattern = Pattern::parse(Power::Read, &path, Path::new("/")).unwrap();
            let section = Section { file: "reml.toml".into(), name: None };
            let source = Source::Manifest(section.into(), 1);
            all.push(Rule { effect: Effect::Allow, power: Power::Read, pattern, source });
            prop_assert_eq!(Grants::new(all).unwrap().decide(Power::Read, &subject).is_allowed(), offered);
        }
    }
}

#[test]
fn what_a_program_asks_for_does_not_reach_the_terminal_as_it_is() {
    let gate = Gate::new(Policy::new(Grants::new(Vec::new()).unwrap(), Mode::Enforce, false), None);
    let origin = Origin { file: "a.reml", line: 1, column: 1, function: "a.main" };
    for subject in ["/tmp/\u{1b}[2J", "/tmp/a\nb", "/tmp/\u{202e}a"] {
        let denial = gate.request(Power::Read, &Subject::Path(Path::new(subject)), &origin).unwrap_err();
        let shown = denial.to_string();
        assert!(!shown.contains(['\u{1b}', '\u{202e}']) && !shown.contains("/tmp/a\nb"), "{shown:?}");
        assert_eq!(denial.subject(), subject);
    }
    let denial = gate.request(Power::Read, &Subject::Path(Path::new("/tmp/a\nb")), &origin).unwrap_err();
    assert_eq!(denial.message(), "`a.main` may not read `/tmp/a\\nb`: nothing allows it");
    assert!(denial.help().unwrap().ends_with("patterns have no control characters"));
}
