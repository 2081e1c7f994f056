//! Tests of the paths that backends receive.

use proptest::prelude::*;

use super::super::{Api, Endpoint, split_query};
use super::*;

fn call(path: &str) -> ModelCall {
    match Endpoint::at(path) {
        Some(Endpoint::Model(call)) => call,
        other => panic!("{path}: {other:?}"),
    }
}

fn filled(template: &PathTemplate, path: &str) -> String {
    let (path, query) = split_query(path);
    template.fill(&call(path), "gpt 4/o", query)
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn prefixes_and_templates() {
    let prefixed = |prefix| PathTemplate::new(Schema::OpenAi, prefix);
    assert_eq!(filled(&prefixed(None), CHAT), CHAT);
    assert_eq!(
        filled(&prefixed(Some("")), "/v1/chat/completions?beta=true"),
        "/chat/completions?beta=true"
    );
    let template = "/openai/deployments/{model}{operation}?api-version=1";
    let azure = PathTemplate::parse(Schema::OpenAi, template).unwrap();
    assert_eq!(
        filled(&azure, "/v1/chat/completions?a=b&&c"),
        "/openai/deployments/gpt%204%2Fo/chat/completions?api-version=1&a=b&c"
    );
    let literal = PathTemplate::parse(Schema::Anthropic, "/x").unwrap();
    assert_eq!(filled(&literal, "/v1/messages"), "/x");
    for wrong in ["/{", "/{mode}", "/}", "/{model}}", "/{}"] {
        assert!(
            PathTemplate::parse(Schema::OpenAi, wrong).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn every_dialect_has_its_own_paths() {
    for (schema, prefix, path, expected) in [
        (
            Schema::OpenAi,
            None,
            "/openai/deployments/m/embeddings?api-version=2&x=1",
            "/v1/embeddings?x=1",
        ),
        (Schema::OpenAi, None, "/v2/rerank", "/v1/rerank"),
        (
            Schema::AzureOpenAi,
            None,
            "/v1/audio/speech",
            "/openai/v1/audio/speech",
        ),
        (
            Schema::AzureOpenAi,
            None,
            "/openai/v1/embeddings?api-version=preview",
            "/openai/v1/embeddings?api-version=preview",
        ),
        // The paths with a deployment need a dated version.
        (
            Schema::AzureOpenAi,
            None,
            "/openai/deployments/m/embeddings?api-version=2",
            "/openai/v1/embeddings",
        ),
        (
            Schema::Gemini,
            None,
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            "/v1beta/models/gpt%204%2Fo:streamGenerateContent?alt=sse",
        ),
        (
            Schema::Gemini,
            None,
            "/v1/models/m:countTokens",
            "/v1/models/gpt%204%2Fo:countTokens",
        ),
        (
            Schema::Gemini,
            Some("/v1/publishers/google"),
            "/v1beta/models/m:generateContent",
            "/v1/publishers/google/models/gpt%204%2Fo:generateContent",
        ),
        (
            Schema::Bedrock,
            None,
            "/model/m/converse",
            "/model/gpt%204%2Fo/converse",
        ),
        (
            Schema::Bedrock,
            Some("/aws"),
            "/model/m/invoke-with-response-stream",
            "/aws/model/gpt%204%2Fo/invoke-with-response-stream",
        ),
        (
            Schema::Anthropic,
            None,
            "/v1/messages/count_tokens?beta=true",
            "/v1/messages/count_tokens?beta=true",
        ),
    ] {
        assert_eq!(
            filled(&PathTemplate::new(schema, prefix), path),
            expected,
            "{schema:?} {prefix:?} {path}"
        );
    }
}

#[test]
fn the_version_of_azure_goes_where_it_means_something() {
    let template = "/openai/deployments/{model}{operation}";
    let azure = PathTemplate::parse(Schema::AzureOpenAi, template).unwrap();
    let own = format!("{template}?api-version=1");
    let own = PathTemplate::parse(Schema::AzureOpenAi, &own).unwrap();
    let deployment = "/openai/deployments/m/embeddings?api-version=2";
    for (template, path, expected) in [
        (&azure, deployment, "?api-version=2"),
        (&azure, "/openai/v1/embeddings?api-version=preview", ""),
        (&azure, "/v1/embeddings?%61pi-version=2", ""),
        (&own, deployment, "?api-version=1"),
    ] {
        assert_eq!(
            filled(template, path),
            format!("/openai/deployments/gpt%204%2Fo/embeddings{expected}"),
            "{path}"
        );
    }
}

#[test]
fn what_is_no_call_keeps_its_path() {
    for (schema, prefix, path, expected) in [
        (Schema::OpenAi, None, "/v1/files/x", "/v1/files/x"),
        (
            Schema::OpenAi,
            Some("/api/openai/v1"),
            "/v1/files/x",
            "/api/openai/v1/files/x",
        ),
        (Schema::OpenAi, None, "/openai/v1/files", "/v1/files"),
        (Schema::AzureOpenAi, None, "/v1/files", "/openai/v1/files"),
        (Schema::AzureOpenAi, None, "/openai/files", "/openai/files"),
        (Schema::OpenAi, Some("/x"), "/v1beta/files", "/v1beta/files"),
        (Schema::OpenAi, Some("/x"), "/v12", "/v12"),
        (Schema::OpenAi, Some("/x"), "/v1", "/x"),
        (Schema::Gemini, None, "/v1beta/files", "/v1beta/files"),
        (Schema::Gemini, Some("/x"), "/v1beta/files", "/x/files"),
        (
            Schema::Gemini,
            Some("/x"),
            "/upload/v1beta/files",
            "/upload/v1beta/files",
        ),
        (Schema::Bedrock, Some("/x"), "/guardrail", "/x/guardrail"),
        (Schema::Bedrock, None, "/guardrail", "/guardrail"),
        (Schema::Anthropic, Some(""), "/v1/files", "/files"),
    ] {
        assert_eq!(
            PathTemplate::new(schema, prefix).pass(path, "a=1"),
            format!("{expected}?a=1"),
            "{schema:?} {prefix:?}"
        );
    }
    let with = |schema, query| PathTemplate::new(schema, None).pass("/openai/files", query);
    assert_eq!(
        with(Schema::OpenAi, "api-version=1&a=1"),
        "/openai/files?a=1"
    );
    assert_eq!(
        with(Schema::AzureOpenAi, "api-version=1"),
        "/openai/files?api-version=1"
    );
}

#[test]
fn a_key_in_the_query_is_a_credential() {
    for query in [
        "key=secret",
        "key",
        "k%65y=secret",
        "KEY=secret&api-key=secret&access_token=secret",
        "%6B%65%79=secret&key=x",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=secret&x-amz-security-token=secret",
        "%24key=secret&oauth_token=secret&subscription-key=secret",
        "X-Api-Key=secret&auth_token=secret&Authorization=secret",
        // What some servers accept: white space around the name, a `?` before it, a semicolon between parameters.
        "key%20=secret&+key=secret&%09key+=secret&?key=secret&%3Fkey=secret",
        "a=1;key=secret&;key=secret;b=2",
        "",
    ] {
        assert_eq!(without_credentials(query), "", "{query}");
    }
    assert_eq!(
        without_credentials("keys=1&key=2&monkey=3&a=1;b=key&c=?key=1"),
        "keys=1&monkey=3&a=1;b=key&c=?key=1"
    );
}

#[test]
fn percent_decoding() {
    assert_eq!(percent_decode("a%2Fb%2fc").unwrap(), "a/b/c");
    assert_eq!(percent_decode("100%").unwrap(), "100%");
    assert_eq!(percent_decode("%zz%4").unwrap(), "%zz%4");
    assert_eq!(percent_decode("%252F").unwrap(), "%2F");
    assert_eq!(percent_decode("%ff"), None);
}

proptest! {
    /// Whatever a model's name is, it stays one segment: the resulting path is the same call of the same model.
    #[test]
    fn a_model_stays_one_segment(model in ".{1,20}", query in "[a-z&=?%0-9]{0,12}") {
        for api in Api::ALL {
            let template = PathTemplate::new(api.schema(), None);
            let before = call(&api.path());
            let path = template.fill(&before, &model, &query);
            let after = call(split_query(&path).0);
            prop_assert_eq!(after.api, *api);
            if after.model.is_some() {
                prop_assert_eq!(after.model.as_deref(), Some(model.as_str()));
            }
        }
    }
}
