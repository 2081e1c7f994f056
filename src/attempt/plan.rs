//! The plan of a request's attempts, as the router role leaves it for the backend role in filter state.
//!
//! It holds everything that any attempt needs, because an attempt must be adapted from the request as the client sent
//! it, and what Envoy has by then carries the changes of every earlier attempt: ours, and what filters after ours
//! added, a key of that backend's among it. So the first attempt of several writes the headers that it finds into the
//! plan, and every later one begins with these, whatever has been added since.
//!
//! The plan does not refer to the document: a request that is under way while a new document is loaded ends by the one
//! it began with.

use super::adaptation::HeaderChange;
use super::failure::Failure;
use super::making::tells_if_asked;
use super::policy::{Hold, Policy, read_cooldown, write_cooldown};
use crate::health::{CooldownPolicy, TargetKey};
use crate::request::{Edit, Edits};
use crate::schema::{Api, Schema};
use crate::wire::{Reader, Writer};

/// How much later than the filter Envoy notices that a first token is late. The filter looks every 50 ms.
const FIRST_TOKEN_GRACE_MS: u32 = 200;

/// The targets of one request, what has been tried, and what is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The target of the attempt that is next, or under way.
    pub(super) next: u8,
    /// Whether there is none: what Envoy begins nevertheless is refused.
    pub(super) gave_up: bool,
    pub(super) api: Api,
    /// Whether a streamed answer was asked for.
    pub(super) stream: bool,
    /// How long the body is as the router role leaves it, which is where every attempt begins: as the first target needs
    /// it.
    pub(super) body_length: usize,
    /// Unix time in milliseconds by which the first byte of an answer has to go to the client.
    pub(super) deadline_at: u64,
    /// Whether that is the caller's own wish, and less than the route gives its backends.
    pub(super) hurried: bool,
    /// Its `hold` and `max_attempts` are settled.
    pub(super) policy: Policy,
    /// `None`: cooldowns are off.
    pub(super) cooldown: Option<CooldownPolicy>,
    /// Whether the targets are one cluster's, which chooses among its members itself.
    pub(super) is_pool: bool,
    pub(super) targets: Vec<PlannedTarget>,
    /// The attempts that failed, in order.
    pub(super) failed: Vec<FailedAttempt>,
    /// By which the router role of the same worker knows its attempts.
    pub(super) ticket: u64,
    /// The headers that the first attempt found; empty before, and where there is only one target.
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// One target and all that an attempt at it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedTarget {
    /// The target's backend.
    pub(super) backend: String,
    pub(super) cluster: String,
    pub(super) model: String,
    pub(super) key: TargetKey,
    /// Whether something is known against it, which a success takes back.
    pub(super) ailing: bool,
    /// Tokens; 0: not known.
    pub(super) context_window: u32,
    /// Whether the key is the caller's own, so that its refusal says nothing about the target.
    pub(super) callers_key: bool,
    /// Whether its stream was asked for its usage by us, so that the client must not see the event that tells it.
    pub(super) asks_usage: bool,
    /// What distinguishes its headers from those that the router role left.
    pub(super) changes: Vec<HeaderChange>,
    /// What distinguishes its body from the one that the router role left; nothing for the first one.
    pub(super) edits: Edits,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailedAttempt {
    pub(super) target: u8,
    pub(super) failure: Failure,
    /// When it was begun, in Unix milliseconds.
    pub(super) sent_ms: u64,
    /// Whether the target's health has been told. One that ended without an answer may have been ended by the client:
    /// only what follows shows that it was not.
    pub(super) told: bool,
}

impl Plan {
    /// When it was made, in Unix milliseconds.
    pub(super) fn made_at(&self) -> u64 {
        let deadline_ms = u64::from(self.policy.deadline_ms);
        self.deadline_at.saturating_sub(deadline_ms)
    }

    /// By which the router role of the same worker knows its attempts.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The length of the body as the router role leaves it.
    pub(crate) fn body_length(&self) -> usize {
        self.body_length
    }

    /// Whether its answer would tell its usage only if it were asked, which the router does not.
    pub(crate) fn lacks_usage(&self) -> bool {
        let asks = self.targets.iter().any(|target| target.asks_usage);
        self.stream && tells_if_asked(self.api) && !asks
    }

    /// When the first byte of an answer has to go to the client, in Unix milliseconds.
    pub(crate) fn deadline_at(&self) -> u64 {
        self.deadline_at
    }

