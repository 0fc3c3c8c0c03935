//! The module tree, and an id for every item.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ItemKind, PatternKind};
use reml_syntax::names::{Names, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cfg::Removed;
use crate::cx::*;
use crate::effects::tags::Tags;
use crate::foreign::calling_convention;
use crate::infer::body::BodyCx;
use crate::infer::ty::{Row, Types};
use crate::local_items::LocalScope;
use crate::typed::{FnId, GlobalId, ImplId, LangItems, ModuleId, TypeDefId};
use crate::types::{Prim, TypeStore};
use crate::{CheckOptions, SourceModule};

impl<'a> Checker<'a> {
    pub fn new(modules: &'a [SourceModule], names: &'a mut Names, options: &'a CheckOptions) -> Self {
        let sym = Symbols::new(names);
        let mut builtins = FxHashMap::default();
        for prim in Prim::ALL {
            builtins.insert(names.intern(prim.name()), Builtin::Prim(prim));
        }
        for (name, builtin) in [
            ("Int", Builtin::Prim(Prim::I64)),
            ("UInt", Builtin::Prim(Prim::U64)),
            ("Float", Builtin::Prim(Prim::F64)),
            ("bool", Builtin::Prim(Prim::Bool)),
            ("String", Builtin::Prim(Prim::Str)),
            ("Text", Builtin::Prim(Prim::Str)),
            ("Unit", Builtin::Unit),
            ("Bytes", Builtin::Bytes),
            ("Array", Builtin::Array),
            ("__Cell", Builtin::Cell),
        ] {
            builtins.insert(names.intern(name), builtin);
        }
        let mut tree = PrimaryMap::new();
        let root = tree.push(empty_module("", None, false));
        Checker {
            names,
            options,
            diagnostics: Vec::new(),
            store: TypeStore::new(),
            t: Types::new(),
            modules: tree,
            module_names: FxHashMap::with_capacity_and_hasher(modules.len(), Default::default()),
            root,
            prelude: None,
            aliases: Vec::new(),
            ctor_sets: Vec::new(),
            adts: PrimaryMap::new(),
            traits: PrimaryMap::new(),
            impls: PrimaryMap::new(),
            fns: PrimaryMap::new(),
            globals: PrimaryMap::new(),
            effect_decls: PrimaryMap::new(),
            conductors: Vec::new(),
            externs: Vec::new(),
            tags: Tags::default(),
            builtins,
            inherent: FxHashMap::default(),
            impl_index: FxHashMap::default(),
            trait_methods: FxHashMap::default(),
            lang: LangItems::default(),
            lang_traits: LangTraits::default(),
            lang_exit: None,
            lang_parser: None,
            lang_async: None,
            sym,
            fn_bodies: FxHashMap::default(),
            global_bodies: FxHashMap::default(),
            references: FxHashMap::default(),
            queue: Vec::new(),
            queued: FxHashSet::default(),
            used_traits: FxHashSet::default(),
            structural_cache: FxHashMap::default(),
            b: BodyCx::default(),
            scope: Vec::new(),
            scope_heads: Vec::new(),
            body_depth: 0,
            trait_depth: 0,
            pending: Vec::new(),
            group_where: Vec::new(),
            next_inferred: 0,
            lifted_where: Vec::new(),
            sig_rows: Vec::new(),
            group_rows: Vec::new(),
            lift_failures: FxHashSet::default(),
            zonked_perm: Vec::new(),
            zonked_temp: Vec::new(),
            rigid_base: 0,
            effects: Default::default(),
            constraints: Vec::new(),
            error_spans: FxHashSet::default(),
            removed: Removed::default(),
            local_modules: Vec::new(),
        }
    }

    pub fn collect_modules(&mut self, modules: &'a [SourceModule], scopes: &'a [LocalScope]) {
        for source in modules {
            let id = self.module_at(&source.name, source.is_core);
            let info = &mut self.modules[id];
            info.is_core = source.is_core;
            info.package = source.package;
            info.ast = Some(&source.ast);
        }
        self.prelude = self.module_names.get("Core.Prelude").copied();
        for source in modules {
            let id = self.module_names[&source.name];
            for item in &source.ast.items {
                self.collect_item(id, item);
            }
        }
        for scope in scopes {
            let around = match scope.parent {
                Some(parent) => self.local_modules[parent as usize],
                None => self.module_names[&modules[scope.module].name],
            };
            let id = self.push_local_module(around);
            self.local_modules.push(id);
            for item in &scope.items {
                self.collect_item(id, item);
            }
        }
    }

    /// The module of a dotted name, with the modules above it.
    fn module_at(&mut self, name: &str, is_core: bool) -> ModuleId {
        if let Some(&id) = self.module_names.get(name) {
            return id;
        }
        let (parent, last) = match name.rfind('.') {
            Some(dot) => (self.module_at(&name[..dot], is_core), &name[dot + 1..]),
            None => (self.root, name),
        };
        let last = self.names.intern(last);
        let id = self.modules.push(empty_module(name, Some(parent), is_core));
        self.modules[parent].children.insert(last, id);
        self.module_names.insert(name.into(), id);
        id
    }

    fn collect_item(&mut self, module: ModuleId, item: &'a ast::Item) {
        match &item.kind {
            ItemKind::Use(decl) => self.collect_use(module, &decl.tree, &[], None, item.public),
            ItemKind::Let(decl) => self.collect_let(module, item, decl),
            ItemKind::Fn(decl) => {
                let intrinsic = item.attrs.iter().any(|attr| self.names.text(attr.name.name) == "intrinsic");
                let linkage = if decl.body.is_some() || intrinsic { Linkage::Reml } else { Linkage::Required };
                if linkage == Linkage::Required {
                    let name = decl.sig.name.segments.last().map_or("", |n| self.names.text(n.name)).to_owned();
                    self.error(codes::SIGNATURE_INCOMPLETE, decl.sig.span, format!("function `{name}` has no body"));
                }
                self.collect_fn(module, item, decl, Container::Module, linkage);
            }
            ItemKind::ActivePattern(decl) => {
                let id = self.push_fn(
                    module,
                    decl.name,
                    FnSource::Active(decl),
                    &item.attrs,
                    Container::Module,
                    Linkage::Reml,
                    item.public,
                );
                self.define_value(module, decl.name, Value::Pattern(id, decl.partial), item.public);
            }
            ItemKind::Type(decl) => self.collect_type(module, item, decl),
            ItemKind::Trait(decl) => {
                let mut generics = vec![self.sym.self_type];
                generics.extend(decl.generics.iter().map(|g| g.name.name));
                let id = self.traits.push(TraitInfo {
                    name: decl.name.name,
                    module,
                    span: decl.name.span,
                    decl,
                    generics,
                    supertraits: Vec::new(),
                    methods: Vec::new(),
                });
                self.define_type(module, decl.name, TypeItem::Trait(id), item.public);
                for method in &decl.items {
                    let ItemKind::Fn(f) = &method.kind else { continue };
                    let index = self.traits[id].methods.len() as u32;
                    let has_default = f.body.is_some();
                    let linkage = if has_default { Linkage::Reml } else { Linkage::Required };
                    let Some(def) = self.collect_fn(module, method, f, Container::Trait(id, index), linkage) else {
                        continue;
                    };
                    let name = self.fns[def].name;
                    if self.traits[id].methods.iter().any(|m| m.name == name) {
                        let text = self.names.text(name).to_owned();
                        self.error(
                            codes::NAME_DUPLICATE,
                            f.sig.name.span,
                            format!("the trait already has a method `{text}`"),
                        );
                    }
                    self.traits[id].methods.push(TraitMethodInfo { name, def, has_default });
                    self.trait_methods.entry(name).or_default().push((id, index));
                }
            }
            ItemKind::Impl(decl) => self.collect_impl(module, item, decl),
            ItemKind::Extern(decl) => {
                let is_core = self.modules[module].is_core;
                let linkage = match &*decl.abi {
                    "prim" if is_core => Linkage::Prim,
                    "rt" if is_core => Linkage::Rt,
                    abi if calling_convention(abi).is_some() => Linkage::Foreign,
                    other => {
                        let message = format!("unknown calling convention \"{other}\"");
                        self.report(
                            Diagnostic::error(codes::ATTRIBUTE_INVALID, item.span, message)
                                .with_help("write `extern \"C\"`"),
                        );
                        Linkage::Foreign
                    }
                };
                for inner in &decl.items {
                    if let ItemKind::Fn(f) = &inner.kind {
                        let id = self.collect_fn(module, inner, f, Container::Module, linkage);
                        if linkage == Linkage::Foreign
                            && let Some(id) = id
                        {
                            self.externs.push((id, &item.attrs, &decl.abi, item.span));
                        }
                        if item.public
                            && let Some(id) = id
                        {
                            self.fns[id].public = true;
                            let name = self.fns[id].name;
                            if let Some(entry) = self.modules[module].values.get_mut(&name) {
                                entry.public = true;
                            }
                        }
                    }
                }
            }
            ItemKind::Effect(decl) => {
                let tag = self.tags.declare(self.names.text(decl.name.name));
                let id = self.effect_decls.push(EffectInfo {
                    name: decl.name.name,
                    module,
                    span: decl.name.span,
                    decl,
                    attrs: &item.attrs,
                    tag,
                    family: None,
                    generics: decl.generics.iter().map(|g| g.name.name).collect(),
                    operations: Vec::new(),
                });
                self.define_type(module, decl.name, TypeItem::Effect(id), item.public);
            }
            ItemKind::Handler(decl) => {
                let id = self.push_fn(
                    module,
                    decl.name,
                    FnSource::Handler(decl),
                    &item.attrs,
                    Container::Module,
                    Linkage::Reml,
                    item.public,
                );
                self.define_value(module, decl.name, Value::Fn(id), item.public);
            }
            ItemKind::Conductor(decl) => self.collect_conductor(module, item, decl),
            ItemKind::Expr(expr) => {
                if !self.options.allow_top_level_expr {
                    self.report(
                        Diagnostic::error(
                            codes::TOP_LEVEL_EXPRESSION,
                            item.span,
                            "an expression cannot stand at the top level",
                        )
                        .with_help("put it into `fn main()`, or pass `--allow-top-level-expr`"),
                    );
                }
                let name = self.names.intern("<expr>");
                let ident = ast::Ident { name, span: item.span };
                let id = self.push_global(module, ident, GlobalSource::Expr(expr), &item.attrs, false);
                self.modules[module].inferred.push(Def::Global(id));
            }
            ItemKind::Error => {}
        }
    }

    pub fn collect_use(
        &mut self,
        module: ModuleId,
        tree: &ast::UseTree,
        prefix: &[ast::Ident],
        outer: Option<ast::PathAnchor>,
        public: bool,
    ) {
        let mut segments = prefix.to_vec();
        segments.extend_from_slice(&tree.path.segments);
        let anchor = outer.unwrap_or(tree.path.anchor);
        match &tree.kind {
            ast::UseKind::Group(trees) => {
                for inner in trees {
                    self.collect_use(module, inner, &segments, Some(anchor), public);
                }
            }
            ast::UseKind::Simple { alias } => {
                let Some(&last) = segments.last() else { return };
                let last = ast::Ident { name: last.name, span: tree.path.span };
                self.modules[module].uses.push(UseItem {
                    anchor,
                    segments,
                    name: alias.unwrap_or(last),
                    public,
                    span: tree.span,
                    resolved: false,
                    used: false,
                });
            }
        }
    }

    fn collect_let(&mut self, module: ModuleId, item: &'a ast::Item, decl: &'a ast::LetDecl) {
        let single = match &*decl.pattern.kind {
            PatternKind::Bind(name) => Some(*name),
            PatternKind::Constructor { path, args } if args.is_empty() && path.segments.len() == 1 => {
                Some(path.segments[0])
            }
            _ => None,
        };
        let mutable = decl.kind == ast::LetKind::Var;
        if let Some(name) = single {
            if !mutable && matches!(*decl.value.kind, ast::ExprKind::Lambda { .. }) {
                let source = FnSource::Let(decl);
                let id = self.push_fn(module, name, source, &item.attrs, Container::Module, Linkage::Reml, item.public);
                self.fns[id].state = FnState::Inferred;
                self.define_value(module, name, Value::Fn(id), item.public);
                self.modules[module].inferred.push(Def::Fn(id));
                return;
            }
            let id = self.push_global(module, name, GlobalSource::Let(decl), &item.attrs, mutable);
            self.define_value(module, name, Value::Global(id), item.public);
            self.modules[module].inferred.push(Def::Global(id));
            return;
        }
        let hidden = ast::Ident { name: self.names.intern("<pattern>"), span: decl.pattern.span };
        let whole = self.push_global(module, hidden, GlobalSource::Let(decl), &item.attrs, false);
        self.modules[module].inferred.push(Def::Global(whole));
        let mut bound = Vec::new();
        pattern_names(&decl.pattern, &mut bound);
        for name in bound {
            let id =
                self.push_global(module, name, GlobalSource::Projection(whole, &decl.pattern), &item.attrs, mutable);
            self.define_value(module, name, Value::Global(id), item.public);
            self.modules[module].inferred.push(Def::Global(id));
        }
    }

    pub fn push_global(
        &mut self,
        module: ModuleId,
        name: ast::Ident,
        source: GlobalSource<'a>,
        attrs: &'a [ast::Attr],
        mutable: bool,
    ) -> GlobalId {
        let path = self.path_of(module, name.name);
        self.globals.push(GlobalInfo {
            name: name.name,
            path,
            module,
            span: name.span,
            source,
            attrs,
            ty: None,
            mutable,
            polymorphic: None,
            row_count: 1,
            generic_effects: None,
            projected: false,
        })
    }

    fn path_of(&self, module: ModuleId, name: Symbol) -> Box<str> {
        let module = &self.modules[module].name;
        let name = self.names.text(name);
        let mut path = String::with_capacity(module.len() + 1 + name.len());
        path.push_str(module);
        path.push('.');
        path.push_str(name);
        path.into()
    }

    #[allow(clippy::too_many_arguments)]
    pub fn push_fn(
        &mut self,
        module: ModuleId,
        name: ast::Ident,
        source: FnSource<'a>,
        attrs: &'a [ast::Attr],
        container: Container,
        linkage: Linkage,
        public: bool,
    ) -> FnId {
        let path = self.path_of(module, name.name);
        self.fns.push(FnInfo {
            name: name.name,
            path,
            module,
            span: name.span,
            source,
            attrs,
            container,
            linkage,
            state: FnState::Known,
            public,
            has_self: false,
            variadic: false,
            foreign: None,
            generics: Vec::new(),
            arity: 0,
            params: Vec::new(),
            ret: Types::ERROR,
            wheres: Vec::new(),
            row_count: 1,
            declared: None,
            generic_effects: None,
            own_row: Row::NONE,
            checked_rows: Vec::new(),
        })
    }

    fn collect_fn(
        &mut self,
        module: ModuleId,
        item: &'a ast::Item,
        decl: &'a ast::FnDecl,
        container: Container,
        linkage: Linkage,
    ) -> Option<FnId> {
        let &name = decl.sig.name.segments.last()?;
        // Whoever cannot see a foreign function can declare it as well, so hiding it would protect nothing.
        let public = item.public || linkage == Linkage::Foreign;
        let id = self.push_fn(module, name, FnSource::Decl(decl), &item.attrs, container, linkage, public);
        self.fns[id].has_self = decl.sig.self_param.is_some();
        self.fns[id].variadic = decl.sig.variadic;
        if container == Container::Module && decl.sig.name.segments.len() == 1 {
            self.define_value(module, name, Value::Fn(id), public);
        }
        Some(id)
    }

    fn collect_impl(&mut self, module: ModuleId, item: &'a ast::Item, decl: &'a ast::ImplDecl) {
        let id: ImplId = self.impls.push(ImplInfo {
            trait_: None,
            module,
            span: decl.subject.span,
            decl,
            generics: decl.generics.iter().map(|g| g.name.name).collect(),
            args: Vec::new(),
            wheres: Vec::new(),
            methods: Vec::new(),
            row_count: 1,
        });
        let _ = item;
        for member in &decl.items {
            match &member.kind {
                ItemKind::Fn(f) => {
                    if f.body.is_none() {
                        self.error(codes::SIGNATURE_INCOMPLETE, f.sig.span, "a method of an `impl` needs a body");
                    }
                    self.collect_fn(module, member, f, Container::Impl(id), Linkage::Reml);
                }
                ItemKind::Let(l) => {
                    if let PatternKind::Bind(name) = &*l.pattern.kind {
                        let f = self.push_fn(
                            module,
                            *name,
                            FnSource::Let(l),
                            &member.attrs,
                            Container::Impl(id),
                            Linkage::Reml,
                            member.public,
                        );
                        self.fns[f].state = FnState::Inferred;
                        self.modules[module].inferred.push(Def::Fn(f));
                    }
                }
                _ => {}
            }
        }
    }

    fn collect_type(&mut self, module: ModuleId, item: &'a ast::Item, decl: &'a ast::TypeDecl) {
        if let ast::TypeDeclKind::Alias(ty) = &decl.kind {
            let id = self.aliases.len() as u32;
            self.aliases.push(Alias {
                module,
                generics: &decl.generics,
                target: AliasTarget::Type(ty),
                name: decl.name.name,
                expanding: false,
            });
            self.define_type(module, decl.name, TypeItem::Alias(id), item.public);
            return;
        }
        let def = self.adts.push(AdtInfo {
            name: decl.name.name,
            module,
            span: decl.name.span,
            decl,
            attrs: &item.attrs,
            arity: decl.generics.len() as u32,
            kind: AdtKind::Opaque,
            has_row: false,
            repr: None,
            plain: None,
        });
        self.define_type(module, decl.name, TypeItem::Adt(def), item.public);
        match &decl.kind {
            ast::TypeDeclKind::Sum(variants) => {
                let mut seen: FxHashMap<Symbol, Span> = FxHashMap::default();
                for (index, variant) in variants.iter().enumerate() {
                    if let Some(&first) = seen.get(&variant.name.name) {
                        let text = self.names.text(variant.name.name).to_owned();
                        self.report(
                            Diagnostic::error(
                                codes::NAME_DUPLICATE,
                                variant.name.span,
                                format!("variant `{text}` is declared twice"),
                            )
                            .with_label(first, "first declared here"),
                        );
                        continue;
                    }
                    seen.insert(variant.name.name, variant.name.span);
                    self.define_ctor(module, variant.name, def, index as u32, item.public);
                }
            }
            ast::TypeDeclKind::Record(_) | ast::TypeDeclKind::Newtype(_) | ast::TypeDeclKind::Unit => {
                self.define_ctor(module, decl.name, def, 0, item.public);
            }
            ast::TypeDeclKind::Alias(_) => {}
        }
    }

    fn define_ctor(&mut self, module: ModuleId, name: ast::Ident, def: TypeDefId, variant: u32, public: bool) {
        if let Some(entry) = self.modules[module].values.get_mut(&name.name)
            && let Value::Ctors(set) = entry.item
        {
            entry.public |= public;
            self.ctor_sets[set as usize].push((def, variant));
            return;
        }
        let set = self.ctor_sets.len() as u32;
        self.ctor_sets.push(vec![(def, variant)]);
        self.define_value(module, name, Value::Ctors(set), public);
    }

    pub fn define_value(&mut self, module: ModuleId, name: ast::Ident, item: Value, public: bool) {
        let entry = Entry { item, public, span: name.span, via: None };
        if let Some(previous) = self.modules[module].values.get(&name.name).copied() {
            self.duplicate(name, previous.span);
            return;
        }
        self.modules[module].values.insert(name.name, entry);
    }

    pub fn define_type(&mut self, module: ModuleId, name: ast::Ident, item: TypeItem, public: bool) {
        let entry = Entry { item, public, span: name.span, via: None };
        if let Some(previous) = self.modules[module].types.get(&name.name).copied() {
            self.duplicate(name, previous.span);
            return;
        }
        self.modules[module].types.insert(name.name, entry);
    }

    fn duplicate(&mut self, name: ast::Ident, previous: Span) {
        let text = self.names.text(name.name).to_owned();
        let code = if text.is_ascii() { codes::NAME_DUPLICATE } else { codes::SHADOWING_UNICODE };
        let mut diagnostic = Diagnostic::error(code, name.span, format!("`{text}` is defined twice in this module"))
            .with_label(previous, "first defined here")
            .with_help("rename one of the two");
        if code == codes::SHADOWING_UNICODE {
            diagnostic = diagnostic
                .with_note("names are compared in the normal form NFC: they may be equal though their bytes differ");
        }
        self.report(diagnostic);
    }
}

fn empty_module<'a>(name: &str, parent: Option<ModuleId>, is_core: bool) -> ModuleInfo<'a> {
    ModuleInfo {
        name: name.into(),
        parent,
        is_core,
        package: 0,
        ast: None,
        children: FxHashMap::default(),
        modules: FxHashMap::default(),
        types: FxHashMap::default(),
        values: FxHashMap::default(),
        uses: Vec::new(),
        inferred: Vec::new(),
    }
}

impl<'a> Checker<'a> {
    /// A module without a name inside another, for local imports.
    pub fn push_local_module(&mut self, parent: ModuleId) -> ModuleId {
        let mut info = empty_module(&self.modules[parent].name.clone(), Some(parent), self.modules[parent].is_core);
        info.package = self.modules[parent].package;
        self.modules.push(info)
    }
}

/// The names a pattern binds, in source order.
pub(crate) fn pattern_names(pattern: &ast::Pattern, out: &mut Vec<ast::Ident>) {
    match &*pattern.kind {
        PatternKind::Bind(name) => out.push(*name),
        PatternKind::Tuple(items) => items.iter().for_each(|p| pattern_names(p, out)),
        PatternKind::Or(items) => {
            if let Some(first) = items.first() {
                pattern_names(first, out);
            }
        }
        PatternKind::Constructor { args, .. } => args.iter().for_each(|p| pattern_names(p, out)),
        PatternKind::Record { fields, .. } | PatternKind::ConstructorRecord { fields, .. } => {
            for field in fields {
                match &field.pattern {
                    Some(p) => pattern_names(p, out),
                    None => out.push(field.name),
                }
            }
        }
        PatternKind::Slice(elements) => {
            for element in elements {
                match element {
                    ast::SliceElement::Pattern(p) => pattern_names(p, out),
                    ast::SliceElement::Rest { name: Some(name), .. } => out.push(*name),
                    ast::SliceElement::Rest { .. } => {}
                }
            }
        }
        PatternKind::Cons(head, tail) => {
            pattern_names(head, out);
            pattern_names(tail, out);
        }
        PatternKind::Active { arg: Some(p), .. } => pattern_names(p, out),
        PatternKind::Alias { pattern, name } => {
            pattern_names(pattern, out);
            out.push(*name);
        }
        _ => {}
    }
}
