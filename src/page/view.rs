//! Renders the shared data as the page's JSON.

use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};

use super::store::{Store, is_failed, route_key};
use super::sums::{OTHERS, Row, SLOT_MS, SLOTS, Slots, Sums, halves, slot_of};
use crate::config::{Backend, Document, Model};
use crate::health::{Health, TargetState};
use crate::telemetry::{AnswerEnd, Outcome};

/// How many attempts of a request are shown.
const MAX_SHOWN_ATTEMPTS: usize = 16;

/// Returns the page's data for a document at a time (in Unix milliseconds).
pub fn page_data(store: &Store, document: &Document, health: &Health, now_ms: u64) -> Value {
    let whole = store.routes.total();
    let requests = whole.total.requests;
    let decisions = store.decisions.iter();
    let decisions: Vec<Value> = decisions
        .filter_map(|decision| serde_json::from_slice(&decision.json).ok())
        .collect();
    let mut totals = totals(&whole.total);
    insert(&mut totals, "in_flight", in_flight(store));
    insert(
        &mut totals,
        "last_minute",
        self::totals(&store.recent.last_minute(now_ms)),
    );
    json!({
        "now_ms": now_ms,
        "since_ms": if store.since_ms == 0 { now_ms } else { store.since_ms },
        "slot_ms": SLOT_MS,
        "slots": SLOTS,
        // The beginning of the slot that is not over yet.
        "slot_begun_ms": slot_of(now_ms).saturating_mul(SLOT_MS),
        "totals": totals,
        "series": series(&store.recent, now_ms),
        "routes": routes(store, document, requests, now_ms),
        "targets": targets(store, document, health, now_ms),
        "decisions": decisions,
    })
}

fn insert(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(object) = object {
        object.insert(name.to_owned(), value.into());
    }
}

fn in_flight(store: &Store) -> u64 {
    let requests = store.in_flight.iter().map(|statement| statement.requests);
    requests.fold(0, u64::saturating_add)
}

fn totals(sums: &Sums) -> Value {
    let mut totals = measures(sums);
    insert(&mut totals, "requests", sums.requests);
    insert(&mut totals, "errors", sums.errors);
    insert(&mut totals, "fallbacks", sums.fallbacks);
    totals
}

/// Returns the times, tokens and cost of answers.
fn measures(sums: &Sums) -> Value {
    json!({
        "answers": sums.answers,
        "input_tokens": sums.input,
        "output_tokens": sums.output,
        "estimated": sums.estimated,
        "cost_usd": dollars(sums.cost),
        "unpriced": sums.unpriced,
        "first_token_ms": sums.first_ms.checked_div(sums.first_count),
        "whole_ms": sums.whole_ms.checked_div(sums.whole_count),
    })
}

fn series(recent: &Slots<Sums>, now_ms: u64) -> Value {
    let of = |measure: fn(&Sums) -> u64| recent.series(now_ms, measure);
    json!({
        "requests": of(|sums| sums.requests),
        "errors": of(|sums| sums.errors),
        "fallbacks": of(|sums| sums.fallbacks),
        "tokens": of(|sums| sums.input.saturating_add(sums.output)),
        "cost_usd": recent.series(now_ms, |sums| dollars(sums.cost)),
        "first_token_ms": of(|sums| sums.first_ms.checked_div(sums.first_count).unwrap_or(0)),
    })
}

/// Returns all routes of the document, and one without a name for all other requests.
fn routes(store: &Store, document: &Document, requests: u64, now_ms: u64) -> Vec<Value> {
    let rows = &store.routes.0;
    let mut others = Row::default();
    let routes = document.routes.iter();
    let keys: Vec<u64> = routes.clone().map(|route| route_key(&route.name)).collect();
    let known: HashSet<u64> = keys.iter().copied().collect();
    for (_, row) in rows.iter().filter(|(key, _)| !known.contains(*key)) {
        others.add(row);
    }
    let none = Row::default();
    let mut all: Vec<(Option<&str>, &Row)> = routes
        .zip(keys)
        .map(|(route, key)| (Some(route.name.as_str()), rows.get(&key).unwrap_or(&none)))
        .collect();
    if others.total.requests > 0 {
        all.push((None, &others));
    }
    all.into_iter()
        .map(|(name, row)| {
            let mut route = totals(&row.total);
            insert(&mut route, "name", name);
            insert(&mut route, "share", share(row.total.requests, requests));
            insert(
                &mut route,
                "series",
                row.recent.series(now_ms, |requests| *requests),
            );
            route
        })
        .collect()
}

/// Returns all targets of the document, and one without a name for all other attempts.
fn targets(store: &Store, document: &Document, health: &Health, now_ms: u64) -> Vec<Value> {
    let rows = &store.targets.0;
    let answers = store.targets.total().total.answers;
    let none = Row::default();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for backend in &document.backends {
        for models in models(backend) {
            let [first, ..] = models.as_slice() else {
                continue;
            };
            let key = first.key.bits();
            seen.insert(key);
            let row = rows.get(&key).unwrap_or(&none);
            let mut target = target(backend, &models, row, now_ms);
            insert(&mut target, "share", share(row.total.answers, answers));
            let in_flight = models.iter().map(|model| attempts(store, model.key.bits()));
            let in_flight = in_flight.fold(0, u64::saturating_add);
            insert(&mut target, "in_flight", in_flight);
            let (state, until_ms) = worst(document, health, &models, now_ms);
            insert(&mut target, "state", state);
            insert(&mut target, "until_ms", until_ms);
            all.push(target);
        }
    }
    let mut others = Row::default();
    for (_, row) in rows.iter().filter(|(key, _)| !seen.contains(*key)) {
        others.add(row);
    }
    if others.total.requests > 0 {
        let mut rest = attempted(&others, now_ms);
        insert(&mut rest, "share", share(others.total.answers, answers));
        insert(&mut rest, "in_flight", attempts(store, OTHERS));
        for absent in ["backend", "model", "schema", "state", "until_ms"] {
            insert(&mut rest, absent, Value::Null);
        }
        all.push(rest);
    }
    all
}

