//! How does a person look through a log?
//!
//! In one page that works without a network: what verification has found, how often each capability was used, when, and the events with filters. The
//! events are data in the page, which a small script shows as text; nothing of a log becomes markup or code, and the page forbids itself to load
//! anything.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::AuditError;
use crate::query::{Filter, query};
use crate::verify::{Verification, VerifyOptions, print, verify};

/// What is shown.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    pub title: String,
    pub filter: Filter,
    /// So many events are in the page, the last ones. Counts are of all.
    pub events: usize,
}

impl Default for ReportOptions {
    fn default() -> ReportOptions {
        ReportOptions { title: "Audit log".to_owned(), filter: Filter::default(), events: 20_000 }
    }
}

/// What is in the page.
#[derive(Debug, Clone)]
pub struct Report {
    pub title: String,
    pub verification: Verification,
    /// How often each capability was used, and how often that was denied or failed.
    pub capabilities: BTreeMap<String, (u64, u64)>,
    pub found: u64,
    events: Vec<Value>,
}

/// Reads a log for a report.
pub fn report(log: &Path, options: &ReportOptions) -> Result<Report, AuditError> {
    let verification = verify(log, &VerifyOptions::default())?;
    let mut capabilities: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut events = std::collections::VecDeque::new();
    let count = query(log, &options.filter, |entry, _| {
        let event = entry.event;
        if let Some(capability) = &event.capability {
            let (all, refused) = capabilities.entry(capability.clone()).or_default();
            *all += 1;
            let is = |key: &str, value: &str| event.metadata.get(key).and_then(Value::as_str) == Some(value);
            *refused += u64::from(is("gate.decision", "denied") || is("capability.result", "error"));
        }
        if events.len() == options.events {
            events.pop_front();
        }
        if options.events > 0 {
            events.push_back(json!({
                "seq": entry.link.map(|link| link.seq),
                "time": event.timestamp.map(|time| time.as_microsecond()),
                "kind": event.kind.name(),
                "capability": event.capability,
                "metadata": event.metadata,
                "changes": event.change_set,
            }));
        }
        ControlFlow::Continue(())
    })?;
    Ok(Report { title: options.title.clone(), verification, capabilities, found: count.found, events: events.into() })
}

impl Report {
    /// Writes the page.
    pub fn write_html(&self, out: &mut impl Write) -> io::Result<()> {
        let mut verdict = Vec::new();
        print(&self.verification, &mut verdict)?;
        let data = json!({ "events": self.events, "capabilities": self.capabilities, "found": self.found });
        let class = if self.verification.is_intact() { "good" } else { "bad" };
        let values = [
            ("title", escaped(&self.title)),
            ("class", class.to_owned()),
            ("verdict", escaped(&String::from_utf8_lossy(&verdict))),
            ("data", inert(&data.to_string())),
        ];
        // The page is cut where a value goes in, and values are not looked at again: one that looks like a place for another stays as it is.
        let mut rest = include_str!("page.html");
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").expect("each place in the page is closed");
            let (_, value) = values.iter().find(|(own, _)| *own == name).expect("each place in the page has a value");
            out.write_all(before.as_bytes())?;
            out.write_all(value.as_bytes())?;
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}

/// JSON that can neither end the element it stands in nor begin another. These characters only occur in its texts.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::kind::EventKind;
    use crate::log::{Log, LogOptions};
    use crate::sink::Sink;

    #[test]
    fn nothing_of_a_log_becomes_markup() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(&path, LogOptions::default()).unwrap();
        let evil = "</script><script>alert(1)</script><!--{{data}}";
        log.log(&Event::new(EventKind::named(evil)).capability(evil).with(evil, evil)).unwrap();
        log.close().unwrap();
        let options = ReportOptions { title: evil.to_owned(), ..ReportOptions::default() };
        let mut page = Vec::new();
        report(&path, &options).unwrap().write_html(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("<script>alert") && !page.contains("<!--"));
        assert_eq!(page.matches("<script").count(), 2);
        assert!(page.contains("<title>&lt;/script&gt;"));
        // What a browser would read as the data is the data.
        let (_, data) = page.split_once("type=\"application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["events"][0]["kind"], evil);
        assert_eq!(data["capabilities"][evil], json!([1, 0]));
    }

    #[test]
    fn counts_are_of_all_events_and_the_last_ones_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(&path, LogOptions::default()).unwrap();
        for number in 0..10 {
            let decision = if number % 2 == 0 { "denied" } else { "allowed" };
            log.log(&Event::new(EventKind::named("x")).capability("c").with("gate.decision", decision)).unwrap();
        }
        log.close().unwrap();
        let report = report(&path, &ReportOptions { events: 3, ..ReportOptions::default() }).unwrap();
        assert_eq!((report.found, report.capabilities["c"]), (10, (10, 5)));
        assert_eq!(report.events.iter().map(|event| event["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [8, 9, 10]);
    }
}
