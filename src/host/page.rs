//! The live page: what this worker counts, what it shares with other workers, and how it serves the page.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};

use super::calls;
use super::health::read_health;
use super::ledger::AttemptCounters;
use crate::config::{Document, PageAccess};
use crate::hash;
use crate::health::TargetKey;
use crate::page::{self, PendingCounts, Store};
use crate::request::Headers;
use crate::telemetry::Outcome;

/// The prefix of the shared value's key. The plugin's name follows, so that each listener has its own page, and a new
/// document of the same plugin continues where the one before stopped.
const PAGE: &str = "llm.page.";

/// The minimum time between two writes of a worker's counts to shared data, in milliseconds.
const PERIOD_MS: u64 = 500;

/// How often a write is tried while other workers write first. Counts that could not be shared are kept for the next
/// time.
const TRIES: usize = 16;

/// The attempts under way of a root's requests, by target; `None` if no page shows them.
#[derive(Default)]
pub(super) struct AttemptCounts(RefCell<Option<HashMap<u64, u64>>>);

impl AttemptCounts {
    fn count(&self) {
        self.0.borrow_mut().get_or_insert_default();
    }

    fn all(&self) -> Vec<(u64, u64)> {
        let attempts = self.0.borrow();
        let attempts = attempts.iter().flatten();
        attempts.map(|(target, count)| (*target, *count)).collect()
    }
}

/// An attempt that is under way.
pub(super) struct CountedAttempt {
    counters: Rc<AttemptCounters>,
    target: u64,
}

impl CountedAttempt {
    /// Counts an attempt until the returned value is dropped; `None` if no page shows attempts.
    pub(super) fn begin(counters: &Rc<AttemptCounters>, target: TargetKey) -> Option<Self> {
        let mut attempts = counters.attempts.0.borrow_mut();
        let target = target.bits();
        let count = attempts.as_mut()?.entry(target).or_default();
        *count = count.saturating_add(1);
        let counters = Rc::clone(counters);
        Some(CountedAttempt { counters, target })
    }
}

impl Drop for CountedAttempt {
    fn drop(&mut self) {
        let mut attempts = self.counters.attempts.0.borrow_mut();
        let Some(attempts) = &mut *attempts else {
            return;
        };
        if let Some(count) = attempts.get_mut(&self.target) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                attempts.remove(&self.target);
            }
        }
    }
}

/// A request that is under way.
pub(super) struct CountedRequest(Rc<Cell<u64>>);

impl Drop for CountedRequest {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The live page of a root; empty if the document has none.
#[derive(Default)]
pub(super) struct LivePage(RefCell<Option<PageCounter>>);

struct PageCounter {
    document: Rc<Document>,
    counters: Rc<AttemptCounters>,
    key: String,
    /// The worker's name, which also seeds the ids of its decisions.
    worker: u64,
    pending: PendingCounts,
    requests: Rc<Cell<u64>>,
    /// Whether the shared value says that something is under way in this worker.
    has_shared_in_flight: bool,
    shared_at: u64,
}

impl LivePage {
    /// Starts to count for a document that has a page. `random`: 64 random bits.
    pub(super) fn configure(
        &self,
        document: &Rc<Document>,
        counters: &Rc<AttemptCounters>,
        random: u64,
    ) {
        self.flush();
        let mut counter = None;
        if document.page.is_some() {
            counters.attempts.count();
            let name = calls::property(&["plugin_name"]).unwrap_or_default();
            let key = format!("{PAGE}{}", String::from_utf8_lossy(&name));
            prepare(&key);
            counter = Some(PageCounter {
                document: Rc::clone(document),
                counters: Rc::clone(counters),
                key,
                worker: hash::mix(random),
                pending: PendingCounts::default(),
                requests: Rc::default(),
                has_shared_in_flight: false,
                shared_at: 0,
            });
        }
        self.0.replace(counter);
    }

    /// Notes that a request is under way, until the returned value is dropped.
    pub(super) fn begin(&self) -> Option<CountedRequest> {
        let counter = self.0.borrow();
        let requests = &counter.as_ref()?.requests;
        requests.set(requests.get().saturating_add(1));
        Some(CountedRequest(Rc::clone(requests)))
    }

