//! The end of a chunked body: the last chunk, and the trailer fields that pass (H-trl-1, SMUG-15, PX-17).

use super::edits::covers;
use crate::http1::body::{CHUNK_END, LAST_CHUNK};
use crate::http1::head::Field;
use crate::proxy::fields::{Named, list, trailer_passes};
use crate::proxy::route::HeaderEdits;

/// Appends the last chunk and those of `trailers` that pass: not what the `Connection` lines of the head
/// name (IDH-4), and nothing that the operator removes or sets.
pub(super) fn last_chunk<'m>(
    trailers: impl Iterator<Item = Field<'m>>,
    connection: impl Iterator<Item = &'m [u8]>,
    edits: &HeaderEdits,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(LAST_CHUNK);
    let mut trailers = trailers.peekable();
    if trailers.peek().is_some() {
        let named = Named::read(connection);
        for Field { name, value } in trailers {
            if trailer_passes(name) && !named.contains(name) && !covers(edits, name) {
                super::edits::line(out, name, value);
            }
        }
    }
    out.extend_from_slice(CHUNK_END);
}

/// Appends a `Trailer` line: what of `value` may pass as a trailer; nothing where nothing may.
pub(super) fn announced(value: &[u8], edits: &HeaderEdits, out: &mut Vec<u8>) {
    let mut begun = false;
    for name in list(value).filter(|name| trailer_passes(name) && !covers(edits, name)) {
        out.extend_from_slice(if begun { b", " } else { b"trailer: " });
        out.extend_from_slice(name);
        begun = true;
    }
    if begun {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(lines: &[(&str, &str)], connection: &str) -> String {
        let fields = lines.iter().map(|(name, value)| Field { name: name.as_bytes(), value: value.as_bytes() });
        let mut out = Vec::new();
        last_chunk(fields, std::iter::once(connection.as_bytes()), &HeaderEdits::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// PX-17
    #[test]
    fn trailers_follow_the_last_chunk() {
        assert_eq!(ended(&[], "x"), "0\r\n\r\n");
        let lines =
            [("grpc-status", "0"), ("grpc-message", ""), ("Content-Digest", "sha-256=:x:"), ("Server-Timing", "a")];
        let expected =
            "0\r\ngrpc-status: 0\r\ngrpc-message: \r\nContent-Digest: sha-256=:x:\r\nServer-Timing: a\r\n\r\n";
        assert_eq!(ended(&lines, "close"), expected);
    }

    /// SMUG-15, H-trl-1, IDH-4
    #[test]
    fn trailers_that_mean_something_to_a_head_are_dropped_in_any_spelling() {
        for name in [
            "Content-Length",
            "content_length",
            "Transfer-Encoding",
            "transfer.encoding",
            "Host",
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "set_cookie",
            "Cache-Control",
            "cache_control",
            "Content-Type",
            "Content-Encoding",
            "TE",
            "Trailer",
            "Connection",
            "Keep-Alive",
            "Upgrade",
            "X-Auth-Subject",
            "x_auth_subject",
            "X-Forwarded-For",
            "Forwarded",
            "X-Forwarded-User",
            "Proxy-Authorization",
            "Expect",
            "Range",
            "If-Match",
            "Max-Forwards",
            "WWW-Authenticate",
            "Age",
            "Date",
            "Vary",
            "Location",
            "X-Request-Id",
            "x_anything",
            "Via",
            "X-HTTP-Method-Override",
            "Sec-WebSocket-Key",
            "named",
        ] {
            assert_eq!(ended(&[(name, "7")], "close, named"), "0\r\n\r\n", "{name}");
        }
    }

    #[test]
    fn only_trailers_that_may_pass_are_announced() {
        let mut out = Vec::new();
        announced(b"X-Checksum, Authorization , expires,grpc-status", &HeaderEdits::default(), &mut out);
        announced(b"Host", &HeaderEdits::default(), &mut out);
        assert_eq!(out, b"trailer: X-Checksum, grpc-status\r\n");
    }
}
