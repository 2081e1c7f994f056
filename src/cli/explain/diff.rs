//! Shows what an attempt changes in the request, as a diff.

use std::collections::HashMap;
use std::ops::Range;

use crate::simulated_envoy::HeaderList;

/// Returns the removed and the added header lines, in the order of the headers.
pub(super) fn headers(before: &HeaderList, after: &HeaderList) -> (Vec<String>, Vec<String>) {
    let missing = |these: &HeaderList, those: &HeaderList| {
        let gone = these.iter().filter(|pair| !those.contains(pair));
        gone.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    };
    (missing(before, after), missing(after, before))
}

/// How many bytes are shown around a change of the body.
const AROUND: usize = 24;

/// How long the common bytes between two changes must be to be left out.
const ANCHOR: usize = 64;

/// Returns the changed places of a body before and after, with some of the bytes around them; `None` if nothing
/// changes.
pub(super) fn body(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    if before == after {
        return None;
    }
    let places = places(before, after);
    let (left, right): (Vec<_>, Vec<_>) = places.into_iter().unzip();
    Some((shown(before, &left), shown(after, &right)))
}

/// Returns where the bodies differ, in order.
fn places(before: &[u8], after: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut places = Vec::new();
    let (mut at, mut to) = (0, 0);
    loop {
        let left = before.get(at..).unwrap_or_default();
        let right = after.get(to..).unwrap_or_default();
        let same = common(left.iter(), right.iter());
        let (left, right) = (
            left.get(same..).unwrap_or_default(),
            right.get(same..).unwrap_or_default(),
        );
        (at, to) = (at.saturating_add(same), to.saturating_add(same));
        if left.is_empty() && right.is_empty() {
            return places;
        }
        // Up to the next bytes that both have, or to the end.
        let (gone, come) = anchor(left, right).unwrap_or((left.len(), right.len()));
        let (old, new) = (
            left.get(..gone).unwrap_or_default(),
            right.get(..come).unwrap_or_default(),
        );
        let same = common(old.iter().rev(), new.iter().rev());
        let end = |start: usize, length: usize| start.saturating_add(length).saturating_sub(same);
        places.push((at..end(at, gone), to..end(to, come)));
        (at, to) = (at.saturating_add(gone), to.saturating_add(come));
    }
}

fn common<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// Returns where both have a long common piece.
fn anchor(left: &[u8], right: &[u8]) -> Option<(usize, usize)> {
    let mut pieces = HashMap::new();
    for (number, piece) in left.chunks_exact(ANCHOR).enumerate() {
        pieces.entry(piece).or_insert(number.saturating_mul(ANCHOR));
    }
    let mut windows = right.windows(ANCHOR).enumerate();
    windows.find_map(|(to, window)| Some((*pieces.get(window)?, to)))
}

/// Shows these places of a body with some of the bytes around them.
fn shown(body: &[u8], places: &[Range<usize>]) -> String {
    let mut shown = String::new();
    let mut known = 0;
    for place in places {
        let from = place.start.saturating_sub(AROUND).max(known);
        let to = place.end.saturating_add(AROUND).min(body.len());
        if from > known {
            shown.push('…');
        }
        shown.push_str(&String::from_utf8_lossy(
            body.get(from..to).unwrap_or_default(),
        ));
        known = to.max(known);
    }
    if known < body.len() {
        shown.push('…');
    }
    shown.replace(['\n', '\r', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_changes() {
        assert_eq!(body(b"same", b"same"), None);
        let before =
            br#"{"messages": "long before it", "model": "smart", "after": "long after it all"}"#;
        let after =
            br#"{"messages": "long before it", "model": "gpt", "after": "long after it all"}"#;
        let (before, after) = body(before, after).unwrap();
        assert_eq!(
            before,
            r#"…g before it", "model": "smart", "after": "long after…"#
        );
        assert_eq!(
            after,
            r#"…g before it", "model": "gpt", "after": "long after…"#
        );
        // Insertions, and repeated bytes.
        assert_eq!(body(b"aa", b"aaa").unwrap(), ("aa".into(), "aaa".into()));
        assert_eq!(body(b"", b"x").unwrap(), (String::new(), "x".into()));
    }

    #[test]
    fn what_stands_between_two_changes_is_left_out() {
        let prompt: String = (0..1000).map(|number| format!("{number} ")).collect();
        let before = format!(r#"{{"model":"a","messages":"{prompt}","max_tokens":5,"n":1}}"#);
        let after =
            format!(r#"{{"seed":1,"model":"b","messages":"{prompt}","max_completion_tokens":5}}"#);
        let (before, after) = body(before.as_bytes(), after.as_bytes()).unwrap();
        assert_eq!(
            before,
            r#"{"model":"a","messages":"0 1 2 3 4 … 996 997 998 999 ","max_tokens":5,"n":1}"#
        );
        assert_eq!(
            after,
            r#"{"seed":1,"model":"b","messages":"0 1 2 3 4 … 996 997 998 999 ","max_completion_tokens":5}"#
        );
    }

    proptest! {
        /// What is left out is the same in both, also where bytes repeat.
        #[test]
        fn the_rest_is_the_same(
            pieces in prop::collection::vec(("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,200}"), 0..6),
        ) {
            let text = |pick: fn(&(String, String, String)) -> &String| {
                let parts = pieces.iter().flat_map(|piece| [pick(piece).as_str(), &piece.2]);
                parts.collect::<String>().into_bytes()
            };
            let (before, after) = (text(|piece| &piece.0), text(|piece| &piece.1));
            let places = places(&before, &after);
            let without = |body: &[u8], places: Vec<Range<usize>>| {
                let mut rest = body.to_vec();
                for place in places.into_iter().rev() {
                    rest.drain(place);
                }
                rest
            };
            let (left, right): (Vec<_>, Vec<_>) = places.into_iter().unzip();
            prop_assert_eq!(without(&before, left), without(&after, right));
        }
    }

    #[test]
    fn headers_gone_and_new() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let before = vec![pair("a", "1"), pair("b", "2")];
        let after = vec![pair("b", "3"), pair("a", "1")];
        let (gone, new) = headers(&before, &after);
        assert_eq!(gone, ["b: 2"]);
        assert_eq!(new, ["b: 3"]);
    }
}
