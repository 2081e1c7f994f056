//! Tests of what documents say about fallback, cooldowns and steering.

use super::*;
use crate::attempt::{CooldownEffect, Failure, FailureAction, FailureRule, Hold};

fn with(route: &str, defaults: &str, model: &str) -> String {
    format!(
        "backends: [{{name: a, schema: openai, models: [{{name: m{model}}}]}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: a}}]{route}}}]
defaults: {{{defaults}}}"
    )
}

fn document(route: &str, defaults: &str) -> Document {
    Document::of_yaml(&with(route, defaults, "")).unwrap()
}

/// Returns the policy of a route with this `fallback` over these defaults.
fn policy(fallback: &str, defaults: &str) -> FallbackPolicy {
    let route = format!(", fallback: {{{fallback}}}");
    let defaults = format!("fallback: {{{defaults}}}");
    document(&route, &defaults).routes[0].policy.clone()
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(document("", "").routes[0].policy, FallbackPolicy::default());
    assert_eq!(policy("", ""), FallbackPolicy::default());
    let empty = document("", "");
    assert_eq!(empty.cooldown, Some(CooldownPolicy::default()));
    assert_eq!(empty.steering, Steering::default());
    assert!(!empty.response_headers);
    assert_eq!(empty.backends[0].models[0].context_window, 0);
}

#[test]
fn all_that_can_be_said() {
    let every = "hold: complete, hold_limit_bytes: 2048, deadline_ms: 1, attempt_timeout_ms: 2, \
                 first_token_timeout_ms: 3, idle_timeout_ms: 100, patience_ms: 0, max_attempts: 64, \
                 malformed_events: drop";
    let expected = FallbackPolicy {
        hold: Some(Hold::Complete),
        hold_limit_bytes: 2_048,
        deadline_ms: 1,
        attempt_timeout_ms: 2,
        first_token_timeout_ms: 3,
        idle_timeout_ms: 100,
        patience_ms: 0,
        max_attempts: 64,
        drop_malformed_events: true,
        ..FallbackPolicy::default()
    };
    assert_eq!(policy(every, ""), expected);
    assert_eq!(policy("", every), expected);
    // A route changes only the fields that it names.
    assert_eq!(
        policy("hold: first_token, malformed_events: pass", every),
        FallbackPolicy {
            hold: Some(Hold::FirstToken),
            drop_malformed_events: false,
            ..expected
        }
    );
}

#[test]
fn rows() {
    let row = |fallback: &str, defaults: &str, failure| policy(fallback, defaults).rule(failure);
    for (fallback, defaults, failure, action, cooldown) in [
        (
            "server_error: next",
            "",
            Failure::ServerError,
            FailureAction::Next,
            CooldownEffect::Count,
        ),
        (
            "server_error: {action: next}",
            "",
            Failure::ServerError,
            FailureAction::Next,
            CooldownEffect::Count,
        ),
        (
            "server_error: {cooldown: open}",
            "",
            Failure::ServerError,
            FailureAction::Retry,
            CooldownEffect::Open,
        ),
        (
            "content_policy: {action: next, cooldown: none}",
            "",
            Failure::ContentPolicy,
            FailureAction::Next,
            CooldownEffect::None,
        ),
        (
            "unavailable: wait",
            "",
            Failure::Unavailable,
            FailureAction::Wait,
            CooldownEffect::Count,
        ),
        (
            "context_length: next",
            "",
            Failure::ContextLength,
            FailureAction::Next,
            CooldownEffect::None,
        ),
        (
            "",
            "reset: pass",
            Failure::Reset,
            FailureAction::Pass,
            CooldownEffect::Count,
        ),
        // The defaults set one half, the route the other.
        (
            "reset: {cooldown: none}",
            "reset: pass",
            Failure::Reset,
            FailureAction::Pass,
            CooldownEffect::None,
        ),
        (
            "reset: next",
            "reset: {cooldown: open}",
            Failure::Reset,
            FailureAction::Next,
            CooldownEffect::Open,
        ),
    ] {
        let of = |rows: &str| format!("on_failure: {{{rows}}}");
        assert_eq!(
            row(&of(fallback), &of(defaults), failure),
            FailureRule { action, cooldown },
            "{fallback} over {defaults}"
        );
        // The other rows are unchanged.
        let changed = policy(&of(fallback), &of(defaults));
        for other in Failure::ALL.iter().filter(|other| **other != failure) {
            assert_eq!(changed.rule(*other), FallbackPolicy::default().rule(*other));
        }
    }
}

