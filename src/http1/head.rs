//! Heads of requests and responses: parsed once into offsets over the connection's buffer, checked
//! strictly (standards: H-host-1 count only, H-form characters, H-line, H-ver, SMUG-1 to SMUG-8,
//! SMUG-17, SMUG-19).

mod lines;
#[cfg(test)]
mod tests;

use self::lines::{Framing, Lines, Span};
pub(in crate::http1) use self::lines::{is_text, is_token};
use super::body::BodyLength;
use super::{Limits, Version};

/// Why a request head is refused. The connection is closed in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// 400: can be read in two ways, or not at all.
    #[error("{0}")]
    Malformed(&'static str),
    /// 501: a transfer coding other than chunked, or an over-long method.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// 414.
    #[error("the request target is too long")]
    TargetTooLong,
    /// 408: the head did not arrive in time.
    #[error("the head of the request did not arrive in time")]
    Timeout,
    /// 431.
    #[error("the header section is too large")]
    TooLarge,
    /// 505.
    #[error("the HTTP version is not supported")]
    Version,
}

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'h> {
    /// As received; compare with `eq_ignore_ascii_case`.
    pub name: &'h [u8],
    /// Without white space around it.
    pub value: &'h [u8],
}

impl Field<'_> {
    /// Whether this is the field `name`, given in lower case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The longest method: 501 beyond (LIM-501).
const LONGEST_METHOD: usize = 32;

/// The parsed form of a request head: offsets, reusable for the next request of the connection.
#[derive(Debug, Default)]
pub struct RequestHead {
    method: Span,
    target: Span,
    version: Version,
    lines: Lines,
    /// How far an incomplete head has been searched for the end of a line.
    searched: usize,
}

impl RequestHead {
    /// Parses the request head at the start of `bytes`. `Ok(None)`: it is not complete yet.
    /// `Ok(Some(length))`: its length in octets, the empty line included (and an empty line before
    /// the request line, which is tolerated once). Segmentation never changes the result (SMUG-24).
    ///
    /// # Errors
    /// When the head is refused.
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        // What stands behind the bound is never looked at: it may be here already, or not yet.
        let bytes = bytes.get(..=limits.head_size).unwrap_or(bytes);
        let searched = std::mem::take(&mut self.searched).min(bytes.len());
        if memchr::memchr(b'\n', &bytes[searched..]).is_none() {
            self.searched = bytes.len();
            return match bytes.len() > limits.head_size {
                true if searched == 0 || !bytes[..searched].contains(&b'\n') => Err(HeadError::TargetTooLong),
                true => Err(HeadError::TooLarge),
                false => Ok(None),
            };
        }
        let parsed = self.parse_lines(bytes, limits)?;
        if parsed.is_none() {
            if bytes.len() > limits.head_size {
                return Err(HeadError::TooLarge);
            }
            self.searched = bytes.len();
        }
        Ok(parsed)
    }

    /// The head that was parsed last is the translation of one that came over HTTP/2.
    pub const fn came_over_http2(&mut self) {
        self.version = Version::Http2;
    }

    fn parse_lines(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        let start = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let Some(line) = lines::line(bytes, start).map_err(HeadError::Malformed)? else { return Ok(None) };
        self.request_line(bytes, line, limits)?;
        self.lines.clear();
        let mut at = line.end() + 2;
        loop {
            let Some(line) = lines::line(bytes, at).map_err(HeadError::Malformed)? else { return Ok(None) };
            at = line.end() + 2;
            if at > limits.head_size {
                return Err(HeadError::TooLarge);
            }
            if line.is_empty() {
                break;
            }
            if self.lines.fields.len() == limits.head_fields {
                return Err(HeadError::TooLarge);
            }
            self.lines.add(bytes, line, self.version).map_err(HeadError::Malformed)?;
        }
        self.lines.check_request(self.version)?;
        Ok(Some(at))
    }

    /// `METHOD SP target SP HTTP/1.1`, with single spaces (H-form, H-ver).
    fn request_line(&mut self, bytes: &[u8], line: Span, limits: &Limits) -> Result<(), HeadError> {
        let text = line.of(bytes);
        let malformed = HeadError::Malformed("the request line is malformed");
        let first = memchr::memchr(b' ', text).ok_or(malformed)?;
        let last = memchr::memrchr(b' ', text).filter(|last| *last > first).ok_or(malformed)?;
        let (method, target, version) = (&text[..first], &text[first + 1..last], &text[last + 1..]);
        if method.is_empty() || !method.iter().all(|octet| lines::is_token(*octet)) {
            return Err(HeadError::Malformed("the method is not a token"));
        }
        if method.len() > LONGEST_METHOD {
            return Err(HeadError::NotImplemented("no method is that long"));
        }
        if target.len() > limits.target_size {
            return Err(HeadError::TargetTooLong);
        }
        if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
            return Err(HeadError::Malformed("the request target has characters that must not stand in it"));
        }
        self.version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                if *major != b'1' {
                    return Err(HeadError::Version);
                }
                Version::Http11
            }
            _ => return Err(HeadError::Malformed("the HTTP version is malformed")),
        };
        self.method = line.part(0, first);
        self.target = line.part(first + 1, last);
        Ok(())
    }
}

