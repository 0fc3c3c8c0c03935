//! Which code does a program have that is not of the language, and may it?
//!
//! A foreign function and what goes below the language can do what the process can, so the gate cannot wait until they do it: it decides
//! before the program begins. The compiler writes down what there is, as a text of parts that end with NUL, which neither names nor paths have.

use reml_capability::gate::{Denial, Gate, Origin};
use reml_capability::policy::{Power, Subject};

use crate::abi::ProgramInfo;

/// A foreign function, or a way below the language, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NativeUse<'a> {
    /// A library; or, without a symbol, the capability of a way below the language.
    pub library: &'a str,
    pub symbol: Option<&'a str>,
    pub function: &'a str,
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
}

/// Appends a use to a text.
pub fn print(text: &mut String, used: &NativeUse<'_>) {
    let NativeUse { library, symbol, function, file, line, column } = *used;
    for part in [library, symbol.unwrap_or_default(), function, file, &line.to_string(), &column.to_string()] {
        text.push_str(part);
        text.push('\0');
    }
}

/// The uses that were printed.
fn read(text: &str) -> impl Iterator<Item = NativeUse<'_>> {
    let mut parts = text.split_terminator('\0');
    std::iter::from_fn(move || {
        let library = parts.next()?;
        // A use that cannot be read must not go unasked.
        let mut part = || parts.next().expect("each use has six parts");
        let (symbol, function, file) = (part(), part(), part());
        let mut number = || part().parse().expect("places are numbers");
        let (line, column) = (number(), number());
        let symbol = Some(symbol).filter(|symbol| !symbol.is_empty());
        Some(NativeUse { library, symbol, function, file, line, column })
    })
}

/// Asks the gate about all native code of a program. All that is denied is told.
///
/// # Safety
/// The program must be as `abi` says.
pub unsafe fn decide(info: &ProgramInfo, gate: &Gate) -> Vec<Denial> {
    // SAFETY: per the contract.
    let text = unsafe { std::slice::from_raw_parts(info.native.as_ptr(), info.native_len as usize) };
    let text = std::str::from_utf8(text).expect("the compiler has written it");
    read(text)
        .filter_map(|NativeUse { library, symbol, function, file, line, column }| {
            let subject = Subject::Library { asked: library, path: None, symbol };
            gate.request(Power::Ffi, &subject, &Origin { file, line, column, function }).err()
        })
        .collect()
}

/// Nothing, unless something was denied.
///
/// # Errors
///
/// All that was denied, in words.
pub fn allowed(denials: Vec<Denial>) -> Result<(), String> {
    if denials.is_empty() {
        return Ok(());
    }
    Err(denials.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        let cos = NativeUse {
            library: "libm.so.6",
            symbol: Some("cos"),
            function: "main.cos",
            file: "a b.reml",
            line: 3,
            column: 7,
        };
        let clock = NativeUse { library: "native.inline_asm", symbol: None, line: 0, ..cos };
        let mut text = String::new();
        print(&mut text, &cos);
        print(&mut text, &clock);
        assert_eq!(read(&text).collect::<Vec<_>>(), [cos, clock]);
        assert_eq!(read("").count(), 0);
    }
}
