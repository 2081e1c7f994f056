//! Detects that Envoy holds request bodies back.
//!
//! Without `allow_on_headers_stop_iteration`, a request whose headers were paused never gets its body callback, and
//! would hang until some timeout. Such a request differs from one of a slow client by `request.total_size`, which
//! grows with every byte of the body that Envoy has received. Another filter in front of this one that holds a body
//! back looks the same, so the first body callback of any request ends the watch for good: it proves that the setting
//! is there.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hashbrown::HashMap;

use crate::schema::Schema;

/// The requests whose headers were paused and whose bodies have not begun to arrive. Time is counted in ticks,
/// because reading the clock is a host call.
#[derive(Debug, Default)]
pub(super) struct BodyWatch {
    /// The requests by context id, each with the tick at which the watch began.
    requests: RefCell<HashMap<u32, (u64, WatchedRequest)>>,
    now: Cell<u64>,
    is_confirmed: Cell<bool>,
    patience: Cell<u64>,
}

/// A request whose body is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchedRequest {
    /// Envoy's id of its context.
    pub(super) context_id: u32,
    /// By how much `request.total_size` exceeds the bytes of the body.
    pub(super) header_bytes: usize,
    /// The caller's schema.
    pub(super) schema: Schema,
}

impl BodyWatch {
    /// Sets the timeout, and the period at which [`BodyWatch::tick`] will be called.
    pub(super) fn set_timeout(&self, timeout: Duration, period: Duration) {
        let ticks = timeout.as_millis().checked_div(period.as_millis());
        let ticks = ticks.and_then(|ticks| u64::try_from(ticks).ok());
        self.patience.set(ticks.unwrap_or(1));
    }

    /// Starts to watch a request.
    pub(super) fn begin(&self, watched: WatchedRequest) {
        if self.is_confirmed.get() {
            return;
        }
        let entry = (self.now.get(), watched);
        self.requests.borrow_mut().insert(watched.context_id, entry);
    }

    /// Notes that a body has arrived, which proves that the setting is there.
    pub(super) fn confirm_setting(&self) {
        if !self.is_confirmed.replace(true) {
            self.requests.borrow_mut().clear();
        }
    }

    /// Stops watching a request.
    pub(super) fn end(&self, context_id: u32) {
        self.requests.borrow_mut().remove(&context_id);
    }

    /// Handles a tick. Returns the requests whose time is up.
    pub(super) fn tick(&self) -> Vec<WatchedRequest> {
        let now = self.now.get().saturating_add(1);
        self.now.set(now);
        let requests = self.requests.borrow();
        let due = requests
            .values()
            .filter(|(since, _)| now.saturating_sub(*since) > self.patience.get());
        due.map(|(_, watched)| *watched).collect()
    }
}
