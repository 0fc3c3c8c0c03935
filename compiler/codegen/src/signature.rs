//! Machine signatures of everything compiled code can call.

use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use reml_middle::core::Function;
use reml_semantics::types::{Prim, TypeId};

use crate::code::{clif_type, word_type};
use crate::foreign;
use crate::plan::Plan;
use crate::symbol::Symbol;

fn push_type(plan: &Plan, ty: TypeId, out: &mut Vec<AbiParam>) {
    out.extend(plan.layout(ty).slots.iter().map(|&slot| AbiParam::new(clif_type(slot))));
}

/// A value at the C border: narrow integers are extended as the platform wants.
pub fn push_c_type(plan: &Plan, ty: TypeId, out: &mut Vec<AbiParam>) {
    let info = plan.info(ty);
    let signed = info.prim.is_some_and(Prim::is_signed);
    for &slot in &info.layout.slots {
        let ty = clif_type(slot);
        let param = AbiParam::new(ty);
        out.push(match ty {
            types::I8 | types::I16 | types::I32 if signed => param.sext(),
            types::I8 | types::I16 | types::I32 => param.uext(),
            _ => param,
        });
    }
}

/// A Core function with all its parameters in order.
pub fn of_function(plan: &Plan, function: &Function) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    for &param in &function.params {
        push_type(plan, function.vars[param].ty, &mut signature.params);
    }
    push_type(plan, function.ret, &mut signature.returns);
    signature
}

/// A Core function as closure code: own parameters, then the closure object.
pub fn of_closure_entry(plan: &Plan, function: &Function) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    for &param in &function.params[function.captures..] {
        push_type(plan, function.vars[param].ty, &mut signature.params);
    }
    signature.params.push(AbiParam::new(types::I64));
    push_type(plan, function.ret, &mut signature.returns);
    signature
}

pub fn of_closure_type(plan: &Plan, fn_type: TypeId) -> Signature {
    let (params, ret) = plan.fn_type(fn_type);
    let mut signature = Signature::new(CallConv::Tail);
    for &param in params {
        push_type(plan, param, &mut signature.params);
    }
    signature.params.push(AbiParam::new(types::I64));
    push_type(plan, ret, &mut signature.returns);
    signature
}

fn tail(params: &[Type], returns: &[Type]) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend(params.iter().map(|&ty| AbiParam::new(ty)));
    signature.returns.extend(returns.iter().map(|&ty| AbiParam::new(ty)));
    signature
}

/// A runtime function: the context comes first.
fn runtime(plan: &Plan, params: impl Iterator<Item = TypeId>, ret: TypeId) -> Signature {
    let mut signature = Signature::new(plan.target.c_call_conv);
    signature.params.push(AbiParam::new(types::I64));
    for param in params {
        push_c_type(plan, param, &mut signature.params);
    }
    push_c_type(plan, ret, &mut signature.returns);
    signature
}

pub fn of_symbol(plan: &Plan, symbol: Symbol) -> Signature {
    use types::{I32, I64};
    match symbol {
        Symbol::Func(id) => of_function(plan, &plan.program.funcs[id]),
        Symbol::ClosureEntry(id) | Symbol::ClosureConsume(id) => of_closure_entry(plan, &plan.program.funcs[id]),
        Symbol::ClosureDrop(_)
        | Symbol::Free(_)
        | Symbol::HandlerDrop(_)
        | Symbol::ContinuationDrop
        | Symbol::ResourceDrop => tail(&[I64], &[]),
        Symbol::HandlerSearch => tail(&[I64, I64], &[I64]),
        Symbol::Drop(ty) | Symbol::Dup(ty) => {
            let mut signature = Signature::new(CallConv::Tail);
            push_type(plan, ty, &mut signature.params);
            signature
        }
        Symbol::ArrayCopy(_) | Symbol::ArrayTruncate(_) | Symbol::ArrayAppend(_) => tail(&[I64, I64], &[I64]),
        Symbol::ArraySlice(_) => tail(&[I64, I64, I64], &[I64]),
        Symbol::ArrayFilled(ty) => {
            let mut signature = tail(&[I64], &[I64]);
            let element = plan.info(ty).element.expect("an array type");
            push_type(plan, element, &mut signature.params);
            signature
        }
        Symbol::FixedCopy(_) => tail(&[I64], &[I64]),
        Symbol::Alloc(_) => tail(&[], &[I64]),
        Symbol::Refill(_) => Signature::new(CallConv::PreserveAll),
        Symbol::ColdCopy(_) | Symbol::ColdGrow(_) => {
            let mut signature = Signature::new(CallConv::PreserveAll);
            signature.params.push(AbiParam::new(I64));
            signature
        }
        Symbol::Panic(_) => tail(&[I64], &[]),
        Symbol::Main => {
            let mut signature = Signature::new(plan.target.c_call_conv);
            signature.params.push(AbiParam::new(I64));
            signature.returns.push(AbiParam::new(I32));
            signature
        }
        Symbol::Invoke | Symbol::RunEntry(_) | Symbol::RootDrop(_) | Symbol::RootDup(_) | Symbol::DropClosure => {
            let mut signature = Signature::new(plan.target.c_call_conv);
            signature.params.extend([AbiParam::new(I64), AbiParam::new(I64)]);
            signature
        }
        Symbol::Runtime(index) => {
            let function = &reml_rt::abi::CODEGEN_FUNCTIONS[index as usize];
            let mut signature = Signature::new(plan.target.c_call_conv);
            signature.params.extend(function.params.iter().map(|&word| AbiParam::new(word_type(word))));
            signature.returns.extend(function.ret.map(|word| AbiParam::new(word_type(word))));
            signature
        }
        Symbol::Library(id) => {
            let function = &plan.program.runtime[id];
            runtime(plan, function.params.iter().map(|&(ty, _)| ty), function.ret)
        }
        Symbol::Foreign(id) => foreign::of_c(plan, &plan.program.foreign[id].signature),
        Symbol::CallbackEntry(id) => foreign::of_c(plan, &plan.program.callbacks[id]),
        Symbol::FloatRem(double) => {
            let float = AbiParam::new(if double { types::F64 } else { types::F32 });
            let mut signature = Signature::new(plan.target.c_call_conv);
            signature.params.extend([float, float]);
            signature.returns.push(float);
            signature
        }
        Symbol::CMain | Symbol::Start => {
            let mut signature = Signature::new(plan.target.c_call_conv);
            signature.params.extend([AbiParam::new(I32).sext(), AbiParam::new(I64)]);
            if symbol == Symbol::Start {
                signature.params.push(AbiParam::new(I64));
            }
            signature.returns.push(AbiParam::new(I32).sext());
            signature
        }
        Symbol::Str(_)
        | Symbol::StaticClosure(_)
        | Symbol::ClosureInfo(_)
        | Symbol::HandlerInfo(_)
        | Symbol::ContinuationInfo
        | Symbol::Global(_)
        | Symbol::FrameTable
        | Symbol::ProgramInfo => {
            unreachable!("data is not called")
        }
    }
}
