//! Tests of what is observed of answers on their way.

use super::exchange::*;
use super::*;
use crate::schema::{Api, Usage};

const USAGE: &str = "data: {\"model\":\"m-2\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";
const WHOLE: &str = r#"{"model":"m-2","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
const AWS: Headers = &[("content-type", "application/vnd.amazon.eventstream")];
const SIZED: Headers = &[JSON[0], ("content-length", "9")];
const GZIP: Headers = &[JSON[0], ("content-encoding", "gzip")];
const COUNTED: Headers = &[
    JSON[0],
    ("x-amzn-bedrock-input-token-count", "9"),
    ("x-amzn-bedrock-output-token-count", "4"),
];

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        ..Usage::default()
    }
}

fn all() -> String {
    [ROLE, TOKEN, STOP, USAGE, DONE].concat()
}

/// An exchange in which the router has asked the stream for its usage.
fn asking(hold: Hold) -> Exchange {
    let mut plan = Exchange::with("a b", held(hold)).running.plan;
    for target in &mut plan.targets {
        target.requests_usage = true;
    }
    Exchange::new(plan)
}

#[test]
fn usage_model_and_end() {
    for hold in [Hold::None, Hold::FirstToken, Hold::Complete] {
        for (headers, events, end) in [
            (SSE, vec![last(&all())], AnswerEnd::Complete),
            (
                SSE,
                vec![piece(TOKEN), piece(USAGE), piece(STOP), last(DONE)],
                AnswerEnd::Complete,
            ),
            (
                SSE,
                vec![piece(TOKEN), piece(STOP), piece(USAGE), Trailers],
                AnswerEnd::Complete,
            ),
            (JSON, vec![last(WHOLE)], AnswerEnd::Complete),
            (
                JSON,
                vec![piece(&WHOLE[..50]), piece(&WHOLE[50..]), Trailers],
                AnswerEnd::Complete,
            ),
            (COUNTED, vec![last("{}")], AnswerEnd::Complete),
        ] {
            let mut exchange = Exchange::with("a b", held(hold));
            if headers == COUNTED {
                exchange.running.plan.api = Api::Invoke;
            }
            exchange.running.plan.stream = headers == SSE;
            exchange.event(&Head(200, headers));
            for event in &events {
                exchange.now += 10;
                exchange.event(event);
            }
            exchange.running.on_context_end();
            let report = exchange.running.report();
            assert_eq!(report.usage, usage(9, 4), "{hold:?} {events:?}");
            assert_eq!(report.end, Some(end), "{hold:?} {events:?}");
            assert!(report.is_accepted && report.failure.is_none());
            assert_eq!(report.began_at, NOW);
            if headers != COUNTED {
                assert_eq!(report.model.as_deref(), Some("m-2"), "{hold:?} {events:?}");
            }
            // A held answer that is complete in one piece is noted when it is read.
            assert!(
                report.first_at.is_some_and(|at| at > NOW),
                "{hold:?} {events:?}"
            );
        }
    }
}

/// The time is that of the first content, not of the events before it.
#[test]
fn the_first_token() {
    for hold in [Hold::None, Hold::FirstToken] {
        let mut exchange = Exchange::with("a b", held(hold));
        exchange.play(&[Head(200, SSE), piece(PING), piece(ROLE)]);
        assert_eq!(exchange.running.report().first_at, None);
        exchange.now += 70;
        exchange.play(&[piece(TOKEN)]);
        exchange.now += 70;
        exchange.play(&[piece(TOKEN)]);
        let report = exchange.running.report();
        assert_eq!(report.first_at, Some(NOW + 70), "{hold:?}");
        assert_eq!(report.content_tokens, Some(2));
        assert_eq!(report.end, None);
    }
    // An answer that is not a stream of events is timed by its first byte.
    for headers in [AWS, GZIP] {
        let mut exchange = Exchange::with("a", held(Hold::None));
        exchange.play(&[Head(200, headers)]);
        exchange.now += 30;
        exchange.play(&[piece("x"), last("y")]);
        let report = exchange.running.report();
        assert_eq!(report.first_at, Some(NOW + 30));
        assert_eq!(
            (report.end, report.usage),
            (Some(AnswerEnd::Complete), Usage::default())
        );
    }
}