/// A parsed request head together with its octets.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h> {
    head: &'h RequestHead,
    bytes: &'h [u8],
}

impl<'h> Request<'h> {
    /// `bytes` are those that `head` was parsed from.
    pub const fn new(head: &'h RequestHead, bytes: &'h [u8]) -> Self {
        Self { head, bytes }
    }

    /// The method: a token of 32 octets at most.
    pub fn method(&self) -> &'h str {
        match self.head.method.of(self.bytes) {
            b"GET" => "GET",
            b"POST" => "POST",
            other => std::str::from_utf8(other).unwrap_or_default(),
        }
    }

    /// The request target as received; no octet outside `0x21..=0x7e`.
    pub fn target(&self) -> &'h [u8] {
        self.head.target.of(self.bytes)
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.head.version
    }

    /// Every field line in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Field<'h>> + use<'h> {
        self.head.lines.iter(self.bytes)
    }

    /// The values of the `Connection` lines.
    pub fn connection(&self) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        self.head.lines.connection(self.bytes)
    }

    /// The values of every line of the field `name` (lower case).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// The only `Host` value; `None` in HTTP/1.0 without one. None or two in HTTP/1.1 do not parse.
    pub fn host(&self) -> Option<&'h [u8]> {
        self.head.lines.host.map(|host| host.of(self.bytes))
    }

    /// How the body is framed.
    pub fn length(&self) -> BodyLength {
        match self.head.lines.framing {
            Framing { chunked: true, .. } => BodyLength::Chunked,
            Framing { length: Some(length @ 1..), .. } => BodyLength::Length(length),
            Framing { .. } => BodyLength::None,
        }
    }

    /// Whether the client wants the connection to stay open (H-close-1).
    pub const fn persistent(&self) -> bool {
        self.head.lines.persistent(self.head.version)
    }

    /// `Expect: 100-continue` of an HTTP/1.1 request with a body. Other expectations do parse;
    /// 417 is the caller's (H-exp-2).
    pub fn expects_continue(&self) -> bool {
        self.head.lines.continues && self.head.version != Version::Http10 && self.length() != BodyLength::None
    }

    /// An `Expect` field with anything but `100-continue`, in an HTTP/1.1 request.
    pub fn other_expectation(&self) -> bool {
        self.head.lines.other_expectation && self.head.version != Version::Http10
    }
}

/// Why a response head is refused: 502, and the upstream's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResponseError(pub &'static str);

/// The longest response head.
const RESPONSE_SIZE: usize = 64 * 1024;
/// The most fields of a response.
const RESPONSE_FIELDS: usize = 256;

/// The parsed form of a response head: offsets, reusable.
#[derive(Debug, Default)]
pub struct ResponseHead {
    status: u16,
    reason: Span,
    version: Version,
    lines: Lines,
    bodiless: bool,
}

