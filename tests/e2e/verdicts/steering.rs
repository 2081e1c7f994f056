//! Trials of what callers may ask for by headers, and of what they are told.

use serde_json::json;

use super::{ask, assert_own, chat, cooldowns::cooling, first, ms, second, with};
use crate::fleet::policy::{VirtualModel, at, fine, model};
use crate::harness::{Answer, Api, Case, Suite};

const NO_FALLBACK: &str = "x-llm-router-no-fallback";
const DEADLINE: &str = "x-llm-router-deadline-ms";
const DRY_RUN: &str = "x-llm-router-dry-run";

pub(super) fn add(suite: &mut Suite) {
    suite.policy("verdicts::no_fallback_for_who_wants_none", no_fallback);
    suite.policy("verdicts::a_dry_run_is_the_decision", dry_run);
    suite.policy(
        "verdicts::a_dry_run_changes_nothing",
        dry_run_changes_nothing,
    );
    suite.policy("verdicts::a_dry_run_goes_the_way_of_errors", dry_run_errors);
    suite.policy("verdicts::steering_has_to_make_sense", has_to_make_sense);
    suite.matrix("verdicts::steering_has_to_be_allowed", has_to_be_allowed);
    suite.policy("verdicts::what_one_provider_has_stays_there", tied);
    suite.policy("verdicts::what_passes_tells_where_it_went", passing);
}

async fn passing(case: Case) {
    let told = |answer: &Answer| {
        let names = ["route", "backend", "model", "attempts", "failures"];
        let told = names.map(|name| answer.header(&format!("x-llm-router-{name}")));
        told.map(|value| value.unwrap_or("-".to_owned())).join(" ")
    };
    let answer = case.get("/v1/passing/openai").send().await;
    assert_eq!(told(&answer), "passing-openai openai - 1 -");
    let answer = case.get("/v1/passing/dead-openai").send().await;
    answer.is_error(Api::OpenAi, 503, "upstream_unreachable");
    let failure = "dead-openai=connect_failure";
    assert_eq!(
        told(&answer),
        format!("passing-dead-openai - - 1 {failure}")
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let mut all = vec![];
    for api in Api::ALL {
        let (first, second) = (first(api), second(api));
        let mut add = |name: &str, targets: &[_]| {
            all.push(VirtualModel::new(&api.model(name), targets));
        };
        add("alone-503", &[at(first, "status-503"), fine(second)]);
        add(
            "alone-429",
            &[
                at(first, "once-status-429-retry-after-ms-300"),
                fine(second),
            ],
        );
        add("alone-hang", &[fine(first), fine(second)]);
    }
    all.extend([
        VirtualModel::new(
            "dry",
            [
                at("openai", "status-429-retry-after-3"),
                fine("claude-two"),
                fine("second"),
            ],
        ),
        VirtualModel::new(
            "unchanged",
            [at("openai", "once-status-429"), fine("second")],
        ),
        VirtualModel::new(
            "tied",
            [at("openai", "status-503"), fine("second"), fine("openai")],
        )
        .stored_at("openai"),
        VirtualModel::new("tied-alone", [at("openai", "status-503"), fine("second")])
            .stored_at("openai"),
    ]);
    all
}

async fn no_fallback(case: Case) {
    for api in Api::ALL {
        for (name, status) in [("alone-503", 503), ("alone-429", 429)] {
            let call = ask(&case, api, name).header(NO_FALLBACK, "true");
            let answer = call.send().await;
            let seen = answer.is(status).went_to(&[first(api)]);
            assert_eq!(seen[0].header(NO_FALLBACK), None);
            answer.tells(Some(first(api)), 1, &[]);
            if status == 503 {
                assert_own(&case, &answer, first(api), &seen[0]).await;
            }
        }
        let call = ask(&case, api, "alone-503").header(NO_FALLBACK, "false");
        call.send()
            .await
            .is(200)
            .went_to(&[first(api), second(api)]);
    }
}

async fn dry_run(case: Case) {
    let name = model(&case, "dry");
    let target = |backend: &str, model: &str, cooling: bool| json!({"backend": backend, "model": model, "cluster": backend, "cooling": cooling});
    let unused = format!("{name}-1");
    let left_out = json!([{"backend": "claude-two", "model": unused, "reason": "schema_mismatch"}]);
    for (stream, is_cooling) in [(false, false), (true, true)] {
        let body = with(&case, "dry", json!({"stream": stream}));
        let call = case
            .post("/v1/chat/completions", body.to_string())
            .header(DRY_RUN, "true");
        let answer = call.send().await;
        answer.is(200).went_nowhere();
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/json")
        );
        let mut targets = vec![
            target("openai", "status-429-retry-after-3", is_cooling),
            target("second", "works", false),
        ];
        if is_cooling {
            targets.reverse();
        }
        let expected = json!({
            "object": "llm_router.decision",
            "request": {"model": name, "stream": stream},
            "route": name,
            "choice": "ordered",
            "plan": targets,
            "left_out": left_out,
        });
        assert_eq!(String::from_utf8_lossy(&answer.body), expected.to_string());
        if !is_cooling {
            let answer = chat(&case, "dry").send().await;
            answer.is(200).went_to(&["openai", "second"]);
        }
    }
}

