//! Trials of the conditions of a match; a later route takes what each does not match.

use serde_json::json;

use crate::harness::{Call, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix(
        "routing::by_model_header_and_stream",
        by_model_header_and_stream,
    );
    suite.matrix("routing::by_what_must_not_hold", by_what_must_not_hold);
    suite.matrix(
        "routing::by_a_header_that_is_there_at_all",
        by_a_header_that_is_there_at_all,
    );
    suite.matrix("routing::by_all_of_several", by_all_of_several);
    suite.matrix("routing::by_any_of_several", by_any_of_several);
    suite.matrix("routing::by_stream", by_stream);
    suite.matrix("routing::by_path_and_method", by_path_and_method);
}

fn with_stream(case: &Case, model: &str, stream: serde_json::Value) -> Call {
    let body = json!({"model": model, "messages": [], "stream": stream});
    case.post("/v1/chat/completions", body.to_string())
}

async fn by_model_header_and_stream(case: Case) {
    let streamed = || with_stream(&case, "smart", json!(true));
    streamed()
        .header("x-team", "research")
        .send()
        .await
        .only_at("azure-east");
    streamed()
        .header("x-team", "sales")
        .send()
        .await
        .only_at("openai");
    streamed().send().await.only_at("openai");
    case.chat("smart")
        .header("x-team", "research")
        .send()
        .await
        .only_at("openai");
    // Any value of the header may match; header names are not case-sensitive.
    streamed()
        .header("X-Team", "sales")
        .header("X-Team", "research")
        .send()
        .await
        .only_at("azure-east");
    // Values are case-sensitive.
    streamed()
        .header("x-team", "Research")
        .send()
        .await
        .only_at("openai");
}

async fn by_what_must_not_hold(case: Case) {
    case.chat("smart")
        .header("x-team", "intern")
        .send()
        .await
        .only_at("second");
    case.chat("smart")
        .header("x-team", "interns")
        .send()
        .await
        .only_at("openai");
}

async fn by_a_header_that_is_there_at_all(case: Case) {
    case.chat("tagged")
        .header("x-tag", "whatever")
        .send()
        .await
        .only_at("azure-east");
    case.chat("tagged")
        .header("x-tags", "whatever")
        .send()
        .await
        .only_at("openai");
}

async fn by_all_of_several(case: Case) {
    for second in ["2", "3-anything"] {
        case.chat("both")
            .header("x-a", "1")
            .header("x-b", second)
            .send()
            .await
            .only_at("azure-east");
    }
    case.chat("both")
        .header("x-a", "1")
        .header("x-b", "4")
        .send()
        .await
        .only_at("openai");
    case.chat("both")
        .header("x-b", "2")
        .send()
        .await
        .only_at("openai");
}

async fn by_any_of_several(case: Case) {
    for model in ["fast", "very-fast"] {
        assert_eq!(
            case.chat(model).send().await.only_at("openai").model(),
            "gpt-4o-mini-2024-07-18"
        );
    }
    case.chat("fast-very").send().await.is(404).went_nowhere();
}

async fn by_stream(case: Case) {
    for stream in [json!(false), json!(null)] {
        with_stream(&case, "whole", stream)
            .send()
            .await
            .only_at("azure-east");
    }
    case.chat("whole").send().await.only_at("azure-east");
    with_stream(&case, "whole", json!(true))
        .send()
        .await
        .only_at("openai");
}

async fn by_path_and_method(case: Case) {
    case.messages("by-path").send().await.only_at("claude-two");
    case.chat("by-path").send().await.only_at("openai");
}
