//! Chaos test: backends are killed, revived, slowed down and made to lie at random, under hundreds of concurrent
//! requests.
//!
//! Every request must end within its deadline. No truncated answer may look complete. With `hold: complete`, every
//! answer must be complete, because one target of each route never fails. No backend may see more attempts than the
//! policy allows. Envoy must survive, nothing in the filter may crash, and repeating a round must not take more memory.
//!
//! `make test` runs a short version. Environment variables: `CHAOS_SECONDS` (of each of the two rounds), `CHAOS_SEED`
//! and `CHAOS_CLIENTS`. On its own the test needs `ENVOY` and `LLM_ROUTER_WASM`, like the end-to-end tests.
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

/// The default duration of each of the two rounds, in seconds.
const SECONDS: u64 = 12;
/// The number of concurrent clients.
const CLIENTS: u64 = 200;
/// How much more memory the second round may take, in percent: for rounds of a minute, and for short ones, which begin
/// before everything has reached its size.
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
        // Leftover files that nobody needs: failing to remove them is not an error.
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
        // A first round, so that everything has reached its size before the two that are compared.
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
