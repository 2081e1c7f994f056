//! Plays one request through both roles, as Envoy would, and asserts the expected results.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

use super::host::Headers;
use super::module::{Callback, Module};

/// The request to play, and the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The number of routes in the document.
    pub(crate) routes: usize,
    /// The name of the body that is sent.
    pub(crate) body: &'static str,
    /// The model that the client asks for.
    pub(crate) model: &'static str,
    /// The attempts: the backend, the model that it must be asked for, and the status of its answer.
    pub(crate) attempts: &'static [(&'static str, &'static str, u16)],
    /// The route `smart`: its targets, and its strategy.
    pub(crate) smart: &'static str,
    /// The document's `defaults`.
    pub(crate) defaults: &'static str,
}

impl Scenario {
    /// Whether the route has several targets.
    pub(crate) fn has_fallback(&self) -> bool {
        self.model == "smart"
    }

    fn asks_for_usage(&self) -> bool {
        !self.defaults.contains(r#""ask_for_usage": false"#)
    }
}

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
const ATTEMPTS: [&str; 2] = ["attempt_1", "attempt_2"];
const CHUNK: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n";
const CHUNKS: [&[u8]; 3] = [CHUNK, CHUNK, b"data: [DONE]\n\n"];

/// Plays the scenario and returns what it cost.
pub(crate) fn play(scenario: &Scenario) -> (Vec<Callback>, String) {
    let mut module = Module::new();
    let router = module.configure("llm_router", &document(scenario));
    let roots: Vec<(&str, u32)> = ["openai", "local"]
        .into_iter()
        .map(|name| {
            let configuration = format!(r#"{{"backend":"{name}"}}"#);
            (name, module.configure("llm_backend", &configuration))
        })
        .collect();
    // The first request of a VM fills its tables, so only the second one is measured.
    exchange(&mut module, scenario, router, &roots);
    module.callbacks.clear();
    exchange(&mut module, scenario, router, &roots);
    let list = format!("{}:\n{}", scenario.name, module.list());
    (module.callbacks, list)
}

fn exchange(module: &mut Module, scenario: &Scenario, router: u32, roots: &[(&str, u32)]) {
    let body = body(scenario.body, scenario.model);
    *module.host() = super::host::Host {
        request: request_headers(body.len()),
        request_body: body.clone(),
        ..Default::default()
    };
    let stream = module.create_for("router", router);
    let action = headers(module, "router", "proxy_on_request_headers", stream);
    assert_eq!(action, PAUSE, "the router role waits for the body");
    let size = length(body.len());
    let action = module.call("router", "proxy_on_request_body", &[stream, size, 1]);
    assert_eq!(action, CONTINUE, "the router role lets the request go");
    let first = scenario
        .attempts
        .first()
        .map(|(backend, ..)| backend.as_bytes());
    assert_eq!(
        module.host().selected.as_deref(),
        first,
        "the first cluster"
    );

    let left_by_router = module.host().request_body.clone();
    for (index, (attempt, role)) in scenario.attempts.iter().zip(ATTEMPTS).enumerate() {
        let (backend, model, status) = *attempt;
        let next = module.host().state.get("llm.next").cloned();
        assert_eq!(
            next.as_deref(),
            Some(backend.as_bytes()),
            "the cluster of {role}"
        );
        let (_, root) = roots.iter().find(|(name, _)| *name == backend).unwrap();
        let context = module.create_for(role, *root);
        let count = i64::try_from(index + 1).unwrap().to_le_bytes().to_vec();
        let count = ("upstream.request_attempt_count".to_owned(), count);
        module.host().properties.extend([count]);
        let action = headers(module, role, "proxy_on_request_headers", context);
        assert_eq!(action, CONTINUE, "{role}");
        module.host().request_body.clone_from(&left_by_router);
        let size = length(left_by_router.len());
        module.call(role, "proxy_on_request_body", &[context, size, 1]);
        check_sent(module, scenario, backend, model, &body);
        // The cluster's own filter adds a key, which Envoy keeps for later attempts.
        let key = ("x-api-key".to_owned(), b"secret".to_vec());
        module.host().request.push(key);

        module.host().response = response_headers(status);
        let action = headers(module, role, "proxy_on_response_headers", context);
        // If another target is left, nothing is sent to the client before the first token.
        let holds = scenario.has_fallback() && status == 200;
        assert_eq!(action, if holds { PAUSE } else { CONTINUE }, "{role}");
        let asks = module
            .host()
            .response
            .iter()
            .any(|(name, _)| name == "x-llm-router-retry");
        assert_eq!(
            asks,
            status == 503 && index == 0,
            "{role} asks for the next one"
        );
        if !asks {
            answer(module, role, context, stream, holds);
        }
        end(module, role, context);
    }
    module.call("router", "proxy_on_log", &[stream]);
    end(module, "router", stream);
    assert_eq!(module.host().local_response, None);
    assert!(module.host().logs.is_empty(), "{:#?}", module.host().logs);
}

/// Plays the answer's way back through both roles.
fn answer(module: &mut Module, role: &'static str, attempt: u32, stream: u32, held: bool) {
    let details = ("response.code_details".to_owned(), b"via_upstream".to_vec());
    module.host().properties.extend([details]);
    let router_headers = |module: &mut Module| {
        let action = headers(module, "router", "proxy_on_response_headers", stream);
        assert_eq!(action, CONTINUE, "the answer passes");
    };
    if !held {
        router_headers(module);
    }
    let last = CHUNKS.len() - 1;
    for (index, chunk) in CHUNKS.into_iter().enumerate() {
        module.host().response_body = chunk.to_vec();
        let size = length(chunk.len());
        let end = u32::from(index == last);
        let action = module.call(role, "proxy_on_response_body", &[attempt, size, end]);
        assert_eq!(action, CONTINUE, "{role}: the answer passes");
        if held && index == 0 {
            router_headers(module);
        }
        let action = module.call("router", "proxy_on_response_body", &[stream, size, end]);
        assert_eq!(action, CONTINUE, "the answer passes");
        assert_eq!(module.host().response_body, chunk);
    }
}

fn end(module: &mut Module, role: &'static str, context: u32) {
    assert_eq!(module.call(role, "proxy_on_done", &[context]), 1);
    module.call(role, "proxy_on_delete", &[context]);
}

fn headers(module: &mut Module, role: &'static str, callback: &'static str, context: u32) -> u32 {
    let map = if callback == "proxy_on_request_headers" {
        &module.host().request
    } else {
        &module.host().response
    };
    let count = length(map.len());
    module.call(role, callback, &[context, count, 0])
}

/// Checks what the backend receives: its own name, path and model, the client's bytes, and no key of the client or of
/// another backend.
fn check_sent(
    module: &mut Module,
    scenario: &Scenario,
    backend: &str,
    model: &str,
    original: &[u8],
) {
    let sent = module.host().request_body.clone();
    let mut expected: serde_json::Value = serde_json::from_slice(original).unwrap();
    expected["model"] = model.into();
    if expected["stream"] == true && scenario.asks_for_usage() {
        // The router asks for the usage.
        expected["stream_options"]["include_usage"] = true.into();
    }
    let got: serde_json::Value = serde_json::from_slice(&sent).unwrap();
    assert!(got == expected, "{backend}: the body is not as it must be");
    let headers = &module.host().request;
    let value = |name: &str| {
        let mut values = headers.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next()?;
        assert_eq!(values.count(), 0, "{name} stands there twice");
        Some(String::from_utf8(value.clone()).unwrap())
    };
    let authority = format!("{backend}.example");
    assert_eq!(value(":authority"), Some(authority));
    assert_eq!(value("content-length"), Some(sent.len().to_string()));
    assert_eq!(value(":path").as_deref(), Some("/v1/chat/completions"));
    assert_eq!(value("x-stainless-lang").as_deref(), Some("python"));
    for stripped in [
        "authorization",
        "x-api-key",
        "x-forwarded-proto",
        "x-request-id",
    ] {
        assert_eq!(value(stripped), None, "{stripped} got to {backend}");
    }
}

/// Returns a document in which the last three routes are used, so that all others are evaluated before.
pub(crate) fn document(scenario: &Scenario) -> String {
    let Scenario {
        routes,
        smart,
        defaults,
        ..
    } = scenario;
    let mut others = String::new();
    for number in 0..routes.saturating_sub(3) {
        let _ = write!(
            others,
            r#"{{"name":"other-{number}","match":{{"model":"tenant-{number}/gpt-5.5"}},"targets":[{{"backend":"openai","model":"gpt-5.5"}}]}},"#
        );
    }
    format!(
        r#"{{
        "backends": [
            {{"name": "openai", "schema": "openai", "host": "openai.example",
              "models": [{{"name": "gpt-5.5"}}, {{"name": "gpt-5.4-mini"}}]}},
            {{"name": "local", "schema": "openai", "host": "local.example", "path_prefix": "/v1",
              "models": [{{"name": "llama", "upstream_name": "meta-llama/Llama-3.1-8B-Instruct"}}]}}
        ],
        "routes": [{others}
            {{"name": "smart", "match": {{"model": "smart"}}, {smart}}},
            {{"name": "llama", "match": {{"model": "llama*"}}, "targets": [{{"backend": "local"}}]}},
            {{"name": "gpt", "match": {{"model": "gpt-*"}}, "targets": [{{"backend": "openai"}}]}}
        ],
        "defaults": {defaults}}}"#
    )
}

