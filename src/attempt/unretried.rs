//! Attempts that were asked for, and that Envoy did not make.

/// Why Envoy did not make the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unretried {
    /// The body does not fit into Envoy's buffer for retries.
    BodyTooLarge,
    /// The cluster has as many retries under way as its circuit breaker lets it have.
    CircuitBreaker,
}

/// Envoy's flag `UO`, which it sets where a circuit breaker is the reason. Where the body is, it sets none.
const UPSTREAM_OVERFLOW: i64 = 0x80;

impl Unretried {
    /// All of them.
    pub const ALL: [Unretried; 2] = [Unretried::BodyTooLarge, Unretried::CircuitBreaker];

    /// By `response.flags`.
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

    /// docs/fallback.md has a row for each.
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
