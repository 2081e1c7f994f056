//! Renders the tables of a record, in Markdown.

use super::summary::{
    self, Metric, Stat, backend_cpu_per_request, busy, cpu_per_event, cpu_per_request,
    requests_per_second,
};
use super::{Answer, BARE, Cell, DIRECT, Memory, ROUTER, Record};

/// The text of a cell without a number.
const NOTHING: &str = "–";

/// Formats a number with as many digits as are meaningful.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        grouped(&format!("{value:.0}"))
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn median(stat: Option<Stat>) -> String {
    stat.map_or_else(|| NOTHING.to_owned(), |stat| number(stat.median))
}

pub(crate) fn times(stat: Option<Stat>) -> String {
    stat.map_or_else(|| NOTHING.to_owned(), |stat| format!("{:.2}×", stat.median))
}

/// Formats the median, and the range of the rounds.
pub(crate) fn spread(stat: Option<Stat>) -> String {
    stat.map_or_else(
        || NOTHING.to_owned(),
        |stat| {
            format!(
                "{} ({}–{})",
                number(stat.median),
                number(stat.min),
                number(stat.max)
            )
        },
    )
}

pub(crate) fn times_spread(stat: Option<Stat>) -> String {
    stat.map_or_else(
        || NOTHING.to_owned(),
        |stat| format!("{:.2}× ({:.2}–{:.2})", stat.median, stat.min, stat.max),
    )
}

fn percent(stat: Option<Stat>) -> String {
    stat.map_or_else(
        || NOTHING.to_owned(),
        |stat| format!("{:.0} %", stat.median * 100.0),
    )
}

/// Renders one cell of a benchmark, with a row for each of its variants.
pub(crate) fn cell(record: &Record, cell: &Cell) -> String {
    let events = cell.answer.is_streamed();
    let mut text = String::from(
        "| | CPU µs per request | to bare | requests/s | to bare | p50 µs | to bare | p99 µs | to bare | CPU in use | \
         backend's CPU µs per request |",
    );
    if events {
        text.push_str(" CPU µs per event | to bare |");
    }
    text.push_str("\n|---|---|---|---|---|---|---|---|---|---|---|");
    if events {
        text.push_str("---|---|");
    }
    for variant in &cell.variants {
        let stat = |metric: Metric| record.stat(&cell.id, variant, metric);
        let ratio = |metric: Metric| record.ratio_to_bare(&cell.id, variant, metric);
        let failures = record.failures(&cell.id, variant);
        let failed = if failures > 0 {
            format!(" **({failures} failed)**")
        } else {
            String::new()
        };
        let columns = [
            format!("{}{failed}", label(record, variant)),
            spread(stat(cpu_per_request)),
            times_spread(ratio(cpu_per_request)),
            spread(stat(requests_per_second)),
            times(ratio(requests_per_second)),
            spread(stat(summary::p50)),
            times(ratio(summary::p50)),
            spread(stat(summary::p99)),
            times(ratio(summary::p99)),
            percent(stat(busy)),
            median(stat(backend_cpu_per_request)),
        ];
        text.push_str(&format!("\n| {} |", columns.join(" | ")));
        if events {
            text.push_str(&format!(
                " {} | {} |",
                spread(stat(cpu_per_event)),
                times_spread(ratio(cpu_per_event))
            ));
        }
    }
    text.push('\n');
    text
}

/// Returns a variant's own name, or a peer's.
fn label(record: &Record, variant: &str) -> String {
    let peer = record.peers.iter().find(|peer| peer.id == variant);
    peer.map_or_else(
        || format!("`{variant}`"),
        |peer| format!("{} {}", peer.name, peer.version),
    )
}

pub(crate) fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Whole => "answered whole",
        Answer::Fast => "answered by 64 events as fast as they go",
        Answer::Many => "answered by 1,024 events as fast as they go",
        Answer::Paced => "answered by 64 events 20 ms apart",
        Answer::First => "answered by one event",
    }
}

pub(crate) fn held_token(record: &Record) -> Option<String> {
    let held = record.held_token.as_ref()?;
    Some(pairs(
        "time to first token, µs",
        [
            ("`hold: none`", held.unheld_p50_us, held.unheld_p99_us),
            ("`hold: first_token`", held.held_p50_us, held.held_p99_us),
            ("added, of each pair", held.added_p50_us, held.added_p99_us),
        ],
    ))
}

