//! What is a module of Reml in WIT? One interface, of its public types and functions, by the table of the specification read backwards.
//!
//! The tree is enough: it has names, documentation and the order of fields, and whoever calls has checked that it is right. A record of functions that give `Result<T, WitError>`, as
//! bindings have it, counts as these functions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use reml_diagnostics::{Span, codes};
use reml_syntax::ast::{
    Field, FnDecl, Item, ItemKind, Module, PatternKind, Type, TypeDecl, TypeDeclKind, TypeKind, VariantPayload,
};
use reml_syntax::names::{Names, Symbol};

use crate::load;
use crate::names::{escaped, kebab, wit_name};
use crate::report::Report;

mod refusals;

/// What the WIT shall be called.
#[derive(Clone, Default, Debug)]
pub struct Export {
    /// `shop:catalog@0.1.0`
    pub package: Option<String>,
    pub world: Option<String>,
}

/// As what `Set` has, a type is one of flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Plain,
    Flags,
}

/// The WIT of a module. `name` is that of its file. The text is valid WIT; the error is a mistake of this crate.
pub fn export(text: &str, name: &str, file: &str, options: &Export, report: &mut Report) -> Option<String> {
    let Ok(id) = report.sources.add(file, text) else {
        report.error(codes::WIT_GENERATE, Span::NONE, format!("`{file}` is too large"));
        return None;
    };
    let base = report.sources.file(id).base;
    let mut names = Names::new();
    let parsed = reml_syntax::parse(text, base, &mut names);
    if parsed.diagnostics.iter().any(reml_diagnostics::Diagnostic::is_error) {
        report.diagnostics.extend(parsed.diagnostics);
        return None;
    }
    let mut writer = Writer::new(&parsed.module, &names);
    let interface = writer.interface_name(name);
    let package = options.package.clone().unwrap_or_else(|| format!("local:{interface}"));
    let world = options.world.clone().unwrap_or_else(|| format!("{interface}-world"));
    let body = writer.body(report);
    let mut out = format!("package {package};\n\n");
    if let Some(docs) = &parsed.module.docs {
        doc(&mut out, "", docs);
    }
    let _ = write!(
        out,
        "interface {} {{\n{body}}}\n\nworld {} {{\n  export {0};\n}}\n",
        escaped(&interface),
        escaped(&world)
    );
    match load::check(&out) {
        Ok(_) => Some(out),
        Err(why) => {
            let first = why.lines().next().unwrap_or_default();
            let message = match (&options.package, &options.world) {
                (None, None) => format!("the result is no WIT, which is a mistake of remlc: {first}"),
                _ => format!("the result is no WIT: {first}"),
            };
            let mut diagnostic = reml_diagnostics::Diagnostic::error(codes::WIT_GENERATE, Span::NONE, message);
            if options.package.is_some() || options.world.is_some() {
                diagnostic = diagnostic.with_help("a package is `namespace:name` or `namespace:name@1.2.3`, a world `name`, in lower-case words with `-` between them");
            }
            report.add(diagnostic);
            None
        }
    }
}

struct Writer<'a> {
    module: &'a Module,
    names: &'a Names,
    types: HashMap<Symbol, &'a TypeDecl>,
    /// Names of types, and whether they are public.
    own: HashMap<&'a str, bool>,
    resources: BTreeSet<&'a str>,
    uses: BTreeMap<&'a str, Use>,
    /// Why a type is not there, by its name.
    refused: HashMap<&'a str, String>,
}

