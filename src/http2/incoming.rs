//! A message that comes in on a stream, read as the octets of one of HTTP/1.1.

use super::{failure, fields};
use crate::http1::body::{CHUNK_END, chunk_head};
use bytes::Bytes;
use h2::RecvStream;
use http::header::{CONTENT_LENGTH, HeaderMap};
use std::io;
use std::task::{Context, Poll, Waker, ready};

/// How the content reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is: there is none, or it is a tunnel.
    Plain,
    /// As it is: its length was announced, and so much is still to come.
    Measured(u64),
    /// In chunks, with the trailers behind them.
    Chunked,
}

impl Coding {
    /// How content reads that stands behind these fields.
    pub(super) fn of(fields: &HeaderMap) -> Self {
        let Some(length) = fields.get(CONTENT_LENGTH) else { return Self::Chunked };
        let length = length.to_str().ok().and_then(|length| length.parse().ok());
        length.map_or(Self::Plain, Self::Measured)
    }
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
    strict: bool,
    ended: bool,
    /// Why the message cannot be what it says.
    malformed: Option<&'static str>,
}

impl Incoming {
    /// A message with this head.
    pub(super) const fn new(head: Vec<u8>, body: RecvStream, coding: Coding) -> Self {
        Self {
            made: head,
            made_used: 0,
            content: Bytes::new(),
            body,
            coding,
            strict: false,
            ended: false,
            malformed: None,
        }
    }

    /// Of trailer fields with white space around their values, none is read (H2-2). Some servers send such.
    pub(super) const fn strict(mut self) -> Self {
        self.strict = true;
        self
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
            if let Some(why) = self.malformed {
                return Poll::Ready(Err(io::Error::other(why)));
            }
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
        self.available() > 0
    }

    /// How much may be read of what is here. The octet that makes a message whole for its reader waits for the end of its
    /// stream: until then it may prove to be longer than was announced, and nobody may have acted upon it (RFC 9113 section
    /// 8.1.1).
    fn available(&self) -> usize {
        let here = self.made.len() - self.made_used + self.content.len();
        let is_whole = self.coding == Coding::Measured(0) && !self.ended;
        here.saturating_sub(usize::from(is_whole))
    }

    fn take(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        match &mut self.coding {
            Coding::Plain => {}
            Coding::Chunked => chunk_head(&mut self.made, piece.len()),
            Coding::Measured(rest) => {
                let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                let Some(left) = rest.checked_sub(size) else {
                    self.malformed = Some("there is more content than was announced");
                    return;
                };
                *rest = left;
                // Without a look ahead, the last octet would be read by itself.
                self.ended = self.body.is_end_stream();
            }
        }
        self.content = piece;
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let trailers = ready!(self.body.poll_trailers(context)).map_err(failure)?.unwrap_or_default();
        if self.strict && trailers.values().any(|value| fields::has_space_around(value.as_bytes())) {
            self.malformed = Some("a trailer field has white space around it");
            return Poll::Ready(Ok(()));
        }
        self.ended = true;
        if self.coding == Coding::Chunked {
            self.made.extend_from_slice(b"0\r\n");
            fields::section(&mut self.made, &trailers);
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what is here and fits.
    fn give(&mut self, buffer: &mut Vec<u8>) {
        while self.has_something() && buffer.len() < buffer.capacity() {
            let room = self.available().min(buffer.capacity() - buffer.len());
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
