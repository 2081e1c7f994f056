//! Trials of the metrics that Prometheus reads, with the configuration that `llm-router render envoy` prints.

mod passing;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::world::World;
use crate::harness::{Case, Suite, files};
use crate::rendered::{Tool, endpoint, start};
use text::Scrape;

/// A histogram's values appear with a flush, every five seconds.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn add(suite: &mut Suite, world: &Arc<World>) {
    for (name, scenario) in [
        (
            "metrics::the_documented_ones_are_there",
            documented as fn(&Arc<World>),
        ),
        ("metrics::after_some_requests", after_requests),
        ("metrics::sums", sums),
        ("metrics::cooldowns", cooldowns),
        ("metrics::passing", passing::passing),
    ] {
        let world = Arc::clone(world);
        suite.plain(name, move || scenario(&world));
    }
}

/// A route name with every special character that a name may have.
const ODD_ROUTE: &str = "every. with://thing_rq_200";
const ODD_MODEL: &str = "acme/big:1.0 [new] \"q\" \\b \u{e9}..y;=,";
const ODD_MODEL_READ: &str = "acme/big:1.0 _new_ \"q\" \\b \u{e9}..y;=,";
const CALLER: &str = "team a.b/c";

fn document() -> Value {
    let prices = json!({"input": 2.5, "cached_input": 1, "cache_write": 3, "output": 10.01});
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "models": [
                {"name": "gpt-4o", "prices": prices}, {"name": "status-429"}, {"name": "cut-3"},
                {"name": "odd", "upstream_name": ODD_MODEL},
            ]},
            {"name": "spare", "schema": "openai", "models": [{"name": "gpt-4o"}]},
            {"name": "anthropic", "schema": "anthropic", "models": [{"name": "claude", "prices": prices}]},
        ],
        "routes": [
            {"name": "chat", "match": {"model": "gpt-4o"}, "targets": [{"backend": "openai"}]},
            {"name": "claude", "match": {"model": "claude"}, "targets": [{"backend": "anthropic"}]},
            {"name": "falls", "match": {"model": "falls"}, "targets": [
                {"backend": "openai", "model": "status-429"}, {"backend": "spare", "model": "gpt-4o"},
            ]},
            {"name": "breaks", "match": {"model": "cut-3"}, "targets": [{"backend": "openai"}]},
            {"name": ODD_ROUTE, "match": {"model": "odd"}, "targets": [{"backend": "openai", "model": "odd"}]},
        ],
        "defaults": {
            "cooldown": {"enabled": false},
            "telemetry": {"caller": {"header": "x-team"}, "callers": [CALLER]},
        },
    })
}

fn envoy(world: &Arc<World>, name: &str, document: &Value) -> Case {
    let tool = Tool::new(world, name);
    tool.put_key("anthropic-key", "a-key");
    let options = [
        endpoint(world, "openai", "http", "openai"),
        endpoint(world, "spare", "http", "second"),
        endpoint(world, "anthropic", "http", "anthropic"),
    ];
    start(world, &tool, document, &options, 2)
}

fn scrape(case: &Case, query: &str) -> Scrape {
    let path = format!("/stats/prometheus{query}");
    let text = case.world.runtime.block_on(case.envoy.admin(&path));
    Scrape::read(&text.expect("Envoy answers"))
}

/// Scrapes until the condition holds.
fn scrape_until(case: &Case, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    let deadline = Instant::now() + LIMIT;
    loop {
        let scrape = scrape(case, "");
        if is_so(&scrape) {
            return scrape;
        }
        assert!(Instant::now() < deadline, "{:#?}", scrape.counted(&[]));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Returns the rows of a table in the docs: name, kind, labels.
fn rows(table: &str) -> Vec<(String, String, BTreeSet<String>)> {
    let page = files::read(&files::root().join("docs/metrics.md"));
    let (_, table) = page
        .split_once(&format!("<!-- table: {table} -->\n"))
        .expect("the table");
    let rows = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split('`').skip(1).step_by(2).map(str::to_owned);
        (
            cells[1].trim_matches('`').replace('.', "_"),
            cells[2].to_owned(),
            labels.collect(),
        )
    })
    .collect()
}