impl<'a> Writer<'a> {
    fn new(module: &'a Module, names: &'a Names) -> Writer<'a> {
        let (mut types, mut own) = (HashMap::new(), HashMap::new());
        let mut resources = BTreeSet::new();
        for item in &module.items {
            match &item.kind {
                ItemKind::Type(decl) => {
                    types.insert(decl.name.name, decl);
                    own.insert(names.text(decl.name.name), item.public);
                }
                ItemKind::Impl(it) => {
                    let of = it.of_trait.as_ref().and_then(|of| of.path.segments.last());
                    if let (Some(of), TypeKind::Path { path, .. }) = (of, &*it.subject.kind)
                        && names.text(of.name) == "WitResource"
                        && let [only] = &*path.segments
                    {
                        resources.insert(names.text(only.name));
                    }
                }
                _ => {}
            }
        }
        Writer { module, names, types, own, resources, uses: BTreeMap::new(), refused: HashMap::new() }
    }

    /// That of the only record of functions, or of the file.
    fn interface_name(&self, file: &str) -> String {
        let mut records = self.module.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Type(decl) if self.functions_of(decl).is_some() => Some(self.names.text(decl.name.name)),
            _ => None,
        });
        let name = match (records.next(), records.next()) {
            (Some(only), None) => kebab(only),
            _ => kebab(file),
        };
        if wit_parser::validate_id(&name).is_ok() { name } else { "exported".to_owned() }
    }

    fn body(&mut self, report: &mut Report) -> String {
        self.find_uses();
        self.refuse_types();
        let mut taken = BTreeSet::new();
        let mut out = String::new();
        let module = self.module;
        for item in module.items.iter().filter(|item| item.public) {
            match &item.kind {
                ItemKind::Type(decl) if self.functions_of(decl).is_none() => {
                    self.type_decl(item, decl, &mut taken, &mut out, report)
                }
                ItemKind::Type(decl) => {
                    for field in self.functions_of(decl).unwrap_or_default() {
                        self.field_function(field, &mut taken, &mut out, report);
                    }
                }
                ItemKind::Fn(decl) => self.function(item, decl, &mut taken, &mut out, report),
                ItemKind::Let(decl) => {
                    if let PatternKind::Bind(name) = &*decl.pattern.kind {
                        let name = self.names.text(name.name).to_owned();
                        leave(report, decl.pattern.span, name, "an interface has functions, and no values");
                    }
                }
                ItemKind::Trait(decl) => {
                    let name = self.names.text(decl.name.name).to_owned();
                    leave(report, decl.name.span, name, "WIT has no traits");
                }
                _ => {}
            }
        }
        out
    }

    fn last(&self, path: &reml_syntax::ast::Path) -> &'a str {
        path.segments.last().map_or("", |it| self.names.text(it.name))
    }

    /// The fields of a record of functions that components can have.
    fn functions_of(&self, decl: &'a TypeDecl) -> Option<Vec<&'a Field>> {
        let TypeDeclKind::Record(fields) = &decl.kind else { return None };
        let is_function = |field: &Field| match &*field.ty.kind {
            TypeKind::Fn { ret, .. } => self.success(ret).is_some(),
            _ => false,
        };
        (!fields.is_empty() && fields.iter().all(is_function)).then(|| fields.iter().collect())
    }

    /// The type of success of `Result<T, WitError>`.
    fn success<'t>(&self, ty: &'t Type) -> Option<&'t Type> {
        let TypeKind::Path { path, args } = &*ty.kind else { return None };
        let [ok, error] = &**args else { return None };
        let TypeKind::Path { path: of, .. } = &*error.kind else { return None };
        (self.last(path) == "Result" && self.last(of) == "WitError").then_some(ok)
    }

    fn type_decl(
        &self,
        item: &Item,
        decl: &TypeDecl,
        taken: &mut BTreeSet<String>,
        out: &mut String,
        report: &mut Report,
    ) {
        let name = self.names.text(decl.name.name);
        if let Some(reason) = self.refused.get(name) {
            leave(report, decl.name.span, name.to_owned(), reason);
            return;
        }
        if let Ok(text) = self.declaration(decl) {
            taken.insert(kebab(name));
            if let Some(docs) = &item.docs {
                doc(out, "  ", docs);
            }
            out.push_str(&text);
        }
    }

    /// A type with its name.
    fn declaration(&self, decl: &TypeDecl) -> Result<String, String> {
        let reml = self.names.text(decl.name.name);
        if !decl.generics.is_empty() {
            return Err("it is generic".to_owned());
        }
        let name = escaped(&wit_name(reml)?);
        let mut out = String::new();
        match &decl.kind {
            TypeDeclKind::Record(fields) if fields.is_empty() => return Err("it has no fields".to_owned()),
            TypeDeclKind::Record(fields) => {
                let _ = writeln!(out, "  record {name} {{");
                let mut taken = BTreeSet::new();
                for field in fields {
                    let _ = writeln!(out, "    {}: {},", self.part(field.name.name, &mut taken)?, self.ty(&field.ty)?);
                }
                out.push_str("  }\n");
            }
            TypeDeclKind::Sum(variants) => {
                let plain = variants.iter().all(|it| it.payload == VariantPayload::None);
                let word = match (plain, self.uses.get(reml)) {
                    (true, Some(Use::Flags)) => "flags",
                    (true, _) => "enum",
                    (false, Some(Use::Flags)) => {
                        return Err("sets of it are no flags, since its cases have values".to_owned());
                    }
                    (false, _) => "variant",
                };
                let _ = writeln!(out, "  {word} {name} {{");
                let mut taken = BTreeSet::new();
                for it in variants {
                    let case = self.part(it.name.name, &mut taken)?;
                    let several = || {
                        let case = self.names.text(it.name.name);
                        format!(
                            "its case `{case}` has several values, and cases of WIT have one; let it have a tuple or a record"
                        )
                    };
                    let payload = match &it.payload {
                        VariantPayload::None => String::new(),
                        VariantPayload::Positional(types) => match &**types {
                            [only] => format!("({})", self.ty(only)?),
                            _ => return Err(several()),
                        },
                        VariantPayload::Named(_) => return Err(several()),
                    };
                    if let Some(docs) = &it.docs {
                        doc(&mut out, "    ", docs);
                    }
                    let _ = writeln!(out, "    {case}{payload},");
                }
                out.push_str("  }\n");
            }
            TypeDeclKind::Newtype(ty) | TypeDeclKind::Alias(ty) => {
                let _ = writeln!(out, "  type {name} = {};", self.ty(ty)?);
            }
            TypeDeclKind::Unit if self.resources.contains(reml) => {
                let _ = writeln!(out, "  resource {name};");
            }
            TypeDeclKind::Unit => return Err("it has no fields".to_owned()),
        }
        Ok(out)
    }

    /// The name of a field or a case.
    fn part(&self, name: Symbol, taken: &mut BTreeSet<String>) -> Result<String, String> {
        let reml = self.names.text(name);
        let name = wit_name(reml).map_err(|reason| format!("`{reml}` of it: {reason}"))?;
        if !taken.insert(name.clone()) {
            return Err(format!("two of its parts are `{name}` in WIT"));
        }
        Ok(escaped(&name))
    }

    fn function(
        &self,
        item: &Item,
        decl: &FnDecl,
        taken: &mut BTreeSet<String>,
        out: &mut String,
        report: &mut Report,
    ) {
        let [name] = &*decl.sig.name.segments else { return };
        let reml = self.names.text(name.name);
        match self.function_text(decl).and_then(|text| Ok((self.function_name(reml, taken)?, text))) {
            Ok((name, text)) => {
                if let Some(docs) = &item.docs {
                    doc(out, "  ", docs);
                }
                let _ = writeln!(out, "  {name}: {text};");
            }
            Err(reason) => leave(report, name.span, reml.to_owned(), &reason),
        }
    }

    fn field_function(&self, field: &Field, taken: &mut BTreeSet<String>, out: &mut String, report: &mut Report) {
        let TypeKind::Fn { params, ret, .. } = &*field.ty.kind else { return };
        let reml = self.names.text(field.name.name);
        let text = || -> Result<String, String> {
            let mut all = Vec::new();
            for (index, ty) in params.iter().enumerate() {
                all.push(format!("arg{}: {}", index + 1, self.ty(ty)?));
            }
            Ok(format!("func({}){}", all.join(", "), self.result(ret)?))
        };
        match text().and_then(|text| Ok((self.function_name(reml, taken)?, text))) {
            Ok((name, text)) => {
                let _ = writeln!(out, "  {name}: {text};");
            }
            Err(reason) => leave(report, field.name.span, reml.to_owned(), &reason),
        }
    }

    fn function_name(&self, reml: &str, taken: &mut BTreeSet<String>) -> Result<String, String> {
        let name = wit_name(reml)?;
        if !taken.insert(name.clone()) {
            return Err(format!("its name in WIT, `{name}`, is that of something else"));
        }
        Ok(escaped(&name))
    }

    fn function_text(&self, decl: &FnDecl) -> Result<String, String> {
        let sig = &decl.sig;
        if decl.is_async {
            return Err("asynchronous functions are not supported".to_owned());
        }
        if !sig.generics.is_empty() {
            return Err("it is generic".to_owned());
        }
        let mut taken = BTreeSet::new();
        let mut params = Vec::new();
        for (index, param) in sig.params.iter().enumerate() {
            let name = match &*param.pattern.kind {
                PatternKind::Bind(name) => self.part(name.name, &mut taken)?,
                _ => format!("arg{}", index + 1),
            };
            let ty = param.ty.as_ref().ok_or_else(|| format!("the type of its parameter `{name}` is not written"))?;
            params.push(format!(
                "{name}: {}",
                self.ty(ty).map_err(|reason| format!("its parameter `{name}`: {reason}"))?
            ));
        }
        // A function with a block and no result type gives nothing.
        let result = match &sig.ret {
            Some(ty) => self.result(ty)?,
            None if matches!(decl.body.as_ref().map(|it| &*it.kind), Some(reml_syntax::ast::ExprKind::Block(_))) => {
                String::new()
            }
            None => return Err("the type of its result is not written".to_owned()),
        };
        Ok(format!("func({}){result}", params.join(", ")))
    }

    fn result(&self, ty: &Type) -> Result<String, String> {
        let ty = self.success(ty).unwrap_or(ty);
        match &*ty.kind {
            TypeKind::Unit => Ok(String::new()),
            _ => Ok(format!(" -> {}", self.ty(ty).map_err(|reason| format!("its result: {reason}"))?)),
        }
    }

    /// A type where it is used.
    fn ty(&self, ty: &Type) -> Result<String, String> {
        match &*ty.kind {
            TypeKind::Path { path, args } => self.path(self.last(path), args),
            TypeKind::Tuple(parts) if parts.len() > 12 => Err("tuples of more than 12 parts do not cross".to_owned()),
            TypeKind::Tuple(parts) => {
                let parts: Vec<String> = parts.iter().map(|ty| self.ty(ty)).collect::<Result<_, _>>()?;
                Ok(format!("tuple<{}>", parts.join(", ")))
            }
            TypeKind::Array { element, len: None } if self.is_u8(element) => Ok("list<u8>".to_owned()),
            TypeKind::Array { .. } => Err("arrays do not cross, but for bytes; a `List` does".to_owned()),
            TypeKind::Fn { .. } => Err("functions do not cross".to_owned()),
            TypeKind::Ref { .. } => Err("references do not cross; values do".to_owned()),
            TypeKind::Record(_) => Err("a record needs a name in WIT; declare a type for it".to_owned()),
            TypeKind::Unit => Err("`()` has no type in WIT here".to_owned()),
            TypeKind::Hole | TypeKind::Error => Err("the type is not written".to_owned()),
        }
    }

    fn is_u8(&self, ty: &Type) -> bool {
        matches!(&*ty.kind, TypeKind::Path { path, args } if args.is_empty() && self.last(path) == "u8")
    }

    fn path(&self, name: &str, args: &[Type]) -> Result<String, String> {
        let own = self.own.contains_key(name);
        let plain = match name {
            _ if own => None,
            "Bool" | "bool" => Some("bool"),
            "u8" => Some("u8"),
            "u16" => Some("u16"),
            "u32" => Some("u32"),
            "u64" | "UInt" => Some("u64"),
            "i8" => Some("s8"),
            "i16" => Some("s16"),
            "i32" => Some("s32"),
            "i64" | "Int" => Some("s64"),
            "f32" => Some("f32"),
            "f64" | "Float" => Some("f64"),
            "Char" => Some("char"),
            "Str" | "String" | "Text" => Some("string"),
            "Bytes" => Some("list<u8>"),
            _ => None,
        };
        if let Some(plain) = plain {
            return Ok(plain.to_owned());
        }
        let side = |ty: &Type| match &*ty.kind {
            TypeKind::Unit => Ok(None),
            _ => self.ty(ty).map(Some),
        };
        match (name, args) {
            _ if own && !args.is_empty() => Err(format!("`{name}` is generic")),
            _ if own => self.declared(name),
            ("isize" | "usize", []) => Err(format!("how large `{name}` is depends on the machine")),
            ("List", [element]) => Ok(format!("list<{}>", self.ty(element)?)),
            ("Option", [some]) => Ok(format!("option<{}>", self.ty(some)?)),
            ("Result", [ok, err]) => Ok(match (side(ok)?, side(err)?) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{ok}>"),
                (None, Some(err)) => format!("result<_, {err}>"),
                (Some(ok), Some(err)) => format!("result<{ok}, {err}>"),
            }),
            ("Set", [flag]) => match &*flag.kind {
                TypeKind::Path { path, .. } if self.uses.get(self.last(path)) == Some(&Use::Flags) => {
                    self.declared(self.last(path))
                }
                _ => Err("only sets of flags cross, which are cases without values".to_owned()),
            },
            ("Owned", [resource]) => self.resource(resource, |name| name),
            ("Borrow", [resource]) => self.resource(resource, |name| format!("borrow<{name}>")),
            _ => Err(format!("`{name}` is no type of this module, and none that crosses")),
        }
    }

    /// A type of the module.
    fn declared(&self, name: &str) -> Result<String, String> {
        if self.refused.contains_key(name) {
            return Err(format!("`{name}` is left out"));
        }
        if self.own.get(name) != Some(&true) {
            return Err(format!("`{name}` is not public"));
        }
        Ok(escaped(&wit_name(name)?))
    }

    fn resource(&self, ty: &Type, shown: impl Fn(String) -> String) -> Result<String, String> {
        match &*ty.kind {
            TypeKind::Path { path, .. } if self.resources.contains(self.last(path)) => {
                Ok(shown(self.declared(self.last(path))?))
            }
            _ => Err("its resource is no type of this module".to_owned()),
        }
    }
}

fn leave(report: &mut Report, at: Span, item: String, reason: &str) {
    report.leave(codes::WIT_UNSUPPORTED, at, item, reason.to_owned());
}

fn doc(out: &mut String, indent: &str, docs: &str) {
    for line in docs.lines() {
        let line = line.trim_end();
        let _ = writeln!(out, "{indent}///{}{line}", if line.is_empty() || line.starts_with(' ') { "" } else { " " });
    }
}
