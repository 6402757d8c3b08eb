//! The grants: each checks what its section of RFC 6749 demands and hands a [`Granted`] on.

mod authorization_code;
mod client_credentials;
mod device_code;
mod password;
mod refresh;

pub(super) use authorization_code::Redeemed;
pub(super) use device_code::Allowed;

use super::client_auth::AuthenticatedClient;
use super::refusal::IssueError;
use super::{Issuer, Request};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::request::grant_type;
use crate::oauth::scope::Scope;
use crate::oauth::token::{RefreshRecord, TokenDigest};
use crate::people::users::SignIn;
use std::sync::Arc;

/// The proof that a grant was checked: what a token may now be minted for. Only the grants make one.
#[must_use]
#[derive(Debug)]
pub(super) struct Granted {
    client: Arc<Client>,
    /// `None`: the client acts for itself.
    subject: Option<SignIn>,
    scope: Scope,
    /// The resources that the token is good for; empty: every one that does not require to be named.
    audience: Vec<String>,
    via: Via,
}

/// How the grant came about.
#[derive(Debug)]
pub(super) enum Via {
    /// An authorization code, which is used up by now.
    AuthorizationCode(Box<Redeemed>),
    /// The client acts for itself: never a refresh token (R6749-5.1d).
    ClientCredentials,
    /// A device that the resource owner allowed.
    DeviceCode(Box<Allowed>),
    /// The resource owner's password.
    Password,
    /// A refresh token, to be exchanged.
    Refresh {
        /// The token that was shown.
        presented: TokenDigest,
        /// What is known of it.
        record: RefreshRecord,
    },
}

impl Via {
    /// What the log calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::AuthorizationCode(_) => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode(_) => "device_code",
            Self::Password => "password",
            Self::Refresh { .. } => "refresh_token",
        }
    }
}

impl Granted {
    pub(super) fn into_parts(self) -> (Arc<Client>, Option<SignIn>, Scope, Vec<String>, Via) {
        (self.client, self.subject, self.scope, self.audience, self.via)
    }

    /// How it came about.
    pub(super) const fn via(&self) -> &Via {
        &self.via
    }

    /// For this audience, with what `narrow` leaves of the scope.
    pub(super) fn narrowed(
        self,
        audience: Vec<String>,
        narrow: impl FnOnce(&Scope, &[String]) -> Result<Scope, IssueError>,
    ) -> Result<Self, IssueError> {
        Ok(Self { scope: narrow(&self.scope, &audience)?, audience, ..self })
    }
}

impl Issuer {
    /// Checks a token request up to the point where tokens can be minted.
    pub(super) async fn grant(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        match grant_type(&request.params)? {
            GrantType::AuthorizationCode => self.grant_authorization_code(request).await,
            GrantType::ClientCredentials => self.grant_client_credentials(request).await,
            GrantType::DeviceCode => self.grant_device_code(request).await,
            GrantType::Password => self.grant_password(request).await,
            GrantType::RefreshToken => self.grant_refresh(request).await,
        }
    }

    /// Whether a client of the configuration is registered for `grant`.
    pub(super) fn is_registered(&self, grant: GrantType) -> bool {
        self.clients.iter().any(|client| client.may_use(grant))
    }
}

/// R6749-5.2g
pub(super) fn permitted(client: &AuthenticatedClient, grant: GrantType) -> Result<(), IssueError> {
    if client.client().may_use(grant) { Ok(()) } else { Err(IssueError::UnauthorizedClient) }
}
