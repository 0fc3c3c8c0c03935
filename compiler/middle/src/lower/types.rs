//! What is the Core type of a source type?
//!
//! References disappear (`&T` is `T`; a function with `&mut` parameters returns them beside its result) and so do
//! newtypes, unless one contains itself. The translation commutes with substitution, so the declared types of the Core
//! program can be translated once, generics and all.

use cranelift_entity::{EntitySet, PrimaryMap};
use reml_semantics::typed::{self, FieldDef, TypeDef, TypeDefId, TypeDefKind, VariantDef};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};

use super::Lower;

impl Lower<'_> {
    /// The Core type of a source type.
    pub fn core_type(&mut self, ty: TypeId) -> TypeId {
        if let Some(&known) = self.core_types.get(&ty) {
            return known;
        }
        let core = match self.types.get(ty).clone() {
            Type::Prim(_) | Type::Param(_) => ty,
            Type::Error => self.types.unit(),
            Type::Ref { inner, .. } => self.core_type(inner),
            Type::Tuple(items) => {
                let items = items.iter().map(|&item| self.core_type(item)).collect();
                self.types.intern(Type::Tuple(items))
            }
            Type::Record(fields) => {
                let fields = fields.iter().map(|&(name, field)| (name, self.core_type(field))).collect();
                self.types.intern(Type::Record(fields))
            }
            Type::Fn { params, ret } => {
                let ret = self.core_return(ret, &params);
                let params = params.iter().map(|&param| self.core_type(param)).collect();
                self.types.intern(Type::Fn { params, ret })
            }
            Type::Array(element) => {
                let element = self.core_type(element);
                self.types.intern(Type::Array(element))
            }
            Type::FixedArray(element, len) => {
                let element = self.core_type(element);
                self.types.intern(Type::FixedArray(element, len))
            }
            Type::VarCell(inner) => {
                let inner = self.core_type(inner);
                self.types.intern(Type::VarCell(inner))
            }
            Type::Adt(def, args) => match &self.src.type_defs[def].kind {
                TypeDefKind::Newtype(inner) if !self.nominal.contains(def) => {
                    let inner = self.types.substitute(*inner, &args);
                    self.core_type(inner)
                }
                _ => {
                    let args = args.iter().map(|&arg| self.core_type(arg)).collect();
                    self.types.intern(Type::Adt(def, args))
                }
            },
        };
        self.core_types.insert(ty, core);
        core
    }

    /// The Core result of a function with these source parameters: `&mut` ones come back beside it.
    pub fn core_return(&mut self, ret: TypeId, params: &[TypeId]) -> TypeId {
        let ret = self.core_type(ret);
        if self.types.is_never(ret) {
            return ret;
        }
        let mut outs = vec![ret];
        for &param in params {
            if let Type::Ref { mutable: true, inner } = *self.types.get(param) {
                outs.push(self.core_type(inner));
            }
        }
        if outs.len() == 1 { ret } else { self.types.intern(Type::Tuple(outs.into())) }
    }

    /// A source type without its reference.
    pub fn deref(&self, ty: TypeId) -> TypeId {
        match *self.types.get(ty) {
            Type::Ref { inner, .. } => inner,
            _ => ty,
        }
    }

    pub fn is_mut_ref(&self, ty: TypeId) -> bool {
        matches!(self.types.get(ty), Type::Ref { mutable: true, .. })
    }

    /// The primitive type that a source type is, looking through references.
    pub fn prim_of(&self, ty: TypeId) -> Option<Prim> {
        match self.types.get(self.deref(ty)) {
            Type::Prim(prim) => Some(*prim),
            _ => None,
        }
    }

    /// Is it a newtype that Core does not know?
    pub fn is_erased_newtype(&self, ty: TypeId) -> bool {
        match self.types.get(self.deref(ty)) {
            Type::Adt(def, _) => {
                matches!(self.src.type_defs[*def].kind, TypeDefKind::Newtype(_)) && !self.nominal.contains(*def)
            }
            _ => false,
        }
    }

    /// The source types of the fields of a product (variant 0) or of a sum's variant.
    pub fn field_types(&mut self, ty: TypeId, variant: u32) -> Vec<TypeId> {
        match self.types.get(self.deref(ty)).clone() {
            Type::Tuple(items) => items.to_vec(),
            Type::Record(fields) => fields.iter().map(|&(_, ty)| ty).collect(),
            Type::FixedArray(element, len) => vec![element; len as usize],
            Type::Adt(def, args) => {
                let src = self.src;
                let substitute = |types: &mut TypeStore, ty| types.substitute(ty, &args);
                match &src.type_defs[def].kind {
                    TypeDefKind::Sum(variants) => variants[variant as usize]
                        .fields
                        .iter()
                        .map(|field| substitute(&mut self.types, field.ty))
                        .collect(),
                    TypeDefKind::Record(fields) => {
                        fields.iter().map(|field| substitute(&mut self.types, field.ty)).collect()
                    }
                    TypeDefKind::Newtype(inner) => vec![substitute(&mut self.types, *inner)],
                    TypeDefKind::Opaque => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// The variants of a declared sum.
    pub fn variants_of(&self, ty: TypeId) -> Option<&'_ [VariantDef]> {
        match self.types.get(self.deref(ty)) {
            Type::Adt(def, _) => match &self.src.type_defs[*def].kind {
                TypeDefKind::Sum(variants) => Some(variants),
                _ => None,
            },
            _ => None,
        }
    }

    /// The declared types, with the types of their fields translated.
    pub fn core_type_defs(&mut self) -> PrimaryMap<TypeDefId, TypeDef> {
        let src = self.src;
        let mut defs = PrimaryMap::with_capacity(src.type_defs.len());
        for def in src.type_defs.values() {
            let mut fields = |fields: &[FieldDef]| -> Vec<FieldDef> {
                fields.iter().map(|field| FieldDef { name: field.name, ty: self.core_type(field.ty) }).collect()
            };
            let kind = match &def.kind {
                TypeDefKind::Sum(variants) => TypeDefKind::Sum(
                    variants
                        .iter()
                        .map(|variant| VariantDef {
                            name: variant.name,
                            fields: fields(&variant.fields),
                            span: variant.span,
                        })
                        .collect(),
                ),
                TypeDefKind::Record(record) => TypeDefKind::Record(fields(record)),
                TypeDefKind::Newtype(inner) => TypeDefKind::Newtype(self.core_type(*inner)),
                TypeDefKind::Opaque => TypeDefKind::Opaque,
            };
            let (name, module, span, arity, repr) = (def.name, def.module, def.span, def.arity, def.repr.clone());
            defs.push(TypeDef { name, module, span, arity, kind, repr });
        }
        defs
    }

    /// A readable spelling of a source type, for function names and messages.
    pub fn type_text(&self, ty: TypeId) -> String {
        let mut out = String::new();
        self.write_type(ty, &mut out);
        out
    }

    fn write_type(&self, ty: TypeId, out: &mut String) {
        match self.types.get(ty) {
            Type::Prim(prim) => out.push_str(prim.name()),
            Type::Tuple(items) => {
                out.push('(');
                self.write_types(items, out);
                out.push(')');
            }
            Type::Record(fields) => {
                out.push('{');
                for (i, (name, ty)) in fields.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { ", " });
                    out.push_str(self.names.text(*name));
                    out.push_str(": ");
                    self.write_type(*ty, out);
                }
                out.push('}');
            }
            Type::Fn { params, ret } => {
                out.push('(');
                self.write_types(params, out);
                out.push_str(") -> ");
                self.write_type(*ret, out);
            }
            Type::Adt(def, args) => {
                out.push_str(self.names.text(self.src.type_defs[*def].name));
                if !args.is_empty() {
                    out.push('<');
                    self.write_types(args, out);
                    out.push('>');
                }
            }
            Type::Array(element) => {
                out.push('[');
                self.write_type(*element, out);
                out.push(']');
            }
            Type::FixedArray(element, len) => {
                out.push('[');
                self.write_type(*element, out);
                out.push_str(&format!("; {len}]"));
            }
            Type::Ref { mutable, inner } => {
                out.push_str(if *mutable { "&mut " } else { "&" });
                self.write_type(*inner, out);
            }
            Type::VarCell(inner) => {
                out.push_str("Cell<");
                self.write_type(*inner, out);
                out.push('>');
            }
            Type::Param(i) => out.push_str(&format!("#{i}")),
            Type::Error => out.push('?'),
        }
    }

    fn write_types(&self, items: &[TypeId], out: &mut String) {
        for (i, &item) in items.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            self.write_type(item, out);
        }
    }
}

