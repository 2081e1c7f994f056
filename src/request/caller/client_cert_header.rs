//! Parses the header `x-forwarded-client-cert`, which has one element for each hop; the last hop's comes last.
//!
//! Source: Envoy's documentation of the HTTP connection manager's headers: elements are separated by commas, their
//! `key=value` pairs by semicolons; a value with one of `,;="` is quoted, and a quote in it is `\"`.

/// Returns the URIs of each element, in order; `None` if the header is malformed. Nothing is repaired: what one reader
/// takes for an element could be part of a value to another.
pub(super) fn uris(header: &[u8]) -> Option<Vec<Vec<String>>> {
    if header.trim_ascii().is_empty() {
        return Some(Vec::new());
    }
    let mut elements = vec![Vec::new()];
    let mut rest = header;
    loop {
        let (key, after) = split_at_byte(rest, b'=')?;
        let key = key.trim_ascii();
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let (value, after) = match after.split_first() {
            Some((b'"', after)) => quoted(after)?,
            _ => unquoted(after)?,
        };
        if key.eq_ignore_ascii_case(b"URI") {
            let uri = String::from_utf8(value).ok()?;
            elements.last_mut()?.push(uri);
        }
        match after.split_first() {
            None => return Some(elements),
            Some((b';', after)) => rest = after,
            Some((b',', after)) => {
                elements.push(Vec::new());
                rest = after;
            }
            Some(_) => return None,
        }
    }
}

fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.get(1..)?))
}

/// Reads a value behind its opening quote; returns it with the bytes after the closing quote.
fn quoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = bytes;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = match (byte, after.split_first()) {
            (b'"', _) => return Some((value, after)),
            (b'\\', Some((escaped, after))) => {
                value.push(*escaped);
                after
            }
            (byte, _) => {
                value.push(*byte);
                after
            }
        };
    }
}

/// Reads a value up to a separator, which is not consumed. It may contain `=`, because Envoy writes URIs unquoted.
fn unquoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let is_separator = |byte: &u8| matches!(byte, b',' | b';');
    let end = bytes.iter().position(is_separator);
    let (value, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
    (!value.contains(&b'"')).then(|| (value.trim_ascii_end().to_vec(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_as_envoy_writes_them() {
        for (header, expected) in [
            ("", &[][..]),
            ("  ", &[]),
            ("Hash=0a", &[&[][..]]),
            (
                r#"By=spiffe://td/a;Hash=0a;Subject="/C=US/CN=\"x\", y;z=1";URI=spiffe://td/b;DNS=x.example"#,
                &[&["spiffe://td/b"]],
            ),
            ("Hash=0a;URI=a;URI=b , uri=c=d", &[&["a", "b"], &["c=d"]]),
            (r#"URI="a,b;c\"\\d",URI="#, &[&[r#"a,b;c"\d"#], &[""]]),
        ] {
            let expected: Vec<Vec<String>> = expected
                .iter()
                .map(|uris| uris.iter().map(|uri| (*uri).to_owned()).collect())
                .collect();
            assert_eq!(uris(header.as_bytes()), Some(expected), "{header}");
        }
    }

    #[test]
    fn what_is_no_list() {
        for header in [
            "URI",
            "=a",
            "URI=a,",
            "URI=a;",
            "URI=a,,URI=b",
            ",URI=a",
            "URI=\"a",
            "URI=\"a\\\"",
            "URI=\"a\"b",
            "URI=a\"b\"",
            "URI=a;a b=c",
            "URI=a;\"URI\"=b",
        ] {
            assert_eq!(uris(header.as_bytes()), None, "{header}");
        }
        assert_eq!(uris(b"URI=\xff"), None);
    }
}
