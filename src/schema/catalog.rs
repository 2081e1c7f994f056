//! The models that clients can request, as `GET /v1/models` and `GET /v1/models/{id}` return them.

use serde_json::{Value, json};

use super::path::percent_decode;
use super::{Answer, ErrorCode, Schema};

/// The models that clients can request by name, fixed when the document is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Name and owner: a backend, or the router for virtual models.
    entries: Vec<(String, String)>,
}

impl Catalog {
    /// Adds a model, unless the name exists already.
    pub fn add(&mut self, name: &str, owner: &str) {
        if !self.entries.iter().any(|(known, _)| known == name) {
            self.entries.push((name.to_owned(), owner.to_owned()));
        }
    }

    /// Returns the names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the list in the caller's format.
    ///
    /// Sources: OpenAI's `ListModelsResponse`, which Azure's clients read too, Anthropic's `ListResponse` of
    /// `ModelInfo`, Gemini's `ListModelsResponse`. Bedrock's clients request its models at another address.
    pub fn list(&self, schema: Schema) -> Answer {
        let data: Vec<Value> = self
            .entries
            .iter()
            .map(|(name, owner)| entry(schema, name, owner))
            .collect();
        let body = match schema {
            Schema::OpenAi | Schema::AzureOpenAi | Schema::Bedrock => {
                json!({"object": "list", "data": data})
            }
            Schema::Gemini => json!({"models": data}),
            Schema::Anthropic => json!({
                "data": data,
                "first_id": self.entries.first().map(|(name, _)| name),
                "last_id": self.entries.last().map(|(name, _)| name),
                "has_more": false,
            }),
        };
        Answer::json(200, &body)
    }

    /// Returns one model by its percent-encoded name, in the caller's format.
    pub fn retrieve(&self, schema: Schema, encoded: &str) -> Answer {
        let name = percent_decode(encoded);
        let name = match (schema, &name) {
            // Gemini's lists give names with this prefix.
            (Schema::Gemini, Some(name)) => Some(name.strip_prefix(GEMINI_NAME).unwrap_or(name)),
            (_, name) => name.as_deref(),
        };
        let found = self
            .entries
            .iter()
            .find(|(known, _)| Some(known.as_str()) == name);
        match found {
            Some((name, owner)) => Answer::json(200, &entry(schema, name, owner)),
            None => ErrorCode::ModelNotFound.answer(schema, "There is no such model here."),
        }
    }
}

/// The prefix of model names in Gemini's lists.
const GEMINI_NAME: &str = "models/";

/// Formats a model. Neither the router nor the document knows when a model was created, so formats with a date get
/// the Unix epoch.
fn entry(schema: Schema, name: &str, owner: &str) -> Value {
    match schema {
        Schema::OpenAi | Schema::Bedrock => {
            json!({"id": name, "object": "model", "created": 0, "owned_by": owner})
        }
        Schema::AzureOpenAi => json!({
            "id": name,
            "object": "model",
            "created": 0,
            "created_at": 0,
            "owned_by": owner,
            "status": "succeeded",
        }),
        Schema::Gemini => json!({
            "name": format!("{GEMINI_NAME}{name}"),
            "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        }),
        Schema::Anthropic => json!({
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_retrieves() {
        let mut catalog = Catalog::default();
        catalog.add("fast", "llm-router");
        catalog.add("meta/llama 3", "local");
        catalog.add("fast", "openai");
        let text = |answer: Answer| String::from_utf8(answer.body).unwrap();
        assert_eq!(
            text(catalog.list(Schema::OpenAi)),
            r#"{"data":[{"created":0,"id":"fast","object":"model","owned_by":"llm-router"},{"created":0,"id":"meta/llama 3","object":"model","owned_by":"local"}],"object":"list"}"#
        );
        let anthropic = text(catalog.list(Schema::Anthropic));
        assert!(
            anthropic.contains(r#""last_id":"meta/llama 3""#),
            "{anthropic}"
        );
        assert_eq!(
            text(catalog.retrieve(Schema::Gemini, "fast")),
            r#"{"displayName":"fast","name":"models/fast","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}"#
        );
        assert_eq!(catalog.retrieve(Schema::Gemini, "models/fast").status, 200);
        assert!(text(catalog.list(Schema::Gemini)).starts_with(r#"{"models":[{"#));
        let azure = text(catalog.list(Schema::AzureOpenAi));
        assert!(azure.contains(r#""status":"succeeded""#), "{azure}");
        for encoded in ["meta%2Fllama%203", "meta/llama 3"] {
            assert_eq!(catalog.retrieve(Schema::OpenAi, encoded).status, 200);
        }
        assert_eq!(catalog.retrieve(Schema::Anthropic, "x").status, 404);
    }
}
