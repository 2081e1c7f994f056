//! Trials of streamed answers that fail: while they are held, and while they are being sent to the client.
//!
//! The client's answer is compared byte for byte with what the backend answers when it is asked directly.

mod client;
mod complete;
mod held;
mod released;
mod unheld;
mod whole;

use serde_json::Value;

use crate::fleet::SharedEnvoy;
use crate::fleet::policy::{VirtualModel, at, fine, first, model, second};
use crate::harness::stream::StreamedAnswer;
use crate::harness::{Answer, Api, Case, Protocol, SeenRequest, Suite};

pub(crate) fn add(suite: &mut Suite) {
    held::add(suite);
    whole::add(suite);
    complete::add(suite);
    released::add(suite);
    unheld::add(suite);
    client::add(suite);
}

/// Adds a scenario for both APIs at the same time: most of it is waiting.
fn add_both<Run>(
    suite: &mut Suite,
    name: &str,
    scenario: impl Fn(Case, Api) -> Run + Copy + Send + 'static,
) where
    Run: Future<Output = ()>,
{
    for protocol in Protocol::ALL {
        let which = SharedEnvoy::Policy { workers: 2 };
        suite.on(name, which, protocol, move |case| async move {
            let [openai, anthropic] = Api::ALL;
            tokio::join!(scenario(case.clone(), openai), scenario(case, anthropic));
        });
    }
}

/// Returns the virtual models of these trials.
pub(crate) fn virtuals() -> Vec<VirtualModel> {
    [
        held::virtuals(),
        whole::virtuals(),
        complete::virtuals(),
        released::virtuals(),
        unheld::virtuals(),
        client::virtuals(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns a model for each API whose first target has this fault and whose second one works.
fn falling_back(name: &str, fault: &str, fallback: &Value) -> Vec<VirtualModel> {
    let of = |api: Api| {
        let targets = [at(first(api), fault), fine(second(api))];
        VirtualModel::new(&api.model(name), targets).fallback(fallback.clone())
    };
    Api::ALL.map(of).into()
}

/// Returns a model for each API whose only target has this fault.
fn alone(name: &str, fault: &str, fallback: &Value) -> Vec<VirtualModel> {
    let of = |api: Api| {
        VirtualModel::new(&api.model(name), [at(first(api), fault)]).fallback(fallback.clone())
    };
    Api::ALL.map(of).into()
}

/// Returns a model for each API whose only target answers by this script.
fn scripted(name: &str, script: &str) -> Vec<VirtualModel> {
    let of = |api: Api| VirtualModel::new(&api.model(name), [at(&api.model_of_script(), script)]);
    Api::ALL.map(of).into()
}

impl Api {
    fn model_of_script(self) -> String {
        match self {
            Self::OpenAi => "scripted-openai".to_owned(),
            Self::Anthropic => "scripted-anthropic".to_owned(),
        }
    }
}

/// Asks for a stream of this model, and reads it to its end.
async fn hear(case: &Case, api: Api, name: &str) -> StreamedAnswer {
    let model = model(case, &api.model(name));
    case.ask_streamed(api, &model).listen().await
}

/// A fault that another target makes up for: its name, the failure that is reported, and how often the first target is
/// tried.
#[derive(Clone, Copy)]
struct RecoveredFault {
    fault: &'static str,
    failure: &'static str,
    attempts: usize,
}

const fn mended(fault: &'static str, failure: &'static str, attempts: usize) -> RecoveredFault {
    RecoveredFault {
        fault,
        failure,
        attempts,
    }
}

impl RecoveredFault {
    /// Asserts that the second target's answer reports the attempts and their failures.
    #[track_caller]
    fn is_told(&self, answer: &Answer, api: Api) -> Vec<SeenRequest> {
        let mut backends = vec![first(api); self.attempts];
        backends.push(second(api));
        let seen = answer.is(200).went_to(&backends);
        let failure = format!("{}={}", first(api), self.failure);
        let failures = vec![failure.as_str(); self.attempts];
        answer.tells(Some(second(api)), self.attempts + 1, &failures);
        seen
    }
}

/// Asserts that the complete answer is the second target's, after the failure, without a byte of the first one's.
async fn is_mended(heard: &StreamedAnswer, api: Api, mended: RecoveredFault) {
    let mut seen = mended.is_told(&heard.answer, api);
    let last = seen.pop().expect("the second target's attempt");
    let expected = heard.what_says(second(api), &last).await;
    heard.is_whole().says(&expected);
}

/// Asserts that the only attempt was at the first target, and returns what that answers when asked directly.
async fn only_the_first(heard: &StreamedAnswer, api: Api) -> Vec<u8> {
    let seen = heard.answer.only_at(first(api));
    heard.answer.tells(Some(first(api)), 1, &[]);
    heard.what_says(first(api), &seen).await
}
