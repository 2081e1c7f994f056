//! What the router role of a worker knows of the attempts at its requests: both roles live in one VM, and so in one thread.
//! Where they do not, because their plugins have different `vm_id`s, it knows nothing.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use super::metrics::Metrics;
use super::page::Attempts;
use crate::attempt::{Report, Running};
use crate::schema::{Answer, ErrorCode};

/// What a router's root counts of the attempts at its requests. Several of them may be in one VM, each with a document of
/// its own: what an attempt does counts for the one that has sent it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) metrics: Metrics,
    pub(super) attempts: Attempts,
}

/// Of one request.
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
    /// Each of them, in order.
    pub(super) attempts: Vec<Report>,
    /// What the backend role has answered.
    pub(super) answered: Option<ErrorCode>,
}

thread_local! {
    static LEDGER: RefCell<HashMap<u64, Entry>> = RefCell::default();
}

/// Whatever is done with an entry, if there is one.
fn with<T>(change: impl FnOnce(&mut HashMap<u64, Entry>) -> Option<T>) -> Option<T> {
    LEDGER.with(|ledger| change(&mut *ledger.try_borrow_mut().ok()?))
}

/// A request is on its way whose attempts have this ticket.
pub(super) fn open(ticket: u64, tally: &Rc<Tally>) {
    let entry = Entry {
        tally: Rc::clone(tally),
        attempts: Vec::new(),
        answered: None,
    };
    with(|ledger| ledger.insert(ticket, entry));
}

/// For whom the attempts at a request count. Whose request is not known here belongs to another VM.
pub(super) fn tally(ticket: u64) -> Option<Rc<Tally>> {
    with(|ledger| Some(Rc::clone(&ledger.get(&ticket)?.tally)))
}

/// An attempt is made.
pub(super) fn add(ticket: u64, running: &Rc<RefCell<Running>>) {
    with(|ledger| {
        ledger.get_mut(&ticket)?.attempts.push(Rc::clone(running));
        Some(())
    });
}

/// An attempt is answered here.
pub(super) fn answer(ticket: u64, answer: &Answer) {
    with(|ledger| {
        ledger.get_mut(&ticket)?.answered = answer.code;
        Some(())
    });
}

/// Whether any have been made here.
pub(super) fn has_attempts(ticket: u64) -> bool {
    with(|ledger| Some(!ledger.get(&ticket)?.attempts.is_empty())).unwrap_or(false)
}

/// Envoy has ended it by a timer of its own.
pub(super) fn time_is_up(ticket: u64) {
    with(|ledger| {
        let last = ledger.get(&ticket)?.attempts.last()?;
        last.try_borrow_mut().ok()?.time_is_up();
        Some(())
    });
}

/// What has become of its attempts so far.
pub(super) fn attempts(ticket: u64) -> Vec<Report> {
    with(|ledger| Some(ledger.get(&ticket)?.reports())).unwrap_or_default()
}

/// The request is over.
pub(super) fn close(ticket: u64) -> Ended {
    let Some(entry) = with(|ledger| ledger.remove(&ticket)) else {
        return Ended::default();
    };
    Ended {
        attempts: entry.reports(),
        answered: entry.answered,
    }
}
