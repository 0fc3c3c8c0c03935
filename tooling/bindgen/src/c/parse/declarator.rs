//! What stands around a name: `*f(int)`, `(*table[4])(void)`.

use super::{Attributes, Parser, R};
use crate::c::model::*;
use crate::c::token::Kind;

pub struct Declared {
    pub name: Option<String>,
    /// The token of the name.
    pub name_at: Option<usize>,
    pub ty: Qualified,
    pub attributes: Attributes,
}

enum Suffix {
    Array(Length),
    Function { params: Vec<Param>, variadic: bool, prototype: bool },
}

impl Parser<'_> {
    /// A declarator around `base`, with or without a name.
    pub(super) fn declarator(&mut self, base: Qualified) -> R<Declared> {
        self.deeper(|p| p.declarator_inside(base))
    }

    fn declarator_inside(&mut self, mut base: Qualified) -> R<Declared> {
        let mut attributes = Attributes::default();
        loop {
            if self.attributes(&mut attributes)? {
                continue;
            }
            // A block of Clang's is called like a function, through a pointer to something else.
            if self.is("^") {
                self.bump();
                base = Qualified { ty: Unit::UNKNOWN, quals: Quals::NONE };
            } else if !self.eat("*") {
                break;
            }
            let mut quals = Quals::NONE;
            loop {
                match self.qualifier() {
                    Some(qual) => quals.add(qual),
                    None if self.attributes(&mut attributes)? => {}
                    None => break,
                }
            }
            base = Qualified { ty: self.unit.add(Type::Pointer(base)), quals };
        }
        // What is in brackets applies to what the suffixes behind them make, so it is read once those are known.
        let inner = self.is("(") && self.opens_declarator();
        let inner_at = self.at;
        let mut name = None;
        let mut name_at = None;
        if inner {
            self.skip_brackets()?;
        } else if self.kind() == Kind::Word {
            let at = self.at;
            name = self.name();
            name_at = name.is_some().then_some(at);
        }
        while self.attributes(&mut attributes)? {}
        let mut suffixes = Vec::new();
        loop {
            if self.is("[") {
                suffixes.push(self.array()?);
            } else if self.is("(") {
                suffixes.push(self.function()?);
            } else {
                break;
            }
        }
        while self.attributes(&mut attributes)? {}
        let mut ty = base;
        for suffix in suffixes.into_iter().rev() {
            ty = match suffix {
                Suffix::Array(length) => Qualified { ty: self.unit.add(Type::Array(ty, length)), quals: Quals::NONE },
                Suffix::Function { params, variadic, prototype } => {
                    let function = FnType { result: ty, params, variadic, prototype };
                    Qualified { ty: self.unit.add(Type::Function(function)), quals: Quals::NONE }
                }
            };
        }
        if !inner {
            return Ok(Declared { name, name_at, ty, attributes });
        }
        let end = self.at;
        self.at = inner_at;
        self.expect("(")?;
        let mut declared = self.declarator(ty)?;
        self.expect(")")?;
        self.at = end;
        declared.attributes.merge(attributes);
        Ok(declared)
    }

    /// Whether `(` opens a declarator, not a list of parameters.
    fn opens_declarator(&self) -> bool {
        match self.ahead(1) {
            "*" | "^" | "(" | "[" | "__attribute__" | "__attribute" | "__cdecl" | "__stdcall" | "__fastcall"
            | "__vectorcall" | "__thiscall" => true,
            ")" | "..." => false,
            _ => {
                let next = self.source.tokens[(self.at + 1).min(self.source.tokens.len() - 1)];
                next.kind == Kind::Word && !self.is_type(next)
            }
        }
    }

    fn array(&mut self) -> R<Suffix> {
        let opening = self.at;
        self.expect("[")?;
        // Qualifiers are those of the pointer that a parameter is; callers do not mind them.
        while self.eat("static") || self.qualifier().is_some() {}
        if self.eat("]") {
            return Ok(Suffix::Array(Length::Open));
        }
        let value = self.constant().ok().flatten().and_then(|value| value.as_int()).filter(|_| self.is("]"));
        let length = match value {
            Some(value) => match u64::try_from(value) {
                Ok(length) => Length::Known(length),
                Err(_) => return Err(self.problem_at(opening, format!("an array cannot have {value} elements"))),
            },
            None => Length::Variable,
        };
        self.at = opening;
        self.skip_brackets()?;
        Ok(Suffix::Array(length))
    }

    fn function(&mut self) -> R<Suffix> {
        self.expect("(")?;
        if self.eat(")") {
            return Ok(Suffix::Function { params: Vec::new(), variadic: false, prototype: false });
        }
        if self.is("void") && self.ahead(1) == ")" {
            self.bump();
            self.bump();
            return Ok(Suffix::Function { params: Vec::new(), variadic: false, prototype: true });
        }
        let mut params = Vec::new();
        loop {
            if self.eat("...") {
                self.expect(")")?;
                return Ok(Suffix::Function { params, variadic: true, prototype: true });
            }
            // `f(a, b)` of old style only names what is declared behind.
            if self.kind() == Kind::Word && !self.at_type() && matches!(self.ahead(1), "," | ")") && self.old_names() {
                return Ok(Suffix::Function { params: Vec::new(), variadic: false, prototype: false });
            }
            let specifiers = self.specifiers()?;
            let declared = self.declarator(specifiers.ty)?;
            params.push(Param { name: declared.name, ty: self.adjusted(declared.ty) });
            if self.eat(")") {
                return Ok(Suffix::Function { params, variadic: false, prototype: true });
            }
            if !self.eat(",") {
                return Err(self.wanting("`,` or `)`"));
            }
        }
    }

    /// Passes over a list of names up to and with the bracket that closes it, when a body or declarations follow.
    fn old_names(&mut self) -> bool {
        let start = self.at;
        while self.kind() == Kind::Word && !self.at_type() {
            self.bump();
            if self.eat(")") {
                if self.is("{") || self.at_type() {
                    return true;
                }
                break;
            }
            if !self.eat(",") {
                break;
            }
        }
        self.at = start;
        false
    }

    /// Parameters that are arrays or functions are pointers.
    fn adjusted(&mut self, ty: Qualified) -> Qualified {
        let resolved = self.unit.resolve(ty.ty);
        match *self.unit.ty(resolved) {
            Type::Array(element, _) => {
                let written = matches!(self.unit.ty(ty.ty), Type::Typedef(_));
                // A typedef of an array keeps its name in what is shown; `jmp_buf` says more than a pointer.
                if written {
                    return ty;
                }
                let quals = element.quals.union(ty.quals);
                let ty = self.unit.add(Type::Pointer(Qualified { ty: element.ty, quals }));
                Qualified { ty, quals: Quals::NONE }
            }
            Type::Function(_) => {
                let ty = self.unit.add(Type::Pointer(Qualified { ty: ty.ty, quals: Quals::NONE }));
                Qualified { ty, quals: Quals::NONE }
            }
            _ => ty,
        }
    }
}
