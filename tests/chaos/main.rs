//! Backends that are killed, revived, slowed and made to lie at random, under hundreds of requests at a time.
//!
//! What has to hold for each request: it ends inside its deadline; no answer is truncated and looks whole; with
//! `hold: complete` it is answered whole, because one target of each route is well all the time; no backend sees more
//! attempts than the policy allows. And for Envoy: it lives, nothing in the filter crashes, and a round that is the same
//! as the one before it takes no more memory.
//!
//! `make test` runs a short one. In the environment: `CHAOS_SECONDS` for each of the two rounds, `CHAOS_SEED`,
//! `CHAOS_CLIENTS`. By itself it needs `ENVOY` and `LLM_ROUTER_WASM` as the end-to-end tests do.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod backends;
mod document;
mod random;
mod request;
mod round;

#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod harness;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use backends::Backends;
use harness::envoy::{Envoy, Programs};
use round::{Round, World};

/// How long each of the two rounds takes where nothing is said, in seconds.
const SECONDS: u64 = 12;
/// How many clients ask at a time.
const CLIENTS: u64 = 200;
/// How much more memory the second round may take, in percent: of a minute each, and of short ones, which begin before
/// everything has its size.
const GROWTH: f64 = 2.0;
const GROWTH_OF_SHORT_ROUNDS: f64 = 3.0;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let chaos = Trial::test("chaos::nobody_notices_more_than_they_must", || {
        chaos().map_err(Failed::from)
    });
    libtest_mimic::run(&arguments, vec![chaos]).exit_code()
}

fn from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {value:?}")),
        Err(_) => default,
    }
}

fn chaos() -> Result<(), String> {
    let programs = Programs::from_environment()?;
    let seconds = from_environment("CHAOS_SECONDS", SECONDS);
    let seed = from_environment("CHAOS_SEED", 1);
    let clients = from_environment("CHAOS_CLIENTS", CLIENTS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let result = runtime.block_on(rounds(&programs, seconds, seed, clients));
    if result.is_ok() {
        // Leftovers that nobody needs; that they cannot be removed is no failure.
        let _ = std::fs::remove_dir_all(&programs.directory);
    }
    result
}

async fn rounds(programs: &Programs, seconds: u64, seed: u64, clients: u64) -> Result<(), String> {
    let backends = Backends::start();
    let config = document::config(&backends);
    let envoy = Envoy::start(programs, "chaos", 2, &config).await?;
    let world = Arc::new(World::new(envoy, backends));
    println!("seed {seed}, {clients} clients, {seconds} s a round");
    let is_long = seconds >= 60;
    if !is_long {
        // So that the two below find everything at its size.
        round::run(
            &world,
            Round {
                number: 0,
                seed,
                clients,
                time: Duration::from_secs(seconds / 2),
            },
        )
        .await;
    }
    let mut sizes = vec![];
    for number in 1..=2 {
        let time = Duration::from_secs(seconds);
        round::run(
            &world,
            Round {
                number,
                seed,
                clients,
                time,
            },
        )
        .await;
        sizes.push(world.memory().await);
    }
    let mut complaints = world.complaints().await;
    if let [Some(first), Some(second)] = sizes.as_slice() {
        let (before, after) = (first.resident_kib, second.resident_kib);
        let growth = (after - before) / before * 100.0;
        println!(
            "Envoy's memory: {first} after the first round, {second} after the second: {growth:+.2} %"
        );
        let limit = if is_long {
            GROWTH
        } else {
            GROWTH_OF_SHORT_ROUNDS
        };
        if growth >= limit {
            complaints.push(format!(
                "the second round took {growth:.2} % more memory, of {limit} %"
            ));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    let count = complaints.len();
    complaints.truncate(10);
    Err(format!(
        "{count} complaints, the first of them:\n{}\nEnvoy's log is {}",
        complaints.join("\n"),
        world.envoy.log.display()
    ))
}
