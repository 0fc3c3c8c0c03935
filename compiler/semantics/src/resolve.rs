//! What a name or dotted chain in an expression means: a local, a definition, a member of a type, a method.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast, PathAnchor};
use reml_syntax::names::Symbol;

use crate::cx::*;
use crate::infer::body::{Binding, LocalBinding};
use crate::infer::ty::{Node, Row, Ty};
use crate::modules::Container;
use crate::typed::*;

/// What a chain of names stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Local(LocalId),
    Fn(FnId),
    Global(GlobalId),
    /// Constructors of one name; which is meant depends on the expected type.
    Ctors(u32),
    Ctor(TypeDefId, u32),
    /// A trait's method; the subject when the chain names a type.
    Method(TraitId, u32, Option<Ty>),
    Pattern(FnId),
    /// `format`, `println` and their kin: `Symbol` says which.
    Format(Symbol),
    /// Reported already.
    Error,
}

impl<'a> Checker<'a> {
    // -----------------------------------------------------------------------------------------------
    // Local scopes

    pub fn bind_local(&mut self, name: Symbol, what: LocalBinding) {
        let index = name.0 as usize;
        if index >= self.scope_heads.len() {
            self.scope_heads.resize(index + 64, u32::MAX);
        }
        let previous = self.scope_heads[index];
        self.scope_heads[index] = self.scope.len() as u32;
        self.scope.push(Binding { name, previous, what, body: self.body_depth });
    }

    pub fn pop_scope(&mut self, mark: usize) {
        while self.scope.len() > mark {
            if let Some(binding) = self.scope.pop() {
                self.scope_heads[binding.name.0 as usize] = binding.previous;
            }
        }
    }

    pub fn lookup_local(&self, name: Symbol) -> Option<LocalBinding> {
        let index = *self.scope_heads.get(name.0 as usize)?;
        let binding = self.scope.get(index as usize)?;
        // Locals of the bodies around a lifted function are not visible in it.
        match binding.what {
            LocalBinding::Local(_) if binding.body != self.body_depth => None,
            what => Some(what),
        }
    }

    fn local_names(&self) -> Vec<Symbol> {
        self.scope.iter().map(|binding| binding.name).collect()
    }

    // -----------------------------------------------------------------------------------------------
    // Chains

    /// The names of `a.b.c` when the expression is nothing else.
    pub fn chain_of(e: &ast::Expr, out: &mut Vec<ast::Ident>) -> Option<PathAnchor> {
        match &*e.kind {
            Ast::Path(path) => {
                out.extend_from_slice(&path.segments);
                Some(path.anchor)
            }
            Ast::Field { base, name } => {
                let anchor = Self::chain_of(base, out)?;
                out.push(*name);
                Some(anchor)
            }
            _ => None,
        }
    }

    /// What a chain means, and how many of its names that takes; the rest are fields.
    pub fn resolve_chain(&mut self, anchor: PathAnchor, names: &[ast::Ident]) -> (Target, usize) {
        let (target, taken) = self.resolve_names(anchor, names);
        match target {
            Target::Fn(id) if self.is_unchecked(id) => {
                let name = names[taken - 1];
                let message = format!("`{}` is for the standard library only", self.names.text(name.name));
                self.error_once(Diagnostic::error(codes::VISIBILITY_PRIVATE, name.span, message).with_help(
                    "it does not check what it is given; the modules of the data types have functions that do",
                ));
                (Target::Error, names.len())
            }
            _ => (target, taken),
        }
    }

    /// Is this an operation of the compiler or the runtime, seen from outside of the library? They rely on their callers for what they do not check.
    pub fn is_unchecked(&self, id: FnId) -> bool {
        matches!(self.fns[id].linkage, Linkage::Prim | Linkage::Rt) && !self.is_core(self.b.module)
    }

