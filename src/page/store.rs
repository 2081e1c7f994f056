//! The data of all workers together, to which each adds its own in any order.

use std::collections::VecDeque;

use super::sums::{OTHERS, Rows, Slots, Sums};
use crate::config::Document;
use crate::hash;
use crate::telemetry::{AnswerEnd, AttemptSummary, Outcome};
use crate::wire::{Reader, Writer};

/// How many of the latest decisions are kept.
pub const DECISIONS: usize = 50;

/// How long a worker's statement about itself is valid, in milliseconds. A running worker renews it at least once a
/// second.
pub const STATEMENT_TTL_MS: u64 = 5_000;

/// How far the clocks of two workers may differ, in milliseconds.
const SKEW_MS: u64 = 1_000;

/// The version of the encoding: a module that is loaded later may read what another wrote.
const FORMAT: u8 = 2;

/// One decision, as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// When its request ended, in Unix milliseconds.
    pub at_ms: u64,
    /// Random bits that order decisions of the same time.
    pub id: u64,
    /// The decision as JSON.
    pub json: Vec<u8>,
}

/// The requests and attempts that one worker has in progress. This is a statement rather than an addition: it replaces
/// the worker's previous one and is valid only for [`STATEMENT_TTL_MS`], because a worker that is gone subtracts
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Random bits that identify the worker.
    pub worker: u64,
    /// When the worker stated this, in Unix milliseconds.
    pub stated_ms: u64,
    /// The number of requests in progress.
    pub requests: u64,
    /// The number of attempts in progress, by target.
    pub attempts: Vec<(u64, u64)>,
}

/// The shared data: sums, the latest decisions, and requests in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// When counting began, in Unix milliseconds; 0: nothing has been added yet.
    pub since_ms: u64,
    /// The sums of all requests in the latest slots.
    pub(super) recent: Slots<Sums>,
    /// The rows of routes, by [`route_key`]. Every request is in one of them.
    pub routes: Rows,
    /// The rows of targets, by the bits of their [`TargetKey`](crate::health::TargetKey).
    pub targets: Rows,
    /// The latest decisions, the newest first.
    pub decisions: Vec<Decision>,
    /// The statements of the workers that have requests in progress.
    pub in_flight: Vec<InFlight>,
}

/// Returns the key of a route's row.
pub fn route_key(name: &str) -> u64 {
    hash::hash_names(&[name])
}

impl Store {
    /// Creates an empty store, as of this time (in Unix milliseconds).
    pub fn since(now_ms: u64) -> Store {
        Store {
            since_ms: now_ms,
            ..Store::default()
        }
    }

    /// Adds another store. The result does not depend on the order in which stores are added.
    pub fn add(&mut self, other: Store) {
        self.since_ms = match (self.since_ms, other.since_ms) {
            (0, since) | (since, 0) => since,
            (one, other) => one.min(other),
        };
        self.recent.add(&other.recent);
        self.routes.add(other.routes);
        self.targets.add(other.targets);
        for decision in other.decisions {
            // One by one: a sort would enlarge the module more than all of this code.
            let at = self.decisions.partition_point(|known| *known > decision);
            self.decisions.insert(at, decision);
            self.decisions.truncate(DECISIONS);
        }
        for statement in other.in_flight {
            self.set_in_flight(statement);
        }
    }

    /// Replaces a worker's previous statement by a newer one.
    pub fn set_in_flight(&mut self, statement: InFlight) {
        let known = |known: &InFlight| known.worker.cmp(&statement.worker);
        match self.in_flight.binary_search_by(known) {
            Ok(at) => {
                let known = self.in_flight.get_mut(at);
                if let Some(known) = known.filter(|known| known.stated_ms <= statement.stated_ms) {
                    *known = statement;
                }
            }
            Err(at) => self.in_flight.insert(at, statement),
        }
    }

    /// Removes what is too old, and what lies in the future because the clock was set back.
    pub fn prune(&mut self, now_ms: u64) {
        self.recent.prune(now_ms);
        self.routes.prune(now_ms);
        self.targets.prune(now_ms);
        let newest = now_ms.saturating_add(SKEW_MS);
        self.decisions.retain(|decision| decision.at_ms <= newest);
        self.in_flight.retain(|statement| {
            let is_empty = statement.requests == 0 && statement.attempts.is_empty();
            !is_empty && statement.stated_ms.abs_diff(now_ms) <= STATEMENT_TTL_MS
        });
    }

    /// Encodes the store for shared data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(FORMAT);
        out.long(self.since_ms);
        self.recent.write(&mut out);
        self.routes.write(&mut out);
        self.targets.write(&mut out);
        out.list(&self.decisions, |out, decision| {
            out.long(decision.at_ms);
            out.long(decision.id);
            out.bytes(&decision.json);
        });
        out.list(&self.in_flight, |out, statement| {
            out.long(statement.worker);
            out.long(statement.stated_ms);
            out.count(statement.requests);
            out.list(&statement.attempts, |out, (target, count)| {
                out.long(*target);
                out.count(*count);
            });
        });
        out.0
    }

    /// Decodes shared data; returns an empty store if the bytes are not in this format.
    pub fn decode(bytes: &[u8]) -> Store {
        let mut from = Reader(bytes);
        let store = match from.byte() {
            Some(FORMAT) => Store::read(&mut from),
            _ => None,
        };
        store.filter(|_| from.0.is_empty()).unwrap_or_default()
    }

    fn read(from: &mut Reader<'_>) -> Option<Store> {
        Some(Store {
            since_ms: from.long()?,
            recent: Slots::read(from)?,
            routes: Rows::read(from)?,
            targets: Rows::read(from)?,
            decisions: from.list(|from| {
                Some(Decision {
                    at_ms: from.long()?,
                    id: from.long()?,
                    json: from.bytes()?,
                })
            })?,
            in_flight: from.list(|from| {
                Some(InFlight {
                    worker: from.long()?,
                    stated_ms: from.long()?,
                    requests: from.count()?,
                    attempts: from.list(|from| Some((from.long()?, from.count()?)))?,
                })
            })?,
        })
    }
}

