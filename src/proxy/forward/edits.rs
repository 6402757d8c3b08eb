//! `headers.request` and `headers.response`: what an operator removes and sets, and the writing of
//! field lines.

use crate::proxy::fields::same_folded;
use crate::proxy::route::HeaderEdits;
use crate::text::decimal;

/// Appends `name: value\r\n`.
pub(super) fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `content-length: …\r\n`.
pub(super) fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Whether the edits are about the field `name`, whose other lines are therefore left out.
#[inline]
pub(super) fn covers(edits: &HeaderEdits, name: &[u8]) -> bool {
    !is_empty(edits) && is_named(edits, name)
}

/// Most routes edit nothing, and every field of every message is asked.
const fn is_empty(edits: &HeaderEdits) -> bool {
    edits.set.is_empty() && edits.remove.is_empty()
}

fn is_named(edits: &HeaderEdits, name: &[u8]) -> bool {
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
