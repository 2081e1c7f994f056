//! An answer that the filter gives itself.

use serde_json::Value;

use super::ErrorCode;

/// A whole answer with a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u32,
    /// The error code, if the answer is an error.
    pub code: Option<ErrorCode>,
    /// Headers in addition to `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, as JSON.
    pub body: Vec<u8>,
}

impl Answer {
    /// The `content-type` of every answer.
    pub const CONTENT_TYPE: &'static str = "application/json";

    pub(crate) fn json(status: u32, body: &Value) -> Self {
        Answer {
            status,
            code: None,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    pub(super) fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }

    /// Returns the answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
