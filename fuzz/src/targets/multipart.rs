//! Target: a form that the scan accepts means the same to a plain reader of forms, and a form as clients write it is
//! accepted.
//!
//! The first line of the input chooses how the form is cut and rewritten, the second is a `content-type`, the rest is
//! the body. A body without any line feed chooses the fields of a well-formed form instead.

use llm_router::request::{
    AcceptedBodies, BodyKind, BodyView, Headers, ModelRequirement, Notation, ScanError, body_kind,
    scan_form,
};

use super::bytes::Bytes;
use super::splice;

pub fn run(input: &[u8]) {
    let (mut choices, rest) = Bytes::before_line_feed(input);
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return written(&mut choices, rest);
    };
    let (content_type, body) = (&rest[..end], &rest[end + 1..]);
    let headers = Headers::new(vec![("content-type".to_owned(), content_type.to_vec())]);
    for accepts in [
        AcceptedBodies::Json,
        AcceptedBodies::Form,
        AcceptedBodies::Both,
    ] {
        if let Ok(BodyKind::Form { boundary }) = body_kind(&headers, accepts) {
            assert!((1..=70).contains(&boundary.len()));
            scanned(&boundary, body, &mut choices);
        }
    }
}

fn scanned(boundary: &[u8], body: &[u8], choices: &mut Bytes<'_>) {
    let Ok(view) = scan_form(boundary, body, ModelRequirement::Optional) else {
        assert!(scan_form(boundary, body, ModelRequirement::Required).is_err());
        return;
    };
    match scan_form(boundary, body, ModelRequirement::Required) {
        Ok(same) => assert_eq!(same, view),
        Err(error) => assert!(error == ScanError::MissingModel && view.model.is_none()),
    }
    check(boundary, body, &view);
    rewritten(boundary, body, &view, choices);
}

/// Compares the view with what a plain reader finds.
fn check(boundary: &[u8], body: &[u8], view: &BodyView) {
    assert_eq!(
        (view.notation, view.bom_length, view.insert_at),
        (Notation::Form, 0, None)
    );
    let parts = parts(boundary, body);
    let of = |name: &[u8]| -> Vec<&[u8]> {
        let named = parts
            .iter()
            .filter(|part| part.name.eq_ignore_ascii_case(name));
        named.map(|part| part.content).collect()
    };
    let model = view.model.as_ref();
    assert_eq!(
        of(b"model"),
        Vec::from_iter(model.map(|field| field.name.as_bytes()))
    );
    if let Some(field) = model {
        assert_eq!(body[field.span.clone()], *field.name.as_bytes());
    }
    let streams = of(b"stream");
    let is_true = streams
        .first()
        .is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
    assert!(streams.len() <= 1);
    assert_eq!(view.stream, is_true);
}

fn rewritten(boundary: &[u8], body: &[u8], view: &BodyView, choices: &mut Bytes<'_>) {
    let (model, next) = (*choices.pick(&MODELS), *choices.pick(&MODELS));
    let edited = splice::rewrite(view, body, model, next, choices);
    let again = scan_form(boundary, &edited, ModelRequirement::Optional).expect("still a form");
    assert_eq!(again.stream, view.stream);
    let has_model = view.model.is_some();
    assert_eq!(
        again.model.map(|field| field.name),
        has_model.then(|| model.to_owned())
    );
    let others = |body: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let parts = parts(boundary, body).into_iter();
        let others = parts.filter(|part| part.name != b"model");
        others
            .map(|part| (part.name.to_vec(), part.content.to_vec()))
            .collect()
    };
    assert_eq!(others(&edited), others(body));
}

const MODELS: [&str; 4] = [
    "whisper-1",
    "m",
    "é/\u{1f600} --x",
    "arn:aws:bedrock:eu-west-1:1:x/y",
];

struct Part<'a> {
    name: &'a [u8],
    content: &'a [u8],
}

