//! How do values cross the border to C, and back?
//!
//! Core calls of C functions pass scalars and addresses only (`c_abi::CSignature`). A struct that C gets by value, and what a `&T` refers to, is
//! written into memory of the calling function; what C gives back by value, or has changed behind a `&mut T`, is read from such memory after the
//! call. An array behind `&[T]` is not copied: C gets the address of its first element. A callback is a closure that takes its arguments as C
//! passes them, around the function of the program.

use std::rc::Rc;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::typed::{FnId, FnKind, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use super::build::FunctionBuilder;
use super::closure::closure_modes;
use super::derive::Derived;
use super::instances::{Signature, WrapperKey};
use super::native::LIBC;
use crate::c_abi::{CSignature, CStruct, CValue};
use crate::c_layout::{CLayout, CShape};
use crate::core::{
    Atom, Block, CallbackId, Callee, Case, End, ForeignCallee, ForeignFn, ForeignId, ForeignSymbol, FuncId, Inline,
    Mode, Op, Var,
};
use crate::prim::{CPrim, PrimOp};

/// A value of more scalars is taken apart by a function of its own.
const INLINE_SCALARS: u64 = 16;

/// How a parameter of a C function is passed.
enum Pass {
    /// As a scalar.
    Scalar,
    /// A struct by value.
    Struct,
    /// `&T`, `&mut T`: the address of a copy.
    Address { inner: TypeId, mutable: bool },
    /// `&[T]`, `&mut [T]`: the address of the elements.
    Elements { mutable: bool },
}

/// What tells which C function is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Called {
    /// Its declaration.
    Declared(FnId),
    /// An address.
    Pointer { variadic: bool },
}

