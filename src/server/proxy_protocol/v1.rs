//! Version 1: a line of text.

use super::{Announced, Client};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// How it begins.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// The longest line, its end included.
pub(super) const LONGEST: usize = 107;

/// Words of a line with addresses.
const WORDS: usize = 6;

/// How many octets a line without an end lacks at least: so many can be read without reading beyond it.
pub(super) fn missing(line: &[u8]) -> usize {
    const END: usize = 2;
    if line.ends_with(b"\r") || !line.starts_with(b"PROXY TCP") {
        return 1;
    }
    let words = line.split(|&octet| octet == b' ').count();
    // Each word that is still to come has an octet, and a space in front of it.
    2 * WORDS.saturating_sub(words) + usize::from(line.ends_with(b" ")) + END
}

/// What a line with its end says; `None`: it is malformed.
pub(super) fn parse(line: &[u8]) -> Option<Announced> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let mut words = line.split(' ').skip(1);
    match words.next()? {
        // What stands behind it means nothing.
        "UNKNOWN" => Some(Announced::Client(Client::UNNAMED)),
        "TCP4" => client::<Ipv4Addr>(words),
        "TCP6" => client::<Ipv6Addr>(words),
        _ => None,
    }
}

fn client<'l, A: FromStr + Into<IpAddr>>(mut words: impl Iterator<Item = &'l str>) -> Option<Announced> {
    let source: A = words.next()?.parse().ok()?;
    let _: A = words.next()?.parse().ok()?;
    let client = SocketAddr::new(source.into(), port(words.next()?)?);
    port(words.next()?)?;
    words.next().is_none().then_some(Announced::Client(Client::at(client)))
}

/// A decimal number without zeros in front of it.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|octet| octet.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}
