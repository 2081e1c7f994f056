//! What access logs and traces can say of a request: an outcome, as texts by name.

use super::cost::dollars;
use super::outcome::{End, Outcome};
use crate::schema::Api;

/// A field: its name, and how it is told; `None`: it is not known, or does not apply.
pub type Field = (&'static str, fn(&Outcome) -> Option<String>);

/// All of them. Envoy has each as filter state `wasm.<name>`. Where OpenTelemetry's conventions for generative AI know
/// one, it has their name behind `gen_ai.`.
pub const FIELDS: [Field; 24] = [
    ("llm.route", |outcome| outcome.route.clone()),
    ("llm.decision", |outcome| Some(outcome.decision.to_owned())),
    ("llm.api", |outcome| {
        outcome.api.map(|api| api.name().to_owned())
    }),
    ("llm.operation.name", |outcome| {
        outcome.api.map(|api| operation(api).to_owned())
    }),
    ("llm.stream", |outcome| {
        outcome.api.map(|_| outcome.stream.to_string())
    }),
    ("llm.caller", |outcome| outcome.caller.clone()),
    ("llm.request.model", |outcome| outcome.model.clone()),
    ("llm.response.model", |outcome| {
        outcome.answered_model.clone()
    }),
    ("llm.backend", |outcome| {
        last(outcome, |last| last.backend.clone())
    }),
    ("llm.target.model", |outcome| {
        last(outcome, |last| last.model.clone())
    }),
    ("llm.verdict", |outcome| {
        last(outcome, |last| last.verdict.to_owned())
    }),
    ("llm.attempts", |outcome| {
        Some(outcome.attempts.len().to_string())
    }),
    ("llm.failures", failures),
    ("llm.error.type", |outcome| outcome.error.map(str::to_owned)),
    ("llm.end", |outcome| Some(outcome.end.name().to_owned())),
    ("llm.usage.input_tokens", |outcome| {
        number(outcome.usage.input)
    }),
    ("llm.usage.cache_read.input_tokens", |outcome| {
        number(outcome.usage.cached_input)
    }),
    ("llm.usage.cache_creation.input_tokens", |outcome| {
        number(outcome.usage.cache_write)
    }),
    ("llm.usage.output_tokens", |outcome| {
        number(outcome.usage.output)
    }),
    ("llm.usage.reasoning.output_tokens", |outcome| {
        number(outcome.usage.reasoning)
    }),
    ("llm.usage.estimated", |outcome| {
        (!outcome.usage.is_unknown()).then(|| outcome.is_estimated.to_string())
    }),
    ("llm.cost_usd", |outcome| outcome.cost.map(dollars)),
    ("llm.first_token_ms", |outcome| {
        number(outcome.first_token_ms)
    }),
    ("llm.decision_us", |outcome| {
        number(Some(outcome.decision_us).filter(|took| *took > 0))
    }),
];

fn number(number: Option<u64>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn last(outcome: &Outcome, told: impl Fn(&super::Attempted) -> String) -> Option<String> {
    outcome.attempts.last().map(told)
}

/// The attempts that failed, in order, as `backend=failure`.
fn failures(outcome: &Outcome) -> Option<String> {
    let failed = outcome.attempts.iter().filter(|one| one.is_failure());
    let failed: Vec<String> = failed
        .map(|one| format!("{}={}", one.backend, one.verdict))
        .collect();
    (!failed.is_empty()).then(|| failed.join(","))
}

/// What OpenTelemetry calls a call of this API; its own name where it has none for it.
pub const fn operation(api: Api) -> &'static str {
    match api {
        Api::ChatCompletions
        | Api::Messages
        | Api::Responses
        | Api::Converse
        | Api::ConverseStream => "chat",
        Api::Completions => "text_completion",
        Api::Embeddings => "embeddings",
        Api::GenerateContent | Api::StreamGenerateContent => "generate_content",
        other => other.name(),
    }
}

impl End {
    /// The stable name.
    pub fn name(self) -> &'static str {
        let mut all = End::ALL.iter();
        let found = all.find(|(_, end)| *end == self);
        found.map_or("", |(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_docs_is_the_code() {
        let docs = include_str!("../../docs/telemetry.md");
        let (_, table) = docs.split_once("<!-- table: fields -->\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        let fields = FIELDS.map(|(name, _)| format!("wasm.{name}"));
        assert_eq!(documented, fields);
        let (_, table) = docs.split_once("<!-- table: ends -->\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(documented, End::ALL.map(|(name, _)| name));
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let unknown = Outcome::default();
        let told = FIELDS.iter().filter(|(_, told)| told(&unknown).is_some());
        let told: Vec<&str> = told.map(|(name, _)| *name).collect();
        assert_eq!(told, ["llm.decision", "llm.attempts", "llm.end"]);
    }
}
