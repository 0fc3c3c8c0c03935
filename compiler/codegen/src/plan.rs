//! What is known about the program before any function is translated: which functions are reachable, and the layout of
//! every type they mention. Immutable afterwards, so that threads share it.

use std::sync::Arc;

use cranelift_entity::SecondaryMap;
use reml_middle::c_abi::CSignature;
use reml_middle::core::{Atom, Block, Callee, End, FuncId, Function, GlobalId, Op, Program, Stmt};
use reml_middle::layout::{CellLayout, Layout, Layouts, Pointer, RecursiveDefs, Shape, continuation_type, field_types};
use reml_semantics::typed::TypeDefKind;
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use rustc_hash::FxHashMap;

use crate::isa::Target;
use crate::symbol::Symbol;

/// Everything translation asks about a type.
pub struct TypeInfo {
    /// The type without the references and newtypes around it; names its helpers.
    pub bare: TypeId,
    pub layout: Arc<Layout>,
    /// The machine type it is, if it is one.
    pub prim: Option<Prim>,
    /// What an array, cell or fixed array holds.
    pub element: Option<TypeId>,
    /// A product has one variant, a sum its own.
    pub variants: Vec<VariantInfo>,
}

pub struct VariantInfo {
    pub fields: Vec<TypeId>,
    /// Set for boxed types.
    pub cell: Option<Arc<CellLayout>>,
}

impl TypeInfo {
    pub fn pointer(&self) -> Option<Pointer> {
        match self.layout.shape {
            Shape::Pointer(pointer) => Some(pointer),
            _ => None,
        }
    }

    /// Sums of more variants than a tag byte can tell keep the tag in the header's spare half word.
    pub fn wide_tag(&self) -> bool {
        self.variants.len() > 256
    }
}

pub struct Plan<'p> {
    pub program: &'p Program,
    pub target: Target,
    infos: SecondaryMap<TypeId, Option<Arc<TypeInfo>>>,
    /// Newtypes that vanish: their only field is the value itself.
    transparent: SecondaryMap<TypeId, bool>,
    pub unit: TypeId,
    pub types: TypeStore,
    /// Reachable functions, in order of their ids.
    pub funcs: Vec<FuncId>,
    /// Called by name somewhere.
    pub direct: SecondaryMap<FuncId, bool>,
    /// Do calls consume closures anywhere?
    pub consumes: bool,
    /// The addresses of globals that are not part of the program's own data.
    pub places: SecondaryMap<GlobalId, Option<u64>>,
    bool_ty: TypeId,
    str_ty: TypeId,
    unit_closure: TypeId,
    continuation: TypeId,
}

impl<'p> Plan<'p> {
    pub fn new(program: &'p Program, target: Target) -> Self {
        let types = program.types.clone();
        let mut scan = Scan {
            program,
            layouts: Layouts::new(RecursiveDefs::of(&types, &program.type_defs)),
            types,
            infos: SecondaryMap::new(),
            transparent: SecondaryMap::new(),
            pending: Vec::new(),
            reached: SecondaryMap::new(),
            direct: SecondaryMap::new(),
            // Other versions may.
            consumes: program.version.is_some(),
            work: vec![program.entry],
        };
        let unit = scan.types.unit();
        let bool_ty = scan.types.prim(Prim::Bool);
        let str_ty = scan.types.prim(Prim::Str);
        let unit_closure = scan.types.intern(Type::Fn { params: Box::new([]), ret: unit });
        let continuation = continuation_type(&mut scan.types);
        for ty in [unit, bool_ty, str_ty, scan.types.prim(Prim::I64), unit_closure] {
            scan.ty(ty);
        }
        scan.direct[program.entry] = true;
        scan.reached[program.entry] = true;
        while let Some(id) = scan.work.pop() {
            scan.function(&program.funcs[id]);
        }
        let funcs = program.funcs.keys().filter(|&id| scan.reached[id]).collect();
        for global in program.globals.values() {
            scan.ty(global.ty);
        }
        for runtime in program.runtime.values() {
            runtime.params.iter().for_each(|&(ty, _)| scan.ty(ty));
            scan.ty(runtime.ret);
        }
        for foreign in program.foreign.values() {
            scan.c_signature(&foreign.signature);
        }
        for signature in program.callbacks.values() {
            scan.c_signature(signature);
        }
        Plan {
            program,
            target,
            infos: scan.infos,
            transparent: scan.transparent,
            unit,
            types: scan.types,
            funcs,
            direct: scan.direct,
            consumes: scan.consumes,
            places: SecondaryMap::new(),
            bool_ty,
            str_ty,
            unit_closure,
            continuation,
        }
    }

