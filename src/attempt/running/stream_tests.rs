//! Tests of held streams: what releases them, and which failures another target mends.

use super::exchange::*;
use super::*;
use crate::schema::Api;

/// With the first token, and no later, everything that is held is released.
#[test]
fn until_the_first_token() {
    let begin = [ROLE, PING, PING].concat();
    for (hold, events, expected) in [
        (
            Hold::None,
            vec![piece(ROLE), piece(TOKEN), piece(STOP), last(DONE)],
            "pass; pass; pass; pass; pass",
        ),
        (
            Hold::FirstToken,
            vec![piece(&begin), piece(TOKEN), piece(STOP), last(DONE)],
            "hold; hold; pass; pass; pass",
        ),
        (
            Hold::FirstToken,
            vec![piece(&TOKEN[..40]), piece(&TOKEN[40..]), last(STOP)],
            "hold; hold; pass; pass",
        ),
        (
            Hold::FirstToken,
            vec![piece(PING), piece(TOKEN), piece(ODD), last(STOP)],
            "hold; hold; pass; pass; pass",
        ),
        // A finished answer may be empty.
        (
            Hold::FirstToken,
            vec![piece(ROLE), piece(STOP), last("")],
            "hold; hold; pass; pass",
        ),
        (
            Hold::FirstToken,
            vec![last(&[TOKEN, STOP, DONE].concat())],
            "hold; pass",
        ),
        (
            Hold::Complete,
            vec![piece(TOKEN), piece(STOP), piece(DONE), last("")],
            "hold; hold; hold; hold; pass",
        ),
        (
            Hold::Complete,
            vec![piece(TOKEN), piece(STOP), Trailers],
            "hold; hold; hold; pass",
        ),
        (
            Hold::None,
            vec![piece(TOKEN), piece(STOP), Trailers],
            "pass; pass; pass; pass",
        ),
    ] {
        let mut exchange = Exchange::with("a b", held(hold));
        let steps = exchange.play(&[Head(200, SSE)]);
        let steps = [steps, exchange.play(&events)].join("; ");
        assert_eq!(steps, expected, "{hold:?} {events:?}");
        let sent: String = events
            .iter()
            .filter_map(|event| match event {
                Piece(text) | Last(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(exchange.client, sent, "{hold:?} {events:?}");
        assert_eq!(exchange.running.take_failure(), None);
        assert_eq!(exchange.running.due_at(), None);
    }
}

#[test]
fn what_is_held_falls_back() {
    use Failure::{Incomplete, LateFirstToken, Unavailable};
    use Hold::{Complete, FirstToken};
    for (hold, events, expected, failure) in [
        (FirstToken, vec![Only(200, SSE)], "retry b", Incomplete),
        (Hold::None, vec![Only(200, SSE)], "retry b", Incomplete),
        (
            FirstToken,
            vec![Head(200, SSE), last("")],
            "hold; retry b",
            Incomplete,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(PING), last(ROLE)],
            "hold; hold; retry b",
            Incomplete,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), last(TOKEN)],
            "hold; retry b",
            Incomplete,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(PING), Trailers],
            "hold; hold; retry b",
            Incomplete,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(ERROR)],
            "hold; retry b",
            Unavailable,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(ROLE), last(ERROR.trim())],
            "hold; hold; retry b",
            Unavailable,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(&[TOKEN, ERROR].concat())],
            "hold; retry b",
            Unavailable,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), piece(PING), After(5_000)],
            "hold; hold; retry b",
            LateFirstToken,
        ),
        (
            FirstToken,
            vec![Head(200, SSE), After(4_999), piece(PING), After(1)],
            "hold; hold; hold; retry b",
            LateFirstToken,
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(PING), After(5_000)],
            "hold; hold; retry b",
            LateFirstToken,
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), After(299_999), After(1)],
            "hold; hold; hold; retry b",
            Incomplete,
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), last(TOKEN)],
            "hold; hold; retry b",
            Incomplete,
        ),
        (
            Complete,
            vec![Head(200, LENGTH), piece(TOKEN), last("")],
            "hold; hold; retry b",
            Incomplete,
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), Trailers],
            "hold; hold; retry b",
            Incomplete,
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), piece(ERROR)],
            "hold; hold; retry b",
            Unavailable,
        ),
    ] {
        let mut exchange = Exchange::with("a b", held(hold));
        assert_eq!(exchange.play(&events), expected, "{hold:?} {events:?}");
        assert_eq!(
            exchange.running.take_failure(),
            Some(failure),
            "{hold:?} {events:?}"
        );
        assert_eq!(exchange.client, "");
        assert_eq!(exchange.health(0), "counted");
        assert_eq!(exchange.play(&[Done]), "nothing");
    }
    let mut exchange = Exchange::with("a b", held(Hold::Complete));
    let events = [Head(200, SSE), piece(TOKEN), Done];
    assert_eq!(exchange.play(&events), "hold; hold; left b");
}

/// No other target is left.
#[test]
fn the_last_one_is_told_as_it_is() {
    use Hold::{Complete, FirstToken};
    for (hold, events, expected, client) in [
        (
            FirstToken,
            vec![Head(200, SSE), piece(PING), last(ROLE)],
            "hold; hold; 502 upstream_incomplete",
            "",
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), last(TOKEN)],
            "hold; hold; 502 upstream_incomplete",
            "",
        ),
        (
            Complete,
            vec![Head(200, SSE), piece(TOKEN), After(300_000)],
            "hold; hold; 502 upstream_incomplete",
            "",
        ),
        // The provider's own error.
        (
            FirstToken,
            vec![Head(200, SSE), piece(ROLE), last(ERROR)],
            "hold; hold; pass",
            &[ROLE, ERROR].concat(),
        ),
        // The late token is still the answer.
        (
            FirstToken,
            vec![
                Head(200, SSE),
                piece(ROLE),
                After(5_000),
                piece(TOKEN),
                last(STOP),
            ],
            "hold; hold; pass; pass; pass",
            &[ROLE, TOKEN, STOP].concat(),
        ),
        (
            FirstToken,
            vec![Head(200, SSE), After(5_000), last(TOKEN)],
            "hold; pass; replace",
            &[TOKEN, &incomplete()].concat(),
        ),
        // The stream is finished; only its end is missing.
        (
            Complete,
            vec![
                Head(200, SSE),
                piece(TOKEN),
                piece(STOP),
                After(300_000),
                last(DONE),
            ],
            "hold; hold; hold; pass; pass",
            &[TOKEN, STOP, DONE].concat(),
        ),
    ] {
        let mut exchange = Exchange::with("a", held(hold));
        assert_eq!(exchange.play(&events), expected, "{hold:?} {events:?}");
        assert_eq!(exchange.client, client, "{hold:?} {events:?}");
    }
}

#[test]
fn as_anthropic_streams() {
    let mut anthropic = plan("a b");
    anthropic.api = Api::Messages;
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n";
    let mut exchange = Exchange::new(anthropic.clone());
    let events = [
        Head(200, SSE),
        piece(start),
        piece(ping),
        piece(delta),
        last(""),
    ];
    assert_eq!(exchange.play(&events), "hold; hold; hold; pass; replace");
    assert!(exchange.client.contains("event: error\ndata: {"));
    let mut exchange = Exchange::new(anthropic);
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n";
    let events = [Head(200, SSE), piece(start), piece(error)];
    assert_eq!(exchange.play(&events), "hold; hold; retry b");
    assert_eq!(exchange.health(0), "cooling 800");
}
