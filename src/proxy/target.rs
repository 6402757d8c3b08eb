//! The one reading of a request's target and host (standards: PATH-1 to PATH-16, H-form, H-host).
//!
//! What could be read two ways is refused here; what passes is forwarded byte for byte.

mod host;
#[cfg(test)]
mod tests;

pub use host::Host;

use std::borrow::Cow;

/// What a route may opt into; otherwise each of them in a path is 400.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration and independent of the others")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// `encoded_slash = "keep"`: `%2F` stays as it is and is a character of its segment (PATH-3).
    pub encoded_slash: bool,
    /// `encoded_percent = "keep"`: `%25` before two hexadecimal digits (PATH-11).
    pub encoded_percent: bool,
    /// `empty_segments = "keep"`: `//` (PATH-4).
    pub empty_segments: bool,
    /// `path_parameters = "keep"`: `;` in a segment (PATH-6).
    pub path_parameters: bool,
}

impl PathPolicy {
    /// Whether a target with these `oddities` may pass under this policy. The default policy allows
    /// none of them.
    pub const fn allows(&self, oddities: Self) -> bool {
        (self.encoded_slash || !oddities.encoded_slash)
            && (self.encoded_percent || !oddities.encoded_percent)
            && (self.empty_segments || !oddities.empty_segments)
            && (self.path_parameters || !oddities.path_parameters)
    }
}

/// A request target in its one reading.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    path: &'a str,
    query: Option<&'a str>,
    authority: Option<&'a str>,
    normal: Cow<'a, str>,
    oddities: PathPolicy,
}

/// Why a target or a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub &'static str);

impl<'a> Target<'a> {
    /// Reads a request target in origin-form or absolute-form (H-form, H-host-2). `*` and
    /// authority-form are the caller's.
    ///
    /// # Errors
    /// When it can be read two ways; the text says why and holds nothing of the request.
    pub fn read(raw: &'a [u8]) -> Result<Self, TargetError> {
        let (authority, rest) = split_form(visible(raw)?)?;
        let (path, query) = match memchr::memchr(b'?', rest.as_bytes()) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        let (normal, oddities) = normalise(path)?;
        Ok(Self { path, query, authority, normal, oddities })
    }

    /// The path as received: what the upstream gets. Never empty.
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query as received, without the `?`.
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The authority of an absolute-form target: it replaces the `Host` field (H-host-2).
    pub const fn authority(&self) -> Option<&'a str> {
        self.authority
    }

    /// The path as it is matched (PATH-10): decoded once where a character means the same with and
    /// without its escape (unreserved characters, sub-delimiters, `:` and `@`), everything else as an
    /// escape with upper-case digits. It has as many slashes as the path. Borrowed when nothing had
    /// to change.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The forms in it that a route must have opted into.
    pub const fn oddities(&self) -> PathPolicy {
        self.oddities
    }
}

/// The target as text, if it holds nothing but visible ASCII and no fragment.
fn visible(raw: &[u8]) -> Result<&str, TargetError> {
    // No early exit: such a loop is compiled to vector instructions.
    let strays = raw.iter().fold(0, |strays, octet| strays | u8::from(!matches!(octet, b'!' | b'"' | b'$'..=b'~')));
    match std::str::from_utf8(raw) {
        Ok(text) if strays == 0 => Ok(text),
        _ if raw.contains(&b'#') => Err(TargetError("the target holds a fragment")),
        _ => Err(TargetError("the target holds a character that may not stand in it")),
    }
}

/// Splits an absolute-form target into authority and the rest.
fn split_form(target: &str) -> Result<(Option<&str>, &str), TargetError> {
    if target.starts_with('/') {
        return Ok((None, target));
    }
    let form = TargetError("the target is neither a path nor an http URL");
    let (scheme, rest) = target.split_once("://").ok_or(form)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(form);
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Host::read(authority.as_bytes())?;
    Ok((Some(authority), rest))
}

/// Checks a path and gives the form in which it is matched.
fn normalise(path: &str) -> Result<(Cow<'_, str>, PathPolicy), TargetError> {
    let mut oddities = PathPolicy::default();
    if is_ordinary(path.as_bytes()) {
        return Ok((Cow::Borrowed(path), oddities));
    }
    let mut normal = String::with_capacity(path.len() + 16);
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        oddities.empty_segments |= segment.is_empty() && segments.peek().is_some();
        let decoded = decode(segment)?;
        check(&decoded)?;
        oddities.encoded_slash |= decoded.contains(&b'/');
        oddities.path_parameters |= decoded.contains(&b';');
        oddities.encoded_percent |= decoded
            .windows(3)
            .any(|three| three[0] == b'%' && three[1].is_ascii_hexdigit() && three[2].is_ascii_hexdigit());
        normal.push('/');
        decoded.iter().for_each(|octet| push_normal(&mut normal, *octet));
    }
    Ok((if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) }, oddities))
}

/// Whether nothing in the path needs a second look: no escape, no `;`, no dot segment, no `//`.
fn is_ordinary(path: &[u8]) -> bool {
    path.iter().all(|octet| *octet == b'/' || PLAIN[usize::from(*octet)])
        && memchr::memchr_iter(b'/', path).all(|at| match path.get(at + 1) {
            Some(b'/') => false,
            Some(b'.') => !matches!(path.get(at + 2), None | Some(b'/' | b'.')),
            _ => true,
        })
}

/// Decodes a segment once (PATH-8).
pub(super) fn decode(segment: &str) -> Result<Cow<'_, [u8]>, TargetError> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut octets = segment.bytes();
    while let Some(octet) = octets.next() {
        decoded.push(if octet == b'%' {
            let mut digit = || octets.next().and_then(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(TargetError("the path holds a broken escape"));
            };
            u8::try_from(high * 16 + low).map_err(|_| TargetError("the path holds a broken escape"))?
        } else {
            octet
        });
    }
    Ok(Cow::Owned(decoded))
}

/// Refuses what no route can opt into (PATH-2, PATH-5 to PATH-7, PATH-9).
fn check(decoded: &[u8]) -> Result<(), TargetError> {
    if std::str::from_utf8(decoded).is_err() {
        return Err(TargetError("the path is not UTF-8"));
    }
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(TargetError("the path holds a control character"));
    }
    if decoded.contains(&b'\\') {
        return Err(TargetError("the path holds a backslash"));
    }
    // A kept `%2F` is a character of its segment, but a program behind us may still take it for a
    // slash: dots beside it are as bad as dots beside a real one.
    if decoded.split(|octet| *octet == b'/').any(is_dot_segment) {
        return Err(TargetError("the path holds a dot segment"));
    }
    Ok(())
}

/// `.` and `..`, also before a `;`, which some programs cut off (PATH-6).
fn is_dot_segment(piece: &[u8]) -> bool {
    let dots = piece.iter().take_while(|octet| **octet == b'.').count();
    matches!(dots, 1 | 2) && matches!(piece.get(dots), None | Some(b';'))
}

/// Appends a decoded octet of a segment to the form that is matched.
fn push_normal(normal: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if PLAIN[usize::from(octet)] || octet == b';' {
        normal.push(char::from(octet));
    } else {
        normal.push('%');
        normal.push(char::from(DIGITS[usize::from(octet >> 4)]));
        normal.push(char::from(DIGITS[usize::from(octet & 15)]));
    }
}

/// What means the same in a segment with and without its escape: `pchar` of RFC 3986 without `;`.
const PLAIN: [bool; 256] = {
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@";
    let mut table = [false; 256];
    let mut at = 0;
    while at < plain.len() {
        table[plain[at] as usize] = true;
        at += 1;
    }
    table
};
