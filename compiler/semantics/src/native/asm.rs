//! Which templates does `inline_asm` know, what are their operands, and what does each become?
//!
//! Cranelift has no assembler, so a template is one of a list. Each stands for a function of the runtime that has the
//! instruction in it (`runtime/rt/src/machine.rs`), and that packs what the instruction leaves in registers into words.
//! A text may have several, separated by `;` or line breaks: they run one after the other, and their operands are in
//! this order, too.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};

use super::Form;
use super::builder::{Builder, Operand};
use crate::cx::*;
use crate::infer::body::Want;
use crate::infer::ty::{Node, Ty, Types};
use crate::suggest;
use crate::typed::{ExprId, ExprKind, Stmt};
use crate::types::Prim;

/// A list of instructions that are written and treated alike.
struct Instruction {
    /// In lower case, with single spaces.
    text: &'static str,
    /// A value of `target_arch`; `None`: every machine has it.
    arch: Option<&'static str>,
    /// The function of `Core.Lang` that does it; `None`: nothing happens.
    function: Option<&'static str>,
    inputs: &'static [Place],
    outputs: &'static [(Place, Part)],
}

/// The register or flag of an operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `a` in a constraint is `{eax}` or `{rax}` as well.
    A,
    B,
    C,
    D,
    /// `r`
    Any,
    /// `@ccc`: the carry flag.
    Carry,
}

impl Place {
    /// As it is written, the first as it is suggested.
    fn spellings(self) -> &'static [&'static str] {
        match self {
            Place::A => &["a", "{eax}", "{rax}"],
            Place::B => &["b", "{ebx}", "{rbx}"],
            Place::C => &["c", "{ecx}", "{rcx}"],
            Place::D => &["d", "{edx}", "{rdx}"],
            Place::Any => &["r"],
            Place::Carry => &["@ccc"],
        }
    }
}

/// Where in what the function gives an output is.
#[derive(Clone, Copy)]
enum Part {
    /// 32 bits of a word, from this one on.
    Half(usize, u32),
    Word(usize),
    /// Is the word not zero?
    Flag(usize),
}

impl Part {
    fn prim(self) -> Prim {
        match self {
            Part::Half(..) => Prim::U32,
            Part::Word(_) => Prim::U64,
            Part::Flag(_) => Prim::Bool,
        }
    }
}

const X86: Option<&str> = Some("x86_64");
const ARM: Option<&str> = Some("aarch64");

const fn plain(text: &'static str, arch: Option<&'static str>, function: &'static str) -> Instruction {
    Instruction { text, arch, function: Some(function), inputs: &[], outputs: &[] }
}

const TABLE: &[Instruction] = &[
    Instruction { text: "nop", arch: None, function: None, inputs: &[], outputs: &[] },
    plain("pause", X86, "machine_pause"),
    plain("mfence", X86, "machine_mfence"),
    plain("lfence", X86, "machine_lfence"),
    plain("sfence", X86, "machine_sfence"),
    Instruction {
        text: "rdtsc",
        arch: X86,
        function: Some("machine_rdtsc"),
        inputs: &[],
        outputs: &[(Place::A, Part::Half(0, 0)), (Place::D, Part::Half(0, 32))],
    },
    Instruction {
        text: "rdtscp",
        arch: X86,
        function: Some("machine_rdtscp"),
        inputs: &[],
        outputs: &[(Place::A, Part::Half(0, 0)), (Place::D, Part::Half(0, 32)), (Place::C, Part::Half(1, 0))],
    },
    Instruction {
        text: "cpuid",
        arch: X86,
        function: Some("machine_cpuid"),
        inputs: &[Place::A, Place::C],
        outputs: &[
            (Place::A, Part::Half(0, 0)),
            (Place::B, Part::Half(0, 32)),
            (Place::C, Part::Half(1, 0)),
            (Place::D, Part::Half(1, 32)),
        ],
    },
    Instruction {
        text: "rdrand $0",
        arch: X86,
        function: Some("machine_rdrand"),
        inputs: &[],
        outputs: &[(Place::Any, Part::Word(0)), (Place::Carry, Part::Flag(1))],
    },
    plain("yield", ARM, "machine_yield"),
    plain("isb", ARM, "machine_isb"),
    plain("dmb ish", ARM, "machine_dmb"),
    plain("dsb ish", ARM, "machine_dsb"),
    Instruction {
        text: "mrs $0, cntvct_el0",
        arch: ARM,
        function: Some("machine_cntvct"),
        inputs: &[],
        outputs: &[(Place::Any, Part::Word(0))],
    },
    Instruction {
        text: "mrs $0, cntfrq_el0",
        arch: ARM,
        function: Some("machine_cntfrq"),
        inputs: &[],
        outputs: &[(Place::Any, Part::Word(0))],
    },
];

