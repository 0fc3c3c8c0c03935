//! What does a Core program do? An interpreter for tests, written for being right rather than fast.
//!
//! It runs Core in all three forms. On counted programs it keeps the count of every object, and reports use after free, leaks, and
//! reuse of memory that is not free; on programs without counts it runs as with a garbage collector. The forms of one program can so
//! be compared with each other, and with machine code.
//!
//! The stack is data: a list of [`frames`], in [`handlers::Segment`]s. A continuation is a piece of it, and resuming one again copies the
//! piece; nothing here knows of fibers, images or frame tables. [`deferred`] says what runs on the ways out, [`runtime`] what the
//! runtime library does.

mod deferred;
mod frames;
mod handlers;
mod number;
mod prim;
mod runtime;
mod value;

use std::fmt;
use std::rc::Rc;

use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;

use crate::core::{FuncId, GlobalId, Program};
use crate::rc::types::Types;
use frames::Joins;
use handlers::{Chain, Segment};
use value::{Contents, Heap, Value};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The program is in counted form.
    pub counted: bool,
    /// Overflow wraps, as in release builds, instead of panicking.
    pub wrapping: bool,
    /// After so many statements the program runs for too long.
    pub steps: u64,
}

/// Deeper recursion runs for too long, too.
const MAX_DEPTH: usize = 200_000;

#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub allocations: u64,
    pub reused: u64,
    pub dups: u64,
    pub drops: u64,
    pub in_place: u64,
    pub copies: u64,
    pub max_depth: u64,
}

/// What a program did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub stdout: String,
    /// Without panics.
    pub stderr: String,
    /// 101 after a panic.
    pub status: i32,
    pub panic: Option<Panic>,
    /// The result of the entry function, in a form for people.
    pub result: String,
    /// A computation with deferred code was never resumed. When that code runs depends on counts, which this form does not have.
    pub undecided: bool,
    pub stats: Stats,
}

/// What the first panic of a program said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Panic {
    pub code: &'static str,
    pub message: String,
}

/// Why there is no outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The program calls something that the interpreter does not know.
    Unknown(String),
    /// It takes more steps or a deeper stack than it may.
    Endless,
    /// It breaks a rule of Core.
    Broken(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unknown(what) => write!(f, "{what} is not known to the interpreter"),
            Problem::Endless => write!(f, "the program runs for too long"),
            Problem::Broken(what) => write!(f, "the program is malformed: {what}"),
        }
    }
}

/// Why a statement does not go on.
enum Stop {
    Panic(Panic),
    Exit(i32),
    Problem(Problem),
}

type Eval<T> = Result<T, Stop>;

fn broken<T>(what: impl Into<String>) -> Eval<T> {
    Err(Stop::Problem(Problem::Broken(what.into())))
}

fn unknown<T>(what: impl Into<String>) -> Eval<T> {
    Err(Stop::Problem(Problem::Unknown(what.into())))
}

fn panics<T>(code: &'static str, message: impl Into<String>) -> Eval<T> {
    Err(Stop::Panic(Panic { code, message: message.into() }))
}

/// Runs the entry function.
pub fn run(program: &Program, options: Options) -> Result<Outcome, Problem> {
    let types = Types::of(&mut program.types.clone(), &program.type_defs, &program.funcs);
    let mut machine = Machine {
        program,
        options,
        types,
        heap: Heap::new(options.counted),
        segments: vec![Segment::new(None, Value::Unit)],
        globals: SecondaryMap::new(),
        joins: FxHashMap::default(),
        payload: None,
        stopped: None,
        parked: FxHashMap::default(),
        ending: false,
        freeing: false,
        stdout: Vec::new(),
        stderr: Vec::new(),
        panic: None,
        ended: None,
        steps: 0,
    };
    machine.run()
}

/// How a run has ended.
enum Ended {
    Returned(Value),
    CutShort(i32),
}

struct Machine<'p> {
    program: &'p Program,
    options: Options,
    types: Types,
    heap: Heap<'p>,
    /// The stack, the innermost part last.
    segments: Vec<Segment<'p>>,
    globals: SecondaryMap<GlobalId, Option<Value>>,
    joins: FxHashMap<FuncId, Rc<Joins<'p>>>,
    /// What is on its way between a computation and its handler.
    payload: Option<Value>,
    /// The computation that has just been stopped.
    stopped: Option<Chain<'p>>,
    /// Those that go on without a continuation.
    parked: FxHashMap<i128, Chain<'p>>,
    /// Globals are being dropped.
    ending: bool,
    /// A continuation is being given up; others wait.
    freeing: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    panic: Option<Panic>,
    ended: Option<Ended>,
    steps: u64,
}