    /// How often Envoy may try again.
    pub(crate) fn max_retries(&self) -> u32 {
        self.policy.max_attempts.saturating_sub(1)
    }

    /// Whether an answer may fail that is no error by its status, and another attempt follow.
    pub(crate) fn holds(&self) -> bool {
        self.policy.hold != Some(Hold::None) && self.max_retries() > 0
    }

    /// Takes the last failure back: the attempt that it should have led to was not to be had, so that its answer is the
    /// caller's.
    pub fn take_back(&mut self) {
        if let Some(last) = self.failed.pop() {
            self.next = last.target;
        }
    }

    /// Envoy has ended the request by a timer of its own. What its last attempt was judged by before was only that it ended
    /// without an answer.
    pub fn time_is_up(&mut self) {
        if let Some(last) = self.failed.last_mut().filter(|last| !last.told) {
            last.failure = last.failure.out_of_time();
        }
    }

    /// Whether the answer of the last attempt is one that broke off while it was held.
    pub fn is_cut(&self) -> bool {
        let last = self.failed.last();
        last.is_some_and(|last| last.failure == Failure::Incomplete)
    }

    /// Whether another attempt was to follow the last failure.
    pub fn wants_another(&self) -> bool {
        !self.gave_up && !self.failed.is_empty()
    }

    /// How long Envoy may wait for what an attempt passes on, in milliseconds.
    pub(crate) fn attempt_timeout_ms(&self) -> u32 {
        let first_token = self.policy.first_token_timeout_ms;
        let limit = self.policy.attempt_timeout_ms;
        // Where nothing has come, only Envoy's limit ends an attempt. Where something has, the filter comes before it, and
        // goes on waiting if there is no other target.
        if self.stream && first_token > 0 && self.policy.hold == Some(Hold::FirstToken) {
            limit.min(first_token.saturating_add(FIRST_TOKEN_GRACE_MS))
        } else {
            limit
        }
    }

    /// The cluster of the next attempt.
    pub fn cluster(&self) -> &str {
        self.target().map_or("", |target| target.cluster.as_str())
    }

    /// The target of the next attempt.
    pub(super) fn target(&self) -> Option<&PlannedTarget> {
        self.targets.get(usize::from(self.next))
    }

    /// Whether one more attempt after the next one is within the budget.
    pub(super) fn has_budget(&self) -> bool {
        self.attempts_left() > 0
    }

    /// How many attempts after the next one are within the budget.
    pub(super) fn attempts_left(&self) -> u32 {
        let made = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
        let with_next = made.saturating_add(1);
        self.policy.max_attempts.saturating_sub(with_next)
    }

    /// The target of the attempt that is next, or under way.
    pub fn target_key(&self) -> Option<TargetKey> {
        self.target().map(|target| target.key)
    }

    /// The dialect of the caller.
    pub fn schema(&self) -> Schema {
        self.api.schema()
    }

    /// What response headers tell of it. `answered`: by a backend.
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

    /// As bytes for filter state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(self.next);
        out.byte(self.gave_up.into());
        let api = Api::ALL.iter().position(|api| *api == self.api);
        out.length(api.unwrap_or(0));
        out.byte(self.stream.into());
        out.length(self.body_length);
        out.long(self.deadline_at);
        out.byte(self.hurried.into());
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
            out.byte(target.ailing.into());
            out.number(target.context_window);
            out.byte(target.callers_key.into());
            out.byte(target.asks_usage.into());
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
            out.byte(failed.told.into());
        });
        out.long(self.ticket);
        out.list(&self.headers, |out, (name, value)| {
            out.bytes(name.as_bytes());
            out.bytes(value);
        });
        out.0
    }

    /// From bytes of filter state; `None` if they are no plan.
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        let mut from = Reader(bytes);
        let plan = Plan {
            next: from.byte()?,
            gave_up: from.byte()? != 0,
            api: *Api::ALL.get(from.length()?)?,
            stream: from.byte()? != 0,
            body_length: from.length()?,
            deadline_at: from.long()?,
            hurried: from.byte()? != 0,
            policy: Policy::read(&mut from)?,
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
                    ailing: from.byte()? != 0,
                    context_window: from.number()?,
                    callers_key: from.byte()? != 0,
                    asks_usage: from.byte()? != 0,
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
                    told: from.byte()? != 0,
                })
            })?,
            ticket: from.long()?,
            headers: from.list(|from| Some((from.text()?, from.bytes()?)))?,
        };
        from.0.is_empty().then_some(plan)
    }
}
