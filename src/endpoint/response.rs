//! Every response of the endpoints, and the one place where a refusal of `issue` becomes one.

use crate::enforce::challenge::Challenge;
use crate::issue::{Active, DeviceAuthorization, Introspection, IssueError, IssuedToken, Pushed};
use crate::oauth::error::{BearerErrorCode, TokenErrorCode};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// How long to wait before asking again where nothing says how long the trouble lasts.
const SOON: Duration = Duration::from_secs(1);

/// Metadata may be kept for a minute: a reload changes it.
const METADATA_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// A token response (RFC 6749 section 5.1).
pub(super) fn issued(issued: &IssuedToken) -> Response<Bytes> {
    let mut body = json!({
        "access_token": issued.access_token().reveal(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in(),
        "scope": issued.scope(),
    });
    if let Some(token) = issued.refresh_token() {
        body["refresh_token"] = token.reveal().into();
    }
    private(StatusCode::OK, &body)
}

/// A device authorization response (RFC 8628 section 3.2); `base` is the URL below which the endpoints
/// live.
pub(super) fn device_authorization(begun: &DeviceAuthorization, base: &str) -> Response<Bytes> {
    let page = format!("{base}/device");
    let body = json!({
        "device_code": begun.device_code().reveal(),
        "user_code": begun.user_code().to_string(),
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", begun.user_code()),
        "expires_in": begun.expires_in(),
        "interval": begun.interval(),
    });
    private(StatusCode::OK, &body)
}

/// An introspection response (RFC 7662 section 2.2).
pub(super) fn introspection(introspection: &Introspection, issuer: &str) -> Response<Bytes> {
    let body = match introspection {
        Introspection::Active(active) => active_members(active, issuer),
        Introspection::Inactive => json!({ "active": false }),
    };
    private(StatusCode::OK, &body)
}

fn active_members(active: &Active, issuer: &str) -> Value {
    let mut body = json!({
        "active": true,
        "scope": active.scope,
        "client_id": active.client_id,
        "exp": active.expires_at.as_secs(),
        "iat": active.issued_at.as_secs(),
        "nbf": active.issued_at.as_secs(),
        "aud": active.audience,
        "iss": issuer,
        "jti": active.id,
    });
    if active.is_access_token {
        body["token_type"] = "Bearer".into();
    }
    if let Some(subject) = &active.subject {
        body["sub"] = subject.as_str().into();
        body["username"] = subject.as_str().into();
    }
    body
}

/// The answer to a pushed authorization request (RFC 9126 section 2.2).
pub(super) fn pushed(pushed: &Pushed) -> Response<Bytes> {
    let body = json!({ "request_uri": pushed.request_uri, "expires_in": pushed.expires_in.as_secs() });
    private(StatusCode::CREATED, &body)
}

/// A revocation response (RFC 7009 section 2.2).
pub(super) fn revoked() -> Response<Bytes> {
    private(StatusCode::OK, &json!({}))
}

/// The one translation of a refusal. `basic` is the challenge of those who failed to authenticate.
pub(super) fn refused(error: &IssueError, basic: &HeaderValue) -> Response<Bytes> {
    use TokenErrorCode as Code;
    if let IssueError::InvalidPush(code, description) = error {
        return failure(StatusCode::BAD_REQUEST, code, description);
    }
    let (status, code) = match error {
        IssueError::AccessDenied => (StatusCode::BAD_REQUEST, Code::AccessDenied),
        IssueError::AuthorizationPending => (StatusCode::BAD_REQUEST, Code::AuthorizationPending),
        IssueError::Crowded(_) | IssueError::Throttled(_) => {
            (StatusCode::TOO_MANY_REQUESTS, Code::TemporarilyUnavailable)
        }
        IssueError::ExpiredToken => (StatusCode::BAD_REQUEST, Code::ExpiredToken),
        IssueError::InvalidClient => (StatusCode::UNAUTHORIZED, Code::InvalidClient),
        IssueError::InvalidGrant(_) => (StatusCode::BAD_REQUEST, Code::InvalidGrant),
        IssueError::InvalidOwner => (StatusCode::UNAUTHORIZED, Code::InvalidGrant),
        IssueError::InvalidPush(..) | IssueError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
        IssueError::InvalidScope(_) => (StatusCode::BAD_REQUEST, Code::InvalidScope),
        IssueError::InvalidTarget(_) => (StatusCode::BAD_REQUEST, Code::InvalidTarget),
        IssueError::NotAllowedToIntrospect => (StatusCode::FORBIDDEN, Code::UnauthorizedClient),
        IssueError::LoginService | IssueError::Overloaded | IssueError::Random(_) | IssueError::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Code::TemporarilyUnavailable)
        }
        IssueError::SlowDown => (StatusCode::BAD_REQUEST, Code::SlowDown),
        IssueError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest),
        IssueError::UnauthorizedClient => (StatusCode::BAD_REQUEST, Code::UnauthorizedClient),
        IssueError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, Code::UnsupportedGrantType),
        IssueError::UnsupportedTokenType => (StatusCode::BAD_REQUEST, Code::UnsupportedTokenType),
    };
    let response = failure(status, code.as_str(), &error.to_string());
    match (status, error) {
        (StatusCode::UNAUTHORIZED, _) => with(response, WWW_AUTHENTICATE, basic.clone()),
        (StatusCode::TOO_MANY_REQUESTS, IssueError::Crowded(wait) | IssueError::Throttled(wait)) => {
            retry_after(response, *wait)
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => retry_after(response, SOON),
        _ => response,
    }
}

