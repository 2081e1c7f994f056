//! Target: loading a document returns errors, or a document by which every request can be routed.
//!
//! The input is JSON, followed by a NUL and a request: its choices, its method and path, its headers, a blank line, its
//! body. If the first line of the input is not JSON, it chooses changes to a valid document, and the rest is the
//! request.

use std::sync::LazyLock;

use llm_router::config::{Document, Tree};

use super::bytes::Bytes;
use super::exchange::{Pairs, World, exchange};

static GOOD: LazyLock<Tree> = LazyLock::new(|| {
    let document = include_bytes!("../documents/all.json");
    serde_json::from_slice(document).expect("JSON")
});

pub fn run(input: &[u8]) {
    if input.first() == Some(&b'{') {
        let end = input.iter().position(|byte| *byte == 0);
        let (document, request) = input.split_at(end.unwrap_or(input.len()));
        if let Ok(document) = loaded(Document::load(document)) {
            route(&document, request.get(1..).unwrap_or_default());
        }
        return;
    }
    let (mut choices, request) = Bytes::before_line_feed(input);
    let mut tree = GOOD.clone();
    for _ in 0..=choices.below(4) {
        change(&mut tree, &mut choices);
    }
    if let Ok(document) = loaded(Document::compile(&tree)) {
        route(&document, request);
    }
}

/// Checks that errors have messages.
fn loaded<E: std::fmt::Display>(result: Result<Document, Vec<E>>) -> Result<Document, ()> {
    result.map_err(|errors| {
        assert!(!errors.is_empty());
        for error in errors {
            assert!(!error.to_string().is_empty());
        }
    })
}

/// Changes a value somewhere in the tree.
fn change(tree: &mut Tree, choices: &mut Bytes<'_>) {
    let goes_on = choices.byte() != b'.';
    match tree {
        Tree::List(items) if goes_on && !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.below(8) {
                7 => drop(items.remove(at)),
                6 => items.push(items[at].clone()),
                _ => change(&mut items[at], choices),
            }
        }
        Tree::Map(entries) if goes_on && !entries.is_empty() => {
            let at = choices.below(entries.len());
            match choices.below(16) {
                15 => drop(entries.remove(at)),
                14 => entries.push(entries[at].clone()),
                13 => entries.push(((*choices.pick(&WORDS)).to_owned(), leaf(choices))),
                12 => entries[at].0 = (*choices.pick(&WORDS)).to_owned(),
                _ => change(&mut entries[at].1, choices),
            }
        }
        other => *other = leaf(choices),
    }
}

const WORDS: [&str; 46] = [
    "small",
    "*",
    "a*b*",
    "openai",
    "azure",
    "gemini",
    "",
    ".",
    "..",
    "a/../b",
    "é",
    "\u{0}",
    "model",
    "any",
    "not",
    "all",
    "path",
    "stream",
    "headers",
    "method",
    "match",
    "fallback",
    "hold",
    "complete",
    "none",
    "wait",
    "retry",
    "on_failure",
    "stored_at",
    "pass_through",
    "path_template",
    "path_prefix",
    "/x{model}",
    "{operation}",
    "/x?a={model}",
    "upstream_name",
    "weight",
    "targets",
    "weighted",
    "cooldown",
    "cluster_header",
    "aggregate_cluster",
    "allow_headers",
    "max_body_bytes",
    "x-cluster",
    "authorization",
];

/// Returns a plain value or a small tree, no deeper than a Struct can be.
fn leaf(choices: &mut Bytes<'_>) -> Tree {
    let inner = match choices.below(10) {
        0 => Tree::Null,
        1 => Tree::Bool(choices.is_set()),
        2 => Tree::Number(*choices.pick(&NUMBERS)),
        3 => Tree::List(Vec::new()),
        4 => Tree::Map(Vec::new()),
        _ => Tree::Text((*choices.pick(&WORDS)).to_owned()),
    };
    match choices.below(6) {
        0 => inner,
        1 => Tree::List(vec![inner]),
        2 => Tree::List(vec![inner.clone(), inner]),
        3 => Tree::Map(vec![((*choices.pick(&WORDS)).to_owned(), inner)]),
        // Nested like a condition.
        4 => (0..50).fold(inner, |inner, _| Tree::Map(vec![("not".to_owned(), inner)])),
        _ => (0..25).fold(inner, |inner, _| {
            let list = Tree::List(vec![inner, Tree::Map(Vec::new())]);
            Tree::Map(vec![("any".to_owned(), list)])
        }),
    }
}

const NUMBERS: [f64; 12] = [
    0.0,
    1.0,
    2.0,
    -1.0,
    0.5,
    65.0,
    1000.0,
    1e6,
    1e9,
    1e300,
    f64::NAN,
    f64::INFINITY,
];

fn route(document: &Document, request: &[u8]) {
    let (choices, request) = Bytes::before_line_feed(request);
    let (headers, body) = read_request(request);
    let mut world = World::new(
        choices,
        b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n",
    );
    for sent in exchange(document, headers, body, &mut world) {
        let path = sent.headers.iter().find(|(name, _)| name == ":path");
        let has_control = |text: &[u8]| text.iter().any(|byte| *byte < b' ' && *byte != b'\n');
        let is_odd = path.is_some_and(|(_, path)| has_control(path));
        assert!(!is_odd || has_control(request), "a path of nobody's");
    }
}

/// Parses a request: `POST /path`, lines of `name: value`, a blank line, the body.
pub fn read_request(text: &[u8]) -> (Pairs, &[u8]) {
    let mut rest = text;
    let mut line = || -> &[u8] {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        line
    };
    let first = line();
    let space = first
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(first.len());
    let (method, path) = first.split_at(space);
    let path = path.strip_prefix(b" ").unwrap_or(path);
    let mut headers = vec![
        (":method".to_owned(), method.to_vec()),
        (":path".to_owned(), path.to_vec()),
    ];
    loop {
        let line = line();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        // Envoy's header names are in lower case.
        let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    if !headers.iter().any(|(name, _)| name == "content-length") {
        headers.push((
            "content-length".to_owned(),
            rest.len().to_string().into_bytes(),
        ));
    }
    (headers, rest)
}
