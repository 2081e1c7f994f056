//! The verdict on an answered attempt.

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer goes to the client.
    Accept,
    /// The next target of the plan is tried.
    NextTarget,
    /// The attempt failed, but there is nothing left to try: its answer goes to the client.
    GiveUp,
}

/// Judges an answer by its status. `has_next`: whether the plan has another target.
pub fn judge(status: u32, has_next: bool) -> Verdict {
    match (status, has_next) {
        (429 | 500.., true) => Verdict::NextTarget,
        (429 | 500.., false) => Verdict::GiveUp,
        _ => Verdict::Accept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_target_may_do_better_is_retried() {
        for status in [429, 500, 502, 503, 504, 529, 599] {
            assert_eq!(judge(status, true), Verdict::NextTarget);
            assert_eq!(judge(status, false), Verdict::GiveUp);
        }
        for status in [200, 206, 304, 400, 401, 403, 404, 413, 422] {
            assert_eq!(judge(status, true), Verdict::Accept);
        }
    }
}
