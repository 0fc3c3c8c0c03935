//! The options that choose events: `--kind`, `--capability`, `--where`, `--since`, `--until`, `--text`.

use reml_audit::query::Filter;
use reml_audit::{Pattern, Timestamp};

/// Which events are meant; all options must hold.
#[derive(clap::Args)]
#[command(next_help_heading = "Which events")]
pub struct Which {
    /// Only events of this kind; `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    kind: Option<String>,

    /// Only events about this capability; `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    capability: Option<String>,

    /// Only events with this in their metadata, as `gate.decision=denied`; `*` stands for anything; may be given more than once
    #[arg(long = "where", value_name = "KEY=PATTERN", value_parser = pair)]
    pairs: Vec<(String, String)>,

    /// Only events from this time on, as `2025-07-01` or `2025-07-01T10:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,

    /// Only events in whose line this text stands
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Which {
    pub fn filter(&self) -> Filter {
        Filter {
            kind: self.kind.as_deref().map(Pattern::new),
            capability: self.capability.as_deref().map(Pattern::new),
            pairs: self.pairs.iter().map(|(key, pattern)| (key.clone(), Pattern::new(pattern))).collect(),
            since: self.since,
            until: self.until,
            text: self.text.clone(),
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, pattern)) if !key.is_empty() => Ok((key.to_owned(), pattern.to_owned())),
        _ => Err("write it as `gate.decision=denied`".to_owned()),
    }
}

/// A day is its first moment in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let day = || format!("{text}T00:00:00Z").parse();
    text.parse().or_else(|_| day()).map_err(|_| {
        "write a day, as `2025-07-01`, or a moment with its zone, as `2025-07-01T10:30:00Z` or `2025-07-01T12:30:00+02:00`"
            .to_owned()
    })
}
