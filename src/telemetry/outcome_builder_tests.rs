//! Tests of the outcome that follows from what was seen of a request.

use super::*;
use crate::attempt::Failure;
use crate::config::Price;
use crate::request::{Claims, MeshIdentity};
use crate::schema::Schema;
use crate::telemetry::{Stage, WrittenFields};

const OVER: RequestTimes = RequestTimes {
    arrived_at: 1_000,
    ended_at: 3_000,
};

/// A request that was routed to two targets.
fn routed() -> OutcomeBuilder {
    let offered = |backend: &str| OfferedTarget {
        backend: backend.to_owned(),
        model: "m".to_owned(),
        prices: Prices {
            input: Some(Price(2)),
            output: Some(Price(10)),
            ..Prices::default()
        },
    };
    OutcomeBuilder {
        partial: Outcome {
            route: Some("r".to_owned()),
            decision: "ordered",
            api: Some(Api::ChatCompletions),
            status: 200,
            request_bytes: 400,
            response_bytes: 202,
            ..Outcome::default()
        },
        offered: vec![offered("a"), offered("b")],
        is_whole: true,
        ..OutcomeBuilder::default()
    }
}

/// An answer that was accepted and has ended.
fn accepted() -> AttemptReport {
    AttemptReport {
        target: 0,
        failure: None,
        is_accepted: true,
        began_at: 1_100,
        ended_at: None,
        first_at: Some(1_500),
        end: Some(AnswerEnd::Complete),
        usage: Usage {
            input: Some(100),
            output: Some(5),
            ..Usage::default()
        },
        model: Some("m-2".to_owned()),
        content_tokens: Some(3),
        is_finished: true,
    }
}

fn failed(failure: Failure) -> AttemptReport {
    AttemptReport {
        failure: Some(failure),
        is_accepted: false,
        ended_at: Some(1_300),
        first_at: None,
        end: None,
        ..accepted()
    }
}

fn verdicts(outcome: &Outcome) -> Vec<(&str, &str, Option<u64>)> {
    let attempts = outcome.attempts.iter();
    attempts
        .map(|one| (one.backend.as_str(), one.verdict, one.ms))
        .collect()
}

#[test]
fn an_answer_is_billed() {
    let outcome = routed().outcome(&[accepted()], OVER);
    assert_eq!(verdicts(&outcome), [("a", "accepted", Some(1_900))]);
    assert_eq!(outcome.cost, Some(250));
    assert_eq!(outcome.end, AnswerEnd::Complete);
    assert_eq!(outcome.first_token_ms, Some(500));
    assert_eq!(outcome.whole_ms, 2_000);
    assert_eq!(outcome.answered_model.as_deref(), Some("m-2"));
    assert!(!outcome.is_estimated);
}

/// What is no call of a model has no attempts but the one that Envoy tells of.
#[test]
fn what_passed_through() {
    let passed = AttemptSummary {
        backend: "a".to_owned(),
        verdict: "rejected",
        ..AttemptSummary::default()
    };
    let builder = OutcomeBuilder {
        partial: Outcome {
            status: 404,
            attempts: vec![passed.clone()],
            response_bytes: 9,
            ..Outcome::default()
        },
        is_whole: true,
        ..OutcomeBuilder::default()
    };
    let outcome = builder.outcome(&[], OVER);
    assert_eq!(outcome.attempts, [passed]);
    assert_eq!(outcome.end, AnswerEnd::Complete);
    assert_eq!((outcome.cost, outcome.usage), (None, Usage::default()));
    let mut written_fields = WrittenFields::default();
    let told: Vec<_> = written_fields.up_to(Stage::Over, &outcome).collect();
    let told: Vec<_> = told
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        told.join(" "),
        "llm.decision=none llm.backend=a llm.verdict=rejected llm.attempts=1 llm.failures=a=rejected llm.end=complete"
    );
}

#[test]
fn a_failed_attempt_is_not() {
    let second = AttemptReport {
        target: 1,
        ..accepted()
    };
    let outcome = routed().outcome(&[failed(Failure::RateLimited), second], OVER);
    assert_eq!(
        verdicts(&outcome),
        [
            ("a", "rate_limited", Some(200)),
            ("b", "accepted", Some(1_900))
        ]
    );
    assert_eq!(outcome.cost, Some(250));
    // A failed attempt is not billed, whatever usage its answer reports.
    let mut builder = routed();
    builder.partial.status = 429;
    let outcome = builder.outcome(&[failed(Failure::RateLimited)], OVER);
    assert_eq!((outcome.cost, outcome.usage), (None, Usage::default()));
    assert_eq!(
        (outcome.end, outcome.first_token_ms),
        (AnswerEnd::Complete, None)
    );
    // Neither is an answer that the caller never got.
    let mut builder = routed();
    let code = ErrorCode::UpstreamIncomplete;
    builder.answered(&code.answer(Schema::OpenAi, ""));
    let outcome = builder.outcome(&[accepted()], OVER);
    assert_eq!((outcome.cost, outcome.end), (None, AnswerEnd::None));
    assert_eq!(outcome.error, Some("upstream_incomplete"));
    assert_eq!(outcome.decision, "ordered");
}

