//! On what does the program run, and what may be said about targets?

use std::collections::BTreeSet;

use crate::runtime::RuntimeCapability;

/// The capabilities that a target may have, as `@cfg(capability = "..")` names them.
pub const TARGET_CAPABILITIES: &[&str] = &[
    "unicode.nfc",
    "unicode.grapheme",
    "fs.case_sensitive",
    "fs.case_insensitive",
    "fs.case_preserving",
    "fs.path_utf8",
    "thread.local",
    "process.job_control",
    "clock.monotonic",
    "clock.highres",
    "ffi.callconv.c",
    "ffi.callconv.sysv",
    "ffi.callconv.win64",
    "ffi.callconv.wasm",
];

/// The target profiles that come with the compiler, and their triples.
pub const PROFILES: &[(&str, &str)] = &[
    ("desktop-x86_64", "x86_64-unknown-linux-gnu"),
    ("desktop-aarch64", "aarch64-unknown-linux-gnu"),
    ("macos-arm64", "aarch64-apple-darwin"),
    ("windows-msvc", "x86_64-pc-windows-msvc"),
    ("wasi-preview2", "wasm32-unknown-wasi"),
];

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Os {
    Windows,
    Linux,
    MacOs,
    FreeBsd,
    Wasm,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arch {
    X64,
    Arm64,
    X86,
    Arm,
    Wasm32,
    RiscV64,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    Unix,
    Windows,
    Wasm,
    Other,
}

/// What a program can find out about where it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlatformInfo {
    pub os: Os,
    pub arch: Arch,
    pub family: Family,
    pub variant: Option<String>,
    pub features: BTreeSet<String>,
    pub runtime_capabilities: BTreeSet<RuntimeCapability>,
    pub target_capabilities: BTreeSet<String>,
    pub profile_id: Option<String>,
    pub triple: Option<String>,
    pub stdlib_version: Option<String>,
    pub runtime_revision: Option<String>,
}

impl PlatformInfo {
    /// The machine that this runs on, which is the one that the runtime was compiled for.
    pub fn host() -> PlatformInfo {
        let os = std::env::consts::OS;
        PlatformInfo {
            os: Os::named(os),
            arch: Arch::named(std::env::consts::ARCH),
            family: Family::of(os),
            variant: None,
            features: BTreeSet::new(),
            runtime_capabilities: host_runtime(),
            target_capabilities: target_capabilities(os),
            profile_id: None,
            triple: None,
            stdlib_version: None,
            runtime_revision: None,
        }
    }

    pub fn has_capability(&self, capability: &RuntimeCapability) -> bool {
        self.runtime_capabilities.contains(capability)
    }

    pub fn has_target_capability(&self, name: &str) -> bool {
        self.target_capabilities.contains(name)
    }
}

impl Os {
    /// As `@cfg(target_os = "..")` names it.
    pub fn named(name: &str) -> Os {
        match name {
            "windows" => Os::Windows,
            "linux" | "android" => Os::Linux,
            "macos" => Os::MacOs,
            "freebsd" => Os::FreeBsd,
            "wasi" | "wasm" | "unknown" => Os::Wasm,
            _ => Os::Other,
        }
    }
}

impl Family {
    /// That of an operating system, as `@cfg(target_os = "..")` names it.
    pub fn of(os: &str) -> Family {
        match os {
            "windows" => Family::Windows,
            "wasi" | "wasm" => Family::Wasm,
            "linux" | "macos" | "freebsd" | "netbsd" | "openbsd" | "android" | "ios" => Family::Unix,
            _ => Family::Other,
        }
    }

    /// As `@cfg(target_family = "..")` names it.
    pub fn tag(self) -> &'static str {
        match self {
            Family::Unix => "unix",
            Family::Windows => "windows",
            Family::Wasm => "wasm",
            Family::Other => "other",
        }
    }
}

impl Arch {
    fn named(name: &str) -> Arch {
        match name {
            "x86_64" => Arch::X64,
            "aarch64" => Arch::Arm64,
            "x86" => Arch::X86,
            "arm" => Arch::Arm,
            "wasm32" => Arch::Wasm32,
            "riscv64" => Arch::RiscV64,
            _ => Arch::Other,
        }
    }
}

fn host_runtime() -> BTreeSet<RuntimeCapability> {
    let mut found = BTreeSet::from([RuntimeCapability::ThreadLocal, RuntimeCapability::AsyncScheduler]);
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            (true, RuntimeCapability::Simd),
            (std::arch::is_x86_feature_detected!("avx512f"), RuntimeCapability::Vector512),
            (std::arch::is_x86_feature_detected!("rdrand"), RuntimeCapability::HardwareRng),
            (std::arch::is_x86_feature_detected!("aes"), RuntimeCapability::CryptoExtensions),
        ];
        found.extend(known.into_iter().filter(|(has, _)| *has).map(|(_, capability)| capability));
    }
    #[cfg(target_arch = "aarch64")]
    {
        found.insert(RuntimeCapability::Simd);
        if std::arch::is_aarch64_feature_detected!("aes") {
            found.insert(RuntimeCapability::CryptoExtensions);
        }
    }
    found
}

