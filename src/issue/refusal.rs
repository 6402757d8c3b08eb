//! Why there is no token, no answer or no revocation. What the client is told of it is decided in
//! one place, `endpoint/response.rs`.

use super::authorization::Fault;
use crate::oauth::params::ParamsError;
use crate::oauth::request::GrantTypeError;
use crate::people::password::Overloaded;
use crate::people::users::LoginError;
use crate::secret::RandomError;
use crate::store::StoreError;
use std::time::Duration;

/// Why a request to the token, introspection or revocation endpoint is refused. The texts are for
/// the client; they hold nothing of the request.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// 400 `access_denied` (RFC 8628 section 3.5).
    #[error("the resource owner refused")]
    AccessDenied,
    /// 400 `authorization_pending` (RFC 8628 section 3.5).
    #[error("the resource owner has not decided yet")]
    AuthorizationPending,
    /// 429: so many are pending that no more is begun; may try again after this time.
    #[error("too many requests are pending, try again later")]
    Crowded(Duration),
    /// 400 `expired_token` (RFC 8628 section 3.5).
    #[error("the device code has expired")]
    ExpiredToken,
    /// 401 `invalid_client`: unknown, a wrong secret, none, or none allowed; all alike (R6749-5.2c).
    #[error("client authentication failed")]
    InvalidClient,
    /// 400 `invalid_grant`.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// 401 `invalid_grant`: the resource owner's HTTP Basic is wrong (R6749-4.3d).
    #[error("the name or the password is wrong")]
    InvalidOwner,
    /// 400 with an error code of the authorization endpoint (R9126-2.3).
    #[error("{1}")]
    InvalidPush(&'static str, &'static str),
    /// 400 `invalid_request`.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// 400 `invalid_scope`.
    #[error("{0}")]
    InvalidScope(&'static str),
    /// 400 `invalid_target` (RFC 8707 section 2).
    #[error("{0}")]
    InvalidTarget(&'static str),
    /// 503; what happened has been logged.
    #[error("the login service does not answer, try again")]
    LoginService,
    /// 403 `unauthorized_client`: may not introspect this token (R7662-2.1c).
    #[error("the client may not introspect tokens of others")]
    NotAllowedToIntrospect,
    /// 503.
    #[error("too many secrets are being checked, try again")]
    Overloaded,
    /// 503; what happened is for the log.
    #[error("the operating system has no randomness to give")]
    Random(#[source] RandomError),
    /// 400 `slow_down` (RFC 8628 section 3.5).
    #[error("asked again too soon: wait five seconds longer from now on")]
    SlowDown,
    /// 503; what happened is for the log.
    #[error("the store does not answer, try again")]
    Store(#[source] StoreError),
    /// 429: may try again after this time.
    #[error("too many failed attempts, try again later")]
    Throttled(Duration),
    /// 413: more than is kept of one request.
    #[error("the request is too long")]
    TooLong,
    /// 400 `unauthorized_client`.
    #[error("the client may not use this grant type")]
    UnauthorizedClient,
    /// 400 `unsupported_grant_type`.
    #[error("this grant type is not served here")]
    UnsupportedGrantType,
    /// 400 `unsupported_token_type` (R7009-2.2.1).
    #[error("a token of this type cannot be revoked")]
    UnsupportedTokenType,
}

/// Said of every name and password that is not right, whatever the cause (R6749-4.3b).
pub(super) const WRONG_PASSWORD: &str = "the name or the password is wrong";

/// Said of a resource owner who was removed or disabled since the sign-in.
pub(super) const GONE: &str = "the resource owner is no longer admitted";

/// Said of every authorization code that is not good, whatever the cause.
pub(super) const BAD_CODE: &str = "the authorization code is not valid";

/// Said of every refresh token that is not good, whatever the cause (R6749-6d).
pub(super) const BAD_REFRESH_TOKEN: &str = "the refresh token is not valid";

impl From<Fault> for IssueError {
    fn from(fault: Fault) -> Self {
        Self::InvalidPush(fault.error, fault.description)
    }
}

impl From<StoreError> for IssueError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::TooLong(_)) { Self::TooLong } else { Self::Store(error) }
    }
}

impl From<RandomError> for IssueError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<Overloaded> for IssueError {
    fn from(_: Overloaded) -> Self {
        Self::Overloaded
    }
}

impl From<LoginError> for IssueError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Overloaded => Self::Overloaded,
            LoginError::Refused => Self::InvalidGrant(WRONG_PASSWORD),
            LoginError::Service => Self::LoginService,
            LoginError::Store(error) => Self::Store(error),
        }
    }
}

impl From<GrantTypeError> for IssueError {
    fn from(error: GrantTypeError) -> Self {
        match error {
            GrantTypeError::Missing => Self::InvalidRequest("grant_type is missing"),
            GrantTypeError::Unsupported => Self::UnsupportedGrantType,
        }
    }
}

impl From<ParamsError> for IssueError {
    fn from(error: ParamsError) -> Self {
        Self::InvalidRequest(match error {
            ParamsError::Malformed => "the form is not valid application/x-www-form-urlencoded UTF-8",
            ParamsError::Repeated => "a parameter is repeated",
        })
    }
}
