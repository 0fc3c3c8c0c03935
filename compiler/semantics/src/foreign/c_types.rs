//! Which types have values that C can be given?
//!
//! Numbers, `Bool` and pointers; `new` types of these; records, enumerations and unions that are laid out as C does; fixed arrays inside of
//! them. `CType`, the bound of what reads and writes memory, holds for exactly these, and `CFunction` for functions between them. A
//! type that does not fit is explained down to the field that is to blame.

use reml_diagnostics::{Diagnostic, Span, codes};

use crate::cx::*;
use crate::effects::{Bound, What, tags};
use crate::infer::ty::{Instance, Node, Row, RowKind, Ty, Types};
use crate::traits::Solved;
use crate::typed::{CRepr, FnId, TraitId, TypeDefId};
use crate::types::Prim;

/// Values of more parts are not copied across the border.
const MOST_SCALARS: u64 = 4096;

/// Why C cannot be given a type.
pub(super) struct Problem {
    /// The field it lies in, `Outer.inner.name`; empty for the type itself.
    path: Vec<String>,
    /// The type to blame.
    ty: Ty,
    reason: String,
    help: String,
}

impl<'a> Checker<'a> {
    /// Is it a type that C knows? Type parameters are, if `params` is given, which collects them.
    pub(super) fn c_type(&mut self, ty: Ty, params: Option<&mut Vec<Ty>>) -> Result<(), Problem> {
        let mut walk = Walk { inside: Vec::new(), path: Vec::new(), params, scalars: 0 };
        self.walk_c_type(ty, &mut walk)
    }

    fn walk_c_type(&mut self, ty: Ty, walk: &mut Walk<'_>) -> Result<(), Problem> {
        let ty = self.t.resolve(ty);
        match self.t.get(ty) {
            Node::Error => Ok(()),
            Node::Prim(Prim::Char) => Err(walk.problem(
                ty,
                "not every number that C may give is a character",
                "use `u32`, and `Char.from_u32` for what comes back",
            )),
            Node::Prim(Prim::Str) => Err(walk.problem(
                ty,
                "C's strings end with a zero byte, and texts of Reml do not",
                "pass the `Ptr<u8>` that `with_c_string` gives, and read one with `from_c`, both of `Core.Unsafe.Ptr`",
            )),
            Node::Prim(Prim::Never) => Err(walk.problem(ty, "it has no values", "`Never` can only be a result")),
            Node::Prim(_) => walk.count(ty, 1),
            Node::Param(_) => match &mut walk.params {
                Some(params) => {
                    params.push(ty);
                    Ok(())
                }
                None => Err(walk.problem(ty, "nothing says that C knows it", "add the bound `CType`")),
            },
            Node::Fixed(element, len) if !walk.inside.is_empty() => {
                let before = walk.scalars;
                self.walk_c_type(element, walk)?;
                let each = walk.scalars - before;
                walk.count(ty, each.saturating_mul(u64::from(len).saturating_sub(1)))
            }
            Node::Fixed(..) => Err(walk.problem(
                ty,
                "C passes arrays by the address of their first element",
                "use `Ptr<T>`, or `&[T]` for a parameter",
            )),
            Node::Array(_) => Err(walk.problem(
                ty,
                "arrays that grow are objects of Reml's",
                "use `&[T]` or `&mut [T]` for a parameter, `Ptr<T>` elsewhere, `[T; N]` for an array inside of a record",
            )),
            Node::Tuple(_) => Err(walk.problem(ty, "C has no tuples", "declare a record with `@repr(C)`")),
            Node::Record { .. } => Err(walk.problem(
                ty,
                "the fields of such a record have no order",
                "declare it: `@repr(C) struct Name { .. }`",
            )),
            Node::Fn { .. } => Err(walk.problem(
                ty,
                "C cannot call a function of Reml's as it is",
                "use `FnPtr<(A, B), R>`, which `bind_fn_ptr` makes of a function",
            )),
            Node::Ref { .. } => Err(walk.problem(ty, "a reference can only be a parameter", "use `Ptr<T>`")),
            Node::Cell(_) => Err(walk.problem(ty, "it is an object of Reml's", "use a pointer")),
            Node::Var(_) => Ok(()),
            Node::Adt(def, args, row) => {
                if walk.inside.contains(&def) {
                    return Err(walk.problem(ty, "it would contain itself", "put a `Ptr` between"));
                }
                let args: Vec<Ty> = args.range().map(|i| self.t.at(args, i)).collect();
                walk.inside.push(def);
                let result = self.walk_declared(ty, def, &args, row, walk);
                walk.inside.pop();
                result
            }
        }
    }

