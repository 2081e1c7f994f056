//! Trials of bodies that are not plain JSON according to their headers.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::works;
use crate::fleet::{BUFFER_LIMIT, SharedEnvoy};
use crate::harness::{Api, Call, Case, Protocol, Suite};

const BODY: &str = r#"{"model":"smart","messages":[]}"#;

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix("input::compressed", compressed);
    suite.matrix("input::unsupported_content_type", unsupported_content_type);
    suite.matrix("input::content_type", content_type);
    for workers in [1, 2] {
        for protocol in Protocol::ALL {
            let which = SharedEnvoy::Unpacking { workers };
            suite.on("input::unpacked", which, protocol, unpacked);
        }
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(body).expect("it is written");
    encoder.finish().expect("it is finished")
}

/// Asserts that the call is answered with 415 as soon as its headers have arrived, with these words. A connection whose
/// request has not been read is closed, so the next call has a connection of its own.
async fn refused_at_once(case: &Case, call: Call, code: &str, words: &str) {
    let api = if call.path == "/v1/messages" {
        Api::Anthropic
    } else {
        Api::OpenAi
    };
    let answer = call.send().await;
    answer.is_error(api, 415, code).went_nowhere();
    let body = answer.json();
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{message}");
    works(case, &mut case.connect().await).await;
}

async fn compressed(case: Case) {
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for encoding in ["gzip", "br", "ZSTD", "identity, gzip", "x-made-up"] {
            let call = case
                .post(path, gzip(BODY.as_bytes()))
                .header("content-encoding", encoding);
            let words = "envoy.filters.http.decompressor";
            refused_at_once(&case, call, "unsupported_encoding", words).await;
        }
    }
    let call = case.chat("fast").header("content-encoding", "identity");
    call.send().await.only_at("openai");
}

async fn unsupported_content_type(case: Case) {
    let json = "application/json";
    for (content_type, words) in [
        ("application/x-www-form-urlencoded", json),
        ("text/plain", json),
        ("multipart/form-data; boundary=x", json),
        ("application/json, application/json", json),
        ("application/json; charset=iso-8859-1", "UTF-8"),
        ("application/json; charset=\"utf-16\"", "UTF-8"),
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let call = case.request("POST", path).piece(BODY);
            let call = call.header("content-type", content_type);
            refused_at_once(&case, call, "unsupported_content_type", words).await;
        }
    }
    // Two headers, whatever their values; Envoy may join them.
    let call = case.chat("fast").header("content-type", json);
    refused_at_once(&case, call, "unsupported_content_type", "content-type").await;
}

async fn content_type(case: Case) {
    let mut wire = case.connect().await;
    for content_type in [
        None,
        Some("application/json"),
        Some("APPLICATION/JSON;charset=UTF-8"),
        Some("application/json; charset=\"utf-8\""),
        Some("application/json; charset=US-ASCII;"),
        Some("text/json"),
        Some("application/vnd.api+json"),
    ] {
        let mut call = case.chat("fast");
        call.headers.retain(|(name, _)| name != "content-type");
        if let Some(content_type) = content_type {
            call = call.header("content-type", content_type);
        }
        let seen = call.send_on(&mut wire).await.only_at("openai");
        assert_eq!(seen.header("content-type").as_deref(), content_type);
    }
    works(&case, &mut wire).await;
}

async fn unpacked(case: Case) {
    let plain = case.chat("smart");
    let expected = plain.bytes();
    for chunked in [false, true] {
        let mut call = case.chat("smart").header("content-encoding", "gzip");
        call.body.clear();
        let call = call.piece(gzip(&expected));
        let call = if chunked { call.chunked() } else { call };
        let answer = call.send_on(&mut case.connect().await).await;
        let (_, seen) = answer.is(200).attempts().pop().expect("an attempt");
        let text = String::from_utf8_lossy(&expected).replace("smart", &seen.model());
        assert_eq!(String::from_utf8_lossy(&seen.0.body), text);
        assert_eq!(seen.header("content-encoding"), None);
    }
    // An uncompressed body passes as always.
    let answer = plain.send_on(&mut case.connect().await).await;
    answer.is(200);
    // An encoding that the decompressor does not support is refused as always.
    let call = case.chat("smart").header("content-encoding", "br");
    let answer = call.send().await;
    answer
        .is_error(Api::OpenAi, 415, "unsupported_encoding")
        .went_nowhere();
    // The limit applies to decompressed bytes. Envoy cuts off what decompresses to more than a hundred times its size.
    let digits =
        (0_u32..300_000).map(|number| format!("{:08x}", number.wrapping_mul(2_654_435_761)));
    let large: String = digits.collect();
    assert!(large.len() > BUFFER_LIMIT);
    for (filler, status, code) in [
        (large, 413, "request_too_large"),
        ("x".repeat(BUFFER_LIMIT / 2), 400, "invalid_json"),
    ] {
        let mut call = case.chat("smart").header("content-encoding", "gzip");
        call.body.clear();
        let body = format!(r#"{{"model":"smart","x":"{filler}"}}"#);
        let call = call.piece(gzip(body.as_bytes()));
        let answer = call.send_on(&mut case.connect().await).await;
        answer.is_error(Api::OpenAi, status, code).went_nowhere();
    }
}
