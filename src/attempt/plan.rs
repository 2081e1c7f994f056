//! The plan of a request's attempts, which the router role leaves in filter state for the backend role.
//!
//! The plan holds everything that any attempt needs, because each attempt must be adapted from the request as the
//! client sent it. By the time of a retry, Envoy's copy of the request carries the changes of every earlier attempt:
//! those of this filter, and those of later filters, such as a backend's key. So the first of several attempts saves
//! the headers that it finds in the plan, and every later attempt starts from them, whatever has been added since.
//!
//! The plan does not refer to the document. A request that is under way while a new document is loaded finishes with
//! the document that it started with.

use super::adaptation::HeaderChange;
use super::failure::Failure;
use super::plan_builder::reports_usage_on_request;
use super::policy::{FallbackPolicy, Hold, read_cooldown, write_cooldown};
use crate::health::{CooldownPolicy, TargetKey};
use crate::request::{Edit, Edits};
use crate::schema::{Api, Schema};
use crate::wire::{Reader, Writer};

/// How much later than the filter Envoy notices a late first token. The filter checks every 50 ms.
const FIRST_TOKEN_GRACE_MS: u32 = 200;

/// The targets of one request, what has been tried, and what is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The target of the attempt that is next or under way.
    pub(super) next: u8,
    /// Whether no attempt is to follow. If Envoy starts one anyway, it is refused.
    pub(super) gave_up: bool,
    pub(super) api: Api,
    /// Whether the request asked for a streamed answer.
    pub(super) stream: bool,
    /// The length of the body as the router role leaves it, which is what the first target needs. Every attempt
    /// starts from this body.
    pub(super) body_length: usize,
    /// Unix time in milliseconds by which the first byte of an answer must go to the client.
    pub(super) deadline_at: u64,
    /// Whether the deadline is the caller's own, and shorter than the time that the route gives its backends.
    pub(super) has_caller_deadline: bool,
    /// The route's policy, with `hold` and `max_attempts` resolved.
    pub(super) policy: FallbackPolicy,
    /// The route's cooldown policy; `None` if cooldowns are off.
    pub(super) cooldown: Option<CooldownPolicy>,
    /// Whether the targets are members of one cluster that chooses among them itself.
    pub(super) is_pool: bool,
    pub(super) targets: Vec<PlannedTarget>,
    /// The attempts that failed, in order.
    pub(super) failed: Vec<FailedAttempt>,
    /// The number by which the router role of the same worker finds the request's attempts in the ledger.
    pub(super) ticket: u64,
    /// The headers that the first attempt found. Empty before that, and if there is only one target.
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// One target, and everything that an attempt at it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedTarget {
    /// The name of the target's backend.
    pub(super) backend: String,
    pub(super) cluster: String,
    pub(super) model: String,
    pub(super) key: TargetKey,
    /// Whether failures are recorded against the target, which a success clears.
    pub(super) has_failures: bool,
    /// The context window in tokens; 0 if it is not known.
    pub(super) context_window: u32,
    /// Whether the key is the caller's own. If so, a refused key says nothing about the target.
    pub(super) uses_caller_key: bool,
    /// Whether the router asked the stream for its usage. If so, the client must not see the event that reports it.
    pub(super) requests_usage: bool,
    /// The header changes relative to what the router role left.
    pub(super) changes: Vec<HeaderChange>,
    /// The body edits relative to what the router role left; none for the first target.
    pub(super) edits: Edits,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedAttempt {
    pub(super) target: u8,
    pub(super) failure: Failure,
    /// When the attempt began, in Unix milliseconds.
    pub(super) sent_ms: u64,
    /// Whether the failure was reported to the target's health. If an attempt ended without an answer, the client may
    /// have ended it; only what follows shows whether it did.
    pub(super) is_recorded: bool,
}

impl Plan {
    /// When the plan was made, in Unix milliseconds.
    pub(super) fn made_at(&self) -> u64 {
        let deadline_ms = u64::from(self.policy.deadline_ms);
        self.deadline_at.saturating_sub(deadline_ms)
    }

