//! The headers of a request as Envoy has them: names in lower case, pseudo-headers included, values of any bytes.

use std::cell::{Cell, OnceCell};

/// The headers of one request, in order.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    pairs: Vec<(String, Vec<u8>)>,
    /// How often the headers have been searched, up to [`LOOKS`].
    looks: Cell<u8>,
    /// The indexes of all headers in the order of [`rank`]; those of one name keep their order.
    by_name: OnceCell<Vec<usize>>,
}

/// How many times the headers are searched linearly before they are sorted. For fewer searches, sorting costs more than
/// it saves.
const LOOKS: u8 = 16;

/// The sort key of a name; most names differ in length.
fn rank(name: &str) -> (usize, &str) {
    (name.len(), name)
}

impl Headers {
    /// Creates the headers from pairs of name (in lower case) and value.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Headers {
            pairs,
            ..Headers::default()
        }
    }

    /// Returns all values of a header.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let looks = self.looks.get();
        let is_sorted = looks >= LOOKS;
        if !is_sorted {
            self.looks.set(looks.saturating_add(1));
        }
        let sorted = is_sorted.then(|| self.sorted(name)).into_iter().flatten();
        let all = (!is_sorted)
            .then(|| self.pairs.iter())
            .into_iter()
            .flatten();
        all.filter(move |(known, _)| known == name)
            .chain(sorted)
            .map(|(_, value)| value.as_slice())
    }

    /// Returns the headers of a name by binary search.
    fn sorted<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a (String, Vec<u8>)> {
        let places = self.by_name.get_or_init(|| {
            let mut places: Vec<usize> = (0..self.pairs.len()).collect();
            // A stable sort, so that equal names keep their order.
            places.sort_by_key(|place| self.pairs.get(*place).map(|(name, _)| rank(name)));
            places
        });
        let pair = |place: &usize| self.pairs.get(*place);
        let first = places.partition_point(|place| {
            pair(place).is_some_and(|(known, _)| rank(known) < rank(name))
        });
        let rest = places.get(first..).unwrap_or_default().iter();
        rest.filter_map(pair)
            .take_while(move |(known, _)| known == name)
    }

    /// Returns the first value of a header, if it is text.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name)
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether the request has this header.
    pub fn contains(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Returns names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Returns the size of all names and values in bytes. Envoy's `request.total_size` exceeds the size of the body by
    /// this much.
    pub fn byte_size(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.len().saturating_add(value.len()))
            .fold(0, usize::saturating_add)
    }
}

impl PartialEq for Headers {
    /// Earlier searches make no difference.
    fn eq(&self, other: &Headers) -> bool {
        self.pairs == other.pairs
    }
}

impl Eq for Headers {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However often the headers have been searched before.
        #[test]
        fn all_values_of_a_name_in_order(
            pairs in prop::collection::vec(("[ab]{0,2}", prop::collection::vec(any::<u8>(), 0..2)), 0..12),
            names in prop::collection::vec("[abc]{0,3}", 40),
        ) {
            let headers = Headers::new(pairs.clone());
            for name in &names {
                let expected = pairs.iter().filter(|(known, _)| known == name);
                let expected: Vec<&[u8]> = expected.map(|(_, value)| value.as_slice()).collect();
                prop_assert_eq!(headers.contains(name), !expected.is_empty());
                prop_assert_eq!(headers.values(name).collect::<Vec<_>>(), expected);
            }
            prop_assert!(headers.by_name.get().is_some());
            prop_assert_eq!(headers, Headers::new(pairs));
        }
    }
}
