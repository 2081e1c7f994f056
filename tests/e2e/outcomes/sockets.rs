//! Trials of how WebSocket sessions end, and by whom.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ENVOY, logged};
use crate::harness::{Case, Protocol, Suite};

pub(crate) fn add(suite: &mut Suite) {
    let h1 = Protocol::Http1;
    suite.on("outcomes::sockets", ENVOY, h1, sockets);
    suite.on("outcomes::silent_sockets", ENVOY, h1, silent);
    suite.on("outcomes::refused_sockets", ENVOY, h1, refused);
}

const LIMIT: Duration = Duration::from_secs(10);

/// Close frames with the status code 1000: the server's, and the client's with its mask.
pub(crate) const CLOSING: &[u8] = b"\x88\x02\x03\xe8";
const CLOSING_TOO: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// A text message of five letters, as servers send it.
pub(crate) const HELLO: &[u8] = b"\x81\x05hello";

/// Opens a session. Returns the connection after the head of the answer, and the request's ID.
pub(crate) async fn open(case: &Case, route: &str) -> (TcpStream, String) {
    let id = case.world.next_test_id();
    let mut stream = TcpStream::connect(case.envoy.address)
        .await
        .expect("Envoy accepts connections");
    let head = format!(
        "GET /v1/raw/session HTTP/1.1\r\nhost: gateway.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         x-test-id: {id}\r\nx-test-route: {route}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = vec![];
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(LIMIT, stream.read_u8()).await;
        answer.push(byte.expect("an answer").expect("an answer"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    (stream, id)
}

/// Sends bytes and waits for their echo.
pub(crate) async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("it is sent");
    let mut back = vec![0; bytes.len()];
    let read = tokio::time::timeout(LIMIT, stream.read_exact(&mut back)).await;
    read.expect("it comes back").expect("it comes back");
    assert_eq!(back, bytes);
}

/// Waits until the other side disconnects.
pub(crate) async fn hung_up(stream: &mut TcpStream) {
    let read = tokio::time::timeout(LIMIT, stream.read(&mut [0; 10])).await;
    // A reset counts, too.
    assert_eq!(read.expect("it ends").unwrap_or(0), 0);
}

/// The backend echoes everything until it is told to `close` or `break` the connection.
async fn sockets(case: Case) {
    for (said, then, end) in [
        // Sessions with close frames, whoever disconnects first.
        (&[HELLO, CLOSING][..], "close", "complete"),
        (&[HELLO, CLOSING], "break", "complete"),
        (&[HELLO, CLOSING], "", "complete"),
        (&[CLOSING_TOO], "close", "complete"),
        // Sessions without close frames.
        (&[HELLO], "close", "cut"),
        (&[HELLO], "break", "cut"),
        (&[HELLO], "", "client_gone"),
        (&[], "break", "cut"),
        (&[], "", "client_gone"),
    ] {
        let (mut stream, id) = open(&case, "").await;
        for bytes in said {
            say(&mut stream, bytes).await;
        }
        if !then.is_empty() {
            stream.write_all(then.as_bytes()).await.expect("it is sent");
            hung_up(&mut stream).await;
        }
        drop(stream);
        let line = logged(&case, &id).await;
        let back: usize = said.iter().map(|bytes| bytes.len()).sum();
        line.says(&[
            ("route", "raw"),
            ("decision", "pass_through"),
            ("status", "101"),
            ("end", end),
            ("backend", "scripted"),
            ("verdict", "accepted"),
            ("attempts", "1"),
            ("sent", &back.to_string()),
            ("received", &(back + then.len()).to_string()),
        ]);
        assert_eq!(lines(&case, &id), 1);
    }
}

/// Returns the number of access log lines for a request.
fn lines(case: &Case, id: &str) -> usize {
    let marker = format!("\"id\":\"{id}\"");
    let log = case.envoy.log();
    log.lines().filter(|line| line.contains(&marker)).count()
}

/// Envoy closes an idle session.
async fn silent(case: Case) {
    for (said, end) in [
        (&[][..], "cut"),
        (&[HELLO], "cut"),
        (&[CLOSING], "complete"),
    ] {
        let (mut stream, id) = open(&case, "idle").await;
        for bytes in said {
            say(&mut stream, bytes).await;
        }
        hung_up(&mut stream).await;
        let line = logged(&case, &id).await;
        line.says(&[("end", end), ("verdict", "accepted"), ("flags", "SI")]);
    }
}

/// A backend refuses an upgrade.
async fn refused(case: Case) {
    let call = case
        .get("/v1/files/x")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let answer = call.send_on(&mut case.connect().await).await;
    let line = logged(&case, &answer.id).await;
    line.says(&[
        ("end", "complete"),
        ("status", &answer.status.to_string()),
        ("backend", "one"),
        ("attempts", "1"),
    ]);
}
