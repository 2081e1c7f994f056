//! Trials of sticky choices: the same at every worker of every Envoy, and the same as the core makes natively.

use std::collections::BTreeMap;

use llm_router::attempt::Moment;
use llm_router::config::{Document, Tree};
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Headers};
use llm_router::routing::{AfterHeaders, receive_headers};
use serde_json::{Value, json};

use crate::fleet::document;
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("routing::sticky_by_a_header", sticky_by_a_header);
    suite.matrix(
        "routing::a_conversation_stays_on_its_target",
        a_conversation_stays_on_its_target,
    );
    suite.matrix("routing::percent_of_the_keys", percent_of_the_keys);
    suite.matrix("routing::percent_of_what_passes", percent_of_what_passes);
    suite.matrix("routing::groups_in_order", groups_in_order);
}

/// The core in this process, to compare with.
struct NativeRouter(Document);

impl NativeRouter {
    fn new() -> Self {
        let tree: Tree = serde_json::from_value(document::main()).expect("a document");
        Self(Document::compile(&tree).expect("it is valid"))
    }

    /// Returns the cluster of the first attempt. A random draw would use `random`.
    fn cluster(&self, path: &str, session: &str, body: &Value, random: u64) -> String {
        let body = body.to_string();
        let length = body.len().to_string();
        let headers = [
            (":method", "POST"),
            (":path", path),
            ("content-type", "application/json"),
            ("content-length", &length),
            ("x-session", session),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let moment = Moment {
            now: 0,
            random,
            health: &NoHealthStore,
        };
        let headers = Headers::new(headers.to_vec());
        match receive_headers(&self.0, headers, Caller::default(), || moment) {
            AfterHeaders::AwaitBody(pending) => {
                let routed = pending.route(&self.0, body.as_bytes(), moment);
                routed.expect("it is routed").cluster
            }
            AfterHeaders::PassThrough(passed) => passed.cluster,
            AfterHeaders::Answer(answer) => panic!("it is answered with {}", answer.status),
        }
    }
}

/// Returns the backend that answers.
async fn backend(case: &Case, path: &str, session: &str, body: &Value) -> String {
    let call = case
        .post(path, body.to_string())
        .header("x-session", session);
    let answer = call.send().await;
    let name = answer.is(200).json()["demo"]["backend"].clone();
    name.as_str().unwrap_or_default().to_owned()
}

const CHAT: &str = "/v1/chat/completions";

fn ask(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
}

async fn sticky_by_a_header(case: Case) {
    let core = NativeRouter::new();
    let mut seen = BTreeMap::<String, usize>::new();
    for key in 0..60_u64 {
        let session = format!("session-{key}");
        let body = ask("sticky");
        let expected = core.cluster(CHAT, &session, &body, key);
        assert_eq!(core.cluster(CHAT, &session, &body, !key), expected);
        assert_eq!(backend(&case, CHAT, &session, &body).await, expected);
        *seen.entry(expected).or_default() += 1;
    }
    // One for each weight.
    assert!(
        seen.len() == 4 && seen.values().all(|count| *count > 5),
        "{seen:?}"
    );
}

/// Each turn contains the conversation so far, and uses any connection.
async fn a_conversation_stays_on_its_target(case: Case) {
    let core = NativeRouter::new();
    let mut seen = Vec::new();
    for conversation in 0..12 {
        let mut messages = vec![
            json!({"role": "system", "content": "You are brief."}),
            json!({"role": "user", "content": format!("What is {conversation} and one?")}),
        ];
        let mut at = Vec::new();
        for turn in 0..4 {
            let body = json!({"model": "sticky", "messages": messages, "temperature": turn});
            // An empty header is not a key.
            let answered = backend(&case, CHAT, "", &body).await;
            assert_eq!(core.cluster(CHAT, "", &body, 0), answered);
            at.push(answered);
            messages.push(json!({"role": "assistant", "content": format!("Answer {turn}.")}));
            messages.push(
                json!({"role": "user", "content": [{"type": "text", "text": "And one more?"}]}),
            );
        }
        at.dedup();
        assert_eq!(at.len(), 1, "conversation {conversation} was at {at:?}");
        seen.extend(at);
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 1, "all conversations were at {seen:?}");
}

async fn percent_of_the_keys(case: Case) {
    let core = NativeRouter::new();
    let mut taken = 0;
    for key in 0..100_u64 {
        let session = format!("session-{key}");
        let body = ask("split");
        let expected = core.cluster(CHAT, &session, &body, key);
        assert_eq!(backend(&case, CHAT, &session, &body).await, expected);
        taken += u32::from(expected == "second");
    }
    // The mean is 30, the standard deviation 4.6.
    assert!((17..=43).contains(&taken), "{taken}");
}

/// By a header, without reading the body.
async fn percent_of_what_passes(case: Case) {
    let core = NativeRouter::new();
    let mut seen = BTreeMap::<String, usize>::new();
    for key in 0..20_u64 {
        let session = format!("session-{key}");
        let path = "/v1/split/echo";
        let expected = core.cluster(path, &session, &json!({}), key);
        let call = case
            .post(path, "{}")
            .header("x-session", session.as_bytes().to_vec());
        call.send().await.went_to(&[&expected]);
        *seen.entry(expected).or_default() += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

/// Both targets of the first group cannot be reached; the order of the next group depends on the key.
async fn groups_in_order(case: Case) {
    let mut seen = BTreeMap::<String, usize>::new();
    for key in 0..20 {
        let session = format!("session-{key}");
        let body = ask("grouped");
        let first = backend(&case, CHAT, &session, &body).await;
        assert_eq!(backend(&case, CHAT, &session, &body).await, first);
        *seen.entry(first).or_default() += 1;
    }
    let names: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, ["bare", "openai"], "{seen:?}");
}
