//! Which Core functions does the program need, and what are they called?
//!
//! An instance is a function at concrete type arguments. Asking for one reserves its id and puts it on the worklist, so
//! neither recursion nor call depth matters here.

use std::rc::Rc;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::typed::{self, FnId, FnKind, InlineHint};
use reml_semantics::types::{Prim, Type, TypeId};

use super::analysis::BodyInfo;
use super::build::FunctionBuilder;
use super::derive::Derived;
use super::foreign::CCode;
use super::function::FnLower;
use super::{Lower, MethodTarget};
use crate::core::{
    Atom, Block, Callee, End, FuncId, Function, Global, GlobalId, Inline, Mode, Op, RuntimeFn, RuntimeId, Var,
};
use crate::prim::{PrimOp, TARGET_DESCRIPTION, TYPE_KEY};

/// How deeply type arguments may nest before an instance is taken for polymorphic recursion.
const MAX_TYPE_DEPTH: usize = 60;
/// How many types a type argument may consist of before the same.
const MAX_TYPE_SIZE: usize = 1_000;
/// How many instances one function may have before the same is suspected.
const MAX_INSTANCES: u32 = 20_000;

/// What a caller must know of a function; Core types.
#[derive(Clone, PartialEq)]
pub struct Signature {
    pub params: Vec<(TypeId, Mode)>,
    /// What it returns in Core: `&mut` parameters included.
    pub ret: TypeId,
}

/// Code still to be written.
pub enum Work {
    Instance(FuncId, FnId, Vec<TypeId>),
    Global(FuncId, typed::GlobalId),
    Derived(FuncId, Derived, TypeId),
}

/// Functions made so that something else can be a value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum WrapperKey {
    /// A function that cannot be called through a closure itself.
    Fn(FnId, TypeId),
    /// A constructor, by its Core type and variant.
    Constructor(TypeId, u32),
    /// The code of a C callback, by the tuple of the function's type, its arguments and its result.
    Callback(TypeId),
    /// A function that hands its arguments on as a tuple, by the tuple of its type and that of the function it calls.
    Spread(TypeId),
}

impl<'a> Lower<'a> {
    /// Lowers what has been asked for until nothing is left.
    pub fn drain(&mut self) {
        while let Some(work) = self.worklist.pop() {
            match work {
                Work::Instance(func, id, args) => {
                    let def = &self.src.fns[id];
                    if let FnKind::Reml(body) = &def.kind {
                        self.note_escapes(body, def.module, &def.path);
                        let info = self.info(id, body);
                        FnLower::new(self, body, info, args).function(func, id);
                    }
                }
                Work::Global(func, id) => {
                    let def = &self.src.globals[id];
                    let body = &def.body;
                    self.note_escapes(body, def.module, &def.path);
                    let info = Rc::new(BodyInfo::of(body, &self.src.types));
                    FnLower::new(self, body, info, Vec::new()).global(func, id);
                }
                Work::Derived(func, derived, ty) => self.write_derived(func, derived, ty),
            }
        }
    }

    fn info(&mut self, id: FnId, body: &typed::Body) -> Rc<BodyInfo> {
        self.infos.entry(id).or_insert_with(|| Rc::new(BodyInfo::of(body, &self.src.types))).clone()
    }

    /// The instance of a function with a Reml body at concrete source types.
    pub fn instance(&mut self, id: FnId, args: &[TypeId]) -> FuncId {
        let def = &self.src.fns[id];
        let mut args = args.to_vec();
        args.resize(def.arity as usize, self.types.unit());
        let key = (id, self.types.intern(Type::Tuple(args.as_slice().into())));
        if let Some(&func) = self.instances.get(&key) {
            return func;
        }
        let mut name = String::from(&*def.path);
        self.write_args(&args, &mut name);
        let signature = self.signature_of(id, &args);
        let inline = match def.inline {
            InlineHint::Auto => Inline::Auto,
            InlineHint::Always => Inline::Always,
            InlineHint::Never => Inline::Never,
            InlineHint::Once => Inline::Once,
        };
        let func = self.reserve(&name, def.span, signature, inline);
        self.instances.insert(key, func);
        self.instance_counts[id] += 1;
        if self.instance_counts[id] > MAX_INSTANCES || args.iter().any(|&arg| self.is_excessive(arg)) {
            self.polymorphic_recursion(id, def.span);
        } else {
            self.worklist.push(Work::Instance(func, id, args));
        }
        func
    }

    fn polymorphic_recursion(&mut self, id: FnId, span: Span) {
        if self.diagnostics.iter().any(|d| d.code == codes::TYPE_POLYMORPHIC_RECURSION && d.primary == span) {
            return;
        }
        let name = self.names.text(self.src.fns[id].name);
        self.diagnostics.push(
            Diagnostic::error(
                codes::TYPE_POLYMORPHIC_RECURSION,
                span,
                format!("`{name}` is used at an endless number of different types"),
            )
            .with_primary_label("each call of it needs a copy for a larger type")
            .with_note("generic functions are compiled once per type they are used at")
            .with_help("call it recursively at the same type, or put the varying part behind a data type"),
        );
    }

