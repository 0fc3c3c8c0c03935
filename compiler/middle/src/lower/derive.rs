//! What is the code of a structural trait at a type that has no impl of its own?
//!
//! Equality, order and hash look at the parts in stored order; the last part is compared by a tail call, so that long
//! lists need no stack. [`super::derive_text`] has the two traits that make text.

use reml_diagnostics::Span;
use reml_semantics::typed::TypeDefKind;
use reml_semantics::types::{Prim, Type, TypeId};

use super::Lower;
use super::build::{Builder, FunctionBuilder};
use super::instances::Signature;
use super::traits::MethodTarget;
use crate::core::{Atom, Callee, Case, End, FuncId, Join, Mode, Op, Stmt, Var};
use crate::prim::PrimOp;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Derived {
    Eq,
    Compare,
    Hash,
    Display,
    Show,
    /// What `Show` gives, behind a text: so that what is nested is copied once, not once for each level.
    ShowBehind,
    /// `List<T>` to `[T]`, for bracket patterns that count from the end. Its type is the element's.
    ListItems,
    /// Reads a value that lies in memory as C lays it out.
    CLoad,
    /// Writes one.
    CStore,
    /// The variant of an enumeration that C's integer stands for.
    CVariant,
}

impl Derived {
    pub fn name(self) -> &'static str {
        match self {
            Derived::Eq => "eq",
            Derived::Compare => "compare",
            Derived::Hash => "hash",
            Derived::Display => "to_string",
            Derived::Show => "show",
            Derived::ShowBehind => "show_behind",
            Derived::ListItems => "list_items",
            Derived::CLoad => "c_load",
            Derived::CStore => "c_store",
            Derived::CVariant => "c_variant",
        }
    }

    fn trait_name(self) -> &'static str {
        match self {
            Derived::Eq => "Eq",
            Derived::Compare => "Ord",
            Derived::Hash => "Hash",
            Derived::Display => "Display",
            Derived::Show | Derived::ShowBehind => "Debug",
            Derived::ListItems | Derived::CLoad | Derived::CStore | Derived::CVariant => "",
        }
    }
}

