//! The functions of `reml_embed.h`. Each looks at its arguments, finds the context, does its work where a panic of ours cannot reach the host, keeps the error for
//! `reml_last_error`, and records the call.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use reml_driver::embedding::HostValue;

use crate::context::{Context, State};
use crate::value::{self, Owned, Slice, Value};
use crate::{handles, record};

/// What `reml_create_context` must be given.
const ABI_VERSION: &str = "0.1.0";
/// For tests: no machine is supported.
const FORCE_UNSUPPORTED: &str = "REML_EMBED_FORCE_UNSUPPORTED";

/// `reml_embed_status_t`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum Status {
    Ok = 0,
    Error = 1,
    AbiMismatch = 2,
    UnsupportedTarget = 3,
    InvalidArgument = 4,
}

/// Never followed: see [`handles`].
pub type Handle = *const c_void;

type HostFunction = unsafe extern "C" fn(*mut c_void, *const Value, usize, *mut Value) -> c_int;

/// Why a function of the interface fails.
struct Failure(Status, String);

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure(Status::Error, message)
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure(Status::InvalidArgument, message.into())
}

thread_local! {
    /// Why the last `reml_create_context` of this thread failed.
    static CREATION_ERROR: RefCell<Option<CString>> = const { RefCell::new(None) };
}

fn c_text(message: &str) -> CString {
    CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Does the work of a function on a context.
fn on(handle: Handle, function: &str, work: impl FnOnce(&mut State) -> Result<(), Failure>) -> Status {
    let Some(context) = handles::find(handle.addr()) else { return Status::InvalidArgument };
    let Some(mut state) = context.state() else {
        *context.error() = Some(c_text(&format!("{function}: the context is in use by another call")));
        return Status::Error;
    };
    let mut result = guarded(|| work(&mut state));
    let message = result.as_ref().err().map(|Failure(_, message)| message.as_str());
    if let Err(problem) = state.record(function, message) {
        result = Err(Failure(Status::Error, problem));
    }
    match result {
        Ok(()) => Status::Ok,
        Err(Failure(status, message)) => {
            *context.error() = Some(c_text(&message));
            status
        }
    }
}

/// A panic of the compiler is an error like others: it must not unwind into C.
fn guarded(work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("for a reason it does not tell");
        Err(Failure(Status::Error, format!("the compiler has failed, which is a mistake of its own: {text}")))
    })
}

