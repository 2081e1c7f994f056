//! Trials with a thousand random requests: Envoy does with each what the core decides natively.

use llm_router::attempt::Moment;
use llm_router::config::Document;
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Headers};
use llm_router::routing::{AfterHeaders, receive_headers};
use llm_router::simulated_envoy;
use serde_json::{Value, json};

use crate::fleet::{SharedEnvoy, decisions};
use crate::harness::{Call, Case, Protocol, Suite};

/// How many requests each trial makes.
const REQUESTS: u64 = 1_000;

pub(crate) fn add(suite: &mut Suite) {
    for (workers, protocol) in [(1, Protocol::Http1), (2, Protocol::Http2)] {
        suite.on(
            "routing::generated_requests_are_decided_as_natively",
            SharedEnvoy::Decisions { workers },
            protocol,
            generated_requests_are_decided_as_natively,
        );
    }
}

const DRY_RUN: &str = "x-llm-router-dry-run";

async fn generated_requests_are_decided_as_natively(case: Case) {
    let document = decisions::document();
    let document = Document::load(document.to_string().as_bytes()).expect("the document is valid");
    let mut taken = std::collections::BTreeMap::<String, usize>::new();
    for number in 0..REQUESTS {
        let call = RequestGenerator(number).call(&case);
        let (attempt, route) = sent(&document, &call);
        let wanted = decided(&document, &call);
        let described = format!(
            "request {number}: {}",
            String::from_utf8_lossy(&call.bytes())
        );
        let decision = call.clone().header(DRY_RUN, "true").send().await;
        assert_eq!(
            (u32::from(decision.status), decision.json()),
            wanted,
            "{described}{}",
            decision.describe()
        );
        let answer = call.send().await;
        let seen = answer.attempts().into_iter().next();
        let seen = seen.map(|(backend, seen)| (backend.to_owned(), seen.0.path, seen.0.body));
        assert_eq!(seen, attempt, "{described}{}", answer.describe());
        let route = route.unwrap_or_else(|| answer.status.to_string());
        let count = taken.entry(route).or_default();
        *count = count.saturating_add(1);
    }
    // A route that no request has reached has not been compared.
    let names = document.routes.iter().map(|route| route.name.as_str());
    let missed: Vec<&str> = names.filter(|name| !taken.contains_key(*name)).collect();
    assert!(missed.is_empty(), "no request took {missed:?}: {taken:?}");
}

fn headers(call: &Call) -> Vec<(String, Vec<u8>)> {
    let text = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let mut headers = vec![
        text(":method", &call.method),
        text(":path", &call.path),
        text(":authority", &call.case.envoy.address.to_string()),
        text("content-length", &call.bytes().len().to_string()),
    ];
    headers.extend(call.headers.iter().cloned());
    headers
}

fn moment() -> Moment<'static> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment {
        now: u64::try_from(now.expect("after 1970").as_millis()).expect("before long"),
        // Every draw in this document is decided by a key.
        random: 0,
        health: &NoHealthStore,
    }
}

/// Where a request goes: backend, path, body.
type Sent = (String, String, Vec<u8>);

/// Returns what the first attempt of this request sends natively, and the route that takes it.
fn sent(document: &Document, call: &Call) -> (Option<Sent>, Option<String>) {
    let AfterHeaders::AwaitBody(pending) = receive_headers(
        document,
        Headers::new(headers(call)),
        Caller::default(),
        moment,
    ) else {
        panic!("it is a call of a model");
    };
    let body = call.bytes();
    let Ok(routed) = pending.route(document, &body, moment()) else {
        return (None, None);
    };
    let attempts = simulated_envoy::attempts(
        document,
        &routed,
        headers(call),
        &body,
        moment(),
        &mut |_| {},
    );
    let first = attempts.into_iter().next().map(|sent| {
        let path = sent.headers.iter().find(|(name, _)| name == ":path");
        let path = path.map(|(_, path)| String::from_utf8_lossy(path).into_owned());
        (sent.backend, path.unwrap_or_default(), sent.body)
    });
    (first, Some(routed.route.name.clone()))
}

/// Returns the decision, as a dry run reports it.
fn decided(document: &Document, call: &Call) -> (u32, Value) {
    let mut headers = headers(call);
    headers.push((DRY_RUN.to_owned(), b"true".to_vec()));
    let AfterHeaders::AwaitBody(pending) =
        receive_headers(document, Headers::new(headers), Caller::default(), moment)
    else {
        panic!("it is a call of a model");
    };
    let answer = pending
        .route(document, &call.bytes(), moment())
        .expect_err("a dry run is answered");
    let body = serde_json::from_slice(&answer.body).expect("JSON");
    (answer.status, body)
}

/// Generates a request from a number (SplitMix64).
struct RequestGenerator(u64);

