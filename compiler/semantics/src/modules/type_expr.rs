//! Written types: from syntax to inference types.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, TypeKind};
use reml_syntax::names::Symbol;

use crate::cx::*;
use crate::effects::{Closed, TagSet};
use crate::infer::ty::{List, Row, Ty, Types};
use crate::suggest;
use crate::typed::{EffectId, ModuleId, TypeDefId};

/// How function types without written effects get their rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowMode {
    /// In a signature: each is a row parameter of it; holds how many there are.
    Signature(u32),
    /// In a type definition: all are the type's hidden row parameter.
    Hidden,
    /// In a body: each is a fresh row.
    Body,
}

/// What names of types mean besides the module's.
pub(crate) struct TypeScope<'s> {
    pub module: ModuleId,
    pub generics: &'s [(Symbol, Ty)],
    pub self_ty: Option<Ty>,
    pub rows: RowMode,
}

impl<'a> Checker<'a> {
    pub fn fresh_row_for(&mut self, scope: &mut TypeScope<'_>) -> Row {
        match &mut scope.rows {
            RowMode::Signature(count) => {
                *count += 1;
                Row::sig(*count - 1)
            }
            RowMode::Hidden => Row::sig(0),
            RowMode::Body => Row::var(self.t.rows.fresh()),
        }
    }

    pub fn written_type(&mut self, ty: &ast::Type, scope: &mut TypeScope<'_>) -> Ty {
        match &*ty.kind {
            TypeKind::Path { path, args } => self.named_type(path, args, ty.span, scope),
            TypeKind::Fn { params, ret, effects } => {
                let params: Vec<Ty> = params.iter().map(|p| self.parameter_type(p, scope)).collect();
                let ret = self.written_type(ret, scope);
                let row = match effects {
                    Some(row) if !super::signatures::row_parameter(row, scope.generics) => {
                        let (closed, _) = self.effect_row(row, scope);
                        self.t.rows.constant(closed)
                    }
                    _ => self.fresh_row_for(scope),
                };
                self.t.func(&params, ret, row)
            }
            TypeKind::Tuple(items) => {
                let items: Vec<Ty> = items.iter().map(|item| self.written_type(item, scope)).collect();
                self.t.tuple(&items)
            }
            TypeKind::Unit => Types::UNIT,
            TypeKind::Record(fields) => {
                let mut sorted: Vec<(Symbol, Ty)> = Vec::with_capacity(fields.len());
                for field in fields {
                    let ty = self.written_type(&field.ty, scope);
                    if sorted.iter().any(|&(name, _)| name == field.name.name) {
                        let text = self.names.text(field.name.name).to_owned();
                        self.error(
                            codes::RECORD_DUPLICATE_FIELD,
                            field.name.span,
                            format!("field `{text}` is declared twice"),
                        );
                        continue;
                    }
                    sorted.push((field.name.name, ty));
                }
                self.record_type(sorted)
            }
            TypeKind::Array { element, len } => {
                let element_ty = self.written_type(element, scope);
                match len {
                    None => self.t.array(element_ty),
                    Some(len) => match u32::try_from(*len) {
                        Ok(len) => self.t.node(crate::infer::ty::Node::Fixed(element_ty, len)),
                        Err(_) => {
                            self.error(codes::TYPE_LITERAL_RANGE, ty.span, "an array cannot be this long");
                            Types::ERROR
                        }
                    },
                }
            }
            TypeKind::Ref { mutable, inner } => {
                let inner_ty = self.written_type(inner, scope);
                if scope.rows == RowMode::Hidden {
                    self.reference_escapes(ty.span);
                    return inner_ty;
                }
                self.t.reference(*mutable, inner_ty)
            }
            TypeKind::Hole => {
                if scope.rows == RowMode::Body {
                    self.t.fresh()
                } else {
                    self.error(codes::SIGNATURE_INCOMPLETE, ty.span, "`_` cannot stand for a type in a declaration");
                    Types::ERROR
                }
            }
            TypeKind::Error => Types::ERROR,
        }
    }

    /// The type of a function type's parameter. It may be a reference wherever the function is kept: only calls pass one.
    fn parameter_type(&mut self, ty: &ast::Type, scope: &mut TypeScope<'_>) -> Ty {
        match &*ty.kind {
            TypeKind::Ref { mutable, inner } => {
                let inner = self.written_type(inner, scope);
                self.t.reference(*mutable, inner)
            }
            _ => self.written_type(ty, scope),
        }
    }

    fn reference_escapes(&mut self, span: Span) {
        self.error_once(
            Diagnostic::error(codes::REFERENCE_ESCAPES, span, "a reference cannot be stored in data")
                .with_help("store the value itself: values are shared, not copied; use `Ref<T>` for shared mutation"),
        );
    }

