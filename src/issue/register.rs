//! Dynamic registration (RFC 7591) and its management (RFC 7592): clients that nobody has looked at.
//! They get only what the policy allows, are marked as unverified, and are forgotten unless they are
//! used.

mod invitation;
mod manage;

pub use invitation::InviteError;

use super::{FailedLogins, IssueError, Issuer, audit};
use crate::clock::Timestamp;
use crate::oauth::client::{Client, GrantType, RegistrationId};
use crate::oauth::registration::{AuthMethod, ClientMetadata, MetadataError, Policy, Registrable};
use crate::oauth::scope::Scope;
use crate::oauth::token::{Token, TokenKind};
use crate::secret::{Digest, RandomError, Secret, hex, random};
use crate::store::{ClientRecord, SelfRegistered, StoreError};
use std::net::IpAddr;
use std::time::Duration;

/// What a client can register for by itself.
pub(super) const GRANTS: [GrantType; 3] =
    [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];

/// How often registrations that came to their end are looked for, where somebody registers.
const SWEEP: Duration = Duration::from_secs(60);

/// `[oauth] registration` and what belongs to it.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who may register a client.
    pub admission: Admission,
    /// What such a client can get at most.
    pub scopes: Scope,
    /// How long a registration is kept that nobody uses.
    pub ttl: Duration,
    /// How many may be made from one address, and in which time.
    pub rate: FailedLogins,
    /// How many clients the store holds at most.
    pub most: u64,
}

/// Who may register a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nobody.
    Closed,
    /// Whoever has an initial access token.
    Token,
    /// Everybody.
    Open,
}

/// A request to the registration endpoint.
#[derive(Debug)]
pub struct Registering<'r> {
    /// The bearer token that came with it.
    pub token: Option<&'r [u8]>,
    /// Where it comes from; `None`: a unix socket.
    pub address: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
}

/// A client that registered itself, and what is told of it to it alone.
#[derive(Debug)]
pub struct RegisteredClient {
    /// What is stored.
    pub record: ClientRecord,
    /// Its secret, where it is known: new, or just shown by the client.
    pub secret: Option<Secret>,
    /// Its registration access token.
    pub token: Secret,
}

