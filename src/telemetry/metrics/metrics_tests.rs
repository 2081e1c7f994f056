//! Tests of what given outcomes add to the metrics of a document.

use std::collections::BTreeMap;

use super::*;
use crate::config::Document;
use crate::schema::Usage;
use crate::telemetry::{AnswerEnd, AttemptSummary, Outcome};

#[path = "definitions_tests.rs"]
mod series;

const DOCUMENT: &str = "
backends:
- name: openai
  schema: openai
  models: [{name: big, upstream_name: 'acme/big:1.0 [new]'}, {name: small}, {name: 'o*'}]
- {name: spare, schema: openai, models: [{name: small}]}
routes:
- {name: files, pass_through: true, match: {path: /v1/files}, targets: [{backend: openai}]}
- {name: fast, match: {model: small}, targets: [{backend: openai}, {backend: spare, model: small}]}
- {name: all, match: {model: '*'}, targets: [{backend: openai}]}
defaults: {telemetry: {caller: {header: x-team}, callers: [search, ads]}}
";

fn document(yaml: &str) -> Document {
    Document::of_yaml(yaml).unwrap()
}

/// A recorder, and the sums of its values by the names of the series.
struct Recorded {
    recorder: Recorder,
    names: Vec<String>,
    sums: BTreeMap<String, u64>,
    values: usize,
}

impl Recorded {
    fn new(document: &Document) -> Self {
        let recorder = Recorder::new(document);
        let definitions = recorder.definitions().into_iter();
        Self {
            names: definitions.map(|definition| definition.name).collect(),
            recorder,
            sums: BTreeMap::new(),
            values: 0,
        }
    }

    fn record(&mut self, outcome: &Outcome) {
        let Self {
            recorder,
            names,
            sums,
            values,
        } = self;
        recorder.record(outcome, &mut |number, _, value| {
            *sums.entry(names[number].clone()).or_default() += value;
            *values += 1;
        });
    }

    /// The sums of the series whose names begin with `prefix`.
    fn of(&self, prefix: &str) -> Vec<(&str, u64)> {
        let series = self
            .sums
            .iter()
            .filter(|(name, _)| name.starts_with(prefix));
        series.map(|(name, sum)| (name.as_str(), *sum)).collect()
    }

    fn sum(&self, prefix: &str) -> u64 {
        self.of(prefix).iter().map(|(_, sum)| sum).sum()
    }
}

fn attempt(backend: &str, model: &str, verdict: &'static str) -> AttemptSummary {
    AttemptSummary {
        backend: backend.to_owned(),
        model: model.to_owned(),
        verdict,
        ms: Some(40),
    }
}

fn streamed() -> Outcome {
    Outcome {
        route: Some("fast".to_owned()),
        decision: "ordered",
        stream: true,
        caller: Some("search".to_owned()),
        attempts: vec![
            attempt("openai", "small", "rate_limited"),
            attempt("spare", "small", "accepted"),
        ],
        status: 200,
        end: AnswerEnd::Complete,
        usage: Usage {
            input: Some(100),
            cached_input: Some(60),
            cache_write: None,
            output: Some(11),
            reasoning: Some(4),
        },
        cost: Some(2_600_001),
        first_token_ms: Some(300),
        whole_ms: 800,
        decision_us: 70,
        request_bytes: 1_000,
        response_bytes: 2_000,
        ..Outcome::default()
    }
}