/// Groups a backend's models by upstream name: attempts are recorded under that name.
fn models(backend: &Backend) -> Vec<Vec<&Model>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<Vec<&Model>> = Vec::new();
    for model in &backend.models {
        let place = match model.exact_upstream_name() {
            Some(called) => *places.entry(called).or_insert(all.len()),
            None => all.len(),
        };
        match all.get_mut(place) {
            Some(together) => together.push(model),
            None => all.push(vec![model]),
        }
    }
    all
}

fn target(backend: &Backend, models: &[&Model], row: &Row, now_ms: u64) -> Value {
    let names: Vec<String> = models.iter().map(|model| model.name.to_string()).collect();
    let mut target = attempted(row, now_ms);
    insert(&mut target, "backend", backend.name.as_str());
    insert(&mut target, "schema", backend.schema.name());
    insert(&mut target, "model", names.join(", "));
    target
}

fn attempted(row: &Row, now_ms: u64) -> Value {
    let sums = &row.total;
    let mut attempted = measures(sums);
    insert(&mut attempted, "attempts", sums.requests);
    insert(&mut attempted, "failures", sums.errors);
    let series = row.recent.series(now_ms, |attempts| *attempts);
    insert(&mut attempted, "series", series);
    attempted
}

fn attempts(store: &Store, target: u64) -> u64 {
    let attempts = store
        .in_flight
        .iter()
        .flat_map(|statement| &statement.attempts);
    let its = attempts.filter(|(key, _)| *key == target);
    its.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// Returns the health of the model that is in the worst state.
fn worst(
    document: &Document,
    health: &Health,
    models: &[&Model],
    now_ms: u64,
) -> (&'static str, Option<u64>) {
    let rank = |state: &TargetState| match state {
        TargetState::Healthy => 0,
        TargetState::Due => 1,
        TargetState::Probing { .. } => 2,
        TargetState::Cooling { .. } => 3,
    };
    let policy = document.cooldown.as_ref();
    let states = models.iter().filter_map(|model| {
        let policy = policy?;
        Some(health.state(model.key, now_ms, policy))
    });
    match states.max_by_key(rank) {
        None | Some(TargetState::Healthy) => ("healthy", None),
        Some(TargetState::Cooling { until_ms }) => ("cooling", Some(until_ms)),
        Some(TargetState::Due) => ("due", None),
        Some(TargetState::Probing { until_ms }) => ("probing", Some(until_ms)),
    }
}

/// Returns one decision as JSON, for a request that ended at this time.
pub(super) fn decision(outcome: &Outcome, at_ms: u64) -> Value {
    let attempts = outcome.attempts.iter().take(MAX_SHOWN_ATTEMPTS);
    let attempts: Vec<Value> = attempts
        .map(|attempt| {
            json!({
                "backend": shown(&attempt.backend),
                "model": Some(&attempt.model).filter(|name| !name.is_empty()).map(|name| shown(name)),
                "verdict": attempt.verdict,
                "ms": attempt.ms,
            })
        })
        .collect();
    let end = AnswerEnd::ALL.iter().find(|(_, end)| *end == outcome.end);
    json!({
        "at_ms": at_ms,
        "route": outcome.route.as_deref().map(shown),
        "decision": outcome.decision,
        "model": outcome.model.as_deref().map(shown),
        "answered_model": outcome.answered_model.as_deref().map(shown),
        "stream": outcome.stream,
        "caller": outcome.caller.as_deref().map(shown),
        "attempts": attempts,
        "fallbacks": outcome.fallbacks().count(),
        "status": outcome.status,
        "error": outcome.error,
        "end": end.map(|(name, _)| name),
        "failed": is_failed(outcome),
        "input_tokens": outcome.usage.input,
        "output_tokens": outcome.usage.output,
        "estimated": outcome.is_estimated,
        "cost_usd": outcome.cost.map(|cost| dollars(cost.into())),
        "first_token_ms": outcome.first_token_ms,
        "whole_ms": outcome.whole_ms,
    })
}

/// How many characters of a name are shown.
const MAX_SHOWN_CHARACTERS: usize = 100;

/// Returns a name for display: only the beginning of a long one, and no unprintable characters.
fn shown(name: &str) -> String {
    let mut all = name.chars();
    let begun = all.by_ref().take(MAX_SHOWN_CHARACTERS);
    let mut text: String = begun
        .map(|letter| {
            if letter.is_control() || has_unseen_attempts(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect();
    if all.next().is_some() {
        text.push('…');
    }
    text
}

/// Whether a character is invisible or changes how others are displayed: direction marks, line breaks, zero-width
/// characters. With these, a name could look like another one.
fn has_unseen_attempts(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Returns a fraction with four decimals; `None` if the whole is 0.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (float(part) / float(whole) * 10_000.0).round() / 10_000.0)
}

/// Converts pico-dollars to dollars.
fn dollars(cost: u128) -> f64 {
    let [low, high] = halves(cost).map(float);
    (high * 18_446_744_073_709_551_616.0 + low) / 1e12
}

/// Converts a number to the nearest float.
fn float(number: u64) -> f64 {
    let low = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
