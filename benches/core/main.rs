//! `make bench-core`: measures what the core costs, natively and in Envoy's own VM, compared with parsing into a
//! `serde_json::Value`.
//!
//! Arguments are criterion's. With `--quick`, or a name that selects benchmarks, nothing is recorded. Without
//! arguments, everything runs and `benches/record/<date>/core.md` is written. Needs `ENVOY`, and in `LLM_BENCH_WASM`
//! a module built with the feature `bench`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a benchmark fails by panicking"
)]

#[path = "../bodies/mod.rs"]
mod bodies;
mod content;
mod envoy;
mod mixed;
mod native;
mod observing;
mod prompt;
mod record;

use std::path::Path;
use std::time::Duration;

use criterion::Criterion;

fn main() {
    let results = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .without_plots()
        .configure_from_args();
    native::run(&mut criterion);
    mixed::run(&mut criterion);
    content::run(&mut criterion);
    prompt::run(&mut criterion);
    observing::run(&mut criterion);
    criterion.final_summary();
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds this argument.
    arguments.retain(|argument| argument != "--bench");
    let is_quick = arguments == ["--quick"];
    if !arguments.is_empty() && !is_quick {
        return;
    }
    eprintln!(
        "The scan in Envoy's VM: some {} seconds",
        bodies::all("").len() * 6
    );
    let page = record::page(&results, &envoy::measure());
    println!("\n{page}");
    if is_quick {
        eprintln!("not recorded: --quick is for a look");
        return;
    }
    let path = record::write(&page);
    eprintln!("written to {}", path.display());
}
