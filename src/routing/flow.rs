//! The router role's handling of one request, from its headers to the plan of its attempts: events in, effects out.
//!
//! [`receive_headers`] takes the headers and either answers or returns a [`PendingRequest`], which takes the body and
//! either answers or returns a [`RoutedRequest`]. The types allow no other order.

use super::condition::Subject;
use super::decision::{Candidate, Decision, decide};
use super::dry_run;
use super::exclusion::ExclusionReason;
use super::pass_through::{PassThroughRequest, pass_through_subject, route_pass_through};
use super::rejection::Rejection;
use super::steering::RequestSteering;
use crate::attempt::{Moment, Plan, PlanInputs};
use crate::config::{Document, Prices, Route, Target, is_credential_header, is_internal_header};
use crate::hash::mix;
use crate::health::{CooldownPolicy, Health, TargetKey, TargetState, choose_target};
use crate::prompt::{rough_tokens, text_bytes};
use crate::request::{
    BodyKind, BodyView, Caller, Content, Headers, MAX_MODEL_BYTES, ModelRequirement, Query,
    ScanError, body_kind, scan, scan_form,
};
use crate::schema::{
    Answer, Api, Endpoint, ErrorCode, ModelCall, Schema, caller_schema, is_model_name, split_query,
};
use crate::telemetry::{OfferedTarget, OutcomeBuilder};

/// What happens to a request after its headers have arrived.
#[derive(Debug)]
pub enum AfterHeaders {
    /// The router answers it at once.
    Answer(Answer),
    /// The decision needs the body.
    AwaitBody(PendingRequest),
    /// It is not a model call and passes through unchanged.
    PassThrough(PassThroughRequest),
}

/// A request whose body has not arrived completely.
#[derive(Debug)]
pub struct PendingRequest {
    call: ModelCall,
    kind: BodyKind,
    headers: Headers,
    query: Query,
    caller: Caller,
}

/// A request that has been routed: what the host has to do, in this order.
#[derive(Debug)]
pub struct RoutedRequest<'d> {
    /// The route that takes the request.
    pub route: &'d Route,
    /// The route's targets that are not in the plan.
    pub left_out: Vec<(&'d Target, ExclusionReason<'d>)>,
    /// Request headers to remove.
    pub remove_headers: Vec<String>,
    /// How often Envoy may retry.
    pub max_retries: u32,
    /// Whether an answer with a success status may still fail, so that it is held.
    pub holds_answer: bool,
    /// How long Envoy may wait for one attempt, in milliseconds.
    pub attempt_timeout_ms: u32,
    /// When the first byte of an answer must be sent to the client, in Unix milliseconds.
    pub deadline_at: u64,
    /// The change that turns the body into the one that the first target needs.
    pub body: Option<BodyChange>,
    /// The request header that carries the cluster to Envoy; `None`: Envoy does not use one.
    pub cluster_header: Option<&'d str>,
    /// The cluster of the first attempt.
    pub cluster: String,
    /// The plan, encoded for the backend role.
    pub plan: Vec<u8>,
    /// The number that identifies the attempts of this plan.
    pub ticket: u64,
}

/// A new beginning of a body; the rest stays unchanged.
#[derive(Debug, PartialEq, Eq)]
pub struct BodyChange {
    /// How many bytes are removed from the beginning.
    pub replaced: usize,
    /// The bytes that replace them.
    pub beginning: Vec<u8>,
    /// The new `content-length`, if the client sent one.
    pub content_length: Option<usize>,
}

