//! The skeleton of a function: parameters, blocks, join points, statements.
//!
//! Core variables are assigned once and their scopes nest, so they map to SSA values directly. Nested blocks wait on a
//! work list: a block is translated after the statements it can see, in whatever order, and no recursion is needed.

use cranelift_codegen::ir::{Block as ClifBlock, BlockArg, InstBuilder, StackSlot, Value, types};
use cranelift_entity::{EntitySet, SecondaryMap};
use cranelift_frontend::FunctionBuilder;
use reml_middle::core::{Atom, Block, Callee, End, FuncId, Function, JoinId, Stmt, Var};
use reml_middle::layout::{Pointer, Shape};
use reml_semantics::types::TypeId;
use smallvec::SmallVec;

use super::unique::Unique;
use crate::code::{Code, Values, clif_type};
use crate::plan::{Plan, capture_offsets};
use crate::symbol::Symbol;

pub struct Translator<'f, 'p> {
    pub code: Code<'f, 'p>,
    pub function: &'p Function,
    /// Where each variable's machine values start in `pool`.
    starts: SecondaryMap<Var, u32>,
    lens: SecondaryMap<Var, u8>,
    pool: Vec<Value>,
    joins: SecondaryMap<JoinId, Option<(ClifBlock, &'p [Var])>>,
    pub unique: Unique,
    work: Vec<(ClifBlock, &'p Block, &'p [Var])>,
    /// Variables that the function may own during a call that effects unwind, and where they are kept.
    pub rooted: EntitySet<Var>,
    pub slots: SecondaryMap<Var, Option<StackSlot>>,
}

/// Translates a Core function under its own name, or as closure code.
pub fn translate<'p>(builder: FunctionBuilder<'_>, plan: &'p Plan<'p>, id: FuncId, as_closure: bool) {
    let function = &plan.program.funcs[id];
    let mut translator = Translator {
        code: Code::new(builder, plan),
        function,
        starts: SecondaryMap::new(),
        lens: SecondaryMap::new(),
        pool: Vec::with_capacity(function.vars.len()),
        joins: SecondaryMap::new(),
        // A copied stack shares its arrays.
        unique: if plan.target.release && function.roots.is_empty() {
            Unique::of(plan, function)
        } else {
            Unique::default()
        },
        work: Vec::new(),
        rooted: EntitySet::new(),
        slots: SecondaryMap::new(),
    };
    translator.rooted.extend(function.roots.values().flatten().copied());
    translator.code.set_span(function.span);
    let params = translator.code.start();
    translator.bind_params(&params, as_closure);
    translator.block(&function.body);
    while let Some((block, body, params)) = translator.work.pop() {
        translator.code.switch_to(block);
        params.iter().for_each(|&param| translator.keep_root(param));
        translator.block(body);
    }
    translator.code.finish();
}

