//! Trials of token claims, which `jwt_authn` verifies before the filter sees the request.

use serde_json::{Value, json};

use super::{is_taken, on_both};
use crate::harness::{Case, Suite};

pub(super) fn add(suite: &mut Suite) {
    on_both(
        suite,
        "callers::claims_of_a_verified_token",
        of_a_verified_token,
    );
    on_both(
        suite,
        "callers::claims_of_no_verified_token",
        of_no_verified_token,
    );
    on_both(
        suite,
        "callers::claims_of_several_tokens",
        of_several_tokens,
    );
    on_both(suite, "callers::claims_of_failed_tokens", of_failed_tokens);
    on_both(suite, "callers::a_header_of_a_claim", a_header_of_a_claim);
}

/// Returns claims as the provider in docs/identity.md expects them.
pub(super) fn of_company(sub: &str) -> Value {
    json!({
        "iss": "https://login.example.com", "aud": "llm-gateway", "exp": 4_102_444_800_u64,
        "sub": sub,
        "level": 7,
        "admin": true,
        "groups": ["sales", 5, "ops", null],
        "realm_access": {"roles": ["user", "llm-user"]},
        "https://example.com/tier": "gold",
    })
}

const CLAIMS: [&str; 7] = [
    "claim-text",
    "claim-number",
    "claim-boolean",
    "claim-list",
    "claim-parts",
    "claim-url",
    "claim-there",
];

async fn of_a_verified_token(case: Case) {
    let company = &case.world.backends.identities.company;
    let with = |model: &str, claims: &Value| {
        let token = format!("Bearer {}", company.token(claims));
        case.chat(model).header("authorization", token)
    };
    let right = of_company("svc-1");
    for model in CLAIMS {
        assert!(is_taken(with(model, &right)).await, "{model}");
    }
    assert!(!is_taken(with("claim-not", &right)).await);
    let mut wrong = of_company("other");
    wrong["level"] = json!(8);
    wrong["admin"] = json!(false);
    wrong["groups"] = json!(["researchers", ["ops"], {"ops": "ops"}]);
    wrong["realm_access"] = json!({"roles": {"llm-user": "llm-user"}});
    wrong["https://example"] = json!({"com/tier": "gold"});
    wrong["https://example.com/tier"] = json!("silver");
    for model in CLAIMS {
        let is_there = model == "claim-there";
        assert_eq!(is_taken(with(model, &wrong)).await, is_there, "{model}");
    }
}

/// Nothing that a client can write without the key counts as a claim.
async fn of_no_verified_token(case: Case) {
    let identities = &case.world.backends.identities;
    let right = of_company("svc-1");
    let token = identities.company.token(&right);
    let (header, rest) = token.split_once('.').expect("three parts");
    let (_, signature) = rest.split_once('.').expect("three parts");
    let foreign = identities.stranger.token(&right);
    let mut expired = right.clone();
    expired["exp"] = json!(1_000_000_000);
    let mut for_another = right.clone();
    for_another["aud"] = json!("another");
    // `{"alg":"none"}`
    let unsigned = format!(
        "eyJhbGciOiJub25lIn0.{}.",
        rest.split('.').next().unwrap_or_default()
    );
    let other_payload = identities.company.token(&of_company("other"));
    let other_payload = other_payload.split('.').nth(1).unwrap_or_default();
    let tokens = [
        foreign.clone(),
        format!("{header}.{other_payload}.{signature}"),
        unsigned,
        identities.company.token(&expired),
        identities.company.token(&for_another),
        identities.partner.token(&right),
        "a.b.c".to_owned(),
        String::new(),
    ];
    for model in CLAIMS {
        assert!(!is_taken(case.chat(model)).await, "{model} without a token");
        for token in &tokens {
            let call = case
                .chat(model)
                .header("authorization", format!("Bearer {token}"));
            assert!(!is_taken(call).await, "{model} with {token}");
        }
        // Headers in which other software expects the payload of a verified token.
        let call = case
            .chat(model)
            .header("x-jwt-payload", right.to_string())
            .header("x-partner-token", token.as_str())
            .header("sub", "svc-1")
            .header("envoy.filters.http.jwt_authn", right.to_string());
        assert!(!is_taken(call).await, "{model} by headers");
    }
    let call = case.chat("claim-not");
    assert!(is_taken(call.header("authorization", format!("Bearer {foreign}"))).await);
    assert!(is_taken(case.chat("claim-not")).await);
}

/// The claims of one token do not complete those of another.
async fn of_several_tokens(case: Case) {
    let identities = &case.world.backends.identities;
    let of_partner = |sub: &str| {
        let claims = json!({"iss": "https://partner.example", "sub": sub});
        identities.partner.token(&claims)
    };
    let with = |model: &str, company: &str, partner: &str| {
        let token = identities.company.token(&of_company(company));
        case.chat(model)
            .header("authorization", format!("Bearer {token}"))
            .header("x-partner-token", of_partner(partner))
    };
    for (model, company, partner, expected) in [
        ("claim-text", "other", "svc-1", true),
        ("claim-text", "svc-1", "other", true),
        ("claim-text", "other", "other", false),
        ("claims-of-one", "svc-1", "other", true),
        ("claims-of-one", "other", "svc-1", false),
        ("claims-of-two", "svc-1", "other", true),
    ] {
        let taken = is_taken(with(model, company, partner)).await;
        assert_eq!(taken, expected, "{model} {company} {partner}");
    }
    let call = case
        .chat("claim-text")
        .header("x-partner-token", of_partner("svc-1"));
    assert!(is_taken(call).await);
}

/// Envoy stores the reasons for failures in the same place.
async fn of_failed_tokens(case: Case) {
    let foreign = &case.world.backends.identities.stranger;
    let token = foreign.token(&json!({"iss": "https://partner.example", "message": "x"}));
    let call = case.chat("claim-of-failure");
    assert!(!is_taken(call.header("x-partner-token", token)).await);
}

/// A header that `jwt_authn` sets from a claim has the token's value, whatever a client sends under its name.
async fn a_header_of_a_claim(case: Case) {
    let company = &case.world.backends.identities.company;
    for (sent, sub, expected) in [
        (None, Some("svc-1"), true),
        (None, Some("other"), false),
        (Some("svc-1"), None, false),
        (Some("svc-1"), Some("other"), false),
        (Some("other"), Some("svc-1"), true),
    ] {
        let mut call = case.chat("caller-header");
        if let Some(sent) = sent {
            call = call.header("x-caller", sent);
        }
        if let Some(sub) = sub {
            let token = company.token(&of_company(sub));
            call = call.header("authorization", format!("Bearer {token}"));
        }
        assert_eq!(is_taken(call).await, expected, "{sent:?} {sub:?}");
    }
}
