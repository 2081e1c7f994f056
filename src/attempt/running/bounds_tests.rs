//! Properties that hold whatever backends do, in whatever order.

use proptest::prelude::*;

use super::exchange::*;
use super::*;
use crate::attempt::FallbackPolicy;

const SOON: Headers = &[("retry-after-ms", "300")];
const GZIP: Headers = &[SSE[0], ("content-encoding", "gzip")];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(TOKEN.to_owned()),
        Just([TOKEN, STOP, DONE].concat()),
        Just(": ping\n\n".to_owned()),
        Just("data: {\"error\":{\"code\":429}}\n\n".to_owned()),
        Just("{\"choices\":[]}".to_owned()),
        Just(CONTEXT.to_owned()),
        "[ -~\n]{0,40}",
        Just("x".repeat(1_100)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let headers = prop_oneof![
        4 => Just(SSE),
        3 => prop::sample::select(vec![JSON, SOON, GZIP, LENGTH, &[]]),
    ];
    let status = prop_oneof![
        4 => Just(200_u32),
        1 => prop::sample::select(vec![204, 302, 400, 401, 403, 404, 429, 500, 503, 529]),
    ];
    prop_oneof![
        4 => (status.clone(), headers.clone()).prop_map(|(status, headers)| Head(status, headers)),
        1 => (status, headers).prop_map(|(status, headers)| Only(status, headers)),
        4 => text().prop_map(Piece),
        1 => text().prop_map(Last),
        1 => Just(Trailers),
        2 => prop::sample::select(vec![1, 300, 1_000, 5_000, 300_000]).prop_map(After),
        1 => Just(Done),
        1 => Just(NoConnection),
    ]
}

/// Which events can come next from Envoy: headers, pieces of a body, or its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
enum Stage {
    #[default]
    Sent,
    Answering,
    Answered,
}

impl Stage {
    /// The stage after an event; `None` if the event cannot come now.
    fn after(self, event: &Event) -> Option<Stage> {
        match event {
            Head(..) => (self == Stage::Sent).then_some(Stage::Answering),
            Only(..) => (self == Stage::Sent).then_some(Stage::Answered),
            Piece(_) => (self == Stage::Answering).then_some(Stage::Answering),
            Last(_) | Trailers => (self == Stage::Answering).then_some(Stage::Answered),
            NoConnection => (self == Stage::Sent).then_some(self),
            After(_) | Done => Some(self),
        }
    }
}

fn exchange(targets: usize, change: impl FnOnce(&mut FallbackPolicy)) -> Exchange {
    let names = ["a:8", "b", "c:16"][..targets].join(" ");
    Exchange::with(&names, |policy| {
        policy.hold_limit_bytes = 1_024;
        policy.first_token_timeout_ms = 5_000;
        change(policy);
    })
}

fn hold() -> impl Strategy<Value = Hold> {
    prop::sample::select(vec![Hold::None, Hold::FirstToken, Hold::Complete])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_order_panics(
        hold in hold(),
        drops: bool,
        events in prop::collection::vec(event(), 1..30),
    ) {
        let mut exchange = exchange(2, |policy| {
            policy.hold = Some(hold);
            policy.drop_malformed_events = drops;
        });
        let _ = exchange.play(&events);
        let _ = exchange.running.due_at();
    }

    #[test]
    fn bounds(
        targets in 1_usize..4,
        max_attempts in 1_u32..7,
        hold in hold(),
        drops: bool,
        stream: bool,
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut exchange = exchange(targets, |policy| {
            policy.max_attempts = max_attempts;
            policy.hold = Some(hold);
            policy.drop_malformed_events = drops;
        });
        exchange.running.plan.stream = stream;
        let mut tried = vec![0_u8];
        let mut stage = Stage::default();
        for event in events {
            let Some(after) = stage.after(&event) else {
                continue;
            };
            stage = after;
            let was_released = exchange.is_released;
            let step = exchange.event(&event);
            let is_done = matches!(event, Done | NoConnection);
            let asks_again = step.starts_with("retry") || step.starts_with("left");
            if was_released {
                // An answer that the client has begun to receive is never started over.
                prop_assert!(!asks_again && !step.starts_with("wait"), "{event:?}: {step}");
            }
            if step == "reset" || step.starts_with("502") || (is_done && was_released) {
                break;
            }
            // Nothing is held after its end has been seen, unless a timer runs.
            if stage == Stage::Answered && step == "hold" && !matches!(event, After(_)) {
                prop_assert!(exchange.running.due_at().is_some(), "{event:?}");
            }
            if !asks_again && !is_done {
                continue;
            }
            // Envoy makes the next attempt from what was written; the attempt refuses itself if it must not be made.
            if exchange.next_attempt.is_none() || exchange.next().is_err() {
                break;
            }
            stage = Stage::default();
            tried.push(exchange.running.plan.next);
        }
        prop_assert!(tried.len() <= max_attempts as usize, "{tried:?}");
        for target in 0..3 {
            let times = tried.iter().filter(|one| **one == target).count();
            prop_assert!(times <= 2, "{tried:?}");
        }
    }
}
