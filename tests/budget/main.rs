//! Measures what a request costs in numbers that are the same on every machine: host calls, allocations, instructions,
//! copies.
//!
//! The real module runs in an interpreter. Its host plays one exchange as Envoy would, and checks the results. `make
//! test` runs this; on its own it needs `LLM_ROUTER_WASM`. The budgets, and how to change them, are in
//! benches/budgets.yaml.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../../benches/bodies/mod.rs"]
mod bodies;
mod budgets;
mod core;
mod exchange;
mod host;
mod module;

use std::collections::BTreeMap;

use budgets::Budgets;
use exchange::{Scenario, play};
use module::Callback;

/// The plain case: one target, which gets the model that the client asked for.
const PLAIN: Scenario = Scenario {
    name: "plain",
    routes: 3,
    body: "chat-1k",
    model: "gpt-5.5",
    attempts: &[("openai", "gpt-5.5", 200)],
    smart: r#""targets": [{"backend": "openai", "model": "gpt-5.5"}, {"backend": "local", "model": "llama"}]"#,
    defaults: "{}",
};

/// The plain case with as little telemetry as possible.
const UNOBSERVED: Scenario = Scenario {
    name: "unobserved",
    defaults: r#"{"telemetry": {"metrics": false, "access_log": false, "ask_for_usage": false}}"#,
    ..PLAIN
};

/// The plain case with the status page.
const PAGE: Scenario = Scenario {
    name: "page",
    defaults: r#"{"page": {"path": "/llm-router", "public": true}}"#,
    ..PLAIN
};

/// Two targets and a virtual model; the first target answers.
const RENAMED: Scenario = Scenario {
    name: "renamed",
    model: "smart",
    ..PLAIN
};

/// Two targets and a virtual model; the first target fails.
const FALLBACK: Scenario = Scenario {
    name: "fallback",
    attempts: &[
        ("openai", "gpt-5.5", 503),
        ("local", "meta-llama/Llama-3.1-8B-Instruct", 200),
    ],
    ..RENAMED
};

/// Two targets, one of which is chosen by the beginning of the conversation.
const STICKY: Scenario = Scenario {
    name: "sticky",
    // Weights so unequal that all bodies' conversations have the same first target.
    smart: r#""strategy": "weighted", "sticky": ["conversation"], "targets": [
        {"backend": "openai", "model": "gpt-5.5", "weight": 1000}, {"backend": "local", "model": "llama"}]"#,
    ..RENAMED
};

const SCENARIOS: [Scenario; 6] = [PLAIN, RENAMED, FALLBACK, STICKY, UNOBSERVED, PAGE];

#[test]
fn host_calls() {
    let budgets = Budgets::load();
    let known: Vec<&str> = budgets.host_calls.keys().map(String::as_str).collect();
    let mut played: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    played.sort_unstable();
    assert_eq!(known, played, "scenarios in benches/budgets.yaml");
    for scenario in &SCENARIOS {
        let (callbacks, list) = play(scenario);
        budgets.check_host_calls(scenario.name, &budgets::count(&callbacks), &list);
    }
}

/// This holds for every document and body, so it is not a limit in the file.
#[test]
fn bodies_are_read_once_and_nothing_is_shared_where_nothing_fails() {
    for scenario in &SCENARIOS {
        for body in ["chat-1k", "agent-30k", "escapes-100k"] {
            let (callbacks, list) = play(&Scenario { body, ..*scenario });
            let reads = |role: &str| {
                let calls = callbacks.iter().filter(|callback| callback.role == role);
                calls
                    .flat_map(|callback| &callback.calls)
                    .filter(|call| host::reads_request_body(call))
                    .count()
            };
            assert!(
                reads("router") <= 1,
                "more than one copy of the body: {list}"
            );
            assert_eq!(reads("attempt_1"), 0, "a copy of the body: {list}");
            let mut calls = callbacks.iter().flat_map(|callback| &callback.calls);
            let fails = scenario.attempts.iter().any(|(.., status)| *status >= 400);
            assert!(
                fails || !calls.any(|call| call.name == "proxy_set_shared_data"),
                "shared data is written: {list}"
            );
        }
    }
}