/// Before any request, all metrics that the docs list exist and no others, with the documented labels.
fn documented(world: &Arc<World>) {
    let case = envoy(world, "metrics-documented", &document());
    let scrape = scrape_until(&case, |scrape| !scrape.samples.is_empty());
    let plain = rows("plain metrics").into_iter();
    let plain = plain.map(|(name, kind, _)| (name, kind, BTreeSet::new()));
    let all: Vec<_> = rows("metrics").into_iter().chain(plain).collect();
    let kinds = all
        .iter()
        .map(|(name, kind, _)| (name.clone(), kind.clone()));
    assert_eq!(scrape.kinds, kinds.collect::<BTreeMap<_, _>>());
    for (name, kind, mut labels) in all {
        let name = match kind.as_str() {
            "histogram" => {
                labels.insert("le".to_owned());
                format!("{name}_bucket")
            }
            _ => name,
        };
        assert_eq!(scrape.labels(&name), labels, "{name}");
    }
    let target = [
        ("route", ODD_ROUTE),
        ("backend", "openai"),
        ("model", ODD_MODEL_READ),
    ];
    let is_there = |sample: &&text::Sample| {
        let mut target = target.iter();
        target.all(|(name, value)| sample.labels.get(*name).is_some_and(|is| is == value))
    };
    let of_target = scrape.samples.iter().filter(is_there);
    let callers: BTreeSet<&str> = of_target
        .filter_map(|sample| Some(sample.labels.get("caller")?.as_str()))
        .collect();
    assert_eq!(callers, BTreeSet::from([CALLER, "other"]));
    // The buckets are those of the configuration, not Envoy's defaults.
    let first = scrape
        .samples
        .iter()
        .find(|sample| sample.name == "gen_ai_client_token_usage_bucket");
    assert_eq!(first.expect("a bucket").labels["le"], "1");
}

/// What the backends have counted, and the number of answers.
#[derive(Default)]
struct Counted {
    input: u64,
    output: u64,
    answers: u64,
}

impl Counted {
    fn add(&mut self, input: &Value, output: &Value) {
        self.input += input.as_u64().expect("a count");
        self.output += output.as_u64().expect("a count");
        self.answers += 1;
    }

    /// Adds the usage of a chat completion.
    fn chat(&mut self, usage: &Value) {
        self.add(&usage["prompt_tokens"], &usage["completion_tokens"]);
    }
}

/// Returns the events of a stream.
fn events(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(body);
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

fn streamed_chat(case: &Case, model: &str, include_usage: bool) -> Vec<Value> {
    let mut body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "Hello?"}]});
    if include_usage {
        body["stream_options"] = json!({"include_usage": true});
    }
    let call = case.post("/v1/chat/completions", body.to_string());
    let answer = case.world.runtime.block_on(call.send());
    events(&answer.is(200).body)
}

