//! The fuzz targets. They use only the core's public API and `serde_json`, so that tests/fuzz_corpus.rs can run them on
//! the corpora without libFuzzer.

pub mod answers;
pub mod document;
pub mod multipart;
pub mod page;
pub mod path;
pub mod prompt;
pub mod protobuf_struct;
pub mod scan;
pub mod splice;
pub mod sse;

mod bytes;
mod exchange;
mod json;

/// A target: panics if its property does not hold.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 10] = [
    ("scan", scan::run),
    ("splice", splice::run),
    ("multipart", multipart::run),
    ("path", path::run),
    ("document", document::run),
    ("protobuf_struct", protobuf_struct::run),
    ("sse", sse::run),
    ("answers", answers::run),
    ("prompt", prompt::run),
    ("page", page::run),
];
