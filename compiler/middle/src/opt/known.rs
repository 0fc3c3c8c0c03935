//! What is known about variables at one point of a function: how they were built, which variant they have, what has been
//! computed already. Facts learnt in a branch are undone when it is left.

use cranelift_entity::SecondaryMap;
use reml_semantics::types::TypeId;
use rustc_hash::FxHashMap;

use crate::core::{Atom, Callee, Case, FuncId, GlobalId, Op, StrId, Var};
use crate::prim::{PrimEffect, PrimOp};

#[derive(Default)]
pub struct Knowledge {
    /// Constructors, closures, globals and what functions without parameters give, by the variable that holds them.
    built: SecondaryMap<Var, Option<Box<Op>>>,
    /// Where a variable was read from.
    origin: SecondaryMap<Var, Option<(Var, u32, u32)>>,
    /// `v = !w`
    negated: SecondaryMap<Var, Option<Atom>>,
    /// `v = w == 7`, or `v = w != 7` (false).
    compared: SecondaryMap<Var, Option<(Var, Atom, bool)>>,
    variants: FxHashMap<Var, u32>,
    literals: FxHashMap<Var, Atom>,
    fields: FxHashMap<(Var, u32, u32), Var>,
    prims: FxHashMap<PrimKey, Var>,
    trail: Vec<Undo>,
}

enum Undo {
    Variant(Var, Option<u32>),
    Literal(Var, Option<Atom>),
    Field((Var, u32, u32)),
    Prim(PrimKey),
}

/// An atom that can be compared exactly and hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    Var(Var),
    Int(i128, TypeId),
    Float(u64, TypeId),
    Bool(bool),
    Unit,
    Str(StrId),
    None,
}

impl Operand {
    /// The atom that it is the key of.
    pub fn atom(self) -> Atom {
        match self {
            Operand::Var(var) => Atom::Var(var),
            Operand::Int(value, ty) => Atom::Int(value, ty),
            Operand::Float(bits, ty) => Atom::Float(f64::from_bits(bits), ty),
            Operand::Bool(value) => Atom::Bool(value),
            Operand::Unit => Atom::Unit,
            Operand::Str(id) => Atom::Str(id),
            Operand::None => Atom::Hole,
        }
    }
}

pub type PrimKey = (PrimOp, TypeId, [Operand; 3]);

pub fn operand(atom: Atom) -> Operand {
    match atom {
        Atom::Var(var) => Operand::Var(var),
        Atom::Int(value, ty) => Operand::Int(value, ty),
        Atom::Float(value, ty) => Operand::Float(value.to_bits(), ty),
        Atom::Bool(value) => Operand::Bool(value),
        Atom::Unit => Operand::Unit,
        Atom::Str(id) => Operand::Str(id),
        Atom::Hole => Operand::None,
    }
}

pub fn prim_key(prim: PrimOp, args: &[Atom], ty: TypeId) -> Option<PrimKey> {
    let repeatable =
        matches!(prim.effect(), PrimEffect::Pure | PrimEffect::Panic) && prim.args() == crate::prim::ArgModes::Borrow;
    if !repeatable || args.len() > 3 {
        return None;
    }
    let mut operands = [Operand::None; 3];
    for (slot, &arg) in operands.iter_mut().zip(args) {
        *slot = operand(arg);
    }
    Some((prim, ty, operands))
}

