//! Tests of one target's way from healthy to a cooldown and back, event by event.

use super::cooldown::MAX_ENTRIES;
use super::*;

#[path = "shared_tests.rs"]
mod shared;

const POLICY: CooldownPolicy = CooldownPolicy {
    failures: 3,
    window_ms: 30_000,
    base_ms: 1_000,
    max_ms: 8_000,
    lease_ms: 10_000,
};
/// A day in 2025, from which the times below count.
const DAY: u64 = 1_750_000_000_000;
/// The jitter that shortens a cooldown by a fifth.
const SHORTEST: u64 = 0;

fn target() -> TargetKey {
    TargetKey::new("openai", "gpt-4o")
}

fn key(number: u64) -> TargetKey {
    TargetKey::from_bits(number)
}

fn at(sent: u64, now: u64) -> EndedAttempt {
    EndedAttempt {
        target: target(),
        sent_ms: DAY + sent,
        now_ms: DAY + now,
    }
}

fn cooling(until: u64) -> TargetState {
    TargetState::Cooling {
        until_ms: DAY + until,
    }
}

fn probing(until: u64) -> TargetState {
    TargetState::Probing {
        until_ms: DAY + until,
    }
}

/// What happens to a target at a time after `DAY`, and whether it has an effect.
#[derive(Debug)]
enum Event {
    /// A failure of an attempt that began just now.
    Fails(FailureSeverity, bool),
    /// A failure of an attempt that began at another time.
    OldFails(u64, FailureSeverity, bool),
    Succeeds(bool),
    OldSucceeds(u64, bool),
    Leases(bool),
    Passes,
}
use Event::{Fails, Leases, OldFails, OldSucceeds, Passes, Succeeds};
use FailureSeverity::{Counted, Immediate, Until};
use TargetState::{Due, Healthy};

/// Plays steps; the health is encoded and decoded at each one, as between workers.
fn live(name: &str, steps: &[(u64, Event, TargetState)]) {
    let mut bytes = Vec::new();
    for (now, event, after) in steps {
        let mut health = Health::decode(&bytes);
        let now = *now;
        let (changed, expected) = match event {
            Fails(severity, effect) => (
                health.fail(at(now, now), *severity, &POLICY, SHORTEST),
                *effect,
            ),
            OldFails(sent, severity, effect) => (
                health.fail(at(*sent, now), *severity, &POLICY, SHORTEST),
                *effect,
            ),
            Succeeds(effect) => (health.succeed(at(now, now)), *effect),
            OldSucceeds(sent, effect) => (health.succeed(at(*sent, now)), *effect),
            Leases(granted) => (health.lease(target(), DAY + now, &POLICY), *granted),
            Passes => (true, true),
        };
        assert_eq!(changed, expected, "{name}: {event:?} at {now}");
        let state = health.state(target(), DAY + now, &POLICY);
        assert_eq!(state, *after, "{name}: after {event:?} at {now}");
        bytes = health.encode();
        assert_eq!(Health::decode(&bytes), health, "{name}");
    }
}

#[test]
fn from_healthy_to_healthy() {
    live(
        "the whole life",
        &[
            (0, Leases(true), Healthy),
            (0, Fails(Counted, true), Healthy),
            (10, Fails(Counted, true), Healthy),
            (20, Fails(Counted, true), cooling(820)),
            (21, Leases(false), cooling(820)),
            (819, Passes, cooling(820)),
            (820, Passes, Due),
            (900, Leases(true), probing(10_900)),
            (900, Leases(false), probing(10_900)),
            (1_000, Leases(false), probing(10_900)),
            (1_500, Fails(Counted, true), cooling(3_100)),
            (3_100, Leases(true), probing(13_100)),
            (3_200, Fails(Counted, true), cooling(6_400)),
            (6_400, Leases(true), probing(16_400)),
            (6_500, Fails(Counted, true), cooling(12_900)),
            (12_900, Leases(true), probing(22_900)),
            // The longest cooldown.
            (13_000, Fails(Counted, true), cooling(19_400)),
            (19_400, Leases(true), probing(29_400)),
            (19_500, Succeeds(true), Healthy),
            (19_600, Succeeds(false), Healthy),
            (19_700, Fails(Counted, true), Healthy),
            (19_700, Fails(Immediate, true), cooling(20_500)),
        ],
    );
}

