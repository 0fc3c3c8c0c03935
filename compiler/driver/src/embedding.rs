//! How is a program made ready to be called by a host? Its functions are found by their types, and a loop is written behind its text that
//! waits for the host's calls, reads arguments, calls functions and writes results.
//!
//! The loop is Reml, so that calls from outside are checked and compiled as all others are. The host checks the values it sends against the types
//! that are listed here, so the loop need not.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use reml_capability::policy::{Policy, Power, Subject};
pub use reml_codegen::jit::{Guest, Loaded};
use reml_diagnostics::Diagnostic;
use reml_diagnostics::render::{Human, Renderer};
pub use reml_rt::host::{HostValue, Step};
use reml_semantics::typed::{FnDef, FnKind, Program};
use reml_semantics::types::{Prim, Type, TypeId};
use reml_syntax::names::Names;

use crate::overlay::Overlay;
use crate::permissions::Asked;
use crate::pipeline::{Compilation, Options};
use crate::stack::with_large_stack;
use crate::system::System;

/// A type whose values pass between a program and its host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostType {
    Unit,
    Bool,
    /// An integer of up to 64 bits that fits into a C `int64_t`.
    Int(Prim),
    Float(Prim),
    Text,
    Bytes,
    Array(Box<HostType>),
    List(Box<HostType>),
    /// `None` is unit.
    Option(Box<HostType>),
}

/// A function that a host can call.
#[derive(Clone, Debug)]
pub struct HostFunction {
    /// The name and type of each parameter.
    pub params: Vec<(String, HostType)>,
    pub result: HostType,
    /// It gives a `Result`, of which `result` is the type of success.
    pub fallible: bool,
    number: i64,
}

impl HostFunction {
    /// What [`Guest::call`](reml_rt::host::Hosted::call) knows the function by.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// What to call instead to have the result printed, as `remlc run` prints that of `main`.
    pub fn printing(&self) -> i64 {
        self.number + 1
    }
}

/// A compiled program that waits to be called.
pub struct Embedded {
    pub code: Arc<Loaded>,
    /// The functions at the top level of its module, by name; for those that cannot be called, why.
    pub functions: BTreeMap<String, Result<HostFunction, String>>,
    pub policy: Policy,
}

impl HostType {
    /// Reml that reads a value.
    fn taken(&self) -> String {
        match self {
            HostType::Unit => format!("{CALLS}.take_unit()"),
            HostType::Bool => format!("{CALLS}.take_bool()"),
            HostType::Int(Prim::I64) => format!("{CALLS}.take_int()"),
            HostType::Int(prim) => format!("({CALLS}.take_int() as {})", prim.name()),
            HostType::Float(Prim::F64) => format!("{CALLS}.take_float()"),
            HostType::Float(prim) => format!("({CALLS}.take_float() as {})", prim.name()),
            HostType::Text => format!("{CALLS}.take_text()"),
            HostType::Bytes => format!("{CALLS}.take_bytes()"),
            HostType::Array(item) => format!("{CALLS}.take_array(|| {})", item.taken()),
            HostType::List(item) => format!("{CALLS}.take_list(|| {})", item.taken()),
            HostType::Option(inner) => format!("{CALLS}.take_option(|| {})", inner.taken()),
        }
    }

    /// Reml that writes `value`.
    fn put(&self, value: &str) -> String {
        match self {
            HostType::Unit => format!("{CALLS}.put_unit({value})"),
            HostType::Bool => format!("{CALLS}.put_bool({value})"),
            HostType::Int(Prim::I64) => format!("{CALLS}.put_int({value})"),
            HostType::Int(_) => format!("{CALLS}.put_int({value} as Int)"),
            HostType::Float(Prim::F64) => format!("{CALLS}.put_float({value})"),
            HostType::Float(_) => format!("{CALLS}.put_float({value} as Float)"),
            HostType::Text => format!("{CALLS}.put_text({value})"),
            HostType::Bytes => format!("{CALLS}.put_bytes({value})"),
            HostType::Array(item) => format!("{CALLS}.put_array({value}, |item| {})", item.put("item")),
            HostType::List(item) => format!("{CALLS}.put_list({value}, |item| {})", item.put("item")),
            HostType::Option(inner) => format!("{CALLS}.put_option({value}, |inner| {})", inner.put("inner")),
        }
    }

