//! What is in an audit log that is the same on each machine and in each run?

use std::path::Path;

use serde_json::{Value, json};

/// Has the program or its gate said this, and neither the log of itself nor remlc of the compilation?
pub fn is_of_run(metadata: &Value) -> bool {
    !is_of_log(metadata) && metadata["audit.channel"] != "cli"
}

fn is_of_log(metadata: &Value) -> bool {
    metadata["event.kind"].as_str().is_some_and(|kind| kind.starts_with("audit."))
}

/// The events of a log, a line for each, for a golden: without the chain and what the log says of itself, and with fixed times, ids and digests.
pub fn whole(log: &Path) -> Result<String, String> {
    events_of(log, |metadata| !is_of_log(metadata))
}

/// Those of the run alone.
pub fn events(log: &Path) -> Result<String, String> {
    events_of(log, is_of_run)
}

fn events_of(log: &Path, wanted: impl Fn(&Value) -> bool) -> Result<String, String> {
    let text = std::fs::read_to_string(log).map_err(|problem| format!("{}: {problem}", log.display()))?;
    let mut events = String::new();
    for line in text.lines() {
        let mut event: Value = serde_json::from_str(line).map_err(|problem| format!("{problem}: {line}"))?;
        if wanted(&event["envelope"]["metadata"]) {
            steady(&mut event);
            events.push_str(&super::normalise(&event.to_string()));
            events.push('\n');
        }
    }
    Ok(events)
}

/// What a log says of the one call of a foreign function in it, as a document: without what differs from machine to machine and from place to place.
pub fn of_call(log: &Path, scenario: &str) -> Result<String, String> {
    let events = events_of(log, |metadata| metadata["event.kind"] == "ffi.call")?;
    let [call] = events.lines().collect::<Vec<_>>()[..] else {
        return Err(format!("there is not one `ffi.call` in {}, but {}", log.display(), events.lines().count()));
    };
    let call: Value = serde_json::from_str(call).map_err(|problem| problem.to_string())?;
    let mut metadata = serde_json::Map::new();
    for key in ["ffi", "ffi.wrapper"] {
        if let Value::Object(told) = &call["envelope"]["metadata"][key] {
            let mut told = told.clone();
            told.shift_remove("call_site");
            told.shift_remove("latency_ns");
            metadata.insert(key.to_owned(), told.into());
        }
    }
    let version = &call["envelope"]["metadata"]["schema.version"];
    let document = json!({ "schema_version": version, "scenario": scenario, "audit": { "metadata": metadata } });
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|problem| problem.to_string())
}

/// Events of a run without what depends on how the program was compiled: inlining moves code to other functions, and an executable has its rules from its build.
pub fn in_all_modes(events: &str) -> String {
    let reduce = |line: &str| {
        let mut event: Value = serde_json::from_str(line).expect("it was written as JSON");
        if let Some(metadata) = event["envelope"]["metadata"].as_object_mut() {
            metadata.remove("gate.function");
            metadata.remove("gate.source");
        }
        format!("{event}\n")
    };
    events.lines().map(reduce).collect()
}

fn steady(value: &mut Value) {
    let Value::Object(members) = value else {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(steady);
        }
        return;
    };
    members.remove("chain");
    for (key, value) in members.iter_mut() {
        match key.as_str() {
            "timestamp" if value.is_string() => *value = json!("2025-01-01T00:00:00Z"),
            "audit_id" | "cli.run_id" if value.is_string() => *value = json!("00000000-0000-0000-0000-000000000000"),
            // Absolute paths are part of a policy.
            "policy_digest" if value.is_string() => *value = json!("0".repeat(64)),
            "last_verified_at" => *value = Value::Null,
            "io.elapsed_ns" | "latency_ns" => *value = json!(0),
            _ => steady(value),
        }
    }
}
