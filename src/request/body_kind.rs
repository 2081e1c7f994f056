//! Determines the kind of a request's body from its headers.

use std::fmt;

use super::{Headers, header_parameters};

/// The kinds of body that an API accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedBodies {
    /// JSON.
    Json,
    /// A form with files.
    Form,
    /// Either.
    Both,
}

/// The kind of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON, read by [`scan`](super::scan).
    Json,
    /// A form, read by [`scan_form`](super::scan_form).
    Form {
        /// The boundary between its parts, without the leading dashes.
        boundary: Vec<u8>,
    },
}

/// Why a body is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKindError {
    /// It is compressed.
    Encoding,
    /// The request has several `content-type` headers.
    SeveralTypes,
    /// Its type is not one that the API accepts.
    Type(AcceptedBodies),
    /// It is text, but not in UTF-8.
    Charset,
    /// It is a form without a usable boundary.
    Boundary,
}

impl fmt::Display for BodyKindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            BodyKindError::Encoding => {
                "The body is compressed (content-encoding). Send it uncompressed, or add Envoy's decompressor \
                 (envoy.filters.http.decompressor) before the router in the gateway."
            }
            BodyKindError::SeveralTypes => "There is more than one content-type. Send one.",
            BodyKindError::Type(AcceptedBodies::Json) => {
                "The body of this path is JSON. Send \"content-type: application/json\"."
            }
            BodyKindError::Type(AcceptedBodies::Form) => {
                "The body of this path is a form. Send \"content-type: multipart/form-data; boundary=...\"."
            }
            BodyKindError::Type(AcceptedBodies::Both) => {
                "The body of this path is JSON or a form. Send \"content-type: application/json\" or \
                 \"content-type: multipart/form-data; boundary=...\"."
            }
            BodyKindError::Charset => {
                "The body must be UTF-8. Send no charset in content-type, or \"charset=utf-8\"."
            }
            BodyKindError::Boundary => {
                "The content-type of this form has no boundary, or not one of 1 to 70 allowed characters."
            }
        })
    }
}

/// Returns the kind of body that these headers announce.
///
/// # Errors
/// If the API does not accept such a body.
pub fn body_kind(headers: &Headers, accepts: AcceptedBodies) -> Result<BodyKind, BodyKindError> {
    let mut encodings = headers
        .values("content-encoding")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    if encodings.any(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity")) {
        return Err(BodyKindError::Encoding);
    }
    let mut types = headers.values("content-type");
    let value = types.next().unwrap_or_default();
    if types.next().is_some() {
        return Err(BodyKindError::SeveralTypes);
    }
    let takes = |kind| accepts == kind || accepts == AcceptedBodies::Both;
    let (media_type, parameters) = header_parameters::split(value);
    let media_type = media_type.to_ascii_lowercase();
    let mut boundaries = Vec::new();
    for parameter in parameters {
        let parameter = parameter.map_err(|_| BodyKindError::Type(accepts))?;
        if parameter.is("charset") && !is_utf8(parameter.value) {
            return Err(BodyKindError::Charset);
        }
        if parameter.is("boundary") {
            boundaries.push(parameter.value);
        }
    }
    if takes(AcceptedBodies::Json) && is_json(&media_type) {
        return Ok(BodyKind::Json);
    }
    if !takes(AcceptedBodies::Form) || media_type != b"multipart/form-data" {
        return Err(BodyKindError::Type(accepts));
    }
    match boundaries.as_slice() {
        [boundary] if is_boundary(boundary) => Ok(BodyKind::Form {
            boundary: boundary.to_vec(),
        }),
        _ => Err(BodyKindError::Boundary),
    }
}

/// Whether this type, in lower case, is JSON; an empty type counts as JSON.
fn is_json(media_type: &[u8]) -> bool {
    let is_other = || media_type.starts_with(b"application/") && media_type.ends_with(b"+json");
    matches!(media_type, b"" | b"application/json" | b"text/json") || is_other()
}

/// Whether text in this charset is UTF-8.
fn is_utf8(charset: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"utf-8", b"utf8", b"us-ascii"];
    names.iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// Whether this is a valid boundary. Source: RFC 2046, section 5.1.1.
fn is_boundary(boundary: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())
        && boundary.iter().all(is_allowed)
        && !boundary.ends_with(b" ")
}

