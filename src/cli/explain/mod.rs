//! The command `explain`: shows what happens to one request, and why.

mod content_wording;
mod diff;
mod text_output;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use serde::Serialize;

use super::CommandError;
use super::load::load;
use crate::attempt::Moment;
use crate::config::{Document, GoldenRequest, Route, Strategy, Target, Tree};
use crate::health::NoHealthStore;
use crate::request::{Caller, Claims, Headers, MeshIdentity, Query};
use crate::routing::{
    AfterHeaders, Candidate, Choice, ExclusionReason, PendingRequest, Subject, at_moment,
    is_no_route_answer, pass_through_subject, receive_headers, tries_only_first,
};
use crate::schema::{Answer, ErrorCode, rfc_3339, split_query};
use crate::simulated_envoy::{self, HeaderList, SentRequest};

/// A request, and the document that decides about it.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The document, or an Envoy or Istio file (YAML or JSON) that contains one.
    file: PathBuf,
    /// The file with the request body; `-` reads standard input. Without it, the request has no body.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The request path, optionally with a query.
    #[arg(long, default_value = GoldenRequest::PATH)]
    path: String,
    /// The request method. Default: POST with a body, GET without one.
    #[arg(long)]
    method: Option<String>,
    /// A request header, as `name: value`. Can be given several times.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// A claim of the token that Envoy has verified, as `name=value`. Can be given several times; a repeated name has all
    /// of its values.
    #[arg(long = "claim", value_name = "CLAIM")]
    claims: Vec<String>,
    /// The mesh identity that the caller's certificate proves, as `spiffe://cluster.local/ns/prod/sa/chat`.
    #[arg(long, value_name = "URI")]
    mesh: Option<String>,
    /// The time of the request, as `2026-01-05T12:00:00Z`. Default: now.
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// A 64-bit number in place of the random bits for weighted and percentage choices.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    random: u64,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What happens to a request.
#[derive(Debug, Default, Serialize)]
struct Explanation {
    method: String,
    path: String,
    /// The model that a model call asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The model that an alias stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    /// The routes, in the order in which they are tried.
    routes: Vec<TriedRoute>,
    /// Whether a random draw decided which route takes the request or the order of the plan, so that the same request
    /// may have another result.
    drawn: bool,
    #[serde(skip)]
    is_order_drawn: bool,
    /// The source of the key by which the order of the plan was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    sticky: Option<String>,
    plan: Vec<PlannedTarget>,
    left_out: Vec<ExcludedTarget>,
    attempts: Vec<AttemptDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<RouterAnswer>,
}

/// A route, and whether it takes the request.
#[derive(Debug, Serialize)]
struct TriedRoute {
    name: String,
    /// `taken`, `failed`, or why it was not tried.
    result: &'static str,
    #[serde(flatten)]
    reason: Option<trace::Reason>,
}

