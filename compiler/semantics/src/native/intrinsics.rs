//! Which LLVM intrinsics are there, what are their types, and what does each become?
//!
//! `@intrinsic("llvm.sqrt.f64")` before a function without a body gives it the intrinsic as its body; `llvm_ir!` calls
//! the same ones.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast, PatternKind};

use super::builder::{Builder, Operand, Outcome};
use super::{MachineType, prim_ty, unsigned};
use crate::cx::*;
use crate::effects::{What, tags};
use crate::infer::body::{Frame, Why};
use crate::infer::ty::{Node, Ty};
use crate::suggest;
use crate::typed::{Escape, ExprKind, FnId};
use crate::types::Prim;

/// The type of an intrinsic, over the type in its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// `(T) -> T`, `(T, T) -> T`, ..
    Plain(usize),
    /// `(T, Bool) -> T`; the flag only promises something about the first.
    Promised,
    /// `(T, T) -> (T, Bool)`
    Flagged,
}

/// What it does, by the primitive that does it where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Op(&'static str),
    /// A primitive that counts bits as an `i64`.
    Count(&'static str),
    /// To the nearest, ties away from zero.
    Round,
    /// The smaller or larger number; one that is not a NaN, if there is one.
    Number(&'static str),
    /// The operand for which the comparison of the first with the second says yes.
    Pick(&'static str, Signed),
    Abs,
    FunnelLeft,
    FunnelRight,
    /// A wrapping primitive, and the one that tells of overflow.
    Overflow(&'static str, &'static str, Signed),
    Saturate(&'static str, &'static str, Signed),
}

type Signed = bool;

use Action::*;
use Shape::*;

const FLOATS: &[MachineType] = &[MachineType::Float, MachineType::Double];
const INTS: &[MachineType] = &[MachineType::Int(8), MachineType::Int(16), MachineType::Int(32), MachineType::Int(64)];

/// Names without `llvm.` and the type, the types they exist for, and what they are.
const TABLE: &[(&str, &[MachineType], Shape, Action)] = &[
    ("sqrt", FLOATS, Plain(1), Op("float_sqrt")),
    ("floor", FLOATS, Plain(1), Op("float_floor")),
    ("ceil", FLOATS, Plain(1), Op("float_ceil")),
    ("trunc", FLOATS, Plain(1), Op("float_trunc")),
    ("rint", FLOATS, Plain(1), Op("float_round")),
    ("nearbyint", FLOATS, Plain(1), Op("float_round")),
    ("roundeven", FLOATS, Plain(1), Op("float_round")),
    ("round", FLOATS, Plain(1), Round),
    ("fabs", FLOATS, Plain(1), Op("float_abs")),
    ("copysign", FLOATS, Plain(2), Op("float_copysign")),
    ("fma", FLOATS, Plain(3), Op("float_fma")),
    ("fmuladd", FLOATS, Plain(3), Op("float_fma")),
    ("minnum", FLOATS, Plain(2), Number("float_min")),
    ("maxnum", FLOATS, Plain(2), Number("float_max")),
    ("minimum", FLOATS, Plain(2), Op("float_min")),
    ("maximum", FLOATS, Plain(2), Op("float_max")),
    ("ctpop", INTS, Plain(1), Count("count_ones")),
    ("ctlz", INTS, Promised, Count("leading_zeros")),
    ("cttz", INTS, Promised, Count("trailing_zeros")),
    ("bswap", &[MachineType::Int(16), MachineType::Int(32), MachineType::Int(64)], Plain(1), Op("swap_bytes")),
    ("bitreverse", INTS, Plain(1), Op("reverse_bits")),
    ("abs", INTS, Promised, Abs),
    ("smin", INTS, Plain(2), Pick("lt", true)),
    ("smax", INTS, Plain(2), Pick("gt", true)),
    ("umin", INTS, Plain(2), Pick("lt", false)),
    ("umax", INTS, Plain(2), Pick("gt", false)),
    ("fshl", INTS, Plain(3), FunnelLeft),
    ("fshr", INTS, Plain(3), FunnelRight),
    ("sadd.with.overflow", INTS, Flagged, Overflow("wrapping_add", "add_overflows", true)),
    ("uadd.with.overflow", INTS, Flagged, Overflow("wrapping_add", "add_overflows", false)),
    ("ssub.with.overflow", INTS, Flagged, Overflow("wrapping_sub", "sub_overflows", true)),
    ("usub.with.overflow", INTS, Flagged, Overflow("wrapping_sub", "sub_overflows", false)),
    ("smul.with.overflow", INTS, Flagged, Overflow("wrapping_mul", "mul_overflows", true)),
    ("umul.with.overflow", INTS, Flagged, Overflow("wrapping_mul", "mul_overflows", false)),
    ("sadd.sat", INTS, Plain(2), Saturate("wrapping_add", "add_overflows", true)),
    ("uadd.sat", INTS, Plain(2), Saturate("wrapping_add", "add_overflows", false)),
    ("ssub.sat", INTS, Plain(2), Saturate("wrapping_sub", "sub_overflows", true)),
    ("usub.sat", INTS, Plain(2), Saturate("wrapping_sub", "sub_overflows", false)),
];

/// An intrinsic at a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intrinsic {
    pub ty: MachineType,
    shape: Shape,
    action: Action,
}

/// Why there is no intrinsic of a name, and what helps.
pub struct Unknown {
    pub message: String,
    pub help: String,
}

/// The type in the name of an intrinsic.
fn suffix(ty: MachineType) -> String {
    match ty {
        MachineType::Int(bits) => format!("i{bits}"),
        MachineType::Float => "f32".to_owned(),
        MachineType::Double => "f64".to_owned(),
    }
}

/// `llvm.sqrt.f64`
pub fn find(name: &str) -> Result<Intrinsic, Unknown> {
    let rest = name.strip_prefix("llvm.").unwrap_or(name);
    let (base, at) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let known = TABLE.iter().find(|(known, ..)| *known == base);
    let message = format!("there is no intrinsic `{name}`");
    if let Some(&(_, types, shape, action)) = known
        && name.starts_with("llvm.")
    {
        if let Some(&ty) = types.iter().find(|&&ty| suffix(ty) == at) {
            return Ok(Intrinsic { ty, shape, action });
        }
        let names: Vec<String> = types.iter().map(|&ty| format!("`llvm.{base}.{}`", suffix(ty))).collect();
        return Err(Unknown { message, help: format!("there are {}", names.join(", ")) });
    }
    if ["memcpy", "memmove", "memset"].iter().any(|word| rest.starts_with(word)) {
        let help = "it works on raw pointers, which the language does not have".to_owned();
        return Err(Unknown { message: format!("the intrinsic `{name}` is not supported"), help });
    }
    let all: Vec<String> = TABLE
        .iter()
        .flat_map(|(base, types, ..)| types.iter().map(move |&ty| format!("llvm.{base}.{}", suffix(ty))))
        .collect();
    let help = match suggest::closest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = TABLE.iter().map(|(base, ..)| *base).collect();
            format!("those that there are: {}; each with its type, like `llvm.sqrt.f64`", names.join(", "))
        }
    };
    Err(Unknown { message, help })
}

