//! What becomes of a world in Reml? Its types by the table of the specification, its interfaces as records of functions. What Reml has nothing for is left out, by name.

use std::collections::{HashMap, HashSet};

use reml_diagnostics::{Span, codes};
use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, Resolve, SizeAlign, Type, TypeDefKind, TypeId, WorldId, WorldItem,
    WorldKey,
};

use crate::load::place;
use crate::names::{self, Taken};
use crate::report::Report;

/// Reml has tuples of so many parts for what crosses, and functions take their arguments as one.
const MOST_PARTS: usize = 12;

/// A world in Reml.
pub struct Bindings {
    /// `shop:catalog/shopper@0.1.0`
    pub world: String,
    pub docs: Option<String>,
    pub sections: Vec<Section>,
}

/// What stands for an interface, or for what a world has without one.
pub struct Section {
    /// The id of the interface, or of the world.
    pub title: String,
    pub types: Vec<Declared>,
    pub functions: Vec<Functions>,
}

/// The functions of an interface.
pub struct Functions {
    pub name: String,
    pub constant: String,
    pub place: Place,
    pub docs: Option<String>,
    pub imported: bool,
    pub exported: bool,
    pub functions: Vec<Bound>,
}

/// As `Core.Ffi.Wit.Place`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub package: String,
    pub interface: String,
    pub world: String,
}

pub struct Bound {
    /// As components name it, `[method]cart.add`.
    pub wit: String,
    pub field: String,
    /// As WIT declares it, without the name.
    pub signature: String,
    pub docs: Option<String>,
    /// Names and types.
    pub params: Vec<(String, String)>,
    pub result: String,
}

/// A type with a name.
pub struct Declared {
    pub name: String,
    /// As WIT calls it; resources with the name of their interface.
    pub wit: String,
    pub docs: Option<String>,
    pub size: usize,
    pub align: usize,
    pub shape: Shape,
}

pub enum Shape {
    Alias(String),
    Record(Vec<Field>),
    /// Where payloads lie, and the cases.
    Variant(usize, Vec<Case>),
    Enum(Vec<Case>),
    Flags(Vec<Case>),
    Resource,
}

pub struct Field {
    pub wit: String,
    pub name: String,
    pub ty: String,
    pub offset: usize,
    pub docs: Option<String>,
}

pub struct Case {
    pub wit: String,
    pub name: String,
    pub payload: Option<String>,
    pub docs: Option<String>,
}

/// Why a type or a function is left out, in words.
type Reason = String;

/// An interface, or the world itself, before its types are known.
struct Part<'a> {
    key: Key,
    /// As its types and functions are prefixed where names clash.
    name: String,
    title: String,
    place: Place,
    docs: Option<&'a str>,
    types: Vec<TypeId>,
    imported: Vec<&'a Function>,
    exported: Vec<&'a Function>,
    /// Whether imported and exported functions are the same.
    whole: bool,
}

#[derive(PartialEq, Eq)]
enum Key {
    World,
    Interface(InterfaceId),
}

/// Plans the bindings of a world.
pub fn build(resolve: &Resolve, world: WorldId, report: &mut Report) -> Bindings {
    let mut sizes = SizeAlign::default();
    if let Err(error) = sizes.fill(resolve) {
        report.error(codes::WIT_PARSE, Span::NONE, error.to_string());
    }
    let parts = parts(resolve, world);
    let mut plan = Plan { resolve, sizes, names: HashMap::new(), taken: Taken::types(), left: HashSet::new(), report };
    let (records, constants) = plan.name_all(&parts);
    let sections = parts.iter().enumerate().map(|(index, part)| {
        let types = part.types.iter().filter_map(|&id| plan.declared(id)).collect();
        let functions = plan.functions(part, &records[index], &constants[index]);
        Section { title: part.title.clone(), types, functions }
    });
    let sections = sections.collect();
    let it = &resolve.worlds[world];
    Bindings { world: world_id(resolve, world), docs: it.docs.contents.clone(), sections }
}

fn world_id(resolve: &Resolve, world: WorldId) -> String {
    let it = &resolve.worlds[world];
    match it.package {
        Some(package) => resolve.id_of_name(package, &it.name),
        None => it.name.clone(),
    }
}