    /// The number by which the router role of the same worker finds the request's attempts in the ledger.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The length of the body as the router role leaves it, in bytes.
    pub(crate) fn body_length(&self) -> usize {
        self.body_length
    }

    /// Whether the answer reports its usage only on request, and the router does not request it.
    pub(crate) fn lacks_usage(&self) -> bool {
        let asks = self.targets.iter().any(|target| target.requests_usage);
        self.stream && reports_usage_on_request(self.api) && !asks
    }

    /// The Unix time in milliseconds by which the first byte of an answer must go to the client.
    pub(crate) fn deadline_at(&self) -> u64 {
        self.deadline_at
    }

    /// The maximum number of retries that Envoy may make.
    pub(crate) fn max_retries(&self) -> u32 {
        self.policy.max_attempts.saturating_sub(1)
    }

    /// Whether an answer with a successful status may still fail and be followed by another attempt.
    pub(crate) fn holds(&self) -> bool {
        self.policy.hold != Some(Hold::None) && self.max_retries() > 0
    }

    /// Retracts the last failure: the attempt that should have followed could not be made, so the failed attempt's
    /// answer goes to the caller.
    pub fn retract_last_failure(&mut self) {
        if let Some(last) = self.failed.pop() {
            self.next = last.target;
        }
    }

    /// Records that one of Envoy's own timers ended the request. Until then, the last attempt was only known to have
    /// ended without an answer.
    pub fn time_is_up(&mut self) {
        if let Some(last) = self.failed.last_mut().filter(|last| !last.is_recorded) {
            last.failure = last.failure.out_of_time();
        }
    }

    /// Whether the last attempt's answer broke off while it was held.
    pub fn is_cut(&self) -> bool {
        let last = self.failed.last();
        last.is_some_and(|last| last.failure == Failure::Incomplete)
    }

    /// Whether another attempt was to follow the last failure.
    pub fn expects_another_attempt(&self) -> bool {
        !self.gave_up && !self.failed.is_empty()
    }

    /// How long Envoy may wait until an attempt's answer is passed on, in milliseconds.
    pub(crate) fn attempt_timeout_ms(&self) -> u32 {
        let first_token = self.policy.first_token_timeout_ms;
        let limit = self.policy.attempt_timeout_ms;
        // If nothing has arrived, only Envoy's limit ends an attempt. If something has, the filter notices the late
        // token before Envoy does, and keeps waiting if there is no other target.
        if self.stream && first_token > 0 && self.policy.hold == Some(Hold::FirstToken) {
            limit.min(first_token.saturating_add(FIRST_TOKEN_GRACE_MS))
        } else {
            limit
        }
    }

    /// The cluster of the attempt that is next or under way; empty if the plan has no such target.
    pub fn cluster(&self) -> &str {
        self.target().map_or("", |target| target.cluster.as_str())
    }

    /// The target of the attempt that is next or under way.
    pub(super) fn target(&self) -> Option<&PlannedTarget> {
        self.targets.get(usize::from(self.next))
    }

    /// Whether the budget allows one more attempt after the current one.
    pub(super) fn has_budget(&self) -> bool {
        self.attempts_left() > 0
    }

    /// How many attempts the budget allows after the current one.
    pub(super) fn attempts_left(&self) -> u32 {
        let made = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
        let with_next = made.saturating_add(1);
        self.policy.max_attempts.saturating_sub(with_next)
    }

    /// The key of the target of the attempt that is next or under way.
    pub fn target_key(&self) -> Option<TargetKey> {
        self.target().map(|target| target.key)
    }

    /// The caller's schema.
    pub fn schema(&self) -> Schema {
        self.api.schema()
    }

