//! Target: making a body name another model and changing its parameters changes nothing else, in one piece or in many,
//! and in every attempt.
//!
//! The first line of the input chooses the model and where the body is cut; the rest is the body.

use std::sync::LazyLock;

use llm_router::config::{Document, Tree};
use llm_router::request::{
    BodyView, Bound, Clamp, Edits, ModelRequirement, ParameterChanges, Rewriter, StreamingEdit,
    make_relative_to_first, scan,
};

use super::bytes::Bytes;
use super::exchange::{World, exchange, stream};
use super::json::{self, ParsedJson};

const MODELS: [&str; 7] = [
    "gpt-4o",
    "m",
    "a\"b\\c",
    "é/\u{1f600}",
    "\u{1}\n",
    "arn:aws:bedrock:eu-west-1:1:x/y",
    "longer than most of the names that models have",
];

/// A document with all APIs and several kinds of failure.
pub static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let document = include_bytes!("../documents/all.json");
    Document::load(document).unwrap_or_else(|errors| panic!("{errors:#?}"))
});

/// The same document, but without asking for usage, so that only the document's own changes affect bodies.
static UNASKED: LazyLock<Document> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    document.telemetry.ask_for_usage = false;
    document
});

pub fn run(input: &[u8]) {
    let (mut choices, body) = Bytes::before_line_feed(input);
    let model = *choices.pick(&MODELS);
    let next = *choices.pick(&MODELS);
    if let Ok(view) = scan(body, ModelRequirement::Optional) {
        let edited = rewrite(&view, body, model, next, &mut choices);
        let again = scan(&edited, ModelRequirement::Required).expect("still a body");
        assert_eq!(again.model.map(|field| field.name), Some(model.to_owned()));
        assert_eq!(
            (again.stream, again.state_reference, again.bom_length),
            (view.stream, view.state_reference, 0)
        );
        check_tree(body, &edited, model);
        change(&view, body, model, &mut choices.clone());
    }
    route(body, choices);
}

/// Applies the router role's edits and then those of the next attempt, and returns the result.
pub fn rewrite(
    view: &BodyView,
    body: &[u8],
    model: &str,
    next: &str,
    choices: &mut Bytes<'_>,
) -> Vec<u8> {
    let none = ParameterChanges::default();
    let targets = [(None, &none), (Some(model), &none), (Some(next), &none)];
    let made = attempts(view, body, &targets, choices).expect("nothing stands there twice");
    assert_eq!(made[0], body[view.bom_length..]);
    made[1].clone()
}

/// Returns what each of some targets gets, whichever of them is first.
fn attempts(
    view: &BodyView,
    body: &[u8],
    targets: &[(Option<&str>, &ParameterChanges)],
    choices: &mut Bytes<'_>,
) -> Option<Vec<Vec<u8>>> {
    let changes = targets.iter().map(|(_, changes)| *changes);
    let rewriter = Rewriter::new(view, body, changes).ok()?;
    let mut all = Vec::new();
    for (model, changes) in targets {
        all.push(rewriter.edits(*model, changes).ok()?);
    }
    let made: Vec<Vec<u8>> = all
        .iter()
        .map(|edits| apply(edits, body, choices))
        .collect();
    for first in 0..all.len() {
        let mut related = all.clone();
        related.swap(0, first);
        let mut wanted = made.clone();
        wanted.swap(0, first);
        let edits = make_relative_to_first(body, &mut related, |edits| edits);
        let left = apply(&edits, body, choices);
        for (edits, wanted) in related.iter().zip(wanted) {
            assert_eq!(apply(edits, &left, choices), wanted);
        }
    }
    Some(made)
}

fn apply(edits: &Edits, body: &[u8], choices: &mut Bytes<'_>) -> Vec<u8> {
    let whole = edits.apply(body);
    assert_eq!(whole.len(), edits.length_after(body.len()));
    let beginning = edits.beginning(body);
    assert_eq!(
        [beginning.as_slice(), &body[edits.replaced()..]].concat(),
        whole
    );
    let mut streaming = StreamingEdit::new(edits.clone());
    assert_eq!(stream(&mut streaming, &choices.cut(body)), whole);
    whole
}

