//! `headers.request` and `headers.response`: what an operator removes and sets, and the writing of
//! field lines.

use crate::proxy::fields::same_folded;
use crate::proxy::route::HeaderEdits;
use std::io::Write;
use std::net::IpAddr;

/// Appends `name: value\r\n`.
pub(super) fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal digits.
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends an address.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    // Writing to memory does not fail.
    let _ = write!(out, "{address}");
}

/// Appends `content-length: …\r\n`.
pub(super) fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    number(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Whether the edits are about the field `name`, whose other lines are therefore left out.
pub(super) fn covers(edits: &HeaderEdits, name: &[u8]) -> bool {
    edits.set.iter().any(|(set, _)| same_folded(set.as_str().as_bytes(), name))
        || edits.remove.iter().any(|removed| same_folded(removed.as_str().as_bytes(), name))
}

/// The value that the edits set for `name`.
pub(super) fn value_of<'e>(edits: &'e HeaderEdits, name: &str) -> Option<&'e [u8]> {
    edits.set.iter().find(|(set, _)| set.as_str() == name).map(|(_, value)| value.as_bytes())
}

/// Appends what the edits set. Framing and what belongs to the connection is nobody's to set.
pub(super) fn append_set(out: &mut Vec<u8>, edits: &HeaderEdits) {
    for (name, value) in &edits.set {
        if !is_connection_matter(name.as_str()) {
            line(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

fn is_connection_matter(name: &str) -> bool {
    matches!(
        name,
        "te" | "host"
            | "expect"
            | "trailer"
            | "upgrade"
            | "connection"
            | "keep-alive"
            | "content-length"
            | "http2-settings"
            | "proxy-connection"
            | "transfer-encoding"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for value in [0, 7, 10, 999, 65536, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }

    /// Design, section 5: names compare after folding.
    #[test]
    fn edits_cover_every_spelling_of_a_name() {
        let edits = HeaderEdits {
            set: vec![("x-tier".parse().unwrap(), "a".parse().unwrap())],
            remove: vec!["cookie".parse().unwrap()],
        };
        assert!(covers(&edits, b"X-Tier") && covers(&edits, b"x.tier") && covers(&edits, b"COOKIE"));
        assert!(!covers(&edits, b"x-tiers"));
    }
}