const MAX_BOUNDARY_BYTES: usize = 70;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(headers: &[(&str, &str)], accepts: AcceptedBodies) -> Result<BodyKind, BodyKindError> {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.as_bytes().to_vec();
            ((*name).to_owned(), value)
        });
        body_kind(&Headers::new(headers.collect()), accepts)
    }

    fn of_type(value: &str, accepts: AcceptedBodies) -> Result<BodyKind, BodyKindError> {
        kind(&[("content-type", value)], accepts)
    }

    #[test]
    fn json() {
        for value in [
            "",
            "application/json",
            "Application/JSON",
            "text/json",
            "application/vnd.api+json",
            "application/json;",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\";x=y",
            "application/json; charset=US-ASCII",
            "application/json; Charset=utf8",
        ] {
            assert_eq!(
                of_type(value, AcceptedBodies::Json),
                Ok(BodyKind::Json),
                "{value}"
            );
            assert_eq!(
                of_type(value, AcceptedBodies::Both),
                Ok(BodyKind::Json),
                "{value}"
            );
            let refused = Err(BodyKindError::Type(AcceptedBodies::Form));
            assert_eq!(of_type(value, AcceptedBodies::Form), refused, "{value}");
        }
        assert_eq!(kind(&[], AcceptedBodies::Json), Ok(BodyKind::Json));
        assert_eq!(
            kind(&[], AcceptedBodies::Form),
            Err(BodyKindError::Type(AcceptedBodies::Form))
        );
    }

    #[test]
    fn forms() {
        for (value, boundary) in [
            ("multipart/form-data; boundary=x", "x"),
            ("Multipart/Form-Data;BOUNDARY=\"a b\"", "a b"),
            (
                "multipart/form-data; charset=utf-8; boundary=----=_Part_1.2",
                "----=_Part_1.2",
            ),
            (
                "multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890",
                "1234567890123456789012345678901234567890123456789012345678901234567890",
            ),
        ] {
            let form = Ok(BodyKind::Form {
                boundary: boundary.as_bytes().to_vec(),
            });
            assert_eq!(of_type(value, AcceptedBodies::Form), form, "{value}");
            assert_eq!(of_type(value, AcceptedBodies::Both), form, "{value}");
            let refused = Err(BodyKindError::Type(AcceptedBodies::Json));
            assert_eq!(of_type(value, AcceptedBodies::Json), refused, "{value}");
        }
        for value in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=a@b",
            r#"multipart/form-data; boundary="a\"b""#,
            "multipart/form-data; boundary=a; boundary=a",
            "multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
        ] {
            let refused = Err(BodyKindError::Boundary);
            assert_eq!(of_type(value, AcceptedBodies::Form), refused, "{value}");
        }
    }

    #[test]
    fn what_is_neither() {
        for value in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "application/jsonp",
            "json",
            "application/json, application/json",
            "application/json charset=utf-8",
            "application/json; charset",
            "multipart/mixed; boundary=x",
            "application/jsonl",
        ] {
            for accepts in [
                AcceptedBodies::Json,
                AcceptedBodies::Form,
                AcceptedBodies::Both,
            ] {
                let refused = Err(BodyKindError::Type(accepts));
                assert_eq!(of_type(value, accepts), refused, "{value}");
            }
        }
        for charset in ["iso-8859-1", "utf-16", "\"\"", "", "utf-8x"] {
            let value = format!("application/json; charset={charset}");
            assert_eq!(
                of_type(&value, AcceptedBodies::Json),
                Err(BodyKindError::Charset)
            );
        }
        let twice = [("content-type", "application/json"); 2];
        assert_eq!(
            kind(&twice, AcceptedBodies::Json),
            Err(BodyKindError::SeveralTypes)
        );
    }

    #[test]
    fn encodings() {
        for (value, expected) in [
            ("identity", Ok(BodyKind::Json)),
            ("", Ok(BodyKind::Json)),
            ("Identity, identity", Ok(BodyKind::Json)),
            ("gzip", Err(BodyKindError::Encoding)),
            ("identity,br", Err(BodyKindError::Encoding)),
            ("zstd", Err(BodyKindError::Encoding)),
        ] {
            let found = kind(&[("content-encoding", value)], AcceptedBodies::Json);
            assert_eq!(found, expected, "{value}");
        }
        let second = [
            ("content-encoding", "identity"),
            ("content-encoding", "gzip"),
        ];
        assert_eq!(
            kind(&second, AcceptedBodies::Json),
            Err(BodyKindError::Encoding)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value: Vec<u8>) {
            let headers = Headers::new(vec![("content-type".to_owned(), value)]);
            let _ = body_kind(&headers, AcceptedBodies::Both);
        }
    }
}
