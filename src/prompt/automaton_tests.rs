//! Tests of the automaton, also against a plain search for each needle.

use proptest::prelude::*;

use super::*;

fn needles(texts: &[&str]) -> Automaton {
    Automaton::new(
        texts
            .iter()
            .zip(0..)
            .map(|(text, owner)| (text.chars().map(u32::from).collect(), owner))
            .collect(),
    )
}

/// Returns where needles end and who owns them, by the automaton.
fn ends(automaton: &Automaton, text: &str) -> Vec<(usize, Vec<u32>)> {
    let mut node = ROOT;
    let mut ends = Vec::new();
    for (at, char) in text.chars().enumerate() {
        node = automaton.step(node, u32::from(char));
        let longest = automaton.end(node);
        let all = std::iter::successors(longest, |end| automaton.shorter(*end));
        let mut owners: Vec<u32> = all.flat_map(|end| automaton.owners(end)).copied().collect();
        owners.sort_unstable();
        if longest.is_some() {
            ends.push((at, owners));
        }
    }
    ends
}

#[test]
fn needles_within_needles() {
    let automaton = needles(&["he", "she", "his", "hers", "e", "he"]);
    let expected = [(3, vec![0, 1, 4, 5]), (5, vec![3]), (12, vec![2])];
    assert_eq!(ends(&automaton, "ushers hi his"), expected);
    assert_eq!(automaton.ends(), 5);
    assert_eq!(ends(&needles(&[]), "any"), []);
}

/// Links make the search linear: a symbol leads at most one level down, and each link at least one level up.
#[test]
fn links_lead_up() {
    let long: Vec<String> = (1..200).map(|length| "a".repeat(length) + "b").collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let automaton = needles(&long);
    let mut depths = vec![0; automaton.nodes.len()];
    for (at, node) in automaton.nodes.iter().enumerate() {
        for child in node.first_child..node.first_child + node.children {
            depths[index(child)] = depths[at] + 1;
        }
        assert!(at == 0 || depths[index(node.fail)] < depths[at]);
    }
    let mut node = ROOT;
    for char in "a".repeat(500).chars().chain("bab".chars()) {
        let next = automaton.step(node, u32::from(char));
        assert!(depths[index(next)] <= depths[index(node)] + 1);
        node = next;
    }
    assert_eq!(depths[index(node)], 2);
}

proptest! {
    #[test]
    fn agrees_with_looking_everywhere(
        texts in prop::collection::vec("[abé]{1,6}", 0..12),
        text in "[abéc]{0,60}",
    ) {
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let ends = ends(&needles(&borrowed), &text);
        let chars: Vec<char> = text.chars().collect();
        for at in 0..chars.len() {
            let so_far: String = chars[..=at].iter().collect();
            let owners = texts.iter().zip(0_u32..);
            let expected: Vec<u32> = owners
                .filter(|(needle, _)| so_far.ends_with(needle.as_str()))
                .map(|(_, owner)| owner)
                .collect();
            let found = ends.iter().find(|(end, _)| *end == at);
            let found = found.map(|(_, owners)| owners.clone()).unwrap_or_default();
            prop_assert_eq!(found, expected, "{:?} at {}", text, at);
        }
    }
}
