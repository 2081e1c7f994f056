//! Detects whether a request asks a model to reason before it answers.

use super::Content;

/// The fields that ask for reasoning, each with the value that turns it off. In this order: OpenAI's chat completions;
/// OpenAI's responses; Anthropic's messages, also at Bedrock; Gemini's; Bedrock's conversations with Anthropic's and
/// Amazon's models.
const FIELDS: [(&str, &[u8]); 7] = [
    ("reasoning_effort", b"\"none\""),
    ("reasoning.effort", b"\"none\""),
    ("thinking.type", b"\"disabled\""),
    ("generationConfig.thinkingConfig.thinkingBudget", b"0"),
    ("generationConfig.thinkingConfig.thinkingLevel", b""),
    (
        "additionalModelRequestFields.thinking.type",
        b"\"disabled\"",
    ),
    (
        "additionalModelRequestFields.reasoningConfig.type",
        b"\"disabled\"",
    ),
];

impl Content<'_> {
    /// Whether the model is asked to reason, by the fields of any API.
    pub fn wants_reasoning(&self) -> bool {
        FIELDS.iter().any(|(path, none)| {
            let value = self.field(path);
            value.is_some_and(|value| value != b"null" && value != *none)
        })
    }
}
