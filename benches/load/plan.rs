//! The cells of the benchmark.

use crate::record::{
    Answer, BARE, Cell, DIRECT, NO_WASM, NOOP_1, NOOP_2, ROUTER, ROUTER_100, observing, tables,
};
use crate::{Outcome, requests};

/// This many concurrent streams make a few thousand events per second, which leaves a CPU idle most of the time.
const STREAMS: u32 = 128;

const ALL: [&str; 6] = [DIRECT, BARE, NO_WASM, NOOP_1, NOOP_2, ROUTER];
const SOME: [&str; 4] = [BARE, NOOP_1, NOOP_2, ROUTER];
const TWO: [&str; 2] = [BARE, ROUTER];
/// For cells that differ from others only in the number of connections.
const FEW: [&str; 3] = [DIRECT, BARE, ROUTER];

/// The bodies that all variants get, and whether the variant with many routes gets them too: the cost of routes does
/// not depend on the body.
const BODIES: [(&str, &str, bool); 6] = [
    ("chat-1k", "1 KB chat", true),
    ("agent-30k", "30 KB agent turn", true),
    ("escapes-100k", "100 KB of JSON in JSON", false),
    ("conversation-1m", "1 MB conversation", false),
    (
        "conversation-1m-model-last",
        "1 MB conversation, model last",
        false,
    ),
    ("image-1m", "1 MB image", false),
];

/// Returns the cells in the order in which they are measured. A smoke test skips most of those that differ only in
/// the number of connections.
pub(crate) fn cells(quick: bool) -> Outcome<Vec<Cell>> {
    let mut cells = Vec::new();
    for (body, title, many_routes) in BODIES {
        for connections in [1, 32] {
            if quick && connections == 1 && body != "chat-1k" {
                continue;
            }
            let mut variants = ALL.to_vec();
            if connections == 1 && !many_routes {
                variants = FEW.to_vec();
            }
            if many_routes {
                variants.push(ROUTER_100);
            }
            cells.push(cell(body, title, Answer::Whole, connections, &variants)?);
        }
    }
    cells.push(cell("chat-1k", "1 KB chat", Answer::Fast, 32, &ALL)?);
    cells.push(cell("chat-1k", "1 KB chat", Answer::Paced, STREAMS, &SOME)?);
    for (body, title) in [
        ("chat-1k-renamed", "1 KB chat, model renamed"),
        (
            "conversation-1m-model-last-renamed",
            "1 MB conversation, model last and renamed",
        ),
    ] {
        cells.push(cell(body, title, Answer::Whole, 32, &TWO)?);
    }
    for (id, answer) in [
        (observing::WHOLE, Answer::Whole),
        (observing::MANY, Answer::Many),
    ] {
        let cell = cell("chat-1k", "1 KB chat", answer, 32, &observing::VARIANTS)?;
        cells.push(named(cell, id));
    }
    Ok(cells)
}

/// Gives a cell that is measured apart its own name.
fn named(cell: Cell, id: &str) -> Cell {
    Cell {
        id: id.to_owned(),
        ..cell
    }
}

/// Returns the cells in which other gateways are compared with llm-router.
pub(crate) fn peer_cells(peers: &[String]) -> Outcome<Vec<Cell>> {
    let mut variants = TWO.to_vec();
    variants.extend(peers.iter().map(String::as_str));
    let mut cells = Vec::new();
    for (id, connections) in [(tables::PEERS_1, 1), (tables::PEERS_32, 32)] {
        let cell = cell(
            "chat-1k",
            "1 KB chat",
            Answer::Whole,
            connections,
            &variants,
        )?;
        cells.push(named(cell, id));
    }
    Ok(cells)
}

fn cell(
    body: &str,
    title: &str,
    answer: Answer,
    connections: u32,
    variants: &[&str],
) -> Outcome<Cell> {
    let id = match answer {
        Answer::Whole => format!("{body}-{connections}"),
        _ => format!("{body}-{}-{connections}", requests::name(answer)),
    };
    Ok(Cell {
        id,
        body: body.to_owned(),
        title: title.to_owned(),
        bytes: requests::body(body, answer)?.len(),
        answer,
        connections,
        variants: variants.iter().map(|&variant| variant.to_owned()).collect(),
    })
}

/// Returns for how long each variant is measured in this cell, in seconds.
pub(crate) fn seconds(cell: &Cell, seconds: u64) -> u64 {
    match cell.answer {
        // One such answer takes 1.3 s.
        Answer::Paced => seconds.saturating_mul(2).max(3),
        // A longer run makes the share of what is cut off at its end smaller.
        Answer::Many => seconds.saturating_mul(2),
        _ => seconds,
    }
}