async fn dry_run_changes_nothing(case: Case) {
    let answer = chat(&case, "unchanged").send().await;
    answer.is(200).went_to(&["openai", "second"]);
    tokio::time::sleep(ms(1300)).await;
    // The target is due for a probe. A dry run does not take the probe's lease; otherwise only the first of these would
    // show it.
    for _ in 0..3 {
        let plan = cooling(&case, "unchanged").await;
        assert_eq!(plan[0], ("openai".to_owned(), false), "{plan:?}");
    }
    chat(&case, "unchanged").send().await.only_at("openai");
}

async fn dry_run_errors(case: Case) {
    for api in Api::ALL {
        let call = case.ask(api, "nowhere").header(DRY_RUN, "true");
        let answer = call.send().await;
        answer.is_error(api, 404, "model_not_found").went_nowhere();
    }
}

async fn has_to_make_sense(case: Case) {
    for api in Api::ALL {
        for (name, values) in [
            (NO_FALLBACK, &["1", "yes", "TRUE", ""][..]),
            (DRY_RUN, &["1", "no", ""]),
            (
                DEADLINE,
                &["0", "-1", "1.5", "1s", "", "99999999999999999999"],
            ),
        ] {
            for value in values {
                let call = ask(&case, api, "alone-503").header(name, *value);
                let answer = call.send().await;
                answer
                    .is_error(api, 400, "invalid_router_header")
                    .went_nowhere();
                let message = answer.json()["error"]["message"].to_string();
                assert!(message.contains(name), "{message}");
            }
        }
    }
}

/// The main Envoy allows no steering.
async fn has_to_be_allowed(case: Case) {
    for value in ["true", "5", "nonsense"] {
        for name in [NO_FALLBACK, DRY_RUN, DEADLINE] {
            let answer = case.chat("fast").header(name, value).send().await;
            let seen = answer.only_at("openai");
            assert_eq!(seen.header(name), None);
        }
    }
    let call = case.chat("openai-status-503-then-next");
    let answer = call.header(NO_FALLBACK, "true").send().await;
    answer.is(200).went_to(&["openai", "azure-east"]);
}

async fn tied(case: Case) {
    let file =
        json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]);
    let ties = [
        json!({"previous_response_id": "resp-1"}),
        json!({"messages": file}),
        json!({"conversation": {"id": "conv-1"}}),
        json!({"container": "container-1"}),
        json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs-1"]}]}),
    ];
    // One request each is enough to see where it goes: more would start cooldowns.
    for (number, tie) in ties.into_iter().enumerate() {
        let body = with(&case, "tied", tie).to_string();
        let dry = case.post("/v1/chat/completions", body.clone());
        let decision = dry.header(DRY_RUN, "true").send().await.is(200).json();
        assert_eq!(decision["plan"].as_array().map(Vec::len), Some(2));
        let left_out = &decision["left_out"][0];
        assert_eq!(
            (&left_out["backend"], &left_out["reason"]),
            (&json!("second"), &json!("tied")),
            "{decision}"
        );
        if number == 0 {
            let answer = case.post("/v1/chat/completions", body).send().await;
            answer.is(200).went_to(&["openai", "openai"]);
            answer.tells(Some("openai"), 2, &["openai=unavailable"]);
        }
    }
    let body = with(&case, "tied-alone", json!({"messages": file}));
    let answer = case
        .post("/v1/chat/completions", body.to_string())
        .send()
        .await;
    answer.is(503).went_to(&["openai"]);
    // A field that is null ties nothing.
    let body = with(&case, "tied-alone", json!({"previous_response_id": null}));
    let answer = case
        .post("/v1/chat/completions", body.to_string())
        .send()
        .await;
    answer.is(200).went_to(&["openai", "second"]);
}
