//! The router's errors: each has one stable code and is written in the caller's own format.

use serde_json::{Value, json};

use super::api::EventFormat;
use super::{Answer, Api, Schema};
use crate::request::{BodyKindError, ScanError};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident $code:literal $status:literal,)+) => {
        /// What went wrong with a request. docs/errors.md describes each code for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> u32 {
                match self { $(ErrorCode::$variant => $status,)+ }
            }
        }
    };
}

error_codes! {
    /// The request has no body.
    EmptyBody "empty_body" 400,
    /// The body is not UTF-8.
    InvalidUtf8 "invalid_utf8" 400,
    /// The body is not JSON.
    InvalidJson "invalid_json" 400,
    /// The body nests too deeply.
    NestingTooDeep "nesting_too_deep" 400,
    /// The body is not a JSON object.
    NotAnObject "not_an_object" 400,
    /// The body has no `model`.
    MissingModel "missing_model" 400,
    /// `model` is not a name.
    InvalidModel "invalid_model" 400,
    /// `stream` is not a boolean.
    InvalidStream "invalid_stream" 400,
    /// The body contains a field twice that routing reads.
    DuplicateField "duplicate_field" 400,
    /// The body is not a form.
    InvalidForm "invalid_form" 400,
    /// One of the router's own request headers has an invalid value.
    InvalidRouterHeader "invalid_router_header" 400,
    /// No target of the route speaks the caller's API.
    ApiNotSupported "api_not_supported" 400,
    /// The prompt fits no target's context window.
    ContextLengthExceeded "context_length_exceeded" 400,
    /// No target of the route may take the request.
    NoEligibleTarget "no_eligible_target" 400,
    /// The call refers to state that one backend has stored, and nothing says which one.
    StoredStateUnpinned "stored_state_unpinned" 400,
    /// There is no route, or no target, for this model.
    ModelNotFound "model_not_found" 404,
    /// There is no such path.
    PathNotFound "path_not_found" 404,
    /// A path to state that one provider has stored, without a route for it.
    StoredStateNotRouted "stored_state_not_routed" 404,
    /// A protocol upgrade without a route for it.
    UpgradeNotRouted "upgrade_not_routed" 404,
    /// The path accepts another method.
    MethodNotAllowed "method_not_allowed" 405,
    /// The body is compressed.
    UnsupportedEncoding "unsupported_encoding" 415,
    /// The API does not accept this content type.
    UnsupportedContentType "unsupported_content_type" 415,
    /// `allow_on_headers_stop_iteration` is missing.
    MissingEnvoySetting "missing_envoy_setting" 500,
    /// An attempt arrived at another backend's cluster.
    BackendMismatch "backend_mismatch" 500,
    /// Envoy: the request did not arrive in time.
    RequestTimeout "request_timeout" 408,
    /// Envoy: the body exceeds the buffer limit.
    RequestTooLarge "request_too_large" 413,
    /// Envoy: no healthy host.
    NoHealthyUpstream "no_healthy_upstream" 503,
    /// Envoy: no such cluster.
    ClusterNotFound "cluster_not_found" 503,
    /// Envoy: a circuit breaker is open.
    UpstreamOverflow "upstream_overflow" 503,
    /// Envoy: no connection.
    UpstreamUnreachable "upstream_unreachable" 503,
    /// Envoy: the connection broke before an answer.
    UpstreamReset "upstream_reset" 503,
    /// Envoy: no answer in time.
    UpstreamTimeout "upstream_timeout" 504,
    /// The backend ended its answer before it was finished.
    UpstreamIncomplete "upstream_incomplete" 502,
    /// No answer arrived by the request's deadline.
    DeadlineExceeded "deadline_exceeded" 504,
    /// Envoy: the backend's key is missing.
    BackendKeyMissing "backend_key_missing" 500,
    /// Envoy: anything else.
    ProxyError "proxy_error" 500,
}

impl From<ScanError> for ErrorCode {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Empty => ErrorCode::EmptyBody,
            ScanError::InvalidUtf8(_) => ErrorCode::InvalidUtf8,
            ScanError::InvalidJson(_) => ErrorCode::InvalidJson,
            ScanError::TooDeep(_) => ErrorCode::NestingTooDeep,
            ScanError::NotAnObject => ErrorCode::NotAnObject,
            ScanError::Duplicate(..) | ScanError::ChangedTwice(_) => ErrorCode::DuplicateField,
            ScanError::MissingModel => ErrorCode::MissingModel,
            ScanError::InvalidModel => ErrorCode::InvalidModel,
            ScanError::InvalidStream => ErrorCode::InvalidStream,
            ScanError::InvalidForm(..) => ErrorCode::InvalidForm,
        }
    }
}

impl From<BodyKindError> for ErrorCode {
    fn from(error: BodyKindError) -> Self {
        match error {
            BodyKindError::Encoding => ErrorCode::UnsupportedEncoding,
            BodyKindError::SeveralTypes | BodyKindError::Type(_) | BodyKindError::Charset => {
                ErrorCode::UnsupportedContentType
            }
            BodyKindError::Boundary => ErrorCode::InvalidForm,
        }
    }
}

