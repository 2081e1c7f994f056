//! Decides which route takes a request, and in which order its targets are tried.

use std::fmt;

use super::condition::Subject;
use super::eligibility::{can_do, meets};
use super::left_out::LeftOut;
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
    pub left_out: Vec<(&'d Target, LeftOut<'d>)>,
}

impl<'d> Decision<'d, '_> {
    /// Records why a target is not in the plan, unless a reason is already recorded.
    fn leave_out(&mut self, target: &'d Target, reason: LeftOut<'d>) {
        let mut known = self.left_out.iter();
        if !known.any(|(out, _)| std::ptr::eq(*out, target)) {
            self.left_out.push((target, reason));
        }
    }

    /// Limits the plan to the backend that has the stored state to which the request refers.
    ///
    /// # Errors
    /// If that backend is not known: it is never guessed.
    pub(super) fn tie(&mut self) -> Result<(), Unpinned> {
        let home = match &self.route.stored_at {
            Some(home) => home.clone(),
            None => {
                let mut backends = self.plan.iter().map(|candidate| &candidate.backend.name);
                let first = backends.next();
                match first.filter(|first| backends.all(|other| other == *first)) {
                    Some(only) => only.clone(),
                    None => return Err(Unpinned::Several(self.route.name.clone())),
                }
            }
        };
        self.plan.retain(|candidate| candidate.backend.name == home);
        if self.plan.is_empty() {
            return Err(Unpinned::NotThere(self.route.name.clone(), home));
        }
        for target in &self.route.targets {
            if target.backend.name != home {
                self.leave_out(target, LeftOut::Tied);
            }
        }
        Ok(())
    }
}

/// Why a request cannot be tied to a backend; with names from the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpinned {
    /// This route has targets at several backends.
    Several(String),
    /// At the backend (second) that this route (first) names, no target serves the request.
    NotThere(String, String),
}

impl Unpinned {
    /// Returns the error answer to a request that refers to stored state in this field.
    pub(super) fn answer(&self, schema: Schema, field: &str) -> Answer {
        let message = match self {
            Unpinned::Several(route) => format!(
                "\"{field}\" refers to state that is stored at one provider, but the route \"{route}\" has several \
                 backends. The route must say which of them has it: `stored_at: <backend>`."
            ),
            Unpinned::NotThere(route, home) => format!(
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
    left_out: &[(&Target, LeftOut<'_>)],
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
    pub asking: Option<&'a ParameterChanges>,
    /// The model's token prices.
    pub prices: &'a Prices,
}

/// Why a request cannot be routed.
#[derive(Clone, Debug)]
pub enum Undecided<'d> {
    /// No route takes the request.
    NoRoute,
    /// A route takes the request, but none of its targets can serve it.
    NoTarget {
        /// The route.
        route: &'d Route,
        /// All targets of the route, with the reasons.
        left_out: Vec<(&'d Target, LeftOut<'d>)>,
    },
}

impl Undecided<'_> {
    /// Returns the code of the error that the caller gets.
    pub fn code(&self) -> ErrorCode {
        let Undecided::NoTarget { left_out, .. } = self else {
            return ErrorCode::ModelNotFound;
        };
        let all = |is: fn(&LeftOut<'_>) -> bool| left_out.iter().all(|(_, reason)| is(reason));
        let any = |is: fn(&LeftOut<'_>) -> bool| left_out.iter().any(|(_, reason)| is(reason));
        if all(|reason| {
            matches!(
                reason,
                LeftOut::SchemaMismatch | LeftOut::ParametersNeedJson
            )
        }) {
            ErrorCode::ApiNotSupported
        } else if all(|reason| matches!(reason, LeftOut::SchemaMismatch | LeftOut::ModelNotServed))
        {
            // A target that speaks the API but lacks the model is closer to what the caller asked for.
            ErrorCode::ModelNotFound
        } else if any(|reason| matches!(reason, LeftOut::PromptTooLong { .. })) {
            // Length is checked last, so no other reason keeps this target out.
            ErrorCode::ContextLengthExceeded
        } else {
            ErrorCode::NoEligibleTarget
        }
    }
}

/// For logs, as for a [`Decision`].
impl fmt::Display for Undecided<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecided::NoRoute => out.write_str("no route"),
            Undecided::NoTarget { route, left_out } => {
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
) -> Result<Decision<'d, 'm>, Undecided<'d>> {
    let places = document.index.places(model);
    let mut routes = places.filter_map(|place| document.routes.get(place));
    let route = routes
        .find(|route| route.condition.evaluate(subject) == Some(true))
        .ok_or(Undecided::NoRoute)?;
    let mut candidates = Vec::with_capacity(route.targets.len());
    let mut left_out = Vec::new();
    for target in &route.targets {
        match candidate(route, target, api, model, subject) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => left_out.push((target, reason)),
        }
    }
    if candidates.is_empty() {
        return Err(Undecided::NoTarget { route, left_out });
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
) -> Result<Candidate<'m>, LeftOut<'d>> {
    let backend = &target.backend;
    if !backend.schema.speaks(api) {
        return Err(LeftOut::SchemaMismatch);
    }
    let name = target.model.as_deref().unwrap_or(asked_for);
    let entry = backend.model(name).ok_or(LeftOut::ModelNotServed)?;
    meets(&route.demands, entry)?;
    can_do(entry, api, subject.content, &target.parameters)?;
    let is_form = subject.content.is_some_and(Content::is_form);
    if is_form && !target.parameters.is_empty() {
        return Err(LeftOut::ParametersNeedJson);
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
        asking: target.asking.as_ref(),
        prices: &entry.prices,
    })
}
