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
        let os = Os::named(std::env::consts::OS);
        PlatformInfo {
            os,
            arch: Arch::named(std::env::consts::ARCH),
            family: os.family(),
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

    pub fn family(self) -> Family {
        match self {
            Os::Windows => Family::Windows,
            Os::Linux | Os::MacOs | Os::FreeBsd => Family::Unix,
            Os::Wasm => Family::Wasm,
            Os::Other if cfg!(unix) => Family::Unix,
            Os::Other => Family::Other,
        }
    }
}

impl Family {
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

/// What every target with this operating system can do.
pub fn target_capabilities(os: Os) -> BTreeSet<String> {
    let everywhere = ["unicode.nfc", "unicode.grapheme", "thread.local", "clock.monotonic", "clock.highres"];
    let by_family: &[&str] = match os.family() {
        Family::Unix => &["fs.path_utf8", "process.job_control", "ffi.callconv.c", "ffi.callconv.sysv"],
        Family::Windows => &["ffi.callconv.c", "ffi.callconv.win64"],
        Family::Wasm => &["ffi.callconv.wasm"],
        Family::Other => &[],
    };
    let names: &[&str] = match os {
        Os::Windows | Os::MacOs => &["fs.case_insensitive", "fs.case_preserving"],
        _ => &["fs.case_sensitive"],
    };
    everywhere.iter().chain(by_family).chain(names).map(|&name| name.to_owned()).collect()
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
}
