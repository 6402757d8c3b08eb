//! The refresh token grant (RFC 6749 section 6). Here the token is checked; it is exchanged in one
//! atomic step with the minting of its successor.

use super::{Granted, Via, permitted};
use crate::issue::refusal::{BAD_REFRESH_TOKEN, IssueError};
use crate::issue::{Issuer, Request, scope_decision};
use crate::oauth::client::GrantType;
use crate::oauth::scope::Scope;
use crate::oauth::token::{Origin, RefreshRecord, TokenDigest, TokenKind};
use crate::people::users::Subject;
use std::sync::Arc;

impl Issuer {
    /// R6749-6a to R6749-6d
    pub(super) async fn grant_refresh(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        let authenticated = self.authenticate(request).await?;
        permitted(&authenticated, GrantType::RefreshToken)?;
        let token = request.params.get("refresh_token");
        let token = token.ok_or(IssueError::InvalidRequest("refresh_token is missing"))?.as_bytes();
        let client = authenticated.client();
        let bad = || IssueError::InvalidGrant(BAD_REFRESH_TOKEN);
        if !self.store.tag_keys()?.recognise(TokenKind::Refresh, token) {
            return Err(bad());
        }
        let presented = TokenDigest::of(token);
        let record = self.store.refresh_token(&presented, request.now).await?;
        // R6749-6a
        let record = record.filter(|record| client.is(&record.client_id, record.client_origin)).ok_or_else(bad)?;
        let ceiling = self.ceiling(&record).ok_or_else(bad)?;
        let requested = request.params.get("scope");
        let scope = scope_decision::refresh(&self.scopes, requested, &record.scope, client, ceiling.as_ref())?;
        let subject = record.subject.clone().map(|name| Subject { name, origin: record.subject_origin });
        let (client, audience) = (Arc::clone(client), record.audience.clone());
        Ok(Granted { client, subject, scope, audience, via: Via::Refresh { presented, record } })
    }

    /// What the resource owner can grant at most (`Some(None)`: everything); `None` when there is no
    /// such user any more.
    #[expect(clippy::option_option, reason = "gone and unlimited are different things")]
    fn ceiling(&self, record: &RefreshRecord) -> Option<Option<Scope>> {
        match &record.subject {
            Some(name) if record.subject_origin == Origin::Configuration => {
                self.users.get(name).map(|user| user.scopes.clone())
            }
            _ => Some(None),
        }
    }
}
