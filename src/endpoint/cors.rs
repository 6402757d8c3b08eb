//! Which of the gateway's own endpoints pages of any origin may call: those of apps that run in browsers
//! (RFC 9700 section 2.6). No cookie is looked at there, so nobody's page can do more than any program.
//! Those that people visit are not among them.

use super::location::{Endpoint, Form};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};

/// What such a page may send. MCP clients name their protocol when they ask for metadata.
const HEADERS: HeaderValue = HeaderValue::from_static("accept, authorization, content-type, mcp-protocol-version");

/// What it may read beside the content.
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after, x-request-id");

/// Whether pages of any origin may call it.
pub(super) const fn is_open(endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Form(Form::DeviceAuthorization | Form::Par | Form::Revoke | Form::Token)
        | Endpoint::Register
        | Endpoint::Registration
        | Endpoint::ResourceMetadata(_)
        | Endpoint::ServerMetadata
        | Endpoint::TokenInfo => true,
        // Only resource servers introspect: they have a secret, which no page has.
        Endpoint::Browser(_) | Endpoint::Form(Form::Introspect) => false,
    }
}

/// Whether it is a preflight (PX-10).
pub(super) fn is_preflight(request: &Request<Bytes>) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(ORIGIN) && has(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of an endpoint that takes `methods`.
pub(super) fn preflight(methods: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let fields = response.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The same response for every page to read.
pub(super) fn opened(mut response: Response<Bytes>) -> Response<Bytes> {
    let fields = response.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}
