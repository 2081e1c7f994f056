//! Trials of odd bodies: empty, malformed, deeply nested, with duplicate fields or a byte order mark.

use serde_json::json;

use super::{refused_body, works};
use crate::harness::{Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("input::empty_body", empty_body);
    suite.matrix("input::malformed_json", malformed_json);
    suite.matrix("input::byte_order_mark", byte_order_mark);
    suite.matrix("input::not_an_object", not_an_object);
    suite.matrix("input::missing_model", missing_model);
    suite.matrix("input::invalid_model", invalid_model);
    suite.matrix("input::duplicate_field", duplicate_field);
    suite.matrix("input::invalid_stream", invalid_stream);
    suite.matrix("input::deep_nesting", deep_nesting);
    suite.matrix("input::invalid_utf8", invalid_utf8);
    suite.matrix("input::byte_exact", byte_exact);
    suite.matrix("input::raw_control_character", raw_control_character);
}

async fn empty_body(case: Case) {
    for body in ["", " ", " \r\n\t"] {
        refused_body(&case, body, "empty_body").await;
    }
    // Empty without announcing it, and with trailers in place of a body.
    for call in [
        case.post("/v1/chat/completions", "").chunked(),
        case.post("/v1/chat/completions", "")
            .trailer("x-trailer", "1"),
    ] {
        super::refused(&case, crate::harness::Api::OpenAi, call, 400, "empty_body").await;
    }
}

async fn malformed_json(case: Case) {
    for body in [
        "{",
        "}",
        "{\"model\":\"fast\"",
        "{\"model\":\"fast\",}",
        "{\"model\" \"fast\"}",
        "{model:\"fast\"}",
        "{'model':'fast'}",
        "{\"model\":\"fast\"}}",
        "{\"model\":\"fast\"} x",
        "{\"model\":\"fast\"}{\"model\":\"fast\"}",
        "{\"model\":\"fast\",\"x\":01}",
        "{\"model\":\"fast\",\"x\":NaN}",
        "{\"model\":\"fast\",\"x\":\"\\x\"}",
        "{\"model\":\"fast\",\"x\":tru}",
        "// x\n{\"model\":\"fast\"}",
        "{\"model\":\"fast\",\"x\":\"\\u12\"}",
        "model=fast",
    ] {
        refused_body(&case, body, "invalid_json").await;
    }
}

/// It reaches no backend, whether the model's name changes, stays, or another attempt follows.
async fn byte_order_mark(case: Case) {
    let mut wire = case.connect().await;
    for (model, backends) in [
        ("fast", ["openai"].as_slice()),
        ("gpt-4o", &["openai"]),
        ("second-fails", &["second", "openai"]),
    ] {
        let body = |model: &str| format!("{{\"x\":\"é\",\"model\":\"{model}\"}}\r\n");
        let marked = format!("\u{feff}{}", body(model));
        let call = case.post("/v1/chat/completions", marked);
        let answer = call.send_on(&mut wire).await;
        for seen in answer.is(200).went_to(backends) {
            let expected = body(&seen.model());
            assert_eq!(String::from_utf8_lossy(&seen.0.body), expected, "{model}");
            seen.has_its_length();
        }
    }
    for body in [
        "\u{feff}\u{feff}{\"model\":\"fast\"}",
        "\u{feff}{",
        "{\u{feff}}",
    ] {
        refused_body(&case, body, "invalid_json").await;
    }
    refused_body(&case, "\u{feff}", "empty_body").await;
    works(&case, &mut wire).await;
}

async fn not_an_object(case: Case) {
    for body in [
        "[]",
        "[{\"model\":\"fast\"}]",
        "\"fast\"",
        "null",
        "true",
        "12",
        " 1e5 ",
    ] {
        refused_body(&case, body, "not_an_object").await;
    }
}

async fn missing_model(case: Case) {
    for body in [
        "{}",
        " {} \n",
        "{\"messages\":[{\"model\":\"fast\"}]}",
        "{\"mode\":\"fast\",\"models\":[\"fast\"]}",
    ] {
        refused_body(&case, body, "missing_model").await;
    }
}

async fn invalid_model(case: Case) {
    for model in [
        "1",
        "null",
        "true",
        "[\"fast\"]",
        "{\"name\":\"fast\"}",
        "\"\"",
        r#""\ud800""#,
        r#""\udc00fast""#,
    ] {
        refused_body(&case, format!("{{\"model\":{model}}}"), "invalid_model").await;
    }
    refused_body(
        &case,
        json!({"model": "x".repeat(257)}).to_string(),
        "invalid_model",
    )
    .await;
    // The longest valid names are merely unknown. The limit is in bytes.
    for model in ["x".repeat(256), "\u{fc}".repeat(128)] {
        case.chat(&model).send().await.is_error(
            crate::harness::Api::OpenAi,
            404,
            "model_not_found",
        );
    }
    refused_body(
        &case,
        json!({"model": "\u{fc}".repeat(129)}).to_string(),
        "invalid_model",
    )
    .await;
}

