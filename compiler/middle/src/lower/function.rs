//! How is one function's body lowered as a whole: parameters, results, `defer`, and the environment of its locals.
//!
//! A local is bound to an atom (immutable, or the current value of a `var`), to a heap cell (a `var` that a lambda
//! captures), or to a local function whose code is known. Assigning rebinds; where control meets again, the join
//! point gets a parameter for each local that was assigned on the way ([`super::control`]).

use std::rc::Rc;

use cranelift_entity::SecondaryMap;
use reml_diagnostics::Span;
use reml_semantics::typed::{self, Body, ExprId, FnId, LocalId, PatternId, PatternKind};
use reml_semantics::types::{Type, TypeId};
use rustc_hash::FxHashMap;

use super::Lower;
use super::analysis::BodyInfo;
use super::build::FunctionBuilder;
use super::closure::KnownFn;
use super::control::LoopContext;
use crate::core::{Atom, End, FuncId, Mode, Op, Stmt, Var};
use crate::prim::PrimOp;

#[derive(Clone, Copy, Default, Debug)]
pub enum Binding {
    #[default]
    Unbound,
    Value(Atom),
    Cell(Atom),
    /// Index into [`FnLower::known`].
    Known(usize),
}

/// A `&mut` parameter: returned beside the result.
#[derive(Clone, Copy)]
pub enum Out {
    Local(LocalId),
    /// Nobody can assign it.
    Fixed(Atom),
}

/// What belongs to the function or lambda being written, as opposed to the body it is part of.
pub struct FnContext {
    /// Core type of the result, `outs` included.
    pub full_ret: TypeId,
    pub outs: Vec<Out>,
    /// Deferred code of the blocks around the cursor that have some; outermost first.
    pub scopes: Vec<Vec<ExprId>>,
    pub loops: Vec<LoopContext>,
    pub code: FunctionBuilder,
}

impl FnContext {
    pub fn new(full_ret: TypeId) -> Self {
        FnContext {
            full_ret,
            outs: Vec::new(),
            scopes: Vec::new(),
            loops: Vec::new(),
            code: FunctionBuilder::default(),
        }
    }
}

/// Lowers one instance of one body.
pub struct FnLower<'l, 'a> {
    pub l: &'l mut Lower<'a>,
    pub body: &'a Body,
    pub info: Rc<BodyInfo>,
    /// Concrete source types for the body's generics.
    args: Vec<TypeId>,
    /// Types of the body at `args`: source and Core.
    types: FxHashMap<TypeId, (TypeId, TypeId)>,
    env: SecondaryMap<LocalId, Binding>,
    pub known: Vec<KnownFn>,
    pub cx: FnContext,
    /// Name of the instance, for its lambdas.
    pub name: Box<str>,
    pub lambdas: u32,
}

impl<'l, 'a> FnLower<'l, 'a> {
    pub fn new(l: &'l mut Lower<'a>, body: &'a Body, info: Rc<BodyInfo>, args: Vec<TypeId>) -> Self {
        let unit = l.types.unit();
        FnLower {
            l,
            body,
            info,
            args,
            types: FxHashMap::default(),
            env: SecondaryMap::new(),
            known: Vec::new(),
            cx: FnContext::new(unit),
            name: "".into(),
            lambdas: 0,
        }
    }

    /// Writes the instance `func` of `id`.
    pub fn function(mut self, func: FuncId, id: FnId) {
        self.name = self.l.funcs[func].name.clone();
        let signature = self.l.signature(func);
        self.cx.full_ret = signature.ret;
        let span = self.l.src.fns[id].span;
        let params: Vec<PatternId> = self.body.params.clone();
        let vars = self.params(&params, span);
        self.tail_in_scope(&params, self.body.root);
        let modes: Vec<Mode> = signature.params.iter().map(|&(_, mode)| mode).collect();
        let code = std::mem::take(&mut self.cx.code);
        self.l.fill(func, vars, 0, modes, code);
    }

    /// Writes the initialiser `func` of a global.
    pub fn global(mut self, func: FuncId, _id: typed::GlobalId) {
        self.name = self.l.funcs[func].name.clone();
        self.cx.full_ret = self.l.funcs[func].ret;
        self.tail(self.body.root);
        let code = std::mem::take(&mut self.cx.code);
        self.l.fill(func, Vec::new(), 0, Vec::new(), code);
    }

