//! A trial with a thousand concurrent bodies of 2 MB, more than Envoy's heap can hold.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::channel::Channel;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

use crate::fleet::SharedEnvoy;
use crate::fleet::sizes::HEAP;
use crate::harness::{Case, Protocol, Suite};

const CLIENTS: usize = 1000;
/// How many of them share an HTTP/2 connection.
const STREAMS: usize = 10;
const BODY: usize = 2_000_000;

/// How long a client tries to send its body while others send theirs.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn add(suite: &mut Suite) {
    for protocol in Protocol::ALL {
        let name = "sizes::a_thousand_bodies_of_two_megabytes";
        suite.alone(name, SharedEnvoy::Overload, protocol, a_thousand_bodies);
    }
}

/// How the request of one client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ClientResult {
    Answered(u16),
    Reset,
}

/// Where all clients meet before any of them sends its last byte. Each drops the sender when it has sent the rest or is
/// gone; the receiver tells when all have.
type StartBarrier = (mpsc::Sender<()>, watch::Receiver<bool>);

async fn a_thousand_bodies(case: Case) {
    assert!(
        CLIENTS * BODY > usize::try_from(HEAP).unwrap() * 4,
        "it would fit"
    );
    let filler = "x".repeat(BODY);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": filler}]}).to_string();
    let body = Arc::new(body.into_bytes());
    let (busy, mut all_idle) = mpsc::channel(1);
    let (tell, told) = watch::channel(false);
    let address = case.envoy.address;
    let connections: Vec<reqwest::Client> = (0..CLIENTS / STREAMS)
        .map(|_| {
            let client = reqwest::Client::builder()
                .no_proxy()
                .http2_prior_knowledge();
            client.build().expect("a client")
        })
        .collect();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            let (meeting, body) = ((busy.clone(), told.clone()), Arc::clone(&body));
            let connection = connections[index % connections.len()].clone();
            match case.protocol {
                Protocol::Http1 => tokio::spawn(by_http1(address, body, meeting)),
                Protocol::Http2 => tokio::spawn(by_http2(address, connection, body, meeting)),
            }
        })
        .collect();
    drop(busy);
    // Nothing is sent through the channel: it closes when all clients have dropped their senders.
    let _ = all_idle.recv().await;
    tell.send_replace(true);
    let mut ends: BTreeMap<ClientResult, usize> = BTreeMap::new();
    for client in clients {
        let end = tokio::time::timeout(Duration::from_secs(35), client).await;
        let end = end.unwrap_or_else(|_| panic!("no end{}", case.envoy.log_tail()));
        *ends.entry(end.expect("no client panics")).or_default() += 1;
    }
    let clean = [
        ClientResult::Answered(200),
        ClientResult::Answered(413),
        ClientResult::Answered(503),
        ClientResult::Reset,
    ];
    assert!(ends.keys().all(|end| clean.contains(end)), "{ends:?}");
    // The load was too much for some requests, and memory stayed within the limit, including what Envoy needs beside
    // its heap.
    assert!(
        ends.keys().any(|end| *end != ClientResult::Answered(200)),
        "{ends:?}"
    );
    let peak = peak_memory(case.envoy.child.id());
    assert!(peak.is_none_or(|peak| peak < HEAP * 2), "{peak:?} {ends:?}");
    // Afterwards everything works as before.
    no_longer_overloaded(&case).await;
    for attempt in 0.. {
        let answer = case.chat("m").send().await;
        if answer.status == 200 {
            break;
        }
        assert!(attempt < 100, "it does not recover{}", answer.describe());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for _ in 0..20 {
        case.chat("m").send().await.is(200);
    }
}

/// Waits until Envoy is no longer overloaded. Its main thread checks the heap every 20 ms, or later on a busy machine.
/// Until it notices that the memory is free, connections with new data are still closed with a GOAWAY, which could
/// affect the next request.
async fn no_longer_overloaded(case: &Case) {
    let mut active = vec![];
    for _ in 0..100 {
        let stats = case.envoy.admin("/stats?filter=^overload").await;
        let stats = stats.expect("the admin interface answers");
        let gauges = stats.lines().filter_map(|line| line.split_once(": "));
        active = gauges
            .filter(|(name, value)| name.ends_with(".scale_percent") && *value != "0")
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert!(stats.contains(".scale_percent: "), "{stats}");
        if active.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it stays overloaded: {active:?}");
}

/// Returns the peak memory of a process in bytes, if the system reports it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

async fn by_http1(address: SocketAddr, body: Arc<Vec<u8>>, meeting: StartBarrier) -> ClientResult {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return ClientResult::Reset;
    };
    let (mut reader, mut writer) = stream.split();
    let writing = write(&mut writer, &body, meeting);
    let reading = status(&mut reader);
    tokio::pin!(writing, reading);
    let status = tokio::select! {
        biased;
        status = &mut reading => status,
        // Whatever the result: the answer tells more.
        _ = &mut writing => reading.await,
    };
    status.map_or(ClientResult::Reset, ClientResult::Answered)
}

async fn by_http2(
    address: SocketAddr,
    connection: reqwest::Client,
    body: Arc<Vec<u8>>,
    (busy, mut told): StartBarrier,
) -> ClientResult {
    let (mut sender, channel) = Channel::<Bytes, io::Error>::new(1);
    let request = connection
        .post(format!("http://{address}/v1/chat/completions"))
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(reqwest::Body::wrap(channel));
    let writing = async {
        let (most, last) = body.split_at(body.len() - 1);
        let mut pieces = most.chunks(65_536);
        let sending = async {
            for piece in pieces.by_ref() {
                sender.send_data(Bytes::copy_from_slice(piece)).await?;
            }
            Ok::<_, http_body_util::channel::SendError>(())
        };
        // What Envoy has not accepted by then is not sent at all.
        let sent = tokio::time::timeout(PATIENCE, sending).await;
        drop(busy);
        let _ = told.wait_for(|all| *all).await;
        if matches!(sent, Ok(Ok(()))) {
            let _ = sender.send_data(Bytes::copy_from_slice(last)).await;
        }
        drop(sender);
    };
    let receiving = request.send();
    tokio::pin!(writing, receiving);
    let answer = tokio::select! {
        biased;
        answer = &mut receiving => answer,
        () = &mut writing => receiving.await,
    };
    answer.map_or(ClientResult::Reset, |answer| {
        ClientResult::Answered(answer.status().as_u16())
    })
}

/// Writes all but the last byte, or as much as Envoy accepts for now, meets the others, and writes the rest.
async fn write(writer: &mut WriteHalf<'_>, body: &[u8], meeting: StartBarrier) -> io::Result<()> {
    let (busy, mut told) = meeting;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let (most, last) = body.split_at(body.len() - 1);
    let sending = async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(most).await
    };
    tokio::pin!(sending);
    let sent = tokio::time::timeout(PATIENCE, &mut sending).await;
    drop(busy);
    let _ = told.wait_for(|all| *all).await;
    match sent {
        Ok(sent) => sent?,
        Err(_) => sending.await?,
    }
    writer.write_all(last).await
}

/// Reads the status of an answer.
async fn status(reader: &mut ReadHalf<'_>) -> io::Result<u16> {
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await?;
    let status = line.get(9..12).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}
