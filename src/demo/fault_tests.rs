//! Tests of which model names are faults.

use super::*;

fn fault(name: &str) -> Fault {
    Fault::of_model(name).unwrap_or_else(|| panic!("{name} is no fault"))
}

fn stop(at: Point, ending: Ending, length: Length) -> Fault {
    Fault::Stop(Stop { at, ending, length })
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
        Fault::ErrorFirst(Failure::RateLimit)
    );
}

#[test]
fn similar_names_are_told_apart() {
    let tokens = Point::Tokens(3);
    assert_eq!(fault("reset-3"), stop(tokens, Ending::Rst, Length::Unsaid));
    assert_eq!(
        fault("reset-headers"),
        stop(Point::Headers, Ending::Rst, Length::Unsaid)
    );
    assert_eq!(fault("cut-3"), stop(tokens, Ending::Fin, Length::Unsaid));
    assert_eq!(
        fault("cut-length-3"),
        stop(tokens, Ending::Fin, Length::Full)
    );
    assert_eq!(fault("end-3"), stop(tokens, Ending::Clean, Length::Unsaid));
    assert_eq!(
        fault("end-length-3"),
        stop(tokens, Ending::Clean, Length::Sent)
    );
    assert_eq!(
        fault("end-finished"),
        stop(Point::Terminator, Ending::Clean, Length::Unsaid)
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
        Advice::Seconds("0.5".to_owned())
    );
    assert_eq!(
        advice("status-503-retry-after-ms-20"),
        Advice::Milliseconds(20)
    );
    assert_eq!(advice("status-503-retry-date-2"), Advice::Date(2));
    assert_eq!(advice("status-429-reset-1500"), Advice::Reset(1500));
}

#[test]
fn faults_take_turns() {
    let at = |name: &str| -> Vec<bool> {
        (0..5)
            .map(|before| fault(name).on_turn(before).is_some())
            .collect()
    };
    assert_eq!(at("hang"), [true; 5]);
    assert_eq!(at("once-hang"), [true, false, false, false, false]);
    assert_eq!(at("every-2-status-503"), [true, false, true, false, true]);
    assert_eq!(fault("once-hang").on_turn(0), Some(Fault::Hang));
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
