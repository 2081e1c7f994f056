//! Why a target is not in a plan.

use std::fmt;

use crate::config::{Capability, Price, Required};

/// Why a target is not in the plan. Names and numbers of the document and sizes of the request, nothing that a client
/// wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut<'d> {
    /// Its backend speaks another API than the request.
    SchemaMismatch,
    /// It keeps the client's model, which its backend does not serve.
    ModelNotServed,
    /// It lacks a label that the route requires, or has it with another value.
    LabelMissing {
        /// What the route requires.
        required: &'d Required,
        /// What it has instead.
        has: Option<&'d str>,
    },
    /// The route limits a price that is not known of it.
    PriceUnknown(&'static str),
    /// It costs more than the route allows.
    PriceTooHigh {
        /// Which of the prices.
        which: &'static str,
        /// What it costs.
        price: Price,
        /// What it may cost.
        limit: Price,
    },
    /// It cannot do what the request needs.
    CapabilityMissing(Capability),
    /// The request asks for a longer answer than it gives.
    OutputTooLong {
        /// The tokens that are asked for.
        asked: u64,
        /// The tokens that it gives.
        most: u32,
    },
    /// The prompt, and the answer that is asked for, do not fit into its window.
    PromptTooLong {
        /// About how many tokens the prompt has.
        prompt: u64,
        /// How many the answer may have; 0: the request does not say.
        answer: u64,
        /// How many fit.
        window: u32,
    },
    /// The request is tied to another backend, where what it names is stored.
    Tied,
    /// It changes parameters of a JSON body, and this one is a form.
    ParametersNeedJson,
}

impl LeftOut<'_> {
    /// The stable name of the reason.
    pub const fn name(&self) -> &'static str {
        match self {
            LeftOut::SchemaMismatch => "schema_mismatch",
            LeftOut::ModelNotServed => "model_not_served",
            LeftOut::LabelMissing { .. } => "label_missing",
            LeftOut::PriceUnknown(_) => "price_unknown",
            LeftOut::PriceTooHigh { .. } => "price_too_high",
            LeftOut::CapabilityMissing(_) => "capability_missing",
            LeftOut::OutputTooLong { .. } => "output_too_long",
            LeftOut::PromptTooLong { .. } => "prompt_too_long",
            LeftOut::Tied => "tied",
            LeftOut::ParametersNeedJson => "parameters_need_json",
        }
    }

    /// The reason in this case, for whoever wrote the document; empty where its name says all.
    pub fn detail(&self) -> String {
        match self {
            LeftOut::SchemaMismatch
            | LeftOut::ModelNotServed
            | LeftOut::Tied
            | LeftOut::ParametersNeedJson => String::new(),
            LeftOut::LabelMissing { required, has } => {
                let name = &required.name;
                let has = match has {
                    Some(value) => format!("{name} is {value}"),
                    None => format!("no {name}"),
                };
                format!("{has}, but {} is required", required.values.join(" or "))
            }
            LeftOut::PriceUnknown(which) => format!("no {which} price"),
            LeftOut::PriceTooHigh {
                which,
                price,
                limit,
            } => format!("the {which} price is {price}, the limit is {limit}"),
            LeftOut::CapabilityMissing(capability) => format!("no {}", capability.name()),
            LeftOut::OutputTooLong { asked, most } => {
                format!("the request asks for {asked} tokens, the limit is {most}")
            }
            LeftOut::PromptTooLong {
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

impl fmt::Display for LeftOut<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        match self.detail().as_str() {
            "" => Ok(()),
            detail => write!(out, ": {detail}"),
        }
    }
}
