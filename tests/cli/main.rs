//! Runs the commands in docs/cli.md and compares their output with the page, and tests the tool as a separate process.
//!
//! `UPDATE_DOCS=1` writes the actual output into the page; check the changes before you commit them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rendered;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_llm-router"))
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(root());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns what a line of the page prints, in a shell that finds the program.
fn print(line: &str) -> String {
    let folder = program().parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{{ {line}; }} 2>&1"));
    command.env("PATH", format!("{folder}:{path}"));
    let output = command.current_dir(root()).output().unwrap();
    text(&output.stdout)
}

#[test]
fn every_command_on_the_page_prints_what_it_says() {
    let page = root().join("docs/cli.md");
    let written = std::fs::read_to_string(&page).unwrap();
    let mut seen = String::new();
    let mut is_console = false;
    let mut commands = 0;
    for line in written.lines() {
        match line {
            "```console" => is_console = true,
            "```" => is_console = false,
            _ => {}
        }
        match line.strip_prefix("$ ").filter(|_| is_console) {
            Some(command) => {
                commands += 1;
                seen.push_str(&format!("{line}\n{}", print(command)));
            }
            // Skip the previous output.
            None if is_console && line != "```console" => {}
            None => seen.push_str(&format!("{line}\n")),
        }
    }
    assert!(commands > 5, "{commands}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &seen).unwrap();
        return;
    }
    assert!(
        seen == written,
        "docs/cli.md is not what is printed:\n{seen}"
    );
}

#[test]
fn every_example_of_the_help_is_a_command() {
    let help = text(&run(&["--help"]).stdout);
    let examples: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  llm-router "))
        .collect();
    assert!(examples.len() > 2, "{help}");
    for example in examples {
        let command = example.split_whitespace().next().unwrap();
        let output = run(&[command, "--help"]);
        assert!(output.status.success(), "{example}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(text(&output.stdout).contains("deny-warnings"), "{shell}");
    }
}

#[test]
fn warnings_fail_where_they_are_denied() {
    let file =
        std::env::temp_dir().join(format!("llm-router-warnings-{}.yaml", std::process::id()));
    let document = "backends:
- {name: a, schema: openai, models: [{name: m}]}
- {name: unused, schema: openai, models: [{name: m}]}
routes:
- {name: r, match: {model: m}, targets: [{backend: a}]}
";
    std::fs::write(&file, document).unwrap();
    let path = file.to_str().unwrap();
    let codes = [&["check", path][..], &["check", "--deny-warnings", path]]
        .map(|arguments| run(arguments).status.code());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(codes, [Some(0), Some(1)]);
}

#[test]
fn colours_are_for_terminals() {
    for arguments in [&["check", "docs/cli/wrong.yaml"][..], &["--help"]] {
        let output = run(arguments);
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(
            !printed.is_empty() && !printed.contains('\u{1b}'),
            "{printed:?}"
        );
    }
    let mut command = Command::new(program());
    command
        .args(["check", "docs/cli/wrong.yaml"])
        .current_dir(root());
    let forced = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(text(&forced.stdout).contains('\u{1b}'));
}

#[test]
fn findings_for_programs() {
    let output = run(&["check", "--format", "json", "docs/cli/wrong.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], false);
    let first = &told["findings"][0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["line"], 10);
    assert_eq!(first["column"], 15);
    assert_eq!(first["path"], "routes[0].targets[0].backend");
}