impl Intrinsic {
    pub fn params(self) -> Vec<MachineType> {
        match self.shape {
            Plain(count) => vec![self.ty; count],
            Promised => vec![self.ty, MachineType::Int(1)],
            Flagged => vec![self.ty; 2],
        }
    }

    pub fn is_flagged(self) -> bool {
        self.shape == Flagged
    }

    /// `(f64, f64) -> f64`
    fn signature(self) -> String {
        let name = |ty: MachineType| ty.prim().name();
        let params: Vec<&str> = self.params().into_iter().map(name).collect();
        let own = name(self.ty);
        let result = if self.is_flagged() { format!("({own}, Bool)") } else { own.to_owned() };
        format!("({}) -> {result}", params.join(", "))
    }

    /// Emits it. The arguments are those of `params`.
    pub fn emit(self, code: &mut Builder<'_, '_>, args: &[Operand]) -> Outcome {
        let prim = self.ty.prim();
        let first = args[0];
        Outcome::One(match self.action {
            Op(name) => code.op(name, args, prim),
            Count(name) => {
                let count = code.op(name, &[first], Prim::I64);
                code.convert(count, prim)
            }
            Round => {
                // Just below one half: adding one half itself would round 0.49999999999999994 up.
                let half = if prim == Prim::F32 { f64::from(0.499_999_97_f32) } else { 0.499_999_999_999_999_94 };
                let half = code.op("float_copysign", &[Operand::float(half, prim), first], prim);
                let moved = code.op("float_add", &[first, half], prim);
                code.op("float_trunc", &[moved], prim)
            }
            Number(name) => {
                let (left_missing, right_missing) = (code.is_nan(first), code.is_nan(args[1]));
                let both = code.op(name, args, prim);
                let without_right = code.select(right_missing, first, both);
                code.select(left_missing, args[1], without_right)
            }
            Pick(compare, signed) => {
                let first_wins = if signed {
                    code.op(compare, args, Prim::Bool)
                } else {
                    code.unsigned_compare(compare, first, args[1])
                };
                code.select(first_wins, first, args[1])
            }
            Abs => {
                let negative = code.op("lt", &[first, Operand::int(0, prim)], Prim::Bool);
                let negated = code.op("wrapping_neg", &[first], prim);
                code.select(negative, negated, first)
            }
            FunnelLeft | FunnelRight => return Outcome::One(self.funnel(code, args)),
            Overflow(name, overflows, signed) => {
                let (value, flag) = self.overflowing(code, name, overflows, signed, args);
                return Outcome::Flagged(value, flag);
            }
            Saturate(name, overflows, signed) => {
                let (value, flag) = self.overflowing(code, name, overflows, signed, args);
                let limit = 1i128 << (self.ty.bits() - 1);
                let bound = if signed {
                    let negative = code.op("lt", &[first, Operand::int(0, prim)], Prim::Bool);
                    code.select(negative, Operand::int(-limit, prim), Operand::int(limit - 1, prim))
                } else {
                    // All bits, or none.
                    Operand::int(if name == "wrapping_add" { -1 } else { 0 }, prim)
                };
                code.select(flag, bound, value)
            }
        })
    }

