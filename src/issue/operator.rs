//! Tokens that an operator orders: without a grant, for any client and any resource owner there is.

use super::mint::Minting;
use super::refusal::IssueError;
use super::{IssuedToken, Issuer, scope_decision};
use crate::clock::Timestamp;
use std::time::Duration;

/// What an operator orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'o> {
    /// The client that the token is for.
    pub client_id: &'o str,
    /// The resource owner in whose name it acts; `None`: the client itself.
    pub subject: Option<&'o str>,
    /// Space-separated; every scope that exists may be ordered. `None`: what the client gets when
    /// it asks for nothing.
    pub scope: Option<&'o str>,
    /// The resources that it is for; none: every one that demands no audience.
    pub resources: &'o [String],
    /// How long it lives; `None`: as long as others.
    pub lifetime: Option<Duration>,
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The scope does not exist, or the store does not answer.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No such client.
    #[error("no such client")]
    UnknownClient,
    /// No such user.
    #[error("no such user")]
    UnknownSubject,
}

impl Issuer {
    /// Issues an access token to an operator's order.
    ///
    /// # Errors
    /// When the client, the user or the scope does not exist, or the token is not stored.
    pub async fn issue_for(&self, order: Order<'_>, now: Timestamp) -> Result<IssuedToken, OrderError> {
        let client = self.client(order.client_id).await.map_err(IssueError::from)?;
        let client = client.ok_or(OrderError::UnknownClient)?;
        let owner = match order.subject {
            Some(name) => {
                let owner = self.directory.named(name, now).await.map_err(IssueError::from)?;
                Some(owner.ok_or(OrderError::UnknownSubject)?)
            }
            None => None,
        };
        let scope = if let Some(text) = order.scope {
            scope_decision::existing(&self.scopes, text)?
        } else {
            let ceiling = owner.as_ref().and_then(|(user, _)| user.scopes.as_ref());
            scope_decision::grant(&self.scopes, None, &client, ceiling)?
        };
        let audience = self.known_resources(order.resources.iter().map(String::as_str))?;
        let minting = Minting {
            client: &client,
            subject: owner.map(|(_, sign_in)| sign_in),
            scope: scope.to_string(),
            audience,
            kept: None,
            grant: None,
            lifetime: order.lifetime.unwrap_or(self.settings.access_token_ttl),
        };
        match self.issue_access(minting, now, "operator").await {
            Err(IssueError::InvalidClient) => Err(OrderError::UnknownClient),
            Err(IssueError::InvalidGrant(_)) => Err(OrderError::UnknownSubject),
            issued => Ok(issued?),
        }
    }
}
