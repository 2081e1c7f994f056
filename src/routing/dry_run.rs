//! A decision as JSON, for whoever asks what would become of a request.

use serde_json::{Value, json};

use super::condition::Subject;
use super::decision::{Candidate, Decision};
use super::strategy::Choice;
use crate::config::Backend;
use crate::schema::Answer;

/// The answer to a dry run: the plan in the order in which its targets are tried. The flag of a candidate says that it is
/// left alone at the moment.
pub(super) fn answer(
    decision: &Decision<'_, '_>,
    candidates: &[(Candidate<'_>, bool)],
    subject: &Subject<'_>,
) -> Answer {
    let plan: Vec<Value> = candidates
        .iter()
        .map(|(candidate, cooling)| {
            json!({
                "backend": candidate.backend.name,
                "model": candidate.model,
                "cluster": candidate.backend.cluster,
                "cooling": cooling,
            })
        })
        .collect();
    let left_out: Vec<Value> = decision
        .left_out
        .iter()
        .map(|(target, reason)| {
            json!({
                "backend": target.backend.name,
                "model": target.model,
                "reason": reason.name(),
            })
        })
        .collect();
    let request = json!({"model": subject.model, "stream": subject.stream});
    let mut answer = decided(request, &decision.route.name, plan, left_out);
    if let Value::Object(answer) = &mut answer {
        answer.insert("choice".to_owned(), decision.choice.name().into());
        if let Choice::Sticky(source) = decision.choice {
            answer.insert("sticky".to_owned(), source.to_string().into());
        }
    }
    Answer::json(200, &answer)
}

/// The answer to a dry run of what passes unread to this backend, by no model.
pub(super) fn passing(route: &str, backend: &Backend) -> Answer {
    let target = json!({"backend": backend.name, "cluster": backend.cluster});
    Answer::json(200, &decided(json!({}), route, vec![target], Vec::new()))
}

fn decided(request: Value, route: &str, plan: Vec<Value>, left_out: Vec<Value>) -> Value {
    json!({
        "object": "llm_router.decision",
        "request": request,
        "route": route,
        "plan": plan,
        "left_out": left_out,
    })
}