    /// A structural record of unordered fields.
    pub fn record_type(&mut self, mut fields: Vec<(Symbol, Ty)>) -> Ty {
        fields.sort_by(|a, b| self.names.text(a.0).cmp(self.names.text(b.0)));
        let names: Vec<Symbol> = fields.iter().map(|&(name, _)| name).collect();
        let types: Vec<Ty> = fields.iter().map(|&(_, ty)| ty).collect();
        self.t.record(&names, &types)
    }

    fn named_type(&mut self, path: &ast::Path, args: &[ast::Type], span: Span, scope: &mut TypeScope<'_>) -> Ty {
        let Some((&last, parents)) = path.segments.split_last() else { return Types::ERROR };
        if parents.is_empty() && path.anchor == ast::PathAnchor::Relative {
            if let Some(&(_, ty)) = scope.generics.iter().rev().find(|(name, _)| *name == last.name) {
                if !args.is_empty() {
                    let text = self.names.text(last.name).to_owned();
                    self.error(codes::TYPE_ARITY, span, format!("the type parameter `{text}` takes no type arguments"));
                }
                return ty;
            }
            if last.name == self.sym.self_type {
                if let Some(ty) = scope.self_ty {
                    return ty;
                }
                self.error(codes::TYPE_UNKNOWN, span, "`Self` exists only inside a trait or an impl");
                return Types::ERROR;
            }
        }
        let arg_types: Vec<Ty> = args.iter().map(|arg| self.written_type(arg, scope)).collect();
        let (item, builtin) = if parents.is_empty() && path.anchor == ast::PathAnchor::Relative {
            match self.lookup_type(scope.module, last.name) {
                Some(item) => (Some(item), None),
                None => (None, self.builtins.get(&last.name).copied()),
            }
        } else {
            match self.container_of(scope.module, path.anchor, parents) {
                Ok(container) => {
                    let child = self.child_container(scope.module, container, last);
                    // `Core.Prelude.Int` and the like.
                    let builtin = if child.ty.is_none() { self.builtins.get(&last.name).copied() } else { None };
                    (child.ty, builtin)
                }
                Err(wrong) => {
                    let text = self.names.text(wrong.name).to_owned();
                    let suggestion = self.suggest_type(scope.module, wrong.name);
                    let mut diagnostic = Diagnostic::error(
                        codes::TYPE_UNKNOWN,
                        wrong.span,
                        format!("there is no module or type `{text}`"),
                    );
                    if let Some(suggestion) = suggestion {
                        let title = format!("did you mean `{suggestion}`?");
                        diagnostic = diagnostic.with_fix(wrong.span, suggestion, title);
                    }
                    self.error_once(diagnostic);
                    return Types::ERROR;
                }
            }
        };
        if let Some(item) = item {
            return match item {
                TypeItem::Adt(def) => self.applied_adt(def, arg_types, span, scope),
                TypeItem::Alias(alias) => self.applied_alias(alias, &arg_types, span, scope),
                TypeItem::Trait(id) => {
                    let text = self.names.text(self.traits[id].name).to_owned();
                    self.report(
                        Diagnostic::error(codes::TYPE_UNKNOWN, span, format!("`{text}` is a trait, not a type"))
                            .with_help(format!("write a generic parameter with a bound: `T: {text}`")),
                    );
                    Types::ERROR
                }
                TypeItem::Effect(_) => {
                    let text = self.names.text(last.name).to_owned();
                    self.error(codes::TYPE_UNKNOWN, span, format!("`{text}` is an effect, not a type"));
                    Types::ERROR
                }
                TypeItem::Error => Types::ERROR,
            };
        }
        match builtin {
            Some(Builtin::Prim(prim)) => {
                self.check_type_arity(last.name, 0, args.len(), span);
                self.t.prim(prim)
            }
            Some(Builtin::Unit) => Types::UNIT,
            Some(Builtin::Bytes) => {
                let byte = self.t.prim(crate::types::Prim::U8);
                self.t.array(byte)
            }
            Some(Builtin::Array) => {
                if !self.check_type_arity(last.name, 1, args.len(), span) {
                    return Types::ERROR;
                }
                self.t.array(arg_types[0])
            }
            Some(Builtin::Cell) => {
                if !self.check_type_arity(last.name, 1, args.len(), span) {
                    return Types::ERROR;
                }
                self.t.node(crate::infer::ty::Node::Cell(arg_types[0]))
            }
            None if self.report_removed(last.span, last.name) => Types::ERROR,
            None => {
                let text = self.names.text(last.name).to_owned();
                let suggestion = self.suggest_type(scope.module, last.name);
                let mut diagnostic =
                    Diagnostic::error(codes::TYPE_UNKNOWN, last.span, format!("there is no type `{text}`"));
                if let Some(suggestion) = suggestion {
                    let title = format!("did you mean `{suggestion}`?");
                    diagnostic = diagnostic.with_fix(last.span, suggestion, title);
                }
                self.error_once(diagnostic);
                Types::ERROR
            }
        }
    }

