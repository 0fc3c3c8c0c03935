//! What machine and configuration is the program compiled for, as `@cfg` sees it?
//!
//! What is said nearer to the user counts: the command line, then the environment, then `[run.target]` of the
//! package's manifest, then the target profile, then the machine the compiler runs on, which is also what it
//! compiles for: a target that says otherwise is warned about.

pub mod metadata;
pub mod profile;

use std::collections::BTreeSet;

use reml_capability::platform::{self, Family, PROFILES, PlatformInfo, TARGET_CAPABILITIES, Triple};
use reml_diagnostics::{Diagnostic, Severity, SourceMap, Span, codes, suggest};
use reml_semantics::cfg::{Decision, KEYS, Target, values_of};
use serde_json::json;
use toml::de::{DeTable, DeValue};

use crate::config;
use crate::system::System;

/// One property of a target, as a condition names it, and where it was set.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    pub key: String,
    pub value: String,
    /// `Span::NONE` on the command line and in the environment.
    pub span: Span,
}

/// A property that lists what the program cannot do without: `run.target.feature_requirements`.
pub const REQUIREMENT: &str = "feature_requirement";
/// A property that lists the features that a package knows: `project.features`.
pub const DECLARED: &str = "declared_feature";
/// Capabilities that exist besides the compiler's: `run.target.custom_capabilities`.
pub const CUSTOM: &str = "custom_capability";
/// Do diagnostics tell how conditions were decided? `run.target.diagnostics`.
pub const DIAGNOSTICS: &str = "diagnostics";

/// Keys of `[run.target]` and of a profile's `[profile]`, and the properties they set.
const SECTION_KEYS: &[(&str, &str)] = &[
    ("profile_id", "profile_id"),
    ("id", "profile_id"),
    ("triple", "target"),
    ("os", "target_os"),
    ("family", "target_family"),
    ("arch", "target_arch"),
    ("abi", "target_abi"),
    ("env", "target_env"),
    ("vendor", "target_vendor"),
    ("stdlib_version", "stdlib_version"),
    ("runtime_revision", "runtime_revision"),
    ("features", "feature"),
    ("capabilities", "capability"),
    ("feature_requirements", REQUIREMENT),
    ("custom_capabilities", CUSTOM),
];

/// The environment's variables, and the properties they set.
const VARIABLES: &[(&str, &str)] = &[
    ("REML_TARGET_PROFILE", "profile_id"),
    ("REML_TARGET_TRIPLE", "target"),
    ("REML_TARGET_OS", "target_os"),
    ("REML_TARGET_FAMILY", "target_family"),
    ("REML_TARGET_ARCH", "target_arch"),
    ("REML_TARGET_ENV", "target_env"),
    ("REML_TARGET_VENDOR", "target_vendor"),
    ("REML_TARGET_ABI", "target_abi"),
    ("REML_STD_VERSION", "stdlib_version"),
    ("REML_RUNTIME_REVISION", "runtime_revision"),
    ("REML_TARGET_FEATURES", "feature"),
    ("REML_TARGET_CAPABILITIES", "capability"),
    ("REML_TARGET_DIAGNOSTICS", DIAGNOSTICS),
];
const EXTRA: &str = "REML_TARGET_EXTRA_";

/// The values of `diagnostics`.
const TRUTH: &[&str] = &["true", "false", "1", "0"];

/// The version of the standard library, and of the runtime that is linked to programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The settings in a section of a manifest or profile. Keys that mean nothing here are given to `unknown`.
pub fn section(table: &DeTable<'_>, base: u32, unknown: &mut impl FnMut(&str, Span)) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        let at = |range: std::ops::Range<usize>| Span::new(base + range.start as u32, base + range.end as u32);
        let property = SECTION_KEYS.iter().find(|(known, _)| *known == name).map(|(_, property)| *property);
        let mut add = |key: &str, value: &str, span| {
            settings.push(Setting { key: key.to_owned(), value: value.to_owned(), span });
        };
        match (property, value.get_ref()) {
            (Some(property), DeValue::String(text)) => add(property, text, at(value.span())),
            (Some(property), DeValue::Array(items)) => {
                for item in items.iter() {
                    // A capability may be a table with its stage; its name is what conditions ask for.
                    let text = match item.get_ref() {
                        DeValue::Table(table) => table.get("id").and_then(|id| id.get_ref().as_str()),
                        other => other.as_str(),
                    };
                    text.into_iter().for_each(|text| add(property, text, at(item.span())));
                }
            }
            (None, DeValue::Table(table)) if name == "extra" => {
                for (key, value) in table {
                    if let Some(text) = value.get_ref().as_str() {
                        add(&format!("extra.{}", key.get_ref()), text, at(value.span()));
                    }
                }
            }
            (None, DeValue::Boolean(told)) if name == DIAGNOSTICS => {
                add(DIAGNOSTICS, if *told { "true" } else { "false" }, at(value.span()));
            }
            _ => unknown(name, at(key.span())),
        }
    }
    settings
}

