//! Tests of which model names are faults.

use super::*;

fn fault(name: &str) -> Fault {
    Fault::of_model(name).unwrap_or_else(|| panic!("{name} is no fault"))
}

fn stop(at: StopPoint, ending: Ending, length: DeclaredLength) -> Fault {
    Fault::Stop(EarlyStop { at, ending, length })
}

#[test]
fn names_pick_faults() {
    assert_eq!(
        fault("status-429"),
        Fault::Status(StatusCode::TOO_MANY_REQUESTS, None)
    );
    assert!(matches!(fault("status-529"), Fault::Status(_, None)));
    assert_eq!(fault("hang"), Fault::Hang);
    assert_eq!(fault("reset"), Fault::Reset);
    assert_eq!(fault("close"), Fault::Close);
    assert_eq!(
        fault("slow-token-50"),
        Fault::SlowToken(Duration::from_millis(50))
    );
    assert_eq!(
        fault("error-first-rate_limit"),
        Fault::ErrorFirst(ApiError::RateLimit)
    );
}

#[test]
fn similar_names_are_told_apart() {
    let tokens = StopPoint::Tokens(3);
    assert_eq!(
        fault("reset-3"),
        stop(tokens, Ending::Rst, DeclaredLength::Absent)
    );
    assert_eq!(
        fault("reset-headers"),
        stop(StopPoint::Headers, Ending::Rst, DeclaredLength::Absent)
    );
    assert_eq!(
        fault("cut-3"),
        stop(tokens, Ending::Fin, DeclaredLength::Absent)
    );
    assert_eq!(
        fault("cut-length-3"),
        stop(tokens, Ending::Fin, DeclaredLength::Full)
    );
    assert_eq!(
        fault("end-3"),
        stop(tokens, Ending::Clean, DeclaredLength::Absent)
    );
    assert_eq!(
        fault("end-length-3"),
        stop(tokens, Ending::Clean, DeclaredLength::Sent)
    );
    assert_eq!(
        fault("end-finished"),
        stop(StopPoint::Terminator, Ending::Clean, DeclaredLength::Absent)
    );
}

#[test]
fn a_status_may_tell_when_to_come_again() {
    let advice = |name| match fault(name) {
        Fault::Status(_, Some(advice)) => advice,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        advice("status-429-retry-after-0.5"),
        RetryAdvice::Seconds("0.5".to_owned())
    );
    assert_eq!(
        advice("status-503-retry-after-ms-20"),
        RetryAdvice::Milliseconds(20)
    );
    assert_eq!(advice("status-503-retry-date-2"), RetryAdvice::Date(2));
    assert_eq!(advice("status-429-reset-1500"), RetryAdvice::Reset(1500));
}

#[test]
fn faults_take_turns() {
    let at = |name: &str| -> Vec<bool> {
        (0..5)
            .map(|before| fault(name).at_count(before).is_some())
            .collect()
    };
    assert_eq!(at("hang"), [true; 5]);
    assert_eq!(at("once-hang"), [true, false, false, false, false]);
    assert_eq!(at("every-2-status-503"), [true, false, true, false, true]);
    assert_eq!(fault("once-hang").at_count(0), Some(Fault::Hang));
}

#[test]
fn other_names_work() {
    for model in [
        "gpt-5.5",
        "status-",
        "status-ok",
        "status-100",
        "status-600",
        "status--1",
        "status-+500",
        "status-429-",
        "status-429-retry-after-",
        "status-429-retry-after-1.",
        "status-429-retry-after-soon",
        "status-429-reset-99999999999999",
        "Hang",
        "cut",
        "cut-",
        "cut-x",
        "cut--1",
        "once-",
        "once-gpt-5.5",
        "once-once-hang",
        "every-0-hang",
        "every-hang",
        "error-first-other",
        "large-1000000000",
        "headers-1000000",
        "slow-token-99999999999999999999",
    ] {
        assert_eq!(Fault::of_model(model), None, "{model}");
    }
}