/// The world and its interfaces, in the order of the world; the world itself comes first.
fn parts(resolve: &Resolve, world: WorldId) -> Vec<Part<'_>> {
    let it = &resolve.worlds[world];
    let package = |id: Option<wit_parser::PackageId>| match id.or(it.package) {
        Some(package) => resolve.packages[package].name.to_string(),
        None => String::new(),
    };
    let mut own = Part {
        key: Key::World,
        name: it.name.clone(),
        title: world_id(resolve, world),
        place: Place { package: package(None), interface: "$root".to_owned(), world: it.name.clone() },
        docs: None,
        types: Vec::new(),
        imported: Vec::new(),
        exported: Vec::new(),
        whole: false,
    };
    let mut rest: Vec<Part<'_>> = Vec::new();
    for (items, is_import) in [(&it.imports, true), (&it.exports, false)] {
        for (key, item) in items {
            match item {
                WorldItem::Type { id, .. } => own.types.push(*id),
                WorldItem::Function(function) if is_import => own.imported.push(function),
                WorldItem::Function(function) => own.exported.push(function),
                WorldItem::Interface { id, .. } => {
                    let interface = &resolve.interfaces[*id];
                    let functions: Vec<&Function> = interface.functions.values().collect();
                    let known = rest.iter_mut().find(|part| part.key == Key::Interface(*id));
                    if let Some(part) = known {
                        *(if is_import { &mut part.imported } else { &mut part.exported }) = functions;
                        continue;
                    }
                    let name = match key {
                        WorldKey::Name(name) => name.clone(),
                        WorldKey::Interface(id) => resolve.interfaces[*id].name.clone().unwrap_or_default(),
                    };
                    let (imported, exported) =
                        if is_import { (functions, Vec::new()) } else { (Vec::new(), functions) };
                    rest.push(Part {
                        key: Key::Interface(*id),
                        title: resolve.id_of(*id).unwrap_or_else(|| name.clone()),
                        place: Place {
                            package: package(interface.package),
                            interface: name.clone(),
                            world: it.name.clone(),
                        },
                        name,
                        docs: interface.docs.contents.as_deref(),
                        types: interface.types.values().copied().collect(),
                        imported,
                        exported,
                        whole: true,
                    });
                }
            }
        }
    }
    rest.insert(0, own);
    rest
}

struct Plan<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    names: HashMap<TypeId, String>,
    /// All names of types in the module.
    taken: Taken,
    /// Types that are left out.
    left: HashSet<TypeId>,
    report: &'a mut Report,
}

/// Names for the functions of a part: those of an interface, or of what a world imports and exports.
type Records = [String; 2];

