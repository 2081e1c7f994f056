//! Tests of the share of the traffic that a percentage selects.

use super::*;
use crate::request::Headers;
use crate::routing::statistics::{is_even, is_share};
use crate::routing::{Condition, rendezvous};

const KEYS: u32 = 40_000;

fn session() -> Arc<[KeySource]> {
    [KeySource::Header("x-session".to_owned())].into()
}

fn headers(key: &str) -> Headers {
    Headers::new(vec![("x-session".to_owned(), key.as_bytes().to_vec())])
}

fn all_headers() -> Vec<Headers> {
    let all = 0..KEYS;
    all.map(|key| headers(&format!("session-{key}"))).collect()
}

fn of(headers: &Headers) -> Subject<'_> {
    Subject {
        headers: Some(headers),
        ..Subject::default()
    }
}

fn share(percent: u32, route: &str) -> TrafficShare {
    let parts = percent.saturating_mul(TrafficShare::WHOLE / 100);
    TrafficShare::new(parts, route, session())
}

fn count(all: &[Headers], holds: impl Fn(&Headers) -> bool) -> u32 {
    u32::try_from(all.iter().filter(|headers| holds(headers)).count()).unwrap()
}

#[test]
fn keys_are_even_over_the_whole() {
    let mut counts = [0; 200];
    let share = share(10, "route");
    for headers in all_headers() {
        let (place, source) = share.position(&of(&headers)).unwrap();
        assert_eq!(source, Some(&KeySource::Header("x-session".to_owned())));
        counts[usize::try_from(place).unwrap() / 5_000] += 1;
    }
    is_even(&counts);
}

#[test]
fn a_percentage_of_keys() {
    let all = all_headers();
    for (parts, expected) in [(5_000, 0.005), (100_000, 0.1), (500_000, 0.5)] {
        let share = TrafficShare::new(parts, "route", session());
        let seen = count(&all, |one| share.contains(&of(one)).unwrap());
        is_share(seen, KEYS, expected);
    }
    let [none, every] = [0, 100].map(|percent| share(percent, "route"));
    assert_eq!(count(&all, |one| none.contains(&of(one)).unwrap()), 0);
    assert_eq!(count(&all, |one| every.contains(&of(one)).unwrap()), KEYS);
}

/// A key in ten percent is also in twenty, and with `not` no key is missed or counted twice.
#[test]
fn shares_of_a_route_hold_each_other() {
    let [ten, twenty] = [10, 20].map(|percent| share(percent, "route"));
    let not_ten = Condition::Not(Box::new(Condition::Percent(ten.clone())));
    for headers in all_headers() {
        let subject = of(&headers);
        let is_in_ten = ten.contains(&subject).unwrap();
        assert!(!is_in_ten || twenty.contains(&subject).unwrap());
        assert_eq!(not_ten.evaluate(&subject), Some(!is_in_ten));
    }
}

/// A key's place in one route is independent of its place in another.
#[test]
fn routes_are_independent() {
    let all = all_headers();
    let (one, other) = (share(30, "one"), share(30, "other"));
    let both = |headers: &Headers| {
        let subject = of(headers);
        one.contains(&subject).unwrap() && other.contains(&subject).unwrap()
    };
    is_share(count(&all, both), KEYS, 0.09);
}

/// The keys in a share are distributed over the route's targets like all others.
#[test]
fn a_share_and_the_targets_are_independent() {
    let share = share(20, "route");
    let sticky = Sticky::new("route", session());
    let is_first = |headers: &Headers| {
        let key = sticky.key(&of(headers)).unwrap();
        let targets = ["a", "b"].map(|name| (name, hash::hash_names(&[name])));
        let mut plan = Vec::new();
        let bits = sticky.bits(&key);
        rendezvous::order(
            targets.to_vec(),
            bits,
            |(_, identity)| (1, *identity),
            &mut plan,
        );
        plan[0].0 == "a"
    };
    let all: Vec<Headers> = all_headers();
    let taken = |headers: &Headers| share.contains(&of(headers)).unwrap();
    let in_share = count(&all, taken);
    let both = count(&all, |headers| taken(headers) && is_first(headers));
    is_share(both, in_share, 0.5);
    is_share(count(&all, is_first), KEYS, 0.5);
    // The same targets in another route are chosen independently.
    let elsewhere = Sticky::new("other", session());
    let same = count(&all, |headers| {
        let key = sticky.key(&of(headers)).unwrap();
        sticky.bits(&key) == elsewhere.bits(&key)
    });
    assert_eq!(same, 0);
}

#[test]
fn without_a_key_it_is_drawn() {
    let share = share(10, "route");
    let nothing = Headers::default();
    let empty = headers("");
    for headers in [&nothing, &empty] {
        let draw = |random| Subject {
            random,
            ..of(headers)
        };
        // Consecutive numbers, like the random bits of a worker.
        let seen =
            (0..u64::from(KEYS)).filter(|random| share.contains(&draw(Some(*random))).unwrap());
        is_share(u32::try_from(seen.count()).unwrap(), KEYS, 0.1);
        assert_eq!(share.contains(&draw(None)), None);
        // At 0 and 100 percent the draw makes no difference.
        for (percent, expected) in [(0, Some(false)), (100, Some(true))] {
            let share = TrafficShare::new(percent * 10_000, "route", session());
            assert_eq!(share.contains(&draw(None)), expected);
        }
    }
    // Without the headers, nothing is known.
    let unknown = Subject {
        random: Some(7),
        ..Subject::default()
    };
    assert_eq!(share.contains(&unknown), None);
    let off = TrafficShare::new(0, "route", session());
    assert_eq!(off.contains(&Subject::default()), None);
}

#[test]
fn what_shares_know_of_each_other() {
    let [ten, twenty, elsewhere] = [(10, "a"), (20, "a"), (20, "b")]
        .map(|(percent, route)| Condition::Percent(share(percent, route)));
    let other_key = TrafficShare::new(200_000, "a", [KeySource::Conversation].into());
    let other_key = Condition::Percent(other_key);
    assert!(twenty.covers(&ten) && !ten.covers(&twenty) && ten.covers(&ten));
    assert!(!elsewhere.covers(&ten) && !other_key.covers(&ten));
    let not_ten = Condition::Not(Box::new(ten.clone()));
    assert!(Condition::All(vec![ten.clone(), not_ten.clone()]).is_impossible());
    assert!(!Condition::All(vec![twenty, not_ten]).is_impossible());
    // A rollout that has not begun or is complete is not an error.
    let [none, every] = [0, 100].map(|percent| Condition::Percent(share(percent, "a")));
    assert!(!none.is_impossible() && !every.covers(&elsewhere));
}

#[test]
fn written_in_percent() {
    for (parts, written) in [
        (0, "0"),
        (1, "0.0001"),
        (5_000, "0.5"),
        (333_333, "33.3333"),
        (370_000, "37"),
        (TrafficShare::WHOLE, "100"),
    ] {
        assert_eq!(percent(parts), written);
    }
}

/// These expected values must never change: they are where requests with these keys already go.
#[test]
fn the_same_in_every_version() {
    let share = share(10, "route");
    let places = ["a", "session-1", "ü"].map(|key| share.position(&of(&headers(key))).unwrap().0);
    assert_eq!(places, [167_290, 799_789, 781_771]);
    let sticky = Sticky::new("route", session());
    let subject = headers("a");
    let key = sticky.key(&of(&subject)).unwrap();
    assert_eq!(sticky.bits(&key), 0xa82e_fdbd_2ed3_aed5);
}