/// A refusal with a challenge of RFC 6750; without `code` no credential was sent, and the challenge
/// says nothing of an error (R6750-3b).
pub(super) fn challenged(
    status: StatusCode,
    code: Option<BearerErrorCode>,
    description: &str,
    challenge: &Challenge,
) -> Response<Bytes> {
    let value = challenge.value(code.map(|code| (code, description)), None);
    let response = failure(status, code.map_or("unauthorized", BearerErrorCode::as_str), description);
    match HeaderValue::from_str(&value) {
        Ok(value) => with(response, WWW_AUTHENTICATE, value),
        Err(_) => response,
    }
}

/// The store does not answer: nothing is known.
pub(super) fn unavailable() -> Response<Bytes> {
    let code = TokenErrorCode::TemporarilyUnavailable;
    retry_after(failure(StatusCode::SERVICE_UNAVAILABLE, code.as_str(), "the store does not answer, try again"), SOON)
}

/// 429: not now.
pub(super) fn busy(description: &str, wait: Duration) -> Response<Bytes> {
    let code = TokenErrorCode::TemporarilyUnavailable;
    retry_after(failure(StatusCode::TOO_MANY_REQUESTS, code.as_str(), description), wait)
}

/// Done, and nothing to say (R7592-2.3).
pub(super) fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    with(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

pub(super) fn not_found() -> Response<Bytes> {
    failure(StatusCode::NOT_FOUND, "not_found", "there is no such endpoint")
}

/// R6749-3.2a
pub(super) fn method_not_allowed(allowed: &'static str) -> Response<Bytes> {
    let response = failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint takes other methods");
    with(response, ALLOW, HeaderValue::from_static(allowed))
}

pub(super) fn too_large() -> Response<Bytes> {
    let code = TokenErrorCode::InvalidRequest;
    failure(StatusCode::PAYLOAD_TOO_LARGE, code.as_str(), "the body is too large")
}

/// A document that everybody may read.
pub(super) fn public(document: &Value) -> Response<Bytes> {
    with(json(StatusCode::OK, document), CACHE_CONTROL, METADATA_CACHING)
}

/// An answer for the caller alone (R6749-5.1a, R6749-5.2h).
pub(super) fn private(status: StatusCode, body: &Value) -> Response<Bytes> {
    let response = with(json(status, body), CACHE_CONTROL, HeaderValue::from_static("no-store"));
    with(response, PRAGMA, HeaderValue::from_static("no-cache"))
}

/// The challenge of a client or a resource owner that failed to authenticate (R6749-5.2a).
pub(super) fn basic_challenge(realm: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Basic realm=\"{realm}\", charset=\"UTF-8\""))
        .unwrap_or(HeaderValue::from_static("Basic realm=\"tollgate\", charset=\"UTF-8\""))
}