/// Changes of every kind, of fields that bodies in the corpus have and of others.
static CHANGES: LazyLock<[ParameterChanges; 4]> = LazyLock::new(|| {
    let mut all: [ParameterChanges; 4] = Default::default();
    let number = |number: u32| Bound {
        number: number.into(),
        written: number.to_string().into_bytes(),
    };
    let clamp = |min, max| Clamp {
        min: Some(number(min)),
        max: Some(number(max)),
    };
    let [_, one, two, three] = &mut all;
    assert!(one.rename("max_tokens", "max_completion_tokens"));
    assert!(one.remove("temperature"));
    assert!(one.remove("a"));
    assert!(one.set("reasoning.effort", b"\"low\"".to_vec()));
    assert!(one.default_to("seed", b"1".to_vec()));
    assert!(one.clamp("max_completion_tokens", clamp(1, 9)));
    assert!(two.remove("seed"));
    assert!(two.remove("x"));
    assert!(two.set("a.b.c", b"[{}]".to_vec()));
    assert!(two.clamp("temperature", clamp(0, 1)));
    assert!(three.rename("a", "x"));
    assert!(three.default_to("metadata.y", b"true".to_vec()));
    assert!(three.remove("messages"));
    all
});

/// Changes parameters for some targets, but not for one of them.
fn change(view: &BodyView, body: &[u8], model: &str, choices: &mut Bytes<'_>) {
    let targets = CHANGES.each_ref().map(|changes| (Some(model), changes));
    let Some(made) = attempts(view, body, &targets, choices) else {
        return;
    };
    check_tree(body, &made[0], model);
    for ((_, changes), made) in targets.iter().zip(&made) {
        let view = scan(made, ModelRequirement::Required).expect("still a body");
        let named = view.model.as_ref().map(|field| field.name.as_str());
        assert_eq!(named, Some(model));
        // Changes of a changed body change nothing.
        let rewriter = Rewriter::new(&view, made, std::iter::once(*changes)).expect("once");
        let again = rewriter.edits(Some(model), changes).expect("once");
        assert!(again.is_empty(), "{again:?}");
    }
}

/// Checks that nothing but the model has changed.
pub fn check_tree(before: &[u8], after: &[u8], model: &str) {
    let text = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    let ParsedJson::Valid(Tree::Map(mut entries)) = json::read(text) else {
        return;
    };
    let name = Tree::Text(model.to_owned());
    match entries.iter_mut().find(|(key, _)| key == "model") {
        Some((_, value)) => *value = name,
        None => entries.insert(0, ("model".to_owned(), name)),
    }
    let ParsedJson::Valid(after) = json::read(after) else {
        panic!("no JSON any more");
    };
    assert_eq!(after, Tree::Map(entries));
}

const CREDENTIAL: &str = "Bearer of the client's own";

/// Checks that every attempt sends the client's body with its own target's model.
fn route(body: &[u8], choices: Bytes<'_>) {
    let headers = [
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        ("content-type", "application/json"),
        ("authorization", CREDENTIAL),
        ("x-api-key", CREDENTIAL),
        ("cookie", CREDENTIAL),
    ];
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .into();
    headers.push((
        "content-length".to_owned(),
        body.len().to_string().into_bytes(),
    ));
    let mut world = World::new(choices, b"");
    for sent in exchange(&UNASKED, headers, body, &mut world) {
        check_tree(body, &sent.body, &sent.model);
        // Only the backend to which the document forwards credentials receives them.
        let may_know = sent.backend == "other";
        let knows = sent
            .headers
            .iter()
            .any(|(_, value)| value == CREDENTIAL.as_bytes());
        assert!(
            may_know || !knows,
            "a client's credential at {}",
            sent.backend
        );
        let lengths = sent
            .headers
            .iter()
            .filter(|(name, _)| name == "content-length");
        let lengths: Vec<_> = lengths.map(|(_, value)| value.as_slice()).collect();
        assert_eq!(lengths, [sent.body.len().to_string().as_bytes()]);
    }
}
