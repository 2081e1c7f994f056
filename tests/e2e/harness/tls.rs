//! Certificates made for one run, and the Envoy settings that refer to them.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    SanType,
};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::files;

/// A CA of one run.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Both CAs have the same name: only their keys differ.
        params
            .distinguished_name
            .push(DnType::CommonName, "llm-router tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for these names and its key, as text.
    pub(crate) fn server(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("DNS names");
        let (certificate, key) = self.signed(params);
        (certificate.pem(), key.serialize_pem())
    }

    /// Returns a certificate for a workload with this identity, and its key.
    pub(crate) fn client(&self, uri: &str) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        let uri = uri.try_into().expect("a URI");
        params.subject_alt_names.push(SanType::URI(uri));
        self.signed(params)
    }

    fn signed(&self, params: CertificateParams) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate, key)
    }

    /// Returns a client that trusts servers of this CA, with or without a certificate of its own.
    pub(crate) fn trusting(&self, client: Option<(Certificate, KeyPair)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a CA");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots);
        match client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                config
                    .with_client_auth_cert(vec![certificate.der().clone()], key)
                    .expect("key and certificate belong together")
            }
        }
    }

    /// Returns a server with a certificate for `name`.
    pub(crate) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
        let (certificate, key) = self.signed(params);
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("key and certificate belong together");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Returns the `transport_socket` of an external cluster, from the example for real providers.
pub(crate) fn verifying() -> Value {
    let clusters = files::clusters(&files::root().join("envoy/providers.yaml"));
    let openai = clusters.iter().find(|cluster| cluster["name"] == "openai");
    openai.expect("the example has a cluster openai")["transport_socket"].clone()
}

/// Adapts a `transport_socket` to a server of the tests. Only existing values are replaced and none is added, so that a
/// socket that does not verify still does not.
pub(crate) fn adapted(mut transport_socket: Value, name: &str, ca: &Path) -> Value {
    let validation = "/typed_config/common_tls_context/validation_context";
    for (pointer, value) in [
        ("/typed_config/sni".to_owned(), json!(name)),
        (format!("{validation}/trusted_ca"), json!({"filename": ca})),
        (
            format!("{validation}/match_typed_subject_alt_names/0/matcher"),
            json!({"exact": name}),
        ),
    ] {
        if let Some(place) = transport_socket.pointer_mut(&pointer) {
            *place = value;
        }
    }
    transport_socket
}