    fn walk_declared(
        &mut self,
        ty: Ty,
        def: TypeDefId,
        args: &[Ty],
        row: Row,
        walk: &mut Walk<'_>,
    ) -> Result<(), Problem> {
        let name = self.names.text(self.adts[def].name).to_owned();
        let rows = [row];
        match (&self.adts[def].kind, self.adts[def].repr.clone()) {
            (AdtKind::Newtype(_), Some(CRepr::Union)) => {
                let members: Vec<Ty> = match self.t.head(args[0]) {
                    Node::Record { fields, .. } => fields.range().map(|i| self.t.at(fields, i)).collect(),
                    Node::Tuple(items) => items.range().map(|i| self.t.at(items, i)).collect(),
                    _ => Vec::new(),
                };
                if members.is_empty() && !matches!(self.t.head(args[0]), Node::Var(_) | Node::Error | Node::Param(_)) {
                    let help = "write `Union<{ i: i64, d: f64 }>`";
                    return Err(walk.problem(ty, "a union is described by the record of its members", help));
                }
                members.into_iter().try_for_each(|member| self.walk_c_type(member, walk))
            }
            (&AdtKind::Newtype(inner), _) => {
                let inner = self.t.instantiate(inner, &Instance { args, rows: &rows });
                // What it is made of is nobody's business: the type itself is to blame.
                self.walk_c_type(inner, walk).map_err(|problem| Problem { ty, ..problem })
            }
            (AdtKind::Record(fields), Some(CRepr::Record { .. })) => {
                let fields = fields.clone();
                for field in fields {
                    let field_ty = self.t.instantiate(field.ty, &Instance { args, rows: &rows });
                    let field_name = field.name.map_or(String::new(), |name| self.names.text(name).to_owned());
                    walk.path.push(field_name);
                    self.walk_c_type(field_ty, walk)?;
                    walk.path.pop();
                }
                Ok(())
            }
            (AdtKind::Sum(_), Some(_)) => walk.count(ty, 1),
            (AdtKind::Record(fields), None) if fields.is_empty() => Err(walk.problem(
                ty,
                "it has no fields",
                &format!("`{name}` can stand behind a pointer: `Ptr<{name}>`"),
            )),
            (AdtKind::Record(_), _) => Err(walk.problem(
                ty,
                "Reml orders its fields as it likes",
                &format!("write `@repr(C)` before the declaration of `{name}`"),
            )),
            (AdtKind::Sum(variants), None) if variants.iter().all(|variant| variant.fields.is_empty()) => Err(walk
                .problem(
                    ty,
                    "nothing says which integers stand for its variants",
                    &format!("write `@repr(C)` before the declaration of `{name}`, or `@repr(u8)`"),
                )),
            _ => Err(walk.problem(ty, "it is an object of Reml's", "use a type that C has, or a `Ptr`")),
        }
    }

    /// Solves `T: CType`.
    pub fn solve_c_type(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        let mut params = Vec::new();
        match self.c_type(subject, Some(&mut params)) {
            Ok(()) => {
                for param in params {
                    let part = TraitRefTy { args: vec![param], ..reference.clone() };
                    self.require(part, reference.span);
                }
                Solved::Yes
            }
            Err(problem) => {
                self.report_c_type(problem, reference.span, None, None);
                Solved::No
            }
        }
    }

