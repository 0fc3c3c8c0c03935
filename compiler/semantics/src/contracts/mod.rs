//! What signatures and attributes promise about effects, checked against what bodies do (section 6.2).
//!
//! A violation points at the expression that brings the effect in, and follows the calls from there to where it
//! arises.

mod attributes;
mod handles;
mod stages;
mod uses;

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use rustc_hash::FxHashSet;

use crate::cx::*;
use crate::effects::solve::Facts;
use crate::effects::{TagSet, What, tags};
use crate::typed::*;

/// What a promise says about tags.
#[derive(Clone)]
enum Rule {
    /// Nothing but these.
    Only(TagSet),
    /// None of these.
    No(TagSet),
}

/// One promise of a definition.
struct Contract {
    rule: Rule,
    code: Code,
    /// `is `@pure``, `declares `! {io}``
    text: String,
    span: Span,
}

/// Where an effect enters a body.
struct Cause {
    span: Span,
    what: String,
    /// Where it goes on.
    next: Option<Def>,
}

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
            self.check_trait_declares(id);
            if contracts.is_empty() {
                continue;
            }
            let Some(actual) = self.body_effects(Def::Fn(id)) else { continue };
            for contract in contracts {
                let broken = self.broken(&contract, &actual);
                if !broken.is_empty() {
                    self.report_violation(id, contract, &broken, &actual);
                }
            }
        }
        self.check_bounds();
        self.check_unhandled();
        self.check_attributes();
        self.check_handles();
        self.check_stages();
        self.check_uses();
    }

    fn contracts_of(&self, id: FnId) -> Vec<Contract> {
        let info = &self.fns[id];
        let mut contracts = Vec::new();
        let bound = |declared: &Declared, words: &str| {
            let tags = &declared.closed.tags;
            Contract {
                rule: Rule::Only(self.tags.expand(tags).union(&tags::ALLOC)),
                code: codes::EFFECT_EXCEEDED,
                text: format!("{words} `! {}`", self.show_closed(&declared.closed, &info.generics, 0)),
                span: declared.span,
            }
        };
        if let Some(declared) = &info.declared {
            contracts.push(bound(declared, "declares"));
        }
        if let Container::Impl(impl_id) = info.container
            && let Some(trait_) = self.impls[impl_id].trait_
            && let Some(method) = self.traits[trait_].methods.iter().find(|m| m.name == info.name)
            && let Some(declared) = &self.fns[method.def].declared
        {
            contracts.push(bound(declared, "is declared by its trait as"));
        }
        let pure = Rule::Only(tags::ALLOC);
        for attr in info.attrs {
            let name = self.names.text(attr.name.name);
            let (rule, code) = match name {
                "pure" if matches!(info.source, FnSource::Active(_)) => (pure.clone(), codes::PATTERN_ACTIVE_EFFECT),
                "pure" => (pure.clone(), codes::EFFECT_PURITY),
                "no_panic" => (Rule::No(tags::PANIC), codes::EFFECT_PANIC),
                "no_alloc" => (Rule::No(tags::ALLOC), codes::EFFECT_ALLOC),
                "async_free" => (Rule::No(tags::IO_ASYNC), codes::EFFECT_ASYNC),
                "no_blocking" => (Rule::No(tags::IO_BLOCKING), codes::EFFECT_BLOCKING),
                "no_timer" => (Rule::No(tags::IO_TIMER), codes::EFFECT_TIMER),
                _ => continue,
            };
            contracts.push(Contract { rule, code, text: format!("is `@{name}`"), span: attr.span });
        }
        contracts
    }

    /// What a generic effect of an impl's method is applied to, only the trait can tell its callers.
    fn check_trait_declares(&mut self, id: FnId) {
        let Container::Impl(impl_id) = self.fns[id].container else { return };
        let Some(trait_) = self.impls[impl_id].trait_ else { return };
        let name = self.fns[id].name;
        let Some(method) = self.traits[trait_].methods.iter().find(|m| m.name == name).map(|m| m.def) else { return };
        if self.fns[method].declared.is_some() || !self.t.rows.families.exist() {
            return;
        }
        let Some(actual) = self.body_effects(Def::Fn(id)) else { return };
        let generic = self.effect_decls.iter().find(|(_, info)| info.family.is_some() && actual.has(info.tag));
        let Some((effect, info)) = generic else { return };
        let (tag, effect_name) = (TagSet::one(info.tag), self.names.text(info.name).to_owned());
        let generics: Vec<&str> =
            self.effect_decls[effect].generics.iter().map(|&name| self.names.text(name)).collect();
        let (text, generics) = (self.names.text(name).to_owned(), generics.join(", "));
        let cause = self.cause(Def::Fn(id), &tag);
        let span = cause.as_ref().map_or(self.fns[id].span, |cause| cause.span);
        let diagnostic = Diagnostic::error(
            codes::EFFECT_UNDECLARED_IN_TRAIT,
            span,
            format!("the method `{text}` has the effect `{effect_name}`, which its trait does not declare"),
        )
        .with_label(self.fns[method].span, "the trait's method")
        .with_help(format!(
            "write `! {{{effect_name}<{generics}>}}` with its types after the method's result in the trait"
        ));
        let diagnostic = self.with_chain(diagnostic, Def::Fn(id), cause, &tag);
        self.report(diagnostic);
    }

    /// The effects of a body, whatever its signature declares.
    fn body_effects(&self, def: Def) -> Option<TagSet> {
        let group = &self.effects.groups[*self.effects.home.get(&def)?];
        let row = *group.defs.iter().find(|(d, _)| *d == def)?.1.first()?;
        let values = self.row_values(group, &self.effects.methods);
        Some(values[row as usize].tags.clone())
    }

    /// The tags that a contract does not allow, for their own sake or for what they imply.
    fn broken(&self, contract: &Contract, actual: &TagSet) -> TagSet {
        let mut broken = TagSet::default();
        for index in actual.indices() {
            let one = TagSet::one(index);
            let all = self.tags.expand(&one);
            let breaks = match &contract.rule {
                Rule::Only(allowed) => !allowed.contains(&all),
                Rule::No(forbidden) => forbidden.meets(&all),
            };
            if breaks {
                broken.add(&one);
            }
        }
        broken
    }

    fn report_violation(&mut self, id: FnId, contract: Contract, broken: &TagSet, actual: &TagSet) {
        let name = self.names.text(self.fns[id].name).to_owned();
        let Some(first) = broken.indices().next().map(TagSet::one) else { return };
        let cause = self.cause(Def::Fn(id), &first);
        let (span, what) = match &cause {
            Some(cause) if !cause.span.is_none() => (cause.span, cause.what.clone()),
            _ => (self.fns[id].span, "its body".to_owned()),
        };
        let shown = broken.minus(&tags::ALLOC);
        let message = if shown.is_empty() {
            format!("`{name}` {}, but {what} allocates", contract.text)
        } else {
            format!("`{name}` {}, but {what} has the effect `{}`", contract.text, self.tags.show(&shown))
        };
        let mut diagnostic = Diagnostic::error(contract.code, span, message).with_label(contract.span, "promised here");
        if let Rule::Only(allowed) = &contract.rule
            && !shown.is_empty()
        {
            let unused = allowed.minus(&self.tags.expand(actual)).minus(&tags::ALLOC);
            diagnostic = diagnostic.with_note(self.row_difference(&shown, &unused));
        }
        diagnostic = self.with_chain(diagnostic, Def::Fn(id), cause, &first);
        self.report(diagnostic);
    }

    /// Which effects the body has that are not promised, and which are promised in vain.
    fn row_difference(&self, more: &TagSet, less: &TagSet) -> String {
        let mut parts: Vec<String> = self.tags.names(more).into_iter().map(|name| format!("+{name}")).collect();
        parts.extend(self.tags.names(less).into_iter().map(|name| format!("-{name}")));
        format!("the body compared with the promise: {}", parts.join(" "))
    }

    /// From a use down to where the effect arises, one label for each step in the program's own code.
    fn with_chain(&self, mut diagnostic: Diagnostic, from: Def, cause: Option<Cause>, tag: &TagSet) -> Diagnostic {
        let Some(start) = cause else { return diagnostic };
        let mut names = vec![self.def_name(from)];
        let mut last = start.what;
        let mut next = start.next;
        let mut seen = FxHashSet::default();
        while let Some(at) = next {
            if !seen.insert(at) || names.len() > 8 {
                break;
            }
            names.push(self.def_name(at));
            if self.is_core(self.module_of(at)) {
                break;
            }
            match self.cause(at, tag) {
                Some(cause) => {
                    if !cause.span.is_none() {
                        diagnostic = diagnostic.with_label(cause.span, format!("through {} here", cause.what));
                    }
                    last = cause.what;
                    next = cause.next;
                }
                None => next = None,
            }
        }
        let operation = last.starts_with('`');
        if operation && names.last().is_none_or(|name| format!("`{name}`") != last) {
            names.push(last.trim_matches('`').to_owned());
        }
        if names.len() > 2 {
            let tag = self.tags.show(tag);
            let why = if tag == "{}" { "this allocates".to_owned() } else { format!("the effect `{tag}` comes in") };
            diagnostic = diagnostic.with_note(format!("{why} by `{}`", names.join("` -> `")));
        }
        diagnostic
    }

    /// Where a definition has effects from, as labels and a note.
    pub(crate) fn with_cause(&self, mut diagnostic: Diagnostic, def: Def, tags: &TagSet) -> Diagnostic {
        let Some(first) = tags.indices().next().map(TagSet::one) else { return diagnostic };
        let Some(cause) = self.cause(def, &first) else { return diagnostic };
        if !cause.span.is_none() {
            diagnostic = diagnostic.with_label(cause.span, format!("{} has the effect", cause.what));
        }
        self.with_chain(diagnostic, def, Some(cause), &first)
    }

    /// A definition in the words of the program.
    fn def_name(&self, def: Def) -> String {
        match def {
            Def::Fn(id) => self.callable_name(id),
            Def::Global(id) => self.names.text(self.globals[id].name).to_owned(),
        }
    }

    fn def_span(&self, def: Def) -> Span {
        match def {
            Def::Fn(id) => self.fns[id].span,
            Def::Global(id) => self.globals[id].span,
        }
    }

    /// What a definition does, and the functions in its value or result.
    pub(crate) fn effects_with_type(&self, def: Def) -> TagSet {
        let rows = self.effects.summaries.get(&def).map_or(&[][..], |rows| rows);
        rows.iter().fold(TagSet::default(), |all, row| all.union(&row.tags)).minus(&tags::ALLOC)
    }

    fn module_of(&self, def: Def) -> ModuleId {
        match def {
            Def::Fn(id) => self.fns[id].module,
            Def::Global(id) => self.globals[id].module,
        }
    }

    /// A function in the words of the program: what `println` becomes is called `println`.
    fn callable_name(&self, id: FnId) -> String {
        match self.names.text(self.fns[id].name) {
            "panic_str" => "panic",
            "assert_failed" => "assert",
            "println_str" => "println",
            "print_str" => "print",
            "eprintln_str" | "eprint_str" => "eprintln",
            name => name,
        }
        .to_owned()
    }

    /// The first expression of a definition that brings a tag in: into its own row, or else into those of its
    /// type.
    fn cause(&self, def: Def, tag: &TagSet) -> Option<Cause> {
        let group = &self.effects.groups[*self.effects.home.get(&def)?];
        let (own, others) = group.defs.iter().find(|(d, _)| *d == def)?.1.split_first()?;
        self.cause_in(group, &[*own], tag).or_else(|| self.cause_in(group, others, tag))
    }

    fn cause_in(&self, group: &Facts, rows: &[u32], tag: &TagSet) -> Option<Cause> {
        // Rows that flow into the definition's own.
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); group.rows as usize];
        for &(from, to) in &group.edges {
            into[to as usize].push(from);
        }
        for edge in &group.handled {
            if !tag.has(edge.tag) {
                into[edge.to as usize].push(edge.from);
            }
        }
        for u in &group.uses {
            let Some(def) = u.callee.def() else { continue };
            let Some(summary) = self.effects.summaries.get(&def) else { continue };
            for (row, part) in u.rows.iter().zip(summary) {
                for (other, &other_row) in u.rows.iter().enumerate().take(64) {
                    let through = part.without.iter().any(|(from, less)| *from as usize == other && !less.meets(tag));
                    if through || part.from & (1 << other) != 0 {
                        into[*row as usize].push(other_row);
                    }
                }
            }
        }
        let mut reach = vec![false; group.rows as usize];
        let mut work = rows.to_vec();
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
            if event.tags.meets(tag) && reach[event.row as usize] {
                let what = match event.what {
                    What::Text(text) => text.to_owned(),
                    What::Operation(effect, operation) => self.operation_text(effect, operation),
                };
                offer(Cause { span: event.span, what, next: None });
            }
        }
        for u in &group.uses {
            let callees: Vec<Def> = match u.callee.def() {
                Some(def) => vec![def],
                None => self.effects.methods.get(&u.callee).into_iter().flatten().copied().map(Def::Fn).collect(),
            };
            for def in callees {
                let Some(summary) = self.effects.summaries.get(&def) else { continue };
                let brings = u.rows.iter().zip(summary).any(|(row, part)| part.tags.meets(tag) && reach[*row as usize]);
                if brings {
                    let name = self.def_name(def);
                    let printed = matches!(&*name, "panic" | "assert" | "println" | "print" | "eprintln");
                    let what = match def {
                        Def::Fn(_) if !printed => format!("the call of `{name}`"),
                        _ => format!("`{name}`"),
                    };
                    offer(Cause { span: u.span, what, next: Some(def) });
                    break;
                }
            }
        }
        best
    }

    /// Declared effects that nobody handles: they may not leave `main`, a test, or the value of a global.
    fn check_unhandled(&mut self) {
        if !self.effect_decls.keys().any(|effect| self.is_tracked(effect)) {
            return;
        }
        let root = self.options.root.as_deref().and_then(|root| self.module_names.get(root).copied());
        let main = root.and_then(|root| self.modules[root].values.get(&self.sym.main)).map(|entry| entry.item);
        let mut ends: Vec<Def> = Vec::new();
        for (id, info) in self.fns.iter() {
            let test = info.attrs.iter().any(|attr| self.names.text(attr.name.name) == "test");
            if main == Some(Value::Fn(id)) || test && !self.is_core(info.module) {
                ends.push(Def::Fn(id));
            }
        }
        ends.extend(self.globals.keys().filter(|&id| !self.is_core(self.globals[id].module)).map(Def::Global));
        for end in ends {
            let Some(tags) = self.body_effects(end) else { continue };
            let is_main = matches!(end, Def::Fn(id) if main == Some(Value::Fn(id)));
            let left: Vec<EffectId> = self
                .effect_decls
                .iter()
                .filter(|(id, info)| tags.has(info.tag) && !(is_main && self.default_handler(*id).is_some()))
                .map(|(id, _)| id)
                .collect();
            for effect in left {
                self.report_unhandled(end, effect);
            }
        }
    }

    fn report_unhandled(&mut self, end: Def, effect: EffectId) {
        let name = self.names.text(self.effect_decls[effect].name).to_owned();
        let tag = TagSet::one(self.effect_decls[effect].tag);
        let (owner, at) = match end {
            Def::Fn(id) => (self.names.text(self.fns[id].name).to_owned(), self.fns[id].span),
            Def::Global(id) => (self.names.text(self.globals[id].name).to_owned(), self.globals[id].span),
        };
        let cause = self.cause(end, &tag);
        let (span, what) = match &cause {
            Some(cause) if !cause.span.is_none() => (cause.span, cause.what.clone()),
            _ => (at, "it".to_owned()),
        };
        let mut diagnostic = Diagnostic::error(
            codes::EFFECT_UNHANDLED,
            span,
            format!("nothing handles the effect `{name}` that {what} has: it leaves `{owner}`"),
        );
        if self.names.text(self.effect_decls[effect].name) == "Console" {
            diagnostic = diagnostic.with_note(
                "the default handler of `Console` is for `log`, `print`, `println`, `error`, `eprint` and `eprintln` on `Str`",
            );
        }
        diagnostic = diagnostic
            .with_label(self.effect_decls[effect].span, "the effect is declared here")
            .with_help(format!("put a handler around it: `handle .. with handler {name} {{ .. }}`"));
        diagnostic = self.with_chain(diagnostic, end, cause, &tag);
        self.error_once(diagnostic);
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
                let contract = Contract {
                    rule: Rule::Only(self.tags.expand(&bound.allowed).union(&tags::ALLOC)),
                    code: codes::EFFECT_EXCEEDED,
                    text: String::new(),
                    span: bound.span,
                };
                let extra = self.broken(&contract, &values[bound.row as usize].tags);
                if !extra.is_empty() {
                    reports.push((bound.span, self.tags.show(&bound.allowed), self.tags.show(&extra)));
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
}
