//! What are values to the interpreter, and who owns the objects?
//!
//! In counted programs every object has a count, and misuse of it is an error of the program. In others nothing is ever freed, and
//! an array is never unique: as with a garbage collector.

use std::rc::Rc;

use super::handlers::Continuation;
use super::{Eval, Stats, broken};
use crate::core::{FuncId, StrId};

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Unit,
    Bool(bool),
    /// In the range of its type. Also variants of types without fields.
    Int(i128),
    Float(f64),
    /// A variant without fields of a boxed type.
    Immediate(u32),
    Unboxed(u32, Rc<[Value]>),
    Object(usize),
    /// A literal.
    Text(StrId),
    Token(Option<u32>),
    Hole,
    /// A field of an object.
    Address(usize, u32),
}

impl Value {
    pub fn unboxed(variant: u32, fields: Vec<Value>) -> Value {
        Value::Unboxed(variant, fields.into())
    }

    pub fn int(&self) -> Eval<i128> {
        match self {
            Value::Int(value) => Ok(*value),
            Value::Bool(value) => Ok(i128::from(*value)),
            other => broken(format!("{other:?} is no integer")),
        }
    }

    pub fn float(&self) -> Eval<f64> {
        match self {
            Value::Float(value) => Ok(*value),
            other => broken(format!("{other:?} is no float")),
        }
    }

    pub fn bool(&self) -> Eval<bool> {
        Ok(self.int()? != 0)
    }

    pub fn object(&self) -> Eval<usize> {
        match self {
            Value::Object(object) => Ok(*object),
            other => broken(format!("{other:?} is no object")),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Contents<'p> {
    Cell { variant: u32, fields: Vec<Value>, class: u32 },
    Array(Vec<Value>),
    Closure(FuncId, Vec<Value>),
    Var(Value),
    Text(Rc<str>),
    Handler { effect: i128, clauses: Vec<Value> },
    Continuation(Box<Continuation<'p>>),
    Freed,
}

pub struct Object<'p> {
    pub count: i64,
    pub contents: Contents<'p>,
}

pub struct Heap<'p> {
    objects: Vec<Object<'p>>,
    pub counted: bool,
    pub stats: Stats,
    /// Continuations without owners, whose computations have to be given up.
    pub dying: Vec<Continuation<'p>>,
}

impl<'p> Heap<'p> {
    pub fn new(counted: bool) -> Heap<'p> {
        Heap { objects: Vec::new(), counted, stats: Stats::default(), dying: Vec::new() }
    }

    pub fn allocate(&mut self, contents: Contents<'p>) -> Value {
        self.stats.allocations += 1;
        self.objects.push(Object { count: 1, contents });
        Value::Object(self.objects.len() - 1)
    }

