//! Lets C libraries that a program loads find the functions of `reml_ffi_bridge.h` in remlc itself, where the program runs in memory.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol=reml_ffi_*");
    }
}
