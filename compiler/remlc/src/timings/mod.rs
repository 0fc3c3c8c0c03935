//! What does `--timings` show? Times and counts of each stage: a table on standard error, or a page for browsers in a file.

mod page;

use std::time::Duration;

use reml_driver::profile::{Count, Profile};

pub use page::page;

/// The table: a line for each stage, then the sum.
pub fn table(profile: &Profile) -> String {
    let mut text = format!("{:<18}{:>13}{:>13}   made\n", "stage", "wall", "cpu");
    for stage in &profile.stages {
        text.push_str(&row(stage.name, stage.wall, stage.cpu, &counts(&stage.counts)));
    }
    let peak = format!("{} MiB of memory at the peak", separated((profile.peak_memory >> 20) as usize));
    text.push_str(&row("total", profile.wall(), profile.cpu(), &peak));
    text
}

fn row(name: &str, wall: Duration, cpu: Duration, made: &str) -> String {
    let line = format!("{name:<18}{:>13}{:>13}   {made}", milliseconds(wall), milliseconds(cpu));
    format!("{}\n", line.trim_end())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

fn counts(counts: &[Count]) -> String {
    let one = |count: &Count| {
        let what = match count.value {
            1 => count.what.strip_suffix('s').unwrap_or(count.what),
            _ => count.what,
        };
        format!("{} {what}", separated(count.value))
    };
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `12,345`.
fn separated(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use reml_driver::profile::{FileSize, StageProfile};

    use super::*;

    fn profile() -> Profile {
        let stage = |name, wall, cpu, counts: &[(usize, &'static str)]| StageProfile {
            name,
            wall: Duration::from_micros(wall),
            cpu: Duration::from_micros(cpu),
            counts: counts.iter().map(|&(value, what)| Count { value, what }).collect(),
        };
        Profile {
            stages: vec![
                stage("load and parse", 1_500, 1_400, &[(1, "modules"), (12_345, "lines")]),
                stage("check", 500, 900, &[]),
            ],
            files: vec![FileSize { name: "a<b>&\"c\".reml".into(), library: false, lines: 12_345, bytes: 999 }],
            largest: vec![("main.f<Int>".into(), 4_096)],
            peak_memory: 64 << 20,
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_stage_and_the_sum() {
        let expected = "\
stage                      wall          cpu   made
load and parse         1.500 ms     1.400 ms   1 module, 12,345 lines
check                  0.500 ms     0.900 ms
total                  2.000 ms     2.300 ms   64 MiB of memory at the peak
";
        assert_eq!(table(&profile()), expected);
    }

    #[test]
    fn the_page_needs_nothing_else_and_quotes_names() {
        let page = page("remlc check a<b>.reml", "2025-07-01T00:00:00Z", &profile());
        assert!(page.starts_with("<!doctype html>\n") && page.ends_with("</html>\n"));
        assert!(page.contains("a&lt;b&gt;&amp;&quot;c&quot;.reml") && page.contains("main.f&lt;Int&gt;"), "{page}");
        assert!(page.contains("width:75.00%"), "the share of the first stage: {page}");
        for outside in ["http:", "https:", "src=", "<link", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(separated), ["0", "999", "1,000", "1,234,567"]);
    }
}
