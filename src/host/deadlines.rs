//! The deadlines by which requests must have an answer.

use std::cell::RefCell;

use hashbrown::HashMap;

use crate::schema::Schema;

/// Requests whose answer has not begun, each with its deadline in Unix milliseconds and the caller's schema.
#[derive(Debug, Default)]
pub(super) struct Deadlines(RefCell<HashMap<u32, (u64, Schema)>>);

impl Deadlines {
    pub(super) fn begin(&self, context_id: u32, deadline_at: u64, schema: Schema) {
        let entry = (deadline_at, schema);
        self.0.borrow_mut().insert(context_id, entry);
    }

    /// Ends the deadline of a request whose answer has begun, or that is gone.
    pub(super) fn end(&self, context_id: u32) {
        self.0.borrow_mut().remove(&context_id);
    }

    /// Takes the requests whose deadline has passed. `now` is called only if there are any requests.
    pub(super) fn take_due(&self, now: impl FnOnce() -> u64) -> Vec<(u32, Schema)> {
        let mut waiting = self.0.borrow_mut();
        if waiting.is_empty() {
            return Vec::new();
        }
        let now = now();
        let due = waiting.extract_if(|_, (deadline_at, _)| *deadline_at <= now);
        due.map(|(context_id, (_, schema))| (context_id, schema))
            .collect()
    }
}