/// Takes a request's headers and what Envoy knows of the caller. Calls `moment` only if the decision depends on it.
#[inline(never)]
pub fn receive_headers<'m>(
    document: &Document,
    headers: Headers,
    caller: Caller,
    moment: impl FnOnce() -> Moment<'m>,
) -> AfterHeaders {
    let (path, query) = split_query(headers.text(":path").unwrap_or_default());
    let query = Query::new(query);
    // A POST to a model's path that is not a known call is another of Gemini's methods.
    let is_unknown_call = |endpoint: &Endpoint<'_>| {
        let is_posted = headers.text(":method") == Some("POST");
        is_posted && matches!(endpoint, Endpoint::RetrieveModel(name) if name.contains(':'))
    };
    let endpoint = Endpoint::at(path).filter(|endpoint| !is_unknown_call(endpoint));
    let method = endpoint.as_ref().map(Endpoint::method);
    let schema = match &endpoint {
        Some(Endpoint::Model(call)) => call.schema,
        _ => caller_schema(path, &headers),
    };
    let call = match endpoint {
        Some(endpoint) if headers.text(":method") == method && !headers.contains("upgrade") => {
            let catalog = &document.catalog;
            match endpoint {
                Endpoint::ListModels => return AfterHeaders::Answer(catalog.list(schema)),
                Endpoint::RetrieveModel(name) => {
                    return AfterHeaders::Answer(catalog.retrieve(schema, name));
                }
                Endpoint::Model(call) => call,
            }
        }
        _ => {
            let subject = pass_through_subject(&headers, &query, &caller);
            return match route_pass_through(document, &headers, subject, moment, (schema, method)) {
                Ok(passed) => AfterHeaders::PassThrough(passed),
                Err(answer) => AfterHeaders::Answer(answer),
            };
        }
    };
    if call
        .model
        .as_deref()
        .is_some_and(|name| !is_model_name(name))
    {
        return AfterHeaders::Answer(invalid_model("path", schema));
    }
    let accepts = call.api.model_location().accepts();
    let pending = match body_kind(&headers, accepts) {
        Ok(kind) => PendingRequest {
            call,
            kind,
            headers,
            query,
            caller,
        },
        Err(error) => {
            let answer = ErrorCode::from(error).answer(schema, &error.to_string());
            return AfterHeaders::Answer(answer);
        }
    };
    let length = pending.headers.text("content-length");
    let length = length.and_then(|length| length.parse().ok());
    match pending.too_large(document, length.unwrap_or(0)) {
        Some(answer) => AfterHeaders::Answer(answer),
        None => AfterHeaders::AwaitBody(pending),
    }
}

fn invalid_model(place: &str, schema: Schema) -> Answer {
    let message = format!(
        "The model in the {place} must be 1 to {MAX_MODEL_BYTES} bytes of text, without control characters and the \
         segments \".\" and \"..\"."
    );
    ErrorCode::InvalidModel.answer(schema, &message)
}

impl PendingRequest {
    /// The API schema in which the caller expects answers.
    pub fn schema(&self) -> Schema {
        self.call.schema
    }

    /// The API that the request calls.
    pub fn api(&self) -> Api {
        self.call.api
    }

    /// Returns by how much Envoy's `request.total_size` exceeds the number of body bytes received.
    pub fn header_bytes(&self) -> usize {
        self.headers.byte_size()
    }

    fn scan(&self, body: &[u8]) -> Result<BodyView, ScanError> {
        let requirement = match self.call.model {
            Some(_) => ModelRequirement::Optional,
            None => ModelRequirement::Required,
        };
        match &self.kind {
            BodyKind::Json => scan(body, requirement),
            BodyKind::Form { boundary } => scan_form(boundary, body, requirement),
        }
    }

    /// Returns the error answer if a body of `size` bytes, received or announced, exceeds the document's limit.
    pub fn too_large(&self, document: &Document, size: u64) -> Option<Answer> {
        let limit = document
            .max_body_bytes
            .filter(|limit| size > u64::from(*limit))?;
        let message = format!("The body is larger than this gateway's limit of {limit} bytes.");
        Some(ErrorCode::RequestTooLarge.answer(self.schema(), &message))
    }

    /// Reads the complete body.
    ///
    /// # Errors
    /// The answer, if the body cannot be read.
    #[inline(never)]
    pub fn read(&self, body: &[u8]) -> Result<BodyView, Answer> {
        self.scan(body).map_err(|error| self.refuse(error))
    }

    fn refuse(&self, error: ScanError) -> Answer {
        ErrorCode::from(error).answer(self.schema(), &error.to_string())
    }

    /// Returns the body's content for conditions; [`read`](Self::read) must have accepted the body.
    pub fn content<'a>(&'a self, body: &'a [u8]) -> Content<'a> {
        Content::new(self.call.api, &self.kind, body)
    }

    /// Returns the model that the request names, by the client's name for it.
    pub fn requested_model<'a>(&'a self, view: &'a BodyView) -> Option<&'a str> {
        // If both the path and the body name a model, the path counts.
        let in_body = view.model.as_ref().map(|field| field.name.as_str());
        self.call.model.as_deref().or(in_body)
    }

