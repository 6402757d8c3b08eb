//! Message bodies: decoded in pieces, checked while they pass (SMUG-9, SMUG-10, LIM-chunk), and
//! the chunked coding for what is sent.

pub(crate) mod chunked;
#[cfg(test)]
mod tests;

use self::chunked::{Decoder, Piece};
use super::head::Field;
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

/// Octets that are read at a time; more when as much was there.
const READ: usize = 16 * 1024;
const MOST_READ: usize = 64 * 1024;

/// Reads one body: first what arrived behind the head, then from the stream. What was read past the
/// end of the body is kept as the start of the next message.
#[derive(Debug)]
pub struct BodyReader<'r> {
    reader: Reader<'r>,
    length: BodyLength,
    /// Of a body with a length: octets that are still to come.
    left: u64,
    decoder: Decoder,
    ahead: &'r [u8],
    /// Octets of `ahead` that are used.
    used: usize,
    /// What was read from the stream, and how much of it is used.
    spill: Vec<u8>,
    spill_used: usize,
    complete: bool,
}

impl<'r> BodyReader<'r> {
    /// A reader of a body framed as `length`, of which `ahead` (everything that was read behind
    /// the head) is already there.
    pub const fn new(length: BodyLength, ahead: &'r [u8], reader: Reader<'r>) -> Self {
        let left = match length {
            BodyLength::Length(length) => length,
            BodyLength::Chunked | BodyLength::Close | BodyLength::None => 0,
        };
        Self {
            reader,
            length,
            left,
            decoder: Decoder::new(),
            ahead,
            used: 0,
            spill: Vec::new(),
            spill_used: 0,
            complete: matches!(length, BodyLength::None),
        }
    }

    /// The next piece of content without the framing, never empty; `None`: the body is complete.
    /// A chunked body's trailers are checked and kept apart, see [`trailers`](Self::trailers). Cancel-safe.
    ///
    /// # Errors
    /// When the body is malformed, ends early, or the stream fails.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, BodyError> {
        loop {
            if let Some(piece) = self.advance()? {
                return Ok(Some(self.piece(piece)));
            }
            if self.complete {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// The next piece if it is already here: no system call, no waiting. `Ok(None)`: nothing is
    /// here (ask [`is_complete`](Self::is_complete) whether there will be more).
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn next_ready(&mut self) -> Result<Option<&[u8]>, BodyError> {
        Ok(self.advance()?.map(|piece| self.piece(piece)))
    }

    /// Waits until something more has come, where [`next_ready`](Self::next_ready) had nothing left.
    /// Cancel-safe.
    ///
    /// # Errors
    /// When the body ends early or the stream fails.
    pub async fn arrived(&mut self) -> Result<(), BodyError> {
        self.fill().await
    }

    /// Whether the body has been read to its end.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The trailer fields of a chunked body that has been read to its end: they belong to the body, and
    /// must never be taken for fields of the head (H-trl-1).
    pub fn trailers(&self) -> impl Iterator<Item = Field<'_>> {
        let lines = self.decoder.trailers().split(|&octet| octet == b'\n');
        lines.filter_map(|line| {
            let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            Some(Field { name, value: value.get(1..)?.trim_ascii() })
        })
    }

    /// How the body is framed.
    pub const fn length(&self) -> BodyLength {
        self.length
    }

    /// Of a body with a length: how much of it has not been read yet.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The stream behind the body, to watch it for the other end's going away while a response is
    /// awaited. Reading from it takes octets away from the body.
    pub const fn reader(&mut self) -> &mut Reader<'r> {
        &mut self.reader
    }

    /// What was read behind the body, and the stream from there on: another protocol follows.
    pub fn take_over(&mut self) -> (Vec<u8>, &mut Reader<'r>) {
        let mut first = self.ahead[self.used..].to_vec();
        first.extend(self.spill.drain(self.spill_used..));
        self.used = self.ahead.len();
        (first, &mut self.reader)
    }

    /// Ends the reading: how many octets of `ahead` were used, and what was read from the stream
    /// but does not belong to this body.
    pub fn finish(mut self) -> (usize, Vec<u8>) {
        self.spill.drain(..self.spill_used);
        (self.used, self.spill)
    }

    /// Finds the next piece in what is here, and counts it as used.
    fn advance(&mut self) -> Result<Option<Place>, BodyError> {
        while !self.complete {
            let here =
                if self.used < self.ahead.len() { &self.ahead[self.used..] } else { &self.spill[self.spill_used..] };
            if here.is_empty() {
                return Ok(None);
            }
            let piece = match self.length {
                BodyLength::None => return Ok(None),
                BodyLength::Close => Piece { from: 0, to: here.len() },
                BodyLength::Length(_) => {
                    Piece { from: 0, to: usize::try_from(self.left).map_or(here.len(), |left| left.min(here.len())) }
                }
                BodyLength::Chunked => self.decoder.next(here).map_err(BodyError::Malformed)?,
            };
            let place = self.take(piece);
            if piece.from < piece.to {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn take(&mut self, piece: Piece) -> Place {
        let ahead = self.used < self.ahead.len();
        let used = if ahead { &mut self.used } else { &mut self.spill_used };
        let place = Place { ahead, from: *used + piece.from, to: *used + piece.to };
        *used += piece.to;
        self.left = self.left.saturating_sub(u64::try_from(piece.to).unwrap_or(u64::MAX));
        self.complete = match self.length {
            BodyLength::Length(_) | BodyLength::None => self.left == 0,
            BodyLength::Chunked => self.decoder.is_done(),
            BodyLength::Close => false,
        };
        place
    }

    fn piece(&self, place: Place) -> &[u8] {
        let source = if place.ahead { self.ahead } else { &self.spill };
        &source[place.from..place.to]
    }

    async fn fill(&mut self) -> Result<(), BodyError> {
        let full = self.spill.len() == self.spill.capacity() && !self.spill.is_empty();
        self.spill.clear();
        self.spill_used = 0;
        self.spill.reserve(if full { MOST_READ } else { READ });
        if self.reader.read(&mut self.spill).await? == 0 {
            if self.length != BodyLength::Close {
                return Err(BodyError::Truncated);
            }
            self.complete = true;
        }
        Ok(())
    }
}

/// Where a piece stands: in `ahead` or in `spill`.
#[derive(Clone, Copy, Debug)]
struct Place {
    ahead: bool,
    from: usize,
    to: usize,
}

/// Appends the head of a chunk of `size` octets (not zero): `1f\r\n`.
pub fn chunk_head(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for position in (0..digits).rev() {
        let digit = u32::try_from((size >> (4 * position)) & 15).unwrap_or_default();
        out.extend(char::from_digit(digit, 16).map(|digit| digit as u8));
    }
    out.extend_from_slice(CHUNK_END);
}

/// What follows each chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk; trailers may follow, and then an empty line.
pub const LAST_CHUNK: &[u8] = b"0\r\n";