#[test]
fn a_stream_after_a_fallback() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    recorded.record(&streamed());
    let target = "[route=fast][backend=spare][model=small]";
    let expected = [
        ("gen_ai_client_operation_duration_milliseconds", target, 800),
        (
            "gen_ai_client_token_usage",
            "[type=input][route=fast][backend=spare][model=small]",
            100,
        ),
        (
            "gen_ai_client_token_usage",
            "[type=output][route=fast][backend=spare][model=small]",
            11,
        ),
        (
            "gen_ai_server_time_per_output_token_microseconds",
            target,
            50_000,
        ),
        (
            "gen_ai_server_time_to_first_token_milliseconds",
            target,
            300,
        ),
        ("llm_router_answers_total", "[route=fast][end=complete]", 1),
        (
            "llm_router_attempt_milliseconds",
            "[backend=openai][model=small]",
            40,
        ),
        (
            "llm_router_attempt_milliseconds",
            "[backend=spare][model=small]",
            40,
        ),
        (
            "llm_router_attempts_total",
            "[backend=openai][model=small][verdict=rate_limited]",
            1,
        ),
        (
            "llm_router_attempts_total",
            "[backend=spare][model=small][verdict=accepted]",
            1,
        ),
        (
            "llm_router_caller_requests_total",
            "[caller=search][status=2xx]",
            1,
        ),
        (
            "llm_router_cost_microdollars_total",
            "[route=fast][backend=spare][model=small][caller=search]",
            2,
        ),
        ("llm_router_decision_microseconds", "", 70),
        (
            "llm_router_decisions_total",
            "[route=fast][decision=ordered]",
            1,
        ),
        (
            "llm_router_fallbacks_total",
            "[route=fast][reason=rate_limited]",
            1,
        ),
        ("llm_router_request_bytes_total", "[route=fast]", 1_000),
        ("llm_router_requests_total", "[route=fast][status=2xx]", 1),
        ("llm_router_response_bytes_total", "[route=fast]", 2_000),
    ];
    let tokens = [
        ("input", 100),
        ("cached_input", 60),
        ("output", 11),
        ("reasoning", 4),
    ];
    let tokens = tokens.map(|(kind, count)| {
        (
            format!("llm_router_tokens_total[type={kind}]{target}[caller=search]"),
            count,
        )
    });
    let mut all: BTreeMap<String, u64> = tokens.into_iter().collect();
    all.extend(expected.map(|(metric, labels, value)| (format!("{metric}{labels}"), value)));
    assert_eq!(recorded.sums, all);
    // docs/metrics.md states the number for a stream; here it is one attempt more and a part of the tokens less.
    assert_eq!(recorded.values, 22);
}

#[test]
fn a_request_that_went_nowhere() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    recorded.record(&Outcome {
        decision: "model_not_found",
        caller: Some("unheard of".to_owned()),
        status: 404,
        error: Some("model_not_found"),
        ..Outcome::default()
    });
    let expected = [
        ("llm_router_answers_total[route=none][end=none]", 1),
        (
            "llm_router_caller_requests_total[caller=other][status=4xx]",
            1,
        ),
        (
            "llm_router_decisions_total[route=none][decision=refused]",
            1,
        ),
        (
            "llm_router_errors_total[route=none][error=model_not_found]",
            1,
        ),
        ("llm_router_requests_total[route=none][status=4xx]", 1),
    ];
    assert_eq!(recorded.of(""), expected);
}

#[test]
fn what_no_document_names_counts_as_other() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    for (route, backend, model, expected) in [
        (
            "all",
            "openai",
            "o3",
            "[route=all][backend=openai][model=other]",
        ),
        (
            "files",
            "openai",
            "",
            "[route=files][backend=openai][model=other]",
        ),
        (
            "all",
            "else",
            "o3",
            "[route=other][backend=other][model=other]",
        ),
    ] {
        let before = recorded.sum("gen_ai_client_operation_duration_milliseconds");
        let attempts = vec![attempt(backend, model, "abandoned")];
        let route = Some(route.to_owned());
        recorded.record(&Outcome {
            route,
            attempts,
            whole_ms: 5,
            status: 999,
            ..Outcome::default()
        });
        let name = format!("gen_ai_client_operation_duration_milliseconds{expected}");
        assert_eq!(recorded.of(&name).len(), 1, "{expected}");
        assert_eq!(
            recorded.sum("gen_ai_client_operation_duration_milliseconds"),
            before + 5
        );
    }
    let attempts = recorded.of("llm_router_attempts_total");
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(
        attempts
            .iter()
            .all(|(name, _)| name.ends_with("[verdict=abandoned]"))
    );
}

