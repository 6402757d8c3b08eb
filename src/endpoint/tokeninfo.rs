//! `/tokeninfo`: what the bearer's own token is. The endpoint is a protected resource like any other
//! (RFC 6750), open to every valid token.

use super::{Endpoints, response};
use crate::clock::Timestamp;
use crate::enforce::bearer::{Credential, Methods, authorization, from_query};
use crate::enforce::guard::{CheckError, Identity};
use crate::oauth::error::BearerErrorCode;
use crate::oauth::scope::{Scope, ScopeTable, ScopeToken};
use crate::oauth::token::TokenDigest;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const NO_TOKEN: &str = "a bearer token is required";
const TWO_TOKENS: &str = "the request has more than one token";
const MALFORMED: &str = "the Authorization field holds no bearer token";
const INVALID: &str = "the token is not valid";

impl Endpoints {
    pub(super) async fn token_info(&self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let refuse =
            |code: BearerErrorCode, text| response::challenged(code.status(), Some(code), text, &self.challenge);
        let token = match token_of(request, self.settings.bearer) {
            Ok(Some(token)) => token,
            Ok(None) => return response::challenged(StatusCode::UNAUTHORIZED, None, NO_TOKEN, &self.challenge),
            Err(text) => return refuse(BearerErrorCode::InvalidRequest, text),
        };
        let digest = TokenDigest::of(&token);
        let checked = match self.guard.cached(&digest, now) {
            Some(answer) => answer.map_err(CheckError::Invalid),
            None => self.guard.check(&token, &digest, now).await,
        };
        match checked {
            Ok(identity) => {
                let mut body = members(&identity, self.issuer.scopes(), now);
                body["aud"] = self.issuer.settings().resources.audience_of(identity.audience()).into();
                response::private(StatusCode::OK, &body)
            }
            Err(CheckError::Invalid(_)) => refuse(BearerErrorCode::InvalidToken, INVALID),
            Err(CheckError::Store(_)) => response::unavailable(),
        }
    }
}

/// The token of a request, from the header or, where it is switched on, the query. There is no form
/// in a GET.
///
/// # Errors
/// When it is malformed, or there are two (R6750-2, R6750-2.1c).
fn token_of(request: &Request<Bytes>, methods: Methods) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    let mut fields = request.headers().get_all(AUTHORIZATION).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(TWO_TOKENS);
    }
    let mut tokens = from_query(request.uri().query().unwrap_or_default().as_bytes(), methods.query).tokens;
    match field.map(|value| authorization(value.as_bytes())) {
        Some(Credential::Bearer(token)) if methods.header => tokens.push(Zeroizing::new(token.to_vec())),
        Some(Credential::Malformed) if methods.header => return Err(MALFORMED),
        Some(Credential::Bearer(_) | Credential::Malformed | Credential::Other) | None => {}
    }
    if tokens.len() > 1 { Err(TWO_TOKENS) } else { Ok(tokens.pop()) }
}

/// A token without a resource owner has no `sub`. Of its scopes those are told that still exist.
fn members(identity: &Identity, scopes: &ScopeTable, now: Timestamp) -> Value {
    let granted = identity.scope().parse::<Scope>().unwrap_or_default();
    let scope: Vec<&str> = granted.iter().filter(|token| scopes.exists(token)).map(ScopeToken::as_str).collect();
    let mut body = json!({
        "scope": scope,
        "client_id": identity.client_id(),
        "expires_in": identity.expires_at.since(now).as_secs(),
        "token_type": "Bearer",
    });
    if let Some(subject) = identity.subject() {
        body["sub"] = subject.into();
    }
    body
}
