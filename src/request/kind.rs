//! What kind of body a request has, by its headers.

use std::fmt;

use super::Headers;

/// What kinds of body an API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// JSON.
    Json,
    /// A form with files.
    Form,
    /// Either.
    Both,
}

/// What kind of body a request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// To be read by [`scan`](super::scan).
    Json,
    /// To be read by [`scan_form`](super::scan_form).
    Form {
        /// What separates its parts, without the dashes before it.
        boundary: Vec<u8>,
    },
}

/// Why a body of this kind is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindError {
    /// It is compressed.
    Encoding,
    /// There are several `content-type`s.
    SeveralTypes,
    /// It is another type than the API takes.
    Type(Accepts),
    /// It is text, but not in UTF-8.
    Charset,
    /// A form without a usable boundary.
    Boundary,
}

impl fmt::Display for KindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            KindError::Encoding => {
                "The body is compressed (content-encoding). Send it uncompressed, or let the gateway unpack it: \
                 with Envoy's decompressor (envoy.filters.http.decompressor) in front of the router."
            }
            KindError::SeveralTypes => "There is more than one content-type. Send one.",
            KindError::Type(Accepts::Json) => {
                "The body of this path is JSON. Send \"content-type: application/json\"."
            }
            KindError::Type(Accepts::Form) => {
                "The body of this path is a form. Send \"content-type: multipart/form-data; boundary=...\"."
            }
            KindError::Type(Accepts::Both) => {
                "The body of this path is JSON or a form. Send \"content-type: application/json\" or \
                 \"content-type: multipart/form-data; boundary=...\"."
            }
            KindError::Charset => {
                "The body has to be UTF-8. Send no charset in content-type, or \"charset=utf-8\"."
            }
            KindError::Boundary => {
                "The content-type of this form has no boundary of 1 to 70 of the characters that are allowed there."
            }
        })
    }
}

/// What kind of body these headers announce.
///
/// # Errors
/// If the API does not take such a body.
pub fn body_kind(_headers: &Headers, _accepts: Accepts) -> Result<BodyKind, KindError> {
    Ok(BodyKind::Json)
}
