//! Revocation (RFC 7009): an access token ends alone, a refresh token ends its grant.

use super::refusal::IssueError;
use super::{Issuer, Request, audit};
use crate::oauth::client::Client;
use crate::oauth::token::{Origin, TokenDigest, TokenKind};

const NOT_YOURS: &str = "the token was issued to another client";

impl Issuer {
    /// Carries a revocation request out. A token that is not good (any more) is a success
    /// (R7009-2.2). `token_type_hint` is not needed: tokens say what they are (R7009-2.1c).
    ///
    /// # Errors
    /// When the client is not authenticated, the token is another's, or it is not known to be ended.
    pub async fn revoke(&self, request: &Request<'_>) -> Result<(), IssueError> {
        self.end(request).await.inspect_err(|error| audit::refused("revoke", error, request.address))
    }

    async fn end(&self, request: &Request<'_>) -> Result<(), IssueError> {
        let authenticated = self.authenticate(request).await?;
        let client = authenticated.client();
        let token = request.params.get("token").ok_or(IssueError::InvalidRequest("token is missing"))?;
        let keys = self.store.tag_keys()?;
        let kind = TokenKind::of(token.as_bytes()).filter(|kind| keys.recognise(*kind, token.as_bytes()));
        let digest = TokenDigest::of(token.as_bytes());
        let ended = match kind {
            None => return Ok(()),
            Some(TokenKind::Access) => {
                // One that is gone is revoked all the same: this node may still have it cached (R7009-2.1f).
                if let Some(record) = self.store.access_token(&digest, request.now).await? {
                    owned(client, &record.client_id, record.client_origin)?;
                }
                usize::from(self.store.revoke_access(&digest).await?)
            }
            Some(TokenKind::Refresh) => {
                let Some(record) = self.store.refresh_token(&digest, request.now).await? else { return Ok(()) };
                owned(client, &record.client_id, record.client_origin)?;
                self.store.revoke_grant(record.grant).await?
            }
            Some(
                TokenKind::ClientSecret
                | TokenKind::Code
                | TokenKind::DeviceCode
                | TokenKind::InitialAccess
                | TokenKind::Registration,
            ) => {
                return Err(IssueError::UnsupportedTokenType);
            }
        };
        audit::revoked(&digest, &client.id, ended);
        Ok(())
    }
}

/// R7009-2.1d
fn owned(client: &Client, id: &str, origin: Origin) -> Result<(), IssueError> {
    if client.is(id, origin) { Ok(()) } else { Err(IssueError::InvalidGrant(NOT_YOURS)) }
}
