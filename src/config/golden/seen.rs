//! What became of a golden test's request.

use std::sync::Arc;

use super::GoldenRequest;
use crate::config::{Backend, Document, Strategy, Target};
use crate::request::{Caller, Headers};
use crate::routing::{Arrival, Candidate, LeftOut, Refused, arrive, is_only_first};
use crate::schema::Answer;

/// What became of a request.
pub(super) enum Seen<'d> {
    /// It goes somewhere.
    Goes {
        route: &'d str,
        /// What each attempt would be, and whether it may be the first one.
        plan: Vec<(Place, bool)>,
        /// Whether the order is drawn.
        is_drawn: bool,
        /// With the reason.
        left_out: Vec<(Place, &'static str)>,
    },
    /// It is answered here.
    Answered {
        answer: Answer,
        /// The route that takes it, if one does.
        route: Option<&'d str>,
        /// With the reason.
        left_out: Vec<(Place, &'static str)>,
    },
}

/// A backend and a model of it.
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

    /// As a document names it: with the model or without.
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
    let pending = match arrive(
        document,
        Headers::new(request.all_headers()),
        Caller::default(),
    ) {
        Arrival::Answer(answer) => return refused(Refused::from(answer)),
        Arrival::AwaitBody(pending) => pending,
        Arrival::Pass(passed) => {
            let mut routes = document.routes.iter();
            let route = routes.find(|route| route.name == passed.route);
            let is_there = |backend: &&Arc<Backend>| backend.cluster == passed.cluster;
            let backend = document.backends.iter().find(is_there);
            let place = backend.map(|backend| Place {
                backend: backend.name.clone(),
                model: None,
            });
            return Seen::Goes {
                route: route.map_or("", |route| route.name.as_str()),
                plan: place.map(|place| (place, true)).into_iter().collect(),
                is_drawn: false,
                left_out: Vec::new(),
            };
        }
    };
    let decide = || -> Result<Seen<'_>, Refused<'_>> {
        let view = pending.read(&request.body)?;
        let content = pending.content(&request.body);
        let subject = pending.subject(document, &view, &content, 0, 0)?;
        let mut decision = pending.decide(document, &view, &subject)?;
        let is_drawn = decision.route.strategy == Strategy::Weighted;
        if is_only_first(document, &decision, &view) && !is_drawn {
            decision.plan.truncate(1);
        }
        let plan = decision.plan.iter().enumerate().map(|(index, candidate)| {
            let may_be_first = index == 0 || is_drawn && candidate.weight > 0;
            (Place::of(candidate), may_be_first)
        });
        Ok(Seen::Goes {
            route: &decision.route.name,
            plan: plan.collect(),
            is_drawn,
            left_out: places(&decision.left_out),
        })
    };
    decide().unwrap_or_else(refused)
}

fn refused(refused: Refused<'_>) -> Seen<'_> {
    Seen::Answered {
        route: refused.route.map(|route| route.name.as_str()),
        left_out: places(&refused.left_out),
        answer: refused.answer,
    }
}

/// What is left out, and why.
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
