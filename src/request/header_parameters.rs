//! Parses header values of the form `word; name=value; name="value"`, such as those of `content-type` and
//! `content-disposition`.
//!
//! Sources: RFC 9110, section 5.6.6; RFC 2045, section 5.1. A value without quotes may be any text up to the next `;`,
//! because boundaries that need quotes are often written without them. White space and quotes are not allowed in it:
//! some readers skip them, others end the value there.

/// Marks the place from which on the parameters cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    /// The value without quotes, but with the backslashes that were in them.
    pub(super) value: &'a [u8],
}

impl Parameter<'_> {
    /// Whether the parameter has this name, given in lower case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Splits a value into the word before the first `;` and the parameters after it. A malformed parameter is the last one
/// returned.
pub(super) fn split(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let end = value.iter().position(|byte| *byte == b';');
    let (word, rest) = value
        .split_at_checked(end.unwrap_or(value.len()))
        .unwrap_or_default();
    (word.trim_ascii(), Parameters { rest })
}

/// The parameters of a value; see [`split`].
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    fn parse(&mut self) -> Option<Parameter<'a>> {
        let rest = self.rest;
        let name_end = rest.iter().position(|byte| !is_token(*byte))?;
        let (name, rest) = rest.split_at_checked(name_end)?;
        let rest = rest.strip_prefix(b"=").filter(|_| !name.is_empty())?;
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(inside) => {
                let end = quoted_length(inside)?;
                (inside.get(..end)?, inside.get(end.checked_add(1)?..)?)
            }
            None => {
                let end = rest.iter().position(|byte| *byte == b';');
                let (value, rest) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
                let value = value.trim_ascii_end();
                let is_odd = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'"';
                if value.iter().any(is_odd) {
                    return None;
                }
                (value, rest)
            }
        };
        self.rest = rest.trim_ascii_start();
        Some(Parameter { name, value })
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.rest;
        while let Some(rest) = self.rest.strip_prefix(b";") {
            self.rest = rest.trim_ascii_start();
        }
        if self.rest.is_empty() {
            return None;
        }
        let is_separated = self.rest.len() < before.len();
        let parameter = if is_separated { self.parse() } else { None };
        if parameter.is_none() {
            self.rest = &[];
        }
        Some(parameter.ok_or(Malformed))
    }
}

/// Returns the number of bytes before the closing quote; a backslash escapes the next byte.
fn quoted_length(inside: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    inside.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })
}

/// Whether this is a token character. Source: RFC 9110, section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> (String, Vec<String>) {
        let (word, parameters) = split(value.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let parameters = parameters.map(|parameter| match parameter {
            Ok(one) => format!("{} {}", text(one.name), text(one.value)),
            Err(Malformed) => "malformed".to_owned(),
        });
        (text(word), parameters.collect())
    }

    #[test]
    fn words_and_parameters() {
        for (value, word, expected) in [
            ("application/json", "application/json", vec![]),
            (" a/b ;", "a/b", vec![]),
            ("a/b;;  ; c=d", "a/b", vec!["c d"]),
            (
                "a;b=c ;d=\"e;f\" ; g=h=i/j",
                "a",
                vec!["b c", "d e;f", "g h=i/j"],
            ),
            (r#"a; b="c\"d\\"; e=f"#, "a", vec![r#"b c\"d\\"#, "e f"]),
            ("a; b=", "a", vec!["b "]),
            ("a; b= ", "a", vec!["b "]),
            ("a; b=c\"d", "a", vec!["malformed"]),
            ("a; b= c", "a", vec!["malformed"]),
            ("a; b= \"c\"", "a", vec!["malformed"]),
            ("a; b=c d", "a", vec!["malformed"]),
            ("a; b", "a", vec!["malformed"]),
            ("a; =b", "a", vec!["malformed"]),
            ("a; b =c", "a", vec!["malformed"]),
            ("a; b=\"c", "a", vec!["malformed"]),
            ("a; b=\"c\\\"", "a", vec!["malformed"]),
            ("a; b=\"c\"d; e=f", "a", vec!["b c", "malformed"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(read(value), (word.to_owned(), expected), "{value}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value: Vec<u8>) {
            prop_assert!(split(&value).1.count() <= value.len());
        }
    }
}
