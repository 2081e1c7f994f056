//! Parses the parameters of a query the way servers do.
//!
//! Source: the URL Standard of WHATWG, `application/x-www-form-urlencoded` parsing: only `&` separates parameters, `+`
//! is a space, and a `%` that does not begin an escape stands for itself.

use std::cell::OnceCell;

use crate::schema::percent_decoded;

/// The query behind the `?` of a path. It is parsed once, when a parameter is first looked up.
#[derive(Clone, Debug, Default)]
pub struct Query {
    written: String,
    parameters: OnceCell<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Query {
    /// Creates a query from its text; empty if there is none.
    pub fn new(written: &str) -> Query {
        Query {
            written: written.to_owned(),
            parameters: OnceCell::new(),
        }
    }

    /// Returns all values of a parameter, in order. A parameter without a value has an empty one.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let all = self.parameters.get_or_init(|| parameters(&self.written));
        let first = all.partition_point(|(known, _)| known.as_slice() < name.as_bytes());
        let rest = all.get(first..).unwrap_or_default().iter();
        rest.take_while(move |(known, _)| known == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }
}

/// Returns name and value of each parameter, sorted by name; those of the same name keep their order.
fn parameters(written: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    let parameters = written.split('&').filter(|parameter| !parameter.is_empty());
    let mut all: Vec<_> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decoded(name), decoded(value))
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_servers_read_them() {
        let query = Query::new(
            "b=2&a=1&&b=&b&b=x=y&c+d=e+f%2Bg&%61=%31&%C3%A9=%ff&=nameless&p=100%&q=%zz&r=1;a=3&t=?&A=4",
        );
        let values =
            |name: &str| -> Vec<Vec<u8>> { query.values(name).map(<[u8]>::to_vec).collect() };
        for (name, expected) in [
            ("a", &[&b"1"[..], b"1"][..]),
            ("b", &[b"2", b"", b"", b"x=y"]),
            ("c d", &[b"e f+g"]),
            ("é", &[b"\xff"]),
            ("", &[b"nameless"]),
            ("p", &[b"100%"]),
            ("q", &[b"%zz"]),
            ("r", &[b"1;a=3"]),
            ("t", &[b"?"]),
            ("A", &[b"4"]),
            ("nope", &[]),
        ] {
            assert_eq!(values(name), expected, "{name}");
        }
        assert_eq!(Query::new("").values("").count(), 0);
        assert_eq!(Query::default().values("a").count(), 0);
    }
}
