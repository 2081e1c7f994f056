//! The mock backend. The header `x-bench-answer` selects one of its prepared answers, which is sent after the
//! request's whole body has arrived.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Outcome;

/// The path that returns what the backend has counted so far, as JSON.
pub(crate) const COUNTS: &str = "/bench/counts";

/// The number of events in a streamed answer. One more with the usage follows if the request asks for it.
const EVENTS: usize = 64;
const MANY_EVENTS: usize = 1024;

const PACE: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(2);

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static EVENTS_SENT: AtomicU64 = AtomicU64::new(0);

/// All answers that are ever sent.
struct Answers {
    whole: Bytes,
    events: Stream,
    many: Stream,
    first: Rc<[Bytes]>,
}

/// A stream without and with its usage.
struct Stream {
    plain: Rc<[Bytes]>,
    with_usage: Rc<[Bytes]>,
}

/// Serves until it is killed. Its first line of output is its port.
pub(crate) fn run() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    let answers = Rc::new(Answers::new());
    loop {
        // With too many open files, the least one can do is wait; the load generator will report it.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PACE).await;
            continue;
        };
        tokio::task::spawn_local(connection(stream, Rc::clone(&answers)));
    }
}

async fn connection(stream: TcpStream, answers: Rc<Answers>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| answer(request, Rc::clone(&answers)));
    // A load generator that stops closes its connections.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    answers: Rc<Answers>,
) -> Result<Response<Reply>, hyper::Error> {
    let (head, mut body) = request.into_parts();
    let mut asks_for_usage = false;
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        // Small bodies arrive in one piece, and the large ones here do not ask for streams.
        let part = frame.data_ref().filter(|part| part.len() <= PART);
        asks_for_usage |= part.is_some_and(|part| contains(part, USAGE_WANTED));
    }
    if head.uri.path() == COUNTS {
        return Ok(whole(counts()));
    }
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    let kind = head.headers.get("x-bench-answer");
    Ok(match kind.map_or(&b"whole"[..], |kind| kind.as_bytes()) {
        b"fast" => streamed(answers.events.of(asks_for_usage), None),
        b"many" => streamed(answers.many.of(asks_for_usage), None),
        b"paced" => streamed(answers.events.of(asks_for_usage), Some(PACE)),
        b"first" => streamed(&answers.first, Some(FIRST_PAUSE)),
        _ => whole(answers.whole.clone()),
    })
}

const USAGE_WANTED: &[u8] = br#""include_usage":true"#;
const PART: usize = 4096;

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

fn counts() -> Bytes {
    let requests = REQUESTS.load(Ordering::Relaxed);
    let events = EVENTS_SENT.load(Ordering::Relaxed);
    Bytes::from(format!(r#"{{"requests":{requests},"events":{events}}}"#))
}

fn whole(text: Bytes) -> Response<Reply> {
    with_headers("application/json", Reply::Whole(Some(text)))
}

fn streamed(events: &Rc<[Bytes]>, pace: Option<Duration>) -> Response<Reply> {
    let reply = Reply::Streamed(Events {
        events: Rc::clone(events),
        pace,
        begun: Instant::now(),
        sent: 0,
        has_yielded: false,
        waiting: None,
    });
    with_headers("text/event-stream; charset=utf-8", reply)
}

/// Adds the headers that a provider sends.
fn with_headers(content_type: &'static str, reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", content_type),
        ("x-request-id", "req_6f1f2a0be36b4f0d9d3c0c2f7f9b1c55"),
        ("openai-processing-ms", "412"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("cache-control", "no-cache"),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    response
}

impl Answers {
    fn new() -> Answers {
        let text = "The router reads the model's name out of the body, and no more. ".repeat(9);
        let whole = format!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1790000000,"model":"gpt-5.5-2026-04-23","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":212,"completion_tokens":128,"total_tokens":340,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_bench"}}"#
        );
        let event = |delta: &str, end: &str| {
            Bytes::from(format!(
                "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\
                 \"model\":\"gpt-5.5-2026-04-23\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
                 \"finish_reason\":{end}}}]}}\n\n"
            ))
        };
        let done = Bytes::from_static(b"data: [DONE]\n\n");
        let usage = Bytes::from_static(
            b"data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\
              \"model\":\"gpt-5.5-2026-04-23\",\"choices\":[],\"usage\":{\"prompt_tokens\":212,\"completion_tokens\":61,\
              \"total_tokens\":273}}\n\n",
        );
        let stream = |many: usize| {
            let begin = event(r#"{"role":"assistant","content":""}"#, "null");
            let mut events = vec![begin];
            for index in 0..many - 3 {
                events.push(event(&format!(r#"{{"content":" token {index}"}}"#), "null"));
            }
            events.push(event("{}", r#""stop""#));
            let ended =
                |ends: &[&Bytes]| events.iter().chain(ends.iter().copied()).cloned().collect();
            Stream {
                plain: ended(&[&done]),
                with_usage: ended(&[&usage, &done]),
            }
        };
        Answers {
            whole: Bytes::from(whole),
            events: stream(EVENTS),
            many: stream(MANY_EVENTS),
            // A token with content, so that it ends a hold.
            first: [
                event(r#"{"role":"assistant","content":"The"}"#, "null"),
                done,
            ]
            .into(),
        }
    }
}

impl Stream {
    fn of(&self, asks_for_usage: bool) -> &Rc<[Bytes]> {
        if asks_for_usage {
            &self.with_usage
        } else {
            &self.plain
        }
    }
}

enum Reply {
    Whole(Option<Bytes>),
    Streamed(Events),
}

struct Events {
    events: Rc<[Bytes]>,
    /// The time between two events; `None`: as fast as possible.
    pace: Option<Duration>,
    begun: Instant,
    sent: u32,
    has_yielded: bool,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Reply::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Reply::Streamed(events) => events
                .poll(cx)
                .map(|event| event.map(|event| Ok(Frame::data(event)))),
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Reply::Whole(Some(text)) => {
                hyper::body::SizeHint::with_exact(u64::try_from(text.len()).unwrap_or_default())
            }
            Reply::Whole(None) => hyper::body::SizeHint::with_exact(0),
            Reply::Streamed(_) => hyper::body::SizeHint::default(),
        }
    }
}

impl Events {
    /// Returns the next event. There is always a wait between two events, if only for one turn of the runtime: it
    /// makes hyper write each event separately, as a provider does.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.sent > 0 && self.wait(cx).is_pending() {
            return Poll::Pending;
        }
        let next = usize::try_from(self.sent)
            .ok()
            .and_then(|index| self.events.get(index));
        if next.is_some() {
            self.sent += 1;
            EVENTS_SENT.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(next.cloned())
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(pace) = self.pace else {
            self.has_yielded = !self.has_yielded;
            if self.has_yielded {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        };
        // Counted from the beginning, so that one late event does not delay all others.
        let due = self.begun + pace * self.sent;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep_until(due)));
        let outcome = waiting.as_mut().poll(cx);
        if outcome.is_ready() {
            self.waiting = None;
        }
        outcome
    }
}
