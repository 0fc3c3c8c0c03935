//! Where does each node of a graph stand, and which way does each edge go, so that a person can read it?
//!
//! Layers from left to right [Sugiyama, Tagawa and Toda 1981]: edges that close a circle are turned round, a node stands one layer behind the last
//! of its predecessors, edges that are longer than that go through a place in every layer between, each layer is sorted by the means of its
//! neighbours' places while that saves crossings, and heights are fitted to those of the neighbours by isotonic regression, which is exact.
//!
//! The crates there are did not fit: `layout-rs` draws whole pictures, with a few shapes of its own and without groups, and `rust-sugiyama` gives
//! places for nodes only, so that long edges would run through others' labels.

use std::collections::VecDeque;

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

pub struct Placement {
    /// The upper left corners of the nodes.
    pub nodes: Vec<Point>,
    /// For each edge, where it passes, from its beginning to its end: at least two points, between which it is drawn as a curve. Empty for
    /// an edge from a node to itself.
    pub routes: Vec<Vec<Point>>,
    pub size: Size,
}

/// Between neighbours in a layer, and between layers.
const GAP: f64 = 14.0;
const LAYER_GAP: f64 = 72.0;
/// What an edge takes of a layer that it passes.
const LANE: f64 = 4.0;

/// So many places for edges that pass layers are made; in graphs that need more, long edges go straight.
const MOST_PLACES: usize = 100_000;
/// Sorting layers ends after this many visits of edges.
const MOST_VISITS: usize = 4_000_000;

/// Places nodes of these sizes, between which edges lead. Takes time in proportion to nodes and edges, a logarithm apart, however they are joined.
pub fn place(sizes: &[Size], edges: &[(usize, usize)]) -> Placement {
    let turned = turned(sizes.len(), edges);
    let forward: Vec<(usize, usize)> =
        edges.iter().zip(&turned).map(|(&(from, to), &turned)| if turned { (to, from) } else { (from, to) }).collect();
    let rank = ranks(sizes.len(), &forward);
    let mut layers = Layers::new(sizes, &forward, &rank);
    layers.sort();
    layers.fit();
    let (lefts, widths) = layers.columns(sizes);
    let mut placement = Placement {
        nodes: (0..sizes.len()).map(|node| Point { x: lefts[rank[node]], y: layers.top(node) }).collect(),
        routes: Vec::with_capacity(edges.len()),
        size: Size { width: lefts.last().zip(widths.last()).map_or(0.0, |(left, width)| left + width), height: 0.0 },
    };
    let bottoms = placement.nodes.iter().zip(sizes).map(|(at, size)| at.y + size.height);
    placement.size.height = bottoms.fold(0.0, f64::max);
    for (index, &(from, to)) in forward.iter().enumerate() {
        let mut route = Vec::new();
        if from != to {
            let middle = |node: usize| placement.nodes[node].y + sizes[node].height / 2.0;
            route.push(Point { x: placement.nodes[from].x + sizes[from].width, y: middle(from) });
            for &place in &layers.chains[index] {
                let (y, column) = (layers.middle(place), layers.vertices[place].rank);
                route.push(Point { x: lefts[column], y });
                route.push(Point { x: lefts[column] + widths[column], y });
            }
            route.push(Point { x: placement.nodes[to].x, y: middle(to) });
            if turned[index] {
                route.reverse();
            }
        }
        placement.routes.push(route);
    }
    placement
}

/// The edges that lead back to a node on the way to them.
fn turned(count: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    let mut leaving = vec![Vec::new(); count];
    for (index, &(from, to)) in edges.iter().enumerate() {
        if from != to {
            leaving[from].push(index);
        }
    }
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        None,
        Open,
        Done,
    }
    let mut visits = vec![Visit::None; count];
    let mut turned = vec![false; edges.len()];
    for start in 0..count {
        if visits[start] != Visit::None {
            continue;
        }
        let mut path = vec![(start, 0)];
        visits[start] = Visit::Open;
        while let Some((node, next)) = path.last_mut() {
            let Some(&edge) = leaving[*node].get(*next) else {
                visits[*node] = Visit::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].1;
            match visits[to] {
                Visit::None => {
                    visits[to] = Visit::Open;
                    path.push((to, 0));
                }
                Visit::Open => turned[edge] = true,
                Visit::Done => {}
            }
        }
    }
    turned
}

/// The layer of each node. The edges have no circles, but for edges from a node to itself.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut waiting = vec![0; count];
    let mut after = vec![Vec::new(); count];
    for &(from, to) in edges.iter().filter(|(from, to)| from != to) {
        waiting[to] += 1;
        after[from].push(to);
    }
    let mut rank = vec![0; count];
    let mut ready: VecDeque<usize> = (0..count).filter(|&node| waiting[node] == 0).collect();
    while let Some(node) = ready.pop_front() {
        for &next in &after[node] {
            rank[next] = rank[next].max(rank[node] + 1);
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push_back(next);
            }
        }
    }
    rank
}

