//! Measures decisions among routes as a large user would write them: each has a different condition, and a tenth of
//! them search the words of the prompt.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use llm_router::attempt::Moment;
use llm_router::config::Document;
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Claims, Headers};
use llm_router::routing::{AfterHeaders, receive_headers};
use serde_json::json;

use crate::bodies;
use crate::native::{MODEL, ROUTES, headers};

/// The conditions of the routes, in the words of the record.
pub(crate) const MIX: &str = "Of twenty mixed routes, four ask for exact models (one also for a header, one for `stream`), \
     four for patterns of models (with a header, with tools and a field, with a percentage), three for headers, paths, claims \
     and the mesh in pairs, two for fields of the body, one each for the query, for turns, for the prompt's tokens, and for \
     `any` of several with a `not` among them; one looks for five words and one for three phrases in the user's last message, \
     and one for two words in the system prompt or, in one route of a hundred, for a regular expression";

/// Measures the whole router role up to the decision, on chat-1k. Everything is read anew for each request.
pub(crate) fn run(criterion: &mut Criterion) {
    let (_, body) = bodies::all(MODEL).into_iter().next().unwrap();
    let claims =
        json!({"sub": "svc-7", "realm_access": {"roles": ["reader", "writer"]}, "team": "search"});
    let claims = Claims::new(serde_json::from_value(claims).unwrap()).unwrap();
    let caller = Caller::default().with_claims(claims);
    let mut group = criterion.benchmark_group("decide-mixed");
    for routes in ROUTES {
        let document = document(routes);
        let last = format!("route-{}", routes - 1);
        let is_last = |(headers, caller): (Headers, Caller), random: u64| {
            let moment = Moment {
                now: 1_700_000_000_000,
                random,
                health: &NoHealthStore,
            };
            let AfterHeaders::AwaitBody(pending) =
                receive_headers(&document, headers, caller, || moment)
            else {
                panic!("it is a chat completion");
            };
            let view = pending.read(black_box(&body)).unwrap_or_else(|_| panic!());
            let content = pending.content(&body);
            let subject = pending.subject(&document, &view, &content, moment.now, random);
            let subject = subject.unwrap_or_else(|_| panic!("it names a model"));
            let decision = pending.decide(&document, &view, &subject);
            decision.is_ok_and(|decision| decision.route.name == last)
        };
        let request = || (headers(30), caller.clone());
        // With this number, none of the routes with a percentage takes the request.
        let random = (0..10_000).find(|random| is_last(request(), *random));
        let random = random.expect("only the last route takes the request");
        group.bench_function(routes.to_string(), |bencher| {
            bencher.iter_batched(
                request,
                |request| assert!(is_last(request, random)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn document(routes: usize) -> Document {
    let mut text = String::from(
        r#"{"backends": [{"name": "one", "schema": "openai", "host": "one.example", "models": [{"name": "*"}]}], "routes": ["#,
    );
    for number in 0..routes {
        let condition = if number + 1 == routes {
            format!(r#"{{"model": "{MODEL}"}}"#)
        } else {
            condition(number)
        };
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"name": "route-{number}", "match": {condition}, "targets": [{{"backend": "one"}}]}}"#
        );
    }
    text += "]}";
    Document::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The condition of one route. No two routes have the same.
fn condition(number: usize) -> String {
    let n = number;
    match number % 20 {
        0 => format!(r#"{{"model": "model-{n}"}}"#),
        1 => format!(r#"{{"prompt": {{"words": [{}]}}}}"#, words(n, 5)),
        2 => format!(r#"{{"model": "team-{n}-*"}}"#),
        3 => format!(r#"{{"model": "gpt-*", "headers": {{"x-header-9": "tenant-{n}"}}}}"#),
        4 => format!(r#"{{"headers": {{"x-header-12": "a*"}}, "claims": {{"team": "team-{n}"}}}}"#),
        5 => format!(r#"{{"model": ["model-{n}", "other-{n}"], "stream": true}}"#),
        6 => format!(
            r#"{{"all": [{{"path": "/v1/*"}}, {{"headers": {{"x-tenant": "tenant-{n}-*"}}}}]}}"#
        ),
        7 => format!(
            r#"{{"claims": {{"realm_access.roles": "role-{n}"}}, "mesh": {{"namespace": "n-{n}"}}}}"#
        ),
        8 => format!(r#"{{"query": {{"deployment": "d-{n}"}}}}"#),
        9 => format!(r#"{{"body": {{"metadata.team": ["t-{n}", "u-{n}"]}}}}"#),
        10 => format!(r#"{{"model": "model-{n}"}}"#),
        11 => format!(
            r#"{{"body": {{"max_tokens": {{"min": {}}}}}}}"#,
            100_000 - n
        ),
        12 => format!(r#"{{"prompt": {{"phrases": [{}]}}}}"#, phrases(n, 3)),
        13 => format!(r#"{{"model": "gpt-*", "tools": true, "body": {{"user": "u-{n}"}}}}"#),
        14 => format!(r#"{{"turns": {}}}"#, 2000 - n),
        15 => format!(r#"{{"prompt_tokens": {{"min": {}}}}}"#, 200_000 - n),
        16 => format!(
            r#"{{"any": [{{"model": "m-{n}"}}, {{"headers": {{"x-header-20": "*-{n}"}}}}, {{"not": {{"path": "/v1/*"}}, "body": {{"seed": {n}}}}}]}}"#
        ),
        17 => format!(r#"{{"model": "m-{n}", "headers": {{"x-header-3": "a*"}}}}"#),
        18 => format!(r#"{{"model": "gpt-*", "percent": 0.{:02}}}"#, 1 + n / 20),
        _ if number % 100 == 99 => {
            format!(r#"{{"prompt": {{"regex": "\\bticket-{n}[0-9]+|case {n}\\b"}}}}"#)
        }
        _ => format!(r#"{{"system_prompt": {{"words": [{}]}}}}"#, words(n, 2)),
    }
}

/// Prefixes of words that prompts contain.
const STEMS: [&str; 8] = [
    "refund", "order", "cancel", "the", "code", "translat", "invoice", "a",
];

fn word(number: usize, at: usize) -> String {
    let stem = STEMS[(number + at) % STEMS.len()];
    format!("{stem}{}", number * 10 + at)
}

fn words(number: usize, count: usize) -> String {
    let words: Vec<String> = (0..count)
        .map(|at| format!("\"{}\"", word(number, at)))
        .collect();
    words.join(", ")
}

fn phrases(number: usize, count: usize) -> String {
    let phrases: Vec<String> = (0..count)
        .map(|at| format!("\"the {} of it\"", word(number, at)))
        .collect();
    phrases.join(", ")
}
