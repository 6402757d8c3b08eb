//! The device authorization grant (RFC 8628) up to the token: what a device begins, and what is
//! remembered of it. Each device authorization is one document, under the digest of its device code;
//! everything that happens to it is one compare-and-swap on that document.

mod decision;

pub use decision::{DeviceError, DeviceRequest};

use super::grant::permitted;
use super::refusal::IssueError;
use super::{FailedLogins, Issuer, Request, audit, scope_decision};
use crate::clock::Timestamp;
use crate::oauth::client::{Client, GrantType, RegistrationId};
use crate::oauth::token::{Token, TokenDigest, TokenKind, millis};
use crate::oauth::user_code::UserCode;
use crate::people::users::Subject;
use crate::secret::{Secret, hex};
use crate::store::{Kind, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[oauth] device_code_ttl` and `device_interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
    /// How long a device code lives.
    pub code_ttl: Duration,
    /// How long a device waits between two polls.
    pub interval: Duration,
}

/// So many may be begun in the life of one code from one address by clients that prove nothing.
const FROM_ONE_SOURCE: u32 = 200;

/// How often a device authorization is read again when it has changed meanwhile.
const TRIES: usize = 64;

/// How often another user code is tried when the first is in use.
const USER_CODES: usize = 4;

/// An answer to a device (RFC 8628 section 3.2).
#[derive(Debug)]
pub struct DeviceAuthorization {
    device_code: Token,
    user_code: UserCode,
    settings: DeviceSettings,
}

impl DeviceAuthorization {
    /// What the device polls with.
    pub const fn device_code(&self) -> &Secret {
        self.device_code.secret()
    }

    /// What the person types.
    pub const fn user_code(&self) -> UserCode {
        self.user_code
    }

    /// Whole seconds, rounded down.
    pub const fn expires_in(&self) -> u64 {
        self.settings.code_ttl.as_secs()
    }

    /// Whole seconds, rounded up: who waits so long is not too fast.
    pub const fn interval(&self) -> u64 {
        let interval = self.settings.interval;
        interval.as_secs() + (interval.subsec_nanos() > 0) as u64
    }
}

/// What is remembered of a device authorization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) client_id: String,
    pub(super) registration: Option<RegistrationId>,
    /// Without the dash.
    pub(super) user_code: String,
    /// The most that may be granted: as asked, or the client's default.
    pub(super) scope: String,
    /// RFC 8707.
    pub(super) resources: Vec<String>,
    /// The document stays a little longer, so that a device is told what happened.
    #[serde(with = "millis")]
    pub(super) expires_at: Timestamp,
    /// How long to wait between two polls, in milliseconds: grows with each that comes too soon.
    pub(super) interval: u64,
    /// The last poll.
    #[serde(with = "millis")]
    pub(super) polled_at: Timestamp,
    pub(super) state: State,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Nobody has decided.
    Undecided,
    /// The resource owner allows it; no token has been issued.
    Approved {
        /// Who.
        subject: Subject,
        /// When the password of that sign-in was right.
        #[serde(with = "millis")]
        since: Timestamp,
        /// What was chosen.
        scope: String,
        /// The consent that it was noted under: taken back, it ends the approval.
        consent: String,
    },
    /// The resource owner refuses it.
    Denied,
    /// A token has been issued: the code is used up (R8628-3.5c).
    Used,
}

impl Pending {
    /// Whether it was begun by this client. One that is registered anew under the same identifier is
    /// another one.
    pub(super) fn is_of(&self, client: &Client) -> bool {
        self.client_id == client.id && self.registration == client.registration
    }
}

/// What to do with a device authorization.
pub(super) enum Step<T> {
    /// Leave it as it is.
    Leave(T),
    /// Make this of it.
    Change(Box<Pending>, T),
}

impl Issuer {
    /// Begins a device authorization (RFC 8628 section 3.1).
    ///
    /// # Errors
    /// As at the token endpoint (R8628-3.1); and when there are too many already.
    pub async fn device_authorization(&self, request: &Request<'_>) -> Result<DeviceAuthorization, IssueError> {
        let begun = self.begin_device(request).await;
        begun.inspect_err(|error| audit::refused("device_authorization", error, request.address))
    }

    async fn begin_device(&self, request: &Request<'_>) -> Result<DeviceAuthorization, IssueError> {
        let settings = self.settings.device.ok_or(IssueError::UnsupportedGrantType)?;
        let authenticated = self.authenticate(request).await?;
        permitted(&authenticated, GrantType::DeviceCode)?;
        let client = authenticated.client();
        let scope = scope_decision::grant(&self.scopes, request.params.get("scope"), client, None)?;
        let resources = self.named_resources(&request.params)?;
        let scope = self.meaningful_scope(&scope, &resources)?;
        let limit = FailedLogins { max: FROM_ONE_SOURCE, per: settings.code_ttl };
        let begun = self.throttle.devices(request.address, client.is_confidential(), request.now, limit);
        begun.check().map_err(IssueError::Crowded)?;
        begun.failed();
        let device_code = Token::mint(TokenKind::DeviceCode, &*self.store.tag_keys()?)?;
        let id = document_id(&device_code.digest());
        let expires_at = request.now.plus(settings.code_ttl);
        let user_code = self.reserve_user_code(&id, expires_at, request.now).await?;
        let pending = Pending {
            client_id: client.id.clone(),
            registration: client.registration,
            user_code: user_code.bare(),
            scope: scope.to_string(),
            resources,
            expires_at,
            interval: u64::try_from(settings.interval.as_millis()).unwrap_or(u64::MAX),
            polled_at: Timestamp::default(),
            state: State::Undecided,
        };
        let kept_until = expires_at.plus(settings.code_ttl);
        if !self.store.put(Kind::DeviceCode, &id, (&pending, Some(kept_until)), None, request.now).await? {
            return Err(StoreError::Corrupt("a device code that is new".to_owned()).into());
        }
        audit::device_begun(&device_code.digest(), &pending);
        Ok(DeviceAuthorization { device_code, user_code, settings })
    }

    /// A user code that nobody else has, for the device authorization `id`.
    async fn reserve_user_code(&self, id: &str, until: Timestamp, now: Timestamp) -> Result<UserCode, IssueError> {
        for _ in 0..USER_CODES {
            let code = UserCode::generate()?;
            if self.store.put(Kind::UserCode, &code.bare(), (&id, Some(until)), None, now).await? {
                return Ok(code);
            }
        }
        Err(StoreError::Unavailable("every user code that was tried is in use".to_owned()).into())
    }

    /// Takes a step on a device authorization, in one piece: `step` sees it as it is, and is asked
    /// again when it has changed before the step was stored. `None`: there is none.
    pub(super) async fn device_step<T>(
        &self,
        id: &str,
        now: Timestamp,
        step: impl Fn(Pending) -> Step<T>,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..TRIES {
            let found = self.store.document::<Pending>(Kind::DeviceCode, id, now).await?;
            let Some(document) = found else { return Ok(None) };
            let (next, outcome) = match step(document.value) {
                Step::Leave(outcome) => return Ok(Some(outcome)),
                Step::Change(next, outcome) => (next, outcome),
            };
            let write = (&*next, document.expires);
            if self.store.put(Kind::DeviceCode, id, write, Some(document.version), now).await? {
                return Ok(Some(outcome));
            }
        }
        Err(StoreError::Unavailable("a device authorization changes too often".to_owned()))
    }
}

/// What the store knows a device code by (R8628-5.2).
pub(super) fn document_id(digest: &TokenDigest) -> String {
    hex(digest.as_bytes())
}
