//! Tests of streams on their way to the client, and of how they end.

use super::exchange::*;
use super::*;

/// The stream breaks after it was released.
#[test]
fn what_is_broken_never_looks_whole() {
    let error = incomplete();
    for (headers, events, expected, client) in [
        // The stream ends cleanly but is not finished.
        (SSE, vec![last("")], "replace", error.clone()),
        (
            SSE,
            vec![piece(TOKEN), last(TOKEN)],
            "pass; replace",
            [TOKEN, TOKEN, &error].concat(),
        ),
        (
            SSE,
            vec![last(&TOKEN[..30])],
            "replace",
            [&TOKEN[..30], "\n\n", &error].concat(),
        ),
        (LENGTH, vec![last("")], "reset", String::new()),
        (
            LENGTH,
            vec![piece(TOKEN), last(&TOKEN[..30])],
            "pass; reset",
            TOKEN.to_owned(),
        ),
        (
            SSE,
            vec![piece(TOKEN), Trailers],
            "pass; reset",
            TOKEN.to_owned(),
        ),
        // An event without its blank line, which the client would ignore, is completed.
        (SSE, vec![last(STOP.trim())], "replace", STOP.to_owned()),
        (
            LENGTH,
            vec![last(STOP.trim())],
            "pass",
            STOP.trim().to_owned(),
        ),
        (
            SSE,
            vec![piece(STOP.trim()), Trailers],
            "pass; pass",
            STOP.trim().to_owned(),
        ),
        // An error ends a stream too.
        (SSE, vec![last(ERROR)], "pass", ERROR.to_owned()),
        // Malformed events change nothing.
        (
            SSE,
            vec![piece(ODD), last(STOP)],
            "pass; pass",
            [ODD, STOP].concat(),
        ),
        // A stall.
        (
            SSE,
            vec![After(0), After(299_999), After(1)],
            "hold; hold; reset",
            String::new(),
        ),
        (
            SSE,
            vec![
                After(299_000),
                piece(TOKEN),
                After(1_000),
                After(299_999),
                After(1),
            ],
            "hold; pass; hold; hold; reset",
            TOKEN.to_owned(),
        ),
        // The router cannot mend a reset.
        (
            SSE,
            vec![piece(TOKEN), Done],
            "pass; nothing",
            TOKEN.to_owned(),
        ),
    ] {
        for hold in [Hold::None, Hold::FirstToken] {
            let mut exchange = Exchange::with("a b", held(hold));
            let begun = exchange.play(&[Head(200, headers), piece(TOKEN)]);
            assert!(begun.ends_with("pass"));
            assert_eq!(exchange.play(&events), expected, "{hold:?} {events:?}");
            assert_eq!(
                exchange.client,
                [TOKEN, &client].concat(),
                "{hold:?} {events:?}"
            );
            assert!(!exchange.running.may_end_unanswered());
        }
    }
}

#[test]
fn malformed_events_are_dropped_where_that_is_wanted() {
    use Hold::{Complete, FirstToken};
    let error = incomplete();
    for (hold, headers, events, expected, client) in [
        (
            FirstToken,
            SSE,
            vec![piece(ODD), piece(TOKEN), piece(ODD), last(STOP)],
            "hold; replace; replace; replace",
            [TOKEN, STOP].concat(),
        ),
        (
            Hold::None,
            SSE,
            vec![piece(TOKEN), piece(ODD), last(STOP)],
            "pass; replace; replace",
            [TOKEN, STOP].concat(),
        ),
        (
            Hold::None,
            SSE,
            vec![piece(TOKEN), last(ODD)],
            "pass; replace",
            [TOKEN, &error].concat(),
        ),
        (
            Complete,
            SSE,
            vec![piece(ODD), piece(TOKEN), last(STOP.trim())],
            "hold; hold; replace",
            [TOKEN, STOP].concat(),
        ),
        // Its length does not prevent that events are dropped.
        (
            FirstToken,
            LENGTH,
            vec![piece(ODD), last(&[TOKEN, STOP].concat())],
            "hold; replace",
            [TOKEN, STOP].concat(),
        ),
        // No events can be dropped from this one.
        (
            Complete,
            SSE,
            vec![piece(ODD), piece(&[TOKEN, STOP].concat()), Trailers],
            "hold; hold; pass",
            [ODD, TOKEN, STOP].concat(),
        ),
    ] {
        let mut exchange = Exchange::with("a b", |policy| {
            held(hold)(policy);
            policy.drop_malformed_events = true;
        });
        let _ = exchange.play(&[Head(200, headers)]);
        assert_eq!(exchange.play(&events), expected, "{hold:?} {events:?}");
        assert_eq!(exchange.client, client, "{hold:?} {events:?}");
    }
}

#[test]
fn past_the_limit_it_is_let_go() {
    let many = TOKEN.repeat(18);
    for (hold, expected) in [
        (Hold::Complete, "hold; hold; pass; pass; replace"),
        (Hold::FirstToken, "hold; pass; pass; pass; replace"),
    ] {
        let mut exchange = Exchange::with("a b", held(hold));
        let events = [
            Head(200, SSE),
            piece(&many[..1_024]),
            piece(&many[1_024..]),
            piece(TOKEN),
            last(""),
        ];
        assert_eq!(exchange.play(&events), expected);
        assert_eq!(exchange.client, [&many, TOKEN, &incomplete()].concat());
    }
    let mut exchange = Exchange::with("a b", held(Hold::FirstToken));
    let pings = PING.repeat(200);
    assert_eq!(
        exchange.play(&[Head(200, SSE), piece(&pings), Done]),
        "hold; pass; nothing"
    );
}

/// An answer that Envoy did not retry passes through and is followed.
#[test]
fn a_retry_that_was_not_to_be_had() {
    let mut exchange = Exchange::with("a b", held(Hold::FirstToken));
    let events = [Head(200, SSE), piece(ROLE), After(5_000), last(TOKEN)];
    assert_eq!(exchange.play(&events), "hold; hold; retry b; replace");
    assert_eq!(exchange.client, [TOKEN, &incomplete()].concat());
}

#[test]
fn bodies_that_never_come() {
    let mut exchange = Exchange::with("a b", held(Hold::FirstToken));
    assert!(!exchange.running.is_held());
    assert!(!exchange.running.waits_for_body_since(NOW));
    let _ = exchange.play(&[Head(200, SSE)]);
    assert!(exchange.running.is_held());
    assert!(exchange.running.waits_for_body_since(NOW));
    assert!(!exchange.running.waits_for_body_since(NOW - 1));
    assert_eq!(exchange.running.stop_holding(), ResponseAction::Pass);
    assert_eq!(exchange.play(&[last(TOKEN)]), "replace");

    let mut exchange = Exchange::with("a b", held(Hold::FirstToken));
    let _ = exchange.play(&[Head(200, SSE), piece(PING)]);
    assert!(!exchange.running.waits_for_body_since(NOW));
}
