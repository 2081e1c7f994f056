//! Faults that a test picks while a backend serves, and whose turn it is.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;

/// Makes a backend go wrong, and right again, while it serves. Clones are the same switch.
///
/// While it is set, every request that names a model meets its fault, whatever the model; what was answered or is
/// being answered already goes on as it began.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug)]
struct Held {
    fault: Fault,
    requests: u64,
}

/// There is no such fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is the name of no fault", self.0)
    }
}

impl Error for UnknownFault {}

impl Switch {
    /// From now on this fault, by a name of the table in [`super::backend`], or with none what each request asks for.
    ///
    /// A fault that takes turns (`once-…`, `every-…`) counts afresh from here. An unknown name changes nothing.
    pub fn set(&self, fault: Option<&str>) -> Result<(), UnknownFault> {
        let held = match fault {
            None => None,
            Some(name) => Some(Held {
                fault: Fault::of_model(name).ok_or_else(|| UnknownFault(name.to_owned()))?,
                requests: 0,
            }),
        };
        *locked(&self.held) = held;
        Ok(())
    }

    /// The fault that is set, if one is, and how many requests it has met before this one.
    pub(crate) fn next(&self) -> Option<(Fault, u64)> {
        let mut held = locked(&self.held);
        let held = held.as_mut()?;
        let before = held.requests;
        held.requests = before.saturating_add(1);
        Some((held.fault.clone(), before))
    }
}

/// How many requests have come for each of the models that take turns.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    requests: Mutex<HashMap<String, u64>>,
}

impl Turns {
    /// How many requests came for this model before this one.
    pub(crate) fn next(&self, model: &str) -> u64 {
        let mut requests = locked(&self.requests);
        let count = requests.entry(model.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }
}

/// What these locks guard is whole at any time, so a poisoned one is as good as any.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_counts_from_when_it_is_set() {
        let switch = Switch::default();
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
        let turns = Turns::default();
        assert_eq!(
            [turns.next("a"), turns.next("b"), turns.next("a")],
            [0, 0, 1]
        );
    }
}