    /// The type `() -> ()` of deferred closures.
    pub fn unit_closure(&self) -> TypeId {
        self.unit_closure
    }

    pub fn info(&self, ty: TypeId) -> &Arc<TypeInfo> {
        self.infos[ty].as_ref().expect("every type of the program has been laid out")
    }

    /// Does the function capture a continuation and nothing else? Then the continuation is the closure.
    pub fn is_resume(&self, function: &Function) -> bool {
        function.captures == 1 && function.vars[function.params[0]].ty == self.continuation
    }

    /// What ends a closure over the function, which has captures.
    pub fn closure_drop(&self, id: FuncId) -> Symbol {
        if self.is_resume(&self.program.funcs[id]) { Symbol::ContinuationDrop } else { Symbol::ClosureDrop(id) }
    }

    pub fn layout(&self, ty: TypeId) -> &Layout {
        &self.info(ty).layout
    }

    /// A newtype of the same representation as its content.
    pub fn is_transparent(&self, ty: TypeId) -> bool {
        self.transparent[ty]
    }

    pub fn atom_type(&self, function: &Function, atom: Atom) -> TypeId {
        match atom {
            Atom::Var(var) => function.vars[var].ty,
            Atom::Int(_, ty) | Atom::Float(_, ty) => ty,
            Atom::Bool(_) => self.bool_ty,
            Atom::Unit | Atom::Hole => self.unit,
            Atom::Str(_) => self.str_ty,
        }
    }

    /// Parameters and result of a function type.
    pub fn fn_type(&self, ty: TypeId) -> (&[TypeId], TypeId) {
        match self.types.get(self.info(ty).bare) {
            Type::Fn { params, ret } => (params, *ret),
            other => unreachable!("a value of type {other:?} is called"),
        }
    }

    /// May the value own something that has to be released?
    pub fn counted(&self, ty: TypeId) -> bool {
        self.layout(ty).counted
    }

    /// A function is compiled under its own name unless it only ever is the code of closures.
    pub fn only_closure(&self, id: FuncId) -> bool {
        !self.direct[id]
    }
}

struct Scan<'p> {
    program: &'p Program,
    layouts: Layouts,
    types: TypeStore,
    infos: SecondaryMap<TypeId, Option<Arc<TypeInfo>>>,
    transparent: SecondaryMap<TypeId, bool>,
    pending: Vec<TypeId>,
    reached: SecondaryMap<FuncId, bool>,
    direct: SecondaryMap<FuncId, bool>,
    consumes: bool,
    work: Vec<FuncId>,
}