#[test]
fn parts_of_a_micro_dollar_are_not_lost() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    let mut outcome = streamed();
    outcome.cost = Some(300_000);
    for _ in 0..10 {
        recorded.record(&outcome);
    }
    assert_eq!(recorded.sum("llm_router_cost_microdollars_total"), 3);
    // The remainder is carried over for each series separately.
    outcome.caller = None;
    outcome.cost = Some(999_999);
    recorded.record(&outcome);
    assert_eq!(recorded.sum("llm_router_cost_microdollars_total"), 3);
    outcome.cost = Some(u64::MAX);
    recorded.record(&outcome);
    assert_eq!(
        recorded.sum("llm_router_cost_microdollars_total"),
        3 + u64::MAX / 1_000_000
    );
}

#[test]
fn estimates_and_unknown_prices_count_apart() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    let mut outcome = streamed();
    outcome.is_estimated = true;
    outcome.cost = None;
    recorded.record(&outcome);
    assert_eq!(recorded.sum("llm_router_tokens_total"), 0);
    assert_eq!(recorded.sum("llm_router_estimated_tokens_total"), 111);
    assert_eq!(recorded.sum("llm_router_cost_microdollars_total"), 0);
    let unpriced = [(
        "llm_router_unpriced_answers_total[backend=spare][model=small]",
        1,
    )];
    assert_eq!(recorded.of("llm_router_unpriced"), unpriced);
    outcome.usage = Usage::default();
    recorded.record(&outcome);
    assert_eq!(recorded.of("llm_router_unpriced"), unpriced);
}

#[test]
fn only_streams_have_times_of_tokens() {
    let mut recorded = Recorded::new(&document(DOCUMENT));
    let mut outcome = streamed();
    outcome.stream = false;
    recorded.record(&outcome);
    assert_eq!(recorded.of("gen_ai_server"), []);
    outcome.stream = true;
    outcome.end = AnswerEnd::Cut;
    recorded.record(&outcome);
    let kinds: Vec<_> = recorded.of("gen_ai_server");
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    // An answer of one token has no further tokens to time.
    outcome.end = AnswerEnd::Complete;
    outcome.usage.output = Some(1);
    recorded.record(&outcome);
    assert_eq!(recorded.of("gen_ai_server_time_per_output_token").len(), 0);
}

#[test]
fn cooldowns_and_what_cools() {
    use crate::health::{EndedAttempt, FailureSeverity, Health, TargetKey};
    let document = document(DOCUMENT);
    let mut recorded = Recorded::new(&document);
    let policy = document.cooldown.unwrap();
    let target = TargetKey::new("spare", "small");
    let mut health = Health::default();
    let ended = EndedAttempt {
        target,
        sent_ms: 1_000,
        now_ms: 1_000,
    };
    assert!(health.fail(ended, FailureSeverity::Immediate, &policy, 0));
    let mut said = Vec::new();
    let names = recorded.names.clone();
    let mut sink =
        |number: usize, _: MetricKind, value: u64| said.push((names[number].clone(), value));
    recorded.recorder.record_cooldown(target, &mut sink);
    recorded
        .recorder
        .record_cooldown(TargetKey::new("no", "such"), &mut sink);
    for now in [1_000, 1_100, 1_000 + policy.max_ms, 2_000 + policy.max_ms] {
        recorded
            .recorder
            .record_health(&document, &health, now, &mut sink);
    }
    let gauge = "llm_router_target_cooling[backend=spare][model=small]".to_owned();
    let counter = "llm_router_cooldowns_total[backend=spare][model=small]".to_owned();
    assert_eq!(said, [(counter, 1), (gauge.clone(), 1), (gauge, 0)]);
}
