//! A message that comes in on a stream, read as the octets of one of HTTP/1.1.

use super::{failure, fields};
use crate::http1::body::{CHUNK_END, chunk_head};
use bytes::Bytes;
use h2::RecvStream;
use std::io;
use std::task::{Context, Poll, Waker, ready};

/// How the content reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is: its length was announced, or it is a tunnel.
    Plain,
    /// In chunks, with the trailers behind them.
    Chunked,
}

/// A message.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Octets that are made here: the head, and what stands around a piece of content.
    made: Vec<u8>,
    made_used: usize,
    /// A piece of content, the next to be read after `made`.
    content: Bytes,
    body: RecvStream,
    coding: Coding,
    ended: bool,
}

impl Incoming {
    /// A message with this head.
    pub(super) const fn new(head: Vec<u8>, body: RecvStream, coding: Coding) -> Self {
        Self { made: head, made_used: 0, content: Bytes::new(), body, coding, ended: false }
    }

    /// Appends what is here to `buffer`, as much as it has room for; waits when nothing is.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let start = buffer.len();
        loop {
            self.give(buffer);
            let given = buffer.len() - start;
            if buffer.len() == buffer.capacity() {
                return Poll::Ready(Ok(given));
            }
            match self.poll_fill(context) {
                Poll::Ready(Ok(())) if self.has_something() => {}
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(given)),
                // What is wrong will be so at the next call.
                Poll::Ready(Err(_)) | Poll::Pending if given > 0 => return Poll::Ready(Ok(given)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Ready when there is something to read, or nothing will come any more.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ended && !self.has_something() {
            match ready!(self.body.poll_data(context)) {
                Some(Ok(piece)) => self.take(piece),
                Some(Err(error)) => return Poll::Ready(Err(failure(error))),
                None => ready!(self.poll_end(context))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// As [`poll_fill`](Self::poll_fill), without waiting.
    pub(super) fn has_input(&mut self) -> bool {
        self.poll_fill(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// What comes from now on is a tunnel's.
    pub(super) fn begin_tunnel(&mut self) {
        self.coding = Coding::Plain;
    }

    fn has_something(&self) -> bool {
        self.made_used < self.made.len() || !self.content.is_empty()
    }

    fn take(&mut self, piece: Bytes) {
        if self.coding == Coding::Chunked && !piece.is_empty() {
            chunk_head(&mut self.made, piece.len());
        }
        self.content = piece;
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let trailers = ready!(self.body.poll_trailers(context)).map_err(failure)?;
        self.ended = true;
        if self.coding == Coding::Chunked {
            self.made.extend_from_slice(b"0\r\n");
            fields::section(&mut self.made, &trailers.unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what is here and fits.
    fn give(&mut self, buffer: &mut Vec<u8>) {
        while self.has_something() && buffer.len() < buffer.capacity() {
            let room = buffer.capacity() - buffer.len();
            let made = self.made.get(self.made_used..).unwrap_or_default();
            if made.is_empty() {
                self.give_content(buffer, room);
                continue;
            }
            let size = made.len().min(room);
            buffer.extend_from_slice(&made[..size]);
            self.made_used += size;
            if self.made_used == self.made.len() {
                self.made.clear();
                self.made_used = 0;
            }
        }
    }

    fn give_content(&mut self, buffer: &mut Vec<u8>, room: usize) {
        let piece = self.content.split_to(self.content.len().min(room));
        buffer.extend_from_slice(&piece);
        // The other end may send as much more; a stream that has ended needs no more.
        let _ = self.body.flow_control().release_capacity(piece.len());
        if self.content.is_empty() && self.coding == Coding::Chunked {
            self.made.extend_from_slice(CHUNK_END);
        }
    }
}
