//! What a request asks of a backend: which API, which model, streamed or whole, which tool.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::value::RawValue;

use super::record::Recorded;

/// The APIs that a demo backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

/// A request that a backend can answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// `stream_options.include_usage`, which only OpenAI knows.
    pub(crate) include_usage: bool,
    /// The tool to call in the answer.
    pub(crate) tool: Option<Tool>,
}

/// A tool that the request offers, with arguments that its schema accepts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// Why a backend does not answer a request, in the format of this API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) api: Api,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Call {
    /// Reads a request as the two APIs define it.
    pub(crate) fn read(request: &Recorded) -> Result<Call, Refusal> {
        let path = request
            .path
            .split_once('?')
            .map_or(request.path.as_str(), |(path, _)| path);
        let (api, known) = if path.ends_with("/chat/completions") {
            (Api::OpenAi, true)
        } else if path.ends_with("/messages") {
            (Api::Anthropic, true)
        } else if request.header("anthropic-version").is_some() {
            (Api::Anthropic, false)
        } else {
            (Api::OpenAi, false)
        };
        let refuse = |status, message: String| Refusal {
            api,
            status,
            message,
        };
        if !known {
            return Err(refuse(
                StatusCode::NOT_FOUND,
                format!("Invalid URL ({} {path})", request.method),
            ));
        }
        if request.method != "POST" {
            return Err(refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{} is not allowed on {path}", request.method),
            ));
        }
        let body = match Body::parse(&request.body) {
            Ok(body) => body,
            Err(error) => {
                return Err(refuse(
                    StatusCode::BAD_REQUEST,
                    format!("The body is no JSON object: {error}"),
                ));
            }
        };
        let model = match body.get("model") {
            Some(Value::String(model)) => Some(model),
            _ => deployment(path).map(str::to_owned),
        };
        let Some(model) = model else {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "you must provide a model parameter".to_owned(),
            ));
        };
        Ok(Call {
            api,
            model,
            stream: body.get("stream") == Some(Value::Bool(true)),
            include_usage: body
                .get("stream_options")
                .is_some_and(|options| options.get("include_usage") == Some(&Value::Bool(true))),
            tool: tool_to_call(api, &body),
        })
    }
}

/// A body's own fields, each still as it was sent: what no one asks for may be as odd as it likes (a lone surrogate, a
/// number that no machine holds, a thousand arrays in one another) and does not keep the request from being answered.
struct Body<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Body<'a> {
    fn parse(body: &'a [u8]) -> serde_json::Result<Body<'a>> {
        serde_json::from_slice(body).map(Body)
    }

    /// A field, if it is there and can be read.
    fn get(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn last_message(&self) -> Option<Value> {
        let messages: Vec<&RawValue> = serde_json::from_str(self.0.get("messages")?.get()).ok()?;
        serde_json::from_str(messages.last()?.get()).ok()
    }
}

/// Azure names the model in the path: `…/deployments/NAME/chat/completions`.
fn deployment(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/deployments/")?;
    rest.split('/').next()
}

/// The first tool, unless the request forbids tools or brings a tool's result.
fn tool_to_call(api: Api, body: &Body<'_>) -> Option<Tool> {
    let tools = body.get("tools")?;
    let choice = body.get("tool_choice").unwrap_or_default();
    let choice = match api {
        Api::OpenAi => Some(&choice),
        Api::Anthropic => choice.get("type"),
    };
    let forbidden = choice.and_then(Value::as_str) == Some("none");
    let answered = body
        .last_message()
        .is_some_and(|message| is_tool_result(api, &message));
    if forbidden || answered {
        return None;
    }
    let first = tools.as_array()?.first()?;
    let (tool, schema) = match api {
        Api::OpenAi => (first.get("function")?, "parameters"),
        Api::Anthropic => (first, "input_schema"),
    };
    Some(Tool {
        name: tool.get("name")?.as_str()?.to_owned(),
        arguments: arguments(tool.get(schema)),
    })
}

fn is_tool_result(api: Api, message: &Value) -> bool {
    match api {
        Api::OpenAi => message.get("role").and_then(Value::as_str) == Some("tool"),
        Api::Anthropic => message
            .get("content")
            .and_then(Value::as_array)
            .is_some_and(|parts| {
                parts
                    .iter()
                    .any(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"))
            }),
    }
}

/// The least that a JSON schema of an object asks for: its required properties, each with a value of its type.
fn arguments(schema: Option<&Value>) -> Value {
    let required = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Value::as_array);
    let properties = schema.and_then(|schema| schema.get("properties"));
    let filled = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| {
            let property = properties.and_then(|properties| properties.get(name));
            (name.to_owned(), example(property))
        })
        .collect();
    Value::Object(filled)
}

