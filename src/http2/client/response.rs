//! The head of a request out of HTTP/1.1, and that of a response into it.

use crate::http1::head::Request;
use crate::http2::fields::{self, add};
use crate::secret::hex;
use crate::text::decimal;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme, Uri};
use http::{Method, StatusCode, Version};

/// The head of a request that the gateway has written.
pub(super) fn request(request: &Request<'_>, scheme: Scheme) -> Result<http::Request<()>, http::Error> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(Authority::try_from(request.host().unwrap_or_default())?);
    let target = request.target();
    parts.path_and_query = Some(PathAndQuery::try_from(target).or_else(|_| escaped(target))?);
    let uri = Uri::from_parts(parts)?;
    let mut head = http::Request::builder().method(request.method()).uri(uri).version(Version::HTTP_2).body(())?;
    for field in request.fields().filter(|field| !field.is("host")) {
        add(head.headers_mut(), &field)?;
    }
    Ok(head)
}

/// The target with those characters escaped that are in no URI (RFC 3986), and that HTTP/2 therefore does not
/// take: it means the same, and a client must not make a server fail by them.
fn escaped(target: &[u8]) -> Result<PathAndQuery, InvalidUri> {
    let mut out = String::with_capacity(target.len() + 16);
    for octet in target {
        match octet {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                out.push('%');
                out.push_str(&hex(&[*octet]).to_ascii_uppercase());
            }
            _ => out.push(char::from(*octet)),
        }
    }
    PathAndQuery::try_from(out)
}

/// Whether the content of a response has no length that is known.
fn is_chunked(parts: &Parts, method: &Method, ended: bool) -> bool {
    !ended && !is_bodiless(parts, method) && !parts.headers.contains_key(CONTENT_LENGTH)
}

/// Whether a response has no content, whatever it says of it.
pub(super) fn is_bodiless(parts: &Parts, method: &Method) -> bool {
    *method == Method::HEAD || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&parts.status)
}

/// The head of a response in HTTP/1.1; `ended`: nothing follows it.
pub(in crate::http2) fn head(parts: &Parts, method: &Method, ended: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    status_line(parts.status, &mut out);
    if is_chunked(parts, method, ended) {
        fields::line(&mut out, "transfer-encoding", b"chunked");
    } else if ended && !is_bodiless(parts, method) && !parts.headers.contains_key(CONTENT_LENGTH) {
        fields::line(&mut out, "content-length", b"0");
    }
    fields::section(&mut out, &parts.headers);
    out
}

/// An interim response.
pub(super) fn interim(response: &http::Response<()>, out: &mut Vec<u8>) {
    status_line(response.status(), out);
    fields::section(out, response.headers());
}

pub(super) fn status_line(status: StatusCode, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, status.as_u16().into());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}
