//! Trials of credentials: which keys reach which backend.

use llm_router::config::CREDENTIAL_HEADERS;

use crate::fleet::INJECTED;
use crate::harness::{Call, Case, SeenRequest, Suite};

/// The headers with which a client may identify itself.
const HEADERS: [&str; CREDENTIAL_HEADERS.len()] = CREDENTIAL_HEADERS;
const SECRET: &str = "client-secret";

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("credentials::the_clients_stay_here", the_clients_stay_here);
    suite.matrix(
        "credentials::the_clients_stay_here_on_every_attempt",
        the_clients_stay_here_on_every_attempt,
    );
    suite.matrix(
        "credentials::the_clients_go_where_they_may",
        the_clients_go_where_they_may,
    );
    suite.matrix(
        "credentials::forwarded_to_one_are_not_shown_to_the_next",
        forwarded_to_one,
    );
    suite.matrix(
        "credentials::forwarded_to_a_second_target",
        forwarded_to_a_second_target,
    );
    suite.matrix("credentials::injected_ones_arrive", injected_ones_arrive);
    suite.matrix(
        "credentials::injected_ones_end_with_their_attempt",
        injected_ones_end_with_their_attempt,
    );
}

fn with_credentials(case: &Case, model: &str) -> Call {
    let mut call = case.chat(model);
    for name in HEADERS {
        call = call.header(name, format!("{SECRET}-{name}"));
    }
    call.path.push_str(&format!("?beta=true&key={SECRET}"));
    call
}

#[track_caller]
fn assert_none_of_the_clients(seen: &SeenRequest) {
    assert!(
        !seen.has_anywhere(SECRET),
        "the client's credentials reached a backend: {:?}",
        seen.0
    );
    assert!(
        seen.0.path.contains("beta=true"),
        "more than the key is gone: {}",
        seen.0.path
    );
}

#[track_caller]
fn assert_all_of_the_clients(seen: &SeenRequest) {
    for name in HEADERS {
        assert_eq!(
            seen.header(name),
            Some(format!("{SECRET}-{name}")),
            "{name}"
        );
    }
    assert!(
        seen.0.path.contains(&format!("key={SECRET}")),
        "{}",
        seen.0.path
    );
}

async fn the_clients_stay_here(case: Case) {
    let seen = with_credentials(&case, "fast")
        .send()
        .await
        .only_at("openai");
    assert_none_of_the_clients(&seen);
    for name in HEADERS {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

async fn the_clients_stay_here_on_every_attempt(case: Case) {
    for failure in ["status-500", "reset", "dead"] {
        let answer = with_credentials(&case, &format!("openai-{failure}-then-next"))
            .send()
            .await;
        answer.is(200);
        let attempts = answer.attempts();
        assert_eq!(attempts.len(), if failure == "dead" { 1 } else { 2 });
        for (_, seen) in &attempts {
            assert_none_of_the_clients(seen);
        }
    }
}

async fn the_clients_go_where_they_may(case: Case) {
    assert_all_of_the_clients(
        &with_credentials(&case, "at-byok")
            .send()
            .await
            .only_at("byok"),
    );
}

async fn forwarded_to_one(case: Case) {
    let answer = with_credentials(&case, "byok-fails").send().await;
    let seen = answer.is(200).went_to(&["byok", "openai"]);
    assert_all_of_the_clients(&seen[0]);
    assert_none_of_the_clients(&seen[1]);
}

async fn forwarded_to_a_second_target(case: Case) {
    let answer = with_credentials(&case, "byok-is-next").send().await;
    let seen = answer.is(200).went_to(&["openai", "byok"]);
    assert_none_of_the_clients(&seen[0]);
    assert_all_of_the_clients(&seen[1]);
    // In place of a key that another attempt was given.
    let answer = with_credentials(&case, "keyed-fails-byok").send().await;
    let seen = answer.is(200).went_to(&["keyed", "byok"]);
    assert_none_of_the_clients(&seen[0]);
    assert_all_of_the_clients(&seen[1]);
    assert!(!seen[1].has_anywhere("key-of-"), "{:?}", seen[1].0);
    // If the client has no credentials, the backend gets none.
    let answer = case.chat("keyed-fails-byok").send().await;
    assert_eq!(
        answer.is(200).went_to(&["keyed", "byok"])[1].header("authorization"),
        None
    );
}

async fn injected_ones_arrive(case: Case) {
    for (backend, header, value) in INJECTED {
        let seen = with_credentials(&case, &format!("at-{backend}"))
            .send()
            .await
            .only_at(backend);
        assert_eq!(seen.header(header).as_deref(), Some(value));
        assert_none_of_the_clients(&seen);
    }
}

async fn injected_ones_end_with_their_attempt(case: Case) {
    let [
        (first, first_header, first_key),
        (second, second_header, second_key),
        (third, third_header, third_key),
    ] = INJECTED;
    let answer = with_credentials(&case, "keyed-fails").send().await;
    let seen = answer.is(200).went_to(&[first, second]);
    assert_eq!(seen[0].header(first_header).as_deref(), Some(first_key));
    assert_eq!(seen[1].header(second_header).as_deref(), Some(second_key));
    assert_eq!(
        seen[1].header(first_header),
        None,
        "the first key reached the second backend"
    );

    let answer = with_credentials(&case, "keyed-other-fails").send().await;
    let seen = answer.is(200).went_to(&[second, first]);
    assert_eq!(seen[1].header(first_header).as_deref(), Some(first_key));
    assert_eq!(
        seen[1].header(second_header),
        None,
        "the first key reached the second backend"
    );

    let answer = with_credentials(&case, "keyed-fails-openai").send().await;
    let seen = answer.is(200).went_to(&["keyed", "openai"]);
    assert!(
        !seen[1].has_anywhere("key-of-"),
        "a backend without a key got another's: {:?}",
        seen[1].0
    );
    assert_none_of_the_clients(&seen[1]);

    // The header's name gives no clue, and the filter does not know it.
    let mut call = with_credentials(&case, "keyed-oddly-fails");
    call = call.header(third_header, "the client's own".to_owned());
    let answer = call.send().await;
    let seen = answer.is(200).went_to(&[third, "second"]);
    assert_eq!(seen[0].header(third_header).as_deref(), Some(third_key));
    assert_eq!(
        seen[1].header(third_header).as_deref(),
        Some("the client's own")
    );
    let answer = case.chat("keyed-oddly-fails").send().await;
    let seen = answer.is(200).went_to(&[third, "second"]);
    assert_eq!(seen[1].header(third_header), None);
}
