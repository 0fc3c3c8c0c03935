//! Is every change of a log found, and does verification survive any bytes?

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use reml_audit::log::{Log, LogOptions, SyncPolicy};
use reml_audit::verify::{Fault, Verification, VerifyOptions, print, verify};
use reml_audit::{Event, EventKind, Sink, Tail};

/// A closed log with so many events.
fn write(path: &Path, events: u64) -> Vec<String> {
    let log = Log::open(path, LogOptions { sync: SyncPolicy::Never, ..LogOptions::default() }).unwrap();
    for number in 0..events {
        log.log(&Event::new(EventKind::named("test")).with("number", number)).unwrap();
    }
    log.close().unwrap();
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    lines: Vec<String>,
}

fn fixture(events: u64) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let lines = write(&path, events);
    Fixture { path, lines, _folder: folder }
}

impl Fixture {
    fn head(&self) -> PathBuf {
        self.path.with_extension("head")
    }

    /// Verifies the log with other lines, which also must be printable.
    fn verify(&self, lines: &[String]) -> Verification {
        fs::write(&self.path, lines.iter().flat_map(|line| [line, "\n"]).collect::<String>()).unwrap();
        let found = verify(&self.path, &VerifyOptions::default()).unwrap();
        print(&found, &mut std::io::sink()).unwrap();
        found
    }

    fn faults(&self, lines: &[String]) -> Vec<(u64, Fault)> {
        self.verify(lines).findings.into_iter().map(|finding| (finding.line, finding.fault)).collect()
    }

    fn place(&self, line: u64) -> reml_audit::verify::Place {
        reml_audit::verify::Place { file: self.path.clone(), line }
    }
}

#[test]
fn each_kind_of_change_is_called_by_its_name() {
    let log = fixture(10);
    let lines = &log.lines;
    assert_eq!(log.faults(lines), []);

    let mut edited = lines.clone();
    edited[3] = edited[3].replace("\"number\":3", "\"number\":4");
    assert_eq!(log.faults(&edited), [(4, Fault::Edited)]);

    let mut deleted = lines.clone();
    deleted.drain(3..5);
    assert_eq!(log.faults(&deleted), [(4, Fault::Deleted { first: 4, last: 5 })]);

    let mut repeated = lines.clone();
    repeated.insert(5, lines[3].clone());
    assert_eq!(log.faults(&repeated), [(6, Fault::Duplicate { original: log.place(4) })]);

    let mut moved = lines.clone();
    let line = moved.remove(2);
    moved.insert(6, line);
    let faults = log.faults(&moved);
    assert_eq!(faults[0], (3, Fault::Moved { predecessor: log.place(7) }));

    let mut spoilt = lines.clone();
    spoilt[3] = "nonsense".to_owned();
    assert_eq!(log.faults(&spoilt), [(4, Fault::Malformed)]);

    assert_eq!(log.faults(&lines[..7]), [(8, Fault::CutOff { known: 10 })]);
    assert_eq!(log.faults(&[]), [(1, Fault::CutOff { known: 10 })]);
    assert_eq!(log.faults(&lines[2..]), [(1, Fault::NoBeginning)]);
}

