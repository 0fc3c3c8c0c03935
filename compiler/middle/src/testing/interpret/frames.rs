//! What does one statement do? Calls in progress, blocks, joins, and the operations that build and take apart values.

use std::rc::Rc;

use cranelift_entity::{EntityRef, SecondaryMap};
use reml_semantics::types::{Prim, Type, TypeId};

use super::deferred::Deferring;
use super::value::{Contents, Value};
use super::{Ended, Eval, MAX_DEPTH, Machine, Problem, Stop, broken, unknown};
use crate::core::{Atom, Block, Callee, Case, End, FuncId, Function, Join, JoinId, Op, Stmt, Switch, Var};
use crate::rc::types::Kind;

/// The join points of a function.
pub type Joins<'p> = SecondaryMap<JoinId, Option<&'p Join>>;

/// A call in progress.
#[derive(Clone)]
pub struct Code<'p> {
    function: &'p Function,
    vars: Vec<Option<Value>>,
    joins: Rc<Joins<'p>>,
    block: &'p Block,
    /// The next statement; the one before it waits when this is not the innermost call.
    at: usize,
}

impl Code<'_> {
    /// What the call owns while it waits.
    pub fn roots(&self) -> Vec<Value> {
        let Some(Stmt::Let(var, _)) = self.at.checked_sub(1).and_then(|at| self.block.stmts.get(at)) else {
            return Vec::new();
        };
        let roots = self.function.roots.get(var).map_or(&[][..], |roots| roots);
        roots.iter().filter_map(|root| self.vars[root.index()].clone()).collect()
    }
}

#[derive(Clone)]
pub enum Frame<'p> {
    Code(Code<'p>),
    /// A computation runs under this handler, which it may give up: back to so many entries and deferred closures.
    Handle {
        handler: usize,
        entries: usize,
        defers: usize,
    },
    /// A call consumes this closure, whose code does not: it is dropped afterwards. No effect may leave such a call.
    Consumed(Value),
    /// Deferred code runs.
    Deferring(Box<Deferring<'p>>),
}

fn index_joins<'p>(block: &'p Block, joins: &mut Joins<'p>) {
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for stmt in &block.stmts {
            if let Stmt::Join(join) = stmt {
                joins[join.id] = Some(join);
                blocks.push(&join.body);
            }
        }
        if let End::Switch(switch) = &block.end {
            blocks.extend(crate::walk::switch_blocks(switch));
        }
    }
}

