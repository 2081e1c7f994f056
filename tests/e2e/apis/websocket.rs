//! Trials of upgrades to WebSocket, over HTTP/1.1. The bytes after the upgrade need not be WebSocket frames, because
//! Envoy passes them through.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ENVOY;
use crate::harness::{Case, Protocol, Suite};

pub(super) fn add(suite: &mut Suite) {
    let mut on = |name, scenario: fn(Case) -> _| suite.on(name, ENVOY, Protocol::Http1, scenario);
    on("apis::a_websocket_passes", |case| {
        Box::pin(a_websocket_passes(case)) as std::pin::Pin<Box<dyn Future<Output = ()>>>
    });
    on("apis::an_upgrade_that_no_route_takes", |case| {
        Box::pin(an_upgrade_that_no_route_takes(case))
    });
}

const LIMIT: Duration = Duration::from_secs(10);

/// Returns the connection, and the head of the answer to an upgrade.
async fn upgrade(case: &Case, method: &str, path: &str, id: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(case.envoy.address)
        .await
        .expect("Envoy accepts connections");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         sec-websocket-protocol: realtime, openai-insecure-api-key.client-secret, openai-beta.realtime-v1\r\n\
         authorization: Bearer client-secret\r\nx-test-id: {id}\r\n\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is written");
    let mut read = vec![];
    while !read.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(LIMIT, stream.read_u8()).await;
        let byte = byte.expect("there is an answer");
        let Ok(byte) = byte else { break };
        read.push(byte);
    }
    (stream, String::from_utf8_lossy(&read).into_owned())
}

async fn a_websocket_passes(case: Case) {
    let id = case.world.next_test_id();
    let path = "/v1/realtime?model=gpt-realtime&key=client-secret";
    let (mut stream, head) = upgrade(&case, "GET", path, &id).await;
    assert!(
        head.starts_with("HTTP/1.1 101 "),
        "{head}{}",
        case.envoy.log_tail()
    );
    for message in [b"\x81\x00first".as_slice(), b"\xff second"] {
        stream.write_all(message).await.expect("it is written");
        let mut back = vec![0; message.len()];
        let read = stream.read_exact(&mut back);
        let read = tokio::time::timeout(LIMIT, read).await;
        read.expect("it comes back").expect("it stays open");
        assert_eq!(back, message);
    }
    let requests = case.world.backends.requests(&id);
    assert_eq!(requests.len(), 1);
    let (backend, seen) = &requests[0];
    assert_eq!(*backend, "echo-openai");
    assert_eq!(seen.path, "/v1/realtime?model=gpt-realtime");
    let all: Vec<String> = seen
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    assert!(
        all.contains(&"sec-websocket-protocol: realtime, openai-beta.realtime-v1".to_owned()),
        "{all:?}"
    );
    assert!(
        !all.iter().any(|header| header.contains("client-secret")),
        "{all:?}"
    );
}

/// Upgrades are refused also at the path of a model call, whatever the method.
async fn an_upgrade_that_no_route_takes(case: Case) {
    for (method, path) in [
        ("GET", "/v1/responses"),
        ("POST", "/v1/chat/completions"),
        // A route takes these paths, but not with this method.
        ("POST", "/v1/realtime"),
        ("GET", "/openai/realtime"),
    ] {
        let id = case.world.next_test_id();
        let (mut stream, head) = upgrade(&case, method, path, &id).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{method} {path}: {head}");
        let mut body = vec![0; 1000];
        let read = tokio::time::timeout(LIMIT, stream.read(&mut body)).await;
        let read = read.expect("there is a body").expect("there is a body");
        let body = String::from_utf8_lossy(&body[..read]).into_owned();
        assert!(body.contains("upgrade_not_routed"), "{body}");
        assert!(case.world.backends.requests(&id).is_empty());
    }
}
