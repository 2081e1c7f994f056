//! Sticky choices: finds the key of a request, so that the same key gets the same targets without stored state.

use std::fmt;
use std::sync::Arc;

use super::condition::Subject;
use crate::hash::{self, Fnv1a, fnv1a, mix, scale};
use crate::request::{CallerParts, Content, RawFieldValue, text};

/// A source of a request's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The first value of a header; its name is in lower case.
    Header(String),
    /// The first value of a query parameter.
    Query(String),
    /// The first value of a claim in a token that Envoy has verified; dots separate the names of nested claims.
    Claim(String),
    /// The mesh identity that the caller's certificate proves.
    Mesh,
    /// A field of the body: its name, or names separated by dots, outermost first.
    Body(String),
    /// The end user on whose behalf the caller asks, as named in the body.
    User,
    /// The beginning of the conversation.
    Conversation,
}

/// The fields in which the APIs name the end user, in the order in which they are tried: OpenAI's, OpenAI's older one,
/// and Anthropic's. Gemini and Bedrock have none.
pub const USER_FIELDS: [&str; 3] = ["safety_identifier", "user", "metadata.user_id"];

impl KeySource {
    /// Returns the stable name of the source.
    pub const fn name(&self) -> &'static str {
        match self {
            KeySource::Header(_) => "header",
            KeySource::Query(_) => "query",
            KeySource::Claim(_) => "claim",
            KeySource::Mesh => "mesh",
            KeySource::Body(_) => "body",
            KeySource::User => "user",
            KeySource::Conversation => "conversation",
        }
    }

    /// Whether the source is in the body, which the router does not read for pass-through routes.
    pub const fn is_in_body(&self) -> bool {
        match self {
            KeySource::Header(_) | KeySource::Query(_) | KeySource::Claim(_) | KeySource::Mesh => {
                false
            }
            KeySource::Body(_) | KeySource::User | KeySource::Conversation => true,
        }
    }

    /// Adds what the source needs to know about the caller.
    pub(crate) fn add_caller_parts(&self, parts: &mut CallerParts) {
        match self {
            KeySource::Claim(_) => parts.claims = true,
            KeySource::Mesh => parts.mesh = true,
            _ => {}
        }
    }

    /// Returns a hash of the request's value at this source; `Some(None)` if the request has none, `None` if that is
    /// not known.
    fn bits(&self, subject: &Subject<'_>) -> Option<Option<u64>> {
        Some(match self {
            KeySource::Header(name) => {
                let value = subject.headers?.values(name).next();
                hash_non_empty(value.unwrap_or_default())
            }
            KeySource::Query(name) => {
                let value = subject.query?.values(name).next();
                hash_non_empty(value.unwrap_or_default())
            }
            KeySource::Claim(path) => {
                let values = subject.caller?.claim(path);
                values
                    .first()
                    .and_then(|value| hash_non_empty(value.as_bytes()))
            }
            KeySource::Mesh => {
                let mesh = subject.caller?.mesh();
                // An identity in another form does not tell which workload it is.
                mesh.and_then(|mesh| {
                    let parts = [mesh.namespace.as_deref()?, mesh.service_account.as_deref()?];
                    Some(hash::hash_names(&[&mesh.trust_domain, parts[0], parts[1]]))
                })
            }
            KeySource::Body(path) => hash_scalar(subject.content?, path),
            KeySource::User => {
                let content = subject.content?;
                USER_FIELDS
                    .iter()
                    .find_map(|path| hash_scalar(content, path))
            }
            KeySource::Conversation => subject.content?.opening(),
        })
    }
}

/// Written as in a document: only names from the document.
impl fmt::Display for KeySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        match self {
            KeySource::Header(name)
            | KeySource::Query(name)
            | KeySource::Claim(name)
            | KeySource::Body(name) => write!(out, " {name}"),
            KeySource::Mesh | KeySource::User | KeySource::Conversation => Ok(()),
        }
    }
}

/// Hashes a value that is not empty.
fn hash_non_empty(value: &[u8]) -> Option<u64> {
    (!value.is_empty()).then(|| fnv1a(value))
}

/// Hashes a field that is text, a number or a boolean, and not empty. Text is hashed decoded, so that escapes make no
/// difference.
fn hash_scalar(content: &Content<'_>, path: &str) -> Option<u64> {
    let mut found = None;
    content.any_value(path, &mut |value| {
        found = match value {
            RawFieldValue::Text(text) => hash_non_empty(text),
            RawFieldValue::Json(b"null" | b"\"\"") => None,
            RawFieldValue::Json(value) => match value.first() {
                Some(b'{' | b'[') => None,
                Some(b'"') => Some(hash_decoded(value)),
                _ => hash_non_empty(value),
            },
        };
        found.is_some()
    });
    found
}

