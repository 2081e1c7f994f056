//! What conditions are asked about.

use crate::request::{Caller, Content, Headers, Query};

/// What is known of a request: all of it when one is routed, only a part when a document is examined.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The `model` of the body.
    pub model: Option<&'a str>,
    /// The path without its query.
    pub path: Option<&'a str>,
    /// The method.
    pub method: Option<&'a str>,
    /// The headers.
    pub headers: Option<&'a Headers>,
    /// Whether a streamed answer is asked for.
    pub stream: Option<bool>,
    /// What is behind the `?` of the path; empty if there is none.
    pub query: Option<&'a Query>,
    /// What Envoy vouches for.
    pub caller: Option<&'a Caller>,
    /// What else the body says.
    pub content: Option<&'a Content<'a>>,
    /// When: Unix time in milliseconds.
    pub now: Option<u64>,
    /// 64 random bits, the same for whatever is drawn for this request.
    pub random: Option<u64>,
}
