//! The client credentials grant (RFC 6749 section 4.4): a client acts for itself.

use super::{Granted, Via, permitted};
use crate::issue::refusal::IssueError;
use crate::issue::{Issuer, Request, scope_decision};
use crate::oauth::client::GrantType;
use std::sync::Arc;

impl Issuer {
    /// The client must be confidential (R6749-4.4a). There is no subject, so that no client can be
    /// taken for a user of the same name (R6749-4.4b).
    pub(super) async fn grant_client_credentials(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        let authenticated = self.authenticate(request).await?;
        permitted(&authenticated, GrantType::ClientCredentials)?;
        let client = authenticated.client();
        if !client.is_confidential() {
            return Err(IssueError::UnauthorizedClient);
        }
        let scope = scope_decision::grant(&self.scopes, request.params.get("scope"), client, None)?;
        Ok(Granted {
            client: Arc::clone(client),
            subject: None,
            scope,
            audience: Vec::new(),
            via: Via::ClientCredentials,
        })
    }
}
