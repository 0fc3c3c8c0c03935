//! How are values read from memory that C sees, and written to it?
//!
//! Piece by piece, as their layouts say. What has many pieces is done by a function of its own, which is made once for each type.

use reml_diagnostics::Span;
use reml_semantics::types::{Prim, Type, TypeId};

use super::super::Lower;
use super::super::build::FunctionBuilder;
use super::super::derive::Derived;
use super::super::instances::Signature;
use super::CCode;
use crate::c_layout::CShape;
use crate::core::{Atom, Block, Callee, Case, End, FuncId, Mode, Op, Var};
use crate::prim::PrimOp;

/// A value of more scalars is taken apart by a function of its own.
const INLINE_SCALARS: u64 = 16;

impl Lower<'_> {
    pub fn c_derived_signature(&mut self, derived: Derived, ty: TypeId) -> Signature {
        let core = self.core_type(ty);
        let address = (self.types.prim(Prim::RawPtr), Mode::Owned);
        let (params, ret) = match derived {
            Derived::CLoad => (vec![address], core),
            Derived::CStore => (vec![address, (core, Mode::Borrowed)], self.types.unit()),
            _ => {
                let layout = self.c_layout(ty);
                (vec![(self.c_scalar(&layout), Mode::Owned)], core)
            }
        };
        Signature { params, ret }
    }

    /// Writes the function that reads, writes or recognises values of a type.
    pub fn write_c_derived(&mut self, func: FuncId, derived: Derived, ty: TypeId) {
        let signature = self.signature(func);
        let mut code = FunctionBuilder::default();
        let vars: Vec<Var> = signature.params.iter().map(|&(ty, _)| code.var(ty, Span::NONE)).collect();
        let mut c = CCode { l: self, code: &mut code, span: Span::NONE };
        match derived {
            Derived::CLoad => {
                let value = c.load_parts(ty, Atom::Var(vars[0]), 0);
                code.end(End::Return(value));
            }
            Derived::CStore => {
                c.store_parts(ty, Atom::Var(vars[0]), 0, Atom::Var(vars[1]));
                code.end(End::Return(Atom::Unit));
            }
            _ => c.variant_of(ty, Atom::Var(vars[0])),
        }
        let modes = signature.params.iter().map(|&(_, mode)| mode).collect();
        self.fill(func, vars, 0, modes, code);
    }
}

impl CCode<'_, '_> {
    /// Reads a value.
    pub(super) fn load(&mut self, ty: TypeId, address: Atom, offset: u32) -> Atom {
        if offset == 0 && self.l.c_layout(ty).scalar_count() > INLINE_SCALARS {
            let func = self.l.derived_fn(Derived::CLoad, ty);
            let ty = self.l.core_type(ty);
            return self.emit(ty, Op::Call(Callee::Func(func), vec![address]));
        }
        self.load_parts(ty, address, offset)
    }

