//! Does a configuration look as its schema says? A schema is one of two things, told apart by its keys: JSON Schema, or a description
//! of fields in the form of `Core.Data.Schema`, which has `fields`. The latter is translated, so that one engine decides.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use reml_diagnostics::{Diagnostic, Span, codes, suggest};
use semver::Version;
use serde_json::{Map, Value, json};

use super::SHOWN;
use super::place::{Place, Places, escaped};
use super::tree::{Data, Entry, Node};

/// A schema that is fit for use.
pub struct Schema {
    validator: Validator,
    /// What the validator was made of, in JSON Schema.
    standard: Value,
    /// Only descriptions of fields have one.
    pub version: Option<(Version, Span)>,
}

/// Something that a schema does not allow.
pub struct Violation {
    /// Where, as a JSON pointer.
    pub pointer: String,
    at: At,
    pub message: String,
    pub help: Option<String>,
}

/// What of the place is wrong.
enum At {
    Key,
    Value,
    /// Something is missing in it.
    Start,
}

impl Violation {
    fn new(pointer: &str, at: At, message: String) -> Violation {
        Violation { pointer: pointer.to_owned(), at, message, help: None }
    }
}

impl Schema {
    /// `describes` says which of the fields of a description are about the file at hand. What is wrong with the schema goes to `diagnostics`.
    pub fn new(root: &Node, describes: impl Fn(&str) -> bool, diagnostics: &mut Vec<Diagnostic>) -> Option<Schema> {
        let before = diagnostics.len();
        let (standard, version) = match root.get("fields") {
            Some(fields) if root.get("$schema").is_none() => {
                let mut translator = Translator { diagnostics };
                let version = root.get("version").and_then(|node| translator.version(node));
                let standard = translator.fields(fields, describes);
                (standard, version)
            }
            _ => (root.to_json(), None),
        };
        if diagnostics.len() > before {
            return None;
        }
        match jsonschema::options().should_validate_formats(true).build(&standard) {
            Ok(validator) => Some(Schema { validator, standard, version }),
            Err(error) => {
                let at = Places::of(root).get(error.instance_path().as_str()).map_or(root.span, |place| place.value);
                let problem = match error.kind() {
                    ValidationErrorKind::Referencing(problem) => problem.to_string(),
                    _ => error.masked_with("this").to_string(),
                };
                diagnostics.push(invalid(at, format!("this is no schema: {problem}")));
                None
            }
        }
    }

    /// The schema in JSON Schema.
    pub fn standard(&self) -> &Value {
        &self.standard
    }

    /// Everything in `root` that is not as it should be.
    pub fn check(&self, root: &Node, diagnostics: &mut Vec<Diagnostic>) {
        let value = root.to_json();
        let mut places = None;
        for Violation { pointer, at, message, help } in self.violations(&value) {
            let places = places.get_or_insert_with(|| Places::of(root));
            let place = places.get(&pointer).unwrap_or(Place { key: root.span, value: root.span });
            let span = match at {
                At::Key => place.key,
                At::Value => place.value,
                At::Start => Span::new(place.value.start, place.value.start),
            };
            let diagnostic = Diagnostic::error(codes::CONFIG_SCHEMA_MISMATCH, span, message);
            diagnostics.push(match help {
                Some(help) => diagnostic.with_help(help),
                None => diagnostic,
            });
        }
    }

