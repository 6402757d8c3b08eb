//! A message's content that goes out on a stream, written as the octets of one of HTTP/1.1.

use super::{failure, fields};
use crate::http1::body::BodyLength;
use crate::http1::body::chunked::Decoder;
use bytes::Bytes;
use h2::{Reason, SendStream};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker, ready};

/// Octets that go into one frame.
const FRAME: usize = 16 * 1024;

/// Where the content is.
#[derive(Debug)]
enum State {
    /// So many octets are to come.
    Length(u64),
    /// In chunks.
    Chunked(Decoder),
    /// Until the end of this direction.
    Open,
    /// The stream's end was sent.
    Ended,
}

/// Content on its way out. Dropped before its end, the stream is reset: the other end sees that the
/// message is not whole.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    state: State,
    /// Why the stream is reset when the message breaks off.
    broken: Reason,
}

impl Outgoing {
    /// Content that is framed in this way; the head of one without content has ended the stream.
    pub(super) const fn new(stream: SendStream<Bytes>, framing: BodyLength, broken: Reason) -> Self {
        let state = match framing {
            BodyLength::None => State::Ended,
            BodyLength::Length(length) => State::Length(length),
            BodyLength::Chunked => State::Chunked(Decoder::new()),
            BodyLength::Close => State::Open,
        };
        Self { stream, state, broken }
    }

    /// Writes a part of `octets`, as far as the other end takes them.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.state {
            State::Length(_) | State::Open => self.poll_content(context, octets),
            State::Chunked(_) => self.poll_chunks(context, octets),
            State::Ended => Poll::Ready(Err(surplus())),
        }
    }

    /// Ends content that goes on until its end is said.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        if matches!(self.state, State::Open) { self.end() } else { Ok(()) }
    }

    /// Whether the other end has reset the stream or is lost.
    pub(super) fn is_reset(&mut self) -> bool {
        self.stream.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn poll_content(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let here = match self.state {
            State::Length(left) => usize::try_from(left).map_or(octets.len(), |left| left.min(octets.len())),
            State::Chunked(_) | State::Open | State::Ended => octets.len(),
        };
        let size = ready!(self.poll_capacity(context, here))?;
        let mut last = false;
        if let State::Length(left) = &mut self.state {
            *left = left.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
            last = *left == 0;
        }
        self.send(&octets[..size], last)?;
        Poll::Ready(Ok(size))
    }

    fn poll_chunks(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut used = 0;
        while used < octets.len() {
            let State::Chunked(decoder) = &mut self.state else { return Poll::Ready(Err(surplus())) };
            let left = usize::try_from(decoder.content_left()).unwrap_or(usize::MAX).min(octets.len() - used);
            let size = if left == 0 {
                1
            } else {
                match self.poll_capacity(context, left) {
                    Poll::Pending if used > 0 => return Poll::Ready(Ok(used)),
                    capacity @ (Poll::Ready(_) | Poll::Pending) => ready!(capacity)?,
                }
            };
            self.decode(&octets[used..used + size], left > 0)?;
            used += size;
        }
        Poll::Ready(Ok(used))
    }

    /// A piece that is content as a whole, or one octet of the framing.
    fn decode(&mut self, piece: &[u8], is_content: bool) -> io::Result<()> {
        let State::Chunked(decoder) = &mut self.state else { return Ok(()) };
        decoder.next(piece).map_err(io::Error::other)?;
        if is_content {
            return self.send(piece, false);
        }
        if decoder.is_done() {
            let trailers = fields::trailers(decoder.trailers()).map_err(io::Error::other)?;
            if trailers.is_empty() {
                return self.end();
            }
            self.state = State::Ended;
            return self.stream.send_trailers(trailers).map_err(failure);
        }
        Ok(())
    }

    /// How much of `wanted` octets the other end takes, one at least.
    fn poll_capacity(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let wanted = wanted.min(FRAME);
        self.stream.reserve_capacity(wanted);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(failure(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        Poll::Ready(Ok(self.stream.capacity().min(wanted)))
    }

    fn end(&mut self) -> io::Result<()> {
        self.send(&[], true)
    }

    fn send(&mut self, octets: &[u8], last: bool) -> io::Result<()> {
        if last {
            self.state = State::Ended;
        }
        self.stream.send_data(Bytes::copy_from_slice(octets), last).map_err(failure)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.stream.send_reset(self.broken);
        }
    }
}

fn surplus() -> io::Error {
    io::Error::other("there is more than the message has")
}

/// Writes `parts` one after the other with `write`, until nothing more is taken.
pub(super) fn write_parts(
    parts: &[IoSlice<'_>],
    mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    let mut written = 0;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let mut rest = &**part;
        while !rest.is_empty() {
            match write(rest) {
                Poll::Ready(Ok(size)) => {
                    written += size;
                    rest = rest.get(size..).unwrap_or_default();
                }
                Poll::Pending if written > 0 => return Poll::Ready(Ok(written)),
                failed @ (Poll::Ready(Err(_)) | Poll::Pending) => return failed,
            }
        }
    }
    Poll::Ready(Ok(written))
}
