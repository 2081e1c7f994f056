//! Puts a route's candidates into the order in which they are tried.

use super::condition::Subject;
use super::decision::Candidate;
use super::rendezvous;
use super::sticky::KeySource;
use crate::config::{Route, Strategy};
use crate::hash::{mix, scale};

/// How the order of a plan was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice<'d> {
    /// It is the order of the document.
    Ordered,
    /// It was drawn at random for this request.
    Drawn,
    /// By a key of the request, from this source: all requests with this key have the same order.
    Sticky(&'d KeySource),
}

impl Choice<'_> {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Choice::Ordered => "ordered",
            Choice::Drawn => "drawn",
            Choice::Sticky(_) => "sticky",
        }
    }
}

/// Orders a route's candidates, which are in the order of the document, group by group.
pub(super) fn order<'d, 'm>(
    route: &'d Route,
    candidates: Vec<Candidate<'m>>,
    subject: &Subject<'_>,
) -> (Vec<Candidate<'m>>, Choice<'d>) {
    if !route.is_weighted() {
        return (candidates, Choice::Ordered);
    }
    let key = route.sticky.key(subject);
    let mut random = subject.random.unwrap_or(0);
    let mut plan = Vec::with_capacity(candidates.len());
    let mut left = candidates;
    while let Some(group) = left.first().map(|first| first.group) {
        let end = left.iter().position(|one| one.group != group);
        let rest = left.split_off(end.unwrap_or(left.len()));
        match (route.groups.get(group), &key) {
            (Some(Strategy::Weighted), Some(key)) => {
                let bits = route.sticky.bits(key);
                rendezvous::order(left, bits, |one| (one.weight, one.identity), &mut plan);
            }
            (Some(Strategy::Weighted), None) => {
                draw_all(left, |one| one.weight, &mut random, &mut plan);
            }
            (Some(Strategy::Ordered) | None, _) => plan.append(&mut left),
        }
        left = rest;
    }
    let choice = key.map_or(Choice::Drawn, |key| Choice::Sticky(key.source));
    (plan, choice)
}

/// Draws all items one after the other, each in proportion to its weight among those left. Items with weight 0 come
/// last and keep their order. `random`: 64 random bits; afterwards, the bits left for the next draw.
fn draw_all<T>(mut left: Vec<T>, weight: impl Fn(&T) -> u32, random: &mut u64, drawn: &mut Vec<T>) {
    while !left.is_empty() {
        let total = left
            .iter()
            .map(|one| u64::from(weight(one)))
            .fold(0, u64::saturating_add);
        *random = mix(*random);
        let mut point = scale(*random, total);
        let position = left.iter().position(|one| {
            let weight = u64::from(weight(one));
            let hit = point < weight;
            point = point.saturating_sub(weight);
            hit
        });
        drawn.push(left.remove(position.unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::statistics::is_share;

    fn drawn(weights: &[u32], mut random: u64) -> Vec<usize> {
        let mut drawn = Vec::new();
        let all = (0..weights.len()).collect();
        draw_all(
            all,
            |index: &usize| weights[*index],
            &mut random,
            &mut drawn,
        );
        drawn
    }

    #[test]
    fn weights_within_three_standard_errors() {
        let weights = [70, 20, 10];
        let rounds = 30_000_u32;
        let mut firsts = [0_u32; 3];
        let mut seconds_after_first = [0_u32; 3];
        for seed in 0..rounds {
            let order = drawn(&weights, mix(seed.into()));
            firsts[order[0]] += 1;
            if order[0] == 0 {
                seconds_after_first[order[1]] += 1;
            }
        }
        for (seen, weight) in firsts.iter().zip(weights) {
            is_share(*seen, rounds, f64::from(weight) / 100.0);
        }
        is_share(seconds_after_first[1], firsts[0], 2.0 / 3.0);
    }

    #[test]
    fn without_a_weight_last_and_in_order() {
        for seed in 0..100 {
            let order = drawn(&[0, 3, 0, 1], seed);
            assert_eq!(order[2..], [0, 2]);
        }
    }
}