/// The properties that exist in `[run.target]`, for suggestions.
pub fn section_keys() -> impl Iterator<Item = &'static str> {
    SECTION_KEYS.iter().map(|(key, _)| *key).chain(["extra", DIAGNOSTICS])
}

/// Puts together what is known of the target.
pub fn resolve(
    command_line: &[Setting],
    manifest: &[Setting],
    system: &dyn System,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Target {
    let environment = environment(system);
    let before = diagnostics.len();
    let mut resolver = Resolver::new(diagnostics);
    let mut of_profile = Vec::new();
    let chosen = [command_line, &environment, manifest]
        .into_iter()
        .find_map(|settings| settings.iter().rev().find(|it| matches!(&*it.key, "profile_id" | "target_profile")));
    if let Some(chosen) = chosen {
        match profile::find(&chosen.value, system, sources) {
            Some(settings) => of_profile = settings,
            None => resolver.unknown_profile(chosen),
        }
    }
    for settings in [&of_profile, manifest, &environment, command_line] {
        resolver.set_all(settings);
    }
    resolver.check(&[(&of_profile, true), (manifest, false), (&environment, true), (command_line, false)]);
    let target = resolver.target;
    config::limit(diagnostics, before, Span::NONE);
    target
}

/// More decisions than these are not told.
const DECISIONS: usize = 100;

/// Adds to what is said of targets and conditions how the conditions in the same file were decided.
pub fn explain_conditions(diagnostics: &mut [Diagnostic], decisions: &[Decision], sources: &SourceMap) {
    let about_conditions = |code: &str| code.starts_with("target.") || code.contains(".cfg");
    for diagnostic in diagnostics.iter_mut().filter(|it| about_conditions(it.code.0)) {
        let file = sources.file_of(diagnostic.primary);
        let near = |it: &&Decision| file.is_none() || sources.file_of(it.condition) == file;
        let near: Vec<&Decision> = decisions.iter().filter(near).take(DECISIONS).collect();
        let text = |it: &Decision| sources.text(it.condition).unwrap_or_default().to_owned();
        let evaluated = near.iter().map(|it| {
            let line = sources.position(it.condition).map(|(_, at)| at.line);
            json!({ "condition": text(it), "line": line, "holds": it.holds })
        });
        let keys: BTreeSet<&str> = near.iter().flat_map(|it| &it.keys).map(String::as_str).collect();
        let active: Vec<String> = near.iter().filter(|it| it.holds).map(|it| text(it)).collect();
        diagnostic.facts.push(("cfg.keys", json!(keys)));
        diagnostic.facts.push(("cfg.evaluated", evaluated.collect()));
        diagnostic.facts.push(("cfg.active", json!(active)));
    }
}

/// Makes an error of the warning that the target is another machine than this one.
pub fn refuse_other_machine(diagnostics: &mut [Diagnostic]) {
    for diagnostic in diagnostics.iter_mut().filter(|it| it.code == codes::TARGET_MISMATCH) {
        diagnostic.severity = Severity::Error;
        diagnostic.helps.push("`remlc check` checks a program for another machine".to_owned());
    }
}

/// Adds to what is said of a target which one was asked for, and which one code is made for.
pub fn annotate(diagnostics: &mut [Diagnostic], target: &Target) {
    let machine = of_machine();
    let value = |target: &Target, key: &str| target.values.get(key).filter(|it| !it.is_empty()).cloned();
    for diagnostic in diagnostics.iter_mut().filter(|it| it.code.0.starts_with("target.")) {
        if diagnostic.has_fact("target.requested.os") {
            continue;
        }
        for (key, of, property) in [
            ("target.profile_id", target, "profile_id"),
            ("target.requested.os", target, "target_os"),
            ("target.requested.arch", target, "target_arch"),
            ("target.requested.triple", target, "target"),
            ("target.detected.os", &machine, "target_os"),
            ("target.detected.arch", &machine, "target_arch"),
            ("target.detected.triple", &machine, "target"),
        ] {
            diagnostic.facts.push((key, value(of, property).into()));
        }
    }
}

/// The target that a profile describes by itself; what is wrong with it is reported.
pub fn of_profile(settings: &[Setting], diagnostics: &mut Vec<Diagnostic>) -> Target {
    let mut resolver = Resolver::new(diagnostics);
    resolver.set_all(settings);
    resolver.check(&[(settings, true)]);
    resolver.target
}

/// The machine the compiler runs on, which is what it makes code for.
pub fn of_machine() -> Target {
    let mut target = Target::default();
    for (key, value) in [
        ("target_os", std::env::consts::OS),
        ("target_family", std::env::consts::FAMILY),
        ("target_arch", std::env::consts::ARCH),
        ("target_vendor", if cfg!(target_vendor = "apple") { "apple" } else { "unknown" }),
        (
            "target_env",
            if cfg!(target_env = "musl") {
                "musl"
            } else if cfg!(target_env = "gnu") {
                "gnu"
            } else {
                ""
            },
        ),
        ("stdlib_version", VERSION),
        ("runtime_revision", VERSION),
    ] {
        target.values.insert(key.to_owned(), value.to_owned());
    }
    let abi = platform::calling_convention(std::env::consts::OS, std::env::consts::ARCH);
    target.values.insert("target_abi".to_owned(), abi.to_owned());
    let part = |key: &str| target.values[key].clone();
    let os = if part("target_os") == "macos" { "darwin".to_owned() } else { part("target_os") };
    let mut triple = format!("{}-{}-{os}", part("target_arch"), part("target_vendor"));
    if !part("target_env").is_empty() {
        triple = format!("{triple}-{}", part("target_env"));
    }
    target.values.insert("target".to_owned(), triple);
    target.capabilities = PlatformInfo::host().target_capabilities;
    target
}

fn environment(system: &dyn System) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |key: String, value: &str| settings.push(Setting { key, value: value.to_owned(), span: Span::NONE });
    for &(variable, key) in VARIABLES {
        let Some(value) = system.env(variable) else { continue };
        if matches!(key, "feature" | "capability") {
            let list = value.to_lowercase();
            list.split(',').map(str::trim).filter(|it| !it.is_empty()).for_each(|it| add(key.to_owned(), it));
        } else if !value.is_empty() {
            add(key.to_owned(), &value);
        }
    }
    for (variable, value) in system.env_starting_with(EXTRA) {
        add(format!("extra.{}", &variable[EXTRA.len()..]), &value);
    }
    settings
}

