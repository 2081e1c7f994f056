//! Tests of reading forms: well-formed, odd, and generated ones.

use proptest::prelude::*;

use super::*;
use crate::request::view::rename;

const BOUNDARY: &[u8] = b"b0undary";

/// Returns a form of these parts, each with its headers, between separators.
fn form(parts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(b"--b0undary\r\n");
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0undary--\r\n");
    body
}

fn field(name: &str, value: &str) -> Vec<u8> {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}").into_bytes()
}

fn read(body: &[u8]) -> Result<BodyView, ScanError> {
    scan_form(BOUNDARY, body, ModelRequirement::Required)
}

fn model_of(body: &[u8]) -> String {
    let shown = String::from_utf8_lossy(body);
    let view = read(body).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    let model = view.model.unwrap();
    assert_eq!(&body[model.span], model.name.as_bytes(), "{shown}");
    model.name
}

/// Asserts that the form is refused, for a reason that contains these words.
fn refused(body: &[u8], words: &str) {
    let shown = String::from_utf8_lossy(body);
    match read(body) {
        Err(ScanError::InvalidForm(why, at)) => {
            assert!(why.contains(words), "{why}\n{shown}");
            assert!(at <= body.len(), "{at}\n{shown}");
        }
        other => panic!("{other:?}\n{shown}"),
    }
}

#[test]
fn the_spellings_of_a_field() {
    for header in [
        "Content-Disposition: form-data; name=\"model\"",
        "content-disposition:form-data;name=\"model\"",
        "CONTENT-DISPOSITION: FORM-DATA; NAME=model",
        "Content-Disposition: form-data ; name=\"model\" ;",
        "Content-Disposition: form-data; x=y; name=model; z=\"a;b\"",
        "Content-Type: text/plain; charset=UTF-8\r\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Length: 9",
    ] {
        let part = format!("{header}\r\n\r\nwhisper-1");
        assert_eq!(model_of(&form(&[part.as_bytes()])), "whisper-1", "{header}");
    }
}

#[test]
fn what_surrounds_the_parts() {
    let plain = form(&[&field("model", "m")]);
    for body in [
        [b"\r\n", plain.as_slice()].concat(),
        [b"a preamble, --b0\r\n", plain.as_slice()].concat(),
        [plain.as_slice(), b"an epilogue --b0undary\r\n"].concat(),
        // Without the end of the last line, and with padding.
        plain[..plain.len() - 2].to_vec(),
        [&plain[..plain.len() - 2], b" \t".as_slice()].concat(),
        b"--b0undary \t\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--b0undary--"
            .to_vec(),
    ] {
        assert_eq!(model_of(&body), "m");
    }
    assert_eq!(read(b""), Err(ScanError::Empty));
    refused(b"x", "ends before");
    refused(b"--b0undary", "is not one");
    refused(
        &[b"x--b0undary\r\n", plain.as_slice()].concat(),
        "before the first",
    );
    let long = [vec![b'x'; MAX_PREAMBLE_BYTES], CRLF.to_vec(), plain.clone()].concat();
    refused(&long, "before the first");
    refused(&[plain.clone(), plain.clone()].concat(), "is not one");
    refused(
        &[plain.as_slice(), b"\r\n", &plain].concat(),
        "follows the last",
    );
    refused(&plain[..plain.len() - 4], "is not one");
    refused(&plain[..plain.len() - 5], "ends before");
    refused(&plain[..plain.len() - 8], "ends before");
    assert_eq!(read(b"--b0undary--"), Err(ScanError::MissingModel));
}

#[test]
fn what_looks_like_a_separator() {
    let with = |content: &[u8]| {
        let file =
            b"Content-Disposition: form-data; name=\"file\"; filename*=utf-8''a%22.png\r\n\r\n";
        form(&[&[file.as_slice(), content].concat(), &field("model", "m")])
    };
    for content in [
        b"".as_slice(),
        b"x--b0undary\r\ny",
        b"--b0\r\n--b0undar\r\n-b0undary\r\n --b0undary",
        b"\r\n\r\n\n\r\r\n",
        b"--B0UNDARY\r\n--\r\n----b0undary",
        b"Content-Disposition: form-data; name=\"model\"\r\n\r\nn",
    ] {
        assert_eq!(model_of(&with(content)), "m", "{content:?}");
    }
    for content in [
        b"\n--b0undary\r\n".as_slice(),
        b"\r--b0undary\r\n",
        b"x\r\n--b0undary2",
        b"x\r\n--b0undary\n",
        b"x\r\n--b0undary-\r\n",
        b"x\r\n--b0undary--x\r\n",
        b"--b0undary\r\n",
    ] {
        refused(&with(content), "is not one");
    }
}

