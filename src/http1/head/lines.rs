//! Field lines, common to requests and responses: found, split, checked, and those that say how the
//! message is framed kept in mind.

use super::{Field, HeadError};
use crate::http1::Version;
use crate::text::has_no_control;

/// A range of the connection's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// Heads are bounded far below 4 GiB; a range beyond would be empty.
    fn new(start: usize, end: usize) -> Self {
        let start32 = u32::try_from(start).unwrap_or_default();
        Self { start: start32, length: u32::try_from(end - start).unwrap_or_default() }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end()).unwrap_or_default()
    }

    pub(super) const fn end(self) -> usize {
        self.start as usize + self.length as usize
    }

    pub(super) const fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The part from `from` to `to` of this range.
    pub(super) fn part(self, from: usize, to: usize) -> Self {
        Self::new(self.start as usize + from, self.start as usize + to)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FieldSpan {
    name: Span,
    value: Span,
}

/// What the fields say of the message's length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// Codings that are not known here.
    unknown: bool,
}

/// The field lines of a head.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the message")]
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) fields: Vec<FieldSpan>,
    pub(super) framing: Framing,
    pub(super) host: Option<Span>,
    pub(super) continues: bool,
    pub(super) other_expectation: bool,
    /// There is a `Connection` line.
    connection: bool,
    close: bool,
    keep_alive: bool,
}

/// The line that starts at `start`, without its CRLF; `None`: its end is not here yet.
pub(super) fn line(bytes: &[u8], start: usize) -> Result<Option<Span>, &'static str> {
    let Some(rest) = bytes.get(start..) else { return Ok(None) };
    let Some(length) = memchr::memchr(b'\n', rest) else { return Ok(None) };
    if length == 0 || rest[length - 1] != b'\r' {
        return Err("a line ends in a bare line feed");
    }
    Ok(Some(Span::new(start, start + length - 1)))
}

