//! What a name or a path means, seen from a module (section 2).
//!
//! The order is: the module's own items and imports, the modules around it, the prelude, the built-in types.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, PathAnchor};
use reml_syntax::names::Symbol;

use crate::cx::*;
use crate::suggest;
use crate::typed::ModuleId;

/// What stands before a `.`: a module, a type, or both under one name.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Container {
    pub module: Option<ModuleId>,
    pub ty: Option<TypeItem>,
    pub builtin: Option<Builtin>,
}

impl Container {
    pub fn is_none(&self) -> bool {
        self.module.is_none() && self.ty.is_none() && self.builtin.is_none()
    }
}

impl<'a> Checker<'a> {
    fn mark_used(&mut self, module: ModuleId, via: Option<u32>) {
        if let Some(index) = via {
            self.modules[module].uses[index as usize].used = true;
        }
    }

    pub fn lookup_value(&mut self, module: ModuleId, name: Symbol) -> Option<Value> {
        let mut at = Some(module);
        while let Some(id) = at {
            if let Some(entry) = self.modules[id].values.get(&name).copied() {
                self.mark_used(id, entry.via);
                return Some(entry.item);
            }
            at = self.modules[id].parent;
        }
        let entry = self.modules[self.prelude?].values.get(&name)?;
        entry.public.then_some(entry.item)
    }

    pub fn lookup_type(&mut self, module: ModuleId, name: Symbol) -> Option<TypeItem> {
        let mut at = Some(module);
        while let Some(id) = at {
            if let Some(entry) = self.modules[id].types.get(&name).copied() {
                self.mark_used(id, entry.via);
                return Some(entry.item);
            }
            at = self.modules[id].parent;
        }
        let entry = self.modules[self.prelude?].types.get(&name)?;
        entry.public.then_some(entry.item)
    }

    pub fn lookup_module(&mut self, module: ModuleId, name: Symbol) -> Option<ModuleId> {
        let mut at = Some(module);
        while let Some(id) = at {
            if let Some(entry) = self.modules[id].modules.get(&name).copied() {
                self.mark_used(id, entry.via);
                return Some(entry.item);
            }
            if let Some(&child) = self.modules[id].children.get(&name) {
                return Some(child);
            }
            at = self.modules[id].parent;
        }
        let entry = self.modules[self.prelude?].modules.get(&name)?;
        entry.public.then_some(entry.item)
    }

    /// The first name of a path.
    pub fn head_container(&mut self, module: ModuleId, name: Symbol) -> Container {
        let ty = self.lookup_type(module, name);
        Container {
            module: self.lookup_module(module, name),
            ty,
            builtin: if ty.is_none() { self.builtins.get(&name).copied() } else { None },
        }
    }

    pub fn child_container(&mut self, from: ModuleId, inside: Container, name: ast::Ident) -> Container {
        let Some(module) = inside.module else { return Container::default() };
        let info = &self.modules[module];
        let child = info.children.get(&name.name).copied();
        let via_use = info.modules.get(&name.name).copied();
        let ty = info.types.get(&name.name).copied();
        if let Some(entry) = ty
            && !entry.public
        {
            self.check_visible(from, module, name, entry.span);
        }
        Container { module: child.or(via_use.map(|entry| entry.item)), ty: ty.map(|entry| entry.item), builtin: None }
    }

    /// Is `from` the module itself or inside it?
    pub fn is_within(&self, from: ModuleId, module: ModuleId) -> bool {
        let mut at = Some(from);
        while let Some(id) = at {
            if id == module {
                return true;
            }
            at = self.modules[id].parent;
        }
        false
    }

    pub fn check_visible(&mut self, from: ModuleId, module: ModuleId, name: ast::Ident, declared: Span) {
        if self.is_within(from, module) {
            return;
        }
        let text = self.names.text(name.name).to_owned();
        let owner = self.modules[module].name.clone();
        self.error_once(
            Diagnostic::error(codes::VISIBILITY_PRIVATE, name.span, format!("`{text}` is private to module `{owner}`"))
                .with_label(declared, "declared here without `pub`")
                .with_help("mark it `pub` to use it from other modules"),
        );
    }

