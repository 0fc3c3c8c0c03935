//! What signatures and attributes promise about effects, checked against what bodies do (section 6.2).
//!
//! A violation points at the expression that brings the effect in, and follows the calls from there to where it
//! arises.

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast;
use rustc_hash::FxHashSet;

use crate::cx::*;
use crate::effects::{Callee, TagSet, tags};
use crate::suggest;
use crate::typed::*;

/// One promise of a definition.
struct Contract {
    forbidden: TagSet,
    code: Code,
    /// `is `@pure``, `declares `! {io}``
    text: String,
    span: Span,
}

/// Where an effect enters a body.
struct Cause {
    span: Span,
    what: String,
    next: Option<FnId>,
}

const ATTRIBUTES: &[&str] = &[
    "pure",
    "no_panic",
    "no_alloc",
    "async_free",
    "no_blocking",
    "no_timer",
    "must_await",
    "must_use",
    "inline",
    "handles",
    "requires_capability",
    "dsl_export",
    "intrinsic",
    "unstable",
    "stable",
    "cfg",
    "derive",
    "test",
    "reentrant",
    "deprecated",
];

impl<'a> Checker<'a> {
    pub fn check_contracts(&mut self) {
        let ids: Vec<FnId> = self.fns.keys().collect();
        for id in ids {
            let info = &self.fns[id];
            // What the library writes is trusted.
            if self.is_core(info.module) || matches!(info.source, FnSource::Default(_)) {
                continue;
            }
            let contracts = self.contracts_of(id);
            if contracts.is_empty() {
                continue;
            }
            let Some(actual) = self.body_effects(Def::Fn(id)) else { continue };
            for contract in contracts {
                let broken = actual & contract.forbidden;
                if broken != 0 {
                    self.report_violation(id, contract, broken);
                }
            }
        }
        self.check_bounds();
        self.check_attributes();
    }

    fn contracts_of(&self, id: FnId) -> Vec<Contract> {
        let info = &self.fns[id];
        let mut contracts = Vec::new();
        if let Some((declared, span)) = info.declared {
            contracts.push(Contract {
                forbidden: !declared & !tags::ALLOC,
                code: codes::EFFECT_EXCEEDED,
                text: format!("declares `! {}`", self.tags.show(declared)),
                span,
            });
        }
        if let Container::Impl(impl_id) = info.container
            && let Some(trait_) = self.impls[impl_id].trait_
            && let Some(method) = self.traits[trait_].methods.iter().find(|m| m.name == info.name)
            && let Some((declared, span)) = self.fns[method.def].declared
        {
            contracts.push(Contract {
                forbidden: !declared & !tags::ALLOC,
                code: codes::EFFECT_EXCEEDED,
                text: format!("is declared by its trait as `! {}`", self.tags.show(declared)),
                span,
            });
        }
        for attr in info.attrs {
            let name = self.names.text(attr.name.name);
            let (forbidden, code) = match name {
                "pure" if matches!(info.source, FnSource::Active(_)) => (!tags::ALLOC, codes::PATTERN_ACTIVE_EFFECT),
                "pure" => (!tags::ALLOC, codes::EFFECT_PURITY),
                "no_panic" => (tags::PANIC, codes::EFFECT_PANIC),
                "no_alloc" => (tags::ALLOC, codes::EFFECT_ALLOC),
                "async_free" => (tags::IO_ASYNC, codes::EFFECT_EXCEEDED),
                "no_blocking" => (tags::IO_BLOCKING, codes::EFFECT_EXCEEDED),
                "no_timer" => (tags::IO_TIMER, codes::EFFECT_EXCEEDED),
                _ => continue,
            };
            contracts.push(Contract { forbidden, code, text: format!("is `@{name}`"), span: attr.span });
        }
        contracts
    }

    /// The effects of a body, whatever its signature declares.
    fn body_effects(&self, def: Def) -> Option<TagSet> {
        let group = &self.effects.groups[*self.effects.home.get(&def)?];
        let row = *group.defs.iter().find(|(d, _)| *d == def)?.1.first()?;
        let values = self.row_values(group, &self.effects.methods);
        Some(values[row as usize].tags)
    }

