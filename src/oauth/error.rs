//! The two error vocabularies, kept apart: the token endpoint's and the bearer challenge's.

/// An error code of the token, introspection and revocation endpoints (RFC 6749 section 5.2,
/// RFC 7009 section 2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenErrorCode {
    /// The resource owner refused (RFC 8628 section 3.5).
    AccessDenied,
    /// The resource owner has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending,
    /// The device code has expired (RFC 8628 section 3.5).
    ExpiredToken,
    /// Client authentication failed.
    InvalidClient,
    /// The grant, code or refresh token is not good.
    InvalidGrant,
    /// The request is malformed.
    InvalidRequest,
    /// The scope is malformed, unknown or beyond what may be granted.
    InvalidScope,
    /// A resource that is none, or not one of ours (RFC 8707 section 2).
    InvalidTarget,
    /// The client asks again too soon (RFC 8628 section 3.5).
    SlowDown,
    /// Overload, a limit, or a store that does not answer.
    TemporarilyUnavailable,
    /// The client is not registered for this.
    UnauthorizedClient,
    /// No such grant here.
    UnsupportedGrantType,
    /// RFC 7009 section 2.2.1.
    UnsupportedTokenType,
}

impl TokenErrorCode {
    /// The value of the `error` member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
        }
    }
}

/// An error code of the bearer challenge (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerErrorCode {
    /// A scope is missing: 403.
    InsufficientScope,
    /// The request is malformed or uses more than one method: 400.
    InvalidRequest,
    /// Unknown, expired or revoked: 401.
    InvalidToken,
}

impl BearerErrorCode {
    /// The value of the `error` parameter and member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
        }
    }

    /// The status of the response.
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::InsufficientScope => http::StatusCode::FORBIDDEN,
            Self::InvalidRequest => http::StatusCode::BAD_REQUEST,
            Self::InvalidToken => http::StatusCode::UNAUTHORIZED,
        }
    }
}
