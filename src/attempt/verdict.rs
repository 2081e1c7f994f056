//! The verdict on an answered attempt.

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer goes to the client.
    Accept,
    /// The attempt failed: the next target of the plan is tried, and where there is none the answer goes to the client
    /// after all.
    NextTarget,
}

/// Judges an answer by its status.
pub fn judge(status: u32) -> Verdict {
    match status {
        429 | 500.. => Verdict::NextTarget,
        _ => Verdict::Accept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_target_may_do_better_is_retried() {
        for status in [429, 500, 502, 503, 504, 529, 599] {
            assert_eq!(judge(status), Verdict::NextTarget);
        }
        for status in [200, 206, 304, 400, 401, 403, 404, 413, 422] {
            assert_eq!(judge(status), Verdict::Accept);
        }
    }
}