    pub fn live(&mut self, object: usize) -> Eval<&mut Object<'p>> {
        let counted = self.counted;
        match self.objects.get_mut(object) {
            Some(found) if !counted || found.count > 0 => Ok(found),
            Some(_) => broken(format!("object {object} is used after it was freed")),
            None => broken(format!("there is no object {object}")),
        }
    }

    pub fn contents(&mut self, value: &Value) -> Eval<&mut Contents<'p>> {
        Ok(&mut self.live(value.object()?)?.contents)
    }

    /// What an object is that may have been freed.
    pub fn peek(&self, object: usize) -> Option<&Contents<'p>> {
        self.objects.get(object).map(|object| &object.contents)
    }

    pub fn objects(&self) -> impl Iterator<Item = &Object<'p>> {
        self.objects.iter()
    }

    /// One owner more.
    pub fn dup(&mut self, value: &Value) -> Eval<()> {
        if !self.counted {
            return Ok(());
        }
        match value {
            Value::Object(object) => {
                self.stats.dups += 1;
                self.live(*object)?.count += 1;
            }
            Value::Unboxed(_, fields) => fields.iter().try_for_each(|field| self.dup(field))?,
            _ => {}
        }
        Ok(())
    }

    pub fn dup_all(&mut self, values: &[Value]) -> Eval<()> {
        values.iter().try_for_each(|value| self.dup(value))
    }

    /// One owner less.
    pub fn drop(&mut self, value: &Value) -> Eval<()> {
        if !self.counted {
            return Ok(());
        }
        let mut work = vec![value.clone()];
        while let Some(value) = work.pop() {
            match value {
                Value::Object(at) => {
                    self.stats.drops += 1;
                    let object = self.live(at)?;
                    object.count -= 1;
                    if object.count > 0 {
                        continue;
                    }
                    match std::mem::replace(&mut object.contents, Contents::Freed) {
                        Contents::Cell { fields, .. } => work.extend(fields),
                        Contents::Array(items) if items.contains(&Value::Hole) => {
                            return broken(format!("array {at} is dropped with a hole in it"));
                        }
                        Contents::Array(items) | Contents::Closure(_, items) => work.extend(items),
                        Contents::Handler { clauses, .. } => work.extend(clauses),
                        Contents::Var(value) => work.push(value),
                        Contents::Continuation(continuation) => self.dying.push(*continuation),
                        Contents::Text(_) | Contents::Freed => {}
                    }
                }
                Value::Unboxed(_, fields) => work.extend(fields.iter().cloned()),
                Value::Token(_) => return broken("a token is dropped"),
                _ => {}
            }
        }
        Ok(())
    }

    pub fn drop_all(&mut self, values: &[Value]) -> Eval<()> {
        values.iter().try_for_each(|value| self.drop(value))
    }

    /// Ends the life of a cell whose `moved` fields live on; its size class, when its memory is free now.
    pub fn release(&mut self, value: &Value, variant: u32, moved: &[(u32, Value)]) -> Eval<Option<u32>> {
        let check = |actual: u32, fields: &[Value]| {
            let same = |(index, value): &(u32, Value)| fields.get(*index as usize) == Some(value);
            if actual == variant && moved.iter().all(same) {
                Ok(())
            } else {
                broken(format!("variant {actual} with {fields:?} is released as variant {variant}, moving {moved:?}"))
            }
        };
        let others = |fields: &[Value]| -> Vec<Value> {
            let rest = fields.iter().enumerate();
            let kept = rest.filter(|(at, _)| moved.iter().all(|(index, _)| *index as usize != *at));
            kept.map(|(_, field)| field.clone()).collect()
        };
        match value {
            Value::Object(at) => {
                let object = self.live(*at)?;
                let Contents::Cell { variant: actual, fields, class } = &object.contents else {
                    return broken(format!("{:?} is released like a cell", object.contents));
                };
                check(*actual, fields)?;
                if object.count > 1 {
                    object.count -= 1;
                    self.stats.drops += 1;
                    moved.iter().try_for_each(|(_, value)| self.dup(value))?;
                    return Ok(None);
                }
                let (class, rest) = (*class, others(fields));
                object.count = 0;
                object.contents = Contents::Freed;
                self.drop_all(&rest)?;
                Ok(Some(class))
            }
            Value::Unboxed(actual, fields) => {
                check(*actual, fields)?;
                self.drop_all(&others(fields))?;
                Ok(None)
            }
            other => broken(format!("{other:?} is released like a cell")),
        }
    }

    pub fn array(&mut self, value: &Value) -> Eval<&mut Vec<Value>> {
        match self.contents(value)? {
            Contents::Array(items) => Ok(items),
            other => broken(format!("{other:?} is no array")),
        }
    }

    /// The items of a consumed array, and the object to put them back in when it is unique.
    pub fn take_array(&mut self, value: &Value) -> Eval<(Vec<Value>, Option<usize>)> {
        let at = value.object()?;
        let counted = self.counted;
        let object = self.live(at)?;
        let unique = counted && object.count == 1;
        let Contents::Array(items) = &mut object.contents else {
            return broken(format!("{:?} is no array", object.contents));
        };
        if unique {
            let items = std::mem::take(items);
            self.stats.in_place += 1;
            return Ok((items, Some(at)));
        }
        let items = items.clone();
        if counted {
            object.count -= 1;
        }
        self.stats.copies += 1;
        self.dup_all(&items)?;
        Ok((items, None))
    }

    pub fn put_array(&mut self, items: Vec<Value>, place: Option<usize>) -> Value {
        match place {
            Some(at) => {
                self.objects[at].contents = Contents::Array(items);
                Value::Object(at)
            }
            None => self.allocate(Contents::Array(items)),
        }
    }

    /// The contents of a mutable cell.
    pub fn cell(&mut self, value: &Value) -> Eval<&mut Value> {
        match self.contents(value)? {
            Contents::Var(value) => Ok(value),
            other => broken(format!("{other:?} is no cell")),
        }
    }
}
