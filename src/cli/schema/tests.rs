//! Compares the schema with the code: for every field, for every example, and for errors in the examples.

use std::path::Path;

use jsonschema::Validator;

use super::*;
use crate::cli::embedded::{Role, find};
use crate::cli::source::parse;
use crate::config::{Document, Tree};

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

/// Returns all documents in the files that people read and copy, and in the golden tests, with their names.
fn documents() -> Vec<(String, Tree)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    for folder in ["envoy", "docs/cli", "tests/golden"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_wrong = path.ends_with("wrong.yaml");
            if path.extension().is_none_or(|extension| extension != "yaml") || is_wrong {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let parsed = parse(&text).unwrap();
            let name = path.display().to_string();
            if let Some(document) = parsed[0].get("document") {
                documents.push((name, document.tree_in_json()));
                continue;
            }
            for carried in find(&parsed, &text) {
                if carried.role == Role::Router {
                    let value = carried.value.unwrap();
                    documents.push((name.clone(), value.located.tree_in_json()));
                }
            }
        }
    }
    let docs = include_str!("../../../docs/configuration.md");
    let (_, after) = docs.split_once("## A whole document\n\n```yaml\n").unwrap();
    let (whole, _) = after.split_once("```").unwrap();
    documents.push(("docs".to_owned(), serde_saphyr::from_str(whole).unwrap()));
    documents
}

#[test]
fn every_field_has_a_kind_and_no_other() {
    let schema = schema();
    for shape in SHAPES {
        for field in shape.fields {
            assert!((shape.kind)(field).is_some(), "{}.{field}", shape.name);
        }
        let all = SHAPES.iter().flat_map(|other| other.fields);
        for other in all.filter(|other| !shape.fields.contains(other)) {
            assert!((shape.kind)(other).is_none(), "{}.{other}", shape.name);
        }
        let properties = &schema["$defs"][shape.name]["properties"];
        let properties = properties.as_object().unwrap();
        assert_eq!(properties.len(), shape.fields.len());
        assert!(
            shape
                .fields
                .iter()
                .all(|field| properties.contains_key(*field))
        );
    }
}

#[test]
fn every_documented_field_has_its_description() {
    let schema = schema();
    let description = |shape: &str, field: &str| {
        let field = &schema["$defs"][shape]["properties"][field];
        field["description"].as_str().unwrap_or_default().to_owned()
    };
    for shape in SHAPES {
        let is_elsewhere = ["fallback", "on_failure", "cooldown"].contains(&shape.name);
        for field in shape.fields {
            let text = description(shape.name, field);
            assert_eq!(text.is_empty(), is_elsewhere, "{}.{field}", shape.name);
            assert!(!text.contains("]("), "{text}");
        }
    }
    assert_eq!(
        description("defaults", "response_headers"),
        "true: answers tell in headers where they come from. Default: false."
    );
}

#[test]
fn every_example_is_valid() {
    let validator = validator();
    let documents = documents();
    assert!(documents.len() > 8, "{}", documents.len());
    for (name, document) in documents {
        Document::compile_untested(&document).unwrap();
        let value = Value::from(&document);
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

/// Finds the maps in a value, as JSON pointers.
fn maps(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            for (name, value) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                maps(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                maps(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Returns a copy of a value with one of its maps changed.
fn edited(whole: &Value, at: &str, edit: impl Fn(&mut Map<String, Value>)) -> Value {
    let mut copy = whole.clone();
    edit(copy.pointer_mut(at).unwrap().as_object_mut().unwrap());
    copy
}

/// The schema and the code agree on fields that are missing or unknown.
#[test]
fn what_is_missing_or_unknown_is_so_for_both() {
    let validator = validator();
    let (mut missing, mut unknown) = (0, 0);
    for (name, document) in documents() {
        let whole = Value::from(&document);
        let errors = |value: &Value| -> Vec<String> {
            let tree: Tree = serde_json::from_value(value.clone()).unwrap();
            let errors = Document::compile(&tree).err().unwrap_or_default();
            errors.iter().map(ToString::to_string).collect()
        };
        let mut found = Vec::new();
        maps(&whole, "", &mut found);
        // Tests are read only where they are enforced.
        for at in found.iter().filter(|at| !at.starts_with("/tests")) {
            let with_more = edited(&whole, at, |map| {
                map.insert("nonsense".to_owned(), Value::Bool(true));
            });
            let is_unknown = errors(&with_more)
                .iter()
                .any(|error| error.contains("nonsense: unknown"));
            if is_unknown {
                unknown += 1;
                assert!(!validator.is_valid(&with_more), "{name}{at}");
            }
            let map = whole.pointer(at).unwrap().as_object().unwrap();
            for field in map.keys() {
                let without = edited(&whole, at, |map| {
                    map.remove(field);
                });
                let is_missing = format!("`{field}` is missing");
                let is_missing = errors(&without)
                    .iter()
                    .any(|error| error.ends_with(&is_missing));
                missing += usize::from(is_missing);
                let may_be_empty = map.len() > 1;
                assert!(
                    validator.is_valid(&without) != is_missing || !may_be_empty,
                    "{name}{at} {field}"
                );
            }
        }
    }
    assert!(missing > 100 && unknown > 100, "{missing} {unknown}");
}

#[test]
fn what_is_wrong_is_not_valid() {
    let validator = validator();
    let documents = documents();
    let (_, document) = documents.last().unwrap();
    let whole = Value::from(document);
    assert!(validator.is_valid(&whole));
    for (at, value) in [
        ("/backends/0/schema", json!("opnai")),
        ("/backends/0/name", json!("")),
        ("/backends", json!([])),
        ("/routes/0/match", json!({})),
        ("/routes/0/match/model", json!([])),
        ("/routes/0/match/model", json!(5)),
        ("/routes/2/strategy", json!("weightd")),
        ("/routes/2/targets/0/weight", json!(-1)),
        ("/routes/2/targets/0/weight", json!(0.5)),
        ("/defaults", json!({"cooldown": {"enabled": "no"}})),
        (
            "/defaults",
            json!({"fallback": {"on_failure": {"rate_limited": "pas"}}}),
        ),
        (
            "/defaults",
            json!({"fallback": {"on_failure": {"rate_limits": "pass"}}}),
        ),
        ("/defaults", json!({"allow_request_headers": ["dry_rum"]})),
    ] {
        let mut wrong = whole.clone();
        *wrong.pointer_mut(at).unwrap() = value;
        assert!(!validator.is_valid(&wrong), "{at} {wrong}");
        let tree: Tree = serde_json::from_value(wrong).unwrap();
        assert!(Document::compile(&tree).is_err(), "{at}");
    }
    for right in [
        json!({"fallback": {"hold": "none", "on_failure": {"rate_limited": "pass", "unavailable": {"action": "wait", "cooldown": "open"}}}}),
        json!({"allow_request_headers": ["dry_run"], "max_body_bytes": 1024, "cooldown": {"enabled": false}}),
    ] {
        let mut document = whole.clone();
        document["defaults"] = right;
        assert!(validator.is_valid(&document), "{document}");
        let tree: Tree = serde_json::from_value(document).unwrap();
        Document::compile(&tree).unwrap();
    }
}
