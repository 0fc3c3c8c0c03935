//! What is recorded of a host's calls? Every use of a context, also those that succeed, with the function and the version of the interface that the host asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use reml_audit::{Event, EventKind, Sink};
use reml_driver::pipeline::audit_log;

const CAPABILITY: &str = "native.embed";

/// The event of a call. `problem` is the key that says in which way it failed, if it has one.
pub fn event(function: &str, abi_version: &str, error: Option<&str>, problem: Option<&str>) -> Event {
    let mut event = Event::new(EventKind::NativeEmbed)
        .capability(CAPABILITY)
        .with("native.embed.entrypoint", function)
        .with("embed.abi.version", abi_version)
        .with("native.embed.status", if error.is_some() { "error" } else { "success" });
    if let Some(message) = error {
        event = event.with("native.embed.error", message).with("severity", "error");
    }
    if let Some(key) = problem {
        event = event.with(key, true);
    }
    event
}

/// The logs that are open, since a log has one writer and contexts may share it.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<dyn Sink>>>> = LazyLock::new(Default::default);

/// Opens an audit log, or gives the one that another context has open.
///
/// # Errors
///
/// Why it cannot be opened, in words.
pub fn open(path: &Path) -> Result<Arc<dyn Sink>, String> {
    let mut logs = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = path.canonicalize().ok().and_then(|path| logs.get(&path)?.upgrade());
    if let Some(log) = known {
        return Ok(log);
    }
    let log = audit_log(path)?;
    if let Ok(path) = path.canonicalize() {
        logs.insert(path, Arc::downgrade(&log));
    }
    Ok(log)
}
