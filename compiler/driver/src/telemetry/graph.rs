//! What is the graph of a program's constraints, and what of it belongs to one function?

use std::collections::HashMap;

/// Nodes have different ids, and edges join nodes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub id: String,
    pub label: String,
    pub kind: NodeKind,
    /// The id of the function it is a part of. Impls and what the language itself answers are parts of none.
    pub function: Option<String>,
    /// Constraints only.
    pub state: Option<State>,
    /// `src/main.reml:3:5`
    pub at: Option<String>,
}

/// By indices into the nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub kind: EdgeKind,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// As it stands in the JSON.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            pub fn parse(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }
    };
}

words! {
    NodeKind {
        /// A function, a global, or an impl whose supertraits must hold.
        Function = "function",
        /// A type that must have a trait.
        Type = "type",
        /// `List<T>: Ord`
        Constraint = "constraint",
        /// An impl that answers constraints.
        Impl = "impl",
        /// A bound of a type parameter, written or inferred.
        Assumption = "assumption",
        /// What holds without an impl: structural traits of data, and everything of `Never`.
        Builtin = "builtin",
    }
}

words! {
    EdgeKind {
        /// From a function to a constraint of its body.
        Requires = "requires",
        /// From a constraint to another that its answer asks for.
        DependsOn = "depends_on",
        /// From a constraint to its answer.
        SolvedBy = "solved_by",
        /// From a constraint to the type that it is about.
        About = "about",
        /// From a function to a bound of its signature.
        Assumes = "assumes",
    }
}

words! {
    /// What became of a constraint.
    State {
        Resolved = "resolved",
        /// Nothing answers it.
        Unresolved = "unresolved",
        /// Several impls fit.
        Ambiguous = "ambiguous",
        /// Nothing tells the type.
        UnresolvedTypevar = "unresolved_typevar",
        /// Its premises lead back to it without end.
        Cyclic = "cyclic",
        /// Another mistake has kept it from being decided.
        Pending = "pending",
    }
}

/// What is looked at together: a function with all that its constraints lead to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// The node of the function; `None` for what belongs to none.
    pub function: Option<usize>,
    /// Ascending.
    pub nodes: Vec<usize>,
    /// Ascending, by indices into the edges of the graph.
    pub edges: Vec<usize>,
}

impl Graph {
    /// One group for each function, in order, and one for what none of them reaches. A node that several functions lead to is in each of their groups;
    /// where that would be too much, all is one group.
    pub fn groups(&self) -> Vec<Group> {
        let ids: HashMap<&str, usize> = self.nodes.iter().enumerate().map(|(i, node)| (&*node.id, i)).collect();
        let owner = |index: usize| match &self.nodes[index] {
            node if node.kind == NodeKind::Function => Some(index),
            node => node.function.as_deref().and_then(|id| ids.get(id)).copied(),
        };
        let owners: Vec<Option<usize>> = (0..self.nodes.len()).map(owner).collect();
        let mut leaving = vec![Vec::new(); self.nodes.len()];
        for (index, edge) in self.edges.iter().enumerate() {
            leaving[edge.from].push(index);
        }
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for (node, owner) in owners.iter().enumerate() {
            members.entry(owner.unwrap_or(usize::MAX)).or_default().push(node);
        }
        let mut seen = vec![usize::MAX; self.nodes.len()];
        let mut reached = vec![false; self.nodes.len()];
        let mut groups = Vec::new();
        // Nothing leaves what the functions of a program share, so this is never reached there.
        let mut left = 4 * (self.nodes.len() + self.edges.len());
        for function in (0..self.nodes.len()).filter(|&node| owners[node] == Some(node)) {
            let mut group = Group { function: Some(function), nodes: Vec::new(), edges: Vec::new() };
            let mut work = members.remove(&function).unwrap_or_default();
            work.iter().for_each(|&node| seen[node] = function);
            while let Some(node) = work.pop() {
                reached[node] = true;
                group.nodes.push(node);
                if left == 0 {
                    return vec![self.whole()];
                }
                left -= 1;
                // What belongs to another function is shown there.
                if owners[node].is_some_and(|owner| owner != function) {
                    continue;
                }
                for &edge in &leaving[node] {
                    group.edges.push(edge);
                    let to = self.edges[edge].to;
                    if seen[to] != function {
                        seen[to] = function;
                        work.push(to);
                    }
                }
            }
            group.nodes.sort_unstable();
            group.edges.sort_unstable();
            groups.push(group);
        }
        groups.extend(self.rest(&reached));
        groups
    }

    fn whole(&self) -> Group {
        Group { function: None, nodes: (0..self.nodes.len()).collect(), edges: (0..self.edges.len()).collect() }
    }