    /// Makes variables for parameters, binds their patterns and notes which must be returned.
    pub fn params(&mut self, patterns: &[PatternId], span: Span) -> Vec<Var> {
        let mut vars = Vec::with_capacity(patterns.len());
        for &pattern in patterns {
            let ty = self.core(self.body.patterns[pattern].ty);
            let span = if self.body.patterns[pattern].span.is_none() { span } else { self.body.patterns[pattern].span };
            vars.push(self.cx.code.var(ty, span));
        }
        for (&pattern, &var) in patterns.iter().zip(&vars) {
            let source = self.source(self.body.patterns[pattern].ty);
            if self.l.is_mut_ref(source) {
                let out = match self.body.patterns[pattern].kind {
                    PatternKind::Bind(local, None) => Out::Local(local),
                    _ => Out::Fixed(Atom::Var(var)),
                };
                self.cx.outs.push(out);
            }
            self.bind_pattern(pattern, Atom::Var(var));
        }
        vars
    }

    /// Binds generics from number `first` on, for a part of the body; gives what was bound before.
    pub fn with_generics(&mut self, first: u32, args: &[TypeId]) -> (Vec<TypeId>, FxHashMap<TypeId, (TypeId, TypeId)>) {
        let mut all = self.args.clone();
        all.resize(first as usize, self.l.types.unit());
        all.extend_from_slice(args);
        (std::mem::replace(&mut self.args, all), std::mem::take(&mut self.types))
    }

    pub fn restore_generics(&mut self, (args, types): (Vec<TypeId>, FxHashMap<TypeId, (TypeId, TypeId)>)) {
        self.args = args;
        self.types = types;
    }

    // Types ---------------------------------------------------------------------------------------

    fn both(&mut self, ty: TypeId) -> (TypeId, TypeId) {
        if self.args.is_empty() {
            return (ty, self.l.core_type(ty));
        }
        if let Some(&known) = self.types.get(&ty) {
            return known;
        }
        let source = self.l.types.substitute(ty, &self.args);
        let core = self.l.core_type(source);
        self.types.insert(ty, (source, core));
        (source, core)
    }

    /// A type of the body, at this instance's arguments.
    pub fn source(&mut self, ty: TypeId) -> TypeId {
        self.both(ty).0
    }

    /// Its Core type.
    pub fn core(&mut self, ty: TypeId) -> TypeId {
        self.both(ty).1
    }

    pub fn expr_source(&mut self, expr: ExprId) -> TypeId {
        self.source(self.body.exprs[expr].ty)
    }

    pub fn expr_core(&mut self, expr: ExprId) -> TypeId {
        self.core(self.body.exprs[expr].ty)
    }

    /// Does the result of this type carry no information?
    pub fn is_void(&self, core: TypeId) -> bool {
        self.l.types.is_unit(core) || self.l.types.is_never(core)
    }

    // Code ----------------------------------------------------------------------------------------

    pub fn is_open(&self) -> bool {
        self.cx.code.cursor.is_open()
    }

    /// `let v = op`; `()` needs no variable to be read.
    pub fn emit(&mut self, ty: TypeId, op: Op, span: Span) -> Atom {
        let var = self.cx.code.emit(ty, op, span);
        if self.l.types.is_unit(ty) { Atom::Unit } else { Atom::Var(var) }
    }

    pub fn end(&mut self, end: End) {
        self.cx.code.end(end);
    }

    pub fn unit(&self) -> TypeId {
        self.l.types.unit()
    }

    pub fn i64(&self) -> TypeId {
        self.l.types.prim(reml_semantics::types::Prim::I64)
    }

    pub fn bool(&self) -> TypeId {
        self.l.types.prim(reml_semantics::types::Prim::Bool)
    }

    pub fn int(&self, value: i64) -> Atom {
        Atom::Int(i128::from(value), self.i64())
    }

    /// Control cannot go on: the program panics with `message`.
    pub fn panic(&mut self, message: &str, span: Span) {
        let text = self.l.string(message);
        let never = self.l.types.prim(reml_semantics::types::Prim::Never);
        self.cx.code.emit(never, Op::Prim(PrimOp::Panic, vec![Atom::Str(text)]), span);
        self.end(End::Unreachable);
    }

    // Locals --------------------------------------------------------------------------------------

    pub fn binding(&self, local: LocalId) -> Binding {
        self.env[local]
    }

    pub fn rebind(&mut self, local: LocalId, binding: Binding) {
        self.env[local] = binding;
    }

