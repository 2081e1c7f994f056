//! A trial with fifty requests of several kinds at two workers: within two seconds, the page shows what was sent and
//! what the backends counted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATH, read, with_secret};
use crate::fleet::page::{FAILURES, PRICES};
use crate::harness::{Call, Case};

/// How soon the page must be correct.
const SOON: Duration = Duration::from_secs(2);

/// Texts that are planted where nothing may be shown of them.
const CANARIES: [&str; 3] = ["canary-prompt", "canary-key", "canary-query"];

/// Returns a request of one kind, with a private text wherever there is room for it.
fn ask(case: &Case, model: &str, path: &str, stream: bool) -> Call {
    let [prompt, key, query] = CANARIES;
    let body = json!({
        "model": model, "stream": stream, "max_tokens": 50,
        "messages": [{"role": "user", "content": format!("{prompt} {model}")}],
    });
    case.post(
        &format!("{path}?key={query}&note={query}"),
        body.to_string(),
    )
    .header("authorization", format!("Bearer {key}"))
    .header("anthropic-version", "2023-06-01")
    .header("x-team", "search")
}

/// Returns the row of this name.
#[track_caller]
fn row<'a>(page: &'a Value, rows: &str, field: &str, name: &str) -> &'a Value {
    let mut all = page[rows].as_array().unwrap().iter();
    all.find(|row| row[field] == name)
        .unwrap_or_else(|| panic!("no {name}: {page:#}"))
}

pub(super) async fn sums(case: Case) {
    assert_eq!(read(&case).await["totals"]["requests"], 0);
    let (openai, anthropic) = ("/v1/chat/completions", "/v1/messages");
    let mut counted = (0, 0);
    for _ in 0..10 {
        for (model, path, stream, status) in [
            ("words-4", openai, false, 200),
            ("words-6", openai, true, 200),
            ("words-7", anthropic, true, 200),
            ("again", openai, false, 200),
            ("status-500", openai, false, 500),
        ] {
            let call = ask(&case, model, path, stream);
            let answer = call.send_on(&mut case.connect().await).await;
            for (_, seen) in answer.is(status).attempts() {
                let (input, output) = seen.0.answer.counted().unwrap_or_default();
                counted.0 += input;
                counted.1 += output;
            }
        }
    }
    for model in ["nobody-has-this", "unknown"] {
        let call = ask(&case, model, openai, false);
        call.send_on(&mut case.connect().await).await.is(404);
    }
    assert!(counted.1 > 100, "{counted:?}");
    let asked = Instant::now();
    let mut page = read(&case).await;
    while page["totals"]["requests"] != 52 && asked.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(50)).await;
        page = read(&case).await;
    }
    let (input_price, output_price) = PRICES;
    let cost = counted.0 * input_price + counted.1 * output_price;
    let totals = &page["totals"];
    for (name, expected) in [
        ("requests", 52),
        ("errors", 12),
        // After failures of the dead target. Second attempts at the same target do not count.
        ("fallbacks", FAILURES),
        ("answers", 40),
        ("input_tokens", counted.0),
        ("output_tokens", counted.1),
        ("estimated", 0),
        ("unpriced", 0),
        ("in_flight", 0),
    ] {
        assert_eq!(totals[name], expected, "{name}: {totals:#}");
    }
    let dollars = totals["cost_usd"].as_f64().unwrap();
    let cost = f64::from(u32::try_from(cost).unwrap()) / 1e6;
    assert!((dollars - cost).abs() < 1e-9, "{dollars} {cost}");
    says_where(&page);
    whichever_worker(&case, &page).await;
    says_nothing_private(&case).await;
}

fn says_where(page: &Value) {
    assert_eq!(row(page, "routes", "name", "plain")["requests"], 30);
    assert_eq!(row(page, "routes", "name", "again")["fallbacks"], FAILURES);
    assert_eq!(row(page, "routes", "name", "failing")["errors"], 10);
    assert_eq!(row(page, "routes", "name", "failing")["fallbacks"], 0);
    assert_eq!(row(page, "routes", "name", "unused")["requests"], 0);
    let dead = row(page, "targets", "backend", "dead");
    assert_eq!(dead["attempts"], FAILURES);
    assert_eq!(dead["failures"], FAILURES);
    assert_eq!(dead["state"], "cooling");
    let until = dead["until_ms"].as_u64().unwrap();
    assert!(until > page["now_ms"].as_u64().unwrap());
    let openai = row(page, "targets", "backend", "openai");
    assert_eq!(openai["answers"], 30);
    assert_eq!(row(page, "targets", "backend", "anthropic")["answers"], 10);
    let decisions = page["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 50);
    assert!(decisions.is_sorted_by_key(|one| std::cmp::Reverse(one["at_ms"].as_u64())));
    // Not always the two newest: a busy worker ends a request after its answer has been read.
    let refused = decisions
        .iter()
        .filter(|one| one["error"] == "model_not_found" && one["caller"] == "search");
    let mut unknown: Vec<_> = refused.map(|one| one["model"].as_str()).collect();
    unknown.sort_unstable();
    assert_eq!(unknown, [Some("nobody-has-this"), Some("unknown")]);
    let fallback = decisions
        .iter()
        .find(|one| one["route"] == "again" && one["attempts"].as_array().unwrap().len() == 2)
        .unwrap();
    assert_eq!(fallback["attempts"][0]["backend"], "dead");
    assert_eq!(fallback["attempts"][0]["verdict"], "connect_failure");
    assert_eq!(fallback["attempts"][1]["verdict"], "accepted");
}

/// All workers show the same, and reading the page is not counted.
async fn whichever_worker(case: &Case, page: &Value) {
    for _ in 0..8 {
        let other = read(case).await;
        for part in ["targets", "decisions"] {
            // Until the slots of the rows have moved on.
            let slot = &other["slot_begun_ms"];
            if part == "decisions" || slot == &page["slot_begun_ms"] {
                assert_eq!(other[part], page[part], "{part}");
            }
        }
        assert_eq!(other["totals"]["requests"], 52);
        assert_eq!(
            other["totals"]["output_tokens"],
            page["totals"]["output_tokens"]
        );
    }
}

async fn says_nothing_private(case: &Case) {
    let html = with_secret(case.get(PATH)).send().await;
    let data = with_secret(case.get(&format!("{PATH}.json"))).send().await;
    for answer in [html, data] {
        let text = String::from_utf8_lossy(&answer.is(200).body).into_owned();
        assert!(text.contains("nobody-has-this"), "the decisions are in it");
        assert!(!text.contains("canary"), "{text}");
    }
}
