//! How does the text of `llvm_ir!` become instructions? A line is an instruction; a line that is wrong is reported and
//! left out, so that the others are still looked at.

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast::Template;

use super::super::MachineType;
use super::super::intrinsics::{self, Intrinsic};
use super::lex::{Kind, Token, tokens};
use crate::suggest;

/// What an operand is.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// `%name`, without the sign.
    Local(Box<str>),
    /// `$n`
    Input(usize),
    Int(i128),
    Float(f64),
    Bool(bool),
}

#[derive(Clone, Debug)]
pub struct Operand {
    pub value: Value,
    pub ty: MachineType,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    Trunc,
    ZeroExtend,
    SignExtend,
    Float,
    FloatToSigned,
    FloatToUnsigned,
    SignedToFloat,
    UnsignedToFloat,
    Bits,
}

#[derive(Clone, Debug)]
pub enum Instruction {
    /// Of the name in the text.
    Binary(&'static str, Operand, Operand),
    FloatNegate(Operand),
    CompareInts(Box<str>, Operand, Operand),
    CompareFloats(Box<str>, Operand, Operand),
    Select(Operand, Operand, Operand),
    Convert(Conversion, Operand, MachineType),
    Call(Intrinsic, Vec<Operand>),
    /// Of a value with a flag: 0 is the value, 1 the flag.
    Extract(Box<str>, Span, MachineType, usize),
    Freeze(Operand),
    Return(Option<Operand>),
}

pub struct Line {
    /// `%name =`
    pub name: Option<(Box<str>, Span)>,
    /// `None`: reported already.
    pub instruction: Option<Instruction>,
    /// The instruction.
    pub span: Span,
}

const INT_BINARY: &[&str] =
    &["add", "sub", "mul", "sdiv", "udiv", "srem", "urem", "and", "or", "xor", "shl", "lshr", "ashr"];
const FLOAT_BINARY: &[&str] = &["fadd", "fsub", "fmul", "fdiv", "frem"];
const CONVERSIONS: &[(&str, Conversion)] = &[
    ("trunc", Conversion::Trunc),
    ("zext", Conversion::ZeroExtend),
    ("sext", Conversion::SignExtend),
    ("fptrunc", Conversion::Float),
    ("fpext", Conversion::Float),
    ("fptosi", Conversion::FloatToSigned),
    ("fptoui", Conversion::FloatToUnsigned),
    ("sitofp", Conversion::SignedToFloat),
    ("uitofp", Conversion::UnsignedToFloat),
    ("bitcast", Conversion::Bits),
];
const OTHERS: &[&str] = &["fneg", "icmp", "fcmp", "select", "call", "extractvalue", "freeze", "ret"];
const INT_COMPARISONS: &[&str] = &["eq", "ne", "ugt", "uge", "ult", "ule", "sgt", "sge", "slt", "sle"];
const FLOAT_COMPARISONS: &[&str] = &[
    "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
];
/// What instructions may promise. The result is the same without the promise, where that holds.
const PROMISES: &[&str] = &[
    "nuw", "nsw", "exact", "disjoint", "nneg", "samesign", "nnan", "ninf", "nsz", "arcp", "contract", "afn", "reassoc",
    "fast",
];

/// The lines of a text, and what is wrong with it.
pub fn parse(template: &Template) -> (Vec<Line>, Vec<Diagnostic>) {
    let mut parser = Parser { template, tokens: tokens(&template.text), at: 0, diagnostics: Vec::new() };
    let mut lines = Vec::new();
    while parser.peek() != Kind::End {
        if parser.eat(Kind::Newline) {
            continue;
        }
        lines.push(parser.line());
    }
    (lines, parser.diagnostics)
}

struct Parser<'t> {
    template: &'t Template,
    tokens: Vec<Token>,
    at: usize,
    diagnostics: Vec<Diagnostic>,
}

/// The line is wrong, and that has been reported.
struct Reported;

type R<T> = Result<T, Reported>;

impl<'t> Parser<'t> {
    fn peek(&self) -> Kind {
        self.tokens[self.at].kind
    }