    pub fn local_text(&self, local: LocalId) -> Option<&'a str> {
        let names = self.l.names;
        self.body.locals[local].name.map(|name| names.text(name))
    }

    pub fn local_core(&mut self, local: LocalId) -> TypeId {
        self.core(self.body.locals[local].ty)
    }

    /// Declares `local` with its first value.
    pub fn bind_local(&mut self, local: LocalId, value: Atom) {
        let declared = &self.body.locals[local];
        if declared.boxed {
            let inner = self.core(declared.ty);
            let cell = self.l.types.intern(Type::VarCell(inner));
            let cell = self.emit(cell, Op::Prim(PrimOp::CellNew, vec![value]), declared.span);
            self.name_atom(local, cell);
            self.env[local] = Binding::Cell(cell);
        } else {
            self.name_atom(local, value);
            self.env[local] = Binding::Value(value);
        }
    }

    /// Gives a temporary the name of the local it became.
    fn name_atom(&mut self, local: LocalId, value: Atom) {
        if let (Atom::Var(var), Some(name)) = (value, self.local_text(local)) {
            let info = &mut self.cx.code.vars[var];
            if info.name.is_none() {
                info.name = Some(name.into());
            }
        }
    }

    /// The binding of a local; one that stands for a `var` of a module is in that one's cell.
    pub fn place_binding(&mut self, local: LocalId, span: Span) -> Binding {
        match self.body.locals[local].global {
            Some(global) => Binding::Cell(self.global_value(global, span)),
            None => self.env[local],
        }
    }

    /// The current value of a local.
    pub fn read(&mut self, local: LocalId, span: Span) -> Atom {
        match self.place_binding(local, span) {
            Binding::Value(atom) => atom,
            Binding::Cell(cell) => {
                let ty = self.local_core(local);
                self.emit(ty, Op::Prim(PrimOp::CellGet, vec![cell]), span)
            }
            Binding::Known(index) => self.closure_of_known(index, span),
            Binding::Unbound => {
                let name = self.local_text(local).unwrap_or("a temporary").to_owned();
                self.l.unsupported(span, format!("internal error: `{name}` is used before it has a value"));
                Atom::Unit
            }
        }
    }

    /// Assigns a whole local.
    pub fn write(&mut self, local: LocalId, value: Atom, span: Span) {
        match self.place_binding(local, span) {
            Binding::Cell(cell) => {
                let unit = self.unit();
                self.emit(unit, Op::Prim(PrimOp::CellSet, vec![cell, value]), span);
            }
            _ => {
                self.name_atom(local, value);
                self.env[local] = Binding::Value(value);
            }
        }
    }

    // Results -------------------------------------------------------------------------------------

    /// Leaves the function with `value`: runs what is deferred, then returns.
    pub fn return_value(&mut self, value: Atom, span: Span) {
        self.run_defers(0);
        if !self.is_open() {
            return;
        }
        if self.cx.outs.is_empty() {
            return self.end(End::Return(value));
        }
        let mut args = vec![value];
        for out in self.cx.outs.clone() {
            args.push(match out {
                Out::Local(local) => self.read(local, span),
                Out::Fixed(atom) => atom,
            });
        }
        let ty = self.cx.full_ret;
        if self.l.types.is_never(ty) {
            return self.end(End::Unreachable);
        }
        let result = self.emit(ty, Op::Construct { variant: 0, args, token: None }, span);
        self.end(End::Return(result));
    }

    /// Runs the deferred code of the scopes from the innermost out to, and including, number `depth`. The scopes stay
    /// registered: other paths leave them too.
    pub fn run_defers(&mut self, depth: usize) {
        if self.cx.scopes.len() <= depth {
            return;
        }
        let saved = self.cx.scopes.clone();
        while self.cx.scopes.len() > depth && self.is_open() {
            let Some(deferred) = self.cx.scopes.last_mut().and_then(Vec::pop) else {
                self.cx.scopes.pop();
                continue;
            };
            let unit = self.unit();
            let span = self.body.exprs[deferred].span;
            self.cx.code.emit(unit, Op::Prim(PrimOp::DeferPop, Vec::new()), span);
            self.value(deferred);
        }
        self.cx.scopes = saved;
    }

    /// Registers deferred code with the block around the cursor.
    pub fn defer(&mut self, expr: ExprId) {
        let span = self.body.exprs[expr].span;
        let closure = self.deferred_closure(expr);
        let unit = self.unit();
        self.cx.code.emit(unit, Op::Prim(PrimOp::DeferPush, vec![closure]), span);
        match self.cx.scopes.last_mut() {
            Some(scope) => scope.push(expr),
            None => self.cx.scopes.push(vec![expr]),
        }
    }

    /// A statement whose result nobody reads.
    pub fn push(&mut self, stmt: Stmt) {
        self.cx.code.cursor.push(stmt);
    }
}
