//! The error answers to requests that cannot be routed.

use super::decision::{Decision, Undecided, Unpinned};
use super::left_out::LeftOut;
use crate::config::{Route, Target};
use crate::schema::{Answer, ErrorCode, Schema};

/// A request that cannot be routed: the answer, and what was decided before.
#[derive(Clone, Debug)]
pub struct Refused<'d> {
    /// The answer that the caller gets.
    pub answer: Answer,
    /// The route that takes it, if one does.
    pub route: Option<&'d Route>,
    /// The route's targets that cannot take the request.
    pub left_out: Vec<(&'d Target, LeftOut<'d>)>,
}

impl<'d> Refused<'d> {
    /// Builds the answer to a request for which no decision was possible. `model`: the caller's name for it.
    pub(super) fn undecided(undecided: Undecided<'d>, schema: Schema, model: &str) -> Self {
        let answer = undecided.code().answer(schema, &message(&undecided, model));
        let (route, left_out) = match undecided {
            Undecided::NoRoute => (None, Vec::new()),
            Undecided::NoTarget { route, left_out } => (Some(route), left_out),
        };
        Refused {
            answer,
            route,
            left_out,
        }
    }

    /// Builds the answer to a request that refers, in this field, to stored state whose backend is not known.
    pub(super) fn unpinned(
        decision: Decision<'d, '_>,
        unpinned: &Unpinned,
        schema: Schema,
        field: &str,
    ) -> Self {
        Refused {
            answer: unpinned.answer(schema, field),
            route: Some(decision.route),
            left_out: decision.left_out,
        }
    }
}

impl From<Answer> for Refused<'_> {
    fn from(answer: Answer) -> Self {
        Refused {
            answer,
            route: None,
            left_out: Vec::new(),
        }
    }
}

fn message(undecided: &Undecided<'_>, model: &str) -> String {
    let Undecided::NoTarget { route, left_out } = undecided else {
        return format!("The model \"{model}\" does not exist here.");
    };
    let route = &route.name;
    match undecided.code() {
        ErrorCode::ApiNotSupported
            if left_out
                .iter()
                .any(|(_, reason)| *reason == LeftOut::ParametersNeedJson) =>
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
                let reason = told(reason);
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
fn too_long<'a>(reasons: impl Iterator<Item = &'a LeftOut<'a>>) -> Option<String> {
    let windows = reasons.filter_map(|reason| match reason {
        LeftOut::PromptTooLong {
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
fn told(reason: &LeftOut<'_>) -> String {
    match reason {
        LeftOut::CapabilityMissing(_) | LeftOut::OutputTooLong { .. } => {
            format!("{} ({})", reason.name(), reason.detail())
        }
        _ => reason.name().to_owned(),
    }
}
