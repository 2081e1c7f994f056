//! Checks whether a target may take a request that its backend serves.
//!
//! The cheap checks come first. The body is examined only for models with limits or capabilities that it could violate.

use super::exclusion::ExclusionReason;
use crate::config::{Capability, Model, TargetRequirements};
use crate::request::{Content, ParameterChanges};
use crate::schema::Api;

/// Checks a model against a route's requirements on its targets.
pub(crate) fn check_requirements<'d>(
    requirements: &'d TargetRequirements,
    model: &'d Model,
) -> Result<(), ExclusionReason<'d>> {
    let labels = &model.labels;
    if let Some(required) = requirements.require.iter().find(|one| !one.is_met(labels)) {
        return Err(ExclusionReason::LabelMissing {
            required,
            has: labels.get(&required.name),
        });
    }
    let (limits, prices) = (&requirements.max_prices, &model.prices);
    for (which, limit, price) in [
        ("input", limits.input, prices.input),
        ("output", limits.output, prices.output),
    ] {
        match (limit, price) {
            (Some(_), None) => return Err(ExclusionReason::PriceUnknown(which)),
            (Some(limit), Some(price)) if price > limit => {
                return Err(ExclusionReason::PriceTooHigh {
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

/// Checks whether a model can do what a request needs, as far as both are known. `changes`: what its target changes in
/// the request.
pub(super) fn check_capabilities<'d>(
    model: &Model,
    api: Api,
    content: Option<&Content<'_>>,
    changes: &ParameterChanges,
) -> Result<(), ExclusionReason<'d>> {
    // Context window and capabilities do not apply to other calls, nor to calls that only count tokens.
    let Some(content) = content.filter(|_| api.is_prompted()) else {
        return Ok(());
    };
    if let Some(known) = &model.capabilities {
        let all = Capability::ALL.iter().map(|(_, one)| *one);
        let mut missing = all.filter(|one| !known.contains(one));
        if let Some(one) = missing.find(|one| is_needed(*one, content)) {
            return Err(ExclusionReason::CapabilityMissing(one));
        }
    }
    check_context_window(model, content, changes)
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

/// The highest accepted estimate, in percent of the tokens that fit.
const ESTIMATE_PERCENT: u64 = 115;

/// Checks whether the prompt and the answer fit; the answer's length is the one that the target is asked for.
///
/// A prompt that may fit because its estimate may be too high counts as fitting. If it does not fit, the provider
/// rejects it.
fn check_context_window<'d>(
    model: &Model,
    content: &Content<'_>,
    changes: &ParameterChanges,
) -> Result<(), ExclusionReason<'d>> {
    let (window, most) = (model.context_window, model.max_output_tokens);
    if window == 0 && most == 0 {
        return Ok(());
    }
    let answer = content.max_output_tokens(changes).unwrap_or(0);
    if most > 0 && answer > u64::from(most) {
        return Err(ExclusionReason::OutputTooLong {
            asked: answer,
            most,
        });
    }
    let left = u64::from(window).saturating_sub(answer);
    // Every token has at least one byte, and only sizes near the limit are worth an estimate.
    if window == 0 || content.size() <= left {
        return Ok(());
    }
    let prompt = content.prompt_tokens();
    if prompt.saturating_mul(100) <= left.saturating_mul(ESTIMATE_PERCENT) {
        return Ok(());
    }
    Err(ExclusionReason::PromptTooLong {
        prompt,
        answer,
        window,
    })
}

#[cfg(test)]
#[path = "eligibility_tests.rs"]
#[expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests;
