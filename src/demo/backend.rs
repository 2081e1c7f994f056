//! A server that answers like an LLM API and reports in its answer what reached it.
//!
//! It speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port. The end of the path selects the API, whatever
//! precedes it:
//!
//! | path | API |
//! |---|---|
//! | `…/chat/completions`, `…/completions`, `…/responses`, `…/responses/input_tokens`, `…/responses/compact` | OpenAI: text |
//! | `…/embeddings`, `…/moderations`, `…/rerank` | OpenAI, and Cohere's reranking: one result for each input |
//! | `…/images/generations`, `…/images/edits`, `…/images/variations` | OpenAI: a PNG of one pixel |
//! | `…/audio/speech`, `…/audio/transcriptions`, `…/audio/translations` | OpenAI: silence, and text |
//! | `…/deployments/MODEL/…` and one of these | Azure, which may name the model only in the path |
//! | `…/messages`, `…/messages/count_tokens` | Anthropic |
//! | `…/models/MODEL:generateContent`, `:streamGenerateContent`, `:countTokens`, `:embedContent`, `:batchEmbedContents` | Gemini; a stream is a JSON array unless the query has `alt=sse` |
//! | `/model/MODEL/converse`, `/converse-stream`, `/invoke`, `/invoke-with-response-stream` | Bedrock; `invoke` takes Anthropic's format |
//! | `…/files`, `…/batches`, `…/conversations`, `…/cachedContents`, each with an optional `/ID`, and `…/responses/ID` | objects that were created there, in memory |
//! | any, with `upgrade: websocket` | a session that begins with `session.created` and echoes every message |
//! | anything else | 404, in Anthropic's format if the request has `anthropic-version` |
//!
//! Answers are whole or, if the API has streams and the request asks for one, streamed with a word every 20
//! milliseconds. A request that offers tools is answered with a call of the first one, unless its last message is
//! already a tool result. A request with a JSON schema for its answer gets the smallest answer that fits the schema. In
//! addition to the API's own fields, a whole answer has an object `demo`: `backend`, `method`, `path`, `host`, `model`,
//! `headers` (a list of name and value), `body_bytes` and the `files` of a form, as they reached the backend. The
//! header `x-demo` has the same object if the answer is not JSON, and for Gemini and Bedrock, whose clients drop
//! unknown fields.
//!
//! Some model names cause a fault or an unusual answer. `N`, `S` and `MS` are decimal numbers; `S` is in seconds, `MS`
//! in milliseconds. A token is a word of the content, or of a tool's arguments. If a row describes only whole answers
//! or only streams, the other kind works as usual.
//!
//! | model | what happens |
//! |---|---|
//! | `status-NNN` | The answer has this status (200 to 599) and an error object in the API's own format. |
//! | `status-NNN-retry-after-S` | Also with `retry-after: S`, which may have decimals (`0.5`). |
//! | `status-NNN-retry-after-ms-MS` | Also with `retry-after-ms: MS`. |
//! | `status-NNN-retry-date-S` | Also with the HTTP date in `S` seconds as `retry-after`, rounded up to a second. |
//! | `status-NNN-reset-MS` | OpenAI: also with `x-ratelimit-remaining-requests: 0` and `x-ratelimit-reset-requests`, a duration like `20ms`, `1.5s` or `1m2s`. Anthropic: also with `anthropic-ratelimit-requests-remaining: 0` and `anthropic-ratelimit-requests-reset`, an RFC 3339 time, which has milliseconds unless `MS` is whole seconds. Others: as `status-NNN`. |
//! | `context-length` | 400, in the API's own words for a prompt that is too long. |
//! | `content-policy` | 400, in the API's own words for content that it blocks. |
//! | `hang` | No answer. The connection stays open until the client leaves. |
//! | `reset` | The connection breaks with a TCP RST before an answer. Over TLS: it closes without `close_notify`. |
//! | `close` | The connection closes with a FIN before an answer. |
//! | `reset-headers` | The connection breaks with a RST after the headers of an answer. |
//! | `close-headers` | The connection closes with a FIN after the headers of an answer. |
//! | `reset-N` | Stream: a RST after `N` tokens. Whole: a RST after half of the body. |
//! | `cut-N` | As `reset-N`, but with a FIN, and without the last chunk. |
//! | `cut-length-N` | As `cut-N`, with a `content-length` of the full answer. |
//! | `end-N` | Stream: it ends as a complete HTTP body after `N` tokens. Whole: half of the body, chunked, ends that way. |
//! | `end-length-N` | As `end-N`, with the `content-length` of what is sent. |
//! | `end-finished` | Stream: it ends as a complete HTTP body, but without its last event (`data: [DONE]`, `message_stop`, `response.completed`). Whole: all of the body, chunked. |
//! | `stall-N` | Stream: nothing more after `N` tokens. Whole: nothing more after half of the body. The connection stays open until the client leaves. |
//! | `stall-finished` | As `stall-N`, after the event with the finish reason. |
//! | `malformed-N` | Stream: an event whose data is not JSON after `N` tokens, then the rest. Whole: a body that is not JSON. |
//! | `error-first` | Stream: 200, with an error event and nothing else. Whole: 200, with an error object. |
//! | `error-first-KIND` | As `error-first`, with another error: `rate_limit`, `overloaded`, `server` (the default), `auth` or `invalid`. |
//! | `error-after-N` | Stream: `N` tokens, an error event, and the end. Whole: as `error-first`. |
//! | `empty-stream` | 200, with a `text/event-stream` that ends at once, even if the request asked for a whole answer. |
//! | `empty-body` | 200, with an empty `application/json`, even if the request asked for a stream. |
//! | `slow-headers-MS` | It works, but the headers are delayed by this time. |
//! | `slow-token-MS` | Stream: all that precedes the first token at once, the first token after this time. Whole: as `slow-headers-MS`. |
//! | `slow-words-MS` | Stream: this time between two tokens. |
//! | `pings-N` | Stream: `N` pings (OpenAI and Gemini: comments `: ping`; Bedrock has none) 20 milliseconds apart, then the rest. |
//! | `words-N` | It works, with `N` words (at most 1,000,000). |
//! | `large-N` | It works, with `N` KiB of text (at most 65,536). Stream: `N` tokens of 1 KiB, without pauses. |
//! | `headers-N` | It works, with `N` additional headers (at most 10,000), `x-demo-0` and so on. |
//! | `gzip` | It works, with the body in gzip, whatever the client accepts. |
//! | `reasoning` | It works, with reasoning before the content: `reasoning_content`, as other servers add to OpenAI's format, or Anthropic's thinking block. |
//! | `crlf` | Stream: its lines end with CRLF. |
//! | `bytewise` | It works, with every byte of the body in a chunk of its own, without pauses. |
//! | `once-F` | `F`, which is any of the above, for this backend's first request with this model; then it works. |
//! | `every-N-F` | `F` for the first of every `N` requests with this model. |
//!
//! A fault that breaks an HTTP/2 connection ends all of its streams. Every fault first reads the whole request. A
//! [`FaultSwitch`] selects a fault for every request, whatever its model.
//!
//! The server checks no keys, has a single limit (64 MiB for a body), and counts tokens only roughly.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use super::record::{AnswerProgress, RecordedRequest, Recorder};
pub use super::switch::{FaultSwitch, UnknownFault};

