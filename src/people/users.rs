//! The resource owners of the configuration and the check of their passwords.

use crate::oauth::scope::Scope;
use std::collections::HashMap;
use std::sync::Arc;

/// `[[users]]`.
#[derive(Clone, Debug)]
pub struct User {
    /// As configured; compared after folding to one spelling.
    pub name: String,
    /// A PHC string of argon2id.
    pub password_hash: String,
    /// What the user can grant at most; `None`: everything.
    pub scopes: Option<Scope>,
}

/// Every user, by name.
#[derive(Debug, Default)]
pub struct Users {
    by_name: HashMap<String, Arc<User>>,
}

/// The proof that a resource owner showed a right password. Only [`Users::authenticate`] makes one.
#[must_use]
#[derive(Clone, Debug)]
pub struct ResourceOwner {
    user: Arc<User>,
}

impl ResourceOwner {
    /// Who.
    pub fn user(&self) -> &User {
        &self.user
    }
}

/// Why nobody was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Too many checks are under way: 503.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// Unknown user or wrong password; the same answer and the same work.
    #[error("the name or the password is wrong")]
    Refused,
}

impl Users {
    /// A directory of `users`; names are folded to one spelling.
    pub fn new(users: Vec<User>) -> Self {
        Self { by_name: users.into_iter().map(|user| (fold(&user.name), Arc::new(user))).collect() }
    }

    /// Whether there is such a user.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(&fold(name))
    }

    /// Checks a password off the worker's thread, a bounded number at a time. An unknown name
    /// costs the same.
    ///
    /// # Errors
    /// When the pair is wrong, or too many are being checked.
    pub async fn authenticate(&self, name: &str, password: &str) -> Result<ResourceOwner, LoginError> {
        let _ = (name, password);
        todo!()
    }
}

/// The one spelling of a user's name: lower case (hazards, line 38).
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}
