//! Trials of untrusted input: every row of the table in `docs/input.md` is a trial here of the same name.

mod bodies;
mod kinds;
mod transport;

use crate::harness::wire::Wire;
use crate::harness::{Answer, Api, Call, Case, Suite};

const TABLE: &str = include_str!("../../../docs/input.md");

pub(crate) fn add(suite: &mut Suite) {
    bodies::add(suite);
    kinds::add(suite);
    transport::add(suite);
    let names = suite.names();
    suite.plain("input::every_row_of_the_table_has_its_trial", move || {
        every_row_has_its_trial(&names)
    });
}

/// Returns the names in the table's last column.
fn rows() -> Vec<&'static str> {
    let (_, table) = TABLE
        .split_once("<!-- table: input -->\n")
        .expect("the table is there");
    let (table, _) = table.split_once("\n\n").expect("the table ends");
    let cells = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth_back(1));
    cells
        .filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'))
        .collect()
}

fn every_row_has_its_trial(names: &[String]) {
    let rows = rows();
    assert!(rows.len() >= 24, "the table has lost rows: {rows:?}");
    for row in rows {
        assert!(
            names
                .iter()
                .any(|name| name.starts_with(&format!("{row} ["))),
            "no trial is called {row}"
        );
    }
}

/// Sends a complete request that is refused, and then one that works on the same connection. (For HTTP/1.1 this takes
/// `stream_error_on_invalid_http_message`: without it, Envoy closes the connection after each 400.)
async fn refused(case: &Case, api: Api, call: Call, status: u16, code: &str) -> Answer {
    let mut wire = case.connect().await;
    let answer = call.send_on(&mut wire).await;
    answer.is_error(api, status, code).went_nowhere();
    assert_eq!(
        answer.header("connection"),
        None,
        "the connection closes{}",
        answer.describe()
    );
    works(case, &mut wire).await;
    answer
}

/// Asserts that both APIs refuse this body for the same reason.
async fn refused_body(case: &Case, body: impl Into<Vec<u8>>, code: &str) {
    let body = body.into();
    let chat = case.post("/v1/chat/completions", body.clone());
    refused(case, Api::OpenAi, chat, 400, code).await;
    let messages = case.post("/v1/messages", body);
    refused(case, Api::Anthropic, messages, 400, code).await;
}

/// Asserts that the next request on this connection works.
async fn works(case: &Case, wire: &mut Wire) {
    let answer = case.chat("fast").send_on(wire).await;
    assert_eq!(answer.only_at("openai").model(), "gpt-4o-mini-2024-07-18");
}
