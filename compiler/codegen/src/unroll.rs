//! Inlines small recursive functions into themselves, a level or two: half of the calls of a function like `fib` are
//! to its base case, and each costs more than what it does.

use std::borrow::Cow;

use cranelift_codegen::Context;
use cranelift_codegen::inline::{Inline, InlineCommand};
use cranelift_codegen::ir::{
    DebugTag, ExternalName, FuncRef, Function, Inst, InstructionData, Opcode, UserExternalName, Value,
};

/// Instructions that the unrolled function may have.
const LIMIT: usize = 160;
const MAX_LEVELS: usize = 2;

/// Unrolls the recursion of the function called `name`, if it is small and calls itself other than in tail position.
pub fn unroll(context: &mut Context, name: &UserExternalName) {
    let func = &context.func;
    let mut size = 0;
    let mut calls = 0;
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            size += 1;
            if let InstructionData::Call { opcode: Opcode::Call, func_ref, .. } = func.dfg.insts[inst] {
                calls += usize::from(is_self(func, func_ref, name));
            }
        }
    }
    let mut levels = 0;
    let (mut total, mut frontier) = (size, calls);
    while levels < MAX_LEVELS && frontier > 0 && total + frontier * size <= LIMIT {
        total += frontier * size;
        frontier *= calls;
        levels += 1;
    }
    if levels == 0 {
        return;
    }
    tag_calls(&mut context.func);
    let body = context.func.clone();
    for _ in 0..levels {
        let inliner = SelfInliner { body: &body, name };
        if context.inline(inliner).is_err() {
            // Only when the function has grown too large for Cranelift; what has been done so far is whole.
            return;
        }
    }
}

/// Inlining keeps tags where it forgets source locations: each call gets its own as a tag.
fn tag_calls(func: &mut Function) {
    let blocks: Vec<_> = func.layout.blocks().collect();
    for block in blocks {
        let calls: Vec<Inst> = func
            .layout
            .block_insts(block)
            .filter(|&inst| matches!(func.dfg.insts[inst].opcode(), Opcode::Call | Opcode::CallIndirect))
            .collect();
        for inst in calls {
            let place = func.srcloc(inst);
            if !place.is_default() {
                let mut tags = func.debug_tags.get(inst).to_vec();
                tags.push(DebugTag::User(place.bits()));
                func.debug_tags.set(inst, tags);
            }
        }
    }
}

fn is_self(func: &Function, callee: FuncRef, name: &UserExternalName) -> bool {
    match func.dfg.ext_funcs[callee].name {
        ExternalName::User(user) => func.params.user_named_funcs()[user] == *name,
        _ => false,
    }
}

struct SelfInliner<'a> {
    body: &'a Function,
    name: &'a UserExternalName,
}

impl Inline for SelfInliner<'_> {
    fn inline(
        &mut self,
        caller: &Function,
        _: Inst,
        opcode: Opcode,
        callee: FuncRef,
        _: &[Value],
    ) -> InlineCommand<'_> {
        if opcode == Opcode::Call && is_self(caller, callee, self.name) {
            InlineCommand::Inline { callee: Cow::Borrowed(self.body), visit_callee: false }
        } else {
            InlineCommand::KeepCall
        }
    }
}
