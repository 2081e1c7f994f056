//! Sample calls of each API as its clients make them, and the error formats that these clients expect.

use llm_router::schema::{Api, ModelLocation, Schema};
use serde_json::Value;

use crate::harness::{Answer, Call, Case};

/// The kind of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Json,
    Form,
}

impl Kind {
    /// Returns the kinds of body that an API accepts.
    pub(super) fn of(api: Api) -> &'static [Kind] {
        match api.model_location() {
            ModelLocation::Json | ModelLocation::Path => &[Kind::Json],
            ModelLocation::Form => &[Kind::Form],
            ModelLocation::JsonOrForm => &[Kind::Json, Kind::Form],
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Kind::Json => "application/json",
            Kind::Form => "multipart/form-data; boundary=XX",
        }
    }

    /// Returns a body with oddities that a library would normalize.
    pub(super) fn body(self, model: Option<&str>) -> Vec<u8> {
        match (self, model) {
            (Kind::Json, None) => b" {\"first\" :\"\\u00fc\\/\", \"n\":1.0E+2 }\n".to_vec(),
            (Kind::Json, Some(model)) => [
                b" {\"first\" :\"\\u00fc\\/\", \"model\" :  \"".as_slice(),
                model.as_bytes(),
                b"\",\"n\":1.0E+2 }\n",
            ]
            .concat(),
            (Kind::Form, model) => form(model),
        }
    }
}

fn form(model: Option<&str>) -> Vec<u8> {
    let file = b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n\x00\xff--X\r\nmodel\r\n";
    let mut body = file.to_vec();
    if let Some(model) = model {
        body.extend(b"--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n");
        body.extend(model.as_bytes());
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

/// Encodes a model as a segment of a path.
pub(super) fn encoded(model: &str) -> String {
    let each = model.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    each.collect()
}

/// Returns the API's first path, for this model.
pub(super) fn path(api: Api, model: &str) -> String {
    api.path().replace("{model}", &encoded(model))
}

/// Returns the body of a call; it names the model unless the path does.
pub(super) fn body(api: Api, kind: Kind, model: &str) -> Vec<u8> {
    kind.body((api.model_location() != ModelLocation::Path).then_some(model))
}

/// Makes a call of this model.
pub(super) fn call(case: &Case, api: Api, kind: Kind, model: &str) -> Call {
    at(case, &path(api, model), kind, body(api, kind, model))
}

pub(super) fn at(case: &Case, path: &str, kind: Kind, body: impl Into<Vec<u8>>) -> Call {
    case.request("POST", path)
        .header("content-type", kind.content_type())
        .piece(body)
}

/// Returns the harness's backend that speaks the API; `-two` selects the second one.
pub(super) fn backend(api: Api, which: &str) -> String {
    format!("echo-{}{which}", api.schema().name())
}

/// Asserts that the answer is an error in the format of this schema.
#[track_caller]
pub(super) fn is_error(answer: &Answer, schema: Schema, status: u16, code: &str) {
    answer.is(status);
    let body = answer.json();
    let text = |place: &str| {
        let text = body.pointer(place).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (told, message, kind) = match schema {
        Schema::OpenAi | Schema::AzureOpenAi => ("/error/code", "/error/message", "/error/type"),
        Schema::Anthropic => ("/error/details/error_code", "/error/message", "/error/type"),
        Schema::Gemini => ("/error/details/0/reason", "/error/message", "/error/status"),
        Schema::Bedrock => ("/code", "/message", "/message"),
    };
    let told = text(told);
    if schema == Schema::Gemini {
        assert_eq!(told, code.to_ascii_uppercase(), "{}", answer.describe());
        assert_eq!(body["error"]["code"], status, "{}", answer.describe());
    } else {
        assert_eq!(told, code, "{}", answer.describe());
    }
    assert_eq!(
        answer.header("x-amzn-errortype").is_some(),
        schema == Schema::Bedrock,
        "{}",
        answer.describe()
    );
    assert_eq!(
        body.get("type").is_some(),
        schema == Schema::Anthropic,
        "{}",
        answer.describe()
    );
    for place in [message, kind] {
        assert!(!text(place).is_empty(), "{place}{}", answer.describe());
    }
}