pub(crate) fn first_event(record: &Record) -> Option<String> {
    let first = record.first_event.as_ref()?;
    let rows = [
        ("`bare`", first.bare_p50_us, first.bare_p99_us),
        ("`llm-router`", first.router_p50_us, first.router_p99_us),
        (
            "added, of each pair",
            first.added_p50_us,
            first.added_p99_us,
        ),
    ];
    Some(pairs("time to first event, µs", rows))
}

fn pairs(title: &str, rows: [(&str, f64, f64); 3]) -> String {
    let mut text = format!("| {title} | p50 | p99 |\n|---|---|---|\n");
    for (name, p50, p99) in rows {
        text.push_str(&format!("| {name} | {} | {} |\n", number(p50), number(p99)));
    }
    text
}

pub(crate) fn memory(record: &Record) -> String {
    let mut text = String::from(
        "| MiB resident | idle | to bare | all bodies held | peak | to bare | after | to bare |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let bare = record.memory.iter().find(|memory| memory.variant == BARE);
    for memory in &record.memory {
        let ratio = |of: fn(&Memory) -> Option<u64>| {
            let base = mib(bare.and_then(of)?);
            Some(mib(of(memory)?) / base).filter(|ratio| ratio.is_finite())
        };
        let to_bare = |of| ratio(of).map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}×"));
        let size = |kib: Option<u64>| kib.map_or(NOTHING.to_owned(), |kib| number(mib(kib)));
        let failed = memory.failure.as_ref().map_or("", |_| " **(failed)**");
        text.push_str(&format!(
            "| `{}`{failed} | {} | {} | {} | {} | {} | {} | {} |\n",
            memory.variant,
            size(memory.idle_kib),
            to_bare(|memory| memory.idle_kib),
            size(memory.held_kib),
            size(memory.peak_kib),
            to_bare(|memory| memory.peak_kib),
            size(memory.after_kib),
            to_bare(|memory| memory.after_kib),
        ));
    }
    text
}

/// Converts KiB to MiB. The number is far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 KiB")]
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Renders the summary of the other gateways and llm-router.
pub(crate) fn peers(record: &Record) -> String {
    let mut text = String::from(
        "| 1 KB chat | CPU µs per request | llm-router's × | requests/s, 32 connections | 1 connection | p50 µs | p99 µs | \
         processes | MiB idle |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let known = [BARE, ROUTER].map(|id| (id, format!("`{id}`"), None));
    let others = record
        .peers
        .iter()
        .map(|peer| (peer.id.as_str(), label(record, &peer.id), Some(peer)));
    for (id, name, peer) in known.into_iter().chain(others) {
        let failed = match peer.and_then(|peer| peer.failure.as_ref()) {
            Some(_) => " **(failed)**",
            None if record.failures(PEERS_32, id) > 0 => " **(runs failed)**",
            None => "",
        };
        let columns = [
            format!("{name}{failed}"),
            spread(record.stat(PEERS_32, id, cpu_per_request)),
            times(record.ratio(PEERS_32, id, ROUTER, cpu_per_request)),
            spread(record.stat(PEERS_32, id, requests_per_second)),
            spread(record.stat(PEERS_1, id, requests_per_second)),
            median(record.stat(PEERS_1, id, summary::p50)),
            median(record.stat(PEERS_1, id, summary::p99)),
            peer.and_then(|peer| peer.processes)
                .map_or(NOTHING.to_owned(), |many| many.to_string()),
            peer.and_then(|peer| peer.idle_kib)
                .map_or(NOTHING.to_owned(), |kib| number(mib(kib))),
        ];
        text.push_str(&format!("| {} |\n", columns.join(" | ")));
    }
    text
}

/// The cell in which the peers are measured with one connection.
pub(crate) const PEERS_1: &str = "peers-1";
/// The cell in which the peers are measured with 32 connections.
pub(crate) const PEERS_32: &str = "peers-32";

/// Compares the mock backend by itself with the one behind bare Envoy, to show that it does not limit the others.
pub(crate) fn backend_alone(record: &Record, cell: &str) -> Option<(f64, f64)> {
    let alone = record.stat(cell, DIRECT, requests_per_second)?;
    let behind = record.stat(cell, BARE, requests_per_second)?;
    Some((alone.median, behind.median))
}
