//! Which file translates which operation.

use std::mem::offset_of;

use cranelift_codegen::ir::{Value, types};
use reml_middle::core::{Atom, CallbackId, GlobalId, Op, Var};
use reml_middle::prim::PrimOp;
use reml_rt::abi::{ARRAY_DATA, Context, Str};

use super::function::Translator;
use crate::code::{Region, Values};
use crate::symbol::Symbol;

impl Translator<'_, '_> {
    /// The machine values of `let var = op`.
    pub fn op(&mut self, var: Var, op: &Op) -> Values {
        match op {
            Op::Copy(atom) => self.atom(*atom),
            Op::Prim(prim, args) => self.prim(var, *prim, args),
            Op::Call(callee, args) => self.call(Some(var), *callee, args),
            Op::CallRuntime(id, args) => self.call_library(*id, args),
            Op::CallForeign(id, args) => self.call_foreign(*id, args),
            Op::Closure(id, captured) => self.closure(*id, captured),
            Op::Construct { variant, args, token } => self.construct(self.ty(var), *variant, args, *token),
            Op::Field { base, variant, index } => self.field(*base, *variant, *index),
            Op::Tag(atom) => {
                let info = self.code.plan.info(self.atom_type(*atom)).clone();
                let values = self.atom(*atom);
                smallvec::smallvec![self.tag(&info, &values)]
            }
            Op::Array(items) => self.array_literal(self.ty(var), items),
            Op::GlobalGet(id) | Op::GlobalTake(id) => {
                if let Op::GlobalTake(_) = op {
                    let context = self.code.context();
                    let ending = self.code.int(1);
                    self.code.store(Region::Handlers, ending, context, offset_of!(Context, ending) as i32);
                }
                let layout = self.code.plan.info(self.code.plan.program.globals[*id].ty).layout.clone();
                if layout.slots.is_empty() {
                    return Values::new();
                }
                let address = self.global_addr(*id);
                self.code.load_value(&layout, Region::Global, address, 0)
            }
            Op::GlobalSet(id, atom) => {
                let layout = self.code.plan.info(self.code.plan.program.globals[*id].ty).layout.clone();
                let values = self.atom(*atom);
                if !layout.slots.is_empty() {
                    let address = self.global_addr(*id);
                    self.code.store_value(&layout, Region::Global, &values, address, 0);
                }
                Values::new()
            }
            Op::FieldAddr { base, variant, index } => smallvec::smallvec![self.field_addr(*base, *variant, *index)],
        }
    }

    fn global_addr(&mut self, id: GlobalId) -> Value {
        match self.code.plan.places[id] {
            Some(address) => self.code.int(address as i64),
            None => self.code.data_addr(Symbol::Global(id)),
        }
    }

    fn prim(&mut self, var: Var, prim: PrimOp, args: &[Atom]) -> Values {
        use PrimOp::*;
        match prim {
            IntAdd | IntSub | IntMul | IntDiv | IntRem | IntNeg | IntShl | IntShr | WrappingAdd | WrappingSub
            | WrappingMul | WrappingNeg | WrappingShl | WrappingShr | AddOverflows | SubOverflows | MulOverflows
            | IntAnd | IntOr | IntXor | IntNot | RotateLeft | RotateRight | CountOnes | LeadingZeros
            | TrailingZeros | SwapBytes | ReverseBits | MulHigh | BoolNot => {
                smallvec::smallvec![self.int_prim(prim, args)]
            }
            Eq | Ne | Lt | Le | Gt | Ge => smallvec::smallvec![self.compare(prim, args)],
            FloatAdd | FloatSub | FloatMul | FloatDiv | FloatRem | FloatNeg | FloatAbs | FloatSqrt | FloatFloor
            | FloatCeil | FloatTrunc | FloatRound | FloatMin | FloatMax | FloatCopySign | FloatFma => {
                smallvec::smallvec![self.float_prim(prim, args)]
            }
            Cast | IntConvert | FloatToIntSat | FloatToBits | FloatFromBits => {
                smallvec::smallvec![self.conversion(var, prim, args[0])]
            }
            ArrayLen | ArrayGet | ArrayGetUnchecked | ArraySet | ArraySetUnchecked | ArrayPush | ArrayPop
            | ArrayWithCapacity | ArrayFilled | ArrayTruncate | ArraySlice | ArrayAppend | ArraySwap | ArrayTake
            | ArrayPut => self.array_prim(var, prim, args),
            FixedGet => self.fixed_get(args[0], args[1]),
            FixedSet => self.fixed_set(args[0], args[1], args[2]),
            RawLoad => self.raw_load(self.ty(var), args[0], args[1]),
            RawStore => {
                self.raw_store(args[0], args[1], args[2]);
                Values::new()
            }
            FrameSlot => smallvec::smallvec![self.frame_slot(args[0], args[1])],
            ArrayData => {
                let array = self.scalar(args[0]);
                smallvec::smallvec![self.code.add_imm(array, ARRAY_DATA as i64)]
            }
            ArrayUnique => {
                let array = self.scalar(args[0]);
                smallvec::smallvec![self.code.unique_array(self.ty(var), array)]
            }
            StrData => {
                let text = self.scalar(args[0]);
                smallvec::smallvec![self.code.load(types::I64, Region::Text, text, offset_of!(Str, data) as i32)]
            }
            CallbackEntry => {
                let Atom::Int(number, _) = args[0] else { unreachable!("the number of a signature is a constant") };
                let id = CallbackId::from_u32(number as u32);
                smallvec::smallvec![self.code.func_addr(Symbol::CallbackEntry(id))]
            }
            StrLen | StrByte | StrMatches => smallvec::smallvec![self.str_prim(prim, args)],
            CellNew => self.cell_new(self.ty(var), args[0]),
            CellGet => self.cell_get(args[0]),
            CellSet => self.cell_set(args[0], args[1]),
            CellTake => self.cell_take(args[0]),
            PtrEq => smallvec::smallvec![self.same_object(args[0], args[1])],
            IsUnique => {
                let ty = self.atom_type(args[0]);
                let values = self.atom(args[0]);
                smallvec::smallvec![self.code.is_unique(ty, &values)]
            }
            Panic => {
                let message = self.scalar(args[0]);
                self.code.panic("reml_panic_str", &[message]);
                let dead = self.code.cold_block();
                self.code.switch_to(dead);
                Values::new()
            }
            DeferPush => {
                let closure = self.scalar(args[0]);
                self.code.runtime("reml_defer_push", &[closure]);
                Values::new()
            }
            DeferPop => {
                let closure = self.code.runtime("reml_defer_pop", &[]).expect("it returns a closure");
                if !self.code.plan.layout(self.ty(var)).slots.is_empty() {
                    return smallvec::smallvec![closure];
                }
                // It is given back owned.
                let ty = self.code.plan.unit_closure();
                self.code.drop_value(ty, &[closure]);
                Values::new()
            }
            HandlerNew | HandlerAddress | HandlerPush | HandlerPop | HandlerFind | HandlerClause
            | ContinuationClause | HandlerEnter | HandlerLeave | HandlerRun | HandlerAbort | FiberStart
            | FiberResume | FiberResumeLast | FiberStopped | FiberContinue | FiberSuspend | ContinuationTake
            | PayloadTake => self.effect_prim(var, prim, args),
            Disguise => self.atom(args[0]),
            KeepAlive => Values::new(),
            BlackBox => {
                let values = self.atom(args[0]);
                self.black_box(&values)
            }
        }
    }
}
