//! What may code do below the language (section 6.9)? The gates before `@intrinsic`, `inline_asm` and `llvm_ir!`.
//!
//! What passes becomes ordinary typed nodes: calls of the compiler's primitives, put together by [`builder`], and of
//! functions of the runtime, which hold the instructions that Cranelift does not have. No later stage knows of this.

mod asm;
mod builder;
mod intrinsics;
mod llvm_ir;

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::names::Names;

use crate::cx::*;
use crate::effects::{What, tags};
use crate::infer::ty::{Node, Ty};
use crate::suggest;
use crate::typed::Escape;
use crate::types::Prim;

/// The feature of the target that admits all of this.
pub const FEATURE: &str = "native-unstable";

/// What `@unstable(..)` may name.
pub const UNSTABLE: &[&str] = &["inline_asm", "llvm_ir"];

/// What the attributes, rows and blocks around the code being checked admit.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Gates {
    /// Some `@cfg` asks which machine it is.
    target: bool,
    inline_asm: bool,
    llvm_ir: bool,
    /// A row is written, and `native` is not in it.
    pub forbidden: bool,
}

impl Gates {
    /// These gates, and those that attributes open.
    pub fn with(mut self, attrs: &[ast::Attr], names: &Names) -> Gates {
        for attr in attrs {
            match names.text(attr.name.name) {
                "cfg" => self.target |= attr.args.iter().any(|arg| asks_for_target(arg, names)),
                "unstable" => {
                    for arg in &attr.args {
                        if let Ast::Str(feature) = &*arg.value.kind {
                            self.inline_asm |= &**feature == "inline_asm";
                            self.llvm_ir |= &**feature == "llvm_ir";
                        }
                    }
                }
                _ => {}
            }
        }
        self
    }
}

/// `target_arch = "x86_64"`, also within `all(..)` and its kin.
fn asks_for_target(arg: &ast::Arg, names: &Names) -> bool {
    if let Some(key) = arg.name {
        return names.text(key.name).starts_with("target");
    }
    matches!(&*arg.value.kind, Ast::Call { args, .. } if args.iter().any(|arg| asks_for_target(arg, names)))
}

/// The two forms that are expressions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    InlineAsm,
    LlvmIr,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::InlineAsm => "inline_asm",
            Form::LlvmIr => "llvm_ir",
        }
    }

    /// As it is written.
    fn spelling(self) -> &'static str {
        match self {
            Form::InlineAsm => "inline_asm",
            Form::LlvmIr => "llvm_ir!",
        }
    }

    fn capability(self) -> &'static str {
        match self {
            Form::InlineAsm => "native.inline_asm",
            Form::LlvmIr => "native.llvm_ir",
        }
    }

    fn effect_code(self) -> Code {
        match self {
            Form::InlineAsm => codes::NATIVE_ASM_EFFECT,
            Form::LlvmIr => codes::NATIVE_IR_EFFECT,
        }
    }

    fn cfg_code(self) -> Code {
        match self {
            Form::InlineAsm => codes::NATIVE_ASM_CFG,
            Form::LlvmIr => codes::NATIVE_IR_CFG,
        }
    }
}

/// How machine code sees a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MachineType {
    /// 1, 8, 16, 32 or 64 bits, without a sign.
    Int(u32),
    Float,
    Double,
}

impl MachineType {
    fn of(prim: Prim) -> Option<MachineType> {
        match prim {
            Prim::Bool => Some(MachineType::Int(1)),
            Prim::F32 => Some(MachineType::Float),
            Prim::F64 => Some(MachineType::Double),
            _ if prim.is_integer() => prim.bits().map(MachineType::Int),
            _ => None,
        }
    }

    /// The type that stands for it: integers are signed where nothing says otherwise.
    fn prim(self) -> Prim {
        match self {
            MachineType::Int(1) => Prim::Bool,
            MachineType::Int(8) => Prim::I8,
            MachineType::Int(16) => Prim::I16,
            MachineType::Int(32) => Prim::I32,
            MachineType::Int(_) => Prim::I64,
            MachineType::Float => Prim::F32,
            MachineType::Double => Prim::F64,
        }
    }

    fn bits(self) -> u32 {
        match self {
            MachineType::Int(bits) => bits,
            MachineType::Float => 32,
            MachineType::Double => 64,
        }
    }

    fn is_int(self) -> bool {
        matches!(self, MachineType::Int(_))
    }

