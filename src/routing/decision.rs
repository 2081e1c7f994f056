//! Decides which route takes a request, and in which order its targets are tried.

use std::fmt;

use super::condition::Subject;
use super::eligibility::{check_capabilities, check_requirements};
use super::exclusion::ExclusionReason;
use super::strategy::{self, Choice};
use crate::config::{Backend, Document, Prices, Route, Target};
use crate::health::TargetKey;
use crate::request::{Content, ParameterChanges};
use crate::schema::{Answer, Api, ErrorCode, Schema};

/// The route and the plan for a request. Borrows from the document and from the request's model name.
#[derive(Clone, Debug)]
pub struct Decision<'d, 'm> {
    /// The first route whose match holds.
    pub route: &'d Route,
    /// The attempts in order; never empty.
    pub plan: Vec<Candidate<'m>>,
    /// How the order was chosen.
    pub choice: Choice<'d>,
    /// The targets that are not in the plan.
    pub left_out: Vec<(&'d Target, ExclusionReason<'d>)>,
}

impl<'d> Decision<'d, '_> {
    /// Records why a target is not in the plan, unless a reason is already recorded.
    fn exclude(&mut self, target: &'d Target, reason: ExclusionReason<'d>) {
        let mut known = self.left_out.iter();
        if !known.any(|(out, _)| std::ptr::eq(*out, target)) {
            self.left_out.push((target, reason));
        }
    }

    /// Limits the plan to the backend that has the stored state to which the request refers.
    ///
    /// # Errors
    /// If that backend is not known: it is never guessed.
    pub(super) fn pin_to_stored_state(&mut self) -> Result<(), PinError> {
        let home = match &self.route.stored_at {
            Some(home) => home.clone(),
            None => {
                let mut backends = self.plan.iter().map(|candidate| &candidate.backend.name);
                let first = backends.next();
                match first.filter(|first| backends.all(|other| other == *first)) {
                    Some(only) => only.clone(),
                    None => return Err(PinError::SeveralBackends(self.route.name.clone())),
                }
            }
        };
        self.plan.retain(|candidate| candidate.backend.name == home);
        if self.plan.is_empty() {
            return Err(PinError::NotServedThere(self.route.name.clone(), home));
        }
        for target in &self.route.targets {
            if target.backend.name != home {
                self.exclude(target, ExclusionReason::StateElsewhere);
            }
        }
        Ok(())
    }
}

/// Why a request cannot be tied to a backend; with names from the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PinError {
    /// This route has targets at several backends.
    SeveralBackends(String),
    /// At the backend (second) that this route (first) names, no target serves the request.
    NotServedThere(String, String),
}

impl PinError {
    /// Returns the error answer to a request that refers to stored state in this field.
    pub(super) fn answer(&self, schema: Schema, field: &str) -> Answer {
        let message = match self {
            PinError::SeveralBackends(route) => format!(
                "\"{field}\" refers to state that is stored at one provider, but the route \"{route}\" has several \
                 backends. The route must say which of them has it: `stored_at: <backend>`."
            ),
            PinError::NotServedThere(route, home) => format!(
                "\"{field}\" refers to state that is stored at the backend \"{home}\" (according to the route \
                 \"{route}\"), but that backend does not serve this request."
            ),
        };
        ErrorCode::StoredStateUnpinned.answer(schema, &message)
    }
}

/// For logs: only names from the document, nothing that a client sent.
impl fmt::Display for Decision<'_, '_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "route \"{}\", plan:", self.route.name)?;
        for candidate in &self.plan {
            write!(out, " \"{}\"", candidate.backend.name)?;
        }
        if let Choice::Sticky(source) = self.choice {
            write!(out, ", by {source}")?;
        }
        write_left_out(out, &self.left_out)
    }
}

fn write_left_out(
    out: &mut fmt::Formatter<'_>,
    left_out: &[(&Target, ExclusionReason<'_>)],
) -> fmt::Result {
    for (target, reason) in left_out {
        write!(out, ", without \"{}\" ({reason})", target.backend.name)?;
    }
    Ok(())
}

/// A target that can serve this request.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The backend.
    pub backend: &'a Backend,
    /// The backend's name for the model.
    pub model: &'a str,
    /// How often it is chosen, relative to the other targets of its group.
    pub weight: u32,
    /// The index of its group in [`Route::groups`].
    pub group: usize,
    /// The number that identifies the target in sticky choices.
    pub identity: u64,
    /// The key under which all workers share the target's health.
    pub key: TargetKey,
    /// How many tokens fit in the context window; 0: not known.
    pub context_window: u32,
    /// The changes to the body.
    pub parameters: &'a ParameterChanges,
    /// The same changes with a request for a stream's usage added; `None` if the router must not ask for it.
    pub parameters_with_usage: Option<&'a ParameterChanges>,
    /// The model's token prices.
    pub prices: &'a Prices,
}

/// Why a request cannot be routed.
#[derive(Clone, Debug)]
pub enum DecisionError<'d> {
    /// No route takes the request.
    NoRoute,
    /// A route takes the request, but none of its targets can serve it.
    NoTarget {
        /// The route.
        route: &'d Route,
        /// All targets of the route, with the reasons.
        left_out: Vec<(&'d Target, ExclusionReason<'d>)>,
    },
}