const OPTIONS: &[&str] = &["volatile", "pure", "nomem", "readonly", "nostack", "preserves_flags", "alignstack"];

/// What an `inline_asm` lists behind its template.
#[derive(Default)]
struct Lists<'e> {
    outputs: Vec<Constrained<'e>>,
    inputs: Vec<Constrained<'e>>,
}

/// An operand, and the constraint before it.
struct Constrained<'e> {
    constraint: &'e str,
    span: Span,
    value: &'e ast::Expr,
}

/// The instructions of a template, in the spelling of the table.
fn instructions(template: &str) -> impl Iterator<Item = String> {
    template
        .split(['\n', ';'])
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
        .filter(|line| !line.is_empty())
}

impl<'a> Checker<'a> {
    pub(crate) fn inline_asm(&mut self, args: &[ast::Arg], span: Span) -> ExprId {
        self.check_gates(Form::InlineAsm, span);
        let Some((template, lists)) = self.asm_parts(args, span) else { return self.b.error(span) };
        let Ast::Str(text) = &*template.kind else { return self.b.error(span) };
        let mut list = Vec::new();
        for text in instructions(text) {
            match self.asm_instruction(&text, template.span) {
                Some(instruction) => list.push(instruction),
                None => return self.b.error(span),
            }
        }
        if list.is_empty() {
            let message = "there is no instruction in this `inline_asm`";
            self.report(Diagnostic::error(codes::NATIVE_ASM_UNSUPPORTED, template.span, message));
            return self.b.error(span);
        }
        let inputs: Vec<Place> = list.iter().flat_map(|instruction| instruction.inputs).copied().collect();
        let outputs: Vec<Place> = list.iter().flat_map(|instruction| instruction.outputs).map(|it| it.0).collect();
        let fits = [("inputs", &lists.inputs, &inputs, ""), ("outputs", &lists.outputs, &outputs, "=")]
            .map(|(word, found, wanted, sign)| self.check_constraints(word, found, wanted, sign, template.span));
        if fits.contains(&false) {
            return self.b.error(span);
        }
        let mut code = Builder::new(self, span);
        let mut given = Vec::with_capacity(inputs.len());
        for input in &lists.inputs {
            let at_least = |prim: Prim| prim.is_integer() && prim.bits() >= Some(32);
            let Some((id, prim)) = code.cx.machine_operand(input.value, Prim::U32, at_least) else {
                return code.cx.b.error(span);
            };
            let value = code.bind(id, prim);
            given.push(code.convert(value, Prim::U32));
        }
        let (mut given, mut results) = (given.into_iter(), Vec::with_capacity(outputs.len()));
        for instruction in list {
            let args: Vec<Operand> = given.by_ref().take(instruction.inputs.len()).collect();
            code.perform(instruction, &args, &mut results);
        }
        for (output, value) in lists.outputs.iter().zip(results) {
            code.assign_output(output, value);
        }
        code.finish(None, Types::UNIT)
    }

