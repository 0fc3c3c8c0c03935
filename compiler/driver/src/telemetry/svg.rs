//! The graph as a picture: a panel for each function, with what its constraints need from left to right.
//!
//! Each kind has a shape and a line of its own, so that colours are not all that tells them apart; there are colours for light and dark. All text is
//! in the fixed-width font that the viewer has, so its width is known here.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::graph::{EdgeKind, Graph, Group, Node, NodeKind, State};
use super::layout::{self, Placement, Point, Size};

/// Of a column of text in the two sizes.
const COLUMN: f64 = 7.8;
const SMALL_COLUMN: f64 = 6.6;
const LINE: f64 = 18.0;
const PADDING: f64 = 14.0;
/// Around the picture and around each panel.
const MARGIN: f64 = 20.0;
const TITLE: f64 = 34.0;
/// Labels are cut after so many columns; the whole text is shown when a pointer rests on them.
const MOST_COLUMNS: usize = 56;

const STYLE: &str = "\
text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 13px; fill: #0f172a }
.small { font-size: 11px; fill: #475569 }
.title { font-size: 15px; font-weight: bold }
.page { fill: #ffffff }
.panel { fill: #f8fafc; stroke: #cbd5e1 }
.node { fill: #ffffff; stroke-width: 1.5 }
.function { stroke: #1d4ed8; stroke-width: 2.5 }
.type { stroke: #64748b }
.constraint { stroke: #334155 }
.open { stroke: #b91c1c; stroke-width: 2; stroke-dasharray: 5 3 }
.impl { stroke: #047857 }
.assumption { stroke: #7c3aed }
.builtin { stroke: #b45309 }
.edge { fill: none; stroke: #475569; stroke-width: 1.3 }
.depends_on { stroke-dasharray: 7 4 }
.solved_by { stroke: #047857; stroke-width: 2 }
.about { stroke: #94a3b8; stroke-dasharray: 1.5 4; stroke-linecap: round; stroke-width: 2 }
.assumes { stroke: #7c3aed; stroke-dasharray: 2 3 }
.tip { stroke: none; fill: #475569 }
.tip-solved_by { fill: #047857 }
.tip-assumes { fill: #7c3aed }
@media (prefers-color-scheme: dark) {
text { fill: #e2e8f0 }
.small { fill: #94a3b8 }
.page { fill: #0b1120 }
.panel { fill: #111827; stroke: #334155 }
.node { fill: #1e293b }
.function { stroke: #60a5fa }
.type { stroke: #94a3b8 }
.constraint { stroke: #cbd5e1 }
.open { stroke: #f87171 }
.impl { stroke: #34d399 }
.assumption { stroke: #a78bfa }
.builtin { stroke: #fbbf24 }
.edge { stroke: #94a3b8 }
.solved_by { stroke: #34d399 }
.about { stroke: #64748b }
.assumes { stroke: #a78bfa }
.tip { fill: #94a3b8 }
.tip-solved_by { fill: #34d399 }
.tip-assumes { fill: #a78bfa }
}
";

/// The picture, under a title.
pub fn print(graph: &Graph, title: &str) -> String {
    let panels: Vec<Panel<'_>> = graph.groups().into_iter().map(|group| Panel::new(graph, group)).collect();
    let legend = Legend::new();
    let width = panels.iter().map(|panel| panel.size().width).fold(legend.width(), f64::max) + 2.0 * MARGIN;
    let panels_top = MARGIN + TITLE + Legend::HEIGHT;
    let height = panels.iter().map(|panel| panel.size().height + MARGIN).sum::<f64>() + panels_top;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        escaped(title)
    );
    let mut out = Pen { text: &mut text, x: MARGIN, y: MARGIN };
    out.words(0.0, 15.0, "title", title);
    out.y += TITLE;
    legend.draw(&mut out);
    out.y = panels_top;
    for panel in &panels {
        panel.draw(&mut out);
        out.y += panel.size().height + MARGIN;
    }
    text.push_str("</svg>\n");
    text
}

/// Writes elements at places that are relative to a corner.
struct Pen<'t> {
    text: &'t mut String,
    x: f64,
    y: f64,
}

impl Pen<'_> {
    /// `y` is that of the base line.
    fn words(&mut self, x: f64, y: f64, class: &str, words: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let (x, y) = (self.x + x, self.y + y);
        let _ = writeln!(self.text, "<text x=\"{x:.1}\" y=\"{y:.1}\"{class}>{}</text>", escaped(words));
    }

    fn rectangle(&mut self, at: Point, size: Size, radius: f64, class: &str) {
        let (x, y, Size { width, height }) = (self.x + at.x, self.y + at.y, size);
        let _ = writeln!(
            self.text,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\" class=\"{class}\"/>"
        );
    }

    fn path(&mut self, class: &str, parts: &[(&str, &[Point])]) {
        let _ = write!(self.text, "<path class=\"{class}\" d=\"");
        for (command, points) in parts {
            self.text.push_str(command);
            for (index, point) in points.iter().enumerate() {
                let blank = if index == 0 { "" } else { " " };
                let _ = write!(self.text, "{blank}{:.1} {:.1}", self.x + point.x, self.y + point.y);
            }
        }
        self.text.push_str("\"/>\n");
    }

    /// The outline that tells the kind.
    fn shape(&mut self, kind: NodeKind, class: &str, at: Point, size: Size) {
        let Size { width, height } = size;
        let corner = |x: f64, y: f64| Point { x: at.x + x, y: at.y + y };
        let polygon = |pen: &mut Self, points: &[Point]| {
            pen.path(class, &[("M", &points[..1]), ("L", &points[1..]), ("Z", &[])]);
        };
        match kind {
            NodeKind::Function => self.rectangle(at, size, 6.0, class),
            NodeKind::Constraint => self.rectangle(at, size, 0.0, class),
            NodeKind::Type => self.rectangle(at, size, height / 2.0, class),
            NodeKind::Impl => {
                // A sheet with a folded corner.
                let fold = 9.0;
                let points = [
                    corner(0.0, 0.0),
                    corner(width - fold, 0.0),
                    corner(width, fold),
                    corner(width, height),
                    corner(0.0, height),
                ];
                polygon(self, &points);
                let folded = [corner(width - fold, 0.0), corner(width - fold, fold), corner(width, fold)];
                self.path(class, &[("M", &folded[..1]), ("L", &folded[1..])]);
            }
            NodeKind::Assumption => {
                let slant = 9.0;
                let points =
                    [corner(slant, 0.0), corner(width, 0.0), corner(width - slant, height), corner(0.0, height)];
                polygon(self, &points);
            }
            NodeKind::Builtin => {
                let (tip, middle) = (9.0, height / 2.0);
                let points = [
                    corner(tip, 0.0),
                    corner(width - tip, 0.0),
                    corner(width, middle),
                    corner(width - tip, height),
                    corner(tip, height),
                    corner(0.0, middle),
                ];
                polygon(self, &points);
            }
        }
    }

    /// A curve through points that lie from left to right or from right to left, with a tip at its end.
    fn edge(&mut self, kind: EdgeKind, route: &[Point]) {
        let [first, .., last] = route else { return };
        let forward = last.x > first.x;
        let mut curves: Vec<[Point; 3]> = Vec::new();
        for pair in route.windows(2) {
            let half = (pair[1].x - pair[0].x) / 2.0;
            let bent =
                [Point { x: pair[0].x + half, y: pair[0].y }, Point { x: pair[1].x - half, y: pair[1].y }, pair[1]];
            curves.push(bent);
        }
        let mut parts: Vec<(&str, &[Point])> = vec![("M", std::slice::from_ref(first))];
        parts.extend(curves.iter().map(|curve| ("C", &curve[..])));
        let word = kind.word();
        self.path(&format!("edge {word}"), &parts);
        if kind != EdgeKind::About {
            let back = if forward { -8.0 } else { 8.0 };
            let base = |y: f64| Point { x: last.x + back, y: last.y + y };
            let points = [*last, base(-4.0), base(4.0)];
            self.path(&format!("tip tip-{word}"), &[("M", &points[..1]), ("L", &points[1..]), ("Z", &[])]);
        }
    }

    /// An edge from a node to itself.
    fn circle_back(&mut self, kind: EdgeKind, at: Point, size: Size) {
        let corner = |x: f64, y: f64| Point { x: at.x + size.width + x, y: at.y + y };
        let points =
            [corner(0.0, 8.0), corner(26.0, -10.0), corner(26.0, size.height + 10.0), corner(0.0, size.height - 8.0)];
        self.path(&format!("edge {}", kind.word()), &[("M", &points[..1]), ("C", &points[1..])]);
    }
}

/// A group and where its parts stand.
struct Panel<'g> {
    graph: &'g Graph,
    group: Group,
    sizes: Vec<Size>,
    placement: Placement,
    title: String,
}

impl<'g> Panel<'g> {
    fn new(graph: &'g Graph, group: Group) -> Panel<'g> {
        let sizes: Vec<Size> = group.nodes.iter().map(|&index| size_of(&graph.nodes[index])).collect();
        let place = |node: usize| group.nodes.binary_search(&node).expect("the ends of a group's edges are in it");
        let edges: Vec<(usize, usize)> =
            group.edges.iter().map(|&index| (place(graph.edges[index].from), place(graph.edges[index].to))).collect();
        let placement = layout::place(&sizes, &edges);
        let title = group.function.map_or(String::new(), |index| cut(&graph.nodes[index].label));
        Panel { graph, group, sizes, placement, title }
    }

    fn size(&self) -> Size {
        let Size { width, height } = self.placement.size;
        let width = width.max(columns(&self.title) * COLUMN * 1.2);
        Size { width: width + 2.0 * MARGIN, height: height + 2.0 * MARGIN + TITLE }
    }

    fn draw(&self, out: &mut Pen<'_>) {
        out.rectangle(Point { x: 0.0, y: 0.0 }, self.size(), 8.0, "panel");
        out.words(MARGIN, 25.0, "title", &self.title);
        let (x, y) = (out.x, out.y);
        (out.x, out.y) = (x + MARGIN, y + MARGIN + TITLE - 8.0);
        for (route, &index) in self.placement.routes.iter().zip(&self.group.edges) {
            let edge = self.graph.edges[index];
            match self.group.nodes.binary_search(&edge.from) {
                Ok(node) if edge.from == edge.to => {
                    out.circle_back(edge.kind, self.placement.nodes[node], self.sizes[node]);
                }
                _ => out.edge(edge.kind, route),
            }
        }
        for (place, &index) in self.group.nodes.iter().enumerate() {
            draw_node(out, &self.graph.nodes[index], self.placement.nodes[place], self.sizes[place]);
        }
        (out.x, out.y) = (x, y);
    }
}

fn draw_node(out: &mut Pen<'_>, node: &Node, at: Point, size: Size) {
    let state = node.state.filter(|&state| state != State::Resolved);
    let more = match (state, &node.at) {
        (Some(state), _) => format!(", {}", state.word()),
        (None, Some(at)) => format!(", {}", escaped(at)),
        (None, None) => String::new(),
    };
    let _ = writeln!(out.text, "<g><title>{}: {}{more}</title>", node.kind.word(), escaped(&node.label));
    let class = if state.is_some() { "node constraint open".to_owned() } else { format!("node {}", node.kind.word()) };
    out.shape(node.kind, &class, at, size);
    out.words(at.x + PADDING, at.y + LINE, "", &cut(&node.label));
    if let Some(below) = below(node) {
        out.words(at.x + PADDING, at.y + LINE + 15.0, "small", &cut(&below));
    }
    out.text.push_str("</g>\n");
}

/// What is written below the label.
fn below(node: &Node) -> Option<String> {
    match node.state {
        Some(state) if state != State::Resolved => Some(state.word().replace('_', " ")),
        // Folders are told where the pointer rests.
        _ => node.at.as_deref().map(|at| at.rsplit('/').next().unwrap_or(at).to_owned()),
    }
}

fn size_of(node: &Node) -> Size {
    let label = columns(&cut(&node.label)) * COLUMN;
    match below(node) {
        Some(below) => {
            let width = label.max(columns(&cut(&below)) * SMALL_COLUMN);
            Size { width: width + 2.0 * PADDING, height: 2.0 * LINE + 6.0 }
        }
        None => Size { width: label + 2.0 * PADDING, height: LINE + 8.0 },
    }
}

fn columns(text: &str) -> f64 {
    text.width() as f64
}

/// One line that is not too long.
fn cut(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.width() <= MOST_COLUMNS {
        return line;
    }
    let mut width = 0;
    let fits = line.chars().take_while(|c| {
        width += c.to_string().width();
        width < MOST_COLUMNS
    });
    fits.chain(['…']).collect()
}

/// For text and attributes; characters that XML does not have are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// What shapes and lines mean.
struct Legend {
    nodes: Vec<(NodeKind, &'static str, &'static str, f64)>,
    edges: Vec<(EdgeKind, &'static str, f64)>,
}

impl Legend {
    const HEIGHT: f64 = 78.0;

    fn new() -> Legend {
        let width = |text: &str| columns(text) * COLUMN + 2.0 * PADDING;
        let node = |(kind, class, text)| (kind, class, text, width(text));
        let nodes = [
            (NodeKind::Function, "node function", "function"),
            (NodeKind::Constraint, "node constraint", "constraint"),
            (NodeKind::Constraint, "node constraint open", "not solved"),
            (NodeKind::Type, "node type", "type"),
            (NodeKind::Impl, "node impl", "impl"),
            (NodeKind::Assumption, "node assumption", "bound"),
            (NodeKind::Builtin, "node builtin", "built in"),
        ];
        let edges = [
            (EdgeKind::Requires, "requires"),
            (EdgeKind::DependsOn, "depends on"),
            (EdgeKind::SolvedBy, "solved by"),
            (EdgeKind::About, "is about"),
            (EdgeKind::Assumes, "assumes"),
        ];
        Legend {
            nodes: nodes.into_iter().map(node).collect(),
            edges: edges.into_iter().map(|(kind, text)| (kind, text, columns(text) * COLUMN + 76.0)).collect(),
        }
    }

    fn width(&self) -> f64 {
        let nodes: f64 = self.nodes.iter().map(|(.., width)| width + 10.0).sum();
        let edges: f64 = self.edges.iter().map(|(.., width)| width).sum();
        nodes.max(edges)
    }

    fn draw(&self, out: &mut Pen<'_>) {
        let mut x = 0.0;
        for &(kind, class, text, width) in &self.nodes {
            let at = Point { x, y: 0.0 };
            out.shape(kind, class, at, Size { width, height: LINE + 8.0 });
            out.words(x + PADDING, LINE, "", text);
            x += width + 10.0;
        }
        x = 0.0;
        for &(kind, text, width) in &self.edges {
            let y = 46.0;
            out.edge(kind, &[Point { x, y }, Point { x: x + 42.0, y }]);
            out.words(x + 50.0, y + 4.5, "", text);
            x += width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_and_quoted() {
        assert_eq!(cut(&"x".repeat(100)).width(), MOST_COLUMNS);
        assert_eq!(cut(&"漢".repeat(50)).width(), MOST_COLUMNS - 1);
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(escaped("Map<Str, T> & \"\u{1}\""), "Map&lt;Str, T&gt; &amp; &quot;&quot;");
    }

    #[test]
    fn a_picture_needs_nothing_else() {
        let node = |id: &str, kind| Node {
            id: id.into(),
            label: format!("<{id}>"),
            kind,
            function: None,
            state: Some(State::Cyclic),
            at: None,
        };
        let edge = |from, to| super::super::graph::Edge { from, to, kind: EdgeKind::DependsOn };
        let graph = Graph {
            nodes: NodeKind::ALL.iter().map(|&kind| node(kind.word(), kind)).collect(),
            edges: vec![edge(2, 2), edge(2, 3), edge(3, 2)],
        };
        let picture = print(&graph, "a & b");
        assert!(
            picture.starts_with("<svg ")
                && picture.ends_with("</svg>\n")
                && picture.contains("<title>a &amp; b</title>")
        );
        assert_eq!(picture.matches("<g>").count(), NodeKind::ALL.len());
        assert!(!picture.contains("NaN") && !picture.contains("inf") && !picture.contains("href"), "{picture}");
        assert_eq!(picture.matches('<').count(), picture.matches('>').count());
    }
}
