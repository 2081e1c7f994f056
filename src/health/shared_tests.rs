//! Tests of several workers that change the shared health in any order.

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;

/// One key of Envoy's shared data.
#[derive(Default)]
struct Store(RefCell<(Vec<u8>, u32)>);

impl Store {
    fn get(&self) -> (Vec<u8>, u32) {
        self.0.borrow().clone()
    }

    fn set(&self, bytes: Vec<u8>, version: u32) -> bool {
        let mut stored = self.0.borrow_mut();
        let current = stored.1 == version;
        if current {
            *stored = (bytes, version + 1);
        }
        current
    }
}

/// A worker between its read and its write.
struct Worker<'a> {
    store: &'a Store,
    read: (Vec<u8>, u32),
}

impl<'a> Worker<'a> {
    fn reads(store: &'a Store) -> Self {
        let read = store.get();
        Self { store, read }
    }

    /// Repeats until the write succeeds or there is nothing to write. Returns how often it tried.
    fn writes(mut self, change: impl Fn(&mut Health) -> bool) -> (bool, u32) {
        for tries in 1.. {
            let mut health = Health::decode(&self.read.0);
            if !change(&mut health) {
                return (false, tries);
            }
            if self.store.set(health.encode(), self.read.1) {
                return (true, tries);
            }
            self.read = self.store.get();
        }
        panic!("never");
    }
}

#[test]
fn workers_lose_no_failure_and_share_one_lease() {
    let store = Store::default();
    // All workers read before any of them writes.
    let workers: Vec<_> = (0..3).map(|_| Worker::reads(&store)).collect();
    for (expected, worker) in [1, 2, 2].into_iter().zip(workers) {
        let fail = |health: &mut Health| health.fail(at(0, 5), Counted, &POLICY, SHORTEST);
        assert_eq!(worker.writes(fail), (true, expected));
    }
    let state = |now| Health::decode(&store.get().0).state(target(), DAY + now, &POLICY);
    assert_eq!(state(5), cooling(805));

    let workers: Vec<_> = (0..8).map(|_| Worker::reads(&store)).collect();
    let mut leases = 0;
    for worker in workers {
        let choice = |health: &mut Health| {
            let choice = choose_target(health, &[target()], DAY + 805, &POLICY);
            choice.is_some_and(|choice| choice.leased)
        };
        leases += u32::from(worker.writes(choice).0);
    }
    assert_eq!((leases, state(805)), (1, probing(10_805)));

    // A probe succeeds while another target fails: both changes are kept.
    let (one, other) = (Worker::reads(&store), Worker::reads(&store));
    let elsewhere = EndedAttempt {
        target: key(9),
        ..at(900, 900)
    };
    one.writes(|health| health.fail(elsewhere, Immediate, &POLICY, SHORTEST));
    assert_eq!(
        other.writes(|health| health.succeed(at(805, 900))),
        (true, 2)
    );
    let health = Health::decode(&store.get().0);
    assert!(!health.has_failures(target()) && health.has_failures(key(9)));
}

#[derive(Clone, Debug)]
enum Operation {
    Fail(FailureSeverity),
    Succeed,
    Choose,
}

/// What is done, how much later than the last step, to which target, and how long ago the attempt began.
fn operations() -> impl Strategy<Value = Vec<(Operation, u64, u64, u64)>> {
    let operation = prop_oneof![
        2 => Just(Operation::Fail(Counted)),
        1 => Just(Operation::Fail(Immediate)),
        1 => (0..20_000_u64).prop_map(|until| Operation::Fail(Until(DAY + until))),
        1 => Just(Operation::Succeed),
        4 => Just(Operation::Choose),
    ];
    let step = (
        operation,
        prop_oneof![0..50_u64, 0..6_000_u64],
        0..3_u64,
        0..3_000_u64,
    );
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn one_lease_at_a_time(steps in operations(), random in any::<u64>()) {
        let mut health = Health::default();
        let mut now_ms = DAY;
        // When each target's lease was given, until an attempt at the target has an effect.
        let mut leases = [None::<u64>; 3];
        for (operation, later, number, age) in steps {
            now_ms += later;
            let target = key(number);
            let held = &mut leases[usize::try_from(number).unwrap()];
            let ended = EndedAttempt { target, sent_ms: now_ms - age, now_ms };
            match operation {
                Operation::Fail(severity) => {
                    let before = health.state(target, now_ms, &POLICY);
                    let changed = health.fail(ended, severity, &POLICY, random);
                    if changed {
                        let after = health.state(target, now_ms, &POLICY);
                        let cools = matches!(after, TargetState::Cooling { .. });
                        prop_assert!(severity == Counted || cools);
                        *held = None;
                    }
                    if let (TargetState::Cooling { until_ms: before }, TargetState::Cooling { until_ms }) =
                        (before, health.state(target, now_ms, &POLICY))
                    {
                        prop_assert!(until_ms >= before);
                        prop_assert!(until_ms == before || matches!(severity, Until(_)));
                    }
                }
                Operation::Succeed => {
                    if health.succeed(ended) {
                        prop_assert!(!health.has_failures(target));
                        *held = None;
                    }
                }
                Operation::Choose => {
                    if choose_target(&mut health, &[target], now_ms, &POLICY).unwrap().leased {
                        prop_assert!(held.is_none_or(|since| since + POLICY.lease_ms <= now_ms));
                        *held = Some(now_ms);
                    }
                }
            }
            prop_assert_eq!(Health::decode(&health.encode()), health.clone());
            // No cooldown is longer than the policy or the backend allows.
            if let TargetState::Cooling { until_ms } = health.state(target, now_ms, &POLICY) {
                prop_assert!(until_ms <= (now_ms + POLICY.max_ms * 6 / 5).max(DAY + 20_000));
            }
        }
    }

    #[test]
    fn any_bytes_decode(
        mut bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..200),
        ours in any::<bool>(),
        now_ms in any::<u64>(),
        sent_ms in any::<u64>(),
        until in any::<u64>(),
        number in any::<u64>(),
    ) {
        if let (true, Some(first)) = (ours, bytes.first_mut()) {
            *first = 1;
        }
        let mut health = Health::decode(&bytes);
        if !health.is_empty() {
            prop_assert_eq!(health.encode(), bytes);
        }
        let target = health.records.first().map_or(key(number), |(target, _)| *target);
        let ended = EndedAttempt { target, sent_ms, now_ms };
        prop_assert!(choose_target(&mut health, &[target], now_ms, &POLICY).is_some());
        for severity in [Counted, Immediate, Until(until)] {
            health.fail(ended, severity, &POLICY, number);
            if let TargetState::Cooling { until_ms } = health.state(target, now_ms, &POLICY) {
                prop_assert!(until_ms - now_ms <= CooldownPolicy::MAX_COOLDOWN_MS + 1_000);
            }
            prop_assert_eq!(Health::decode(&health.encode()), health.clone());
        }
        health.succeed(ended);
        health.lease(target, now_ms, &POLICY);
    }
}
