//! What does a context hold, and how does it call its program?

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use reml_audit::{Event, Sink};
use reml_capability::gate::{Gate, Grantor};
use reml_driver::embedding::{self, Embedded, Guest, HostFunction, HostValue, Loaded as Code, Step};
use reml_driver::permissions::Asked;
use reml_driver::pipeline::RunOptions;
use reml_driver::system::OsSystem;

use crate::record;
use crate::value::Owned;

/// A function of the host: what it gives, or the message of its error.
pub type HostCall = Arc<dyn Fn(&[HostValue]) -> Result<HostValue, String> + Send + Sync>;

/// What a host sees as `reml_embed_context_t`.
pub struct Context {
    state: Mutex<State>,
    /// Not part of the state, since it can be asked for at any time.
    error: Mutex<Option<CString>>,
}

/// Everything that is used by one call at a time.
pub struct State {
    abi_version: String,
    asked: Asked,
    log: Option<Arc<dyn Sink>>,
    /// What happened before there was a log.
    unrecorded: Vec<Event>,
    functions: HashMap<String, HostCall>,
    loaded: Option<Loaded>,
    /// Behind the last result.
    pub owned: Owned,
}

struct Loaded {
    code: Arc<Code>,
    /// The functions of the module; for those that a host cannot call, why.
    functions: BTreeMap<String, Result<HostFunction, String>>,
    gate: Arc<Gate>,
    /// The program, from its first call to its end.
    guest: Option<Guest>,
}

impl Context {
    pub fn new(abi_version: &str, created: Event) -> Context {
        let state = State {
            abi_version: abi_version.to_owned(),
            asked: Asked::default(),
            log: None,
            unrecorded: vec![created],
            functions: HashMap::new(),
            loaded: None,
            owned: Owned::default(),
        };
        Context { state: Mutex::new(state), error: Mutex::new(None) }
    }

    /// The state, unless another call is using it: of another thread, or one that this call comes from.
    pub fn state(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The message of the last error, which stays where it is until the next one.
    pub fn error(&self) -> MutexGuard<'_, Option<CString>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Records a use of the context.
    ///
    /// # Errors
    ///
    /// Why it cannot be recorded.
    pub fn record(&mut self, function: &str, error: Option<&str>) -> Result<(), String> {
        let event = record::event(function, &self.abi_version, error, None);
        match &self.log {
            Some(log) => log.log(&event).and_then(|()| log.flush()).map_err(|error| format!("the audit log: {error}")),
            None => Ok(()),
        }
    }

    pub fn set_log(&mut self, path: &Path) -> Result<(), String> {
        let log = record::open(path)?;
        for event in self.unrecorded.drain(..) {
            log.log(&event).map_err(|error| format!("the audit log: {error}"))?;
        }
        self.log = Some(log);
        Ok(())
    }

    /// Takes flags between blanks.
    pub fn permit(&mut self, flags: &str) -> Result<(), String> {
        let asked = Asked { flags: flags.split_whitespace().map(str::to_owned).collect(), ..Asked::default() };
        reml_driver::permissions::policy(&asked, &Default::default(), &OsSystem)?;
        self.asked = asked;
        Ok(())
    }

    pub fn register(&mut self, name: &str, function: HostCall) {
        self.functions.insert(name.to_owned(), function);
    }

    /// Compiles a module and puts it in the place of the one before, whose program ends.
    pub fn load(&mut self, path: &Path, text: &str) -> Result<(), String> {
        self.loaded = None;
        let Embedded { code, functions, policy } = embedding::embed(path, text, true, &self.asked, &OsSystem)?;
        let gate = Arc::new(Gate::new(policy, self.log.clone()).with_grantor(Grantor::Host("reml_permit")));
        self.loaded = Some(Loaded { code, functions, gate, guest: None });
        Ok(())
    }

    /// Calls a function without parameters, and lets the program print its result.
    pub fn run(&mut self, name: &str) -> Result<(), String> {
        let function = self.function(name)?;
        check(name, &function, &[])?;
        self.call_number(function.printing(), Vec::new()).map(|_| ())
    }

    pub fn call(&mut self, name: &str, arguments: Vec<HostValue>) -> Result<HostValue, String> {
        let function = self.function(name)?;
        check(name, &function, &arguments)?;
        self.call_number(function.number(), arguments)
    }

    fn function(&self, name: &str) -> Result<HostFunction, String> {
        let loaded = self.loaded.as_ref().ok_or("no module is loaded")?;
        match loaded.functions.get(name) {
            Some(Ok(function)) => Ok(function.clone()),
            Some(Err(why)) => Err(format!("`{name}` cannot be called by a host: {why}")),
            None => {
                let known: Vec<&str> = loaded.functions.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
                Err(format!("the module has no function `{name}` at its top level ({known})"))
            }
        }
    }

    fn call_number(&mut self, number: i64, arguments: Vec<HostValue>) -> Result<HostValue, String> {
        let loaded = self.loaded.as_mut().ok_or("no module is loaded")?;
        let guest = match &mut loaded.guest {
            Some(guest) => guest,
            none => {
                let options = RunOptions { gate: Some(Arc::clone(&loaded.gate)), ..RunOptions::default() };
                let guest = loaded.code.host(&options)?;
                none.insert(guest)
            }
        };
        let mut step = guest.call(number, arguments);
        loop {
            match step {
                Step::Answered(answer) => return answer,
                Step::Calls { function, arguments } => {
                    let result = match self.functions.get(&function) {
                        Some(function) => function(&arguments),
                        None => Err(format!("the host has no function `{function}`")),
                    };
                    step = guest.reply(result);
                }
                Step::Ended { outcome, panic } => {
                    loaded.guest = None;
                    let status = || format!("the program has ended with the status {}", outcome.exit_code);
                    return Err(panic.map_or_else(status, |report| report.trim_end().to_owned()));
                }
            }
        }
    }
}

/// Whether a function can be called with these arguments.
fn check(name: &str, function: &HostFunction, arguments: &[HostValue]) -> Result<(), String> {
    let (wanted, given) = (function.params.len(), arguments.len());
    if wanted != given {
        let s = if wanted == 1 { "" } else { "s" };
        return Err(format!("`{name}` has {wanted} parameter{s}, and was given {given}"));
    }
    for ((param, ty), value) in function.params.iter().zip(arguments) {
        if !ty.has(value) {
            return Err(format!(
                "the parameter `{param}` of `{name}` has the type `{ty}`, and was given {}",
                shown(value)
            ));
        }
    }
    Ok(())
}

/// A value in a message.
fn shown(value: &HostValue) -> String {
    match value {
        HostValue::Unit => "unit".to_owned(),
        HostValue::Bool(truth) => format!("the truth value {truth}"),
        HostValue::Int(number) => format!("the integer {number}"),
        HostValue::Float(number) => format!("the float {number}"),
        HostValue::Text(_) => "a text".to_owned(),
        HostValue::Bytes(_) => "bytes".to_owned(),
        HostValue::List(items) => format!("a list of {}", items.len()),
    }
}