    /// The same for a value that is in no file.
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut errors = self.validator.iter_errors(value);
        for error in errors.by_ref().take(SHOWN) {
            self.violation(&error, &mut found);
        }
        let more = errors.count();
        if more > 0 {
            found.push(Violation::new("", At::Value, format!("{more} more values do not fit the schema")));
        }
        found
    }

    fn violation(&self, error: &ValidationError<'_>, found: &mut Vec<Violation>) {
        let pointer = error.instance_path().as_str();
        let what = name(pointer);
        let mut tell = |at: At, message: String| found.push(Violation::new(pointer, at, message));
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.properties(error);
                for key in unexpected.iter().take(SHOWN) {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    let violation = Violation::new(&pointer, At::Key, format!("{what} has no key `{key}`"));
                    let near = suggest::closest(key, known.iter().copied());
                    found.push(Violation { help: near.map(|near| format!("did you mean `{near}`?")), ..violation });
                }
                if unexpected.len() > SHOWN {
                    let more = unexpected.len() - SHOWN;
                    let message = format!("{what} has {more} more keys that it should not have");
                    found.push(Violation::new(pointer, At::Key, message));
                }
            }
            ValidationErrorKind::FalseSchema => tell(At::Key, format!("the schema allows nothing in {what}")),
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                // A whole section would be a wall of underlines.
                let at = if pointer.is_empty() { At::Start } else { At::Key };
                tell(at, format!("{what} has no `{key}`, which the schema requires"));
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => one.to_string(),
                    TypeKind::Multiple(several) => {
                        several.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
                    }
                };
                tell(At::Value, format!("{what} must be of type {wanted}"));
            }
            ValidationErrorKind::Enum { options } => {
                let shown: Vec<String> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
                let message = format!("{what} must be one of {}", shown.join(", "));
                let texts = options.as_array().into_iter().flatten().filter_map(Value::as_str);
                let near = error.instance().as_str().and_then(|text| suggest::closest(text, texts));
                let help = near.map(|near| format!("did you mean \"{near}\"?"));
                found.push(Violation { help, ..Violation::new(pointer, At::Value, message) });
            }
            _ => tell(At::Value, error.masked_with(&what).to_string()),
        }
    }

    /// The keys that the schema knows where it has found others.
    fn properties(&self, error: &ValidationError<'_>) -> Vec<&str> {
        let path = error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let properties = self.standard.pointer(parent).and_then(|schema| schema.get("properties"));
        properties.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }
}

/// `/a/b/0` as people write it, in backquotes.
fn name(pointer: &str) -> String {
    if pointer.is_empty() {
        return "the configuration".to_owned();
    }
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{part}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&part);
        }
    }
    format!("`{text}`")
}

fn invalid(at: Span, message: String) -> Diagnostic {
    Diagnostic::error(codes::CONFIG_SCHEMA_INVALID, at, message)
}

/// The types of a description, which are named as `Core.Data.Schema` names them in files.
const TYPES: &[&str] = &[
    "boolean",
    "integer",
    "number",
    "string",
    "bytes",
    "timestamp",
    "date",
    "list",
    "map",
    "enum",
    "object",
    "reference",
    "any",
];

const RULES: &[&str] = &["range", "length", "pattern", "unique"];

