//! The host that a request is for (H-host-1 to H-host-3).

use super::TargetError;
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The longest name that the domain name system knows, in text.
const LONGEST_NAME: usize = 253;

/// The `Host` of a request: lower case, without the default port and without a trailing dot
/// (H-host-3), in a form that compares byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// As received, for forwarding.
    pub raw: &'a str,
    /// The name alone, folded; a port is not part of it.
    pub name: Cow<'a, str>,
}

impl<'a> Host<'a> {
    /// Reads a `Host` field value or an authority.
    ///
    /// # Errors
    /// When it is empty, holds userinfo, a path, a list or a space (H-host-1).
    pub fn read(raw: &'a [u8]) -> Result<Self, TargetError> {
        let raw = std::str::from_utf8(raw).map_err(|_| TargetError("the host is not ASCII"))?;
        let name = if raw.starts_with('[') { ipv6(raw)? } else { registered(raw)? };
        Ok(Self { raw, name })
    }
}

/// `[2001:db8::1]:8080`; the address in its canonical text.
fn ipv6(raw: &str) -> Result<Cow<'_, str>, TargetError> {
    let malformed = TargetError("the host is not a valid IPv6 literal");
    let (literal, port) = raw.split_at(raw.find(']').ok_or(malformed)? + 1);
    if !port.is_empty() {
        check_port(port.strip_prefix(':').ok_or(malformed)?)?;
    }
    let address: Ipv6Addr = literal[1..literal.len() - 1].parse().map_err(|_| malformed)?;
    let canonical = format!("[{address}]");
    Ok(if canonical == literal { Cow::Borrowed(literal) } else { Cow::Owned(canonical) })
}

/// `api.example.com:8080` or an IPv4 address.
fn registered(raw: &str) -> Result<Cow<'_, str>, TargetError> {
    let name = match raw.split_once(':') {
        Some((name, port)) => {
            check_port(port)?;
            name
        }
        None => raw,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(TargetError("the host is empty"));
    }
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    if !name.bytes().all(legal) {
        return Err(TargetError("the host holds a character that may not stand in it"));
    }
    if name.len() > LONGEST_NAME || name.split('.').any(str::is_empty) {
        return Err(TargetError("the host is not a valid name"));
    }
    Ok(if name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    })
}

/// A port is a number from 1 to 65535, in at most five digits.
fn check_port(port: &str) -> Result<(), TargetError> {
    let digits = port.len() <= 5 && port.bytes().all(|octet| octet.is_ascii_digit());
    if digits && port.parse::<u16>().is_ok_and(|number| number > 0) {
        return Ok(());
    }
    Err(TargetError("the host's port is not a port"))
}
