//! The goals of the benchmark.

use super::summary::{cpu_per_request, p50};
use super::tables::PEERS_32;
use super::{Purpose, ROUTER, ROUTER_100, Record};

/// One goal, and the measured value.
pub(crate) struct Goal {
    pub(crate) text: &'static str,
    pub(crate) found: String,
    /// `None` if it was not measured.
    pub(crate) is_met: Option<bool>,
}

pub(crate) fn all(record: &Record) -> Vec<Goal> {
    vec![
        at_most(
            "CPU per request at most 1.35 × bare Envoy's, 1 KB chat",
            1.35,
            "×",
            cpu_ratios(record, &["chat-1k"]),
        ),
        at_most(
            "CPU per request at most 1.3 × bare Envoy's, bodies of 1 MB",
            1.3,
            "×",
            cpu_ratios(
                record,
                &["conversation-1m", "image-1m", "conversation-1m-model-last"],
            ),
        ),
        at_most(
            "at most 40 µs added to the p50 at one connection, 1 KB chat",
            40.0,
            " µs",
            record
                .added("chat-1k-1", ROUTER, p50)
                .map(|stat| ("1 connection".to_owned(), stat.median))
                .into_iter()
                .collect(),
        ),
        at_most(
            "100 routes at most 1.02 × the CPU of the demo's 6",
            1.02,
            "×",
            many_routes(record),
        ),
        peer(
            record,
            "LiteLLM's CPU per request at least 100 × ours",
            "litellm",
            100.0,
        ),
        peer(
            record,
            "Portkey's CPU per request at least 12 × ours",
            "portkey",
            12.0,
        ),
    ]
}

fn cpu_ratios(record: &Record, bodies: &[&str]) -> Vec<(String, f64)> {
    let cells = record.cells.iter().filter(|cell| {
        bodies.contains(&cell.body.as_str())
            && !cell.answer.is_streamed()
            && cell.purpose() == Purpose::Main
    });
    cells
        .filter_map(|cell| {
            let ratio = record.ratio_to_bare(&cell.id, ROUTER, cpu_per_request)?;
            Some((where_from(&cell.title, cell.connections), ratio.median))
        })
        .collect()
}

fn many_routes(record: &Record) -> Vec<(String, f64)> {
    let cells = record.cells.iter().filter(|cell| {
        !cell.answer.is_streamed() && cell.variants.iter().any(|variant| variant == ROUTER_100)
    });
    cells
        .filter_map(|cell| {
            let ratio = record.ratio(&cell.id, ROUTER_100, ROUTER, cpu_per_request)?;
            Some((where_from(&cell.title, cell.connections), ratio.median))
        })
        .collect()
}

fn where_from(title: &str, connections: u32) -> String {
    format!("{title} at {connections}")
}

/// A goal that is met if the worst value is within the limit.
fn at_most(text: &'static str, limit: f64, unit: &str, values: Vec<(String, f64)>) -> Goal {
    let worst = values.iter().map(|(_, value)| *value).reduce(f64::max);
    Goal {
        text,
        found: listed(&values, unit),
        is_met: worst.map(|worst| worst <= limit),
    }
}

fn peer(record: &Record, text: &'static str, id: &str, least: f64) -> Goal {
    let ratio = record.ratio(PEERS_32, id, ROUTER, cpu_per_request);
    let values: Vec<(String, f64)> = ratio
        .map(|ratio| ("32 connections".to_owned(), ratio.median))
        .into_iter()
        .collect();
    Goal {
        text,
        found: listed(&values, "×"),
        is_met: values.first().map(|(_, ratio)| *ratio >= least),
    }
}

fn listed(values: &[(String, f64)], unit: &str) -> String {
    if values.is_empty() {
        return "not measured".to_owned();
    }
    let values: Vec<String> = values
        .iter()
        .map(|(what, value)| match unit {
            "×" if *value < 10.0 => format!("{value:.3}× ({what})"),
            _ => format!("{value:.1}{unit} ({what})"),
        })
        .collect();
    values.join(", ")
}

/// Renders the goals as a table.
pub(crate) fn table(record: &Record) -> String {
    let mut text = String::from("| goal | found | |\n|---|---|---|\n");
    for goal in all(record) {
        let verdict = match goal.is_met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "open",
        };
        text.push_str(&format!("| {} | {} | {verdict} |\n", goal.text, goal.found));
    }
    text
}