    /// As LLVM writes it.
    fn llvm(self) -> String {
        match self {
            MachineType::Int(bits) => format!("i{bits}"),
            MachineType::Float => "float".to_owned(),
            MachineType::Double => "double".to_owned(),
        }
    }
}

/// The unsigned type of the same width.
fn unsigned(prim: Prim) -> Prim {
    match prim {
        Prim::I8 => Prim::U8,
        Prim::I16 => Prim::U16,
        Prim::I32 => Prim::U32,
        Prim::I64 | Prim::Isize => Prim::U64,
        other => other,
    }
}

impl<'a> Checker<'a> {
    /// Does the target admit native code? Reports when it does not.
    fn native_enabled(&mut self, what: &str, span: Span) -> bool {
        let enabled = self.options.target.features.contains(FEATURE);
        if !enabled {
            let message = format!("{what} needs the feature \"{FEATURE}\", which the target does not have");
            self.report(Diagnostic::error(codes::NATIVE_DISABLED, span, message).with_help(format!(
                "switch it on: `--cfg feature={FEATURE}`, or `features = [\"{FEATURE}\"]` in `[run.target]` of `reml.toml`"
            )));
        }
        enabled
    }

    /// Reports every gate that is closed, counts the effect, and notes the place for the gate of the run.
    fn check_gates(&mut self, form: Form, span: Span) {
        self.b.escapes.push(Escape { capability: form.capability(), span });
        let gates = self.b.native;
        let text = form.spelling();
        let around = match self.b.def {
            Some(Def::Fn(id)) => Some(self.fns[id].span),
            _ => None,
        };
        let label = |diagnostic: Diagnostic| match around {
            Some(function) => diagnostic.with_label(function, "the function around it"),
            None => diagnostic,
        };
        self.native_enabled(&format!("`{text}`"), span);
        let admitted = match form {
            Form::InlineAsm => gates.inline_asm,
            Form::LlvmIr => gates.llvm_ir,
        };
        if !admitted {
            let attribute = format!("@unstable(\"{}\")", form.name());
            let message = format!("`{text}` is unstable, and nothing around it says `{attribute}`");
            self.report(label(
                Diagnostic::error(codes::NATIVE_DISABLED, span, message)
                    .with_help(format!("write `{attribute}` before the function")),
            ));
        }
        if self.b.unsafe_depth == 0 {
            let message = format!("`{text}` needs an `unsafe` block");
            self.report(
                Diagnostic::error(codes::EFFECT_UNSAFE_REQUIRED, span, message)
                    .with_help("write `unsafe { .. }` around it"),
            );
        }
        if !gates.target {
            let message = format!("`{text}` is for certain machines, and no `@cfg` around it says which");
            self.report(label(
                Diagnostic::error(form.cfg_code(), span, message)
                    .with_help("write `@cfg(target_arch = \"x86_64\")`, or what fits, before the function"),
            ));
        }
        if gates.forbidden {
            let message = format!("`{text}` has the effect `native`, which the row of the function around it lacks");
            self.report(label(
                Diagnostic::error(form.effect_code(), span, message)
                    .with_help("add `native` to the row, or leave the row out: it is inferred then"),
            ));
        } else {
            let row = self.b.row();
            self.effect_event(row, tags::NATIVE, span, What::Text("native code"));
        }
    }

    /// Does `@unstable(..)` name what there is?
    pub(crate) fn check_unstable_attribute(&mut self, attr: &ast::Attr) {
        for arg in &attr.args {
            let Ast::Str(feature) = &*arg.value.kind else { continue };
            if UNSTABLE.contains(&&**feature) {
                continue;
            }
            let message = format!("there is no unstable feature \"{feature}\"");
            let mut diagnostic = Diagnostic::error(codes::ATTRIBUTE_INVALID, arg.value.span, message);
            diagnostic = match suggest::closest(feature, UNSTABLE.iter().copied()) {
                Some(near) => {
                    diagnostic.with_fix(arg.value.span, format!("\"{near}\""), format!("did you mean \"{near}\"?"))
                }
                None => diagnostic.with_help("there are \"inline_asm\" and \"llvm_ir\""),
            };
            self.report(diagnostic);
        }
    }

    /// The primitive type that a type is, when it is known and one that machine code has.
    fn machine_prim(&self, ty: Ty) -> Option<Prim> {
        match self.t.head(ty) {
            Node::Prim(prim) if MachineType::of(prim).is_some() => Some(prim),
            _ => None,
        }
    }
}

/// The inference type of a primitive one.
fn prim_ty(prim: Prim) -> Ty {
    Ty(prim as u32)
}
