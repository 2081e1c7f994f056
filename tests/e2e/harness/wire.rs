//! A connection of a trial's own, for what ordinary clients do not do: bodies in pieces and with pauses, bodies without
//! their length, trailers, clients that leave.

use std::io;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::channel::{Channel, Sender};

use super::case::{Call, Piece, Protocol, header_list};
use super::http1::Http1;

/// Status, headers and body of an answer.
pub(crate) type Parts = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// A connection.
pub(crate) enum Wire {
    Http1(Http1),
    Http2(Http2),
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http1 => Self::Http1(
                Http1::connect(address)
                    .await
                    .expect("Envoy accepts connections"),
            ),
            Protocol::Http2 => Self::Http2(Http2::new(address)),
        }
    }

    /// Sends a request and reads the complete answer, which may arrive before the request's end.
    pub(crate) async fn exchange(&mut self, call: &Call) -> io::Result<Parts> {
        match self {
            Self::Http1(connection) => connection.exchange(call).await,
            Self::Http2(connection) => connection.exchange(call).await,
        }
    }

    /// Sends a request and leaves before its end: HTTP/1.1 closes the connection, HTTP/2 resets the stream.
    pub(crate) async fn leave_halfway(self, call: &Call) -> io::Result<()> {
        match self {
            Self::Http1(mut connection) => connection.write(call, false).await,
            Self::Http2(connection) => connection.leave_halfway(call).await,
        }
    }
}

/// One HTTP/2 connection that nobody else uses.
pub(crate) struct Http2 {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Http2 {
    fn new(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .retry(reqwest::retry::never())
            .http2_prior_knowledge();
        Self {
            client: client.build().expect("a client"),
            address,
        }
    }

    /// Returns the request, and the sender for its body.
    fn request(&self, call: &Call) -> (reqwest::RequestBuilder, Sender<Bytes, io::Error>) {
        let method = Method::from_bytes(call.method.as_bytes()).expect("a method");
        let (sender, body) = Channel::new(1);
        let mut request = self
            .client
            .request(method, format!("http://{}{}", self.address, call.path));
        for (name, value) in &call.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request = request.header(
                name,
                HeaderValue::from_bytes(value).expect("a header value"),
            );
        }
        if !call.chunked {
            request = request.header("content-length", call.bytes().len());
        }
        (request.body(reqwest::Body::wrap(body)), sender)
    }

    async fn exchange(&self, call: &Call) -> io::Result<Parts> {
        let (request, mut sender) = self.request(call);
        let sending = async {
            send_pieces(call, &mut sender).await;
            if !call.trailers.is_empty() {
                // As above: a failure means that the answer has already arrived.
                let _ = sender.send_trailers(trailers(call)).await;
            }
            drop(sender);
        };
        let receiving = async {
            let response = request.send().await.map_err(io::Error::other)?;
            let (status, headers) = (response.status().as_u16(), header_list(response.headers()));
            let body = response.bytes().await.map_err(io::Error::other)?;
            Ok((status, headers, body.to_vec()))
        };
        tokio::pin!(sending, receiving);
        let mut sent = false;
        loop {
            tokio::select! {
                biased;
                // It may arrive before the request's end, which is then not awaited.
                answer = &mut receiving => return answer,
                () = &mut sending, if !sent => sent = true,
            }
        }
    }

    async fn leave_halfway(self, call: &Call) -> io::Result<()> {
        let (request, mut sender) = self.request(call);
        let leaving = async {
            send_pieces(call, &mut sender).await;
            sender.abort(io::Error::other("the client leaves"));
        };
        match tokio::join!(leaving, request.send()).1 {
            Ok(response) => Err(io::Error::other(format!(
                "was answered {}",
                response.status()
            ))),
            Err(_) => Ok(()),
        }
    }
}

async fn send_pieces(call: &Call, sender: &mut Sender<Bytes, io::Error>) {
    for piece in &call.body {
        match piece {
            Piece::Pause(pause) => tokio::time::sleep(*pause).await,
            Piece::Bytes(bytes) => {
                // This fails if the answer has already arrived, and the answer tells more than this error.
                if sender
                    .send_data(Bytes::copy_from_slice(bytes))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    }
}

fn trailers(call: &Call) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for (name, value) in &call.trailers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        trailers.insert(name, HeaderValue::from_str(value).expect("a header value"));
    }
    trailers
}