impl Lower<'_> {
    pub fn derived_signature(&mut self, derived: Derived, ty: TypeId) -> Signature {
        let core = self.core_type(ty);
        let prim = |this: &Self, prim| this.types.prim(prim);
        let this = (core, Mode::Borrowed);
        let (params, ret) = match derived {
            Derived::Eq => (vec![this, this], prim(self, Prim::Bool)),
            Derived::Compare => (vec![this, this], self.ordering()),
            Derived::Hash => {
                let state = prim(self, Prim::U64);
                (vec![this, (state, Mode::Owned)], state)
            }
            Derived::Display | Derived::Show => (vec![this], prim(self, Prim::Str)),
            Derived::ShowBehind => {
                let text = prim(self, Prim::Str);
                (vec![this, (text, Mode::Owned)], text)
            }
            Derived::ListItems => {
                let list = self.list_type(core);
                (vec![(list, Mode::Borrowed)], self.types.intern(Type::Array(core)))
            }
            Derived::CLoad | Derived::CStore | Derived::CVariant => return self.c_derived_signature(derived, ty),
        };
        Signature { params, ret }
    }

    fn list_type(&mut self, element: TypeId) -> TypeId {
        match self.src.lang.list {
            Some(list) => self.types.intern(Type::Adt(list, [element].into())),
            None => self.types.unit(),
        }
    }

    /// Core's `Ordering`.
    fn ordering(&mut self) -> TypeId {
        match self.src.lang.ordering {
            Some(ordering) => self.types.intern(Type::Adt(ordering, Box::default())),
            None => self.types.prim(Prim::I8),
        }
    }

    pub fn list_to_array(&mut self, element: TypeId, list: Atom) -> Op {
        Op::Call(Callee::Func(self.derived_fn(Derived::ListItems, element)), vec![list])
    }

    /// A derived method that is one operation.
    pub fn inline_derived(&mut self, derived: Derived, ty: TypeId, args: &[Atom]) -> Option<Op> {
        let ty = self.deref(ty);
        if self.types.is_unit(ty) {
            return match derived {
                Derived::Eq => Some(Op::Copy(Atom::Bool(true))),
                _ => None,
            };
        }
        let prim = self.prim_of(ty)?;
        let lang = |this: &mut Self, name| this.lang_op(name, args.to_vec(), Span::NONE);
        match (derived, prim) {
            (Derived::Eq, Prim::Str) => lang(self, "str_eq"),
            (Derived::Eq, Prim::Never) => None,
            (Derived::Eq, _) => Some(Op::Prim(PrimOp::Eq, args.to_vec())),
            (Derived::Hash, Prim::Str) => lang(self, "str_hash"),
            (Derived::Display, Prim::Str) => Some(Op::Copy(args[0])),
            (Derived::Show, Prim::Str) => lang(self, "show_str"),
            (Derived::Display | Derived::Show, Prim::I64 | Prim::Isize) => lang(self, "int_to_str"),
            (Derived::Display | Derived::Show, Prim::U64 | Prim::Usize) => lang(self, "uint_to_str"),
            (Derived::Display | Derived::Show, Prim::F64) => lang(self, "float_to_str"),
            (Derived::Display | Derived::Show, Prim::Bool) => lang(self, "bool_to_str"),
            (Derived::Display, Prim::Char) => lang(self, "char_to_str"),
            (Derived::Show, Prim::Char) => lang(self, "show_char"),
            _ => None,
        }
    }

    /// The operation that a structural trait's method is at a source type: an impl's, or derived.
    pub fn structural_op(&mut self, derived: Derived, ty: TypeId, args: Vec<Atom>) -> Op {
        let ty = self.deref(ty);
        if let Some(&trait_) = self.src.lang.traits.get(derived.trait_name()) {
            let methods = &self.src.traits[trait_].methods;
            let names = self.names;
            let method = methods.iter().position(|method| names.text(method.name) == derived.name());
            if let Some(method) = method
                && let MethodTarget::Fn(id, targs) = self.resolve_method(trait_, method as u32, &[ty])
            {
                return Op::Call(Callee::Func(self.instance(id, &targs)), args);
            }
        }
        match self.inline_derived(derived, ty, &args) {
            Some(op) => op,
            None => Op::Call(Callee::Func(self.derived_fn(derived, ty)), args),
        }
    }

    pub fn write_derived(&mut self, func: FuncId, derived: Derived, ty: TypeId) {
        if matches!(derived, Derived::CLoad | Derived::CStore | Derived::CVariant) {
            return self.write_c_derived(func, derived, ty);
        }
        let signature = self.signature(func);
        let mut code = FunctionBuilder::default();
        let names: &[&str] = match derived {
            Derived::Eq | Derived::Compare => &["a", "b"],
            Derived::Hash => &["value", "state"],
            Derived::ShowBehind => &["value", "text"],
            _ => &["value"],
        };
        let params: Vec<Var> =
            signature.params.iter().zip(names).map(|(&(ty, _), name)| code.named(ty, name, Span::NONE)).collect();
        let args: Vec<Atom> = params.iter().map(|&var| Atom::Var(var)).collect();
        let mut deriver = Deriver { ret: signature.ret, l: self, code };
        if let Some(op) = deriver.l.inline_derived(derived, ty, &args) {
            deriver.return_op(op);
        } else {
            match derived {
                Derived::Eq => deriver.eq(ty, args[0], args[1]),
                Derived::Compare => deriver.compare(ty, args[0], args[1]),
                Derived::Hash => deriver.hash(ty, args[0], args[1]),
                Derived::Display => deriver.display(ty, args[0]),
                Derived::Show => deriver.show(ty, args[0]),
                Derived::ShowBehind => deriver.show_behind(ty, args[0], args[1]),
                Derived::ListItems => deriver.list_items(args[0]),
                Derived::CLoad | Derived::CStore | Derived::CVariant => unreachable!("written above"),
            }
        }
        let code = deriver.code;
        let modes = signature.params.iter().map(|&(_, mode)| mode).collect();
        self.fill(func, params, 0, modes, code);
    }
}

