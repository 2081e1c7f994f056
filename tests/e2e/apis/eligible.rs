//! Trials of targets that may not take a request, in each API: the request goes to another target, or nowhere.

use llm_router::schema::{Api, Schema};
use serde_json::{Value, json};

use super::sample::{Kind, at, backend, body, is_error, path};
use crate::fleet::apis::UPSTREAM;
use crate::harness::{Answer, Case, Suite};

/// One call for each API that has a prompt.
const APIS: [Api; 5] = [
    Api::ChatCompletions,
    Api::Responses,
    Api::Messages,
    Api::GenerateContent,
    Api::Converse,
];

pub(super) fn add(suite: &mut Suite) {
    for api in APIS {
        super::each(suite, "checked", api, checked);
        super::each(suite, "kept_in_its_region", api, kept_in_its_region);
        super::each(suite, "by_another_name", api, by_another_name);
    }
    super::on_both(
        suite,
        "apis::another_name_is_listed",
        another_name_is_listed,
    );
}

/// Returns a prompt with this text, with or without an image.
fn prompt(api: Api, model: &str, text: &str, has_image: bool) -> Value {
    let url = "https://example.org/a.png";
    let data = "iVBORw0KGgo=";
    let (text, image) = match api {
        Api::Responses => (
            json!({"type": "input_text", "text": text}),
            json!({"type": "input_image", "image_url": url}),
        ),
        Api::Messages => (
            json!({"type": "text", "text": text}),
            json!({"type": "image", "source": {"type": "url", "url": url}}),
        ),
        Api::GenerateContent => (
            json!({"text": text}),
            json!({"inlineData": {"mimeType": "image/png", "data": data}}),
        ),
        Api::Converse => (
            json!({"text": text}),
            json!({"image": {"format": "png", "source": {"bytes": data}}}),
        ),
        _ => (
            json!({"type": "text", "text": text}),
            json!({"type": "image_url", "image_url": {"url": url}}),
        ),
    };
    let parts = if has_image {
        vec![text, image]
    } else {
        vec![text]
    };
    match api {
        Api::Responses => json!({"model": model, "input": [{"role": "user", "content": parts}]}),
        Api::Messages => {
            json!({"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": parts}]})
        }
        Api::GenerateContent => json!({"contents": [{"role": "user", "parts": parts}]}),
        Api::Converse => json!({"messages": [{"role": "user", "content": parts}]}),
        _ => json!({"model": model, "messages": [{"role": "user", "content": parts}]}),
    }
}

async fn ask(case: &Case, api: Api, model: &str, words: usize, has_image: bool) -> Answer {
    let body = prompt(api, model, &"word ".repeat(words), has_image).to_string();
    at(case, &path(api, model), Kind::Json, body).send().await
}

async fn checked(case: Case, api: Api) {
    let (small, large) = (backend(api, ""), backend(api, "-two"));
    let of = |answer: Answer, place: &str, model: &str| {
        let seen = answer.is(200).only_at(place);
        let in_path = matches!(api.schema(), Schema::Gemini | Schema::Bedrock);
        if in_path {
            assert!(seen.0.path.contains(model), "{}", seen.0.path);
        } else {
            assert_eq!(seen.model(), model);
        }
    };
    of(
        ask(&case, api, "checked", 100, false).await,
        &small,
        "small",
    );
    of(ask(&case, api, "checked", 100, true).await, &large, "large");
    of(
        ask(&case, api, "checked", 5_000, false).await,
        &large,
        "large",
    );
    for (model, words) in [("checked", 100_000), ("checked-alone", 5_000)] {
        let answer = ask(&case, api, model, words, false).await;
        is_error(&answer, api.schema(), 400, "context_length_exceeded");
        answer.went_nowhere();
    }
    let answer = ask(&case, api, "checked-alone", 1, true).await;
    is_error(&answer, api.schema(), 400, "no_eligible_target");
    answer.went_nowhere();
}

/// The first target is down and the next one is in another region, so there is no answer.
async fn kept_in_its_region(case: Case, api: Api) {
    let answer = ask(&case, api, "somewhere", 1, false).await;
    is_error(&answer, api.schema(), 503, "upstream_unreachable");
    answer.went_nowhere();
    let answer = ask(&case, api, "in-eu", 1, false).await;
    answer.is(200).only_at(&backend(api, ""));
}

async fn by_another_name(case: Case, api: Api) {
    let name = "an old name";
    let body = body(api, Kind::Json, name);
    let answer = at(&case, &path(api, name), Kind::Json, body).send().await;
    let seen = answer.is(200).only_at(&backend(api, ""));
    if matches!(api.schema(), Schema::Gemini | Schema::Bedrock) {
        assert!(!seen.0.path.contains("old"), "{}", seen.0.path);
    } else {
        assert_eq!(seen.model(), UPSTREAM[0]);
    }
}

async fn another_name_is_listed(case: Case) {
    let answer = case.get("/v1/models/an%20old%20name").send().await;
    assert_eq!(answer.is(200).json()["id"], "an old name");
    let answer = case.get("/v1/models").send().await;
    let list = answer.is(200).json();
    let names = list["data"].as_array().expect("a list").iter();
    let names: Vec<&Value> = names.map(|model| &model["id"]).collect();
    assert!(names.contains(&&json!("an old name")), "{names:?}");
    assert!(names.contains(&&json!("one")), "{names:?}");
}