#[test]
fn headers_of_parts_are_read_in_one_way_only() {
    for (headers, words) in [
        ("", "no content-disposition"),
        (
            "Content-Disposition: form-data; name=\"a\"\r\n--b0undary--x: y",
            "is not one",
        ),
        ("Content-Type: text/plain", "no content-disposition"),
        ("Content-Disposition: form-data", "no content-disposition"),
        (
            "Content-Disposition: form-data; filename=x",
            "no content-disposition",
        ),
        (
            "Content-Disposition: attachment; name=model",
            "not form-data",
        ),
        (
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=model",
            "twice",
        ),
        ("Content-Disposition: form-data;\r\n name=model", "folded"),
        ("Content-Disposition : form-data; name=model", "no name"),
        ("Content-Disposition", "no name"),
        (": form-data", "no name"),
        ("Content-Disposition: form-data; name=model\nX: y", "CRLF"),
        ("Content-Disposition: form-data; name=mo\0del", "control"),
        ("Content-Disposition: form-data; name=\"model", "malformed"),
        ("Content-Disposition: form-data; name", "malformed"),
        (
            "Content-Disposition: form-data; name= \"model\"",
            "malformed",
        ),
        ("Content-Disposition: form-data; name=model x", "malformed"),
        (
            "Content-Disposition: form-data; name=a; name=model",
            "two names",
        ),
        (
            "Content-Disposition: form-data; name*=utf-8''model",
            "two ways",
        ),
        (
            "Content-Disposition: form-data; name*0=mo; Name*1=del",
            "two ways",
        ),
        (
            r#"Content-Disposition: form-data; name="mod\el""#,
            "two ways",
        ),
        (
            "Content-Disposition: form-data; name=\"=?utf-8?Q?model?=\"",
            "two ways",
        ),
        (
            r#"Content-Disposition: form-data; name="a"; filename="b\"; name=\"model""#,
            "two ways",
        ),
    ] {
        let part = format!("{headers}\r\n\r\nm");
        let part = part
            .strip_prefix("\r\n")
            .filter(|_| headers.is_empty())
            .unwrap_or(&part);
        refused(&form(&[part.as_bytes()]), words);
    }
    let long = format!("X: {}\r\n", "y".repeat(MAX_PART_HEADER_BYTES));
    let part = [long.as_bytes(), &field("model", "m")].concat();
    refused(&form(&[&part]), "too long");
    // A quote in a file name is legitimate.
    let file = br#"Content-Disposition: form-data; name="file"; filename="a\"b\c.png"
"#;
    let file = [&file[..file.len() - 1], b"\r\n\r\n"].concat();
    assert_eq!(model_of(&form(&[&file, &field("model", "m")])), "m");
}

