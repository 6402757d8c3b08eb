//! Answers, and why there is none.

use crate::issue::{InviteError, IssueError, OrderError};
use crate::people::directory::ChangeError;
use crate::secret::RandomError;
use crate::store::StoreError;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// Why a request of an operator is not carried out. The texts are for the operator.
#[derive(Debug)]
pub(super) enum Refusal {
    /// 400.
    Invalid(String),
    /// 401, no bearer token.
    NoToken,
    /// 401.
    InvalidToken,
    /// 403: the token has not the scope.
    Scope,
    /// 403: a web page asks.
    Page,
    /// 404.
    NotFound(String),
    /// 405.
    Method(&'static str),
    /// 409.
    Conflict(String),
    /// 415.
    MediaType,
    /// 503.
    Store(StoreError),
    /// 503 for whoever has not shown to be an operator: where the store is, is none of their business.
    Undecided,
    /// 503.
    Random(RandomError),
    /// 503.
    Busy(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RandomError> for Refusal {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<OrderError> for Refusal {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Issue(IssueError::Store(error)) => Self::Store(error),
            OrderError::Issue(IssueError::Random(error)) => Self::Random(error),
            OrderError::Issue(_) => Self::Invalid(error.to_string()),
            OrderError::UnknownClient | OrderError::UnknownSubject => Self::NotFound(error.to_string()),
        }
    }
}

impl From<InviteError> for Refusal {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Random(error) => Self::Random(error),
            InviteError::Store(error) => Self::Store(error),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Busy | ChangeError::Hash(_) => Self::Busy(error.to_string()),
            ChangeError::Configured | ChangeError::Elsewhere | ChangeError::NoPassword | ChangeError::Taken => {
                Self::Conflict(error.to_string())
            }
            ChangeError::Name(_) => Self::Invalid(error.to_string()),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unknown => Self::NotFound(error.to_string()),
        }
    }
}

#[derive(Serialize)]
struct Problem<'p> {
    error: &'static str,
    error_description: &'p str,
}

impl Refusal {
    pub(super) fn response(self) -> Response<Bytes> {
        let (status, error, description) = match &self {
            Self::Invalid(why) => (StatusCode::BAD_REQUEST, "invalid_request", why.clone()),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "unauthorized", "a bearer token is needed".to_owned()),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", "the token is not valid".to_owned()),
            Self::Scope => {
                (StatusCode::FORBIDDEN, "insufficient_scope", "the scope tollgate:admin is needed".to_owned())
            }
            Self::Page => (StatusCode::FORBIDDEN, "forbidden", "requests of web pages are not answered".to_owned()),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "not_found", what.clone()),
            Self::Method(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method".to_owned())
            }
            Self::Conflict(why) => (StatusCode::CONFLICT, "conflict", why.clone()),
            Self::MediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json".to_owned())
            }
            Self::Store(error) => (StatusCode::SERVICE_UNAVAILABLE, "store", error.to_string()),
            Self::Undecided => (StatusCode::SERVICE_UNAVAILABLE, "store", "the token cannot be checked".to_owned()),
            Self::Busy(why) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", why.clone()),
            Self::Random(error) => (StatusCode::SERVICE_UNAVAILABLE, "random", error.to_string()),
        };
        let mut response = json(status, &Problem { error, error_description: &description });
        if let Some((name, value)) = self.field() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn field(&self) -> Option<(header::HeaderName, &'static str)> {
        match self {
            Self::NoToken => Some((header::WWW_AUTHENTICATE, r#"Bearer realm="admin", scope="tollgate:admin""#)),
            Self::InvalidToken => Some((header::WWW_AUTHENTICATE, r#"Bearer realm="admin", error="invalid_token""#)),
            Self::Scope => Some((
                header::WWW_AUTHENTICATE,
                r#"Bearer realm="admin", error="insufficient_scope", scope="tollgate:admin""#,
            )),
            Self::Method(allow) => Some((header::ALLOW, *allow)),
            Self::Busy(_) | Self::Store(_) | Self::Undecided | Self::Random(_) => Some((header::RETRY_AFTER, "1")),
            Self::Invalid(_) | Self::Page | Self::NotFound(_) | Self::Conflict(_) | Self::MediaType => None,
        }
    }
}

/// A JSON answer that nobody keeps.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    let mut response = match serde_json::to_vec(value) {
        Ok(body) => Response::new(Bytes::from(body)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
