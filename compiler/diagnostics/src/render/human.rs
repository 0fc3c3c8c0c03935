//! Source excerpts with labels, for people at a terminal.

use std::io::{self, Write};

use ariadne::{CharSet, Color, Config, Fmt, IndexType, Label, LabelAttach, Report, ReportKind, Source};

use super::snippet::{Clusters, Snippet};
use super::{Renderer, severity_word};
use crate::{Diagnostic, FileId, Severity, SourceMap, Span};

/// More than this many excerpts help nobody, and drawing them takes time.
const MAX_SHOWN: usize = 100;
/// Stands for a file's name until its location is put in: ariadne would count columns in the clipped line.
const NAME: char = '\u{F8FE}';

pub struct Human {
    pub color: bool,
}

impl Renderer for Human {
    fn render(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap, out: &mut dyn Write) -> io::Result<()> {
        // When the cap bites, errors come before warnings: they are what stops the program.
        let errors = diagnostics.iter().filter(|d| d.is_error()).count();
        let mut room = [MAX_SHOWN, MAX_SHOWN.saturating_sub(errors)];
        let mut hidden = 0;
        for diagnostic in diagnostics {
            let left = &mut room[diagnostic.severity as usize];
            if *left == 0 {
                hidden += 1;
                continue;
            }
            *left -= 1;
            self.one(diagnostic, sources, out)?;
        }
        if hidden > 0 {
            writeln!(out, "... and {hidden} more, which `--format short` and `--format json` show\n")?;
        }
        Ok(())
    }
}

impl Human {
    fn one(&self, diagnostic: &Diagnostic, sources: &SourceMap, out: &mut dyn Write) -> io::Result<()> {
        let color = severity_color(diagnostic.severity);
        let Some(primary_file) = sources.file_of(diagnostic.primary) else {
            return self.without_source(diagnostic, out);
        };

        // The labels, grouped by file: the primary one first.
        let primary_text = match diagnostic.primary_label.as_str() {
            "" => "here",
            text => text,
        };
        let mut labels: Vec<(FileId, Span, &str)> = vec![(primary_file, diagnostic.primary, primary_text)];
        for label in &diagnostic.labels {
            if let Some(file) = sources.file_of(label.span) {
                labels.push((file, label.span, &label.text));
            }
        }
        let mut files: Vec<FileId> = Vec::new();
        for (file, ..) in &labels {
            if !files.contains(file) {
                files.push(*file);
            }
        }

        let mut clusters = Clusters::default();
        let mut drawn = Vec::new();
        let mut cache = Files { sources: Vec::new() };
        let mut primary_range = 0..0;
        // Where each file's header points.
        let mut places = Vec::new();
        for (index, &id) in files.iter().enumerate() {
            let file = sources.file(id);
            let mine: Vec<_> = labels.iter().filter(|(file, ..)| *file == id).collect();
            let wanted: Vec<_> = mine.iter().map(|(_, span, _)| span.start - file.base..span.end - file.base).collect();
            let snippet = Snippet::new(file, &wanted, &mut clusters);
            for (nth, ((.., text), range)) in mine.iter().zip(snippet.ranges).enumerate() {
                let is_primary = index == 0 && nth == 0;
                if is_primary {
                    primary_range = range.clone();
                }
                drawn.push((index, range, *text, is_primary));
            }
            let at = file.line_column(mine[0].1.start - file.base);
            places.push(format!("{}:{}:{}", file.name, at.line, at.column));
            cache.sources.push(Source::from(snippet.text));
        }
        // Labels of one file must come in line order, or ariadne shows the file twice.
        drawn.sort_by_key(|(index, range, ..)| (*index, range.end));

        let mut report = Report::build(ReportKind::Custom("", color), (0, primary_range)).with_config(
            Config::new()
                .with_color(self.color)
                .with_char_set(CharSet::Unicode)
                .with_index_type(IndexType::Char)
                .with_label_attach(LabelAttach::Start),
        );
        for (index, range, text, is_primary) in drawn {
            report.add_label(
                Label::new((index, range))
                    .with_message(text)
                    .with_color(if is_primary { color } else { Color::Blue })
                    .with_priority(i32::from(is_primary)),
            );
        }
        report.with_helps(helps(diagnostic));
        report.with_notes(&diagnostic.notes);
        let mut drawn = Vec::new();
        report.finish().write(&mut cache, &mut drawn)?;
        let drawn = String::from_utf8_lossy(&drawn);
        let text = put_places(&drawn, &places);
        self.write_head(diagnostic, out)?;
        // ariadne's own first line has the head without a message, coloured whatever the setting.
        for line in clusters.restore(&text).lines().skip(1) {
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)
    }

    fn write_head(&self, diagnostic: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
        let head = format!("{}[{}]", severity_word(diagnostic.severity), diagnostic.code);
        if self.color {
            writeln!(out, "{}: {}", head.fg(severity_color(diagnostic.severity)), diagnostic.message)
        } else {
            writeln!(out, "{head}: {}", diagnostic.message)
        }
    }

    /// For diagnostics about no place in a source file: a missing file, the linker.
    fn without_source(&self, diagnostic: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
        self.write_head(diagnostic, out)?;
        for help in helps(diagnostic) {
            writeln!(out, "  help: {}", help.replace('\n', "\n        "))?;
        }
        for note in &diagnostic.notes {
            writeln!(out, "  note: {}", note.replace('\n', "\n        "))?;
        }
        writeln!(out)
    }
}

/// The colours of the terminal's own palette: they fit its theme.
fn severity_color(severity: Severity) -> Color {
    match severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
    }
}

/// Replaces `NAME index NAME :line:column` by the index's place.
fn put_places(drawn: &str, places: &[String]) -> String {
    let mut parts = drawn.split(NAME);
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let (Some(index), Some(after)) = (parts.next(), parts.next()) {
        text.push_str(index.parse().ok().and_then(|index: usize| places.get(index)).map_or("", |place| place));
        text.push_str(after.trim_start_matches(|c: char| matches!(c, ':' | '?') || c.is_ascii_digit()));
    }
    text
}

/// Helps, then what each fix would do.
fn helps(diagnostic: &Diagnostic) -> impl Iterator<Item = String> {
    let fixes = diagnostic.fixes.iter().filter(|fix| !diagnostic.helps.contains(&fix.title));
    diagnostic.helps.iter().cloned().chain(fixes.map(|fix| fix.title.clone()))
}

struct Files {
    sources: Vec<Source<String>>,
}

impl ariadne::Cache<usize> for Files {
    type Storage = String;

    fn fetch(&mut self, id: &usize) -> Result<&Source<String>, impl std::fmt::Debug> {
        self.sources.get(*id).ok_or("no such file")
    }

    fn display<'a>(&self, id: &'a usize) -> Option<impl std::fmt::Display + 'a> {
        Some(format!("{NAME}{id}{NAME}"))
    }
}
