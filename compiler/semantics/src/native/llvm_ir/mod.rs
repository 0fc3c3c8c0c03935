//! What does `llvm_ir!(T) { "..", inputs(..) }` compute? Its instructions, checked, as typed nodes.
//!
//! The subset is what maps one to one: arithmetic, comparisons, conversions, `select`, intrinsics. Where LLVM leaves the
//! result open the subset does not: integers wrap whatever was promised, shifts take their amount within the width,
//! conversions to integers saturate, and division by zero is a panic.

mod lex;
mod parse;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;
use rustc_hash::FxHashMap;

use self::parse::{Conversion, Instruction, Line, Value};
use super::builder::{Builder, Operand, Outcome};
use super::{Form, MachineType, unsigned};
use crate::cx::*;
use crate::effects::{What, tags};
use crate::infer::body::Want;
use crate::infer::ty::{Node, Ty, Types};
use crate::typed::ExprId;
use crate::types::Prim;

impl<'a> Checker<'a> {
    pub(crate) fn llvm_ir(
        &mut self,
        ty: &ast::Type,
        template: &ast::Template,
        inputs: &[ast::Expr],
        span: Span,
    ) -> ExprId {
        let errors = self.diagnostics.len();
        self.check_gates(Form::LlvmIr, span);
        let result = self.body_type(ty);
        let (lines, problems) = parse::parse(template);
        problems.into_iter().for_each(|problem| self.report(problem));
        let mut used: Vec<Option<(MachineType, Span)>> = vec![None; inputs.len()];
        lines.iter().filter_map(|line| line.instruction.as_ref()).flat_map(operands).for_each(|operand| {
            self.use_input(operand, &mut used);
        });
        let broken = self.diagnostics.len() > errors;
        let mut code = Builder::new(self, span);
        let mut values = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            values.push(code.input(input, index, used[index], broken));
        }
        let mut lowering = Lowering { code, inputs: values, locals: FxHashMap::default(), returned: None };
        for line in &lines {
            lowering.line(line);
        }
        lowering.finish(&lines, result, ty.span, span)
    }

    /// Notes as what an input is used.
    fn use_input(&mut self, operand: &parse::Operand, used: &mut [Option<(MachineType, Span)>]) {
        let Value::Input(index) = operand.value else { return };
        let count = used.len();
        let Some(slot) = used.get_mut(index) else {
            let there = match count {
                0 => "there are none".to_owned(),
                1 => "there is one, `$0`".to_owned(),
                2 => "they are `$0` and `$1`".to_owned(),
                _ => format!("they are `$0` to `${}`", count - 1),
            };
            let message = format!("`${index}` is not among the inputs: {there}");
            self.report(
                Diagnostic::error(codes::NATIVE_IR_PLACEHOLDER, operand.span, message)
                    .with_help("inputs are counted from 0: `inputs(a, b)` are `$0` and `$1`"),
            );
            return;
        };
        match *slot {
            Some((ty, first)) if ty != operand.ty => {
                let message = format!("`${index}` is an `{}` here, and an `{}` before", operand.ty.llvm(), ty.llvm());
                self.report(
                    Diagnostic::error(codes::NATIVE_IR_VERIFY, operand.span, message).with_label(first, "used here"),
                );
            }
            _ => *slot = Some((operand.ty, operand.span)),
        }
    }
}

/// The operands of an instruction.
fn operands(instruction: &Instruction) -> Vec<&parse::Operand> {
    match instruction {
        Instruction::Binary(_, a, b) | Instruction::CompareInts(_, a, b) | Instruction::CompareFloats(_, a, b) => {
            vec![a, b]
        }
        Instruction::Select(a, b, c) => vec![a, b, c],
        Instruction::FloatNegate(a) | Instruction::Convert(_, a, _) | Instruction::Freeze(a) => vec![a],
        Instruction::Call(_, args) => args.iter().collect(),
        Instruction::Return(a) => a.iter().collect(),
        Instruction::Extract(..) => Vec::new(),
    }
}

impl Builder<'_, '_> {
    /// Evaluates an input; `None` when it is wrong. `broken`: the text has errors, so that it may well be used.
    fn input(
        &mut self,
        input: &ast::Expr,
        index: usize,
        used: Option<(MachineType, Span)>,
        broken: bool,
    ) -> Option<Operand> {
        let Some((ty, _)) = used else {
            self.cx.value(input, Want::NOTHING);
            if !broken {
                let message = format!("the text does not use this input, `${index}`");
                self.cx.report(Diagnostic::error(codes::NATIVE_IR_PLACEHOLDER, input.span, message));
            }
            return None;
        };
        let (id, prim) = self.cx.machine_operand(input, ty.prim(), |prim| MachineType::of(prim) == Some(ty))?;
        let given = self.bind(id, prim);
        Some(self.canonical(given))
    }
}

