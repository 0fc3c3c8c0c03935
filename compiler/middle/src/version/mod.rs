//! What does a program consist of that may be replaced while it runs?
//!
//! Each version is a program of its own, compiled as a whole. What it shares with the versions before it has names that do not depend on
//! the compilation: the storage of globals, and the numbers that stand for effects and types ([`Numbers`]). All calls of the
//! program's own functions go through *slots* ([`slots`]), globals that hold a closure of whatever is called at present. A
//! closure is called in the same way whatever its code does, so callers need to know nothing but the type.
//!
//! An [`Interface`] says what other versions must know of one, and [`compare`] whether the next one may take its place: code of
//! the former goes on where it is, calls what it knows, and holds values of its types.

mod compare;
mod entry;
mod fingerprint;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cranelift_entity::SecondaryMap;
use reml_diagnostics::{Diagnostic, Span};
use rustc_hash::FxHashMap;

use crate::core::{FuncId, GlobalId, Program};
pub use compare::Changes;

/// The name of the function that says whether a new version of its module is fit.
pub const CHECK: &str = "accept_reload";

/// Numbers that stand for the same thing in all versions of a program.
#[derive(Clone, Default, Debug)]
pub struct Numbers(Arc<Mutex<FxHashMap<Box<str>, u32>>>);

impl Numbers {
    /// The number of what has this description.
    pub fn of(&self, description: &str) -> u32 {
        // Whoever panicked here had not begun to change it, or had finished.
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = numbers.len() as u32;
        *numbers.entry(description.into()).or_insert(next)
    }
}

/// What a version is compiled to succeed.
#[derive(Clone, Default, Debug)]
pub struct Lineage {
    pub numbers: Numbers,
    /// `None`: it is the first.
    pub running: Option<Arc<Running>>,
}

/// What a running program is made of.
#[derive(Clone, Default, Debug)]
pub struct Running {
    /// The version in force.
    pub current: Interface,
    /// Everything that code or values of some version may still rely on.
    pub known: Interface,
}

/// What other versions must know of one. The keys are unique in a program and the same in all versions.
#[derive(Clone, Default, Debug)]
pub struct Interface {
    pub functions: BTreeMap<Box<str>, FunctionFace>,
    pub globals: BTreeMap<Box<str>, GlobalFace>,
    /// Types and effects.
    pub definitions: BTreeMap<Box<str>, Definition>,
}

impl Interface {
    /// Adds what another version has, which comes first where both have something.
    pub fn extend(&mut self, other: &Interface) {
        self.functions.extend(other.functions.clone());
        self.globals.extend(other.globals.clone());
        self.definitions.extend(other.definitions.clone());
    }
}

/// A function of the program's own at concrete types.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionFace {
    /// `main.area`
    pub name: Box<str>,
    pub module: Box<str>,
    pub span: Span,
    /// Its type, with full names.
    pub signature: Box<str>,
    /// Of its code, and of the lambdas and local functions in it.
    pub fingerprint: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct GlobalFace {
    pub module: Box<str>,
    pub span: Span,
    pub ty: Box<str>,
    /// Can it be assigned? Then it keeps its value.
    pub variable: bool,
    /// Of everything that its value is computed from.
    pub fingerprint: u64,
}

/// A type or an effect that code or values of a version depend on.
#[derive(Clone, PartialEq, Debug)]
pub struct Definition {
    /// ``the type `main.Shape` ``
    pub shown: Box<str>,
    pub span: Span,
    pub text: Box<str>,
}

/// What lowering knows of the program it has made, beyond Core.
#[derive(Default)]
pub struct Facts {
    pub functions: Vec<OwnFunction>,
    /// In the order in which they are initialised.
    pub globals: Vec<OwnGlobal>,
    pub definitions: BTreeMap<Box<str>, Definition>,
    pub checks: Vec<Check>,
}

/// A function of the program's own.
pub struct OwnFunction {
    pub func: FuncId,
    pub key: Box<str>,
    pub name: Box<str>,
    pub module: Box<str>,
    pub signature: Box<str>,
}

pub struct OwnGlobal {
    pub global: GlobalId,
    pub initialiser: FuncId,
    /// Says whether it is initialised, where something may want it before.
    pub flag: Option<GlobalId>,
    pub module: Box<str>,
    /// Of the standard library, which does not change.
    pub library: bool,
    pub span: Span,
    pub ty: Box<str>,
    pub variable: bool,
}

/// The check of a module.
pub struct Check {
    pub module: Box<str>,
    pub func: FuncId,
    /// Which variant of its result says no.
    pub refusal: u32,
}

/// What a Core program knows of itself as a version.
#[derive(Clone)]
pub struct Version {
    pub interface: Interface,
    pub changes: Changes,
    /// Where each global is kept.
    pub storage: SecondaryMap<GlobalId, Storage>,
}

#[derive(Clone, Default, Debug)]
pub struct Storage {
    /// The same in all versions that share the storage.
    pub key: Box<str>,
    pub role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Role {
    /// The value is that of the versions before, if they have one.
    #[default]
    Kept,
    /// A value of this version's own, in a place of its own: older code goes on with the older one.
    Added,
    /// The closure of a function.
    Slot,
}

/// Makes a lowered program one that can be replaced, or one that replaces what runs.
///
/// # Errors
///
/// Why it cannot take the place of what runs.
pub fn make(program: &mut Program, facts: Facts, running: Option<&Running>) -> Result<(), Vec<Diagnostic>> {
    let interface = interface(program, &facts);
    let (changes, added) = match running {
        Some(running) => {
            let changes = compare::compare(running, &interface)?;
            let added = compare::added(&running.known, &interface);
            (changes, added)
        }
        None => (Changes::default(), BTreeSet::new()),
    };
    let mut storage: SecondaryMap<GlobalId, Storage> = SecondaryMap::new();
    for own in &facts.globals {
        let name = &program.globals[own.global].name;
        let role = if added.contains(&**name) { Role::Added } else { Role::Kept };
        storage[own.global] = Storage { key: format!("{name}: {}", own.ty).into(), role };
        if let Some(flag) = own.flag {
            storage[flag] = Storage { key: program.globals[flag].name.clone(), role };
        }
    }
    let slots = slots::divert(program, &facts, &mut storage);
    match running {
        None => entry::first(program, &slots),
        Some(_) => entry::later(program, &slots, &facts, &storage, &changes),
    }
    program.version = Some(Version { interface, changes, storage });
    Ok(())
}

fn interface(program: &Program, facts: &Facts) -> Interface {
    let fingerprints = fingerprint::Fingerprints::of(program, facts);
    let functions = facts.functions.iter().map(|own| {
        let face = FunctionFace {
            name: own.name.clone(),
            module: own.module.clone(),
            span: program.funcs[own.func].span,
            signature: own.signature.clone(),
            fingerprint: fingerprints.of_function(own.func),
        };
        (own.key.clone(), face)
    });
    let globals = facts.globals.iter().map(|own| {
        let face = GlobalFace {
            module: own.module.clone(),
            span: own.span,
            ty: own.ty.clone(),
            variable: own.variable,
            fingerprint: if own.library { 0 } else { fingerprints.of_value(own.initialiser) },
        };
        (program.globals[own.global].name.clone(), face)
    });
    Interface { functions: functions.collect(), globals: globals.collect(), definitions: facts.definitions.clone() }
}