fn after_requests(world: &Arc<World>) {
    let case = envoy(world, "metrics-requests", &document());
    let run = |call: crate::harness::Call| world.runtime.block_on(call.send());
    let (mut chat, mut named, mut claude, mut fallen) = (
        Counted::default(),
        Counted::default(),
        Counted::default(),
        Counted::default(),
    );
    for _ in 0..2 {
        let answer = run(case.chat("gpt-4o").header("x-team", CALLER));
        named.chat(&answer.is(200).json()["usage"]);
    }
    let answer = run(case.chat("gpt-4o").header("x-team", "nobody that is named"));
    chat.chat(&answer.is(200).json()["usage"]);
    let usage = streamed_chat(&case, "gpt-4o", true);
    let usage = usage
        .iter()
        .find(|event| event["usage"].is_object())
        .expect("a usage")["usage"]
        .clone();
    chat.chat(&usage);
    // The same usage, which the router requests and removes from the stream.
    let events_of_it = streamed_chat(&case, "gpt-4o", false);
    assert!(events_of_it.iter().all(|event| event["usage"].is_null()));
    chat.chat(&usage);
    let answer = run(case.messages("claude"));
    let usage = answer.is(200).json()["usage"].clone();
    claude.add(&usage["input_tokens"], &usage["output_tokens"]);
    let body = json!({"model": "claude", "max_tokens": 16, "stream": true, "messages": [{"role": "user", "content": "Hello?"}]});
    let stream = events(
        &run(case.post("/v1/messages", body.to_string()))
            .is(200)
            .body,
    );
    let output = stream
        .iter()
        .find(|event| event["type"] == "message_delta")
        .expect("an end");
    claude.add(
        &stream[0]["message"]["usage"]["input_tokens"],
        &output["usage"]["output_tokens"],
    );
    let answer = run(case.chat("falls"));
    fallen.chat(&answer.is(200).json()["usage"]);
    run(case.chat("no-such-model")).is(404);
    let body = json!({"model": "cut-3", "stream": true, "messages": []}).to_string();
    let mut broken = world
        .runtime
        .block_on(case.post("/v1/chat/completions", body).open());
    while let Ok(Some(_)) = world.runtime.block_on(broken.chunk()) {}

    let requests = 10.0;
    // All but the one that is refused.
    let routed = 9.0;
    let scrape = scrape_until(&case, |scrape| {
        scrape.sum("llm_router_requests_total", &[]) == requests
            && scrape.sum("llm_router_decision_microseconds_count", &[]) == routed
    });
    // Each request is counted once, however it ends.
    for metric in [
        "llm_router_answers_total",
        "llm_router_decisions_total",
        "llm_router_caller_requests_total",
    ] {
        assert_eq!(scrape.sum(metric, &[]), requests, "{metric}");
    }
    let cost = |counted: &Counted| {
        // In pico-dollars, by the document's prices for a million tokens.
        (counted.input * 2_500_000 + counted.output * 10_010_000) / 1_000_000
    };
    let mut expected: BTreeSet<String> = BTreeSet::new();
    let mut add = |lines: &str, counts: &[(&str, u64)]| {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let filled = counts.iter().fold(line.to_owned(), |line, (name, count)| {
                line.replace(name, &count.to_string())
            });
            expected.insert(filled);
        }
    };
    add(
        "llm_router_requests_total{route=chat,status=2xx} 5
         llm_router_requests_total{route=claude,status=2xx} 2
         llm_router_requests_total{route=falls,status=2xx} 1
         llm_router_requests_total{route=breaks,status=2xx} 1
         llm_router_requests_total{route=none,status=4xx} 1
         llm_router_decisions_total{decision=ordered,route=chat} 5
         llm_router_decisions_total{decision=ordered,route=claude} 2
         llm_router_decisions_total{decision=ordered,route=falls} 1
         llm_router_decisions_total{decision=ordered,route=breaks} 1
         llm_router_decisions_total{decision=refused,route=none} 1
         llm_router_errors_total{error=model_not_found,route=none} 1
         llm_router_answers_total{end=complete,route=chat} 5
         llm_router_answers_total{end=complete,route=claude} 2
         llm_router_answers_total{end=complete,route=falls} 1
         llm_router_answers_total{end=cut,route=breaks} 1
         llm_router_answers_total{end=none,route=none} 1
         llm_router_caller_requests_total{caller=team a.b/c,status=2xx} 2
         llm_router_caller_requests_total{caller=other,status=2xx} 7
         llm_router_caller_requests_total{caller=other,status=4xx} 1
         llm_router_attempts_total{backend=openai,model=gpt-4o,verdict=accepted} 5
         llm_router_attempts_total{backend=anthropic,model=claude,verdict=accepted} 2
         llm_router_attempts_total{backend=openai,model=status-429,verdict=rate_limited} 1
         llm_router_attempts_total{backend=spare,model=gpt-4o,verdict=accepted} 1
         llm_router_attempts_total{backend=openai,model=cut-3,verdict=accepted} 1
         llm_router_fallbacks_total{reason=rate_limited,route=falls} 1
         llm_router_unpriced_answers_total{backend=spare,model=gpt-4o} 1
         llm_router_unpriced_answers_total{backend=openai,model=cut-3} 1
         llm_router_decision_microseconds_count{} 9
         llm_router_attempt_milliseconds_count{backend=openai,model=gpt-4o} 5
         llm_router_attempt_milliseconds_count{backend=anthropic,model=claude} 2
         llm_router_attempt_milliseconds_count{backend=openai,model=status-429} 1
         llm_router_attempt_milliseconds_count{backend=spare,model=gpt-4o} 1
         llm_router_attempt_milliseconds_count{backend=openai,model=cut-3} 1",
        &[],
    );
    for (target, caller, counted) in [
        (
            "backend=openai,CALLERmodel=gpt-4o,route=chat",
            CALLER,
            &named,
        ),
        (
            "backend=openai,CALLERmodel=gpt-4o,route=chat",
            "other",
            &chat,
        ),
        (
            "backend=anthropic,CALLERmodel=claude,route=claude",
            "other",
            &claude,
        ),
        (
            "backend=spare,CALLERmodel=gpt-4o,route=falls",
            "other",
            &fallen,
        ),
    ] {
        let target = target.replace("CALLER", &format!("caller={caller},"));
        add(
            &format!(
                "llm_router_tokens_total{{{target},type=input}} INPUT
                 llm_router_tokens_total{{{target},type=output}} OUTPUT"
            ),
            &[("INPUT", counted.input), ("OUTPUT", counted.output)],
        );
        if !target.starts_with("backend=spare") {
            add(
                &format!("llm_router_cost_microdollars_total{{{target}}} COST"),
                &[("COST", cost(counted))],
            );
        }
    }
    for (target, answers, streams) in [
        (
            "backend=openai,model=gpt-4o,route=chat",
            named.answers + chat.answers,
            2,
        ),
        (
            "backend=anthropic,model=claude,route=claude",
            claude.answers,
            1,
        ),
        ("backend=spare,model=gpt-4o,route=falls", fallen.answers, 0),
        ("backend=openai,model=cut-3,route=breaks", 1, 1),
    ] {
        add(
            &format!(
                "gen_ai_client_operation_duration_milliseconds_count{{{target}}} ANSWERS
                 gen_ai_client_token_usage_count{{{target},type=input}} ANSWERS
                 gen_ai_client_token_usage_count{{{target},type=output}} ANSWERS"
            ),
            &[("ANSWERS", answers)],
        );
        if streams > 0 {
            add(
                &format!(
                    "gen_ai_server_time_to_first_token_milliseconds_count{{{target}}} STREAMS"
                ),
                &[("STREAMS", streams)],
            );
        }
        if streams > 0 && !target.contains("cut-3") {
            add(
                &format!(
                    "gen_ai_server_time_per_output_token_microseconds_count{{{target}}} STREAMS"
                ),
                &[("STREAMS", streams)],
            );
        }
    }
    let unequal = [
        "llm_router_request_bytes_total",
        "llm_router_response_bytes_total",
        "llm_router_estimated_tokens_total",
    ];
    let found = scrape.counted(&unequal);
    let missing: Vec<_> = expected.difference(&found).collect();
    let more: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "missing {missing:#?}\nmore {more:#?}"
    );
    for metric in &unequal[..2] {
        assert!(scrape.sum(metric, &[("route", "chat")]) > 100.0, "{metric}");
    }
    // A stream that broke off reported no usage.
    let estimated = "llm_router_estimated_tokens_total";
    assert!(scrape.sum(estimated, &[("route", "breaks")]) > 0.0);
    assert_eq!(
        scrape.sum(estimated, &[("route", "breaks")]),
        scrape.sum(estimated, &[])
    );
}