/// Headers that are too many, a path that cannot be read: Envoy's answer to these comes before anything is decided.
#[test]
fn what_envoy_refuses_itself_is_nobodys_going_away() {
    let undecided = |status: u16| {
        let mut builder = OutcomeBuilder::default();
        builder.partial.status = status;
        builder.outcome(&[], OVER)
    };
    let refused = undecided(431);
    assert_eq!((refused.end, refused.decision), (AnswerEnd::None, "none"));
    let gone = undecided(0);
    assert_eq!((gone.end, gone.decision), (AnswerEnd::ClientGone, "none"));
}

#[test]
fn estimates() {
    let silent = AttemptReport {
        usage: Usage::default(),
        ..accepted()
    };
    let outcome = routed().outcome(std::slice::from_ref(&silent), OVER);
    assert!(outcome.is_estimated);
    assert_eq!(
        (outcome.usage.input, outcome.usage.output),
        (Some(100), Some(3))
    );
    assert_eq!(outcome.cost, Some(230));
    // If the content was not seen, the output is estimated from the body; the input is estimated from the prompt, if
    // that is known.
    let unseen = AttemptReport {
        content_tokens: None,
        ..silent.clone()
    };
    let mut builder = routed();
    builder.prompt_tokens = Some(7);
    let outcome = builder.outcome(&[unseen], OVER);
    assert_eq!(
        (outcome.usage.input, outcome.usage.output),
        (Some(7), Some(51))
    );
    // The number of bytes in a picture says nothing about tokens.
    let mut builder = routed();
    builder.partial.api = Some(Api::ImageGenerations);
    let outcome = builder.outcome(&[silent], OVER);
    assert_eq!(
        (outcome.is_estimated, outcome.usage),
        (false, Usage::default())
    );
    assert_eq!(outcome.cost, None);
}

/// The usage that a stream reported before it broke off covers only its beginning.
#[test]
fn the_rest_of_what_broke_off_is_estimated() {
    let part = |output| AttemptReport {
        usage: Usage {
            input: Some(100),
            cached_input: Some(40),
            output,
            ..Usage::default()
        },
        content_tokens: Some(600),
        is_finished: false,
        ..accepted()
    };
    for end in [
        AnswerEnd::Cut,
        AnswerEnd::Stalled,
        AnswerEnd::NoTerminator,
        AnswerEnd::InBandError,
        AnswerEnd::ClientGone,
    ] {
        for (told, output, is_estimated) in [
            (Some(1), 600, true),
            (None, 600, true),
            (Some(700), 700, false),
        ] {
            let report = AttemptReport {
                end: (end != AnswerEnd::ClientGone).then_some(end),
                ..part(told)
            };
            let builder = OutcomeBuilder {
                is_whole: false,
                ..routed()
            };
            let outcome = builder.outcome(std::slice::from_ref(&report), OVER);
            assert_eq!(outcome.end, end);
            let usage = Usage {
                output: Some(output),
                ..report.usage
            };
            assert_eq!((outcome.usage, outcome.is_estimated), (usage, is_estimated));
            assert!(outcome.cost.is_some_and(|cost| cost >= 6_000));
        }
        // The stream had reported everything before it broke off.
        let finished = AttemptReport {
            end: Some(end),
            is_finished: true,
            ..part(Some(5))
        };
        let outcome = routed().outcome(&[finished], OVER);
        assert_eq!(
            (outcome.usage.output, outcome.is_estimated),
            (Some(5), false)
        );
    }
    // A blocked prompt has no output.
    let outcome = routed().outcome(&[part(None)], OVER);
    assert_eq!((outcome.usage.output, outcome.is_estimated), (None, false));
}

#[test]
fn what_brings_nothing_takes_nothing() {
    let silent = AttemptReport {
        usage: Usage::default(),
        content_tokens: Some(0),
        ..accepted()
    };
    let with = |status, response_bytes, end| {
        let mut builder = routed();
        builder.partial.status = status;
        builder.partial.response_bytes = response_bytes;
        let report = AttemptReport {
            end: Some(end),
            ..silent.clone()
        };
        builder.outcome(&[report], OVER)
    };
    for (status, bytes, end) in [
        (204, 0, AnswerEnd::Complete),
        (200, 0, AnswerEnd::Complete),
        (304, 0, AnswerEnd::Complete),
        (302, 9, AnswerEnd::Complete),
        (200, 90, AnswerEnd::InBandError),
    ] {
        let outcome = with(status, bytes, end);
        assert_eq!((outcome.usage, outcome.cost), (Usage::default(), None));
        assert!(!outcome.is_estimated, "{status} {bytes} {end:?}");
    }
    // The model has read the prompt, even if the answer broke off or has no text.
    for (bytes, end) in [(0, AnswerEnd::Cut), (9, AnswerEnd::Complete)] {
        let outcome = with(200, bytes, end);
        assert_eq!(outcome.usage.input, Some(100));
        assert!(outcome.is_estimated);
    }
}

