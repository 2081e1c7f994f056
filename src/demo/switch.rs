//! Faults that a test selects while a backend serves, and the counters of faults that take turns.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;

/// Selects a backend's fault while it serves. Clones are the same switch.
///
/// While a fault is set, every request that names a model gets it, whatever the model. Answers that have already begun
/// are not affected.
#[derive(Clone, Debug, Default)]
pub struct FaultSwitch {
    held: Arc<Mutex<Option<ActiveFault>>>,
}

#[derive(Debug)]
struct ActiveFault {
    fault: Fault,
    requests: u64,
}

/// The name of a fault that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is the name of no fault", self.0)
    }
}

impl Error for UnknownFault {}

impl FaultSwitch {
    /// Sets the fault, by a name of the table in [`super::backend`]; with `None`, each request's own model name decides
    /// again.
    ///
    /// A fault that takes turns (`once-…`, `every-…`) starts counting from here. An unknown name changes nothing.
    pub fn set(&self, fault: Option<&str>) -> Result<(), UnknownFault> {
        let held = match fault {
            None => None,
            Some(name) => Some(ActiveFault {
                fault: Fault::of_model(name).ok_or_else(|| UnknownFault(name.to_owned()))?,
                requests: 0,
            }),
        };
        *locked(&self.held) = held;
        Ok(())
    }

    /// Returns the fault, if one is set, and how many requests it has met before this one.
    pub(crate) fn next(&self) -> Option<(Fault, u64)> {
        let mut held = locked(&self.held);
        let held = held.as_mut()?;
        let before = held.requests;
        held.requests = before.saturating_add(1);
        Some((held.fault.clone(), before))
    }
}

/// The number of requests for each model name that takes turns.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts {
    requests: Mutex<HashMap<String, u64>>,
}

impl RequestCounts {
    /// Returns how many requests for this model came before this one.
    pub(crate) fn next(&self, model: &str) -> u64 {
        let mut requests = locked(&self.requests);
        let count = requests.entry(model.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }
}

/// Locks a value. The values behind these locks are consistent at any time, so a poisoned lock can be used.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_counts_from_when_it_is_set() {
        let switch = FaultSwitch::default();
        assert_eq!(switch.next(), None);
        switch.set(Some("hang")).unwrap();
        assert_eq!(switch.next(), Some((Fault::Hang, 0)));
        assert_eq!(switch.clone().next(), Some((Fault::Hang, 1)));
        switch.set(Some("reset")).unwrap();
        assert_eq!(switch.next(), Some((Fault::Reset, 0)));
        assert_eq!(
            switch.set(Some("rest")).unwrap_err().to_string(),
            "\"rest\" is the name of no fault"
        );
        assert_eq!(switch.next(), Some((Fault::Reset, 1)));
        switch.set(None).unwrap();
        assert_eq!(switch.next(), None);
    }

    #[test]
    fn each_model_has_its_own_turns() {
        let request_counts = RequestCounts::default();
        assert_eq!(
            [
                request_counts.next("a"),
                request_counts.next("b"),
                request_counts.next("a")
            ],
            [0, 0, 1]
        );
    }
}
