//! A decision as JSON, for whoever asks what would become of a request.

use serde_json::{Value, json};

use super::condition::Subject;
use super::decision::{Candidate, Decision};
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
    Answer::json(
        200,
        &json!({
            "object": "llm_router.decision",
            "request": {"model": subject.model, "stream": subject.stream},
            "route": decision.route.name,
            "plan": plan,
            "left_out": left_out,
        }),
    )
}
