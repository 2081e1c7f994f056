//! Connections that a backend can break on purpose.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The backend's side of one connection, through which an answer can break it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    inner: Arc<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    reset: AtomicBool,
    broken: Notify,
}

impl Breaker {
    /// Closes the connection with a FIN.
    pub(crate) fn close(&self) {
        self.inner.broken.notify_one();
    }

    /// Closes the connection with a RST, if it is a [`ResettableTcp`].
    pub(crate) fn reset(&self) {
        self.inner.reset.store(true, Ordering::Relaxed);
        self.inner.broken.notify_one();
    }

    /// Waits until an answer breaks the connection.
    pub(crate) async fn broken(&self) {
        self.inner.broken.notified().await;
    }
}

/// A TCP stream that sends a RST when it is dropped, if its breaker says so.
pub(crate) struct ResettableTcp {
    stream: TcpStream,
    breaker: Breaker,
}

impl ResettableTcp {
    pub(crate) fn new(stream: TcpStream, breaker: Breaker) -> ResettableTcp {
        ResettableTcp { stream, breaker }
    }
}

impl Drop for ResettableTcp {
    fn drop(&mut self) {
        if self.breaker.inner.reset.load(Ordering::Relaxed) {
            // If this fails, the kernel ends the connection with a FIN, as for the fault `close`.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ResettableTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableTcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
