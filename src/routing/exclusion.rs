//! The reasons why a target is not in a plan.

use std::fmt;

use crate::config::{Capability, Price, RequiredLabel};

/// Why a target is not in the plan. Contains names and numbers of the document and sizes of the request, nothing that a
/// client wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExclusionReason<'d> {
    /// The backend speaks another API than the request.
    SchemaMismatch,
    /// The target keeps the client's model, which the backend does not serve.
    ModelNotServed,
    /// The target lacks a label that the route requires, or has it with another value.
    LabelMissing {
        /// What the route requires.
        required: &'d RequiredLabel,
        /// The value that the target has, if any.
        has: Option<&'d str>,
    },
    /// The route limits a price that the document does not state for the model.
    PriceUnknown(&'static str),
    /// The model costs more than the route allows.
    PriceTooHigh {
        /// Which price it is.
        which: &'static str,
        /// The model's price.
        price: Price,
        /// The route's limit.
        limit: Price,
    },
    /// The model lacks a capability that the request needs.
    CapabilityMissing(Capability),
    /// The request asks for a longer answer than the model can give.
    OutputTooLong {
        /// The answer tokens that the request asks for.
        asked: u64,
        /// The model's maximum.
        most: u32,
    },
    /// The prompt and the requested answer do not fit into the context window.
    PromptTooLong {
        /// The estimated number of prompt tokens.
        prompt: u64,
        /// The maximum number of answer tokens; 0: the request does not set one.
        answer: u64,
        /// The context window, in tokens.
        window: u32,
    },
    /// The request is tied to another backend, which has the stored state to which it refers.
    StateElsewhere,
    /// The target changes parameters of a JSON body, but this body is a form.
    ParametersNeedJson,
}

impl ExclusionReason<'_> {
    /// Returns the stable name of the reason.
    pub const fn name(&self) -> &'static str {
        match self {
            ExclusionReason::SchemaMismatch => "schema_mismatch",
            ExclusionReason::ModelNotServed => "model_not_served",
            ExclusionReason::LabelMissing { .. } => "label_missing",
            ExclusionReason::PriceUnknown(_) => "price_unknown",
            ExclusionReason::PriceTooHigh { .. } => "price_too_high",
            ExclusionReason::CapabilityMissing(_) => "capability_missing",
            ExclusionReason::OutputTooLong { .. } => "output_too_long",
            ExclusionReason::PromptTooLong { .. } => "prompt_too_long",
            ExclusionReason::StateElsewhere => "tied",
            ExclusionReason::ParametersNeedJson => "parameters_need_json",
        }
    }

    /// Returns the details of the reason for the document's author; empty if the name says everything.
    pub fn detail(&self) -> String {
        match self {
            ExclusionReason::SchemaMismatch
            | ExclusionReason::ModelNotServed
            | ExclusionReason::StateElsewhere
            | ExclusionReason::ParametersNeedJson => String::new(),
            ExclusionReason::LabelMissing { required, has } => {
                let name = &required.name;
                let has = match has {
                    Some(value) => format!("{name} is {value}"),
                    None => format!("no {name}"),
                };
                format!("{has}, but {} is required", required.values.join(" or "))
            }
            ExclusionReason::PriceUnknown(which) => format!("no {which} price"),
            ExclusionReason::PriceTooHigh {
                which,
                price,
                limit,
            } => format!("the {which} price is {price}, the limit is {limit}"),
            ExclusionReason::CapabilityMissing(capability) => format!("no {}", capability.name()),
            ExclusionReason::OutputTooLong { asked, most } => {
                format!("the request asks for {asked} tokens, the limit is {most}")
            }
            ExclusionReason::PromptTooLong {
                prompt,
                answer,
                window,
            } => match answer {
                0 => format!("about {prompt} tokens, window {window}"),
                answer => {
                    format!("about {prompt} tokens plus {answer} for the answer, window {window}")
                }
            },
        }
    }
}

impl fmt::Display for ExclusionReason<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        match self.detail().as_str() {
            "" => Ok(()),
            detail => write!(out, ": {detail}"),
        }
    }
}
