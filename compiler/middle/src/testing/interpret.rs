//! A Core interpreter for tests.
//!
//! On counted programs it keeps the count of every object and panics on use after free, double free, a leak, and on reuse of
//! memory that is not free. On programs without counts it runs as with a garbage collector. Both report what the program
//! emitted and a printable result, so the forms of a program can be compared.

use std::collections::HashMap;

use cranelift_entity::PrimaryMap;

use crate::core::{
    Atom, Block, Callee, Case, End, FuncId, Function, Join, JoinId, Op, Program, RuntimeFn, RuntimeId, Stmt, StrId, Var,
};
use crate::prim::PrimOp;
use crate::rc::types::{Kind, Types};

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A variant without fields of a boxed type.
    Immediate(u32),
    Unboxed(u32, Vec<Value>),
    Object(usize),
    Static(usize),
    Token(Option<u32>),
    Hole,
    Address(usize, u32),
}

#[derive(Clone, Debug)]
enum Contents {
    Cell { variant: u32, fields: Vec<Value>, class: u32 },
    Array(Vec<Value>),
    Closure(FuncId, Vec<Value>),
    Var(Value),
    Text(String),
}

struct Object {
    count: i64,
    contents: Contents,
}

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

pub struct Outcome {
    pub result: String,
    pub emitted: Vec<i64>,
    pub stats: Stats,
}

/// Runs the entry function. `counted`: check counts.
pub fn run(program: &mut Program, counted: bool) -> Outcome {
    let Program { types, type_defs, funcs, strings, runtime, .. } = program;
    let types = Types::of(types, type_defs, funcs);
    let mut machine = Machine {
        funcs,
        strings,
        runtime,
        types,
        entry: program.entry,
        objects: Vec::new(),
        globals: HashMap::new(),
        emitted: Vec::new(),
        counted,
        stats: Stats::default(),
        steps: 0,
        depth: 0,
    };
    let value = machine.call(machine.entry, Vec::new());
    let result = machine.show(&value);
    if counted {
        machine.drop(&value);
        let leaked: Vec<_> = machine.objects.iter().enumerate().filter(|(_, object)| object.count != 0).collect();
        if let Some((at, object)) = leaked.first() {
            panic!("{} objects leaked; object {at} has count {}: {:?}", leaked.len(), object.count, object.contents);
        }
    }
    Outcome { result, emitted: machine.emitted, stats: machine.stats }
}

struct Machine<'a> {
    funcs: &'a PrimaryMap<FuncId, Function>,
    strings: &'a PrimaryMap<StrId, Box<str>>,
    runtime: &'a PrimaryMap<RuntimeId, RuntimeFn>,
    types: Types,
    entry: FuncId,
    objects: Vec<Object>,
    globals: HashMap<u32, Value>,
    emitted: Vec<i64>,
    counted: bool,
    stats: Stats,
    steps: u64,
    depth: u64,
}

struct Frame<'a> {
    function: &'a Function,
    vars: HashMap<Var, Value>,
    joins: HashMap<JoinId, &'a Join>,
}

enum Next<'a> {
    Return(Value),
    Block(&'a Block),
    Tail(FuncId, Vec<Value>),
}

