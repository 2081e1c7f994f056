//! A round of the chaos test: clients make requests while backends fail, and the results are counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::backends::Backends;
use crate::harness::envoy::Envoy;
use crate::random::Random;
use crate::request::{self, ChaosRequest, Outcome, RequestResult};

/// The time between two progress lines.
const PERIOD: Duration = Duration::from_secs(3);

/// How long Envoy gets to release the memory of the last requests.
const REST: Duration = Duration::from_secs(2);

/// How many clients share an HTTP/2 connection. The others have an HTTP/1.1 connection each.
const SHARING: u64 = 10;

/// What all rounds share.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    backends: Backends,
    requests: AtomicU64,
    /// The requests of clients that left.
    left: Mutex<Vec<String>>,
    complaints: Mutex<Vec<String>>,
}

/// The settings of one round.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) clients: u64,
    pub(crate) time: Duration,
}

/// The results of a round's requests.
#[derive(Default)]
struct Tally {
    /// How requests ended, by how their answers were held.
    outcomes: BTreeMap<(&'static str, Outcome), u64>,
    /// How many attempts requests had.
    attempts: BTreeMap<usize, u64>,
    /// How often each failure occurred.
    failures: BTreeMap<String, u64>,
    slowest: Duration,
}

impl Tally {
    fn add(&mut self, ask: ChaosRequest, ended: &RequestResult, time: Duration) {
        *self.outcomes.entry((ask.hold, ended.outcome)).or_default() += 1;
        if ended.attempts > 0 {
            *self.attempts.entry(ended.attempts).or_default() += 1;
        }
        let failures = ended.failures.split(", ");
        for (_, failure) in failures.filter_map(|failure| failure.split_once('=')) {
            *self.failures.entry(failure.to_owned()).or_default() += 1;
        }
        self.slowest = self.slowest.max(time);
    }
}

impl World {
    pub(crate) fn new(envoy: Envoy, backends: Backends) -> Self {
        Self {
            envoy,
            backends,
            requests: AtomicU64::new(0),
            left: Mutex::default(),
            complaints: Mutex::default(),
        }
    }

    fn complain(&self, complaint: String) {
        println!("! {complaint}");
        self.complaints
            .lock()
            .expect("no thread panics with it")
            .push(complaint);
    }

    /// Checks that the attempts of a request were within its policy.
    fn look_at_attempts(&self, id: &str) {
        let attempts = self.backends.take(id);
        if let Some(complaint) = request::complaint(id, &attempts) {
            self.complain(complaint);
        }
    }

    /// Returns all complaints after the last round.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let mut all = self
            .complaints
            .lock()
            .expect("no thread panics with it")
            .clone();
        match self.envoy.admin("/ready").await {
            Ok(ready) if ready.trim() == "LIVE" => {}
            other => all.push(format!("Envoy is not well: {other:?}")),
        }
        let log = self.envoy.log();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for line in log.lines().filter(|line| is_of_the_filter(line)) {
            // Ignore the time and the thread of each line.
            let what = line.split("][").skip(2).collect::<Vec<_>>().join("][");
            *lines.entry(what).or_default() += 1;
        }
        for (line, count) in lines {
            // The only expected error in the log is about a backend that rejects the gateway's key.
            if line.contains("rejects the gateway's key") {
                println!("logged {count} times: {line}");
            } else {
                all.push(format!("logged {count} times: {line}"));
            }
        }
        let kept = self.backends.kept();
        if kept > 0 {
            all.push(format!(
                "{kept} attempts reached a backend after their request had ended"
            ));
        }
        all
    }

    pub(crate) async fn memory(&self) -> Option<Memory> {
        let status = format!("/proc/{}/status", self.envoy.child.id());
        let status = std::fs::read_to_string(status).ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident_kib = resident.trim().trim_end_matches(" kB").parse().ok()?;
        let memory = self.envoy.admin("/memory").await.ok()?;
        let memory: serde_json::Value = serde_json::from_str(&memory).ok()?;
        let allocated_kib = memory["allocated"].as_str()?.parse::<f64>().ok()? / 1024.0;
        Some(Memory {
            resident_kib,
            allocated_kib,
        })
    }
}