    /// Whether a type is larger than any program means it to be. Types share their parts, so the written-out type may be
    /// exponentially larger than its depth.
    fn is_excessive(&self, ty: TypeId) -> bool {
        let mut budget = MAX_TYPE_SIZE;
        self.measure(ty, MAX_TYPE_DEPTH, &mut budget).is_none()
    }

    /// Takes the type's nodes off the budget; `None` when it, or the depth, is used up.
    fn measure(&self, ty: TypeId, depth: usize, budget: &mut usize) -> Option<()> {
        *budget = budget.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        match self.types.get(ty) {
            Type::Prim(_) | Type::Param(_) | Type::Error => Some(()),
            Type::Tuple(items) | Type::Adt(_, items) => {
                items.iter().try_for_each(|&item| self.measure(item, depth, budget))
            }
            Type::Record(fields) => fields.iter().try_for_each(|&(_, ty)| self.measure(ty, depth, budget)),
            Type::Fn { params, ret } => {
                params.iter().try_for_each(|&param| self.measure(param, depth, budget))?;
                self.measure(*ret, depth, budget)
            }
            Type::Array(inner) | Type::FixedArray(inner, _) | Type::VarCell(inner) | Type::Ref { inner, .. } => {
                self.measure(*inner, depth, budget)
            }
        }
    }

    fn write_args(&self, args: &[TypeId], name: &mut String) {
        if args.is_empty() {
            return;
        }
        name.push('<');
        for (i, &arg) in args.iter().enumerate() {
            name.push_str(if i == 0 { "" } else { ", " });
            name.push_str(&self.type_text(arg));
        }
        name.push('>');
    }

    /// A name nobody else has.
    fn unique(&mut self, name: &str) -> Box<str> {
        if let Some(count) = self.function_names.get_mut(name) {
            *count += 1;
            let again = format!("{name}'{count}");
            return self.unique(&again);
        }
        self.function_names.insert(name.into(), 1);
        name.into()
    }

    /// A function to be written later.
    pub fn reserve(&mut self, name: &str, span: Span, signature: Signature, inline: Inline) -> FuncId {
        let name = self.unique(name);
        let func = self.funcs.push(Function {
            name,
            span,
            params: Vec::new(),
            captures: 0,
            modes: Vec::new(),
            ret: signature.ret,
            vars: Default::default(),
            joins: Default::default(),
            body: Block::new(Vec::new(), End::Unreachable),
            inline,
            consuming: None,
            roots: Default::default(),
        });
        self.signatures[func] = Some(Rc::new(signature));
        func
    }

    /// Fills in a reserved function.
    pub fn fill(&mut self, func: FuncId, params: Vec<Var>, captures: usize, modes: Vec<Mode>, code: FunctionBuilder) {
        let function = &mut self.funcs[func];
        function.params = params;
        function.captures = captures;
        function.modes = modes;
        function.vars = code.vars;
        function.joins = code.joins;
        function.body = code.cursor.finish_or_unreachable();
    }

    pub fn signature(&self, func: FuncId) -> Rc<Signature> {
        self.signatures[func].clone().expect("every reserved function has a signature")
    }

    fn signature_of(&mut self, id: FnId, args: &[TypeId]) -> Signature {
        let def = &self.src.fns[id];
        let mut sources = Vec::with_capacity(def.params.len());
        for param in &def.params {
            sources.push(self.types.substitute(param.ty, args));
        }
        let ret = self.types.substitute(def.ret, args);
        let ret = self.core_return(ret, &sources);
        let params = sources
            .into_iter()
            .map(|ty| {
                let mode = match self.types.get(ty) {
                    Type::Ref { mutable: false, .. } => Mode::Borrowed,
                    _ => Mode::Owned,
                };
                (self.core_type(ty), mode)
            })
            .collect();
        Signature { params, ret }
    }

    /// What a primitive gives that is no operation, since lowering knows the answer.
    pub fn known_answer(&mut self, name: &str, args: &[TypeId]) -> Option<Atom> {
        match name {
            TYPE_KEY => Some(self.type_key(args)),
            TARGET_DESCRIPTION => Some(Atom::Str(self.string(&self.options.target))),
            _ => None,
        }
    }

    /// What `type_key` is at these types: a number that no other type has in this program.
    fn type_key(&mut self, args: &[TypeId]) -> Atom {
        let key = args.first().map_or(0, |&arg| {
            let core = self.core_type(arg);
            match &self.numbers {
                Some(numbers) => numbers.of(&format!("type {}", self.full_type(core))),
                None => core.as_u32(),
            }
        });
        let key = i128::from(key);
        Atom::Int(key, self.types.intern(Type::Prim(Prim::I64)))
    }

