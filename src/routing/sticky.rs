//! By what choices stick: the key of a request, without a store.

use std::fmt;
use std::sync::Arc;

use super::condition::Subject;
use crate::hash::{self, Fnv1a, fnv1a, mix, scale};
use crate::request::{CallerAsks, Content, Written, text};

/// Where the key of a request may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A header's first value; its name in lower case.
    Header(String),
    /// A parameter of the query, by its first value.
    Query(String),
    /// A claim of a token that Envoy has verified, by its first value; with dots for claims in claims.
    Claim(String),
    /// The identity in the mesh that the caller's certificate proves.
    Mesh,
    /// A field of the body: its name, or names with dots from the outside in.
    Body(String),
    /// The end user on whose behalf the caller asks, as the body names it.
    User,
    /// How the conversation begins.
    Conversation,
}

/// The fields in which the APIs name the end user, in the order in which they are looked for: OpenAI's, what OpenAI had
/// before, and Anthropic's. Gemini and Bedrock have none.
pub const USER_FIELDS: [&str; 3] = ["safety_identifier", "user", "metadata.user_id"];

impl KeySource {
    /// The stable name of its kind.
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

    /// Whether it is in the body, which is not read of what passes through.
    pub const fn is_in_body(&self) -> bool {
        match self {
            KeySource::Header(_) | KeySource::Query(_) | KeySource::Claim(_) | KeySource::Mesh => {
                false
            }
            KeySource::Body(_) | KeySource::User | KeySource::Conversation => true,
        }
    }

    /// Notes what has to be known of the caller.
    pub(crate) fn ask(&self, asks: &mut CallerAsks) {
        match self {
            KeySource::Claim(_) => asks.claims = true,
            KeySource::Mesh => asks.mesh = true,
            _ => {}
        }
    }

    /// A number that stands for what a request has there; `Some(None)` if it has nothing, `None` if that is not known.
    fn bits(&self, subject: &Subject<'_>) -> Option<Option<u64>> {
        Some(match self {
            KeySource::Header(name) => {
                let value = subject.headers?.values(name).next();
                something(value.unwrap_or_default())
            }
            KeySource::Query(name) => {
                let value = subject.query?.values(name).next();
                something(value.unwrap_or_default())
            }
            KeySource::Claim(path) => {
                let values = subject.caller?.claim(path);
                values.first().and_then(|value| something(value.as_bytes()))
            }
            KeySource::Mesh => {
                let mesh = subject.caller?.mesh();
                // Of an identity in another form it is not known which one it is.
                mesh.and_then(|mesh| {
                    let parts = [mesh.namespace.as_deref()?, mesh.service_account.as_deref()?];
                    Some(hash::names(&[&mesh.trust_domain, parts[0], parts[1]]))
                })
            }
            KeySource::Body(path) => scalar(subject.content?, path),
            KeySource::User => {
                let content = subject.content?;
                USER_FIELDS.iter().find_map(|path| scalar(content, path))
            }
            KeySource::Conversation => subject.content?.opening(),
        })
    }
}

/// As a document says it: names of the document only.
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

/// Of a value that is not empty.
fn something(value: &[u8]) -> Option<u64> {
    (!value.is_empty()).then(|| fnv1a(value))
}

/// Of a field that is text, a number or a boolean, and not empty: for what it means, however it is escaped.
fn scalar(content: &Content<'_>, path: &str) -> Option<u64> {
    let mut found = None;
    content.any_value(path, &mut |value| {
        found = match value {
            Written::Text(text) => something(text),
            Written::Json(b"null" | b"\"\"") => None,
            Written::Json(value) => match value.first() {
                Some(b'{' | b'[') => None,
                Some(b'"') => Some(meant(value)),
                _ => something(value),
            },
        };
        found.is_some()
    });
    found
}

/// Of what a JSON string means.
fn meant(written: &[u8]) -> u64 {
    let inside = written.strip_prefix(b"\"").unwrap_or(written);
    let inside = inside.strip_suffix(b"\"").unwrap_or(inside);
    let mut hash = Fnv1a::new();
    text::read(inside, &mut |piece| hash.add(piece.as_bytes()));
    hash.finish()
}

/// What is known of a request's key.
#[derive(Clone, Copy, Debug)]
pub struct Key<'d> {
    /// Which source gave it.
    pub source: &'d KeySource,
    bits: u64,
}

/// Looks for a request's key; `Some(None)` if it has none, `None` if that is not known.
fn find<'d>(sources: &'d [KeySource], subject: &Subject<'_>) -> Option<Option<Key<'d>>> {
    for source in sources {
        if let Some(bits) = source.bits(subject)? {
            return Some(Some(Key { source, bits }));
        }
    }
    Some(None)
}

/// By what a route's choices stick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sticky {
    sources: Arc<[KeySource]>,
    /// The same key chooses otherwise in another route.
    salt: u64,
}

impl Sticky {
    /// Of the route with this name, which looks for a key in these sources, in this order.
    pub fn new(route: &str, sources: Arc<[KeySource]>) -> Sticky {
        Sticky {
            sources,
            salt: hash::names(&["targets", route]),
        }
    }

    /// Where it looks for a key, in this order.
    pub fn sources(&self) -> &Arc<[KeySource]> {
        &self.sources
    }

    /// The key of a request, if it has one.
    pub(super) fn key(&self, subject: &Subject<'_>) -> Option<Key<'_>> {
        find(&self.sources, subject).flatten()
    }

    /// What stands for this key when targets are chosen.
    pub(super) fn bits(&self, key: &Key<'_>) -> u64 {
        mix(key.bits ^ self.salt)
    }
}

/// A share of a route's keys, or of the requests that have none.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    parts: u32,
    sources: Arc<[KeySource]>,
    /// Other than where the route's targets are chosen: the one says nothing of the other.
    salt: u64,
}

impl Share {
    /// The whole of which a share has parts: a percent has 10,000 of them.
    pub const WHOLE: u32 = 1_000_000;

    /// So many parts of what comes to the route with this name.
    pub fn new(parts: u32, route: &str, sources: Arc<[KeySource]>) -> Share {
        Share {
            parts,
            sources,
            salt: hash::names(&["percent", route]),
        }
    }

    /// Where a request stands in the whole, from 0 on, and by which key; without one that is drawn. `None`: not known.
    pub fn place(&self, subject: &Subject<'_>) -> Option<(u32, Option<&KeySource>)> {
        let key = find(&self.sources, subject)?;
        let bits = match &key {
            Some(key) => key.bits,
            None => subject.random?,
        };
        let place = scale(mix(bits ^ self.salt), Self::WHOLE.into());
        let source = key.map(|key| key.source);
        Some((u32::try_from(place).unwrap_or(u32::MAX), source))
    }

    /// Whether a request is among them; `None` if that is not known.
    pub fn has(&self, subject: &Subject<'_>) -> Option<bool> {
        let place = self.place(subject);
        // A request of which it is not drawn where it stands.
        if place.is_none() && subject.headers.is_some() && [0, Self::WHOLE].contains(&self.parts) {
            return Some(self.parts > 0);
        }
        place.map(|(place, _)| place < self.parts)
    }

    /// Whether it has all that the other has, for being a larger share of the same.
    pub(super) fn covers(&self, other: &Share) -> bool {
        self.parts >= other.parts && self.salt == other.salt && self.sources == other.sources
    }
}

/// As a document says it, in percent.
impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&percent(self.parts))
    }
}

/// So many parts, in percent.
pub(crate) fn percent(parts: u32) -> String {
    let per_percent = Share::WHOLE / 100;
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