    /// Solves `F: CFunction<Args, Ret>`, where `F` is a function: tells what its parameters and its result are. Whoever makes a callback answers
    /// for what it does, since nobody knows when C calls it.
    pub fn solve_c_function(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        let Some((args, ret, row)) = self.function_parts(subject) else {
            return self.no_function(reference, subject, "C cannot call a");
        };
        if let Some(target) = self.without_callbacks() {
            let message = format!("C cannot be given functions of the program on {target}");
            self.error_once(
                Diagnostic::error(codes::FFI_CONTRACT_ABI, reference.span, message)
                    .with_primary_label("this makes a callback")
                    .with_help("callbacks can be made for Linux on x86-64; write what needs them under `@cfg`"),
            );
            return Solved::No;
        }
        if self.t.unify(reference.args[1], args).is_err() || self.t.unify(reference.args[2], ret).is_err() {
            self.report_missing_impl(reference, subject);
            return Solved::No;
        }
        let own = self.b.row();
        self.row_flows(row, own, reference.span);
        self.solve_c_arguments(reference, args);
        self.solve_c_result(reference, ret);
        Solved::Yes
    }

    /// The target, if the runtime has no thunks for it.
    fn without_callbacks(&self) -> Option<String> {
        let values = &self.options.target.values;
        match (values.get("target_arch")?.as_str(), values.get("target_os")?.as_str()) {
            ("x86_64", "linux") => None,
            (arch, os) => Some(format!("`{arch}` with `{os}`")),
        }
    }

    /// Solves `F: FfiFunction<Args, Ret, E>`: `F` is a function of the parameters `Args` that gives a `Result<Ret, E>`, and calls C.
    pub fn solve_ffi_function(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        let Some((args, ret, row)) = self.function_parts(subject) else {
            return self.no_function(reference, subject, "a wrapped foreign function is no");
        };
        let Some(result) = self.lang.result else { return Solved::No };
        let wanted = self.t.adt(result, &[reference.args[2], reference.args[3]], Row::NONE);
        if self.t.unify(reference.args[1], args).is_err() || self.t.unify(wanted, ret).is_err() {
            let (found, wanted) = (self.show(ret), self.show(wanted));
            self.error_once(
                Diagnostic::error(
                    codes::FFI_SIGNATURE_INVALID,
                    reference.span,
                    format!("a wrapped foreign function cannot give `{found}`"),
                )
                .with_primary_label(format!("it gives `{wanted}`"))
                .with_help("handle the error where it is called: write `?`, or `match`"),
            );
            return Solved::No;
        }
        let called = What::Text("the foreign function that it calls");
        match row.kind() {
            RowKind::Var(row) => self.effect_event(row, tags::FFI, reference.span, called),
            RowKind::Const(index) => {
                let allowed = self.t.rows.constant_tags(index).clone();
                let row = self.t.rows.fresh();
                self.t.rows.bounds.push(Bound { row, allowed, span: reference.span });
                self.effect_event(row, tags::FFI, reference.span, called);
            }
            _ => {}
        }
        Solved::Yes
    }

    /// Solves `Args: CArguments`: a type that C knows, a tuple of such, or `()`.
    pub fn solve_c_arguments(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        for part in self.parts_of_arguments(subject) {
            self.require_c_type(part, reference.span);
        }
        Solved::Yes
    }

    /// Solves `Args: FfiArguments`: the same, or texts among them.
    pub fn solve_ffi_arguments(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        for part in self.parts_of_arguments(subject) {
            if self.t.head(part) != Node::Prim(Prim::Str) {
                self.require_c_type(part, reference.span);
            }
        }
        Solved::Yes
    }

    fn parts_of_arguments(&mut self, args: Ty) -> Vec<Ty> {
        match self.t.head(args) {
            Node::Tuple(items) => items.range().map(|i| self.t.at(items, i)).collect(),
            _ => vec![args],
        }
    }

    /// Solves `Ret: CResult`: a type that C knows, or `()`.
    pub fn solve_c_result(&mut self, reference: &TraitRefTy, subject: Ty) -> Solved {
        if self.t.resolve(subject) != Types::UNIT {
            self.require_c_type(subject, reference.span);
        }
        Solved::Yes
    }

    /// What is not known of a foreign function whose signature is a value, and what to do about it.
    pub fn untold_foreign(&self, trait_: TraitId) -> Option<(String, &'static str)> {
        let traits = &self.lang_traits;
        match Some(trait_) {
            trait_ if trait_ == traits.c_result => Some((
                "nothing tells the type of what this foreign function gives".to_owned(),
                "annotate the function, `let f: (f64) -> Result<f64, FfiError> = ..`, or what its result is bound to",
            )),
            trait_ if [traits.c_arguments, traits.ffi_arguments, traits.ffi_function].contains(&trait_) => Some((
                "nothing tells the type of this foreign function".to_owned(),
                "annotate it: `let f: (f64) -> Result<f64, FfiError> = ..`",
            )),
            _ => None,
        }
    }