impl DecisionError<'_> {
    /// Returns the code of the error that the caller gets.
    pub fn code(&self) -> ErrorCode {
        let DecisionError::NoTarget { left_out, .. } = self else {
            return ErrorCode::ModelNotFound;
        };
        let all =
            |is: fn(&ExclusionReason<'_>) -> bool| left_out.iter().all(|(_, reason)| is(reason));
        let any =
            |is: fn(&ExclusionReason<'_>) -> bool| left_out.iter().any(|(_, reason)| is(reason));
        if all(|reason| {
            matches!(
                reason,
                ExclusionReason::SchemaMismatch | ExclusionReason::ParametersNeedJson
            )
        }) {
            ErrorCode::ApiNotSupported
        } else if all(|reason| {
            matches!(
                reason,
                ExclusionReason::SchemaMismatch | ExclusionReason::ModelNotServed
            )
        }) {
            // A target that speaks the API but lacks the model is closer to what the caller asked for.
            ErrorCode::ModelNotFound
        } else if any(|reason| matches!(reason, ExclusionReason::PromptTooLong { .. })) {
            // Length is checked last, so no other reason keeps this target out.
            ErrorCode::ContextLengthExceeded
        } else {
            ErrorCode::NoEligibleTarget
        }
    }
}

/// For logs, as for a [`Decision`].
impl fmt::Display for DecisionError<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecisionError::NoRoute => out.write_str("no route"),
            DecisionError::NoTarget { route, left_out } => {
                write!(out, "route \"{}\", no target", route.name)?;
                write_left_out(out, left_out)
            }
        }
    }
}

/// Decides about one request. `subject` must know everything about it.
///
/// # Errors
/// Why the request cannot be routed.
pub fn decide<'d: 'm, 'm>(
    document: &'d Document,
    api: Api,
    model: &'m str,
    subject: &Subject<'_>,
) -> Result<Decision<'d, 'm>, DecisionError<'d>> {
    let places = document.index.candidates(model);
    let mut routes = places.filter_map(|place| document.routes.get(place));
    let route = routes
        .find(|route| route.condition.evaluate(subject) == Some(true))
        .ok_or(DecisionError::NoRoute)?;
    let mut candidates = Vec::with_capacity(route.targets.len());
    let mut left_out = Vec::new();
    for target in &route.targets {
        match candidate(route, target, api, model, subject) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => left_out.push((target, reason)),
        }
    }
    if candidates.is_empty() {
        return Err(DecisionError::NoTarget { route, left_out });
    }
    let (plan, choice) = strategy::order(route, candidates, subject);
    Ok(Decision {
        route,
        plan,
        choice,
        left_out,
    })
}

/// Returns the route that the request reaches, if only a random draw decides whether that route takes it. `passes`:
/// whether the request is not a model call.
pub(crate) fn drawn_route<'d>(
    document: &'d Document,
    subject: &Subject<'_>,
    passes: bool,
) -> Option<&'d Route> {
    let undrawn = Subject {
        random: None,
        ..*subject
    };
    let takes = |route: &&Route| route.condition.evaluate(&undrawn);
    let mut routes = document.routes.iter();
    let first = routes.find(|route| route.pass_through == passes && takes(route) != Some(false))?;
    takes(&first).is_none().then_some(first)
}

fn candidate<'d: 'm, 'm>(
    route: &'d Route,
    target: &'d Target,
    api: Api,
    asked_for: &'m str,
    subject: &Subject<'_>,
) -> Result<Candidate<'m>, ExclusionReason<'d>> {
    let backend = &target.backend;
    if !backend.schema.speaks(api) {
        return Err(ExclusionReason::SchemaMismatch);
    }
    let name = target.model.as_deref().unwrap_or(asked_for);
    let entry = backend.model(name).ok_or(ExclusionReason::ModelNotServed)?;
    check_requirements(&route.requirements, entry)?;
    check_capabilities(entry, api, subject.content, &target.parameters)?;
    let is_form = subject.content.is_some_and(Content::is_form);
    if is_form && !target.parameters.is_empty() {
        return Err(ExclusionReason::ParametersNeedJson);
    }
    Ok(Candidate {
        backend,
        model: entry.upstream_name.as_deref().unwrap_or(name),
        weight: target.weight,
        group: target.group,
        identity: target.identity,
        key: entry.key,
        context_window: entry.context_window,
        parameters: &target.parameters,
        parameters_with_usage: target.parameters_with_usage.as_ref(),
        prices: &entry.prices,
    })
}
