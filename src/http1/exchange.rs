//! One request as it arrived and the way to answer it.

use super::Limits;
use super::body::BodyReader;
use super::deadline::Deadline;
use super::head::Request;
use super::stream::{Peer, Writer};
use bytes::Bytes;

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
    /// The connection ends after this response whatever the client wants (draining).
    pub closing: bool,
    /// Whether `100 Continue` was sent.
    pub continued: bool,
}

impl Exchange<'_> {
    /// Sends a whole response in one write. Adds `Date`, `Content-Length` and, where the connection
    /// ends, `Connection: close`; leaves the content out for HEAD, 204 and 304. Says `close` when the
    /// request's body has not been read and cannot be drained within 64 KiB (H-close-1, SMUG-13),
    /// when the client or the server wants to end, or when `response` itself says
    /// `connection: close`.
    pub async fn respond(&mut self, response: http::Response<Bytes>) -> Outcome {
        let _ = response;
        todo!()
    }

    /// Sends `100 Continue` once, if the client waits for it. To be called before the body is read.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn send_continue(&mut self) -> std::io::Result<()> {
        todo!()
    }

    /// Reads the whole body, `limit` octets at most, each piece within `limits.body_timeout`.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn collect(&mut self, limit: usize) -> Result<Vec<u8>, CollectError> {
        let _ = limit;
        todo!()
    }

    /// Whether the connection may take another request after a response that is written by hand:
    /// the client wants it, the server is not closing, and the body was read to its end.
    pub fn may_persist(&self) -> bool {
        todo!()
    }
}

/// Why a body was not collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// 400, or nothing when the client is gone.
    #[error(transparent)]
    Body(#[from] super::body::BodyError),
    /// 408.
    #[error("the body made no progress in time")]
    Stalled,
    /// 413.
    #[error("the body is too large")]
    TooLarge,
}
