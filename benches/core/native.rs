//! The criterion benchmarks. record.rs looks for their names.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use llm_router::attempt::{CurrentHeaders, Moment, Plan, begin};
use llm_router::config::Document;
use llm_router::health::NoHealthStore;
use llm_router::prompt::{Script, estimate};
use llm_router::request::{Caller, Edit, Edits, Headers, ModelRequirement, scan};
use llm_router::routing::{AfterHeaders, Subject, decide, receive_headers};
use llm_router::schema::Api;
use serde_json::Value;

use crate::bodies;

pub(crate) const ROUTES: [usize; 3] = [3, 100, 1000];
pub(crate) const MODEL: &str = "gpt-5.5";
const RENAMED: &str = "a-name-of-the-provider's-own";

pub(crate) fn run(criterion: &mut Criterion) {
    scanning(criterion);
    splicing(criterion);
    deciding(criterion);
    choosing(criterion);
    planning(criterion);
    estimating(criterion);
}

fn scanning(criterion: &mut Criterion) {
    for (name, body) in bodies::all(MODEL) {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("scan", |bencher| {
            bencher.iter(|| scan(black_box(&body), ModelRequirement::Required).unwrap());
        });
        group.bench_function("value", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Value>(black_box(&body)).unwrap());
        });
        group.finish();
    }
}

const MOMENT: Moment<'_> = Moment {
    now: 0,
    random: 0,
    health: &NoHealthStore,
};

/// Replaces the model's name in a body, at its beginning and at its end, and by way of a `Value`.
fn splicing(criterion: &mut Criterion) {
    for (name, body) in bodies::all(MODEL) {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        for (which, body) in [("splice", &body), ("splice-last", &model_last(&body))] {
            let view = scan(body, ModelRequirement::Required).unwrap();
            group.bench_function(which, |bencher| {
                bencher.iter(|| {
                    let edit = Edit {
                        span: view.model.clone().unwrap().span,
                        with: RENAMED.as_bytes().to_vec(),
                    };
                    Edits(vec![edit]).beginning(black_box(body))
                });
            });
        }
        group.bench_function("splice-value", |bencher| {
            bencher.iter(|| {
                let mut value: Value = serde_json::from_slice(black_box(&body)).unwrap();
                value["model"] = RENAMED.into();
                serde_json::to_vec(&value).unwrap()
            });
        });
        group.finish();
    }
}

