//! Reads what a request asks of a backend: the API, the model, a whole answer or a stream, and the tool.

use axum::http::StatusCode;
use serde_json::Value;

use super::api::{Api, Operation};
use super::fields::Fields;
use super::path::ParsedPath;
use super::record::RecordedRequest;
use super::tool::{self, Tool};

/// A request that a backend can answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) operation: Operation,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// `stream_options.include_usage`, which only OpenAI has.
    pub(crate) include_usage: bool,
    /// The tool to call in the answer.
    pub(crate) tool: Option<Tool>,
    /// The value of the answer's text, if a JSON schema asks for one.
    pub(crate) structured: Option<Value>,
    /// The other fields of the request.
    pub(crate) fields: Fields,
}

/// Why a backend does not answer a request, in the format of this API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) api: Api,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Call {
    /// Reads a request as its API defines it.
    pub(crate) fn read(request: &RecordedRequest) -> Result<Call, Refusal> {
        let (path, query) = request.path_and_query();
        let parsed = ParsedPath::of(path, query);
        let api = match &parsed {
            Some(parsed) => parsed.operation.api(),
            None => Api::guess(path, request.header("anthropic-version").is_some()),
        };
        let refuse = |status, message: String| Refusal {
            api,
            status,
            message,
        };
        let Some(parsed) = parsed else {
            return Err(refuse(
                StatusCode::NOT_FOUND,
                format!("Invalid URL ({} {path})", request.method),
            ));
        };
        if request.method != "POST" {
            return Err(refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{} is not allowed on {path}", request.method),
            ));
        }
        let operation = parsed.operation;
        let fields =
            Fields::read(request).map_err(|message| refuse(StatusCode::BAD_REQUEST, message))?;
        // If both name a model, the body's counts: a deployment's name only tells where the request was sent.
        let model = match parsed.stream {
            None => fields.text("model").or(parsed.model),
            Some(_) => parsed.model,
        };
        let Some(model) = model else {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "you must provide a model parameter".to_owned(),
            ));
        };
        Ok(Call {
            api,
            operation,
            model,
            stream: parsed.stream.unwrap_or_else(|| streams(operation, &fields)),
            include_usage: fields
                .get("stream_options")
                .is_some_and(|options| options.get("include_usage") == Some(&Value::Bool(true))),
            tool: tool::tool_to_call(operation, &fields),
            structured: tool::structured(operation, &fields),
            fields,
        })
    }
}

fn streams(operation: Operation, fields: &Fields) -> bool {
    if operation == Operation::Speech {
        return fields.text("stream_format").as_deref() == Some("sse");
    }
    operation.streams() && fields.flag("stream")
}

#[cfg(test)]
mod tests {
    use super::super::record::test_request;
    use super::*;

    fn refusal(method: &str, path: &str, body: &str) -> (Api, u16) {
        let refusal = Call::read(&test_request(method, path, body)).unwrap_err();
        (refusal.api, refusal.status.as_u16())
    }

    fn call(path: &str, body: &str) -> Call {
        Call::read(&test_request("POST", path, body)).unwrap()
    }

    #[test]
    fn a_deployment_stands_in_for_the_model() {
        let path = "/openai/deployments/x/chat/completions?api-version=1";
        assert_eq!(call(path, "{}").model, "x");
        assert_eq!(call(path, r#"{"model": "y"}"#).model, "y");
    }

    #[test]
    fn a_path_that_names_the_model_is_believed() {
        let body = r#"{"model": "other", "stream": true}"#;
        let call = call("/v1beta/models/g:generateContent", body);
        assert_eq!((call.model.as_str(), call.stream), ("g", false));
    }

    #[test]
    fn what_streams() {
        let body = r#"{"model": "m", "stream": true, "stream_format": "sse"}"#;
        for (path, streams) in [
            ("/v1/chat/completions", true),
            ("/v1/responses", true),
            ("/v1/images/edits", true),
            ("/v1/audio/speech", true),
            ("/v1/messages", true),
            ("/v1/embeddings", false),
            ("/v1/messages/count_tokens", false),
        ] {
            assert_eq!(call(path, body).stream, streams, "{path}");
        }
        let whole = r#"{"model": "m", "stream": false}"#;
        assert!(!call("/v1/audio/speech", whole).stream);
    }

    #[test]
    fn what_cannot_be_answered() {
        for (method, path, body, api, status) in [
            ("POST", "/v1/engines", "{}", Api::OpenAi, 404),
            ("POST", "/v1beta/engines", "{}", Api::Gemini, 404),
            ("POST", "/model/m/explain", "{}", Api::Bedrock, 404),
            ("GET", "/v1/messages", "", Api::Anthropic, 405),
            ("POST", "/v1/messages", "{", Api::Anthropic, 400),
            ("POST", "/v1/chat/completions", "[]", Api::OpenAi, 400),
            ("POST", "/v1/chat/completions", "{}", Api::OpenAi, 400),
        ] {
            assert_eq!(refusal(method, path, body), (api, status), "{path}");
        }
    }

    #[test]
    fn odd_bodies_are_answered() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for odd in [r#""\ud800""#, "1e999", deep.as_str()] {
            let body =
                format!(r#"{{"x": {odd}, "model": "m", "messages": [{{"content": {odd}}}]}}"#);
            assert_eq!(call("/v1/messages", &body).model, "m");
        }
    }
}
