//! Which capabilities are there?
//!
//! Reading takes no lock: readers see the state as some writer has left it. Writers copy it, one after the other; there
//! are tens of capabilities, and they change when plugins come and go.

mod builtin;
mod check;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;
use reml_audit::{Event, EventKind, Sink};
use serde_json::{Value, json};

use crate::descriptor::CapabilityDescriptor;
use crate::effects;
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::handle::{Capability, CapabilityHandle, CapabilityKind};
use crate::id::CapabilityId;
use crate::platform::TARGET_CAPABILITIES;
use crate::runtime::RuntimeCapability;
use crate::security::SecurityState;
use crate::stage::Stage;
pub(crate) use check::Required;

/// All capabilities of a process, or of a test.
pub struct CapabilityRegistry {
    state: ArcSwap<State>,
    /// Held by the one that writes.
    writer: Mutex<()>,
    sink: ArcSwap<Option<Arc<dyn Sink>>>,
    security: Arc<SecurityState>,
}

#[derive(Clone, Default)]
struct State {
    /// In the order of registration.
    handles: Vec<CapabilityHandle>,
    by_id: HashMap<CapabilityId, usize>,
    /// What a target may have besides the compiler's own vocabulary.
    custom_targets: BTreeSet<String>,
}

/// What [`CapabilityRegistry::stage_of`] is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Backed<'a> {
    /// An effect, by its tag.
    Effect(&'a str),
    Runtime(&'a RuntimeCapability),
}

impl<'a> From<&'a str> for Backed<'a> {
    fn from(tag: &'a str) -> Backed<'a> {
        Backed::Effect(tag)
    }
}

impl<'a> From<&'a RuntimeCapability> for Backed<'a> {
    fn from(capability: &'a RuntimeCapability) -> Backed<'a> {
        Backed::Runtime(capability)
    }
}

/// Of lists of capabilities.
const SCHEMA_VERSION: &str = "3.0.0-alpha";

static REGISTRY: LazyLock<CapabilityRegistry> = LazyLock::new(CapabilityRegistry::with_builtins);

/// The registry of the process, which has the capabilities of the runtime from the start.
pub fn registry() -> &'static CapabilityRegistry {
    &REGISTRY
}

impl CapabilityRegistry {
    /// Without any capability.
    pub fn empty() -> CapabilityRegistry {
        CapabilityRegistry {
            state: ArcSwap::from_pointee(State::default()),
            writer: Mutex::new(()),
            sink: ArcSwap::from_pointee(None),
            security: Arc::default(),
        }
    }

    /// With the capabilities of the runtime.
    pub fn with_builtins() -> CapabilityRegistry {
        let registry = CapabilityRegistry::empty();
        for handle in builtin::handles(&registry.security) {
            let id = handle.capability().id().clone();
            registry
                .register(id.as_str(), handle)
                .unwrap_or_else(|error| unreachable!("a capability of ours: {error}"));
        }
        registry
    }

    /// Where checks are recorded from now on.
    pub fn set_sink(&self, sink: Option<Arc<dyn Sink>>) {
        self.sink.store(Arc::new(sink));
    }

    /// Adds a capability, which has to be the one that the id, canonical or short, names.
    ///
    /// # Errors
    ///
    /// `InvalidHandle`: the id is another one, or none. `AlreadyRegistered`. `MissingDependency`. `SecurityViolation`:
    /// see [`SecurityState::verify_capability_security`].
    pub fn register(&self, id: &str, handle: CapabilityHandle) -> Result<(), Box<CapabilityError>> {
        let capability = handle.capability();
        let fail = |kind, message: String| Err(CapabilityError::about(kind, &capability.descriptor(), message));
        let id = parse(id)?;
        if id != *capability.id() {
            let message = format!("`{}` cannot be registered as `{id}`; its id is its name", capability.id());
            return fail(CapabilityErrorKind::InvalidHandle, message);
        }
        self.security.verify_capability_security(&handle)?;
        self.change(|state| {
            if state.by_id.contains_key(&id) {
                let message = format!("`{id}` is registered already; unregister it before it is replaced");
                return fail(CapabilityErrorKind::AlreadyRegistered, message);
            }
            if let Some(missing) = capability.dependencies().iter().find(|needed| !state.by_id.contains_key(*needed)) {
                let message = format!("`{id}` needs `{missing}`, which is not registered; register it first");
                return fail(CapabilityErrorKind::MissingDependency, message);
            }
            state.by_id.insert(id.clone(), state.handles.len());
            state.handles.push(handle.clone());
            Ok(())
        })
    }

    /// Takes a capability away. Handles that were given out stay what they are.
    ///
    /// # Errors
    ///
    /// `NotFound`. `MissingDependency`: others need it. `SecurityViolation`: it has to be recorded, and cannot be.
    pub fn unregister(&self, id: &str) -> Result<(), Box<CapabilityError>> {
        let id = parse(id)?;
        self.change(|state| {
            let index = *state.by_id.get(&id).ok_or_else(|| not_found(&id))?;
            let removed = state.handles[index].clone();
            let capability = removed.capability();
            let fail = |kind, message: String| CapabilityError::about(kind, &capability.descriptor(), message);
            let needs_it = |other: &&CapabilityHandle| other.capability().dependencies().contains(&id);
            if let Some(other) = state.handles.iter().find(needs_it) {
                let message = format!("`{}` needs `{id}`; unregister it first", other.capability().id());
                return Err(fail(CapabilityErrorKind::MissingDependency, message));
            }
            let event = Event::new(EventKind::named("plugin.revoke"))
                .capability(id.as_str())
                .with("capability.id", id.as_str())
                .with("capability.provider", capability.facts().provider.to_string())
                .with("event.domain", "runtime.capability");
            if let Err(error) = self.log(&event)
                && capability.security().audit_required
            {
                let message = format!("taking away `{id}` has to be recorded: {error}");
                return Err(fail(CapabilityErrorKind::SecurityViolation, message));
            }
            state.handles.remove(index);
            state.by_id =
                state.handles.iter().enumerate().map(|(at, handle)| (handle.capability().id().clone(), at)).collect();
            Ok(())
        })
    }

