//! Which of many texts does this one begin with?
//!
//! A radix tree in flat arrays: a node is the longest run of bytes that all texts below share, its children lie side by
//! side, ordered by their first byte. A lookup costs the length of the text asked about, whatever number of texts there
//! are, and no memory. The tree is built once, level by level, so that neither long nor many texts recurse.

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Of `labels`.
    label: u32,
    label_len: u32,
    first_child: u32,
    children: u32,
    /// What the caller stored for the text that ends here.
    slot: u32,
}

#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// The first byte of the label of each node: searched without touching the nodes.
    first: Vec<u8>,
    labels: Vec<u8>,
}

/// In which direction the text asked about is read.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Forward,
    Backward,
}

impl Trie {
    /// `keys[i]` gets the slot `i`. They are sorted, and each is there once.
    pub fn new(keys: &[Vec<u8>]) -> Trie {
        let mut trie = Trie::default();
        if keys.is_empty() {
            return trie;
        }
        trie.push(0);
        // Nodes whose keys share their first `depth` bytes and have no label yet.
        let mut open = std::collections::VecDeque::from([(0, 0, keys.len(), 0)]);
        while let Some((node, mut low, high, depth)) = open.pop_front() {
            let shared = common_prefix(&keys[low][depth..], &keys[high - 1][depth..]);
            let end = depth + shared;
            trie.nodes[node].label = trie.labels.len() as u32;
            trie.nodes[node].label_len = shared as u32;
            trie.labels.extend_from_slice(&keys[low][depth..end]);
            if keys[low].len() == end {
                trie.nodes[node].slot = low as u32;
                low += 1;
            }
            trie.nodes[node].first_child = trie.nodes.len() as u32;
            while low < high {
                let byte = keys[low][end];
                let group = low + keys[low..high].partition_point(|key| key[end] == byte);
                open.push_back((trie.nodes.len(), low, group, end));
                trie.push(byte);
                trie.nodes[node].children += 1;
                low = group;
            }
        }
        trie
    }

    fn push(&mut self, byte: u8) {
        self.nodes.push(Node { label: 0, label_len: 0, first_child: 0, children: 0, slot: NONE });
        self.first.push(byte);
    }

    /// Calls `found` with the slot and the length of each key that the text begins with, shortest first.
    #[inline]
    pub fn prefixes(&self, text: &[u8], read: Read, mut found: impl FnMut(u32, usize)) {
        let at = |index: usize| match read {
            Read::Forward => text[index],
            Read::Backward => text[text.len() - 1 - index],
        };
        let Some(mut node) = self.nodes.first() else { return };
        let mut depth = 0;
        loop {
            let label = &self.labels[node.label as usize..(node.label + node.label_len) as usize];
            if text.len() - depth < label.len() {
                return;
            }
            let same = match read {
                Read::Forward => text[depth..depth + label.len()] == *label,
                Read::Backward => label.iter().enumerate().all(|(index, &byte)| at(depth + index) == byte),
            };
            if !same {
                return;
            }
            depth += label.len();
            if node.slot != NONE {
                found(node.slot, depth);
            }
            if depth == text.len() {
                return;
            }
            let children = node.first_child as usize..(node.first_child + node.children) as usize;
            let Ok(child) = self.first[children.clone()].binary_search(&at(depth)) else { return };
            node = &self.nodes[children.start + child];
        }
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(keys: &[Vec<u8>], text: &[u8], read: Read) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        Trie::new(keys).prefixes(text, read, |slot, len| all.push((slot, len)));
        all
    }

    #[test]
    fn an_empty_tree_has_nothing() {
        assert_eq!(found(&[], b"a", Read::Forward), []);
    }

    #[test]
    fn texts_inside_of_each_other_do_not_recurse() {
        let keys: Vec<Vec<u8>> = (0..5_000).map(|len| vec![b'a'; len]).collect();
        assert_eq!(found(&keys, &vec![b'a'; 100_000], Read::Forward).len(), 5_000);
    }

    proptest! {
        #[test]
        fn agrees_with_starts_with(
            keys in proptest::collection::btree_set("[ab]{0,6}", 0..30),
            text in "[abc]{0,8}",
        ) {
            let keys: Vec<Vec<u8>> = keys.into_iter().map(String::into_bytes).collect();
            let mut reversed = text.clone().into_bytes();
            reversed.reverse();
            let mut expected: Vec<(u32, usize)> = keys
                .iter()
                .enumerate()
                .filter(|(_, key)| text.as_bytes().starts_with(key))
                .map(|(slot, key)| (slot as u32, key.len()))
                .collect();
            expected.sort_by_key(|&(_, len)| len);
            prop_assert_eq!(found(&keys, text.as_bytes(), Read::Forward), expected.clone());
            prop_assert_eq!(found(&keys, &reversed, Read::Backward), expected);
        }
    }
}
