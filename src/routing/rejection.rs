//! The error answers to requests that cannot be routed.

use super::decision::{Decision, DecisionError, PinError};
use super::exclusion::ExclusionReason;
use crate::config::{Route, Target};
use crate::schema::{Answer, ErrorCode, Schema};

/// A request that cannot be routed: the answer, and what was decided before.
#[derive(Clone, Debug)]
pub struct Rejection<'d> {
    /// The answer that the caller gets.
    pub answer: Answer,
    /// The route that takes it, if one does.
    pub route: Option<&'d Route>,
    /// The route's targets that cannot take the request.
    pub left_out: Vec<(&'d Target, ExclusionReason<'d>)>,
}

impl<'d> Rejection<'d> {
    /// Builds the answer to a request for which no decision was possible. `model`: the caller's name for it.
    pub(super) fn from_decision_error(
        error: DecisionError<'d>,
        schema: Schema,
        model: &str,
    ) -> Self {
        let answer = error.code().answer(schema, &message(&error, model));
        let (route, left_out) = match error {
            DecisionError::NoRoute => (None, Vec::new()),
            DecisionError::NoTarget { route, left_out } => (Some(route), left_out),
        };
        Rejection {
            answer,
            route,
            left_out,
        }
    }

    /// Builds the answer to a request that refers, in this field, to stored state whose backend is not known.
    pub(super) fn from_pin_error(
        decision: Decision<'d, '_>,
        error: &PinError,
        schema: Schema,
        field: &str,
    ) -> Self {
        Rejection {
            answer: error.answer(schema, field),
            route: Some(decision.route),
            left_out: decision.left_out,
        }
    }
}

impl From<Answer> for Rejection<'_> {
    fn from(answer: Answer) -> Self {
        Rejection {
            answer,
            route: None,
            left_out: Vec::new(),
        }
    }
}

fn message(error: &DecisionError<'_>, model: &str) -> String {
    let DecisionError::NoTarget { route, left_out } = error else {
        return format!("The model \"{model}\" does not exist here.");
    };
    let route = &route.name;
    match error.code() {
        ErrorCode::ApiNotSupported
            if left_out
                .iter()
                .any(|(_, reason)| *reason == ExclusionReason::ParametersNeedJson) =>
        {
            format!(
                "Every target of the route \"{route}\", which takes this request for \"{model}\", changes parameters, \
                 which is not possible in a form."
            )
        }
        ErrorCode::ApiNotSupported => format!(
            "No backend of the route \"{route}\", which takes this request for \"{model}\", speaks the API of this path."
        ),
        ErrorCode::ContextLengthExceeded => {
            let reasons = left_out.iter().map(|(_, reason)| reason);
            too_long(reasons).unwrap_or_default()
        }
        ErrorCode::NoEligibleTarget => {
            let mut reasons: Vec<String> = Vec::new();
            for (_, reason) in left_out {
                let reason = describe_reason(reason);
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            format!(
                "No target of the route \"{route}\" can take this request for \"{model}\": {}.",
                reasons.join(", ")
            )
        }
        _ => format!("No backend of the route \"{route}\" serves the model \"{model}\"."),
    }
}

/// Returns the message by which clients know that they should shorten the conversation, with the largest context window
/// of all targets.
fn too_long<'a>(reasons: impl Iterator<Item = &'a ExclusionReason<'a>>) -> Option<String> {
    let windows = reasons.filter_map(|reason| match reason {
        ExclusionReason::PromptTooLong {
            prompt,
            answer,
            window,
        } => Some((*window, *prompt, *answer)),
        _ => None,
    });
    let (window, prompt, answer) = windows.max()?;
    let answer = match answer {
        0 => String::new(),
        answer => format!(" plus up to {answer} for the answer"),
    };
    Some(format!(
        "The prompt is too long: about {prompt} tokens{answer}, and the maximum context length is {window} tokens."
    ))
}

/// Words a reason for the caller, without prices and labels, which do not concern callers.
fn describe_reason(reason: &ExclusionReason<'_>) -> String {
    match reason {
        ExclusionReason::CapabilityMissing(_) | ExclusionReason::OutputTooLong { .. } => {
            format!("{} ({})", reason.name(), reason.detail())
        }
        _ => reason.name().to_owned(),
    }
}