/// What a type is made of, for structural code.
pub enum Shape {
    Prim(Prim),
    /// Tuple, record, newtype, or a sum with one variant: the types of its parts.
    Product(Vec<TypeId>),
    /// How many variants.
    Sum(u32),
    Array(TypeId),
    /// `[T; N]`.
    Fixed(TypeId, u64),
    Function,
    Cell(TypeId),
    Opaque,
}

/// Writes one structural function.
pub struct Deriver<'d, 'a> {
    pub l: &'d mut Lower<'a>,
    pub code: FunctionBuilder,
    pub ret: TypeId,
}

impl Deriver<'_, '_> {
    pub fn shape(&mut self, ty: TypeId) -> Shape {
        match *self.l.types.get(ty) {
            Type::Prim(prim) => Shape::Prim(prim),
            Type::Tuple(_) | Type::Record(_) => Shape::Product(self.l.field_types(ty, 0)),
            Type::Array(element) => Shape::Array(element),
            Type::FixedArray(element, len) => Shape::Fixed(element, len),
            Type::Fn { .. } => Shape::Function,
            Type::VarCell(inner) => Shape::Cell(inner),
            Type::Ref { inner, .. } => self.shape(inner),
            Type::Adt(def, _) => match &self.l.src.type_defs[def].kind {
                TypeDefKind::Sum(variants) if variants.len() != 1 => Shape::Sum(variants.len() as u32),
                TypeDefKind::Opaque => Shape::Opaque,
                _ => Shape::Product(self.l.field_types(ty, 0)),
            },
            Type::Param(_) | Type::Error => Shape::Product(Vec::new()),
        }
    }

    pub fn prim(&self, prim: Prim) -> TypeId {
        self.l.types.prim(prim)
    }

    pub fn emit(&mut self, ty: TypeId, op: Op) -> Atom {
        Atom::Var(self.code.emit(ty, op, Span::NONE))
    }

    pub fn return_(&mut self, atom: Atom) {
        self.code.end(End::Return(atom));
    }

    /// Returns the result of `op`; calls become tail calls.
    pub fn return_op(&mut self, op: Op) {
        match op {
            Op::Call(callee, args) => self.code.end(End::TailCall { callee, args, span: Span::NONE }),
            op => {
                let result = self.emit(self.ret, op);
                self.return_(result);
            }
        }
    }

    pub fn field(&mut self, owner: TypeId, base: Atom, variant: u32, index: usize, ty: TypeId) -> Atom {
        if self.l.is_erased_newtype(owner) {
            return base;
        }
        let ty = self.l.core_type(ty);
        self.emit(ty, Op::Field { base, variant, index: index as u32 })
    }

    /// Writes a block of its own.
    pub fn block(&mut self, write: impl FnOnce(&mut Self)) -> Builder {
        let outer = std::mem::take(&mut self.code.cursor);
        write(self);
        std::mem::replace(&mut self.code.cursor, outer)
    }

    /// A block that returns `atom`.
    pub fn returning(&mut self, atom: Atom) -> Builder {
        self.block(|this| this.return_(atom))
    }

    /// `if test { yes } else { no }`, the end of the function.
    fn choose(&mut self, test: Atom, yes: Builder, no: Builder) {
        self.code.cursor.switch(test, vec![(Some(Case::Bool(true)), yes), (Some(Case::Bool(false)), no)]);
    }

