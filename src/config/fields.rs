//! The known fields of each map in the document. docs/configuration.md has a row for each.

pub(crate) const DOCUMENT: &[&str] = &[
    "backends",
    "routes",
    "aliases",
    "defaults",
    "tests",
    "enforce_tests",
];
pub(crate) const TEST: &[&str] = &["name", "request", "expect"];
pub(crate) const TEST_REQUEST: &[&str] = &[
    "model", "stream", "path", "method", "headers", "body", "file", "claims", "mesh", "time",
];
pub(crate) const EXPECT: &[&str] = &["route", "target", "plan", "left_out", "error"];
pub(crate) const BACKEND: &[&str] = &[
    "name",
    "cluster",
    "schema",
    "host",
    "path_prefix",
    "path_template",
    "set_headers",
    "remove_headers",
    "allow_headers",
    "forward_client_credentials",
    "ask_for_usage",
    "labels",
    "models",
];
pub(crate) const MODEL: &[&str] = &[
    "name",
    "upstream_name",
    "context_window",
    "max_output_tokens",
    "capabilities",
    "prices",
    "labels",
];
pub(crate) const PRICES: &[&str] = &[
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];
pub(crate) const MAX_PRICES: &[&str] = &["input", "output"];
pub(crate) const ROUTE: &[&str] = &[
    "name",
    "match",
    "pass_through",
    "require",
    "max_prices",
    "sticky",
    "strategy",
    "targets",
    "stored_at",
    "aggregate_cluster",
    "fallback",
];
pub(crate) const MATCH: &[&str] = &[
    "model",
    "path",
    "method",
    "headers",
    "query",
    "stream",
    "body",
    "tools",
    "tool_results",
    "images",
    "audio",
    "files",
    "json_schema",
    "turns",
    "system_prompt",
    "prompt",
    "prompt_bytes",
    "prompt_tokens",
    "script",
    "claims",
    "mesh",
    "time",
    "percent",
    "any",
    "all",
    "not",
];
pub(crate) const FIELD: &[&str] = &["min", "max", "regex", "exists"];
pub(crate) const BOUNDS: &[&str] = &["min", "max"];
pub(crate) const PROMPT: &[&str] = &[
    "words",
    "phrases",
    "regex",
    "in",
    "case_sensitive",
    "whole_words",
];
pub(crate) const SYSTEM_PROMPT: &[&str] =
    &["words", "phrases", "regex", "case_sensitive", "whole_words"];
pub(crate) const TARGET: &[&str] = &["backend", "model", "weight", "parameters"];
pub(crate) const PARAMETERS: &[&str] = &["rename", "remove", "set", "default", "clamp"];
pub(crate) const CLAMP: &[&str] = &["min", "max"];
pub(crate) const MESH: &[&str] = &["trust_domain", "namespace", "service_account"];
pub(crate) const TIME: &[&str] = &["from", "to", "weekdays", "utc_offset"];
pub(crate) const GROUP: &[&str] = &["strategy", "targets"];
pub(crate) const KEY_SOURCE: &[&str] = &["header", "query", "claim", "body"];
pub(crate) const FALLBACK: &[&str] = &[
    "hold",
    "hold_limit_bytes",
    "deadline_ms",
    "attempt_timeout_ms",
    "first_token_timeout_ms",
    "idle_timeout_ms",
    "patience_ms",
    "max_attempts",
    "malformed_events",
    "on_failure",
];
pub(crate) const ON_FAILURE: &[&str] = &["action", "cooldown"];
pub(crate) const COOLDOWN: &[&str] = &[
    "enabled",
    "failures",
    "window_ms",
    "base_ms",
    "max_ms",
    "lease_ms",
];
pub(crate) const DEFAULTS: &[&str] = &[
    "fallback",
    "cooldown",
    "sticky",
    "response_headers",
    "telemetry",
    "allow_request_headers",
    "mesh_gateways",
    "max_body_bytes",
    "cluster_header",
    "missing_flag_timeout_ms",
    "page",
];
pub(crate) const TELEMETRY: &[&str] = &[
    "caller",
    "callers",
    "ask_for_usage",
    "access_log",
    "metrics",
];
pub(crate) const PAGE: &[&str] = &["path", "public", "secret_header", "secret_sha256"];
pub(crate) const BACKEND_ROLE: &[&str] = &["backend"];
