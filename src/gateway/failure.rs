//! What can go wrong with a request, and the one translation of it into a response.

use crate::enforce::challenge::Challenge;
use crate::enforce::guard::Invalid;
use crate::enforce::rate;
use crate::http1::exchange::CollectError;
use crate::http1::head::HeadError;
use crate::oauth::error::BearerErrorCode;
use crate::proxy::forward::ForwardError;
use crate::proxy::route::NoRoute;
use crate::store::StoreError;
use crate::telemetry::Verdict;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use std::time::Duration;

/// Why a request is not forwarded, or got no response from its upstream. One variant a step.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request can be read in two ways, or not at all.
    Malformed(&'static str),
    /// Its head was refused before it became a request.
    Head(HeadError),
    /// The certificate that the client was shown is for other hosts than the one it asks (H-host-3).
    Misdirected,
    /// CONNECT.
    Tunnel,
    /// `Expect` with something else than `100-continue`.
    Expectation,
    /// No route, or none for the method.
    NoRoute(NoRoute),
    /// Misuse of the bearer scheme (RFC 6750 section 3.1).
    Credential(&'static str),
    /// The body of one of the gateway's own requests, or a form, could not be read.
    Body(CollectError),
    /// A form that has to be searched for a token is encoded in a way that hides it.
    Encoded,
    /// A call of Envoy's service that is no gRPC.
    NotGrpc,
    /// No token; the scope that the route needs, where one would help.
    NoToken(Option<String>),
    /// The token is not good here; the scope that the route needs, where an MCP client may ask for it.
    Invalid(Invalid, Option<String>),
    /// Nobody can tell whether the token is good.
    Store(StoreError),
    /// A page of an origin that the resource does not admit (MCP-13).
    Origin,
    /// The route's limit (LIM-429); how long to wait.
    RateLimited(Duration),
    /// It came in data of TLS that can be replayed, and changes something (LIM-425).
    TooEarly,
    /// A scope is missing: the one that would pass.
    Scope(String),
    /// The upstream.
    Forward(ForwardError),
    /// A peer that is not trusted asks for a decision about another request.
    Untrusted,
}

#[derive(Serialize)]
struct Problem<'p> {
    error: &'p str,
    error_description: &'p str,
}