    /// Writes a loop over `0 .. len` that carries `state`; `step` gives the next state, or nothing when it left the function.
    /// Afterwards the cursor is where the loop has ended, with the final state.
    pub fn counted(
        &mut self,
        len: Atom,
        state: Option<(TypeId, Atom)>,
        step: impl FnOnce(&mut Self, Atom, Option<Atom>) -> Option<Atom>,
    ) -> Option<Atom> {
        let (i64, bool) = (self.prim(Prim::I64), self.prim(Prim::Bool));
        let head = self.code.join();
        let exit = self.code.join();
        let index = self.code.named(i64, "i", Span::NONE);
        let mut params = vec![index];
        let mut entry = vec![Atom::Int(0, i64)];
        let mut exit_params = Vec::new();
        let carried = state.map(|(ty, first)| {
            let var = self.code.var(ty, Span::NONE);
            params.push(var);
            entry.push(first);
            exit_params.push(self.code.var(ty, Span::NONE));
            Atom::Var(var)
        });
        let index = Atom::Var(index);
        let body = self.block(|this| {
            let more = this.emit(bool, Op::Prim(PrimOp::Lt, vec![index, len]));
            let inside = this.block(|this| {
                let next_state = step(this, index, carried);
                if this.code.cursor.is_open() {
                    let next = this.emit(i64, Op::Prim(PrimOp::WrappingAdd, vec![index, Atom::Int(1, i64)]));
                    let mut args = vec![next];
                    if carried.is_some() {
                        args.extend(next_state);
                    }
                    this.code.end(End::Jump(head, args));
                }
            });
            let outside = this.block(|this| this.code.end(End::Jump(exit, carried.into_iter().collect())));
            this.choose(more, inside, outside);
        });
        let head_join = Stmt::Join(Box::new(Join { id: head, params, recursive: true, body: body.finish() }));
        let result = exit_params.first().map(|&var| Atom::Var(var));
        self.code.cursor.continue_in_join(exit, exit_params, vec![head_join], End::Jump(head, entry));
        result
    }

    pub fn array_len(&mut self, array: Atom) -> Atom {
        let i64 = self.prim(Prim::I64);
        self.emit(i64, Op::Prim(PrimOp::ArrayLen, vec![array]))
    }

    pub fn array_item(&mut self, array: Atom, index: Atom, element: TypeId, fixed: bool) -> Atom {
        let ty = self.l.core_type(element);
        let op = if fixed { PrimOp::FixedGet } else { PrimOp::ArrayGetUnchecked };
        self.emit(ty, Op::Prim(op, vec![array, index]))
    }

    // Equality ------------------------------------------------------------------------------------

    fn eq(&mut self, ty: TypeId, a: Atom, b: Atom) {
        let bool = self.prim(Prim::Bool);
        match self.shape(ty) {
            Shape::Prim(_) => self.return_(Atom::Bool(true)),
            Shape::Product(fields) => self.eq_fields(ty, 0, &fields, a, b),
            Shape::Sum(0) => self.code.end(End::Unreachable),
            Shape::Sum(count) => {
                if self.is_enumeration(ty, count) {
                    let (a, b) = self.tags(a, b);
                    return self.return_op(Op::Prim(PrimOp::Eq, vec![a, b]));
                }
                let mut cases = Vec::new();
                for variant in 0..count {
                    let fields = self.l.field_types(ty, variant);
                    let case = self.block(|this| {
                        let same = this.block(|this| this.eq_fields(ty, variant, &fields, a, b));
                        let other = this.returning(Atom::Bool(false));
                        this.code.cursor.switch(b, vec![(Some(Case::Variant(variant)), same), (None, other)]);
                    });
                    cases.push((Some(Case::Variant(variant)), case));
                }
                self.code.cursor.switch(a, cases);
            }
            Shape::Array(element) => {
                let (len, other) = (self.array_len(a), self.array_len(b));
                let same = self.emit(bool, Op::Prim(PrimOp::Eq, vec![len, other]));
                let no = self.returning(Atom::Bool(false));
                self.choose(same, Builder::default(), no);
                self.eq_items(len, a, b, element, false);
            }
            Shape::Fixed(element, len) => {
                let len = Atom::Int(i128::from(len), self.prim(Prim::I64));
                self.eq_items(len, a, b, element, true);
            }
            Shape::Cell(_) | Shape::Opaque | Shape::Function => {
                self.return_op(Op::Prim(PrimOp::PtrEq, vec![a, b]));
            }
        }
    }

