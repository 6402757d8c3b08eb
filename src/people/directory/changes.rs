//! What an operator changes among the users of the store.

use super::Directory;
use crate::clock::{self, Timestamp};
use crate::oauth::scope::Scope;
use crate::people::password::{self, HashError};
use crate::people::session;
use crate::people::stored::{self, UserRecord};
use crate::people::users::{Subject, wrong_name};
use crate::secret::Secret;
use crate::store::{Document, Filter, Kind, Store, StoreError};
use std::time::Duration;

/// How often a change is tried again that others were faster with.
const TRIES: usize = 8;
/// How many are read at a time.
const PAGE: usize = 100;
/// How long a removed user's document is still there, with nothing in it that is good.
const FORGOTTEN: Duration = Duration::from_secs(1);

/// A user to be.
#[derive(Debug)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// What it will sign in with.
    pub password: Secret,
    /// The most it can grant; `None`: everything.
    pub scopes: Option<Scope>,
}

/// Why a user is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Others change the same user all the time.
    #[error("the user is being changed by others: try again")]
    Busy,
    /// It is not the store's to change.
    #[error("this user is in the configuration: change it there")]
    Configured,
    /// No password can be kept.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Users are made elsewhere.
    #[error("users are made at the login service that `[login]` names")]
    Elsewhere,
    /// It cannot be the name of a user.
    #[error("{0}")]
    Name(&'static str),
    /// It signs in elsewhere.
    #[error("this user has no password here: it signs in elsewhere")]
    NoPassword,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name is in use.
    #[error("there is a user with this name; upper and lower case are one")]
    Taken,
    /// There is none.
    #[error("no such user")]
    Unknown,
}

impl Directory {
    /// Makes a user of the store.
    ///
    /// # Errors
    /// When the name is taken, or the user is not known to be stored.
    pub async fn add(&self, new: NewUser, now: Timestamp) -> Result<(), ChangeError> {
        if let Some(why) = wrong_name(&new.name) {
            return Err(ChangeError::Name(why));
        }
        if self.login.is_some() {
            return Err(ChangeError::Elsewhere);
        }
        if self.configured.has(&new.name) {
            return Err(ChangeError::Taken);
        }
        let password_hash = Some(password::hash_aside(new.password).await?);
        let now = clock::now().max(now);
        let record = UserRecord {
            password_hash,
            name: new.name,
            scopes: new.scopes.map(|scopes| scopes.to_string()),
            disabled: false,
            leaving: false,
            created_at: now.as_millis(),
            admitted_at: now.as_millis(),
        };
        self.admit(record, now).await
    }

    /// Stores a new user, behind the end of one that had the name before.
    pub(super) async fn admit(&self, record: UserRecord, now: Timestamp) -> Result<(), ChangeError> {
        for _ in 0..TRIES {
            let expected = match stored::record(&self.store, &record.name, now).await? {
                Some(Document { value, .. }) if !value.leaving => return Err(ChangeError::Taken),
                Some(leaving) => {
                    // A removal that was cut short, or is under way.
                    end(&self.store, &leaving.value.name, now).await?;
                    Some(leaving.version)
                }
                None => None,
            };
            if self.store.put(Kind::User, &stored::id(&record.name), (&record, None), expected, now).await? {
                return Ok(());
            }
        }
        Err(ChangeError::Busy)
    }

    /// Gives a user of the store another password. Every sign-in with the old one has ended.
    ///
    /// # Errors
    /// When there is no such user of the store with a password, or it is not known to be done.
    pub async fn set_password(&self, name: &str, password: Secret, now: Timestamp) -> Result<(), ChangeError> {
        let known = self.of_store(name, now).await?;
        if known.value.password_hash.is_none() {
            return Err(ChangeError::NoPassword);
        }
        let hash = password::hash_aside(password).await?;
        let changed = self.change(name, now, |record| {
            record.password_hash = Some(hash.clone());
            // By now, not from before the hash: somebody may have signed in meanwhile.
            record.admitted_at = record.admitted_at.max(clock::now().max(now).as_millis());
        });
        let changed = changed.await?;
        end_sessions(&self.store, &changed.name, now).await
    }

