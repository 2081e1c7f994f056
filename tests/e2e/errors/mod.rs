//! Trials of errors in the format of the caller's API: the filter's own and those that Envoy answers itself.
//!
//! Errors in a request's body are tested in [`crate::input`].

use std::time::{Duration, Instant};

use crate::harness::{Api, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    for (what, status, code) in [
        ("dead", 503, "upstream_unreachable"),
        ("all-dead", 503, "upstream_unreachable"),
        ("empty", 503, "no_healthy_upstream"),
        ("missing", 503, "cluster_not_found"),
        ("full", 503, "upstream_overflow"),
        ("misrouted", 500, "backend_mismatch"),
        ("keyless", 500, "backend_key_missing"),
    ] {
        let name = format!("errors::{code}_of_{}", what.replace('-', "_"));
        suite.matrix(&name, move |case| {
            without_a_backend(case, what, status, code)
        });
    }
    suite.matrix("errors::upstream_reset", upstream_reset);
    suite.matrix("errors::upstream_timeout", upstream_timeout);
    suite.matrix("errors::request_timeout", request_timeout);
    suite.matrix(
        "errors::a_backends_own_errors_are_not_touched",
        a_backends_own_errors_are_not_touched,
    );
}

async fn without_a_backend(case: Case, what: &'static str, status: u16, code: &'static str) {
    for api in Api::ALL {
        let answer = case.ask(api, &api.model(what)).send().await;
        answer.is_error(api, status, code).went_nowhere();
    }
}

async fn upstream_reset(case: Case) {
    for api in Api::ALL {
        for fault in ["reset", "close"] {
            let answer = case.ask(api, &api.model(fault)).send().await;
            answer.is_error(api, 503, "upstream_reset");
            assert_eq!(answer.attempts().len(), 1, "{}", answer.describe());
        }
    }
}

async fn upstream_timeout(case: Case) {
    for api in Api::ALL {
        // The limit of an attempt, and Envoy's own limit for all attempts together.
        for by_envoy in [false, true] {
            let start = Instant::now();
            let call = case.ask(api, &api.model("hang"));
            let call = if by_envoy {
                call.route("deadline")
            } else {
                call
            };
            let answer = call.send().await;
            answer.is_error(api, 504, "upstream_timeout");
            assert_eq!(answer.attempts().len(), 1, "{}", answer.describe());
            assert!(
                start.elapsed() >= Duration::from_millis(600),
                "too early: {:?}",
                start.elapsed()
            );
        }
    }
}

async fn request_timeout(case: Case) {
    for api in Api::ALL {
        let call = case
            .ask(api, "fast")
            .route("idle")
            .pause(Duration::from_secs(3))
            .piece(" ");
        let answer = call.send_on(&mut case.connect().await).await;
        answer.is_error(api, 408, "request_timeout").went_nowhere();
    }
}

async fn a_backends_own_errors_are_not_touched(case: Case) {
    for status in [400, 404, 500, 503] {
        let answer = case.chat(&format!("openai-status-{status}")).send().await;
        answer.is(status).went_to(&["openai"]);
        let error = answer.json();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("Demo backend \"openai\""),
            "{}",
            answer.describe()
        );
    }
}