    fn load_parts(&mut self, ty: TypeId, address: Atom, offset: u32) -> Atom {
        let core = self.l.core_type(ty);
        if let Some((inner, erased)) = self.newtype_of(ty) {
            let value = self.load_parts(inner, address, offset);
            return match erased {
                true => value,
                false => self.emit(core, Op::Construct { variant: 0, args: vec![value], token: None }),
            };
        }
        let layout = self.l.c_layout(ty);
        match &layout.shape {
            CShape::Void => Atom::Unit,
            CShape::Scalar(Prim::Bool) => {
                let byte = self.load_scalar(Prim::U8, address, offset);
                let zero = Atom::Int(0, self.ty(Prim::U8));
                self.emit(core, Op::Prim(PrimOp::Ne, vec![byte, zero]))
            }
            CShape::Scalar(prim) => self.load_scalar(*prim, address, offset),
            CShape::Enum(base, _) => {
                let value = self.load_scalar(*base, address, offset);
                self.value_of_scalar(ty, value)
            }
            CShape::Record(fields) => {
                let mut args = vec![Atom::Unit; fields.len()];
                for field in fields {
                    args[field.index as usize] = self.load_parts(field.ty, address, offset + field.offset);
                }
                self.emit(core, Op::Construct { variant: 0, args, token: None })
            }
            CShape::Array(element, len) => {
                let Type::FixedArray(element_ty, _) = *self.l.types.get(ty) else { return Atom::Unit };
                let mut args = Vec::with_capacity(*len as usize);
                for index in 0..*len as u32 {
                    args.push(self.load_parts(element_ty, address, offset + index * element.size));
                }
                self.emit(core, Op::Construct { variant: 0, args, token: None })
            }
            CShape::Union(_) => {
                let zero = Atom::Int(0, self.ty(Prim::U8));
                let size = self.int(layout.size);
                let bytes = self.emit(core, Op::Prim(PrimOp::ArrayFilled, vec![size, zero]));
                let raw = self.ty(Prim::RawPtr);
                let to = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![bytes]));
                self.copy(to, 0, address, offset, layout.size);
                // A new name: what is read of it is read after the copy.
                self.emit(core, Op::Prim(PrimOp::ArrayUnique, vec![bytes]))
            }
        }
    }

    fn load_scalar(&mut self, prim: Prim, address: Atom, offset: u32) -> Atom {
        let (ty, offset) = (self.ty(prim), self.int(offset));
        self.emit(ty, Op::Prim(PrimOp::RawLoad, vec![address, offset]))
    }

    /// Writes a value.
    pub(super) fn store(&mut self, ty: TypeId, address: Atom, offset: u32, value: Atom) {
        if offset == 0 && self.l.c_layout(ty).scalar_count() > INLINE_SCALARS {
            let func = self.l.derived_fn(Derived::CStore, ty);
            let unit = self.unit();
            self.emit(unit, Op::Call(Callee::Func(func), vec![address, value]));
            return;
        }
        self.store_parts(ty, address, offset, value);
    }

    fn store_parts(&mut self, ty: TypeId, address: Atom, offset: u32, value: Atom) {
        if let Some((inner, erased)) = self.newtype_of(ty) {
            let value = match erased {
                true => value,
                false => {
                    let inner_ty = self.l.core_type(inner);
                    self.emit(inner_ty, Op::Field { base: value, variant: 0, index: 0 })
                }
            };
            return self.store_parts(inner, address, offset, value);
        }
        let layout = self.l.c_layout(ty);
        match &layout.shape {
            CShape::Void => {}
            CShape::Scalar(_) | CShape::Enum(..) => {
                let scalar = self.scalar_of(ty, value);
                let (unit, offset) = (self.unit(), self.int(offset));
                self.emit(unit, Op::Prim(PrimOp::RawStore, vec![address, offset, scalar]));
            }
            CShape::Record(fields) => {
                for field in fields {
                    let part_ty = self.l.core_type(field.ty);
                    let part = self.emit(part_ty, Op::Field { base: value, variant: 0, index: field.index });
                    self.store_parts(field.ty, address, offset + field.offset, part);
                }
            }
            CShape::Array(element, len) => {
                let Type::FixedArray(element_ty, _) = *self.l.types.get(ty) else { return };
                let part_ty = self.l.core_type(element_ty);
                for index in 0..*len as u32 {
                    let part = self.emit(part_ty, Op::Field { base: value, variant: 0, index });
                    self.store_parts(element_ty, address, offset + index * element.size, part);
                }
            }
            CShape::Union(_) => {
                let raw = self.ty(Prim::RawPtr);
                let from = self.emit(raw, Op::Prim(PrimOp::ArrayData, vec![value]));
                self.copy(address, offset, from, 0, layout.size);
                let unit = self.unit();
                self.emit(unit, Op::Prim(PrimOp::KeepAlive, vec![value]));
            }
        }
    }

    /// Copies bytes, the largest pieces first.
    fn copy(&mut self, to: Atom, to_offset: u32, from: Atom, from_offset: u32, bytes: u32) {
        let unit = self.unit();
        let mut done = 0;
        while done < bytes {
            let (prim, width) = match bytes - done {
                8.. => (Prim::U64, 8),
                4.. => (Prim::U32, 4),
                2.. => (Prim::U16, 2),
                _ => (Prim::U8, 1),
            };
            let piece = self.load_scalar(prim, from, from_offset + done);
            let offset = self.int(to_offset + done);
            self.emit(unit, Op::Prim(PrimOp::RawStore, vec![to, offset, piece]));
            done += width;
        }
    }

    /// Returns the variant of an enumeration that an integer stands for; others are a panic.
    fn variant_of(&mut self, ty: TypeId, value: Atom) {
        let layout = self.l.c_layout(ty);
        let CShape::Enum(base, count) = layout.shape else { return };
        let core = self.l.core_type(ty);
        let name = self.l.type_text(ty);
        let case = |index: u32| {
            let variant = Atom::Int(index.into(), core);
            (Case::Int(index.into()), Block::new(Vec::new(), End::Return(variant)))
        };
        let cases = (0..count).map(case).collect();
        let (i64, str) = (self.ty(Prim::I64), self.ty(Prim::Str));
        let outer = std::mem::take(&mut self.code.cursor);
        let wide = match base {
            Prim::I64 => value,
            _ => self.emit(i64, Op::Prim(PrimOp::IntConvert, vec![value])),
        };
        let before = Atom::Str(self.l.string("C gave the number "));
        let after = Atom::Str(self.l.string(&format!(", which stands for no variant of `{name}`")));
        let mut text = before;
        if let Some(number) = self.l.lang_op("int_to_str", vec![wide], self.span) {
            let number = self.emit(str, number);
            for part in [number, after] {
                if let Some(joined) = self.l.lang_op("str_concat", vec![text, part], self.span) {
                    text = self.emit(str, joined);
                }
            }
        }
        let never = self.ty(Prim::Never);
        self.emit(never, Op::Prim(PrimOp::Panic, vec![text]));
        self.code.end(End::Unreachable);
        let panic = std::mem::replace(&mut self.code.cursor, outer).finish();
        let default = Some(Box::new(panic));
        self.code.end(End::Switch(crate::core::Switch { scrutinee: value, cases, default }));
    }
}
