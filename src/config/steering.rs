//! Reads which request headers callers may use to steer the router.

use super::fallback::one_of;
use super::reader::Node;

/// Which of the [`STEERING_HEADERS`] the router obeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// A caller may ask for a single attempt.
    pub no_fallback: bool,
    /// A caller may set a deadline, which can only shorten the route's.
    pub deadline: bool,
    /// A caller may ask for the decision instead of an answer.
    pub dry_run: bool,
}

/// The steering features, by their names in the document, with the header that asks for each.
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
