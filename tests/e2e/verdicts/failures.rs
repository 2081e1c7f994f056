//! Trials of failing backends: they break connections, are down, or do not answer.

use serde_json::json;

use super::{
    ask, assert_at_once, assert_ends, assert_own, assert_takes, chat, first, gaps, ms, second,
    stream,
};
use crate::fleet::policy::{BREAKING, VirtualModel, at, fine, model};
use crate::harness::{Api, Case, Suite};

/// Faults that are retried once at the same target, and the failure that is reported.
const REPEATED: [(&str, &str); 6] = [
    ("status-500", "server_error"),
    ("status-502", "server_error"),
    ("status-599", "server_error"),
    ("reset", "reset"),
    ("close", "reset"),
    ("reset-headers", "reset"),
];
/// Faults that break a connection.
const BREAKING_HTTP2: [&str; 3] = ["reset", "close", "reset-headers"];
/// Faults that are not retried at the same target.
const PASSED_BY: [&str; 3] = ["status-503", "status-504", "status-529"];
/// A backend refuses the gateway's key.
const UNAUTHORIZED: [&str; 2] = ["status-401", "status-403"];

pub(super) fn add(suite: &mut Suite) {
    for (fault, failure) in REPEATED {
        let name = fault.replace('-', "_");
        suite.policy(
            &format!("verdicts::the_same_target_once_more_after_{name}"),
            move |case| once_more(case, fault, failure),
        );
    }
    suite.policy(
        "verdicts::the_same_target_once_more_after_a_dead_port",
        dead_port,
    );
    for fault in PASSED_BY {
        let name = fault.replace('-', "_");
        suite.policy(
            &format!("verdicts::the_next_target_after_{name}"),
            move |case| next_after(case, fault),
        );
    }
    suite.policy("verdicts::never_the_silent_one_again", silent);
    suite.policy("verdicts::the_next_target_after_a_late_token", late_token);
    for fault in UNAUTHORIZED {
        let name = fault.replace('-', "_");
        suite.policy(
            &format!("verdicts::the_next_target_after_{name}_and_an_alarm"),
            move |case| unauthorized(case, fault),
        );
    }
    suite.policy("verdicts::each_row_is_the_routes_to_change", changed_rows);
    suite.policy("verdicts::by_http2_as_by_http1", by_http2);
    suite.policy(
        "verdicts::broken_http2_connections_as_any",
        broken_http2_connections,
    );
    suite.policy(
        "verdicts::a_wrong_certificate_is_no_connection",
        wrong_certificate,
    );
    suite.policy("verdicts::an_only_target_once_more", only_target);
    suite.policy("verdicts::a_big_request_is_the_same_once_more", big_request);
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let mut add = |name: &str, targets: &[_]| {
            all.push(VirtualModel::new(&api.model(name), targets));
        };
        for (fault, _) in REPEATED {
            add(fault, &[at(first, fault), fine(second)]);
            let once = format!("once-{fault}");
            add(&once, &[at(first, &once), fine(second)]);
        }
        for fault in PASSED_BY {
            add(fault, &[at(first, fault), fine(second)]);
        }
        let dead = format!("dead-{}", first);
        add("dead", &[fine(&dead), fine(second)]);
        let silent = [
            at(first, "hang"),
            at(first, "hang").same_as(0),
            fine(second),
        ];
        all.push(
            VirtualModel::new(&api.model("silent"), silent)
                .fallback(json!({"attempt_timeout_ms": 600})),
        );
    }
    for fault in UNAUTHORIZED {
        all.push(VirtualModel::new(
            fault,
            [at("bare", fault), fine("openai")],
        ));
    }
    let late = [at("openai", "slow-token-900"), fine("azure-east")];
    all.push(VirtualModel::new("late", late).fallback(json!({"first_token_timeout_ms": 400})));
    let changed = |name: &str, fault: &str, rows| {
        VirtualModel::new(name, [at("openai", fault), fine("azure-east")])
            .fallback(json!({"on_failure": rows}))
    };
    all.extend([
        changed("500-passes", "status-500", json!({"server_error": "pass"})),
        changed("500-next", "status-500", json!({"server_error": "next"})),
        changed("503-again", "status-503", json!({"unavailable": "retry"})),
        changed("reset-next", "reset", json!({"reset": "next"})),
        changed("404-next", "status-404", json!({"rejected": "next"})),
        changed("401-passes", "status-401", json!({"unauthorized": "pass"})),
        VirtualModel::new("h2-500", [at("second", "status-500"), fine("azure-east")]),
        VirtualModel::new(
            "h2-429",
            [
                at("second", "once-status-429-retry-after-ms-300"),
                fine("azure-east"),
            ],
        ),
        VirtualModel::new("h2-next", [at("openai", "status-503"), fine("second")]),
        VirtualModel::new("big", [at("openai", "once-status-500"), fine("azure-east")]),
        VirtualModel::new(
            "big-late",
            [
                at("openai", "once-status-429-retry-after-ms-200"),
                fine("azure-east"),
            ],
        ),
        VirtualModel::new(
            "big-reset",
            [at("openai", "once-reset"), fine("azure-east")],
        ),
        VirtualModel::new("certificate", [fine("tls-other-name"), fine("azure-east")]),
        VirtualModel::new("only-500", [at("openai", "status-500")]),
        VirtualModel::new("only-503", [at("openai", "status-503")]),
        VirtualModel::new("only-reset", [at("openai", "reset")]),
        VirtualModel::new("only-dead", [fine("dead-openai")]),
    ]);
    for fault in BREAKING_HTTP2 {
        let targets = [at(BREAKING, fault), fine("azure-east")];
        all.push(VirtualModel::new(&format!("h2-{fault}"), targets));
    }
    all
}

