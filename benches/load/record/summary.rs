//! Medians over the rounds, their spread, and ratios between variants of the same round.

use super::{BARE, Record, Run};

/// A value of a run.
pub(crate) type Metric = fn(&Run) -> Option<f64>;

/// The median of the rounds, their minimum and their maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stat {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

pub(crate) fn cpu_per_request(run: &Run) -> Option<f64> {
    per(run.cpu_us?, run.served)
}

pub(crate) fn cpu_per_event(run: &Run) -> Option<f64> {
    per(run.cpu_us?, run.events)
}

/// Returns the CPU time per event in nanoseconds.
pub(crate) fn cpu_ns_per_event(run: &Run) -> Option<f64> {
    Some(cpu_per_event(run)? * 1000.0)
}

pub(crate) fn backend_cpu_per_request(run: &Run) -> Option<f64> {
    per(run.backend_cpu_us?, run.served)
}

pub(crate) fn requests_per_second(run: &Run) -> Option<f64> {
    (run.seconds > 0.0).then(|| count(run.requests) / run.seconds)
}

/// Returns how much of its CPU the gateway used. Near 1, the gateway is the bottleneck, not the load generator or the
/// backend.
pub(crate) fn busy(run: &Run) -> Option<f64> {
    (run.seconds > 0.0).then_some(run.cpu_us? / run.seconds / 1e6)
}

pub(crate) fn p50(run: &Run) -> Option<f64> {
    Some(run.p50_us)
}

pub(crate) fn p99(run: &Run) -> Option<f64> {
    Some(run.p99_us)
}

fn per(total: f64, many: u64) -> Option<f64> {
    (many > 0).then(|| total / count(many))
}

/// Converts a count, exact up to 2^53, which no benchmark reaches.
#[expect(clippy::cast_precision_loss, reason = "no benchmark counts to 2^53")]
fn count(many: u64) -> f64 {
    many as f64
}

impl Stat {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Stat> {
        values.sort_by(f64::total_cmp);
        Some(Stat {
            median: median(&values)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

impl Record {
    fn good_runs(&self, cell: &str, variant: &str) -> impl Iterator<Item = &Run> {
        self.runs
            .iter()
            .filter(move |run| run.cell == cell && run.variant == variant && run.failure.is_none())
    }

    pub(crate) fn failures(&self, cell: &str, variant: &str) -> usize {
        self.runs
            .iter()
            .filter(|run| run.cell == cell && run.variant == variant && run.failure.is_some())
            .count()
    }

    pub(crate) fn stat(&self, cell: &str, variant: &str, metric: Metric) -> Option<Stat> {
        Stat::of(self.good_runs(cell, variant).filter_map(metric).collect())
    }

    /// Combines two variants round by round, so that what slows a whole round down cancels out.
    fn paired(
        &self,
        cell: &str,
        variant: &str,
        base: &str,
        metric: Metric,
        combine: fn(f64, f64) -> f64,
    ) -> Option<Stat> {
        let pairs = self.good_runs(cell, variant).filter_map(|run| {
            let other = self
                .good_runs(cell, base)
                .find(|other| other.round == run.round)?;
            Some(combine(metric(run)?, metric(other)?))
        });
        Stat::of(pairs.filter(|value| value.is_finite()).collect())
    }

    /// Returns the ratio of this variant to the other.
    pub(crate) fn ratio(
        &self,
        cell: &str,
        variant: &str,
        base: &str,
        metric: Metric,
    ) -> Option<Stat> {
        self.paired(cell, variant, base, metric, |mine, theirs| mine / theirs)
    }

    pub(crate) fn ratio_to_bare(&self, cell: &str, variant: &str, metric: Metric) -> Option<Stat> {
        self.ratio(cell, variant, BARE, metric)
    }

    /// Returns what this variant adds to bare Envoy.
    pub(crate) fn added(&self, cell: &str, variant: &str, metric: Metric) -> Option<Stat> {
        self.added_to(cell, variant, BARE, metric)
    }

    /// Returns what this variant adds to the other one.
    pub(crate) fn added_to(
        &self,
        cell: &str,
        variant: &str,
        base: &str,
        metric: Metric,
    ) -> Option<Stat> {
        self.paired(cell, variant, base, metric, |mine, theirs| mine - theirs)
    }
}
