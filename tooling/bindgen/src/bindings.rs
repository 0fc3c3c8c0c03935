//! What becomes of the declarations? Each function is bound or left out for a reason; with it come the records that it needs, and the
//! constants of its header.

use std::collections::{HashMap, HashSet};

use reml_diagnostics::codes;

use crate::c::expr::Value;
use crate::c::model::*;
use crate::c::parse::evaluate;
use crate::c::show::type_text;
use crate::c::token::{Macro, Source};
use crate::config::{Config, OpaqueTypes};
use crate::names::{Taken, parameter_name, type_name, value_name};
use crate::records::{self, Written};
use crate::report::{Left, Report};
use crate::scope;
use crate::types::{Refusal, Reml, Types};

/// Everything that is written, in the order of the headers.
#[derive(Default, Debug)]
pub struct Bindings {
    pub records: Vec<Written>,
    /// Types of which only the name is written.
    pub opaque: Vec<String>,
    pub groups: Vec<Group>,
    pub functions: Vec<Item>,
    /// Names for functions that the accessors of bits need.
    pub helpers: Helpers,
    pub correspondences: Vec<Correspondence>,
}

#[derive(Default, Debug)]
pub struct Helpers {
    pub read: String,
    pub signed: String,
    pub write: String,
    pub unsigned: String,
}

/// Constants that belong together.
#[derive(Debug)]
pub struct Group {
    /// `enum color`.
    pub title: Option<String>,
    pub constants: Vec<Constant>,
}

#[derive(Debug)]
pub struct Constant {
    pub name: String,
    pub ty: &'static str,
    pub value: Value,
    pub doc: Option<String>,
}

#[derive(Debug)]
pub enum Item {
    Function(Function),
    /// One that was left out, and why.
    Left {
        name: String,
        why: String,
    },
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    /// The name that the linker knows, if another.
    pub symbol: Option<String>,
    pub params: Vec<(String, Reml)>,
    pub result: Reml,
    pub variadic: bool,
    pub doc: Option<String>,
    pub deprecated: bool,
}

/// An entry of `types` in the manifest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Correspondence {
    pub c: String,
    pub reml: String,
    pub qualifiers: Vec<&'static str>,
}

struct Builder<'a> {
    source: &'a Source,
    config: &'a Config,
    scope: Vec<bool>,
    types: Types<'a>,
    report: &'a mut Report,
    values: Taken,
    seen: HashSet<Correspondence>,
    out: Bindings,
}

/// `expansions` are the macros of [`macros_wanted`], expanded.
pub fn build(
    source: &Source,
    unit: &mut Unit,
    expansions: &[(Macro, String)],
    config: &Config,
    report: &mut Report,
) -> Bindings {
    let values = macro_values(unit, expansions);
    let scope = scope::files_in_scope(source, config);
    let types = Types {
        unit,
        records: HashMap::new(),
        by_name: HashMap::new(),
        opaque: HashMap::new(),
        opaque_types: config.opaque_types,
        pointers: config.pointers,
    };
    let taken = Taken::default();
    let seen = HashSet::new();
    let mut builder = Builder { source, config, scope, types, report, values: taken, seen, out: Bindings::default() };
    builder.choose_types();
    builder.functions();
    builder.enums();
    builder.variables();
    builder.macros(values);
    builder.members();
    let mut helper = |name: &str| builder.values.fresh(name.to_owned());
    builder.out.helpers = Helpers {
        read: helper("read_bits"),
        signed: helper("as_signed"),
        write: helper("write_bits"),
        unsigned: helper("as_unsigned"),
    };
    builder.out
}

/// The macros whose values are wanted. Names that begin with two underscores, or with one and a capital, are the implementation's own.
pub fn macros_wanted<'a>(source: &'a Source, config: &Config) -> Vec<&'a Macro> {
    let scope = scope::files_in_scope(source, config);
    let private = |name: &str| {
        name.strip_prefix('_').is_some_and(|rest| rest.starts_with(|c: char| c == '_' || c.is_ascii_uppercase()))
    };
    let in_scope = |it: &&Macro| source.file_at(it.offset).is_some_and(|file| scope[file]);
    let wanted = |it: &&Macro| !it.body.is_empty() && !private(&it.name) && scope::is_wanted(&it.name, config);
    source.macros.iter().filter(in_scope).filter(wanted).collect()
}

