//! Checks that each file in envoy/ is what the command in its first comment prints.
//!
//! `UPDATE_RENDERED=1` writes the actual output into the files.

use std::path::PathBuf;

use super::{print, root, run, text};

/// Returns the command in a file's first comment as one line for a shell.
fn command(file: &str) -> String {
    let comment = file.lines().map_while(|line| line.strip_prefix('#'));
    let lines = comment.filter(|line| line.starts_with("   "));
    let words = lines.map(|line| line.trim().trim_end_matches('\\'));
    words.collect()
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("envoy")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let is_yaml = |file: &PathBuf| file.extension().is_some_and(|end| end == "yaml");
    files.filter(is_yaml).collect()
}

#[test]
fn the_files_in_envoy_are_current() {
    let files = files();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let there = std::fs::read_to_string(&file).unwrap();
        let command = command(&there);
        assert!(
            command.starts_with("llm-router render envoy envoy/documents/"),
            "{}: {command}",
            file.display()
        );
        let rendered = print(&command);
        assert!(rendered.starts_with("# Rendered from "), "{rendered}");
        if std::env::var_os("UPDATE_RENDERED").is_some() {
            std::fs::write(&file, &rendered).unwrap();
            continue;
        }
        assert!(
            rendered == there,
            "{} is not what `{command}` prints; UPDATE_RENDERED=1 writes that into it",
            file.display()
        );
    }
}

#[test]
fn what_cannot_be_rendered() {
    for (arguments, status, expected) in [
        (
            &["envoy/documents/older.yaml"][..],
            2,
            "the address of \"east\", \"west\" and \"openai\" is not known",
        ),
        (
            &["envoy/documents/minimal.yaml", "--key", "opnai=x"],
            2,
            "--key opnai: there is no backend of that name; the document has \"openai\"",
        ),
        (
            &["envoy/documents/minimal.yaml", "--endpoint", "openai=x"],
            2,
            "must begin with https://",
        ),
        (
            &["envoy/documents/minimal.yaml", "--max-body-bytes", "1000"],
            2,
            "the document says `max_body_bytes: 16777216`",
        ),
        (
            &["docs/cli/wrong.yaml"],
            1,
            "docs/cli/wrong.yaml:10:15: routes[0].targets[0].backend: unknown backend",
        ),
        (&["docs/cli/none.yaml"], 2, "No such file"),
    ] {
        let arguments = [&["render", "envoy"], arguments].concat();
        let output = run(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
