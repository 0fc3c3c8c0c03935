//! What is registered, what is found, and what the log says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reml_audit::sinks::Memory;

use super::*;
use crate::contract::{CapabilityContract, ConductorCapabilityContract, ManifestCapabilities};
use crate::policy::Power;
use crate::stage::StageRequirement;

fn demo(id: &str, stage: Stage) -> CapabilityHandle {
    let descriptor = CapabilityDescriptor::new(CapabilityId::new(id).unwrap(), stage, ["io"]);
    CapabilityHandle::new(CapabilityKind::Io, Capability::new(descriptor))
}

fn recorded() -> (CapabilityRegistry, Arc<Memory>) {
    let registry = CapabilityRegistry::with_builtins();
    let sink = Arc::new(Memory::default());
    registry.set_sink(Some(sink.clone()));
    (registry, sink)
}

fn at_least(stage: Stage) -> StageRequirement {
    StageRequirement::AtLeast(stage)
}

#[test]
fn capabilities_come_in_the_order_of_registration_under_both_names() {
    let registry = CapabilityRegistry::empty();
    for id in ["core.system", "b", "a"] {
        registry.register(id, demo(id, Stage::Beta)).unwrap();
    }
    let ids: Vec<String> = registry.describe_all().iter().map(|descriptor| descriptor.id.to_string()).collect();
    assert_eq!(ids, ["core.system", "b", "a"]);
    assert_eq!(registry.describe("system"), registry.describe("core.system"));
    assert!(registry.get("nothing").is_none() && registry.get("Not an id").is_none());
    registry.register("c", demo("c", Stage::Stable)).unwrap();
    let listed = |stage| registry.list_json(stage)["capabilities"].as_array().unwrap().len();
    assert_eq!((listed(None), listed(Some(Stage::Beta)), listed(Some(Stage::Experimental))), (4, 3, 0));
    registry.unregister("c").unwrap();
    registry.unregister("b").unwrap();
    assert_eq!(registry.handles_all().len(), 2);
    assert!(registry.get("a").is_some());
}

#[test]
fn what_cannot_be_registered_changes_nothing() {
    let registry = CapabilityRegistry::empty();
    registry.register("system", demo("core.system", Stage::Beta)).unwrap();
    let fails = |id: &str, handle| registry.register(id, handle).unwrap_err();
    let twice = fails("core.system", demo("core.system", Stage::Stable));
    assert_eq!(twice.kind.code(), "runtime.capability.already_registered");
    assert_eq!(fails("x", demo("y", Stage::Beta)).kind, CapabilityErrorKind::InvalidHandle);
    assert_eq!(fails("Not an id", demo("y", Stage::Beta)).kind, CapabilityErrorKind::InvalidHandle);

    let descriptor = CapabilityDescriptor::new(CapabilityId::new("top").unwrap(), Stage::Beta, ["io"]);
    let top = |needed: &str| {
        let capability = Capability::new(descriptor.clone()).depends_on(CapabilityId::new(needed).unwrap());
        CapabilityHandle::new(CapabilityKind::Io, capability)
    };
    let missing = fails("top", top("base"));
    assert_eq!(
        missing.to_string(),
        "`top` needs `base`, which is not registered; register it first [runtime.capability.missing_dependency]"
    );
    assert_eq!(registry.describe_all().len(), 1);

    registry.register("top", top("system")).unwrap();
    assert_eq!(registry.unregister("system").unwrap_err().kind, CapabilityErrorKind::MissingDependency);
    registry.unregister("top").unwrap();
    registry.unregister("system").unwrap();
    assert_eq!(registry.unregister("system").unwrap_err().kind, CapabilityErrorKind::NotFound);
}

#[test]
fn the_runtime_brings_what_effects_and_powers_name() {
    let registry = CapabilityRegistry::with_builtins();
    for (effect, id) in effects::backed() {
        assert!(registry.get(id).is_some(), "{effect} needs {id}");
        assert!(registry.stage_of(effect).is_some());
    }
    for power in Power::all() {
        assert!(registry.get(power.capability()).is_some(), "{power}");
    }
    assert_eq!(registry.stage_of("Console"), Some(Stage::Beta));
    assert_eq!(registry.stage_of("mut"), None);
    assert!(registry.require(&RuntimeCapability::AsyncScheduler).unwrap().as_async().is_some());
    assert_eq!(registry.require(&RuntimeCapability::Gpu).unwrap_err().kind, CapabilityErrorKind::NotFound);
    registry.register_ref_capability().unwrap();
    registry.unregister("core.collections.ref").unwrap();
    registry.register_ref_capability().unwrap();
    assert!(registry.get("core.collections.ref").unwrap().as_collections().is_some());
}

