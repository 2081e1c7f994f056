//! Renders a record's own page.

use super::tables::{self, backend_alone, number};
use super::{Purpose, Record, VARIANTS, goals, observing};

pub(crate) fn render(record: &Record) -> String {
    let mut page = format!("# Benchmark of {}\n\n", record.date);
    if record.quick {
        page.push_str(
            "**A smoke test (`QUICK=1`): it shows that everything runs. Its numbers mean little.**\n\n",
        );
    }
    page.push_str(
        "What a request costs in CPU, time and memory, beside the same Envoy without the filter. The raw results are \
         in [results.json](results.json); this page and [cpu.svg](cpu.svg) are rendered from them.\n\n\
         ![CPU per request](cpu.svg)\n\n## Goals\n\n",
    );
    page.push_str(&goals::table(record));
    problems(record, &mut page);
    conditions(record, &mut page);
    ours(record, &mut page);
    page.push_str(&observing::section(record));
    first_event_and_memory(record, &mut page);
    peers(record, &mut page);
    page
}

fn problems(record: &Record, page: &mut String) {
    page.push_str("\n## What went wrong\n\n");
    let runs = record.runs.iter().filter_map(|run| {
        let failure = run.failure.as_ref()?;
        Some(format!(
            "{}, {}, round {}: {failure}",
            run.cell, run.variant, run.round
        ))
    });
    let memory = record.memory.iter().filter_map(|memory| {
        let failure = memory.failure.as_ref()?;
        Some(format!("memory, {}: {failure}", memory.variant))
    });
    let peers = record.peers.iter().filter_map(|peer| {
        let failure = peer.failure.as_ref()?;
        Some(format!("{}: {failure}", peer.name))
    });
    let all: Vec<String> = record
        .problems
        .iter()
        .cloned()
        .chain(runs)
        .chain(memory)
        .chain(peers)
        .collect();
    if all.is_empty() {
        page.push_str("Nothing: no run had an error or an answer other than 200.\n");
    }
    for problem in all {
        page.push_str(&format!("- {problem}\n"));
    }
}

fn conditions(record: &Record, page: &mut String) {
    page.push_str("\n## Machine and versions\n\n| | |\n|---|---|\n");
    for (name, value) in &record.facts {
        page.push_str(&format!("| {name} | {value} |\n"));
    }
    page.push_str(&format!(
        "\n## How it was measured\n\n\
         {}\n\n\
         All variants run at the same time, each in an Envoy of its own with one worker thread, and are asked in turn: \
         in every round, of which there are {}, every variant for {} s in every cell (longer where answers are long). Numbers are medians over the rounds, in brackets the least and the most; ratios are medians of the \
         ratios within each round. A run with any error, or any answer other than 2xx, counts as failed and for \
         nothing else.\n\n\
         CPU is that of the whole gateway process, of all its threads, from Linux's schedstat, divided by what the \
         backend counted. *CPU in use* is its share of one CPU: near 100 % the gateway is the bottleneck, not the \
         load generator or the backend.\n\n```sh\n{}\n```\n\n",
        record.pinning,
        record.rounds,
        record.seconds,
        record.commands.join("\n")
    ));
    page.push_str("| variant | what it is |\n|---|---|\n");
    let measured = |name: &str| {
        let mut variants = record.cells.iter().flat_map(|cell| &cell.variants);
        variants.any(|variant| variant == name)
            || record.memory.iter().any(|memory| memory.variant == name)
    };
    for (name, what) in VARIANTS.into_iter().filter(|(name, _)| measured(name)) {
        page.push_str(&format!("| `{name}` | {what} |\n"));
    }
}

fn ours(record: &Record, page: &mut String) {
    page.push_str("\n## Cells\n");
    for cell in record.cells_for(Purpose::Main) {
        page.push_str(&format!(
            "\n### {}, {}, {}\n\nThe body has {} bytes.",
            cell.title,
            tables::answer(cell.answer),
            connections(cell.connections),
            number(kilo(cell.bytes)),
        ));
        if let Some((alone, behind)) = backend_alone(record, &cell.id) {
            page.push_str(&format!(
                " The backend and the load generator alone reach {} requests/s, behind bare Envoy {}.",
                number(alone),
                number(behind)
            ));
        }
        page.push_str("\n\n");
        page.push_str(&tables::cell(record, cell));
    }
}

/// Converts a length, which is far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no body has 2^53 bytes")]
fn kilo(bytes: usize) -> f64 {
    bytes as f64
}

pub(crate) fn connections(many: u32) -> String {
    match many {
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    }
}

fn first_event_and_memory(record: &Record, page: &mut String) {
    if let (Some(first), Some(table)) = (&record.first_event, tables::first_event(record)) {
        page.push_str(&format!(
            "\n## Time to first event\n\n1 KB chat on one connection each, {} pairs of requests, one through bare Envoy \
             and one through llm-router in turn.\n\n{table}",
            first.pairs
        ));
    }
    if let (Some(held), Some(table)) = (&record.held_token, tables::held_token(record)) {
        page.push_str(&format!(
            "\nThe same through llm-router alone, {} pairs: one by a route that passes answers on as they come, one by a route \
             that holds them until their first token.\n\n{table}",
            held.pairs
        ));
    }
    page.push_str("\n## Memory\n\n");
    let Some(memory) = record.memory.first() else {
        page.push_str("Not measured.\n");
        return;
    };
    page.push_str(&format!(
        "A fresh Envoy for each: idle; {} requests with bodies of {} bytes at once, none of which is complete before \
         all the others are sent but for a byte, and then all at once; {} s after their end. `bare` and `noop-2` pass a body on as it comes \
         and hold little; whoever waits for whole bodies holds about {} MiB, `buffer` for one. Where there are retries, Envoy \
         keeps a body for them too. The kernel counts \
         VmRSS; the peak is its own VmHWM.\n\n",
        memory.bodies,
        number(kilo(memory.body_bytes)),
        memory.after_seconds,
        number(kilo(memory.bodies.saturating_mul(memory.body_bytes)) / 1_048_576.0),
    ));
    page.push_str(&tables::memory(record));
}

fn peers(record: &Record, page: &mut String) {
    page.push_str("\n## Other gateways\n\n");
    if record.peers.is_empty() {
        page.push_str("Not measured in this record: `make bench-peers` adds them.\n");
        return;
    }
    page.push_str(
        "On the same CPU, at the same backend, in turn with `bare` and `llm-router`; CPU is that of all their \
         processes. How each is set up: benches/peers.\n\n",
    );
    page.push_str(&tables::peers(record));
    for cell in record.cells_for(Purpose::Peers) {
        page.push_str(&format!(
            "\n### {}, {}, {}\n\n",
            cell.title,
            tables::answer(cell.answer),
            connections(cell.connections)
        ));
        page.push_str(&tables::cell(record, cell));
    }
}
