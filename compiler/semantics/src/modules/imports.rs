//! What `use` brings: resolved to a fixed point, so that re-exports work in any order.

use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::ast::{self, PathAnchor};

use super::lookup::Container;
use crate::cx::*;
use crate::suggest;
use crate::typed::ModuleId;

impl<'a> Checker<'a> {
    pub fn resolve_uses(&mut self) {
        self.settle_single_name_types();
        let with_uses: Vec<ModuleId> =
            self.modules.iter().filter(|(_, info)| !info.uses.is_empty()).map(|(id, _)| id).collect();
        loop {
            let mut progress = false;
            for &module in &with_uses {
                for index in 0..self.modules[module].uses.len() {
                    progress |= self.resolve_use(module, index as u32);
                }
            }
            if !progress {
                break;
            }
        }
        for &module in &with_uses {
            for index in 0..self.modules[module].uses.len() {
                if !self.modules[module].uses[index].resolved {
                    self.report_unresolved_use(module, index);
                }
            }
        }
        self.check_use_cycles();
    }

    /// Resolves one import in every namespace that knows the name by now. True when it brought something new.
    pub fn resolve_use(&mut self, module: ModuleId, index: u32) -> bool {
        let item = &self.modules[module].uses[index as usize];
        let (anchor, name, public) = (item.anchor, item.name, item.public);
        let segments = item.segments.clone();
        let Some((&last, parents)) = segments.split_last() else { return false };
        let container = match self.use_container(module, anchor, parents) {
            Some(container) => container,
            None => return false,
        };
        let mut found_module = None;
        let mut found_type = None;
        let mut found_value = None;
        if let Some(inside) = container.module {
            let info = &self.modules[inside];
            found_module = info
                .children
                .get(&last.name)
                .copied()
                .or_else(|| info.modules.get(&last.name).filter(|e| e.public || inside == module).map(|e| e.item));
            found_type = info.types.get(&last.name).copied();
            found_value = info.values.get(&last.name).copied();
            if inside == module {
                // An import never finds itself.
                found_type = found_type.filter(|entry| entry.via != Some(index));
                found_value = found_value.filter(|entry| entry.via != Some(index));
            }
        } else if parents.is_empty() && anchor == PathAnchor::Relative {
            found_module = self.lookup_use_head(module, last.name);
        }
        if found_value.is_none()
            && let Some(TypeItem::Adt(def)) = container.ty
            && let Some(variant) = self.declared_variant(def, last.name)
        {
            let existing = self.modules[module].values.get(&name.name).copied();
            if existing.is_none() {
                let set = self.ctor_sets.len() as u32;
                self.ctor_sets.push(vec![(def, variant)]);
                found_value = Some(Entry { item: Value::Ctors(set), public: true, span: last.span, via: None });
            } else if existing.is_some_and(|entry| entry.via == Some(index)) {
                self.modules[module].uses[index as usize].resolved = true;
                return false;
            }
        }
        let mut progress = false;
        let mut visible = false;
        let mut private = None;
        if let Some(target) = found_module
            && target != module
        {
            visible = true;
            let entry = Entry { item: target, public, span: name.span, via: Some(index) };
            match self.modules[module].modules.get(&name.name).copied() {
                None => {
                    self.modules[module].modules.insert(name.name, entry);
                    progress = true;
                }
                Some(existing) => self.check_duplicate_use(module, index, existing.via, existing.item == target),
            }
        }
        if let Some(found) = found_type {
            let inside = container.module.unwrap_or(module);
            if found.public || self.is_within(module, inside) {
                visible = true;
                let entry = Entry { item: found.item, public, span: name.span, via: Some(index) };
                match self.modules[module].types.get(&name.name).copied() {
                    None => {
                        self.modules[module].types.insert(name.name, entry);
                        progress = true;
                    }
                    Some(existing) => {
                        self.check_duplicate_use(module, index, existing.via, existing.item == found.item);
                    }
                }
            } else {
                private = Some((inside, found.span));
            }
        }
        if let Some(found) = found_value {
            let inside = container.module.unwrap_or(module);
            if found.public || self.is_within(module, inside) {
                visible = true;
                let entry = Entry { item: found.item, public, span: name.span, via: Some(index) };
                match self.modules[module].values.get(&name.name).copied() {
                    None => {
                        self.modules[module].values.insert(name.name, entry);
                        progress = true;
                    }
                    Some(existing) => {
                        self.check_duplicate_use(module, index, existing.via, existing.item == found.item);
                    }
                }
            } else {
                private = Some((inside, found.span));
            }
        }
        if let Some((inside, span)) = private
            && !visible
        {
            visible = true;
            self.modules[module].uses[index as usize].used = true;
            self.check_visible(module, inside, last, span);
            if !self.is_within(module, inside) {
                let name = self.modules[module].uses[index as usize].name.name;
                self.error_names(module, name);
            }
        }
        if visible {
            self.modules[module].uses[index as usize].resolved = true;
        }
        progress
    }

