//! Which route takes a request, and in which order its targets are tried.

use std::fmt;

use super::condition::Subject;
use super::eligibility::{can_do, meets};
use super::left_out::LeftOut;
use super::strategy;
use crate::config::{Backend, Document, Route, Target};
use crate::health::TargetKey;
use crate::schema::{Answer, Api, ErrorCode, Schema};

/// Where a request goes, and why: of the document, and of the request's model.
#[derive(Clone, Debug)]
pub struct Decision<'d, 'm> {
    /// The first route whose match holds.
    pub route: &'d Route,
    /// The attempts in order; never empty.
    pub plan: Vec<Candidate<'m>>,
    /// The targets that did not enter the plan.
    pub left_out: Vec<(&'d Target, LeftOut<'d>)>,
}

impl Decision<'_, '_> {
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
            let is_out = |(out, _): &(&Target, LeftOut<'_>)| std::ptr::eq(*out, target);
            if target.backend.name != home && !self.left_out.iter().any(is_out) {
                self.left_out.push((target, LeftOut::Tied));
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
                "\"{field}\" names what one provider has stored, and the route \"{route}\" has several backends. Which \
                 of them has it, the route must say: `stored_at: <backend>`."
            ),
            Unpinned::NotThere(route, home) => format!(
                "\"{field}\" names what is stored at the backend \"{home}\", as the route \"{route}\" says, but that \
                 backend does not serve this request."
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
    /// How often, relative to the others.
    pub weight: u32,
    /// By which all workers know how it fares.
    pub key: TargetKey,
    /// How many tokens fit; 0: not known.
    pub context_window: u32,
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
        if all(|reason| *reason == LeftOut::SchemaMismatch) {
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
    let mut routes = document.routes.iter().filter(|route| !route.pass_through);
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
    Ok(Decision {
        route,
        plan: strategy::order(
            route.strategy,
            candidates,
            |one| one.weight,
            subject.random.unwrap_or(0),
        ),
        left_out,
    })
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
    can_do(entry, api, subject.content)?;
    Ok(Candidate {
        backend,
        model: entry.upstream_name.as_deref().unwrap_or(name),
        weight: target.weight,
        key: entry.key,
        context_window: entry.context_window,
    })
}