use super::answer::Answer;
use super::api::Operation;
use super::call::Call;
use super::connection::{Breaker, ResettableTcp};
use super::fault::Fault;
use super::openai::responses;
use super::realtime;
use super::reply::Reply;
use super::store::Store;
use super::switch::RequestCounts;

/// Larger bodies are refused, so that a faulty client cannot exhaust the memory.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// One demo backend. Clones share everything: name, recorder, switch and the counters of its faults.
#[derive(Clone, Debug)]
pub struct Backend {
    name: Arc<str>,
    recorder: Arc<Recorder>,
    records: bool,
    switch: FaultSwitch,
    request_counts: Arc<RequestCounts>,
    store: Arc<Store>,
}

impl Backend {
    /// Creates a backend that records nothing.
    #[must_use]
    pub fn new(name: &str) -> Backend {
        Backend {
            name: Arc::from(name),
            recorder: Arc::default(),
            records: false,
            switch: FaultSwitch::default(),
            request_counts: Arc::default(),
            store: Arc::default(),
        }
    }

    /// Creates a backend whose [`recorder`](Backend::recorder) keeps the requests that reach it.
    #[must_use]
    pub fn recording(name: &str) -> Backend {
        Backend {
            records: true,
            ..Backend::new(name)
        }
    }

    /// Returns the recorder of this backend; it stays empty unless the backend is [`recording`](Backend::recording).
    #[must_use]
    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// Returns the switch that selects this backend's fault while it serves.
    #[must_use]
    pub fn switch(&self) -> FaultSwitch {
        self.switch.clone()
    }

