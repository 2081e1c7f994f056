//! An answer that the filter gives itself.

use serde_json::Value;

/// A whole answer, with a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u32,
    /// Headers beside `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl Answer {
    /// The `content-type` of every answer.
    pub const CONTENT_TYPE: &'static str = "application/json";

    pub(crate) fn json(status: u32, body: &Value) -> Self {
        Answer {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
