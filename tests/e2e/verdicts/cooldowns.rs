//! Trials of targets in cooldown, which all workers avoid for a while.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{chat, ms, on_its_own, own_answer};
use crate::fleet::policy::{self, SWITCHED, VirtualModel, at, fine};
use crate::harness::{Answer, Api, Case, Suite};

/// The shortest and the longest first cooldown: one second, less or more up to a fifth.
const SHORTEST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_millis(1200);

pub(super) fn add(suite: &mut Suite) {
    suite.policy("verdicts::three_failures_are_a_cooldown", three_failures);
    suite.policy(
        "verdicts::failures_without_an_answer_are_counted",
        without_an_answer,
    );
    suite.policy(
        "verdicts::silence_until_the_routes_deadline_is_counted",
        until_the_deadline,
    );
    suite.policy(
        "verdicts::a_cooldown_ends_with_one_probe",
        ends_with_one_probe,
    );
    suite.policy("verdicts::each_cooldown_is_longer", each_is_longer);
    suite.policy("verdicts::failures_at_a_time_are_one_cooldown", at_a_time);
    suite.policy(
        "verdicts::the_one_due_soonest_if_all_cool_down",
        due_soonest,
    );
    suite.policy("verdicts::an_only_target_is_always_tried", only_target);
    suite.policy(
        "verdicts::clients_that_leave_are_no_failures",
        clients_that_leave,
    );
    suite.policy(
        "verdicts::the_last_targets_failure_is_remembered",
        the_last_one,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let growing = json!({"on_failure": {"unavailable": {"action": "next", "cooldown": "open"}}});
    vec![
        VirtualModel::new("counted", [at("openai", "status-503"), fine("azure-east")]),
        // Another route with the same target.
        VirtualModel::new(
            "counted-too",
            [at("openai", "").same_as_of("counted"), fine("azure-east")],
        ),
        VirtualModel::new("unanswered", [at("openai", "hang"), fine("azure-east")])
            .fallback(json!({"attempt_timeout_ms": 200})),
        VirtualModel::new(
            "until-the-deadline",
            [at("openai", "hang"), fine("azure-east")],
        )
        .fallback(json!({"deadline_ms": 400})),
        VirtualModel::new("hurried", [at("openai", "hang"), fine("azure-east")]),
        VirtualModel::new("dead-again", [fine("dead-openai"), fine("azure-east")]),
        VirtualModel::new("probed", [fine(SWITCHED), fine("azure-east")]),
        VirtualModel::new("growing", [at("openai", "status-503"), fine("azure-east")])
            .fallback(growing),
        VirtualModel::new(
            "all-cooling",
            [
                at("openai", "once-status-429-retry-after-5"),
                at("azure-east", "once-status-429-retry-after-3"),
                at("bare", "once-status-429-retry-after-4"),
            ],
        ),
        VirtualModel::new("burst", [at("openai", "status-503"), fine("azure-east")]),
        VirtualModel::new("only", [at("openai", "status-429-retry-after-5")]),
        VirtualModel::new("left", [at("openai", "hang"), fine("azure-east")]),
        VirtualModel::new(
            "last",
            [at("openai", "status-503"), at("azure-east", "reset")],
        ),
    ]
}

/// Returns whether each target of the virtual model is in cooldown now, in the order of the plan.
pub(super) async fn cooling(case: &Case, name: &str) -> Vec<(String, bool)> {
    let answer = chat(case, name)
        .header("x-llm-router-dry-run", "true")
        .send()
        .await;
    let body = answer.is(200).json();
    let plan = body["plan"].as_array().expect("a plan");
    plan.iter()
        .map(|target| {
            let backend = target["backend"].as_str().expect("a backend");
            (backend.to_owned(), target["cooling"] == true)
        })
        .collect()
}

/// Makes as many requests as fit into a cooldown that began at `since` at the latest, each on a connection of its own.
/// None may go to the target in cooldown.
async fn assert_left_alone(case: &Case, name: &str, since: Instant) {
    for number in 0..8 {
        let answer = on_its_own(chat(case, name), case).await;
        // A machine too busy for more than two requests in that time proves nothing.
        if number > 1 && since.elapsed() > SHORTEST {
            break;
        }
        answer.only_at("azure-east");
        answer.tells(Some("azure-east"), 1, &[]);
    }
}

async fn three_failures(case: Case) {
    let mut last = Instant::now();
    for _ in 0..3 {
        let answer = on_its_own(chat(&case, "counted"), &case).await;
        answer.is(200);
        last = answer.went_to(&["openai", "azure-east"])[1].0.at;
        answer.tells(Some("azure-east"), 2, &["openai=unavailable"]);
    }
    let answer = on_its_own(chat(&case, "counted-too"), &case).await;
    answer.only_at("azure-east");
    assert_left_alone(&case, "counted", last).await;
}

async fn without_an_answer(case: Case) {
    let mut last = Instant::now();
    for _ in 0..3 {
        let answer = on_its_own(chat(&case, "unanswered"), &case).await;
        answer.is(200);
        last = answer.went_to(&["openai", "azure-east"])[1].0.at;
        answer.tells(Some("azure-east"), 2, &["openai=no_answer"]);
    }
    assert_left_alone(&case, "unanswered", last).await;
    // Each request tries the target twice.
    for _ in 0..2 {
        let answer = on_its_own(chat(&case, "dead-again"), &case).await;
        answer.is(200);
        last = answer.went_to(&["azure-east"])[0].0.at;
    }
    assert_left_alone(&case, "dead-again", last).await;
}

async fn until_the_deadline(case: Case) {
    for _ in 0..3 {
        let answer = on_its_own(chat(&case, "until-the-deadline"), &case).await;
        answer.is_error(Api::OpenAi, 504, "deadline_exceeded");
    }
    assert_left_alone(&case, "until-the-deadline", Instant::now()).await;
    // An impatient caller says nothing about the target.
    for _ in 0..3 {
        let call = chat(&case, "hurried").header("x-llm-router-deadline-ms", "300");
        let answer = on_its_own(call, &case).await;
        answer.is_error(Api::OpenAi, 504, "deadline_exceeded");
    }
    let cooling = cooling(&case, "hurried").await;
    assert_eq!(cooling[0], ("openai".to_owned(), false));
}

async fn ends_with_one_probe(case: Case) {
    let backend = policy::switched(case.envoy.workers, case.protocol);
    let switch = case.world.backends.switch(backend);
    let set = |fault: Option<&str>| switch.set(fault).expect("a fault");
    let one = || async { on_its_own(chat(&case, "probed"), &case).await };
    // A success in between makes the router forget the failures before it.
    for fault in [503, 503, 200, 503, 503, 200] {
        let name = format!("status-{fault}");
        set((fault != 200).then_some(name.as_str()));
        let answer = one().await;
        answer.is(200);
        if fault == 200 {
            answer.went_to(&[backend]);
        } else {
            answer.went_to(&[backend, "azure-east"]);
        }
    }
    set(Some("status-503"));
    for _ in 0..3 {
        one().await.went_to(&[backend, "azure-east"]);
    }
    assert_left_alone(&case, "probed", Instant::now()).await;

    // While one request probes the target, the others still avoid it.
    tokio::time::sleep(LONGEST + ms(100)).await;
    set(Some("slow-headers-600"));
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let case = case.clone();
        requests.spawn(async move { on_its_own(chat(&case, "probed"), &case).await });
    }
    let answers: Vec<Answer> = requests.join_all().await;
    let mut probes = 0;
    for answer in &answers {
        let (backends, _): (Vec<_>, Vec<_>) = answer.is(200).attempts().into_iter().unzip();
        if backends == [backend] {
            probes += 1;
            answer.tells(Some(&format!("switched-{}", case.protocol)), 1, &[]);
        } else {
            assert_eq!(backends, ["azure-east"], "{}", answer.describe());
            answer.tells(Some("azure-east"), 1, &[]);
        }
    }
    assert_eq!(probes, 1, "requests that probe");
    set(None);
    // The target is healthy again for all workers.
    for _ in 0..4 {
        one().await.only_at(backend);
    }
}

