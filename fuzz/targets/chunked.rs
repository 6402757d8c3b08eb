//! Bodies (SMUG-9, SMUG-10, SMUG-15, SMUG-24, LIM-chunk): where one ends, and what is in it, is what a strict
//! reader of the grammar says, however the octets come in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tollgate::http1::body::{BodyError, BodyLength, BodyReader, CHUNK_END, LAST_CHUNK, chunk_head};
use tollgate::http1::stream::{Layer, Reader};

/// Trailer fields of a body.
const MOST_TRAILERS: usize = 100;

fuzz_target!(|octets: &[u8]| {
    let expected = strict(octets);
    let whole = read(BodyLength::Chunked, octets, octets.len(), 1);
    assert_eq!(whole, expected, "{}", octets.escape_ascii());
    let step = 2 + octets.len() % 13;
    for (ahead, step) in [(0, 1), (0, step), (octets.len() / 2, 1), (step.min(octets.len()), step)] {
        assert_eq!(read(BodyLength::Chunked, octets, ahead, step), whole, "{ahead} and then {step} at a time");
    }
    if whole.end.is_ok() {
        survives_writing(&whole, step);
    }
    let length = octets.first().copied().map_or(0, u64::from);
    has_its_length(octets, length, step);
});

/// What was read of a body.
#[derive(Debug, PartialEq, Eq)]
struct Body {
    content: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many octets it took.
    end: Result<usize, Broken>,
}

/// Why it has no end.
#[derive(Debug, PartialEq, Eq)]
enum Broken {
    Malformed,
    Truncated,
}

/// The octets behind the head, of which some are there at once; `step` more come each time.
#[derive(Debug)]
struct Pieces<'o> {
    octets: &'o [u8],
    at: Cell<usize>,
    step: usize,
}

impl Layer for Pieces<'_> {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let rest = &self.octets[self.at.get()..];
        let size = rest.len().min(self.step).min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&rest[..size]);
        self.at.set(self.at.get() + size);
        Poll::Ready(Ok(size))
    }

    fn poll_write(&self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        unreachable!("a body is only read")
    }

    fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        unreachable!("a body is only read")
    }

    fn poll_shutdown(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        unreachable!("a body is only read")
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn has_input(&self) -> bool {
        true
    }

    fn is_closed(&self) -> bool {
        false
    }
}

/// Reads a body of which `ahead` octets came with the head.
fn read(length: BodyLength, octets: &[u8], ahead: usize, step: usize) -> Body {
    let pieces = Pieces { octets, at: Cell::new(ahead), step };
    let mut reader = BodyReader::new(length, &octets[..ahead], Reader::Layered(&pieces));
    let mut content = Vec::new();
    let read = async {
        while let Some(piece) = reader.next().await? {
            assert!(!piece.is_empty());
            content.extend_from_slice(piece);
        }
        Ok(())
    };
    let Poll::Ready(read) = pin!(read).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for what has come")
    };
    assert_eq!(reader.is_complete(), read.is_ok());
    match read {
        Ok(()) => {
            let trailers = reader.trailers().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
            let (used, behind) = reader.finish();
            let end = if used < ahead { used } else { pieces.at.get() - behind.len() };
            assert!(octets[end..].starts_with(&behind));
            Body { content, trailers, end: Ok(end) }
        }
        Err(BodyError::Malformed(_)) => Body { content, trailers: Vec::new(), end: Err(Broken::Malformed) },
        Err(BodyError::Truncated) => Body { content, trailers: Vec::new(), end: Err(Broken::Truncated) },
        Err(BodyError::Io(error)) => panic!("{error}"),
    }
}

/// The content in chunks of another size, with the same trailers, is the same body.
fn survives_writing(body: &Body, step: usize) {
    let mut again = Vec::new();
    for piece in body.content.chunks(step) {
        chunk_head(&mut again, piece.len());
        again.extend_from_slice(piece);
        again.extend_from_slice(CHUNK_END);
    }
    again.extend_from_slice(LAST_CHUNK);
    for (name, value) in &body.trailers {
        again.extend_from_slice(&[name, &b": "[..], value, CHUNK_END].concat());
    }
    again.extend_from_slice(CHUNK_END);
    let end = again.len();
    again.extend_from_slice(b"GET / HTTP/1.1\r\n");
    let reread = read(BodyLength::Chunked, &again, 0, step);
    assert_eq!((&reread.content, &reread.trailers, reread.end), (&body.content, &body.trailers, Ok(end)));
}

