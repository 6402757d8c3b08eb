//! An end of HTTP/2 that sends any frames, with any octets in their fields.

use super::Gateway;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A response with this status.
    Answered(u16),
    /// It was reset before a response.
    Reset,
    /// The connection ended, as it is told by GOAWAY or seen.
    Ended,
}

/// The end, a client as long as nothing else is said.
pub(crate) struct Raw {
    socket: TcpStream,
    pub(crate) failed: bool,
}

impl Raw {
    pub(crate) fn connect(gateway: &Gateway) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut raw = Self { socket, failed: false };
        raw.patience(Duration::from_secs(10));
        raw.write(PREFACE).frame(SETTINGS, 0, 0, &[]);
        raw
    }

    /// The other end: a server whose client has begun.
    pub(crate) fn accepted(mut socket: TcpStream) -> Self {
        let mut preface = [0; PREFACE.len()];
        let failed = socket.read_exact(&mut preface).is_err() || preface != PREFACE;
        Self { socket, failed }
    }

    pub(crate) fn patience(&mut self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).unwrap();
        self.socket.set_write_timeout(Some(time)).unwrap();
    }

    fn write(&mut self, octets: &[u8]) -> &mut Self {
        self.failed |= self.socket.write_all(octets).is_err();
        self
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.write(&frame)
    }

    /// A field section in one frame.
    pub(crate) fn headers(
        &mut self,
        stream: u32,
        flags: u8,
        fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)],
    ) -> &mut Self {
        self.frame(HEADERS, flags, stream, &block(fields))
    }

    /// A field section in so many frames, of which all but the last have one octet.
    pub(crate) fn section(
        &mut self,
        stream: u32,
        end_stream: bool,
        fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)],
        frames: usize,
    ) -> &mut Self {
        let block = block(fields);
        let (small, rest) = block.split_at(frames - 1);
        self.pieces(stream, end_stream, small.chunks(1).chain(rest.chunks(16_384)))
    }

    /// A field section in two frames, of which the second has so many octets.
    pub(crate) fn cut(
        &mut self,
        stream: u32,
        end_stream: bool,
        fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)],
        octets: usize,
    ) -> &mut Self {
        let block = block(fields);
        let (first, second) = block.split_at(block.len() - octets);
        self.pieces(stream, end_stream, [first, second].into_iter())
    }

    fn pieces<'p>(&mut self, stream: u32, end_stream: bool, pieces: impl Iterator<Item = &'p [u8]>) -> &mut Self {
        let mut pieces = pieces.peekable();
        let (mut kind, mut flags) = (HEADERS, if end_stream { END_STREAM } else { 0 });
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                flags |= END_HEADERS;
            }
            self.frame(kind, flags, stream, piece);
            (kind, flags) = (CONTINUATION, 0);
        }
        self
    }

    /// The next frame: its kind, its flags, its stream, its payload.
    pub(crate) fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
        self.socket.read_exact(&mut payload).ok()?;
        Some((kind, flags, u32::from_be_bytes(stream), payload))
    }

    /// Every frame until the connection ends.
    pub(crate) fn frames(&mut self) -> Vec<(u8, u8, u32, Vec<u8>)> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// What becomes of a stream; what is said of others is left out.
    pub(crate) fn fate(&mut self, of: u32) -> Fate {
        loop {
            match self.next() {
                Some((HEADERS, _, stream, block)) if stream == of => return Fate::Answered(status(&block)),
                Some((RESET, _, stream, _)) if stream == of => return Fate::Reset,
                None | Some((GOAWAY, ..)) => return Fate::Ended,
                Some(_) => {}
            }
        }
    }

    /// What becomes of a stream, with the content of its response where that has an end.
    pub(crate) fn answer(&mut self, of: u32) -> (Fate, Option<Vec<u8>>) {
        let (mut fate, mut content) = (Fate::Reset, Vec::new());
        loop {
            let Some((kind, flags, stream, payload)) = self.next() else { return (fate, None) };
            match kind {
                GOAWAY => return (fate, None),
                HEADERS if stream == of && matches!(fate, Fate::Reset | Fate::Answered(100..=199)) => {
                    fate = Fate::Answered(status(&payload));
                }
                DATA if stream == of => content.extend_from_slice(&payload),
                RESET if stream == of => return (fate, None),
                _ => continue,
            }
            if flags & END_STREAM != 0 {
                return (fate, Some(content));
            }
        }
    }

    /// Whether the first stream is reset or answered with 400, or the connection ended.
    pub(crate) fn is_refused(&mut self) -> bool {
        matches!(self.fate(1), Fate::Answered(400) | Fate::Reset | Fate::Ended)
    }
}

/// Fields as literals that no table keeps (RFC 7541 section 6.2.2).
fn block(fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            length(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// A number of seven bits and more (RFC 7541 section 5.1).
fn length(length: usize, block: &mut Vec<u8>) {
    let octet = |number: usize| u8::try_from(number).unwrap();
    if length < 127 {
        return block.push(octet(length));
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(octet(rest % 128 + 128));
        rest /= 128;
    }
    block.push(octet(rest));
}

/// The status with which a connection's first response begins: out of the static table, or a literal whose name is from there.
fn status(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [index @ 0x88..=0x8e, ..] => KNOWN[usize::from(index - 0x88)],
        [0x48 | 0x08 | 0x18, length, rest @ ..] => digits(&rest[..usize::from(length & 0x7f)], length & 0x80 != 0),
        other => panic!("no status: {other:x?}"),
    }
}

/// Digits as they are or in the code of RFC 7541 appendix B: three of five bits, the others of six.
fn digits(text: &[u8], coded: bool) -> u16 {
    if !coded {
        return String::from_utf8_lossy(text).parse().unwrap();
    }
    let mut bits = text.iter().flat_map(|octet| (0..8).rev().map(move |bit| u16::from(octet >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let five = bits.by_ref().take(5).fold(0, |code, bit| code * 2 + bit);
        let digit = if five < 3 { five } else { five * 2 + bits.next().unwrap() - 0x19 + 3 };
        number = number * 10 + digit;
    }
    number
}
