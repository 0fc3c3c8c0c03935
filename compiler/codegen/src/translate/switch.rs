//! Branching on tags, numbers and booleans.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block as ClifBlock, InstBuilder, Value, types};
use cranelift_frontend::Switch as JumpSwitch;
use reml_middle::core::{Case, Switch};
use reml_middle::layout::{Pointer, Shape};

use super::alike::are_alike;
use super::function::Translator;
use crate::plan::TypeInfo;

/// Where each case goes; `default` is `None` when the cases are all there is.
struct Targets {
    cases: Vec<(u128, ClifBlock)>,
    default: Option<ClifBlock>,
}

impl<'p> Translator<'_, 'p> {
    pub fn switch(&mut self, switch: &'p Switch) {
        // The work list is a stack: the first case comes out first and follows the branch in the code.
        let default = switch.default.as_deref().map(|body| self.later(body));
        let mut cases: Vec<(Case, ClifBlock)> = Vec::with_capacity(switch.cases.len());
        for (index, (case, body)) in switch.cases.iter().enumerate().rev() {
            let further = switch.cases[index + 1..].iter().rev();
            let same = further.zip(&cases).find(|((_, other), _)| are_alike(body, other, &self.function.vars));
            let block = same.map(|(_, &(_, block))| block);
            cases.push((*case, block.unwrap_or_else(|| self.later(body))));
        }
        cases.reverse();
        let ty = self.atom_type(switch.scrutinee);
        let info = self.code.plan.info(ty).clone();
        let values = self.atom(switch.scrutinee);
        let Some(&value) = values.first() else {
            let only = cases.first().map(|&(_, block)| block).or(default);
            return self.jump_or_trap(only);
        };
        if let Some(&(Case::Bool(_), _)) = cases.first() {
            return self.switch_bool(value, &cases, default);
        }
        let width = self.code.builder.func.dfg.value_type(value).bits();
        let targets =
            Targets { cases: cases.iter().map(|&(case, block)| (case_value(case, width), block)).collect(), default };
        if matches!(cases.first(), Some((Case::Int(_), _)) | None) {
            return self.dispatch(value, &targets);
        }
        match info.layout.shape {
            Shape::Nullable { empty, full } => self.switch_nullable(value, empty, full, &targets),
            Shape::Pointer(Pointer::Sum { immediates }) => self.switch_cell(value, &info, immediates, &targets),
            Shape::Scalar | Shape::Sum(_) => self.dispatch(value, &targets),
            // One variant only.
            _ => self.jump_or_trap(targets.cases.first().map(|&(_, block)| block).or(default)),
        }
    }

    fn jump_or_trap(&mut self, block: Option<ClifBlock>) {
        match block {
            Some(block) => self.code.jump(block, &[]),
            None => self.code.unreachable(),
        }
    }

    fn switch_bool(&mut self, value: Value, cases: &[(Case, ClifBlock)], default: Option<ClifBlock>) {
        let find = |wanted: bool| {
            cases.iter().find(|(case, _)| *case == Case::Bool(wanted)).map(|&(_, block)| block).or(default)
        };
        match (find(true), find(false)) {
            (Some(yes), Some(no)) => self.code.branch_to_next(value, yes, no),
            (yes, no) => self.jump_or_trap(yes.or(no)),
        }
    }

    fn switch_nullable(&mut self, value: Value, empty: u32, full: u32, targets: &Targets) {
        match (targets.find(full), targets.find(empty)) {
            (Some(full), Some(empty)) => self.code.branch_to_next(value, full, empty),
            (full, empty) => self.jump_or_trap(full.or(empty)),
        }
    }

    /// A boxed sum: immediates are told by their odd bit, cells by the tag in the header.
    fn switch_cell(&mut self, value: Value, info: &TypeInfo, immediates: bool, targets: &Targets) {
        let is_cell = |variant: u32| !immediates || !info.variants[variant as usize].fields.is_empty();
        let variants = 0..info.variants.len() as u32;
        let (cells, odds): (Vec<u32>, Vec<u32>) = variants.partition(|&variant| is_cell(variant));
        let cell_targets = targets.only(&cells);
        if !immediates {
            return self.switch_tag(value, info, &cell_targets);
        }
        let odd_targets = targets.only(&odds);
        let odd_target = odd_targets.single();
        let odd_block = odd_target.unwrap_or_else(|| self.code.block());
        let cell_target = cell_targets.single();
        let cell_block = cell_target.unwrap_or_else(|| self.code.block());
        let odd = self.code.builder.ins().band_imm_u(value, 1);
        self.code.branch(odd, odd_block, cell_block);
        if odd_target.is_none() {
            self.code.switch_to(odd_block);
            let tag = self.code.builder.ins().ushr_imm_u(value, 1);
            self.dispatch(tag, &odd_targets);
        }
        if cell_target.is_none() {
            self.code.switch_to(cell_block);
            self.switch_tag(value, info, &cell_targets);
        }
    }

    fn switch_tag(&mut self, value: Value, info: &TypeInfo, targets: &Targets) {
        if let Some(only) = targets.single() {
            return self.code.jump(only, &[]);
        }
        if targets.cases.is_empty() && targets.default.is_none() {
            return self.code.unreachable();
        }
        let tag = self.code.cell_tag(info, value);
        self.dispatch(tag, targets);
    }

    /// Compares a machine integer: a chain for few cases, else Cranelift's own mix of trees and tables.
    fn dispatch(&mut self, value: Value, targets: &Targets) {
        let (last, first) = match (targets.default, targets.cases.split_last()) {
            (Some(default), _) => (default, targets.cases.as_slice()),
            (None, Some((&(_, block), rest))) => (block, rest),
            (None, None) => return self.code.unreachable(),
        };
        if first.len() <= 3 {
            for &(constant, block) in first {
                let ty = self.code.builder.func.dfg.value_type(value);
                let constant = self.code.int_of(ty, constant as i128);
                let hit = self.code.builder.ins().icmp(IntCC::Equal, value, constant);
                let next = self.code.block();
                self.code.branch(hit, block, next);
                self.code.switch_to(next);
            }
            return self.code.jump(last, &[]);
        }
        if let Some(set) = Set::of(first) {
            return self.test_member(value, &set, last);
        }
        let mut switch = JumpSwitch::new();
        for &(constant, block) in first {
            switch.set_entry(constant, block);
        }
        switch.emit(&mut self.code.builder, value, last);
    }

    /// Tells the members of a set from all other values: two tests, most often only the first.
    fn test_member(&mut self, value: Value, set: &Set, other: ClifBlock) {
        let ty = self.code.builder.func.dfg.value_type(value);
        let largest = self.code.int_of(ty, i128::from(set.largest));
        let near = self.code.builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, value, largest);
        let next = self.code.block();
        self.code.branch(near, next, other);
        self.code.switch_to(next);
        let bits = self.code.int(set.bits as i64);
        let shifted = self.code.builder.ins().ushr(bits, value);
        let member = self.code.builder.ins().band_imm_u(shifted, 1);
        self.code.branch(member, set.block, other);
    }

    /// The tag of a sum value as `i64`.
    pub fn tag(&mut self, info: &TypeInfo, values: &[Value]) -> Value {
        let Some(&value) = values.first() else {
            return self.code.int(0);
        };
        match info.layout.shape {
            Shape::Scalar | Shape::Sum(_) => self.code.builder.ins().uextend(types::I64, value),
            Shape::Nullable { full, .. } => {
                let condition = if full == 1 { IntCC::NotEqual } else { IntCC::Equal };
                let tag = self.code.builder.ins().icmp_imm_s(condition, value, 0);
                self.code.builder.ins().uextend(types::I64, tag)
            }
            Shape::Pointer(Pointer::Sum { immediates }) => {
                if !immediates {
                    let tag = self.code.cell_tag(info, value);
                    return self.code.builder.ins().uextend(types::I64, tag);
                }
                let (odd_block, cell_block, done) = (self.code.block(), self.code.block(), self.code.block());
                let result = self.code.builder.append_block_param(done, types::I64);
                let odd = self.code.builder.ins().band_imm_u(value, 1);
                self.code.branch(odd, odd_block, cell_block);
                self.code.switch_to(odd_block);
                let tag = self.code.builder.ins().ushr_imm_u(value, 1);
                self.code.jump(done, &[tag]);
                self.code.switch_to(cell_block);
                let tag = self.code.cell_tag(info, value);
                let tag = self.code.builder.ins().uextend(types::I64, tag);
                self.code.jump(done, &[tag]);
                self.code.switch_to(done);
                result
            }
            _ => self.code.int(0),
        }
    }
}

