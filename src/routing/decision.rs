//! Which route takes a request, and in which order its targets are tried.

use std::fmt;

use super::condition::Subject;
use super::eligibility::{can_do, meets};
use super::left_out::LeftOut;
use super::strategy::{self, Choice};
use crate::config::{Backend, Document, Prices, Route, Target};
use crate::health::TargetKey;
use crate::request::{Content, ParameterChanges};
use crate::schema::{Answer, Api, ErrorCode, Schema};

/// Where a request goes, and why: of the document, and of the request's model.
#[derive(Clone, Debug)]
pub struct Decision<'d, 'm> {
    /// The first route whose match holds.
    pub route: &'d Route,
    /// The attempts in order; never empty.
    pub plan: Vec<Candidate<'m>>,
    /// By what their order was chosen.
    pub choice: Choice<'d>,
    /// The targets that did not enter the plan.
    pub left_out: Vec<(&'d Target, LeftOut<'d>)>,
}

impl<'d> Decision<'d, '_> {
    /// Notes why a target is not in the plan, unless it is known already.
    fn leave_out(&mut self, target: &'d Target, reason: LeftOut<'d>) {
        let mut known = self.left_out.iter();
        if !known.any(|(out, _)| std::ptr::eq(*out, target)) {
            self.left_out.push((target, reason));
        }
    }

    /// Keeps to the one backend where that is stored which the request names.
    ///
    /// # Errors
    /// If that is not known: it is never guessed.
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

/// Why a request cannot be tied to a backend; the names are of the document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpinned {
    /// This route has targets at several backends.
    Several(String),
    /// At the backend that this route names, no target serves the request.
    NotThere(String, String),
}

impl Unpinned {
    /// The answer to a request that names what is stored in this field.
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

/// For logs: names of the document only, nothing that a client sent.
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
    /// Where.
    pub backend: &'a Backend,
    /// What that backend calls the model.
    pub model: &'a str,
    /// How often, relative to the others of its group.
    pub weight: u32,
    /// Its group: where its strategy stands in [`Route::groups`].
    pub group: usize,
    /// The number that stands for the target where choices stick.
    pub identity: u64,
    /// By which all workers know how it fares.
    pub key: TargetKey,
    /// How many tokens fit; 0: not known.
    pub context_window: u32,
    /// What is changed of the body.
    pub parameters: &'a ParameterChanges,
    /// The same where a stream's usage is asked for too, if it may be.
    pub asking: Option<&'a ParameterChanges>,
    /// What its tokens cost.
    pub prices: &'a Prices,
}

/// Why a request goes nowhere.
#[derive(Clone, Debug)]
pub enum Undecided<'d> {
    /// No route takes it.
    NoRoute,
    /// A route takes it, but none of its targets can.
    NoTarget {
        /// The route.
        route: &'d Route,
        /// All of its targets.
        left_out: Vec<(&'d Target, LeftOut<'d>)>,
    },
}

impl Undecided<'_> {
    /// The error that the caller gets.
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
            // A target that speaks the API but lacks the model is nearer to what was asked for.
            ErrorCode::ModelNotFound
        } else if any(|reason| matches!(reason, LeftOut::PromptTooLong { .. })) {
            // The last thing that is checked: nothing else is in the way.
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

/// Decides about one request, of which `subject` must know everything.
///
/// # Errors
/// Why it goes nowhere.
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

/// The route of which it is drawn whether it takes a request, if one is asked whose answer no key decides. `passes`: what is
/// no call of a model.
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
