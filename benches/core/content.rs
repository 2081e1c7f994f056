//! Measures the cost of reading the content of a body after the scan: each time from the beginning, as for the first
//! condition that needs it.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use llm_router::request::{BodyKind, Content, ParameterChanges, PromptPart};
use llm_router::schema::Api;

use crate::bodies;

/// What is read, and a function that returns how much of it there is.
type ContentQuery = (&'static str, fn(&Content<'_>) -> u64);

pub(crate) const QUERIES: [ContentQuery; 7] = [
    ("field", |content| {
        content
            .max_output_tokens(&ParameterChanges::default())
            .unwrap_or(0)
    }),
    ("conversation", |content| content.turns().into()),
    ("last_user", |content| {
        length(content.text(PromptPart::LastUser))
    }),
    ("all", |content| length(content.text(PromptPart::All))),
    ("bytes", |content| content.prompt_bytes()),
    ("tokens", |content| content.prompt_tokens()),
    ("opening", |content| content.opening().unwrap_or(0)),
];

fn length(text: &str) -> u64 {
    text.len() as u64
}

pub(crate) fn run(criterion: &mut Criterion) {
    for (name, body) in bodies::all("gpt-5.5") {
        let mut group = criterion.benchmark_group(format!("content/{name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        for (asked, ask) in QUERIES {
            group.bench_function(asked, |bencher| {
                bencher.iter(|| {
                    let kind = BodyKind::Json;
                    ask(&Content::new(Api::ChatCompletions, &kind, black_box(&body)))
                });
            });
        }
        group.finish();
    }
}