impl Lines {
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        let fields = std::mem::take(&mut self.fields);
        *self = Self { fields, ..Self::default() };
    }

    pub(super) fn iter<'h>(&'h self, bytes: &'h [u8]) -> impl Iterator<Item = Field<'h>> + use<'h> {
        self.fields.iter().map(move |field| Field { name: field.name.of(bytes), value: field.value.of(bytes) })
    }

    /// The values of the `Connection` lines (H-conn-1); most messages have none.
    pub(super) fn connection<'h>(&'h self, bytes: &'h [u8]) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let fields = if self.connection { self.fields.as_slice() } else { &[] };
        let named = fields.iter().filter(move |field| field.name.of(bytes).eq_ignore_ascii_case(b"connection"));
        named.map(move |field| field.value.of(bytes))
    }

    /// Takes in one line (H-line-2, H-line-3).
    pub(super) fn add(&mut self, bytes: &[u8], line: Span, version: Version) -> Result<(), &'static str> {
        let text = line.of(bytes);
        if matches!(text[0], b' ' | b'\t') {
            return Err("a line begins with white space");
        }
        let length = text.iter().position(|octet| !is_token(*octet)).unwrap_or(text.len());
        let (name, rest) = text.split_at(length);
        let value = match rest.split_first() {
            Some((b':', value)) if !name.is_empty() => value,
            Some(_) if text.contains(&b':') => return Err("a field name is not a token"),
            Some(_) | None => return Err("a field line has no colon"),
        };
        if !are_text(value) {
            return Err("a field value holds a control character");
        }
        let is_space = |octet: &u8| matches!(octet, b' ' | b'\t');
        let leading = value.iter().take_while(|octet| is_space(octet)).count();
        let trailing = value[leading..].iter().rev().take_while(|octet| is_space(octet)).count();
        let value = line.part(length + 1 + leading, text.len() - trailing);
        self.fields.push(FieldSpan { name: line.part(0, length), value });
        self.take_note(name, value, bytes, version)
    }

    /// Remembers what decides on framing, on the host and on the connection's life. The length sorts
    /// out most fields.
    fn take_note(&mut self, name: &[u8], value: Span, bytes: &[u8], version: Version) -> Result<(), &'static str> {
        let text = value.of(bytes);
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                let more = self.host.replace(value).is_some();
                return if more { Err("there is more than one Host") } else { Ok(()) };
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                let continues = text.eq_ignore_ascii_case(b"100-continue");
                self.continues |= continues;
                self.other_expectation |= !continues;
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection = true;
                for option in text.split(|octet| *octet == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let more = self.framing.length.replace(length(text)?).is_some();
                return if more { Err("there is more than one Content-Length") } else { Ok(()) };
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.take_codings(text, version)?,
            14 if name.eq_ignore_ascii_case(b"content_length") => return Err(UNDERSCORE),
            17 if name.eq_ignore_ascii_case(b"transfer_encoding") => return Err(UNDERSCORE),
            _ => {}
        }
        Ok(())
    }

    /// SMUG-5 to SMUG-8.
    fn take_codings(&mut self, text: &[u8], version: Version) -> Result<(), &'static str> {
        if version == Version::Http10 {
            return Err("HTTP/1.0 has no Transfer-Encoding");
        }
        if self.framing.chunked || self.framing.unknown {
            return Err("there is more than one Transfer-Encoding");
        }
        for coding in text.split(|octet| *octet == b',').map(trim) {
            if coding.is_empty() || !coding.iter().all(|octet| is_token(*octet)) {
                return Err("the Transfer-Encoding is malformed");
            }
            if self.framing.chunked {
                return Err("chunked is not the last transfer coding");
            }
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.framing.chunked = true;
            } else if coding.eq_ignore_ascii_case(b"identity") {
                return Err("identity is no transfer coding");
            } else {
                self.framing.unknown = true;
            }
        }
        Ok(())
    }

    pub(super) fn check_request(&self, version: Version) -> Result<(), HeadError> {
        self.check_length().map_err(HeadError::Malformed)?;
        if self.framing.unknown {
            return Err(HeadError::NotImplemented("the only transfer coding here is chunked"));
        }
        if self.host.is_none() && version != Version::Http10 {
            return Err(HeadError::Malformed("there is no Host"));
        }
        Ok(())
    }

    pub(super) fn check_response(&self, version: Version) -> Result<(), &'static str> {
        self.check_length()?;
        if self.framing.unknown || (self.framing.chunked && version == Version::Http10) {
            return Err("the response has a transfer coding other than chunked");
        }
        Ok(())
    }

    const fn check_length(&self) -> Result<(), &'static str> {
        if self.framing.length.is_some() && (self.framing.chunked || self.framing.unknown) {
            return Err("there are both Content-Length and Transfer-Encoding");
        }
        Ok(())
    }

    pub(super) const fn persistent(&self, version: Version) -> bool {
        match version {
            Version::Http10 => self.keep_alive && !self.close,
            Version::Http11 | Version::Http2 => !self.close,
        }
    }
}

const UNDERSCORE: &str = "a field that frames the message is spelled with an underscore";

/// SMUG-4: digits alone, at most 2^63-1.
fn length(text: &[u8]) -> Result<u64, &'static str> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return Err("the Content-Length is malformed");
    }
    let length = text.iter().fold(0u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    if length > i64::MAX.unsigned_abs() {
        return Err("the Content-Length is too large");
    }
    Ok(length)
}

/// Without spaces and tabs around it; no other octet counts as white space (SMUG-7).
fn trim(text: &[u8]) -> &[u8] {
    let is_space = |octet: &u8| matches!(octet, b' ' | b'\t');
    let start = text.iter().position(|octet| !is_space(octet)).unwrap_or(text.len());
    let end = text.iter().rposition(|octet| !is_space(octet)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// A `tchar` (RFC 9110 section 5.6.2).
pub(in crate::http1) const fn is_token(octet: u8) -> bool {
    TOKEN[octet as usize]
}

/// What may stand in a field value or a reason phrase: no control character but the tab.
pub(in crate::http1) const fn is_text(octet: u8) -> bool {
    matches!(octet, b'\t' | 0x20..=0x7e | 0x80..)
}

/// Whether all of `value` is [text](is_text).
pub(in crate::http1) fn are_text(value: &[u8]) -> bool {
    has_no_control(value) || value.iter().all(|octet| is_text(*octet))
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0u8;
    while octet < 128 {
        table[octet as usize] = octet.is_ascii_alphanumeric()
            || matches!(
                octet,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        octet += 1;
    }
    table
};