    /// Whether a value is one of this type.
    pub fn has(&self, value: &HostValue) -> bool {
        match (self, value) {
            (HostType::Unit, HostValue::Unit)
            | (HostType::Bool, HostValue::Bool(_))
            | (HostType::Float(_), HostValue::Float(_))
            | (HostType::Text, HostValue::Text(_))
            | (HostType::Bytes, HostValue::Bytes(_)) => true,
            (HostType::Int(prim), HostValue::Int(number)) => {
                let bits = prim.bits().unwrap_or(64);
                let (low, high) = match prim.is_signed() {
                    true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
                    false => (0, (1_i128 << bits) - 1),
                };
                (low..=high).contains(&i128::from(*number))
            }
            (HostType::Array(item) | HostType::List(item), HostValue::List(items)) => {
                items.iter().all(|value| item.has(value))
            }
            (HostType::Option(inner), value) => *value == HostValue::Unit || inner.has(value),
            _ => false,
        }
    }
}

/// As Reml writes it.
impl fmt::Display for HostType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostType::Unit => f.write_str("()"),
            HostType::Bool => f.write_str("Bool"),
            HostType::Int(prim) | HostType::Float(prim) => f.write_str(prim.name()),
            HostType::Text => f.write_str("Str"),
            HostType::Bytes => f.write_str("[u8]"),
            HostType::Array(item) => write!(f, "[{item}]"),
            HostType::List(item) => write!(f, "List<{item}>"),
            HostType::Option(inner) => write!(f, "Option<{inner}>"),
        }
    }
}

/// Compiles a module, whose text is `text`, for a host. Other modules that it uses are looked for beside `path`.
///
/// # Errors
///
/// The errors as a terminal without colours shows them, or what is wrong with the permissions.
pub fn embed(path: &Path, text: &str, release: bool, asked: &Asked, system: &dyn System) -> Result<Embedded, String> {
    let options = Options { release, ..Options::default() };
    with_large_stack(|| {
        let alone = Overlay::new(system, path, text.to_owned());
        let mut plain = Compilation::new(&alone, options.clone());
        if !plain.check(path) {
            return Err(report(&plain));
        }
        let functions = functions(&plain);
        let whole = Overlay::new(system, path, format!("{text}\n\n{}", answering(&functions)));
        let mut compilation = Compilation::new(&whole, options);
        if !compilation.check(path) {
            return Err(report(&compilation));
        }
        let policy = compilation.policy(asked)?;
        compilation.enter(ENTRY);
        let permits = |subject: &Subject<'_>| policy.permits(Power::Ffi, subject);
        let code = if compilation.lower() { compilation.load(&permits) } else { None };
        let code = code.ok_or_else(|| report(&compilation))?;
        Ok(Embedded { code: Arc::new(code), functions, policy })
    })
}

fn report(compilation: &Compilation<'_>) -> String {
    let errors: Vec<Diagnostic> = compilation.diagnostics.iter().filter(|it| it.is_error()).cloned().collect();
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = Human { color: false }.render(&errors, &compilation.sources, &mut text);
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// Nobody writes this name by chance.
const ENTRY: &str = "reml_embed_answer_calls";
const CALLS: &str = "RemlEmbedCalls";

fn functions(compilation: &Compilation<'_>) -> BTreeMap<String, Result<HostFunction, String>> {
    let mut found = BTreeMap::new();
    let Some(program) = compilation.program() else { return found };
    let names = compilation.names();
    for (name, id) in compilation.functions() {
        let def = &program.fns[id];
        let number = 2 * found.len() as i64;
        let function = Reader { program, names }.function(def).map(|function| HostFunction { number, ..function });
        found.insert(name, function);
    }
    found
}

/// Finds the host's view of types.
struct Reader<'p> {
    program: &'p Program,
    names: &'p Names,
}

