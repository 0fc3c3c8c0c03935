//! How is a state kept in a file, so that there is always a whole one?
//!
//! `STATE` is only ever replaced: the new text is written beside it, brought to the disk, and renamed over it. Before that, the old bytes are kept as
//! `STATE.1`, `STATE.2` and so on, which is where a way back leads; going back renames such a file over the state, so the bytes are those that were there.
//! `STATE.lock` is locked by whoever reloads. A crash leaves the old state or the new one, and perhaps a copy or `STATE.new`, which the next reload
//! writes over.

mod file;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::change::ChangeSet;
use super::review::{Accepted, Validate, review};
use super::state::{Applied, KEPT, StateDocument, digest};
use crate::reload::{Refusal, ReloadState, Reloadable, RollbackInfo, Stamp};
use file::Lock;
pub use file::{StoreError, read};

/// A state in a file that nobody else reloads meanwhile.
pub struct StateFile {
    path: PathBuf,
    /// What is in the file.
    bytes: Vec<u8>,
    document: StateDocument,
    /// The schema in the standard form.
    schema: Option<Value>,
    validate: Box<Validate<'static>>,
    _lock: Lock,
}

/// A file that is locked, and has not been understood yet.
pub struct Locked {
    path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    lock: Lock,
}

impl Locked {
    /// Locks a state and reads it; waits so long for others.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn open(path: &Path, patience: Duration) -> Result<Locked, StoreError> {
        // Looked at first, so that nothing is made beside what is no state.
        let (target, _) = read(path)?;
        let lock = Lock::take(&target, patience)?;
        let (path, bytes) = read(&target)?;
        Ok(Locked { path, bytes, lock })
    }

    /// The state, which was read from the bytes. `schema` is the standard form of its schema, which `validate` applies.
    pub fn understood(
        self,
        document: StateDocument,
        schema: Option<Value>,
        validate: Box<Validate<'static>>,
    ) -> ReloadState<StateFile> {
        let (run_id, last_applied_at) = (document.run_id.unwrap_or_default(), document.last_applied_at);
        let Locked { path, bytes, lock } = self;
        let value = StateFile { path, bytes, document, schema, validate, _lock: lock };
        ReloadState { run_id, last_applied_at, value }
    }
}

impl StateFile {
    pub fn document(&self) -> &StateDocument {
        &self.document
    }

    /// Reviews a difference against the present values.
    ///
    /// # Errors
    ///
    /// All reasons to refuse it.
    pub fn review(&self, diff: &ChangeSet) -> Result<Accepted, Vec<super::review::Problem>> {
        review(&self.document.values, self.schema.as_ref(), &*self.validate, diff)
    }

    /// What takes the last reload back.
    ///
    /// # Errors
    ///
    /// Nothing was reloaded, or the values have changed since.
    pub fn last_reload(&self) -> Result<&RollbackInfo, String> {
        last_reload(&self.document)
    }

    fn number(&self) -> u64 {
        self.document.history.last().map_or(1, |last| last.number + 1)
    }
}

/// An earlier state that was kept.
pub struct Earlier {
    copy: PathBuf,
    bytes: Vec<u8>,
    pub document: StateDocument,
}

/// Reads the state from before a reload, which a checkpoint leads to.
///
/// # Errors
///
/// Why it cannot be brought back: the copy is gone, was changed, or is not one of this state.
pub fn earlier(state: &Path, point: &Value) -> Result<Earlier, String> {
    let state = file::resolved(state).map_err(|error| format!("`{}`: {error}", state.display()))?;
    let (copy, expected) = copy(&state, point).ok_or("what is kept of the reload names no copy of this state")?;
    let (copy, bytes) = read(&copy).map_err(|error| error.to_string())?;
    if digest(&bytes) != expected {
        return Err(format!("`{}` is not the state from before the reload; somebody has changed it", copy.display()));
    }
    let value = serde_json::from_slice(&bytes).map_err(|error| format!("`{}`: {error}", copy.display()))?;
    let document = StateDocument::from_json(&value)
        .map_err(|problems| problems.into_iter().map(|it| it.problem).collect::<Vec<_>>().join("; "))?;
    Ok(Earlier { copy, bytes, document })
}

