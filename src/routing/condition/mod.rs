//! Match conditions: what a route asks of a request, and what can be known of them without one.

mod caller;
mod content;
mod relations;
mod subject;
mod time;

use super::pattern::Pattern;
use super::sticky::Share;
use crate::prompt::TextPattern;
use crate::request::Part;
pub use caller::{ClaimPattern, MeshPattern};
pub use content::{Amount, Bounds, ContentCondition, Fact, FieldTest, Scalar};
pub use subject::Subject;
pub use time::{Period, WEEKDAYS};

/// A condition on a request. A list of patterns holds if any of them fits.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The `model` of the body.
    Model(Vec<Pattern>),
    /// The path without its query.
    Path(Vec<Pattern>),
    /// The method.
    Method(Vec<Pattern>),
    /// Any of a header's values.
    Header {
        /// In lower case.
        name: String,
        /// What one of the values must fit.
        values: Vec<Pattern>,
    },
    /// Whether a streamed answer is asked for.
    Stream(bool),
    /// What the body says.
    Content(ContentCondition),
    /// Any of the values of a parameter of the query.
    Query {
        /// As it is meant.
        name: String,
        /// What one of the values must fit.
        values: Vec<Pattern>,
    },
    /// The claims of one and the same verified token.
    Claims(Vec<ClaimPattern>),
    /// The identity in the mesh.
    Mesh(MeshPattern),
    /// When the request comes.
    Time(Period),
    /// A share of the traffic.
    Percent(Share),
    /// At least one holds.
    Any(Vec<Condition>),
    /// Every one holds.
    All(Vec<Condition>),
    /// The one does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether the condition holds, `None` if that takes more than is known. Given a whole [`Subject`] the
    /// answer is never `None`.
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
            Condition::Percent(share) => share.has(subject),
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
    /// Its patterns of the prompt's text, each with the part that it is asked about.
    pub(crate) fn texts<'c>(&'c mut self, found: &mut Vec<(Part, &'c mut TextPattern)>) {
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

/// `decisive` if any of the results is that; else unknown if any is; else the opposite.
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
