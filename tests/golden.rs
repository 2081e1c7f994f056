//! Golden tests of the whole core: request and document → decision, and what each attempt would send.
//!
//! Each file in tests/golden holds a document and its cases; tests/golden/README.md says how to add one. What Envoy
//! does between the two roles is played here as it was seen to do it: changes of headers persist from attempt to
//! attempt, an injected key too, and each attempt begins with the body that the router role left.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use llm_router::attempt::{
    Adaptation, ChangeKind, CurrentHeaders, Head, HeaderWrite, Moment, Passage, Plan, Step, begin,
};
use llm_router::config::{Document, Tree};
use llm_router::health::NoMemory;
use llm_router::request::Headers;
use llm_router::routing::{Arrival, Passed, Routed, arrive};
use llm_router::schema::Answer;
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

/// What a case expects, and what came out: they must be equal.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    /// An answer of the router's own, as `status code`.
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
    /// All but the pseudo-headers and `content-length`, which the test itself compares with the body.
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
        let document = Document::compile(&file.document)
            .unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
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
    let pending = match arrive(document, Headers::new(headers.clone())) {
        Arrival::Answer(answer) => return answered(&answer),
        Arrival::Pass(passed) => return pass(document, &passed, headers, &request.body),
        Arrival::AwaitBody(pending) => pending,
    };
    let moment = Moment {
        now: 0,
        random: request.random,
        health: &NoMemory,
    };
    let routed = match pending.route(document, request.body.as_bytes(), moment) {
        Ok(routed) => routed,
        Err(answer) => return answered(&answer),
    };
    let body = leave_downstream(&routed, &mut headers, request.body.as_bytes());
    let mut attempts = Vec::new();
    let mut next = Some((routed.cluster.clone(), routed.plan.clone()));
    while let Some((cluster, plan)) = next {
        let mut backends = document.backends.iter();
        let backend = backends.find(|backend| backend.cluster == cluster);
        // The backend role of an aggregate cluster has its name.
        let backend = backend.map_or(&cluster, |backend| &backend.name);
        let plan = Plan::decode(&plan).unwrap();
        let mut adaptation = begin(plan, backend, &Envoy(&headers), || moment).unwrap();
        attempts.push(send(backend, &mut adaptation, &mut headers, &body));
        // The cluster's credential_injector comes after our filter, and Envoy keeps what it wrote.
        headers.push((
            "x-api-key".to_owned(),
            b"a key that must not travel on".to_vec(),
        ));
        // A failure after which the next target comes.
        let head = Head {
            status: 503,
            end_of_stream: true,
            header: &|_| None,
        };
        next = match adaptation.running.on_headers(&head, || moment) {
            Step::Retry(Some(left)) => Some((left.cluster, left.plan)),
            Step::Pass => None,
            step => panic!("{step:?}"),
        };
    }
    // Each target once, and two more attempts.
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

/// The headers as Envoy has them.
struct Envoy<'a>(&'a [(String, Vec<u8>)]);

impl CurrentHeaders for Envoy<'_> {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        self.0.to_vec()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let mut known = self.0.iter();
        known
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    fn is_retry(&self) -> bool {
        false
    }
}

fn answered(answer: &Answer) -> Expected {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    // Of OpenAI, Anthropic, Gemini, Bedrock.
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

/// Both roles' effects on what is no call of a model.
fn pass(
    document: &Document,
    passed: &Passed,
    mut headers: Vec<(String, Vec<u8>)>,
    body: &str,
) -> Expected {
    headers.retain(|(name, _)| !passed.remove_headers.contains(name));
    let mut backends = document.backends.iter();
    let backend = backends
        .find(|backend| backend.cluster == passed.cluster)
        .unwrap();
    let passage = Passage::decode(&passed.passage).unwrap();
    let changes = passage.begin(&backend.name).unwrap();
    write(&mut headers, &changes);
    Expected {
        route: Some(passed.route.clone()),
        attempts: vec![seen(&backend.name, headers, body.as_bytes())],
        ..Expected::default()
    }
}

/// The router role's effects on the request; returns the body.
fn leave_downstream(
    routed: &Routed<'_>,
    headers: &mut Vec<(String, Vec<u8>)>,
    body: &[u8],
) -> Vec<u8> {
    headers.retain(|(name, _)| !routed.remove_headers.contains(name));
    if let Some(name) = routed.cluster_header {
        set(headers, name, routed.cluster.as_bytes());
    }
    let Some(change) = &routed.body else {
        return body.to_vec();
    };
    set(
        headers,
        "content-length",
        change.content_length.unwrap().to_string().as_bytes(),
    );
    [&change.beginning, body.get(change.replaced..).unwrap()].concat()
}

/// The backend role's effects, and what the backend would then see.
fn send(
    backend: &str,
    adaptation: &mut Adaptation,
    headers: &mut Vec<(String, Vec<u8>)>,
    body: &[u8],
) -> Attempt {
    write(headers, &adaptation.headers);
    let mut sent = Vec::new();
    for chunk in body.chunks(7) {
        match adaptation
            .body
            .as_mut()
            .and_then(|edit| edit.chunk(chunk.len()))
        {
            None => sent.extend_from_slice(chunk),
            Some(edit) => {
                sent.extend_from_slice(chunk.get(..edit.keep).unwrap());
                sent.extend_from_slice(edit.insert);
                let rest = edit.keep.checked_add(edit.drop).unwrap();
                sent.extend_from_slice(chunk.get(rest..).unwrap());
            }
        }
    }
    seen(backend, headers.clone(), &sent)
}

fn write(headers: &mut Vec<(String, Vec<u8>)>, how: &HeaderWrite) {
    match how {
        HeaderWrite::Replace(all) => headers.clone_from(all),
        HeaderWrite::Change(changes, gone) => {
            headers.retain(|(name, _)| !gone.contains(&name.as_str()));
            for change in changes {
                match change.kind {
                    ChangeKind::Remove => headers.retain(|(name, _)| *name != change.name),
                    ChangeKind::Set => set(headers, &change.name, &change.value),
                    ChangeKind::Add => headers.push((change.name.clone(), change.value.clone())),
                }
            }
        }
    }
}

/// What a backend sees.
fn seen(backend: &str, headers: Vec<(String, Vec<u8>)>, sent: &[u8]) -> Attempt {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let seen = Headers::new(headers);
    assert_eq!(
        seen.text("content-length"),
        Some(sent.len().to_string().as_str())
    );
    Attempt {
        backend: backend.to_owned(),
        path: seen.text(":path").unwrap().to_owned(),
        host: seen.text(":authority").unwrap().to_owned(),
        headers: seen
            .iter()
            .filter(|(name, _)| !name.starts_with(':') && *name != "content-length")
            .map(|(name, value)| BTreeMap::from([(name.to_owned(), text(value))]))
            .collect(),
        body: text(sent),
    }
}

fn set(headers: &mut Vec<(String, Vec<u8>)>, name: &str, value: &[u8]) {
    let known = headers.iter_mut().find(|(known, _)| known == name);
    match known {
        Some((_, old)) => *old = value.to_vec(),
        None => headers.push((name.to_owned(), value.to_vec())),
    }
}
