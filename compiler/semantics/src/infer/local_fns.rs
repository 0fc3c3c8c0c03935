//! Local functions that capture nothing: definitions of their own, generic where they can be.

use reml_syntax::ast;

use super::body::{BodyCx, Frame, LocalBinding, Why};
use super::deferred::Effort;
use super::ty::{Node, Row, Ty};
use crate::cx::*;
use crate::modules::{RowMode, TypeScope};

/// What a local function and a bound lambda have in common.
struct Local<'e> {
    name: ast::Ident,
    generics: &'e [ast::GenericParam],
    wheres: &'e [ast::WherePredicate],
    params: &'e [ast::Param],
    ret: Option<&'e ast::Type>,
    body: &'e ast::Expr,
    is_async: bool,
}

impl<'a> Checker<'a> {
    pub fn lift_fns(&mut self, decls: &[&ast::FnDecl]) -> bool {
        let mut locals = Vec::with_capacity(decls.len());
        for decl in decls {
            let (Some(&name), Some(body)) = (decl.sig.name.segments.first(), &decl.body) else { return false };
            if decl.sig.params.iter().any(|p| p.default.is_some()) {
                return false;
            }
            locals.push(Local {
                name,
                generics: &decl.sig.generics,
                wheres: &decl.sig.wheres,
                params: &decl.sig.params,
                ret: decl.sig.ret.as_ref(),
                body,
                is_async: decl.is_async,
            });
        }
        self.lift(&locals, true)
    }

    pub fn lift_lambda(
        &mut self,
        name: ast::Ident,
        params: &[ast::Param],
        ret: Option<&ast::Type>,
        body: &ast::Expr,
    ) -> bool {
        self.lift(&[Local { name, generics: &[], wheres: &[], params, ret, body, is_async: false }], false)
    }

