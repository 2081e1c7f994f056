//! A backend that accepts any request, records it, and answers as the request's own header says.
//!
//! `x-test-answer-<name>`, and for every backend `x-test-answer`, contains an [`EchoInstruction`] as JSON. Without
//! either, the answer is an empty JSON object. An upgrade is accepted, and later bytes are sent back.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use http_body_util::channel::Channel;
use hyper_util::rt::TokioIo;
use llm_router::demo::backend::RecordedRequest;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::case::header_list;

/// The pause between two pieces of an answer.
const PAUSE: Duration = Duration::from_millis(30);

/// What reached these backends, each with the backend's name.
pub(crate) type Echoed = Arc<Mutex<Vec<(&'static str, RecordedRequest)>>>;

/// How one of them is to answer.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct EchoInstruction {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) pieces: Vec<String>,
}

impl EchoInstruction {
    /// Creates an answer that is a stream of events.
    pub(crate) fn events(pieces: &[&str]) -> Self {
        Self {
            status: 200,
            content_type: "text/event-stream".to_owned(),
            pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(),
        }
    }

    /// Creates an error with only its status.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            content_type: "application/json".to_owned(),
            pieces: vec!["{}".to_owned()],
        }
    }

    /// Encodes the answer as the value of a header.
    pub(crate) fn header(&self) -> String {
        serde_json::to_string(self).expect("text and numbers")
    }
}

#[derive(Clone)]
struct Echo {
    name: &'static str,
    echoed: Echoed,
}

pub(crate) async fn serve(listener: TcpListener, name: &'static str, echoed: Echoed) {
    let all = Router::new()
        .fallback(answer)
        .with_state(Echo { name, echoed });
    // It ends with the runtime.
    let _ = axum::serve(listener, all).await;
}

async fn answer(State(echo): State<Echo>, mut request: Request) -> Response {
    let at = Instant::now();
    let upgrade = request.headers().get(header::UPGRADE).cloned();
    let upgraded = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = match upgraded {
        Some(_) => Bytes::new(),
        // A request that breaks off is not recorded.
        None => to_bytes(body, usize::MAX).await.unwrap_or_default(),
    };
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let recorded = RecordedRequest {
        version: format!("{:?}", parts.version),
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        authority: text("host").unwrap_or_default().to_owned(),
        headers: header_list(&parts.headers),
        trailers: vec![],
        body: body.to_vec(),
        at,
        answer: Default::default(),
    };
    let mut all = echo.echoed.lock().expect("no thread panics with it");
    all.push((echo.name, recorded));
    drop(all);
    match (upgrade, upgraded) {
        (Some(protocol), Some(upgraded)) => {
            tokio::spawn(send_back(upgraded));
            Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, protocol)
                .body(Body::empty())
                .expect("a response")
        }
        _ => scripted(&script(echo.name, &parts.headers)),
    }
}

fn script(name: &str, headers: &HeaderMap) -> EchoInstruction {
    let own = headers.get(format!("x-test-answer-{name}"));
    let script = own.or_else(|| headers.get("x-test-answer"));
    script.map_or_else(
        || EchoInstruction::status(200),
        |script| serde_json::from_slice(script.as_bytes()).expect("a script"),
    )
}

fn scripted(script: &EchoInstruction) -> Response {
    let (mut sender, body) = Channel::<Bytes, io::Error>::new(1);
    let pieces = script.pieces.clone();
    tokio::spawn(async move {
        for piece in pieces {
            // This fails if the client has left.
            if sender.send_data(Bytes::from(piece)).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let mut response = Response::builder().status(script.status);
    // Some servers send no content type.
    if !script.content_type.is_empty() {
        response = response.header(header::CONTENT_TYPE, &script.content_type);
    }
    response.body(Body::new(body)).expect("a response")
}

/// Sends everything back that arrives.
async fn send_back(upgraded: hyper::upgrade::OnUpgrade) {
    if let Ok(upgraded) = upgraded.await {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut read, &mut write).await;
    }
}
