//! What differs from system to system where native libraries are built with: one table, so that each row can be checked on any machine.

use std::path::PathBuf;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    Linux,
    MacOs,
    Windows,
}

impl Platform {
    /// The machine that code is made for, which is the one that the compiler runs on.
    pub const fn this() -> Platform {
        if cfg!(target_os = "macos") {
            Platform::MacOs
        } else if cfg!(windows) {
            Platform::Windows
        } else {
            Platform::Linux
        }
    }

    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Linux => "Linux",
            Platform::MacOs => "macOS",
            Platform::Windows => "Windows",
        }
    }

    /// The files that a library may be: one that is loaded, and one that becomes part of a program.
    pub fn library_files(self, name: &str) -> [String; 2] {
        match self {
            Platform::Linux => [format!("lib{name}.so"), format!("lib{name}.a")],
            Platform::MacOs => [format!("lib{name}.dylib"), format!("lib{name}.a")],
            Platform::Windows => [format!("{name}.dll"), format!("{name}.lib")],
        }
    }

    /// The name of the library that a file's name is made of.
    pub fn library_of(file: &str) -> Option<&str> {
        let stem = file.strip_prefix("lib")?;
        let at = [".so", ".dylib", ".a"].iter().find_map(|suffix| stem.find(suffix))?;
        (at > 0).then(|| &stem[..at])
    }

    /// Does the linker know frameworks?
    pub fn has_frameworks(self) -> bool {
        self == Platform::MacOs
    }

    /// Where users keep what can be made again. `None` without a home.
    pub fn cache_folder(self, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = match self {
            // A relative path there means nothing, says the specification of these variables.
            Platform::Linux => {
                set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(set("HOME")?.join(".cache")))
            }
            Platform::MacOs => set("HOME").map(|home| home.join("Library/Caches")),
            Platform::Windows => set("LOCALAPPDATA"),
        };
        folder.map(|folder| folder.join("reml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(platform: Platform, variables: &[(&str, &str)]) -> Option<String> {
        let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        platform.cache_folder(&env).map(|path| path.display().to_string())
    }

    #[test]
    fn libraries_are_called_as_the_system_calls_them() {
        assert_eq!(Platform::Linux.library_files("ring"), ["libring.so", "libring.a"]);
        assert_eq!(Platform::MacOs.library_files("ring"), ["libring.dylib", "libring.a"]);
        assert_eq!(Platform::Windows.library_files("ring"), ["ring.dll", "ring.lib"]);
        let names = ["libring.so.1", "libring.a", "libring.dylib", "ring", "lib.so", "library"];
        assert_eq!(names.map(Platform::library_of), [Some("ring"), Some("ring"), Some("ring"), None, None, None]);
    }

    #[test]
    fn caches_lie_where_the_system_has_them() {
        let home = ("HOME", "/home/ada");
        assert_eq!(cache(Platform::Linux, &[home, ("XDG_CACHE_HOME", "/cache")]).unwrap(), "/cache/reml");
        assert_eq!(cache(Platform::Linux, &[home, ("XDG_CACHE_HOME", "cache")]).unwrap(), "/home/ada/.cache/reml");
        assert_eq!(cache(Platform::Linux, &[home]).unwrap(), "/home/ada/.cache/reml");
        assert_eq!(
            cache(Platform::MacOs, &[home, ("XDG_CACHE_HOME", "/cache")]).unwrap(),
            "/home/ada/Library/Caches/reml"
        );
        assert_eq!(cache(Platform::Windows, &[("LOCALAPPDATA", "/c/Ada/Local")]).unwrap(), "/c/Ada/Local/reml");
        for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
            assert_eq!(cache(platform, &[("HOME", "")]), None);
        }
    }

    #[test]
    fn only_macos_has_frameworks() {
        let with = [Platform::Linux, Platform::MacOs, Platform::Windows].map(Platform::has_frameworks);
        assert_eq!(with, [false, true, false]);
    }
}
