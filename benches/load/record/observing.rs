//! Compares llm-router with more and with less observing, in cells of their own.

use super::summary::{Metric, cpu_ns_per_event, cpu_per_request};
use super::tables::{self, median, spread, times_spread};
use super::{BARE, NOOP_2, OBSERVED, Purpose, ROUTER, Record, UNOBSERVED, page};

/// The cell with a plain exchange.
pub(crate) const WHOLE: &str = "observing-whole";
/// The cell with a long stream.
pub(crate) const MANY: &str = "observing-many";

pub(crate) const VARIANTS: [&str; 5] = [BARE, NOOP_2, UNOBSERVED, OBSERVED, ROUTER];

/// What each variant adds to another one.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "a wasm filter that does nothing, in both roles",
        NOOP_2,
        BARE,
    ),
    ("routing, and reading the answer", UNOBSERVED, NOOP_2),
    (
        "metrics, fields for access logs, usage asked for",
        OBSERVED,
        UNOBSERVED,
    ),
    ("the page", ROUTER, OBSERVED),
];

/// Renders the record's section; empty if it was not measured.
pub(crate) fn section(record: &Record) -> String {
    let cells: Vec<_> = record.cells_for(Purpose::Observing).collect();
    if cells.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n## What observing costs\n\n\
         Each row is the CPU that one variant takes over another one, of the same round: of a request of 1 KB that is \
         answered whole, and of each of the 1,024 events of a stream, the request's own share in it. The outcome of a \
         request is made whether or not anything tells it: every answer is read for its errors, its end, its first \
         token and its usage by the filter itself. Events come \
         as fast as they go, so that Envoy takes several at once where it can. Envoy's own access log is off, and nobody \
         reads the metrics or the page meanwhile.\n\n\
         | added by | CPU µs per request | ratio | CPU ns per event | ratio |\n|---|---|---|---|---|\n",
    );
    for (what, variant, base) in STEPS {
        let added = |cell, metric: Metric| spread(record.added_to(cell, variant, base, metric));
        let ratio = |cell, metric: Metric| times_spread(record.ratio(cell, variant, base, metric));
        text.push_str(&format!(
            "| {what}: `{variant}` over `{base}` | {} | {} | {} | {} |\n",
            added(WHOLE, cpu_per_request),
            ratio(WHOLE, cpu_per_request),
            added(MANY, cpu_ns_per_event),
            ratio(MANY, cpu_ns_per_event),
        ));
    }
    for cell in cells {
        text.push_str(&format!(
            "\n### {}, {}, {}\n\n{}",
            cell.title,
            tables::answer(cell.answer),
            page::connections(cell.connections),
            tables::cell(record, cell)
        ));
    }
    text
}

/// Renders the section as a sentence; `None` if it was not measured.
pub(crate) fn sentence(record: &Record) -> Option<String> {
    let added = |cell, variant, base, metric: Metric| {
        let stat = record.added_to(cell, variant, base, metric);
        stat.map(|stat| median(Some(stat)))
    };
    Some(format!(
        "Observing takes {} µs of that for a request of 1 KB, the page {} µs more; for each event of a stream {} ns and {} ns.",
        added(WHOLE, OBSERVED, UNOBSERVED, cpu_per_request)?,
        added(WHOLE, ROUTER, OBSERVED, cpu_per_request)?,
        added(MANY, OBSERVED, UNOBSERVED, cpu_ns_per_event)?,
        added(MANY, ROUTER, OBSERVED, cpu_ns_per_event)?,
    ))
}