    fn show_broken(&self, broken: TagSet) -> String {
        if broken & !tags::ALLOC == 0 {
            "allocation".to_owned()
        } else {
            format!("`{}`", self.tags.show(broken & !tags::ALLOC))
        }
    }

    fn report_violation(&mut self, id: FnId, contract: Contract, broken: TagSet) {
        let name = self.names.text(self.fns[id].name).to_owned();
        let effects = self.show_broken(broken);
        let first = 1 << broken.trailing_zeros();
        let cause = self.cause(Def::Fn(id), first);
        let (span, what) = match &cause {
            Some(cause) if !cause.span.is_none() => (cause.span, cause.what.clone()),
            _ => (self.fns[id].span, "its body".to_owned()),
        };
        let message = if broken & !tags::ALLOC == 0 {
            format!("`{name}` {}, but {what} allocates", contract.text)
        } else {
            format!("`{name}` {}, but {what} has the effect {effects}", contract.text)
        };
        let mut diagnostic = Diagnostic::error(contract.code, span, message).with_label(contract.span, "promised here");
        diagnostic = diagnostic.with_fact("effects.residual", self.tags.show(broken & !tags::ALLOC));
        // From the call down to where the effect arises.
        let mut next = cause.and_then(|cause| cause.next);
        let mut seen = FxHashSet::default();
        let mut chain = Vec::new();
        while let Some(at) = next {
            if !seen.insert(at) || chain.len() > 8 {
                break;
            }
            chain.push(self.names.text(self.fns[at].name).to_owned());
            match self.cause(Def::Fn(at), first) {
                Some(cause) => {
                    if !self.is_core(self.fns[at].module) && !cause.span.is_none() {
                        diagnostic = diagnostic.with_label(cause.span, format!("through {} here", cause.what));
                    }
                    next = cause.next;
                }
                None => next = None,
            }
        }
        if chain.len() > 1 {
            diagnostic = diagnostic.with_note(format!("the effect comes through `{}`", chain.join("` -> `")));
        }
        self.report(diagnostic);
    }