/// A node, or the place of an edge in a layer that it passes.
struct Vertex {
    rank: usize,
    height: f64,
    /// The place in its layer.
    position: usize,
    /// In the layers before and behind.
    neighbours: [Vec<usize>; 2],
    top: f64,
}

/// Nodes come first among the vertices.
struct Layers {
    vertices: Vec<Vertex>,
    order: Vec<Vec<usize>>,
    /// The places that each edge passes.
    chains: Vec<Vec<usize>>,
}

impl Layers {
    fn new(sizes: &[Size], edges: &[(usize, usize)], rank: &[usize]) -> Layers {
        let vertex =
            |rank, height| Vertex { rank, height, position: 0, neighbours: [Vec::new(), Vec::new()], top: 0.0 };
        let mut vertices: Vec<Vertex> = rank.iter().zip(sizes).map(|(&rank, size)| vertex(rank, size.height)).collect();
        let places: usize = edges.iter().map(|&(from, to)| rank[to].saturating_sub(rank[from] + 1)).sum();
        let mut chains = Vec::with_capacity(edges.len());
        for &(from, to) in edges {
            let mut chain = Vec::new();
            if from != to && (places <= MOST_PLACES || rank[to] == rank[from] + 1) {
                let mut last = from;
                for between in rank[from] + 1..rank[to] {
                    let made = vertices.len();
                    vertices.push(vertex(between, LANE));
                    join(&mut vertices, last, made);
                    chain.push(made);
                    last = made;
                }
                join(&mut vertices, last, to);
            }
            chains.push(chain);
        }
        let mut order = vec![Vec::new(); rank.iter().max().map_or(0, |most| most + 1)];
        for (index, vertex) in vertices.iter_mut().enumerate() {
            vertex.position = order[vertex.rank].len();
            order[vertex.rank].push(index);
        }
        Layers { vertices, order, chains }
    }

    /// Sorts the layers forwards and backwards by turns, and keeps the order with the fewest crossings.
    fn sort(&mut self) {
        let segments: usize = self.vertices.iter().map(|vertex| vertex.neighbours[1].len()).sum();
        let (mut best, mut fewest) = (self.order.clone(), self.crossings());
        for round in 0..(MOST_VISITS / (segments + 1)).clamp(2, 24) {
            let before = round % 2 == 0;
            let count = self.order.len();
            for step in 1..count {
                self.sort_layer(if before { step } else { count - 1 - step }, usize::from(!before));
            }
            let crossings = self.crossings();
            if crossings < fewest {
                (best, fewest) = (self.order.clone(), crossings);
            }
            if fewest == 0 {
                break;
            }
        }
        self.order = best;
        self.number();
    }

