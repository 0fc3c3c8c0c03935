//! Which code does a program have that is not of the language, and may it?
//!
//! A foreign function and what goes below the language can do what the process can, so the gate cannot wait until they do it: it decides
//! before the program begins. The compiler writes down what there is, as a text of parts that end with NUL, which neither names nor paths have.

use reml_audit::{Event, EventKind};
use reml_capability::gate::{Denial, Gate, Origin};
use reml_capability::policy::{Power, Subject};
use serde_json::{Value, json};

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
    pub contract: Option<Contract<'a>>,
}

/// What the declaration of a foreign function states of the border, or what follows for it from the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contract<'a> {
    pub target: &'a str,
    /// That of the block; empty if it names none.
    pub block_target: &'a str,
    pub arch: &'a str,
    pub os: &'a str,
    /// As it is written.
    pub callconv: &'a str,
    pub abi: &'a str,
    pub expected_abi: &'a str,
    pub ownership: &'a str,
    /// `none`, `raw` or `wrapped`.
    pub result: &'a str,
    /// The function that gives the result back; empty if there is none.
    pub release: &'a str,
}

impl<'a> Contract<'a> {
    const PARTS: usize = 10;

    fn parts(&self) -> [&'a str; Contract::PARTS] {
        let Contract { target, block_target, arch, os, callconv, abi, expected_abi, ownership, result, release } =
            *self;
        [target, block_target, arch, os, callconv, abi, expected_abi, ownership, result, release]
    }

    /// `None` when the declaration states nothing.
    fn of(parts: [&'a str; Contract::PARTS]) -> Option<Contract<'a>> {
        let [target, block_target, arch, os, callconv, abi, expected_abi, ownership, result, release] = parts;
        let contract =
            Contract { target, block_target, arch, os, callconv, abi, expected_abi, ownership, result, release };
        (!abi.is_empty()).then_some(contract)
    }

    /// What the log keeps under `bridge`. What breaks a contract does not compile, so there is nothing else to tell of one.
    fn record(&self, used: &NativeUse<'_>) -> Value {
        let returned = match (self.result, self.ownership) {
            ("none", _) => ["none", "none", "none", "none", "none"],
            ("wrapped", "transferred") => ["transferred", "wrap_and_release", "wrap_foreign_ptr", "dec_ref", "dec_ref"],
            ("wrapped", ownership) => [ownership, "wrap", "wrap_foreign_ptr", "none", "none"],
            (_, ownership) => [ownership, "raw", "none", "none", "none"],
        };
        let [ownership, status, wrap, release_handler, rc_adjustment] = returned;
        let said = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        let name = used.function.rsplit('.').next();
        json!({
            "status": "ok",
            "target": self.target,
            "arch": self.arch,
            "platform": platform(self.os, self.arch),
            "abi": self.abi,
            "expected_abi": self.expected_abi,
            "callconv": self.callconv,
            "block_target": said(self.block_target),
            "library": used.library,
            "extern_name": name,
            "extern_symbol": used.symbol,
            "link_name": used.symbol,
            "ownership": self.ownership,
            "return": {
                "ownership": ownership,
                "status": status,
                "wrap": wrap,
                "release_handler": release_handler,
                "release_function": said(self.release),
                "rc_adjustment": rc_adjustment,
            },
            "audit_pass_rate": 1.0,
            "diagnostics": [],
        })
    }
}

/// How audits call a machine.
fn platform(os: &str, arch: &str) -> String {
    match (os, arch) {
        ("macos" | "darwin", "aarch64" | "arm64") => "macos-arm64".to_owned(),
        ("windows", "x86_64") => "windows-msvc-x64".to_owned(),
        _ => format!("{os}-{arch}"),
    }
}

/// Appends a use to a text.
pub fn print(text: &mut String, used: &NativeUse<'_>) {
    let NativeUse { library, symbol, function, file, line, column, contract } = *used;
    let place = [library, symbol.unwrap_or_default(), function, file, &line.to_string(), &column.to_string()];
    let contract = contract.map_or_else(Default::default, |contract| contract.parts());
    for part in place.into_iter().chain(contract) {
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
        let mut part = || parts.next().expect("each use has all its parts");
        let (symbol, function, file) = (part(), part(), part());
        let mut number = || part().parse().expect("places are numbers");
        let (line, column) = (number(), number());
        let contract = Contract::of(std::array::from_fn(|_| part()));
        let symbol = Some(symbol).filter(|symbol| !symbol.is_empty());
        Some(NativeUse { library, symbol, function, file, line, column, contract })
    })
}

/// Asks the gate about all native code of a program. All that is denied is told; contracts of what is allowed are recorded.
///
/// # Safety
/// The program must be as `abi` says.
pub unsafe fn decide(info: &ProgramInfo, gate: &Gate) -> Vec<Denial> {
    // SAFETY: per the contract.
    let text = unsafe { std::slice::from_raw_parts(info.native.as_ptr(), info.native_len as usize) };
    let text = std::str::from_utf8(text).expect("the compiler has written it");
    read(text)
        .filter_map(|used| {
            let NativeUse { library, symbol, function, file, line, column, contract } = used;
            let subject = Subject::Library { asked: library, path: None, symbol };
            let decided = gate.request(Power::Ffi, &subject, &Origin { file, line, column, function });
            if let (Ok(()), Some(contract), Some(sink)) = (&decided, contract, gate.sink()) {
                let event = Event::new(EventKind::FfiBridge)
                    .category("ffi.bridge")
                    .capability(Power::Ffi.capability())
                    .with("bridge", contract.record(&used));
                // A log that cannot be written says so at the end of the run.
                let _ = sink.log(&event);
            }
            decided.err()
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
            contract: None,
        };
        let contract = Contract {
            target: "x86_64-linux-gnu",
            block_target: "",
            arch: "x86_64",
            os: "linux",
            callconv: "C",
            abi: "system_v",
            expected_abi: "system_v",
            ownership: "transferred",
            result: "wrapped",
            release: "free",
        };
        let sine = NativeUse { symbol: Some("sin"), contract: Some(contract), ..cos };
        let clock = NativeUse { library: "native.inline_asm", symbol: None, line: 0, ..cos };
        let mut text = String::new();
        print(&mut text, &cos);
        print(&mut text, &sine);
        print(&mut text, &clock);
        assert_eq!(read(&text).collect::<Vec<_>>(), [cos, sine, clock]);
        let record = contract.record(&sine);
        assert_eq!(record["return"]["status"], "wrap_and_release");
        assert_eq!((&record["platform"], &record["extern_symbol"]), (&"linux-x86_64".into(), &"sin".into()));
        assert_eq!(read("").count(), 0);
    }
}