    /// The first expression of a body that brings an effect in.
    fn cause(&self, def: Def, tag: TagSet) -> Option<Cause> {
        let group = &self.effects.groups[*self.effects.home.get(&def)?];
        let own = *group.defs.iter().find(|(d, _)| *d == def)?.1.first()?;
        // Rows that flow into the definition's own.
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); group.rows as usize];
        for &(from, to) in &group.edges {
            into[to as usize].push(from);
        }
        for u in &group.uses {
            let Callee::Fn(id) = u.callee else { continue };
            let Some(summary) = self.effects.summaries.get(&Def::Fn(id)) else { continue };
            for (row, part) in u.rows.iter().zip(summary) {
                for (other, &other_row) in u.rows.iter().enumerate().take(64) {
                    if part.from & (1 << other) != 0 {
                        into[*row as usize].push(other_row);
                    }
                }
            }
        }
        let mut reach = vec![false; group.rows as usize];
        let mut work = vec![own];
        while let Some(row) = work.pop() {
            if std::mem::replace(&mut reach[row as usize], true) {
                continue;
            }
            work.extend(into[row as usize].iter().copied());
        }
        let mut best: Option<Cause> = None;
        let mut offer = |cause: Cause| {
            if best
                .as_ref()
                .is_none_or(|b| b.span.is_none() || cause.span.start < b.span.start && !cause.span.is_none())
            {
                best = Some(cause);
            }
        };
        for event in &group.events {
            if event.tags & tag != 0 && reach[event.row as usize] {
                offer(Cause { span: event.span, what: event.what.to_owned(), next: None });
            }
        }
        for u in &group.uses {
            let callees: Vec<FnId> = match u.callee {
                Callee::Fn(id) => vec![id],
                Callee::Method(..) | Callee::MethodOn(..) => {
                    self.effects.methods.get(&u.callee).cloned().unwrap_or_default()
                }
            };
            for id in callees {
                let Some(summary) = self.effects.summaries.get(&Def::Fn(id)) else { continue };
                let brings = u.rows.iter().zip(summary).any(|(row, part)| part.tags & tag != 0 && reach[*row as usize]);
                if brings {
                    let name = self.names.text(self.fns[id].name);
                    let what = match name {
                        "panic_str" => "`panic`".to_owned(),
                        "assert_failed" => "`assert`".to_owned(),
                        "println_str" => "`println`".to_owned(),
                        "print_str" => "`print`".to_owned(),
                        "eprintln_str" | "eprint_str" => "`eprintln`".to_owned(),
                        name => format!("the call of `{name}`"),
                    };
                    offer(Cause { span: u.span, what, next: Some(id) });
                    break;
                }
            }
        }
        best
    }

    /// Functions passed where a closed row is written.
    fn check_bounds(&mut self) {
        let mut reports = Vec::new();
        for group in &self.effects.groups {
            if group.bounds.is_empty() {
                continue;
            }
            let user = group.defs.iter().any(|(def, _)| match def {
                Def::Fn(id) => !self.is_core(self.fns[*id].module),
                Def::Global(id) => !self.is_core(self.globals[*id].module),
            });
            if !user {
                continue;
            }
            let values = self.row_values(group, &self.effects.methods);
            for bound in &group.bounds {
                let extra = values[bound.row as usize].tags & !bound.allowed & !tags::ALLOC;
                if extra != 0 {
                    reports.push((bound.span, self.tags.show(bound.allowed), self.tags.show(extra)));
                }
            }
        }
        for (span, allowed, extra) in reports {
            let message =
                format!("a function with effects `{allowed}` is expected here, but this one also has `{extra}`");
            self.error_once(
                Diagnostic::error(codes::EFFECT_EXCEEDED, span, message)
                    .with_fact("effects.allowed", allowed)
                    .with_fact("effects.residual", extra),
            );
        }
    }

    // -----------------------------------------------------------------------------------------------
    // Attributes

    fn check_attributes(&mut self) {
        let modules: Vec<ModuleId> = self.modules.keys().collect();
        for module in modules {
            if self.is_core(module) {
                continue;
            }
            let Some(tree) = self.modules[module].ast else { continue };
            for item in &tree.items {
                self.check_item_attributes(item);
            }
        }
    }

    fn check_item_attributes(&mut self, item: &ast::Item) {
        for attr in &item.attrs {
            let text = self.names.text(attr.name.name).to_owned();
            if !ATTRIBUTES.contains(&&*text) {
                let mut diagnostic = Diagnostic::warning(
                    codes::ATTRIBUTE_UNKNOWN,
                    attr.span,
                    format!("there is no attribute `@{text}`"),
                );
                if let Some(known) = suggest::closest(&text, ATTRIBUTES.iter().copied()) {
                    diagnostic = diagnostic.with_fix(attr.name.span, known, format!("did you mean `@{known}`?"));
                }
                self.report(diagnostic);
                continue;
            }
            match &*text {
                "handles" | "requires_capability" | "dsl_export" | "intrinsic" | "reentrant" | "must_await" => {
                    self.not_supported(attr.span, &format!("`@{text}` contracts"));
                }
                "test" => {
                    let fine = matches!(&item.kind, ast::ItemKind::Fn(f) if f.sig.params.is_empty() && f.sig.self_param.is_none());
                    if !fine {
                        self.error(
                            codes::ATTRIBUTE_INVALID,
                            attr.span,
                            "`@test` stands before a function without parameters",
                        );
                    }
                }
                "pure" | "no_panic" | "no_alloc" | "async_free" | "no_blocking" | "no_timer" => {
                    let fine = matches!(
                        item.kind,
                        ast::ItemKind::Fn(_) | ast::ItemKind::ActivePattern(_) | ast::ItemKind::Let(_)
                    );
                    if !fine {
                        self.error(
                            codes::ATTRIBUTE_INVALID,
                            attr.span,
                            format!("`@{text}` is a promise of a function"),
                        );
                    }
                }
                "derive" if !matches!(item.kind, ast::ItemKind::Type(_)) => {
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, "`@derive` stands before a type");
                }
                _ => {}
            }
        }
        let inner = match &item.kind {
            ast::ItemKind::Trait(decl) => &decl.items,
            ast::ItemKind::Impl(decl) => &decl.items,
            ast::ItemKind::Extern(decl) => &decl.items,
            _ => return,
        };
        for item in inner {
            self.check_item_attributes(item);
        }
    }
}
