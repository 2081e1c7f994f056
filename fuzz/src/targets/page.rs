//! Target: whatever bytes workers find in the page's shared data decode to a consistent store.
//!
//! The first line of the input chooses what a worker adds and when; the rest is what it finds.

use std::sync::LazyLock;

use llm_router::config::Document;
use llm_router::health::Health;
use llm_router::page::{DECISIONS, InFlight, PendingCounts, SLOT_MS, Store, page_data};
use llm_router::schema::Usage;
use llm_router::telemetry::{AnswerEnd, AttemptSummary, Outcome};
use serde_json::Value;

use super::bytes::Bytes;

const DOCUMENT: &str = r#"{
    "backends": [{"name": "one", "schema": "openai", "models": [{"name": "small"}, {"name": "*"}]}],
    "routes": [{"name": "r", "match": {"model": "*"}, "targets": [{"backend": "one"}]}],
    "defaults": {"page": {"path": "/p", "public": true}}
}"#;

static KNOWN: LazyLock<Document> = LazyLock::new(|| {
    Document::load(DOCUMENT.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"))
});

/// Close to the times in the seeds.
const NOW: u64 = 1_800_000_000_000;

pub fn run(input: &[u8]) {
    let (mut choices, found) = Bytes::before_line_feed(input);
    let before = Store::decode(found);
    // A store that was decoded encodes and decodes to the same.
    let again = Store::decode(&before.encode());
    assert_eq!(again, before);

    let now = NOW.saturating_add(u64::from(choices.byte()).saturating_mul(SLOT_MS / 4));
    let mut pending = PendingCounts::default();
    let mut count = 0_u64;
    for _ in 0..choices.below(4) {
        pending.record(&KNOWN, &outcome(&mut choices), now);
        count += 1;
    }
    let added = pending.take(|| 7);
    let old = told(&before, now);
    let mut store = before;
    store.add(added);
    store.set_in_flight(InFlight {
        worker: u64::from(choices.byte()),
        stated_ms: now,
        requests: 3,
        attempts: vec![(1, 2)],
    });
    let whole = check(&store, &old, count, now);
    store.prune(now);
    assert!(count == 0 || store.decisions.len() <= DECISIONS);
    let page = told(&store, now);
    assert_eq!(requests(&page), whole, "what is forgotten is still counted");
    let stays = store.clone();
    store.prune(now);
    assert_eq!(store, stays, "what is old is forgotten at once");
    assert_eq!(Store::decode(&store.encode()), store);
    let in_flight = page["totals"]["in_flight"].as_u64();
    assert!(in_flight >= Some(3), "{in_flight:?}: it was just said");
}

fn outcome(choices: &mut Bytes<'_>) -> Outcome {
    let verdict = *choices.pick(&[
        AttemptSummary::ACCEPTED,
        AttemptSummary::ABANDONED,
        "server_error",
    ]);
    let (_, end) = *choices.pick(&AnswerEnd::ALL);
    Outcome {
        route: choices.is_set().then(|| "r".to_owned()),
        decision: "ordered",
        attempts: vec![AttemptSummary {
            backend: "one".to_owned(),
            model: (*choices.pick(&["small", "other\u{0}\"</script>"])).to_owned(),
            verdict,
            ms: Some(u64::from(choices.byte())),
        }],
        status: *choices.pick(&[0, 200, 500]),
        end,
        usage: Usage {
            input: Some(u64::from(choices.byte())),
            output: choices.is_set().then_some(u64::MAX),
            ..Usage::default()
        },
        cost: Some(u64::MAX / 2),
        ..Outcome::default()
    }
}

fn told(store: &Store, now: u64) -> Value {
    page_data(store, &KNOWN, &Health::default(), now)
}

fn requests(page: &Value) -> u64 {
    page["totals"]["requests"].as_u64().unwrap_or(0)
}

/// Checks that additions are counted exactly once and that the routes add up to the total, which it returns.
fn check(store: &Store, old: &Value, count: u64, now: u64) -> u64 {
    let page = told(store, now);
    let all = requests(&page);
    assert_eq!(all, requests(old).saturating_add(count));
    let routes = page["routes"].as_array().into_iter().flatten();
    let sum = routes.fold(0, |sum: u64, route| {
        sum.saturating_add(route["requests"].as_u64().unwrap_or(0))
    });
    assert_eq!(sum, all, "{page:#}");
    let text = page.to_string();
    let read: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(read["decisions"].is_array());
    all
}
