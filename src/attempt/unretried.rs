//! Retries that the router asked for and Envoy did not make.

/// Why Envoy did not make the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unretried {
    /// The body does not fit into Envoy's retry buffer.
    BodyTooLarge,
    /// The cluster already has as many retries under way as its circuit breaker allows.
    CircuitBreaker,
}

/// Envoy's response flag `UO`, which it sets if a circuit breaker is the reason. If the body is the reason, it sets
/// no flag.
const UPSTREAM_OVERFLOW: i64 = 0x80;

impl Unretried {
    /// All reasons.
    pub const ALL: [Unretried; 2] = [Unretried::BodyTooLarge, Unretried::CircuitBreaker];

    /// Returns the reason that Envoy's `response.flags` show.
    pub fn of(flags: i64) -> Self {
        if flags & UPSTREAM_OVERFLOW == 0 {
            Unretried::BodyTooLarge
        } else {
            Unretried::CircuitBreaker
        }
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Unretried::BodyTooLarge => "body_too_large",
            Unretried::CircuitBreaker => "circuit_breaker",
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
        assert_eq!(documented, Unretried::ALL.map(Unretried::name));
    }

    #[test]
    fn by_flags() {
        assert_eq!(Unretried::of(0), Unretried::BodyTooLarge);
        assert_eq!(Unretried::of(0x80), Unretried::CircuitBreaker);
        assert_eq!(Unretried::of(0x80 | 0x40), Unretried::CircuitBreaker);
    }
}
