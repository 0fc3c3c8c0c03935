//! What an executable or a loaded program says about the code in it that is not of the language.

use reml_diagnostics::SourceMap;
use reml_middle::core::Program;
use reml_rt::native::{self, Contract, NativeUse};
use reml_semantics::typed::ForeignContract;

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
            contract: native.contract.as_ref().map(contract),
        };
        native::print(&mut text, &used);
    }
    text
}

fn contract(stated: &ForeignContract) -> Contract<'_> {
    Contract {
        target: &stated.target,
        block_target: &stated.block_target,
        arch: &stated.arch,
        os: &stated.os,
        callconv: &stated.callconv,
        abi: &stated.abi,
        expected_abi: &stated.expected_abi,
        ownership: stated.ownership,
        result: stated.result,
        release: &stated.release,
    }
}
