//! One request as it arrived and the way to answer it.

use super::body::{BodyError, BodyLength, BodyReader};
use super::deadline::Deadline;
use super::head::Request;
use super::stream::{Peer, Writer};
use super::{Limits, Version, date};
use crate::tls::Names;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use std::cell::Cell;
use std::io;

/// What becomes of the connection.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response is complete: the next request may follow.
    Complete,
    /// The response is complete and told the client that the connection ends here: finish it
    /// gracefully (FIN, then read what still comes for a moment).
    Close,
    /// The response could not be completed: cut the connection, so that the client sees an aborted
    /// message (H-body-3).
    Abort,
}

/// One request and the way to answer it.
pub struct Exchange<'c> {
    /// The head.
    pub request: Request<'c>,
    /// The other end.
    pub peer: &'c Peer,
    /// The body, which nobody has to read.
    pub body: BodyReader<'c>,
    /// Where the response goes.
    pub writer: Writer<'c>,
    /// The connection's timer.
    pub deadline: &'c mut Deadline,
    /// The bounds in force.
    pub limits: &'c Limits,
    /// The connection ends after this response whatever the client wants: the server may begin to
    /// drain while the request is under way.
    pub closing: &'c Cell<bool>,
    /// Whether `100 Continue` was sent.
    pub continued: bool,
    /// The names of the certificate that the client was shown, where there are several and it asked for
    /// one.
    pub names: Option<&'c Names>,
}

/// As much of an unread body is read and thrown away for the sake of the connection (H-close-1).
const DRAINED: u64 = 64 * 1024;

/// What a client that waits is told.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Exchange<'_> {
    /// Sends a whole response in one write. Adds `Date`, `Content-Length` and, where the connection
    /// ends, `Connection: close`; leaves the content out for HEAD, 204 and 304. Says `close` when the
    /// request's body has not been read and cannot be drained within 64 KiB (H-close-1, SMUG-13),
    /// when the client or the server wants to end, or when `response` itself says
    /// `connection: close`.
    pub async fn respond(&mut self, response: http::Response<Bytes>) -> Outcome {
        let asked = response.headers().get_all(CONNECTION).iter().any(|value| value == "close");
        let persists = !asked && !self.closing.get() && self.request.persistent() && self.can_drain();
        let options = Options {
            close: !persists,
            keep_alive: persists && self.request.version() == Version::Http10,
            without_content: self.request.method() == "HEAD",
        };
        let head = head_of(&response, &options);
        let content: &[u8] =
            if options.without_content || is_bodiless(response.status()) { b"" } else { response.body() };
        if self.write([&head, content]).await.is_err() {
            return Outcome::Abort;
        }
        if persists && self.drain().await { Outcome::Complete } else { Outcome::Close }
    }

    /// Sends `100 Continue` once, if the client waits for it. To be called before the body is read.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn send_continue(&mut self) -> io::Result<()> {
        if self.continued || !self.request.expects_continue() {
            return Ok(());
        }
        self.continued = true;
        self.write([CONTINUE]).await
    }

    /// Writes to the client, which has `limits.body_timeout` to take it: one that never reads would keep its
    /// connection for ever (LIM-conn).
    ///
    /// # Errors
    /// Those of the socket; `TimedOut`.
    pub async fn write<const N: usize>(&mut self, parts: [&[u8]; N]) -> io::Result<()> {
        let write = self.writer.write_parts(parts);
        let written = self.deadline.within(self.limits.body_timeout, write).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads the whole body, `limit` octets at most, each piece within `limits.body_timeout`.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn collect(&mut self, limit: usize) -> Result<Vec<u8>, CollectError> {
        if self.body.left() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(CollectError::TooLarge);
        }
        self.send_continue().await.map_err(BodyError::Io)?;
        let mut content = Vec::new();
        loop {
            let piece = self.deadline.within(self.limits.body_timeout, self.body.next()).await;
            let Some(piece) = piece.map_err(|_| CollectError::Stalled)?? else { return Ok(content) };
            if content.len() + piece.len() > limit {
                return Err(CollectError::TooLarge);
            }
            content.extend_from_slice(piece);
        }
    }

    /// Whether the connection may take another request after a response that is written by hand:
    /// the client wants it, the server is not closing, and the body was read to its end.
    pub fn may_persist(&self) -> bool {
        self.request.persistent() && !self.closing.get() && self.body.is_complete()
    }

    /// Whether what is left of the body is known to be small, and known to come: a client that waits for
    /// `100 Continue` may send it or not (SMUG-14).
    fn can_drain(&mut self) -> bool {
        if self.body.is_complete() {
            return true;
        }
        if self.request.expects_continue() && !self.continued {
            return false;
        }
        match self.body.length() {
            BodyLength::Length(_) => self.body.left() <= DRAINED,
            BodyLength::Chunked => {
                while let Ok(Some(_)) = self.body.next_ready() {}
                self.body.is_complete()
            }
            BodyLength::Close | BodyLength::None => false,
        }
    }

    async fn drain(&mut self) -> bool {
        while !self.body.is_complete() {
            let piece = self.deadline.within(self.limits.body_timeout, self.body.next()).await;
            if !matches!(piece, Ok(Ok(_))) {
                return false;
            }
        }
        true
    }
}

/// How a response is written.
pub(crate) struct Options {
    /// The connection ends.
    pub(crate) close: bool,
    /// An HTTP/1.0 client is told that it does not end.
    pub(crate) keep_alive: bool,
    /// The response is to a HEAD.
    pub(crate) without_content: bool,
}

/// The head of a response of our own. Field values are checked by their type, so that none can split
/// the message (SMUG-21).
pub(crate) fn head_of(response: &http::Response<Bytes>, options: &Options) -> Vec<u8> {
    let status = response.status();
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        if [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING].contains(name) {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    date::append(&mut head);
    if !is_bodiless(status) {
        head.extend_from_slice(format!("content-length: {}\r\n", response.body().len()).as_bytes());
    }
    if options.close {
        head.extend_from_slice(b"connection: close\r\n");
    } else if options.keep_alive {
        head.extend_from_slice(b"connection: keep-alive\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// H-body-1
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// Why a body was not collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// 400, or nothing when the client is gone.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// 408.
    #[error("the body made no progress in time")]
    Stalled,
    /// 413.
    #[error("the body is too large")]
    TooLarge,
}