    /// Returns the response headers that report the plan's attempts. `answered`: whether a backend gave the answer.
    pub fn report(&self, answered: bool) -> Vec<(&'static str, String)> {
        let mut report = Vec::new();
        if let Some(target) = self.target().filter(|_| answered) {
            report.push(("x-llm-router-backend", target.backend.clone()));
            report.push(("x-llm-router-model", target.model.clone()));
        }
        let made = self.failed.len().saturating_add(usize::from(answered));
        report.push(("x-llm-router-attempts", made.to_string()));
        let failures = self.failed.iter().filter_map(|failed| {
            let target = self.targets.get(usize::from(failed.target))?;
            Some(format!("{}={}", target.backend, failed.failure.name()))
        });
        let failures: Vec<String> = failures.collect();
        if !failures.is_empty() {
            report.push(("x-llm-router-failures", failures.join(", ")));
        }
        report
    }

    /// Encodes the plan for filter state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(self.next);
        out.byte(self.gave_up.into());
        let api = Api::ALL.iter().position(|api| *api == self.api);
        out.length(api.unwrap_or(0));
        out.byte(self.stream.into());
        out.length(self.body_length);
        out.long(self.deadline_at);
        out.byte(self.has_caller_deadline.into());
        self.policy.write(&mut out);
        out.byte(self.cooldown.is_some().into());
        if let Some(cooldown) = &self.cooldown {
            write_cooldown(cooldown, &mut out);
        }
        out.byte(self.is_pool.into());
        out.list(&self.targets, |out, target| {
            out.bytes(target.backend.as_bytes());
            out.bytes(target.cluster.as_bytes());
            out.bytes(target.model.as_bytes());
            out.long(target.key.bits());
            out.byte(target.has_failures.into());
            out.number(target.context_window);
            out.byte(target.uses_caller_key.into());
            out.byte(target.requests_usage.into());
            out.list(&target.changes, |out, change| change.write(out));
            out.list(&target.edits.0, |out, edit| {
                out.length(edit.span.start);
                out.length(edit.span.end);
                out.bytes(&edit.with);
            });
        });
        out.list(&self.failed, |out, failed| {
            out.byte(failed.target);
            let failure = Failure::ALL.iter().position(|one| *one == failed.failure);
            out.length(failure.unwrap_or(0));
            out.long(failed.sent_ms);
            out.byte(failed.is_recorded.into());
        });
        out.long(self.ticket);
        out.list(&self.headers, |out, (name, value)| {
            out.bytes(name.as_bytes());
            out.bytes(value);
        });
        out.0
    }

    /// Decodes a plan from filter state; `None` if the bytes are not a plan.
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        let mut from = Reader(bytes);
        let plan = Plan {
            next: from.byte()?,
            gave_up: from.byte()? != 0,
            api: *Api::ALL.get(from.length()?)?,
            stream: from.byte()? != 0,
            body_length: from.length()?,
            deadline_at: from.long()?,
            has_caller_deadline: from.byte()? != 0,
            policy: FallbackPolicy::read(&mut from)?,
            cooldown: match from.byte()? {
                0 => None,
                _ => Some(read_cooldown(&mut from)?),
            },
            is_pool: from.byte()? != 0,
            targets: from.list(|from| {
                Some(PlannedTarget {
                    backend: from.text()?,
                    cluster: from.text()?,
                    model: from.text()?,
                    key: TargetKey::from_bits(from.long()?),
                    has_failures: from.byte()? != 0,
                    context_window: from.number()?,
                    uses_caller_key: from.byte()? != 0,
                    requests_usage: from.byte()? != 0,
                    changes: from.list(HeaderChange::read)?,
                    edits: Edits(from.list(|from| {
                        Some(Edit {
                            span: from.length()?..from.length()?,
                            with: from.bytes()?,
                        })
                    })?),
                })
            })?,
            failed: from.list(|from| {
                Some(FailedAttempt {
                    target: from.byte()?,
                    failure: *Failure::ALL.get(from.length()?)?,
                    sent_ms: from.long()?,
                    is_recorded: from.byte()? != 0,
                })
            })?,
            ticket: from.long()?,
            headers: from.list(|from| Some((from.text()?, from.bytes()?)))?,
        };
        from.0.is_empty().then_some(plan)
    }
}