#[test]
fn ends() {
    let open = AttemptReport {
        end: None,
        ..accepted()
    };
    let unanswered = AttemptReport {
        is_accepted: false,
        ..open.clone()
    };
    for (attempt, is_whole, status, end) in [
        (accepted(), true, 200, AnswerEnd::Complete),
        (accepted(), false, 200, AnswerEnd::Complete),
        (open.clone(), true, 200, AnswerEnd::Complete),
        (open, false, 200, AnswerEnd::ClientGone),
        (unanswered, false, 0, AnswerEnd::ClientGone),
        (failed(Failure::Rejected), true, 400, AnswerEnd::Complete),
        (failed(Failure::Rejected), false, 400, AnswerEnd::Cut),
        (failed(Failure::Reset), false, 0, AnswerEnd::None),
    ] {
        let mut builder = routed();
        (builder.is_whole, builder.partial.status) = (is_whole, status);
        let outcome = builder.outcome(std::slice::from_ref(&attempt), OVER);
        assert_eq!(outcome.end, end, "{attempt:?} {is_whole} {status}");
    }
    for (is_whole, end) in [(true, AnswerEnd::Complete), (false, AnswerEnd::ClientGone)] {
        let passed = OutcomeBuilder {
            is_whole,
            ..OutcomeBuilder::default()
        };
        let outcome = passed.outcome(&[], OVER);
        assert_eq!((outcome.end, outcome.decision), (end, decisions::NONE));
    }
}

/// If the two roles run in separate VMs, only Envoy's own information is available.
#[test]
fn what_is_not_seen_is_not_told() {
    for (is_whole, is_cut, end) in [
        (true, false, AnswerEnd::Complete),
        (false, false, AnswerEnd::ClientGone),
        (false, true, AnswerEnd::Cut),
    ] {
        let mut builder = routed();
        (builder.is_whole, builder.is_cut) = (is_whole, is_cut);
        builder.partial.has_unseen_attempts = true;
        let outcome = builder.outcome(&[], OVER);
        assert_eq!(outcome.end, end);
        assert_eq!((outcome.usage, outcome.cost), (Usage::default(), None));
        let mut told = WrittenFields::default();
        let mut told = told.up_to(Stage::Over, &outcome);
        assert!(told.all(|(name, _)| name != "llm.attempts"));
    }
}

#[test]
fn abandoned_is_no_failure() {
    let open = AttemptReport {
        is_accepted: false,
        end: None,
        ..accepted()
    };
    let builder = OutcomeBuilder {
        is_whole: false,
        ..routed()
    };
    let outcome = builder.outcome(&[failed(Failure::Reset), open], OVER);
    let failures: Vec<bool> = outcome
        .attempts
        .iter()
        .map(AttemptSummary::is_failure)
        .collect();
    assert_eq!(failures, [true, false]);
    assert_eq!(outcome.attempts[1].verdict, AttemptSummary::ABANDONED);
    assert_eq!((outcome.cost, outcome.end), (None, AnswerEnd::ClientGone));
}

#[test]
fn answers_of_its_own_name_the_decision() {
    let mut builder = OutcomeBuilder::default();
    builder.answered(&ErrorCode::ModelNotFound.answer(Schema::OpenAi, ""));
    let outcome = builder.outcome(&[], OVER);
    assert_eq!((outcome.decision, outcome.status), ("model_not_found", 404));
    assert_eq!(outcome.end, AnswerEnd::None);
}

#[test]
fn callers() {
    let headers = Headers::new(vec![
        ("x-team".to_owned(), b"search".to_vec()),
        ("x-odd".to_owned(), b"caf\xc3\xa9".to_vec()),
        ("x-empty".to_owned(), Vec::new()),
        ("x-long".to_owned(), vec![b'x'; MAX_CALLER_BYTES + 1]),
    ]);
    let payload = serde_json::from_str(r#"{"sub": "chat", "team": {"name": "ads"}}"#);
    let caller = Caller::default()
        .with_claims(Claims::new(payload.unwrap()).unwrap())
        .with_mesh(MeshIdentity::parse("spiffe://td/ns/prod/sa/chat"));
    let header = |name: &str| KeySource::Header(name.to_owned());
    let claim = |path: &str| KeySource::Claim(path.to_owned());
    for (source, expected) in [
        (header("x-team"), Some("search")),
        (header("x-odd"), None),
        (header("x-empty"), None),
        (header("x-long"), None),
        (header("x-none"), None),
        (claim("sub"), Some("chat")),
        (claim("team.name"), Some("ads")),
        (claim("aud"), None),
        (KeySource::Mesh, Some("spiffe://td/ns/prod/sa/chat")),
    ] {
        let found = caller_of(&source, &headers, &caller);
        assert_eq!(found.as_deref(), expected, "{source}");
    }
}
