//! The results of a benchmark: raw in `results.json`, from which everything that people read is rendered.
//!
//! Nothing here measures anything or reads the clock, so that a test can prove that a record and README.md contain
//! exactly what the numbers render to.

pub(crate) mod goals;
pub(crate) mod observing;
pub(crate) mod page;
pub(crate) mod readme;
pub(crate) mod summary;
pub(crate) mod svg;
pub(crate) mod tables;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) const DIRECT: &str = "direct";
pub(crate) const BARE: &str = "bare";
pub(crate) const NO_WASM: &str = "no-wasm";
pub(crate) const BUFFER: &str = "buffer";
pub(crate) const NOOP_1: &str = "noop-1";
pub(crate) const NOOP_2: &str = "noop-2";
pub(crate) const UNOBSERVED: &str = "unobserved";
pub(crate) const OBSERVED: &str = "observed";
pub(crate) const ROUTER: &str = "llm-router";
pub(crate) const ROUTER_100: &str = "llm-router-100";

/// The compared variants, in the order of the tables, with a description of each.
pub(crate) const VARIANTS: [(&str, &str); 10] = [
    (DIRECT, "no Envoy: the load generator on the mock backend"),
    (
        BARE,
        "Envoy with one static route; the listener, connection manager, cluster and limits of envoy/demo.yaml",
    ),
    (
        NO_WASM,
        "llm-router without its wasm filters: what Envoy's matcher, retry policy and credential injector cost",
    ),
    (
        BUFFER,
        "no-wasm with Envoy's own buffer filter, which waits for the whole body: for the memory only",
    ),
    (
        NOOP_1,
        "bare with a wasm filter that does nothing, on the listener",
    ),
    (
        NOOP_2,
        "bare with that filter on the listener and on the cluster",
    ),
    (
        ROUTER,
        "envoy/demo.yaml with its backends at the mock, and no access log",
    ),
    (OBSERVED, "the same without the page"),
    (
        UNOBSERVED,
        "the same without page, metrics and fields for access logs, and streams are not asked for their usage",
    ),
    (
        ROUTER_100,
        "the same with 100 routes, of which the last one is used",
    ),
];

/// One complete benchmark.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Record {
    /// The date in UTC, as `2026-11-21`.
    pub(crate) date: String,
    /// Whether it is a smoke test, whose numbers mean little.
    pub(crate) quick: bool,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    /// Machine and versions: names and values.
    pub(crate) facts: Vec<(String, String)>,
    /// What ran on which CPU, or why nothing was pinned.
    pub(crate) pinning: String,
    pub(crate) commands: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) runs: Vec<Run>,
    pub(crate) first_event: Option<FirstEvent>,
    /// Missing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_token: Option<HeldToken>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) peers: Vec<Peer>,
    /// Descriptions of what went wrong.
    pub(crate) problems: Vec<String>,
}

/// The request that each of the cell's variants gets, in every round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Cell {
    pub(crate) id: String,
    /// The body's name in `bodies`, with a suffix for what was changed.
    pub(crate) body: String,
    pub(crate) title: String,
    pub(crate) bytes: usize,
    pub(crate) answer: Answer,
    pub(crate) connections: u32,
    pub(crate) variants: Vec<String>,
}

/// The answers of the mock backend.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// About 1 KB, at once.
    Whole,
    /// 64 events, each written separately, without a wait.
    Fast,
    /// 1,024 such events, so that the cost per request hardly counts.
    Many,
    /// 64 events, one every 20 ms.
    Paced,
    /// One event, and the end 2 ms later.
    First,
}

/// What a cell compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// llm-router with the same Envoy without it.
    Main,
    /// llm-router with more and with less of its observing.
    Observing,
    /// llm-router with other gateways.
    Peers,
}

/// Returns the purpose of the cell with this id.
pub(crate) fn purpose(cell: &str) -> Purpose {
    if cell.starts_with("peers-") {
        Purpose::Peers
    } else if cell.starts_with("observing-") {
        Purpose::Observing
    } else {
        Purpose::Main
    }
}

impl Cell {
    pub(crate) fn purpose(&self) -> Purpose {
        purpose(&self.id)
    }
}

impl Answer {
    pub(crate) fn is_streamed(self) -> bool {
        self != Answer::Whole
    }
}

/// One variant in one cell and round.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) cell: String,
    pub(crate) variant: String,
    pub(crate) round: u32,
    pub(crate) seconds: f64,
    /// The requests that the load generator counted.
    pub(crate) requests: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// The requests that the backend counted. CPU time is divided by this number, because it includes requests that
    /// were cut off at the end.
    pub(crate) served: u64,
    pub(crate) events: u64,
    /// The CPU time of all of the gateway's processes and threads.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) backend_cpu_us: Option<f64>,
    /// If set, the run does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// The time until an answer's first event, measured with requests that alternate between both.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FirstEvent {
    pub(crate) pairs: usize,
    pub(crate) bare_p50_us: f64,
    pub(crate) bare_p99_us: f64,
    pub(crate) router_p50_us: f64,
    pub(crate) router_p99_us: f64,
    /// The percentiles of the pairs' differences.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
}

/// The time until an answer's first token, measured with requests that alternate between a route that holds it and
/// one that does not.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct HeldToken {
    pub(crate) pairs: usize,
    pub(crate) unheld_p50_us: f64,
    pub(crate) unheld_p99_us: f64,
    pub(crate) held_p50_us: f64,
    pub(crate) held_p99_us: f64,
    /// The percentiles of the pairs' differences.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
}

/// The memory of a fresh Envoy of this variant, with bodies that are all held open before any is complete.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Memory {
    pub(crate) variant: String,
    pub(crate) bodies: usize,
    pub(crate) body_bytes: usize,
    pub(crate) after_seconds: u64,
    /// Resident memory in KiB.
    pub(crate) idle_kib: Option<u64>,
    pub(crate) held_kib: Option<u64>,
    pub(crate) peak_kib: Option<u64>,
    pub(crate) after_kib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// Another gateway. Its runs are among the others, in their own cells.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// The number of processes that it ran as.
    pub(crate) processes: Option<usize>,
    pub(crate) idle_kib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

impl Record {
    pub(crate) fn read(folder: &Path) -> io::Result<Record> {
        let text = fs::read_to_string(folder.join("results.json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn cells_for(&self, purpose: Purpose) -> impl Iterator<Item = &Cell> {
        let cells = self.cells.iter();
        cells.filter(move |cell| cell.purpose() == purpose)
    }

    /// Writes the raw results and everything that is rendered from them.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("results.json"), self.to_json()?)?;
        fs::write(folder.join("README.md"), page::render(self))?;
        fs::write(folder.join("cpu.svg"), svg::render(self))
    }

    /// Formats the record as JSON with one line per run, so that it is easy to read and to diff.
    pub(crate) fn to_json(&self) -> io::Result<String> {
        let mut text = String::from("{");
        let Value::Object(fields) = serde_json::to_value(self)? else {
            return Err(io::Error::other("a record is an object"));
        };
        for (index, (name, value)) in fields.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            match value {
                Value::Array(items) if !items.is_empty() => {
                    let items: Vec<String> = items.iter().map(Value::to_string).collect();
                    text.push_str(&format!("\"{name}\": [\n  {}\n]", items.join(",\n  ")));
                }
                other => text.push_str(&format!("\"{name}\": {other}")),
            }
        }
        text.push_str("\n}\n");
        Ok(text)
    }
}

/// Returns the records' folders, which are named by their dates, with the newest one last.
pub(crate) fn all(records: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(records).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("results.json").is_file())
        .collect();
    folders.sort();
    folders
}