impl<'p> Machine<'p> {
    fn code(&mut self) -> Eval<&mut Code<'p>> {
        match self.top().frames.last_mut() {
            Some(Frame::Code(code)) => Ok(code),
            _ => broken("no call is in progress"),
        }
    }

    /// The function that runs.
    pub fn function_name(&self) -> Option<&'p str> {
        match self.segments.last()?.frames.last()? {
            Frame::Code(code) => Some(&code.function.name),
            _ => None,
        }
    }

    /// Starts a call.
    pub fn enter(&mut self, func: FuncId, args: Vec<Value>) -> Eval<()> {
        let program = self.program;
        let function = &program.funcs[func];
        if function.params.len() != args.len() {
            return broken(format!("{} is called with {} arguments", function.name, args.len()));
        }
        self.charge(function.vars.len())?;
        let joins = self.joins.entry(func).or_insert_with(|| {
            let mut joins = Joins::new();
            index_joins(&function.body, &mut joins);
            Rc::new(joins)
        });
        let mut vars = vec![None; function.vars.len()];
        for (param, value) in function.params.iter().zip(args) {
            vars[param.index()] = Some(value);
        }
        let code = Code { function, vars, joins: joins.clone(), block: &function.body, at: 0 };
        let top = self.top();
        top.frames.push(Frame::Code(code));
        let depth = top.frames.len();
        self.heap.stats.max_depth = self.heap.stats.max_depth.max(depth as u64);
        if depth + self.segments.len() > MAX_DEPTH { Err(Stop::Problem(Problem::Endless)) } else { Ok(()) }
    }

    /// Calls a closure that somebody else owns.
    pub fn enter_closure(&mut self, closure: &Value, args: Vec<Value>) -> Eval<()> {
        let (func, mut all) = self.closure_parts(closure)?;
        all.extend(args);
        self.enter(func, all)
    }

    fn closure_parts(&mut self, closure: &Value) -> Eval<(FuncId, Vec<Value>)> {
        match self.heap.contents(closure)? {
            Contents::Closure(func, captures) => Ok((*func, captures.clone())),
            other => broken(format!("{other:?} is called")),
        }
    }

    /// Gives the result of a call to whoever waits for it.
    pub fn returned(&mut self, value: Value) -> Eval<()> {
        let mut value = value;
        loop {
            let outermost = self.segments.len() == 1;
            match self.top().frames.last() {
                Some(Frame::Code(code)) => {
                    let block: &'p Block = code.block;
                    let Some(Stmt::Let(var, _)) = code.at.checked_sub(1).and_then(|at| block.stmts.get(at)) else {
                        return broken("a result comes where no call waits");
                    };
                    return self.bind(*var, value);
                }
                Some(Frame::Deferring(_)) => return Ok(()),
                Some(Frame::Consumed(_)) => {
                    if let Some(Frame::Consumed(closure)) = self.top().frames.pop() {
                        self.heap.drop(&closure)?;
                    }
                    continue;
                }
                Some(&Frame::Handle { entries, .. }) => {
                    self.top().frames.pop();
                    self.top().entries.truncate(entries);
                }
                None if outermost => {
                    self.ended = Some(Ended::Returned(value));
                    return Ok(());
                }
                None => {
                    let closure = self.segments.pop().map_or(Value::Unit, |segment| segment.closure);
                    self.heap.drop(&closure)?;
                }
            }
            self.payload = Some(value);
            value = Value::Int(0);
        }
    }

    fn bind(&mut self, var: Var, value: Value) -> Eval<()> {
        self.code()?.vars[var.index()] = Some(value);
        Ok(())
    }

    /// Runs the next statement.
    pub fn step(&mut self) -> Eval<()> {
        self.charge(0)?;
        let code = match self.top().frames.last_mut() {
            Some(Frame::Code(code)) => code,
            Some(Frame::Deferring(_)) => return self.go_on_deferring(),
            _ => return broken("nothing goes on"),
        };
        let block: &'p Block = code.block;
        match block.stmts.get(code.at) {
            Some(stmt) => {
                code.at += 1;
                self.stmt(stmt)
            }
            None => self.end(&block.end),
        }
    }

    fn stmt(&mut self, stmt: &'p Stmt) -> Eval<()> {
        match stmt {
            Stmt::Let(var, op) => match self.op(*var, op)? {
                Some(value) => self.bind(*var, value),
                None => Ok(()),
            },
            Stmt::Join(_) => Ok(()),
            Stmt::Fill { addr, value } => {
                let value = self.atom(*value)?;
                let Value::Address(object, index) = self.var(*addr)? else {
                    return broken(format!("{addr} is filled"));
                };
                match &mut self.heap.live(object)?.contents {
                    Contents::Cell { fields, .. } if fields[index as usize] == Value::Hole => {
                        fields[index as usize] = value;
                        Ok(())
                    }
                    other => broken(format!("{other:?} is filled")),
                }
            }
            Stmt::Dup(var) => {
                let value = self.var(*var)?;
                self.heap.dup(&value)
            }
            Stmt::Drop(var) => {
                let value = self.var(*var)?;
                self.heap.drop(&value)
            }
            Stmt::Release { var, variant, moved, token } => {
                let value = self.var(*var)?;
                let moved: Vec<(u32, Value)> =
                    moved.iter().map(|(index, var)| Ok((*index, self.var(*var)?))).collect::<Eval<_>>()?;
                let memory = self.heap.release(&value, *variant, &moved)?;
                match token {
                    Some(token) => self.bind(*token, Value::Token(memory)),
                    None => Ok(()),
                }
            }
            Stmt::FreeToken(token) => self.take_token(*token).map(drop),
        }
    }

    /// The memory that a token stands for; it is used up.
    fn take_token(&mut self, token: Var) -> Eval<Option<u32>> {
        match self.code()?.vars[token.index()].replace(Value::Unit) {
            Some(Value::Token(memory)) => Ok(memory),
            other => broken(format!("{token} is no token but {other:?}")),
        }
    }

    fn end(&mut self, end: &'p End) -> Eval<()> {
        match end {
            End::Return(atom) => {
                let value = self.atom(*atom)?;
                self.top().frames.pop();
                self.returned(value)
            }
            End::Jump(join, args) => {
                let values = self.atoms(args)?;
                let code = self.code()?;
                let Some(join) = code.joins[*join] else { return broken(format!("there is no {join}")) };
                for (param, value) in join.params.iter().zip(values) {
                    code.vars[param.index()] = Some(value);
                }
                (code.block, code.at) = (&join.body, 0);
                Ok(())
            }
            End::TailCall { callee: Callee::Consumed(closure), args, .. } => {
                let closure = self.atom(*closure)?;
                let values = self.atoms(args)?;
                self.top().frames.pop();
                self.enter_consumed(closure, values)
            }
            End::TailCall { callee, args, .. } => {
                let (func, values) = self.callee(*callee, args)?;
                self.top().frames.pop();
                self.enter(func, values)
            }
            End::Switch(switch) => self.switch(switch),
            End::Unreachable => broken("the unreachable is reached"),
        }
    }

    fn switch(&mut self, switch: &'p Switch) -> Eval<()> {
        let value = self.atom(switch.scrutinee)?;
        let tag = self.tag(&value)?;
        let matches = |case: &Case| match *case {
            Case::Variant(variant) => i128::from(variant) == tag,
            Case::Int(value) => value == tag,
            Case::Bool(value) => i128::from(value) == tag,
        };
        let found = switch.cases.iter().find(|(case, _)| matches(case)).map(|(_, block)| block);
        let Some(block) = found.or(switch.default.as_deref()) else {
            return broken(format!("no case for {value:?}"));
        };
        let code = self.code()?;
        (code.block, code.at) = (block, 0);
        Ok(())
    }

    fn tag(&mut self, value: &Value) -> Eval<i128> {
        match value {
            Value::Object(object) => match &self.heap.live(*object)?.contents {
                Contents::Cell { variant, .. } => Ok(i128::from(*variant)),
                other => broken(format!("{other:?} has no tag")),
            },
            Value::Immediate(variant) | Value::Unboxed(variant, _) => Ok(i128::from(*variant)),
            // A type with one variant that has nothing in it.
            Value::Unit => Ok(0),
            other => other.int(),
        }
    }

    fn callee(&mut self, callee: Callee, args: &[Atom]) -> Eval<(FuncId, Vec<Value>)> {
        let values = self.atoms(args)?;
        match callee {
            Callee::Func(func) => Ok((func, values)),
            Callee::Closure(closure) => {
                let closure = self.atom(closure)?;
                let (func, mut all) = self.closure_parts(&closure)?;
                all.extend(values);
                Ok((func, all))
            }
            Callee::Consumed(_) => broken("a closure is consumed by a call that is not the last"),
        }
    }

    /// Calls a closure that the call ends.
    fn enter_consumed(&mut self, closure: Value, args: Vec<Value>) -> Eval<()> {
        let (func, mut all) = self.closure_parts(&closure)?;
        let func = match self.program.funcs[func].consuming {
            Some(consuming) => {
                self.heap.dup_all(&all)?;
                self.heap.drop(&closure)?;
                consuming
            }
            None => {
                if all.is_empty() {
                    // Without captures it is static.
                    self.heap.drop(&closure)?;
                } else {
                    self.top().frames.push(Frame::Consumed(closure));
                }
                func
            }
        };
        all.extend(args);
        self.enter(func, all)
    }

    pub fn var(&mut self, var: Var) -> Eval<Value> {
        match &self.code()?.vars[var.index()] {
            Some(value) => Ok(value.clone()),
            None => broken(format!("{var} is not defined")),
        }
    }

    pub fn atom(&mut self, atom: Atom) -> Eval<Value> {
        Ok(match atom {
            Atom::Var(var) => return self.var(var),
            Atom::Int(value, ty) => match self.types.known_kind(ty) {
                Some(Kind::BoxedSum) => Value::Immediate(value as u32),
                Some(Kind::UnboxedSum) => Value::unboxed(value as u32, Vec::new()),
                _ => Value::Int(value),
            },
            Atom::Float(value, _) => Value::Float(value),
            Atom::Bool(value) => Value::Bool(value),
            Atom::Unit => Value::Unit,
            Atom::Str(id) => Value::Text(id),
            Atom::Hole => Value::Hole,
        })
    }

    pub fn atoms(&mut self, atoms: &[Atom]) -> Eval<Vec<Value>> {
        atoms.iter().map(|&atom| self.atom(atom)).collect()
    }

    pub fn var_type(&mut self, var: Var) -> Eval<TypeId> {
        Ok(self.code()?.function.vars[var].ty)
    }

    /// The machine type of an operand.
    pub fn atom_prim(&mut self, atom: Atom) -> Eval<Option<Prim>> {
        let ty = match atom {
            Atom::Var(var) => self.var_type(var)?,
            Atom::Int(_, ty) | Atom::Float(_, ty) => ty,
            Atom::Bool(_) => return Ok(Some(Prim::Bool)),
            _ => return Ok(None),
        };
        Ok(self.prim_of(ty))
    }

    pub fn prim_of(&self, ty: TypeId) -> Option<Prim> {
        match self.program.types.get(ty) {
            Type::Prim(prim) => Some(*prim),
            _ => None,
        }
    }

    /// The value of an operation, unless that comes later.
    fn op(&mut self, var: Var, op: &'p Op) -> Eval<Option<Value>> {
        Ok(Some(match op {
            Op::Copy(atom) => self.atom(*atom)?,
            Op::Prim(prim, args) => return self.prim(var, *prim, args),
            Op::Call(callee, args) => {
                let (func, values) = self.callee(*callee, args)?;
                self.enter(func, values)?;
                return Ok(None);
            }
            Op::CallRuntime(id, args) => {
                let values = self.atoms(args)?;
                self.call_runtime(*id, values)?
            }
            Op::CallForeign(id, _) => {
                return unknown(format!("foreign function `{}`", self.program.foreign[*id].name()));
            }
            Op::Closure(func, captures) => {
                let values = self.atoms(captures)?;
                self.heap.allocate(Contents::Closure(*func, values))
            }
            Op::Construct { variant, args, token } => {
                let fields = self.atoms(args)?;
                let token = match token {
                    Some(token) => Some(self.take_token(*token)?),
                    None => None,
                };
                self.construct(var, *variant, fields, token)?
            }
            Op::Field { base, variant, index } => self.field(*base, *variant, *index)?,
            Op::Tag(atom) => {
                let value = self.atom(*atom)?;
                Value::Int(self.tag(&value)?)
            }
            Op::Array(args) => {
                let items = self.atoms(args)?;
                self.heap.allocate(Contents::Array(items))
            }
            Op::GlobalGet(global) => match &self.globals[*global] {
                Some(value) => value.clone(),
                None => return broken(format!("global {} is not set", self.program.globals[*global].name)),
            },
            Op::GlobalTake(global) => {
                self.ending = true;
                match self.globals[*global].take() {
                    Some(value) => value,
                    None => return broken(format!("global {} is not set", self.program.globals[*global].name)),
                }
            }
            Op::GlobalSet(global, atom) => {
                self.globals[*global] = Some(self.atom(*atom)?);
                Value::Unit
            }
            Op::FieldAddr { base, index, .. } => Value::Address(self.var(*base)?.object()?, *index),
        }))
    }

    /// `token`: the size class of memory to reuse, if there is some.
    fn construct(&mut self, var: Var, variant: u32, mut fields: Vec<Value>, token: Option<Option<u32>>) -> Eval<Value> {
        let ty = self.var_type(var)?;
        Ok(match self.types.kind(ty) {
            Kind::Newtype => fields.remove(0),
            Kind::BoxedSum if fields.is_empty() => Value::Immediate(variant),
            // Variants without anything in them are numbers.
            Kind::Plain if fields.is_empty() && self.program.types.is_unit(ty) => Value::Unit,
            Kind::Plain if fields.is_empty() => Value::Int(i128::from(variant)),
            Kind::BoxedSum | Kind::BoxedProduct => {
                let class = self.types.cell_class(ty, variant).unwrap_or(0);
                match token.flatten() {
                    Some(memory) if memory != class => {
                        return broken(format!("memory of class {memory} is reused for class {class}"));
                    }
                    Some(_) => {
                        self.heap.stats.reused += 1;
                        self.heap.stats.allocations -= 1;
                    }
                    None => {}
                }
                self.heap.allocate(Contents::Cell { variant, fields, class })
            }
            _ if token.is_some() => return broken("an unboxed value reuses memory"),
            _ => Value::unboxed(variant, fields),
        })
    }

    fn field(&mut self, base: Atom, variant: u32, index: u32) -> Eval<Value> {
        let value = self.atom(base)?;
        if let Atom::Var(var) = base {
            let ty = self.var_type(var)?;
            if self.types.kind(ty) == Kind::Newtype {
                return Ok(value);
            }
        }
        let check = |actual: u32| {
            if actual == variant {
                Ok(())
            } else {
                broken(format!("a field of variant {variant} is read from variant {actual}"))
            }
        };
        match &value {
            Value::Object(object) => match &self.heap.live(*object)?.contents {
                Contents::Cell { variant: actual, fields, .. } => {
                    check(*actual)?;
                    Ok(fields[index as usize].clone())
                }
                other => broken(format!("{other:?} has no fields")),
            },
            Value::Unboxed(actual, fields) => {
                check(*actual)?;
                Ok(fields[index as usize].clone())
            }
            other => broken(format!("{other:?} has no fields")),
        }
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Frame::Code(code) => write!(f, "call of {}", code.function.name),
            Frame::Handle { handler, .. } => write!(f, "computation under handler {handler}"),
            Frame::Consumed(closure) => write!(f, "end of {closure:?}"),
            Frame::Deferring(_) => write!(f, "deferred code"),
        }
    }
}
