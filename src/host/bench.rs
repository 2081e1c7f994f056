//! A third root, `llm_bench`, used only by `make bench-core`: it measures how fast the scan is in Envoy's own VM. It
//! measures while it is configured, logs one line for each body, and serves nothing.

#[path = "../../benches/bodies/mod.rs"]
mod bodies;

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::ContextType;

use crate::request::{ModelRequirement, scan};

pub(super) struct BenchRoot;

impl Context for BenchRoot {}

impl RootContext for BenchRoot {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        for (name, body) in bodies::all("gpt-5.5") {
            if scan(&body, ModelRequirement::Required).is_err() {
                log::error!("llm-bench: {name} cannot be routed");
                return false;
            }
            let scan = time(|| {
                let _ = black_box(scan(black_box(&body), ModelRequirement::Required));
            });
            let value = time(|| {
                let _ = black_box(serde_json::from_slice::<serde_json::Value>(black_box(
                    &body,
                )));
            });
            // benches/core/envoy.rs reads this line.
            log::info!(
                "llm-bench: {name} {} bytes scan {scan} ns value {value} ns",
                body.len()
            );
        }
        true
    }
}

/// The length of the warm-up; a round takes a fifth of it.
const WARM_UP: Duration = Duration::from_millis(500);
const ROUNDS: usize = 9;

/// Returns the median of several rounds, in nanoseconds per call. The warm-up is needed because the VM optimizes code
/// while it runs.
fn time(mut work: impl FnMut()) -> u128 {
    let mut times = 0_u32;
    let start = now();
    while since(start) < WARM_UP {
        work();
        times = times.saturating_add(1);
    }
    let times = (times / 5).max(1);
    let mut rounds = [0; ROUNDS];
    for round in &mut rounds {
        let start = now();
        for _ in 0..times {
            work();
        }
        *round = since(start)
            .as_nanos()
            .checked_div(u128::from(times))
            .unwrap_or(0);
    }
    rounds.sort_unstable();
    rounds.get(ROUNDS / 2).copied().unwrap_or(0)
}

fn now() -> SystemTime {
    hostcalls::get_current_time().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn since(start: SystemTime) -> Duration {
    now().duration_since(start).unwrap_or_default()
}
