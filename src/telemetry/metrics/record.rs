//! Records an outcome in the metrics.

use super::labels::{DIRECTIONS, Label, STATUSES, TOKEN_TYPES};
use super::{Definition, Definitions, Metric, MetricKind};
use crate::config::Document;
use crate::health::{Health, TargetKey, TargetState};
use crate::telemetry::{AnswerEnd, AttemptSummary, Outcome};

/// The number of pico-dollars in one micro-dollar.
const PICO_DOLLARS: u64 = 1_000_000;

/// Turns outcomes into values of a document's series.
#[derive(Clone, Debug)]
pub struct Recorder {
    definitions: Definitions,
    /// For each series of [`Metric::Cost`], the pico-dollars that do not make a whole micro-dollar yet, so that sums
    /// are exact.
    carried: Vec<u64>,
    /// The indexes of the targets that were in cooldown at the last check.
    cooling: Vec<usize>,
}

/// Receives the values to record: the number of a series, its kind, and the value.
pub type MetricSink<'a> = &'a mut dyn FnMut(usize, MetricKind, u64);

impl Recorder {
    /// Creates a recorder for the metrics of this document.
    pub fn new(document: &Document) -> Recorder {
        Recorder {
            definitions: Definitions::for_document(document),
            carried: Vec::new(),
            cooling: Vec::new(),
        }
    }

    /// Returns all series in the order of their numbers.
    pub fn definitions(&self) -> Vec<Definition> {
        self.definitions.all()
    }

    /// Records an outcome. That takes from 8 values, if nothing was answered, to 18 for a stream that one attempt
    /// answered, and 3 more for each further attempt.
    pub fn record(&mut self, outcome: &Outcome, sink: MetricSink<'_>) {
        let mut recording = OutcomeRecording {
            definitions: &self.definitions,
            carried: &mut self.carried,
            sink,
        };
        recording.request(outcome);
        recording.attempts(outcome);
        if let (Some(route), Some(last)) = (&outcome.route, outcome.attempts.last()) {
            let target = recording
                .definitions
                .names
                .target(route, &last.backend, &last.model);
            recording.times(outcome, target);
            recording.usage(outcome, target, last);
        }
    }

    /// Records that a target's cooldown has begun.
    pub fn record_cooldown(&self, target: TargetKey, sink: MetricSink<'_>) {
        let backend_model = self.definitions.names.backend_model_of(target);
        let number = backend_model
            .and_then(|backend_model| self.definitions.number(Metric::Cooldowns, &[backend_model]));
        if let Some(number) = number {
            sink(number, MetricKind::Counter, 1);
        }
    }

    /// Records which targets are in cooldown, as far as that has changed since the last check.
    pub fn record_health(
        &mut self,
        document: &Document,
        health: &Health,
        now: u64,
        sink: MetricSink<'_>,
    ) {
        let names = &self.definitions.names;
        let mut cooling = Vec::new();
        if let (Some(policy), false) = (&document.cooldown, health.is_empty()) {
            for (key, backend_model) in names.keys() {
                let state = health.state(*key, now, policy);
                if matches!(state, TargetState::Cooling { .. }) && !cooling.contains(backend_model)
                {
                    cooling.push(*backend_model);
                }
            }
        }
        let mut set = |backend_model: &usize, value| {
            let number = self.definitions.number(Metric::Cooling, &[*backend_model]);
            if let Some(number) = number {
                sink(number, MetricKind::Gauge, value);
            }
        };
        let ended = self
            .cooling
            .iter()
            .filter(|backend_model| !cooling.contains(backend_model));
        ended.for_each(|backend_model| set(backend_model, 0));
        let begun = cooling
            .iter()
            .filter(|backend_model| !self.cooling.contains(backend_model));
        begun.for_each(|backend_model| set(backend_model, 1));
        self.cooling = cooling;
    }
}

/// Records the values of one outcome.
struct OutcomeRecording<'a> {
    definitions: &'a Definitions,
    carried: &'a mut Vec<u64>,
    sink: MetricSink<'a>,
}