/// Newtypes whose expansion never ends.
pub fn nominal_newtypes(src: &typed::Program) -> EntitySet<TypeDefId> {
    let mut nominal = EntitySet::new();
    for (id, def) in &src.type_defs {
        let TypeDefKind::Newtype(inner) = def.kind else { continue };
        let mut seen = EntitySet::new();
        let mut stack = vec![inner];
        while let Some(ty) = stack.pop() {
            match src.types.get(ty) {
                Type::Tuple(items) => stack.extend_from_slice(items),
                Type::Record(fields) => stack.extend(fields.iter().map(|&(_, ty)| ty)),
                Type::Fn { params, ret } => {
                    stack.extend_from_slice(params);
                    stack.push(*ret);
                }
                Type::Array(inner) | Type::FixedArray(inner, _) | Type::Ref { inner, .. } | Type::VarCell(inner) => {
                    stack.push(*inner);
                }
                Type::Adt(other, args) => {
                    stack.extend_from_slice(args);
                    if *other == id {
                        nominal.insert(id);
                        break;
                    }
                    if let TypeDefKind::Newtype(inner) = src.type_defs[*other].kind
                        && seen.insert(*other)
                    {
                        stack.push(inner);
                    }
                }
                Type::Prim(_) | Type::Param(_) | Type::Error => {}
            }
        }
    }
    nominal
}
