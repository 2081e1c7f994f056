//! What is counted, under which names.

/// Counter: requests answered 500 because Envoy held their bodies back (`allow_on_headers_stop_iteration` is missing).
pub const MISSING_ENVOY_SETTING: &str = "llm_router.missing_envoy_setting";

/// Counter: attempts refused because they came out at another backend's cluster than the plan says.
pub const BACKEND_MISMATCH: &str = "llm_router.backend_mismatch";
