//! Tests of the APIs, their paths, and their table in the docs.

use super::super::Endpoint;
use super::*;
use crate::doc_tables::{self, quoted};
use crate::routing::Subject;

/// The paths with which clients reach an API.
fn forms(api: Api) -> Vec<String> {
    let operation = api.operation();
    match api.schema() {
        Schema::Gemini => GEMINI_PREFIXES
            .iter()
            .map(|prefix| format!("{prefix}/models/m{operation}"))
            .collect(),
        Schema::Bedrock => vec![format!("/model/m{operation}")],
        Schema::Anthropic => vec![api.path()],
        Schema::OpenAi | Schema::AzureOpenAi => {
            let mut all = vec![
                api.path(),
                format!("/openai/v1{operation}"),
                format!("/openai{operation}"),
                format!("/openai/deployments/m{operation}"),
            ];
            if api == Api::Rerank {
                all.extend(RERANK_PATHS.map(str::to_owned));
            }
            all
        }
    }
}

#[test]
fn each_path_leads_to_its_api() {
    for api in Api::ALL {
        for path in forms(*api) {
            let Some(Endpoint::Model(call)) = Endpoint::at(&path) else {
                panic!("{path}");
            };
            assert_eq!(call.api, *api, "{path}");
            let subject = Subject {
                path: Some(&path),
                ..Subject::default()
            };
            for other in Api::ALL {
                let takes = other.paths().evaluate(&subject) == Some(true);
                // `m/chat/completions` could be `m/chat` and `/completions`, so the condition may match more paths
                // than the API has, but never fewer.
                let ends_alike = path.ends_with(other.operation());
                assert!(takes == (other == api) || takes && ends_alike, "{path}");
            }
        }
    }
}

#[test]
fn names_and_operations_are_unique() {
    for (index, api) in Api::ALL.iter().enumerate() {
        for other in &Api::ALL[..index] {
            assert_ne!(api.name(), other.name());
            assert_ne!(api.operation(), other.operation());
        }
        let speakers = Schema::ALL.iter().filter(|schema| schema.speaks(*api));
        assert_eq!(
            speakers.count(),
            if api.schema() == Schema::OpenAi { 2 } else { 1 }
        );
    }
}

/// The cells of each row of the table in docs/apis.md.
fn rows() -> Vec<Vec<&'static str>> {
    let docs = include_str!("../../docs/apis.md");
    doc_tables::rows(docs, "apis")
}

/// docs/apis.md has a row for every API, and each row says what the code does.
#[test]
fn the_table_in_the_docs_is_the_code() {
    let rows = rows();
    let names: Vec<&str> = rows.iter().map(|row| quoted(row[0])[0]).collect();
    let known: Vec<&str> = Api::ALL.iter().map(|api| api.name()).collect();
    assert_eq!(names, known);
    for (api, row) in Api::ALL.iter().zip(&rows) {
        let [_, path, routed, rewritten, errors, streaming, stateful] = row[..] else {
            panic!("{row:?}");
        };
        assert_eq!(quoted(path), [api.path()]);
        let (place, where_to) = match api.model_location() {
            ModelLocation::Json => ("`model` (", "the body ("),
            ModelLocation::Form => ("`model` of the form (", "the body ("),
            ModelLocation::JsonOrForm => ("`model`, also of a form (", "the body ("),
            ModelLocation::Path => ("the path (", "the path ("),
        };
        assert!(routed.starts_with(place), "{routed}");
        assert!(rewritten.starts_with(where_to), "{rewritten}");
        let format = errors.split(' ').next().unwrap();
        let written = format!("{:?}", api.schema());
        assert_eq!(format.to_ascii_lowercase(), written.to_ascii_lowercase());
        let streams = match api.stream_signal() {
            StreamSignal::InBody => "`",
            StreamSignal::InAnswer => "`\"stream_format\": \"sse\"`",
            StreamSignal::ByPath => "by its path",
            StreamSignal::Never => "–",
        };
        assert!(streaming.starts_with(streams), "{streaming}");
        // A cell that cannot apply names no trial; every other cell names one.
        for (what, cell, can_be) in [
            ("routed", routed, true),
            ("rewritten", rewritten, true),
            ("errors", errors, true),
            (
                "streamed",
                streaming,
                api.stream_signal() != StreamSignal::Never,
            ),
            (
                "stored",
                stateful,
                api.model_location() != ModelLocation::Form,
            ),
        ] {
            let trial = format!("apis::{what}::{}", api.name());
            assert_eq!(quoted(cell).contains(&trial.as_str()), can_be, "{cell}");
            assert_eq!(cell == "–", !can_be, "{cell}");
        }
    }
}

/// The trials that the cells name exist for every API: their names are built from these words.
#[test]
fn the_trials_in_the_table_exist() {
    let trials = include_str!("../../tests/e2e/apis/mod.rs");
    let mut words: Vec<&str> = rows()
        .concat()
        .into_iter()
        .flat_map(quoted)
        .filter_map(|name| name.strip_prefix("apis::")?.split("::").next())
        .collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(
        words,
        ["errors", "rewritten", "routed", "stored", "streamed"]
    );
    for word in words {
        assert!(
            trials.contains(&format!("each(suite, \"{word}\", api,")),
            "{word}"
        );
    }
}
