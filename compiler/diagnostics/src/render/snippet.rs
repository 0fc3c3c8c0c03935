//! Prepares the part of a file that a diagnostic shows, so that ariadne can draw it quickly and in the right columns.
//!
//! ariadne draws only lines on which a label starts or ends, counts columns by scalar values, and breaks lines at
//! characters that are no line breaks in Reml. So it is given a stand-in for the file: every other line is empty, very
//! long lines are cut around the labels, and each character of a shown line is replaced by as many narrow characters
//! as it has columns. What people read as one character (a grapheme cluster) becomes one private-use placeholder and
//! fillers; [`Snippet::restore`] puts the original text back into the drawing.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::SourceFile;

/// Columns a shown line may have before it is cut.
const MAX_COLUMNS: usize = 160;
/// Bytes looked at on each side of the first label of a long line.
const WINDOW_BEFORE: usize = 60;
const WINDOW_AFTER: usize = 240;
/// Placeholders for clusters: `PLACEHOLDER + index`, in a plane that has no assigned characters.
const PLACEHOLDER: u32 = 0xF_0000;
const PLACEHOLDERS: usize = 0xFFFD;
/// Stands for the further columns of a cluster; removed when restoring.
const FILLER: char = '\u{F8FF}';
const CUT: char = '…';

/// A stand-in text for one file, and the labels' ranges in it.
pub struct Snippet {
    pub text: String,
    /// As many as were asked for, in the same order; never empty. In characters: ariadne counts some of its positions in them
    /// whatever it is told.
    pub ranges: Vec<Range<usize>>,
}

/// Clusters that were replaced, over all snippets of one diagnostic.
#[derive(Default)]
pub struct Clusters(Vec<Box<str>>);

impl Snippet {
    /// `wanted`: byte ranges in the file.
    pub fn new(file: &SourceFile, wanted: &[Range<u32>], clusters: &mut Clusters) -> Snippet {
        let wanted: Vec<Range<usize>> = wanted.iter().map(|range| clamp(file, range)).collect();
        // The line and the byte of every range's first and last position.
        let ends: Vec<[(usize, usize); 2]> = wanted
            .iter()
            .map(|range| {
                let last = if range.end > range.start { range.end - 1 } else { range.start };
                [(file.line_index(range.start as u32), range.start), (file.line_index(last as u32), range.end)]
            })
            .collect();
        let mut lines: Vec<usize> = ends.iter().flatten().map(|(line, _)| *line).collect();
        lines.sort_unstable();
        lines.dedup();

        let mut text = String::new();
        let mut ranges = vec![0..0; wanted.len()];
        let mut next_line = 0;
        for &line in &lines {
            text.extend(std::iter::repeat_n('\n', line - next_line));
            next_line = line + 1;
            let mut points: Vec<usize> =
                ends.iter().flatten().filter(|(at, _)| *at == line).map(|(_, point)| *point).collect();
            points.sort_unstable();
            points.dedup();
            let placed = write_line(file, line, &points, &mut text, clusters);
            let place = |point: usize| placed[points.partition_point(|&other| other < point)];
            for (range, [start, end]) in ranges.iter_mut().zip(&ends) {
                if start.0 == line {
                    range.start = place(start.1);
                }
                if end.0 == line {
                    range.end = place(end.1);
                }
            }
            text.push('\n');
        }
        for range in &mut ranges {
            let count = |bytes: Range<usize>| text[bytes].chars().count();
            let start = count(0..range.start);
            // What is empty is shown as the character that follows; at the end of a line, as the line break.
            *range = start..start + count(range.start..range.end.max(range.start)).max(1);
        }
        Snippet { text, ranges }
    }
}

impl Clusters {
    /// Puts the original characters back in what was drawn.
    pub fn restore(&self, drawn: &str) -> String {
        if self.0.is_empty() {
            return drawn.to_owned();
        }
        let mut text = String::with_capacity(drawn.len());
        for c in drawn.chars() {
            let index = (c as u32).wrapping_sub(PLACEHOLDER) as usize;
            match self.0.get(index) {
                Some(cluster) => text.push_str(cluster),
                None if c == FILLER => {}
                None => text.push(c),
            }
        }
        text
    }

    fn write(&mut self, cluster: &str, columns: usize, text: &mut String) {
        let placeholder =
            if self.0.len() < PLACEHOLDERS { char::from_u32(PLACEHOLDER + self.0.len() as u32) } else { None };
        match placeholder {
            Some(placeholder) => {
                text.push(placeholder);
                self.0.push(cluster.into());
            }
            None => text.push('\u{FFFD}'),
        }
        text.extend(std::iter::repeat_n(FILLER, columns.saturating_sub(1)));
    }
}

/// The range inside the file, on character boundaries.
fn clamp(file: &SourceFile, range: &Range<u32>) -> Range<usize> {
    let text = &file.text;
    let mut start = (range.start as usize).min(text.len());
    let mut end = (range.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// Appends a line's stand-in, and answers where in `text` each of the sorted `points` went. A point inside a cluster
/// goes to the cluster's start when it is the line's first, else to its end.
fn write_line(
    file: &SourceFile,
    line: usize,
    points: &[usize],
    text: &mut String,
    clusters: &mut Clusters,
) -> Vec<usize> {
    let whole = file.line_range(line);
    let window = window(file, &whole, points[0].clamp(whole.start, whole.end));
    let mut placed = vec![0; points.len()];
    if window.start > whole.start {
        text.push(CUT);
    }
    let mut next_point = 0;
    let mut columns = 0;
    let mut offset = window.start;
    let mut cut = window.end < whole.end;
    for cluster in file.text[window.clone()].graphemes(true) {
        let end = offset + cluster.len();
        // Points at or before the cluster's start, and a first point inside of it, go before it.
        while next_point < points.len() && (points[next_point] <= offset || (next_point == 0 && points[0] < end)) {
            placed[next_point] = text.len();
            next_point += 1;
        }
        if columns >= MAX_COLUMNS {
            cut = true;
            break;
        }
        offset = end;
        let mut chars = cluster.chars();
        let first = chars.next().unwrap_or(' ');
        match first {
            '\t' => {
                text.push_str("    ");
                columns += 4;
            }
            ' '..='~' if chars.next().is_none() => {
                text.push(first);
                columns += 1;
            }
            _ if first.is_control() || matches!(first, '\u{2028}' | '\u{2029}') => {
                text.push('\u{FFFD}');
                columns += 1;
            }
            // Invisible reordering would make the excerpt lie.
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                text.push('\u{FFFD}');
                columns += 1;
            }
            _ => {
                let width = cluster.width().max(1);
                clusters.write(cluster, width, text);
                columns += width;
            }
        }
    }
    placed[next_point..].fill(text.len());
    if cut {
        text.push(CUT);
    }
    placed
}

/// The part of a line worth looking at when a label starts at `point`.
fn window(file: &SourceFile, whole: &Range<usize>, point: usize) -> Range<usize> {
    if whole.len() <= MAX_COLUMNS {
        return whole.clone();
    }
    let mut start = if point - whole.start > MAX_COLUMNS / 2 { point - WINDOW_BEFORE } else { whole.start };
    let mut end = (point + WINDOW_AFTER).min(whole.end);
    while !file.text.is_char_boundary(start) {
        start -= 1;
    }
    while !file.text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}