impl RequestGenerator {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.roll(all.len() as u64)).expect("a small number")]
    }

    fn call(&mut self, case: &Case) -> Call {
        self.0 = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let model = self.pick(&[
            "model-a",
            "model-a",
            "model-b",
            "old-name",
            "older-name",
            "gpt-5.5",
            "nobody's",
            "other-name",
        ]);
        let api = self.pick(&Dialect::ALL);
        let streams = self.one_in(3);
        let mut path = api.path(model, streams);
        if self.one_in(8) {
            let query = self.pick(&[
                "beta=true",
                "beta=%6fn+1",
                "beta=false&beta=true",
                "other=true",
                "beta",
            ]);
            path = format!(
                "{path}{}{query}",
                if path.contains('?') { '&' } else { '?' }
            );
        }
        let body = api.body(self, model, streams);
        let text = if self.one_in(2) {
            serde_json::to_string_pretty(&body).expect("JSON")
        } else {
            body.to_string()
        };
        let mut call = case.post(&path, text);
        for (name, values) in [
            ("x-residency", ["eu", "us", "EU"]),
            ("x-team", ["red", "green", "blue"]),
            ("x-session", ["s-1", "s-2", "s-3"]),
        ] {
            if self.one_in(6) {
                call = call.header(name, self.pick(&values));
            }
        }
        call
    }

    /// Returns a text that a user may write.
    fn says(&mut self) -> String {
        let text = self.pick(&[
            "What is the capital of Iceland?",
            "I want a Refund, now.",
            "Refunded orders are listed below.",
            "I want my money\n back",
            "\u{6211}\u{8981}\u{9000}\u{6b3e}\u{5417}\u{ff1f}",
            "\u{4eca}\u{5929}\u{5929}\u{6c14}\u{600e}\u{4e48}\u{6837}\u{ff1f}",
            "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43a}\u{430}\u{43a} \u{434}\u{435}\u{43b}\u{430}?",
            "\u{645}\u{631}\u{62d}\u{628}\u{627} \u{628}\u{627}\u{644}\u{639}\u{627}\u{644}\u{645}",
            "See invoice no. 4711 \"attached\" \\ \u{1f980}",
            "Invoice\tNO 12",
        ]);
        let times = self.pick(&[1, 1, 1, 1, 1, 30, 80, 200]);
        vec![text; times].join(" ")
    }
}

/// The API of a request.
#[derive(Clone, Copy)]
enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
}

