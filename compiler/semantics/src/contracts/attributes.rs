//! Which attributes there are, and where each may stand.

use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::ast;

use crate::cx::*;
use crate::suggest;
use crate::typed::ModuleId;

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
    "repr",
    "link",
    "link_name",
    "ffi_link_name",
    "weak",
    "target",
    "calling_convention",
    "callconv",
    "ownership",
];

/// Those that describe foreign functions.
const FOREIGN: &[&str] =
    &["link", "link_name", "ffi_link_name", "weak", "target", "calling_convention", "callconv", "ownership"];

impl<'a> Checker<'a> {
    pub(super) fn check_attributes(&mut self) {
        let modules: Vec<ModuleId> = self.modules.keys().collect();
        for module in modules {
            if self.is_core(module) {
                continue;
            }
            let Some(tree) = self.modules[module].ast else { continue };
            for item in &tree.items {
                self.check_item_attributes(item, false, false);
            }
        }
    }

    /// `inside`: the item is part of another. `foreign`: of an `extern` block.
    fn check_item_attributes(&mut self, item: &ast::Item, inside: bool, foreign: bool) {
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
                "dsl_export" => self.check_export_place(attr, item),
                "intrinsic" => self.check_intrinsic_attribute(attr, item, inside),
                "unstable" => self.check_unstable_attribute(attr),
                "reentrant" if !matches!(item.kind, ast::ItemKind::Effect(_) | ast::ItemKind::Handler(_)) => {
                    self.error(
                        codes::ATTRIBUTE_INVALID,
                        attr.span,
                        "`@reentrant` stands before an effect, an operation, a handler or a clause",
                    );
                }
                "must_use"
                    if !matches!(item.kind, ast::ItemKind::Fn(_) | ast::ItemKind::Type(_) | ast::ItemKind::Let(_)) =>
                {
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, "`@must_use` stands before a function or a type");
                }
                "must_await" | "handles" if !matches!(item.kind, ast::ItemKind::Fn(_) | ast::ItemKind::Let(_)) => {
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, format!("`@{text}` is a promise of a function"));
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
                name if FOREIGN.contains(&name) && !foreign && !matches!(item.kind, ast::ItemKind::Extern(_)) => {
                    self.error(
                        codes::ATTRIBUTE_INVALID,
                        attr.span,
                        format!("`@{text}` stands before an `extern` block or a function in one"),
                    );
                }
                "repr" if !matches!(item.kind, ast::ItemKind::Type(_)) => {
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, "`@repr` stands before a type");
                }
                "derive" if !matches!(item.kind, ast::ItemKind::Type(_)) => {
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, "`@derive` stands before a type");
                }
                _ => {}
            }
        }
        if let ast::ItemKind::Conductor(decl) = &item.kind {
            for attr in decl.sections.iter().flat_map(|section| &section.attrs) {
                let text = self.names.text(attr.name.name).to_owned();
                if text != "cfg" {
                    let message = format!("`@{text}` cannot stand before a part of a conductor");
                    self.error(codes::ATTRIBUTE_INVALID, attr.span, message);
                }
            }
        }
        let foreign = matches!(item.kind, ast::ItemKind::Extern(_));
        let inner = match &item.kind {
            ast::ItemKind::Trait(decl) => &decl.items,
            ast::ItemKind::Impl(decl) => &decl.items,
            ast::ItemKind::Extern(decl) => &decl.items,
            _ => return,
        };
        for item in inner {
            self.check_item_attributes(item, true, foreign);
        }
    }
}
