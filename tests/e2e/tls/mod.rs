//! Trials of TLS to a backend: only a backend that proves its name receives anything.

use crate::harness::{Api, Case, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.matrix(
        "tls::a_backend_that_proves_its_name",
        a_backend_that_proves_its_name,
    );
    suite.matrix("tls::a_certificate_for_another_name", |case| {
        refused(case, "tls-other-name")
    });
    suite.matrix("tls::a_certificate_of_another_authority", |case| {
        refused(case, "tls-other-ca")
    });
}

async fn a_backend_that_proves_its_name(case: Case) {
    let seen = case.chat("tls-right").send().await.only_at("tls-right");
    assert_eq!(seen.model(), "gpt-4o");
    seen.has_its_length();
}

async fn refused(case: Case, backend: &'static str) {
    let before = case.world.backends.tls_connections(backend);
    let answer = case.chat(backend).send().await;
    answer
        .is_error(Api::OpenAi, 503, "upstream_unreachable")
        .went_nowhere();
    // The certificate was the reason, not the connection.
    assert!(
        case.world.backends.tls_connections(backend) > before,
        "nothing listens at {backend}"
    );
    let errors = case
        .envoy
        .stat(&format!("cluster.{backend}.ssl.fail_verify_san"))
        .await
        .unwrap_or(0)
        + case
            .envoy
            .stat(&format!("cluster.{backend}.ssl.fail_verify_error"))
            .await
            .unwrap_or(0);
    assert!(
        errors > 0,
        "Envoy has not refused the certificate of {backend}"
    );
}
