//! The documents of the shared Envoys.
//!
//! Models that fail are named after what happens: `openai-hang` has one target that never answers,
//! `openai-hang-then-next` also has a second one. Each exists for both APIs: see [`Api::model`].
//!
//! [`Api::model`]: crate::harness::Api::model

use serde_json::{Value, json};

use super::MISSING_FLAG_TIMEOUT_MS;

/// The model names that select a demo backend's fault.
pub(crate) const FAULTS: [&str; 9] = [
    "status-400",
    "status-404",
    "status-429",
    "status-500",
    "status-503",
    "status-529",
    "hang",
    "reset",
    "close",
];

/// A name that no template and no path can contain unencoded.
pub(crate) const DEPLOYMENT: &str = "my deployment/\u{fc}?";

/// Returns the main document, with everything that only it has.
pub(crate) fn main() -> Value {
    json!({
        "backends": backends(),
        "routes": routes(),
        "defaults": {
            "missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS,
            // Trials must not influence each other, and each target is tried once; the complete policy is tested on an
            // Envoy of its own.
            "cooldown": {"enabled": false},
            "fallback": {"on_failure": {
                "rate_limited": "next", "server_error": "next", "connect_failure": "next", "reset": "next",
            }},
        },
    })
}

/// Returns the smallest document with both roles and a fallback.
pub(crate) fn small() -> Value {
    json!({
        "backends": [
            {"name": "openai", "schema": "openai", "host": "api.openai.test",
             "models": [{"name": "gpt-4o", "upstream_name": "gpt-4o-2024-08-06"}]},
            {"name": "anthropic", "schema": "anthropic", "models": [{"name": "claude-*"}]},
            {"name": "dead", "schema": "openai", "models": [{"name": "gpt-4o"}]},
        ],
        "routes": [
            {"name": "smart", "match": {"model": "smart"}, "targets": [
                {"backend": "dead", "model": "gpt-4o"}, {"backend": "openai", "model": "gpt-4o"},
            ]},
            {"name": "spread", "match": {"model": "spread"}, "strategy": "weighted", "targets": [
                {"backend": "openai", "model": "gpt-4o", "weight": 2}, {"backend": "dead", "model": "gpt-4o", "weight": 0},
            ]},
            {"name": "all", "match": {"model": "*"}, "targets": [{"backend": "openai"}, {"backend": "anthropic"}]},
        ],
        "defaults": {"missing_flag_timeout_ms": MISSING_FLAG_TIMEOUT_MS, "cooldown": {"enabled": false}},
    })
}

fn models(names: &[&str]) -> Vec<Value> {
    names
        .iter()
        .chain(&FAULTS)
        .map(|name| json!({"name": name}))
        .collect()
}

fn backends() -> Vec<Value> {
    let mut openai = models(&["gpt-4o", "org/model/with-slashes"]);
    openai.push(json!({"name": "gpt-4o-mini", "upstream_name": "gpt-4o-mini-2024-07-18"}));
    let mut all = vec![
        json!({"name": "openai", "schema": "openai", "host": "api.openai.test", "models": openai}),
        json!({
            "name": "azure", "cluster": "azure-east", "schema": "openai", "host": "example.openai.azure.test",
            "path_template": "/openai/deployments/{model}{operation}?api-version=2024-10-21",
            "models": [{"name": "gpt-4o", "upstream_name": DEPLOYMENT}, {"name": "status-503"}],
        }),
        json!({
            "name": "second", "schema": "openai", "path_prefix": "/api/openai/v1",
            "set_headers": {"x-second": "yes", "x-shared": "second"}, "remove_headers": ["x-wanted"],
            "models": [{"name": "gpt-4o"}, {"name": "status-500"}, {"name": "llama-*"}],
        }),
        json!({"name": "bare", "schema": "openai", "path_prefix": "", "models": [{"name": "gpt-4o"}]}),
        json!({"name": "anthropic", "schema": "anthropic", "host": "api.anthropic.test", "models": models(&["claude-sonnet-4-5"])}),
        json!({
            "name": "claude-two", "schema": "anthropic", "path_prefix": "/anthropic/v1", "host": "two.anthropic.test",
            "models": [{"name": "claude-sonnet-4-5", "upstream_name": "claude-two-sonnet"}],
        }),
        json!({"name": "vllm", "schema": "openai", "models": models(&["gpt-4o"]),
               "allow_headers": ["x-request-id", "x-forwarded-proto", "x-test-*", "x-kept", "traceparent"]}),
        json!({"name": "lax", "schema": "openai", "models": models(&["gpt-4o"]),
               "allow_headers": ["x-request-id", "x-forwarded-proto", "*"]}),
        json!({"name": "byok", "schema": "openai", "forward_client_credentials": true, "models": models(&["gpt-4o"])}),
    ];
    for name in [
        "keyed",
        "keyed-other",
        "keyed-oddly",
        "paced",
        "last-word",
        "halfway-h1",
        "halfway-h2",
        "tls-right",
        "tls-other-name",
        "tls-other-ca",
    ] {
        all.push(json!({"name": name, "schema": "openai", "models": models(&["gpt-4o"])}));
    }
    for api in ["openai", "anthropic"] {
        for kind in UNUSABLE {
            let model = json!([{"name": model_of(api)}]);
            all.push(json!({"name": unusable(kind, api), "schema": api, "models": model}));
        }
    }
    all
}

