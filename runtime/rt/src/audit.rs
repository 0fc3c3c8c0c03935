//! What does a running program say to the audit log of its run?
//!
//! The log is the sink of the gate, so that events of the program and decisions of the gate are in one chain, in order. What a program may log, and what a
//! line looks like, is up to `reml_audit`; here its words come in and errors go out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use reml_audit::policy::{Pii, RedactPolicy, Redactor, SettingError};
use reml_audit::{AuditError, Sink, Submission, Timestamp};

use crate::abi::Array;
use crate::array::{self, StrsRef};
use crate::context::Cx;
use crate::gate;
use crate::string::{StrOwned, StrRef, empty, new_lossy, new_str};

/// Is there a log?
#[unsafe(no_mangle)]
pub extern "C" fn reml_audit_is_on(cx: Cx) -> bool {
    gate::sink(cx).is_some()
}

/// Logs an event, if there is a log. Texts that are empty say nothing; `metadata` is a JSON object. The answer is empty, or the first letter of the
/// kind of an error and then its message.
#[unsafe(no_mangle)]
pub extern "C" fn reml_audit_log(
    cx: Cx,
    kind: StrRef,
    capability: StrRef,
    metadata: StrRef,
    payload: StrRef,
    change_set: StrRef,
    audit_id: StrRef,
) -> StrOwned {
    let Some(sink) = gate::sink(cx) else { return empty() };
    outcome(cx, submission(kind, capability, metadata, payload, change_set, audit_id).log(&**sink))
}

/// The line of the event, for a sink of the program's own, without the end of the line. Errors as above; a line begins with a brace.
#[expect(clippy::too_many_arguments, reason = "the parts of an event, as compiled code has them")]
#[unsafe(no_mangle)]
pub extern "C" fn reml_audit_line(
    cx: Cx,
    kind: StrRef,
    capability: StrRef,
    metadata: StrRef,
    payload: StrRef,
    change_set: StrRef,
    audit_id: StrRef,
    seconds: i64,
    nanos: i64,
) -> StrOwned {
    let time = i32::try_from(nanos).ok().and_then(|nanos| Timestamp::new(seconds, nanos).ok());
    let mut line = Vec::new();
    let submission = submission(kind, capability, metadata, payload, change_set, audit_id);
    match submission.write(&mut line, time.unwrap_or(Timestamp::UNIX_EPOCH)) {
        Ok(()) => new_lossy(cx, &line),
        failed => outcome(cx, failed),
    }
}

/// Waits until all that was logged is on the disk. Answers as above.
#[unsafe(no_mangle)]
pub extern "C" fn reml_audit_flush(cx: Cx) -> StrOwned {
    gate::sink(cx).map_or_else(empty, |sink| outcome(cx, sink.flush()))
}

fn submission<'a>(
    kind: StrRef<'a>,
    capability: StrRef<'a>,
    metadata: StrRef<'a>,
    payload: StrRef<'a>,
    change_set: StrRef<'a>,
    audit_id: StrRef<'a>,
) -> Submission<'a> {
    let told = |text: StrRef<'a>| Some(text.as_str()).filter(|text| !text.is_empty());
    Submission {
        kind: kind.as_str(),
        capability: told(capability),
        metadata: metadata.as_str(),
        payload: told(payload),
        change_set: told(change_set),
        audit_id: told(audit_id),
    }
}

fn outcome(cx: Cx, result: Result<(), AuditError>) -> StrOwned {
    match result {
        Ok(()) => empty(),
        Err(error) => new_str(cx, &format!("{}{error}", &error.kind()[..1])),
    }
}

thread_local! {
    /// By the shapes that are looked for; compiling them takes longer than looking.
    static REDACTORS: RefCell<HashMap<Vec<String>, Arc<Redactor>>> = RefCell::default();
}

/// As many as a program is likely to use by turns.
const KEPT: usize = 16;

/// What is wrong with shapes, one of which is no regular expression; empty if nothing is.
#[unsafe(no_mangle)]
pub extern "C" fn reml_pii_problem(cx: Cx, shapes: StrsRef) -> StrOwned {
    match redactor(&words(shapes)) {
        Ok(_) => empty(),
        Err(error) => new_str(cx, &error.to_string()),
    }
}

/// Where in a text something is that tells who somebody is: a start, an end and the number of a shape for each. Nothing, if something is wrong with
/// the shapes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_pii_find(cx: Cx, text: StrRef, shapes: StrsRef) -> *mut Array {
    let shapes = words(shapes);
    let mut numbers = Vec::new();
    if let Ok(redactor) = redactor(&shapes) {
        for (range, found) in redactor.detect(text.as_str()) {
            let shape = shapes.iter().position(|shape| pii(shape) == *found).unwrap_or(0);
            numbers.extend([range.start as i64, range.end as i64, shape as i64]);
        }
    }
    array::new_ints(cx, &numbers)
}