/// A body with the model at its end, as clients write it that sort their fields.
fn model_last(body: &[u8]) -> Vec<u8> {
    let model = format!(r#"{{"model":"{MODEL}","#);
    let others = body
        .strip_prefix(model.as_bytes())
        .expect("the model stands first");
    let others = others.strip_suffix(b"}").expect("an object");
    let last = format!(r#","model":"{MODEL}"}}"#);
    [b"{", others, last.as_bytes()].concat()
}

fn deciding(criterion: &mut Criterion) {
    for (name, condition) in [
        ("exact", exact as fn(usize) -> String),
        ("headers", by_headers),
    ] {
        let mut group = criterion.benchmark_group(format!("decide-{name}"));
        for routes in ROUTES {
            let document = document(routes, condition);
            let headers = headers(30);
            let model = format!("model-{}", routes - 1);
            let subject = Subject {
                model: Some(&model),
                path: Some("/v1/chat/completions"),
                method: Some("POST"),
                headers: Some(&headers),
                stream: Some(false),
                ..Subject::default()
            };
            let api = Api::ALL[0];
            group.bench_function(routes.to_string(), |bencher| {
                bencher.iter(|| {
                    let decision = decide(&document, api, &model, black_box(&subject));
                    decision.unwrap().plan.len()
                });
            });
        }
        group.finish();
    }
}

/// Measures the order of a route's targets: as in the document, drawn, and by a key in a header.
fn choosing(criterion: &mut Criterion) {
    let headers = headers(30);
    let subject = Subject {
        model: Some(MODEL),
        path: Some("/v1/chat/completions"),
        method: Some("POST"),
        headers: Some(&headers),
        stream: Some(false),
        random: Some(7),
        ..Subject::default()
    };
    for targets in [2, 8, 64] {
        let mut group = criterion.benchmark_group(format!("choose-{targets}"));
        for (name, route) in [
            ("ordered", ""),
            ("drawn", r#""strategy": "weighted","#),
            (
                "sticky",
                r#""strategy": "weighted", "sticky": [{"header": "x-header-7"}],"#,
            ),
        ] {
            let names: Vec<String> = (0..targets).map(|number| format!("b{number}")).collect();
            let backends = names.iter().map(|name| {
                format!(r#"{{"name": "{name}", "schema": "openai", "models": [{{"name": "*"}}]}}"#)
            });
            let backends: Vec<String> = backends.collect();
            let all = names
                .iter()
                .map(|name| format!(r#"{{"backend": "{name}"}}"#));
            let all: Vec<String> = all.collect();
            let document = format!(
                r#"{{"backends": [{}], "routes": [{{"name": "r", "match": {{"model": "*"}}, {route} "targets": [{}]}}]}}"#,
                backends.join(","),
                all.join(",")
            );
            let document = Document::load(document.as_bytes()).unwrap();
            let api = Api::ALL[0];
            let decision = decide(&document, api, MODEL, &subject).unwrap();
            assert_eq!(decision.choice.name(), name);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let decision = decide(&document, api, MODEL, black_box(&subject));
                    decision.unwrap().plan.len()
                });
            });
        }
        group.finish();
    }
}

/// Measures the whole router role on a small body, and both ends of a plan with one target and with two.
fn planning(criterion: &mut Criterion) {
    let document = document(3, exact);
    let (_, body) = bodies::all("model-2").into_iter().next().unwrap();
    for (name, model) in [("one-target", "model-2"), ("two-targets", "two")] {
        let mut group = criterion.benchmark_group(format!("plan-{name}"));
        let body = String::from_utf8(body.clone())
            .unwrap()
            .replacen("model-2", model, 1);
        let route = |headers| {
            let AfterHeaders::AwaitBody(pending) =
                receive_headers(&document, headers, Caller::default(), || MOMENT)
            else {
                panic!("it is a chat completion");
            };
            let routed = pending.route(&document, black_box(body.as_bytes()), MOMENT);
            routed.unwrap_or_else(|_| panic!("it is routed")).plan
        };
        group.bench_function("route", |bencher| {
            bencher.iter_batched(|| headers(20), route, BatchSize::SmallInput);
        });
        let bytes = route(headers(20));
        let plan = Plan::decode(&bytes).unwrap();
        group.bench_function("encode", |bencher| {
            bencher.iter(|| black_box(&plan).encode())
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| Plan::decode(black_box(&bytes)).unwrap());
        });
        let current = Envoy(headers(20));
        group.bench_function("begin", |bencher| {
            bencher.iter_batched(
                || plan.clone(),
                |plan| begin(plan, "one", &current, || MOMENT).is_ok(),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

/// Stands in for the host call.
struct Envoy(Headers);

impl CurrentHeaders for Envoy {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let headers = self.0.iter();
        headers
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect()
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.0.values(name).next().map(<[u8]>::to_vec)
    }

    fn is_retry(&self) -> bool {
        false
    }
}

fn exact(number: usize) -> String {
    format!(r#"{{"model": "model-{number}"}}"#)
}

/// A condition with three headers, of which the last one decides.
fn by_headers(number: usize) -> String {
    format!(
        r#"{{"model": "model-*", "headers": {{"x-header-8": "*", "x-header-28": "a*", "x-header-29": "*-{number}"}}}}"#
    )
}

/// A document whose second-to-last route takes the request, after all others before it were evaluated.
fn document(routes: usize, condition: fn(usize) -> String) -> Document {
    let mut text = String::from(
        r#"{"backends": [
            {"name": "one", "schema": "openai", "host": "one.example", "models": [{"name": "m"}, {"name": "model-*"}]},
            {"name": "two", "schema": "openai", "host": "two.example", "models": [{"name": "n"}]}
        ], "routes": ["#,
    );
    for number in 0..routes {
        let condition = if number + 1 == routes {
            r#"{"model": "model-*"}"#.to_owned()
        } else {
            condition(number)
        };
        let _ = write!(
            text,
            r#"{{"name": "route-{number}", "match": {condition}, "targets": [{{"backend": "one"}}]}},"#
        );
    }
    text += r#"{"name": "two", "match": {"model": "two"}, "targets": [
        {"backend": "one", "model": "m"}, {"backend": "two", "model": "n"}]}]}"#;
    Document::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

pub(crate) fn headers(more: usize) -> Headers {
    let mut headers = vec![
        (":authority".to_owned(), b"gateway.example".to_vec()),
        (":path".to_owned(), b"/v1/chat/completions".to_vec()),
        (":method".to_owned(), b"POST".to_vec()),
        ("content-length".to_owned(), b"1024".to_vec()),
        (
            "authorization".to_owned(),
            b"Bearer sk-a-client-key".to_vec(),
        ),
    ];
    for number in 0..more {
        headers.push((format!("x-header-{number}"), b"a value".to_vec()));
    }
    Headers::new(headers)
}

/// Measures counting the tokens of a megabyte of text of one kind, and detecting its script.
fn estimating(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokens");
    for (name, text) in [
        ("english", include_str!("../../docs/design.md")),
        ("rust", include_str!("../../src/prompt/tokens.rs")),
        ("json", include_str!("../../tests/data/tokens/tools.json")),
        (
            "chinese",
            include_str!("../../tests/data/tokens/chinese-tech.txt"),
        ),
        (
            "russian",
            include_str!("../../tests/data/tokens/russian.txt"),
        ),
    ] {
        let text = text.repeat((1 << 20) / text.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| estimate(black_box(&text))));
        group.bench_function(format!("script-{name}"), |bencher| {
            bencher.iter(|| Script::of(black_box(&text)));
        });
    }
    group.finish();
}
