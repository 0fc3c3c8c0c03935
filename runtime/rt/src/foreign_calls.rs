//! How does a program call C functions by signatures that are data, and what does the audit log say of calls?
//!
//! A plan is made once for a signature, and belongs to the program as a resource. The call itself is no function of the runtime to compiled code, but a C function with an address ([`invoke`]),
//! because C may call the program back: what holds for calls of C has to hold for this one.

use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt::Write;
use std::rc::Rc;

use reml_audit::{Event, EventKind, Field, Record};
use reml_capability::policy::Power;
use reml_ffi::metrics;
use reml_ffi::{CSignature, CallPlan, Convention};

use crate::abi::{Array, Resource};
use crate::array;
use crate::context::Cx;
use crate::foreign;
use crate::frames::{Place, Source};
use crate::gate;
use crate::panic::traced;
use crate::resource::{Content, closed, new_resource};
use crate::string::{StrRef, new_str};
use crate::taken::{Taken, give};
use crate::time;

/// A plan for calls by a signature, in the text that `reml_ffi` reads; `windows`: by the convention of Windows. A resource that is closed where there can be
/// none, and why is told by `reml_library_said`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_plan(cx: Cx, signature: StrRef, windows: bool) -> *mut Resource {
    let convention = if windows { Convention::Win64 } else { Convention::Native };
    let plan = CSignature::parse(signature.as_str()).and_then(|signature| CallPlan::new(&signature, convention));
    match plan {
        Ok(plan) => new_resource(cx, Content::CallPlan(Box::new(plan)), Vec::new()),
        Err(why) => {
            give(cx, Taken::Text(new_str(cx, &why)));
            closed(cx)
        }
    }
}

/// What a program has to know of a plan: its address, which is good as long as the resource; bytes of the arguments; of the result; and of the stack that a call
/// takes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_plan_facts(cx: Cx, plan: &Resource) -> *mut Array {
    let facts = cx.runtime().resources.with(plan.id, |entry| match &entry.content {
        Content::CallPlan(plan) => Ok([
            std::ptr::from_ref(&**plan).addr() as i64,
            plan.args_size() as i64,
            plan.result_size() as i64,
            plan.stack_size() as i64,
        ]),
        _ => Err(libc::EBADF),
    });
    array::new_ints(cx, &facts.unwrap_or_default())
}

/// The address of the C function that calls by a plan: `void (plan, code, args, result)`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_invoker(_cx: Cx) -> *const u8 {
    invoke as *const u8
}

/// # Safety
/// As [`CallPlan::call`] says; the plan must be alive.
unsafe extern "C" fn invoke(plan: &CallPlan, code: *const c_void, args: *const u8, result: *mut u8) {
    // SAFETY: per the contract.
    unsafe { plan.call(code, args, result) }
}

/// What becomes of a call, by number.
const STATUS: [&str; 4] = ["success", "failed", "stubbed", "leak"];

/// When a call begins that is to be recorded, in nanoseconds since some time; 0 if there is no log.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_clock(cx: Cx) -> i64 {
    if gate::sink(cx).is_some() { time::reml_time_monotonic_nanos(cx).max(1) } else { 0 }
}

traced! {
    /// `(context, members, wrapper, began, status, failure)`: records a call that [`reml_ffi_clock`] has seen begin, if there is a log. `members` are those of the JSON object that stay the same, as text; so is
    /// `wrapper`, an object, unless it is empty. `failure` is the change set of a call that has failed. The C library's `errno` is left as it is.
    reml_ffi_record = record;
}

