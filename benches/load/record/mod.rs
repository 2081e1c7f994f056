//! What a benchmark found: raw in `results.json`, from which everything that people read is rendered.
//!
//! Nothing here measures or looks at the clock, so that a test can prove that what stands in a record and in
//! README.md is what its numbers render to.

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

/// What is compared, in the order of the tables, and what each is.
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

/// One whole benchmark.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Record {
    /// In UTC, as `2026-11-21`.
    pub(crate) date: String,
    /// A smoke test, whose numbers mean little.
    pub(crate) quick: bool,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    /// Machine and versions: what it is, and its value.
    pub(crate) facts: Vec<(String, String)>,
    /// Which CPU what ran on, or why nothing was pinned.
    pub(crate) pinning: String,
    pub(crate) commands: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) runs: Vec<Run>,
    pub(crate) first_event: Option<FirstEvent>,
    /// Older records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_token: Option<HeldToken>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) peers: Vec<Peer>,
    /// What went wrong, in words.
    pub(crate) problems: Vec<String>,
}

/// What each of its variants is asked, again in every round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Cell {
    pub(crate) id: String,
    /// The body's name in `bodies`, and what was changed about it.
    pub(crate) body: String,
    pub(crate) title: String,
    pub(crate) bytes: usize,
    pub(crate) answer: Answer,
    pub(crate) connections: u32,
    pub(crate) variants: Vec<String>,
}

/// What the mock backend answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// About 1 KB, at once.
    Whole,
    /// 64 events, each written by itself, without a wait.
    Fast,
    /// 1,024 of them, so that what is once for each request hardly counts.
    Many,
    /// 64 events, one each 20 ms.
    Paced,
    /// One event, and the end 2 ms later.
    First,
}

/// Whose cells these are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// llm-router beside the same Envoy without it.
    Main,
    /// llm-router with more and with less of what it observes.
    Observing,
    /// Other gateways.
    Peers,
}

/// That of the cell with this id.
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
    /// As the load generator counts them.
    pub(crate) requests: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// As the backend counts them: the CPU's divisor, because it has those in it that the end cut off.
    pub(crate) served: u64,
    pub(crate) events: u64,
    /// Of all of the gateway's processes and threads.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) backend_cpu_us: Option<f64>,
    /// It counts for nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// The time until an answer's first event, request by request in turn through both.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FirstEvent {
    pub(crate) pairs: usize,
    pub(crate) bare_p50_us: f64,
    pub(crate) bare_p99_us: f64,
    pub(crate) router_p50_us: f64,
    pub(crate) router_p99_us: f64,
    /// Of the pairs' differences.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
}

/// The time until an answer's first token, request by request in turn by a route that holds it and by one that does not.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct HeldToken {
    pub(crate) pairs: usize,
    pub(crate) unheld_p50_us: f64,
    pub(crate) unheld_p99_us: f64,
    pub(crate) held_p50_us: f64,
    pub(crate) held_p99_us: f64,
    /// Of the pairs' differences.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
}

/// A fresh Envoy of this variant under bodies that are all held open before any is complete.
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

/// Another gateway, whose runs stand among the others in cells of their own.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// How many processes it ran as.
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

    /// Writes the raw results and all that is rendered from them.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("results.json"), self.to_json()?)?;
        fs::write(folder.join("README.md"), page::render(self))?;
        fs::write(folder.join("cpu.svg"), svg::render(self))
    }

    /// JSON with a line for each run, so that a person can read it and a diff too.
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

/// The records' folders, which are named by their dates: the newest is the last.
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