struct Lowering<'c, 'a> {
    code: Builder<'c, 'a>,
    inputs: Vec<Option<Operand>>,
    /// By name, what a line gave and where it did; `None` when the line is wrong.
    locals: FxHashMap<Box<str>, (Option<Outcome>, Span)>,
    /// The value of `ret`, or of the last line.
    returned: Option<Returned>,
}

struct Returned {
    value: Option<Outcome>,
    span: Span,
    /// By `ret`.
    explicit: bool,
}

impl Lowering<'_, '_> {
    fn report(&mut self, span: Span, message: String) {
        self.code.cx.report(Diagnostic::error(codes::NATIVE_IR_VERIFY, span, message));
    }

    fn line(&mut self, line: &Line) {
        if let Some(Returned { explicit: true, span, .. }) = self.returned {
            if line.instruction.is_none() {
                return;
            }
            let diagnostic =
                Diagnostic::error(codes::NATIVE_IR_VERIFY, line.span, "nothing may follow `ret`".to_owned());
            self.code.cx.error_once(diagnostic.with_label(span, "it ends here"));
            return;
        }
        self.code.span = line.span;
        let explicit = matches!(line.instruction, Some(Instruction::Return(_)));
        let value = line.instruction.as_ref().and_then(|instruction| self.instruction(instruction));
        self.returned = Some(Returned { value, span: line.span, explicit });
        let Some((name, span)) = &line.name else { return };
        if explicit {
            self.report(*span, "`ret` gives no value".to_owned());
        }
        if let Some((_, first)) = self.locals.insert(name.clone(), (value, *span)) {
            let message = format!("`%{name}` is defined twice");
            let diagnostic = Diagnostic::error(codes::NATIVE_IR_VERIFY, *span, message);
            self.code.cx.report(diagnostic.with_label(first, "first here"));
        }
    }

    /// `None` when it is wrong; reported.
    fn operand(&mut self, operand: &parse::Operand) -> Option<Operand> {
        let prim = operand.ty.prim();
        match &operand.value {
            Value::Int(value) => Some(Operand::int(*value, prim)),
            Value::Float(value) => Some(Operand::float(*value, prim)),
            Value::Bool(value) => Some(Operand::bool(*value)),
            Value::Input(index) => self.inputs.get(*index).copied().flatten().filter(|input| input.prim == prim),
            Value::Local(name) => {
                let Some((value, defined)) = self.locals.get(name) else {
                    self.undefined(name, operand.span);
                    return None;
                };
                let (value, defined) = ((*value)?, *defined);
                match value {
                    Outcome::One(value) if value.prim == prim => return Some(value),
                    Outcome::One(value) => {
                        let found = MachineType::of(value.prim).map_or_else(String::new, MachineType::llvm);
                        let message = format!("`%{name}` is an `{found}`, used here as `{}`", operand.ty.llvm());
                        let diagnostic = Diagnostic::error(codes::NATIVE_IR_VERIFY, operand.span, message);
                        self.code.cx.report(diagnostic.with_label(defined, "defined here"));
                    }
                    Outcome::Flagged(..) => self.report(
                        operand.span,
                        format!("`%{name}` is a value with a flag; take one of them with `extractvalue`"),
                    ),
                }
                None
            }
        }
    }

    fn undefined(&mut self, name: &str, span: Span) {
        let near = crate::suggest::closest(name, self.locals.keys().map(|name| &**name)).map(str::to_owned);
        let diagnostic = Diagnostic::error(codes::NATIVE_IR_VERIFY, span, format!("no line before defines `%{name}`"));
        self.code.cx.report(match near {
            Some(near) => diagnostic.with_help(format!("did you mean `%{near}`?")),
            None => diagnostic,
        });
    }

