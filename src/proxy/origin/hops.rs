//! The hops that `X-Forwarded-For` and `Forwarded` (RFC 7239) list, bounded and read strictly.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// So many hops are looked at, from the right.
pub(super) const MOST: usize = 100;

/// One hop: who handed the request to the one that wrote the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// Its address; `None` when the entry does not say one (`unknown`, `_hidden`, junk).
    pub(super) address: Option<IpAddr>,
    /// Whether it came by https, where the entry says so.
    pub(super) https: Option<bool>,
}

/// The hops of the `X-Forwarded-For` lines, the last [`MOST`] of them; empty without such lines.
#[expect(clippy::unnecessary_wraps, reason = "the same form as `forwarded`: here junk is an entry without an address")]
pub(super) fn x_forwarded_for<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for line in lines {
        // From the right, and no further than what is looked at: a list of ten thousand costs no more.
        let entries = line.rsplit(|&octet| octet == b',').take(MOST);
        let mut these: Vec<Hop> =
            entries.map(|entry| Hop { address: address(entry.trim_ascii()), https: None }).collect();
        these.reverse();
        hops.extend(these);
    }
    Some(last(hops))
}

/// The hops of the `Forwarded` lines, the last [`MOST`] of them; `None` when they are malformed.
pub(super) fn forwarded<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    for line in lines {
        let mut rest = line;
        loop {
            let (hop, after) = element(rest)?;
            hops.push(hop);
            match after.split_first() {
                None => break,
                Some((b',', after)) => rest = after,
                Some(_) => return None,
            }
        }
    }
    Some(last(hops))
}

fn last(mut hops: Vec<Hop>) -> Vec<Hop> {
    hops.drain(..hops.len().saturating_sub(MOST));
    hops
}

/// Reads one `forwarded-element` and gives what follows it.
fn element(text: &[u8]) -> Option<(Hop, &[u8])> {
    let mut hop = Hop { address: None, https: None };
    let mut seen_for = false;
    let mut rest = text.trim_ascii_start();
    loop {
        let equals = rest.iter().position(|&octet| !is_token(octet))?;
        let (name, after) = rest.split_at(equals);
        let (value, after) = value(after.strip_prefix(b"=")?)?;
        if name.eq_ignore_ascii_case(b"for") {
            if std::mem::replace(&mut seen_for, true) {
                return None;
            }
            hop.address = address(&value);
        } else if name.eq_ignore_ascii_case(b"proto") {
            if hop.https.replace(value.eq_ignore_ascii_case(b"https")).is_some() {
                return None;
            }
        } else if name.is_empty() {
            return None;
        }
        rest = after.trim_ascii_start();
        match rest.strip_prefix(b";") {
            Some(after) => rest = after.trim_ascii_start(),
            None => return Some((hop, rest)),
        }
    }
}

/// Reads a token or a quoted-string without escapes (no node and no scheme needs one).
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let end = quoted.iter().position(|&octet| octet == b'"' || octet == b'\\')?;
        let after = quoted.get(end..)?.strip_prefix(b"\"")?;
        return Some((quoted.get(..end)?.to_vec(), after));
    }
    let end = text.iter().position(|&octet| !is_token(octet)).unwrap_or(text.len());
    let (token, after) = text.split_at(end);
    (!token.is_empty()).then(|| (token.to_vec(), after))
}

/// Reads an address, with or without brackets and port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| bracketed(text).parse::<Ipv6Addr>().map(IpAddr::V6));
    address.ok().map(|address| address.to_canonical())
}

fn bracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default()
}

/// RFC 9110 section 5.6.2.
pub(in crate::proxy) const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}