/// # Safety
/// `text` must be null or end with a NUL character, and stay as it is during the call.
unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(invalid(format!("{what} is a null pointer")));
    }
    // SAFETY: per the contract.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| invalid(format!("{what} is not UTF-8")))
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_create_context(abi_version: *const c_char, out: *mut Handle) -> Status {
    // SAFETY: per the contract.
    let version = unsafe { text(abi_version, "the version") };
    let result = match &version {
        _ if out.is_null() => Err(invalid("there is no place for the context: `out` is a null pointer")),
        Err(Failure(status, message)) => Err(Failure(*status, message.clone())),
        Ok(_) if std::env::var_os(FORCE_UNSUPPORTED).is_some_and(|value| value == "1") => {
            Err(Failure(Status::UnsupportedTarget, "no code can be made for this machine".to_owned()))
        }
        Ok(version) if *version != ABI_VERSION => Err(Failure(
            Status::AbiMismatch,
            format!("the host was made for version {version:?} of the interface, and this is {ABI_VERSION}"),
        )),
        Ok(_) => Ok(()),
    };
    let problem = match &result {
        Err(Failure(Status::AbiMismatch, _)) => Some("native.embed.abi_mismatch"),
        Err(Failure(Status::UnsupportedTarget, _)) => Some("native.embed.unsupported_target"),
        _ => None,
    };
    let asked = version.unwrap_or("unknown");
    let message = result.as_ref().err().map(|Failure(_, message)| message.as_str());
    let event = record::event("reml_create_context", asked, message, problem);
    let environment = std::env::var_os(reml_driver::pipeline::AUDIT_VARIABLE);
    let result = result.and_then(|()| {
        let context = Context::new(asked, event.clone());
        if let (Some(path), Some(mut state)) = (&environment, context.state()) {
            state.set_log(Path::new(path))?;
        }
        // SAFETY: not null, so it is a place for a context.
        unsafe { *out = ptr::without_provenance(handles::add(context)) };
        Ok(())
    });
    match result {
        Ok(()) => Status::Ok,
        Err(Failure(status, message)) => {
            if !out.is_null() {
                // SAFETY: as above.
                unsafe { *out = ptr::null() };
            }
            // A context that does not come about is recorded, too, where the environment says so.
            let log = environment.and_then(|path| record::open(Path::new(&path)).ok());
            let message = match log.map(|log| log.log(&event).and_then(|()| log.flush())) {
                Some(Err(problem)) => format!("{message}; the audit log: {problem}"),
                _ => message,
            };
            CREATION_ERROR.set(Some(c_text(&message)));
            status
        }
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_load_module(context: Handle, source: *const u8, len: usize) -> Status {
    on(context, "reml_load_module", |state| {
        if source.is_null() || len == 0 {
            return Err(invalid("the source is empty"));
        }
        // SAFETY: per the contract.
        let bytes = unsafe { Slice { data: source, len }.get() }.ok_or_else(|| invalid("the source is too large"))?;
        let text = std::str::from_utf8(bytes)
            .map_err(|error| format!("the source is not UTF-8 from byte {} on", error.valid_up_to()))?;
        Ok(state.load(Path::new("embedded.reml"), text)?)
    })
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_load_file(context: Handle, path: *const c_char) -> Status {
    on(context, "reml_load_file", |state| {
        // SAFETY: per the contract.
        let path = unsafe { text(path, "the path") }?;
        let source = std::fs::read_to_string(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        Ok(state.load(Path::new(path), &source)?)
    })
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_run(context: Handle, entrypoint: *const c_char) -> Status {
    on(context, "reml_run", |state| {
        let name = match entrypoint.is_null() {
            true => "main",
            // SAFETY: per the contract.
            false => unsafe { text(entrypoint, "the name of the function") }?,
        };
        Ok(state.run(name)?)
    })
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_call(
    context: Handle,
    function: *const c_char,
    arguments: *const Value,
    count: usize,
    result: *mut Value,
) -> Status {
    on(context, "reml_call", |state| {
        // SAFETY: per the contract.
        let (name, given) =
            unsafe { (text(function, "the name of the function")?, Slice { data: arguments, len: count }.get()) };
        let given = given.ok_or_else(|| invalid("the arguments are a null pointer"))?;
        // SAFETY: per the contract.
        let values = given.iter().map(|value| unsafe { value::read(value) }).collect::<Result<Vec<_>, _>>();
        let values = values.map_err(invalid)?;
        let answer = state.call(name, values)?;
        if !result.is_null() {
            state.owned = Owned::default();
            // SAFETY: a place for a result, per the contract.
            unsafe { *result = state.owned.write(answer) };
        }
        Ok(())
    })
}

/// What the host said it needs to get back. Whoever registers a function vouches that it may be called from any thread that uses the context.
struct UserData(*mut c_void);

// SAFETY: it is only passed back to the host, whose promise it is.
unsafe impl Send for UserData {}
// SAFETY: as above; calls of one context come one after the other.
unsafe impl Sync for UserData {}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_register_function(
    context: Handle,
    name: *const c_char,
    function: Option<HostFunction>,
    user_data: *mut c_void,
) -> Status {
    on(context, "reml_register_function", |state| {
        // SAFETY: per the contract.
        let name = unsafe { text(name, "the name of the function") }?;
        let function = function.ok_or_else(|| invalid("the function is a null pointer"))?;
        let data = UserData(user_data);
        state.register(name, Arc::new(move |arguments| call_host(function, &data, arguments)));
        Ok(())
    })
}

fn call_host(function: HostFunction, data: &UserData, arguments: &[HostValue]) -> Result<HostValue, String> {
    let mut owned = Owned::default();
    let values: Vec<Value> = arguments.iter().map(|value| owned.write(value.clone())).collect();
    let mut result = Value::UNIT;
    // SAFETY: the host registered the function as one of this type; the values live until it returns.
    let status = unsafe { function(data.0, values.as_ptr(), values.len(), &raw mut result) };
    // SAFETY: what the result points to stays until the next call, as the header demands.
    let result = unsafe { value::read(&result) };
    match (status == Status::Ok as c_int, result) {
        (true, result) => result,
        (false, Ok(HostValue::Text(message))) => Err(message),
        (false, _) => Err(format!("the function of the host has failed with the status {status}")),
    }
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_permit(context: Handle, flags: *const c_char) -> Status {
    // SAFETY: per the contract.
    on(context, "reml_permit", |state| Ok(state.permit(unsafe { text(flags, "the flags") }?)?))
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_set_audit_log(context: Handle, path: *const c_char) -> Status {
    // SAFETY: per the contract.
    on(context, "reml_set_audit_log", |state| Ok(state.set_log(Path::new(unsafe { text(path, "the path") }?))?))
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_dispose_context(context: Handle) -> Status {
    let status = on(context, "reml_dispose_context", |_| Ok(()));
    if status == Status::Ok {
        handles::remove(context.addr());
    }
    status
}

/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_last_error(context: Handle) -> *const c_char {
    if context.is_null() {
        return CREATION_ERROR.with_borrow(|error| error.as_ref().map_or(ptr::null(), |error| error.as_ptr()));
    }
    let Some(context) = handles::find(context.addr()) else { return ptr::null() };
    let error = context.error();
    error.as_ref().map_or(ptr::null(), |error| error.as_ptr())
}
