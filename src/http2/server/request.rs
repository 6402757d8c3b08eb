//! The head of a request, put into HTTP/1.1. What could be read in another way there than here is
//! refused before it is put (H2-1 to H2-3, SMUG-18); the head is then parsed like any other.

use crate::http1::head::HeadError;
use crate::http2::fields::{has_space_around, is_of_connection, line};
use crate::secret::random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use h2::ext::Protocol;
use http::Method;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::request::Parts;

/// Whether a request is an extended CONNECT (RFC 8441).
pub(super) fn is_tunnel(parts: &Parts) -> bool {
    parts.method == Method::CONNECT && parts.extensions.get::<Protocol>().is_some()
}

/// Whether the content of a request has no length that is known.
fn is_chunked(parts: &Parts, ended: bool) -> bool {
    !ended && !parts.headers.contains_key(CONTENT_LENGTH)
}

/// The head in HTTP/1.1; `ended`: nothing follows it.
pub(in crate::http2) fn head(parts: &Parts, ended: bool) -> Result<Vec<u8>, HeadError> {
    let mut out = Vec::with_capacity(512);
    let tunnel = is_tunnel(parts);
    request_line(parts, tunnel, &mut out)?;
    line(&mut out, "host", host(parts)?);
    fields(&parts.headers, &mut out)?;
    if tunnel {
        websocket(parts, &mut out)?;
    } else if is_chunked(parts, ended) {
        line(&mut out, "transfer-encoding", b"chunked");
    } else if ended && parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err(HeadError::Malformed("the content is shorter than its Content-Length"));
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

fn request_line(parts: &Parts, tunnel: bool, out: &mut Vec<u8>) -> Result<(), HeadError> {
    // As of a URL in the request line of HTTP/1.1.
    if parts
        .uri
        .scheme_str()
        .is_some_and(|scheme| !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
    {
        return Err(HeadError::Malformed("the scheme is neither http nor https"));
    }
    let method = if tunnel { "GET" } else { parts.method.as_str() };
    let target = match (parts.uri.path_and_query(), parts.uri.authority()) {
        (None, Some(authority)) if parts.method == Method::CONNECT => authority.as_str(),
        (Some(path), _) => path.as_str(),
        (None, _) => return Err(HeadError::Malformed("there is no `:path`")),
    };
    // A space would move where the target ends.
    if target.is_empty() || !target.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(HeadError::Malformed("the request target has characters that must not stand in it"));
    }
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

/// `:authority`, which a `host` field may repeat and may replace where there is none (H2-3).
fn host(parts: &Parts) -> Result<&[u8], HeadError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next().map(HeaderValue::as_bytes), hosts.next().is_some());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        _ if more => Err(HeadError::Malformed("there is more than one Host")),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(HeadError::Malformed("`host` and `:authority` differ"))
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(HeadError::Malformed("there is no Host")),
    }
}

fn fields(fields: &HeaderMap, out: &mut Vec<u8>) -> Result<(), HeadError> {
    for (name, value) in fields {
        check(name, value.as_bytes())?;
        if ![HOST, COOKIE].contains(name) {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    if fields.contains_key(TE) {
        line(out, "connection", b"te");
    }
    let cookies: Vec<&[u8]> = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !cookies.is_empty() {
        line(out, "cookie", &cookies.join(&b"; "[..]));
    }
    Ok(())
}

/// H2-1, H2-2: what the library lets pass.
fn check(name: &HeaderName, value: &[u8]) -> Result<(), HeadError> {
    if has_space_around(value) {
        return Err(HeadError::Malformed("a field value has white space around it"));
    }
    if is_of_connection(name) || (*name == TE && value != b"trailers") {
        return Err(HeadError::Malformed("HTTP/2 has no field for a connection"));
    }
    Ok(())
}

/// An extended CONNECT as the request that HTTP/1.1 has for it (RFC 6455 section 4.1). Its client has
/// made no key: there is none in HTTP/2.
fn websocket(parts: &Parts, out: &mut Vec<u8>) -> Result<(), HeadError> {
    if parts.extensions.get::<Protocol>().is_none_or(|protocol| !protocol.as_str().eq_ignore_ascii_case("websocket")) {
        return Err(HeadError::NotImplemented("the only protocol to switch to is websocket"));
    }
    if ["sec-websocket-key", "sec-websocket-accept"].iter().any(|name| parts.headers.contains_key(*name))
        || parts.headers.contains_key(CONTENT_LENGTH)
    {
        return Err(HeadError::Malformed("a field that no extended CONNECT has"));
    }
    let key = random::<16>().map_err(|_| HeadError::NotImplemented("there is no randomness for a key"))?;
    line(out, "upgrade", b"websocket");
    line(out, "connection", b"upgrade");
    line(out, "sec-websocket-key", STANDARD.encode(key).as_bytes());
    if !parts.headers.contains_key("sec-websocket-version") {
        line(out, "sec-websocket-version", b"13");
    }
    Ok(())
}