    /// The wrapped result, and whether it is wrong.
    fn overflowing(
        self,
        code: &mut Builder<'_, '_>,
        name: &str,
        overflows: &str,
        signed: Signed,
        args: &[Operand],
    ) -> (Operand, Operand) {
        let prim = if signed { self.ty.prim() } else { unsigned(self.ty.prim()) };
        let args = [code.convert(args[0], prim), code.convert(args[1], prim)];
        let value = code.op(name, &args, prim);
        let flag = code.op(overflows, &args, Prim::Bool);
        (code.convert(value, self.ty.prim()), flag)
    }

    /// The upper or lower half of two words, shifted together: a rotation when they are the same.
    fn funnel(self, code: &mut Builder<'_, '_>, args: &[Operand]) -> Operand {
        let prim = self.ty.prim();
        let left = self.action == FunnelLeft;
        let amount = code.shift_amount(args[2]);
        if args[0] == args[1] {
            return code.op(if left { "rotate_left" } else { "rotate_right" }, &[args[0], amount], prim);
        }
        let (one, last) = (Operand::int(1, Prim::I64), Operand::int(i128::from(self.ty.bits()) - 1, Prim::I64));
        // In two steps, each below the width.
        let rest = code.op("wrapping_sub", &[last, amount], Prim::I64);
        let low = code.convert(args[1], unsigned(prim));
        let (high, low) = if left {
            let low = code.op("wrapping_shr", &[low, one], low.prim);
            (code.op("wrapping_shl", &[args[0], amount], prim), code.op("wrapping_shr", &[low, rest], low.prim))
        } else {
            let high = code.op("wrapping_shl", &[args[0], one], prim);
            (code.op("wrapping_shl", &[high, rest], prim), code.op("wrapping_shr", &[low, amount], low.prim))
        };
        let low = code.convert(low, prim);
        code.op("int_or", &[high, low], prim)
    }
}

impl<'a> Checker<'a> {
    /// Is the attribute well formed, and before something that can be an intrinsic? `method`: it is inside of an item.
    pub(crate) fn check_intrinsic_attribute(&mut self, attr: &ast::Attr, item: &ast::Item, method: bool) {
        let problem = match &item.kind {
            ast::ItemKind::Fn(decl) if !method => {
                let sig = &decl.sig;
                let plain = |param: &ast::Param| matches!(&*param.pattern.kind, PatternKind::Bind(_));
                if decl.body.is_some() {
                    Some("an intrinsic has no body: the compiler supplies it")
                } else if !sig.generics.is_empty() || !sig.wheres.is_empty() {
                    Some("an intrinsic has no type parameters")
                } else if sig.self_param.is_some() || sig.name.segments.len() > 1 || decl.is_async {
                    Some("an intrinsic is a plain function")
                } else if !sig.params.iter().all(plain) {
                    Some("the parameters of an intrinsic are plain names")
                } else if intrinsic_name(attr).is_none() {
                    Some("`@intrinsic` takes the name of the intrinsic, as one text")
                } else {
                    None
                }
            }
            _ => Some("`@intrinsic` stands before a function of a module"),
        };
        if let Some(problem) = problem {
            self.report(
                Diagnostic::error(codes::NATIVE_INTRINSIC_SYNTAX, attr.span, problem)
                    .with_help("write `@intrinsic(\"llvm.sqrt.f64\") fn sqrt(x: f64) -> f64 ! {native}`"),
            );
        }
    }