#[test]
fn forged_lines_are_found_even_if_their_hashes_are_right() {
    let log = fixture(10);
    let forge = |prev: &str, seq: u64| {
        let line = &log.lines[0];
        let body = &line[..line.find(",\"chain\"").unwrap()];
        let (hash, _) = prev.split_at(64);
        let mut out = Vec::new();
        Tail { seq: seq - 1, hash: hash.parse().unwrap() }.append(&mut out, body.replace("test", "lie").as_bytes());
        out.pop();
        String::from_utf8(out).unwrap()
    };
    let hash_of = |line: &str| line[line.len() - 67..line.len() - 3].to_owned();

    // In the place of line 4: the fifth does not follow it.
    let mut replaced = log.lines.clone();
    replaced[3] = forge(&hash_of(&log.lines[2]), 4);
    assert_eq!(log.faults(&replaced), [(5, Fault::Replaced)]);

    // Besides it.
    let mut forked = log.lines.clone();
    forked.insert(3, forge(&hash_of(&log.lines[2]), 4));
    assert_eq!(log.faults(&forked), [(5, Fault::Fork { rival: log.place(4) })]);

    // At the end of a closed log, and in the place of its last line.
    let mut added = log.lines.clone();
    added.push(forge(&hash_of(&log.lines[9]), 11));
    assert_eq!(log.faults(&added), [(11, Fault::Added)]);
    let mut last = log.lines.clone();
    last[9] = forge(&hash_of(&log.lines[8]), 10);
    assert_eq!(log.faults(&last), [(10, Fault::Rewritten)]);

    // All of it, with a head to match: only somebody who knows a line of the first one can tell.
    let other = fixture(10);
    assert!(verify(&other.path, &VerifyOptions::default()).unwrap().is_intact());
    log.verify(&log.lines);
    let known = verify(&log.path, &VerifyOptions::default()).unwrap().tail;
    let found =
        verify(&other.path, &VerifyOptions { anchors: known.into_iter().collect(), ..VerifyOptions::default() })
            .unwrap();
    assert_eq!(found.findings[0].fault, Fault::Rewritten);
}

#[test]
fn lines_of_two_logs_are_told_apart() {
    let (log, other) = (fixture(10), fixture(10));
    let mut mixed = log.lines.clone();
    mixed.splice(4..4, other.lines[2..5].iter().cloned());
    assert_eq!(log.faults(&mixed), [(5, Fault::Foreign)]);
    let mixed: Vec<String> =
        log.lines.iter().zip(&other.lines).flat_map(|(one, two)| [one.clone(), two.clone()]).collect();
    let foreign: Vec<_> = (1..=10).map(|number| (2 * number, Fault::Foreign)).collect();
    assert_eq!(log.faults(&mixed), foreign);
}

#[test]
fn a_chain_that_begins_anew_and_a_checkpoint_that_is_gone_are_noticed() {
    let log = fixture(10);
    let mut again = log.lines.clone();
    again.extend(fixture(3).lines);
    let faults = log.faults(&again);
    assert!(faults.iter().any(|(line, _)| *line == 11), "{faults:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let options = LogOptions { sync: SyncPolicy::Never, checkpoint_every: 3, ..LogOptions::default() };
    let writer = Log::open(&path, options).unwrap();
    (0..7).for_each(|number| writer.log(&Event::new(EventKind::named("test")).with("number", number)).unwrap());
    writer.close().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (at, _) = text.lines().enumerate().find(|(_, line)| line.contains("audit.checkpoint.count")).unwrap();
    let rest: String =
        text.lines().enumerate().filter(|(index, _)| *index != at).flat_map(|(_, line)| [line, "\n"]).collect();
    fs::write(&path, rest).unwrap();
    let found = verify(&path, &VerifyOptions::default()).unwrap();
    let missing = at as u64 + 1;
    assert_eq!(found.findings[0].fault, Fault::Deleted { first: missing, last: missing });
}

#[test]
fn a_head_that_is_old_or_of_another_log_is_told_apart() {
    let log = fixture(3);
    let old = fs::read(log.head()).unwrap();
    let writer = Log::open(&log.path, LogOptions { sync: SyncPolicy::Never, ..LogOptions::default() }).unwrap();
    writer.log(&Event::new(EventKind::named("test")).with("number", 3)).unwrap();
    writer.close().unwrap();
    let new = fs::read(log.head()).unwrap();
    // The old one says that the log was closed before what follows.
    fs::write(log.head(), &old).unwrap();
    assert_eq!(verify(&log.path, &VerifyOptions::default()).unwrap().findings[0].fault, Fault::Added);
    let error = Log::open(&log.path, LogOptions::default()).unwrap_err();
    assert!(error.to_string().contains("were added after it was closed"), "{error}");
    // The new one knows a line that is not there.
    fs::write(log.head(), &new).unwrap();
    assert_eq!(log.faults(&log.lines), [(4, Fault::CutOff { known: 4 })]);
    // Another log's knows other lines.
    fs::copy(fixture(3).head(), log.head()).unwrap();
    assert_eq!(log.faults(&log.lines), [(3, Fault::Rewritten)]);
    // Without a head the end can be cut off unseen, which is said.
    fs::remove_file(log.head()).unwrap();
    let found = log.verify(&log.lines[..2]);
    let mut out = Vec::new();
    print(&found, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("lines missing at the end would not be noticed"));
}

#[test]
fn old_files_that_were_swapped_or_renamed_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = |number: u32| folder.path().join(format!("log.{number}"));
    let options = LogOptions { sync: SyncPolicy::Always, rotate_bytes: Some(1), ..LogOptions::default() };
    let writer = Log::open(&path, options).unwrap();
    (0..6).for_each(|number| writer.log(&Event::new(EventKind::named("test")).with("number", number)).unwrap());
    writer.close().unwrap();
    let faults = || verify(&path, &VerifyOptions::default()).unwrap().findings;
    assert_eq!(faults(), []);
    fs::rename(file(2), folder.path().join("away")).unwrap();
    fs::rename(file(3), file(2)).unwrap();
    fs::rename(folder.path().join("away"), file(3)).unwrap();
    assert!(!faults().is_empty());
    fs::remove_file(file(3)).unwrap();
    assert!(!faults().is_empty());
}

