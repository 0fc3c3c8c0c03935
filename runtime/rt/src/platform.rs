//! On what does the program run? What the compiler knew of its target is a text in the program; here is what the runtime finds where it runs.

use reml_capability::platform::{Family, PROFILES, PlatformInfo, Triple, calling_convention};

use crate::abi::Array;
use crate::array::StrArray;
use crate::context::Cx;
use crate::string::{StrRef, new_str};

/// What [`facts`] tells, as `name=value` each.
#[unsafe(no_mangle)]
pub extern "C" fn reml_platform_facts(cx: Cx) -> *mut Array {
    let mut texts = StrArray::new(cx);
    facts(&mut |name, value| texts.push(new_str(cx, &format!("{name}={value}"))));
    texts.finish()
}

/// What a triple says: `triple`, `os`, `arch`, `family`, `abi`, `vendor`, `env`; or a profile that comes with the compiler, by its id. None for
/// what is neither.
#[unsafe(no_mangle)]
pub extern "C" fn reml_platform_triple(cx: Cx, text: StrRef) -> *mut Array {
    let mut texts = StrArray::new(cx);
    triple(text.as_str(), &mut |name, value| texts.push(new_str(cx, &format!("{name}={value}"))));
    texts.finish()
}

fn triple(text: &str, tell: &mut dyn FnMut(&str, &str)) {
    let text = PROFILES.iter().find(|(id, _)| *id == text).map_or(text, |(_, triple)| triple);
    let Some(Triple { arch, vendor, os, env }) = Triple::parse(text) else { return };
    let family = Family::of(os).tag();
    let abi = calling_convention(os, arch);
    for (name, value) in [
        ("triple", text),
        ("os", os),
        ("arch", arch),
        ("family", family),
        ("abi", abi),
        ("vendor", vendor),
        ("env", env),
    ] {
        tell(name, value);
    }
}

/// `os`, `arch`, `family` and `runtime_revision`; `runtime` for each capability of the runtime, `target` for each of the platform, and
/// `profile` for each target profile that comes with the compiler.
fn facts(tell: &mut dyn FnMut(&str, &str)) {
    let host = PlatformInfo::host();
    tell("os", std::env::consts::OS);
    tell("arch", std::env::consts::ARCH);
    tell("family", host.family.tag());
    tell("runtime_revision", env!("CARGO_PKG_VERSION"));
    host.runtime_capabilities.iter().for_each(|capability| tell("runtime", capability.id()));
    host.target_capabilities.iter().for_each(|name| tell("target", name));
    PROFILES.iter().for_each(|(id, _)| tell("profile", id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;

    #[test]
    fn the_machine_is_described() {
        let mut told = Vec::new();
        facts(&mut |name, value| told.push(format!("{name}={value}")));
        assert_eq!(told[0], format!("os={}", std::env::consts::OS));
        assert!(told.contains(&"target=thread.local".to_owned()) && told.contains(&"profile=wasi-preview2".to_owned()));
        let mut parts = Vec::new();
        triple("wasi-preview2", &mut |name, value| parts.push(format!("{name}={value}")));
        assert_eq!(parts[..4], ["triple=wasm32-unknown-wasi", "os=wasi", "arch=wasm32", "family=wasm"]);
        let mut program = Program::new(Vec::new(), None);
        // SAFETY: the array was just made.
        let len = unsafe { (*reml_platform_facts(program.cx())).len };
        assert_eq!(len, told.len() as u64);
        assert_eq!(heap::live_objects(program.cx()), len + 1);
    }
}
