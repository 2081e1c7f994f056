//! Makes a plan from a request, the candidates that the decision found for it, and the terms of its route.

use super::adaptation::HeaderChange;
use super::outgoing::{changes, private_headers};
use super::plan::{Plan, PlannedTarget};
use super::policy::{Hold, Policy};
use crate::health::CooldownPolicy;
use crate::request::{Edits, Headers, Rewriter, ScanError, View, relate};
use crate::routing::Candidate;
use crate::schema::{Api, Call, Place, without_credentials};

const ACCEPT_ENCODING: &str = "accept-encoding";

/// The inputs of a plan other than the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) cooldown: Option<&'a CooldownPolicy>,
    /// Unix time in milliseconds.
    pub(crate) now: u64,
    /// The number by which the router role of the same worker finds the request's attempts in the ledger.
    pub(crate) ticket: u64,
    /// Whether the router may ask streams for their usage.
    pub(crate) ask_for_usage: bool,
    /// The caller's deadline, which can only shorten the route's.
    pub(crate) deadline_ms: Option<u32>,
    /// Whether only one attempt is allowed.
    pub(crate) no_fallback: bool,
    /// The cluster that has all candidates as members, if that cluster is to choose among them.
    pub(crate) pool: Option<&'a str>,
    /// A header that only Envoy reads and that goes to no backend.
    pub(crate) cluster_header: Option<&'a str>,
}

impl Plan {
    /// Makes the plan for candidates in the order in which they are tried, and the edits that make the body what the
    /// first of them needs. Each candidate's flag says whether failures are recorded against it.
    ///
    /// # Errors
    /// Returns an error if the body contains a field twice that one of the candidates changes.
    pub(crate) fn make(
        call: &Call,
        headers: &Headers,
        query: &str,
        view: &View,
        candidates: &[(Candidate<'_>, bool)],
        body: &[u8],
        terms: Terms<'_>,
    ) -> Result<(Plan, Edits), ScanError> {
        let stream = call.streams(view.stream);
        let asks = terms.ask_for_usage && stream && tells_if_asked(call.api);
        let making = Making {
            call,
            headers,
            query,
            clean_query: &without_credentials(query),
            private: &private_headers(headers),
            // Where only the path counts, a model that the body names stays as it is.
            in_body: call.api.place() != Place::Path,
            // The router can neither judge nor count an answer that it cannot read, and many clients ask for gzip by
            // default.
            plain: headers.contains(ACCEPT_ENCODING),
            rewriting: Rewriting::new(view, body, candidates, asks)?,
            terms,
        };
        let policy = settle(terms, candidates.len());
        let targets = candidates.iter().map(|one| making.target(one));
        let mut targets = targets.collect::<Result<Vec<PlannedTarget>, ScanError>>()?;
        let edits = relate(body, &mut targets, |target| &mut target.edits);
        let plan = Plan {
            next: 0,
            gave_up: false,
            api: call.api,
            stream,
            body_length: edits.length_after(body.len()),
            deadline_at: terms.now.saturating_add(policy.deadline_ms.into()),
            hurried: policy.deadline_ms < terms.policy.deadline_ms,
            policy,
            cooldown: terms.cooldown.cloned(),
            is_pool: terms.pool.is_some(),
            targets,
            failed: Vec::new(),
            ticket: terms.ticket,
            headers: Vec::new(),
        };
        Ok((plan, edits))
    }
}

/// The inputs that all targets of a plan share.
struct Making<'a> {
    call: &'a Call,
    headers: &'a Headers,
    query: &'a str,
    clean_query: &'a str,
    /// The headers that are sent only to backends that allow them by name.
    private: &'a [&'a str],
    /// Whether the body names the model.
    in_body: bool,
    /// Whether an uncompressed answer must be asked for.
    plain: bool,
    rewriting: Rewriting<'a>,
    terms: Terms<'a>,
}