/// A target of the plan.
#[derive(Debug, Serialize)]
struct PlannedTarget {
    backend: String,
    model: Option<String>,
    cluster: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

/// A target that is not in the plan.
#[derive(Debug, Serialize)]
struct ExcludedTarget {
    backend: String,
    model: Option<String>,
    reason: &'static str,
    /// Details of the reason, if its name does not say everything.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// The request as one attempt sends it.
#[derive(Debug, Serialize)]
struct AttemptDiff {
    backend: String,
    removed_headers: Vec<String>,
    added_headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<BodyDiff>,
}

#[derive(Debug, Serialize)]
struct BodyDiff {
    before: String,
    after: String,
}

/// An answer from the router itself.
#[derive(Debug, Serialize)]
struct RouterAnswer {
    status: u32,
    code: Option<&'static str>,
    body: serde_json::Value,
}

/// Explains one request.
pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, CommandError> {
    let Some(loaded) = load(&args.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let explanation = explain(&loaded.document, &request(args)?, args.random);
    if args.json {
        let told = serde_json::to_string_pretty(&explanation);
        let told = told.map_err(|error| CommandError(error.to_string()))?;
        super::say(&format!("{told}\n"));
    } else {
        super::say(&text_output::text(&explanation));
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &ExplainArgs) -> Result<GoldenRequest, CommandError> {
    let body = match &args.request {
        None => Vec::new(),
        Some(file) if file.as_os_str() == "-" => {
            let mut body = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut body)
                .map_err(|error| CommandError(format!("standard input: {error}")))?;
            body
        }
        Some(file) => std::fs::read(file)
            .map_err(|error| CommandError(format!("{}: {error}", file.display())))?,
    };
    let mut headers = Vec::new();
    for header in &args.headers {
        let Some((name, value)) = header.split_once(':') else {
            return Err(CommandError(format!(
                "--header {header}: write it as `name: value`"
            )));
        };
        let name = match name.trim().to_ascii_lowercase().as_str() {
            "host" => ":authority".to_owned(),
            name => name.to_owned(),
        };
        headers.push((name, value.trim().as_bytes().to_vec()));
    }
    let method = match &args.method {
        Some(method) => method.clone(),
        None if args.request.is_some() => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    Ok(GoldenRequest {
        path: args.path.clone(),
        method,
        headers,
        body,
        caller: caller(args)?,
        now: now(args)?,
    })
}

/// Returns the time of the request; by default, now.
fn now(args: &ExplainArgs) -> Result<u64, CommandError> {
    match &args.time {
        Some(time) => rfc_3339(time).ok_or_else(|| {
            CommandError(format!("--time {time}: write it as 2026-01-05T12:00:00Z"))
        }),
        None => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            Ok(u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX))
        }
    }
}

/// Returns what Envoy would know about the caller.
fn caller(args: &ExplainArgs) -> Result<Caller, CommandError> {
    let mut caller = Caller::default();
    if let Some(uri) = &args.mesh {
        let mesh = MeshIdentity::parse(uri).ok_or_else(|| {
            let form = "spiffe://cluster.local/ns/prod/sa/chat";
            CommandError(format!("--mesh {uri}: write it as {form}"))
        })?;
        caller = caller.with_mesh(Some(mesh));
    }
    let mut claims: Vec<(String, Vec<Tree>)> = Vec::new();
    for claim in &args.claims {
        let Some((name, value)) = claim.split_once('=') else {
            return Err(CommandError(format!(
                "--claim {claim}: write it as name=value"
            )));
        };
        let value = Tree::Text(value.to_owned());
        match claims.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => claims.push((name.to_owned(), vec![value])),
        }
    }
    if !claims.is_empty() {
        let claims = claims.into_iter();
        let payload = claims.map(|(name, values)| (name, Tree::List(values)));
        if let Some(claims) = Claims::new(Tree::Map(payload.collect())) {
            caller = caller.with_claims(claims);
        }
    }
    Ok(caller)
}

fn explain(document: &Document, request: &GoldenRequest, random: u64) -> Explanation {
    let mut explanation = Explanation {
        method: request.method.clone(),
        path: request.path.clone(),
        ..Explanation::default()
    };
    let headers = request.all_headers();
    let caller = &request.caller;
    let moment = Moment {
        now: request.now,
        random,
        health: &NoHealthStore,
    };
    let passing = |headers: HeaderList| {
        let query = Query::new(split_query(&request.path).1);
        let headers = Headers::new(headers);
        let subject = at_moment(pass_through_subject(&headers, &query, caller), moment);
        tried(document, &subject, true)
    };
    let all = Headers::new(headers.clone());
    match receive_headers(document, all, caller.clone(), || moment) {
        AfterHeaders::PassThrough(passed) => {
            explanation.routes = passing(headers.clone());
            let sent =
                simulated_envoy::pass_through(document, &passed, headers.clone(), &request.body);
            if let Some(sent) = sent {
                explanation.plan.push(PlannedTarget {
                    backend: sent.backend.clone(),
                    model: None,
                    cluster: passed.cluster,
                    weight: None,
                });
                explanation
                    .attempts
                    .push(changed(&headers, &request.body, sent));
            }
        }
        AfterHeaders::AwaitBody(pending) => {
            let result = decide(document, request, &pending, moment, &mut explanation);
            explanation.answer = result.err().map(answered);
        }
        AfterHeaders::Answer(answer) => {
            // Of the requests without a model call, the routes have been evaluated only for those that no route takes.
            if is_no_route_answer(&answer) {
                explanation.routes = passing(headers);
            }
            explanation.answer = Some(answered(answer));
        }
    }
    let mut reasons = explanation
        .routes
        .iter()
        .filter_map(|route| route.reason.as_ref());
    explanation.drawn = explanation.is_order_drawn || reasons.any(|reason| reason.drawn);
    explanation
}

/// Explains a model call.
fn decide(
    document: &Document,
    request: &GoldenRequest,
    pending: &PendingRequest,
    moment: Moment<'_>,
    explanation: &mut Explanation,
) -> Result<(), Answer> {
    let view = pending.read(&request.body)?;
    let content = pending.content(&request.body);
    let subject = pending.subject(document, &view, &content, moment.now, moment.random)?;
    let asked = pending.requested_model(&view);
    explanation.model = asked.map(str::to_owned);
    let real = subject.model.filter(|real| Some(*real) != asked);
    explanation.alias_of = real.map(str::to_owned);
    explanation.stream = subject.stream;
    explanation.routes = tried(document, &subject, false);
    let decided = pending.decide(document, &view, &subject);
    let mut decision = decided.map_err(|refused| {
        explanation.left_out = dropped(&refused.left_out);
        refused.answer
    })?;
    if tries_only_first(document, &decision, &view) {
        decision.plan.truncate(1);
    }
    explanation.is_order_drawn = decision.choice == Choice::Drawn;
    if let Choice::Sticky(source) = decision.choice {
        explanation.sticky = Some(source.to_string());
    }
    let is_weighted = |candidate: &Candidate<'_>| {
        let strategy = decision.route.groups.get(candidate.group);
        strategy == Some(&Strategy::Weighted)
    };
    let plan = decision.plan.iter().map(|candidate| PlannedTarget {
        backend: candidate.backend.name.clone(),
        model: Some(candidate.model.to_owned()),
        cluster: candidate.backend.cluster.clone(),
        weight: is_weighted(candidate).then_some(candidate.weight),
    });
    explanation.plan = plan.collect();
    explanation.left_out = dropped(&decision.left_out);
    let routed = pending.route(document, &request.body, moment)?;
    let headers = request.all_headers();
    let body = &request.body;
    let sent = simulated_envoy::attempts(
        document,
        &routed,
        headers.clone(),
        body,
        moment,
        &mut |_| {},
    );
    let mut seen: Vec<SentRequest> = Vec::new();
    for one in sent {
        // A second attempt at the same target sends the same request.
        if !seen.contains(&one) {
            seen.push(one.clone());
            explanation.attempts.push(changed(&headers, body, one));
        }
    }
    Ok(())
}

