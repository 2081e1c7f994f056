//! Reads benches/budgets.yaml and compares measurements with its limits.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use super::module::Callback;

/// How often each host call is made: role → host call → count.
pub(crate) type HostCalls = BTreeMap<String, BTreeMap<String, u64>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    /// The host calls of each scenario.
    pub(crate) host_calls: BTreeMap<String, HostCalls>,
    pub(crate) limits: BTreeMap<String, Limit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// The value measured when the limit was set.
    now: u64,
    limit: u64,
}

impl Budgets {
    pub(crate) fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/budgets.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Checks that every measurement is within its limit; `list` explains where the measurements come from.
    pub(crate) fn check_limits(&self, measured: &BTreeMap<String, u64>, list: &str) {
        let names: Vec<_> = self.limits.keys().collect();
        let measured_names: Vec<_> = measured.keys().collect();
        let mut over = String::new();
        let mut block = String::new();
        for (name, value) in measured {
            let limit = self.limits.get(name).map_or(0, |limit| limit.limit);
            let before = self.limits.get(name).map_or(0, |limit| limit.now);
            if *value > limit {
                let _ = writeln!(over, "  {name}: {value}, over {limit} (it was {before})");
            }
            let ten_percent_more = value + value.div_ceil(10);
            let _ = writeln!(
                block,
                "  {name}: {{now: {value}, limit: {ten_percent_more}}}"
            );
        }
        assert!(
            over.is_empty() && names == measured_names,
            "over the limits of benches/budgets.yaml, or not the same names:\n{over}\nwhere it comes from:\n\n{list}\n\n\
             If it is worth it, write it down:\nlimits:\n{block}"
        );
    }

    /// Checks that the host calls are exactly those that are listed.
    pub(crate) fn check_host_calls(&self, scenario: &str, measured: &HostCalls, list: &str) {
        let expected = self.host_calls.get(scenario).cloned().unwrap_or_default();
        if *measured == expected {
            return;
        }
        let mut block = format!("  {scenario}:\n");
        let mut changed = String::new();
        for (role, calls) in measured {
            let _ = writeln!(block, "    {role}:");
            for (name, count) in calls {
                let _ = writeln!(block, "      {name}: {count}");
            }
        }
        for (role, name) in names(&expected)
            .chain(names(measured))
            .collect::<std::collections::BTreeSet<_>>()
        {
            let count = |calls: &HostCalls| {
                calls
                    .get(role)
                    .and_then(|calls| calls.get(name))
                    .copied()
                    .unwrap_or(0)
            };
            let (before, now) = (count(&expected), count(measured));
            if before != now {
                let _ = writeln!(changed, "  {role}: {name}: {now}, not {before}");
            }
        }
        panic!(
            "host calls of \"{scenario}\" that differ from benches/budgets.yaml:\n{changed}\nall of them, in {list}\n\n\
             If it is worth it (or fewer than before), write it down:\nhost_calls:\n{block}"
        );
    }
}

fn names(calls: &HostCalls) -> impl Iterator<Item = (&str, &str)> {
    calls
        .iter()
        .flat_map(|(role, calls)| calls.keys().map(move |name| (role.as_str(), name.as_str())))
}

/// Counts host calls by role and name.
pub(crate) fn count(callbacks: &[Callback]) -> HostCalls {
    let mut all = HostCalls::new();
    for callback in callbacks {
        let role = all.entry(callback.role.to_owned()).or_default();
        for call in &callback.calls {
            *role.entry(call.name.clone()).or_default() += 1;
        }
    }
    all
}
