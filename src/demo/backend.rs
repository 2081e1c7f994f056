//! A server that answers like an LLM API and tells in its answer what reached it.
//!
//! It speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port. The end of the path picks the API, whatever
//! stands before it:
//!
//! | path | API |
//! |---|---|
//! | `…/chat/completions`, `…/completions`, `…/responses`, `…/responses/input_tokens`, `…/responses/compact` | OpenAI: text |
//! | `…/embeddings`, `…/moderations`, `…/rerank` | OpenAI, and Cohere's reranking: one result for each input |
//! | `…/images/generations`, `…/images/edits`, `…/images/variations` | OpenAI: a PNG of one pixel |
//! | `…/audio/speech`, `…/audio/transcriptions`, `…/audio/translations` | OpenAI: silence, and text |
//! | `…/deployments/MODEL/…` and one of these | Azure, which may name the model in the path only |
//! | `…/messages`, `…/messages/count_tokens` | Anthropic |
//! | `…/models/MODEL:generateContent`, `:streamGenerateContent`, `:countTokens`, `:embedContent`, `:batchEmbedContents` | Gemini; a stream is a JSON array unless the query has `alt=sse` |
//! | `/model/MODEL/converse`, `/converse-stream`, `/invoke`, `/invoke-with-response-stream` | Bedrock; what is invoked is Anthropic's |
//! | `…/files`, `…/batches`, `…/conversations`, `…/cachedContents`, each with `/ID` behind it, and `…/responses/ID` | what was created there, in memory |
//! | any, with `upgrade: websocket` | a session that begins with `session.created` and repeats what it is told |
//! | anything else | 404, in Anthropic's format where `anthropic-version` is sent |
//!
//! Answers are whole or, where the API has streams and one is asked for, streamed a word every 20 milliseconds. A
//! request that offers tools is answered with a call of the first one, unless its last message is a tool's result
//! already; one that brings a JSON schema for its answer, with the least that this asks for. Beside the API's own
//! fields a whole answer has an object `demo`: `backend`, `method`, `path`, `host`, `model`, `headers` (a list of
//! name and value), `body_bytes` and the `files` of a form, as they reached the backend. Where the answer is no JSON,
//! and for Gemini and Bedrock, whose clients drop what they do not know, it is in the header `x-demo` too.
//!
//! Some model names make it go wrong, or answer otherwise than usual. `N`, `S` and `MS` are numbers of digits, with
//! `S` in seconds and `MS` in milliseconds; a token is a word of the content, or of a tool's arguments. What is said of
//! a whole answer only or of a stream only leaves the other as it is without a fault.
//!
//! | model | what happens |
//! |---|---|
//! | `status-NNN` | The answer has this status (200 to 599) and an error object in the API's own format. |
//! | `status-NNN-retry-after-S` | With `retry-after: S`, which may have decimals (`0.5`). |
//! | `status-NNN-retry-after-ms-MS` | With `retry-after-ms: MS`. |
//! | `status-NNN-retry-date-S` | With the HTTP date in `S` seconds as `retry-after`, rounded up to a second. |
//! | `status-NNN-reset-MS` | OpenAI: with `x-ratelimit-remaining-requests: 0` and `x-ratelimit-reset-requests`, a duration like `20ms`, `1.5s` or `1m2s`. Anthropic: with `anthropic-ratelimit-requests-remaining: 0` and `anthropic-ratelimit-requests-reset`, an RFC 3339 time, which has milliseconds unless `MS` is whole seconds. Others: nothing more. |
//! | `context-length` | 400, in the API's own words for a prompt that is too long. |
//! | `content-policy` | 400, in the API's own words for content that it blocks. |
//! | `hang` | There is never an answer. The connection stays open until the client leaves. |
//! | `reset` | The connection breaks with a TCP RST before an answer. Over TLS: it closes without `close_notify`. |
//! | `close` | The connection closes with a FIN before an answer. |
//! | `reset-headers` | The connection breaks with a RST after the headers of an answer. |
//! | `close-headers` | The connection closes with a FIN after the headers of an answer. |
//! | `reset-N` | Stream: a RST after `N` tokens. Whole: a RST after half of the body. |
//! | `cut-N` | The same with a FIN, and without the last chunk. |
//! | `cut-length-N` | As `cut-N`, with a `content-length` of the full answer. |
//! | `end-N` | Stream: it ends as HTTP has it after `N` tokens. Whole: half of the body, chunked, ends that way. |
//! | `end-length-N` | As `end-N`, with the `content-length` of what is sent. |
//! | `end-finished` | Stream: it ends as HTTP has it, without its last event (`data: [DONE]`, `message_stop`, `response.completed`). Whole: all of the body, chunked. |
//! | `stall-N` | Stream: nothing more after `N` tokens. Whole: nothing more after half of the body. The connection stays open until the client leaves. |
//! | `stall-finished` | The same, after the event that tells why the stream finishes. |
//! | `malformed-N` | Stream: an event whose data is no JSON after `N` tokens, then the rest. Whole: a body that is no JSON. |
//! | `error-first` | Stream: 200, with an error event and nothing else. Whole: 200, with an error object. |
//! | `error-first-KIND` | The same with another error: `rate_limit`, `overloaded`, `server` (which is what it is without), `auth` or `invalid`. |
//! | `error-after-N` | Stream: `N` tokens, an error event, and the end. Whole: as `error-first`. |
//! | `empty-stream` | 200, with a `text/event-stream` that ends at once, even where a whole answer was asked for. |
//! | `empty-body` | 200, with an empty `application/json`, even where a stream was asked for. |
//! | `slow-headers-MS` | It works, after so long. |
//! | `slow-token-MS` | Stream: all that comes before the first token at once, the first token after so long. Whole: as `slow-headers-MS`. |
//! | `slow-words-MS` | Stream: so long between two tokens. |
//! | `pings-N` | Stream: `N` pings (OpenAI and Gemini: comments `: ping`; Bedrock has none) 20 milliseconds apart, then the rest. |
//! | `words-N` | It works, with `N` words (at most 1,000,000). |
//! | `large-N` | It works, with `N` KiB of text (at most 65,536). Stream: `N` tokens of 1 KiB, without pauses. |
//! | `headers-N` | It works, with `N` headers more (at most 10,000), `x-demo-0` and so on. |
//! | `gzip` | It works, with the body encoded so, whatever the client accepts. |
//! | `reasoning` | It works, with thoughts before the content: OpenAI's `reasoning_content` of other servers, Anthropic's thinking block. |
//! | `crlf` | Stream: its lines end with CRLF. |
//! | `bytewise` | It works, with every byte of the body in a chunk of its own, without pauses. |
//! | `once-F` | `F`, which is any of the above, for this backend's first request with this model; then it works. |
//! | `every-N-F` | `F` for the first of every `N` requests with this model. |
//!
//! What breaks a connection takes all the streams of an HTTP/2 connection with it. All of them read the whole request
//! first. A [`Switch`] picks one of them for every request, whatever its model.
//!
//! What this server is not: it knows no keys and no limits but one (64 MiB for a body), and it counts tokens only
//! roughly.

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

