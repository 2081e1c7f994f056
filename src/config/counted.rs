//! What is counted apart.

use hashbrown::HashSet;

use super::reader::Node;
use super::route::Route;
use crate::telemetry::MAX_CALLER_BYTES;
use crate::telemetry::metrics::{MAX_SHARES, OTHER, shares};

/// How many callers can have metrics of their own.
const MAX_CALLERS: usize = 64;

/// Reads the callers that have metrics of their own.
pub(super) fn read_callers(node: &Node<'_>, routes: &[Route]) -> Vec<String> {
    let mut known = HashSet::new();
    let mut callers = Vec::new();
    for node in node.list() {
        let Some(name) = node.name() else { continue };
        let is_printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if name.len() > MAX_CALLER_BYTES || !is_printable {
            node.error(format!(
                "a caller's name has at most {MAX_CALLER_BYTES} bytes, all of them printable ASCII"
            ));
        } else if name == OTHER {
            node.error("stands for all callers that are not named here: remove it");
        } else if known.insert(name) {
            callers.push(name.to_owned());
        } else {
            node.error("stands there twice: remove one");
        }
    }
    if callers.len() > MAX_CALLERS {
        node.error(format!("has more than {MAX_CALLERS} callers"));
    } else if shares(routes, &callers) > MAX_SHARES {
        node.error(format!(
            "each target is counted for each caller and for all others together, which comes to {} here: more than \
             {MAX_SHARES} are refused, name fewer callers",
            shares(routes, &callers)
        ));
    }
    callers
}