pub(crate) fn body(name: &str, model: &str) -> Vec<u8> {
    // Each body is built only once, because building them takes time without optimization.
    static MADE: Mutex<BTreeMap<(String, String), Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let key = (name.to_owned(), model.to_owned());
    if !made.contains_key(&key) {
        let bodies = super::bodies::all(model).into_iter();
        made.extend(bodies.map(|(name, body)| ((name.to_owned(), model.to_owned()), body)));
    }
    made[&key].clone()
}

/// Returns the headers that the official Python client sends through Envoy.
pub(crate) fn request_headers(content_length: usize) -> Headers {
    let content_length = content_length.to_string();
    own([
        (":authority", "gateway.example"),
        (":path", "/v1/chat/completions"),
        (":method", "POST"),
        (":scheme", "http"),
        ("accept-encoding", "gzip, deflate"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "OpenAI/Python 2.9.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-package-version", "2.9.0"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-arch", "x64"),
        ("x-stainless-runtime", "CPython"),
        ("x-stainless-runtime-version", "3.13.1"),
        (
            "authorization",
            "Bearer sk-a-client-key-of-some-length-0123456789",
        ),
        ("x-stainless-async", "false"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-read-timeout", "600"),
        ("content-length", &content_length),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "0a1b2c3d-0000-4000-8000-000000000000"),
    ])
}

fn response_headers(status: u16) -> Headers {
    let status = status.to_string();
    own([
        (":status", status.as_str()),
        ("content-type", "text/event-stream"),
        ("x-envoy-upstream-service-time", "20"),
    ])
}

fn own<const N: usize>(pairs: [(&str, &str); N]) -> Headers {
    let owned = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    owned.into()
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap()
}