pub use super::record::{Answered, Recorded, Recorder};
pub use super::switch::{Switch, UnknownFault};

use super::answer::Answer;
use super::api::Operation;
use super::call::Call;
use super::connection::{Breaker, ResettableTcp};
use super::fault::Fault;
use super::openai::responses;
use super::realtime;
use super::reply::Reply;
use super::store::Store;
use super::switch::Turns;

/// Larger bodies are refused, so that a runaway client cannot eat the machine.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// One demo backend. Clones share all that it has: name, recorder, switch and the turns of its faults.
#[derive(Clone, Debug)]
pub struct Backend {
    name: Arc<str>,
    recorder: Arc<Recorder>,
    records: bool,
    switch: Switch,
    turns: Arc<Turns>,
    store: Arc<Store>,
}

impl Backend {
    /// A backend that keeps nothing of what reaches it.
    #[must_use]
    pub fn new(name: &str) -> Backend {
        Backend {
            name: Arc::from(name),
            recorder: Arc::default(),
            records: false,
            switch: Switch::default(),
            turns: Arc::default(),
            store: Arc::default(),
        }
    }

    /// A backend whose [`recorder`](Backend::recorder) keeps what reaches it.
    #[must_use]
    pub fn recording(name: &str) -> Backend {
        Backend {
            records: true,
            ..Backend::new(name)
        }
    }

    /// What has reached this backend. Stays empty unless it is [`recording`](Backend::recording).
    #[must_use]
    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// What makes this backend go wrong while it serves.
    #[must_use]
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// What is to go wrong with a request for this model.
    fn fault(&self, model: &str) -> Option<Fault> {
        if let Some((fault, before)) = self.switch.next() {
            return fault.on_turn(before);
        }
        let fault = Fault::of_model(model)?;
        let before = if fault.takes_turns() {
            self.turns.next(model)
        } else {
            0
        };
        fault.on_turn(before)
    }

    /// Serves every connection of this listener. Returns only with an error of the listener; dropping the future
    /// ends its connections too.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Words must leave one by one. Without it they are only late.
                        let _ = stream.set_nodelay(true);
                        let backend = self.clone();
                        connections.spawn(async move {
                            let breaker = Breaker::default();
                            let stream = ResettableTcp::new(stream, breaker.clone());
                            backend.converse(stream, breaker).await;
                        });
                    }
                    // The client was gone before it was let in.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(error) => return Err(error),
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one connection that is there already, until it ends.
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
        let router = Router::new().fallback(answer).with_state(Conversation {
            backend: self.clone(),
            breaker: breaker.clone(),
        });
        let server = auto::Builder::new(TokioExecutor::new());
        let connection = server
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
        tokio::select! {
            // A connection's error is the client's doing and concerns no one here.
            _ = connection => {}
            () = breaker.broken() => {}
        }
    }
}

/// What an answer in the making needs to know.
#[derive(Clone, Debug)]
struct Conversation {
    backend: Backend,
    breaker: Breaker,
}

async fn answer(State(conversation): State<Conversation>, request: Request) -> Response {
    let Conversation { backend, breaker } = conversation;
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
        // The connection's end, ours or the client's, drops this future.
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

/// Reads a request to its end; none if its body is too large or breaks off.
async fn receive(head: &Parts, body: Body) -> Option<Recorded> {
    let at = Instant::now();
    let body = Limited::new(body, BODY_LIMIT).collect().await.ok()?;
    let trailers = body.trailers().map(fields).unwrap_or_default();
    let host = head
        .headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    Some(Recorded {
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
        answer: Answered::default(),
    })
}

fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}
