//! Serves the page: checks who may see it, and sets its headers and body.

use serde_json::Value;

use super::sha256::{base64, digests_equal, sha256};
use crate::config::{Page, PageAccess};
use crate::request::Headers;
use crate::schema::split_query;

/// The page without its data.
const PAGE: &str = include_str!("page.html");

/// The placeholder for the data: JSON that cannot end the script element around it.
const DATA: &str = "{{data}}";

/// Which form of the page a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    /// The HTML page.
    Html,
    /// The page's data as JSON.
    Json,
}

/// The response with the page.
#[derive(Debug, PartialEq, Eq)]
pub struct PageResponse {
    /// The value of `content-type`.
    pub content_type: &'static str,
    /// All other headers.
    pub headers: Vec<(&'static str, String)>,
    /// The response body.
    pub body: Vec<u8>,
}

/// Returns which form of the page a request asks for; `None` if it asks for something else or may not see the page.
pub fn authorized_format(page: &Page, headers: &Headers) -> Option<PageFormat> {
    let format = requested_format(page, headers)?;
    let may = match &page.access {
        PageAccess::Public => true,
        PageAccess::Secret { header, sha256 } => {
            let mut values = headers.values(header);
            // Several values are refused: a proxy may have added one without checking what the client sent.
            let only = values.next().filter(|_| values.next().is_none());
            // An empty secret never matches, whatever the document says.
            let only = only.filter(|value| !value.is_empty());
            only.is_some_and(|value| digests_equal(&self::sha256(value), sha256))
        }
    };
    may.then_some(format)
}

/// Returns which form of the page a request asks for, whether or not it may see the page.
pub fn requested_format(page: &Page, headers: &Headers) -> Option<PageFormat> {
    let method = headers.text(":method")?;
    if !matches!(method, "GET" | "HEAD") || headers.contains("upgrade") {
        return None;
    }
    let (path, query) = split_query(headers.text(":path")?);
    let rest = path.strip_prefix(page.path.as_str())?;
    let accepts = headers.text("accept").unwrap_or_default();
    let asks_for_json = query.split('&').any(|pair| pair == "format=json")
        || accepts.contains("application/json") && !accepts.contains("text/html");
    match rest {
        ".json" => Some(PageFormat::Json),
        "" if asks_for_json => Some(PageFormat::Json),
        "" => Some(PageFormat::Html),
        _ => None,
    }
}

/// Returns the response to a request for the page with this data.
pub fn render(format: PageFormat, data: &Value) -> PageResponse {
    let json = data.to_string();
    let (content_type, policy, body) = match format {
        PageFormat::Json => ("application/json", NOTHING.to_owned(), json),
        PageFormat::Html => {
            // Names come from others: none of them may end the element around the data.
            let json = json.replace('<', "\\u003c");
            let policy = policy(PAGE);
            (
                "text/html; charset=utf-8",
                policy,
                PAGE.replacen(DATA, &json, 1),
            )
        }
    };
    let headers = vec![
        ("cache-control", "no-store".to_owned()),
        ("content-security-policy", policy),
        ("x-frame-options", "DENY".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("cross-origin-resource-policy", "same-origin".to_owned()),
        ("x-robots-tag", "noindex".to_owned()),
        ("vary", "accept".to_owned()),
    ];
    PageResponse {
        content_type,
        headers,
        body: body.into_bytes(),
    }
}

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Returns the Content-Security-Policy: a browser may run the page's one script, identified by its hash, apply its one
/// style, and request the data.
fn policy(page: &str) -> String {
    let inside = |begin: &str, end: &str| {
        let (_, rest) = page.split_once(begin)?;
        let (inside, _) = rest.split_once(end)?;
        Some(base64(&sha256(inside.as_bytes())))
    };
    let script = inside("<script>", "</script>").unwrap_or_default();
    let style = inside("<style>", "</style>").unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}