impl Lower<'_> {
    /// The C layout of a source type.
    fn c_layout(&mut self, ty: TypeId) -> Rc<CLayout> {
        if let Some(known) = self.c_layouts.get(&ty) {
            return known.clone();
        }
        let layout = CLayout::of(&mut self.types, &self.src.type_defs, ty);
        let layout = Rc::new(layout.unwrap_or_else(|| {
            // The checker has refused such types wherever a program can mention them.
            self.unsupported(Span::NONE, format!("internal error: `{}` has no C layout", self.type_text(ty)));
            CLayout { size: 0, align: 1, shape: CShape::Void }
        }));
        self.c_layouts.insert(ty, layout.clone());
        layout
    }

    /// The Core type of a scalar at the border.
    fn c_scalar(&self, layout: &CLayout) -> TypeId {
        match layout.shape {
            CShape::Scalar(prim) | CShape::Enum(prim, _) => self.types.prim(prim),
            _ => self.types.unit(),
        }
    }

    fn c_value(&mut self, ty: TypeId, result: bool) -> CValue {
        if self.types.is_never(ty) {
            return CValue { ty, by_value: None };
        }
        let layout = self.c_layout(ty);
        if layout.is_scalar() {
            return CValue { ty: self.c_scalar(&layout), by_value: None };
        }
        let ty = if result { self.types.unit() } else { self.types.prim(Prim::RawPtr) };
        CValue { ty, by_value: Some(CStruct::of(&layout)) }
    }

    fn pass(&mut self, ty: TypeId) -> Pass {
        let Type::Ref { mutable, inner } = *self.types.get(ty) else {
            return if self.c_layout(ty).is_scalar() { Pass::Scalar } else { Pass::Struct };
        };
        match self.types.get(inner) {
            Type::Array(_) => Pass::Elements { mutable },
            _ => Pass::Address { inner, mutable },
        }
    }

    /// The signature of a C function with these source types.
    fn c_signature(&mut self, params: &[TypeId], ret: TypeId) -> CSignature {
        let address = CValue { ty: self.types.prim(Prim::RawPtr), by_value: None };
        let params = params
            .iter()
            .map(|&param| match self.types.get(param) {
                Type::Ref { .. } => address.clone(),
                _ => self.c_value(param, false),
            })
            .collect();
        let mut signature = CSignature { params, ret: self.c_value(ret, true) };
        let types = &self.types;
        signature.assign_registers(|ty| matches!(types.get(ty), Type::Prim(prim) if prim.is_float()));
        signature
    }

    fn foreign_fn(&mut self, called: Called, signature: CSignature) -> ForeignId {
        if let Some(&known) = self.foreign_ids.get(&(called, signature.clone())) {
            return known;
        }
        let (callee, variadic) = match called {
            Called::Declared(id) => {
                let def = &self.src.fns[id];
                let FnKind::Foreign(foreign) = &def.kind else {
                    unreachable!("only foreign functions are called as such")
                };
                let symbol = ForeignSymbol {
                    name: foreign.symbol.clone(),
                    library: foreign.library.clone(),
                    weak: foreign.weak,
                    span: def.span,
                };
                let library = symbol.library.as_ref().map_or(LIBC, |library| &library.name);
                self.note_native(library, Some(&symbol.name), def.module, &def.path, def.span);
                (ForeignCallee::Symbol(symbol), foreign.variadic)
            }
            Called::Pointer { variadic } => (ForeignCallee::Pointer, variadic),
        };
        let foreign = self.foreign.push(ForeignFn { callee, signature: signature.clone(), variadic });
        self.foreign_ids.insert((called, signature), foreign);
        foreign
    }

    fn callback(&mut self, signature: CSignature) -> CallbackId {
        if let Some(&known) = self.callback_ids.get(&signature) {
            return known;
        }
        let id = self.callbacks.push(signature.clone());
        self.callback_ids.insert(signature, id);
        id
    }

    /// What C sees of a signature, such as `I32,Ptr->F64`.
    fn c_signature_text(&mut self, args: TypeId, ret: TypeId) -> String {
        let params = self.unpacked(args);
        let params: Vec<String> = params.into_iter().map(|param| self.c_layout(param).description()).collect();
        let ret = match self.types.is_never(ret) {
            true => String::from("Void"),
            false => self.c_layout(ret).description(),
        };
        format!("{}->{ret}", params.join(","))
    }

    /// The parameters that a type of arguments stands for: a tuple for several, `()` for none.
    fn unpacked(&self, args: TypeId) -> Vec<TypeId> {
        match self.types.get(args) {
            Type::Tuple(items) => items.to_vec(),
            _ => vec![args],
        }
    }

    /// A closure's code that takes its arguments as C passes them, and calls what it captures.
    fn callback_code(&mut self, function: TypeId, args: TypeId, ret: TypeId) -> FuncId {
        let key = WrapperKey::Callback(self.types.intern(Type::Tuple(Box::new([function, args, ret]))));
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let sources = self.unpacked(args);
        let signature = self.c_signature(&sources, ret);
        let mut types = vec![self.core_type(function)];
        types.extend(signature.params.iter().map(|param| param.ty));
        if signature.ret.by_value.is_some() {
            types.push(self.types.prim(Prim::RawPtr));
        }
        let low_ret = signature.ret.ty;
        let name = format!("callback<{}>", self.type_text(function));
        let span = Span::NONE;
        let params: Vec<_> = types.iter().map(|&ty| (ty, Mode::Owned)).collect();
        let func = self.reserve(&name, span, Signature { params, ret: low_ret }, Inline::Auto);
        self.wrappers.insert(key, func);

        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = types.iter().map(|&ty| code.var(ty, span)).collect();
        let core_ret = self.core_type(ret);
        let mut c = CCode { l: self, code: &mut code, span };
        let arguments = sources.iter().zip(&vars[1..]).map(|(&ty, &var)| c.value_passed(ty, Atom::Var(var))).collect();
        let result = c.emit(core_ret, Op::Call(Callee::Closure(Atom::Var(vars[0])), arguments));
        let result = match signature.ret.by_value {
            Some(_) => {
                let address = Atom::Var(vars[vars.len() - 1]);
                c.store(ret, address, 0, result);
                Atom::Unit
            }
            None => c.scalar_of(ret, result),
        };
        code.end(End::Return(result));
        let modes = closure_modes(1, vars.len());
        self.fill(func, vars, 1, modes, code);
        func
    }

    /// A closure's code that takes arguments one by one, and hands them on as a tuple to the function that it captures.
    fn spread_code(&mut self, function: TypeId, args: TypeId, out: TypeId) -> FuncId {
        let inner = self.types.intern(Type::Fn { params: Box::new([args]), ret: out });
        let key = WrapperKey::Spread(self.types.intern(Type::Tuple(Box::new([function, inner]))));
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let core_args = self.core_type(args);
        let core_out = self.core_type(out);
        let mut params = vec![(self.core_type(inner), Mode::Owned)];
        let function_ty = self.core_type(function);
        if let Type::Fn { params: own, .. } = self.types.get(function_ty) {
            params.extend(own.iter().map(|&ty| (ty, Mode::Owned)));
        }
        let name = format!("spread<{}>", self.type_text(function));
        let span = Span::NONE;
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&(ty, _)| code.var(ty, span)).collect();
        let modes = closure_modes(1, params.len());
        let func = self.reserve(&name, span, Signature { params, ret: core_out }, Inline::Auto);
        self.wrappers.insert(key, func);
        let given: Vec<Atom> = vars[1..].iter().map(|&var| Atom::Var(var)).collect();
        let packed = match given[..] {
            [] => Atom::Unit,
            [only] => only,
            _ => Atom::Var(code.emit(core_args, Op::Construct { variant: 0, args: given, token: None }, span)),
        };
        let call = Op::Call(Callee::Closure(Atom::Var(vars[0])), vec![packed]);
        let result = Atom::Var(code.emit(core_out, call, span));
        code.end(End::Return(result));
        self.fill(func, vars, 1, modes, code);
        func
    }

    pub fn c_derived_signature(&mut self, derived: Derived, ty: TypeId) -> Signature {
        let core = self.core_type(ty);
        let address = (self.types.prim(Prim::RawPtr), Mode::Owned);
        let (params, ret) = match derived {
            Derived::CLoad => (vec![address], core),
            Derived::CStore => (vec![address, (core, Mode::Borrowed)], self.types.unit()),
            _ => {
                let layout = self.c_layout(ty);
                (vec![(self.c_scalar(&layout), Mode::Owned)], core)
            }
        };
        Signature { params, ret }
    }

    /// Writes the function that reads, writes or recognises values of a type.
    pub fn write_c_derived(&mut self, func: FuncId, derived: Derived, ty: TypeId) {
        let signature = self.signature(func);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = signature.params.iter().map(|&(ty, _)| code.var(ty, Span::NONE)).collect();
        let mut c = CCode { l: self, code: &mut code, span: Span::NONE };
        match derived {
            Derived::CLoad => {
                let value = c.load_parts(ty, Atom::Var(vars[0]), 0);
                code.end(End::Return(value));
            }
            Derived::CStore => {
                c.store_parts(ty, Atom::Var(vars[0]), 0, Atom::Var(vars[1]));
                code.end(End::Return(Atom::Unit));
            }
            _ => c.variant_of(ty, Atom::Var(vars[0])),
        }
        let modes = signature.params.iter().map(|&(_, mode)| mode).collect();
        self.fill(func, vars, 0, modes, code);
    }
}

