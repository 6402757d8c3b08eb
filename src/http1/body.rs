//! Message bodies: decoded in pieces, checked while they pass (SMUG-9, SMUG-10, LIM-chunk), and
//! the chunked coding for what is sent.

use super::stream::Reader;

/// How a body is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// A response that ends with its connection.
    Close,
    /// `Content-Length`; zero: no body.
    #[default]
    None,
    /// `Content-Length` of one or more octets.
    Length(u64),
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The chunked coding is wrong.
    #[error("{0}")]
    Malformed(&'static str),
    /// The other end finished before the body did.
    #[error("the body ends early")]
    Truncated,
}

/// Reads one body: first what arrived behind the head, then from the stream. Never reads past the
/// body where its end is known beforehand; what was read past the end of a chunked body is kept as
/// the start of the next message.
#[derive(Debug)]
pub struct BodyReader<'r> {
    reader: Reader<'r>,
    // … private to this module: what arrived with the head, the decoder, a buffer taken on demand.
}

impl<'r> BodyReader<'r> {
    /// A reader of a body framed as `length`, of which `ahead` (everything that was read behind
    /// the head) is already there.
    pub fn new(length: BodyLength, ahead: &'r [u8], reader: Reader<'r>) -> Self {
        let _ = (length, ahead);
        let _ = &reader;
        todo!()
    }

    /// The next piece of content without the framing, never empty; `None`: the body is complete.
    /// A chunked body's trailers are checked and dropped (H-trl-1, SMUG-15). Cancel-safe.
    ///
    /// # Errors
    /// When the body is malformed, ends early, or the stream fails.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, BodyError> {
        let _ = &self.reader;
        todo!()
    }

    /// The next piece if it is already here: no system call, no waiting. `Ok(None)`: nothing is
    /// here (ask [`is_complete`](Self::is_complete) whether there will be more).
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn next_ready(&mut self) -> Result<Option<&[u8]>, BodyError> {
        todo!()
    }

    /// Whether the body has been read to its end.
    pub fn is_complete(&self) -> bool {
        todo!()
    }

    /// How the body is framed.
    pub fn length(&self) -> BodyLength {
        todo!()
    }

    /// The stream behind the body, to watch it for the other end's going away while a response is
    /// awaited. Reading from it takes octets away from the body.
    pub fn reader(&mut self) -> &mut Reader<'r> {
        &mut self.reader
    }

    /// Ends the reading: how many octets of `ahead` were used, and what was read from the stream
    /// but does not belong to this body.
    pub fn finish(self) -> (usize, Vec<u8>) {
        todo!()
    }
}

/// Appends the head of a chunk of `size` octets (not zero): `1f\r\n`.
pub fn chunk_head(out: &mut Vec<u8>, size: usize) {
    let _ = (out, size);
    todo!()
}

/// What follows each chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