extern "C" fn record(cx: Cx, members: StrRef, wrapper: StrRef, began: i64, status: i64, failure: StrRef) {
    let Some(sink) = gate::sink(cx) else { return };
    if let 0 | 1 = status {
        metrics::record_call(status == 0);
    }
    let errno = foreign::reml_errno(cx);
    let latency = time::reml_time_monotonic_nanos(cx) - began;
    let status = usize::try_from(status).ok().and_then(|status| STATUS.get(status)).unwrap_or(&STATUS[1]);
    let site = cx.runtime().call_site.text(gate::place_of_call(cx));
    let mut call = String::with_capacity(128 + site.len() + members.as_str().len());
    let mut digits = itoa::Buffer::new();
    for part in [
        "{\"call_site\":",
        &site,
        ",",
        members.as_str(),
        ",\"latency_ns\":",
        digits.format(latency.max(0)),
        ",\"status\":\"",
        status,
        "\"}",
    ] {
        call.push_str(part);
    }
    let capability = Power::Ffi.capability();
    let both = [("ffi", Field::Json(&call)), ("ffi.wrapper", Field::Json(wrapper.as_str()))];
    let fields = if wrapper.as_str().is_empty() { &both[..1] } else { &both };
    let record = Record { kind: &EventKind::FfiCall, capability: Some(capability), fields };
    // A log that cannot be written says so at the end of the run.
    let _ = match failure.as_str() {
        "" => sink.record(&record),
        failure => {
            let mut event = Event { change_set: failure.parse().ok(), ..record.to_event() };
            event = event.with("error.code", "ffi.call.failed");
            sink.log(&event)
        }
    };
    foreign::reml_set_errno(cx, errno);
}

/// Where the last call that was recorded stands, as JSON: a loop calls from one place.
#[derive(Default)]
pub struct CallSite {
    last: RefCell<Option<(Place<'static>, Rc<str>)>>,
}

impl CallSite {
    fn text(&self, place: Option<Place<'static>>) -> Rc<str> {
        let Some((place, source)) = place.and_then(|place| Some((place, place.source?))) else { return "null".into() };
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((known, text)) if *known == place => text.clone(),
            _ => {
                let text: Rc<str> = call_site(place.function, source).into();
                *last = Some((place, text.clone()));
                text
            }
        }
    }
}

/// `"shop.orders:12"`, as JSON.
pub fn call_site(function: &str, source: Source<'_>) -> String {
    let file = source.file.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".reml").unwrap_or(file);
    // The path of a function begins with that of its module, whose last name is the file's.
    let mut end = 0;
    let module = function.split('.').find_map(|name| {
        end += name.len() + 1;
        (name == stem).then(|| &function[..end - 1])
    });
    let mut text = String::from("\"");
    for c in module.unwrap_or(stem).chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push('?'),
            c => text.push(c),
        }
    }
    let _ = write!(text, ":{}\"", source.line);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;
    use crate::resource::reml_resource_free;
    use crate::taken::testing::text_taken;

    #[test]
    fn plans_are_resources_or_say_why_not() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let plan_of = |text: &str| {
            let text = new_str(cx, text);
            let plan = reml_ffi_plan(cx, text.borrow(), false);
            text.drop(cx);
            plan
        };
        let (plan, none) = (plan_of("I32,F64->I16"), plan_of("Void->I16"));
        assert!(text_taken(cx).contains("`Void` cannot be passed by value"));
        // SAFETY: both are alive until they are freed; the arrays are the test's.
        unsafe {
            for (plan, facts) in [(plan, [16, 2]), (none, [0, 0])] {
                let array = reml_ffi_plan_facts(cx, &*plan);
                let numbers = std::slice::from_raw_parts(array::data(array).cast::<i64>(), 4);
                assert_eq!(numbers[1..3], facts);
                heap::reml_free(cx, array.cast());
                reml_resource_free(cx, plan);
            }
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn call_sites_are_modules_and_lines() {
        let site = |function, file| {
            let source = Source { file, line: 12, column: 1 };
            CallSite::default().text(Some(Place { function, hidden: false, source: Some(source) }))
        };
        assert_eq!(&*site("shop.orders.total", "src/shop/orders.reml"), "\"shop.orders:12\"");
        assert_eq!(&*site("main.main", "main.reml"), "\"main:12\"");
        assert_eq!(&*site("f", "a\"b.reml"), "\"a\\\"b:12\"");
        assert_eq!(&*CallSite::default().text(None), "null");
    }
}