/// Writes code at the border into a function.
pub struct CCode<'c, 'a> {
    pub l: &'c mut Lower<'a>,
    pub code: &'c mut FunctionBuilder,
    pub span: Span,
}

impl CCode<'_, '_> {
    fn emit(&mut self, ty: TypeId, op: Op) -> Atom {
        Atom::Var(self.code.emit(ty, op, self.span))
    }

    fn ty(&self, prim: Prim) -> TypeId {
        self.l.types.prim(prim)
    }

    fn int(&self, value: impl Into<i128>) -> Atom {
        Atom::Int(value.into(), self.ty(Prim::I64))
    }

    fn unit(&self) -> TypeId {
        self.l.types.unit()
    }

    /// Memory of the function for a value of the layout; whole words, so that it can be passed in registers.
    fn slot(&mut self, layout: &CLayout) -> Atom {
        let (size, align) = (self.int(layout.size.max(1).next_multiple_of(8)), self.int(layout.align.max(8)));
        let raw = self.ty(Prim::RawPtr);
        self.emit(raw, Op::Prim(PrimOp::FrameSlot, vec![size, align]))
    }

    // Operations of the library -------------------------------------------------------------------

    pub fn prim(&mut self, prim: CPrim, types: &[TypeId], args: Vec<Atom>) -> Atom {
        match prim {
            CPrim::Size => {
                let size = self.l.c_layout(types[0]).size;
                self.int(size)
            }
            CPrim::Align => {
                let align = self.l.c_layout(types[0]).align;
                self.int(align)
            }
            CPrim::Load => self.load(types[0], args[0], 0),
            CPrim::Store => {
                self.store(types[0], args[0], 0, args[1]);
                Atom::Unit
            }
            CPrim::Call => self.call_pointer(types, args[0], args[1], false),
            CPrim::CallVariadic => self.call_pointer(types, args[0], args[1], true),
            CPrim::Signature => {
                let text = self.l.c_signature_text(types[0], types[1]);
                Atom::Str(self.l.string(&text))
            }
            CPrim::Wrapper => {
                let func = self.l.spread_code(types[0], types[1], types[2]);
                let ty = self.l.core_type(types[0]);
                self.emit(ty, Op::Closure(func, vec![args[0]]))
            }
            CPrim::CallbackEntry => {
                let params = self.l.unpacked(types[0]);
                let signature = self.l.c_signature(&params, types[1]);
                let id = self.l.callback(signature);
                let (raw, id) = (self.ty(Prim::RawPtr), self.int(id.as_u32()));
                self.emit(raw, Op::Prim(PrimOp::CallbackEntry, vec![id]))
            }
            CPrim::CallbackStack => {
                let params = self.l.unpacked(types[0]);
                let signature = self.l.c_signature(&params, types[1]);
                let types = &self.l.types;
                let words = signature.stack_words(|ty| matches!(types.get(ty), Type::Prim(prim) if prim.is_float()));
                self.int(words)
            }
            CPrim::CallbackCode => {
                let func = self.l.callback_code(types[0], types[1], types[2]);
                let signature = self.l.signature(func);
                let params = signature.params[1..].iter().map(|&(ty, _)| ty).collect();
                let closure_ty = self.l.types.intern(Type::Fn { params, ret: signature.ret });
                let closure = self.emit(closure_ty, Op::Closure(func, vec![args[0]]));
                let (never, unit) = (self.ty(Prim::Never), self.unit());
                let disguise = self.l.types.intern(Type::Fn { params: Box::new([never]), ret: unit });
                self.emit(disguise, Op::Prim(PrimOp::Disguise, vec![closure]))
            }
        }
    }

