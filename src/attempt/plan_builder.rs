//! Makes a plan from a request, the candidates that the decision found for it, and the terms of its route.

use super::adaptation::HeaderChange;
use super::outgoing_headers::{changes, private_headers};
use super::plan::{Plan, PlannedTarget};
use super::policy::{FallbackPolicy, Hold};
use crate::health::CooldownPolicy;
use crate::request::{BodyView, Edits, Headers, Rewriter, ScanError, make_relative_to_first};
use crate::routing::Candidate;
use crate::schema::{Api, ModelCall, ModelLocation, without_credentials};

const ACCEPT_ENCODING: &str = "accept-encoding";

/// The inputs of a plan other than the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanInputs<'a> {
    pub(crate) policy: &'a FallbackPolicy,
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
        call: &ModelCall,
        headers: &Headers,
        query: &str,
        view: &BodyView,
        candidates: &[(Candidate<'_>, bool)],
        body: &[u8],
        inputs: PlanInputs<'_>,
    ) -> Result<(Plan, Edits), ScanError> {
        let stream = call.streams(view.stream);
        let asks = inputs.ask_for_usage && stream && reports_usage_on_request(call.api);
        let builder = PlanBuilder {
            call,
            headers,
            query,
            clean_query: &without_credentials(query),
            private: &private_headers(headers),
            // Where only the path counts, a model that the body names stays as it is.
            in_body: call.api.model_location() != ModelLocation::Path,
            // The router can neither judge nor count an answer that it cannot read, and many clients ask for gzip by
            // default.
            plain: headers.contains(ACCEPT_ENCODING),
            body_rewriter: BodyRewriter::new(view, body, candidates, asks)?,
            inputs,
        };
        let policy = resolve_policy(inputs, candidates.len());
        let targets = candidates.iter().map(|one| builder.target(one));
        let mut targets = targets.collect::<Result<Vec<PlannedTarget>, ScanError>>()?;
        let edits = make_relative_to_first(body, &mut targets, |target| &mut target.edits);
        let plan = Plan {
            next: 0,
            gave_up: false,
            api: call.api,
            stream,
            body_length: edits.length_after(body.len()),
            deadline_at: inputs.now.saturating_add(policy.deadline_ms.into()),
            has_caller_deadline: policy.deadline_ms < inputs.policy.deadline_ms,
            policy,
            cooldown: inputs.cooldown.cloned(),
            is_pool: inputs.pool.is_some(),
            targets,
            failed: Vec::new(),
            ticket: inputs.ticket,
            headers: Vec::new(),
        };
        Ok((plan, edits))
    }
}

/// The inputs that all targets of a plan share.
struct PlanBuilder<'a> {
    call: &'a ModelCall,
    headers: &'a Headers,
    query: &'a str,
    clean_query: &'a str,
    /// The headers that are sent only to backends that allow them by name.
    private: &'a [&'a str],
    /// Whether the body names the model.
    in_body: bool,
    /// Whether an uncompressed answer must be asked for.
    plain: bool,
    body_rewriter: BodyRewriter<'a>,
    inputs: PlanInputs<'a>,
}

impl PlanBuilder<'_> {
    fn target(
        &self,
        (candidate, has_failures): &(Candidate<'_>, bool),
    ) -> Result<PlannedTarget, ScanError> {
        let inputs = self.inputs;
        let backend = candidate.backend;
        let query = if backend.forward_client_credentials {
            self.query
        } else {
            self.clean_query
        };
        let path = backend.path.fill(self.call, candidate.model, query);
        let mut changes = changes(backend, &path, self.headers, self.private);
        changes.extend(inputs.cluster_header.map(HeaderChange::remove));
        if self.plain {
            changes.push(HeaderChange::set(ACCEPT_ENCODING, b"identity"));
        }
        let model = self.in_body.then_some(candidate.model);
        let (edits, requests_usage) = self.body_rewriter.edits(model, candidate)?;
        Ok(PlannedTarget {
            edits,
            requests_usage,
            backend: inputs.pool.unwrap_or(&backend.name).to_owned(),
            cluster: inputs.pool.unwrap_or(&backend.cluster).to_owned(),
            model: candidate.model.to_owned(),
            key: candidate.key,
            has_failures: *has_failures,
            // It is not known which member of a pool an attempt reaches, so its context window is not known either.
            context_window: inputs.pool.map_or(candidate.context_window, |_| 0),
            uses_caller_key: backend.forward_client_credentials,
            changes,
        })
    }
}

/// A body that is rewritten for each of several candidates.
struct BodyRewriter<'a> {
    rewriter: Rewriter<'a>,
    /// Whether the candidates' streams are asked for their usage.
    asks: bool,
}

impl<'a> BodyRewriter<'a> {
    fn new(
        view: &'a BodyView,
        body: &'a [u8],
        candidates: &[(Candidate<'_>, bool)],
        asks: bool,
    ) -> Result<Self, ScanError> {
        let rewriter = |asks: bool| {
            let changes = candidates.iter();
            let changes = changes.map(move |(one, _)| match one.parameters_with_usage {
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
            return Ok(BodyRewriter { rewriter, asks });
        }
        if asks
            // A body with a repeated field is refused only if the document changes that field, not because the router
            // wants to ask for the usage.
            && let Ok(rewriter) = rewriter(true)
            && rewriter.lacks_usage()
        {
            return Ok(BodyRewriter { rewriter, asks });
        }
        let asks = false;
        rewriter(false).map(|rewriter| BodyRewriter { rewriter, asks })
    }

    /// Returns the edits for a candidate, and whether they ask its stream for the usage.
    fn edits(
        &self,
        model: Option<&str>,
        candidate: &Candidate<'_>,
    ) -> Result<(Edits, bool), ScanError> {
        let asking = candidate.parameters_with_usage.filter(|_| self.asks);
        let changes = asking.unwrap_or(candidate.parameters);
        let edits = self.rewriter.edits(model, changes)?;
        Ok((edits, asking.is_some()))
    }
}

/// Returns the route's policy with the values that it leaves to the plan filled in.
fn resolve_policy(inputs: PlanInputs<'_>, targets: usize) -> FallbackPolicy {
    let mut policy = inputs.policy.clone();
    let deadline_ms = inputs.deadline_ms.unwrap_or(u32::MAX);
    policy.deadline_ms = policy.deadline_ms.min(deadline_ms);
    let several = targets > 1 && !inputs.no_fallback;
    policy.hold = policy.hold.or(Some(if several {
        Hold::FirstToken
    } else {
        Hold::None
    }));
    if inputs.no_fallback {
        policy.max_attempts = 1;
    } else if policy.max_attempts == 0 {
        let targets = u32::try_from(targets).unwrap_or(u32::MAX);
        policy.max_attempts = targets.saturating_add(2);
    }
    policy
}

/// Whether streams of this API report their usage only on request.
pub(super) fn reports_usage_on_request(api: Api) -> bool {
    matches!(api, Api::ChatCompletions | Api::Completions)
}
