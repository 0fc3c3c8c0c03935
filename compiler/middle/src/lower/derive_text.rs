//! How does a value of a type without impls look as text?
//!
//! `Circle(1.5)`, `Point { x: 1, y: 2 }`, `[1, 2]`, `(1, "a")`: the `Debug` form, which `Display` shares except for
//! texts and characters by themselves.

use reml_diagnostics::Span;
use reml_semantics::typed::{FieldDef, TypeDefKind};
use reml_semantics::types::{Prim, Type, TypeId};

use super::derive::{Derived, Deriver, Shape};
use crate::core::{Atom, Callee, Case, End, Mode, Op};
use crate::prim::PrimOp;

/// Brackets around parts, and the name before each part.
struct Form {
    open: String,
    labels: Vec<String>,
    close: &'static str,
}

impl Deriver<'_, '_> {
    pub fn display(&mut self, ty: TypeId, value: Atom) {
        match self.shape(ty) {
            Shape::Prim(prim) => self.number(prim, value),
            _ => {
                let op = self.l.structural_op(Derived::Show, ty, vec![value]);
                self.return_op(op);
            }
        }
    }

    /// The text of a value by itself. Compound values are shown behind an empty text.
    pub fn show(&mut self, ty: TypeId, value: Atom) {
        match self.shape(ty) {
            Shape::Prim(prim) => self.number(prim, value),
            Shape::Sum(0) => self.code.end(End::Unreachable),
            Shape::Function => {
                let text = self.text("<function>");
                self.return_(text);
            }
            _ => {
                let empty = self.text("");
                let op = Op::Call(Callee::Func(self.l.derived_fn(Derived::ShowBehind, ty)), vec![value, empty]);
                self.return_op(op);
            }
        }
    }

    pub fn show_behind(&mut self, ty: TypeId, value: Atom, text: Atom) {
        match self.shape(ty) {
            Shape::Prim(_) => {
                let whole = self.show_part(ty, value, text);
                self.return_(whole);
            }
            Shape::Product(fields) => {
                let form = self.form(ty, 0);
                self.show_fields(ty, 0, &fields, form, value, text);
            }
            Shape::Sum(0) => self.code.end(End::Unreachable),
            Shape::Sum(count) => {
                let mut cases = Vec::new();
                for variant in 0..count {
                    let fields = self.l.field_types(ty, variant);
                    let form = self.form(ty, variant);
                    let case = self.block(|this| this.show_fields(ty, variant, &fields, form, value, text));
                    cases.push((Some(Case::Variant(variant)), case));
                }
                self.code.cursor.switch(value, cases);
            }
            Shape::Array(element) => {
                let len = self.array_len(value);
                self.show_items(len, value, element, false, text);
            }
            Shape::Fixed(element, len) => {
                let len = Atom::Int(i128::from(len), self.prim(Prim::I64));
                self.show_items(len, value, element, true, text);
            }
            Shape::Cell(inner) => {
                let core = self.l.core_type(inner);
                let inside = self.emit(core, Op::Prim(PrimOp::CellGet, vec![value]));
                let whole = self.show_part(inner, inside, text);
                self.return_(whole);
            }
            Shape::Function => self.return_with(text, "<function>"),
            Shape::Opaque => {
                let name = format!("<{}>", self.l.type_text(ty));
                self.return_with(text, &name);
            }
        }
    }

    /// `text ++ more`, the end of the function.
    fn return_with(&mut self, text: Atom, more: &str) {
        let more = self.text(more);
        let whole = self.concat(text, more);
        self.return_(whole);
    }

    /// `text` with what a part looks like behind it.
    fn show_part(&mut self, ty: TypeId, value: Atom, text: Atom) -> Atom {
        let str = self.prim(Prim::Str);
        if self.l.prim_of(ty).is_some() {
            let op = self.l.structural_op(Derived::Show, ty, vec![value]);
            let shown = self.emit(str, op);
            return self.concat(text, shown);
        }
        let op = self.l.structural_op(Derived::ShowBehind, ty, vec![value, text]);
        self.emit(str, op)
    }

    fn text(&mut self, text: &str) -> Atom {
        Atom::Str(self.l.string(text))
    }

    /// `a ++ b`.
    fn concat(&mut self, a: Atom, b: Atom) -> Atom {
        let str = self.prim(Prim::Str);
        match self.l.lang_op("str_concat", vec![a, b], Span::NONE) {
            Some(op) => self.emit(str, op),
            None => a,
        }
    }

