//! Runs the fuzz targets' checks on the inputs that fuzzing has kept and on hand-written ones, without libFuzzer; a
//! failure is a panic as in any test.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/targets/mod.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets' package uses them")]
mod targets;

/// Returns the files in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

#[test]
fn all_properties_hold_for_all_inputs() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut failed = Vec::new();
    for (name, run) in targets::TARGETS {
        for folder in ["seeds", "corpus"] {
            for path in files(&fuzz.join(folder).join(name)) {
                let input = std::fs::read(&path).unwrap();
                if catch_unwind(|| run(&input)).is_err() {
                    failed.push(path);
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Each target has its libFuzzer program and its folders.
#[test]
fn every_target_is_there() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let known: Vec<_> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    for folder in ["fuzz_targets", "seeds", "corpus"] {
        let found = files(&fuzz.join(folder));
        let mut found: Vec<_> = found
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap())
            .collect();
        let mut known = known.clone();
        found.sort_unstable();
        known.sort_unstable();
        assert_eq!(found, known, "{folder}");
    }
    let makefile = include_str!("../fuzz/fuzz.mk");
    assert!(makefile.contains(&format!("FUZZ_TARGETS ?= {}\n", known.join(" "))));
}
