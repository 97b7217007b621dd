//! Interim responses (`100 Continue`, `103 Early Hints`) before the final one. The connection
//! writes them, because the HTTP server does not.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::fault_rules::Interim;

/// Interim responses that are written at once. Other connections are served between two writes.
const AT_ONCE: u32 = 500;

/// A connection that may write interim responses before its next response.
#[derive(Debug)]
pub(crate) struct InterimStream<S> {
    inner: S,
    due: BeforeAnswer,
    /// Bytes of interim responses that are not yet written.
    rest: Vec<u8>,
}

/// The handle that sets the interim responses of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct BeforeAnswer(Arc<Mutex<Option<Interim>>>);

impl BeforeAnswer {
    pub(crate) fn send(&self, interim: Interim) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(interim);
    }

    /// The bytes of the next interim responses. Empty if none are left.
    fn take_bytes(&self) -> Vec<u8> {
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(interim) = due.as_mut() else {
            return Vec::new();
        };
        let now = interim.count.unwrap_or(AT_ONCE).min(AT_ONCE);
        let line = match interim.status {
            103 => "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n",
            102 => "HTTP/1.1 102 Processing\r\n\r\n",
            _ => "HTTP/1.1 100 Continue\r\n\r\n",
        };
        interim.count = interim.count.map(|count| count - now);
        if interim.count == Some(0) {
            *due = None;
        }
        (0..now).flat_map(|_| line.bytes()).collect()
    }
}

impl<S> InterimStream<S> {
    pub(crate) fn new(inner: S) -> (Self, BeforeAnswer) {
        let due = BeforeAnswer::default();
        let stream = Self {
            inner,
            due: due.clone(),
            rest: Vec::new(),
        };
        (stream, due)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InterimStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while !this.rest.is_empty() {
            let written = ready!(Pin::new(&mut this.inner).poll_write(context, &this.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.rest.drain(..written);
        }
        this.rest = this.due.take_bytes();
        if this.rest.is_empty() {
            return Pin::new(&mut this.inner).poll_write(context, bytes);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InterimStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}
