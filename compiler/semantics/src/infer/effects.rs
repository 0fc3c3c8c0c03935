//! Operations: which one a name means, and what performing it takes and gives. Handlers are in [`super::handlers`].

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::arguments::ParamNames;
use super::body::Want;
use super::call::{Arg, Instantiated, Source};
use super::ty::{Row, Ty};
use crate::cx::*;
use crate::effects::{TagSet, What};
use crate::typed::*;

/// An operation where it is performed or answered: its types in terms of what is known there.
pub(super) struct OperationUse {
    pub params: Vec<Ty>,
    pub ret: Ty,
}

impl<'a> Checker<'a> {
    // -----------------------------------------------------------------------------------------------
    // `perform`

    pub(super) fn perform_expr(&mut self, path: &ast::Path, args: &[ast::Arg], want: Want, span: Span) -> ExprId {
        let args: Vec<Arg<'_>> = args
            .iter()
            .map(|arg| Arg { name: arg.name, source: Source::Ast(&arg.value), span: arg.value.span })
            .collect();
        let Some((effect, operation)) = self.operation_of(path) else {
            return self.give_up(&args, span);
        };
        self.perform(effect, operation, &args, want, path.span, span)
    }

    fn perform(
        &mut self,
        effect: EffectId,
        operation: u32,
        args: &[Arg<'_>],
        want: Want,
        at: Span,
        span: Span,
    ) -> ExprId {
        let own = self.b.row();
        let info = &self.effect_decls[effect];
        let (tag, family, arity) = (info.tag, info.family, info.generics.len());
        let own_generics = info.operations[operation as usize].generics.len();
        let mut types: Vec<Ty> = match family {
            Some(family) => {
                let list = self.t.effect_args(family, own);
                self.t.items(list).to_vec()
            }
            None => (0..arity).map(|_| self.t.fresh()).collect(),
        };
        types.extend((0..own_generics).map(|_| self.t.fresh()));
        let used = self.use_operation(effect, operation, &types, |checker| {
            // What a function that is handed over does happens on behalf of this code.
            let row = checker.t.rows.fresh();
            checker.t.flow(row, own);
            Row::var(row)
        });
        if family.is_some() || self.is_tracked(effect) {
            self.effect_event(own, TagSet::one(tag), at, What::Operation(effect, operation));
        }
        self.hint_result(used.ret, want);
        let none = Instantiated { args: Vec::new(), rows: Vec::new(), monomorphic: true };
        let names = ParamNames::Operation(effect, operation);
        let Some((values, binds)) = self.arguments(names, &used.params, args, &none, false, span) else {
            return self.b.expr(ExprKind::Error, used.ret, span);
        };
        let (effect_args, type_args) = (Vec::new(), Vec::new());
        let kind = ExprKind::Perform(Box::new(Perform { effect, effect_args, operation, type_args, args: values }));
        let node = self.b.expr(kind, used.ret, span);
        if !types.is_empty() {
            let list = self.t.list(&types);
            self.b.type_args.push((node, list));
        }
        self.with_binds(binds, node)
    }

    /// The compiler's own effects are in no row.
    pub fn is_tracked(&self, effect: EffectId) -> bool {
        Some(effect) != self.lang_exit
    }

    pub(super) fn use_operation(
        &mut self,
        effect: EffectId,
        operation: u32,
        types: &[Ty],
        mut row: impl FnMut(&mut Self) -> Row,
    ) -> OperationUse {
        let info = &self.effect_decls[effect].operations[operation as usize];
        let (count, row_count) = (info.params.len(), info.row_count);
        let rows: Vec<Row> = (0..row_count).map(|_| row(self)).collect();
        let with = Instantiated { args: types.to_vec(), rows, monomorphic: false };
        let params = (0..count)
            .map(|i| {
                let ty = self.effect_decls[effect].operations[operation as usize].params[i].ty;
                self.instance_type(ty, &with)
            })
            .collect();
        let ret = self.effect_decls[effect].operations[operation as usize].ret;
        OperationUse { params, ret: self.instance_type(ret, &with) }
    }

    /// `State.get`, or `get` when one effect in scope has such an operation.
    pub(super) fn operation_of(&mut self, path: &ast::Path) -> Option<(EffectId, u32)> {
        let (&name, parents) = path.segments.split_last()?;
        let module = self.b.module;
        if parents.is_empty() {
            let found: Vec<(EffectId, u32)> = self
                .visible_effects(module)
                .into_iter()
                .filter_map(|(_, id)| Some((id, self.operation_named(id, name.name)?)))
                .collect();
            return match found[..] {
                [one] => Some(one),
                [] => {
                    self.unknown_operation(None, name);
                    None
                }
                _ => {
                    let owners: Vec<String> = found.iter().map(|&(id, op)| self.operation_text(id, op)).collect();
                    let text = self.names.text(name.name).to_owned();
                    self.report(
                        Diagnostic::error(
                            codes::NAME_AMBIGUOUS,
                            name.span,
                            format!("several effects have an operation `{text}`"),
                        )
                        .with_help(format!("write {}", owners.join(" or "))),
                    );
                    None
                }
            };
        }
        let owner = ast::Path { anchor: path.anchor, segments: parents.to_vec(), span: parents[0].span };
        let Some(effect) = self.effect_named(&owner, module) else {
            self.unknown_effect(&owner);
            return None;
        };
        match self.operation_named(effect, name.name) {
            Some(operation) => Some((effect, operation)),
            None => {
                self.unknown_operation(Some(effect), name);
                None
            }
        }
    }

    pub(super) fn operation_named(&self, effect: EffectId, name: Symbol) -> Option<u32> {
        self.effect_decls[effect].operations.iter().position(|o| o.name == name).map(|i| i as u32)
    }

    /// `` `State.get` ``
    pub fn operation_text(&self, effect: EffectId, operation: u32) -> String {
        let info = &self.effect_decls[effect];
        let name = self.names.text(info.operations[operation as usize].name);
        format!("`{}.{name}`", self.names.text(info.name))
    }

    pub(super) fn unknown_effect(&mut self, path: &ast::Path) {
        let text: Vec<&str> = path.segments.iter().map(|s| self.names.text(s.name)).collect();
        let text = text.join(".");
        let mut diagnostic =
            Diagnostic::error(codes::EFFECT_UNKNOWN_TAG, path.span, format!("there is no effect `{text}`"));
        let visible = self.visible_effects(self.b.module);
        let known = visible.iter().map(|&(name, _)| self.names.text(name));
        if let Some(suggestion) = crate::suggest::closest(&text, known).map(str::to_owned) {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(path.span, suggestion, title);
        } else {
            diagnostic = diagnostic.with_help(format!("declare it: `effect {text} {{ operation .. }}`"));
        }
        self.error_once(diagnostic);
    }

    pub(super) fn unknown_operation(&mut self, effect: Option<EffectId>, name: ast::Ident) {
        let text = self.names.text(name.name).to_owned();
        let effects: Vec<EffectId> = match effect {
            Some(effect) => vec![effect],
            None => self.visible_effects(self.b.module).into_iter().map(|(_, id)| id).collect(),
        };
        let known: Vec<&str> = effects
            .iter()
            .flat_map(|&id| self.effect_decls[id].operations.iter())
            .map(|o| self.names.text(o.name))
            .collect();
        let message = match effect {
            Some(effect) => {
                format!("the effect `{}` has no operation `{text}`", self.names.text(self.effect_decls[effect].name))
            }
            None => format!("no effect in scope has an operation `{text}`"),
        };
        let suggestion = crate::suggest::closest(&text, known.iter().copied()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(codes::EFFECT_OPERATION_UNKNOWN, name.span, message);
        if let Some(effect) = effect {
            diagnostic = diagnostic.with_label(self.effect_decls[effect].span, "the effect is declared here");
        }
        if let Some(suggestion) = suggestion {
            let title = format!("did you mean `{suggestion}`?");
            diagnostic = diagnostic.with_fix(name.span, suggestion, title);
        } else if !known.is_empty() && effect.is_some() {
            diagnostic = diagnostic.with_help(operations_are(&known));
        }
        self.report(diagnostic);
    }

    /// Two instances of one effect have met in one row.
    pub(super) fn report_effect_conflicts(&mut self, span: Span) {
        for conflict in std::mem::take(&mut self.t.rows.families.conflicts) {
            let Some(effect) = self.t.rows.families.effect(conflict.family) else { continue };
            let name = self.names.text(self.effect_decls[effect].name).to_owned();
            let (left, right) = (self.show_effect(effect, conflict.left), self.show_effect(effect, conflict.right));
            self.error_once(
                Diagnostic::error(
                    codes::EFFECT_ARGUMENT_CONFLICT,
                    span,
                    format!("this code would perform both `{left}` and `{right}`"),
                )
                .with_note(format!("code has one `{name}` at a time, so that its operations have one type"))
                .with_help("handle one of them closer to where it is performed, or declare two effects"),
            );
        }
    }
}

/// Help that lists the operations of an effect.
pub(super) fn operations_are(names: &[&str]) -> String {
    match names {
        [only] => format!("its only operation is `{only}`"),
        _ => format!("its operations are `{}`", names.join("`, `")),
    }
}
