//! The ways in which an attempt can fail.

macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)+) => {
        /// Why an attempt failed. docs/fallback.md describes each for users.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Failure {
            $($(#[$doc])* $variant,)+
        }

        impl Failure {
            /// All failures.
            pub const ALL: &'static [Failure] = &[$(Failure::$variant,)+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Failure::$variant => $name,)+ }
            }
        }
    };
}

failures! {
    /// 429, or an error that says the same: too many requests or tokens, or no quota left.
    RateLimited "rate_limited",
    /// 500, 502 and other 5xx: something broke at the backend or on the way to it.
    ServerError "server_error",
    /// 503, 504, 529: the backend is overloaded or down.
    Unavailable "unavailable",
    /// 401, 403: the backend does not accept the gateway's key.
    Unauthorized "unauthorized",
    /// The prompt, or the prompt and the answer together, do not fit the model's context window.
    ContextLength "context_length",
    /// The backend's content policy refuses the prompt.
    ContentPolicy "content_policy",
    /// Any other 4xx: the request is at fault.
    Rejected "rejected",
    /// No connection could be made.
    ConnectFailure "connect_failure",
    /// The connection broke before an answer.
    Reset "reset",
    /// No answer arrived in time.
    NoAnswer "no_answer",
    /// The first token did not arrive in time.
    LateFirstToken "late_first_token",
    /// The answer broke off or stalled while it was held.
    Incomplete "incomplete",
}

impl Failure {
    /// Returns the failure after a timer fired: an answer that was missing or incomplete did not arrive in time.
    pub(super) const fn out_of_time(self) -> Failure {
        match self {
            Failure::Reset | Failure::Incomplete => Failure::NoAnswer,
            other => other,
        }
    }
}
