//! Tests the corpus of odd bodies in tests/data/requests, and large bodies generated here, each with its expected
//! outcome.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llm_router::request::{
    BodyView, ModelRequirement, ParameterChanges, Rewriter, ScanError, scan, scan_form,
};
use llm_router::schema::ErrorCode;
use serde::Deserialize;

const BOUNDARY: &[u8] = b"b0undary";

/// What happens to a body.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
struct Outcome {
    error: Option<String>,
    model: Option<String>,
    stream: bool,
    tie: Option<String>,
    /// Not an outcome: whether the body may lack a model.
    may_have_model: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/requests")
}

fn expected() -> BTreeMap<String, Outcome> {
    let text = std::fs::read_to_string(folder().join("expected.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[derive(Clone, Copy)]
enum Kind {
    Json,
    Form,
}

impl Kind {
    fn scan(self, body: &[u8], requirement: ModelRequirement) -> Result<BodyView, ScanError> {
        match self {
            Kind::Json => scan(body, requirement),
            Kind::Form => scan_form(BOUNDARY, body, requirement),
        }
    }
}

/// Reads a body, and compares the result with the bytes.
fn outcome(kind: Kind, body: &[u8], may_have_model: bool) -> Outcome {
    let requirement = if may_have_model {
        ModelRequirement::Optional
    } else {
        ModelRequirement::Required
    };
    let view = match kind.scan(body, requirement) {
        Ok(view) => view,
        Err(error) => {
            return Outcome {
                error: Some(ErrorCode::from(error).name().to_owned()),
                may_have_model,
                ..Outcome::default()
            };
        }
    };
    // With another model in it, everything else in the body means the same.
    let rewriter = Rewriter::new(&view, body, std::iter::empty()).unwrap();
    let edits = rewriter.edits(Some("another/model"), &ParameterChanges::default());
    let edits = edits.unwrap();
    // A form without a model has no place for one.
    if view.model.is_some() || view.insert_at.is_some() {
        let edited = edits.apply(body);
        assert_eq!(edited.len(), edits.length_after(body.len()));
        let again = kind.scan(&edited, ModelRequirement::Required).unwrap();
        assert_eq!(again.model.unwrap().name, "another/model");
        assert_eq!(
            (again.stream, again.state_reference),
            (view.stream, view.state_reference)
        );
    }
    Outcome {
        error: None,
        model: view.model.map(|field| field.name),
        stream: view.stream,
        tie: view.state_reference.map(str::to_owned),
        may_have_model,
    }
}

#[test]
fn the_corpus() {
    let expected = expected();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Kind::Json,
            Some("form") => Kind::Form,
            _ => continue,
        };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = expected
            .get(&name)
            .unwrap_or_else(|| panic!("expected.yaml has no line for {name}"));
        let body = std::fs::read(&path).unwrap();
        let outcome = outcome(kind, &body, expected.may_have_model);
        assert_eq!(outcome, *expected, "{name}");
        found.push(name);
    }
    found.sort_unstable();
    let known: Vec<&String> = expected.keys().collect();
    assert_eq!(
        found.iter().collect::<Vec<_>>(),
        known,
        "files, and lines of expected.yaml"
    );
}

/// Every row of the tables of forms and of JSON in docs/input.md that names a file of the corpus matches its
/// expectation.
#[test]
fn the_tables_in_the_docs_are_the_corpus() {
    let expected = expected();
    let docs = include_str!("../docs/input.md");
    let (_, table) = docs.split_once("<!-- table: forms -->").unwrap();
    let table = table.trim_start().split("\n\n").next().unwrap();
    let mut rows = 0;
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, becomes, files] = cells.as_slice() else {
            panic!("{row}");
        };
        for file in files.split(", ") {
            let file = file.trim_matches('`');
            let outcome = expected
                .get(file)
                .unwrap_or_else(|| panic!("the corpus has no {file}"));
            match &outcome.error {
                Some(code) => assert!(becomes.contains(&format!("`{code}`")), "{row}"),
                None => assert_eq!(*becomes, "forwarded", "{row}"),
            }
        }
        rows += 1;
    }
    assert!(rows >= 8, "the table has lost rows");
}

/// The size of large bodies in bytes: none may take longer than in proportion.
const LARGE: usize = 4 << 20;

fn filled(beginning: &str, piece: &str, end: &str) -> Vec<u8> {
    let pieces = piece.repeat(LARGE / piece.len());
    [beginning, &pieces, end].concat().into_bytes()
}

#[test]
fn large_json() {
    let model = r#""model":"m"}"#;
    for (beginning, piece, end, error) in [
        ("{\"x\":", "[", "", Some("nesting_too_deep")),
        ("{\"x\":", "{\"a\":", "", Some("nesting_too_deep")),
        ("{\"x\":[0", ",[[[{}]]]", "],", None),
        ("{\"x\":\"", "\\\\", "\",", None),
        ("{\"x\":\"", "\\u00e9", "\",", None),
        ("{\"x\":", " ", "0,", None),
        ("{\"x\":0", "0", ",", Some("invalid_json")),
        ("{\"x\":1", "0", ",", None),
        ("{", "\"file_id\":null,", "", None),
        ("{\"x\":[0", ",{\"input\":{\"file_id\":\"a\"}}", "],", None),
        ("{\"x\":{\"file_ids\":[", " ", "]},", None),
        ("{\"x\":[0", ",{\"file_ids\":[ ]}", "],", None),
        ("{", "\"model\":\"m\",", "", Some("duplicate_field")),
        ("{", "\"x\":{\"a\":[1]},", "", None),
        ("{\"", "model", "\":0,", None),
        ("{\"", "\\u006d", "\":0,", None),
    ] {
        let body = filled(beginning, piece, &format!("{end}{model}"));
        let outcome = outcome(Kind::Json, &body, false);
        assert_eq!(outcome.error.as_deref(), error, "{beginning} {piece}");
        assert_eq!(outcome.tie, None, "{beginning} {piece}");
    }
}

#[test]
fn large_forms() {
    let part = "--b0undary\r\nContent-Disposition: form-data; name=";
    let file = format!("{part}file; filename=a\r\n\r\n");
    let end = format!("\r\n{part}\"model\"\r\n\r\nm\r\n--b0undary--\r\n");
    let end = end.as_str();
    let preamble = format!("\r\n{file}");
    let many = format!("{part}x\r\n\r\n\r\n");
    let parameters = format!("{part}x");
    for (beginning, piece, end, error) in [
        (file.as_str(), "x", end, None),
        (&file, "\n", end, None),
        (&file, "\r\n", end, None),
        (&file, "\r\n--b0undar", end, None),
        (&file, "--b0undary", end, Some("invalid_form")),
        (&file, "x--b0undary", end, None),
        ("", "-", &format!("{preamble}{end}"), Some("invalid_form")),
        (
            "",
            "\r\n",
            &format!("{preamble}{end}"),
            Some("invalid_form"),
        ),
        ("", &many, &end[2..], None),
        (&parameters, ";", end, Some("invalid_form")),
        ("--b0undary\r\n", "X: y\r\n", end, Some("invalid_form")),
        (&file, "\r\n--b0undary ", end, Some("invalid_form")),
        ("--b0undary", " ", end, Some("invalid_form")),
    ] {
        let body = filled(beginning, piece, end);
        let outcome = outcome(Kind::Form, &body, false);
        assert_eq!(outcome.error.as_deref(), error, "{beginning} {piece}");
    }
}
