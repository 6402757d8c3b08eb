//! The authorization server: who may have which token, and how it is taken back.
//!
//! A token request goes through narrow steps, each of which hands the next one a proof:
//! `client_auth` makes an `AuthenticatedClient`, a `grant` makes a `Granted` of it, `mint` makes and
//! stores the tokens.

mod audit;
mod authorization;
mod client_auth;
mod device;
mod grant;
mod introspect;
mod metadata;
mod mint;
mod operator;
mod par;
mod refusal;
mod register;
mod resource;
mod revoke;
mod scope_decision;
mod sign_in;
mod throttle;

#[cfg(test)]
pub(crate) mod tests;

pub use authorization::{Access, AccessFilter, AuthorizationError, AuthorizationRequest, Question, Redirect};
pub use device::{DeviceAuthorization, DeviceError, DeviceRequest, DeviceSettings};
pub use introspect::{Active, Introspection};
pub use metadata::scopes_supported;
pub use mint::IssuedToken;
pub use operator::{Order, OrderError};
pub use par::Pushed;
pub use refusal::IssueError;
pub use register::{Admission, InviteError, RegisteredClient, Registering, Registration, RegistrationError};
pub use throttle::Throttle;

use crate::clock::Timestamp;
use crate::oauth::authorization::Authorization;
use crate::oauth::client::{Client, SecretHash};
use crate::oauth::params::Params;
use crate::oauth::resource::Resources;
use crate::oauth::scope::ScopeTable;
use crate::oauth::token::Token;
use crate::people::directory::Directory;
use crate::secret::Digest;
use crate::store::Store;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// `[oauth]`, and what the rest of the file says about issuing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `public_url` as configured: the issuer identifier (R8414-2a).
    pub issuer: String,
    /// `[oauth] path`, `/oauth2`; below the path of the issuer.
    pub path: String,
    /// What there are tokens for.
    pub resources: Arc<Resources>,
    /// How long an access token lives.
    pub access_token_ttl: Duration,
    /// How long a grant lives as a whole.
    pub refresh_token_ttl: Duration,
    /// How long the immediate predecessor of a refresh token may be asked for again.
    pub refresh_reuse_grace: Duration,
    /// How long an authorization code may wait for its redemption (R6749-4.1.2b).
    pub authorization_code_ttl: Duration,
    /// The device authorization grant (RFC 8628); `None`: it is not served.
    pub device: Option<DeviceSettings>,
    /// How many failures of one client or user from one address are taken, and in which time.
    pub failed_logins: FailedLogins,
    /// Who may register a client.
    pub registration: Registration,
    /// RFC 9126 section 5: every authorization request has to be pushed.
    pub par_required: bool,
}

/// `[limits] failed_logins`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedLogins {
    /// This many failures …
    pub max: u32,
    /// … in this time.
    pub per: Duration,
}

/// A request to the token, introspection or revocation endpoint.
#[derive(Debug)]
pub struct Request<'r> {
    /// The form in its body.
    pub params: Params<'r>,
    /// The only `Authorization` field, where there is one.
    pub authorization: Option<Authorization>,
    /// Where it comes from; `None`: a unix socket.
    pub address: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
}

/// The authorization server of one configuration, for one worker.
pub struct Issuer {
    settings: Arc<Settings>,
    clients: Arc<Clients>,
    directory: Directory,
    scopes: Arc<ScopeTable>,
    store: Store,
    throttle: Arc<Throttle>,
}

impl Issuer {
    /// An authorization server over `store`.
    pub fn new(
        settings: Arc<Settings>,
        clients: Arc<Clients>,
        directory: Directory,
        scopes: Arc<ScopeTable>,
        store: Store,
        throttle: Arc<Throttle>,
    ) -> Self {
        Self { settings, clients, directory, scopes, store, throttle }
    }

    /// How tokens are issued.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every scope.
    pub fn scopes(&self) -> &ScopeTable {
        &self.scopes
    }

    /// Answers a token request (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn token(&self, request: &Request<'_>) -> Result<IssuedToken, IssueError> {
        let granted = self.grant(request).await;
        let issued = match granted.and_then(|granted| self.aim(granted, &request.params)) {
            Ok(granted) => self.mint(granted, request.now).await,
            Err(error) => Err(error),
        };
        issued.inspect_err(|error| audit::refused("token", error, request.address))
    }
}

/// What is kept of a generated secret: it has 256 bits, so a fast digest is enough (TOK-2).
pub fn secret_hash(secret: &Token) -> String {
    SecretHash::Digest(Digest::of(secret.secret().reveal().as_bytes())).to_string()
}

/// The clients of the configuration, by identifier.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_id: HashMap<String, Arc<Client>>,
    /// The identifiers of the confidential ones in a fixed order, for the choice of what an unknown
    /// client is checked against.
    confidential: Vec<String>,
}

impl Clients {
    /// A directory of `clients`.
    pub fn new(clients: Vec<Client>) -> Self {
        let mut confidential: Vec<String> =
            clients.iter().filter(|client| client.is_confidential()).map(|client| client.id.clone()).collect();
        confidential.sort_unstable();
        let by_id = clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect();
        Self { by_id, confidential }
    }

    /// The client with this identifier.
    pub fn get(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }

    /// The secrets that those of an unknown client are compared with, in vain: those of some
    /// client, always the same for one identifier, so that time says nothing even where some
    /// secrets cost more than others.
    fn decoy(&self, id: &str) -> &[SecretHash] {
        let client = crate::people::users::pick(&self.confidential, id).and_then(|id| self.by_id.get(id));
        client.map_or(&[], |client| &client.secrets)
    }
}
