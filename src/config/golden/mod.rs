//! Golden tests: the expectations that a document states about its own routing.
//!
//! The command-line tool runs them whenever it checks a document, the filter only where `enforce_tests` is set. Both
//! decide with the code that routes real requests, and with no target in cooldown.

mod expected;
mod request;
mod result;

use hashbrown::HashSet;

use super::fields;
use super::reader::{Errors, Node};
use super::{ConfigError, Document, Tree};
pub use request::GoldenRequest;

/// The result of running a document's tests.
#[derive(Debug)]
pub struct GoldenRun {
    /// The number of tests.
    pub count: usize,
    /// Errors in the tests themselves, and failed expectations.
    pub errors: Vec<ConfigError>,
}

/// Reads a file that a test names; the error tells why it could not be read.
type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Runs the tests of a document that was compiled from this tree.
pub fn run_tests(tree: &Tree, document: &Document, file: ReadFile<'_>) -> GoldenRun {
    let errors = Errors::default();
    let count = run_all(&Node::root(tree, &errors), document, file);
    GoldenRun {
        count,
        errors: errors.into_vec(),
    }
}

/// Runs all tests and returns how many there are.
fn run_all(root: &Node<'_>, document: &Document, file: ReadFile<'_>) -> usize {
    let root = root.fields(fields::DOCUMENT);
    let tests = root.or_default("tests", Node::non_empty_list);
    let mut names = HashSet::new();
    for node in &tests {
        let fields = node.fields(fields::TEST);
        let name = fields.required("name").and_then(Node::name);
        if let Some(name) = name.filter(|name| !names.insert(*name)) {
            node.error(format!(
                "another test is also called \"{name}\": tests need unique names"
            ));
        }
        let request = fields
            .required("request")
            .and_then(|node| request::read_request(node, file));
        let expected = fields
            .required("expect")
            .and_then(|node| expected::read_expected(node, name.unwrap_or_default(), document));
        if let (Some(request), Some(expected)) = (request, expected) {
            expected::compare(&expected, &result::run_request(document, request));
        }
    }
    tests.len()
}

#[cfg(test)]
mod tests;
