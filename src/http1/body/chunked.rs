//! The chunked coding (RFC 9112 section 7.1), read strictly: SMUG-9, SMUG-15, LIM-chunk. Extensions are
//! dropped, the trailer fields kept apart.

use crate::http1::head::{is_text, is_token};

/// All extensions of a body together, and all its trailers, may take this many octets each.
const MOST_EXTRA: usize = 16 * 1024;
/// Trailer fields of a body.
const MOST_TRAILERS: usize = 100;
/// Digits of a chunk's size.
const MOST_DIGITS: u8 = 16;

/// Where in the coding the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size; how many digits there were.
    Size(u8),
    /// Behind the `;` of an extension.
    ExtensionStart,
    ExtensionName,
    /// Behind the `=` of an extension.
    ExtensionValueStart,
    ExtensionValue,
    ExtensionQuoted,
    ExtensionEscape,
    /// Behind the last `"` of an extension.
    ExtensionEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// The decoder of one body.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Octets left of the chunk.
    left: u64,
    extra: usize,
    /// The trailer fields as they came, each with its line end; almost always empty.
    trailers: Vec<u8>,
    trailer_count: usize,
}

/// What was found: `input[from..to]` is content (maybe empty); `to` octets are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self { state: State::Size(0), left: 0, extra: 0, trailers: Vec::new(), trailer_count: 0 }
    }

    /// The trailer fields as they came, each with its line end.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many octets of content follow next; zero: framing does, or nothing.
    pub(crate) fn content_left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// Reads up to the first piece of content, to the end of the body, or to the end of `input`.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Piece, &'static str> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let here = input.len() - at;
                let size = usize::try_from(self.left).map_or(here, |left| left.min(here));
                self.left -= u64::try_from(size).unwrap_or_default();
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Piece { from: at, to: at + size });
            }
            self.state = self.step(input[at])?;
            at += 1;
        }
        Ok(Piece { from: at, to: at })
    }

    fn step(&mut self, octet: u8) -> Result<State, &'static str> {
        Ok(match (self.state, octet) {
            (State::Size(digits), _) if octet.is_ascii_hexdigit() => self.digit(digits, octet)?,
            (State::Size(1..) | State::ExtensionName | State::ExtensionValue | State::ExtensionEnd, b'\r') => {
                State::SizeLf
            }
            (State::Size(1..) | State::ExtensionName | State::ExtensionValue | State::ExtensionEnd, b';') => {
                self.extra(State::ExtensionStart)?
            }
            (State::ExtensionStart | State::ExtensionName, _) if is_token(octet) => self.extra(State::ExtensionName)?,
            (State::ExtensionName, b'=') => self.extra(State::ExtensionValueStart)?,
            (State::ExtensionValueStart, b'"') => self.extra(State::ExtensionQuoted)?,
            (State::ExtensionValueStart | State::ExtensionValue, _) if is_token(octet) => {
                self.extra(State::ExtensionValue)?
            }
            (State::ExtensionQuoted, b'"') => self.extra(State::ExtensionEnd)?,
            (State::ExtensionQuoted, b'\\') => self.extra(State::ExtensionEscape)?,
            (State::ExtensionQuoted | State::ExtensionEscape, _) if is_text(octet) => {
                self.extra(State::ExtensionQuoted)?
            }
            (State::SizeLf, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart, _) if is_token(octet) => {
                self.trailer_count += 1;
                self.trailer(octet, State::TrailerName)?
            }
            (State::TrailerName, _) if is_token(octet) => self.trailer(octet, State::TrailerName)?,
            (State::TrailerName, b':') => self.trailer(octet, State::TrailerValue)?,
            (State::TrailerValue, b'\r') => self.trailer(octet, State::TrailerLf)?,
            (State::TrailerValue, _) if is_text(octet) => self.trailer(octet, State::TrailerValue)?,
            (State::TrailerLf, b'\n') => self.trailer(octet, State::TrailerStart)?,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err("the chunked coding is malformed"),
        })
    }

    fn digit(&mut self, digits: u8, octet: u8) -> Result<State, &'static str> {
        let value = char::from(octet).to_digit(16).map_or(0, u64::from);
        if digits == 0 {
            self.left = 0;
        }
        if digits == MOST_DIGITS || self.left > (i64::MAX.unsigned_abs() >> 4) {
            return Err("a chunk is too large");
        }
        self.left = (self.left << 4) | value;
        Ok(State::Size(digits + 1))
    }

    fn trailer(&mut self, octet: u8, next: State) -> Result<State, &'static str> {
        if self.trailer_count > MOST_TRAILERS {
            return Err("the body has too many trailers");
        }
        let next = self.extra(next)?;
        self.trailers.push(octet);
        Ok(next)
    }

    fn extra(&mut self, next: State) -> Result<State, &'static str> {
        self.extra += 1;
        if self.extra > MOST_EXTRA {
            return Err("the extensions or the trailers of the body are too large");
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The content, fed in pieces of `step` octets; and how many octets were used.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), &'static str> {
        let mut decoder = Decoder::new();
        let mut content = Vec::new();
        let mut used = 0;
        while used < input.len() && !decoder.is_done() {
            let end = (used + step).min(input.len());
            let piece = decoder.next(&input[used..end])?;
            content.extend_from_slice(&input[used + piece.from..used + piece.to]);
            used += piece.to;
        }
        Ok((content, used, decoder.is_done()))
    }

    /// SMUG-9
    #[test]
    fn sizes_and_line_ends_have_one_form() {
        let bad: &[&[u8]] = &[
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"5 \r\nhello\r\n0\r\n\r\n",
            b" 5\r\nhello\r\n0\r\n\r\n",
            b"\r\nhello",
            b"1_0\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhelloX\r\n0\r\n\r\n",
            b"5\rhello\r\n0\r\n\r\n",
            b"8000000000000000\r\n",
            b"00000000000000005\r\n",
            b"5;\r\nhello",
            b"5;=a\r\nhello",
            b"5;a=\0\r\nhello",
            b"5;a=b\rc\r\nhello",
            b"0\r\n\n",
            b"0\r\nbad name: x\r\n\r\n",
            b"0\r\n: x\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
            b"-5\r\n",
            b"5;a b\r\nhello",
            b"5;a=\r\nhello",
            b"5;a=;b\r\nhello",
            b"5;a=b\"c\"\r\nhello",
            b"5;a=\"b\"c\r\nhello",
            b"5;a=\"b\"\"c\"\r\nhello",
        ];
        for input in bad {
            assert!(decode(input, usize::MAX >> 1).is_err(), "{:?}", String::from_utf8_lossy(input));
        }
    }

    /// LIM-chunk, H-trl-1, SMUG-12
    #[test]
    fn extensions_are_dropped_and_trailers_kept_and_what_follows_is_left() {
        let input = b"5;a=\"x;\\\"y\";b\r\nhello\r\n1\r\n!\r\n0\r\nContent-Length: 7\r\nx: y\r\n\r\nGET /";
        for step in [1, 2, 3, 1000] {
            assert_eq!(decode(input, step).unwrap(), (b"hello!".to_vec(), input.len() - 5, true));
        }
        let many = |count: usize| [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(count), b"\r\n"].concat();
        assert!(decode(&many(MOST_TRAILERS), 7).is_ok());
        assert!(decode(&many(MOST_TRAILERS + 1), 7).is_err());
        let endless = [b"5;".as_slice(), &vec![b'a'; 20_000]].concat();
        assert!(decode(&endless, 7).is_err());
    }

    proptest! {
        /// SMUG-24
        #[test]
        fn segmentation_never_changes_the_result(input in "[0-9a-fA-F;=\"\r\n x\\\\]{0,40}", step in 1usize..9) {
            let input = input.as_bytes();
            let (whole, pieces) = (decode(input, input.len().max(1)), decode(input, step));
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn what_is_encoded_is_decoded(parts: Vec<Vec<u8>>) {
            let mut coded = Vec::new();
            for part in parts.iter().filter(|part| !part.is_empty()) {
                super::super::chunk_head(&mut coded, part.len());
                coded.extend_from_slice(part);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(decode(&coded, 11).unwrap(), (parts.concat(), coded.len(), true));
        }
    }
}
