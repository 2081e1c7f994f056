//! The facts about a request against which conditions are evaluated.

use crate::request::{Caller, Content, Headers, Query};

/// What is known about a request: everything when a request is routed, only a part when a document is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The model that the request asks for.
    pub model: Option<&'a str>,
    /// The path, without its query.
    pub path: Option<&'a str>,
    /// The method.
    pub method: Option<&'a str>,
    /// The headers.
    pub headers: Option<&'a Headers>,
    /// Whether the request asks for a streamed answer.
    pub stream: Option<bool>,
    /// The query behind the `?` of the path; empty if there is none.
    pub query: Option<&'a Query>,
    /// What Envoy has verified about the caller.
    pub caller: Option<&'a Caller>,
    /// The rest of the body's content.
    pub content: Option<&'a Content<'a>>,
    /// When the request arrives: Unix time in milliseconds.
    pub now: Option<u64>,
    /// 64 random bits, the same for every draw of this request.
    pub random: Option<u64>,
}
