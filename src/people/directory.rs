//! Who may sign in, and by which check: the users of the configuration, of a file, of the store, or
//! whom a login service vouches for.
//!
//! A name exists once: the configuration's user hides the file's (seen to when the configuration is
//! read), and both hide the store's, who then may not sign in and whose tokens are no longer good.

mod changes;
mod vouched;

pub use changes::{ChangeError, NewUser};

use super::login::Login;
use super::password;
use super::provider::Provider;
use super::stored::{self, UserRecord};
use super::users::{LoginError, ResourceOwner, SignIn, Subject, User, Users};
use crate::clock::Timestamp;
use crate::oauth::token::Origin;
use crate::store::{Document, Store, StoreError};
use std::sync::Arc;

/// Every resource owner, for one worker.
#[derive(Clone)]
pub struct Directory {
    configured: Arc<Users>,
    store: Store,
    login: Option<Arc<Login>>,
    provider: Option<Arc<Provider>>,
}

impl Directory {
    /// A directory.
    pub fn new(configured: Arc<Users>, store: Store) -> Self {
        Self { configured, store, login: None, provider: None }
    }

    /// The directory of a gateway that leaves the check of passwords to a login service. Whom it vouches
    /// for is noted among the users of the store, so that it can be listed and disabled like others.
    pub fn with_login(self, login: Option<Arc<Login>>) -> Self {
        Self { login, ..self }
    }

    /// The directory of a gateway whose users may sign in at an identity provider.
    pub fn with_provider(self, provider: Option<Arc<Provider>>) -> Self {
        Self { provider, ..self }
    }

    /// The identity provider, where there is one.
    pub const fn provider(&self) -> Option<&Arc<Provider>> {
        self.provider.as_ref()
    }

    /// Whether a subject exists as far as the configuration in force tells: one of the configuration is in
    /// it, one of the store does not have the name of such a one, and the provider of any other is the one
    /// that is trusted.
    pub fn knows(&self, subject: &str, origin: Origin) -> bool {
        match origin {
            Origin::Configuration => self.configured.has(subject),
            Origin::Store => !self.configured.has(subject),
            Origin::Provider => self.provider.as_ref().is_some_and(|provider| provider.has(subject)),
        }
    }

    /// The users of the configuration and of its file.
    pub fn configured(&self) -> &Users {
        &self.configured
    }

    #[cfg(test)]
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// Checks a name and a password, off the worker's thread. An unknown name costs the same. Counting
    /// failures is the caller's.
    ///
    /// # Errors
    /// When the pair is wrong or the user is disabled (the same answer), too many are being checked,
    /// or the store or the login service cannot answer.
    pub async fn authenticate(&self, name: &str, password: &str, now: Timestamp) -> Result<ResourceOwner, LoginError> {
        if let Some(login) = &self.login {
            let vouched = login.ask(name, password).await?;
            return self.vouched_for(&vouched, now).await;
        }
        // The store is asked about every name, so that time does not tell whose is configured.
        let record = stored::record(&self.store, name, now).await?.map(|record| record.value);
        let (user, since) = match (self.configured.get(name), record) {
            (Some(user), _) => (Some(Arc::clone(user)), now),
            (None, Some(record)) => {
                let user = Arc::new(record.user());
                (Some(user).filter(|_| record.password_hash.is_some()), record.sign_in_at(now))
            }
            (None, None) => (None, now),
        };
        let hash = user.as_ref().map_or_else(|| self.configured.decoy(name), |user| &user.password_hash);
        if !password::matches(hash, password).await? {
            return Err(LoginError::Refused);
        }
        // Asked last, so that it takes as long to refuse a disabled user as any other.
        let owner = user.map(|user| ResourceOwner::new(user, since)).ok_or(LoginError::Refused)?;
        if self.is_still(&owner, now).await? { Ok(owner) } else { Err(LoginError::Refused) }
    }

    /// The user behind a token or a session, as long as there is one that is not disabled.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find(&self, subject: &Subject, now: Timestamp) -> Result<Option<Arc<User>>, StoreError> {
        let configured = self.configured.get(&subject.name);
        if subject.origin == Origin::Configuration || configured.is_some() {
            return Ok(configured.filter(|user| user.origin == subject.origin).map(Arc::clone));
        }
        let record = self.active(&subject.name, now).await?;
        Ok(record.filter(|record| record.name == subject.name).map(|record| Arc::new(record.user())))
    }

    /// The user of a name in any spelling, as long as there is one that is not disabled, as if the user
    /// had signed in now: for what an operator does in somebody's name. The store is asked about every name,
    /// so that time does not tell whose is configured.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn named(&self, name: &str, now: Timestamp) -> Result<Option<(Arc<User>, SignIn)>, StoreError> {
        let record = self.active(name, now).await?;
        if let Some(user) = self.configured.get(name) {
            return Ok(Some((Arc::clone(user), SignIn { subject: user.subject(), since: now })));
        }
        Ok(record.map(|record| (Arc::new(record.user()), SignIn::from((&record, now)))))
    }

    /// The name as tokens have it, of a user of any state.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn spelling(&self, name: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        if let Some(user) = self.configured.get(name) {
            return Ok(Some(user.name.clone()));
        }
        Ok(stored::record(&self.store, name, now).await?.map(|record| record.value.name))
    }

    /// Whether a sign-in is still good: its user exists, is not disabled, and was admitted before it.
    /// Whoever issues something to a sign-in asks this *after* it is stored, and takes it back where
    /// the answer is no: then nothing lands behind the removal of a user.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn honours(&self, sign_in: &SignIn, now: Timestamp) -> Result<bool, StoreError> {
        let subject = &sign_in.subject;
        if !self.knows(&subject.name, subject.origin) {
            return Ok(false);
        }
        stored::honours(&self.store, subject, sign_in.since, now).await
    }

    /// Whether somebody who was checked is good, and what was checked is still what the store has: a check takes
    /// a while, and the password may be another by now.
    async fn is_still(&self, owner: &ResourceOwner, now: Timestamp) -> Result<bool, StoreError> {
        let user = owner.user();
        if user.origin == Origin::Configuration {
            return self.honours(&owner.sign_in(), now).await;
        }
        let record = stored::record(&self.store, &user.name, now).await?.map(|record| record.value);
        Ok(record.is_some_and(|record| {
            record.name == user.name
                && record.honours(owner.since())
                && record.password_hash.as_ref() == Some(&user.password_hash)
        }))
    }

    async fn active(&self, name: &str, now: Timestamp) -> Result<Option<UserRecord>, StoreError> {
        let record = stored::record(&self.store, name, now).await?;
        // Who signs in elsewhere is no user here any more when nobody vouches, and the other way round.
        let is_current = |record: &UserRecord| {
            let is_checked_here = match record.origin() {
                Origin::Provider => self.knows(&record.name, Origin::Provider),
                Origin::Configuration | Origin::Store => record.password_hash.is_none() == self.login.is_some(),
            };
            record.is_active() && is_checked_here
        };
        Ok(record.map(|Document { value, .. }| value).filter(is_current))
    }
}

#[cfg(test)]
pub(crate) mod tests;