/// The cost of an event of a streamed answer, beyond what Envoy itself does: the backend role reads it once, and the
/// router role does nothing before the end of the answer, which is the end of the request.
#[test]
fn events_of_an_answer_are_read_once_at_most() {
    for scenario in &SCENARIOS {
        let (callbacks, list) = play(scenario);
        let chunks = callbacks
            .iter()
            .filter(|callback| callback.name == "proxy_on_response_body");
        let chunks: Vec<_> = chunks.collect();
        // The first chunk releases what is held, with the first token.
        for chunk in &chunks[1..chunks.len() - 1] {
            let reads = chunk
                .calls
                .iter()
                .filter(|call| call.name == "proxy_get_buffer_bytes");
            let is_followed = chunk.role != "router";
            assert_eq!(reads.count(), usize::from(is_followed), "{list}");
            assert_eq!(chunk.calls.len(), usize::from(is_followed), "{list}");
        }
    }
}

#[test]
fn headers_cause_no_allocation_each() {
    for scenario in &SCENARIOS {
        let count = |more_headers| {
            let (router, attempt) = core::allocations_with(scenario, more_headers);
            router.count_total + attempt.count_total
        };
        // A buffer may have to grow a few more times.
        let (few, many) = (count(0), count(100));
        assert!(
            many <= few + 5,
            "{}: {few}, and {many} with 100 headers more",
            scenario.name
        );
    }
}

#[test]
fn limits() {
    let mut measured = BTreeMap::new();
    let mut lists = Vec::new();
    for scenario in &SCENARIOS {
        let (callbacks, list) = play(scenario);
        let name = scenario.name;
        let calls = || callbacks.iter().flat_map(|callback| &callback.calls);
        let sum = |count: fn(&host::Call) -> usize| calls().map(count).sum::<usize>() as u64;
        let (router, attempt) = core::allocations(scenario);
        measured.extend([
            (
                format!("{name}/host_allocations"),
                sum(|call| call.allocates.into()),
            ),
            (
                format!("{name}/bytes_into_module"),
                sum(|call| call.bytes_in),
            ),
            (
                format!("{name}/bytes_out_of_module"),
                sum(|call| call.bytes_out),
            ),
            (
                format!("{name}/fuel_of_exchange"),
                fuel(&callbacks, |_| true),
            ),
            (
                format!("{name}/core_allocations_router"),
                router.count_total,
            ),
            (
                format!("{name}/core_allocations_attempt_1"),
                attempt.count_total,
            ),
        ]);
        lists.push(list);
    }
    for (name, routes, body) in [
        ("fuel_of_decision/chat-1k/3_routes", 3, "chat-1k"),
        ("fuel_of_decision/chat-1k/100_routes", 100, "chat-1k"),
        ("fuel_of_decision/agent-30k/3_routes", 3, "agent-30k"),
    ] {
        let (callbacks, list) = play(&Scenario {
            name,
            routes,
            body,
            ..PLAIN
        });
        // The request headers are read in a separate callback; this one scans the body, decides, and writes the
        // effects.
        let decides = |callback: &Callback| {
            callback.role == "router" && callback.name == "proxy_on_request_body"
        };
        measured.insert(name.to_owned(), fuel(&callbacks, decides));
        lists.push(list);
    }
    let (callbacks, _) = play(&PLAIN);
    let first = |callback: &&Callback| callback.name == "proxy_on_response_body";
    let both_roles: u64 = callbacks
        .iter()
        .filter(first)
        .take(2)
        .map(|callback| callback.fuel)
        .sum();
    measured.insert("fuel_of_event".to_owned(), both_roles);
    Budgets::load().check_limits(&measured, &lists.join("\n\n"));
}

fn fuel(callbacks: &[Callback], which: impl Fn(&Callback) -> bool) -> u64 {
    let those = callbacks.iter().filter(|callback| which(callback));
    those.map(|callback| callback.fuel).sum()
}
