//! Tests the scan with a list of typical bodies, and compares it with `serde_json` on generated ones.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::request::view::rename;

fn ok(body: &str) -> BodyView {
    scan(body.as_bytes(), ModelRequirement::Required)
        .unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn err(body: impl AsRef<[u8]>) -> ScanError {
    scan(body.as_ref(), ModelRequirement::Required).unwrap_err()
}

#[test]
fn finds_the_model_wherever_it_stands() {
    for body in [
        r#"{"model":"gpt-4o"}"#,
        r#" { "messages" : [ { "model" : "no" } ] , "model" : "gpt-4o" } "#,
        r#"{"a":[],"b":{},"c":[[{}],{"x":[1,-0.5e+3,true,false,null]}],"model":"gpt-4o","z":""}"#,
        r#"{"mod\u0065l":"gpt-4o"}"#,
        "\n\t\r{\"model\":\"gpt-4o\"\n}",
        r#"{"messages":"the \"model\": is \\","model":"gpt-4o"}"#,
    ] {
        let view = ok(body);
        let model = view.model.unwrap();
        assert_eq!(model.name, "gpt-4o", "{body}");
        assert_eq!(&body[model.span], "gpt-4o", "{body}");
        assert!(!view.stream);
    }
    assert_eq!(ok(r#"{"model":"a\/b\u00e9"}"#).model.unwrap().name, "a/bé");
}

#[test]
fn stream_is_a_boolean() {
    for (stream, expected) in [("true", true), ("false", false), ("null", false)] {
        assert_eq!(
            ok(&format!(r#"{{"model":"a","stream":{stream}}}"#)).stream,
            expected
        );
    }
    for wrong in ["\"true\"", "1", "[]", "{}"] {
        let body = format!(r#"{{"model":"a","stream":{wrong}}}"#);
        assert_eq!(err(body), ScanError::InvalidStream);
    }
}

#[test]
fn stream_by_another_name_is_no_way_around_a_route() {
    for name in ["Stream", "STREAM", "ſtream", r"\u0053tream"] {
        let body = format!(r#"{{"model":"a","{name}":true}}"#);
        assert_eq!(err(body), ScanError::InvalidStream, "{name}");
    }
}

#[test]
fn what_is_not_an_object_with_a_model() {
    assert_eq!(err(""), ScanError::Empty);
    assert_eq!(err(" \n"), ScanError::Empty);
    for body in ["[]", "null", "\"model\"", "1", "[{\"model\":\"a\"}]"] {
        assert_eq!(err(body), ScanError::NotAnObject, "{body}");
    }
    for body in [
        "{}",
        r#"{"Model":"a"}"#,
        r#"{"models":"a"}"#,
        r#"{"a":{"model":"a"}}"#,
    ] {
        assert_eq!(err(body), ScanError::MissingModel, "{body}");
    }
    let long = format!(r#"{{"model":"{}"}}"#, "a".repeat(MAX_MODEL_BYTES + 1));
    for body in [
        r#"{"model":1}"#,
        r#"{"model":null}"#,
        r#"{"model":["a"]}"#,
        r#"{"model":""}"#,
        r#"{"model":"."}"#,
        r#"{"model":"\u002e."}"#,
        r#"{"model":"\ud800"}"#,
        &long,
    ] {
        assert_eq!(err(body), ScanError::InvalidModel, "{body}");
    }
}

#[test]
fn a_field_may_stand_there_once() {
    for body in [
        r#"{"model":"a","model":"a"}"#,
        r#"{"model":"a","mod\u0065l":"b"}"#,
        r#"{"\u006d\u006f\u0064\u0065\u006c":"a","model":"b"}"#,
        r#"{"model":"a","Model":"b"}"#,
        r#"{"MODEL":"a","model":"b"}"#,
        r#"{"MODEL":"a","modeL":"b"}"#,
        r#"{"model":1,"model":"b"}"#,
    ] {
        assert!(
            matches!(err(body), ScanError::Duplicate("model", _)),
            "{body}"
        );
    }
    for body in [
        r#"{"model":"a","stream":true,"stream":false}"#,
        r#"{"model":"a","stream":true,"ſtream":false}"#,
        r#"{"model":"a","stream":true,"\u017ftream":false}"#,
        r#"{"model":"a","stream":true,"STREAM":false}"#,
    ] {
        assert!(
            matches!(err(body), ScanError::Duplicate("stream", _)),
            "{body}"
        );
    }
    assert_eq!(
        err(r#"{"model":"a","model":"b"}"#),
        ScanError::Duplicate("model", 13)
    );
    // Inside of other values, these names mean nothing.
    ok(r#"{"model":"a","x":{"model":1,"model":2,"stream":"x"}}"#);
}

#[test]
fn malformed_json_is_refused_where_it_breaks() {
    for (body, at) in [
        ("{", 1),
        ("{\"model\":\"a\"", 12),
        ("{\"model\":\"a\",}", 13),
        ("{\"model\":\"a\"}x", 13),
        ("{\"model\":\"a\"}{}", 13),
        ("{\"model\" \"a\"}", 9),
        ("{model:\"a\"}", 1),
        ("{'model':\"a\"}", 1),
        ("{\"a\":01}", 6),
        ("{\"a\":1.}", 7),
        ("{\"a\":1e}", 7),
        ("{\"a\":-}", 6),
        ("{\"a\":+1}", 5),
        ("{\"a\":NaN}", 5),
        ("{\"a\":tru}", 5),
        ("{\"a\":[1,]}", 8),
        ("{\"a\":[1 2]}", 8),
        ("{\"a\":{\"b\"}}", 9),
        ("{\"a\":{\"b\":1,}}", 12),
        ("{\"a\":[}", 6),
        ("{\"a\":\"\\x\"}", 7),
        ("{\"a\":\"\\u12g4\"}", 10),
        ("{\"a\":\"\\u12", 10),
        ("{\"a\":\"b\u{1}\"}", 7),
        ("{\"a\":\"b\0\"}", 7),
        ("{\"a\":\"b\n\"}", 7),
        ("{\"a\":1}\0", 7),
        ("{\"a\":\"abc", 9),
    ] {
        assert_eq!(err(body), ScanError::InvalidJson(at), "{body:?}");
    }
    assert_eq!(err(b"{\"model\":\"\xff\"}"), ScanError::InvalidUtf8(10));
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |levels: usize| {
        format!(
            r#"{{"model":"a","x":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    // The top-level object is the first level.
    ok(&nested(MAX_DEPTH - 1));
    assert!(matches!(err(nested(MAX_DEPTH)), ScanError::TooDeep(_)));
    assert!(matches!(err(nested(10_000)), ScanError::TooDeep(_)));
    let objects = |levels: usize| {
        format!(
            r#"{{"model":"a","x":{}1{}}}"#,
            "{\"y\":".repeat(levels),
            "}".repeat(levels)
        )
    };
    ok(&objects(MAX_DEPTH - 1));
    assert!(matches!(err(objects(MAX_DEPTH)), ScanError::TooDeep(_)));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let body = marked(r#" {"a":1,"model":"gpt-4o"}"#);
    let view = ok(&body);
    assert_eq!(view.bom_length, 3);
    assert_eq!(&body[view.model.clone().unwrap().span], "gpt-4o");
    for (model, expected) in [
        (Some("x"), r#" {"a":1,"model":"x"}"#),
        (Some("gpt-4o"), r#" {"a":1,"model":"gpt-4o"}"#),
        (None, r#" {"a":1,"model":"gpt-4o"}"#),
    ] {
        let edits = rename(&view, body.as_bytes(), model);
        let edited = edits.apply(body.as_bytes());
        assert_eq!(edited, expected.as_bytes());
        assert_eq!(edits.length_after(body.len()), edited.len());
    }
    // Positions include it, and there may be only one, at the beginning.
    assert_eq!(err(marked("{]")), ScanError::InvalidJson(4));
    assert_eq!(err(marked("")), ScanError::Empty);
    assert_eq!(err(marked(&marked("{}"))), ScanError::InvalidJson(3));
    assert_eq!(err("{\u{feff}}"), ScanError::InvalidJson(1));
}

#[test]
fn a_model_can_be_inserted_where_there_is_none() {
    for (body, expected) in [
        ("{}", r#"{"model":"a\"b"}"#),
        (" { } ", r#" {"model":"a\"b" } "#),
        (
            r#"{"models":1,"x":{"model":2}}"#,
            r#"{"model":"a\"b","models":1,"x":{"model":2}}"#,
        ),
        ("\u{feff}{\"x\":1}", r#"{"model":"a\"b","x":1}"#),
    ] {
        let view = scan(body.as_bytes(), ModelRequirement::Optional).unwrap();
        assert_eq!(view.model, None);
        let edits = rename(&view, body.as_bytes(), Some("a\"b"));
        let edited = edits.apply(body.as_bytes());
        assert_eq!(edited, expected.as_bytes(), "{body}");
        assert_eq!(edits.length_after(body.len()), edited.len());
        // Without a model to set, only the mark is removed.
        let edits = rename(&view, body.as_bytes(), None);
        assert_eq!(!edits.is_empty(), body.starts_with('\u{feff}'));
    }
    // A name that some reader takes for `model` is not accepted.
    for body in [r#"{"Model":"a"}"#, r#"{"model":null}"#, r#"{"model":1}"#] {
        let error = scan(body.as_bytes(), ModelRequirement::Optional).unwrap_err();
        assert_eq!(error, ScanError::InvalidModel, "{body}");
    }
}

#[test]
fn what_names_something_stored_ties() {
    for (fields, name) in [
        (r#""previous_response_id":"resp_1""#, "previous_response_id"),
        (r#""conversation":"conv_1""#, "conversation"),
        (r#""conversation":{"id":"conv_1"}"#, "conversation"),
        (r#""container":{"id":"c"}"#, "container"),
        (r#""cachedContent":"cachedContents/1""#, "cachedContent"),
        (r#""cached_content":"cachedContents/1""#, "cachedContent"),
        (r#""prompt":{"id":"pmpt_1"}"#, "prompt"),
        (r#""input":[{"content":[{"file_id":"file-1"}]}]"#, "file_id"),
        (
            r#""tools":[{"vector_store_ids" : [ "vs_1"]}]"#,
            "vector_store_ids",
        ),
        (
            r#""tools":[{"container":{"file_ids":["file-1"]}}]"#,
            "file_ids",
        ),
        (r#""tools":[{"container":"cntr_1"}]"#, "container"),
        (
            r#""input":[{"type":"item_reference","id":"msg_1"}]"#,
            "item_reference",
        ),
        (
            r#""contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]"#,
            "fileUri",
        ),
        (
            r#""contents":[{"parts":[{"fileData":{"file_uri":"https:\/\/generativelanguage.googleapis.com\/v1beta\/files\/1"}}]}]"#,
            "fileUri",
        ),
        (
            r#""tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/1"]}}]"#,
            "fileSearchStoreNames",
        ),
        (
            r#""tools":[{"file_search":{"file_search_store_names":["fileSearchStores/1"]}}]"#,
            "fileSearchStoreNames",
        ),
        (
            r#""messages":[{"role":"assistant","audio":{"id":"audio_1"}}]"#,
            "audio",
        ),
        // Behind a value whose fields the caller has named.
        (
            r#""x":[{"input":{"file_id":"a","y":{}}},{"input":{}},{"file_id":"file-1"}]"#,
            "file_id",
        ),
    ] {
        let view = ok(&format!("{{{fields},\"model\":\"a\"}}"));
        assert_eq!(view.state_reference, Some(name), "{fields}");
    }
}

#[test]
fn what_only_has_such_a_name_does_not_tie() {
    for fields in [
        r#""previous_response_id":null,"conversation":null,"container":null,"cachedContent":null"#,
        r#""previous_response_id":"""#,
        r#""prompt":"file_id","prompt_id":1"#,
        r#""prompt":["a"]"#,
        r#""x":{"file_id":""},"y":{"file_id":null},"z":{"file_id":1}"#,
        r#""x":{"file_ids":[],"vector_store_ids":[ ]},"y":{"file_ids":"a"}"#,
        r#""tools":[{"parameters":{"properties":{"file_id":{"type":"string"}},"required":["file_id"]}}]"#,
        r#""tools":[{"input_schema":{"examples":[{"file_id":"a"}]}}]"#,
        r#""messages":[{"content":[{"type":"tool_use","input":{"q":[{"x":{"file_id":"a"}}]}}]}]"#,
        r#""contents":[{"parts":[{"functionCall":{"args":{"file_id":"a"}}},{"functionResponse":{"response":{"file_id":"a"}}}]}]"#,
        r#""metadata":{"file_id":"a"}"#,
        r#""contents":[{"fileData":{"fileUri":"gs://bucket/file"}}]"#,
        r#""contents":[{"fileData":{"fileUri":"https:\/\/example.com\/file"}}]"#,
        r#""tools":[{"container":{"type":"auto"}}]"#,
        r#""audio":{"voice":"alloy"},"input":[{"id":"msg_1"},{"id":1},{"id":""}]"#,
        r#""messages":"\"file_id\":\"a\"""#,
        r#""x":{"previous_response_id":"a","conversation":"b"}"#,
    ] {
        let view = ok(&format!("{{{fields},\"model\":\"a\"}}"));
        assert_eq!(view.state_reference, None, "{fields}");
    }
}

/// Generates JSON text with odd spacing and number formats.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just(" true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\u[0-9a-fA-F]{4}|\\\\[nrtbf/]|[a-z])*\"",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(("[a-z]{1,7}", inner), 0..4).prop_map(|fields| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!("\"{key}\" :{value}"))
                    .collect();
                format!("{{\n{}}}", fields.join(",\t"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body: Vec<u8>) {
        let _ = scan(&body, ModelRequirement::Required);
    }

    #[test]
    fn what_serde_json_refuses_is_refused_and_the_rest_read_alike(
        value in json(),
        cut in prop::option::of(any::<prop::sample::Index>()),
        junk in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut body = format!("{{\"first\":{value},\"model\":\"m\"}}").into_bytes();
        if let Some((at, byte)) = junk {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let theirs = serde_json::from_slice::<Value>(&body);
        match (scan(&body, ModelRequirement::Required), theirs) {
            (Ok(view), Ok(theirs)) => {
                let model = view.model.unwrap().name;
                prop_assert_eq!(Some(model.as_str()), theirs["model"].as_str());
            }
            (Ok(_), Err(error)) => {
                // The only difference: a lone surrogate and a number out of range are valid by the grammar and are
                // forwarded as they are, for the server to refuse.
                let text = error.to_string();
                prop_assert!(
                    text.contains("surrogate") || text.contains("hex escape") || text.contains("out of range"),
                    "{text}"
                );
            }
            (Err(ScanError::InvalidJson(_) | ScanError::InvalidUtf8(_) | ScanError::Empty), Ok(theirs)) => {
                prop_assert!(false, "refused what serde_json reads: {theirs}");
            }
            _ => {}
        }
    }

    #[test]
    fn the_edit_equals_parse_and_replace(
        before in json(),
        after in json(),
        model in "[^\\x00]{1,20}",
        new in "\\PC{1,20}",
    ) {
        prop_assume!(model != "." && model != "..");
        prop_assume!(model.len() * 6 <= MAX_MODEL_BYTES);
        let written = serde_json::to_string(&model).unwrap();
        let body = format!("{{\"first\":{before} , \"model\" : {written},\"last\":{after}}}");
        let view = scan(body.as_bytes(), ModelRequirement::Required).unwrap();
        prop_assert_eq!(&view.model.as_ref().unwrap().name, &model);
        let edited = rename(&view, body.as_bytes(), Some(&new)).apply(body.as_bytes());

        // Every other byte stays as it was.
        let new_written = serde_json::to_string(&new).unwrap();
        let expected =
            format!("{{\"first\":{before} , \"model\" : {new_written},\"last\":{after}}}");
        prop_assert_eq!(String::from_utf8(edited.clone()).unwrap(), expected);
        if let Ok(mut value) = serde_json::from_str::<Value>(&body) {
            value["model"] = Value::String(new);
            prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), value);
        }
    }
}