impl Scan<'_> {
    fn reach(&mut self, id: FuncId) {
        if !self.reached[id] {
            self.reached[id] = true;
            self.work.push(id);
        }
    }

    fn function(&mut self, function: &Function) {
        self.ty(function.ret);
        for var in function.vars.values() {
            self.ty(var.ty);
        }
        let mut blocks: Vec<&Block> = vec![&function.body];
        while let Some(block) = blocks.pop() {
            for stmt in &block.stmts {
                match stmt {
                    Stmt::Let(_, op) => self.op(op),
                    Stmt::Join(join) => blocks.push(&join.body),
                    Stmt::Fill { value, .. } => self.atom(*value),
                    Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_) => {}
                }
            }
            match &block.end {
                End::Return(atom) => self.atom(*atom),
                End::Jump(_, args) => args.iter().for_each(|&atom| self.atom(atom)),
                End::TailCall { callee, args, .. } => {
                    self.callee(*callee);
                    args.iter().for_each(|&atom| self.atom(atom));
                }
                End::Switch(switch) => {
                    blocks.extend(switch.cases.iter().map(|(_, block)| block));
                    blocks.extend(switch.default.as_deref());
                }
                End::Unreachable => {}
            }
        }
    }

    fn callee(&mut self, callee: Callee) {
        match callee {
            Callee::Func(id) => {
                self.direct[id] = true;
                self.reach(id);
            }
            Callee::Closure(atom) => self.atom(atom),
            Callee::Consumed(atom) => {
                self.consumes = true;
                self.atom(atom);
            }
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Copy(atom) | Op::Tag(atom) | Op::GlobalSet(_, atom) | Op::Field { base: atom, .. } => self.atom(*atom),
            Op::Prim(_, args) | Op::CallRuntime(_, args) | Op::CallForeign(_, args) | Op::Array(args) => {
                args.iter().for_each(|&atom| self.atom(atom));
            }
            Op::Construct { args, .. } => args.iter().for_each(|&atom| self.atom(atom)),
            Op::Call(callee, args) => {
                self.callee(*callee);
                args.iter().for_each(|&atom| self.atom(atom));
            }
            Op::Closure(id, _) => {
                self.reach(*id);
                if let Some(consuming) = self.program.funcs[*id].consuming {
                    self.callee(Callee::Func(consuming));
                }
            }
            Op::GlobalGet(_) | Op::GlobalTake(_) | Op::FieldAddr { .. } => {}
        }
    }

    fn c_signature(&mut self, signature: &CSignature) {
        signature.params.iter().for_each(|param| self.ty(param.ty));
        self.ty(signature.ret.ty);
    }

    fn atom(&mut self, atom: Atom) {
        if let Atom::Int(_, ty) | Atom::Float(_, ty) = atom {
            self.ty(ty);
        }
    }

    /// Lays out a type and all that its values can hold.
    fn ty(&mut self, ty: TypeId) {
        self.pending.push(ty);
        while let Some(ty) = self.pending.pop() {
            if self.infos[ty].is_none() {
                self.lay_out(ty);
            }
        }
    }

    fn lay_out(&mut self, ty: TypeId) {
        let defs = &self.program.type_defs;
        let bare = self.bare(ty);
        if bare != ty {
            if self.infos[bare].is_none() {
                self.lay_out(bare);
            }
            self.infos[ty] = self.infos[bare].clone();
            return;
        }
        let layout = self.layouts.of(&mut self.types, defs, ty);
        let mut info = TypeInfo { bare: ty, layout, prim: None, element: None, variants: Vec::new() };
        let boxed = matches!(info.layout.shape, Shape::Pointer(Pointer::Product | Pointer::Sum { .. }));
        let mut variants = 1;
        match self.types.get(ty).clone() {
            Type::Prim(prim) => {
                info.prim = Some(prim);
                variants = 0;
            }
            Type::Tuple(_) | Type::Record(_) => {}
            Type::FixedArray(element, _) => {
                self.pending.push(element);
                info.element = Some(element);
            }
            Type::Array(element) | Type::VarCell(element) => {
                self.pending.push(element);
                info.element = Some(element);
                variants = 0;
            }
            Type::Fn { params, ret } => {
                self.pending.extend_from_slice(&params);
                self.pending.push(ret);
                variants = 0;
            }
            Type::Adt(def, _) => match &defs[def].kind {
                TypeDefKind::Sum(of) => variants = of.len() as u32,
                TypeDefKind::Record(_) | TypeDefKind::Newtype(_) => {}
                TypeDefKind::Opaque => variants = 0,
            },
            Type::Ref { .. } | Type::Param(_) | Type::Error => variants = 0,
        }
        for variant in 0..variants {
            let fields = field_types(&mut self.types, defs, ty, variant);
            self.pending.extend_from_slice(&fields);
            let cell = boxed.then(|| self.layouts.cell(&mut self.types, defs, ty, variant));
            info.variants.push(VariantInfo { fields, cell });
        }
        self.infos[ty] = Some(Arc::new(info));
    }

    /// Without references and vanishing newtypes; notes which types vanish.
    fn bare(&mut self, ty: TypeId) -> TypeId {
        let mut bare = ty;
        loop {
            match self.types.get(bare).clone() {
                Type::Ref { inner, .. } => {
                    bare = inner;
                    if self.is_vanishing(inner) {
                        self.transparent[ty] = true;
                    }
                }
                Type::Adt(def, args) if self.is_vanishing(bare) => {
                    self.transparent[bare] = true;
                    if let TypeDefKind::Newtype(inner) = self.program.type_defs[def].kind {
                        bare = self.types.substitute(inner, &args);
                    }
                }
                _ => return bare,
            }
        }
    }

    fn is_vanishing(&self, ty: TypeId) -> bool {
        match self.types.get(ty) {
            Type::Adt(def, _) => {
                matches!(self.program.type_defs[*def].kind, TypeDefKind::Newtype(_)) && !self.layouts.is_recursive(*def)
            }
            _ => false,
        }
    }
}

/// Field offsets of the captured values in a closure object, and its size.
pub fn capture_offsets(plan: &Plan, function: &Function) -> (Vec<u32>, u32) {
    let mut size = reml_rt::abi::CLOSURE_DATA as u32;
    let offsets = function.params[..function.captures]
        .iter()
        .map(|&var| {
            let layout = plan.layout(function.vars[var].ty);
            let offset = size.next_multiple_of(layout.align);
            size = offset + layout.size;
            offset
        })
        .collect();
    (offsets, size)
}

/// Index of a runtime function that codegen calls by itself, by name.
pub fn runtime_index(name: &str) -> u32 {
    use std::sync::OnceLock;
    static INDEX: OnceLock<FxHashMap<&'static str, u32>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        reml_rt::abi::CODEGEN_FUNCTIONS.iter().enumerate().map(|(i, function)| (function.name, i as u32)).collect()
    });
    index[name]
}