impl<'p> Translator<'_, 'p> {
    fn bind_params(&mut self, params: &[Value], as_closure: bool) {
        let function = self.function;
        let captures = if as_closure { function.captures } else { 0 };
        let mut next = 0;
        for &var in &function.params[captures..] {
            let len = self.code.plan.layout(function.vars[var].ty).slots.len();
            self.bind(var, &params[next..next + len]);
            next += len;
        }
        if captures > 0 {
            let (offsets, _) = capture_offsets(self.code.plan, function);
            let closure = params[next];
            if self.code.plan.is_resume(function) {
                return self.bind(function.params[0], &[closure]);
            }
            for (&var, offset) in function.params.iter().zip(offsets) {
                let layout = self.code.plan.info(function.vars[var].ty).layout.clone();
                let mut values = Values::new();
                for (&slot, &at) in layout.slots.iter().zip(&layout.offsets) {
                    // The caller keeps the closure alive during the call, and nothing writes captures.
                    let offset = (offset + at) as i32;
                    values.push(self.code.load_captured(clif_type(slot), closure, offset));
                }
                self.bind(var, &values);
            }
        }
    }

    /// Gives a variable its machine values, which are at hand here.
    pub fn bind(&mut self, var: Var, values: &[Value]) {
        self.bind_param(var, values);
        self.keep_root(var);
    }

    /// The same for a parameter of a join point, which is at hand only there.
    fn bind_param(&mut self, var: Var, values: &[Value]) {
        self.starts[var] = self.pool.len() as u32;
        self.lens[var] = values.len() as u8;
        self.pool.extend_from_slice(values);
    }

    pub fn var(&self, var: Var) -> &[Value] {
        let start = self.starts[var] as usize;
        &self.pool[start..start + self.lens[var] as usize]
    }

    pub fn ty(&self, var: Var) -> TypeId {
        self.function.vars[var].ty
    }

    pub fn atom_type(&self, atom: Atom) -> TypeId {
        self.code.plan.atom_type(self.function, atom)
    }

    /// The machine values of an atom.
    pub fn atom(&mut self, atom: Atom) -> Values {
        match atom {
            Atom::Var(var) => Values::from_slice(self.var(var)),
            Atom::Int(value, ty) => self.int_atom(value, ty),
            Atom::Float(value, ty) => {
                let single = self.code.plan.layout(ty).slots.first() == Some(&reml_middle::layout::Machine::F32);
                let ins = self.code.builder.ins();
                smallvec::smallvec![if single { ins.f32const(value as f32) } else { ins.f64const(value) }]
            }
            Atom::Bool(value) => smallvec::smallvec![self.code.bool(value)],
            Atom::Unit | Atom::Hole => Values::new(),
            Atom::Str(id) => smallvec::smallvec![self.code.data_addr(Symbol::Str(id))],
        }
    }

    /// An integer, a `Char`, or a constructor without payload.
    fn int_atom(&mut self, value: i128, ty: TypeId) -> Values {
        let info = self.code.plan.info(ty).clone();
        match &info.layout.shape {
            Shape::Pointer(Pointer::Sum { .. }) => smallvec::smallvec![self.code.int(2 * value as i64 + 1)],
            _ => {
                let nullable = matches!(info.layout.shape, Shape::Nullable { .. });
                let slots = info.layout.slots.iter().enumerate();
                slots
                    .map(|(i, &slot)| match clif_type(slot) {
                        types::F32 => self.code.builder.ins().f32const(value as f32),
                        types::F64 => self.code.builder.ins().f64const(value as f64),
                        ty => self.code.int_of(ty, if i == 0 && !nullable { value } else { 0 }),
                    })
                    .collect()
            }
        }
    }

    /// The only machine value of an atom.
    pub fn scalar(&mut self, atom: Atom) -> Value {
        self.atom(atom)[0]
    }

    pub fn atoms(&mut self, atoms: &[Atom]) -> SmallVec<[Value; 8]> {
        let mut values = SmallVec::new();
        for &atom in atoms {
            values.extend(self.atom(atom));
        }
        values
    }

    /// Translates `body` later, in a block of its own.
    pub fn later(&mut self, body: &'p Block) -> ClifBlock {
        self.later_with(body, &[])
    }

    fn later_with(&mut self, body: &'p Block, params: &'p [Var]) -> ClifBlock {
        let block = self.code.block();
        self.work.push((block, body, params));
        block
    }

    fn block(&mut self, block: &'p Block) {
        for stmt in &block.stmts {
            self.statement(stmt);
        }
        self.end(&block.end);
    }

    fn statement(&mut self, stmt: &'p Stmt) {
        match stmt {
            Stmt::Let(var, op) => {
                self.code.set_span(self.function.vars[*var].span);
                let values = self.op(*var, op);
                self.bind_result(*var, &values);
            }
            Stmt::Join(join) => {
                let block = self.later_with(&join.body, &join.params);
                self.joins[join.id] = Some((block, &join.params));
                for &param in &join.params {
                    let layout = self.code.plan.info(self.ty(param)).layout.clone();
                    let values = self.code.block_params(block, &layout);
                    self.bind_param(param, &values);
                }
            }
            Stmt::Fill { addr, value } => {
                let address = self.var(*addr)[0];
                let ty = self.atom_type(*value);
                let values = self.atom(*value);
                let layout = self.code.plan.info(ty).layout.clone();
                // The cell's type is not known here: an access without a region may touch any of them.
                self.code.store_anywhere(&layout, &values, address);
            }
            Stmt::Dup(var) => {
                let values = Values::from_slice(self.var(*var));
                self.code.dup(self.ty(*var), &values);
            }
            Stmt::Drop(var) => {
                let values = Values::from_slice(self.var(*var));
                self.code.drop_value(self.ty(*var), &values);
            }
            Stmt::Release { var, variant, moved, token } => self.release(*var, *variant, moved, *token),
            Stmt::FreeToken(var) => {
                let token = self.var(*var)[0];
                let done = self.code.block();
                self.code.branch_unless(token, done);
                self.code.free_any(token);
                self.code.jump(done, &[]);
                self.code.switch_to(done);
            }
        }
    }

    /// Binds what an operation gave; a call that never returns may stand where a value of any type is wanted.
    fn bind_result(&mut self, var: Var, values: &[Value]) {
        let plan = self.code.plan;
        let slots = &plan.layout(self.ty(var)).slots;
        if values.len() == slots.len() {
            self.bind(var, values);
        } else {
            let zeros: Values = slots.iter().map(|&slot| self.code.zero(clif_type(slot))).collect();
            self.bind(var, &zeros);
        }
    }

    fn end(&mut self, end: &'p End) {
        match end {
            End::Return(atom) => {
                let values = self.atom(*atom);
                self.return_values(&values);
            }
            End::Jump(join, args) => {
                let (target, params) = self.joins[*join].expect("a join point is in scope where it is jumped to");
                let mut values: SmallVec<[BlockArg; 8]> = SmallVec::new();
                for (&param, &arg) in params.iter().zip(args) {
                    if self.unique.is_forced(param) && !self.unique.is_unique(arg) {
                        let array = self.scalar(arg);
                        values.push(self.code.unique_array(self.ty(param), array).into());
                    } else {
                        values.extend(self.atom(arg).into_iter().map(BlockArg::from));
                    }
                }
                self.code.builder.ins().jump(target, &values);
            }
            End::TailCall { callee, args, span } => {
                self.code.set_span(*span);
                self.tail_call(*callee, args);
            }
            End::Switch(switch) => self.switch(switch),
            End::Unreachable => self.code.unreachable(),
        }
    }

    /// Returns, or marks the place unreachable when what came before has no value to return.
    pub fn return_values(&mut self, values: &[Value]) {
        if values.len() == self.code.plan.layout(self.function.ret).slots.len() {
            self.code.builder.ins().return_(values);
        } else {
            self.code.unreachable();
        }
    }

    /// Is the callee's result passed on unchanged? `Never` functions may be called in tail position of any function.
    pub fn same_result(&self, callee: Callee) -> bool {
        let plan = self.code.plan;
        let ret = match callee {
            Callee::Func(id) => plan.program.funcs[id].ret,
            Callee::Closure(atom) | Callee::Consumed(atom) => plan.fn_type(self.atom_type(atom)).1,
        };
        plan.layout(ret).slots == plan.layout(self.function.ret).slots
    }
}