    // Calls ---------------------------------------------------------------------------------------

    /// Calls a function at an address. `types`: of the tuple of its arguments, and of its result.
    fn call_pointer(&mut self, types: &[TypeId], code: Atom, tuple: Atom, variadic: bool) -> Atom {
        let params = self.l.unpacked(types[0]);
        let arguments = match params.as_slice() {
            [_] if !matches!(self.l.types.get(types[0]), Type::Tuple(_)) => vec![tuple],
            params => {
                let fields = params.iter().copied().enumerate();
                fields
                    .map(|(index, param)| {
                        let ty = self.l.core_type(param);
                        self.emit(ty, Op::Field { base: tuple, variant: 0, index: index as u32 })
                    })
                    .collect()
            }
        };
        self.call_with(Called::Pointer { variadic }, &params, types[1], Some(code), arguments)
    }

    /// Calls a foreign function at these type arguments. Gives its result in Core, `&mut` parameters included.
    pub fn call(&mut self, id: FnId, types: &[TypeId], args: Vec<Atom>) -> Atom {
        let src = self.l.src;
        let def = &src.fns[id];
        let mut params = Vec::with_capacity(def.params.len());
        for param in &def.params {
            params.push(self.l.types.substitute(param.ty, types));
        }
        let ret = self.l.types.substitute(def.ret, types);
        self.call_with(Called::Declared(id), &params, ret, None, args)
    }