#[test]
fn ends() {
    for (hold, events, end, is_accepted) in [
        (Hold::None, vec![piece(TOKEN)], Some(AnswerEnd::Cut), true),
        (
            Hold::None,
            vec![piece(TOKEN), last("")],
            Some(AnswerEnd::NoTerminator),
            true,
        ),
        (
            Hold::None,
            vec![piece(TOKEN), last(ERROR)],
            Some(AnswerEnd::InBandError),
            true,
        ),
        (
            Hold::None,
            vec![piece(TOKEN), After(0), After(300_000)],
            Some(AnswerEnd::Stalled),
            true,
        ),
        (
            Hold::FirstToken,
            vec![piece(TOKEN)],
            Some(AnswerEnd::Cut),
            true,
        ),
        // Nothing has been released to the client yet.
        (Hold::FirstToken, vec![piece(ROLE)], None, false),
        (Hold::Complete, vec![piece(TOKEN)], None, false),
        (Hold::FirstToken, vec![piece(ROLE), last("")], None, false),
    ] {
        let mut exchange = Exchange::with("a b", held(hold));
        exchange.play(&[Head(200, SSE)]);
        exchange.play(&events);
        exchange.running.on_context_end();
        let report = exchange.running.report();
        assert_eq!(
            (report.end, report.is_accepted),
            (end, is_accepted),
            "{hold:?} {events:?}"
        );
    }
    let mut exchange = Exchange::with("a b", held(Hold::None));
    assert_eq!(exchange.running.report().end, None);
    exchange.play(&[Only(204, JSON)]);
    assert_eq!(exchange.running.report().end, Some(AnswerEnd::Complete));
}

/// A client that disconnects after the stream's last content has the whole answer.
#[test]
fn finished_before_its_end() {
    let error = "data: {\"error\":{\"code\":503}}\n\n";
    for (hold, text, end) in [
        (Hold::None, TOKEN.to_owned(), None),
        (
            Hold::None,
            [TOKEN, STOP].concat(),
            Some(AnswerEnd::Complete),
        ),
        (Hold::None, all(), Some(AnswerEnd::Complete)),
        (
            Hold::None,
            [TOKEN, error].concat(),
            Some(AnswerEnd::InBandError),
        ),
        (Hold::FirstToken, all(), Some(AnswerEnd::Complete)),
        // Nothing has been released to the client yet.
        (Hold::Complete, all(), None),
    ] {
        let mut exchange = Exchange::with("a b", held(hold));
        exchange.play(&[Head(200, SSE), piece(&text)]);
        assert_eq!(exchange.running.report().end, end, "{hold:?} {text}");
        // But the backend can still break the stream off.
        exchange.running.on_context_end();
        let is_passing = hold != Hold::Complete;
        let end = exchange.running.report().end;
        assert_eq!(end, is_passing.then_some(AnswerEnd::Cut), "{hold:?} {text}");
    }
}

#[test]
fn failures() {
    let mut exchange = Exchange::with("a b", held(Hold::FirstToken));
    exchange.now += 40;
    exchange.play(&[Head(503, JSON)]);
    let report = exchange.running.report();
    assert_eq!(report.failure, Some(Failure::Unavailable));
    assert_eq!(
        (report.ended_at, report.is_accepted),
        (Some(NOW + 40), false)
    );
    assert_eq!(exchange.next(), Ok(()));
    exchange.now += 5;
    exchange.play(&[Done]);
    let report = exchange.running.report();
    assert_eq!((report.target, report.failure), (1, Some(Failure::Reset)));
    // The token is late, but the answer still counts because there is no other target.
    let mut exchange = Exchange::with("a", held(Hold::FirstToken));
    exchange.play(&[Head(200, SSE), piece(ROLE), After(5_000)]);
    let all = [TOKEN, STOP, USAGE, DONE].concat();
    exchange.play(&[last(&all)]);
    let report = exchange.running.report();
    assert_eq!((report.failure, report.is_accepted), (None, true));
    assert_eq!(
        (report.usage, report.end),
        (usage(9, 4), Some(AnswerEnd::Complete))
    );
}

/// The usage event that the router asked for is removed and every other byte stays, wherever the stream is cut into
/// pieces.
#[test]
fn our_usage_event_is_taken_out() {
    let own = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    let crlf = |text: &str| text.replace('\n', "\r\n");
    for (stream, kept) in [
        (all(), [ROLE, TOKEN, STOP, DONE].concat()),
        (
            [PING, TOKEN, own, PING, DONE].concat(),
            [PING, TOKEN, own, PING, DONE].concat(),
        ),
        (
            [TOKEN, ODD, STOP, USAGE, DONE].concat(),
            [TOKEN, ODD, STOP, DONE].concat(),
        ),
        (crlf(&all()), crlf(&[ROLE, TOKEN, STOP, DONE].concat())),
        // A stream that breaks off after its usage.
        ([TOKEN, STOP, USAGE].concat(), [TOKEN, STOP].concat()),
    ] {
        for hold in [Hold::None, Hold::FirstToken, Hold::Complete] {
            for cut in 0..=stream.len() {
                let mut exchange = asking(hold);
                exchange.play(&[Head(200, SSE), piece(&stream[..cut]), last(&stream[cut..])]);
                assert_eq!(exchange.client, kept, "{hold:?} {cut}");
                let told = exchange.running.report().usage;
                let is_own = stream.contains("\"prompt_tokens\":1,");
                assert_eq!(told, if is_own { usage(1, 1) } else { usage(9, 4) });
            }
        }
    }
    // The event stays if the client asked for it itself.
    let mut exchange = Exchange::with("a b", held(Hold::None));
    exchange.play(&[Head(200, SSE), last(&all())]);
    assert_eq!(exchange.client, all());
}

