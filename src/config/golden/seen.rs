//! Runs the request of a golden test and records the result.

use std::sync::Arc;

use super::GoldenRequest;
use crate::attempt::Moment;
use crate::config::{Backend, Document, Strategy, Target};
use crate::health::NoMemory;
use crate::request::{Headers, Query};
use crate::routing::{
    Arrival, Candidate, Choice, LeftOut, Passed, Pending, Refused, arrive, at, drawn_route,
    is_only_first, is_unrouted, passing_subject,
};
use crate::schema::{Answer, split_query};

/// What happened to a request.
pub(super) enum Seen<'d> {
    /// The request goes to a route's targets.
    Goes {
        route: &'d str,
        plan: Vec<Attempt>,
        /// The targets that were left out, with the reason.
        left_out: Vec<(Place, &'static str)>,
    },
    /// A random draw decides whether this route takes the request.
    Drawn(&'d str),
    /// The router answers the request itself.
    Answered {
        answer: Answer,
        /// The route that takes the request, if one does.
        route: Option<&'d str>,
        /// The targets that were left out, with the reason.
        left_out: Vec<(Place, &'static str)>,
    },
}

/// One attempt of the plan.
pub(super) struct Attempt {
    pub(super) place: Place,
    /// Whether it can be the first attempt.
    pub(super) may_be_first: bool,
    /// The group of targets that it belongs to.
    pub(super) group: usize,
    /// Whether the order in that group is drawn at random.
    pub(super) is_drawn: bool,
}

/// A backend and, if known, one of its models.
pub(super) struct Place {
    backend: String,
    model: Option<String>,
}

impl Place {
    fn of(candidate: &Candidate<'_>) -> Place {
        Place {
            backend: candidate.backend.name.clone(),
            model: Some(candidate.model.to_owned()),
        }
    }

    /// Whether a document means this place by `written`: the backend alone, or `backend/model`.
    pub(super) fn is(&self, written: &str) -> bool {
        written == self.backend || written == self.to_string()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.backend)?;
        match &self.model {
            Some(model) => write!(out, "/{model}"),
            None => Ok(()),
        }
    }
}

pub(super) fn see(document: &Document, request: GoldenRequest) -> Seen<'_> {
    let headers = Headers::new(request.all_headers());
    // No expectation relies on the result of a draw.
    let moment = Moment {
        now: request.now,
        random: 0,
        health: &NoMemory,
    };
    let drawn = || {
        let query = Query::new(split_query(&request.path).1);
        let subject = at(passing_subject(&headers, &query, &request.caller), moment);
        drawn_route(document, &subject, true).map(|route| Seen::Drawn(&route.name))
    };
    match arrive(document, headers.clone(), request.caller.clone(), || moment) {
        Arrival::Answer(answer) => {
            let drawn = if is_unrouted(&answer) { drawn() } else { None };
            drawn.unwrap_or_else(|| refused(Refused::from(answer)))
        }
        Arrival::Pass(passed) => drawn().unwrap_or_else(|| see_passed(document, &passed)),
        Arrival::AwaitBody(pending) => {
            let seen = see_call(document, &pending, &request.body, moment);
            seen.unwrap_or_else(refused)
        }
    }
}

fn see_passed<'d>(document: &'d Document, passed: &Passed) -> Seen<'d> {
    let mut routes = document.routes.iter();
    let route = routes.find(|route| route.name == passed.route);
    let is_there = |backend: &&Arc<Backend>| backend.cluster == passed.cluster;
    let backend = document.backends.iter().find(is_there);
    let only = backend.map(|backend| Attempt {
        place: Place {
            backend: backend.name.clone(),
            model: None,
        },
        may_be_first: true,
        group: 0,
        is_drawn: false,
    });
    Seen::Goes {
        route: route.map_or("", |route| route.name.as_str()),
        plan: only.into_iter().collect(),
        left_out: Vec::new(),
    }
}

fn see_call<'d>(
    document: &'d Document,
    pending: &Pending,
    body: &[u8],
    moment: Moment<'_>,
) -> Result<Seen<'d>, Refused<'d>> {
    let view = pending.read(body)?;
    let content = pending.content(body);
    let subject = pending.subject(document, &view, &content, moment.now, moment.random)?;
    if let Some(route) = drawn_route(document, &subject, false) {
        return Ok(Seen::Drawn(&route.name));
    }
    let mut decision = pending.decide(document, &view, &subject)?;
    let is_drawn = |candidate: &Candidate<'_>| {
        let strategy = decision.route.groups.get(candidate.group);
        decision.choice == Choice::Drawn && strategy == Some(&Strategy::Weighted)
    };
    let first = decision.plan.first().copied();
    // If all remaining targets have weight 0, they keep their order.
    let has_weight = first.is_some_and(|first| first.weight > 0);
    if is_only_first(document, &decision, &view) && !first.is_some_and(|first| is_drawn(&first)) {
        decision.plan.truncate(1);
    }
    let plan = decision.plan.iter().enumerate().map(|(index, candidate)| {
        let is_drawn = is_drawn(candidate);
        let is_among_first = first.is_some_and(|first| first.group == candidate.group);
        Attempt {
            place: Place::of(candidate),
            may_be_first: index == 0
                || is_drawn && is_among_first && has_weight && candidate.weight > 0,
            group: candidate.group,
            is_drawn,
        }
    });
    Ok(Seen::Goes {
        route: &decision.route.name,
        plan: plan.collect(),
        left_out: places(&decision.left_out),
    })
}

fn refused(refused: Refused<'_>) -> Seen<'_> {
    Seen::Answered {
        route: refused.route.map(|route| route.name.as_str()),
        left_out: places(&refused.left_out),
        answer: refused.answer,
    }
}

/// Converts the left-out targets and their reasons.
fn places(left_out: &[(&Target, LeftOut<'_>)]) -> Vec<(Place, &'static str)> {
    let places = left_out.iter().map(|(target, reason)| {
        let place = Place {
            backend: target.backend.name.clone(),
            model: target.model.clone(),
        };
        (place, reason.name())
    });
    places.collect()
}
