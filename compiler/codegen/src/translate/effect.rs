//! Handlers, operations, and calls that effects may unwind.
//!
//! What a function owns during such a call lies in stack slots of its own, written once, where the value is made: variables do not
//! change. The slots' keys name the types; [`crate::compile`] finds the slots' places in the frame.

use std::mem::offset_of;

use cranelift_codegen::ir::{
    Inst, InstBuilder, StackSlotData, StackSlotKey, StackSlotKind, UserStackMapEntry, Value, types,
};
use reml_middle::core::{Atom, Var};
use reml_middle::prim::PrimOp;
use reml_rt::abi::{Context, Continuation, Fiber, HANDLER_CLAUSES, Handler};

use super::function::Translator;
use crate::code::{Region, Values};
use crate::memory::count::CLOSURE_INFO_OFFSET;
use crate::symbol::Symbol;

const HANDLERS: i32 = offset_of!(Context, handlers) as i32;
const PAYLOAD: u32 = offset_of!(Context, payload) as u32;
const STOPPED: i32 = offset_of!(Context, stopped) as i32;
const ID: i32 = offset_of!(Handler, id) as i32;
const PARENT: i32 = offset_of!(Handler, parent) as i32;

impl Translator<'_, '_> {
    /// Keeps a variable that has just been bound where the runtime finds it.
    pub fn keep_root(&mut self, var: Var) {
        if !self.rooted.contains(var) {
            return;
        }
        let values = Values::from_slice(self.var(var));
        let bare = self.code.plan.info(self.ty(var)).bare;
        let size = values.len() as u32 * 8;
        let slot = StackSlotData::new_with_key(
            StackSlotKind::ExplicitSlot,
            size,
            3,
            StackSlotKey::new(u64::from(bare.as_u32())),
        );
        let slot = self.code.builder.create_sized_stack_slot(slot);
        let address = self.code.builder.ins().stack_addr(types::I64, slot, 0);
        for (index, &value) in values.iter().enumerate() {
            self.code.store(Region::Stack, value, address, index as i32 * 8);
        }
        self.slots[var] = Some(slot);
    }

    /// Notes what the function owns during the call that defines `var`.
    pub fn note_roots(&mut self, var: Var, call: Inst) {
        let Some(roots) = self.function.roots.get(&var) else { return };
        for &root in roots {
            if let Some(slot) = self.slots[root] {
                let entry = UserStackMapEntry { ty: types::I64, slot, offset: 0 };
                self.code.builder.func.dfg.append_user_stack_map_entry(call, entry);
            }
        }
    }

    /// Calls a runtime function that effects may unwind.
    fn unwinding(&mut self, var: Var, name: &str, args: &[Value]) -> Option<Value> {
        let call = self.code.runtime_call(name, args);
        self.note_roots(var, call);
        self.code.results(call).first().copied()
    }

    pub fn effect_prim(&mut self, var: Var, prim: PrimOp, args: &[Atom]) -> Values {
        let status = match prim {
            PrimOp::HandlerNew => return smallvec::smallvec![self.handler_new(args)],
            PrimOp::HandlerPush => {
                let handler = self.scalar(args[0]);
                let context = self.code.context();
                let parent = self.code.load(types::I64, Region::Handlers, context, HANDLERS);
                self.code.store(Region::Handlers, parent, handler, PARENT);
                self.code.store(Region::Handlers, handler, context, HANDLERS);
                return Values::new();
            }
            PrimOp::HandlerPop => {
                let handler = self.scalar(args[0]);
                let context = self.code.context();
                let parent = self.code.load(types::I64, Region::Handlers, handler, PARENT);
                self.code.store(Region::Handlers, parent, context, HANDLERS);
                return Values::new();
            }
            PrimOp::HandlerAddress => return smallvec::smallvec![self.scalar(args[0])],
            PrimOp::HandlerFind => return smallvec::smallvec![self.handler_find(args[0])],
            PrimOp::HandlerClause => {
                let handler = self.scalar(args[0]);
                return smallvec::smallvec![self.clause(handler, args[1])];
            }
            PrimOp::ContinuationClause => {
                let continuation = self.scalar(args[0]);
                let fiber =
                    self.code.load(types::I64, Region::Closure, continuation, offset_of!(Continuation, fiber) as i32);
                let handler = self.code.load(types::I64, Region::Handlers, fiber, offset_of!(Fiber, handler) as i32);
                let clause = self.clause(handler, args[1]);
                self.code.dup(self.ty(var), &[clause]);
                return smallvec::smallvec![clause];
            }
            PrimOp::HandlerEnter => {
                let handler = self.scalar(args[0]);
                let context = self.code.context();
                let saved = self.code.load(types::I64, Region::Handlers, context, HANDLERS);
                let parent = self.code.load(types::I64, Region::Handlers, handler, PARENT);
                self.code.store(Region::Handlers, parent, context, HANDLERS);
                return smallvec::smallvec![saved];
            }
            PrimOp::HandlerLeave => {
                let saved = self.scalar(args[0]);
                let context = self.code.context();
                self.code.store(Region::Handlers, saved, context, HANDLERS);
                return Values::new();
            }
            PrimOp::HandlerRun | PrimOp::FiberStart => {
                let handler = self.scalar(args[0]);
                let closure = self.scalar(args[1]);
                let entry = Symbol::RunEntry(self.code.plan.info(self.atom_type(args[1])).bare);
                let entry = self.code.func_addr(entry);
                let name = if prim == PrimOp::HandlerRun { "reml_handle" } else { "reml_fiber_start" };
                self.unwinding(var, name, &[handler, closure, entry])
            }
            PrimOp::HandlerAbort => {
                let handler = self.scalar(args[0]);
                let number = self.scalar(args[1]);
                self.give(args[2]);
                self.unwinding(var, "reml_unwind", &[handler, number]);
                self.code.unreachable();
                let dead = self.code.cold_block();
                self.code.switch_to(dead);
                return Values::new();
            }
            PrimOp::FiberStopped => {
                let context = self.code.context();
                return smallvec::smallvec![self.code.load(types::I64, Region::Handlers, context, STOPPED)];
            }
            PrimOp::FiberContinue => {
                let fiber = self.scalar(args[0]);
                self.give(args[1]);
                self.unwinding(var, "reml_fiber_continue", &[fiber])
            }
            PrimOp::FiberResume | PrimOp::FiberResumeLast => {
                let continuation = self.scalar(args[0]);
                self.give(args[1]);
                let last = prim == PrimOp::FiberResumeLast;
                let name = if last { "reml_fiber_resume_last" } else { "reml_fiber_resume" };
                self.unwinding(var, name, &[continuation])
            }
            PrimOp::FiberSuspend => {
                let handler = self.scalar(args[0]);
                let number = self.scalar(args[1]);
                let reentrant = self.scalar(args[2]);
                self.give(args[3]);
                self.unwinding(var, "reml_fiber_suspend", &[handler, number, reentrant]);
                return self.receive(var);
            }
            PrimOp::ContinuationTake => {
                let context = self.code.context();
                let fiber = self.code.load(types::I64, Region::Handlers, context, STOPPED);
                let stamp = self.code.load(types::I64, Region::Handlers, fiber, offset_of!(Fiber, stamp) as i32);
                let size = size_of::<Continuation>() as u32;
                let continuation = self.code.alloc(size);
                self.code.write_header(continuation, size, 0, false);
                let info = self.code.data_addr(Symbol::ContinuationInfo);
                let none = self.code.int(0);
                for (value, offset) in [
                    (info, offset_of!(Continuation, info)),
                    (fiber, offset_of!(Continuation, fiber)),
                    (stamp, offset_of!(Continuation, stamp)),
                    (none, offset_of!(Continuation, image)),
                ] {
                    self.code.store(Region::Closure, value, continuation, offset as i32);
                }
                return smallvec::smallvec![continuation];
            }
            PrimOp::PayloadTake => return self.receive(var),
            _ => unreachable!("{prim:?} is no operation of effects"),
        };
        smallvec::smallvec![status.expect("it returns a status")]
    }

