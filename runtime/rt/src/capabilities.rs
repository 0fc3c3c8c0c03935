//! What does a running program ask the registry of capabilities, and what does it tell it?
//!
//! There is one registry in a process, `reml_capability`'s. Answers are JSON, as `reml_capability::wire` has it, and empty where there is nothing to tell; `!` stands
//! before that of an error.

use std::sync::{Arc, Weak};

use reml_audit::{AuditError, Event, Sink};
use reml_capability::registry::{Backed, CapabilityRegistry, registry};
use reml_capability::stage::Stage;
use reml_capability::{CapabilityError, CapabilityErrorKind, CapabilityHandle, CapabilityId, wire};

use crate::array::StrsRef;
use crate::context::Cx;
use crate::gate;
use crate::string::{StrOwned, StrRef, new_str};

/// The id of the capability that policies are put into force through.
const SECURITY: &str = "core.security";

type Answer = Result<String, Box<CapabilityError>>;

/// The log of a run. The registry outlives the run, and must not keep the log open.
struct LogOfRun(Weak<dyn Sink>);

impl Sink for LogOfRun {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        self.0.upgrade().map_or(Ok(()), |sink| sink.log(event))
    }
}

/// The registry, which records in the log of this run from now on.
fn of_program(cx: Cx) -> &'static CapabilityRegistry {
    if !cx.runtime().registry_records.replace(true) {
        let log = gate::sink(cx).map(|sink| Arc::new(LogOfRun(Arc::downgrade(sink))) as Arc<dyn Sink>);
        registry().set_sink(log);
    }
    registry()
}

fn answer(cx: Cx, answer: Answer) -> StrOwned {
    match answer {
        Ok(text) => new_str(cx, &text),
        Err(error) => new_str(cx, &format!("!{}", wire::error_json(&error))),
    }
}

fn described(handle: &CapabilityHandle) -> String {
    wire::handle_json(handle).to_string()
}

/// The capability, whatever its stage. Not recorded.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_get(cx: Cx, id: StrRef) -> StrOwned {
    answer(cx, of_program(cx).verify_capability(id.as_str()).map(|handle| described(&handle)))
}

/// All, in the order of registration, one on each line.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_all(cx: Cx) -> StrOwned {
    let all: Vec<String> = of_program(cx).handles_all().iter().map(described).collect();
    answer(cx, Ok(all.join("\n")))
}

/// How settled the capability behind an effect is: 0 experimental, 1 beta, 2 stable, -1 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_stage_of(cx: Cx, effect: StrRef) -> i64 {
    let stage = of_program(cx).stage_of(Backed::Effect(effect.as_str()));
    stage.and_then(|stage| Stage::ALL.iter().position(|it| *it == stage)).map_or(-1, |index| index as i64)
}

/// The capability, if it is as settled as required and covers the effects. Recorded.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_verify(cx: Cx, id: StrRef, requirement: StrRef, effects: StrsRef) -> StrOwned {
    let effects: Vec<&str> = effects.as_slice().iter().map(|effect| effect.as_str()).collect();
    let handle = wire::requirement(requirement.as_str())
        .and_then(|requirement| of_program(cx).verify_capability_stage(id.as_str(), requirement, &effects));
    answer(cx, handle.map(|handle| described(&handle)))
}

/// All that a conductor requires. Each check is recorded.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_verify_contract(cx: Cx, contract: StrRef) -> StrOwned {
    let verified =
        wire::read_contract(contract.as_str()).and_then(|contract| of_program(cx).verify_conductor_contract(&contract));
    answer(cx, verified.map(|()| String::new()))
}

/// Registers what is described under the id.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_register(cx: Cx, id: StrRef, capability: StrRef) -> StrOwned {
    let registered =
        wire::read_handle(capability.as_str()).and_then(|handle| of_program(cx).register(id.as_str(), handle));
    answer(cx, registered.map(|()| String::new()))
}

/// Takes a capability away, which is recorded.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_unregister(cx: Cx, id: StrRef) -> StrOwned {
    answer(cx, of_program(cx).unregister(id.as_str()).map(|()| String::new()))
}

/// Adds a word that targets may have as a capability.
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_add_target(cx: Cx, name: StrRef) -> StrOwned {
    answer(cx, of_program(cx).register_custom_target_capability(name.as_str()).map(|()| String::new()))
}