    /// Returns all facts about this request that conditions may use. `now`: Unix time in milliseconds; `random`: 64
    /// random bits.
    ///
    /// # Errors
    /// The answer, if the request names no valid model.
    pub fn subject<'a>(
        &'a self,
        document: &'a Document,
        view: &'a BodyView,
        content: &'a Content<'a>,
        now: u64,
        random: u64,
    ) -> Result<Subject<'a>, Answer> {
        let model = self
            .requested_model(view)
            .filter(|name| is_model_name(name));
        let model = model.map(|name| document.aliases.get(name).unwrap_or(name));
        let (path, _) = split_query(self.headers.text(":path").unwrap_or_default());
        Ok(Subject {
            model: Some(model.ok_or_else(|| invalid_model("body", self.schema()))?),
            path: Some(path),
            method: Some(self.headers.text(":method").unwrap_or_default()),
            headers: Some(&self.headers),
            stream: Some(self.call.streams(view.stream)),
            query: Some(&self.query),
            caller: Some(&self.caller),
            content: Some(content),
            now: Some(now),
            random: Some(random),
        })
    }

    /// Decides about the request with this body.
    ///
    /// # Errors
    /// The answer, if the request cannot be routed, with the reasons.
    #[inline(never)]
    pub fn decide<'d: 'm, 'm>(
        &self,
        document: &'d Document,
        view: &BodyView,
        subject: &Subject<'m>,
    ) -> Result<Decision<'d, 'm>, Rejection<'d>> {
        let schema = self.schema();
        let model = subject.model.unwrap_or_default();
        let mut decision = decide(document, self.call.api, model, subject).map_err(|error| {
            log::debug!("{error}");
            Rejection::from_decision_error(
                error,
                schema,
                self.requested_model(view).unwrap_or(model),
            )
        })?;
        if let Some(field) = view.state_reference
            && let Err(error) = decision.pin_to_stored_state()
        {
            return Err(Rejection::from_pin_error(decision, &error, schema, field));
        }
        Ok(decision)
    }

    /// Routes the request with its complete body.
    ///
    /// # Errors
    /// The answer, if the request cannot be routed.
    pub fn route<'d>(
        &self,
        document: &'d Document,
        body: &[u8],
        moment: Moment<'_>,
    ) -> Result<RoutedRequest<'d>, Answer> {
        self.route_with_telemetry(document, body, moment, &mut OutcomeBuilder::default())
    }

    /// Routes the request like [`route`](Self::route), and records in `outcome_builder` what telemetry needs.
    ///
    /// # Errors
    /// The answer, if the request cannot be routed.
    pub fn route_with_telemetry<'d>(
        &self,
        document: &'d Document,
        body: &[u8],
        moment: Moment<'_>,
        outcome_builder: &mut OutcomeBuilder,
    ) -> Result<RoutedRequest<'d>, Answer> {
        outcome_builder.partial.request_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let steering = RequestSteering::read(document.steering, &self.headers)
            .map_err(|message| ErrorCode::InvalidRouterHeader.answer(self.schema(), &message))?;
        let view = self.read(body)?;
        outcome_builder.partial.stream = self.call.streams(view.stream);
        let content = self.content(body);
        let subject = self.subject(document, &view, &content, moment.now, moment.random)?;
        let requested_model = self.requested_model(&view);
        outcome_builder.partial.model = requested_model.map(str::to_owned);
        let decision = self
            .decide(document, &view, &subject)
            .map_err(|rejection| {
                outcome_builder.partial.route = rejection.route.map(|route| route.name.clone());
                if steering.dry_run {
                    dry_run::rejection(rejection, requested_model, &subject)
                } else {
                    rejection.answer
                }
            })?;
        log::debug!("{decision}");
        outcome_builder.partial.route = Some(decision.route.name.clone());
        let cluster_header = document.cluster_header.as_deref();
        let pool = pool(&decision, &view);
        // With an aggregate cluster, Envoy takes care of its members' health.
        let cooldown = document.cooldown.as_ref().filter(|_| pool.is_none());
        let mut candidates = order_by_health(&decision, cooldown, steering.dry_run, moment);
        if tries_only_first(document, &decision, &view) {
            candidates.truncate(1);
        }
        if steering.dry_run {
            let answer = dry_run::answer(&decision, &candidates, requested_model, &subject);
            return Err(answer);
        }
        let (_, query) = split_query(self.headers.text(":path").unwrap_or_default());
        let inputs = PlanInputs {
            policy: &decision.route.policy,
            cooldown,
            now: moment.now,
            ticket: mix(moment.random),
            ask_for_usage: document.telemetry.ask_for_usage,
            deadline_ms: steering.deadline_ms,
            no_fallback: steering.no_fallback,
            pool,
            cluster_header,
        };
        let (plan, edits) = Plan::make(
            &self.call,
            &self.headers,
            query,
            &view,
            &candidates,
            body,
            inputs,
        )
        .map_err(|error| self.refuse(error))?;
        outcome_builder.partial.decision = decision.choice.name();
        // If no usage is asked for, telemetry will need an estimate, and only now is the body available for it.
        let is_estimated = plan.lacks_usage() && !view.has_stream_options;
        outcome_builder.prompt_tokens = if is_estimated {
            Some(content.prompt_tokens())
        } else {
            let known = content.known_prompt_tokens();
            known.or_else(|| Some(rough_tokens(text_bytes(body))))
        };
        outcome_builder.offered = offered(&candidates, pool);
        Ok(RoutedRequest {
            route: decision.route,
            left_out: decision.left_out,
            remove_headers: headers_to_remove(&self.headers, cluster_header),
            max_retries: plan.max_retries(),
            holds_answer: plan.holds(),
            attempt_timeout_ms: plan.attempt_timeout_ms(),
            deadline_at: plan.deadline_at(),
            body: (!edits.is_empty()).then(|| BodyChange {
                replaced: edits.replaced(),
                beginning: edits.beginning(body),
                content_length: self
                    .headers
                    .contains("content-length")
                    .then(|| plan.body_length()),
            }),
            cluster_header,
            cluster: plan.cluster().to_owned(),
            ticket: plan.ticket(),
            plan: plan.encode(),
        })
    }
}

