//! Retries that the router asked for and Envoy did not make.

/// Why Envoy did not make the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnretriedReason {
    /// The body does not fit into Envoy's retry buffer.
    BodyTooLarge,
    /// The cluster already has as many retries under way as its circuit breaker allows.
    CircuitBreaker,
}

/// Envoy's response flag `UO`, which it sets if a circuit breaker is the reason. If the body is the reason, it sets
/// no flag.
const UPSTREAM_OVERFLOW: i64 = 0x80;

impl UnretriedReason {
    /// All reasons.
    pub const ALL: [UnretriedReason; 2] = [
        UnretriedReason::BodyTooLarge,
        UnretriedReason::CircuitBreaker,
    ];

    /// Returns the reason that Envoy's `response.flags` show.
    pub fn from_response_flags(flags: i64) -> Self {
        if flags & UPSTREAM_OVERFLOW == 0 {
            UnretriedReason::BodyTooLarge
        } else {
            UnretriedReason::CircuitBreaker
        }
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            UnretriedReason::BodyTooLarge => "body_too_large",
            UnretriedReason::CircuitBreaker => "circuit_breaker",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/fallback.md has a row for each reason.
    #[test]
    fn the_table_in_the_docs_is_the_code() {
        let docs = include_str!("../../docs/fallback.md");
        let documented = crate::doc_tables::first_names(docs, "unretried");
        assert_eq!(documented, UnretriedReason::ALL.map(UnretriedReason::name));
    }

    #[test]
    fn by_flags() {
        assert_eq!(
            UnretriedReason::from_response_flags(0),
            UnretriedReason::BodyTooLarge
        );
        assert_eq!(
            UnretriedReason::from_response_flags(0x80),
            UnretriedReason::CircuitBreaker
        );
        assert_eq!(
            UnretriedReason::from_response_flags(0x80 | 0x40),
            UnretriedReason::CircuitBreaker
        );
    }
}
