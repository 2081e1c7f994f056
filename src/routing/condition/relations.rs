//! What can be known of conditions without a request.

use super::Condition;
use crate::request::CallerAsks;
use crate::routing::pattern::{Pattern, all_exclude, any_covers};

impl Condition {
    /// Whether every request for which `other` holds is one for which this holds. `false` where that is not seen.
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
            // Nothing else of shares: one of all or of nothing is a rollout that is over or has not begun.
            (Percent(this), Percent(other)) => this.covers(other),
            _ => false,
        }
    }

    /// Whether no request can meet both. `false` where that is not seen.
    pub fn excludes(&self, other: &Condition) -> bool {
        use Condition::{All, Any, Content, Mesh, Method, Model, Not, Path, Stream, Time};
        match (self, other) {
            (Any(these), _) => these.iter().all(|this| this.excludes(other)),
            (_, Any(others)) => others.iter().all(|other| self.excludes(other)),
            (All(these), _) if these.iter().any(|this| this.excludes(other)) => true,
            (_, All(others)) => others.iter().any(|other| self.excludes(other)),
            (Not(this), _) if this.covers(other) => true,
            (_, Not(other)) => other.covers(self),
            // Not so for headers, parameters and claims: of two values, one may fit here and the other there.
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

    /// Whether no request can ever meet it, as far as that is seen.
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

    /// Whether it asks for what only a call of a model has: a model, a streamed answer, a body that is read.
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

    /// Whether a share of the traffic is asked for anywhere in it.
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

    /// Whether what meets it has this header, as far as that is seen.
    pub fn asks_for_header(&self, header: &str) -> bool {
        match self {
            Condition::Header { name, .. } => name == header,
            Condition::Any(conditions) => conditions.iter().all(|one| one.asks_for_header(header)),
            Condition::All(conditions) => conditions.iter().any(|one| one.asks_for_header(header)),
            _ => false,
        }
    }

    /// Names of which a request's model has to be one, for this to hold; `None` where that is not seen.
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

    /// Notes what has to be known of the caller.
    pub fn ask(&self, asks: &mut CallerAsks) {
        match self {
            Condition::Claims(_) => asks.claims = true,
            Condition::Mesh(_) => asks.mesh = true,
            Condition::Any(conditions) | Condition::All(conditions) => {
                for condition in conditions {
                    condition.ask(asks);
                }
            }
            Condition::Not(condition) => condition.ask(asks),
            _ => {}
        }
    }

    /// The model names that are asked for by exactly this name, in the order of the document.
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