/// Where the copy of an earlier state is, and its digest. Only a copy of this state is one.
fn copy(state: &Path, point: &Value) -> Option<(PathBuf, String)> {
    let name = point.get("file")?.as_str()?;
    let number = name.strip_prefix(state.file_name()?.to_str()?)?.strip_prefix('.')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((state.with_file_name(name), point.get("sha256")?.as_str()?.to_owned()))
}

/// What takes the last reload of a state back.
///
/// # Errors
///
/// Nothing was reloaded, or the values have changed since.
pub fn last_reload(state: &StateDocument) -> Result<&RollbackInfo, String> {
    let Some(last) = state.history.last() else {
        return Err("nothing was reloaded that could be taken back".to_owned());
    };
    if last.values != state.digest() {
        return Err(format!(
            "the values are not those that came of the last reload, number {}; going back would lose what was changed since",
            last.number
        ));
    }
    Ok(&last.rollback)
}

impl Reloadable for StateFile {
    type Diff = ChangeSet;

    fn validate(&self, diff: &ChangeSet) -> Result<(), Refusal> {
        let Err(problems) = self.review(diff) else { return Ok(()) };
        let invalid = problems.iter().any(|problem| matches!(problem.refusal, Refusal::Invalid(_)));
        let told: Vec<&str> = problems.iter().map(|problem| problem.refusal.detail()).collect();
        let told = told.join("; ");
        Err(if invalid { Refusal::Invalid(told) } else { Refusal::Rejected(told) })
    }

    fn checkpoint(&mut self) -> Result<Value, String> {
        let copy = file::numbered(&self.path, self.number());
        file::put(&copy, &self.bytes, &self.path).map_err(|error| error.to_string())?;
        let name = copy.file_name().and_then(|name| name.to_str()).ok_or("the name of the file is no text")?;
        Ok(json!({ "file": name, "sha256": digest(&self.bytes) }))
    }

    fn apply(&mut self, diff: &ChangeSet, stamp: &Stamp<'_>) -> Result<(), String> {
        let Accepted { after, breaking } = self.review(diff).map_err(|_| "the values have changed meanwhile")?;
        let mut next = self.document.clone();
        (next.run_id, next.last_applied_at) = (Some(stamp.run_id), Some(stamp.applied_at));
        next.values = after;
        let count = |kind| diff.count(kind) as u64;
        next.history.push(Applied {
            number: self.number(),
            audit_id: stamp.audit_id,
            run_id: stamp.run_id,
            applied_at: stamp.applied_at,
            added: count("added"),
            removed: count("removed"),
            updated: count("updated"),
            breaking,
            values: next.digest(),
            rollback: stamp.rollback.clone(),
        });
        let forgotten: Vec<Applied> = next.history.drain(..next.history.len().saturating_sub(KEPT)).collect();
        let bytes = next.to_text().into_bytes();
        file::put(&self.path, &bytes, &self.path).map_err(|error| error.to_string())?;
        (self.bytes, self.document) = (bytes, next);
        for (copy, _) in forgotten.iter().filter_map(|entry| copy(&self.path, &entry.rollback.point)) {
            // It is in nobody's way.
            let _ = std::fs::remove_file(copy);
        }
        Ok(())
    }

    fn roll_back(&mut self, point: &Value) -> Result<(), String> {
        let Earlier { copy, bytes, document } = earlier(&self.path, point)?;
        file::rename(&copy, &self.path).map_err(|error| error.to_string())?;
        (self.bytes, self.document) = (bytes, document);
        Ok(())
    }

    /// Reads the file again: whoever uses the state sees what was meant.
    fn smoke_test(&mut self) -> Option<Result<(), String>> {
        let tried = || {
            let (path, bytes) = read(&self.path).map_err(|error| error.to_string())?;
            if bytes != self.bytes {
                return Err(format!("`{}` has another content than was written", path.display()));
            }
            let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            let violations = (self.validate)(&value["values"]);
            let told: Vec<String> = violations.into_iter().map(|violation| violation.message).collect();
            if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
        };
        Some(tried())
    }
}
