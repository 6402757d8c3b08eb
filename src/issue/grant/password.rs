//! The password grant (RFC 6749 section 4.3), for clients that are explicitly given it (D-12). The
//! resource owner's name and password stand in the body, or, for a public client, in HTTP Basic.

use super::{Granted, Via, permitted};
use crate::issue::client_auth::AuthenticatedClient;
use crate::issue::refusal::{IssueError, WRONG_PASSWORD};
use crate::issue::throttle::Guessed;
use crate::issue::{Issuer, Request, scope_decision};
use crate::oauth::authorization::Authorization;
use crate::oauth::client::GrantType;
use crate::people::users::ResourceOwner;
use std::sync::Arc;

const TWO_LOGINS: &str = "the user's name and password are both in the form and in the header";
const INCOMPLETE: &str = "username or password is missing";
const TWO_WAYS: &str = "more than one way of authentication is used";

impl Issuer {
    /// R6749-4.3a to R6749-4.3d
    pub(super) async fn grant_password(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        if let Some(authenticated) = self.named_public_client(request).await? {
            return self.grant_basic_login(request, authenticated).await;
        }
        let authenticated = self.authenticate(request).await?;
        self.password_permitted(&authenticated)?;
        let login = request.params.get("username").zip(request.params.get("password"));
        let (name, password) = login.ok_or(IssueError::InvalidRequest(INCOMPLETE))?;
        let owner = self.sign_in(name, password, request.address, request.now).await?;
        let owner = owner.ok_or(IssueError::InvalidGrant(WRONG_PASSWORD))?;
        self.granted_by(&owner, &authenticated, request)
    }

    /// R6749-4.3d
    async fn grant_basic_login(
        &self,
        request: &Request<'_>,
        authenticated: AuthenticatedClient,
    ) -> Result<Granted, IssueError> {
        if request.params.get("client_secret").is_some() {
            return Err(IssueError::InvalidRequest(TWO_WAYS));
        }
        if request.params.get("username").is_some() || request.params.get("password").is_some() {
            return Err(IssueError::InvalidRequest(TWO_LOGINS));
        }
        self.password_permitted(&authenticated)?;
        let Some(Authorization::Basic(basic)) = &request.authorization else { return Err(IssueError::InvalidOwner) };
        let owner = self.sign_in(basic.name(), basic.password(), request.address, request.now).await?;
        let owner = owner.ok_or(IssueError::InvalidOwner)?;
        self.granted_by(&owner, &authenticated, request)
    }

    /// The public client whose user logs in with the `Authorization` field: named in the body, and
    /// so not the one that the field could authenticate.
    async fn named_public_client(&self, request: &Request<'_>) -> Result<Option<AuthenticatedClient>, IssueError> {
        let (Some(_), Some(id)) = (&request.authorization, request.params.get("client_id")) else { return Ok(None) };
        self.public_client(id, &self.attempts(Guessed::Client(id), request)).await
    }

    /// R6749-5.2e, R6749-5.2g: where nobody is registered for this grant, it does not exist.
    fn password_permitted(&self, authenticated: &AuthenticatedClient) -> Result<(), IssueError> {
        let known = self.is_registered(GrantType::Password);
        let refused = |error| if known { error } else { IssueError::UnsupportedGrantType };
        permitted(authenticated, GrantType::Password).map_err(refused)
    }

    fn granted_by(
        &self,
        owner: &ResourceOwner,
        authenticated: &AuthenticatedClient,
        request: &Request<'_>,
    ) -> Result<Granted, IssueError> {
        let (user, client) = (owner.user(), authenticated.client());
        let requested = request.params.get("scope");
        let scope = scope_decision::grant(&self.scopes, requested, client, user.scopes.as_ref())?;
        let (client, subject) = (Arc::clone(client), Some(owner.sign_in()));
        Ok(Granted { client, subject, scope, audience: Vec::new(), via: Via::Password })
    }
}
