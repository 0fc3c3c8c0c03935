//! Values, and how they are printed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::typed::tree::{Expr, VarId};

#[derive(Clone)]
pub enum Value {
    Int(i128),
    Bool(bool),
    Str(String),
    Pair(Box<(Value, Value)>),
    Opt(Option<Box<Value>>),
    Res(Result<Box<Value>, String>),
    List(Vec<Value>),
    Rec(Vec<Value>),
    Leaf,
    Node(Rc<(Value, Value, Value)>),
    Dot,
    Circle(i128),
    Rect(i128, i128),
    Named(String, Box<Value>),
    Closure(Rc<Closure>),
}

pub struct Closure {
    pub param: VarId,
    pub body: Expr,
    pub env: Env,
}

/// Variables are shared with the closures that capture them.
pub type Env = HashMap<VarId, Rc<RefCell<Value>>>;

pub fn int(value: &Value) -> i128 {
    match value {
        Value::Int(value) => *value,
        _ => unreachable!("the program is typed"),
    }
}

pub fn string(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        _ => unreachable!("the program is typed"),
    }
}

pub fn length(value: &Value) -> i128 {
    string(value).chars().count() as i128
}

pub fn size(value: &Value) -> i128 {
    match value {
        Value::Node(parts) => size(&parts.0) + 1 + size(&parts.2),
        Value::Rec(fields) => string(&fields[2]).chars().count() as i128 + 1,
        Value::List(items) => items.len() as i128,
        Value::Opt(value) => i128::from(value.is_some()),
        Value::Pair(pair) => size(&pair.0) + size(&pair.1),
        _ => 0,
    }
}

pub fn same(a: &Value, b: &Value) -> bool {
    show(a, true) == show(b, true)
}

/// As `{:?}` or `{}` print it; texts have no characters that are escaped.
pub fn show(value: &Value, debug: bool) -> String {
    let all = |items: &[Value]| items.iter().map(|item| show(item, true)).collect::<Vec<_>>().join(", ");
    match value {
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Str(text) if debug => format!("{text:?}"),
        Value::Str(text) => text.clone(),
        Value::Pair(pair) => format!("({}, {})", show(&pair.0, true), show(&pair.1, true)),
        Value::Opt(Some(value)) => format!("Some({})", show(value, true)),
        Value::Opt(None) => "None".into(),
        Value::Res(Ok(value)) => format!("Ok({})", show(value, true)),
        Value::Res(Err(text)) => format!("Err({text:?})"),
        Value::List(items) => format!("[{}]", all(items)),
        Value::Rec(fields) => {
            let parts: Vec<String> = fields.iter().map(|field| show(field, true)).collect();
            format!("Rec {{ count: {}, flag: {}, label: {} }}", parts[0], parts[1], parts[2])
        }
        Value::Leaf => "Leaf".into(),
        Value::Node(parts) => {
            format!("Node({}, {}, {})", show(&parts.0, true), show(&parts.1, true), show(&parts.2, true))
        }
        Value::Dot => "Dot".into(),
        Value::Circle(a) => format!("Circle({a})"),
        Value::Rect(w, h) => format!("Rect {{ w: {w}, h: {h} }}"),
        Value::Named(name, tree) => format!("Named({name:?}, {})", show(tree, true)),
        Value::Closure(_) => "<function>".into(),
    }
}
