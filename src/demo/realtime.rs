//! A session over a WebSocket that sends a greeting and then echoes every message.

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::record::RecordedRequest;
use super::reply::{next_id, seen};

/// Whether this request begins a session rather than asking for an answer.
pub(crate) fn is_asked_for(parts: &Parts) -> bool {
    parts
        .headers
        .get(header::UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Begins a session at this backend.
pub(crate) async fn answer(name: &str, request: &RecordedRequest, mut parts: Parts) -> Response {
    let (_, query) = request.path_and_query();
    let model = query
        .split('&')
        .find_map(|parameter| parameter.strip_prefix("model="));
    let hello = json!({
        "type": "session.created",
        "event_id": format!("event_{}", next_id()),
        "session": {"type": "realtime", "object": "realtime.session", "model": model},
        "demo": seen(name, request, None),
    });
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade
            .protocols(["realtime"])
            .on_upgrade(|socket| echo(socket, hello)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn echo(mut socket: WebSocket, hello: Value) {
    let mut next = Some(Message::text(hello.to_string()));
    while let Some(message) = next {
        // The library answers pings; a client that leaves ends the loop.
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
        next = socket.recv().await.and_then(Result::ok);
    }
}
