//! Writes the newest record into the project's README.md, between two markers.

use std::path::Path;

use super::summary::{self, Stat, cpu_per_request, requests_per_second};
use super::tables::{median, times};
use super::{BARE, NOOP_1, NOOP_2, ROUTER, Record, goals, observing, svg, tables};

pub(crate) const BEGIN: &str = "<!-- bench -->";
pub(crate) const END: &str = "<!-- /bench -->";

/// Returns the README with `block` between its markers; `None` if it has none.
pub(crate) fn with_block(readme: &str, block: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{block}{END}{after}"))
}

/// Renders the block for the newest record; empty if there is none.
pub(crate) fn block(newest: Option<(&Path, &Record)>) -> String {
    let Some((folder, record)) = newest else {
        return String::new();
    };
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let home = format!("benches/record/{name}");
    let mut text = format!(
        "![CPU per request]({home}/cpu.svg)\n\n\
         | 32 connections, one CPU | bare Envoy, CPU µs per request | empty wasm filter | in both roles | **llm-router** | \
         requests/s, bare | llm-router | p50 added at 1 connection |\n|---|---|---|---|---|---|---|---|\n"
    );
    for cell in svg::charted(record) {
        let ratio = |variant| times(record.ratio_to_bare(&cell.id, variant, cpu_per_request));
        let rate = |variant| median(record.stat(&cell.id, variant, requests_per_second));
        let columns = [
            cell.title.clone(),
            median(record.stat(&cell.id, BARE, cpu_per_request)),
            ratio(NOOP_1),
            ratio(NOOP_2),
            format!("**{}**", ratio(ROUTER)),
            rate(BARE),
            rate(ROUTER),
            microseconds(record.added(&format!("{}-1", cell.body), ROUTER, summary::p50)),
        ];
        text.push_str(&format!("| {} |\n", columns.join(" | ")));
    }
    for peer in record.peers.iter().filter(|peer| peer.failure.is_none()) {
        if let Some(ratio) = record.ratio(tables::PEERS_32, &peer.id, ROUTER, cpu_per_request) {
            text.push_str(&format!(
                "\n{} {} takes {} × llm-router's CPU per request of 1 KB, on the same CPU.",
                peer.name,
                peer.version,
                tables::number(ratio.median)
            ));
        }
    }
    if !record.peers.is_empty() {
        text.push('\n');
    }
    if let Some(sentence) = observing::sentence(record) {
        text.push_str(&format!("\n{sentence}\n"));
    }
    let goals = goals::all(record);
    let count = |verdict: Option<bool>| goals.iter().filter(|goal| goal.is_met == verdict).count();
    text.push_str(&format!(
        "\nOf {} goals {} are met, {} are missed and {} not measured: [the whole record]({home}/README.md) of {}, with \
         the machine, the versions and the commands.\n",
        goals.len(),
        count(Some(true)),
        count(Some(false)),
        count(None),
        record.date
    ));
    text
}

fn microseconds(stat: Option<Stat>) -> String {
    match stat {
        Some(_) => format!("{} µs", median(stat)),
        None => median(stat),
    }
}