    fn eq_fields(&mut self, ty: TypeId, variant: u32, fields: &[TypeId], a: Atom, b: Atom) {
        let bool = self.prim(Prim::Bool);
        for (i, &field) in fields.iter().enumerate() {
            let x = self.field(ty, a, variant, i, field);
            let y = self.field(ty, b, variant, i, field);
            let op = self.l.structural_op(Derived::Eq, field, vec![x, y]);
            if i + 1 == fields.len() {
                return self.return_op(op);
            }
            let same = self.emit(bool, op);
            let no = self.returning(Atom::Bool(false));
            self.choose(same, Builder::default(), no);
        }
        self.return_(Atom::Bool(true));
    }

    fn eq_items(&mut self, len: Atom, a: Atom, b: Atom, element: TypeId, fixed: bool) {
        let bool = self.prim(Prim::Bool);
        self.counted(len, None, |this, index, _| {
            let x = this.array_item(a, index, element, fixed);
            let y = this.array_item(b, index, element, fixed);
            let op = this.l.structural_op(Derived::Eq, element, vec![x, y]);
            let same = this.emit(bool, op);
            let no = this.returning(Atom::Bool(false));
            this.choose(same, Builder::default(), no);
            None
        });
        self.return_(Atom::Bool(true));
    }

    fn is_enumeration(&mut self, ty: TypeId, count: u32) -> bool {
        (0..count).all(|variant| self.l.field_types(ty, variant).is_empty())
    }

    fn tags(&mut self, a: Atom, b: Atom) -> (Atom, Atom) {
        let i64 = self.prim(Prim::I64);
        (self.emit(i64, Op::Tag(a)), self.emit(i64, Op::Tag(b)))
    }

    // Order ---------------------------------------------------------------------------------------

    fn order(&mut self, index: i128) -> Atom {
        Atom::Int(index, self.ret)
    }

    /// Compares machine values.
    fn compare_numbers(&mut self, a: Atom, b: Atom) {
        let bool = self.prim(Prim::Bool);
        let (less, equal, greater) = (self.order(0), self.order(1), self.order(2));
        let test = self.emit(bool, Op::Prim(PrimOp::Lt, vec![a, b]));
        let less = self.returning(less);
        self.choose(test, less, Builder::default());
        let test = self.emit(bool, Op::Prim(PrimOp::Gt, vec![a, b]));
        let greater = self.returning(greater);
        let equal = self.returning(equal);
        self.choose(test, greater, equal);
    }

    fn compare(&mut self, ty: TypeId, a: Atom, b: Atom) {
        let i64 = self.prim(Prim::I64);
        match self.shape(ty) {
            Shape::Prim(Prim::Never) => self.code.end(End::Unreachable),
            Shape::Prim(Prim::Str) => {
                let Some(op) = self.l.lang_op("str_compare", vec![a, b], Span::NONE) else {
                    return self.code.end(End::Unreachable);
                };
                let order = self.emit(i64, op);
                self.compare_numbers(order, Atom::Int(0, i64));
            }
            Shape::Prim(_) => self.compare_numbers(a, b),
            Shape::Product(fields) => self.compare_fields(ty, 0, &fields, a, b),
            Shape::Sum(0) => self.code.end(End::Unreachable),
            Shape::Sum(count) => {
                if self.is_enumeration(ty, count) {
                    let (a, b) = self.tags(a, b);
                    return self.compare_numbers(a, b);
                }
                let by_tag = self.code.join();
                let tags = self.block(|this| {
                    let (a, b) = this.tags(a, b);
                    this.compare_numbers(a, b);
                });
                self.code.cursor.push(Stmt::Join(Box::new(Join {
                    id: by_tag,
                    params: Vec::new(),
                    recursive: false,
                    body: tags.finish(),
                })));
                let mut cases = Vec::new();
                for variant in 0..count {
                    let fields = self.l.field_types(ty, variant);
                    let case = self.block(|this| {
                        let same = this.block(|this| this.compare_fields(ty, variant, &fields, a, b));
                        let other = super::control::jump_block(by_tag);
                        this.code.cursor.switch(b, vec![(Some(Case::Variant(variant)), same), (None, other)]);
                    });
                    cases.push((Some(Case::Variant(variant)), case));
                }
                self.code.cursor.switch(a, cases);
            }
            Shape::Array(element) => {
                let (len, other) = (self.array_len(a), self.array_len(b));
                let bool = self.prim(Prim::Bool);
                self.counted(len, None, |this, index, _| {
                    let more = this.emit(bool, Op::Prim(PrimOp::Lt, vec![index, other]));
                    let greater = this.order(2);
                    let greater = this.returning(greater);
                    this.choose(more, Builder::default(), greater);
                    this.compare_item(a, b, index, element, false);
                    None
                });
                self.compare_numbers(len, other);
            }
            Shape::Fixed(element, len) => {
                let len = Atom::Int(i128::from(len), i64);
                self.counted(len, None, |this, index, _| {
                    this.compare_item(a, b, index, element, true);
                    None
                });
                let equal = self.order(1);
                self.return_(equal);
            }
            Shape::Function | Shape::Cell(_) | Shape::Opaque => {
                let equal = self.order(1);
                self.return_(equal);
            }
        }
    }