    fn resolve_names(&mut self, anchor: PathAnchor, names: &[ast::Ident]) -> (Target, usize) {
        let Some(&first) = names.first() else { return (Target::Error, 0) };
        let module = self.b.module;
        if anchor == PathAnchor::Relative {
            match self.lookup_local(first.name) {
                Some(LocalBinding::Local(local)) => return (Target::Local(local), 1),
                Some(LocalBinding::Fn(id)) => return (Target::Fn(id), 1),
                None => {}
            }
            if names.len() == 1 {
                return (self.resolve_single(first), 1);
            }
            let lower = !self.names.text(first.name).starts_with(char::is_uppercase);
            if lower && let Some(value) = self.lookup_value(module, first.name) {
                return (Self::value_target(value), 1);
            }
            if let Some(subject) = self.type_variable(first.name) {
                return match self.member_of_type(subject, names[1]) {
                    Some(target) => (target, 2),
                    None => {
                        self.no_member(&self.show(subject), names[1], &[]);
                        (Target::Error, names.len())
                    }
                };
            }
        }
        let (mut container, mut at) = match anchor {
            PathAnchor::Relative => {
                let container = self.head_container(module, first.name);
                if container.is_none() {
                    if let Some(value) = self.lookup_value(module, first.name) {
                        return (Self::value_target(value), 1);
                    }
                    let suggestion = self.suggest_container(first.name);
                    self.unknown_name(first.span, first.name, suggestion);
                    return (Target::Error, names.len());
                }
                (container, 1)
            }
            _ => match self.anchor_module(module, anchor) {
                Some(id) => (Container { module: Some(id), ..Container::default() }, 0),
                None => {
                    self.error(codes::USE_INVALID_SUPER, first.span, "there is no module above this one for `super`");
                    return (Target::Error, names.len());
                }
            },
        };
        while at < names.len() {
            let last = at + 1 == names.len();
            if !last {
                let next = self.child_container(module, container, names[at]);
                if !next.is_none() {
                    container = next;
                    at += 1;
                    continue;
                }
            }
            if let Some(target) = self.member(container, names[at]) {
                return (target, at + 1);
            }
            if last && let Some(value) = self.constant_constructor(container, names, at) {
                return value;
            }
            self.report_no_member(container, names, at);
            return (Target::Error, names.len());
        }
        // The chain names a module or a type, not a value.
        let name = names[names.len() - 1];
        let text = self.names.text(name.name).to_owned();
        self.error_once(Diagnostic::error(
            codes::NAME_UNKNOWN,
            name.span,
            format!("`{text}` is a module or a type, not a value"),
        ));
        (Target::Error, names.len())
    }

    /// `Outer.Name` where `Name` is both a child container and a value (a unit struct, say).
    fn constant_constructor(
        &mut self,
        container: Container,
        names: &[ast::Ident],
        at: usize,
    ) -> Option<(Target, usize)> {
        let child = self.child_container(self.b.module, container, names[at]);
        match child.ty {
            Some(TypeItem::Adt(def)) => {
                let variant = self.variant_named(def, names[at].name)?;
                Some((Target::Ctor(def, variant), at + 1))
            }
            _ => None,
        }
    }

    fn value_target(value: Value) -> Target {
        match value {
            Value::Fn(id) => Target::Fn(id),
            Value::Global(id) => Target::Global(id),
            Value::Ctors(set) => Target::Ctors(set),
            Value::Pattern(id, _) => Target::Pattern(id),
            Value::Error => Target::Error,
        }
    }

    fn resolve_single(&mut self, name: ast::Ident) -> Target {
        if let Some(value) = self.lookup_value(self.b.module, name.name) {
            return Self::value_target(value);
        }
        if self.is_format_name(name.name) {
            return Target::Format(name.name);
        }
        let container = self.head_container(self.b.module, name.name);
        if let Some(TypeItem::Error) = container.ty {
            return Target::Error;
        }
        let mut locals = self.local_names();
        locals.extend(self.format_names());
        let suggestion = self.suggest_value(self.b.module, name.name, &locals);
        if suggestion.is_none() && !container.is_none() {
            let text = self.names.text(name.name).to_owned();
            self.error_once(Diagnostic::error(
                codes::NAME_UNKNOWN,
                name.span,
                format!("`{text}` is a module or a type, not a value"),
            ));
            return Target::Error;
        }
        self.unknown_name(name.span, name.name, suggestion);
        Target::Error
    }

    pub fn format_names(&self) -> [Symbol; 7] {
        let s = &self.sym;
        [s.format, s.print, s.println, s.eprint, s.eprintln, s.panic, s.assert]
    }