fn dropped(left_out: &[(&Target, ExclusionReason<'_>)]) -> Vec<ExcludedTarget> {
    let dropped = left_out.iter().map(|(target, reason)| ExcludedTarget {
        backend: target.backend.name.clone(),
        model: target.model.clone(),
        reason: reason.name(),
        detail: reason.detail(),
    });
    dropped.collect()
}

fn changed(headers: &HeaderList, body: &[u8], sent: SentRequest) -> AttemptDiff {
    let (removed_headers, added_headers) = diff::headers(headers, &sent.headers);
    let body = diff::body(body, &sent.body);
    AttemptDiff {
        backend: sent.backend,
        removed_headers,
        added_headers,
        body: body.map(|(before, after)| BodyDiff { before, after }),
    }
}

fn answered(answer: Answer) -> RouterAnswer {
    RouterAnswer {
        status: answer.status,
        code: answer.code.map(ErrorCode::name),
        body: serde_json::from_slice(&answer.body).unwrap_or_default(),
    }
}

/// Explains each route up to the first that takes the request; later routes are only named.
fn tried(document: &Document, subject: &Subject<'_>, passes: bool) -> Vec<TriedRoute> {
    let mut is_taken = false;
    let of = |route: &Route| {
        let failed = trace::first_failed(&route.condition, subject);
        let (result, reason) = match failed {
            _ if route.pass_through && !passes => ("not for model calls", None),
            _ if !route.pass_through && passes => ("only for model calls", None),
            _ if is_taken => ("not tried", None),
            Some(failed) => ("failed", Some(failed)),
            None => {
                is_taken = true;
                ("taken", trace::taken_by(&route.condition, subject))
            }
        };
        TriedRoute {
            name: route.name.clone(),
            result,
            reason,
        }
    };
    document.routes.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