    /// Puts a value into the payload.
    fn give(&mut self, atom: Atom) {
        let values = self.atom(atom);
        let context = self.code.context();
        for (index, &value) in values.iter().enumerate() {
            self.code.store(Region::Payload, value, context, (PAYLOAD + 8 * index as u32) as i32);
        }
    }

    /// Takes a value for `var` out of the payload.
    fn receive(&mut self, var: Var) -> Values {
        let layout = self.code.plan.info(self.ty(var)).layout.clone();
        let context = self.code.context();
        let slots = layout.slots.iter().enumerate();
        slots
            .map(|(index, &slot)| {
                let offset = (PAYLOAD + 8 * index as u32) as i32;
                self.code.load(crate::code::clif_type(slot), Region::Payload, context, offset)
            })
            .collect()
    }

    fn handler_new(&mut self, args: &[Atom]) -> Value {
        let clauses = &args[1..];
        let size = (HANDLER_CLAUSES + 8 * clauses.len()) as u32;
        let handler = self.code.alloc(size);
        self.code.write_header(handler, size, 0, false);
        let info = self.code.data_addr(Symbol::HandlerInfo(clauses.len() as u32));
        self.code.store(Region::Closure, info, handler, CLOSURE_INFO_OFFSET);
        let id = self.scalar(args[0]);
        self.code.store(Region::Closure, id, handler, ID);
        let none = self.code.int(0);
        let frame = offset_of!(Handler, frame) as i32;
        self.code.store(Region::Handlers, none, handler, frame);
        for (index, &clause) in clauses.iter().enumerate() {
            let clause = self.scalar(clause);
            self.code.store(Region::Closure, clause, handler, HANDLER_CLAUSES as i32 + 8 * index as i32);
        }
        handler
    }

    /// What a handler keeps at this number.
    fn clause(&mut self, handler: Value, number: Atom) -> Value {
        let Atom::Int(number, _) = number else { unreachable!("the number of an operation is a constant") };
        self.code.load(types::I64, Region::Closure, handler, HANDLER_CLAUSES as i32 + 8 * number as i32)
    }

    /// The innermost handler is looked at here, the others in a helper.
    fn handler_find(&mut self, id: Atom) -> Value {
        let id = self.scalar(id);
        let context = self.code.context();
        let first = self.code.load(types::I64, Region::Handlers, context, HANDLERS);
        let its = self.code.load(types::I64, Region::Closure, first, ID);
        let other = self.code.builder.ins().icmp(cranelift_codegen::ir::condcodes::IntCC::NotEqual, its, id);
        let (search, done) = (self.code.block(), self.code.block());
        let found = self.code.builder.append_block_param(done, types::I64);
        self.code.builder.ins().brif(other, search, &[], done, &[first.into()]);
        self.code.switch_to(search);
        let outer = self.code.call(Symbol::HandlerSearch, &[first, id])[0];
        self.code.jump(done, &[outer]);
        self.code.switch_to(done);
        found
    }
}
