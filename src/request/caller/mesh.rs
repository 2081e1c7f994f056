//! Identities of workloads in a service mesh.
//!
//! Sources: SPIFFE-ID (trust domains and paths, their characters and lengths); Istio's security concepts, for the path
//! `/ns/<namespace>/sa/<service account>`.

use super::client_cert_header;

/// A workload's identity: `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshIdentity {
    /// The trust domain, whose authority signs the certificates.
    pub trust_domain: String,
    /// The namespace; `None` if the identity's path has another form.
    pub namespace: Option<String>,
    /// The service account; `None` if the identity's path has another form.
    pub service_account: Option<String>,
}

const SCHEME: &str = "spiffe://";

/// The maximum length of an identity, in bytes.
const MAX_BYTES: usize = 2048;

impl MeshIdentity {
    /// Parses a SPIFFE identity; `None` if it is not one.
    pub fn parse(uri: &str) -> Option<MeshIdentity> {
        if uri.len() > MAX_BYTES {
            return None;
        }
        let rest = uri.strip_prefix(SCHEME)?;
        let (trust_domain, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_domain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_of_path);
        let is_bare = !rest.contains('/');
        let is_valid = (1..=255).contains(&trust_domain.len())
            && trust_domain.bytes().all(is_of_domain)
            && (is_bare || path.split('/').all(is_segment));
        if !is_valid {
            return None;
        }
        let segments: Vec<&str> = path.split('/').collect();
        let (namespace, service_account) = match segments.as_slice() {
            ["ns", namespace, "sa", account] => (Some(*namespace), Some(*account)),
            _ => (None, None),
        };
        Some(MeshIdentity {
            trust_domain: trust_domain.to_owned(),
            namespace: namespace.map(str::to_owned),
            service_account: service_account.map(str::to_owned),
        })
    }

    /// Returns the identity of a request's caller. `peer` is the URI in the certificate of the connection's client.
    ///
    /// If the peer is a trusted gateway, the caller is the last identity in the header `x-forwarded-client-cert` (with
    /// all of its values, as Envoy has it) that is not a gateway itself; `None` if there is no such identity.
    pub fn of_peer(
        peer: &str,
        forwarded_client_cert: &[u8],
        is_gateway: impl Fn(&str) -> bool,
    ) -> Option<MeshIdentity> {
        if !is_gateway(peer) {
            return MeshIdentity::parse(peer);
        }
        let elements = client_cert_header::uris(forwarded_client_cert)?;
        for uris in elements.iter().rev() {
            let [uri] = uris.as_slice() else {
                // A SPIFFE certificate has exactly one.
                return None;
            };
            if !is_gateway(uri) {
                return MeshIdentity::parse(uri);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh(trust_domain: &str, rest: Option<(&str, &str)>) -> MeshIdentity {
        MeshIdentity {
            trust_domain: trust_domain.to_owned(),
            namespace: rest.map(|(namespace, _)| namespace.to_owned()),
            service_account: rest.map(|(_, account)| account.to_owned()),
        }
    }

    #[test]
    fn identities() {
        for (uri, expected) in [
            (
                "spiffe://cluster.local/ns/prod/sa/chat-ui",
                mesh("cluster.local", Some(("prod", "chat-ui"))),
            ),
            ("spiffe://example.org", mesh("example.org", None)),
            (
                "spiffe://example.org/payments/web",
                mesh("example.org", None),
            ),
            ("spiffe://td/ns/prod", mesh("td", None)),
            ("spiffe://td/ns/prod/sa", mesh("td", None)),
            ("spiffe://td/ns/prod/sa/chat/more", mesh("td", None)),
            ("spiffe://td/sa/chat/ns/prod", mesh("td", None)),
            ("spiffe://td/x/prod/sa/chat", mesh("td", None)),
        ] {
            assert_eq!(MeshIdentity::parse(uri), Some(expected), "{uri}");
        }
    }

    #[test]
    fn what_is_no_identity() {
        let long = format!("spiffe://td/{}", "x".repeat(MAX_BYTES));
        for uri in [
            "",
            "td/ns/prod/sa/chat",
            "https://td/ns/prod/sa/chat",
            "SPIFFE://td/ns/prod/sa/chat",
            "spiffe:///ns/prod/sa/chat",
            "spiffe://TD/ns/prod/sa/chat",
            "spiffe://td:80/ns/prod/sa/chat",
            "spiffe://user@td/ns/prod/sa/chat",
            "spiffe://td/",
            "spiffe://td//ns/prod/sa/chat",
            "spiffe://td/ns/prod/sa/chat/",
            "spiffe://td/ns/../sa/chat",
            "spiffe://td/ns/prod/sa/ch%61t",
            "spiffe://td/ns/prod/sa/chat?x",
            "spiffe://td/ns/prod/sa/chat,URI=spiffe://td/ns/prod/sa/admin",
            " spiffe://td/ns/prod/sa/chat",
            &long,
        ] {
            assert_eq!(MeshIdentity::parse(uri), None, "{uri}");
        }
    }

    const CHAT: &str = "spiffe://td/ns/prod/sa/chat";
    const GATEWAY: &str = "spiffe://td/ns/ingress/sa/gateway";
    const OTHER_GATEWAY: &str = "spiffe://td/ns/ingress/sa/other";

    fn of_peer(peer: &str, header: &str) -> Option<String> {
        let is_gateway = |uri: &str| uri.starts_with("spiffe://td/ns/ingress/");
        let mesh = MeshIdentity::of_peer(peer, header.as_bytes(), is_gateway)?;
        mesh.service_account
    }

    #[test]
    fn only_a_gateway_speaks_for_others() {
        let admin = "URI=spiffe://td/ns/prod/sa/admin";
        for header in ["", admin, "\"", &format!("{admin},URI={GATEWAY}")] {
            assert_eq!(of_peer(CHAT, header).as_deref(), Some("chat"), "{header}");
        }
        for (header, expected) in [
            // As the gateway's Envoy writes it, without and with what our Envoy appends.
            (format!("By=a;URI={CHAT}"), Some("chat")),
            (format!("By=a;URI={CHAT},By=b;URI={GATEWAY}"), Some("chat")),
            (
                format!("URI={CHAT},URI={OTHER_GATEWAY},URI={GATEWAY}"),
                Some("chat"),
            ),
            // The elements before it are what the gateway's client claimed.
            (format!("{admin},URI={CHAT}"), Some("chat")),
            (format!("{admin},URI={CHAT},URI={GATEWAY}"), Some("chat")),
            // No identity is named.
            (String::new(), None),
            (format!("URI={GATEWAY}"), None),
            (format!("{admin},Hash=x;Subject=\"CN=x\""), None),
            (format!("{admin},URI={CHAT};URI=https://other"), None),
            (format!("{admin},URI=https://other"), None),
        ] {
            assert_eq!(of_peer(GATEWAY, &header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn what_is_no_list_names_nobody() {
        let admin = "URI=spiffe://td/ns/prod/sa/admin";
        // An open quote would swallow what the gateway appends.
        for header in [
            format!("{admin};Subject=\",Hash=x;URI={CHAT}"),
            format!("{admin};Subject=\",Hash=x;Subject=\"CN=x\";URI={CHAT}"),
            format!("{admin};Subject=\",Hash=x;Subject=\"\";URI={CHAT}"),
            format!("{admin},"),
            format!("{admin};;Hash=x"),
            format!("{admin};nothing"),
        ] {
            assert_eq!(of_peer(GATEWAY, &header), None, "{header}");
        }
    }
}
