//! The ledger in which the router role of a worker finds the attempts at its requests. Both roles run in one VM, and
//! so in one thread. If their plugins have different `vm_id`s, they run in different VMs, and no attempts appear in
//! the router role's ledger.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use super::metrics::Metrics;
use super::page::Attempts;
use crate::attempt::{Report, Running};
use crate::schema::{Answer, ErrorCode};

/// What a router's root counts of the attempts at its requests. One VM may have several such roots, each with its own
/// document; an attempt counts for the root that has sent it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) metrics: Metrics,
    pub(super) attempts: Attempts,
}

/// The entry of one request.
struct Entry {
    tally: Rc<Tally>,
    attempts: Vec<Rc<RefCell<Running>>>,
    answered: Option<ErrorCode>,
}

impl Entry {
    fn reports(&self) -> Vec<Report> {
        let attempts = self.attempts.iter();
        attempts
            .filter_map(|running| Some(running.try_borrow().ok()?.report()))
            .collect()
    }
}

/// What became of a request's attempts.
#[derive(Default)]
pub(super) struct Ended {
    /// The reports of all attempts, in order.
    pub(super) attempts: Vec<Report>,
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
pub(super) fn open(ticket: u64, tally: &Rc<Tally>) {
    let entry = Entry {
        tally: Rc::clone(tally),
        attempts: Vec::new(),
        answered: None,
    };
    with(|ledger| ledger.insert(ticket, entry));
}

/// Returns the tally for which a request's attempts count; `None` if the request belongs to another VM.
pub(super) fn tally(ticket: u64) -> Option<Rc<Tally>> {
    with(|ledger| Some(Rc::clone(&ledger.get(&ticket)?.tally)))
}

/// Adds an attempt.
pub(super) fn add(ticket: u64, running: &Rc<RefCell<Running>>) {
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
pub(super) fn attempts(ticket: u64) -> Vec<Report> {
    with(|ledger| Some(ledger.get(&ticket)?.reports())).unwrap_or_default()
}

/// Closes the entry of a request that is over.
pub(super) fn close(ticket: u64) -> Ended {
    let Some(entry) = with(|ledger| ledger.remove(&ticket)) else {
        return Ended::default();
    };
    Ended {
        attempts: entry.reports(),
        answered: entry.answered,
    }
}