impl Reader<'_> {
    fn function(&self, def: &FnDef) -> Result<HostFunction, String> {
        if !matches!(def.kind, FnKind::Reml(_)) {
            return Err("it is a foreign function".to_owned());
        }
        if def.arity > 0 {
            return Err("it is generic".to_owned());
        }
        if let Some(effect) = def.effects.iter().find(|tag| tag.contains(char::is_uppercase)) {
            return Err(format!("it has the effect `{effect}`, which nobody handles"));
        }
        let mut params = Vec::new();
        for (index, param) in def.params.iter().enumerate() {
            let name = param.name.map_or_else(|| format!("#{}", index + 1), |name| self.names.text(name).to_owned());
            let ty = self.host_type(param.ty).map_err(|why| format!("its parameter `{name}` is {why}"))?;
            params.push((name, ty));
        }
        let success = self.success(def.ret);
        let result = self.host_type(success.unwrap_or(def.ret)).map_err(|why| format!("its result is {why}"))?;
        Ok(HostFunction { params, result, fallible: success.is_some(), number: 0 })
    }

    /// The type of success of a `Result`.
    fn success(&self, ty: TypeId) -> Option<TypeId> {
        match self.program.types.get(ty) {
            Type::Adt(def, args) if Some(*def) == self.program.lang.result => args.first().copied(),
            _ => None,
        }
    }

    fn host_type(&self, ty: TypeId) -> Result<HostType, &'static str> {
        let lang = &self.program.lang;
        let boxed = |ty| self.host_type(ty).map(Box::new);
        match self.program.types.get(ty) {
            Type::Tuple(parts) if parts.is_empty() => Ok(HostType::Unit),
            Type::Prim(Prim::Bool) => Ok(HostType::Bool),
            Type::Prim(Prim::Str) => Ok(HostType::Text),
            Type::Prim(Prim::U64 | Prim::Usize | Prim::Isize) => {
                Err("of an integer type that C's `int64_t` does not stand for")
            }
            Type::Prim(prim) if prim.is_integer() => Ok(HostType::Int(*prim)),
            Type::Prim(prim) if prim.is_float() => Ok(HostType::Float(*prim)),
            Type::Array(item) if *self.program.types.get(*item) == Type::Prim(Prim::U8) => Ok(HostType::Bytes),
            Type::Array(item) => boxed(*item).map(HostType::Array),
            Type::Ref { mutable: false, inner } => self.host_type(*inner),
            Type::Adt(def, args) if Some(*def) == lang.list => boxed(args[0]).map(HostType::List),
            Type::Adt(def, args) if Some(*def) == lang.option => match boxed(args[0])? {
                inner if matches!(*inner, HostType::Unit | HostType::Option(_)) => {
                    Err("an option whose `None` is no other than a `Some`")
                }
                inner => Ok(HostType::Option(inner)),
            },
            _ => Err("of a type that has no form for a host"),
        }
    }
}

/// The loop that answers calls, as Reml.
fn answering(functions: &BTreeMap<String, Result<HostFunction, String>>) -> String {
    let mut text = format!(
        "use Core.Embed.Calls as {CALLS}\n\nfn {ENTRY}() {{\n  var request = {CALLS}.next(false)\n  while request >= 0 {{\n    var failed = false\n    match request with\n"
    );
    for (name, function) in functions {
        let Ok(function) = function else { continue };
        let arguments: Vec<String> = function.params.iter().map(|(_, ty)| ty.taken()).collect();
        let call = format!("{name}({})", arguments.join(", "));
        let shown = |value: &str| match function.result {
            HostType::Unit => value.to_owned(),
            _ => format!("println(\"{{}}\", {value})"),
        };
        for (number, used) in [
            (function.number(), &(|value: &str| function.result.put(value)) as &dyn Fn(&str) -> String),
            (function.printing(), &shown),
        ] {
            let answer = if function.fallible {
                format!(
                    "match {call} with | Result.Ok(value) -> {} | Result.Err(error) -> {{ failed := true; \
                     {CALLS}.put_text(error.to_string()) }}",
                    used("value")
                )
            } else {
                used(&call)
            };
            let _ = writeln!(text, "    | {number} -> {{ {answer} }}");
        }
    }
    text.push_str("    | _ -> ()\n    request := RemlEmbedCalls.next(failed)\n  }\n}\n");
    text
}