/// The text without that: replaced, or with its letters and digits made alike. As it is, if something is wrong with the shapes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_pii_redact(
    cx: Cx,
    text: StrRef,
    shapes: StrsRef,
    replacement: StrRef,
    preserve_structure: bool,
) -> StrOwned {
    let replacement = (!preserve_structure).then_some(replacement.as_str());
    let redactor = redactor(&words(shapes)).ok();
    match redactor.and_then(|redactor| redactor.redact_with(text.as_str(), replacement)) {
        Some(redacted) => new_str(cx, &redacted),
        None => text.share(),
    }
}

fn words(texts: StrsRef) -> Vec<String> {
    texts.as_slice().iter().map(|text| text.as_str().to_owned()).collect()
}

fn redactor(shapes: &[String]) -> Result<Arc<Redactor>, SettingError> {
    if let Some(known) = REDACTORS.with_borrow(|redactors| redactors.get(shapes).cloned()) {
        return Ok(known);
    }
    let types = shapes.iter().map(|shape| pii(shape)).collect();
    let redactor = Arc::new(Redactor::new(&RedactPolicy { types, ..RedactPolicy::default() })?);
    REDACTORS.with_borrow_mut(|redactors| {
        if redactors.len() == KEPT {
            redactors.clear();
        }
        redactors.insert(shapes.to_vec(), redactor.clone());
    });
    Ok(redactor)
}

/// A shape by its name, or a regular expression.
fn pii(shape: &str) -> Pii {
    match shape {
        "email" => Pii::Email,
        "phone_number" => Pii::PhoneNumber,
        "credit_card" => Pii::CreditCard,
        "social_security_number" => Pii::SocialSecurityNumber,
        _ => Pii::Custom(shape.strip_prefix("custom:").unwrap_or(shape).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;
    use reml_audit::sinks::Memory;
    use reml_capability::gate::Gate;
    use reml_capability::policy::{Grants, Mode, Policy};

    /// Calls a function with strings that live as long, and reads what it answers.
    fn on<const N: usize>(cx: Cx, texts: [&str; N], call: impl FnOnce([StrRef; N]) -> StrOwned) -> String {
        let strings = texts.map(|text| new_str(cx, text));
        let answer = call(strings.each_ref().map(StrOwned::borrow));
        let copy = answer.borrow().as_str().to_owned();
        answer.drop(cx);
        strings.into_iter().for_each(|string| string.drop(cx));
        copy
    }

    #[test]
    fn events_go_to_the_sink_of_the_gate() {
        let sink = Arc::new(Memory::default());
        let policy = Policy::new(Grants::new(Vec::new()).unwrap(), Mode::Enforce, false);
        let gate = Gate::new(policy, Some(sink.clone() as Arc<dyn Sink>));
        let mut program = Program::new(Vec::new(), Some(Arc::new(gate)));
        let cx = program.cx();
        assert!(reml_audit_is_on(cx));
        let log = |kind, payload| {
            on(cx, [kind, "{}", payload, ""], |[kind, metadata, payload, none]| {
                reml_audit_log(cx, kind, none, metadata, payload, none, none)
            })
        };
        assert_eq!(log("shop.order", "{\"id\":7}"), "");
        assert_eq!(sink.events()[0].metadata["event"]["id"], 7);
        assert!(log("gate.decision", "").starts_with("P`gate.decision` is logged by the runtime alone"));
        assert!(log("shop.order", "{").starts_with("Ethe payload of an audit event cannot be read"));
        assert_eq!(sink.events().len(), 1);
        assert_eq!(on(cx, [], |[]| reml_audit_flush(cx)), "");
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn without_a_log_nothing_happens() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert!(!reml_audit_is_on(cx));
        let texts = ["gate.decision", "{}", ""];
        let logged = on(cx, texts, |[kind, metadata, none]| reml_audit_log(cx, kind, none, metadata, none, none, none));
        assert_eq!(logged, "");
        let line = |kind, seconds| {
            on(cx, [kind, "{}", ""], |[kind, metadata, none]| {
                reml_audit_line(cx, kind, none, metadata, none, none, none, seconds, 0)
            })
        };
        assert!(line("gate.decision", 0).starts_with("P`gate.decision`"));
        assert!(line("x", 60).starts_with("{\"timestamp\":\"1970-01-01T00:01:00Z\""));
        assert!(line("x", i64::MAX).starts_with("{\"timestamp\":\"1970-01-01T00:00:00Z\""));
        assert_eq!(on(cx, [], |[]| reml_audit_flush(cx)), "");
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn redactors_are_kept_and_broken_expressions_told() {
        let find = |shape: &str| {
            let redactor = redactor(&[shape.to_owned()]).map_err(|error| error.to_string())?;
            Ok::<_, String>(
                redactor.detect("to ada@example.org").into_iter().map(|(range, _)| range).collect::<Vec<_>>(),
            )
        };
        for _ in 0..2 {
            assert_eq!(find("email"), Ok(vec![3..18]));
        }
        assert_eq!(find("custom:a+"), Ok(vec![3..4, 5..6, 9..10]));
        assert!(find("custom:(").unwrap_err().contains("a regular expression"));
        (0..2 * KEPT).for_each(|n| assert!(find(&format!("custom:{n}")).is_ok()));
        REDACTORS.with_borrow(|redactors| assert!(redactors.len() <= KEPT));
    }
}
