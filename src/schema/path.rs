//! Builds the path of an attempt from the backend's template.

use std::fmt::Write as _;

use super::Schema;
use super::api::{API_PREFIX, AZURE_PREFIX, BEDROCK_MODEL, GEMINI_MODELS, GEMINI_PREFIXES};
use super::endpoint::ModelCall;

/// The template of a backend's paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    schema: Schema,
    /// The prefix that replaces the API's own; `None` for the API's own or the client's.
    prefix: Option<String>,
    parts: Vec<TemplatePart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Literal(String),
    /// The version at the beginning of the client's path.
    Version,
    /// `{model}`
    Model,
    /// `{operation}`
    Operation,
}

impl PathTemplate {
    /// Creates the template of a schema's paths, with `prefix` in place of its own.
    pub fn new(schema: Schema, prefix: Option<&str>) -> Self {
        let own = match schema {
            Schema::OpenAi | Schema::Anthropic => Some(API_PREFIX),
            Schema::AzureOpenAi => Some(AZURE_PREFIX),
            Schema::Gemini => None,
            Schema::Bedrock => Some(""),
        };
        let mut parts = vec![match prefix.or(own) {
            Some(prefix) => TemplatePart::Literal(prefix.to_owned()),
            None => TemplatePart::Version,
        }];
        let before_model = match schema {
            Schema::Gemini => Some(GEMINI_MODELS),
            Schema::Bedrock => Some(BEDROCK_MODEL),
            _ => None,
        };
        if let Some(before) = before_model {
            parts.extend([
                TemplatePart::Literal(before.to_owned()),
                TemplatePart::Model,
            ]);
        }
        parts.push(TemplatePart::Operation);
        PathTemplate {
            schema,
            prefix: prefix.or(own).map(str::to_owned),
            parts,
        }
    }

    /// Parses a template with `{model}` and `{operation}`.
    ///
    /// # Errors
    /// Returns a message that says what is wrong with the template and what to do.
    pub fn parse(schema: Schema, template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| "has a \"{\" without its \"}\"".to_owned())?;
            parts.push(TemplatePart::Literal(literal.to_owned()));
            parts.push(match name {
                "model" => TemplatePart::Model,
                "operation" => TemplatePart::Operation,
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
        parts.push(TemplatePart::Literal(rest.to_owned()));
        Ok(PathTemplate {
            parts,
            ..PathTemplate::new(schema, None)
        })
    }

    /// Whether the path of a call would not name the model although nothing else in the call does.
    pub fn omits_model(&self) -> bool {
        let is_in_path = matches!(self.schema, Schema::Gemini | Schema::Bedrock);
        is_in_path && !self.parts.contains(&TemplatePart::Model)
    }

    /// Returns the path of one call of one model (its upstream name). The client's query follows the template's own,
    /// without parameters that the template sets, because the client must not choose those.
    pub fn fill(&self, call: &ModelCall, model: &str, client_query: &str) -> String {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Literal(literal) => path.push_str(literal),
                TemplatePart::Version => path.push_str(call.version),
                TemplatePart::Model => percent_encode(model, &mut path),
                TemplatePart::Operation => path.push_str(call.api.operation()),
            }
        }
        // Azure's paths that name a model need an `api-version` that its other paths do not accept.
        let is_for_azure = self.schema == Schema::AzureOpenAi
            && self.parts.contains(&TemplatePart::Model) == call.model.is_some();
        with_query(path, client_query, is_for_azure)
    }

    /// Returns the path of a pass-through request: the client's own, with the backend's prefix.
    pub fn pass(&self, path: &str, client_query: &str) -> String {
        let known: &[&str] = match self.schema {
            // Clients of either schema can be sent to the other.
            Schema::OpenAi | Schema::AzureOpenAi => &[AZURE_PREFIX, API_PREFIX],
            Schema::Anthropic => &[API_PREFIX],
            Schema::Gemini => &GEMINI_PREFIXES,
            Schema::Bedrock => &[""],
        };
        let is_whole = |rest: &&str| rest.is_empty() || rest.starts_with('/');
        let mut rests = known
            .iter()
            .filter_map(|known| path.strip_prefix(known).filter(is_whole));
        let path = match (&self.prefix, rests.next()) {
            (Some(prefix), Some(rest)) => [prefix, rest].concat(),
            _ => path.to_owned(),
        };
        with_query(path, client_query, self.schema == Schema::AzureOpenAi)
    }
}

/// The query parameter with which Azure's clients choose a version. No other provider has it.
const API_VERSION: &str = "api-version";

/// Appends a client's query to a path and its own query.
fn with_query(mut path: String, client_query: &str, is_for_azure: bool) -> String {
    let own_query = path.split_once('?').map_or("", |(_, query)| query);
    let own_names: Vec<String> = parameters(own_query).map(|(name, _)| name).collect();
    for (name, parameter) in parameters(client_query) {
        if !own_names.contains(&name) && (is_for_azure || name != API_VERSION) {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(parameter);
        }
    }
    path
}

/// The query parameters in which some APIs accept a key, or a signature made with one, in lower case. A `*` at the
/// end stands for any suffix.
pub const CREDENTIAL_PARAMETERS: [&str; 14] = [
    "key",
    "$key",
    "api-key",
    "api_key",
    "apikey",
    "access_token",
    "oauth_token",
    "token",
    "subscription-key",
    "auth_token",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "x-amz-*",
];

/// Returns a query without its credentials.
pub fn without_credentials(query: &str) -> String {
    let kept = query.split('&').filter(|parameter| {
        // Some servers also split parameters at semicolons.
        !parameter.is_empty() && !parameter.split(';').any(is_credential)
    });
    let kept: Vec<&str> = kept.collect();
    kept.join("&")
}

/// Whether a parameter, as it is written, may be a credential to a server that ignores white space around its name or
/// a second `?` before it.
fn is_credential(parameter: &str) -> bool {
    let name = name_of(parameter).to_ascii_lowercase();
    let name = name.trim_matches(|char: char| char.is_whitespace() || matches!(char, '+' | '?'));
    let mut known = CREDENTIAL_PARAMETERS.iter();
    known.any(|known| match known.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *known == name,
    })
}

/// Returns a parameter's decoded name; empty if it is not UTF-8.
fn name_of(parameter: &str) -> String {
    let name = parameter
        .split_once('=')
        .map_or(parameter, |(name, _)| name);
    percent_decode(name).unwrap_or_default()
}

/// Returns the parameters of a query: the decoded name and the whole parameter as it is written.
fn parameters(query: &str) -> impl Iterator<Item = (String, &str)> {
    let written = query.split('&').filter(|parameter| !parameter.is_empty());
    written.map(|parameter| (name_of(parameter), parameter))
}

/// Encodes all but RFC 3986's unreserved characters as `%XX`, so that a model's name is always one segment.
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

/// Decodes a percent-encoded text; `None` if the result is not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    String::from_utf8(percent_decoded(text)).ok()
}

/// Decodes a percent-encoded text. A `%` that begins no escape stands for itself.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
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
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
