//! `[permissions]` of a manifest: what the program may do, in sets.

use std::collections::BTreeMap;
use std::path::Path;

use reml_capability::policy::manifest::{self as policy, Entry, Value};
use reml_capability::policy::{Effect, Grants, Pattern, Power, Rule, Section, Source};
use reml_diagnostics::{Diagnostic, Span, codes, suggest};
use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::{MANIFEST, Reader};

impl Reader<'_> {
    /// `[permissions]`, whose tables are sets with names, but for `deny`.
    pub(super) fn permissions(&mut self, section: &Spanned<DeValue<'_>>) -> BTreeMap<Option<String>, Vec<Entry>> {
        let mut sets = BTreeMap::new();
        let Some(table) = section.get_ref().as_table() else {
            self.wrong_type(section, "`permissions`", "a section");
            return sets;
        };
        let is_set = |(key, value): &(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            value.get_ref().as_table().is_some() && *key.get_ref() != policy::DENY
        };
        let own = table.iter().filter(|entry| !is_set(entry));
        sets.insert(None, self.grants(own, "permissions"));
        self.contradictions(None, &sets[&None]);
        for (key, value) in table.iter().filter(is_set) {
            match (policy::set_name(key.get_ref()), value.get_ref().as_table()) {
                (Ok(name), Some(table)) => {
                    let entries = self.grants(table.iter(), &format!("permissions.{name}"));
                    self.contradictions(Some(name), &entries);
                    sets.insert(Some(name.to_owned()), entries);
                }
                (Err(problem), _) => {
                    self.error(key.span(), problem);
                }
                (Ok(_), None) => {}
            }
        }
        sets
    }

    /// What a set of permissions, called `set`, allows and denies.
    fn grants<'t>(
        &mut self,
        table: impl Iterator<Item = (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)>,
        set: &str,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in table {
            if *key.get_ref() != policy::DENY {
                entries.extend(self.grant(Effect::Allow, key, value, set));
            } else if let Some(denied) = value.get_ref().as_table() {
                let set = format!("{set}.{}", policy::DENY);
                for (key, value) in denied {
                    entries.extend(self.grant(Effect::Deny, key, value, &set));
                }
            } else {
                self.wrong_type(value, &format!("`{set}.{}`", policy::DENY), "a table");
            }
        }
        entries
    }

    /// Nobody can know what a set means that allows and denies the same.
    fn contradictions(&mut self, set: Option<&str>, entries: &[Entry]) {
        let section = Section { file: MANIFEST.to_owned(), name: set.map(str::to_owned) };
        // Patterns that are none have been told already; and two that are equal are so wherever relative paths start.
        let rules = policy::rules(section, entries, Path::new("/")).unwrap_or_default();
        let Err(found) = Grants::new(rules) else { return };
        for contradiction in found {
            let span = |rule: &Rule| match &rule.source {
                Source::Manifest(_, line) => self.line_span(*line),
                _ => Span::NONE,
            };
            let (allow, deny) = (span(&contradiction.allow), span(&contradiction.deny));
            let message = format!(
                "`{}` of `{}` is both allowed and denied",
                contradiction.deny.pattern, contradiction.deny.power
            );
            self.diagnostics.push(
                Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, deny, message)
                    .with_primary_label("denied here")
                    .with_label(allow, "allowed here")
                    .with_help("remove one of them; a narrower path or name can be an exception to a wider one"),
            );
        }
    }

    /// A line without the blanks around it.
    fn line_span(&self, line: u32) -> Span {
        let range = self.file.line_range(line.saturating_sub(1) as usize);
        let whole = &self.file.text[range.clone()];
        let start = range.start + whole.len() - whole.trim_start().len();
        self.span(start..start + whole.trim().len())
    }

    /// One line of a set: what is wrong with it is said here.
    fn grant(
        &mut self,
        effect: Effect,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        set: &str,
    ) -> Option<Entry> {
        let name: &str = key.get_ref();
        let Some(power) = Power::from_key(name) else {
            let span = self.span(key.span());
            let known = || Power::all().map(Power::key).chain([policy::DENY]);
            let message = format!("`{set}` has no key `{name}`");
            let mut diagnostic = Diagnostic::error(codes::PACKAGE_INVALID_MANIFEST, span, message);
            diagnostic = match suggest::closest(name, known()) {
                Some(near) => diagnostic.with_fix(span, near, format!("did you mean `{near}`?")),
                None => diagnostic.with_help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
            };
            self.diagnostics.push(diagnostic);
            return None;
        };
        let what = format!("`{set}.{name}`");
        let granted = match value.get_ref() {
            DeValue::Boolean(all) => Value::Flag(*all),
            DeValue::Array(items) => {
                let mut patterns = Vec::new();
                for item in items.iter() {
                    let Some((text, range)) = self.text(item, &format!("an element of {what}")) else { continue };
                    match Pattern::check(power, &text) {
                        Ok(()) => patterns.push((text, self.line(range.start))),
                        Err(problem) => {
                            self.error(range, problem.to_string());
                        }
                    }
                }
                Value::Patterns(patterns)
            }
            _ => {
                self.wrong_type(value, &what, "a list of texts, or `true` for all");
                return None;
            }
        };
        Some(Entry { effect, key: name.to_owned(), value: granted, line: self.line(key.span().start) })
    }

    fn line(&self, offset: usize) -> u32 {
        self.file.line_index(offset.min(self.file.text.len()) as u32) as u32 + 1
    }
}