async fn once_more(case: Case, fault: &str, failure: &str) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let failure = format!("{first}={failure}");
        let answer = ask(&case, api, &format!("once-{fault}")).send().await;
        answer.is(200);
        let seen = answer.went_to(&[first, first]);
        assert_at_once(gaps(&seen)[0], "the second try");
        answer.tells(Some(first), 2, &[&failure]);

        let answer = ask(&case, api, fault).send().await;
        answer.is(200);
        let seen = answer.went_to(&[first, first, second]);
        for gap in gaps(&seen) {
            assert_at_once(gap, "the next attempt");
        }
        answer.tells(Some(second), 3, &[&failure, &failure]);
        assert_eq!(seen[0].json(), seen[1].json(), "both are the same request");
        assert_eq!(seen[2].model(), "works");
    }
}

async fn dead_port(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "dead").send().await;
        answer.only_at(second(api));
        let failure = format!("dead-{}=connect_failure", first(api));
        answer.tells(Some(second(api)), 3, &[&failure, &failure]);
    }
}

async fn next_after(case: Case, fault: &str) {
    for api in Api::ALL {
        let answer = ask(&case, api, fault).send().await;
        answer.is(200);
        let seen = answer.went_to(&[first(api), second(api)]);
        assert_at_once(gaps(&seen)[0], "the next attempt");
        let failure = format!("{}=unavailable", first(api));
        answer.tells(Some(second(api)), 2, &[&failure]);
    }
}

/// The second target is another one to the route, but the same model at the same backend.
async fn silent(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "silent").send().await;
        answer.is(200);
        let seen = answer.went_to(&[first(api), second(api)]);
        assert_ends(gaps(&seen)[0], ms(600), "the silent attempt");
        let failure = format!("{}=no_answer", first(api));
        answer.tells(Some(second(api)), 2, &[&failure]);
        // It is no longer waited for.
        let left = seen[0]
            .0
            .answer
            .left()
            .expect("Envoy leaves the silent one");
        assert_ends(
            left.duration_since(seen[0].0.at),
            ms(600),
            "leaving the silent one",
        );
    }
}

async fn late_token(case: Case) {
    let answer = stream(&case, "late").send().await;
    answer.is(200);
    let seen = answer.went_to(&["openai", "azure-east"]);
    assert_ends(gaps(&seen)[0], ms(400), "the late attempt");
    answer.tells(Some("azure-east"), 2, &["openai=late_first_token"]);
    assert!(
        answer.body.ends_with(b"data: [DONE]\n\n"),
        "{}",
        answer.describe()
    );
    // An answer that is not streamed has no first token.
    let answer = chat(&case, "late").send().await;
    answer.only_at("openai");
    answer.tells(Some("openai"), 1, &[]);
}

const REFUSED_KEYS: &str = "wasmcustom.llm_router.unauthorized";