/// How a failure looks to the client.
struct Face {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Failure {
    /// A short stable code for logs and metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Body(error) => body_reason(error),
            Self::Credential(_) => "invalid_request",
            Self::Encoded => "encoded_form",
            Self::Expectation => "expectation",
            Self::Forward(error) => forward_reason(error),
            Self::Head(error) => head_reason(*error),
            Self::Invalid(Invalid::Audience, _) => "audience",
            Self::Invalid(Invalid::Disabled, _) => "disabled",
            Self::Invalid(Invalid::Expired, _) => "expired",
            Self::Invalid(Invalid::Forged, _) => "forged",
            Self::Invalid(Invalid::Unknown, _) => "unknown",
            Self::Malformed(_) => "malformed",
            Self::Misdirected => "misdirected",
            Self::NoRoute(NoRoute::MethodNotAllowed(_)) => "method",
            Self::NoRoute(NoRoute::NotFound) => "no_route",
            Self::NotGrpc => "not_grpc",
            Self::NoToken(_) => "no_token",
            Self::Origin => "origin",
            Self::RateLimited(_) => "rate_limited",
            Self::Scope(_) => "insufficient_scope",
            Self::Store(_) => "store",
            Self::TooEarly => "too_early",
            Self::Tunnel => "connect",
            Self::Untrusted => "untrusted_peer",
        }
    }

    /// Whose fault it is.
    pub(super) const fn verdict(&self) -> Verdict {
        match self {
            Self::Store(_) | Self::Forward(_) => Verdict::Failed,
            Self::Malformed(_)
            | Self::Head(_)
            | Self::Misdirected
            | Self::TooEarly
            | Self::Tunnel
            | Self::Expectation
            | Self::NoRoute(_)
            | Self::Credential(_)
            | Self::Body(_)
            | Self::Encoded
            | Self::NotGrpc
            | Self::NoToken(_)
            | Self::Invalid(..)
            | Self::Origin
            | Self::RateLimited(_)
            | Self::Scope(_)
            | Self::Untrusted => Verdict::Denied,
        }
    }

    /// Whether a route in `report_only` lets the request pass all the same: the failures of a
    /// decision, not those of a message.
    pub(super) const fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::Credential(_)
                | Self::NoToken(_)
                | Self::Invalid(..)
                | Self::Origin
                | Self::RateLimited(_)
                | Self::Store(_)
                | Self::Scope(_)
        )
    }

    fn face(&self) -> Face {
        match self {
            Self::Body(error) => body_face(error),
            Self::Invalid(..) => face(StatusCode::UNAUTHORIZED, "invalid_token", "The access token is not valid."),
            Self::Origin => {
                face(StatusCode::FORBIDDEN, "origin_not_allowed", "Pages of this origin may not make requests here.")
            }
            Self::Store(_) => face(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "The access token cannot be checked at the moment.",
            ),
            Self::Credential(why) | Self::Malformed(why) => face(StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::Encoded => face(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "A form that may hold the access token must not be encoded.",
            ),
            Self::Expectation => {
                face(StatusCode::EXPECTATION_FAILED, "expectation_failed", "This expectation cannot be met.")
            }
            Self::Forward(error) => forward_face(error),
            Self::Head(error) => head_face(*error),
            Self::Misdirected => face(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected_request",
                "This host needs a connection of its own: the certificate of this one is for others.",
            ),
            Self::NoRoute(NoRoute::MethodNotAllowed(_)) => {
                face(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The route does not take this method.")
            }
            Self::NoRoute(NoRoute::NotFound) => face(StatusCode::NOT_FOUND, "not_found", "There is no such route."),
            Self::NotGrpc => face(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Calls of gRPC have the content type application/grpc.",
            ),
            Self::NoToken(_) => face(StatusCode::UNAUTHORIZED, "unauthorized", "An access token is needed."),
            Self::RateLimited(_) => {
                face(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "There are too many requests: wait a little.")
            }
            Self::Scope(_) => {
                face(StatusCode::FORBIDDEN, "insufficient_scope", "The access token lacks a scope that is needed here.")
            }
            Self::TooEarly => face(
                StatusCode::TOO_EARLY,
                "too_early",
                "This request must not come in early data: send it again after the handshake.",
            ),
            Self::Tunnel => face(StatusCode::NOT_IMPLEMENTED, "not_implemented", "CONNECT is not supported."),
            Self::Untrusted => {
                face(StatusCode::FORBIDDEN, "access_denied", "Only a trusted proxy may ask for a decision.")
            }
        }
    }

    /// The challenge's error code (RFC 6750 section 3.1); the outer `None`: no challenge.
    fn challenge(&self) -> Option<(Option<BearerErrorCode>, Option<&str>)> {
        match self {
            Self::NoToken(scope) => Some((None, scope.as_deref())),
            Self::Credential(_) => Some((Some(BearerErrorCode::InvalidRequest), None)),
            Self::Invalid(_, scope) => Some((Some(BearerErrorCode::InvalidToken), scope.as_deref())),
            Self::Scope(needed) => Some((Some(BearerErrorCode::InsufficientScope), Some(needed))),
            Self::Malformed(_)
            | Self::Head(_)
            | Self::Misdirected
            | Self::TooEarly
            | Self::Tunnel
            | Self::Expectation
            | Self::NoRoute(_)
            | Self::Body(_)
            | Self::Encoded
            | Self::NotGrpc
            | Self::Origin
            | Self::RateLimited(_)
            | Self::Store(_)
            | Self::Forward(_)
            | Self::Untrusted => None,
        }
    }

    /// The response (PX-8): JSON, not to be stored.
    pub(super) fn response(&self, challenge: &Challenge, request_id: &str) -> Response<Bytes> {
        let face = self.face();
        let problem = Problem { error: face.error, error_description: face.description };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = face.status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((code, scope)) = self.challenge() {
            let value = challenge.value(code.map(|code| (code, face.description)), scope);
            insert(fields, header::WWW_AUTHENTICATE, &value);
        }
        if let Self::NoRoute(NoRoute::MethodNotAllowed(allowed)) = self {
            insert(fields, header::ALLOW, allowed);
        }
        if face.status == StatusCode::SERVICE_UNAVAILABLE {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::RateLimited(wait) = self {
            fields.insert(header::RETRY_AFTER, HeaderValue::from(rate::whole_seconds(*wait).max(1)));
        }
        if self.ends_connection() {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        insert(fields, REQUEST_ID, request_id);
        response
    }

    /// After these the client's next octets cannot be trusted to be a request.
    const fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Head(_)
                | Self::TooEarly
                | Self::Tunnel
                | Self::Body(_)
                | Self::Forward(ForwardError::BadBody(_) | ForwardError::BodyStalled | ForwardError::BodyTooLarge)
        )
    }
}

/// The name under which every answer says which request it is for.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds a field whose value is known to be one.
pub(super) fn append(fields: &mut http::HeaderMap, name: &'static str, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        fields.append(HeaderName::from_static(name), value);
    }
}

