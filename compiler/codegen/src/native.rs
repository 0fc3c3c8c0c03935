//! What an executable or a loaded program says about the code in it that is not of the language.

use reml_diagnostics::SourceMap;
use reml_middle::core::Program;
use reml_rt::native::{self, NativeUse};

/// For `ProgramInfo::native`.
pub fn table(program: &Program, sources: &SourceMap) -> String {
    let mut text = String::new();
    for native in &program.native {
        let position = sources.position(native.span);
        let (file, line, column) =
            position.map_or(("?", 0, 0), |(file, place)| (&*sources.file(file).name, place.line, place.column));
        let used = NativeUse {
            library: &native.library,
            symbol: native.symbol.as_deref(),
            function: &native.function,
            file,
            line,
            column,
        };
        native::print(&mut text, &used);
    }
    text
}
