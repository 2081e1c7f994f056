//! Measures the memory of a fresh Envoy: idle, with many bodies held open at once, and after their end.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::envoy::Envoys;
use crate::process::memory_kib;
use crate::record::{Answer, Memory};
use crate::{Outcome, client, requests};

const BODY_BYTES: usize = 2 << 20;

/// The time limit for sending all bodies except their last bytes. Envoy's own limit for a request is a minute.
const SENDING: Duration = Duration::from_secs(45);
/// The time limit for answering all of them after that.
const ANSWERING: Duration = Duration::from_secs(30);
/// The wait before the memory at rest is read.
const REST: Duration = Duration::from_secs(1);

/// How many bodies are sent at a time. If all were sent at once, Envoy would not connect to the backend before its
/// own timeout.
const AT_A_TIME: usize = 64;

pub(crate) fn measure(
    envoys: &Envoys,
    variant: &str,
    bodies: usize,
    after: Duration,
) -> Outcome<Memory> {
    let envoy = envoys.start(variant)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut memory = Memory {
        variant: variant.to_owned(),
        bodies,
        body_bytes: BODY_BYTES,
        after_seconds: after.as_secs(),
        ..Memory::default()
    };
    let pid = envoy.process.id();
    runtime.block_on(async {
        sleep(REST).await;
        memory.idle_kib = memory_kib(pid, "VmRSS");
        if let Err(error) = load(envoy.port, pid, &mut memory).await {
            memory.failure = Some(error.to_string());
        }
        memory.peak_kib = memory_kib(pid, "VmHWM");
        sleep(after).await;
        memory.after_kib = memory_kib(pid, "VmRSS");
    });
    Ok(memory)
}

async fn load(port: u16, pid: u32, memory: &mut Memory) -> Outcome<()> {
    let request = Arc::new(request()?);
    let sending = Arc::new(Semaphore::new(AT_A_TIME));
    let (sent, mut all_sent) = mpsc::channel::<()>(1);
    let (release, released) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..memory.bodies {
        let (request, sending) = (Arc::clone(&request), Arc::clone(&sending));
        let (sent, released) = (sent.clone(), released.clone());
        tasks.spawn(async move {
            one(port, &request, &sending, sent, released)
                .await
                .map_err(|error| error.to_string())
        });
    }
    drop(sent);
    // The channel closes when every sender is dropped, which happens when its body was sent or has failed.
    let in_time = timeout(SENDING, all_sent.recv()).await.is_ok();
    sleep(REST).await;
    memory.held_kib = memory_kib(pid, "VmRSS");
    release.send(true)?;

    let outcome = timeout(ANSWERING, async {
        let mut failures = Vec::new();
        while let Some(outcome) = tasks.join_next().await {
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failures.push(error),
                Err(error) => failures.push(error.to_string()),
            }
        }
        failures
    })
    .await;
    let bodies = memory.bodies;
    match outcome {
        Err(_) => Err(format!("not all of {bodies} were answered in time").into()),
        Ok(failures) => match failures.first() {
            Some(first) => {
                Err(format!("{} of {bodies} failed, the first: {first}", failures.len()).into())
            }
            None if !in_time => Err(format!(
                "{bodies} bodies were not sent within {} s",
                SENDING.as_secs()
            )
            .into()),
            None => Ok(()),
        },
    }
}

/// A large conversation, doubled in size by a field that is not read.
fn request() -> Outcome<Vec<u8>> {
    let mut body = requests::body("conversation-1m", Answer::Whole)?;
    body.pop();
    body.extend_from_slice(b",\"metadata\":{\"note\":\"");
    let end = b"\"}}";
    body.resize(BODY_BYTES - end.len(), b'n');
    body.extend_from_slice(end);
    let headers = requests::headers(Answer::Whole);
    let mut request = client::head("POST", requests::PATH, &headers, body.len(), true);
    request.append(&mut body);
    Ok(request)
}

async fn one(
    port: u16,
    request: &[u8],
    sending: &Semaphore,
    sent: mpsc::Sender<()>,
    mut released: watch::Receiver<bool>,
) -> Outcome<()> {
    let Some((last, beginning)) = request.split_last() else {
        return Ok(());
    };
    let permit = sending.acquire().await?;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(beginning).await?;
    drop(permit);
    drop(sent);
    released.wait_for(|released| *released).await?;
    stream.write_all(&[*last]).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    match client::status(&answer) {
        Some(200) => Ok(()),
        status => Err(format!("answered {status:?}").into()),
    }
}
