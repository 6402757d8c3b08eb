//! Heads of requests and responses: parsed once into offsets over the connection's buffer, checked
//! strictly (standards: H-host-1 count only, H-form characters, H-line, H-ver, SMUG-1 to SMUG-8,
//! SMUG-17, SMUG-19).

use super::body::BodyLength;
use super::{Limits, Version};

/// Why a request head is refused. The connection is closed in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// 400: can be read in two ways, or not at all.
    #[error("{0}")]
    Malformed(&'static str),
    /// 414.
    #[error("the request target is too long")]
    TargetTooLong,
    /// 431.
    #[error("the header section is too large")]
    TooLarge,
    /// 501: a transfer coding other than chunked, or an over-long method.
    #[error("{0}")]
    NotImplemented(&'static str),
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

/// The parsed form of a request head: offsets, reusable for the next request of the connection.
#[derive(Debug, Default)]
pub struct RequestHead {
    // Private to this module.
}

impl RequestHead {
    /// Parses the request head at the start of `bytes`. `Ok(None)`: it is not complete yet.
    /// `Ok(Some(length))`: its length in octets, the empty line included (and an empty line before
    /// the request line, which is tolerated once). Segmentation never changes the result (SMUG-24).
    ///
    /// # Errors
    /// When the head is refused.
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        let _ = (bytes, limits);
        todo!()
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
        let _ = (self.head, self.bytes);
        todo!()
    }

    /// The request target as received; no octet outside `0x21..=0x7e`.
    pub fn target(&self) -> &'h [u8] {
        todo!()
    }

    /// The version.
    pub fn version(&self) -> Version {
        todo!()
    }

    /// Every field line in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Field<'h>> + use<'h> {
        std::iter::empty()
    }

    /// The values of every line of the field `name` (lower case).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// The only `Host` value; `None` in HTTP/1.0 without one. None or two in HTTP/1.1 do not parse.
    pub fn host(&self) -> Option<&'h [u8]> {
        todo!()
    }

    /// How the body is framed.
    pub fn length(&self) -> BodyLength {
        todo!()
    }

    /// Whether the client wants the connection to stay open (H-close-1).
    pub fn persistent(&self) -> bool {
        todo!()
    }

    /// `Expect: 100-continue` of an HTTP/1.1 request with a body. Other expectations do parse;
    /// 417 is the caller's (H-exp-2).
    pub fn expects_continue(&self) -> bool {
        todo!()
    }

    /// An `Expect` field with anything but `100-continue`, in an HTTP/1.1 request.
    pub fn other_expectation(&self) -> bool {
        todo!()
    }
}

/// Why a response head is refused: 502, and the upstream's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResponseError(pub &'static str);

/// The parsed form of a response head: offsets, reusable.
#[derive(Debug, Default)]
pub struct ResponseHead {
    // Private to this module.
}

impl ResponseHead {
    /// Parses the response head at the start of `bytes`; `method` is that of the request (a HEAD
    /// has no body). `Ok(None)`: not complete yet. Bounded at 64 KiB and 256 fields.
    ///
    /// # Errors
    /// When the head is refused.
    pub fn parse(&mut self, bytes: &[u8], method: &str) -> Result<Option<usize>, ResponseError> {
        let _ = (bytes, method);
        todo!()
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
    pub fn status(&self) -> u16 {
        let _ = (self.head, self.bytes);
        todo!()
    }

    /// The reason phrase as received, maybe empty.
    pub fn reason(&self) -> &'h [u8] {
        todo!()
    }

    /// The version.
    pub fn version(&self) -> Version {
        todo!()
    }

    /// Every field line in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Field<'h>> + use<'h> {
        std::iter::empty()
    }

    /// The values of every line of the field `name` (lower case).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// How the body is framed; `Length(0)` where there can be none (HEAD, 1xx, 204, 304).
    pub fn length(&self) -> BodyLength {
        todo!()
    }

    /// The `Content-Length` that was announced, also where there is no body (HEAD, 304).
    pub fn announced_length(&self) -> Option<u64> {
        todo!()
    }

    /// Whether the server will keep the connection open.
    pub fn persistent(&self) -> bool {
        todo!()
    }
}