fn macro_values(unit: &mut Unit, expansions: &[(Macro, String)]) -> Vec<Constant> {
    let mut constants = Vec::new();
    for (it, expansion) in expansions {
        let Some(value) = evaluate(&Source::new(expansion.clone()), unit) else { continue };
        let Some(ty) = constant_type(&value, unit) else { continue };
        constants.push(Constant { name: it.name.clone(), ty, value, doc: it.doc.clone() });
    }
    constants
}

fn constant_type(value: &Value, unit: &Unit) -> Option<&'static str> {
    Some(match value {
        Value::Int { kind, .. } => {
            let size = unit.target.int_layout(*kind).size;
            crate::types::integer(size, unit.target.is_signed(*kind) || *kind == IntKind::Char)?.source
        }
        Value::Float { value, .. } if !value.is_finite() => return None,
        Value::Float { single: true, .. } => "f32",
        Value::Float { single: false, .. } => "f64",
        Value::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?;
            // What was no UTF-8 in the header has become this.
            (!text.contains(char::REPLACEMENT_CHARACTER)).then_some("Str")?
        }
    })
}

impl Builder<'_> {
    fn in_scope(&self, offset: u32) -> bool {
        self.source.file_at(offset).is_none_or(|file| self.scope[file])
    }

    fn is_bound(&self, symbol: &Symbol) -> bool {
        self.in_scope(symbol.offset) && scope::is_wanted(&symbol.name, self.config)
    }

    /// Decides which records are written: those of the headers, and those that are needed by value.
    fn choose_types(&mut self) {
        let unit = self.types.unit;
        let own = |id: RecordId| records::own_name(unit, id);
        let excluded = |id: RecordId| own(id).is_some_and(|name| scope::is_excluded(&name, self.config));
        let mut wanted: Vec<RecordId> = Vec::new();
        let mut reached: HashSet<RecordId> = HashSet::new();
        let mut opaque: Vec<RecordId> = Vec::new();
        let mut queue: Vec<(TypeId, bool)> = Vec::new();
        for symbol in unit.symbols.iter().filter(|symbol| self.is_bound(symbol)) {
            queue.push((symbol.ty.ty, true));
        }
        for index in 0..unit.records.len() as u32 {
            let record = unit.record(RecordId(index));
            let named = own(RecordId(index)).is_some_and(|name| scope::is_wanted(&name, self.config));
            if record.body.is_some() && named && self.in_scope(record.offset) {
                queue.push((record.ty, true));
            }
        }
        let mut visited: HashSet<(TypeId, bool)> = HashSet::new();
        while let Some((ty, by_value)) = queue.pop() {
            let ty = unit.resolve(ty);
            if !visited.insert((ty, by_value)) {
                continue;
            }
            match unit.ty(ty) {
                Type::Pointer(to) => queue.push((to.ty, false)),
                Type::Array(of, _) => queue.push((of.ty, by_value)),
                Type::Function(function) => {
                    queue.push((function.result.ty, by_value));
                    queue.extend(function.params.iter().map(|param| (param.ty.ty, by_value)));
                }
                Type::Record(id) => {
                    let record = unit.record(*id);
                    let Some(body) = record.body.as_ref().filter(|_| !excluded(*id)) else {
                        opaque.push(*id);
                        continue;
                    };
                    // What other headers define is as good as opaque behind a pointer.
                    if !by_value && !self.in_scope(record.offset) {
                        opaque.push(*id);
                        continue;
                    }
                    if reached.insert(*id) {
                        if own(*id).is_some() {
                            wanted.push(*id);
                        }
                        queue.extend(body.members.iter().map(|member| (member.ty.ty, true)));
                    }
                }
                _ => {}
            }
        }
        wanted.sort_by_key(|id| (unit.record(*id).offset, *id));
        let config = self.config;
        let rename = |name: &str| config.rename.get(name).cloned();
        let mut taken = Taken::default();
        self.out.records = records::choose(&mut self.types, &wanted, &mut taken, &rename);
        if self.config.opaque_types == OpaqueTypes::Named {
            opaque.extend(reached.iter().copied());
            opaque.sort_by_key(|id| (unit.record(*id).offset, *id));
            opaque.dedup();
            for id in opaque {
                if self.types.records.contains_key(&id) {
                    continue;
                }
                let Some(own) = own(id) else { continue };
                let name = taken.fresh(rename(&own).unwrap_or_else(|| type_name(&own)));
                self.types.opaque.insert(id, name.clone());
                self.out.opaque.push(name);
            }
        }
    }

    fn leave(&mut self, symbol: &Symbol, reason: &'static str, c_type: Option<String>, hint: Option<String>) {
        let c_type_shown = c_type.as_ref().map(|it| format!(", `{it}`")).unwrap_or_default();
        self.out.functions.push(Item::Left { name: symbol.name.clone(), why: format!("{reason}{c_type_shown}") });
        let left = Left { code: codes::BINDGEN_TYPE, symbol: symbol.name.clone(), c_type, reason, hint };
        self.report.leave(left, self.source, symbol.offset);
    }

    fn functions(&mut self) {
        let unit = self.types.unit;
        for symbol in &unit.symbols {
            let SymbolKind::Function { only_here } = symbol.kind else { continue };
            let Type::Function(function) = unit.ty(unit.resolve(symbol.ty.ty)) else { continue };
            if !self.is_bound(symbol) {
                continue;
            }
            let wrapper = || Some("write a function of C that calls it, and bind that".to_owned());
            if only_here {
                self.leave(symbol, "inline_only", None, wrapper());
                continue;
            }
            if symbol.marks.returns_twice || returns_twice(&symbol.name) {
                let hint = "the functions of Reml in between would not be unwound; call it in C".to_owned();
                self.leave(symbol, "returns_twice", None, Some(hint));
                continue;
            }
            if let Some(convention) = symbol.marks.convention {
                self.leave(symbol, "unsupported_convention", Some(convention.to_owned()), wrapper());
                continue;
            }
            match self.function(symbol, function) {
                Ok(function) => self.out.functions.push(Item::Function(function)),
                Err(Refusal { reason, c_type, hint }) => self.leave(symbol, reason, Some(c_type), hint),
            }
        }
    }

    fn function(&mut self, symbol: &Symbol, function: &FnType) -> Result<Function, Refusal> {
        let result = self.types.value(function.result)?;
        let mut params = Vec::new();
        let mut taken = Taken::default();
        for (index, param) in function.params.iter().enumerate() {
            let name = param.name.as_deref().map_or_else(|| format!("arg{index}"), parameter_name);
            params.push((taken.fresh(name), self.types.value(param.ty)?));
        }
        // A function that takes any number of arguments takes one at least.
        if function.variadic && params.is_empty() {
            let hint = Some("write a function of C that takes what is needed, and bind that".to_owned());
            return Err(Refusal {
                reason: "unsupported_variadic",
                c_type: type_text(self.types.unit, symbol.ty),
                hint,
            });
        }
        self.correspond(function.result, &result);
        for (param, (_, reml)) in function.params.iter().zip(&params) {
            self.correspond(param.ty, reml);
        }
        let name = self.config.rename.get(&symbol.name).cloned().unwrap_or_else(|| value_name(&symbol.name));
        let name = self.values.fresh(name);
        let linked = symbol.label.as_ref().unwrap_or(&symbol.name);
        Ok(Function {
            symbol: (*linked != name).then(|| linked.clone()),
            name,
            params,
            result,
            variadic: function.variadic,
            doc: symbol.doc.clone(),
            deprecated: symbol.marks.deprecated,
        })
    }

    /// Notes which type of Reml a type of C has become.
    fn correspond(&mut self, ty: Qualified, reml: &Reml) {
        let unit = self.types.unit;
        let mut levels = vec![ty.quals];
        let mut inner = ty;
        while let Type::Pointer(to) | Type::Array(to, _) = unit.ty(inner.ty) {
            inner = *to;
            levels.push(to.quals);
        }
        let mut qualifiers = Vec::new();
        for qual in levels.into_iter().rev().flat_map(Quals::iter) {
            if !qualifiers.contains(&qual.text()) {
                qualifiers.push(qual.text());
            }
        }
        let entry = Correspondence { c: type_text(unit, ty), reml: reml.manifest(), qualifiers };
        if self.seen.insert(entry.clone()) {
            self.out.correspondences.push(entry);
        }
    }

    fn enums(&mut self) {
        let unit = self.types.unit;
        for index in 0..unit.enums.len() as u32 {
            let id = EnumId(index);
            let it = unit.enumeration(id);
            let Some(constants) = it.constants.as_ref().filter(|_| self.in_scope(it.offset)) else { continue };
            let Some(scalar) = self.types.enumeration(id) else { continue };
            let wanted = constants.iter().filter(|constant| scope::is_wanted(&constant.name, self.config));
            let kind = if scalar.source.starts_with('u') { IntKind::ULongLong } else { IntKind::LongLong };
            let list: Vec<(String, Value, Option<String>)> =
                wanted.map(|it| (it.name.clone(), Value::Int { value: it.value, kind }, it.doc.clone())).collect();
            let mut group = Group { title: it.tag.as_ref().map(|tag| format!("enum {tag}")), constants: Vec::new() };
            for (name, value, doc) in list {
                group.constants.push(self.constant(&name, scalar.source, value, doc));
            }
            if !group.constants.is_empty() {
                self.out.groups.push(group);
            }
        }
    }

    fn constant(&mut self, c_name: &str, ty: &'static str, value: Value, doc: Option<String>) -> Constant {
        let name = self.config.rename.get(c_name).cloned().unwrap_or_else(|| value_name(c_name));
        Constant { name: self.values.fresh(name), ty, value, doc }
    }

    /// Variables with a value that is known are constants; the others cannot be reached.
    fn variables(&mut self) {
        let unit = self.types.unit;
        let mut group = Group { title: None, constants: Vec::new() };
        for symbol in &unit.symbols {
            let SymbolKind::Variable { value } = &symbol.kind else { continue };
            if !self.is_bound(symbol) {
                continue;
            }
            match value.as_ref().and_then(|value| Some((constant_type(value, unit)?, value))) {
                Some((ty, value)) => {
                    let constant = self.constant(&symbol.name, ty, value.clone(), symbol.doc.clone());
                    group.constants.push(constant);
                }
                None => {
                    let hint = "write a function of C that reads it, and bind that".to_owned();
                    self.leave(symbol, "unsupported_variable", Some(type_text(unit, symbol.ty)), Some(hint));
                }
            }
        }
        if !group.constants.is_empty() {
            self.out.groups.push(group);
        }
    }

    fn macros(&mut self, values: Vec<Constant>) {
        let mut group = Group { title: None, constants: Vec::new() };
        for it in values {
            // `#define red red` beside `enum { red }`.
            if self.types.unit.constants.contains_key(&it.name) || self.types.unit.symbol_names.contains_key(&it.name) {
                continue;
            }
            group.constants.push(self.constant(&it.name, it.ty, it.value, it.doc));
        }
        if !group.constants.is_empty() {
            self.out.groups.push(group);
        }
    }

    /// The types of members, which follow those of functions.
    fn members(&mut self) {
        let unit = self.types.unit;
        let mut found = Vec::new();
        for record in &self.out.records {
            let members = unit.record(record.id).body.as_ref().map_or(&[][..], |body| &body.members);
            for field in &record.fields {
                if let Some(member) = field.member.and_then(|index| members.get(index)) {
                    found.push((member.ty, field.ty.clone()));
                }
            }
        }
        for (ty, reml) in found {
            self.correspond(ty, &reml);
        }
    }
}

/// Functions that GCC knows by name to come back more than once, and those that never come back to the functions in between.
fn returns_twice(name: &str) -> bool {
    matches!(
        name.trim_start_matches('_'),
        "setjmp"
            | "sigsetjmp"
            | "savectx"
            | "vfork"
            | "getcontext"
            | "longjmp"
            | "siglongjmp"
            | "setcontext"
            | "swapcontext"
    )
}