/// Returns the names and prices of a plan's targets. With an aggregate cluster, it is not known which member takes an
/// attempt.
fn offered(candidates: &[(Candidate<'_>, bool)], pool: Option<&str>) -> Vec<OfferedTarget> {
    let offered = |(candidate, _): &(Candidate<'_>, bool)| OfferedTarget {
        backend: pool.unwrap_or(&candidate.backend.name).to_owned(),
        model: candidate.model.to_owned(),
        prices: match pool {
            None => *candidate.prices,
            Some(_) => Prices::default(),
        },
    };
    candidates.iter().map(offered).collect()
}

/// Returns the aggregate cluster that chooses among the route's targets for this request.
fn pool<'d>(decision: &Decision<'d, '_>, view: &BodyView) -> Option<&'d str> {
    // A request that refers to stored state needs one provider, and the aggregate cluster may choose any member.
    let pool = decision.route.aggregate_cluster.as_deref();
    pool.filter(|_| view.state_reference.is_none())
}

/// Whether only the first target of the plan is ever tried, because Envoy cannot select another target's cluster.
pub(crate) fn tries_only_first(
    document: &Document,
    decision: &Decision<'_, '_>,
    view: &BodyView,
) -> bool {
    document.cluster_header.is_some() && pool(decision, view).is_none()
}

/// Returns the headers that the client must not pass on: credentials, and names that belong to Envoy or the router.
pub(super) fn headers_to_remove(headers: &Headers, cluster_header: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in headers.iter() {
        let goes =
            is_credential_header(name) || is_internal_header(name) || cluster_header == Some(name);
        if goes && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Returns the plan with one target moved to the head: the first that is healthy or due for a probe or, if there is
/// none, the one whose cooldown ends first.
///
/// The flag of a candidate means that failures of it are recorded; in a dry run, that it is in cooldown or being
/// probed.
fn order_by_health<'m>(
    decision: &Decision<'_, 'm>,
    cooldown: Option<&CooldownPolicy>,
    dry_run: bool,
    moment: Moment<'_>,
) -> Vec<(Candidate<'m>, bool)> {
    let plan = &decision.plan;
    let well = |candidate: &Candidate<'m>| (*candidate, false);
    // The only target of a plan is tried whatever its health, but a dry run reports its health.
    let Some(policy) = cooldown.filter(|_| plan.len() > 1 || dry_run) else {
        return plan.iter().map(well).collect();
    };
    let keys: Vec<TargetKey> = plan.iter().map(|candidate| candidate.key).collect();
    let mut ordered = Vec::new();
    moment.health.change(&mut |health: &mut Health| {
        if health.is_empty() {
            ordered = plan.iter().map(well).collect();
            return false;
        }
        let is_left_alone = |health: &Health, key: TargetKey| {
            let state = health.state(key, moment.now, policy);
            matches!(
                state,
                TargetState::Cooling { .. } | TargetState::Probing { .. }
            )
        };
        ordered = plan
            .iter()
            .map(|candidate| {
                let flag = if dry_run {
                    is_left_alone(health, candidate.key)
                } else {
                    health.has_failures(candidate.key)
                };
                (*candidate, flag)
            })
            .collect();
        let choice = choose_target(health, &keys, moment.now, policy);
        if let Some(choice) = choice.filter(|choice| choice.index < ordered.len()) {
            let chosen = ordered.remove(choice.index);
            ordered.insert(0, chosen);
        }
        !dry_run && choice.is_some_and(|choice| choice.leased)
    });
    ordered
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