    fn require_c_type(&mut self, ty: Ty, span: Span) {
        if let Some(trait_) = self.lang_traits.c_type {
            self.require(TraitRefTy { trait_, args: vec![ty], span }, span);
        }
    }

    /// The parameters of a function type as a tuple (the parameter itself, when there is one), its result and its effects.
    fn function_parts(&mut self, ty: Ty) -> Option<(Ty, Ty, Row)> {
        let Node::Fn { sig, row } = self.t.get(ty) else { return None };
        let count = sig.len as usize - 1;
        let params: Vec<Ty> = (0..count).map(|i| self.t.at(sig, i)).collect();
        let args = match params.as_slice() {
            [] => Types::UNIT,
            &[only] => only,
            several => self.t.tuple(several),
        };
        Some((args, self.t.at(sig, count), row))
    }

    fn no_function(&mut self, reference: &TraitRefTy, subject: Ty, cannot: &str) -> Solved {
        let message = format!("{cannot} `{}`", self.show(subject));
        self.error_once(
            Diagnostic::error(codes::FFI_SIGNATURE_INVALID, reference.span, message)
                .with_primary_label("a function is wanted here"),
        );
        Solved::No
    }

    /// `what`: what the type is of, `the parameter `x` of `f``; `owner`: the function whose type parameters it mentions.
    pub(super) fn report_c_type(&mut self, problem: Problem, span: Span, what: Option<String>, owner: Option<FnId>) {
        let shown = match owner {
            Some(owner) => self.show_in(problem.ty, owner),
            None => self.show(problem.ty),
        };
        let subject = match (what, problem.path.is_empty()) {
            (Some(what), true) => format!("{what} is `{shown}`, which C cannot be given"),
            (Some(what), false) => {
                format!("{what} has a field `{}` of type `{shown}`, which C cannot be given", problem.path.join("."))
            }
            (None, true) => format!("C cannot be given a `{shown}`"),
            (None, false) => format!("C cannot be given the field `{}` of type `{shown}`", problem.path.join(".")),
        };
        self.error_once(
            Diagnostic::error(codes::FFI_SIGNATURE_INVALID, span, subject)
                .with_primary_label(problem.reason)
                .with_help(problem.help),
        );
    }

    /// The fields of `@repr(C)` records are types that C knows.
    pub(super) fn check_c_records(&mut self) {
        let ids: Vec<TypeDefId> = self.adts.keys().collect();
        for id in ids {
            let info = &self.adts[id];
            if !matches!(info.repr, Some(CRepr::Record { .. })) {
                continue;
            }
            let AdtKind::Record(fields) = &info.kind else { continue };
            let fields = fields.clone();
            let name = self.names.text(info.name).to_owned();
            for field in fields {
                let mut params = Vec::new();
                let mut walk = Walk { inside: vec![id], path: Vec::new(), params: Some(&mut params), scalars: 0 };
                if let Err(problem) = self.walk_c_type(field.ty, &mut walk) {
                    let field_name = field.name.map_or("", |name| self.names.text(name));
                    let what = format!("the field `{field_name}` of `{name}`");
                    self.report_c_type(problem, field.span, Some(what), None);
                }
            }
        }
    }
}

struct Walk<'w> {
    inside: Vec<TypeDefId>,
    path: Vec<String>,
    params: Option<&'w mut Vec<Ty>>,
    scalars: u64,
}

impl Walk<'_> {
    fn problem(&self, ty: Ty, reason: &str, help: &str) -> Problem {
        Problem { path: self.path.clone(), ty, reason: reason.to_owned(), help: help.to_owned() }
    }

    fn count(&mut self, ty: Ty, scalars: u64) -> Result<(), Problem> {
        self.scalars = self.scalars.saturating_add(scalars);
        if self.scalars <= MOST_SCALARS {
            return Ok(());
        }
        let reason = format!("it would be copied as more than {MOST_SCALARS} numbers");
        Err(self.problem(ty, &reason, "leave it in memory, behind a `Ptr`"))
    }
}
