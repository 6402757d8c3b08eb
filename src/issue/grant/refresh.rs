//! The refresh token grant (RFC 6749 section 6). Here the token is checked; it is exchanged in one
//! atomic step with the minting of its successor.

use super::{Granted, Via, permitted};
use crate::clock::Timestamp;
use crate::issue::refusal::{BAD_REFRESH_TOKEN, IssueError};
use crate::issue::{Issuer, Request, scope_decision};
use crate::oauth::client::GrantType;
use crate::oauth::scope::Scope;
use crate::oauth::token::{RefreshRecord, TokenDigest, TokenKind};
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
        let ceiling = self.ceiling(&record, request.now).await?.ok_or_else(bad)?;
        let requested = request.params.get("scope");
        let scope = scope_decision::refresh(&self.scopes, requested, &record.scope, client, ceiling.as_ref())?;
        // The successor is for whom, and for what, the record names.
        let (client, via) = (Arc::clone(client), Via::Refresh { presented, record });
        Ok(Granted { client, subject: None, scope, audience: Vec::new(), via })
    }

    /// What the resource owner can grant at most (`Some(None)`: everything); `None` when there is no
    /// such user any more.
    async fn ceiling(&self, record: &RefreshRecord, now: Timestamp) -> Result<Option<Option<Scope>>, IssueError> {
        let Some(name) = record.subject.clone() else { return Ok(Some(None)) };
        let subject = Subject { name, origin: record.subject_origin };
        Ok(self.directory.find(&subject, now).await?.map(|user| user.scopes.clone()))
    }
}