/// Numbers below 64 that go to one block.
struct Set {
    bits: u64,
    largest: u8,
    block: ClifBlock,
}

impl Set {
    fn of(cases: &[(u128, ClifBlock)]) -> Option<Set> {
        let &(_, block) = cases.first()?;
        let mut set = Set { bits: 0, largest: 0, block };
        for &(constant, other) in cases {
            if constant >= 64 || other != block {
                return None;
            }
            set.bits |= 1 << constant;
            set.largest = set.largest.max(constant as u8);
        }
        Some(set)
    }
}

impl Targets {
    fn find(&self, variant: u32) -> Option<ClifBlock> {
        let case = self.cases.iter().find(|&&(value, _)| value == u128::from(variant));
        case.map(|&(_, block)| block).or(self.default)
    }

    /// The targets of these variants; keeps the default only where it is reachable from them.
    fn only(&self, variants: &[u32]) -> Targets {
        let of = |value: u128| variants.iter().any(|&variant| u128::from(variant) == value);
        let cases: Vec<_> = self.cases.iter().copied().filter(|&(value, _)| of(value)).collect();
        let default = if cases.len() < variants.len() { self.default } else { None };
        Targets { cases, default }
    }

    /// The one block that is reached whatever the value is.
    fn single(&self) -> Option<ClifBlock> {
        match (self.default, self.cases.as_slice()) {
            (Some(default), []) => Some(default),
            (None, [(_, block)]) => Some(*block),
            _ => None,
        }
    }
}

/// The unsigned machine value a case compares with, in an integer of `width` bits.
fn case_value(case: Case, width: u32) -> u128 {
    let value = match case {
        Case::Variant(tag) => u128::from(tag),
        Case::Int(value) => value as u128,
        Case::Bool(value) => u128::from(value),
    };
    value & ((1 << width) - 1)
}