struct Resolver<'d> {
    target: Target,
    diagnostics: &'d mut Vec<Diagnostic>,
    /// The capabilities that were set, and not just follow from the operating system.
    added: BTreeSet<String>,
}

impl<'d> Resolver<'d> {
    fn new(diagnostics: &'d mut Vec<Diagnostic>) -> Self {
        Resolver { target: of_machine(), diagnostics, added: BTreeSet::new() }
    }

    fn set_all(&mut self, settings: &[Setting]) {
        // A triple says much that other settings say more exactly.
        let (triples, others): (Vec<_>, Vec<_>) = settings.iter().partition(|setting| setting.key == "target");
        triples.into_iter().chain(others).for_each(|setting| self.set(setting));
    }

    fn set(&mut self, setting: &Setting) {
        let Setting { key, value, span } = setting;
        let target = &mut self.target;
        match &**key {
            "feature" => _ = target.features.insert(value.clone()),
            "capability" => {
                self.added.insert(value.clone());
                target.capabilities.insert(value.clone());
            }
            CUSTOM => _ = target.custom_capabilities.insert(value.clone()),
            DECLARED => _ = target.declared_features.get_or_insert_default().insert(value.clone()),
            REQUIREMENT => {}
            DIAGNOSTICS => target.diagnostics = matches!(&**value, "1" | "true"),
            "target" => self.set_triple(value),
            "target_profile" => drop(target.values.insert("profile_id".to_owned(), value.clone())),
            "has_target_profile" => {}
            known if KEYS.contains(&known) || known.starts_with("extra.") => {
                target.values.insert(key.clone(), value.clone());
            }
            _ => {
                let mut diagnostic =
                    Diagnostic::error(codes::TARGET_UNKNOWN_KEY, *span, format!("targets have no property `{key}`"));
                diagnostic = match suggest::closest(key, KEYS.iter().copied()) {
                    Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                    None => diagnostic.with_help("properties of your own are called `extra.name`"),
                };
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// `x86_64-unknown-linux-gnu` sets what it is made of.
    fn set_triple(&mut self, triple: &str) {
        let mut set = |key: &str, value: &str| drop(self.target.values.insert(key.to_owned(), value.to_owned()));
        set("target", triple);
        let Some(Triple { arch, vendor, os, env }) = Triple::parse(triple) else { return };
        set("target_arch", arch);
        set("target_vendor", vendor);
        set("target_os", os);
        set("target_env", env);
        set("target_abi", platform::calling_convention(os, arch));
        let family = Family::of(os);
        // A machine without an operating system is of no family.
        set("target_family", if family == Family::Other { "" } else { family.tag() });
        if os != of_machine().values["target_os"] {
            self.target.capabilities = platform::target_capabilities(os);
            self.target.capabilities.extend(self.added.iter().cloned());
        }
    }

    fn unknown_profile(&mut self, setting: &Setting) {
        let message = format!("there is no target profile `{}`", setting.value);
        let known = PROFILES.iter().map(|(id, _)| *id);
        let mut diagnostic = Diagnostic::error(codes::TARGET_PROFILE_MISSING, setting.span, message);
        diagnostic = match suggest::closest(&setting.value, known) {
            Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
            None => {
                diagnostic.with_help("profiles are looked for in the directory that `REML_TARGET_PROFILE_PATH` names")
            }
        };
        self.diagnostics.push(diagnostic);
    }

    /// What does not fit: values that do not exist, features that are missing, another version, another machine.
    /// Strict sources are about the target alone: the capabilities that a manifest names may also be the program's.
    fn check(&mut self, sources: &[(&[Setting], bool)]) {
        let machine = of_machine();
        let mut other = Vec::new();
        for (setting, strict) in
            sources.iter().flat_map(|(settings, strict)| settings.iter().map(move |it| (it, *strict)))
        {
            let Setting { key, value, span } = setting;
            if strict && key == "capability" {
                self.check_capability(value, *span);
            }
            if strict && key == "target" {
                self.check_triple(value, *span);
            }
            let known = if key == DIAGNOSTICS { Some(TRUTH) } else { values_of(key) };
            if let Some(known) = known
                && !known.contains(&&**value)
            {
                let message = format!("`{key}` is never \"{value}\"");
                let near = suggest::closest(value, known.iter().copied());
                let help = near
                    .map_or(format!("it is one of {}", known.join(", ")), |near| format!("did you mean \"{near}\"?"));
                let code = codes::TARGET_UNKNOWN_VALUE;
                self.diagnostics.push(Diagnostic::error(code, *span, message).with_help(help));
            }
            if key == REQUIREMENT && !self.target.features.contains(value) {
                let message = format!("the program needs the feature \"{value}\", and the target does not have it");
                self.diagnostics.push(
                    Diagnostic::error(codes::FEATURE_MISMATCH, *span, message)
                        .with_help(format!("add it: `--cfg feature={value}`")),
                );
            }
            if matches!(&**key, "stdlib_version" | "runtime_revision") && value != VERSION {
                let what = if key == "stdlib_version" { "standard library" } else { "runtime" };
                let message = format!("the target asks for version {value} of the {what}; this compiler has {VERSION}");
                self.diagnostics.push(
                    Diagnostic::error(codes::TARGET_ABI_MISMATCH, *span, message)
                        .with_fact("target.runtime_revision.profile", value.as_str())
                        .with_fact("target.runtime_revision.artifact", VERSION)
                        .with_help("leave the version out, or use the compiler that has it"),
                );
            }
        }
        for key in ["target_os", "target_arch"] {
            let (wanted, found) = (&self.target.values[key], &machine.values[key]);
            if wanted != found {
                other.push(format!("`{key}` is \"{wanted}\", here it is \"{found}\""));
            }
        }
        if !other.is_empty() {
            let message = format!("the code will run on another machine than the target: {}", other.join("; "));
            self.diagnostics.push(
                Diagnostic::warning(codes::TARGET_MISMATCH, Span::NONE, message)
                    .with_note("conditions are decided for the target; machine code is made for this machine"),
            );
        }
    }

    fn check_capability(&mut self, name: &str, span: Span) {
        if TARGET_CAPABILITIES.contains(&name) || self.target.custom_capabilities.contains(name) {
            return;
        }
        let known = TARGET_CAPABILITIES.iter().copied();
        let help = match suggest::closest(name, known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`run.target.custom_capabilities` of `reml.toml` adds capabilities of your own".to_owned(),
        };
        let message = format!("there is no capability \"{name}\"");
        self.diagnostics.push(
            Diagnostic::error(codes::TARGET_CAPABILITY_UNKNOWN, span, message)
                .with_fact("target.capability", name)
                .with_help(help),
        );
    }

    fn check_triple(&mut self, triple: &str, span: Span) {
        let known = |key: &str| {
            let value = self.target.values.get(key).map_or("", String::as_str);
            values_of(key).is_some_and(|known| known.contains(&value))
        };
        let is_current = self.target.values["target"] == triple;
        if Triple::parse(triple).is_none() || is_current && !(known("target_os") && known("target_arch")) {
            let message = format!("`{triple}` is not the triple of a known machine");
            let help = "a triple is architecture, vendor and system, as in `x86_64-unknown-linux-gnu`";
            self.diagnostics.push(Diagnostic::error(codes::TARGET_UNKNOWN_VALUE, span, message).with_help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    fn resolved(command_line: &[(&str, &str)], system: &MemorySystem) -> (Target, Vec<String>) {
        let settings: Vec<Setting> = command_line
            .iter()
            .map(|(key, value)| Setting { key: (*key).into(), value: (*value).into(), span: Span::NONE })
            .collect();
        let mut diagnostics = Vec::new();
        let target = resolve(&settings, &[], system, &mut SourceMap::new(), &mut diagnostics);
        (target, diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect())
    }

    #[test]
    fn the_machine_is_the_default() {
        let (target, problems) = resolved(&[], &MemorySystem::new());
        assert_eq!(target.values["target_os"], std::env::consts::OS);
        assert!(target.values["target"].starts_with(std::env::consts::ARCH));
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let system = MemorySystem::new()
            .with_env("REML_TARGET_VENDOR", "environment")
            .with_env("REML_TARGET_ABI", "environment")
            .with_env("REML_TARGET_FEATURES", " Fast, small ")
            .with_env("REML_TARGET_EXTRA_flavour", "vanilla");
        let (target, _) = resolved(&[("target_vendor", "mine"), ("feature", "more")], &system);
        assert_eq!((&*target.values["target_vendor"], &*target.values["target_abi"]), ("mine", "environment"));
        assert_eq!(target.features.iter().map(String::as_str).collect::<Vec<_>>(), ["fast", "more", "small"]);
        assert_eq!(target.values["extra.flavour"], "vanilla");
    }

    #[test]
    fn profiles_come_from_files_and_from_the_compiler() {
        let file = "[profile]\nid = \"board\"\ntriple = \"aarch64-acme-none\"\ncapabilities = [\"clock.highres\"]\n";
        let system =
            MemorySystem::new().with("profiles/board.toml", file).with_env("REML_TARGET_PROFILE_PATH", "profiles");
        let (target, problems) = resolved(&[("profile_id", "board")], &system);
        assert_eq!((&*target.values["profile_id"], &*target.values["target_vendor"]), ("board", "acme"));
        assert!(problems.iter().all(|problem| problem.starts_with("target.config.mismatch")), "{problems:?}");
        let (target, _) = resolved(&[("profile_id", "wasi-preview2")], &MemorySystem::new());
        assert_eq!((&*target.values["target_os"], &*target.values["target_family"]), ("wasi", "wasm"));
        let (_, problems) = resolved(&[("profile_id", "wasi-preview")], &MemorySystem::new());
        assert_eq!(problems, ["target.profile.missing: there is no target profile `wasi-preview`"]);
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let problems = |settings: &[(&str, &str)]| resolved(settings, &MemorySystem::new()).1.join("\n");
        assert_eq!(
            problems(&[("target_so", "linux")]),
            "target.config.unknown_key: targets have no property `target_so`"
        );
        assert!(problems(&[("target_os", "linus")]).starts_with("target.config.unsupported_value"));
        assert!(problems(&[("stdlib_version", "0.0.0")]).starts_with("target.abi.mismatch"));
        assert!(problems(&[(REQUIREMENT, "fast")]).starts_with("config.feature.mismatch"));
    }
}