async fn duplicate_field(case: Case) {
    for body in [
        r#"{"model":"fast","model":"fast"}"#,
        r#"{"model":"fast","x":1,"model":"gpt-4o"}"#,
        r#"{"model":"fast","mod\u0065l":"gpt-4o"}"#,
        r#"{"\u006d\u006f\u0064\u0065\u006c":"gpt-4o","model":"fast"}"#,
        r#"{"model":"fast","Model":"gpt-4o"}"#,
        r#"{"MODEL":"gpt-4o","model":"fast"}"#,
        r#"{"model":"fast","\u004dodel":"gpt-4o"}"#,
        r#"{"model":"fast","stream":true,"stream":false}"#,
        r#"{"model":"fast","stream":true,"Stream":true}"#,
        r#"{"model":"fast","str\u0065am":true,"stream":true}"#,
    ] {
        refused_body(&case, body, "duplicate_field").await;
    }
    // Below the top level, the field belongs to somebody else.
    let body = r#"{"model":"fast","x":{"model":"a","model":"b","stream":1}}"#;
    case.post("/v1/chat/completions", body)
        .send()
        .await
        .only_at("openai");
}

async fn invalid_stream(case: Case) {
    for stream in ["\"true\"", "1", "0", "[]", "{}", "\"\""] {
        refused_body(
            &case,
            format!("{{\"model\":\"fast\",\"stream\":{stream}}}"),
            "invalid_stream",
        )
        .await;
    }
}

async fn deep_nesting(case: Case) {
    let nested = |levels: usize, open: &str, close: &str| {
        format!(
            "{{\"model\":\"fast\",\"x\":{}0{}}}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    refused_body(&case, nested(10_000, "[", "]"), "nesting_too_deep").await;
    refused_body(&case, nested(10_000, "{\"a\":", "}"), "nesting_too_deep").await;
    // The object itself is the first of 512 levels.
    refused_body(&case, nested(512, "[", "]"), "nesting_too_deep").await;
    // A body that never closes its arrays is not JSON either, and must not cost more because of that.
    let answer = case
        .post("/v1/chat/completions", "[".repeat(1_000_000))
        .send()
        .await;
    answer
        .is_error(crate::harness::Api::OpenAi, 400, "nesting_too_deep")
        .went_nowhere();
}

async fn invalid_utf8(case: Case) {
    for bytes in [
        b"\xff".as_slice(),
        b"\xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
    ] {
        let body = [b"{\"model\":\"fast\",\"x\":\"", bytes, b"\"}"].concat();
        refused_body(&case, body, "invalid_utf8").await;
    }
    refused_body(&case, b"{\"model\":\"f\xffst\"}".as_slice(), "invalid_utf8").await;
}

async fn byte_exact(case: Case) {
    let mut wire = case.connect().await;
    for (fields, close) in [
        (r#""a":"\ud800","b":"\udc00\ud800","c":"\u0000""#, "}"),
        (
            r#""n":1e400,"m":-1E-400,"i":123456789012345678901234567890123456789,"z":-0,"f":0.10000000000000000000000001"#,
            "}",
        ),
        ("\t\"k\"\n:\r  [ ]  ,\"\":{ }", " \r\n} \t\r\n\n"),
        (r#""\u006b":"\/\b\f\n\r\t\"\\","\ud83d\ude00":"😀é""#, "}"),
        (r#""a":1,"a":2,"a":{"model":1}"#, "}"),
    ] {
        let body = |model: &str| format!("{{\"model\":\"{model}\",{fields}{close}");
        let answer = case
            .post("/v1/chat/completions", body("fast"))
            .send_on(&mut wire)
            .await;
        let seen = answer.went_to(&["openai"]).remove(0);
        assert_eq!(
            String::from_utf8_lossy(&seen.0.body),
            body("gpt-4o-mini-2024-07-18")
        );
        seen.has_its_length();
    }
    works(&case, &mut wire).await;
}

async fn raw_control_character(case: Case) {
    for control in ["\0", "\u{1}", "\n", "\t", "\u{1f}"] {
        refused_body(
            &case,
            format!("{{\"model\":\"fast\",\"x\":\"a{control}b\"}}"),
            "invalid_json",
        )
        .await;
        refused_body(
            &case,
            format!("{{\"model\":\"fa{control}st\"}}"),
            "invalid_json",
        )
        .await;
        refused_body(
            &case,
            format!("{{\"model\":\"fast\",\"a{control}b\":1}}"),
            "invalid_json",
        )
        .await;
    }
    refused_body(&case, "{\"model\":\"fast\"}\0", "invalid_json").await;
}
