//! What the log keeps of issuing, under the target `tollgate::audit`. Names come from records and
//! from the configuration alone, never from a refused request: people type passwords into every
//! field there is.

use super::device::{Pending, State};
use super::refusal::IssueError;
use super::register::RegistrationError;
use crate::oauth::scope::Scope;
use crate::oauth::token::{GrantId, TokenDigest, TokenRecord};
use crate::secret::hex;
use std::net::IpAddr;

const TARGET: &str = "tollgate::audit";

/// A token was handed out.
pub(super) fn issued(digest: &TokenDigest, record: &TokenRecord, by: &'static str) {
    tracing::info!(
        target: TARGET,
        token = digest.public_id(),
        client = record.client_id,
        subject = record.subject.as_deref(),
        scope = record.scope,
        by,
        "token issued"
    );
}

/// A request was refused, or could not be answered.
pub(super) fn refused(endpoint: &'static str, error: &IssueError, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    match error {
        IssueError::Store(cause) => {
            tracing::warn!(target: TARGET, endpoint, reason = "store", %cause, address, "request failed");
        }
        IssueError::Random(cause) => {
            tracing::error!(target: TARGET, endpoint, reason = "random", %cause, address, "request failed");
        }
        // A device asks every few seconds.
        IssueError::AuthorizationPending => {
            tracing::debug!(target: TARGET, endpoint, reason = %error, address, "request refused");
        }
        IssueError::AccessDenied
        | IssueError::Crowded(_)
        | IssueError::ExpiredToken
        | IssueError::InvalidClient
        | IssueError::InvalidGrant(_)
        | IssueError::InvalidOwner
        | IssueError::InvalidPush(..)
        | IssueError::InvalidRequest(_)
        | IssueError::InvalidScope(_)
        | IssueError::InvalidTarget(_)
        | IssueError::LoginService
        | IssueError::NotAllowedToIntrospect
        | IssueError::Overloaded
        | IssueError::SlowDown
        | IssueError::Throttled(_)
        | IssueError::TooLong
        | IssueError::UnauthorizedClient
        | IssueError::UnsupportedGrantType
        | IssueError::UnsupportedTokenType => {
            tracing::info!(target: TARGET, endpoint, reason = %error, address, "request refused");
        }
    }
}

/// A device has begun to wait for its resource owner.
pub(super) fn device_begun(digest: &TokenDigest, pending: &Pending) {
    let (device, client, scope) = (digest.public_id(), &pending.client_id, &pending.scope);
    tracing::info!(target: TARGET, device, client, scope, "device authorization begun");
}

/// A resource owner has answered a device.
pub(super) fn device_decided(client: &str, subject: &str, state: &State) {
    if let State::Approved { scope, .. } = state {
        tracing::info!(target: TARGET, client, subject, scope, "device allowed");
    } else {
        tracing::info!(target: TARGET, client, subject, "device refused");
    }
}

/// A known client or user showed a wrong secret.
pub(super) fn wrong_secret(kind: &'static str, name: &str, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    tracing::warn!(target: TARGET, kind, name, address, "wrong secret");
}

/// An old refresh token came back: its family has ended (TOK-11).
pub(super) fn reused(digest: &TokenDigest, client: &str, subject: Option<&str>, grant: GrantId) {
    tracing::warn!(
        target: TARGET,
        token = digest.public_id(),
        client,
        subject,
        grant = hex(&grant.0),
        "refresh token reused, its grant has ended"
    );
}

/// A client took a token back.
pub(super) fn revoked(digest: &TokenDigest, client: &str, ended: usize) {
    tracing::info!(target: TARGET, token = digest.public_id(), client, ended, "token revoked");
}

/// A client registered itself, or changed or ended its registration.
pub(super) fn registration(deed: &'static str, client: &str, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    tracing::info!(target: TARGET, client, address, by = "itself", "{deed}");
}

/// A client is not registered, or not shown its registration.
pub(super) fn registration_refused(endpoint: &'static str, error: &RegistrationError, address: Option<IpAddr>) {
    let address = address.map(tracing::field::display);
    match error {
        RegistrationError::Store(cause) => {
            tracing::warn!(target: TARGET, endpoint, reason = "store", %cause, address, "request failed");
        }
        RegistrationError::Random(cause) => {
            tracing::error!(target: TARGET, endpoint, reason = "random", %cause, address, "request failed");
        }
        RegistrationError::Disabled
        | RegistrationError::Full
        | RegistrationError::InvalidToken
        | RegistrationError::Metadata(_)
        | RegistrationError::NoToken
        | RegistrationError::Throttled(_) => {
            tracing::info!(target: TARGET, endpoint, reason = %error, address, "request refused");
        }
    }
}

/// An authorization code came back: the grant it gave has ended (R6749-4.1.2d).
pub(super) fn replayed(digest: &TokenDigest, client: &str, subject: &str, grant: GrantId) {
    tracing::warn!(
        target: TARGET,
        code = digest.public_id(),
        client,
        subject,
        grant = hex(&grant.0),
        "authorization code replayed, its grant has ended"
    );
}

/// A resource owner allowed a client something.
pub(super) fn authorized(client: &str, subject: &str, scope: &Scope) {
    tracing::info!(target: TARGET, client, subject, %scope, "access allowed");
}

/// A resource owner took back what a client was allowed; no client: what all of them were.
pub(super) fn taken_back(client: Option<&str>, subject: &str, ended: usize) {
    tracing::info!(target: TARGET, client, subject, ended, by = "resource owner", "tokens revoked");
}