impl<'a> Machine<'a> {
    fn call(&mut self, func: FuncId, args: Vec<Value>) -> Value {
        self.depth += 1;
        self.stats.max_depth = self.stats.max_depth.max(self.depth);
        let (mut func, mut args) = (func, args);
        let value = loop {
            let function = &self.funcs[func];
            assert_eq!(function.params.len(), args.len(), "arguments of {}", function.name);
            let vars = function.params.iter().copied().zip(args).collect();
            let mut frame = Frame { function, vars, joins: HashMap::new() };
            let mut block = &function.body;
            let next = loop {
                match self.block(&mut frame, block) {
                    Next::Block(next) => block = next,
                    other => break other,
                }
            };
            match next {
                Next::Return(value) => break value,
                Next::Tail(callee, values) => (func, args) = (callee, values),
                Next::Block(_) => unreachable!(),
            }
        };
        self.depth -= 1;
        value
    }

    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block) -> Next<'a> {
        for stmt in &block.stmts {
            self.steps += 1;
            assert!(self.steps < 5_000_000, "the program does not stop");
            match stmt {
                Stmt::Let(var, op) => {
                    let value = self.op(frame, *var, op);
                    frame.vars.insert(*var, value);
                }
                Stmt::Join(join) => {
                    frame.joins.insert(join.id, join);
                }
                Stmt::Fill { addr, value } => {
                    let value = self.atom(frame, *value);
                    let Value::Address(object, index) = frame.vars[addr] else { panic!("fill of no address") };
                    match &mut self.live(object).contents {
                        Contents::Cell { fields, .. } => fields[index as usize] = value,
                        _ => panic!("fill of no cell"),
                    }
                }
                Stmt::Dup(var) => {
                    let value = frame.vars[var].clone();
                    self.dup(&value);
                }
                Stmt::Drop(var) => {
                    let value = frame.vars[var].clone();
                    self.drop(&value);
                }
                Stmt::Release { var, variant, moved, token } => {
                    let memory = self.release(frame, *var, *variant, moved, token.is_some());
                    if let Some(token) = token {
                        frame.vars.insert(*token, Value::Token(memory));
                    }
                }
                Stmt::FreeToken(token) => match frame.vars.insert(*token, Value::Unit) {
                    Some(Value::Token(_)) => {}
                    other => panic!("{token} is no token but {other:?}"),
                },
            }
        }
        match &block.end {
            End::Return(atom) => Next::Return(self.atom(frame, *atom)),
            End::Jump(join, args) => {
                let values: Vec<Value> = args.iter().map(|&arg| self.atom(frame, arg)).collect();
                let join = frame.joins[join];
                frame.vars.extend(join.params.iter().copied().zip(values));
                Next::Block(&join.body)
            }
            End::TailCall { callee, args, .. } => {
                let (func, values) = self.callee(frame, *callee, args);
                Next::Tail(func, values)
            }
            End::Switch(switch) => {
                let value = self.atom(frame, switch.scrutinee);
                let tag = match &value {
                    Value::Object(object) => match &self.live(*object).contents {
                        Contents::Cell { variant, .. } => i128::from(*variant),
                        other => panic!("switch on {other:?}"),
                    },
                    Value::Immediate(variant) | Value::Unboxed(variant, _) => i128::from(*variant),
                    Value::Int(value) => i128::from(*value),
                    Value::Bool(value) => i128::from(*value),
                    other => panic!("switch on {other:?}"),
                };
                for (case, block) in &switch.cases {
                    let wanted = match *case {
                        Case::Variant(variant) => i128::from(variant),
                        Case::Int(value) => value,
                        Case::Bool(value) => i128::from(value),
                    };
                    if wanted == tag {
                        return Next::Block(block);
                    }
                }
                Next::Block(switch.default.as_deref().expect("an exhaustive switch"))
            }
            End::Unreachable => panic!("reached the unreachable in {}", frame.function.name),
        }
    }

    fn callee(&mut self, frame: &Frame, callee: Callee, args: &[Atom]) -> (FuncId, Vec<Value>) {
        let mut values: Vec<Value> = args.iter().map(|&arg| self.atom(frame, arg)).collect();
        match callee {
            Callee::Func(func) => (func, values),
            Callee::Closure(closure) | Callee::Consumed(closure) => {
                let Value::Object(object) = self.atom(frame, closure) else { panic!("call of no closure") };
                let Contents::Closure(func, captures) = self.live(object).contents.clone() else {
                    panic!("call of no closure")
                };
                let mut all = captures;
                let mut code = func;
                if matches!(callee, Callee::Consumed(_)) {
                    all.iter().for_each(|value| self.dup(value));
                    self.drop(&Value::Object(object));
                    code = self.funcs[func].consuming.unwrap_or_else(|| {
                        assert!(all.is_empty(), "{} has no copy that owns its captures", self.funcs[func].name);
                        func
                    });
                }
                all.append(&mut values);
                (code, all)
            }
        }
    }

    fn atom(&mut self, frame: &Frame, atom: Atom) -> Value {
        match atom {
            Atom::Var(var) => match frame.vars.get(&var) {
                Some(value) => value.clone(),
                None => panic!("{var} is not defined in {}", frame.function.name),
            },
            Atom::Int(value, ty) => match self.types.known_kind(ty) {
                Some(Kind::BoxedSum) => Value::Immediate(value as u32),
                Some(Kind::UnboxedSum) => Value::Unboxed(value as u32, Vec::new()),
                _ => Value::Int(value as i64),
            },
            Atom::Float(value, _) => Value::Float(value),
            Atom::Bool(value) => Value::Bool(value),
            Atom::Unit => Value::Unit,
            Atom::Str(id) => Value::Static(id.as_u32() as usize),
            Atom::Hole => Value::Hole,
        }
    }

    fn live(&mut self, object: usize) -> &mut Object {
        let counted = self.counted;
        let object_ref = &mut self.objects[object];
        assert!(!counted || object_ref.count > 0, "object {object} used after free: {:?}", object_ref.contents);
        object_ref
    }

    fn allocate(&mut self, contents: Contents) -> Value {
        self.stats.allocations += 1;
        self.objects.push(Object { count: 1, contents });
        Value::Object(self.objects.len() - 1)
    }

    fn dup(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                self.stats.dups += 1;
                self.live(*object).count += 1;
            }
            Value::Unboxed(_, fields) => fields.iter().for_each(|field| self.dup(field)),
            _ => {}
        }
    }

    fn drop(&mut self, value: &Value) {
        let mut work = vec![value.clone()];
        while let Some(value) = work.pop() {
            match value {
                Value::Object(object) => {
                    self.stats.drops += 1;
                    let object = self.live(object);
                    object.count -= 1;
                    if object.count == 0 {
                        match object.contents.clone() {
                            Contents::Cell { fields, .. } => work.extend(fields),
                            Contents::Array(items) => {
                                assert!(!items.contains(&Value::Hole), "an array with a hole is dropped");
                                work.extend(items);
                            }
                            Contents::Closure(_, items) => work.extend(items),
                            Contents::Var(value) => work.push(value),
                            Contents::Text(_) => {}
                        }
                    }
                }
                Value::Unboxed(_, fields) => work.extend(fields),
                Value::Token(_) => panic!("drop of a token"),
                _ => {}
            }
        }
    }

    fn release(&mut self, frame: &Frame, var: Var, variant: u32, moved: &[(u32, Var)], keep: bool) -> Option<u32> {
        let value = frame.vars[&var].clone();
        let check = |fields: &[Value]| {
            for (index, var) in moved {
                assert_eq!(fields[*index as usize], frame.vars[var], "moved field {index}");
            }
        };
        let others = |fields: Vec<Value>| {
            let rest = fields.into_iter().enumerate();
            rest.filter(|(at, _)| moved.iter().all(|(index, _)| *index as usize != *at)).map(|(_, field)| field)
        };
        match value {
            Value::Object(object) => {
                let Object { count, contents } = self.live(object);
                let Contents::Cell { variant: actual, fields, class } = contents.clone() else {
                    panic!("release of no cell")
                };
                assert_eq!(actual, variant, "released variant");
                check(&fields);
                if *count > 1 {
                    *count -= 1;
                    self.stats.drops += 1;
                    for (_, var) in moved {
                        let value = frame.vars[var].clone();
                        self.dup(&value);
                    }
                    return None;
                }
                *count = 0;
                for field in others(fields) {
                    self.drop(&field);
                }
                keep.then_some(class)
            }
            Value::Unboxed(actual, fields) => {
                assert_eq!(actual, variant, "released variant");
                check(&fields);
                assert!(!keep, "an unboxed value has no memory");
                for field in others(fields) {
                    self.drop(&field);
                }
                None
            }
            other => panic!("release of {other:?}"),
        }
    }

    fn op(&mut self, frame: &mut Frame<'a>, var: Var, op: &Op) -> Value {
        let ty = frame.function.vars[var].ty;
        match op {
            Op::Copy(atom) => self.atom(frame, *atom),
            Op::Prim(prim, args) => {
                let values: Vec<Value> = args.iter().map(|&arg| self.atom(frame, arg)).collect();
                self.prim(*prim, values)
            }
            Op::Call(callee, args) => {
                let (func, values) = self.callee(frame, *callee, args);
                self.call(func, values)
            }
            Op::CallRuntime(id, args) => {
                let values: Vec<Value> = args.iter().map(|&arg| self.atom(frame, arg)).collect();
                match (&*self.runtime[*id].symbol, &values[..]) {
                    ("emit", [Value::Int(value)]) => {
                        self.emitted.push(*value);
                        Value::Unit
                    }
                    ("concat", [left, right]) => {
                        let text = self.text(left) + &self.text(right);
                        self.allocate(Contents::Text(text))
                    }
                    other => panic!("call of {other:?}"),
                }
            }
            Op::CallForeign(..) => panic!("no foreign calls in tests"),
            Op::Closure(func, captures) => {
                let values = captures.iter().map(|&arg| self.atom(frame, arg)).collect();
                self.allocate(Contents::Closure(*func, values))
            }
            Op::Construct { variant, args, token } => {
                let mut fields: Vec<Value> = args.iter().map(|&arg| self.atom(frame, arg)).collect();
                match self.types.kind(ty) {
                    Kind::Newtype => fields.remove(0),
                    Kind::BoxedSum if fields.is_empty() => Value::Immediate(*variant),
                    // Variants without anything in them are numbers.
                    Kind::Plain if fields.is_empty() => Value::Int(i64::from(*variant)),
                    Kind::BoxedSum | Kind::BoxedProduct => {
                        let class = self.types.cell_class(ty, *variant).unwrap_or(0);
                        if let Some(token) = token {
                            match frame.vars.insert(*token, Value::Unit) {
                                Some(Value::Token(Some(memory))) => {
                                    assert_eq!(memory, class, "size class of the token");
                                    self.stats.reused += 1;
                                    self.stats.allocations -= 1;
                                }
                                Some(Value::Token(None)) => {}
                                other => panic!("{token} is no token but {other:?}"),
                            }
                        }
                        self.allocate(Contents::Cell { variant: *variant, fields, class })
                    }
                    _ => {
                        assert!(token.is_none(), "a token for an unboxed value");
                        Value::Unboxed(*variant, fields)
                    }
                }
            }
            Op::Field { base, variant, index } => {
                let base_ty = match base {
                    Atom::Var(var) => Some(frame.function.vars[*var].ty),
                    _ => None,
                };
                match self.atom(frame, *base) {
                    value if base_ty.is_some_and(|ty| self.types.kind(ty) == Kind::Newtype) => value,
                    Value::Object(object) => match &self.live(object).contents {
                        Contents::Cell { variant: actual, fields, .. } => {
                            assert_eq!(actual, variant, "variant of a field read in {}", frame.function.name);
                            fields[*index as usize].clone()
                        }
                        other => panic!("field of {other:?}"),
                    },
                    Value::Unboxed(actual, fields) => {
                        assert_eq!(actual, *variant, "variant of a field read");
                        fields[*index as usize].clone()
                    }
                    other => panic!("field of {other:?}"),
                }
            }
            Op::Tag(atom) => match self.atom(frame, *atom) {
                Value::Object(object) => match &self.live(object).contents {
                    Contents::Cell { variant, .. } => Value::Int(i64::from(*variant)),
                    other => panic!("tag of {other:?}"),
                },
                Value::Immediate(variant) | Value::Unboxed(variant, _) => Value::Int(i64::from(variant)),
                other => panic!("tag of {other:?}"),
            },
            Op::Array(args) => {
                let items = args.iter().map(|&arg| self.atom(frame, arg)).collect();
                self.allocate(Contents::Array(items))
            }
            Op::GlobalGet(global) => self.globals[&global.as_u32()].clone(),
            Op::GlobalTake(global) => self.globals.remove(&global.as_u32()).expect("a global that is set"),
            Op::GlobalSet(global, atom) => {
                let value = self.atom(frame, *atom);
                self.globals.insert(global.as_u32(), value);
                Value::Unit
            }
            Op::FieldAddr { base, index, .. } => match frame.vars[base] {
                Value::Object(object) => Value::Address(object, *index),
                ref other => panic!("address in {other:?}"),
            },
        }
    }

    fn int(value: &Value) -> i64 {
        match value {
            Value::Int(value) => *value,
            other => panic!("{other:?} is no integer"),
        }
    }

    /// The items of a consumed array, and the object to put them back in when it is unique.
    fn take_array(&mut self, value: &Value) -> (Vec<Value>, Option<usize>) {
        let Value::Object(object) = *value else { panic!("{value:?} is no array") };
        let counted = self.counted;
        let Object { count, contents } = self.live(object);
        let Contents::Array(items) = contents else { panic!("{contents:?} is no array") };
        if counted && *count == 1 {
            let items = std::mem::take(items);
            self.stats.in_place += 1;
            return (items, Some(object));
        }
        let items = items.clone();
        *count -= 1;
        self.stats.copies += 1;
        if counted {
            items.iter().for_each(|item| self.dup(item));
        }
        (items, None)
    }

    fn put_array(&mut self, items: Vec<Value>, place: Option<usize>) -> Value {
        match place {
            Some(object) => {
                self.objects[object].contents = Contents::Array(items);
                Value::Object(object)
            }
            None => self.allocate(Contents::Array(items)),
        }
    }

    fn array(&mut self, value: &Value) -> &Vec<Value> {
        let Value::Object(object) = *value else { panic!("{value:?} is no array") };
        match &self.live(object).contents {
            Contents::Array(items) => items,
            other => panic!("{other:?} is no array"),
        }
    }

    fn text(&mut self, value: &Value) -> String {
        match *value {
            Value::Static(id) => self.strings[StrId::from_u32(id as u32)].to_string(),
            Value::Object(object) => match &self.live(object).contents {
                Contents::Text(text) => text.clone(),
                other => panic!("{other:?} is no text"),
            },
            ref other => panic!("{other:?} is no text"),
        }
    }

    fn cell(&mut self, value: &Value) -> &mut Value {
        let Value::Object(object) = *value else { panic!("{value:?} is no cell") };
        match &mut self.live(object).contents {
            Contents::Var(value) => value,
            other => panic!("{other:?} is no cell"),
        }
    }

    fn prim(&mut self, prim: PrimOp, args: Vec<Value>) -> Value {
        let int = |at: usize| Self::int(&args[at]);
        match prim {
            PrimOp::IntAdd | PrimOp::WrappingAdd => Value::Int(int(0).wrapping_add(int(1))),
            PrimOp::IntSub | PrimOp::WrappingSub => Value::Int(int(0).wrapping_sub(int(1))),
            PrimOp::IntMul | PrimOp::WrappingMul => Value::Int(int(0).wrapping_mul(int(1))),
            PrimOp::Eq => Value::Bool(args[0] == args[1]),
            PrimOp::Ne => Value::Bool(args[0] != args[1]),
            PrimOp::Lt => Value::Bool(int(0) < int(1)),
            PrimOp::Le => Value::Bool(int(0) <= int(1)),
            PrimOp::Gt => Value::Bool(int(0) > int(1)),
            PrimOp::Ge => Value::Bool(int(0) >= int(1)),
            PrimOp::BoolNot => Value::Bool(args[0] == Value::Bool(false)),
            PrimOp::ArrayLen => Value::Int(self.array(&args[0]).len() as i64),
            PrimOp::ArrayGet | PrimOp::ArrayGetUnchecked => {
                let at = int(1);
                self.array(&args[0])[at as usize].clone()
            }
            PrimOp::ArrayPush => {
                let (mut items, place) = self.take_array(&args[0]);
                items.push(args[1].clone());
                self.put_array(items, place)
            }
            PrimOp::ArraySet | PrimOp::ArraySetUnchecked => {
                let at = int(1);
                let (mut items, place) = self.take_array(&args[0]);
                let old = std::mem::replace(&mut items[at as usize], args[2].clone());
                if self.counted {
                    self.drop(&old);
                }
                self.put_array(items, place)
            }
            PrimOp::ArrayTake => {
                let at = int(1);
                let (mut items, place) = self.take_array(&args[0]);
                let item = std::mem::replace(&mut items[at as usize], Value::Hole);
                Value::Unboxed(0, vec![self.put_array(items, place), item])
            }
            PrimOp::ArrayPut => {
                let at = int(1);
                let (mut items, place) = self.take_array(&args[0]);
                assert_eq!(items[at as usize], Value::Hole, "the hole of a taken element");
                items[at as usize] = args[2].clone();
                self.put_array(items, place)
            }
            PrimOp::StrLen => Value::Int(self.text(&args[0]).len() as i64),
            PrimOp::CellNew => self.allocate(Contents::Var(args[0].clone())),
            PrimOp::CellGet => self.cell(&args[0]).clone(),
            PrimOp::CellSet => {
                let old = std::mem::replace(self.cell(&args[0]), args[1].clone());
                if self.counted {
                    self.drop(&old);
                }
                Value::Unit
            }
            PrimOp::CellTake => std::mem::replace(self.cell(&args[0]), Value::Hole),
            PrimOp::KeepAlive => Value::Unit,
            other => panic!("no {other:?} in tests"),
        }
    }

    fn show(&mut self, value: &Value) -> String {
        match value {
            Value::Object(object) => match self.live(*object).contents.clone() {
                Contents::Cell { variant, fields, .. } => self.show_fields(&variant.to_string(), &fields),
                Contents::Array(items) => self.show_fields("array", &items),
                Contents::Closure(..) => "closure".into(),
                Contents::Var(value) => self.show_fields("cell", &[value]),
                Contents::Text(text) => format!("{text:?}"),
            },
            Value::Static(_) => format!("{:?}", self.text(value)),
            Value::Unboxed(variant, fields) => self.show_fields(&variant.to_string(), fields),
            Value::Immediate(variant) => self.show_fields(&variant.to_string(), &[]),
            other => format!("{other:?}"),
        }
    }

    fn show_fields(&mut self, head: &str, fields: &[Value]) -> String {
        let fields: Vec<String> = fields.iter().map(|field| self.show(field)).collect();
        format!("{head}({})", fields.join(" "))
    }
}
