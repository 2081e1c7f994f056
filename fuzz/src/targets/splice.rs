//! A body that is to name another model: only that changes, in one piece or in many, and in every attempt.
//!
//! The input's first line says which model, and where the body is cut; the rest is the body.

use std::sync::LazyLock;

use llm_router::config::{Document, Tree};
use llm_router::request::{Edit, StreamingEdit, View, Wants, scan};

use super::bytes::Bytes;
use super::exchange::{World, exchange, stream};
use super::json::{self, Read};

const MODELS: [&str; 7] = [
    "gpt-4o",
    "m",
    "a\"b\\c",
    "é/\u{1f600}",
    "\u{1}\n",
    "arn:aws:bedrock:eu-west-1:1:x/y",
    "longer than most of the names that models have",
];

/// A document with all APIs, and several ways to fail.
pub static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let document = include_bytes!("../documents/all.json");
    Document::load(document).unwrap_or_else(|errors| panic!("{errors:#?}"))
});

pub fn run(input: &[u8]) {
    let (mut choices, body) = Bytes::before_line_feed(input);
    let model = *choices.pick(&MODELS);
    let next = *choices.pick(&MODELS);
    if let Ok(view) = scan(body, Wants::MayHaveModel) {
        let edited = rewrite(&view, body, model, next, &mut choices);
        let again = scan(&edited, Wants::Model).expect("still a body");
        assert_eq!(again.model.map(|field| field.name), Some(model.to_owned()));
        assert_eq!(
            (again.stream, again.tie, again.mark),
            (view.stream, view.tie, 0)
        );
        check_tree(body, &edited, model);
    }
    route(body, choices);
}

/// The router role's edit, and the next attempt's of that. Returns what the first makes.
pub fn rewrite(
    view: &View,
    body: &[u8],
    model: &str,
    next: &str,
    choices: &mut Bytes<'_>,
) -> Vec<u8> {
    let kept = view.rewrite(body, None);
    let kept_body = kept
        .edit
        .map_or_else(|| body.to_vec(), |edit| edit.apply(body));
    assert_eq!(kept_body, body[view.mark..]);

    let rewrite = view.rewrite(body, Some(model));
    let edited = rewrite
        .edit
        .as_ref()
        .map_or_else(|| body.to_vec(), |edit| apply(edit, body, choices));
    assert_eq!(edited.len(), rewrite.length);
    let Some(span) = rewrite.model_span else {
        // A form without a model: there is no place for one.
        assert!(view.model.is_none() && view.insert_at.is_none());
        return edited;
    };
    let is_kept = view.model.as_ref().is_some_and(|field| field.name == model);
    assert!(is_kept || edited[span.clone()] == view.notation.write(model));
    let again = Edit {
        span,
        with: view.notation.write(next),
    };
    let twice = apply(&again, &edited, choices);
    let at_once = view
        .rewrite(body, Some(next))
        .edit
        .map_or_else(|| body.to_vec(), |edit| edit.apply(body));
    if !is_kept && view.model.as_ref().is_none_or(|field| field.name != next) {
        assert_eq!(twice, at_once);
    }
    edited
}

fn apply(edit: &Edit, body: &[u8], choices: &mut Bytes<'_>) -> Vec<u8> {
    let whole = edit.apply(body);
    assert_eq!(whole.len(), edit.length_after(body.len()));
    let beginning = edit.beginning(body);
    assert_eq!(
        [beginning.as_slice(), &body[edit.span.end..]].concat(),
        whole
    );
    // An edit of nothing is never left to the backend role.
    if !edit.span.is_empty() {
        let mut edit = StreamingEdit::new(edit.clone());
        assert_eq!(stream(&mut edit, &choices.cut(body)), whole);
    }
    whole
}

/// Nothing but the model has changed.
pub fn check_tree(before: &[u8], after: &[u8], model: &str) {
    let text = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    let Read::As(Tree::Map(mut entries)) = json::read(text) else {
        return;
    };
    let name = Tree::Text(model.to_owned());
    match entries.iter_mut().find(|(key, _)| key == "model") {
        Some((_, value)) => *value = name,
        None => entries.insert(0, ("model".to_owned(), name)),
    }
    let Read::As(after) = json::read(after) else {
        panic!("no JSON any more");
    };
    assert_eq!(after, Tree::Map(entries));
}

const CREDENTIAL: &str = "Bearer of the client's own";

/// Every attempt sends the client's body with its own target's model.
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
    for sent in exchange(&DOCUMENT, headers, body, &mut world) {
        check_tree(body, &sent.body, &sent.model);
        // To whom the document says so.
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