    /// Counts the outcome of a request that has just ended.
    pub(super) fn record(&self, outcome: &Outcome) {
        if let Some(counter) = &mut *self.0.borrow_mut() {
            let document = Rc::clone(&counter.document);
            counter.pending.record(&document, outcome, calls::now());
        }
    }

    /// Shares the counts if the period has passed.
    pub(super) fn tick(&self) {
        if let Some(counter) = &mut *self.0.borrow_mut()
            && !counter.has_nothing_to_share()
        {
            let now = calls::now();
            if now.abs_diff(counter.shared_at) >= PERIOD_MS {
                counter.share(now);
            }
        }
    }

    /// Shares the counts with the other workers, because this root ends or gets another document.
    pub(super) fn flush(&self) {
        if let Some(counter) = &mut *self.0.borrow_mut()
            && !counter.has_nothing_to_share()
        {
            counter.requests = Rc::default();
            counter.share(calls::now());
        }
    }

    /// Answers a request for the page if it is allowed, and returns whether it did.
    pub(super) fn serve(&self, headers: &Headers) -> bool {
        let mut counter = self.0.borrow_mut();
        let Some(counter) = &mut *counter else {
            return false;
        };
        let Some(page) = &counter.document.page else {
            return false;
        };
        let Some(format) = page::authorized_format(page, headers) else {
            return false;
        };
        let now = calls::now();
        let store = counter.share(now);
        let data = page::page_data(&store, &counter.document, &read_health(), now);
        let response = page::render(format, &data);
        calls::send_text(
            200,
            response.content_type,
            &response.headers,
            &response.body,
        );
        true
    }

    /// Removes the page's secret from a request that goes on, so that no backend gets it.
    pub(super) fn without_secret(&self, headers: Headers) -> Headers {
        let counter = self.0.borrow();
        let document = counter.as_ref().map(|counter| &counter.document);
        let page = document.and_then(|document| document.page.as_ref());
        let Some(PageAccess::Secret { header, .. }) = page.map(|page| &page.access) else {
            return headers;
        };
        if !headers.contains(header) {
            return headers;
        }
        calls::remove_header(MapType::HttpRequestHeaders, header);
        let left = headers.iter().filter(|(name, _)| name != header);
        let left = left.map(|(name, value)| (name.to_owned(), value.to_vec()));
        Headers::new(left.collect())
    }
}

/// Creates the shared value, so that compare-and-swap has something to compare with. Envoy configures its main thread
/// before any worker, so this overwrites nothing.
fn prepare(key: &str) {
    if let Ok((_, None)) = hostcalls::get_shared_data(key) {
        let begun = Store::since(calls::now());
        if let Err(status) = hostcalls::set_shared_data(key, Some(&begun.encode()), None) {
            log::warn!("host call failed: set_shared_data: {status:?}");
        }
    }
}

impl PageCounter {
    fn has_nothing_to_share(&self) -> bool {
        self.pending.is_empty() && !self.has_shared_in_flight && self.requests.get() == 0
    }

    fn in_flight(&self, now: u64) -> page::InFlight {
        page::InFlight {
            worker: self.worker,
            stated_ms: now,
            requests: self.requests.get(),
            attempts: self.counters.attempts.all(),
        }
    }

    /// Adds this worker's counts to the shared value, and returns the sum.
    fn share(&mut self, now: u64) -> Store {
        self.shared_at = now;
        let random = Cell::new(hash::mix(self.worker.wrapping_add(now)));
        let next = || random.replace(hash::mix(random.get()));
        let added = self.pending.take(next);
        let statement = self.in_flight(now);
        let mut store = Store::default();
        for _ in 0..TRIES {
            let (bytes, cas) = match hostcalls::get_shared_data(&self.key) {
                Ok(found) => found,
                Err(status) => {
                    log::warn!("host call failed: get_shared_data: {status:?}");
                    break;
                }
            };
            store = Store::decode(&bytes.unwrap_or_default());
            store.add(added.clone());
            store.set_in_flight(statement.clone());
            store.prune(now);
            match hostcalls::set_shared_data(&self.key, Some(&store.encode()), cas) {
                Err(Status::CasMismatch) => {}
                Ok(()) => {
                    self.has_shared_in_flight =
                        statement.requests > 0 || !statement.attempts.is_empty();
                    return store;
                }
                Err(status) => {
                    log::warn!("host call failed: set_shared_data: {status:?}");
                    break;
                }
            }
        }
        self.pending.put_back(added);
        store
    }
}
