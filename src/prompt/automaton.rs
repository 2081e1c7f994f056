//! Finds many needles at once, in time linear in the text (Aho–Corasick).

/// A trie in breadth-first order with failure links. It is walked one symbol at a time. A node where needles end leads
/// to the longest of them, and each needle to the next shorter one that ends at the same place.
#[derive(Debug)]
pub(super) struct Automaton {
    /// The nodes; a node's children are adjacent and sorted by symbol.
    nodes: Vec<Node>,
    /// The symbol that leads to each node, stored separately because the symbols are what is searched.
    symbols: Vec<u32>,
    /// The node to which each of the first symbols leads from the root, where most of a text is matched.
    from_root: Vec<u32>,
    ends: Vec<NeedleEnd>,
    /// The owners of each end's needle, those of one end after another.
    owners: Vec<u32>,
}

#[derive(Debug)]
struct Node {
    first_child: u32,
    children: u32,
    fail: u32,
    /// The longest needle that ends here, or [`NOWHERE`].
    end: u32,
}

/// The end of a needle.
#[derive(Debug)]
struct NeedleEnd {
    /// The index of its first owner; the owners of the next end follow.
    owners: u32,
    /// The next shorter needle that ends at the same place, or [`NOWHERE`].
    shorter: u32,
}

pub(super) const ROOT: u32 = 0;
const NOWHERE: u32 = u32::MAX;
/// Covers ASCII, with and without the bit that marks the beginning of a word.
const FROM_ROOT: u32 = 256;

impl Automaton {
    /// Builds the automaton from needles and their owners; several needles may share an owner. Needles must not be
    /// empty, and must have fewer symbols in total than a `u32` counts.
    pub(super) fn new(mut needles: Vec<(Vec<u32>, u32)>) -> Automaton {
        needles.sort_unstable();
        needles.dedup();
        let mut automaton = Automaton {
            nodes: vec![Node::new(ROOT, NOWHERE)],
            symbols: vec![0],
            from_root: Vec::new(),
            ends: Vec::new(),
            owners: Vec::new(),
        };
        automaton.grow(&needles);
        automaton.from_root = (0..FROM_ROOT)
            .map(|symbol| automaton.step(ROOT, symbol))
            .collect();
        automaton
    }

    /// Adds nodes level by level; each node stands for the needles with the same symbols up to its depth.
    fn grow(&mut self, needles: &[(Vec<u32>, u32)]) {
        let mut level = vec![(ROOT, needles)];
        let mut depth = 0_usize;
        while !level.is_empty() {
            let mut next = Vec::new();
            let below = depth.saturating_add(1);
            for (node, mut rest) in level {
                while let Some(&symbol) = rest.first().and_then(|(needle, _)| needle.get(depth)) {
                    let alike =
                        rest.partition_point(|(other, _)| other.get(depth) <= Some(&symbol));
                    let (same, others) = rest.split_at_checked(alike).unwrap_or((rest, &[]));
                    // Needles that end here come before those that continue.
                    let end = same.partition_point(|(needle, _)| needle.get(below).is_none());
                    let (ending, longer) = same.split_at_checked(end).unwrap_or((same, &[]));
                    next.push((self.add_child(node, symbol, ending), longer));
                    rest = others;
                }
            }
            level = next;
            depth = below;
        }
    }

    /// Adds a child node. Its failure link leads to a node of a higher level, which must be complete: hence the order.
    fn add_child(&mut self, parent: u32, symbol: u32, ending: &[(Vec<u32>, u32)]) -> u32 {
        let fail = self
            .nodes
            .get(index(parent))
            .filter(|_| parent != ROOT)
            .map_or(ROOT, |node| self.step(node.fail, symbol));
        let child = count(&self.nodes);
        let shorter = self.end(fail).unwrap_or(NOWHERE);
        let end = if ending.is_empty() {
            shorter
        } else {
            let owners = count(&self.owners);
            self.owners.extend(ending.iter().map(|(_, owner)| *owner));
            self.ends.push(NeedleEnd { owners, shorter });
            count(&self.ends).saturating_sub(1)
        };
        self.nodes.push(Node::new(fail, end));
        self.symbols.push(symbol);
        if let Some(parent) = self.nodes.get_mut(index(parent)) {
            if parent.children == 0 {
                parent.first_child = child;
            }
            parent.children = parent.children.saturating_add(1);
        }
        child
    }

    /// Returns the node to which a symbol leads.
    pub(super) fn step(&self, mut node: u32, symbol: u32) -> u32 {
        loop {
            if node == ROOT
                && let Some(&child) = self.from_root.get(index(symbol))
            {
                return child;
            }
            let Some(at) = self.nodes.get(index(node)) else {
                return ROOT;
            };
            if let Some(child) = self.child(at, symbol) {
                return child;
            }
            if node == ROOT {
                return ROOT;
            }
            node = at.fail;
        }
    }

    fn child(&self, node: &Node, symbol: u32) -> Option<u32> {
        let first = index(node.first_child);
        let children = self
            .symbols
            .get(first..first.saturating_add(index(node.children)))?;
        let at = children.binary_search(&symbol).ok()?;
        u32::try_from(first.saturating_add(at)).ok()
    }

    /// Returns the longest needle that ends at this node.
    #[inline]
    pub(super) fn end(&self, node: u32) -> Option<u32> {
        let node = self.nodes.get(index(node))?;
        (node.end != NOWHERE).then_some(node.end)
    }

    /// Returns the number of different needles.
    pub(super) fn ends(&self) -> usize {
        self.ends.len()
    }

    /// Returns the owners of a needle.
    pub(super) fn owners(&self, end: u32) -> &[u32] {
        let first = |at: usize| self.ends.get(at).map(|end| index(end.owners));
        let at = index(end);
        let last = first(at.saturating_add(1)).unwrap_or(self.owners.len());
        first(at)
            .and_then(|first| self.owners.get(first..last))
            .unwrap_or_default()
    }

    /// Returns the next shorter needle that ends where this one does.
    pub(super) fn shorter(&self, end: u32) -> Option<u32> {
        let end = self.ends.get(index(end))?;
        (end.shorter != NOWHERE).then_some(end.shorter)
    }
}

impl Node {
    fn new(fail: u32, end: u32) -> Node {
        Node {
            first_child: 0,
            children: 0,
            fail,
            end,
        }
    }
}

fn count<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

#[expect(
    clippy::as_conversions,
    reason = "a usize has 32 bits at least, here and in Envoy"
)]
pub(super) fn index(number: u32) -> usize {
    number as usize
}

#[cfg(test)]
#[path = "automaton_tests.rs"]
mod tests;
