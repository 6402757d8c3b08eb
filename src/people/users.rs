//! Resource owners, and those of the configuration by name.

use super::password;
use super::provider::Account;
use crate::clock::Timestamp;
use crate::oauth::scope::Scope;
use crate::oauth::token::Origin;
use crate::secret::Digest;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The longest name, in octets.
pub const LONGEST_NAME: usize = 256;

/// Who a resource owner is, in tokens, sessions and consents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The user's name, in its one spelling.
    pub name: String,
    /// Where the user is defined.
    pub origin: Origin,
}

impl Subject {
    /// What identifiers of documents about it begin with: names may have any character and any length,
    /// digests have not. Ends with a colon, so that no key begins with another.
    pub fn key(&self) -> String {
        let (origin, name) = match self.origin {
            Origin::Configuration => ("configuration", fold(&self.name)),
            Origin::Store => ("store", fold(&self.name)),
            Origin::Provider => ("provider", fold(&self.name)),
        };
        format!("{origin}:{}:", Digest::of(name.as_bytes()).to_hex())
    }
}

/// Who signed in, and when: what a token or a code is issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Who.
    pub subject: Subject,
    /// When the password was right (`auth_time`).
    pub since: Timestamp,
}

/// A resource owner: of the configuration, of a file, or of the store.
#[derive(Clone)]
pub struct User {
    /// As configured; compared after folding to one spelling.
    pub name: String,
    /// What [`password::matches`] takes.
    pub password_hash: String,
    /// What the user can grant at most; `None`: everything.
    pub scopes: Option<Scope>,
    /// Where it is defined.
    pub origin: Origin,
}

impl User {
    /// Who it is.
    pub fn subject(&self) -> Subject {
        Subject { name: self.name.clone(), origin: self.origin }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// Every user, by name.
#[derive(Debug, Default)]
pub struct Users {
    by_name: HashMap<String, Arc<User>>,
    /// The folded names in a fixed order, for the choice of what an unknown name is checked against.
    names: Vec<String>,
}

/// The proof that a resource owner showed a right password. Only
/// [`Directory::authenticate`](super::directory::Directory::authenticate) makes one.
#[must_use]
#[derive(Clone, Debug)]
pub struct ResourceOwner {
    user: Arc<User>,
    since: Timestamp,
    /// Set where a provider says it.
    account: Option<Account>,
}

impl ResourceOwner {
    pub(super) const fn new(user: Arc<User>, since: Timestamp) -> Self {
        Self { user, since, account: None }
    }

    /// The same, as the identity provider says it that has authenticated it.
    pub(super) fn at_provider(self, account: Account) -> Self {
        Self { account: Some(account), ..self }
    }

    /// What pages call the account, where it is not the user's name.
    pub fn shown(&self) -> Option<&str> {
        self.account.as_ref().map(|account| &*account.shown)
    }

    /// When the password was shown (`auth_time`): with a provider it may have been long before.
    pub fn authenticated(&self) -> Timestamp {
        self.account.as_ref().map_or(self.since, |account| account.authenticated)
    }

    /// Who.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// When.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Who and when.
    pub fn sign_in(&self) -> SignIn {
        SignIn { subject: self.user.subject(), since: self.since }
    }
}

/// Why nobody was authenticated.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Too many checks are under way: 503.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// Unknown user, disabled user or wrong password; the same answer and the same work.
    #[error("the name or the password is wrong")]
    Refused,
    /// The login service does not answer, or not as agreed: 503; what happened has been logged.
    #[error("the login service does not answer")]
    Service,
    /// 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<password::Overloaded> for LoginError {
    fn from(_: password::Overloaded) -> Self {
        Self::Overloaded
    }
}

impl Users {
    /// A directory of `users`; names are folded to one spelling.
    pub fn new(users: Vec<User>) -> Self {
        let by_name: HashMap<_, _> = users.into_iter().map(|user| (fold(&user.name), Arc::new(user))).collect();
        let mut names: Vec<String> = by_name.keys().cloned().collect();
        names.sort_unstable();
        Self { by_name, names }
    }

    /// Whether there is such a user.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The user of this name, in any spelling.
    pub fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(&fold(name))
    }

    /// Every user, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// The hash that an unknown name is checked against, in vain: that of some user, always the
    /// same for one name, so that time says nothing even where users' hashes differ in their cost.
    pub(super) fn decoy(&self, name: &str) -> &str {
        let user = pick(&self.names, name).and_then(|name| self.by_name.get(name));
        user.map_or(password::UNUSED_HASH, |user| &user.password_hash)
    }
}

/// The one spelling of a user's name: lower case. Counters of failed attempts go by it too. The users of an
/// identity provider are not ours to fold: `A` and `a` may be two people there.
pub fn fold(name: &str) -> String {
    if is_of_provider(name) { name.to_owned() } else { name.to_lowercase() }
}

/// Whether a user is one of an identity provider: no other has a name like that.
pub fn is_of_provider(name: &str) -> bool {
    name.contains("://")
}

/// Why a text cannot be the name of a user; `None`: it can.
pub fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.trim() != name || name.contains(char::is_control) {
        return Some("a name has no control characters and no space at its ends");
    }
    if is_of_provider(name) {
        return Some("a name has no `://` in it: such are the names of an identity provider's users");
    }
    (name.len() > LONGEST_NAME || fold(name).len() > LONGEST_NAME).then_some("a name has 256 octets at most")
}

/// One of `choices`, always the same for one `name`; `None` when there are none.
pub fn pick<'c, T>(choices: &'c [T], name: &str) -> Option<&'c T> {
    let [a, b, c, d, ..] = *Digest::of(name.as_bytes()).as_bytes();
    let number = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or_default();
    choices.get(number.checked_rem(choices.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::password::tests::quick_hash;

    fn users() -> Users {
        Users::new(vec![User {
            name: "Alice".into(),
            password_hash: quick_hash("pw"),
            scopes: None,
            origin: Origin::Configuration,
        }])
    }

    #[test]
    fn a_name_is_one_in_every_spelling_and_keeps_the_configured_one() {
        assert_eq!(users().get("ALICE").unwrap().name, "Alice");
        assert!(users().has("aLiCe") && !users().has("alice "));
    }

    /// R9700-4.15
    #[test]
    fn the_users_of_a_provider_are_apart_from_all_others_and_from_each_other() {
        let subject = |name: &str, origin| Subject { name: name.into(), origin };
        let key = |name, origin| subject(name, origin).key();
        let names = ["https://op.example#a", "https://op.example#A"];
        assert_ne!(key(names[0], Origin::Provider), key(names[1], Origin::Provider));
        assert_ne!(key(names[0], Origin::Provider), key(names[0], Origin::Store));
        assert_eq!(key("a", Origin::Store), key("A", Origin::Store));
        assert!(names.into_iter().all(|name| wrong_name(name).is_some()) && wrong_name("a#b:c").is_none());
    }

    #[test]
    fn the_debug_form_has_no_hash() {
        assert!(!format!("{:?}", users()).contains("argon2id"));
    }

    #[test]
    fn an_unknown_name_is_checked_against_a_hash_in_use() {
        let users = users();
        assert_eq!(users.decoy("bob"), users.by_name["alice"].password_hash);
        assert_eq!(Users::default().decoy("bob"), password::UNUSED_HASH);
    }
}
