//! Turns scenarios into trials.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use libtest_mimic::{Failed, Trial};

use super::case::{Case, Protocol};
use super::world::World;
use crate::fleet::SharedEnvoy;

/// The trials so far.
pub(crate) struct Suite {
    world: Arc<World>,
    trials: Vec<Trial>,
    names: Vec<String>,
}

impl Suite {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            trials: vec![],
            names: vec![],
        }
    }

    /// Adds a scenario on the main Envoy: with 1 and 2 workers, for HTTP/1.1 and HTTP/2 clients.
    pub(crate) fn matrix<Run>(
        &mut self,
        name: &str,
        scenario: impl Fn(Case) -> Run + Copy + Send + 'static,
    ) where
        Run: Future<Output = ()>,
    {
        self.each(name, |workers| SharedEnvoy::Main { workers }, scenario);
    }

    /// Adds a scenario on the Envoy with the complete policy: with 1 and 2 workers, for HTTP/1.1 and HTTP/2 clients.
    pub(crate) fn policy<Run>(
        &mut self,
        name: &str,
        scenario: impl Fn(Case) -> Run + Copy + Send + 'static,
    ) where
        Run: Future<Output = ()>,
    {
        self.each(name, |workers| SharedEnvoy::Policy { workers }, scenario);
    }

    fn each<Run>(
        &mut self,
        name: &str,
        which: fn(usize) -> SharedEnvoy,
        scenario: impl Fn(Case) -> Run + Copy + Send + 'static,
    ) where
        Run: Future<Output = ()>,
    {
        for workers in [1, 2] {
            for protocol in Protocol::ALL {
                self.on(name, which(workers), protocol, scenario);
            }
        }
    }

    /// Adds a scenario on one Envoy with one kind of client.
    pub(crate) fn on<Run>(
        &mut self,
        name: &str,
        which: SharedEnvoy,
        protocol: Protocol,
        scenario: impl Fn(Case) -> Run + Send + 'static,
    ) where
        Run: Future<Output = ()>,
    {
        let full = format!("{name} [{which} {protocol}]");
        let world = Arc::clone(&self.world);
        self.plain(&full, move || on_envoy(&world, which, protocol, scenario));
    }

    /// Adds a trial that needs none of the shared Envoys.
    pub(crate) fn plain(&mut self, name: &str, trial: impl FnOnce() + Send + 'static) {
        let world = Arc::clone(&self.world);
        self.add(name, move || {
            let _others = world.alone.read().unwrap_or_else(PoisonError::into_inner);
            run(trial)
        });
    }

    /// Adds a scenario that takes the whole machine: no other trial runs at the same time.
    pub(crate) fn alone<Run>(
        &mut self,
        name: &str,
        which: SharedEnvoy,
        protocol: Protocol,
        scenario: impl Fn(Case) -> Run + Send + 'static,
    ) where
        Run: Future<Output = ()>,
    {
        let world = Arc::clone(&self.world);
        self.add(&format!("{name} [{which} {protocol}]"), move || {
            let _alone = world.alone.write().unwrap_or_else(PoisonError::into_inner);
            run(|| on_envoy(&world, which, protocol, scenario))
        });
    }

    fn add(&mut self, name: &str, trial: impl FnOnce() -> Result<(), Failed> + Send + 'static) {
        self.names.push(name.to_owned());
        self.trials.push(Trial::test(name, trial));
    }

    /// Returns the names of the trials so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub(crate) fn into_trials(self) -> Vec<Trial> {
        self.trials
    }
}

fn on_envoy<Run>(
    world: &Arc<World>,
    which: SharedEnvoy,
    protocol: Protocol,
    scenario: impl Fn(Case) -> Run,
) where
    Run: Future<Output = ()>,
{
    let envoy = world
        .envoy(which)
        .unwrap_or_else(|reason| panic!("{reason}"));
    world.runtime.block_on(scenario(Case {
        world: Arc::clone(world),
        envoy,
        protocol,
    }));
}

thread_local! {
    /// Where this thread's trial has panicked; `None` outside of trials.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a failed trial report its place in its own result, instead of in the middle of other trials' output.
pub(crate) fn install_panic_hook() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let in_trial = PLACE.with_borrow_mut(|place| {
            let Some(place) = place else { return false };
            *place = info.location().map(ToString::to_string).unwrap_or_default();
            true
        });
        if !in_trial {
            default(info);
        }
    }));
}

fn run(trial: impl FnOnce()) -> Result<(), Failed> {
    PLACE.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(trial));
    let place = PLACE.take().unwrap_or_default();
    result.map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("panicked");
        Failed::from(format!("{place}: {message}"))
    })
}