    /// Returns the fault of a request for this model.
    fn fault(&self, model: &str) -> Option<Fault> {
        if let Some((fault, before)) = self.switch.next() {
            return fault.at_count(before);
        }
        let fault = Fault::of_model(model)?;
        let before = if fault.depends_on_count() {
            self.request_counts.next(model)
        } else {
            0
        };
        fault.at_count(before)
    }

    /// Serves every connection of this listener. Returns only with an error of the listener; dropping the future ends
    /// its connections too.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Words should leave one by one. If this fails, they are only late.
                        let _ = stream.set_nodelay(true);
                        let backend = self.clone();
                        connections.spawn(async move {
                            let breaker = Breaker::default();
                            let stream = ResettableTcp::new(stream, breaker.clone());
                            backend.converse(stream, breaker).await;
                        });
                    }
                    // The client left before it was accepted.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(error) => return Err(error),
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one existing connection until it ends.
    pub async fn serve_connection<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.converse(stream, Breaker::default()).await;
    }

    async fn converse<S>(&self, stream: S, breaker: Breaker)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = Router::new().fallback(answer).with_state(ConnectionState {
            backend: self.clone(),
            breaker: breaker.clone(),
        });
        let server = auto::Builder::new(TokioExecutor::new());
        let connection = server
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
        tokio::select! {
            // An error of a connection comes from its client and can be ignored.
            _ = connection => {}
            () = breaker.broken() => {}
        }
    }
}

/// What building an answer needs to know.
#[derive(Clone, Debug)]
struct ConnectionState {
    backend: Backend,
    breaker: Breaker,
}

async fn answer(State(connection): State<ConnectionState>, request: Request) -> Response {
    let ConnectionState { backend, breaker } = connection;
    let (head, body) = request.into_parts();
    let Some(request) = receive(&head, body).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if backend.records {
        backend.recorder.record(request.clone());
    }
    if realtime::is_asked_for(&head) {
        return realtime::answer(&backend.name, &request, head).await;
    }
    // Dropped with this future, or with the body of the answer.
    let watch = request.answer.watch();
    if let Some(answer) = backend.store.answer(&backend.name, &request) {
        return answer.respond(breaker, watch);
    }
    let call = match Call::read(&request) {
        Ok(call) => call,
        Err(refusal) => return Answer::refusal(&refusal).respond(breaker, watch),
    };
    let fault = backend.fault(&call.model);
    match &fault {
        // The end of the connection, on either side, drops this future.
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Reset) => {
            watch.end();
            breaker.reset();
            return std::future::pending().await;
        }
        Some(Fault::Close) => {
            watch.end();
            breaker.close();
            return std::future::pending().await;
        }
        Some(Fault::SlowHeaders(time)) => tokio::time::sleep(*time).await,
        Some(Fault::SlowToken(time)) if !call.stream => tokio::time::sleep(*time).await,
        _ => {}
    }
    let reply = Reply::to(&backend.name, &request, &call);
    if call.operation == Operation::Responses && call.fields.get("store") != Some(false.into()) {
        let whole = responses::whole(&reply);
        backend.store.keep_response(responses::id(&reply), whole);
    }
    Answer::to(&backend.name, &call, reply, fault.as_ref()).respond(breaker, watch)
}

/// Reads a complete request; `None` if its body is too large or is cut off.
async fn receive(head: &Parts, body: Body) -> Option<RecordedRequest> {
    let at = Instant::now();
    let body = Limited::new(body, BODY_LIMIT).collect().await.ok()?;
    let trailers = body.trailers().map(fields).unwrap_or_default();
    let host = head
        .headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    Some(RecordedRequest {
        version: format!("{:?}", head.version),
        method: head.method.to_string(),
        path: head
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string),
        authority: head
            .uri
            .authority()
            .map(ToString::to_string)
            .or(host)
            .unwrap_or_default(),
        headers: fields(&head.headers),
        trailers,
        body: body.to_bytes().to_vec(),
        at,
        answer: AnswerProgress::default(),
    })
}

fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}