/// Sets a field whose value is known to be visible ASCII; one that is not is left out.
pub(super) fn insert(fields: &mut http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

const fn face(status: StatusCode, error: &'static str, description: &'static str) -> Face {
    Face { status, error, description }
}

fn body_face(error: &CollectError) -> Face {
    match error {
        CollectError::Body(_) => {
            face(StatusCode::BAD_REQUEST, "invalid_request", "The body is malformed or ends early.")
        }
        CollectError::Stalled => {
            face(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body made no progress in time.")
        }
        CollectError::TooLarge => face(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large."),
    }
}

fn forward_face(error: &ForwardError) -> Face {
    match error {
        ForwardError::BadBody(why) => face(StatusCode::BAD_REQUEST, "invalid_request", why),
        ForwardError::BadGateway(_)
        | ForwardError::ClientGone
        | ForwardError::Looped
        | ForwardError::Refused
        | ForwardError::Revoked => {
            face(StatusCode::BAD_GATEWAY, "bad_gateway", "The upstream did not give a valid response.")
        }
        ForwardError::NoTunnels(_) => {
            face(StatusCode::BAD_GATEWAY, "bad_gateway", "The upstream does not take WebSockets over HTTP/2.")
        }
        ForwardError::BodyStalled => body_face(&CollectError::Stalled),
        ForwardError::BodyTooLarge => body_face(&CollectError::TooLarge),
        ForwardError::Busy(_) | ForwardError::Unhealthy(_) => face(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "The upstream takes no further request at the moment.",
        ),
        ForwardError::ConnectTimeout | ForwardError::ResponseTimeout => {
            face(StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", "The upstream did not respond in time.")
        }
    }
}

const fn head_face(error: HeadError) -> Face {
    match error {
        HeadError::Malformed(why) => face(StatusCode::BAD_REQUEST, "invalid_request", why),
        HeadError::NotImplemented(why) => face(StatusCode::NOT_IMPLEMENTED, "not_implemented", why),
        HeadError::Timeout => {
            face(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The request did not arrive in time.")
        }
        HeadError::TargetTooLong => face(StatusCode::URI_TOO_LONG, "uri_too_long", "The request target is too long."),
        HeadError::TooLarge => face(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "header_fields_too_large",
            "The header section is too large.",
        ),
        HeadError::Version => face(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "http_version_not_supported",
            "This HTTP version is not supported.",
        ),
    }
}

const fn body_reason(error: &CollectError) -> &'static str {
    match error {
        CollectError::Body(_) => "body",
        CollectError::Stalled => "body_stalled",
        CollectError::TooLarge => "body_too_large",
    }
}

const fn forward_reason(error: &ForwardError) -> &'static str {
    match error {
        ForwardError::BadBody(_) => "body",
        ForwardError::BadGateway(_) => "bad_gateway",
        ForwardError::BodyStalled => "body_stalled",
        ForwardError::BodyTooLarge => "body_too_large",
        ForwardError::Busy(_) => "upstream_busy",
        ForwardError::ClientGone => "client_gone",
        ForwardError::ConnectTimeout => "connect_timeout",
        ForwardError::Looped => "loop",
        ForwardError::NoTunnels(_) => "upstream_without_tunnels",
        ForwardError::Refused => "upstream_401",
        ForwardError::ResponseTimeout => "response_timeout",
        ForwardError::Revoked => "token_ended",
        ForwardError::Unhealthy(_) => "upstream_unhealthy",
    }
}

const fn head_reason(error: HeadError) -> &'static str {
    match error {
        HeadError::Malformed(_) => "malformed",
        HeadError::NotImplemented(_) => "not_implemented",
        HeadError::TargetTooLong => "target_too_long",
        HeadError::Timeout => "head_timeout",
        HeadError::TooLarge => "head_too_large",
        HeadError::Version => "version",
    }
}
