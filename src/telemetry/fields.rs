//! The fields of an outcome as text by name, for access logs and traces.

use std::borrow::Cow;

use super::cost::dollars;
use super::outcome::{AnswerEnd, AttemptSummary, Outcome};
use crate::schema::Api;

/// The stage from which on a field of an outcome is known and no longer changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The router has decided where the request goes.
    Decided,
    /// The headers of an answer have arrived that will not be retried any more.
    Answering,
    /// The request is over.
    Over,
}

/// A field that access logs and traces can show.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeField {
    /// The field's name. Envoy has it as filter state `wasm.<name>`.
    pub name: &'static str,
    /// The stage from which on the field is known.
    pub stage: Stage,
    /// Returns the field's value; `None` if it is not known or does not apply.
    pub value: fn(&Outcome) -> Option<Cow<'_, str>>,
}

const fn field(
    name: &'static str,
    stage: Stage,
    value: fn(&Outcome) -> Option<Cow<'_, str>>,
) -> OutcomeField {
    OutcomeField { name, stage, value }
}

const fn decided(name: &'static str, value: fn(&Outcome) -> Option<Cow<'_, str>>) -> OutcomeField {
    field(name, Stage::Decided, value)
}

const fn answering(
    name: &'static str,
    value: fn(&Outcome) -> Option<Cow<'_, str>>,
) -> OutcomeField {
    field(name, Stage::Answering, value)
}

const fn over(name: &'static str, value: fn(&Outcome) -> Option<Cow<'_, str>>) -> OutcomeField {
    field(name, Stage::Over, value)
}

/// All fields, ordered by their stage. A field that OpenTelemetry's conventions for generative AI define has the name
/// that follows `gen_ai.` there.
pub const FIELDS: [OutcomeField; 24] = [
    decided("llm.route", |outcome| text(outcome.route.as_ref())),
    decided("llm.decision", |outcome| Some(outcome.decision.into())),
    decided("llm.api", |outcome| {
        outcome.api.map(|api| api.name().into())
    }),
    decided("llm.operation.name", |outcome| {
        outcome.api.map(|api| operation(api).into())
    }),
    decided("llm.stream", |outcome| {
        outcome.api.map(|_| truth(outcome.stream))
    }),
    decided("llm.caller", |outcome| text(outcome.caller.as_ref())),
    decided("llm.request.model", |outcome| text(outcome.model.as_ref())),
    decided("llm.decision_us", |outcome| {
        number(Some(outcome.decision_us).filter(|took| *took > 0))
    }),
    answering("llm.backend", |outcome| {
        last(outcome, |last| last.backend.as_str())
    }),
    answering("llm.target.model", |outcome| {
        last(outcome, |last| last.model.as_str())
    }),
    answering("llm.verdict", |outcome| last(outcome, |last| last.verdict)),
    answering("llm.attempts", |outcome| {
        let count = u64::try_from(outcome.attempts.len()).ok();
        number(count.filter(|_| !outcome.has_unseen_attempts))
    }),
    answering("llm.failures", failures),
    over("llm.error.type", |outcome| outcome.error.map(Cow::from)),
    over("llm.end", |outcome| Some(outcome.end.name().into())),
    over("llm.response.model", |outcome| {
        text(outcome.answered_model.as_ref())
    }),
    over("llm.usage.input_tokens", |outcome| {
        number(outcome.usage.input)
    }),
    over("llm.usage.cache_read.input_tokens", |outcome| {
        number(outcome.usage.cached_input)
    }),
    over("llm.usage.cache_creation.input_tokens", |outcome| {
        number(outcome.usage.cache_write)
    }),
    over("llm.usage.output_tokens", |outcome| {
        number(outcome.usage.output)
    }),
    over("llm.usage.reasoning.output_tokens", |outcome| {
        number(outcome.usage.reasoning)
    }),
    over("llm.usage.estimated", |outcome| {
        (!outcome.usage.is_unknown()).then(|| truth(outcome.is_estimated))
    }),
    over("llm.cost_usd", |outcome| {
        outcome.cost.map(|cost| dollars(cost).into())
    }),
    over("llm.first_token_ms", |outcome| {
        number(outcome.first_token_ms)
    }),
];