async fn each_is_longer(case: Case) {
    let fails = async || {
        let answer = chat(&case, "growing").send().await;
        answer.is(200).went_to(&["openai", "azure-east"]);
        Instant::now()
    };
    fails().await;
    tokio::time::sleep(LONGEST + ms(100)).await;
    let second = fails().await;
    tokio::time::sleep(LONGEST + ms(100)).await;
    // Twice as long as the first one, less at most a fifth.
    if second.elapsed() < SHORTEST * 2 {
        chat(&case, "growing").send().await.only_at("azure-east");
    }
    tokio::time::sleep((LONGEST * 2 + ms(100)).saturating_sub(second.elapsed())).await;
    fails().await;
}

/// Otherwise, many concurrent failures would keep a target in cooldown for minutes.
async fn at_a_time(case: Case) {
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let case = case.clone();
        requests.spawn(async move { on_its_own(chat(&case, "burst"), &case).await });
    }
    for answer in requests.join_all().await {
        answer.is(200);
    }
    tokio::time::sleep(LONGEST + ms(100)).await;
    let plan = cooling(&case, "burst").await;
    assert_eq!(plan[0], ("openai".to_owned(), false), "{plan:?}");
    let answer = chat(&case, "burst").send().await;
    answer.is(200).went_to(&["openai", "azure-east"]);
}