fn example(property: Option<&Value>) -> Value {
    let first_choice = property
        .and_then(|property| property.get("enum"))
        .and_then(Value::as_array)
        .and_then(|choices| choices.first());
    if let Some(choice) = first_choice {
        return choice.clone();
    }
    match property
        .and_then(|property| property.get("type"))
        .and_then(Value::as_str)
    {
        Some("integer" | "number") => Value::from(1),
        Some("boolean") => Value::Bool(true),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => arguments(property),
        _ => Value::from("demo"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::super::record::Answered;
    use super::*;

    fn request(method: &str, path: &str, body: &str) -> Recorded {
        Recorded {
            version: "HTTP/1.1".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            authority: String::new(),
            headers: Vec::new(),
            trailers: Vec::new(),
            body: body.as_bytes().to_vec(),
            at: Instant::now(),
            answer: Answered::default(),
        }
    }

    fn refusal(method: &str, path: &str, body: &str) -> (Api, u16) {
        let refusal = Call::read(&request(method, path, body)).unwrap_err();
        (refusal.api, refusal.status.as_u16())
    }

    #[test]
    fn the_paths_end_tells_the_api() {
        let body = r#"{"model": "m"}"#;
        for (path, api) in [
            ("/v1/chat/completions", Api::OpenAi),
            ("/chat/completions?key=1", Api::OpenAi),
            (
                "/openai/deployments/x/chat/completions?api-version=1",
                Api::OpenAi,
            ),
            ("/v1/messages", Api::Anthropic),
            ("/anthropic/v1/messages", Api::Anthropic),
        ] {
            assert_eq!(
                Call::read(&request("POST", path, body)).unwrap().api,
                api,
                "{path}"
            );
        }
    }

    #[test]
    fn a_deployment_stands_in_for_the_model() {
        let call = Call::read(&request(
            "POST",
            "/openai/deployments/x/chat/completions",
            "{}",
        ));
        assert_eq!(call.unwrap().model, "x");
    }

    #[test]
    fn what_cannot_be_answered() {
        assert_eq!(refusal("POST", "/v1/embeddings", "{}"), (Api::OpenAi, 404));
        assert_eq!(refusal("GET", "/v1/messages", ""), (Api::Anthropic, 405));
        assert_eq!(refusal("POST", "/v1/messages", "{"), (Api::Anthropic, 400));
        assert_eq!(
            refusal("POST", "/v1/chat/completions", "[]"),
            (Api::OpenAi, 400)
        );
        assert_eq!(
            refusal("POST", "/v1/chat/completions", "{}"),
            (Api::OpenAi, 400)
        );
    }

    #[test]
    fn odd_bodies_are_answered() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for odd in [r#""\ud800""#, "1e999", deep.as_str()] {
            let body =
                format!(r#"{{"x": {odd}, "model": "m", "messages": [{{"content": {odd}}}]}}"#);
            let call = Call::read(&request("POST", "/v1/messages", &body));
            assert_eq!(call.unwrap().model, "m");
        }
    }

    #[test]
    fn required_properties_are_filled() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer"},
                "where": {"type": "object", "properties": {"at": {"type": "array"}}, "required": ["at"]},
                "not_required": {"type": "string"}
            },
            "required": ["city", "unit", "days", "where"]
        });
        assert_eq!(
            arguments(Some(&schema)),
            json!({"city": "demo", "unit": "celsius", "days": 1, "where": {"at": []}})
        );
        assert_eq!(arguments(None), json!({}));
    }

    #[test]
    fn a_tool_is_called_once() {
        let tools = r#""tools": [{"type": "function", "function": {"name": "weather"}}]"#;
        let asked = format!(r#"{{"model": "m", {tools}, "messages": [{{"role": "user"}}]}}"#);
        let told = format!(r#"{{"model": "m", {tools}, "messages": [{{"role": "tool"}}]}}"#);
        let none = format!(r#"{{"model": "m", {tools}, "tool_choice": "none"}}"#);
        let tool = |body: &str| {
            Call::read(&request("POST", "/v1/chat/completions", body))
                .unwrap()
                .tool
        };
        assert_eq!(tool(&asked).unwrap().name, "weather");
        assert_eq!(tool(&told), None);
        assert_eq!(tool(&none), None);
    }
}
