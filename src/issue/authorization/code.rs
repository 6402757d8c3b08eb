//! Authorization codes as they are stored: everything that a code is bound to (R6749-4.1.2c).

use super::AuthorizationRequest;
use crate::clock::Timestamp;
use crate::issue::Issuer;
use crate::issue::refusal::IssueError;
use crate::oauth::client::{Client, RegistrationId};
use crate::oauth::scope::Scope;
use crate::oauth::token::{GrantId, Origin, Token, TokenDigest, TokenKind};
use crate::people::users::{SignIn, Subject};
use crate::secret::hex;
use crate::store::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::issue) enum State {
    /// It can be redeemed.
    Fresh,
    /// It was redeemed: it is remembered as long as what it gave can live, so that a replay is known as one.
    Used,
    /// It was redeemed and came back: nothing of its grant may live.
    Replayed,
}

/// A code, under its digest.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::issue) struct Code {
    pub(in crate::issue) client_id: String,
    pub(in crate::issue) client_origin: Origin,
    pub(in crate::issue) registration: Option<RegistrationId>,
    pub(in crate::issue) redirect_uri: String,
    /// Whether the authorization request named it (D-4).
    pub(in crate::issue) redirect_uri_sent: bool,
    pub(in crate::issue) subject: Subject,
    /// Space-separated.
    pub(in crate::issue) scope: String,
    pub(in crate::issue) resources: Vec<String>,
    pub(in crate::issue) challenge: Option<String>,
    /// When the resource owner signed in, in milliseconds.
    pub(in crate::issue) auth_time: u64,
    /// The grant of the tokens to be: known before there are any, so that a replay can always end it.
    pub(in crate::issue) grant: GrantId,
    /// The consent it was given under: taken back, it ends the code.
    pub(in crate::issue) consent: String,
    pub(in crate::issue) state: State,
}

/// Without the challenge (R7636-7).
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("client_id", &self.client_id).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Code {
    /// Whose sign-in it was given in.
    pub(in crate::issue) fn sign_in(&self) -> SignIn {
        SignIn { subject: self.subject.clone(), since: Timestamp::from_millis(self.auth_time) }
    }

    /// Whether it was given to this client, and not to one that had its identifier before.
    pub(in crate::issue) fn is_of(&self, client: &Client) -> bool {
        client.is(&self.client_id, self.client_origin) && client.registration == self.registration
    }
}

/// Where the code with this text is.
pub(in crate::issue) fn id(digest: &TokenDigest) -> String {
    hex(digest.as_bytes())
}

impl Issuer {
    /// Makes the code of an authorization. The text is for the redirect alone.
    pub(super) async fn new_code(
        &self,
        request: &AuthorizationRequest,
        (client, subject, consent): (&Client, &Subject, String),
        (scope, auth_time): (&Scope, Timestamp),
        now: Timestamp,
    ) -> Result<Token, IssueError> {
        let token = Token::mint(TokenKind::Code, &*self.store.tag_keys()?)?;
        let code = Code {
            client_id: client.id.clone(),
            client_origin: client.origin(),
            registration: client.registration,
            redirect_uri: request.redirect_uri.clone(),
            redirect_uri_sent: request.redirect_uri_sent,
            subject: subject.clone(),
            scope: scope.to_string(),
            resources: request.resources.clone(),
            challenge: request.code_challenge.clone(),
            auth_time: auth_time.as_millis(),
            grant: GrantId::generate()?,
            consent,
            state: State::Fresh,
        };
        let expires = Some(now.plus(self.settings.authorization_code_ttl));
        // Nothing can be there: nobody draws the same text twice.
        if self.store.put(Kind::AuthorizationCode, &id(&token.digest()), (&code, expires), None, now).await? {
            Ok(token)
        } else {
            Err(IssueError::Overloaded)
        }
    }
}
