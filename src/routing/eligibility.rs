//! Whether a target that serves a request may take it. What costs nothing is asked first; what the body says only of
//! models of which something is known that it could go against.

use super::left_out::LeftOut;
use crate::config::{Capability, Demands, Model};
use crate::request::{Content, ParameterChanges};
use crate::schema::Api;

/// Whether a model is what a route asks of its targets.
pub(crate) fn meets<'d>(demands: &'d Demands, model: &'d Model) -> Result<(), LeftOut<'d>> {
    let labels = &model.labels;
    if let Some(required) = demands.require.iter().find(|one| !one.is_met(labels)) {
        return Err(LeftOut::LabelMissing {
            required,
            has: labels.get(&required.name),
        });
    }
    let (limits, prices) = (&demands.max_prices, &model.prices);
    for (which, limit, price) in [
        ("input", limits.input, prices.input),
        ("output", limits.output, prices.output),
    ] {
        match (limit, price) {
            (Some(_), None) => return Err(LeftOut::PriceUnknown(which)),
            (Some(limit), Some(price)) if price > limit => {
                return Err(LeftOut::PriceTooHigh {
                    which,
                    price,
                    limit,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a model can do what a request asks for, as far as both are known. `changes`: what its target makes of the
/// request.
pub(super) fn can_do<'d>(
    model: &Model,
    api: Api,
    content: Option<&Content<'_>>,
    changes: &ParameterChanges,
) -> Result<(), LeftOut<'d>> {
    // Of other calls, and of what only counts tokens, a window or a capability says nothing.
    let Some(content) = content.filter(|_| api.is_prompted()) else {
        return Ok(());
    };
    if let Some(known) = &model.capabilities {
        let all = Capability::ALL.iter().map(|(_, one)| *one);
        let mut missing = all.filter(|one| !known.contains(one));
        if let Some(one) = missing.find(|one| is_needed(*one, content)) {
            return Err(LeftOut::CapabilityMissing(one));
        }
    }
    fits(model, content, changes)
}

fn is_needed(capability: Capability, content: &Content<'_>) -> bool {
    match capability {
        Capability::Tools => content.has_tools(),
        Capability::Images => content.has_images(),
        Capability::Audio => content.has_audio(),
        Capability::Files => content.has_files(),
        Capability::JsonSchema => content.wants_json_schema(),
        Capability::Reasoning => content.wants_reasoning(),
    }
}

/// How many percent of the truth an estimate may be.
const ESTIMATE_PERCENT: u64 = 115;

/// Whether prompt and answer fit, the answer as long as the target is asked for one. What may fit, the estimate being too high, counts as fitting: if it does not, its
/// provider says so.
fn fits<'d>(
    model: &Model,
    content: &Content<'_>,
    changes: &ParameterChanges,
) -> Result<(), LeftOut<'d>> {
    let (window, most) = (model.context_window, model.max_output_tokens);
    if window == 0 && most == 0 {
        return Ok(());
    }
    let answer = content.max_output_tokens(changes).unwrap_or(0);
    if most > 0 && answer > u64::from(most) {
        return Err(LeftOut::OutputTooLong {
            asked: answer,
            most,
        });
    }
    let left = u64::from(window).saturating_sub(answer);
    // No token is less than a byte, and only what is near to the limit is worth an estimate.
    if window == 0 || content.size() <= left {
        return Ok(());
    }
    let prompt = content.prompt_tokens();
    if prompt.saturating_mul(100) <= left.saturating_mul(ESTIMATE_PERCENT) {
        return Ok(());
    }
    Err(LeftOut::PromptTooLong {
        prompt,
        answer,
        window,
    })
}

#[cfg(test)]
#[path = "eligibility_tests.rs"]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;
