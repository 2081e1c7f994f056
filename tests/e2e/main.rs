//! End-to-end tests: the filter in a real Envoy, between real clients and recording backends.
//!
//! `make test` runs them. On their own they need two absolute paths in the environment, `ENVOY` (Envoy 1.40) and
//! `LLM_ROUTER_WASM`; names of trials can be given as for any Rust test. After a failure, all configurations and logs
//! of the Envoys stay below `target/tmp/`.
//!
//! A trial checks what a backend *recorded*, not only what the client got. The matcher's `on_no_match` leads to a
//! backend that no request may ever reach, so no trial passes because Envoy happened to choose correctly without the
//! filter.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod apis;
mod callers;
mod configuration;
mod errors;
mod examples;
mod fallback;
mod flag;
mod fleet;
mod harness;
mod health;
mod hygiene;
mod input;
#[cfg(feature = "cli")]
mod metrics;
mod outcomes;
mod page;
#[cfg(feature = "cli")]
mod rendered;
mod rewriting;
mod routing;
mod sizes;
mod streams;
mod tls;
mod verdicts;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use harness::Suite;
use harness::envoy::Programs;
use harness::world::World;

/// Most trials spend their time waiting: for limits to pass, or for another trial's Envoy to start.
const TRIALS_AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TRIALS_AT_ONCE);
    let world = match Programs::from_environment().and_then(World::start) {
        Ok(world) => Arc::new(world),
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    harness::suite::install_panic_hook();
    let conclusion = libtest_mimic::run(&arguments, trials(&world));
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    let complaints = health::complaints(&world);
    for complaint in &complaints {
        eprintln!("after all trials: {complaint}");
    }
    let directory = world.programs.directory.clone();
    // Stops the Envoys, whatever has happened.
    drop(world);
    if conclusion.has_failed() || !complaints.is_empty() {
        eprintln!(
            "What the Envoys were told and have logged is in {}",
            directory.display()
        );
        return ExitCode::FAILURE;
    }
    // Leftover files that nobody needs: failing to remove them is not an error.
    let _ = std::fs::remove_dir_all(directory);
    ExitCode::SUCCESS
}

fn trials(world: &Arc<World>) -> Vec<libtest_mimic::Trial> {
    let mut suite = Suite::new(Arc::clone(world));
    routing::add(&mut suite);
    configuration::add(&mut suite, world);
    rewriting::add(&mut suite);
    hygiene::add(&mut suite);
    fallback::add(&mut suite);
    verdicts::add(&mut suite);
    streams::add(&mut suite);
    errors::add(&mut suite);
    sizes::add(&mut suite);
    flag::add(&mut suite);
    apis::add(&mut suite);
    callers::add(&mut suite);
    input::add(&mut suite);
    outcomes::add(&mut suite, world);
    page::add(&mut suite, world);
    tls::add(&mut suite);
    examples::add(&mut suite, &world.programs, &world.backends.trusted_ca);
    #[cfg(feature = "cli")]
    rendered::add(&mut suite, world);
    #[cfg(feature = "cli")]
    metrics::add(&mut suite, world);
    suite.into_trials()
}
