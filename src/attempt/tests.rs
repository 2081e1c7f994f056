//! Tests of plans on their way from one role to the other. tests/golden covers what an attempt sends.

use proptest::prelude::*;

use super::test_plans::NoHeaders;
use super::*;
use crate::config::Document;
use crate::health::NoHealthStore;
use crate::request::{Caller, Headers};
use crate::routing::{AfterHeaders, receive_headers};

const MOMENT: Moment<'_> = Moment {
    now: 1_000_000,
    random: 0,
    health: &NoHealthStore,
};

fn attempt(plan: Vec<u8>, backend: &str) -> Result<Adaptation, Refusal> {
    begin(Plan::decode(&plan).unwrap(), backend, &NoHeaders, || MOMENT)
}

/// Returns what is written for the next attempt after one that is answered 503.
fn after_503(mut running: RunningAttempt) -> Option<NextAttempt> {
    let head = ResponseHead {
        status: 503,
        end_of_stream: true,
        header: &|_| None,
    };
    match running.on_headers(&head, || MOMENT) {
        ResponseAction::Retry(next_attempt) => next_attempt,
        ResponseAction::Pass => None,
        step => panic!("{step:?}"),
    }
}

/// The headers of an attempt that is hedged beside another one, which was given a key.
struct Hedged;

impl CurrentHeaders for Hedged {
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        vec![("x-odd".to_owned(), b"the key of a".to_vec())]
    }

    fn value(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn is_retry(&self) -> bool {
        true
    }
}

#[test]
fn headers_that_may_hold_a_key_go_no_further() {
    let attempt = begin(Plan::decode(&plan()).unwrap(), "a", &Hedged, || MOMENT).unwrap();
    assert_eq!(after_503(attempt.running), None);
}

fn document() -> Document {
    let json = br#"{
        "backends": [
            {"name": "a", "cluster": "cluster-a", "schema": "openai", "models": [{"name": "m"}],
             "set_headers": {"x-a": "1"}, "remove_headers": ["x-b"]},
            {"name": "b", "schema": "openai", "models": [{"name": "n"}, {"name": "o"}]}
        ],
        "routes": [
            {"name": "r", "match": {"model": "*"}, "targets": [
                {"backend": "a", "model": "m"}, {"backend": "b", "model": "n"}, {"backend": "b", "model": "o"}
            ]}
        ]
    }"#;
    Document::load(json).unwrap()
}

fn headers() -> Headers {
    let pairs = [
        (":path", "/v1/chat/completions"),
        (":method", "POST"),
        (":authority", "gateway"),
        ("content-length", "13"),
        ("x-b", "\u{e9}"),
    ];
    Headers::new(
        pairs
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into(),
    )
}

/// The bytes that the router role leaves in filter state.
fn plan() -> Vec<u8> {
    let document = document();
    let AfterHeaders::AwaitBody(pending) =
        receive_headers(&document, headers(), Caller::default(), || MOMENT)
    else {
        panic!("the request is a chat completion");
    };
    let routed = pending
        .route(&document, br#"{"model":"x"}"#, MOMENT)
        .unwrap();
    assert_eq!(routed.cluster, "cluster-a");
    routed.plan
}

#[test]
fn each_attempt_leaves_word_of_the_next() {
    let first = attempt(plan(), "a").unwrap();
    let second = after_503(first.running).unwrap();
    assert_eq!(second.cluster, "b");
    let second = attempt(second.plan, "b").unwrap();
    let third = after_503(second.running).unwrap();
    assert_eq!(third.cluster, "b");
    let third = attempt(third.plan, "b").unwrap();
    assert_eq!(after_503(third.running), None);
}

#[test]
fn an_attempt_at_the_wrong_backend_is_refused() {
    let refusal = attempt(plan(), "b").err();
    assert_eq!(refusal, Some(Refusal::Mismatch("a".to_owned())));
    // One target more than the plan has.
    let mut exhausted = Plan::decode(&plan()).unwrap();
    exhausted.next = 3;
    let refusal = begin(exhausted, "b", &NoHeaders, || MOMENT).err();
    assert_eq!(refusal, Some(Refusal::Mismatch(String::new())));
}

#[test]
fn what_is_no_plan_is_not_read_as_one() {
    let bytes = plan();
    for end in 0..bytes.len() {
        assert_eq!(Plan::decode(&bytes[..end]), None, "cut at {end}");
    }
    let longer = [bytes.as_slice(), b"\0"].concat();
    assert_eq!(Plan::decode(&longer), None);
    assert_eq!(Plan::decode(&bytes).unwrap().encode(), bytes);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, changed in any::<prop::sample::Index>(), to: u8) {
        let _ = Plan::decode(&bytes).map(|plan| begin(plan, "a", &NoHeaders, || MOMENT).is_ok());
        let mut bytes = plan();
        let at = changed.index(bytes.len());
        bytes[at] = to;
        let _ = Plan::decode(&bytes).map(|plan| begin(plan, "a", &NoHeaders, || MOMENT).is_ok());
    }

    #[test]
    fn arbitrary_requests_never_panic(
        pairs in prop::collection::vec((
            prop_oneof![":path", ":method", ":authority", "authorization", "x-[ab]", "content-length"],
            prop::collection::vec(any::<u8>(), 0..20),
        ), 0..8),
        path in prop_oneof!["/v1/chat/completions(\\?\\PC{0,20})?", "/v1/models/\\PC{0,20}", "\\PC{0,30}"],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "\\{\"model\":\"\\PC{0,20}\",\"stream\":(true|false|1)\\}".prop_map(String::into_bytes),
        ],
        random: u64,
    ) {
        let document = document();
        let mut all = vec![(":path".to_owned(), path.into_bytes()), (":method".to_owned(), b"POST".to_vec())];
        all.extend(pairs);
        if let AfterHeaders::AwaitBody(pending) = receive_headers(&document, Headers::new(all), Caller::default(), || MOMENT)
            && let Ok(routed) = pending.route(&document, &body, Moment { random, ..MOMENT })
        {
            let plan = Plan::decode(&routed.plan).unwrap();
            prop_assert!(begin(plan, "a", &NoHeaders, || MOMENT).is_ok());
        }
    }
}