/// Hashes the decoded text of a JSON string.
fn hash_decoded(written: &[u8]) -> u64 {
    let inside = written.strip_prefix(b"\"").unwrap_or(written);
    let inside = inside.strip_suffix(b"\"").unwrap_or(inside);
    let mut hash = Fnv1a::new();
    text::decode_pieces(inside, &mut |piece| hash.add(piece.as_bytes()));
    hash.finish()
}

/// The key of a request, as a hash with its source.
#[derive(Clone, Copy, Debug)]
pub struct StickyKey<'d> {
    /// The source that gave the key.
    pub source: &'d KeySource,
    bits: u64,
}

/// Looks for a request's key; `Some(None)` if it has none, `None` if that is not known.
fn find_key<'d>(sources: &'d [KeySource], subject: &Subject<'_>) -> Option<Option<StickyKey<'d>>> {
    for source in sources {
        if let Some(bits) = source.bits(subject)? {
            return Some(Some(StickyKey { source, bits }));
        }
    }
    Some(None)
}

/// The key sources of a route's sticky choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sticky {
    sources: Arc<[KeySource]>,
    /// Makes the choices for one key independent between routes.
    salt: u64,
}

impl Sticky {
    /// Creates the sticky choices of the route with this name. The sources are tried in this order.
    pub fn new(route: &str, sources: Arc<[KeySource]>) -> Sticky {
        Sticky {
            sources,
            salt: hash::hash_names(&["targets", route]),
        }
    }

    /// Returns the key sources, in the order in which they are tried.
    pub fn sources(&self) -> &Arc<[KeySource]> {
        &self.sources
    }

    /// Returns the key of a request, if it has one.
    pub(super) fn key(&self, subject: &Subject<'_>) -> Option<StickyKey<'_>> {
        find_key(&self.sources, subject).flatten()
    }

    /// Returns the bits that represent this key when targets are chosen.
    pub(super) fn bits(&self, key: &StickyKey<'_>) -> u64 {
        mix(key.bits ^ self.salt)
    }
}

/// A share of a route's keys, or of the requests that have none.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficShare {
    parts: u32,
    sources: Arc<[KeySource]>,
    /// Differs from the salt for choosing targets, so that the two choices are independent.
    salt: u64,
}

impl TrafficShare {
    /// The number of parts in the whole; one percent is 10,000 parts.
    pub const WHOLE: u32 = 1_000_000;

    /// Creates a share of `parts` for the route with this name.
    pub fn new(parts: u32, route: &str, sources: Arc<[KeySource]>) -> TrafficShare {
        TrafficShare {
            parts,
            sources,
            salt: hash::hash_names(&["percent", route]),
        }
    }

    /// Returns the position of a request within the whole, from 0, and the source of its key. Without a key, the
    /// position is drawn at random. `None`: not known.
    pub fn position(&self, subject: &Subject<'_>) -> Option<(u32, Option<&KeySource>)> {
        let key = find_key(&self.sources, subject)?;
        let bits = match &key {
            Some(key) => key.bits,
            None => subject.random?,
        };
        let position = scale(mix(bits ^ self.salt), Self::WHOLE.into());
        let source = key.map(|key| key.source);
        Some((u32::try_from(position).unwrap_or(u32::MAX), source))
    }

    /// Whether a request is in the share; `None` if that is not known.
    pub fn contains(&self, subject: &Subject<'_>) -> Option<bool> {
        let position = self.position(subject);
        // At 0 and 100 percent the answer is known without the position.
        if position.is_none() && subject.headers.is_some() && [0, Self::WHOLE].contains(&self.parts)
        {
            return Some(self.parts > 0);
        }
        position.map(|(position, _)| position < self.parts)
    }

    /// Whether this share includes all of `other`, because it is a larger share of the same route.
    pub(super) fn covers(&self, other: &TrafficShare) -> bool {
        self.parts >= other.parts && self.salt == other.salt && self.sources == other.sources
    }
}

/// Written as in a document, in percent.
impl fmt::Display for TrafficShare {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&percent(self.parts))
    }
}

/// Formats a number of parts in percent.
pub(crate) fn percent(parts: u32) -> String {
    let per_percent = TrafficShare::WHOLE / 100;
    let (whole, rest) = (parts / per_percent, parts % per_percent);
    if rest == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{rest:04}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
#[path = "sticky_tests.rs"]
mod tests;
