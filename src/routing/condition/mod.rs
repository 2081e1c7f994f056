//! Match conditions: what a route requires of a request, and what can be derived from conditions without a request.

mod caller;
mod content;
mod relations;
mod subject;
mod time;

use super::pattern::Pattern;
use super::sticky::TrafficShare;
use crate::prompt::TextPattern;
use crate::request::PromptPart;
pub use caller::{ClaimPattern, MeshPattern};
pub use content::{
    Bounds, ContentCondition, ContentFeature, ContentMeasure, FieldTest, FieldValue,
};
pub use subject::Subject;
pub use time::{Period, WEEKDAYS};

/// A condition on a request. A list of patterns matches if any of them does.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The model that the request asks for.
    Model(Vec<Pattern>),
    /// The path, without its query.
    Path(Vec<Pattern>),
    /// The method.
    Method(Vec<Pattern>),
    /// Any value of a header.
    Header {
        /// The name, in lower case.
        name: String,
        /// The patterns; one of the values must match one of them.
        values: Vec<Pattern>,
    },
    /// Whether the request asks for a streamed answer.
    Stream(bool),
    /// The content of the body.
    Content(ContentCondition),
    /// Any value of a query parameter.
    Query {
        /// The name, decoded.
        name: String,
        /// The patterns; one of the values must match one of them.
        values: Vec<Pattern>,
    },
    /// Claims, all of which one verified token must have.
    Claims(Vec<ClaimPattern>),
    /// The caller's mesh identity.
    Mesh(MeshPattern),
    /// When the request arrives.
    Time(Period),
    /// A share of the traffic.
    Percent(TrafficShare),
    /// At least one of the conditions holds.
    Any(Vec<Condition>),
    /// All of the conditions hold.
    All(Vec<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether the condition holds; `None` if the subject does not tell. With a complete [`Subject`] the answer is
    /// never `None`.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Option<bool> {
        let fits = |patterns: &[Pattern], value: Option<&str>| {
            value.map(|value| {
                patterns
                    .iter()
                    .any(|pattern| pattern.matches(value.as_bytes()))
            })
        };
        match self {
            Condition::Model(patterns) => fits(patterns, subject.model),
            Condition::Path(patterns) => fits(patterns, subject.path),
            Condition::Method(patterns) => fits(patterns, subject.method),
            Condition::Header { name, values } => subject.headers.map(|headers| {
                headers
                    .values(name)
                    .any(|value| values.iter().any(|pattern| pattern.matches(value)))
            }),
            Condition::Stream(wanted) => subject.stream.map(|stream| stream == *wanted),
            Condition::Content(condition) => {
                subject.content.map(|content| condition.evaluate(content))
            }
            Condition::Percent(share) => share.contains(subject),
            Condition::Query { name, values } => subject.query.map(|query| {
                let mut there = query.values(name);
                there.any(|value| values.iter().any(|pattern| pattern.matches(value)))
            }),
            Condition::Claims(claims) => subject.caller.map(|caller| {
                let mut tokens = caller.tokens().iter();
                tokens.any(|token| claims.iter().all(|claim| claim.matches(token)))
            }),
            Condition::Mesh(wanted) => subject
                .caller
                .map(|caller| caller.mesh().is_some_and(|mesh| wanted.matches(mesh))),
            Condition::Time(period) => subject.now.map(|now| period.contains(now)),
            Condition::Any(conditions) => {
                first_or_unknown(conditions.iter().map(|one| one.evaluate(subject)), true)
            }
            Condition::All(conditions) => {
                first_or_unknown(conditions.iter().map(|one| one.evaluate(subject)), false)
            }
            Condition::Not(condition) => condition.evaluate(subject).map(|holds| !holds),
        }
    }
}

impl Condition {
    /// Collects the condition's text patterns, each with the part of the prompt that it is matched against.
    pub(crate) fn texts<'c>(&'c mut self, found: &mut Vec<(PromptPart, &'c mut TextPattern)>) {
        match self {
            Condition::Content(ContentCondition::Text(part, pattern)) => {
                found.push((*part, pattern));
            }
            Condition::Any(conditions) | Condition::All(conditions) => {
                conditions.iter_mut().for_each(|one| one.texts(found));
            }
            Condition::Not(condition) => condition.texts(found),
            _ => {}
        }
    }
}

/// Returns `decisive` if any result is that; otherwise `None` if any result is unknown; otherwise the opposite of
/// `decisive`.
fn first_or_unknown(results: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut unknown = false;
    for result in results {
        match result {
            Some(result) if result == decisive => return Some(decisive),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decisive)
}

#[cfg(test)]
mod tests;
