//! A server that answers like an LLM API and tells in its answer what reached it.
//!
//! It speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port. The end of the path picks the API, whatever
//! stands before it:
//!
//! | path | API |
//! |---|---|
//! | `…/chat/completions` | OpenAI chat completions |
//! | `…/messages` | Anthropic messages |
//! | anything else | 404, in Anthropic's format where `anthropic-version` is sent |
//!
//! Answers are whole or, with `"stream": true`, streamed a word every 20 milliseconds. A request that offers tools is
//! answered with a call of the first one, unless its last message is a tool's result already. Beside the API's own
//! fields a whole answer has an object `demo`: `backend`, `method`, `path`, `host`, `model`, `headers` (a list of
//! name and value) and `body_bytes`, as they reached the backend.
//!
//! Some model names make it go wrong:
//!
//! | model | what happens |
//! |---|---|
//! | `status-NNN` | The answer has this status (200 to 599) and an error object in the API's own format. |
//! | `hang` | There is never an answer. The connection stays open until the client leaves. |
//! | `reset` | The connection breaks with a TCP RST before an answer. Over TLS: it closes without `close_notify`. |
//! | `close` | The connection closes with a FIN before an answer. |
//!
//! The last two take all the streams of an HTTP/2 connection with them. All of them read the whole request first.
//!
//! What this server is not: it knows no keys and no limits but one (64 MiB for a body), and it counts tokens only
//! roughly.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use super::record::{Recorded, Recorder};

use super::anthropic;
use super::call::{Api, Call, Refusal};
use super::connection::{Breaker, ResettableTcp};
use super::fault::Fault;
use super::openai;
use super::reply::Reply;

/// Between two words of a streamed answer.
const WORD_INTERVAL: Duration = Duration::from_millis(20);

/// Larger bodies are refused, so that a runaway client cannot eat the machine.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// One demo backend. Clones share their name and their recorder.
#[derive(Clone, Debug)]
pub struct Backend {
    name: Arc<str>,
    recorder: Arc<Recorder>,
    records: bool,
}

impl Backend {
    /// A backend that keeps nothing of what reaches it.
    #[must_use]
    pub fn new(name: &str) -> Backend {
        Backend {
            name: Arc::from(name),
            recorder: Arc::default(),
            records: false,
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
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
    let Some(request) = receive(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if backend.records {
        backend.recorder.record(request.clone());
    }
    let call = match Call::read(&request) {
        Ok(call) => call,
        Err(refusal) => return refused(&refusal),
    };
    match Fault::of_model(&call.model) {
        None => {}
        Some(Fault::Status(status)) => {
            return refused(&Refusal {
                api: call.api,
                status,
                message: format!(
                    "Demo backend {:?} was asked for status {}.",
                    &*backend.name,
                    status.as_u16()
                ),
            });
        }
        // The connection's end, ours or the client's, drops this future.
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Reset) => {
            breaker.reset();
            return std::future::pending().await;
        }
        Some(Fault::Close) => {
            breaker.close();
            return std::future::pending().await;
        }
    }
    let reply = Reply::to(&backend.name, &request, &call);
    match (call.api, call.stream) {
        (Api::OpenAi, false) => json(StatusCode::OK, &openai::whole(&reply)),
        (Api::OpenAi, true) => streamed(openai::events(&reply, call.include_usage)),
        (Api::Anthropic, false) => json(StatusCode::OK, &anthropic::whole(&reply)),
        (Api::Anthropic, true) => streamed(anthropic::events(&reply)),
    }
}

/// Reads a request to its end; none if its body is too large or breaks off.
async fn receive(request: Request) -> Option<Recorded> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
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
    })
}

fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn refused(refusal: &Refusal) -> Response {
    let Refusal {
        api,
        status,
        message,
    } = refusal;
    if matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // These have no body, whatever one would like to say.
        return status.into_response();
    }
    let body = match api {
        Api::OpenAi => openai::error(*status, message),
        Api::Anthropic => anthropic::error(*status, message),
    };
    json(*status, &body)
}

fn json(status: StatusCode, body: &Value) -> Response {
    let content_type: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, body.to_string()).into_response()
}

fn streamed(events: Vec<String>) -> Response {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        for event in events {
            // An error says that the client has left.
            if sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            tokio::time::sleep(WORD_INTERVAL).await;
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::new(body)).into_response()
}
