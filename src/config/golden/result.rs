//! Runs the request of a golden test and records the result.

use std::sync::Arc;

use super::GoldenRequest;
use crate::attempt::Moment;
use crate::config::{Backend, Document, Strategy, Target};
use crate::health::NoHealthStore;
use crate::request::{Headers, Query};
use crate::routing::{
    AfterHeaders, Candidate, Choice, ExclusionReason, PassThroughRequest, PendingRequest,
    Rejection, at_moment, drawn_route, is_no_route_answer, pass_through_subject, receive_headers,
    tries_only_first,
};
use crate::schema::{Answer, split_query};

/// What happened to a request.
pub(super) enum GoldenResult<'d> {
    /// The request goes to a route's targets.
    Routed {
        route: &'d str,
        plan: Vec<Attempt>,
        /// The targets that were left out, with the reason.
        left_out: Vec<(TargetName, &'static str)>,
    },
    /// A random draw decides whether this route takes the request.
    RandomDraw(&'d str),
    /// The router answers the request itself.
    Answered {
        answer: Answer,
        /// The route that takes the request, if one does.
        route: Option<&'d str>,
        /// The targets that were left out, with the reason.
        left_out: Vec<(TargetName, &'static str)>,
    },
}

/// One attempt of the plan.
pub(super) struct Attempt {
    pub(super) target: TargetName,
    /// Whether it can be the first attempt.
    pub(super) may_be_first: bool,
    /// The group of targets that it belongs to.
    pub(super) group: usize,
    /// Whether the order in that group is drawn at random.
    pub(super) is_drawn: bool,
}

/// A backend and, if known, one of its models.
pub(super) struct TargetName {
    backend: String,
    model: Option<String>,
}

impl TargetName {
    fn of(candidate: &Candidate<'_>) -> TargetName {
        TargetName {
            backend: candidate.backend.name.clone(),
            model: Some(candidate.model.to_owned()),
        }
    }

    /// Whether a document means this target by `written`: the backend alone, or `backend/model`.
    pub(super) fn is(&self, written: &str) -> bool {
        written == self.backend || written == self.to_string()
    }
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.backend)?;
        match &self.model {
            Some(model) => write!(out, "/{model}"),
            None => Ok(()),
        }
    }
}

pub(super) fn run_request(document: &Document, request: GoldenRequest) -> GoldenResult<'_> {
    let headers = Headers::new(request.all_headers());
    // No expectation relies on the result of a draw.
    let moment = Moment {
        now: request.now,
        random: 0,
        health: &NoHealthStore,
    };
    let drawn = || {
        let query = Query::new(split_query(&request.path).1);
        let subject = at_moment(
            pass_through_subject(&headers, &query, &request.caller),
            moment,
        );
        drawn_route(document, &subject, true).map(|route| GoldenResult::RandomDraw(&route.name))
    };
    match receive_headers(document, headers.clone(), request.caller.clone(), || moment) {
        AfterHeaders::Answer(answer) => {
            let drawn = if is_no_route_answer(&answer) {
                drawn()
            } else {
                None
            };
            drawn.unwrap_or_else(|| from_rejection(Rejection::from(answer)))
        }
        AfterHeaders::PassThrough(passed) => {
            drawn().unwrap_or_else(|| from_pass_through(document, &passed))
        }
        AfterHeaders::AwaitBody(pending) => {
            let seen = run_call(document, &pending, &request.body, moment);
            seen.unwrap_or_else(from_rejection)
        }
    }
}

fn from_pass_through<'d>(document: &'d Document, passed: &PassThroughRequest) -> GoldenResult<'d> {
    let mut routes = document.routes.iter();
    let route = routes.find(|route| route.name == passed.route);
    let is_there = |backend: &&Arc<Backend>| backend.cluster == passed.cluster;
    let backend = document.backends.iter().find(is_there);
    let only = backend.map(|backend| Attempt {
        target: TargetName {
            backend: backend.name.clone(),
            model: None,
        },
        may_be_first: true,
        group: 0,
        is_drawn: false,
    });
    GoldenResult::Routed {
        route: route.map_or("", |route| route.name.as_str()),
        plan: only.into_iter().collect(),
        left_out: Vec::new(),
    }
}

fn run_call<'d>(
    document: &'d Document,
    pending: &PendingRequest,
    body: &[u8],
    moment: Moment<'_>,
) -> Result<GoldenResult<'d>, Rejection<'d>> {
    let view = pending.read(body)?;
    let content = pending.content(body);
    let subject = pending.subject(document, &view, &content, moment.now, moment.random)?;
    if let Some(route) = drawn_route(document, &subject, false) {
        return Ok(GoldenResult::RandomDraw(&route.name));
    }
    let mut decision = pending.decide(document, &view, &subject)?;
    let is_drawn = |candidate: &Candidate<'_>| {
        let strategy = decision.route.groups.get(candidate.group);
        decision.choice == Choice::Drawn && strategy == Some(&Strategy::Weighted)
    };
    let first = decision.plan.first().copied();
    // If all remaining targets have weight 0, they keep their order.
    let has_weight = first.is_some_and(|first| first.weight > 0);
    if tries_only_first(document, &decision, &view) && !first.is_some_and(|first| is_drawn(&first))
    {
        decision.plan.truncate(1);
    }
    let plan = decision.plan.iter().enumerate().map(|(index, candidate)| {
        let is_drawn = is_drawn(candidate);
        let is_among_first = first.is_some_and(|first| first.group == candidate.group);
        Attempt {
            target: TargetName::of(candidate),
            may_be_first: index == 0
                || is_drawn && is_among_first && has_weight && candidate.weight > 0,
            group: candidate.group,
            is_drawn,
        }
    });
    Ok(GoldenResult::Routed {
        route: &decision.route.name,
        plan: plan.collect(),
        left_out: target_names(&decision.left_out),
    })
}

fn from_rejection(rejection: Rejection<'_>) -> GoldenResult<'_> {
    GoldenResult::Answered {
        route: rejection.route.map(|route| route.name.as_str()),
        left_out: target_names(&rejection.left_out),
        answer: rejection.answer,
    }
}

/// Converts the left-out targets and their reasons.
fn target_names(left_out: &[(&Target, ExclusionReason<'_>)]) -> Vec<(TargetName, &'static str)> {
    let target_names = left_out.iter().map(|(target, reason)| {
        let place = TargetName {
            backend: target.backend.name.clone(),
            model: target.model.clone(),
        };
        (place, reason.name())
    });
    target_names.collect()
}
