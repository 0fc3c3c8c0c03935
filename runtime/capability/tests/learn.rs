//! From a run that only reports to a policy that allows what the run has done: gate, log, suggestion, and gate again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reml_audit::log::{Log, LogOptions};
use reml_audit::verify::{VerifyOptions, verify};
use reml_audit::{Entry, Sink};
use reml_capability::gate::{Asked, Gate, Origin, asked, suggest};
use reml_capability::policy::{Grants, Mode, Policy, Power, Subject, flags};

const ORIGIN: Origin<'static> = Origin { file: "src/app.reml", line: 12, column: 5, function: "app.load" };

/// What a small program does.
fn deeds(gate: &Gate) -> usize {
    let file = |number: usize| PathBuf::from(format!("/srv/data/{}/{number}.json", number % 3));
    let files: Vec<PathBuf> = (0..30).map(file).collect();
    let odd = PathBuf::from("/srv/a,b \"c\"");
    let mut done = 0;
    let mut ask = |power, subject| done += usize::from(gate.request(power, &subject, &ORIGIN).is_ok());
    for path in &files {
        ask(Power::Read, Subject::Path(path));
    }
    ask(Power::Read, Subject::Path(&odd));
    ask(Power::Connect, Subject::Address { host: "API.example.com", port: 443 });
    ask(Power::Connect, Subject::Address { host: "::1", port: 80 });
    ask(Power::EnvRead, Subject::Name("HOME"));
    ask(Power::Ffi, Subject::Library { asked: "libm.so.6", path: None, symbol: Some("cos") });
    ask(Power::Run, Subject::Command { asked: "git", path: Some(Path::new("/usr/bin/git")) });
    done
}

/// The questions in a log.
fn questions(log: &Path) -> Vec<Asked> {
    let lines = fs::read_to_string(log).unwrap();
    lines.lines().filter_map(|line| asked(&Entry::parse(line.as_bytes()).unwrap().event)).collect()
}

fn gate(rules: &[String], mode: Mode, sink: Option<Arc<dyn Sink>>) -> Gate {
    let rules = rules.iter().flat_map(|flag| flags::parse(flag, Path::new("/")).unwrap()).collect();
    Gate::new(Policy::new(Grants::new(rules).unwrap(), mode, false), sink)
}

#[test]
fn what_was_reported_is_allowed_by_what_is_suggested() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let log = Arc::new(Log::open(&path, LogOptions::default()).unwrap());
    let reporting = gate(&[], Mode::Report, Some(log.clone()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(deeds(&reporting), 36));
        }
    });
    drop(reporting);
    Arc::into_inner(log).unwrap().close().unwrap();
    assert!(verify(&path, &VerifyOptions::default()).unwrap().is_intact());

    let asked = questions(&path);
    assert_eq!(asked.len(), 8 * 36);
    let exact = suggest(asked.clone(), None);
    assert_eq!(exact.patterns[&Power::Read].len(), 31);
    let merged = suggest(asked, Some(3));
    assert_eq!(
        merged.flags(),
        [
            r#"--allow-read=/srv/a,,b "c",/srv/data"#,
            "--allow-env=HOME",
            "--allow-net=API.example.com:443,[::1]:80",
            "--allow-run=git",
            "--allow-ffi=libm.so.6:cos",
        ]
    );
    for suggestion in [exact, merged] {
        assert_eq!(deeds(&gate(&suggestion.flags(), Mode::Enforce, None)), 36);
    }
}
