//! Target: whatever a path names, a model never changes the structure of a path.
//!
//! The lines of the input are a path with its query, a model, a prefix and a template.

use llm_router::attempt::Moment;
use llm_router::health::NoHealthStore;
use llm_router::request::{Caller, Headers};
use llm_router::routing::receive_headers;
use llm_router::schema::{
    Api, Endpoint, ModelCall, PathTemplate, Schema, caller_schema, is_model_name, is_stored_state,
    split_query, without_credentials,
};

use super::splice::DOCUMENT;

const MOMENT: Moment<'_> = Moment {
    now: 0,
    random: 0,
    health: &NoHealthStore,
};

pub fn run(input: &[u8]) {
    let headers = |method: &str, path: &[u8]| {
        let pairs = [(":method", method.as_bytes()), (":path", path)];
        Headers::new(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .into(),
        )
    };
    let mut lines = input.split(|byte| *byte == b'\n');
    let whole = lines.next().unwrap_or_default();
    for method in ["POST", "GET", "DELETE"] {
        let _ = receive_headers(&DOCUMENT, headers(method, whole), Caller::default(), || {
            MOMENT
        });
    }
    let mut lines = [Some(whole), lines.next(), lines.next(), lines.next()]
        .map(|line| std::str::from_utf8(line.unwrap_or_default()));
    let [Ok(whole), Ok(model), Ok(prefix), Ok(template)] = &mut lines else {
        return;
    };
    if [&whole, &prefix, &template]
        .iter()
        .any(|text| text.contains(PLAIN))
    {
        return;
    }
    let (path, query) = split_query(whole);
    let _ = (
        is_stored_state(path),
        caller_schema(path, &Headers::default()),
    );
    check_query(query);
    passes(path, query, prefix);
    let mut calls = Vec::new();
    if let Some(Endpoint::Model(call)) = Endpoint::at(path) {
        check_call(path, &call);
        calls.push(call);
    }
    calls.extend(Api::ALL.iter().map(|api| match Endpoint::at(&api.path()) {
        Some(Endpoint::Model(call)) => call,
        _ => panic!("{} is nowhere", api.name()),
    }));
    for call in calls {
        let named = call.model.clone().filter(|name| is_model_name(name));
        for model in [Some((*model).to_owned()), named]
            .into_iter()
            .flatten()
            .filter(|name| is_model_name(name))
        {
            fill(&call, &model, query, prefix, template);
        }
    }
}

/// The model is its segment of the path, decoded once.
fn check_call(path: &str, call: &ModelCall) {
    let Some(model) = &call.model else {
        return;
    };
    let before = path
        .strip_suffix(call.api.operation())
        .expect("the operation ends the path");
    let is_there = before
        .match_indices('/')
        .any(|(at, slash)| before.get(at + slash.len()..).and_then(decode).as_ref() == Some(model));
    assert!(model.is_empty() || is_there);
}

fn fill(call: &ModelCall, model: &str, query: &str, prefix: &str, template: &str) {
    for schema in Schema::ALL
        .into_iter()
        .filter(|schema| schema.speaks(call.api))
    {
        let mut templates = vec![PathTemplate::new(schema, None)];
        // Only what a document may contain.
        let is_plain = |text: &str| {
            text.starts_with('/')
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        };
        if is_plain(prefix) && !prefix.contains(['?', '{', '}']) && !prefix.ends_with('/') {
            templates.push(PathTemplate::new(schema, Some(prefix)));
        }
        if is_plain(template) {
            templates.extend(PathTemplate::parse(schema, template));
        }
        for one in templates {
            // The parameter's name may be one that the client sent, too.
            let is_in_parameter = template
                .split_once('?')
                .is_some_and(|(_, own)| own.contains('{'));
            let query = if is_in_parameter { "" } else { query };
            let filled = one.fill(call, model, query);
            let plain = one.fill(call, PLAIN, query);
            check_filled(&filled, &plain, model);
        }
    }
}

/// A name that occurs nowhere else.
const PLAIN: &str = "Plain-Model";

/// A model fills one segment, in which it decodes to itself.
fn check_filled(filled: &str, plain: &str, model: &str) {
    let mut encoded = String::new();
    for byte in model.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    assert_eq!(decode(&encoded).as_deref(), Some(model));
    assert_eq!(filled, plain.replace(PLAIN, &encoded));
    let (filled_path, _) = split_query(filled);
    let (plain_path, _) = split_query(plain);
    let count = |path: &str| path.split('/').count();
    assert_eq!(count(filled_path), count(plain_path));
    let dots = |path: &str| {
        path.split('/')
            .filter(|segment| matches!(*segment, "." | ".."))
            .count()
    };
    assert_eq!(dots(filled_path), dots(plain_path));
    assert!(
        filled_path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    );
}

const KEYS: [&str; 13] = [
    "key",
    "$key",
    "api-key",
    "api_key",
    "apikey",
    "access_token",
    "oauth_token",
    "token",
    "subscription-key",
    "auth_token",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
];

/// All keys are removed, and nothing else is.
fn check_query(query: &str) {
    let is_key = |piece: &str| {
        let name = decode(piece.split('=').next().unwrap_or_default()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let name = name.trim_matches(|char: char| char.is_whitespace() || "+?".contains(char));
        KEYS.contains(&name) || name.starts_with("x-amz-")
    };
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let kept = parameters.filter(|parameter| !parameter.split(';').any(is_key));
    let expected: Vec<&str> = kept.collect();
    assert_eq!(without_credentials(query), expected.join("&"));
}

/// Requests that are not model calls keep their path.
fn passes(path: &str, query: &str, prefix: &str) {
    for schema in Schema::ALL {
        for prefix in [None, Some(prefix)] {
            let passed = PathTemplate::new(schema, prefix).pass(path, query);
            let rest = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
            let (passed, _) = split_query(&passed);
            if path.matches('/').count() > 3 && prefix.is_none() {
                assert_eq!(rest(passed), rest(path));
            }
        }
    }
}

/// Percent-decodes text byte by byte.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = text
            .get(at + 1..at + 3)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|_| bytes[at] == b'%')
        {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}