/// Backends that cannot be reached. `dead-too` is another cluster with the dead port.
const UNUSABLE: [&str; 7] = [
    "dead",
    "dead-too",
    "empty",
    "full",
    "missing",
    "misrouted",
    "keyless",
];

fn unusable(kind: &str, api: &str) -> String {
    match kind.strip_suffix("-too") {
        Some(kind) => format!("{kind}-{api}-too"),
        None => format!("{kind}-{api}"),
    }
}

fn model_of(api: &str) -> &'static str {
    if api == "openai" {
        "gpt-4o"
    } else {
        "claude-sonnet-4-5"
    }
}

fn routes() -> Vec<Value> {
    let mut all = matches();
    all.extend(contents());
    all.extend(chains());
    all.extend(sticky());
    all.extend(hygiene());
    all.extend(changed());
    for api in ["openai", "anthropic"] {
        let next = if api == "openai" {
            "azure"
        } else {
            "claude-two"
        };
        let fine = json!({"backend": next, "model": model_of(api)});
        let failing = FAULTS
            .iter()
            .map(|fault| ((*fault).to_owned(), json!({"backend": api, "model": fault})));
        let unreachable = UNUSABLE.iter().map(|kind| {
            (
                (*kind).to_owned(),
                json!({"backend": unusable(kind, api), "model": model_of(api)}),
            )
        });
        for (what, target) in failing.chain(unreachable) {
            all.push(chain(
                &format!("{api}-{what}"),
                std::slice::from_ref(&target),
            ));
            all.push(chain(
                &format!("{api}-{what}-then-next"),
                &[target, fine.clone()],
            ));
        }
        let dead = |kind| json!({"backend": unusable(kind, api), "model": model_of(api)});
        all.push(chain(
            &format!("{api}-all-dead"),
            &[dead("dead"), dead("dead-too")],
        ));
    }
    // Last, as in a real document: the client gets the model that it names.
    all.push(json!({
        "name": "by-name", "match": {"model": ["gpt-*", "org/*", "llama-*"]},
        "targets": [{"backend": "openai"}, {"backend": "azure"}, {"backend": "second"}],
    }));
    all.push(json!({"name": "claude", "match": {"model": "claude-*"}, "targets": [{"backend": "anthropic"}]}));
    all
}

/// Returns a route for one virtual model.
fn chain(model: &str, targets: &[Value]) -> Value {
    let mut route = json!({"name": model, "match": {"model": model}, "targets": targets});
    if model.contains("hang") {
        route["fallback"] = json!({"attempt_timeout_ms": 1000});
    }
    route
}

fn to(backend: &str, model: &str) -> Value {
    json!({"backend": backend, "model": model})
}

/// Returns routes whose targets change parameters, each in its own way, except for the last target.
fn changed() -> Vec<Value> {
    let change = |mut target: Value, parameters: &Value| {
        target["parameters"] = parameters.clone();
        target
    };
    let first = json!({
        "rename": {"max_tokens": "max_completion_tokens"}, "remove": ["temperature"], "set": {"reasoning.effort": "low"},
        "default": {"seed": 7}, "clamp": {"max_completion_tokens": {"max": 100}},
    });
    let second = json!({"remove": ["seed"], "clamp": {"temperature": {"max": 1}}});
    let azure = to("azure", "gpt-4o");
    let after = |failing| [change(failing, &first), change(azure.clone(), &second)];
    vec![
        chain(
            "changed",
            &[
                change(to("openai", "status-500"), &first),
                change(to("second", "status-500"), &second),
                azure.clone(),
            ],
        ),
        chain("changed-reset", &after(to("openai", "reset"))),
        chain("changed-dead", &after(to("dead-openai", "gpt-4o"))),
        chain("changed-only", &[change(to("openai", "gpt-4o"), &first)]),
    ]
}