/// Makes JSON Schema of a description of fields.
struct Translator<'a> {
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Translator<'_> {
    /// `{ "major": 1, "minor": 2, "patch": 0 }`, or the same as a text.
    fn version(&mut self, node: &Node) -> Option<(Version, Span)> {
        let part = |key| match node.get(key).map(|part| &part.data) {
            Some(Data::Number(digits)) => digits.parse::<u64>().ok(),
            None => Some(0),
            _ => None,
        };
        let version = match &node.data {
            Data::Null => return None,
            Data::Text(text) => Version::parse(text).ok(),
            Data::Map(_) => match (part("major"), part("minor"), part("patch")) {
                (Some(major), Some(minor), Some(patch)) => Some(Version::new(major, minor, patch)),
                _ => None,
            },
            _ => None,
        };
        if version.is_none() {
            let message = "the version of a schema consists of the whole numbers `major`, `minor` and `patch`";
            self.diagnostics.push(invalid(node.span, message.to_owned()));
        }
        version.map(|version| (version, node.span))
    }

    /// Keys that are not described are allowed: a description says what a program reads, and others may read the rest.
    fn fields(&mut self, fields: &Node, describes: impl Fn(&str) -> bool) -> Value {
        if !matches!(fields.data, Data::Map(_)) {
            let message = format!("`fields` must be a table of fields, and this is {}", fields.kind());
            self.diagnostics.push(invalid(fields.span, message));
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for entry in fields.entries().iter().filter(|entry| describes(&entry.key)) {
            properties.insert(entry.key.to_string(), self.field(entry));
            if entry.value.get("required").and_then(Node::as_bool) == Some(true) {
                required.push(entry.key.to_string());
            }
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    fn field(&mut self, entry: &Entry) -> Value {
        let Some(data_type) = entry.value.get("data_type") else {
            self.diagnostics.push(invalid(entry.key_span, format!("the field `{}` has no `data_type`", entry.key)));
            return Value::Bool(true);
        };
        let mut all = vec![self.data_type(data_type)];
        for rule in entry.value.get("rules").map_or(&[][..], Node::items) {
            all.push(self.rule(rule));
        }
        if all.len() == 1 { all.remove(0) } else { json!({ "allOf": all }) }
    }

    fn data_type(&mut self, node: &Node) -> Value {
        let Some((name, at, details)) = tagged(node) else {
            let message =
                format!("a type is a name, or a table with its name under `kind`, and this is {}", node.kind());
            self.diagnostics.push(invalid(node.span, message));
            return Value::Bool(true);
        };
        match &*name.to_lowercase() {
            "boolean" => json!({ "type": "boolean" }),
            "integer" => json!({ "type": "integer" }),
            "number" => json!({ "type": "number" }),
            "string" => json!({ "type": "string" }),
            "bytes" => json!({ "type": "string", "contentEncoding": "base64" }),
            "timestamp" => json!({ "type": "string", "format": "date-time" }),
            "date" => json!({ "type": "string", "format": "date" }),
            "list" => json!({ "type": "array", "items": self.part(details, "items") }),
            "map" => json!({ "type": "object", "additionalProperties": self.part(details, "value") }),
            "enum" => {
                let values = details.and_then(|it| it.get("values")).map_or(&[][..], Node::items);
                json!({ "enum": values.iter().map(Node::to_json).collect::<Vec<_>>() })
            }
            "object" => match details.and_then(|it| it.get("fields")) {
                Some(fields) => self.fields(fields, |_| true),
                None => json!({ "type": "object" }),
            },
            // What it refers to is another schema, which a file cannot name.
            "reference" | "any" => Value::Bool(true),
            _ => {
                self.unknown(at, "a type", name, TYPES);
                Value::Bool(true)
            }
        }
    }

    fn part(&mut self, details: Option<&Node>, key: &str) -> Value {
        match details.and_then(|details| details.get(key)) {
            Some(node) => self.data_type(node),
            None => Value::Bool(true),
        }
    }

    fn rule(&mut self, node: &Node) -> Value {
        let Some((name, at, details)) = tagged(node) else {
            let message =
                format!("a rule is a name, or a table with its name under `kind`, and this is {}", node.kind());
            self.diagnostics.push(invalid(node.span, message));
            return Value::Bool(true);
        };
        let detail = |key: &str| details.and_then(|details| details.get(key)).map(Node::to_json);
        let mut keywords = Map::new();
        let mut set = |keyword: &str, value: Option<Value>| {
            value.into_iter().for_each(|value| drop(keywords.insert(keyword.to_owned(), value)));
        };
        match &*name.to_lowercase() {
            "range" => {
                set("minimum", detail("min"));
                set("maximum", detail("max"));
            }
            "length" => {
                for (text, list, key) in [("minLength", "minItems", "min"), ("maxLength", "maxItems", "max")] {
                    set(text, detail(key));
                    set(list, detail(key));
                }
            }
            "pattern" => set("pattern", detail("pattern")),
            "unique" => set("uniqueItems", Some(Value::Bool(true))),
            _ => self.unknown(at, "a rule", name, RULES),
        }
        Value::Object(keywords)
    }

    fn unknown(&mut self, at: Span, what: &str, name: &str, known: &[&str]) {
        let diagnostic = invalid(at, format!("`{name}` is not {what}"));
        self.diagnostics.push(match suggest::closest(&name.to_lowercase(), known.iter().copied()) {
            Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
            None => diagnostic.with_help(format!("there are `{}`", known.join("`, `"))),
        });
    }
}

/// A name with details: `"List"`, `{ "kind": "List", "items": .. }` or `{ "List": { "items": .. } }`, which is how variants with fields are
/// written to JSON.
fn tagged(node: &Node) -> Option<(&str, Span, Option<&Node>)> {
    match &node.data {
        Data::Text(name) => Some((name, node.span, None)),
        Data::Map(entries) => match node.get("kind") {
            Some(kind) => Some((kind.as_text()?, kind.span, Some(node))),
            None => match &entries[..] {
                [only] => Some((&only.key, only.key_span, Some(&only.value))),
                _ => None,
            },
        },
        _ => None,
    }
}