#[test]
fn which_fields_say_what() {
    let one = |part: &[u8]| read(&form(&[part]));
    for value in ["", ".", "..", "a\r\nb", "a\0", &"x".repeat(257)] {
        assert_eq!(
            one(&field("model", value)),
            Err(ScanError::InvalidModel),
            "{value:?}"
        );
    }
    let latin = [field("model", "").as_slice(), b"\xe9"].concat();
    assert_eq!(one(&latin), Err(ScanError::InvalidModel));
    for part in [
        "Content-Disposition: form-data; name=model; filename=x\r\n\r\nm",
        "Content-Disposition: form-data; name=model; filename*=utf-8''x\r\n\r\nm",
        "Content-Disposition: form-data; name=model\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ==",
        "Content-Disposition: form-data; name=model\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nm",
        "Content-Disposition: form-data; name=Model\r\n\r\nm",
        "Content-Disposition: form-data; name=\" model\"\r\n\r\nm",
    ] {
        assert_eq!(one(part.as_bytes()), Err(ScanError::InvalidModel), "{part}");
    }
    for (value, expected) in [
        ("true", Ok(true)),
        ("True", Ok(true)),
        ("false", Ok(false)),
        ("1", Err(ScanError::InvalidStream)),
        ("", Err(ScanError::InvalidStream)),
        ("true\r\n", Err(ScanError::InvalidStream)),
    ] {
        let body = form(&[&field("stream", value), &field("model", "m")]);
        assert_eq!(read(&body).map(|view| view.stream), expected, "{value:?}");
    }
    for (a, b) in [("model", "model"), ("MODEL", "model"), ("model", "Model")] {
        let body = form(&[&field(a, "m"), &field("x", ""), &field(b, "m")]);
        let at = body.len() - 16 - field(b, "m").len();
        assert_eq!(
            read(&body),
            Err(ScanError::Duplicate("model", at)),
            "{a} {b}"
        );
    }
    let body = form(&[
        &field("stream", "true"),
        &field("\u{17f}tream", "true"),
        &field("model", "m"),
    ]);
    assert!(matches!(
        read(&body),
        Err(ScanError::Duplicate("stream", _))
    ));
    let body = form(&[&field("Stream", "true"), &field("model", "m")]);
    assert_eq!(read(&body), Err(ScanError::InvalidStream));

    let body = form(&[&field("models", "m")]);
    assert_eq!(read(&body), Err(ScanError::MissingModel));
    let view = scan_form(BOUNDARY, &body, ModelRequirement::Optional).unwrap();
    assert_eq!((view.model.as_ref(), view.insert_at), (None, None));
    assert!(rename(&view, &body, Some("m")).is_empty());
}

/// Generates arbitrary names and contents, and whether a part is a file.
fn parts() -> impl Strategy<Value = Vec<(String, bool, Vec<u8>)>> {
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[\r\n b0undary-]{0,30}".prop_map(String::into_bytes),
    ];
    let is_content = |bytes: &Vec<u8>| {
        let line = [b"\n".as_slice(), bytes].concat();
        let places = |text: &[u8]| line.windows(text.len()).any(|place| place == text);
        !places(b"\n--b0undary") && !places(b"\r--b0undary")
    };
    let content = content.prop_filter("no separator", is_content);
    prop::collection::vec(("[a-z\\[\\]]{1,8}", any::<bool>(), content), 0..5)
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(boundary in prop::collection::vec(any::<u8>(), 0..4), body: Vec<u8>) {
        let _ = scan_form(&boundary, &body, ModelRequirement::Required);
    }

    #[test]
    fn nearly_forms_never_panic(pieces in prop::collection::vec(prop_oneof![
        Just("--b"), Just("\r\n"), Just("--"), Just("\n"), Just(" "), Just("\""), Just("\\"), Just(";"),
        Just("Content-Disposition: form-data; name=\"model\""), Just("name="), Just("x"),
    ], 0..24)) {
        let body = pieces.concat();
        if let Ok(view) = scan_form(b"b", body.as_bytes(), ModelRequirement::Required) {
            let model = view.model.unwrap();
            prop_assert_eq!(&body[model.span], model.name);
        }
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else_is_changed(
        before in parts(),
        after in parts(),
        model in "[a-zA-Z0-9/:_.-]{3,20}",
        new in "[ -~]{1,20}",
        stream: Option<bool>,
        cut: prop::sample::Index,
    ) {
        let make = |model: &str| {
            let write = |(name, is_file, content): &(String, bool, Vec<u8>)| {
                let file = if *is_file { "; filename=\"a.bin\"\r\nContent-Type: x/y" } else { "" };
                let header = format!("Content-Disposition: form-data; name=\"x{name}\"{file}\r\n\r\n");
                [header.as_bytes(), content].concat()
            };
            let mut all: Vec<Vec<u8>> = before.iter().map(write).collect();
            all.push(field("model", model));
            all.extend(after.iter().map(write));
            all.extend(stream.map(|stream| field("stream", &stream.to_string())));
            let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            form(&all)
        };
        let body = make(&model);
        let view = read(&body).unwrap();
        prop_assert_eq!(view.stream, stream.unwrap_or(false));
        prop_assert_eq!(&view.model.as_ref().unwrap().name, &model);
        let edits = rename(&view, &body, Some(&new));
        let edited = edits.apply(&body);
        prop_assert_eq!(edits.length_after(body.len()), edited.len());
        prop_assert_eq!(edited, make(&new));

        // A form that is cut anywhere is refused, unless only the last line's end is missing.
        let cut = cut.index(body.len() - 2);
        prop_assert!(read(&body[..cut]).is_err(), "{cut}");
    }
}
