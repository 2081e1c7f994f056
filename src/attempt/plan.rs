//! The plan of a request's attempts, as the router role leaves it for the backend role in filter state.
//!
//! It holds everything that any attempt needs, because an attempt must be adapted from the request as the client sent
//! it, and what Envoy has by then carries the changes of every earlier attempt. It does not refer to the document: a
//! request that is under way while a new document is loaded ends by the one it began with.

use std::ops::Range;

use super::adaptation::HeaderChange;
use super::wire::{Reader, Writer};
use crate::config::{Backend, CREDENTIAL_HEADERS};
use crate::request::{Edit, Headers, View, text};
use crate::routing::Decision;
use crate::schema::{Api, Schema, without_credentials};

const PATH: &str = ":path";
const AUTHORITY: &str = ":authority";

/// The attempts of one request, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many attempts have begun.
    pub(super) begun: u8,
    /// Which target is next.
    pub(super) next: u8,
    pub(super) api: Api,
    pub(super) body: Body,
    pub(super) targets: Vec<PlannedTarget>,
}

/// The body as the router role leaves it, which is where every attempt begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// The model that it names: the first target's.
    pub(super) model: String,
    /// Where the inside of that name's string stands.
    pub(super) model_span: Range<usize>,
    pub(super) length: usize,
    /// Whether the client gave a `content-length`, which then has to be kept right.
    pub(super) has_content_length: bool,
}

/// One target and all that an attempt at it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedTarget {
    pub(super) backend: String,
    pub(super) cluster: String,
    pub(super) model: String,
    /// The changes of an attempt that no other came before.
    pub(super) first_changes: Vec<HeaderChange>,
    /// The changes of an attempt after others, whatever these have left behind.
    pub(super) later_changes: Vec<HeaderChange>,
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
        let backends: Vec<&Backend> = decision.plan.iter().map(|one| one.backend).collect();
        let clean_query = without_credentials(query);
        let targets = decision
            .plan
            .iter()
            .enumerate()
            .map(|(index, candidate)| {
                let backend = candidate.backend;
                let query = if backend.forward_client_credentials {
                    query
                } else {
                    &clean_query
                };
                let path = backend.path.fill(api, candidate.model, query);
                PlannedTarget {
                    backend: backend.name.clone(),
                    cluster: backend.cluster.clone(),
                    model: candidate.model.to_owned(),
                    // Only the first target can come first, and where there is only one it cannot come later.
                    first_changes: if index == 0 {
                        first_changes(backend, &path, headers)
                    } else {
                        Vec::new()
                    },
                    later_changes: if backends.len() > 1 {
                        later_changes(backend, &backends, &path, headers)
                    } else {
                        Vec::new()
                    },
                }
            })
            .collect();
        let plan = Plan {
            begun: 0,
            next: 0,
            api,
            body: Body {
                model: first.to_owned(),
                model_span: view.model_span.start..model_end,
                length: edit
                    .as_ref()
                    .map_or(body_length, |edit| edit.length_after(body_length)),
                has_content_length: headers.contains("content-length"),
            },
            targets,
        };
        (plan, edit)
    }

    /// The `content-length` of the body as the router role leaves it, if the client gave one.
    pub(crate) fn content_length(&self) -> Option<usize> {
        self.body.has_content_length.then_some(self.body.length)
    }

    /// The cluster of the next attempt.
    pub(crate) fn cluster(&self) -> &str {
        self.target().map_or("", |target| target.cluster.as_str())
    }

    /// The target of the next attempt.
    pub(super) fn target(&self) -> Option<&PlannedTarget> {
        self.targets.get(usize::from(self.next))
    }

    /// The dialect of the caller.
    pub fn schema(&self) -> Schema {
        self.api.schema()
    }

    /// As bytes for filter state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(self.begun);
        out.byte(self.next);
        out.byte(
            Api::ALL
                .iter()
                .position(|api| *api == self.api)
                .map_or(0, |index| u8::try_from(index).unwrap_or(0)),
        );
        out.bytes(self.body.model.as_bytes());
        out.length(self.body.model_span.start);
        out.length(self.body.model_span.end);
        out.length(self.body.length);
        out.byte(self.body.has_content_length.into());
        out.list(&self.targets, |out, target| {
            out.bytes(target.backend.as_bytes());
            out.bytes(target.cluster.as_bytes());
            out.bytes(target.model.as_bytes());
            out.list(&target.first_changes, |out, change| change.write(out));
            out.list(&target.later_changes, |out, change| change.write(out));
        });
        out.0
    }

    /// From bytes of filter state; `None` if they are no plan.
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        let mut from = Reader(bytes);
        let plan = Plan {
            begun: from.byte()?,
            next: from.byte()?,
            api: *Api::ALL.get(usize::from(from.byte()?))?,
            body: Body {
                model: from.text()?,
                model_span: from.length()?..from.length()?,
                length: from.length()?,
                has_content_length: from.byte()? != 0,
            },
            targets: from.list(|from| {
                Some(PlannedTarget {
                    backend: from.text()?,
                    cluster: from.text()?,
                    model: from.text()?,
                    first_changes: from.list(HeaderChange::read)?,
                    later_changes: from.list(HeaderChange::read)?,
                })
            })?,
        };
        from.0.is_empty().then_some(plan)
    }
}

/// What distinguishes the first attempt's headers from the client's, of which the router role has removed the
/// credentials. What is right already is not written again.
fn first_changes(backend: &Backend, path: &str, headers: &Headers) -> Vec<HeaderChange> {
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
    changes.extend(credentials(backend, headers));
    changes
}

/// What makes a later attempt's headers right, whatever the attempts at the other backends have made of them: every
/// header that any of them touches goes back to the client's values, unless this backend touches it itself, and every
/// credential goes.
fn later_changes(
    backend: &Backend,
    all: &[&Backend],
    path: &str,
    headers: &Headers,
) -> Vec<HeaderChange> {
    let mut touched: Vec<&str> = Vec::new();
    for backend in all {
        let set = backend.set_headers.iter().map(|(name, _)| name.as_str());
        for name in set.chain(backend.remove_headers.iter().map(String::as_str)) {
            if !touched.contains(&name) {
                touched.push(name);
            }
        }
    }
    let mut changes: Vec<HeaderChange> = CREDENTIAL_HEADERS
        .map(HeaderChange::remove)
        .into_iter()
        .collect();
    let client_authority = || headers.values(AUTHORITY).next().unwrap_or_default();
    let authority = backend
        .host
        .as_ref()
        .map_or_else(client_authority, |host| host.as_bytes());
    changes.push(HeaderChange::set(PATH, path.as_bytes()));
    changes.push(HeaderChange::set(AUTHORITY, authority));
    for name in touched {
        changes.push(HeaderChange::remove(name));
        let own = backend.set_headers.iter().find(|(known, _)| known == name);
        if let Some((_, value)) = own {
            changes.push(HeaderChange::set(name, value.as_bytes()));
        } else if !backend.remove_headers.iter().any(|known| known == name) {
            changes.extend(
                headers
                    .values(name)
                    .map(|value| HeaderChange::add(name, value)),
            );
        }
    }
    changes.extend(credentials(backend, headers));
    changes
}

/// The caller's own credentials, if this backend is to have them.
fn credentials<'a>(
    backend: &'a Backend,
    headers: &'a Headers,
) -> impl Iterator<Item = HeaderChange> {
    headers
        .iter()
        .filter(|(name, _)| backend.forward_client_credentials && CREDENTIAL_HEADERS.contains(name))
        .map(|(name, value)| HeaderChange::add(name, value))
}