async fn due_soonest(case: Case) {
    let answer = chat(&case, "all-cooling").send().await;
    answer.is(429).went_to(&["openai", "azure-east", "bare"]);
    let expected = [("azure-east", true), ("openai", true), ("bare", true)];
    let expected = expected.map(|(backend, cooling)| (backend.to_owned(), cooling));
    assert_eq!(cooling(&case, "all-cooling").await, expected);
    let answer = chat(&case, "all-cooling").send().await;
    answer.only_at("azure-east");
    // It works, so it harms nobody that the others are still avoided.
    let answer = chat(&case, "all-cooling").send().await;
    answer.only_at("azure-east");
    assert_eq!(
        cooling(&case, "all-cooling").await[0],
        ("azure-east".to_owned(), false)
    );
}

async fn only_target(case: Case) {
    for _ in 0..2 {
        let answer = chat(&case, "only").send().await;
        let seen = answer.is(429).went_to(&["openai"]);
        let (_, body) = own_answer(&case, "openai", &seen[0]).await;
        assert_eq!(answer.body, body, "{}", answer.describe());
        assert_eq!(answer.header("retry-after").as_deref(), Some("5"));
        answer.tells(Some("openai"), 1, &[]);
    }
}

async fn clients_that_leave(case: Case) {
    for _ in 0..4 {
        let call = chat(&case, "left");
        let mut wire = case.connect().await;
        let waiting = tokio::time::timeout(ms(150), wire.exchange(&call));
        assert!(waiting.await.is_err(), "nobody answers this");
        drop(wire);
    }
    tokio::time::sleep(ms(200)).await;
    let expected = [("openai", false), ("azure-east", false)];
    let expected = expected.map(|(backend, cooling)| (backend.to_owned(), cooling));
    assert_eq!(cooling(&case, "left").await, expected);
}

async fn the_last_one(case: Case) {
    let answer = chat(&case, "last").send().await;
    answer
        .is_error(Api::OpenAi, 503, "upstream_reset")
        .went_to(&["openai", "azure-east", "azure-east"]);
    let failures = ["openai=unavailable", "azure-east=reset", "azure-east=reset"];
    answer.tells(None, 3, &failures);
    // Its third failure is the second request's first one; after that, all targets are in cooldown.
    let answer = chat(&case, "last").send().await;
    answer
        .is_error(Api::OpenAi, 503, "upstream_reset")
        .tells(None, 3, &failures);
    let after = cooling(&case, "last").await;
    assert!(
        after.contains(&("azure-east".to_owned(), true)),
        "{after:?}"
    );
}
