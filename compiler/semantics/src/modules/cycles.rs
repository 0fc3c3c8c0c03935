//! Which user modules import each other in a circle?

use reml_diagnostics::{Diagnostic, Span, codes};
use rustc_hash::FxHashMap;

use crate::cx::*;
use crate::typed::ModuleId;

impl<'a> Checker<'a> {
    pub fn check_use_cycles(&mut self) {
        let mut edges: FxHashMap<ModuleId, Vec<(ModuleId, Span)>> = FxHashMap::default();
        for (id, info) in self.modules.iter() {
            if info.is_core {
                continue;
            }
            let mut out = Vec::new();
            for item in &info.uses {
                if let Some(target) = self.target_module(id, item)
                    && target != id
                    && !self.modules[target].is_core
                    && self.modules[target].ast.is_some()
                {
                    out.push((target, item.span));
                }
            }
            edges.insert(id, out);
        }
        let mut order: Vec<ModuleId> = edges.keys().copied().collect();
        order.sort_unstable();
        // 1 = on the path, 2 = done.
        let mut state: FxHashMap<ModuleId, u8> = FxHashMap::default();
        for start in order {
            if state.contains_key(&start) {
                continue;
            }
            let mut path: Vec<(ModuleId, usize)> = vec![(start, 0)];
            state.insert(start, 1);
            while let Some(&mut (at, ref mut next)) = path.last_mut() {
                let Some(&(target, span)) = edges.get(&at).and_then(|out| out.get(*next)) else {
                    state.insert(at, 2);
                    path.pop();
                    continue;
                };
                *next += 1;
                match state.get(&target) {
                    None => {
                        state.insert(target, 1);
                        path.push((target, 0));
                    }
                    Some(1) => {
                        let from = path.iter().position(|&(id, _)| id == target).unwrap_or(0);
                        let mut names: Vec<&str> =
                            path[from..].iter().map(|&(id, _)| &*self.modules[id].name).collect();
                        names.push(&self.modules[target].name);
                        let message = format!("modules import each other in a circle: {}", names.join(" -> "));
                        self.report(
                            Diagnostic::error(codes::USE_CYCLE, span, message)
                                .with_help("move what both need into a third module"),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// The module an import takes from.
    fn target_module(&self, module: ModuleId, item: &UseItem) -> Option<ModuleId> {
        if !item.resolved {
            return None;
        }
        let name = item.name.name;
        let info = &self.modules[module];
        if let Some(entry) = info.modules.get(&name)
            && info.uses.get(entry.via? as usize).is_some_and(|u| std::ptr::eq(u, item))
        {
            return Some(entry.item);
        }
        if let Some(entry) = info.types.get(&name) {
            match entry.item {
                TypeItem::Adt(def) => return Some(self.adts[def].module),
                TypeItem::Alias(alias) => return Some(self.aliases[alias as usize].module),
                TypeItem::Trait(id) => return Some(self.traits[id].module),
                TypeItem::Effect(_) | TypeItem::Error => {}
            }
        }
        match info.values.get(&name)?.item {
            Value::Fn(id) | Value::Pattern(id, _) => Some(self.fns[id].module),
            Value::Global(id) => Some(self.globals[id].module),
            Value::Ctors(set) => self.ctor_sets[set as usize].first().map(|&(def, _)| self.adts[def].module),
            Value::Error => None,
        }
    }
}
