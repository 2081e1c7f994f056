//! The sums that are counted for a route or a target: since the beginning, and in short slots of time for the last
//! minutes.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::wire::{Reader, Writer};

/// The length of a slot, in milliseconds.
pub const SLOT_MS: u64 = 3_000;

/// How many slots are kept: two minutes.
pub const SLOTS: u64 = 40;

/// How many slots are one minute.
pub(super) const SLOTS_OF_A_MINUTE: u64 = 20;

/// Returns the number of the slot of this time (in Unix milliseconds).
pub(super) fn slot_of(now_ms: u64) -> u64 {
    now_ms.checked_div(SLOT_MS).unwrap_or(0)
}

/// The number of measures in [`Sums`], apart from the cost.
const MEASURES: usize = 12;

/// Sums of outcomes. For a target, these are sums of its attempts and of the answers that it gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests or attempts.
    pub requests: u64,
    /// Requests or attempts that failed.
    pub errors: u64,
    /// Attempts that followed a failed one at another target.
    pub fallbacks: u64,
    /// Requests or attempts that a backend answered.
    pub answers: u64,
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Answers whose tokens are estimates.
    pub estimated: u64,
    /// The cost in pico-dollars. A `u64` would only hold 18 million dollars, too few for all time.
    pub cost: u128,
    /// Answers whose cost is not known.
    pub unpriced: u64,
    /// The milliseconds until first tokens.
    pub first_ms: u64,
    /// The number of answers in `first_ms`.
    pub first_count: u64,
    /// The milliseconds from beginning to end.
    pub whole_ms: u64,
    /// The number of requests or attempts in `whole_ms`.
    pub whole_count: u64,
}

impl Sums {
    fn each(&mut self) -> [&mut u64; MEASURES] {
        [
            &mut self.requests,
            &mut self.errors,
            &mut self.fallbacks,
            &mut self.answers,
            &mut self.input,
            &mut self.output,
            &mut self.estimated,
            &mut self.unpriced,
            &mut self.first_ms,
            &mut self.first_count,
            &mut self.whole_ms,
            &mut self.whole_count,
        ]
    }

    /// Adds other sums to these.
    pub fn add(&mut self, mut other: Sums) {
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum = sum.saturating_add(*more);
        }
        self.cost = self.cost.saturating_add(other.cost);
    }
}

/// A value that is counted in slots of time.
pub(super) trait SlotValue: Copy + Default {
    /// Adds more to the value.
    fn add(&mut self, more: Self);

    /// Encodes the value.
    fn write(self, out: &mut Writer);

    /// Decodes a value.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

impl SlotValue for Sums {
    fn add(&mut self, more: Sums) {
        Sums::add(self, more);
    }

    fn write(mut self, out: &mut Writer) {
        for sum in self.each() {
            out.count(*sum);
        }
        for half in halves(self.cost) {
            out.count(half);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut sums = Sums::default();
        for sum in sums.each() {
            *sum = from.count()?;
        }
        let (low, high) = (from.count()?, from.count()?);
        sums.cost = u128::from(high) << 64 | u128::from(low);
        Some(sums)
    }
}

/// Splits a number into its low and its high half.
pub(super) fn halves(number: u128) -> [u64; 2] {
    let low = number & u128::from(u64::MAX);
    [low, number >> 64].map(|half| u64::try_from(half).unwrap_or(u64::MAX))
}

/// The number of requests or attempts.
impl SlotValue for u64 {
    fn add(&mut self, more: u64) {
        *self = self.saturating_add(more);
    }

    fn write(self, out: &mut Writer) {
        out.count(self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.count()
    }
}

/// The counts of the latest slots that have any, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots<T>(Vec<(u64, T)>);

impl<T: SlotValue> Slots<T> {
    /// Counts in the current slot.
    pub(super) fn count(&mut self, more: T, now_ms: u64) {
        self.add_to(slot_of(now_ms), more);
    }

    pub(super) fn add(&mut self, other: &Slots<T>) {
        for (slot, more) in &other.0 {
            self.add_to(*slot, *more);
        }
    }

    fn add_to(&mut self, slot: u64, more: T) {
        match self.0.binary_search_by_key(&slot, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    known.add(more);
                }
            }
            Err(at) => self.0.insert(at, (slot, more)),
        }
    }

    /// Removes slots that are too old, and slots in the future because the clock was set back.
    pub(super) fn prune(&mut self, now_ms: u64) {
        let now = slot_of(now_ms);
        let oldest = now.saturating_sub(SLOTS.saturating_sub(1));
        let newest = now.saturating_add(1);
        self.0.retain(|(slot, _)| (oldest..=newest).contains(slot));
    }

