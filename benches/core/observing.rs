//! Measures what observing costs in the core: reading an event of a stream, making an outcome, and reporting it.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use llm_router::attempt::AttemptReport;
use llm_router::config::{Document, Price, Prices, Tree};
use llm_router::page::{PendingCounts, Store};
use llm_router::schema::{Api, DroppedEvents, StreamReader, Usage, UsageReader};
use llm_router::telemetry::metrics::Recorder;
use llm_router::telemetry::{
    AnswerEnd, FIELDS, OfferedTarget, Outcome, OutcomeBuilder, RequestTimes,
};

/// The number of events that are read at a time, each in a piece of its own.
pub(crate) const EVENTS: usize = 256;

/// The streams: name, API, an event with a token, and the event that ends the stream.
const STREAMS: [(&str, Api, &str, &str); 4] = [
    (
        "chat.completions",
        Api::ChatCompletions,
        r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"gpt-5.5","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"gpt-5.5","choices":[],"usage":{"prompt_tokens":212,"completion_tokens":256,"total_tokens":468}}"#,
    ),
    (
        "messages",
        Api::Messages,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":212,\"output_tokens\":256}}",
    ),
    (
        "responses",
        Api::Responses,
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":17,\"item_id\":\"msg_bench\",\"output_index\":0,\"content_index\":0,\"delta\":\" token\",\"logprobs\":[],\"obfuscation\":\"Xw3kPq0a\"}",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":300,\"response\":{\"id\":\"resp_bench\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"gpt-5.5\",\"output\":[],\"usage\":{\"input_tokens\":212,\"output_tokens\":256,\"total_tokens\":468}}}",
    ),
    (
        "stream_generate_content",
        Api::StreamGenerateContent,
        r#"data: {"candidates":[{"content":{"parts":[{"text":" token"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":212,"candidatesTokenCount":17,"totalTokenCount":229},"modelVersion":"gemini-3-flash","responseId":"bench"}"#,
        r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":212,"candidatesTokenCount":256,"totalTokenCount":468},"modelVersion":"gemini-3-flash","responseId":"bench"}"#,
    ),
];

/// The first stream with its usage event removed, as is done if the router has asked for it.
const ASKED_FOR: &str = "chat.completions, usage asked for";
const AWS: &str = "converse_stream";
pub(crate) const WHOLE: &str = "whole answer of 1 KB";

/// The names of the streams, in the order of the page.
pub(crate) fn streams() -> Vec<&'static str> {
    let names = STREAMS.iter().map(|(name, ..)| *name);
    names.chain([ASKED_FOR, AWS]).collect()
}

/// What is done for each request: the name and a description.
pub(crate) const REQUESTS: [(&str, &str); 5] = [
    (
        "outcome",
        "An outcome made of what was noted and one attempt's report",
    ),
    (
        "fields",
        "Its fields for access logs and traces written as texts",
    ),
    ("metrics", "Its values for the metrics found"),
    ("page", "The page's sums counted"),
    (
        "share",
        "Once a second in each worker: 50 requests counted, and added to the value that all workers share, which is decoded \
         and encoded for that",
    ),
];

pub(crate) fn run(criterion: &mut Criterion) {
    reading(criterion);
    requests(criterion);
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("observe");
    for (name, api, event, end) in STREAMS {
        let (event, end) = (format!("{event}\n\n"), format!("{end}\n\n"));
        let read = |drops: Option<DroppedEvents>| {
            let mut reader = StreamReader::new(api);
            if let Some(drops) = drops {
                reader = reader.dropping(drops);
            }
            for piece in std::iter::repeat_n(&event, EVENTS - 1).chain([&end]) {
                let piece = black_box(piece.as_bytes());
                if drops.is_some() {
                    black_box(reader.push_filtered(piece, false));
                } else {
                    reader.push(piece);
                }
            }
            reader.usage()
        };
        assert_eq!(read(None).output, Some(256), "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| read(None)));
        if api == Api::ChatCompletions {
            let drops = DroppedEvents {
                malformed: false,
                usage: true,
            };
            group.bench_function(ASKED_FOR, |bencher| bencher.iter(|| read(Some(drops))));
        }
    }
    let delta = frame(br#"{"contentBlockIndex":0,"delta":{"text":" token"},"p":"abcdefghij"}"#);
    let end = frame(br#"{"metrics":{"latencyMs":412},"usage":{"inputTokens":212,"outputTokens":256,"totalTokens":468}}"#);
    let read = || {
        let mut reader = UsageReader::new(b"application/vnd.amazon.eventstream").unwrap();
        for piece in std::iter::repeat_n(&delta, EVENTS - 1).chain([&end]) {
            reader.push(black_box(piece));
        }
        reader.usage()
    };
    assert_eq!(read().output, Some(256));
    group.bench_function(AWS, |bencher| bencher.iter(read));
    let answer = whole_answer();
    let read = || {
        let mut reader = UsageReader::new(b"application/json").unwrap();
        reader.push(black_box(answer.as_bytes()));
        reader.usage()
    };
    assert_eq!(read().output, Some(256));
    group.bench_function(WHOLE, |bencher| bencher.iter(read));
    group.finish();
}

/// A frame of AWS's event stream, without valid checksums because they are not read.
fn frame(payload: &[u8]) -> Vec<u8> {
    let header = b"\x0b:event-type\x07\x00\x11contentBlockDelta";
    let total = u32::try_from(16 + header.len() + payload.len()).unwrap();
    let headers = u32::try_from(header.len()).unwrap();
    [
        &total.to_be_bytes()[..],
        &headers.to_be_bytes(),
        &[0; 4],
        header,
        payload,
        &[0; 4],
    ]
    .concat()
}

fn whole_answer() -> String {
    let mut content = String::new();
    while content.len() < 700 {
        let _ = write!(content, "word {} ", content.len());
    }
    format!(
        r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1790000000,"model":"gpt-5.5","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":212,"completion_tokens":256,"total_tokens":468,"prompt_tokens_details":{{"cached_tokens":100}}}}}}"#
    )
}

