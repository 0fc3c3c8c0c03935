//! Strongly connected components [Tarjan 1972], without recursion.

use cranelift_entity::EntityRef;

/// The number of each node's component; a component is numbered after those it has edges to.
pub fn components<Node: EntityRef>(edges: &[Vec<Node>]) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let count = edges.len();
    let mut index = vec![NONE; count];
    let mut low = vec![0u32; count];
    let mut component = vec![NONE; count];
    let mut stack = Vec::new();
    let mut next = 0;
    let mut found = 0;
    for start in 0..count {
        if index[start] != NONE {
            continue;
        }
        let mut work: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some(&mut (node, ref mut at)) = work.last_mut() {
            if index[node] == NONE {
                index[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
            }
            if let Some(target) = edges[node].get(*at) {
                *at += 1;
                let target = target.index();
                if index[target] == NONE {
                    work.push((target, 0));
                } else if component[target] == NONE {
                    low[node] = low[node].min(index[target]);
                }
                continue;
            }
            work.pop();
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}
