//! What does the program have that is not of the language, for the gate of its run to decide about?
//!
//! Only what is lowered counts, so that a file of foreign declarations asks for nothing but what is called.

use reml_diagnostics::Span;
use reml_semantics::typed::{self, ForeignContract, ModuleId};

use super::Lower;
use crate::core::NativeUse;

impl Lower<'_> {
    /// Notes where a body goes below the language.
    pub fn note_escapes(&mut self, body: &typed::Body, module: ModuleId, path: &str) {
        for escape in &body.escapes {
            self.note_native(escape.capability, None, module, path, escape.span, None);
        }
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
