//! The answer that a client got, and what the backends saw of its request.

use llm_router::demo::backend::RecordedRequest;
use serde_json::Value;

use super::case::{Api, Case};

/// The headers that `response_headers: true` adds to answers.
const REPORT: [&str; 6] = [
    "x-llm-router-route",
    "x-llm-router-backend",
    "x-llm-router-model",
    "x-llm-router-attempts",
    "x-llm-router-failures",
    "x-llm-router-unretried",
];

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) case: Case,
    pub(crate) id: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn new(
        case: Case,
        id: String,
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
    ) -> Self {
        let answer = Self {
            case,
            id,
            status,
            headers,
            body,
        };
        // Only these Envoys report backends to callers.
        let name = &answer.case.envoy.name;
        let tells = name.starts_with("policy") || name.starts_with("small-retry-buffer");
        let internal = answer.headers.iter().find(|(name, _)| {
            name.starts_with("x-llm-router-") && !(tells && REPORT.contains(&name.as_str()))
        });
        assert!(
            internal.is_none(),
            "an internal header reached the client{}",
            answer.describe()
        );
        answer
    }

    /// Describes the answer for failure messages.
    pub(crate) fn describe(&self) -> String {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect();
        let body = String::from_utf8_lossy(
            self.body
                .get(..self.body.len().min(1000))
                .unwrap_or_default(),
        );
        format!(
            "\n--- {} was answered {}\n{}\n\n{body}\n{}",
            self.id,
            self.status,
            headers.join("\n"),
            self.case.envoy.log_tail()
        )
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "the status{}", self.describe());
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON: {error}{}", self.describe()))
    }

    /// Asserts an error of the router or of Envoy in the API's own format, without anything that confuses clients.
    #[track_caller]
    pub(crate) fn is_error(&self, api: Api, status: u16, code: &str) -> &Self {
        self.is(status);
        let body = self.json();
        let place = match api {
            Api::OpenAi => "/error/code",
            Api::Anthropic => "/error/details/error_code",
        };
        assert_eq!(
            body.pointer(place),
            Some(&Value::from(code)),
            "the code{}",
            self.describe()
        );
        for field in ["/error/message", "/error/type"] {
            let text = body
                .pointer(field)
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert!(!text.is_empty(), "{field}{}", self.describe());
        }
        match api {
            Api::OpenAi => assert!(
                body.get("type").is_none(),
                "not OpenAI's format{}",
                self.describe()
            ),
            Api::Anthropic => assert_eq!(
                body["type"],
                "error",
                "not Anthropic's format{}",
                self.describe()
            ),
        }
        let content_type = self.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("application/json"),
            "content-type{}",
            self.describe()
        );
        let length = self.header("content-length").unwrap_or_default();
        assert_eq!(
            length,
            self.body.len().to_string(),
            "content-length{}",
            self.describe()
        );
        self
    }

    /// Returns the attempts that reached a backend, in order: the backend, and what it saw.
    pub(crate) fn attempts(&self) -> Vec<(&'static str, SeenRequest)> {
        let requests = self.case.world.backends.requests(&self.id);
        requests
            .into_iter()
            .map(|(backend, request)| (backend, SeenRequest(request)))
            .collect()
    }

    /// Asserts that the attempts went to exactly these backends in this order, and returns what each of them saw.
    #[track_caller]
    pub(crate) fn went_to(&self, backends: &[&str]) -> Vec<SeenRequest> {
        let (names, seen): (Vec<_>, Vec<_>) = self.attempts().into_iter().unzip();
        assert_eq!(
            names,
            backends,
            "the backends that saw the request{}",
            self.describe()
        );
        seen
    }

    /// Asserts one attempt, answered with 200, at this backend, and returns what it saw.
    #[track_caller]
    pub(crate) fn only_at(&self, backend: &str) -> SeenRequest {
        self.is(200);
        self.went_to(&[backend]).remove(0)
    }

    /// Asserts that the headers report this backend, this number of attempts, and these failures before the last.
    #[track_caller]
    pub(crate) fn tells(&self, backend: Option<&str>, attempts: usize, failures: &[&str]) -> &Self {
        let told = |name: &str| self.header(&format!("x-llm-router-{name}"));
        let expected = (
            backend.map(str::to_owned),
            Some(attempts.to_string()),
            (!failures.is_empty()).then(|| failures.join(", ")),
        );
        let told_of = (told("backend"), told("attempts"), told("failures"));
        assert_eq!(
            told_of,
            expected,
            "backend, attempts and failures as the answer tells them{}",
            self.describe()
        );
        assert!(told("route").is_some(), "no route{}", self.describe());
        assert_eq!(
            told("model").is_some(),
            backend.is_some(),
            "the model{}",
            self.describe()
        );
        self
    }

    /// Asserts that no backend saw the request.
    #[track_caller]
    pub(crate) fn went_nowhere(&self) -> &Self {
        self.went_to(&[]);
        self
    }
}

/// What a backend saw.
pub(crate) struct SeenRequest(pub(crate) RecordedRequest);

impl SeenRequest {
    /// Returns all values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let headers = self
            .0
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name));
        headers.map(|(_, value)| value.as_slice()).collect()
    }

    /// Returns the only value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.values(name);
        assert!(
            values.len() <= 1,
            "{name} stands there {} times",
            values.len()
        );
        values
            .first()
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Whether any header has these bytes in its value.
    pub(crate) fn has_anywhere(&self, text: &str) -> bool {
        self.0.path.contains(text)
            || self
                .0
                .headers
                .iter()
                .any(|(_, value)| String::from_utf8_lossy(value).contains(text))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).expect("the backend got JSON")
    }

    #[track_caller]
    pub(crate) fn model(&self) -> String {
        self.json()["model"]
            .as_str()
            .expect("the backend got a model")
            .to_owned()
    }

    /// Asserts that the body arrived with its correct length and no other framing.
    #[track_caller]
    pub(crate) fn has_its_length(&self) -> &Self {
        let length = self.0.body.len().to_string();
        assert_eq!(
            self.header("content-length"),
            Some(length),
            "content-length at the backend"
        );
        assert_eq!(
            self.header("transfer-encoding"),
            None,
            "transfer-encoding at the backend"
        );
        self
    }
}
