//! Tests of the older mode on real Envoys before 1.40: those that cannot select another cluster for a retry (before
//! 1.39), and the first that can.
//!
//! `make test` runs them. On their own they need absolute paths in the environment: those of the end-to-end tests, and
//! `OLDER_ENVOYS`, a list separated by colons. The table of docs/envoy.md names the trials for each of its rows.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod config;
mod document;
mod normal;
mod pools;
mod single;
mod world;

#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod harness;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};

use harness::envoy::Programs;
use world::{Setup, World};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let envoys = match OlderEnvoy::all() {
        Ok(envoys) => envoys,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    let directory = envoys[0].programs.directory.clone();
    let mut trials = vec![];
    for envoy in &envoys {
        single::add(&mut trials, envoy);
        pools::add(&mut trials, envoy);
        normal::add(&mut trials, envoy);
    }
    let names: Vec<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    trials.push(Trial::test(
        "older::every_cell_of_the_table_has_its_trial",
        move || {
            every_cell_has_its_trial(&names, &envoys);
            Ok(())
        },
    ));
    // Most of them spend their time waiting for their Envoy to start.
    arguments.test_threads.get_or_insert(8);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !conclusion.has_failed() && !arguments.list {
        // Leftover files that nobody needs: failing to remove them is not an error.
        let _ = std::fs::remove_dir_all(directory);
    }
    conclusion.exit_code()
}

/// An older Envoy.
#[derive(Clone)]
pub(crate) struct OlderEnvoy {
    pub(crate) programs: Programs,
    /// The version as the program prints it: `1.38.2`.
    pub(crate) version: String,
}

impl OlderEnvoy {
    fn all() -> Result<Vec<Self>, String> {
        let programs = Programs::from_environment()?;
        let variable = "OLDER_ENVOYS";
        let paths = std::env::var_os(variable)
            .ok_or_else(|| format!("{variable} is not set: `make test` sets it."))?;
        let all: Result<Vec<Self>, String> = std::env::split_paths(&paths)
            .map(|envoy| Self::new(&programs, envoy))
            .collect();
        all.and_then(|all| {
            let none = || format!("{variable} is empty");
            if all.is_empty() { Err(none()) } else { Ok(all) }
        })
    }

    fn new(programs: &Programs, envoy: PathBuf) -> Result<Self, String> {
        let output = Command::new(&envoy).arg("--version").output();
        let output = output.map_err(|error| format!("{}: {error}", envoy.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // `…/envoy  version: COMMIT/1.38.2/Clean/RELEASE/BoringSSL`
        let build = printed.split_whitespace().last().unwrap_or_default();
        let version = build.split('/').nth(1);
        Ok(Self {
            version: version.ok_or(format!("no version: {printed}"))?.to_owned(),
            programs: Programs {
                envoy,
                ..programs.clone()
            },
        })
    }

    /// Whether it supports `refresh_cluster_on_retry`.
    pub(crate) fn reselects(&self) -> bool {
        let minor = self.version.split('.').nth(1);
        minor.and_then(|minor| minor.parse::<u32>().ok()) >= Some(39)
    }

    /// Creates a trial of a scenario on an Envoy of its own.
    pub(crate) fn trial<Run>(
        &self,
        name: &str,
        setup: Setup,
        scenario: impl FnOnce(World) -> Run + Send + 'static,
    ) -> Trial
    where
        Run: Future<Output = ()>,
    {
        let older = self.clone();
        let full = format!("{name} [{}]", self.version);
        let file = format!("{}-{}", name.replace("::", "-"), self.version);
        Trial::test(full, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                scenario(World::start(&older, &file, &setup).await).await;
            });
            Ok(())
        })
    }
}

/// The table's columns are the versions, and each row names its trials.
fn every_cell_has_its_trial(names: &[String], envoys: &[OlderEnvoy]) {
    let page = harness::files::read(&harness::files::root().join("docs/envoy.md"));
    let (_, table) = page
        .split_once("<!-- table: older -->")
        .expect("the page has the table");
    let lines: Vec<&str> = table
        .lines()
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with('|'))
        .collect();
    for envoy in envoys {
        assert!(
            lines[0].contains(&format!("| {} |", envoy.version)),
            "{} is no column of {}",
            envoy.version,
            lines[0]
        );
    }
    let mut told = vec![];
    for line in &lines[2..] {
        let cell = line.split('|').nth_back(1).unwrap_or_default();
        let trials = cell.split('`').filter(|name| name.starts_with("older::"));
        let before = told.len();
        told.extend(trials);
        assert!(told.len() > before, "no trial holds this row: {line}");
    }
    for name in &told {
        for envoy in envoys {
            let full = format!("{name} [{}]", envoy.version);
            assert!(names.contains(&full), "no trial is called {full}");
        }
    }
    for name in names {
        let plain = name.split(" [").next().unwrap_or_default();
        assert!(told.contains(&plain), "the table does not name {plain}");
    }
}
