//! Timers of contexts: a root's tick runs only while some context waits for a time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hashbrown::HashMap;
use proxy_wasm::hostcalls;

/// How late a passed time may be noticed.
const PERIOD: Duration = Duration::from_millis(50);

/// The number of periods without a waiting context after which the tick ends. Starting one costs a host call.
const IDLE_PERIODS: u32 = 40;

/// The contexts of one root that wait for a time, each with its data.
#[derive(Debug)]
pub(super) struct Timers<T> {
    waiting: RefCell<HashMap<u32, T>>,
    is_ticking: Cell<bool>,
    idle: Cell<u32>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers {
            waiting: RefCell::default(),
            is_ticking: Cell::new(false),
            idle: Cell::new(0),
        }
    }
}

impl<T: Clone> Timers<T> {
    /// Adds a context.
    pub(super) fn add(&self, context_id: u32, what: T) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.entry(context_id).or_insert(what);
        if !self.is_ticking.replace(true) {
            set_period(PERIOD);
        }
    }

    /// Removes a context.
    pub(super) fn remove(&self, context_id: u32) {
        // Most contexts never wait.
        if self.is_ticking.get() {
            self.waiting.borrow_mut().remove(&context_id);
        }
    }

    /// Handles a tick. Returns all contexts that wait.
    pub(super) fn tick(&self) -> Vec<(u32, T)> {
        let waiting = self.waiting.borrow();
        if !waiting.is_empty() {
            self.idle.set(0);
        } else if self.idle.replace(self.idle.get().saturating_add(1)) >= IDLE_PERIODS {
            self.idle.set(0);
            self.is_ticking.set(false);
            set_period(Duration::ZERO);
        }
        let all = waiting.iter();
        all.map(|(context_id, what)| (*context_id, what.clone()))
            .collect()
    }
}

fn set_period(period: Duration) {
    if let Err(status) = hostcalls::set_tick_period(period) {
        log::warn!("host call failed: set_tick_period: {status:?}");
    }
}
