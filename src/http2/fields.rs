//! Field lines of HTTP/1.1 from those of HTTP/2, and back.

use crate::http1::head::Field;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

/// Appends a field line.
pub(super) fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends every field in its order, and the empty line.
pub(super) fn section(out: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields.iter().filter(|(name, _)| !is_of_connection(name)) {
        line(out, name.as_str(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether white space stands before or behind a value: HTTP/2 has none there, HTTP/1.1 would not take it for a part of it.
pub(super) fn has_space_around(value: &[u8]) -> bool {
    let is_space = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    is_space(value.first()) || is_space(value.last())
}

/// Whether a field concerns a connection of HTTP/1.1: HTTP/2 has none of them (RFC 9113 section 8.2.2).
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Adds a field of HTTP/1.1, unless HTTP/2 has none such; of `TE`, only `trailers` is left.
///
/// # Errors
/// When it is no field.
pub(super) fn add(fields: &mut HeaderMap, field: &Field<'_>) -> Result<(), http::Error> {
    let name = HeaderName::from_bytes(field.name)?;
    if is_of_connection(&name) {
        return Ok(());
    }
    if name == TE {
        if says_trailers(field.value) {
            fields.insert(TE, HeaderValue::from_static("trailers"));
        }
        return Ok(());
    }
    fields.try_append(name, HeaderValue::from_bytes(field.value)?)?;
    Ok(())
}

fn says_trailers(value: &[u8]) -> bool {
    value.split(|octet| *octet == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The trailer fields that stand in `lines`.
///
/// # Errors
/// When they are no fields.
pub(super) fn trailers(lines: &[u8]) -> Result<HeaderMap, http::Error> {
    let mut fields = HeaderMap::new();
    for line in lines.split(|octet| *octet == b'\n') {
        if let Some(colon) = line.iter().position(|octet| *octet == b':') {
            let (name, value) = line.split_at(colon);
            add(&mut fields, &Field { name, value: value[1..].trim_ascii() })?;
        }
    }
    fields.remove(TE);
    Ok(fields)
}