    fn is_format_name(&self, name: Symbol) -> bool {
        self.format_names().contains(&name)
    }

    fn suggest_container(&self, name: Symbol) -> Option<String> {
        let locals = self.local_names();
        self.suggest_value(self.b.module, name, &locals).or_else(|| self.suggest_type(self.b.module, name))
    }

    /// A generic parameter in scope, or `Self`.
    fn type_variable(&self, name: Symbol) -> Option<Ty> {
        if name == self.sym.self_type {
            return self.b.self_ty;
        }
        self.b.generics.iter().rev().find(|g| g.0 == name).map(|g| g.1)
    }

    // -----------------------------------------------------------------------------------------------
    // Members

    /// `T.name` for a type or module: constructor, associated function, function of the module, trait function.
    fn member(&mut self, container: Container, name: ast::Ident) -> Option<Target> {
        match container.ty {
            Some(TypeItem::Error) => return Some(Target::Error),
            Some(TypeItem::Trait(id)) => {
                if let Some(index) = self.traits[id].methods.iter().position(|m| m.name == name.name) {
                    return Some(Target::Method(id, index as u32, None));
                }
            }
            _ => {}
        }
        let subject = self.container_type(container);
        if let Some(subject) = subject
            && let Some(target) = self.own_member(subject, name.name)
        {
            return Some(target);
        }
        if let Some(module) = container.module {
            if let Some(value) = self.value_in(self.b.module, module, name) {
                return Some(Self::value_target(value));
            }
            if self.modules[module].is_core && self.is_format_name(name.name) {
                return Some(Target::Format(name.name));
            }
        }
        let subject = subject?;
        self.foreign_member(subject, name, container.module)
    }

    fn member_of_type(&mut self, subject: Ty, name: ast::Ident) -> Option<Target> {
        self.own_member(subject, name.name).or_else(|| self.foreign_member(subject, name, None))
    }

    /// Constructors and inherent functions.
    fn own_member(&mut self, subject: Ty, name: Symbol) -> Option<Target> {
        if let Node::Adt(def, ..) = self.t.head(subject)
            && let Some(variant) = self.variant_named(def, name)
            && matches!(self.adts[def].kind, AdtKind::Sum(_))
        {
            return Some(Target::Ctor(def, variant));
        }
        let head = self.head_of(subject)?;
        let found = self.inherent.get(&(head, name))?;
        found.first().map(|&id| Target::Fn(id))
    }

    /// Functions of the type's module, and trait functions.
    fn foreign_member(&mut self, subject: Ty, name: ast::Ident, tried: Option<ModuleId>) -> Option<Target> {
        if let Some(module) = self.home_module(subject)
            && Some(module) != tried
            && let Some(entry) = self.modules[module].values.get(&name.name)
            && entry.public
        {
            return Some(Self::value_target(entry.item));
        }
        let candidates = self.trait_methods.get(&name.name)?.clone();
        for (trait_, index) in candidates {
            if self.may_implement(trait_, subject) {
                return Some(Target::Method(trait_, index, Some(subject)));
            }
        }
        None
    }

    /// Could the type satisfy the trait at all?
    pub fn may_implement(&mut self, trait_: TraitId, subject: Ty) -> bool {
        if let Node::Param(index) = self.t.head(subject) {
            if self.b.first_inferred.is_some_and(|first| index >= first) {
                // An inferred signature gets the condition.
                return true;
            }
            if self.b.assumptions.iter().any(|a| a.trait_ == trait_ && self.t.same(a.args[0], subject)) {
                return true;
            }
            return self.is_structural(trait_) || self.impl_index.contains_key(&(trait_, Head::Any));
        }
        let Some(head) = self.head_of(subject) else { return false };
        self.impl_index.contains_key(&(trait_, head))
            || self.impl_index.contains_key(&(trait_, Head::Any))
            || self.is_structural(trait_)
    }