/// What a triple such as `x86_64-unknown-linux-gnu` consists of, in the words of `@cfg`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Triple<'t> {
    pub arch: &'t str,
    pub vendor: &'t str,
    pub os: &'t str,
    /// Empty when it says none.
    pub env: &'t str,
}

impl<'t> Triple<'t> {
    /// `None` when it has not three or four parts.
    pub fn parse(text: &'t str) -> Option<Triple<'t>> {
        let mut parts = text.split('-');
        let (arch, vendor, os) = (parts.next()?, parts.next()?, parts.next()?);
        let env = parts.next().unwrap_or_default();
        let arch = match arch {
            "arm64" => "aarch64",
            "amd64" => "x86_64",
            "i386" | "i486" | "i586" | "i686" => "x86",
            "riscv64gc" | "riscv64imac" => "riscv64",
            _ if arch.starts_with("armv") => "arm",
            known => known,
        };
        // Some come with a version: `darwin23.1.0`, `wasip2`.
        let families = [("darwin", "macos"), ("macosx", "macos"), ("wasi", "wasi"), ("freebsd", "freebsd")];
        let os = families.into_iter().find(|(start, _)| os.starts_with(start)).map_or(os, |(_, name)| name);
        parts.next().is_none().then_some(Triple { arch, vendor, os, env })
    }
}

/// What every target with this operating system can do, which is called as in `@cfg(target_os = "..")`.
pub fn target_capabilities(os: &str) -> BTreeSet<String> {
    let hosted = ["thread.local", "clock.monotonic", "clock.highres"];
    let by_family: &[&str] = match Family::of(os) {
        Family::Unix => &["fs.path_utf8", "process.job_control", "ffi.callconv.c", "ffi.callconv.sysv"],
        Family::Windows => &["ffi.callconv.c", "ffi.callconv.win64"],
        Family::Wasm => &["ffi.callconv.wasm"],
        // Nothing is known of what is there besides the machine.
        Family::Other => return ["unicode.nfc", "unicode.grapheme", "ffi.callconv.c"].map(str::to_owned).into(),
    };
    let names: &[&str] = match os {
        "windows" | "macos" => &["fs.case_insensitive", "fs.case_preserving"],
        _ => &["fs.case_sensitive"],
    };
    let everywhere = ["unicode.nfc", "unicode.grapheme"];
    everywhere.iter().chain(&hosted).chain(by_family).chain(names).map(|&name| name.to_owned()).collect()
}

/// The calling convention of C on a target, as `target_abi` and the audit log name it.
pub fn calling_convention(os: &str, arch: &str) -> &'static str {
    match (os, arch) {
        ("windows", _) => "msvc",
        ("macos" | "ios", "aarch64") => "darwin_aapcs64",
        (_, "wasm32") | ("wasi" | "wasm", _) => "wasm",
        _ => "system_v",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_described_in_known_words() {
        let host = PlatformInfo::host();
        for name in &host.target_capabilities {
            assert!(TARGET_CAPABILITIES.contains(&&**name), "{name}");
        }
        assert!(host.has_target_capability("thread.local"));
        assert!(host.has_capability(&RuntimeCapability::AsyncScheduler));
        assert!(!host.has_capability(&RuntimeCapability::Gpu));
        assert_eq!(host.family.tag(), if cfg!(unix) { "unix" } else { std::env::consts::FAMILY });
    }

    #[test]
    fn triples_are_read_in_the_words_of_conditions() {
        let parts = |text| Triple::parse(text).map(|it| [it.arch, it.vendor, it.os, it.env].join(" "));
        assert_eq!(parts("x86_64-unknown-linux-gnu").unwrap(), "x86_64 unknown linux gnu");
        assert_eq!(parts("arm64-apple-darwin23.1.0").unwrap(), "aarch64 apple macos ");
        assert_eq!(parts("wasm32-unknown-wasip2").unwrap(), "wasm32 unknown wasi ");
        assert_eq!((parts("z80"), parts("a-b-c-d-e")), (None, None));
        for (id, triple) in PROFILES {
            assert!(Triple::parse(triple).is_some(), "{id}");
        }
    }

    #[test]
    fn a_bare_machine_is_no_unix() {
        assert_eq!((Family::of("none"), Family::of("wasi")), (Family::Other, Family::Wasm));
        assert!(!target_capabilities("none").contains("process.job_control"));
        assert_eq!(calling_convention("wasi", "wasm32"), "wasm");
        assert_eq!(calling_convention("linux", "x86_64"), "system_v");
    }
}
