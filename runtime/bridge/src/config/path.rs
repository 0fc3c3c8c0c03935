//! How is a place in a configuration written? `server.ports[1]`, with keys that could be read as more than one part in quotes, and `$` for the whole.

use std::fmt;

/// A place, from the whole inwards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct KeyPath(pub Vec<Part>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    Key(String),
    Index(usize),
}

/// No document is nested more deeply, so no path is longer.
const MAX_PARTS: usize = 127;

impl KeyPath {
    /// Reads a path; `None` if the text is none.
    ///
    /// ```
    /// use reml_bridge::config::path::KeyPath;
    /// let path = KeyPath::parse(r#"server."a.b"[1]"#).unwrap();
    /// assert_eq!((path.0.len(), path.to_string().as_str()), (3, r#"server."a.b"[1]"#));
    /// assert_eq!(KeyPath::parse("a..b"), None);
    /// ```
    pub fn parse(text: &str) -> Option<KeyPath> {
        if text == "$" {
            return Some(KeyPath::default());
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        loop {
            if let Some(inner) = rest.strip_prefix('[') {
                let (digits, after) = inner.split_once(']')?;
                // Only as it is written: `[01]` would be another text for the same place.
                let index: usize = digits.parse().ok()?;
                if index.to_string() != digits {
                    return None;
                }
                parts.push(Part::Index(index));
                rest = after;
            } else {
                // Keys have a dot before them, but for the first part.
                let inner = if parts.is_empty() { rest } else { rest.strip_prefix('.')? };
                let (key, after) = key(inner)?;
                parts.push(Part::Key(key));
                rest = after;
            }
            if parts.len() > MAX_PARTS {
                return None;
            }
            if rest.is_empty() {
                return Some(KeyPath(parts));
            }
        }
    }

    /// The same place as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let part = |part: &Part| match part {
            Part::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Part::Index(index) => format!("/{index}"),
        };
        self.0.iter().map(part).collect()
    }

    /// The same place one part further in.
    pub fn with(&self, part: Part) -> KeyPath {
        let mut parts = Vec::with_capacity(self.0.len() + 1);
        parts.extend_from_slice(&self.0);
        parts.push(part);
        KeyPath(parts)
    }
}

/// A key, and what stands behind it.
fn key(text: &str) -> Option<(String, &str)> {
    if !text.starts_with('"') {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (key, rest) = text.split_at(end);
        return (!key.is_empty() && plain(key)).then(|| (key.to_owned(), rest));
    }
    let mut escaped = false;
    let end = text.char_indices().skip(1).find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at + 1)
    })?;
    let key = serde_json::from_str(&text[..end]).ok()?;
    Some((key, &text[end..]))
}

/// Can a key be read as nothing but a key?
fn plain(key: &str) -> bool {
    !key.is_empty() && key != "$" && !key.contains(['.', '[', ']', '"', '\n'])
}

/// A key as it stands in a path.
pub fn quoted(key: &str) -> String {
    if plain(key) { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("$");
        }
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Key(key) if index == 0 => f.write_str(&quoted(key))?,
                Part::Key(key) => write!(f, ".{}", quoted(key))?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_path_is_none() {
        for text in
            ["", ".", "a.", ".a", "a[", "a[x]", "a[01]", "a[1]b", "a[-1]", "\"a", "a\"b", "\"\\q\"", "a.$x[", "x]"]
        {
            assert_eq!(KeyPath::parse(text), None, "{text}");
        }
        assert_eq!(KeyPath::parse("[0].a").unwrap().0.len(), 2);
        assert_eq!(KeyPath::parse("a.$"), None);
        assert_eq!(KeyPath::parse("a.\"$\"").unwrap().to_string(), "a.\"$\"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in prop::collection::vec(
            prop_oneof![any::<String>().prop_map(Part::Key), ".{0,3}".prop_map(Part::Key), (0usize..20).prop_map(Part::Index)], 0..5)) {
            let path = KeyPath(parts);
            prop_assert_eq!(KeyPath::parse(&path.to_string()), Some(path));
        }

        #[test]
        fn no_text_is_read_as_two_places(text in "[a$.\"\\[\\]0-9\\\\]{0,8}") {
            if let Some(path) = KeyPath::parse(&text) {
                prop_assert_eq!(KeyPath::parse(&path.to_string()), Some(path));
            }
        }
    }
}