    pub fn check_type_arity(&mut self, name: Symbol, wanted: usize, given: usize, span: Span) -> bool {
        if wanted == given {
            return true;
        }
        let text = self.names.text(name).to_owned();
        let plural = if wanted == 1 { "" } else { "s" };
        self.error_once(Diagnostic::error(
            codes::TYPE_ARITY,
            span,
            format!("`{text}` takes {wanted} type argument{plural}, but {given} are given"),
        ));
        false
    }

    /// The future of an `async fn` with this result.
    pub(super) fn future_type(&mut self, answer: Ty, span: Span, scope: &mut TypeScope<'_>) -> Ty {
        match self.lang.future {
            Some(def) => self.applied_adt(def, vec![answer], span, scope),
            None => {
                self.error_once(Diagnostic::error(
                    codes::NOT_SUPPORTED,
                    span,
                    "`async` needs the standard library's `Core.Async`",
                ));
                Types::ERROR
            }
        }
    }

    /// The same, for a local function.
    pub fn body_future(&mut self, answer: Ty) -> Ty {
        let (module, generics) = (self.b.module, std::mem::take(&mut self.b.generics));
        let mut scope = TypeScope { module, generics: &generics, self_ty: self.b.self_ty, rows: RowMode::Body };
        let ty = self.future_type(answer, Span::NONE, &mut scope);
        self.b.generics = generics;
        ty
    }

    fn applied_adt(&mut self, def: TypeDefId, mut args: Vec<Ty>, span: Span, scope: &mut TypeScope<'_>) -> Ty {
        let arity = self.adts[def].arity as usize;
        if args.is_empty() && arity > 0 && scope.rows == RowMode::Body {
            args = (0..arity).map(|_| self.t.fresh()).collect();
        }
        if !self.check_type_arity(self.adts[def].name, arity, args.len(), span) {
            return Types::ERROR;
        }
        if !self.adts[def].has_row {
            if arity == 0 {
                return self.plain_adt(def);
            }
            return self.t.adt(def, &args, Row::NONE);
        }
        let row = self.fresh_row_for(scope);
        self.t.adt(def, &args, row)
    }

    /// A type definition without parameters, always the same node.
    pub fn plain_adt(&mut self, def: TypeDefId) -> Ty {
        if let Some(ty) = self.adts[def].plain {
            return ty;
        }
        let was = std::mem::replace(&mut self.t.permanent, true);
        let ty = self.t.adt(def, &[], Row::NONE);
        self.t.permanent = was;
        self.adts[def].plain = Some(ty);
        ty
    }

    fn applied_alias(&mut self, alias: u32, args: &[Ty], span: Span, scope: &mut TypeScope<'_>) -> Ty {
        let info = &self.aliases[alias as usize];
        let (module, generics, name) = (info.module, info.generics, info.name);
        let target = info.target;
        if info.expanding {
            let text = self.names.text(name).to_owned();
            self.error_once(
                Diagnostic::error(codes::TYPE_INFINITE, span, format!("the alias `{text}` stands for itself"))
                    .with_help("declare a new type with `type T = new ..`"),
            );
            return Types::ERROR;
        }
        let mut args = args.to_vec();
        if args.is_empty() && scope.rows == RowMode::Body {
            args = generics.iter().map(|_| self.t.fresh()).collect();
        }
        if !self.check_type_arity(name, generics.len(), args.len(), span) {
            return Types::ERROR;
        }
        let generics: Vec<(Symbol, Ty)> = generics.iter().map(|g| g.name.name).zip(args).collect();
        self.aliases[alias as usize].expanding = true;
        let mut inner = TypeScope { module, generics: &generics, self_ty: None, rows: scope.rows };
        let ty = match target {
            AliasTarget::Type(ty) => self.written_type(ty, &mut inner),
            AliasTarget::Name(ident) => {
                let path = ast::Path { anchor: ast::PathAnchor::Relative, segments: vec![ident], span: ident.span };
                self.named_type(&path, &[], ident.span, &mut inner)
            }
        };
        scope.rows = inner.rows;
        self.aliases[alias as usize].expanding = false;
        ty
    }