/// The demo's document, which has a page, prices and callers.
fn document() -> Document {
    let tree: Tree =
        serde_saphyr::from_str(include_str!("../../envoy/documents/demo.yaml")).unwrap();
    Document::compile(&tree).unwrap()
}

fn outcome_builder() -> OutcomeBuilder {
    OutcomeBuilder {
        partial: Outcome {
            route: Some("gpt".to_owned()),
            decision: "ordered",
            api: Some(Api::ChatCompletions),
            stream: true,
            caller: Some("search".to_owned()),
            model: Some("gpt-5.5".to_owned()),
            status: 200,
            decision_us: 40,
            request_bytes: 1024,
            response_bytes: 48_000,
            ..Outcome::default()
        },
        offered: vec![OfferedTarget {
            backend: "openai".to_owned(),
            model: "gpt-5.5".to_owned(),
            prices: Prices {
                input: Some(Price(2_000_000)),
                output: Some(Price(10_000_000)),
                ..Prices::default()
            },
        }],
        is_whole: true,
        ..OutcomeBuilder::default()
    }
}

fn report() -> AttemptReport {
    AttemptReport {
        target: 0,
        failure: None,
        is_accepted: true,
        began_at: 1_800_000_000_000,
        ended_at: None,
        first_at: Some(1_800_000_000_400),
        end: Some(AnswerEnd::Complete),
        usage: Usage {
            input: Some(212),
            cached_input: Some(100),
            output: Some(256),
            ..Usage::default()
        },
        model: Some("gpt-5.5-2026-04-23".to_owned()),
        content_tokens: Some(375),
        is_finished: true,
    }
}

fn requests(criterion: &mut Criterion) {
    let times = RequestTimes {
        arrived_at: 1_800_000_000_000,
        ended_at: 1_800_000_002_000,
    };
    let document = document();
    let reports = [report()];
    let outcome: Outcome = outcome_builder().outcome(&reports, times);
    assert!(outcome.cost.is_some());
    let mut group = criterion.benchmark_group("observe-request");
    let [
        (making, _),
        (fields, _),
        (metrics, _),
        (page, _),
        (share, _),
    ] = REQUESTS;
    group.bench_function(making, |bencher| {
        bencher.iter_batched(
            outcome_builder,
            |outcome_builder| outcome_builder.outcome(black_box(&reports), times),
            BatchSize::SmallInput,
        );
    });
    group.bench_function(fields, |bencher| {
        bencher.iter(|| {
            let told = FIELDS
                .iter()
                .filter_map(|field| (field.value)(black_box(&outcome)));
            told.map(|text| text.len()).sum::<usize>()
        });
    });
    let mut recorder = Recorder::new(&document);
    group.bench_function(metrics, |bencher| {
        bencher.iter(|| {
            let mut count = 0;
            recorder.record(black_box(&outcome), &mut |_, _, _| count += 1);
            assert!(count > 15);
        });
    });
    let mut pending = PendingCounts::default();
    group.bench_function(page, |bencher| {
        bencher.iter(|| pending.record(&document, black_box(&outcome), times.ended_at));
    });
    let shared = sharing(
        &document,
        &outcome,
        times.ended_at,
        Store::default().encode(),
    );
    group.bench_function(share, |bencher| {
        bencher.iter(|| {
            sharing(
                &document,
                &outcome,
                times.ended_at,
                black_box(shared.clone()),
            )
        });
    });
    group.finish();
}

/// Does what the host does on a tick, after fifty requests.
fn sharing(document: &Document, outcome: &Outcome, now: u64, known: Vec<u8>) -> Vec<u8> {
    let mut pending = PendingCounts::default();
    for _ in 0..50 {
        pending.record(document, outcome, now);
    }
    let mut store = Store::decode(&known);
    store.add(pending.take(|| 7));
    store.prune(now);
    store.encode()
}