impl Making<'_> {
    fn target(
        &self,
        (candidate, ailing): &(Candidate<'_>, bool),
    ) -> Result<PlannedTarget, ScanError> {
        let terms = self.terms;
        let backend = candidate.backend;
        let query = if backend.forward_client_credentials {
            self.query
        } else {
            self.clean_query
        };
        let path = backend.path.fill(self.call, candidate.model, query);
        let mut changes = changes(backend, &path, self.headers, self.private);
        changes.extend(terms.cluster_header.map(HeaderChange::remove));
        if self.plain {
            changes.push(HeaderChange::set(ACCEPT_ENCODING, b"identity"));
        }
        let model = self.in_body.then_some(candidate.model);
        let (edits, asks_usage) = self.rewriting.edits(model, candidate)?;
        Ok(PlannedTarget {
            edits,
            asks_usage,
            backend: terms.pool.unwrap_or(&backend.name).to_owned(),
            cluster: terms.pool.unwrap_or(&backend.cluster).to_owned(),
            model: candidate.model.to_owned(),
            key: candidate.key,
            ailing: *ailing,
            // It is not known which member of a pool an attempt reaches, so its context window is not known either.
            context_window: terms.pool.map_or(candidate.context_window, |_| 0),
            callers_key: backend.forward_client_credentials,
            changes,
        })
    }
}

/// A body that is rewritten for each of several candidates.
struct Rewriting<'a> {
    rewriter: Rewriter<'a>,
    /// Whether the candidates' streams are asked for their usage.
    asks: bool,
}

impl<'a> Rewriting<'a> {
    fn new(
        view: &'a View,
        body: &'a [u8],
        candidates: &[(Candidate<'_>, bool)],
        asks: bool,
    ) -> Result<Self, ScanError> {
        let rewriter = |asks: bool| {
            let changes = candidates.iter();
            let changes = changes.map(move |(one, _)| match one.asking {
                Some(asking) if asks => asking,
                _ => one.parameters,
            });
            Rewriter::new(view, body, changes)
        };
        let are_plain = candidates.iter().all(|(one, _)| one.parameters.is_empty());
        if asks
            && are_plain
            && !view.has_stream_options
            && let Some(rewriter) = Rewriter::inserting(view, body)
        {
            return Ok(Rewriting { rewriter, asks });
        }
        if asks
            // A body with a repeated field is refused only if the document changes that field, not because the router
            // wants to ask for the usage.
            && let Ok(rewriter) = rewriter(true)
            && rewriter.lacks_usage()
        {
            return Ok(Rewriting { rewriter, asks });
        }
        let asks = false;
        rewriter(false).map(|rewriter| Rewriting { rewriter, asks })
    }

    /// Returns the edits for a candidate, and whether they ask its stream for the usage.
    fn edits(
        &self,
        model: Option<&str>,
        candidate: &Candidate<'_>,
    ) -> Result<(Edits, bool), ScanError> {
        let asking = candidate.asking.filter(|_| self.asks);
        let changes = asking.unwrap_or(candidate.parameters);
        let edits = self.rewriter.edits(model, changes)?;
        Ok((edits, asking.is_some()))
    }
}

/// Returns the route's policy with the values that it leaves to the plan filled in.
fn settle(terms: Terms<'_>, targets: usize) -> Policy {
    let mut policy = terms.policy.clone();
    let deadline_ms = terms.deadline_ms.unwrap_or(u32::MAX);
    policy.deadline_ms = policy.deadline_ms.min(deadline_ms);
    let several = targets > 1 && !terms.no_fallback;
    policy.hold = policy.hold.or(Some(if several {
        Hold::FirstToken
    } else {
        Hold::None
    }));
    if terms.no_fallback {
        policy.max_attempts = 1;
    } else if policy.max_attempts == 0 {
        let targets = u32::try_from(targets).unwrap_or(u32::MAX);
        policy.max_attempts = targets.saturating_add(2);
    }
    policy
}

/// Whether streams of this API report their usage only on request.
pub(super) fn tells_if_asked(api: Api) -> bool {
    matches!(api, Api::ChatCompletions | Api::Completions)
}