/// A refusal as JSON.
pub(super) fn failure(status: StatusCode, code: &str, description: &str) -> Response<Bytes> {
    private(status, &json!({ "error": code, "error_description": description }))
}

/// Whole seconds, rounded up: who waits so long is not told to wait again.
fn retry_after(response: Response<Bytes>, wait: Duration) -> Response<Bytes> {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    with(response, RETRY_AFTER, HeaderValue::from(secs.max(1)))
}

fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

fn with(mut response: Response<Bytes>, name: HeaderName, value: HeaderValue) -> Response<Bytes> {
    response.headers_mut().insert(name, value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    fn shown(error: &IssueError) -> (u16, String, Option<String>, Option<String>) {
        let response = refused(error, &basic_challenge("notes"));
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[PRAGMA], "no-cache");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let field = |name| response.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        let code = body["error"].as_str().unwrap().to_owned();
        (response.status().as_u16(), code, field(WWW_AUTHENTICATE), field(RETRY_AFTER))
    }

    /// R8628-3.5a, R8628-3.5b, R6749-5.2a, R6749-5.2b, R6749-5.2h, R6749-4.3d, R7009-2.2.1, R7662-2.1c
    #[test]
    fn each_refusal_has_its_status_its_code_and_its_fields() {
        let basic = Some("Basic realm=\"notes\", charset=\"UTF-8\"");
        let store = || IssueError::Store(StoreError::Unavailable("/secret/path".into()));
        for (error, status, code, challenge, retry) in [
            (IssueError::InvalidClient, 401, "invalid_client", basic, None),
            (IssueError::InvalidOwner, 401, "invalid_grant", basic, None),
            (IssueError::InvalidGrant("x"), 400, "invalid_grant", None, None),
            (IssueError::InvalidPush("unsupported_response_type", "x"), 400, "unsupported_response_type", None, None),
            (IssueError::InvalidRequest("x"), 400, "invalid_request", None, None),
            (IssueError::InvalidScope("x"), 400, "invalid_scope", None, None),
            (IssueError::InvalidTarget("x"), 400, "invalid_target", None, None),
            (IssueError::NotAllowedToIntrospect, 403, "unauthorized_client", None, None),
            (IssueError::Overloaded, 503, "temporarily_unavailable", None, Some("1")),
            (store(), 503, "temporarily_unavailable", None, Some("1")),
            (IssueError::Throttled(Duration::from_millis(1500)), 429, "temporarily_unavailable", None, Some("2")),
            (IssueError::AccessDenied, 400, "access_denied", None, None),
            (IssueError::AuthorizationPending, 400, "authorization_pending", None, None),
            (IssueError::ExpiredToken, 400, "expired_token", None, None),
            (IssueError::SlowDown, 400, "slow_down", None, None),
            (IssueError::Crowded(Duration::from_secs(9)), 429, "temporarily_unavailable", None, Some("9")),
            (IssueError::UnauthorizedClient, 400, "unauthorized_client", None, None),
            (IssueError::UnsupportedGrantType, 400, "unsupported_grant_type", None, None),
            (IssueError::UnsupportedTokenType, 400, "unsupported_token_type", None, None),
        ] {
            let expected = (status, code.to_owned(), challenge.map(str::to_owned), retry.map(str::to_owned));
            assert_eq!(shown(&error), expected, "{error:?}");
        }
        let body = refused(&store(), &basic_challenge("notes")).into_body();
        assert!(!String::from_utf8_lossy(&body).contains("/secret"), "what went wrong is for the log");
    }

    /// R6749-3.2a
    #[test]
    fn another_method_is_told_which_ones_there_are() {
        let response = method_not_allowed("POST");
        assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &HeaderValue::from_static("POST")));
    }
}