    /// Disables a user of the store: nobody signs in as it, and everything it has ends, on every node.
    ///
    /// # Errors
    /// When there is no such user of the store, or it is not known to be done; doing it again ends
    /// what is left.
    pub async fn disable(&self, name: &str, now: Timestamp) -> Result<(), ChangeError> {
        let changed = self.change(name, now, |record| record.disabled = true).await?;
        end(&self.store, &changed.name, now).await
    }

    /// Lets a user of the store sign in again. What had ended stays ended.
    ///
    /// # Errors
    /// When there is no such user of the store, or it is not known to be done.
    pub async fn enable(&self, name: &str, now: Timestamp) -> Result<(), ChangeError> {
        let admit = |record: &mut UserRecord| {
            if record.disabled {
                record.disabled = false;
                record.admitted_at = record.admitted_at.max(now.as_millis());
            }
        };
        self.change(name, now, admit).await.map(drop)
    }

    /// Removes a user of the store and ends everything it has, on every node.
    ///
    /// # Errors
    /// When there is no such user of the store, or it is not known to be done; doing it again ends
    /// what is left.
    pub async fn remove(&self, name: &str, now: Timestamp) -> Result<(), ChangeError> {
        let id = stored::id(name);
        for _ in 0..TRIES {
            // One that is about to be forgotten has been removed already.
            let known = stored::record(&self.store, name, now).await?.filter(|known| known.expires.is_none());
            let known = known.ok_or_else(|| self.absent(name))?;
            let leaving = UserRecord { leaving: true, ..known.value };
            if !self.store.put(Kind::User, &id, (&leaving, None), Some(known.version), now).await? {
                continue;
            }
            end(&self.store, &leaving.name, now).await?;
            // Not whatever is there by now: the name may belong to another already.
            if let Some(known) = stored::record(&self.store, name, now).await?.filter(|known| known.value.leaving) {
                let gone = (&leaving, Some(now.plus(FORGOTTEN)));
                self.store.put(Kind::User, &id, gone, Some(known.version), now).await?;
            }
            return Ok(());
        }
        Err(ChangeError::Busy)
    }

    /// The users of the store, by name.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn stored(&self, now: Timestamp) -> Result<Vec<UserRecord>, StoreError> {
        let mut users = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.documents::<UserRecord>(Kind::User, "", after.as_deref(), PAGE, now).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(id, _)| id.clone());
            users.extend(page.into_iter().map(|(_, user)| user.value).filter(|user| !user.leaving));
            if is_last {
                return Ok(users);
            }
        }
    }

    async fn of_store(&self, name: &str, now: Timestamp) -> Result<Document<UserRecord>, ChangeError> {
        let known = stored::record(&self.store, name, now).await?.filter(|known| !known.value.leaving);
        known.ok_or_else(|| self.absent(name))
    }

    async fn change(
        &self,
        name: &str,
        now: Timestamp,
        change: impl Fn(&mut UserRecord),
    ) -> Result<UserRecord, ChangeError> {
        for _ in 0..TRIES {
            let Document { mut value, version, .. } = self.of_store(name, now).await?;
            change(&mut value);
            if self.store.put(Kind::User, &stored::id(name), (&value, None), Some(version), now).await? {
                return Ok(value);
            }
        }
        Err(ChangeError::Busy)
    }

    fn absent(&self, name: &str) -> ChangeError {
        if self.configured.has(name) { ChangeError::Configured } else { ChangeError::Unknown }
    }
}

/// Ends everything that a user of the store has: tokens and grants, sessions, consents. The document
/// says already that the user is not admitted, so that nothing new lands behind this.
async fn end(store: &Store, name: &str, now: Timestamp) -> Result<(), ChangeError> {
    store.revoke_where(&Filter { client_id: None, subject: Some(name.to_owned()) }).await?;
    end_sessions(store, name, now).await?;
    let prefix = subject(name).key();
    loop {
        let page = store.documents::<serde::de::IgnoredAny>(Kind::Consent, &prefix, None, PAGE, now).await?;
        for (id, _) in &page {
            store.forget(Kind::Consent, id).await?;
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

async fn end_sessions(store: &Store, name: &str, now: Timestamp) -> Result<(), ChangeError> {
    Ok(session::end_all(store, &subject(name), None, now).await?)
}

fn subject(name: &str) -> Subject {
    Subject { name: name.to_owned(), origin: stored::origin_of(name) }
}
