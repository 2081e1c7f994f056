//! One scenario on one Envoy with one kind of client, and the requests that it makes.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::answer::Answer;
use super::config::ROUTE_HEADER;
use super::envoy::Envoy;
use super::wire::Wire;
use super::world::World;

/// Nothing in the tests takes this long: an answer that does is a failure.
const ANSWER_LIMIT: Duration = Duration::from_secs(40);

/// The protocol of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Http1, Self::Http2];
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http1 => "h1",
            Self::Http2 => "h2",
        })
    }
}

/// One scenario on one Envoy with one kind of client.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) world: Arc<World>,
    pub(crate) envoy: Arc<Envoy>,
    pub(crate) protocol: Protocol,
}

impl Case {
    /// Creates a request that has only its `x-test-id`.
    pub(crate) fn request(&self, method: &str, path: &str) -> Call {
        let id = self.world.next_test_id();
        Call {
            case: self.clone(),
            method: method.to_owned(),
            path: path.to_owned(),
            address: self.envoy.address,
            headers: vec![("x-test-id".to_owned(), id.clone().into_bytes())],
            id,
            body: vec![],
            chunked: false,
            trailers: vec![],
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.request("GET", path)
    }

    /// Creates a request with exactly these bytes as its JSON body.
    pub(crate) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Call {
        self.request("POST", path)
            .header("content-type", "application/json")
            .piece(body)
    }

    /// Creates a small OpenAI request for this model.
    pub(crate) fn chat(&self, model: &str) -> Call {
        self.post(
            "/v1/chat/completions",
            json!({"model": model, "messages": conversation()}).to_string(),
        )
    }

    /// Creates a small Anthropic request for this model.
    pub(crate) fn messages(&self, model: &str) -> Call {
        let body = json!({"model": model, "max_tokens": 16, "messages": conversation()});
        self.post("/v1/messages", body.to_string())
            .header("anthropic-version", "2023-06-01")
    }

    /// Creates a small request in the API.
    pub(crate) fn ask(&self, api: Api, model: &str) -> Call {
        match api {
            Api::OpenAi => self.chat(model),
            Api::Anthropic => self.messages(model),
        }
    }

    /// Opens a connection of its own, on which requests can be sent piece by piece.
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.envoy.address, self.protocol).await
    }
}

/// The API that a caller uses and in whose format it expects errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Api {
    OpenAi,
    Anthropic,
}

impl Api {
    pub(crate) const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// Returns a model of the fleet's document that only this API's requests can use: `<api>-<rest>`.
    pub(crate) fn model(self, rest: &str) -> String {
        match self {
            Self::OpenAi => format!("openai-{rest}"),
            Self::Anthropic => format!("anthropic-{rest}"),
        }
    }
}

/// Returns the conversation of every small request.
fn conversation() -> Value {
    json!([{"role": "user", "content": "What is the capital of Iceland?"}])
}

/// A part of a request's body.
#[derive(Clone)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Pause(Duration),
}

/// A request.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) case: Case,
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    address: SocketAddr,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<Piece>,
    pub(crate) chunked: bool,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends it by another way to the same Envoy. Only for [`send`](Self::send).
    pub(crate) fn by(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Selects one of the routes of `config::routes`.
    pub(crate) fn route(self, name: &str) -> Self {
        self.header(ROUTE_HEADER, name)
    }

    /// Adds a piece of the body.
    pub(crate) fn piece(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body.push(Piece::Bytes(bytes.into()));
        self
    }

    /// Adds a pause before what follows. Only for [`send_on`](Self::send_on).
    pub(crate) fn pause(mut self, pause: Duration) -> Self {
        self.body.push(Piece::Pause(pause));
        self
    }

    /// Sends the body without its length. Only for [`send_on`](Self::send_on).
    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Adds a trailer, which also makes the body chunked. Only for [`send_on`](Self::send_on).
    pub(crate) fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self.chunked()
    }

    /// Returns the bytes of the body as the client sends them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.body
            .iter()
            .filter_map(|piece| match piece {
                Piece::Bytes(bytes) => Some(bytes.as_slice()),
                Piece::Pause(_) => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }

    /// Sends the request like an ordinary client and reads the complete answer.
    pub(crate) async fn send(self) -> Answer {
        let (case, id, described) = (self.case.clone(), self.id.clone(), self.to_string());
        let exchange = async {
            let response = self.open().await;
            let status = response.status().as_u16();
            let headers = header_list(response.headers());
            let body = response
                .bytes()
                .await
                .unwrap_or_else(|error| panic!("{described}: the answer broke off: {error:?}"));
            Answer::new(case.clone(), id, status, headers, body.to_vec())
        };
        within_limit(&case, &described, exchange).await
    }

    /// Sends the request like an ordinary client and reads the answer's headers.
    pub(crate) async fn open(self) -> reqwest::Response {
        let world = &self.case.world;
        let client = match self.case.protocol {
            Protocol::Http1 => &world.http1,
            Protocol::Http2 => &world.http2,
        };
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let mut request = client.request(method, format!("http://{}{}", self.address, self.path));
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request = request.header(
                name,
                HeaderValue::from_bytes(value).expect("a header value"),
            );
        }
        if !self.body.is_empty() {
            request = request.body(self.bytes());
        }
        request.send().await.unwrap_or_else(|error| {
            panic!(
                "{self}: no answer: {error:?}\n{}",
                self.case.envoy.log_tail()
            )
        })
    }

    /// Sends the request piece by piece on a connection of the test's own, and reads the complete answer.
    pub(crate) async fn send_on(self, wire: &mut Wire) -> Answer {
        let described = self.to_string();
        let exchange = async {
            let (status, headers, body) = wire.exchange(&self).await.unwrap_or_else(|error| {
                panic!(
                    "{described}: no answer: {error}\n{}",
                    self.case.envoy.log_tail()
                )
            });
            Answer::new(self.case.clone(), self.id.clone(), status, headers, body)
        };
        within_limit(&self.case, &described, exchange).await
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} ({}, {})",
            self.method, self.path, self.case.protocol, self.id
        )
    }
}

async fn within_limit<T>(case: &Case, described: &str, exchange: impl Future<Output = T>) -> T {
    tokio::time::timeout(ANSWER_LIMIT, exchange)
        .await
        .unwrap_or_else(|_| panic!("{described}: hangs\n{}", case.envoy.log_tail()))
}

pub(crate) fn header_list(headers: &axum::http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}
