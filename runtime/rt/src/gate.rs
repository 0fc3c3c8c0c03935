//! May the program do this? Runtime functions that use a power ask here before they act.
//!
//! The answer is that of the program's gate, from `reml_capability`; a program without one may do everything. Paths are
//! resolved before they are judged, and what is judged is what is used: who asks gets a [`FilePlace`] back.
//!
//! Functions that ask are entered through [`traced`](crate::panic::traced) stubs, because a decision is recorded with the place in the
//! program that asked for it. It is the innermost one outside the library, as for panics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use reml_audit::Sink;
use reml_audit::log::{Log, LogOptions};
use reml_capability::gate::{Denial, Gate, Origin};
use reml_capability::policy::{Power, Subject, portable};

use crate::abi::ProgramInfo;
use crate::context::Cx;
use crate::file_place::{FilePlace, Last};
use crate::frames::{Place, is_library};
use crate::io::errno_of;
use crate::panic;

/// Stands where functions give an errno: the gate has denied it, and [`denial`] says why. Linux has no errno above 4095.
pub const DENIED: i32 = 4096;

/// The code of denials that end the program, or do not let it begin.
pub const CODE: &str = "runtime.capability.denied";

/// What a running program knows of its gate.
#[derive(Default)]
pub struct Guard {
    gate: Option<Arc<Gate>>,
    /// Why the last request was denied.
    denial: RefCell<Option<Denial>>,
    /// Who calls from where, by return address. Code does not move.
    places: RefCell<HashMap<usize, Option<Place<'static>>>>,
}

impl Guard {
    pub fn new(gate: Option<Arc<Gate>>) -> Guard {
        Guard { gate, ..Guard::default() }
    }
}

/// Names the file that an executable records the decisions of its gate in.
pub const AUDIT_VARIABLE: &str = "REML_AUDIT";
/// Further flags for an executable, all of which deny: `--deny-net --deny-env`.
const DENY_VARIABLE: &str = "REML_DENY";

/// The gate of an executable: its policy was settled when it was built, and can be narrowed where it runs.
///
/// # Errors
///
/// What is wrong with the environment, in words.
///
/// # Safety
/// The program's policy must be as `abi` says.
pub unsafe fn of_executable(info: &ProgramInfo) -> Result<Option<Arc<Gate>>, String> {
    if info.policy.is_null() {
        return Ok(None);
    }
    // SAFETY: per the contract.
    let text = unsafe { std::slice::from_raw_parts(info.policy, info.policy_len as usize) };
    let here = std::env::current_dir().map_err(|error| format!("the current directory is not known: {error}"))?;
    let narrowing = std::env::var(DENY_VARIABLE).unwrap_or_default();
    let policy = portable::read(&String::from_utf8_lossy(text), &narrowing, &here)
        .map_err(|error| format!("{DENY_VARIABLE}: {error}"))?;
    let sink = match std::env::var_os(AUDIT_VARIABLE) {
        Some(path) => Some(log(Path::new(&path))?),
        None => None,
    };
    Ok(Some(Arc::new(Gate::new(policy, sink))))
}

/// An audit log as the sink of a gate.
///
/// # Errors
///
/// Why it cannot be opened, in words.
pub fn log(path: &Path) -> Result<Arc<dyn Sink>, String> {
    let log = Log::open(path, LogOptions::default());
    log.map(|log| Arc::new(log) as Arc<dyn Sink>).map_err(|error| error.to_string())
}

/// The program's gate.
pub fn of_program<'a>(cx: Cx) -> Option<&'a Gate> {
    cx.runtime().guard.gate.as_deref()
}

/// The log of the run, if it has one.
pub fn sink<'a>(cx: Cx) -> Option<&'a Arc<dyn Sink>> {
    of_program(cx)?.sink()
}

/// Asks the program's gate.
///
/// # Errors
///
/// [`DENIED`], if the program may not.
pub fn ask(cx: Cx, power: Power, subject: &Subject<'_>) -> Result<(), i64> {
    let guard = &cx.runtime().guard;
    let Some(gate) = &guard.gate else { return Ok(()) };
    let place = asking(cx, guard);
    let (function, source) = place.map_or(("?", None), |place| (place.function, place.source));
    let (file, line, column) = source.map_or(("?", 0, 0), |source| (source.file, source.line, source.column));
    gate.request(power, subject, &Origin { file, line, column, function }).map_err(|denial| {
        *guard.denial.borrow_mut() = Some(denial);
        i64::from(DENIED)
    })
}

/// Asks on behalf of a function that cannot give an error: the denial is a panic.
pub fn demand(cx: Cx, power: Power, subject: &Subject<'_>) {
    if ask(cx, power, subject).is_err() {
        refuse(cx)
    }
}

/// Asks whether the program may do something to a file, and gives the place to do it at.
///
/// # Errors
///
/// [`DENIED`], or why the path leads nowhere.
pub fn place<'p>(cx: Cx, power: Power, path: &'p str, last: Last) -> Result<FilePlace<'p>, i64> {
    let path = Path::new(path);
    // An empty path is none, and not the working directory.
    if cx.runtime().guard.gate.is_none() || path.as_os_str().is_empty() {
        return Ok(FilePlace::as_written(path));
    }
    // What is no error of the system is a circle of links.
    let circle = i64::from(libc::ELOOP);
    let (judged, place) =
        FilePlace::find(path, last).map_err(|error| error.raw_os_error().map_or(circle, |_| errno_of(&error)))?;
    ask(cx, power, &Subject::Path(&judged))?;
    Ok(place)
}

/// The same for a function that cannot give an error: the denial is a panic. `None` for a path that leads nowhere.
pub fn demand_place<'p>(cx: Cx, power: Power, path: &'p str, last: Last) -> Option<FilePlace<'p>> {
    match place(cx, power, path, last) {
        Ok(place) => Some(place),
        Err(errno) if errno == i64::from(DENIED) => refuse(cx),
        Err(_) => None,
    }
}

fn refuse(cx: Cx) -> ! {
    // The program ends here; the words it ends with may stay.
    let text: &str = denial(cx).leak();
    panic::raise(cx, CODE, format_args!("{text}"))
}

/// Why the last request was denied, in words.
pub fn denial(cx: Cx) -> String {
    match &*cx.runtime().guard.denial.borrow() {
        Some(denial) => match denial.help() {
            Some(help) => format!("{}\n  help: {help}", denial.message()),
            None => denial.message(),
        },
        None => "it is not allowed".to_owned(),
    }
}

/// Where in the program a `traced` function was called.
pub fn place_of_call(cx: Cx) -> Option<Place<'static>> {
    asking(cx, &cx.runtime().guard)
}

/// The innermost place outside the library that has led here; in a program that is all library, the innermost one.
fn asking(cx: Cx, guard: &Guard) -> Option<Place<'static>> {
    let mut known = guard.places.borrow_mut();
    let frames = cx.runtime().frames.try_borrow().ok()?;
    let mut innermost = None;
    for code in panic::caller(cx) {
        let place = *known.entry(code).or_insert_with(|| frames.place(code).filter(|place| !place.hidden));
        let Some(place) = place else { continue };
        innermost = innermost.or(Some(place));
        if place.source.is_some_and(|source| !is_library(place.function, source.file)) {
            return Some(place);
        }
    }
    innermost
}