/// How many of a request's fields have been written.
#[derive(Clone, Copy, Debug, Default)]
pub struct WrittenFields(usize);

impl WrittenFields {
    /// Returns the names and values of the fields that are known at this stage and have not been written yet.
    pub fn up_to<'o>(
        &mut self,
        stage: Stage,
        outcome: &'o Outcome,
    ) -> impl Iterator<Item = (&'static str, Cow<'o, str>)> + use<'o> {
        let from = self.0;
        self.0 = FIELDS
            .partition_point(|field| field.stage <= stage)
            .max(from);
        let now = FIELDS.get(from..self.0).unwrap_or_default().iter();
        now.filter_map(move |field| Some((field.name, (field.value)(outcome)?)))
    }
}

fn text(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(Cow::from)
}

fn truth(truth: bool) -> Cow<'static, str> {
    Cow::from(if truth { "true" } else { "false" })
}

fn number(number: Option<u64>) -> Option<Cow<'static, str>> {
    number.map(|number| number.to_string().into())
}

fn last<'o>(
    outcome: &'o Outcome,
    value: fn(&'o AttemptSummary) -> &'o str,
) -> Option<Cow<'o, str>> {
    let told = outcome.attempts.last().map(value);
    told.filter(|told| !told.is_empty()).map(Cow::from)
}

/// Returns the failed attempts in order, as `backend=failure`.
fn failures(outcome: &Outcome) -> Option<Cow<'_, str>> {
    let failed = outcome.attempts.iter().filter(|one| one.is_failure());
    let failed: Vec<String> = failed
        .map(|one| format!("{}={}", one.backend, one.verdict))
        .collect();
    (!failed.is_empty()).then(|| failed.join(",").into())
}

/// Returns OpenTelemetry's operation name for this API, or the API's own name if OpenTelemetry has none.
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

impl AnswerEnd {
    /// The stable name.
    pub fn name(self) -> &'static str {
        let mut all = AnswerEnd::ALL.iter();
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
        let rows = table
            .lines()
            .take_while(|line| line.starts_with('|'))
            .skip(2);
        let documented = rows.map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
        });
        let fields = FIELDS.map(|field| {
            let since = match field.stage {
                Stage::Decided => "decision",
                Stage::Answering => "headers",
                Stage::Over => "end",
            };
            (format!("wasm.{}", field.name), since.to_owned())
        });
        assert_eq!(documented.collect::<Vec<_>>(), fields);
        let (_, table) = docs.split_once("<!-- table: ends -->\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(documented, AnswerEnd::ALL.map(|(name, _)| name));
    }

    fn told(
        written_fields: &mut WrittenFields,
        stage: Stage,
        outcome: &Outcome,
    ) -> Vec<&'static str> {
        let told = written_fields.up_to(stage, outcome);
        told.map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let unknown = Outcome::default();
        let told = told(&mut WrittenFields::default(), Stage::Over, &unknown);
        assert_eq!(told, ["llm.decision", "llm.attempts", "llm.end"]);
    }

    #[test]
    fn each_is_told_once() {
        assert!(FIELDS.is_sorted_by_key(|field| field.stage));
        let outcome = Outcome {
            route: Some("r".to_owned()),
            attempts: vec![AttemptSummary {
                backend: "b".to_owned(),
                model: "m".to_owned(),
                verdict: "reset",
                ms: None,
            }],
            error: Some("internal"),
            ..Outcome::default()
        };
        let mut written_fields = WrittenFields::default();
        for (stage, expected) in [
            (Stage::Decided, &["llm.route", "llm.decision"][..]),
            (Stage::Decided, &[]),
            (
                Stage::Answering,
                &[
                    "llm.backend",
                    "llm.target.model",
                    "llm.verdict",
                    "llm.attempts",
                    "llm.failures",
                ],
            ),
            (Stage::Decided, &[]),
            (Stage::Over, &["llm.error.type", "llm.end"]),
            (Stage::Over, &[]),
        ] {
            assert_eq!(
                told(&mut written_fields, stage, &outcome),
                expected,
                "{stage:?}"
            );
        }
    }
}
