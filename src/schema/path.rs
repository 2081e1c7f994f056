//! The path of an attempt: a backend's template filled in.

use std::fmt::Write as _;

use super::endpoint::{API_PREFIX, Api};

/// How a backend's paths are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `{model}`
    Model,
    /// `{operation}`
    Operation,
}

impl Default for PathTemplate {
    fn default() -> Self {
        PathTemplate::with_prefix(API_PREFIX)
    }
}

impl PathTemplate {
    /// Some prefix in the place of the API's own `/v1`.
    pub fn with_prefix(prefix: &str) -> Self {
        PathTemplate {
            parts: vec![Part::Literal(prefix.to_owned()), Part::Operation],
        }
    }

    /// Reads a template with `{model}` and `{operation}`.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| "has a \"{\" without its \"}\"".to_owned())?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(match name {
                "model" => Part::Model,
                "operation" => Part::Operation,
                other => {
                    return Err(format!(
                        "knows {{model}} and {{operation}}, not {{{other}}}"
                    ));
                }
            });
            rest = after;
        }
        if rest.contains('}') {
            return Err("has a \"}\" without its \"{\"".to_owned());
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(PathTemplate { parts })
    }

    /// The path for one operation on one model (its upstream name), with the client's query after whatever query
    /// the template has itself, but for parameters that the template sets: those are not the client's to choose.
    pub fn fill(&self, api: Api, model: &str, client_query: &str) -> String {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => path.push_str(literal),
                Part::Model => percent_encode(model, &mut path),
                Part::Operation => path.push_str(api.operation()),
            }
        }
        let own_query = path.split_once('?').map_or("", |(_, query)| query);
        let own_names: Vec<String> = parameters(own_query).map(|(name, _)| name).collect();
        for (name, parameter) in parameters(client_query) {
            if !own_names.contains(&name) {
                path.push(if path.contains('?') { '&' } else { '?' });
                path.push_str(parameter);
            }
        }
        path
    }
}

/// Query parameters in which some APIs take their key, or a signature made with it; in lower case. A `*` at the end stands
/// for any.
pub const CREDENTIAL_PARAMETERS: [&str; 10] = [
    "key",
    "$key",
    "api-key",
    "api_key",
    "apikey",
    "access_token",
    "oauth_token",
    "token",
    "subscription-key",
    "x-amz-*",
];

/// A query without credentials.
pub fn without_credentials(query: &str) -> String {
    let kept = parameters(query).filter(|(name, _)| !is_credential(&name.to_ascii_lowercase()));
    let kept: Vec<&str> = kept.map(|(_, parameter)| parameter).collect();
    kept.join("&")
}

fn is_credential(name: &str) -> bool {
    let mut known = CREDENTIAL_PARAMETERS.iter();
    known.any(|known| match known.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *known == name,
    })
}

/// The parameters of a query: each name as it is meant, and the whole as it is written.
fn parameters(query: &str) -> impl Iterator<Item = (String, &str)> {
    let written = query.split('&').filter(|parameter| !parameter.is_empty());
    written.map(|parameter| {
        let name = parameter
            .split_once('=')
            .map_or(parameter, |(name, _)| name);
        (percent_decode(name).unwrap_or_default(), parameter)
    })
}

/// All but RFC 3986's unreserved characters as `%XX`, so that a model's name is always one segment.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// What a percent-encoded text means; `None` if that is no UTF-8. A `%` that begins no escape stands for itself.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if *byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            out.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_templates() {
        let chat =
            |template: &PathTemplate, query| template.fill(Api::ChatCompletions, "gpt 4/o", query);
        assert_eq!(chat(&PathTemplate::default(), ""), "/v1/chat/completions");
        assert_eq!(
            chat(&PathTemplate::with_prefix(""), "beta=true"),
            "/chat/completions?beta=true"
        );
        let azure =
            PathTemplate::parse("/openai/deployments/{model}{operation}?api-version=1").unwrap();
        assert_eq!(
            chat(&azure, "a=b&&c"),
            "/openai/deployments/gpt%204%2Fo/chat/completions?api-version=1&a=b&c"
        );
        assert_eq!(
            PathTemplate::parse("/x")
                .unwrap()
                .fill(Api::Messages, "m", ""),
            "/x"
        );
        for wrong in ["/{", "/{mode}", "/}", "/{model}}", "/{}"] {
            assert!(PathTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_in_the_query_is_a_credential() {
        for query in [
            "key=secret",
            "key",
            "k%65y=secret",
            "KEY=secret&api-key=secret&access_token=secret",
            "%6B%65%79=secret&key=x",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=secret&x-amz-security-token=secret",
            "%24key=secret&oauth_token=secret&subscription-key=secret",
            "",
        ] {
            assert_eq!(without_credentials(query), "", "{query}");
        }
        assert_eq!(
            without_credentials("keys=1&key=2&monkey=3"),
            "keys=1&monkey=3"
        );
    }

    #[test]
    fn percent_decoding() {
        assert_eq!(percent_decode("a%2Fb%2fc").unwrap(), "a/b/c");
        assert_eq!(percent_decode("100%").unwrap(), "100%");
        assert_eq!(percent_decode("%zz%4").unwrap(), "%zz%4");
        assert_eq!(percent_decode("%ff"), None);
    }
}
