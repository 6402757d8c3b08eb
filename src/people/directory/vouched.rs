//! Users whom a login service or an identity provider vouches for.

use super::{ChangeError, Directory};
use crate::clock::Timestamp;
use crate::people::login::Vouched;
use crate::people::provider::Account;
use crate::people::stored::{self, UserRecord};
use crate::people::users::{LoginError, ResourceOwner};
use crate::store::Kind;
use std::sync::Arc;

/// How often the note is tried again that others were faster with.
const TRIES: usize = 4;

impl Directory {
    /// The resource owner whom the identity provider has authenticated, noted in the store, so that it can be
    /// listed and disabled like others.
    ///
    /// # Errors
    /// When it is disabled, or the store cannot answer.
    pub async fn authenticated_elsewhere(&self, account: Account, now: Timestamp) -> Result<ResourceOwner, LoginError> {
        let vouched = Vouched { name: account.subject.name.clone(), scopes: None };
        Ok(self.vouched_for(&vouched, now).await?.at_provider(account))
    }

    /// The resource owner, noted in the store with what it can grant by now.
    pub(super) async fn vouched_for(&self, vouched: &Vouched, now: Timestamp) -> Result<ResourceOwner, LoginError> {
        for _ in 0..TRIES {
            let scopes = vouched.scopes.as_ref().map(ToString::to_string);
            let Some(known) =
                stored::record(&self.store, &vouched.name, now).await?.filter(|known| !known.value.leaving)
            else {
                self.note(UserRecord::vouched(&vouched.name, scopes, now), now).await?;
                continue;
            };
            let record = known.value;
            if record.name != vouched.name || record.password_hash.is_some() {
                // Not the one whom the service means: `a` and `A` may be two people to it.
                tracing::error!(user = record.name, "somebody is vouched for under a name that another user has");
                return Err(LoginError::Refused);
            }
            if !record.is_active() {
                return Err(LoginError::Refused);
            }
            let current = UserRecord { scopes, ..record.clone() };
            let is_noted = current == record
                || self
                    .store
                    .put(Kind::User, &stored::id(&record.name), (&current, None), Some(known.version), now)
                    .await?;
            if is_noted {
                return Ok(ResourceOwner::new(Arc::new(current.user()), current.sign_in_at(now)));
            }
        }
        Err(LoginError::Overloaded)
    }

    async fn note(&self, record: UserRecord, now: Timestamp) -> Result<(), LoginError> {
        match self.admit(record, now).await {
            // Somebody else noted it: it is read again.
            Ok(()) | Err(ChangeError::Taken) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error.into()),
            Err(_) => Err(LoginError::Overloaded),
        }
    }
}