    /// The container that all segments of a path but the last name. Reports nothing.
    pub fn container_of(
        &mut self,
        module: ModuleId,
        anchor: PathAnchor,
        segments: &[ast::Ident],
    ) -> Result<Container, ast::Ident> {
        let mut rest = segments;
        let mut container = match anchor {
            PathAnchor::Relative => {
                let Some((&first, tail)) = segments.split_first() else { return Ok(Container::default()) };
                rest = tail;
                let container = self.head_container(module, first.name);
                if container.is_none() {
                    return Err(first);
                }
                container
            }
            _ => match self.anchor_module(module, anchor) {
                Some(id) => Container { module: Some(id), ..Container::default() },
                None => return Ok(Container::default()),
            },
        };
        for &segment in rest {
            container = self.child_container(module, container, segment);
            if container.is_none() {
                return Err(segment);
            }
        }
        Ok(container)
    }

    /// The module an anchor stands for; `None` when there are too many `super`s.
    pub fn anchor_module(&mut self, module: ModuleId, anchor: PathAnchor) -> Option<ModuleId> {
        match anchor {
            PathAnchor::Relative | PathAnchor::SelfModule => Some(module),
            PathAnchor::Root => Some(self.root),
            PathAnchor::Super(count) => {
                let mut at = module;
                for _ in 0..count {
                    at = self.modules[at].parent.filter(|&parent| parent != self.root)?;
                }
                Some(at)
            }
        }
    }

    /// A public value of a module, or a private one seen from inside.
    pub fn value_in(&mut self, from: ModuleId, module: ModuleId, name: ast::Ident) -> Option<Value> {
        let entry = self.modules[module].values.get(&name.name).copied()?;
        if !entry.public {
            self.check_visible(from, module, name, entry.span);
        }
        Some(entry.item)
    }

    /// The closest value name visible from a module, or among the locals given.
    pub fn suggest_value(&self, module: ModuleId, name: Symbol, locals: &[Symbol]) -> Option<String> {
        let mut candidates: Vec<&str> = locals.iter().map(|&local| self.names.text(local)).collect();
        let mut at = Some(module);
        while let Some(id) = at {
            candidates.extend(self.modules[id].values.keys().map(|&key| self.names.text(key)));
            at = self.modules[id].parent;
        }
        if let Some(prelude) = self.prelude {
            candidates.extend(self.modules[prelude].values.keys().map(|&key| self.names.text(key)));
        }
        suggest::closest(self.names.text(name), candidates.into_iter()).map(str::to_owned)
    }

    pub fn suggest_type(&self, module: ModuleId, name: Symbol) -> Option<String> {
        let mut candidates: Vec<&str> = self.builtins.keys().map(|&key| self.names.text(key)).collect();
        let mut at = Some(module);
        while let Some(id) = at {
            candidates.extend(self.modules[id].types.keys().map(|&key| self.names.text(key)));
            at = self.modules[id].parent;
        }
        if let Some(prelude) = self.prelude {
            candidates.extend(self.modules[prelude].types.keys().map(|&key| self.names.text(key)));
        }
        suggest::closest(self.names.text(name), candidates.into_iter().filter(|c| !c.starts_with("__")))
            .map(str::to_owned)
    }

    /// Reports an unknown name with the closest known one.
    pub fn unknown_name(&mut self, span: Span, name: Symbol, suggestion: Option<String>) {
        if self.report_removed(span, name) {
            return;
        }
        let text = self.names.text(name);
        let mut diagnostic = Diagnostic::error(codes::NAME_UNKNOWN, span, format!("there is no `{text}` in scope"));
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(span, suggestion, title);
        } else if name == self.sym.null {
            diagnostic =
                diagnostic.with_help("there is no null: write `None`, or `Json.Null` outside of a Json literal");
        }
        self.error_once(diagnostic);
    }

    /// Says so when the name is defined, but not for this target.
    pub fn report_removed(&mut self, span: Span, name: Symbol) -> bool {
        let Some(&condition) = self.removed.names.get(&name) else { return false };
        if condition.is_none() {
            return true;
        }
        let text = self.names.text(name);
        let message = format!("`{text}` is not there for this target");
        self.error_once(
            Diagnostic::error(codes::UNRESOLVED_CFG, span, message)
                .with_label(condition, "its definition asks for another one")
                .with_help("put the same condition on this use, or define it for this target too"),
        );
        true
    }
}
