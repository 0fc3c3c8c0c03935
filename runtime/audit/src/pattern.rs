//! How are kinds, capabilities and values named in filters?

/// A text in which `*` stands for any characters. Case does not matter.
///
/// ```
/// use reml_audit::Pattern;
/// assert!(Pattern::new("io.*").matches("IO.fs.read"));
/// assert!(!Pattern::new("io.*").matches("audio.x"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The parts between the stars, in lower case.
    parts: Vec<String>,
}

impl Pattern {
    pub fn new(text: &str) -> Pattern {
        Pattern { parts: text.to_lowercase().split('*').map(str::to_owned).collect() }
    }

    /// Is this the whole of `text`?
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_none_or(|only| *only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        // The first place for each part leaves the most for those that follow.
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let matches = |pattern, text| Pattern::new(pattern).matches(text);
        assert!(matches("*", "") && matches("*", "x") && matches("", ""));
        assert!(matches("a*b*c", "abc") && matches("a*b*c", "a-b-b-c") && matches("a**c", "abc"));
        assert!(!matches("a*b*c", "acb") && !matches("", "x") && !matches("ab*ba", "aba"));
        assert!(matches("É*", "élan"));
    }
}