    fn compare_item(&mut self, a: Atom, b: Atom, index: Atom, element: TypeId, fixed: bool) {
        let x = self.array_item(a, index, element, fixed);
        let y = self.array_item(b, index, element, fixed);
        let op = self.l.structural_op(Derived::Compare, element, vec![x, y]);
        self.continue_if_equal(op);
    }

    /// Goes on when `op` gives `Equal`; else returns what it gave.
    fn continue_if_equal(&mut self, op: Op) {
        let order = self.emit(self.ret, op);
        let other = self.returning(order);
        self.code.cursor.switch(order, vec![(Some(Case::Variant(1)), Builder::default()), (None, other)]);
    }

    fn compare_fields(&mut self, ty: TypeId, variant: u32, fields: &[TypeId], a: Atom, b: Atom) {
        for (i, &field) in fields.iter().enumerate() {
            let x = self.field(ty, a, variant, i, field);
            let y = self.field(ty, b, variant, i, field);
            let op = self.l.structural_op(Derived::Compare, field, vec![x, y]);
            if i + 1 == fields.len() {
                return self.return_op(op);
            }
            self.continue_if_equal(op);
        }
        let equal = self.order(1);
        self.return_(equal);
    }

    // Hash ----------------------------------------------------------------------------------------

    fn mix(&mut self, state: Atom, bits: Atom) -> Atom {
        let u64 = self.prim(Prim::U64);
        match self.l.lang_op("hash_mix", vec![state, bits], Span::NONE) {
            Some(op) => self.emit(u64, op),
            None => state,
        }
    }

