//! What does a declaration say about whom the memory belongs to, and what follows from it?
//!
//! A result that is declared as `ForeignPtr<T>`, or as an `Option` of one where C may give a null pointer, is wrapped by the compiler: one that is
//! transferred is given back by the function that `release` names, one that is borrowed is not. An argument of that type is lent for the call, or, where
//! ownership is transferred, C's from then on.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind};

use super::externs::calling_convention;
use crate::cx::*;
use crate::infer::ty::{Node, Ty};
use crate::typed::{FnId, ForeignContract, ForeignDef, Ownership};
use crate::types::Prim;

impl<'a> Checker<'a> {
    pub(super) fn is_foreign_ptr(&self, ty: Ty) -> bool {
        matches!(self.t.head(ty), Node::Adt(def, ..) if Some(def) == self.lang.foreign_ptr)
    }

    /// Is the result one that the compiler wraps? Then where its type is written.
    pub(super) fn owned_result(&self, id: FnId) -> Option<Span> {
        let ret = self.fns[id].ret;
        let wrapped = match self.t.head(ret) {
            Node::Adt(def, args, _) if Some(def) == self.lang.option => self.is_foreign_ptr(self.t.at(args, 0)),
            _ => self.is_foreign_ptr(ret),
        };
        wrapped.then(|| match self.fns[id].source {
            FnSource::Decl(decl) => decl.sig.ret.as_ref().map_or(self.fns[id].span, |ret| ret.span),
            _ => self.fns[id].span,
        })
    }

    /// Reads `@ownership("transferred", release = "free")`.
    pub(super) fn check_ownership(
        &mut self,
        id: FnId,
        own: &'a [ast::Attr],
        block: &'a [ast::Attr],
        def: &mut ForeignDef,
    ) {
        let is_ownership = |this: &Self, attr: &&ast::Attr| this.names.text(attr.name.name) == "ownership";
        let attr = [own, block].into_iter().flatten().find(|attr| is_ownership(self, attr));
        let said = attr.and_then(|attr| match &*attr.args.first()?.value.kind {
            ExprKind::Str(text) => Some(&**text),
            _ => None,
        });
        def.ownership = match said {
            Some("transferred") => Ownership::Transferred,
            Some("reference") => Ownership::Reference,
            _ => Ownership::Borrowed,
        };
        let release = attr.and_then(|attr| {
            attr.args.iter().find(|arg| arg.name.is_some_and(|name| self.names.text(name.name) == "release"))
        });
        let name = self.names.text(self.fns[id].name).to_owned();
        let result = self.owned_result(id);
        match (result, release, def.ownership) {
            (Some(_), Some(release), Ownership::Transferred) => {
                let span = release.value.span;
                let ExprKind::Str(wanted) = &*release.value.kind else {
                    return self.ownership_broken(
                        span,
                        "`release` is not a text".to_owned(),
                        "write the name of the function, `\"free\"`",
                    );
                };
                def.release = self.releasing(id, wanted);
                if def.release.is_none() {
                    let message = format!("`{wanted}` cannot give back what `{name}` gives");
                    self.ownership_broken(
                        span,
                        message,
                        "declare it in an `extern` block of this module, with a pointer as its only parameter",
                    );
                }
            }
            (Some(span), None, Ownership::Transferred) => {
                let message = format!("`{name}` transfers its result, but nothing says how that is given back");
                self.ownership_broken(
                    span,
                    message,
                    "add the name of the function: `@ownership(\"transferred\", release = \"free\")`",
                );
            }
            (_, Some(release), _) => {
                let message = format!("`{name}` has no result that could be given back");
                let help = "`release` is for results of type `ForeignPtr<T>`, or `Option<ForeignPtr<T>>`, that are `transferred`";
                self.ownership_broken(release.value.span, message, help);
            }
            _ => {}
        }
    }

    fn ownership_broken(&mut self, span: Span, message: String, help: &str) {
        self.error_once(Diagnostic::error(codes::FFI_CONTRACT_OWNERSHIP, span, message).with_help(help));
    }

    /// The foreign function of this name, if it is one that takes a pointer.
    fn releasing(&self, like: FnId, wanted: &str) -> Option<FnId> {
        let module = self.fns[like].module;
        let found = self
            .externs
            .iter()
            .map(|&(id, ..)| id)
            .find(|&id| self.fns[id].module == module && self.names.text(self.fns[id].name) == wanted)?;
        let [param] = self.fns[found].params.as_slice() else { return None };
        (self.is_raw_pointer(param.ty) && !self.fns[found].variadic).then_some(found)
    }

    fn is_raw_pointer(&self, ty: Ty) -> bool {
        match self.t.head(ty) {
            Node::Prim(Prim::RawPtr) => true,
            Node::Adt(def, ..) => {
                matches!(self.adts[def].kind, AdtKind::Newtype(inner) if self.is_raw_pointer(inner))
            }
            _ => false,
        }
    }

    /// What the log is told of a declaration.
    pub(super) fn contract(
        &self,
        id: FnId,
        def: &ForeignDef,
        target: Option<&str>,
        block_target: &str,
        convention: &str,
        expected: &str,
    ) -> ForeignContract {
        let value = |key: &str| self.options.target.values.get(key).map_or("", String::as_str);
        let here = || {
            let parts = [value("target_arch"), value("target_vendor"), value("target_os"), value("target_env")];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
        };
        let (arch, os) = match target {
            Some(target) => {
                let os = ["windows", "darwin", "macos", "ios"].into_iter().find(|os| target.contains(os));
                (target.split('-').next().unwrap_or(""), os.unwrap_or("linux"))
            }
            None => (value("target_arch"), value("target_os")),
        };
        let abi = match calling_convention(convention) {
            Some("c") | None => expected,
            Some(convention) => convention,
        };
        let result = match (self.owned_result(id), self.is_pointer(self.fns[id].ret)) {
            (Some(_), _) => "wrapped",
            (None, true) => "raw",
            (None, false) => "none",
        };
        let release = def.release.map_or("", |release| self.names.text(self.fns[release].name));
        ForeignContract {
            target: target.map_or_else(here, str::to_owned).into(),
            block_target: block_target.into(),
            arch: arch.into(),
            os: os.into(),
            callconv: if convention.is_empty() { "C" } else { convention }.into(),
            abi: abi.into(),
            expected_abi: expected.into(),
            ownership: def.ownership.name(),
            result,
            release: release.into(),
        }
    }
}
