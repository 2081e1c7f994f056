//! Reads what the path of a request says: the operation, and for some APIs the model and whether a stream is asked for.

use percent_encoding::percent_decode_str;

use super::api::Operation;

/// What a path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParsedPath {
    pub(crate) operation: Operation,
    /// The model, if the path names it.
    pub(crate) model: Option<String>,
    /// Whether the request asks for a stream, if the path tells.
    pub(crate) stream: Option<bool>,
}

/// Operations by the end of the path. Longer ends come before the shorter ones that they end with.
const BY_END: [(&str, Operation); 16] = [
    ("/chat/completions", Operation::Chat),
    ("/completions", Operation::Completions),
    ("/responses", Operation::Responses),
    ("/responses/input_tokens", Operation::ResponsesInputTokens),
    ("/responses/compact", Operation::ResponsesCompact),
    ("/embeddings", Operation::Embeddings),
    ("/images/generations", Operation::ImageGenerations),
    ("/images/edits", Operation::ImageEdits),
    ("/images/variations", Operation::ImageVariations),
    ("/audio/speech", Operation::Speech),
    ("/audio/transcriptions", Operation::Transcriptions),
    ("/audio/translations", Operation::Translations),
    ("/moderations", Operation::Moderations),
    ("/rerank", Operation::Rerank),
    ("/messages", Operation::Messages),
    ("/messages/count_tokens", Operation::CountTokens),
];

impl ParsedPath {
    /// Reads a path; `None` if it is not a model's.
    pub(crate) fn of(path: &str, query: &str) -> Option<ParsedPath> {
        ParsedPath::of_gemini(path, query)
            .or_else(|| ParsedPath::of_bedrock(path))
            .or_else(|| {
                let (_, operation) = BY_END.iter().find(|(end, _)| path.ends_with(end))?;
                Some(ParsedPath {
                    operation: *operation,
                    model: deployment(path),
                    stream: None,
                })
            })
    }

    /// Reads `…/models/MODEL:METHOD`.
    fn of_gemini(path: &str, query: &str) -> Option<ParsedPath> {
        let (_, rest) = path.rsplit_once("/models/")?;
        let (model, method) = rest.rsplit_once(':')?;
        let (operation, stream) = match method {
            "generateContent" => (Operation::Generate { sse: false }, false),
            "streamGenerateContent" => {
                let sse = query.split('&').any(|parameter| parameter == "alt=sse");
                (Operation::Generate { sse }, true)
            }
            "countTokens" => (Operation::GeminiCountTokens, false),
            "embedContent" => (Operation::EmbedContent, false),
            "batchEmbedContents" => (Operation::BatchEmbedContents, false),
            _ => return None,
        };
        Some(ParsedPath {
            operation,
            model: Some(decoded(model)),
            stream: Some(stream),
        })
    }

    /// Reads `/model/MODEL/METHOD`.
    fn of_bedrock(path: &str) -> Option<ParsedPath> {
        let (_, rest) = path.split_once("/model/")?;
        let (model, method) = rest.rsplit_once('/')?;
        let (operation, stream) = match method {
            "converse" => (Operation::Converse, false),
            "converse-stream" => (Operation::Converse, true),
            "invoke" => (Operation::Invoke, false),
            "invoke-with-response-stream" => (Operation::Invoke, true),
            _ => return None,
        };
        Some(ParsedPath {
            operation,
            model: Some(decoded(model)),
            stream: Some(stream),
        })
    }
}

/// Reads the model in an Azure path: `…/deployments/NAME/chat/completions`.
fn deployment(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/deployments/")?;
    rest.split('/').next().map(decoded)
}

fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_operation() {
        for (path, operation) in [
            ("/v1/chat/completions", Operation::Chat),
            ("/chat/completions", Operation::Chat),
            ("/v1/completions", Operation::Completions),
            ("/openai/v1/responses", Operation::Responses),
            ("/v1/responses/compact", Operation::ResponsesCompact),
            ("/v2/rerank", Operation::Rerank),
            ("/v1/messages", Operation::Messages),
            ("/anthropic/v1/messages", Operation::Messages),
            ("/v1/messages/count_tokens", Operation::CountTokens),
        ] {
            let expected = ParsedPath {
                operation,
                model: None,
                stream: None,
            };
            assert_eq!(ParsedPath::of(path, ""), Some(expected), "{path}");
        }
        for path in ["/v1/files", "/v1/responses/resp_1", "/v1/models/m", "/"] {
            assert_eq!(ParsedPath::of(path, ""), None, "{path}");
        }
    }

    #[test]
    fn the_path_tells_the_model() {
        let generate = |sse| Operation::Generate { sse };
        for (path, query, operation, model, stream) in [
            (
                "/openai/deployments/x%20y/chat/completions",
                "api-version=1",
                Operation::Chat,
                "x y",
                None,
            ),
            (
                "/v1beta/models/g:generateContent",
                "",
                generate(false),
                "g",
                Some(false),
            ),
            (
                "/v1beta/models/g:streamGenerateContent",
                "alt=sse&key=1",
                generate(true),
                "g",
                Some(true),
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent",
                "",
                generate(false),
                "g",
                Some(true),
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse",
                "",
                Operation::Converse,
                "arn:aws:bedrock::1:inference-profile/x",
                Some(false),
            ),
            (
                "/model/m:0/invoke-with-response-stream",
                "",
                Operation::Invoke,
                "m:0",
                Some(true),
            ),
        ] {
            let expected = ParsedPath {
                operation,
                model: Some(model.to_owned()),
                stream,
            };
            assert_eq!(ParsedPath::of(path, query), Some(expected), "{path}");
        }
        assert_eq!(ParsedPath::of("/v1beta/models/g:dance", ""), None);
    }
}
