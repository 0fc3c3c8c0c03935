//! How is the stage of a capability changed in `reml.toml`, and does the package bear it?
//!
//! The manifest is edited as the text that it is: comments, order and spaces stay. A DSL that lists the capability expects the same stage afterwards, or
//! that of whatever it needs that is less settled.

use std::collections::BTreeMap;
use std::path::Path;

use reml_capability::CapabilityId;
use reml_capability::stage::Stage;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::overlay::Overlay;
use crate::package::MANIFEST;
use crate::pipeline::{Compilation, Options};
use crate::system::System;

const SECTION: &str = "capabilities";
const EXPECTED: &str = "expect_effects_stage";

/// A manifest in which a stage was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edited {
    pub text: String,
    /// What the manifest said before.
    pub from: Option<Stage>,
    /// The sections `dsl.<name>` that expect another stage now.
    pub dsls: Vec<String>,
}

/// What `[capabilities]` of a manifest says, in its order.
///
/// # Errors
///
/// The text is no TOML, or something in the section is no stage.
pub fn declared(text: &str) -> Result<Vec<(String, Stage)>, String> {
    let document = parse(text)?;
    let Some(section) = document.get(SECTION) else { return Ok(Vec::new()) };
    let table = section.as_table_like().ok_or_else(|| format!("`{SECTION}` is not a section"))?;
    table.iter().map(|(id, item)| Ok((id.to_owned(), stage(id, item)?))).collect()
}

/// The name and the version of the package, as far as they are written.
pub fn package(text: &str) -> (String, Option<String>) {
    let document = parse(text).unwrap_or_default();
    let project = ["project", "package"].iter().find_map(|key| document.get(key)?.as_table_like());
    let get = |key: &str| Some(project?.get(key)?.as_str()?.to_owned());
    (get("name").unwrap_or_default(), get("version"))
}

/// The manifest in which a capability has this stage, or is not mentioned.
///
/// # Errors
///
/// As [`declared`].
pub fn edit(text: &str, id: &CapabilityId, to: Option<Stage>) -> Result<Edited, String> {
    let before: BTreeMap<String, Stage> = declared(text)?.into_iter().collect();
    let mut document = parse(text)?;
    let key = before.keys().find(|key| is(key, id)).cloned();
    let from = key.as_ref().map(|key| before[key]);
    let key = key.unwrap_or_else(|| id.to_string());
    let section = document.entry(SECTION).or_insert_with(|| Item::Table(Table::new()));
    let table = section.as_table_like_mut().ok_or_else(|| format!("`{SECTION}` is not a section"))?;
    match to {
        Some(stage) => put(table, &key, stage),
        None => _ = table.remove(&key),
    }
    if table.is_empty() {
        document.remove(SECTION);
    }
    let mut after = before;
    match to {
        Some(stage) => _ = after.insert(key, stage),
        None => _ = after.remove(&key),
    }
    let (mut dsls, after) = (Vec::new(), canonical(&after));
    for (name, item) in
        document.get_mut("dsl").and_then(Item::as_table_like_mut).into_iter().flat_map(|it| it.iter_mut())
    {
        let Some(section) = item.as_table_like_mut() else { continue };
        let ids = listed(section);
        let written = section.get(EXPECTED).and_then(Item::as_str).and_then(Stage::parse);
        let (Some(written), Some(least)) = (written, least(ids.iter().map(String::as_str), &after)) else { continue };
        if ids.iter().any(|other| is(other, id)) && written != least {
            put(section, EXPECTED, least);
            dsls.push(name.get().to_owned());
        }
    }
    Ok(Edited { text: document.to_string(), from, dsls })
}

/// The stage of the least settled of these capabilities, as far as it is known.
pub fn least<'i>(ids: impl Iterator<Item = &'i str>, known: &BTreeMap<CapabilityId, Stage>) -> Option<Stage> {
    ids.filter_map(|id| known.get(&CapabilityId::new(id).ok()?).copied()).min()
}

/// Stages as they are written, by the ids that the capabilities have in the registry. Of two that mean the same, the first counts.
pub fn canonical(written: &BTreeMap<String, Stage>) -> BTreeMap<CapabilityId, Stage> {
    let entry = |(key, stage): (&String, &Stage)| Some((CapabilityId::new(key).ok()?, *stage));
    written.iter().rev().filter_map(entry).collect()
}