    fn check_duplicate_use(&mut self, module: ModuleId, index: u32, via: Option<u32>, same: bool) {
        if via == Some(index) {
            return;
        }
        let item = &self.modules[module].uses[index as usize];
        let name = self.names.text(item.name.name).to_owned();
        let span = item.name.span;
        match via {
            // Two imports of one definition are harmless for the library's own aliases.
            Some(_) if same && self.modules[module].is_core => {}
            Some(other) => {
                for both in [index, other] {
                    self.modules[module].uses[both as usize].used = true;
                }
                let first = self.modules[module].uses[other as usize].name.span;
                let code = if same { codes::USE_DUPLICATE } else { codes::USE_AMBIGUOUS };
                let message = if same {
                    format!("`{name}` is imported twice")
                } else {
                    format!("two imports bring different things under the name `{name}`")
                };
                let mut diagnostic = Diagnostic::error(code, span, message).with_label(first, "first imported here");
                diagnostic = if same {
                    diagnostic.with_help("remove one of the imports")
                } else {
                    diagnostic.with_help("rename one of them with `as`")
                };
                self.error_once(diagnostic);
            }
            None if same => {}
            None => {
                let declared = self.modules[module]
                    .types
                    .get(&item.name.name)
                    .map(|e| e.span)
                    .or_else(|| self.modules[module].values.get(&item.name.name).map(|e| e.span));
                // One name may be imported as a module and declared as a type, or the reverse.
                let mut diagnostic = Diagnostic::error(
                    codes::USE_AMBIGUOUS,
                    span,
                    format!("the import `{name}` has the name of a definition of this module"),
                )
                .with_help("rename the import with `as`");
                if let Some(declared) = declared {
                    diagnostic = diagnostic.with_label(declared, "defined here");
                }
                self.error_once(diagnostic);
            }
        }
    }

    fn lookup_use_head(&mut self, module: ModuleId, name: reml_syntax::names::Symbol) -> Option<ModuleId> {
        let mut at = Some(module);
        while let Some(id) = at {
            if let Some(&child) = self.modules[id].children.get(&name) {
                return Some(child);
            }
            if let Some(entry) = self.modules[id].modules.get(&name) {
                return Some(entry.item);
            }
            at = self.modules[id].parent;
        }
        self.prelude.and_then(|prelude| self.modules[prelude].modules.get(&name)).map(|entry| entry.item)
    }

    /// The container of an import's last name. The first name is looked up among modules first.
    fn use_container(&mut self, module: ModuleId, anchor: PathAnchor, parents: &[ast::Ident]) -> Option<Container> {
        let (mut container, rest) = match anchor {
            PathAnchor::Relative => {
                let Some((first, rest)) = parents.split_first() else { return Some(Container::default()) };
                let container = Container {
                    module: self.lookup_use_head(module, first.name),
                    ty: self.lookup_type(module, first.name),
                    builtin: None,
                };
                (container, rest)
            }
            _ => {
                let module = self.anchor_module(module, anchor)?;
                (Container { module: Some(module), ..Container::default() }, parents)
            }
        };
        for segment in rest {
            let inside = container.module?;
            let info = &self.modules[inside];
            let child = info.children.get(&segment.name).copied();
            let named = info.modules.get(&segment.name).filter(|e| e.public || inside == module).map(|e| e.item);
            container = Container {
                module: child.or(named),
                ty: info.types.get(&segment.name).map(|entry| entry.item),
                builtin: None,
            };
        }
        (!container.is_none()).then_some(container)
    }

    pub fn declared_variant(&self, def: crate::typed::TypeDefId, name: reml_syntax::names::Symbol) -> Option<u32> {
        match &self.adts[def].decl.kind {
            ast::TypeDeclKind::Sum(variants) => {
                variants.iter().position(|v| v.name.name == name).map(|index| index as u32)
            }
            ast::TypeDeclKind::Record(_) | ast::TypeDeclKind::Newtype(_) | ast::TypeDeclKind::Unit => {
                (self.adts[def].name == name).then_some(0)
            }
            ast::TypeDeclKind::Alias(_) => None,
        }
    }

