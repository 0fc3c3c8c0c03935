//! The page of `--timings=FILE`: one HTML file that needs no other, readable in light and dark.

use std::fmt::Write;

use reml_driver::profile::{FileSize, Profile};

use super::{counts, milliseconds, separated};

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --bar: #4a7fb5; --faint: #777; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p { margin: .2rem 0; color: var(--faint); }
.whole { display: flex; height: 1.6rem; margin: 1.2rem 0 .4rem; border-radius: 4px; overflow: hidden; }
.whole div { min-width: 1px; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; }
.key span::before { content: ''; display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .4rem; background: var(--of); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .22rem .6rem .22rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n + th:not(.n), td.n + td:not(.n) { padding-left: 1rem; } td.stage { white-space: nowrap; } td.name { overflow-wrap: anywhere; } td.bar { width: 22%; }
td.bar div { background: var(--bar); height: .7rem; border-radius: 2px; min-width: 1px; }
tfoot td { font-weight: 600; border-bottom: 0; } details { margin-top: .6rem; } summary { cursor: pointer; }";

/// One colour for each stage; there are seven.
const COLOURS: &[&str] = &["#4a7fb5", "#c9803a", "#5b9a58", "#b0524f", "#8a6db0", "#83695c", "#c77ba8"];

/// `title` is the command, `started` its time.
pub fn page(title: &str, started: &str, profile: &Profile) -> String {
    let title = escape(title);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{} of wall time, {} of CPU time, {} MiB of memory at the peak</p>\n\
         <p>remlc {} on {processors} processors, {started}</p>\n",
        milliseconds(profile.wall()),
        milliseconds(profile.cpu()),
        separated((profile.peak_memory >> 20) as usize),
        env!("CARGO_PKG_VERSION"),
    );
    whole(&mut text, profile);
    stages(&mut text, profile);
    if !profile.largest.is_empty() {
        largest(&mut text, profile);
    }
    let (library, own): (Vec<&FileSize>, Vec<&FileSize>) = profile.files.iter().partition(|file| file.library);
    text.push_str("<h2>Files</h2>\n");
    files(&mut text, own);
    if !library.is_empty() {
        let _ = writeln!(text, "<details><summary>{} modules of the library</summary>", separated(library.len()));
        files(&mut text, library);
        text.push_str("</details>\n");
    }
    text.push_str("</body>\n</html>\n");
    text
}

/// All stages in one bar, with what the colours mean.
fn whole(text: &mut String, profile: &Profile) {
    let all = profile.wall().as_secs_f64();
    let colours = || profile.stages.iter().zip(COLOURS.iter().cycle());
    text.push_str("<div class=\"whole\">");
    for (stage, colour) in colours() {
        let share = percent(stage.wall.as_secs_f64(), all);
        let _ = write!(text, "<div style=\"width:{share:.2}%;background:{colour}\" title=\"{}\"></div>", stage.name);
    }
    text.push_str("</div>\n<div class=\"key\">");
    for (stage, colour) in colours() {
        let share = percent(stage.wall.as_secs_f64(), all);
        let _ = write!(text, "<span style=\"--of:{colour}\">{} {share:.0} %</span>", stage.name);
    }
    text.push_str("</div>\n");
}

fn stages(text: &mut String, profile: &Profile) {
    text.push_str(
        "<h2>Stages</h2>\n<table>\n<thead><tr><th>stage</th><th class=\"n\">wall</th><th class=\"n\">cpu</th>\
         <th class=\"n\">cpu / wall</th><th>made</th></tr></thead>\n<tbody>\n",
    );
    let row = |name: &str, wall: f64, cpu: f64, made: &str| {
        let busy = if wall > 0.0 { format!("{:.2}", cpu / wall) } else { String::new() };
        let cells = [format!("{:.3} ms", wall * 1e3), format!("{:.3} ms", cpu * 1e3), busy];
        let cells: String = cells.iter().map(|cell| format!("<td class=\"n\">{cell}</td>")).collect();
        format!("<tr><td class=\"stage\">{name}</td>{cells}<td>{made}</td></tr>\n")
    };
    for stage in &profile.stages {
        let (wall, cpu) = (stage.wall.as_secs_f64(), stage.cpu.as_secs_f64());
        text.push_str(&row(stage.name, wall, cpu, &escape(&counts(&stage.counts))));
    }
    let total = row("total", profile.wall().as_secs_f64(), profile.cpu().as_secs_f64(), "");
    let _ = write!(text, "</tbody>\n<tfoot>{total}</tfoot>\n</table>\n");
}

fn largest(text: &mut String, profile: &Profile) {
    text.push_str(
        "<h2>Largest functions</h2>\n<table>\n<thead><tr><th>function</th><th class=\"n\">bytes of code</th><th></th></tr></thead>\n<tbody>\n",
    );
    let most = profile.largest.first().map_or(0, |(_, bytes)| *bytes);
    for (name, bytes) in &profile.largest {
        let _ = writeln!(
            text,
            "<tr><td class=\"name\">{}</td><td class=\"n\">{}</td><td class=\"bar\"><div style=\"width:{:.1}%\"></div></td></tr>",
            escape(name),
            separated(*bytes),
            percent(*bytes as f64, most as f64),
        );
    }
    text.push_str("</tbody>\n</table>\n");
}

/// The longest come first.
fn files(text: &mut String, mut files: Vec<&FileSize>) {
    files.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.name.cmp(&b.name)));
    text.push_str(
        "<table>\n<thead><tr><th>file</th><th class=\"n\">lines</th><th class=\"n\">bytes</th></tr></thead>\n<tbody>\n",
    );
    for file in files {
        let _ = writeln!(
            text,
            "<tr><td class=\"name\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&file.name),
            separated(file.lines),
            separated(file.bytes),
        );
    }
    text.push_str("</tbody>\n</table>\n");
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
