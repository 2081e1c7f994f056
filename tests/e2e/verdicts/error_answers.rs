//! Trials of errors about the request, and of errors in answers with status 200.

use serde_json::json;

use super::{ask, assert_own, chat, first, gaps, second};
use crate::fleet::policy::{VirtualModel, at, fine};
use crate::harness::{Api, Case, Suite};

const REJECTED: [u16; 7] = [400, 404, 405, 413, 415, 418, 422];

/// Errors with status 200: the backend's fault, the failure, and how often the first target is tried.
const IN_A_200: [(&str, &str, usize); 4] = [
    ("error-first", "server_error", 2),
    ("error-first-rate_limit", "rate_limited", 1),
    ("error-first-overloaded", "unavailable", 1),
    ("error-first-auth", "unauthorized", 1),
];

pub(super) fn add(suite: &mut Suite) {
    suite.policy(
        "verdicts::a_prompt_that_is_too_long_goes_to_a_larger_window",
        larger_window,
    );
    suite.policy(
        "verdicts::a_prompt_that_is_too_long_is_refused_in_its_backends_words",
        no_larger_window,
    );
    suite.policy(
        "verdicts::refused_content_is_refused_in_its_backends_words",
        content_policy,
    );
    suite.policy(
        "verdicts::other_errors_of_the_request_are_its_backends_own",
        rejected,
    );
    suite.policy(
        "verdicts::an_error_in_a_200_counts_as_what_it_says",
        in_a_200,
    );
    suite.policy(
        "verdicts::an_error_in_a_200_is_passed_on_as_it_is",
        in_a_200_passes,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let mut add = |name: &str, targets: &[_], fallback| {
            all.push(VirtualModel::new(&api.model(name), targets).fallback(fallback));
        };
        let long = at(first, "context-length");
        let same = |window| fine(second).window(window);
        add(
            "long",
            &[
                long.clone().window(1000),
                same(1000),
                fine(second),
                fine(first).window(4000),
                same(2000),
            ],
            json!({}),
        );
        add(
            "too-long",
            &[long.clone().window(1000), same(1000), fine(second)],
            json!({}),
        );
        add("unknown", &[long.clone(), same(4000)], json!({}));
        add(
            "twice-long",
            &[
                long.clone().window(1000),
                long.window(2000),
                same(1500),
                same(3000),
            ],
            json!({}),
        );
        let blocked = [at(first, "content-policy"), fine(second)];
        add("blocked", &blocked, json!({}));
        let on_failure = json!({"content_policy": {"action": "next", "cooldown": "none"}});
        add("blocked-next", &blocked, json!({"on_failure": on_failure}));
        for status in REJECTED {
            let targets = [at(first, &format!("status-{status}")), fine(second)];
            add(&format!("status-{status}"), &targets, json!({}));
        }
        for (fault, ..) in IN_A_200 {
            add(fault, &[at(first, fault), fine(second)], json!({}));
        }
        let invalid = "error-first-invalid";
        add(invalid, &[at(first, invalid), fine(second)], json!({}));
        let overloaded = "error-first-overloaded";
        add(
            "all-overloaded",
            &[at(first, overloaded), at(second, overloaded)],
            json!({}),
        );
    }
    all.push(VirtualModel::new("unread", [at("openai", "error-first")]));
    all
}

async fn larger_window(case: Case) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let failure = format!("{first}=context_length");
        let answer = ask(&case, api, "long").send().await;
        answer.is(200).went_to(&[first, first]);
        answer.tells(Some(first), 2, &[&failure]);
        // The target itself is fine.
        let answer = ask(&case, api, "long").send().await;
        answer.is(200).went_to(&[first, first]);

        let answer = ask(&case, api, "twice-long").send().await;
        answer.is(200).went_to(&[first, first, second]);
        answer.tells(Some(second), 3, &[&failure, &failure]);
    }
}

async fn no_larger_window(case: Case) {
    for api in Api::ALL {
        for name in ["too-long", "unknown"] {
            let answer = ask(&case, api, name).send().await;
            let seen = answer.went_to(&[first(api)]);
            assert_own(&case, &answer, first(api), &seen[0]).await;
            answer.is(400).tells(Some(first(api)), 1, &[]);
        }
    }
}

async fn content_policy(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "blocked").send().await;
        let seen = answer.went_to(&[first(api)]);
        assert_own(&case, &answer, first(api), &seen[0]).await;
        answer.is(400).tells(Some(first(api)), 1, &[]);
        // Twice, because it does not count as a failure of the target.
        for _ in 0..2 {
            let answer = ask(&case, api, "blocked-next").send().await;
            answer.is(200).went_to(&[first(api), second(api)]);
            let failure = format!("{}=content_policy", first(api));
            answer.tells(Some(second(api)), 2, &[&failure]);
        }
    }
}

async fn rejected(case: Case) {
    for api in Api::ALL {
        for status in REJECTED {
            let answer = ask(&case, api, &format!("status-{status}")).send().await;
            let seen = answer.went_to(&[first(api)]);
            assert_own(&case, &answer, first(api), &seen[0]).await;
            answer.is(status).tells(Some(first(api)), 1, &[]);
        }
    }
}

async fn in_a_200(case: Case) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        for (fault, failure, tries) in IN_A_200 {
            let answer = ask(&case, api, fault).send().await;
            answer.is(200);
            let failure = format!("{first}={failure}");
            let (mut backends, mut failures) = (vec![], vec![]);
            for _ in 0..tries {
                backends.push(first);
                failures.push(failure.as_str());
            }
            backends.push(second);
            let seen = answer.went_to(&backends);
            for gap in gaps(&seen) {
                super::assert_at_once(gap, "the next attempt");
            }
            answer.tells(Some(second), tries + 1, &failures);
            assert!(
                answer.json().get("error").is_none(),
                "{}",
                answer.describe()
            );
        }
    }
}

async fn in_a_200_passes(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "error-first-invalid").send().await;
        let seen = answer.went_to(&[first(api)]);
        assert_own(&case, &answer, first(api), &seen[0]).await;
        answer.is(200).tells(Some(first(api)), 1, &[]);
        // The last target's error is passed on too.
        let answer = ask(&case, api, "all-overloaded").send().await;
        let seen = answer.went_to(&[first(api), second(api)]);
        assert_own(&case, &answer, second(api), &seen[1]).await;
        let failure = format!("{}=unavailable", first(api));
        answer.is(200).tells(Some(second(api)), 2, &[&failure]);
    }
    // With one target, nothing is held or read.
    let answer = chat(&case, "unread").send().await;
    let seen = answer.went_to(&["openai"]);
    assert_own(&case, &answer, "openai", &seen[0]).await;
}
