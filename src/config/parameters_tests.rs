//! Tests of a target's `parameters` in documents, and of the errors in them.

use serde_saphyr::from_str;

use crate::config::{Document, Tree};
use crate::request::{ModelRequirement, Rewriter, scan};

fn document(parameters: &str) -> Result<Document, Vec<String>> {
    let text = format!(
        "backends: [{{name: a, schema: openai, models: [{{name: m}}]}}]
routes:
- name: r
  match: {{model: '*'}}
  targets: [{{backend: a, parameters: {parameters}}}]"
    );
    let compiled = Document::compile(&from_str::<Tree>(&text).unwrap());
    compiled.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn changed(parameters: &str, body: &str) -> String {
    let document = document(parameters).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let changes = &document.routes[0].targets[0].parameters;
    let view = scan(body.as_bytes(), ModelRequirement::Optional).unwrap();
    let rewriter = Rewriter::new(&view, body.as_bytes(), std::iter::once(changes)).unwrap();
    let edits = rewriter.edits(None, changes).unwrap();
    String::from_utf8(edits.apply(body.as_bytes())).unwrap()
}

#[test]
fn all_of_them_in_their_order() {
    // The document writes them in another order.
    let parameters = "{clamp: {max_completion_tokens: {min: 16, max: 4096}, temperature: {max: 1.5}}, \
         default: {seed: 1, temperature: 1}, set: {reasoning_effort: low, stream_options.include_usage: true}, \
         remove: [logit_bias], rename: {max_tokens: max_completion_tokens}}";
    for (body, expected) in [
        (
            r#"{"max_tokens":9000,"temperature":2,"logit_bias":{},"z":0}"#,
            r#"{"reasoning_effort":"low","seed":1,"stream_options":{"include_usage":true},"max_completion_tokens":4096,"temperature":1.5,"z":0}"#,
        ),
        (
            r#"{"seed":7,"stream_options":{"x":1}}"#,
            r#"{"reasoning_effort":"low","temperature":1,"seed":7,"stream_options":{"include_usage":true,"x":1}}"#,
        ),
    ] {
        assert_eq!(changed(parameters, body), expected);
    }
}

#[test]
fn bounds_of_which_envoy_makes_text() {
    let parameters = "{clamp: {top_p: {min: '0.25', max: '7.5e-1'}}}";
    for (body, expected) in [
        (r#"{"top_p":1}"#, r#"{"top_p":0.75}"#),
        (r#"{"top_p":0}"#, r#"{"top_p":0.25}"#),
    ] {
        assert_eq!(changed(parameters, body), expected);
    }
    let errors = document("{clamp: {top_p: {max: '1'}}}").unwrap_err();
    let error = "routes[0].targets[0].parameters.clamp.top_p.max: must be a number, not text";
    assert_eq!(errors, [error]);
}

#[test]
fn any_value_of_yaml_is_written_as_json() {
    for (value, expected) in [
        ("low", r#""low""#),
        ("'a \"b\" ü'", r#""a \"b\" ü""#),
        ("1", "1"),
        ("-3.0", "-3"),
        ("0.25", "0.25"),
        ("true", "true"),
        ("null", "null"),
        ("[1, x, []]", r#"[1,"x",[]]"#),
        (
            "{type: enabled, budget_tokens: 1024}",
            r#"{"budget_tokens":1024,"type":"enabled"}"#,
        ),
    ] {
        let parameters = format!("{{set: {{x: {value}}}}}");
        assert_eq!(changed(&parameters, "{}"), format!(r#"{{"x":{expected}}}"#));
    }
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (parameters, path, expected) in [
        ("{}", "", "must not be empty"),
        (
            "{sets: {a: 1}}",
            ".sets",
            "unknown field, did you mean \"set\"?",
        ),
        ("{set: [a]}", ".set", "must be a map, not a list"),
        ("{remove: {a: 1}}", ".remove", "must be a list, not a map"),
        ("{remove: []}", ".remove", "must not be empty"),
        (
            "{set: {model: x}}",
            ".set.model",
            "\"model\" cannot be changed here: the target's `model`",
        ),
        (
            "{remove: [Stream]}",
            ".remove[0]",
            "\"Stream\" cannot be changed here: the target's `model`",
        ),
        (
            "{default: {messages: []}}",
            ".default.messages",
            "it contains the prompt",
        ),
        (
            "{set: {input.x: 1}}",
            ".set.input.x",
            "\"input\" cannot be changed here: it contains the prompt",
        ),
        (
            "{rename: {prompt: text}}",
            ".rename.prompt",
            "it contains the prompt",
        ),
        (
            "{rename: {text: prompt}}",
            ".rename.text",
            "it contains the prompt",
        ),
        (
            "{set: {system_instruction: x}}",
            ".set.system_instruction",
            "it contains the prompt",
        ),
        (
            "{remove: [previous_response_id]}",
            ".remove[0]",
            "it refers to state that one provider has stored",
        ),
        ("{remove: ['']}", ".remove[0]", "must not be empty"),
        (
            "{remove: [a..b]}",
            ".remove[0]",
            "\"a..b\" is not a valid field name",
        ),
        (
            "{set: {'a b': 1}}",
            ".set.a b",
            "\"a b\" is not a valid field name",
        ),
        (
            "{set: {\"ü\": 1}}",
            ".set.ü",
            "\"ü\" is not a valid field name",
        ),
        (
            "{set: {a.b.c.d.e.f.g.h.i: 1}}",
            ".set.a.b.c.d.e.f.g.h.i",
            "is not a valid field name",
        ),
        (
            "{set: {a: 1}, remove: [a]}",
            ".set.a",
            "\"a\" is also under `remove`, which contradicts `set`",
        ),
        (
            "{set: {a: 1}, default: {a: 1}}",
            ".default.a",
            "is also under `set`",
        ),
        (
            "{set: {a: 1}, clamp: {a: {max: 1}}}",
            ".clamp.a",
            "is also under `set`",
        ),
        (
            "{remove: [a], clamp: {a: {max: 1}}}",
            ".clamp.a",
            "is also under `remove`",
        ),
        ("{remove: [a, a]}", ".remove[1]", "is also under `remove`"),
        (
            "{remove: [a, A]}",
            ".remove[1]",
            "\"a\" and \"A\" are two spellings of the same field",
        ),
        (
            "{rename: {a: b}, set: {b: 1}}",
            ".set.b",
            "is also under `rename`",
        ),
        (
            "{rename: {a: b}, clamp: {a: {max: 1}}}",
            ".clamp.a",
            "is also under `rename`",
        ),
        (
            "{rename: {a: b, c: b}}",
            ".rename.c",
            "\"b\" is also under `rename`",
        ),
        (
            "{rename: {a: b, b: c}}",
            ".rename.b",
            "\"b\" is also under `rename`",
        ),
        ("{rename: {a: a}}", ".rename.a", "renames \"a\" to itself"),
        (
            "{rename: {max_tokens: maxTokens}}",
            ".rename.max_tokens",
            "renames \"max_tokens\" to itself",
        ),
        (
            "{rename: {a: o.b}}",
            ".rename.a",
            "are not in the same object",
        ),
        (
            "{rename: {o.a: p.a}}",
            ".rename.o.a",
            "are not in the same object",
        ),
        ("{rename: {a: 1}}", ".rename.a", "must be text"),
        (
            "{set: {o: {}, o.a: 1}}",
            ".set.o.a",
            "\"o\" (under `set`) and \"o.a\" overlap",
        ),
        (
            "{remove: [o.a], set: {o: 1}}",
            ".set.o",
            "\"o.a\" (under `remove`) and \"o\" overlap",
        ),
        (
            "{remove: [o.a], set: {O.b: 1}}",
            ".set.O.b",
            "\"o\" and \"O\" are two spellings of the same field",
        ),
        ("{clamp: {a: 5}}", ".clamp.a", "must be a map, not a number"),
        (
            "{clamp: {a: {}}}",
            ".clamp.a",
            "with at least one of the two",
        ),
        (
            "{clamp: {a: {max: high}}}",
            ".clamp.a.max",
            "must be a number, not text",
        ),
        (
            "{clamp: {a: {min: 2, max: 1}}}",
            ".clamp.a",
            "min is greater than max",
        ),
        (
            "{default: {a: 9}, clamp: {a: {max: 1}}}",
            "",
            "the default of \"a\" is outside its bounds",
        ),
        (
            "{default: {a: null}}",
            ".default.a",
            "null counts as absent",
        ),
    ] {
        let errors = document(parameters).unwrap_err();
        let place = format!("routes[0].targets[0].parameters{path}: ");
        assert!(
            errors[0].starts_with(&place) && errors[0].contains(expected),
            "{parameters}\n{expected}\n{errors:#?}"
        );
        assert_eq!(errors.len(), 1, "{parameters}\n{errors:#?}");
    }
    let many: Vec<String> = (0..65).map(|number| format!("f{number}")).collect();
    let errors = document(&format!("{{remove: [{}]}}", many.join(", "))).unwrap_err();
    assert_eq!(
        errors,
        ["routes[0].targets[0].parameters: changes more than 64 fields"]
    );
}

/// Only a Struct can have numbers that JSON does not have.
#[test]
fn numbers_are_those_that_json_has() {
    let text = "{backends: [{name: a, schema: openai, models: [{name: m}]}], \
                 routes: [{name: r, match: {model: m}, targets: [{backend: a, parameters: {set: {x: [0.5]}}}]}]}";
    let plain: Tree = from_str(text).unwrap();
    assert!(Document::compile(&plain).is_ok());
    for number in [f64::INFINITY, f64::NAN] {
        let mut tree = plain.clone();
        replace(&mut tree, number);
        let errors = Document::compile(&tree).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "routes[0].targets[0].parameters.set.x[0]: must be a number that JSON can express"
        );
    }
}

/// Replaces all numbers in the tree.
fn replace(tree: &mut Tree, by: f64) {
    match tree {
        Tree::Number(number) => *number = by,
        Tree::List(items) => items.iter_mut().for_each(|item| replace(item, by)),
        Tree::Map(entries) => entries.iter_mut().for_each(|(_, item)| replace(item, by)),
        _ => {}
    }
}

#[test]
fn values_of_which_envoy_makes_text() {
    let parameters =
        "{set: {temperature: '0.2', stop: ['1.5', end, '08']}, default: {logit_bias: {a: '1e1'}}}";
    assert_eq!(
        changed(parameters, "{}"),
        r#"{"logit_bias":{"a":10},"stop":[1.5,"end","08"],"temperature":0.2}"#
    );
}
