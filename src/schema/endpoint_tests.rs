//! Tests of paths as clients send them, and of malformed ones.

use proptest::prelude::*;

use super::super::PathTemplate;
use super::*;

/// Describes the endpoint at a path as text.
fn at(path: &str) -> String {
    match Endpoint::at(path) {
        None => "nothing".to_owned(),
        Some(Endpoint::ListModels) => "models".to_owned(),
        Some(Endpoint::RetrieveModel(name)) => format!("model {name}"),
        Some(Endpoint::Model(call)) => {
            let model = call.model.map(|model| format!(" of {model}"));
            format!(
                "{} {}{}",
                call.schema.name(),
                call.api.name(),
                model.unwrap_or_default()
            )
        }
    }
}

#[test]
fn endpoints_by_path() {
    for (path, expected) in [
        ("/v1/chat/completions", "openai chat_completions"),
        ("/v1/messages", "anthropic messages"),
        ("/v1/messages/count_tokens", "anthropic count_tokens"),
        ("/v1/models", "models"),
        ("/v1/models/a%2Fb", "model a%2Fb"),
        ("/v1/models/meta/llama", "model meta/llama"),
        ("/v1/models/llama3:8b", "model llama3:8b"),
        ("/rerank", "openai rerank"),
        ("/v2/rerank", "openai rerank"),
        (
            "/openai/v1/chat/completions",
            "azure-openai chat_completions",
        ),
        ("/openai/responses", "azure-openai responses"),
        ("/openai/v1/models", "models"),
        ("/openai/models/x", "model x"),
        (
            "/openai/deployments/gpt-4o/chat/completions",
            "azure-openai chat_completions of gpt-4o",
        ),
        (
            "/openai/deployments/a/b%2Fc/completions",
            "azure-openai completions of a/b/c",
        ),
        (
            "/v1beta/models/gemini-2.5-pro:generateContent",
            "gemini generate_content of gemini-2.5-pro",
        ),
        (
            "/v1/models/a%2Fb:8b:streamGenerateContent",
            "gemini stream_generate_content of a/b:8b",
        ),
        ("/v1beta/models", "models"),
        ("/v1beta/models/m", "model m"),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m-v1%3A0/converse",
            "bedrock converse of arn:aws:bedrock:us-east-1:1:inference-profile/us.m-v1:0",
        ),
        (
            "/model/m/invoke-with-response-stream",
            "bedrock invoke_stream of m",
        ),
        // Encoded text is part of the model, whatever it says.
        ("/model/m%2Finvoke/converse", "bedrock converse of m/invoke"),
        (
            "/model/m%252Finvoke/converse",
            "bedrock converse of m%2Finvoke",
        ),
        ("/model/%ff/converse", "bedrock converse of "),
    ] {
        assert_eq!(at(path), expected, "{path}");
    }
    for path in [
        "/v1/models/",
        "/v1/modelsx",
        "/v1/chat/completions/",
        "/v1/chat%2Fcompletions",
        "/v1/Chat/completions",
        "/chat/completions",
        "/v1/converse",
        "/v1/:generateContent",
        "/v1beta/chat/completions",
        "/v2/chat/completions",
        "/openai/v1/messages",
        "/openai/deployments/m/messages",
        "/openai/deployments//chat/completions",
        "/openai/deployments/completions",
        "/v1beta/models/:generateContent/x",
        "/model/converse",
        "/model/m%2Fconverse",
        "/model/m/count-tokens",
        "/",
        "",
    ] {
        let what = at(path);
        assert!(
            what == "nothing" || path == "/v1beta/models/:generateContent/x",
            "{path}: {what}"
        );
    }
    // A method that is not known is not a call.
    assert_eq!(at("/v1beta/models/m:embedContent"), "model m:embedContent");
}

#[test]
fn a_name_is_no_piece_of_a_path() {
    for name in ["a", "a/b", "arn:aws:b:c/d", "..a", "a..", "\u{fc}", "a//b"] {
        assert!(is_model_name(name), "{name}");
    }
    for name in [
        "", ".", "..", "a/../b", "../a", "a/.", "a\\..\\b", "a\0", "a\n",
    ] {
        assert!(!is_model_name(name), "{name:?}");
    }
    assert!(!is_model_name(&"a".repeat(MAX_MODEL_BYTES + 1)));
}

#[test]
fn who_asks() {
    let with = |path: &str, header: &str| {
        let headers = Headers::new(vec![(header.to_owned(), b"x".to_vec())]);
        caller_schema(path, &headers)
    };
    for (path, header, expected) in [
        ("/v1/models", "accept", Schema::OpenAi),
        ("/v1/models", "anthropic-version", Schema::Anthropic),
        ("/v1/models", "x-goog-api-key", Schema::Gemini),
        ("/v1beta/files", "accept", Schema::Gemini),
        ("/upload/v1beta/files", "accept", Schema::Gemini),
        ("/openai/files", "accept", Schema::AzureOpenAi),
        ("/model/x/y", "accept", Schema::Bedrock),
    ] {
        assert_eq!(with(path, header), expected, "{path} {header}");
    }
}