/// The data that one worker has gathered since it last added it to the shared store.
#[derive(Clone, Debug, Default)]
pub struct PendingCounts {
    store: Store,
    /// The latest outcomes, the newest first.
    last: VecDeque<(u64, Outcome)>,
}

impl PendingCounts {
    /// Counts a request that has ended now.
    pub fn record(&mut self, document: &Document, outcome: &Outcome, now_ms: u64) {
        let route = outcome.route.as_deref().map_or(OTHERS, route_key);
        let whole = route_sums(outcome);
        self.store.recent.count(whole, now_ms);
        self.store.routes.count(route, whole, now_ms);
        let last = outcome.attempts.len().saturating_sub(1);
        // Attempts of pass-through requests have no model, so no row of the targets counts them.
        let attempts = outcome.attempts.iter().enumerate();
        for (index, attempt) in attempts.filter(|(_, attempt)| !attempt.model.is_empty()) {
            let failed = attempt.is_failure();
            let mut sums = if index == last && is_answered(outcome) {
                let mut answer = answer_sums(outcome);
                // The time to the first token includes earlier attempts, so it is not this target's.
                if last > 0 {
                    (answer.first_ms, answer.first_count) = (0, 0);
                }
                answer
            } else {
                Sums::default()
            };
            sums.requests = 1;
            sums.errors = u64::from(failed);
            sums.whole_ms = attempt.ms.unwrap_or(0);
            sums.whole_count = u64::from(attempt.ms.is_some());
            let target = target(document, &attempt.backend, &attempt.model);
            self.store.targets.count(target, sums, now_ms);
        }
        self.last.push_front((now_ms, outcome.clone()));
        self.last.truncate(DECISIONS);
    }

    /// Whether nothing was gathered since the last `take`.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty() && self.store == Store::default()
    }

    /// Takes the gathered data. `id` returns random bits.
    pub fn take(&mut self, id: impl Fn() -> u64) -> Store {
        let mut store = std::mem::take(&mut self.store);
        let decisions = self.last.drain(..).map(|(at_ms, outcome)| Decision {
            at_ms,
            id: id(),
            json: super::view::decision(&outcome, at_ms)
                .to_string()
                .into_bytes(),
        });
        store.decisions.extend(decisions);
        store
    }

    /// Puts back data that could not be added to the shared store.
    pub fn put_back(&mut self, store: Store) {
        self.store.add(store);
    }
}

/// Returns the row of the target with this upstream model name. If several models of a document share it, the backend
/// sees one model, and so does the page: the first one's row.
fn target(document: &Document, backend: &str, called: &str) -> u64 {
    let mut backends = document.backends.iter();
    let Some(backend) = backends.find(|known| known.name == backend) else {
        return OTHERS;
    };
    let mut models = backend.models.iter();
    let named = models.find(|model| model.exact_upstream_name() == Some(called));
    named
        .or_else(|| backend.model(called))
        .map_or(OTHERS, |model| model.key.bits())
}

/// Whether the request failed: the caller did not get what it asked for, and did not cancel.
pub(super) fn is_failed(outcome: &Outcome) -> bool {
    match outcome.end {
        AnswerEnd::ClientGone => false,
        AnswerEnd::NoTerminator | AnswerEnd::InBandError | AnswerEnd::Cut | AnswerEnd::Stalled => {
            true
        }
        AnswerEnd::None | AnswerEnd::Complete => outcome.status == 0 || outcome.status >= 400,
    }
}

/// Whether a backend gave the answer.
fn is_answered(outcome: &Outcome) -> bool {
    let last = outcome.attempts.last();
    outcome.error.is_none() && last.is_some_and(|last| last.verdict == AttemptSummary::ACCEPTED)
}

fn answer_sums(outcome: &Outcome) -> Sums {
    let first = outcome.first_token_ms;
    let is_known = !outcome.usage.is_unknown();
    Sums {
        answers: 1,
        input: outcome.usage.input.unwrap_or(0),
        output: outcome.usage.output.unwrap_or(0),
        estimated: u64::from(outcome.is_estimated),
        cost: u128::from(outcome.cost.unwrap_or(0)),
        unpriced: u64::from(is_known && outcome.cost.is_none()),
        first_ms: first.unwrap_or(0),
        first_count: u64::from(first.is_some()),
        ..Sums::default()
    }
}

/// Returns the sums that a request adds to its route.
fn route_sums(outcome: &Outcome) -> Sums {
    let sums = if is_answered(outcome) {
        answer_sums(outcome)
    } else {
        Sums::default()
    };
    Sums {
        requests: 1,
        errors: u64::from(is_failed(outcome)),
        fallbacks: u64::try_from(outcome.fallbacks().count()).unwrap_or(0),
        whole_ms: outcome.whole_ms,
        whole_count: 1,
        ..sums
    }
}