#[test]
fn stages_and_effects_are_verified_and_both_outcomes_recorded() {
    let (registry, sink) = recorded();
    let handle = registry
        .verify_capability_stage("core.collections.audit", StageRequirement::Exact(Stage::Stable), &["audit", "mem"])
        .unwrap();
    assert!(handle.as_audit().is_some());
    assert!(registry.describe("core.collections.audit").unwrap().last_verified_at.is_some());

    let stage = registry.verify_capability_stage("process", at_least(Stage::Beta), &[]).unwrap_err();
    assert_eq!(stage.kind, CapabilityErrorKind::StageViolation);
    assert_eq!(stage.message, "`core.process` is experimental, but `at_least:beta` is required");
    assert_eq!(stage.required_stage, Some(at_least(Stage::Beta)));
    assert_eq!(stage.actual_stage, Some(Stage::Experimental));
    assert_eq!(stage.capability_metadata.unwrap().id.as_str(), "core.process");

    let scope = registry.verify_capability_stage("console", at_least(Stage::Beta), &["net", "io", "db"]).unwrap_err();
    assert_eq!(scope.kind, CapabilityErrorKind::EffectScopeMismatch);
    assert_eq!(scope.missing_effects, ["db", "net"]);

    let unknown = registry.verify_capability_stage("no.such", at_least(Stage::Beta), &[]).unwrap_err();
    assert_eq!((unknown.kind, unknown.actual_stage), (CapabilityErrorKind::NotFound, None));

    let events = sink.events();
    let results: Vec<_> = events
        .iter()
        .map(|event| {
            let text = |key: &str| event.metadata[key].as_str().unwrap_or_default().to_owned();
            (text("capability.result"), text("effect.stage.required"), text("effect.stage.actual"))
        })
        .collect();
    let expected = [
        ("success", "exact:stable", "stable"),
        ("error", "at_least:beta", "experimental"),
        ("error", "at_least:beta", "beta"),
        ("error", "at_least:beta", "unknown"),
    ];
    assert_eq!(results, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    let unknown = &events[3].metadata;
    assert!(unknown["effect.provider"].is_null() && unknown["effect.manifest_path"].is_null());
    assert_eq!(unknown["capability.error.code"], "runtime.capability.unknown");
    assert_eq!(unknown["effect.actual_capabilities"], serde_json::json!([]));
}

#[test]
fn guards_know_the_kind() {
    let registry = CapabilityRegistry::with_builtins();
    let guard = registry.guard_io_capability("io.fs.read", &["io"]).unwrap();
    assert!(guard.satisfies(StageRequirement::Exact(Stage::Stable)));
    assert_eq!(
        registry.guard_io_capability("core.audit", &[]).unwrap_err().message,
        "`core.audit` is a capability of the kind `audit`, not of the kind `io`"
    );
    assert!(registry.guard_time_capability("core.time.timezone.local", &["time"]).is_ok());
    let guard = registry.guard_async_capability("async.supervisor", at_least(Stage::Stable), &[]);
    assert_eq!(guard.unwrap_err().kind, CapabilityErrorKind::StageViolation);
}

fn contract(
    stage: StageRequirement,
    effects: &[&str],
    manifest: Option<ManifestCapabilities>,
) -> ConductorCapabilityContract {
    let requirement = CapabilityContract {
        id: CapabilityId::new("console").unwrap(),
        stage,
        declared_effects: effects.iter().map(|&tag| tag.to_owned()).collect(),
        source_span: Some((3, 9)),
        inactive: false,
    };
    ConductorCapabilityContract { name: "pipeline".to_owned(), requirements: vec![requirement], manifest }
}

fn manifest(
    stage: Option<&str>,
    effects: &[&str],
    span: (u32, u32),
) -> Result<ManifestCapabilities, Box<CapabilityError>> {
    let effects = effects.iter().map(|&tag| tag.to_owned()).collect();
    ManifestCapabilities::new("reml.toml", [("console", stage, effects, Some(span), None)])
}

#[test]
fn contracts_and_manifests_agree() {
    let (registry, sink) = recorded();
    let beta = at_least(Stage::Beta);
    let verify = |manifest| registry.verify_conductor_contract(&contract(beta, &["io"], manifest));
    verify(None).unwrap();
    verify(Some(manifest(Some("at_least:beta"), &["io"], (3, 9)).unwrap())).unwrap();
    let event = sink.events().pop().unwrap();
    assert_eq!(event.metadata["config.manifest.path"], "reml.toml");
    assert_eq!(event.metadata["config.manifest.span.start"], 3);

    let disagree = |stage, effects: &[&str], span| {
        let error = verify(Some(manifest(Some(stage), effects, span).unwrap())).unwrap_err();
        assert_eq!(error.kind.code(), "config.manifest.capability_contract");
        assert_eq!(sink.events().pop().unwrap().metadata["capability.result"], "error");
        error.message
    };
    assert_eq!(
        disagree("beta", &["io"], (3, 9)),
        "`pipeline` requires `console` as `at_least:beta`, but reml.toml has `exact:beta`"
    );
    assert_eq!(
        disagree("at_least:beta", &[], (3, 9)),
        "`pipeline` requires `console` for the effects io, but reml.toml declares none"
    );
    assert!(disagree("at_least:beta", &["io"], (4, 9)).contains("at another place"));
    let none = ManifestCapabilities::new("reml.toml", []).unwrap();
    assert!(verify(Some(none)).unwrap_err().message.contains("does not list"));

    let mut inactive = contract(StageRequirement::Exact(Stage::Stable), &["io"], None);
    assert!(registry.verify_conductor_contract(&inactive).is_err());
    inactive.requirements[0].inactive = true;
    registry.verify_conductor_contract(&inactive).unwrap();
}

#[test]
fn manifests_that_cannot_be_read_say_why() {
    let why = |result: Result<ManifestCapabilities, Box<CapabilityError>>| result.unwrap_err().message;
    assert!(why(manifest(None, &[], (0, 0))).ends_with("`console` has no stage; write `stage = \"at_least:stable\"`"));
    assert!(why(manifest(Some("alpha"), &[], (0, 0))).contains("`alpha`, of `console`, is not a stage"));
    let entry = |id| (id, Some("beta"), BTreeSet::new(), None, None);
    assert!(why(ManifestCapabilities::new("m", [entry("io"), entry("core.io")])).contains("`core.io` is there twice"));
    assert!(why(ManifestCapabilities::new("m", [entry("No id")])).contains("is not the name of a capability"));
}

#[test]
fn targets_get_new_words() {
    let registry = CapabilityRegistry::empty();
    assert!(registry.knows_target_capability("unicode.nfc"));
    assert!(!registry.knows_target_capability("wasi.preview2"));
    registry.register_custom_target_capability("wasi.preview2").unwrap();
    assert!(registry.knows_target_capability("wasi.preview2"));
    for taken in ["wasi.preview2", "unicode.nfc"] {
        let error = registry.register_custom_target_capability(taken).unwrap_err();
        assert_eq!(error.kind, CapabilityErrorKind::AlreadyRegistered);
    }
}

#[test]
fn readers_see_whole_states_while_capabilities_come_and_go() {
    let registry = CapabilityRegistry::with_builtins();
    let builtins = registry.describe_all().len();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut reads = 0u64;
                    while !done.load(Ordering::Relaxed) || reads == 0 {
                        // What is in the list is found by its id, at its place.
                        let state = registry.state.load();
                        for (index, handle) in state.handles.iter().enumerate() {
                            assert_eq!(state.by_id[handle.capability().id()], index);
                        }
                        assert!(state.handles.len() >= builtins);
                        registry.verify_capability_stage("io.fs.read", at_least(Stage::Stable), &["io"]).unwrap();
                        reads += 1;
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let registry = &registry;
                scope.spawn(move || {
                    for number in 0..50 {
                        let id = format!("plugin.{writer}.{number}");
                        registry.register(&id, demo(&id, Stage::Beta)).unwrap();
                        if number % 2 == 0 {
                            registry.unregister(&id).unwrap();
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(registry.describe_all().len(), builtins + 4 * 25);
}
