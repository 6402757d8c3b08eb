//! A WebSocket over HTTP/2 (RFC 8441): the handshake of HTTP/1.1 is an extended CONNECT there, and the
//! response to that, where it is a success, the switch.

use super::response::status_line;
use crate::http1::head::Request;
use crate::http2::fields;
use crate::secret::sha1;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use h2::ext::Protocol;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{Method, StatusCode};

/// What is put behind a key (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    /// `Sec-WebSocket-Accept`: HTTP/2 has none, the client may want it.
    accept: String,
}

impl Handshake {
    /// The handshake that `request` makes. Other protocols are left out of the request like any field of
    /// a connection, and so is WebSocket where its client could not be answered.
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        let offers = |protocol: &[u8]| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket");
        let offered = request.values("upgrade").flat_map(|value| value.split(|octet| *octet == b',')).any(offers);
        if !offered || request.method() != "GET" {
            return None;
        }
        let mut keys = request.values("sec-websocket-key");
        let key = keys.next().filter(|key| is_key(key))?;
        keys.next().is_none().then(|| Self { accept: STANDARD.encode(sha1(&[key, GUID].concat())) })
    }

    /// Makes `head`, that of the handshake, an extended CONNECT.
    pub(super) fn ask(head: &mut http::Request<()>) {
        *head.method_mut() = Method::CONNECT;
        head.headers_mut().remove("sec-websocket-key");
        head.extensions_mut().insert(Protocol::from_static("websocket"));
    }

    /// The head in HTTP/1.1 of the switch that `parts` are; `None`: it is a response like any other.
    pub(super) fn switch(&self, parts: &Parts) -> Option<Vec<u8>> {
        if !parts.status.is_success() {
            return None;
        }
        let mut out = Vec::with_capacity(256);
        status_line(StatusCode::SWITCHING_PROTOCOLS, &mut out);
        fields::line(&mut out, "connection", b"upgrade");
        fields::line(&mut out, "upgrade", b"websocket");
        fields::line(&mut out, "sec-websocket-accept", self.accept.as_bytes());
        let mut rest = parts.headers.clone();
        rest.remove("sec-websocket-accept");
        rest.remove(CONTENT_LENGTH);
        fields::section(&mut out, &rest);
        Some(out)
    }
}

/// 16 octets in Base64 (RFC 6455 section 4.2.1).
fn is_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|octets| octets.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Limits;
    use crate::http1::head::RequestHead;

    fn accept(fields: &str) -> Option<String> {
        let octets = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n{fields}\r\n");
        let mut head = RequestHead::default();
        head.parse(octets.as_bytes(), &Limits::default()).unwrap().unwrap();
        Handshake::of(&Request::new(&head, octets.as_bytes())).map(|handshake| handshake.accept)
    }

    /// RFC 6455 section 1.3, which has the key and the answer to it.
    #[test]
    fn a_key_is_answered_as_the_rfc_says() {
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        assert_eq!(accept(&format!("upgrade: websocket\r\n{key}")).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accept(&format!("upgrade: spdy/3.1, WebSocket\r\n{key}")).is_some());
        assert_eq!(accept(&format!("upgrade: spdy/3.1\r\n{key}")), None);
        assert_eq!(accept(&format!("upgrade: websocket\r\n{key}{key}")), None);
        assert_eq!(accept("upgrade: websocket\r\n"), None);
        assert_eq!(accept("upgrade: websocket\r\nsec-websocket-key: c2hvcnQ=\r\n"), None);
    }
}