    /// The capability, whatever its stage.
    pub fn get(&self, id: &str) -> Option<CapabilityHandle> {
        let id = CapabilityId::new(id).ok()?;
        let state = self.state.load();
        state.by_id.get(&id).map(|&index| state.handles[index].clone())
    }

    /// What is known of a capability; `None` if it is not registered.
    pub fn describe(&self, id: &str) -> Option<CapabilityDescriptor> {
        self.get(id).map(|handle| handle.capability().descriptor())
    }

    /// In the order of registration.
    pub fn describe_all(&self) -> Vec<CapabilityDescriptor> {
        self.state.load().handles.iter().map(|handle| handle.capability().descriptor()).collect()
    }

    /// In the order of registration.
    pub fn handles_all(&self) -> Vec<CapabilityHandle> {
        self.state.load().handles.clone()
    }

    /// As `capability list` prints it: all, or those of exactly this stage.
    pub fn list_json(&self, stage: Option<Stage>) -> Value {
        let state = self.state.load();
        let listed = state.handles.iter().map(CapabilityHandle::capability);
        let listed: Vec<Value> = listed
            .filter(|capability| stage.is_none_or(|stage| capability.facts().stage == stage))
            .map(|capability| capability.descriptor().to_json(capability.security()))
            .collect();
        json!({ "schema_version": SCHEMA_VERSION, "capabilities": listed })
    }

    /// How settled the capability is that stands behind an effect or a part of the runtime; `None` if there is none.
    ///
    /// ```
    /// use reml_capability::{CapabilityRegistry, RuntimeCapability, stage::Stage};
    /// let registry = CapabilityRegistry::with_builtins();
    /// assert_eq!(registry.stage_of("io.async"), Some(Stage::Stable));
    /// assert_eq!(registry.stage_of("process"), Some(Stage::Experimental));
    /// assert_eq!(registry.stage_of(&RuntimeCapability::Gpu), None);
    /// ```
    pub fn stage_of<'a>(&self, backed: impl Into<Backed<'a>>) -> Option<Stage> {
        let stage = |id: &str| self.get(id).map(|handle| handle.capability().facts().stage);
        match backed.into() {
            Backed::Runtime(capability) => stage(capability.id()),
            Backed::Effect(tag) => match effects::backing(tag) {
                Some(id) => stage(id),
                None => stage(&effects::capability_named(tag)),
            },
        }
    }

    /// A part of the runtime.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn require(&self, capability: &RuntimeCapability) -> Result<CapabilityHandle, Box<CapabilityError>> {
        self.verify_capability(capability.id())
    }

    /// Adds a word that targets may have as a capability.
    ///
    /// # Errors
    ///
    /// `AlreadyRegistered`, `InvalidHandle` for what is no name.
    pub fn register_custom_target_capability(&self, name: &str) -> Result<(), Box<CapabilityError>> {
        let id = parse(name)?;
        self.change(|state| {
            if TARGET_CAPABILITIES.contains(&id.as_str()) || !state.custom_targets.insert(id.as_str().to_owned()) {
                let message = format!("targets can have `{name}` already");
                return Err(CapabilityError::new(CapabilityErrorKind::AlreadyRegistered, message));
            }
            Ok(())
        })
    }

    /// May a target have this capability?
    pub fn knows_target_capability(&self, name: &str) -> bool {
        TARGET_CAPABILITIES.contains(&name) || self.state.load().custom_targets.contains(name)
    }

    /// Registers `core.collections.ref`, unless it is there.
    ///
    /// # Errors
    ///
    /// As [`register`](CapabilityRegistry::register).
    pub fn register_ref_capability(&self) -> Result<(), Box<CapabilityError>> {
        let (id, stage, scope) = builtin::REF;
        let capability = Capability::new(CapabilityDescriptor::new(parse(id)?, stage, scope.iter().copied()));
        match self.register(id, CapabilityHandle::new(CapabilityKind::Collections, capability)) {
            Err(error) if error.kind == CapabilityErrorKind::AlreadyRegistered => Ok(()),
            result => result,
        }
    }

    /// What the capability `core.security` keeps.
    pub fn security(&self) -> &SecurityState {
        &self.security
    }

    fn log(&self, event: &Event) -> Result<(), reml_audit::AuditError> {
        match &**self.sink.load() {
            Some(sink) => sink.log(event),
            None => Ok(()),
        }
    }

    /// Makes a new state of the current one; nothing changes on failure.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, Box<CapabilityError>>,
    ) -> Result<T, Box<CapabilityError>> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = State::clone(&self.state.load());
        let result = change(&mut state)?;
        self.state.store(Arc::new(state));
        Ok(result)
    }
}

fn parse(id: &str) -> Result<CapabilityId, Box<CapabilityError>> {
    CapabilityId::new(id).map_err(|error| CapabilityError::new(CapabilityErrorKind::InvalidHandle, error.to_string()))
}

fn not_found(id: &CapabilityId) -> Box<CapabilityError> {
    let message = format!("there is no capability `{id}`; `capability list` shows those that are registered");
    let mut error = CapabilityError::new(CapabilityErrorKind::NotFound, message);
    error.capability_id = Some(id.clone());
    error
}
