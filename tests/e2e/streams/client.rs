//! Trials of clients that leave before an answer ends.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{falling_back, first, hear};
use crate::fleet::policy::{VirtualModel, model};
use crate::harness::{Api, Case, Suite};

/// More than the number of failures that starts a cooldown.
const CLIENTS: usize = 5;

pub(super) fn add(suite: &mut Suite) {
    super::add_both(
        suite,
        "streams::client::leaves_in_the_middle_of_an_answer",
        leaves_in_the_middle,
    );
    super::add_both(
        suite,
        "streams::client::leaves_while_an_answer_is_held",
        leaves_while_held,
    );
}

pub(super) fn virtuals() -> Vec<VirtualModel> {
    [
        falling_back("leave-slow-words-300", "slow-words-300", &json!({})),
        falling_back("leave-slow-token-1500", "slow-token-1500", &json!({})),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn leaves_in_the_middle(case: Case, api: Api) {
    let name = "leave-slow-words-300";
    for _ in 0..CLIENTS {
        let call = case.ask_streamed(api, &model(&case, &api.model(name)));
        let id = call.id.clone();
        let mut response = call.open().await;
        assert!(response.chunk().await.expect("a first token").is_some());
        drop(response);
        leaves_the_backend(&case, api, &id).await;
    }
    still_goes_to_the_first(&case, api, name).await;
}

async fn leaves_while_held(case: Case, api: Api) {
    let name = "leave-slow-token-1500";
    for _ in 0..CLIENTS {
        let call = case.ask_streamed(api, &model(&case, &api.model(name)));
        let id = call.id.clone();
        let waiting = tokio::time::timeout(Duration::from_millis(400), call.open());
        assert!(waiting.await.is_err(), "the answer is held");
        leaves_the_backend(&case, api, &id).await;
    }
    still_goes_to_the_first(&case, api, name).await;
}

/// The backend notices that the client has left, and no attempt follows.
async fn leaves_the_backend(case: &Case, api: Api, id: &str) {
    let asked = Instant::now();
    loop {
        let requests = case.world.backends.requests(id);
        let backends: Vec<&str> = requests.iter().map(|(backend, _)| *backend).collect();
        if let Some((_, request)) = requests.first()
            && let Some(left) = request.answer.left()
        {
            assert_eq!(backends, [first(api)]);
            assert!(left - asked < Duration::from_millis(1000));
            return;
        }
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "the backend goes on answering: {requests:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// It has not started a cooldown.
async fn still_goes_to_the_first(case: &Case, api: Api, name: &str) {
    let heard = hear(case, api, name).await;
    heard.is_whole().answer.only_at(first(api));
    heard.answer.tells(Some(first(api)), 1, &[]);
}