#[test]
fn failures_are_counted_within_a_window() {
    live(
        "the first is too old for the third",
        &[
            (0, Fails(Counted, true), Healthy),
            (29_000, Fails(Counted, true), Healthy),
            (30_001, Fails(Counted, true), Healthy),
            (59_000, Fails(Counted, true), cooling(59_800)),
        ],
    );
    live(
        "just within",
        &[
            (0, Fails(Counted, true), Healthy),
            (1, Fails(Counted, true), Healthy),
            (30_000, Fails(Counted, true), cooling(30_800)),
        ],
    );
    live(
        "a success between",
        &[
            (0, Fails(Counted, true), Healthy),
            (1, Fails(Counted, true), Healthy),
            (2, OldSucceeds(0, true), Healthy),
            (3, Fails(Counted, true), Healthy),
            (4, Fails(Counted, true), Healthy),
        ],
    );
}

#[test]
fn what_was_under_way_says_nothing() {
    live(
        "failures while cooling, due and probing",
        &[
            (100, Fails(Immediate, true), cooling(900)),
            (200, OldFails(50, Counted, false), cooling(900)),
            (200, Fails(Immediate, false), cooling(900)),
            (1_000, OldFails(99, Immediate, false), Due),
            (1_000, Leases(true), probing(11_000)),
            (1_001, OldFails(99, Counted, false), probing(11_000)),
            // The level was not raised: the second cooldown is twice as long as the first.
            (1_002, Fails(Counted, true), cooling(2_602)),
        ],
    );
    live(
        "successes",
        &[
            (100, Fails(Immediate, true), cooling(900)),
            (200, OldSucceeds(99, false), cooling(900)),
            (900, OldSucceeds(99, false), Due),
            (900, Leases(true), probing(10_900)),
            (901, OldSucceeds(99, false), probing(10_900)),
            (901, OldSucceeds(900, true), Healthy),
        ],
    );
    live(
        "one that was tried for want of another, though it was cooling",
        &[
            (100, Fails(Immediate, true), cooling(900)),
            (300, OldSucceeds(200, true), Healthy),
        ],
    );
    live(
        "in the same millisecond: as if sent after it",
        &[
            (100, Fails(Immediate, true), cooling(900)),
            (300, OldSucceeds(100, true), Healthy),
        ],
    );
}

#[test]
fn a_backend_may_say_until_when() {
    let day = CooldownPolicy::MAX_COOLDOWN_MS;
    live(
        "at least",
        &[
            (0, Fails(Until(DAY + 100), true), cooling(800)),
            (1, Fails(Until(DAY + 700), false), cooling(800)),
            (2, Fails(Until(DAY + 5_000), true), cooling(5_000)),
            (5_000, Passes, Due),
            // Its level is still that of the first cooldown.
            (5_000, Fails(Until(0), true), cooling(6_600)),
        ],
    );
    live(
        "at most a day",
        &[
            (0, Fails(Until(u64::MAX), true), cooling(day)),
            (5, OldFails(0, Until(u64::MAX), true), cooling(day + 5)),
        ],
    );
    live(
        "by an attempt that was under way, too",
        &[
            (100, Fails(Immediate, true), cooling(900)),
            (1_000, Leases(true), probing(11_000)),
            (
                1_100,
                OldFails(50, Until(DAY + 900), false),
                probing(11_000),
            ),
            (
                1_100,
                OldFails(50, Until(DAY + 2_000), true),
                cooling(2_000),
            ),
            (2_000, Passes, probing(11_000)),
        ],
    );
}

