//! Golden tests of the whole core: from request and document to the decision and to what each attempt would send.
//!
//! Each file in tests/golden has a document and its cases; tests/golden/README.md says how to add one.
//! [`llm_router::played`] plays what Envoy does between the two roles; as in Envoy, an injected key stays for later
//! attempts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use llm_router::attempt::Moment;
use llm_router::config::{Document, Tree};
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Headers};
use llm_router::routing::{AfterHeaders, receive_headers};
use llm_router::schema::Answer;
use llm_router::simulated_envoy::{self, HeaderList, SentRequest};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: Tree,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Request,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "post")]
    method: String,
    #[serde(default = "chat_completions")]
    path: String,
    #[serde(default)]
    headers: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    body: String,
    /// The 64 random bits of a weighted choice.
    #[serde(default)]
    random: u64,
}

fn post() -> String {
    "POST".to_owned()
}

fn chat_completions() -> String {
    "/v1/chat/completions".to_owned()
}

/// What a case expects, and what happened: they must be equal.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    /// An answer of the router itself, as `status code`.
    answer: Option<String>,
    route: Option<String>,
    left_out: Vec<String>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    backend: String,
    path: String,
    host: String,
    /// All headers except pseudo-headers and `content-length`, which the test itself compares with the body.
    #[serde(default)]
    headers: Vec<BTreeMap<String, String>>,
    body: String,
}

#[test]
fn all_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document = Document::compile(&file.document)
            .unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
        // The cases are about what a document says.
        document.telemetry.ask_for_usage = false;
        for case in file.cases {
            let seen = run(&document, &case.request);
            assert!(
                seen == case.expect,
                "{}: {}\nexpected {}\nbut got  {}",
                path.display(),
                case.name,
                serde_json::to_string_pretty(&case.expect).unwrap(),
                serde_json::to_string_pretty(&seen).unwrap(),
            );
        }
    }
}

fn run(document: &Document, request: &Request) -> Expected {
    let mut headers = vec![
        (":authority".to_owned(), b"gateway.example".to_vec()),
        (":path".to_owned(), request.path.clone().into_bytes()),
        (":method".to_owned(), request.method.clone().into_bytes()),
        (
            "content-length".to_owned(),
            request.body.len().to_string().into_bytes(),
        ),
    ];
    for pair in &request.headers {
        let pairs = pair.iter();
        headers.extend(pairs.map(|(name, value)| (name.clone(), value.clone().into_bytes())));
    }
    let moment = Moment {
        now: 0,
        random: request.random,
        health: &NoHealthStore,
    };
    let all = Headers::new(headers.clone());
    let pending = match receive_headers(document, all, Caller::default(), || moment) {
        AfterHeaders::Answer(answer) => return answered(&answer),
        AfterHeaders::PassThrough(passed) => {
            let sent =
                simulated_envoy::pass_through(document, &passed, headers, request.body.as_bytes());
            return Expected {
                route: Some(passed.route),
                attempts: vec![seen(sent.unwrap())],
                ..Expected::default()
            };
        }
        AfterHeaders::AwaitBody(pending) => pending,
    };
    let routed = match pending.route(document, request.body.as_bytes(), moment) {
        Ok(routed) => routed,
        Err(answer) => return answered(&answer),
    };
    // The cluster's credential_injector runs after the backend role, and Envoy keeps what it wrote.
    let mut inject = |headers: &mut HeaderList| {
        headers.push((
            "x-api-key".to_owned(),
            b"a key that must not travel on".to_vec(),
        ));
    };
    let body = request.body.as_bytes();
    let attempts = simulated_envoy::attempts(document, &routed, headers, body, moment, &mut inject);
    let attempts: Vec<Attempt> = attempts.into_iter().map(seen).collect();
    // One attempt for each target, and two more.
    let retries = attempts.len().saturating_add(1);
    assert_eq!(usize::try_from(routed.max_retries).unwrap(), retries);
    Expected {
        answer: None,
        route: Some(routed.route.name.clone()),
        left_out: routed
            .left_out
            .iter()
            .map(|(target, reason)| format!("{} {}", target.backend.name, reason.name()))
            .collect(),
        attempts,
    }
}

fn answered(answer: &Answer) -> Expected {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    // The places of OpenAI, Anthropic, Gemini and Bedrock.
    let places = [
        "/error/code",
        "/error/details/error_code",
        "/error/details/0/reason",
        "/code",
    ];
    let mut codes = places.iter().filter_map(|place| body.pointer(place));
    let code = codes.find_map(|code| code.as_str());
    Expected {
        answer: Some(format!("{} {}", answer.status, code.unwrap_or("-"))),
        ..Expected::default()
    }
}

fn seen(sent: SentRequest) -> Attempt {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let seen = Headers::new(sent.headers);
    assert_eq!(
        seen.text("content-length"),
        Some(sent.body.len().to_string().as_str())
    );
    Attempt {
        backend: sent.backend,
        path: seen.text(":path").unwrap().to_owned(),
        host: seen.text(":authority").unwrap().to_owned(),
        headers: seen
            .iter()
            .filter(|(name, _)| !name.starts_with(':') && *name != "content-length")
            .map(|(name, value)| BTreeMap::from([(name.to_owned(), text(value))]))
            .collect(),
        body: text(&sent.body),
    }
}