    /// Returns a measure of each of the latest slots, the oldest first.
    pub(super) fn series<M: Default>(&self, now_ms: u64, measure: impl Fn(&T) -> M) -> Vec<M> {
        let now = slot_of(now_ms);
        let slots = (0..SLOTS).rev().map(|ago| now.saturating_sub(ago));
        let counted = |slot: u64| self.0.iter().find(|(known, _)| *known == slot);
        slots
            .map(|slot| counted(slot).map_or_else(M::default, |(_, counted)| measure(counted)))
            .collect()
    }

    /// Returns the sum of the last minute.
    pub(super) fn last_minute(&self, now_ms: u64) -> T {
        let oldest = slot_of(now_ms).saturating_sub(SLOTS_OF_A_MINUTE);
        let mut minute = T::default();
        for (_, counted) in self.0.iter().filter(|(slot, _)| *slot > oldest) {
            minute.add(*counted);
        }
        minute
    }

    /// Encodes each slot's number as the distance from the previous one, which is mostly one byte.
    pub(super) fn write(&self, out: &mut Writer) {
        out.count(u64::try_from(self.0.len()).unwrap_or(0));
        let mut before = 0;
        for (slot, counted) in &self.0 {
            out.count(slot.saturating_sub(before));
            counted.write(out);
            before = *slot;
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let count = usize::try_from(from.count()?).ok()?;
        // Each slot takes at least two bytes, so a wrong count cannot reserve much memory.
        let mut slots = Vec::with_capacity(count.min(from.0.len()));
        let mut before = 0_u64;
        for _ in 0..count {
            before = before.checked_add(from.count()?)?;
            slots.push((before, T::read(from)?));
        }
        Some(Slots(slots))
    }
}

/// The sums of one route or one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The sums since the beginning.
    pub total: Sums,
    /// The requests or attempts in the latest slots. The other sums are not kept by slot: there may be thousands of
    /// rows, and every worker reads and writes all of them each time.
    pub(super) recent: Slots<u64>,
}

impl Row {
    /// Adds sums that were made now.
    pub(super) fn count(&mut self, sums: Sums, now_ms: u64) {
        self.total.add(sums);
        self.recent.count(sums.requests, now_ms);
    }

    /// Adds another row to this one.
    pub fn add(&mut self, other: &Row) {
        self.total.add(other.total);
        self.recent.add(&other.recent);
    }
}

/// The maximum number of rows. Further ones are counted together.
const MAX_ROWS: usize = 4_096;

/// The key of the row for all that has no row of its own.
pub const OTHERS: u64 = 0;

/// Rows by their keys, which are hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub(super) HashMap<u64, Row>);

impl Rows {
    /// Counts for one row.
    pub(super) fn count(&mut self, key: u64, sums: Sums, now_ms: u64) {
        self.0.entry(key).or_default().count(sums, now_ms);
    }

    /// Adds other rows to these.
    pub(super) fn add(&mut self, other: Rows) {
        for (key, row) in other.0 {
            match self.0.entry(key) {
                Entry::Occupied(mut known) => known.get_mut().add(&row),
                Entry::Vacant(place) => {
                    place.insert(row);
                }
            }
        }
    }

    /// Returns the sum of all rows.
    pub(super) fn total(&self) -> Row {
        let mut whole = Row::default();
        for row in self.0.values() {
            whole.add(row);
        }
        whole
    }

    pub(super) fn prune(&mut self, now_ms: u64) {
        for row in self.0.values_mut() {
            row.recent.prune(now_ms);
        }
        // Rows without recent counts go first: they belong to earlier documents.
        for is_kept in [|row: &Row| !row.recent.0.is_empty(), |_: &Row| false] {
            let surplus = self.0.len().saturating_sub(MAX_ROWS);
            if surplus > 0 {
                self.fold(surplus, is_kept);
            }
        }
    }

    /// Moves up to `surplus` rows, and one more for the others' own row, into the row of the others.
    fn fold(&mut self, surplus: usize, is_kept: fn(&Row) -> bool) {
        let mut left = surplus.saturating_add(1);
        let mut others = Row::default();
        self.0.retain(|key, row| {
            let stays = *key == OTHERS || left == 0 || is_kept(row);
            if !stays {
                left = left.saturating_sub(1);
                others.add(row);
            }
            stays
        });
        self.0.entry(OTHERS).or_default().add(&others);
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.length(self.0.len());
        for (key, row) in &self.0 {
            out.long(*key);
            row.total.write(out);
            row.recent.write(out);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let rows = from.list(|from| {
            let key = from.long()?;
            let total = Sums::read(from)?;
            let recent = Slots::read(from)?;
            Some((key, Row { total, recent }))
        })?;
        Some(Rows(rows.into_iter().collect()))
    }
}