    /// The template, and the lists behind it.
    fn asm_parts<'e>(&mut self, args: &'e [ast::Arg], span: Span) -> Option<(&'e ast::Expr, Lists<'e>)> {
        let (template, rest) = match args {
            [ast::Arg { name: None, value }, rest @ ..] if matches!(*value.kind, Ast::Str(_)) => (value, rest),
            _ => {
                let at = args.first().map_or(span, |arg| arg.value.span);
                self.report(
                    Diagnostic::error(
                        codes::NATIVE_ASM_CONSTRAINT,
                        at,
                        "`inline_asm` begins with its template, a text",
                    )
                    .with_help("write `inline_asm(\"rdtsc\", outputs(\"=a\", low, \"=d\", high))`"),
                );
                return None;
            }
        };
        let mut lists = Lists::default();
        let mut fine = true;
        for arg in rest {
            let word = match &*arg.value.kind {
                Ast::Call { callee, args } => match &*callee.kind {
                    Ast::Path(path) if path.segments.len() == 1 => Some((self.names.text(path.segments[0].name), args)),
                    _ => None,
                },
                _ => None,
            };
            fine &= match word {
                Some(("outputs", args)) => self.constrained(args, &mut lists.outputs),
                Some(("inputs", args)) => self.constrained(args, &mut lists.inputs),
                Some(("clobbers", args)) => self.asm_words(args, None),
                Some(("options", args)) => self.asm_words(args, Some(OPTIONS)),
                _ => {
                    let message = "expected `outputs(..)`, `inputs(..)`, `clobbers(..)` or `options(..)`";
                    self.report(Diagnostic::error(codes::NATIVE_ASM_CONSTRAINT, arg.value.span, message));
                    false
                }
            };
        }
        fine.then_some((template, lists))
    }

    /// `"=a", low, "=d", high`
    fn constrained<'e>(&mut self, args: &'e [ast::Arg], list: &mut Vec<Constrained<'e>>) -> bool {
        for pair in args.chunks(2) {
            if let [ast::Arg { name: None, value: constraint }, ast::Arg { name: None, value }] = pair
                && let Ast::Str(text) = &*constraint.kind
            {
                list.push(Constrained { constraint: text, span: constraint.span, value });
                continue;
            }
            let at = pair[0].value.span;
            self.report(
                Diagnostic::error(
                    codes::NATIVE_ASM_CONSTRAINT,
                    at,
                    "operands are pairs: a constraint, a text, and a value",
                )
                .with_help("write `outputs(\"=a\", low, \"=d\", high)`"),
            );
            return false;
        }
        true
    }

    /// Texts, of a list where there is one.
    fn asm_words(&mut self, args: &[ast::Arg], known: Option<&'static [&'static str]>) -> bool {
        for arg in args {
            let Ast::Str(text) = &*arg.value.kind else {
                let message = "clobbers and options are texts";
                self.report(Diagnostic::error(codes::NATIVE_ASM_CONSTRAINT, arg.value.span, message));
                return false;
            };
            if let Some(known) = known
                && !known.contains(&&**text)
            {
                let message = format!("`inline_asm` has no option \"{text}\"");
                let mut diagnostic = Diagnostic::error(codes::NATIVE_ASM_CONSTRAINT, arg.value.span, message);
                diagnostic = match suggest::closest(text, known.iter().copied()) {
                    Some(near) => {
                        diagnostic.with_fix(arg.value.span, format!("\"{near}\""), format!("did you mean \"{near}\"?"))
                    }
                    None => diagnostic.with_help(format!("it has {}", known.join(", "))),
                };
                self.report(diagnostic);
                return false;
            }
        }
        true
    }

    /// The instruction of the table, if the target has it.
    fn asm_instruction(&mut self, text: &str, span: Span) -> Option<&'static Instruction> {
        let arch = self.options.target.values.get("target_arch").cloned().unwrap_or_default();
        let available = |instruction: &&Instruction| instruction.arch.is_none_or(|wanted| wanted == arch);
        let texts = |all: &mut dyn Iterator<Item = &'static Instruction>| {
            all.map(|instruction| format!("`{}`", instruction.text)).collect::<Vec<_>>().join(", ")
        };
        match TABLE.iter().find(|instruction| instruction.text == text) {
            Some(instruction) if available(&instruction) => Some(instruction),
            Some(instruction) => {
                let wanted = instruction.arch.unwrap_or_default();
                let message = format!("`{text}` is an instruction of {wanted}, and the target is {arch}");
                self.report(
                    Diagnostic::error(codes::NATIVE_ASM_UNSUPPORTED, span, message)
                        .with_help(format!("write `@cfg(target_arch = \"{wanted}\")` before the function")),
                );
                None
            }
            None => {
                let near = suggest::closest(text, TABLE.iter().filter(available).map(|it| it.text));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("for {arch} there are {}", texts(&mut TABLE.iter().filter(available))),
                };
                let message = format!("`inline_asm` has no template `{text}`");
                self.report(
                    Diagnostic::error(codes::NATIVE_ASM_UNSUPPORTED, span, message)
                        .with_help(help)
                        .with_note("the compiler has no assembler: a template is one of a list"),
                );
                None
            }
        }
    }

    fn check_constraints(
        &mut self,
        word: &str,
        found: &[Constrained<'_>],
        wanted: &[Place],
        sign: &str,
        template: Span,
    ) -> bool {
        let shape = || {
            let list: Vec<String> =
                wanted.iter().map(|place| format!("\"{sign}{}\", ..", place.spellings()[0])).collect();
            if list.is_empty() { format!("write no `{word}`") } else { format!("write `{word}({})`", list.join(", ")) }
        };
        if found.len() != wanted.len() {
            let number = match wanted.len() {
                0 => format!("no {word}"),
                1 => format!("1 {}", word.trim_end_matches('s')),
                count => format!("{count} {word}"),
            };
            let message = format!("this has {number}, found {}", found.len());
            let at = match (found.first(), found.last()) {
                (Some(first), Some(last)) => first.span.to(last.value.span),
                _ => template,
            };
            self.report(Diagnostic::error(codes::NATIVE_ASM_CONSTRAINT, at, message).with_help(shape()));
            return false;
        }
        for (operand, place) in found.iter().zip(wanted) {
            let bare = operand.constraint.strip_prefix(sign).map(|rest| rest.trim_start_matches('&'));
            if !bare.is_some_and(|bare| place.spellings().contains(&bare)) {
                let wanted = format!("{sign}{}", place.spellings()[0]);
                let message = format!("expected the constraint \"{wanted}\", found \"{}\"", operand.constraint);
                self.report(Diagnostic::error(codes::NATIVE_ASM_CONSTRAINT, operand.span, message).with_help(shape()));
                return false;
            }
        }
        true
    }
}

