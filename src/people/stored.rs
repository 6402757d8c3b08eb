//! Resource owners that were made at run time, as the store has them: one document each, under the
//! folded name.
//!
//! Whatever shows that somebody signed in (a session, a code, a token about to be stored) says when
//! that was, and is good only for a user who is not disabled and who was admitted no later. So nothing
//! that was under way lands behind a removal, and nothing is for whoever has the name next.

use super::users::{LONGEST_NAME, SignIn, Subject, User, fold, is_of_provider};
use crate::clock::Timestamp;
use crate::oauth::scope::Scope;
use crate::oauth::token::Origin;
use crate::secret::Digest;
use crate::store::{Document, Kind, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A user of the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// As it was written.
    pub name: String,
    /// What [`password`](super::password) checks; `None`: somebody else vouches.
    pub password_hash: Option<String>,
    /// Space-separated: the most the user can grant; `None`: everything.
    pub scopes: Option<String>,
    /// May not sign in, and has nothing that is good.
    pub disabled: bool,
    /// Is being removed: the name is kept until everything has ended.
    pub leaving: bool,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Sign-ins from before this moment, in milliseconds since the Unix epoch, are no longer good.
    pub admitted_at: u64,
}

/// Without the hash of the password.
impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord").field("name", &self.name).field("disabled", &self.disabled).finish_non_exhaustive()
    }
}

impl UserRecord {
    /// A user whom the login service or the identity provider vouches for.
    pub(super) fn vouched(name: &str, scopes: Option<String>, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            password_hash: None,
            scopes,
            disabled: false,
            leaving: false,
            created_at: now.as_millis(),
            admitted_at: now.as_millis(),
        }
    }

    /// Whether the user may sign in and has what is good.
    pub const fn is_active(&self) -> bool {
        !self.disabled && !self.leaving
    }

    /// Whether what shows a sign-in of that moment is still good.
    pub const fn honours(&self, since: Timestamp) -> bool {
        self.is_active() && self.admitted_at <= since.as_millis()
    }

    /// The moment of a sign-in at `now`: clocks of nodes differ, and the user is there.
    pub(super) fn sign_in_at(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_millis(self.admitted_at))
    }

    /// The resource owner. Scopes that cannot be read are none.
    pub fn user(&self) -> User {
        User {
            name: self.name.clone(),
            password_hash: self.password_hash.clone().unwrap_or_default(),
            scopes: self.scopes.as_deref().map(|scopes| scopes.parse::<Scope>().unwrap_or_default()),
            origin: self.origin(),
        }
    }

    /// Where the user signs in.
    pub fn origin(&self) -> Origin {
        origin_of(&self.name)
    }
}

/// Where a user signs in whom the store has a record of.
pub(super) fn origin_of(name: &str) -> Origin {
    if is_of_provider(name) { Origin::Provider } else { Origin::Store }
}

/// Under what the record of a name in any spelling is kept.
pub(super) fn id(name: &str) -> String {
    let folded = fold(name);
    if folded.len() <= LONGEST_NAME {
        return folded;
    }
    // Nobody else has a name that begins so. Of other names that long there is none; to look for one costs a
    // question too: time says nothing about names.
    if is_of_provider(name) { format!("://{}", Digest::of(name.as_bytes()).to_hex()) } else { " ".to_owned() }
}

/// The record of a name in any spelling.
pub(super) async fn record(
    store: &Store,
    name: &str,
    now: Timestamp,
) -> Result<Option<Document<UserRecord>>, StoreError> {
    store.document(Kind::User, &id(name), now).await
}

/// Whether a sign-in is still good as far as the store can tell: for users of the configuration it is
/// the configuration that knows.
pub(super) async fn honours(
    store: &Store,
    subject: &Subject,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    match subject.origin {
        Origin::Configuration => Ok(true),
        Origin::Store | Origin::Provider => {
            let record = record(store, &subject.name, now).await?;
            Ok(record.is_some_and(|record| record.value.name == subject.name && record.value.honours(since)))
        }
    }
}

impl From<(&UserRecord, Timestamp)> for SignIn {
    fn from((record, now): (&UserRecord, Timestamp)) -> Self {
        let subject = Subject { name: record.name.clone(), origin: record.origin() };
        Self { subject, since: record.sign_in_at(now) }
    }
}