impl ResponseHead {
    /// Parses the response head at the start of `bytes`; `method` is that of the request (a HEAD
    /// has no body). `Ok(None)`: not complete yet. Bounded at 64 KiB and 256 fields.
    ///
    /// # Errors
    /// When the head is refused.
    pub fn parse(&mut self, bytes: &[u8], method: &str) -> Result<Option<usize>, ResponseError> {
        let parsed = self.parse_lines(bytes, method)?;
        if parsed.unwrap_or(bytes.len()) > RESPONSE_SIZE {
            return Err(ResponseError("the header section of the response is too large"));
        }
        Ok(parsed)
    }

    fn parse_lines(&mut self, bytes: &[u8], method: &str) -> Result<Option<usize>, ResponseError> {
        if !bytes.iter().zip(b"HTTP/1.").all(|(octet, expected)| octet == expected) {
            return Err(ResponseError("the response is not HTTP/1"));
        }
        let Some(line) = lines::line(bytes, 0).map_err(ResponseError)? else { return Ok(None) };
        self.status_line(bytes, line)?;
        self.lines.clear();
        let mut at = line.end() + 2;
        loop {
            let Some(line) = lines::line(bytes, at).map_err(ResponseError)? else { return Ok(None) };
            at = line.end() + 2;
            if line.is_empty() {
                break;
            }
            if self.lines.fields.len() == RESPONSE_FIELDS {
                return Err(ResponseError("the response has too many fields"));
            }
            self.lines.add(bytes, line, self.version).map_err(ResponseError)?;
        }
        self.lines.check_response(self.version).map_err(ResponseError)?;
        self.bodiless = method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304);
        Ok(Some(at))
    }

    fn status_line(&mut self, bytes: &[u8], line: Span) -> Result<(), ResponseError> {
        let malformed = ResponseError("the status line of the response is malformed");
        let text = line.of(bytes);
        let (version, rest) = text.split_at_checked(9).ok_or(malformed)?;
        let (code, reason) = rest.split_at_checked(3).ok_or(malformed)?;
        self.version = match version {
            b"HTTP/1.0 " => Version::Http10,
            [.., minor, b' '] if minor.is_ascii_digit() => Version::Http11,
            _ => return Err(malformed),
        };
        let digits = code.iter().all(u8::is_ascii_digit) && code[0] != b'0';
        if !digits || !(reason.is_empty() || reason[0] == b' ') || !lines::are_text(reason) {
            return Err(malformed);
        }
        self.status = code.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        self.reason = line.part(text.len().min(13), text.len());
        Ok(())
    }
}

/// A parsed response head together with its octets.
#[derive(Clone, Copy, Debug)]
pub struct Response<'h> {
    head: &'h ResponseHead,
    bytes: &'h [u8],
}

impl<'h> Response<'h> {
    /// `bytes` are those that `head` was parsed from.
    pub const fn new(head: &'h ResponseHead, bytes: &'h [u8]) -> Self {
        Self { head, bytes }
    }

    /// Three digits, 100 to 999.
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// The reason phrase as received, maybe empty.
    pub fn reason(&self) -> &'h [u8] {
        self.head.reason.of(self.bytes)
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.head.version
    }

    /// Every field line in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Field<'h>> + use<'h> {
        self.head.lines.iter(self.bytes)
    }

    /// The values of the `Connection` lines.
    pub fn connection(&self) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        self.head.lines.connection(self.bytes)
    }

    /// The values of every line of the field `name` (lower case).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// How the body is framed; `None` where there can be none (HEAD, 1xx, 204, 304).
    pub const fn length(&self) -> BodyLength {
        match self.head.lines.framing {
            _ if self.head.bodiless => BodyLength::None,
            Framing { chunked: true, .. } => BodyLength::Chunked,
            Framing { length: Some(0), .. } => BodyLength::None,
            Framing { length: Some(length), .. } => BodyLength::Length(length),
            Framing { length: None, .. } => BodyLength::Close,
        }
    }

    /// The `Content-Length` that was announced, also where there is no body (HEAD, 304).
    pub const fn announced_length(&self) -> Option<u64> {
        self.head.lines.framing.length
    }

    /// Whether the server will keep the connection open.
    pub const fn persistent(&self) -> bool {
        self.head.lines.persistent(self.head.version)
    }
}
