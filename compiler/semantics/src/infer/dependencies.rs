//! In which order are unannotated definitions inferred? Callees first, mutual callers together.

use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::ast_walk::{each_child, each_of_handler};
use reml_syntax::names::{Names, Symbol};
use rustc_hash::FxHashMap;

use crate::conductors::{Monitor, Plan, Tail};
use crate::cx::*;
use crate::typed::ModuleId;

impl<'a> Checker<'a> {
    /// Modules with those they import before them.
    pub fn module_order(&self) -> Vec<ModuleId> {
        let mut order = Vec::new();
        let mut state: FxHashMap<ModuleId, bool> = FxHashMap::default();
        for start in self.modules.keys() {
            let mut stack = vec![(start, false)];
            while let Some((module, done)) = stack.pop() {
                if done {
                    order.push(module);
                    continue;
                }
                if state.insert(module, true).is_some() {
                    continue;
                }
                stack.push((module, true));
                let info = &self.modules[module];
                let mut targets: Vec<ModuleId> = info.modules.values().map(|e| e.item).collect();
                for entry in info.values.values().filter(|e| e.via.is_some()) {
                    match entry.item {
                        Value::Fn(id) | Value::Pattern(id, _) => targets.push(self.fns[id].module),
                        Value::Global(id) => targets.push(self.globals[id].module),
                        _ => {}
                    }
                }
                targets.sort_unstable();
                for target in targets {
                    if !state.contains_key(&target) {
                        stack.push((target, false));
                    }
                }
            }
        }
        // The library first: nothing in it depends on a program.
        let (core, user): (Vec<_>, Vec<_>) = order.into_iter().partition(|&m| self.modules[m].is_core);
        core.into_iter().chain(user).collect()
    }

    /// The inferred definitions of a module, grouped, dependencies first.
    pub fn inference_groups(&self, module: ModuleId, annotated: &[Def]) -> Vec<Vec<Def>> {
        let mut defs = self.modules[module].inferred.clone();
        defs.extend_from_slice(annotated);
        let defs = &defs;
        let mut by_name: FxHashMap<Symbol, Vec<usize>> = FxHashMap::default();
        for (index, def) in defs.iter().enumerate() {
            let name = match def {
                Def::Fn(id) => self.fns[*id].name,
                Def::Global(id) => self.globals[*id].name,
            };
            by_name.entry(name).or_default().push(index);
        }
        let edges: Vec<Vec<usize>> = defs
            .iter()
            .map(|def| {
                let mut walk = Mentions { names: self.names, by_name: &by_name, found: Vec::new() };
                match def {
                    Def::Fn(id) => match self.fns[*id].source {
                        FnSource::Decl(decl) => decl.body.iter().for_each(|body| walk.expr(body)),
                        FnSource::Active(decl) => walk.expr(&decl.body),
                        FnSource::Default(value) => walk.expr(value),
                        FnSource::Let(decl) => walk.expr(&decl.value),
                        FnSource::Handler(decl) => each_of_handler(&decl.body, &mut |e| walk.expr(e)),
                        FnSource::Local => {}
                    },
                    Def::Global(id) => match self.globals[*id].source {
                        GlobalSource::Let(decl) => walk.expr(&decl.value),
                        GlobalSource::Expr(e) => walk.expr(e),
                        GlobalSource::Conductor(index) => walk.conductor(&self.conductors[index as usize].plan),
                        GlobalSource::Projection(whole, _) => {
                            walk.found.extend(defs.iter().position(|d| *d == Def::Global(whole)));
                        }
                    },
                }
                walk.found.sort_unstable();
                walk.found.dedup();
                walk.found
            })
            .collect();
        components(&edges).into_iter().map(|group| group.into_iter().map(|i| defs[i]).collect()).collect()
    }
}

