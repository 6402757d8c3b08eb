//! The authorization endpoint (RFC 6749 section 3.1, 4.1): what a client asks for, what the resource
//! owner says to it, and where the browser goes with the answer. No HTML and no cookies here.

use super::Issuer;
use crate::clock::Timestamp;
use crate::oauth::client::Client;
use crate::oauth::scope::Scope;
use crate::people::users::{Subject, User};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An authorization request as it arrived, checked. It is sealed into the forms of the pages, and
/// checked again when it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// RFC 6749 section 4.1.1.
    pub client_id: String,
    /// Where the answer goes: as sent, or the only one registered.
    pub redirect_uri: String,
    /// Whether the request named it (D-4).
    pub redirect_uri_sent: bool,
    /// The scope as asked for; `None`: the client's default.
    pub scope: Option<String>,
    /// To be given back.
    pub state: Option<String>,
    /// RFC 7636: S256, 43 characters.
    pub code_challenge: Option<String>,
    /// RFC 8707.
    pub resources: Vec<String>,
    /// OpenID Connect Core section 3.1.2.1: `none`, `login`, `consent`.
    pub prompt: Option<String>,
    /// Whom to sign in.
    pub login_hint: Option<String>,
    /// How long ago the sign-in may be, in seconds.
    pub max_age: Option<u64>,
}

/// Why a request is not put before the resource owner.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The client or its redirect URI is not right: the browser stays here (R6749-3.1.2e). The text
    /// is for the page.
    Local(&'static str),
    /// The client is told, by redirect.
    Redirect(Redirect),
    /// 503: the store does not answer, and it is not known whose request it is.
    Unavailable(super::IssueError),
}

/// A redirect to a client: `Location`, complete, with `state` and `iss` (RFC 9207, UI-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The URL.
    pub location: String,
    /// The `error` it carries, for the log and the metrics; `None`: a code.
    pub error: Option<&'static str>,
}

/// What the consent page asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks.
    pub client: Arc<Client>,
    /// What would be granted: cut to what the user may grant.
    pub scope: Scope,
    /// Whether the resource owner has to be asked (design, section 5, "Consent").
    pub asked: bool,
}

impl Issuer {
    /// Reads an authorization request from its query or form.
    ///
    /// # Errors
    /// When it is not right.
    pub async fn authorization_request(
        &self,
        params: &[u8],
        now: Timestamp,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let _ = (params, now);
        todo!()
    }

    /// What `user` has to be asked.
    ///
    /// # Errors
    /// When the client is gone meanwhile, or nothing may be granted.
    pub async fn question(
        &self,
        request: &AuthorizationRequest,
        user: &User,
        now: Timestamp,
    ) -> Result<Question, AuthorizationError> {
        let _ = (request, user, now);
        todo!()
    }

    /// The resource owner allows `chosen`, a part of the question's scope: a code (R6749-4.1.2a). The
    /// consent is remembered.
    ///
    /// # Errors
    /// When no code can be stored, or `chosen` goes beyond the question.
    pub async fn allow(
        &self,
        request: &AuthorizationRequest,
        (user, auth_time): (&User, Timestamp),
        chosen: &Scope,
        now: Timestamp,
    ) -> Result<Redirect, AuthorizationError> {
        let _ = (request, user, auth_time, chosen, now);
        todo!()
    }

    /// The redirect with an error: `access_denied` when the resource owner refuses, `login_required`,
    /// `consent_required`, `server_error`, `temporarily_unavailable`.
    pub fn refused(&self, request: &AuthorizationRequest, error: &'static str, description: &'static str) -> Redirect {
        let _ = (request, error, description);
        todo!()
    }

    /// The apps that have access to what is `subject`'s, for the account page.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn access_of(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Access>, super::IssueError> {
        let _ = (subject, now);
        todo!()
    }

    /// Takes back what a resource owner allowed a client (`None`: every client): consents, grants and
    /// tokens (UI-10).
    ///
    /// # Errors
    /// When it is not known to be done.
    pub async fn take_back(
        &self,
        subject: &Subject,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), super::IssueError> {
        let _ = (subject, client_id, now);
        todo!()
    }
}

/// An app that has access.
#[derive(Clone, Debug)]
pub struct Access {
    /// RFC 6749 section 2.2.
    pub client_id: String,
    /// The name that people see.
    pub client_name: String,
    /// What it may do.
    pub scope: Scope,
    /// Since when.
    pub since: Timestamp,
    /// Until when at the latest; `None`: it is not known.
    pub until: Option<Timestamp>,
}
