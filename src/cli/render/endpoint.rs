//! The endpoints of backends: parses addresses from options and documents.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A server, reached by TLS or in plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) is_tls: bool,
    pub(super) server: Server,
    pub(super) port: u16,
}

/// How a server is named: by host name or by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Name(name) => out.write_str(name),
            Server::Address(address) => write!(out, "{address}"),
        }
    }
}

impl Server {
    fn read(text: &str) -> Option<Server> {
        if let Some(address) = text.strip_prefix('[') {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Server::Address(address.into()));
        }
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        match text.parse::<IpAddr>() {
            Ok(address @ IpAddr::V4(_)) => Some(Server::Address(address)),
            _ if text.is_empty() || !text.bytes().all(is_of_name) => None,
            _ => Some(Server::Name(text.to_owned())),
        }
    }
}

impl Endpoint {
    /// Parses `https://HOST` or `http://HOST:PORT`.
    pub(super) fn of_url(url: &str) -> Result<Endpoint, String> {
        let (is_tls, authority) = match url.split_once("://") {
            Some(("https", authority)) => (true, authority),
            Some(("http", authority)) => (false, authority),
            _ => return Err("must begin with https:// or, for plaintext, http://".to_owned()),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(
                "must end after the host or port: for a path, use the backend's `path_prefix`"
                    .to_owned(),
            );
        }
        Endpoint::of_authority(authority, is_tls)
            .ok_or_else(|| format!("\"{authority}\" is not a host with an optional port"))
    }

    /// Parses `HOST` or `HOST:PORT`.
    pub(super) fn of_authority(authority: &str, is_tls: bool) -> Option<Endpoint> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if is_tls => 443,
            None => 80,
        };
        Some(Endpoint {
            is_tls,
            server: Server::read(host)?,
            port,
        })
    }

    /// Returns the `host` of a request to this endpoint.
    pub(super) fn authority(&self) -> String {
        let port = match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => String::new(),
            (_, port) => format!(":{port}"),
        };
        match &self.server {
            Server::Address(IpAddr::V6(address)) => format!("[{address}]{port}"),
            server => format!("{server}{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, server, port, authority) in [
            (
                "https://api.openai.com",
                "api.openai.com",
                443,
                "api.openai.com",
            ),
            (
                "https://gw.example:8443",
                "gw.example",
                8443,
                "gw.example:8443",
            ),
            ("http://localhost", "localhost", 80, "localhost"),
            ("http://127.0.0.1:8000", "127.0.0.1", 8000, "127.0.0.1:8000"),
            ("http://[::1]:8000", "::1", 8000, "[::1]:8000"),
            ("https://[::1]", "::1", 443, "[::1]"),
        ] {
            let endpoint = Endpoint::of_url(url).unwrap();
            assert_eq!(endpoint.is_tls, url.starts_with("https"), "{url}");
            assert_eq!(endpoint.server.to_string(), server);
            assert_eq!(
                (endpoint.port, endpoint.authority()),
                (port, authority.to_owned())
            );
        }
        for wrong in [
            "api.openai.com",
            "ftp://x",
            "https://",
            "https://:443",
            "https://x:0",
            "https://x:65536",
            "https://x:y",
            "https://x/v1",
            "https://x?y",
            "https://user@x",
            "https://x y",
            "https://::1",
            "https://[::1",
            "https://[x]",
        ] {
            assert!(Endpoint::of_url(wrong).is_err(), "{wrong}");
        }
    }
}