async fn unauthorized(case: Case, fault: &str) {
    let before = case.envoy.stat(REFUSED_KEYS).await.unwrap_or(0);
    let answer = chat(&case, fault).send().await;
    answer.is(200);
    let seen = answer.went_to(&["bare", "openai"]);
    assert_at_once(gaps(&seen)[0], "the next attempt");
    answer.tells(Some("openai"), 2, &["bare=unauthorized"]);
    // The cooldown starts at once. It is short, so nothing else comes before this request.
    let answer = chat(&case, fault).send().await;
    answer.only_at("openai");
    answer.tells(Some("openai"), 1, &[]);
    let after = case.envoy.stat(REFUSED_KEYS).await.unwrap_or(0);
    assert!(after > before, "the metric is {after} after {before}");

    let log = case.envoy.log();
    let complaints = log
        .lines()
        .filter(|line| line.contains("backend \"bare\" rejects the gateway's key"));
    let complaints: Vec<&str> = complaints.collect();
    // Once a minute for each worker, however often it happens.
    assert!(
        (1..=case.envoy.workers).contains(&complaints.len()),
        "{complaints:#?}"
    );
    for line in complaints {
        assert!(line.contains("[error]"), "{line}");
    }
}

async fn changed_rows(case: Case) {
    for (name, status, backends) in [
        ("500-passes", 500, &["openai"][..]),
        ("500-next", 200, &["openai", "azure-east"]),
        ("503-again", 200, &["openai", "openai", "azure-east"]),
        ("reset-next", 200, &["openai", "azure-east"]),
        ("404-next", 200, &["openai", "azure-east"]),
        ("401-passes", 401, &["openai"]),
    ] {
        let answer = chat(&case, name).send().await;
        answer.is(status).went_to(backends);
    }
}

async fn by_http2(case: Case) {
    let answer = chat(&case, "h2-500").send().await;
    answer.is(200);
    let seen = answer.went_to(&["second", "second", "azure-east"]);
    assert_eq!(seen[1].0.version, "HTTP/2.0");
    let failure = "second=server_error";
    answer.tells(Some("azure-east"), 3, &[failure, failure]);

    let answer = chat(&case, "h2-429").send().await;
    answer.is(200);
    let seen = answer.went_to(&["second", "second"]);
    assert_takes(gaps(&seen)[0], ms(300), "the wait");
    answer.tells(Some("second"), 2, &["second=rate_limited"]);

    let answer = chat(&case, "h2-next").send().await;
    answer.is(200).went_to(&["openai", "second"]);
    answer.tells(Some("second"), 2, &["openai=unavailable"]);
}

async fn broken_http2_connections(case: Case) {
    for fault in BREAKING_HTTP2 {
        let answer = chat(&case, &format!("h2-{fault}")).send().await;
        answer.is(200);
        let seen = answer.went_to(&["bare", "bare", "azure-east"]);
        assert_eq!(seen[0].0.version, "HTTP/2.0");
        let failure = format!("{BREAKING}-{}=reset", case.protocol);
        answer.tells(Some("azure-east"), 3, &[&failure, &failure]);
    }
}

async fn wrong_certificate(case: Case) {
    let answer = chat(&case, "certificate").send().await;
    answer.only_at("azure-east");
    let failure = "tls-other-name=connect_failure";
    answer.tells(Some("azure-east"), 3, &[failure, failure]);
}

/// There is no other target, so the last answer is passed on.
async fn only_target(case: Case) {
    let answer = chat(&case, "only-500").send().await;
    let seen = answer.went_to(&["openai", "openai"]);
    assert_own(&case, &answer, "openai", &seen[1]).await;
    let failed = answer.is(500);
    failed.tells(Some("openai"), 2, &["openai=server_error"]);

    let answer = chat(&case, "only-503").send().await;
    let seen = answer.went_to(&["openai"]);
    assert_own(&case, &answer, "openai", &seen[0]).await;
    answer.is(503).tells(Some("openai"), 1, &[]);

    let answer = chat(&case, "only-reset").send().await;
    answer.is_error(Api::OpenAi, 503, "upstream_reset");
    answer.went_to(&["openai", "openai"]);
    answer.tells(None, 2, &["openai=reset"; 2]);

    let answer = chat(&case, "only-dead").send().await;
    answer.is_error(Api::OpenAi, 503, "upstream_unreachable");
    answer.tells(None, 2, &["dead-openai=connect_failure"; 2]);
}

async fn big_request(case: Case) {
    let text = "0123456789abcdef".repeat(40_000);
    for name in ["big", "big-late", "big-reset"] {
        let model = model(&case, name);
        let body = |model: &str| format!(r#"{{"messages": "{text}", "model" :"{model}"}}"#);
        let call = case.post("/v1/chat/completions", body(&model));
        let answer = call.send().await;
        answer.is(200);
        for seen in answer.went_to(&["openai", "openai"]) {
            seen.has_its_length();
            assert!(
                seen.0.body == body(&seen.model()).into_bytes(),
                "the body of {name} is not what it should be"
            );
        }
    }
}