    /// A written row, without the effects that do not exist; and whether there was none of those.
    pub fn effect_row(&mut self, row: &ast::EffectRow, scope: &mut TypeScope<'_>) -> (Closed, bool) {
        let mut closed = Closed::default();
        let mut complete = true;
        for tag in &row.tags {
            let Some((tags, args)) = self.effect_tag(tag, scope) else {
                complete = false;
                continue;
            };
            closed.tags.add(&tags);
            if let Some((family, list)) = args {
                if closed.args.iter().any(|(known, _)| *known == family) {
                    self.two_instances(tag);
                    continue;
                }
                closed.args.push((family, list));
            }
        }
        closed.args.sort_unstable_by_key(|(family, _)| *family);
        (closed, complete)
    }

    fn two_instances(&mut self, tag: &ast::EffectTag) {
        let text = tag.path.segments.last().map_or("", |last| self.names.text(last.name)).to_owned();
        self.error_once(
            Diagnostic::error(
                codes::EFFECT_ARGUMENT_CONFLICT,
                tag.span,
                format!("a row has one `{text}` at most, so that its operations have one type"),
            )
            .with_help("declare a second effect for the second purpose"),
        );
    }

    /// The declared effect that a path names.
    pub fn effect_named(&mut self, path: &ast::Path, module: ModuleId) -> Option<EffectId> {
        match self.effect_item(path, module) {
            Some(TypeItem::Effect(id)) => Some(id),
            _ => None,
        }
    }

    fn effect_item(&mut self, path: &ast::Path, module: ModuleId) -> Option<TypeItem> {
        let (&last, parents) = path.segments.split_last()?;
        if parents.is_empty() && path.anchor == ast::PathAnchor::Relative {
            self.lookup_type(module, last.name)
        } else {
            let container = self.container_of(module, path.anchor, parents).ok()?;
            self.child_container(module, container, last).ty
        }
    }

    /// A tag with what it implies, or a declared effect with its arguments.
    pub fn effect_tag(
        &mut self,
        tag: &ast::EffectTag,
        scope: &mut TypeScope<'_>,
    ) -> Option<(TagSet, Option<(u32, List)>)> {
        if let Some(id) = self.effect_named(&tag.path, scope.module) {
            let info = &self.effect_decls[id];
            let (set, family, arity, name) = (TagSet::one(info.tag), info.family, info.generics.len(), info.name);
            let mut args: Vec<Ty> = tag.args.iter().map(|arg| self.written_type(arg, scope)).collect();
            if args.is_empty() && scope.rows == RowMode::Body {
                args = (0..arity).map(|_| self.t.fresh()).collect();
            }
            if !self.check_type_arity(name, arity, args.len(), tag.span) {
                return Some((set, None));
            }
            let list = self.t.list(&args);
            return Some((set, family.map(|family| (family, list))));
        }
        let text: Vec<&str> = tag.path.segments.iter().map(|s| self.names.text(s.name)).collect();
        let text = text.join(".");
        if let Some(set) = self.tags.lookup(&text) {
            return Some((set, None));
        }
        if let Some(TypeItem::Error) = self.effect_item(&tag.path, scope.module) {
            return None;
        }
        let suggestion = self.suggest_effect(&text, scope.module);
        let mut diagnostic =
            Diagnostic::error(codes::EFFECT_UNKNOWN_TAG, tag.span, format!("there is no effect `{text}`"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(tag.path.span, suggestion, title);
        }
        self.error_once(diagnostic);
        None
    }

    /// An effect that can be named here and is spelled much like this.
    pub fn suggest_effect(&self, text: &str, module: ModuleId) -> Option<String> {
        let visible = self.visible_effects(module);
        let declared = visible.iter().map(|&(name, _)| self.names.text(name));
        let known: Vec<&str> = declared.chain(self.tags.builtin()).collect();
        suggest::closest(text, known.iter().copied()).map(str::to_owned)
    }

    /// The effects of the module and those it imports, by name.
    pub fn visible_effects(&self, module: ModuleId) -> Vec<(Symbol, EffectId)> {
        let mut found: Vec<(Symbol, EffectId)> = Vec::new();
        let scopes = [Some(module), self.prelude];
        for scope in scopes.into_iter().flatten() {
            for (&name, entry) in &self.modules[scope].types {
                if let TypeItem::Effect(id) = entry.item
                    && !found.iter().any(|known| known.0 == name)
                {
                    found.push((name, id));
                }
            }
        }
        found.sort_unstable_by(|a, b| self.names.text(a.0).cmp(self.names.text(b.0)));
        found
    }

    /// A row written in a body.
    pub fn body_effect_row(&mut self, row: &ast::EffectRow) -> Closed {
        let generics = std::mem::take(&mut self.b.generics);
        let mut scope =
            TypeScope { module: self.b.module, generics: &generics, self_ty: self.b.self_ty, rows: RowMode::Body };
        let (closed, _) = self.effect_row(row, &mut scope);
        self.b.generics = generics;
        closed
    }
}
