//! The plan of a request's attempts, as the router role leaves it for the backend role in filter state.
//!
//! It holds everything that any attempt needs, because an attempt must be adapted from the request as the client sent
//! it, and what Envoy has by then carries the changes of every earlier attempt: ours, and what filters after ours
//! added, a key of that backend's among it. So the first attempt of several writes the headers that it finds into the
//! plan, and every later one begins with these, whatever has been added since.
//!
//! The plan does not refer to the document: a request that is under way while a new document is loaded ends by the one
//! it began with.

use std::ops::Range;

use super::adaptation::HeaderChange;
use super::wire::{Reader, Writer};
use crate::config::{Backend, CREDENTIAL_HEADERS};
use crate::request::{Edit, Headers, View, text};
use crate::routing::{Candidate, Decision};
use crate::schema::{Api, Schema, without_credentials};

pub(super) const PATH: &str = ":path";
pub(super) const AUTHORITY: &str = ":authority";

/// The attempts of one request, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which attempt is next, from 0 on.
    pub(super) next: u8,
    pub(super) api: Api,
    pub(super) body: Body,
    pub(super) attempts: Vec<PlannedAttempt>,
    /// The headers that the first attempt found; empty before, and where there is no later attempt.
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// The body as the router role leaves it, which is where every attempt begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// The model that it names: the first target's.
    pub(super) model: String,
    /// Where the inside of that name's string stands.
    pub(super) model_span: Range<usize>,
    pub(super) length: usize,
}

/// One attempt and all that it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedAttempt {
    /// The target's backend.
    pub(super) backend: String,
    pub(super) cluster: String,
    pub(super) model: String,
    /// What distinguishes its headers from those that the router role left.
    pub(super) changes: Vec<HeaderChange>,
}

impl Plan {
    /// Makes the plan of a decision, and the edit that makes the body what the first target needs.
    pub(crate) fn make(
        api: Api,
        headers: &Headers,
        query: &str,
        view: &View,
        decision: &Decision<'_, '_>,
        body_length: usize,
    ) -> (Plan, Option<Edit>) {
        let first = decision.plan.first().map_or("", |first| first.model);
        let edit = (first != view.model).then(|| Edit {
            span: view.model_span.clone(),
            with: text::encode(first),
        });
        let model_end = edit.as_ref().map_or(view.model_span.end, |edit| {
            edit.span.start.saturating_add(edit.with.len())
        });
        let clean_query = without_credentials(query);
        let attempt = |candidate: &Candidate<'_>| {
            let backend = candidate.backend;
            let query = if backend.forward_client_credentials {
                query
            } else {
                &clean_query
            };
            let path = backend.path.fill(api, candidate.model, query);
            PlannedAttempt {
                backend: backend.name.clone(),
                cluster: backend.cluster.clone(),
                model: candidate.model.to_owned(),
                changes: changes(backend, &path, headers),
            }
        };
        let attempts: Vec<PlannedAttempt> = decision.plan.iter().map(attempt).collect();
        let plan = Plan {
            next: 0,
            api,
            body: Body {
                model: first.to_owned(),
                model_span: view.model_span.start..model_end,
                length: edit
                    .as_ref()
                    .map_or(body_length, |edit| edit.length_after(body_length)),
            },
            attempts,
            headers: Vec::new(),
        };
        (plan, edit)
    }

    /// The length of the body as the router role leaves it.
    pub(crate) fn body_length(&self) -> usize {
        self.body.length
    }

    /// How often Envoy may try again. An only target is tried a second time where it did not answer (its answers are
    /// never marked for retry): a connection that a backend closes just as it is used is no reason to fail where nobody
    /// else can answer.
    pub(crate) fn max_retries(&self) -> usize {
        self.attempts.len().saturating_sub(1).max(1)
    }

    /// The cluster of the next attempt.
    pub fn cluster(&self) -> &str {
        self.attempt()
            .map_or("", |attempt| attempt.cluster.as_str())
    }

    /// The next attempt.
    pub(super) fn attempt(&self) -> Option<&PlannedAttempt> {
        self.attempts.get(usize::from(self.next))
    }

    /// The dialect of the caller.
    pub fn schema(&self) -> Schema {
        self.api.schema()
    }

    /// As bytes for filter state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(self.next);
        let api = Api::ALL.iter().position(|api| *api == self.api);
        out.length(api.unwrap_or(0));
        out.bytes(self.body.model.as_bytes());
        out.length(self.body.model_span.start);
        out.length(self.body.model_span.end);
        out.length(self.body.length);
        out.list(&self.attempts, |out, attempt| {
            out.bytes(attempt.backend.as_bytes());
            out.bytes(attempt.cluster.as_bytes());
            out.bytes(attempt.model.as_bytes());
            out.list(&attempt.changes, |out, change| change.write(out));
        });
        out.list(&self.headers, |out, (name, value)| {
            out.bytes(name.as_bytes());
            out.bytes(value);
        });
        out.0
    }

    /// From bytes of filter state; `None` if they are no plan.
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        let mut from = Reader(bytes);
        let plan = Plan {
            next: from.byte()?,
            api: *Api::ALL.get(from.length()?)?,
            body: Body {
                model: from.text()?,
                model_span: from.length()?..from.length()?,
                length: from.length()?,
            },
            attempts: from.list(|from| {
                Some(PlannedAttempt {
                    backend: from.text()?,
                    cluster: from.text()?,
                    model: from.text()?,
                    changes: from.list(HeaderChange::read)?,
                })
            })?,
            headers: from.list(|from| Some((from.text()?, from.bytes()?)))?,
        };
        from.0.is_empty().then_some(plan)
    }
}

/// What distinguishes the headers for this backend from the client's, of which the router role has removed the
/// credentials. What is right already is not written again, and doing it twice is as good as once.
fn changes(backend: &Backend, path: &str, headers: &Headers) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    if headers.text(PATH) != Some(path) {
        changes.push(HeaderChange::set(PATH, path.as_bytes()));
    }
    if let Some(host) = &backend.host
        && headers.text(AUTHORITY) != Some(host)
    {
        changes.push(HeaderChange::set(AUTHORITY, host.as_bytes()));
    }
    let present = backend
        .remove_headers
        .iter()
        .filter(|name| headers.contains(name));
    changes.extend(present.map(|name| HeaderChange::remove(name)));
    for (name, value) in &backend.set_headers {
        // Envoy's setting of a header with several values replaces one of them.
        if headers.values(name).nth(1).is_some() {
            changes.push(HeaderChange::remove(name));
        }
        changes.push(HeaderChange::set(name, value.as_bytes()));
    }
    if backend.forward_client_credentials {
        for name in CREDENTIAL_HEADERS
            .iter()
            .filter(|name| headers.contains(name))
        {
            changes.push(HeaderChange::remove(name));
            let values = headers.values(name);
            changes.extend(values.map(|value| HeaderChange::add(name, value)));
        }
    }
    changes
}