#[test]
fn errors_of_fallbacks() {
    const ACTIONS: &str = "pass, next, retry, wait, larger_window";
    for (fallback, expected) in [
        ("hold: all", "hold: unknown value \"all\"; expected one of none, first_token, complete".to_owned()),
        ("hold: first_tokn", "hold: unknown value \"first_tokn\", did you mean \"first_token\"?; expected one of none, first_token, complete".into()),
        ("hold: 1", "hold: must be text (put it in quotes), not a number".into()),
        ("hold_limit_bytes: 1023", "hold_limit_bytes: must be a whole number from 1024 to 67108864".into()),
        ("deadline_ms: 0", "deadline_ms: must be a whole number from 1 to 86400000".into()),
        ("deadline_ms: 86400001", "deadline_ms: must be a whole number from 1 to 86400000".into()),
        ("attempt_timeout_ms: 0.5", "attempt_timeout_ms: must be a whole number from 1 to 86400000".into()),
        ("first_token_timeout_ms: -1", "first_token_timeout_ms: must be a whole number from 0 to 86400000".into()),
        ("idle_timeout_ms: 99", "idle_timeout_ms: must be a whole number from 100 to 86400000".into()),
        ("patience_ms: 60001", "patience_ms: must be a whole number from 0 to 60000".into()),
        ("max_attempts: 0", "max_attempts: must be a whole number from 1 to 64".into()),
        ("max_attempts: 65", "max_attempts: must be a whole number from 1 to 64".into()),
        ("max_attempts: '2'", "max_attempts: must be a whole number, not text".into()),
        ("malformed_events: true", "malformed_events: must be text (put it in quotes), not a boolean".into()),
        ("malformed_events: skip", "malformed_events: unknown value \"skip\"; expected one of pass, drop".into()),
        ("deadlin_ms: 5", "deadlin_ms: unknown field, did you mean \"deadline_ms\"?".into()),
        ("hold: none, first_token_timeout_ms: 5", "first_token_timeout_ms: has no effect with `hold: none`, because the answer is then already being sent to the client".into()),
        ("on_failure: retry", "on_failure: must be a map, not text".into()),
        ("on_failure: {rate_limit: next}", "on_failure.rate_limit: unknown failure, did you mean \"rate_limited\"?".into()),
        ("on_failure: {429: next}", format!("on_failure.429: unknown failure; expected one of {}", names())),
        ("on_failure: {reset: again}", format!("on_failure.reset: unknown value \"again\"; expected one of {ACTIONS}")),
        ("on_failure: {reset: {action: again}}", format!("on_failure.reset.action: unknown value \"again\"; expected one of {ACTIONS}")),
        ("on_failure: {reset: {cooldown: opened}}", "on_failure.reset.cooldown: unknown value \"opened\", did you mean \"open\"?; expected one of none, count, open".into()),
        ("on_failure: {reset: {acton: next}}", "on_failure.reset.acton: unknown field, did you mean \"action\"?".into()),
        ("on_failure: {reset: {}}", "on_failure.reset: must not be empty".into()),
        ("on_failure: {reset: ''}", "on_failure.reset: must not be empty".into()),
        ("on_failure: {reset: larger_window}", "on_failure.reset: `larger_window` is only for context_length".into()),
        ("on_failure: {no_answer: retry}", "on_failure.no_answer: a target that did not answer is not tried again: use `next` to try another one".into()),
        ("on_failure: {context_length: retry}", "on_failure.context_length: a prompt that does not fit will not fit the second time: use `next` or `larger_window` to try another model".into()),
        (
            "on_failure: {reset: {action: wait}}",
            "on_failure.reset.action: `wait` is only for failures whose answer may say how long to wait: rate_limited, unavailable, server_error".into(),
        ),
    ] {
        let route = with(&format!(", fallback: {{{fallback}}}"), "", "");
        let found = errors(&route);
        assert_eq!(found.first(), Some(&format!("routes[0].fallback.{expected}")));
        let defaults = with("", &format!("fallback: {{{fallback}}}"), "");
        let found = errors(&defaults);
        assert_eq!(found.first(), Some(&format!("defaults.fallback.{expected}")));
    }
    assert_eq!(
        errors(&with(", fallback: complete", "", "")),
        ["routes[0].fallback: must be a map, not text"]
    );
    // All errors are reported at once.
    let all = errors(&with(
        ", fallback: {hold: x, max_attempts: 0, on_failure: {reset: x, x: x}}",
        "",
        "",
    ));
    assert_eq!(all.len(), 4, "{all:#?}");
}

fn names() -> String {
    let names: Vec<&str> = Failure::ALL.iter().map(|failure| failure.name()).collect();
    names.join(", ")
}

