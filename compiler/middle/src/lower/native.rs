//! What does the program have that is not of the language, for the gate of its run to decide about?
//!
//! Only what is lowered counts, so that a file of foreign declarations asks for nothing but what is called.

use reml_diagnostics::Span;
use reml_semantics::typed::{self, ExprKind, FnId, FnKind, ForeignContract, ModuleId};

use super::Lower;
use crate::core::NativeUse;
use crate::prim::CPrim;

/// Calling foreign functions by their addresses, which may be anything's: there is no library to ask about.
pub const BY_ADDRESS: &str = "native.fn_ptr";

impl Lower<'_> {
    /// Notes where a body goes below the language.
    pub fn note_escapes(&mut self, body: &typed::Body, module: ModuleId, path: &str) {
        if self.src.modules[module].is_core {
            return;
        }
        for escape in &body.escapes {
            self.note_native(escape.capability, None, module, path, escape.span, None);
        }
        for expr in body.exprs.values() {
            if let ExprKind::Fn(id, _) = expr.kind
                && self.calls_by_address(id)
            {
                self.note_native(BY_ADDRESS, None, module, path, expr.span, None);
            }
        }
    }

    /// Whether this is the library's function that calls what is at an address.
    fn calls_by_address(&mut self, id: FnId) -> bool {
        let def = &self.src.fns[id];
        let FnKind::Reml(body) = &def.kind else { return false };
        // `Core.Ffi` has asked the gate about each function that it calls, when it found it.
        if !self.src.modules[def.module].is_core || def.path.starts_with("Core.Ffi.") {
            return false;
        }
        *self.by_address.entry(id).or_insert_with(|| {
            body.exprs.values().any(|expr| match expr.kind {
                ExprKind::Fn(id, _) => matches!(&self.src.fns[id].kind,
                    FnKind::Primitive(name) if CPrim::by_name(name) == Some(CPrim::Call)),
                _ => false,
            })
        })
    }

    /// What the standard library does is not the program's.
    pub fn note_native(
        &mut self,
        library: &str,
        symbol: Option<&str>,
        module: ModuleId,
        path: &str,
        span: Span,
        contract: Option<&ForeignContract>,
    ) {
        if !self.src.modules[module].is_core {
            let symbol = symbol.map(Into::into);
            let contract = contract.cloned();
            self.native.push(NativeUse { library: library.into(), symbol, function: path.into(), span, contract });
        }
    }

    /// What was noted, each once, in the order of the sources.
    pub fn native_uses(&mut self) -> Vec<NativeUse> {
        let mut uses = std::mem::take(&mut self.native);
        uses.sort_by(|a, b| (a.span, &a.library, &a.symbol).cmp(&(b.span, &b.library, &b.symbol)));
        uses.dedup();
        uses
    }
}
