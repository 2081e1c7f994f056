//! Chooses the target to try next by the targets' health.

use super::cooldown::{Health, TargetState};
use super::policy::CooldownPolicy;
use super::target::TargetKey;

/// The target to try next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetChoice {
    /// Its index among the candidates.
    pub index: usize,
    /// Whether its lease was taken, which must be written before the target is tried.
    pub leased: bool,
    /// Whether no candidate was healthy or due, so that this one is tried in spite of its state.
    pub all_cooling: bool,
}

/// Chooses among candidates in the order of the plan: the first one that is healthy or due. If it is due, its lease
/// is taken. If no candidate is healthy or due, the one that is due soonest is chosen. Returns `None` only if there
/// are no candidates.
pub fn choose_target(
    health: &mut Health,
    candidates: &[TargetKey],
    now_ms: u64,
    policy: &CooldownPolicy,
) -> Option<TargetChoice> {
    let mut soonest = None;
    for (index, target) in candidates.iter().enumerate() {
        let state = health.state(*target, now_ms, policy);
        match state {
            TargetState::Healthy | TargetState::Due => {
                return Some(TargetChoice {
                    index,
                    leased: state == TargetState::Due && health.lease(*target, now_ms, policy),
                    all_cooling: false,
                });
            }
            TargetState::Cooling { until_ms } | TargetState::Probing { until_ms } => {
                if soonest.is_none_or(|(soonest, _)| until_ms < soonest) {
                    soonest = Some((until_ms, index));
                }
            }
        }
    }
    soonest.map(|(_, index)| TargetChoice {
        index,
        leased: false,
        all_cooling: true,
    })
}
