//! Sign-ins: a session is known by an opaque cookie of which the store has the digest (UI-7).

use super::stored;
use super::users::{ResourceOwner, Subject};
use crate::clock::Timestamp;
use crate::secret::{Digest, RandomError, Secret, random};
use crate::store::{Document, Kind, Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The cookie's value in characters: 256 random bits.
const LENGTH: usize = 43;
/// What is kept of a device's description, in characters.
const DEVICE: usize = 200;
/// How old the note of the last request may be before it is written anew.
const NOTED: Duration = Duration::from_secs(60);
/// How many are read at a time.
const PAGE: usize = 100;

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
    /// Since when the session exists.
    pub since: Timestamp,
    /// When the password was shown (`auth_time`, for `max_age`): at a provider it may have been before.
    pub authenticated: Timestamp,
    /// What pages call the account, where it is not the subject's name.
    pub shown: Option<String>,
    /// What it is called in the store and on the account page: the digest of the cookie.
    pub id: String,
    /// Where and with what, as the person would recognise it: address and user agent, bounded.
    pub device: String,
    /// The last request.
    pub seen: Timestamp,
}

/// What the store has of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    subject: Subject,
    /// Milliseconds since the Unix epoch, and so is `seen`.
    since: u64,
    seen: u64,
    device: String,
    /// Set where it is not `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authenticated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
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
        let cookie = Secret::new(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let session = Session {
            subject: owner.user().subject(),
            since: owner.since(),
            authenticated: owner.authenticated(),
            shown: owner.shown().map(described),
            id: id_of(cookie.reveal()),
            device: described(device),
            seen: now,
        };
        // First where it is listed: a session that exists can be ended.
        let entry = entry(&session.subject, &session.id);
        let end = session.since.plus(self.settings.ttl);
        let listed = self.store.put(Kind::SessionOf, &entry, (&(), Some(end)), None, now).await?;
        if listed && self.keep(&session, None, now).await? {
            return Ok((cookie, session));
        }
        Err(StoreError::Corrupt("a session under a random name that is taken".to_owned()).into())
    }

    /// The session of a cookie; `None` when there is none any more. Notes now and then, not with each
    /// request, that it was seen. Whether a user of the configuration still exists is for the
    /// [`Directory`](super::directory::Directory) to say.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, SessionError> {
        // What no session could have is not looked for.
        if cookie.len() != LENGTH || !cookie.bytes().all(is_base64url) {
            return Ok(None);
        }
        let id = id_of(cookie);
        let Some(Document { value, version, .. }) = self.kept(&id, now).await? else { return Ok(None) };
        let mut session = session(id, value);
        if !stored::honours(&self.store, &session.subject, session.since, now).await? {
            return Ok(None);
        }
        if now.since(session.seen) >= NOTED {
            session.seen = now;
            // Where it changed meanwhile another request has noted the same, or it has ended.
            self.keep(&session, Some(version), now).await?;
        }
        Ok(Some(session))
    }

    /// Ends the session with this [`id`](Session::id), of this user.
    ///
    /// # Errors
    /// When it is not known to have ended.
    pub async fn end(&self, subject: &Subject, id: &str) -> Result<(), SessionError> {
        match Digest::from_hex(id) {
            Some(digest) => Ok(end(&self.store, subject, &digest.to_hex()).await?),
            None => Ok(()),
        }
    }

    /// Every session of a user, the latest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn of(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Session>, SessionError> {
        let mut sessions = Vec::new();
        for id in ids(&self.store, subject, now).await? {
            let Some(kept) = self.kept(&id, now).await? else { continue };
            sessions.push(session(id, kept.value));
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.since));
        Ok(sessions)
    }

    /// Ends every session of a user, but for `except`.
    ///
    /// # Errors
    /// When they are not known to have ended.
    pub async fn end_all(&self, subject: &Subject, except: Option<&str>, now: Timestamp) -> Result<(), SessionError> {
        Ok(end_all(&self.store, subject, except, now).await?)
    }

    /// Writes a session; `false`: it is no longer the one that was read.
    async fn keep(&self, session: &Session, version: Option<u64>, now: Timestamp) -> Result<bool, StoreError> {
        let kept = Kept {
            subject: session.subject.clone(),
            since: session.since.as_millis(),
            seen: session.seen.as_millis(),
            device: session.device.clone(),
            authenticated: (session.authenticated != session.since).then(|| session.authenticated.as_millis()),
            shown: session.shown.clone(),
        };
        let expires = self.expires(session.since, session.seen);
        self.store.put(Kind::Session, &session.id, (&kept, Some(expires)), version, now).await
    }

    /// The document of a session that is not over by the settings in force, which may be narrower than
    /// those it began under.
    async fn kept(&self, id: &str, now: Timestamp) -> Result<Option<Document<Kept>>, StoreError> {
        let kept = self.store.document::<Kept>(Kind::Session, id, now).await?;
        let is_live = |kept: &Document<Kept>| {
            now < self.expires(Timestamp::from_millis(kept.value.since), Timestamp::from_millis(kept.value.seen))
        };
        Ok(kept.filter(is_live))
    }

    fn expires(&self, since: Timestamp, seen: Timestamp) -> Timestamp {
        since.plus(self.settings.ttl).min(seen.plus(self.settings.idle))
    }
}

/// Ends every session of a user, whatever the settings.
pub(super) async fn end_all(
    store: &Store,
    subject: &Subject,
    except: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for id in ids(store, subject, now).await? {
        if Some(id.as_str()) != except {
            end(store, subject, &id).await?;
        }
    }
    Ok(())
}

async fn end(store: &Store, subject: &Subject, id: &str) -> Result<(), StoreError> {
    let whose = store.document::<Kept>(Kind::Session, id, Timestamp::default()).await?;
    if whose.is_some_and(|session| session.value.subject == *subject) {
        store.forget(Kind::Session, id).await?;
    }
    store.forget(Kind::SessionOf, &entry(subject, id)).await?;
    Ok(())
}

async fn ids(store: &Store, subject: &Subject, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let prefix = subject.key();
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.documents::<()>(Kind::SessionOf, &prefix, after.as_deref(), PAGE, now).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|(entry, _)| entry.clone());
        ids.extend(page.iter().filter_map(|(entry, _)| entry.strip_prefix(&prefix)).map(str::to_owned));
        if is_last {
            return Ok(ids);
        }
    }
}

const fn is_base64url(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
}

fn id_of(cookie: &str) -> String {
    Digest::of(cookie.as_bytes()).to_hex()
}

/// Where a session is listed.
fn entry(subject: &Subject, id: &str) -> String {
    subject.key() + id
}

/// What a person can recognise, without what a terminal or a log would obey.
fn described(device: &str) -> String {
    device.chars().filter(|character| !character.is_control()).take(DEVICE).collect()
}

fn session(id: String, kept: Kept) -> Session {
    Session {
        subject: kept.subject,
        since: Timestamp::from_millis(kept.since),
        authenticated: Timestamp::from_millis(kept.authenticated.unwrap_or(kept.since)),
        shown: kept.shown,
        id,
        device: kept.device,
        seen: Timestamp::from_millis(kept.seen),
    }
}

#[cfg(test)]
mod tests;
