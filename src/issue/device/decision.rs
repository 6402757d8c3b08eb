//! What the resource owner says to a device (RFC 8628 section 3.3): the code is looked up, the
//! question is put, and the answer is noted for the device's next poll. No HTML here.

use super::{Pending, State, Step};
use crate::clock::Timestamp;
use crate::issue::refusal::IssueError;
use crate::issue::{FailedLogins, Issuer, audit, scope_decision};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::scope::Scope;
use crate::oauth::user_code::UserCode;
use crate::people::users::User;
use crate::store::{Kind, StoreError};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// After so many wrong codes every code is void for the person, right ones too, as long as a code
/// lives (R8628-5.1).
const WRONG_CODES: u32 = 5;

/// A device that waits for an answer.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    /// What the decision is made on: survives a sealed form, and says nothing of the device code.
    pub id: String,
    /// What the device shows.
    pub user_code: UserCode,
    /// Who asks.
    pub client: Arc<Client>,
    /// What it asks for.
    pub scope: Scope,
    /// Until when it can be answered.
    pub expires: Timestamp,
}

/// Why a device is not answered.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such code, it has expired, or it has been answered.
    #[error("no device waits with this code")]
    Unknown,
    /// The resource owner has nothing that the device asks for.
    #[error("nothing of what the device asks for may be granted")]
    NothingToGrant,
    /// Too many wrong codes: this long, none is taken.
    #[error("too many wrong codes, try again later")]
    Throttled(Duration),
    /// It is not known.
    #[error("it is not known, try again")]
    Unavailable(#[source] IssueError),
}

impl From<StoreError> for DeviceError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<IssueError> for DeviceError {
    fn from(error: IssueError) -> Self {
        Self::Unavailable(error)
    }
}

impl Issuer {
    /// The device that shows `typed`, for `user`, who entered it at `address`. Wrong codes are counted.
    ///
    /// # Errors
    /// When there is none, or the user may not try for the time being.
    pub async fn device_request(
        &self,
        typed: &str,
        (user, address): (&User, Option<IpAddr>),
        now: Timestamp,
    ) -> Result<DeviceRequest, DeviceError> {
        // What is no code at all guesses nothing.
        let settings = self.settings.device.ok_or(DeviceError::Unknown)?;
        let code = UserCode::read(typed).ok_or(DeviceError::Unknown)?;
        let limit = FailedLogins { max: WRONG_CODES, per: settings.code_ttl };
        let attempts = self.throttle.user_codes(&user.name, address, now, limit);
        attempts.check().map_err(DeviceError::Throttled)?;
        let found = self.device_of(code, now).await?;
        attempts.check().map_err(DeviceError::Throttled)?;
        if found.is_none() {
            attempts.failed();
            audit::wrong_secret("user code", &user.name, address);
        }
        found.ok_or(DeviceError::Unknown)
    }

    async fn device_of(&self, code: UserCode, now: Timestamp) -> Result<Option<DeviceRequest>, DeviceError> {
        let Some(entry) = self.store.document::<String>(Kind::UserCode, &code.bare(), now).await? else {
            return Ok(None);
        };
        let found = self.device_by_id(&entry.value, now).await?;
        Ok(found.filter(|request| request.user_code == code))
    }

    /// The device of a [`DeviceRequest::id`], where it still waits.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn device_by_id(&self, id: &str, now: Timestamp) -> Result<Option<DeviceRequest>, DeviceError> {
        let found = self.store.document::<Pending>(Kind::DeviceCode, id, now).await?;
        let Some(pending) = found.map(|document| document.value).filter(|pending| pending.waits(now)) else {
            return Ok(None);
        };
        let client = self.client(&pending.client_id).await?;
        let client = client.filter(|client| pending.is_of(client) && client.may_use(GrantType::DeviceCode));
        let (Some(client), Some(user_code)) = (client, UserCode::read(&pending.user_code)) else { return Ok(None) };
        let corrupt = || StoreError::Corrupt("a device authorization".to_owned());
        let scope = pending.scope.parse().map_err(|_| corrupt())?;
        Ok(Some(DeviceRequest { id: id.to_owned(), user_code, client, scope, expires: pending.expires_at }))
    }

    /// What `user` is asked: the scope, cut to what the user may grant. A device is asked for each
    /// time: nothing assures that it is the one of the last time.
    ///
    /// # Errors
    /// When nothing is left of it.
    pub fn device_question(&self, request: &DeviceRequest, user: &User) -> Result<Scope, DeviceError> {
        self.device_scope(request, None, user)
    }

    fn device_scope(&self, request: &DeviceRequest, chosen: Option<&str>, user: &User) -> Result<Scope, DeviceError> {
        let asked = request.scope.to_string();
        let ceiling = user.scopes.as_ref();
        let scope = scope_decision::refresh(&self.scopes, chosen, &asked, &request.client, ceiling);
        scope.map_err(|_: IssueError| DeviceError::NothingToGrant)
    }

    /// `user`, who signed in at `since`, allows the device `id` the scope `chosen`, a part of the
    /// question's.
    ///
    /// # Errors
    /// When the device waits no more, or `chosen` goes beyond the question.
    pub async fn device_allow(
        &self,
        id: &str,
        (user, since): (&User, Timestamp),
        chosen: &Scope,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let request = self.device_by_id(id, now).await?.ok_or(DeviceError::Unknown)?;
        let scope = self.device_scope(&request, Some(&chosen.to_string()), user)?;
        let subject = user.subject();
        // Noted first, so that there is something to take back from the moment on that the device may have
        // a token. What this device was not given is no loss of another one.
        let consent = self.remember(&subject, &request.client, (&scope, &scope), now).await?;
        let approved = State::Approved { subject, since, scope: scope.to_string(), consent };
        self.decide(&request, user, approved, now).await
    }

    /// `user` refuses the device `id`.
    ///
    /// # Errors
    /// When the device waits no more.
    pub async fn device_deny(&self, id: &str, user: &User, now: Timestamp) -> Result<(), DeviceError> {
        let request = self.device_by_id(id, now).await?.ok_or(DeviceError::Unknown)?;
        self.decide(&request, user, State::Denied, now).await
    }

    /// Notes a decision. The first one holds; the user code is void from here on.
    async fn decide(
        &self,
        request: &DeviceRequest,
        user: &User,
        state: State,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let step = |pending: Pending| {
            if pending.waits(now) {
                Step::Change(Box::new(Pending { state: state.clone(), ..pending }), true)
            } else {
                Step::Leave(false)
            }
        };
        if self.device_step(&request.id, now, step).await? != Some(true) {
            return Err(DeviceError::Unknown);
        }
        audit::device_decided(&request.client.id, &user.name, &state);
        // It finds a device that waits no more: nobody is harmed where it stays until it expires.
        let _ = self.store.forget(Kind::UserCode, &request.user_code.bare()).await;
        Ok(())
    }
}

impl Pending {
    fn waits(&self, now: Timestamp) -> bool {
        self.state == State::Undecided && now < self.expires_at
    }
}
