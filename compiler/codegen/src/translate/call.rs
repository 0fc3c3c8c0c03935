//! Calls: Reml functions and closures, the runtime. And closure objects.

use cranelift_codegen::ir::{InstBuilder, types};
use reml_middle::core::{Atom, Callee, FuncId, RuntimeId, Var};

use super::function::Translator;
use crate::code::{Region, Values};
use crate::memory::count::{CLOSURE_CONSUME_OFFSET, CLOSURE_INFO_OFFSET};
use crate::memory::helper::CLOSURE_CODE_OFFSET;
use crate::plan::capture_offsets;
use crate::symbol::Symbol;

impl Translator<'_, '_> {
    /// `var` is what the call defines, if anything.
    pub fn call(&mut self, var: Option<Var>, callee: Callee, args: &[Atom]) -> Values {
        let mut values = self.atoms(args);
        match callee {
            Callee::Func(id) => {
                let func = self.code.func_ref(Symbol::Func(id));
                let call = self.code.builder.ins().call(func, &values);
                if let Some(var) = var {
                    self.note_roots(var, call);
                }
                let results = self.code.results(call);
                self.after_call(self.code.plan.program.funcs[id].ret);
                results
            }
            Callee::Closure(atom) | Callee::Consumed(atom) => {
                let closure = self.scalar(atom);
                let fn_type = self.atom_type(atom);
                let signature = self.code.closure_signature(fn_type);
                let code = self.code.load_constant(types::I64, Region::Closure, closure, CLOSURE_CODE_OFFSET);
                values.push(closure);
                let call = self.code.builder.ins().call_indirect(signature, code, &values);
                if let Some(var) = var {
                    self.note_roots(var, call);
                }
                let results = self.code.results(call);
                self.after_call(self.code.plan.fn_type(fn_type).1);
                results
            }
        }
    }

    /// Nothing runs after a call of type `Never`; saying so lets the code generator forget what was live.
    pub fn after_call(&mut self, ret: reml_semantics::types::TypeId) {
        if self.code.plan.info(ret).prim == Some(reml_semantics::types::Prim::Never) {
            self.code.unreachable();
            let dead = self.code.cold_block();
            self.code.switch_to(dead);
        }
    }

    pub fn tail_call(&mut self, callee: Callee, args: &[Atom]) {
        if !self.same_result(callee) {
            // The callee does not return: what it was given is not dropped.
            let results = self.call(None, callee, args);
            self.return_values(&results);
            return;
        }
        let mut values = self.atoms(args);
        match callee {
            Callee::Func(id) => self.code.tail_call(Symbol::Func(id), &values),
            Callee::Closure(atom) => {
                let closure = self.scalar(atom);
                let signature = self.code.closure_signature(self.atom_type(atom));
                let code = self.code.load_constant(types::I64, Region::Closure, closure, CLOSURE_CODE_OFFSET);
                values.push(closure);
                self.code.builder.ins().return_call_indirect(signature, code, &values);
            }
            Callee::Consumed(atom) => {
                let closure = self.scalar(atom);
                let signature = self.code.closure_signature(self.atom_type(atom));
                let info = self.code.load_constant(types::I64, Region::Closure, closure, CLOSURE_INFO_OFFSET);
                let code = self.code.load_constant(types::I64, Region::Closure, info, CLOSURE_CONSUME_OFFSET);
                values.push(closure);
                self.code.builder.ins().return_call_indirect(signature, code, &values);
            }
        }
    }

    pub fn call_library(&mut self, id: RuntimeId, args: &[Atom]) -> Values {
        let mut values = self.atoms(args);
        let context = self.code.context();
        values.insert(0, context);
        let results = self.code.call(Symbol::Library(id), &values);
        self.after_call(self.code.plan.program.runtime[id].ret);
        results
    }

    /// A closure object over the captured values.
    pub fn closure(&mut self, id: FuncId, captured: &[Atom]) -> Values {
        if captured.is_empty() {
            return smallvec::smallvec![self.code.data_addr(Symbol::StaticClosure(id))];
        }
        let plan = self.code.plan;
        let function = &plan.program.funcs[id];
        if plan.is_resume(function) {
            let continuation = self.scalar(captured[0]);
            let code = self.code.func_addr(Symbol::ClosureEntry(id));
            self.code.store(Region::Closure, code, continuation, CLOSURE_CODE_OFFSET);
            if plan.consumes {
                let info = self.code.data_addr(Symbol::ClosureInfo(id));
                self.code.store(Region::Closure, info, continuation, CLOSURE_INFO_OFFSET);
            }
            return smallvec::smallvec![continuation];
        }
        let (offsets, size) = capture_offsets(plan, function);
        let object = self.code.alloc(size);
        self.code.write_header(object, size, 0, false);
        let code = self.code.func_addr(Symbol::ClosureEntry(id));
        self.code.store(Region::Closure, code, object, CLOSURE_CODE_OFFSET);
        let info = self.code.data_addr(Symbol::ClosureInfo(id));
        self.code.store(Region::Closure, info, object, CLOSURE_INFO_OFFSET);
        for ((&atom, offset), &param) in captured.iter().zip(offsets).zip(&function.params) {
            let values = self.atom(atom);
            let layout = plan.info(function.vars[param].ty).layout.clone();
            self.code.store_value(&layout, Region::Closure, &values, object, offset);
        }
        smallvec::smallvec![object]
    }
}
