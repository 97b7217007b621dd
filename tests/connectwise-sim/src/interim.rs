//! Interim answers (`100 Continue`, `103 Early Hints`) before an answer: a connection that writes them by itself, because
//! the HTTP server does not.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::fault_rules::Interim;

/// Interim answers that are written in one go; between two goes, other connections have their turn.
const AT_ONCE: u32 = 500;

/// A connection whose next answer may come after interim ones.
#[derive(Debug)]
pub(crate) struct InterimStream<S> {
    inner: S,
    due: BeforeAnswer,
    /// Bytes of interim answers that are yet to be written.
    rest: Vec<u8>,
}

/// Tells the connection what to write before the next answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct BeforeAnswer(Arc<Mutex<Option<Interim>>>);

impl BeforeAnswer {
    pub(crate) fn send(&self, interim: Interim) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(interim);
    }

    /// The bytes of some of the interim answers that are due. None are left once it is empty.
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