/// Returns routes whose first target fails and is tried once more.
fn hygiene() -> Vec<Value> {
    let again = |model: &str, targets: &[Value]| {
        let mut route = chain(model, targets);
        route["fallback"] = json!({"on_failure": {"server_error": "retry"}});
        route
    };
    vec![
        again("hygiene-alone", &[to("openai", "status-500")]),
        again(
            "hygiene-default",
            &[to("openai", "status-500"), to("second", "gpt-4o")],
        ),
        again(
            "hygiene-allowed",
            &[to("vllm", "status-500"), to("lax", "gpt-4o")],
        ),
    ]
}

/// Returns each kind of condition, before a route that takes the same model without it.
fn matches() -> Vec<Value> {
    let when = |name: &str, condition: Value, backend: &str| json!({"name": name, "match": condition, "targets": [to(backend, "gpt-4o")]});
    vec![
        when(
            "research-streams",
            json!({"model": "smart", "headers": {"x-team": "research"}, "stream": true}),
            "azure",
        ),
        when(
            "smart-not-intern",
            json!({"model": "smart", "not": {"headers": {"x-team": "intern"}}}),
            "openai",
        ),
        when("smart", json!({"model": "smart"}), "second"),
        when(
            "tagged",
            json!({"model": "tagged", "headers": {"x-tag": "*"}}),
            "azure",
        ),
        when("untagged", json!({"model": "tagged"}), "openai"),
        when(
            "both",
            json!({"model": "both", "all": [{"headers": {"x-a": "1"}}, {"headers": {"x-b": ["2", "3-*"]}}]}),
            "azure",
        ),
        when("not-both", json!({"model": "both"}), "openai"),
        when("whole", json!({"model": "whole", "stream": false}), "azure"),
        when("streamed", json!({"model": "whole"}), "openai"),
        json!({"name": "by-path", "match": {"model": "by-path", "path": "/v1/messages", "method": "POST"},
               "targets": [to("claude-two", "claude-sonnet-4-5")]}),
        when("by-other-path", json!({"model": "by-path"}), "openai"),
        json!({"name": "fast", "match": {"any": [{"model": "fast"}, {"model": "*-fast"}]},
               "targets": [to("openai", "gpt-4o-mini"), to("azure", "gpt-4o")]}),
    ]
}

/// Returns routes that choose by a key.
fn sticky() -> Vec<Value> {
    let gpt = |backend: &str| to(backend, "gpt-4o");
    let weighted = |targets: &[Value]| json!({"strategy": "weighted", "targets": targets});
    let keys = json!([{"header": "x-session"}, "conversation"]);
    vec![
        json!({"name": "sticky", "match": {"model": "sticky"}, "sticky": keys, "strategy": "weighted",
               "targets": [gpt("openai"), gpt("azure"), gpt("second"), gpt("bare")]}),
        json!({"name": "split-off", "match": {"model": "split", "percent": 30}, "sticky": keys, "targets": [gpt("second")]}),
        json!({"name": "split-rest", "match": {"model": "split"}, "targets": [gpt("openai")]}),
        json!({"name": "grouped", "match": {"model": "grouped"}, "sticky": keys, "targets": [
            weighted(&[gpt("dead-openai"), gpt("dead-openai-too")]),
            weighted(&[gpt("openai"), gpt("bare")]),
        ]}),
        json!({"name": "pass-some", "pass_through": true, "match": {"path": "/v1/split/*", "percent": 50},
               "sticky": [{"header": "x-session"}], "targets": [{"backend": "second"}]}),
        json!({"name": "pass-rest", "pass_through": true, "match": {"path": "/v1/split/*"}, "targets": [{"backend": "bare"}]}),
    ]
}