    /// The body of a function marked `@intrinsic`.
    pub(crate) fn build_intrinsic(&mut self, id: FnId, decl: &'a ast::FnDecl, params: &[Ty], ret: Ty, row: u32) {
        let span = decl.sig.name.span;
        let locals: Vec<_> = decl
            .sig
            .params
            .iter()
            .zip(params)
            .map(|(param, &ty)| {
                let name = match &*param.pattern.kind {
                    PatternKind::Bind(name) => Some(name.name),
                    _ => None,
                };
                let local = self.b.local(name, ty, param.span, false);
                (local, self.b.bind_pattern(local, param.span))
            })
            .collect();
        self.b.params = locals.iter().map(|&(_, pattern)| pattern).collect();
        self.b.frames.push(Frame::new(ret, Why::None, row));
        self.effect_event(row, tags::NATIVE, span, What::Text("an intrinsic"));
        self.b.escapes.push(Escape { capability: "native.intrinsic", span });
        let root = match self.declared_intrinsic(id, decl, params, ret) {
            Some(intrinsic) => {
                let mut code = Builder::new(self, span);
                let args: Vec<Operand> = locals
                    .iter()
                    .zip(params)
                    .map(|(&(local, _), &ty)| {
                        let prim = code.cx.machine_prim(ty).unwrap_or(Prim::I64);
                        code.canonical(Operand::local(local, prim))
                    })
                    .collect();
                let result = match intrinsic.emit(&mut code, &args) {
                    Outcome::One(value) => code.returned(value, ret),
                    Outcome::Flagged(value, flag) => {
                        let own = match code.cx.t.head(ret) {
                            Node::Tuple(items) => code.cx.t.at(items, 0),
                            _ => prim_ty(value.prim),
                        };
                        let parts = vec![code.returned(value, own), code.read(flag)];
                        code.cx.b.expr(ExprKind::Tuple(parts), ret, span)
                    }
                };
                code.finish(Some(result), ret)
            }
            None => self.b.error(span),
        };
        self.b.frames.pop();
        self.b.root = Some(root);
    }

    /// The intrinsic that a function is declared to be; `None` when something is wrong, which has been reported.
    fn declared_intrinsic(&mut self, id: FnId, decl: &ast::FnDecl, params: &[Ty], ret: Ty) -> Option<Intrinsic> {
        let attr = self.fns[id].attrs.iter().find(|attr| self.names.text(attr.name.name) == "intrinsic")?;
        let (name, at) = intrinsic_name(attr)?;
        let text = format!("the intrinsic `{}`", self.names.text(self.fns[id].name));
        let enabled = self.native_enabled(&text, attr.span);
        if !self.fns[id].declared.as_ref().is_some_and(|row| row.closed.tags.meets(&tags::NATIVE)) {
            self.report(
                Diagnostic::error(
                    codes::NATIVE_INTRINSIC_EFFECT,
                    decl.sig.span,
                    format!("{text} has the effect `native`, and its declaration does not say so"),
                )
                .with_help("write `! {native}` behind its result type"),
            );
        }
        let intrinsic = match find(name) {
            Ok(intrinsic) => intrinsic,
            Err(unknown) => {
                self.report(
                    Diagnostic::error(codes::NATIVE_INTRINSIC_UNKNOWN, at, unknown.message).with_help(unknown.help),
                );
                return None;
            }
        };
        let result = match (intrinsic.is_flagged(), self.t.head(ret)) {
            (true, Node::Tuple(items)) if items.len == 2 => {
                vec![(self.t.at(items, 0), intrinsic.ty), (self.t.at(items, 1), MachineType::Int(1))]
            }
            (true, _) => Vec::new(),
            (false, _) => vec![(ret, intrinsic.ty)],
        };
        let wanted = intrinsic.params();
        let fits = !result.is_empty()
            && params.len() == wanted.len()
            && params.iter().copied().zip(wanted).chain(result).all(|(ty, wanted)| {
                matches!(self.t.head(ty), Node::Error)
                    || self.machine_prim(ty).and_then(MachineType::of).is_some_and(|found| found == wanted)
            });
        if !fits {
            let found: Vec<String> = params.iter().map(|&ty| self.show(ty)).collect();
            let found = format!("({}) -> {}", found.join(", "), self.show(ret));
            self.report(
                Diagnostic::error(
                    codes::NATIVE_INTRINSIC_SIGNATURE,
                    decl.sig.span,
                    format!("`{name}` is `{}`, declared here as `{found}`", intrinsic.signature()),
                )
                .with_label(at, "the intrinsic")
                .with_help("integers may be signed or unsigned; everything else must be exactly so"),
            );
        }
        (fits && enabled).then_some(intrinsic)
    }
}

impl Builder<'_, '_> {
    /// A value as the type that the program wants of it.
    pub fn returned(&mut self, value: Operand, ty: Ty) -> crate::typed::ExprId {
        let prim = self.cx.machine_prim(ty).unwrap_or(value.prim);
        let value = self.convert(value, prim);
        self.read(value)
    }
}

/// The name of the intrinsic, and where it is.
fn intrinsic_name(attr: &ast::Attr) -> Option<(&str, Span)> {
    match &attr.args[..] {
        [ast::Arg { name: None, value }] => match &*value.kind {
            Ast::Str(name) => Some((name, value.span)),
            _ => None,
        },
        _ => None,
    }
}
