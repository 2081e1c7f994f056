//! Streamed answers as they arrive: each piece with its time, and whether the end is complete.

use std::time::{Duration, Instant};

use axum::http::Version;
use serde_json::{Value, json};

use super::answer::{Answer, SeenRequest};
use super::case::{Api, Call, Case, header_list};

/// Nothing in the tests takes this long: an answer that does is a failure.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer piece by piece.
pub(crate) struct StreamedAnswer {
    /// The complete answer, with what the backends saw.
    pub(crate) answer: Answer,
    /// When the request was sent.
    pub(crate) asked: Instant,
    /// When the answer's headers arrived.
    pub(crate) begun: Instant,
    pub(crate) pieces: Vec<(Instant, Vec<u8>)>,
    pub(crate) ended: Instant,
    /// Why the answer broke off, unless it was complete to HTTP.
    pub(crate) broken: Option<String>,
}

impl Case {
    /// Creates a small request for a stream.
    pub(crate) fn ask_streamed(&self, api: Api, model: &str) -> Call {
        self.ask_streamed_for(api, model, true)
    }

    /// Creates a small request for a stream, with or without a request for the usage.
    pub(crate) fn ask_streamed_for(&self, api: Api, model: &str, asks: bool) -> Call {
        let messages = json!([{"role": "user", "content": "What is the capital of Iceland?"}]);
        let mut body =
            json!({"model": model, "max_tokens": 16, "stream": true, "messages": messages});
        if asks && api == Api::OpenAi {
            body["stream_options"] = json!({"include_usage": true});
        }
        self.post(api.path(), body.to_string())
            .header("anthropic-version", "2023-06-01")
    }
}

impl Api {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }
}

impl Call {
    /// Sends the request like an ordinary client, and reads the answer to its end, whatever end that is.
    pub(crate) async fn listen(self) -> StreamedAnswer {
        let case = self.case.clone();
        let id = self.id.clone();
        let asked = Instant::now();
        let listening = async {
            let response = self.open().await;
            hear(case.clone(), id, asked, response).await
        };
        tokio::time::timeout(LIMIT, listening)
            .await
            .unwrap_or_else(|_| panic!("hangs\n{}", case.envoy.log_tail()))
    }
}

async fn hear(
    case: Case,
    id: String,
    asked: Instant,
    mut response: reqwest::Response,
) -> StreamedAnswer {
    let begun = Instant::now();
    let status = response.status().as_u16();
    let headers = header_list(response.headers());
    let is_http2 = response.version() == Version::HTTP_2;
    let mut pieces = vec![];
    let broken = loop {
        match response.chunk().await {
            Ok(Some(piece)) => pieces.push((Instant::now(), piece.to_vec())),
            Ok(None) => break None,
            Err(error) => break Some(format!("{error:?}")),
        }
    };
    let ended = Instant::now();
    if let Some(reason) = &broken {
        // Over HTTP/2 only the stream may end, not the connection, which has other streams too.
        assert!(
            !is_http2 || reason.contains("Reset("),
            "not a RST_STREAM: {reason}"
        );
    }
    let body = pieces.iter().flat_map(|(_, piece)| piece.clone()).collect();
    StreamedAnswer {
        answer: Answer::new(case, id, status, headers, body),
        asked,
        begun,
        pieces,
        ended,
        broken,
    }
}

impl StreamedAnswer {
    /// Asserts that the answer is complete to HTTP.
    #[track_caller]
    pub(crate) fn is_whole(&self) -> &Self {
        if let Some(reason) = &self.broken {
            panic!("it broke off: {reason}{}", self.answer.describe());
        }
        self
    }

    /// Asserts that the answer broke off: HTTP/1.1 without its end, HTTP/2 with a reset.
    #[track_caller]
    pub(crate) fn is_broken(&self) -> &Self {
        assert!(
            self.broken.is_some(),
            "it looks whole{}",
            self.answer.describe()
        );
        self
    }

    /// Asserts that the answer has exactly these bytes, except for the ID and the time that differ in each answer.
    #[track_caller]
    pub(crate) fn says(&self, expected: &[u8]) -> &Self {
        let (said, expected) = (masked(&self.answer.body), masked(expected));
        assert!(
            said == expected,
            "the bytes are not those of the backend\n--- said:\n{said}\n--- expected:\n{expected}{}",
            self.answer.describe()
        );
        self
    }

    /// Returns a backend's answer to a request that it has seen, asked without Envoy in between.
    pub(crate) async fn what_says(&self, name: &str, seen: &SeenRequest) -> Vec<u8> {
        let backends = &self.answer.case.world.backends;
        direct(backends.address(name), seen).await
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer.body).into_owned()
    }
}

/// Returns the answer of the server at this address to a request that a backend has seen, as far as it gets.
async fn direct(address: std::net::SocketAddr, seen: &SeenRequest) -> Vec<u8> {
    let client = reqwest::Client::builder().no_proxy().build();
    let mut request = client
        .expect("a client")
        .post(format!("http://{address}{}", seen.0.path))
        .header("host", &seen.0.authority)
        .body(seen.0.body.clone());
    for (name, value) in &seen.0.headers {
        // Other headers belong to the connection, or would count as another attempt.
        if matches!(
            name.as_str(),
            "content-type" | "anthropic-version" | "accept-encoding"
        ) {
            request = request.header(name, value.as_slice());
        }
    }
    let mut response = request.send().await.expect("the backend answers");
    let mut body = vec![];
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
    }
    body
}

/// Returns the text with zeros for the digits that differ in each answer: its ID and its creation time.
fn masked(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    ["-demo", "_demo", "\"created\":"]
        .iter()
        .fold(text.into_owned(), |text, mark| {
            let mut parts = text.split(mark);
            let mut masked = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
                masked.push_str(mark);
                masked.push_str(&"0".repeat(part.len() - rest.len()));
                masked.push_str(rest);
            }
            masked
        })
}

/// Returns the data of a stream's events.
pub(crate) fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}
