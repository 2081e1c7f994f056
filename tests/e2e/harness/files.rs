//! The repository's own files that users read and copy.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Returns the repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files with this extension in a folder below the root, sorted by name.
pub(crate) fn in_folder(folder: &str, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
        return vec![];
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Returns a file's name relative to the root.
pub(crate) fn name(file: &Path) -> String {
    file.strip_prefix(root())
        .unwrap_or(file)
        .display()
        .to_string()
}

pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", name(file)))
}

pub(crate) fn yaml(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Returns the clusters of one of the files in `envoy/`.
pub(crate) fn clusters(file: &Path) -> Vec<Value> {
    let example = yaml(&read(file)).unwrap_or_else(|error| panic!("{}: {error}", name(file)));
    let clusters = example
        .pointer("/static_resources/clusters")
        .and_then(Value::as_array);
    clusters
        .cloned()
        .unwrap_or_else(|| panic!("{} has no clusters", name(file)))
}
