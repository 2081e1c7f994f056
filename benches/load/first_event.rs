//! Measures the time from a request to its answer's first event, alternating between two ways: through bare Envoy and
//! llm-router, or through llm-router with and without holding the answer back until then.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::record::summary::Stat;
use crate::record::{Answer, FirstEvent, HeldToken};
use crate::{Outcome, client, requests};

const PATIENCE: Duration = Duration::from_secs(10);

/// How many pairs are sent before those that count.
const WARM_UP: usize = 100;

/// The end of a chunked answer.
const END: &[u8] = b"0\r\n\r\n";

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Connection {
    fn open(port: u16, model: &str) -> Outcome<Connection> {
        let body = requests::body_for("chat-1k", Answer::First, model)?;
        let headers = requests::headers(Answer::First);
        let mut request = client::head("POST", requests::PATH, &headers, body.len(), false);
        request.extend_from_slice(&body);
        Ok(Connection {
            stream: client::connect(port, PATIENCE)?,
            request,
        })
    }

    /// Returns the time until the first event, in microseconds.
    fn first_event(&mut self) -> Outcome<f64> {
        let begun = Instant::now();
        self.stream.write_all(&self.request)?;
        let mut answer = Vec::new();
        let mut first = None;
        while !answer.ends_with(END) {
            let mut part = [0; 4096];
            let length = self.stream.read(&mut part)?;
            let part = part.get(..length).unwrap_or_default();
            if part.is_empty() {
                return Err("the answer ended early".into());
            }
            answer.extend_from_slice(part);
            if first.is_none() && contains(&answer, b"data: ") {
                first = Some(begun.elapsed());
            }
        }
        match (client::status(&answer), first) {
            (Some(200), Some(first)) => Ok(first.as_secs_f64() * 1e6),
            (status, _) => Err(format!("answered {status:?}").into()),
        }
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// The times of both ways, and the differences of the pairs: median and 99th percentile, in microseconds.
struct Pairs {
    one: (f64, f64),
    other: (f64, f64),
    added: (f64, f64),
}

/// Compares bare Envoy with llm-router.
pub(crate) fn measure(bare: u16, router: u16, pairs: usize) -> Outcome<FirstEvent> {
    let model = requests::MODEL;
    let found = compare((bare, model), (router, model), pairs)?;
    Ok(FirstEvent {
        pairs,
        bare_p50_us: found.one.0,
        bare_p99_us: found.one.1,
        router_p50_us: found.other.0,
        router_p99_us: found.other.1,
        added_p50_us: found.added.0,
        added_p99_us: found.added.1,
    })
}

/// Compares two routes of llm-router: one passes an answer on as it arrives, the other holds it until its first
/// token.
pub(crate) fn measure_held(router: u16, pairs: usize) -> Outcome<HeldToken> {
    let found = compare((router, requests::UNHELD), (router, requests::HELD), pairs)?;
    Ok(HeldToken {
        pairs,
        unheld_p50_us: found.one.0,
        unheld_p99_us: found.one.1,
        held_p50_us: found.other.0,
        held_p99_us: found.other.1,
        added_p50_us: found.added.0,
        added_p99_us: found.added.1,
    })
}

fn compare(one: (u16, &str), other: (u16, &str), pairs: usize) -> Outcome<Pairs> {
    let mut one = Connection::open(one.0, one.1)?;
    let mut other = Connection::open(other.0, other.1)?;
    let mut times = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs + WARM_UP {
        // Alternate the order, so that neither is always second.
        let (of_one, of_other) = if pair % 2 == 0 {
            let of_one = one.first_event()?;
            (of_one, other.first_event()?)
        } else {
            let of_other = other.first_event()?;
            (one.first_event()?, of_other)
        };
        if pair >= WARM_UP {
            times.0.push(of_one);
            times.1.push(of_other);
            times.2.push(of_other - of_one);
        }
    }
    Ok(Pairs {
        one: percentiles(times.0)?,
        other: percentiles(times.1)?,
        added: percentiles(times.2)?,
    })
}

fn percentiles(mut times: Vec<f64>) -> Outcome<(f64, f64)> {
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied();
    let p50 = Stat::of(times).map(|stat| stat.median);
    p50.zip(p99).ok_or_else(|| "no time was measured".into())
}
