//! What runs when the program starts?
//!
//! One function: it fills the globals that anything reachable mentions, in dependency order, calls `main`, prints its
//! result, and lets the globals go.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_semantics::typed::{FnId, FnKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use super::build::FunctionBuilder;
use super::derive::Derived;
use super::instances::Signature;
use crate::core::{Atom, Callee, Case, End, FuncId, Inline, Join, Mode, Op, Stmt};
use crate::prim::PrimOp;

impl Lower<'_> {
    /// Lowers everything reachable from `main` and writes the entry function.
    pub fn entry(&mut self, main: FnId) -> FuncId {
        let span = self.src.fns[main].span;
        let i32 = self.types.prim(Prim::I32);
        let entry = self.reserve("{entry}", span, Signature { params: Vec::new(), ret: i32 }, Inline::Never);

        // User globals run for their effects too; those of the library only when something mentions them.
        for &id in &self.src.init_order {
            let def = &self.src.globals[id];
            if !self.src.modules[def.module].is_core {
                self.global(id);
            }
        }
        let mut code = FunctionBuilder::default();
        let unit = self.types.unit();
        self.run_main(main, &mut code);
        if self.numbers.is_some() {
            self.request_checks();
        }
        self.drain();

        // Which globals are needed is known only now; their initialisers go in front.
        let mut before = FunctionBuilder { vars: std::mem::take(&mut code.vars), ..Default::default() };
        for &id in &self.src.init_order {
            if let Some((global, init)) = self.global_ids[id] {
                let value = before.emit(self.globals[global].ty, Op::Call(Callee::Func(init), Vec::new()), span);
                before.emit(unit, Op::GlobalSet(global, Atom::Var(value)), span);
                if let Some(&flag) = self.initialised_flags.get(&id) {
                    before.emit(unit, Op::GlobalSet(flag, Atom::Bool(true)), span);
                }
            }
        }
        code.vars = before.vars;
        let main_code = std::mem::take(&mut code.cursor).finish_or_unreachable();
        // `exit(status)` is where all paths of `main` meet.
        let (exit, status) =
            (code.join(), code.vars.push(crate::core::VarInfo { ty: i32, name: Some("status".into()), span }));
        let mut body = before.cursor;
        let main_code = redirect_returns(main_code, exit);
        body.continue_in_join(exit, vec![status], main_code.stmts, main_code.end);
        code.cursor = body;
        for &id in self.src.init_order.iter().rev() {
            if let Some((global, _)) = self.global_ids[id] {
                code.emit(self.globals[global].ty, Op::GlobalTake(global), span);
            }
        }
        code.end(End::Return(Atom::Var(status)));
        self.fill(entry, Vec::new(), 0, Vec::new(), code);
        entry
    }

    fn run_main(&mut self, main: FnId, code: &mut FunctionBuilder) {
        let def = &self.src.fns[main];
        let span = def.span;
        if !matches!(def.kind, FnKind::Reml(_)) || def.arity > 0 || def.params.len() > 1 {
            self.diagnostics.push(
                Diagnostic::error(codes::MAIN_SIGNATURE, span, "`main` takes nothing, or the arguments as `List<Str>`")
                    .with_help("write `fn main() -> ()` or `fn main(args: List<Str>) -> ()`"),
            );
            return code.end(End::Unreachable);
        }
        let func = self.instance(main, &[]);
        let mut args = Vec::new();
        if let Some(&(ty, _)) = self.signature(func).params.first() {
            match self.program_arguments(ty, span, code) {
                Some(list) => args.push(list),
                None => return code.end(End::Unreachable),
            }
        }
        let core = self.signature(func).ret;
        let result = code.emit(core, Op::Call(Callee::Func(func), args), span);
        if self.types.is_never(core) {
            return code.end(End::Unreachable);
        }
        self.finish_main(def.ret, Atom::Var(result), span, code);
    }

    /// Prints `value` as the result of `main` and returns the exit status.
    fn finish_main(&mut self, ty: TypeId, value: Atom, span: Span, code: &mut FunctionBuilder) {
        let i32 = self.types.prim(Prim::I32);
        let ty = self.deref(ty);
        let core = self.core_type(ty);
        let unit = self.types.unit();
        if core == unit {
            return code.end(End::Return(Atom::Int(0, i32)));
        }
        if let Type::Adt(def, args) = self.types.get(ty).clone()
            && Some(def) == self.src.lang.result
            && let [ok, err] = *args
        {
            let mut cases = Vec::new();
            for variant in 0..2 {
                let fields = self.field_types(ty, variant);
                let field = fields.first().copied().unwrap_or(unit);
                let success = self.is_success(ty, variant);
                let case = code.in_block(|code| {
                    let payload = self.core_type(field);
                    let payload = code.emit(payload, Op::Field { base: value, variant, index: 0 }, span);
                    if success {
                        self.finish_main(ok, Atom::Var(payload), span, code);
                    } else {
                        let text = self.display_op(err, Atom::Var(payload), span, code);
                        if let Some(op) = self.lang_op("main_error", vec![text], span) {
                            code.emit(unit, op, span);
                        }
                        code.end(End::Return(Atom::Int(1, i32)));
                    }
                });
                cases.push((Some(Case::Variant(variant)), case));
            }
            return code.cursor.switch(value, cases);
        }
        let text = self.display_op(ty, value, span, code);
        if let Some(op) = self.lang_op("println_str", vec![text], span) {
            code.emit(unit, op, span);
        }
        code.end(End::Return(Atom::Int(0, i32)));
    }

    fn is_success(&self, ty: TypeId, variant: u32) -> bool {
        self.variants_of(ty)
            .and_then(|variants| variants.get(variant as usize))
            .is_some_and(|variant| self.names.text(variant.name) == "Ok")
    }

    fn display_op(&mut self, ty: TypeId, value: Atom, span: Span, code: &mut FunctionBuilder) -> Atom {
        let str = self.types.prim(Prim::Str);
        let op = self.structural_op(Derived::Display, ty, vec![value]);
        Atom::Var(code.emit(str, op, span))
    }

    /// The program's arguments as a `List<Str>`, built from the last to the first.
    fn program_arguments(&mut self, list: TypeId, span: Span, code: &mut FunctionBuilder) -> Option<Atom> {
        let (i64, bool, str) = (self.types.prim(Prim::I64), self.types.prim(Prim::Bool), self.types.prim(Prim::Str));
        let variants = self.variants_of(list)?;
        let full = variants.iter().position(|variant| !variant.fields.is_empty())? as u32;
        let nil = Atom::Int(i128::from(1 - full), list);
        let count = self.runtime_fn("args_count", Vec::new(), i64);
        let get = self.runtime_fn("args_get", vec![(i64, Mode::Owned)], str);
        let count = code.emit(i64, Op::CallRuntime(count, Vec::new()), span);
        let (head, done) = (code.join(), code.join());
        let left = code.named(i64, "left", span);
        let rest = code.named(list, "args", span);
        let all = code.named(list, "args", span);
        let body = code.in_block(|code| {
            let more = code.emit(bool, Op::Prim(PrimOp::Gt, vec![Atom::Var(left), Atom::Int(0, i64)]), span);
            let yes = code.in_block(|code| {
                let one = Atom::Int(1, i64);
                let index = code.emit(i64, Op::Prim(PrimOp::WrappingSub, vec![Atom::Var(left), one]), span);
                let text = code.emit(str, Op::CallRuntime(get, vec![Atom::Var(index)]), span);
                let args = vec![Atom::Var(text), Atom::Var(rest)];
                let cell = code.emit(list, Op::Construct { variant: full, args, token: None }, span);
                code.end(End::Jump(head, vec![Atom::Var(index), Atom::Var(cell)]));
            });
            let no = code.in_block(|code| code.end(End::Jump(done, vec![Atom::Var(rest)])));
            code.cursor.switch(Atom::Var(more), vec![(Some(Case::Bool(true)), yes), (Some(Case::Bool(false)), no)]);
        });
        let head_join =
            Stmt::Join(Box::new(Join { id: head, params: vec![left, rest], recursive: true, body: body.finish() }));
        let enter = End::Jump(head, vec![Atom::Var(count), nil]);
        code.cursor.continue_in_join(done, vec![all], vec![head_join], enter);
        Some(Atom::Var(all))
    }
}

/// Turns the returns of a block into jumps.
fn redirect_returns(mut block: crate::core::Block, join: crate::core::JoinId) -> crate::core::Block {
    fn visit(block: &mut crate::core::Block, join: crate::core::JoinId) {
        for stmt in &mut block.stmts {
            if let Stmt::Join(inner) = stmt {
                visit(&mut inner.body, join);
            }
        }
        match &mut block.end {
            End::Return(atom) => block.end = End::Jump(join, vec![*atom]),
            End::Switch(switch) => {
                switch.cases.iter_mut().for_each(|(_, case)| visit(case, join));
                switch.default.iter_mut().for_each(|default| visit(default, join));
            }
            _ => {}
        }
    }
    visit(&mut block, join);
    block
}