    fn instruction(&mut self, instruction: &Instruction) -> Option<Outcome> {
        // All of them, for what is wrong with any.
        let operands: Vec<Option<Operand>> =
            operands(instruction).into_iter().map(|operand| self.operand(operand)).collect();
        let args: Vec<Operand> = operands.into_iter().collect::<Option<_>>()?;
        let code = &mut self.code;
        Some(Outcome::One(match instruction {
            Instruction::Binary(op, ..) => return self.binary(op, args[0], args[1]).map(Outcome::One),
            Instruction::FloatNegate(_) => code.op("float_neg", &args, args[0].prim),
            Instruction::CompareInts(how, ..) => code.compare_ints(how, args[0], args[1]),
            Instruction::CompareFloats(how, ..) => code.compare_floats(how, args[0], args[1]),
            Instruction::Select(..) => code.select(args[0], args[1], args[2]),
            Instruction::Convert(conversion, _, to) => code.conversion(*conversion, args[0], *to),
            Instruction::Call(intrinsic, _) => return Some(intrinsic.emit(code, &args)),
            Instruction::Freeze(_) => args[0],
            Instruction::Return(_) => *args.first()?,
            Instruction::Extract(name, span, ty, index) => {
                let Some(&(outcome, _)) = self.locals.get(name) else {
                    self.undefined(name, *span);
                    return None;
                };
                match outcome? {
                    Outcome::Flagged(value, flag) if value.prim == ty.prim() => [value, flag][*index],
                    _ => {
                        self.report(*span, format!("`%{name}` is no `{{{}, i1}}`", ty.llvm()));
                        return None;
                    }
                }
            }
        }))
    }

    fn binary(&mut self, op: &str, left: Operand, right: Operand) -> Option<Operand> {
        let code = &mut self.code;
        let (prim, args) = (left.prim, [left, right]);
        if prim == Prim::Bool {
            return match op {
                "and" => Some(code.select(left, right, Operand::bool(false))),
                "or" => Some(code.select(left, Operand::bool(true), right)),
                "xor" => Some(code.op("ne", &args, Prim::Bool)),
                _ => {
                    let message = format!("`llvm_ir!` has no `{op}` of `i1`");
                    code.cx.report(
                        Diagnostic::error(codes::NATIVE_IR_UNSUPPORTED, code.span, message)
                            .with_help("it has `and`, `or` and `xor`"),
                    );
                    None
                }
            };
        }
        if matches!(op, "sdiv" | "udiv" | "srem" | "urem") && !matches!(right.known_int(), Some(value) if value > 0) {
            let row = code.cx.b.row();
            code.cx.effect_event(row, tags::PANIC, code.span, What::Text("this division"));
        }
        Some(match op {
            "add" => code.op("wrapping_add", &args, prim),
            "sub" => code.op("wrapping_sub", &args, prim),
            "mul" => code.op("wrapping_mul", &args, prim),
            "sdiv" => code.op("int_div", &args, prim),
            "udiv" => code.unsigned_op("int_div", &args),
            "srem" => code.op("int_rem", &args, prim),
            "urem" => code.unsigned_op("int_rem", &args),
            "and" => code.op("int_and", &args, prim),
            "or" => code.op("int_or", &args, prim),
            "xor" => code.op("int_xor", &args, prim),
            "shl" | "ashr" => {
                let amount = code.shift_amount(right);
                code.op(if op == "shl" { "wrapping_shl" } else { "wrapping_shr" }, &[left, amount], prim)
            }
            "lshr" => {
                let amount = code.shift_amount(right);
                let bits = code.convert(left, unsigned(prim));
                let shifted = code.op("wrapping_shr", &[bits, amount], bits.prim);
                code.convert(shifted, prim)
            }
            "fadd" => code.op("float_add", &args, prim),
            "fsub" => code.op("float_sub", &args, prim),
            "fmul" => code.op("float_mul", &args, prim),
            "fdiv" => code.op("float_div", &args, prim),
            _ => code.op("float_rem", &args, prim),
        })
    }

    /// The whole expression, whose value the program wants as `ty`.
    fn finish(mut self, lines: &[Line], ty: Ty, written: Span, span: Span) -> ExprId {
        self.code.span = span;
        if lines.is_empty() {
            self.report(span, "there is no instruction in this `llvm_ir!`".to_owned());
        }
        let nothing = self.code.cx.t.resolve(ty) == Types::UNIT;
        let Some(returned) = self.returned.take() else { return self.code.cx.b.error(span) };
        let void = lines.iter().any(|line| matches!(line.instruction, Some(Instruction::Return(None))));
        if void || nothing {
            if void != nothing {
                let shown = self.code.cx.show(ty);
                let diagnostic = Diagnostic::error(
                    codes::NATIVE_IR_VERIFY,
                    written,
                    format!("the value is to be `{shown}`, and the last line gives another"),
                );
                self.code.cx.report(diagnostic.with_label(returned.span, "the last line"));
                return self.code.cx.b.error(span);
            }
            return self.code.finish(None, ty);
        }
        let wanted = match self.code.cx.t.head(ty) {
            Node::Error => None,
            _ => self.code.cx.machine_prim(ty).and_then(MachineType::of),
        };
        match returned.value {
            Some(Outcome::One(value)) if wanted.is_some() && MachineType::of(value.prim) == wanted => {
                let value = self.code.returned(value, ty);
                self.code.finish(Some(value), ty)
            }
            Some(found) if !matches!(self.code.cx.t.head(ty), Node::Error) => {
                let found = match found {
                    Outcome::One(value) => MachineType::of(value.prim).map_or_else(String::new, MachineType::llvm),
                    Outcome::Flagged(value, _) => {
                        format!("{{{}, i1}}", MachineType::of(value.prim).map_or_else(String::new, MachineType::llvm))
                    }
                };
                let shown = self.code.cx.show(ty);
                let diagnostic = Diagnostic::error(
                    codes::NATIVE_IR_VERIFY,
                    written,
                    format!("the value is to be `{shown}`, and the last line gives `{found}`"),
                );
                self.code.cx.report(diagnostic.with_label(returned.span, "the last line"));
                self.code.cx.b.error(span)
            }
            _ => self.code.cx.b.error(span),
        }
    }
}