    /// Numbers of the less common widths.
    fn number(&mut self, prim: Prim, value: Atom) {
        let str = self.prim(Prim::Str);
        let (name, wide) = match prim {
            Prim::F32 => {
                let f32 = self.prim(Prim::F32);
                let id = self.l.runtime_fn("f32_to_str", vec![(f32, Mode::Owned)], str);
                return self.return_op(Op::CallRuntime(id, vec![value]));
            }
            Prim::Never => return self.code.end(End::Unreachable),
            prim if prim.is_signed() => ("int_to_str", Prim::I64),
            _ => ("uint_to_str", Prim::U64),
        };
        let wide = self.prim(wide);
        let value = self.emit(wide, Op::Prim(PrimOp::IntConvert, vec![value]));
        match self.l.lang_op(name, vec![value], Span::NONE) {
            Some(op) => self.return_op(op),
            None => self.code.end(End::Unreachable),
        }
    }

    /// How a variant (or product) is written.
    fn form(&self, ty: TypeId, variant: u32) -> Form {
        let names = self.l.names;
        match self.l.types.get(ty) {
            Type::Record(fields) => Form {
                open: "{ ".into(),
                labels: fields.iter().map(|&(name, _)| format!("{}: ", names.text(name))).collect(),
                close: " }",
            },
            Type::Adt(def, _) => {
                let src = self.l.src;
                let def = &src.type_defs[*def];
                match &def.kind {
                    TypeDefKind::Sum(variants) => {
                        let variant = &variants[variant as usize];
                        self.named_form(names.text(variant.name), &variant.fields)
                    }
                    TypeDefKind::Record(fields) => self.named_form(names.text(def.name), fields),
                    _ => Form { open: format!("{}(", names.text(def.name)), labels: Vec::new(), close: ")" },
                }
            }
            Type::Tuple(items) if items.len() == 1 => Form { open: "(".into(), labels: Vec::new(), close: ",)" },
            _ => Form { open: "(".into(), labels: Vec::new(), close: ")" },
        }
    }

    fn named_form(&self, name: &str, fields: &[FieldDef]) -> Form {
        let labels: Option<Vec<String>> =
            fields.iter().map(|field| field.name.map(|name| format!("{}: ", self.l.names.text(name)))).collect();
        match labels {
            _ if fields.is_empty() => Form { open: name.into(), labels: Vec::new(), close: "" },
            Some(labels) => Form { open: format!("{name} {{ "), labels, close: " }" },
            None => Form { open: format!("{name}("), labels: Vec::new(), close: ")" },
        }
    }

    fn show_fields(&mut self, ty: TypeId, variant: u32, fields: &[TypeId], form: Form, value: Atom, text: Atom) {
        let mut pending = form.open;
        let mut result = text;
        for (i, &field) in fields.iter().enumerate() {
            if i > 0 {
                pending.push_str(", ");
            }
            pending.push_str(form.labels.get(i).map_or("", String::as_str));
            let piece = self.text(&pending);
            pending.clear();
            let before = self.concat(result, piece);
            let part = self.field(ty, value, variant, i, field);
            result = self.show_part(field, part, before);
        }
        pending.push_str(form.close);
        match pending.is_empty() {
            true => self.return_(result),
            false => self.return_with(result, &pending),
        }
    }

    fn show_items(&mut self, len: Atom, array: Atom, element: TypeId, fixed: bool, text: Atom) {
        let (str, i64, bool) = (self.prim(Prim::Str), self.prim(Prim::I64), self.prim(Prim::Bool));
        let open = self.text("[");
        let opened = self.concat(text, open);
        let shown = self.counted(len, Some((str, opened)), |this, index, shown| {
            let first = this.emit(bool, Op::Prim(PrimOp::Eq, vec![index, Atom::Int(0, i64)]));
            let shown = shown?;
            let join = this.code.join();
            let so_far = this.code.var(str, Span::NONE);
            let alone = this.block(|this| this.code.end(End::Jump(join, vec![shown])));
            let after = this.block(|this| {
                let comma = this.text(", ");
                let shown = this.concat(shown, comma);
                this.code.end(End::Jump(join, vec![shown]));
            });
            let mut branch = super::build::Builder::default();
            branch.switch(first, vec![(Some(Case::Bool(true)), alone), (Some(Case::Bool(false)), after)]);
            let branch = branch.finish();
            this.code.cursor.continue_in_join(join, vec![so_far], branch.stmts, branch.end);
            let item = this.array_item(array, index, element, fixed);
            Some(this.show_part(element, item, Atom::Var(so_far)))
        });
        self.return_with(shown.unwrap_or(opened), "]");
    }
}
