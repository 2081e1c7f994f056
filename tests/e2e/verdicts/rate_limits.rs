//! Trials of overloaded backends, with or without a time after which to retry.

use serde_json::json;

use super::{ask, assert_at_once, assert_takes, chat, first, gaps, ms, second};
use crate::fleet::policy::{VirtualModel, at, fine};
use crate::harness::{Api, Case, Suite};

/// How a backend gives the time: the trial's name, the fault, and the minimum and maximum wait in milliseconds.
const WAITS: [(&str, &str, u64, u64); 5] = [
    ("seconds", "retry-after-0.5", 500, 500),
    ("milliseconds", "retry-after-ms-400", 400, 400),
    // Dates have whole seconds, and this one is rounded up.
    ("a_date", "retry-date-1", 1000, 2000),
    ("resets", "reset-500", 500, 500),
    ("resets_in_seconds", "reset-1000", 1000, 2000),
];

pub(super) fn add(suite: &mut Suite) {
    for (name, _, least, most) in WAITS {
        suite.policy(
            &format!("verdicts::waits_where_asked_to_by_{name}"),
            move |case| waits(case, name, least, most),
        );
    }
    for (name, scenario) in [("429_again", "again"), ("503", "unavailable")] {
        suite.policy(
            &format!("verdicts::waits_once_and_not_for_{name}"),
            move |case| waits_no_more(case, scenario),
        );
    }
    suite.policy(
        "verdicts::a_longer_wait_is_a_cooldown_for_as_long",
        a_longer_wait,
    );
    suite.policy(
        "verdicts::so_is_that_of_who_is_only_down",
        a_longer_wait_for_503,
    );
    suite.policy("verdicts::an_only_target_is_waited_for_too", waits_alone);
    suite.policy("verdicts::patience_is_the_routes", patience);
    suite.policy(
        "verdicts::a_rate_limit_without_a_time_leads_on_and_cools_down",
        without_a_time,
    );
    suite.policy("verdicts::a_wait_only_where_the_route_wants_one", wanted);
    suite.policy(
        "verdicts::a_wait_ends_where_its_client_leaves",
        client_leaves,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for api in Api::ALL {
        let mut add = |name: &str, fault: &str, fallback| {
            let targets = [at(first(api), fault), fine(second(api))];
            all.push(VirtualModel::new(&api.model(name), targets).fallback(fallback));
        };
        for (name, fault, ..) in WAITS {
            add(name, &format!("once-status-429-{fault}"), json!({}));
        }
        add("again", "status-429-retry-after-ms-300", json!({}));
        add("unavailable", "status-503-retry-after-ms-300", json!({}));
        add("longer", "once-status-429-retry-after-3", json!({}));
        add("longer-503", "once-status-503-retry-after-3", json!({}));
        let impatient = json!({"patience_ms": 300});
        add("impatient", "once-status-429-retry-after-0.5", impatient);
        add("leaving", "status-429-retry-after-ms-500", json!({}));
        add("no-time", "once-status-429", json!({}));
        let waits = json!({"on_failure": {"unavailable": "wait", "rate_limited": "next"}});
        add(
            "wanted",
            "once-status-503-retry-after-ms-300",
            waits.clone(),
        );
        add("unwanted", "once-status-429-retry-after-ms-300", waits);
    }
    let only = at("openai", "once-status-429-retry-after-ms-300");
    all.push(VirtualModel::new("waits-alone", [only]));
    all
}

async fn waits(case: Case, name: &str, least: u64, most: u64) {
    for api in Api::ALL {
        let answer = ask(&case, api, name).send().await;
        answer.is(200);
        let seen = answer.went_to(&[first(api), first(api)]);
        let failure = format!("{}=rate_limited", first(api));
        answer.tells(Some(first(api)), 2, &[&failure]);
        let gap = gaps(&seen)[0];
        assert!(gap >= ms(least.saturating_sub(2)), "waited only {gap:?}");
        assert!(gap <= ms(most) + super::SLACK, "waited for {gap:?}");
        assert_eq!(seen[0].json(), seen[1].json(), "both are the same request");
    }
}

async fn waits_no_more(case: Case, name: &str) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let answer = ask(&case, api, name).send().await;
        answer.is(200);
        if name == "again" {
            let gaps = gaps(&answer.went_to(&[first, first, second]));
            assert_takes(gaps[0], ms(300), "the wait");
            assert_at_once(gaps[1], "the next attempt");
            let failure = format!("{first}=rate_limited");
            answer.tells(Some(second), 3, &[&failure, &failure]);
            // Failing again starts a cooldown.
            let answer = ask(&case, api, name).send().await;
            answer.only_at(second);
            answer.tells(Some(second), 1, &[]);
        } else {
            let gaps = gaps(&answer.went_to(&[first, second]));
            assert_at_once(gaps[0], "the next attempt");
            answer.tells(Some(second), 2, &[&format!("{first}=unavailable")]);
        }
    }
}