#[test]
fn cooldowns() {
    let cooldown = |fields: &str| document("", &format!("cooldown: {{{fields}}}")).cooldown;
    assert_eq!(cooldown(""), Some(CooldownPolicy::default()));
    assert_eq!(cooldown("enabled: true"), Some(CooldownPolicy::default()));
    assert_eq!(cooldown("enabled: false"), None);
    assert_eq!(cooldown("enabled: false, failures: 2"), None);
    assert_eq!(
        cooldown("failures: 1, window_ms: 100, base_ms: 200, max_ms: 200, lease_ms: 300"),
        Some(CooldownPolicy {
            failures: 1,
            window_ms: 100,
            base_ms: 200,
            max_ms: 200,
            lease_ms: 300,
        })
    );
    for (fields, expected) in [
        (
            "enabled: 1",
            "cooldown.enabled: must be true or false, not a number",
        ),
        (
            "failures: 0",
            "cooldown.failures: must be a whole number from 1 to",
        ),
        (
            "window_ms: 99",
            "cooldown.window_ms: must be a whole number from 100 to 86400000",
        ),
        (
            "base_ms: 1.5",
            "cooldown.base_ms: must be a whole number from 100 to 86400000",
        ),
        (
            "max_ms: 86400001",
            "cooldown.max_ms: must be a whole number from 100 to 86400000",
        ),
        (
            "lease_ms: 0",
            "cooldown.lease_ms: must be a whole number from 100 to 86400000",
        ),
        (
            "max_ms: 999",
            "cooldown: max_ms (999) must not be less than base_ms (1000)",
        ),
        (
            "base_ms: 60001",
            "cooldown: max_ms (60000) must not be less than base_ms (60001)",
        ),
        ("lease: 5", "cooldown.lease: unknown field"),
    ] {
        let found = errors(&with("", &format!("cooldown: {{{fields}}}"), ""));
        assert_eq!(found.len(), 1, "{found:#?}");
        let expected = format!("defaults.{expected}");
        assert!(found[0].starts_with(&expected), "{}", found[0]);
    }
}

#[test]
fn headers_that_callers_may_send() {
    let steering = |list: &str| document("", &format!("allow_request_headers: {list}")).steering;
    assert_eq!(steering("[]"), Steering::default());
    assert_eq!(
        steering("[no_fallback, deadline, dry_run, deadline]"),
        Steering {
            no_fallback: true,
            deadline: true,
            dry_run: true,
        }
    );
    assert_eq!(
        steering("[deadline]"),
        Steering {
            deadline: true,
            ..Steering::default()
        }
    );
    assert!(document("", "response_headers: true").response_headers);
    let limited = document("", "max_body_bytes: 33554432");
    assert_eq!(limited.max_body_bytes, Some(33_554_432));
    assert_eq!(document("", "response_headers: true").max_body_bytes, None);
    for (defaults, expected) in [
        (
            "allow_request_headers: [dry_rum]",
            "allow_request_headers[0]: unknown value \"dry_rum\", did you mean \"dry_run\"?; expected one of no_fallback, deadline, dry_run",
        ),
        (
            "allow_request_headers: [deadline, x-llm-router-dry-run]",
            "allow_request_headers[1]: unknown value \"x-llm-router-dry-run\"; expected one of no_fallback, deadline, dry_run",
        ),
        (
            "allow_request_headers: dry_run",
            "allow_request_headers: must be a list, not text",
        ),
        (
            "response_headers: 'yes'",
            "response_headers: must be true or false, not text",
        ),
        (
            "max_body_bytes: 16MiB",
            "max_body_bytes: must be a whole number, not text",
        ),
        (
            "max_body_bytes: 100",
            "max_body_bytes: must be a whole number from 1024 to 1073741824",
        ),
    ] {
        let expected = format!("defaults.{expected}");
        assert_eq!(errors(&with("", defaults, "")), [expected]);
    }
}

#[test]
fn context_windows() {
    let of = |window: &str| with("", "", &format!(", context_window: {window}"));
    let document = Document::of_yaml(&of("200000")).unwrap();
    assert_eq!(document.backends[0].models[0].context_window, 200_000);
    for (window, expected) in [
        ("0", "must be a whole number from 1 to 1000000000"),
        ("1000000001", "must be a whole number from 1 to 1000000000"),
        ("128k", "must be a whole number, not text"),
    ] {
        let expected = format!("backends[0].models[0].context_window: {expected}");
        assert_eq!(errors(&of(window)), [expected]);
    }
}