/// Whether a line is a warning or an error about the module.
fn is_of_the_filter(line: &str) -> bool {
    let is_bad = [
        "[warning]",
        "[error]",
        "[critical]",
        "panicked",
        "Wasm VM failed",
    ]
    .iter()
    .any(|mark| line.contains(mark));
    is_bad && (line.contains("wasm") || line.contains("[critical]"))
}

/// Envoy's memory.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident_kib: f64,
    allocated_kib: f64,
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resident, allocated) = (self.resident_kib / 1024.0, self.allocated_kib / 1024.0);
        write!(formatter, "{resident:.1} MiB (allocated {allocated:.1})")
    }
}

/// Runs a round to its end.
pub(crate) async fn run(world: &Arc<World>, round: Round) {
    let tally: Arc<Mutex<Tally>> = Arc::default();
    let begun = Instant::now();
    let end = begun + round.time;
    let mut clients = tokio::task::JoinSet::new();
    let mut shared = http2();
    for number in 0..round.clients {
        let client = if number % 2 == 0 {
            http1()
        } else {
            if number / 2 % SHARING == 0 {
                shared = http2();
            }
            shared.clone()
        };
        let (world, tally) = (Arc::clone(world), Arc::clone(&tally));
        clients.spawn(async move {
            let mut random =
                Random::new(round.seed ^ (number + 1).wrapping_mul(0xd134_2543_de82_ef95));
            while Instant::now() < end {
                let ask = ChaosRequest::random(&mut random);
                let asked = Instant::now();
                if let Some(ended) = ask_once(&world, &client, ask).await {
                    locked(&tally).add(ask, &ended, asked.elapsed());
                }
            }
        });
    }
    let everybody = async { while clients.join_next().await.is_some() {} };
    let telling = async {
        loop {
            tokio::time::sleep(PERIOD).await;
            tell(world, &tally, round, begun).await;
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(world.backends.inject_faults(round.seed, round.time), everybody) } => {}
        () = telling => {}
    }
    let number = round.number;
    {
        let tally = locked(&tally);
        for ((hold, outcome), count) in &tally.outcomes {
            println!(
                "round {number}: hold {hold:<12} {:<16} {count}",
                format!("{outcome:?}")
            );
        }
        println!(
            "round {number}: attempts {:?}, failed {:?}",
            tally.attempts, tally.failures
        );
        println!("round {number}: the slowest took {:.1?}", tally.slowest);
    }
    tokio::time::sleep(REST).await;
    for id in std::mem::take(&mut *locked(&world.left)) {
        world.look_at_attempts(&id);
    }
}

async fn tell(world: &World, tally: &Mutex<Tally>, round: Round, begun: Instant) {
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    for ((_, outcome), count) in &locked(tally).outcomes {
        *outcomes.entry(*outcome).or_default() += count;
    }
    let memory = world
        .memory()
        .await
        .map_or_else(String::new, |memory| memory.to_string());
    println!(
        "round {} after {:>2.0?}: {outcomes:?}; Envoy {memory}",
        round.number,
        begun.elapsed()
    );
}

async fn ask_once(
    world: &World,
    client: &reqwest::Client,
    ask: ChaosRequest,
) -> Option<RequestResult> {
    let id = format!("chaos-{}", world.requests.fetch_add(1, Ordering::Relaxed));
    let made = request::make(client, world.envoy.address, &id, ask).await;
    if made
        .as_ref()
        .is_ok_and(|ended| ended.outcome == Outcome::Left)
    {
        // For a client that left, attempts may still arrive later.
        locked(&world.left).push(id);
    } else {
        world.look_at_attempts(&id);
    }
    match made {
        Ok(ended) => Some(ended),
        Err(complaint) => {
            world.complain(complaint);
            None
        }
    }
}

fn http1() -> reqwest::Client {
    client(reqwest::Client::builder().http1_only())
}

fn http2() -> reqwest::Client {
    client(reqwest::Client::builder().http2_prior_knowledge())
}

fn client(builder: reqwest::ClientBuilder) -> reqwest::Client {
    let builder = builder.no_proxy().retry(reqwest::retry::never());
    builder.build().expect("a client")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics with it")
}
