//! Trials of the limits of a request as a whole: its deadline and its number of attempts.

use serde_json::json;

use super::{
    SLACK, ask, assert_at_once, assert_own, assert_takes, chat, first, gaps, ms, second, stream,
    timed,
};
use crate::fleet::policy::{VirtualModel, at, fine, model};
use crate::harness::{Answer, Api, Call, Case, Suite};

const DEADLINE_MS: u64 = 600;
const DEADLINE_HEADER: &str = "x-llm-router-deadline-ms";
const EXCEEDED: &str = "wasmcustom.llm_router.deadline_exceeded";

/// How an answer can be late: the fault, and whether it is streamed.
const LATE: [(&str, &str, bool); 4] = [
    ("silent", "hang", false),
    ("held", "slow-token-8000", true),
    ("held_by_pings", "pings-300", true),
    ("half", "stall-1", false),
];

pub(super) fn add(suite: &mut Suite) {
    for (name, _, is_stream) in LATE {
        suite.policy(
            &format!("verdicts::a_deadline_ends_what_is_{name}"),
            move |case| ends(case, name, is_stream),
        );
    }
    suite.policy("verdicts::a_deadline_covers_all_attempts", covers_all);
    suite.policy("verdicts::no_wait_goes_past_the_deadline", no_wait_past_it);
    suite.policy(
        "verdicts::a_deadline_ends_where_the_answer_begins",
        ends_where_it_begins,
    );
    suite.policy("verdicts::a_deadline_can_be_the_callers", the_callers);
    suite.policy("verdicts::so_many_attempts_and_no_more", so_many_attempts);
    suite.policy("verdicts::a_timer_of_envoys_is_no_reset", envoys_timer);
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let deadline = json!({"deadline_ms": DEADLINE_MS});
    let mut all = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let mut add = |name: &str, targets: &[_], fallback: &serde_json::Value| {
            all.push(VirtualModel::new(&api.model(name), targets).fallback(fallback.clone()));
        };
        for (name, fault, _) in LATE {
            add(
                &format!("late-{name}"),
                &[at(first, fault), fine(second)],
                &deadline,
            );
        }
        let failing = [at(first, "status-503"), at(second, "hang")];
        add("late-second", &failing, &deadline);
        let limited = at(first, "status-429-retry-after-ms-900");
        add("no-time-to-wait", &[limited, fine(second)], &deadline);
        add("patient", &[at(first, "hang"), fine(second)], &json!({}));
    }
    all.push(
        VirtualModel::new("timed", [at("openai", "hang"), fine("azure-east")]).fallback(json!({
            "on_failure": {
                "reset": {"action": "retry", "cooldown": "none"},
                "no_answer": {"action": "next", "cooldown": "open"},
            },
        })),
    );
    let budget =
        |name: &str, targets: &[_], fallback| VirtualModel::new(name, targets).fallback(fallback);
    let failing = |fault| ["openai", "azure-east", "bare"].map(|backend| at(backend, fault));
    let two = json!({"max_attempts": 2});
    all.extend([
        budget(
            "begun",
            &[at("openai", "slow-words-150"), fine("azure-east")],
            deadline,
        ),
        budget("two-of-503", &failing("status-503"), two.clone()),
        budget("two-of-500", &failing("status-500"), two),
        budget(
            "one-of-503",
            &failing("status-503"),
            json!({"max_attempts": 1}),
        ),
        budget("five-of-500", &failing("status-500"), json!({})),
        budget("three-of-503", &failing("status-503"), json!({})),
    ]);
    all
}

fn streamed(case: &Case, api: Api, name: &str) -> Call {
    let name = model(case, &api.model(name));
    let body = json!({"model": name, "stream": true, "max_tokens": 16, "messages": []});
    match api {
        Api::OpenAi => case.post("/v1/chat/completions", body.to_string()),
        Api::Anthropic => case
            .post("/v1/messages", body.to_string())
            .header("anthropic-version", "2023-06-01"),
    }
}

#[track_caller]
fn assert_exceeded(answer: &Answer, api: Api) {
    answer.is_error(api, 504, "deadline_exceeded");
    assert!(answer.header("x-llm-router-backend").is_none());
}

