//! Are states kept as they were, whole or not at all, whoever else is at them and whatever is in the way?

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use reml_audit::sinks::Memory;
use reml_audit::{Sink, Uuid};
use reml_capability::CapabilityRegistry;

use super::*;
use crate::config::change::compare;
use crate::config::review::Violation;
use crate::descriptor::RuntimeBridgeDescriptor;
use crate::registry::{BridgeRequest, RuntimeBridgeRegistry};
use crate::reload::tests::Full;
use crate::reload::{ReloadError, ReloadHandle, ReloadRequest};

fn handle() -> ReloadHandle {
    recorded_in(Arc::new(Memory::default()))
}

fn recorded_in(sink: Arc<dyn Sink>) -> ReloadHandle {
    let registry = RuntimeBridgeRegistry::new(Box::leak(Box::new(CapabilityRegistry::with_builtins())));
    registry.set_sink(Some(sink));
    let mut descriptor = RuntimeBridgeDescriptor::new("config");
    descriptor.reload = Some(Default::default());
    registry.register_bridge(descriptor).unwrap();
    registry.acquire_bridge("config", &BridgeRequest::default()).unwrap().reload().unwrap()
}

fn request() -> ReloadRequest {
    ReloadRequest {
        audit_id: Some(Uuid::now_v7()),
        requested_by: "test".into(),
        diff: "diff.json".into(),
        change_set: Value::Null,
        breaking: false,
    }
}

fn open(path: &Path) -> ReloadState<StateFile> {
    let locked = Locked::open(path, Duration::ZERO).unwrap();
    let document = StateDocument::from_json(&serde_json::from_slice(&locked.bytes).unwrap()).unwrap();
    // The schema of these states is that no value is negative.
    let validate = |values: &Value| {
        let negative = values.as_object().into_iter().flatten().filter(|(_, it)| it.as_i64().is_some_and(|it| it < 0));
        negative
            .map(|(key, _)| Violation { pointer: format!("/{key}"), message: format!("`{key}` is negative") })
            .collect()
    };
    locked.understood(document, None, Box::new(validate))
}

/// Written by hand: no run, a layout of its own.
const HAND: &str = "{ \"format\": \"reml.state.v1\",\n\n   \"values\": {\"a\":1} }";

fn reload(path: &Path, values: Value) -> Result<RollbackInfo, ReloadError> {
    let mut state = open(path);
    let diff = compare(&state.value.document().values, &values);
    handle().reload(&mut state, &diff, &request())
}

fn values(path: &Path) -> Value {
    let text: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    text["values"].clone()
}

#[test]
fn each_reload_can_be_taken_back_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    let mut earlier = vec![HAND.as_bytes().to_vec()];
    for number in 2..6 {
        reload(&path, json!({ "a": number })).unwrap();
        earlier.push(fs::read(&path).unwrap());
    }
    assert_eq!(earlier.pop().unwrap(), fs::read(&path).unwrap());
    while let Some(bytes) = earlier.pop() {
        let mut state = open(&path);
        let info = state.value.last_reload().unwrap().clone();
        handle().roll_back(&mut state, &info, &request()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert!(open(&path).value.last_reload().unwrap_err().contains("nothing was reloaded"));
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["state.json", "state.json.lock"]);
}

#[test]
fn what_the_schema_refuses_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    let error = reload(&path, json!({ "a": -1 })).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("bridge.diff.rejected", "`a` is negative"));
    assert_eq!(fs::read_to_string(&path).unwrap(), HAND);
}

#[test]
fn a_state_that_was_edited_is_not_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    reload(&path, json!({ "a": 2 })).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"a\": 2", "\"a\": 3")).unwrap();
    assert!(open(&path).value.last_reload().unwrap_err().contains("not those that came of the last reload, number 1"));
}