/// May a target have this capability?
#[unsafe(no_mangle)]
pub extern "C" fn reml_capability_has_target(cx: Cx, name: StrRef) -> bool {
    of_program(cx).knows_target_capability(name.as_str())
}

/// Puts a policy into force, for the rest of the run; gives its digest.
#[unsafe(no_mangle)]
pub extern "C" fn reml_security_enforce(cx: Cx, policy: StrRef, requirement: StrRef) -> StrOwned {
    answer(cx, enforce(cx, policy.as_str(), requirement.as_str()))
}

fn enforce(cx: Cx, policy: &str, requirement: &str) -> Answer {
    let violation = |message: String| CapabilityError::new(CapabilityErrorKind::SecurityViolation, message);
    let (policy, requirement) = (wire::read_policy(policy)?, wire::requirement(requirement)?);
    let handle = of_program(cx).verify_capability_stage(SECURITY, requirement, &["audit", "security"])?;
    let security = handle.as_security().ok_or_else(|| {
        violation(format!("`{SECURITY}` was registered as something else; no policy can be put into force"))
    })?;
    let gate = gate::of_program(cx)
        .ok_or_else(|| violation("the program runs without a gate; there is nothing to take away from".to_owned()))?;
    let here = std::env::current_dir()
        .map_err(|error| violation(format!("the current folder, where patterns begin, is not known: {error}")))?;
    let digest = security.enforce(&policy, requirement, gate, &here)?;
    Ok(quoted(&digest))
}

/// The digest of the policy that the program has put into force; null if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_security_policy_digest(cx: Cx) -> StrOwned {
    let policy = of_program(cx).security().current_policy();
    answer(cx, Ok(policy.map_or("null".to_owned(), |policy| quoted(&policy.digest()))))
}

/// A text without anything to escape, as JSON.
fn quoted(digest: &str) -> String {
    format!("\"{digest}\"")
}

/// Records that somebody has not kept to a policy: what was tried, and the id of the capability that it takes, if that is known.
#[unsafe(no_mangle)]
pub extern "C" fn reml_security_report(cx: Cx, message: StrRef, capability: StrRef) -> StrOwned {
    let mut violation = CapabilityError::new(CapabilityErrorKind::SecurityViolation, message.as_str());
    violation.capability_id = CapabilityId::new(capability.as_str()).ok();
    let recorded = of_program(cx).verify_capability(SECURITY).and_then(|handle| {
        let (Some(security), Some(gate)) = (handle.as_security(), gate::of_program(cx)) else {
            return Ok(String::new());
        };
        security.audit_violation(gate, &violation).map(|()| String::new()).map_err(|error| {
            CapabilityError::new(CapabilityErrorKind::SecurityViolation, format!("it cannot be recorded: {error}"))
        })
    });
    answer(cx, recorded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;

    #[test]
    fn the_registry_answers_in_json() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let told = |answer: StrOwned| {
            let copy = answer.borrow().as_str().to_owned();
            answer.drop(cx);
            copy
        };
        let on = |text: &str, call: extern "C" fn(Cx, StrRef) -> StrOwned| {
            let string = new_str(cx, text);
            let answer = told(call(cx, string.borrow()));
            string.drop(cx);
            answer
        };
        assert!(on("io", reml_capability_get).starts_with("{\"id\":\"core.io\",\"stage\":\"stable\""));
        assert!(
            on("nothing.here", reml_capability_get)
                .starts_with("!{\"kind\":\"NotFound\",\"code\":\"runtime.capability.unknown\"")
        );
        assert!(told(reml_capability_all(cx)).lines().count() > 50);
        assert!(on("{}", reml_capability_verify_contract).contains("`name` is missing"));
        for (effect, stage) in [("io.async", 2), ("nothing", -1)] {
            let effect = new_str(cx, effect);
            assert_eq!(reml_capability_stage_of(cx, effect.borrow()), stage);
            effect.drop(cx);
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn without_a_gate_there_is_nothing_to_take_away_from() {
        let mut program = Program::new(Vec::new(), None);
        let error = enforce(program.cx(), "{\"name\":\"p\"}", "stable").unwrap_err();
        assert_eq!(error.kind, CapabilityErrorKind::SecurityViolation);
        assert!(error.message.starts_with("the program runs without a gate"));
    }
}