    /// `code`: the address, when no symbol says what is called.
    fn call_with(
        &mut self,
        called: Called,
        params: &[TypeId],
        ret: TypeId,
        code: Option<Atom>,
        args: Vec<Atom>,
    ) -> Atom {
        let signature = self.l.c_signature(params, ret);
        let raw = self.ty(Prim::RawPtr);
        let mut passed: Vec<Atom> = code.into_iter().collect();
        // What has to outlive the call, and what comes back beside the result.
        let mut kept = Vec::new();
        let mut outs: Vec<(TypeId, Pass, Atom)> = Vec::new();
        for (&param, &arg) in params.iter().zip(&args) {
            match self.l.pass(param) {
                Pass::Scalar => {
                    let scalar = self.scalar_of(param, arg);
                    passed.push(scalar);
                }
                Pass::Struct => {
                    let slot = self.copy_out(param, arg);
                    passed.push(slot);
                }
                Pass::Address { inner, mutable } => {
                    let slot = self.copy_out(inner, arg);
                    passed.push(slot);
                    if mutable {
                        outs.push((inner, Pass::Address { inner, mutable }, slot));
                    }
                }
                Pass::Elements { mutable: false } => {
                    let data = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![arg]));
                    passed.push(data);
                    kept.push(arg);
                }
                Pass::Elements { mutable: true } => {
                    let inner = self.l.deref(param);
                    let array_ty = self.l.core_type(inner);
                    let unique = self.emit(array_ty, Op::Prim(PrimOp::ArrayUnique, vec![arg]));
                    let data = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![unique]));
                    passed.push(data);
                    outs.push((inner, Pass::Elements { mutable: true }, unique));
                }
            }
        }
        for &extra in args.get(params.len()..).unwrap_or(&[]) {
            let promoted = self.promoted(extra);
            passed.push(promoted);
        }
        let result_slot = signature.ret.by_value.is_some().then(|| {
            let layout = self.l.c_layout(ret);
            self.slot(&layout)
        });
        // The hidden argument comes after the declared ones, before those of `...`.
        if let Some(slot) = result_slot {
            passed.insert(usize::from(code.is_some()) + params.len(), slot);
        }
        let low_ret = signature.ret.ty;
        let foreign = self.l.foreign_fn(called, signature);
        let result = self.emit(low_ret, Op::CallForeign(foreign, passed));
        if self.l.types.is_never(ret) {
            return result;
        }
        let unit = self.unit();
        for atom in kept {
            self.emit(unit, Op::Prim(PrimOp::KeepAlive, vec![atom]));
        }
        let result = match result_slot {
            Some(slot) => self.load(ret, slot, 0),
            None => self.value_of_scalar(ret, result),
        };
        if outs.is_empty() {
            return result;
        }
        let mut fields = vec![result];
        for (ty, pass, atom) in outs {
            let value = match pass {
                Pass::Address { .. } => self.load(ty, atom, 0),
                // A new name: what is read of it is read after the call.
                _ => {
                    let ty = self.l.core_type(ty);
                    self.emit(ty, Op::Prim(PrimOp::ArrayUnique, vec![atom]))
                }
            };
            fields.push(value);
        }
        let full = self.l.core_return(ret, params);
        self.emit(full, Op::Construct { variant: 0, args: fields, token: None })
    }

    /// A copy of a value in memory that C can be given.
    fn copy_out(&mut self, ty: TypeId, value: Atom) -> Atom {
        let layout = self.l.c_layout(ty);
        let slot = self.slot(&layout);
        self.store(ty, slot, 0, value);
        slot
    }

    /// An argument for `...`, as C promotes it.
    fn promoted(&mut self, arg: Atom) -> Atom {
        let ty = match arg {
            Atom::Var(var) => self.code.vars[var].ty,
            Atom::Int(_, ty) | Atom::Float(_, ty) => ty,
            Atom::Bool(_) => self.ty(Prim::Bool),
            Atom::Str(_) => self.ty(Prim::Str),
            Atom::Unit | Atom::Hole => self.unit(),
        };
        let (f64, i32) = (self.ty(Prim::F64), self.ty(Prim::I32));
        match self.l.types.get(ty) {
            Type::Prim(Prim::F32) => self.emit(f64, Op::Prim(PrimOp::Cast, vec![arg])),
            Type::Prim(Prim::I8 | Prim::I16 | Prim::U8 | Prim::U16 | Prim::Bool) => {
                self.emit(i32, Op::Prim(PrimOp::Cast, vec![arg]))
            }
            Type::Prim(prim) if prim.is_integer() || *prim == Prim::F64 || *prim == Prim::RawPtr => arg,
            _ => {
                let text = self.l.type_text(ty);
                self.l.diagnostics.push(
                    Diagnostic::error(
                        codes::FFI_SIGNATURE_INVALID,
                        self.span,
                        format!("an argument for `...` is a number or a pointer, not `{text}`"),
                    )
                    .with_help("pass a `Ptr<u8>` for a text, a `Ptr<T>` for a record, an integer for an enumeration"),
                );
                arg
            }
        }
    }

    // Scalars -------------------------------------------------------------------------------------

    /// What C passes for a value: itself, or the integer of an enumeration.
    fn scalar_of(&mut self, ty: TypeId, value: Atom) -> Atom {
        match self.newtype_of(ty) {
            Some((inner, true)) => self.scalar_of(inner, value),
            Some((inner, false)) => {
                let inner_ty = self.l.core_type(inner);
                let value = self.emit(inner_ty, Op::Field { base: value, variant: 0, index: 0 });
                self.scalar_of(inner, value)
            }
            None => match self.l.c_layout(ty).shape {
                CShape::Enum(base, _) => {
                    let (i64, base) = (self.ty(Prim::I64), self.ty(base));
                    let tag = self.emit(i64, Op::Tag(value));
                    self.emit(base, Op::Prim(PrimOp::IntConvert, vec![tag]))
                }
                _ => value,
            },
        }
    }

    /// The value for what C passes.
    fn value_of_scalar(&mut self, ty: TypeId, value: Atom) -> Atom {
        match self.newtype_of(ty) {
            Some((inner, true)) => self.value_of_scalar(inner, value),
            Some((inner, false)) => {
                let value = self.value_of_scalar(inner, value);
                let ty = self.l.core_type(ty);
                self.emit(ty, Op::Construct { variant: 0, args: vec![value], token: None })
            }
            None => match self.l.c_layout(ty).shape {
                CShape::Enum(..) => {
                    let func = self.l.derived_fn(Derived::CVariant, ty);
                    let ty = self.l.core_type(ty);
                    self.emit(ty, Op::Call(Callee::Func(func), vec![value]))
                }
                CShape::Void => Atom::Unit,
                _ => value,
            },
        }
    }

    /// A parameter of a callback: a scalar, or the address of a struct.
    fn value_passed(&mut self, ty: TypeId, passed: Atom) -> Atom {
        match self.l.c_layout(ty).is_scalar() {
            true => self.value_of_scalar(ty, passed),
            false => self.load(ty, passed, 0),
        }
    }

    /// What a newtype is made of, and whether Core knows nothing of it.
    fn newtype_of(&mut self, ty: TypeId) -> Option<(TypeId, bool)> {
        let Type::Adt(def, args) = self.l.types.get(ty).clone() else { return None };
        let def = &self.l.src.type_defs[def];
        match def.kind {
            TypeDefKind::Newtype(inner) if def.repr.is_none() => {
                let inner = self.l.types.substitute(inner, &args);
                Some((inner, self.l.is_erased_newtype(ty)))
            }
            _ => None,
        }
    }

    // Memory --------------------------------------------------------------------------------------

    /// Reads a value.
    fn load(&mut self, ty: TypeId, address: Atom, offset: u32) -> Atom {
        if offset == 0 && self.l.c_layout(ty).scalar_count() > INLINE_SCALARS {
            let func = self.l.derived_fn(Derived::CLoad, ty);
            let ty = self.l.core_type(ty);
            return self.emit(ty, Op::Call(Callee::Func(func), vec![address]));
        }
        self.load_parts(ty, address, offset)
    }

    fn load_parts(&mut self, ty: TypeId, address: Atom, offset: u32) -> Atom {
        let core = self.l.core_type(ty);
        if let Some((inner, erased)) = self.newtype_of(ty) {
            let value = self.load_parts(inner, address, offset);
            return match erased {
                true => value,
                false => self.emit(core, Op::Construct { variant: 0, args: vec![value], token: None }),
            };
        }
        let layout = self.l.c_layout(ty);
        match &layout.shape {
            CShape::Void => Atom::Unit,
            CShape::Scalar(Prim::Bool) => {
                let byte = self.load_scalar(Prim::U8, address, offset);
                let zero = Atom::Int(0, self.ty(Prim::U8));
                self.emit(core, Op::Prim(PrimOp::Ne, vec![byte, zero]))
            }
            CShape::Scalar(prim) => self.load_scalar(*prim, address, offset),
            CShape::Enum(base, _) => {
                let value = self.load_scalar(*base, address, offset);
                self.value_of_scalar(ty, value)
            }
            CShape::Record(fields) => {
                let mut args = vec![Atom::Unit; fields.len()];
                for field in fields {
                    args[field.index as usize] = self.load_parts(field.ty, address, offset + field.offset);
                }
                self.emit(core, Op::Construct { variant: 0, args, token: None })
            }
            CShape::Array(element, len) => {
                let Type::FixedArray(element_ty, _) = *self.l.types.get(ty) else { return Atom::Unit };
                let mut args = Vec::with_capacity(*len as usize);
                for index in 0..*len as u32 {
                    args.push(self.load_parts(element_ty, address, offset + index * element.size));
                }
                self.emit(core, Op::Construct { variant: 0, args, token: None })
            }
            CShape::Union(_) => {
                let zero = Atom::Int(0, self.ty(Prim::U8));
                let size = self.int(layout.size);
                let bytes = self.emit(core, Op::Prim(PrimOp::ArrayFilled, vec![size, zero]));
                let raw = self.ty(Prim::RawPtr);
                let to = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![bytes]));
                self.copy(to, 0, address, offset, layout.size);
                // A new name: what is read of it is read after the copy.
                self.emit(core, Op::Prim(PrimOp::ArrayUnique, vec![bytes]))
            }
        }
    }

    fn load_scalar(&mut self, prim: Prim, address: Atom, offset: u32) -> Atom {
        let (ty, offset) = (self.ty(prim), self.int(offset));
        self.emit(ty, Op::Prim(PrimOp::RawLoad, vec![address, offset]))
    }

    /// Writes a value.
    fn store(&mut self, ty: TypeId, address: Atom, offset: u32, value: Atom) {
        if offset == 0 && self.l.c_layout(ty).scalar_count() > INLINE_SCALARS {
            let func = self.l.derived_fn(Derived::CStore, ty);
            let unit = self.unit();
            self.emit(unit, Op::Call(Callee::Func(func), vec![address, value]));
            return;
        }
        self.store_parts(ty, address, offset, value);
    }

    fn store_parts(&mut self, ty: TypeId, address: Atom, offset: u32, value: Atom) {
        if let Some((inner, erased)) = self.newtype_of(ty) {
            let value = match erased {
                true => value,
                false => {
                    let inner_ty = self.l.core_type(inner);
                    self.emit(inner_ty, Op::Field { base: value, variant: 0, index: 0 })
                }
            };
            return self.store_parts(inner, address, offset, value);
        }
        let layout = self.l.c_layout(ty);
        match &layout.shape {
            CShape::Void => {}
            CShape::Scalar(_) | CShape::Enum(..) => {
                let scalar = self.scalar_of(ty, value);
                let (unit, offset) = (self.unit(), self.int(offset));
                self.emit(unit, Op::Prim(PrimOp::RawStore, vec![address, offset, scalar]));
            }
            CShape::Record(fields) => {
                for field in fields {
                    let part_ty = self.l.core_type(field.ty);
                    let part = self.emit(part_ty, Op::Field { base: value, variant: 0, index: field.index });
                    self.store_parts(field.ty, address, offset + field.offset, part);
                }
            }
            CShape::Array(element, len) => {
                let Type::FixedArray(element_ty, _) = *self.l.types.get(ty) else { return };
                let part_ty = self.l.core_type(element_ty);
                for index in 0..*len as u32 {
                    let part = self.emit(part_ty, Op::Field { base: value, variant: 0, index });
                    self.store_parts(element_ty, address, offset + index * element.size, part);
                }
            }
            CShape::Union(_) => {
                let raw = self.ty(Prim::RawPtr);
                let from = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![value]));
                self.copy(address, offset, from, 0, layout.size);
                let unit = self.unit();
                self.emit(unit, Op::Prim(PrimOp::KeepAlive, vec![value]));
            }
        }
    }

    /// Copies bytes, the largest pieces first.
    fn copy(&mut self, to: Atom, to_offset: u32, from: Atom, from_offset: u32, bytes: u32) {
        let unit = self.unit();
        let mut done = 0;
        while done < bytes {
            let (prim, width) = match bytes - done {
                8.. => (Prim::U64, 8),
                4.. => (Prim::U32, 4),
                2.. => (Prim::U16, 2),
                _ => (Prim::U8, 1),
            };
            let piece = self.load_scalar(prim, from, from_offset + done);
            let offset = self.int(to_offset + done);
            self.emit(unit, Op::Prim(PrimOp::RawStore, vec![to, offset, piece]));
            done += width;
        }
    }

    /// Returns the variant of an enumeration that an integer stands for; others are a panic.
    fn variant_of(&mut self, ty: TypeId, value: Atom) {
        let layout = self.l.c_layout(ty);
        let CShape::Enum(base, count) = layout.shape else { return };
        let core = self.l.core_type(ty);
        let name = self.l.type_text(ty);
        let case = |index: u32| {
            let variant = Atom::Int(index.into(), core);
            (Case::Int(index.into()), Block::new(Vec::new(), End::Return(variant)))
        };
        let cases = (0..count).map(case).collect();
        let (i64, str) = (self.ty(Prim::I64), self.ty(Prim::Str));
        let outer = std::mem::take(&mut self.code.cursor);
        let wide = match base {
            Prim::I64 => value,
            _ => self.emit(i64, Op::Prim(PrimOp::IntConvert, vec![value])),
        };
        let before = Atom::Str(self.l.string("C gave the number "));
        let after = Atom::Str(self.l.string(&format!(", which stands for no variant of `{name}`")));
        let mut text = before;
        if let Some(number) = self.l.lang_op("int_to_str", vec![wide], self.span) {
            let number = self.emit(str, number);
            for part in [number, after] {
                if let Some(joined) = self.l.lang_op("str_concat", vec![text, part], self.span) {
                    text = self.emit(str, joined);
                }
            }
        }
        let never = self.ty(Prim::Never);
        self.emit(never, Op::Prim(PrimOp::Panic, vec![text]));
        self.code.end(End::Unreachable);
        let panic = std::mem::replace(&mut self.code.cursor, outer).finish();
        let default = Some(Box::new(panic));
        self.code.end(End::Switch(crate::core::Switch { scrutinee: value, cases, default }));
    }
}