async fn a_longer_wait(case: Case) {
    let mut begun = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let answer = ask(&case, api, "longer").send().await;
        answer.is(200);
        let seen = answer.went_to(&[first, second]);
        assert_at_once(gaps(&seen)[0], "the next attempt");
        answer.tells(Some(second), 2, &[&format!("{first}=rate_limited")]);
        begun.push(seen[0].0.at);
    }
    // Longer than any first cooldown without such a time.
    for pause in [0, 1500, 500] {
        tokio::time::sleep(ms(pause)).await;
        for (api, begun) in Api::ALL.into_iter().zip(&begun) {
            let answer = ask(&case, api, "longer").send().await;
            if begun.elapsed() < ms(3000) {
                answer.only_at(second(api));
                answer.tells(Some(second(api)), 1, &[]);
            }
        }
    }
    for (api, begun) in Api::ALL.into_iter().zip(&begun) {
        tokio::time::sleep(ms(3100).saturating_sub(begun.elapsed())).await;
        let answer = ask(&case, api, "longer").send().await;
        answer.only_at(first(api));
        answer.tells(Some(first(api)), 1, &[]);
    }
}

/// Without the longer wait, it would take three failures.
async fn a_longer_wait_for_503(case: Case) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let answer = ask(&case, api, "longer-503").send().await;
        answer.is(200).went_to(&[first, second]);
        answer.tells(Some(second), 2, &[&format!("{first}=unavailable")]);
        tokio::time::sleep(ms(1400)).await;
        let answer = ask(&case, api, "longer-503").send().await;
        answer.only_at(second);
    }
}

async fn waits_alone(case: Case) {
    let answer = chat(&case, "waits-alone").send().await;
    answer.is(200);
    let seen = answer.went_to(&["openai", "openai"]);
    assert_takes(gaps(&seen)[0], ms(300), "the wait");
    answer.tells(Some("openai"), 2, &["openai=rate_limited"]);
}

async fn patience(case: Case) {
    for api in Api::ALL {
        let answer = ask(&case, api, "impatient").send().await;
        answer.is(200);
        let gaps = gaps(&answer.went_to(&[first(api), second(api)]));
        assert_at_once(gaps[0], "the next attempt");
    }
}

async fn without_a_time(case: Case) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let answer = ask(&case, api, "no-time").send().await;
        answer.is(200);
        let gaps = gaps(&answer.went_to(&[first, second]));
        assert_at_once(gaps[0], "the next attempt");
        answer.tells(Some(second), 2, &[&format!("{first}=rate_limited")]);
        let answer = ask(&case, api, "no-time").send().await;
        answer.only_at(second);
        answer.tells(Some(second), 1, &[]);
    }
    // One second, and at most a fifth more.
    tokio::time::sleep(ms(1300)).await;
    for api in Api::ALL {
        let answer = ask(&case, api, "no-time").send().await;
        answer.only_at(first(api));
        answer.tells(Some(first(api)), 1, &[]);
    }
}

async fn wanted(case: Case) {
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let answer = ask(&case, api, "wanted").send().await;
        answer.is(200);
        let gaps_of_503 = gaps(&answer.went_to(&[first, first]));
        assert_takes(gaps_of_503[0], ms(300), "the wait");
        let answer = ask(&case, api, "unwanted").send().await;
        answer.is(200);
        assert_at_once(
            gaps(&answer.went_to(&[first, second]))[0],
            "the next attempt",
        );
    }
}

async fn client_leaves(case: Case) {
    for api in Api::ALL {
        let call = ask(&case, api, "leaving");
        let mut wire = case.connect().await;
        let waiting = tokio::time::timeout(ms(250), wire.exchange(&call));
        assert!(waiting.await.is_err(), "it is answered after a wait only");
        drop(wire);
        tokio::time::sleep(ms(600)).await;
        let attempts = case.world.backends.requests(&call.id);
        let backends: Vec<&str> = attempts.iter().map(|(backend, _)| *backend).collect();
        assert_eq!(backends, [first(api)]);
    }
}