#[test]
fn leases_and_memory_end() {
    live(
        "a probe that does not end",
        &[
            (0, Fails(Immediate, true), cooling(800)),
            (800, Leases(true), probing(10_800)),
            (10_799, Leases(false), probing(10_800)),
            (10_800, Passes, Due),
            (10_900, Leases(true), probing(20_900)),
            // The first probe still counts.
            (11_000, OldFails(800, Counted, true), cooling(12_600)),
        ],
    );
    live(
        "the level is remembered",
        &[
            (0, Fails(Immediate, true), cooling(800)),
            (16_800, Passes, Due),
            (16_800, Fails(Counted, true), cooling(18_400)),
        ],
    );
    live(
        "from the end of the lease on",
        &[
            (0, Fails(Immediate, true), cooling(800)),
            (16_800, Leases(true), probing(26_800)),
            (42_800, Passes, Due),
            (42_801, Passes, Healthy),
        ],
    );
    live(
        "but not for ever",
        &[
            (0, Fails(Immediate, true), cooling(800)),
            (16_801, Passes, Healthy),
            (16_801, Leases(true), Healthy),
            (16_801, Fails(Counted, true), Healthy),
            (16_801, Fails(Immediate, true), cooling(17_601)),
        ],
    );
}

#[test]
fn clock_steps_back() {
    let hour = 3_600_000;
    live(
        "far: forgotten",
        &[
            (hour, Fails(Immediate, true), cooling(hour + 800)),
            (0, Passes, Healthy),
            (0, Fails(Immediate, true), cooling(800)),
        ],
    );
    live(
        "a bit: due, and open to what is sent from now on",
        &[
            (hour, Fails(Immediate, true), cooling(hour + 800)),
            (hour - 1_001, Passes, Due),
            (hour - 1_001, Leases(true), probing(hour + 8_999)),
            (hour - 500, Fails(Immediate, false), cooling(hour + 800)),
            (hour - 1_001, Succeeds(true), Healthy),
        ],
    );
    live(
        "between two workers' clocks: nothing",
        &[
            (hour, Fails(Immediate, true), cooling(hour + 800)),
            (hour - 1_000, Passes, cooling(hour + 800)),
            (hour - 1_000, Succeeds(false), cooling(hour + 800)),
        ],
    );
    live(
        "under a lease",
        &[
            (0, Fails(Immediate, true), cooling(800)),
            (15_000, Leases(true), probing(25_000)),
            (13_999, Passes, Due),
        ],
    );
    live(
        "after a backend said a day",
        &[
            (hour, Fails(Until(u64::MAX), true), cooling(25 * hour)),
            (0, Passes, Healthy),
        ],
    );
}

#[test]
fn ends_of_time() {
    let mut health = Health::default();
    for now_ms in [0, u64::MAX] {
        let ended = EndedAttempt {
            target: target(),
            sent_ms: now_ms,
            now_ms,
        };
        let huge = CooldownPolicy {
            failures: u32::MAX,
            window_ms: u64::MAX,
            base_ms: u64::MAX,
            max_ms: u64::MAX,
            lease_ms: u64::MAX,
        };
        for _ in 0..200 {
            health.fail(ended, Counted, &huge, u64::MAX);
            assert_eq!(Health::decode(&health.encode()), health);
        }
    }
}

#[test]
fn jitter_is_a_fifth_at_most() {
    for (level, period) in [(0, 1_000), (1, 2_000), (3, 8_000), (4, 8_000), (255, 8_000)] {
        let (least, most) = (period * 4 / 5, period * 6 / 5);
        let drawn = |random| POLICY.period_ms(level, random);
        assert_eq!(drawn(0), least);
        assert_eq!(drawn(most - least), most);
        assert_eq!(drawn(most - least + 1), least);
        let seen = (0..5_000_u64).map(|seed| drawn(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let mean = seen.sum::<u64>() / 5_000;
        assert!(mean.abs_diff(period) < period / 50, "{mean} of {period}");
    }
}

#[test]
fn keys_are_stable_and_distinct() {
    let keys = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc")];
    let keys = keys.map(|(backend, model)| TargetKey::new(backend, model).bits());
    for (index, one) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(one));
    }
    // Computed with another implementation of the hash.
    let expected = 0x5c3e_4e1c_ad4f_1f59;
    assert_eq!(target().bits(), expected);
    assert_eq!(TargetKey::from_bits(expected), target());
}

