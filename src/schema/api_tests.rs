//! The APIs, their paths, and their table in the docs.

use super::super::Endpoint;
use super::*;
use crate::routing::Subject;

/// The paths by which clients reach an API.
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
                // `m/chat/completions` could be `m/chat` and `/completions`: what is known of paths is no less than what
                // there is.
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
