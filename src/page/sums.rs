//! What is counted of a route or a target: since the beginning, and for a while in short slots of time.

use hashbrown::HashMap;

use crate::wire::{Reader, Writer};

/// How long a slot is.
pub const SLOT_MS: u64 = 3_000;

/// How many slots are kept: two minutes.
pub const SLOTS: u64 = 40;

/// How many of them make a minute.
pub(super) const SLOTS_OF_A_MINUTE: u64 = 20;

/// The slot that this time (in Unix milliseconds) is in.
pub(super) fn slot_of(now_ms: u64) -> u64 {
    now_ms.checked_div(SLOT_MS).unwrap_or(0)
}

/// How many measures [`Sums`] has beside the cost.
const MEASURES: usize = 12;

/// Sums of outcomes. Of a target they are sums of attempts, and of the answers that it gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests, or attempts.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Requests with more than one attempt.
    pub fallbacks: u64,
    /// Those that a backend answered.
    pub answers: u64,
    /// Tokens that models read.
    pub input: u64,
    /// Tokens that they wrote.
    pub output: u64,
    /// Answers whose tokens are estimates.
    pub estimated: u64,
    /// In pico-dollars, of which a `u64` holds 18 million dollars: too few for all time.
    pub cost: u128,
    /// Answers whose cost is not known.
    pub unpriced: u64,
    /// Milliseconds until first tokens.
    pub first_ms: u64,
    /// Of so many answers.
    pub first_count: u64,
    /// Milliseconds from beginning to end.
    pub whole_ms: u64,
    /// Of so many.
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

    /// Adds others to these.
    pub fn add(&mut self, mut other: Sums) {
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum = sum.saturating_add(*more);
        }
        self.cost = self.cost.saturating_add(other.cost);
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

/// The low half of a number and the high one.
pub(super) fn halves(number: u128) -> [u64; 2] {
    let low = number & u128::from(u64::MAX);
    [low, number >> 64].map(|half| u64::try_from(half).unwrap_or(u64::MAX))
}

/// The sums of one route or one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Since the beginning.
    pub total: Sums,
    /// Those of the last slots that had any, the oldest first.
    pub(super) slots: Vec<(u64, Sums)>,
}

impl Row {
    /// Adds sums that were made now.
    pub(super) fn count(&mut self, sums: Sums, now_ms: u64) {
        self.total.add(sums);
        self.add_slot(slot_of(now_ms), sums);
    }

    /// Adds another row to this one.
    pub fn add(&mut self, other: &Row) {
        self.total.add(other.total);
        for (slot, sums) in &other.slots {
            self.add_slot(*slot, *sums);
        }
    }

    fn add_slot(&mut self, slot: u64, sums: Sums) {
        match self.slots.binary_search_by_key(&slot, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, known)) = self.slots.get_mut(at) {
                    known.add(sums);
                }
            }
            Err(at) => self.slots.insert(at, (slot, sums)),
        }
    }

    /// Forgets the slots that are too old, and those that a clock that was set back has not come to.
    fn prune(&mut self, now_ms: u64) {
        let now = slot_of(now_ms);
        let oldest = now.saturating_sub(SLOTS.saturating_sub(1));
        let newest = now.saturating_add(1);
        self.slots
            .retain(|(slot, _)| (oldest..=newest).contains(slot));
    }

    /// A measure in each of the last slots, the oldest first.
    pub(super) fn series<T: Default>(&self, now_ms: u64, measure: impl Fn(&Sums) -> T) -> Vec<T> {
        let now = slot_of(now_ms);
        let slots = (0..SLOTS).rev().map(|ago| now.saturating_sub(ago));
        let sums = |slot: u64| self.slots.iter().find(|(known, _)| *known == slot);
        slots
            .map(|slot| sums(slot).map_or_else(T::default, |(_, sums)| measure(sums)))
            .collect()
    }

    /// The sums of the last minute.
    pub(super) fn last_minute(&self, now_ms: u64) -> Sums {
        let oldest = slot_of(now_ms).saturating_sub(SLOTS_OF_A_MINUTE);
        let mut minute = Sums::default();
        for (_, sums) in self.slots.iter().filter(|(slot, _)| *slot > oldest) {
            minute.add(*sums);
        }
        minute
    }
}

/// How many rows there can be. What more there is, is counted together.
const MOST_ROWS: usize = 4_096;

/// The row of what has none of its own.
pub const OTHERS: u64 = 0;

/// Rows by the hashes of what they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub(super) HashMap<u64, Row>);

impl Rows {
    /// Counts for one of them.
    pub(super) fn count(&mut self, key: u64, sums: Sums, now_ms: u64) {
        self.0.entry(key).or_default().count(sums, now_ms);
    }

    /// Adds others to these.
    pub(super) fn add(&mut self, other: Rows) {
        for (key, row) in other.0 {
            self.0.entry(key).or_default().add(&row);
        }
    }

    /// All of them together.
    pub(super) fn whole(&self) -> Row {
        let mut whole = Row::default();
        for row in self.0.values() {
            whole.add(row);
        }
        whole
    }

    pub(super) fn prune(&mut self, now_ms: u64) {
        for row in self.0.values_mut() {
            row.prune(now_ms);
        }
        // Those that nothing came to lately first: they are of documents that were there before.
        for is_kept in [|row: &Row| !row.slots.is_empty(), |_: &Row| false] {
            let surplus = self.0.len().saturating_sub(MOST_ROWS);
            if surplus > 0 {
                self.fold(surplus, is_kept);
            }
        }
    }

    /// Counts as others what is in at most so many rows, and in the row of the others itself.
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
            out.list(&row.slots, |out, (slot, sums)| {
                out.count(*slot);
                sums.write(out);
            });
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let rows = from.list(|from| {
            let key = from.long()?;
            let total = Sums::read(from)?;
            let slots = from.list(|from| Some((from.count()?, Sums::read(from)?)))?;
            Some((key, Row { total, slots }))
        })?;
        Some(Rows(rows.into_iter().collect()))
    }
}
