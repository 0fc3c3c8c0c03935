//! What compilers are told besides: `__attribute__((..))`, `[[..]]`, `__declspec(..)`, `_Alignas(..)`, `asm` labels. Kept is what changes
//! how something lies in memory or how it is called.

use super::{Parser, R};
use crate::c::expr;
use crate::c::layout::layout;
use crate::c::model::*;
use crate::c::token::Kind;

#[derive(Clone, Default, Debug)]
pub struct Attributes {
    pub packed: bool,
    /// In bytes; the largest that was given.
    pub aligned: Option<u64>,
    /// `mode(DI)`: the integer of this size.
    pub mode: Option<u64>,
    /// `vector_size(16)`.
    pub vector: Option<u64>,
    pub marks: Marks,
}

impl Attributes {
    pub fn merge(&mut self, other: Attributes) {
        self.packed |= other.packed;
        self.aligned = self.aligned.max(other.aligned);
        self.mode = self.mode.or(other.mode);
        self.vector = self.vector.or(other.vector);
        self.marks.returns_twice |= other.marks.returns_twice;
        self.marks.deprecated |= other.marks.deprecated;
        self.marks.convention = self.marks.convention.or(other.marks.convention);
    }
}

impl Parser<'_> {
    /// Reads attributes, when some come next.
    pub(super) fn attributes(&mut self, into: &mut Attributes) -> R<bool> {
        match self.text() {
            "[" if self.ahead(1) == "[" && self.kind() == Kind::Mark => {
                self.bump();
                self.bump();
                self.attribute_list(into, "]")?;
                self.expect("]")?;
                self.expect("]")?;
            }
            _ if self.kind() != Kind::Word => return Ok(false),
            "__attribute__" | "__attribute" => {
                self.bump();
                self.expect("(")?;
                self.expect("(")?;
                self.attribute_list(into, ")")?;
                self.expect(")")?;
                self.expect(")")?;
            }
            "__declspec" => {
                self.bump();
                self.expect("(")?;
                self.attribute_list(into, ")")?;
                self.expect(")")?;
            }
            "_Alignas" | "alignas" if self.ahead(1) == "(" => {
                self.bump();
                self.bump();
                let align = if self.at_type() {
                    let ty = self.type_name()?;
                    layout(self.unit, ty.ty).map(|it| it.align)
                } else {
                    self.alignment()?
                };
                self.expect(")")?;
                into.aligned = into.aligned.max(align);
            }
            "__cdecl" | "_Noreturn" | "noreturn" => self.bump(),
            "__stdcall" => self.convention(into, "stdcall"),
            "__fastcall" => self.convention(into, "fastcall"),
            "__vectorcall" => self.convention(into, "vectorcall"),
            "__thiscall" => self.convention(into, "thiscall"),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn convention(&mut self, into: &mut Attributes, name: &'static str) {
        into.marks.convention = Some(name);
        self.bump();
    }

    fn attribute_list(&mut self, into: &mut Attributes, end: &str) -> R<()> {
        loop {
            while self.eat(",") {}
            if self.is(end) || self.kind() == Kind::End {
                return Ok(());
            }
            if self.kind() != Kind::Word {
                return Err(self.wanting("an attribute"));
            }
            let name = self.text().trim_start_matches("__").trim_end_matches("__").to_owned();
            self.bump();
            if self.eat("::") {
                // `[[gnu::packed]]`: what follows is the attribute.
                continue;
            }
            let has_arguments = self.is("(");
            let arguments = self.at;
            if has_arguments {
                self.skip_brackets()?;
            }
            let after = self.at;
            match &*name {
                "packed" => into.packed = true,
                "aligned" | "align" => {
                    let align = if has_arguments {
                        self.at = arguments + 1;
                        self.alignment()?
                    } else {
                        Some(16)
                    };
                    into.aligned = into.aligned.max(align);
                }
                "mode" if has_arguments => {
                    self.at = arguments + 1;
                    into.mode = match self.text().trim_matches('_') {
                        "QI" | "byte" => Some(1),
                        "HI" => Some(2),
                        "SI" => Some(4),
                        "DI" => Some(8),
                        "TI" => Some(16),
                        "word" | "pointer" => Some(self.unit.target.pointer),
                        _ => None,
                    };
                }
                "vector_size" if has_arguments => {
                    self.at = arguments + 1;
                    into.vector = self.constant()?.and_then(|value| value.as_int()).and_then(|n| u64::try_from(n).ok());
                }
                "returns_twice" => into.marks.returns_twice = true,
                "deprecated" => into.marks.deprecated = true,
                "stdcall" => into.marks.convention = Some("stdcall"),
                "fastcall" => into.marks.convention = Some("fastcall"),
                "ms_abi" => into.marks.convention = Some("ms_abi"),
                "vectorcall" => into.marks.convention = Some("vectorcall"),
                "regparm" => into.marks.convention = Some("regparm"),
                _ => {}
            }
            self.at = after;
        }
    }

    fn alignment(&mut self) -> R<Option<u64>> {
        let value = self.constant()?.and_then(|value| value.as_int());
        Ok(value
            .and_then(|value| u64::try_from(value).ok())
            .filter(|align| align.is_power_of_two() && *align <= 1 << 28))
    }

    /// `asm("name")` behind a declarator, and attributes around it.
    pub(super) fn label(&mut self, attributes: &mut Attributes) -> R<Option<String>> {
        let mut label = None;
        loop {
            if matches!(self.text(), "__asm__" | "__asm" | "asm") && self.ahead(1) == "(" {
                self.bump();
                self.bump();
                let mut bytes = Vec::new();
                while self.kind() == Kind::Text {
                    let text = self.text();
                    bytes.extend(expr::unescape(text.trim_matches('"')).unwrap_or_default());
                    self.bump();
                }
                self.expect(")")?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let prefix = &self.unit.target.prefix;
                label = Some(text.strip_prefix(&**prefix).map(str::to_owned).unwrap_or(text));
            } else if !self.attributes(attributes)? {
                return Ok(label);
            }
        }
    }

    /// An integer type of another size, where `mode` asks for that.
    pub(super) fn with_mode(&mut self, ty: Qualified, attributes: &Attributes) -> Qualified {
        let Some(size) = attributes.mode else { return ty };
        let Type::Int(kind) = *self.unit.ty(self.unit.resolve(ty.ty)) else { return ty };
        use IntKind::{Int, Int128, Long, LongLong, SChar, Short, UChar, UInt, UInt128, ULong, ULongLong, UShort};
        let kinds = match self.unit.target.is_signed(kind) {
            true => [SChar, Short, Int, Long, LongLong, Int128],
            false => [UChar, UShort, UInt, ULong, ULongLong, UInt128],
        };
        match kinds.into_iter().find(|&kind| self.unit.target.int_layout(kind).size == size) {
            Some(kind) => Qualified { ty: self.unit.add(Type::Int(kind)), quals: ty.quals },
            None => ty,
        }
    }
}