impl Dialect {
    const ALL: [Self; 5] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Converse,
    ];

    fn path(self, model: &str, streams: bool) -> String {
        let model = model.replace('\'', "%27");
        match (self, streams) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            (Self::Converse, false) => format!("/model/{model}/converse"),
            (Self::Converse, true) => format!("/model/{model}/converse-stream"),
        }
    }

    fn body(self, dice: &mut RequestGenerator, model: &str, streams: bool) -> Value {
        let turns = dice.pick(&[1, 1, 1, 2, 3, 5]);
        let mut messages: Vec<Value> = vec![];
        for turn in 0..turns {
            if turn > 0 {
                messages.push(self.message("assistant", "Certainly."));
            }
            // A conversation that begins with an empty message has no key, and its target is drawn at random.
            let is_silent = turn > 0 && dice.one_in(8);
            let said = if is_silent {
                String::new()
            } else {
                dice.says()
            };
            messages.push(self.message("user", &said));
        }
        if dice.one_in(8) {
            self.add_part(dice, &mut messages);
        }
        if dice.one_in(10) {
            self.add_tool_result(&mut messages);
        }
        let mut body = match self {
            Self::Chat | Self::Messages => json!({"model": model, "messages": messages}),
            Self::Responses => json!({"model": model, "input": messages}),
            Self::Gemini => json!({"contents": messages}),
            Self::Converse => json!({"messages": messages}),
        };
        if streams && !matches!(self, Self::Gemini | Self::Converse) {
            body["stream"] = json!(true);
        }
        if dice.one_in(3) {
            let system = dice.pick(&[
                "Talk like a pirate.",
                "You are a helpful assistant.",
                "Pirates are banned.",
            ]);
            self.set_system(&mut body, system);
        }
        if dice.one_in(6) {
            let offered = dice.one_in(5);
            self.set_tools(&mut body, offered);
        }
        self.set_parameters(dice, &mut body);
        body
    }

    fn message(self, role: &str, text: &str) -> Value {
        match self {
            Self::Chat | Self::Messages | Self::Responses => json!({"role": role, "content": text}),
            Self::Gemini => {
                let role = if role == "assistant" { "model" } else { role };
                json!({"role": role, "parts": [{"text": text}]})
            }
            Self::Converse => json!({"role": role, "content": [{"text": text}]}),
        }
    }

    /// Adds a last message with more than text.
    fn add_part(self, dice: &mut RequestGenerator, messages: &mut Vec<Value>) {
        let which = dice.pick(&["image", "audio", "file"]);
        let text = dice.says();
        let message = match (self, which) {
            (Self::Chat, "image") => json!({"role": "user", "content": [
                {"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}),
            (Self::Chat, "audio") => json!({"role": "user", "content": [
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}),
            (Self::Chat, _) => json!({"role": "user", "content": [
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}}]}),
            (Self::Responses, "image") => json!({"role": "user", "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,AA=="}, {"type": "input_text", "text": text}]}),
            (Self::Responses, _) => json!({"role": "user", "content": [
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}]}),
            (Self::Messages, "image") => json!({"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "text", "text": text}]}),
            (Self::Messages, _) => json!({"role": "user", "content": [
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}]}),
            (Self::Gemini, which) => {
                let kind = match which {
                    "image" => "image/png",
                    "audio" => "audio/wav",
                    _ => "application/pdf",
                };
                json!({"role": "user", "parts": [{"inlineData": {"mimeType": kind, "data": "AA=="}}, {"text": text}]})
            }
            (Self::Converse, "image") => json!({"role": "user", "content": [
                {"image": {"format": "png", "source": {"bytes": "AA=="}}}, {"text": text}]}),
            (Self::Converse, _) => json!({"role": "user", "content": [
                {"document": {"format": "pdf", "name": "a", "source": {"bytes": "AA=="}}}, {"text": text}]}),
        };
        messages.push(message);
    }

    fn add_tool_result(self, messages: &mut Vec<Value>) {
        messages.push(match self {
            Self::Chat => {
                json!({"role": "tool", "tool_call_id": "call_1", "content": "17 degrees"})
            }
            Self::Responses => {
                json!({"type": "function_call_output", "call_id": "call_1", "output": "17 degrees"})
            }
            Self::Messages => json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "17 degrees"}]}),
            Self::Gemini => json!({"role": "user", "parts": [
                {"functionResponse": {"name": "weather", "response": {"degrees": 17}}}]}),
            Self::Converse => json!({"role": "user", "content": [
                {"toolResult": {"toolUseId": "t", "content": [{"text": "17 degrees"}]}}]}),
        });
    }

    fn set_system(self, body: &mut Value, text: &str) {
        match self {
            Self::Chat => {
                let messages = body["messages"].as_array_mut().expect("a list");
                messages.insert(0, json!({"role": "system", "content": text}));
            }
            Self::Responses => body["instructions"] = json!(text),
            Self::Messages => body["system"] = json!(text),
            Self::Gemini => body["systemInstruction"] = json!({"parts": [{"text": text}]}),
            Self::Converse => body["system"] = json!([{"text": text}]),
        }
    }

    /// Adds tools, and a JSON schema for the answer if `by_schema` is set.
    fn set_tools(self, body: &mut Value, by_schema: bool) {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        match self {
            Self::Chat => {
                body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
                if by_schema {
                    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
                }
            }
            Self::Responses => {
                body["tools"] =
                    json!([{"type": "function", "name": "weather", "parameters": schema}]);
                if by_schema {
                    body["text"] =
                        json!({"format": {"type": "json_schema", "name": "a", "schema": schema}});
                }
            }
            Self::Messages => {
                body["tools"] = json!([{"name": "weather", "input_schema": schema}]);
                if by_schema {
                    body["output_config"] =
                        json!({"format": {"type": "json_schema", "schema": schema}});
                }
            }
            Self::Gemini => {
                body["tools"] =
                    json!([{"functionDeclarations": [{"name": "weather", "parameters": schema}]}]);
                if by_schema {
                    body["generationConfig"] =
                        json!({"responseMimeType": "application/json", "responseSchema": schema});
                }
            }
            Self::Converse => {
                let tool =
                    json!({"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}});
                body["toolConfig"] = json!({"tools": [tool]});
            }
        }
    }

    fn set_parameters(self, dice: &mut RequestGenerator, body: &mut Value) {
        let limit = dice.pick(&[5, 15, 100, 100_000]);
        match self {
            Self::Gemini => {
                if dice.one_in(2) {
                    body["generationConfig"]["maxOutputTokens"] = json!(limit);
                }
            }
            Self::Converse => {
                if dice.one_in(2) {
                    body["inferenceConfig"] = json!({"maxTokens": limit});
                }
            }
            Self::Responses => {
                if dice.one_in(2) {
                    body["max_output_tokens"] = json!(limit);
                }
            }
            Self::Chat | Self::Messages => {
                if dice.one_in(2) || matches!(self, Self::Messages) {
                    body["max_tokens"] = json!(limit);
                }
            }
        }
        if matches!(self, Self::Chat | Self::Responses | Self::Messages) && dice.one_in(3) {
            body["temperature"] = json!(dice.pick(&[0.0, 0.5, 0.8, 1.0]));
        }
        if matches!(self, Self::Chat | Self::Responses) {
            if dice.one_in(3) {
                body["user"] = json!(dice.pick(&["u-1", "u-22", "v-1"]));
            }
            if dice.one_in(4) {
                body["metadata"] = json!({"team": dice.pick(&["red", "blue", "grey"])});
            }
            if dice.one_in(6) {
                body["seed"] = json!(1);
            }
        }
    }
}
