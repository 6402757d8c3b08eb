//! Sign-ins: a session is known by an opaque cookie of which the store has the digest (UI-7).

use super::users::{ResourceOwner, Subject};
use crate::clock::Timestamp;
use crate::secret::{RandomError, Secret};
use crate::store::{Store, StoreError};
use std::time::Duration;

/// `[oauth] session_ttl` and `session_idle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a sign-in lasts.
    pub ttl: Duration,
    /// How long it lasts without a request.
    pub idle: Duration,
}

/// A sign-in that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    pub subject: Subject,
    /// When (`auth_time`, for `max_age`).
    pub since: Timestamp,
    /// What it is called in the store and on the account page: the digest of the cookie.
    pub id: String,
    /// Where and with what, as the person would recognise it: address and user agent, bounded.
    pub device: String,
    /// The last request.
    pub seen: Timestamp,
}

/// The sign-ins of a store.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    settings: Settings,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// 503.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// 503.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Sessions {
    /// Sessions in `store`.
    pub fn new(store: Store, settings: Settings) -> Self {
        Self { store, settings }
    }

    /// Begins a session; the secret is the cookie's value. A session that the browser had before is
    /// ended by the caller (UI-7: rotated at login).
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn begin(
        &self,
        owner: &ResourceOwner,
        device: &str,
        now: Timestamp,
    ) -> Result<(Secret, Session), SessionError> {
        let _ = (owner, device, now, &self.store, self.settings);
        todo!()
    }

    /// The session of a cookie; `None` when there is none any more. Notes now and then, not with each
    /// request, that it was seen.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, SessionError> {
        let _ = (cookie, now);
        todo!()
    }

    /// Ends the session with this [`id`](Session::id), of this user.
    ///
    /// # Errors
    /// When it is not known to have ended.
    pub async fn end(&self, subject: &Subject, id: &str) -> Result<(), SessionError> {
        let _ = (subject, id);
        todo!()
    }

    /// Every session of a user.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn of(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Session>, SessionError> {
        let _ = (subject, now);
        todo!()
    }

    /// Ends every session of a user, but for `except`.
    ///
    /// # Errors
    /// When they are not known to have ended.
    pub async fn end_all(&self, subject: &Subject, except: Option<&str>, now: Timestamp) -> Result<(), SessionError> {
        let _ = (subject, except, now);
        todo!()
    }
}