/// Splits a body at its separators, and each part at the first blank line, like the simplest readers.
fn parts<'a>(boundary: &[u8], body: &'a [u8]) -> Vec<Part<'a>> {
    let separator = [b"\r\n--", boundary].concat();
    let mut rest = body;
    let mut parts = Vec::new();
    if body.starts_with(&separator[2..]) {
        rest = &body[separator.len() - 2..];
    } else if let Some(at) = find(body, &separator) {
        rest = &body[at + separator.len()..];
    }
    while let Some(end) = find(rest, &separator) {
        let part = &rest[..end];
        rest = &rest[end + separator.len()..];
        let head = find(part, b"\r\n\r\n").expect("a part has a blank line");
        let name = part[..head].split(|byte| *byte == b'\n').find_map(name);
        parts.push(Part {
            name: name.expect("a part has a name"),
            content: &part[head + 4..],
        });
    }
    assert!(rest.starts_with(b"--"), "the last separator says so");
    parts
}

/// Returns the name in a line, if it is a part's disposition.
fn name(line: &[u8]) -> Option<&[u8]> {
    let lower = line.to_ascii_lowercase();
    if !lower.starts_with(b"content-disposition") {
        return None;
    }
    // The first `name` that is not the end of `filename`.
    let is_start = |at: &usize| *at > 0 && b"; \t".contains(&lower[at - 1]);
    let mut places = (0..lower.len())
        .filter(|at| lower[*at..].starts_with(b"name"))
        .filter(is_start);
    let value = places
        .find_map(|at| line[at + 4..].trim_ascii_start().strip_prefix(b"="))?
        .trim_ascii_start();
    match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next(),
        None => value.split(|byte| b"; \t\r".contains(byte)).next(),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Checks a form as clients write it.
fn written(choices: &mut Bytes<'_>, filler: &[u8]) {
    let boundary: &[u8] = choices
        .pick(&[
            "x",
            "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "a'()+_,-./:=?b",
        ])
        .as_bytes();
    let separator = [b"--", boundary].concat();
    let mut body = Vec::new();
    let mut models = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..choices.below(6) {
        let values: [&[u8]; 8] = [
            b"whisper-1",
            b"true",
            b"False",
            b"a/b",
            b"\xc3\xa9",
            b"",
            b"\r",
            filler,
        ];
        let (name, value) = (
            *choices.pick(&["model", "file", "stream", "prompt", "models", "language"]),
            *choices.pick(&values),
        );
        let is_file = name == "file";
        let more: &[u8] = if is_file {
            b"; filename=\"model\"\r\nContent-Type: audio/mpeg"
        } else {
            b""
        };
        let disposition = format!("\r\nContent-Disposition: form-data; name=\"{name}\"");
        body.extend(
            [
                separator.as_slice(),
                disposition.as_bytes(),
                more,
                b"\r\n\r\n",
                value,
                b"\r\n",
            ]
            .concat(),
        );
        match name {
            "model" => models.push(value),
            "stream" => streams.push(value),
            _ => {}
        }
    }
    body.extend([separator.as_slice(), b"--\r\n"].concat());
    // Clients choose a boundary that the content does not contain.
    if find(filler, &separator).is_some() {
        return;
    }
    let is_model = |value: &&[u8]| {
        let text = std::str::from_utf8(value).unwrap_or_default();
        (1..=256).contains(&text.len())
            && !text.chars().any(char::is_control)
            && text != "."
            && text != ".."
    };
    let is_flag =
        |value: &&[u8]| value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false");
    let is_valid = models.len() <= 1
        && streams.len() <= 1
        && models.iter().all(is_model)
        && streams.iter().all(is_flag);
    match scan_form(boundary, &body, ModelRequirement::Optional) {
        Ok(view) => {
            assert!(is_valid, "{view:?}");
            check(boundary, &body, &view);
            rewritten(boundary, &body, &view, choices);
        }
        Err(error) => assert!(!is_valid, "{error:?}"),
    }
}