    /// What no function reaches, with the neighbours that it has among the reached.
    fn rest(&self, reached: &[bool]) -> Option<Group> {
        let edges: Vec<usize> = (0..self.edges.len()).filter(|&index| !reached[self.edges[index].from]).collect();
        let ends = edges.iter().flat_map(|&index| [self.edges[index].from, self.edges[index].to]);
        let mut nodes: Vec<usize> = ends.chain((0..self.nodes.len()).filter(|&node| !reached[node])).collect();
        nodes.sort_unstable();
        nodes.dedup();
        (!nodes.is_empty()).then_some(Group { function: None, nodes, edges })
    }

    /// The names of all functions.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(|node| node.kind == NodeKind::Function).map(|node| &*node.label)
    }

    /// The functions that are called so: by their whole name, or by the last parts of it.
    pub fn functions_named(&self, name: &str) -> Vec<usize> {
        let end = format!(".{name}");
        let is = |node: &Node| node.kind == NodeKind::Function && (node.label == name || node.label.ends_with(&end));
        (0..self.nodes.len()).filter(|&index| is(&self.nodes[index])).collect()
    }

    /// The groups of these functions, as a graph.
    pub fn only(&self, functions: &[usize]) -> Graph {
        let groups: Vec<Group> = self
            .groups()
            .into_iter()
            .filter(|group| group.function.is_some_and(|it| functions.contains(&it)))
            .collect();
        let mut kept: Vec<usize> = groups.iter().flat_map(|group| group.nodes.iter().copied()).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut edges: Vec<usize> = groups.into_iter().flat_map(|group| group.edges).collect();
        edges.sort_unstable();
        edges.dedup();
        let place: HashMap<usize, usize> = kept.iter().enumerate().map(|(new, &old)| (old, new)).collect();
        let moved = |index: usize| {
            let Edge { from, to, kind } = self.edges[index];
            Edge { from: place[&from], to: place[&to], kind }
        };
        Graph {
            nodes: kept.iter().map(|&index| self.nodes[index].clone()).collect(),
            edges: edges.into_iter().map(moved).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes are named by their index; edges are written as pairs.
    fn graph(nodes: &[(NodeKind, Option<usize>)], edges: &[(usize, usize)]) -> Graph {
        let node = |(index, &(kind, function)): (usize, &(NodeKind, Option<usize>))| Node {
            id: index.to_string(),
            label: format!("app.n{index}"),
            kind,
            function: function.map(|it| it.to_string()),
            state: None,
            at: None,
        };
        Graph {
            nodes: nodes.iter().enumerate().map(node).collect(),
            edges: edges.iter().map(|&(from, to)| Edge { from, to, kind: EdgeKind::Requires }).collect(),
        }
    }

    fn two_functions() -> Graph {
        use NodeKind::*;
        let nodes = [
            (Function, None),
            (Constraint, Some(0)),
            (Function, None),
            (Constraint, Some(2)),
            (Impl, None),
            (Impl, None),
        ];
        graph(&nodes, &[(0, 1), (1, 4), (2, 3), (3, 4), (3, 1)])
    }

    #[test]
    fn what_functions_share_is_in_each_of_their_groups() {
        let groups = two_functions().groups();
        let shown: Vec<_> = groups.iter().map(|group| (group.function, &group.nodes[..], &group.edges[..])).collect();
        // A constraint of the first function is shown in the second, but not what it leads to.
        let expected: [(Option<usize>, &[usize], &[usize]); 3] =
            [(Some(0), &[0, 1, 4], &[0, 1]), (Some(2), &[1, 2, 3, 4], &[2, 3, 4]), (None, &[5], &[])];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_function_is_found_by_the_end_of_its_name() {
        let graph = two_functions();
        assert_eq!(graph.functions_named("n2"), [2]);
        assert_eq!(graph.functions_named("app.n0"), [0]);
        assert!(graph.functions_named("0").is_empty() && graph.functions_named("app").is_empty());
        let only = graph.only(&[0]);
        let labels: Vec<&str> = only.nodes.iter().map(|node| &*node.label).collect();
        assert_eq!(labels, ["app.n0", "app.n1", "app.n4"]);
        assert_eq!(only.edges.iter().map(|edge| (edge.from, edge.to)).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
    }

    #[test]
    fn groups_that_would_repeat_too_much_become_one() {
        // Each of many functions leads to all of a long chain that belongs to none.
        let half = 2_000;
        let nodes: Vec<_> =
            (0..half).map(|_| (NodeKind::Function, None)).chain((0..half).map(|_| (NodeKind::Type, None))).collect();
        let edges: Vec<_> = (0..half).map(|it| (it, half)).chain((half..2 * half - 1).map(|it| (it, it + 1))).collect();
        let groups = graph(&nodes, &edges).groups();
        assert_eq!((groups.len(), groups[0].nodes.len(), groups[0].edges.len()), (1, 2 * half, edges.len()));
    }
}
