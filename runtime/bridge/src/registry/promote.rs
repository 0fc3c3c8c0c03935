//! How does a bridge become more settled? One stage at a time, with everything that the next one demands, and on record.

use std::collections::BTreeSet;

use reml_audit::EventKind;
use reml_capability::stage::{Stage, StageRequirement};
use serde_json::{Value, json};

use super::RuntimeBridgeRegistry;
use crate::error::RuntimeBridgeError;
use crate::events;
use crate::policy::{Unmet, demands};

/// What speaks for a promotion.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rollout {
    /// Items of the checklist that are done, besides those of the descriptor.
    pub completed: BTreeSet<String>,
    /// What was seen in the field; recorded as it is.
    pub results: Value,
}

impl RuntimeBridgeRegistry {
    /// Makes a bridge beta, or stable. Handles that were given out before keep the stage that they have.
    ///
    /// # Errors
    ///
    /// `NotFound`. `StageViolation` with all that is missing. `AuditIncomplete`: the promotion could not be recorded, and did not happen.
    pub fn promote_bridge(&self, id: &str, to: Stage, rollout: &Rollout) -> Result<(), RuntimeBridgeError> {
        self.change(|state| {
            let bridge =
                state.bridges.get(id).cloned().ok_or_else(|| RuntimeBridgeError::NotFound { id: id.to_owned() })?;
            let from = bridge.descriptor.stage;
            let mut next = (*bridge.descriptor).clone();
            next.audit.completed.extend(rollout.completed.iter().cloned());
            next.stage = to;
            let mut unmet = step(from, to).into_iter().collect::<Vec<_>>();
            unmet.extend(demands(&next, to));
            {
                let journal = bridge.journal();
                if journal.errors > 0 {
                    unmet.push(Unmet::Errors(journal.errors));
                }
            }
            for (metric, rate) in bridge.stream_metrics().rates() {
                if rate < 1.0 {
                    unmet.push(Unmet::Streams(metric));
                }
            }
            if !unmet.is_empty() {
                let required = StageRequirement::Exact(to);
                let actual = StageRequirement::Exact(from);
                return Err(RuntimeBridgeError::StageViolation { id: id.to_owned(), required, actual, unmet });
            }
            let promoted = bridge.with_descriptor(next);
            let kinds: &[EventKind] = match to {
                Stage::Stable => &[EventKind::BridgePromote, EventKind::BridgeRollout],
                Stage::Experimental | Stage::Beta => &[EventKind::BridgePromote],
            };
            for kind in kinds {
                let event = events::event(kind.clone(), &promoted.descriptor)
                    .with("outcome", to.name())
                    .with("bridge.stage.from", from.name())
                    .with("bridge.checklist", promoted.descriptor.audit.rollout_checklist.clone())
                    .with("event", json!({ "from": from.name(), "to": to.name(), "results": rollout.results }));
                promoted.log(&event)?;
            }
            state.bridges.insert(id.to_owned(), promoted);
            Ok(())
        })
    }
}

/// What is wrong with going from one stage to another.
fn step(from: Stage, to: Stage) -> Option<Unmet> {
    let next = Stage::ALL.into_iter().find(|stage| *stage > from).unwrap_or(from);
    (to != next || to == from).then_some(Unmet::Step(next))
}