#[test]
fn what_is_stored() {
    for path in [
        "/v1/responses/resp_1",
        "/v1/files",
        "/openai/files/x",
        "/openai/v1/batches",
        "/v1beta/cachedContents/x",
        "/upload/v1beta/files",
        "/v1/messages/batches/x",
        "/v1/chat/completions/id",
        "/async-invoke/x",
    ] {
        assert!(is_stored_state(path), "{path}");
    }
    for path in [
        "/v1/filesx",
        "/",
        "",
        "/v1",
        "/v1/chat/completions/",
        "/v1/messages/x",
        "/health",
        "/v3/files",
        "files",
    ] {
        assert!(!is_stored_state(path), "{path}");
    }
}

#[test]
fn what_lenient_servers_read_otherwise() {
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat%2fcompletion%73",
        "/v1\\chat\\completions",
        "/V1/Chat/Completions",
        "/v1/chat/completions;x=1",
        "/v1/chat;x/completions",
        "/v1/chat/completions%20",
        "/v1/chat/completions%3Fx",
        "/v1/chat/completions%23",
        "/openai/v1/responses/",
        "/openai/Deployments/m/embeddings/",
        "/rerank/",
        "/v1beta/models/m:generatecontent",
        "/v1beta/models/m%3AgenerateContent",
        "/model/m/converse/",
        "/v1/messages",
    ] {
        assert!(is_ambiguous(path, "POST"), "{path}");
        assert!(!is_ambiguous(path, "GET"), "{path}");
    }
    for path in [
        "/v1/files/../chat/completions",
        "/v1/files/..%2fassistants/asst_1",
        "/v1/files/%2e%2e/x",
        "/v1/files/..\\x",
        "/v1/files/..;/x",
        "/v1/files/%2E%2E%3B/x",
        "/v1/files/..%20/x",
        "/v1/./files",
        "/v1/files/%ff/..%2fx",
        "..",
    ] {
        for method in ["POST", "GET", "DELETE"] {
            assert!(is_ambiguous(path, method), "{method} {path}");
        }
    }
    for path in [
        "/v1/files",
        "/v1/files/",
        "/v1/files//x",
        "/v1/responses/resp_1/cancel",
        "/v1/chat/completions/id",
        "/v1/files/v1..v2/...",
        "/async-invoke/arn%3Aaws%3Abedrock%3Ar%3A1%3Aasync-invoke%2Fx",
        "/v1beta/models/m:batchEmbedContents",
        "/of/another/api/chat/completions",
        "/app%ff",
        "/",
        "",
    ] {
        assert!(!is_ambiguous(path, "POST"), "{path}");
    }
}

/// Texts that resemble paths more often than random ones.
fn paths() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/",
        "v1",
        "v1beta",
        "openai",
        "deployments",
        "model",
        "models",
        "chat/completions",
        "messages",
        ":generateContent",
        ":",
        "converse",
        "invoke",
        "rerank",
        "..",
        ".",
        "%2F",
        "%2f",
        "%2e%2e",
        "%",
        "%ff",
        "m",
        "\u{fc}",
        "\\",
        "?",
        "#",
        "\0",
    ]);
    prop::collection::vec(pieces, 0..9).prop_map(|pieces| format!("/{}", pieces.join("/")))
}

proptest! {
    #[test]
    fn arbitrary_paths_never_panic(path: String) {
        let _ = at(&path);
        let _ = is_stored_state(&path);
        let _ = is_ambiguous(&path, "POST");
        let _ = is_model_name(&path);
    }

    /// A call stays the same call of the same model when its path is rebuilt, and no path becomes a call by being
    /// decoded.
    #[test]
    fn no_path_becomes_another_apis(path in paths()) {
        if let Some(Endpoint::Model(call)) = Endpoint::at(&path) {
            prop_assert!(path.ends_with(call.api.operation()), "{}", path);
            let template = PathTemplate::new(call.api.schema(), None);
            let model = call.model.clone().unwrap_or_default();
            let is_in_path = call.api.model_location() == ModelLocation::Path;
            // A name that is not valid text was refused before.
            prop_assume!(!is_in_path || is_model_name(&model));
            let anew = template.fill(&call, &model, "");
            let Some(Endpoint::Model(again)) = Endpoint::at(&anew) else {
                panic!("{path} {anew}");
            };
            prop_assert_eq!(again.api, call.api, "{} {}", path, anew);
            if is_in_path {
                prop_assert_eq!(again.model, call.model, "{} {}", path, anew);
            }
        }
    }
}
