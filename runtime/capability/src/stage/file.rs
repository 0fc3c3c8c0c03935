//! What does the file say that the environment names with `REML_RUNTIME_CAPABILITIES`?
//!
//! ```json
//! {"stage": "stable", "capabilities": ["core.io"],
//!  "overrides": {"x86_64-pc-windows-msvc": {"stage": "beta", "capabilities": ["ffi.bridge"]}}}
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::{Stage, StageInput, StageSource};
use crate::id::CapabilityId;

/// Which capabilities a runtime has, and the stage it admits; a target can say otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapabilityFile {
    pub general: CapabilitySet,
    /// By target triple.
    pub overrides: BTreeMap<String, CapabilitySet>,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CapabilitySet {
    pub stage: Option<Stage>,
    pub capabilities: Vec<CapabilityId>,
}

/// What is wrong, and at which key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapabilityFileError {
    /// `overrides.x86_64-pc-windows-msvc.stage`; empty for the file as a whole.
    pub key: String,
    pub why: String,
}

impl CapabilityFile {
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<CapabilityFile, CapabilityFileError> {
        let fail = |why: String| CapabilityFileError { key: String::new(), why };
        let root: Value = serde_json::from_str(text).map_err(|error| fail(format!("it is not JSON: {error}")))?;
        let root = root.as_object().ok_or_else(|| fail("it is not a JSON object".to_owned()))?;
        let mut overrides = BTreeMap::new();
        if let Some(value) = root.get("overrides") {
            let targets = object(value, "overrides")?;
            for (triple, value) in targets {
                let key = format!("overrides.{triple}");
                overrides.insert(triple.clone(), set(object(value, &key)?, &format!("{key}."))?);
            }
        }
        Ok(CapabilityFile { general: set(root, "")?, overrides })
    }

    /// What is said for a target: its own stage, or the general one; and all capabilities.
    pub fn for_target(&self, triple: &str) -> CapabilitySet {
        let mut set = self.general.clone();
        if let Some(special) = self.overrides.get(triple) {
            set.stage = special.stage.or(set.stage);
            set.capabilities.extend(special.capabilities.iter().cloned());
        }
        set
    }

    /// As one voice among those that decide what a run admits.
    pub fn input(&self, file: &str, triple: &str) -> StageInput {
        StageInput {
            file: Some(file.to_owned()),
            target: self.overrides.contains_key(triple).then(|| triple.to_owned()),
            ..StageInput::new(StageSource::CapabilityJson, self.for_target(triple).stage)
        }
    }
}

fn object<'v>(value: &'v Value, key: &str) -> Result<&'v Map<String, Value>, CapabilityFileError> {
    value.as_object().ok_or_else(|| CapabilityFileError { key: key.to_owned(), why: "it is not an object".to_owned() })
}

fn set(object: &Map<String, Value>, prefix: &str) -> Result<CapabilitySet, CapabilityFileError> {
    let fail = |key: &str, why: String| CapabilityFileError { key: format!("{prefix}{key}"), why };
    let stage = match object.get("stage") {
        None => None,
        Some(value) => Some(value.as_str().and_then(Stage::parse).ok_or_else(|| {
            fail("stage", format!("{value} is not a stage; there are `experimental`, `beta` and `stable`"))
        })?),
    };
    let mut capabilities = Vec::new();
    if let Some(value) = object.get("capabilities") {
        let list = value.as_array().ok_or_else(|| fail("capabilities", "it is not a list".to_owned()))?;
        for item in list {
            let text = item.as_str().ok_or_else(|| fail("capabilities", format!("{item} is not a text")))?;
            capabilities.push(CapabilityId::new(text).map_err(|error| fail("capabilities", error.to_string()))?);
        }
    }
    Ok(CapabilitySet { stage, capabilities })
}

impl fmt::Display for CapabilityFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.key {
            "" => f.write_str(&self.why),
            key => write!(f, "`{key}`: {}", self.why),
        }
    }
}

impl std::error::Error for CapabilityFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_add_to_what_is_general() {
        let text = r#"{"stage":"stable","capabilities":["io"],
            "overrides":{"a-b-c":{"stage":"beta","capabilities":["ffi.bridge"]},"x":{}}}"#;
        let file = CapabilityFile::parse(text).unwrap();
        let shown = |triple| {
            let set = file.for_target(triple);
            (set.stage, set.capabilities.iter().map(CapabilityId::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(shown("a-b-c"), (Some(Stage::Beta), "core.io ffi.bridge".to_owned()));
        assert_eq!(shown("x"), (Some(Stage::Stable), "core.io".to_owned()));
        let input = file.input("c.json", "a-b-c");
        assert_eq!((input.stage, input.target.as_deref()), (Some(Stage::Beta), Some("a-b-c")));
        assert_eq!(file.input("c.json", "other").target, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| CapabilityFile::parse(text).unwrap_err().to_string();
        assert!(wrong("{").starts_with("it is not JSON: "));
        assert_eq!(wrong("[]"), "it is not a JSON object");
        assert_eq!(
            wrong(r#"{"stage":"alpha"}"#),
            "`stage`: \"alpha\" is not a stage; there are `experimental`, `beta` and `stable`"
        );
        assert_eq!(wrong(r#"{"overrides":{"t":{"capabilities":1}}}"#), "`overrides.t.capabilities`: it is not a list");
        assert_eq!(wrong(r#"{"overrides":{"t":[]}}"#), "`overrides.t`: it is not an object");
        assert_eq!(wrong(r#"{"capabilities":[1]}"#), "`capabilities`: 1 is not a text");
    }
}
