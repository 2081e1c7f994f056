//! What callers may ask for by headers of a request, where a deployment allows it.

use super::fallback::one_of;
use super::reader::Node;

/// Which of the [`STEERING_HEADERS`] are obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// One attempt and no more.
    pub no_fallback: bool,
    /// A deadline, which can only be shortened.
    pub deadline: bool,
    /// The decision instead of an answer.
    pub dry_run: bool,
}

/// What can be allowed, by its name in the document, and the header that asks for it.
pub const STEERING_HEADERS: [(&str, &str); 3] = [
    ("no_fallback", "x-llm-router-no-fallback"),
    ("deadline", "x-llm-router-deadline-ms"),
    ("dry_run", "x-llm-router-dry-run"),
];

pub(super) fn read(node: &Node<'_>) -> Steering {
    let mut steering = Steering::default();
    let names = STEERING_HEADERS.map(|(name, _)| (name, name));
    for node in node.list() {
        match one_of(&node, &names) {
            Some("no_fallback") => steering.no_fallback = true,
            Some("deadline") => steering.deadline = true,
            Some("dry_run") => steering.dry_run = true,
            _ => {}
        }
    }
    steering
}
