//! `struct`, `union` and `enum`, with their members.

use super::{Attributes, Parser, R};
use crate::c::layout::{Packing, place};
use crate::c::model::*;

/// Where an unfinished record or enum is.
enum Tagged {
    Record(RecordId),
    Enum(EnumId),
}

impl Parser<'_> {
    /// `struct tag { .. }`; the word comes next.
    pub(super) fn record(&mut self, outer: &mut Attributes) -> R<TypeId> {
        let kind = if self.is("union") { RecordKind::Union } else { RecordKind::Struct };
        let doc = self.doc();
        self.bump();
        let mut attributes = Attributes::default();
        while self.attributes(&mut attributes)? {}
        let tag_at = self.at;
        let tag = self.name();
        while self.attributes(&mut attributes)? {}
        if tag.is_none() && !self.is("{") {
            return Err(self.wanting("a name or `{`"));
        }
        let word = if kind == RecordKind::Union { "union" } else { "struct" };
        let ty = match self.tagged(tag.as_deref()) {
            Some((ty, Tagged::Record(id))) if self.unit.record(id).kind == kind => ty,
            Some(_) => return Err(self.other_kind(tag.as_deref().unwrap_or_default(), word, tag_at)),
            None => {
                let id = RecordId(self.unit.records.len() as u32);
                let offset = self.source.tokens[tag_at].start;
                let ty = self.unit.add(Type::Record(id));
                self.unit.records.push(Record { kind, tag: tag.clone(), ty, body: None, offset, doc: None });
                if let Some(tag) = &tag {
                    self.unit.tags.insert(tag.clone(), ty);
                }
                ty
            }
        };
        let Type::Record(id) = *self.unit.ty(ty) else { return Ok(ty) };
        if !self.is("{") {
            // `struct x __attribute__((..)) y`: the attributes are about the variable.
            outer.merge(attributes);
            return Ok(ty);
        }
        if self.unit.record(id).body.is_some() {
            let before = self.unit.record(id).offset;
            let mut problem = self.problem_at(tag_at, format!("`{word} {}` is defined again", tag.unwrap_or_default()));
            problem.related = Some((before, "here for the first time".to_owned()));
            return Err(problem);
        }
        let mut members = self.deeper(|p| p.members(id))?;
        let limit = self.source.pack_at(self.at);
        self.expect("}")?;
        // Behind the brace, attributes are about the record, too.
        while self.attributes(&mut attributes)? {}
        let packing = Packing { packed: attributes.packed, aligned: attributes.aligned, limit };
        let layout = place(self.unit, kind, &mut members, packing);
        outer.marks.deprecated |= attributes.marks.deprecated;
        let order = self.unit.completed;
        self.unit.completed += 1;
        let record = &mut self.unit.records[id.0 as usize];
        record.body = Some(Body { members, layout, order });
        record.offset = self.source.tokens[tag_at].start;
        record.doc = record.doc.take().or(doc);
        Ok(ty)
    }

    fn tagged(&self, tag: Option<&str>) -> Option<(TypeId, Tagged)> {
        let ty = *self.unit.tags.get(tag?)?;
        match self.unit.ty(ty) {
            Type::Record(id) => Some((ty, Tagged::Record(*id))),
            Type::Enum(id) => Some((ty, Tagged::Enum(*id))),
            _ => None,
        }
    }

    fn other_kind(&self, tag: &str, word: &str, at: usize) -> Box<super::Problem> {
        let before = match self.tagged(Some(tag)) {
            Some((_, Tagged::Record(id))) => Some(self.unit.record(id).offset),
            Some((_, Tagged::Enum(id))) => Some(self.unit.enumeration(id).offset),
            None => None,
        };
        let mut problem = self.problem_at(at, format!("`{tag}` is no {word}"));
        problem.related = before.map(|offset| (offset, "it is declared here as something else".to_owned()));
        problem
    }

    fn members(&mut self, id: RecordId) -> R<Vec<Member>> {
        self.expect("{")?;
        let mut members: Vec<Member> = Vec::new();
        while !self.is("}") {
            if self.eat(";") || self.eat("__extension__") {
                continue;
            }
            if self.static_assertion()? {
                continue;
            }
            let doc = self.doc();
            let start = self.at;
            let specifiers = self.specifiers()?;
            let first = members.len();
            if self.is(";") {
                // A record without a name is part of this one; anything else declares a type only.
                if let Type::Record(inner) = *self.unit.ty(specifiers.ty.ty)
                    && self.unit.record(inner).tag.is_none()
                {
                    self.member(&mut members, None, specifiers.ty, None, &specifiers.attributes, doc, (start, id))?;
                }
            } else {
                loop {
                    let at = self.at;
                    let declared = self.declarator(specifiers.ty)?;
                    let mut attributes = specifiers.attributes.clone();
                    attributes.merge(declared.attributes);
                    let bits = if self.eat(":") { Some(self.width()?) } else { None };
                    while self.attributes(&mut attributes)? {}
                    if declared.name.is_none() && bits.is_none() {
                        return Err(self.wanting("the name of a member"));
                    }
                    let at = declared.name_at.unwrap_or(at);
                    let ty = self.with_mode(declared.ty, &attributes);
                    self.member(&mut members, declared.name, ty, bits, &attributes, doc.clone(), (at, id))?;
                    if !self.eat(",") {
                        break;
                    }
                }
            }
            if !self.eat(";") && !self.is("}") {
                return Err(self.wanting("`;`"));
            }
            if let Some(behind) = self.source.docs_behind.get(&(self.at as u32 - 1)) {
                for member in &mut members[first..] {
                    member.doc.get_or_insert_with(|| behind.clone());
                }
            }
        }
        Ok(members)
    }

    fn width(&mut self) -> R<u32> {
        let at = self.at;
        let value = self.constant()?.and_then(|value| value.as_int());
        match value {
            Some(width @ 0..=128) => Ok(width as u32),
            _ => Err(self.problem_at(at, "the width of a bit-field is a small number")),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one for each part of a member")]
    fn member(
        &self,
        members: &mut Vec<Member>,
        name: Option<String>,
        ty: Qualified,
        bits: Option<u32>,
        attributes: &Attributes,
        doc: Option<String>,
        (at, record): (usize, RecordId),
    ) -> R<()> {
        let shown = name.as_deref().unwrap_or("a member");
        match self.unit.ty(self.unit.resolve(ty.ty)) {
            Type::Void | Type::Function(_) => {
                let text = crate::c::show::type_text(self.unit, ty);
                return Err(self.problem_at(at, format!("`{shown}` cannot have the type `{text}`")));
            }
            Type::Record(inner) if self.unit.record(*inner).body.is_none() => {
                let text = crate::c::show::type_text(self.unit, ty);
                let why = if *inner == record { "it would contain itself" } else { "only its name is known here" };
                let mut problem = self.problem_at(at, format!("`{shown}` cannot have the type `{text}`: {why}"));
                problem.help = Some("a pointer to it can be a member".to_owned());
                return Err(problem);
            }
            _ => {}
        }
        if name.is_some()
            && let Some(before) = members.iter().find(|member| member.name == name)
        {
            let mut problem = self.problem_at(at, format!("`{shown}` is a member already"));
            problem.related = Some((before.offset, "here for the first time".to_owned()));
            return Err(problem);
        }
        let offset = self.source.tokens[at].start;
        members.push(Member {
            name,
            ty,
            bits,
            aligned: attributes.aligned,
            packed: attributes.packed,
            place: 0,
            doc,
            offset,
        });
        Ok(())
    }

    /// `enum tag { .. }`; the word comes next.
    pub(super) fn enumeration(&mut self, outer: &mut Attributes) -> R<TypeId> {
        let doc = self.doc();
        self.bump();
        let mut attributes = Attributes::default();
        while self.attributes(&mut attributes)? {}
        let tag_at = self.at;
        let tag = self.name();
        while self.attributes(&mut attributes)? {}
        let mut fixed = None;
        if self.is(":") {
            self.bump();
            let at = self.at;
            let base = self.specifiers()?.ty;
            fixed = match *self.unit.ty(self.unit.resolve(base.ty)) {
                Type::Int(kind) => Some(kind),
                Type::Bool => Some(IntKind::UChar),
                _ => return Err(self.problem_at(at, "an enum is made of integers")),
            };
        }
        if tag.is_none() && !self.is("{") {
            return Err(self.wanting("a name or `{`"));
        }
        let ty = match self.tagged(tag.as_deref()) {
            Some((ty, Tagged::Enum(_))) => ty,
            Some(_) => return Err(self.other_kind(tag.as_deref().unwrap_or_default(), "enum", tag_at)),
            None => {
                let id = EnumId(self.unit.enums.len() as u32);
                let offset = self.source.tokens[tag_at].start;
                let base = fixed.unwrap_or(IntKind::UInt);
                let fixed = fixed.is_some();
                self.unit.enums.push(Enum { tag: tag.clone(), base, fixed, constants: None, offset, doc: None });
                let ty = self.unit.add(Type::Enum(id));
                if let Some(tag) = &tag {
                    self.unit.tags.insert(tag.clone(), ty);
                }
                ty
            }
        };
        let Type::Enum(id) = *self.unit.ty(ty) else { return Ok(ty) };
        if !self.is("{") {
            outer.merge(attributes);
            return Ok(ty);
        }
        if self.unit.enumeration(id).constants.is_some() {
            let before = self.unit.enumeration(id).offset;
            let mut problem = self.problem_at(tag_at, format!("`enum {}` is defined again", tag.unwrap_or_default()));
            problem.related = Some((before, "here for the first time".to_owned()));
            return Err(problem);
        }
        let constants = self.enumerators(fixed)?;
        while self.attributes(&mut attributes)? {}
        let base = fixed.or_else(|| self.base_for(&constants, attributes.packed)).unwrap_or(IntKind::UInt);
        for constant in &constants {
            let kind = if fixed.is_none() && self.unit.target.wrap(constant.value, IntKind::Int) == Some(constant.value)
            {
                IntKind::Int
            } else {
                base
            };
            self.unit.constants.insert(constant.name.clone(), (constant.value, kind));
        }
        let enumeration = &mut self.unit.enums[id.0 as usize];
        enumeration.base = base;
        enumeration.constants = Some(constants);
        enumeration.doc = enumeration.doc.take().or(doc);
        enumeration.offset = self.source.tokens[tag_at].start;
        Ok(ty)
    }

    fn enumerators(&mut self, fixed: Option<IntKind>) -> R<Vec<Enumerator>> {
        self.expect("{")?;
        let mut constants: Vec<Enumerator> = Vec::new();
        let mut next: i128 = 0;
        while !self.is("}") {
            let doc = self.doc();
            let at = self.at;
            let Some(name) = self.name() else { return Err(self.wanting("the name of a constant")) };
            if self.unit.constants.contains_key(&name) {
                return Err(self.problem_at(at, format!("there is a constant `{name}` already")));
            }
            let mut attributes = Attributes::default();
            while self.attributes(&mut attributes)? {}
            if self.eat("=") {
                let at = self.at;
                match self.constant()?.and_then(|value| value.as_int()) {
                    Some(value) => next = value,
                    None => return Err(self.problem_at(at, format!("the value of `{name}` is no constant integer"))),
                }
            }
            let kind = fixed.unwrap_or(if next < 0 { IntKind::LongLong } else { IntKind::ULongLong });
            if self.unit.target.wrap(next, kind) != Some(next) {
                return Err(self.problem_at(at, format!("the value of `{name}` does not fit, it is {next}")));
            }
            // The next ones may use it.
            self.unit.constants.insert(name.clone(), (next, fixed.unwrap_or(IntKind::LongLong)));
            constants.push(Enumerator { name, value: next, doc });
            next += 1;
            let more = self.eat(",");
            if let Some(behind) = self.source.docs_behind.get(&(self.at as u32 - 1))
                && let Some(last) = constants.last_mut()
            {
                last.doc.get_or_insert_with(|| behind.clone());
            }
            if !more && !self.is("}") {
                return Err(self.wanting("`,` or `}`"));
            }
        }
        self.expect("}")?;
        Ok(constants)
    }

    /// The first type that holds all values, as GCC and Clang choose it.
    fn base_for(&self, constants: &[Enumerator], packed: bool) -> Option<IntKind> {
        use IntKind::{Int, Long, LongLong, SChar, Short, UChar, UInt, ULong, ULongLong, UShort};
        let negative = constants.iter().any(|constant| constant.value < 0);
        let kinds =
            if negative { [SChar, Short, Int, Long, LongLong] } else { [UChar, UShort, UInt, ULong, ULongLong] };
        let smallest = if packed { 0 } else { 2 };
        let target = &self.unit.target;
        kinds
            .into_iter()
            .skip(smallest)
            .find(|&kind| constants.iter().all(|constant| target.wrap(constant.value, kind) == Some(constant.value)))
    }
}
