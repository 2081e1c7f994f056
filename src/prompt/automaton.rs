//! Many needles at once, in time linear in the text (Aho–Corasick).

/// A trie in breadth-first order with failure links. It is walked one symbol at a time, and says only whether one of the
/// needles ends here, not which: nothing is walked twice, however many of them end at one place.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    /// The nodes; a node's children stand together, ordered by symbol.
    nodes: Vec<Node>,
    /// The symbol that leads to each node, apart from them because it is what is searched.
    symbols: Vec<u32>,
    /// Where each of the first symbols leads from the root, which is where most of a text is met.
    from_root: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Node {
    first_child: u32,
    children: u32,
    fail: u32,
    accepts: bool,
}

pub(super) const ROOT: u32 = 0;
/// As many as ASCII has, with and without a bit.
const FROM_ROOT: u32 = 256;

impl Automaton {
    /// Of needles that are not empty, and have fewer symbols in all than a `u32` counts.
    pub(super) fn new(mut needles: Vec<Vec<u32>>) -> Automaton {
        needles.sort_unstable();
        needles.dedup();
        let mut automaton = Automaton {
            nodes: vec![Node::new(ROOT, false)],
            symbols: vec![0],
            from_root: Vec::new(),
        };
        automaton.grow(&needles);
        automaton.from_root = (0..FROM_ROOT)
            .map(|symbol| automaton.step(ROOT, symbol))
            .collect();
        automaton
    }

    /// Level by level: each node stands for the needles that begin alike up to its depth.
    fn grow(&mut self, needles: &[Vec<u32>]) {
        let mut level = vec![(ROOT, needles)];
        let mut depth = 0_usize;
        while !level.is_empty() {
            let mut next = Vec::new();
            let below = depth.saturating_add(1);
            for (node, mut rest) in level {
                while let Some(&symbol) = rest.first().and_then(|needle| needle.get(depth)) {
                    let alike = rest.partition_point(|other| other.get(depth) <= Some(&symbol));
                    let (same, others) = rest.split_at_checked(alike).unwrap_or((rest, &[]));
                    // What ends stands before what goes on.
                    let (ends, same) = match same.split_first() {
                        Some((needle, longer)) if needle.get(below).is_none() => (true, longer),
                        _ => (false, same),
                    };
                    next.push((self.add_child(node, symbol, ends), same));
                    rest = others;
                }
            }
            level = next;
            depth = below;
        }
    }

    /// What fails to a node of a level above needs to know all of that one, hence the order.
    fn add_child(&mut self, parent: u32, symbol: u32, ends: bool) -> u32 {
        let fail = self
            .nodes
            .get(index(parent))
            .filter(|_| parent != ROOT)
            .map_or(ROOT, |node| self.step(node.fail, symbol));
        let child = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let accepts = ends || self.accepts(fail);
        self.nodes.push(Node::new(fail, accepts));
        self.symbols.push(symbol);
        if let Some(parent) = self.nodes.get_mut(index(parent)) {
            if parent.children == 0 {
                parent.first_child = child;
            }
            parent.children = parent.children.saturating_add(1);
        }
        child
    }

    /// Where a symbol leads.
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

    /// Whether a needle ends at this node.
    #[inline]
    pub(super) fn accepts(&self, node: u32) -> bool {
        node != ROOT && self.nodes.get(index(node)).is_some_and(|node| node.accepts)
    }
}

impl Node {
    fn new(fail: u32, accepts: bool) -> Node {
        Node {
            first_child: 0,
            children: 0,
            fail,
            accepts,
        }
    }
}

#[expect(
    clippy::as_conversions,
    reason = "a usize has 32 bits at least, here and in Envoy"
)]
fn index(node: u32) -> usize {
    node as usize
}

#[cfg(test)]
#[path = "automaton_tests.rs"]
mod tests;