async fn ends(case: Case, name: &str, is_stream: bool) {
    let name = &format!("late-{name}");
    let before = case.envoy.stat(EXCEEDED).await.unwrap_or(0);
    for api in Api::ALL {
        let call = if is_stream {
            streamed(&case, api, name)
        } else {
            ask(&case, api, name)
        };
        let (answer, elapsed) = timed(call).await;
        assert_exceeded(&answer, api);
        assert_takes(elapsed, ms(DEADLINE_MS), "the answer");
        answer.tells(None, 1, &[&format!("{}=no_answer", first(api))]);
        let seen = answer.went_to(&[first(api)]);
        // The backend is no longer waited for, and no other is tried.
        tokio::time::sleep(ms(100)).await;
        let left = seen[0].0.answer.left().expect("Envoy leaves the backend");
        let after = left.duration_since(seen[0].0.at);
        assert!(after <= ms(DEADLINE_MS) + SLACK, "left after {after:?}");
        answer.went_to(&[first(api)]);
    }
    let after = case.envoy.stat(EXCEEDED).await.unwrap_or(0);
    assert!(after >= before + 2, "the metric is {after} after {before}");
}

async fn covers_all(case: Case) {
    for api in Api::ALL {
        let (answer, elapsed) = timed(ask(&case, api, "late-second")).await;
        assert_exceeded(&answer, api);
        assert_takes(elapsed, ms(DEADLINE_MS), "the answer");
        answer.went_to(&[first(api), second(api)]);
        let failed = format!("{}=unavailable", first(api));
        let silent = format!("{}=no_answer", second(api));
        answer.tells(None, 2, &[&failed, &silent]);
    }
}

async fn no_wait_past_it(case: Case) {
    for api in Api::ALL {
        // Within the time limit.
        let answer = ask(&case, api, "no-time-to-wait").send().await;
        answer.is(200);
        let seen = answer.went_to(&[first(api), second(api)]);
        assert_at_once(gaps(&seen)[0], "the next attempt");
    }
}

async fn ends_where_it_begins(case: Case) {
    let (answer, elapsed) = timed(stream(&case, "begun")).await;
    answer.only_at("openai");
    assert!(answer.body.ends_with(b"data: [DONE]\n\n"));
    assert!(
        elapsed > ms(DEADLINE_MS),
        "the stream took only {elapsed:?}"
    );
}

/// The route's `timeout` ends an attempt that had more time by itself.
async fn envoys_timer(case: Case) {
    let answer = chat(&case, "timed").route("deadline").send().await;
    answer.is_error(Api::OpenAi, 504, "upstream_timeout");
    answer.tells(None, 1, &["openai=no_answer"]);
    // It counts against the target as a timeout.
    let answer = chat(&case, "timed").send().await;
    answer.is(200).went_to(&["azure-east"]);
}

async fn the_callers(case: Case) {
    for api in Api::ALL {
        let call = ask(&case, api, "patient").header(DEADLINE_HEADER, "300");
        let (answer, elapsed) = timed(call).await;
        assert_exceeded(&answer, api);
        assert_takes(elapsed, ms(300), "the answer");
        let seen = answer.went_to(&[first(api)]);
        assert_eq!(seen[0].header(DEADLINE_HEADER), None);
        // It cannot exceed the route's deadline.
        let call = ask(&case, api, "late-silent").header(DEADLINE_HEADER, "5000");
        let (answer, elapsed) = timed(call).await;
        assert_exceeded(&answer, api);
        assert_takes(elapsed, ms(DEADLINE_MS), "the answer");
    }
}

async fn so_many_attempts(case: Case) {
    for (name, status, backends) in [
        ("two-of-503", 503, &["openai", "azure-east"][..]),
        ("two-of-500", 500, &["openai", "azure-east"]),
        ("one-of-503", 503, &["openai"]),
        ("three-of-503", 503, &["openai", "azure-east", "bare"]),
        // One attempt for each target, and two more.
        (
            "five-of-500",
            500,
            &["openai", "openai", "azure-east", "azure-east", "bare"],
        ),
    ] {
        let answer = chat(&case, name).send().await;
        let seen = answer.is(status).went_to(backends);
        let (last, before) = backends.split_last().expect("an attempt");
        assert_own(&case, &answer, last, seen.last().expect("an attempt")).await;
        let failure = if status == 500 {
            "server_error"
        } else {
            "unavailable"
        };
        let failures: Vec<String> = before
            .iter()
            .map(|backend| format!("{backend}={failure}"))
            .collect();
        let failures: Vec<&str> = failures.iter().map(String::as_str).collect();
        answer.tells(Some(last), backends.len(), &failures);
    }
}