/// A mixed load on two workers: the metrics match what the backends have counted.
fn sums(world: &Arc<World>) {
    let case = envoy(world, "metrics-sums", &document());
    let (mut input, mut output, mut pico_dollars, mut attempts) = (0, 0, 0, 0);
    let mut calls = JoinSet::new();
    for round in 0..10 {
        for (model, stream) in ["gpt-4o", "claude", "falls"].map(|model| (model, round % 3 > 0)) {
            let text = "x".repeat(round * 7);
            let body = json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
            let path = match model {
                "claude" => "/v1/messages",
                _ => "/v1/chat/completions",
            };
            let caller = ["", CALLER, "else"][round % 3];
            let call = case.post(path, body.to_string()).header("x-team", caller);
            calls.spawn_on(call.send(), world.runtime.handle());
        }
    }
    let requests = calls.len();
    for answer in world.runtime.block_on(calls.join_all()) {
        for (backend, seen) in answer.is(200).attempts() {
            attempts += 1;
            let counted = seen.0.answer.counted().unwrap_or_default();
            input += counted.0;
            output += counted.1;
            if backend != "second" {
                pico_dollars += counted.0 * 2_500_000 + counted.1 * 10_010_000;
            }
        }
    }
    assert!(attempts > requests && output > 100, "{attempts} {output}");
    let is_whole =
        |scrape: &Scrape| scrape.sum("llm_router_requests_total", &[]) >= number(requests);
    let scrape = scrape_until(&case, is_whole);
    let is = |metric: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(scrape.sum(metric, labels), expected, "{metric} {labels:?}");
    };
    is("llm_router_requests_total", &[], number(requests));
    is("llm_router_attempts_total", &[], number(attempts));
    is("llm_router_fallbacks_total", &[], number(requests / 3));
    is(
        "llm_router_tokens_total",
        &[("type", "input")],
        number(input),
    );
    is(
        "llm_router_tokens_total",
        &[("type", "output")],
        number(output),
    );
    is("llm_router_estimated_tokens_total", &[], 0.0);
    // Each worker keeps less than one microdollar back, for each target and caller.
    let left =
        number(pico_dollars / 1_000_000) - scrape.sum("llm_router_cost_microdollars_total", &[]);
    assert!((0.0..2.0 * 4.0).contains(&left), "{left}");
}