/// Returns each kind of condition on a body's content, before a route that takes the same model without it.
fn contents() -> Vec<Value> {
    let when = |name: &str, condition: Value, backend: &str| json!({"name": name, "match": condition, "targets": [to(backend, "gpt-4o")]});
    let both =
        |first: &str, second: &str| json!([to(first, "gpt-4o"), to(second, "claude-sonnet-4-5")]);
    vec![
        when(
            "low-temperature",
            json!({"model": "by-field", "body": {"temperature": {"max": 0.5}, "metadata.team": ["search", "ads"]}}),
            "azure",
        ),
        when("any-temperature", json!({"model": "by-field"}), "openai"),
        when(
            "tools",
            json!({"model": "by-tools", "tools": true, "turns": {"min": 2}}),
            "azure",
        ),
        when("no-tools", json!({"model": "by-tools"}), "openai"),
        json!({"name": "images", "match": {"model": "by-images", "images": true}, "targets": both("azure", "claude-two")}),
        json!({"name": "no-images", "match": {"model": "by-images"}, "targets": both("openai", "anthropic")}),
        when(
            "refunds",
            json!({"model": "by-words", "prompt": {"words": ["refund"]}}),
            "azure",
        ),
        when("no-refunds", json!({"model": "by-words"}), "openai"),
        when(
            "large",
            json!({"model": "by-size", "prompt_bytes": {"min": 1_000_000}, "prompt_tokens": {"min": 100_000}, "prompt": {"regex": "n[e]{2}dle$"}}),
            "azure",
        ),
        when(
            "large-without",
            json!({"model": "by-size", "prompt_tokens": {"min": 100_000}}),
            "second",
        ),
        when("small", json!({"model": "by-size"}), "openai"),
    ]
}

fn chains() -> Vec<Value> {
    let gpt = |backend: &str| to(backend, "gpt-4o");
    let mut all = vec![
        json!({"name": "spread", "match": {"model": "spread"}, "strategy": "weighted", "targets": [
            {"backend": "openai", "model": "gpt-4o", "weight": 3},
            {"backend": "second", "model": "gpt-4o"},
            {"backend": "bare", "model": "gpt-4o", "weight": 0},
        ]}),
        json!({"name": "spread-past-a-dead-one", "match": {"model": "spread-past-a-dead-one"}, "strategy": "weighted",
               "targets": [
            {"backend": "bare", "model": "gpt-4o", "weight": 0},
            {"backend": "dead-openai", "model": "gpt-4o", "weight": 1},
        ]}),
        chain(
            "either-api",
            &[gpt("openai"), to("anthropic", "claude-sonnet-4-5")],
        ),
        chain(
            "last-word-fails",
            &[to("last-word", "status-500"), gpt("azure")],
        ),
        chain(
            "two-models",
            &[to("openai", "status-500"), to("openai", "gpt-4o-mini")],
        ),
        chain(
            "two-failing",
            &[
                to("openai", "status-503"),
                gpt("dead-openai"),
                gpt("second"),
            ],
        ),
        chain(
            "all-503",
            &[to("openai", "status-503"), to("azure", "status-503")],
        ),
        chain("second-fails", &[to("second", "status-500"), gpt("openai")]),
        chain(
            "second-is-next",
            &[to("openai", "status-500"), gpt("second")],
        ),
        chain(
            "keyed-fails",
            &[to("keyed", "status-500"), gpt("keyed-other")],
        ),
        chain(
            "keyed-other-fails",
            &[to("keyed-other", "status-500"), gpt("keyed")],
        ),
        chain(
            "keyed-oddly-fails",
            &[
                to("keyed-oddly", "status-500"),
                gpt("second"),
                gpt("openai"),
            ],
        ),
        chain(
            "keyed-fails-byok",
            &[to("keyed", "status-500"), gpt("byok")],
        ),
        chain(
            "keyed-fails-openai",
            &[to("keyed", "status-500"), gpt("openai")],
        ),
        chain("byok-fails", &[to("byok", "status-500"), gpt("openai")]),
        chain("byok-is-next", &[to("openai", "status-500"), gpt("byok")]),
        // A second target shows whether a backend can cause a retry by its own header.
        chain("paced", &[gpt("paced")]),
        chain("paced-then-next", &[gpt("paced"), gpt("openai")]),
    ];
    for backend in [
        "azure",
        "second",
        "bare",
        "keyed",
        "keyed-other",
        "keyed-oddly",
        "byok",
        "halfway-h1",
        "halfway-h2",
    ] {
        all.push(chain(&format!("at-{backend}"), &[gpt(backend)]));
    }
    for backend in ["tls-right", "tls-other-name", "tls-other-ca"] {
        all.push(chain(backend, &[gpt(backend)]));
    }
    all
}