#[test]
fn lines_that_no_writer_makes_are_called_so() {
    let log = fixture(4);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let twice = log.lines[2].replacen("\"number\"", "\"number\":7,\"number\"", 1);
    let ended = format!("{}\r", log.lines[2]);
    for (line, fault) in [
        (b"\0\0\0".to_vec(), Fault::Malformed),
        (b"\xff\xfe{}".to_vec(), Fault::Malformed),
        (deep.into_bytes(), Fault::Malformed),
        (ended.into_bytes(), Fault::Malformed),
        (twice.into_bytes(), Fault::Edited),
        (vec![b'x'; 17 << 20], Fault::TooLong),
    ] {
        let mut lines: Vec<Vec<u8>> = log.lines.iter().map(|line| line.clone().into_bytes()).collect();
        lines[2] = line;
        fs::write(&log.path, lines.join(&b'\n')).unwrap();
        fs::File::options()
            .append(true)
            .open(&log.path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"\n"))
            .unwrap();
        let found = verify(&log.path, &VerifyOptions::default()).unwrap();
        assert_eq!((found.findings[0].line, &found.findings[0].fault), (3, &fault));
    }
}

#[test]
fn what_can_still_be_believed_is_told() {
    let log = fixture(10);
    let mut edited = log.lines.clone();
    edited[3] = edited[3].replace("\"number\":3", "\"number\":4");
    let found = log.verify(&edited);
    let segments: Vec<_> = found
        .segments
        .iter()
        .map(|segment| (segment.first, segment.last, segment.from_start, segment.confirmed))
        .collect();
    assert_eq!(segments, [(1, 3, true, false), (5, 10, false, true)]);
    let mut out = Vec::new();
    print(&found, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap().replace(log.path.to_str().unwrap(), "LOG");
    assert!(text.starts_with("NOT intact: 10 lines in 1 file, "), "{text}");
    assert!(
        text.contains("\nLOG:4: line 4 of the log was changed: its text does not have the hash it states\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "\nlines 1 to 3 are linked from the beginning\nlines 5 to 10 lead up to what is known of the end\n"
        )
    );
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A change of the lines of a log.
#[derive(Debug, Clone)]
enum Change {
    Delete(Index),
    Repeat(Index, Index),
    Swap(Index, Index),
    Flip(Index, Index, u8),
    Insert(Index, String),
    Foreign(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Change::Delete),
        (index(), index()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (index(), index()).prop_map(|(one, two)| Change::Swap(one, two)),
        (index(), index(), 0..8u8).prop_map(|(line, byte, bit)| Change::Flip(line, byte, bit)),
        (index(), "[^\n]{0,40}").prop_map(|(line, text)| Change::Insert(line, text)),
        (index(), index()).prop_map(|(from, to)| Change::Foreign(from, to)),
    ]
}

fn apply(lines: &mut Vec<Vec<u8>>, foreign: &[String], change: &Change) {
    if lines.is_empty() {
        return;
    }
    let count = lines.len();
    match change {
        Change::Delete(line) => {
            lines.remove(line.index(count));
        }
        Change::Repeat(from, to) => {
            let line = lines[from.index(count)].clone();
            lines.insert(to.index(count + 1), line);
        }
        Change::Swap(one, two) => lines.swap(one.index(count), two.index(count)),
        Change::Flip(line, byte, bit) => {
            let line = &mut lines[line.index(count)];
            if !line.is_empty() {
                let byte = byte.index(line.len());
                line[byte] ^= 1 << bit;
            }
        }
        Change::Insert(line, text) => lines.insert(line.index(count + 1), text.clone().into_bytes()),
        Change::Foreign(from, to) => {
            lines.insert(to.index(count + 1), foreign[from.index(foreign.len())].clone().into_bytes());
        }
    }
}

#[test]
fn no_combination_of_changes_goes_unseen() {
    let (log, other) = (fixture(30), fixture(30));
    let original = log.lines.join("\n") + "\n";
    let mut runner = proptest::test_runner::TestRunner::new(config(1_000));
    runner
        .run(&vec(change(), 1..5), |changes| {
            let mut lines: Vec<Vec<u8>> = log.lines.iter().map(|line| line.clone().into_bytes()).collect();
            for change in &changes {
                apply(&mut lines, &other.lines, change);
            }
            let mut bytes = lines.join(&b'\n');
            bytes.push(b'\n');
            fs::write(&log.path, &bytes).unwrap();
            let found = verify(&log.path, &VerifyOptions::default()).unwrap();
            prop_assert_eq!(found.is_intact(), bytes == original.as_bytes(), "{:?}", found.findings);
            // The first finding is not after the first line that differs from what was written.
            if let Some(first) = found.findings.first() {
                let same = original.as_bytes().split(|byte| *byte == b'\n').zip(bytes.split(|byte| *byte == b'\n'));
                let same = same.take_while(|(one, two)| one == two).count() as u64;
                let line = match &first.fault {
                    Fault::Fork { rival } => first.line.min(rival.line),
                    _ => first.line,
                };
                prop_assert!(line <= same + 1, "{:?} but {} lines are the same", first, same);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_bytes_can_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let lines = write(&path, 5);
    let head = fs::read(folder.path().join("log.head")).unwrap();
    let pieces: Vec<Vec<u8>> = lines
        .iter()
        .flat_map(|line| {
            let bytes = line.as_bytes();
            [bytes.to_vec(), bytes[..bytes.len() / 2].to_vec(), bytes[bytes.len() - 170..].to_vec(), b"\n".to_vec()]
        })
        .collect();
    let part = prop_oneof![
        3 => any::<Index>().prop_map(move |index| index.get(&pieces).clone()),
        1 => vec(any::<u8>(), 0..40),
        1 => Just(b"\n".to_vec()),
    ];
    let mut runner = proptest::test_runner::TestRunner::new(config(1_000));
    runner
        .run(&(vec(part, 0..20), vec(any::<u8>(), 0..60), any::<bool>()), |(parts, other, own)| {
            fs::write(&path, parts.concat()).unwrap();
            fs::write(folder.path().join("log.head"), if own { &head } else { &other }).unwrap();
            let found = verify(&path, &VerifyOptions::default()).unwrap();
            print(&found, &mut std::io::sink()).unwrap();
            // Nor does opening it do anything but go on or refuse.
            if let Ok(log) = Log::open(&path, LogOptions::default()) {
                log.close().unwrap();
                prop_assert!(
                    verify(&path, &VerifyOptions::default())
                        .unwrap()
                        .findings
                        .iter()
                        .all(|finding| finding.fault == Fault::NoBeginning || !parts.is_empty())
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_file_of_nothing_but_faults_is_verified_in_bounded_memory() {
    let log = fixture(1);
    let lines: Vec<String> = vec![log.lines[0].clone(); 20_000];
    let found = log.verify(&lines);
    assert_eq!(found.findings.len(), reml_audit::verify::MOST_FINDINGS);
    assert_eq!(found.findings.len() as u64 + found.more, 19_999);
    let found = log.verify(&vec!["x".to_owned(); 20_000]);
    assert_eq!(found.findings.len() as u64 + found.more, 20_001);
}
