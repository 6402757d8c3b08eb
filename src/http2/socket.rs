//! The byte stream below a connection, as the library wants it.

use crate::http1::stream::{Layer, Stream};
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets that are read of a layer at a time.
const READ: usize = 16 * 1024;

thread_local! {
    /// Octets on their way from a layer.
    static ARRIVING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A byte stream of which the start has been read already. It holds no buffer while nothing comes.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    /// The start; then what a layer gave and the reader had no room for.
    ahead: Vec<u8>,
    used: usize,
}

impl Socket {
    pub(super) const fn new(stream: Stream, ahead: Vec<u8>) -> Self {
        Self { stream, ahead, used: 0 }
    }

    /// Gives what is here; whether there was something.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.ahead.get(self.used..).unwrap_or_default();
        let size = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..size]);
        self.used += size;
        if self.used == self.ahead.len() {
            (self.ahead, self.used) = (Vec::new(), 0);
        }
        size > 0
    }
}

/// Reads a layer once; gives what the reader has no room for.
fn read(layer: &dyn Layer, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Vec<u8>>> {
    ARRIVING.with_borrow_mut(|arriving| {
        arriving.clear();
        arriving.reserve(READ);
        ready!(layer.poll_read(context, arriving))?;
        let (now, rest) = arriving.split_at(arriving.len().min(buffer.remaining()));
        buffer.put_slice(now);
        Poll::Ready(Ok(rest.to_vec()))
    })
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.give(buffer) || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Layered(layer) => {
                this.ahead = ready!(read(&**layer, context, buffer))?;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Stream::Layered(layer) => layer.poll_write(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(_) | Stream::Unix(_) => Poll::Ready(Ok(())),
            Stream::Layered(layer) => layer.poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Layered(layer) => layer.poll_shutdown(context),
        }
    }
}