/// A body with a length has that length.
fn has_its_length(octets: &[u8], length: u64, step: usize) {
    let size = usize::try_from(length).expect("it is short");
    let framing = if length == 0 { BodyLength::None } else { BodyLength::Length(length) };
    for ahead in [0, octets.len() / 2, octets.len()] {
        let body = read(framing, octets, ahead, step);
        assert_eq!(body.content, octets[..size.min(octets.len())]);
        assert_eq!(body.end, if size <= octets.len() { Ok(size) } else { Err(Broken::Truncated) });
    }
}

/// RFC 9112 section 7.1, without the white space that it tells senders not to make.
fn strict(octets: &[u8]) -> Body {
    let mut body = Body { content: Vec::new(), trailers: Vec::new(), end: Err(Broken::Truncated) };
    let mut rest = Rest { octets, at: 0 };
    body.end = rest.body(&mut body).map(|()| rest.at);
    if body.end.is_err() {
        body.trailers.clear();
    }
    body
}

/// What has not been read yet.
struct Rest<'o> {
    octets: &'o [u8],
    at: usize,
}

impl<'o> Rest<'o> {
    fn body(&mut self, body: &mut Body) -> Result<(), Broken> {
        loop {
            let size = self.size()?;
            self.extensions()?;
            self.is(b"\r\n")?;
            if size == 0 {
                break;
            }
            let here = usize::try_from(size).map_or(usize::MAX, |size| size).min(self.octets.len() - self.at);
            body.content.extend_from_slice(&self.octets[self.at..self.at + here]);
            self.at += here;
            if (here as u64) < size {
                return Err(Broken::Truncated);
            }
            self.is(b"\r\n")?;
        }
        while self.peek()? != b'\r' {
            if body.trailers.len() == MOST_TRAILERS {
                return Err(Broken::Malformed);
            }
            let name = self.some(is_token)?;
            self.is(b":")?;
            let value = self.any(is_text).trim_ascii();
            self.is(b"\r\n")?;
            body.trailers.push((name.to_vec(), value.to_vec()));
        }
        self.is(b"\r\n")
    }

    fn size(&mut self) -> Result<u64, Broken> {
        let digits = self.any(|octet| octet.is_ascii_hexdigit());
        let mut size = 0u64;
        for (count, digit) in digits.iter().enumerate() {
            let digit = char::from(*digit).to_digit(16).map(u64::from).expect("it is a digit");
            let larger =
                size.checked_mul(16).and_then(|size| size.checked_add(digit)).and_then(|size| i64::try_from(size).ok());
            size = larger.filter(|_| count < 16).ok_or(Broken::Malformed)?.unsigned_abs();
        }
        if digits.is_empty() { self.peek().and(Err(Broken::Malformed)) } else { Ok(size) }
    }

    fn extensions(&mut self) -> Result<(), Broken> {
        while self.peek()? == b';' {
            self.at += 1;
            self.some(is_token)?;
            if self.peek()? != b'=' {
                continue;
            }
            self.at += 1;
            if self.peek()? == b'"' {
                self.at += 1;
                self.quoted()?;
            } else {
                self.some(is_token)?;
            }
        }
        Ok(())
    }

    /// The rest of a quoted string.
    fn quoted(&mut self) -> Result<(), Broken> {
        loop {
            self.any(|octet| is_text(octet) && !matches!(octet, b'"' | b'\\'));
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 1,
                _ => return Err(Broken::Malformed),
            }
            if !is_text(self.peek()?) {
                return Err(Broken::Malformed);
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Result<u8, Broken> {
        self.octets.get(self.at).copied().ok_or(Broken::Truncated)
    }

    fn is(&mut self, text: &[u8]) -> Result<(), Broken> {
        for expected in text {
            if self.peek()? != *expected {
                return Err(Broken::Malformed);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn any(&mut self, accepts: impl Fn(u8) -> bool) -> &'o [u8] {
        let rest = &self.octets[self.at..];
        let size = rest.iter().position(|octet| !accepts(*octet)).unwrap_or(rest.len());
        self.at += size;
        &rest[..size]
    }

    fn some(&mut self, accepts: impl Fn(u8) -> bool) -> Result<&'o [u8], Broken> {
        let some = self.any(accepts);
        if some.is_empty() { self.peek().and(Err(Broken::Malformed)) } else { Ok(some) }
    }
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&octet)
}

fn is_text(octet: u8) -> bool {
    octet == b'\t' || !octet.is_ascii_control()
}