impl<'p> Machine<'p> {
    fn run(&mut self) -> Result<Outcome, Problem> {
        let entered = self.enter(self.program.entry, Vec::new());
        self.settle(entered)?;
        let ended = loop {
            if let Some(ended) = self.ended.take() {
                break ended;
            }
            let result = match self.heap.dying.pop() {
                Some(continuation) if !self.freeing => self.give_up(continuation),
                Some(continuation) => {
                    self.heap.dying.push(continuation);
                    self.step()
                }
                None => self.step(),
            };
            self.settle(result)?;
        };
        self.finish(ended).map_err(|stop| match stop {
            Stop::Problem(problem) => problem,
            Stop::Panic(panic) => Problem::Broken(panic.message),
            Stop::Exit(_) => Problem::Broken("the program ends twice".into()),
        })
    }

    /// Starts what a statement leads to that does not go on.
    fn settle(&mut self, result: Eval<()>) -> Result<(), Problem> {
        match result {
            Ok(()) => Ok(()),
            Err(Stop::Panic(panic)) => {
                self.start_panic(panic);
                Ok(())
            }
            Err(Stop::Exit(status)) => {
                self.ended = Some(Ended::CutShort(status));
                Ok(())
            }
            Err(Stop::Problem(problem)) => Err(self.explained(problem)),
        }
    }

    fn explained(&self, problem: Problem) -> Problem {
        match (problem, self.function_name()) {
            (Problem::Broken(what), Some(function)) => Problem::Broken(format!("{what} (in {function})")),
            (problem, _) => problem,
        }
    }

    /// Counts a step, and what it copies.
    fn charge(&mut self, work: usize) -> Eval<()> {
        self.steps += 1 + work as u64 / 16;
        if self.steps > self.options.steps { Err(Stop::Problem(Problem::Endless)) } else { Ok(()) }
    }

    fn finish(&mut self, ended: Ended) -> Eval<Outcome> {
        let (result, status) = match ended {
            Ended::Returned(value) => {
                let shown = self.show(&value)?;
                if self.options.counted {
                    self.heap.drop(&value)?;
                    let leaked = self.heap.objects().filter(|object| object.count != 0).count();
                    if let Some(object) = self.heap.objects().find(|object| object.count != 0) {
                        return broken(format!(
                            "{leaked} objects leaked; one has the count {}: {:?}",
                            object.count, object.contents
                        ));
                    }
                }
                let status = match value {
                    Value::Int(status) => status as i32,
                    _ => 0,
                };
                (shown, status)
            }
            Ended::CutShort(status) => (String::new(), status),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let undecided = !self.options.counted && self.heap.objects().any(|object| object.contents.is_abandoned());
        Ok(Outcome {
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            status,
            panic: self.panic.take(),
            result,
            undecided,
            stats: self.heap.stats,
        })
    }

    fn show(&mut self, value: &Value) -> Eval<String> {
        Ok(match value {
            Value::Object(object) => match self.heap.live(*object)?.contents.clone() {
                Contents::Cell { variant, fields, .. } => self.show_fields(&variant.to_string(), &fields)?,
                Contents::Array(items) => self.show_fields("array", &items)?,
                Contents::Var(value) => self.show_fields("cell", &[value])?,
                Contents::Text(text) => format!("{text:?}"),
                Contents::Closure(..) => "closure".into(),
                Contents::Handler { .. } | Contents::Continuation(_) | Contents::Freed => "object".into(),
            },
            Value::Text(_) => format!("{:?}", self.text(value)?),
            Value::Unboxed(variant, fields) => self.show_fields(&variant.to_string(), fields)?,
            Value::Immediate(variant) => self.show_fields(&variant.to_string(), &[])?,
            other => format!("{other:?}"),
        })
    }

    fn show_fields(&mut self, head: &str, fields: &[Value]) -> Eval<String> {
        let fields: Vec<String> = fields.iter().map(|field| self.show(field)).collect::<Eval<_>>()?;
        Ok(format!("{head}({})", fields.join(" ")))
    }
}