/// If events are dropped, the client does not see the backend's `content-length`.
#[test]
fn a_length_that_may_not_be_right_is_not_told() {
    for hold in [Hold::None, Hold::FirstToken, Hold::Complete] {
        let mut exchange = asking(hold);
        exchange.play(&[Head(200, LENGTH)]);
        assert!(exchange.running.drops_content_length());
        exchange.play(&[piece(&all()[..9]), piece(&all()[9..]), last("")]);
        assert_eq!(exchange.client, [ROLE, TOKEN, STOP, DONE].concat());
        assert_eq!(exchange.running.report().end, Some(AnswerEnd::Complete));
        // Without a length, an incomplete answer can be ended with an error event.
        let mut exchange = asking(hold);
        exchange.play(&[Head(200, LENGTH), piece(TOKEN), piece(ROLE), last("")]);
        if hold != Hold::Complete {
            assert_eq!(exchange.client, [TOKEN, ROLE, &incomplete()].concat());
        }
        // As long as no events are dropped, the length stays.
        let mut exchange = Exchange::with("a b", held(hold));
        exchange.play(&[Head(200, LENGTH)]);
        assert!(!exchange.running.drops_content_length());
        let mut exchange = asking(hold);
        exchange.play(&[Head(200, SIZED)]);
        assert!(!exchange.running.drops_content_length());
    }
}

/// An answer without a content type is recognised by its first bytes. Nothing is held for that.
#[test]
fn answers_without_a_content_type() {
    const PLAIN: Headers = &[("content-type", "text/plain; charset=utf-8")];
    const NOTHING: Headers = &[];
    let kept = [ROLE, TOKEN, STOP, DONE].concat();
    for headers in [PLAIN, NOTHING] {
        for cut in [0, 5, 6, 40, all().len()] {
            let mut exchange = asking(Hold::None);
            let text = all();
            let (before, after) = text.split_at(cut);
            exchange.play(&[Head(200, headers), piece(before), last(after)]);
            assert_eq!(exchange.client, kept, "{cut}");
            let report = exchange.running.report();
            assert_eq!(report.usage, usage(9, 4), "{cut}");
            assert_eq!(report.end, Some(AnswerEnd::Complete), "{cut}");
        }
        for (stream, whole) in [(true, WHOLE), (false, WHOLE), (true, "no"), (false, "no")] {
            let all_events = [
                vec![last(whole)],
                vec![piece(""), piece(&whole[..1]), last(&whole[1..])],
                vec![piece(whole), Trailers],
                vec![Trailers],
                vec![last("")],
            ];
            for (index, events) in all_events.iter().enumerate() {
                let mut exchange = asking(Hold::None);
                exchange.running.plan.stream = stream;
                let is_empty = index > 2;
                exchange.event(&Head(200, headers));
                for event in events {
                    exchange.event(event);
                }
                exchange.running.on_context_end();
                assert_eq!(exchange.client, if is_empty { "" } else { whole });
                let report = exchange.running.report();
                let told = if is_empty || whole != WHOLE {
                    Usage::default()
                } else {
                    usage(9, 4)
                };
                assert_eq!(report.usage, told, "{stream} {events:?}");
                assert_eq!(report.end, Some(AnswerEnd::Complete), "{stream} {events:?}");
            }
        }
    }
}

/// Content tokens are counted until the stream has reported its whole usage.
#[test]
fn what_a_stream_brings_is_counted_until_it_is_finished() {
    let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-2\",\"usage\":{\"input_tokens\":50,\"output_tokens\":1}}}\n\n";
    let words = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"one two three four\"}}\n\n";
    let end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n";
    let mut exchange = Exchange::with("a", held(Hold::None));
    exchange.running.plan.api = Api::Messages;
    exchange.play(&[Head(200, SSE), piece(anthropic), piece(words)]);
    let report = exchange.running.report();
    assert_eq!((report.usage, report.is_finished), (usage(50, 1), false));
    assert_eq!(report.content_tokens, Some(4));
    exchange.play(&[piece(end)]);
    let report = exchange.running.report();
    assert_eq!((report.usage, report.is_finished), (usage(50, 9), true));
    assert_eq!(report.content_tokens, None);
}

#[test]
fn errors_that_are_not_held() {
    const ERROR: &str = r#"{"error":{"message":"x","code":500}}"#;
    for events in [
        vec![last(ERROR)],
        vec![piece(&ERROR[..12]), piece(&ERROR[12..]), last("")],
        vec![piece(ERROR), Trailers],
    ] {
        let mut exchange = Exchange::with("a", held(Hold::None));
        exchange.running.plan.stream = false;
        exchange.play(&[Head(200, JSON)]);
        exchange.play(&events);
        let report = exchange.running.report();
        assert_eq!(report.end, Some(AnswerEnd::InBandError), "{events:?}");
        assert_eq!(report.content_tokens, Some(0));
        assert!(report.is_accepted && report.usage.is_unknown());
    }
}
