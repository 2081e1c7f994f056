//! The ledger in which the router role of a worker finds the attempts at its requests. Both roles run in one VM, and
//! so in one thread. If their plugins have different `vm_id`s, they run in different VMs, and no attempts appear in
//! the router role's ledger.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use super::metrics::Metrics;
use super::page::AttemptCounts;
use crate::attempt::{AttemptReport, RunningAttempt};
use crate::schema::{Answer, ErrorCode};

/// What a router's root counts of the attempts at its requests. One VM may have several such roots, each with its own
/// document; an attempt counts for the root that has sent it.
#[derive(Default)]
pub(super) struct AttemptCounters {
    pub(super) metrics: Metrics,
    pub(super) attempts: AttemptCounts,
}

/// The entry of one request.
struct Entry {
    counters: Rc<AttemptCounters>,
    attempts: Vec<Rc<RefCell<RunningAttempt>>>,
    answered: Option<ErrorCode>,
}

impl Entry {
    fn reports(&self) -> Vec<AttemptReport> {
        let attempts = self.attempts.iter();
        attempts
            .filter_map(|running| Some(running.try_borrow().ok()?.report()))
            .collect()
    }
}

/// What became of a request's attempts.
#[derive(Default)]
pub(super) struct ClosedEntry {
    /// The reports of all attempts, in order.
    pub(super) attempts: Vec<AttemptReport>,
    /// The error that the backend role has answered with, if any.
    pub(super) answered: Option<ErrorCode>,
}

thread_local! {
    static LEDGER: RefCell<HashMap<u64, Entry>> = RefCell::default();
}

/// Runs `change` on the ledger.
fn with<T>(change: impl FnOnce(&mut HashMap<u64, Entry>) -> Option<T>) -> Option<T> {
    LEDGER.with(|ledger| change(&mut *ledger.try_borrow_mut().ok()?))
}

/// Opens the entry of a request that is sent on, and whose attempts have this ticket.
pub(super) fn open(ticket: u64, counters: &Rc<AttemptCounters>) {
    let entry = Entry {
        counters: Rc::clone(counters),
        attempts: Vec::new(),
        answered: None,
    };
    with(|ledger| ledger.insert(ticket, entry));
}

/// Returns the tally for which a request's attempts count; `None` if the request belongs to another VM.
pub(super) fn counters(ticket: u64) -> Option<Rc<AttemptCounters>> {
    with(|ledger| Some(Rc::clone(&ledger.get(&ticket)?.counters)))
}

/// Adds an attempt.
pub(super) fn add(ticket: u64, running: &Rc<RefCell<RunningAttempt>>) {
    with(|ledger| {
        ledger.get_mut(&ticket)?.attempts.push(Rc::clone(running));
        Some(())
    });
}

/// Notes that the backend role has answered an attempt itself.
pub(super) fn answer(ticket: u64, answer: &Answer) {
    with(|ledger| {
        ledger.get_mut(&ticket)?.answered = answer.code;
        Some(())
    });
}

/// Whether any attempts were made in this VM.
pub(super) fn has_attempts(ticket: u64) -> bool {
    with(|ledger| Some(!ledger.get(&ticket)?.attempts.is_empty())).unwrap_or(false)
}

/// Records that one of Envoy's own timers ended the request.
pub(super) fn time_is_up(ticket: u64) {
    with(|ledger| {
        let last = ledger.get(&ticket)?.attempts.last()?;
        last.try_borrow_mut().ok()?.time_is_up();
        Some(())
    });
}

/// Returns the reports of the attempts so far.
pub(super) fn attempts(ticket: u64) -> Vec<AttemptReport> {
    with(|ledger| Some(ledger.get(&ticket)?.reports())).unwrap_or_default()
}

/// Closes the entry of a request that is over.
pub(super) fn close(ticket: u64) -> ClosedEntry {
    let Some(entry) = with(|ledger| ledger.remove(&ticket)) else {
        return ClosedEntry::default();
    };
    ClosedEntry {
        attempts: entry.reports(),
        answered: entry.answered,
    }
}
