//! The time from a request to its answer's first event, through bare Envoy and llm-router in turn.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::record::summary::Stat;
use crate::record::{Answer, FirstEvent};
use crate::{Outcome, client, requests};

const PATIENCE: Duration = Duration::from_secs(10);

/// How many pairs go before those that count.
const WARM_UP: usize = 100;

/// Where a chunked answer ends.
const END: &[u8] = b"0\r\n\r\n";

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Outcome<Connection> {
        let body = requests::body("chat-1k", Answer::First)?;
        let headers = requests::headers(Answer::First);
        let mut request = client::head("POST", requests::PATH, &headers, body.len(), false);
        request.extend_from_slice(&body);
        Ok(Connection {
            stream: client::connect(port, PATIENCE)?,
            request,
        })
    }

    /// In microseconds.
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

pub(crate) fn measure(bare: u16, router: u16, pairs: usize) -> Outcome<FirstEvent> {
    let mut bare = Connection::open(bare)?;
    let mut router = Connection::open(router)?;
    let mut times = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs + WARM_UP {
        // Neither is always the second.
        let (of_bare, of_router) = if pair % 2 == 0 {
            let of_bare = bare.first_event()?;
            (of_bare, router.first_event()?)
        } else {
            let of_router = router.first_event()?;
            (bare.first_event()?, of_router)
        };
        if pair >= WARM_UP {
            times.0.push(of_bare);
            times.1.push(of_router);
            times.2.push(of_router - of_bare);
        }
    }
    let (bare_p50_us, bare_p99_us) = percentiles(times.0)?;
    let (router_p50_us, router_p99_us) = percentiles(times.1)?;
    let (added_p50_us, added_p99_us) = percentiles(times.2)?;
    Ok(FirstEvent {
        pairs,
        bare_p50_us,
        bare_p99_us,
        router_p50_us,
        router_p99_us,
        added_p50_us,
        added_p99_us,
    })
}

fn percentiles(mut times: Vec<f64>) -> Outcome<(f64, f64)> {
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied();
    let p50 = Stat::of(times).map(|stat| stat.median);
    p50.zip(p99).ok_or_else(|| "no time was measured".into())
}