    pub fn report_unresolved_use(&mut self, module: ModuleId, index: usize) {
        let item = &self.modules[module].uses[index];
        let (anchor, span) = (item.anchor, item.span);
        let segments = item.segments.clone();
        if matches!(anchor, PathAnchor::Super(_)) && self.anchor_module(module, anchor).is_none() {
            let name = self.modules[module].name.clone();
            self.report(
                Diagnostic::error(
                    codes::USE_INVALID_SUPER,
                    span,
                    format!("module `{name}` has no module above it for `super`"),
                )
                .with_help("`super` names the enclosing module; a root module has none"),
            );
            return;
        }
        // The longest prefix that exists tells which segment is wrong.
        let mut known = 0;
        for end in 1..segments.len() {
            if self.use_container(module, anchor, &segments[..end]).is_some() {
                known = end;
            } else {
                break;
            }
        }
        let wrong = segments[known.min(segments.len() - 1)];
        let container = if known == 0 && anchor == PathAnchor::Relative {
            None
        } else {
            self.use_container(module, anchor, &segments[..known])
        };
        // An import chain that comes back to itself never resolves.
        if known + 1 == segments.len()
            && let Some(inside) = container.and_then(|c| c.module)
            && self.modules[inside].uses.iter().any(|u| u.name.name == wrong.name && !u.resolved)
        {
            let name = self.names.text(wrong.name).to_owned();
            self.report(
                Diagnostic::error(codes::USE_CYCLE, span, format!("the import of `{name}` comes back to itself"))
                    .with_help("no module in the circle defines it"),
            );
            return;
        }
        if self.report_removed(wrong.span, wrong.name) {
            let name = self.modules[module].uses[index].name.name;
            self.error_names(module, name);
            return;
        }
        let text = self.names.text(wrong.name).to_owned();
        let mut candidates: Vec<&str> = Vec::new();
        let message = match container.and_then(|c| c.module) {
            Some(inside) => {
                let info = &self.modules[inside];
                candidates.extend(info.children.keys().map(|&k| self.names.text(k)));
                candidates.extend(info.modules.iter().filter(|(_, e)| e.public).map(|(&k, _)| self.names.text(k)));
                candidates.extend(info.types.iter().filter(|(_, e)| e.public).map(|(&k, _)| self.names.text(k)));
                candidates.extend(info.values.iter().filter(|(_, e)| e.public).map(|(&k, _)| self.names.text(k)));
                if info.name.is_empty() {
                    format!("there is no module `{text}`")
                } else {
                    format!("module `{}` has no `{text}`", info.name)
                }
            }
            None => {
                let mut at = Some(module);
                while let Some(id) = at {
                    candidates.extend(self.modules[id].children.keys().map(|&k| self.names.text(k)));
                    at = self.modules[id].parent;
                }
                format!("there is no module `{text}`")
            }
        };
        let suggestion = suggest::closest(&text, candidates.into_iter()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(codes::USE_UNKNOWN, wrong.span, message);
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(wrong.span, suggestion, title);
        }
        // The name is defined as an error, so that its uses stay silent.
        let item = &self.modules[module].uses[index];
        let name = item.name.name;
        self.error_names(module, name);
        self.report(diagnostic);
    }

    /// Warns about imports that nothing mentions.
    pub fn report_unused_uses(&mut self) {
        let ids: Vec<ModuleId> = self.modules.keys().collect();
        for id in ids {
            if self.modules[id].is_core {
                continue;
            }
            for index in 0..self.modules[id].uses.len() {
                let item = &self.modules[id].uses[index];
                if item.used || item.public || !item.resolved {
                    continue;
                }
                let name = item.name;
                let is_trait = self.modules[id]
                    .types
                    .get(&name.name)
                    .is_some_and(|entry| matches!(entry.item, TypeItem::Trait(_)));
                // A module may be imported for the methods of its type.
                let is_module = self.modules[id].modules.contains_key(&name.name)
                    && self.modules[id].modules[&name.name].item != id;
                if is_trait || (is_module && self.names.text(name.name).starts_with(char::is_uppercase)) {
                    continue;
                }
                let text = self.names.text(name.name).to_owned();
                self.report(
                    Diagnostic::warning(codes::USE_UNUSED, name.span, format!("the import `{text}` is never used"))
                        .with_help("remove it"),
                );
            }
        }
    }
}