impl Plan<'_> {
    /// Gives each type a name, and each part names for its functions and its place. Types of one name in several interfaces have that of their interface in front.
    fn name_all(&mut self, parts: &[Part<'_>]) -> (Vec<Records>, Vec<String>) {
        let mut count: HashMap<String, usize> = HashMap::new();
        let mut wanted: Vec<(TypeId, String, String)> = Vec::new();
        for part in parts {
            for &id in &part.types {
                // What is used of another interface is that.
                if self.original(id) != id || wanted.iter().any(|(other, ..)| *other == id) {
                    continue;
                }
                let Some(name) = &self.resolve.types[id].name else { continue };
                let name = names::type_name(name);
                *count.entry(name.clone()).or_default() += 1;
                wanted.push((id, name, names::type_name(&part.name)));
            }
        }
        let mut taken = std::mem::take(&mut self.taken);
        for (id, name, prefix) in wanted {
            let name = if count[&name] > 1 { format!("{prefix}{name}") } else { name };
            let name = taken.fresh(name);
            self.names.insert(id, name);
        }
        let mut constants = Taken::default();
        let records = parts.iter().map(|part| {
            let name = names::type_name(&part.name);
            if !part.whole {
                return ["Imports", "Exports"].map(|which| taken.fresh(format!("{name}{which}")));
            }
            let name = if taken.has(&name) { format!("{name}Interface") } else { name };
            let name = taken.fresh(name);
            [name.clone(), name]
        });
        let records = records.collect();
        self.taken = taken;
        let constants = parts.iter().map(|part| constants.fresh(names::constant_name(&part.name))).collect();
        (records, constants)
    }

    /// The type that a `use` of it leads to.
    fn original(&self, id: TypeId) -> TypeId {
        let mut id = id;
        while let TypeDefKind::Type(Type::Id(inner)) = &self.resolve.types[id].kind {
            if self.resolve.types[*inner].name != self.resolve.types[id].name {
                break;
            }
            id = *inner;
        }
        id
    }

    fn declared(&mut self, id: TypeId) -> Option<Declared> {
        if self.original(id) != id {
            return None;
        }
        let name = self.names.get(&id)?.clone();
        let it = &self.resolve.types[id];
        let wit = it.name.clone().unwrap_or_default();
        let ty = Type::Id(id);
        match self.shape(id) {
            Ok(shape) => Some(Declared {
                name,
                wit: if matches!(shape, Shape::Resource) { self.resource_name(id) } else { wit },
                docs: it.docs.contents.clone(),
                size: if matches!(shape, Shape::Resource) { 4 } else { self.sizes.size(&ty).size_wasm32() },
                align: if matches!(shape, Shape::Resource) { 4 } else { self.sizes.align(&ty).align_wasm32() },
                shape,
            }),
            Err(reason) => {
                self.left.insert(id);
                let at = place(it.span, &self.resolve.source_map, self.report);
                self.report.leave(codes::WIT_UNSUPPORTED, at, self.resource_name(id), reason);
                None
            }
        }
    }

    /// The name of a type with that of its interface or world: `shop:catalog/store@0.1.0/cart`.
    fn resource_name(&self, id: TypeId) -> String {
        let it = &self.resolve.types[id];
        let name = it.name.clone().unwrap_or_default();
        match it.owner {
            wit_parser::TypeOwner::Interface(id) => match self.resolve.id_of(id) {
                Some(interface) => format!("{interface}/{name}"),
                None => name,
            },
            wit_parser::TypeOwner::World(id) => format!("{}/{name}", world_id(self.resolve, id)),
            wit_parser::TypeOwner::None => name,
        }
    }

    fn shape(&self, id: TypeId) -> Result<Shape, Reason> {
        let it = &self.resolve.types[id];
        match &it.kind {
            TypeDefKind::Record(record) if record.fields.is_empty() => {
                Err("records without fields have no values in Reml".to_owned())
            }
            TypeDefKind::Record(record) => {
                let mut taken = Taken::default();
                let offsets = self.sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
                let mut fields = Vec::new();
                for (field, (offset, _)) in record.fields.iter().zip(offsets) {
                    fields.push(Field {
                        wit: field.name.clone(),
                        name: taken.fresh(names::value_name(&field.name)),
                        ty: self.ty(&field.ty)?,
                        offset: offset.size_wasm32(),
                        docs: field.docs.contents.clone(),
                    });
                }
                Ok(Shape::Record(fields))
            }
            TypeDefKind::Variant(variant) => {
                let mut taken = self.cases(variant.cases.len());
                let payloads = variant.cases.iter().map(|case| case.ty.as_ref());
                let offset = self.sizes.payload_offset(variant.tag(), payloads).size_wasm32();
                let mut cases = Vec::new();
                for case in &variant.cases {
                    let payload = case.ty.as_ref().map(|ty| self.ty(ty)).transpose()?;
                    cases.push(self.case(&mut taken, &case.name, payload, &case.docs));
                }
                Ok(Shape::Variant(offset, cases))
            }
            TypeDefKind::Enum(it) => {
                let mut taken = self.cases(it.cases.len());
                Ok(Shape::Enum(
                    it.cases.iter().map(|case| self.case(&mut taken, &case.name, None, &case.docs)).collect(),
                ))
            }
            TypeDefKind::Flags(flags) if flags.flags.is_empty() => {
                Err("flags of which there are none have no values in Reml".to_owned())
            }
            TypeDefKind::Flags(it) => {
                let mut taken = self.cases(it.flags.len());
                Ok(Shape::Flags(
                    it.flags.iter().map(|flag| self.case(&mut taken, &flag.name, None, &flag.docs)).collect(),
                ))
            }
            TypeDefKind::Resource => Ok(Shape::Resource),
            TypeDefKind::Type(Type::Id(_)) if self.is_resource(id) => Ok(Shape::Alias(self.resource(id)?)),
            _ => Ok(Shape::Alias(self.definition(id)?)),
        }
    }

    /// The names that cases cannot have. What has the name of a type as its only case would be an alias of that.
    fn cases(&self, count: usize) -> Taken {
        let mut taken = if count == 1 { self.taken.clone() } else { Taken::default() };
        taken.add_cases();
        taken
    }

    fn case(&self, taken: &mut Taken, wit: &str, payload: Option<String>, docs: &wit_parser::Docs) -> Case {
        let name = taken.fresh(names::type_name(wit));
        Case { wit: wit.to_owned(), name, payload, docs: docs.contents.clone() }
    }

    /// A type where it is used.
    fn ty(&self, ty: &Type) -> Result<String, Reason> {
        let plain = match ty {
            Type::Bool => "Bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "i8",
            Type::S16 => "i16",
            Type::S32 => "i32",
            Type::S64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "Char",
            Type::String => "Str",
            Type::ErrorContext => {
                return Err("`error-context` belongs to the asynchronous ABI, which is not supported".to_owned());
            }
            Type::Id(id) => return self.named(*id),
        };
        Ok(plain.to_owned())
    }

    fn named(&self, id: TypeId) -> Result<String, Reason> {
        let id = self.original(id);
        if self.left.contains(&id) {
            let name = self.resolve.types[id].name.as_deref().unwrap_or_default();
            return Err(format!("it has to do with `{name}`, which is left out"));
        }
        match (&self.resolve.types[id].kind, self.names.get(&id)) {
            (TypeDefKind::Flags(_), Some(name)) => Ok(format!("Set<{name}>")),
            (TypeDefKind::Resource, Some(name)) => Ok(format!("Owned<{name}>")),
            (_, Some(name)) => Ok(name.clone()),
            _ => self.definition(id),
        }
    }

    /// What a type is, by its parts.
    fn definition(&self, id: TypeId) -> Result<String, Reason> {
        let not_yet = |what: &str| Err(format!("`{what}` belongs to the asynchronous ABI, which is not supported"));
        match &self.resolve.types[id].kind {
            TypeDefKind::List(Type::U8) => Ok("Bytes".to_owned()),
            TypeDefKind::List(element) => Ok(format!("List<{}>", self.ty(element)?)),
            TypeDefKind::Option(some) => Ok(format!("Option<{}>", self.ty(some)?)),
            TypeDefKind::Result(result) => {
                let side = |ty: &Option<Type>| ty.as_ref().map_or(Ok("()".to_owned()), |ty| self.ty(ty));
                Ok(format!("Result<{}, {}>", side(&result.ok)?, side(&result.err)?))
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() > MOST_PARTS => Err(format!(
                "Reml has no tuples of {} parts for what crosses, but of {MOST_PARTS} at most",
                tuple.types.len()
            )),
            TypeDefKind::Tuple(tuple) => {
                let parts: Vec<String> = tuple.types.iter().map(|ty| self.ty(ty)).collect::<Result<_, _>>()?;
                Ok(if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) })
            }
            TypeDefKind::Handle(Handle::Own(resource)) => Ok(format!("Owned<{}>", self.resource(*resource)?)),
            TypeDefKind::Handle(Handle::Borrow(resource)) => Ok(format!("Borrow<{}>", self.resource(*resource)?)),
            TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::Future(_) => not_yet("future"),
            TypeDefKind::Stream(_) => not_yet("stream"),
            TypeDefKind::FixedLengthList(..) => Err("lists of a fixed length are not supported".to_owned()),
            TypeDefKind::Map(..) => Err("maps are not supported; a list of pairs is".to_owned()),
            other => Err(format!("a {} is not supported here", other.as_str())),
        }
    }

    /// What a type is another name of.
    fn behind(&self, id: TypeId) -> TypeId {
        let mut id = id;
        while let TypeDefKind::Type(Type::Id(inner)) = &self.resolve.types[id].kind {
            id = *inner;
        }
        id
    }

    fn is_resource(&self, id: TypeId) -> bool {
        matches!(self.resolve.types[self.behind(id)].kind, TypeDefKind::Resource)
    }

    /// Another name of a resource is the resource.
    fn resource(&self, id: TypeId) -> Result<String, Reason> {
        self.names.get(&self.behind(id)).cloned().ok_or_else(|| "its resource is not part of the world".to_owned())
    }

    fn functions(&mut self, part: &Part<'_>, records: &Records, constant: &str) -> Vec<Functions> {
        let sides: Vec<(usize, &[&Function], bool, bool)> = match part.whole {
            true if part.imported.is_empty() => vec![(0, &part.exported, false, true)],
            true => vec![(0, &part.imported, true, !part.exported.is_empty())],
            false => vec![(0, &part.imported, true, false), (1, &part.exported, false, true)],
        };
        let mut all = Vec::new();
        for (which, functions, imported, exported) in sides {
            // Methods win over fields.
            let mut taken = Taken::of(&["export", "import"]);
            let mut bound = Vec::new();
            for function in functions {
                match self.bound(function, &mut taken) {
                    Ok(function) => bound.push(function),
                    Err(reason) => {
                        let at = place(function.span, &self.resolve.source_map, self.report);
                        let item = format!("{}#{}", part.title, function.name);
                        self.report.leave(codes::WIT_UNSUPPORTED, at, item, reason);
                    }
                }
            }
            if !bound.is_empty() {
                all.push(Functions {
                    name: records[which].clone(),
                    constant: constant.to_owned(),
                    place: part.place.clone(),
                    docs: part.docs.map(str::to_owned),
                    imported,
                    exported,
                    functions: bound,
                });
            }
        }
        all
    }

    fn bound(&self, function: &Function, taken: &mut Taken) -> Result<Bound, Reason> {
        if function.kind.is_async() {
            return Err("asynchronous functions are not supported".to_owned());
        }
        if function.kind.accessor().is_some() {
            return Err("getters and setters are not supported; methods are".to_owned());
        }
        if function.params.len() > MOST_PARTS {
            return Err(format!(
                "it takes {} parameters, and {MOST_PARTS} is the most; a record has room for more",
                function.params.len()
            ));
        }
        let field = taken.fresh(names::value_name(&self.field_name(function)));
        let mut names = Taken::of(&[&field]);
        let mut params = Vec::new();
        for param in &function.params {
            params.push((names.fresh(names::value_name(&param.name)), self.ty(&param.ty)?));
        }
        let result = function.result.as_ref().map_or(Ok("()".to_owned()), |ty| self.ty(ty))?;
        Ok(Bound {
            wit: function.name.clone(),
            field,
            signature: self.signature(function),
            docs: function.docs.contents.clone(),
            params,
            result,
        })
    }

    /// `[method]cart.add` is `cart-add`, a constructor `cart-new`.
    fn field_name(&self, function: &Function) -> String {
        let resource = function.kind.resource().and_then(|id| self.resolve.types[id].name.clone()).unwrap_or_default();
        match function.kind {
            FunctionKind::Constructor(_) => format!("{resource}-new"),
            FunctionKind::Method(_) | FunctionKind::Static(_) => format!("{resource}-{}", function.item_name()),
            _ => function.name.clone(),
        }
    }

    fn signature(&self, function: &Function) -> String {
        let params: Vec<String> =
            function.params.iter().map(|param| format!("{}: {}", param.name, self.wit(&param.ty))).collect();
        let result = function.result.as_ref().map(|ty| format!(" -> {}", self.wit(ty))).unwrap_or_default();
        format!("func({}){result}", params.join(", "))
    }

    /// A type as WIT writes it.
    fn wit(&self, ty: &Type) -> String {
        let id = match ty {
            Type::Id(id) => *id,
            Type::ErrorContext => return "error-context".to_owned(),
            plain => return format!("{plain:?}").to_lowercase(),
        };
        let it = &self.resolve.types[id];
        if let Some(name) = &it.name {
            return name.clone();
        }
        let side = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| self.wit(ty));
        let of = |id: &TypeId| self.resolve.types[*id].name.clone().unwrap_or_default();
        match &it.kind {
            TypeDefKind::List(element) => format!("list<{}>", self.wit(element)),
            TypeDefKind::Option(some) => format!("option<{}>", self.wit(some)),
            TypeDefKind::Tuple(tuple) => {
                let parts: Vec<String> = tuple.types.iter().map(|ty| self.wit(ty)).collect();
                format!("tuple<{}>", parts.join(", "))
            }
            TypeDefKind::Result(result) => match (&result.ok, &result.err) {
                (None, None) => "result".to_owned(),
                (ok, None) => format!("result<{}>", side(ok)),
                (ok, err) => format!("result<{}, {}>", side(ok), side(err)),
            },
            TypeDefKind::Handle(Handle::Own(id)) => of(id),
            TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", of(id)),
            other => other.as_str().to_owned(),
        }
    }
}
