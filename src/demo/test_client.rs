//! A client that records how an answer arrives over the network, and how it ends.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::backend::{Backend, FaultSwitch, Recorder};

/// The path of each API.
pub(crate) const OPENAI: &str = "/v1/chat/completions";
pub(crate) const ANTHROPIC: &str = "/v1/messages";

/// Runs a check for both APIs at once: most of the time is spent waiting.
pub(crate) async fn for_both(check: impl AsyncFn(&'static str)) {
    tokio::join!(check(OPENAI), check(ANTHROPIC));
}

/// An answer counts as stalled when nothing has arrived for this long.
const QUIET: Duration = Duration::from_millis(400);

/// Any other answer arrives sooner, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A recording backend, which ends with the test's runtime.
pub(crate) struct TestBackend {
    pub(crate) address: String,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) switch: FaultSwitch,
}

/// How reading an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    Fin,
    Rst,
    /// Nothing arrived for a while.
    Open,
}

/// What arrived over the network.
#[derive(Debug)]
pub(crate) struct ReceivedAnswer {
    /// The status line and the headers; names are in lower case.
    pub(crate) head: String,
    /// The body, without chunk framing.
    pub(crate) body: Vec<u8>,
    /// The number of chunks in the body.
    pub(crate) chunks: usize,
    /// Whether the body was complete as HTTP defines it: with its last chunk, or all of its `content-length`.
    pub(crate) complete: bool,
    pub(crate) end: ConnectionEnd,
    /// The time from the request to the first byte, and to the first token of the content.
    pub(crate) first_byte: Duration,
    pub(crate) first_token: Duration,
    pub(crate) took: Duration,
}

impl TestBackend {
    pub(crate) async fn start() -> TestBackend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let backend = Backend::recording("tested");
        let (recorder, switch) = (backend.recorder(), backend.switch());
        tokio::spawn(backend.serve(listener));
        TestBackend {
            address,
            recorder,
            switch,
        }
    }

    /// Returns the whole answer of this model.
    pub(crate) async fn whole(&self, path: &str, model: &str) -> ReceivedAnswer {
        self.ask(path, json!({"model": model})).await
    }

    /// Returns the streamed answer of this model.
    pub(crate) async fn stream(&self, path: &str, model: &str) -> ReceivedAnswer {
        self.ask(path, json!({"model": model, "stream": true}))
            .await
    }

    pub(crate) async fn connect(&self, path: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\nx-test-id: mine\r\naccept-encoding: gzip\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn ask(&self, path: &str, body: Value) -> ReceivedAnswer {
        let stalls = body["model"]
            .as_str()
            .is_some_and(|model| model.starts_with("stall"));
        let patience = if stalls { QUIET } else { PATIENCE };
        let start = Instant::now();
        let mut stream = self.connect(path, &body).await;
        let (mut wire, mut first_byte, mut first_token) =
            (Vec::new(), Duration::MAX, Duration::MAX);
        let end = loop {
            let read = stream.read_buf(&mut wire);
            let end = match tokio::time::timeout(patience, read).await {
                Err(_) => Some(ConnectionEnd::Open),
                Ok(Ok(0)) => Some(ConnectionEnd::Fin),
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => {
                    Some(ConnectionEnd::Rst)
                }
                Ok(Err(error)) => panic!("{error}"),
                Ok(Ok(_)) => None,
            };
            if let Some(end) = end {
                break end;
            }
            first_byte = first_byte.min(start.elapsed());
            // Do not search again for what was found: an answer may arrive byte by byte.
            if first_token == Duration::MAX && wire.windows(5).any(|five| five == b"Hello") {
                first_token = start.elapsed();
            }
        };
        let took = start.elapsed();
        let (head, rest) = split_once(&wire, b"\r\n\r\n").unwrap_or((&wire, b""));
        let head = String::from_utf8(head.to_vec()).unwrap();
        let (body, chunks, complete) = if head.contains("transfer-encoding: chunked") {
            dechunked(rest)
        } else {
            let length = header(&head, "content-length").and_then(|length| length.parse().ok());
            (rest.to_vec(), 1, length == Some(rest.len()))
        };
        ReceivedAnswer {
            head,
            body,
            chunks,
            complete,
            end,
            first_byte,
            first_token,
            took,
        }
    }
}

impl ReceivedAnswer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the data of each event.
    pub(crate) fn data(&self) -> Vec<String> {
        self.text()
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the data of each event that is JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.data()
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// Returns the tokens of the content, from the events of either API.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.events()
            .iter()
            .filter_map(|event| {
                event["choices"][0]["delta"]["content"]
                    .as_str()
                    .or_else(|| event["delta"]["text"].as_str())
            })
            .filter(|token| !token.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Whether the stream had a finish reason.
    pub(crate) fn finished(&self) -> bool {
        self.events().iter().any(|event| {
            event["choices"][0]["finish_reason"].is_string()
                || event["delta"]["stop_reason"].is_string()
        })
    }

    /// Whether the stream's own last event arrived.
    pub(crate) fn terminated(&self) -> bool {
        let text = self.text();
        text.ends_with("data: [DONE]\n\n") || text.contains("event: message_stop\n")
    }

    /// Whether the answer is without a fault, streamed or whole.
    pub(crate) fn works(&self) -> bool {
        let parsed = || serde_json::from_slice::<Value>(&self.body);
        self.status() == 200
            && self.complete
            && self.end == ConnectionEnd::Fin
            && (self.terminated() && self.finished()
                || parsed().is_ok_and(|body| body["demo"].is_object()))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn split_once<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    let (before, rest) = bytes.split_at(at);
    Some((before, rest.strip_prefix(by)?))
}

/// Returns the body, the number of its chunks, and whether the last one arrived.
fn dechunked(mut wire: &[u8]) -> (Vec<u8>, usize, bool) {
    let mut chunks = Vec::new();
    let mut complete = false;
    while let Some((size, rest)) = split_once(wire, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
        let (chunk, rest) = rest.split_at(size);
        wire = rest.strip_prefix(b"\r\n").unwrap();
        if size == 0 {
            complete = true;
            break;
        }
        chunks.push(chunk);
    }
    assert!(wire.is_empty());
    (chunks.concat(), chunks.len(), complete)
}