    fn hash(&mut self, ty: TypeId, value: Atom, state: Atom) {
        let u64 = self.prim(Prim::U64);
        match self.shape(ty) {
            Shape::Prim(prim) => {
                let bits = match prim {
                    Prim::U64 => value,
                    Prim::F64 | Prim::F32 => {
                        // Both zeros are equal, so they hash alike.
                        let float = self.prim(prim);
                        let value = self.emit(float, Op::Prim(PrimOp::FloatAdd, vec![value, Atom::Float(0.0, float)]));
                        let small = if prim == Prim::F32 { self.prim(Prim::U32) } else { u64 };
                        let bits = self.emit(small, Op::Prim(PrimOp::FloatToBits, vec![value]));
                        if prim == Prim::F32 { self.emit(u64, Op::Prim(PrimOp::IntConvert, vec![bits])) } else { bits }
                    }
                    Prim::Never | Prim::Str => Atom::Int(0, u64),
                    _ => self.emit(u64, Op::Prim(PrimOp::IntConvert, vec![value])),
                };
                let state = self.mix(state, bits);
                self.return_(state);
            }
            Shape::Product(fields) => self.hash_fields(ty, 0, &fields, value, state),
            Shape::Sum(0) => self.code.end(End::Unreachable),
            Shape::Sum(count) => {
                let mut cases = Vec::new();
                for variant in 0..count {
                    let fields = self.l.field_types(ty, variant);
                    let case = self.block(|this| {
                        let state = this.mix(state, Atom::Int(i128::from(variant), u64));
                        this.hash_fields(ty, variant, &fields, value, state);
                    });
                    cases.push((Some(Case::Variant(variant)), case));
                }
                self.code.cursor.switch(value, cases);
            }
            Shape::Array(element) => {
                let len = self.array_len(value);
                let bits = self.emit(u64, Op::Prim(PrimOp::IntConvert, vec![len]));
                let state = self.mix(state, bits);
                self.hash_items(len, value, element, state, false);
            }
            Shape::Fixed(element, len) => {
                let len = Atom::Int(i128::from(len), self.prim(Prim::I64));
                self.hash_items(len, value, element, state, true);
            }
            Shape::Function | Shape::Cell(_) | Shape::Opaque => self.return_(state),
        }
    }

    fn hash_items(&mut self, len: Atom, array: Atom, element: TypeId, state: Atom, fixed: bool) {
        let u64 = self.prim(Prim::U64);
        let state = self.counted(len, Some((u64, state)), |this, index, state| {
            let item = this.array_item(array, index, element, fixed);
            let op = this.l.structural_op(Derived::Hash, element, vec![item, state?]);
            Some(this.emit(u64, op))
        });
        self.return_(state.unwrap_or(Atom::Int(0, u64)));
    }

    fn hash_fields(&mut self, ty: TypeId, variant: u32, fields: &[TypeId], value: Atom, mut state: Atom) {
        let u64 = self.prim(Prim::U64);
        for (i, &field) in fields.iter().enumerate() {
            let part = self.field(ty, value, variant, i, field);
            let op = self.l.structural_op(Derived::Hash, field, vec![part, state]);
            if i + 1 == fields.len() {
                return self.return_op(op);
            }
            state = self.emit(u64, op);
        }
        self.return_(state);
    }

    // Lists ---------------------------------------------------------------------------------------

    /// Collects a list in an array.
    fn list_items(&mut self, list: Atom) {
        let Atom::Var(param) = list else { return };
        let list_ty = self.code.vars[param].ty;
        let array_ty = self.ret;
        let variants = self.l.variants_of(list_ty).map_or(0, <[_]>::len) as u32;
        let i64 = self.prim(Prim::I64);
        let empty = self.emit(array_ty, Op::Prim(PrimOp::ArrayWithCapacity, vec![Atom::Int(4, i64)]));
        let head = self.code.join();
        let rest = self.code.named(list_ty, "rest", Span::NONE);
        let items = self.code.named(array_ty, "items", Span::NONE);
        let mut cases = Vec::new();
        for variant in 0..variants {
            let fields = self.l.field_types(list_ty, variant);
            let case = self.block(|this| match fields.as_slice() {
                &[element, tail] => {
                    let item = this.field(list_ty, Atom::Var(rest), variant, 0, element);
                    let tail = this.field(list_ty, Atom::Var(rest), variant, 1, tail);
                    let items = this.emit(array_ty, Op::Prim(PrimOp::ArrayPush, vec![Atom::Var(items), item]));
                    this.code.end(End::Jump(head, vec![tail, items]));
                }
                _ => this.return_(Atom::Var(items)),
            });
            cases.push((Some(Case::Variant(variant)), case));
        }
        let body = self.block(|this| this.code.cursor.switch(Atom::Var(rest), cases));
        self.code.cursor.push(Stmt::Join(Box::new(Join {
            id: head,
            params: vec![rest, items],
            recursive: true,
            body: body.finish_or_unreachable(),
        })));
        self.code.end(End::Jump(head, vec![list, empty]));
    }
}
