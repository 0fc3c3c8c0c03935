//! How do values cross the border to C, and back?
//!
//! Core calls of C functions pass scalars and addresses only (`c_abi::CSignature`). A struct that C gets by value, and what a `&T` refers to, is
//! written into memory of the calling function; what C gives back by value, or has changed behind a `&mut T`, is read from such memory after the
//! call. An array behind `&[T]` is not copied: C gets the address of its first element. A callback is a closure that takes its arguments as C
//! passes them, around the function of the program.

mod memory;

use std::rc::Rc;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::typed::{FnId, FnKind, Ownership, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use super::build::FunctionBuilder;
use super::closure::closure_modes;
use super::derive::Derived;
use super::instances::{Signature, WrapperKey};
use crate::c_abi::{CSignature, CStruct, CValue};
use crate::c_layout::{CLayout, CShape};
use crate::core::{
    Atom, CallbackId, Callee, End, ForeignCallee, ForeignFn, ForeignId, ForeignSymbol, FuncId, Inline, Mode, Op, Var,
};
use crate::prim::{CPrim, PrimOp};

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
    /// A text: the address of a copy with a zero byte at its end.
    Text,
    /// `ForeignPtr<T>`: the address that it keeps.
    Owned { inner: TypeId },
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

    /// The `T` of a `ForeignPtr<T>`.
    fn foreign_ptr(&self, ty: TypeId) -> Option<TypeId> {
        match self.types.get(ty) {
            Type::Adt(def, args) if Some(*def) == self.src.lang.foreign_ptr => args.first().copied(),
            _ => None,
        }
    }

    /// The `T` of a result that is a `ForeignPtr<T>`; whether there may be none.
    fn owned_result(&self, ty: TypeId) -> Option<(TypeId, bool)> {
        match self.types.get(ty) {
            Type::Adt(def, args) if Some(*def) == self.src.lang.option => {
                self.foreign_ptr(*args.first()?).map(|inner| (inner, true))
            }
            _ => self.foreign_ptr(ty).map(|inner| (inner, false)),
        }
    }

    fn c_value(&mut self, ty: TypeId, result: bool) -> CValue {
        if self.owned_result(ty).is_some() {
            return CValue { ty: self.types.prim(Prim::RawPtr), by_value: None };
        }
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
        if self.is_text(ty) {
            return Pass::Text;
        }
        if let Some(inner) = self.foreign_ptr(ty) {
            return Pass::Owned { inner };
        }
        let Type::Ref { mutable, inner } = *self.types.get(ty) else {
            return if self.c_layout(ty).is_scalar() { Pass::Scalar } else { Pass::Struct };
        };
        match self.types.get(inner) {
            Type::Array(_) => Pass::Elements { mutable },
            _ => Pass::Address { inner, mutable },
        }
    }

    fn is_text(&self, ty: TypeId) -> bool {
        matches!(self.types.get(ty), Type::Prim(Prim::Str))
    }

    /// The signature of a C function with these source types.
    fn c_signature(&mut self, params: &[TypeId], ret: TypeId) -> CSignature {
        let address = CValue { ty: self.types.prim(Prim::RawPtr), by_value: None };
        let params = params
            .iter()
            .map(|&param| match self.types.get(param) {
                Type::Ref { .. } | Type::Prim(Prim::Str) => address.clone(),
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
                let contract = foreign.contract.as_ref();
                self.note_native(symbol.library_name(), Some(&symbol.name), def.module, &def.path, def.span, contract);
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
        let description = |l: &mut Self, param| match l.is_text(param) {
            true => String::from("Str"),
            false => l.c_layout(param).description(),
        };
        let params = self.unpacked(args);
        let params: Vec<String> = params.into_iter().map(|param| description(self, param)).collect();
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

    /// What the closure of a callback takes: scalars, and the addresses of structs, that of the result last.
    fn callback_params(&self, signature: &CSignature) -> Vec<TypeId> {
        let address = signature.ret.by_value.as_ref().map(|_| self.types.prim(Prim::RawPtr));
        signature.params.iter().map(|param| param.ty).chain(address).collect()
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
        types.extend(self.callback_params(&signature));
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

    /// The code of a closure that gives something back to C by this function, whatever that answers.
    fn release_code(&mut self, release: FnId) -> FuncId {
        let key = WrapperKey::Release(release);
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let span = self.src.fns[release].span;
        let mut code = FunctionBuilder::default();
        let address = code.var(self.types.prim(Prim::RawPtr), span);
        let name = format!("{}.{{release}}", self.src.fns[release].path);
        let signature =
            Signature { params: vec![(self.types.prim(Prim::RawPtr), Mode::Owned)], ret: self.types.unit() };
        let func = self.reserve(&name, span, signature, Inline::Auto);
        self.wrappers.insert(key, func);
        CCode { l: self, code: &mut code, span }.call(release, &[], vec![Atom::Var(address)]);
        code.end(End::Return(Atom::Unit));
        self.fill(func, vec![address], 0, vec![Mode::Owned], code);
        func
    }

    /// A closure's code that takes arguments one by one, and hands them on as a tuple: to `inner`, of which it captures the same, or else to the
    /// function that it captures. `span`: where it is made, so that its places are the library's.
    fn spread_code(&mut self, function: TypeId, args: TypeId, inner: Option<FuncId>, span: Span) -> FuncId {
        let key = WrapperKey::Spread(function, inner);
        if let Some(&func) = self.wrappers.get(&key) {
            return func;
        }
        let core_args = self.core_type(args);
        let function_ty = self.core_type(function);
        let Type::Fn { params: own, ret } = self.types.get(function_ty).clone() else {
            unreachable!("it is a function")
        };
        let captured: Vec<TypeId> = match inner {
            Some(inner) => {
                let mut types: Vec<TypeId> = self.signature(inner).params.iter().map(|&(ty, _)| ty).collect();
                types.pop();
                types
            }
            None => vec![self.types.intern(Type::Fn { params: Box::new([core_args]), ret })],
        };
        let params: Vec<_> = captured.iter().chain(own.iter()).map(|&ty| (ty, Mode::Owned)).collect();
        // A function of the library, where places of calls are concerned.
        let name = format!("Core.Ffi.spread<{}>", self.type_text(function));
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = params.iter().map(|&(ty, _)| code.var(ty, span)).collect();
        let modes = closure_modes(captured.len(), params.len());
        let func = self.reserve(&name, span, Signature { params, ret }, Inline::Auto);
        self.wrappers.insert(key, func);
        let atoms: Vec<Atom> = vars.iter().map(|&var| Atom::Var(var)).collect();
        let (captures, given) = atoms.split_at(captured.len());
        let packed = match given {
            [] => Atom::Unit,
            &[only] => only,
            several => {
                let tuple = Op::Construct { variant: 0, args: several.to_vec(), token: None };
                Atom::Var(code.emit(core_args, tuple, span))
            }
        };
        let call = match inner {
            Some(inner) => {
                let mut args = captures.to_vec();
                args.push(packed);
                Op::Call(Callee::Func(inner), args)
            }
            None => Op::Call(Callee::Closure(captures[0]), vec![packed]),
        };
        let result = Atom::Var(code.emit(ret, call, span));
        code.end(End::Return(result));
        self.fill(func, vars, captured.len(), modes, code);
        func
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
            CPrim::TextsAreWhole => self.texts_are_whole(types[0], args[0]),
            CPrim::Status => self.status(types[0], args[0]),
            CPrim::Wrapper => {
                let ty = self.l.core_type(types[0]);
                // A closure that was made for this becomes part of the wrapper.
                let (func, captures) = match self.code.cursor.take_closure(args[0]) {
                    Some((func, captures)) => (Some(func), captures),
                    None => (None, args),
                };
                let func = self.l.spread_code(types[0], types[1], func, self.span);
                self.emit(ty, Op::Closure(func, captures))
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
                let closure = self.callback_closure(types[0], types[1], types[2], args[0]);
                let (never, unit) = (self.ty(Prim::Never), self.unit());
                let disguise = self.l.types.intern(Type::Fn { params: Box::new([never]), ret: unit });
                self.emit(disguise, Op::Prim(PrimOp::Disguise, vec![closure]))
            }
        }
    }

    /// A closure that takes its arguments as C passes them: `given` itself, if it does so already.
    fn callback_closure(&mut self, function: TypeId, args: TypeId, ret: TypeId, given: Atom) -> Atom {
        let (sources, core) = (self.l.unpacked(args), self.l.core_type(function));
        let signature = self.l.c_signature(&sources, ret);
        let params = self.l.callback_params(&signature).into();
        let passed = self.l.types.intern(Type::Fn { params, ret: signature.ret.ty });
        if core == passed {
            return given;
        }
        let func = self.l.callback_code(function, args, ret);
        self.emit(passed, Op::Closure(func, vec![given]))
    }

    // Calls ---------------------------------------------------------------------------------------

    /// Calls a function at an address. `types`: of the tuple of its arguments, and of its result.
    fn call_pointer(&mut self, types: &[TypeId], code: Atom, tuple: Atom, variadic: bool) -> Atom {
        let params = self.l.unpacked(types[0]);
        let arguments =
            params.iter().enumerate().map(|(index, &param)| self.argument(types[0], tuple, index, param)).collect();
        self.call_with(Called::Pointer { variadic }, &params, types[1], Some(code), arguments)
    }

    /// One of the arguments that come as a tuple, or as themselves, when there is one.
    fn argument(&mut self, args: TypeId, tuple: Atom, index: usize, param: TypeId) -> Atom {
        if !matches!(self.l.types.get(args), Type::Tuple(_)) {
            return tuple;
        }
        let ty = self.l.core_type(param);
        self.emit(ty, Op::Field { base: tuple, variant: 0, index: index as u32 })
    }

    /// Can C be given all texts among the arguments?
    fn texts_are_whole(&mut self, args: TypeId, tuple: Atom) -> Atom {
        let mut whole = Atom::Bool(true);
        for (index, param) in self.l.unpacked(args).into_iter().enumerate() {
            if self.l.is_text(param) {
                let text = self.argument(args, tuple, index, param);
                let bool = self.ty(Prim::Bool);
                if let Some(op) = self.l.lang_op("c_text_is_whole", vec![text, whole], self.span) {
                    whole = self.emit(bool, op);
                }
            }
        }
        whole
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
                Pass::Text => {
                    let byte = self.ty(Prim::U8);
                    let bytes_ty = self.l.types.intern(Type::Array(byte));
                    let Some(copy) = self.l.lang_op("c_text", vec![arg], self.span) else { continue };
                    let bytes = self.emit(bytes_ty, copy);
                    let data = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![bytes]));
                    passed.push(data);
                    kept.push(bytes);
                }
                Pass::Owned { inner } => {
                    let lent = self.ownership(called).0 != Ownership::Transferred;
                    let name = if lent { "foreign_lent" } else { "foreign_given" };
                    let address = self.call_lang(name, inner, vec![arg], raw);
                    passed.push(address);
                    if lent {
                        kept.push(arg);
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
        let result = match (result_slot, self.l.owned_result(ret)) {
            (Some(slot), _) => self.load(ret, slot, 0),
            (None, Some((inner, optional))) => self.owned(called, inner, optional, ret, result),
            (None, None) => self.value_of_scalar(ret, result),
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

    /// What the declaration says of ownership, and how a result is given back.
    fn ownership(&self, called: Called) -> (Ownership, Option<FnId>) {
        match called {
            Called::Declared(id) => match &self.l.src.fns[id].kind {
                FnKind::Foreign(foreign) => (foreign.ownership, foreign.release),
                _ => unreachable!("only foreign functions are called as such"),
            },
            Called::Pointer { .. } => (Ownership::Borrowed, None),
        }
    }

    /// A `ForeignPtr<T>` of the address that C has given.
    fn owned(&mut self, called: Called, inner: TypeId, optional: bool, ret: TypeId, address: Atom) -> Atom {
        let ret = self.l.core_type(ret);
        let Some(release) = self.ownership(called).1 else {
            let name = if optional { "foreign_borrowed_or_none" } else { "foreign_borrowed" };
            return self.call_lang(name, inner, vec![address], ret);
        };
        let func = self.l.release_code(release);
        let (raw, unit) = (self.ty(Prim::RawPtr), self.unit());
        let closure_ty = self.l.types.intern(Type::Fn { params: Box::new([raw]), ret: unit });
        let closure = self.emit(closure_ty, Op::Closure(func, Vec::new()));
        let name = if optional { "foreign_owned_or_none" } else { "foreign_owned" };
        self.call_lang(name, inner, vec![address, closure], ret)
    }

    /// Calls a function of `Core.Unsafe.Foreign` for what points to a `T`.
    fn call_lang(&mut self, name: &'static str, inner: TypeId, args: Vec<Atom>, ret: TypeId) -> Atom {
        match self.l.lang_op_at(name, &[inner], args, self.span) {
            Some(op) => self.emit(ret, op),
            None => Atom::Unit,
        }
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

    /// What C has given, as a number; 0 if it is none.
    fn status(&mut self, ty: TypeId, value: Atom) -> Atom {
        let prim = match self.l.c_layout(ty).shape {
            CShape::Scalar(prim) | CShape::Enum(prim, _) if !prim.is_float() => prim,
            _ => return self.int(0),
        };
        let i64 = self.ty(Prim::I64);
        let scalar = self.scalar_of(ty, value);
        match prim {
            Prim::I64 => scalar,
            Prim::Bool | Prim::RawPtr => self.emit(i64, Op::Prim(PrimOp::Cast, vec![scalar])),
            _ => self.emit(i64, Op::Prim(PrimOp::IntConvert, vec![scalar])),
        }
    }

    // Memory --------------------------------------------------------------------------------------
}