/// Converts a count to Prometheus's number type.
fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().ok().expect("a small number"))
}

fn cooldowns(world: &Arc<World>) {
    let document = json!({
        "backends": [
            {"name": "dead", "schema": "openai", "models": [{"name": "gpt-4o"}]},
            {"name": "spare", "schema": "openai", "models": [{"name": "gpt-4o"}]},
        ],
        "routes": [{"name": "smart", "match": {"model": "smart"}, "targets": [
            {"backend": "dead", "model": "gpt-4o"}, {"backend": "spare", "model": "gpt-4o"},
        ]}],
        "defaults": {"cooldown": {"failures": 1, "base_ms": 1500}},
    });
    let tool = Tool::new(world, "metrics-cooldowns");
    let options = [
        endpoint(world, "dead", "http", "dead"),
        endpoint(world, "spare", "http", "second"),
    ];
    let case = start(world, &tool, &document, &options, 2);
    let dead = [("backend", "dead"), ("model", "gpt-4o")];
    let cooling = |scrape: &Scrape| scrape.sum("llm_router_target_cooling", &dead);
    assert_eq!(cooling(&scrape(&case, "")), 0.0);
    world.runtime.block_on(case.chat("smart").send()).is(200);
    let during = scrape_until(&case, |scrape| cooling(scrape) > 0.0);
    assert_eq!(during.sum("llm_router_target_cooling", &[]), 1.0);
    assert_eq!(during.sum("llm_router_cooldowns_total", &dead), 1.0);
    let after = scrape_until(&case, |scrape| cooling(scrape) == 0.0);
    assert_eq!(after.sum("llm_router_cooldowns_total", &[]), 1.0);
    world.runtime.block_on(case.chat("smart").send()).is(200);
    scrape_until(&case, |scrape| {
        scrape.sum("llm_router_cooldowns_total", &dead) == 2.0
    });
}