#[test]
fn entries_are_bounded_and_pruned() {
    let fail = |health: &mut Health, target, now_ms, severity| {
        let ended = EndedAttempt {
            target,
            sent_ms: now_ms,
            now_ms,
        };
        health.fail(ended, severity, &POLICY, SHORTEST)
    };
    let mut health = Health::default();
    let most = u64::try_from(MAX_ENTRIES).unwrap();
    for number in 0..most {
        fail(&mut health, key(number), DAY, Immediate);
    }
    // This entry changes, so the next one is the oldest.
    fail(&mut health, key(0), DAY, Until(DAY + 5_000));
    fail(&mut health, key(most), DAY, Counted);
    assert_eq!(health.records.len(), MAX_ENTRIES);
    assert!(
        health.has_failures(key(0))
            && !health.has_failures(key(1))
            && health.has_failures(key(most))
    );
    assert_eq!(Health::decode(&health.encode()), health);

    fail(&mut health, key(7), DAY + 20_000, Counted);
    assert_eq!(health.records.len(), 3);
    fail(&mut health, key(8), DAY + 100_000, Counted);
    assert_eq!(health.records.len(), 1);
}

#[test]
fn garbage_is_no_ailing_target() {
    let mut health = Health::default();
    health.fail(at(0, 0), Immediate, &POLICY, 0);
    let good = health.encode();
    let with = |position: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[position] = byte;
        bytes
    };
    let entry = &good[1..];
    let too_many = [vec![1], entry.repeat(MAX_ENTRIES + 1)].concat();
    let as_many = [vec![1], entry.repeat(MAX_ENTRIES)].concat();
    assert_eq!(Health::decode(&as_many).records.len(), MAX_ENTRIES);
    let garbage = [
        vec![],
        b"{}".to_vec(),
        // Another format.
        with(0, 2),
        // More failures than are counted.
        with(9, 65),
        // A cooldown of centuries.
        with(26, 0xff),
        // A cooldown that ends before it begins.
        with(18, 0xff),
        // Cut off, or followed by another byte.
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[1]].concat(),
        too_many,
    ];
    for bytes in garbage {
        assert!(Health::decode(&bytes).is_empty(), "{bytes:?}");
    }
    assert!(Health::default().encode().is_empty());
}

#[test]
fn chooses() {
    let [healthy, due, soon, late] = [key(1), key(2), key(3), key(4)];
    let mut health = Health::default();
    for (target, until) in [(due, 900), (soon, 5_000), (late, 6_000)] {
        let ended = EndedAttempt { target, ..at(0, 0) };
        health.fail(ended, Until(DAY + until), &POLICY, SHORTEST);
    }
    let now = DAY + 1_000;
    let choice = |index, leased, all_cooling| {
        Some(TargetChoice {
            index,
            leased,
            all_cooling,
        })
    };
    let cases: [(&[TargetKey], _); 9] = [
        (&[], None),
        (&[healthy, due], choice(0, false, false)),
        (&[late, healthy, due], choice(1, false, false)),
        (&[late, due, healthy], choice(1, true, false)),
        (&[due], choice(0, true, false)),
        (&[late, soon], choice(1, false, true)),
        (&[soon, late], choice(0, false, true)),
        (&[soon, soon], choice(0, false, true)),
        (&[late], choice(0, false, true)),
    ];
    for (candidates, expected) in cases {
        let mut ours = health.clone();
        assert_eq!(choose_target(&mut ours, candidates, now, &POLICY), expected);
        let leased = expected.is_some_and(|choice: TargetChoice| choice.leased);
        assert_eq!(ours != health, leased, "written only if leased");
    }
    // Only one of two requests gets the lease. The other one tries the next target, or the one that is due soonest if
    // there is no other.
    assert!(health.lease(due, now, &POLICY));
    let next = [
        (vec![due, healthy], choice(1, false, false)),
        (vec![due, late], choice(1, false, true)),
        (vec![due], choice(0, false, true)),
    ];
    for (candidates, expected) in next {
        assert_eq!(
            choose_target(&mut health, &candidates, now, &POLICY),
            expected
        );
    }
}
