//! When are two names those of the same library?
//!
//! Linkers say `z`, people `libz`, loaders `libz.so.1`. A rule about one of them is about all of them, else a rule that denies would be got around
//! by spelling. So names are compared as linkers have them.

/// The name as linkers have it: without `lib`, and without what the name of the file ends with.
///
/// ```
/// use reml_capability::policy::library_name;
/// for name in ["z", "libz", "libz.so", "libz.so.1.3", "libz.dylib"] {
///     assert_eq!(library_name(name), "z");
/// }
/// assert_eq!(library_name("native.inline_asm"), "native.inline_asm");
/// ```
pub fn library_name(name: &str) -> &str {
    let stem = match name.find(".so") {
        Some(at) if is_version(&name[at + ".so".len()..]) => &name[..at],
        _ => name.strip_suffix(".dylib").unwrap_or(name),
    };
    match stem.strip_prefix("lib") {
        Some(rest) if !rest.is_empty() => rest,
        _ => stem,
    }
}

/// Nothing, or numbers behind dots.
fn is_version(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix('.').is_some_and(|text| {
            text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_files_of_libraries_end_with_is_left_out() {
        for name in ["lib", "m.so.x", "m.so.", "a.solid", "", ".so1"] {
            assert_eq!(library_name(name), name);
        }
        assert_eq!(library_name("liblib"), "lib");
        assert_eq!(library_name("libm.so.6"), library_name("m"));
        assert_eq!(library_name("libstdc++.so.6.0.30"), "stdc++");
    }
}