    /// The type a container names, its arguments open.
    fn container_type(&mut self, container: Container) -> Option<Ty> {
        match (container.ty, container.builtin) {
            (Some(TypeItem::Adt(def)), _) => Some(self.open_adt(def)),
            (Some(TypeItem::Alias(alias)), _) => {
                let name = self.aliases[alias as usize].name;
                let module = self.aliases[alias as usize].module;
                let ident = ast::Ident { name, span: Span::NONE };
                let path = ast::Path { anchor: PathAnchor::Relative, segments: vec![ident], span: Span::NONE };
                let ty = ast::Type { kind: Box::new(ast::TypeKind::Path { path, args: Vec::new() }), span: Span::NONE };
                let mut scope = crate::modules::TypeScope {
                    module,
                    generics: &[],
                    self_ty: None,
                    rows: crate::modules::RowMode::Body,
                };
                Some(self.written_type(&ty, &mut scope))
            }
            (_, Some(Builtin::Prim(prim))) => Some(self.t.prim(prim)),
            (_, Some(Builtin::Unit)) => Some(crate::infer::ty::Types::UNIT),
            (_, Some(Builtin::Bytes)) => {
                let byte = self.t.prim(crate::types::Prim::U8);
                Some(self.t.array(byte))
            }
            (_, Some(Builtin::Array)) => {
                let element = self.t.fresh();
                Some(self.t.array(element))
            }
            _ => None,
        }
    }

    pub fn open_adt(&mut self, def: TypeDefId) -> Ty {
        if self.adts[def].arity == 0 && !self.adts[def].has_row {
            return self.plain_adt(def);
        }
        let args: Vec<Ty> = (0..self.adts[def].arity).map(|_| self.t.fresh()).collect();
        let row = if self.adts[def].has_row { Row::var(self.t.rows.fresh()) } else { Row::NONE };
        self.t.adt(def, &args, row)
    }

    /// The module whose public functions are also methods of the type.
    pub fn home_module(&self, subject: Ty) -> Option<ModuleId> {
        use crate::types::Prim;
        let name = match self.t.head(subject) {
            Node::Adt(def, ..) => return Some(self.adts[def].module),
            Node::Array(_) | Node::Fixed(..) => "Core.Array",
            Node::Prim(prim) => match prim {
                Prim::Str => "Core.Str",
                Prim::Char => "Core.Char",
                Prim::Bool => "Core.Bool",
                p if p.is_float() => "Core.Float",
                p if p.is_integer() => "Core.Int",
                _ => return None,
            },
            Node::Ref { inner, .. } => return self.home_module(inner),
            _ => return None,
        };
        self.module_names.get(name).copied()
    }

    fn report_no_member(&mut self, container: Container, names: &[ast::Ident], at: usize) {
        let owner: Vec<&str> = names[..at].iter().map(|n| self.names.text(n.name)).collect();
        let owner = owner.join(".");
        let mut candidates: Vec<Symbol> = Vec::new();
        if let Some(module) = container.module {
            candidates.extend(self.modules[module].values.iter().filter(|(_, e)| e.public).map(|(&k, _)| k));
            candidates.extend(self.modules[module].children.keys().copied());
        }
        if let Some(TypeItem::Adt(def)) = container.ty
            && let AdtKind::Sum(variants) = &self.adts[def].kind
        {
            candidates.extend(variants.iter().map(|v| v.name));
        }
        if let Some(head) = self.container_type(container).and_then(|subject| self.head_of(subject)) {
            candidates.extend(self.inherent.keys().filter(|key| key.0 == head).map(|key| key.1));
        }
        if let Some(TypeItem::Trait(id)) = container.ty {
            candidates.extend(self.traits[id].methods.iter().map(|m| m.name));
        }
        self.no_member(&owner, names[at], &candidates);
    }

    pub fn no_member(&mut self, owner: &str, name: ast::Ident, candidates: &[Symbol]) {
        if self.report_removed(name.span, name.name) {
            return;
        }
        let text = self.names.text(name.name).to_owned();
        let suggestion =
            crate::suggest::closest(&text, candidates.iter().map(|&c| self.names.text(c))).map(str::to_owned);
        let message =
            if owner.is_empty() { format!("there is no `{text}` here") } else { format!("`{owner}` has no `{text}`") };
        let mut diagnostic = Diagnostic::error(codes::NAME_UNKNOWN, name.span, message);
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        }
        self.error_once(diagnostic);
    }
}
