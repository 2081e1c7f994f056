//! Trials of what a backend sees of a request: its body, its path, its headers.

mod body;
mod credentials;
mod parameters;

use crate::fleet::document::DEPLOYMENT;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("rewriting::path_prefixes", path_prefixes);
    suite.matrix("rewriting::path_templates", path_templates);
    suite.matrix("rewriting::the_query_is_kept", the_query_is_kept);
    suite.matrix("rewriting::the_host", the_host);
    suite.matrix(
        "rewriting::headers_set_and_removed",
        headers_set_and_removed,
    );
    suite.matrix(
        "rewriting::headers_of_one_attempt_end_with_it",
        headers_of_one_attempt_end_with_it,
    );
    body::add(suite);
    credentials::add(suite);
    parameters::add(suite);
}

async fn path_prefixes(case: Case) {
    for (model, backend, path) in [
        ("at-second", "second", "/api/openai/v1/chat/completions"),
        ("at-bare", "bare", "/chat/completions"),
        ("at-keyed", "keyed", "/v1/chat/completions"),
    ] {
        assert_eq!(case.chat(model).send().await.only_at(backend).0.path, path);
    }
}

async fn path_templates(case: Case) {
    let seen = case.chat("at-azure").send().await.only_at("azure-east");
    assert_eq!(
        seen.0.path,
        "/openai/deployments/my%20deployment%2F%C3%BC%3F/chat/completions?api-version=2024-10-21"
    );
    assert_eq!(seen.model(), DEPLOYMENT);
}

async fn the_query_is_kept(case: Case) {
    for (sent, kept) in [
        ("?beta=true", "?beta=true"),
        (
            "?beta=true&x=%2F+a&empty=&bare",
            "?beta=true&x=%2F+a&empty=&bare",
        ),
        ("?key=client-secret", ""),
        ("?key=client-secret&beta=true", "?beta=true"),
        ("?beta=true&key=client-secret", "?beta=true"),
        ("?a=1&key=client-secret&b=2&key=client-secret", "?a=1&b=2"),
        // Spelled differently, but still the parameter `key` to a server that decodes it.
        ("?%6Bey=client-secret&b=2", "?b=2"),
        (
            "?monkey=1&keys=2&Key=3&api-key=4&access_token=5",
            "?monkey=1&keys=2",
        ),
    ] {
        let mut call = case.chat("fast");
        call.path = format!("/v1/chat/completions{sent}");
        assert_eq!(
            call.send().await.only_at("openai").0.path,
            format!("/v1/chat/completions{kept}")
        );
    }
    let mut call = case.chat("openai-status-500-then-next");
    call.path = "/v1/chat/completions?beta=true&key=client-secret".to_owned();
    let answer = call.send().await;
    let seen = answer.is(200).went_to(&["openai", "azure-east"]).remove(1);
    let (path, query) = seen
        .0
        .path
        .split_once('?')
        .expect("the template has a query");
    assert_eq!(
        path,
        "/openai/deployments/my%20deployment%2F%C3%BC%3F/chat/completions"
    );
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    assert_eq!(parameters, ["api-version=2024-10-21", "beta=true"]);
}

async fn the_host(case: Case) {
    let seen = case.chat("fast").send().await.only_at("openai");
    assert_eq!(seen.0.authority, "api.openai.test");
    assert!(
        seen.header("host")
            .is_none_or(|host| host == "api.openai.test")
    );
    // A backend without a `host` receives the client's, also after one that has its own.
    let client = case.envoy.address.to_string();
    assert_eq!(
        case.chat("at-bare")
            .send()
            .await
            .only_at("bare")
            .0
            .authority,
        client
    );
    let answer = case.chat("second-is-next").send().await;
    assert_eq!(
        answer.is(200).went_to(&["openai", "second"])[1].0.authority,
        client
    );
}

async fn headers_set_and_removed(case: Case) {
    let call = case
        .chat("at-second")
        .header("x-wanted", "1")
        .header("x-shared", "client")
        .header("x-other", "kept");
    let seen = call.send().await.only_at("second");
    assert_eq!(seen.header("x-second").as_deref(), Some("yes"));
    assert_eq!(seen.header("x-shared").as_deref(), Some("second"));
    assert_eq!(seen.header("x-wanted"), None);
    assert_eq!(seen.header("x-other").as_deref(), Some("kept"));
}

async fn headers_of_one_attempt_end_with_it(case: Case) {
    let with_headers = |model| {
        let call = case
            .chat(model)
            .header("x-wanted", "1")
            .header("x-wanted", "2");
        call.header("x-shared", "client")
            .header("x-second", "client")
            .header("x-odd", b"\xfc\xff".as_slice())
    };
    let answer = with_headers("second-fails").send().await;
    let seen = answer.is(200).went_to(&["second", "openai"]);
    assert_eq!(seen[0].header("x-second").as_deref(), Some("yes"));
    assert_eq!(seen[0].header("x-wanted"), None);
    // The next backend gets what the client sent: nothing that was set for the first one, and nothing less.
    assert_eq!(seen[1].values("x-second"), [b"client"]);
    assert_eq!(seen[1].values("x-shared"), [b"client"]);
    assert_eq!(seen[1].values("x-wanted"), [b"1", b"2"]);
    assert_eq!(seen[1].values("x-odd"), [b"\xfc\xff"]);
    // If the client does not send headers of these names, there are none.
    let answer = case.chat("second-fails").send().await;
    let seen = answer.is(200).went_to(&["second", "openai"]);
    assert_eq!(seen[1].header("x-second"), None);
    assert_eq!(seen[1].header("x-shared"), None);
    assert_eq!(seen[1].header("x-wanted"), None);
    // The other way round: the first backend sees nothing of what the second sets and removes.
    let answer = with_headers("second-is-next").send().await;
    let seen = answer.is(200).went_to(&["openai", "second"]);
    assert_eq!(seen[0].values("x-wanted"), [b"1", b"2"]);
    assert_eq!(seen[0].values("x-second"), [b"client"]);
    assert_eq!(seen[1].header("x-second").as_deref(), Some("yes"));
    assert_eq!(seen[1].header("x-wanted"), None);
}