impl Builder<'_, '_> {
    fn compare_ints(&mut self, how: &str, left: Operand, right: Operand) -> Operand {
        let (mut left, mut right) = (left, right);
        if left.prim == Prim::Bool && !matches!(how, "eq" | "ne") {
            // As one bit, true is -1 with a sign and the largest without.
            left = self.conversion(Conversion::SignExtend, left, MachineType::Int(8));
            right = self.conversion(Conversion::SignExtend, right, MachineType::Int(8));
        }
        match how {
            "eq" | "ne" => self.op(how, &[left, right], Prim::Bool),
            _ if how.starts_with('s') => self.op(&how[1..], &[left, right], Prim::Bool),
            _ => self.unsigned_compare(&how[1..], left, right),
        }
    }

    /// The ordered ones are false when an operand is a NaN, the unordered ones true.
    fn compare_floats(&mut self, how: &str, left: Operand, right: Operand) -> Operand {
        let args = [left, right];
        let compare = |code: &mut Self, name: &str| code.op(name, &args, Prim::Bool);
        let negated = |code: &mut Self, name: &str| {
            let opposite = code.op(name, &args, Prim::Bool);
            code.not(opposite)
        };
        match how {
            "false" | "true" => Operand::bool(how == "true"),
            "oeq" | "ogt" | "oge" | "olt" | "ole" => compare(self, &how[1..]),
            "une" => compare(self, "ne"),
            "ugt" => negated(self, "le"),
            "uge" => negated(self, "lt"),
            "ult" => negated(self, "ge"),
            "ule" => negated(self, "gt"),
            "one" | "ueq" => {
                let (less, more) = (compare(self, "lt"), compare(self, "gt"));
                let differs = self.select(less, Operand::bool(true), more);
                if how == "one" { differs } else { self.not(differs) }
            }
            _ => {
                let (left, right) = (self.is_nan(left), self.is_nan(right));
                let unordered = self.select(left, Operand::bool(true), right);
                if how == "uno" { unordered } else { self.not(unordered) }
            }
        }
    }

    fn conversion(&mut self, conversion: Conversion, from: Operand, to: MachineType) -> Operand {
        let prim = to.prim();
        match conversion {
            Conversion::Trunc => self.convert(from, prim),
            Conversion::ZeroExtend => {
                let bits = self.convert(from, unsigned(from.prim));
                self.convert(bits, prim)
            }
            Conversion::SignExtend if from.prim == Prim::Bool => {
                let bit = self.convert(from, prim);
                self.op("wrapping_neg", &[bit], prim)
            }
            Conversion::SignExtend => self.convert(from, prim),
            Conversion::Float => self.cast(from, prim),
            Conversion::FloatToSigned => self.op("float_to_int_sat", &[from], prim),
            Conversion::FloatToUnsigned => {
                let bits = self.op("float_to_int_sat", &[from], unsigned(prim));
                self.convert(bits, prim)
            }
            Conversion::SignedToFloat => {
                let wide = match from.prim {
                    Prim::Bool => self.conversion(Conversion::SignExtend, from, MachineType::Int(8)),
                    _ => from,
                };
                self.cast(wide, prim)
            }
            Conversion::UnsignedToFloat => {
                let bits = match from.prim {
                    Prim::Bool => self.convert(from, Prim::U8),
                    _ => self.convert(from, unsigned(from.prim)),
                };
                self.cast(bits, prim)
            }
            Conversion::Bits if from.prim == prim => from,
            Conversion::Bits if to.is_int() => {
                let bits = self.op("float_to_bits", &[from], unsigned(prim));
                self.convert(bits, prim)
            }
            Conversion::Bits => {
                let bits = self.convert(from, unsigned(from.prim));
                self.op("float_from_bits", &[bits], prim)
            }
        }
    }
}
