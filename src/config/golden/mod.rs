//! Golden tests: what a document says of its own routing, and whether it is so.
//!
//! The tool runs them whenever it checks a document, the filter where `enforce_tests` asks for it. Both decide with the
//! code that decides about requests; nothing is known against any target.

mod expected;
mod request;
mod seen;

use hashbrown::HashSet;

use super::fields;
use super::reader::{Errors, Node};
use super::{ConfigError, Document, Tree};
pub use request::GoldenRequest;

/// What came of a document's tests.
#[derive(Debug)]
pub struct GoldenRun {
    /// How many there are.
    pub count: usize,
    /// What is wrong with them, and how those failed that did.
    pub errors: Vec<ConfigError>,
}

/// The bytes of a file that a test names, or why there are none.
type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Runs the tests of a document, which was compiled of this tree.
pub fn run_tests(tree: &Tree, document: &Document, file: ReadFile<'_>) -> GoldenRun {
    let errors = Errors::default();
    let count = run_all(&Node::root(tree, &errors), document, file);
    GoldenRun {
        count,
        errors: errors.into_vec(),
    }
}

/// How many there are.
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
            expected::compare(&expected, &seen::see(document, request));
        }
    }
    tests.len()
}

#[cfg(test)]
mod tests;