#[test]
fn a_copy_that_was_changed_or_lies_elsewhere_is_no_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    let info = reload(&path, json!({ "a": 2 })).unwrap();
    let after = fs::read(&path).unwrap();
    fs::write(folder.path().join("state.json.1"), HAND.replace('1', "7")).unwrap();
    let mut state = open(&path);
    let error = handle().roll_back(&mut state, &info, &request()).unwrap_err().to_string();
    assert!(error.contains("somebody has changed it"), "{error}");
    for file in ["../state.json.1", "state.json.", "state.json.x", "/etc/passwd", "state.json"] {
        let stray = RollbackInfo { point: json!({ "file": file, "sha256": digest(HAND.as_bytes()) }), ..info.clone() };
        let error = handle().roll_back(&mut state, &stray, &request()).unwrap_err().to_string();
        assert!(error.contains("names no copy of this state"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), after);
}

#[test]
fn whichever_event_is_lost_the_file_is_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    // Two events belong to acquiring the bridge; then come the intent, the step, the smoke test and the outcome.
    for events in 2..6 {
        let mut state = open(&path);
        let diff = compare(&state.value.document().values, &json!({ "a": 2 }));
        let error = recorded_in(Arc::new(Full(events.into()))).reload(&mut state, &diff, &request()).unwrap_err();
        assert!(matches!(error, ReloadError::AuditIncomplete { .. }), "{events}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), HAND, "{events}");
    }
    reload(&path, json!({ "a": 2 })).unwrap();
}

#[test]
fn only_so_many_reloads_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    for number in 0..KEPT + 3 {
        reload(&path, json!({ "a": 10 + number })).unwrap();
    }
    let state = open(&path);
    assert_eq!(state.value.document().history.len(), KEPT);
    // The copies, the state, and the lock.
    assert_eq!(fs::read_dir(&folder).unwrap().count(), KEPT + 2);
}

#[test]
fn a_state_is_reloaded_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    let state = open(&path);
    let error = Locked::open(&path, Duration::from_millis(20)).err().unwrap();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    drop(state);
    // Everybody reloads what is there when it is their turn, so nothing is lost.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let locked = Locked::open(&path, Duration::from_secs(60)).unwrap();
                let document = StateDocument::from_json(&serde_json::from_slice(&locked.bytes).unwrap()).unwrap();
                let next = json!({ "a": document.values["a"].as_i64().unwrap() + 1 });
                let diff = compare(&document.values, &next);
                let mut state = locked.understood(document, None, Box::new(|_| Vec::new()));
                handle().reload(&mut state, &diff, &request()).unwrap();
            });
        }
    });
    assert_eq!(values(&path), json!({ "a": 9 }));
}

#[test]
fn what_a_crash_has_left_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    for leftover in ["state.json.new", "state.json.1", "state.json.1.new"] {
        fs::write(folder.path().join(leftover), "half of it").unwrap();
    }
    reload(&path, json!({ "a": 2 })).unwrap();
    let mut state = open(&path);
    let info = state.value.last_reload().unwrap().clone();
    handle().roll_back(&mut state, &info, &request()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), HAND);
}

#[test]
fn what_is_no_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Locked::open(path, Duration::ZERO).err().unwrap().to_string();
    assert!(error(&folder.path().join("none")).starts_with("there is no file"));
    assert!(error(folder.path()).ends_with("is a folder, not a file"));
    assert!(error(Path::new("/dev/null")).ends_with("is a pipe or a device, not a file"));
    // Nothing may be made beside it.
    let path = folder.path().join("state.json");
    fs::write(&path, HAND).unwrap();
    fs::create_dir(folder.path().join("state.json.lock")).unwrap();
    assert!(error(&path).starts_with("cannot lock"));
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("state.json"), folder.path().join("link"));
    fs::write(&path, HAND).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("state.json", &link).unwrap();
    reload(&link, json!({ "a": 2 })).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(values(&path), json!({ "a": 2 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_rollback_restores_the_bytes(texts in prop::collection::vec("[a-c]{1,2}", 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::write(&path, HAND).unwrap();
        let mut before = vec![];
        for (number, key) in texts.iter().enumerate() {
            let mut next = values(&path);
            next[key] = json!(number + 2);
            before.push(fs::read(&path).unwrap());
            reload(&path, next).unwrap();
        }
        while let Some(bytes) = before.pop() {
            let mut state = open(&path);
            let info = state.value.last_reload().unwrap().clone();
            handle().roll_back(&mut state, &info, &request()).unwrap();
            prop_assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