impl Builder<'_, '_> {
    /// Calls the function of an instruction, and takes apart what it gives.
    fn perform(&mut self, instruction: &Instruction, args: &[Operand], results: &mut Vec<Operand>) {
        let Some(function) = instruction.function else { return };
        let args = args.iter().map(|&arg| self.read(arg)).collect();
        let call = self.cx.lang_call(function, args, self.span);
        let words = match self.cx.t.head(self.cx.b.ty(call)) {
            _ if instruction.outputs.is_empty() => {
                self.push(Stmt::Expr(call));
                return;
            }
            Node::Tuple(items) => items.range().map(|index| (index, self.cx.t.at(items, index))).collect(),
            _ => Vec::new(),
        };
        let words: Vec<Operand> =
            if words.is_empty() { vec![self.bind(call, Prim::U64)] } else { self.words(call, words) };
        for &(_, part) in instruction.outputs {
            results.push(match part {
                Part::Word(index) => words[index],
                Part::Half(index, 0) => self.convert(words[index], Prim::U32),
                Part::Half(index, from) => {
                    let amount = Operand::int(i128::from(from), Prim::I64);
                    let upper = self.op("wrapping_shr", &[words[index], amount], Prim::U64);
                    self.convert(upper, Prim::U32)
                }
                Part::Flag(index) => self.op("ne", &[words[index], Operand::int(0, Prim::U64)], part.prim()),
            });
        }
    }

    /// The elements of a tuple of words.
    fn words(&mut self, tuple: ExprId, elements: Vec<(usize, Ty)>) -> Vec<Operand> {
        let (bind, local) = self.cx.temporary(tuple);
        self.push(bind);
        elements
            .into_iter()
            .map(|(index, ty)| {
                let base = self.cx.b.use_local(local, self.span);
                let field = self.cx.b.expr(ExprKind::Field { base, index: index as u32 }, ty, self.span);
                self.bind(field, Prim::U64)
            })
            .collect()
    }

    fn assign_output(&mut self, output: &Constrained<'_>, value: Operand) {
        let place = self.cx.expr(output.value, Want::NOTHING);
        let span = output.value.span;
        let ty = self.cx.t.peel(self.cx.b.ty(place));
        let wide = |prim: Prim| prim.is_integer() && prim.bits() >= value.prim.bits();
        let to = match self.cx.machine_prim(ty) {
            Some(prim) if prim == value.prim || value.prim != Prim::Bool && wide(prim) => prim,
            _ => value.prim,
        };
        let value = self.convert(value, to);
        let value = self.read(value);
        let assigned = self.cx.assign_value(output.value.span, place, value, span);
        self.push(Stmt::Expr(assigned));
    }
}