    fn sort_layer(&mut self, layer: usize, side: usize) {
        let vertices = &self.vertices;
        let mean = |&index: &usize| {
            let around = &vertices[index].neighbours[side];
            match around.len() {
                0 => vertices[index].position as f64,
                count => around.iter().map(|&it| vertices[it].position as f64).sum::<f64>() / count as f64,
            }
        };
        let mut keyed: Vec<(f64, usize)> = self.order[layer].iter().map(|index| (mean(index), *index)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.order[layer] = keyed.into_iter().map(|(_, index)| index).collect();
        for (position, &index) in self.order[layer].iter().enumerate() {
            self.vertices[index].position = position;
        }
    }

    fn number(&mut self) {
        for layer in &self.order {
            for (position, &index) in layer.iter().enumerate() {
                self.vertices[index].position = position;
            }
        }
    }

    /// How many pairs of edges cross, counted with a tree of sums.
    fn crossings(&self) -> u64 {
        let mut crossings = 0;
        for (layer, next) in self.order.iter().zip(self.order.iter().skip(1)) {
            let mut sums = vec![0_u64; next.len() + 1];
            let mut seen = 0;
            for &index in layer {
                let mut ends: Vec<usize> =
                    self.vertices[index].neighbours[1].iter().map(|&to| self.vertices[to].position).collect();
                ends.sort_unstable();
                for &end in &ends {
                    let mut at = end + 1;
                    let mut left = 0;
                    while at > 0 {
                        left += sums[at];
                        at &= at - 1;
                    }
                    crossings += seen - left;
                }
                for &end in &ends {
                    let mut at = end + 1;
                    while at < sums.len() {
                        sums[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        crossings
    }

    /// Fits the heights to those of the neighbours, in the order that is there.
    fn fit(&mut self) {
        for layer in 0..self.order.len() {
            self.fit_layer(layer, &[]);
        }
        for sides in [&[0][..], &[1], &[0], &[1], &[0, 1]] {
            for step in 0..self.order.len() {
                self.fit_layer(if sides == [1] { self.order.len() - 1 - step } else { step }, sides);
            }
        }
        let highest = self.vertices.iter().map(|vertex| vertex.top).fold(f64::INFINITY, f64::min);
        for vertex in &mut self.vertices {
            vertex.top -= highest;
        }
    }

    /// The tops of a layer with the least squares of the distances to where its vertices would like to be, in order and apart: where neighbours are in
    /// each other's way, they are moved together.
    fn fit_layer(&mut self, layer: usize, sides: &[usize]) {
        struct Block {
            sum: f64,
            count: f64,
        }
        let order = &self.order[layer];
        let mut offsets = Vec::with_capacity(order.len());
        let mut offset = 0.0;
        let mut blocks: Vec<Block> = Vec::new();
        for &index in order {
            let vertex = &self.vertices[index];
            let around: Vec<f64> =
                sides.iter().flat_map(|&side| &vertex.neighbours[side]).map(|&it| self.middle(it)).collect();
            let wish = match around.len() {
                0 => vertex.top,
                count => around.iter().sum::<f64>() / count as f64 - vertex.height / 2.0,
            };
            offsets.push(offset);
            let mut block = Block { sum: wish - offset, count: 1.0 };
            while let Some(last) = blocks.pop_if(|last| last.sum / last.count > block.sum / block.count) {
                block = Block { sum: last.sum + block.sum, count: last.count + block.count };
            }
            blocks.push(block);
            offset += vertex.height + GAP;
        }
        let bases = blocks.iter().flat_map(|block| std::iter::repeat_n(block.sum / block.count, block.count as usize));
        let tops: Vec<f64> = bases.zip(offsets).map(|(base, offset)| base + offset).collect();
        for (place, top) in tops.into_iter().enumerate() {
            let index = self.order[layer][place];
            self.vertices[index].top = top;
        }
    }

    fn top(&self, vertex: usize) -> f64 {
        self.vertices[vertex].top
    }

    fn middle(&self, vertex: usize) -> f64 {
        self.vertices[vertex].top + self.vertices[vertex].height / 2.0
    }

    /// Where each layer begins, and how wide it is.
    fn columns(&self, sizes: &[Size]) -> (Vec<f64>, Vec<f64>) {
        let width = |layer: &Vec<usize>| {
            layer.iter().filter_map(|&index| sizes.get(index)).map(|size| size.width).fold(0.0, f64::max)
        };
        let widths: Vec<f64> = self.order.iter().map(width).collect();
        let lefts = widths.iter().scan(0.0, |left, width| {
            let here = *left;
            *left += width + LAYER_GAP;
            Some(here)
        });
        (lefts.collect(), widths)
    }
}

fn join(vertices: &mut [Vertex], from: usize, to: usize) {
    vertices[from].neighbours[1].push(to);
    vertices[to].neighbours[0].push(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(count: usize) -> Vec<Size> {
        (0..count).map(|index| Size { width: 20.0 + index as f64, height: 10.0 }).collect()
    }

    /// Nodes of a column do not touch, and edges lead from left to right unless they were turned.
    fn check(count: usize, edges: &[(usize, usize)]) -> Placement {
        let (sizes, placement) = (sizes(count), place(&sizes(count), edges));
        let mut order: Vec<usize> = (0..count).collect();
        let at = |node: usize| placement.nodes[node];
        order.sort_by(|&a, &b| (at(a).x, at(a).y).partial_cmp(&(at(b).x, at(b).y)).unwrap());
        for pair in order.windows(2) {
            if at(pair[0]).x == at(pair[1]).x {
                assert!(at(pair[0]).y + sizes[pair[0]].height < at(pair[1]).y, "{pair:?}");
            }
        }
        for ((from, to), route) in edges.iter().zip(&placement.routes) {
            assert_eq!(route.is_empty(), from == to);
            assert!(route.windows(2).all(|pair| pair[0] != pair[1]), "{route:?}");
        }
        placement
    }

    #[test]
    fn what_can_be_drawn_without_crossings_is() {
        // Two chains that are given in another order at each step.
        let edges = [(0, 3), (1, 2), (3, 4), (2, 5), (4, 7), (5, 6)];
        let placement = check(8, &edges);
        let above = |a: usize, b: usize| placement.nodes[a].y < placement.nodes[b].y;
        assert!(above(0, 1) == above(3, 2) && above(3, 2) == above(4, 5) && above(4, 5) == above(7, 6));
        for route in &placement.routes {
            assert!((route[0].y - route[1].y).abs() < 0.01, "the chains are straight: {route:?}");
        }
    }

    #[test]
    fn circles_loops_and_long_edges_are_drawn() {
        let placement = check(4, &[(0, 1), (1, 2), (2, 0), (0, 3), (2, 3), (3, 3), (0, 1)]);
        let turned = &placement.routes[2];
        assert!(turned[0].x > turned[turned.len() - 1].x, "{turned:?}");
        assert_eq!(placement.routes[3].len(), 6, "through both layers between");
        check(0, &[]);
        check(3, &[]);
    }

    #[test]
    fn large_graphs_take_their_time_only_once() {
        // A chain with an edge from its beginning to each node: the layers that edges pass are as many as the edges squared.
        let long: Vec<(usize, usize)> = (1..50_000).flat_map(|node| [(node - 1, node), (0, node)]).collect();
        place(&sizes(50_000), &long);
        // All edges between two layers.
        let dense: Vec<(usize, usize)> = (0..100_000).map(|index| (index % 316, 316 + index / 316)).collect();
        place(&sizes(640), &dense);
    }
}