impl OutcomeRecording<'_> {
    fn put(&mut self, metric: Metric, values: &[usize], value: u64) {
        if let Some(number) = self.definitions.number(metric, values) {
            (self.sink)(number, metric.kind(), value);
        }
    }

    /// Records a value unless it is zero.
    fn add(&mut self, metric: Metric, values: &[usize], value: u64) {
        if value > 0 {
            self.put(metric, values, value);
        }
    }

    fn request(&mut self, outcome: &Outcome) {
        let names = &self.definitions.names;
        let route = names.route(outcome.route.as_deref());
        let caller = names.caller(outcome.caller.as_deref());
        let status = usize::from(outcome.status / 100).min(STATUSES.len().saturating_sub(1));
        self.put(Metric::Requests, &[route, status], 1);
        self.put(Metric::CallerRequests, &[caller, status], 1);
        if let Some(decision) = Label::Decision.position(outcome.decision) {
            self.put(Metric::Decisions, &[route, decision], 1);
        }
        let end = AnswerEnd::ALL
            .iter()
            .position(|(_, end)| *end == outcome.end);
        self.put(Metric::Ends, &[route, end.unwrap_or(0)], 1);
        if let Some(error) = outcome.error.and_then(|error| Label::Error.position(error)) {
            self.put(Metric::Errors, &[route, error], 1);
        }
        self.add(Metric::RequestBytes, &[route], outcome.request_bytes);
        self.add(Metric::ResponseBytes, &[route], outcome.response_bytes);
        // Requests that were refused, passed through or answered by the router have no decision time.
        self.add(Metric::DecisionTime, &[], outcome.decision_us);
    }

    fn attempts(&mut self, outcome: &Outcome) {
        let names = &self.definitions.names;
        let route = names.route(outcome.route.as_deref());
        for attempt in &outcome.attempts {
            let backend_model = names.backend_model(&attempt.backend, &attempt.model);
            if let Some(verdict) = Label::Verdict.position(attempt.verdict) {
                self.put(Metric::Attempts, &[backend_model, verdict], 1);
            }
            if let Some(ms) = attempt.ms {
                self.put(Metric::AttemptTime, &[backend_model], ms);
            }
        }
        for failed in outcome.fallbacks() {
            if let Some(reason) = Label::Reason.position(failed.verdict) {
                self.put(Metric::Fallbacks, &[route, reason], 1);
            }
        }
    }

    fn times(&mut self, outcome: &Outcome, target: usize) {
        self.put(Metric::Duration, &[target], outcome.whole_ms);
        let Some(first) = outcome.first_token_ms.filter(|_| outcome.stream) else {
            return;
        };
        self.put(Metric::FirstToken, &[target], first);
        // The wait for the first token is a metric of its own.
        let further = outcome.usage.output.and_then(|all| all.checked_sub(1));
        if let (AnswerEnd::Complete, Some(further)) = (outcome.end, further) {
            let us = outcome.whole_ms.saturating_sub(first).saturating_mul(1_000);
            if let Some(each) = us.checked_div(further) {
                self.put(Metric::PerToken, &[target], each);
            }
        }
    }

    fn usage(&mut self, outcome: &Outcome, target: usize, last: &AttemptSummary) {
        let usage = &outcome.usage;
        if usage.is_unknown() {
            return;
        }
        let caller = self.definitions.names.caller(outcome.caller.as_deref());
        let sides = [usage.input, usage.output];
        for (side, count) in (0..DIRECTIONS.len()).zip(sides) {
            if let Some(count) = count {
                self.put(Metric::TokenUsage, &[side, target], count);
            }
            if outcome.is_estimated {
                let values = [side, target, caller];
                self.add(Metric::EstimatedTokens, &values, count.unwrap_or(0));
            }
        }
        if !outcome.is_estimated {
            let counts = [
                usage.input,
                usage.cached_input,
                usage.cache_write,
                usage.output,
                usage.reasoning,
            ];
            for (kind, count) in (0..TOKEN_TYPES.len()).zip(counts) {
                self.add(Metric::Tokens, &[kind, target, caller], count.unwrap_or(0));
            }
        }
        match outcome.cost {
            Some(cost) => self.cost(cost, &[target, caller]),
            None => {
                let backend_model = self
                    .definitions
                    .names
                    .backend_model(&last.backend, &last.model);
                self.put(Metric::Unpriced, &[backend_model], 1);
            }
        }
    }

    /// Adds the whole micro-dollars and carries the remainder over.
    fn cost(&mut self, pico_dollars: u64, values: &[usize]) {
        let first = self.definitions.number(Metric::Cost, &[0, 0]);
        let number = self.definitions.number(Metric::Cost, values);
        let (Some(first), Some(number)) = (first, number) else {
            return;
        };
        let index = number.saturating_sub(first);
        if self.carried.len() <= index {
            self.carried.resize(index.saturating_add(1), 0);
        }
        let Some(carried) = self.carried.get_mut(index) else {
            return;
        };
        let all = pico_dollars.saturating_add(*carried);
        *carried = all % PICO_DOLLARS;
        self.add(Metric::Cost, values, all / PICO_DOLLARS);
    }
}