    pub fn primitive(&mut self, id: FnId, name: &str) -> Option<PrimOp> {
        if let Some(&op) = self.primitives.get(&id) {
            return Some(op);
        }
        let Some(op) = PrimOp::by_name(name) else {
            let span = self.src.fns[id].span;
            self.unsupported(span, format!("the compiler has no primitive operation `{name}`"));
            return None;
        };
        self.primitives.insert(id, op);
        Some(op)
    }

    /// The runtime function declared by `id`, at concrete types.
    pub fn runtime_of(&mut self, id: FnId, name: &str, args: &[TypeId]) -> (RuntimeId, TypeId) {
        let Signature { params, ret } = self.signature_of(id, args);
        let runtime = self.runtime_fn(name, params, ret);
        self.runtime[runtime].pure = self.src.fns[id].effects.is_empty();
        (runtime, ret)
    }

    /// The runtime function `name` (with or without its `reml_` prefix).
    pub fn runtime_fn(&mut self, name: &str, params: Vec<(TypeId, Mode)>, ret: TypeId) -> RuntimeId {
        let symbol: Box<str> = if name.starts_with("reml_") { name.into() } else { format!("reml_{name}").into() };
        let shape = params.iter().map(|&(ty, _)| ty).chain([ret]).collect();
        let key = (symbol.clone(), self.types.intern(Type::Tuple(shape)));
        if let Some(&id) = self.runtime_ids.get(&key) {
            return id;
        }
        let id = self.runtime.push(RuntimeFn { symbol, params, ret, pure: false });
        self.runtime_ids.insert(key, id);
        id
    }

    /// The slot of a global; its initialiser is lowered once it is mentioned.
    pub fn global(&mut self, id: typed::GlobalId) -> GlobalId {
        if let Some((global, _)) = self.global_ids[id] {
            return global;
        }
        let def = &self.src.globals[id];
        let ty = self.core_type(def.ty);
        let global = self.globals.push(Global { name: def.path.clone(), ty });
        let name = format!("{}.{{init}}", def.path);
        let func = self.reserve(&name, def.span, Signature { params: Vec::new(), ret: ty }, Inline::Auto);
        self.global_ids[id] = Some((global, func));
        self.worklist.push(Work::Global(func, id));
        global
    }

    /// Whether a global has been initialised, as a global of its own.
    pub fn initialised_flag(&mut self, id: typed::GlobalId) -> GlobalId {
        if let Some(flag) = self.initialised_flags.get(&id) {
            return *flag;
        }
        let name = format!("{}.{{initialised}}", self.src.globals[id].path);
        let flag = self.globals.push(Global { name: name.into(), ty: self.types.prim(Prim::Bool) });
        self.initialised_flags.insert(id, flag);
        flag
    }

    /// The function that a trait's method is at these types, when it is a function.
    pub fn derived_fn(&mut self, derived: Derived, ty: TypeId) -> FuncId {
        let ty = self.deref(ty);
        if let Some(&func) = self.derived.get(&(derived, ty)) {
            return func;
        }
        let name = format!("{}<{}>", derived.name(), self.type_text(ty));
        let signature = self.derived_signature(derived, ty);
        let func = self.reserve(&name, Span::NONE, signature, Inline::Auto);
        self.derived.insert((derived, ty), func);
        if self.is_excessive(ty) {
            self.diagnostics.push(Diagnostic::error(
                codes::TYPE_POLYMORPHIC_RECURSION,
                Span::NONE,
                format!("`{}` would need code for endlessly many types", derived.name()),
            ));
        } else {
            self.worklist.push(Work::Derived(func, derived, ty));
        }
        func
    }