    fn text(&self) -> &'t str {
        &self.template.text[self.tokens[self.at].range.clone()]
    }

    fn span(&self) -> Span {
        self.template.span(self.tokens[self.at].range.clone())
    }

    fn span_from(&self, start: usize) -> Span {
        let last = self.tokens[self.at.saturating_sub(1).max(start)].range.end;
        self.template.span(self.tokens[start].range.start..last)
    }

    /// The text of the next token, which is taken; the end is never passed.
    fn bump(&mut self) -> &'t str {
        let text = self.text();
        if self.peek() != Kind::End {
            self.at += 1;
        }
        text
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let there = self.peek() == kind;
        if there {
            self.at += 1;
        }
        there
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let there = self.peek() == Kind::Word && self.text() == word;
        if there {
            self.at += 1;
        }
        there
    }

    fn report<T>(&mut self, code: Code, span: Span, message: String, help: Option<String>) -> R<T> {
        let diagnostic = Diagnostic::error(code, span, message);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
        Err(Reported)
    }

    fn wanted<T>(&mut self, what: &str) -> R<T> {
        let found = match self.peek() {
            Kind::Newline | Kind::End => "the end of the line".to_owned(),
            _ => format!("`{}`", self.text()),
        };
        self.report(codes::NATIVE_IR_VERIFY, self.span(), format!("expected {what}, found {found}"), None)
    }

    fn expect(&mut self, mark: char) -> R<()> {
        if self.eat(Kind::Mark(mark)) { Ok(()) } else { self.wanted(&format!("`{mark}`")) }
    }

    fn line(&mut self) -> Line {
        let start = self.at;
        let mut name = None;
        if self.peek() == Kind::Local && self.tokens[self.at + 1].kind == Kind::Mark('=') {
            let span = self.span();
            name = Some((self.bump()[1..].into(), span));
            self.at += 1;
        }
        let first = if name.is_some() { self.at } else { start };
        let instruction = self.instruction().and_then(|instruction| {
            if self.peek() == Kind::Newline { Ok(instruction) } else { self.wanted("the end of the line") }
        });
        let span = self.span_from(first);
        while !matches!(self.peek(), Kind::Newline | Kind::End) {
            self.at += 1;
        }
        Line { name, instruction: instruction.ok(), span }
    }

    fn instruction(&mut self) -> R<Instruction> {
        let span = self.span();
        if self.peek() != Kind::Word {
            return self.wanted("an instruction");
        }
        if self.tokens[self.at + 1].kind == Kind::Mark(':') {
            return self.report(
                codes::NATIVE_IR_UNSUPPORTED,
                span,
                "`llvm_ir!` has no labels: it is one straight line of instructions".to_owned(),
                Some("branch outside of it, with `if` and `match`".to_owned()),
            );
        }
        while matches!(self.text(), "tail" | "musttail" | "notail") && self.peek() == Kind::Word {
            self.at += 1;
        }
        let word = self.bump();
        if let Some(&op) = INT_BINARY.iter().chain(FLOAT_BINARY).find(|&&known| known == word) {
            self.promises();
            let floats = FLOAT_BINARY.contains(&op);
            let ty = self.type_of(if floats { Class::Float } else { Class::Int })?;
            let (left, right) = self.pair(ty)?;
            return Ok(Instruction::Binary(op, left, right));
        }
        if let Some(&(_, conversion)) = CONVERSIONS.iter().find(|(known, _)| *known == word) {
            self.promises();
            let operand = self.typed_operand()?;
            if !self.eat_word("to") {
                return self.wanted("`to`");
            }
            let to = self.ty()?;
            if !possible(conversion, word, operand.ty, to) {
                let message = format!("`{word}` does not go from `{}` to `{}`", operand.ty.llvm(), to.llvm());
                return self.report(codes::NATIVE_IR_VERIFY, span, message, None);
            }
            return Ok(Instruction::Convert(conversion, operand, to));
        }
        match word {
            "fneg" => {
                self.promises();
                let ty = self.type_of(Class::Float)?;
                Ok(Instruction::FloatNegate(self.operand(ty)?))
            }
            "icmp" => {
                self.promises();
                let how = self.one_of(INT_COMPARISONS)?;
                let ty = self.type_of(Class::Int)?;
                let (left, right) = self.pair(ty)?;
                Ok(Instruction::CompareInts(how.into(), left, right))
            }
            "fcmp" => {
                self.promises();
                let how = self.one_of(FLOAT_COMPARISONS)?;
                let ty = self.type_of(Class::Float)?;
                let (left, right) = self.pair(ty)?;
                Ok(Instruction::CompareFloats(how.into(), left, right))
            }
            "select" => {
                self.promises();
                let at = self.span();
                let cond = self.typed_operand()?;
                if cond.ty != MachineType::Int(1) {
                    let message = format!("`select` chooses by an `i1`, found `{}`", cond.ty.llvm());
                    return self.report(codes::NATIVE_IR_VERIFY, at, message, None);
                }
                self.expect(',')?;
                let then = self.typed_operand()?;
                self.expect(',')?;
                let at = self.span();
                let els = self.typed_operand()?;
                if then.ty != els.ty {
                    let message = format!("`select` gives an `{}` or an `{}`", then.ty.llvm(), els.ty.llvm());
                    return self.report(codes::NATIVE_IR_VERIFY, at, message, None);
                }
                Ok(Instruction::Select(cond, then, els))
            }
            "call" => self.call(),
            "extractvalue" => {
                let ty = self.flagged_type()?;
                let at = self.span();
                if self.peek() != Kind::Local {
                    return self.wanted("a value with a flag, like `%pair`");
                }
                let name = self.bump()[1..].into();
                self.expect(',')?;
                let index = self.span();
                match (self.peek(), self.bump()) {
                    (Kind::Int, "0") => Ok(Instruction::Extract(name, at, ty, 0)),
                    (Kind::Int, "1") => Ok(Instruction::Extract(name, at, ty, 1)),
                    _ => self.report(codes::NATIVE_IR_VERIFY, index, "expected `0` or `1`".to_owned(), None),
                }
            }
            "freeze" => Ok(Instruction::Freeze(self.typed_operand()?)),
            "ret" if self.eat_word("void") => Ok(Instruction::Return(None)),
            "ret" => Ok(Instruction::Return(Some(self.typed_operand()?))),
            _ => self.unsupported(word, span),
        }
    }

    fn unsupported<T>(&mut self, word: &str, span: Span) -> R<T> {
        let all = || {
            let conversions = CONVERSIONS.iter().map(|(word, _)| *word);
            INT_BINARY.iter().chain(FLOAT_BINARY).copied().chain(conversions).chain(OTHERS.iter().copied())
        };
        let help = match suggest::closest(word, all()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", all().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("`llvm_ir!` has no instruction `{word}`");
        self.report(codes::NATIVE_IR_UNSUPPORTED, span, message, Some(help))
    }

    /// `double @llvm.sqrt.f64(double %x)`
    fn call(&mut self) -> R<Instruction> {
        self.promises();
        let at = self.span();
        let (ty, flagged) =
            if self.peek() == Kind::Mark('{') { (self.flagged_type()?, true) } else { (self.ty()?, false) };
        let span = self.span();
        if self.peek() != Kind::Global {
            return self.wanted("an intrinsic, like `@llvm.sqrt.f64`");
        }
        let name = &self.bump()[1..];
        let intrinsic = match intrinsics::find(name) {
            Ok(intrinsic) => intrinsic,
            Err(unknown) => {
                return self.report(codes::NATIVE_IR_UNSUPPORTED, span, unknown.message, Some(unknown.help));
            }
        };
        if intrinsic.ty != ty || intrinsic.is_flagged() != flagged {
            let own = intrinsic.ty.llvm();
            let gives = if intrinsic.is_flagged() { format!("{{{own}, i1}}") } else { own };
            let message = format!("`{name}` gives `{gives}`");
            return self.report(codes::NATIVE_IR_VERIFY, at, message, None);
        }
        let mut args = Vec::new();
        self.expect('(')?;
        while self.peek() != Kind::Mark(')') {
            args.push(self.typed_operand()?);
            if !self.eat(Kind::Mark(',')) {
                break;
            }
        }
        self.expect(')')?;
        let params = intrinsic.params();
        if params.len() != args.len() {
            let message = format!("`{name}` takes {} arguments, found {}", params.len(), args.len());
            return self.report(codes::NATIVE_IR_VERIFY, span, message, None);
        }
        if let Some((param, arg)) = params.iter().zip(&args).find(|(param, arg)| **param != arg.ty) {
            let message = format!("`{name}` wants an `{}` here, found `{}`", param.llvm(), arg.ty.llvm());
            return self.report(codes::NATIVE_IR_VERIFY, arg.span, message, None);
        }
        Ok(Instruction::Call(intrinsic, args))
    }

    fn promises(&mut self) {
        while self.peek() == Kind::Word && PROMISES.contains(&self.text()) {
            self.at += 1;
        }
    }

    fn one_of(&mut self, words: &[&str]) -> R<&'t str> {
        if self.peek() == Kind::Word && words.contains(&self.text()) {
            return Ok(self.bump());
        }
        self.wanted(&format!("one of {}", words.join(", ")))
    }

    /// `{i32, i1}`; the answer is the first.
    fn flagged_type(&mut self) -> R<MachineType> {
        self.expect('{')?;
        let ty = self.type_of(Class::Int)?;
        self.expect(',')?;
        if !self.eat_word("i1") {
            return self.wanted("`i1`");
        }
        self.expect('}')?;
        Ok(ty)
    }

    fn ty(&mut self) -> R<MachineType> {
        let span = self.span();
        let known = match (self.peek(), self.text()) {
            (Kind::Word, "i1") => Some(MachineType::Int(1)),
            (Kind::Word, "i8") => Some(MachineType::Int(8)),
            (Kind::Word, "i16") => Some(MachineType::Int(16)),
            (Kind::Word, "i32") => Some(MachineType::Int(32)),
            (Kind::Word, "i64") => Some(MachineType::Int(64)),
            (Kind::Word, "float") => Some(MachineType::Float),
            (Kind::Word, "double") => Some(MachineType::Double),
            _ => None,
        };
        if let Some(ty) = known {
            self.at += 1;
            return Ok(ty);
        }
        if !matches!(self.peek(), Kind::Word | Kind::Mark('<' | '[' | '{')) {
            return self.wanted("a type");
        }
        let text = self.text();
        let message = if self.peek() == Kind::Word {
            format!("`llvm_ir!` has no type `{text}`")
        } else {
            "`llvm_ir!` has no vectors, arrays and structures".to_owned()
        };
        let help = match text {
            "f32" => "LLVM calls it `float`",
            "f64" => "LLVM calls it `double`",
            _ => "it has i1, i8, i16, i32, i64, float and double",
        };
        self.report(codes::NATIVE_IR_UNSUPPORTED, span, message, Some(help.to_owned()))
    }

    fn type_of(&mut self, class: Class) -> R<MachineType> {
        let span = self.span();
        let ty = self.ty()?;
        if ty.is_int() == (class == Class::Int) {
            return Ok(ty);
        }
        let wanted = if class == Class::Int { "integers" } else { "floats" };
        self.report(codes::NATIVE_IR_VERIFY, span, format!("this works on {wanted}, found `{}`", ty.llvm()), None)
    }

    fn typed_operand(&mut self) -> R<Operand> {
        let ty = self.ty()?;
        self.operand(ty)
    }

    fn pair(&mut self, ty: MachineType) -> R<(Operand, Operand)> {
        let left = self.operand(ty)?;
        self.expect(',')?;
        Ok((left, self.operand(ty)?))
    }

    fn operand(&mut self, ty: MachineType) -> R<Operand> {
        let (kind, text, span) = (self.peek(), self.text(), self.span());
        let value = match (kind, ty) {
            (Kind::Local, _) => Value::Local(text[1..].into()),
            (Kind::Input, _) => Value::Input(text[1..].parse().unwrap_or(usize::MAX)),
            (Kind::Word, MachineType::Int(1)) if matches!(text, "true" | "false") => Value::Bool(text == "true"),
            (Kind::Int, MachineType::Int(bits)) => match text.parse::<i128>() {
                Ok(value) if (-(1i128 << (bits - 1))..1i128 << bits).contains(&value) => match bits {
                    1 => Value::Bool(value != 0),
                    // Above the largest signed number it is meant without a sign.
                    _ if value >> (bits - 1) & 1 == 1 && value > 0 => Value::Int(value - (1i128 << bits)),
                    _ => Value::Int(value),
                },
                _ => {
                    let message = format!("`{text}` does not fit in `{}`", ty.llvm());
                    return self.report(codes::NATIVE_IR_VERIFY, span, message, None);
                }
            },
            (Kind::Float, MachineType::Float | MachineType::Double) => match float(text) {
                Some(value) => Value::Float(value),
                None => {
                    let message = format!("`{text}` is not a number");
                    return self.report(codes::NATIVE_IR_VERIFY, span, message, None);
                }
            },
            (Kind::Word, _) if matches!(text, "undef" | "poison" | "null" | "zeroinitializer") => {
                let message = format!("`llvm_ir!` has no `{text}`");
                return self.report(codes::NATIVE_IR_UNSUPPORTED, span, message, None);
            }
            (Kind::Int, _) => {
                let message = format!("a number of type `{}` is written with a point", ty.llvm());
                let help = format!("write `{text}.0`");
                return self.report(codes::NATIVE_IR_VERIFY, span, message, Some(help));
            }
            _ => return self.wanted(&format!("a value of type `{}`: `%name`, `$0` or a constant", ty.llvm())),
        };
        self.at += 1;
        Ok(Operand { value, ty, span })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Int,
    Float,
}

/// `1.5`, `1e3`, or the bits of a `double` in hexadecimal.
fn float(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(f64::from_bits),
        None => text.parse().ok(),
    }
}

fn possible(conversion: Conversion, word: &str, from: MachineType, to: MachineType) -> bool {
    match conversion {
        Conversion::Trunc => from.is_int() && to.is_int() && from.bits() > to.bits(),
        Conversion::ZeroExtend | Conversion::SignExtend => from.is_int() && to.is_int() && from.bits() < to.bits(),
        Conversion::Float if word == "fpext" => (from, to) == (MachineType::Float, MachineType::Double),
        Conversion::Float => (from, to) == (MachineType::Double, MachineType::Float),
        Conversion::FloatToSigned | Conversion::FloatToUnsigned => !from.is_int() && to.is_int() && to.bits() > 1,
        Conversion::SignedToFloat | Conversion::UnsignedToFloat => from.is_int() && !to.is_int(),
        Conversion::Bits => from.bits() == to.bits(),
    }
}
