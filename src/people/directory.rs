//! Who may sign in, and by which check: the users of the configuration, of a file, of the store, or
//! whom a login service vouches for.

use super::users::{LoginError, ResourceOwner, Subject, User, Users};
use crate::clock::Timestamp;
use crate::store::{Store, StoreError};
use std::sync::Arc;

/// Every resource owner, for one worker.
#[derive(Clone)]
pub struct Directory {
    configured: Arc<Users>,
    store: Store,
}

impl Directory {
    /// A directory.
    pub fn new(configured: Arc<Users>, store: Store) -> Self {
        Self { configured, store }
    }

    /// Checks a name and a password, off the worker's thread. An unknown name costs the same. Counting
    /// failures is the caller's.
    ///
    /// # Errors
    /// When the pair is wrong or the user is disabled (the same answer), too many are being checked,
    /// or the store or the login service cannot answer.
    pub async fn authenticate(&self, name: &str, password: &str, now: Timestamp) -> Result<ResourceOwner, LoginError> {
        let _ = (name, password, now, &self.configured, &self.store);
        todo!()
    }

    /// The user behind a token or a session, as long as there is one that is not disabled.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find(&self, subject: &Subject, now: Timestamp) -> Result<Option<Arc<User>>, StoreError> {
        let _ = (subject, now);
        todo!()
    }
}
