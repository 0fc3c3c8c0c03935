//! Effect declarations: what each effect implies, and the types of its operations.

use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::ast;
use reml_syntax::names::Symbol;

use super::type_expr::{RowMode, TypeScope};
use crate::cx::*;
use crate::infer::ty::{Ty, Types};
use crate::typed::EffectId;

impl<'a> Checker<'a> {
    /// Gives every generic effect its place in rows. Comes before types are declared, which may mention effects.
    pub fn declare_effect_families(&mut self) {
        let ids: Vec<EffectId> = self.effect_decls.keys().collect();
        for id in ids {
            let arity = self.effect_decls[id].generics.len() as u32;
            // The compiler's own effects are handled where they are performed, and never in a row.
            if arity > 0 && !self.is_core(self.effect_decls[id].module) {
                self.effect_decls[id].family = Some(self.t.rows.families.declare(arity, id));
            }
        }
    }

    pub fn declare_effects(&mut self) {
        let ids: Vec<EffectId> = self.effect_decls.keys().collect();
        for id in ids {
            self.declare_effect(id);
        }
    }

    fn declare_effect(&mut self, id: EffectId) {
        let decl = self.effect_decls[id].decl;
        let module = self.effect_decls[id].module;
        let generics = self.generic_params(&decl.generics, 0);
        if let Some(base) = &decl.base {
            let mut scope = TypeScope { module, generics: &generics, self_ty: None, rows: RowMode::Signature(1) };
            if let Some((tags, _)) = self.effect_tag(base, &mut scope) {
                let tag = self.effect_decls[id].tag;
                self.tags.imply(tag, &tags);
            }
        }
        let handler_reentrant = self.is_reentrant(self.effect_decls[id].attrs);
        for operation in &decl.operations {
            if let Some(first) = self.effect_decls[id].operations.iter().find(|o| o.name == operation.name.name) {
                let first = first.span;
                let text = self.names.text(operation.name.name).to_owned();
                self.report(
                    Diagnostic::error(
                        codes::NAME_DUPLICATE,
                        operation.name.span,
                        format!("the effect already has an operation `{text}`"),
                    )
                    .with_label(first, "the first one"),
                );
                continue;
            }
            let reentrant = handler_reentrant || self.is_reentrant(&operation.attrs);
            let info = self.operation_info(operation, &generics, module, reentrant);
            self.effect_decls[id].operations.push(info);
        }
    }

    fn operation_info(
        &mut self,
        operation: &'a ast::OperationDecl,
        outer: &[(Symbol, Ty)],
        module: crate::typed::ModuleId,
        reentrant: bool,
    ) -> OperationInfo {
        let mut generics = outer.to_vec();
        generics.extend(self.generic_params(&operation.generics, outer.len() as u32));
        let mut scope = TypeScope { module, generics: &generics, self_ty: None, rows: RowMode::Signature(1) };
        let mut params = Vec::with_capacity(operation.params.len());
        for param in &operation.params {
            let ty = match &param.ty {
                Some(ty) => self.written_type(ty, &mut scope),
                None => {
                    self.error(codes::SIGNATURE_INCOMPLETE, param.span, "the parameters of an operation need types");
                    Types::ERROR
                }
            };
            let name = match &*param.pattern.kind {
                ast::PatternKind::Bind(name) => Some(name.name),
                _ => None,
            };
            params.push(ParamInfo { name, ty, span: param.span, default: None });
        }
        let ret = operation.ret.as_ref().map_or(Types::UNIT, |ty| self.written_type(ty, &mut scope));
        let RowMode::Signature(row_count) = scope.rows else { unreachable!("the scope is a signature's") };
        OperationInfo {
            name: operation.name.name,
            span: operation.name.span,
            generics: operation.generics.iter().map(|g| g.name.name).collect(),
            params,
            ret,
            row_count,
            reentrant,
        }
    }

    pub fn is_reentrant(&self, attrs: &[ast::Attr]) -> bool {
        attrs.iter().any(|attr| self.names.text(attr.name.name) == "reentrant")
    }
}
