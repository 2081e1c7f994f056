//! Answers dry runs: the decision about a request as JSON, instead of an answer from a backend.

use serde_json::{Value, json};

use super::condition::Subject;
use super::decision::{Candidate, Decision};
use super::exclusion::ExclusionReason;
use super::rejection::Rejection;
use super::strategy::Choice;
use crate::config::{Backend, Target};
use crate::schema::Answer;

/// Answers a dry run with the plan, in the order in which its targets are tried. The flag of a candidate means that it
/// is in cooldown.
pub(super) fn answer(
    decision: &Decision<'_, '_>,
    candidates: &[(Candidate<'_>, bool)],
    requested_model: Option<&str>,
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
    let request = request(requested_model, subject);
    let route = Some(decision.route.name.as_str());
    let mut answer = decided(request, route, plan, &decision.left_out);
    if let Value::Object(answer) = &mut answer {
        answer.insert("choice".to_owned(), decision.choice.name().into());
        if let Choice::Sticky(source) = decision.choice {
            answer.insert("sticky".to_owned(), source.to_string().into());
        }
    }
    Answer::json(200, &answer)
}

/// Answers a dry run of a request that cannot be routed: the caller's error, with the decision added.
pub(super) fn rejection(
    rejection: Rejection<'_>,
    requested_model: Option<&str>,
    subject: &Subject<'_>,
) -> Answer {
    let mut answer = rejection.answer;
    let route = rejection.route.map(|route| route.name.as_str());
    let decision = decided(
        request(requested_model, subject),
        route,
        Vec::new(),
        &rejection.left_out,
    );
    if let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body) {
        body.insert("decision".to_owned(), decision);
        answer.body = Value::Object(body).to_string().into_bytes();
    }
    answer
}

/// Returns the model that the caller asked for and, if that is an alias, the model that it stands for.
fn request(requested_model: Option<&str>, subject: &Subject<'_>) -> Value {
    let mut request = json!({"model": requested_model, "stream": subject.stream});
    if requested_model != subject.model
        && let Value::Object(request) = &mut request
    {
        request.insert("alias_of".to_owned(), json!(subject.model));
    }
    request
}

/// Answers a dry run of a request that passes through to this backend, without a model.
pub(super) fn pass_through(route: &str, backend: &Backend) -> Answer {
    let target = json!({"backend": backend.name, "cluster": backend.cluster});
    Answer::json(200, &decided(json!({}), Some(route), vec![target], &[]))
}

fn decided(
    request: Value,
    route: Option<&str>,
    plan: Vec<Value>,
    left_out: &[(&Target, ExclusionReason<'_>)],
) -> Value {
    let left_out = left_out.iter().map(|(target, reason)| {
        let mut one = json!({
            "backend": target.backend.name,
            "model": target.model,
            "reason": reason.name(),
        });
        let detail = reason.detail();
        if let Value::Object(one) = &mut one
            && !detail.is_empty()
        {
            one.insert("detail".to_owned(), detail.into());
        }
        one
    });
    json!({
        "object": "llm_router.decision",
        "request": request,
        "route": route,
        "plan": plan,
        "left_out": left_out.collect::<Vec<Value>>(),
    })
}
