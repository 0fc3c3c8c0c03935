//! What can stand in a `reml.toml`? One table of its sections and keys, from which mistakes are found and defaults are told.

use reml_diagnostics::codes::{self, Code};

use crate::config::compat;

/// What a value must look like.
pub enum Shape {
    Text,
    Flag,
    /// One of these texts; anything else has the code.
    OneOf(&'static [&'static str], Code),
    List(&'static Shape),
    /// Texts whose order means nothing.
    Set,
    /// A table with these keys.
    Table(&'static [Field]),
    /// A table with keys of the user's.
    Named(&'static Shape),
    /// The first of these that is of the value's kind.
    Either(&'static [Shape]),
    /// A text that nobody needs to see.
    Secret,
    /// Checked where it is read, or by whose it is.
    Other,
}

pub struct Field {
    pub key: &'static str,
    pub shape: Shape,
    pub default: Default,
}

/// What is told of a key that is not there.
pub enum Default {
    Nothing,
    Text(&'static str),
    Flag(bool),
    EmptyList,
    /// A table, with the defaults of its keys.
    Table,
}

const fn field(key: &'static str, shape: Shape) -> Field {
    Field { key, shape, default: Default::Nothing }
}

const fn list(key: &'static str, of: &'static Shape) -> Field {
    Field { key, shape: Shape::List(of), default: Default::EmptyList }
}

const fn set(key: &'static str) -> Field {
    Field { key, shape: Shape::Set, default: Default::EmptyList }
}

const fn flag(key: &'static str, default: bool) -> Field {
    Field { key, shape: Shape::Flag, default: Default::Flag(default) }
}

const fn choice(key: &'static str, of: &'static [&'static str], code: Code, default: &'static str) -> Field {
    Field { key, shape: Shape::OneOf(of, code), default: Default::Text(default) }
}

const fn table(key: &'static str, fields: &'static [Field]) -> Field {
    Field { key, shape: Shape::Table(fields), default: Default::Table }
}

const fn named(key: &'static str, of: &'static Shape) -> Field {
    Field { key, shape: Shape::Named(of), default: Default::Table }
}

/// Templates are `lite`, which ranks with what is experimental.
const STAGES: &[&str] = &["experimental", "lite", "beta", "stable"];
const STAGE: Shape = Shape::OneOf(STAGES, codes::CONFIG_INVALID_STAGE);

const PROJECT: &[Field] = &[
    field("name", Shape::Text),
    field("version", Shape::Text),
    list("authors", &Shape::Either(&[Shape::Text, Shape::Table(AUTHOR)])),
    field("license", Shape::Text),
    field("description", Shape::Text),
    choice(
        "kind",
        &["application", "library", "plugin", "tooling", "config"],
        codes::CONFIG_PROJECT_KIND,
        "application",
    ),
    Field { key: "stage", shape: STAGE, default: Default::Text("stable") },
    list("capabilities", &Shape::Text),
    field("src", Shape::Text),
    field("features", Shape::Set),
];

const AUTHOR: &[Field] = &[field("name", Shape::Text), field("email", Shape::Text), field("handle", Shape::Text)];

const DEPENDENCY: Shape = Shape::Either(&[
    Shape::Text,
    Shape::Table(&[
        field("package", Shape::Text),
        field("version", Shape::Text),
        field("path", Shape::Text),
        field("git", Shape::Text),
        field("branch", Shape::Text),
        field("tag", Shape::Text),
        field("rev", Shape::Text),
        flag("default_features", true),
        flag("optional", false),
        set("features"),
        field("registry", Shape::Text),
    ]),
]);

const DSL: Shape = Shape::Table(&[
    field("entry", Shape::Text),
    list("exports", &Shape::Either(&[Shape::Text, Shape::Table(EXPORT)])),
    choice("kind", &["language", "analyzer", "runtime_bridge", "plugin", "config"], codes::CONFIG_DSL_KIND, "language"),
    set("expect_effects"),
    field("expect_effects_stage", STAGE),
    field("allow_prerelease", Shape::Flag),
    list("capabilities", &Shape::Text),
    field("summary", Shape::Text),
]);

const EXPORT: &[Field] = &[field("name", Shape::Text), field("signature", Shape::Table(SIGNATURE))];

const SIGNATURE: &[Field] = &[
    field("name", Shape::Text),
    field("category", Shape::Text),
    field("allows_effects", Shape::Set),
    field("requires_capabilities", Shape::List(&Shape::Text)),
    field("stage_bounds", Shape::Table(&[field("minimum", STAGE), field("current", STAGE), field("maximum", STAGE)])),
    field("kind", Shape::Text),
    field("version", Shape::Text),
];

const OPTIMIZE: &[&str] = &["debug", "release", "size", "speed"];

const BUILD: &[Field] = &[
    field("target", Shape::Text),
    list("targets", &Shape::Text),
    set("features"),
    choice("optimize", OPTIMIZE, codes::CONFIG_BUILD_OPTIMIZE, "debug"),
    flag("warnings_as_errors", false),
    named("profiles", &Shape::Table(PROFILE)),
];

const PROFILE: &[Field] = &[
    field("inherits", Shape::Text),
    field("optimize", Shape::OneOf(OPTIMIZE, codes::CONFIG_BUILD_OPTIMIZE)),
    field("warnings_as_errors", Shape::Flag),
    field("features", Shape::Set),
];

const REGISTRY: &[Field] = &[
    field("upstream", Shape::Text),
    list("mirrors", &Shape::Text),
    field(
        "auth",
        Shape::Table(&[
            field("token", Shape::Secret),
            field("username", Shape::Text),
            field("password", Shape::Secret),
        ]),
    ),
];

const COMPATIBILITY: Shape = Shape::Table(&[
    field("profile", Shape::OneOf(compat::PROFILES, codes::CONFIG_COMPAT_PROFILE)),
    field("trailing_comma", Shape::OneOf(compat::TRAILING_COMMAS, codes::CONFIG_COMPAT_UNSUPPORTED)),
    field("unquoted_key", Shape::OneOf(compat::UNQUOTED_KEYS, codes::CONFIG_COMPAT_UNSUPPORTED)),
    field("duplicate_key", Shape::OneOf(compat::DUPLICATE_KEYS, codes::CONFIG_COMPAT_UNSUPPORTED)),
    field("number", Shape::OneOf(compat::NUMBERS, codes::CONFIG_COMPAT_UNSUPPORTED)),
    field("trivia", Shape::OneOf(compat::TRIVIA, codes::CONFIG_COMPAT_UNSUPPORTED)),
    field("feature_guard", Shape::Set),
]);

const CONFIG: &[Field] = &[Field {
    key: "compatibility",
    shape: Shape::Table(&[field("json", COMPATIBILITY), field("toml", COMPATIBILITY)]),
    default: Default::Table,
}];

const RUN: &[Field] =
    &[Field { key: "target", shape: Shape::Other, default: Default::Table }, field("effect_stage", Shape::Text)];

const BRIDGE: Shape = Shape::Table(&[
    field("stage", STAGE),
    field("required_capabilities", Shape::List(&Shape::Text)),
    field("required_effects", Shape::Set),
    field("target_profiles", Shape::Set),
    field(
        "audit",
        Shape::Table(&[
            field("audit_domain", Shape::Text),
            field("mandatory_events", Shape::Set),
            field("requires_audit_effect", Shape::Flag),
            field("rollout_checklist", Shape::List(&Shape::Text)),
            field("completed", Shape::Set),
            field("stage_required", Shape::Text),
        ]),
    ),
    field(
        "reload",
        Shape::Table(&[
            field("diff_format", Shape::Text),
            field("state_format", Shape::Text),
            field("requires_audit_id", Shape::Flag),
            field("rollback", Shape::OneOf(&["required", "optional", "unsupported"], codes::PACKAGE_INVALID_MANIFEST)),
            field("reload_event", Shape::Text),
            field("rollback_event", Shape::Text),
            field("diff_diagnostic", Shape::Text),
        ]),
    ),
]);

/// The sections, in the order in which they are told. The last ones are only told where they are.
pub const SECTIONS: &[Field] = &[
    table("project", PROJECT),
    named("dependencies", &DEPENDENCY),
    named("dsl", &DSL),
    table("build", BUILD),
    table("registry", REGISTRY),
    table("config", CONFIG),
    table("run", RUN),
    // `[project]`, as most people call it first.
    field("package", Shape::Table(PROJECT)),
    field("bridge", Shape::Named(&BRIDGE)),
    field("capabilities", Shape::Other),
    field("permissions", Shape::Other),
    field("ffi", Shape::Other),
    field("dev", Shape::Other),
];