/// Why a client is not registered, shown, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// 403: an operator has disabled the client.
    #[error("this client is disabled")]
    Disabled,
    /// 429: there is no room for another one.
    #[error("too many clients are registered, try again later")]
    Full,
    /// 401 `invalid_token`.
    #[error("the token is not valid")]
    InvalidToken,
    /// 400.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// 401.
    #[error("a bearer token is required")]
    NoToken,
    /// 503; what happened is for the log.
    #[error("the operating system has no randomness to give")]
    Random(#[from] RandomError),
    /// 503; what happened is for the log.
    #[error("the store does not answer, try again")]
    Store(#[from] StoreError),
    /// 429: may try again after this time.
    #[error("too many registrations, try again later")]
    Throttled(Duration),
}

impl Issuer {
    /// Registers a client (RFC 7591 section 3).
    ///
    /// # Errors
    /// When it may not register, or what it says of itself cannot be registered.
    pub async fn register(
        &self,
        request: &Registering<'_>,
        metadata: ClientMetadata,
    ) -> Result<RegisteredClient, RegistrationError> {
        let registered = self.try_to_register(request, metadata).await;
        match &registered {
            Ok(client) => audit::registration("client registered", &client.record.id, request.address),
            Err(error) => audit::registration_refused("register", error, request.address),
        }
        registered
    }

    async fn try_to_register(
        &self,
        request: &Registering<'_>,
        metadata: ClientMetadata,
    ) -> Result<RegisteredClient, RegistrationError> {
        let invitation = self.admit(request).await?;
        let registrable = metadata.check(&self.policy())?;
        let rate = self.throttle.registrations(request.address, request.now, self.settings.registration.rate);
        if invitation.is_none() {
            rate.check().map_err(RegistrationError::Throttled)?;
            rate.failed();
        }
        self.make_room(request.now).await?;
        if let Some(invitation) = invitation {
            self.use_up(&invitation, request.now).await?;
        }
        let client = self.new_client(registrable, request.now)?;
        if self.store.add_client(client.record.clone()).await? {
            Ok(client)
        } else {
            Err(StoreError::Unavailable("a random identifier is taken".to_owned()).into())
        }
    }

    fn policy(&self) -> Policy<'_> {
        // The device grant is the last: it is there where it is served.
        let grants = if self.settings.device.is_some() { &GRANTS[..] } else { &GRANTS[..2] };
        Policy { grants, scopes: &self.settings.registration.scopes, table: &self.scopes }
    }

    /// Forgets registrations that came to their end, now and then, and sees whether there is room.
    async fn make_room(&self, now: Timestamp) -> Result<(), RegistrationError> {
        if self.throttle.sweep_is_due(now, SWEEP) {
            for client in self.store.clients().await? {
                let end = client.self_registered.and_then(|registered| registered.unused_until);
                if end.is_some_and(|end| end <= now.as_millis()) {
                    self.store.remove_client(&client.id).await?;
                }
            }
        }
        let room = self.store.client_count().await? < self.settings.registration.most;
        if room { Ok(()) } else { Err(RegistrationError::Full) }
    }

    fn new_client(&self, registrable: Registrable, now: Timestamp) -> Result<RegisteredClient, RegistrationError> {
        let keys = self.store.tag_keys()?;
        let token = Token::mint(TokenKind::Registration, &keys)?;
        let mut record = ClientRecord {
            id: format!("dyn-{}", hex(&random::<16>()?)),
            name: None,
            secrets: Vec::new(),
            grants: Vec::new(),
            redirect_uris: Vec::new(),
            scopes: String::new(),
            default_scopes: None,
            introspect: false,
            registration: RegistrationId::generate()?,
            created_at: now.as_millis(),
            disabled: false,
            old_secrets_until: None,
            par_required: false,
            self_registered: Some(SelfRegistered {
                token: Digest::of(token.secret().reveal().as_bytes()).to_hex(),
                unused_until: Some(now.plus(self.settings.registration.ttl).as_millis()),
                ..SelfRegistered::default()
            }),
            version: 0,
        };
        let secret = self.secret_for(registrable.auth_method)?;
        record.secrets = secret.iter().map(super::secret_hash).collect();
        describe(&mut record, registrable);
        let secret = secret.map(|secret| secret.secret().clone());
        Ok(RegisteredClient { record, secret, token: token.secret().clone() })
    }

    /// A new secret, where the method of authentication needs one.
    fn secret_for(&self, method: AuthMethod) -> Result<Option<Token>, RegistrationError> {
        if method == AuthMethod::None {
            return Ok(None);
        }
        Ok(Some(Token::mint(TokenKind::ClientSecret, &*self.store.tag_keys()?)?))
    }

    /// From now on the registration of `client` is one that is used: it does not end by itself.
    pub(super) async fn note_use(&self, client: &Client) -> Result<(), IssueError> {
        if client.self_registered.as_ref().is_none_or(|registered| registered.unused_until.is_none()) {
            return Ok(());
        }
        let used = |record: &mut ClientRecord| {
            let same = Some(record.registration) == client.registration;
            let registered = record.self_registered.as_mut().filter(|_| same);
            registered.is_some_and(|registered| registered.unused_until.take().is_some())
        };
        self.store.change_client(&client.id, used).await?;
        Ok(())
    }
}

/// Writes what a client says of itself into its record, in the place of what it said before.
fn describe(record: &mut ClientRecord, said: Registrable) {
    record.name = said.name;
    record.grants = said.grants.iter().map(ToString::to_string).collect();
    record.redirect_uris = said.redirect_uris;
    record.scopes = said.scope.to_string();
    if let Some(registered) = &mut record.self_registered {
        said.auth_method.as_str().clone_into(&mut registered.auth_method);
        registered.description = said.description;
    }
}
