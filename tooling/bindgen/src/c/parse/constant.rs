//! Constant expressions: what array lengths, widths, values of enums and macros are made of.
//!
//! `Ok(None)` is an expression that has no value here, such as one that divides by zero or mentions a variable.

use super::{Parser, R};
use crate::c::expr::{self, Value};
use crate::c::layout::layout;
use crate::c::model::*;
use crate::c::token::Kind;

/// Loosest first.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", ">", "<=", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Parser<'_> {
    /// An expression without assignments and commas.
    pub(super) fn constant(&mut self) -> R<Option<Value>> {
        self.deeper(|p| {
            let condition = p.operation(0)?;
            if !p.eat("?") {
                return Ok(condition);
            }
            // GNU: `a ?: b` is `a`, if that is true.
            let yes = if p.is(":") { condition.clone() } else { p.constant()? };
            p.expect(":")?;
            let no = p.constant()?;
            Ok(condition.and_then(|condition| if condition.is_true() { yes } else { no }))
        })
    }

    fn operation(&mut self, level: usize) -> R<Option<Value>> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.operation(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.is(operator)) {
            self.bump();
            let right = self.operation(level + 1)?;
            left = match (*operator, left, right) {
                // The right operand need not have a value.
                ("||", Some(a), _) if a.is_true() => Some(Value::int(1)),
                ("&&", Some(a), _) if !a.is_true() => Some(Value::int(0)),
                ("||" | "&&", Some(_), Some(b)) => Some(Value::int(i128::from(b.is_true()))),
                (operator, Some(a), Some(b)) => expr::binary(operator, &a, &b, &self.unit.target),
                _ => None,
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> R<Option<Value>> {
        self.deeper(|p| p.unary_inside())
    }

    fn unary_inside(&mut self) -> R<Option<Value>> {
        match self.kind() {
            Kind::Number => {
                let value = expr::number(self.text(), &self.unit.target);
                self.bump();
                return Ok(value);
            }
            Kind::Char => return Ok(self.char()),
            Kind::Text => return Ok(self.strings()),
            _ => {}
        }
        for operator in ["+", "-", "~", "!"] {
            if self.eat(operator) {
                let value = self.unary()?;
                return Ok(value.and_then(|value| expr::unary(operator, &value, &self.unit.target)));
            }
        }
        match self.text() {
            "(" => self.bracket(),
            "__extension__" => {
                self.bump();
                self.unary()
            }
            "sizeof" => self.size_of(false),
            "_Alignof" | "__alignof__" | "__alignof" | "alignof" => self.size_of(true),
            "__builtin_offsetof" => self.offset_of(),
            "true" | "false" => {
                let value = Value::int(i128::from(self.is("true")));
                self.bump();
                Ok(Some(value))
            }
            word if self.kind() == Kind::Word => match self.unit.constants.get(word) {
                Some(&(value, kind)) => {
                    self.bump();
                    Ok(Some(Value::Int { value, kind }))
                }
                None => {
                    // A variable, a call, or a name that does not exist.
                    let known = self.unit.symbol_names.contains_key(word);
                    if !known {
                        return Err(self.problem(format!("`{word}` is no constant")));
                    }
                    self.bump();
                    Ok(None)
                }
            },
            _ => Err(self.wanting("a constant")),
        }
    }

    /// `(type) value` or `(value)`.
    fn bracket(&mut self) -> R<Option<Value>> {
        self.expect("(")?;
        if self.at_type() {
            let ty = self.type_name()?;
            self.expect(")")?;
            if self.is("{") {
                return Err(self.problem("a compound literal is no constant"));
            }
            let value = self.unary()?;
            return Ok(value.and_then(|value| self.converted(value, ty.ty)));
        }
        let value = self.constant()?;
        self.expect(")")?;
        Ok(value)
    }

    /// A value as another type has it; `None` for pointers and records.
    pub(super) fn converted(&self, value: Value, ty: TypeId) -> Option<Value> {
        match self.unit.ty(self.unit.resolve(ty)) {
            Type::Int(kind) => expr::to_int(&value, *kind, &self.unit.target),
            Type::Enum(id) => expr::to_int(&value, self.unit.enumeration(*id).base, &self.unit.target),
            Type::Bool => Some(Value::int(i128::from(value.is_true()))),
            Type::Float => expr::to_float(&value, true),
            Type::Double => expr::to_float(&value, false),
            // A text stays one where it is said to be `const char *`.
            Type::Pointer(to) if matches!(self.unit.ty(self.unit.resolve(to.ty)), Type::Int(IntKind::Char)) => {
                matches!(value, Value::Text(_)).then_some(value)
            }
            Type::Array(of, _) if matches!(self.unit.ty(self.unit.resolve(of.ty)), Type::Int(IntKind::Char)) => {
                matches!(value, Value::Text(_)).then_some(value)
            }
            _ => None,
        }
    }

    fn size_of(&mut self, align: bool) -> R<Option<Value>> {
        self.bump();
        let opening = self.at;
        let mut found = None;
        if self.eat("(") && self.at_type() {
            let ty = self.type_name()?;
            self.expect(")")?;
            found = layout(self.unit, ty.ty);
        } else {
            self.at = opening;
            // Of an expression, the value would say nothing; its type is not worked out here.
            self.unary()?;
        }
        let kind = self.unit.target.size_type();
        let number = found.map(|layout| if align { layout.align } else { layout.size });
        Ok(number.map(|number| Value::Int { value: number.into(), kind }))
    }

    /// `__builtin_offsetof(struct s, member)`.
    fn offset_of(&mut self) -> R<Option<Value>> {
        self.bump();
        self.expect("(")?;
        let ty = self.type_name()?;
        self.expect(",")?;
        let name = self.name();
        let whole = self.is(")");
        self.skip_to(&[")"])?;
        self.expect(")")?;
        let Type::Record(id) = *self.unit.ty(self.unit.resolve(ty.ty)) else { return Ok(None) };
        let body = self.unit.record(id).body.as_ref().filter(|body| whole && body.layout.is_some());
        let member = body.and_then(|body| body.members.iter().find(|member| member.name == name && name.is_some()));
        let kind = self.unit.target.size_type();
        Ok(member.map(|member| Value::Int { value: i128::from(member.place / 8), kind }))
    }

    fn char(&mut self) -> Option<Value> {
        let text = self.text().to_owned();
        self.bump();
        let (prefix, rest) = text.split_once('\'')?;
        let inner = rest.strip_suffix('\'')?;
        let bytes = expr::unescape(inner)?;
        if prefix.is_empty() {
            let target = &self.unit.target;
            return match *bytes {
                [byte] => Some(Value::int(target.wrap(byte.into(), IntKind::Char)?)),
                [] => None,
                // GCC and Clang put several characters into one number.
                _ if bytes.len() <= 4 => {
                    Some(Value::int(bytes.iter().fold(0, |value, &byte| value << 8 | i128::from(byte))))
                }
                _ => None,
            };
        }
        let mut chars = std::str::from_utf8(&bytes).ok()?.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else { return None };
        Some(Value::int(u32::from(c).into()))
    }

    /// Strings that follow each other are one.
    fn strings(&mut self) -> Option<Value> {
        let mut bytes = Some(Vec::new());
        while self.kind() == Kind::Text {
            let text = self.text();
            let part = text.strip_prefix("u8").unwrap_or(text);
            let inner = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let part = inner.and_then(expr::unescape);
            bytes = bytes.zip(part).map(|(mut bytes, part)| {
                bytes.extend(part);
                bytes
            });
            self.bump();
        }
        bytes.map(Value::Text)
    }
}
