//! Response bodies that follow a script: what is sent, when, and how the body ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use super::connection::Breaker;
use super::record::ProgressRecorder;

/// One step of a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BodyStep {
    /// Sends these bytes; over HTTP/1.1 as a chunk of their own, unless the answer has a `content-length`.
    Send(Bytes),
    /// Flushes all bytes that were sent before.
    Flush,
    /// Flushes all bytes that were sent before, then waits.
    Wait(Duration),
    /// Closes the connection with a FIN.
    Close,
    /// Breaks the connection with a RST.
    Reset,
    /// Sends nothing more; the connection stays open.
    Silence,
}

/// A body that takes its steps when the server polls it.
///
/// When the body has nothing to give at once, the server polls again only after it has written out what it has (as far
/// as the client reads). So a connection that breaks after a wait breaks after the last byte.
pub(crate) struct ScriptedBody {
    steps: VecDeque<BodyStep>,
    pause: Option<Pin<Box<Sleep>>>,
    breaker: Breaker,
    watch: ProgressRecorder,
}

impl ScriptedBody {
    pub(crate) fn new(
        steps: Vec<BodyStep>,
        breaker: Breaker,
        watch: ProgressRecorder,
    ) -> ScriptedBody {
        watch.begin();
        if steps.is_empty() {
            watch.end();
        }
        ScriptedBody {
            steps: steps.into(),
            pause: None,
            breaker,
            watch,
        }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.watch.end();
                    return Poll::Ready(None);
                }
                Some(BodyStep::Send(bytes)) => {
                    if self.steps.is_empty() {
                        self.watch.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(BodyStep::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(BodyStep::Wait(time)) => self.pause = Some(Box::pin(tokio::time::sleep(time))),
                Some(BodyStep::Close) => {
                    self.watch.end();
                    self.breaker.close();
                    self.steps.push_front(BodyStep::Silence);
                }
                Some(BodyStep::Reset) => {
                    self.watch.end();
                    self.breaker.reset();
                    self.steps.push_front(BodyStep::Silence);
                }
                Some(BodyStep::Silence) => {
                    self.steps.push_front(BodyStep::Silence);
                    // Nothing wakes it: the end of the connection, on either side, drops this body.
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }
}
