//! Reads fallback policies and cooldowns, of routes and of `defaults`.

use super::error::suggestion;
use super::fields;
use super::reader::{Fields, Node};
use crate::attempt::{CooldownEffect, Failure, FailureAction, FailureRule, FallbackPolicy, Hold};
use crate::health::CooldownPolicy;

/// One day, in milliseconds.
const DAY: u32 = 86_400_000;

/// Reads a `fallback`; fields that are not set keep their value in `base`.
pub(super) fn read_policy(node: &Node<'_>, base: &FallbackPolicy) -> FallbackPolicy {
    let fields = node.fields(fields::FALLBACK);
    let mut policy = base.clone();
    if let Some(hold) = fields
        .optional("hold")
        .and_then(|node| one_of(node, &Hold::ALL))
    {
        policy.hold = Some(hold);
    }
    read_limits(&fields, &mut policy);
    if let Some(node) = fields.optional("malformed_events") {
        let names = [("pass", false), ("drop", true)];
        policy.drop_malformed_events = one_of(node, &names).unwrap_or(policy.drop_malformed_events);
    }
    if let Some(node) = fields.optional("on_failure") {
        read_rows(node, &mut policy);
    }
    if policy.hold == Some(Hold::None)
        && let Some(node) = fields.optional("first_token_timeout_ms")
    {
        node.error("has no effect with `hold: none`, because the answer is then already being sent to the client");
    }
    policy
}

fn read_limits(fields: &Fields<'_>, policy: &mut FallbackPolicy) {
    let limits: [(&str, u32, u32, &mut u32); 7] = [
        (
            "hold_limit_bytes",
            1_024,
            67_108_864,
            &mut policy.hold_limit_bytes,
        ),
        ("deadline_ms", 1, DAY, &mut policy.deadline_ms),
        ("attempt_timeout_ms", 1, DAY, &mut policy.attempt_timeout_ms),
        (
            "first_token_timeout_ms",
            0,
            DAY,
            &mut policy.first_token_timeout_ms,
        ),
        ("idle_timeout_ms", 100, DAY, &mut policy.idle_timeout_ms),
        ("patience_ms", 0, 60_000, &mut policy.patience_ms),
        ("max_attempts", 1, 64, &mut policy.max_attempts),
    ];
    for (name, least, most, limit) in limits {
        if let Some(value) = fields
            .optional(name)
            .and_then(|node| node.integer(least, most))
        {
            *limit = value;
        }
    }
}

fn read_rows(node: &Node<'_>, policy: &mut FallbackPolicy) {
    for (name, node) in node.entries() {
        let Some(failure) = Failure::ALL.iter().find(|one| one.name() == name) else {
            let names = Failure::ALL.iter().map(|one| one.name());
            node.error(format!(
                "unknown failure{}",
                match suggestion(name, names.clone()).as_str() {
                    "" => format!("; expected one of {}", names.collect::<Vec<_>>().join(", ")),
                    close => close.to_owned(),
                }
            ));
            continue;
        };
        if let Some(rule) = read_rule(&node, *failure, policy.rule(*failure)) {
            policy.set_rule(*failure, rule);
        }
    }
}

/// Reads the rule for a failure: an action, or a map with an action and its effect on the cooldown.
fn read_rule(node: &Node<'_>, failure: Failure, base: FailureRule) -> Option<FailureRule> {
    if node.is_scalar() {
        return Some(FailureRule {
            action: read_action(node, failure)?,
            ..base
        });
    }
    let fields = node.fields(fields::ON_FAILURE);
    if fields.is_empty() {
        fields.error("must not be empty");
    }
    let action = match fields.optional("action") {
        Some(node) => read_action(node, failure)?,
        None => base.action,
    };
    let cooldown = match fields.optional("cooldown") {
        Some(node) => one_of(node, &CooldownEffect::ALL)?,
        None => base.cooldown,
    };
    Some(FailureRule { action, cooldown })
}

fn read_action(node: &Node<'_>, failure: Failure) -> Option<FailureAction> {
    let action = one_of(node, &FailureAction::ALL)?;
    if action == FailureAction::LargerWindow && failure != Failure::ContextLength {
        node.error("`larger_window` is only for context_length");
    }
    if action == FailureAction::Retry && failure == Failure::NoAnswer {
        node.error(
            "a target that did not answer is not tried again: use `next` to try another one",
        );
    }
    if action == FailureAction::Retry && failure == Failure::ContextLength {
        node.error(
            "a prompt that does not fit will not fit the second time: use `next` or `larger_window` to try another \
             model",
        );
    }
    let may_ask = [
        Failure::RateLimited,
        Failure::Unavailable,
        Failure::ServerError,
    ];
    if action == FailureAction::Wait && !may_ask.contains(&failure) {
        node.error(
            "`wait` is only for failures whose answer may say how long to wait: rate_limited, unavailable, \
             server_error",
        );
    }
    Some(action)
}

/// Reads `defaults.cooldown`; `None`: cooldowns are off.
pub(super) fn read_cooldown(node: &Node<'_>) -> Option<CooldownPolicy> {
    let fields = node.fields(fields::COOLDOWN);
    let mut policy = CooldownPolicy::default();
    let enabled = fields.optional("enabled").and_then(Node::boolean);
    if let Some(failures) = fields
        .optional("failures")
        .and_then(|node| node.integer(1, 64))
    {
        policy.failures = failures;
    }
    let times = [
        ("window_ms", &mut policy.window_ms),
        ("base_ms", &mut policy.base_ms),
        ("max_ms", &mut policy.max_ms),
        ("lease_ms", &mut policy.lease_ms),
    ];
    for (name, time) in times {
        if let Some(value) = fields
            .optional(name)
            .and_then(|node| node.integer(100, DAY))
        {
            *time = value.into();
        }
    }
    if policy.max_ms < policy.base_ms {
        fields.error(format!(
            "max_ms ({}) must not be less than base_ms ({})",
            policy.max_ms, policy.base_ms
        ));
    }
    enabled.unwrap_or(true).then_some(policy)
}

/// Reads one of a closed set of names.
pub(super) fn one_of<T: Copy>(node: &Node<'_>, known: &[(&'static str, T)]) -> Option<T> {
    let written = node.name()?;
    let found = known.iter().find(|(name, _)| *name == written);
    if found.is_none() {
        let names = known.iter().map(|(name, _)| *name);
        node.error(format!(
            "unknown value \"{written}\"{}; expected one of {}",
            suggestion(written, names.clone()),
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    found.map(|(_, value)| *value)
}
