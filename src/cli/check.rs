//! The command `check`: reports everything that is wrong with a file, and warns about what is probably a mistake.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::carrier::{self, Carried, Role, Value};
use super::envoy::{self, Surroundings};
use super::report::{Finding, Severity};
use super::source::{Located, Place, parse};
use super::{Failed, vouching, warnings};
use crate::config::{ConfigError, Document, no_file, run_tests};

/// How the result is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
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
    format: Format,
}

/// The result of checking a file.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    backends: usize,
    routes: usize,
    tests: usize,
    /// How many of the tests have no finding.
    passed: usize,
}

impl Checked {
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
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failed> {
    let file = args.file.display().to_string();
    let text = super::read(&args.file)?;
    let checked = check(&args.file, &text)?;
    let errors = checked.count(Severity::Error);
    let is_ok = errors == 0 && (!args.deny_warnings || checked.findings.is_empty());
    match args.format {
        Format::Text => {
            for finding in &checked.findings {
                super::say(&finding.render(&file, &text));
            }
            let verdict = if is_ok { "ok" } else { "failed" };
            let file = super::report::shown(&file);
            super::say(&format!(
                "{file}: {verdict}: {}
",
                checked.summary()
            ));
        }
        Format::Json => {
            let told = json!({
                "file": file,
                "ok": is_ok,
                "backends": checked.backends,
                "routes": checked.routes,
                "tests": {"count": checked.tests, "passed": checked.passed},
                "findings": checked.findings,
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
pub(super) fn check(path: &Path, text: &str) -> Result<Checked, Failed> {
    let mut checked = Checked::default();
    let documents = match parse(text) {
        Ok(documents) => documents,
        Err(errors) => {
            let errors = errors.into_iter();
            let findings = errors.map(|error| Finding::error(error.place, "", error.message));
            checked.findings.extend(findings);
            return Ok(checked);
        }
    };
    let carried = carrier::find(&documents, text);
    if !carried.iter().any(|one| one.role == Role::Router) {
        let second = carrier::second(&documents).ok_or_else(|| Failed::none_in(path))?;
        checked.findings.push(second);
        return Ok(checked);
    }
    checked.findings.extend(envoy::check_vms(&carried));
    for one in &carried {
        checked.findings.extend(envoy::check_plugin(one));
        match (&one.value, one.role) {
            (Err((place, message)), _) => {
                checked
                    .findings
                    .push(Finding::error(*place, "", message.as_str()));
            }
            (Ok(value), Role::Backend) => check_backend(value, &mut checked),
            (Ok(value), Role::Router) => {
                let envoy = one.plugin.as_ref().and_then(|(plugin, _)| {
                    let file = file_of(&documents, plugin)?;
                    Some((plugin.as_str(), file))
                });
                check_document(path, value, envoy, &carried, &mut checked);
            }
        }
    }
    checked.findings.sort_by_key(|finding| finding.place);
    Ok(checked)
}

/// Returns the Envoy file that contains a plugin; `None` if the file has several documents.
fn file_of<'a>(documents: &'a [Located], plugin: &str) -> Option<&'a Located> {
    let is_static = ["static_resources.", "staticResources."];
    match documents {
        [file] if is_static.iter().any(|prefix| plugin.starts_with(prefix)) => Some(file),
        _ => None,
    }
}

fn check_backend(value: &Value, checked: &mut Checked) {
    let json = serde_json::Value::from(&value.tree).to_string();
    if let Err(errors) = crate::config::backend_name(json.as_bytes()) {
        checked.findings.extend(located(&errors, &value.located));
    }
}

fn check_document(
    path: &Path,
    value: &Value,
    envoy: Option<(&str, &Located)>,
    carried: &[Carried<'_>],
    checked: &mut Checked,
) {
    let document = match Document::compile_untested(&value.tree) {
        Ok(document) => document,
        Err(errors) => {
            checked.findings.extend(located(&errors, &value.located));
            return;
        }
    };
    checked.backends = checked.backends.saturating_add(document.backends.len());
    checked.routes = checked.routes.saturating_add(document.routes.len());
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
    checked.tests = checked.tests.saturating_add(run.count);
    checked.passed = checked
        .passed
        .saturating_add(run.count.saturating_sub(failed));
    checked
        .findings
        .extend(located(&run.errors, &value.located));
    checked
        .findings
        .extend(warnings::find(&document, &value.located));
    let told: Vec<Place> = checked.findings.iter().map(|one| one.place).collect();
    let odd = warnings::odd(&value.located);
    checked
        .findings
        .extend(odd.into_iter().filter(|one| !told.contains(&one.place)));
    if let Some((plugin, file)) = envoy {
        let around = Surroundings {
            file,
            backends: envoy::backend_roles(carried),
        };
        checked
            .findings
            .extend(envoy::check(&document, plugin, &around));
        checked
            .findings
            .extend(vouching::check(&document, plugin, file));
    }
}

/// Converts a document's errors to findings at their places in the file.
pub(super) fn located(errors: &[ConfigError], located: &Located) -> Vec<Finding> {
    let odd = warnings::odd(located);
    let places = errors.iter().map(|error| {
        // An error about a name is reported at the name.
        let message = error.message();
        let is_of_name = ["unknown field", "unknown failure", "is given twice"];
        let is_of_name = is_of_name.iter().any(|what| message.starts_with(what));
        let place = located.find(error.path(), is_of_name);
        // Envoy may read the value as something else, which explains the error.
        let why = odd.iter().find(|one| one.place == place);
        let why = why.map(|one| format!(". {}", one.message));
        let message = format!("{message}{}", why.unwrap_or_default());
        Finding::error(place, error.path(), message)
    });
    places.collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
