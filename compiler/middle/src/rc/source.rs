//! Who owns the result of an operation, and how does an operation take its operands?

use cranelift_entity::{EntityRef, PrimaryMap};

use crate::core::{Atom, Callee, Mode, Op, RuntimeFn, RuntimeId, Var};
use crate::prim::{ArgModes, PrimEffect, PrimOp};

/// Where the ownership of a counted result lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// With the variable itself.
    Owned,
    /// With something that outlives the function: a literal, a global.
    Static,
    /// With the product or sum it was read from.
    Field { base: Var, variant: u32, index: u32 },
    /// With a container it cannot be moved out of.
    Element(Var),
    /// With a mutable cell, until anything writes.
    Mutable(Var),
}

impl Source {
    pub fn of(op: &Op) -> Source {
        match op {
            Op::Field { base: Atom::Var(base), variant, index } => {
                Source::Field { base: *base, variant: *variant, index: *index }
            }
            Op::Field { .. } | Op::GlobalGet(_) => Source::Static,
            Op::Copy(Atom::Var(_)) => Source::Owned,
            Op::Copy(_) => Source::Static,
            Op::Prim(prim, args) if prim.args() == ArgModes::Borrow => match args.first() {
                Some(Atom::Var(base)) if prim.effect() == PrimEffect::Read => Source::Mutable(*base),
                Some(Atom::Var(base)) => Source::Element(*base),
                _ => Source::Static,
            },
            _ => Source::Owned,
        }
    }

    pub fn base(self) -> Option<Var> {
        match self {
            Source::Owned | Source::Static => None,
            Source::Field { base, .. } | Source::Element(base) | Source::Mutable(base) => Some(base),
        }
    }
}

/// What the signatures of callees say.
#[derive(Clone, Copy)]
pub struct Signatures<'a> {
    pub runtime: &'a PrimaryMap<RuntimeId, RuntimeFn>,
    /// The parameter modes of each function.
    pub modes: &'a [Vec<Mode>],
    /// Could calling the function write to a mutable cell?
    pub writes: &'a [bool],
    /// Can the function be reached again by tail calls through closures? Then a tail call of a closure it owns must not leave
    /// a drop behind.
    pub circular: &'a [bool],
}

impl Signatures<'_> {
    pub fn callee_mode(&self, callee: Callee, index: usize) -> Mode {
        match callee {
            Callee::Func(func) => self.modes[func.index()][index],
            Callee::Closure(_) | Callee::Consumed(_) => Mode::Owned,
        }
    }

    /// Calls `f` with each operand and how it is taken.
    pub fn operands(&self, op: &Op, f: &mut impl FnMut(Atom, Mode)) {
        match op {
            Op::Copy(atom) | Op::GlobalSet(_, atom) => f(*atom, Mode::Owned),
            Op::Tag(atom) => f(*atom, Mode::Borrowed),
            Op::Field { base, .. } => f(*base, Mode::Borrowed),
            Op::FieldAddr { base, .. } => f(Atom::Var(*base), Mode::Borrowed),
            Op::GlobalGet(_) | Op::GlobalTake(_) => {}
            Op::Prim(prim, args) => {
                for (index, &arg) in args.iter().enumerate() {
                    f(arg, prim_mode(*prim, index));
                }
            }
            Op::Call(callee, args) => {
                for (index, &arg) in args.iter().enumerate() {
                    f(arg, self.callee_mode(*callee, index));
                }
                if let Callee::Closure(closure) = callee {
                    f(*closure, Mode::Borrowed);
                }
            }
            Op::CallRuntime(id, args) => {
                for (&arg, &(_, mode)) in args.iter().zip(&self.runtime[*id].params) {
                    f(arg, mode);
                }
            }
            // C code borrows: it does not know about counts.
            Op::CallForeign(_, args) => args.iter().for_each(|&arg| f(arg, Mode::Borrowed)),
            Op::Closure(_, args) | Op::Array(args) | Op::Construct { args, .. } => {
                args.iter().for_each(|&arg| f(arg, Mode::Owned));
            }
        }
    }

    /// Could the operation write to a mutable cell that someone else reads?
    pub fn may_write(&self, op: &Op) -> bool {
        match op {
            Op::Call(callee, _) => self.callee_writes(*callee),
            Op::Prim(prim, _) => prim_writes(*prim),
            _ => false,
        }
    }

    pub fn callee_writes(&self, callee: Callee) -> bool {
        match callee {
            Callee::Func(func) => self.writes[func.index()],
            Callee::Closure(_) | Callee::Consumed(_) => true,
        }
    }
}

pub fn prim_mode(prim: PrimOp, index: usize) -> Mode {
    match prim.args() {
        ArgModes::Borrow | ArgModes::BorrowFresh => Mode::Borrowed,
        ArgModes::Consume => Mode::Owned,
        ArgModes::BorrowFirst if index == 0 => Mode::Borrowed,
        ArgModes::BorrowFirst => Mode::Owned,
    }
}

pub fn prim_writes(prim: PrimOp) -> bool {
    matches!(prim, PrimOp::CellSet | PrimOp::CellTake)
}
