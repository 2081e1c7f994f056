//! Trials of the outcomes of pass-through requests, which the filter takes from what Envoy reports.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::vms::start;
use super::{ENVOY, logged, on_both};
use crate::harness::echo::EchoInstruction;
use crate::harness::world::World;
use crate::harness::{Call, Case, Suite};

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    let world = Arc::clone(world);
    suite.plain("outcomes::passing_to_another_filter", move || {
        another_filter(&world);
    });
    on_both(suite, "outcomes::passing", passing);
    on_both(suite, "outcomes::passing_fails", passing_fails);
    on_both(suite, "outcomes::passing_left", passing_left);
    on_both(suite, "outcomes::envoys_timers", envoys_timers);
}

/// A request and a caller that no other trial uses.
fn answered_with(case: &Case, path: &str, status: u16) -> Call {
    let answer = EchoInstruction::status(status);
    case.get(path).header("x-test-answer", answer.header())
}

/// Checks what is reported about an answer with this status.
async fn passing(case: Case) {
    let answer = case.get("/v1/files").header("x-team", "ads").send().await;
    let line = logged(&case, &answer.id).await;
    line.says(&[
        ("route", "files"),
        ("decision", "pass_through"),
        ("caller", "ads"),
        ("api", "-"),
        ("end", "complete"),
        ("backend", "one"),
        ("target.model", "-"),
        ("verdict", "accepted"),
        ("attempts", "1"),
        ("failures", "-"),
        ("usage.estimated", "-"),
        ("first_token_ms", "-"),
    ]);
    for (path, status, verdict) in [
        ("/v1/echoed/x", 204, "accepted"),
        ("/v1/echoed/x", 302, "accepted"),
        ("/v1/echoed/x", 404, "rejected"),
        ("/v1/echoed/x", 401, "unauthorized"),
        ("/v1/echoed/x", 429, "rate_limited"),
        ("/v1/echoed/x", 500, "server_error"),
        ("/v1/echoed/x", 503, "unavailable"),
        // Here the key is the caller's own.
        ("/v1/lent/x", 401, "rejected"),
    ] {
        let answer = answered_with(&case, path, status).send().await;
        answer.is(status);
        let line = logged(&case, &answer.id).await;
        let backend = if path.contains("lent") {
            "lent"
        } else {
            "written"
        };
        let failures = format!("{backend}={verdict}");
        line.says(&[
            ("backend", backend),
            ("verdict", verdict),
            ("attempts", "1"),
            ("failures", if status < 400 { "-" } else { &failures }),
            ("end", "complete"),
            ("error.type", "-"),
        ]);
    }
    let broken_off = case
        .post("/v1/raw", r#"{"model":"cut-off"}"#)
        .listen()
        .await;
    broken_off.is_broken();
    let line = logged(&case, &broken_off.answer.id).await;
    line.says(&[
        ("route", "raw"),
        ("status", "200"),
        ("end", "cut"),
        ("backend", "scripted"),
        ("verdict", "accepted"),
        ("attempts", "1"),
    ]);
}

/// Errors that Envoy generates, after an attempt or without one.
async fn passing_fails(case: Case) {
    let raw = |script: &str| case.get(&format!("/v1/raw/models/{script}:x"));
    for (call, error, failure) in [
        (
            case.get("/v1/void"),
            "upstream_unreachable",
            "dead=connect_failure",
        ),
        (raw("reset"), "upstream_reset", "scripted=reset"),
        (
            raw("hang").route("deadline"),
            "upstream_timeout",
            "scripted=no_answer",
        ),
        (
            raw("hang").route("idle"),
            "upstream_timeout",
            "scripted=no_answer",
        ),
        (case.get("/v1/hollow"), "no_healthy_upstream", "-"),
        (case.get("/v1/astray"), "backend_mismatch", "-"),
        (case.get("/v1/lost"), "cluster_not_found", "-"),
    ] {
        let answer = call.send().await;
        let line = logged(&case, &answer.id).await;
        let (backend, verdict) = failure.split_once('=').unwrap_or(("-", "-"));
        line.says(&[
            ("decision", "pass_through"),
            ("error.type", error),
            ("end", "none"),
            ("backend", backend),
            ("verdict", verdict),
            ("failures", failure),
            ("attempts", if failure == "-" { "0" } else { "1" }),
        ]);
    }
}

/// Another wasm filter behind the router answers: no attempt is made, and nothing is wrong with the clusters.
fn another_filter(world: &Arc<World>) {
    let document = json!({
        "backends": [{"name": "one", "schema": "openai", "models": [{"name": "*"}]}],
        "routes": [{"name": "all", "match": {"model": "*"}, "targets": [{"backend": "one"}]}],
        "defaults": {"telemetry": {"access_log": false}},
    });
    let config = ENVOY
        .config(&world.backends)
        .change_manager(move |manager| {
            let filters = manager["http_filters"].as_array_mut().expect("a list");
            let is_router = |filter: &Value| filter["name"] == "llm_router";
            let router = filters
                .iter()
                .position(is_router)
                .expect("the router role is there");
            let mut other = filters[router].clone();
            other["name"] = json!("another");
            other["typed_config"]["config"]["configuration"]["value"] = document.clone();
            filters.insert(router + 1, other);
        });
    let case = start(world, "outcomes-another-filter", &config);
    let answer = world.runtime.block_on(case.get("/v1/files").send());
    answer.is(404);
    let line = world.runtime.block_on(logged(&case, &answer.id));
    line.says(&[
        ("decision", "pass_through"),
        ("route", "files"),
        ("status", "404"),
        ("error.type", "-"),
        ("end", "complete"),
        ("attempts", "0"),
        ("backend", "-"),
        ("verdict", "-"),
    ]);
}

/// The caller disconnects: before an answer, in the middle of one, and before the request is complete.
async fn passing_left(case: Case) {
    for (script, status, verdict) in [("hang", "0", "abandoned"), ("begin", "200", "accepted")] {
        let call = case.get(&format!("/v1/raw/models/{script}:x"));
        let id = call.id.clone();
        let opened = tokio::time::timeout(Duration::from_millis(700), call.open()).await;
        assert_eq!(opened.is_ok(), status == "200", "{script}");
        drop(opened);
        let line = logged(&case, &id).await;
        line.says(&[
            ("end", "client_gone"),
            ("status", status),
            ("backend", "scripted"),
            ("verdict", verdict),
            ("attempts", "1"),
            ("failures", "-"),
        ]);
    }
    let half = case.request("POST", "/v1/files").piece("x").chunked();
    let id = half.id.clone();
    let wire = case.connect().await;
    wire.leave_halfway(&half).await.expect("it is sent");
    let line = logged(&case, &id).await;
    line.says(&[
        ("end", "client_gone"),
        ("backend", "one"),
        ("verdict", "abandoned"),
        ("attempts", "1"),
    ]);
}

/// An attempt that one of Envoy's timers ends gets the verdict `no_answer`, whichever timer it was.
async fn envoys_timers(case: Case) {
    for (model, route, attempts, failures) in [
        ("hang", "deadline", "1", "one=no_answer"),
        ("hang", "idle", "1", "one=no_answer"),
        // The second attempt was never started, or was in progress.
        (
            "first-fails",
            "deadline",
            "2",
            "one=unavailable,two=no_answer",
        ),
        // The answer had begun and was held.
        ("half", "deadline", "1", "one=no_answer"),
        ("hurried", "", "1", "one=no_answer"),
        // A reset instead of a timer.
        ("breaks", "deadline", "1", "one=reset"),
    ] {
        let call = case.chat(model);
        let call = if route.is_empty() {
            call
        } else {
            call.route(route)
        };
        let answer = call.send().await;
        let is_timer = model != "breaks";
        let line = logged(&case, &answer.id).await;
        let verdict = if is_timer { "no_answer" } else { "reset" };
        line.says(&[
            (
                "error.type",
                if is_timer {
                    "upstream_timeout"
                } else {
                    "upstream_reset"
                },
            ),
            ("failures", failures),
            ("verdict", verdict),
            ("attempts", attempts),
            ("end", "none"),
        ]);
    }
}