/// Strongly connected components, dependencies first, members in source order (Tarjan, without recursion).
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NONE: u32 = u32::MAX;
    let n = edges.len();
    let mut index = vec![NONE; n];
    let mut low = vec![0u32; n];
    let mut on_stack = vec![false; n];
    let mut stack = Vec::new();
    let mut next = 0u32;
    let mut result = Vec::new();
    let mut work: Vec<(usize, usize)> = Vec::new();
    for start in 0..n {
        if index[start] != NONE {
            continue;
        }
        work.push((start, 0));
        while let Some(&mut (at, ref mut edge)) = work.last_mut() {
            if *edge == 0 {
                index[at] = next;
                low[at] = next;
                next += 1;
                stack.push(at);
                on_stack[at] = true;
            }
            if let Some(&to) = edges[at].get(*edge) {
                *edge += 1;
                if index[to] == NONE {
                    work.push((to, 0));
                } else if on_stack[to] {
                    low[at] = low[at].min(index[to]);
                }
                // A node without edges is told from a started one by its index.
                continue;
            }
            work.pop();
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[at]);
            }
            if low[at] == index[at] {
                let mut group = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    group.push(member);
                    if member == at {
                        break;
                    }
                }
                group.sort_unstable();
                result.push(group);
            }
        }
    }
    result
}

struct Mentions<'m> {
    names: &'m Names,
    by_name: &'m FxHashMap<Symbol, Vec<usize>>,
    found: Vec<usize>,
}

impl Mentions<'_> {
    fn name(&mut self, name: ast::Ident) {
        if let Some(indices) = self.by_name.get(&name.name) {
            self.found.extend_from_slice(indices);
        }
    }

    fn exprs<'e>(&mut self, items: impl IntoIterator<Item = &'e ast::Expr>) {
        items.into_iter().for_each(|e| self.expr(e));
    }

    fn conductor(&mut self, plan: &Plan<'_>) {
        for dsl in &plan.dsls {
            self.exprs(dsl.value);
            for tail in &dsl.tails {
                if let Tail::Call { function, args } = tail {
                    function.segments.iter().for_each(|name| self.name(*name));
                    self.exprs(args.iter().map(|arg| &arg.value));
                }
            }
        }
        self.exprs(plan.execution);
        for monitor in &plan.monitors {
            match monitor {
                Monitor::Port { body, .. } => self.expr(body),
                Monitor::Run { observer, body } => {
                    observer.iter().flat_map(|path| &path.segments).for_each(|name| self.name(*name));
                    self.exprs(*body);
                }
            }
        }
    }

    fn pattern(&mut self, pattern: &ast::Pattern) {
        match &*pattern.kind {
            ast::PatternKind::Active { name, arg, .. } => {
                self.name(*name);
                arg.iter().for_each(|p| self.pattern(p));
            }
            ast::PatternKind::Tuple(items) | ast::PatternKind::Or(items) => {
                items.iter().for_each(|p| self.pattern(p));
            }
            ast::PatternKind::Constructor { args, .. } => args.iter().for_each(|p| self.pattern(p)),
            ast::PatternKind::Alias { pattern, .. } => self.pattern(pattern),
            _ => {}
        }
    }

    fn expr(&mut self, e: &ast::Expr) {
        match &*e.kind {
            // The holes of a format mention names too.
            Ast::Str(text) if text.contains('{') && !self.by_name.is_empty() => self.text(text),
            Ast::Path(path) => path.segments.iter().for_each(|s| self.name(*s)),
            Ast::Record { fields, .. } => {
                fields.iter().filter(|field| field.value.is_none()).for_each(|field| self.name(field.name));
            }
            Ast::Field { name, .. } => self.name(*name),
            Ast::Match { arms, .. } => arms.iter().for_each(|arm| self.pattern(&arm.pattern)),
            _ => {}
        }
        each_child(e, &mut |child| self.expr(child));
    }

    fn text(&mut self, text: &str) {
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
            if let Some(name) = self.names.get(word) {
                self.name(ast::Ident { name, span: reml_diagnostics::Span::NONE });
            }
        }
    }
}