    /// A function that can be the code of a closure without captures: all its parameters owned.
    pub fn value_of_fn(&mut self, id: FnId, args: &[TypeId]) -> Option<FuncId> {
        if matches!(self.src.fns[id].kind, FnKind::Reml(_)) {
            let func = self.instance(id, args);
            if self.signature(func).params.iter().all(|&(_, mode)| mode == Mode::Owned) {
                return Some(func);
            }
        }
        let key = WrapperKey::Fn(id, self.types.intern(Type::Tuple(args.into())));
        if let Some(&func) = self.wrappers.get(&key) {
            return Some(func);
        }
        let def = &self.src.fns[id];
        let Signature { mut params, ret } = self.signature_of(id, args);
        params.iter_mut().for_each(|(_, mode)| *mode = Mode::Owned);
        let mut name = format!("{}.{{value}}", def.path);
        self.write_args(args, &mut name);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&(ty, _)| code.var(ty, def.span)).collect();
        let atoms: Vec<Atom> = vars.iter().map(|&var| Atom::Var(var)).collect();
        let op = match &def.kind {
            FnKind::Reml(_) => Op::Call(Callee::Func(self.instance(id, args)), atoms),
            FnKind::Primitive(name) => match self.known_answer(name, args) {
                Some(answer) => Op::Copy(answer),
                None => Op::Prim(self.primitive(id, name)?, atoms),
            },
            FnKind::Runtime(name) => Op::CallRuntime(self.runtime_of(id, name, args).0, atoms),
            FnKind::Foreign(_) => return Some(self.value_of_foreign(key, &name, Signature { params, ret }, id, args)),
            FnKind::Required => return None,
        };
        let func = self.reserve(&name, def.span, Signature { params, ret }, Inline::Auto);
        self.wrappers.insert(key, func);
        self.return_op(func, vars, op, code);
        Some(func)
    }

    /// A foreign function as the code of a closure.
    fn value_of_foreign(
        &mut self,
        key: WrapperKey,
        name: &str,
        signature: Signature,
        id: FnId,
        args: &[TypeId],
    ) -> FuncId {
        let span = self.src.fns[id].span;
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = signature.params.iter().map(|&(ty, _)| code.var(ty, span)).collect();
        let modes = signature.params.iter().map(|&(_, mode)| mode).collect();
        let never = self.types.is_never(signature.ret);
        let func = self.reserve(name, span, signature, Inline::Auto);
        self.wrappers.insert(key, func);
        let atoms = vars.iter().map(|&var| Atom::Var(var)).collect();
        let result = CCode { l: self, code: &mut code, span }.call(id, args, atoms);
        code.end(if never { End::Unreachable } else { End::Return(result) });
        self.fill(func, vars, 0, modes, code);
        func
    }

    /// Fills `func` with a body that returns the result of `op`.
    pub fn return_op(&mut self, func: FuncId, params: Vec<Var>, op: Op, mut code: FunctionBuilder) {
        let (ret, span) = (self.funcs[func].ret, self.funcs[func].span);
        let result = code.emit(ret, op, span);
        code.end(if self.types.is_never(ret) { End::Unreachable } else { End::Return(Atom::Var(result)) });
        let modes = self.signature(func).params.iter().map(|&(_, mode)| mode).collect();
        self.fill(func, params, 0, modes, code);
    }

    /// A derived method as the code of a closure.
    pub fn value_of_derived(&mut self, derived: Derived, ty: TypeId) -> FuncId {
        let inner = self.derived_fn(derived, ty);
        let key = WrapperKey::Constructor(ty, u32::MAX - derived as u32);
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let mut signature = (*self.signature(inner)).clone();
        signature.params.iter_mut().for_each(|(_, mode)| *mode = Mode::Owned);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = signature.params.iter().map(|&(ty, _)| code.var(ty, Span::NONE)).collect();
        let atoms = vars.iter().map(|&var| Atom::Var(var)).collect();
        let name = format!("{}.{{value}}", self.funcs[inner].name);
        let func = self.reserve(&name, Span::NONE, signature, Inline::Auto);
        self.wrappers.insert(key, func);
        self.return_op(func, vars, Op::Call(Callee::Func(inner), atoms), code);
        func
    }

    /// A constructor as the code of a closure. `params` are Core types, `result` the source type built.
    pub fn value_of_constructor(&mut self, params: &[TypeId], result: TypeId, variant: u32) -> FuncId {
        let key = WrapperKey::Constructor(result, variant);
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let ret = self.core_type(result);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&ty| code.var(ty, Span::NONE)).collect();
        let args: Vec<Atom> = vars.iter().map(|&var| Atom::Var(var)).collect();
        let constructor = self.variants_of(result).and_then(|variants| variants.get(variant as usize));
        let constructor = constructor.map_or("new", |variant| self.names.text(variant.name));
        let name = format!("{}.{constructor}", self.type_text(result));
        let signature = Signature { params: params.iter().map(|&ty| (ty, Mode::Owned)).collect(), ret };
        let op = match args.as_slice() {
            [inner] if self.is_erased_newtype(result) => Op::Copy(*inner),
            _ => Op::Construct { variant, args, token: None },
        };
        let func = self.reserve(&name, Span::NONE, signature, Inline::Always);
        self.wrappers.insert(key, func);
        self.return_op(func, vars, op, code);
        func
    }

    /// The code of a closure for a resolved method.
    pub fn value_of_method(&mut self, target: &MethodTarget) -> Option<FuncId> {
        match target {
            MethodTarget::Fn(id, args) => self.value_of_fn(*id, args),
            MethodTarget::Derived(derived, ty) => Some(self.value_of_derived(*derived, *ty)),
            MethodTarget::Missing => None,
        }
    }
}
