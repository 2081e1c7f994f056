//! The identities of callers: keys that sign tokens, certificates of workloads, and TLS connections to Envoy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls::Authority;

/// A key that signs tokens.
pub(crate) struct Signer {
    key: KeyPair,
    algorithm: &'static str,
}

impl Signer {
    /// Creates a key for ECDSA over P-256.
    fn es256() -> Self {
        Self {
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"),
            algorithm: "ES256",
        }
    }

    /// Creates a key for Ed25519.
    fn ed25519() -> Self {
        Self {
            key: KeyPair::generate_for(&PKCS_ED25519).expect("a key"),
            algorithm: "EdDSA",
        }
    }

    /// Returns the key set with which Envoy verifies signatures.
    pub(crate) fn jwks(&self) -> String {
        let public = self.key.der_bytes();
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self.algorithm {
            // An uncompressed point: a byte that says so, then both coordinates.
            "ES256" => {
                let (x, y) = public[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)})
            }
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(public)}),
        };
        key["alg"] = json!(self.algorithm);
        key["kid"] = json!("key");
        json!({"keys": [key]}).to_string()
    }

    /// Returns a token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm, "kid": "key", "typ": "JWT"});
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        let signature = match self.algorithm {
            "ES256" => raw_signature(&signature),
            _ => signature,
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Converts an ECDSA signature from DER to its two numbers of 32 bytes each.
fn raw_signature(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut raw = vec![];
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(rest[1].into());
        let digits = &number[number.len().saturating_sub(32)..];
        raw.extend(vec![0; 32 - digits.len()]);
        raw.extend_from_slice(digits);
        rest = after;
    }
    raw
}

/// The keys and authorities of one run.
pub(crate) struct Identities {
    /// Signs the tokens of the provider in docs/identity.md.
    pub(crate) company: Signer,
    /// Signs the tokens of another provider.
    pub(crate) partner: Signer,
    /// Signs tokens that nobody trusts.
    pub(crate) stranger: Signer,
    mesh: Authority,
    foreign: Authority,
    /// The files that Envoy reads: the mesh's CA, and Envoy's own certificate and key.
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A client's certificate: its URI, and its issuer.
#[derive(Clone, Copy)]
pub(crate) enum Certificate<'a> {
    None,
    OfMesh(&'a str),
    Foreign(&'a str),
}

impl Identities {
    /// Creates the identities. `names` are Envoy's names, each of a filter chain.
    pub(crate) fn new(directory: &Path, names: &[&str]) -> Self {
        let (mesh, foreign) = (Authority::new(), Authority::new());
        let [ca, certificate, key] =
            ["mesh-ca.pem", "gateway.pem", "gateway.key"].map(|name| directory.join(name));
        let (own_certificate, own_key) = mesh.server(names);
        for (file, text) in [
            (&ca, mesh.pem()),
            (&certificate, own_certificate),
            (&key, own_key),
        ] {
            std::fs::write(file, text).expect("a certificate is written");
        }
        Self {
            company: Signer::es256(),
            partner: Signer::ed25519(),
            stranger: Signer::es256(),
            mesh,
            foreign,
            ca,
            certificate,
            key,
        }
    }

    /// Opens an address without TLS whose traffic goes to Envoy over TLS, to the filter chain of this name, with this
    /// certificate.
    pub(crate) async fn tunnel(
        &self,
        envoy: SocketAddr,
        name: &str,
        certificate: Certificate<'_>,
    ) -> SocketAddr {
        let client = match certificate {
            Certificate::None => None,
            Certificate::OfMesh(uri) => Some(self.mesh.client(uri)),
            Certificate::Foreign(uri) => Some(self.foreign.client(uri)),
        };
        let connector = TlsConnector::from(Arc::new(self.mesh.trusting(client)));
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut plain, _)) = listener.accept().await {
                let (connector, name) = (connector.clone(), name.clone());
                tokio::spawn(async move {
                    let stream = TcpStream::connect(envoy).await?;
                    let mut secure = connector.connect(name, stream).await?;
                    copy_bidirectional(&mut plain, &mut secure).await
                });
            }
        });
        address
    }
}
