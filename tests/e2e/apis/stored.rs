//! Trials of model calls that refer to state stored at one provider.

use llm_router::schema::Api;

use super::sample::{Kind, at, backend, is_error, path};
use crate::harness::Case;
use crate::harness::echo::EchoInstruction;

/// The call goes only to the backend that the route names, and nowhere if it names none.
pub(super) async fn stored(case: Case, api: Api) {
    let home = backend(api, "-two");
    let pinned = format!("pinned-{}", api.schema().name());
    let stateful = |model: &str| {
        let body = format!("{{\"x\":[{{\"file_id\":\"file-1\"}}],\"model\":\"{model}\"}}");
        at(&case, &path(api, model), Kind::Json, body)
    };
    stateful(&pinned).send().await.only_at(&home);
    // It fails there, and goes nowhere else.
    let failing = format!("x-test-answer-{home}");
    let answer = stateful(&pinned)
        .header(&failing, EchoInstruction::status(503).header())
        .send()
        .await;
    answer.is(503).went_to(&[&home]);
    // Without stored state, the route is like any other.
    let answer = at(
        &case,
        &path(api, &pinned),
        Kind::Json,
        format!("{{\"model\":\"{pinned}\"}}"),
    );
    answer.send().await.only_at(&backend(api, ""));
    // With two backends and no `stored_at`, the call is refused; with one backend, there is no doubt.
    let answer = stateful("chain").send().await;
    is_error(&answer, api.schema(), 400, "stored_state_unpinned");
    answer.went_nowhere();
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("file_id"), "{}", answer.describe());
    stateful("one").send().await.only_at(&backend(api, ""));
}