/// Checks the package in `folder` as if this were its manifest.
pub fn check_with(system: &dyn System, folder: &Path, manifest: String, show: impl FnOnce(&Compilation<'_>)) {
    let system = Overlay::new(system, &folder.join(MANIFEST), manifest);
    let mut compilation = Compilation::new(&system, Options::default());
    compilation.check(folder);
    show(&compilation);
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line} is not valid TOML: {}", error.message())
    })
}

fn stage(id: &str, item: &Item) -> Result<Stage, String> {
    item.as_str()
        .and_then(Stage::parse)
        .ok_or_else(|| format!("the stage of `{id}` is not `experimental`, `beta` or `stable`"))
}

/// Short names lead to the same capability as canonical ones.
fn is(text: &str, id: &CapabilityId) -> bool {
    CapabilityId::new(text).is_ok_and(|other| other == *id)
}

/// `capabilities` of a DSL: ids, or tables with an `id`.
fn listed(section: &dyn TableLike) -> Vec<String> {
    let list = section.get(SECTION).and_then(Item::as_array);
    let id = |value: &Value| {
        let of_table = || value.as_inline_table()?.get("id")?.as_str();
        value.as_str().or_else(of_table).map(str::to_owned)
    };
    list.into_iter().flat_map(|list| list.iter()).filter_map(id).collect()
}

/// Keeps what stands around a value.
fn put(table: &mut dyn TableLike, key: &str, stage: Stage) {
    let mut value = Value::from(stage.name());
    match table.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => _ = table.insert(key, Item::Value(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reml_capability::stage::Stage::{Beta, Experimental, Stable};

    const MANIFEST: &str = "# Our package\n[project]\nname = 'app'   # short\nversion = \"0.1.0\"\n\n[capabilities] # settled?\n\
        console  =  \"experimental\"  # soon\n\"io.async\" = 'stable'\n\n[dsl.query]\nexpect_effects_stage = \"experimental\" # with console\n\
        capabilities = [\"console\", { id = \"io.async\" }]\n[dsl.other]\nexpect_effects_stage = \"experimental\"\n";

    fn id(text: &str) -> CapabilityId {
        CapabilityId::new(text).unwrap()
    }

    #[test]
    fn only_the_stages_change() {
        let edited = edit(MANIFEST, &id("console"), Some(Beta)).unwrap();
        assert_eq!((edited.from, edited.dsls.as_slice()), (Some(Experimental), &["query".to_owned()][..]));
        let expected = MANIFEST
            .replace("\"experimental\"  # soon", "\"beta\"  # soon")
            .replace("\"experimental\" # with", "\"beta\" # with");
        assert_eq!(edited.text, expected);
        // A DSL is as settled as the least settled of what it needs.
        let lower = edit(&edit(&edited.text, &id("console"), Some(Stable)).unwrap().text, &id("io.async"), Some(Beta));
        assert_eq!(lower.unwrap().dsls, ["query"]);
    }

    #[test]
    fn sections_come_and_go() {
        let bare = "[project]\nname = \"app\"\n";
        let enabled = edit(bare, &id("net.tcp.connect"), Some(Experimental)).unwrap();
        assert_eq!(enabled.text, format!("{bare}\n[capabilities]\n\"net.tcp.connect\" = \"experimental\"\n"));
        assert_eq!(edit(&enabled.text, &id("net.tcp.connect"), None).unwrap().text, bare);
        let short = edit("[capabilities]\nprocess = \"beta\"\n", &id("core.process"), Some(Stable)).unwrap();
        assert_eq!(short.text, "[capabilities]\nprocess = \"stable\"\n");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(declared("a = 1\nb = \n").unwrap_err().starts_with("line 2 is not valid TOML: "));
        assert_eq!(declared("capabilities = 1").unwrap_err(), "`capabilities` is not a section");
        let wrong = declared("[capabilities]\nio.async = \"beta\"").unwrap_err();
        assert_eq!(wrong, "the stage of `io` is not `experimental`, `beta` or `stable`");
    }
}
