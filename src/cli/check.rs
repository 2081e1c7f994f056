//! The command `check`: reports everything that is wrong with a file, and warns about what is probably a mistake.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::embedded::{self, ConfigValue, EmbeddedConfig, Role};
use super::envoy::{self, EnvoyFile};
use super::report::{Finding, Severity};
use super::source::{LocatedNode, Position, parse};
use super::{CommandError, caller_checks, warnings};
use crate::config::{ConfigError, Document, no_file, run_tests};

/// How the result is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    /// For people: all findings, each with its line of the file.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
}

/// What is checked, and how.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The document, or an Envoy or Istio file (YAML or JSON) that contains one.
    file: std::path::PathBuf,
    /// Treat warnings as errors.
    #[arg(long)]
    deny_warnings: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: OutputFormat,
}

/// The result of checking a file.
#[derive(Debug, Default)]
pub(super) struct CheckReport {
    pub(super) findings: Vec<Finding>,
    backends: usize,
    routes: usize,
    tests: usize,
    /// How many of the tests have no finding.
    passed: usize,
}

impl CheckReport {
    fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|one| one.severity == severity).count()
    }

    /// Returns the summary line.
    fn summary(&self) -> String {
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        let mut parts = Vec::new();
        if errors == 0 {
            parts.push(counted(self.backends, "backend"));
            parts.push(counted(self.routes, "route"));
        } else {
            parts.push(counted(errors, "error"));
        }
        if warnings > 0 {
            parts.push(counted(warnings, "warning"));
        }
        if self.tests > 0 {
            parts.push(format!(
                "{} of {} passed",
                self.passed,
                counted(self.tests, "test")
            ));
        }
        parts.join(", ")
    }
}

fn counted(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// Checks a file and prints the findings.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CommandError> {
    let file = args.file.display().to_string();
    let text = super::read(&args.file)?;
    let report = check(&args.file, &text)?;
    let errors = report.count(Severity::Error);
    let is_ok = errors == 0 && (!args.deny_warnings || report.findings.is_empty());
    match args.format {
        OutputFormat::Text => {
            for finding in &report.findings {
                super::say(&finding.render(&file, &text));
            }
            let verdict = if is_ok { "ok" } else { "failed" };
            let file = super::report::shown(&file);
            super::say(&format!(
                "{file}: {verdict}: {}
",
                report.summary()
            ));
        }
        OutputFormat::Json => {
            let told = json!({
                "file": file,
                "ok": is_ok,
                "backends": report.backends,
                "routes": report.routes,
                "tests": {"count": report.tests, "passed": report.passed},
                "findings": report.findings,
            });
            super::say(&format!("{told:#}\n"));
        }
    }
    Ok(if is_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks the text of a file. `path` locates the files that its tests name.
pub(super) fn check(path: &Path, text: &str) -> Result<CheckReport, CommandError> {
    let mut report = CheckReport::default();
    let documents = match parse(text) {
        Ok(documents) => documents,
        Err(errors) => {
            let errors = errors.into_iter();
            let findings = errors.map(|error| Finding::error(error.place, "", error.message));
            report.findings.extend(findings);
            return Ok(report);
        }
    };
    let configs = embedded::find(&documents, text);
    if !configs.iter().any(|one| one.role == Role::Router) {
        let second = embedded::second(&documents).ok_or_else(|| CommandError::none_in(path))?;
        report.findings.push(second);
        return Ok(report);
    }
    report.findings.extend(envoy::check_vms(&configs));
    for one in &configs {
        report.findings.extend(envoy::check_plugin(one));
        match (&one.value, one.role) {
            (Err((place, message)), _) => {
                report
                    .findings
                    .push(Finding::error(*place, "", message.as_str()));
            }
            (Ok(value), Role::Backend) => check_backend(value, &mut report),
            (Ok(value), Role::Router) => {
                let envoy = one.plugin.as_ref().and_then(|(plugin, _)| {
                    let file = file_of(&documents, plugin)?;
                    Some((plugin.as_str(), file))
                });
                check_document(path, value, envoy, &configs, &mut report);
            }
        }
    }
    report.findings.sort_by_key(|finding| finding.place);
    Ok(report)
}

/// Returns the Envoy file that contains a plugin; `None` if the file has several documents.
fn file_of<'a>(documents: &'a [LocatedNode], plugin: &str) -> Option<&'a LocatedNode> {
    let is_static = ["static_resources.", "staticResources."];
    match documents {
        [file] if is_static.iter().any(|prefix| plugin.starts_with(prefix)) => Some(file),
        _ => None,
    }
}

fn check_backend(value: &ConfigValue, report: &mut CheckReport) {
    let json = serde_json::Value::from(&value.tree).to_string();
    if let Err(errors) = crate::config::backend_name(json.as_bytes()) {
        report.findings.extend(located(&errors, &value.located));
    }
}

fn check_document(
    path: &Path,
    value: &ConfigValue,
    envoy: Option<(&str, &LocatedNode)>,
    configs: &[EmbeddedConfig<'_>],
    report: &mut CheckReport,
) {
    let document = match Document::compile_untested(&value.tree) {
        Ok(document) => document,
        Err(errors) => {
            report.findings.extend(located(&errors, &value.located));
            return;
        }
    };
    report.backends = report.backends.saturating_add(document.backends.len());
    report.routes = report.routes.saturating_add(document.routes.len());
    let read_file = |name: &str| match document.enforce_tests {
        true => no_file(name),
        false => super::read_beside(path, name),
    };
    let run = run_tests(&value.tree, &document, &read_file);
    let failed = (0..run.count).filter(|index| {
        let test = format!("tests[{index}]");
        run.errors
            .iter()
            .any(|error| error.path().starts_with(&test))
    });
    let failed = failed.count();
    report.tests = report.tests.saturating_add(run.count);
    report.passed = report
        .passed
        .saturating_add(run.count.saturating_sub(failed));
    report.findings.extend(located(&run.errors, &value.located));
    report
        .findings
        .extend(warnings::find(&document, &value.located));
    let told: Vec<Position> = report.findings.iter().map(|one| one.place).collect();
    let misreading = warnings::misreading(&value.located);
    report.findings.extend(
        misreading
            .into_iter()
            .filter(|one| !told.contains(&one.place)),
    );
    if let Some((plugin, file)) = envoy {
        let envoy_file = EnvoyFile {
            file,
            backends: envoy::backend_roles(configs),
        };
        report
            .findings
            .extend(envoy::check(&document, plugin, &envoy_file));
        report
            .findings
            .extend(caller_checks::check(&document, plugin, file));
    }
}

/// Converts a document's errors to findings at their places in the file.
pub(super) fn located(errors: &[ConfigError], located: &LocatedNode) -> Vec<Finding> {
    let misreading = warnings::misreading(located);
    let places = errors.iter().map(|error| {
        // An error about a name is reported at the name.
        let message = error.message();
        let is_of_name = ["unknown field", "unknown failure", "is given twice"];
        let is_of_name = is_of_name.iter().any(|what| message.starts_with(what));
        let place = located.find(error.path(), is_of_name);
        // Envoy may read the value as something else, which explains the error.
        let why = misreading.iter().find(|one| one.place == place);
        let why = why.map(|one| format!(". {}", one.message));
        let message = format!("{message}{}", why.unwrap_or_default());
        Finding::error(place, error.path(), message)
    });
    places.collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
