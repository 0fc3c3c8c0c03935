//! Which functions of generated bindings does no library have? The linker knows symbols; who reads its message knows headers and the program.

use std::path::Path;

use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_middle::core::{ForeignCallee, Op, Program};
use reml_middle::walk;
use rustc_hash::FxHashMap;

use super::place::absolute;
use super::section::{Bindgen, Section};

/// Where the foreign functions of a program are declared and called.
#[derive(Default, Debug)]
pub struct Uses(FxHashMap<Box<str>, Use>);

#[derive(Debug)]
struct Use {
    declared: Span,
    /// The first call, by place.
    called: Option<Span>,
}

impl Uses {
    pub fn of(program: &Program) -> Uses {
        let mut uses = Uses::default();
        for foreign in program.foreign.values() {
            if let ForeignCallee::Symbol(symbol) = &foreign.callee {
                uses.0.insert(symbol.name.clone(), Use { declared: symbol.span, called: None });
            }
        }
        for func in program.funcs.values() {
            walk::each_op(&func.body, &mut |var, op| {
                let Op::CallForeign(id, _) = op else { return };
                let (at, name) = (func.vars[var].span, program.foreign[*id].name());
                if let Some(it) = uses.0.get_mut(name).filter(|_| !at.is_none())
                    && it.called.is_none_or(|called| at < called)
                {
                    it.called = Some(at);
                }
            });
        }
        uses
    }

    /// What to say of a symbol that no library has, if generated bindings declare it.
    pub fn unresolved(&self, symbol: &str, section: &Section, sources: &SourceMap) -> Option<Diagnostic> {
        let Use { declared, called } = self.0.get(symbol)?;
        unresolved(symbol, *declared, *called, section, sources)
    }
}

/// The same for a declaration that is known.
pub fn unresolved(
    symbol: &str,
    declared: Span,
    called: Option<Span>,
    section: &Section,
    sources: &SourceMap,
) -> Option<Diagnostic> {
    let bindgen = section.bindgen.as_ref()?;
    let file = sources.file(sources.file_of(declared)?);
    if !is_same(Path::new(&*file.name), bindgen) {
        return None;
    }
    let header = header_of(symbol, section);
    let libraries: Vec<String> = section.libraries.iter().map(|library| format!("`{}`", library.name)).collect();
    let message = match &header {
        Some(header) => format!("`{header}` declares `{symbol}`, but no library has it"),
        None => format!("the bindings declare `{symbol}`, but no library has it"),
    };
    let mut diagnostic = Diagnostic::error(codes::BINDGEN_UNRESOLVED, called.unwrap_or(declared), message)
        .with_fact("ffi.bindgen.symbol", symbol)
        .with_help(match libraries.as_slice() {
            [] => "name the library that has it in `ffi.libraries`".to_owned(),
            names => format!("if {} should have it, it is older or newer than the header; else name the library that has it in `ffi.libraries`", names.join(" or ")),
        });
    if called.is_some() {
        diagnostic = diagnostic.with_primary_label("called here").with_label(declared, "declared here");
    }
    Some(match header {
        Some(header) => diagnostic.with_fact("ffi.bindgen.header", header),
        None => diagnostic,
    })
}

fn is_same(path: &Path, bindgen: &Bindgen) -> bool {
    absolute(path) == absolute(&bindgen.output)
}

/// The header of the section that mentions a symbol; one that it includes may be where it is declared.
fn header_of(symbol: &str, section: &Section) -> Option<String> {
    let mentions = |path: &Path| {
        let text = std::fs::read(path).unwrap_or_default();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        text.split(|&byte| !is_word(byte)).any(|word| word == symbol.as_bytes())
    };
    let mut headers = section.headers.iter();
    let found = headers.clone().find(|header| header.path.as_deref().is_some_and(mentions));
    found.or_else(|| headers.next()).map(|header| header.text.clone())
}