impl Knowledge {
    pub fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Forgets what was learnt since the mark.
    pub fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            match self.trail.pop() {
                Some(Undo::Variant(var, before)) => restore(&mut self.variants, var, before),
                Some(Undo::Literal(var, before)) => restore(&mut self.literals, var, before),
                Some(Undo::Field(key)) => {
                    self.fields.remove(&key);
                }
                Some(Undo::Prim(key)) => {
                    self.prims.remove(&key);
                }
                None => {}
            }
        }
    }

    /// `var: ty = op` has been written.
    pub fn define(&mut self, var: Var, op: &Op, ty: TypeId) {
        match op {
            Op::Construct { .. } | Op::Closure(..) | Op::Array(_) | Op::GlobalGet(_) => {
                self.built[var] = Some(Box::new(op.clone()));
            }
            Op::Call(Callee::Func(_), args) if args.is_empty() => self.built[var] = Some(Box::new(op.clone())),
            Op::Field { base: Atom::Var(base), variant, index } => {
                let key = (*base, *variant, *index);
                self.origin[var] = Some(key);
                if self.fields.insert(key, var).is_none() {
                    self.trail.push(Undo::Field(key));
                }
            }
            Op::Prim(prim, args) => {
                if let (
                    PrimOp::Eq | PrimOp::Ne,
                    &[Atom::Var(other), value @ Atom::Int(..)] | &[value @ Atom::Int(..), Atom::Var(other)],
                ) = (*prim, args.as_slice())
                {
                    self.compared[var] = Some((other, value, *prim == PrimOp::Eq));
                }
                if *prim == PrimOp::BoolNot {
                    self.negated[var] = args.first().copied();
                }
                if let Some(key) = prim_key(*prim, args, ty)
                    && self.prims.insert(key, var).is_none()
                {
                    self.trail.push(Undo::Prim(key));
                }
            }
            _ => {}
        }
    }

    /// A switch on `var` took this case.
    pub fn learn(&mut self, var: Var, case: Case, ty: TypeId) {
        match case {
            Case::Variant(variant) => {
                let before = self.variants.insert(var, variant);
                self.trail.push(Undo::Variant(var, before));
            }
            Case::Bool(value) => {
                self.learn_literal(var, Atom::Bool(value));
                if let Some((other, literal, equal)) = self.compared[var]
                    && value == equal
                {
                    self.learn_literal(other, literal);
                }
            }
            Case::Int(value) => self.learn_literal(var, Atom::Int(value, ty)),
        }
    }

    fn learn_literal(&mut self, var: Var, atom: Atom) {
        let before = self.literals.insert(var, atom);
        self.trail.push(Undo::Literal(var, before));
    }

    /// The variable, or the literal it is known to be here.
    pub fn refined(&self, var: Var) -> Atom {
        self.literals.get(&var).copied().unwrap_or(Atom::Var(var))
    }

    pub fn variant(&self, var: Var) -> Option<u32> {
        match self.built[var].as_deref() {
            Some(Op::Construct { variant, .. }) => Some(*variant),
            _ => self.variants.get(&var).copied(),
        }
    }

    pub fn field(&self, base: Var, variant: u32, index: u32) -> Option<Atom> {
        if let Some(Op::Construct { variant: built, args, .. }) = self.built[base].as_deref()
            && *built == variant
        {
            return args.get(index as usize).copied().filter(|&arg| arg != Atom::Hole);
        }
        self.fields.get(&(base, variant, index)).map(|&var| Atom::Var(var))
    }

    pub fn closure(&self, var: Var) -> Option<(FuncId, Vec<Atom>)> {
        match self.built[var].as_deref() {
            Some(Op::Closure(func, captures)) => Some((*func, captures.clone())),
            _ => None,
        }
    }

    /// The global that a variable was read from.
    pub fn global(&self, var: Var) -> Option<GlobalId> {
        match self.built[var].as_deref() {
            Some(Op::GlobalGet(global)) => Some(*global),
            _ => None,
        }
    }

    /// The elements of an array that was built here.
    pub fn array(&self, var: Var) -> Option<&[Atom]> {
        match self.built[var].as_deref() {
            Some(Op::Array(items)) => Some(items),
            _ => None,
        }
    }

    /// The function without parameters that gave the value of a variable.
    pub fn given_by(&self, var: Var) -> Option<FuncId> {
        match self.built[var].as_deref() {
            Some(Op::Call(Callee::Func(func), _)) => Some(*func),
            _ => None,
        }
    }

    /// The lambda in a variable: the variable that holds the closure itself (inside a newtype, say) and its parts.
    pub fn lambda(&self, var: Var) -> Option<(Var, FuncId, &[Atom])> {
        match self.built[var].as_deref()? {
            Op::Closure(func, captures) => Some((var, *func, captures)),
            Op::Construct { variant: 0, args, .. } => match args.as_slice() {
                [Atom::Var(inner)] => match self.built[*inner].as_deref()? {
                    Op::Closure(func, captures) => Some((*inner, *func, captures)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// Is the variable a closure built here, or something that holds one?
    pub fn holds_closure(&self, var: Var) -> bool {
        let mut work = vec![(var, 0)];
        while let Some((var, depth)) = work.pop() {
            match self.built[var].as_deref() {
                Some(Op::Closure(..)) => return true,
                Some(Op::Construct { args, .. } | Op::Array(args)) if depth < 3 => {
                    work.extend(args.iter().filter_map(|arg| match arg {
                        Atom::Var(var) => Some((*var, depth + 1)),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        false
    }

    pub fn negated(&self, var: Var) -> Option<Atom> {
        self.negated[var]
    }

    /// What a truth value says: the variable that is compared, with what, and whether it is true when they are equal.
    pub fn compared(&self, var: Var) -> Option<(Var, i128, bool)> {
        match self.compared[var] {
            Some((other, Atom::Int(value, _), equal)) => Some((other, value, equal)),
            _ => None,
        }
    }

    /// The value that a constructor of these arguments rebuilds field by field.
    pub fn rebuilt(&self, variant: u32, args: &[Atom], ty: TypeId, type_of: impl Fn(Var) -> TypeId) -> Option<Var> {
        let origin = |arg: &Atom| match arg {
            Atom::Var(var) => self.origin[*var],
            _ => None,
        };
        let (base, ..) = origin(args.first()?)?;
        let same = args.iter().enumerate().all(|(index, arg)| origin(arg) == Some((base, variant, index as u32)));
        (same && type_of(base) == ty).then_some(base)
    }

    /// The result of a primitive, if it has been computed already.
    pub fn prim(&self, prim: PrimOp, args: &[Atom], ty: TypeId) -> Option<Atom> {
        if let (PrimOp::ArrayLen, [Atom::Var(array)]) = (prim, args)
            && let Some(items) = self.array(*array)
        {
            return Some(Atom::Int(items.len() as i128, ty));
        }
        if let (PrimOp::ArrayGet | PrimOp::ArrayGetUnchecked, &[Atom::Var(array), Atom::Int(index, _)]) = (prim, args)
            && let Some(&item) = self.array(array).and_then(|items| items.get(usize::try_from(index).ok()?))
        {
            return Some(item);
        }
        let key = prim_key(prim, args, ty)?;
        self.prims.get(&key).map(|&var| Atom::Var(var))
    }
}

fn restore<T>(map: &mut FxHashMap<Var, T>, var: Var, before: Option<T>) {
    match before {
        Some(value) => map.insert(var, value),
        None => map.remove(&var),
    };
}