impl ErrorCode {
    /// Returns the code for an answer that the router role sees, by its status and by `response.code_details`.
    /// Returns `None` if the router must not rewrite the answer, because it comes from a backend or from another
    /// filter.
    ///
    /// Source: Envoy's `StreamInfo::ResponseCodeDetails`; those of a reset are
    /// `upstream_reset_before_response_started{reason|transport failure}`. Answers of this filter have no details.
    pub fn from_envoy(status: u32, details: &str) -> Option<ErrorCode> {
        let (details, cause) = details.split_once('{').unwrap_or((details, ""));
        let is_connection = [
            "remote_connection_failure",
            "local_connection_failure",
            "connection_timeout",
        ]
        .iter()
        .any(|failure| cause.starts_with(failure));
        Some(match details {
            "" | "via_upstream" => return None,
            "no_healthy_upstream" => ErrorCode::NoHealthyUpstream,
            "cluster_not_found" => ErrorCode::ClusterNotFound,
            "request_payload_too_large" => ErrorCode::RequestTooLarge,
            "failed_to_inject_credential" => ErrorCode::BackendKeyMissing,
            _ if cause.starts_with("overflow") => ErrorCode::UpstreamOverflow,
            _ if is_connection => ErrorCode::UpstreamUnreachable,
            _ if details.starts_with("upstream_reset") => ErrorCode::UpstreamReset,
            _ => match status {
                408 => ErrorCode::RequestTimeout,
                504 => ErrorCode::UpstreamTimeout,
                500.. => ErrorCode::ProxyError,
                _ => return None,
            },
        })
    }

    /// The message for an answer that Envoy generated.
    pub fn envoy_message(self) -> &'static str {
        match self {
            ErrorCode::RequestTimeout => "The request did not arrive in time.",
            ErrorCode::RequestTooLarge => {
                "The body is larger than the limit of this gateway (request_body_buffer_limit)."
            }
            ErrorCode::NoHealthyUpstream => "No backend for this request is healthy right now.",
            ErrorCode::ClusterNotFound => {
                "The gateway has no cluster for the backend of this request."
            }
            ErrorCode::UpstreamOverflow => "The backend has too many requests in progress.",
            ErrorCode::UpstreamUnreachable => "No backend for this request could be reached.",
            ErrorCode::UpstreamReset => "The backend closed the connection before it answered.",
            ErrorCode::UpstreamTimeout => "The backend did not answer in time.",
            ErrorCode::BackendKeyMissing => {
                "The gateway has no key for the backend of this request."
            }
            _ => "The gateway could not complete this request.",
        }
    }

    /// The message for an answer that the filter generates, if there is nothing more specific to say.
    pub fn default_message(self) -> &'static str {
        match self {
            ErrorCode::BackendMismatch => {
                "The gateway is misconfigured: it sent this request to a different backend than planned."
            }
            ErrorCode::UpstreamIncomplete => "The backend ended its answer before it was finished.",
            ErrorCode::DeadlineExceeded => {
                "No backend answered before the deadline of this request."
            }
            _ => self.envoy_message(),
        }
    }

    /// The request's field that is at fault, for OpenAI's `param`.
    fn param(self) -> Option<&'static str> {
        match self {
            ErrorCode::MissingModel | ErrorCode::InvalidModel | ErrorCode::ModelNotFound => {
                Some("model")
            }
            ErrorCode::InvalidStream => Some("stream"),
            _ => None,
        }
    }

    /// Returns the answer in the caller's format.
    ///
    /// Sources: OpenAI's `ErrorResponse`, which Azure uses too; Anthropic's `ErrorResponse`, whose error types are a
    /// closed set and whose clients read the cause from `error.details.error_code`; Google's `Status` and
    /// `ErrorInfo`; AWS's restJson1 protocol, whose clients read the error's type from the header first.
    pub fn answer(self, schema: Schema, message: &str) -> Answer {
        let status = self.status();
        let body = match schema {
            Schema::OpenAi | Schema::AzureOpenAi => json!({"error": self.openai(message)}),
            Schema::Anthropic => json!({
                "type": "error",
                "error": {
                    "type": match status {
                        404 => "not_found_error",
                        413 => "request_too_large",
                        504 => "timeout_error",
                        503 => "overloaded_error",
                        400..500 => "invalid_request_error",
                        _ => "api_error",
                    },
                    "message": message,
                    "details": {"error_code": self.name()},
                },
            }),
            Schema::Gemini => json!({"error": {
                "code": status,
                "message": message,
                "status": match status {
                    404 => "NOT_FOUND",
                    408 | 504 => "DEADLINE_EXCEEDED",
                    502 | 503 => "UNAVAILABLE",
                    400..500 => "INVALID_ARGUMENT",
                    _ => "INTERNAL",
                },
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.name().to_ascii_uppercase(),
                    "domain": "llm-router",
                }],
            }}),
            Schema::Bedrock => json!({"message": message, "code": self.name()}),
        };
        let answer = Answer::json(status, &body).with_code(self);
        if schema != Schema::Bedrock {
            return answer;
        }
        let kind = match status {
            404 => "ResourceNotFoundException",
            408 | 504 => "ModelTimeoutException",
            503 => "ServiceUnavailableException",
            400..500 => "ValidationException",
            _ => "InternalServerException",
        };
        answer.with_header("x-amzn-errortype", kind)
    }

    /// Returns OpenAI's error object.
    fn openai(self, message: &str) -> Value {
        json!({
            "message": message,
            "type": if self.status() < 500 { "invalid_request_error" } else { "server_error" },
            "param": self.param(),
            "code": self.name(),
        })
    }

    /// Returns the data of an event that reports the error in a stream.
    pub(super) fn event(self, api: Api, message: &str) -> Vec<u8> {
        // The events of responses and similar APIs have a `type` and no object around the error's fields. This event
        // has both forms, because clients recognise either as an error.
        if api.event_format() == EventFormat::Typed {
            let error = self.openai(message);
            let event = json!({
                "type": "error",
                "code": self.name(),
                "message": message,
                "param": self.param(),
                "error": error,
            });
            return event.to_string().into_bytes();
        }
        self.answer(api.schema(), message).body
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