    /// Gives everything back as it was, and `false`, when the functions need their uses to be typed.
    fn lift(&mut self, locals: &[Local<'_>], recursive: bool) -> bool {
        // A lifted function shares the type parameters around it, which must be parameters.
        let plain = self
            .b
            .generics
            .iter()
            .enumerate()
            .all(|(i, g)| matches!(self.t.head(g.1), Node::Param(index) if index as usize == i));
        if !plain || self.lift_failures.contains(&locals[0].name.span) {
            return false;
        }
        let errors = self.diagnostics.len();
        let error_spans = self.error_spans.len();
        let outer_generics = self.b.generics.clone();
        let outer_assumptions = self.b.assumptions.clone();
        let (module, self_ty) = (self.b.module, self.b.self_ty);
        let owner = self.owner_path();
        let outer = std::mem::take(&mut self.b);
        let saved_where = std::mem::take(&mut self.group_where);
        let saved_next = self.next_inferred;
        let mark = self.scope.len();
        let rows_mark = self.group_rows.len();
        let before = outer_generics.len() as u32;
        let mut ids = Vec::with_capacity(locals.len());
        let mut next = before;
        let mut generics = outer_generics.clone();
        for local in locals {
            for generic in local.generics {
                let ty = self.t.param(next);
                next += 1;
                generics.push((generic.name.name, ty));
            }
        }
        let mut assumptions = outer_assumptions;
        {
            let mut scope = TypeScope { module, generics: &generics, self_ty, rows: RowMode::Body };
            let mut wheres = Vec::new();
            for local in locals {
                self.generic_bounds(local.generics, &generics, &mut scope, &mut wheres);
                self.where_predicates(local.wheres, &mut scope, &mut wheres);
            }
            assumptions.extend(self.elaborate(&wheres));
            self.lifted_where = wheres;
        }
        let lifted_where = std::mem::take(&mut self.lifted_where);
        self.body_depth += 1;
        for local in locals {
            let id = self.push_fn(module, local.name, FnSource::Local, &[], Container::Module, Linkage::Reml, false);
            self.fns[id].path = format!("{owner}.{}", self.names.text(local.name.name)).into();
            self.fns[id].generics = outer_generics.iter().map(|g| g.0).collect();
            self.fns[id].state = FnState::InProgress;
            let row = self.t.rows.fresh();
            self.fns[id].own_row = Row::var(row);
            let native = outer.native;
            self.b = BodyCx { module, generics: generics.clone(), self_ty, native, ..BodyCx::default() };
            let params: Vec<ParamInfo> = local
                .params
                .iter()
                .map(|p| ParamInfo {
                    name: match &*p.pattern.kind {
                        ast::PatternKind::Bind(name) => Some(name.name),
                        _ => None,
                    },
                    ty: match &p.ty {
                        Some(ty) => self.body_type(ty),
                        None => self.t.fresh(),
                    },
                    span: p.span,
                    default: None,
                })
                .collect();
            let ret = self.body_result(local.is_async, local.ret);
            self.fns[id].params = params;
            self.fns[id].ret = ret;
            ids.push(id);
        }
        if recursive {
            for (local, &id) in locals.iter().zip(&ids) {
                self.bind_local(local.name.name, LocalBinding::Fn(id));
            }
        }
        let mut bodies = Vec::with_capacity(locals.len());
        for (local, &id) in locals.iter().zip(&ids) {
            self.b = BodyCx {
                def: Some(Def::Fn(id)),
                module,
                generics: generics.clone(),
                assumptions: assumptions.clone(),
                self_ty,

                ..BodyCx::default()
            };
            let inner = self.scope.len();
            let types: Vec<Ty> = self.fns[id].params.iter().map(|p| p.ty).collect();
            let patterns = local.params.iter().zip(&types).map(|(p, &ty)| self.param_pattern(&p.pattern, ty)).collect();
            self.b.params = patterns;
            let ret = self.fns[id].ret;
            let why = local.ret.map_or(Why::None, |t| Why::Return(t.span));
            let known = local.ret.is_some();
            let row = match self.fns[id].own_row.kind() {
                super::ty::RowKind::Var(row) => row,
                _ => 0,
            };
            self.b.frames.push(Frame { tail: !known, ..Frame::new(ret, why, row) });
            let root = self.fn_or_async_body(local.is_async, local.body, ret, why, known);
            self.b.frames.pop();
            self.b.root = Some(root);
            self.solve(Effort::Known);
            self.pop_scope(inner);
            bodies.push(std::mem::take(&mut self.b));
        }
        let defs: Vec<Def> = ids.iter().map(|&id| Def::Fn(id)).collect();
        let open = bodies
            .iter()
            .any(|b| b.deferred.iter().any(|item| !matches!(item.kind, super::body::DeferredKind::Trait(..))));
        if open {
            // Its uses will tell: it stays a lambda of the function around it.
            self.diagnostics.truncate(errors);
            if self.error_spans.len() != error_spans {
                self.error_spans.clear();
            }
            self.group_rows.truncate(rows_mark);
            self.pop_scope(mark);
            for &id in &ids {
                self.fns[id].linkage = Linkage::Required;
                self.fns[id].state = FnState::Known;
                self.fns[id].params.clear();
                self.fns[id].ret = super::ty::Types::ERROR;
            }
            self.lift_failures.insert(locals[0].name.span);
            self.b = outer;
            self.group_where = saved_where;
            self.next_inferred = saved_next;
            self.body_depth -= 1;
            return false;
        }
        for &id in &ids {
            self.fns[id].wheres = lifted_where.clone();
        }
        self.conclude_lifted(defs, bodies, before, next);
        self.body_depth -= 1;
        self.b = outer;
        self.group_where = saved_where;
        self.next_inferred = saved_next;
        if !recursive {
            for (local, &id) in locals.iter().zip(&ids) {
                self.bind_local(local.name.name, LocalBinding::Fn(id));
            }
        }
        true
    }

    /// Like `conclude`, where the first parameters are those of the definition around and the next are written.
    fn conclude_lifted(&mut self, defs: Vec<Def>, bodies: Vec<BodyCx>, outer: u32, written: u32) {
        for def in &defs {
            if let Def::Fn(id) = def {
                // `conclude` counts written parameters by their names.
                let outer_names = self.fns[*id].generics.clone();
                let mut names = outer_names;
                let filler = self.sym.lambda;
                names.resize(written as usize, filler);
                self.fns[*id].generics = names;
            }
        }
        self.conclude(defs.clone(), bodies, true);
        for def in defs {
            if let Def::Fn(id) = def {
                self.fns[id].generics.truncate(outer as usize);
                let wheres = self.fns[id].wheres.clone();
                let mut frozen = Vec::with_capacity(wheres.len());
                for condition in wheres {
                    let args = condition.args.iter().map(|&arg| self.t.freeze(arg, &mut Vec::new())).collect();
                    frozen.push(TraitRefTy { trait_: condition.trait_, args, span: condition.span });
                }
                self.fns[id].wheres = frozen;
            }
        }
    }

    fn owner_path(&self) -> String {
        match self.b.def {
            Some(Def::Fn(id)) => self.fns[id].path.to_string(),
            Some(Def::Global(id)) => self.globals[id].path.to_string(),
            None => self.modules[self.b.module].name.to_string(),
        }
    }
}
