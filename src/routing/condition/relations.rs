//! Relations between conditions that can be derived without a request.

use super::Condition;
use crate::request::CallerParts;
use crate::routing::pattern::{Pattern, all_exclude, any_covers};

impl Condition {
    /// Whether this condition holds for every request for which `other` holds. `false` if that cannot be shown.
    pub fn covers(&self, other: &Condition) -> bool {
        use Condition::{
            All, Any, Claims, Content, Header, Mesh, Method, Model, Not, Path, Percent, Query,
            Stream, Time,
        };
        match (self, other) {
            (All(these), _) => these.iter().all(|this| this.covers(other)),
            (_, Any(others)) => others.iter().all(|other| self.covers(other)),
            (Any(these), _) if these.iter().any(|this| this.covers(other)) => true,
            (_, All(others)) if others.iter().any(|other| self.covers(other)) => true,
            (Not(this), Not(other)) if other.covers(this) => true,
            (Not(this), _) => this.excludes(other),
            // Every request has a model, a path and a method.
            (Model(these) | Path(these) | Method(these), _) if these.contains(&Pattern::Any) => {
                true
            }
            (Model(these), Model(others))
            | (Path(these), Path(others))
            | (Method(these), Method(others)) => any_covers(these, others),
            (
                Header { name, values },
                Header {
                    name: other_name,
                    values: others,
                },
            )
            | (
                Query { name, values },
                Query {
                    name: other_name,
                    values: others,
                },
            ) => name == other_name && any_covers(values, others),
            (Claims(these), Claims(others)) => these
                .iter()
                .all(|this| others.iter().any(|other| this.covers(other))),
            (Mesh(this), Mesh(other)) => this.covers(other),
            (Time(this), Time(other)) => this.covers(other),
            (Stream(this), Stream(other)) => this == other,
            (Content(this), Content(other)) => this.covers(other),
            // Shares are not examined further: a share of 0 or 100 percent is a rollout that has not begun or is
            // complete, not an error.
            (Percent(this), Percent(other)) => this.covers(other),
            _ => false,
        }
    }

    /// Whether no request can meet both conditions. `false` if that cannot be shown.
    pub fn excludes(&self, other: &Condition) -> bool {
        use Condition::{All, Any, Content, Mesh, Method, Model, Not, Path, Stream, Time};
        match (self, other) {
            (Any(these), _) => these.iter().all(|this| this.excludes(other)),
            (_, Any(others)) => others.iter().all(|other| self.excludes(other)),
            (All(these), _) if these.iter().any(|this| this.excludes(other)) => true,
            (_, All(others)) => others.iter().any(|other| self.excludes(other)),
            (Not(this), _) if this.covers(other) => true,
            (_, Not(other)) => other.covers(self),
            // Headers, parameters and claims do not exclude each other: one value may match here and another there.
            (Model(these), Model(others))
            | (Path(these), Path(others))
            | (Method(these), Method(others)) => all_exclude(these, others),
            (Stream(this), Stream(other)) => this != other,
            (Content(this), Content(other)) => this.excludes(other),
            (Mesh(this), Mesh(other)) => this.excludes(other),
            (Time(this), Time(other)) => this.excludes(other),
            _ => false,
        }
    }

    /// Whether it can be shown that no request meets the condition.
    pub fn is_impossible(&self) -> bool {
        match self {
            Condition::Any(conditions) => conditions.iter().all(Condition::is_impossible),
            Condition::All(conditions) => {
                conditions.iter().any(Condition::is_impossible)
                    || conditions.iter().enumerate().any(|(seen, one)| {
                        conditions.iter().take(seen).any(|two| one.excludes(two))
                    })
            }
            Condition::Not(condition) => condition.covers(&Condition::Model(vec![Pattern::Any])),
            Condition::Content(condition) => condition.is_impossible(),
            _ => false,
        }
    }

    /// Whether the condition requires something that only model calls have: a model, a streamed answer, or a body that
    /// the router reads.
    pub fn is_of_model_calls(&self) -> bool {
        match self {
            Condition::Model(_) | Condition::Stream(_) | Condition::Content(_) => true,
            Condition::Path(_) | Condition::Method(_) | Condition::Header { .. } => false,
            Condition::Query { .. }
            | Condition::Claims(_)
            | Condition::Mesh(_)
            | Condition::Time(_)
            | Condition::Percent(_) => false,
            Condition::Any(conditions) | Condition::All(conditions) => {
                conditions.iter().any(Condition::is_of_model_calls)
            }
            Condition::Not(condition) => condition.is_of_model_calls(),
        }
    }

    /// Whether the condition contains a share of the traffic.
    pub fn has_share(&self) -> bool {
        match self {
            Condition::Percent(_) => true,
            Condition::Any(conditions) | Condition::All(conditions) => {
                conditions.iter().any(Condition::has_share)
            }
            Condition::Not(condition) => condition.has_share(),
            _ => false,
        }
    }

    /// Whether it can be shown that every request that meets the condition has this header.
    pub fn asks_for_header(&self, header: &str) -> bool {
        match self {
            Condition::Header { name, .. } => name == header,
            Condition::Any(conditions) => conditions.iter().all(|one| one.asks_for_header(header)),
            Condition::All(conditions) => conditions.iter().any(|one| one.asks_for_header(header)),
            _ => false,
        }
    }

    /// Returns the model names to which the condition is limited; `None` if no limit can be shown.
    pub fn only_models(&self) -> Option<Vec<&str>> {
        match self {
            Condition::Model(patterns) => patterns.iter().map(Pattern::as_exact).collect(),
            Condition::Any(conditions) => {
                let of_each: Option<Vec<_>> =
                    conditions.iter().map(Condition::only_models).collect();
                of_each.map(|of_each| of_each.concat())
            }
            Condition::All(conditions) => conditions
                .iter()
                .filter_map(Condition::only_models)
                .min_by_key(Vec::len),
            _ => None,
        }
    }

    /// Adds what the condition needs to know about the caller.
    pub fn add_caller_parts(&self, parts: &mut CallerParts) {
        match self {
            Condition::Claims(_) => parts.claims = true,
            Condition::Mesh(_) => parts.mesh = true,
            Condition::Any(conditions) | Condition::All(conditions) => {
                for condition in conditions {
                    condition.add_caller_parts(parts);
                }
            }
            Condition::Not(condition) => condition.add_caller_parts(parts),
            _ => {}
        }
    }

    /// Collects the model names that the condition matches exactly, in the order of the document.
    pub fn exact_models<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Condition::Model(patterns) => {
                names.extend(patterns.iter().filter_map(Pattern::as_exact))
            }
            Condition::Any(conditions) | Condition::All(conditions) => {
                for condition in conditions {
                    condition.exact_models(names);
                }
            }
            _ => {}
        }
    }
}
